/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* From a front to one endpoint: lookup, ranges, policy, window, choice (datapath.md 3, 4). */
#ifndef FL_SELECT_H
#define FL_SELECT_H

#include "events.h"
#include "hash.h"

enum fl_source_class {
	FL_SOURCE_POD,
	FL_SOURCE_NODE,
	FL_SOURCE_EXTERNAL,
};

enum fl_verdict {
	FL_VERDICT_NOT_MINE,
	FL_VERDICT_DROP,
	FL_VERDICT_REJECT,
	FL_VERDICT_FORWARD,
};

/* A question about the first packet or call of a flow. */
struct fl_query {
	const struct fl_flow_key *flow;
	const struct fl_ip *client;	/* of affinity and ranges; see client_kind */
	__u8 client_kind;	/* enum fl_aff_kind */
	__u8 source;		/* enum fl_source_class */
	__u8 draw;		/* 1: by chance whatever the algorithm, 2: by `hash` */
	__u8 judge_only;	/* no endpoint is chosen, nothing is written */
	__u8 midstream;		/* a TCP packet without SYN, of which no row is known */
	__u32 hash;
};

struct fl_choice {
	__u64 svc;		/* the service record as one word */
	__u32 svc_id;
	__u32 backend_id;
	struct fl_ip addr;
	__be16 port;
	__u8 local;
	__u8 scope_local;
	__u8 masquerade;
	__u8 reason;
	__u8 affinity_moved;
	__u8 maglev;
};

static __always_inline __u32 fl_addr_bits(const struct fl_ip *ip)
{
	struct fl_addr *addr = bpf_map_lookup_elem(&fl_addr, ip);

	return addr ? addr->bits : 0;
}

/*
 * Where NodePorts are: the unspecified address in the form of its family, because a dual-stack
 * Service has one NodePort and two service ports.
 */
static __always_inline void fl_any_ip(struct fl_ip *ip, bool mapped)
{
	ip->word[0] = 0;
	ip->word[1] = 0;
	ip->word[2] = mapped ? bpf_htonl(0xffff) : 0;
	ip->word[3] = 0;
}

/* The front of a flow at an address, copied: an overwritten element may be reused at once. */
static __always_inline bool fl_front_at(const struct fl_ip *addr, const struct fl_flow_key *flow,
					struct fl_front *front)
{
	struct fl_front_key key = {
		.addr = *addr,
		.port = flow->target_port,
		.proto = flow->proto,
	};
	struct fl_front *found = bpf_map_lookup_elem(&fl_front, &key);

	if (!found)
		return false;
	*front = *found;
	return true;
}

/* A NodePort, whichever of its addresses the flow names. */
static __always_inline bool fl_find_node_port(const struct fl_flow_key *flow,
					      struct fl_front *front)
{
	struct fl_ip any;

	fl_any_ip(&any, fl_is_mapped(&flow->target));
	return fl_front_at(&any, flow, front);
}

/*
 * The front of a target, and the bits of its address. The address is asked first: its row is in the
 * cache for most packets, while each port of each client has another bucket of fl_front to miss.
 */
static __always_inline bool fl_find_front(const struct fl_flow_key *flow, struct fl_front *front,
					  __u32 *bits)
{
	*bits = fl_addr_bits(&flow->target);
	if (*bits & (FL_ADDR_VIP | FL_ADDR_CLUSTER_IP) && fl_front_at(&flow->target, flow, front))
		return true;
	return *bits & FL_ADDR_NODE_PORT && fl_find_node_port(flow, front);
}

static __always_inline __u64 fl_service(__u32 svc_id)
{
	__u64 *record = bpf_map_lookup_elem(&fl_svc, &svc_id);

	return record ? *(volatile __u64 *)record : 0;
}

static __always_inline __u32 fl_gen(__u64 svc)
{
	return (__u32)svc;
}

/*
 * The set of a service record. A recycled element shows another service's record, so generation
 * and id are compared, and the record read again (datapath.md 7).
 */
