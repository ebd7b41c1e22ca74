// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/client.h"
#include "libgroupkey/cwt.h"
#include "libgroupkey/uri.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define LIGHTS_6 "8182666c696768747306" /* [["lights", 6]] */
#define LIGHTS_8 "8182666c696768747308" /* [["lights", 8]]: a monitor */

#define KID        "3d027833fc6267ce" /* the one of the examples in RFC 9202 */
#define PSK        "000102030405060708090a0b0c0d0e0f"
#define OTHER_PSK  "f00102030405060708090a0b0c0d0e0f"
#define CNF_KEY    "a101a3010402483d027833fc6267ce2050" PSK
#define CNF_OTHER  "a101a3010402483d027833fc6267ce2050" OTHER_PSK
#define CNF_DERIVE "a101a2010402483d027833fc6267ce"
#define CNF_KID    "a103483d027833fc6267ce"
#define IDENTITY   "a108a101a2010402483d027833fc6267ce"

static const uint32_t both = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;

static int open_pair(void **state)
{
	static struct pair p;

	pair_open(&p, 1);
	*state = &p;
	if (pair_serve(&p, NULL) != GK_OK)
		return 1;
	gk_kdc_set_dtls(p.kdc, true);
	return 0;
}

static void restart(struct pair *p)
{
	pair_restart(p);
	gk_kdc_set_dtls(p->kdc, true);
}

/* tokens made by hand */

struct claims {
	const char *cnf;   /* hex */
	const char *scope; /* hex; NULL: LIGHTS_6 */
	int64_t iat, exp;  /* seconds from now; iat 0: no claim; exp 0: an hour */
	uint8_t nonce;
};

static struct gk_span make_token(const struct pair *p, const struct claims *claims)
{
	static uint8_t bytes[600];
	uint8_t nonce[13] = { 9, claims->nonce }, plain_bytes[400];
	struct gk_buf plain = gk_buf(plain_bytes, sizeof(plain_bytes));
	struct gk_buf token = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&plain, 5 + (claims->iat != 0));
	gk_put_int(&plain, GK_CLAIM_SUB);
	gk_put_text(&plain, gk_span_str("crafted"));
	gk_put_int(&plain, GK_CLAIM_AUD);
	gk_put_text(&plain, gk_span_str("gatewayd"));
	gk_put_int(&plain, GK_CLAIM_EXP);
	gk_put_int(&plain, p->now.utc.s + (claims->exp ? claims->exp : 3600));
	if (claims->iat) {
		gk_put_int(&plain, GK_CLAIM_IAT);
		gk_put_int(&plain, p->now.utc.s + claims->iat);
	}
	gk_put_int(&plain, GK_CLAIM_CNF);
	gk_buf_add(&plain, hex_span(claims->cnf));
	gk_put_int(&plain, GK_CLAIM_SCOPE);
	gk_put_bytes(&plain, hex_span(claims->scope ? claims->scope : LIGHTS_6));
	assert_int_equal(gk_cose_encrypt0(gk_buf_span(&plain), gk_span(pair_as_key, 16),
					  gk_span(nonce, sizeof(nonce)), &token),
			 GK_OK);
	return gk_buf_span(&token);
}

/* A client of its own, whose provisioned token is not used. */
static void open_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	pair_raw_open(raw, p, number, "crafted", NULL, &both, 1);
	pair_drain_kdc(p, GK_OK);
}

static uint8_t post_plain(struct pair_raw *raw, struct gk_span token)
{
	return pair_raw_post_payload(raw, GK_CF_CWT, token);
}

static uint8_t post_claims(struct pair_raw *raw, const struct claims *claims)
{
	return post_plain(raw, make_token(raw->p, claims));
}

/* A post comes from outside, whatever session there is. */
static uint8_t post_outside(struct pair_raw *raw, const struct claims *claims)
{
	struct gk_id dtls = raw->exchange.dtls;
	uint8_t code;

	raw->exchange.dtls = (struct gk_id){ 0 };
	code = post_claims(raw, claims);
	raw->exchange.dtls = dtls;
	return code;
}

static struct gk_span challenge_in(const struct pair_raw *raw)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item;

	assert_int_equal(gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1), GK_CF_ACE);
	assert_int_equal(gk_cbor_read_map(raw->answer.payload, fields, 1, &item), GK_OK);
	return item.string;
}

static void take_challenge(struct pair_raw *raw)
{
	struct gk_span challenge = challenge_in(raw);

	raw->challenge_len = challenge.len;
	memcpy(raw->challenge, challenge.data, challenge.len);
}

/* What a TLS library would do with the identity. @return GK_OK, and the session is the client's */
static enum gk_err shake_hands(struct pair_raw *raw, const char *identity, const char *psk)
{
	uint8_t bytes[GK_PSK_ROOM];
	struct gk_buf key = gk_buf(bytes, sizeof(bytes));
	struct gk_id id = { 0 };
	enum gk_err err = gk_kdc_psk(raw->p->kdc, hex_span(identity), raw->p->now, &key, &id);

	if (err) {
		assert_int_equal(key.len, 0);
		assert_int_equal(id.len, 0);
		return err;
	}
	if (psk && !gk_span_equal(gk_buf_span(&key), hex_span(psk)))
		return GK_ERR_CRYPTO;
	assert_int_equal(id.len, 8);
	raw->exchange.dtls = id;
	return GK_OK;
}

