/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Answers of our own: resets and ICMP errors in place of the packet that earned them (8.5). */
#ifndef FL_REFUSAL_H
#define FL_REFUSAL_H

#include "nat.h"

/* RFC 4443 section 2.4 (c): an error fits the least MTU of IPv6. */
#define FL_QUOTE6_MAX (1280 - 40 - 8)
#define FL_CHUNK 64
#define FL_CHUNKS_MAX ((FL_QUOTE6_MAX + FL_CHUNK - 1) / FL_CHUNK)

/* IP header of either family and the first bytes of what follows; `ip` is written from its end. */
struct fl_answer {
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
	__be32 rest[5];		/* TCP, or the 8 bytes of ICMP */
};

static __always_inline __u64 fl_sum_words(const __u32 *words, int n)
{
	__u64 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < n; i++)
		sum += words[i];
	return sum;
}

/* Sum of the pseudo-header of an answer from target to source (RFC 9293 3.1, RFC 8200 8.1). */
static __always_inline __u64 fl_pseudo_sum(const struct fl_packet *p, __u8 proto, __u32 len)
{
	__u64 sum = (__u64)bpf_htonl(len) + bpf_htonl(proto);

	if (p->family == 4)
		return sum + p->flow.source.word[3] + p->flow.target.word[3];
	return sum + fl_sum_words((const __u32 *)&p->flow.source, 8);
}

static __always_inline int fl_swap_macs(struct __sk_buff *skb)
{
	__u8 macs[12], swapped[12];

	if (!fl_options.ethernet)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return -1;
	__builtin_memcpy(swapped, macs + 6, 6);
	__builtin_memcpy(swapped + 6, macs, 6);
	return bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0);
}

/* Sends the packet back out of the device that it came in by. */
static __always_inline int fl_return(struct __sk_buff *skb)
{
	if (fl_swap_macs(skb))
		return FL_DROP;
	skb->tc_index |= FL_TC_INDEX_DONE;
	return bpf_redirect(skb->ifindex, 0);
}

/* IP header of an answer from the packet's target to its source; `len` is what follows it. */
static __noinline int fl_answer_header(const struct fl_packet *p, struct fl_answer *answer,
				       __u8 proto, __u32 len)
{
	if (p->family == 4) {
		struct iphdr ip = {
			.version = 4,
			.ihl = 5,
			.tot_len = bpf_htons(20 + len),
			.frag_off = bpf_htons(0x4000),
			.ttl = 64,
			.protocol = proto,
			.saddr = p->flow.target.word[3],
			.daddr = p->flow.source.word[3],
		};

		ip.check = fl_fold16(fl_sum_words((const __u32 *)&ip, 5));
		answer->ip4 = ip;
		return 0;
	}
	answer->ip6 = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(len),
		.nexthdr = proto,
		.hop_limit = 64,
	};
	__builtin_memcpy(&answer->ip6.saddr, &p->flow.target, 16);
	__builtin_memcpy(&answer->ip6.daddr, &p->flow.source, 16);
	return 0;
}

static __always_inline int fl_store_answer(struct __sk_buff *skb, const struct fl_packet *p,
					   const struct fl_answer *answer, __u32 rest)
{
	__u32 ip = p->family == 4 ? 20 : 40;

	/* Constant sizes: the verifier wants bounds, the engine likes them too. */
	if (p->family == 4)
		bpf_skb_store_bytes(skb, p->l3, &answer->ip4, 20, BPF_F_RECOMPUTE_CSUM);
	else
		bpf_skb_store_bytes(skb, p->l3, &answer->ip6, 40, BPF_F_RECOMPUTE_CSUM);
	return bpf_skb_store_bytes(skb, p->l3 + ip, answer->rest, rest, BPF_F_RECOMPUTE_CSUM);
}

struct fl_tcp_head {
	__be16 ports[2];
	__be32 seq;
	__be32 ack;
	__u8 offset;		/* words of the header in the upper half */
	__u8 flags;
	__be16 window;
};

/* RFC 9293 section 3.10.7.1: a segment with ACK is answered from its own number, else by one. */
static __noinline int fl_send_rst(struct __sk_buff *skb, const struct fl_packet *p)
{
	__u32 ip = p->family == 4 ? 20 : 40;
	struct fl_answer answer = {};
	struct fl_tcp_head tcp;
	__be16 ports[2];
	__u32 len, flags;
	__u64 sum;

	if (bpf_skb_load_bytes(skb, p->l4, &tcp, sizeof(tcp)))
		return FL_DROP;
	len = p->l3 + p->total - p->l4 - (tcp.offset >> 4) * 4;
	len += !!(tcp.flags & FL_TCP_SYN) + (tcp.flags & FL_TCP_FIN);
	ports[0] = tcp.ports[1];
	ports[1] = tcp.ports[0];
	__builtin_memcpy(answer.rest, ports, sizeof(ports));
	if (tcp.flags & FL_TCP_ACK) {
		answer.rest[1] = tcp.ack;
		flags = FL_TCP_RST;
	} else {
		answer.rest[2] = bpf_htonl(bpf_ntohl(tcp.seq) + len);
		flags = FL_TCP_RST | FL_TCP_ACK;
	}
	answer.rest[3] = bpf_htonl(5u << 28 | flags << 16);
	sum = fl_pseudo_sum(p, IPPROTO_TCP, 20) + fl_sum_words(answer.rest, 5);
	answer.rest[4] = fl_fold16(sum);
	fl_answer_header(p, &answer, IPPROTO_TCP, 20);
	if (bpf_skb_change_tail(skb, p->l3 + ip + 20, 0))
		return FL_DROP;
	fl_store_answer(skb, p, &answer, 20);
	return fl_return(skb);
}

