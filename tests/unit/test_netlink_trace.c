// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * netlink/trace.c, json.c, and netlink/fake.c playing a trace in the caller's time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/json.h"
#include "netlink/known.h"
#include "netlink/reach.h"
#include "tests/lib/heard.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char STORY[] = "# recorded\n"
			    "\n"
			    "+0 link 7 up lowpan0\n"
			    "+0 neighbour 7 reachable fd00::3\n"
			    "+2500 link 7 lower-down lowpan0\n"
			    "  +2500\troute 7 gone fd00::4 via fe80::3\r\n"
			    "+9000000000 proxy 7 gone fd00::5";

static struct reach_monitor *open_fake(void)
{
	struct reach_monitor *fake;

	assert_int_equal(reach_fake_open(&fake), 0);
	return fake;
}

static struct heard read_fake(struct reach_monitor *fake)
{
	struct heard heard = { 0 };

	assert_int_equal(reach_monitor_read(fake, heard_add, &heard), 0);
	return heard;
}

static void trace_is_read_line_by_line(void **state)
{
	static const struct {
		int64_t at_ms;
		size_t line;
		const char *text;
	} rows[] = {
		{ 0, 3, "link 7 up lowpan0" },
		{ 0, 4, "neighbour 7 reachable fd00::3" },
		{ 2500, 5, "link 7 lower-down lowpan0" },
		{ 2500, 6, "route 7 gone fd00::4 via fe80::3" },
		{ 9000000000, 7, "proxy 7 gone fd00::5" },
	};
	struct reach_trace trace = reach_trace_begin(STORY, strlen(STORY));
	struct reach_event event;
	int64_t at_ms;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char text[REACH_TEXT_LEN];

		assert_int_equal(reach_trace_next(&trace, &at_ms, &event), 1);
		reach_event_format(&event, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(at_ms, rows[i].at_ms);
		assert_int_equal(trace.line, rows[i].line);
	}
	assert_int_equal(reach_trace_next(&trace, &at_ms, &event), 0);
}

static void trace_line_reads_back_as_it_was_written(void **state)
{
	static const char *const lines[] = {
		"+0 link 7 up lowpan0",
		"+999999999999999 route 2147 gone fd00:1111:2222:3333:4444:5555:6666:7777 via "
		"fe80:1111:2222:3333:4444:5555:6666:7777",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(lines); i++) {
		struct reach_trace trace = reach_trace_begin(lines[i], strlen(lines[i]));
		char text[REACH_TRACE_LEN];
		struct reach_event event;
		int64_t at_ms;

		assert_int_equal(reach_trace_next(&trace, &at_ms, &event), 1);
		reach_trace_format(at_ms, &event, text);
		assert_string_equal(text, lines[i]);
	}
}

static char *with_line(const char *line, size_t len, size_t *total)
{
	static const char first[] = "+5 link 7 up lowpan0\n# comment\n";
	char *text = malloc(sizeof(first) + len);

	assert_non_null(text);
	memcpy(text, first, sizeof(first) - 1);
	memcpy(text + sizeof(first) - 1, line, len);
	*total = sizeof(first) - 1 + len;
	return text;
}

static void assert_refused(const char *line, size_t len)
{
	struct reach_monitor *fake = open_fake();
	size_t total, wrong = 0;
	char *text = with_line(line, len, &total);

	assert_int_equal(reach_fake_trace_load(fake, STORY, strlen(STORY), NULL), 0);
	assert_int_equal(reach_fake_trace_advance(fake, 0), 0);
	if (reach_fake_trace_load(fake, text, total, &wrong) != -EINVAL)
		fail_msg("taken: %s", line);
	assert_int_equal(wrong, 3);
	assert_int_equal(reach_fake_trace_next_ms(fake), 2500); // the other one goes on
	free(text);
	reach_monitor_close(fake);
}

static void wrong_line_is_named_and_changes_nothing(void **state)
{
	static const char *const lines[] = {
		"link 7 up lowpan0",                   // no time
		"+ link 7 up lowpan0",                 // no digits
		"+-5 link 7 up lowpan0",               // before the beginning
		"+4 link 7 up lowpan0",                // back in time
		"+6link 7 up lowpan0",                 // no space
		"+0x6 link 7 up lowpan0",              // not decimal
		"+6.5 link 7 up lowpan0",              // not whole
		"+1000000000000000 link 7 up lowpan0", // too late
		"+18446744073709551622 link 7 up lowpan0",
		"+6", // no event
		"+6 ",
		"+6 link 7 sideways lowpan0",
		"+6 link 99999999999 up lowpan0",
		"+6 link 7 up lowpan0 +7 link 7 down lowpan0",
		"\xff\xfe",
	};
	char *endless = malloc(100000);

	(void)state;
	for (size_t i = 0; i < LENGTH(lines); i++)
		assert_refused(lines[i], strlen(lines[i]));
	assert_refused("+6 link 7 up low\0pan0", 21); // would hide what is behind
	assert_refused("\0", 1);
	assert_non_null(endless);
	memset(endless, ' ', 100000);
	assert_refused(endless, 100000);
	free(endless);
}