static uint8_t ask_num(struct pair_raw *raw)
{
	return pair_raw_ask(raw, GK_COAP_GET, "ace-group/lights/num", -1, gk_span(NULL, 0));
}

/* A client with the key of the examples that has posted its token and made a session. */
static void come(struct pair_raw *raw, struct pair *p, unsigned number)
{
	open_raw(raw, p, number);
	assert_int_equal(post_claims(raw, &(struct claims){ .cnf = CNF_KEY, .iat = -10 }),
			 GK_COAP_CREATED);
	take_challenge(raw);
	assert_int_equal(shake_hands(raw, IDENTITY, PSK), GK_OK);
}

static void join(struct pair_raw *raw, struct pair *p, unsigned number)
{
	come(raw, p, number);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
}

static size_t count_clients(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == GK_TABLE_CLIENT;
	return count;
}

/* tokens */

static void a_token_in_plain_form_is_answered_with_a_challenge(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }), GK_COAP_CREATED);
	assert_int_equal(challenge_in(&raw).len, 8);
	// nothing of OSCORE: a map with the challenge alone
	assert_int_equal(raw.answer.payload.data[0], 0xa1);
	assert_int_equal(count_clients(p), 0);
}

static void a_token_in_a_map_may_ask_about_its_groups(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
		{ GK_ACE_SIGN_INFO, GK_CBOR_ARRAY, true },
	};
	struct gk_cbor_item item[2];
	uint8_t bytes[700];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw;

	open_raw(&raw, *state, 1);
	gk_put_map(&payload, 2);
	gk_put_int(&payload, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(&payload, make_token(*state, &(struct claims){ .cnf = CNF_KEY }));
	gk_put_int(&payload, GK_ACE_SIGN_INFO);
	gk_put_null(&payload);
	assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&payload)),
			 GK_COAP_CREATED);
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 2, item), GK_OK);
	assert_hex_equal(item[1].encoded, "8185666c69676874732681028202010e");
}

static void keys_that_are_none_for_dtls_are_refused(void **state)
{
	static const struct {
		const char *what, *cnf;
		uint8_t code;
	} rows[] = {
		{ "good", CNF_KEY, GK_COAP_CREATED },
		{ "symmetric without kid", "a101a201042050" PSK, GK_COAP_BAD_REQUEST },
		{ "an empty kid", "a101a3010402402050" PSK, GK_COAP_BAD_REQUEST },
		{ "a short key", "a101a3010402483d027833fc6267ce20420102", GK_COAP_BAD_REQUEST },
		{ "k is text", "a101a3010402483d027833fc6267ce206161", GK_COAP_BAD_REQUEST },
		{ "an osc object, in plain form: no nonce1",
		  "a104a20048010203040506070802500102030405060708090a0b0c0d0e0f10",
		  GK_COAP_BAD_REQUEST },
		{ "two keys", "a20348aabbccddeeff001101a3010402483d027833fc6267ce2050" PSK,
		  GK_COAP_BAD_REQUEST },
		{ "a point that is none",
		  "a101a4010220012158200000000000000000000000000000000000000000000000000000000000"
		  "0000012258200000000000000000000000000000000000000000000000000000000000000001",
		  GK_COAP_BAD_REQUEST },
		{ "X25519, which signs nothing",
		  "a101a3010120042158200900000000000000000000000000000000000000000000000000000000"
		  "000000",
		  GK_COAP_BAD_REQUEST },
	};
	struct pair_raw raw;

	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t code;

		open_raw(&raw, *state, 1);
		code = post_claims(&raw, &(struct claims){ .cnf = rows[i].cnf });
		if (code != rows[i].code)
			fail_msg("%s: %x, not %x", rows[i].what, code, rows[i].code);
	}
}

static void where_dtls_is_not_offered_its_tokens_are_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	gk_kdc_set_dtls(p->kdc, false);
	open_raw(&raw, p, 1);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }),
			 GK_COAP_BAD_REQUEST);
	assert_int_equal(p->kdc->candidate_count, 0);
	gk_kdc_set_dtls(p->kdc, true);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }), GK_COAP_CREATED);
	gk_kdc_set_dtls(p->kdc, false);
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_ERR_UNKNOWN);
}

static void a_post_sent_twice_has_one_challenge(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t first[8];

	come(&raw, p, 1);
	memcpy(first, raw.challenge, 8);
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KEY, .iat = -10 }),
			 GK_COAP_CREATED);
	assert_memory_equal(challenge_in(&raw).data, first, 8);
	assert_int_equal(p->kdc->candidate_count, 1);
	// and when the client is one, whoever sends the copy
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KEY, .iat = -10 }),
			 GK_COAP_CREATED);
	assert_memory_equal(challenge_in(&raw).data, first, 8);
	assert_int_equal(p->kdc->candidate_count, 0);
}

/* handshakes */

