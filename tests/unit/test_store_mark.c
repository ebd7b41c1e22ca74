// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_mark.h"
#include "libgroupkey/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A directory for each test, with one directory each for the store, the mark, and what is put aside
 */

static char top[64], path[128], mark[128], aside[2][128];
static const struct gw_store_place place = { path, mark };
static char error[GW_STORE_ERROR];

static int set_up(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/test_store_mark.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/state/gatewayd.db", top);
	snprintf(mark, sizeof(mark), "%s/lib/state.mark", top);
	for (size_t i = 0; i < 2; i++)
		snprintf(aside[i], sizeof(aside[i]), "%s/aside%zu", top, i);
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
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct bytes {
	uint8_t data[1 << 16];
	size_t len;
};

static void read_file(const char *name, struct bytes *out)
{
	int fd = open(name, O_RDONLY);
	ssize_t len = read(fd, out->data, sizeof(out->data));

	close(fd);
	assert_true(len >= 0);
	out->len = (size_t)len;
}

static void copy_file(const char *from, const char *to)
{
	static struct bytes bytes;

	read_file(from, &bytes);
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
	close(fd);
}

static bool is_there(const char *name, const char *suffix)
{
	char full[192];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	return lstat(full, &st) == 0;
}

static void remove_file(const char *name)
{
	char journal[192];

	snprintf(journal, sizeof(journal), "%s-journal", name);
	assert_int_equal(unlink(name), 0);
	unlink(journal);
}

static void spoil(const char *name)
{
	int fd = open(name, O_WRONLY);

	assert_int_equal(pwrite(fd, "spoilt", 6, 0), 6);
	close(fd);
}

static struct gw_store *open_as(enum gw_store_wish wish, enum gw_store_found expected)
{
	struct gw_store *store = NULL;
	enum gw_store_found found;
	int err = gw_store_open(&place, wish, &store, &found, error, sizeof(error));

	if (err)
		fail_msg("cannot open: %d %s", err, error);
	if (found != expected)
		fail_msg("found %d, not %d", found, expected);
	return store;
}

static void assert_found(enum gw_store_found expected)
{
	gw_store_close(open_as(GW_STORE_AS_IS, expected));
}

// The message names this file, and what can be done; and no file has changed.
static void assert_refused(enum gw_store_wish wish, int expected, const char *name, bool adoptable)
{
	static struct bytes before[2], after[2];
	struct gw_store *store = NULL;
	enum gw_store_found found;

	for (size_t i = 0; i < 2; i++) {
		if (is_there(i == 0 ? path : mark, ""))
			read_file(i == 0 ? path : mark, &before[i]);
	}
	int err = gw_store_open(&place, wish, &store, &found, error, sizeof(error));
	if (err != expected)
		fail_msg("got %d, not %d: %s", err, expected, error);
	assert_memory_equal(error, name, strlen(name));
	assert_non_null(strstr(error, "--fresh"));
	assert_int_equal(strstr(error, "--adopt") != NULL, adoptable);
	assert_null(strchr(error, '\n'));
	for (size_t i = 0; i < 2; i++) {
		if (!is_there(i == 0 ? path : mark, ""))
			continue;
		read_file(i == 0 ? path : mark, &after[i]);
		assert_int_equal(before[i].len, after[i].len);
		assert_memory_equal(before[i].data, after[i].data, after[i].len);
	}
}

static int append(void *ctx, const struct gk_record *got)
{
	char *text = ctx;

	snprintf(text + strlen(text), 256 - strlen(text), "%d %.*s=%.*s;", (int)got->table,
		 (int)got->key.len, (const char *)got->key.data, (int)got->value.len,
		 (const char *)got->value.data);
	return 0;
}

static const char *content(struct gw_store *store)
{
	static char text[256];

	text[0] = '\0';
	assert_int_equal(gw_store_load(store, append, text), 0);
	return text;
}

static void put(struct gw_store *store, enum gk_table table, const char *key, const char *value)
{
	struct gk_record record = { table, gk_span_str(key), gk_span_str(value), false };

	assert_int_equal(gw_store_commit(store, &record, 1), 0);
}

// Open it, where this is found, and change one thing.
static void change(enum gw_store_found expected, enum gk_table table, const char *key,
		   const char *value)
{
	struct gw_store *store = open_as(GW_STORE_AS_IS, expected);

	put(store, table, key, value);
	gw_store_close(store);
}

static void assert_content(enum gw_store_found found, const char *expected)
{
	struct gw_store *store = open_as(GW_STORE_AS_IS, found);

	assert_string_equal(content(store), expected);
	gw_store_close(store);
}

/* A store with a group and a ban; a backup of it in aside[0]; then another ban, and a new key. */
static void make_store(void)
{
	change(GW_STORE_NEW, GK_TABLE_GROUP, "g", "key 1");
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "a", "banned");
	copy_file(path, aside[0]);
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "a", "");
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "b", "banned");
	change(GW_STORE_CURRENT, GK_TABLE_GROUP, "g", "key 2");
}

