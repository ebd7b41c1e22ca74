// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_file.h"
#include "libgroupkey/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64], path[128], mark[128];
static const struct gw_store_place place = { path, mark };
static char error[GW_STORE_ERROR];

static int set_up(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/test_store_file.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/state/gatewayd.db", top);
	snprintf(mark, sizeof(mark), "%s/lib/state.mark", top);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int tear_down(void **state)
{
	(void)state;
	umask(022);
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int try_open(enum gw_store_wish wish, struct gw_store **store)
{
	enum gw_store_found found;

	error[0] = '\0';
	return gw_store_open(&place, wish, store, &found, error, sizeof(error));
}

static struct gw_store *open_store(enum gw_store_wish wish)
{
	struct gw_store *store = NULL;
	int err = try_open(wish, &store);

	if (err)
		fail_msg("cannot open: %d %s", err, error);
	return store;
}

static int put(struct gw_store *store, const char *key, size_t len)
{
	static uint8_t value[1 << 16];
	struct gk_record records[] = {
		{ GK_TABLE_GROUP, gk_span_str(key), gk_span(value, len), false },
		{ GK_TABLE_BAN, gk_span_str(key), gk_span_str("banned"), false },
	};

	memset(value, 'v', sizeof(value));
	return gw_store_commit(store, records, 2);
}

static int count(void *ctx, const struct gk_record *record)
{
	(void)record;
	++*(int *)ctx;
	return 0;
}

static int count_records(struct gw_store *store)
{
	int counted = 0;

	assert_int_equal(gw_store_load(store, count, &counted), 0);
	return counted;
}

static void spoil(const char *name)
{
	int fd = open(name, O_WRONLY);

	assert_int_equal(pwrite(fd, "spoilt", 6, 0), 6);
	close(fd);
}

/*
 * Who may read them
 */

static int seen_files;

static int check_mode(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	mode_t mode = st->st_mode & 07777;

	(void)type;
	if (ftw->level == 0)
		return 0;
	seen_files++;
	if (mode != (S_ISDIR(st->st_mode) ? 0700 : 0600))
		fail_msg("%s: mode %o", name, (unsigned)mode);
	return 0;
}

static void all_that_is_ever_made_is_private_whatever_the_umask(void **state)
{
	(void)state;
	umask(0);
	struct gw_store *store = open_store(GW_STORE_AS_IS);
	assert_int_equal(put(store, "g", 10), 0);
	gw_store_close(store);
	// Moved away, made anew, and adopted.
	spoil(path);
	spoil(mark);
	store = open_store(GW_STORE_FRESH);
	assert_int_equal(put(store, "g", 10), 0);
	gw_store_close(store);
	assert_int_equal(unlink(mark), 0);
	unlink(strcat(strcpy(error, mark), "-journal"));
	store = open_store(GW_STORE_ADOPT);
	assert_int_equal(put(store, "g", 10), 0);
	assert_int_equal(nftw(top, check_mode, 8, FTW_PHYS), 0);
	assert_true(seen_files >= 8);
	gw_store_close(store);
}

static void a_mark_that_others_may_read_is_refused_and_no_wish_helps(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602 };
	(void)state;
	gw_store_close(open_store(GW_STORE_AS_IS));
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(chmod(mark, modes[i]), 0);
		for (enum gw_store_wish wish = GW_STORE_AS_IS; wish <= GW_STORE_FRESH; wish++) {
			struct gw_store *store = NULL;
			assert_int_equal(try_open(wish, &store), -EPERM);
			assert_memory_equal(error, mark, strlen(mark));
			assert_non_null(strstr(error, "chmod 600"));
		}
	}
}

/*
 * Where they are
 */

static void both_may_be_in_one_directory(void **state)
{
	(void)state;
	snprintf(mark, sizeof(mark), "%s/state/state.mark", top);
	for (int i = 0; i < 2; i++) {
		struct gw_store *store = open_store(GW_STORE_AS_IS);
		assert_int_equal(put(store, "g", 10), 0);
		gw_store_close(store);
	}
}

static void store_and_mark_are_two_files(void **state)
{
	struct gw_store *store = NULL;
	(void)state;
	snprintf(mark, sizeof(mark), "%s", path);
	assert_int_equal(try_open(GW_STORE_AS_IS, &store), -EINVAL);
	assert_non_null(strstr(error, "place of its own"));
}