static void a_psk_identity_leads_to_the_key_of_a_token(void **state)
{
	static const struct {
		const char *what, *identity;
		enum gk_err err;
	} rows[] = {
		{ "the example of RFC 9202", IDENTITY, GK_OK },
		{ "kid as its own method", "a108a103483d027833fc6267ce", GK_OK },
		{ "another kid", "a108a101a2010402483d027833fc6267cf", GK_ERR_UNKNOWN },
		{ "a kid cut short", "a108a101a2010402473d027833fc6267", GK_ERR_UNKNOWN },
		{ "no kid", "a108a101a10104", GK_ERR_MISSING },
		{ "an empty kid",
		  "a108a103"
		  "40",
		  GK_ERR_UNKNOWN },
		{ "an empty cnf", "a108a0", GK_ERR_MISSING },
		{ "a public key", "a108a101a2010202483d027833fc6267ce", GK_ERR_TYPE },
		{ "kid as text", "a108a101a20104026461626364", GK_ERR_TYPE },
		{ "no cnf", "a0", GK_ERR_MISSING },
		{ "cut short", "a108a101a2010402483d027833fc6267", GK_ERR_MALFORMED },
		{ "something behind it", IDENTITY "00", GK_ERR_MALFORMED },
		{ "empty", "", GK_ERR_MALFORMED },
		{ "text", "436c69656e74", GK_ERR_TYPE },
		{ "a token: COSE_Encrypt0", "d08343a1010aa0420102", GK_ERR_UNSUPPORTED },
		{ "a token: COSE_Sign1 without tag", "8443a10126a041a040", GK_ERR_UNSUPPORTED },
		{ "a token with the tag of CWT", "d83dd08343a1010aa0420102", GK_ERR_UNSUPPORTED },
	};
	struct pair_raw raw;

	open_raw(&raw, *state, 1);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }), GK_COAP_CREATED);
	for (size_t i = 0; i < ROWS(rows); i++) {
		enum gk_err err = shake_hands(&raw, rows[i].identity, PSK);

		raw.exchange.dtls = (struct gk_id){ 0 };
		if (err != rows[i].err)
			fail_msg("%s: %s", rows[i].what, gk_strerror(err));
	}
}

static void a_token_in_psk_identity_is_refused_though_it_is_good(void **state)
{
	struct pair *p = *state;
	struct gk_span token = make_token(p, &(struct claims){ .cnf = CNF_KEY });
	uint8_t bytes[GK_PSK_ROOM];
	struct gk_buf key = gk_buf(bytes, sizeof(bytes));
	struct gk_id id;

	assert_int_equal(gk_kdc_psk(p->kdc, token, p->now, &key, &id), GK_ERR_UNSUPPORTED);
	assert_int_equal(p->kdc->candidate_count, 0);
}

/* RFC 9202 3.3.1, step by step: a token without 'k' is the source of its own key. */
static void a_key_that_is_not_in_the_token_is_derived_from_it(void **state)
{
	struct pair *p = *state;
	struct gk_span token = make_token(p, &(struct claims){ .cnf = CNF_DERIVE });
	uint8_t bytes[700], okm[16], key_bytes[GK_PSK_ROOM];
	struct gk_buf info = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));
	struct pair_raw raw;
	struct gk_id id;

	// ["ACE-CoAP-DTLS-key-derivation", 16, token]
	gk_buf_add(&info,
		   hex_span("83781c4143452d436f41502d44544c532d6b65792d64657269766174696f6e10"));
	assert_in_range(token.len, 24, 255);
	gk_buf_byte(&info, 0x58);
	gk_buf_byte(&info, (uint8_t)token.len);
	gk_buf_add(&info, token);
	assert_int_equal(gk_hkdf(gk_span(NULL, 0), gk_span(pair_as_key, 16), gk_buf_span(&info),
				 okm, sizeof(okm)),
			 GK_OK);

	open_raw(&raw, p, 1);
	assert_int_equal(post_plain(&raw, token), GK_COAP_CREATED);
	assert_int_equal(gk_kdc_psk(p->kdc, hex_span(IDENTITY), p->now, &key, &id), GK_OK);
	assert_int_equal(key.len, 16);
	assert_memory_equal(key_bytes, okm, 16);
}

static void a_kid_alone_means_a_derived_key_if_nobody_has_it(void **state)
{
	struct pair_raw raw;

	open_raw(&raw, *state, 1);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KID }), GK_COAP_CREATED);
	assert_int_equal(shake_hands(&raw, IDENTITY, NULL), GK_OK);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN); // a client, and no member
}

static void no_key_is_given_out_for_a_token_that_has_ended_or_is_revoked(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	come(&raw, p, 1);
	p->now.utc.s += 3600;
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_ERR_UNKNOWN);
	p->now.utc.s -= 3600;
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("crafted"), p->now));
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_ERR_UNKNOWN);
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KEY }),
			 GK_COAP_UNAUTHORIZED);
}

/* requests in a session */

static void a_session_without_a_token_gets_no_further_than_authz_info(void **state)
{
	struct pair_raw raw;

	open_raw(&raw, *state, 1);
	raw.exchange.dtls = (struct gk_id){ 8, "nobody's" };
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }), GK_COAP_CREATED);
	// that session has not proven this key
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
}

