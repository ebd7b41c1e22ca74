// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * netlink/monitor.c, compare.c, request.c and probe.c on the real kernel: each test has a network
 * namespace of its own, made in a child of this process, with a veth pair in it. Needs root, ip(8)
 * and veth; skips aloud without. Waits for conditions with a deadline, never for a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink/known.h"
#include "netlink/reach.h"
#include "tests/lib/ear.h"

enum {
	FLOOD_ENTRIES = 300, // below net.ipv6.neigh.default.gc_thresh2, so that none is collected
	FLOOD_ROUNDS = 12
};

/*
 * Notices
 */

static void first_read_tells_what_is_there(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
	command("ip neigh add fd00::6 dev v0 lladdr 02:00:00:00:00:06 nud permanent");
	command("ip route add fd01::7/128 via fe80::7 dev v0");
	command("ip route add fd02::/64 via fe80::7 dev v0");
	ear = open_ear_for("v0");
	assert_true(has_heard(&ear, LINE("link", "v0", "up v0")));
	assert_true(has_heard(&ear, LINE("address", "v0", "added fd00::1")));
	assert_true(has_heard(&ear, LINE("route", "v0", "added fd01::7 via fe80::7")));
	assert_true(has_heard(&ear, LINE("neighbour", "v0", "reachable fd00::5")));
	assert_false(has_heard(&ear, "fd00::6"));
	assert_false(has_heard(&ear, "fd02::"));
	assert_false(has_heard(&ear, " v1"));
	assert_false(has_heard(&ear, " lo"));
	assert_int_equal(ear.calls, 1);
	close_ear(&ear);
}

static void neighbour_is_told_from_its_making_to_its_deletion(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
	wait_for(&ear, LINE("neighbour", "v0", "reachable fd00::5"));
	command("ip neigh replace fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::5"));
	command("ip neigh del fd00::5 dev v0");
	wait_for(&ear, LINE("neighbour", "v0", "unknown fd00::5"));
	for (size_t i = 0; i < ear.believed.count; i++)
		assert_int_not_equal(ear.believed.events[i].kind, REACH_NEIGHBOUR);
	close_ear(&ear);
}

// 'ip neigh' has the kernel set FAILED, with a notice, before it deletes.
static void deleting_a_live_neighbour_never_says_failed(void **state)
{
	static const char *const ways[] = {
		"ip neigh del fd00::5 dev v0",
		"ip neigh flush dev v0",
		"ip neigh replace fd00::5 dev v0 nud failed",
	};

	need_namespace(state);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct ear ear = open_ear_for("v0");

		command("ip neigh replace fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
		wait_for(&ear, LINE("neighbour", "v0", "reachable fd00::5"));
		command("%s", ways[i]);
		wait_for(&ear, LINE("neighbour", "v0", "unknown fd00::5"));
		assert_int_equal(ear.failures, 0);
		close_ear(&ear);
	}
}

static void neighbour_that_becomes_fixed_is_unknown(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::5"));
	command("ip neigh replace fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud permanent");
	wait_for(&ear, LINE("neighbour", "v0", "unknown fd00::5"));
	assert_int_equal(probe(&ear, "v0", "fd00::5"), -EOPNOTSUPP);
	close_ear(&ear);
}

static void other_interfaces_are_not_heard(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip link add w0 type veth peer name w1");
	command("ip link set w0 up && ip link set w1 up");
	ear = open_ear_for("v0");
	forget_text(&ear);
	command("ip neigh add fd00::5 dev w0 lladdr 02:00:00:00:00:05 nud stale");
	command("ip route add fd01::5/128 dev w0");
	command("ip neigh add fd00::6 dev v0 lladdr 02:00:00:00:00:06 nud stale");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::6"));
	assert_false(has_heard(&ear, "::5"));
	close_ear(&ear);
}

static void link_down_is_no_neighbours_failure(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
	command("ip route add fd01::5/128 dev v0");
	ear = open_ear_for("v0");
	forget_text(&ear);
	command("ip link set v0 down");
	wait_for(&ear, LINE("link", "v0", "down v0"));
	assert_true(has_heard(&ear, LINE("neighbour", "v0", "unknown fd00::5")));
	assert_true(has_heard(&ear, LINE("route", "v0", "gone fd01::5 via ::")));
	assert_int_equal(ear.failures, 0);
	forget_text(&ear);
	command("ip link set v0 up");
	wait_for(&ear, LINE("link", "v0", "up v0"));
	close_ear(&ear);
}

