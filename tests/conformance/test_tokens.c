// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Tokens and /authz-info (RFC 9200 section 5.10.1, RFC 9594 section 3.3).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

#define ASK_SIGN_INFO "182df6"
#define ASK_ECDH_INFO "182ff6"
#define ASK_DH_CREDS  "1830f6"

static bool serve(struct pair *p, const char *name, enum gk_mode mode)
{
	struct gk_group_config config = pair_config(name);

	config.mode = mode;
	return pair_serve(p, &config) == GK_OK;
}

/* Something else than a token that may be stored: nothing comes of it. */
static void assert_refused(struct client *c, const struct token *token, uint8_t code,
			   const char *row)
{
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];

	pair_digest(c->p, before);
	if (client_post_with(c, token, NULL) != code)
		fail_msg("%s: %x, not %x", row, c->code, code);
	pair_digest(c->p, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(c->payload.len, 0);
	assert_int_equal(c->p->raw_answers, 1);
}

/* A KDC that knows the name of its AS. */
static void know_issuer(struct pair *p)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, sizeof(pair_as_key)),
					.issuer = gk_span_str("as") };

	replace_kdc(p, &config);
}

static void kdc_001_what_is_wrong_first_is_answered_and_nothing_is_kept(void **state)
{
	static const uint8_t scope_of_nobody[] = { 0x41, 0x00 };
	const struct gk_span bad_scope = gk_span(scope_of_nobody, sizeof(scope_of_nobody));
	const struct {
		const char *what;
		uint8_t code;
		struct token token;
	} rows[] = {
		{ "key of another AS",
		  UNAUTHORIZED,
		  { .foreign_key = true, .iss = "as", .aud = "other" } },
		{ "claims that are none", BAD_REQUEST, { .claims = "80" } },
		{ "claims with exp of a wrong type",
		  BAD_REQUEST,
		  { .claims = "a3 04 6161 01 626173 03 656f74686572" } },
		{ "no issuer, and no end", UNAUTHORIZED, { .no_exp = true } },
		{ "another issuer, and another audience",
		  UNAUTHORIZED,
		  { .iss = "sa", .aud = "other" } },
		{ "ended, and another audience",
		  UNAUTHORIZED,
		  { .iss = "as", .lifetime_s = -1, .aud = "other" } },
		{ "not yet valid, and another audience",
		  UNAUTHORIZED,
		  { .iss = "as", .nbf_s = 3600, .aud = "other" } },
		{ "another audience, and no scope that we know",
		  FORBIDDEN,
		  { .iss = "as", .aud = "other", .scope = bad_scope } },
		{ "no audience", FORBIDDEN, { .iss = "as", .no_aud = true } },
		{ "no scope that we know", BAD_REQUEST, { .iss = "as", .scope = bad_scope } },
	};
	struct pair *p = *state;
	static struct client c;

	know_issuer(p);
	client_open(&c, p, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_refused(&c, &rows[i].token, rows[i].code, rows[i].what);
	assert_int_equal(client_post_with(&c, &(struct token){ .iss = "as" }, NULL), CREATED);
}

static void kdc_002_012_013_a_valid_token_gets_a_map_with_a_challenge(void **state)
{
	static const uint32_t roles[] = { REQUESTER, RESPONDER, REQUESTER | RESPONDER, ALL };
	static struct client c;

	for (unsigned i = 0; i < ROWS(roles); i++) {
		client_open(&c, *state, i + 1, roles[i]);
		assert_int_equal(client_post(&c), CREATED);
		assert_answer(&c, CREATED, CF_ACE);
		assert_int_equal(c.payload.data[0] >> 5, 5);
		assert_true(bstr(in_map(c.payload, 46)).len >= 8);
	}
}

static void kdc_003_what_is_no_token_gets_4_00(void **state)
{
	static const struct {
		int format;
		const char *payload;
	} rows[] = {
		{ CF_ACE, "" },
		{ CF_ACE, "80" },
		{ CF_ACE, "a0" },
		{ CF_ACE, "a1 01 f6" },
		{ CF_ACE, "a1 01 40" },
		{ CF_ACE, "a3 01 43 d08343 1828 4101 182b 4101" },
		{ CF_ACE, "a1 01 43 d083" },
		{ CF_CWT, "d08343" },
		{ CF_CWT, "" },
		{ CF_NONE, "a1 01 40" },
	};
	static struct client c;

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (ask_plain(&c, POST, "authz-info", rows[i].format, hex_span(rows[i].payload)) !=
		    BAD_REQUEST)
			fail_msg("row %zu: %x", i, c.code);
	}
}

static void kdc_004_a_token_is_kept_through_a_restart(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, REQUESTER);
	must_join(&c, REQUESTER);
	pair_restart(p);
	ask_group(&c, GET, "num"); /* an Echo challenge, perhaps */
	assert_true(c.raw.is_protected);
}

