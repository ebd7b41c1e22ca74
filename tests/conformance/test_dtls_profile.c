// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The DTLS profile of ACE (RFC 9202) at the KDC, as far as it is not the handshake itself: that is
// the TLS library's.

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

static const struct gk_span nothing = { NULL, 0 };

static int open_dtls(void **state)
{
	if (open_lights(state))
		return 1;
	gk_kdc_set_dtls(((struct pair *)*state)->kdc, true);
	return 0;
}

/* cnf {1: {1: 4, 2: kid, -1: k}}, of which a client's id is the kid and its ms the key */
static void put_psk(struct bytes *b, const struct client *c)
{
	put_hex(b, "a1 01 a3 01 04 02");
	put_bstr(b, gk_span(c->id, sizeof(c->id)));
	put_hex(b, "20");
	put_bstr(b, gk_span(c->ms, sizeof(c->ms)));
}

/* cnf {1: {1: 2, -1: 1, -2: x, -3: y}} */
static void put_raw_key(struct bytes *b, const struct client *c)
{
	put_hex(b, "a1 01 a4 01 02 20 01 21");
	put_bstr(b, gk_span(c->key.pub.x, 32));
	put_hex(b, "22");
	put_bstr(b, gk_span(c->key.pub.y, 32));
}

/* Post a token outside of any session. */
static uint8_t post(struct client *c, struct token t, struct gk_span cnf)
{
	struct gk_id session = c->raw.exchange.dtls;
	struct bytes token = { .len = 0 };

	t.cnf = cnf;
	put_token(&token, c, &t);
	c->raw.exchange.dtls = (struct gk_id){ 0 };
	if (ask_plain(c, POST, "authz-info", CF_CWT, all_of(&token)) == CREATED) {
		c->n_s.len = 0;
		put_raw(&c->n_s, bstr(in_map(c->payload, 46)));
	}
	c->raw.exchange.dtls = session;
	return c->code;
}

static uint8_t post_psk(struct client *c, struct token t)
{
	struct bytes cnf = { .len = 0 };

	put_psk(&cnf, c);
	return post(c, t, all_of(&cnf));
}

/* psk_identity {8: {1: {1: 4, 2: kid}}} (D 3.3.2) */
static enum gk_err shake_hands(struct client *c)
{
	struct bytes identity = { .len = 0 };
	uint8_t bytes[GK_PSK_ROOM];
	struct gk_buf key = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	put_hex(&identity, "a1 08 a1 01 a2 01 04 02");
	put_bstr(&identity, gk_span(c->id, sizeof(c->id)));
	err = gk_kdc_psk(c->p->kdc, all_of(&identity), c->p->now, &key, &c->raw.exchange.dtls);
	if (!err)
		assert_true(gk_span_equal(gk_buf_span(&key), gk_span(c->ms, sizeof(c->ms))));
	return err;
}

static void come(struct client *c, struct pair *p, unsigned number)
{
	client_open(c, p, number, ALL);
	assert_int_equal(post_psk(c, (struct token){ 0 }), CREATED);
	assert_int_equal(shake_hands(c), GK_OK);
}

/* In the session nothing is protected by us. */
static uint8_t join_here(struct client *c, const struct join *j)
{
	struct bytes request = { .len = 0 };
	struct gk_span name;

	put_join(&request, c, j);
	if (ask_plain(c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request)) >> 5 == 2) {
		assert_true(find_option(c, 8, 3, &name));
		snprintf(c->node, sizeof(c->node), "%.*s", (int)name.len, (const char *)name.data);
	}
	return c->code;
}

static uint8_t get_num(struct client *c)
{
	return ask_plain(c, GET, "ace-group/lights/num", CF_NONE, nothing);
}

static void kdc_032_tokens_are_looked_at_as_under_oscore(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_int_equal(post_psk(&c, (struct token){ .foreign_key = true }), UNAUTHORIZED);
	assert_int_equal(post_psk(&c, (struct token){ .lifetime_s = -1 }), UNAUTHORIZED);
	assert_int_equal(post_psk(&c, (struct token){ .aud = "other" }), FORBIDDEN);
	assert_int_equal(post_psk(&c, (struct token){ .no_scope = true }), BAD_REQUEST);
	assert_int_equal(shake_hands(&c), GK_ERR_UNKNOWN);
	assert_int_equal(post_psk(&c, (struct token){ 0 }), CREATED);
	assert_answer(&c, CREATED, CF_ACE);
	assert_int_equal(shake_hands(&c), GK_OK);
}

