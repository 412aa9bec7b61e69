// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets that Node has not: AF_PACKET and rtnetlink. Messages go through as bytes; what they mean
 * is known in TypeScript. No call blocks.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

/* Linux 4.20; the C library's headers may be older. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define TURN_FRAMES_MAX 256
#define FRAME_BYTES_MAX 65536
#define FILTER_STEPS_MAX 4096

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int packet_setup(int fd, uint32_t ifindex, uint32_t mark, struct bytes filter)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex,
	};
	struct sock_fprog program = {
		.len = filter.size / sizeof(struct sock_filter),
		.filter = (struct sock_filter *)filter.start,
	};
	int error = option(fd, SOL_SOCKET, SO_MARK, (int)mark);

	if (!error)
		error = option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (!error && program.len &&
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		error = -errno;
	/* Bound last: before the filter is there, nothing may be queued. */
	if (!error && bind(fd, (struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	return error;
}

/*
 * packetOpen(ifindex, mark, filter): a socket for whole frames of one device, that never hears what
 * the machine itself sends. `filter` is a classic BPF program as bytes, empty for every frame.
 */
static napi_value packet_open(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	uint32_t ifindex = u32_argument(&call, 0);
	uint32_t mark = u32_argument(&call, 1);
	struct bytes filter = bytes_argument(&call, 2);
	int error;
	int fd;

	if (!call.error && (ifindex == 0 || ifindex > INT32_MAX ||
			    filter.size % sizeof(struct sock_filter) ||
			    filter.size / sizeof(struct sock_filter) > FILTER_STEPS_MAX))
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	/* Protocol 0 hears nothing until it is bound. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return answer(&call, -errno);
	error = packet_setup(fd, ifindex, mark, filter);
	if (error) {
		close(fd);
		return answer(&call, error);
	}
	return answer_fd(&call, HANDLE_SOCKET, fd);
}

/* netlinkOpen(groups): an rtnetlink socket that hears the given bits of multicast groups. */
static napi_value netlink_open(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int error = 0;
	int fd;

	address.nl_groups = u32_argument(&call, 0);
	if (call.error)
		return answer(&call, call.error);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return answer(&call, -errno);
	/* Filters in the kernel instead of here: refuses flags that the kernel does not know. */
	error = option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
	if (error == -ENOPROTOOPT)
		error = 0;
	if (!error && bind(fd, (struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	if (error) {
		close(fd);
		return answer(&call, error);
	}
	return answer_fd(&call, HANDLE_SOCKET, fd);
}

/* socketSend(socket, bytes): one frame or message; answers the bytes sent. */
static napi_value socket_send(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *socket = handle_argument(&call, 0, HANDLE_SOCKET);
	struct bytes bytes = bytes_argument(&call, 1);
	ssize_t sent;

	if (call.error)
		return answer(&call, call.error);
	sent = send(socket->fd, bytes.start, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return answer(&call, sent < 0 ? -errno : sent);
}

/*
 * socketRead(socket, out): what has arrived, at most 256 messages, each as u32 size, u32 ifindex
 * (0 for netlink), message, padded to 8. Answers [messages, bytes of `out`, 0 or the
 * negative errno that ended the turn]; the turn also ends when a longest message might not fit.
 */
static napi_value socket_read(napi_env env, napi_callback_info info)
{
	struct call call = call_of(env, info);
	struct handle *socket = handle_argument(&call, 0, HANDLE_SOCKET);
	struct bytes out = bytes_argument(&call, 1);
	size_t used = 0;
	uint32_t count = 0;
	int error = 0;

	if (!call.error && out.size < 8 + FRAME_BYTES_MAX)
		call.error = -EINVAL;
	if (call.error)
		return answer(&call, call.error);
	while (count < TURN_FRAMES_MAX && out.size - used >= 8 + FRAME_BYTES_MAX) {
		struct sockaddr_ll from = { 0 };
		socklen_t from_size = sizeof(from);
		uint32_t prefix[2] = { 0, 0 };
		ssize_t size = recvfrom(socket->fd, out.start + used + 8, FRAME_BYTES_MAX,
					MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);

		if (size < 0) {
			/* The kernel tells of lost messages once: the fault goes with the messages. */
			if (errno != EAGAIN && errno != EINTR)
				error = -errno;
			break;
		}
		prefix[0] = (uint32_t)size;
		if (from.sll_family == AF_PACKET)
			prefix[1] = (uint32_t)from.sll_ifindex;
		memcpy(out.start + used, prefix, sizeof(prefix));
		used += 8 + (((size_t)size + 7) & ~(size_t)7);
		count += 1;
	}
	return answer_numbers(&call, (int64_t[]){ count, (int64_t)used, error }, 3);
}

const struct method socket_methods[] = {
	{ "packetOpen", packet_open },
	{ "netlinkOpen", netlink_open },
	{ "socketSend", socket_send },
	{ "socketRead", socket_read },
	{ 0 },
};
