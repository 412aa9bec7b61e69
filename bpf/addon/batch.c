// SPDX-License-Identifier: Apache-2.0
/*
 * Maps, many elements in as few system calls as possible. Writes are done in order and stop at the
 * first refusal; the answer is [elements done, 0 or negative errno].
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* What the kernel answers for a map type without batch calls; not in the C library's errno.h. */
#define KERNEL_ENOTSUPP 524

struct batch {
	struct map_handle *map;
	struct bytes keys;
	struct bytes values;
	uint32_t count;
};

static napi_value answer_batch(struct call *call, uint32_t done, int error)
{
	return answer_numbers(call, (int64_t[]){ done, error }, 2);
}

static bool batch_fits(const struct batch *batch, bool values)
{
	size_t count = batch->count;

	return batch->keys.size == count * batch->map->key_size &&
	       (!values || batch->values.size == count * batch->map->value_bytes);
}

static int update_singly(const struct batch *batch, uint32_t flags, uint32_t *done)
{
	const struct map_handle *map = batch->map;
	int error;

	for (; *done < batch->count; *done += 1) {
		error = bpf_map_update_elem(map->handle.fd,
					    batch->keys.start + (size_t)*done * map->key_size,
					    batch->values.start + (size_t)*done * map->value_bytes,
					    flags);
		if (error)
			return error;
	}
	return 0;
}

/* mapUpdateBatch(map, keys, values, count, flags) */
static napi_value map_update_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	struct call call = call_of(env, info);
	struct batch batch = {
		.map = map_argument(&call, 0),
		.keys = bytes_argument(&call, 1),
		.values = bytes_argument(&call, 2),
		.count = u32_argument(&call, 3),
	};
	uint32_t flags = u32_argument(&call, 4);
	uint32_t done = batch.count;
	int error;

	if (!call.error && !batch_fits(&batch, true))
		call.error = -EINVAL;
	if (call.error)
		return answer_batch(&call, 0, call.error);
	if (batch.count == 0)
		return answer_batch(&call, 0, 0);
	/* The kernel's batch takes no BPF_NOEXIST and no BPF_EXIST (generic_map_update_batch). */
	error = -KERNEL_ENOTSUPP;
	if (flags == BPF_ANY)
		error = bpf_map_update_batch(batch.map->handle.fd, batch.keys.start,
					     batch.values.start, &done, &options);
	if (error == -KERNEL_ENOTSUPP) {
		done = 0;
		error = update_singly(&batch, flags, &done);
	}
	return answer_batch(&call, error ? done : batch.count, error);
}

static int delete_singly(const struct batch *batch, uint32_t *done)
{
	const struct map_handle *map = batch->map;
	int error;

	for (; *done < batch->count; *done += 1) {
		error = bpf_map_delete_elem(map->handle.fd,
					    batch->keys.start + (size_t)*done * map->key_size);
		if (error && error != -ENOENT)
			return error;
	}
	return 0;
}

/* mapDeleteBatch(map, keys, count): an absent key counts as deleted. */
static napi_value map_delete_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	struct call call = call_of(env, info);
	struct batch batch = {
		.map = map_argument(&call, 0),
		.keys = bytes_argument(&call, 1),
		.count = u32_argument(&call, 2),
	};
	uint32_t done = 0;
	int error = 0;

	if (!call.error && !batch_fits(&batch, false))
		call.error = -EINVAL;
	if (call.error)
		return answer_batch(&call, 0, call.error);
	while (done < batch.count) {
		uint32_t part = batch.count - done;
		size_t offset = (size_t)done * batch.map->key_size;

		error = bpf_map_delete_batch(batch.map->handle.fd, batch.keys.start + offset, &part,
					     &options);
		if (error == -KERNEL_ENOTSUPP) {
			error = delete_singly(&batch, &done);
			break;
		}
		done += part;
		/* The kernel stops in front of a key that is absent. */
		if (error == -ENOENT && done < batch.count)
			done += 1;
		else if (error)
			break;
		error = 0;
	}
	return answer_batch(&call, done, error);
}

/*
 * mapLookupEach(map, keys, values, present, count): the value of each key, and in `present` a byte
 * for each: 1, or 0 for a key that is not there. One system call each: the kernel has no batch of
 * given keys.
 */
static napi_value map_lookup_each(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct batch batch = {
		.map = map,
		.keys = bytes_argument(&call, 1),
		.values = bytes_argument(&call, 2),
	};
	struct bytes present = bytes_argument(&call, 3);
	int error;

	batch.count = u32_argument(&call, 4);
	if (!call.error && (!batch_fits(&batch, true) || present.size != batch.count))
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	for (size_t row = 0; row < batch.count; row += 1) {
		error = bpf_map_lookup_elem(map->handle.fd, batch.keys.start + row * map->key_size,
					    batch.values.start + row * map->value_bytes);
		if (error && error != -ENOENT)
			return answer(&call, error);
		present.start[row] = !error;
	}
	return answer(&call, 0);
}

/*
 * mapReadBatch(map, first, cursor, keys, values, count): the next elements of a walk. `cursor`
 * holds the place between calls and has the size of a key, at least 4 bytes. Answers [elements, 1
 * when more may follow, 0 when the walk is over, or a negative errno]; -ENOSPC asks for more room.
 */
static napi_value map_read_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	bool first = boolean_argument(&call, 1);
	struct bytes cursor = bytes_argument(&call, 2);
	struct batch batch = {
		.map = map,
		.keys = bytes_argument(&call, 3),
		.values = bytes_argument(&call, 4),
		.count = u32_argument(&call, 5),
	};
	uint32_t count = batch.count;
	int error;

	if (!call.error && (cursor.size != (map->key_size < 4 ? 4 : map->key_size) || !count ||
			    !batch_fits(&batch, true)))
		call.error = -EINVAL;
	if (call.error)
		return answer_batch(&call, 0, call.error);
	error = bpf_map_lookup_batch(map->handle.fd, first ? NULL : cursor.start, cursor.start,
				     batch.keys.start, batch.values.start, &count, &options);
	if (error == -ENOENT)
		return answer_batch(&call, count, 0);
	return answer_batch(&call, error ? 0 : count, error ? error : 1);
}

/*
 * mapSum(map, values, sums, count): adds up the 64-bit words of per-CPU values, value by value.
 */
static napi_value map_sum(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct bytes values = bytes_argument(&call, 1);
	struct bytes sums = bytes_argument(&call, 2);
	uint32_t count = u32_argument(&call, 3);

	if (call.error)
		return answer(&call, call.error);
	if (map->value_size % 8 || values.size != count * map->value_bytes ||
	    sums.size != (size_t)count * map->value_size)
		return answer(&call, -EINVAL);
	if (!count)
		return answer(&call, 0);
	memset(sums.start, 0, sums.size);
	for (size_t at = 0; at < values.size; at += 8) {
		size_t target = at / map->value_bytes * map->value_size + at % map->value_size;
		uint64_t term;
		uint64_t sum;

		/* A view of JavaScript may begin at any address. */
		memcpy(&term, values.start + at, 8);
		memcpy(&sum, sums.start + target, 8);
		sum += term;
		memcpy(sums.start + target, &sum, 8);
	}
	return answer(&call, 0);
}

const struct method batch_methods[] = {
	{ "mapUpdateBatch", map_update_batch },
	{ "mapDeleteBatch", map_delete_batch },
	{ "mapLookupEach", map_lookup_each },
	{ "mapReadBatch", map_read_batch },
	{ "mapSum", map_sum },
	{ 0 },
};