#define CONTENT     "3 g=key 2;17 b=banned;"
#define OLD_CONTENT "3 g=key 1;17 b=banned;" /* what is lasting is the mark's */

/*
 * The table
 */

#define L1 "lineage 1"
#define L2 "lineage 2"

static struct gw_store_seen seen(enum gw_store_sight sight, const char *lineage, uint64_t count,
				 enum gw_store_origin origin)
{
	struct gw_store_seen made = { sight, { .count = count, .origin = origin } };

	memcpy(made.meta.lineage, lineage, strlen(lineage));
	return made;
}

static const struct judgement {
	struct {
		enum gw_store_sight sight;
		const char *lineage;
		uint64_t count;
		enum gw_store_origin origin;
	} store, mark;
	enum gw_store_refusal refusal;
	enum gw_store_found found; /* if refused: with --fresh */
	bool adoptable, mark_behind;
} judgements[] = {
	// docs/state.md section 4, row by row
	{ { 0, "", 0, 0 }, { 0, "", 0, 0 }, 0, GW_STORE_NEW, false, true },
	{ { 3, L1, 7, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_CURRENT, false, false },
	{ { 3, L1, 8, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_CURRENT, false, true },
	{ { 3, L1, 6, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_OLD, false, false },
	{ { 0, "", 0, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_OLD, false, false },
	{ { 2, "", 0, 0 }, { 0, "", 0, 0 }, 0, GW_STORE_CURRENT, false, true },
	{ { 3, L1, 7, 0 }, { 0, "", 0, 0 }, 1, GW_STORE_BEGUN_BLIND, true, false },
	{ { 3, L1, 7, 0 }, { 3, L2, 7, 0 }, 3, GW_STORE_BEGUN, true, false },
	{ { 3, L1, 7, 0 }, { 1, "", 0, 0 }, 2, GW_STORE_BEGUN_BLIND, true, false },
	{ { 2, "", 0, 0 }, { 1, "", 0, 0 }, 2, GW_STORE_BEGUN_BLIND, true, false },
	{ { 1, "", 0, 0 }, { 0, "", 0, 0 }, 4, GW_STORE_BEGUN_BLIND, false, false },
	{ { 1, "", 0, 0 }, { 1, "", 0, 0 }, 4, GW_STORE_BEGUN_BLIND, false, false },
	{ { 1, "", 0, 0 }, { 3, L1, 7, 0 }, 4, GW_STORE_BEGUN, false, false },
	// Not in the table: a store without a count beside a mark; no store and a damaged mark
	{ { 2, "", 0, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_OLD, false, false },
	{ { 0, "", 0, 0 }, { 1, "", 0, 0 }, 2, GW_STORE_BEGUN_BLIND, false, false },
	// gone, but for its journal
	{ { 4, "", 0, 0 }, { 0, "", 0, 0 }, 4, GW_STORE_BEGUN_BLIND, false, false },
	{ { 4, "", 0, 0 }, { 3, L1, 7, 0 }, 0, GW_STORE_OLD, false, false },
	// a first start that was cut short
	{ { 0, "", 0, 0 }, { 3, L1, 0, 0 }, 0, GW_STORE_NEW, false, true },
	{ { 2, "", 0, 0 }, { 3, L1, 0, 0 }, 0, GW_STORE_CURRENT, false, true },
	{ { 3, L1, 1, 0 }, { 3, L1, 0, 0 }, 0, GW_STORE_CURRENT, false, true },
	{ { 1, "", 0, 0 }, { 3, L1, 0, 0 }, 4, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L2, 1, 0 }, { 3, L1, 0, 0 }, 3, GW_STORE_BEGUN_BLIND, true, false },
	// begun anew, and nothing committed yet
	{ { 3, L1, 0, 1 }, { 3, L1, 7, 0 }, 0, GW_STORE_BEGUN, false, false },
	{ { 3, L1, 0, 1 }, { 0, "", 0, 0 }, 1, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L1, 0, 1 }, { 1, "", 0, 0 }, 2, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L1, 0, 1 }, { 3, L2, 7, 0 }, 3, GW_STORE_BEGUN, false, false },
	{ { 3, L1, 0, 2 }, { 0, "", 0, 0 }, 0, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L1, 0, 2 }, { 1, "", 0, 0 }, 0, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L1, 0, 2 }, { 3, L1, 0, 2 }, 0, GW_STORE_BEGUN_BLIND, false, false },
	{ { 3, L1, 0, 2 }, { 3, L2, 7, 0 }, 3, GW_STORE_BEGUN, false, false },
	{ { 3, L1, 0, 2 }, { 3, L1, 7, 0 }, 0, GW_STORE_OLD, false, false },
	// what cannot come from us
	{ { 3, L1, 7, 2 }, { 3, L1, 6, 0 }, 5, GW_STORE_BEGUN_BLIND, false, false },
};