static void kdc_005_a_later_token_for_a_key_replaces_the_earlier_one(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, REQUESTER | RESPONDER);
	assert_int_equal(client_post_with(&c, &(struct token){ .iat_s = -100 }, NULL), CREATED);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), CREATED);
	c.scope.len = 0;
	put_hex(&c.scope, "80");
	client_grant(&c, PAIR_LIGHTS, REQUESTER);
	assert_int_equal(client_post_with(&c, &(struct token){ .iat_s = -50 }, NULL), CREATED);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), FORBIDDEN);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }) >> 5, 2);
	/* and the earlier one does not come back */
	assert_int_equal(client_post_with(&c, &(struct token){ .iat_s = -100 }, NULL),
			 UNAUTHORIZED);
}

static void kdc_006_a_lifetime_begins_when_its_token_is_first_seen(void **state)
{
	const struct token seven = { .no_exp = true, .exi = "07 4107 1828 1864" };
	const struct token eight = { .no_exp = true, .exi = "07 4108 1828 1864" };
	struct pair *p = *state;
	static struct client c, other;

	client_open(&c, p, 1, ALL);
	client_open(&other, p, 2, ALL);
	assert_int_equal(client_post_with(&c, &seven, NULL), CREATED);
	must_join(&c, REQUESTER);
	pair_advance(p, 60000);
	/* posted again it is no younger */
	assert_int_equal(client_post_with(&c, &seven, NULL), CREATED);
	assert_int_equal(ask_group(&c, GET, "num"), CONTENT);
	pair_advance(p, 41000);
	assert_int_equal(ask_group(&c, GET, "num"), UNAUTHORIZED);
	assert_int_equal(client_post_with(&c, &seven, NULL), UNAUTHORIZED);
	pair_restart(p);
	assert_int_equal(client_post_with(&c, &seven, NULL), UNAUTHORIZED);
	assert_int_equal(client_post_with(&other, &seven, NULL), UNAUTHORIZED);
	assert_int_equal(client_post_with(&c, &eight, NULL), CREATED);
}

static void kdc_008_authz_info_takes_nothing_but_posts(void **state)
{
	static const uint8_t methods[] = { GET, PUT, DELETE, FETCH };
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	for (size_t i = 0; i < ROWS(methods); i++) {
		assert_int_equal(ask_plain(&c, methods[i], "authz-info", CF_NONE, gk_span(NULL, 0)),
				 NOT_ALLOWED);
		assert_int_equal(ask(&c, methods[i], "authz-info", CF_NONE, gk_span(NULL, 0)),
				 NOT_ALLOWED);
	}
}

static void kdc_009_a_flood_of_posts_takes_nothing_from_others(void **state)
{
	struct pair *p = *state;
	static struct client c, flooder, other;
	size_t blocks, taken = 0;

	client_open(&c, p, 1, ALL);
	client_open(&flooder, p, 2, ALL);
	client_open(&other, p, 3, ALL);
	assert_int_equal(client_post(&c), CREATED);
	for (int i = 0; i < 50; i++)
		(void)client_post(&flooder);
	blocks = p->kdc_env.blocks;
	for (int i = 0; i < 2000; i++)
		taken += client_post(&flooder) != TOO_MANY;
	assert_true(p->kdc_env.blocks <= blocks);
	assert_in_range(taken, 0, 50);
	pair_advance(p, 60000);
	assert_int_equal(client_post(&flooder), CREATED);
	assert_int_equal(client_post(&other), CREATED);
	/* what was posted before still makes an association */
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CREATED);
}

static void kdc_010_a_token_without_key_end_or_scope_is_none(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_refused(&c, &(struct token){ .no_cnf = true }, BAD_REQUEST, "cnf");
	assert_refused(&c, &(struct token){ .no_exp = true }, UNAUTHORIZED, "exp");
	assert_refused(&c, &(struct token){ .no_scope = true }, BAD_REQUEST, "scope");
}

static void kdc_011_nobody_joins_without_the_association_of_its_token(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct bytes request = { .len = 0 };

	client_open(&c, p, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	put_join(&request, &c, &(struct join){ .roles = REQUESTER });
	assert_int_equal(ask_plain(&c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request)),
			 UNAUTHORIZED);
	/* under another key than the token's */
	c.raw.ctx.sender_key[0] ^= 1;
	(void)ask(&c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request));
	assert_false(c.raw.is_protected);
	assert_int_equal(pair_group(p).members, 0);
	c.raw.ctx.sender_key[0] ^= 1;
	assert_int_equal(ask(&c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request)), CREATED);
}

static void kdc_014_who_can_only_be_a_monitor_needs_no_challenge(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, MONITOR | VERIFIER);
	assert_int_equal(client_post(&c), CREATED);
	c.n_s.len = 0;
	assert_int_equal(join(&c, &(struct join){ .roles = MONITOR }), CREATED);
}

static void kdc_015_a_challenge_is_random_and_of_eight_bytes_or_more(void **state)
{
	static struct client c;
	struct bytes seen[8];

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(seen); i++) {
		assert_int_equal(client_post(&c), CREATED);
		assert_true(c.n_s.len >= 8);
		seen[i] = c.n_s;
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(seen[k].data, seen[i].data, 8);
	}
}

