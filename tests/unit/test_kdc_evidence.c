// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Which credential and which evidence a Join Request has to have, or may leave out: all cases of
// P 4, 6.1 and 6.2.

#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/issue.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum who { NEWCOMER, MEMBER, FORMER_MONITOR, MONITOR };
enum cred { NO_CRED, EMPTY_CRED, STORED_CRED, OTHER_CRED, CRED_IS_NO_BYTES };
enum verify { NO_VERIFY, EMPTY_VERIFY, GOOD_VERIFY, BAD_VERIFY, DER_VERIFY, VERIFY_IS_NO_BYTES };
enum result { CREATED, CHANGED, DEFAULT, ERROR_3 };

struct row {
	enum who who;
	enum cred cred;
	enum verify verify;
};

/* The first row that applies counts; ANY is any. */
#define ANY (-1)
static const struct {
	int who, cred, verify;
	enum result result;
} rules[] = {
	{ MONITOR, ANY, ANY, CREATED },
	{ ANY, CRED_IS_NO_BYTES, ANY, DEFAULT },
	{ ANY, ANY, VERIFY_IS_NO_BYTES, DEFAULT },
	{ MEMBER, NO_CRED, NO_VERIFY, CHANGED }, // not decided by the texts
	{ MEMBER, EMPTY_CRED, NO_VERIFY, CHANGED },
	{ MEMBER, STORED_CRED, NO_VERIFY, CHANGED },
	{ ANY, ANY, NO_VERIFY, DEFAULT },
	{ ANY, NO_CRED, ANY, DEFAULT },
	{ ANY, EMPTY_CRED, ANY, DEFAULT },
	{ ANY, ANY, EMPTY_VERIFY, ERROR_3 }, // OSCORE from a symmetric key shows no possession
	{ ANY, ANY, BAD_VERIFY, ERROR_3 },
	{ ANY, ANY, DER_VERIFY, ERROR_3 }, // ECDSA in COSE is r|s (RFC 9053 section 2.1)
	{ NEWCOMER, ANY, GOOD_VERIFY, CREATED },
	{ ANY, ANY, GOOD_VERIFY, CHANGED },
};

static enum result expected(const struct row *row)
{
	size_t i = 0;

	while ((rules[i].who != ANY && rules[i].who != (int)row->who) ||
	       (rules[i].cred != ANY && rules[i].cred != (int)row->cred) ||
	       (rules[i].verify != ANY && rules[i].verify != (int)row->verify))
		i++;
	return rules[i].result;
}

/** The request, from a key of its own or from that of the earlier join. */
struct request {
	struct gk_key_pair other;
	uint8_t other_bytes[256], scope_bytes[64], pop_bytes[256], sig[GK_SIG_LEN];
	struct gk_span other_cred, scope;
};

static void sign(struct request *r, const struct pair_raw *raw, const struct row *row)
{
	struct gk_buf scope = gk_buf(r->scope_bytes, sizeof(r->scope_bytes));
	struct gk_buf pop = gk_buf(r->pop_bytes, sizeof(r->pop_bytes));
	struct gk_buf cred = gk_buf(r->other_bytes, sizeof(r->other_bytes));

	r->other = issue_key(GK_CRV_P256, 0x77);
	gk_ccs_put(&cred, gk_span_str("other"), &r->other.pub);
	r->other_cred = gk_buf_span(&cred);
	gk_scope_put(&scope, gk_span_str(PAIR_LIGHTS), row->who == MONITOR ? GK_ROLE_MONITOR : 6);
	r->scope = gk_buf_span(&scope);
	gk_pop_put_client(&pop, r->scope, gk_span(raw->challenge, raw->challenge_len),
			  hex_span("7171717171717171"));
	assert_int_equal(
		gk_sign(row->cred == OTHER_CRED ? &r->other : &raw->key, gk_buf_span(&pop), r->sig),
		GK_OK);
	r->sig[0] ^= row->verify == BAD_VERIFY;
}

static void put_cred(struct gk_buf *buf, const struct request *r, const struct pair_raw *raw,
		     enum cred cred)
{
	if (cred == NO_CRED)
		return;
	gk_put_int(buf, GK_PARAM_CLIENT_CRED);
	if (cred == CRED_IS_NO_BYTES)
		gk_put_int(buf, 7);
	else if (cred == EMPTY_CRED)
		gk_put_bytes(buf, gk_span(NULL, 0));
	else
		gk_put_bytes(buf, cred == OTHER_CRED ? r->other_cred
						     : gk_span(raw->cred, raw->cred_len));
}

/* SEQUENCE of two INTEGERs, which are positive here by a zero before each. */
static void put_der(struct gk_buf *buf, const uint8_t *sig)
{
	uint8_t der[72] = { 0x30, 70 };

	for (size_t i = 0; i < 2; i++) {
		memcpy(der + 2 + 35 * i, (const uint8_t[]){ 2, 33, 0 }, 3);
		memcpy(der + 5 + 35 * i, sig + 32 * i, 32);
	}
	gk_put_bytes(buf, gk_span(der, sizeof(der)));
}

static void put_verify(struct gk_buf *buf, const struct request *r, enum verify verify)
{
	if (verify == NO_VERIFY)
		return;
	gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
	if (verify == VERIFY_IS_NO_BYTES)
		gk_put_text(buf, gk_span_str("no"));
	else if (verify == DER_VERIFY)
		put_der(buf, r->sig);
	else
		gk_put_bytes(buf, gk_span(r->sig, verify == EMPTY_VERIFY ? 0 : sizeof(r->sig)));
}

