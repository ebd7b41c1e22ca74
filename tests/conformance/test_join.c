// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The Join Request and what is refused of it (RFC 9594 section 4.3.1, section 6.2 of the profile).

#include "client.h"

#include "libgroupkey/cred.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

#define SIGN_INFO_OF_LIGHTS "81 85 666c6967687473 26 8102 820201 0e"

static void serve(struct pair *p, const char *name, enum gk_mode mode)
{
	struct gk_group_config config = pair_config(name);

	config.mode = mode;
	assert_int_equal(pair_serve(p, &config), GK_OK);
}

static struct gk_group_config *change(struct pair *p)
{
	return &p->config[0];
}

static void apply_change(struct pair *p)
{
	enum gk_err err = gk_kdc_change_group(p->kdc, &p->config[0], p->now);

	assert_int_equal(err, GK_OK);
	pair_drain_kdc(p, err);
}

static void assert_default(const struct client *c, const char *row)
{
	if (c->code != BAD_REQUEST || c->format != CF_ACE_GC)
		fail_msg("%s: %x in %d", row, c->code, c->format);
	assert_hex_equal_row(in_map(c->payload, 29), SIGN_INFO_OF_LIGHTS, row);
}

static void refused_by_default(struct client *c, const struct join *j, const char *row)
{
	(void)join(c, j);
	assert_default(c, row);
}

static void assert_members(const struct client *c, size_t members)
{
	assert_int_equal(pair_group(c->p).members, members);
}

static void kdc_055_a_join_needs_a_scope_with_roles_that_can_join(void **state)
{
	static const uint32_t roles[] = { 0, 1, 3, 10, 12, 14, 16, 18, 20, 22, 24, 30, 32, 38 };
	static const char *const scopes[] = {
		"",                             /* none */
		"81 666c6967687473",            /* no roles */
		"83 666c6967687473 02 02",      /* more than an entry */
		"82 81 666c6967687473 02",      /* two names */
		"82 666c6967687473 8102",       /* roles as numbers */
		"82 666c6967687473 21",         /* negative */
		"81 82 666c6967687473 02",      /* entries, as in a token */
		"82 666c6967687473 02 00",      /* and something behind it */
		"82 6468656174 02",             /* another group */
		"82 666c6967687473 6673656e64", /* the textual format */
	};
	static struct client c;

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(roles); i++) {
		char row[16];

		snprintf(row, sizeof(row), "roles %u", roles[i]);
		refused_by_default(&c, &(struct join){ .roles = roles[i] }, row);
	}
	for (size_t i = 0; i < ROWS(scopes); i++)
		refused_by_default(&c, &(struct join){ .roles = REQUESTER, .scope = scopes[i] },
				   scopes[i]);
	assert_members(&c, 0);
	must_join(&c, REQUESTER | RESPONDER);
}

static void kdc_056_more_roles_than_the_token_grants_are_forbidden(void **state)
{
	static const struct {
		uint32_t granted, asked;
	} rows[] = { { REQUESTER, RESPONDER },
		     { REQUESTER, REQUESTER | RESPONDER },
		     { REQUESTER | RESPONDER, MONITOR },
		     { VERIFIER, REQUESTER },
		     { MONITOR | VERIFIER, RESPONDER } };
	static struct client c;

	for (unsigned i = 0; i < ROWS(rows); i++) {
		client_open(&c, *state, i + 1, rows[i].granted);
		assert_int_equal(join(&c, &(struct join){ .roles = rows[i].asked }), FORBIDDEN);
		assert_members(&c, 0);
	}
}

