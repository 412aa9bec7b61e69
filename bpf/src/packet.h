/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What a tc program knows of the packet before it, and its answers. */
#ifndef FL_PACKET_H
#define FL_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>

#include "config.h"

/* TCX_NEXT and TC_ACT_UNSPEC: programs of others on the same hook see the packet too. */
#define FL_NEXT (-1)
/* TCX_DROP and TC_ACT_SHOT. */
#define FL_DROP 2

/*
 * The bit of tc_index of what ingress programs translated, whether they redirected it or the stack
 * takes it on: egress programs leave it alone. Ingress programs clear it, because veth carries it
 * into other nodes that are containers.
 */
#define FL_TC_INDEX_DONE 0x8000

#define FL_AF_INET 2
#define FL_AF_INET6 10

#define FL_TCP_FIN 1
#define FL_TCP_SYN 2
#define FL_TCP_RST 4
#define FL_TCP_ACK 16

/* RFC 792, RFC 4443. The headers of libc and kernel that have these do not compile for BPF. */
#define FL_ICMP4_ECHO_REPLY 0
#define FL_ICMP4_UNREACHABLE 3
#define FL_ICMP4_PORT 3
#define FL_ICMP4_TOO_BIG 4
#define FL_ICMP4_ECHO 8
#define FL_ICMP4_EXPIRED 11
#define FL_ICMP4_PARAMETER 12
#define FL_ICMP6_UNREACHABLE 1
#define FL_ICMP6_PORT 4
#define FL_ICMP6_TOO_BIG 2
#define FL_ICMP6_PARAMETER 4
#define FL_ICMP6_ECHO 128
#define FL_ICMP6_ECHO_REPLY 129

enum fl_fragment {
	FL_FRAGMENT_NONE,
	FL_FRAGMENT_FIRST,
	FL_FRAGMENT_LATER,
};

struct fl_packet {
	struct fl_flow_key flow;	/* as the packet has it; kind 0 */
	__be32 frag_id;
	__u16 l3;			/* offsets from the start of the frame */
	__u16 l4;
	__u16 total;			/* IP header and payload */
	__u8 family;			/* 4, 6 */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 fragment;
	__u8 hook;
	__u8 egress;			/* the packet leaves: nothing can be sent back */
	__u8 parsed;			/* enum fl_parsed */
	__u16 check;			/* of an IPv4 header */
	__u32 now_s;
	__u32 ifindex;
};

/* What is to happen to the packet. Programs decide first and act in one place, fl_act. */
enum fl_outcome {
	FL_PASS,		/* as it is, to whoever is next */
	FL_CARRY,		/* translated, to whoever is next */
	FL_BOUNCE,		/* translated, back into the interface: hairpin */
	FL_ECHO,		/* an echo request becomes its answer */
	FL_RELAY,		/* translated, routed and sent by us */
	FL_DISCARD,
	FL_REFUSE,
	FL_TOO_BIG,
};

/* The packet that an ICMP error quotes. */
struct fl_quote {
	struct fl_flow_key to;	/* what the quoted packet becomes */
	__u16 l3;
	__u16 l4;
};

struct fl_plan {
	/* Cleared for every packet; what follows only where it is used. */
	__u32 svc_id;
	__u32 mtu;
	__u16 flags;		/* of the event */
	__u8 outcome;
	__u8 reason;
	__u8 event;		/* enum fl_event_type, 0: none */
	__u8 fresh;		/* rows are still to be written */
	__u8 chosen;		/* `row` names an endpoint */
	__u8 affinity_moved;
	__u8 quoting;
	__u8 ttl;		/* of the answer to an echo */
	__u8 reply;
	__u8 told;		/* event of an established flow: close, refresh */
	__u8 conflict;
	__u8 pad[3];

	struct fl_flow_key to;	/* what the packet becomes */
	union {
		struct fl_flow row;	/* of a fresh flow */
		struct fl_quote quote;	/* where `quoting` is set */
	};
	struct fl_ip next_hop;	/* of a relay; an IPv4 address in the first word */
	__u32 ifindex;		/* and its device */
	__u32 next_family;	/* and its AF_ */
};

/*
 * Packet and plan of the program that runs on this CPU; nothing outlives the packet. Not on the
 * stack, which has 512 bytes for all frames together; and the verifier does not follow what a map
 * value holds: Linux 6.18 walked 660,000 instructions of fl_uplink_in when it did. tc programs run
 * with bottom halves off, so none interrupts another on its CPU.
 */
struct fl_scratch {
	struct fl_packet packet;
	struct fl_plan plan;
};

/* Of one size for good: programs of two versions may share the pinned map for a moment. */
union fl_scratch_cell {
	struct fl_scratch scratch;
	__u64 room[64];
};

_Static_assert(sizeof(union fl_scratch_cell) == 512, "the scratch has outgrown its cell");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, union fl_scratch_cell);
	__uint(max_entries, 1);
} fl_scratch SEC(".maps");

static __always_inline int fl_discard(struct fl_plan *plan, __u8 reason)
{
	plan->outcome = FL_DISCARD;
	plan->reason = reason;
	plan->event = FL_EVENT_DROP;
	plan->fresh = 0;
	return 0;
}

static __always_inline int fl_reject(struct fl_plan *plan, __u8 reason)
{
	plan->outcome = FL_REFUSE;
	plan->reason = reason;
	plan->event = FL_EVENT_REJECT;
	return 0;
}

static __always_inline bool fl_same_ip(const struct fl_ip *a, const struct fl_ip *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] &&
	       a->word[2] == b->word[2] && a->word[3] == b->word[3];
}

static __always_inline bool fl_no_ip(const struct fl_ip *ip)
{
	return !(ip->word[0] | ip->word[1] | ip->word[2] | ip->word[3]);
}

static __always_inline void fl_mapped_ip(struct fl_ip *ip, __be32 address)
{
	ip->word[0] = 0;
	ip->word[1] = 0;
	ip->word[2] = bpf_htonl(0xffff);
	ip->word[3] = address;
}

static __always_inline bool fl_is_mapped(const struct fl_ip *ip)
{
	return !ip->word[0] && !ip->word[1] && ip->word[2] == bpf_htonl(0xffff);
}

static __always_inline bool fl_has_ports(const struct fl_packet *p)
{
	return p->flow.proto == IPPROTO_TCP || p->flow.proto == IPPROTO_UDP ||
	       p->flow.proto == IPPROTO_SCTP;
}

#endif
