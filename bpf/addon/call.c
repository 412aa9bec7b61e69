// SPDX-License-Identifier: Apache-2.0
/* Arguments of a call, checked, and its answer. */
#include <math.h>
#include <string.h>

#include "addon.h"

struct call call_of(napi_env env, napi_callback_info info)
{
	struct call call = { .env = env, .count = ARGUMENTS_MAX };

	/* Arguments that were not given come back as undefined. */
	if (napi_get_cb_info(env, info, &call.count, call.arguments, NULL, NULL) != napi_ok)
		call.error = -EINVAL;
	return call;
}

static void refuse(struct call *call)
{
	if (!call->error)
		call->error = -EINVAL;
}

static bool has_type(struct call *call, size_t index, napi_valuetype wanted)
{
	napi_valuetype type;

	if (call->error)
		return false;
	return napi_typeof(call->env, call->arguments[index], &type) == napi_ok && type == wanted;
}

bool argument_given(struct call *call, size_t index)
{
	return !call->error && !has_type(call, index, napi_undefined);
}

struct bytes bytes_argument(struct call *call, size_t index)
{
	struct bytes bytes = { 0 };
	napi_typedarray_type type;
	void *start = NULL;
	bool typed = false;

	if (call->error)
		return bytes;
	if (napi_is_typedarray(call->env, call->arguments[index], &typed) != napi_ok || !typed ||
	    napi_get_typedarray_info(call->env, call->arguments[index], &type, &bytes.size, &start,
				     NULL, NULL) != napi_ok ||
	    type != napi_uint8_array || (!start && bytes.size)) {
		refuse(call);
		return (struct bytes){ 0 };
	}
	bytes.start = start;
	return bytes;
}

struct bytes optional_bytes_argument(struct call *call, size_t index)
{
	if (!argument_given(call, index))
		return (struct bytes){ 0 };
	return bytes_argument(call, index);
}

uint32_t u32_argument(struct call *call, size_t index)
{
	double number = 0;

	if (!has_type(call, index, napi_number) ||
	    napi_get_value_double(call->env, call->arguments[index], &number) != napi_ok ||
	    !(number >= 0) || number > UINT32_MAX || number != floor(number)) {
		refuse(call);
		return 0;
	}
	return (uint32_t)number;
}

uint64_t u64_argument(struct call *call, size_t index)
{
	uint64_t number = 0;
	bool lossless = false;

	if (!has_type(call, index, napi_bigint) ||
	    napi_get_value_bigint_uint64(call->env, call->arguments[index], &number,
					 &lossless) != napi_ok || !lossless)
		refuse(call);
	return number;
}

bool boolean_argument(struct call *call, size_t index)
{
	bool value = false;

	if (!has_type(call, index, napi_boolean) ||
	    napi_get_value_bool(call->env, call->arguments[index], &value) != napi_ok)
		refuse(call);
	return value;
}

void text_argument(struct call *call, size_t index, char *text)
{
	size_t size = 0;

	text[0] = 0;
	if (!has_type(call, index, napi_string) ||
	    napi_get_value_string_utf8(call->env, call->arguments[index], NULL, 0, &size) != napi_ok ||
	    size >= TEXT_BYTES_MAX ||
	    napi_get_value_string_utf8(call->env, call->arguments[index], text, TEXT_BYTES_MAX,
				       &size) != napi_ok || strlen(text) != size)
		refuse(call);
}

napi_value answer(struct call *call, int64_t value)
{
	napi_value result = NULL;

	napi_create_int64(call->env, value, &result);
	return result;
}

napi_value answer_u64(struct call *call, uint64_t value)
{
	napi_value result = NULL;

	napi_create_bigint_uint64(call->env, value, &result);
	return result;
}

napi_value answer_text(struct call *call, const char *text)
{
	napi_value result = NULL;

	napi_create_string_utf8(call->env, text, NAPI_AUTO_LENGTH, &result);
	return result;
}

napi_value answer_numbers(struct call *call, const int64_t *values, size_t count)
{
	napi_value list = NULL;
	napi_value number;

	if (napi_create_array_with_length(call->env, count, &list) != napi_ok)
		return answer(call, -ENOMEM);
	for (size_t index = 0; index < count; index += 1) {
		napi_create_int64(call->env, values[index], &number);
		napi_set_element(call->env, list, index, number);
	}
	return list;
}

napi_value answer_bytes(struct call *call, const void *start, size_t size)
{
	napi_value buffer;
	napi_value bytes;
	void *target = NULL;

	if (napi_create_arraybuffer(call->env, size, &target, &buffer) != napi_ok)
		return answer(call, -ENOMEM);
	if (size)
		memcpy(target, start, size);
	if (napi_create_typedarray(call->env, napi_uint8_array, size, buffer, 0, &bytes) != napi_ok)
		return answer(call, -ENOMEM);
	return bytes;
}