static void outside_of_its_session_a_client_is_nobody(void **state)
{
	static const char request[] = "\x01\xb9"
				      "ace-group\x06lights\x03num";
	struct pair_raw raw;

	join(&raw, *state, 1);
	assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
	raw.exchange.dtls = (struct gk_id){ 0 };
	pair_raw_send(&raw, gk_span(request, sizeof(request) - 1));
	assert_int_equal(raw.answer.code, GK_COAP_UNAUTHORIZED);
}

static void a_client_is_stored_with_its_first_request(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	come(&raw, p, 1);
	assert_int_equal(count_clients(p), 0);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(count_clients(p), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_TOKEN), 1);
	assert_int_equal(p->kdc->candidate_count, 0);
}

static void a_member_by_dtls_is_a_member_like_others(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	pair_join_all(p, 2);
	join(&raw, p, 1);
	assert_true(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, ""), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "*"), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "creds"), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "kdc-cred"), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	assert_false(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
}

static void a_retransmission_is_carried_out_once(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t first[256];
	size_t len;

	join(&raw, p, 1);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
	len = p->raw_len;
	memcpy(first, p->raw_answer, len);
	assert_int_equal(pair_raw_again(&raw, true), GK_COAP_CHANGED);
	assert_int_equal(p->raw_len, len);
	assert_memory_equal(p->raw_answer, first, len);
	assert_int_equal(pair_raw_again(&raw, false), GK_COAP_CHANGED);
	assert_memory_not_equal(p->raw_answer, first, len);
}

static void a_wrong_proof_of_possession_is_refused(void **state)
{
	struct pair_raw raw;

	come(&raw, *state, 1);
	raw.challenge[0] ^= 1;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10003");
}

/* the KDC's own requests */

static void rekeying_messages_go_in_the_session(void **state)
{
	struct pair *p = *state;
	const struct pair_message *asked;
	struct pair_raw raw;
	struct gk_coap msg;

	join(&raw, p, 1);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	asked = pair_raw_asked(&raw);
	assert_non_null(asked);
	assert_true(gk_id_equal(&asked->dtls, &raw.exchange.dtls));
	assert_int_equal(gk_coap_parse(asked->bytes, &msg), GK_OK);
	assert_int_equal(msg.code, GK_COAP_POST);
	assert_int_equal(pair_group(p).confirmed, 0);
	pair_raw_reply(&raw, asked, GK_COAP_CHANGED);
	assert_int_equal(pair_group(p).confirmed, 1);
}

static void a_control_uri_may_be_coaps_for_a_session_alone(void **state)
{
	struct pair *p = *state;
	struct gk_addr addr;
	struct gk_span path;
	struct gk_member_info info;
	struct pair_raw raw;

	assert_int_equal(gk_uri_read_secure(gk_span_str("coaps://[fd00::3]/a"), &addr, &path),
			 GK_OK);
	assert_int_equal(addr.port, 5684);
	assert_int_not_equal(gk_uri_read_secure(gk_span_str("coap://[fd00::3]/a"), &addr, &path),
			     GK_OK);
	come(&raw, p, 1);
	raw.secure_control = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
	assert_true(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
	pair_raw_open(&raw, p, 2, "by-oscore", NULL, &both, 1);
	raw.secure_control = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_BAD_REQUEST);
}

static void an_eviction_is_told_in_the_session(void **state)
{
	struct pair *p = *state;
	const struct pair_message *asked;
	struct pair_raw raw;
	struct gk_coap msg;

	join(&raw, p, 1);
	pair_drain_kdc(
		p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("crafted"), p->now));
	asked = pair_raw_asked(&raw);
	assert_non_null(asked);
	assert_true(gk_id_equal(&asked->dtls, &raw.exchange.dtls));
	assert_int_equal(gk_coap_parse(asked->bytes, &msg), GK_OK);
	assert_int_equal(msg.code, GK_COAP_DELETE);
	assert_int_equal(p->ends, 0); // its token is still good
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
}

/* updates and ends */

static void a_new_token_for_the_key_replaces_the_rights(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	// within the session, then outside, where the client keeps it
	for (int outside = 0; outside < 2; outside++) {
		const char *const cnf[] = { CNF_KID, CNF_KEY };
		struct claims wider = { .cnf = cnf[outside], .iat = -9 + outside * 5 };
		struct claims narrower = { .cnf = cnf[outside],
					   .iat = -8 + outside * 5,
					   .scope = LIGHTS_8 };

		if (outside)
			pair_raw_open(&raw, p, 2, "x", NULL, &both, 1);
		else
			join(&raw, p, 1);
		if (outside) {
			assert_int_equal(
				post_claims(&raw, &(struct claims){ .cnf = CNF_KEY, .iat = -5 }),
				GK_COAP_CREATED);
			take_challenge(&raw);
			assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_OK);
			assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true),
					 GK_COAP_CREATED);
		}
		assert_int_equal(outside ? post_outside(&raw, &wider) : post_claims(&raw, &wider),
				 GK_COAP_CREATED);
		assert_int_equal(challenge_in(&raw).len, 8);
		assert_true(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
		assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
		assert_int_equal(outside ? post_outside(&raw, &narrower)
					 : post_claims(&raw, &narrower),
				 GK_COAP_CREATED);
		assert_false(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
		assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
		assert_int_equal(p->kdc->candidate_count, 0);
	}
	assert_int_equal(count_clients(p), 1);
	assert_int_equal(p->ends, 0);
}

