// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * netlink/ on the real kernel, when there is more than it has room for: notices that the kernel
 * drops, tables that are full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink/kernel.h"
#include "tests/lib/ear.h"

enum {
	FLOOD_ENTRIES = 300, // below net.ipv6.neigh.default.gc_thresh2, so that none is collected
	FLOOD_ROUNDS = 12,
	MANY = 10000,
	MANY_CHANGES = 50000
};

// Thousands of changes that end with half of the entries gone and the others of mixed states.
static void flood_once(FILE *batch, int round)
{
	static const char *const nuds[] = { "reachable", "stale" };

	for (int i = 1; i <= FLOOD_ENTRIES; i++) {
		if (round == FLOOD_ROUNDS - 1 && i % 2 == 0)
			fprintf(batch, "neigh del fd00::f:%x dev v0\n", i);
		else
			fprintf(batch,
				"neigh replace fd00::f:%x dev v0 lladdr 02:00:00:00:00:01 nud %s\n",
				i, nuds[(round + i / 2) % 2]);
	}
}

static void flood(int from, int end)
{
	FILE *batch = popen("ip -force -batch - >/dev/null 2>&1", "w");

	if (!batch)
		return;
	for (int round = from; round < end; round++)
		flood_once(batch, round);
	(void)pclose(batch);
}

// It may say that it is behind, as long as it is.
static bool is_behind(struct ear *ear)
{
	int rc = reach_monitor_read(ear->monitor, hear, ear);

	assert_true(rc == 0 || rc == -ENOBUFS || rc == -EAGAIN);
	return rc != 0;
}

// Read until the monitor is up to date, and silent for a moment.
static void settle(struct ear *ear)
{
	struct pollfd fd = { .fd = reach_monitor_fd(ear->monitor), .events = POLLIN };

	while (is_behind(ear) || poll(&fd, 1, 100) > 0)
		;
}

static void flood_while_reading(struct ear *ear)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		flood(0, FLOOD_ROUNDS);
		_exit(0);
	}
	while (waitpid(child, NULL, WNOHANG) == 0)
		(void)is_behind(ear);
	settle(ear);
}

static void print_counts(const struct ear *ear, const char *what)
{
	const struct reach_counts counts = reach_monitor_counts(ear->monitor);

	print_message("# %s: %d notices read, lost %d times, %d comparisons\n", what,
		      (int)counts.notices, (int)counts.lost, (int)counts.comparisons);
}

static size_t count_differences(const struct reach_known *a, const struct reach_known *b)
{
	size_t differences = a->count > b->count ? a->count - b->count : 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct reach_event *found = reach_known_find(a, &b->events[i]);

		differences += !found || !reach_event_same(found, &b->events[i]);
	}
	return differences;
}

static void lost_notices_are_made_up_by_comparison(void **state)
{
	const struct reach_options tiny = { .receive_buffer = 1 };
	struct ear ear, fresh;

	need_namespace(state);
	for (int reading = 0; reading < 2; reading++) {
		ear = open_ear(&tiny);
		if (reading)
			flood_while_reading(&ear);
		else
			flood(0, FLOOD_ROUNDS);
		settle(&ear);
		print_counts(&ear, reading ? "tiny buffer, reading" : "tiny buffer, not reading");
		assert_true(reach_monitor_counts(ear.monitor).lost > 0);
		assert_true(reach_monitor_counts(ear.monitor).comparisons > 1);
		fresh = open_ear(NULL);
		assert_true(fresh.believed.count >= FLOOD_ENTRIES / 2);
		assert_int_equal(count_differences(&ear.believed, &fresh.believed), 0);
		// And it goes on listening.
		forget_text(&ear);
		command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
		wait_for(&ear, LINE("neighbour", "v0", "stale fd00::5"));
		command("ip neigh del fd00::5 dev v0");
		close_ear(&fresh);
		close_ear(&ear);
	}
}

