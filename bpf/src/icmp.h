/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* ICMP errors about translated flows, and the echo of an announced address (datapath.md 8.6). */
#ifndef FL_ICMP_H
#define FL_ICMP_H

#include "forward.h"

static __always_inline bool fl_is_icmp_error(const struct fl_packet *p)
{
	if (p->family == 4)
		return p->icmp_type == FL_ICMP4_UNREACHABLE ||
		       p->icmp_type == FL_ICMP4_EXPIRED || p->icmp_type == FL_ICMP4_PARAMETER;
	return p->icmp_type >= FL_ICMP6_UNREACHABLE && p->icmp_type <= FL_ICMP6_PARAMETER;
}

/*
 * Reads the quoted tuple, turned round: what would be the answer to the quoted packet is the key of
 * its row. False where the quote is cut, a later fragment, or of another family's making.
 */
static __noinline bool fl_read_quote(struct __sk_buff *skb, const struct fl_packet *p,
				     struct fl_flow_key *answer, struct fl_quote *quote)
{
	__be16 ports[4];

	quote->l3 = p->l4 + 8;
	if (p->family == 4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, quote->l3, &ip, sizeof(ip)) || ip.ihl < 5 ||
		    ip.frag_off & bpf_htons(0x1fff))
			return false;
		fl_mapped_ip(&answer->source, ip.daddr);
		fl_mapped_ip(&answer->target, ip.saddr);
		answer->proto = ip.protocol;
		quote->l4 = quote->l3 + ip.ihl * 4;
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, quote->l3, &ip, sizeof(ip)))
			return false;
		__builtin_memcpy(&answer->source, &ip.daddr, 16);
		__builtin_memcpy(&answer->target, &ip.saddr, 16);
		answer->proto = ip.nexthdr;
		quote->l4 = quote->l3 + sizeof(ip);
	}
	if (answer->proto != IPPROTO_TCP && answer->proto != IPPROTO_UDP &&
	    answer->proto != IPPROTO_SCTP)
		return false;
	if (bpf_skb_load_bytes(skb, quote->l4, ports, sizeof(ports)))
		return false;
	answer->source_port = ports[1];
	answer->target_port = ports[0];
	return true;
}

/* The quoted packet as its sender knows it, and the error as if it came from there too. */
static __always_inline bool fl_plan_quote(const struct fl_packet *p, const struct fl_flow *row,
					  const struct fl_flow_key *answer, struct fl_plan *plan)
{
	bool nat = row->state & FL_FLOW_NAT;
	struct fl_flow_key *inner = &plan->quote.to;

	plan->quoting = 1;
	plan->to = p->flow;
	*inner = *answer;
	inner->kind = 0;
	/* Both kinds of row name the quoted packet's true ends: peer its source or target. */
	if (answer->kind == FL_FLOW_REPLY) {
		inner->source = row->nat;
		inner->source_port = row->nat_port;
		inner->target = row->peer;
		inner->target_port = row->peer_port;
	} else {
		inner->source = row->peer;
		inner->source_port = row->peer_port;
		inner->target = nat ? row->nat : answer->source;
		inner->target_port = nat ? row->nat_port : answer->source_port;
	}
	/* The error goes to the quoted packet's sender, and may come from its receiver. */
	plan->to.target = inner->source;
	if (fl_same_ip(&p->flow.source, &answer->source))
		plan->to.source = inner->target;
	plan->outcome = row->state & FL_FLOW_SNAT ? FL_RELAY : FL_CARRY;
	return true;
}

/*
 * Finds the row that an error is about: a translated request (reply rows), and where clients are, a
 * reply of ours (forward rows).
 */
static __noinline bool fl_plan_error(struct __sk_buff *skb, const struct fl_packet *p,
				     struct fl_plan *plan, bool snat)
{
	struct fl_flow_key answer = { .kind = FL_FLOW_REPLY };
	struct fl_flow *row;

	if (!fl_read_quote(skb, p, &answer, &plan->quote))
		return false;
	row = snat ? bpf_map_lookup_elem(&fl_snat, &answer)
		   : bpf_map_lookup_elem(&fl_ct, &answer);
	if (row)
		return fl_plan_quote(p, row, &answer, plan);
	if (p->egress)
		return false;
	answer.kind = FL_FLOW_FORWARD;
	row = bpf_map_lookup_elem(&fl_ct, &answer);
	return row ? fl_plan_quote(p, row, &answer, plan) : false;
}

