// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Credentials that are no CCS: CWTs, and X.509 certificates in chains and bags (section 4 of the
// profile).

#include "client.h"

#include "libgroupkey/crypto_x509.h"

#include "tests/lib/certs.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

#define KCWT    13
#define X5BAG   32
#define X5CHAIN 33

static struct bytes issuers;

static void serve(struct pair *p, int cred_fmt)
{
	struct gk_group_config config = pair_config("signed");

	config.cred_fmt = cred_fmt;
	config.cred_issuers = all_of(&issuers);
	assert_int_equal(pair_serve(p, &config), GK_OK);
}

/* A client with this private key and credential. */
static uint8_t join_with(struct client *c, struct pair *p, unsigned number, uint8_t d,
			 const struct bytes *cred)
{
	uint8_t key[32];

	client_open(c, p, number, 0);
	client_grant(c, "signed", ALL);
	memset(key, d, sizeof(key));
	assert_int_equal(gk_key_from_private(1, gk_span(key, sizeof(key)), &c->key), GK_OK);
	c->cred = *cred;
	return join(c, &(struct join){ .group = "signed", .roles = REQUESTER });
}

static struct bytes certs_of(const char *first, const char *second)
{
	struct bytes b = { .len = 0 };

	put_hex(&b, "82");
	put_bstr(&b, hex_span(first));
	put_bstr(&b, hex_span(second));
	return b;
}

static void assert_served(struct client *c, const struct bytes *cred)
{
	assert_hex_equal(in_map(in_map(c->payload, 8), 8),
			 c->p->config[1].cred_fmt == X5BAG     ? "1820"
			 : c->p->config[1].cred_fmt == X5CHAIN ? "1821"
							       : "0d");
	(void)ask_group(c, GET, "creds");
	assert_answer(c, CONTENT, CF_ACE_GC);
	assert_int_equal(array_size(in_map(c->payload, 13)), 1);
	assert_true(gk_span_equal(bstr(in_array(in_map(c->payload, 13), 0)), all_of(cred)));
}

static void kdc_099_a_chain_is_served_whole(void **state)
{
	static struct client c;
	struct bytes chain = certs_of(CERT_NODE_0, CERT_INTER);
	struct bytes wrong = certs_of(CERT_NODE_0, CERT_BELOW), ccs = { .len = 0 };

	if (!gk_x509_supported())
		skip();
	issuers.len = 0;
	put_hex(&issuers, CERT_ROOT);
	serve(*state, X5CHAIN);
	assert_int_equal(join_with(&c, *state, 1, 0x31, &chain), CREATED);
	assert_served(&c, &chain);
	/* no way to the root; and a CCS */
	(void)join_with(&c, *state, 2, 0x31, &wrong);
	assert_error(&c, BAD_REQUEST, 2);
	put_ccs(&ccs, "client3", &c.key.pub, -7);
	(void)join_with(&c, *state, 3, 0x31, &ccs);
	assert_error(&c, BAD_REQUEST, 2);
}

static void kdc_099_so_is_a_bag(void **state)
{
	static struct client c;
	struct bytes bag = certs_of(CERT_INTER, CERT_NODE_0);

	if (!gk_x509_supported())
		skip();
	issuers.len = 0;
	put_hex(&issuers, CERT_ROOT);
	serve(*state, X5BAG);
	assert_int_equal(join_with(&c, *state, 1, 0x31, &bag), CREATED);
	assert_served(&c, &bag);
}

/* A CWT with a key in cnf, as COSE_Sign1 (RFC 8392) with ES256. */
static struct bytes cwt_of(const struct gk_public_key *pub, const struct gk_key_pair *issuer)
{
	struct bytes claims = { .len = 0 }, ccs = { .len = 0 }, input = { .len = 0 };
	struct bytes b = { .len = 0 };
	uint8_t sig[GK_SIG_LEN];

	put_ccs(&ccs, "node", pub, -7); /* the same claims */
	put_raw(&claims, all_of(&ccs));
	put_hex(&input, "84 6a 5369676e617475726531 43 a10126 40");
	put_bstr(&input, all_of(&claims));
	assert_int_equal(gk_sign(issuer, all_of(&input), sig), GK_OK);
	put_hex(&b, "84 43 a10126 a0");
	put_bstr(&b, all_of(&claims));
	put_bstr(&b, gk_span(sig, sizeof(sig)));
	return b;
}

static void kdc_062_a_cwt_is_of_a_known_issuer(void **state)
{
	struct gk_key_pair issuer, stranger, own;
	static struct client c;
	struct bytes good, bad;
	uint8_t d[32];

	memset(d, 0x11, sizeof(d));
	assert_int_equal(gk_key_from_private(1, gk_span(d, sizeof(d)), &issuer), GK_OK);
	memset(d, 0x12, sizeof(d));
	assert_int_equal(gk_key_from_private(1, gk_span(d, sizeof(d)), &stranger), GK_OK);
	memset(d, 0x13, sizeof(d));
	assert_int_equal(gk_key_from_private(1, gk_span(d, sizeof(d)), &own), GK_OK);
	issuers.len = 0;
	put_hex(&issuers, "a5 01 02 03 26 20 01 21");
	put_bstr(&issuers, gk_span(issuer.pub.x, 32));
	put_hex(&issuers, "22");
	put_bstr(&issuers, gk_span(issuer.pub.y, 32));
	serve(*state, KCWT);
	good = cwt_of(&own.pub, &issuer);
	bad = cwt_of(&own.pub, &stranger);
	(void)join_with(&c, *state, 1, 0x13, &bad);
	assert_error(&c, BAD_REQUEST, 2);
	/* with another's key it is not one's own */
	(void)join_with(&c, *state, 2, 0x14, &good);
	assert_error(&c, BAD_REQUEST, 3);
	assert_int_equal(join_with(&c, *state, 3, 0x13, &good), CREATED);
	assert_served(&c, &good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_099_a_chain_is_served_whole),
		LIGHTS(kdc_099_so_is_a_bag),
		LIGHTS(kdc_062_a_cwt_is_of_a_known_issuer),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
