// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * docs/state.md section 6, sentence by sentence, with a machine whose clocks are moved by hand.
 */
#include "gatewayd/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MINUTE     INT64_C(60)
#define HOUR       (60 * MINUTE)
#define DAY        (24 * HOUR)
#define YEAR       (365 * DAY)
#define RELEASE    GW_CLOCK_RELEASE_S
#define HIGHEST    (RELEASE + 100 * DAY) /* known from earlier */
#define SINCE_1970 INT64_C(20)           /* a calendar that began with the machine */

/* Elapsed time, and a calendar that goes on with it until it is set. */
struct machine {
	struct gw_clock_reading at;
	struct gw_clock clock;
};

static void boot(struct machine *machine, int64_t utc_s, bool synchronised, int64_t highest_s)
{
	machine->at = (struct gw_clock_reading){ { 20000 }, { utc_s }, synchronised };
	gw_clock_init(&machine->clock, &machine->at, highest_s, false);
}

/* Time passes unseen. */
static void sleep_for(struct machine *machine, int64_t s)
{
	machine->at.mono.ms += s * 1000;
	machine->at.utc.s += s;
}

static bool look(struct machine *machine)
{
	return gw_clock_read(&machine->clock, &machine->at);
}

static int64_t believed(const struct machine *machine)
{
	return gw_clock_utc(&machine->clock, machine->at.mono).s;
}

/* Time passes, and the clock is looked at once a minute. @return the corrections */
static int watch_for(struct machine *machine, int64_t s)
{
	int corrections = 0;

	for (int64_t minute = 0; minute < s / MINUTE; minute++) {
		int64_t before = believed(machine);
		sleep_for(machine, MINUTE);
		bool corrected = look(machine);
		corrections += corrected;
		assert_true(corrected || believed(machine) >= before);
	}
	return corrections;
}

#define assert_source(machine, want)                                                               \
	assert_string_equal(gw_clock_source_name((machine)->clock.source), want)

/* At the start */

struct start {
	const char *what;
	int64_t calendar_s;
	bool synchronised;
	int64_t highest_s;
	const char *source;
	int64_t believed_s;
};