struct fl_quote_bytes {
	struct fl_ip source;
	struct fl_ip target;
	__be16 ports[4];	/* the third and fourth: length and checksum of UDP */
};

static __always_inline int fl_load_quote(struct __sk_buff *skb, const struct fl_packet *p,
					 const struct fl_quote *quote, struct fl_quote_bytes *was)
{
	if (p->family == 4) {
		__be32 pair[2];

		if (bpf_skb_load_bytes(skb, quote->l3 + 12, pair, sizeof(pair)))
			return -1;
		fl_mapped_ip(&was->source, pair[0]);
		fl_mapped_ip(&was->target, pair[1]);
	} else if (bpf_skb_load_bytes(skb, quote->l3 + 8, &was->source, 32)) {
		return -1;
	}
	return bpf_skb_load_bytes(skb, quote->l4, was->ports, sizeof(was->ports));
}

/* Stores the quoted addresses; returns what that adds to the sum of the message. */
static __always_inline __u64 fl_store_quote(struct __sk_buff *skb, const struct fl_packet *p,
					    const struct fl_quote *quote, __u64 addresses)
{
	if (p->family == 4) {
		__be32 pair[2] = { quote->to.source.word[3], quote->to.target.word[3] };

		/* The inner header keeps its own sum, so the message's does not change. */
		bpf_l3_csum_replace(skb, quote->l3 + 10, 0, fl_fold32(addresses), 0);
		bpf_skb_store_bytes(skb, quote->l3 + 12, pair, sizeof(pair), 0);
		return 0;
	}
	bpf_skb_store_bytes(skb, quote->l3 + 8, &quote->to.source, 32, 0);
	return addresses;
}

/* Rewrites the quoted packet; the error's own addresses are those of fl_translate. */
static __noinline int fl_rewrite_quote(struct __sk_buff *skb, const struct fl_packet *p,
				       const struct fl_plan *plan)
{
	const struct fl_quote *quote = &plan->quote;
	__be16 ports[2] = { quote->to.source_port, quote->to.target_port };
	__u64 addresses, differing, message;
	struct fl_quote_bytes was;

	if (fl_load_quote(skb, p, quote, &was))
		return -1;
	addresses = fl_ip_difference(&was.source, &quote->to.source) +
		    fl_ip_difference(&was.target, &quote->to.target);
	differing = (__u64)(__u16)~was.ports[0] + ports[0] + (__u16)~was.ports[1] + ports[1];
	message = fl_store_quote(skb, p, quote, addresses) + differing;
	bpf_skb_store_bytes(skb, quote->l4, ports, sizeof(ports), 0);
	if (quote->to.proto == IPPROTO_UDP && was.ports[3]) {
		__u16 csum = fl_csum_add(was.ports[3], addresses + differing);

		/* A computed 0 is sent as all ones (RFC 768). */
		csum = csum ? csum : 0xffff;
		bpf_skb_store_bytes(skb, quote->l4 + 6, &csum, sizeof(csum), 0);
		message += (__u64)(__u16)~was.ports[3] + csum;
	}
	return bpf_l4_csum_replace(skb, p->l4 + 2, 0, fl_fold32(message), 0);
}

/* Echo keeps identifier, sequence and data; the type alone changes the checksum. */
static __noinline int fl_plan_echo(const struct fl_packet *p, struct fl_plan *plan)
{
	plan->to = p->flow;
	plan->to.source = p->flow.target;
	plan->to.target = p->flow.source;
	plan->ttl = 64;
	plan->outcome = FL_ECHO;
	return 0;
}

static __noinline int fl_answer_echo(struct __sk_buff *skb, const struct fl_packet *p)
{
	__u8 type = p->family == 4 ? FL_ICMP4_ECHO_REPLY : FL_ICMP6_ECHO_REPLY;
	__u64 differing = (__u64)(__u16)~(__u16)p->icmp_type + type;

	bpf_skb_store_bytes(skb, p->l4, &type, sizeof(type), 0);
	return bpf_l4_csum_replace(skb, p->l4 + 2, 0, fl_fold32(differing), 0);
}

#endif
