// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The file under the store, up to where records begin: directory, name, mode, content that is ours;
 * and the messages about it. Only store.c and store_file.c use this.
 */
#ifndef GW_STORE_FILE_H
#define GW_STORE_FILE_H

#include "gatewayd/store.h"
#include <sqlite3.h>

#define GW_STORE_APPLICATION_ID "1735091299" /* "gkdc" as a big-endian number */
#define GW_STORE_VERSION        "2"          /* 1: records without trees */

#define GW_STORE_SCHEMA                                                                            \
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "      \
	"checksum BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID"

// An older copy is no way out: it would use keys and numbers a second time.
#define GW_STORE_WAY_OUT                                                                           \
	"; move it away to begin anew, with no member remembered, and provision the clients again"

/* The file being opened, and where messages go. */
struct gw_store_report {
	const char *path;
	char *error;
	size_t size;
};

/** Write "path: ..." to the report. @return err */
int gw_store_fail(const struct gw_store_report *report, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** Write what SQLite says of its 'code' to the report. @return gw_store_err() */
int gw_store_fail_sqlite(const struct gw_store_report *report, sqlite3 *db, int code);
/** @return SQLite's code, extended or not, as 0 or -errno */
int gw_store_err(int code);

/**
 * Make sure that the file is there and that it alone can have been made by us; make an empty store
 * where there is none. Nobody else does this in the same directory until '*dir' is closed.
 * @param dir  set on success; to be closed by the caller
 */
GK_MUST_CHECK int gw_store_enter(const struct gw_store_report *report, int *dir);

#endif
