/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The one place where packet bytes become facts, and where each bound is checked. */
#ifndef FL_PARSE_H
#define FL_PARSE_H

#include "packet.h"

enum fl_parsed {
	FL_PARSED,
	FL_PARSED_NOT_IP,
	FL_PARSED_MALFORMED,	/* the target may be known: `flow` is zero where it is not */
	FL_PARSED_EXT_HDR,
};

#define FL_VLAN_TAGS_MAX 2
#define FL_EXT_HDRS_MAX 6

/* Offsets at which whatever a driver calls linear nearly always has the headers. */
#define FL_NEAR 256

/* Reads words of the packet: at once where they are linear, by a helper where not. */
static __always_inline int fl_load(struct __sk_buff *skb, __u32 at, __u32 *to, const __u32 words)
{
	const __u32 *from;
	__u64 near = at;

	if (at > FL_NEAR)
		return bpf_skb_load_bytes(skb, at, to, words * 4);
	/*
	 * Says again what the comparison said, of the register that is added: the compiler compares
	 * one copy and adds another ("R5 offset is outside of the packet", Linux 6.18).
	 */
	asm volatile("%[near] &= 0x1ff" : [near] "+r"(near));
	from = (void *)(long)skb->data + near;
	if ((void *)(from + words) > (void *)(long)skb->data_end)
		return bpf_skb_load_bytes(skb, at, to, words * 4);
	__builtin_memcpy(to, from, words * 4);
	return 0;
}

static __always_inline __be16 fl_ether_type(struct __sk_buff *skb, struct fl_packet *p)
{
	__be16 type;
	__u32 word;
	int i;

	p->l3 = 0;
	if (!fl_options.ethernet)
		return (__be16)skb->protocol;
	if (fl_load(skb, 12, &word, 1))
		return 0;
	/* The type in network order, which is how the first half of the word lies in memory. */
	type = (__be16)word;
	p->l3 = ETH_HLEN;
#pragma unroll
	for (i = 0; i < FL_VLAN_TAGS_MAX; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			return type;
		if (bpf_skb_load_bytes(skb, p->l3 + 2, &type, sizeof(type)))
			return 0;
		p->l3 += 4;
	}
	return type;
}

static __noinline int fl_parse_l4(struct __sk_buff *skb, struct fl_packet *p, __u32 end)
{
	__u8 head[16] __attribute__((aligned(8)));

	p->icmp_type = 0xff;
	if (p->fragment == FL_FRAGMENT_LATER)
		return FL_PARSED;
	switch (p->flow.proto) {
	case IPPROTO_TCP:
		if (p->l4 + 20 > end || fl_load(skb, p->l4, (__u32 *)head, 4))
			return FL_PARSED_MALFORMED;
		p->tcp_flags = head[13];
		break;
	case IPPROTO_UDP:
		if (p->l4 + 8 > end || fl_load(skb, p->l4, (__u32 *)head, 2))
			return FL_PARSED_MALFORMED;
		break;
	case IPPROTO_SCTP:
		if (p->l4 + 12 > end || bpf_skb_load_bytes(skb, p->l4, head, 12))
			return FL_PARSED_MALFORMED;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (p->l4 + 8 > end || bpf_skb_load_bytes(skb, p->l4, head, 8))
			return FL_PARSED_MALFORMED;
		/* Each family has its own; the other's is a payload like any. */
		if ((p->flow.proto == IPPROTO_ICMP) == (p->family == 4))
			p->icmp_type = head[0];
		return FL_PARSED;
	default:
		return FL_PARSED;
	}
	p->flow.source_port = *(__be16 *)head;
	p->flow.target_port = *(__be16 *)(head + 2);
	return FL_PARSED;
}

static __always_inline int fl_parse4(struct __sk_buff *skb, struct fl_packet *p)
{
	struct iphdr ip;
	__u16 fragment;
	__u32 end;

	if (fl_load(skb, p->l3, (__u32 *)&ip, sizeof(ip) / 4))
		return FL_PARSED_MALFORMED;
	p->family = 4;
	fl_mapped_ip(&p->flow.source, ip.saddr);
	fl_mapped_ip(&p->flow.target, ip.daddr);
	p->flow.proto = ip.protocol;
	p->ttl = ip.ttl;
	p->check = ip.check;
	p->total = bpf_ntohs(ip.tot_len);
	p->l4 = p->l3 + ip.ihl * 4;
	/* BIG TCP (Linux 6.3, for IPv6 5.19) writes 0 where 16 bits do not suffice. */
	end = !p->total && skb->gso_size ? skb->len : p->l3 + p->total;
	if (ip.version != 4 || ip.ihl < 5 || p->l4 > end || end > skb->len)
		return FL_PARSED_MALFORMED;
	fragment = bpf_ntohs(ip.frag_off);
	p->frag_id = bpf_htonl(bpf_ntohs(ip.id));
	if (fragment & 0x1fff)
		p->fragment = FL_FRAGMENT_LATER;
	else if (fragment & 0x2000)
		p->fragment = FL_FRAGMENT_FIRST;
	return fl_parse_l4(skb, p, end);
}

