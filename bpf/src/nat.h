/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Rewriting addresses and ports with incremental checksums, and the search for a SNAT port. */
#ifndef FL_NAT_H
#define FL_NAT_H

#include "conntrack.h"

/* bpf_l4_csum_replace: keeps CHECKSUM_COMPLETE right for IPv6 (Linux 6.16). */
#define FL_CSUM_IPV6 (1ULL << 7)

/* One's complement: wide sums stay right whatever the order of bytes (RFC 1071 section 2). */
static __always_inline __u32 fl_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

static __always_inline __u16 fl_fold16(__u64 sum)
{
	__u32 word = fl_fold32(sum);

	word = (word & 0xffff) + (word >> 16);
	return ~((word & 0xffff) + (word >> 16));
}

/* One's complement update of a checksum that is at hand (RFC 1624). */
static __always_inline __u16 fl_csum_add(__u16 csum, __u64 difference)
{
	return fl_fold16((__u16)~csum + (__u64)fl_fold32(difference));
}

static __always_inline __u64 fl_ip_difference(const struct fl_ip *from, const struct fl_ip *to)
{
	__u64 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		sum += (__u64)(__u32)~from->word[i] + to->word[i];
	return sum;
}

static __always_inline __u64 fl_l4_flags(const struct fl_packet *p)
{
	__u64 flags = p->flow.proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (p->family == 6 && fl_options.has_csum_ipv6)
		flags |= FL_CSUM_IPV6;
	return flags;
}

/* An IPv4 header from its TTL on, which one store replaces. */
struct fl_ip4_tail {
	__u8 ttl;
	__u8 proto;
	__u16 check;
	__be32 source;
	__be32 target;
};

static __always_inline void fl_store_ip4(struct __sk_buff *skb, const struct fl_packet *p,
					 const struct fl_flow_key *to, __u8 ttl, __u64 addresses)
{
	struct fl_ip4_tail tail = {
		.ttl = ttl,
		.proto = p->flow.proto,
		.source = to->source.word[3],
		.target = to->target.word[3],
	};

	/* RFC 1624. TTL is the first byte of its word in memory, so the low one here. */
	tail.check = fl_csum_add(p->check, addresses + (__u32)~(__u32)p->ttl + ttl);
	bpf_skb_store_bytes(skb, p->l3 + 8, &tail, sizeof(tail), 0);
}

static __always_inline void fl_store_ip6(struct __sk_buff *skb, const struct fl_packet *p,
					 const struct fl_flow_key *to, __u8 ttl)
{
	if (p->ttl != ttl)
		bpf_skb_store_bytes(skb, p->l3 + 7, &ttl, 1, 0);
	/* Source and target lie in the key as in the header. */
	bpf_skb_store_bytes(skb, p->l3 + 8, &to->source, 32, 0);
}

/* Where the checksum that covers addresses lies; 0: SCTP and ICMP have none, ports neither. */
static __always_inline __u32 fl_csum_offset(const struct fl_packet *p)
{
	if (p->fragment == FL_FRAGMENT_LATER)
		return 0;
	switch (p->flow.proto) {
	case IPPROTO_TCP:
		return p->l4 + 16;
	case IPPROTO_UDP:
		return p->l4 + 6;
	case IPPROTO_ICMPV6:
		return p->l4 + 2;
	default:
		return 0;
	}
}

/* Gives the packet the addresses and ports of `to`, and a TTL. */
static __noinline int fl_translate(struct __sk_buff *skb, const struct fl_packet *p,
				   const struct fl_flow_key *to, __u32 new_ttl)
{
	__u64 addresses = fl_ip_difference(&p->flow.source, &to->source) +
			  fl_ip_difference(&p->flow.target, &to->target);
	__be16 ports[2] = { to->source_port, to->target_port };
	__u32 csum = fl_csum_offset(p);
	__u8 ttl = new_ttl;
	__u64 differing;

	if (p->family == 4)
		fl_store_ip4(skb, p, to, ttl, addresses);
	else
		fl_store_ip6(skb, p, to, ttl);
	if (!csum)
		return 0;
	bpf_l4_csum_replace(skb, csum, 0, fl_fold32(addresses),
			    BPF_F_PSEUDO_HDR | fl_l4_flags(p));
	differing = (__u64)(__u16)~p->flow.source_port + to->source_port +
		    (__u16)~p->flow.target_port + to->target_port;
	if (p->flow.source_port == to->source_port && p->flow.target_port == to->target_port)
		return 0;
	bpf_l4_csum_replace(skb, csum, 0, fl_fold32(differing), fl_l4_flags(p));
	return bpf_skb_store_bytes(skb, p->l4, ports, sizeof(ports), 0);
}

