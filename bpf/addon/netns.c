// SPDX-License-Identifier: Apache-2.0
/* Network namespaces and the boot clock. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

/* <asm-generic/socket.h> since Linux 5.14; the C library's headers may be older. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/*
 * netnsCall(path, function): calls `function` with this thread inside the namespace, and answers
 * what it returns. Only the network namespace changes, so bpffs and cgroups stay in sight; other
 * threads never notice. What `function` throws goes on to the caller.
 */
static napi_value netns_call(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	char path[TEXT_BYTES_MAX];
	napi_valuetype type = napi_undefined;
	napi_value receiver;
	napi_value result = NULL;
	int before;
	int inside;

	text_argument(&call, 0, path);
	if (!call.error && (napi_typeof(env, call.arguments[1], &type) != napi_ok ||
			    type != napi_function))
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	inside = open(path, O_RDONLY | O_CLOEXEC);
	if (inside < 0)
		return answer(&call, -errno);
	before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (before < 0 || setns(inside, CLONE_NEWNET)) {
		call.error = -errno;
		close(inside);
		if (before >= 0)
			close(before);
		return answer(&call, call.error);
	}
	close(inside);
	napi_get_global(env, &receiver);
	napi_call_function(env, receiver, call.arguments[1], 0, NULL, &result);
	/* To go on in a foreign namespace would write to the wrong node's devices. */
	if (setns(before, CLONE_NEWNET))
		abort();
	close(before);
	return result;
}

/* netnsCookie(): of the namespace that this thread is in. */
static napi_value netns_cookie(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	int error = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return answer(&call, -errno);
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		error = -errno;
	close(fd);
	return error ? answer(&call, error) : answer_u64(&call, cookie);
}

/* bootNs(): CLOCK_BOOTTIME, which counts suspend. */
static napi_value boot_ns(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now))
		return answer(&call, -errno);
	return answer_u64(&call, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

const struct method netns_methods[] = {
	{ "netnsCall", netns_call },
	{ "netnsCookie", netns_cookie },
	{ "bootNs", boot_ns },
	{ 0 },
};
