// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Formats of credentials: what is one, what fits a group, who vouches for it, and what of it enters
// what members authenticate.

#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"
#include "tests/lib/issue.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define NOW         1000000

/** An issuer, a key that it vouches for, and rules that take it. */
struct setting {
	struct gk_key_pair issuer, key;
	uint8_t issuer_bytes[256], bytes[1024];
	struct gk_buf issuers, cred;
	struct gk_cred_rules rules;
};

static struct setting *set_up(struct setting *s, int issuer_crv, int crv)
{
	memset(s, 0, sizeof(*s));
	s->issuer = issue_key(issuer_crv, 0x11);
	s->key = issue_key(crv, 0x22);
	s->issuers = gk_buf(s->issuer_bytes, sizeof(s->issuer_bytes));
	issue_put_issuer(&s->issuers, &s->issuer);
	s->cred = gk_buf(s->bytes, sizeof(s->bytes));
	s->rules = (struct gk_cred_rules){
		.fmt = GK_HEADER_KCWT,
		.crv = crv,
		.alg = crv == GK_CRV_P256     ? GK_ALG_ES256
		       : crv == GK_CRV_X25519 ? GK_ALG_ECDH_SS_HKDF_256
					      : GK_ALG_EDDSA,
		.issuers = gk_buf_span(&s->issuers),
		.now = { NOW },
	};
	return s;
}

static enum gk_err check(struct setting *s, const struct issue_cwt *cwt)
{
	struct gk_cred cred;

	s->cred.len = 0;
	issue_put_cwt(&s->cred, cwt);
	return gk_cred_check(&s->rules, gk_buf_span(&s->cred), &cred);
}

static void a_cwt_of_the_issuer_fits_tagged_or_not(void **state)
{
	static const int curves[] = { GK_CRV_P256, GK_CRV_ED25519, GK_CRV_X25519 };
	struct setting s;

	(void)state;
	for (size_t i = 0; i < ROWS(curves); i++) {
		if (!gk_curve_supported(curves[i]))
			continue;
		for (int tags = 0; tags < 3; tags++) {
			struct gk_cred cred = { .alg = 99 };
			size_t head = tags == 0 ? 0 : tags == 1 ? 1 : 3;

			set_up(&s, GK_CRV_P256, curves[i]);
			issue_put_cwt(&s.cred,
				      &(struct issue_cwt){ .name = "n",
							   .key = &s.key.pub,
							   .dh = curves[i] == GK_CRV_X25519,
							   .issuer = &s.issuer,
							   .tags = tags });
			assert_int_equal(gk_cred_check(&s.rules, gk_buf_span(&s.cred), &cred),
					 GK_OK);
			assert_memory_equal(cred.key.x, s.key.pub.x, 32);
			// the untagged one enters all that is authenticated (RFC 10021 section 2.4)
			assert_ptr_equal(cred.binary.data, s.bytes + head);
			assert_int_equal(cred.binary.len, s.cred.len - head);
			assert_int_equal(cred.binary.data[0], 0x84);
			assert_int_equal(gk_cred_read(GK_HEADER_KCWT, gk_buf_span(&s.cred), &cred),
					 GK_OK);
		}
	}
}

static void any_of_several_issuers_will_do(void **state)
{
	struct setting s;
	struct gk_key_pair second = issue_key(GK_CRV_P256, 0x44);

	(void)state;
	set_up(&s, GK_CRV_P256, GK_CRV_P256);
	assert_int_equal(check(&s, &(struct issue_cwt){ "n", &s.key.pub, .issuer = &second }),
			 GK_ERR_CREDENTIAL);
	issue_put_issuer(&s.issuers, &second);
	s.rules.issuers = gk_buf_span(&s.issuers);
	assert_int_equal(check(&s, &(struct issue_cwt){ "n", &s.key.pub, .issuer = &second }),
			 GK_OK);
	assert_int_equal(check(&s, &(struct issue_cwt){ "n", &s.key.pub, .issuer = &s.issuer }),
			 GK_OK);
}

static void a_cwt_counts_within_its_time(void **state)
{
	static const struct {
		int64_t exp, nbf;
		bool fits;
	} rows[] = {
		{ 0, 0, true },          { NOW + 1, 0, true },  { NOW, 0, false },
		{ 0, NOW, true },        { 0, NOW + 1, false }, { NOW + 1, NOW, true },
		{ NOW - 1, NOW, false }, { -1, 0, false },
	};
	struct setting s;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		set_up(&s, GK_CRV_P256, GK_CRV_P256);
		struct issue_cwt cwt = { "n", &s.key.pub, .exp = rows[i].exp, .nbf = rows[i].nbf,
					 .issuer = &s.issuer };
		if ((check(&s, &cwt) == GK_OK) != rows[i].fits)
			fail_msg("row %zu", i);
	}
}

