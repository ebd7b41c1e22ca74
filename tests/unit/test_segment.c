// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/segment.h"
#include "io/addr.h"
#include "io/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct gk_mono start = { 100000 };

/* What the sink was told, as text. */
static char told[1024];

static struct reach_monitor *monitor;
static struct gw_segment segment;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...)
{
	size_t len = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + len, sizeof(told) - len, format, args);
	va_end(args);
}

static void blind(void *ctx, enum gk_blindness why)
{
	static const char *const words[] = {
		"seeing", "gone", "down", "radio", "no address", "deaf"
	};

	(void)ctx;
	add("%s;", words[why]);
}

static void reach(void *ctx, const struct gk_reach_report *reports, size_t count)
{
	static const char *const words[] = { "unknown",       "confirmed",  "failed", "routed",
					     "router failed", "route gone", "moved",  "deaf" };

	(void)ctx;
	for (size_t i = 0; i < count; i++) {
		const struct gk_addr *addr = &reports[i].addr;
		char ip[INET6_ADDRSTRLEN];
		inet_ntop(AF_INET6, addr->ip, ip, sizeof(ip));
		add("%s%s", i > 0 ? "+" : "", ip);
		if (addr->scope > 0)
			add("%%%u", addr->scope);
		add(" %s", words[reports[i].reach]);
	}
	add(";");
}

static void timing(void *ctx, uint32_t verdict_ms)
{
	(void)ctx;
	add("%u ms;", verdict_ms);
}

static void moved(void *ctx, int from_fd, int to_fd)
{
	(void)ctx;
	add("%s%s;", from_fd >= 0 ? "forget" : "", to_fd >= 0 ? "watch" : "");
}

static const struct gw_segment_sink sink = { blind, reach, timing, moved };

static void say(const char *script)
{
	assert_int_equal(reach_fake_script(monitor, script, NULL), 0);
}

/* The time as it passes; each test begins at 'start'. */
static struct gk_mono now;

/* Open with what the kernel has to say at first; 'told' begins anew after it. */
static void open_options(const char *script, const struct gw_segment_options *options)
{
	told[0] = '\0';
	now = start;
	assert_int_equal(reach_fake_open(&monitor), 0);
	say(script);
	gw_segment_open_with(&segment, monitor, options, &sink, NULL, now);
}

static void open_watching(const char *script, char *const *watch, size_t watch_count)
{
	const struct gw_segment_options options = { "lowpan0", watch, watch_count, false };

	open_options(script, &options);
}

static void open_with(const char *script)
{
	open_watching(script, NULL, 0);
}

#define UP "link 7 up lowpan0\naddress 7 added fd00::1\n"

static void read_now(void)
{
	told[0] = '\0';
	gw_segment_read(&segment, now);
}

/* What is told of what the kernel says, in one read. */
static void assert_told(const char *script, const char *wanted)
{
	say(script);
	read_now();
	assert_string_equal(told, wanted);
}

/* ... and once nobody has said anything more for a moment. */
static void assert_told_later(const char *wanted)
{
	assert_int_equal(gw_segment_next_expiry(&segment).ms, now.ms + GW_ROUTES_SETTLE_MS);
	now.ms += GW_ROUTES_SETTLE_MS;
	read_now();
	assert_string_equal(told, wanted);
}

struct row {
	const char *script, *told;
};

static void assert_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_told(rows[i].script, rows[i].told);
}

#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static int tear_down(void **state)
{
	(void)state;
	gw_segment_close(&segment);
	return 0;
}

static struct gk_addr addr_of(const char *text)
{
	struct gk_addr addr = { 0 };

	assert_int_equal(inet_pton(AF_INET6, text, addr.ip), 1);
	return addr;
}

static void probe(const char *text)
{
	struct gk_addr addr = addr_of(text);

	gw_segment_probe(&segment, &addr, now);
}

/* What the kernel was asked by the probe: "7 fd00::3", or nothing. */
static const char *asked(void)
{
	static char text[INET6_ADDRSTRLEN + 12];
	char ip[INET6_ADDRSTRLEN];
	uint8_t bytes[REACH_IP_LEN];
	int ifindex;

	if (!reach_fake_probed(monitor, &ifindex, bytes))
		return "";
	inet_ntop(AF_INET6, bytes, ip, sizeof(ip));
	snprintf(text, sizeof(text), "%d %s", ifindex, ip);
	return text;
}

/*
 * What we can see
 */

static void an_interface_that_is_not_there_makes_us_blind(void **state)
{
	(void)state;
	open_with("");
	assert_string_equal(told, "watch;gone;");
	assert_int_equal(segment.blind, GK_BLIND_LINK_GONE);
	assert_told(UP, "seeing;");
	assert_int_equal(segment.ifindex, 7);
}

