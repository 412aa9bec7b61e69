/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The socket core under tc, for BPF_PROG_TEST_RUN, which has no socket programs (ENOTSUPP). An
 * object of its own, so that no node ever loads it.
 */
#include "packet.h"
#include "socket.h"

SEC("tc")
int fl_socket_test(struct __sk_buff *skb)
{
	struct fl_call call;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &call, sizeof(call)))
		return FL_DROP;
	fl_run_call(&call);
	bpf_skb_store_bytes(skb, ETH_HLEN, &call, sizeof(call), 0);
	return FL_NEXT;
}

char fl_license[] SEC("license") = "Dual MIT/GPL";
