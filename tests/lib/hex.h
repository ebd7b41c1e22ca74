// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Bytes written as hexadecimal text, which may have white space anywhere between digits. A test
 * with a bad digit in it is wrong, and ends at once.
 */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include "libgroupkey/buf.h"

/** Decode 'text' into out[0..cap); more than fits ends the program. @return number of bytes */
size_t hex(const char *text, uint8_t *out, size_t cap);
/** Decode 'text' into memory of its exact size, so that a sanitizer sees each byte read too many.
 *  Lasts until the program ends. */
struct gk_span hex_span(const char *text);
/** Copy 'bytes' into memory of their exact size; lasts as hex_span()'s. */
struct gk_span exact_copy(struct gk_span bytes);
/** @return lower-case text, to be printed; of the last few calls, each has a place of its own.
 *  Cut off with "..." where it is long. */
const char *hex_text(struct gk_span bytes);

/** Fail the running cmocka test, showing both, unless 'got' is what 'want' spells. */
#define assert_hex_equal(got, want) assert_hex_equal_at((got), (want), NULL, __FILE__, __LINE__)
/** The same in a table: 'row' names the row. */
#define assert_hex_equal_row(got, want, row)                                                       \
	assert_hex_equal_at((got), (want), (row), __FILE__, __LINE__)
void assert_hex_equal_at(struct gk_span got, const char *want, const char *row, const char *file,
			 int line);

#endif
