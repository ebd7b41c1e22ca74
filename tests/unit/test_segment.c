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

static void blind(void *ctx, bool is_blind)
{
	(void)ctx;
	add("%s;", is_blind ? "blind" : "seeing");
}

static void neighbour(void *ctx, const struct gk_addr *addr, enum gk_reach reach)
{
	static const char *const names[] = { "unknown", "confirmed", "failed" };
	char ip[INET6_ADDRSTRLEN];

	(void)ctx;
	inet_ntop(AF_INET6, addr->ip, ip, sizeof(ip));
	add("%s", ip);
	if (addr->scope > 0)
		add("%%%u", addr->scope);
	add(" %s;", names[reach]);
}

static void moved(void *ctx, int from_fd, int to_fd)
{
	(void)ctx;
	add("%s%s;", from_fd >= 0 ? "forget" : "", to_fd >= 0 ? "watch" : "");
}

static const struct gw_segment_sink sink = { blind, neighbour, moved };

static void say(const char *script)
{
	assert_int_equal(reach_fake_script(monitor, script, NULL), 0);
}

/* Open with what the kernel has to say at first; 'told' begins anew after it. */
static void open_with(const char *script)
{
	told[0] = '\0';
	assert_int_equal(reach_fake_open(&monitor), 0);
	say(script);
	gw_segment_open_with(&segment, monitor, "lowpan0", &sink, NULL, start);
}

static void read_now(void)
{
	told[0] = '\0';
	gw_segment_read(&segment, start);
}

static int tear_down(void **state)
{
	(void)state;
	gw_segment_close(&segment);
	return 0;
}

static void an_interface_that_is_not_there_makes_us_blind(void **state)
{
	(void)state;
	open_with("");
	assert_string_equal(told, "watch;blind;");
	assert_true(segment.blind);
	say("link 7 up lowpan0");
	read_now();
	assert_string_equal(told, "seeing;");
	assert_int_equal(segment.ifindex, 7);
}

static void blindness_follows_the_link(void **state)
{
	static const struct {
		const char *script, *told;
	} rows[] = {
		{ "link 7 down lowpan0", "blind;" },
		{ "link 7 down lowpan0", "" }, // known already
		{ "link 7 up lowpan0", "seeing;" },
		{ "link 7 up lowpan0", "" },
		{ "link 7 gone lowpan0", "blind;" },
		{ "link 9 up lowpan0", "seeing;" }, // it came back as another
		{ "link 7 gone lowpan0", "" },      // too late
	};

	(void)state;
	open_with("link 7 up lowpan0");
	assert_string_equal(told, "watch;seeing;");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say(rows[i].script);
		read_now();
		assert_string_equal(told, rows[i].told);
	}
}

static void blindness_comes_before_the_neighbours_of_its_batch(void **state)
{
	(void)state;
	open_with("link 7 up lowpan0");
	say("neighbour 7 failed fd00::3\nneighbour 7 unknown fd00::4\nlink 7 down lowpan0");
	read_now();
	assert_string_equal(told, "blind;fd00::3 failed;fd00::4 unknown;");
}

static void each_state_of_a_neighbour_has_its_verdict(void **state)
{
	static const struct {
		const char *script, *told;
	} rows[] = {
		{ "neighbour 7 failed fd00::3", "fd00::3 failed;" },
		{ "neighbour 7 reachable fd00::3", "fd00::3 confirmed;" },
		{ "neighbour 7 unknown fd00::3", "fd00::3 unknown;" }, // gone, not failed
		{ "neighbour 7 stale fd00::3", "" },                   // says nothing of now
		{ "route 7 gone fd00::3 via fe80::2", "" },
	};

	(void)state;
	open_with("link 7 up lowpan0");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say(rows[i].script);
		read_now();
		assert_string_equal(told, rows[i].told);
	}
}

static void probes_go_to_the_interface_as_it_is_now(void **state)
{
	static const struct {
		const char *script;
		int ifindex;
	} rows[] = { { "", 7 }, { "link 9 up lowpan0", 9 } };

	(void)state;
	open_with("link 7 up lowpan0");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_addr addr = { .ip = { 0xfd } };
		uint8_t ip[REACH_IP_LEN];
		int ifindex;
		say(rows[i].script);
		read_now();
		gw_segment_probe(&segment, &addr);
		assert_true(reach_fake_probed(monitor, &ifindex, ip));
		assert_int_equal(ifindex, rows[i].ifindex);
		assert_memory_equal(ip, addr.ip, sizeof(ip));
	}
}

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
	struct gk_addr addr = { .ip = { 0xfd } };
	uint8_t ip[REACH_IP_LEN];
	int ifindex;

	(void)state;
	open_with("");
	gw_segment_probe(&segment, &addr);
	assert_false(reach_fake_probed(monitor, &ifindex, ip));
}

static void a_failed_probe_is_no_harm(void **state)
{
	static const int results[] = { -EPERM, -EOPNOTSUPP, -ENODEV };
	struct gk_addr addr = { .ip = { 0xfd } };

	(void)state;
	open_with("link 7 up lowpan0");
	told[0] = '\0';
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		reach_fake_probe_result(monitor, results[i]);
		gw_segment_probe(&segment, &addr);
	}
	assert_string_equal(told, "");
}

/* What the calls log, in 'text'. */
static void probe_aloud(int times, char *text, size_t size)
{
	struct gk_addr addr = { .ip = { 0xfd } };
	int out[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe2(out, O_NONBLOCK), 0);
	dup2(out[1], STDERR_FILENO);
	log_open("test", LOG_LEVEL_WARN, false);
	for (int i = 0; i < times; i++)
		gw_segment_probe(&segment, &addr);
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
	open_with("link 7 up lowpan0");
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
	open_with("link 7 up lowpan0");
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
	open_with("link 7 up lowpan0");
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
	open_with("link 7 up lowpan0");
	reach_fake_read_result(monitor, -EOVERFLOW);
	say("neighbour 7 failed fd00::3");
	read_now();
	assert_string_equal(told, "fd00::3 failed;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

/* The one that follows is real, and knows no interface of that name. */
static void a_broken_monitor_is_replaced_and_makes_us_blind(void **state)
{
	(void)state;
	open_with("link 7 up lowpan0");
	reach_fake_read_result(monitor, -EBADF);
	read_now();
	assert_string_equal(told, "forget;blind;");
	assert_int_equal(gw_segment_next_expiry(&segment).ms, start.ms + 1000);
	read_now();
	assert_string_equal(told, "watch;");
	assert_true(segment.blind);
	assert_int_equal(gw_segment_next_expiry(&segment).ms, GK_NEVER);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interface_that_is_not_there_makes_us_blind),
		TEST(blindness_follows_the_link),
		TEST(blindness_comes_before_the_neighbours_of_its_batch),
		TEST(each_state_of_a_neighbour_has_its_verdict),
		TEST(probes_go_to_the_interface_as_it_is_now),
		TEST(link_local_nodes_are_behind_the_interface_as_it_is_now),
		TEST(without_an_interface_nobody_is_probed),
		TEST(a_failed_probe_is_no_harm),
		TEST(that_probes_are_weak_is_said_once),
		TEST(nodes_are_given_the_widest_address),
		TEST(more_addresses_than_there_is_room_for_are_left_out),
		TEST(a_passing_error_is_tried_again_within_a_second),
		TEST(a_full_table_is_no_error),
		TEST(a_broken_monitor_is_replaced_and_makes_us_blind),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
