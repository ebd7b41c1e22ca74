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

// One of two to the same node is not the other, nor does a comparison take it for that.
static void routes_of_several_metrics_are_told_apart(void **state)
{
	struct ear ear;

	need_namespace(state);
	command("ip route add fd01::5/128 via fe80::7 dev v0 metric 2048");
	ear = open_ear_for("v0");
	assert_true(has_heard(&ear, LINE("route", "v0", "added fd01::5 via fe80::7 metric 2048")));
	command("ip route add fd01::5/128 via fe80::8 dev v0");
	wait_for(&ear, LINE("route", "v0", "added fd01::5 via fe80::8"));
	command("ip route del fd01::5/128 via fe80::8 dev v0");
	wait_for(&ear, LINE("route", "v0", "gone fd01::5 via fe80::8"));
	assert_false(has_heard(&ear, LINE("route", "v0", "gone fd01::5 via fe80::7 metric 2048")));
	command("ip route del fd01::5/128 via fe80::7 dev v0");
	wait_for(&ear, LINE("route", "v0", "gone fd01::5 via fe80::7 metric 2048"));
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

static void link_renamed_away_and_back_is_gone_and_there_again(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN], up[REACH_TEXT_LEN];

	need_namespace(state);
	ear = open_ear_for("v0");
	line(gone, "link", "v0", "gone v0");
	line(up, "link", "v0", "up v0");
	command("ip link set v0 down && ip link set v0 name x0 && ip link set x0 up");
	wait_for(&ear, gone);
	assert_int_equal(ear.believed.count, 0);
	forget_text(&ear);
	command("ip neigh add fd00::5 dev x0 lladdr 02:00:00:00:00:05 nud stale");
	read_all(&ear);
	assert_null(ear.text); // it is none of ours
	command("ip link set x0 down && ip link set x0 name v0 && ip link set v0 up");
	wait_for(&ear, up);
	command("ip neigh add fd00::6 dev v0 lladdr 02:00:00:00:00:06 nud stale");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::6"));
	close_ear(&ear);
}

static void watched_name_given_to_another_link(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN], of_old[REACH_TEXT_LEN];

	need_namespace(state);
	command("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	ear = open_ear_for("v0");
	line(gone, "link", "v0", "gone v0");
	command("ip link set v0 down && ip link set w0 down");
	command("ip link set v0 name x0 && ip link set w0 name v0");
	command("ip link set x0 up && ip link set v0 up");
	command("ip neigh add fd00::5 dev x0 lladdr 02:00:00:00:00:05 nud stale");
	command("ip neigh add fd00::6 dev v0 lladdr 02:00:00:00:00:06 nud stale");
	line(of_old, "neighbour", "x0", "stale fd00::5");
	wait_for(&ear, gone);
	wait_for(&ear, LINE("link", "v0", "up v0"));
	if (!has_heard(&ear, LINE("neighbour", "v0", "stale fd00::6")))
		wait_for(&ear, LINE("neighbour", "v0", "stale fd00::6"));
	assert_false(has_heard(&ear, of_old));
	close_ear(&ear);
}

static struct ear open_ear_for_several(int receive_buffer)
{
	static const char *const names[] = { "v0", "w0", "later0" };
	const struct reach_options options = { .interfaces = names,
					       .interface_count = 3,
					       .receive_buffer = receive_buffer };

	command("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	return open_ear(&options);
}

static void several_interfaces_are_told_apart(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN];

	need_namespace(state);
	ear = open_ear_for_several(0);
	assert_true(has_heard(&ear, " v0\n") && has_heard(&ear, " w0\n"));
	assert_false(has_heard(&ear, " w1\n"));
	command("ip neigh add fd00::5 dev v0 lladdr 02:00:00:00:00:05 nud stale");
	command("ip neigh add fd00::5 dev w0 lladdr 02:00:00:00:00:05 nud reachable");
	wait_for(&ear, LINE("neighbour", "v0", "stale fd00::5"));
	wait_for(&ear, LINE("neighbour", "w0", "reachable fd00::5"));
	// What happens to one is nothing to the other.
	line(gone, "neighbour", "w0", "unknown fd00::5");
	forget_text(&ear);
	command("ip link del w0");
	wait_for(&ear, gone);
	assert_false(has_heard(&ear, LINE("neighbour", "v0", "unknown fd00::5")));
	command("ip link add later0 type veth peer name later1");
	wait_for(&ear, LINE("link", "later0", "down later0"));
	close_ear(&ear);
}

