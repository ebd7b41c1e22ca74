// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * SQLite's calls with our errors: what went wrong is said in the report, and returned as -errno.
 * Only the files store_*.c use this.
 */
#ifndef GW_STORE_SQLITE_H
#define GW_STORE_SQLITE_H

#include "gatewayd/store_file.h"
#include <sqlite3.h>

/** @return what an SQLite result is as -errno; 0: it is none */
int gw_sqlite_err(int code);
/** Say what went wrong. @param db  NULL: none @return -errno */
int gw_sqlite_fail(const struct gw_store_report *report, sqlite3 *db, int code);

/** Open a file that is there. @param db  to be closed, whatever is returned */
GK_MUST_CHECK int gw_sqlite_open(sqlite3 **db, const struct gw_store_report *report,
				 const char *path);
/** Run statements that have no rows. */
GK_MUST_CHECK int gw_sqlite_run(const struct gw_store_report *report, sqlite3 *db, const char *sql);
/** Get the first column of the only row, as text. */
GK_MUST_CHECK int gw_sqlite_ask(const struct gw_store_report *report, sqlite3 *db, const char *sql,
				char *answer, size_t size);
/** The same, which must be 'expected'. @return 'err', said with 'complaint', where it is not */
GK_MUST_CHECK int gw_sqlite_demand(const struct gw_store_report *report, sqlite3 *db,
				   const char *sql, const char *expected, int err,
				   const char *complaint);

#endif
