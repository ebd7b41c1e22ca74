// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The OSCORE profile of ACE (RFC 9203) at the KDC.

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

static void kdc_025_the_answer_has_a_nonce_and_an_id(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	assert_answer(&c, CREATED, CF_ACE);
	assert_true(bstr(in_map(c.payload, 42)).len >= 8);
	assert_true(has(c.payload, 44));
	assert_true(bstr(in_map(c.payload, 44)).len <= 7);
}

/* A post with an ID1 of ours. @return ID2 */
static struct gk_span id2_for(struct client *c, struct gk_span id1)
{
	struct bytes token = { .len = 0 }, post = { .len = 0 };

	put_token(&token, c, &(struct token){ 0 });
	put_hex(&post, "a3 01");
	put_bstr(&post, all_of(&token));
	put_hex(&post, "1828 48 0102030405060708 182b");
	put_bstr(&post, id1);
	assert_int_equal(ask_plain(c, POST, "authz-info", CF_ACE, all_of(&post)), CREATED);
	return bstr(in_map(c->payload, 44));
}

static void kdc_026_the_id_is_nobody_elses_and_not_the_clients(void **state)
{
	struct pair *p = *state;
	unsigned randoms = p->kdc_env.randoms;
	struct gk_span id1 = exact_copy(gk_span_str("?"));
	struct gk_span own, taken, other;
	static struct client c;

	client_open(&c, p, 1, ALL);
	own = exact_copy(id2_for(&c, id1));
	/* chance says the same once more, while the first association lives */
	p->kdc_env.randoms = randoms;
	taken = exact_copy(id2_for(&c, id1));
	assert_false(gk_span_equal(own, taken));
	/* what chance would say is what the client has already */
	pair_close(p);
	assert_int_equal(open_lights(state), 0);
	client_open(&c, p, 1, ALL);
	other = id2_for(&c, own);
	assert_false(gk_span_equal(own, other));
}

static void kdc_026_no_nonce_comes_twice(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span seen[12];

	client_open(&c, p, 1, ALL);
	for (size_t i = 0; i < ROWS(seen); i++) {
		if (i == ROWS(seen) / 2)
			pair_restart(p);
		assert_int_equal(client_post(&c), CREATED);
		seen[i] = exact_copy(bstr(in_map(c.payload, 42)));
		for (size_t k = 0; k < i; k++)
			assert_false(gk_span_equal(seen[i], seen[k]));
	}
}

static void kdc_027_what_the_profile_cannot_do_without_gets_4_00(void **state)
{
	static const struct {
		const char *what, *cnf;
	} cnfs[] = {
		{ "no id", "a1 04 a2 02 50 000102030405060708090a0b0c0d0e0f 05 42 0102" },
		{ "no ms", "a1 04 a2 00 48 a1a1a1a1a1a1a1a1 05 42 0102" },
		{ "an unknown member",
		  "a1 04 a3 00 48 a1a1a1a1a1a1a1a1 02 50 000102030405060708090a0b0c0d0e0f 09 0a" },
		{ "an hkdf that we have not",
		  "a1 04 a3 00 48 a1a1a1a1a1a1a1a1 02 50 000102030405060708090a0b0c0d0e0f 03 06" },
		{ "an alg that we have not", "a1 04 a3 00 48 a1a1a1a1a1a1a1a1 02 50 "
					     "000102030405060708090a0b0c0d0e0f 04 18ff" },
		{ "a version that we have not",
		  "a1 04 a3 00 48 a1a1a1a1a1a1a1a1 01 02 02 50 000102030405060708090a0b0c0d0e0f" },
		{ "no key at all", "a0" },
	};
	static const char *const parts[] = { "1828 48 0102030405060708", "182b 42 1645" };
	struct bytes token, post;
	static struct client c;

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(cnfs); i++) {
		struct token bad = { .cnf = hex_span(cnfs[i].cnf) };

		if (client_post_with(&c, &bad, NULL) != BAD_REQUEST)
			fail_msg("%s: %x", cnfs[i].what, c.code);
	}
	for (size_t i = 0; i <= ROWS(parts); i++) {
		token.len = post.len = 0;
		put_token(&token, &c, &(struct token){ 0 });
		put_hex(&post, i < ROWS(parts) ? "a2 01" : "a1 01");
		put_bstr(&post, all_of(&token));
		put_hex(&post, i < ROWS(parts) ? parts[i] : "");
		if (ask_plain(&c, POST, "authz-info", CF_ACE, all_of(&post)) != BAD_REQUEST)
			fail_msg("part %zu alone: %x", i, c.code);
	}
}

