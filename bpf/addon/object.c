// SPDX-License-Identifier: Apache-2.0
/* Object files: opened from bytes, set up, loaded, and taken apart into handles. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

#define LOG_BYTES_MAX (1 << 20)

struct object_handle {
	struct handle handle;
	struct bpf_object *object;
	/* libbpf reads from the file's bytes as long as the object is open. */
	void *file;
};

/*
 * What libbpf said since the log was last taken, the verifier's words included. It has one print
 * function for the whole process, and this addon calls it from one thread only.
 */
static struct {
	char text[LOG_BYTES_MAX];
	size_t size;
} heard;

static int hear(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t room = sizeof(heard.text) - heard.size;
	int size;

	if (level == LIBBPF_DEBUG || room <= 1)
		return 0;
	size = vsnprintf(heard.text + heard.size, room, format, arguments);
	if (size > 0)
		heard.size += (size_t)size < room ? (size_t)size : room - 1;
	return size;
}

void listen_to_libbpf(void)
{
	libbpf_set_print(hear);
}

/* takeLog(): what libbpf and the verifier said since the last call. */
static napi_value take_log(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	napi_value text;

	heard.text[heard.size] = 0;
	text = answer_text(&call, heard.text);
	heard.size = 0;
	return text;
}

static void object_release(struct handle *handle)
{
	struct object_handle *of = (struct object_handle *)handle;

	bpf_object__close(of->object);
	of->object = NULL;
	free(of->file);
	of->file = NULL;
}

static struct bpf_object *object_argument(struct call *call, size_t index)
{
	struct object_handle *of;

	of = (struct object_handle *)handle_argument(call, index, HANDLE_OBJECT);
	return of ? of->object : NULL;
}

/* objectOpen(bytes): the ELF file is copied. */
static napi_value object_open(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "fairlead");
	struct call call = call_of(env, info);
	struct bytes file = bytes_argument(&call, 0);
	struct object_handle *of;

	if (!call.error && !file.size)
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	of = calloc(1, sizeof(*of));
	if (!of)
		return answer(&call, -ENOMEM);
	of->handle.kind = HANDLE_OBJECT;
	of->handle.fd = -1;
	of->handle.release = object_release;
	of->file = malloc(file.size);
	if (!of->file) {
		call.error = -ENOMEM;
	} else {
		memcpy(of->file, file.start, file.size);
		of->object = bpf_object__open_mem(of->file, file.size, &options);
		if (!of->object)
			call.error = -errno;
	}
	if (call.error) {
		handle_close(&of->handle);
		free(of);
		return answer(&call, call.error);
	}
	return answer_handle(&call, &of->handle);
}

/* The map that the arguments (object, name, …) mean. */
static struct bpf_map *named_map(struct call *call)
{
	struct bpf_object *object = object_argument(call, 0);
	char name[TEXT_BYTES_MAX];
	struct bpf_map *map;

	text_argument(call, 1, name);
	if (call->error)
		return NULL;
	map = bpf_object__find_map_by_name(object, name);
	if (!map)
		call->error = -ENOENT;
	return map;
}

static void set_number(napi_env env, napi_value record, const char *name, int64_t value)
{
	napi_value number;

	napi_create_int64(env, value, &number);
	napi_set_named_property(env, record, name, number);
}

static void set_text(napi_env env, napi_value record, const char *name, const char *value)
{
	napi_value text;

	napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &text);
	napi_set_named_property(env, record, name, text);
}

/* A record, at the end of a list. */
static napi_value appended_record(napi_env env, napi_value list)
{
	napi_value record;
	uint32_t at;

	napi_create_object(env, &record);
	napi_get_array_length(env, list, &at);
	napi_set_element(env, list, at, record);
	return record;
}

/* objectMaps(object): the maps that it declares, in the order of the file. */
static napi_value object_maps(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_object *object = object_argument(&call, 0);
	struct bpf_map *map;
	napi_value list;

	if (call.error)
		return answer(&call, call.error);
	napi_create_array(env, &list);
	bpf_object__for_each_map(map, object) {
		napi_value record = appended_record(env, list);

		set_text(env, record, "name", bpf_map__name(map));
		set_number(env, record, "type", bpf_map__type(map));
		set_number(env, record, "keySize", bpf_map__key_size(map));
		set_number(env, record, "valueSize", bpf_map__value_size(map));
		set_number(env, record, "entriesMax", bpf_map__max_entries(map));
		set_number(env, record, "flags", bpf_map__map_flags(map));
		set_number(env, record, "internal", bpf_map__is_internal(map));
	}
	return list;
}

/* objectPrograms(object): the entry programs, in the order of the file. */
static napi_value object_programs(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_object *object = object_argument(&call, 0);
	struct bpf_program *program;
	napi_value list;

	if (call.error)
		return answer(&call, call.error);
	napi_create_array(env, &list);
	bpf_object__for_each_program(program, object) {
		napi_value record = appended_record(env, list);

		set_text(env, record, "name", bpf_program__name(program));
		set_text(env, record, "section", bpf_program__section_name(program));
		set_number(env, record, "type", bpf_program__type(program));
		set_number(env, record, "attachType",
			   bpf_program__expected_attach_type(program));
	}
	return list;
}

