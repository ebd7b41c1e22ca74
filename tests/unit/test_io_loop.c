// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

// A pipe whose reading end is watched, and what was heard of it.
struct pipe {
	struct io_loop *loop;
	int in, out;
	unsigned calls;
	uint32_t events;
	struct pipe *to_forget; // from inside the callback
	bool replace;           // and watch its number again at once, for something else
};

static void on_ready(void *ctx, int fd, uint32_t events)
{
	struct pipe *p = ctx;

	assert_int_equal(fd, p->out);
	p->calls++;
	p->events = events;
	if (!p->to_forget)
		return;

	io_loop_forget(p->loop, p->to_forget->out);
	close(p->to_forget->out);
	if (p->replace) {
		assert_int_equal(dup2(p->out, p->to_forget->out), p->to_forget->out);
		assert_int_equal(
			io_loop_watch(p->loop, p->to_forget->out, EPOLLOUT, on_ready, p->to_forget),
			0);
	}
}

static void open_pipe(struct io_loop *loop, struct pipe *p)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	*p = (struct pipe){ .loop = loop, .out = fds[0], .in = fds[1] };
	assert_int_equal(io_loop_watch(loop, p->out, EPOLLIN, on_ready, p), 0);
}

static void close_pipe(struct pipe *p)
{
	io_loop_forget(p->loop, p->out);
	close(p->out);
	close(p->in);
}

static void fill(const struct pipe *p)
{
	assert_int_equal(write(p->in, "x", 1), 1);
}

static int set_up(void **state)
{
	return io_loop_new((struct io_loop **)state);
}

static int tear_down(void **state)
{
	io_loop_free(*state);
	return 0;
}

static struct gk_mono in_ms(int64_t ms)
{
	return (struct gk_mono){ io_now().mono.ms + ms };
}

static void deadlines_are_kept_to_the_millisecond(void **state)
{
	struct io_loop *loop = *state;
	int64_t least_late_ms = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		struct gk_mono deadline = in_ms(7);
		assert_int_equal(io_loop_turn(loop, deadline), 0);
		int64_t late_ms = io_loop_now(loop).mono.ms - deadline.ms;

		// Never early; how late is the scheduler's affair as well, so the best counts.
		assert_true(late_ms >= 0);
		if (late_ms < least_late_ms)
			least_late_ms = late_ms;
	}
	assert_true(least_late_ms <= 1);
}

static void a_deadline_wakes_once(void **state)
{
	struct io_loop *loop = *state;
	struct gk_mono first = in_ms(5), second = in_ms(40);

	assert_int_equal(io_loop_turn(loop, first), 0);
	assert_int_equal(io_loop_turn(loop, second), 0);
	assert_true(io_loop_now(loop).mono.ms >= second.ms);
}

static void a_withdrawn_deadline_does_not_wake(void **state)
{
	struct io_loop *loop = *state;
	struct gk_mono early = in_ms(10), late = in_ms(50);
	struct pipe p;

	// Another event ends the turn in which the early one was set.
	open_pipe(loop, &p);
	fill(&p);
	assert_int_equal(io_loop_turn(loop, early), 0);
	assert_int_equal(p.calls, 1);
	io_loop_forget(loop, p.out);
	assert_int_equal(io_loop_turn(loop, late), 0);
	assert_true(io_loop_now(loop).mono.ms >= late.ms);
	close_pipe(&p);
}

static void a_past_deadline_still_serves_what_is_ready(void **state)
{
	struct io_loop *loop = *state;
	static const int64_t past[] = { 0, -1, INT64_MIN };
	struct pipe p;

	open_pipe(loop, &p);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(io_loop_turn(loop, (struct gk_mono){ past[i] }), 0);
		assert_int_equal(p.calls, i);
		fill(&p);
		assert_int_equal(io_loop_turn(loop, (struct gk_mono){ past[i] }), 0);
		assert_int_equal(p.calls, i + 1);
		assert_int_equal(p.events, EPOLLIN);
		assert_int_equal(read(p.out, (char[1]){ 0 }, 1), 1);
	}
	close_pipe(&p);
}

static void without_a_deadline_readiness_ends_the_turn(void **state)
{
	struct io_loop *loop = *state;
	struct pipe p;

	open_pipe(loop, &p);
	fill(&p);
	assert_int_equal(io_loop_turn(loop, (struct gk_mono){ GK_NEVER }), 0);
	assert_int_equal(p.calls, 1);
	close_pipe(&p);
}