static void a_start_believes_what_can_be_believed(void **state)
{
	static const struct start rows[] = {
		{ "right", HIGHEST + DAY, false, HIGHEST, "machine", HIGHEST + DAY },
		{ "nothing known", RELEASE + DAY, false, 0, "machine", RELEASE + DAY },
		{ "the highest itself", HIGHEST, false, HIGHEST, "machine", HIGHEST },
		{ "1970", SINCE_1970, false, HIGHEST, "estimated", HIGHEST },
		{ "1970, nothing known", SINCE_1970, false, 0, "estimated", RELEASE },
		{ "1970, synchronised", SINCE_1970, true, HIGHEST, "estimated", HIGHEST },
		{ "before the release", RELEASE - 1, false, 0, "estimated", RELEASE },
		{ "before the release too", RELEASE - 1, true, RELEASE, "estimated", RELEASE },
		{ "highest before the release", RELEASE - DAY, false, RELEASE - 2 * DAY,
		  "estimated", RELEASE },
		{ "10 minutes behind", HIGHEST - 600, false, HIGHEST, "machine", HIGHEST - 600 },
		{ "more than that", HIGHEST - 601, false, HIGHEST, "estimated", HIGHEST },
		{ "more, synchronised", HIGHEST - 601, true, HIGHEST, "estimated", HIGHEST },
		{ "two years in a drawer", HIGHEST + 2 * YEAR, false, HIGHEST, "machine",
		  HIGHEST + 2 * YEAR },
		{ "just not five", HIGHEST + 5 * YEAR - 1, false, HIGHEST, "machine",
		  HIGHEST + 5 * YEAR - 1 },
		{ "five years ahead", HIGHEST + 5 * YEAR, false, HIGHEST, "estimated", HIGHEST },
		{ "ten", HIGHEST + 10 * YEAR, false, HIGHEST, "estimated", HIGHEST },
		{ "ten, nothing known", RELEASE + 10 * YEAR, false, 0, "estimated", RELEASE },
		{ "ten, synchronised", HIGHEST + 10 * YEAR, true, HIGHEST, "machine",
		  HIGHEST + 10 * YEAR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct start *row = &rows[i];
		struct machine machine;
		boot(&machine, row->calendar_s, row->synchronised, row->highest_s);
		if (believed(&machine) != row->believed_s)
			fail_msg("%s: %lld s off", row->what,
				 (long long)(believed(&machine) - row->believed_s));
		assert_source(&machine, row->source);
		assert_false(look(&machine)); // a second look at the same changes nothing
		assert_int_equal(believed(&machine), row->believed_s);
		assert_source(&machine, row->source);
	}
}

static void the_operators_word_is_taken_but_not_for_a_time_before_the_release(void **state)
{
	static const struct start rows[] = {
		{ "behind", RELEASE + DAY, false, HIGHEST, "machine", RELEASE + DAY },
		{ "far ahead", HIGHEST + 10 * YEAR, false, HIGHEST, "machine",
		  HIGHEST + 10 * YEAR },
		{ "1970", SINCE_1970, false, HIGHEST, "estimated", RELEASE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct gw_clock_reading at = { { 20000 }, { rows[i].calendar_s }, false };
		struct gw_clock clock;
		gw_clock_init(&clock, &at, rows[i].highest_s, true);
		assert_int_equal(gw_clock_utc(&clock, at.mono).s, rows[i].believed_s);
		assert_int_equal(clock.highest_s, rows[i].believed_s);
		assert_string_equal(gw_clock_source_name(clock.source), rows[i].source);
	}
}

/* Behind */

static void from_the_highest_time_it_goes_on_by_elapsed_time(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, SINCE_1970, false, HIGHEST);
	assert_int_equal(watch_for(&machine, 90 * DAY), 0);
	assert_int_equal(believed(&machine), HIGHEST + 90 * DAY);
	assert_source(&machine, "estimated");
	// The next start goes on from there, so no token is good again.
	assert_int_equal(machine.clock.highest_s, HIGHEST + 90 * DAY);
}

static void ntp_after_the_start_is_believed_at_once(void **state)
{
	static const struct {
		int64_t ahead_s;
		bool synchronised, believed;
	} rows[] = {
		{ 0, true, true },           // at it
		{ 3 * DAY, true, true },     // above it
		{ 3 * DAY, false, true },    // before the kernel says so, or set by hand
		{ 10 * YEAR, true, true },   // as at the start
		{ 10 * YEAR, false, false }, //
		{ -MINUTE, false, false },   { -1 * DAY, true, false }, // behind: not at once
		{ -1 * DAY, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct machine machine;
		boot(&machine, SINCE_1970, false, HIGHEST);
		watch_for(&machine, 5 * MINUTE);
		int64_t estimated = believed(&machine);
		machine.at.utc.s = estimated + rows[i].ahead_s;
		machine.at.synchronised = rows[i].synchronised;
		bool corrected = look(&machine);
		assert_int_equal(corrected, rows[i].believed && rows[i].ahead_s > 0);
		assert_int_equal(believed(&machine),
				 estimated + (rows[i].believed ? rows[i].ahead_s : 0));
		assert_source(&machine, rows[i].believed ? "machine" : "estimated");
	}
}

static void a_highest_time_that_was_wrong_is_corrected_by_ntp_that_stays(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST - 90 * DAY, true, HIGHEST);
	assert_int_equal(watch_for(&machine, HOUR - MINUTE), 0);
	assert_source(&machine, "estimated");
	assert_int_equal(believed(&machine), HIGHEST + HOUR - MINUTE);
	assert_int_equal(watch_for(&machine, MINUTE), 1);
	assert_source(&machine, "machine");
	assert_int_equal(believed(&machine), HIGHEST - 90 * DAY + HOUR);
	assert_int_equal(machine.clock.highest_s, HIGHEST - 90 * DAY + HOUR);
}

static void the_hour_counts_from_when_the_kernel_stands_for_it(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST - 90 * DAY, false, HIGHEST);
	assert_int_equal(watch_for(&machine, 30 * DAY), 0); // for itself it is never believed
	machine.at.synchronised = true;
	assert_int_equal(watch_for(&machine, 50 * MINUTE), 0);
	machine.at.synchronised = false; // and again
	assert_int_equal(watch_for(&machine, MINUTE), 0);
	machine.at.synchronised = true;
	assert_int_equal(watch_for(&machine, HOUR), 0);
	assert_source(&machine, "estimated");
	assert_int_equal(watch_for(&machine, MINUTE), 1);
	assert_source(&machine, "machine");
}

static void a_calendar_before_the_release_is_never_believed(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, RELEASE - YEAR, true, 0);
	assert_int_equal(watch_for(&machine, 30 * DAY), 0);
	assert_int_equal(believed(&machine), RELEASE + 30 * DAY);

	boot(&machine, RELEASE + MINUTE, true, 0);
	machine.at.utc.s = RELEASE - MINUTE; // by no more than a small step
	assert_false(look(&machine));
	assert_int_equal(believed(&machine), RELEASE + MINUTE);
}

