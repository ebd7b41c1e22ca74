// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/timer.h"

#include "tests/lib/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIMERS 200

static void timers_come_in_the_order_of_their_deadlines(void **state)
{
	static struct gk_timer timer[TIMERS];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_timers timers;
	uint32_t chance = 1;

	(void)state;
	gk_timers_init(&timers, &env);
	assert_int_equal(gk_timers_next(&timers).ms, GK_NEVER);
	assert_int_equal(gk_timers_reserve(&timers, TIMERS), GK_OK);
	for (unsigned i = 0; i < TIMERS; i++)
		gk_timer_init(&timer[i], i, &timer[i]);
	for (int round = 0; round < 50; round++) {
		size_t set = 0, taken = 0;
		int64_t last = -1;
		struct gk_timer *due;

		// set, moved and cleared at random
		for (int k = 0; k < 600; k++) {
			struct gk_timer *one = &timer[(chance >> 8) % TIMERS];

			chance = chance * 1664525u + 1013904223u;
			if (chance >> 30)
				gk_timer_set(&timers, one, (int64_t)(chance >> 4) % 1000);
			else
				gk_timer_clear(&timers, one);
		}
		for (unsigned i = 0; i < TIMERS; i++)
			set += timer[i].slot != 0;
		assert_int_equal(timers.count, set);
		assert_null(
			gk_timers_due(&timers, (struct gk_mono){ gk_timers_next(&timers).ms - 1 }));
		while ((due = gk_timers_due(&timers, (struct gk_mono){ 1000 })) != NULL) {
			assert_true(due->at_ms >= last);
			assert_int_equal(due->slot, 0);
			assert_ptr_equal(due->owner, &timer[due->kind]);
			last = due->at_ms;
			taken++;
		}
		assert_int_equal(taken, set);
	}
	gk_timers_wipe(&timers);
	assert_int_equal(t.blocks, 0);
}

static void a_timer_is_due_at_its_time_and_not_before(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_timers timers;
	struct gk_timer timer;

	(void)state;
	gk_timers_init(&timers, &env);
	gk_timer_init(&timer, 1, NULL);
	assert_int_equal(gk_timers_reserve(&timers, 1), GK_OK);
	gk_timer_clear(&timers, &timer); // not set: nothing happens
	gk_timer_set(&timers, &timer, 100);
	gk_timer_set(&timers, &timer, 200); // moved, not doubled
	assert_int_equal(timers.count, 1);
	assert_null(gk_timers_due(&timers, (struct gk_mono){ 199 }));
	assert_ptr_equal(gk_timers_due(&timers, (struct gk_mono){ 200 }), &timer);
	assert_null(gk_timers_due(&timers, (struct gk_mono){ GK_NEVER }));
	gk_timers_wipe(&timers);
}

static void without_memory_nothing_is_reserved_and_nothing_lost(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_timers timers;
	struct gk_timer timer;

	(void)state;
	gk_timers_init(&timers, &env);
	gk_timer_init(&timer, 1, NULL);
	assert_int_equal(gk_timers_reserve(&timers, 16), GK_OK);
	gk_timer_set(&timers, &timer, 5);
	test_env_fail_alloc(&t, 1);
	assert_int_equal(gk_timers_reserve(&timers, 1000), GK_ERR_NO_MEMORY);
	assert_int_equal(gk_timers_next(&timers).ms, 5);
	assert_int_equal(gk_timers_reserve(&timers, 1000), GK_OK);
	assert_int_equal(gk_timers_next(&timers).ms, 5);
	gk_timers_wipe(&timers);
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_come_in_the_order_of_their_deadlines),
		cmocka_unit_test(a_timer_is_due_at_its_time_and_not_before),
		cmocka_unit_test(without_memory_nothing_is_reserved_and_nothing_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
