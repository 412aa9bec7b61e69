/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the addon share. Every function that JavaScript calls takes handles, bytes,
 * numbers and texts, and returns a value or a negative errno. It never throws for a refusal of the
 * kernel or for a wrong argument, and it never takes an address.
 */
#ifndef FAIRLEAD_ADDON_H
#define FAIRLEAD_ADDON_H

#define NAPI_VERSION 8

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <node_api.h>

#define ARGUMENTS_MAX 8
#define TEXT_BYTES_MAX 4096

enum handle_kind {
	HANDLE_OBJECT = 1,
	HANDLE_MAP,
	HANDLE_PROGRAM,
	HANDLE_LINK,
	HANDLE_RING,
	HANDLE_SOCKET,
	HANDLE_LOCK,
	HANDLE_KINDS
};

struct watcher;

/*
 * One thing of the kernel that one JavaScript object owns. `close` releases it at once; the
 * finalizer of the object is the net under it. A closed handle stays valid memory.
 */
struct handle {
	enum handle_kind kind;
	bool open;
	/* -1 for what has no descriptor. */
	int fd;
	struct watcher *watcher;
	/* What goes besides the descriptor; called once. */
	void (*release)(struct handle *handle);
};

struct bytes {
	unsigned char *start;
	size_t size;
};

/* One call from JavaScript. The first wrong argument stays in `error`; later ones are not read. */
struct call {
	napi_env env;
	napi_value arguments[ARGUMENTS_MAX];
	size_t count;
	int error;
};

struct method {
	const char *name;
	napi_callback body;
};

struct call call_of(napi_env env, napi_callback_info info);
bool argument_given(struct call *call, size_t index);
struct handle *handle_argument(struct call *call, size_t index, enum handle_kind kind);
struct bytes bytes_argument(struct call *call, size_t index);
struct bytes optional_bytes_argument(struct call *call, size_t index);
uint32_t u32_argument(struct call *call, size_t index);
uint64_t u64_argument(struct call *call, size_t index);
bool boolean_argument(struct call *call, size_t index);
/* Fills `text`, TEXT_BYTES_MAX long; a text with a zero inside is refused. */
void text_argument(struct call *call, size_t index, char *text);

napi_value answer(struct call *call, int64_t value);
napi_value answer_u64(struct call *call, uint64_t value);
napi_value answer_text(struct call *call, const char *text);
/* A list of numbers. */
napi_value answer_numbers(struct call *call, const int64_t *values, size_t count);
/* A fresh Uint8Array that holds a copy. */
napi_value answer_bytes(struct call *call, const void *start, size_t size);

/* Wraps a zeroed allocation that begins with a struct handle; on failure it is released. */
napi_value answer_handle(struct call *call, struct handle *handle);
void handle_close(struct handle *handle);
void handle_watch_stop(struct handle *handle);

struct map_handle {
	struct handle handle;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t entries_max;
	uint32_t flags;
	uint32_t id;
	/* 1, or the number of possible CPUs of a per-CPU map. */
	uint32_t cpus;
	/* Bytes of one value as the kernel copies it: per-CPU values are rounded up to 8 each. */
	size_t value_bytes;
	/* The mapped cells of a mmapable array, or NULL. */
	void *cells;
	size_t cells_size;
	napi_env env;
	napi_ref cells_buffer;
};

/* What libbpf says goes to takeLog() instead of stderr. */
void listen_to_libbpf(void);
/* Takes over `fd`, also when it fails. */
napi_value answer_map(struct call *call, int fd);
/* A program or a link by its descriptor, which it takes over. */
napi_value answer_fd(struct call *call, enum handle_kind kind, int fd);
struct map_handle *map_argument(struct call *call, size_t index);

extern const struct method handle_methods[];
extern const struct method object_methods[];
extern const struct method map_methods[];
extern const struct method batch_methods[];
extern const struct method btf_methods[];
extern const struct method program_methods[];
extern const struct method link_methods[];
extern const struct method clsact_methods[];
extern const struct method ring_methods[];
extern const struct method netns_methods[];
extern const struct method socket_methods[];
extern const struct method lock_methods[];
extern const struct method foreign_methods[];

#endif
