/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Socket hooks of the node's cgroup root: contexts in, contexts out; the rest is socket.h. */
#include "packet.h"
#include "socket.h"

#define FL_ECONNREFUSED 111
#define FL_EADDRINUSE 98
#define FL_REFUSE_CALL 0
#define FL_ALLOW_CALL 1

/*
 * No other errno is ever returned: kernel clients hang on unknown ones (cilium#21541). Only for
 * hooks that may refuse: Linux 6.18 loads no recvmsg and getpeername with bpf_set_retval in them.
 */
static __always_inline int fl_allowed(const struct fl_call *call, int error)
{
	if (call->outcome != FL_CALL_REFUSED)
		return FL_ALLOW_CALL;
	if (fl_options.has_set_retval)
		bpf_set_retval(-error);
	return FL_REFUSE_CALL;
}

static __always_inline void fl_call_of(struct bpf_sock_addr *ctx, struct fl_call *call, __u8 hook)
{
	call->cookie = bpf_get_socket_cookie(ctx);
	call->netns = bpf_get_netns_cookie(ctx);
	call->target_port = (__be16)ctx->user_port;
	call->proto = ctx->protocol;
	call->hook = hook;
}

static __always_inline void fl_call4(struct bpf_sock_addr *ctx, struct fl_call *call, __u8 hook)
{
	call->family = 4;
	fl_call_of(ctx, call, hook);
	fl_mapped_ip(&call->target, ctx->user_ip4);
	fl_run_call(call);
	if (call->outcome != FL_CALL_TRANSLATED)
		return;
	ctx->user_ip4 = call->target.word[3];
	ctx->user_port = call->target_port;
}

static __always_inline void fl_call6(struct bpf_sock_addr *ctx, struct fl_call *call, __u8 hook)
{
	fl_call_of(ctx, call, hook);
	call->target.word[0] = ctx->user_ip6[0];
	call->target.word[1] = ctx->user_ip6[1];
	call->target.word[2] = ctx->user_ip6[2];
	call->target.word[3] = ctx->user_ip6[3];
	call->family = fl_is_mapped(&call->target) ? 4 : 6;
	fl_run_call(call);
	if (call->outcome != FL_CALL_TRANSLATED)
		return;
	ctx->user_ip6[0] = call->target.word[0];
	ctx->user_ip6[1] = call->target.word[1];
	ctx->user_ip6[2] = call->target.word[2];
	ctx->user_ip6[3] = call->target.word[3];
	ctx->user_port = call->target_port;
}

SEC("cgroup/connect4")
int fl_connect4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct fl_call call = {};

	if (sk && sk->src_ip4)
		fl_mapped_ip(&call.source, sk->src_ip4);
	fl_call4(ctx, &call, FL_HOOK_CONNECT);
	return fl_allowed(&call, FL_ECONNREFUSED);
}

SEC("cgroup/connect6")
int fl_connect6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct fl_call call = {};

	if (sk) {
		call.source.word[0] = sk->src_ip6[0];
		call.source.word[1] = sk->src_ip6[1];
		call.source.word[2] = sk->src_ip6[2];
		call.source.word[3] = sk->src_ip6[3];
	}
	fl_call6(ctx, &call, FL_HOOK_CONNECT);
	return fl_allowed(&call, FL_ECONNREFUSED);
}

SEC("cgroup/sendmsg4")
int fl_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	if (ctx->msg_src_ip4)
		fl_mapped_ip(&call.source, ctx->msg_src_ip4);
	fl_call4(ctx, &call, FL_HOOK_SENDMSG);
	return fl_allowed(&call, FL_ECONNREFUSED);
}

SEC("cgroup/sendmsg6")
int fl_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	call.source.word[0] = ctx->msg_src_ip6[0];
	call.source.word[1] = ctx->msg_src_ip6[1];
	call.source.word[2] = ctx->msg_src_ip6[2];
	call.source.word[3] = ctx->msg_src_ip6[3];
	fl_call6(ctx, &call, FL_HOOK_SENDMSG);
	return fl_allowed(&call, FL_ECONNREFUSED);
}

SEC("cgroup/recvmsg4")
int fl_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	fl_call4(ctx, &call, FL_HOOK_RECVMSG);
	return FL_ALLOW_CALL;
}

SEC("cgroup/recvmsg6")
int fl_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	fl_call6(ctx, &call, FL_HOOK_RECVMSG);
	return FL_ALLOW_CALL;
}

SEC("cgroup/getpeername4")
int fl_getpeername4(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	fl_call4(ctx, &call, FL_HOOK_GETPEERNAME);
	return FL_ALLOW_CALL;
}

SEC("cgroup/getpeername6")
int fl_getpeername6(struct bpf_sock_addr *ctx)
{
	struct fl_call call = {};

	fl_call6(ctx, &call, FL_HOOK_GETPEERNAME);
	return FL_ALLOW_CALL;
}

static __always_inline int fl_bound(struct bpf_sock *ctx, struct fl_call *call)
{
	call->hook = FL_HOOK_POST_BIND;
	call->netns = bpf_get_netns_cookie(ctx);
	call->proto = ctx->protocol;
	call->target_port = bpf_htons(ctx->src_port);
	fl_run_call(call);
	return fl_allowed(call, FL_EADDRINUSE);
}

SEC("cgroup/post_bind4")
int fl_post_bind4(struct bpf_sock *ctx)
{
	struct fl_call call = { .family = 4 };

	fl_mapped_ip(&call.source, ctx->src_ip4);
	return fl_bound(ctx, &call);
}

SEC("cgroup/post_bind6")
int fl_post_bind6(struct bpf_sock *ctx)
{
	struct fl_call call = { .family = 6 };

	call.source.word[0] = ctx->src_ip6[0];
	call.source.word[1] = ctx->src_ip6[1];
	call.source.word[2] = ctx->src_ip6[2];
	call.source.word[3] = ctx->src_ip6[3];
	return fl_bound(ctx, &call);
}

SEC("cgroup/sock_release")
int fl_sock_release(struct bpf_sock *ctx)
{
	struct fl_call call = { .hook = FL_HOOK_SOCK_RELEASE };
	struct fl_ip four;

	call.cookie = bpf_get_socket_cookie(ctx);
	call.proto = ctx->protocol;
	call.target_port = ctx->dst_port;
	/*
	 * All words are read in either family: of two branches the compiler makes one load through a
	 * moved context pointer, and Linux 6.18 says "dereference of modified ctx ptr".
	 */
	fl_mapped_ip(&four, *(volatile __u32 *)&ctx->dst_ip4);
	call.target.word[0] = *(volatile __u32 *)&ctx->dst_ip6[0];
	call.target.word[1] = *(volatile __u32 *)&ctx->dst_ip6[1];
	call.target.word[2] = *(volatile __u32 *)&ctx->dst_ip6[2];
	call.target.word[3] = *(volatile __u32 *)&ctx->dst_ip6[3];
	if (ctx->family == FL_AF_INET)
		call.target = four;
	fl_run_call(&call);
	return FL_ALLOW_CALL;
}
