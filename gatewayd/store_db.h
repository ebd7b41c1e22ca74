// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * One SQLite file with records in it: opened, checked, brought to the newest version, read and
 * written. The store is one, and the mark another. Only store.c uses this.
 */
#ifndef GW_STORE_DB_H
#define GW_STORE_DB_H

#include "gatewayd/store_file.h"
#include "gatewayd/store_mark.h"
#include <sqlite3.h>
#include <sys/stat.h>

/** What differs between store and mark. */
struct gw_store_kind {
	const char *application_id; /* a big-endian number */
	const char *foreign;        /* what is said where it is another */
	const char *page_size;      /* bytes */
};
extern const struct gw_store_kind gw_store_kind_store, gw_store_kind_mark;

enum gw_store_statement {
	GW_STORE_BEGIN,
	GW_STORE_PUT,
	GW_STORE_DELETE,
	GW_STORE_DELETE_RANGE,
	GW_STORE_COMMIT,
	GW_STORE_ROLLBACK,
	GW_STORE_LOAD,
	GW_STORE_LOAD_ALL,
	GW_STORE_STATEMENTS,
};

/** An open file; all-zero: none. */
struct gw_store_db {
	sqlite3 *db;
	sqlite3_stmt *statement[GW_STORE_STATEMENTS];
	struct stat left; /* the file as we left it; st_ino 0: not known */
};

/**
 * Open what is there, and lock it against others for as long as it is open.
 * @param meta  set where the file has one; a store of an earlier version has none
 * @return 0: ready, or, where '*has_meta' is false, to be migrated first; -EUCLEAN, -EPROTO,
 *         -EBUSY, ...: said why
 */
GK_MUST_CHECK int gw_store_db_open(struct gw_store_db *db, const struct gw_store_kind *kind,
				   const struct gw_store_report *report, struct gw_store_meta *meta,
				   bool *has_meta);
/** Bring a store of an earlier version to the newest: one transaction. */
GK_MUST_CHECK int gw_store_db_migrate(struct gw_store_db *db, const struct gw_store_report *report,
				      const struct gw_store_meta *meta);
/** Close; nothing is done where it is not open. */
void gw_store_db_close(struct gw_store_db *db);

/** What is done in a transaction. @return 0 or -errno */
typedef int gw_store_write_fn(struct gw_store_db *db, const void *ctx);
/** Do it: all or nothing. @return 0 or -errno; -ESTALE: someone else has changed the file, or put
 *  another in its place */
GK_MUST_CHECK int gw_store_db_write(struct gw_store_db *db, gw_store_write_fn *fn, const void *ctx);
/** In a transaction: write a record, or, where its value is empty, delete it. */
GK_MUST_CHECK int gw_store_db_put(struct gw_store_db *db, const struct gk_record *record);
GK_MUST_CHECK int gw_store_db_put_meta(struct gw_store_db *db, const struct gw_store_meta *meta);
/** In a transaction: have the lasting records of 'from', and no others. */
GK_MUST_CHECK int gw_store_db_copy_lasting(struct gw_store_db *db, struct gw_store_db *from);

/** Hand out the records of these tables, in order. @return as gw_store_load() */
GK_MUST_CHECK int gw_store_db_load(struct gw_store_db *db, int from, int to, gw_store_record_fn *fn,
				   void *ctx);

/**
 * Make a file, which then has what 'fn' writes, under the name 'name' in place of what has it.
 * @param report  the file that it is, or is to become
 */
GK_MUST_CHECK int gw_store_db_create(const struct gw_store_kind *kind,
				     const struct gw_store_report *report, const char *name,
				     gw_store_write_fn *fn, const void *ctx);

#endif