static void blindness_follows_the_link(void **state)
{
	static const struct row rows[] = {
		{ "link 7 down lowpan0", "down;" },
		{ "link 7 down lowpan0", "" }, // known already
		{ "link 7 up lowpan0", "seeing;" },
		{ "link 7 up lowpan0", "" },
		{ "link 7 lower-down lowpan0", "radio;" },
		{ "link 7 down lowpan0", "down;" },
		{ "link 7 up lowpan0", "seeing;" },
		{ "link 7 gone lowpan0", "gone;" },
		{ "link 9 up lowpan0\naddress 9 added fd00::1", "seeing;" }, // as another
		{ "link 7 gone lowpan0", "" },                               // too late
		{ "link 8 down wlan0", "" },                                 // not ours
	};

	(void)state;
	open_with(UP);
	assert_string_equal(told, "watch;seeing;");
	ASSERT_ROWS(rows);
}

static void a_link_that_was_away_within_one_read_is_another(void **state)
{
	static const struct row rows[] = {
		{ "link 7 down lowpan0\nlink 7 up lowpan0", "down;seeing;" },
		{ "link 7 gone lowpan0\nlink 9 up lowpan0\naddress 9 added fd00::1",
		  "gone;seeing;" },
		{ "link 10 up lowpan0\naddress 10 added fd00::1", "gone;seeing;" },
	};

	(void)state;
	open_with(UP);
	ASSERT_ROWS(rows);
	assert_int_equal(segment.ifindex, 10);
}

static void without_an_address_that_members_know_we_are_blind(void **state)
{
	static const struct row rows[] = {
		{ "link 7 up lowpan0", "no address;" },
		{ "address 7 added fe80::1", "seeing;" }, // they can know no other yet
		{ "address 7 added fd00::1", "" },
		{ "address 7 gone fd00::1", "no address;" },
		{ "address 7 added fd00::2", "seeing;" },
		{ "address 7 gone fd00::2\naddress 7 added 2001:db8::2", "" }, // renumbered
		{ "address 7 gone fe80::1", "" },
		{ "address 7 gone 2001:db8::2", "no address;" },
		{ "address 7 added fe80::1", "" },
		{ "link 7 down lowpan0", "down;" },
		{ "link 7 up lowpan0", "no address;" },
		{ "address 8 added fd00::1", "" }, // on another link
		{ "address 7 added fd00::1", "seeing;" },
	};

	(void)state;
	open_with("");
	ASSERT_ROWS(rows);
}

static void blindness_comes_first_and_nothing_else_of_its_read_counts(void **state)
{
	static const struct row rows[] = {
		{ "neighbour 7 failed fd00::3\nroute 7 gone fd00::5 via fe80::2\n"
		  "neighbour 7 reachable fd00::4\nlink 7 down lowpan0",
		  "down;" },
		{ "neighbour 7 failed fd00::3", "" },
		{ "link 7 up lowpan0\nneighbour 7 failed fd00::3", "seeing;" }, // it is old
		{ "neighbour 7 failed fd00::3", "fd00::3 failed;" },
		{ "address 7 gone fd00::1\nneighbour 7 failed fd00::3", "no address;" },
		{ "address 7 added fd00::1\nneighbour 7 failed fd00::3", "seeing;" },
		{ "neighbour 7 failed fd00::3\nlink 7 down lowpan0\nlink 7 up lowpan0",
		  "down;seeing;" },
	};

	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	ASSERT_ROWS(rows);
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

/* A way that went just before its link did went with it. */
static void what_went_just_before_the_link_is_not_missed(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	assert_told("link 7 down lowpan0", "down;");
	assert_told("link 7 up lowpan0", "seeing;");
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "");
}

static void what_changes_while_we_are_blind_is_not_judged(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2\nroute 7 added fd00::6 via fe80::2");
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	assert_told("address 7 gone fd00::1", "no address;");
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "");
	assert_told("route 7 added fd00::6 via fe80::3", "");
	assert_told("address 7 added fd00::1", "seeing;");
	assert_told("route 7 added fd00::6 via fe80::4", "fd00::6 moved;");
}

/*
 * What is said of nodes
 */

static void each_state_of_a_neighbour_has_its_verdict(void **state)
{
	static const struct row rows[] = {
		{ "neighbour 7 failed fd00::3", "fd00::3 failed;" },
		{ "neighbour 7 reachable fd00::3", "fd00::3 confirmed;" },
		{ "neighbour 7 unknown fd00::3", "" }, // gone, not failed
		{ "neighbour 7 stale fd00::3", "" },   // says nothing of now
		{ "neighbour 8 failed fd00::3", "" },  // of another link
	};

	(void)state;
	open_with(UP);
	ASSERT_ROWS(rows);
}

static void what_was_read_at_once_is_one_batch(void **state)
{
	(void)state;
	open_with(UP);
	assert_told("neighbour 7 failed fd00::3\nneighbour 7 failed fd00::4\n"
		    "neighbour 7 reachable fd00::3",
		    "fd00::3 failed+fd00::4 failed+fd00::3 confirmed;");
}

static void what_the_kernel_held_before_us_is_old(void **state)
{
	(void)state;
	open_with(UP "neighbour 7 failed fd00::3\nroute 7 added fd00::5 via fe80::2\n"
		     "neighbour 7 failed fe80::2");
	assert_string_equal(told, "watch;seeing;");
}

