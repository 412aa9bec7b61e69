/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* TCX ingress of uplinks, in the order of datapath.md 8.2. */
#include "act.h"

static __always_inline bool fl_snat_port(const struct fl_packet *p)
{
	__u32 port = bpf_ntohs(p->flow.target_port);

	return port >= fl_options.snat_port_lo && port <= fl_options.snat_port_hi;
}

/* The answer of a remote endpoint, on its way back to the client. */
static __always_inline bool fl_plan_snat_reply(struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_flow *row = fl_snat_port(p) ? fl_reply_row(p, true) : NULL;

	if (!row)
		return false;
	fl_backwards(p, row, plan);
	plan->outcome = FL_RELAY;
	return true;
}

static __noinline int fl_plan_uplink_in(struct fl_packet *p, struct fl_plan *plan)
{
	struct fl_front front;
	__u32 bits;

	if (!fl_has_ports(p))
		return 0;
	/* Ports first, for a reply may come in fragments as well. */
	if (p->fragment && !fl_defragment(p))
		return fl_front_address(p) ? fl_discard(plan, FL_REASON_FRAG) : 0;
	if (fl_plan_snat_reply(p, plan))
		return 0;
	if (!fl_find_front(&p->flow, &front, &bits))
		return fl_miss(p, bits, plan);
	return fl_forward(p, &front, plan);
}

SEC("tc")
int fl_uplink_in(struct __sk_buff *skb)
{
	struct fl_packet p;
	struct fl_plan plan;
	int parsed;

	parsed = fl_begin(skb, &p, &plan, FL_HOOK_UPLINK_IN);
	if (parsed)
		fl_unparsed(&p, &plan, parsed);
	else
		fl_plan_uplink_in(&p, &plan);
	return fl_act_or_relay(skb, &p, &plan);
}
