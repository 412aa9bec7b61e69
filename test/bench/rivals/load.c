// SPDX-License-Identifier: Apache-2.0
/*
 * The load of the benches: connect, request, answer, close over TCP.
 *
 *   load serve NETNS CPU PORT
 *   load run   NETNS CPU CGROUP ADDRESS PORT COUNT INFLIGHT
 *
 * Both enter their network namespace by path and pin themselves. CGROUP is the cgroup.procs file
 * to join, or "-". `run` prints one line of JSON, after 20 s at most; both end with their parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES 64
#define INFLIGHT_MAX 64
#define EVENTS_MAX 128
#define SECONDS_MAX 20
#define FAILURES_MAX 5

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void enter(const char *netns, int cpu)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);
	cpu_set_t set;

	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		die(netns);
	close(fd);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity");
	/* On a shared machine others would be measured as well. */
	if (setpriority(PRIO_PROCESS, 0, -20) != 0)
		die("setpriority");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		die("prctl");
	signal(SIGPIPE, SIG_IGN);
}

static void join(const char *procs)
{
	int fd;

	if (strcmp(procs, "-") == 0)
		return;
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(procs);
	close(fd);
}

static void nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void answer(int fd)
{
	char message[MESSAGE_BYTES];
	ssize_t size = read(fd, message, sizeof(message));

	if (size > 0 && write(fd, message, (size_t)size) == size)
		return;
	if (size < 0 && errno == EAGAIN)
		return;
	close(fd);
}

static void serve(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int poller = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
	struct epoll_event events[EVENTS_MAX];
	int one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 1024) != 0)
		die("listen");
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd != listener) {
				answer(fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				event = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
				nodelay(fd);
				epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
			}
		}
	}
}

/* What one run saw; times in nanoseconds. */
struct run {
	struct sockaddr_in target;
	int count;
	int inflight;
	int failed;
	int done;
	uint64_t *connect_ns;
	uint64_t *whole_ns;
};

struct attempt {
	int fd;
	int connected;
	uint64_t started_ns;
	uint64_t connected_ns;
};

/* Latency of each attempt alone, with blocking calls: only the path is between two stamps. */
static void one_by_one(struct run *run)
{
	char message[MESSAGE_BYTES] = { 'x' };
	struct timeval patience = { .tv_sec = 2 };

	for (int i = 0; i < run->count && run->failed < FAILURES_MAX; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint64_t from, connected;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		nodelay(fd);
		from = now_ns(CLOCK_MONOTONIC);
		if (connect(fd, (struct sockaddr *)&run->target, sizeof(run->target)) != 0) {
			run->failed++;
			close(fd);
			continue;
		}
		connected = now_ns(CLOCK_MONOTONIC);
		if (write(fd, message, sizeof(message)) != sizeof(message) ||
		    recv(fd, message, sizeof(message), MSG_WAITALL) != sizeof(message)) {
			run->failed++;
			close(fd);
			continue;
		}
		close(fd);
		run->connect_ns[run->done] = connected - from;
		run->whole_ns[run->done] = now_ns(CLOCK_MONOTONIC) - from;
		run->done++;
	}
}

static int start(struct run *run, struct attempt *attempt, int poller)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = attempt };

	attempt->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (attempt->fd < 0)
		die("socket");
	nodelay(attempt->fd);
	attempt->connected = 0;
	attempt->started_ns = now_ns(CLOCK_MONOTONIC);
	if (connect(attempt->fd, (struct sockaddr *)&run->target, sizeof(run->target)) != 0 &&
	    errno != EINPROGRESS) {
		close(attempt->fd);
		return -1;
	}
	epoll_ctl(poller, EPOLL_CTL_ADD, attempt->fd, &event);
	return 0;
}