static __always_inline const struct fl_set *fl_current_set(__u32 svc_id, __u64 *svc)
{
	int i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		struct fl_set *set;
		__u32 set_id;

		*svc = fl_service(svc_id);
		set_id = *svc >> 32;
		set = bpf_map_lookup_elem(&fl_set, &set_id);
		if (set && set_id && set->gen == fl_gen(*svc) && set->svc_id == svc_id)
			return set;
	}
	return NULL;
}

static __always_inline __u32 fl_member_bits(__u32 svc_id, __u32 backend_id)
{
	struct fl_member_key key = { .svc_id = svc_id, .backend_id = backend_id };
	struct fl_member *member = bpf_map_lookup_elem(&fl_member, &key);

	return member ? member->bits : 0;
}

static __always_inline bool fl_admits(const struct fl_set *set, const struct fl_query *query)
{
	struct fl_range_key key = {
		.prefixlen = 160,
		.range_id = set->range_id,
		.addr = *query->client,
	};
	struct fl_range *range;

	if (!set->range_id)
		return true;
	range = bpf_map_lookup_elem(&fl_range, &key);
	if (!range)
		return false;
	return range->bits & FL_RANGE_ADMIT ||
	       (range->bits & FL_RANGE_SELF && fl_same_ip(query->client, &query->flow->target));
}

/* The table of datapath.md 4.1. */
static __always_inline void fl_policy(const struct fl_query *query, __u8 kind, __u32 flags,
				      struct fl_choice *choice)
{
	if (kind == FL_FRONT_CLUSTER_IP) {
		choice->scope_local = !!(flags & FL_SET_INTERNAL_LOCAL);
		choice->masquerade = query->source != FL_SOURCE_POD;
		return;
	}
	choice->scope_local = 0;
	choice->masquerade = 1;
	if (!(flags & FL_SET_EXTERNAL_LOCAL) || query->source == FL_SOURCE_NODE)
		return;
	choice->masquerade = 0;
	choice->scope_local = query->source == FL_SOURCE_EXTERNAL;
}

static __always_inline __u32 fl_listed(__u32 base, __u32 index)
{
	__u32 cell = base + index / FL_CELL_IDS;
	struct fl_lut *lut = bpf_map_lookup_elem(&fl_lut, &cell);

	return lut ? lut->backend[index % FL_CELL_IDS] : 0;
}

static __always_inline void fl_affinity_key(struct fl_aff_key *key, const struct fl_query *query,
					    __u32 svc_id)
{
	key->client = *query->client;
	key->svc_id = svc_id;
	key->kind = query->client_kind;
}

/* An affinity row counts only while its endpoint is a candidate (cilium#27096). */
static __noinline __u32 fl_affine(const struct fl_query *query, const struct fl_choice *choice,
				  __u32 affinity_s)
{
	struct fl_aff_key key;
	struct fl_aff *row;
	__u32 backend_id, bit;

	fl_affinity_key(&key, query, choice->svc_id);
	row = bpf_map_lookup_elem(&fl_aff, &key);
	if (!row || fl_now_ns() - row->last_ns >= affinity_s * FL_SECOND_NS)
		return 0;
	backend_id = row->backend_id;
	bit = choice->scope_local ? FL_MEMBER_LOCAL : FL_MEMBER_CLUSTER;
	return fl_member_bits(choice->svc_id, backend_id) & bit ? backend_id : 0;
}

/* The window restarts at each new connection. */
static __noinline int fl_remember(const struct fl_query *query, struct fl_choice *choice)
{
	struct fl_aff row = { .last_ns = fl_now_ns(), .backend_id = choice->backend_id };
	struct fl_aff_key key;
	struct fl_aff *old;

	fl_affinity_key(&key, query, choice->svc_id);
	old = bpf_map_lookup_elem(&fl_aff, &key);
	choice->affinity_moved = old && old->backend_id != row.backend_id;
	return bpf_map_update_elem(&fl_aff, &key, &row, BPF_ANY);
}

static __always_inline __u32 fl_drawn(const struct fl_set *set, const struct fl_query *query,
				      struct fl_choice *choice)
{
	__u32 n = choice->scope_local ? set->local_n : set->cluster_n;
	__u32 first = choice->scope_local ? 0 : set->cluster_off;
	__u32 hash;

