// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/log.h"

static char heard[8192];

static void append_all(int fd)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, heard + len, sizeof(heard) - 1 - len)) > 0)
		len += (size_t)got;
	heard[len] = '\0';
	close(fd);
}

// Run 'speak' in a process of its own with stderr (or what it writes to 'fd') kept in 'heard'.
// @return its exit status
static int listen_to(void (*speak)(int fd))
{
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		dup2(fds[1], STDERR_FILENO);
		speak(fds[1]);
		_exit(0);
	}

	close(fds[1]);
	append_all(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// Take the time, "2026-11-21T18:12:38.123Z ", off the front of a line.
static const char *behind_time(const char *line)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; pattern[i]; i++) {
		bool fits = pattern[i] == 'd' ? line[i] >= '0' && line[i] <= '9'
					      : line[i] == pattern[i];
		if (!fits)
			fail_msg("no time in front: '%s'", line);
	}
	return line + sizeof(pattern) - 1;
}

static void say_one_of_each(int fd)
{
	(void)fd;
	errno = ENOENT;
	log_warn("store", "cannot open %s", "x");
	log_warnx("rekey", "group %s num %d", "g", 13);
	log_info("rekey", "told");
	log_debug("coap", "seen");
}

static void say_from_debug(int fd)
{
	log_open("test", LOG_LEVEL_DEBUG, false);
	say_one_of_each(fd);
}

static void say_from_warn(int fd)
{
	log_open("test", LOG_LEVEL_DEBUG, false);
	log_open("test", LOG_LEVEL_WARN, false);
	say_one_of_each(fd);
}

static void say_from_error(int fd)
{
	log_open("test", LOG_LEVEL_ERROR, false);
	say_one_of_each(fd);
}

static void the_level_decides_what_is_written(void **state)
{
	static const char *const lines[] = {
		"warn store: cannot open x: No such file or directory\n",
		"warn rekey: group g num 13\n",
		"info rekey: told\n",
		"debug coap: seen\n",
	};
	static const struct {
		void (*speak)(int fd);
		size_t lines;
	} rows[] = {
		{ say_one_of_each, 3 }, // nothing opened
		{ say_from_debug, 4 },
		{ say_from_warn, 2 },
		{ say_from_error, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(listen_to(rows[i].speak), 0);
		const char *at = heard;
		for (size_t j = 0; j < rows[i].lines; j++) {
			at = behind_time(at);
			if (strncmp(at, lines[j], strlen(lines[j])) != 0)
				fail_msg("row %zu: '%s', wanted '%s'", i, at, lines[j]);
			at += strlen(lines[j]);
		}
		assert_string_equal(at, "");
	}
}

static void say_into_nothing(int fd)
{
	(void)fd;
	close(STDERR_FILENO);
	errno = ENOENT;
	log_warn("store", "nobody hears");
	log_warnx("store", "nobody hears");
	_exit(errno == ENOENT ? 0 : 7);
}

static void errno_stays_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(listen_to(say_into_nothing), 0);
}

static void say_controls(int fd)
{
	(void)fd;
	log_warnx("coap", "name a\nb\x1b[2J\x7f\tz\xc3\xa9");
}

static void a_line_stays_one_line(void **state)
{
	(void)state;
	assert_int_equal(listen_to(say_controls), 0);
	assert_string_equal(behind_time(heard), "warn coap: name a?b?[2J??z\xc3\xa9\n");
}

static void say_long(int fd)
{
	static char text[5000];

	(void)fd;
	memset(text, 'x', sizeof(text) - 1);
	log_warnx("coap", "%s", text);
	log_warnx("coap", "%.*s", 1024 - 25 - (int)strlen("warn coap: "), text); // just fits
}

static void long_lines_are_cut_and_show_it(void **state)
{
	(void)state;
	assert_int_equal(listen_to(say_long), 0);

	char *end = strchr(heard, '\n');
	assert_non_null(end);
	assert_int_equal(end - heard, 1024 + 3);
	assert_memory_equal(end - 4, "x...", 4);

	char *second = end + 1;
	end = strchr(second, '\n');
	assert_non_null(end);
	assert_int_equal(end - second, 1024);
	assert_int_equal(end[-1], 'x');
}

static void say_fatal(int fd)
{
	(void)fd;
	log_open("test", LOG_LEVEL_ERROR, false);
	fatal("main", "cannot go on: %d", 5);
}

static void fatal_ends_with_status_1(void **state)
{
	(void)state;
	assert_int_equal(listen_to(say_fatal), 1);
	assert_string_equal(behind_time(heard), "error main: cannot go on: 5\n");
}

