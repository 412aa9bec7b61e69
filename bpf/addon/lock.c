// SPDX-License-Identifier: Apache-2.0
/*
 * Locks that the kernel frees when their process dies: an abstract Unix socket, whose name belongs
 * to the network namespace, and a locked file.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon.h"

#define WAITERS_MAX 4096

/* The name's exact length counts: padded with zeros it would be another name. */
static socklen_t abstract_address(struct call *call, struct sockaddr_un *address)
{
	char name[TEXT_BYTES_MAX];
	size_t size;

	memset(address, 0, sizeof(*address));
	text_argument(call, 0, name);
	size = strlen(name);
	if (!call->error && (size == 0 || size >= sizeof(address->sun_path)))
		call->error = -EINVAL;
	if (call->error)
		return 0;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path + 1, name, size);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static napi_value answer_lock(struct call *call, int fd, bool held)
{
	int error = held ? 0 : -errno;

	if (error && fd >= 0)
		close(fd);
	return error ? answer(call, error) : answer_fd(call, HANDLE_LOCK, fd);
}

/* lockTake(name): the lock, or -EADDRINUSE while somebody has it. */
static napi_value lock_take(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct sockaddr_un address;
	socklen_t size = abstract_address(&call, &address);
	int fd;

	if (call.error)
		return answer(&call, call.error);
	fd = unix_socket();
	return answer_lock(&call, fd, fd >= 0 && !bind(fd, (struct sockaddr *)&address, size) &&
					      !listen(fd, WAITERS_MAX));
}

/*
 * lockWait(name): a handle whose watch calls back when the holder is gone, or -ECONNREFUSED when
 * nobody has the lock now. Nobody ever accepts: the connection's end is the news.
 */
static napi_value lock_wait(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct sockaddr_un address;
	socklen_t size = abstract_address(&call, &address);
	int fd;

	if (call.error)
		return answer(&call, call.error);
	fd = unix_socket();
	return answer_lock(&call, fd, fd >= 0 && !connect(fd, (struct sockaddr *)&address, size));
}

/* fileLock(path): creates and locks a file, or -EWOULDBLOCK while another process has it. */
static napi_value file_lock(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	char path[TEXT_BYTES_MAX];
	int fd;

	text_argument(&call, 0, path);
	if (call.error)
		return answer(&call, call.error);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return answer_lock(&call, fd, fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB));
}

const struct method lock_methods[] = {
	{ "lockTake", lock_take },
	{ "lockWait", lock_wait },
	{ "fileLock", file_lock },
	{ 0 },
};
