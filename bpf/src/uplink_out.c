/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* TCX egress of uplinks: replies of local endpoints, and drops of what nobody translated. */
#include "fence.h"
#include "restore.h"

static __always_inline bool fl_in_service_range(const struct fl_ip *ip)
{
	struct fl_net_key key = { .prefixlen = 128, .addr = *ip };
	struct fl_net *net = bpf_map_lookup_elem(&fl_net, &key);

	return net && net->bits & FL_NET_SERVICE;
}

/*
 * Socket hooks let a call go on whose verdict is drop, so that the client sees a timeout: here the
 * packet ends. The same for pods without hooks. A packet with a good verdict is left alone.
 */
static __noinline int fl_enforce(const struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_query query = { .flow = &p->flow, .client = &p->flow.source, .judge_only = 1 };
	struct fl_choice choice = {};
	struct fl_front front;
	__u32 bits;
	int verdict;

	/* Most of what leaves goes nowhere near a Service: one look says so. */
	bits = fl_addr_bits(&p->flow.target);
	if (bits & FL_ADDR_FOREIGN)
		return 0;
	if (!bits)
		return fl_in_service_range(&p->flow.target) ?
			       fl_discard(plan, FL_REASON_UNALLOCATED) : 0;
	if (!fl_find_front(&p->flow, &front, &bits))
		return bits & FL_ADDR_CLUSTER_IP ? fl_discard(plan, FL_REASON_UNKNOWN_PORT) : 0;
	plan->svc_id = front.svc_id;
	query.source = fl_source_of(p);
	verdict = fl_decide(&query, &front, &choice);
	if (verdict == FL_VERDICT_DROP || verdict == FL_VERDICT_REJECT)
		fl_discard(plan, choice.reason);
	return 0;
}

SEC("tc")
int fl_uplink_out(struct __sk_buff *skb)
{
	struct fl_scratch *scratch;
	struct fl_packet *p;
	struct fl_plan *plan;

	if (skb->tc_index & FL_TC_INDEX_DONE)
		return FL_NEXT;
	scratch = fl_begin(skb, FL_HOOK_UPLINK_OUT);
	if (!scratch)
		return FL_NEXT;
	p = &scratch->packet;
	plan = &scratch->plan;
	if (skb->mark == FL_L2_MARK && fl_fenced(skb, p))
		fl_discard(plan, FL_REASON_L2_FENCE);
	else if (!p->parsed)
		fl_plan_restored(skb, p, plan);
	if (!p->parsed && plan->outcome == FL_PASS && fl_has_ports(p) &&
	    p->fragment != FL_FRAGMENT_LATER)
		fl_enforce(p, plan);
	return fl_act(skb, p, plan);
}