static void reader_goes_on_behind_a_wrong_line(void **state)
{
	static const char text[] = "+1 nonsense\n+2 link 7 up lowpan0\n";
	struct reach_trace trace = reach_trace_begin(text, strlen(text));
	struct reach_event event;
	int64_t at_ms;

	(void)state;
	assert_int_equal(reach_trace_next(&trace, &at_ms, &event), -EINVAL);
	assert_int_equal(reach_trace_next(&trace, &at_ms, &event), 1);
	assert_int_equal(at_ms, 2);
}

static void event_is_shown_as_json(void **state)
{
	static const struct {
		const char *line, *json;
	} rows[] = {
		{ "+0 link 7 lower-down \"\\x\033\377",
		  ",\"kind\":\"link\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\",\"present\":true,"
		  "\"up\":true,\"lower_up\":false" },
		{ "+0 address 7 gone fd00::1",
		  ",\"kind\":\"address\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\","
		  "\"present\":false,\"ip\":\"fd00::1\"" },
		{ "+0 route 7 added fd00::1 via ::",
		  ",\"kind\":\"route\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\",\"present\":true,"
		  "\"ip\":\"fd00::1\",\"gateway\":null" },
		{ "+0 route 7 gone fd00::1 via fe80::2",
		  ",\"kind\":\"route\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\",\"present\":"
		  "false,"
		  "\"ip\":\"fd00::1\",\"gateway\":\"fe80::2\"" },
		{ "+0 proxy 7 added fd00::1",
		  ",\"kind\":\"proxy\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\",\"present\":true,"
		  "\"ip\":\"fd00::1\"" },
		{ "+0 neighbour 7 failed fd00::1",
		  ",\"kind\":\"neighbour\",\"ifindex\":7,\"interface\":\"\\\"\\\\??\",\"ip\":"
		  "\"fd00::1\","
		  "\"state\":\"failed\"" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct reach_trace trace = reach_trace_begin(rows[i].line, strlen(rows[i].line));
		struct reach_event event;
		int64_t at_ms;
		size_t len;
		char *text;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		assert_int_equal(reach_trace_next(&trace, &at_ms, &event), 1);
		reach_json_event(out, &event, "\"\\\033\377");
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, rows[i].json);
		free(text);
	}
}

static void fake_plays_a_trace_in_the_callers_time(void **state)
{
	struct reach_monitor *fake = open_fake();
	struct heard heard;

	(void)state;
	assert_int_equal(reach_fake_trace_next_ms(fake), -1);
	assert_int_equal(reach_fake_trace_load(fake, STORY, strlen(STORY), NULL), 0);
	assert_int_equal(reach_fake_trace_next_ms(fake), 0);
	assert_int_equal(reach_fake_trace_advance(fake, 0), 0);
	heard = read_fake(fake);
	assert_string_equal(heard.text, "link 7 up lowpan0\nneighbour 7 reachable fd00::3\n");
	assert_int_equal(heard.calls, 1);
	assert_int_equal(reach_fake_trace_next_ms(fake), 2500);
	assert_int_equal(reach_fake_trace_advance(fake, 2499), 0);
	assert_int_equal(read_fake(fake).calls, 0);
	assert_int_equal(reach_fake_trace_advance(fake, 2500), 0);
	heard = read_fake(fake);
	assert_string_equal(heard.text,
			    "link 7 lower-down lowpan0\nroute 7 gone fd00::4 via fe80::3\n");
	assert_int_equal(reach_fake_trace_advance(fake, 9000000000), 0);
	assert_string_equal(read_fake(fake).text, "proxy 7 gone fd00::5\n");
	assert_int_equal(reach_fake_trace_next_ms(fake), -1);
	assert_int_equal(reach_fake_trace_advance(fake, INT64_MAX), 0);
	assert_int_equal(read_fake(fake).calls, 0);
	reach_monitor_close(fake);
}

/*
 * A real one
 */

struct segment {
	struct reach_known believed;
	size_t failed; // FAILED heard, while the link works
	size_t blind;  // and while it does not
};

