// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A listener to the real kernel, and a network namespace to listen in. For tests with cmocka.
 */
#ifndef TESTS_LIB_EAR_H
#define TESTS_LIB_EAR_H

#include "netlink/known.h"
#include "netlink/reach.h"

#define EAR_DEADLINE_MS 15000

// Events so far: as text, and as what a listener would believe.
struct ear {
	struct reach_monitor *monitor;
	struct reach_known believed;
	char *text;
	size_t len, calls, failures;
};

/** Run a line in a shell; the test fails if that does. */
void command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * A test's setup: this process gets a namespace with the pair v0 and v1. v1 is the far end, without
 * IPv6, so that whoever is asked for on v0 does not answer. 'state' stays NULL where that cannot
 * be.
 */
int make_namespace(void **state);
/** Skip, aloud, if make_namespace() could not. */
void need_namespace(void **state);
/** A test's main(): 'run' in a child, so that the caller's namespace is not touched. */
int in_a_child(int (*run)(void));

struct ear open_ear(const struct reach_options *options);
struct ear open_ear_for(const char *name);
void close_ear(struct ear *ear);

/** A callback of reach_monitor_read() with a struct ear as its context. */
void hear(const struct reach_event *events, size_t count, void *ctx);
bool has_heard(const struct ear *ear, const char *line);
/** Forget what was said, not what is believed. */
void forget_text(struct ear *ear);
void read_all(struct ear *ear);
/** Read until 'line' was heard. @return the milliseconds that it took */
int64_t wait_for(struct ear *ear, const char *line);
int probe(struct ear *ear, const char *link, const char *address);

/** Write an event's text for the index of 'link', with its newline. */
const char *line(char *text, const char *kind, const char *link, const char *rest);

#define LINE(kind, link, rest) line((char[REACH_TEXT_LEN]){ 0 }, kind, link, rest)

#endif