// One who goes by names has to hear of everything again: it is another interface to him. The same
// if only the dump tells.
static void link_renamed_to_another_watched_name_comes_anew(void **state)
{
	struct ear ear;
	char gone[REACH_TEXT_LEN], unknown[REACH_TEXT_LEN];

	need_namespace(state);
	for (int lost = 0; lost < 2; lost++) {
		ear = open_ear_for_several(lost); // 1 byte: next to nothing
		command("ip addr add fd05::1/64 dev w0 nodad");
		command("ip neigh add fd05::5 dev w0 lladdr 02:00:00:00:00:05 nud stale");
		wait_for(&ear, LINE("neighbour", "w0", "stale fd05::5"));
		wait_for(&ear, LINE("link", "w0", "up w0"));
		forget_text(&ear);
		line(gone, "link", "w0", "gone w0");
		line(unknown, "neighbour", "w0", "unknown fd05::5");
		for (int i = 0; lost && i < 20; i++)
			command("ip neigh replace fd05::7 dev w0 lladdr 02:00:00:00:00:%02x nud "
				"stale",
				i);
		if (system("ip link set w0 name later0 2>/dev/null") != 0) {
			close_ear(&ear);
			print_message("SKIP: before Linux 6.2 a link that is up keeps its name\n");
			skip();
		}
		wait_for(&ear, gone);
		assert_int_equal(reach_monitor_counts(ear.monitor).lost > 0, lost);
		assert_true(has_heard(&ear, unknown));
		assert_true(has_heard(&ear, LINE("link", "later0", "up later0")));
		assert_true(has_heard(&ear, LINE("address", "later0", "added fd05::1")));
		assert_true(has_heard(&ear, LINE("neighbour", "later0", "stale fd05::5")));
		assert_true(strstr(ear.text, gone) < strstr(ear.text, " later0\n"));
		assert_true(strstr(ear.text, unknown) < strstr(ear.text, "stale fd05::5"));
		close_ear(&ear);
		command("ip link del later0");
	}
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

// Those that libnl-tiny would take for a process of our number, in whatever namespace of processes.
static void a_port_that_another_has_taken_is_no_obstacle(void **state)
{
	struct sockaddr_nl taken = { .nl_family = AF_NETLINK };
	struct ear ear;
	int fds[4];

	need_namespace(state);
	for (uint32_t i = 0; i < 4; i++) {
		fds[i] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
		taken.nl_pid = (uint32_t)getpid() + (i << 22);
		assert_int_equal(bind(fds[i], (void *)&taken, sizeof(taken)), 0);
	}
	ear = open_ear(NULL);
	assert_true(has_heard(&ear, "v0"));
	close_ear(&ear);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
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
		TEST(routes_of_several_metrics_are_told_apart),
		TEST(link_is_matched_by_its_name_of_the_moment),
		TEST(link_renamed_to_ours_while_up_brings_its_neighbours),
		TEST(link_may_be_deleted_and_made_again),
		TEST(link_renamed_away_and_back_is_gone_and_there_again),
		TEST(watched_name_given_to_another_link),
		TEST(several_interfaces_are_told_apart),
		TEST(link_renamed_to_another_watched_name_comes_anew),
		TEST(without_names_every_link_is_watched),
		TEST(probe_of_a_dead_stranger_fails),
		TEST(probe_of_a_stale_neighbour_that_died_fails),
		TEST(probe_of_a_failed_neighbour_is_answered_again),
		TEST(probe_of_a_live_neighbour_says_reachable),
		TEST(probe_without_privilege_says_so_once_and_works),
		TEST(probe_refuses_what_is_no_neighbour),
		TEST(only_the_kernel_is_believed),
		TEST(a_port_that_another_has_taken_is_no_obstacle),
		TEST(open_refuses_names_that_no_link_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return in_a_child(run_all);
}
