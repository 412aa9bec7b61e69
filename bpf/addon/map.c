// SPDX-License-Identifier: Apache-2.0
/* Maps, one element at a time. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"

static bool per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static void map_release(struct handle *handle)
{
	struct map_handle *map = (struct map_handle *)handle;
	napi_value buffer;
	napi_handle_scope scope;

	if (!map->cells)
		return;
	/* Views in JavaScript become empty before the memory goes. */
	if (map->cells_buffer) {
		napi_open_handle_scope(map->env, &scope);
		if (napi_get_reference_value(map->env, map->cells_buffer, &buffer) == napi_ok && buffer)
			napi_detach_arraybuffer(map->env, buffer);
		napi_close_handle_scope(map->env, scope);
		napi_delete_reference(map->env, map->cells_buffer);
	}
	munmap(map->cells, map->cells_size);
	map->cells = NULL;
}

static int map_describe(struct map_handle *map)
{
	struct bpf_map_info facts = { 0 };
	uint32_t size = sizeof(facts);
	int cpus = libbpf_num_possible_cpus();
	int error;

	if (cpus < 0)
		return cpus;
	error = bpf_obj_get_info_by_fd(map->handle.fd, &facts, &size);
	if (error)
		return error;
	map->type = facts.type;
	map->key_size = facts.key_size;
	map->value_size = facts.value_size;
	map->entries_max = facts.max_entries;
	map->flags = facts.map_flags;
	map->id = facts.id;
	map->cpus = per_cpu(facts.type) ? cpus : 1;
	map->value_bytes = facts.value_size;
	if (per_cpu(facts.type))
		map->value_bytes = ((facts.value_size + 7) & ~7ULL) * map->cpus;
	return 0;
}

napi_value answer_map(struct call *call, int fd)
{
	struct map_handle *map;
	int error;

	if (fd < 0)
		return answer(call, fd);
	map = calloc(1, sizeof(*map));
	if (!map) {
		close(fd);
		return answer(call, -ENOMEM);
	}
	map->handle.kind = HANDLE_MAP;
	map->handle.fd = fd;
	map->handle.release = map_release;
	error = map_describe(map);
	if (error) {
		handle_close(&map->handle);
		free(map);
		return answer(call, error);
	}
	return answer_handle(call, &map->handle);
}

struct map_handle *map_argument(struct call *call, size_t index)
{
	return (struct map_handle *)handle_argument(call, index, HANDLE_MAP);
}

/* mapCreate(type, name, keySize, valueSize, entriesMax, flags) */
static napi_value map_create(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	LIBBPF_OPTS(bpf_map_create_opts, options);
	char name[TEXT_BYTES_MAX];
	uint32_t type = u32_argument(&call, 0);
	uint32_t key_size = u32_argument(&call, 2);
	uint32_t value_size = u32_argument(&call, 3);
	uint32_t entries_max = u32_argument(&call, 4);

	text_argument(&call, 1, name);
	options.map_flags = u32_argument(&call, 5);
	if (call.error)
		return answer(&call, call.error);
	return answer_map(&call, bpf_map_create(type, name, key_size, value_size, entries_max,
						&options));
}

/* mapFacts(map): [type, keySize, valueSize, entriesMax, flags, id, cpus, valueBytes] */
static napi_value map_facts(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);

	if (call.error)
		return answer(&call, call.error);
	return answer_numbers(&call, (int64_t[]){ map->type, map->key_size, map->value_size,
						  map->entries_max, map->flags, map->id, map->cpus,
						  map->value_bytes }, 8);
}

/* mapUpdate(map, key, value, flags) */
static napi_value map_update(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bytes key = bytes_argument(&call, 1);
	struct bytes value = bytes_argument(&call, 2);
	uint32_t flags = u32_argument(&call, 3);

	if (call.error)
		return answer(&call, call.error);
	if (key.size != map->key_size || value.size != map->value_bytes)
		return answer(&call, -EINVAL);
	return answer(&call, bpf_map_update_elem(map->handle.fd, key.start, value.start, flags));
}

/* mapDelete(map, key) */
static napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bytes key = bytes_argument(&call, 1);

	if (call.error)
		return answer(&call, call.error);
	if (key.size != map->key_size)
		return answer(&call, -EINVAL);
	return answer(&call, bpf_map_delete_elem(map->handle.fd, key.start));
}

/* mapLookup(map, key, value): fills `value`. */
static napi_value map_lookup(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bytes key = bytes_argument(&call, 1);
	struct bytes value = bytes_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	if (key.size != map->key_size || value.size != map->value_bytes)
		return answer(&call, -EINVAL);
	return answer(&call, bpf_map_lookup_elem(map->handle.fd, key.start, value.start));
}

/* mapNext(map, key or undefined, next): fills `next` with the key after `key`, or the first. */
static napi_value map_next(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bytes key = optional_bytes_argument(&call, 1);
	struct bytes next = bytes_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	if ((key.start && key.size != map->key_size) || next.size != map->key_size)
		return answer(&call, -EINVAL);
	return answer(&call, bpf_map_get_next_key(map->handle.fd, key.start, next.start));
}

static bool mappable(const struct map_handle *map)
{
	return map->type == BPF_MAP_TYPE_ARRAY && map->flags & BPF_F_MMAPABLE;
}

/*
 * mapCells(map): the cells of a mmapable array as an ArrayBuffer over the kernel's own pages,
 * cells rounded up to 8 bytes. Closing the handle makes it empty.
 */
static napi_value map_cells(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size;
	napi_value buffer = NULL;

	if (call.error)
		return answer(&call, call.error);
	if (!mappable(map))
		return answer(&call, -EINVAL);
	if (map->cells) {
		napi_get_reference_value(env, map->cells_buffer, &buffer);
		return buffer;
	}
	size = ((map->value_size + 7ULL) & ~7ULL) * map->entries_max;
	map->cells_size = (size + page - 1) & ~(page - 1);
	map->cells = mmap(NULL, map->cells_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  map->handle.fd, 0);
	if (map->cells == MAP_FAILED) {
		map->cells = NULL;
		return answer(&call, -errno);
	}
	map->env = env;
	/* The buffer is held strongly: a view must never outlive the mapping unseen. */
	if (napi_create_external_arraybuffer(env, map->cells, size, NULL, NULL, &buffer) != napi_ok ||
	    napi_create_reference(env, buffer, 1, &map->cells_buffer) != napi_ok) {
		munmap(map->cells, map->cells_size);
		map->cells = NULL;
		return answer(&call, -ENOMEM);
	}
	return buffer;
}

const struct method map_methods[] = {
	{ "mapCreate", map_create },
	{ "mapFacts", map_facts },
	{ "mapUpdate", map_update },
	{ "mapDelete", map_delete },
	{ "mapLookup", map_lookup },
	{ "mapNext", map_next },
	{ "mapCells", map_cells },
	{ 0 },
};
