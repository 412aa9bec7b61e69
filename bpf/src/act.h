/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* First and last steps of every tc program: reading the packet, and carrying out its plan. */
#ifndef FL_ACT_H
#define FL_ACT_H

#include "forward.h"
#include "icmp.h"
#include "parse.h"

/* The scratch of this CPU with the packet read into it. */
static __always_inline struct fl_scratch *fl_begin(struct __sk_buff *skb, __u8 hook)
{
	struct fl_scratch *scratch;
	struct fl_packet *p;
	__u32 zero = 0;

	if (skb->tc_index & FL_TC_INDEX_DONE)
		skb->tc_index &= ~FL_TC_INDEX_DONE;
	scratch = bpf_map_lookup_elem(&fl_scratch, &zero);
	if (!scratch)
		return NULL;
	__builtin_memset(&scratch->packet, 0, sizeof(scratch->packet));
	__builtin_memset(&scratch->plan, 0, offsetof(struct fl_plan, to));
	p = &scratch->packet;
	p->hook = hook;
	p->egress = hook == FL_HOOK_TO_POD || hook == FL_HOOK_UPLINK_OUT;
	p->ifindex = skb->ifindex;
	p->parsed = fl_parse(skb, p);
	return scratch;
}

static __always_inline bool fl_front_address(const struct fl_packet *p)
{
	return fl_addr_bits(&p->flow.target) & (FL_ADDR_VIP | FL_ADDR_CLUSTER_IP);
}

/* What cannot be read is dropped only where it is ours for certain. */
static __noinline int fl_unparsed(const struct fl_packet *p, struct fl_plan *plan)
{
	if (p->parsed == FL_PARSED_NOT_IP || !fl_front_address(p))
		return 0;
	return fl_discard(plan, p->parsed == FL_PARSED_EXT_HDR ? FL_REASON_EXT_HDR
							       : FL_REASON_MALFORMED);
}

/* First fragments leave their ports for later ones; false where a later one finds none. */
static __noinline bool fl_defragment(struct fl_packet *p)
{
	struct fl_frag_key key = {
		.source = p->flow.source,
		.target = p->flow.target,
		.id = p->frag_id,
		.proto = p->flow.proto,
	};
	struct fl_frag *known;

	if (p->fragment == FL_FRAGMENT_FIRST) {
		struct fl_frag ports = {
			.source_port = p->flow.source_port,
			.target_port = p->flow.target_port,
			.last_s = fl_seconds(p),
		};

		bpf_map_update_elem(&fl_frag, &key, &ports, BPF_ANY);
		return true;
	}
	known = bpf_map_lookup_elem(&fl_frag, &key);
	if (!known)
		return false;
	p->flow.source_port = known->source_port;
	p->flow.target_port = known->target_port;
	return true;
}

/* Step 6 of the decision. Unallocated addresses are dropped where packets leave, never here. */
static __always_inline int fl_miss(const struct fl_packet *p, __u32 bits, struct fl_plan *plan)
{
	if (bits & FL_ADDR_CLUSTER_IP)
		return fl_reject(plan, FL_REASON_UNKNOWN_PORT);
	if (!(bits & FL_ADDR_VIP) || bits & (FL_ADDR_NODE | FL_ADDR_FOREIGN))
		return 0;
	if (p->hook != FL_HOOK_UPLINK_IN || !fl_options.vip_guard)
		return 0;
	return fl_discard(plan, FL_REASON_VIP_PORT);
}

/* A packet that no row calls a reply: towards its front, or what it means that there is none. */
static __always_inline int fl_plan_front(struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_front front;
	__u32 bits;

	if (!fl_find_front(&p->flow, &front, &bits))
		return fl_miss(p, bits, plan);
	return fl_forward(p, &front, plan);
}