static void forgetting_in_a_turn_is_safe(void **state)
{
	struct io_loop *loop = *state;
	struct pipe a, b;

	// Whichever comes first closes the other, which is ready too.
	open_pipe(loop, &a);
	open_pipe(loop, &b);
	a.to_forget = &b;
	b.to_forget = &a;
	fill(&a);
	fill(&b);
	assert_int_equal(io_loop_turn(loop, in_ms(100)), 0);
	assert_int_equal(a.calls + b.calls, 1);

	close(a.in);
	close(b.in);
	io_loop_forget(loop, a.calls ? a.out : b.out);
	close(a.calls ? a.out : b.out);
}

static void forgetting_oneself_is_safe(void **state)
{
	struct io_loop *loop = *state;
	struct pipe p;

	open_pipe(loop, &p);
	p.to_forget = &p;
	fill(&p);
	assert_int_equal(io_loop_turn(loop, in_ms(100)), 0);
	assert_int_equal(io_loop_turn(loop, in_ms(5)), 0);
	assert_int_equal(p.calls, 1);
	close(p.in);
}

static void a_reused_number_is_another_descriptor(void **state)
{
	struct io_loop *loop = *state;
	struct pipe a, b;

	open_pipe(loop, &a);
	open_pipe(loop, &b);
	a.to_forget = &b;
	b.to_forget = &a;
	a.replace = b.replace = true;
	fill(&a);
	fill(&b);
	// The new one waits for EPOLLOUT, which a pipe's reading end never gives: the readiness of
	// the old one must not reach it.
	assert_int_equal(io_loop_turn(loop, in_ms(100)), 0);
	assert_int_equal(a.calls + b.calls, 1);
	a.to_forget = b.to_forget = NULL;
	close_pipe(&a);
	close_pipe(&b);
}

static void watching_twice_and_unknown_ones_are_errors(void **state)
{
	struct io_loop *loop = *state;
	struct pipe p;

	open_pipe(loop, &p);
	assert_int_equal(io_loop_watch(loop, p.out, EPOLLIN, on_ready, &p), -EEXIST);
	assert_int_equal(io_loop_watch(loop, -1, EPOLLIN, on_ready, &p), -EBADF);
	assert_int_equal(io_loop_rewatch(loop, p.in, EPOLLIN), -ENOENT);
	io_loop_forget(loop, p.in);
	io_loop_forget(loop, -1);

	io_loop_forget(loop, p.out);
	assert_int_equal(io_loop_rewatch(loop, p.out, EPOLLIN), -ENOENT);
	assert_int_equal(io_loop_rewatch(loop, -1, EPOLLIN), -ENOENT);
	assert_int_equal(io_loop_watch(loop, p.out, EPOLLIN, on_ready, &p), 0);
	close_pipe(&p);
}

static void what_is_waited_for_can_change(void **state)
{
	struct io_loop *loop = *state;
	struct pipe p;

	open_pipe(loop, &p);
	fill(&p);
	assert_int_equal(io_loop_rewatch(loop, p.out, 0), 0);
	assert_int_equal(io_loop_turn(loop, in_ms(5)), 0);
	assert_int_equal(p.calls, 0);
	assert_int_equal(io_loop_rewatch(loop, p.out, EPOLLIN), 0);
	assert_int_equal(io_loop_turn(loop, in_ms(1000)), 0);
	assert_int_equal(p.calls, 1);
	close_pipe(&p);
}

struct waking {
	struct io_loop *loop;
	const struct pipe *pipe;
	int64_t was_ms;
	int calls;
};

static void on_wake(void *ctx)
{
	struct waking *waking = ctx;

	waking->calls++;
	assert_int_equal(waking->pipe->calls, 0); // what is ready comes behind,
	assert_true(io_loop_now(waking->loop).mono.ms > waking->was_ms); // and the clocks before
}

static void a_turn_says_when_its_waiting_is_over(void **state)
{
	struct io_loop *loop = *state;
	struct pipe p;
	struct waking waking = { .loop = loop, .pipe = &p };

	open_pipe(loop, &p);
	waking.was_ms = io_loop_now(loop).mono.ms;
	io_loop_on_wake(loop, on_wake, &waking);
	assert_int_equal(io_loop_turn(loop, in_ms(5)), 0);
	assert_int_equal(waking.calls, 1); // also when nothing is ready
	fill(&p);
	assert_int_equal(io_loop_turn(loop, in_ms(1000)), 0);
	assert_int_equal(waking.calls, 2);
	assert_int_equal(p.calls, 1);
	io_loop_on_wake(loop, NULL, NULL);
	assert_int_equal(io_loop_turn(loop, in_ms(1000)), 0);
	assert_int_equal(waking.calls, 2);
	close_pipe(&p);
}

