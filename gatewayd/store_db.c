// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_db.h"
#include "gatewayd/store_vfs.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/crypto.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "3"

#define SCHEMA                                                                                     \
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "      \
	"checksum BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID"
#define SCHEMA_WITHOUT_CHECKSUM                                                                    \
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "      \
	"PRIMARY KEY(kind, key)) WITHOUT ROWID"

const struct gw_store_kind gw_store_kind_store = {
	.application_id = "1735091299", // "gkdc"
	.foreign = "not a store of gatewayd",
	.page_size = "4096",
};

/* A small page: of the mark some bytes change at a time, and flash wears by the page. */
const struct gw_store_kind gw_store_kind_mark = {
	.application_id = "1735093611", // "gkmk"
	.foreign = "not a mark of gatewayd",
	.page_size = "512",
};

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

static const char *const statement_sql[GW_STORE_STATEMENTS] = {
	[GW_STORE_BEGIN] = "BEGIN IMMEDIATE",
	[GW_STORE_PUT] = "REPLACE INTO record(kind, key, value, checksum) VALUES(?1, ?2, ?3, ?4)",
	[GW_STORE_DELETE] = "DELETE FROM record WHERE kind = ?1 AND key = ?2",
	[GW_STORE_DELETE_RANGE] = "DELETE FROM record WHERE kind BETWEEN ?1 AND ?2",
	[GW_STORE_COMMIT] = "COMMIT",
	[GW_STORE_ROLLBACK] = "ROLLBACK",
	[GW_STORE_LOAD] = ("SELECT kind, key, value, checksum FROM record "
			   "WHERE kind BETWEEN ?1 AND ?2 ORDER BY kind, key"),
	[GW_STORE_LOAD_ALL] = "SELECT kind, key, value, checksum FROM record ORDER BY kind, key",
};

/* The table of the record that a file has of itself; no record of libgroupkey is there. */
#define TABLE_META 0

/*
 * Errors
 */

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

static int err_of(int code)
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