/* One step of an attempt: 0 while it goes on, 1 when it is done, -1 when it failed. */
static int step(struct attempt *attempt, int poller)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = attempt };
	char message[MESSAGE_BYTES] = { 'x' };
	socklen_t size = sizeof(int);
	int error = 0;

	if (attempt->connected)
		return read(attempt->fd, message, sizeof(message)) == sizeof(message) ? 1 : -1;
	getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0)
		return -1;
	attempt->connected = 1;
	attempt->connected_ns = now_ns(CLOCK_MONOTONIC);
	epoll_ctl(poller, EPOLL_CTL_MOD, attempt->fd, &event);
	return write(attempt->fd, message, sizeof(message)) == sizeof(message) ? 0 : -1;
}

static void many_at_once(struct run *run)
{
	struct attempt attempts[INFLIGHT_MAX];
	struct epoll_event events[EVENTS_MAX];
	int poller = epoll_create1(0);
	int started = 0, open = 0;

	for (int i = 0; i < run->inflight && started < run->count; i++, started++) {
		if (start(run, &attempts[i], poller) == 0)
			open++;
		else
			run->failed++;
	}
	while (open > 0) {
		int count = epoll_wait(poller, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			struct attempt *attempt = events[i].data.ptr;
			int outcome = step(attempt, poller);

			if (outcome == 0)
				continue;
			close(attempt->fd);
			open--;
			if (outcome < 0) {
				run->failed++;
			} else {
				run->connect_ns[run->done] = attempt->connected_ns - attempt->started_ns;
				run->whole_ns[run->done] = now_ns(CLOCK_MONOTONIC) - attempt->started_ns;
				run->done++;
			}
			if (started < run->count) {
				started++;
				if (start(run, attempt, poller) == 0)
					open++;
				else
					run->failed++;
			}
		}
	}
}

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* Without the first tenth, which warms caches and neighbours. */
static double middle_us(uint64_t *values, int count)
{
	int dropped = count / 10;

	if (count == 0)
		return 0;
	qsort(values + dropped, (size_t)(count - dropped), sizeof(*values), ascending);
	return (double)values[dropped + (count - dropped) / 2] / 1000;
}

static void report(struct run *run)
{
	uint64_t from = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	double seconds, cpu_us;

	if (run->inflight == 1)
		one_by_one(run);
	else
		many_at_once(run);
	seconds = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e9;
	cpu_us = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3;
	printf("{\"done\":%d,\"failed\":%d,\"connectUs\":%.3f,\"wholeUs\":%.3f,"
	       "\"perSecond\":%.1f,\"cpuUs\":%.3f}\n",
	       run->done, run->failed, middle_us(run->connect_ns, run->done),
	       middle_us(run->whole_ns, run->done), run->done / seconds,
	       cpu_us / run->count);
}

int main(int argc, char **argv)
{
	struct run run = { .target = { .sin_family = AF_INET } };

	if (argc == 5 && strcmp(argv[1], "serve") == 0) {
		enter(argv[2], atoi(argv[3]));
		serve(atoi(argv[4]));
	}
	if (argc != 9 || strcmp(argv[1], "run") != 0) {
		fprintf(stderr, "load: wrong words\n");
		return 2;
	}
	alarm(SECONDS_MAX);
	join(argv[4]);
	enter(argv[2], atoi(argv[3]));
	run.target.sin_port = htons((uint16_t)atoi(argv[6]));
	if (inet_pton(AF_INET, argv[5], &run.target.sin_addr) != 1)
		die(argv[5]);
	run.count = atoi(argv[7]);
	run.inflight = atoi(argv[8]);
	if (run.count < 10 || run.inflight < 1 || run.inflight > INFLIGHT_MAX) {
		fprintf(stderr, "load: count or inflight out of range\n");
		return 2;
	}
	run.connect_ns = calloc((size_t)run.count, sizeof(uint64_t));
	run.whole_ns = calloc((size_t)run.count, sizeof(uint64_t));
	if (run.connect_ns == NULL || run.whole_ns == NULL)
		die("calloc");
	report(&run);
	return 0;
}