// A /dev/log of our own, in a mount namespace. Status 77: not permitted here.
static int open_dev_log(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int log = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (log < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) < 0 ||
	    bind(log, (struct sockaddr *)&address, sizeof(address)) < 0)
		_exit(77);
	return log;
}

static void copy_dev_log(int log, int fd)
{
	char line[256];

	for (;;) {
		ssize_t len = recv(log, line, sizeof(line), MSG_DONTWAIT);
		if (len <= 0)
			break;
		if (write(fd, line, strnlen(line, (size_t)len)) < 0 || write(fd, "\n", 1) < 0)
			_exit(8);
	}
}

static void say_to_syslog(int fd)
{
	int log = open_dev_log();

	log_open("gatewayd", LOG_LEVEL_INFO, true);
	log_warnx("rekey", "100%% of %s", "them\n");
	log_debug("rekey", "not this");
	copy_dev_log(log, fd);
}

// @return false: not permitted here
static bool listen_to_syslog(void (*say)(int fd), const char *test)
{
	int status = listen_to(say);

	if (status == 77) {
		print_message("%s: no mount namespace, skipped\n", test);
		return false;
	}
	assert_int_equal(status, 0);
	return true;
}

static void syslog_gets_facility_and_tag(void **state)
{
	(void)state;
	if (!listen_to_syslog(say_to_syslog, __func__))
		skip();
	// <28>: facility daemon (3 << 3), severity warning (4)
	assert_int_equal(strncmp(heard, "<28>", 4), 0);
	assert_non_null(strstr(heard, " gatewayd["));
	assert_non_null(strstr(heard, "]: rekey: 100% of them?"));
	assert_null(strstr(heard, "not this"));
}

static void say_here_and_there(int fd)
{
	int log = open_dev_log();

	log_open("gatewayd", LOG_LEVEL_INFO, false);
	log_info("test", "first");
	log_open("gatewayd", LOG_LEVEL_WARN, true);
	log_info("test", "second");
	log_warnx("test", "third");
	copy_dev_log(log, fd);
	log_open("gatewayd", LOG_LEVEL_DEBUG, false);
	log_debug("test", "fourth");
	log_open("gatewayd", LOG_LEVEL_INFO, true);
	log_info("test", "fifth");
	copy_dev_log(log, fd);
}

// Each line once, and where it belongs: those for syslog begin with the priority.
static void the_place_can_change_at_any_time(void **state)
{
	(void)state;
	if (!listen_to_syslog(say_here_and_there, __func__))
		skip();
	assert_non_null(strstr(heard, "info test: first\n"));
	assert_null(strstr(heard, "second"));
	assert_non_null(strstr(heard, "]: test: third\n"));
	assert_non_null(strstr(heard, "debug test: fourth\n"));
	assert_non_null(strstr(heard, "]: test: fifth\n"));
	assert_null(strstr(strstr(heard, "third") + 1, "third"));
	assert_null(strstr(strstr(heard, "fifth") + 1, "fifth"));
}

static void a_limit_lets_a_burst_through_and_then_one_a_second(void **state)
{
	static const struct {
		int64_t at_ms;
		bool allowed;
		unsigned dropped;
	} rows[] = {
		// the burst of three, then too many
		{ 5000, true, 0 },
		{ 5001, true, 0 },
		{ 5002, true, 0 },
		{ 5003, false, 0 },
		{ 5999, false, 0 },
		// one place comes back
		{ 6000, true, 2 },
		{ 6001, false, 0 },
		{ 6999, false, 0 },
		{ 7000, true, 2 },
		// two seconds later two have, at an even pace however late one asks
		{ 7999, false, 0 },
		{ 9500, true, 1 },
		{ 9501, true, 0 },
		{ 9502, false, 0 },
		{ 10000, true, 1 },
		// full again, and not more than that
		{ 60000, true, 0 },
		{ 60000, true, 0 },
		{ 60000, true, 0 },
		{ 60000, false, 0 },
		{ 60999, false, 0 },
		{ 61000, true, 2 },
	};
	struct log_limit limit = { .burst = 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned dropped = 0;
		bool allowed = log_allowed(&limit, rows[i].at_ms, &dropped);
		if (allowed != rows[i].allowed || dropped != rows[i].dropped)
			fail_msg("at %d ms: %d, %u dropped", (int)rows[i].at_ms, allowed, dropped);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_level_decides_what_is_written),
		cmocka_unit_test(errno_stays_as_it_was),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(long_lines_are_cut_and_show_it),
		cmocka_unit_test(fatal_ends_with_status_1),
		cmocka_unit_test(syslog_gets_facility_and_tag),
		cmocka_unit_test(the_place_can_change_at_any_time),
		cmocka_unit_test(a_limit_lets_a_burst_through_and_then_one_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
