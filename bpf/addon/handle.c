// SPDX-License-Identifier: Apache-2.0
/*
 * Handles: their life, and the event loop's watch over their descriptors. The watch only says that
 * there is something to read; reading is a call of its own with a bound, so that no turn of the
 * loop is long.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "addon.h"

/* Drawn once: tells our objects from those of other addons. */
static const napi_type_tag tag = { 0x8e2f6a1bc94d4770ULL, 0xb5139ed02ac7f86dULL };

struct watcher {
	uv_poll_t poll;
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
	/* NULL once the watch is stopped. */
	struct handle *handle;
};

static void finalize(napi_env env, void *data, void *hint)
{
	struct handle *handle = data;

	(void)env;
	(void)hint;
	handle_close(handle);
	free(handle);
}

napi_value answer_handle(struct call *call, struct handle *handle)
{
	napi_value object;

	handle->open = true;
	if (napi_create_object(call->env, &object) != napi_ok ||
	    napi_type_tag_object(call->env, object, &tag) != napi_ok ||
	    napi_wrap(call->env, object, handle, finalize, NULL, NULL) != napi_ok) {
		handle_close(handle);
		free(handle);
		return answer(call, -ENOMEM);
	}
	return object;
}

napi_value answer_fd(struct call *call, enum handle_kind kind, int fd)
{
	struct handle *handle;

	if (fd < 0)
		return answer(call, fd);
	handle = calloc(1, sizeof(*handle));
	if (!handle) {
		close(fd);
		return answer(call, -ENOMEM);
	}
	handle->kind = kind;
	handle->fd = fd;
	return answer_handle(call, handle);
}

static struct handle *any_handle_argument(struct call *call, size_t index)
{
	napi_valuetype type;
	bool ours = false;
	void *data = NULL;

	if (call->error)
		return NULL;
	/* Asking a value that is no object for its tag leaves an exception behind. */
	if (napi_typeof(call->env, call->arguments[index], &type) != napi_ok ||
	    type != napi_object ||
	    napi_check_object_type_tag(call->env, call->arguments[index], &tag, &ours) != napi_ok ||
	    !ours || napi_unwrap(call->env, call->arguments[index], &data) != napi_ok) {
		call->error = -EINVAL;
		return NULL;
	}
	return data;
}

struct handle *handle_argument(struct call *call, size_t index, enum handle_kind kind)
{
	struct handle *handle = any_handle_argument(call, index);

	if (!handle)
		return NULL;
	if (handle->kind != kind) {
		call->error = -EINVAL;
		return NULL;
	}
	if (!handle->open) {
		call->error = -EBADF;
		return NULL;
	}
	return handle;
}

void handle_close(struct handle *handle)
{
	void (*release)(struct handle *handle) = handle->release;

	handle_watch_stop(handle);
	handle->release = NULL;
	if (release)
		release(handle);
	if (handle->fd >= 0)
		close(handle->fd);
	handle->fd = -1;
	handle->open = false;
}

static void watcher_closed(uv_handle_t *poll)
{
	struct watcher *watcher = poll->data;

	napi_remove_async_cleanup_hook(watcher->hook);
	free(watcher);
}

void handle_watch_stop(struct handle *handle)
{
	struct watcher *watcher = handle->watcher;

	if (!watcher)
		return;
	handle->watcher = NULL;
	watcher->handle = NULL;
	napi_delete_reference(watcher->env, watcher->callback);
	napi_async_destroy(watcher->env, watcher->context);
	/* The poll handle must leave the loop before its descriptor is closed. */
	uv_poll_stop(&watcher->poll);
	uv_close((uv_handle_t *)&watcher->poll, watcher_closed);
}

/* The environment ends before JavaScript closed the handle. */
static void environment_ends(napi_async_cleanup_hook_handle hook, void *data)
{
	struct watcher *watcher = data;

	(void)hook;
	if (watcher->handle)
		handle_watch_stop(watcher->handle);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct watcher *watcher = poll->data;
	napi_env env = watcher->env;
	napi_handle_scope scope;
	napi_value callback;
	napi_value receiver;
	napi_value error;
	bool thrown = false;

	(void)events;
	if (!watcher->handle || napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(env, watcher->callback, &callback) == napi_ok && callback &&
	    napi_get_global(env, &receiver) == napi_ok) {
		napi_make_callback(env, watcher->context, receiver, callback, 0, NULL, NULL);
		/* The callback may have closed the handle: nothing of it is touched from here. */
		if (napi_is_exception_pending(env, &thrown) == napi_ok && thrown &&
		    napi_get_and_clear_last_exception(env, &error) == napi_ok)
			napi_fatal_exception(env, error);
	}
	napi_close_handle_scope(env, scope);
	/*
	 * A pending error of a socket, such as a device that went down or messages that were lost,
	 * makes libuv stop its poll. The read has taken the error away: the watch goes on.
	 */
	if (status < 0 && watcher->handle)
		uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, readable);
}

static int watcher_start(struct call *call, struct watcher *watcher)
{
	napi_value name;
	uv_loop_t *loop;
	napi_env env = call->env;

	if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
	    napi_create_string_utf8(env, "fairlead", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_reference(env, call->arguments[1], 1, &watcher->callback) != napi_ok)
		return -EINVAL;
	if (napi_async_init(env, NULL, name, &watcher->context) != napi_ok)
		goto no_context;
	if (uv_poll_init(loop, &watcher->poll, watcher->handle->fd) != 0)
		goto no_poll;
	watcher->poll.data = watcher;
	napi_add_async_cleanup_hook(env, environment_ends, watcher, &watcher->hook);
	return uv_poll_start(&watcher->poll, UV_READABLE | UV_DISCONNECT, readable);
no_poll:
	napi_async_destroy(env, watcher->context);
no_context:
	napi_delete_reference(env, watcher->callback);
	return -EINVAL;
}

/* watch(handle, callback): calls back whenever the descriptor is readable or hung up. */
static napi_value watch(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *handle = any_handle_argument(&call, 0);
	struct watcher *watcher;
	napi_valuetype type;
	int error;

	if (call.error)
		return answer(&call, call.error);
	if (napi_typeof(env, call.arguments[1], &type) != napi_ok || type != napi_function)
		return answer(&call, -EINVAL);
	if (!handle->open)
		return answer(&call, -EBADF);
	/* The descriptors of other kinds count as readable for ever. */
	if (handle->kind < HANDLE_RING)
		return answer(&call, -EINVAL);
	if (handle->watcher)
		return answer(&call, -EBUSY);
	watcher = calloc(1, sizeof(*watcher));
	if (!watcher)
		return answer(&call, -ENOMEM);
	watcher->env = env;
	watcher->handle = handle;
	error = watcher_start(&call, watcher);
	if (error && !watcher->poll.data) {
		free(watcher);
		return answer(&call, error);
	}
	handle->watcher = watcher;
	if (error)
		handle_watch_stop(handle);
	return answer(&call, error);
}

/* unwatch(handle): no callback comes after this. */
static napi_value unwatch(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *handle = any_handle_argument(&call, 0);

	if (call.error)
		return answer(&call, call.error);
	handle_watch_stop(handle);
	return answer(&call, 0);
}

/* close(handle): closing twice is harmless. */
static napi_value close_handle(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *handle = any_handle_argument(&call, 0);

	if (call.error)
		return answer(&call, call.error);
	handle_close(handle);
	return answer(&call, 0);
}

const struct method handle_methods[] = {
	{ "watch", watch },
	{ "unwatch", unwatch },
	{ "close", close_handle },
	{ 0 },
};