static void a_router_that_fails_takes_all_behind_it_along(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2\nroute 7 added fd00::6 via fe80::3\n"
		     "route 7 added fd00::7 via fe80::2\nroute 7 added fd00::8 via ::");
	assert_told("neighbour 7 failed fe80::2",
		    "fe80::2 failed+fd00::5 router failed+fd00::7 router failed;");
	assert_told("neighbour 7 reachable fe80::2", "fe80::2 confirmed;");
}

static void the_last_word_about_a_router_counts(void **state)
{
	static const struct row rows[] = {
		{ "neighbour 7 failed fe80::2\nneighbour 7 reachable fe80::2",
		  "fe80::2 failed+fe80::2 confirmed;" },
		{ "neighbour 7 reachable fe80::2\nneighbour 7 failed fe80::2\n"
		  "neighbour 7 unknown fe80::2", // and collected at once
		  "fe80::2 confirmed+fe80::2 failed+fd00::5 router failed;" },
		// its routes went another way
		{ "neighbour 7 failed fe80::2\nroute 7 added fd00::5 via fe80::3",
		  "fe80::2 failed+fd00::5 moved;" },
		{ "neighbour 7 failed fe80::2", "fe80::2 failed;" },
		// nor is who has no route just now behind anybody
		{ "route 7 gone fd00::5 via fe80::3", "" },
		{ "neighbour 7 failed fe80::3", "fe80::3 failed;" },
	};

	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	ASSERT_ROWS(rows);
}

/* The entry is from when it was near; packets do not go there. */
static void of_a_node_behind_a_router_its_own_entry_says_nothing(void **state)
{
	(void)state;
	open_with(UP "neighbour 7 stale fd00::5\nroute 7 added fd00::5 via fe80::2");
	assert_told("neighbour 7 failed fd00::5", "");
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	assert_told_later("fd00::5 route gone;");
	assert_told("neighbour 7 failed fd00::5", "fd00::5 failed;");
}

static void a_route_that_goes_is_missed_a_moment_later(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2\nroute 7 added fd00::6 via ::");
	assert_told("route 7 gone fd00::5 via fe80::2\nroute 7 gone fd00::6 via ::", "");
	now.ms += GW_ROUTES_SETTLE_MS - 1;
	assert_told("", "");
	now.ms++;
	assert_told("", "fd00::5 route gone+fd00::6 route gone;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
	assert_told("route 7 added fd00::5 via fe80::2", "fd00::5 moved;"); // it is back
}

static void each_is_missed_at_its_own_time(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2\nroute 7 added fd00::6 via ::");
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	now.ms += 50;
	assert_told("route 7 gone fd00::6 via ::", "");
	now.ms += GW_ROUTES_SETTLE_MS - 50;
	assert_told("", "fd00::5 route gone;");
	now.ms += 50;
	assert_int_equal(gw_segment_next_expiry(&segment).ms, now.ms);
	assert_told("", "fd00::6 route gone;");
}

static void a_route_that_comes_back_was_never_gone(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	assert_told("route 7 gone fd00::5 via fe80::2\nroute 7 added fd00::5 via fe80::2", "");
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	now.ms += GW_ROUTES_SETTLE_MS / 2;
	assert_told("route 7 added fd00::5 via fe80::2", "");
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "");
}

/* In any order, in one read or in two, on the same link or another. */
static void another_way_is_a_move_and_no_loss(void **state)
{
	static const struct row rows[] = {
		{ "route 7 gone fd00::5 via fe80::2\nroute 7 added fd00::5 via fe80::3",
		  "fd00::5 moved;" },
		{ "route 7 added fd00::5 via fe80::2\nroute 7 gone fd00::5 via fe80::3",
		  "fd00::5 moved;" },
		{ "route 7 gone fd00::5 via fe80::2", "" },
		{ "route 7 added fd00::5 via fe80::4", "fd00::5 moved;" },
		{ "route 7 added fd00::5 via ::", "fd00::5 moved;" }, // replaced
		{ "route 7 gone fd00::5 via fe80::4", "" },
		{ "route 7 gone fd00::5 via ::\nroute 8 added fd00::5 via fe80::9",
		  "fd00::5 moved;" },
	};
	char *watch[] = { "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nroute 7 added fd00::5 via fe80::2", watch, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_told(rows[i].script, rows[i].told);
		if (!rows[i].told[0])
			continue;
		now.ms += GW_ROUTES_SETTLE_MS;
		assert_told("", ""); // it is no loss later either
	}
}

static void of_two_routes_one_may_go(void **state)
{
	char *watch[] = { "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nroute 7 added fd00::5 via fe80::2\n"
			 "route 8 added fd00::5 via fe80::9",
		      watch, 1);
	assert_told("route 7 gone fd00::5 via fe80::2", "");
	assert_told_later("fd00::5 moved;");
	assert_told("route 8 gone fd00::5 via fe80::9", "");
	assert_told_later("fd00::5 route gone;");
}