static int fail_sqlite(const struct gw_store_report *report, sqlite3 *db, int code)
{
	int err = err_of(code);

	if (err == -EBUSY)
		return gw_store_fail(report, err, "in use by another gatewayd");
	if (err == -ENOSPC || err == -EROFS)
		return gw_store_fail(report, err, "%s", strerror(-err));
	return gw_store_fail(report, err, "%s%s", err == -EUCLEAN ? "damaged: " : "",
			     db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
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

	if (sqlite3_column_type(row, 0) != SQLITE_INTEGER || kind < 0 || kind > INT_MAX ||
	    sqlite3_column_type(row, 1) != SQLITE_BLOB ||
	    sqlite3_column_type(row, 2) != SQLITE_BLOB || sqlite3_column_bytes(row, 2) == 0)
		return false;

	record->table = (enum gk_table)kind;
	record->key.data = sqlite3_column_blob(row, 1);
	record->key.len = (size_t)sqlite3_column_bytes(row, 1);
	record->value.data = sqlite3_column_blob(row, 2);
	record->value.len = (size_t)sqlite3_column_bytes(row, 2);
	return kind != TABLE_META || record->key.len == 0;
}

static int load_record(sqlite3_stmt *row, gw_store_record_fn *fn, void *ctx)
{
	struct gk_record record = { .may_wait = false };
	int err = read_record(row, &record) ? verify(row, &record) : -EUCLEAN;

	return err ? err : fn(ctx, &record);
}

static int load(sqlite3_stmt *row, gw_store_record_fn *fn, void *ctx)
{
	int result = 0;
	int code;

	while ((code = sqlite3_step(row)) == SQLITE_ROW && result == 0)
		result = load_record(row, fn, ctx);
	if (result == 0 && code != SQLITE_DONE)
		result = err_of(code);
	sqlite3_reset(row);
	return result;
}

int gw_store_db_load(struct gw_store_db *db, int from, int to, gw_store_record_fn *fn, void *ctx)
{
	sqlite3_stmt *row = db->statement[GW_STORE_LOAD];

	sqlite3_bind_int(row, 1, from);
	sqlite3_bind_int(row, 2, to);
	return load(row, fn, ctx);
}

/*
 * Writing
 */

// To the end of a statement that has no rows. @return 0 or -errno
static int finish(struct gw_store_db *db, enum gw_store_statement which)
{
	int code = sqlite3_step(db->statement[which]);

	sqlite3_reset(db->statement[which]);
	return code == SQLITE_DONE ? 0 : err_of(code);
}

static int bind(sqlite3_stmt *statement, int index, struct gk_span bytes)
{
	// A null pointer would be NULL, which is something else than no bytes.
	const void *data = bytes.len > 0 ? (const void *)bytes.data : "";

	return sqlite3_bind_blob64(statement, index, data, bytes.len, SQLITE_STATIC);
}

static int bind_value(sqlite3_stmt *statement, const struct gk_record *record,
		      uint8_t checksum[static CHECKSUM_LEN])
{
	// First, since SQLite refuses what is too large.
	int code = bind(statement, 3, record->value);

	if (code != SQLITE_OK)
		return err_of(code);
	int err = make_checksum(record, checksum);
	return err ? err : err_of(bind(statement, 4, gk_span(checksum, CHECKSUM_LEN)));
}

int gw_store_db_put(struct gw_store_db *db, const struct gk_record *record)
{
	enum gw_store_statement which = record->value.len > 0 ? GW_STORE_PUT : GW_STORE_DELETE;
	sqlite3_stmt *statement = db->statement[which];
	uint8_t checksum[CHECKSUM_LEN];

	int err = err_of(sqlite3_bind_int(statement, 1, (int)record->table));
	if (!err)
		err = err_of(bind(statement, 2, record->key));
	if (!err && which == GW_STORE_PUT)
		err = bind_value(statement, record, checksum);
	if (!err)
		err = finish(db, which);
	sqlite3_clear_bindings(statement);
	return err;
}

int gw_store_db_put_meta(struct gw_store_db *db, const struct gw_store_meta *meta)
{
	uint8_t bytes[GW_STORE_META_LEN];
	struct gk_record record = { (enum gk_table)TABLE_META, gk_span(NULL, 0),
				    gk_span(bytes, sizeof(bytes)), false };

	gw_store_meta_encode(meta, bytes);
	return gw_store_db_put(db, &record);
}

static int put_record(void *ctx, const struct gk_record *record)
{
	return gw_store_db_put(ctx, record);
}

int gw_store_db_copy_lasting(struct gw_store_db *db, struct gw_store_db *from)
{
	sqlite3_stmt *statement = db->statement[GW_STORE_DELETE_RANGE];

	sqlite3_bind_int(statement, 1, GK_TABLE_LASTING);
	sqlite3_bind_int(statement, 2, INT_MAX);
	int err = finish(db, GW_STORE_DELETE_RANGE);
	return err ? err : gw_store_db_load(from, GK_TABLE_LASTING, INT_MAX, put_record, db);
}

static void note_left(struct gw_store_db *db)
{
	(void)lstat(sqlite3_db_filename(db->db, "main"), &db->left);
}

/*
 * SQLite has pages in memory: where a backup was copied over the file meanwhile, a commit would
 * make a mixture of both, with the newest count.
 */
static int check_left(const struct gw_store_db *db)
{
	const struct stat *left = &db->left;
	struct stat st;

	if (left->st_ino == 0)
		return 0;
	if (lstat(sqlite3_db_filename(db->db, "main"), &st) != 0)
		return errno == ENOENT ? -ESTALE : -errno;
	return st.st_dev == left->st_dev && st.st_ino == left->st_ino &&
			       st.st_size == left->st_size &&
			       st.st_mtim.tv_sec == left->st_mtim.tv_sec &&
			       st.st_mtim.tv_nsec == left->st_mtim.tv_nsec
		       ? 0
		       : -ESTALE;
}

static int transact(struct gw_store_db *db, gw_store_write_fn *fn, const void *ctx)
{
	int err = finish(db, GW_STORE_BEGIN);

	if (!err)
		err = fn(db, ctx);
	if (!err)
		err = finish(db, GW_STORE_COMMIT);
	// Some errors have SQLite roll back by itself.
	if (err && !sqlite3_get_autocommit(db->db))
		(void)finish(db, GW_STORE_ROLLBACK);
	return err;
}

int gw_store_db_write(struct gw_store_db *db, gw_store_write_fn *fn, const void *ctx)
{
	int err = check_left(db);

	if (err)
		return err;
	(void)gw_store_vfs_take_errno();
	err = transact(db, fn, ctx);
	if (err) // SQLite may have something to undo yet
		db->left = (struct stat){ 0 };
	else
		note_left(db);
	return err;
}

/*
 * What must hold before a record is read
 */

// The first column of the only row, as text. @return 0, or said why
static int ask(const struct gw_store_report *report, sqlite3 *db, const char *sql, char *answer,
	       size_t size)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	int err = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		err = fail_sqlite(report, db, code);
	} else {
		const char *found = (const char *)sqlite3_column_text(statement, 0);
		snprintf(answer, size, "%s", found ? found : "nothing");
	}
	sqlite3_finalize(statement);
	return err;
}

