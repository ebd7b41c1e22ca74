// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The event loop of both programs: descriptors, one deadline, signals. epoll, timerfd, signalfd.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "libgroupkey/groupkey.h"

struct io_loop;

/** Called when a descriptor is ready; 'events' are EPOLL... bits. */
typedef void io_ready_fn(void *ctx, int fd, uint32_t events);
/** Called for a signal that io_loop_signals() caught. */
typedef void io_signal_fn(void *ctx, int signo);

/** @return 0 or -errno */
int io_loop_new(struct io_loop **loop);
/** Closes its own descriptors only; NULL is allowed. Not from inside a callback. */
void io_loop_free(struct io_loop *loop);

/**
 * Watch a descriptor until io_loop_forget(). @param events EPOLLIN and the like
 * @return 0; -EEXIST: it is watched; other -errno
 */
int io_loop_watch(struct io_loop *loop, int fd, uint32_t events, io_ready_fn *ready, void *ctx);
/** Change what is waited for. @return 0, -ENOENT */
int io_loop_rewatch(struct io_loop *loop, int fd, uint32_t events);
/**
 * Stop watching; safe from inside a callback, also for others that are ready in this turn. Call it
 * before close().
 */
void io_loop_forget(struct io_loop *loop, int fd);
/**
 * Block these signals and have them delivered here instead. 'signos' ends with 0. Once a loop.
 * They stay blocked after io_loop_free().
 * @return 0; -EEXIST: done before; other -errno
 */
int io_loop_signals(struct io_loop *loop, const int *signos, io_signal_fn *handler, void *ctx);

/** Called in each turn when its waiting is over, before what is ready is. */
typedef void io_wake_fn(void *ctx);
/** Set that call; NULL: none. */
void io_loop_on_wake(struct io_loop *loop, io_wake_fn *wake, void *ctx);

/** Both clocks as of the start of this turn: when its waiting was over. */
struct gk_now io_loop_now(const struct io_loop *loop);
/**
 * One turn: wait until a descriptor is ready or 'deadline' has come, then call what is ready.
 * No wake-up that is not a deadline.
 * @return 0; -errno on a failure of epoll itself
 */
int io_loop_turn(struct io_loop *loop, struct gk_mono deadline);

/** Read both clocks: CLOCK_BOOTTIME, so that the time a machine was asleep counts; and UTC. */
struct gk_now io_now(void);
/** The environment of libgroupkey on Linux: getrandom() and realloc(). */
struct gk_env io_env(void);

#endif
