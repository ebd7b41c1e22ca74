// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/buf.h"

#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct gk_span nothing(void)
{
	return gk_span(NULL, 0);
}

/* spans */

static void spans_are_equal_by_their_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "", "", true },          { "01", "01", true },      { "01", "02", false },
		{ "0102", "0103", false }, { "0102", "0202", false }, { "01", "0100", false },
		{ "0100", "01", false },   { "", "00", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (gk_span_equal(hex_span(rows[i].a), hex_span(rows[i].b)) != rows[i].equal)
			fail_msg("row %zu: %s and %s", i, rows[i].a, rows[i].b);
	}
	assert_true(gk_span_equal(nothing(), hex_span("")));
	assert_true(gk_span_equal(nothing(), nothing()));
}

static void a_string_span_ends_before_its_nul(void **state)
{
	(void)state;
	assert_hex_equal(gk_span_str("abc"), "616263");
	assert_hex_equal(gk_span_str(""), "");
}

static void a_sub_span_is_cut_to_what_is_there(void **state)
{
	(void)state;
	static const struct {
		size_t from, len;
		const char *want;
	} rows[] = {
		{ 0, 4, "00010203" },
		{ 0, 0, "" },
		{ 0, 5, "00010203" },
		{ 1, 2, "0102" },
		{ 3, 1, "03" },
		{ 3, SIZE_MAX, "03" },
		{ 1, SIZE_MAX, "010203" }, // from + len overflows
		{ 4, 0, "" },
		{ 4, 1, "" },
		{ 5, 1, "" },
		{ SIZE_MAX, SIZE_MAX, "" },
	};
	struct gk_span bytes = hex_span("00010203");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char row[16];
		snprintf(row, sizeof(row), "row %zu", i);
		assert_hex_equal_row(gk_span_sub(bytes, rows[i].from, rows[i].len), rows[i].want,
				     row);
	}
	assert_int_equal(gk_span_sub(nothing(), 0, 1).len, 0);
}

static void numbers_are_big_endian_and_their_last_eight_bytes_count(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		uint64_t want;
	} rows[] = {
		{ "", 0 },
		{ "00", 0 },
		{ "ff", 0xff },
		{ "0102", 0x0102 },
		{ "0000000102", 0x0102 },
		{ "ffffffffffffffff", UINT64_MAX },
		{ "0102030405060708", UINT64_C(0x0102030405060708) },
		{ "ee0102030405060708", UINT64_C(0x0102030405060708) },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = gk_span_uint(hex_span(rows[i].bytes));
		if (got != rows[i].want)
			fail_msg("%s: got %#jx, want %#jx", rows[i].bytes, (uintmax_t)got,
				 (uintmax_t)rows[i].want);
	}
}

/* buffers */

static void writes_append_in_order(void **state)
{
	(void)state;
	uint8_t memory[16];
	memset(memory, 0xee, sizeof(memory));
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_buf_add(&buf, hex_span("0102"));
	gk_buf_add(&buf, nothing());
	gk_buf_byte(&buf, 0x03);
	gk_buf_zeros(&buf, 2);
	uint8_t *taken = gk_buf_take(&buf, 2);
	assert_ptr_equal(taken, memory + 5);
	memcpy(taken, "\x04\x05", 2);
	assert_hex_equal(gk_buf_span(&buf), "01020300000405");
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	assert_int_equal(memory[7], 0xee);
}

static void a_full_buffer_is_no_overflow(void **state)
{
	(void)state;
	uint8_t memory[2];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_buf_add(&buf, hex_span("0102"));
	gk_buf_add(&buf, nothing());
	gk_buf_zeros(&buf, 0);
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	assert_hex_equal(gk_buf_span(&buf), "0102");
}

typedef void write_five(struct gk_buf *buf);

static void add_five(struct gk_buf *buf)
{
	gk_buf_add(buf, hex_span("0102030405"));
}

static void take_five(struct gk_buf *buf)
{
	if (gk_buf_take(buf, 5))
		memset(buf->data + buf->len - 5, 0x55, 5);
}