static int demand(const struct gw_store_report *report, sqlite3 *db, const char *sql,
		  const char *expected, int err, const char *complaint)
{
	char found[256];
	int failed = ask(report, db, sql, found, sizeof(found));

	if (failed)
		return failed;
	return strcmp(found, expected) == 0
		       ? 0
		       : gw_store_fail(report, err, "%s %.200s", complaint, found);
}

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

static int check_form(const struct gw_store_report *report, sqlite3 *db,
		      const struct migration **step)
{
	char version[16], schema[512];
	int err = ask(report, db, VERSION_SQL, version, sizeof(version));

	if (!err && is_later(version))
		return gw_store_fail(report, -EPROTO,
				     "made by a later version of gatewayd: user_version %s, and "
				     "this one knows " VERSION,
				     version);
	if (!err)
		err = demand(report, db, "PRAGMA quick_check(1)", "ok", -EUCLEAN, "damaged:");
	if (!err)
		err = ask(report, db, SCHEMA_SQL, schema, sizeof(schema));
	if (err)
		return err;
	*step = next_step(version, schema);
	if (!*step && (strcmp(version, VERSION) != 0 || strcmp(schema, SCHEMA) != 0))
		return gw_store_fail(report, -EUCLEAN, "damaged, these are not our tables: %.200s",
				     schema);
	return 0;
}

/* Only now, since a journal may have to give the file its length back. */
static int check_size(const struct gw_store_report *report, sqlite3 *db)
{
	char size[24];
	int err = ask(report, db,
		      "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
		      size, sizeof(size));

	return err ? err : gw_store_file_check_size(report, strtoll(size, NULL, 10));
}

/*
 * Opening
 */

static int connect(sqlite3 **db, const struct gw_store_report *report, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	const char *vfs = gw_store_vfs();

	if (!vfs)
		return gw_store_fail(report, -ENOMEM, "out of memory");
	(void)gw_store_vfs_take_errno();
	int code = sqlite3_open_v2(path, db, flags, vfs);
	return code == SQLITE_OK ? 0 : fail_sqlite(report, *db, code);
}

static int run(const struct gw_store_report *report, sqlite3 *db, const char *sql)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail_sqlite(report, db, code);
}