static void the_table_is_that_of_the_documentation(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++) {
		const struct judgement *j = &judgements[i];
		const struct gw_store_seen store =
			seen(j->store.sight, j->store.lineage, j->store.count, j->store.origin);
		const struct gw_store_seen by =
			seen(j->mark.sight, j->mark.lineage, j->mark.count, j->mark.origin);
		const struct gw_store_verdict got = gw_store_judge(&store, &by);
		enum gw_store_found found = got.refusal ? got.fresh : got.found;
		if (got.refusal != j->refusal || found != j->found ||
		    got.adoptable != j->adoptable || got.mark_behind != j->mark_behind)
			fail_msg("row %zu: refusal %d, found %d, adoptable %d, behind %d", i,
				 got.refusal, found, got.adoptable, got.mark_behind);
	}
}

static void another_branch_is_old_whatever_its_count(void **state)
{
	(void)state;
	struct gw_store_seen store = seen(GW_STORE_READABLE, L1, 1000, GW_STORE_ORDINARY);
	struct gw_store_seen by = seen(GW_STORE_READABLE, L1, 7, GW_STORE_ORDINARY);
	by.meta.branch[GW_STORE_BRANCH_LEN - 1] = 1;
	assert_int_equal(gw_store_judge(&store, &by).found, GW_STORE_OLD);
	store.meta.count = 7;
	assert_int_equal(gw_store_judge(&store, &by).found, GW_STORE_OLD);
}

