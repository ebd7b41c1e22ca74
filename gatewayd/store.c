// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store.h"
#include "gatewayd/store_file.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/crypto.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * EXCLUSIVE keeps the lock that the first transaction takes, so a second daemon is refused for as
 * long as we live. The size of the cache is in KiB.
 */
static const char setup_sql[] = "PRAGMA locking_mode=EXCLUSIVE;"
				"PRAGMA mmap_size=0;"
				"PRAGMA cache_size=-512;"
				"PRAGMA temp_store=MEMORY;"
				"PRAGMA trusted_schema=OFF;"
				"PRAGMA cell_size_check=ON;"
				"PRAGMA secure_delete=ON;"
				"PRAGMA synchronous=FULL;"
				"BEGIN EXCLUSIVE;"
				"COMMIT;";

/* What must hold before a record is read, in this order. */
static const struct check {
	const char *sql;
	const char *expected;
	int err;
	const char *complaint; /* stands before what was found */
	const char *advice;    /* and this behind */
} checks[] = {
	{ "PRAGMA application_id", GW_STORE_APPLICATION_ID, -EUCLEAN,
	  "not a store of gatewayd: application_id", "" },
	{ "PRAGMA user_version", GW_STORE_VERSION, -EPROTO,
	  "made by another version of gatewayd: user_version",
	  ", not " GW_STORE_VERSION GW_STORE_WAY_OUT },
	{ "PRAGMA quick_check(1)", "ok", -EUCLEAN, "damaged:", GW_STORE_WAY_OUT },
	{ "SELECT group_concat(sql, ';') FROM sqlite_master", GW_STORE_SCHEMA, -EUCLEAN,
	  "damaged, these are not our tables:", GW_STORE_WAY_OUT },
	{ "PRAGMA journal_mode=TRUNCATE", "truncate", -EIO, "has a journal of mode", "" },
};

enum statement {
	BEGIN,
	PUT,
	DELETE,
	COMMIT,
	ROLLBACK,
	LOAD,
	STATEMENTS,
};

static const char *const statement_sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[PUT] = "REPLACE INTO record(kind, key, value, checksum) VALUES(?1, ?2, ?3, ?4)",
	[DELETE] = "DELETE FROM record WHERE kind = ?1 AND key = ?2",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[LOAD] = "SELECT kind, key, value, checksum FROM record ORDER BY kind, key",
};

struct gw_store {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
};

/*
 * Opening
 */

static int run_check(const struct gw_store_report *report, sqlite3 *db, const struct check *check)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, check->sql, -1, &statement, NULL);
	int err = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		err = gw_store_fail_sqlite(report, db, code);
	} else {
		const char *found = (const char *)sqlite3_column_text(statement, 0);
		if (!found || strcmp(found, check->expected) != 0)
			err = gw_store_fail(report, check->err, "%s %.200s%s", check->complaint,
					    found ? found : "nothing", check->advice);
	}
	sqlite3_finalize(statement);
	return err;
}

/*
 * Where the file ends within its last page SQLite reads zeros, and finds nothing wrong. Only now,
 * since a journal may have to give the file its length back.
 */
static int check_size(const struct gw_store_report *report, sqlite3 *db)
{
	char size[24];
	struct stat st;
	struct check check = {
		.sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
		.expected = size,
		.err = -EUCLEAN,
		.complaint = "damaged, its length should be",
		.advice = GW_STORE_WAY_OUT,
	};

	if (stat(report->path, &st) != 0)
		return gw_store_fail(report, -errno, "cannot look at it");
	snprintf(size, sizeof(size), "%lld", (long long)st.st_size);
	return run_check(report, db, &check);
}

static int prepare(const struct gw_store_report *report, struct gw_store *store)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		int code =
			sqlite3_prepare_v3(store->db, statement_sql[i], -1,
					   SQLITE_PREPARE_PERSISTENT, &store->statement[i], NULL);
		if (code != SQLITE_OK)
			return gw_store_fail_sqlite(report, store->db, code);
	}
	return 0;
}

static int open_database(const struct gw_store_report *report, struct gw_store *store)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	int code = sqlite3_open_v2(report->path, &store->db, flags, NULL);

	if (code != SQLITE_OK)
		return gw_store_fail_sqlite(report, store->db, code);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);

	// SQLite falls back to reading, and would say so only at the first commit.
	if (sqlite3_db_readonly(store->db, "main"))
		return gw_store_fail(report, -EROFS, "cannot be written to");
	code = sqlite3_exec(store->db, setup_sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return gw_store_fail_sqlite(report, store->db, code);

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int err = run_check(report, store->db, &checks[i]);
		if (err)
			return err;
	}
	int err = check_size(report, store->db);
	return err ? err : prepare(report, store);
}

int gw_store_open(const char *path, struct gw_store **store, char *error, size_t size)
{
	struct gw_store_report report = { path, error, size };
	int dir = -1;
	int err = gw_store_enter(&report, &dir);
	if (err)
		return err;

	struct gw_store *opened = calloc(1, sizeof(*opened));
	if (!opened)
		err = gw_store_fail(&report, -ENOMEM, "out of memory");
	else
		err = open_database(&report, opened);
	if (err)
		gw_store_close(opened);
	else
		*store = opened;
	close(dir);
	return err;
}

void gw_store_close(struct gw_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statement[i]);
	sqlite3_close(store->db);
	free(store);
}

/*
 * Records. SQLite has no checksums of its own: a bit that turned over on the disk may be a Sender
 * ID that is given to a second member, and would be found by nobody.
 */

#define CHECKSUM_LEN 8