static void lost_carrier_is_link_down(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
	ear = open_ear_for("v0");
	forget_text(&ear);
	command("ip link set v1 down");
	wait_for(&ear, LINE("link", "v0", "down v0"));
	assert_int_equal(ear.failures, 0);
	close_ear(&ear);
}

static void routes_that_go_without_notice_are_found(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("echo 1 >/proc/sys/net/ipv6/route/skip_notify_on_dev_down");
	command("ip route add fd01::5/128 dev v0");
	ear = open_ear_for("v0");
	forget_text(&ear);
	command("ip link set v0 down");
	wait_for(&ear, LINE("link", "v0", "down v0"));
	assert_true(has_heard(&ear, LINE("route", "v0", "gone fd01::5 via ::")));
	close_ear(&ear);
}

static void route_that_moves_to_another_link_is_gone_from_ours(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip link add w0 type veth peer name w1");
	command("ip link set w0 up && ip link set w1 up");
	command("ip route add fd01::5/128 dev v0");
	ear = open_ear_for("v0");
	assert_true(has_heard(&ear, LINE("route", "v0", "added fd01::5 via ::")));
	command("ip route replace fd01::5/128 dev w0");
	wait_for(&ear, LINE("route", "v0", "gone fd01::5 via ::"));
	close_ear(&ear);
}

static void link_is_matched_by_its_name_of_the_moment(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN];

	need_namespace(state);
	ear = open_ear_for("mesh0");
	assert_int_equal(ear.calls, 0);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud permanent");
	command("ip link set v0 down && ip link set v0 name mesh0 && ip link set mesh0 up");
	wait_for(&ear, LINE("link", "mesh0", "up mesh0"));
	command("ip neigh replace fd00::7 dev mesh0 lladdr 02:00:00:00:00:07 nud reachable");
	command("ip neigh replace fd00::8 dev mesh0 lladdr 02:00:00:00:00:08 nud stale");
	wait_for(&ear, LINE("neighbour", "mesh0", "stale fd00::8"));
	line(gone, "link", "mesh0", "gone mesh0");
	forget_text(&ear);
	command("ip link set mesh0 down && ip link set mesh0 name v0");
	wait_for(&ear, gone);
	assert_int_equal(ear.believed.count, 0);
	close_ear(&ear);
}

static void link_renamed_to_ours_while_up_brings_its_neighbours(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	ear = open_ear_for("mesh0");
	if (system("ip link set v0 name mesh0 2>/dev/null") != 0) {
		close_ear(&ear);
		print_message("SKIP: before Linux 6.2 a link that is up keeps its name\n");
		skip();
	}
	wait_for(&ear, LINE("link", "mesh0", "up mesh0"));
	assert_true(has_heard(&ear, LINE("neighbour", "mesh0", "stale fd00::5")));
	assert_true(has_heard(&ear, LINE("address", "mesh0", "added fd00::1")));
	close_ear(&ear);
}

static void link_may_be_deleted_and_made_again(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN];

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud reachable");
	ear = open_ear_for("v0");
	line(gone, "link", "v0", "gone v0");
	command("ip link del v0");
	wait_for(&ear, gone);
	assert_int_equal(ear.believed.count, 0);
	assert_int_equal(ear.failures, 0);
	command("ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up");
	wait_for(&ear, LINE("link", "v0", "up v0"));
	close_ear(&ear);
}

static void without_names_every_link_is_watched(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear(NULL);
	assert_true(has_heard(&ear, LINE("link", "v0", "up v0")));
	assert_true(has_heard(&ear, LINE("link", "v1", "up v1")));
	command("ip link add w0 type veth peer name w1");
	wait_for(&ear, LINE("link", "w0", "down w0"));
	close_ear(&ear);
}

/*
 * Probes
 */

