/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* TCX ingress of uplinks, in the order of datapath.md 8.2. */
#include "act.h"
#include "responder.h"

static __always_inline bool fl_snat_port(const struct fl_packet *p)
{
	__u32 port = bpf_ntohs(p->flow.target_port);

	return port >= fl_options.snat_port_lo && port <= fl_options.snat_port_hi;
}

/* The answer of a remote endpoint, on its way back to the client. */
static __always_inline bool fl_plan_snat_reply(struct fl_packet *p, struct fl_plan *plan)
{
	if (!fl_snat_port(p) || !fl_plan_reply(p, plan, true))
		return false;
	plan->outcome = FL_RELAY;
	return true;
}

/* Echo requests to an announced address end here: no host behind it would answer (cilium#14118). */
static __always_inline int fl_plan_icmp(struct __sk_buff *skb, struct fl_packet *p,
					struct fl_plan *plan)
{
	__u32 bits;

	if (fl_is_icmp_error(p)) {
		if (fl_plan_error(skb, p, plan, true))
			return 0;
		bits = fl_addr_bits(&p->flow.target);
		if (bits & FL_ADDR_VIP && !(bits & FL_ADDR_NODE))
			fl_discard(plan, FL_REASON_ICMP_NO_ROW);
		return 0;
	}
	if (p->icmp_type != (p->family == 4 ? FL_ICMP4_ECHO : FL_ICMP6_ECHO))
		return 0;
	bits = fl_addr_bits(&p->flow.target);
	if (!(bits & FL_ADDR_VIP) || bits & FL_ADDR_NODE)
		return 0;
	return fl_options.vip_echo ? fl_plan_echo(p, plan) : fl_discard(plan, FL_REASON_ECHO);
}

static __noinline int fl_plan_uplink_in(struct __sk_buff *skb, struct fl_packet *p,
					struct fl_plan *plan)
{
	if (!fl_has_ports(p))
		return fl_plan_icmp(skb, p, plan);
	/* Ports first, for a reply may come in fragments as well. */
	if (p->fragment && !fl_defragment(p))
		return fl_front_address(p) ? fl_discard(plan, FL_REASON_FRAG) : 0;
	if (fl_plan_snat_reply(p, plan))
		return 0;
	return fl_plan_front(p, plan);
}

SEC("tc")
int fl_uplink_in(struct __sk_buff *skb)
{
	struct fl_scratch *scratch;
	struct fl_packet *p;
	struct fl_plan *plan;

	/* Before everything else, so that no fault of ours silences an address (l2.md 10.1). */
	if (fl_respond(skb))
		return bpf_redirect(skb->ifindex, 0);
	/*
	 * A switch that has forgotten where a machine is sends its frames everywhere: what is for
	 * another node would be served by that one and by this one too, and two answers reset it.
	 */
	if (skb->pkt_type == FL_PACKET_OTHERHOST)
		return FL_NEXT;
	scratch = fl_begin(skb, FL_HOOK_UPLINK_IN);
	if (!scratch)
		return FL_NEXT;
	p = &scratch->packet;
	plan = &scratch->plan;
	if (p->parsed)
		fl_unparsed(p, plan);
	else
		fl_plan_uplink_in(skb, p, plan);
	return fl_act_or_relay(skb, p, plan);
}