static void add_number(struct gk_buf *buf, size_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		gk_buf_byte(buf, (uint8_t)(number >> shift));
}

/* Of all that a row says; the length of the key keeps what is its end from being the value's. */
static int make_checksum(const struct gk_record *record, uint8_t out[static CHECKSUM_LEN])
{
	size_t size = 8 + record->key.len + record->value.len;
	uint8_t *bytes = malloc(size), hash[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, size);
	enum gk_err err;

	if (!bytes)
		return -ENOMEM;
	add_number(&buf, (size_t)record->table);
	add_number(&buf, record->key.len);
	gk_buf_add(&buf, record->key);
	gk_buf_add(&buf, record->value);
	err = gk_sha256(gk_buf_span(&buf), hash);
	explicit_bzero(bytes, size);
	free(bytes);
	if (err)
		return -E2BIG;
	memcpy(out, hash, CHECKSUM_LEN);
	return 0;
}

static int verify(sqlite3_stmt *row, const struct gk_record *record)
{
	uint8_t checksum[CHECKSUM_LEN];
	int err = make_checksum(record, checksum);

	if (err)
		return err;
	if (sqlite3_column_type(row, 3) != SQLITE_BLOB ||
	    sqlite3_column_bytes(row, 3) != CHECKSUM_LEN ||
	    memcmp(sqlite3_column_blob(row, 3), checksum, CHECKSUM_LEN) != 0)
		return -EUCLEAN;
	return 0;
}

static bool read_record(sqlite3_stmt *row, struct gk_record *record)
{
	sqlite3_int64 kind = sqlite3_column_int64(row, 0);

	if (sqlite3_column_type(row, 0) != SQLITE_INTEGER || kind < 1 || kind > INT_MAX ||
	    sqlite3_column_type(row, 1) != SQLITE_BLOB ||
	    sqlite3_column_type(row, 2) != SQLITE_BLOB || sqlite3_column_bytes(row, 2) == 0)
		return false;

	record->table = (enum gk_table)kind;
	record->key.data = sqlite3_column_blob(row, 1);
	record->key.len = (size_t)sqlite3_column_bytes(row, 1);
	record->value.data = sqlite3_column_blob(row, 2);
	record->value.len = (size_t)sqlite3_column_bytes(row, 2);
	return true;
}

static int load_record(sqlite3_stmt *row, gw_store_record_fn *fn, void *ctx)
{
	struct gk_record record;
	int err = read_record(row, &record) ? verify(row, &record) : -EUCLEAN;

	return err ? err : fn(ctx, &record);
}

bool gw_store_is_empty(struct gw_store *store)
{
	sqlite3_stmt *row = store->statement[LOAD];
	int code = sqlite3_step(row);

	sqlite3_reset(row);
	return code == SQLITE_DONE;
}

int gw_store_load(struct gw_store *store, gw_store_record_fn *fn, void *ctx)
{
	sqlite3_stmt *row = store->statement[LOAD];
	int result = 0;
	int code;

	while ((code = sqlite3_step(row)) == SQLITE_ROW && result == 0)
		result = load_record(row, fn, ctx);
	if (result == 0 && code != SQLITE_DONE)
		result = gw_store_err(code);
	sqlite3_reset(row);
	return result;
}

// To the end of a statement that has no rows. @return SQLITE_OK or why not
static int finish(struct gw_store *store, enum statement which)
{
	int code = sqlite3_step(store->statement[which]);

	sqlite3_reset(store->statement[which]);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int bind(sqlite3_stmt *statement, int index, struct gk_span bytes)
{
	// A null pointer would be NULL, which is something else than no bytes.
	const void *data = bytes.len > 0 ? (const void *)bytes.data : "";

	return sqlite3_bind_blob64(statement, index, data, bytes.len, SQLITE_STATIC);
}

// @return SQLITE_OK or why not
static int bind_value(sqlite3_stmt *statement, const struct gk_record *record,
		      uint8_t checksum[static CHECKSUM_LEN])
{
	// First, since SQLite refuses what is too large.
	int code = bind(statement, 3, record->value);

	if (code != SQLITE_OK)
		return code;
	int err = make_checksum(record, checksum);
	if (err)
		return err == -ENOMEM ? SQLITE_NOMEM : SQLITE_TOOBIG;
	return bind(statement, 4, gk_span(checksum, CHECKSUM_LEN));
}

static int write_record(struct gw_store *store, const struct gk_record *record)
{
	enum statement which = record->value.len > 0 ? PUT : DELETE;
	sqlite3_stmt *statement = store->statement[which];
	uint8_t checksum[CHECKSUM_LEN];

	int code = sqlite3_bind_int(statement, 1, (int)record->table);
	if (code == SQLITE_OK)
		code = bind(statement, 2, record->key);
	if (code == SQLITE_OK && which == PUT)
		code = bind_value(statement, record, checksum);
	if (code == SQLITE_OK)
		code = finish(store, which);
	sqlite3_clear_bindings(statement);
	return code;
}

int gw_store_commit(struct gw_store *store, const struct gk_record *records, size_t count)
{
	if (count == 0)
		return 0;

	int code = finish(store, BEGIN);
	for (size_t i = 0; code == SQLITE_OK && i < count; i++)
		code = write_record(store, &records[i]);
	if (code == SQLITE_OK)
		code = finish(store, COMMIT);
	if (code == SQLITE_OK)
		return 0;

	int err = gw_store_err(code);
	// Some errors have SQLite roll back by itself.
	if (!sqlite3_get_autocommit(store->db))
		(void)finish(store, ROLLBACK);
	return err;
}
