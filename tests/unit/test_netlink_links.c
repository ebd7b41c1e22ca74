// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * netlink/ on the real kernel: links with another one below them, proxied entries, and how long the
 * kernel takes over a neighbour.
 *
 * A macvlan on a bridge without ports stands for lowpan0 on wpan0: it has IFLA_LINK, and stays up
 * when the bridge goes down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/ear.h"

/*
 * What is below a link
 */

static void need_stack(void **state)
{
	need_namespace(state);
	command("ip link add low0 type bridge && ip link set low0 up");
	command("ip link add link low0 high0 type macvlan && ip link set high0 up");
	command("for i in $(seq 250); do ip -o link show high0 | grep -q 'state UP' && break; "
		"sleep 0.02; done");
}

static void lower_link_down_leaves_the_upper_one_up(void **state)
{
	struct ear ear;

	need_stack(state);
	ear = open_ear_for("high0");
	assert_true(has_heard(&ear, LINE("link", "high0", "up high0")));
	assert_false(has_heard(&ear, "low0\n"));
	forget_text(&ear);
	command("ip link set low0 down");
	wait_for(&ear, LINE("link", "high0", "lower-down high0"));
	forget_text(&ear);
	command("ip link set low0 up");
	wait_for(&ear, LINE("link", "high0", "up high0"));
	assert_false(has_heard(&ear, "low0\n"));
	close_ear(&ear);
}

static void first_read_tells_that_the_lower_link_is_down(void **state)
{
	struct ear ear;

	need_stack(state);
	command("ip link set low0 down");
	ear = open_ear_for("high0");
	assert_true(has_heard(&ear, LINE("link", "high0", "lower-down high0")));
	close_ear(&ear);
}

static void lower_link_counts_by_its_index_whatever_its_name(void **state)
{
	struct ear ear;

	need_stack(state);
	ear = open_ear_for("high0");
	command("ip link set low0 down");
	command("ip link set low0 name deep0");
	wait_for(&ear, LINE("link", "high0", "lower-down high0"));
	forget_text(&ear);
	command("ip link add low0 type bridge && ip link set low0 up"); // another one
	command("ip link set deep0 up");
	assert_true(wait_for(&ear, LINE("link", "high0", "up high0")) >= 0);
	close_ear(&ear);
}

// The kernel deletes a macvlan, as it does lowpan0, with the link below it.
static void lower_link_deleted_and_made_again(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN];

	need_stack(state);
	ear = open_ear_for("high0");
	line(gone, "link", "high0", "gone high0");
	command("ip link del low0");
	wait_for(&ear, gone);
	assert_int_equal(ear.believed.count, 0);
	command("ip link add low0 type bridge && ip link set low0 up");
	command("ip link add link low0 high0 type macvlan && ip link set high0 up");
	wait_for(&ear, LINE("link", "high0", "up high0"));
	forget_text(&ear);
	command("ip link set low0 down");
	wait_for(&ear, LINE("link", "high0", "lower-down high0"));
	close_ear(&ear);
}

static void link_that_is_down_itself_says_no_more(void **state)
{
	struct ear ear;

	need_stack(state);
	ear = open_ear_for("high0");
	command("ip link set high0 down");
	wait_for(&ear, LINE("link", "high0", "down high0"));
	forget_text(&ear);
	command("ip link set low0 down && ip neigh add fd00::9 dev high0 lladdr 02:00:00:00:00:09 "
		"nud stale");
	command("ip link set high0 up");
	wait_for(&ear, LINE("link", "high0", "lower-down high0"));
	assert_false(has_heard(&ear, " up high0"));
	close_ear(&ear);
}

/*
 * Proxied entries
 */

static void look(struct ear *ear)
{
	reach_monitor_look(ear->monitor);
	read_all(ear);
}

static void first_read_tells_what_is_proxied(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add proxy fd00::5 dev v0 && ip neigh add proxy fd00::6 dev v1");
	ear = open_ear_for("v0");
	assert_true(has_heard(&ear, LINE("proxy", "v0", "added fd00::5")));
	assert_false(has_heard(&ear, "fd00::6"));
	close_ear(&ear);
}

