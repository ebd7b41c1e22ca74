// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

// A key on P-256; 'OFF' is its y with another last bit: a point beside the curve.
#define X    "215820515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f"
#define Y    "2258204536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
#define OFF  "2258204536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9355"
#define P256 "0102 2001" X Y
#define ED_X "069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static void a_ccs_is_read_whatever_else_it_claims(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		int crv;
	} rows[] = {
		{ "a1 08a101a4" P256, GK_CRV_P256 },
		{ "a2 02626331 08a101a50326" P256, GK_CRV_P256 },
		{ "a3 08a101a4" P256 "041a70004b4f 6178f6", GK_CRV_P256 },
		{ "bf 08bf01bf" P256 "ff0341ddff ff", GK_CRV_P256 },
		{ "a1 08a101a3 0101 2006 215820" ED_X, GK_CRV_ED25519 },
		{ "a1 08a101a3 0101 2004 215820" ED_X, GK_CRV_X25519 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_curve_supported(rows[i].crv))
			continue;
		struct gk_public_key key = { .crv = 99 };
		enum gk_err err = gk_ccs_read(hex_span(rows[i].in), &key);
		if (err != GK_OK || key.crv != rows[i].crv)
			fail_msg("row %zu: error %d, curve %d", i, err, key.crv);
	}
}

static void whatever_makes_a_ccs_unfit_is_one_error(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"a0",
		"40",
		"80",
		"a1 02626331",   // no cnf
		"a1 08a0",       // no key in it
		"a1 08a1034101", // a kid instead
		"a1 08a104a2004101 0240",
		"a1 0880",
		"a1 08a10180",
		"a1 08a101a0",
		"a2 08a101a4" P256 "08a101a4" P256, // two keys
		"a1 08a2 01a4" P256 "01a4" P256,
		"a1 08a101a4" P256 "00",   // something follows
		"d90259 a1 08a101a4" P256, // tagged
		"5851 a1 08a101a4" P256,
		"a1 08a101a5" P256 "235820" ZERO, // a private part
		"a1 08a101a4 0102 2001" X OFF,    // a point beside the curve
		"a1 08a101a4 0102 2001 215820" ZERO "225820" ZERO,
		"a1 08a101a4 0102 2001" X "22f5", // compressed
		"a1 08a101a5" P256 "0327",        // for another algorithm
		"a1 08a101a4 0102 2002" X Y,      // another curve
		"a1 08a101a2 0104 2042aabb",      // symmetric
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_public_key key = { .crv = 99, .x = { 1 }, .y = { 2 } };
		struct gk_public_key before = key;
		enum gk_err err = gk_ccs_read(hex_span(rows[i]), &key);
		if (err != GK_ERR_CREDENTIAL)
			fail_msg("row %zu, %s: error %d", i, rows[i], err);
		assert_memory_equal(&key, &before, sizeof(key));
	}
}

static void a_truncated_ccs_is_unfit(void **state)
{
	(void)state;
	struct gk_span whole = hex_span("a2 02626331 08a101a50326" P256);
	for (size_t len = 0; len < whole.len; len++) {
		struct gk_public_key key = { .crv = 99 };
		enum gk_err err = gk_ccs_read(exact_copy(gk_span_sub(whole, 0, len)), &key);
		if (err != GK_ERR_CREDENTIAL || key.crv != 99)
			fail_msg("cut at %zu: error %d", len, err);
	}
}

static void a_ccs_may_be_as_long_as_is_said_and_no_longer(void **state)
{
	(void)state;
	// A label and a head of three bytes stand before the filling.
	struct gk_span head = hex_span("a2 08a101a4" P256 "07");
	for (size_t len = GK_CRED_MAX; len <= GK_CRED_MAX + 1; len++) {
		uint8_t bytes[GK_CRED_MAX + 1];
		struct gk_buf ccs = gk_buf(bytes, len);
		gk_buf_add(&ccs, head);
		gk_put_bytes_head(&ccs, len - head.len - 3);
		gk_buf_zeros(&ccs, len - head.len - 3);
		assert_int_equal(gk_buf_err(&ccs), GK_OK);
		assert_int_equal(ccs.len, len);

		struct gk_public_key key;
		enum gk_err want = len <= GK_CRED_MAX ? GK_OK : GK_ERR_CREDENTIAL;
		assert_int_equal(gk_ccs_read(gk_buf_span(&ccs), &key), want);
	}
}

static void a_written_ccs_reads_back(void **state)
{
	(void)state;
	struct gk_public_key key, back;
	struct gk_span want = hex_span("a2 02626331 08a101a5 0102 0326 2001" X Y);
	assert_int_equal(gk_ccs_read(want, &key), GK_OK);

	uint8_t bytes[96];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_ccs_put(&buf, gk_span_str("c1"), &key);
	assert_true(gk_span_equal(gk_buf_span(&buf), want));
	assert_int_equal(gk_ccs_read(gk_buf_span(&buf), &back), GK_OK);
	assert_memory_equal(&key, &back, sizeof(key));

	buf = gk_buf(bytes, want.len - 1);
	gk_ccs_put(&buf, gk_span_str("c1"), &key);
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
}

// R 4.3.1; the head is the shortest one, whatever stood in the message.
static void the_parts_of_a_pop_input_have_shortest_heads(void **state)
{
	(void)state;
	static const uint8_t zeros[256];
	static const struct {
		size_t len, head_len;
		const char *head;
	} rows[] = {
		{ 0, 1, "40" },    { 8, 1, "48" },     { 23, 1, "57" },      { 24, 2, "5818" },
		{ 32, 2, "5820" }, { 255, 2, "58ff" }, { 256, 3, "590100" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[600];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_span n = gk_span(zeros, rows[i].len);
		gk_pop_put_kdc(&buf, n, hex_span("aa"));
		assert_hex_equal_row(gk_span(bytes, rows[i].head_len), rows[i].head, rows[i].head);
		assert_hex_equal_row(
			gk_span_sub(gk_buf_span(&buf), rows[i].head_len + n.len, SIZE_MAX), "41aa",
			rows[i].head);
	}
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_pop_put_client(&buf, hex_span("01"), hex_span("02"), hex_span("03"));
	assert_hex_equal(gk_buf_span(&buf), "410141024103");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ccs_is_read_whatever_else_it_claims),
		cmocka_unit_test(whatever_makes_a_ccs_unfit_is_one_error),
		cmocka_unit_test(a_truncated_ccs_is_unfit),
		cmocka_unit_test(a_ccs_may_be_as_long_as_is_said_and_no_longer),
		cmocka_unit_test(a_written_ccs_reads_back),
		cmocka_unit_test(the_parts_of_a_pop_input_have_shortest_heads),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