static void kdc_016_017_a_challenge_serves_until_its_token_goes(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	static struct client c;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	client_open(&c, p, 1, ALL);
	client_grant(&c, "heat", ALL);
	assert_int_equal(client_post(&c), CREATED);
	pair_advance(p, 60000);
	must_join(&c, REQUESTER);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER, .group = "heat" }), CREATED);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), CHANGED);
	/* another token, another challenge */
	struct bytes old = c.n_s;
	assert_int_equal(client_post(&c), CREATED);
	c.n_s = old;
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), BAD_REQUEST);
	assert_error(&c, BAD_REQUEST, 3);
}

/* what it tells of groups: one that signs, one pairwise-only, one of both */

static struct client *posted(struct pair *p, const char *asks)
{
	static struct client c;

	if (p->group_count == 1) {
		assert_true(serve(p, "pair", GK_MODE_PAIRWISE));
		assert_true(serve(p, "both", GK_MODE_BOTH));
	}
	client_open(&c, p, 1, ALL);
	client_grant(&c, "pair", ALL);
	client_grant(&c, "both", ALL);
	assert_int_equal(client_post_with(&c, &(struct token){ 0 }, asks), CREATED);
	return &c;
}

static void kdc_018_019_sign_info_tells_of_groups_that_sign(void **state)
{
	struct client *c = posted(*state, ASK_SIGN_INFO);

	assert_hex_equal(in_map(c->payload, 45), "82 85 666c6967687473 26 8102 820201 0e"
						 "85 64626f7468 26 8102 820201 0e");
	assert_false(has(c->payload, 47));
	assert_false(has(c->payload, 48));
	assert_false(has(posted(*state, NULL)->payload, 45));
}

static void kdc_020_021_ecdh_info_tells_of_groups_with_a_pairwise_mode(void **state)
{
	struct client *c = posted(*state, ASK_ECDH_INFO);
	static struct client signer;

	assert_hex_equal(in_map(c->payload, 47), "82 85 6470616972 381a 8102 820201 0e"
						 "85 64626f7468 381a 8102 820201 0e");
	assert_false(has(c->payload, 45));
	client_open(&signer, *state, 2, ALL);
	assert_int_equal(client_post_with(&signer, &(struct token){ 0 }, ASK_ECDH_INFO), CREATED);
	assert_false(has(signer.payload, 47));
	assert_int_equal(map_size(signer.payload), 3);
}

static void kdc_022_023_kdc_dh_creds_tells_of_pairwise_only_groups(void **state)
{
	struct client *c = posted(*state, ASK_SIGN_INFO ASK_ECDH_INFO ASK_DH_CREDS);
	struct gk_span creds = in_map(c->payload, 48);
	static struct client signer;

	assert_int_equal(array_size(creds), 1);
	assert_int_equal(array_size(in_array(creds, 0)), 3);
	assert_hex_equal(in_array(in_array(creds, 0), 0), "6470616972");
	assert_hex_equal(in_array(in_array(creds, 0), 1), "0e");
	assert_int_equal(key_in(bstr(in_array(in_array(creds, 0), 2))).crv, 1);
	assert_true(has(c->payload, 45) && has(c->payload, 47));
	client_open(&signer, *state, 2, ALL);
	client_grant(&signer, "both", ALL);
	assert_int_equal(client_post_with(&signer, &(struct token){ 0 }, ASK_DH_CREDS), CREATED);
	assert_false(has(signer.payload, 48));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_001_what_is_wrong_first_is_answered_and_nothing_is_kept),
		LIGHTS(kdc_002_012_013_a_valid_token_gets_a_map_with_a_challenge),
		LIGHTS(kdc_003_what_is_no_token_gets_4_00),
		LIGHTS(kdc_004_a_token_is_kept_through_a_restart),
		LIGHTS(kdc_005_a_later_token_for_a_key_replaces_the_earlier_one),
		LIGHTS(kdc_006_a_lifetime_begins_when_its_token_is_first_seen),
		LIGHTS(kdc_008_authz_info_takes_nothing_but_posts),
		LIGHTS(kdc_009_a_flood_of_posts_takes_nothing_from_others),
		LIGHTS(kdc_010_a_token_without_key_end_or_scope_is_none),
		LIGHTS(kdc_011_nobody_joins_without_the_association_of_its_token),
		LIGHTS(kdc_014_who_can_only_be_a_monitor_needs_no_challenge),
		LIGHTS(kdc_015_a_challenge_is_random_and_of_eight_bytes_or_more),
		LIGHTS(kdc_016_017_a_challenge_serves_until_its_token_goes),
		LIGHTS(kdc_018_019_sign_info_tells_of_groups_that_sign),
		LIGHTS(kdc_020_021_ecdh_info_tells_of_groups_with_a_pairwise_mode),
		LIGHTS(kdc_022_023_kdc_dh_creds_tells_of_pairwise_only_groups),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