static void no_byte_of_a_cwt_can_change(void **state)
{
	struct setting s;
	struct gk_cred cred;

	(void)state;
	set_up(&s, GK_CRV_P256, GK_CRV_P256);
	assert_int_equal(check(&s, &(struct issue_cwt){ "n", &s.key.pub, .issuer = &s.issuer }),
			 GK_OK);
	for (size_t i = 0; i < s.cred.len; i++) {
		s.bytes[i] ^= 1;
		if (gk_cred_check(&s.rules, gk_buf_span(&s.cred), &cred) == GK_OK)
			fail_msg("byte %zu", i);
		s.bytes[i] ^= 1;
	}
	for (size_t len = 0; len < s.cred.len; len++)
		assert_int_equal(gk_cred_check(&s.rules, gk_span(s.bytes, len), &cred),
				 GK_ERR_CREDENTIAL);
	s.bytes[s.cred.len++] = 0;
	assert_int_equal(gk_cred_check(&s.rules, gk_buf_span(&s.cred), &cred), GK_ERR_CREDENTIAL);
}

static void what_is_no_cwt_of_a_public_key_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		"40",
		"80",
		"a0",
		"d2",
		"83 40 a0 40",      // three elements
		"84 40 a0 f6 40",   // a detached payload
		"84 40 a0 41a0 40", // no cnf
		"85 40 a0 41a0 40 40",
		"d083 40 a0 40",         // a COSE_Encrypt0
		"d83d 84 40 a0 41a0 40", // the tag of a CWT alone (RFC 8392 section 6)
		"d83d d83d 84 40 a0 41a0 40",
	};
	struct gk_cred cred;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (gk_cred_read(GK_HEADER_KCWT, hex_span(rows[i]), &cred) != GK_ERR_CREDENTIAL)
			fail_msg("row %zu", i);
	}
}

/* P 6.2 */
static void key_and_algorithm_are_those_of_the_group(void **state)
{
	struct setting s;

	(void)state;
	set_up(&s, GK_CRV_P256, GK_CRV_P256);
	struct issue_cwt cwt = { "n", &s.key.pub, .issuer = &s.issuer };

	assert_int_equal(check(&s, &cwt), GK_OK);
	s.rules.alg = GK_ALG_ECDH_SS_HKDF_256; // it says that it is for ES256
	assert_int_equal(check(&s, &cwt), GK_ERR_CREDENTIAL);
	cwt.dh = true; // and now it does not say
	assert_int_equal(check(&s, &cwt), GK_OK);
	s.rules.crv = GK_CRV_ED25519;
	assert_int_equal(check(&s, &cwt), GK_ERR_CREDENTIAL);
}

static void a_format_is_not_taken_for_another(void **state)
{
	static const int64_t others[] = { 0, -1, 22, 23, 24, 25, 34, 35, 1000000 };
	struct setting s;
	struct gk_cred cred;

	(void)state;
	set_up(&s, GK_CRV_P256, GK_CRV_P256);
	issue_put_cwt(&s.cred, &(struct issue_cwt){ "n", &s.key.pub, .issuer = &s.issuer });
	assert_int_equal(gk_cred_read(GK_HEADER_KCCS, gk_buf_span(&s.cred), &cred),
			 GK_ERR_CREDENTIAL);
	s.cred.len = 0;
	gk_ccs_put(&s.cred, gk_span_str("n"), &s.key.pub);
	assert_int_equal(gk_cred_read(GK_HEADER_KCCS, gk_buf_span(&s.cred), &cred), GK_OK);
	assert_int_equal(gk_cred_read(GK_HEADER_KCWT, gk_buf_span(&s.cred), &cred),
			 GK_ERR_CREDENTIAL);
	for (size_t i = 0; i < ROWS(others); i++) {
		assert_int_equal(gk_cred_slot(others[i]), GK_CRED_FORMATS);
		assert_int_equal(gk_cred_read(others[i], gk_buf_span(&s.cred), &cred),
				 GK_ERR_CREDENTIAL);
		assert_int_equal(gk_cred_check_issuers(others[i], gk_buf_span(&s.issuers)),
				 GK_ERR_UNSUPPORTED);
		assert_int_equal(gk_cred_put(&s.cred, others[i], gk_span_str("n"), &s.key.pub,
					     false, &s.key),
				 GK_ERR_UNSUPPORTED);
	}
}

