/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Answers ARP requests and Neighbor Solicitations for held addresses (l2.md 10.2 and 10.3). */
#ifndef FL_RESPONDER_H
#define FL_RESPONDER_H

#include "neighbour.h"
#include "parse.h"

#define FL_PACKET_OTHERHOST 3
#define FL_ARP_BYTES 42
#define FL_ARP_BYTES_MAX 60
#define FL_NA_BYTES 86
#define FL_ND_OPTIONS_MAX 4
/* Chunks of a solicitation that are summed: a full frame. */
#define FL_ND_CHUNKS_MAX 24

static __noinline int fl_count_answer(__u32 ifindex, const struct fl_ip *addr)
{
	struct fl_l2_key key = { .ifindex = ifindex, .addr = *addr };
	struct fl_l2_stats *stats = bpf_map_lookup_elem(&fl_l2_stats, &key);
	struct fl_l2_stats first = { .answers = 1 };

	if (!stats)
		return bpf_map_update_elem(&fl_l2_stats, &key, &first, BPF_ANY);
	stats->answers++;
	return 0;
}

static __always_inline bool fl_asks(const struct fl_arp *arp, const struct fl_l2 *held)
{
	if (!fl_is_mac_of(arp->eth_target, 0xff) && !fl_same_mac(arp->eth_target, held->mac))
		return false;
	if (fl_is_mac_of(arp->sender, 0) || arp->sender[0] & 1)
		return false;
	return !fl_same_mac(arp->sender, held->mac);
}

static __noinline bool fl_answer_arp(struct __sk_buff *skb)
{
	__u8 zeros[FL_ARP_BYTES_MAX - FL_ARP_BYTES] = {};
	const struct fl_l2 *held;
	struct fl_arp arp, reply;
	struct fl_ip addr;
	__u32 padding;

	if (bpf_skb_load_bytes(skb, 0, &arp, sizeof(arp)) || !fl_is_arp(&arp) ||
	    arp.opcode != bpf_htons(1))
		return false;
	/* Announcements are for the agent. */
	if (fl_ip_at(arp.sender_ip) == fl_ip_at(arp.target_ip))
		return false;
	fl_mapped_ip(&addr, fl_ip_at(arp.target_ip));
	held = fl_held(skb->ifindex, &addr);
	if (!held || !fl_asks(&arp, held))
		return false;
	reply = arp;
	__builtin_memcpy(reply.eth_target, arp.sender, 6);
	__builtin_memcpy(reply.eth_source, held->mac, 6);
	reply.opcode = bpf_htons(2);
	__builtin_memcpy(reply.sender, held->mac, 6);
	__builtin_memcpy(reply.sender_ip, arp.target_ip, 4);
	__builtin_memcpy(reply.target, arp.sender, 6);
	__builtin_memcpy(reply.target_ip, arp.sender_ip, 4);
	if (skb->len > FL_ARP_BYTES_MAX && bpf_skb_change_tail(skb, FL_ARP_BYTES_MAX, 0))
		return false;
	padding = skb->len - FL_ARP_BYTES;
	if (padding >= 1 && padding <= sizeof(zeros))
		bpf_skb_store_bytes(skb, FL_ARP_BYTES, zeros, padding, 0);
	bpf_skb_store_bytes(skb, 0, &reply, sizeof(reply), 0);
	fl_count_answer(skb->ifindex, &addr);
	return true;
}

/* A solicitation up to its options; the frame is 78 bytes and their size. */
struct fl_solicitation {
	__u8 eth_target[6];
	__u8 eth_source[6];
	__be16 eth_type;
	struct ipv6hdr ip;
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 reserved;
	struct fl_ip target;
} __attribute__((packed, aligned(2)));

/* RFC 4861 section 4.4, with the Target Link-Layer Address option. */
struct fl_advertisement {
	struct fl_solicitation head;
	__u8 option;
	__u8 units;
	__u8 mac[6];
} __attribute__((packed, aligned(2)));

static __noinline __u32 fl_sum_chunk(struct __sk_buff *skb, __u32 at, __u32 end)
{
	__u32 words[FL_CHUNK / 4] = {};
	__u32 len = end - at;

	if ((int)len < 1)
		return 0;
	if (len > FL_CHUNK)
		len = FL_CHUNK;
	if (bpf_skb_load_bytes(skb, at, words, len))
		return 0;
	return fl_fold32(fl_sum_words(words, FL_CHUNK / 4));
}

/* Whether the checksum of the message is right; nobody has looked yet. */
static __noinline bool fl_nd_sums_up(struct __sk_buff *skb, const struct fl_packet *p)
{
	__u64 sum = fl_pseudo_sum(p, IPPROTO_ICMPV6, p->total);
	int i;

	for (i = 0; i < FL_ND_CHUNKS_MAX; i++)
		sum += fl_sum_chunk(skb, 54 + i * FL_CHUNK, 54 + p->total);
	return !fl_fold16(sum);
}

/*
 * At most four options, each of a length and within the packet: their number, or -1. The first
 * Source Link-Layer Address goes to `mac`, and `*found` says so.
 */
