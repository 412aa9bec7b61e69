// SPDX-License-Identifier: Apache-2.0
/* Filters of the clsact qdisc, for kernels before 6.6. They stay until they are removed. */
#include <bpf/libbpf.h>
#include <string.h>

#include "addon.h"

struct filter {
	struct bpf_tc_hook hook;
	struct bpf_tc_opts options;
};

/* ifindex, direction (1 ingress, 2 egress), priority and handle from the second argument on. */
static void filter_argument(struct call *call, size_t index, struct filter *filter)
{
	uint32_t ifindex = u32_argument(call, index);
	uint32_t direction = u32_argument(call, index + 1);

	/* libbpf looks at the padding too. */
	memset(filter, 0, sizeof(*filter));
	filter->hook.sz = sizeof(filter->hook);
	filter->options.sz = sizeof(filter->options);
	filter->options.priority = u32_argument(call, index + 2);
	filter->options.handle = u32_argument(call, index + 3);
	if (!call->error && (ifindex == 0 || ifindex > INT32_MAX ||
			     (direction != BPF_TC_INGRESS && direction != BPF_TC_EGRESS) ||
			     !filter->options.priority || !filter->options.handle))
		call->error = -EINVAL;
	filter->hook.ifindex = (int)ifindex;
	filter->hook.attach_point = direction;
}

static int filter_query(const struct filter *filter, uint32_t *program_id)
{
	struct bpf_tc_opts asked;
	int error;

	memcpy(&asked, &filter->options, sizeof(asked));
	error = bpf_tc_query(&filter->hook, &asked);
	*program_id = asked.prog_id;
	return error;
}

/* filterQuery(ifindex, direction, priority, handle): the id of the program there, or -ENOENT. */
static napi_value filter_query_call(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct filter filter;
	uint32_t program_id = 0;
	int error;

	filter_argument(&call, 0, &filter);
	if (call.error)
		return answer(&call, call.error);
	error = filter_query(&filter, &program_id);
	return answer(&call, error ? error : (int64_t)program_id);
}

/*
 * filterAttach(program, ifindex, direction, priority, handle, expectedId): makes the qdisc and the
 * filter. With expectedId 0 the place must be empty; else the program there must have that id and
 * is exchanged in place. -EEXIST when somebody else's filter is there.
 */
static napi_value filter_attach(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *program = handle_argument(&call, 0, HANDLE_PROGRAM);
	struct filter filter;
	uint32_t expected_id = u32_argument(&call, 5);
	uint32_t present_id = 0;
	int error;

	filter_argument(&call, 1, &filter);
	if (call.error)
		return answer(&call, call.error);
	error = bpf_tc_hook_create(&filter.hook);
	if (error && error != -EEXIST)
		return answer(&call, error);
	if (expected_id) {
		error = filter_query(&filter, &present_id);
		if (error)
			return answer(&call, error);
		if (present_id != expected_id)
			return answer(&call, -EEXIST);
		filter.options.flags = BPF_TC_F_REPLACE;
	}
	filter.options.prog_fd = program->fd;
	return answer(&call, bpf_tc_attach(&filter.hook, &filter.options));
}

/* filterDetach(ifindex, direction, priority, handle, expectedId): -EEXIST for another program. */
static napi_value filter_detach(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct filter filter;
	uint32_t expected_id = u32_argument(&call, 4);
	uint32_t present_id = 0;
	int error;

	filter_argument(&call, 0, &filter);
	if (call.error)
		return answer(&call, call.error);
	error = filter_query(&filter, &present_id);
	if (error)
		return answer(&call, error);
	if (present_id != expected_id)
		return answer(&call, -EEXIST);
	return answer(&call, bpf_tc_detach(&filter.hook, &filter.options));
}

const struct method clsact_methods[] = {
	{ "filterQuery", filter_query_call },
	{ "filterAttach", filter_attach },
	{ "filterDetach", filter_detach },
	{ 0 },
};
