// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include "tests/lib/hex.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_io_secret.XXXXXX";
static char path[64], draft[64];
static char error[IO_SECRET_ERROR];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/as.key", dir);
	snprintf(draft, sizeof(draft), "%s/as.key.new", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(draft);
	return 0;
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static size_t read_key(uint8_t *key)
{
	error[0] = '\0';
	return io_secret_read(path, key, 16, 16, true, error, sizeof(error));
}

static void a_made_key_is_private_and_can_be_read(void **state)
{
	uint8_t key[16], again[16];
	struct stat st;
	mode_t old = umask(0);

	(void)state;
	assert_true(io_secret_make(path, 16, error, sizeof(error)));
	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, 33);
	assert_int_equal(read_key(key), 16);
	assert_int_equal(access(draft, F_OK), -1);

	unlink(path);
	assert_true(io_secret_make(path, 16, error, sizeof(error)));
	assert_int_equal(read_key(again), 16);
	assert_memory_not_equal(key, again, 16);
}

static void a_key_that_is_there_stays(void **state)
{
	uint8_t key[16];

	(void)state;
	write_file(path, "000102030405060708090a0b0c0d0e0f\n", 33, 0600);
	assert_true(io_secret_make(path, 16, error, sizeof(error)));
	assert_int_equal(read_key(key), 16);
	assert_hex_equal(gk_span(key, 16), "000102030405060708090a0b0c0d0e0f");
}

static void what_an_interrupted_start_left_is_no_key(void **state)
{
	uint8_t key[16];

	(void)state;
	write_file(draft, "0001", 4, 0600);
	assert_true(io_secret_make(path, 16, error, sizeof(error)));
	assert_int_equal(read_key(key), 16);
	assert_int_equal(access(draft, F_OK), -1);
}

static void a_key_that_cannot_be_made_is_said(void **state)
{
	(void)state;
	assert_false(io_secret_make("/nonexistent/as.key", 16, error, sizeof(error)));
	assert_string_equal(error, "/nonexistent/as.key: No such file or directory");
}

static void only_one_line_of_hex_digits_is_a_key(void **state)
{
#define GOOD "000102030405060708090a0b0c0d0e0f"
#define ROW(text, good)                                                                            \
	{                                                                                          \
		text, sizeof(text) - 1, good                                                       \
	}
	static const struct {
		const char *text;
		size_t len;
		bool good;
	} rows[] = {
		ROW(GOOD, true), // a newline is not needed
		ROW(GOOD "\n", true),
		ROW("000102030405060708090A0B0C0D0E0F", true),
		ROW("", false),
		ROW("\n", false),
		ROW("000102030405060708090a0b0c0d0e", false),  // too short
		ROW("000102030405060708090a0b0c0d0e0", false), // half a byte
		ROW(GOOD "10", false),                         // too long
		ROW(GOOD "\n\n", false),                       // something behind
		ROW(" " GOOD, false),                          // something before
		ROW("0x0102030405060708090a0b0c0d0e0f", false),
		ROW("g00102030405060708090a0b0c0d0e0f", false),
		ROW("\0"
		    "00102030405060708090a0b0c0d0e0f",
		    false),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t key[16] = { 0xaa };
		write_file(path, rows[i].text, rows[i].len, 0600);
		size_t len = read_key(key);
		if (len != (rows[i].good ? 16 : 0))
			fail_msg("row %zu: %zu bytes, %s", i, len, error);
		if (!rows[i].good)
			assert_int_equal(key[0], 0xaa);
		if (!rows[i].good && !strstr(error, "must be one line of 16 to 16 bytes as hex"))
			fail_msg("row %zu: %s", i, error);
	}
}

static void a_key_that_others_can_touch_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0601 };
	uint8_t key[16];

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_file(path, GOOD, 32, modes[i]);
		assert_int_equal(read_key(key), 0);
		assert_non_null(strstr(error, "others than its owner"));
		assert_int_equal(io_secret_read(path, key, 16, 16, false, error, sizeof(error)),
				 16);
	}
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	uint8_t key[16];

	(void)state;
	assert_int_equal(io_secret_read("/nonexistent", key, 1, 16, false, error, sizeof(error)),
			 0);
	assert_string_equal(error, "/nonexistent: No such file or directory");
	assert_int_equal(io_secret_read(dir, key, 1, 16, false, error, sizeof(error)), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_key(key), 0);
	assert_non_null(strstr(error, "not a regular file"));
}

/* @return the text of a file in /proc, static */
static const char *read_proc(const char *name)
{
	static char text[8192];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static int guard_and_look(void)
{
	const char *limit;

	io_secret_guard();
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 1;
	limit = strstr(read_proc("/proc/self/limits"), "Max core file size");
	if (!limit || strncmp(limit + 18, "        0                    0 ", 31) != 0)
		return 2;
	return umask(077) == 077 ? 0 : 3;
}

/* In a process of its own, since this cannot be taken back. */
static void a_guarded_process_leaves_no_core_and_opens_nothing_to_others(void **state)
{
	struct rlimit limit = { .rlim_cur = 0 };
	int status;
	pid_t child;

	(void)state;
	getrlimit(RLIMIT_CORE, &limit);
	if (limit.rlim_max == 0)
		print_message("no core dumps here to begin with\n");
	child = fork();
	if (child == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_CORE, &limit);
		umask(0);
		_exit(guard_and_look());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_made_key_is_private_and_can_be_read),
		TEST(a_key_that_is_there_stays),
		TEST(what_an_interrupted_start_left_is_no_key),
		TEST(a_key_that_cannot_be_made_is_said),
		TEST(only_one_line_of_hex_digits_is_a_key),
		TEST(a_key_that_others_can_touch_is_refused),
		TEST(what_is_no_file_is_refused_at_once),
		TEST(a_guarded_process_leaves_no_core_and_opens_nothing_to_others),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
