/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The one object that the kernel loads and the simulator executes. */
#include "from_pod.c"
#include "socket.c"
#include "to_pod.c"
#include "uplink_in.c"
#include "uplink_out.c"

char fl_license[] SEC("license") = "Dual MIT/GPL";