/* The one with the lower metric is taken, whichever came first. */
static void of_two_routes_the_lower_metric_counts(void **state)
{
	static const struct row rows[] = {
		{ "route 7 added fd00::5 via fe80::3 metric 2048", "" },
		{ "neighbour 7 failed fe80::3", "fe80::3 failed;" },
		{ "neighbour 7 failed fe80::2", "fe80::2 failed+fd00::5 router failed;" },
		{ "route 7 added fd00::5 via fe80::4 metric 512", "fd00::5 moved;" },
		{ "neighbour 7 failed fe80::2", "fe80::2 failed;" },
		{ "neighbour 7 failed fe80::4", "fe80::4 failed+fd00::5 router failed;" },
		{ "route 7 gone fd00::5 via fe80::2", "" },
	};

	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	ASSERT_ROWS(rows);
	assert_told_later(""); // it was not taken
	probe("fd00::5");
	assert_string_equal(asked(), "7 fe80::4");
	assert_told("route 7 gone fd00::5 via fe80::4 metric 512", "fd00::5 routed;");
	assert_told_later("fd00::5 moved;");
	assert_told("route 7 gone fd00::5 via fe80::3 metric 2048", "");
	assert_told_later("fd00::5 route gone;");
}

static void who_is_a_neighbour_needs_no_route(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	assert_told("route 7 gone fd00::5 via fe80::2\nneighbour 7 reachable fd00::5",
		    "fd00::5 confirmed;");
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "");
}

static void a_proxied_entry_that_goes_is_missed_unless_there_is_another_way(void **state)
{
	char *watch[] = { "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nproxy 8 added fd00::5\nproxy 8 added fd00::6\n"
			 "proxy 8 added fd00::7\nneighbour 7 stale fd00::6\n"
			 "route 7 added fd00::7 via fe80::2",
		      watch, 1);
	assert_told("proxy 8 gone fd00::5\nproxy 8 gone fd00::6\nproxy 8 gone fd00::7", "");
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "fd00::5 route gone;");
}

/* 'count' neighbours or routes, each of another node, from fd00::1:0000 on. */
static void say_many(const struct reach_event *like, size_t count)
{
	struct reach_event *events = calloc(count, sizeof(*events));

	assert_non_null(events);
	for (size_t i = 0; i < count; i++) {
		events[i] = *like;
		events[i].ifindex = 7;
		memcpy(events[i].ip, (uint8_t[16]){ 0xfd, [13] = 1 }, 16);
		events[i].ip[14] = (uint8_t)(i >> 8);
		events[i].ip[15] = (uint8_t)i;
	}
	assert_int_equal(reach_fake_say(monitor, events, count), 0);
	free(events);
}