static void an_older_token_changes_nothing(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_member_info info;

	join(&raw, p, 1);
	assert_int_equal(
		post_outside(&raw,
			     &(struct claims){ .cnf = CNF_KEY, .iat = -11, .scope = LIGHTS_8 }),
		GK_COAP_UNAUTHORIZED);
	// nor does an older one with another key of that name
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_OTHER, .iat = -11 }),
			 GK_COAP_UNAUTHORIZED);
	assert_true(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_OK);
}

static void an_older_token_changes_nothing_before_the_first_session_either(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	come(&raw, p, 1);
	assert_int_equal(
		post_outside(&raw,
			     &(struct claims){ .cnf = CNF_KEY, .iat = -11, .scope = LIGHTS_8 }),
		GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
}

static void a_session_proves_the_key_that_it_was_made_with(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_id old;

	join(&raw, p, 1);
	old = raw.exchange.dtls;
	// a newer token with another key: the next handshake is with that one ...
	assert_int_equal(
		post_outside(&raw,
			     &(struct claims){ .cnf = CNF_OTHER, .iat = -9, .scope = LIGHTS_8 }),
		GK_COAP_CREATED);
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_ERR_CRYPTO);
	// ... and until it has been, the old session has the old rights
	assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
	assert_int_equal(shake_hands(&raw, IDENTITY, OTHER_PSK), GK_OK);
	assert_false(gk_id_equal(&raw.exchange.dtls, &old));
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(p->ends, 1);
	assert_true(gk_id_equal(&p->ended, &old));
	assert_int_equal(count_clients(p), 1);
	raw.exchange.dtls = old;
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
}

static void the_session_ends_with_the_token(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1);
	p->now.utc.s += 3600;
	// on each request, whenever the timer runs
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	p->now.utc.s -= 3600;
	assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
	pair_advance(p, 3600 * 1000);
	assert_int_equal(p->ends, 1);
	assert_true(gk_id_equal(&p->ended, &raw.exchange.dtls));
	assert_int_equal(count_clients(p), 0);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	// the same session may bring another token as long as it is there
	assert_int_equal(post_claims(&raw, &(struct claims){ .cnf = CNF_KEY }), GK_COAP_CREATED);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
}

static void a_revoked_client_loses_its_session(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1);
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("crafted"), p->now));
	assert_int_equal(p->ends, 1);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
}

static void a_banned_client_stays_out_with_a_new_key(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1);
	pair_drain_kdc(
		p, gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("crafted"), p->now));
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_OTHER, .iat = -9 }),
			 GK_COAP_CREATED);
	take_challenge(&raw);
	assert_int_equal(shake_hands(&raw, IDENTITY, OTHER_PSK), GK_OK);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_FORBIDDEN);
}

static void updates_wait_for_storage_and_come_only_so_often(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t code = GK_COAP_CREATED;
	int changes = 0;

	join(&raw, p, 1);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_NONE, p->now));
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KID, .iat = -9 }),
			 GK_COAP_UNAVAILABLE);
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_OK);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_GOOD, p->now));
	while (code == GK_COAP_CREATED && changes < 100) {
		changes++;
		code = post_outside(
			&raw, &(struct claims){ .cnf = CNF_KID, .iat = -9, .exp = 3600 + changes });
	}
	assert_int_equal(code, GK_COAP_UNAVAILABLE);
	assert_in_range(changes, 20, 40);
}

static void no_new_client_is_taken_while_storage_is_scarce(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	come(&raw, p, 1);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_SCARCE, p->now));
	assert_int_equal(ask_num(&raw), GK_COAP_UNAVAILABLE);
	assert_int_equal(count_clients(p), 0);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_GOOD, p->now));
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
}

static void a_restart_is_no_leave(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	join(&raw, p, 1);
	restart(p);
	assert_true(pair_shown(p, PAIR_LIGHTS, "crafted", &info));
	// the session died with the process; the same key makes another one
	raw.exchange.dtls = (struct gk_id){ 0 };
	assert_int_equal(shake_hands(&raw, IDENTITY, PSK), GK_OK);
	assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KEY, .iat = -11 }),
			 GK_COAP_UNAUTHORIZED);
}

/* It is called by its key: with another one in it the record is damaged. */
static void a_record_with_another_key_is_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1);
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		struct gk_record record = { .table = r->table,
					    .key = gk_span(r->key, r->key_len),
					    .value = gk_span(r->value, r->value_len) };
		uint8_t *kid = NULL;
		struct gk_client *client;

		for (size_t k = 0; r->table == GK_TABLE_CLIENT && k + 8 <= r->value_len; k++) {
			if (memcmp(r->value + k, hex_span(KID).data, 8) == 0)
				kid = r->value + k;
		}
		if (!kid)
			continue;
		client = gk_client_find(p->kdc, record.key);
		assert_non_null(client);
		kid[0] ^= 1;
		// a KDC that does not know it yet
		p->manual_restart = true;
		client->id.data[0] ^= 1;
		assert_int_equal(gk_kdc_restore(p->kdc, &record, p->now), GK_ERR_MALFORMED);
		client->id.data[0] ^= 1;
		kid[0] ^= 1;
		return;
	}
	fail_msg("no record of the client");
}

