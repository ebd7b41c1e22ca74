// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// Values of a few lines of Python: (1 + y) * pow(1 - y, -1, p) % p.
#include "libgroupkey/edwards.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define F30          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ZEROS_30     "000000000000000000000000000000000000000000000000000000000000"

static const struct {
	const char *y, *u;
} rows[] = {
	/* u that are small, and just below p */
	{ ZEROS_30 "0000", "01" ZEROS_30 "00" },
	{ "4955555555555555555555555555555555555555555555555555555555555555", "02" ZEROS_30 "00" },
	{ "5866666666666666666666666666666666666666666666666666666666666666", "09" ZEROS_30 "00" },
	{ "c66b28afa1bc86f21aca6b28afa1bc86f21aca6b28afa1bc86f21aca6b28af21", "12" ZEROS_30 "00" },
	{ "2333333333333333333333333333333333333333333333333333333333333373", "13" ZEROS_30 "00" },
	{ "13c7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711c47", "da" F30 "7f" },
	{ "03" ZEROS_30 "00", "eb" F30 "7f" },
	{ "02" ZEROS_30 "00", "ea" F30 "7f" },
	/* y just below p - 1, half of p, and with long carries */
	{ "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	  "a4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2a" },
	{ "eaffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	  "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f" },
	{ "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f",
	  "4955555555555555555555555555555555555555555555555555555555555555" },
	{ "f7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f", "03" ZEROS_30 "00" },
	{ ZEROS_30 "0040", "9296969696969696969696969696969696969696969696969696969696969616" },
	{ "ffffffff00000000000000000000000000000000000000000000000000000000",
	  "66e1207abc70103d5e38881e2f1c448f170ea2c70b07d1e38583e8f1c241f478" },
	{ "0000000000000000000000000000000001000000000000000000000000000000",
	  "e30653e4b36e30453eeb0653e4b36e30eb0653e4b36e30453eeb0653e4b36e30" },
	{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000",
	  "f5491bf1d71ea32777528f0f72ce80a2c24014fb90b2bdff4a3f83f203a58d78" },
	/* any */
	{ "38b4e652e44da7f2370d9e260e27136550a4a3a6d07f5c0c332f8b1212841f69",
	  "7074dc3c7d087444fc1969b32789d6a9599b43a889e3a974f5667ce47c090161" },
	{ "2b902f8911e81818f8c99d5d5d9831957504d90e945de2e8f54ee781e63a7b1b",
	  "6744adce93cf685e29caf5dacb3c193e01e156f7281c3d8adda7f6e23223be4c" },
	{ "264aad6cb6dd210faf94acd3cf92c190237cb11f5d108cf2593026399c59b850",
	  "be07c3fbabdf0bbaf5f9517fa2ae230c23c7944b69529d43de8089bec5ce5948" },
};

static void u_is_that_of_another_implementation(void **state)
{
	uint8_t y[GK_EDWARDS_LEN], u[GK_EDWARDS_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memcpy(y, hex_span(rows[i].y).data, sizeof(y));
		assert_true(gk_edwards_to_montgomery(y, u));
		assert_hex_equal_row(gk_span(u, sizeof(u)), rows[i].u, rows[i].y);
		y[31] |= 0x80; /* the sign of x does not matter */
		assert_true(gk_edwards_to_montgomery(y, u));
		assert_hex_equal_row(gk_span(u, sizeof(u)), rows[i].u, rows[i].y);
	}
}

static void what_has_no_image_is_refused(void **state)
{
	static const char *const refused[] = {
		"01" ZEROS_30 "00",                /* 1 */
		"01" ZEROS_30 "80", "ec" F30 "7f", /* -1 */
		"ec" F30 "ff",      "ed" F30 "7f", /* p and above */
		"ee" F30 "7f",      "ff" F30 "7f", "ff" F30 "ff",
	};
	uint8_t u[GK_EDWARDS_LEN] = { 0x5a };

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (gk_edwards_to_montgomery(hex_span(refused[i]).data, u))
			fail_msg("%s is taken", refused[i]);
		assert_int_equal(u[0], 0x5a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u_is_that_of_another_implementation),
		cmocka_unit_test(what_has_no_image_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
