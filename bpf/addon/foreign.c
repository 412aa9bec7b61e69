// SPDX-License-Identifier: Apache-2.0
/* Programs of other owners, by their id. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "addon.h"

#define MAPS_MAX 256

static size_t append_map(uint32_t id, char *text, size_t size)
{
	struct bpf_map_info facts = { 0 };
	uint32_t facts_size = sizeof(facts);
	int fd = bpf_map_get_fd_by_id(id);
	int written = 0;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &facts, &facts_size))
		written = snprintf(text, size, "\n%s", facts.name);
	close(fd);
	return written > 0 && (size_t)written < size ? (size_t)written : 0;
}

/*
 * programNames(id): the name of a loaded program and those of its maps, each a line; the kernel
 * keeps 15 bytes of each.
 */
static napi_value program_names(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint32_t id = u32_argument(&call, 0);
	char text[MAPS_MAX * (BPF_OBJ_NAME_LEN + 1)];
	struct bpf_prog_info facts = { 0 };
	uint32_t facts_size = sizeof(facts);
	uint32_t maps[MAPS_MAX];
	size_t used;
	int error;
	int fd;

	if (call.error)
		return answer(&call, call.error);
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return answer(&call, fd);
	facts.nr_map_ids = MAPS_MAX;
	facts.map_ids = (uintptr_t)maps;
	error = bpf_obj_get_info_by_fd(fd, &facts, &facts_size);
	close(fd);
	if (error)
		return answer(&call, error);
	used = (size_t)snprintf(text, sizeof(text), "%s", facts.name);
	for (uint32_t index = 0; index < facts.nr_map_ids && index < MAPS_MAX; index += 1)
		used += append_map(maps[index], text + used, sizeof(text) - used);
	return answer_text(&call, text);
}

const struct method foreign_methods[] = {
	{ "programNames", program_names },
	{ 0 },
};