/*
 * Moves one chunk of the quoted packet to behind the new headers; returns its sum. How much is left
 * is asked of the context each time: a length in a register would make the verifier walk every turn
 * of the loop with every bound that the turns before it gave (80,000 instructions on Linux 6.18).
 */
static __noinline __u32 fl_move_chunk(struct __sk_buff *skb, __u32 at, __u32 by)
{
	__u32 words[FL_CHUNK / 4] = {};
	__u32 len = skb->len - at - by;

	if ((int)len < 1)
		return 0;
	if (len > FL_CHUNK)
		len = FL_CHUNK;
	if (bpf_skb_load_bytes(skb, at, words, len))
		return 0;
	bpf_skb_store_bytes(skb, at + by, words, len, BPF_F_RECOMPUTE_CSUM);
	return fl_fold32(fl_sum_words(words, FL_CHUNK / 4));
}

/*
 * Makes the packet an ICMP error that quotes it: all that fits in IPv6, header and 8 bytes in IPv4
 * (RFC 792). The quote moves from its end, because both places overlap. `head` is type and code,
 * `mtu` the second word.
 */
static __noinline int fl_send_icmp(struct __sk_buff *skb, const struct fl_packet *p, __u32 head,
				   __u32 mtu)
{
	__u32 quote = p->family == 4 ? p->l4 - p->l3 + 8u : p->total;
	__u8 proto = p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	__u32 by = p->family == 4 ? 28 : 48;
	struct fl_answer answer = {};
	__u64 sum = 0;
	int i;

	if (quote > FL_QUOTE6_MAX)
		quote = FL_QUOTE6_MAX;
	if (quote > p->total)
		quote = p->total;
	if (bpf_skb_change_tail(skb, p->l3 + by + quote, 0))
		return FL_DROP;
	for (i = FL_CHUNKS_MAX - 1; i >= 0; i--)
		sum += fl_move_chunk(skb, p->l3 + i * FL_CHUNK, by);
	if (p->family == 6)
		sum += fl_pseudo_sum(p, proto, quote + 8);
	answer.rest[0] = bpf_htonl(head << 16);
	answer.rest[1] = bpf_htonl(mtu);
	sum += (__u64)answer.rest[0] + answer.rest[1];
	answer.rest[0] |= (__u32)fl_fold16(sum) << 16;
	fl_answer_header(p, &answer, proto, quote + 8);
	fl_store_answer(skb, p, &answer, 8);
	return fl_return(skb);
}

/* One token bucket a CPU; without it a flood would be answered packet by packet. */
static __noinline bool fl_may_refuse(void)
{
	struct fl_cfg *cfg = fl_config();
	struct fl_rate *rate;
	__u64 now, full, gained;
	__u32 zero = 0;

	rate = bpf_map_lookup_elem(&fl_rate, &zero);
	if (!rate || !cfg)
		return false;
	now = fl_now_ns();
	full = cfg->refusal_burst * FL_SECOND_NS;
	gained = now - rate->last_ns;
	/* A minute fills any sensible bucket; the bound keeps the product in 64 bits. */
	if (gained > 60 * FL_SECOND_NS)
		rate->credit = full;
	else
		rate->credit += gained * cfg->refusal_rate;
	if (rate->credit > full)
		rate->credit = full;
	rate->last_ns = now;
	if (rate->credit < FL_SECOND_NS)
		return false;
	rate->credit -= FL_SECOND_NS;
	return true;
}

/* Whether a refusal is sent: not at egress, not to a reset, and not more than the bucket holds. */
static __always_inline void fl_limit(const struct fl_packet *p, struct fl_plan *plan)
{
	if (p->egress || (p->flow.proto == IPPROTO_TCP && plan->outcome == FL_REFUSE &&
			  p->tcp_flags & FL_TCP_RST)) {
		plan->outcome = FL_DISCARD;
		return;
	}
	if (!fl_may_refuse())
		fl_discard(plan, FL_REASON_RATE);
}

/* A reset, or an ICMP error: port unreachable, or too big with the MTU of the egress device. */
static __always_inline int fl_send_refusal(struct __sk_buff *skb, const struct fl_packet *p,
					   const struct fl_plan *plan)
{
	bool too_big = plan->outcome == FL_TOO_BIG;
	__u32 head;

	if (p->flow.proto == IPPROTO_TCP && !too_big)
		return fl_send_rst(skb, p);
	if (p->family == 4)
		head = FL_ICMP4_UNREACHABLE << 8 | (too_big ? FL_ICMP4_TOO_BIG : FL_ICMP4_PORT);
	else
		head = too_big ? FL_ICMP6_TOO_BIG << 8
			       : FL_ICMP6_UNREACHABLE << 8 | FL_ICMP6_PORT;
	return fl_send_icmp(skb, p, head, too_big ? plan->mtu : 0);
}

#endif
