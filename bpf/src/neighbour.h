/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Frames of ARP and Neighbor Discovery, and the fence that both directions obey (l2.md 5.4). */
#ifndef FL_NEIGHBOUR_H
#define FL_NEIGHBOUR_H

#include "refusal.h"

/* Socket mark of our own announcements. */
#define FL_L2_MARK 0x666c0001
#define FL_ND_SOLICITATION 135
#define FL_ND_ADVERTISEMENT 136

/* RFC 826 over Ethernet and IPv4, with the Ethernet header. */
struct fl_arp {
	__u8 eth_target[6];
	__u8 eth_source[6];
	__be16 eth_type;
	__be16 hardware;
	__be16 protocol;
	__u8 sizes[2];
	__be16 opcode;
	__u8 sender[6];
	__u8 sender_ip[4];
	__u8 target[6];
	__u8 target_ip[4];
} __attribute__((packed, aligned(2)));

static __always_inline __be32 fl_ip_at(const __u8 *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (__u32)bytes[3] << 24;
}

static __always_inline bool fl_is_arp(const struct fl_arp *arp)
{
	return arp->eth_type == bpf_htons(ETH_P_ARP) && arp->hardware == bpf_htons(1) &&
	       arp->protocol == bpf_htons(ETH_P_IP) && arp->sizes[0] == 6 && arp->sizes[1] == 4;
}

static __always_inline bool fl_same_mac(const __u8 *a, const __u8 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) |
		 (a[4] ^ b[4]) | (a[5] ^ b[5]));
}

/* Six equal bytes: broadcast, or none at all. */
static __always_inline bool fl_is_mac_of(const __u8 *mac, __u8 byte)
{
	return mac[0] == byte && mac[1] == byte && mac[2] == byte && mac[3] == byte &&
	       mac[4] == byte && mac[5] == byte;
}

/* The key of an address on a device, while its fence holds. */
static __always_inline const struct fl_l2 *fl_held(__u32 ifindex, const struct fl_ip *addr)
{
	struct fl_l2_key key = { .ifindex = ifindex, .addr = *addr };
	const struct fl_l2 *held = bpf_map_lookup_elem(&fl_l2, &key);

	return held && fl_boot_ns() < held->expiry_ns ? held : NULL;
}

#endif
