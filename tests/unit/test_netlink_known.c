// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What is known of a kernel, without one: netlink/batch.c, known.c, links.c, text.c and fake.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "netlink/batch.h"
#include "netlink/known.h"
#include "netlink/links.h"
#include "netlink/reach.h"
#include "tests/lib/heard.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t NODE[REACH_IP_LEN] = { 0xfd, [15] = 0x01 };

static struct reach_monitor *open_fake(const char *script)
{
	struct reach_monitor *fake;

	assert_int_equal(reach_fake_open(&fake), 0);
	assert_int_equal(reach_fake_script(fake, script, NULL), 0);
	return fake;
}

static bool is_readable(const struct reach_monitor *monitor)
{
	struct pollfd fd = { .fd = reach_monitor_fd(monitor), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void batch_is_one_call_with_links_first(void **state)
{
	struct reach_monitor *fake = open_fake("neighbour 7 unknown fd00::1\n"
					       "neighbour 7 failed fd00::2\n"
					       "link 7 down lowpan0\n"
					       "route 7 gone fd00::3 via fe80::1\n"
					       "link 8 up lowpan1\n");
	struct heard heard = { 0 };

	(void)state;
	assert_true(is_readable(fake));
	assert_int_equal(reach_monitor_read(fake, heard_add, &heard), 0);
	assert_int_equal(heard.calls, 1);
	assert_string_equal(heard.text, "link 7 down lowpan0\n"
					"link 8 up lowpan1\n"
					"neighbour 7 unknown fd00::1\n"
					"neighbour 7 failed fd00::2\n"
					"route 7 gone fd00::3 via fe80::1\n");
	assert_false(is_readable(fake));
	assert_int_equal(reach_monitor_read(fake, heard_add, &heard), 0);
	assert_int_equal(heard.calls, 1);
	reach_monitor_close(fake);
}

static void event_text_reads_back_as_the_same_event(void **state)
{
	static const char script[] =
		"link 1 up a\nlink 4 lower-down d\nlink 2 down b\nlink 3 gone 0123456789abcde\n"
		"address 7 added fd00::1\naddress 7 gone fd00::1\n"
		"route 7 added fd00::2 via ::\nroute 7 gone fd00::2 via fe80::2\n"
		"route 7 added fd00::2 via :: metric 1\n"
		"route 7 gone fd00::2 via fe80::2 metric 4294967295\n"
		"proxy 7 added fd00::4\nproxy 7 gone fd00::4\n"
		"neighbour 7 unknown fd00::3\nneighbour 7 reachable fd00::3\n"
		"neighbour 7 stale fd00::3\nneighbour 7 failed fd00::3\n";
	struct reach_monitor *fake = open_fake(script);
	struct heard heard = { 0 };

	(void)state;
	assert_int_equal(reach_monitor_read(fake, heard_add, &heard), 0);
	assert_string_equal(heard.text, script);
	reach_monitor_close(fake);
}

static void script_with_a_wrong_line_queues_nothing(void **state)
{
	static const char *const lines[] = {
		"link 7 up",                      // no name
		"link 7 added lowpan0",           // not a link's word
		"link 0 up lowpan0",              // no such index
		"link 7 up 0123456789abcdef",     // name too long
		"link 7 up lowpan0 more",         // a word too many
		"neighbour 7 failed 192.0.2.1",   // not IPv6
		"neighbour 7 gone fd00::1",       // not a neighbour's word
		"route 7 added fd00::1",          // no gateway
		"route 7 added fd00::1 by ::",    // not 'via'
		"route 7 added fd00::1 via :: x", // a word too many
		"route 7 added fd00::1 via :: metric",
		"route 7 added fd00::1 via :: metrics 5",
		"route 7 added fd00::1 via :: metric 0", // means another one
		"route 7 added fd00::1 via :: metric -5",
		"route 7 added fd00::1 via :: metric 5x",
		"route 7 added fd00::1 via :: metric 4294967296",
		"route 7 added fd00::1 via :: metric 5 x",
		"proxy 7 added fd00::1 via ::", // has none
		"something else",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(lines); i++) {
		struct reach_monitor *fake = open_fake("");
		char script[128] = "# a comment\n\nlink 7 up lowpan0\n";
		size_t line = 0;

		strcat(script, lines[i]);
		if (reach_fake_script(fake, script, &line) != -EINVAL)
			fail_msg("row %zu: accepted", i);
		assert_int_equal(line, 4);
		assert_false(is_readable(fake));
		reach_monitor_close(fake);
	}
}

static void name_with_odd_bytes_prints_as_question_marks(void **state)
{
	struct reach_event event = { .kind = REACH_LINK, .ifindex = 7, .present = true };
	char text[REACH_TEXT_LEN];

	(void)state;
	memcpy(event.name, "a\033[2J\xff", 7);
	reach_event_format(&event, text);
	assert_string_equal(text, "link 7 down a?[2J?");
}

static void fake_records_the_newest_probes(void **state)
{
	struct reach_monitor *fake = open_fake("");
	uint8_t ip[REACH_IP_LEN];
	int ifindex;

	(void)state;
	assert_false(reach_fake_probed(fake, &ifindex, ip));
	for (int i = 1; i <= 70; i++)
		assert_int_equal(reach_monitor_probe(fake, i, NODE), 0);
	for (int i = 7; i <= 70; i++) {
		assert_true(reach_fake_probed(fake, &ifindex, ip));
		assert_int_equal(ifindex, i);
		assert_memory_equal(ip, NODE, sizeof(NODE));
	}
	assert_false(reach_fake_probed(fake, &ifindex, ip));
	reach_fake_probe_result(fake, -EPERM);
	assert_int_equal(reach_monitor_probe(fake, 7, NODE), -EPERM);
	assert_true(reach_fake_probed(fake, &ifindex, ip));
	reach_monitor_close(fake);
}

static void fake_read_delivers_before_it_fails(void **state)
{
	struct reach_monitor *fake = open_fake("link 7 up lowpan0");
	struct heard heard = { 0 };

	(void)state;
	reach_fake_read_result(fake, -EAGAIN);
	assert_int_equal(reach_monitor_read(fake, heard_add, &heard), -EAGAIN);
	assert_string_equal(heard.text, "link 7 up lowpan0\n");
	reach_monitor_close(fake);
}

static struct reach_event neighbour_event(uint32_t number, enum reach_state reach)
{
	struct reach_event event = { .kind = REACH_NEIGHBOUR, .ifindex = 7, .state = reach };

	number = htonl(number);
	event.ip[0] = 0xfd;
	memcpy(event.ip + 12, &number, 4);
	return event;
}

static int put_link(struct reach_links *links, int ifindex, int lower, bool up)
{
	const struct reach_record record = {
		.type = REACH_RECORD_EVENT,
		.event = { .kind = REACH_LINK, .ifindex = ifindex, .present = true, .up = up },
		.lower = lower,
	};

	return reach_links_update(links, &record);
}

static int drop_link(struct reach_links *links, int ifindex)
{
	const struct reach_record record = {
		.type = REACH_RECORD_EVENT,
		.event = { .kind = REACH_LINK, .ifindex = ifindex },
	};

	return reach_links_update(links, &record);
}

static void link_below_is_looked_at_by_its_index(void **state)
{
	struct reach_links links = { 0 };

	(void)state;
	assert_true(reach_links_lower_up(&links, 7)); // nothing is known of it
	assert_int_equal(put_link(&links, 7, 6, true), 0);
	assert_false(reach_links_lower_up(&links, 7)); // there is no link 6
	assert_int_equal(put_link(&links, 6, 0, false), 0);
	assert_false(reach_links_lower_up(&links, 7));
	assert_int_equal(put_link(&links, 6, 0, true), 0);
	assert_true(reach_links_lower_up(&links, 7));
	assert_true(reach_links_lower_up(&links, 6));
	assert_int_equal(drop_link(&links, 6), 0);
	assert_false(reach_links_lower_up(&links, 7));
	assert_int_equal(put_link(&links, 8, 0, true), 0);
	assert_int_equal(put_link(&links, 7, 8, true), 0); // bound to another one
	assert_true(reach_links_lower_up(&links, 7));
	assert_int_equal(put_link(&links, 7, 7, false), 0); // itself
	assert_true(reach_links_lower_up(&links, 7));
	assert_int_equal(drop_link(&links, 99), 0);
	reach_links_wipe(&links);
}

static void link_below_that_had_no_room_is_taken_to_be_up(void **state)
{
	struct reach_links links = { 0 };

	(void)state;
	assert_int_equal(put_link(&links, 1, REACH_LINKS_MAX + 1, true), 0);
	for (int i = REACH_LINKS_MAX; i > 1; i--)
		assert_int_equal(put_link(&links, i, 0, true), 0);
	assert_int_equal(put_link(&links, REACH_LINKS_MAX + 1, 0, false), -ENOSPC);
	assert_true(reach_links_lower_up(&links, 1));
	assert_int_equal(drop_link(&links, 2), 0);
	assert_int_equal(put_link(&links, REACH_LINKS_MAX + 1, 0, false), 0);
	assert_false(reach_links_lower_up(&links, 1));
	reach_links_wipe(&links);
}

static void full_table_refuses_without_harm(void **state)
{
	struct reach_known known = { 0 };
	struct reach_event event;

	(void)state;
	// Odd multiplier: every number once, in no order.
	for (uint32_t i = 0; i < REACH_KNOWN_MAX; i++) {
		event = neighbour_event(i * 2654435761u, REACH_STALE);
		assert_int_equal(reach_known_update(&known, &event), 0);
	}
	event = neighbour_event(2654435761u * REACH_KNOWN_MAX, REACH_STALE);
	assert_int_equal(reach_known_update(&known, &event), -ENOSPC);
	assert_null(reach_known_find(&known, &event));
	// What is in can still change and leave, and what left makes room.
	event = neighbour_event(2654435761u, REACH_FAILED);
	assert_int_equal(reach_known_update(&known, &event), 0);
	assert_int_equal(reach_known_find(&known, &event)->state, REACH_FAILED);
	event.state = REACH_UNKNOWN;
	assert_int_equal(reach_known_update(&known, &event), 0);
	assert_null(reach_known_find(&known, &event));
	event = neighbour_event(2654435761u * REACH_KNOWN_MAX, REACH_STALE);
	assert_int_equal(reach_known_update(&known, &event), 0);
	reach_known_wipe(&known);
}

static void fill(struct reach_known *known, uint32_t first, uint32_t end, enum reach_state reach)
{
	for (uint32_t i = end; i-- > first;) {
		const struct reach_event event = neighbour_event(i, reach);

		assert_int_equal(reach_known_append(known, &event), 0);
	}
}

static void comparison_reports_every_difference_and_no_more(void **state)
{
	struct reach_known old = { 0 }, fresh = { 0 };
	struct reach_batch batch = { 0 };
	struct heard heard = { 0 };

	(void)state;
	fill(&old, 1, 4, REACH_STALE);
	fill(&fresh, 3, 4, REACH_STALE);
	fill(&fresh, 2, 3, REACH_FAILED);
	fill(&fresh, 4, 5, REACH_REACHABLE);
	fill(&fresh, 4, 5, REACH_REACHABLE); // a dump may say it twice
	reach_known_sort(&old);
	reach_known_sort(&fresh);
	assert_int_equal(reach_known_compare(&old, &fresh, REACH_COMPARE_WHOLE, &batch), 0);
	reach_batch_deliver(&batch, heard_add, &heard);
	assert_string_equal(heard.text, "neighbour 7 unknown fd00::1\n"
					"neighbour 7 failed fd00::2\n"
					"neighbour 7 reachable fd00::4\n");
	heard = (struct heard){ 0 };
	assert_int_equal(reach_known_compare(&old, &fresh, REACH_COMPARE_PART, &batch), 0);
	reach_batch_deliver(&batch, heard_add, &heard);
	assert_string_equal(heard.text, "neighbour 7 failed fd00::2\n"
					"neighbour 7 reachable fd00::4\n");
	reach_known_wipe(&old);
	reach_known_wipe(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_is_one_call_with_links_first),
		cmocka_unit_test(event_text_reads_back_as_the_same_event),
		cmocka_unit_test(script_with_a_wrong_line_queues_nothing),
		cmocka_unit_test(name_with_odd_bytes_prints_as_question_marks),
		cmocka_unit_test(fake_records_the_newest_probes),
		cmocka_unit_test(fake_read_delivers_before_it_fails),
		cmocka_unit_test(link_below_is_looked_at_by_its_index),
		cmocka_unit_test(link_below_that_had_no_room_is_taken_to_be_up),
		cmocka_unit_test(full_table_refuses_without_harm),
		cmocka_unit_test(comparison_reports_every_difference_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
