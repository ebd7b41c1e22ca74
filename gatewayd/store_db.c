// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_db.h"
#include "gatewayd/store_form.h"
#include "gatewayd/store_row.h"
#include "gatewayd/store_sqlite.h"
#include "gatewayd/store_vfs.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/*
 * Reading
 */

static int load_record(sqlite3_stmt *row, gw_store_record_fn *fn, void *ctx)
{
	struct gk_record record = { .may_wait = false };
	int err = gw_store_row_read(row, &record);

	return err ? err : fn(ctx, &record);
}

static int load(sqlite3_stmt *row, gw_store_record_fn *fn, void *ctx)
{
	int result = 0;
	int code;

	while ((code = sqlite3_step(row)) == SQLITE_ROW && result == 0)
		result = load_record(row, fn, ctx);
	if (result == 0 && code != SQLITE_DONE)
		result = gw_sqlite_err(code);
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
	return code == SQLITE_DONE ? 0 : gw_sqlite_err(code);
}

int gw_store_db_put(struct gw_store_db *db, const struct gk_record *record)
{
	enum gw_store_statement which = record->value.len > 0 ? GW_STORE_PUT : GW_STORE_DELETE;
	sqlite3_stmt *statement = db->statement[which];
	uint8_t checksum[GW_STORE_CHECKSUM_LEN];
	int err = gw_store_row_bind(statement, record, checksum);

	if (!err)
		err = finish(db, which);
	sqlite3_clear_bindings(statement);
	return err;
}

int gw_store_db_put_meta(struct gw_store_db *db, const struct gw_store_meta *meta)
{
	uint8_t bytes[GW_STORE_META_LEN];
	struct gk_record record = { (enum gk_table)GW_STORE_TABLE_META, gk_span(NULL, 0),
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
 * Opening
 */

#define SIZE_SQL "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

/* Only now, since a journal may have to give the file its length back. */
static int check_size(const struct gw_store_report *report, sqlite3 *db)
{
	char size[24];
	int err = gw_sqlite_ask(report, db, SIZE_SQL, size, sizeof(size));

	return err ? err : gw_store_file_check_size(report, strtoll(size, NULL, 10));
}

static int prepare(struct gw_store_db *db, const struct gw_store_report *report)
{
	for (size_t i = 0; i < GW_STORE_STATEMENTS && !db->statement[i]; i++) {
		int code = sqlite3_prepare_v3(db->db, statement_sql[i], -1,
					      SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL);
		if (code != SQLITE_OK)
			return gw_sqlite_fail(report, db->db, code);
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

	if ((int)record->table == GW_STORE_TABLE_META)
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
	int err = gw_sqlite_run(report, db->db, setup_sql);
	if (!err)
		err = gw_sqlite_demand(report, db->db, "PRAGMA application_id",
				       kind->application_id, -EUCLEAN, kind->foreign);
	return err;
}

static int open_checked(struct gw_store_db *db, const struct gw_store_kind *kind,
			const struct gw_store_report *report, struct gw_store_meta *meta,
			bool *has_meta)
{
	enum gw_store_form form = GW_STORE_FORM_NEWEST;
	int err = gw_sqlite_open(&db->db, report, report->path);

	if (!err)
		err = set_up(db, kind, report);
	if (!err)
		err = gw_store_form_check(report, db->db, &form);
	if (!err)
		err = gw_sqlite_demand(report, db->db, "PRAGMA journal_mode=TRUNCATE", "truncate",
				       -EIO, "has a journal of mode");
	if (!err)
		err = check_size(report, db->db);
	*has_meta = form == GW_STORE_FORM_NEWEST;
	if (!err && form == GW_STORE_FORM_OTHER)
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

static int migrate(struct gw_store_db *db, const struct gw_store_report *report,
		   const struct gw_store_meta *meta)
{
	int err = gw_store_form_migrate(report, db->db);

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

	(void)gw_store_vfs_take_errno();
	int err = gw_sqlite_run(report, db->db, "BEGIN IMMEDIATE");
	if (!err)
		err = migrate(db, report, meta);
	// Only now there is a form that all can be judged by.
	if (!err)
		err = check_records(db, report, &written, true);
	if (!err)
		err = gw_sqlite_run(report, db->db, "COMMIT");
	if (err && !sqlite3_get_autocommit(db->db))
		(void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
	note_left(db);
	return err;
}

/*
 * Making
 */

static int write_new(const struct gw_store_kind *kind, const struct gw_store_report *report,
		     const char *made, gw_store_write_fn *fn, const void *ctx)
{
	struct gw_store_db db = { .db = NULL };
	int err = gw_sqlite_open(&db.db, report, made);

	if (!err)
		err = gw_store_form_write(kind, report, db.db);
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