/* What is not in the token has its default; heads of byte strings are part of the salt. */
static void kdc_028_keys_come_from_what_both_sent(void **state)
{
	static const uint8_t ms[16] = { 9, 9, 9 };
	static const struct {
		const char *osc, *salt, *id_context;
		int64_t alg;
	} rows[] = {
		{ "a2 00 48 b1b1b1b1b1b1b1b1 02 50 09090900000000000000000000000000", "40", NULL,
		  10 },
		{ "a3 00 48 b2b1b1b1b1b1b1b1 02 50 09090900000000000000000000000000 05 42 abcd",
		  "42 abcd", NULL, 10 },
		{ "a3 00 48 b3b1b1b1b1b1b1b1 02 50 09090900000000000000000000000000 06 44 11223344",
		  "40", "11223344", 10 },
		{ "a5 00 48 b4b1b1b1b1b1b1b1 01 01 02 50 09090900000000000000000000000000 03 05 04 "
		  "18 1e",
		  "40", NULL, 30 },
	};
	static struct client c;

	for (unsigned i = 0; i < ROWS(rows); i++) {
		struct bytes cnf = { .len = 0 }, salt = { .len = 0 };
		struct gk_oscore_input input = { .alg = rows[i].alg,
						 .hkdf = 5,
						 .master_secret = gk_span(ms, sizeof(ms)),
						 .has_id_context = rows[i].id_context != NULL };

		client_open(&c, *state, i + 1, ALL);
		put_hex(&cnf, "a1 04");
		put_hex(&cnf, rows[i].osc);
		assert_int_equal(client_post_with(&c, &(struct token){ .cnf = all_of(&cnf) }, NULL),
				 CREATED);
		put_hex(&salt, rows[i].salt);
		put_bstr(&salt, gk_span(c.raw.n1, sizeof(c.raw.n1)));
		put_bstr(&salt, bstr(in_map(c.payload, 42)));
		input.master_salt = all_of(&salt);
		input.sender_id = bstr(in_map(c.payload, 44)); /* ID2 */
		input.recipient_id = gk_id_span(&c.raw.id1);   /* ID1 */
		if (input.has_id_context)
			input.id_context = hex_span(rows[i].id_context);
		assert_int_equal(gk_oscore_init(&c.raw.ctx, &input), GK_OK);
		if (join(&c, &(struct join){ .roles = REQUESTER }) != CREATED)
			fail_msg("row %u: %x", i, c.code);
	}
}

/* {1: token}, and what a client need not send */
static uint8_t update(struct client *c, struct gk_span cnf, const char *more)
{
	struct bytes token = { .len = 0 }, post = { .len = 0 };

	put_token(&token, c, &(struct token){ .cnf = cnf });
	put_hex(&post, more ? "a3 01" : "a1 01");
	put_bstr(&post, all_of(&token));
	put_hex(&post, more ? more : "");
	return ask(c, POST, "authz-info", CF_ACE, all_of(&post));
}

static void kdc_029_an_update_of_rights_keeps_the_association(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	struct bytes kid = { .len = 0 }, osc = { .len = 0 };
	static struct client c;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	client_open(&c, p, 1, REQUESTER);
	must_join(&c, REQUESTER);
	put_hex(&kid, "a1 03");
	put_bstr(&kid, gk_span(c.id, sizeof(c.id)));
	client_grant(&c, "heat", REQUESTER);
	assert_int_equal(update(&c, all_of(&kid), NULL), CREATED);
	assert_true(c.raw.is_protected);
	assert_no_payload(&c, CREATED);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER, .group = "heat" }), CREATED);
	/* nonces and ids are not looked at */
	assert_int_equal(update(&c, all_of(&kid), "1828 4101 182b 41aa"), CREATED);
	assert_no_payload(&c, CREATED);
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	/* another's kid, and a first token, are none */
	put_osc(&osc, &c);
	assert_int_equal(update(&c, all_of(&osc), NULL), UNAUTHORIZED);
	kid.data[kid.len - 1] ^= 1;
	assert_int_equal(update(&c, all_of(&kid), NULL), UNAUTHORIZED);
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	/* what the newest one does not grant has ended */
	kid.data[kid.len - 1] ^= 1;
	c.scope.len = 0;
	put_hex(&c.scope, "80");
	client_grant(&c, PAIR_LIGHTS, REQUESTER);
	assert_int_equal(update(&c, all_of(&kid), NULL), CREATED);
	assert_int_equal(ask_group(&c, GET, "num"), FORBIDDEN);
}

static void kdc_030_after_its_token_an_association_gets_an_unprotected_4_01(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, ALL);
	assert_int_equal(client_post_with(&c, &(struct token){ .lifetime_s = 100 }, NULL), CREATED);
	must_join(&c, REQUESTER);
	pair_advance(p, 98000);
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	pair_advance(p, 3000);
	assert_int_equal(ask_group(&c, GET, "num"), UNAUTHORIZED);
	assert_false(c.raw.is_protected);
}

static void kdc_031_the_older_association_ends_when_the_newer_one_is_used(void **state)
{
	struct pair *p = *state;
	struct gk_oscore older, newer;
	static struct client c;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	older = c.raw.ctx;
	assert_int_equal(client_post(&c), CREATED);
	newer = c.raw.ctx;
	c.raw.ctx = older;
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	older = c.raw.ctx;
	c.raw.ctx = newer;
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	newer = c.raw.ctx;
	c.raw.ctx = older;
	assert_int_equal(ask_group(&c, GET, "num"), UNAUTHORIZED);
	assert_false(c.raw.is_protected);
	/* and the membership is the client's, not the association's */
	c.raw.ctx = newer;
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	assert_int_equal(pair_group(p).members, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_025_the_answer_has_a_nonce_and_an_id),
		LIGHTS(kdc_026_the_id_is_nobody_elses_and_not_the_clients),
		LIGHTS(kdc_026_no_nonce_comes_twice),
		LIGHTS(kdc_027_what_the_profile_cannot_do_without_gets_4_00),
		LIGHTS(kdc_028_keys_come_from_what_both_sent),
		LIGHTS(kdc_029_an_update_of_rights_keeps_the_association),
		LIGHTS(kdc_030_after_its_token_an_association_gets_an_unprotected_4_01),
		LIGHTS(kdc_031_the_older_association_ends_when_the_newer_one_is_used),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
