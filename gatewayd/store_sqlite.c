// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_sqlite.h"
#include "gatewayd/store_vfs.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* What the system says, of which SQLite makes one code or another, by the call that it hit. */
static int system_err(int code)
{
	int primary = code & 0xff;
	int number = gw_store_vfs_take_errno();

	if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
		return 0;
	if (number == ENOSPC || number == EDQUOT)
		return -ENOSPC;
	return number == EROFS ? -EROFS : 0;
}

int gw_sqlite_err(int code)
{
	int err = system_err(code);

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == (code & 0xff))
			return codes[i].err;
	}
	return -EIO;
}

int gw_sqlite_fail(const struct gw_store_report *report, sqlite3 *db, int code)
{
	int err = gw_sqlite_err(code);

	if (err == -EBUSY)
		return gw_store_fail(report, err, "in use by another gatewayd");
	if (err == -ENOSPC || err == -EROFS)
		return gw_store_fail(report, err, "%s", strerror(-err));
	return gw_store_fail(report, err, "%s%s", err == -EUCLEAN ? "damaged: " : "",
			     db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

int gw_sqlite_open(sqlite3 **db, const struct gw_store_report *report, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	const char *vfs = gw_store_vfs();

	if (!vfs)
		return gw_store_fail(report, -ENOMEM, "out of memory");
	(void)gw_store_vfs_take_errno();
	int code = sqlite3_open_v2(path, db, flags, vfs);
	return code == SQLITE_OK ? 0 : gw_sqlite_fail(report, *db, code);
}

int gw_sqlite_run(const struct gw_store_report *report, sqlite3 *db, const char *sql)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : gw_sqlite_fail(report, db, code);
}

int gw_sqlite_ask(const struct gw_store_report *report, sqlite3 *db, const char *sql, char *answer,
		  size_t size)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	int err = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		err = gw_sqlite_fail(report, db, code);
	} else {
		const char *found = (const char *)sqlite3_column_text(statement, 0);
		snprintf(answer, size, "%s", found ? found : "nothing");
	}
	sqlite3_finalize(statement);
	return err;
}

int gw_sqlite_demand(const struct gw_store_report *report, sqlite3 *db, const char *sql,
		     const char *expected, int err, const char *complaint)
{
	char found[256];
	int failed = gw_sqlite_ask(report, db, sql, found, sizeof(found));

	if (failed)
		return failed;
	return strcmp(found, expected) == 0
		       ? 0
		       : gw_store_fail(report, err, "%s %.200s", complaint, found);
}
