// SPDX-License-Identifier: Apache-2.0
/* The list of functions that JavaScript sees. */
#include "addon.h"

static const struct method *const parts[] = {
	handle_methods,
	object_methods,
	map_methods,
	batch_methods,
	btf_methods,
	program_methods,
	link_methods,
	clsact_methods,
	ring_methods,
	netns_methods,
	socket_methods,
	lock_methods,
	foreign_methods,
};

NAPI_MODULE_INIT()
{
	listen_to_libbpf();
	for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part += 1) {
		for (const struct method *method = parts[part]; method->name; method += 1) {
			napi_value function;

			if (napi_create_function(env, method->name, NAPI_AUTO_LENGTH, method->body,
						 NULL, &function) != napi_ok)
				return NULL;
			if (napi_set_named_property(env, exports, method->name, function) != napi_ok)
				return NULL;
		}
	}
	return exports;
}