/* While it is believed */

static void a_small_step_is_followed(void **state)
{
	static const int64_t steps[] = { 2, 30, -30, 59 * MINUTE, -59 * MINUTE, HOUR, -HOUR };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct machine machine;
		boot(&machine, HIGHEST, false, HIGHEST);
		sleep_for(&machine, DAY);
		machine.at.utc.s += steps[i];
		assert_true(look(&machine)); // and the KDC hears of it
		assert_int_equal(believed(&machine), HIGHEST + DAY + steps[i]);
		assert_source(&machine, "machine");
	}
}

/* Many small ones would be what a large one may not be. */
static void small_steps_back_lead_no_further_than_one(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, false, HIGHEST);
	for (int i = 0; i < 100; i++) {
		sleep_for(&machine, MINUTE);
		machine.at.utc.s -= 30 * MINUTE;
		look(&machine);
		assert_true(believed(&machine) >= HIGHEST - HOUR);
	}
	assert_source(&machine, "held");
	machine.at.synchronised = true;
	assert_int_equal(watch_for(&machine, 2 * HOUR), 1);
	assert_int_equal(believed(&machine), machine.at.utc.s);
	assert_int_equal(machine.clock.highest_s, machine.at.utc.s);
}

static void a_slow_drift_is_followed(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, false, HIGHEST);
	for (int day = 0; day < 100; day++) {
		sleep_for(&machine, DAY);
		machine.at.utc.s += 1; // slower is our elapsed time
		assert_false(look(&machine));
		assert_int_equal(believed(&machine), machine.at.utc.s);
	}
	// A second back can be the coarseness of the calendar; then it waits.
	machine.at.utc.s -= 1;
	assert_false(look(&machine));
	assert_int_equal(believed(&machine), machine.at.utc.s + 1);
	for (int day = 0; day < 100; day++) {
		int64_t before = believed(&machine);
		sleep_for(&machine, DAY);
		machine.at.utc.s -= 1;
		look(&machine);
		assert_true(believed(&machine) >= before);
		assert_in_range(believed(&machine) - machine.at.utc.s, 0, 1);
	}
}

/* The calendar is told in whole seconds, elapsed time in milliseconds. */
static void within_a_second_time_never_runs_back(void **state)
{
	struct machine machine;
	int64_t last;

	(void)state;
	boot(&machine, HIGHEST, false, HIGHEST);
	machine.at.mono.ms += 900;
	assert_false(look(&machine)); // still the same second
	machine.at.mono.ms += 100;
	assert_int_equal(believed(&machine), HIGHEST + 1);

	boot(&machine, HIGHEST, false, HIGHEST);
	last = believed(&machine);
	for (int ms = 0; ms < 100000; ms += 7) {
		machine.at.mono.ms = 20900 + ms; // out of step with the seconds of the calendar
		machine.at.utc.s = HIGHEST + (ms + 500) / 1000;
		if (ms % 3 == 0)
			assert_false(look(&machine));
		assert_true(believed(&machine) >= last);
		last = believed(&machine);
		assert_in_range(last, HIGHEST + ms / 1000, HIGHEST + ms / 1000 + 1);
	}
}