/* two clients of one name: what differs in the end decides */

static void an_id_that_another_kind_of_client_has_is_not_taken_over(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, by_oscore;
	struct gk_id id;

	// an AS that gave out an osc id that a key's name leads to
	assert_int_equal(gk_session_name_kid(hex_span(KID), &id), GK_OK);
	join(&raw, p, 1);
	pair_raw_open(&by_oscore, p, 2, "by-oscore", NULL, &both, 1);
	assert_int_equal(pair_raw_post(&by_oscore), GK_COAP_CREATED);
	assert_int_equal(p->kdc->candidate_count, 1);
	p->kdc->candidates->id = id;
	assert_int_equal(
		pair_raw_ask(&by_oscore, GK_COAP_GET, "ace-group/lights/num", -1, gk_span(NULL, 0)),
		GK_COAP_UNAUTHORIZED);
	assert_int_equal(ask_num(&raw), GK_COAP_CONTENT);
}

/* raw public keys */

/* The client's own key in a COSE_Key, and as SubjectPublicKeyInfo. */
static void put_raw_key(const struct pair_raw *raw, char *cnf, size_t room, uint8_t spki[91])
{
	char x[65], y[65];

	for (size_t i = 0; i < 32; i++) {
		snprintf(x + 2 * i, 3, "%02x", raw->key.pub.x[i]);
		snprintf(y + 2 * i, 3, "%02x", raw->key.pub.y[i]);
	}
	snprintf(cnf, room, "a101a401022001215820%s225820%s", x, y);
	memcpy(spki, hex_span("3059301306072a8648ce3d020106082a8648ce3d03010703420004").data, 27);
	memcpy(spki + 27, raw->key.pub.x, 32);
	memcpy(spki + 59, raw->key.pub.y, 32);
}

static void come_with_raw_key(struct pair_raw *raw, struct pair *p, uint8_t spki[91])
{
	char cnf[200];

	open_raw(raw, p, 1);
	put_raw_key(raw, cnf, sizeof(cnf), spki);
	assert_int_equal(post_claims(raw, &(struct claims){ .cnf = cnf, .iat = -10 }),
			 GK_COAP_CREATED);
	take_challenge(raw);
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(spki, 91), p->now, &raw->exchange.dtls),
			 GK_OK);
}

static void a_raw_public_key_is_that_of_a_token_or_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t spki[91], bad[92] = { 0 };
	struct gk_id id;

	come_with_raw_key(&raw, p, spki);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(spki, 90), p->now, &id),
			 GK_ERR_UNSUPPORTED);
	memcpy(bad, spki, 91);
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(bad, 92), p->now, &id), GK_ERR_UNSUPPORTED);
	bad[0] ^= 1;
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(bad, 91), p->now, &id), GK_ERR_UNSUPPORTED);
	bad[0] ^= 1;
	bad[90] ^= 1; // not on the curve
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(bad, 91), p->now, &id), GK_ERR_UNSUPPORTED);
	p->now.utc.s += 3600;
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(spki, 91), p->now, &id), GK_ERR_UNKNOWN);
	p->now.utc.s -= 3600;
	restart(p);
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(spki, 91), p->now, &id), GK_OK);
	// its name does not lead to a pre-shared key
	assert_int_equal(shake_hands(&raw, IDENTITY, NULL), GK_ERR_UNKNOWN);
}

/* ... and a kid in the COSE_Key, that an AS took from its client. */
static void post_raw_key_with_kid(struct pair_raw *raw, int64_t iat)
{
	char cnf[200], with_kid[240];
	uint8_t spki[91];

	put_raw_key(raw, cnf, sizeof(cnf), spki);
	snprintf(with_kid, sizeof(with_kid), "a101a501020248%s%s", KID, cnf + 10);
	assert_int_equal(
		post_claims(raw,
			    &(struct claims){ .cnf = with_kid, .scope = LIGHTS_8, .iat = iat }),
		GK_COAP_CREATED);
	assert_int_equal(
		gk_kdc_raw_key(raw->p->kdc, gk_span(spki, 91), raw->p->now, &raw->exchange.dtls),
		GK_OK);
}

static void a_kid_beside_a_raw_public_key_is_in_nobodys_way(void **state)
{
	struct pair *p = *state;
	struct pair_raw thief, raw;

	open_raw(&thief, p, 2);
	post_raw_key_with_kid(&thief, -1);
	come(&raw, p, 1); // its handshake finds its key, though the other's token is newer
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
}

static uint32_t roles_of(const struct pair_raw *raw)
{
	const struct gk_client *client =
		gk_session_find(raw->p->kdc, gk_id_span(&raw->exchange.dtls));

	return gk_scope_roles(gk_blob_span(&client->scope), gk_span_str(PAIR_LIGHTS));
}

static void the_rights_of_a_pre_shared_key_do_not_go_to_a_raw_public_key(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, thief[8];

	come(&raw, p, 1);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN); // a client now
	for (unsigned i = 0; i < ROWS(thief); i++) {
		open_raw(&thief[i], p, 2 + i);
		post_raw_key_with_kid(&thief[i], -1);
		assert_int_equal(ask_num(&thief[i]), GK_COAP_FORBIDDEN);
	}
	assert_int_equal(post_outside(&raw, &(struct claims){ .cnf = CNF_KID,
							      .scope = "8182666c69676874730e",
							      .iat = -1 }),
			 GK_COAP_CREATED);
	assert_int_equal(roles_of(&raw), 14);
	for (unsigned i = 0; i < ROWS(thief); i++)
		assert_int_equal(roles_of(&thief[i]), 8);
}

