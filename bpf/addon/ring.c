// SPDX-License-Identifier: Apache-2.0
/*
 * Ring buffers read in turns. libbpf's consumer runs until the ring is empty, which a fast producer
 * can put off for ever; here a turn ends after 4,096 records or 2 ms.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

#define TURN_RECORDS_MAX 4096
#define TURN_NS_MAX 2000000
#define CLOCK_STEP 128

struct ring {
	struct handle handle;
	size_t page;
	size_t size;
	uint64_t *consumer;
	/* The producer's position, then one page further the data, mapped twice in a row. */
	uint64_t *producer;
};

static void ring_release(struct handle *handle)
{
	struct ring *ring = (struct ring *)handle;

	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap(ring->producer, ring->page + 2 * ring->size);
}

static void *ring_map(const struct ring *ring, size_t size, off_t offset)
{
	int protection = offset ? PROT_READ : PROT_READ | PROT_WRITE;
	void *start = mmap(NULL, size, protection, MAP_SHARED, ring->handle.fd, offset);

	return start == MAP_FAILED ? NULL : start;
}

/* ringOpen(map): a reader of its own; two readers of one ring would steal from each other. */
static napi_value ring_open(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct map_handle *map = map_argument(&call, 0);
	struct ring *ring;

	if (!call.error && map->type != BPF_MAP_TYPE_RINGBUF)
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return answer(&call, -ENOMEM);
	ring->handle.kind = HANDLE_RING;
	ring->handle.release = ring_release;
	ring->handle.fd = fcntl(map->handle.fd, F_DUPFD_CLOEXEC, 3);
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	ring->size = map->entries_max;
	ring->consumer = ring_map(ring, ring->page, 0);
	ring->producer = ring_map(ring, ring->page + 2 * ring->size, (off_t)ring->page);
	if (!ring->consumer || !ring->producer) {
		call.error = -errno;
		handle_close(&ring->handle);
		free(ring);
		return answer(&call, call.error);
	}
	return answer_handle(&call, &ring->handle);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

struct turn {
	uint64_t at;
	uint32_t records;
	size_t used;
	bool stuck;
};

/* Takes one record; false when the turn is over. A record comes out as u32 size, u32 0, payload. */
static bool take_record(const struct ring *ring, struct bytes out, struct turn *turn)
{
	const unsigned char *cells = (const unsigned char *)ring->producer + ring->page;
	const unsigned char *record = cells + (turn->at & (ring->size - 1));
	uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
	uint32_t size = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	uint32_t prefix[2] = { size, 0 };

	if (header & BPF_RINGBUF_BUSY_BIT)
		return false;
	if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
		if (out.size - turn->used < sizeof(prefix) + padded(size)) {
			turn->stuck = turn->records == 0;
			return false;
		}
		memcpy(out.start + turn->used, prefix, sizeof(prefix));
		memcpy(out.start + turn->used + sizeof(prefix), record + BPF_RINGBUF_HDR_SZ, size);
		turn->used += sizeof(prefix) + padded(size);
		turn->records += 1;
	}
	turn->at += padded(size + BPF_RINGBUF_HDR_SZ);
	return true;
}

/* ringRead(ring, out): one turn. Answers [records, bytes of `out`, bytes still in the ring]. */
static napi_value ring_read(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct ring *ring = (struct ring *)handle_argument(&call, 0, HANDLE_RING);
	struct bytes out = bytes_argument(&call, 1);
	struct turn turn = { 0 };
	uint64_t end;
	uint64_t until;

	if (call.error)
		return answer(&call, call.error);
	turn.at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	until = monotonic_ns() + TURN_NS_MAX;
	while (turn.at < end && turn.records < TURN_RECORDS_MAX) {
		if (!take_record(ring, out, &turn))
			break;
		/* Room is given back in steps, so that the kernel can go on writing meanwhile. */
		if (turn.records % CLOCK_STEP == 0) {
			__atomic_store_n(ring->consumer, turn.at, __ATOMIC_RELEASE);
			if (monotonic_ns() >= until)
				break;
		}
	}
	__atomic_store_n(ring->consumer, turn.at, __ATOMIC_RELEASE);
	if (turn.stuck)
		return answer(&call, -ENOSPC);
	end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	return answer_numbers(&call, (int64_t[]){ turn.records, (int64_t)turn.used,
						  (int64_t)(end - turn.at) }, 3);
}

const struct method ring_methods[] = {
	{ "ringOpen", ring_open },
	{ "ringRead", ring_read },
	{ 0 },
};
