// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Stores of earlier versions, from tests/data/store.
 */
#include "gatewayd/store.h"
#include "io/loop.h"
#include "io/secret.h"
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

#define MEMBERS 3

static const struct story {
	const char *name;
	int records;
	int64_t num;
	enum gk_scheme scheme;
} stories[] = {
	{ "v1-first", 8, 2, GK_POINT_TO_POINT },
	{ "v1", 8, 2, GK_POINT_TO_POINT },
	{ "v2", 15, 3, GK_TREE },
};

// When they were made: 2026-11-22 00:50 UTC.
static const struct gk_now now = { { 1000 }, { 1795308600 } };

static char top[64], path[128], mark[128];
static const struct gw_store_place place = { path, mark };
static char error[GW_STORE_ERROR];

static int set_up(void **state)
{
	char dir[96];
	(void)state;
	snprintf(top, sizeof(top), "/tmp/test_store_data.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/state", top);
	snprintf(path, sizeof(path), "%s/gatewayd.db", dir);
	snprintf(mark, sizeof(mark), "%s/lib/state.mark", top);
	return mkdir(dir, 0700);
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

static void forget_store(void)
{
	unlink(path);
	unlink(mark);
	unlink(strcat(strcpy(error, path), "-journal"));
	unlink(strcat(strcpy(error, mark), "-journal"));
}

static void copy_file(const char *from, const char *to)
{
	static uint8_t bytes[1 << 16];
	int fd = open(from, O_RDONLY);
	ssize_t len = read(fd, bytes, sizeof(bytes));

	close(fd);
	if (len <= 0)
		fail_msg("cannot read %s", from);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, (size_t)len), len);
	close(fd);
}

static void put_store(const struct story *story)
{
	char from[256];

	snprintf(from, sizeof(from), GK_TOP "/tests/data/store/%s.db", story->name);
	copy_file(from, path);
}

static struct gw_store *open_store(enum gw_store_found expected)
{
	struct gw_store *store = NULL;
	enum gw_store_found found;

	if (gw_store_open(&place, GW_STORE_AS_IS, &store, &found, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(found, expected);
	return store;
}

static int count(void *ctx, const struct gk_record *record)
{
	(void)record;
	++*(int *)ctx;
	return 0;
}

static int count_records(struct gw_store *store)
{
	int counted = 0;

	assert_int_equal(gw_store_load(store, count, &counted), 0);
	return counted;
}

static void ban(struct gw_store *store, const char *who)
{
	const struct gk_record record = { GK_TABLE_BAN, gk_span_str(who), gk_span_str("banned"),
					  false };

	assert_int_equal(gw_store_commit(store, &record, 1), 0);
}

static int version(void)
{
	sqlite3_stmt *row;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int found = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return found;
}

static void a_store_from_before_marks_goes_on_and_gets_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		put_store(&stories[i]);
		struct gw_store *store = open_store(GW_STORE_CURRENT);
		assert_int_equal(count_records(store), stories[i].records);
		gw_store_close(store);
		assert_int_equal(version(), 3);
		// It is over: the same from a backup is old.
		store = open_store(GW_STORE_CURRENT);
		ban(store, "lights/n1");
		assert_int_equal(count_records(store), stories[i].records + 1);
		gw_store_close(store);
		put_store(&stories[i]);
		store = open_store(GW_STORE_OLD);
		assert_int_equal(count_records(store), stories[i].records + 1);
		gw_store_close(store);
		gw_store_close(open_store(GW_STORE_OLD));
		forget_store();
	}
}

// Even where nothing was committed yet: the KDC may have sent something again.
static void it_is_old_from_the_moment_it_was_opened_by_the_newest(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		put_store(&stories[i]);
		gw_store_close(open_store(GW_STORE_CURRENT));
		put_store(&stories[i]);
		gw_store_close(open_store(GW_STORE_OLD));
		forget_store();
	}
}

static void spoil_record(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_damaged_one_is_refused_as_it_is(void **state)
{
	static const char *const rows[] = {
		"UPDATE record SET value = 'text' WHERE kind = 3",
		"UPDATE record SET value = x'00' WHERE kind = 3",
		"UPDATE record SET value = x'00' WHERE kind = 3",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct gw_store *store = NULL;
		enum gw_store_found found;
		put_store(&stories[i]);
		int before = version();
		spoil_record(rows[i]);
		assert_int_equal(
			gw_store_open(&place, GW_STORE_AS_IS, &store, &found, error, sizeof(error)),
			-EUCLEAN);
		assert_non_null(strstr(error, "a record"));
		assert_int_equal(version(), before);
		forget_store();
	}
}

/*
 * What is in them
 */

static struct gk_env env;

static int start_crypto(void **state)
{
	(void)state;
	env = io_env();
	return gk_global_init(&env);
}

static struct gk_kdc *make_kdc(const struct story *story)
{
	char from[256], to[160];
	uint8_t key[16];
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(key, sizeof(key)) };
	struct gk_kdc *kdc = NULL;

	snprintf(from, sizeof(from), GK_TOP "/tests/data/store/%s.key", story->name);
	snprintf(to, sizeof(to), "%s/as.key", top);
	copy_file(from, to);
	assert_int_equal(io_secret_read(to, key, 16, 16, true, error, sizeof(error)), 16);
	assert_int_equal(gk_kdc_new(&env, &config, &kdc), GK_OK);
	return kdc;
}

static int restore(void *kdc, const struct gk_record *record)
{
	enum gk_err err = gk_kdc_restore(kdc, record, now);

	if (err)
		fail_msg("a record of table %d: %s", record->table, gk_strerror(err));
	return 0;
}

static void assert_group(struct gk_kdc *kdc, const struct story *story)
{
	struct gk_member_info member;
	struct gk_group_info group;
	size_t at = 0, members = 0;

	assert_true(gk_kdc_group_next(kdc, &at, &group));
	assert_true(gk_span_equal(group.name, gk_span_str("lights")));
	assert_int_equal(group.num, story->num);
	assert_int_equal(group.members, MEMBERS);
	assert_false(gk_kdc_group_next(kdc, &at, &group));
	at = 0;
	while (gk_kdc_member_next(kdc, gk_span_str("lights"), &at, &member)) {
		char name[16];
		snprintf(name, sizeof(name), "node%zu", ++members);
		assert_true(gk_span_equal(member.name, gk_span_str(name)));
		assert_int_equal(member.num, story->num);
	}
	assert_int_equal(members, MEMBERS);
}

static void the_kdc_goes_on_from_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct gk_group_config config;
		put_store(&stories[i]);
		struct gw_store *store = open_store(GW_STORE_CURRENT);
		struct gk_kdc *kdc = make_kdc(&stories[i]);
		assert_int_equal(gw_store_load(store, restore, kdc), 0);
		gk_group_defaults(&config);
		config.name = gk_span_str("lights");
		config.rekey.scheme = stories[i].scheme;
		assert_int_equal(gk_kdc_add_group(kdc, &config, now), GK_OK);
		assert_group(kdc, &stories[i]);
		gk_kdc_free(kdc);
		gw_store_close(store);
		forget_store();
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_store_from_before_marks_goes_on_and_gets_one),
		TEST(it_is_old_from_the_moment_it_was_opened_by_the_newest),
		TEST(a_damaged_one_is_refused_as_it_is),
		TEST(the_kdc_goes_on_from_it),
	};
	return cmocka_run_group_tests(tests, start_crypto, NULL);
}
