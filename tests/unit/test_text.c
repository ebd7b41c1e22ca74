// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_is_written_is_kept_however_much_it_is(void **state)
{
	static const int sizes[] = { 0, 1, 1023, 1024, 1025, 5000, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct gw_text text;
		gw_text_open(&text);
		assert_non_null(text.out);
		for (int at = 0; at < sizes[i]; at++)
			fputc(at % 251, text.out);
		assert_int_equal(gw_text_close(&text), 0);
		assert_int_equal(text.len, sizes[i]);
		for (int at = 0; at < sizes[i]; at++)
			assert_int_equal((uint8_t)text.bytes[at], at % 251);
		gw_text_free(&text);
	}
}

static void nothing_is_left_in_the_buffer_of_the_file(void **state)
{
	static const char zeros[1024];
	struct gw_text text;

	(void)state;
	gw_text_open(&text);
	fputs("secret", text.out);
	// musl keeps a few bytes before what is written.
	assert_non_null(memmem(text.stage, sizeof(text.stage), "secret", 6));
	assert_int_equal(gw_text_close(&text), 0);
	assert_memory_equal(text.stage, zeros, sizeof(text.stage));
	assert_memory_equal(text.bytes, "secret", 6);
	gw_text_free(&text);
	assert_null(text.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_kept_however_much_it_is),
		cmocka_unit_test(nothing_is_left_in_the_buffer_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