static void comparison_keeps_a_failed_neighbour_that_is_asked_again(void **state)
{
	const struct reach_options tiny = { .receive_buffer = 1 };
	struct ear ear;

	need_namespace(state);
	ear = open_ear(&tiny);
	assert_int_equal(probe(&ear, "v0", "fd00::5"), 0);
	wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5"));
	command("echo 5000 >/proc/sys/net/ipv6/neigh/v0/retrans_time_ms");
	flood(0, FLOOD_ROUNDS);
	forget_text(&ear);
	assert_int_equal(probe(&ear, "v0", "fd00::5"), 0); // INCOMPLETE from here on
	read_all(&ear);
	assert_true(reach_monitor_counts(ear.monitor).lost > 0);
	assert_false(has_heard(&ear, "fd00::5\n"));
	close_ear(&ear);
}

// What one round has fits into any buffer, however busy the machine is.
static void notices_read_in_time_are_complete(void **state)
{
	struct ear ear, fresh;

	need_namespace(state);
	ear = open_ear(NULL);
	for (int round = 0; round < FLOOD_ROUNDS; round++) {
		flood(round, round + 1);
		read_all(&ear);
	}
	print_counts(&ear, "default buffer, reading");
	assert_int_equal(reach_monitor_counts(ear.monitor).lost, 0);
	fresh = open_ear(NULL);
	assert_int_equal(count_differences(&ear.believed, &fresh.believed), 0);
	close_ear(&fresh);
	close_ear(&ear);
}

// As lowpan networks have them, and more: MANY entries, changed five times each. Those that
// something else than the kernel has learned do not count for gc_thresh3, and are not collected.
static void great_flood(void)
{
	FILE *batch = popen("ip -force -batch - >/dev/null 2>&1", "w");

	if (!batch)
		return;
	for (int i = 0; i < MANY_CHANGES; i++) {
		int number = 1 + i % MANY;

		// In the end every third one is gone, and others have two different states.
		if (i >= MANY_CHANGES - MANY && number % 3 == 0)
			fprintf(batch, "neigh del fd00::e:%x dev v0\n", number);
		else
			fprintf(batch,
				"neigh replace fd00::e:%x dev v0 lladdr 02:00:00:00:00:01 nud %s "
				"extern_learn\n",
				number, (number + i / MANY) % 2 ? "stale" : "reachable");
	}
	(void)pclose(batch);
}

// What a listener believes, and how much it was told at once.
struct flooded {
	struct reach_known believed;
	size_t most, told;
};

static void hear_flood(const struct reach_event *events, size_t count, void *ctx)
{
	struct flooded *flooded = ctx;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(reach_known_update(&flooded->believed, &events[i]), 0);
	flooded->told += count;
	if (count > flooded->most)
		flooded->most = count;
}

// Returns whether the monitor said, as its last word, that it is up to date.
static bool listen_to(struct reach_monitor *monitor, struct flooded *flooded, int64_t *behind)
{
	struct pollfd fd = { .fd = reach_monitor_fd(monitor), .events = POLLIN };
	pid_t child = fork();
	bool ended = false;
	int rc = 0;

	assert_true(child >= 0);
	if (child == 0) {
		great_flood();
		_exit(0);
	}
	do {
		rc = reach_monitor_read(monitor, hear_flood, flooded);
		assert_true(rc == 0 || rc == -ENOBUFS || rc == -EAGAIN);
		*behind += rc != 0;
		ended = ended || waitpid(child, NULL, WNOHANG) == child;
	} while (!ended || rc != 0 || poll(&fd, 1, 100) > 0);
	return rc == 0;
}

