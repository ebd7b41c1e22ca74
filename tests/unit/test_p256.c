// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/p256.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ZERO         "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE          "0000000000000000000000000000000000000000000000000000000000000001"
#define TWO          "0000000000000000000000000000000000000000000000000000000000000002"
#define TOP_BIT      "8000000000000000000000000000000000000000000000000000000000000000"
#define N_LESS_1     "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define N            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define N_PLUS_1     "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"
#define ALL_ONES     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static void scalar_is_valid_from_one_to_below_the_order(void **state)
{
	static const struct {
		const char *scalar;
		bool valid;
	} rows[] = {
		{ ZERO, false },
		{ ONE, true },
		{ TOP_BIT, true },
		{ N_LESS_1, true },
		{ N, false },
		{ N_PLUS_1, false },
		{ ALL_ONES, false },
		/* greater than n in a low limb only, and smaller in a high one */
		{ "ffffffff00000000fffffffffffffffebce6faada7179e84f3b9cac2fc632552", true },
		{ "ffffffff00000001000000000000000000000000000000000000000000000000", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (gk_p256_scalar_valid(hex_span(rows[i].scalar).data) != rows[i].valid)
			fail_msg("%s: want %d", rows[i].scalar, rows[i].valid);
	}
}

static void number_is_reduced_once(void **state)
{
	static const struct {
		const char *number, *reduced;
	} rows[] = {
		{ ZERO, ZERO },
		{ N_LESS_1, N_LESS_1 },
		{ N, ZERO },
		{ N_PLUS_1, ONE },
		{ ALL_ONES, "00000000ffffffff00000000000000004319055258e8617b0c46353d039cdaae" },
	};
	uint8_t out[GK_P256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		gk_p256_reduce(hex_span(rows[i].number).data, out);
		assert_hex_equal_row(gk_span(out, sizeof(out)), rows[i].reduced, rows[i].number);
	}
}

/* RFC 6979 A.2.5 prints k and r; the other rows were computed with big numbers of another kind. */
static const struct {
	const char *name, *e, *r, *d, *k, *s;
} rows[] = {
	{ "RFC 6979 A.2.5, sample",
	  "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf",
	  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
	  "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
	  "a6e3c57dd01abe90086538398355dd4c3b17aa873382b0f24d6129493d8aad60",
	  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
	{ "RFC 6979 A.2.5, test",
	  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	  "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
	  "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
	  "d16b6ae827f17175e040871a1c7ec3500192c4c92677336ec2537acaee0008e0",
	  "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083" },
	{ "random", "9ebe2de52517508454c2686dfd49a3031b1436b6677975545dd5073b6a51c7c0",
	  "62ca16a6692e64880183913a1edbae62b210b26fa3b9d506e102498e304fc5f0",
	  "91cad90a9d9ded33bd556b678c6c28b64123b775a3aa914e8fdd47dae9d982de",
	  "7e8d3db28baa34760d86ec35273a5c6ca8d439cdc7395d538bc8ec268522095a",
	  "612918d7b6f78125a24a293e67d17bc1e47986d41cb8b556d80a92b6e507f89b" },
	{ "random", "61d88b1bec2337a496dc0ebeaaa404735ce98d6f14517692b87a96dfd1d30291",
	  "7b91dbda458a35463e7e8af7f27cbd3665458abcf577b23a654ec83284b197b9",
	  "1a62cd94bf6f67a36966d5afc323016b2c177c1783dbc601238a448c645994a8",
	  "a5e9db28babf51fab73dac4a78c22fe3fbbb76818a85bd1367a806637f4b8517",
	  "27b761336f630e32a1bba9422d2e80aec4a3973092c0dd2e7e4ec041d69ce81f" },
	{ "random", "fba9d6fb76962aea755b549c402bfba2718c5d72578c247168719dadea74a1ce",
	  "7fe32a1c471ecf1af3881b2fbc50610cc79f7addfceebac4a661f33b16278003",
	  "3f9b60c54b50846983b18dd90fb03272f5316a0fb24401785c185d23aa2228ef",
	  "c066bcca945e14e6ff0004943dd16b983eead1cb721ffdb7905bec738d9de01b",
	  "166c8432c143dc92a96e0b9e8bad2db871a8130d57367a24d56334059e876dbc" },
	{ "all greatest: the sum is 0", N_LESS_1, N_LESS_1, N_LESS_1, N_LESS_1, ZERO },
	{ "k = 1", ZERO, ONE, ONE, ONE, ONE },
	{ "r = k = -1", ZERO, N_LESS_1, ONE, N_LESS_1, ONE },
	{ "e + r d = n", N_LESS_1, ONE, ONE, TWO, ZERO },
	{ "one bit each", TOP_BIT, TOP_BIT, TOP_BIT, TOP_BIT,
	  "8000000000000000000000000000000000000000000000000000000000000001" },
};

static void s_is_e_plus_r_d_over_k(void **state)
{
	uint8_t s[GK_P256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		gk_p256_ecdsa(hex_span(rows[i].e).data, hex_span(rows[i].r).data,
			      hex_span(rows[i].d).data, hex_span(rows[i].k).data, s);
		assert_hex_equal_row(gk_span(s, sizeof(s)), rows[i].s, rows[i].name);
	}
}

static void s_may_take_the_place_of_an_input(void **state)
{
	uint8_t k[GK_P256_LEN];

	(void)state;
	memcpy(k, hex_span(rows[0].k).data, sizeof(k));
	gk_p256_ecdsa(hex_span(rows[0].e).data, hex_span(rows[0].r).data, hex_span(rows[0].d).data,
		      k, k);
	assert_hex_equal(gk_span(k, sizeof(k)), rows[0].s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalar_is_valid_from_one_to_below_the_order),
		cmocka_unit_test(number_is_reduced_once),
		cmocka_unit_test(s_is_e_plus_r_d_over_k),
		cmocka_unit_test(s_may_take_the_place_of_an_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