static int prepare(struct gw_store_db *db, const struct gw_store_report *report)
{
	for (size_t i = 0; i < GW_STORE_STATEMENTS && !db->statement[i]; i++) {
		int code = sqlite3_prepare_v3(db->db, statement_sql[i], -1,
					      SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL);
		if (code != SQLITE_OK)
			return fail_sqlite(report, db->db, code);
	}
	return 0;
}

struct meta_search {
	struct gw_store_meta *meta;
	bool found;
};

static int find_meta(void *ctx, const struct gk_record *record)
{
	struct meta_search *search = ctx;

	if ((int)record->table == TABLE_META)
		search->found = gw_store_meta_decode(record->value, search->meta);
	return 0;
}

// All records are whole, and the file says of itself what it is; an earlier one does not.
static int check_records(struct gw_store_db *db, const struct gw_store_report *report,
			 struct gw_store_meta *meta, bool has_meta)
{
	struct meta_search search = { meta, false };
	int err = load(db->statement[GW_STORE_LOAD_ALL], find_meta, &search);

	if (err == -EUCLEAN)
		return gw_store_fail(report, err, "damaged: a record is not what was written");
	if (err)
		return gw_store_fail(report, err, "%s", strerror(-err));
	if (search.found != has_meta)
		return gw_store_fail(report, -EUCLEAN, "damaged: it does not say which it is");
	return 0;
}

/* SQLite falls back to reading, and would say so only at the first commit. */
static int refuse_read_only(const struct gw_store_report *report)
{
	static const struct {
		int number;
		const char *text;
	} rows[] = {
		{ EROFS, "its file system is read-only: mount it for writing" },
		{ EACCES, "its mode forbids it: chmod 600" },
		{ EPERM, "it is immutable: chattr -i" },
	};
	int number = faccessat(AT_FDCWD, report->path, W_OK, AT_EACCESS) == 0 ? 0 : errno;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].number == number)
			return gw_store_fail(report, -EROFS, "cannot be written to: %s",
					     rows[i].text);
	}
	return gw_store_fail(report, -EROFS,
			     "cannot be written to: mount its file system for "
			     "writing, and chmod 600");
}

static int set_up(struct gw_store_db *db, const struct gw_store_kind *kind,
		  const struct gw_store_report *report)
{
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	if (sqlite3_db_readonly(db->db, "main"))
		return refuse_read_only(report);
	int err = run(report, db->db, setup_sql);
	if (!err)
		err = demand(report, db->db, "PRAGMA application_id", kind->application_id,
			     -EUCLEAN, kind->foreign);
	return err;
}

static int open_checked(struct gw_store_db *db, const struct gw_store_kind *kind,
			const struct gw_store_report *report, struct gw_store_meta *meta,
			bool *has_meta)
{
	const struct migration *step = NULL;
	int err = connect(&db->db, report, report->path);

	if (!err)
		err = set_up(db, kind, report);
	if (!err)
		err = check_form(report, db->db, &step);
	if (!err)
		err = demand(report, db->db, "PRAGMA journal_mode=TRUNCATE", "truncate", -EIO,
			     "has a journal of mode");
	if (!err)
		err = check_size(report, db->db);
	*has_meta = !step;
	if (!err && step && strcmp(step->schema, SCHEMA) != 0)
		return 0;
	if (!err)
		err = prepare(db, report);
	return err ? err : check_records(db, report, meta, *has_meta);
}

int gw_store_db_open(struct gw_store_db *db, const struct gw_store_kind *kind,
		     const struct gw_store_report *report, struct gw_store_meta *meta,
		     bool *has_meta)
{
	int err = open_checked(db, kind, report, meta, has_meta);

	if (err)
		gw_store_db_close(db);
	else
		note_left(db);
	return err;
}

void gw_store_db_close(struct gw_store_db *db)
{
	for (size_t i = 0; i < GW_STORE_STATEMENTS; i++)
		sqlite3_finalize(db->statement[i]);
	sqlite3_close(db->db);
	*db = (struct gw_store_db){ .db = NULL };
}