static void kdc_033_a_token_of_each_client_is_kept(void **state)
{
	static struct client c[8];

	for (unsigned i = 0; i < ROWS(c); i++) {
		come(&c[i], *state, i + 1);
		assert_int_equal(join_here(&c[i], &(struct join){ .roles = REQUESTER }), CREATED);
	}
	for (unsigned i = 0; i < ROWS(c); i++)
		assert_int_equal(get_num(&c[i]), CONTENT);
	/* one for each key */
	assert_int_equal(post_psk(&c[0], (struct token){ 0 }), CREATED);
	assert_int_equal(get_num(&c[0]), CONTENT);
}

static void kdc_035_the_kdc_has_one_raw_public_key(void **state)
{
	struct pair *p = *state;
	uint8_t d[2][32], xy[2][64];
	struct gk_key_pair key;

	assert_int_equal(gk_kdc_own_raw_key(p->kdc, d[0], xy[0]), GK_OK);
	pair_drain_kdc(p, GK_OK);
	pair_restart(p);
	assert_int_equal(gk_kdc_own_raw_key(p->kdc, d[1], xy[1]), GK_OK);
	assert_memory_equal(d[0], d[1], 32);
	assert_memory_equal(xy[0], xy[1], 64);
	assert_int_equal(gk_key_from_private(1, gk_span(d[0], 32), &key), GK_OK);
	assert_memory_equal(key.pub.x, xy[0], 32);
	assert_memory_equal(key.pub.y, xy[0] + 32, 32);
}

static void kdc_036_037_an_identity_without_a_valid_token_is_refused(void **state)
{
	static const char *const identities[] = {
		"",
		"a0",
		"a1 08 a0",
		"a1 08 a1 01 a2 01 04 02 48 0102030405060708", /* nobody's kid */
		"a1 08 a1 01 a2 01 04 02 48 a1a1a1a1a1a1a1a1 00",
		"68 a1a1a1a1a1a1a1a1",
		"ff",
	};
	struct pair *p = *state;
	static struct client c;
	struct bytes token = { .len = 0 }, cnf = { .len = 0 };
	uint8_t bytes[GK_PSK_ROOM];
	struct gk_id id;

	come(&c, p, 1); /* kid a1 eight times */
	for (size_t i = 0; i < ROWS(identities); i++) {
		struct gk_buf key = gk_buf(bytes, sizeof(bytes));

		if (!gk_kdc_psk(p->kdc, hex_span(identities[i]), p->now, &key, &id) || key.len)
			fail_msg("%s leads to a key", identities[i]);
	}
	/* a token itself, without access to the exporter, is one too */
	put_psk(&cnf, &c);
	put_token(&token, &c, &(struct token){ .cnf = all_of(&cnf) });
	struct gk_buf key = gk_buf(bytes, sizeof(bytes));
	assert_int_not_equal(gk_kdc_psk(p->kdc, all_of(&token), p->now, &key, &id), GK_OK);
	assert_int_equal(key.len, 0);
	/* a token that has ended leads nowhere */
	p->now.utc.s += 100000;
	assert_int_not_equal(shake_hands(&c), GK_OK);
}

/* D 3.3.1: from the key that AS and KDC share, and the token as it was posted */
static void kdc_036_a_key_that_is_not_in_the_token_is_derived(void **state)
{
	static struct client c;
	struct bytes cnf = { .len = 0 }, token = { .len = 0 }, info = { .len = 0 };

	client_open(&c, *state, 1, ALL);
	put_hex(&cnf, "a1 01 a2 01 04 02");
	put_bstr(&cnf, gk_span(c.id, sizeof(c.id)));
	put_token(&token, &c, &(struct token){ .cnf = all_of(&cnf) });
	assert_int_equal(ask_plain(&c, POST, "authz-info", CF_CWT, all_of(&token)), CREATED);
	put_hex(&info, "83");
	put_tstr(&info, "ACE-CoAP-DTLS-key-derivation");
	put_hex(&info, "10");
	put_bstr(&info, all_of(&token));
	assert_int_equal(
		gk_hkdf(nothing, gk_span(pair_as_key, 16), all_of(&info), c.ms, sizeof(c.ms)),
		GK_OK);
	assert_int_equal(shake_hands(&c), GK_OK);
}