/* Who has a route is not forgotten for strangers, and what there is no room for is not missed. */
static void memory_is_bounded(void **state)
{
	static const struct reach_event neighbour = { .kind = REACH_NEIGHBOUR,
						      .state = REACH_STALE };
	static const struct reach_event route = { .kind = REACH_ROUTE, .present = true };

	(void)state;
	open_with(UP);
	say_many(&neighbour, 20000);
	read_now();
	assert_int_equal(segment.routes.neighbours.count, 16384);
	assert_told("route 7 added fd00::5 via fe80::2", "fd00::5 moved;");
	assert_told("neighbour 7 failed fe80::2", "fe80::2 failed+fd00::5 router failed;");
	say_many(&route, 20000);
	read_now();
	assert_int_equal(segment.routes.ways.count, 16384);
	assert_told("route 7 gone fd00::1:4e1f via ::", ""); // the last of them
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

/*
 * Other interfaces
 */

static void nodes_behind_watched_interfaces_are_judged_like_ours(void **state)
{
	static const struct row rows[] = {
		{ "neighbour 8 failed fd00::3", "fd00::3 failed;" },
		// the same address on another link is another node's
		{ "neighbour 8 failed fe80::3\nneighbour 7 failed fe80::3", "fe80::3 failed;" },
		{ "neighbour 8 failed fe80::9", "fd00::5 router failed;" },
		{ "neighbour 7 failed fe80::9", "fe80::9 failed;" }, // not the router of eth0
	};
	char *watch[] = { "wlan0", "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nroute 8 added fd00::5 via fe80::9", watch, 2);
	ASSERT_ROWS(rows);
}

static void the_loss_of_a_watched_interface_is_no_loss_of_those_behind_it(void **state)
{
	static const struct row rows[] = {
		{ "link 8 down eth0\nroute 8 gone fd00::5 via fe80::9\n"
		  "neighbour 8 failed fd00::3\nneighbour 7 failed fd00::4",
		  "fd00::4 failed;" },
		{ "neighbour 8 failed fd00::3", "" },
		{ "link 8 up eth0\nneighbour 8 failed fd00::3", "fd00::3 failed;" },
		{ "route 8 added fd00::5 via fe80::9", "fd00::5 moved;" },
		{ "route 8 gone fd00::5 via fe80::9", "" },
		{ "link 8 gone eth0", "" }, // it took the route along
		{ "neighbour 8 failed fd00::3", "" },
		{ "link 9 up eth0", "" },
		{ "neighbour 9 failed fd00::3", "fd00::3 failed;" },
		{ "address 9 added fd00::9\naddress 9 gone fd00::9", "" },
	};
	char *watch[] = { "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nroute 8 added fd00::5 via fe80::9\n"
			 "route 8 added fd00::6 via fe80::9\nneighbour 8 stale fd00::7",
		      watch, 1);
	ASSERT_ROWS(rows);
	now.ms += GW_ROUTES_SETTLE_MS;
	assert_told("", "");
	probe("fd00::6"); // by no route that is over
	assert_string_equal(asked(), "7 fd00::6");
	probe("fd00::7");
	assert_string_equal(asked(), "7 fd00::7");
}

/* The monitor that follows is real, and knows no interface of these names. */
static void others_can_be_watched_from_now_on(void **state)
{
	char *watch[] = { "no-such-link" };

	(void)state;
	open_with("");
	told[0] = '\0';
	gw_segment_watch(&segment, watch, 1, now);
	assert_string_equal(told, "forget;watch;");
	assert_string_equal(segment.links[1].name, "no-such-link");
	assert_int_equal(segment.link_count, 2);
	assert_int_equal(segment.blind, GK_BLIND_LINK_GONE);
}

/*
 * Probes
 */

static void probes_go_to_the_interface_as_it_is_now(void **state)
{
	(void)state;
	open_with(UP);
	probe("fd00::3");
	assert_string_equal(asked(), "7 fd00::3");
	assert_told("link 9 up lowpan0\naddress 9 added fd00::1", "gone;seeing;");
	probe("fd00::3");
	assert_string_equal(asked(), "9 fd00::3");
}

static void probes_go_where_the_node_is_known(void **state)
{
	static const struct {
		const char *node, *asked;
	} rows[] = {
		{ "fd00::3", "7 fd00::3" }, { "fd00::4", "8 fd00::4" }, // a neighbour there
		{ "fd00::5", "8 fd00::5" }, // by a route that ends there
		{ "fd00::6", "8 fe80::9" }, // by a router
		{ "fe80::4", "7 fe80::4" }, // members are on our link
		{ "fd00::7", "7 fd00::7" }, // proxied there, so it is here
	};
	char *watch[] = { "eth0" };

	(void)state;
	open_watching(UP "link 8 up eth0\nneighbour 8 stale fd00::4\n"
			 "neighbour 8 stale fe80::4\nroute 8 added fd00::5 via ::\n"
			 "route 8 added fd00::6 via fe80::9\nproxy 8 added fd00::7",
		      watch, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		probe(rows[i].node);
		assert_string_equal(asked(), rows[i].asked);
		assert_string_equal(asked(), "");
	}
}

/* A neighbour's verdict is a notice; of one behind a router there will be none. */
static void of_a_node_behind_a_router_the_router_is_asked(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	probe("fd00::3");
	assert_told("", "");
	probe("fd00::5");
	told[0] = '\0';
	assert_true(gw_segment_next_expiry(&segment).ms <= now.ms);
	assert_told("", "fd00::5 routed;");
	assert_told("neighbour 7 failed fe80::2", "fe80::2 failed+fd00::5 router failed;");
}

static void a_router_is_asked_once_for_all_behind_it(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2\nroute 7 added fd00::6 via fe80::2\n"
		     "route 7 added fd00::7 via fe80::3");
	probe("fd00::5");
	assert_string_equal(asked(), "7 fe80::2");
	probe("fd00::6");
	assert_string_equal(asked(), "");
	probe("fd00::7");
	assert_string_equal(asked(), "7 fe80::3");
	assert_told("", "fd00::5 routed+fd00::6 routed+fd00::7 routed;");
	now.ms += segment.verdict_ms - 1;
	probe("fd00::6");
	assert_string_equal(asked(), "");
	now.ms++;
	probe("fd00::6");
	assert_string_equal(asked(), "7 fe80::2");
}

static void more_routers_than_are_remembered_are_asked_all_the_same(void **state)
{
	(void)state;
	open_with(UP);
	for (int i = 1; i <= 2 * GW_SEGMENT_ROUTERS; i++) {
		char text[80];
		snprintf(text, sizeof(text), "route 7 added fd00::%x via fe80::%x", i, i);
		say(text);
		read_now();
		snprintf(text, sizeof(text), "fd00::%x", i);
		probe(text);
		snprintf(text, sizeof(text), "7 fe80::%x", i);
		assert_string_equal(asked(), text);
		snprintf(text, sizeof(text), "fd00::%x routed;", i);
		assert_told("", text);
	}
}

static void who_cannot_be_asked_about_is_not_waited_for(void **state)
{
	static const int results[] = { -EOPNOTSUPP, -ENODEV, -ENETUNREACH, -EINVAL };

	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		reach_fake_probe_result(monitor, results[i]);
		probe("fd00::3");
		assert_told("", "fd00::3 deaf;");
		probe("fd00::5");
		assert_told("", "fd00::5 deaf;");
	}
}

