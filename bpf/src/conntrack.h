/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Rows of flows: life times, what a further packet may keep, and the two halves of a pair (8.4). */
#ifndef FL_CONNTRACK_H
#define FL_CONNTRACK_H

#include "select.h"

#define FL_FLOW_RSTS (FL_FLOW_RST_CLIENT | FL_FLOW_RST_ENDPOINT)
#define FL_FLOW_FINS (FL_FLOW_FIN_CLIENT | FL_FLOW_FIN_ENDPOINT)
/* The endpoint sees another source than the client's. */
#define FL_FLOW_NAT (FL_FLOW_SNAT | FL_FLOW_HAIRPIN | FL_FLOW_PORT)
/* A SYN this long after the first FIN or RST is a new connection on a reused port. */
#define FL_CLOSING_GRACE_S 2
#define FL_REFRESH_S 5

/* RFC 5382 (TCP), RFC 4787 (UDP); oracle: rowLifetime in lb/flow.ts. */
static __always_inline int fl_lifetime_s(const struct fl_flow *row, __u8 proto)
{
	if (proto == IPPROTO_UDP)
		return row->state & FL_FLOW_ANSWERED ? 120 : 30;
	if (proto != IPPROTO_TCP)
		return 600;
	if (row->state & FL_FLOW_RSTS || (row->state & FL_FLOW_FINS) == FL_FLOW_FINS)
		return 10;
	if (row->state & FL_FLOW_FINS)
		return 3600;
	return row->state & (FL_FLOW_ANSWERED | FL_FLOW_MIDSTREAM) ? 7440 : 60;
}

/* Signed, because another CPU may have written a second that this packet has not seen yet. */
static __always_inline bool fl_lives(const struct fl_flow *row, __u8 proto, __u32 now_s)
{
	return (int)(now_s - row->last_s) < fl_lifetime_s(row, proto);
}

/* The other half of a pair: key and row of the reply from those of the forward half, and back. */
static __always_inline void fl_mirror(const struct fl_flow_key *key, const struct fl_flow *row,
				      struct fl_flow_key *other, struct fl_flow *half)
{
	bool forward = key->kind == FL_FLOW_FORWARD;
	bool nat = row->state & FL_FLOW_NAT;

	*half = *row;
	other->proto = key->proto;
	other->pad = 0;
	if (forward) {
		other->kind = FL_FLOW_REPLY;
		other->source = row->peer;
		other->source_port = row->peer_port;
		other->target = nat ? row->nat : key->source;
		other->target_port = nat ? row->nat_port : key->source_port;
		half->peer = key->target;
		half->peer_port = key->target_port;
		half->nat = key->source;
		half->nat_port = key->source_port;
		return;
	}
	other->kind = FL_FLOW_FORWARD;
	other->source = row->nat;
	other->source_port = row->nat_port;
	other->target = row->peer;
	other->target_port = row->peer_port;
	half->peer = key->source;
	half->peer_port = key->source_port;
	if (nat) {
		half->nat = key->target;
		half->nat_port = key->target_port;
	} else {
		__builtin_memset(&half->nat, 0, sizeof(half->nat));
		half->nat_port = 0;
	}
}

static __always_inline bool fl_in_snat(const struct fl_flow_key *key, const struct fl_flow *row)
{
	return key->kind == FL_FLOW_REPLY && row->state & FL_FLOW_SNAT;
}

static __always_inline struct fl_flow *fl_row(const struct fl_flow_key *key,
					      const struct fl_flow *like)
{
	if (fl_in_snat(key, like))
		return bpf_map_lookup_elem(&fl_snat, key);
	return bpf_map_lookup_elem(&fl_ct, key);
}

static __always_inline int fl_put_row(const struct fl_flow_key *key, const struct fl_flow *row)
{
	if (fl_in_snat(key, row))
		return bpf_map_update_elem(&fl_snat, key, row, BPF_ANY);
	return bpf_map_update_elem(&fl_ct, key, row, BPF_ANY);
}

/* Forgets the reply half of a forward row, whose endpoint no longer stands. */
static __noinline int fl_forget_reply(const struct fl_flow_key *key, const struct fl_flow *row)
{
	struct fl_flow_key other;
	struct fl_flow half;

	fl_mirror(key, row, &other, &half);
	if (fl_in_snat(&other, &half))
		return bpf_map_delete_elem(&fl_snat, &other);
	return bpf_map_delete_elem(&fl_ct, &other);
}

