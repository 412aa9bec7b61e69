/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Every layout that the programs and the agent share. TypeScript gets them from the object's BTF
 * (bpf/layout.ts), so a field exists here or nowhere. Padding is named `pad` and always zero:
 * map keys are compared as bytes, and dumps of equal state are to be equal.
 */
#ifndef FL_LB_H
#define FL_LB_H

#include <linux/types.h>

/* Network order; IPv4 as ::ffff:a.b.c.d, so that one form serves both families. */
struct fl_ip {
	__be32 word[4];
};

/* Why a packet was refused or dropped; numbers are shared with metrics (lb/reasons.ts). */
enum fl_reason {
	FL_REASON_NONE,
	FL_REASON_NO_ENDPOINT,
	FL_REASON_POLICY_EMPTY,
	FL_REASON_SRC_RANGE,
	FL_REASON_UNKNOWN_PORT,
	FL_REASON_VIP_PORT,
	FL_REASON_UNALLOCATED,
	FL_REASON_EXTERNAL_CLUSTER_IP,
	FL_REASON_NO_ROW,
	FL_REASON_NAT_EXHAUSTED,
	FL_REASON_FRAG,
	FL_REASON_EXT_HDR,
	FL_REASON_MALFORMED,
	FL_REASON_STALE,
	FL_REASON_NO_BACKEND,
	FL_REASON_FIB,
	FL_REASON_TTL,
	FL_REASON_TOO_BIG,
	FL_REASON_MAP_FULL,
	FL_REASON_RATE,
	FL_REASON_SCTP_PORT,
	FL_REASON_ICMP_NO_ROW,
	FL_REASON_ECHO,
	FL_REASON_L2_FENCE,
};

/* Cells of fl_stats beside the reasons, which stay below 62. */
enum fl_stat {
	FL_STAT_SNAT_PROBES = 62,
	FL_STAT_EVENTS_LOST = 63,
};

enum fl_hook {
	FL_HOOK_CONNECT,
	FL_HOOK_SENDMSG,
	FL_HOOK_RECVMSG,
	FL_HOOK_GETPEERNAME,
	FL_HOOK_POST_BIND,
	FL_HOOK_SOCK_RELEASE,
	FL_HOOK_FROM_POD,
	FL_HOOK_TO_POD,
	FL_HOOK_UPLINK_IN,
	FL_HOOK_UPLINK_OUT,
};

enum fl_event_type {
	FL_EVENT_NEW = 1,
	FL_EVENT_DROP,
	FL_EVENT_REJECT,
	FL_EVENT_CLOSE,
	FL_EVENT_RESELECT,
	FL_EVENT_AFFINITY,
	FL_EVENT_REFRESH,
	FL_EVENT_CONFLICT,
};

/*
 * Of fl_cfg: sampled sends one in event_sample of what `all` sends, and every drop. Refresh may be
 * added to any other: a flow that goes on is told in each five seconds of its life.
 */
enum fl_event_level {
	FL_EVENTS_OFF,
	FL_EVENTS_DROPS,
	FL_EVENTS_ALL,
	FL_EVENTS_SAMPLED,
	FL_EVENTS_REFRESH,
};

/* Order of precedence where several service ports claim one front. */
enum fl_front_kind {
	FL_FRONT_CLUSTER_IP = 1,
	FL_FRONT_VIP,
	FL_FRONT_EXTERNAL_IP,
	FL_FRONT_NODE_PORT,
};

struct fl_front_key {
	struct fl_ip addr;	/* for a NodePort ::, and of IPv4 ::ffff:0.0.0.0 */
	__be16 port;
	__u8 proto;
	__u8 pad;
};

struct fl_front {
	__u32 svc_id;
	__u8 kind;
	__u8 flags;		/* none yet, zero */
	__u16 pad;
};

struct fl_svc_key {
	__u32 svc_id;
};

/* The commit point of a service port: read and written as one 64-bit word. */
struct fl_svc {
	__u32 gen;
	__u32 set_id;
};

enum fl_set_flag {
	FL_SET_USABLE = 1,	/* some endpoint is usable somewhere: an empty scope drops */
	FL_SET_INTERNAL_LOCAL = 2,
	FL_SET_EXTERNAL_LOCAL = 4,
	FL_SET_AFFINITY = 8,
	FL_SET_MAGLEV = 16,
};

/* Bases count whole cells of fl_lut; offsets and sizes count backend ids. */
struct fl_set {
	__u32 gen;
	__u32 svc_id;
	__u32 flags;
	__u32 list_base;
	__u32 local_n;
	__u32 cluster_off;
	__u32 cluster_n;
	__u32 maglev_m;
	__u32 maglev_local;
	__u32 maglev_cluster;
	__u32 affinity_s;
	__u32 range_id;		/* 0: unrestricted */
	__u32 pad[4];
};

#define FL_CELL_IDS 16

struct fl_lut {
	__u32 backend[FL_CELL_IDS];
};

enum fl_backend_flag {
	FL_BACKEND_LOCAL = 1,
};

struct fl_backend {
	struct fl_ip addr;
	__be16 port;
	__u8 proto;
	__u8 flags;
	__u32 gen;
	__u32 ifindex;
	__u32 pad;
};

struct fl_member_key {
	__u32 svc_id;
	__u32 backend_id;
};

enum fl_member_bit {
	FL_MEMBER_CLUSTER = 1,
	FL_MEMBER_LOCAL = 2,
	FL_MEMBER_SERVING = 4,
};

struct fl_member {
	__u32 bits;
};

/* prefixlen counts the 32 bits of range_id too: 32 + 96 + the length of an IPv4 prefix. */
struct fl_range_key {
	__u32 prefixlen;
	__u32 range_id;
	struct fl_ip addr;
};

/* SELF admits its source only as the front's own address (the VIP rule of datapath.md 4.3). */
enum fl_range_bit {
	FL_RANGE_ADMIT = 1,
	FL_RANGE_SELF = 2,
};

struct fl_range {
	__u32 bits;
};

struct fl_addr_key {
	struct fl_ip addr;
};

enum fl_addr_bit {
	FL_ADDR_NODE = 1,
	FL_ADDR_NODE_PORT = 2,
	FL_ADDR_VIP = 4,	/* ExternalIPs too */
	FL_ADDR_CLUSTER_IP = 8,
	FL_ADDR_FOREIGN = 16,
};

struct fl_addr {
	__u32 bits;
};

/* prefixlen 96 + the length of an IPv4 prefix. */
struct fl_net_key {
	__u32 prefixlen;
	struct fl_ip addr;
};

enum fl_net_bit {
	FL_NET_SERVICE = 1,
};

struct fl_net {
	__u32 bits;
};

struct fl_dev_key {
	__u32 ifindex;
};

/* A source is :: where the device has no address of the family. */
struct fl_dev {
	__u8 mac[6];
	__u8 header_len;	/* 14, or 0 without Ethernet header */
	__u8 pad;
	__u32 mtu;
	__u32 pad2;
	struct fl_ip source4;
	struct fl_ip source6;
};

struct fl_netns_key {
	__u64 cookie;
};

enum fl_netns_flag {
	FL_NETNS_HOOKED = 1,
};

/* An address is :: where the pod has none of the family. */
struct fl_netns {
	struct fl_ip addr4;
	struct fl_ip addr6;
	__u32 ifindex;
	__u32 flags;
};

struct fl_stats {
	__u64 packets;
	__u64 bytes;
};

struct fl_rate {
	__u64 credit;		/* billionths of a refusal */
	__u64 last_ns;
};

#include "flow.h"
#include "settings.h"

#endif