static void probe_of_a_dead_stranger_fails(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	assert_int_equal(probe(&ear, "v0", "fd00::5"), 0);
	print_message("# stranger: failed after %d ms\n",
		      (int)wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5")));
	close_ear(&ear);
}

static void probe_of_a_stale_neighbour_that_died_fails(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	ear = open_ear_for("v0");
	assert_int_equal(probe(&ear, "v0", "fd00::5"), 0);
	print_message("# stale: failed after %d ms\n",
		      (int)wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5")));
	close_ear(&ear);
}

static void probe_of_a_failed_neighbour_is_answered_again(void **state)
{
	struct ear ear;

	need_namespace(state);
	ear = open_ear_for("v0");
	for (int i = 0; i < 2; i++) {
		forget_text(&ear);
		assert_int_equal(probe(&ear, "v0", "fd00::5"), 0);
		assert_int_equal(probe(&ear, "v0", "fd00::5"), 0); // the kernel is at it
		wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5"));
		assert_int_equal(ear.failures, 1);
	}
	close_ear(&ear);
}

// A child in a namespace of its own that has the far end of the pair.
static pid_t start_live_peer(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	command("ip link set v1 netns %d", (int)pid);
	command("nsenter -t %d -n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/v1/disable_ipv6; "
		"ip link set v1 up; ip addr add fd00::2/64 dev v1 nodad'",
		(int)pid);
	return pid;
}

static void probe_of_a_live_neighbour_says_reachable(void **state)
{
	struct ear ear;
	pid_t peer;

	need_namespace(state);
	peer = start_live_peer();
	ear = open_ear_for("v0");
	if (!has_heard(&ear, LINE("link", "v0", "up v0")))
		wait_for(&ear, LINE("link", "v0", "up v0"));
	for (int i = 0; i < 2; i++) { // unknown at first, then reachable
		forget_text(&ear);
		assert_int_equal(probe(&ear, "v0", "fd00::2"), 0);
		print_message("# live: reachable after %d ms\n",
			      (int)wait_for(&ear, LINE("neighbour", "v0", "reachable fd00::2")));
	}
	// Cut off, as a node out of range: the carrier stays.
	command("nsenter -t %d -n ip addr del fd00::2/64 dev v1", (int)peer);
	forget_text(&ear);
	assert_int_equal(probe(&ear, "v0", "fd00::2"), 0);
	wait_for(&ear, LINE("neighbour", "v0", "failed fd00::2"));
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	close_ear(&ear);
}

static void probe_without_privilege_says_so_once_and_works(void **state)
{
	struct ear ear;
	int first, second, failed;

	need_namespace(state);
	ear = open_ear_for("v0");
	assert_int_equal(seteuid(65534), 0);
	first = probe(&ear, "v0", "fd00::5");
	second = probe(&ear, "v0", "fd00::6");
	failed = seteuid(0);
	assert_int_equal(failed, 0);
	assert_int_equal(first, -EPERM);
	assert_int_equal(second, 0);
	wait_for(&ear, LINE("neighbour", "v0", "failed fd00::5"));
	wait_for(&ear, LINE("neighbour", "v0", "failed fd00::6"));
	close_ear(&ear);
}

static void probe_refuses_what_is_no_neighbour(void **state)
{
	struct ear ear;
	uint8_t ip[REACH_IP_LEN] = { 0xfd };

	need_namespace(state);
	ear = open_ear_for("v0");
	assert_int_equal(probe(&ear, "v0", "ff02::1"), -EINVAL);
	assert_int_equal(probe(&ear, "v0", "::"), -EINVAL);
	assert_int_equal(reach_monitor_probe(ear.monitor, 0, ip), -EINVAL);
	assert_int_equal(reach_monitor_probe(ear.monitor, -1, ip), -EINVAL);
	assert_int_equal(reach_monitor_probe(ear.monitor, 4711, ip), -ENODEV);
	close_ear(&ear);
}

/*
 * Lost notices
 */

// Thousands of changes that end with half of the entries gone and the others of mixed states.
static void flood(void)
{
	static const char *const nuds[] = { "reachable", "stale" };
	FILE *batch = popen("ip -force -batch - >/dev/null 2>&1", "w");

	if (!batch)
		return;
	for (int round = 0; round < FLOOD_ROUNDS; round++) {
		for (int i = 1; i <= FLOOD_ENTRIES; i++) {
			if (round == FLOOD_ROUNDS - 1 && i % 2 == 0)
				fprintf(batch, "neigh del fd00::f:%x dev v0\n", i);
			else
				fprintf(batch,
					"neigh replace fd00::f:%x dev v0 lladdr 02:00:00:00:00:01 "
					"nud %s\n",
					i, nuds[(round + i / 2) % 2]);
		}
	}
	(void)pclose(batch);
}

// It may say that it is behind, as long as it is.
static void read_some(struct ear *ear)
{
	int rc = reach_monitor_read(ear->monitor, hear, ear);

	assert_true(rc == 0 || rc == -ENOBUFS || rc == -EAGAIN);
}

// Read until the monitor is silent for a moment.
static void settle(struct ear *ear)
{
	struct pollfd fd = { .fd = reach_monitor_fd(ear->monitor), .events = POLLIN };

	while (poll(&fd, 1, 100) > 0)
		read_some(ear);
}

static void flood_while_reading(struct ear *ear)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		flood();
		_exit(0);
	}
	while (waitpid(child, NULL, WNOHANG) == 0)
		read_some(ear);
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
			flood();
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
	flood();
	forget_text(&ear);
	assert_int_equal(probe(&ear, "v0", "fd00::5"), 0); // INCOMPLETE from here on
	read_all(&ear);
	assert_true(reach_monitor_counts(ear.monitor).lost > 0);
	assert_false(has_heard(&ear, "fd00::5\n"));
	close_ear(&ear);
}