/*
 * Migration
 */

// For the SQL of migrations: checksum(kind, key, value).
static void sql_checksum(sqlite3_context *context, int count, sqlite3_value **args)
{
	uint8_t checksum[CHECKSUM_LEN];
	struct gk_record record = {
		.table = (enum gk_table)sqlite3_value_int(args[0]),
		.key = gk_span(sqlite3_value_blob(args[1]), (size_t)sqlite3_value_bytes(args[1])),
		.value = gk_span(sqlite3_value_blob(args[2]), (size_t)sqlite3_value_bytes(args[2])),
	};

	(void)count;
	if (make_checksum(&record, checksum))
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_blob(context, checksum, sizeof(checksum), SQLITE_TRANSIENT);
}

static int migrate_steps(const struct gw_store_report *report, sqlite3 *db)
{
	for (;;) {
		const struct migration *step = NULL;
		int err = check_form(report, db, &step);
		if (err || !step)
			return err;
		err = run(report, db, step->sql);
		if (err)
			return err;
	}
}

static int migrate(struct gw_store_db *db, const struct gw_store_report *report,
		   const struct gw_store_meta *meta)
{
	int err = migrate_steps(report, db->db);

	if (!err)
		err = prepare(db, report);
	if (err)
		return err;
	err = gw_store_db_put_meta(db, meta);
	return err ? gw_store_fail(report, err, "%s", strerror(-err)) : 0;
}

int gw_store_db_migrate(struct gw_store_db *db, const struct gw_store_report *report,
			const struct gw_store_meta *meta)
{
	struct gw_store_meta written;
	int code =
		sqlite3_create_function(db->db, "checksum", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
					NULL, sql_checksum, NULL, NULL);
	if (code != SQLITE_OK)
		return fail_sqlite(report, db->db, code);

	(void)gw_store_vfs_take_errno();
	int err = run(report, db->db, "BEGIN IMMEDIATE");
	if (!err)
		err = migrate(db, report, meta);
	// Only now there is a form that all can be judged by.
	if (!err)
		err = check_records(db, report, &written, true);
	if (!err)
		err = run(report, db->db, "COMMIT");
	if (err && !sqlite3_get_autocommit(db->db))
		(void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
	note_left(db);
	return err;
}

/*
 * Making
 */

// A file in the making has a name that nobody reads: no journal, which could outlive it.
static int write_schema(const struct gw_store_kind *kind, const struct gw_store_report *report,
			sqlite3 *db)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size=%s; PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; "
		 "BEGIN; " SCHEMA "; PRAGMA application_id=%s; PRAGMA user_version=" VERSION
		 "; COMMIT",
		 kind->page_size, kind->application_id);
	return run(report, db, sql);
}

static int write_new(const struct gw_store_kind *kind, const struct gw_store_report *report,
		     const char *made, gw_store_write_fn *fn, const void *ctx)
{
	struct gw_store_db db = { .db = NULL };
	int err = connect(&db.db, report, made);

	if (!err)
		err = write_schema(kind, report, db.db);
	if (!err)
		err = prepare(&db, report);
	if (!err) {
		err = gw_store_db_write(&db, fn, ctx);
		if (err)
			gw_store_fail(report, err, "cannot be made: %s", strerror(-err));
	}
	gw_store_db_close(&db);
	return err;
}

int gw_store_db_create(const struct gw_store_kind *kind, const struct gw_store_report *report,
		       const char *name, gw_store_write_fn *fn, const void *ctx)
{
	char made[GW_STORE_PATH];
	int fd = -1;
	int err = gw_store_file_begin(report, made, &fd);

	if (err)
		return err;
	err = write_new(kind, report, made, fn, ctx);
	if (!err)
		return gw_store_file_finish(report, made, fd, name);
	gw_store_file_drop(made, fd);
	return err;
}
