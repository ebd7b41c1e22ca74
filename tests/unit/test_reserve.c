// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * docs/state.md section 7, on file systems whose room is a number here; and on a small one in
 * memory that is really filled, where we may mount.
 */
#include "gatewayd/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB INT64_C(1024)

static char dir[] = "/tmp/test_reserve.XXXXXX";
static char state_dir[64], mark_path[64], file[80];
static struct gw_reserve reserve;
static int64_t now_ms;

/*
 * The world: calls of the C library that look at a file system, or set blocks aside.
 */

static struct {
	bool real;
	int64_t room, mark_room; /* -1: no size is known */
	unsigned long flags, mark_flags;
	int err;       /* of statvfs() */
	int fallocate; /* its error; 0: it works */
	unsigned fallocates;
	bool no_blocks; /* it counts none */
	bool apart;     /* the mark is on another file system */
} world;

static int look_at_real(const char *path, struct statvfs *fs)
{
	struct statfs real;

	if (statfs(path, &real) != 0)
		return -1;
	*fs = (struct statvfs){ .f_frsize = (unsigned long)real.f_bsize,
				.f_blocks = real.f_blocks,
				.f_bfree = real.f_bfree,
				.f_bavail = real.f_bavail,
				.f_flag = real.f_flags & 1 ? ST_RDONLY : 0 };
	return 0;
}

int statvfs(const char *path, struct statvfs *fs)
{
	bool mark = strcmp(path, state_dir) != 0;
	int64_t room = mark && world.apart ? world.mark_room : world.room;

	if (world.real)
		return look_at_real(path, fs);
	errno = world.err;
	*fs = (struct statvfs){ .f_frsize = 1024, .f_flag = mark ? world.mark_flags : world.flags };
	if (room >= 0) {
		fs->f_blocks = 1u << 20;
		fs->f_bfree = fs->f_bavail = (fsblkcnt_t)(room / 1024);
	}
	// What root may use, others may not, or the other way round: only one of the two counts.
	*(geteuid() == 0 ? &fs->f_bavail : &fs->f_bfree) = 0;
	return world.err ? -1 : 0;
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	assert_int_equal(mode, 0);
	world.fallocates++;
	errno = world.fallocate ? world.fallocate : posix_fallocate(fd, offset, len);
	return errno ? -1 : 0;
}

int stat(const char *path, struct stat *st)
{
	int err = fstatat(AT_FDCWD, path, st, 0);

	if (world.apart && strcmp(path, state_dir) != 0)
		st->st_dev++;
	return err;
}

int lstat(const char *path, struct stat *st)
{
	int err = fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);

	if (world.no_blocks)
		st->st_blocks = 0;
	return err;
}

/*
 * Set-up
 */

static int begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.room = world.mark_room = 10 * 1024 * KIB;
	now_ms = 1000000;
	return gw_reserve_open(&reserve, state_dir, mark_path);
}

static int end(void **state)
{
	(void)state;
	gw_reserve_close(&reserve);
	unlink(file);
	return 0;
}

static enum gk_storage look_now(void)
{
	return gw_reserve_look(&reserve, (struct gk_mono){ now_ms });
}

static enum gk_storage look_later(int64_t ms)
{
	now_ms += ms;
	return look_now();
}

static bool is_there(void)
{
	struct stat st;

	return lstat(file, &st) == 0;
}

/*
 * Making it
 */