static __always_inline bool fl_is_extension(__u8 header)
{
	return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING ||
	       header == IPPROTO_FRAGMENT || header == IPPROTO_DSTOPTS || header == IPPROTO_AH;
}

enum fl_extension {
	FL_EXTENSION_NONE,	/* what follows is no extension header */
	FL_EXTENSION_SKIPPED,
	FL_EXTENSION_CUT,
};

/*
 * Steps over one extension header. Sizes: RFC 8200 section 4; of the authentication header RFC 4302
 * section 2.2. Not inlined: the verifier of Linux 6.18 then forgets what registers had in common
 * between iterations, and prunes (870,000 instructions before).
 */
static __noinline int fl_skip_extension(struct __sk_buff *skb, struct fl_packet *p, __u32 end)
{
	__u8 head[8] __attribute__((aligned(8)));
	__u8 type = p->flow.proto;
	__u16 field;

	if (!fl_is_extension(type) || p->fragment == FL_FRAGMENT_LATER)
		return FL_EXTENSION_NONE;
	if (p->l4 + 8u > end || bpf_skb_load_bytes(skb, p->l4, head, sizeof(head)))
		return FL_EXTENSION_CUT;
	p->flow.proto = head[0];
	if (type == IPPROTO_AH) {
		p->l4 += (head[1] + 2) * 4;
		return FL_EXTENSION_SKIPPED;
	}
	if (type != IPPROTO_FRAGMENT) {
		p->l4 += (head[1] + 1) * 8;
		return FL_EXTENSION_SKIPPED;
	}
	field = bpf_ntohs(*(__be16 *)(head + 2));
	p->frag_id = *(__be32 *)(head + 4);
	p->l4 += 8;
	/* Offset 0 and no more: an atomic fragment (RFC 6946), whole by itself. */
	if (field & 0xfff8)
		p->fragment = FL_FRAGMENT_LATER;
	else if (field & 1)
		p->fragment = FL_FRAGMENT_FIRST;
	return FL_EXTENSION_SKIPPED;
}

static __always_inline int fl_skip_extensions(struct __sk_buff *skb, struct fl_packet *p,
					      __u32 end)
{
	int i;

	/* The last turn only asks whether the chain has ended. */
	for (i = 0; i < FL_EXT_HDRS_MAX + 1; i++) {
		int skipped = fl_skip_extension(skb, p, end);

		if (skipped == FL_EXTENSION_CUT)
			return FL_PARSED_MALFORMED;
		if (skipped == FL_EXTENSION_NONE)
			return FL_PARSED;
	}
	return FL_PARSED_EXT_HDR;
}

static __always_inline int fl_parse6(struct __sk_buff *skb, struct fl_packet *p)
{
	struct ipv6hdr ip;
	__u32 end;
	int ret;

	if (fl_load(skb, p->l3, (__u32 *)&ip, sizeof(ip) / 4))
		return FL_PARSED_MALFORMED;
	p->family = 6;
	__builtin_memcpy(&p->flow.source, &ip.saddr, 16);
	__builtin_memcpy(&p->flow.target, &ip.daddr, 16);
	p->flow.proto = ip.nexthdr;
	p->ttl = ip.hop_limit;
	p->total = bpf_ntohs(ip.payload_len) + sizeof(ip);
	p->l4 = p->l3 + sizeof(ip);
	end = p->l4 + bpf_ntohs(ip.payload_len);
	if (!ip.payload_len && skb->gso_size)
		end = skb->len;
	if (ip.version != 6 || end > skb->len)
		return FL_PARSED_MALFORMED;
	ret = fl_skip_extensions(skb, p, end);
	return ret ? ret : fl_parse_l4(skb, p, end);
}

static __noinline int fl_parse(struct __sk_buff *skb, struct fl_packet *p)
{
	__be16 type = fl_ether_type(skb, p);

	if (type == bpf_htons(ETH_P_IP))
		return fl_parse4(skb, p);
	if (type == bpf_htons(ETH_P_IPV6))
		return fl_parse6(skb, p);
	return FL_PARSED_NOT_IP;
}

#endif
