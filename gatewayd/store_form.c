// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_form.h"
#include "gatewayd/store_row.h"
#include "gatewayd/store_sqlite.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "3"

#define SCHEMA                                                                                     \
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "      \
	"checksum BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID"
#define SCHEMA_WITHOUT_CHECKSUM                                                                    \
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "      \
	"PRIMARY KEY(kind, key)) WITHOUT ROWID"

/* Forward migration: from each form of the file to the next. */
static const struct migration {
	const char *version, *schema;
	const char *sql;
} migrations[] = {
	{ "1", SCHEMA_WITHOUT_CHECKSUM,
	  "ALTER TABLE record RENAME TO earlier;" SCHEMA ";"
	  "INSERT INTO record SELECT kind, key, value, checksum(kind, key, value) FROM earlier;"
	  "DROP TABLE earlier" },
	// Records of trees, in tables of their own.
	{ "1", SCHEMA, "PRAGMA user_version=2" },
	// What it says of itself: gw_store_db_migrate() adds that.
	{ "2", SCHEMA, "PRAGMA user_version=3" },
};

// The next step from this form of the file; NULL: there is none
static const struct migration *next_step(const char *version, const char *schema)
{
	for (size_t i = 0; i < sizeof(migrations) / sizeof(migrations[0]); i++) {
		if (strcmp(version, migrations[i].version) == 0 &&
		    strcmp(schema, migrations[i].schema) == 0)
			return &migrations[i];
	}
	return NULL;
}

static bool is_later(const char *version)
{
	return strtol(version, NULL, 10) > strtol(VERSION, NULL, 10);
}

#define VERSION_SQL "PRAGMA user_version"
#define SCHEMA_SQL  "SELECT group_concat(sql, ';') FROM sqlite_master"

static int find_step(const struct gw_store_report *report, sqlite3 *db,
		     const struct migration **step)
{
	char version[16], schema[512];
	int err = gw_sqlite_ask(report, db, VERSION_SQL, version, sizeof(version));

	if (!err && is_later(version))
		return gw_store_fail(report, -EPROTO,
				     "made by a later version of gatewayd: user_version %s, and "
				     "this one knows " VERSION,
				     version);
	if (!err)
		err = gw_sqlite_demand(report, db, "PRAGMA quick_check(1)", "ok", -EUCLEAN,
				       "damaged:");
	if (!err)
		err = gw_sqlite_ask(report, db, SCHEMA_SQL, schema, sizeof(schema));
	if (err)
		return err;
	*step = next_step(version, schema);
	if (!*step && (strcmp(version, VERSION) != 0 || strcmp(schema, SCHEMA) != 0))
		return gw_store_fail(report, -EUCLEAN, "damaged, these are not our tables: %.200s",
				     schema);
	return 0;
}

int gw_store_form_check(const struct gw_store_report *report, sqlite3 *db, enum gw_store_form *form)
{
	const struct migration *step = NULL;
	int err = find_step(report, db, &step);

	if (err)
		return err;
	*form = GW_STORE_FORM_NEWEST;
	if (step)
		*form = strcmp(step->schema, SCHEMA) == 0 ? GW_STORE_FORM_OLDER
							  : GW_STORE_FORM_OTHER;
	return 0;
}

// For the SQL of migrations: checksum(kind, key, value).
static void sql_checksum(sqlite3_context *context, int count, sqlite3_value **args)
{
	uint8_t checksum[GW_STORE_CHECKSUM_LEN];
	struct gk_record record = {
		.table = (enum gk_table)sqlite3_value_int(args[0]),
		.key = gk_span(sqlite3_value_blob(args[1]), (size_t)sqlite3_value_bytes(args[1])),
		.value = gk_span(sqlite3_value_blob(args[2]), (size_t)sqlite3_value_bytes(args[2])),
	};

	(void)count;
	if (gw_store_row_checksum(&record, checksum))
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_blob(context, checksum, sizeof(checksum), SQLITE_TRANSIENT);
}

static int migrate_steps(const struct gw_store_report *report, sqlite3 *db)
{
	for (;;) {
		const struct migration *step = NULL;
		int err = find_step(report, db, &step);
		if (err || !step)
			return err;
		err = gw_sqlite_run(report, db, step->sql);
		if (err)
			return err;
	}
}

int gw_store_form_migrate(const struct gw_store_report *report, sqlite3 *db)
{
	int code = sqlite3_create_function(db, "checksum", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
					   NULL, sql_checksum, NULL, NULL);

	return code == SQLITE_OK ? migrate_steps(report, db) : gw_sqlite_fail(report, db, code);
}

// A file in the making has a name that nobody reads: no journal, which could outlive it.
int gw_store_form_write(const struct gw_store_kind *kind, const struct gw_store_report *report,
			sqlite3 *db)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size=%s; PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; "
		 "BEGIN; " SCHEMA "; PRAGMA application_id=%s; PRAGMA user_version=" VERSION
		 "; COMMIT",
		 kind->page_size, kind->application_id);
	return gw_sqlite_run(report, db, sql);
}