static __noinline int fl_tell(const struct fl_packet *p, const struct fl_plan *plan, __u8 type)
{
	struct fl_note note = {
		.type = type,
		.reason = plan->reason,
		.hook = p->hook,
		.svc_id = plan->svc_id,
		.flags = plan->flags,
		.ifindex = p->ifindex,
	};

	if (plan->chosen) {
		note.endpoint = plan->row.peer;
		note.endpoint_port = plan->row.peer_port;
	}
	return fl_emit(&p->flow, &note);
}

/* Of a reply the flow is what it is translated to, turned round. */
static __noinline int fl_tell_flow(const struct fl_packet *p, const struct fl_plan *plan)
{
	const struct fl_flow_key *near = plan->reply ? &plan->to : &p->flow;
	const struct fl_flow_key *far = plan->reply ? &p->flow : &plan->to;
	struct fl_flow_key flow = { .proto = p->flow.proto };
	struct fl_note note = {
		.type = plan->told,
		.hook = p->hook,
		.svc_id = plan->svc_id,
		.ifindex = p->ifindex,
	};

	flow.source = plan->reply ? near->target : near->source;
	flow.source_port = plan->reply ? near->target_port : near->source_port;
	flow.target = plan->reply ? near->source : near->target;
	flow.target_port = plan->reply ? near->source_port : near->target_port;
	note.endpoint = plan->reply ? far->source : far->target;
	note.endpoint_port = plan->reply ? far->source_port : far->target_port;
	return fl_emit(&flow, &note);
}

/* Counts and tells what will happen, once it is known. */
static __always_inline void fl_account(struct __sk_buff *skb, const struct fl_packet *p,
				       struct fl_plan *plan)
{
	if (plan->outcome == FL_REFUSE || plan->outcome == FL_TOO_BIG)
		fl_limit(p, plan);
	fl_count(skb, p, plan->reason);
	if (plan->event)
		fl_tell(p, plan, plan->event);
	if (plan->told)
		fl_tell_flow(p, plan);
	if (plan->conflict)
		fl_tell(p, plan, FL_EVENT_CONFLICT);
	if (plan->affinity_moved)
		fl_tell(p, plan, FL_EVENT_AFFINITY);
}

static __always_inline int fl_act(struct __sk_buff *skb, const struct fl_packet *p,
				  struct fl_plan *plan)
{
	if (plan->outcome == FL_PASS)
		return FL_NEXT;
	if (plan->fresh && plan->outcome != FL_RELAY)
		fl_open_near(p, plan);
	fl_account(skb, p, plan);
	if (plan->outcome == FL_DISCARD)
		return FL_DROP;
	if (plan->outcome == FL_REFUSE || plan->outcome == FL_TOO_BIG)
		return fl_send_refusal(skb, p, plan);
	if (plan->quoting)
		fl_rewrite_quote(skb, p, plan);
	fl_translate(skb, p, &plan->to, plan->ttl ? plan->ttl : p->ttl);
	if (plan->outcome == FL_ECHO)
		fl_answer_echo(skb, p);
	if (plan->outcome != FL_CARRY)
		return fl_return(skb);
	/* It is no reply, and where it leaves this node there is nothing to undo. */
	if (!p->egress)
		skb->tc_index |= FL_TC_INDEX_DONE;
	return FL_NEXT;
}

/* The same in the program that relays: neither direction meets the stack then (8.1). */
static __always_inline int fl_act_or_relay(struct __sk_buff *skb, const struct fl_packet *p,
					   struct fl_plan *plan)
{
	if (plan->outcome == FL_RELAY)
		fl_find_route(skb, p, plan);
	if (plan->outcome == FL_RELAY && plan->fresh)
		fl_open_remote(p, plan);
	if (plan->outcome != FL_RELAY)
		return fl_act(skb, p, plan);
	fl_account(skb, p, plan);
	if (plan->quoting)
		fl_rewrite_quote(skb, p, plan);
	fl_translate(skb, p, &plan->to, p->ttl - 1);
	return fl_send(skb, plan);
}

#endif
