// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/block.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* RFC 7959 section 2.2: NUM, M and SZX in up to three bytes. */
static void a_block_option_is_number_more_and_size(void **state)
{
	static const struct {
		const char *message; // 2.05 with Block2
		enum gk_err err;
		struct gk_block block;
	} rows[] = {
		{ "45 d0 0a", GK_OK, { 0, false, 0 } },
		{ "45 d1 0a 06", GK_OK, { 0, false, 6 } },
		{ "45 d1 0a 0e", GK_OK, { 0, true, 6 } },
		{ "45 d1 0a 1e", GK_OK, { 1, true, 6 } },
		{ "45 d2 0a 1006", GK_OK, { 256, false, 6 } },
		{ "45 d3 0a ffffff", GK_ERR_RANGE, { 0 } },
		{ "45 d3 0a fffffe", GK_OK, { 0xfffff, true, 6 } },
		{ "45 d4 0a 00000006", GK_ERR_RANGE, { 0 } },
		{ "45 d1 0a 07", GK_ERR_RANGE, { 0 } },
		{ "45", GK_ERR_MISSING, { 0 } },
		{ "45 d1 0e 06", GK_ERR_MISSING, { 0 } }, // Block1
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_block block = { 9, true, 9 };
		struct gk_coap msg;
		enum gk_err err;

		assert_int_equal(gk_coap_parse(hex_span(rows[i].message), &msg), GK_OK);
		err = gk_block_read(&msg, GK_OPT_BLOCK2, &block);
		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].message, err);
		if (err) {
			assert_int_equal(block.num, 9);
			continue;
		}
		assert_int_equal(block.num, rows[i].block.num);
		assert_int_equal(block.more, rows[i].block.more);
		assert_int_equal(block.szx, rows[i].block.szx);
		assert_int_equal(gk_block_value(block), rows[i].block.num << 4 |
								rows[i].block.more << 3 |
								rows[i].block.szx);
	}
}

static void sizes_are_16_to_1024(void **state)
{
	(void)state;
	for (uint8_t szx = 0; szx <= 6; szx++)
		assert_int_equal(gk_block_size(szx), 16 << szx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_option_is_number_more_and_size),
		cmocka_unit_test(sizes_are_16_to_1024),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