static void what_a_file_says_of_itself_comes_back(void **state)
{
	(void)state;
	const struct gw_store_meta meta = {
		{ 1, [15] = 2 }, { 3, [7] = 4 }, UINT64_MAX - 1, { 1700000000, true }, 2,
	};
	struct gw_store_meta got = { .count = 0 };
	uint8_t bytes[GW_STORE_META_LEN];
	gw_store_meta_encode(&meta, bytes);
	assert_true(gw_store_meta_decode(gk_span(bytes, sizeof(bytes)), &got));
	assert_memory_equal(got.lineage, meta.lineage, sizeof(meta.lineage));
	assert_memory_equal(got.branch, meta.branch, sizeof(meta.branch));
	assert_true(got.count == meta.count && got.time.utc_s == meta.time.utc_s);
	assert_true(got.time.synchronised && got.origin == meta.origin);

	assert_false(gw_store_meta_decode(gk_span(bytes, sizeof(bytes) - 1), &got));
	bytes[GW_STORE_META_LEN - 1] = 3;
	assert_false(gw_store_meta_decode(gk_span(bytes, sizeof(bytes)), &got));
	bytes[GW_STORE_META_LEN - 1] = 0;
	bytes[GW_STORE_META_LEN - 2] = 2;
	assert_false(gw_store_meta_decode(gk_span(bytes, sizeof(bytes)), &got));
}

/*
 * Old stores
 */

static void a_restored_backup_is_old_until_something_is_committed(void **state)
{
	static struct bytes before, after;
	(void)state;
	make_store();
	copy_file(aside[0], path);
	assert_content(GW_STORE_OLD, OLD_CONTENT);
	read_file(path, &after);
	read_file(aside[0], &before);
	assert_memory_equal(before.data, after.data, before.len);
	assert_content(GW_STORE_OLD, OLD_CONTENT);

	change(GW_STORE_OLD, GK_TABLE_GROUP, "g", "key 3");
	assert_content(GW_STORE_CURRENT, "3 g=key 3;17 b=banned;");
}

static void a_backup_that_is_restored_twice_is_old_twice(void **state)
{
	(void)state;
	make_store();
	for (int i = 0; i < 2; i++) {
		copy_file(aside[0], path);
		change(GW_STORE_OLD, GK_TABLE_GROUP, "g", "key 3");
		assert_found(GW_STORE_CURRENT);
	}
	copy_file(path, aside[1]);
	change(GW_STORE_CURRENT, GK_TABLE_GROUP, "g", "key 4");
	copy_file(aside[1], path);
	assert_found(GW_STORE_OLD);
}

static void no_backup_is_newer_than_a_store_that_was_settled(void **state)
{
	(void)state;
	make_store();
	copy_file(path, aside[1]);
	change(GW_STORE_CURRENT, GK_TABLE_GROUP, "g", "key 3");
	copy_file(aside[0], path);
	change(GW_STORE_OLD, GK_TABLE_GROUP, "g", "key 4");
	copy_file(aside[1], path);
	assert_found(GW_STORE_OLD);
}

static void what_settles_an_old_store_lasts(void **state)
{
	(void)state;
	make_store();
	copy_file(aside[0], path);
	change(GW_STORE_OLD, GK_TABLE_REVOKED, "c", "revoked");
	assert_content(GW_STORE_CURRENT, "3 g=key 1;17 b=banned;18 c=revoked;");
	copy_file(aside[0], path);
	assert_content(GW_STORE_OLD, "3 g=key 1;17 b=banned;18 c=revoked;");
}

static void a_store_that_is_lost_is_old(void **state)
{
	(void)state;
	make_store();
	remove_file(path);
	for (int i = 0; i < 2; i++)
		assert_content(GW_STORE_OLD, "17 b=banned;");
	change(GW_STORE_OLD, GK_TABLE_GROUP, "g", "key 3");
	assert_content(GW_STORE_CURRENT, "3 g=key 3;17 b=banned;");
	// Its journal may stay.
	assert_int_equal(unlink(path), 0);
	assert_content(GW_STORE_OLD, "17 b=banned;");
}

