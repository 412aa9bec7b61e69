/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* TCX ingress of the host end of a pod's interface: what the pod sends. */
#include "act.h"

/* A pod's answer to itself goes back the way that its request came: never half (8.1). */
static __always_inline bool fl_plan_hairpin_reply(struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_ip hairpin;

	fl_hairpin_ip(&hairpin, p->family);
	if (!fl_same_ip(&p->flow.target, &hairpin) || !fl_plan_reply(p, plan, false))
		return false;
	plan->outcome = FL_BOUNCE;
	return true;
}

static __noinline int fl_plan_from_pod(struct __sk_buff *skb, struct fl_packet *p,
				       struct fl_plan *plan)
{
	if (!fl_has_ports(p)) {
		if (fl_is_icmp_error(p))
			fl_plan_error(skb, p, plan, false);
		return 0;
	}
	if (p->fragment && !fl_defragment(p))
		return fl_front_address(p) ? fl_discard(plan, FL_REASON_FRAG) : 0;
	if (fl_plan_hairpin_reply(p, plan))
		return 0;
	return fl_plan_front(p, plan);
}

SEC("tc")
int fl_from_pod(struct __sk_buff *skb)
{
	struct fl_scratch *scratch;
	struct fl_packet *p;
	struct fl_plan *plan;

	scratch = fl_begin(skb, FL_HOOK_FROM_POD);
	if (!scratch)
		return FL_NEXT;
	p = &scratch->packet;
	plan = &scratch->plan;
	if (p->parsed)
		fl_unparsed(p, plan);
	else
		fl_plan_from_pod(skb, p, plan);
	return fl_act(skb, p, plan);
}