static void a_jump_and_a_jump_back_change_nothing(void **state)
{
	static const struct {
		int64_t jump_s;
		bool synchronised;
		int64_t stays_s;
	} rows[] = {
		{ YEAR, false, DAY - MINUTE }, { -YEAR, false, 30 * DAY },
		{ YEAR, true, HOUR - MINUTE }, { -YEAR, true, HOUR - MINUTE },
		{ HOUR + 1, false, HOUR },     { -HOUR - 1, false, HOUR },
		{ 10 * YEAR, true, HOUR / 2 }, { -HIGHEST, false, 2 * DAY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct machine machine;
		boot(&machine, HIGHEST, true, HIGHEST);
		watch_for(&machine, 10 * DAY);
		machine.at.utc.s += rows[i].jump_s;
		machine.at.synchronised = rows[i].synchronised;
		assert_false(look(&machine));
		assert_source(&machine, "held");
		int64_t since_ms = machine.at.mono.ms;
		assert_int_equal(machine.clock.since_ms, machine.at.mono.ms);
		assert_int_equal(watch_for(&machine, rows[i].stays_s), 0);
		assert_int_equal(machine.clock.since_ms, since_ms);
		assert_source(&machine, "held");
		assert_int_equal(believed(&machine), HIGHEST + 10 * DAY + rows[i].stays_s);
		machine.at.utc.s -= rows[i].jump_s;
		assert_int_equal(watch_for(&machine, MINUTE), 0);
		assert_source(&machine, "machine");
		assert_int_equal(believed(&machine), machine.at.utc.s);
		assert_int_equal(machine.clock.highest_s, machine.at.utc.s);
	}
}

static void a_jump_that_stays_is_followed(void **state)
{
	static const struct {
		int64_t jump_s;
		bool synchronised;
		int64_t stays_s; /* 0: never */
	} rows[] = {
		{ 30 * DAY, true, HOUR }, { -30 * DAY, true, HOUR }, { 2 * HOUR, true, HOUR },
		{ 30 * DAY, false, DAY }, { 10 * YEAR, false, DAY }, { 2 * HOUR, false, DAY },
		{ -30 * DAY, false, 0 },  { -2 * HOUR, false, 0 },   { -HIGHEST, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t stays_s = rows[i].stays_s ? rows[i].stays_s : 100 * DAY;
		struct machine machine;
		boot(&machine, HIGHEST, false, HIGHEST);
		machine.at.utc.s += rows[i].jump_s;
		machine.at.synchronised = rows[i].synchronised;
		assert_false(look(&machine));
		assert_int_equal(watch_for(&machine, stays_s - MINUTE), 0);
		assert_source(&machine, "held");
		assert_int_equal(watch_for(&machine, MINUTE), rows[i].stays_s > 0);
		assert_source(&machine, rows[i].stays_s ? "machine" : "held");
		if (rows[i].stays_s) {
			assert_int_equal(believed(&machine), machine.at.utc.s);
			assert_int_equal(machine.clock.highest_s, machine.at.utc.s);
		} else {
			assert_int_equal(believed(&machine), HIGHEST + stays_s);
		}
	}
}

static void another_jump_begins_the_wait_anew(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, true, HIGHEST);
	machine.at.utc.s += 30 * DAY;
	look(&machine);
	watch_for(&machine, 50 * MINUTE);
	machine.at.utc.s += 10 * MINUTE;
	look(&machine);
	assert_int_equal(watch_for(&machine, HOUR - MINUTE), 0);
	assert_int_equal(watch_for(&machine, MINUTE), 1);

	// NTP may nudge it meanwhile.
	machine.at.utc.s += 30 * DAY;
	look(&machine);
	watch_for(&machine, 50 * MINUTE);
	machine.at.utc.s += 9 * MINUTE;
	assert_int_equal(watch_for(&machine, 10 * MINUTE), 1);
}

static void a_jump_of_which_the_kernel_changes_its_mind(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, true, HIGHEST);
	machine.at.utc.s += 30 * DAY;
	machine.at.synchronised = false;
	look(&machine);
	assert_int_equal(watch_for(&machine, 5 * HOUR), 0);
	machine.at.synchronised = true;
	look(&machine);
	assert_int_equal(watch_for(&machine, HOUR - MINUTE), 0);
	machine.at.synchronised = false;
	assert_int_equal(watch_for(&machine, 18 * HOUR), 0);
	assert_int_equal(watch_for(&machine, MINUTE), 1); // a day in all
}

/* Elapsed time counts what the machine slept. */
static void a_suspended_machine_has_not_jumped(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, false, HIGHEST);
	sleep_for(&machine, 40 * DAY);
	assert_false(look(&machine));
	assert_source(&machine, "machine");
	assert_int_equal(believed(&machine), HIGHEST + 40 * DAY);
	assert_int_equal(machine.clock.since_ms, 20000); // all the time
}

static void what_was_believed_is_the_highest_of_the_next_start(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, false, HIGHEST);
	machine.at.utc.s += 30 * MINUTE;
	look(&machine);
	machine.at.utc.s -= 50 * MINUTE; // a small step back: believed, and not the highest
	look(&machine);
	assert_int_equal(machine.clock.highest_s, HIGHEST + 30 * MINUTE);
	watch_for(&machine, DAY);
	assert_int_equal(machine.clock.highest_s, HIGHEST + DAY - 20 * MINUTE);

	// A jump that is not believed leaves no trace.
	machine.at.utc.s += 30 * DAY;
	look(&machine);
	assert_int_equal(machine.clock.highest_s, HIGHEST + DAY - 20 * MINUTE);
}