/* No such two keys are known: the KDC's copy of the one is made another one. */
static void a_key_of_the_same_name_gets_no_rights_of_another(void **state)
{
	struct pair *p = *state;
	struct gk_client *client;
	struct pair_raw raw;
	uint8_t spki[91];
	char cnf[200];

	come_with_raw_key(&raw, p, spki);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	put_raw_key(&raw, cnf, sizeof(cnf), spki);
	client = gk_session_find(p->kdc, gk_id_span(&raw.exchange.dtls));
	client->session->public_key.x[0] ^= 1;
	assert_int_equal(
		post_outside(&raw, &(struct claims){ .cnf = cnf, .scope = LIGHTS_8, .iat = -1 }),
		GK_COAP_UNAUTHORIZED);
	assert_int_equal(roles_of(&raw), 6);
	client->session->public_key.x[0] ^= 1;
	assert_int_equal(
		post_outside(&raw, &(struct claims){ .cnf = cnf, .scope = LIGHTS_8, .iat = -1 }),
		GK_COAP_CREATED);
	assert_int_equal(roles_of(&raw), 8);
}

static void a_kid_that_two_raw_public_keys_have_is_nobodys(void **state)
{
	struct pair *p = *state;
	const struct claims update = { .cnf = CNF_KID, .scope = LIGHTS_6, .iat = -1 };
	struct pair_raw raw, thief;

	open_raw(&raw, p, 1);
	post_raw_key_with_kid(&raw, -2);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(post_outside(&raw, &update), GK_COAP_CREATED); // alone, it is meant
	assert_int_equal(roles_of(&raw), 6);
	open_raw(&thief, p, 2);
	post_raw_key_with_kid(&thief, -2);
	assert_int_equal(post_outside(&raw, &update), GK_COAP_BAD_REQUEST);
	assert_int_equal(roles_of(&thief), 8);
}

static void a_raw_public_key_is_proof_of_possession_of_itself(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t spki[91];

	come_with_raw_key(&raw, p, spki);
	raw.no_evidence = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_CREATED);
}

static void a_raw_public_key_proves_no_other_key(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other;
	uint8_t spki[91];

	come_with_raw_key(&raw, p, spki);
	pair_raw_open(&other, p, 2, "other", NULL, &both, 1);
	memcpy(raw.cred, other.cred, other.cred_len);
	raw.cred_len = other.cred_len;
	raw.no_evidence = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10003");
}

static void a_symmetric_key_is_no_proof_of_possession(void **state)
{
	struct pair_raw raw;

	come(&raw, *state, 1);
	raw.no_evidence = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, true), GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10003");
}

/* tokens that the gateway issues itself */

static struct gk_client_spec spec_of(const struct gk_span *groups)
{
	return (struct gk_client_spec){ .name = gk_span_str("issued"),
					.groups = groups,
					.roles = &both,
					.group_count = 1,
					.lifetime_s = 86400,
					.profile = GK_PROFILE_DTLS_PSK };
}

static void an_issued_pre_shared_key_opens_a_session(void **state)
{
	struct pair *p = *state;
	const struct gk_span groups[] = { gk_span_str(PAIR_LIGHTS) };
	struct gk_client_spec spec = spec_of(groups);
	uint8_t bytes[64], key_bytes[GK_PSK_ROOM];
	struct gk_buf identity = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));
	struct gk_client_bundle bundle;
	struct gk_client_info info;
	struct pair_raw raw;
	size_t at = 0;

	open_raw(&raw, p, 1);
	assert_int_equal(gk_kdc_issue(p->kdc, &spec, p->now, &bundle), GK_OK);
	pair_drain_kdc(p, GK_OK);
	gk_buf_add(&identity, hex_span("a108a101a201040248"));
	gk_buf_add(&identity, gk_span(bundle.kid, 8));
	assert_null(memchr(bundle.kid, 0, sizeof(bundle.kid)));
	assert_int_equal(post_plain(&raw, gk_span(bundle.token, bundle.token_len)),
			 GK_COAP_CREATED);
	assert_int_equal(
		gk_kdc_psk(p->kdc, gk_buf_span(&identity), p->now, &key, &raw.exchange.dtls),
		GK_OK);
	assert_int_equal(key.len, 16);
	assert_memory_equal(key_bytes, bundle.psk, 16);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	// it is the client that the ledger knows
	while (gk_kdc_client_next(p->kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str("issued")))
			assert_true(info.known);
	}
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("issued"), p->now));
	assert_int_equal(p->ends, 1);
}

