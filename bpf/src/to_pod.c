/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* TCX egress of the host end of a pod's interface: what the pod, as a client, is answered. */
#include "restore.h"

SEC("tc")
int fl_to_pod(struct __sk_buff *skb)
{
	struct fl_scratch *scratch;
	struct fl_packet *p;
	struct fl_plan *plan;

	if (skb->tc_index & FL_TC_INDEX_DONE)
		return FL_NEXT;
	scratch = fl_begin(skb, FL_HOOK_TO_POD);
	if (!scratch)
		return FL_NEXT;
	p = &scratch->packet;
	plan = &scratch->plan;
	if (!p->parsed)
		fl_plan_restored(skb, p, plan);
	return fl_act(skb, p, plan);
}