static enum result ask(struct pair_raw *raw, const struct row *row)
{
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct request r;

	sign(&r, raw, row);
	gk_put_map(&buf, 2u + (row->cred != NO_CRED) + (row->verify != NO_VERIFY));
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, r.scope);
	put_cred(&buf, &r, raw, row->cred);
	gk_put_int(&buf, GK_PARAM_CNONCE);
	gk_put_bytes(&buf, hex_span("7171717171717171"));
	put_verify(&buf, &r, row->verify);
	switch (pair_raw_ask(raw, GK_COAP_POST, "ace-group/" PAIR_LIGHTS, GK_CF_ACE_GROUPCOMM,
			     gk_buf_span(&buf))) {
	case GK_COAP_CREATED:
		return CREATED;
	case GK_COAP_CHANGED:
		return CHANGED;
	default:
		break;
	}
	assert_int_equal(raw->answer.code, GK_COAP_BAD_REQUEST);
	if (gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1) == GK_CF_ACE_GROUPCOMM)
		return DEFAULT;
	assert_hex_equal(raw->answer.payload, "a100a10003");
	return ERROR_3;
}

static void join_before(struct pair_raw *raw, enum who who)
{
	if (who == MEMBER)
		assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	else if (who == FORMER_MONITOR)
		assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, GK_ROLE_MONITOR, true),
				 GK_COAP_CREATED);
	else
		assert_int_equal(pair_raw_post(raw), GK_COAP_CREATED);
}

static void play(const struct row *row)
{
	static const uint32_t all = GK_ROLE_ALL;
	static struct pair p;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw;
	enum result result;

	pair_open(&p, 41);
	assert_int_equal(pair_serve(&p, &config), GK_OK);
	pair_raw_open(&raw, &p, 1, "raw", NULL, &all, 1);
	join_before(&raw, row->who);
	result = ask(&raw, row);
	if (result != expected(row))
		fail_msg("who %d, credential %d, evidence %d: %d instead of %d", row->who,
			 row->cred, row->verify, result, expected(row));
	assert_true(pair_close(&p));
}

static void every_case_is_decided_as_the_texts_say(void **state)
{
	(void)state;
	for (int who = NEWCOMER; who <= MONITOR; who++) {
		for (int cred = NO_CRED; cred <= CRED_IS_NO_BYTES; cred++) {
			for (int verify = NO_VERIFY; verify <= VERIFY_IS_NO_BYTES; verify++)
				play(&(struct row){ (enum who)who, (enum cred)cred,
						    (enum verify)verify });
		}
	}
}

/* Unfit by itself, whatever the evidence: 4.00 with error 2 (KDC-062), of which the keys that no
 * pairwise secret can be made with are a kind (KDC-065). */
static void unfit_credentials_are_refused(void **state)
{
#define CCS_OF(key) "a1 08a101" key
#define P256_X      "215820515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f"
#define P256_Y      "2258204536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
	static const struct {
		int sign_alg;
		const char *cred;
	} rows[] = {
		// the private part is in it
		{ GK_ALG_ES256, CCS_OF("a5 0102 2001" P256_X P256_Y "2341ff") },
		// for another algorithm: ECDH-SS+HKDF-256; EdDSA
		{ GK_ALG_ES256, CCS_OF("a5 0102 03381a 2001" P256_X P256_Y) },
		{ GK_ALG_ES256, CCS_OF("a5 0102 0327 2001" P256_X P256_Y) },
		// a compressed point
		{ GK_ALG_ES256, CCS_OF("a4 0102 2001" P256_X "22f5") },
		// y = 1 and y = -1 on Ed25519
		{ GK_ALG_EDDSA,
		  CCS_OF("a3 0101 2006 215820"
			 "0100000000000000000000000000000000000000000000000000000000000000") },
		{ GK_ALG_EDDSA,
		  CCS_OF("a3 0101 2006 215820"
			 "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") },
		// a key of the other algorithm
		{ GK_ALG_EDDSA, CCS_OF("a4 0102 2001" P256_X P256_Y) },
	};
	static const uint32_t all = GK_ROLE_ALL;
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_group_config config = pair_config(PAIR_LIGHTS);
		struct gk_span cred = hex_span(rows[i].cred);
		struct pair_raw raw;

		config.mode = GK_MODE_BOTH;
		config.sign_alg = rows[i].sign_alg;
		if (!gk_sign_curve(config.sign_alg) || !gk_dh_curve(config.sign_alg))
			continue;
		pair_open(&p, 41);
		assert_int_equal(pair_serve(&p, &config), GK_OK);
		pair_raw_open(&raw, &p, 1, "raw", NULL, &all, 1);
		memcpy(raw.cred, cred.data, cred.len);
		raw.cred_len = cred.len;
		if (pair_raw_join(&raw, PAIR_LIGHTS, 6, true) != GK_COAP_BAD_REQUEST)
			fail_msg("row %zu", i);
		assert_hex_equal(raw.answer.payload, "a100a10002");
		assert_true(pair_close(&p));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_is_decided_as_the_texts_say),
		cmocka_unit_test(unfit_credentials_are_refused),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