static __noinline int fl_nd_options(struct __sk_buff *skb, __u32 end, __u8 *mac, __u32 *found)
{
	__u8 option[8] __attribute__((aligned(8)));
	__u32 at = 78;
	int i;

	for (i = 0; i < FL_ND_OPTIONS_MAX; i++) {
		if (at >= end)
			return i;
		if (at + 8 > end || bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			return -1;
		if (!option[1] || at + option[1] * 8 > end)
			return -1;
		if (option[0] == 1 && !*found) {
			__builtin_memcpy(mac, option + 2, 6);
			*found = 1;
		}
		at += option[1] * 8;
	}
	return at >= end ? i : -1;
}

static __always_inline bool fl_is_group_of(const struct fl_ip *group, const struct fl_ip *ip)
{
	return group->word[0] == bpf_htonl(0xff020000) && !group->word[1] &&
	       group->word[2] == bpf_htonl(1) &&
	       group->word[3] == (bpf_htonl(0xff000000) | (ip->word[3] & bpf_htonl(0xffffff)));
}

/* The facts of a solicitation that asks for its target; `p` takes source, target and size. */
static __noinline bool fl_read_solicitation(struct __sk_buff *skb, struct fl_packet *p,
					    struct fl_ip *addr, __u8 *asker)
{
	struct fl_solicitation ns;
	__u32 found = 0;
	bool group;

	if (bpf_skb_load_bytes(skb, 0, &ns, sizeof(ns)) || ns.ip.version != 6 ||
	    ns.ip.nexthdr != IPPROTO_ICMPV6 || ns.ip.hop_limit != 255 ||
	    ns.type != FL_ND_SOLICITATION || ns.code)
		return false;
	p->total = bpf_ntohs(ns.ip.payload_len);
	if (p->total < 24 || 54u + p->total > skb->len)
		return false;
	p->family = 6;
	__builtin_memcpy(&p->flow.source, &ns.ip.saddr, 16);
	__builtin_memcpy(&p->flow.target, &ns.ip.daddr, 16);
	*addr = ns.target;
	__builtin_memcpy(asker, ns.eth_source, 6);
	__builtin_memcpy(asker + 6, ns.eth_source, 6);
	/* An IPv4 key looks like a v4-mapped target; nobody owns such a one. */
	if ((addr->word[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000) ||
	    fl_is_mapped(addr) || !fl_nd_sums_up(skb, p))
		return false;
	group = fl_is_group_of(&p->flow.target, addr);
	if (!group && !fl_same_ip(&p->flow.target, addr))
		return false;
	if (fl_nd_options(skb, 54 + p->total, asker, &found) < 0)
		return false;
	return !fl_no_ip(&p->flow.source) || (group && !found);
}

/* Always 86 bytes: a solicitation without options, as NUD sends, grows. */
static __noinline int fl_send_advertisement(struct __sk_buff *skb, struct fl_packet *p,
					    const struct fl_ip *addr, __u8 *asker,
					    const __u8 *mac)
{
	bool probe = fl_no_ip(&p->flow.source);
	struct fl_advertisement na = {};
	__u64 sum;

	p->flow.target = *addr;
	/* Duplicate address detection is answered to all nodes, ff02::1 and 33:33:00:00:00:01. */
	if (probe) {
		p->flow.source.word[0] = bpf_htonl(0xff020000);
		p->flow.source.word[3] = bpf_htonl(1);
		__builtin_memset(asker, 0, 6);
		asker[0] = 0x33;
		asker[1] = 0x33;
		asker[5] = 1;
	}
	__builtin_memcpy(na.head.eth_target, asker, 6);
	__builtin_memcpy(na.head.eth_source, mac, 6);
	na.head.eth_type = bpf_htons(ETH_P_IPV6);
	na.head.ip.version = 6;
	na.head.ip.payload_len = bpf_htons(32);
	na.head.ip.nexthdr = IPPROTO_ICMPV6;
	na.head.ip.hop_limit = 255;
	__builtin_memcpy(&na.head.ip.saddr, addr, 16);
	__builtin_memcpy(&na.head.ip.daddr, &p->flow.source, 16);
	na.head.type = FL_ND_ADVERTISEMENT;
	/* O: a fail-over address is not anycast. S: asked for. */
	na.head.reserved = bpf_htonl(probe ? 0x20000000 : 0x60000000);
	na.head.target = *addr;
	na.option = 2;
	na.units = 1;
	__builtin_memcpy(na.mac, mac, 6);
	if (bpf_skb_change_tail(skb, FL_NA_BYTES, 0))
		return -1;
	bpf_skb_store_bytes(skb, 0, &na, sizeof(na), 0);
	sum = fl_pseudo_sum(p, IPPROTO_ICMPV6, 32);
	sum += fl_sum_chunk(skb, 54, FL_NA_BYTES);
	na.head.checksum = fl_fold16(sum);
	return bpf_skb_store_bytes(skb, 56, &na.head.checksum, 2, 0);
}

static __noinline bool fl_answer_solicitation(struct __sk_buff *skb)
{
	struct fl_packet p = {};
	const struct fl_l2 *held;
	struct fl_ip addr;
	__u8 asker[12];		/* link-layer address to answer to, Ethernet source */

	if (!fl_read_solicitation(skb, &p, &addr, asker))
		return false;
	held = fl_held(skb->ifindex, &addr);
	if (!held || fl_same_mac(asker + 6, held->mac))
		return false;
	if (fl_send_advertisement(skb, &p, &addr, asker, held->mac))
		return false;
	fl_count_answer(skb->ifindex, &addr);
	return true;
}

/* True where the frame has become an answer; everything else goes on unchanged. */
static __always_inline bool fl_respond(struct __sk_buff *skb)
{
	__u32 word;

	if (!fl_options.ethernet || fl_load(skb, 12, &word, 1))
		return false;
	if ((__be16)word != bpf_htons(ETH_P_ARP) && (__be16)word != bpf_htons(ETH_P_IPV6))
		return false;
	if (skb->pkt_type == FL_PACKET_OTHERHOST || skb->vlan_present)
		return false;
	if ((__be16)word == bpf_htons(ETH_P_ARP))
		return fl_answer_arp(skb);
	/* Most IPv6 packets are no solicitations: one byte tells. */
	if (fl_load(skb, 54, &word, 1) || (word & 0xff) != FL_ND_SOLICITATION)
		return false;
	return fl_answer_solicitation(skb);
}

#endif
