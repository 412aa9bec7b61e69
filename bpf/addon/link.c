// SPDX-License-Identifier: Apache-2.0
/*
 * Links by bpf(2) itself: libbpf 1.1 knows no TCX. The structs below are the parts of union
 * bpf_attr of Linux 6.6 that are used; older kernels accept them as long as the words that they do
 * not know are 0.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

#define QUERY_MAX 64

struct link_create {
	__u32 program_fd;
	__u32 target;
	__u32 attach_type;
	__u32 flags;
	__u32 relative;
	__u32 pad;
	__u64 expected_revision;
};

struct link_update {
	__u32 link_fd;
	__u32 program_fd;
	__u32 flags;
	__u32 old_program_fd;
};

struct link_facts {
	__u32 type;
	__u32 id;
	__u32 program_id;
	__u32 pad;
	/* ifindex and attach type of TCX; id (8 bytes) and attach type of a cgroup; ifindex of XDP. */
	__u32 words[8];
};

struct query {
	__u32 target;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 program_ids;
	__u32 count;
	__u32 pad;
	__u64 program_flags;
	__u64 link_ids;
	__u64 link_flags;
	__u64 revision;
};

static int bpf_call(int command, void *attributes, size_t size)
{
	long result = syscall(__NR_bpf, command, attributes, size);

	return result < 0 ? -errno : (int)result;
}

/*
 * The target of a hook: an ifindex, or the path of a cgroup, whose descriptor `opened` then is and
 * the caller closes.
 */
static uint32_t target_argument(struct call *call, size_t index, int *opened)
{
	char path[TEXT_BYTES_MAX];
	napi_valuetype type = napi_undefined;

	*opened = -1;
	if (call->error)
		return 0;
	napi_typeof(call->env, call->arguments[index], &type);
	if (type != napi_string)
		return u32_argument(call, index);
	text_argument(call, index, path);
	if (call->error)
		return 0;
	*opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*opened < 0) {
		call->error = -errno;
		return 0;
	}
	return (uint32_t)*opened;
}

/*
 * linkCreate(program, target, attachType, flags, relativeId): `flags` say before or after which
 * program or link id a TCX program goes.
 */
static napi_value link_create(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *program = handle_argument(&call, 0, HANDLE_PROGRAM);
	struct link_create create = { 0 };
	int opened = -1;
	int fd;

	create.attach_type = u32_argument(&call, 2);
	create.flags = u32_argument(&call, 3);
	create.relative = u32_argument(&call, 4);
	create.target = target_argument(&call, 1, &opened);
	if (call.error)
		return answer(&call, call.error);
	create.program_fd = (uint32_t)program->fd;
	fd = bpf_call(BPF_LINK_CREATE, &create, sizeof(create));
	if (opened >= 0)
		close(opened);
	return answer_fd(&call, HANDLE_LINK, fd);
}

/* linkUpdate(link, program): exchanges the program in place; no packet is without one. */
static napi_value link_update(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *link = handle_argument(&call, 0, HANDLE_LINK);
	struct handle *program = handle_argument(&call, 1, HANDLE_PROGRAM);
	struct link_update update = { 0 };

	if (call.error)
		return answer(&call, call.error);
	update.link_fd = (uint32_t)link->fd;
	update.program_fd = (uint32_t)program->fd;
	return answer(&call, bpf_call(BPF_LINK_UPDATE, &update, sizeof(update)));
}

/* linkDetach(link): off the hook at once, whatever pins remain. */
static napi_value link_detach(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *link = handle_argument(&call, 0, HANDLE_LINK);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_call(BPF_LINK_DETACH, &link->fd, sizeof(link->fd)));
}

/* linkFacts(link): [type, id, program id, eight words that depend on the type] */
static napi_value link_facts(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *link = handle_argument(&call, 0, HANDLE_LINK);
	struct link_facts facts = { 0 };
	int64_t words[11];
	struct {
		__u32 fd;
		__u32 size;
		__u64 facts;
	} ask = { .size = sizeof(facts), .facts = (uintptr_t)&facts };
	int error;

	if (call.error)
		return answer(&call, call.error);
	ask.fd = (uint32_t)link->fd;
	error = bpf_call(BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof(ask));
	if (error)
		return answer(&call, error);
	words[0] = facts.type;
	words[1] = facts.id;
	words[2] = facts.program_id;
	for (size_t index = 0; index < 8; index += 1)
		words[3 + index] = facts.words[index];
	return answer_numbers(&call, words, 11);
}

/* hookPrograms(target, attachType): ids of a hook's programs in the order in which they run. */
static napi_value hook_programs(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	__u32 ids[QUERY_MAX] = { 0 };
	int64_t answers[QUERY_MAX];
	struct query query = { .program_ids = (uintptr_t)ids, .count = QUERY_MAX };
	int opened = -1;
	int error;

	query.attach_type = u32_argument(&call, 1);
	query.target = target_argument(&call, 0, &opened);
	if (call.error)
		return answer(&call, call.error);
	error = bpf_call(BPF_PROG_QUERY, &query, sizeof(query));
	if (opened >= 0)
		close(opened);
	if (error)
		return answer(&call, error);
	for (size_t index = 0; index < query.count; index += 1)
		answers[index] = ids[index];
	return answer_numbers(&call, answers, query.count);
}

const struct method link_methods[] = {
	{ "linkCreate", link_create },
	{ "linkUpdate", link_update },
	{ "linkDetach", link_detach },
	{ "linkFacts", link_facts },
	{ "hookPrograms", hook_programs },
	{ 0 },
};
