// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/ear.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void command(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("%s", line);
}

int make_namespace(void **state)
{
	*state = NULL;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return 0;
	if (system("ip link add v0 type veth peer name v1 2>/dev/null") != 0)
		return 0;
	command("echo 0 >/proc/sys/net/ipv6/conf/v0/accept_dad");
	command("echo 1 >/proc/sys/net/ipv6/conf/v1/disable_ipv6");
	command("echo 200 >/proc/sys/net/ipv6/neigh/v0/retrans_time_ms");
	command("ip link set lo up && ip link set v0 up && ip link set v1 up");
	command("ip addr add fd00::1/64 dev v0 nodad");
	// the kernel says that a link runs a little after it was set up
	command("for v in v0 v1; do for i in $(seq 250); do "
		"ip -o link show $v | grep -q 'state UP' && break; sleep 0.02; done; done");
	*state = "there";
	return 0;
}

void need_namespace(void **state)
{
	if (*state)
		return;
	print_message("SKIP: needs root, a network namespace and veth\n");
	skip();
}

void hear(const struct reach_event *events, size_t count, void *ctx)
{
	struct ear *ear = ctx;
	bool past_links = false;

	ear->calls++;
	ear->text = realloc(ear->text, ear->len + count * REACH_TEXT_LEN + 1);
	assert_non_null(ear->text);
	for (size_t i = 0; i < count; i++) {
		past_links |= events[i].kind != REACH_LINK;
		assert_false(past_links && events[i].kind == REACH_LINK);
		ear->failures += events[i].state == REACH_FAILED;
		assert_int_equal(reach_known_update(&ear->believed, &events[i]), 0);
		reach_event_format(&events[i], ear->text + ear->len);
		ear->len += strlen(ear->text + ear->len);
		strcpy(ear->text + ear->len++, "\n");
	}
}

bool has_heard(const struct ear *ear, const char *line)
{
	return ear->text && strstr(ear->text, line) != NULL;
}

void forget_text(struct ear *ear)
{
	free(ear->text);
	ear->text = NULL;
	ear->len = 0;
	ear->calls = 0;
	ear->failures = 0;
}

struct ear open_ear(const struct reach_options *options)
{
	struct ear ear = { 0 };

	assert_int_equal(reach_monitor_open(&ear.monitor, options), 0);
	assert_int_equal(reach_monitor_read(ear.monitor, hear, &ear), 0);
	return ear;
}

struct ear open_ear_for(const char *name)
{
	const struct reach_options options = { .interfaces = &name, .interface_count = 1 };

	return open_ear(&options);
}

void close_ear(struct ear *ear)
{
	reach_monitor_close(ear->monitor);
	reach_known_wipe(&ear->believed);
	free(ear->text);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wait_for(struct ear *ear, const char *line)
{
	int64_t start = now_ms(), left = EAR_DEADLINE_MS;

	while (!has_heard(ear, line)) {
		struct pollfd fd = { .fd = reach_monitor_fd(ear->monitor), .events = POLLIN };

		if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
			fail_msg("no '%s' in:\n%s", line, ear->text ? ear->text : "");
		assert_int_equal(reach_monitor_read(ear->monitor, hear, ear), 0);
		left = start + EAR_DEADLINE_MS - now_ms();
	}
	return now_ms() - start;
}

void read_all(struct ear *ear)
{
	assert_int_equal(reach_monitor_read(ear->monitor, hear, ear), 0);
}

int probe(struct ear *ear, const char *link, const char *address)
{
	uint8_t ip[REACH_IP_LEN];

	assert_int_equal(inet_pton(AF_INET6, address, ip), 1);
	return reach_monitor_probe(ear->monitor, (int)if_nametoindex(link), ip);
}

const char *line(char *text, const char *kind, const char *link, const char *rest)
{
	snprintf(text, REACH_TEXT_LEN, "%s %u %s\n", kind, if_nametoindex(link), rest);
	return text;
}

int in_a_child(int (*run)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		exit(run());
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