static void notices_read_in_time_are_complete(void **state)
{
	struct ear ear, fresh;

	need_namespace(state);
	ear = open_ear(NULL);
	flood_while_reading(&ear);
	print_counts(&ear, "default buffer, reading");
	assert_int_equal(reach_monitor_counts(ear.monitor).lost, 0);
	fresh = open_ear(NULL);
	assert_int_equal(count_differences(&ear.believed, &fresh.believed), 0);
	close_ear(&fresh);
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

/*
 * Others
 */

static void only_the_kernel_is_believed(void **state)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr attr;
		char name[4];
	} forged = { .head = { .nlmsg_len = sizeof(forged), .nlmsg_type = RTM_DELLINK },
		     .attr = { .rta_len = 7, .rta_type = IFLA_IFNAME },
		     .name = "v0" };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(to);
	struct ear ear;
	int fd;

	need_namespace(state);
	ear = open_ear_for("v0");
	forget_text(&ear);
	forged.link.ifi_index = (int)if_nametoindex("v0");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(reach_monitor_fd(ear.monitor), (void *)&to, &len), 0);
	to.nl_groups = 0;
	assert_int_equal(sendto(fd, &forged, sizeof(forged), 0, (void *)&to, sizeof(to)),
			 sizeof(forged));
	read_all(&ear);
	assert_null(ear.text);
	close(fd);
	close_ear(&ear);
}

static void open_refuses_names_that_no_link_can_have(void **state)
{
	static const char *const names[] = { "", "0123456789abcdef" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct reach_options options = { .interfaces = &names[i],
						       .interface_count = 1 };
		struct reach_monitor *monitor = NULL;

		assert_int_equal(reach_monitor_open(&monitor, &options), -EINVAL);
		assert_null(monitor);
	}
	reach_monitor_close(NULL);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, make_namespace)
		TEST(first_read_tells_what_is_there),
		TEST(neighbour_is_told_from_its_making_to_its_deletion),
		TEST(deleting_a_live_neighbour_never_says_failed),
		TEST(neighbour_that_becomes_fixed_is_unknown),
		TEST(other_interfaces_are_not_heard),
		TEST(link_down_is_no_neighbours_failure),
		TEST(lost_carrier_is_link_down),
		TEST(routes_that_go_without_notice_are_found),
		TEST(route_that_moves_to_another_link_is_gone_from_ours),
		TEST(link_is_matched_by_its_name_of_the_moment),
		TEST(link_renamed_to_ours_while_up_brings_its_neighbours),
		TEST(link_may_be_deleted_and_made_again),
		TEST(without_names_every_link_is_watched),
		TEST(probe_of_a_dead_stranger_fails),
		TEST(probe_of_a_stale_neighbour_that_died_fails),
		TEST(probe_of_a_failed_neighbour_is_answered_again),
		TEST(probe_of_a_live_neighbour_says_reachable),
		TEST(probe_without_privilege_says_so_once_and_works),
		TEST(probe_refuses_what_is_no_neighbour),
		TEST(lost_notices_are_made_up_by_comparison),
		TEST(comparison_keeps_a_failed_neighbour_that_is_asked_again),
		TEST(notices_read_in_time_are_complete),
		TEST(full_table_is_said_once_and_the_rest_goes_on),
		TEST(only_the_kernel_is_believed),
		TEST(open_refuses_names_that_no_link_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return in_a_child(run_all);
}
