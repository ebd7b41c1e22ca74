// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

// Names of 64 and 65 bytes, with their heads.
#define NAME_16 "6162636465666768696a6b6c6d6e6f70"
#define NAME_64 "7840" NAME_16 NAME_16 NAME_16 NAME_16
#define NAME_65 "7841" NAME_16 NAME_16 NAME_16 NAME_16 "71"

#define REQUESTER "69726571756573746572"
#define RESPONDER "69726573706f6e646572"
#define MONITOR   "676d6f6e69746f72"
#define VERIFIER  "687665726966696572"
#define BROKER    "6662726f6b6572"

static void one_entry_is_read_in_each_form(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *group;
		uint32_t roles;
	} rows[] = {
		{ "82 626731 06", "6731", 6 },
		{ "82 626731 00", "6731", 0 },
		{ "82 626731 181e", "6731", 30 },
		// long heads and an array that ends with a break
		{ "82 78026731 1b0000000000000006", "6731", 6 },
		{ "9f 626731 06 ff", "6731", 6 },
		{ "82 6161 08", "61", 8 },
		{ "82 " NAME_64 " 02", NAME_16 NAME_16 NAME_16 NAME_16, 2 },
		// the textual form of R 3.1
		{ "82 626731 " REQUESTER, "6731", GK_ROLE_REQUESTER },
		{ "82 626731 " RESPONDER, "6731", GK_ROLE_RESPONDER },
		{ "82 626731 " MONITOR, "6731", GK_ROLE_MONITOR },
		{ "82 626731 " VERIFIER, "6731", GK_ROLE_VERIFIER },
		{ "82 626731 82" REQUESTER RESPONDER, "6731", 6 },
		{ "82 626731 9f" REQUESTER RESPONDER "ff", "6731", 6 },
		{ "82 626731 81" MONITOR, "6731", 8 },
		{ "82 626731 80", "6731", 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_scope scope = { .roles = 99 };
		enum gk_err err = gk_scope_read(hex_span(rows[i].in), &scope);
		if (err != GK_OK || scope.roles != rows[i].roles)
			fail_msg("%s: error %d, roles %u, not %u", rows[i].in, err, scope.roles,
				 rows[i].roles);
		assert_hex_equal_row(scope.group, rows[i].group, rows[i].in);
	}
}

static void a_bad_entry_is_refused_and_nothing_changed(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ "82 626731 06 00", GK_ERR_MALFORMED }, // something follows
		{ "82 6267ff 06", GK_ERR_MALFORMED },    // no UTF-8
		{ "82 7a7fffffff6731 06", GK_ERR_MALFORMED },
		{ "9f 626731 06", GK_ERR_MALFORMED },
		{ "82 60 06", GK_ERR_RANGE }, // a group without a name
		{ "82 " NAME_65 " 06", GK_ERR_RANGE },
		{ "82 626731 07", GK_ERR_RANGE }, // the admin bit
		{ "82 626731 01", GK_ERR_RANGE },
		{ "82 626731 1820", GK_ERR_RANGE }, // role 5 is not assigned
		{ "82 626731 1b8000000000000002", GK_ERR_RANGE },
		{ "82 626731 1b0000000100000002", GK_ERR_RANGE }, // above 32 bits
		{ "82 f5 01", GK_ERR_RANGE },
		{ "82 626731 " BROKER, GK_ERR_RANGE },
		{ "82 626731 82" REQUESTER BROKER, GK_ERR_RANGE },
		{ "82 626731 60", GK_ERR_RANGE },
		{ "81 626731", GK_ERR_TYPE },
		{ "83 626731 06 06", GK_ERR_TYPE },
		{ "82 426731 06", GK_ERR_TYPE },
		{ "82 626731 25", GK_ERR_TYPE },
		{ "82 626731 4106", GK_ERR_TYPE },
		{ "82 626731 f6", GK_ERR_TYPE },
		{ "82 626731 f94600", GK_ERR_TYPE },
		{ "82 626731 c24106", GK_ERR_TYPE }, // a bignum
		{ "82 626731 8106", GK_ERR_TYPE },   // role numbers are no names
		{ "82 626731 81 81 " MONITOR, GK_ERR_TYPE },
		{ "82 f5 06", GK_ERR_TYPE },
		{ "82 c1626731 06", GK_ERR_TYPE },
		{ "81 82 626731 06", GK_ERR_TYPE }, // a token's array where one entry belongs
		{ "06", GK_ERR_TYPE },
		{ "a1 626731 06", GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_scope scope = { .roles = 99 };
		enum gk_err err = gk_scope_read(hex_span(rows[i].in), &scope);
		if (err != rows[i].want)
			fail_msg("%s: error %d, not %d", rows[i].in, err, rows[i].want);
		if (scope.roles != 99 || scope.group.data)
			fail_msg("%s: changed to roles %u", rows[i].in, scope.roles);
	}
}

