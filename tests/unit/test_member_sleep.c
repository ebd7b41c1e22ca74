// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/sleep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct gk_now at(int64_t ms)
{
	return (struct gk_now){ .mono = { ms } };
}

static void who_is_called_in_time_was_awake(void **state)
{
	struct gkm_sleep sleep = { .sleepy = true, .awake_ms = 1000 };
	(void)state;
	for (int64_t ms = 1000; ms < 100000; ms = gkm_sleep_next(&sleep).ms) {
		assert_false(gkm_sleep_over(&sleep, at(ms)));
		assert_int_equal(gkm_sleep_next(&sleep).ms, ms + GKM_SLEEP_LOOK_MS);
	}
}

static void a_moment_that_was_missed_tells_of_sleep_once(void **state)
{
	struct gkm_sleep sleep = { .sleepy = true, .awake_ms = 1000 };
	int64_t ms = 1000 + GKM_SLEEP_LOOK_MS + GKM_SLEEP_GAP_MS;
	(void)state;
	assert_false(gkm_sleep_over(&sleep, at(ms))); // others had the processor
	ms += GKM_SLEEP_LOOK_MS + GKM_SLEEP_GAP_MS + 1;
	assert_true(gkm_sleep_over(&sleep, at(ms)));
	assert_false(gkm_sleep_over(&sleep, at(ms)));
	assert_false(gkm_sleep_over(&sleep, at(ms + 1)));
}

static void traffic_shows_that_we_are_awake(void **state)
{
	struct gkm_sleep sleep = { .sleepy = true, .awake_ms = 0 };
	(void)state;
	for (int64_t ms = 0; ms < 60000; ms += 3000)
		assert_false(gkm_sleep_over(&sleep, at(ms)));
}

static void who_was_stopped_was_asleep_however_briefly(void **state)
{
	struct gkm_sleep sleep = { .sleepy = true, .awake_ms = 1000 };
	(void)state;
	sleep.continued = true;
	assert_true(gkm_sleep_over(&sleep, at(1001)));
	assert_false(gkm_sleep_over(&sleep, at(1002)));
}

static void others_are_never_woken_for_it(void **state)
{
	struct gkm_sleep sleep = { .awake_ms = 1000, .continued = true };
	(void)state;
	assert_true(gkm_sleep_next(&sleep).ms == GK_NEVER);
	assert_false(gkm_sleep_over(&sleep, at(1000000)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_called_in_time_was_awake),
		cmocka_unit_test(a_moment_that_was_missed_tells_of_sleep_once),
		cmocka_unit_test(traffic_shows_that_we_are_awake),
		cmocka_unit_test(who_was_stopped_was_asleep_however_briefly),
		cmocka_unit_test(others_are_never_woken_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
