// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_file.h"
#include "io/dir.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OLD_NAMES_MAX 1000 /* files of one name that were moved away, and nobody looks after */

/*
 * Messages
 */

int gw_store_fail(const struct gw_store_report *report, int err, const char *format, ...)
{
	char text[GW_STORE_ERROR];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(report->error, report->size, "%s: %s", report->path, text);
	return err;
}

void gw_store_say_more(const struct gw_store_report *report, const char *format, ...)
{
	size_t len = strnlen(report->error, report->size);
	va_list args;

	va_start(args, format);
	vsnprintf(report->error + len, report->size - len, format, args);
	va_end(args);
}

static int fail_errno(const struct gw_store_report *report, const char *what)
{
	int err = errno == EDQUOT ? -ENOSPC : -errno;

	return gw_store_fail(report, err, "%s: %s", what, strerror(errno));
}

/*
 * The directory
 */

int gw_store_file_check_path(const struct gw_store_report *report)
{
	const char *path = report->path;

	if (path[0] != '/' || path[strlen(path) - 1] == '/')
		return gw_store_fail(report, -EINVAL, "not the absolute path of a file");
	if (strlen(path) >= PATH_MAX)
		return gw_store_fail(report, -ENAMETOOLONG, "longer than a path can be");
	return 0;
}

// Fits: gw_store_file_check_path().
static void put_parent(const char *path, char *dir)
{
	(void)io_dir_of(path, dir, GW_STORE_PATH);
}

static int make_dir(const struct gw_store_report *report, const char *dir)
{
	bool made = mkdir(dir, 0700) == 0;

	if (!made && errno != EEXIST)
		return fail_errno(report, "cannot make its directory");
	// Also if it is there already: who made it may have been killed before this.
	if (io_dir_sync_of(dir) != 0 && (made || errno != EACCES))
		return fail_errno(report, "cannot sync the parent directory");
	return 0;
}

// That nobody else can put a file of theirs in the place of ours.
static int check_dir(const struct gw_store_report *report, const char *dir, const struct stat *st)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return gw_store_fail(report, -EPERM, "its directory belongs to another user: %s",
				     dir);
	if (st->st_mode & 022)
		return gw_store_fail(report, -EPERM,
				     "others may write to its directory: chmod go-w %s", dir);
	return 0;
}

static bool is_same(int fd, const struct stat *st)
{
	struct stat other;

	return fd >= 0 && fstat(fd, &other) == 0 && other.st_dev == st->st_dev &&
	       other.st_ino == st->st_ino;
}

int gw_store_dir_enter(const struct gw_store_report *report, int locked, int *dir)
{
	char path[GW_STORE_PATH];
	struct stat st;

	put_parent(report->path, path);
	int err = make_dir(report, path);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(report, "cannot open its directory");
	if (fstat(fd, &st) != 0)
		err = fail_errno(report, "cannot look at its directory");
	else
		err = check_dir(report, path, &st);
	if (!err && !is_same(locked, &st) && flock(fd, LOCK_EX | LOCK_NB) != 0)
		err = gw_store_fail(report, -EBUSY, "in use by another gatewayd that is starting");
	if (err)
		close(fd);
	else
		*dir = fd;
	return err;
}

void gw_store_dir_leave(int dir)
{
	if (dir >= 0)
		close(dir);
}