static void the_answer_to_a_probe_waits_for_the_next_turn(void **state)
{
	(void)state;
	open_with(UP);
	reach_fake_probe_result(monitor, -EOPNOTSUPP);
	told[0] = '\0';
	probe("fd00::3");
	assert_string_equal(told, "");
	assert_true(gw_segment_next_expiry(&segment).ms <= now.ms);
	assert_told("", "fd00::3 deaf;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

static void what_was_asked_before_we_went_blind_has_no_answer(void **state)
{
	(void)state;
	open_with(UP "route 7 added fd00::5 via fe80::2");
	probe("fd00::5");
	assert_told("link 7 down lowpan0", "fd00::5 routed;down;");
	probe("fd00::5");
	assert_told("", "");
}

/*
 * How long the kernel takes
 */

#define SLACK GW_SEGMENT_SLACK_MS

static void the_kernel_is_asked_how_long_it_takes(void **state)
{
	struct reach_timing timing_now = { .verdict_ms = 4000 };

	(void)state;
	open_with("");
	reach_fake_timing(monitor, &timing_now);
	assert_told(UP, "seeing;4500 ms;");
	timing_now.verdict_ms = 9000;
	reach_fake_timing(monitor, &timing_now);
	assert_told("neighbour 7 stale fd00::3", "");
	now.ms += 60000;
	assert_told("", ""); // nobody was probed
	probe("fd00::3");
	assert_told("", "9500 ms;");
	timing_now.verdict_ms = 3000;
	reach_fake_timing(monitor, &timing_now);
	now.ms += 59999;
	probe("fd00::3");
	assert_told("", "");
	now.ms++;
	assert_told("", "3500 ms;");
	assert_told("link 7 down lowpan0", "down;");
	timing_now.verdict_ms = 5000;
	reach_fake_timing(monitor, &timing_now);
	assert_told("link 7 up lowpan0", "seeing;5500 ms;"); // it may be another now
}

/* By an empty datagram it takes longer. */
static void without_the_right_to_probe_the_kernel_takes_another_time(void **state)
{
	struct reach_timing timing_now = { .verdict_ms = 3000 };

	(void)state;
	open_with("");
	reach_fake_timing(monitor, &timing_now);
	assert_told(UP, "seeing;3500 ms;");
	reach_fake_probe_result(monitor, -EPERM);
	timing_now.verdict_ms = 8000;
	reach_fake_timing(monitor, &timing_now);
	probe("fd00::3");
	assert_told("", "8500 ms;");
}

/* 'lo' is everywhere; the kernel has a time for it as for others. */
static void expect_time_by_datagrams(void)
{
	uint32_t fast_ms, slow_ms;
	char expected[32];

	assert_int_equal(gw_segment_verdict("lo", false, &fast_ms), 0);
	assert_int_equal(gw_segment_verdict("lo", true, &slow_ms), 0);
	assert_true(fast_ms < slow_ms);
	snprintf(expected, sizeof(expected), "%u ms;", slow_ms + SLACK);
	assert_non_null(strstr(told, expected));
}

static void who_never_had_that_right_knows_it_from_the_start(void **state)
{
	const struct gw_segment_options options = { .interface = "lo", .datagrams = true };

	(void)state;
	told[0] = '\0';
	assert_int_equal(gw_segment_open(&segment, &options, &sink, NULL, start), 0);
	expect_time_by_datagrams();
}

static void a_monitor_that_replaces_another_has_no_more_rights(void **state)
{
	const struct gw_segment_options options = { .interface = "lo" };

	(void)state;
	open_options("link 1 up lo\naddress 1 added fd00::1\n", &options);
	reach_fake_probe_result(monitor, -EPERM);
	probe("fd00::3");
	reach_fake_read_result(monitor, -EBADF);
	assert_told("", "forget;deaf;");
	now.ms += 1000;
	read_now();
	expect_time_by_datagrams();
}

static void a_time_that_makes_no_sense_is_kept_in_bounds(void **state)
{
	static const struct {
		uint32_t verdict_ms;
		const char *told;
	} rows[] = {
		{ 0, "seeing;500 ms;" },
		{ UINT32_MAX, "seeing;600000 ms;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reach_timing timing_now = { .verdict_ms = rows[i].verdict_ms };
		open_with("");
		reach_fake_timing(monitor, &timing_now);
		assert_told(UP, rows[i].told);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			gw_segment_close(&segment);
	}
}

/* The kernel gives no notice when a proxied entry goes. */
static void proxied_entries_are_looked_for_where_there_are_any(void **state)
{
	(void)state;
	open_with(UP);
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
	size_t looks = reach_fake_looks(monitor);
	now.ms += 60000;
	probe("fd00::3");
	assert_told("", "");
	assert_int_equal(reach_fake_looks(monitor), looks + 1);
	assert_told("proxy 7 added fd00::5", "");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, now.ms + 5000);
	now.ms += 5000;
	assert_told("", "");
	assert_int_equal(reach_fake_looks(monitor), looks + 2);
	assert_int_equal(gw_segment_next_expiry(&segment).ms, now.ms + 5000);
}

/*
 * Addresses
 */

static void link_local_nodes_are_behind_the_interface_as_it_is_now(void **state)
{
	static const struct {
		const char *script;
		uint32_t scope; // of a link-local address; 0: there is no way to it
	} rows[] = {
		{ "", 0 },
		{ "link 7 up lowpan0", 7 },
		{ "link 7 down lowpan0", 7 },
		{ "link 7 gone lowpan0", 0 },
		{ "link 9 up lowpan0", 9 },
	};

	(void)state;
	open_with("");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_addr local = { .ip = { 0xfe, 0x80 } }, global = { .ip = { 0xfd } };
		say(rows[i].script);
		read_now();
		assert_int_equal(gw_segment_route(&segment, &local), rows[i].scope > 0);
		assert_int_equal(local.scope, rows[i].scope);
		assert_true(gw_segment_route(&segment, &global));
		assert_int_equal(global.scope, 0);
	}
}

static void without_an_interface_nobody_is_probed(void **state)
{
	(void)state;
	open_with("");
	probe("fd00::3");
	assert_string_equal(asked(), "");
}

/* What the calls log, in 'text'. */
static void probe_aloud(int times, char *text, size_t size)
{
	int out[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe2(out, O_NONBLOCK), 0);
	dup2(out[1], STDERR_FILENO);
	log_open("test", LOG_LEVEL_WARN, false);
	for (int i = 0; i < times; i++)
		probe("fd00::3");
	log_open("test", LOG_LEVEL_ERROR, false);
	dup2(saved, STDERR_FILENO);
	len = read(out[0], text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	close(saved);
	close(out[0]);
	close(out[1]);
}

static void that_probes_are_weak_is_said_once(void **state)
{
	char text[1024];

	(void)state;
	open_with(UP);
	reach_fake_probe_result(monitor, -EPERM);
	probe_aloud(3, text, sizeof(text));
	assert_non_null(strstr(text, "CAP_NET_ADMIN"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void nodes_are_given_the_widest_address(void **state)
{
	static const struct {
		const char *script, *address; /* "": none */
	} rows[] = {
		{ "link 7 up lowpan0", "" },
		{ "address 7 added fe80::1", "fe80::1" },
		{ "address 7 added fd00::1", "fd00::1" },
		{ "address 7 added fd00::2", "fd00::1" }, // the first stays
		{ "address 7 added fd00::2", "fd00::1" },
		{ "address 7 gone fd00::1", "fd00::2" },
		{ "address 7 gone fd00::9", "fd00::2" },
		{ "address 7 gone fd00::2", "fe80::1" },
		{ "address 7 added 2001:db8::1", "2001:db8::1" },
		{ "link 7 gone lowpan0", "" },
	};

	(void)state;
	open_with("");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_addr addr = { .port = 5683 };
		char ip[INET6_ADDRSTRLEN] = "";
		say(rows[i].script);
		read_now();
		if (gw_segment_address(&segment, &addr))
			inet_ntop(AF_INET6, addr.ip, ip, sizeof(ip));
		assert_string_equal(ip, rows[i].address);
		assert_int_equal(addr.port, 5683);
	}
}

static void more_addresses_than_there_is_room_for_are_left_out(void **state)
{
	struct gk_addr addr;

	(void)state;
	open_with(UP);
	for (int i = 1; i <= 3 * GW_SEGMENT_ADDRESSES; i++) {
		char script[64];
		snprintf(script, sizeof(script), "address 7 added fd00::%x", i);
		say(script);
		read_now();
	}
	assert_int_equal(segment.address_count, GW_SEGMENT_ADDRESSES);
	assert_true(gw_segment_address(&segment, &addr));
	assert_int_equal(addr.ip[15], 1);
}

static void a_passing_error_is_tried_again_within_a_second(void **state)
{
	static const int errors[] = { -EAGAIN, -ENOMEM, -EBADMSG };

	(void)state;
	open_with(UP);
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		reach_fake_read_result(monitor, errors[i]);
		read_now();
		assert_string_equal(told, "");
		assert_int_equal(gw_segment_next_expiry(&segment).ms, start.ms + 1000);
		reach_fake_read_result(monitor, 0);
		read_now();
		assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
	}
}

static void a_full_table_is_no_error(void **state)
{
	(void)state;
	open_with(UP);
	reach_fake_read_result(monitor, -EOVERFLOW);
	say("neighbour 7 failed fd00::3");
	read_now();
	assert_string_equal(told, "fd00::3 failed;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

/* Its notices may be lost, and judged would be who is not heard of. */
static void what_cannot_be_read_for_long_makes_us_blind(void **state)
{
	(void)state;
	open_with(UP);
	reach_fake_read_result(monitor, -EAGAIN);
	assert_told("", "");
	now.ms += 5000;
	assert_told("neighbour 7 failed fd00::3", "fd00::3 failed;");
	now.ms++;
	assert_told("", "deaf;");
	assert_told("neighbour 7 failed fd00::3", "");
	reach_fake_read_result(monitor, 0);
	assert_told("neighbour 7 failed fd00::3", "seeing;");
	reach_fake_read_result(monitor, -EAGAIN);
	assert_told("", ""); // counted anew
}

static void lost_notices_are_read_on_at_once(void **state)
{
	(void)state;
	open_with(UP);
	reach_fake_read_result(monitor, -ENOBUFS);
	assert_told("", "");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, now.ms);
}

static void what_cannot_be_read_at_first_makes_us_blind(void **state)
{
	const struct gw_segment_options options = { .interface = "lowpan0" };

	(void)state;
	assert_int_equal(reach_fake_open(&monitor), 0);
	reach_fake_read_result(monitor, -EAGAIN);
	told[0] = '\0';
	now = start;
	gw_segment_open_with(&segment, monitor, &options, &sink, NULL, now);
	assert_string_equal(told, "watch;deaf;");
	assert_told(UP, ""); // and who knows what else
	reach_fake_read_result(monitor, 0);
	assert_told("", "seeing;");
}

/* The one that follows is real, and knows no interface of that name. */
static void a_broken_monitor_is_replaced_and_makes_us_blind(void **state)
{
	(void)state;
	open_with(UP);
	reach_fake_read_result(monitor, -EBADF);
	read_now();
	assert_string_equal(told, "forget;deaf;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, start.ms + 1000);
	read_now();
	assert_string_equal(told, ""); // not yet
	now.ms += 1000;
	read_now();
	assert_string_equal(told, "watch;gone;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interface_that_is_not_there_makes_us_blind),
		TEST(blindness_follows_the_link),
		TEST(a_link_that_was_away_within_one_read_is_another),
		TEST(without_an_address_that_members_know_we_are_blind),
		TEST(blindness_comes_first_and_nothing_else_of_its_read_counts),
		TEST(what_went_just_before_the_link_is_not_missed),
		TEST(what_changes_while_we_are_blind_is_not_judged),
		TEST(each_state_of_a_neighbour_has_its_verdict),
		TEST(what_was_read_at_once_is_one_batch),
		TEST(what_the_kernel_held_before_us_is_old),
		TEST(a_router_that_fails_takes_all_behind_it_along),
		TEST(the_last_word_about_a_router_counts),
		TEST(of_a_node_behind_a_router_its_own_entry_says_nothing),
		TEST(a_route_that_goes_is_missed_a_moment_later),
		TEST(each_is_missed_at_its_own_time),
		TEST(a_route_that_comes_back_was_never_gone),
		TEST(another_way_is_a_move_and_no_loss),
		TEST(of_two_routes_one_may_go),
		TEST(of_two_routes_the_lower_metric_counts),
		TEST(who_is_a_neighbour_needs_no_route),
		TEST(a_proxied_entry_that_goes_is_missed_unless_there_is_another_way),
		TEST(memory_is_bounded),
		TEST(nodes_behind_watched_interfaces_are_judged_like_ours),
		TEST(the_loss_of_a_watched_interface_is_no_loss_of_those_behind_it),
		TEST(others_can_be_watched_from_now_on),
		TEST(probes_go_to_the_interface_as_it_is_now),
		TEST(probes_go_where_the_node_is_known),
		TEST(of_a_node_behind_a_router_the_router_is_asked),
		TEST(a_router_is_asked_once_for_all_behind_it),
		TEST(more_routers_than_are_remembered_are_asked_all_the_same),
		TEST(who_cannot_be_asked_about_is_not_waited_for),
		TEST(the_answer_to_a_probe_waits_for_the_next_turn),
		TEST(what_was_asked_before_we_went_blind_has_no_answer),
		TEST(the_kernel_is_asked_how_long_it_takes),
		TEST(without_the_right_to_probe_the_kernel_takes_another_time),
		TEST(who_never_had_that_right_knows_it_from_the_start),
		TEST(a_monitor_that_replaces_another_has_no_more_rights),
		TEST(a_time_that_makes_no_sense_is_kept_in_bounds),
		TEST(proxied_entries_are_looked_for_where_there_are_any),
		TEST(link_local_nodes_are_behind_the_interface_as_it_is_now),
		TEST(without_an_interface_nobody_is_probed),
		TEST(that_probes_are_weak_is_said_once),
		TEST(nodes_are_given_the_widest_address),
		TEST(more_addresses_than_there_is_room_for_are_left_out),
		TEST(a_passing_error_is_tried_again_within_a_second),
		TEST(a_full_table_is_no_error),
		TEST(what_cannot_be_read_for_long_makes_us_blind),
		TEST(lost_notices_are_read_on_at_once),
		TEST(what_cannot_be_read_at_first_makes_us_blind),
		TEST(a_broken_monitor_is_replaced_and_makes_us_blind),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
