// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/std.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_null_device(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev;
}

/* In a process whose descriptors in 'closed' (bits) are: is each as it should be? */
static int try_without(unsigned closed)
{
	int pipes[2];

	// No /dev/null, whatever this program was started with.
	if (pipe(pipes))
		return 1;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(pipes[1], fd);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (closed >> fd & 1)
			close(fd);
	}
	if (!io_std_open())
		return 2;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (is_null_device(fd) != (closed >> fd & 1))
			return 3;
	}
	// The one more that was opened is closed.
	int next = dup(0), beyond = dup(0);
	return next <= STDERR_FILENO || beyond != next + 1 ? 4 : 0;
}

static void what_is_closed_leads_to_nowhere_and_the_rest_stays(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		int status;
		fflush(NULL);
		pid_t child = fork();
		if (child == 0)
			_exit(try_without(closed));
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("without %u: status %d", closed, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_closed_leads_to_nowhere_and_the_rest_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