// What the header says of the kernel: should a later one send notices, this test tells.
static void proxied_entries_come_and_go_without_notice(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	command("ip neigh add proxy fd00::5 dev v0");
	command("ip neigh add proxy fd00::6 dev v0 && ip neigh del proxy fd00::6 dev v0");
	command("ip neigh add fd00::7 dev v0 lladdr 02:00:00:00:00:07 nud stale");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::7"));
	assert_false(has_heard(&ear, "proxy"));
	close_ear(&ear);
}

static void look_finds_proxied_entries_that_came_and_went(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::7 dev v0 lladdr 02:00:00:00:00:07 nud stale");
	ear = open_ear_for("v0");
	forget_text(&ear);
	command("ip neigh add proxy fd00::5 dev v0 && ip neigh add proxy fd00::6 dev v0");
	command("ip neigh add proxy fd00::8 dev v1");
	look(&ear);
	assert_true(has_heard(&ear, LINE("proxy", "v0", "added fd00::5")));
	assert_true(has_heard(&ear, LINE("proxy", "v0", "added fd00::6")));
	assert_false(has_heard(&ear, "fd00::8"));
	forget_text(&ear);
	look(&ear);
	assert_null(ear.text);
	command("ip neigh del proxy fd00::5 dev v0");
	look(&ear);
	assert_string_equal(ear.text, LINE("proxy", "v0", "gone fd00::5"));
	// It was no comparison of everything.
	assert_int_equal(reach_monitor_counts(ear.monitor).comparisons, 1);
	close_ear(&ear);
}

static void proxied_and_neighbour_are_two_things(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	ear = open_ear_for("v0");
	look(&ear);
	assert_false(has_heard(&ear, "proxy"));
	command("ip neigh add proxy fd00::5 dev v0");
	look(&ear);
	assert_true(has_heard(&ear, LINE("neighbour", "v0", "stale fd00::5")));
	assert_true(has_heard(&ear, LINE("proxy", "v0", "added fd00::5")));
	forget_text(&ear);
	command("ip neigh del fd00::5 dev v0");
	wait_for(&ear, LINE("neighbour", "v0", "unknown fd00::5"));
	look(&ear);
	assert_false(has_heard(&ear, "proxy"));
	close_ear(&ear);
}

static void link_that_goes_down_takes_its_proxied_entries(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add proxy fd00::5 dev v0");
	ear = open_ear_for("v0");
	command("ip link set v0 down");
	wait_for(&ear, LINE("link", "v0", "down v0"));
	assert_true(has_heard(&ear, LINE("proxy", "v0", "gone fd00::5")));
	close_ear(&ear);
}

/*
 * Timing
 */

static struct reach_timing timing(struct ear *ear, const char *link)
{
	struct reach_timing found;

	assert_int_equal(reach_monitor_timing(ear->monitor, (int)if_nametoindex(link), &found), 0);
	return found;
}

static void set(const char *link, const char *name, unsigned int value)
{
	command("echo %u >/proc/sys/net/ipv6/neigh/%s/%s", value, link, name);
}

static void timing_is_what_the_interface_is_set_to(void **state)
{
	struct reach_timing of_v0, of_v1;
	struct ear ear;

	need_namespace(state);
	set("v0", "retrans_time_ms", 400);
	set("v0", "base_reachable_time_ms", 20000);
	set("v0", "delay_first_probe_time", 2);
	ear = open_ear_for("v0");
	of_v0 = timing(&ear, "v0");
	of_v1 = timing(&ear, "v1");
	assert_int_equal(of_v0.retrans_ms, 400);
	assert_int_equal(of_v0.reachable_ms, 20000);
	assert_int_equal(of_v0.delay_first_ms, 2000);
	assert_int_equal(of_v1.retrans_ms, 1000);
	assert_int_equal(of_v1.reachable_ms, 30000);
	assert_int_equal(of_v1.delay_first_ms, 5000);
	assert_in_range(of_v1.verdict_ms, 3000, 4000);
	close_ear(&ear);
}