static void a_truncated_entry_is_malformed(void **state)
{
	(void)state;
	struct gk_span whole = hex_span("82 626731 82" REQUESTER RESPONDER);
	for (size_t len = 0; len < whole.len; len++) {
		struct gk_scope scope = { .roles = 99 };
		enum gk_err err = gk_scope_read(exact_copy(gk_span_sub(whole, 0, len)), &scope);
		if (err != GK_ERR_MALFORMED || scope.roles != 99)
			fail_msg("cut at %zu: error %d", len, err);
	}
}

// P 6.1, and the table of Tperm values that may be asked for.
static void only_2_4_6_and_8_may_be_joined_with(void **state)
{
	(void)state;
	for (uint32_t roles = 0; roles < 64; roles++) {
		bool want = roles == 2 || roles == 4 || roles == 6 || roles == 8;
		if (gk_roles_joinable(roles) != want)
			fail_msg("%u", roles);
	}
	assert_false(gk_roles_joinable(0x80000002));
}

#define ADMIN_TRUE   "82 f5 05"
#define ADMIN_TEXT   "82 626731 03"
#define ADMIN_TAGGED "82 d823 626731 1903e9"

static void a_token_scope_grants_the_union_of_its_entries(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		size_t entries;
		uint32_t g1, g2;
	} rows[] = {
		{ "80", 0, 0, 0 },
		{ "82 82626731 06 82626732 10", 2, 6, 16 },
		{ "82 82626731 02 82626731 08", 2, 10, 0 },
		{ "9f 82626731 02 9f626732 04 ff ff", 2, 2, 4 },
		{ "81 82626731 181e", 1, 30, 0 },
		{ "81 82626731 00", 1, 0, 0 },
		// admin entries count for nothing, whatever names the group
		{ "83 " ADMIN_TRUE ADMIN_TAGGED "82626731 02", 1, 2, 0 },
		{ "82 " ADMIN_TEXT "82626731 02", 1, 2, 0 },
		{ "81 " ADMIN_TEXT, 0, 0, 0 },
		// roles that are not ours grant nothing, and hurt nothing
		{ "81 82626731 1b8000000000000022", 1, 2, 0 },
		{ "81 82626731 1bfffffffffffffffe", 1, 30, 0 },
		{ "81 82626731 82" BROKER MONITOR, 1, 8, 0 },
		{ "82 82626731 " VERIFIER "82626732 82" REQUESTER RESPONDER, 2, 16, 6 },
		// no group here can have these names
		{ "82 82" NAME_65 "06 82626731 02", 1, 2, 0 },
		{ "82 8260 06 82626731 02", 1, 2, 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span in = hex_span(rows[i].in);
		size_t entries = 99;
		enum gk_err err = gk_scope_check_all(in, &entries);
		if (err != GK_OK || entries != rows[i].entries)
			fail_msg("%s: error %d, %zu entries, not %zu", rows[i].in, err, entries,
				 rows[i].entries);

		uint32_t g1 = gk_scope_roles(in, gk_span_str("g1"));
		uint32_t g2 = gk_scope_roles(in, gk_span_str("g2"));
		if (g1 != rows[i].g1 || g2 != rows[i].g2)
			fail_msg("%s: roles %u and %u, not %u and %u", rows[i].in, g1, g2,
				 rows[i].g1, rows[i].g2);
		assert_int_equal(gk_scope_roles(in, gk_span_str("g")), 0);
		assert_int_equal(gk_scope_roles(in, gk_span(NULL, 0)), 0);
	}
}

