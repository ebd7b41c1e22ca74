// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A layer between SQLite and the system, in which chosen operations fail and all are noted.
 */

enum plan {
	PASS,
	FAIL_ONCE,  /* operation number 'at' */
	FAIL_AFTER, /* that one and all that follow, as on a full disk, or in a process that is
		       killed */
};

static struct {
	sqlite3_vfs *real;
	enum plan plan;
	int at;
	int code, system_errno;
	int count;
	bool read_only;
	int access_errno; /* why nobody may write, as the kernel says; 0: it does not */
	uint64_t written;
	char log[4096];   /* "w" write, "t" truncate, "s" sync, "d" delete; in capitals for a
			     journal */
	char files[4096]; /* "m" for the mark and its journal, "s" for others */
} disk;

struct shim_file {
	sqlite3_file base;
	bool journal, mark;
	sqlite3_file *real;
};

static void reset_disk(void)
{
	disk.plan = PASS;
	disk.system_errno = 0;
	disk.count = 0;
	disk.read_only = false;
	disk.access_errno = 0;
	disk.written = 0;
	memset(disk.log, 0, sizeof(disk.log));
	memset(disk.files, 0, sizeof(disk.files));
}

static void plan_failure(enum plan plan, int at, int code)
{
	reset_disk();
	disk.plan = plan;
	disk.at = at;
	disk.code = code;
}

static int operation(char what, bool journal, bool mark)
{
	size_t len = strlen(disk.log);

	if (len + 1 < sizeof(disk.log)) {
		disk.log[len] = journal ? (char)(what - 32) : what;
		disk.files[len] = mark ? 'm' : 's';
	}
	disk.count++;
	bool fails = (disk.plan == FAIL_ONCE && disk.count == disk.at) ||
		     (disk.plan == FAIL_AFTER && disk.count >= disk.at);
	if (!fails)
		return SQLITE_OK;
	errno = disk.system_errno; // what xGetLastError looks at
	return disk.code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

static int operate(sqlite3_file *file, char what)
{
	const struct shim_file *shim = (struct shim_file *)file;
	return operation(what, shim->journal, shim->mark);
}

static int shim_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), out, len, at);
}

static int shim_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	int code = operate(file, 'w');
	disk.written += code ? 0 : (uint64_t)len;
	return code ? code : real_of(file)->pMethods->xWrite(real_of(file), bytes, len, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = operate(file, 't');
	return code ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

// No test here cuts the power: what a process that dies has written is there.
static int shim_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	return operate(file, 's');
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 1,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_traits,
};

int faccessat(int at, const char *name, int mode, int flags)
{
	(void)at, (void)name, (void)flags;
	errno = disk.access_errno;
	return mode == W_OK && errno ? -1 : 0;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
	struct shim_file *shim = (struct shim_file *)file;

	(void)vfs;
	if (disk.read_only && (flags & SQLITE_OPEN_MAIN_DB)) {
		flags &= ~SQLITE_OPEN_READWRITE;
		flags |= SQLITE_OPEN_READONLY;
	}
	shim->real = (sqlite3_file *)(shim + 1);
	shim->journal = flags & SQLITE_OPEN_MAIN_JOURNAL;
	shim->mark = name && strstr(name, ".mark");
	int code = disk.real->xOpen(disk.real, name, shim->real, flags, got);
	shim->base.pMethods = shim->real->pMethods ? &shim_methods : NULL;
	return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	int code = operation('d', strstr(name, "-journal") != NULL, strstr(name, ".mark") != NULL);
	return code ? code : disk.real->xDelete(disk.real, name, sync);
}