static void kdc_035_037_a_raw_public_key_is_that_of_a_token(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct bytes cnf = { .len = 0 }, spki = { .len = 0 };

	client_open(&c, p, 1, ALL);
	put_hex(&spki, "3059301306072a8648ce3d020106082a8648ce3d03010703420004");
	put_raw(&spki, gk_span(c.key.pub.x, 32));
	put_raw(&spki, gk_span(c.key.pub.y, 32));
	assert_int_equal(gk_kdc_raw_key(p->kdc, all_of(&spki), p->now, &c.raw.exchange.dtls),
			 GK_ERR_UNKNOWN);
	put_raw_key(&cnf, &c);
	assert_int_equal(post(&c, (struct token){ 0 }, all_of(&cnf)), CREATED);
	assert_int_equal(gk_kdc_raw_key(p->kdc, all_of(&spki), p->now, &c.raw.exchange.dtls),
			 GK_OK);
	/* of another key it proves nothing */
	c.raw.addr.ip[15] = 9;
	client_use_key(&c, 1, -7);
	c.raw.addr.ip[15] = 1;
	(void)join_here(&c, &(struct join){ .roles = REQUESTER, .verify = "40" });
	assert_error(&c, BAD_REQUEST, 3);
	client_use_key(&c, 1, -7);
	/* the handshake has proven this key, and so evidence may be empty */
	assert_int_equal(join_here(&c, &(struct join){ .roles = REQUESTER, .verify = "40" }),
			 CREATED);
}

static void kdc_059_a_session_by_a_shared_key_proves_nothing(void **state)
{
	static struct client c;

	come(&c, *state, 1);
	(void)join_here(&c, &(struct join){ .roles = REQUESTER, .verify = "40" });
	assert_error(&c, BAD_REQUEST, 3);
}

static void kdc_038_039_each_request_is_checked_and_the_session_stays(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, REQUESTER);
	assert_int_equal(post_psk(&c, (struct token){ .lifetime_s = 1000 }), CREATED);
	assert_int_equal(shake_hands(&c), GK_OK);
	assert_int_equal(join_here(&c, &(struct join){ .roles = RESPONDER }), FORBIDDEN);
	assert_int_equal(ask_plain(&c, GET, "ace-group/heat", CF_NONE, nothing), FORBIDDEN);
	assert_int_equal(get_num(&c), FORBIDDEN);
	assert_int_equal(p->ends, 0);
	assert_int_equal(join_here(&c, &(struct join){ .roles = REQUESTER }), CREATED);
	assert_int_equal(get_num(&c), CONTENT);
	/* the calendar alone ends it, before any timer does */
	p->now.utc.s += 1000;
	assert_int_equal(get_num(&c), UNAUTHORIZED);
	/* and so does another session */
	p->now.utc.s -= 1000;
	c.raw.exchange.dtls.data[0] ^= 1;
	assert_int_equal(get_num(&c), UNAUTHORIZED);
}

static void kdc_040_a_new_token_changes_the_rights_and_the_last_one_ends_the_session(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, REQUESTER);
	assert_int_equal(post_psk(&c, (struct token){ .iat_s = -20 }), CREATED);
	assert_int_equal(shake_hands(&c), GK_OK);
	assert_int_equal(join_here(&c, &(struct join){ .roles = RESPONDER }), FORBIDDEN);
	c.scope.len = 0;
	put_hex(&c.scope, "80");
	client_grant(&c, PAIR_LIGHTS, RESPONDER);
	assert_int_equal(post_psk(&c, (struct token){ .iat_s = -10, .lifetime_s = 1000 }), CREATED);
	assert_int_equal(join_here(&c, &(struct join){ .roles = REQUESTER }), FORBIDDEN);
	assert_int_equal(join_here(&c, &(struct join){ .roles = RESPONDER }), CREATED);
	assert_int_equal(p->ends, 0);
	pair_advance(p, 1001000);
	assert_int_equal(p->ends, 1);
	assert_true(gk_id_equal(&p->ended, &c.raw.exchange.dtls));
	assert_int_equal(pair_group(p).members, 0);
	assert_int_equal(get_num(&c), UNAUTHORIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define DTLS(test) cmocka_unit_test_setup_teardown(test, open_dtls, close_pair)
		DTLS(kdc_032_tokens_are_looked_at_as_under_oscore),
		DTLS(kdc_033_a_token_of_each_client_is_kept),
		DTLS(kdc_035_the_kdc_has_one_raw_public_key),
		DTLS(kdc_036_037_an_identity_without_a_valid_token_is_refused),
		DTLS(kdc_036_a_key_that_is_not_in_the_token_is_derived),
		DTLS(kdc_035_037_a_raw_public_key_is_that_of_a_token),
		DTLS(kdc_059_a_session_by_a_shared_key_proves_nothing),
		DTLS(kdc_038_039_each_request_is_checked_and_the_session_stays),
		DTLS(kdc_040_a_new_token_changes_the_rights_and_the_last_one_ends_the_session),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
