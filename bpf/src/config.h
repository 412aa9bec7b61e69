/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Switches, the clock and chance: the only places where a program meets the outside world. */
#ifndef FL_CONFIG_H
#define FL_CONFIG_H

#include "maps.h"

const volatile struct fl_options fl_options = {
	.ethernet = 1,
	.hash_seed = 0x666c6c64,
	.snat_port_lo = 50000,
	.snat_port_hi = 65535,
	.node_port_lo = 30000,
	.node_port_hi = 32767,
	.socket_full = 1,
	.bind_protection = 1,
	.external_cluster_ip = 1,
	.vip_guard = 1,
	.vip_echo = 1,
	.no_endpoints = FL_NO_ENDPOINTS_REJECT,
	.midstream = FL_MIDSTREAM_DROP,
	.has_set_retval = 1,
	.has_loop = 1,
	.has_coarse_clock = 1,
	.has_check_mtu = 1,
};

#endif
