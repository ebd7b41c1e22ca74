// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/pem.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define BEGIN       "-----BEGIN CERTIFICATE-----"
#define END         "-----END CERTIFICATE-----"

static bool decode(const char *text, struct gk_blob *blob)
{
	size_t len = strlen(text);

	*blob = (struct gk_blob){ malloc(len + 1), len }; // no terminating zero in it
	assert_non_null(blob->data);
	memcpy(blob->data, text, len);
	return io_pem_decode(blob);
}

static void certificates_come_out_one_after_another(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		// RFC 4648 section 10
		{ BEGIN "Zm9vYmFy" END, "666f6f626172" },
		{ BEGIN "\nZm9vYmE=\n" END "\n", "666f6f6261" },
		{ BEGIN "\r\nZm9v\r\nYg==\r\n" END "\r\n", "666f6f62" },
		{ "subject: a\n" BEGIN "\nZm9v\n" END "\nand\n" BEGIN "\n Ym\tFy\n" END,
		  "666f6f626172" },
		{ BEGIN "+/+/" END, "fbffbf" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_blob blob;

		assert_true(io_pem_is(gk_span_str(rows[i].in)));
		assert_true(decode(rows[i].in, &blob));
		assert_hex_equal(gk_span(blob.data, blob.len), rows[i].out);
		free(blob.data);
	}
}

static void what_is_not_whole_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		"Zm9v",
		BEGIN,
		BEGIN END,
		BEGIN "Zm9v",
		BEGIN "Zm9" END,
		BEGIN "Zm9v=" END,
		BEGIN "Zg===" END,
		BEGIN "Zg=v" END,
		BEGIN "Z-9v" END,
		BEGIN "Zm9v" END BEGIN "Z" END,
		BEGIN "Zm9v" END BEGIN "Zm9v",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_blob blob;

		if (decode(rows[i], &blob))
			fail_msg("row %zu", i);
		free(blob.data);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_come_out_one_after_another),
		cmocka_unit_test(what_is_not_whole_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
