/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Egress: replies that came through the stack get their front back. */
#ifndef FL_RESTORE_H
#define FL_RESTORE_H

#include "act.h"

static __noinline int fl_plan_restored(struct __sk_buff *skb, struct fl_packet *p,
				       struct fl_plan *plan)
{
	if (!fl_has_ports(p)) {
		if (fl_is_icmp_error(p))
			fl_plan_error(skb, p, plan, false);
		return 0;
	}
	if (p->fragment && !fl_defragment(p))
		return 0;
	if (fl_plan_reply(p, plan, false))
		plan->outcome = FL_CARRY;
	return 0;
}

#endif
