// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// What one turn hands out at most; the rest is still ready in the next.
#define EVENTS_MAX 16

struct watch {
	struct watch *next;
	int fd; // -1: forgotten, and freed when the turn is over
	io_ready_fn *ready;
	void *ctx;
};

struct io_loop {
	int epoll, timer, signals; // 'signals' is -1 without io_loop_signals()
	struct watch *watches;
	bool forgotten; // some watch has fd -1
	io_signal_fn *signal;
	void *signal_ctx;
	io_wake_fn *wake;
	void *wake_ctx;
	struct gk_now now;
};

static int64_t milliseconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct gk_now io_now(void)
{
	return (struct gk_now){
		.mono = { milliseconds(CLOCK_BOOTTIME) },
		.utc = { milliseconds(CLOCK_REALTIME) / 1000 },
	};
}

static int add(struct io_loop *loop, int fd, uint32_t events, struct watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int io_loop_new(struct io_loop **out)
{
	struct io_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;

	*loop = (struct io_loop){
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
		.signals = -1,
		.now = io_now(),
	};
	// The timer is the one descriptor without a watch.
	err = loop->epoll < 0 || loop->timer < 0 ? -errno : add(loop, loop->timer, EPOLLIN, NULL);
	if (err < 0) {
		io_loop_free(loop);
		return err;
	}

	*out = loop;
	return 0;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void io_loop_free(struct io_loop *loop)
{
	if (!loop)
		return;

	while (loop->watches) {
		struct watch *watch = loop->watches;
		loop->watches = watch->next;
		free(watch);
	}
	close_if_open(loop->signals);
	close_if_open(loop->timer);
	close_if_open(loop->epoll);
	free(loop);
}

static struct watch *find_watch(struct io_loop *loop, int fd)
{
	struct watch *watch = loop->watches;

	while (watch && watch->fd != fd)
		watch = watch->next;
	return watch;
}

int io_loop_watch(struct io_loop *loop, int fd, uint32_t events, io_ready_fn *ready, void *ctx)
{
	struct watch *watch;
	int err;

	if (fd < 0)
		return -EBADF;

	watch = malloc(sizeof(*watch));
	if (!watch)
		return -ENOMEM;

	*watch = (struct watch){ .next = loop->watches, .fd = fd, .ready = ready, .ctx = ctx };
	err = add(loop, fd, events, watch);
	if (err < 0) {
		free(watch);
		return err;
	}

	loop->watches = watch;
	return 0;
}

int io_loop_rewatch(struct io_loop *loop, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = find_watch(loop, fd) };

	if (fd < 0 || !event.data.ptr)
		return -ENOENT;
	return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

// The kernel may have handed out a pointer to the watch for this turn: it is freed after the turn.
void io_loop_forget(struct io_loop *loop, int fd)
{
	struct watch *watch = find_watch(loop, fd);

	if (fd < 0 || !watch)
		return;

	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	watch->fd = -1;
	loop->forgotten = true;
}

static void free_forgotten(struct io_loop *loop)
{
	if (!loop->forgotten)
		return;

	for (struct watch **at = &loop->watches; *at;) {
		struct watch *watch = *at;
		if (watch->fd >= 0) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
	loop->forgotten = false;
}

static void read_signals(void *ctx, int fd, uint32_t events)
{
	struct io_loop *loop = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		loop->signal(loop->signal_ctx, (int)info.ssi_signo);
}

int io_loop_signals(struct io_loop *loop, const int *signos, io_signal_fn *handler, void *ctx)
{
	sigset_t set;
	int fd, err;

	if (loop->signals >= 0)
		return -EEXIST;

	sigemptyset(&set);
	for (; *signos; signos++)
		if (sigaddset(&set, *signos) < 0)
			return -errno;

	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;

	err = io_loop_watch(loop, fd, EPOLLIN, read_signals, loop);
	if (err < 0) {
		close(fd);
		return err;
	}

	sigprocmask(SIG_BLOCK, &set, NULL);
	loop->signals = fd;
	loop->signal = handler;
	loop->signal_ctx = ctx;
	return 0;
}

void io_loop_on_wake(struct io_loop *loop, io_wake_fn *wake, void *ctx)
{
	loop->wake = wake;
	loop->wake_ctx = ctx;
}

struct gk_now io_loop_now(const struct io_loop *loop)
{
	return loop->now;
}

// An absolute timer on the clock of the deadlines: epoll's own timeout stands still while the
// machine sleeps. Setting it anew takes back an expiry, so nobody needs to read it.
static int set_timer(struct io_loop *loop, struct gk_mono deadline)
{
	struct itimerspec at = { 0 };

	if (deadline.ms != GK_NEVER) {
		at.it_value.tv_sec = (time_t)(deadline.ms / 1000);
		at.it_value.tv_nsec = (long)(deadline.ms % 1000) * 1000000;
	}
	return timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

static int wait_for_events(struct io_loop *loop, struct gk_mono deadline,
			   struct epoll_event *events)
{
	// A deadline that has come is no reason to pass over what is ready. (All zero would disarm
	// the timer, but no such deadline gets there.)
	int timeout = deadline.ms <= milliseconds(CLOCK_BOOTTIME) ? 0 : -1;
	int count, err = timeout < 0 ? set_timer(loop, deadline) : 0;

	if (err < 0)
		return err;

	do {
		count = epoll_wait(loop->epoll, events, EVENTS_MAX, timeout);
	} while (count < 0 && errno == EINTR);

	return count < 0 ? -errno : count;
}

int io_loop_turn(struct io_loop *loop, struct gk_mono deadline)
{
	struct epoll_event events[EVENTS_MAX];
	int count = wait_for_events(loop, deadline, events);

	loop->now = io_now();
	if (loop->wake)
		loop->wake(loop->wake_ctx);

	for (int i = 0; i < count; i++) {
		const struct watch *watch = events[i].data.ptr;
		if (watch && watch->fd >= 0)
			watch->ready(watch->ctx, watch->fd, events[i].events);
	}

	free_forgotten(loop);
	return count < 0 ? count : 0;
}

static bool fill_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	while (len > 0) {
		ssize_t got = getrandom(out, len, 0);
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0) {
			out += got;
			len -= (size_t)got;
		}
	}
	return true;
}

// C11 leaves realloc(old, 0) open; the library's contract does not.
static void *allocate(void *ctx, void *old, size_t size)
{
	(void)ctx;
	if (size > 0)
		return realloc(old, size);

	free(old);
	return NULL;
}

struct gk_env io_env(void)
{
	return (struct gk_env){ .random = fill_random, .alloc = allocate };
}