static void issuers_are_public_keys_that_sign(void **state)
{
	struct setting s;
	struct gk_key_pair dh;

	(void)state;
	set_up(&s, GK_CRV_P256, GK_CRV_P256);
	assert_false(gk_cred_has_issuer(GK_HEADER_KCCS));
	assert_true(gk_cred_has_issuer(GK_HEADER_KCWT));
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCCS, gk_span(NULL, 0)), GK_OK);
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, gk_span(NULL, 0)), GK_ERR_MISSING);
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, gk_span(s.issuer_bytes, 5)),
			 GK_ERR_CREDENTIAL);
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, hex_span("01")), GK_ERR_CREDENTIAL);
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, gk_buf_span(&s.issuers)), GK_OK);
	if (gk_curve_supported(GK_CRV_X25519)) {
		dh = issue_key(GK_CRV_X25519, 0x55);
		issue_put_issuer(&s.issuers, &dh);
		assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, gk_buf_span(&s.issuers)),
				 GK_ERR_CREDENTIAL);
	}
}

static void there_are_so_many_issuers_and_no_more(void **state)
{
	static uint8_t bytes[17 * 128];
	struct gk_buf issuers = gk_buf(bytes, sizeof(bytes));
	struct gk_key_pair key = issue_key(GK_CRV_P256, 0x11);

	(void)state;
	for (size_t i = 1; i <= 17; i++) {
		issue_put_issuer(&issuers, &key);
		assert_int_equal(gk_cred_check_issuers(GK_HEADER_KCWT, gk_buf_span(&issuers)),
				 i <= 16 ? GK_OK : GK_ERR_CREDENTIAL);
	}
}

/* Its bytes are bound into every message of the group, and are not stored. */
static void one_of_our_own_is_the_same_each_time(void **state)
{
	static const struct {
		int fmt, crv;
		bool dh;
	} rows[] = {
		{ GK_HEADER_KCCS, GK_CRV_P256, false },    { GK_HEADER_KCWT, GK_CRV_P256, false },
		{ GK_HEADER_KCWT, GK_CRV_ED25519, false }, { GK_HEADER_KCWT, GK_CRV_P256, true },
		{ GK_HEADER_KCWT, GK_CRV_X25519, true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_key_pair key, signer = issue_key(GK_CRV_P256, 0x66);
		uint8_t bytes[2][GK_CRED_MAX];
		struct gk_buf buf[2];
		struct gk_cred cred;

		if (!gk_curve_supported(rows[i].crv))
			continue;
		key = issue_key(rows[i].crv, 0x22);
		for (size_t k = 0; k < 2; k++) {
			buf[k] = gk_buf(bytes[k], sizeof(bytes[k]));
			assert_int_equal(gk_cred_put(&buf[k], rows[i].fmt, gk_span_str("gatewayd"),
						     &key.pub, rows[i].dh, &signer),
					 GK_OK);
		}
		assert_int_equal(buf[0].len, buf[1].len);
		assert_memory_equal(bytes[0], bytes[1], buf[0].len);
		assert_int_equal(gk_cred_read(rows[i].fmt, gk_buf_span(&buf[0]), &cred), GK_OK);
		assert_ptr_equal(cred.binary.data, bytes[0]);
		assert_int_equal(cred.binary.len, buf[0].len);
		assert_int_equal(cred.key.crv, rows[i].crv);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cwt_of_the_issuer_fits_tagged_or_not),
		cmocka_unit_test(any_of_several_issuers_will_do),
		cmocka_unit_test(a_cwt_counts_within_its_time),
		cmocka_unit_test(no_byte_of_a_cwt_can_change),
		cmocka_unit_test(what_is_no_cwt_of_a_public_key_is_none),
		cmocka_unit_test(key_and_algorithm_are_those_of_the_group),
		cmocka_unit_test(a_format_is_not_taken_for_another),
		cmocka_unit_test(issuers_are_public_keys_that_sign),
		cmocka_unit_test(there_are_so_many_issuers_and_no_more),
		cmocka_unit_test(one_of_our_own_is_the_same_each_time),
	};

	return cmocka_run_group_tests(tests, core_start, core_stop);
}