static void zero_five(struct gk_buf *buf)
{
	gk_buf_zeros(buf, 5);
}

static void single_five(struct gk_buf *buf)
{
	for (uint8_t i = 0; i < 5; i++)
		gk_buf_byte(buf, i);
}

static write_five *const writers[] = { add_five, take_five, zero_five, single_five };
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

static void an_overflow_sticks_and_writes_nothing_more(void **state)
{
	(void)state;
	// All but the byte-wise writer, which fills the buffer before it overflows.
	for (size_t i = 0; i + 1 < WRITERS; i++) {
		uint8_t memory[6];
		memset(memory, 0xee, sizeof(memory));
		struct gk_buf buf = gk_buf(memory, 4);
		writers[i](&buf);
		gk_buf_byte(&buf, 0x99); // would fit, were it not for the failure before it
		assert_hex_equal(gk_span(memory, sizeof(memory)), "eeeeeeeeeeee");
		assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
		assert_hex_equal(gk_buf_span(&buf), "");
		assert_null(gk_buf_take(&buf, 0));
	}
}

static void an_overflowing_buffer_counts_what_it_would_need(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRITERS; i++) {
		uint8_t memory[6] = { 0 };
		struct gk_buf small = gk_buf(memory, 3), none = gk_buf(NULL, 0);
		writers[i](&small);
		writers[i](&small);
		writers[i](&none);
		writers[i](&none);
		assert_int_equal(small.len, 10);
		assert_int_equal(none.len, 10);
		assert_int_equal(gk_buf_err(&none), GK_ERR_NO_SPACE);
		assert_hex_equal(gk_buf_span(&none), "");
	}
}

static void a_count_that_overflows_stays_an_overflow(void **state)
{
	(void)state;
	uint8_t memory[4];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_buf_byte(&buf, 1);
	assert_null(gk_buf_take(&buf, SIZE_MAX));
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
	gk_buf_zeros(&buf, SIZE_MAX);
	gk_buf_byte(&buf, 1);
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
	assert_int_equal(buf.len, SIZE_MAX);
}

static void nothing_written_to_no_memory_is_fine(void **state)
{
	(void)state;
	struct gk_buf buf = gk_buf(NULL, 0);
	gk_buf_add(&buf, nothing());
	gk_buf_zeros(&buf, 0);
	assert_null(gk_buf_take(&buf, 0));
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	assert_int_equal(gk_buf_span(&buf).len, 0);
}

static void truncation_undoes_writes(void **state)
{
	(void)state;
	uint8_t memory[4];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_buf_add(&buf, hex_span("010203"));
	gk_buf_truncate(&buf, 4); // there is nothing behind it
	assert_int_equal(buf.len, 3);
	gk_buf_truncate(&buf, 1);
	gk_buf_byte(&buf, 0x09);
	assert_hex_equal(gk_buf_span(&buf), "0109");
}

static void truncation_undoes_an_overflow_only_before_it(void **state)
{
	(void)state;
	uint8_t memory[4];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_buf_add(&buf, hex_span("0102"));
	size_t before = buf.len;
	gk_buf_zeros(&buf, 3);
	size_t after = buf.len;
	gk_buf_zeros(&buf, 1);

	gk_buf_truncate(&buf, after);
	assert_int_equal(buf.len, after);
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);

	gk_buf_truncate(&buf, before);
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	gk_buf_byte(&buf, 0x03);
	assert_hex_equal(gk_buf_span(&buf), "010203");
}

/* identifiers */

static void an_identifier_holds_up_to_eight_bytes(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "00", "0102030405060708" };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_id id;
		assert_int_equal(gk_id_set(&id, hex_span(rows[i])), GK_OK);
		assert_hex_equal_row(gk_id_span(&id), rows[i], rows[i]);
	}
}

