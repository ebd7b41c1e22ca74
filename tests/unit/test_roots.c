// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/roots.h"

#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void a_root_is_a_few_plain_segments(void **state)
{
	static const struct {
		const char *path;
		bool fits;
	} rows[] = {
		{ "ace-group", true },
		{ "a", true },
		{ "a/b/c/d", true },
		{ "A-Z.a_z~0/9", true },
		{ "abcdefghijklmnopqrstuvwx", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ "a/", false },
		{ "a//b", false },
		{ "a/b/c/d/e", false },
		{ "abcdefghijklmnopqrstuvwxy", false },
		{ ".", false },
		{ "a/..", false },
		{ "...", true },
		{ "a b", false },
		{ "a%20b", false },
		{ "a?b", false },
		{ "\xc3\xa4", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (gk_root_check(gk_span_str(rows[i].path)) != rows[i].fits)
			fail_msg("%s", rows[i].path);
	}
}

static void roots_keep_out_of_each_others_way(void **state)
{
	static const struct {
		const char *groups, *authz;
		bool fit;
	} rows[] = {
		{ "a", "b", true },
		{ "a", "a", false },
		{ "a", "a/b", false },
		{ "a/b", "a", false },
		{ "a/b", "a/c", true },
		{ "ab", "a", true },
		{ "a", "ab", true },
		{ ".well-known", "a", false },
		{ ".well-known/edhoc", "a", false },
		{ "a", ".well-known/core", false },
		{ "a", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (gk_roots_fit(gk_span_str(rows[i].groups), gk_span_str(rows[i].authz)) !=
		    rows[i].fit)
			fail_msg("%s and %s", rows[i].groups, rows[i].authz);
	}
}

static void one_that_is_not_said_is_the_default(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_roots roots = { { NULL, 0 }, { NULL, 0 } };

	(void)state;
	assert_int_equal(gk_roots_set(&env, &roots, gk_span(NULL, 0), gk_span(NULL, 0)), GK_OK);
	assert_true(gk_span_equal(gk_blob_span(&roots.groups), gk_span_str("ace-group")));
	assert_true(gk_span_equal(gk_blob_span(&roots.authz), gk_span_str("authz-info")));
	// the other's default counts too
	assert_int_equal(gk_roots_set(&env, &roots, gk_span_str("authz-info/x"), gk_span(NULL, 0)),
			 GK_ERR_RANGE);
	gk_roots_wipe(&env, &roots);
	assert_int_equal(t.blocks, 0);
}

static void a_path_is_matched_by_whole_segments(void **state)
{
	static const struct {
		const char *root;
		size_t count; // of "ab", "c", "d"
		size_t matched;
	} rows[] = {
		{ "ab", 3, 1 },     { "ab/c", 3, 2 },     { "ab/c/d", 3, 3 },
		{ "ab/c/d", 2, 0 }, { "ab/c/d/e", 3, 0 }, { "a", 3, 0 },
		{ "abc", 3, 0 },    { "ab/d", 3, 0 },     { "ab", 0, 0 },
	};
	const struct gk_span path[] = { gk_span_str("ab"), gk_span_str("c"), gk_span_str("d") };

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_blob root = { (uint8_t *)(uintptr_t)rows[i].root, strlen(rows[i].root) };

		if (gk_root_match(&root, path, rows[i].count) != rows[i].matched)
			fail_msg("%s", rows[i].root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_is_a_few_plain_segments),
		cmocka_unit_test(roots_keep_out_of_each_others_way),
		cmocka_unit_test(one_that_is_not_said_is_the_default),
		cmocka_unit_test(a_path_is_matched_by_whole_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