static void an_issued_raw_public_key_is_the_clients(void **state)
{
	struct pair *p = *state;
	const struct gk_span groups[] = { gk_span_str(PAIR_LIGHTS) };
	struct gk_client_spec spec = spec_of(groups);
	struct gk_client_bundle bundle;
	uint8_t spki[91], d[32], xy[64];
	struct pair_raw raw;
	char cnf[200];

	open_raw(&raw, p, 1);
	put_raw_key(&raw, cnf, sizeof(cnf), spki);
	spec.profile = GK_PROFILE_DTLS_RPK;
	assert_int_equal(gk_kdc_issue(p->kdc, &spec, p->now, &bundle), GK_ERR_UNSUPPORTED);
	spec.public_key = gk_span(spki, sizeof(spki));
	assert_int_equal(gk_kdc_issue(p->kdc, &spec, p->now, &bundle), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(post_plain(&raw, gk_span(bundle.token, bundle.token_len)),
			 GK_COAP_CREATED);
	assert_int_equal(gk_kdc_raw_key(p->kdc, gk_span(spki, 91), p->now, &raw.exchange.dtls),
			 GK_OK);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	// and the bundle has the key that the KDC shows in the handshake
	assert_int_equal(gk_kdc_own_raw_key(p->kdc, d, xy), GK_OK);
	assert_memory_equal(xy, bundle.kdc_key, 64);
}

/* docs/rekeying.md 7.3: what a handshake signs begins with bytes of the client's choice. */
static void the_key_for_handshakes_signs_nothing_else(void **state)
{
	struct pair *p = *state;
	uint8_t d[32], xy[64], again[64];

	assert_int_equal(gk_kdc_own_raw_key(p->kdc, d, xy), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_memory_not_equal(d, gk_kdc_sign_key(p->kdc, GK_ALG_ES256)->d, 32);
	assert_memory_not_equal(d, gk_kdc_dh_key(p->kdc, GK_ALG_ES256)->d, 32);
	restart(p);
	assert_int_equal(gk_kdc_own_raw_key(p->kdc, d, again), GK_OK);
	assert_memory_equal(xy, again, sizeof(xy));
}

static void nothing_is_issued_for_dtls_where_it_is_not_offered(void **state)
{
	struct pair *p = *state;
	const struct gk_span groups[] = { gk_span_str(PAIR_LIGHTS) };
	struct gk_client_spec spec = spec_of(groups);
	struct gk_client_bundle bundle;

	gk_kdc_set_dtls(p->kdc, false);
	assert_int_equal(gk_kdc_issue(p->kdc, &spec, p->now, &bundle), GK_ERR_UNSUPPORTED);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_token_in_plain_form_is_answered_with_a_challenge),
		RULE(a_token_in_a_map_may_ask_about_its_groups),
		RULE(keys_that_are_none_for_dtls_are_refused),
		RULE(where_dtls_is_not_offered_its_tokens_are_refused),
		RULE(a_post_sent_twice_has_one_challenge),
		RULE(a_psk_identity_leads_to_the_key_of_a_token),
		RULE(a_token_in_psk_identity_is_refused_though_it_is_good),
		RULE(a_key_that_is_not_in_the_token_is_derived_from_it),
		RULE(a_kid_alone_means_a_derived_key_if_nobody_has_it),
		RULE(no_key_is_given_out_for_a_token_that_has_ended_or_is_revoked),
		RULE(a_session_without_a_token_gets_no_further_than_authz_info),
		RULE(outside_of_its_session_a_client_is_nobody),
		RULE(a_client_is_stored_with_its_first_request),
		RULE(a_member_by_dtls_is_a_member_like_others),
		RULE(a_retransmission_is_carried_out_once),
		RULE(a_wrong_proof_of_possession_is_refused),
		RULE(rekeying_messages_go_in_the_session),
		RULE(a_control_uri_may_be_coaps_for_a_session_alone),
		RULE(an_eviction_is_told_in_the_session),
		RULE(a_new_token_for_the_key_replaces_the_rights),
		RULE(an_older_token_changes_nothing),
		RULE(an_older_token_changes_nothing_before_the_first_session_either),
		RULE(a_session_proves_the_key_that_it_was_made_with),
		RULE(the_session_ends_with_the_token),
		RULE(a_revoked_client_loses_its_session),
		RULE(a_banned_client_stays_out_with_a_new_key),
		RULE(updates_wait_for_storage_and_come_only_so_often),
		RULE(no_new_client_is_taken_while_storage_is_scarce),
		RULE(a_restart_is_no_leave),
		RULE(a_record_with_another_key_is_refused),
		RULE(an_id_that_another_kind_of_client_has_is_not_taken_over),
		RULE(a_raw_public_key_is_that_of_a_token_or_refused),
		RULE(a_kid_beside_a_raw_public_key_is_in_nobodys_way),
		RULE(the_rights_of_a_pre_shared_key_do_not_go_to_a_raw_public_key),
		RULE(a_key_of_the_same_name_gets_no_rights_of_another),
		RULE(a_kid_that_two_raw_public_keys_have_is_nobodys),
		RULE(a_raw_public_key_is_proof_of_possession_of_itself),
		RULE(a_raw_public_key_proves_no_other_key),
		RULE(a_symmetric_key_is_no_proof_of_possession),
		RULE(an_issued_pre_shared_key_opens_a_session),
		RULE(an_issued_raw_public_key_is_the_clients),
		RULE(the_key_for_handshakes_signs_nothing_else),
		RULE(nothing_is_issued_for_dtls_where_it_is_not_offered),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
