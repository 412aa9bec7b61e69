/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The one object that the kernel loads and the simulator executes. */
#include "config.h"

char fl_license[] SEC("license") = "Dual MIT/GPL";
