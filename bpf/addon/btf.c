// SPDX-License-Identifier: Apache-2.0
/* What the kernel knows of the types of a map's keys and values. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"

/* mapTypes(map): [btf, key, value], ids of a BTF and of two types in it; 0 where there is none. */
static napi_value map_types(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bpf_map_info facts = { 0 };
	uint32_t size = sizeof(facts);
	int error;

	if (call.error)
		return answer(&call, call.error);
	error = bpf_obj_get_info_by_fd(map->handle.fd, &facts, &size);
	if (error)
		return answer(&call, error);
	return answer_numbers(&call, (int64_t[]){ facts.btf_id, facts.btf_key_type_id,
						  facts.btf_value_type_id }, 3);
}

/* Gives the size of the BTF, and its bytes where there is room for them. */
static int btf_read(int fd, void *start, uint32_t *bytes)
{
	struct bpf_btf_info facts = { 0 };
	uint32_t size = sizeof(facts);
	int error;

	facts.btf = (uintptr_t)start;
	facts.btf_size = *bytes;
	error = bpf_obj_get_info_by_fd(fd, &facts, &size);
	*bytes = facts.btf_size;
	return error;
}

/* btfBytes(id): as an object file would have them in its section .BTF. */
static napi_value btf_bytes(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint32_t id = u32_argument(&call, 0);
	uint32_t bytes = 0;
	napi_value answered;
	void *start = NULL;
	int fd, error;

	if (call.error)
		return answer(&call, call.error);
	fd = bpf_btf_get_fd_by_id(id);
	if (fd < 0)
		return answer(&call, fd);
	error = btf_read(fd, NULL, &bytes);
	if (!error) {
		start = malloc(bytes);
		error = start ? btf_read(fd, start, &bytes) : -ENOMEM;
	}
	answered = error ? answer(&call, error) : answer_bytes(&call, start, bytes);
	free(start);
	close(fd);
	return answered;
}

const struct method btf_methods[] = {
	{ "mapTypes", map_types },
	{ "btfBytes", btf_bytes },
	{ 0 },
};
