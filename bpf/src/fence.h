/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Egress fence of announcements: the agent may be paused between its check and its send. */
#ifndef FL_FENCE_H
#define FL_FENCE_H

#include "neighbour.h"
#include "parse.h"

/* True for a marked ARP frame or advertisement of an address that this node does not hold. */
static __noinline bool fl_fenced(struct __sk_buff *skb, const struct fl_packet *p)
{
	struct fl_ip addr;
	struct fl_arp arp;
	__u8 type;

	if (p->parsed == FL_PARSED_NOT_IP) {
		if (bpf_skb_load_bytes(skb, 0, &arp, sizeof(arp)) || !fl_is_arp(&arp))
			return false;
		fl_mapped_ip(&addr, fl_ip_at(arp.sender_ip));
		return !fl_held(skb->ifindex, &addr);
	}
	if (p->family != 6 || p->flow.proto != IPPROTO_ICMPV6 ||
	    bpf_skb_load_bytes(skb, p->l4, &type, 1) || type != FL_ND_ADVERTISEMENT ||
	    bpf_skb_load_bytes(skb, p->l4 + 8, &addr, sizeof(addr)))
		return false;
	return !fl_held(skb->ifindex, &addr);
}

#endif
