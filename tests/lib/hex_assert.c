// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// Apart from hex.c, which programs without cmocka use too.
#include "hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void assert_hex_equal_at(struct gk_span got, const char *want, const char *row, const char *file,
			 int line)
{
	struct gk_span bytes = hex_span(want);
	if (gk_span_equal(got, bytes))
		return;
	print_error("%s%sgot  %zu bytes %s\nwant %zu bytes %s\n", row ? row : "", row ? ": " : "",
		    got.len, hex_text(got), bytes.len, hex_text(bytes));
	_fail(file, line);
}