static void kdc_057_what_a_monitor_says_of_a_credential_is_ignored(void **state)
{
	static const struct join rows[] = {
		{ .roles = MONITOR },
		{ .roles = MONITOR, .cred = "40" },
		{ .roles = MONITOR, .cred = "0102", .verify = "0304" },
		{ .roles = MONITOR, .more_pairs = 2, .more = "05 f5 1818 80" },
		{ .roles = MONITOR, .verify = "40" },
	};
	static struct client c;

	for (unsigned i = 0; i < ROWS(rows); i++) {
		client_open(&c, *state, i + 1, ALL);
		if (join(&c, &rows[i]) != CREATED)
			fail_msg("row %u: %x", i, c.code);
	}
	client_open(&c, *state, 99, ALL);
	must_join(&c, REQUESTER);
	assert_int_equal(ask_group(&c, GET, "creds"), CONTENT);
	assert_int_equal(array_size(in_map(c.payload, 13)), 1);
}

/* @return the client's credential in hex, with its last byte as given */
static const char *own_cred(const struct client *c, uint8_t last)
{
	static char text[1024];

	snprintf(text, sizeof(text), "%s", hex_text(all_of(&c->cred)));
	snprintf(text + strlen(text) - 2, 3, "%02x", last);
	return text;
}

static void kdc_058_a_member_may_refer_to_its_credential(void **state)
{
	static struct client c, watcher;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	const uint8_t last = c.cred.data[c.cred.len - 1];
	assert_int_equal(join(&c, &(struct join){ .roles = 2, .cred = "40", .verify = "" }),
			 CHANGED);
	assert_int_equal(
		join(&c, &(struct join){ .roles = 2, .cred = own_cred(&c, last), .verify = "" }),
		CHANGED);
	refused_by_default(
		&c, &(struct join){ .roles = 2, .cred = own_cred(&c, last ^ 1), .verify = "" },
		"another credential");
	refused_by_default(&c, &(struct join){ .roles = 2, .cred = "40" }, "40 with evidence");
	/* who was a monitor has none */
	client_open(&watcher, *state, 2, ALL);
	must_join(&watcher, MONITOR);
	refused_by_default(&watcher, &(struct join){ .roles = 2, .cred = "40", .verify = "" },
			   "a monitor's");
	refused_by_default(&watcher, &(struct join){ .roles = 2, .verify = "" },
			   "without evidence");
	assert_int_equal(join(&watcher, &(struct join){ .roles = 2 }), CHANGED);
}

static void kdc_059_empty_evidence_proves_nothing_under_oscore(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	(void)join(&c, &(struct join){ .roles = REQUESTER, .verify = "40" });
	assert_error(&c, BAD_REQUEST, 3);
	assert_members(&c, 0);
	must_join(&c, REQUESTER);
	(void)join(&c, &(struct join){ .roles = REQUESTER, .verify = "40" });
	assert_error(&c, BAD_REQUEST, 3);
}

static void kdc_060_a_newcomer_brings_a_credential_and_evidence(void **state)
{
	static const struct join rows[] = {
		{ .roles = 6, .cred = "", .verify = "" },
		{ .roles = 6, .cred = "40", .verify = "" },
		{ .roles = 6, .verify = "" },
		{ .roles = 6, .cred = "" },
		{ .roles = 6, .cred = "40" },
		{ .roles = 6, .cred = "", .more_pairs = 1, .more = "05 f5" },
		{ .roles = 6, .verify = "", .more_pairs = 1, .more = "1818 f6" },
	};
	static struct client c;
	char row[16];

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++) {
		snprintf(row, sizeof(row), "row %zu", i);
		refused_by_default(&c, &rows[i], row);
	}
	assert_members(&c, 0);
}