/* What this packet adds to the state of the row that it hit. */
static __always_inline __u32 fl_new_bits(const struct fl_packet *p, __u8 kind)
{
	bool reply = kind == FL_FLOW_REPLY;
	__u32 bits = reply ? FL_FLOW_ANSWERED : 0;

	if (p->flow.proto != IPPROTO_TCP)
		return bits;
	if (p->tcp_flags & FL_TCP_FIN)
		bits |= reply ? FL_FLOW_FIN_ENDPOINT : FL_FLOW_FIN_CLIENT;
	if (p->tcp_flags & FL_TCP_RST)
		bits |= reply ? FL_FLOW_RST_ENDPOINT : FL_FLOW_RST_CLIENT;
	return bits;
}

/*
 * Writes what a packet changes: its second, its state, and the other half where the state moved.
 * Eight seconds on, a missing half is restored: the LRU evicts rows one by one. Returns the event
 * that this is: close with the first FIN or RST, or refresh.
 */
static __noinline __u8 fl_mark(const struct fl_packet *p, const struct fl_flow_key *key,
			       struct fl_flow *row)
{
	bool later = (p->now_s ^ row->last_s) >> 3;
	__u32 bits = fl_new_bits(p, key->kind);
	bool moved = bits & ~row->state;
	bool closes = !row->closed_s && bits & (FL_FLOW_FINS | FL_FLOW_RSTS);
	__u8 event = closes ? FL_EVENT_CLOSE : 0;
	struct fl_flow *found;
	struct fl_flow_key other;
	struct fl_flow half;

	if (!closes && (p->now_s - row->created_s) / FL_REFRESH_S !=
			       (row->last_s - row->created_s) / FL_REFRESH_S)
		event = FL_EVENT_REFRESH;
	row->state |= bits;
	row->last_s = p->now_s;
	if (closes)
		row->closed_s = p->now_s;
	if (!moved && !later && key->kind == FL_FLOW_FORWARD)
		return event;
	fl_mirror(key, row, &other, &half);
	found = fl_row(&other, &half);
	if (found) {
		found->state |= bits;
		found->last_s = p->now_s;
		found->gen = row->gen;
		if (closes)
			found->closed_s = p->now_s;
	} else {
		fl_put_row(&other, &half);
	}
	return event;
}

/* Nothing changes within a second of an open flow, so that most packets write nothing. */
static __always_inline __u8 fl_seen(const struct fl_packet *p, const struct fl_flow_key *key,
				    struct fl_flow *row)
{
	if (row->last_s == p->now_s && !(fl_new_bits(p, key->kind) & ~row->state))
		return 0;
	return fl_mark(p, key, row);
}

enum fl_row_verdict {
	FL_ROW_ABSENT,
	FL_ROW_KEEP,
	FL_ROW_CHOOSE,
};

/* Existence of the backend is not enough: it must be a member, and its id not reused. */
static __always_inline __u32 fl_standing(const struct fl_flow *row, __u32 svc_id)
{
	__u32 bits = fl_member_bits(svc_id, row->backend_id);
	__u32 id = row->backend_id;
	struct fl_backend *backend;

	if (!bits)
		return 0;
	backend = bpf_map_lookup_elem(&fl_backend, &id);
	if (!backend || backend->port != row->peer_port ||
	    !fl_same_ip(&backend->addr, &row->peer))
		return 0;
	return bits;
}

static __noinline int fl_judge_datagram(struct fl_flow *row, __u32 svc_id)
{
	__u32 gen = fl_gen(fl_service(svc_id));

	if (row->gen == gen && row->svc_id == svc_id)
		return FL_ROW_KEEP;
	if (!(fl_standing(row, svc_id) & FL_MEMBER_SERVING))
		return FL_ROW_CHOOSE;
	row->gen = gen;
	row->svc_id = svc_id;
	return FL_ROW_KEEP;
}

static __noinline int fl_judge_syn(const struct fl_packet *p, const struct fl_flow *row,
				   __u32 svc_id)
{
	__u32 bit = row->state & FL_FLOW_SCOPE_LOCAL ? FL_MEMBER_LOCAL : FL_MEMBER_CLUSTER;

	if (row->closed_s && (int)(p->now_s - row->closed_s) > FL_CLOSING_GRACE_S)
		return FL_ROW_CHOOSE;
	return fl_standing(row, svc_id) & bit ? FL_ROW_KEEP : FL_ROW_CHOOSE;
}

/* The table of datapath.md 8.4. */
static __always_inline int fl_judge(const struct fl_packet *p, struct fl_flow *row, __u32 svc_id)
{
	if (!fl_lives(row, p->flow.proto, p->now_s))
		return FL_ROW_ABSENT;
	if (p->flow.proto == IPPROTO_UDP)
		return fl_judge_datagram(row, svc_id);
	if (p->flow.proto != IPPROTO_TCP ||
	    (p->tcp_flags & (FL_TCP_SYN | FL_TCP_ACK)) != FL_TCP_SYN)
		return FL_ROW_KEEP;
	return fl_judge_syn(p, row, svc_id);
}

#endif