// Those of lo, which asks nobody, are listed with the others; no link has index 4711.
static void interface_without_settings_has_the_default(void **state)
{
	struct reach_timing found;
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	assert_int_equal(reach_monitor_timing(ear.monitor, 4711, &found), 0);
	assert_true(found.retrans_ms > 0);
	assert_int_equal(reach_monitor_timing(ear.monitor, 0, &found), -EINVAL);
	close_ear(&ear);
}

// Each kind of probe, under settings that make another of the two ways the longer one.
static void verdict_comes_within_the_time_that_was_said(void **state)
{
	static const struct {
		unsigned int retrans_ms, ucast, mcast, reprobes;
	} rows[] = {
		{ 100, 3, 3, 0 }, // the kernel's usual numbers
		{ 100, 1, 5, 0 }, // a stranger takes longer
		{ 100, 2, 1, 4 }, // one that is known does
		{ 300, 2, 2, 0 }, // fewer and slower
		{ 5, 3, 3, 0 },   // no faster than every 10 ms
	};

	need_namespace(state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ear ear;
		int64_t within_ms, stranger_ms, known_ms;

		set("v0", "retrans_time_ms", rows[i].retrans_ms);
		set("v0", "ucast_solicit", rows[i].ucast);
		set("v0", "mcast_solicit", rows[i].mcast);
		set("v0", "mcast_resolicit", rows[i].reprobes);
		command("ip neigh replace fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
		ear = open_ear_for("v0");
		within_ms = timing(&ear, "v0").verdict_ms;
		assert_int_equal(probe(&ear, "v0", "fd00::6"), 0);
		stranger_ms = wait_for(&ear, LINE("neighbour", "v0", "failed fd00::6"));
		assert_int_equal(probe(&ear, "v0", "fd00::5"), 0);
		known_ms = wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5"));
		print_message("# row %zu: within %d ms, a stranger took %d, one that is known %d\n",
			      i, (int)within_ms, (int)stranger_ms, (int)known_ms);
		// And it is not much more than it takes, but for what a busy machine adds.
		assert_true(stranger_ms <= within_ms + 100 && known_ms <= within_ms + 100);
		assert_true(within_ms <=
			    (stranger_ms > known_ms ? stranger_ms : known_ms) * 2 + 100);
		close_ear(&ear);
		command("ip neigh flush dev v0");
	}
}

// A datagram to a stale neighbour has the kernel wait for a sign of life before it asks.
static void verdict_after_a_datagram_waits_for_the_first_question(void **state)
{
	struct ear ear;
	int64_t before_ms, within_ms, took_ms;
	int rc, again;

	need_namespace(state);
	set("v0", "retrans_time_ms", 100);
	set("v0", "delay_first_probe_time", 1);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	ear = open_ear_for("v0");
	before_ms = timing(&ear, "v0").verdict_ms;
	assert_int_equal(seteuid(65534), 0);
	rc = probe(&ear, "v0", "fd00::5");
	again = seteuid(0);
	assert_int_equal(again, 0);
	assert_int_equal(rc, -EPERM);
	within_ms = timing(&ear, "v0").verdict_ms;
	took_ms = wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5"));
	print_message("# within %d ms, took %d; as root within %d\n", (int)within_ms, (int)took_ms,
		      (int)before_ms);
	assert_true(within_ms >= before_ms + 1000);
	assert_true(took_ms > before_ms && took_ms <= within_ms + 100);
	close_ear(&ear);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, make_namespace)
		TEST(lower_link_down_leaves_the_upper_one_up),
		TEST(first_read_tells_that_the_lower_link_is_down),
		TEST(lower_link_counts_by_its_index_whatever_its_name),
		TEST(lower_link_deleted_and_made_again),
		TEST(link_that_is_down_itself_says_no_more),
		TEST(first_read_tells_what_is_proxied),
		TEST(proxied_entries_come_and_go_without_notice),
		TEST(look_finds_proxied_entries_that_came_and_went),
		TEST(proxied_and_neighbour_are_two_things),
		TEST(link_that_goes_down_takes_its_proxied_entries),
		TEST(timing_is_what_the_interface_is_set_to),
		TEST(interface_without_settings_has_the_default),
		TEST(verdict_comes_within_the_time_that_was_said),
		TEST(verdict_after_a_datagram_waits_for_the_first_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return in_a_child(run_all);
}
