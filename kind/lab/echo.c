// SPDX-License-Identifier: Apache-2.0
/*
 * The container of every pod of the lab: `echo NAME PORT/PROTOCOL ...`. Over TCP it answers an HTTP
 * request with its name and the client that it saw, and sends back everything that is no request.
 * Over UDP it answers each datagram with the same line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define TEXT_MAX 512
/* Roles of descriptors are told by the upper half of epoll's word. */
#define LISTENS (1ULL << 32)
#define ANSWERS (2ULL << 32)

static const char *server_name;
static int poller;

static void die(const char *what)
{
	fprintf(stderr, "echo %s: %s: %s\n", server_name, what, strerror(errno));
	exit(1);
}

/* {"server":"ns/pod","client":"192.0.2.1:40112"}, with IPv4 clients unmapped. */
static int tell(char *line, const struct sockaddr_in6 *client)
{
	char text[INET6_ADDRSTRLEN];
	unsigned int port = ntohs(client->sin6_port);

	if (IN6_IS_ADDR_V4MAPPED(&client->sin6_addr)) {
		inet_ntop(AF_INET, &client->sin6_addr.s6_addr[12], text, sizeof(text));
		return snprintf(line, TEXT_MAX, "{\"server\":\"%s\",\"client\":\"%s:%u\"}\n",
				server_name, text, port);
	}
	inet_ntop(AF_INET6, &client->sin6_addr, text, sizeof(text));
	return snprintf(line, TEXT_MAX, "{\"server\":\"%s\",\"client\":\"[%s]:%u\"}\n", server_name,
			text, port);
}

static void listen_on(unsigned int port, int type)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct epoll_event event = { .events = EPOLLIN };
	int both = 0;
	int yes = 1;
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 4096))
		die("listen");
	event.data.u64 = (type == SOCK_STREAM ? LISTENS : ANSWERS) | (unsigned int)fd;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

static void welcome(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = (unsigned int)fd };

		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
			close(fd);
	}
}

static int is_request(const char *text, ssize_t size)
{
	return (size > 4 && !memcmp(text, "GET ", 4)) || (size > 5 && !memcmp(text, "HEAD ", 5)) ||
	       (size > 5 && !memcmp(text, "POST ", 5));
}

static void converse(int fd)
{
	struct sockaddr_in6 client;
	socklen_t size = sizeof(client);
	char answer[TEXT_MAX * 2];
	char line[TEXT_MAX];
	char text[4096];
	ssize_t got = read(fd, text, sizeof(text));
	int length;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || getpeername(fd, (struct sockaddr *)&client, &size)) {
		close(fd);
		return;
	}
	if (!is_request(text, got)) {
		if (write(fd, text, got) != got)
			close(fd);
		return;
	}
	length = tell(line, &client);
	length = snprintf(answer, sizeof(answer),
			  "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"
			  "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
			  length, line);
	if (write(fd, answer, length) == length)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void answer_datagrams(int fd)
{
	struct sockaddr_in6 client;
	socklen_t size = sizeof(client);
	char text[2048];
	char line[TEXT_MAX];

	while (recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&client, &size) >= 0) {
		sendto(fd, line, tell(line, &client), 0, (struct sockaddr *)&client, size);
		size = sizeof(client);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX];
	int index;

	if (argc < 2)
		return 2;
	server_name = argv[1];
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(0);
	for (index = 2; index < argc; index++) {
		unsigned int port;
		char protocol[4];

		if (sscanf(argv[index], "%u/%3s", &port, protocol) != 2)
			return 2;
		listen_on(port, strcmp(protocol, "UDP") ? SOCK_STREAM : SOCK_DGRAM);
	}
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS_MAX, -1);

		for (index = 0; index < count; index++) {
			int fd = (int)(unsigned int)events[index].data.u64;

			if (events[index].data.u64 & LISTENS)
				welcome(fd);
			else if (events[index].data.u64 & ANSWERS)
				answer_datagrams(fd);
			else
				converse(fd);
		}
	}
}
