// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A member of the rekeying scheme "tree" and its fake KDC: fixtures of cmocka for it, and what is
 * asserted of it again and again.
 */
#ifndef TEST_FAKE_TREE_H
#define TEST_FAKE_TREE_H

#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FAKE_ALONE(name)  cmocka_unit_test_setup_teardown(name, fake_begin, fake_end)
#define FAKE_JOINED(name) cmocka_unit_test_setup_teardown(name, fake_begin_joined, fake_end)
/** Each row opens its own. */
#define FAKE_ROWED(name) cmocka_unit_test_teardown(name, fake_end)

#define FAKE_KEY_0 "00000000 00000000000000000000000000000000" /* in a path, of version 0 */
/** Of a cast in parts: without 0 and 4, entries for leaves 1 and 5, and two nodes. */
#define FAKE_PARTS 4

/** Of a group of tests. */
int fake_global_init(void **state);
/** A member that has not joined, in *state. */
int fake_begin(void **state);
/** ... one that has joined. */
int fake_begin_joined(void **state);
int fake_end(void **state);

/** A member with this version, which can tell the next. */
void assert_follows(struct fake *f);
/** As a reason: it is counted and not told of, since late copies are nothing unusual. */
extern const char fake_older[];
/** Nothing happens but that it is refused, for this reason; NULL: nothing at all. */
void assert_refused(struct fake *f, const struct fake_packet *packet, const char *reason);
/** It asks for what it missed, after the leisure, and 'gets' times in all. */
void assert_recovers(struct fake *f, size_t gets);
/** Not at once, since everybody does. */
void assert_stale_are_asked_for(struct fake *f);
/** Wait for that, which may be under way. @return how many seconds it took */
int fake_await_question_for_stale(struct fake *f);

/** A message in parts, of which our member needs the second and the last. */
void fake_cast_in_parts(struct fake *f, struct fake_cast *cast);
void fake_hear_part(struct fake *f, struct fake_cast *cast, size_t part);

#endif