static void fifty_thousand_changes_are_caught_up_with(void **state)
{
	// bytes for notices: none to speak of; what there is by default
	static const int buffers[] = { 1, 0 };

	need_namespace(state);
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		const struct reach_options options = { .receive_buffer = buffers[i] };
		struct flooded flooded = { 0 }, fresh = { 0 };
		struct reach_monitor *monitor;
		struct reach_counts counts;
		int64_t behind = 0;

		assert_int_equal(reach_monitor_open(&monitor, &options), 0);
		assert_true(listen_to(monitor, &flooded, &behind));
		counts = reach_monitor_counts(monitor);
		print_message("# buffer %d: %d notices read, lost %d times, %d comparisons, behind "
			      "%d times, %zu events, %zu at once\n",
			      buffers[i], (int)counts.notices, (int)counts.lost,
			      (int)counts.comparisons, (int)behind, flooded.told, flooded.most);
		assert_true(buffers[i] == 0 || counts.lost > 0);
		reach_monitor_close(monitor);
		// Who asks now is told the same.
		assert_int_equal(reach_monitor_open(&monitor, NULL), 0);
		assert_int_equal(reach_monitor_read(monitor, hear_flood, &fresh), 0);
		assert_true(fresh.believed.count > MANY / 2);
		assert_int_equal(count_differences(&flooded.believed, &fresh.believed), 0);
		// One read's notices, and the comparison that follows.
		assert_true(flooded.most <= 4096 + 32768 / 16 + 2 * REACH_KNOWN_MAX);
		reach_monitor_close(monitor);
		reach_known_wipe(&flooded.believed);
		reach_known_wipe(&fresh.believed);
	}
}

/*
 * Being behind, and saying so
 */

static size_t count_lines(const char *text)
{
	size_t count = 0;

	while (text && (text = strchr(text, '\n'))) {
		text++;
		count++;
	}
	return count;
}

static int read_now(struct ear *ear)
{
	return reach_monitor_read(ear->monitor, hear, ear);
}

// Requests get no answer, until the one that was there is put back.
static void while_no_dump_succeeds_every_read_says_so(void **state)
{
	int requests, kept, pair[2];
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	command("ip route add fd01::5/128 dev v0");
	command("echo 1 >/proc/sys/net/ipv6/route/skip_notify_on_dev_down");
	ear = open_ear_for("v0");
	requests = ((struct reach_kernel *)ear.monitor)->requests;
	kept = dup(requests);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_true(kept >= 0 && dup2(pair[0], requests) == requests);
	forget_text(&ear);
	command("ip link set v0 down");
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_now(&ear), -EAGAIN);
	assert_false(has_heard(&ear, "route")); // which only a dump tells
	assert_int_equal(dup2(kept, requests), requests);
	assert_int_equal(read_now(&ear), 0);
	assert_true(has_heard(&ear, LINE("route", "v0", "gone fd01::5 via ::")));
	close(kept);
	close(pair[0]);
	close(pair[1]);
	close_ear(&ear);
}

/*
 * A dump of neighbours that change meanwhile
 */

// From the next dump the neighbour fd00::5 is missing, and fd00::6 is deleted while it goes on.
static struct {
	int fd;
	bool once;
} hiding = { .fd = -1 };

static void hide(void *bytes, size_t len)
{
	static const uint8_t ip[REACH_IP_LEN] = { 0xfd, [15] = 5 };
	struct nlmsghdr *msg = bytes;

	for (; hiding.once && NLMSG_OK(msg, len); msg = NLMSG_NEXT(msg, len)) {
		if (msg->nlmsg_type != RTM_NEWNEIGH || !memmem(msg, msg->nlmsg_len, ip, sizeof(ip)))
			continue;
		msg->nlmsg_type = NLMSG_NOOP;
		hiding.once = false;
		command("ip neigh del fd00::6 dev v0");
	}
}

// In the place of the C library's.
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t len = syscall(SYS_recvmsg, fd, msg, flags);

	if (len > 0 && fd == hiding.fd)
		hide(msg->msg_iov->iov_base, (size_t)len);
	return len;
}