/* The C library's errno.h does not compile for BPF. */
#define FL_E2BIG (-7)

/* A search for the port under which an endpoint sees a client. */
struct fl_probe {
	struct fl_flow_key key;	/* of the reply; its target port is what is searched */
	struct fl_flow row;
	__u32 hash;
	__u32 now_s;
	__u16 lo;
	__u16 pad;
	__u32 size;
	__u32 probes;
	int ret;		/* 0: found; else why the last probe failed */
};

static __always_inline bool fl_usable_port(__u32 port)
{
	if (port < fl_options.snat_port_lo || port > fl_options.snat_port_hi)
		return false;
	return port < fl_options.node_port_lo || port > fl_options.node_port_hi;
}

/* Inserts the reply row under a port, or adopts what the same client and front left there. */
static __noinline int fl_claim_port(struct fl_probe *probe, __u32 port)
{
	struct fl_flow *row;

	if (!fl_usable_port(port))
		return -1;
	probe->probes++;
	probe->key.target_port = bpf_htons(port);
	probe->ret = bpf_map_update_elem(&fl_snat, &probe->key, &probe->row, BPF_NOEXIST);
	if (!probe->ret)
		return 0;
	row = bpf_map_lookup_elem(&fl_snat, &probe->key);
	if (!row)
		return probe->ret;
	if (fl_lives(row, probe->key.proto, probe->now_s) &&
	    (row->nat_port != probe->row.nat_port || row->peer_port != probe->row.peer_port ||
	     !fl_same_ip(&row->nat, &probe->row.nat) || !fl_same_ip(&row->peer, &probe->row.peer)))
		return probe->ret;
	probe->ret = bpf_map_update_elem(&fl_snat, &probe->key, &probe->row, BPF_ANY);
	return probe->ret;
}

/* bpf_loop's callback: 1 ends the loop. A full map ends it too, for no port would help. */
static __noinline long fl_probe_port(__u32 index, struct fl_probe *probe)
{
	__u32 size = probe->size, offset;

	if (!size)
		return 1;
	if (size <= 128)
		offset = (probe->hash + index) % size;
	else
		offset = fl_mix(probe->hash + index * 0x9e3779b9) % size;
	if (size <= 128 && index >= size)
		return 1;
	return !fl_claim_port(probe, probe->lo + offset) || probe->ret == FL_E2BIG;
}

#define FL_PROBES_MAX 128
#define FL_PROBES_WITHOUT_LOOP 16

/*
 * The client's own port if it may be used and is free, then probes in an order that depends on the
 * flow only, so that a packet in mid-stream finds its own row again (8.3).
 */
static __noinline int fl_search_port(struct fl_probe *probe, __u32 own, bool own_only)
{
	int i;

	probe->lo = fl_options.snat_port_lo;
	probe->size = fl_options.snat_port_hi - fl_options.snat_port_lo + 1;
	probe->ret = -1;
	if (own_only || fl_usable_port(own)) {
		if (!fl_claim_port(probe, own))
			return 0;
		if (own_only)
			return probe->ret;
	}
	if (fl_options.has_loop) {
		bpf_loop(FL_PROBES_MAX, fl_probe_port, probe, 0);
		return probe->ret;
	}
	for (i = 0; i < FL_PROBES_WITHOUT_LOOP; i++)
		if (fl_probe_port(i, probe))
			break;
	return probe->ret;
}

#endif