static void a_bad_token_scope_is_refused_whole(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ "82 82626731 06", GK_ERR_MALFORMED },
		{ "81 82626731 06 00", GK_ERR_MALFORMED },
		{ "9f 82626731 06", GK_ERR_MALFORMED },
		{ "9b ffffffffffffffff 82626731 06", GK_ERR_MALFORMED },
		{ "82 626731 06", GK_ERR_TYPE }, // an entry without the array
		{ "81 83626731 06 06", GK_ERR_TYPE },
		{ "81 81626731", GK_ERR_TYPE },
		{ "81 80", GK_ERR_TYPE },
		{ "81 82f5 06", GK_ERR_TYPE }, // names no group, and is no admin entry
		{ "81 82d823626731 06", GK_ERR_TYPE },
		{ "81 8203 06", GK_ERR_TYPE },
		{ "81 8203 03", GK_ERR_TYPE },
		{ "82 82626731 06 82626732 f6", GK_ERR_TYPE }, // the last one counts too
		{ "4782626267310606", GK_ERR_TYPE },
		{ "6a74656d70657261747572", GK_ERR_TYPE }, // a text scope
		{ "a1 01 82626731 06", GK_ERR_TYPE },
		{ "81 82 c1c1c1c1c1c1c1c1c101 03", GK_ERR_DEPTH },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t entries = 99;
		enum gk_err err = gk_scope_check_all(hex_span(rows[i].in), &entries);
		if (err != rows[i].want)
			fail_msg("%s: error %d, not %d", rows[i].in, err, rows[i].want);
		assert_int_equal(entries, 99);
	}
}

static void a_truncated_token_scope_is_malformed_and_grants_no_more(void **state)
{
	(void)state;
	struct gk_span whole = hex_span("83 82626731 06 82f5 05 82626732 82" REQUESTER MONITOR);
	for (size_t len = 0; len < whole.len; len++) {
		struct gk_span cut = exact_copy(gk_span_sub(whole, 0, len));
		size_t entries = 99;
		enum gk_err err = gk_scope_check_all(cut, &entries);
		if (err != GK_ERR_MALFORMED || entries != 99)
			fail_msg("cut at %zu: error %d", len, err);
		assert_int_equal(gk_scope_roles(cut, gk_span_str("g2")), 0);
	}
}

static void user_entries_come_one_by_one_in_their_order(void **state)
{
	(void)state;
	struct gk_span in = hex_span("84 " ADMIN_TRUE "82626731 02" ADMIN_TEXT "82626732 1b"
				     "8000000000000024");
	size_t at = 0;
	struct gk_scope scope;
	assert_true(gk_scope_next(in, &at, &scope));
	assert_hex_equal(scope.group, "6731");
	assert_int_equal(scope.roles, 2);
	assert_true(gk_scope_next(in, &at, &scope));
	assert_hex_equal(scope.group, "6732");
	assert_int_equal(scope.roles, 4);

	scope.roles = 99;
	assert_false(gk_scope_next(in, &at, &scope));
	assert_false(gk_scope_next(in, &at, &scope));
	assert_int_equal(scope.roles, 99);
}

static void role_names_are_exact(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint32_t role;
	} rows[] = {
		{ "requester", 2 },  { "responder", 4 }, { "monitor", 8 },
		{ "verifier", 16 },  { "Requester", 0 }, { "requeste", 0 },
		{ "requesters", 0 }, { "", 0 },          { "requester ", 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint32_t role = gk_role_parse(gk_span_str(rows[i].name));
		if (role != rows[i].role)
			fail_msg("'%s': %u, not %u", rows[i].name, role, rows[i].role);
	}
}

static void a_written_entry_reads_back(void **state)
{
	(void)state;
	uint8_t bytes[16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_scope_put(&buf, gk_span_str("g1"), GK_ROLE_ALL);
	assert_hex_equal(gk_buf_span(&buf), "82626731181e");

	struct gk_scope scope;
	assert_int_equal(gk_scope_read(gk_buf_span(&buf), &scope), GK_OK);
	assert_int_equal(scope.roles, GK_ROLE_ALL);

	buf = gk_buf(bytes, 5);
	gk_scope_put(&buf, gk_span_str("g1"), GK_ROLE_ALL);
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_is_read_in_each_form),
		cmocka_unit_test(a_bad_entry_is_refused_and_nothing_changed),
		cmocka_unit_test(a_truncated_entry_is_malformed),
		cmocka_unit_test(only_2_4_6_and_8_may_be_joined_with),
		cmocka_unit_test(a_token_scope_grants_the_union_of_its_entries),
		cmocka_unit_test(a_bad_token_scope_is_refused_whole),
		cmocka_unit_test(a_truncated_token_scope_is_malformed_and_grants_no_more),
		cmocka_unit_test(user_entries_come_one_by_one_in_their_order),
		cmocka_unit_test(role_names_are_exact),
		cmocka_unit_test(a_written_entry_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