static void many_at_once_all_get_their_turn(void **state)
{
	struct io_loop *loop = *state;
	struct pipe pipes[40];

	for (size_t i = 0; i < 40; i++) {
		open_pipe(loop, &pipes[i]);
		fill(&pipes[i]);
	}
	for (size_t turn = 0; turn < 3; turn++)
		assert_int_equal(io_loop_turn(loop, in_ms(1000)), 0);
	for (size_t i = 0; i < 40; i++) {
		assert_true(pipes[i].calls >= 1);
		close_pipe(&pipes[i]);
	}
}

static void on_signal(void *ctx, int signo)
{
	*(int *)ctx = signo;
}

static void signals_are_delivered_in_the_turn(void **state)
{
	struct io_loop *loop = *state;
	static const int signos[] = { SIGUSR1, SIGUSR2, 0 }, wrong[] = { 9999, 0 };
	int heard = 0;

	assert_int_equal(io_loop_signals(loop, wrong, on_signal, &heard), -EINVAL);
	assert_int_equal(io_loop_signals(loop, signos, on_signal, &heard), 0);
	assert_int_equal(io_loop_signals(loop, signos, on_signal, &heard), -EEXIST);

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kill(getpid(), signos[i]), 0);
		assert_int_equal(heard, i == 0 ? 0 : SIGUSR1);
		assert_int_equal(io_loop_turn(loop, in_ms(1000)), 0);
		assert_int_equal(heard, signos[i]);
	}
}

static void both_clocks_are_those_of_the_turn(void **state)
{
	struct io_loop *loop = *state;
	struct timespec boot, utc;

	assert_int_equal(io_loop_turn(loop, in_ms(3)), 0);
	struct gk_now turn = io_loop_now(loop);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &utc);
	assert_in_range(boot.tv_sec * 1000 + boot.tv_nsec / 1000000 - turn.mono.ms, 0, 1000);
	assert_in_range(utc.tv_sec - turn.utc.s, 0, 1);

	// It stands still until the next turn.
	while (io_now().mono.ms == turn.mono.ms)
		;
	assert_int_equal(io_loop_now(loop).mono.ms, turn.mono.ms);
}

static void the_environment_gives_bytes_and_memory(void **state)
{
	struct gk_env env = io_env();
	uint8_t a[300] = { 0 }, b[300] = { 0 }, zeros[8] = { 0 };

	(void)state;
	assert_true(env.random(env.ctx, a, sizeof(a)));
	assert_true(env.random(env.ctx, b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + sizeof(a) - 8, zeros, 8);
	assert_true(env.random(env.ctx, NULL, 0));

	uint8_t *memory = env.alloc(env.ctx, NULL, 4);
	assert_non_null(memory);
	memcpy(memory, "abc", 4);
	memory = env.alloc(env.ctx, memory, 4096);
	assert_non_null(memory);
	assert_string_equal((char *)memory, "abc");
	assert_null(env.alloc(env.ctx, memory, 0));
	assert_null(env.alloc(env.ctx, NULL, 0));
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_LOOP(deadlines_are_kept_to_the_millisecond),
		WITH_LOOP(a_deadline_wakes_once),
		WITH_LOOP(a_withdrawn_deadline_does_not_wake),
		WITH_LOOP(a_past_deadline_still_serves_what_is_ready),
		WITH_LOOP(without_a_deadline_readiness_ends_the_turn),
		WITH_LOOP(forgetting_in_a_turn_is_safe),
		WITH_LOOP(forgetting_oneself_is_safe),
		WITH_LOOP(a_reused_number_is_another_descriptor),
		WITH_LOOP(watching_twice_and_unknown_ones_are_errors),
		WITH_LOOP(what_is_waited_for_can_change),
		WITH_LOOP(a_turn_says_when_its_waiting_is_over),
		WITH_LOOP(many_at_once_all_get_their_turn),
		WITH_LOOP(signals_are_delivered_in_the_turn),
		WITH_LOOP(both_clocks_are_those_of_the_turn),
		cmocka_unit_test(the_environment_gives_bytes_and_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
