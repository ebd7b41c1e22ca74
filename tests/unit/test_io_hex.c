// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/hex.h"
#include "libgroupkey/buf.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void each_digit_has_its_value_and_nothing_else_is_one(void **state)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	(void)state;
	for (int c = -1; c <= UCHAR_MAX; c++) {
		const char *at = c > 0 ? strchr(digits, c) : NULL;

		assert_int_equal(io_hex_digit(c), at ? (at - digits) % 16 : -1);
	}
}

static void text_is_pairs_of_digits_as_many_as_there_is_room_for(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: refused */
	} rows[] = {
		{ "00fFa1", 3 }, { "00", 1 }, { "", 0 },         { "0", 0 },    { "00f", 0 },
		{ "0g", 0 },     { "g0", 0 }, { "00 f", 0 },     { " 00f", 0 }, { "0x12", 0 },
		{ "-1", 0 },     { "+1", 0 }, { "00000000", 0 },
	};
	uint8_t bytes[3];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (io_hex_read(gk_span_str(rows[i].text), bytes, sizeof(bytes)) != rows[i].len)
			fail_msg("'%s'", rows[i].text);
		if (i == 0)
			assert_memory_equal(bytes, "\x00\xff\xa1", 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_digit_has_its_value_and_nothing_else_is_one),
		cmocka_unit_test(text_is_pairs_of_digits_as_many_as_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