static void append_variables(napi_env env, const struct btf *btf, uint32_t section, napi_value list)
{
	const struct btf_type *type = btf__type_by_id(btf, section);
	const struct btf_var_secinfo *variable = btf_var_secinfos(type);
	const char *map = btf__name_by_offset(btf, type->name_off);

	for (int index = 0; index < btf_vlen(type); index += 1, variable += 1) {
		const struct btf_type *of = btf__type_by_id(btf, variable->type);
		napi_value record = appended_record(env, list);

		set_text(env, record, "name", btf__name_by_offset(btf, of->name_off));
		set_text(env, record, "section", map);
		set_number(env, record, "offset", variable->offset);
		set_number(env, record, "size", variable->size);
	}
}

/*
 * objectVariables(object): where each global variable lies in its section. libbpf has corrected
 * the offsets, which clang leaves at 0.
 */
static napi_value object_variables(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_object *object = object_argument(&call, 0);
	const struct btf *btf;
	napi_value list;

	if (call.error)
		return answer(&call, call.error);
	napi_create_array(env, &list);
	btf = bpf_object__btf(object);
	for (uint32_t id = 1; btf && id < btf__type_cnt(btf); id += 1) {
		if (btf_is_datasec(btf__type_by_id(btf, id)))
			append_variables(env, btf, id, list);
	}
	return list;
}

/* objectInitial(object, map): the bytes that a section such as .rodata starts with. */
static napi_value object_initial(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_map *map = named_map(&call);
	const void *start;
	size_t size = 0;

	if (call.error)
		return answer(&call, call.error);
	start = bpf_map__initial_value(map, &size);
	return start ? answer_bytes(&call, start, size) : answer(&call, -EINVAL);
}

/* objectSetInitial(object, map, bytes): as long as the section, and before it is loaded. */
static napi_value object_set_initial(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_map *map = named_map(&call);
	struct bytes bytes = bytes_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_map__set_initial_value(map, bytes.start, bytes.size));
}

/* objectSetEntries(object, map, entriesMax): before it is loaded. */
static napi_value object_set_entries(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_map *map = named_map(&call);
	uint32_t entries_max = u32_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_map__set_max_entries(map, entries_max));
}

/* objectReuse(object, name, map): the program will use this map in place of a new one. */
static napi_value object_reuse(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_map *map = named_map(&call);
	struct map_handle *present = map_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_map__reuse_fd(map, present->handle.fd));
}

/* The program that the arguments (object, name, …) mean. */
static struct bpf_program *named_program(struct call *call)
{
	struct bpf_object *object = object_argument(call, 0);
	char name[TEXT_BYTES_MAX];
	struct bpf_program *program;

	text_argument(call, 1, name);
	if (call->error)
		return NULL;
	program = bpf_object__find_program_by_name(object, name);
	if (!program)
		call->error = -ENOENT;
	return program;
}

/* objectAutoload(object, program, wanted): a program that is not wanted is not loaded. */
static napi_value object_autoload(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_program *program = named_program(&call);
	bool wanted = boolean_argument(&call, 2);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_program__set_autoload(program, wanted));
}

/* objectLoad(object): creates maps and verifies programs; takeLog() tells why it refused. */
static napi_value object_load(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_object *object = object_argument(&call, 0);

	if (call.error)
		return answer(&call, call.error);
	return answer(&call, bpf_object__load(object));
}

static int duplicate(int fd)
{
	int copy;

	if (fd < 0)
		return -ENOENT;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

/* objectMap(object, name): a handle that lives on when the object is closed. */
static napi_value object_map(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_map *map = named_map(&call);

	if (call.error)
		return answer(&call, call.error);
	return answer_map(&call, duplicate(bpf_map__fd(map)));
}

/* objectProgram(object, name): a handle that lives on when the object is closed. */
static napi_value object_program(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct bpf_program *program = named_program(&call);

	if (call.error)
		return answer(&call, call.error);
	return answer_fd(&call, HANDLE_PROGRAM, duplicate(bpf_program__fd(program)));
}

const struct method object_methods[] = {
	{ "takeLog", take_log },
	{ "objectOpen", object_open },
	{ "objectMaps", object_maps },
	{ "objectPrograms", object_programs },
	{ "objectVariables", object_variables },
	{ "objectInitial", object_initial },
	{ "objectSetInitial", object_set_initial },
	{ "objectSetEntries", object_set_entries },
	{ "objectReuse", object_reuse },
	{ "objectAutoload", object_autoload },
	{ "objectLoad", object_load },
	{ "objectMap", object_map },
	{ "objectProgram", object_program },
	{ 0 },
};
