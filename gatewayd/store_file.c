// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file in the making has a name that nobody reads: no journal, which could outlive it. */
static const char create_sql[] = "PRAGMA journal_mode=OFF;"
				 "PRAGMA synchronous=FULL;"
				 "BEGIN;" GW_STORE_SCHEMA ";"
				 "PRAGMA application_id=" GW_STORE_APPLICATION_ID ";"
				 "PRAGMA user_version=" GW_STORE_VERSION ";"
				 "COMMIT;";

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

static const struct {
	int code;
	int err;
} codes[] = {
	{ SQLITE_OK, 0 },
	{ SQLITE_FULL, -ENOSPC },
	{ SQLITE_READONLY, -EROFS },
	{ SQLITE_NOMEM, -ENOMEM },
	{ SQLITE_BUSY, -EBUSY },
	{ SQLITE_LOCKED, -EBUSY },
	{ SQLITE_CORRUPT, -EUCLEAN },
	{ SQLITE_NOTADB, -EUCLEAN },
	{ SQLITE_PERM, -EACCES },
	{ SQLITE_CANTOPEN, -EACCES },
	{ SQLITE_TOOBIG, -E2BIG },
};

int gw_store_err(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == (code & 0xff))
			return codes[i].err;
	}
	return -EIO;
}

int gw_store_fail_sqlite(const struct gw_store_report *report, sqlite3 *db, int code)
{
	int err = gw_store_err(code);

	if (err == -EBUSY)
		return gw_store_fail(report, err, "in use by another gatewayd");
	return gw_store_fail(report, err, "%s%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(code),
			     err == -EUCLEAN ? GW_STORE_WAY_OUT : "");
}

static int fail_errno(const struct gw_store_report *report, const char *what)
{
	int err = -errno;

	return gw_store_fail(report, err, "%s: %s", what, strerror(-err));
}

/*
 * The directory
 */

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	int rc = fsync(fd);
	close(fd);
	return rc;
}

// The directory that 'path' is in, or, called with that, the one above.
static void put_parent(const char *path, char *dir)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	memcpy(dir, path, len);
	dir[len] = '\0';
	if (len == 0)
		strcpy(dir, "/");
}

static int make_dir(const struct gw_store_report *report, const char *dir)
{
	char parent[PATH_MAX];

	if (mkdir(dir, 0700) != 0)
		return errno == EEXIST ? 0 : fail_errno(report, "cannot make its directory");
	put_parent(dir, parent);
	return sync_dir(parent) == 0 ? 0 : fail_errno(report, "cannot sync the parent directory");
}

/*
 * Make the directory if need be, and lock it: what is done in it before SQLite has its own lock is
 * done by one process at a time. Sets *fd, to be closed by the caller.
 */
static int enter_dir(const struct gw_store_report *report, const char *dir, int *fd)
{
	struct stat st;
	int err = make_dir(report, dir);
	if (err)
		return err;

	int opened = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opened < 0)
		return fail_errno(report, "cannot open its directory");
	if (fstat(opened, &st) != 0)
		err = fail_errno(report, "cannot look at its directory");
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		err = gw_store_fail(report, -EPERM, "its directory belongs to another user: %s",
				    dir);
	else if (st.st_mode & 022)
		err = gw_store_fail(report, -EPERM,
				    "others may write to its directory: chmod go-w %s", dir);
	else if (flock(opened, LOCK_EX | LOCK_NB) != 0)
		err = gw_store_fail(report, -EBUSY, "in use by another gatewayd that is starting");
	if (err)
		close(opened);
	else
		*fd = opened;
	return err;
}

/*
 * The file
 */

static int write_schema(const struct gw_store_report *report, const char *path)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	int err = 0;

	if (code == SQLITE_OK)
		code = sqlite3_exec(db, create_sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		err = gw_store_fail_sqlite(report, db, code);
	if (sqlite3_close(db) != SQLITE_OK && !err)
		err = gw_store_fail(report, -EIO, "cannot be made");
	return err;
}

/*
 * Under another name first: a store that was begun and not finished must not look like one that
 * lost its content. The mode is right from the first byte.
 */
static int create_file(const struct gw_store_report *report, int dir)
{
	char made[PATH_MAX + 4];

	snprintf(made, sizeof(made), "%s.new", report->path);
	if (unlink(made) != 0 && errno != ENOENT)
		return fail_errno(report, "cannot be made anew");
	int fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(report, "cannot be made");

	int err = write_schema(report, made);
	if (!err && (fsync(fd) != 0 || rename(made, report->path) != 0 || fsync(dir) != 0))
		err = fail_errno(report, "cannot be made");
	close(fd);
	if (err)
		unlink(made);
	return err;
}

// A journal without its store says that one was here: beginning anew needs the operator's word.
static int check_journal(const struct gw_store_report *report)
{
	char journal[PATH_MAX + 8];
	struct stat st;

	snprintf(journal, sizeof(journal), "%s-journal", report->path);
	if (lstat(journal, &st) == 0)
		return gw_store_fail(report, -EUCLEAN,
				     "missing, but %s is here; move that away too to begin anew",
				     journal);
	return 0;
}

static int check_file(const struct gw_store_report *report, int dir)
{
	struct stat st;

	if (lstat(report->path, &st) != 0) {
		if (errno != ENOENT)
			return fail_errno(report, "cannot look at it");
		int err = check_journal(report);
		return err ? err : create_file(report, dir);
	}
	if (!S_ISREG(st.st_mode))
		return gw_store_fail(report, -EUCLEAN, "not a file");
	if (st.st_uid != geteuid())
		return gw_store_fail(report, -EPERM, "belongs to another user");
	if (st.st_mode & 077)
		return gw_store_fail(report, -EPERM, "others may read or write it: chmod 600");
	// SQLite takes an empty file for an empty database, and ours is never made so.
	if (st.st_size == 0)
		return gw_store_fail(report, -EUCLEAN, "damaged: the file is empty%s",
				     GW_STORE_WAY_OUT);
	return 0;
}

int gw_store_enter(const struct gw_store_report *report, int *dir)
{
	char path[PATH_MAX];
	int fd = -1;

	if (report->path[0] != '/' || report->path[strlen(report->path) - 1] == '/')
		return gw_store_fail(report, -EINVAL, "not the absolute path of a file");
	if (strlen(report->path) >= sizeof(path))
		return gw_store_fail(report, -ENAMETOOLONG, "longer than a path can be");
	put_parent(report->path, path);

	int err = enter_dir(report, path, &fd);
	if (err)
		return err;
	err = check_file(report, fd);
	if (err)
		close(fd);
	else
		*dir = fd;
	return err;
}