static void install_shim(void)
{
	static sqlite3_vfs shim;

	disk.real = sqlite3_vfs_find(NULL);
	shim = *disk.real;
	shim.zName = "shim";
	shim.szOsFile = (int)sizeof(struct shim_file) + disk.real->szOsFile;
	shim.xOpen = shim_open;
	shim.xDelete = shim_delete;
	assert_int_equal(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
}

/*
 * A directory for each test
 */

static char top[64], dir[128], path[192], mark[192];
static const struct gw_store_place place = { path, mark };
static char error[GW_STORE_ERROR];

static int set_up(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/test_store.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/state", top);
	snprintf(path, sizeof(path), "%s/state.db", dir);
	snprintf(mark, sizeof(mark), "%s/lib/state.mark", top);
	memset(error, 0, sizeof(error));
	reset_disk();
	umask(0);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int tear_down(void **state)
{
	(void)state;
	reset_disk();
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_as_is(struct gw_store **store)
{
	enum gw_store_found found;
	return gw_store_open(&place, GW_STORE_AS_IS, store, &found, error, sizeof(error));
}

static struct gw_store *open_store(void)
{
	struct gw_store *store = NULL;
	enum gw_store_found found;
	int err = gw_store_open(&place, GW_STORE_AS_IS, &store, &found, error, sizeof(error));

	if (err)
		fail_msg("cannot open: %d %s", err, error);
	if (found != GW_STORE_NEW && found != GW_STORE_CURRENT)
		fail_msg("found %d", found);
	return store;
}

// As if there never had been one.
static void forget_store(void)
{
	char journal[256];

	for (size_t i = 0; i < 2; i++) {
		const char *name = i == 0 ? path : mark;
		unlink(name);
		snprintf(journal, sizeof(journal), "%s-journal", name);
		unlink(journal);
	}
}

// That it is refused with this error, that the message names the file, and says 'word'.
static void assert_refused(int expected, const char *word)
{
	struct gw_store *store = (struct gw_store *)&store;

	error[0] = '\0';
	assert_int_equal(open_as_is(&store), expected);
	assert_ptr_equal(store, &store);
	if (strncmp(error, path, strlen(path)) != 0 || !strstr(error, word))
		fail_msg("\"%s\" names no \"%s\"", error, word);
}

static struct gk_record record(enum gk_table table, const char *key, const char *value)
{
	return (struct gk_record){ table, gk_span_str(key), gk_span_str(value), false };
}

static int append_record(void *ctx, const struct gk_record *got)
{
	char *text = ctx;

	snprintf(text + strlen(text), 512 - strlen(text), "%d %.*s=%.*s;", (int)got->table,
		 (int)got->key.len, (const char *)got->key.data, (int)got->value.len,
		 (const char *)got->value.data);
	return 0;
}

static const char *content(struct gw_store *store)
{
	static char text[512];

	text[0] = '\0';
	assert_int_equal(gw_store_load(store, append_record, text), 0);
	return text;
}

/* What is expected, in which order; 'at' counts what has come. */
struct listing {
	const struct gk_record *records;
	const size_t *order;
	size_t at;
};

static int compare_record(void *ctx, const struct gk_record *got)
{
	struct listing *listing = ctx;
	const struct gk_record *want = &listing->records[listing->order[listing->at++]];

	assert_int_equal(got->table, want->table);
	assert_true(gk_span_equal(got->key, want->key));
	assert_true(gk_span_equal(got->value, want->value));
	return 0;
}

#define BEFORE "1 =kdc;3 lights=num 1;4 lights/a=present;16 =at 1;"
#define AFTER  "1 =kdc;3 lights=num 2;4 lights/b=present;16 =at 2;17 lights/a=banned;"

static void fill(struct gw_store *store)
{
	struct gk_record records[] = {
		record(GK_TABLE_MEMBER, "lights/a", "present"),
		record(GK_TABLE_KDC, "", "kdc"),
		record(GK_TABLE_GROUP, "lights", "num 1"),
		record(GK_TABLE_MEMBER, "lights/b", ""),
		record(GK_TABLE_BAN, "lights/a", ""),
		record(GK_TABLE_MARK, "", "at 1"),
	};

	assert_int_equal(gw_store_commit(store, records, 6), 0);
	assert_string_equal(content(store), BEFORE);
}

// One changed, one deleted, one new: from BEFORE to AFTER.
static int change(struct gw_store *store)
{
	struct gk_record records[] = {
		record(GK_TABLE_GROUP, "lights", "num 2"),
		record(GK_TABLE_MEMBER, "lights/a", ""),
		record(GK_TABLE_MEMBER, "lights/b", "present"),
		record(GK_TABLE_MARK, "", "at 2"),
		record(GK_TABLE_BAN, "lights/a", "banned"),
	};

	return gw_store_commit(store, records, 5);
}

static void make_store(void)
{
	struct gw_store *store = open_store();

	fill(store);
	gw_store_close(store);
}

// Written once more: SHA-256 over kind and length of the key in 4 bytes each, key, value.
static void put_checksum(sqlite3_context *context, int count, sqlite3_value **args)
{
	uint32_t numbers[] = { (uint32_t)sqlite3_value_int64(args[0]),
			       (uint32_t)sqlite3_value_bytes(args[1]) };
	uint8_t bytes[256], hash[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	(void)count;
	for (size_t i = 0; i < 2; i++) {
		uint32_t number = htonl(numbers[i]);
		gk_buf_add(&buf, gk_span(&number, 4));
	}
	for (size_t i = 1; i < 3; i++)
		gk_buf_add(&buf, gk_span(sqlite3_value_blob(args[i]),
					 (size_t)sqlite3_value_bytes(args[i])));
	assert_int_equal(gk_sha256(gk_buf_span(&buf), hash), GK_OK);
	sqlite3_result_blob(context, hash, 8, SQLITE_TRANSIENT);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_create_function(db, "checksum_of", 3, SQLITE_UTF8, NULL, put_checksum, NULL, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static int count_rows(const char *sql)
{
	char attach[256];
	sqlite3_stmt *row;
	sqlite3 *db;

	snprintf(attach, sizeof(attach), "ATTACH '%s' AS mark", mark);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int count = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return count;
}

// It has the store's lasting records, what the store says of itself, and nothing else.
static void assert_mark_follows(void)
{
	assert_int_equal(
		count_rows("SELECT count(*) FROM (SELECT * FROM main.record WHERE kind = 0 "
			   "OR kind >= 16 EXCEPT SELECT * FROM mark.record)"),
		0);
	assert_int_equal(count_rows("SELECT count(*) FROM (SELECT * FROM mark.record EXCEPT "
				    "SELECT * FROM main.record)"),
			 0);
}

static int mode_of(const char *name)
{
	struct stat st;
	return lstat(name, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

/*
 * Records
 */

static void records_come_back_in_order_of_table_and_key(void **state)
{
	(void)state;
	make_store();
	struct gw_store *store = open_store();
	assert_string_equal(content(store), BEFORE);
	gw_store_close(store);
}

#define KEYED(text) gk_span((text), sizeof(text) - 1)

// Group name, 0, level, index; group name, 0, part: these have zeros, and order by their bytes.
static void trees_and_their_messages_come_after_members_and_in_order(void **state)
{
	static const uint8_t cast[1400] = { 0x58, [1399] = 0xff };
	const struct gk_record records[] = {
		{ GK_TABLE_CAST, KEYED("g\0\0\1"), gk_span(cast, sizeof(cast)), false },
		{ GK_TABLE_CAST, KEYED("g\0\0\0"), gk_span_str("first part"), false },
		{ GK_TABLE_TREE, KEYED("g\0\1\0\0"), gk_span_str("above"), false },
		{ GK_TABLE_TREE, KEYED("g\0\0\1\0"), gk_span_str("leaf 256"), false },
		{ GK_TABLE_TREE, KEYED("g\0\0\0\xff"), gk_span_str("leaf 255"), false },
		{ GK_TABLE_TREE, KEYED("g-\0\0\0\0"), gk_span_str("of another group"), false },
		{ GK_TABLE_MEMBER, KEYED("z\0z"), gk_span_str("member"), false },
	};
	static const size_t order[] = { 6, 4, 3, 2, 5, 1, 0 };
	struct listing listing = { records, order, 0 };
	(void)state;
	struct gw_store *store = open_store();
	assert_int_equal(gw_store_commit(store, records, 7), 0);
	gw_store_close(store);
	store = open_store();
	assert_int_equal(gw_store_load(store, compare_record, &listing), 0);
	assert_int_equal(listing.at, 7);
	gw_store_close(store);
}

static void a_record_replaces_and_an_empty_one_deletes(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	fill(store);
	assert_int_equal(change(store), 0);
	assert_string_equal(content(store), AFTER);
	gw_store_close(store);

	store = open_store();
	assert_string_equal(content(store), AFTER);
	gw_store_close(store);
}

static void of_one_key_in_a_batch_the_last_record_counts(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	struct gk_record records[] = {
		record(GK_TABLE_GROUP, "g", ""),  record(GK_TABLE_GROUP, "g", "1"),
		record(GK_TABLE_GROUP, "g", "2"), record(GK_TABLE_GROUP, "h", "3"),
		record(GK_TABLE_GROUP, "h", ""),
	};
	assert_int_equal(gw_store_commit(store, records, 5), 0);
	assert_string_equal(content(store), "3 g=2;");
	gw_store_close(store);
}

static void a_batch_of_none_is_no_work(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	reset_disk();
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	assert_string_equal(disk.log, "");
	gw_store_close(store);
}

static int take_bytes(void *ctx, const struct gk_record *got)
{
	const struct gk_record *want = ctx;

	assert_int_equal(got->table, want->table);
	assert_true(gk_span_equal(got->key, want->key));
	assert_true(gk_span_equal(got->value, want->value));
	return 0;
}

static void no_bytes_are_a_key_too(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	struct gk_record nameless = { GK_TABLE_KDC, gk_span(NULL, 0), gk_span_str("kdc"), false };
	assert_int_equal(gw_store_commit(store, &nameless, 1), 0);
	assert_string_equal(content(store), "1 =kdc;");
	nameless.value.len = 0;
	assert_int_equal(gw_store_commit(store, &nameless, 1), 0);
	assert_string_equal(content(store), "");
	gw_store_close(store);
}

static void keys_and_values_are_any_bytes(void **state)
{
	(void)state;
	static uint8_t large[20000];
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7);
	struct gk_record want = { GK_TABLE_MEMBER, gk_span("g\0n", 3),
				  gk_span(large, sizeof(large)), false };

	struct gw_store *store = open_store();
	assert_int_equal(gw_store_commit(store, &want, 1), 0);
	assert_int_equal(gw_store_load(store, take_bytes, &want), 0);
	gw_store_close(store);
}

static int stop_at_group(void *ctx, const struct gk_record *got)
{
	++*(int *)ctx;
	return got->table == GK_TABLE_GROUP ? GK_ERR_MALFORMED : 0;
}

static void loading_stops_when_told_and_can_be_done_again(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	int seen = 0;
	fill(store);
	assert_int_equal(gw_store_load(store, stop_at_group, &seen), GK_ERR_MALFORMED);
	assert_int_equal(seen, 2);
	assert_string_equal(content(store), BEFORE);
	assert_int_equal(change(store), 0);
	gw_store_close(store);
}

static void a_record_that_is_not_ours_is_damage(void **state)
{
	static const char *const rows[] = {
		"0, x'00', x'00'",     "-1, x'00', x'00'",  "4294967296, x'00', x'00'",
		"'one', x'00', x'00'", "1, 'text', x'00'",  "1, x'00', 'text'",
		"1, x'00', x''",       "1.5, x'00', x'00'",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char sql[128];
		make_store();
		snprintf(sql, sizeof(sql), "INSERT INTO record VALUES(%s, checksum_of(%s))",
			 rows[i], rows[i]);
		run_sql(sql);

		struct gw_store *store = NULL;
		int err = open_as_is(&store);
		gw_store_close(store);
		if (err != -EUCLEAN)
			fail_msg("%s: got %d, want %d", rows[i], err, -EUCLEAN);
		forget_store();
	}
}

static void what_turned_over_on_the_disk_is_damage(void **state)
{
	static const struct {
		const char *change;
		int err;
	} rows[] = {
		{ "value = x'6e756d2033' WHERE kind = 3", -EUCLEAN }, // num 3
		{ "value = x'6e756d' WHERE kind = 3", -EUCLEAN },
		{ "key = x'4c6967687473' WHERE kind = 3", -EUCLEAN }, // Lights
		{ "kind = 2 WHERE kind = 3", -EUCLEAN },
		{ "key = x'6c6967687473206e', value = x'756d2031' WHERE kind = 3", -EUCLEAN },
		{ "checksum = x'0000000000000000' WHERE kind = 3", -EUCLEAN },
		{ "checksum = x'' WHERE kind = 3", -EUCLEAN },
		{ "checksum = 'checksum' WHERE kind = 3", -EUCLEAN },
		{ "checksum = checksum_of(kind, key, value)", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char sql[160];
		make_store();
		snprintf(sql, sizeof(sql), "UPDATE record SET %s", rows[i].change);
		run_sql(sql);

		struct gw_store *store = NULL;
		int err = open_as_is(&store);
		gw_store_close(store);
		if (err != rows[i].err)
			fail_msg("%s: got %d, want %d", rows[i].change, err, rows[i].err);
		forget_store();
	}
}

static void a_store_is_empty_until_it_has_a_record(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	assert_string_equal(content(store), "");
	fill(store);
	assert_string_equal(content(store), BEFORE);
	gw_store_close(store);
}

/*
 * What is on the disk
 */

static void files_are_private_whatever_the_umask(void **state)
{
	char journal[256];
	(void)state;
	make_store();
	assert_int_equal(mode_of(dir), 0700);
	assert_int_equal(mode_of(path), 0600);

	struct gw_store *store = open_store();
	assert_int_equal(change(store), 0);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	assert_int_equal(mode_of(journal), 0600);
	gw_store_close(store);
}

static const char *skip_commit(const char *log, char file)
{
	const char *at = log + strspn(log, "WS");

	assert_true(at > log + 2 && at[-1] == 'S');
	assert_true(strspn(at, "w") > 0);
	at += strspn(at, "w");
	assert_memory_equal(at, "sTS", 3);
	for (const char *each = log; each < at + 3; each++)
		assert_int_equal(disk.files[each - disk.log], file);
	return at + 3;
}

static void a_commit_ends_with_the_sync_of_an_empty_journal(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	fill(store);
	reset_disk();
	assert_int_equal(change(store), 0);
	// journal written and synced, database written and synced, journal truncated and synced;
	// first the store, then the mark
	const char *log = skip_commit(disk.log, 's');
	assert_string_equal(skip_commit(log, 'm'), "");
	gw_store_close(store);
}

#define BATCH 1000

// However much it is, it is cut in two by no power cut.
static void a_thousand_records_are_one_transaction(void **state)
{
	static struct gk_record records[BATCH];
	static char keys[BATCH][16];
	(void)state;
	for (size_t i = 0; i < BATCH; i++) {
		snprintf(keys[i], sizeof(keys[i]), "lights/%zu", i);
		records[i] = record(i % 2 ? GK_TABLE_MEMBER : GK_TABLE_BAN, keys[i], "value");
	}
	struct gw_store *store = open_store();
	reset_disk();
	assert_int_equal(gw_store_commit(store, records, BATCH), 0);
	const char *log = skip_commit(disk.log, 's');
	assert_string_equal(skip_commit(log, 'm'), "");
	gw_store_close(store);
	assert_int_equal(count_rows("SELECT count(*) FROM main.record"), BATCH + 1);
	assert_mark_follows();
}

static bool file_holds(const char *name, const char *text)
{
	static char bytes[1 << 17];
	int fd = open(name, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t len = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(len >= 0 && len < (ssize_t)sizeof(bytes));
	return memmem(bytes, (size_t)len, text, strlen(text)) != NULL;
}

// How many of the files of both hold the text.
static int files_that_hold(const char *text)
{
	static const char *const suffixes[] = { "", "-journal" };
	char name[256];
	int count = 0;

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", i < 2 ? path : mark, suffixes[i % 2]);
		assert_int_equal(mode_of(name), 0600);
		count += file_holds(name, text);
	}
	return count;
}

static void an_old_key_is_nowhere_once_it_is_replaced(void **state)
{
	struct gk_record old[] = {
		record(GK_TABLE_GROUP, "lights", "secret-of-yesterday-of-32-bytes."),
		record(GK_TABLE_CLIENT, "c", "secret-of-a-client"),
		record(GK_TABLE_BAN, "c", "secret-of-the-mark"),
	};
	struct gk_record new[] = { record(GK_TABLE_GROUP, "lights", "today"),
				   record(GK_TABLE_CLIENT, "c", ""),
				   record(GK_TABLE_BAN, "c", "") };
	(void)state;
	struct gw_store *store = open_store();
	assert_int_equal(gw_store_commit(store, old, 3), 0);
	assert_int_equal(files_that_hold("secret-of-yesterday-of-32-bytes."), 1);
	assert_int_equal(files_that_hold("secret-of-the-mark"), 2);
	assert_int_equal(gw_store_commit(store, new, 3), 0);
	assert_int_equal(files_that_hold("secret-of-"), 0);
	gw_store_close(store);
}

static void what_is_written_is_counted(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	assert_int_equal(gw_store_written(store), disk.written);
	disk.written = 0;
	uint64_t before = gw_store_written(store);
	fill(store);
	assert_true(disk.written > 0);
	assert_int_equal(gw_store_written(store) - before, disk.written);
	gw_store_close(store);
	store = open_store();
	before = disk.written;
	assert_true(gw_store_written(store) < before);
	gw_store_close(store);
}

/*
 * Failure
 */

static void assert_content(struct gw_store *store, const char *want, int at, int code)
{
	const char *got = content(store);

	if (strcmp(got, want) != 0)
		fail_msg("operation %d failing with %d:\n got %s\nwant %s", at, code, got, want);
}

// One commit in which the disk fails at operation 'at'. @return false: it had fewer operations
static bool fail_and_retry(enum plan plan, int at, int code, int expected)
{
	struct gw_store *store = open_store();

	fill(store);
	plan_failure(plan, at, code);
	int err = change(store);
	bool hit = disk.count >= at;
	bool journal_was_cut = strchr(disk.log, 'T') && disk.log[at - 1] == 'S';
	bool of_mark = disk.files[at - 1] == 'm';
	reset_disk();
	if (err != (hit ? expected : 0))
		fail_msg("operation %d failing with %d gave %d", at, code, err);

	// The very last sync: nobody can know. And the store goes before the mark.
	if (of_mark)
		assert_content(store, AFTER, at, code);
	else if (!journal_was_cut)
		assert_content(store, hit ? BEFORE : AFTER, at, code);
	assert_int_equal(change(store), 0);
	assert_content(store, AFTER, at, code);
	gw_store_close(store);
	store = open_store();
	assert_content(store, AFTER, at, code);
	gw_store_close(store);
	assert_mark_follows();
	forget_store();
	return hit;
}

static void failed_commit_changes_nothing_and_can_be_retried(void **state)
{
	static const struct {
		int code, expected;
	} rows[] = {
		{ SQLITE_FULL, -ENOSPC },
		{ SQLITE_IOERR_WRITE, -EIO },
	};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (enum plan plan = FAIL_ONCE; plan <= FAIL_AFTER; plan++) {
			int at = 1;
			while (fail_and_retry(plan, at, rows[i].code, rows[i].expected))
				at++;
			assert_true(at > 16);
		}
	}
}

// The caller tries the same again, and more may have come to it; whatever it is, the mark follows.
static void what_the_mark_missed_comes_with_the_next_commit(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	fill(store);
	reset_disk();
	assert_int_equal(change(store), 0);
	int at = 1 + (int)strcspn(disk.files, "m");
	fill(store);
	plan_failure(FAIL_ONCE, at, SQLITE_FULL);
	assert_int_equal(change(store), -ENOSPC);
	reset_disk();
	struct gk_record other = record(GK_TABLE_GROUP, "doors", "num 1");
	assert_int_equal(gw_store_commit(store, &other, 1), 0);
	gw_store_close(store);
	assert_mark_follows();
	assert_int_equal(count_rows("SELECT count(*) FROM mark.record WHERE kind = 17"), 1);
}

// Of both files, and of whichever call the system refused.
static void what_the_system_said_is_what_is_reported(void **state)
{
	static const struct {
		int code, system_errno, expected;
	} rows[] = {
		{ SQLITE_IOERR_FSYNC, ENOSPC, -ENOSPC },
		{ SQLITE_IOERR_WRITE, EDQUOT, -ENOSPC },
		{ SQLITE_CANTOPEN, ENOSPC, -ENOSPC },
		{ SQLITE_IOERR_TRUNCATE, EROFS, -EROFS },
		{ SQLITE_CANTOPEN, EROFS, -EROFS },
		{ SQLITE_IOERR_WRITE, EIO, -EIO },
		{ SQLITE_CANTOPEN, EACCES, -EACCES },
		{ SQLITE_READONLY, 0, -EROFS },
		{ SQLITE_NOMEM, 0, -ENOMEM },
		{ SQLITE_CORRUPT, ENOSPC, -EUCLEAN },
	};
	(void)state;
	struct gw_store *store = open_store();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		// The first of the store's operations, and the first of the mark's.
		fill(store);
		reset_disk();
		assert_int_equal(change(store), 0);
		int at[] = { 1, 1 + (int)strcspn(disk.files, "m") };
		for (size_t j = 0; j < 2; j++) {
			fill(store);
			plan_failure(FAIL_ONCE, at[j], rows[i].code);
			disk.system_errno = rows[i].system_errno;
			int err = change(store);
			reset_disk();
			if (err != rows[i].expected)
				fail_msg("row %zu, operation %d: got %d", i, at[j], err);
			assert_int_equal(change(store), 0);
		}
	}
	gw_store_close(store);
}

static void a_record_that_is_too_large_takes_its_batch_with_it(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	fill(store);
	struct gk_record records[] = { record(GK_TABLE_GROUP, "lights", "num 2"),
				       record(GK_TABLE_MEMBER, "lights/b", "present") };
	records[1].value.len = (size_t)1 << 31; // refused before it is looked at
	assert_int_equal(gw_store_commit(store, records, 2), -E2BIG);
	assert_string_equal(content(store), BEFORE);
	assert_int_equal(change(store), 0);
	assert_string_equal(content(store), AFTER);
	gw_store_close(store);
}

// A process that dies at operation 'at' of a commit. @return what the commit returned in it
static int die_in_commit(int at)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct gw_store *store = NULL;
		if (open_as_is(&store))
			_exit(2);
		plan_failure(FAIL_AFTER, at, SQLITE_IOERR);
		_exit(change(store) == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

static void killed_commit_is_there_whole_or_not_at_all(void **state)
{
	(void)state;
	int died = 1;
	make_store();
	for (int at = 1; died; at++) {
		assert_true(at < 100);
		died = die_in_commit(at);
		struct gw_store *store = open_store();
		const char *got = content(store);
		// Truncated and not yet synced, the journal says that all is done.
		if (strcmp(got, died ? BEFORE : AFTER) != 0 && strcmp(got, AFTER) != 0)
			fail_msg("killed at operation %d: got %s", at, got);
		fill(store);
		gw_store_close(store);
		assert_mark_follows();
	}
}

static void no_store(void)
{
	forget_store();
}

static void a_first_store(void)
{
	static char bytes[1 << 16];
	int fd = open(GK_TOP "/tests/data/store/v1-first.db", O_RDONLY);
	ssize_t len = read(fd, bytes, sizeof(bytes));

	close(fd);
	assert_true(len > 0);
	forget_store();
	mkdir(dir, 0700);
	write_file(path, bytes, (size_t)len, 0600);
}

// As a power cut between the two commits leaves it.
static void a_store_ahead(void)
{
	forget_store();
	make_store();
	struct gw_store *store = open_store();
	reset_disk();
	assert_int_equal(change(store), 0);
	int at = 1 + (int)strcspn(disk.files, "m");
	gw_store_close(store);
	forget_store();
	make_store();
	assert_int_equal(die_in_commit(at), 1);
	assert_int_equal(count_rows("SELECT count(*) FROM mark.record WHERE kind = 17"), 0);
	assert_int_equal(count_rows("SELECT count(*) FROM main.record WHERE kind = 17"), 1);
}

// A start in which the disk fails at operation 'at'. @return false: it had fewer operations
static bool fail_start(int at, int code, int expected)
{
	struct gw_store *store = NULL;
	char made[256];

	plan_failure(FAIL_ONCE, at, code);
	int err = open_as_is(&store);
	bool hit = disk.count >= at;
	reset_disk();
	gw_store_close(store);
	if (err != (hit ? expected : 0))
		fail_msg("operation %d failing with %d gave %d: %s", at, code, err, error);
	for (size_t i = 0; i < 2; i++) {
		snprintf(made, sizeof(made), "%s.new", i == 0 ? path : mark);
		assert_int_equal(mode_of(made), -1);
	}
	return hit;
}

// What comes next finds what there was, or what was to be made, whole.
static void a_start_that_fails_can_be_repeated(void **state)
{
	static const struct {
		void (*prepare)(void);
		int least; /* operations */
	} rows[] = {
		{ no_store, 12 },
		{ a_first_store, 12 },
		{ a_store_ahead, 6 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int at = 0;
		bool hit;
		do {
			rows[i].prepare();
			hit = fail_start(++at, SQLITE_FULL, -ENOSPC);
			gw_store_close(open_store());
			assert_mark_follows();
		} while (hit);
		assert_true(at > rows[i].least);
	}
}

static int open_as(enum gw_store_wish wish, struct gw_store **store, enum gw_store_found *found)
{
	*store = NULL;
	return gw_store_open(&place, wish, store, found, error, sizeof(error));
}

// Damaged, and no mark: what is begun then is never taken for a new store, or the one before.
static void a_beginning_that_fails_can_be_repeated(void **state)
{
	struct gw_store *store;
	enum gw_store_found found;
	bool hit = true;
	(void)state;
	for (int at = 1; hit; at++) {
		make_store();
		assert_int_equal(truncate(path, 100), 0);
		assert_int_equal(unlink(mark), 0);
		strcat(strcpy(error, mark), "-journal");
		unlink(error);
		plan_failure(FAIL_ONCE, at, SQLITE_FULL);
		int err = open_as(GW_STORE_FRESH, &store, &found);
		hit = disk.count >= at;
		reset_disk();
		gw_store_close(store);
		assert_int_equal(err, hit ? -ENOSPC : 0);
		err = open_as(GW_STORE_AS_IS, &store, &found);
		gw_store_close(store);
		if (err != -EUCLEAN && (err || found != GW_STORE_BEGUN_BLIND))
			fail_msg("operation %d: %d, found %d", at, err, found);
		assert_int_equal(open_as(GW_STORE_FRESH, &store, &found), 0);
		assert_int_equal(found, GW_STORE_BEGUN_BLIND);
		assert_string_equal(content(store), "");
		fill(store);
		gw_store_close(store);
		gw_store_close(open_store());
		assert_mark_follows();
		assert_true(hit || at > 6);
		forget_store();
	}
}

// Until it has succeeded, the store is refused as before; and it can be tried again at once.
static void an_adoption_that_fails_can_be_repeated(void **state)
{
	struct gw_store *store;
	enum gw_store_found found;
	bool hit = true;
	(void)state;
	for (int at = 1; hit; at++) {
		bool again = at % 2;
		make_store();
		assert_int_equal(truncate(mark, 100), 0);
		assert_int_equal(open_as(GW_STORE_ADOPT, &store, &found), 0);
		assert_int_equal(found, GW_STORE_ADOPTED);
		plan_failure(FAIL_ONCE, at, SQLITE_FULL);
		int err = change(store);
		hit = disk.count >= at;
		reset_disk();
		assert_int_equal(err, hit ? -ENOSPC : 0);
		if (again)
			assert_int_equal(change(store), 0);
		gw_store_close(store);
		err = open_as(GW_STORE_AS_IS, &store, &found);
		if (!hit || again)
			assert_string_equal(content(store), AFTER);
		gw_store_close(store);
		if (err != -ESTALE && (err || found != GW_STORE_CURRENT))
			fail_msg("operation %d: %d, found %d", at, err, found);
		if (!err)
			assert_mark_follows();
		assert_true(hit || at > 12);
		forget_store();
	}
}

/*
 * What is refused
 */

static void a_second_daemon_is_refused(void **state)
{
	(void)state;
	struct gw_store *store = open_store();
	fill(store);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct gw_store *second = NULL;
		int err = open_as_is(&second);
		_exit(err == -EBUSY && !second && strstr(error, "in use") ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(change(store), 0);
	gw_store_close(store);
	gw_store_close(open_store());
}

static void nobody_enters_while_another_starts(void **state)
{
	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_refused(-EBUSY, "starting");
	assert_int_equal(mode_of(path), -1);
	close(fd);
	gw_store_close(open_store());
}

static void what_an_unfinished_start_left_is_made_anew(void **state)
{
	char made[256];
	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(made, sizeof(made), "%s.new", path);
	write_file(made, "half", 4, 0666);
	make_store();
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(mode_of(made), -1);
}

static void a_foreign_database_is_refused_and_left_alone(void **state)
{
	(void)state;
	mkdir(dir, 0700);
	run_sql("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
	chmod(path, 0600);
	assert_refused(-EUCLEAN, "not a store of gatewayd");
	run_sql("INSERT INTO t VALUES(2)");
}

static void a_later_version_is_refused(void **state)
{
	(void)state;
	make_store();
	run_sql("PRAGMA user_version=4");
	assert_refused(-EPROTO, "later version of gatewayd: user_version 4, and this one knows 3");
	assert_refused(-EPROTO, "knows 3; install that version again, or start once with --fresh");
	run_sql("PRAGMA user_version=0");
	assert_refused(-EUCLEAN, "not our tables");
	// What it says of itself came with version 3.
	run_sql("PRAGMA user_version=2");
	assert_refused(-EUCLEAN, "which it is");
}

static void tables_that_are_not_ours_are_refused(void **state)
{
	(void)state;
	make_store();
	run_sql("CREATE TRIGGER t AFTER DELETE ON record BEGIN INSERT INTO record "
		"VALUES(old.kind, old.key, old.value); END");
	assert_refused(-EUCLEAN, "tables");
}

static void text_in_the_place_of_the_store_is_refused(void **state)
{
	static char text[8192];
	(void)state;
	memset(text, 'x', sizeof(text));
	mkdir(dir, 0700);
	write_file(path, text, sizeof(text), 0600);
	assert_refused(-EUCLEAN, "--fresh");
}

static void an_empty_file_is_damage(void **state)
{
	(void)state;
	make_store();
	assert_int_equal(truncate(path, 0), 0);
	assert_refused(-EUCLEAN, "empty");
}

static void a_file_cut_short_is_damage(void **state)
{
	struct stat st;
	(void)state;
	make_store();
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size - 1; size > 0; size -= 511) {
		assert_int_equal(truncate(path, size), 0);
		assert_refused(-EUCLEAN, "--fresh");
	}
}

static void a_file_cut_where_no_record_is_is_damage_too(void **state)
{
	static const uint8_t large[20000] = { 1 };
	struct gk_record record = { GK_TABLE_GROUP, gk_span_str("g"), gk_span(large, 20000),
				    false };
	struct stat st;
	(void)state;
	struct gw_store *store = open_store();
	assert_int_equal(gw_store_commit(store, &record, 1), 0);
	record.value.len = 0;
	assert_int_equal(gw_store_commit(store, &record, 1), 0);
	gw_store_close(store);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 20000);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_refused(-EUCLEAN, "length");
}

static void a_page_of_garbage_is_damage(void **state)
{
	static const char garbage[64] = "garbage";
	(void)state;
	make_store();
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, garbage, sizeof(garbage), 4096), sizeof(garbage));
	close(fd);
	assert_refused(-EUCLEAN, "damaged");
}

// It says that a store was here; with the mark, which says more, see test_store_mark.c.
static void a_journal_without_its_store_is_refused(void **state)
{
	char journal[256];
	(void)state;
	make_store();
	forget_store();
	snprintf(journal, sizeof(journal), "%s-journal", path);
	write_file(journal, "", 0, 0600);
	assert_refused(-EUCLEAN, journal);
	assert_int_equal(mode_of(path), -1);
}

static void a_journal_that_is_not_empty_is_played_into_no_other_store(void **state)
{
	char journal[256];
	(void)state;
	make_store();
	assert_int_equal(unlink(path), 0);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	write_file(journal, "pages", 5, 0600);
	assert_refused(-EUCLEAN, journal);
	assert_int_equal(mode_of(path), -1);
}

static void a_store_that_others_may_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602 };
	(void)state;
	make_store();
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_refused(-EPERM, "chmod 600");
	}
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(dir, 0770), 0);
	assert_refused(-EPERM, "chmod go-w");
	assert_int_equal(chmod(dir, 0755), 0);
	gw_store_close(open_store());
}

static void what_belongs_to_another_user_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_store();
	assert_int_equal(chown(path, 1, (gid_t)-1), 0);
	assert_refused(-EPERM, "another user");
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	assert_int_equal(chown(dir, 1, (gid_t)-1), 0);
	assert_refused(-EPERM, "its directory belongs to another user");
	assert_int_equal(chown(dir, 0, (gid_t)-1), 0);
	gw_store_close(open_store());
}

static void a_link_is_not_followed(void **state)
{
	char other[256];
	(void)state;
	make_store();
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_refused(-EUCLEAN, "not a file");
}

// Where 'name' is copied over, or, 'moved', put into the place of the other.
static void put_back(const char *name, const char *over, bool moved)
{
	static char bytes[1 << 16];
	int fd = open(name, O_RDONLY);
	ssize_t len = read(fd, bytes, sizeof(bytes));

	close(fd);
	assert_true(len > 0);
	if (moved)
		assert_int_equal(rename(name, over), 0);
	else
		write_file(over, bytes, (size_t)len, 0600);
}

static void keep_copy(const char *name, const char *copy)
{
	put_back(name, copy, false);
}

// SQLite would go on from the pages that it has in memory.
static void a_backup_that_is_put_back_under_us_is_not_mixed_with_what_we_know(void **state)
{
	char copy[256];
	(void)state;
	for (int row = 0; row < 4; row++) {
		const char *victim = row < 2 ? path : mark;
		enum gw_store_found found;
		make_store();
		struct gw_store *store = open_store();
		snprintf(copy, sizeof(copy), "%s.copy", victim);
		keep_copy(victim, copy);
		usleep(20000); // what a file system tells apart
		assert_int_equal(change(store), 0);
		put_back(copy, victim, row % 2);
		assert_int_equal(change(store), -ESTALE);
		assert_int_equal(change(store), -ESTALE);
		gw_store_close(store);
		assert_int_equal(
			gw_store_open(&place, GW_STORE_AS_IS, &store, &found, error, sizeof(error)),
			0);
		assert_int_equal(found, victim == path ? GW_STORE_OLD : GW_STORE_CURRENT);
		gw_store_close(store);
		forget_store();
		unlink(copy);
	}
}

static void assert_found(enum gw_store_found expected)
{
	struct gw_store *store;
	enum gw_store_found found;

	if (gw_store_open(&place, GW_STORE_AS_IS, &store, &found, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(found, expected);
	if (found != GW_STORE_CURRENT)
		fill(store);
	gw_store_close(store);
}

/* @return the first operation of change() that is of the mark */
static int first_of_mark(void)
{
	make_store();
	struct gw_store *store = open_store();
	reset_disk();
	assert_int_equal(change(store), 0);
	int at = 1 + (int)strcspn(disk.files, "m");
	gw_store_close(store);
	forget_store();
	return at;
}

static void a_backup_of_what_the_mark_never_saw_is_old(void **state)
{
	char copy[256];
	(void)state;
	int at = first_of_mark();
	make_store();
	struct gw_store *store = open_store();
	plan_failure(FAIL_AFTER, at, SQLITE_IOERR_WRITE);
	assert_int_equal(change(store), -EIO);
	reset_disk();
	snprintf(copy, sizeof(copy), "%s.copy", path);
	keep_copy(path, copy);
	fill(store);
	gw_store_close(store);
	put_back(copy, path, false);
	assert_found(GW_STORE_OLD);
}

static void a_store_that_was_ahead_of_the_mark_is_old_once_another_went_on(void **state)
{
	char older[256], ahead[256];
	(void)state;
	int at = first_of_mark();
	snprintf(older, sizeof(older), "%s.older", path);
	snprintf(ahead, sizeof(ahead), "%s.ahead", path);
	make_store();
	keep_copy(path, older);
	struct gw_store *store = open_store();
	assert_int_equal(change(store), 0);
	gw_store_close(store);
	assert_int_equal(die_in_commit(at), 1);
	keep_copy(path, ahead);
	put_back(older, path, false);
	assert_found(GW_STORE_OLD);
	put_back(ahead, path, false);
	assert_found(GW_STORE_OLD);
	assert_found(GW_STORE_CURRENT);
}

static void a_store_that_was_deleted_under_us_is_not_written(void **state)
{
	(void)state;
	make_store();
	struct gw_store *store = open_store();
	assert_int_equal(unlink(path), 0);
	assert_int_equal(change(store), -ESTALE);
	gw_store_close(store);
}

static void a_directory_in_the_place_of_the_store_is_refused(void **state)
{
	(void)state;
	mkdir(dir, 0700);
	mkdir(path, 0700);
	assert_refused(-EUCLEAN, "not a file");
}

static void a_store_that_cannot_be_written_is_refused(void **state)
{
	(void)state;
	make_store();
	disk.read_only = true;
	assert_refused(-EROFS, "written");
}

/* What is said is the first thing that the kernel says. */
static void why_a_store_cannot_be_written_is_said(void **state)
{
	static const struct {
		int number;
		const char *text;
	} rows[] = {
		{ EROFS, "cannot be written to: its file system is read-only: mount it" },
		{ EACCES, "cannot be written to: its mode forbids it: chmod 600" },
		{ EPERM, "cannot be written to: it is immutable: chattr -i" },
		{ 0, "cannot be written to: mount its file system for writing, and chmod 600" },
	};

	(void)state;
	make_store();
	disk.read_only = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		disk.access_errno = rows[i].number;
		assert_refused(-EROFS, rows[i].text);
	}
}

static void a_path_that_names_no_file_is_refused(void **state)
{
	static char endless[5000];
	static const struct {
		const char *path;
		int err;
	} rows[] = {
		{ "", -EINVAL },
		{ "state.db", -EINVAL },
		{ "/tmp/", -EINVAL },
		{ endless, -ENAMETOOLONG },
		{ "/nonexistent/state/state.db", -ENOENT },
	};
	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[0] = '/';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gw_store *store = NULL;
		enum gw_store_found found;
		for (size_t j = 0; j < 2; j++) {
			const struct gw_store_place bad = { j == 0 ? rows[i].path : path,
							    j == 0 ? mark : rows[i].path };
			int err = gw_store_open(&bad, GW_STORE_AS_IS, &store, &found, error,
						sizeof(error));
			if (err != rows[i].err || store)
				fail_msg("row %zu: got %d, want %d", i, err, rows[i].err);
			assert_memory_equal(error, rows[i].path, strnlen(rows[i].path, 100));
		}
	}
}

static void closing_nothing_is_allowed(void **state)
{
	(void)state;
	gw_store_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_come_back_in_order_of_table_and_key),
		TEST(trees_and_their_messages_come_after_members_and_in_order),
		TEST(a_record_replaces_and_an_empty_one_deletes),
		TEST(of_one_key_in_a_batch_the_last_record_counts),
		TEST(a_batch_of_none_is_no_work),
		TEST(no_bytes_are_a_key_too),
		TEST(keys_and_values_are_any_bytes),
		TEST(loading_stops_when_told_and_can_be_done_again),
		TEST(a_record_that_is_not_ours_is_damage),
		TEST(what_turned_over_on_the_disk_is_damage),
		TEST(a_store_is_empty_until_it_has_a_record),
		TEST(files_are_private_whatever_the_umask),
		TEST(a_commit_ends_with_the_sync_of_an_empty_journal),
		TEST(a_thousand_records_are_one_transaction),
		TEST(an_old_key_is_nowhere_once_it_is_replaced),
		TEST(what_is_written_is_counted),
		TEST(failed_commit_changes_nothing_and_can_be_retried),
		TEST(what_the_mark_missed_comes_with_the_next_commit),
		TEST(what_the_system_said_is_what_is_reported),
		TEST(a_record_that_is_too_large_takes_its_batch_with_it),
		TEST(killed_commit_is_there_whole_or_not_at_all),
		TEST(a_start_that_fails_can_be_repeated),
		TEST(a_beginning_that_fails_can_be_repeated),
		TEST(an_adoption_that_fails_can_be_repeated),
		TEST(a_second_daemon_is_refused),
		TEST(nobody_enters_while_another_starts),
		TEST(what_an_unfinished_start_left_is_made_anew),
		TEST(a_foreign_database_is_refused_and_left_alone),
		TEST(a_later_version_is_refused),
		TEST(tables_that_are_not_ours_are_refused),
		TEST(text_in_the_place_of_the_store_is_refused),
		TEST(an_empty_file_is_damage),
		TEST(a_file_cut_short_is_damage),
		TEST(a_file_cut_where_no_record_is_is_damage_too),
		TEST(a_page_of_garbage_is_damage),
		TEST(a_journal_without_its_store_is_refused),
		TEST(a_journal_that_is_not_empty_is_played_into_no_other_store),
		TEST(a_store_that_others_may_read_is_refused),
		TEST(a_directory_that_others_may_write_is_refused),
		TEST(what_belongs_to_another_user_is_refused),
		TEST(a_link_is_not_followed),
		TEST(a_backup_that_is_put_back_under_us_is_not_mixed_with_what_we_know),
		TEST(a_store_that_was_deleted_under_us_is_not_written),
		TEST(a_backup_of_what_the_mark_never_saw_is_old),
		TEST(a_store_that_was_ahead_of_the_mark_is_old_once_another_went_on),
		TEST(a_directory_in_the_place_of_the_store_is_refused),
		TEST(a_store_that_cannot_be_written_is_refused),
		TEST(why_a_store_cannot_be_written_is_said),
		TEST(a_path_that_names_no_file_is_refused),
		TEST(closing_nothing_is_allowed),
	};
	install_shim();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
