/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Towards the endpoint: an existing row, or decision, row pair and translation of a new flow. */
#ifndef FL_FORWARD_H
#define FL_FORWARD_H

#include "nat.h"
#include "refusal.h"
#include "route.h"

/* Hairpin sources: a pod must not see itself as the client (datapath.md 4.2). */
static __always_inline void fl_hairpin_ip(struct fl_ip *ip, __u8 family)
{
	if (family == 4) {
		fl_mapped_ip(ip, bpf_htonl(0xa9fe4d01));
		return;
	}
	ip->word[0] = bpf_htonl(0xfd666c65);
	ip->word[1] = bpf_htonl(0x61640000);
	ip->word[2] = 0;
	ip->word[3] = bpf_htonl(1);
}

/* The packet as the endpoint is to see it, and who brings it there. */
static __always_inline int fl_towards(const struct fl_packet *p, const struct fl_flow *row,
				      struct fl_plan *plan)
{
	plan->to = p->flow;
	plan->to.target = row->peer;
	plan->to.target_port = row->peer_port;
	plan->outcome = FL_CARRY;
	if (!(row->state & FL_FLOW_NAT))
		return 0;
	plan->to.source = row->nat;
	plan->to.source_port = row->nat_port;
	if (row->state & FL_FLOW_SNAT)
		plan->outcome = FL_RELAY;
	else if (row->state & FL_FLOW_HAIRPIN)
		plan->outcome = FL_BOUNCE;
	return 0;
}

/* The tuple of a reply becomes what the client knows: front to client. */
static __always_inline void fl_backwards(const struct fl_packet *p, const struct fl_flow *row,
					 struct fl_plan *plan)
{
	plan->to = p->flow;
	plan->to.source = row->peer;
	plan->to.source_port = row->peer_port;
	plan->to.target = row->nat;
	plan->to.target_port = row->nat_port;
}

/* Of a packet without row: TCP that does not begin a connection. */
static __always_inline bool fl_is_midstream(const struct fl_packet *p)
{
	return p->flow.proto == IPPROTO_TCP &&
	       (p->tcp_flags & (FL_TCP_SYN | FL_TCP_ACK)) != FL_TCP_SYN;
}

static __always_inline void fl_draft(const struct fl_packet *p, const struct fl_choice *choice,
				     struct fl_plan *plan)
{
	struct fl_flow *row = &plan->row;

	__builtin_memset(row, 0, sizeof(*row));
	row->state = fl_is_midstream(p) ? FL_FLOW_MIDSTREAM : 0;
	row->peer = choice->addr;
	row->peer_port = choice->port;
	row->svc_id = choice->svc_id;
	row->backend_id = choice->backend_id;
	row->gen = fl_gen(choice->svc);
	row->last_s = p->now_s;
	row->created_s = p->now_s;
	row->state |= choice->scope_local ? FL_FLOW_SCOPE_LOCAL : 0;
	if (p->hook == FL_HOOK_UPLINK_IN && !choice->local)
		row->state |= FL_FLOW_SNAT;
	if (p->hook == FL_HOOK_FROM_POD && fl_same_ip(&row->peer, &p->flow.source)) {
		row->state |= FL_FLOW_HAIRPIN;
		fl_hairpin_ip(&row->nat, p->family);
		row->nat_port = p->flow.source_port;
	}
	plan->flags = (choice->masquerade ? FL_EVENT_MASQUERADE : 0) |
		      (choice->scope_local ? FL_EVENT_LOCAL_SCOPE : 0) |
		      (choice->local ? FL_EVENT_LOCAL_ENDPOINT : 0) |
		      (row->state & FL_FLOW_MIDSTREAM ? FL_EVENT_MIDSTREAM : 0);
	plan->affinity_moved = choice->affinity_moved;
	plan->fresh = 1;
	plan->chosen = 1;
}

