// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_io_dir.XXXXXX";

/* In the place of libc's: what was synced, and whether that fails. */
static struct stat synced;
static unsigned syncs;
static int sync_errno;

int fsync(int fd)
{
	syncs++;
	assert_int_equal(fstat(fd, &synced), 0);
	errno = sync_errno;
	return sync_errno ? -1 : 0;
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int begin(void **state)
{
	(void)state;
	syncs = 0;
	sync_errno = 0;
	return 0;
}

static void the_directory_of_a_file_is_what_is_in_front_of_its_name(void **state)
{
	static const struct {
		const char *path, *dir;
	} rows[] = {
		{ "/var/lib/gatewayd/gatewayd.db", "/var/lib/gatewayd" },
		{ "/var/lib/gatewayd/", "/var/lib/gatewayd" }, // its name is empty
		{ "/mark", "/" },
		{ "/", "/" },
		{ "/run/../mark", "/run/.." },
		{ "state/mark", "state" },
		{ "mark", "." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[PATH_MAX];

		assert_true(io_dir_of(rows[i].path, got, sizeof(got)));
		assert_string_equal(got, rows[i].dir);
	}
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	char got[6] = "x";

	(void)state;
	assert_false(io_dir_of("/a/bcd", got, sizeof(got)));
	assert_string_equal(got, "x");
	assert_true(io_dir_of("/a/bc", got, sizeof(got)));
	assert_string_equal(got, "/a");
}

static void what_is_synced_is_the_directory(void **state)
{
	char path[64];
	struct stat want;

	(void)state;
	snprintf(path, sizeof(path), "%s/not-there", dir); // it was removed, say
	assert_int_equal(stat(dir, &want), 0);
	assert_int_equal(io_dir_sync_of(path), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(synced.st_ino, want.st_ino);
	assert_int_equal(synced.st_dev, want.st_dev);
	assert_int_equal(stat(".", &want), 0);
	assert_int_equal(io_dir_sync("."), 0);
	assert_int_equal(synced.st_ino, want.st_ino);
}

static void a_sync_that_fails_is_told_and_leaves_no_descriptor(void **state)
{
	char path[64], longest[2 * PATH_MAX] = "";
	int next = dup(0);

	(void)state;
	close(next);
	snprintf(path, sizeof(path), "%s/file", dir);
	sync_errno = EIO;
	assert_int_equal(io_dir_sync_of(path), -1);
	assert_int_equal(errno, EIO);
	snprintf(path, sizeof(path), "%s/none/file", dir);
	assert_int_equal(io_dir_sync_of(path), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(io_dir_sync_of("/dev/null/file"), -1);
	assert_int_equal(errno, ENOTDIR);
	memset(longest, 'a', sizeof(longest) - 1);
	assert_int_equal(io_dir_sync_of(longest), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(syncs, 1);
	assert_int_equal(dup(0), next);
	close(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_of_a_file_is_what_is_in_front_of_its_name),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test_setup(what_is_synced_is_the_directory, begin),
		cmocka_unit_test_setup(a_sync_that_fails_is_told_and_leaves_no_descriptor, begin),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
