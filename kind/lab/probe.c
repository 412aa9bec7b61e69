// SPDX-License-Identifier: Apache-2.0
/*
 * A client of the lab: `probe ADDRESS PORT EVERY_MS TIMEOUT_MS` starts a new TCP connection each
 * EVERY_MS, asks over HTTP, and prints a line when it knows: `START END OUTCOME`, both in
 * microseconds of CLOCK_MONOTONIC, OUTCOME one of ok, refused, reset, timeout, unreachable. Lines
 * come in the order of the ends. It ends with its standard output.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Of TIMEOUT_MS / EVERY_MS at most, and many times what a test asks for. */
#define ATTEMPTS_MAX 4096
#define EVENTS_MAX 64

struct attempt {
	int64_t start;
	int fd;
	int asked;
};

static struct attempt attempts[ATTEMPTS_MAX];
static unsigned int oldest, next;
static struct sockaddr_storage target;
static socklen_t target_size;
static int poller;

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void finish(struct attempt *attempt, const char *outcome)
{
	/* Without a farewell, which would fill the tables of closed connections. */
	struct linger none = { .l_onoff = 1 };

	setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(attempt->fd);
	attempt->fd = -1;
	if (printf("%lld %lld %s\n", (long long)attempt->start, (long long)now_us(), outcome) < 0 ||
	    fflush(stdout))
		exit(0);
}

static const char *outcome_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "refused";
	case ECONNRESET:
	case EPIPE:
		return "reset";
	case ETIMEDOUT:
		return "timeout";
	default:
		return "unreachable";
	}
}

static void start_attempt(void)
{
	unsigned int place = next++ % ATTEMPTS_MAX;
	struct attempt *attempt = &attempts[place];
	struct epoll_event event = { .events = EPOLLOUT, .data.u32 = place };

	if (next - oldest >= ATTEMPTS_MAX)
		exit(3);
	attempt->start = now_us();
	attempt->asked = 0;
	attempt->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (attempt->fd < 0)
		exit(1);
	if (connect(attempt->fd, (struct sockaddr *)&target, target_size) && errno != EINPROGRESS)
		finish(attempt, outcome_of(errno));
	else if (epoll_ctl(poller, EPOLL_CTL_ADD, attempt->fd, &event))
		exit(1);
}

static void advance(unsigned int place)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct attempt *attempt = &attempts[place];
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = place };
	socklen_t size = sizeof(int);
	char text[1024];
	int error = 0;
	ssize_t got;

	if (attempt->fd < 0)
		return;
	if (!attempt->asked) {
		getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (!error && write(attempt->fd, request, sizeof(request) - 1) < 0)
			error = errno;
		attempt->asked = 1;
		if (error)
			finish(attempt, outcome_of(error));
		else
			epoll_ctl(poller, EPOLL_CTL_MOD, attempt->fd, &event);
		return;
	}
	got = read(attempt->fd, text, sizeof(text));
	if (got > 0)
		finish(attempt, "ok");
	else if (got == 0)
		finish(attempt, "reset");
	else if (errno != EAGAIN)
		finish(attempt, outcome_of(errno));
}

/* What no one has answered by `limit` has failed; drops what is over from the front. */
static void expire(int64_t limit)
{
	while (oldest != next) {
		struct attempt *attempt = &attempts[oldest % ATTEMPTS_MAX];

		if (attempt->fd >= 0 && attempt->start > limit)
			return;
		if (attempt->fd >= 0)
			finish(attempt, "timeout");
		oldest++;
	}
}

static int read_target(const char *address, unsigned int port)
{
	struct sockaddr_in *ip4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)&target;

	if (inet_pton(AF_INET, address, &ip4->sin_addr) == 1) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons(port);
		target_size = sizeof(*ip4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &ip6->sin6_addr) != 1)
		return -1;
	ip6->sin6_family = AF_INET6;
	ip6->sin6_port = htons(port);
	target_size = sizeof(*ip6);
	return 0;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t every, timeout, due;

	if (argc != 5 || read_target(argv[1], atoi(argv[2])))
		return 2;
	every = (int64_t)atoi(argv[3]) * 1000;
	timeout = (int64_t)atoi(argv[4]) * 1000;
	if (every <= 0 || timeout / every >= ATTEMPTS_MAX / 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(0);
	for (due = now_us();;) {
		int64_t wait = (due - now_us() + 999) / 1000;
		int count = epoll_wait(poller, events, EVENTS_MAX, wait < 0 ? 0 : (int)wait);
		int index;

		for (index = 0; index < count; index++)
			advance(events[index].data.u32);
		expire(now_us() - timeout);
		if (now_us() < due)
			continue;
		start_attempt();
		/* After a pause of this process the schedule goes on from now. */
		due = due + every > now_us() - every ? due + every : now_us() + every;
	}
}
