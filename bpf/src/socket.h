/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The core of the socket hooks: what a call names becomes an endpoint, and back (datapath.md 9). */
#ifndef FL_SOCKET_H
#define FL_SOCKET_H

#include "select.h"

/* What is known of who calls. */
struct fl_caller {
	struct fl_ip client;	/* of affinity and ranges */
	__u8 kind;		/* enum fl_aff_kind */
	__u8 node;		/* in the node's own namespace */
	__u8 hooked;		/* the packet path sees this pod */
	__u8 pad;
};

/* The cookie where no address is known: every call of one socket is then one client. */
static __always_inline void fl_cookie_client(struct fl_ip *client, __u64 cookie)
{
	client->word[0] = (__u32)cookie;
	client->word[1] = cookie >> 32;
	client->word[2] = 0;
	client->word[3] = 0;
}

/*
 * The bound source, else the namespace's address, else, for the host, the node's. The cookie of the
 * node's namespace comes from fl_cfg, because a node may itself be a container.
 */
static __noinline int fl_identify(const struct fl_call *call, struct fl_caller *caller)
{
	struct fl_cfg *cfg = fl_config();
	struct fl_netns *netns;
	__u64 cookie = call->netns;

	caller->kind = FL_AFF_ADDR;
	caller->node = cfg && cfg->node_cookie == cookie;
	netns = bpf_map_lookup_elem(&fl_netns, &cookie);
	caller->hooked = netns && netns->flags & FL_NETNS_HOOKED;
	caller->client = call->source;
	if (fl_no_ip(&caller->client) && netns)
		caller->client = call->family == 4 ? netns->addr4 : netns->addr6;
	if (fl_no_ip(&caller->client) && caller->node && cfg)
		caller->client = call->family == 4 ? cfg->node4 : cfg->node6;
	if (fl_no_ip(&caller->client)) {
		caller->kind = FL_AFF_COOKIE;
		fl_cookie_client(&caller->client, call->cookie);
	}
	return 0;
}