static __always_inline __u8 fl_source_of(const struct fl_packet *p)
{
	if (fl_addr_bits(&p->flow.source) & FL_ADDR_NODE)
		return FL_SOURCE_NODE;
	return p->hook == FL_HOOK_UPLINK_IN ? FL_SOURCE_EXTERNAL : FL_SOURCE_POD;
}

/* Decides for a packet of which no row stands; writes nothing but affinity. */
static __noinline int fl_admit(const struct fl_packet *p, const struct fl_front *front,
			       struct fl_plan *plan)
{
	struct fl_query query = { .flow = &p->flow, .client = &p->flow.source };
	struct fl_choice choice = {};
	int verdict;

	query.source = fl_source_of(p);
	query.midstream = fl_is_midstream(p);
	verdict = fl_decide(&query, front, &choice);
	if (verdict == FL_VERDICT_NOT_MINE)
		return 0;
	if (verdict == FL_VERDICT_REJECT)
		return fl_reject(plan, choice.reason);
	if (verdict == FL_VERDICT_DROP)
		return fl_discard(plan, choice.reason);
	if (p->flow.proto == IPPROTO_SCTP && choice.port != p->flow.target_port)
		return fl_discard(plan, FL_REASON_SCTP_PORT);
	fl_draft(p, &choice, plan);
	return fl_towards(p, &plan->row, plan);
}

/* A packet for a front: its row where that stands, else the decision. */
static __noinline int fl_forward(struct fl_packet *p, const struct fl_front *front,
				 struct fl_plan *plan)
{
	struct fl_flow *row = bpf_map_lookup_elem(&fl_ct, &p->flow);
	int verdict = FL_ROW_ABSENT;

	fl_seconds(p);
	plan->svc_id = front->svc_id;
	plan->event = FL_EVENT_NEW;
	if (row) {
		verdict = fl_judge(p, row, front->svc_id);
		if (verdict == FL_ROW_KEEP) {
			plan->event = 0;
			plan->told = fl_seen(p, &p->flow, row);
			return fl_towards(p, row, plan);
		}
		if (verdict == FL_ROW_CHOOSE)
			plan->event = FL_EVENT_RESELECT;
		fl_forget_reply(&p->flow, row);
		bpf_map_delete_elem(&fl_ct, &p->flow);
	}
	return fl_admit(p, front, plan);
}

/* The address of this node on the egress device: a strict source check looks at the device. */
static __always_inline int fl_take_source(const struct fl_packet *p, __u32 ifindex,
					  struct fl_flow *row)
{
	struct fl_dev *dev = bpf_map_lookup_elem(&fl_dev, &ifindex);

	if (!dev)
		return -1;
	row->nat = p->family == 4 ? dev->source4 : dev->source6;
	return fl_no_ip(&row->nat) ? -1 : 0;
}

/* Finds a port for the row and writes the reply half under it: 0, or the reason of a drop. */
static __noinline int fl_take_port(const struct fl_packet *p, struct fl_flow *row)
{
	bool sctp = p->flow.proto == IPPROTO_SCTP;
	struct fl_probe probe;
	int ret;

	__builtin_memset(&probe, 0, sizeof(probe));
	fl_mirror(&p->flow, row, &probe.key, &probe.row);
	probe.hash = fl_hash(&p->flow);
	probe.now_s = p->now_s;
	ret = fl_search_port(&probe, bpf_ntohs(p->flow.source_port), sctp);
	fl_count_by(p->hook, FL_STAT_SNAT_PROBES, probe.probes);
	row->nat_port = probe.key.target_port;
	if (!ret)
		return 0;
	if (ret == FL_E2BIG)
		return FL_REASON_MAP_FULL;
	return sctp ? FL_REASON_SCTP_PORT : FL_REASON_NAT_EXHAUSTED;
}