static void dump_with_entries_that_go_meanwhile_is_repeated(void **state)
{
	const struct reach_event *found;
	struct reach_event key = { .kind = REACH_NEIGHBOUR, .ip = { 0xfd, [15] = 5 } };
	struct ear ear;

	need_namespace(state);
	command("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	command("ip neigh add fd00::6 dev v0 lladdr 02:00:00:00:00:06 nud stale");
	ear = open_ear(NULL);
	hiding.fd = ((struct reach_kernel *)ear.monitor)->requests;
	hiding.once = true;
	command("ip link set w0 down"); // for which there is a dump
	read_all(&ear);
	assert_false(hiding.once);
	assert_true(has_heard(&ear, LINE("neighbour", "v0", "unknown fd00::6")));
	key.ifindex = (int)if_nametoindex("v0");
	found = reach_known_find(&ear.believed, &key);
	assert_true(found && found->state == REACH_STALE);
	hiding.fd = -1;
	close_ear(&ear);
}

static void dump_that_nothing_disturbs_is_enough(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	ear = open_ear_for("w0");
	settle(&ear);
	assert_int_equal(reach_monitor_counts(ear.monitor).comparisons, 1);
	command("ip link set w0 down");
	read_all(&ear);
	assert_int_equal(reach_monitor_counts(ear.monitor).comparisons, 2);
	close_ear(&ear);
}

// A read takes no more than some thousand notices. If a dump is due it has to wait, and that is
// said.
static void read_that_stops_before_the_dump_says_so(void **state)
{
	const int room = 64 * 1024 * 1024;
	struct ear ear;

	need_namespace(state);
	command("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	ear = open_ear(NULL);
	forget_text(&ear);
	assert_int_equal(setsockopt(reach_monitor_fd(ear.monitor), SOL_SOCKET, SO_RCVBUFFORCE,
				    &room, sizeof(room)),
			 0);
	command("ip link set w0 down");
	for (int i = 0; i < 2; i++)
		flood(0, FLOOD_ROUNDS);
	assert_int_equal(read_now(&ear), -ENOBUFS);
	assert_int_equal(reach_monitor_counts(ear.monitor).comparisons, 1);
	assert_true(count_lines(ear.text) <= 4096);
	assert_int_equal(read_now(&ear), 0);
	assert_true(reach_monitor_counts(ear.monitor).comparisons > 1);
	assert_int_equal(reach_monitor_counts(ear.monitor).lost, 0);
	close_ear(&ear);
}

// More host routes than the table holds.
static void make_many_routes(void)
{
	FILE *batch = popen("ip -batch -", "w");

	assert_non_null(batch);
	for (int i = 1; i <= REACH_KNOWN_MAX + 100; i++)
		fprintf(batch, "route add fd01::%x:%x/128 dev v0\n", i >> 16, i & 0xffff);
	assert_int_equal(pclose(batch), 0);
}

static void full_table_is_said_once_and_the_rest_goes_on(void **state)
{
	const char *name = "v0";
	const struct reach_options options = { .interfaces = &name, .interface_count = 1 };
	struct ear ear = { 0 };

	need_namespace(state);
	make_many_routes();
	assert_int_equal(reach_monitor_open(&ear.monitor, &options), 0);
	assert_int_equal(reach_monitor_read(ear.monitor, hear, &ear), -EOVERFLOW);
	read_all(&ear);
	assert_int_equal(ear.believed.count, REACH_KNOWN_MAX);
	assert_true(reach_monitor_counts(ear.monitor).untracked >= 100);
	forget_text(&ear);
	command("ip route del fd01::5/128 dev v0");
	wait_for(&ear, LINE("route", "v0", "gone fd01::5 via ::"));
	close_ear(&ear);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, make_namespace)
		TEST(lost_notices_are_made_up_by_comparison),
		TEST(comparison_keeps_a_failed_neighbour_that_is_asked_again),
		TEST(notices_read_in_time_are_complete),
		TEST(fifty_thousand_changes_are_caught_up_with),
		TEST(while_no_dump_succeeds_every_read_says_so),
		TEST(dump_with_entries_that_go_meanwhile_is_repeated),
		TEST(dump_that_nothing_disturbs_is_enough),
		TEST(read_that_stops_before_the_dump_says_so),
		TEST(full_table_is_said_once_and_the_rest_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return in_a_child(run_all);
}
