/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Settings: fl_cfg while programs run, fl_options before they are loaded. Included from lb.h. */
#ifndef FL_SETTINGS_H
#define FL_SETTINGS_H

/* What may change while programs run. Test fields count only where fl_options.test is set. */
struct fl_cfg {
	__u32 event_level;
	__u32 event_sample;
	__u32 refusal_rate;	/* per second and CPU */
	__u32 refusal_burst;
	__u64 node_cookie;	/* network namespace of the node */
	__u64 test_now_ns;
	__u64 test_boot_ns;
	__u64 test_draws;	/* state of SplitMix64 */
	struct fl_ip node4;	/* primary addresses, :: for none */
	struct fl_ip node6;
};

enum fl_no_endpoints {
	FL_NO_ENDPOINTS_REJECT,
	FL_NO_ENDPOINTS_DROP,
};

enum fl_midstream {
	FL_MIDSTREAM_DROP,
	FL_MIDSTREAM_RESET,
	FL_MIDSTREAM_PASS,
};

/*
 * Set in .rodata before load: the verifier removes the branches that are off. Words, because a
 * narrower volatile load costs an instruction more.
 */
struct fl_options {
	__u32 test;
	__u32 ethernet;		/* 0: the variant for devices without Ethernet header */
	__u32 hash_seed;
	__u32 snat_port_lo;
	__u32 snat_port_hi;
	__u32 node_port_lo;
	__u32 node_port_hi;
	__u32 socket_full;	/* 0: sockets of the node's namespace only */
	__u32 bind_protection;
	__u32 external_cluster_ip;
	__u32 vip_guard;
	__u32 vip_echo;
	__u32 no_endpoints;
	__u32 midstream;
	__u32 has_set_retval;	/* Linux 5.18 */
	__u32 has_loop;		/* Linux 5.17 */
	__u32 has_coarse_clock;	/* Linux 5.11 */
	__u32 has_check_mtu;	/* Linux 5.12 */
	__u32 has_csum_ipv6;	/* BPF_F_IPV6 of bpf_l4_csum_replace */
};

#endif