static __noinline int fl_open_remote(const struct fl_packet *p, struct fl_plan *plan)
{
	int reason;

	if (fl_take_source(p, plan->ifindex, &plan->row))
		return fl_discard(plan, FL_REASON_FIB);
	reason = fl_take_port(p, &plan->row);
	if (!reason && bpf_map_update_elem(&fl_ct, &p->flow, &plan->row, BPF_ANY))
		reason = FL_REASON_MAP_FULL;
	if (reason)
		return fl_discard(plan, reason);
	return fl_towards(p, &plan->row, plan);
}

/* Writes a reply row of fl_ct, unless a live one of another front is in its place. */
static __noinline int fl_claim_reply(const struct fl_flow_key *key, const struct fl_flow *half,
				     __u32 now_s)
{
	struct fl_flow *row;

	if (!bpf_map_update_elem(&fl_ct, key, half, BPF_NOEXIST))
		return 0;
	row = bpf_map_lookup_elem(&fl_ct, key);
	if (row && fl_lives(row, key->proto, now_s) &&
	    (row->peer_port != half->peer_port || row->nat_port != half->nat_port ||
	     !fl_same_ip(&row->peer, &half->peer) || !fl_same_ip(&row->nat, &half->nat)))
		return -1;
	return bpf_map_update_elem(&fl_ct, key, half, BPF_ANY);
}

#define FL_OTHER_PORTS_MAX 16

/*
 * A client that reaches one endpoint through two fronts from one port is two flows to us and one to
 * the endpoint: the newcomer keeps its address, which policy may need, and gets another port.
 */
static __noinline int fl_take_other_port(const struct fl_packet *p, struct fl_plan *plan,
					 struct fl_flow_key *key, struct fl_flow *half)
{
	__u32 hash = fl_hash(&p->flow);
	int i;

	plan->conflict = 1;
	if (p->flow.proto == IPPROTO_SCTP)
		return FL_REASON_SCTP_PORT;
	plan->row.state |= FL_FLOW_PORT;
	half->state |= FL_FLOW_PORT;
	if (!(plan->row.state & FL_FLOW_HAIRPIN))
		plan->row.nat = p->flow.source;
	for (i = 0; i < FL_OTHER_PORTS_MAX; i++) {
		__u32 port = 1024 + fl_mix(hash + i * 0x9e3779b9) % (65536 - 1024);

		key->target_port = bpf_htons(port);
		if (fl_claim_reply(key, half, p->now_s))
			continue;
		plan->row.nat_port = key->target_port;
		return fl_towards(p, &plan->row, plan);
	}
	return FL_REASON_NAT_EXHAUSTED;
}

/* The reply half first: a forward row alone would let an answer through untranslated. */
static __noinline int fl_open_near(const struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_flow_key other;
	struct fl_flow half;

	fl_mirror(&p->flow, &plan->row, &other, &half);
	if (fl_claim_reply(&other, &half, p->now_s)) {
		int reason = fl_take_other_port(p, plan, &other, &half);

		if (reason)
			return fl_discard(plan, reason);
	}
	if (bpf_map_update_elem(&fl_ct, &p->flow, &plan->row, BPF_ANY))
		return fl_discard(plan, FL_REASON_MAP_FULL);
	return 0;
}

/* Plans a packet that is a reply by fl_ct or fl_snat; false where no row lives. */
static __always_inline bool fl_plan_reply(struct fl_packet *p, struct fl_plan *plan, bool snat)
{
	struct fl_flow *row;

	p->flow.kind = FL_FLOW_REPLY;
	row = snat ? bpf_map_lookup_elem(&fl_snat, &p->flow)
		   : bpf_map_lookup_elem(&fl_ct, &p->flow);
	if (row && fl_lives(row, p->flow.proto, fl_seconds(p))) {
		plan->told = fl_seen(p, &p->flow, row);
		plan->svc_id = row->svc_id;
		plan->reply = 1;
		p->flow.kind = FL_FLOW_FORWARD;
		fl_backwards(p, row, plan);
		return true;
	}
	p->flow.kind = FL_FLOW_FORWARD;
	return false;
}

#endif