static void the_reserve_takes_its_room_and_is_private(void **state)
{
	static const int errors[] = { 0, EOPNOTSUPP };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct stat st;
		mode_t old = umask(0);
		world.fallocate = errors[i];
		assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
		umask(old);
		assert_int_equal(lstat(file, &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
		assert_int_equal(st.st_size, GW_RESERVE_BYTES);
		assert_true(st.st_blocks * 512 >= (blkcnt_t)GW_RESERVE_BYTES);
		unlink(file);
	}
}

/* A file system that compresses would keep next to nothing of zeros. */
static void where_blocks_cannot_be_set_aside_it_does_not_compress(void **state)
{
	static uint8_t bytes[GW_RESERVE_BYTES];
	unsigned counts[256] = { 0 };
	int fd;

	(void)state;
	world.fallocate = EOPNOTSUPP;
	look_now();
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	for (size_t i = 0; i < sizeof(bytes); i++)
		counts[bytes[i]]++;
	for (size_t i = 0; i < 256; i++)
		assert_in_range(counts[i], 256, 1024); // 512 each, more or less
	assert_memory_not_equal(bytes, bytes + sizeof(bytes) / 2, sizeof(bytes) / 2);
}

static void one_that_is_there_is_left_alone(void **state)
{
	struct stat before, after;

	(void)state;
	look_now();
	lstat(file, &before);
	world.fallocates = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	gw_reserve_close(&reserve);
	assert_int_equal(gw_reserve_open(&reserve, state_dir, mark_path), 0);
	assert_int_equal(look_now(), GK_STORAGE_GOOD);
	lstat(file, &after);
	assert_int_equal(world.fallocates, 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void one_that_was_not_finished_is_made_anew(void **state)
{
	static const off_t lengths[] = { 0, 1000, GW_RESERVE_BYTES }; // the last is all hole

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct stat st;
		end(NULL);
		begin(NULL);
		int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		assert_int_equal(ftruncate(fd, lengths[i]), 0);
		close(fd);
		assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
		assert_int_equal(lstat(file, &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
		assert_true(st.st_blocks * 512 >= (blkcnt_t)GW_RESERVE_BYTES);
		unlink(file);
	}
}

static void one_that_was_cut_is_made_anew(void **state)
{
	struct stat st;

	(void)state;
	look_now();
	assert_int_equal(truncate(file, GW_RESERVE_BYTES - 1), 0);
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	assert_int_equal(lstat(file, &st), 0);
	assert_int_equal(st.st_size, GW_RESERVE_BYTES);
}

static void where_no_blocks_are_counted_it_is_made_once(void **state)
{
	(void)state;
	world.no_blocks = true;
	for (int i = 0; i < 100; i++)
		assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	assert_int_equal(world.fallocates, 1);
}

static void what_is_put_in_its_place_is_not_followed(void **state)
{
	char target[80];
	struct stat st;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, file), 0);
	assert_int_equal(look_now(), GK_STORAGE_GOOD);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

/* Each try may cost writes. */
static void what_cannot_be_made_is_tried_once_a_minute(void **state)
{
	(void)state;
	world.fallocate = EDQUOT;
	for (int s = 0; s < 180; s++) {
		assert_int_equal(look_later(1000), GK_STORAGE_SCARCE);
		assert_false(is_there());
	}
	assert_int_equal(world.fallocates, 3);
	world.fallocate = 0;
	assert_int_equal(look_later(60000), GK_STORAGE_GOOD);
	assert_true(is_there());
}

/*
 * Levels
 */

static void the_level_follows_the_room(void **state)
{
	static const struct {
		int64_t room_kib;
		bool reserved; /* it is there before */
		enum gk_storage level;
		bool made;
	} rows[] = {
		{ 10000, false, GK_STORAGE_GOOD, true },
		{ 192, false, GK_STORAGE_GOOD, true }, // what it takes, and what commits need
		{ 191, false, GK_STORAGE_SCARCE, false },
		{ 64, false, GK_STORAGE_SCARCE, false }, // commits alone would fit
		{ 16, false, GK_STORAGE_SCARCE, false },
		{ 15, false, GK_STORAGE_NONE, false },
		{ 0, false, GK_STORAGE_NONE, false },
		{ 10000, true, GK_STORAGE_GOOD, true },
		{ 64, true, GK_STORAGE_GOOD, true },
		{ 63, true, GK_STORAGE_SCARCE, true },
		{ 0, true, GK_STORAGE_SCARCE, true },
		{ -1, false, GK_STORAGE_GOOD, true }, // a file system without a size
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		end(NULL);
		begin(NULL);
		if (rows[i].reserved)
			look_now();
		world.room = rows[i].room_kib * 1024;
		enum gk_storage level = look_later(1000);
		if (level != rows[i].level || is_there() != rows[i].made)
			fail_msg("row %zu: level %d, %s", i, (int)level,
				 is_there() ? "made" : "not made");
	}
}

static void a_level_does_not_flap(void **state)
{
	(void)state;
	look_now();
	world.room = 63 * KIB;
	assert_int_equal(look_later(1000), GK_STORAGE_SCARCE);
	world.room = 127 * KIB;
	assert_int_equal(look_later(1000), GK_STORAGE_SCARCE);
	world.room = 128 * KIB;
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);

	// Likewise with one that has to be made.
	world.room = 0;
	look_later(1000);
	assert_true(gw_reserve_give_up(&reserve, -ENOSPC));
	world.room = 255 * KIB;
	assert_int_equal(look_later(1000), GK_STORAGE_SCARCE);
	assert_false(is_there());
	world.room = 256 * KIB;
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	assert_true(is_there());
}

static void a_file_system_that_is_read_only_or_gone_takes_nothing(void **state)
{
	(void)state;
	look_now();
	world.flags = ST_RDONLY;
	assert_int_equal(look_later(1000), GK_STORAGE_NONE);
	world.flags = 0;
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	world.mark_flags = ST_RDONLY;
	assert_int_equal(look_later(1000), GK_STORAGE_NONE);
	world.mark_flags = 0;
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	world.err = EIO;
	assert_int_equal(look_later(1000), GK_STORAGE_NONE);
	world.err = 0;
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
}

/* The reserve is no room for a mark that is elsewhere. */
static void the_mark_needs_room_of_its_own(void **state)
{
	static const struct {
		bool apart;
		int64_t room_kib, mark_kib;
		enum gk_storage level;
	} rows[] = {
		{ false, 10000, 0, GK_STORAGE_GOOD },   { true, 10000, 64, GK_STORAGE_GOOD },
		{ true, 10000, 63, GK_STORAGE_SCARCE }, { true, 10000, 16, GK_STORAGE_SCARCE },
		{ true, 10000, 15, GK_STORAGE_NONE },   { true, 0, 10000, GK_STORAGE_SCARCE },
		{ true, 0, 15, GK_STORAGE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		end(NULL);
		begin(NULL);
		look_now();
		world.apart = rows[i].apart;
		world.room = rows[i].room_kib * KIB;
		world.mark_room = rows[i].mark_kib * KIB;
		enum gk_storage level = look_later(1000);
		if (level != rows[i].level)
			fail_msg("row %zu: level %d", i, (int)level);
	}
}

static void the_level_is_looked_at_once_a_second(void **state)
{
	(void)state;
	look_now();
	world.room = 0;
	assert_int_equal(look_later(999), GK_STORAGE_GOOD);
	assert_int_equal(look_later(1), GK_STORAGE_SCARCE);
}

/*
 * Giving it up
 */

static void it_is_given_up_once_and_for_want_of_room_alone(void **state)
{
	static const int others[] = { -EIO, -EROFS, -ENOMEM, -EUCLEAN };

	(void)state;
	look_now();
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(gw_reserve_give_up(&reserve, others[i]));
	assert_true(is_there());
	assert_true(gw_reserve_give_up(&reserve, -ENOSPC));
	assert_false(is_there());
	assert_int_equal(look_now(), GK_STORAGE_SCARCE); // at once
	assert_false(gw_reserve_give_up(&reserve, -ENOSPC));

	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	assert_true(gw_reserve_give_up(&reserve, -EDQUOT));
}

/*
 * A file system that is really full
 */

static int write_until_full(const char *path)
{
	static const uint8_t bytes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int written = 0;

	while (write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		written++;
	close(fd);
	return written * (int)sizeof(bytes);
}

static bool mount_small(void)
{
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("test", state_dir, "tmpfs", 0, "size=1m") == 0;
}

static void on_a_full_file_system_the_reserve_is_the_room_that_is_left(void **state)
{
	char filler[96], more[96];

	(void)state;
	if (unshare(CLONE_NEWNS) != 0 || !mount_small())
		skip();
	world.real = true;
	snprintf(filler, sizeof(filler), "%s/filler", state_dir);
	snprintf(more, sizeof(more), "%s/more", state_dir);
	assert_int_equal(look_now(), GK_STORAGE_GOOD);
	write_until_full(filler);
	assert_int_equal(look_later(1000), GK_STORAGE_SCARCE);
	assert_int_equal(write_until_full(more), 0);
	assert_true(gw_reserve_give_up(&reserve, -ENOSPC));
	assert_int_equal(write_until_full(more), GW_RESERVE_BYTES);
	assert_int_equal(look_later(1000), GK_STORAGE_NONE);
	unlink(filler);
	assert_int_equal(look_later(1000), GK_STORAGE_GOOD);
	assert_true(is_there());
	if (mount("test", state_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		assert_int_equal(look_later(1000), GK_STORAGE_NONE);
	umount2(state_dir, MNT_DETACH);
}

static int make_dirs(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	snprintf(mark_path, sizeof(mark_path), "%s/NAME.mark", dir);
	snprintf(file, sizeof(file), "%s/reserve", state_dir);
	return mkdir(state_dir, 0700);
}

static int remove_dirs(void **state)
{
	(void)state;
	rmdir(state_dir);
	return rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_reserve_takes_its_room_and_is_private),
		TEST(where_blocks_cannot_be_set_aside_it_does_not_compress),
		TEST(one_that_is_there_is_left_alone),
		TEST(one_that_was_not_finished_is_made_anew),
		TEST(one_that_was_cut_is_made_anew),
		TEST(where_no_blocks_are_counted_it_is_made_once),
		TEST(what_is_put_in_its_place_is_not_followed),
		TEST(what_cannot_be_made_is_tried_once_a_minute),
		TEST(the_level_follows_the_room),
		TEST(a_level_does_not_flap),
		TEST(a_file_system_that_is_read_only_or_gone_takes_nothing),
		TEST(the_mark_needs_room_of_its_own),
		TEST(the_level_is_looked_at_once_a_second),
		TEST(it_is_given_up_once_and_for_want_of_room_alone),
		TEST(on_a_full_file_system_the_reserve_is_the_room_that_is_left),
	};

	return cmocka_run_group_tests(tests, make_dirs, remove_dirs);
}
