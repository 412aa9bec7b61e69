/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Routes of packets that a program sends on by itself. */
#ifndef FL_ROUTE_H
#define FL_ROUTE_H

#include "events.h"

/*
 * The route to plan->to.target, or a drop. A missing neighbour is no failure, because
 * bpf_redirect_neigh asks for it. Never without a TTL to spend.
 */
static __noinline int fl_find_route(struct __sk_buff *skb, const struct fl_packet *p,
				    struct fl_plan *plan)
{
	struct bpf_fib_lookup fib = { .ifindex = skb->ifindex, .l4_protocol = p->flow.proto };
	long ret;

	if (p->ttl <= 1)
		return fl_discard(plan, FL_REASON_TTL);
	/* Segments of a GSO packet are cut later; its own size says nothing. */
	fib.tot_len = skb->gso_size || !fl_options.has_check_mtu ? 0 : p->total;
	if (p->family == 4) {
		fib.family = FL_AF_INET;
		fib.ipv4_src = p->flow.source.word[3];
		fib.ipv4_dst = plan->to.target.word[3];
	} else {
		fib.family = FL_AF_INET6;
		__builtin_memcpy(fib.ipv6_src, &p->flow.source, 16);
		__builtin_memcpy(fib.ipv6_dst, &plan->to.target, 16);
	}
	ret = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	if (ret == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		fl_discard(plan, FL_REASON_TOO_BIG);
		plan->outcome = FL_TOO_BIG;
		plan->mtu = fib.mtu_result;
		return 0;
	}
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return fl_discard(plan, FL_REASON_FIB);
	plan->ifindex = fib.ifindex;
	plan->next_family = fib.family;
	__builtin_memcpy(&plan->next_hop, fib.ipv6_dst, 16);
	return 0;
}

/* The next hop of the lookup is handed on, so that no second lookup is made. */
static __noinline int fl_send(struct __sk_buff *skb, const struct fl_plan *plan)
{
	struct bpf_redir_neigh next = { .nh_family = plan->next_family };

	__builtin_memcpy(next.ipv6_nh, &plan->next_hop, 16);
	skb->tc_index |= FL_TC_INDEX_DONE;
	return bpf_redirect_neigh(plan->ifindex, &next, sizeof(next), 0);
}

#endif