static __always_inline bool fl_is_loopback(const struct fl_ip *ip)
{
	if (fl_is_mapped(ip))
		return (ip->word[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !ip->word[0] && !ip->word[1] && !ip->word[2] && ip->word[3] == bpf_htonl(1);
}

/* As of packets, but loopback names NodePorts too, in the node's namespace (KEP-6032). */
static __noinline bool fl_find_called(const struct fl_flow_key *flow, struct fl_front *front,
				      __u32 *bits, bool node)
{
	if (fl_find_front(flow, front, bits))
		return true;
	return node && fl_is_loopback(&flow->target) && fl_find_node_port(flow, front);
}

static __always_inline void fl_socket_key(struct fl_sk_key *key, const struct fl_call *call,
					  const struct fl_ip *addr, __be16 port)
{
	key->cookie = call->cookie;
	key->addr = *addr;
	key->port = port;
	key->proto = call->proto;
	key->pad = 0;
}

/* The endpoint that a socket was given for a front, while it serves there: re-sends stay. */
static __noinline bool fl_recall(const struct fl_call *call, __u32 svc_id,
				 struct fl_choice *choice)
{
	struct fl_sk_key key = { .kind = FL_SK_CHOICE };
	struct fl_backend *backend;
	struct fl_sk *row;
	__u32 id;

	fl_socket_key(&key, call, &call->target, call->target_port);
	row = bpf_map_lookup_elem(&fl_sk, &key);
	if (!row)
		return false;
	id = row->backend_id;
	backend = bpf_map_lookup_elem(&fl_backend, &id);
	if (!backend || backend->port != row->port || !fl_same_ip(&backend->addr, &row->addr) ||
	    !(fl_member_bits(svc_id, id) & FL_MEMBER_SERVING))
		return false;
	choice->svc_id = svc_id;
	choice->backend_id = id;
	choice->addr = backend->addr;
	choice->port = backend->port;
	return true;
}

/* The way back, and for datagrams the choice. */
static __noinline int fl_remember_call(const struct fl_call *call, const struct fl_choice *choice)
{
	struct fl_sk_key key = { .kind = FL_SK_REVERSE };
	struct fl_sk row = {
		.addr = call->target,
		.port = call->target_port,
		.backend_id = choice->backend_id,
	};

	fl_socket_key(&key, call, &choice->addr, choice->port);
	if (bpf_map_update_elem(&fl_sk, &key, &row, BPF_ANY))
		return -1;
	if (call->proto != IPPROTO_UDP)
		return 0;
	fl_socket_key(&key, call, &call->target, call->target_port);
	key.kind = FL_SK_CHOICE;
	row.addr = choice->addr;
	row.port = choice->port;
	bpf_map_update_elem(&fl_sk, &key, &row, BPF_ANY);
	return 0;
}

static __noinline int fl_tell_call(const struct fl_call *call, const struct fl_ip *client,
				   const struct fl_choice *choice, __u8 type)
{
	struct fl_flow_key flow = {
		.source = *client,
		.target = call->target,
		.target_port = call->target_port,
		.proto = call->proto,
	};
	struct fl_note note = {
		.type = type,
		.reason = choice->reason,
		.hook = call->hook,
		.svc_id = choice->svc_id,
		.endpoint = choice->addr,
		.endpoint_port = choice->port,
	};

	fl_count_by(call->hook, choice->reason, 0);
	return call->hook == FL_HOOK_CONNECT ? fl_emit(&flow, &note) : 0;
}

/* Asks what a packet would ask: TCP by chance, datagrams by cookie, so that re-sends stay. */
static __noinline int fl_ask(const struct fl_call *call, const struct fl_caller *caller,
			     const struct fl_front *front, struct fl_choice *choice)
{
	struct fl_flow_key flow = {
		.source = caller->client,
		.target = call->target,
		.target_port = call->target_port,
		.proto = call->proto,
	};
	struct fl_query query = {
		.flow = &flow,
		.client = &caller->client,
		.client_kind = caller->kind,
		.source = caller->node ? FL_SOURCE_NODE : FL_SOURCE_POD,
		.draw = 1,
	};

	if (call->proto == IPPROTO_UDP) {
		struct fl_ip cookie;

		/* Connected UDP of a pod whose packets we see: there its flow can move (C28). */
		query.judge_only = call->hook == FL_HOOK_CONNECT && !caller->node &&
				   caller->hooked;
		fl_cookie_client(&cookie, call->cookie);
		query.draw = 2;
		query.hash = fl_hash_client(&cookie);
	}
	return fl_decide(&query, front, choice);
}

/* The target of connect and sendmsg. A drop is left to the packet: the client sees a timeout. */
static __noinline int fl_translate_call(struct fl_call *call)
{
	struct fl_flow_key flow = {
		.target = call->target,
		.target_port = call->target_port,
		.proto = call->proto,
	};
	struct fl_choice choice = {};
	struct fl_caller caller = {};
	struct fl_front front;
	__u32 bits = 0;
	int verdict;

	if (call->proto != IPPROTO_TCP && call->proto != IPPROTO_UDP)
		return 0;
	/* The unspecified address is loopback to the kernel, and the key of NodePorts to us. */
	if (!call->target.word[3] && !call->target.word[0] && !call->target.word[1])
		return 0;
	fl_identify(call, &caller);
	if (!caller.node && !fl_options.socket_full)
		return 0;
	if (!fl_find_called(&flow, &front, &bits, caller.node)) {
		if (!(bits & FL_ADDR_CLUSTER_IP))
			return 0;
		choice.reason = FL_REASON_UNKNOWN_PORT;
		verdict = FL_VERDICT_REJECT;
	} else if (call->hook == FL_HOOK_SENDMSG && fl_recall(call, front.svc_id, &choice)) {
		verdict = FL_VERDICT_FORWARD;
	} else {
		verdict = fl_ask(call, &caller, &front, &choice);
	}
	if (verdict == FL_VERDICT_REJECT) {
		call->outcome = FL_CALL_REFUSED;
		return fl_tell_call(call, &caller.client, &choice, FL_EVENT_REJECT);
	}
	/* Judged only, no endpoint was chosen. */
	if (verdict != FL_VERDICT_FORWARD || !choice.backend_id)
		return 0;
	if (fl_remember_call(call, &choice)) {
		fl_count_by(call->hook, FL_REASON_MAP_FULL, 0);
		/* Answers to a datagram could not be restored; TCP only loses getpeername. */
		if (call->proto == IPPROTO_UDP)
			return 0;
	}
	fl_tell_call(call, &caller.client, &choice, FL_EVENT_NEW);
	call->target = choice.addr;
	call->target_port = choice.port;
	call->outcome = FL_CALL_TRANSLATED;
	return 0;
}

/* The peer of recvmsg and getpeername: an endpoint is reported as the front that was called. */
static __noinline int fl_restore_call(struct fl_call *call)
{
	struct fl_sk_key key = { .kind = FL_SK_REVERSE };
	struct fl_sk *row;

	fl_socket_key(&key, call, &call->target, call->target_port);
	row = bpf_map_lookup_elem(&fl_sk, &key);
	if (!row)
		return 0;
	call->target = row->addr;
	call->target_port = row->port;
	call->outcome = FL_CALL_TRANSLATED;
	return 0;
}

/* A bind of the node to a NodePort that is in use; the source is what is bound. */
static __noinline int fl_guard_bind(struct fl_call *call)
{
	struct fl_front_key key = { .port = call->target_port, .proto = call->proto };
	struct fl_cfg *cfg = fl_config();

	if (!fl_options.bind_protection || !cfg || cfg->node_cookie != call->netns)
		return 0;
	/* A socket that is bound to no address, or to one that NodePorts have, would get nothing. */
	if (call->source.word[3] && !(fl_addr_bits(&call->source) & FL_ADDR_NODE_PORT))
		return 0;
	fl_any_ip(&key.addr, fl_is_mapped(&call->source));
	/* :: takes both families. */
	if (bpf_map_lookup_elem(&fl_front, &key)) {
		call->outcome = FL_CALL_REFUSED;
		return 0;
	}
	fl_any_ip(&key.addr, true);
	if (fl_no_ip(&call->source) && bpf_map_lookup_elem(&fl_front, &key))
		call->outcome = FL_CALL_REFUSED;
	return 0;
}

/* Rows of a socket that is gone; unconnected ones are left to the LRU. */
static __noinline int fl_forget_call(const struct fl_call *call)
{
	struct fl_sk_key key = { .kind = FL_SK_REVERSE };
	struct fl_sk_key choice = { .kind = FL_SK_CHOICE };
	struct fl_sk *row;

	fl_socket_key(&key, call, &call->target, call->target_port);
	row = bpf_map_lookup_elem(&fl_sk, &key);
	if (!row)
		return 0;
	fl_socket_key(&choice, call, &row->addr, row->port);
	bpf_map_delete_elem(&fl_sk, &choice);
	return bpf_map_delete_elem(&fl_sk, &key);
}

/* Every hook by its number, for the hooks themselves and for the test run. */
static __always_inline void fl_run_call(struct fl_call *call)
{
	switch (call->hook) {
	case FL_HOOK_CONNECT:
	case FL_HOOK_SENDMSG:
		fl_translate_call(call);
		break;
	case FL_HOOK_RECVMSG:
	case FL_HOOK_GETPEERNAME:
		fl_restore_call(call);
		break;
	case FL_HOOK_POST_BIND:
		fl_guard_bind(call);
		break;
	case FL_HOOK_SOCK_RELEASE:
		fl_forget_call(call);
		break;
	}
}

#endif