static void a_store_ahead_of_its_mark_goes_on(void **state)
{
	(void)state;
	make_store();
	copy_file(mark, aside[1]);
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "b", "");
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "c", "banned");
	copy_file(aside[1], mark);
	assert_content(GW_STORE_CURRENT, "3 g=key 2;17 c=banned;");
	// At once, not with the next commit: else this would pass for the newest.
	remove_file(path);
	assert_content(GW_STORE_OLD, "17 c=banned;");
}

/*
 * Refused, and adopted
 */

static void a_store_without_its_mark_is_refused_or_adopted(void **state)
{
	(void)state;
	make_store();
	copy_file(path, aside[1]);
	change(GW_STORE_CURRENT, GK_TABLE_GROUP, "g", "key 3");
	copy_file(aside[1], path);
	remove_file(mark);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
	struct gw_store *store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
	assert_string_equal(content(store), CONTENT);
	gw_store_close(store);
	// Nothing was committed.
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);

	store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
	put(store, GK_TABLE_GROUP, "g", "key 9");
	put(store, GK_TABLE_REVOKED, "c", "revoked");
	gw_store_close(store);
	assert_content(GW_STORE_CURRENT, "3 g=key 9;17 b=banned;18 c=revoked;");
	copy_file(aside[1], path);
	assert_content(GW_STORE_OLD, "3 g=key 2;17 b=banned;18 c=revoked;");
}

static void what_was_adopted_twice_compares_with_neither(void **state)
{
	struct gw_store *store;
	(void)state;
	make_store();
	for (int i = 0; i < 2; i++) {
		copy_file(aside[0], path);
		remove_file(mark);
		store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
		put(store, GK_TABLE_GROUP, "g", "key 3");
		// The first time it gets further.
		for (int j = i; j < 1; j++)
			put(store, GK_TABLE_GROUP, "g", "key 4");
		gw_store_close(store);
		if (i == 0)
			copy_file(path, aside[1]);
	}
	assert_found(GW_STORE_CURRENT);
	copy_file(aside[1], path);
	assert_found(GW_STORE_OLD);
}

static void put_another_store(void)
{
	char *names[] = { path, mark };

	make_store();
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(rename(names[i], aside[i]), 0);
	unlink(strcat(strcpy(error, path), "-journal"));
	unlink(strcat(strcpy(error, mark), "-journal"));
	change(GW_STORE_NEW, GK_TABLE_GROUP, "h", "key 1");
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "z", "banned");
	copy_file(aside[0], path);
}

static void a_foreign_store_is_refused_or_adopted(void **state)
{
	(void)state;
	put_another_store();
	assert_refused(GW_STORE_AS_IS, -ESTALE, path, true);
	gw_store_close(open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED));
	assert_refused(GW_STORE_AS_IS, -ESTALE, path, true);
	struct gw_store *store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
	put(store, GK_TABLE_GROUP, "g", "key 9");
	gw_store_close(store);
	assert_content(GW_STORE_CURRENT, "3 g=key 9;17 b=banned;");
	assert_true(is_there(mark, ".old"));
	// The right mark of what was adopted is not its mark any more.
	copy_file(aside[0], path);
	assert_found(GW_STORE_OLD);
}

static void a_damaged_mark_is_refused_and_adoption_makes_a_new_one(void **state)
{
	(void)state;
	make_store();
	spoil(mark);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
	struct gw_store *store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
	put(store, GK_TABLE_GROUP, "g", "key 9");
	gw_store_close(store);
	assert_content(GW_STORE_CURRENT, "3 g=key 9;17 b=banned;");
	remove_file(path);
	assert_content(GW_STORE_OLD, "17 b=banned;");
	assert_true(is_there(mark, ".old"));
}

static void a_store_in_the_place_of_the_mark_is_no_mark(void **state)
{
	(void)state;
	make_store();
	copy_file(path, mark);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
	assert_non_null(strstr(error, "not a mark"));
}