static void kdc_062_a_credential_has_to_fit_the_group(void **state)
{
	// P-256: x and y of a point
#define X "515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f"
#define Y "4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
	static const struct {
		const char *what, *cred;
	} rows[] = {
		{ "no map", "81 00" },
		{ "no key", "a1 02 61 61" },
		{ "an Ed25519 key", "a1 08 a1 01 a4 01 01 03 27 20 06 21 5820" X },
		{ "an X25519 key", "a1 08 a1 01 a3 01 01 20 04 21 5820" X },
		{ "a point that is none",
		  "a1 08 a1 01 a5 01 02 03 26 20 01 21 5820" X "22 5820" X },
		{ "another algorithm", "a1 08 a1 01 a5 01 02 03 27 20 01 21 5820" X "22 5820" Y },
		{ "an algorithm of key agreement",
		  "a1 08 a1 01 a5 01 02 03 381a 20 01 21 5820" X "22 5820" Y },
		{ "a private part",
		  "a1 08 a1 01 a6 01 02 03 26 20 01 21 5820" X "22 5820" Y "23 5820" X },
		{ "something behind it",
		  "a1 08 a1 01 a5 01 02 03 26 20 01 21 5820" X "22 5820" Y "00" },
		{ "a short coordinate", "a1 08 a1 01 a5 01 02 03 26 20 01 21 4101 22 5820" Y },
		{ "another key type", "a1 08 a1 01 a5 01 01 03 26 20 01 21 5820" X "22 5820" Y },
		{ "a symmetric key",
		  "a1 08 a1 01 a2 01 04 20 50 000102030405060708090a0b0c0d0e0f" },
		{ "not CBOR", "ff" },
	};
	static struct client c;

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++) {
		(void)join(&c, &(struct join){ .roles = REQUESTER, .cred = rows[i].cred });
		if (c.code != BAD_REQUEST || c.format != CF_PROBLEM)
			fail_msg("%s: %x in %d", rows[i].what, c.code, c.format);
		assert_error(&c, BAD_REQUEST, 2);
	}
	assert_members(&c, 0);
	/* the same without a fault: only the evidence is another's */
	(void)join(&c, &(struct join){ .roles = REQUESTER,
				       .cred = "a1 08 a1 01 a5 01 02 03 26 20 01 21 5820" X
					       "22 5820" Y });
	assert_error(&c, BAD_REQUEST, 3);
}

/* Evidence over another input than the one that counts. */
static void assert_wrong(struct client *c, struct gk_span scope, struct gk_span n_s,
			 struct gk_span n_c, bool right)
{
	struct bytes pop = { .len = 0 }, evidence = { .len = 0 }, request = { .len = 0 };
	char verify[200];

	put_bstr(&pop, scope);
	put_bstr(&pop, n_s);
	put_bstr(&pop, n_c);
	put_evidence(&evidence, c, all_of(&pop));
	snprintf(verify, sizeof(verify), "%s", hex_text(all_of(&evidence)));
	put_join(&request, c, &(struct join){ .roles = REQUESTER, .verify = verify });
	(void)ask(c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request));
	if (right)
		assert_int_equal(c->code, CREATED);
	else
		assert_error(c, BAD_REQUEST, 3);
}