	/* The caller has seen that neither divisor is 0; the verifier has not. */
	if (choice->maglev && set->maglev_m) {
		hash = set->flags & FL_SET_AFFINITY ? fl_hash_client(query->client)
						    : fl_hash(query->flow);
		return fl_listed(choice->scope_local ? set->maglev_local : set->maglev_cluster,
				 hash % set->maglev_m);
	}
	hash = query->draw == 2 ? query->hash : fl_draw();
	return n ? fl_listed(set->list_base, first + hash % n) : 0;
}

static __always_inline int fl_refused(struct fl_choice *choice, __u8 reason, int verdict)
{
	choice->reason = reason;
	return verdict;
}

static __noinline int fl_endpoint(struct fl_choice *choice)
{
	__u32 id = choice->backend_id;
	struct fl_backend *backend = bpf_map_lookup_elem(&fl_backend, &id);

	if (!id || !backend || fl_no_ip(&backend->addr))
		return fl_refused(choice, FL_REASON_NO_BACKEND, FL_VERDICT_DROP);
	choice->addr = backend->addr;
	choice->port = backend->port;
	choice->local = backend->flags & FL_BACKEND_LOCAL;
	return FL_VERDICT_FORWARD;
}

/* Steps 1 and 3 to 5 of the decision, and the choice, for a front that was found. */
static __noinline int fl_decide(const struct fl_query *query, const struct fl_front *front,
				struct fl_choice *choice)
{
	const struct fl_set *set;

	choice->svc_id = front->svc_id;
	set = fl_current_set(front->svc_id, &choice->svc);
	if (!set)
		return fl_refused(choice, FL_REASON_STALE, FL_VERDICT_DROP);
	/* A socket of unknown address: the packet, which has one, will be asked (section 9). */
	if (front->kind == FL_FRONT_VIP && set->range_id && query->client_kind == FL_AFF_COOKIE)
		return FL_VERDICT_NOT_MINE;
	if (front->kind == FL_FRONT_VIP && !fl_admits(set, query))
		return fl_refused(choice, FL_REASON_SRC_RANGE, FL_VERDICT_DROP);
	if (front->kind == FL_FRONT_CLUSTER_IP && query->source == FL_SOURCE_EXTERNAL &&
	    !fl_options.external_cluster_ip)
		return fl_refused(choice, FL_REASON_EXTERNAL_CLUSTER_IP, FL_VERDICT_DROP);
	fl_policy(query, front->kind, set->flags, choice);
	if (!(choice->scope_local ? set->local_n : set->cluster_n)) {
		if (set->flags & FL_SET_USABLE)
			return fl_refused(choice, FL_REASON_POLICY_EMPTY, FL_VERDICT_DROP);
		return fl_refused(choice, FL_REASON_NO_ENDPOINT,
				  fl_options.no_endpoints == FL_NO_ENDPOINTS_DROP
					  ? FL_VERDICT_DROP : FL_VERDICT_REJECT);
	}
	if (query->judge_only)
		return FL_VERDICT_FORWARD;
	choice->maglev = !query->draw && set->flags & FL_SET_MAGLEV;
	if (query->midstream && fl_options.midstream == FL_MIDSTREAM_PASS)
		return FL_VERDICT_NOT_MINE;
	if (query->midstream && !choice->maglev)
		return fl_refused(choice, FL_REASON_NO_ROW,
				  fl_options.midstream == FL_MIDSTREAM_RESET
					  ? FL_VERDICT_REJECT : FL_VERDICT_DROP);
	choice->backend_id = 0;
	if (set->flags & FL_SET_AFFINITY)
		choice->backend_id = fl_affine(query, choice, set->affinity_s);
	if (!choice->backend_id)
		choice->backend_id = fl_drawn(set, query, choice);
	if (set->flags & FL_SET_AFFINITY && choice->backend_id)
		fl_remember(query, choice);
	return fl_endpoint(choice);
}

#endif