static void a_mark_without_a_count_is_damaged(void **state)
{
	sqlite3 *db;
	(void)state;
	make_store();
	assert_int_equal(sqlite3_open(mark, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DELETE FROM record WHERE kind = 0; PRAGMA user_version=2",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
	assert_non_null(strstr(error, "no count"));
	gw_store_close(open_as(GW_STORE_FRESH, GW_STORE_BEGUN_BLIND));
}

static void a_mark_that_is_gone_but_for_its_journal_is_missed(void **state)
{
	char journal[192];
	(void)state;
	make_store();
	snprintf(journal, sizeof(journal), "%s-journal", mark);
	assert_true(is_there(mark, "-journal"));
	assert_int_equal(unlink(mark), 0);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
	assert_non_null(strstr(error, journal));
}

/*
 * Begun anew
 */

static void a_foreign_store_is_begun_anew_under_the_mark(void **state)
{
	static struct bytes before, after;
	char old[192];
	(void)state;
	put_another_store();
	struct gw_store *store = open_as(GW_STORE_FRESH, GW_STORE_BEGUN);
	assert_string_equal(content(store), "17 z=banned;");
	gw_store_close(store);
	snprintf(old, sizeof(old), "%s.old", path);
	read_file(aside[0], &before);
	read_file(old, &after);
	assert_memory_equal(before.data, after.data, before.len);

	// The same again, with the wish and without.
	assert_content(GW_STORE_BEGUN, "17 z=banned;");
	gw_store_close(open_as(GW_STORE_FRESH, GW_STORE_BEGUN));
	assert_false(is_there(path, ".old.1"));
	change(GW_STORE_BEGUN, GK_TABLE_GROUP, "g", "key 1");
	assert_content(GW_STORE_CURRENT, "3 g=key 1;17 z=banned;");
}

static void a_damaged_store_is_begun_anew_and_never_adopted(void **state)
{
	(void)state;
	make_store();
	for (int i = 0; i < 3; i++) {
		spoil(path);
		assert_refused(GW_STORE_AS_IS, -EUCLEAN, path, false);
		assert_refused(GW_STORE_ADOPT, -EUCLEAN, path, false);
		struct gw_store *store = open_as(GW_STORE_FRESH, GW_STORE_BEGUN);
		put(store, GK_TABLE_GROUP, "g", "key 1");
		gw_store_close(store);
		assert_content(GW_STORE_CURRENT, "3 g=key 1;17 b=banned;");
	}
	// None of them is lost.
	assert_true(is_there(path, ".old") && is_there(path, ".old.1") && is_there(path, ".old.2"));
	assert_false(is_there(path, ".old.3") || is_there(mark, ".old"));
}

static void without_a_mark_it_is_begun_blind(void **state)
{
	static void (*const losses[])(const char *name) = { remove_file, spoil };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		make_store();
		losses[i](mark);
		struct gw_store *store = open_as(GW_STORE_FRESH, GW_STORE_BEGUN_BLIND);
		assert_string_equal(content(store), "");
		gw_store_close(store);
		assert_int_equal(is_there(mark, ".old"), i == 1);
		// The same again, until something is committed.
		assert_content(GW_STORE_BEGUN_BLIND, "");
		assert_int_equal(is_there(mark, ".old"), i == 1);
		assert_false(is_there(mark, ".old.1"));
		change(GW_STORE_BEGUN_BLIND, GK_TABLE_BAN, "a", "banned");
		assert_content(GW_STORE_CURRENT, "17 a=banned;");
		copy_file(aside[0], path);
		assert_refused(GW_STORE_AS_IS, -ESTALE, path, true);
		remove_file(path);
		remove_file(mark);
	}
}

static void both_damaged_are_begun_blind(void **state)
{
	(void)state;
	make_store();
	spoil(path);
	spoil(mark);
	assert_refused(GW_STORE_AS_IS, -EUCLEAN, path, false);
	gw_store_close(open_as(GW_STORE_FRESH, GW_STORE_BEGUN_BLIND));
	change(GW_STORE_BEGUN_BLIND, GK_TABLE_GROUP, "g", "key 1");
	assert_content(GW_STORE_CURRENT, "3 g=key 1;");
	assert_true(is_there(path, ".old") && is_there(mark, ".old"));
}

static void a_beginning_that_was_cut_short_is_found_again(void **state)
{
	char name[192];
	(void)state;
	make_store();
	spoil(path);
	gw_store_close(open_as(GW_STORE_FRESH, GW_STORE_BEGUN));
	// The new one had not yet taken the place of the old one, whose journal had stayed.
	snprintf(name, sizeof(name), "%s.fresh", path);
	assert_int_equal(rename(path, name), 0);
	snprintf(name, sizeof(name), "%s-journal", path);
	close(open(name, O_WRONLY | O_CREAT, 0600));
	copy_file(aside[0], name);
	assert_content(GW_STORE_BEGUN, "17 b=banned;");
	assert_true(is_there(path, ".old.1-journal"));

	// Or the old one was still there, and was replaced by hand.
	snprintf(name, sizeof(name), "%s.fresh", path);
	assert_int_equal(rename(path, name), 0);
	copy_file(aside[0], path);
	assert_found(GW_STORE_OLD);
	assert_false(is_there(name, ""));
}

static void wishes_do_nothing_to_what_is_not_refused(void **state)
{
	static const enum gw_store_wish wishes[] = { GW_STORE_ADOPT, GW_STORE_FRESH };
	(void)state;
	gw_store_close(open_as(GW_STORE_FRESH, GW_STORE_NEW));
	remove_file(path);
	remove_file(mark);
	make_store();
	for (size_t i = 0; i < 2; i++) {
		struct gw_store *store = open_as(wishes[i], GW_STORE_CURRENT);
		assert_string_equal(content(store), CONTENT);
		gw_store_close(store);
	}
	copy_file(aside[0], path);
	for (size_t i = 0; i < 2; i++) {
		struct gw_store *store = open_as(wishes[i], GW_STORE_OLD);
		assert_string_equal(content(store), OLD_CONTENT);
		gw_store_close(store);
	}
	assert_false(is_there(path, ".old"));
}

/*
 * Time
 */

static void set_time(struct gw_store *store, int64_t utc_s, bool synchronised)
{
	gw_store_set_time(store, (struct gw_store_time){ utc_s, synchronised });
}

static void assert_time(struct gw_store *store, int64_t utc_s, bool synchronised)
{
	struct gw_store_time time = gw_store_time(store);

	assert_int_equal(time.utc_s, utc_s);
	assert_int_equal(time.synchronised, synchronised);
}

static void time_goes_along_with_a_commit_or_by_itself(void **state)
{
	static struct bytes before, after;
	(void)state;
	struct gw_store *store = open_as(GW_STORE_AS_IS, GW_STORE_NEW);
	assert_time(store, 0, false);
	set_time(store, 1000, true);
	assert_time(store, 0, false);
	put(store, GK_TABLE_GROUP, "g", "key 1");
	assert_time(store, 1000, true);
	gw_store_close(store);

	store = open_as(GW_STORE_AS_IS, GW_STORE_CURRENT);
	assert_time(store, 1000, true);
	set_time(store, 2000, false);
	read_file(path, &before);
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	read_file(path, &after);
	assert_memory_equal(before.data, after.data, before.len);
	assert_time(store, 2000, false);
	gw_store_close(store);

	store = open_as(GW_STORE_AS_IS, GW_STORE_CURRENT);
	assert_time(store, 2000, false);
	// It can go back too: the highest was wrong.
	set_time(store, 1500, true);
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	gw_store_close(store);
	store = open_as(GW_STORE_AS_IS, GW_STORE_CURRENT);
	assert_time(store, 1500, true);
	gw_store_close(store);
}

static void a_restored_backup_has_the_time_of_the_mark_and_time_settles_nothing(void **state)
{
	(void)state;
	make_store();
	struct gw_store *store = open_as(GW_STORE_AS_IS, GW_STORE_CURRENT);
	set_time(store, 3000, true);
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	gw_store_close(store);
	copy_file(aside[0], path);
	store = open_as(GW_STORE_AS_IS, GW_STORE_OLD);
	assert_time(store, 3000, true);
	set_time(store, 4000, true);
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	gw_store_close(store);
	store = open_as(GW_STORE_AS_IS, GW_STORE_OLD);
	assert_time(store, 4000, true);
	gw_store_close(store);

	remove_file(mark);
	store = open_as(GW_STORE_ADOPT, GW_STORE_ADOPTED);
	assert_time(store, 0, false);
	set_time(store, 5000, true);
	assert_int_equal(gw_store_commit(store, NULL, 0), 0);
	gw_store_close(store);
	assert_refused(GW_STORE_AS_IS, -ESTALE, mark, true);
}

/* What the store had of bans, the mark has to have first. */
static void one_that_is_not_refused_is_begun_anew_where_that_is_asked_for(void **state)
{
	struct gw_store *store;

	(void)state;
	make_store();
	copy_file(mark, aside[1]);
	change(GW_STORE_CURRENT, GK_TABLE_BAN, "c", "banned");
	copy_file(aside[1], mark); // the store is ahead
	store = open_as(GW_STORE_ANEW, GW_STORE_BEGUN);
	assert_string_equal(content(store), "17 b=banned;17 c=banned;");
	gw_store_close(store);
	assert_true(is_there(path, ".old"));
	assert_content(GW_STORE_BEGUN, "17 b=banned;17 c=banned;");
	change(GW_STORE_BEGUN, GK_TABLE_GROUP, "g", "key 9");
	assert_content(GW_STORE_CURRENT, "3 g=key 9;17 b=banned;17 c=banned;");

	copy_file(aside[0], path); // a backup, and an old one at that
	store = open_as(GW_STORE_ANEW, GW_STORE_BEGUN);
	assert_string_equal(content(store), "17 b=banned;17 c=banned;");
	gw_store_close(store);
	assert_true(is_there(path, ".old.1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_that_of_the_documentation),
		cmocka_unit_test(another_branch_is_old_whatever_its_count),
		cmocka_unit_test(what_a_file_says_of_itself_comes_back),
		TEST(one_that_is_not_refused_is_begun_anew_where_that_is_asked_for),
		TEST(a_restored_backup_is_old_until_something_is_committed),
		TEST(a_backup_that_is_restored_twice_is_old_twice),
		TEST(no_backup_is_newer_than_a_store_that_was_settled),
		TEST(what_settles_an_old_store_lasts),
		TEST(a_store_that_is_lost_is_old),
		TEST(a_store_ahead_of_its_mark_goes_on),
		TEST(a_store_without_its_mark_is_refused_or_adopted),
		TEST(what_was_adopted_twice_compares_with_neither),
		TEST(a_foreign_store_is_refused_or_adopted),
		TEST(a_damaged_mark_is_refused_and_adoption_makes_a_new_one),
		TEST(a_store_in_the_place_of_the_mark_is_no_mark),
		TEST(a_mark_without_a_count_is_damaged),
		TEST(a_mark_that_is_gone_but_for_its_journal_is_missed),
		TEST(a_foreign_store_is_begun_anew_under_the_mark),
		TEST(a_damaged_store_is_begun_anew_and_never_adopted),
		TEST(without_a_mark_it_is_begun_blind),
		TEST(both_damaged_are_begun_blind),
		TEST(a_beginning_that_was_cut_short_is_found_again),
		TEST(wishes_do_nothing_to_what_is_not_refused),
		TEST(time_goes_along_with_a_commit_or_by_itself),
		TEST(a_restored_backup_has_the_time_of_the_mark_and_time_settles_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
