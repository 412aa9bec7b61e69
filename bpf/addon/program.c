// SPDX-License-Identifier: Apache-2.0
/* Programs: small ones loaded from instructions, pins, facts, and runs over a given packet. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

/* programLoad(type, attachType, instructions): GPL-compatible, without maps or BTF; a probe. */
static napi_value program_load(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .attempts = 1);
	struct call call = call_of(env, info);
	uint32_t type = u32_argument(&call, 0);
	struct bytes code = bytes_argument(&call, 2);

	options.expected_attach_type = u32_argument(&call, 1);
	if (!call.error && (code.size == 0 || code.size % sizeof(struct bpf_insn)))
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	return answer_fd(&call, HANDLE_PROGRAM,
			 bpf_prog_load(type, "probe", "Dual MIT/GPL",
				       (const struct bpf_insn *)code.start,
				       code.size / sizeof(struct bpf_insn), &options));
}

/* programFacts(program): [id, type, verified instructions, bytes of machine code, run ns, runs] */
static napi_value program_facts(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *program = handle_argument(&call, 0, HANDLE_PROGRAM);
	struct bpf_prog_info facts = { 0 };
	uint32_t size = sizeof(facts);
	int error;

	if (call.error)
		return answer(&call, call.error);
	error = bpf_obj_get_info_by_fd(program->fd, &facts, &size);
	if (error)
		return answer(&call, error);
	return answer_numbers(&call, (int64_t[]){ facts.id, facts.type, facts.verified_insns,
						  facts.jited_prog_len, facts.run_time_ns,
						  facts.run_cnt }, 6);
}

/*
 * programRun(program, packet, packetOut, context, contextOut, repeat): BPF_PROG_TEST_RUN. Answers
 * [return value, mean ns, bytes of packetOut, bytes of contextOut]; an absent buffer is undefined.
 */
static napi_value program_run(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct call call = call_of(env, info);
	struct handle *program = handle_argument(&call, 0, HANDLE_PROGRAM);
	struct bytes packet = optional_bytes_argument(&call, 1);
	struct bytes packet_out = optional_bytes_argument(&call, 2);
	struct bytes context = optional_bytes_argument(&call, 3);
	struct bytes context_out = optional_bytes_argument(&call, 4);
	uint32_t repeat = u32_argument(&call, 5);
	int error;

	if (!call.error && repeat > INT32_MAX)
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	run.data_in = packet.start;
	run.data_size_in = packet.size;
	run.data_out = packet_out.start;
	run.data_size_out = packet_out.size;
	run.ctx_in = context.start;
	run.ctx_size_in = context.size;
	run.ctx_out = context_out.start;
	run.ctx_size_out = context_out.size;
	run.repeat = (int)repeat;
	error = bpf_prog_test_run_opts(program->fd, &run);
	if (error)
		return answer(&call, error);
	return answer_numbers(&call, (int64_t[]){ run.retval, run.duration, run.data_size_out,
						  run.ctx_size_out }, 4);
}

/* pin(handle, kind, path): of a map, program or link. */
static napi_value pin(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint32_t kind = u32_argument(&call, 1);
	struct handle *handle;
	char path[TEXT_BYTES_MAX];

	text_argument(&call, 2, path);
	if (!call.error && (kind < HANDLE_MAP || kind > HANDLE_LINK))
		call.error = -EINVAL;
	handle = handle_argument(&call, 0, kind);
	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_obj_pin(handle->fd, path));
}

/* Which of the three a descriptor is; facts of one kind would be misread as those of another. */
static enum handle_kind kind_of(int fd)
{
	static const struct {
		const char *target;
		enum handle_kind kind;
	} known[] = {
		{ "anon_inode:bpf-map", HANDLE_MAP },
		{ "anon_inode:bpf-prog", HANDLE_PROGRAM },
		/* A link has the one name when it is made and the other when a pin is opened. */
		{ "anon_inode:bpf_link", HANDLE_LINK },
		{ "anon_inode:bpf-link", HANDLE_LINK },
	};
	char path[64];
	char target[64] = { 0 };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return HANDLE_KINDS;
	for (size_t index = 0; index < sizeof(known) / sizeof(known[0]); index += 1) {
		if (strcmp(target, known[index].target) == 0)
			return known[index].kind;
	}
	return HANDLE_KINDS;
}

/* openPinned(kind, path): -EINVAL when something else is pinned there. */
static napi_value open_pinned(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint32_t kind = u32_argument(&call, 0);
	char path[TEXT_BYTES_MAX];
	int fd;

	text_argument(&call, 1, path);
	if (call.error)
		return answer(&call, call.error);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return answer(&call, fd);
	if (kind_of(fd) != kind) {
		close(fd);
		return answer(&call, -EINVAL);
	}
	if (kind == HANDLE_MAP)
		return answer_map(&call, fd);
	return answer_fd(&call, kind, fd);
}

const struct method program_methods[] = {
	{ "programLoad", program_load },
	{ "programFacts", program_facts },
	{ "programRun", program_run },
	{ "pin", pin },
	{ "openPinned", open_pinned },
	{ 0 },
};