bool gw_store_file_in_memory(const struct gw_store_report *report)
{
	char dir[GW_STORE_PATH];
	struct statfs st;

	put_parent(report->path, dir);
	if (statfs(dir, &st))
		return false;
	// Of 32 bits, signed here and unsigned there, or wider.
	uint32_t type = (uint32_t)st.f_type;

	return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

/*
 * The file
 */

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void put_journal(const char *path, char *journal)
{
	snprintf(journal, GW_STORE_PATH, "%s-journal", path);
}

/*
 * A journal without its file says that one was here. An empty one does nothing to a new file, any
 * other would be played into it.
 */
static int check_journal(const struct gw_store_report *report)
{
	char journal[GW_STORE_PATH];
	struct stat st;

	put_journal(report->path, journal);
	if (lstat(journal, &st) != 0)
		return 0;
	return gw_store_fail(report, st.st_size == 0 ? -ENOENT : -EUCLEAN,
			     "missing, but %s is here", journal);
}

/*
 * Who was here before may have been killed between a commit, or a rename, and the sync behind it.
 * We shall take it for done: so it must not be undone by a power cut later.
 */
static bool settle(const struct gw_store_report *report)
{
	char journal[GW_STORE_PATH];
	int fd, rc = 0;

	put_journal(report->path, journal);
	fd = open(journal, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return false;
	if (fd >= 0) {
		rc = fsync(fd);
		close(fd);
	}
	return rc == 0 && io_dir_sync_of(report->path) == 0;
}

int gw_store_file_look(const struct gw_store_report *report, bool *there)
{
	struct stat st;

	*there = lstat(report->path, &st) == 0;
	if (!*there && errno != ENOENT)
		return fail_errno(report, "cannot look at it");
	if (!*there)
		return check_journal(report);
	if (!settle(report))
		return fail_errno(report, "cannot be synced");
	if (!S_ISREG(st.st_mode))
		return gw_store_fail(report, -EUCLEAN, "not a file");
	if (st.st_uid != geteuid())
		return gw_store_fail(report, -EPERM, "belongs to another user");
	if (st.st_mode & 077)
		return gw_store_fail(report, -EPERM, "others may read or write it: chmod 600");
	// SQLite takes an empty file for an empty database, and ours is never made so.
	if (st.st_size == 0)
		return gw_store_fail(report, -EUCLEAN, "damaged: the file is empty");
	return 0;
}

int gw_store_file_check_size(const struct gw_store_report *report, int64_t size)
{
	struct stat st;

	if (lstat(report->path, &st) != 0)
		return fail_errno(report, "cannot look at it");
	if (st.st_size != size)
		return gw_store_fail(report, -EUCLEAN, "damaged, its length should be %lld",
				     (long long)size);
	return 0;
}

int gw_store_file_begin(const struct gw_store_report *report, char *made, int *fd)
{
	snprintf(made, GW_STORE_PATH, "%s.new", report->path);
	if (unlink(made) != 0 && errno != ENOENT)
		return fail_errno(report, "cannot be made anew");
	*fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *fd < 0 ? fail_errno(report, "cannot be made") : 0;
}

int gw_store_file_finish(const struct gw_store_report *report, const char *made, int fd,
			 const char *name)
{
	int err = 0;

	if (fsync(fd) != 0 || rename(made, name) != 0 || io_dir_sync_of(name) != 0)
		err = fail_errno(report, "cannot be made");
	close(fd);
	if (err)
		unlink(made);
	return err;
}

void gw_store_file_drop(const char *made, int fd)
{
	close(fd);
	unlink(made);
}

/*
 * Moving away
 */

// Free of a journal too: one that belongs to another file would be played into this one.
static bool put_old_name(const char *path, char *name)
{
	char journal[GW_STORE_PATH];

	for (int i = 0; i < OLD_NAMES_MAX; i++) {
		snprintf(name, GW_STORE_PATH, i == 0 ? "%s.old" : "%s.old.%d", path, i);
		snprintf(journal, sizeof(journal), "%.*s-journal", PATH_MAX + 16, name);
		if (!exists(name) && !exists(journal))
			return true;
	}
	errno = EEXIST;
	return false;
}

static int move(const char *from, const char *to)
{
	return rename(from, to) == 0 || errno == ENOENT ? 0 : -1;
}

// The file before its journal: without that it would look whole, and be half a transaction.
int gw_store_file_move_away(const struct gw_store_report *report)
{
	char to[GW_STORE_PATH], journal[GW_STORE_PATH], journal_to[GW_STORE_PATH];

	if (!put_old_name(report->path, to))
		return fail_errno(report, "cannot be moved away");
	put_journal(report->path, journal);
	snprintf(journal_to, sizeof(journal_to), "%.*s-journal", PATH_MAX + 16, to);
	if (move(report->path, to) != 0 || io_dir_sync_of(to) != 0 ||
	    move(journal, journal_to) != 0 || io_dir_sync_of(to) != 0)
		return fail_errno(report, "cannot be moved away");
	return 0;
}

void gw_store_file_fresh_name(const struct gw_store_report *report, char *name)
{
	snprintf(name, GW_STORE_PATH, "%s.fresh", report->path);
}

int gw_store_file_take_fresh(const struct gw_store_report *report)
{
	char fresh[GW_STORE_PATH];

	gw_store_file_fresh_name(report, fresh);
	if (!exists(fresh))
		return 0;
	// It was put back meanwhile.
	if (exists(report->path))
		return unlink(fresh) == 0 ? 0 : fail_errno(report, "cannot be begun anew");
	// A journal that stayed.
	int err = gw_store_file_move_away(report);
	if (!err && (rename(fresh, report->path) != 0 || io_dir_sync_of(report->path) != 0))
		err = fail_errno(report, "cannot be begun anew");
	return err;
}