static void kdc_063_064_a_signature_shows_that_the_key_is_there(void **state)
{
	static const uint8_t zeros[8];
	struct gk_span scope = hex_span("82 666c6967687473 02"), other = hex_span("82 6161 02");
	static struct client c;
	uint8_t next[8];

	client_open(&c, *state, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	memset(next, 1, sizeof(next)); /* the cnonce that the next request has */
	assert_wrong(&c, other, all_of(&c.n_s), gk_span(next, 8), false);
	memset(next, 2, sizeof(next));
	assert_wrong(&c, scope, gk_span(zeros, 8), gk_span(next, 8), false);
	assert_wrong(&c, scope, all_of(&c.n_s), gk_span(zeros, 8), false);
	(void)join(&c, &(struct join){ .roles = REQUESTER, .verify = "00" });
	assert_error(&c, BAD_REQUEST, 3);
	assert_members(&c, 0);
	memset(next, 5, sizeof(next));
	assert_wrong(&c, scope, all_of(&c.n_s), gk_span(next, 8), true);
	assert_members(&c, 1);
}

/* @return the code of a join of "pair" with a MAC, from which 'bit' is changed */
static uint8_t join_pairwise(struct client *c, struct gk_span kdc_cred, uint8_t bit)
{
	struct bytes pop = { .len = 0 }, mac = { .len = 0 }, request = { .len = 0 };
	struct join j = { .group = "pair", .roles = REQUESTER | RESPONDER };
	uint8_t next[8];

	memset(next, c->n_c[0] + 1, sizeof(next));
	put_bstr(&pop, hex_span("82 6470616972 06"));
	put_bstr(&pop, all_of(&c->n_s));
	put_bstr(&pop, gk_span(next, sizeof(next)));
	put_mac(&mac, c, all_of(&pop), kdc_cred);
	mac.data[7] ^= bit;
	j.verify = hex_text(all_of(&mac));
	put_join(&request, c, &j);
	return ask(c, POST, "ace-group/pair", CF_ACE_GC, all_of(&request));
}

static void assert_mac_evidence(const struct client *c)
{
	struct bytes input = { .len = 0 }, mac = { .len = 0 };

	put_bstr(&input, gk_span(c->n_c, sizeof(c->n_c)));
	put_bstr(&input, bstr(in_map(c->payload, 18)));
	put_mac(&mac, c, all_of(&input), bstr(in_map(c->payload, 17)));
	assert_true(gk_span_equal(bstr(in_map(c->payload, 19)), all_of(&mac)));
}

static void kdc_063_082_where_nothing_is_signed_evidence_is_a_mac(void **state)
{
	static struct client c;
	struct gk_span kdc_cred;

	serve(*state, "pair", GK_MODE_PAIRWISE);
	client_open(&c, *state, 1, 0);
	client_grant(&c, "pair", ALL);
	client_use_key(&c, 1, -27);
	assert_int_equal(client_post_with(&c, &(struct token){ 0 }, "1830f6"), CREATED);
	kdc_cred = exact_copy(bstr(in_array(in_array(in_map(c.payload, 48), 0), 2)));
	(void)join(&c, &(struct join){ .group = "pair", .roles = REQUESTER }); /* a signature */
	assert_error(&c, BAD_REQUEST, 3);
	assert_int_equal(join_pairwise(&c, kdc_cred, 1), BAD_REQUEST);
	assert_error(&c, BAD_REQUEST, 3);
	assert_int_equal(join_pairwise(&c, kdc_cred, 0), CREATED);
	assert_mac_evidence(&c);
	assert_true(gk_span_equal(bstr(in_map(c.payload, 17)), kdc_cred));
}

static void kdc_065_keys_that_cannot_be_converted_stay_out_of_pairwise_mode(void **state)
{
	static const char *const ys[] = {
		"01"
		"00000000000000000000000000000000000000000000000000000000000000",
		"ec"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct gk_group_config config = pair_config("both");
	static struct client c;
	char cred[200];

	if (!gk_sign_curve(-8) || !gk_dh_curve(-8))
		skip();
	config.mode = GK_MODE_BOTH;
	config.sign_alg = -8;
	assert_int_equal(pair_serve(*state, &config), GK_OK);
	client_open(&c, *state, 1, 0);
	client_grant(&c, "both", ALL);
	client_use_key(&c, 6, -8);
	for (size_t i = 0; i < ROWS(ys); i++) {
		snprintf(cred, sizeof(cred), "a1 08 a1 01 a4 01 01 03 27 20 06 21 5820 %s", ys[i]);
		assert_int_equal(
			join(&c,
			     &(struct join){ .group = "both", .roles = REQUESTER, .cred = cred }),
			BAD_REQUEST);
	}
	assert_int_equal(join(&c, &(struct join){ .group = "both", .roles = REQUESTER }), CREATED);
}

static void kdc_066_without_ids_or_in_an_inactive_group_nobody_joins(void **state)
{
	struct pair *p = *state;
	static struct client c, late;

	client_open(&c, p, 1, ALL);
	client_open(&late, p, 2, ALL);
	change(p)->active = false;
	apply_change(p);
	(void)join(&c, &(struct join){ .roles = REQUESTER });
	assert_error(&c, UNAVAILABLE, 9);
	(void)ask_hex(&c, POST, "ace-group/lights", CF_ACE_GC, "");
	assert_error(&c, UNAVAILABLE, 9);
	change(p)->active = true;
	change(p)->members_max = 1;
	apply_change(p);
	must_join(&c, REQUESTER);
	(void)join(&late, &(struct join){ .roles = REQUESTER });
	assert_error(&late, UNAVAILABLE, 4);
	assert_members(&c, 1);
}

static void kdc_067_a_4_00_tells_how_to_do_better(void **state)
{
	static const char *const requests[] = { "", "80", "a0", "f6",
						"a2 03 49 82666c6967687473 02" };
	static struct client c;

	serve(*state, "pair", GK_MODE_PAIRWISE);
	serve(*state, "both", GK_MODE_BOTH);
	client_open(&c, *state, 1, ALL);
	client_grant(&c, "pair", ALL);
	client_grant(&c, "both", ALL);
	assert_int_equal(client_post(&c), CREATED);
	for (size_t i = 0; i < ROWS(requests); i++) {
		(void)ask_hex(&c, POST, "ace-group/lights", CF_ACE_GC, requests[i]);
		assert_default(&c, requests[i]);
		assert_false(has(c.payload, 31) || has(c.payload, 32));
	}
	(void)ask_hex(&c, POST, "ace-group/both", CF_ACE_GC, "");
	assert_answer(&c, BAD_REQUEST, CF_ACE_GC);
	assert_hex_equal(in_map(c.payload, 29), "81 85 64626f7468 26 8102 820201 0e");
	assert_hex_equal(in_map(c.payload, 31), "81 85 64626f7468 381a 8102 820201 0e");
	assert_false(has(c.payload, 32));
	(void)ask_hex(&c, POST, "ace-group/pair", CF_ACE_GC, "");
	assert_answer(&c, BAD_REQUEST, CF_ACE_GC);
	assert_false(has(c.payload, 29));
	assert_hex_equal(in_map(c.payload, 31), "81 85 6470616972 381a 8102 820201 0e");
	assert_int_equal(array_size(in_map(c.payload, 32)), 1);
	assert_hex_equal(in_array(in_array(in_map(c.payload, 32), 0), 0), "6470616972");
}

static void kdc_067_068_asking_for_that_map_costs_nothing(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	for (int i = 0; i < 40; i++)
		refused_by_default(
			&c, &(struct join){ .scope = "", .cnonce = "", .cred = "", .verify = "" },
			"empty");
	/* a challenge in it is the one that counts from now on; without one, the last */
	if (has(c.payload, 30)) {
		c.n_s.len = 0;
		put_raw(&c.n_s, bstr(in_map(c.payload, 30)));
	}
	must_join(&c, REQUESTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_055_a_join_needs_a_scope_with_roles_that_can_join),
		LIGHTS(kdc_056_more_roles_than_the_token_grants_are_forbidden),
		LIGHTS(kdc_057_what_a_monitor_says_of_a_credential_is_ignored),
		LIGHTS(kdc_058_a_member_may_refer_to_its_credential),
		LIGHTS(kdc_059_empty_evidence_proves_nothing_under_oscore),
		LIGHTS(kdc_060_a_newcomer_brings_a_credential_and_evidence),
		LIGHTS(kdc_062_a_credential_has_to_fit_the_group),
		LIGHTS(kdc_063_064_a_signature_shows_that_the_key_is_there),
		LIGHTS(kdc_063_082_where_nothing_is_signed_evidence_is_a_mac),
		LIGHTS(kdc_065_keys_that_cannot_be_converted_stay_out_of_pairwise_mode),
		LIGHTS(kdc_066_without_ids_or_in_an_inactive_group_nobody_joins),
		LIGHTS(kdc_067_a_4_00_tells_how_to_do_better),
		LIGHTS(kdc_067_068_asking_for_that_map_costs_nothing),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