static void what_the_kernel_said_of_it_is_known(void **state)
{
	struct machine machine;

	(void)state;
	boot(&machine, HIGHEST, true, HIGHEST);
	assert_true(machine.clock.synchronised);
	machine.at.synchronised = false;
	look(&machine);
	assert_false(machine.clock.synchronised);
	boot(&machine, SINCE_1970, true, HIGHEST);
	assert_false(machine.clock.synchronised);
}

/* The release */

/* @param heading  "VERSION, DATE" or "VERSION, unreleased" @return its day, 0: not yet,
 * -1: neither */
static int64_t day_of(const char *heading)
{
	const char *comma = strchr(heading, ',');
	struct tm day = { 0 };
	char end = 0;

	if (comma && strcmp(comma, ", unreleased\n") == 0)
		return 0;
	if (!comma ||
	    sscanf(comma, ", %4d-%2d-%2d%c", &day.tm_year, &day.tm_mon, &day.tm_mday, &end) != 4 ||
	    end != '\n')
		return -1;
	day.tm_year -= 1900;
	day.tm_mon--;
	return timegm(&day);
}

/* @return the day of the newest entry that has one; 0: none */
static int64_t newest_release(FILE *changes)
{
	char line[256];
	int64_t day = 0;

	while (day == 0 && fgets(line, sizeof(line), changes)) {
		if (line[0] >= '0' && line[0] <= '9')
			day = day_of(line);
	}
	return day;
}

static void the_newest_release_is_the_first_with_a_date(void **state)
{
	static const struct {
		const char *text;
		int64_t day;
	} rows[] = {
		{ "changes\n\n0.1.0, unreleased\n\n- 1.0.0, 2027-01-01\n", 0 },
		{ "0.1.0, 2026-11-21\n", INT64_C(1795219200) },
		{ "0.2.0, unreleased\n0.1.1, 1970-01-02\n0.1.0, 1970-01-01\n", DAY },
		{ "0.1.0, 21 November 2026\n", -1 },
		{ "0.1.0, 2026-11-21 again\n", -1 },
		{ "0.1.0\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *changes = fmemopen((void *)rows[i].text, strlen(rows[i].text), "r");
		assert_non_null(changes);
		if (newest_release(changes) != rows[i].day)
			fail_msg("%s", rows[i].text);
		fclose(changes);
	}
}

static void the_release_that_is_known_is_the_newest_one(void **state)
{
	const char *top = getenv("GK_TOP");
	char path[4096];
	int64_t day;

	(void)state;
	if (!top)
		skip();
	snprintf(path, sizeof(path), "%s/CHANGES", top);
	FILE *changes = fopen(path, "r");
	assert_non_null(changes);
	day = newest_release(changes);
	fclose(changes);
	if (day < 0 || GW_CLOCK_RELEASE_S < day)
		fail_msg("raise GW_CLOCK_RELEASE_S to the date of the newest entry in CHANGES");
	if (GW_CLOCK_RELEASE_S > time(NULL))
		fail_msg("GW_CLOCK_RELEASE_S is still to come, or this machine's clock is wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_believes_what_can_be_believed),
		cmocka_unit_test(the_operators_word_is_taken_but_not_for_a_time_before_the_release),
		cmocka_unit_test(from_the_highest_time_it_goes_on_by_elapsed_time),
		cmocka_unit_test(ntp_after_the_start_is_believed_at_once),
		cmocka_unit_test(a_highest_time_that_was_wrong_is_corrected_by_ntp_that_stays),
		cmocka_unit_test(the_hour_counts_from_when_the_kernel_stands_for_it),
		cmocka_unit_test(a_calendar_before_the_release_is_never_believed),
		cmocka_unit_test(a_small_step_is_followed),
		cmocka_unit_test(small_steps_back_lead_no_further_than_one),
		cmocka_unit_test(a_slow_drift_is_followed),
		cmocka_unit_test(within_a_second_time_never_runs_back),
		cmocka_unit_test(a_jump_and_a_jump_back_change_nothing),
		cmocka_unit_test(a_jump_that_stays_is_followed),
		cmocka_unit_test(another_jump_begins_the_wait_anew),
		cmocka_unit_test(a_jump_of_which_the_kernel_changes_its_mind),
		cmocka_unit_test(a_suspended_machine_has_not_jumped),
		cmocka_unit_test(what_was_believed_is_the_highest_of_the_next_start),
		cmocka_unit_test(what_the_kernel_said_of_it_is_known),
		cmocka_unit_test(the_newest_release_is_the_first_with_a_date),
		cmocka_unit_test(the_release_that_is_known_is_the_newest_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