static void a_mark_that_another_daemon_has_is_in_use(void **state)
{
	(void)state;
	struct gw_store *store = open_store(GW_STORE_AS_IS);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct gw_store *second = NULL;
		snprintf(path, sizeof(path), "%s/other/gatewayd.db", top);
		int err = try_open(GW_STORE_AS_IS, &second);
		_exit(err == -EBUSY && strncmp(error, mark, strlen(mark)) == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	gw_store_close(store);
}

static void where_no_mark_can_be_the_option_is_named(void **state)
{
	struct gw_store *store = NULL;
	(void)state;
	snprintf(mark, sizeof(mark), "%s/no/such/state.mark", top);
	assert_int_equal(try_open(GW_STORE_AS_IS, &store), -ENOENT);
	assert_memory_equal(error, mark, strlen(mark));
	assert_non_null(strstr(error, "the option 'mark'"));
}

// It would be played into what has the name then.
static void a_name_that_has_a_journal_is_not_taken(void **state)
{
	char name[160];
	struct stat st;
	(void)state;
	gw_store_close(open_store(GW_STORE_AS_IS));
	snprintf(name, sizeof(name), "%s.old-journal", path);
	close(open(name, O_WRONLY | O_CREAT, 0600));
	spoil(path);
	gw_store_close(open_store(GW_STORE_FRESH));
	snprintf(name, sizeof(name), "%s.old", path);
	assert_int_equal(lstat(name, &st), -1);
	snprintf(name, sizeof(name), "%s.old.1", path);
	assert_int_equal(lstat(name, &st), 0);
}

/*
 * A small file system of our own, in a process of its own: nobody else sees it
 */

static int in_own_mounts(void (*test)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("none", top, "tmpfs", 0, "size=256k,mode=700") != 0)
			_exit(77);
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void run_in_own_mounts(void (*test)(void))
{
	int status = in_own_mounts(test);

	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

// A child's way to fail: cmocka's jump would leave it with the parent's stack.
static void demand(bool holds, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold\n%s\n", __FILE__, line, error);
	_exit(1);
}

#define DEMAND(condition) demand((condition), __LINE__)

static void fill_disk(const char *name)
{
	char zeros[4096] = { 0 };
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	close(fd);
}

static void fill_up_and_make_room(void)
{
	char filler[96];
	struct gw_store *store = NULL;

	snprintf(filler, sizeof(filler), "%s/filler", top);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	for (int i = 0; i < 3; i++) {
		DEMAND(put(store, "g", 100) == 0);
		fill_disk(filler);
		DEMAND(put(store, "h", 60000) == -ENOSPC);
		DEMAND(put(store, "h", 60000) == -ENOSPC);
		DEMAND(count_records(store) == 2);
		DEMAND(unlink(filler) == 0);
		DEMAND(put(store, "h", 60000) == 0);
		DEMAND(count_records(store) == 4);
		struct gk_record gone[] = {
			{ GK_TABLE_GROUP, gk_span_str("h"), gk_span(NULL, 0), false },
			{ GK_TABLE_BAN, gk_span_str("h"), gk_span(NULL, 0), false },
		};
		DEMAND(gw_store_commit(store, gone, 2) == 0);
	}
	gw_store_close(store);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	DEMAND(count_records(store) == 2);
	gw_store_close(store);
}

static void a_full_disk_costs_nothing_once_there_is_room(void **state)
{
	(void)state;
	run_in_own_mounts(fill_up_and_make_room);
}

static void start_on_a_full_disk(void)
{
	struct gw_store *store = NULL;
	char filler[96];

	snprintf(filler, sizeof(filler), "%s/filler", top);
	fill_disk(filler);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == -ENOSPC);
	DEMAND(unlink(filler) == 0);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	DEMAND(put(store, "g", 100) == 0);
	gw_store_close(store);
	// One that is there needs no room to be opened.
	fill_disk(filler);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	DEMAND(count_records(store) == 2);
	gw_store_close(store);
}

static void a_full_disk_has_no_new_store_and_keeps_the_one_there_is(void **state)
{
	(void)state;
	run_in_own_mounts(start_on_a_full_disk);
}

static void open_read_only(void)
{
	struct gw_store *store = NULL;

	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	gw_store_close(store);
	DEMAND(mount(NULL, top, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == -EROFS);
	DEMAND(strstr(error, "written") || strstr(error, "Read-only"));
	DEMAND(mount(NULL, top, NULL, MS_REMOUNT, NULL) == 0);
	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	gw_store_close(store);
}

static void a_read_only_disk_is_called_so(void **state)
{
	(void)state;
	run_in_own_mounts(open_read_only);
}

static void lose_a_mark_in_memory(void)
{
	struct gw_store *store = NULL;

	DEMAND(try_open(GW_STORE_AS_IS, &store) == 0);
	gw_store_close(store);
	DEMAND(unlink(mark) == 0);
	unlink(strcat(strcpy(error, mark), "-journal"));
	DEMAND(try_open(GW_STORE_AS_IS, &store) == -ESTALE);
	DEMAND(strncmp(error, mark, strlen(mark)) == 0);
	DEMAND(strstr(error, "in memory") && strstr(error, "option 'mark'"));
	DEMAND(strstr(error, "--adopt") && strstr(error, "--fresh"));
}

static void a_mark_that_was_in_memory_is_refused_with_a_word_about_it(void **state)
{
	(void)state;
	run_in_own_mounts(lose_a_mark_in_memory);
}

static void a_mark_that_was_on_the_disk_is_not_said_to_be_in_memory(void **state)
{
	struct gw_store_report report = { mark, error, sizeof(error) };
	(void)state;
	gw_store_close(open_store(GW_STORE_AS_IS));
	if (gw_store_file_in_memory(&report))
		skip(); // the tests' own directory is
	struct gw_store *store = NULL;
	assert_int_equal(unlink(mark), 0);
	unlink(strcat(strcpy(error, mark), "-journal"));
	assert_int_equal(try_open(GW_STORE_AS_IS, &store), -ESTALE);
	assert_null(strstr(error, "memory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_that_is_ever_made_is_private_whatever_the_umask),
		TEST(a_mark_that_others_may_read_is_refused_and_no_wish_helps),
		TEST(both_may_be_in_one_directory),
		TEST(store_and_mark_are_two_files),
		TEST(a_mark_that_another_daemon_has_is_in_use),
		TEST(where_no_mark_can_be_the_option_is_named),
		TEST(a_name_that_has_a_journal_is_not_taken),
		TEST(a_full_disk_costs_nothing_once_there_is_room),
		TEST(a_full_disk_has_no_new_store_and_keeps_the_one_there_is),
		TEST(a_read_only_disk_is_called_so),
		TEST(a_mark_that_was_in_memory_is_refused_with_a_word_about_it),
		TEST(a_mark_that_was_on_the_disk_is_not_said_to_be_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