static void an_identifier_too_long_changes_nothing(void **state)
{
	(void)state;
	struct gk_id id;
	assert_int_equal(gk_id_set(&id, hex_span("0102")), GK_OK);
	assert_int_equal(gk_id_set(&id, hex_span("010203040506070809")), GK_ERR_RANGE);
	assert_hex_equal(gk_id_span(&id), "0102");
	// Lengths that a byte would take for a short one.
	static uint8_t long_one[257];
	assert_int_equal(gk_id_set(&id, gk_span(long_one, sizeof(long_one))), GK_ERR_RANGE);
	assert_hex_equal(gk_id_span(&id), "0102");
}

static void identifiers_are_equal_by_their_bytes(void **state)
{
	(void)state;
	struct gk_id a, b;
	assert_int_equal(gk_id_set(&a, hex_span("0102")), GK_OK);
	// What an identifier held before does not count.
	assert_int_equal(gk_id_set(&b, hex_span("ffffffffffffffff")), GK_OK);
	assert_int_equal(gk_id_set(&b, hex_span("0102")), GK_OK);
	assert_true(gk_id_equal(&a, &b));
	assert_int_equal(gk_id_set(&b, hex_span("010200")), GK_OK);
	assert_false(gk_id_equal(&a, &b));
	assert_int_equal(gk_id_set(&b, hex_span("0103")), GK_OK);
	assert_false(gk_id_equal(&a, &b));
}

/* the helpers that other tests lean on */

static void the_test_environment_repeats_itself_and_no_call(void **state)
{
	(void)state;
	struct test_env t[3];
	struct gk_env a = test_env(&t[0], 1), b = test_env(&t[1], 1), c = test_env(&t[2], 2);
	uint8_t one[3][32], two[32];
	assert_true(a.random(a.ctx, one[0], 32));
	assert_true(b.random(b.ctx, one[1], 32));
	assert_true(c.random(c.ctx, one[2], 32));
	assert_true(a.random(a.ctx, two, 32));
	assert_memory_equal(one[0], one[1], 32);
	assert_memory_not_equal(one[0], one[2], 32);
	assert_memory_not_equal(one[0], two, 32);
}

static void the_test_environment_fails_when_told(void **state)
{
	(void)state;
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	uint8_t byte;
	assert_true(env.random(env.ctx, &byte, 1));
	test_env_fail_random(&t, 2);
	assert_true(env.random(env.ctx, &byte, 1));
	assert_false(env.random(env.ctx, &byte, 1));
	assert_true(env.random(env.ctx, &byte, 1));

	test_env_fail_alloc(&t, 2);
	void *block = env.alloc(env.ctx, NULL, 8);
	assert_non_null(block);
	assert_null(env.alloc(env.ctx, block, 16));
	block = env.alloc(env.ctx, block, 16);
	assert_non_null(block);
	assert_int_equal(t.blocks, 1);
	assert_null(env.alloc(env.ctx, block, 0));
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_equal_by_their_bytes),
		cmocka_unit_test(a_string_span_ends_before_its_nul),
		cmocka_unit_test(a_sub_span_is_cut_to_what_is_there),
		cmocka_unit_test(numbers_are_big_endian_and_their_last_eight_bytes_count),
		cmocka_unit_test(writes_append_in_order),
		cmocka_unit_test(a_full_buffer_is_no_overflow),
		cmocka_unit_test(an_overflow_sticks_and_writes_nothing_more),
		cmocka_unit_test(an_overflowing_buffer_counts_what_it_would_need),
		cmocka_unit_test(a_count_that_overflows_stays_an_overflow),
		cmocka_unit_test(nothing_written_to_no_memory_is_fine),
		cmocka_unit_test(truncation_undoes_writes),
		cmocka_unit_test(truncation_undoes_an_overflow_only_before_it),
		cmocka_unit_test(an_identifier_holds_up_to_eight_bytes),
		cmocka_unit_test(an_identifier_too_long_changes_nothing),
		cmocka_unit_test(identifiers_are_equal_by_their_bytes),
		cmocka_unit_test(the_test_environment_repeats_itself_and_no_call),
		cmocka_unit_test(the_test_environment_fails_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
