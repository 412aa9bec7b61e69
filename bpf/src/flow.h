/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The rows that programs write: flows, affinity, sockets, fragments, answers, events. From lb.h. */
#ifndef FL_FLOW_H
#define FL_FLOW_H

enum fl_flow_kind {
	FL_FLOW_FORWARD,
	FL_FLOW_REPLY,
};

/* A forward key is at the same time the 40 bytes that a flow is hashed by (datapath.md 3). */
struct fl_flow_key {
	struct fl_ip source;
	struct fl_ip target;
	__be16 source_port;
	__be16 target_port;
	__u8 proto;
	__u8 kind;
	__u16 pad;
};

enum fl_flow_bit {
	FL_FLOW_ANSWERED = 1,
	FL_FLOW_FIN_CLIENT = 2,
	FL_FLOW_FIN_ENDPOINT = 4,
	FL_FLOW_RST_CLIENT = 8,
	FL_FLOW_RST_ENDPOINT = 16,
	FL_FLOW_MIDSTREAM = 32,
	FL_FLOW_HAIRPIN = 64,
	FL_FLOW_SCOPE_LOCAL = 128,
	FL_FLOW_SNAT = 256,
	FL_FLOW_PORT = 512,	/* the endpoint sees the client under another port */
};

/*
 * One direction of a flow, in fl_ct and fl_snat. Forward: peer is the endpoint, nat the source that
 * it sees instead of the client (zero: the client). Reply: peer is the front, nat the client.
 * Seconds are those of the monotonic clock; closed_s is that of the first FIN or RST, 0 before.
 */
struct fl_flow {
	struct fl_ip peer;
	struct fl_ip nat;
	__be16 peer_port;
	__be16 nat_port;
	__u32 svc_id;
	__u32 backend_id;
	__u32 gen;
	__u32 last_s;
	__u32 created_s;
	__u32 closed_s;
	__u32 state;
};

enum fl_aff_kind {
	FL_AFF_ADDR,
	FL_AFF_COOKIE,
};

/* A cookie stands in the first eight bytes of the client, in host order. */
struct fl_aff_key {
	struct fl_ip client;
	__u32 svc_id;
	__u32 kind;
};

struct fl_aff {
	__u64 last_ns;
	__u32 backend_id;
	__u32 pad;
};

/* Reverse: (cookie, endpoint) to front. Choice: (cookie, front) to endpoint. */
enum fl_sk_kind {
	FL_SK_REVERSE,
	FL_SK_CHOICE,
};

struct fl_sk_key {
	__u64 cookie;
	struct fl_ip addr;
	__be16 port;
	__u8 proto;
	__u8 kind;
	__u32 pad;
};

struct fl_sk {
	struct fl_ip addr;
	__be16 port;
	__u16 pad;
	__u32 backend_id;
};

struct fl_frag_key {
	struct fl_ip source;
	struct fl_ip target;
	__be32 id;		/* the 16 bits of IPv4 as the low ones */
	__u8 proto;
	__u8 pad[3];
};

struct fl_frag {
	__be16 source_port;
	__be16 target_port;
	__u32 last_s;
};

struct fl_l2_key {
	__u32 ifindex;
	struct fl_ip addr;
};

struct fl_l2 {
	__u64 expiry_ns;	/* CLOCK_BOOTTIME */
	__u8 mac[6];
	__u16 pad;
};

struct fl_l2_stats {
	__u64 answers;
};

enum fl_event_flag {
	FL_EVENT_MASQUERADE = 1,
	FL_EVENT_LOCAL_SCOPE = 2,
	FL_EVENT_LOCAL_ENDPOINT = 4,
	FL_EVENT_MIDSTREAM = 8,
};

struct fl_event {
	__u64 time_ns;
	__u8 type;
	__u8 reason;
	__u8 hook;
	__u8 proto;
	__u32 svc_id;
	struct fl_ip client;
	struct fl_ip front;
	struct fl_ip endpoint;
	__be16 client_port;
	__be16 front_port;
	__be16 endpoint_port;
	__u16 flags;
	__u32 ifindex;
	__u32 pad;
};

/* What becomes of a socket call. */
enum fl_call_outcome {
	FL_CALL_LEFT,
	FL_CALL_TRANSLATED,
	FL_CALL_REFUSED,
};

/*
 * A socket call, apart from the context that it came in: the record by which the socket core is run
 * under tc in tests, because the kernel cannot test-run socket programs.
 */
struct fl_call {
	struct fl_ip target;	/* what the call names, then what it becomes */
	struct fl_ip source;	/* bound, :: for none */
	__u64 cookie;
	__u64 netns;
	__be16 target_port;
	__u8 proto;
	__u8 hook;		/* enum fl_hook */
	__u8 family;		/* 4, 6; a mapped target of an IPv6 socket is 4 */
	__u8 outcome;
	__u16 pad;
};

#endif