static bool works(const struct segment *segment, int ifindex)
{
	const struct reach_event key = { .kind = REACH_LINK, .ifindex = ifindex };
	const struct reach_event *link = reach_known_find(&segment->believed, &key);

	return link && link->lower_up;
}

static void take(const struct reach_event *events, size_t count, void *ctx)
{
	struct segment *segment = ctx;

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(reach_known_update(&segment->believed, &events[i]), 0);
		if (events[i].state != REACH_FAILED)
			continue;
		segment->failed += works(segment, events[i].ifindex);
		segment->blind += !works(segment, events[i].ifindex);
		if (works(segment, events[i].ifindex))
			assert_int_equal(events[i].ip[15], 2); // who was out of range, and off
	}
}

static char *read_trace(size_t *len)
{
	FILE *file = fopen(GK_TOP "/tests/data/traces/lowpan.trace", "r");
	char *text = calloc(1, 65536);

	assert_non_null(file);
	assert_non_null(text);
	*len = fread(text, 1, 65536, file);
	assert_true(*len > 0 && *len < 65536);
	fclose(file);
	return text;
}

// Play until 'end_ms', each batch for itself.
static void play(struct reach_monitor *fake, struct segment *segment, int64_t end_ms)
{
	int64_t at_ms = reach_fake_trace_next_ms(fake);

	while (at_ms >= 0 && at_ms < end_ms) {
		assert_int_equal(reach_fake_trace_advance(fake, at_ms), 0);
		assert_int_equal(reach_monitor_read(fake, take, segment), 0);
		assert_int_not_equal(reach_fake_trace_next_ms(fake), at_ms);
		at_ms = reach_fake_trace_next_ms(fake);
	}
}

static void radio_that_goes_down_is_heard_of_before_all_neighbours_fail(void **state)
{
	struct reach_monitor *fake = open_fake();
	struct segment segment = { 0 };
	size_t len;
	char *text = read_trace(&len);

	(void)state;
	assert_int_equal(reach_fake_trace_load(fake, text, len, NULL), 0);
	play(fake, &segment, 16000);
	assert_true(works(&segment, 3));
	assert_int_equal(segment.failed, 1);
	play(fake, &segment, 24000);
	assert_false(works(&segment, 3));
	assert_int_equal(segment.blind, 2);
	play(fake, &segment, 27000);
	assert_true(works(&segment, 3));
	play(fake, &segment, INT64_MAX);
	assert_int_equal(segment.failed, 2);
	assert_int_equal(segment.blind, 2);
	assert_int_equal(segment.believed.count, 0); // the radio is gone, and all with it
	reach_known_wipe(&segment.believed);
	free(text);
	reach_monitor_close(fake);
}

static void trace_may_be_played_again_and_be_another(void **state)
{
	struct reach_monitor *fake = open_fake();

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(reach_fake_trace_load(fake, STORY, strlen(STORY), NULL), 0);
		assert_int_equal(reach_fake_trace_advance(fake, INT64_MAX), 0);
		assert_int_equal(read_fake(fake).calls, 1);
	}
	assert_int_equal(reach_fake_trace_load(fake, "", 0, NULL), 0);
	assert_int_equal(reach_fake_trace_next_ms(fake), -1);
	reach_monitor_close(fake);
}

static void fake_answers_as_it_was_told(void **state)
{
	const struct reach_timing set = { .verdict_ms = 3405, .retrans_ms = 1000 };
	struct reach_monitor *fake = open_fake();
	struct reach_timing timing = { 0 };

	(void)state;
	assert_int_equal(reach_monitor_timing(fake, 7, &timing), -ENODEV);
	reach_fake_timing(fake, &set);
	assert_int_equal(reach_monitor_timing(fake, 7, &timing), 0);
	assert_int_equal(timing.verdict_ms, 3405);
	reach_fake_timing(fake, NULL);
	assert_int_equal(reach_monitor_timing(fake, 7, &timing), -ENODEV);
	assert_int_equal(reach_fake_looks(fake), 0);
	reach_monitor_look(fake);
	assert_int_equal(reach_fake_looks(fake), 1);
	reach_monitor_close(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace_is_read_line_by_line),
		cmocka_unit_test(trace_line_reads_back_as_it_was_written),
		cmocka_unit_test(wrong_line_is_named_and_changes_nothing),
		cmocka_unit_test(reader_goes_on_behind_a_wrong_line),
		cmocka_unit_test(event_is_shown_as_json),
		cmocka_unit_test(fake_plays_a_trace_in_the_callers_time),
		cmocka_unit_test(radio_that_goes_down_is_heard_of_before_all_neighbours_fail),
		cmocka_unit_test(trace_may_be_played_again_and_be_another),
		cmocka_unit_test(fake_answers_as_it_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
