// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cwt.h"
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define ROLES_BOTH (GK_ROLE_REQUESTER | GK_ROLE_RESPONDER)

static const uint32_t both = ROLES_BOTH;

static int open_pair(void **state)
{
	return pair_begin(state, 1, NULL);
}

static size_t count_clients(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == GK_TABLE_CLIENT;
	return count;
}

static uint8_t ask_num(struct pair_raw *raw)
{
	return pair_raw_ask(raw, GK_COAP_GET, "ace-group/lights/num", -1, gk_span(NULL, 0));
}

/* tokens made by hand */

#define OSC                                                                                        \
	"a104a3004801020304050607080250000102030405060708090a0b0c0d0e0f054811111111"               \
	"11111111"
#define LIGHTS_6 "8182666c696768747306" /* [["lights", 6]] */

/** What a token says; what is NULL or 0 has a good value. */
struct claims {
	const char *audience;
	int64_t exp;             /* seconds from now; -1: no claim */
	int64_t iat;             /* 0: no claim */
	int64_t exi;             /* 0: no claim */
	uint64_t cti;            /* eight bytes; 0: no claim */
	const char *scope, *cnf; /* hex; "": no claim */
	const char *key;
	bool sleepy; /* false: no claim */
};

static void put_token(struct gk_buf *buf, const struct pair *p, const struct claims *claims)
{
	static const uint8_t nonce[13] = { 9 };
	const char *scope = claims->scope ? claims->scope : LIGHTS_6;
	const char *cnf = claims->cnf ? claims->cnf : OSC;
	uint8_t bytes[400];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&plain, 2 + (claims->exp != -1) + (claims->iat != 0) + (claims->exi != 0) +
				   (claims->cti != 0) + (scope[0] != 0) + (cnf[0] != 0) +
				   claims->sleepy);
	if (claims->sleepy) {
		gk_put_int(&plain, GK_CLAIM_SLEEPY);
		gk_put_bool(&plain, true);
	}
	gk_put_int(&plain, GK_CLAIM_SUB);
	gk_put_text(&plain, gk_span_str("crafted"));
	gk_put_int(&plain, GK_CLAIM_AUD);
	gk_put_text(&plain, gk_span_str(claims->audience ? claims->audience : "gatewayd"));
	if (claims->exp != -1) {
		gk_put_int(&plain, GK_CLAIM_EXP);
		gk_put_int(&plain, p->now.utc.s + (claims->exp ? claims->exp : 3600));
	}
	if (claims->iat) {
		gk_put_int(&plain, GK_CLAIM_IAT);
		gk_put_int(&plain, claims->iat);
	}
	if (claims->exi) {
		gk_put_int(&plain, GK_CLAIM_EXI);
		gk_put_int(&plain, claims->exi);
	}
	if (claims->cti) {
		uint8_t cti[8];

		for (int i = 0; i < 8; i++)
			cti[i] = (uint8_t)(claims->cti >> (56 - 8 * i));
		gk_put_int(&plain, GK_CLAIM_CTI);
		gk_put_bytes(&plain, gk_span(cti, sizeof(cti)));
	}
	if (cnf[0]) {
		gk_put_int(&plain, GK_CLAIM_CNF);
		gk_buf_add(&plain, hex_span(cnf));
	}
	if (scope[0]) {
		gk_put_int(&plain, GK_CLAIM_SCOPE);
		gk_put_bytes(&plain, hex_span(scope));
	}
	assert_int_equal(
		gk_cose_encrypt0(gk_buf_span(&plain),
				 claims->key ? gk_span(claims->key, 16) : gk_span(pair_as_key, 16),
				 gk_span(nonce, sizeof(nonce)), buf),
		GK_OK);
}

static uint8_t post_claims(struct pair_raw *raw, const struct claims *claims)
{
	uint8_t token_bytes[512], bytes[700];
	struct gk_buf token = gk_buf(token_bytes, sizeof(token_bytes));
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	put_token(&token, raw->p, claims);
	pair_raw_put_post(raw, &payload, gk_buf_span(&token));
	return pair_raw_post_payload(raw, GK_CF_ACE, gk_buf_span(&payload));
}

/* a first token */

static void a_token_is_answered_with_all_that_a_join_needs(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_NONCE2, GK_CBOR_BYTES, true },
		{ GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
		{ GK_ACE_SIGN_INFO, GK_CBOR_ARRAY, true },
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[4];
	struct pair_raw raw;

	pair_raw_open(&raw, *state, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(raw.answers, 1);
	assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_CONTENT_FORMAT, -1), GK_CF_ACE);
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 4, item), GK_OK);
	assert_int_equal(item[0].string.len, 8);
	assert_int_equal(item[3].string.len, 8);
	// R 3.3: ["lights", -7, [2], [2, 1], 14]
	assert_hex_equal(item[2].encoded, "8185666c69676874732681028202010e");
}

static void a_client_exists_once_it_has_used_its_key(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	assert_int_equal(count_clients(p), 0);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_true(raw.is_protected);
	assert_int_equal(count_clients(p), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_TOKEN), 1);
}

static void a_bad_token_is_refused_with_the_codes_of_rfc_9200(void **state)
{
	static const struct {
		const char *what;
		struct claims claims;
		uint8_t code;
		const char *reason;
	} rows[] = {
		{ "good", { .exp = 0 }, GK_COAP_CREATED, NULL },
		{ "of another AS",
		  {
			  .key = "another key.....",
		  },
		  GK_COAP_UNAUTHORIZED,
		  "token is not under our key" },
		{ "expired", { .exp = -3600 }, GK_COAP_UNAUTHORIZED, "token has ended" },
		{ "of another audience",
		  { .audience = "gateway" },
		  GK_COAP_FORBIDDEN,
		  "token is for another audience" },
		{ "without exp", { .exp = -1 }, GK_COAP_UNAUTHORIZED, "token has no end" },
		{ "without scope",
		  { .scope = "" },
		  GK_COAP_BAD_REQUEST,
		  "token has no scope that we know" },
		{ "scope is no array of entries",
		  { .scope = "82666c696768747306" },
		  GK_COAP_BAD_REQUEST,
		  "token has no scope that we know" },
		{ "without cnf",
		  { .cnf = "" },
		  GK_COAP_BAD_REQUEST,
		  "token's key material cannot be used" },
		{ "cnf kid, which only updates rights",
		  { .cnf = "a103480102030405060708" },
		  GK_COAP_BAD_REQUEST,
		  "token post without what the OSCORE profile needs" },
		{ "osc without ms",
		  { .cnf = "a104a1004801020304050607 08" },
		  GK_COAP_BAD_REQUEST,
		  "token's key material cannot be used" },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
		struct pair_raw raw;
		uint8_t code;

		pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
		pair_drain_kdc(p, GK_OK); // it is issued
		pair_digest(p, before);
		code = post_claims(&raw, &rows[i].claims);
		pair_digest(p, after);
		if (code != rows[i].code || raw.answers != 1)
			fail_msg("%s: %x, not %x", rows[i].what, code, rows[i].code);
		assert_memory_equal(before, after, sizeof(before));
		if (code == GK_COAP_CREATED)
			continue;
		assert_int_equal(raw.answer.payload.len, 0);
		assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->reason,
				    rows[i].reason);
	}
	assert_int_equal(p->kdc->candidate_count, 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REFUSED), ROWS(rows) - 1);
}

static void a_malformed_post_is_bad_request_and_changes_nothing(void **state)
{
	static const struct {
		const char *payload; // hex; T stands for nothing
		int format;
	} rows[] = {
		{ "", GK_CF_ACE },
		{ "80", GK_CF_ACE },
		{ "a0", GK_CF_ACE },
		{ "a10143d08343", GK_CF_ACE },                       // no nonce1, no id
		{ "a20143d08343182848018a278f7faab55a", GK_CF_ACE }, // no id
		{ "a30143d08343182848018a278f7faab55a182b421645", GK_CF_CWT },
		{ "a30143d08343182848018a278f7faab55a182b421645", -1 },
		{ "a30163d08343182848018a278f7faab55a182b421645", GK_CF_ACE }, // text
		{ "a30143d0834318284801", GK_CF_ACE },
		{ "a30143d08343182848018a278f7faab55a182b42164500", GK_CF_ACE },
		{ "a40143d083430143d08343182848018a278f7faab55a182b421645", GK_CF_ACE },
	};
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_drain_kdc(p, GK_OK); // it is issued
	pair_digest(p, before);
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t code =
			pair_raw_post_payload(&raw, rows[i].format, hex_span(rows[i].payload));

		pair_digest(p, after);
		if (code != GK_COAP_BAD_REQUEST || p->kdc->candidate_count ||
		    memcmp(before, after, sizeof(before)) != 0)
			fail_msg("row %zu (%s): %x", i, rows[i].payload, code);
	}
}

static void ids_and_nonces_out_of_bounds_are_bad_request(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	for (size_t id_len = 0; id_len <= 9; id_len++) {
		for (size_t n1_len = 31; n1_len <= 33; n1_len++) {
			uint8_t bytes[1024], zeros[40] = { 0 };
			struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
			bool fits = id_len <= 7 && n1_len <= 32;

			gk_put_map(&buf, 3);
			gk_put_int(&buf, GK_ACE_ACCESS_TOKEN);
			gk_put_bytes(&buf, gk_span(raw.bundle.token, raw.bundle.token_len));
			gk_put_int(&buf, GK_ACE_NONCE1);
			gk_put_bytes(&buf, gk_span(zeros, n1_len));
			gk_put_int(&buf, GK_ACE_CLIENT_RECIPIENTID);
			gk_put_bytes(&buf, gk_span(zeros, id_len));
			assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&buf)),
					 fits ? GK_COAP_CREATED : GK_COAP_BAD_REQUEST);
		}
	}
}

static void a_post_cut_at_any_byte_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t whole[1024], before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;
	size_t len;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	len = raw.sent_len;
	memcpy(whole, raw.sent, len);
	pair_digest(p, before);
	for (size_t cut = 0; cut < len; cut++) {
		struct gk_span part = exact_copy(gk_span(whole, cut));
		uint8_t code = pair_raw_send(&raw, part);

		pair_digest(p, after);
		assert_memory_equal(before, after, sizeof(before));
		assert_true(code == 0 || code >> 5 == 4);
		assert_int_equal(p->kdc->candidate_count, 1);
	}
}

static void authz_info_takes_posts_only(void **state)
{
	static const uint8_t methods[] = { GK_COAP_GET, GK_COAP_PUT, GK_COAP_DELETE,
					   GK_COAP_FETCH };
	struct pair_raw raw;

	pair_raw_open(&raw, *state, 1, "one", NULL, &both, 1);
	for (size_t i = 0; i < ROWS(methods); i++) {
		uint8_t bytes[32];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w = gk_coap_begin(&buf, methods[i]);

		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("authz-info"));
		assert_int_equal(pair_raw_send(&raw, gk_buf_span(&buf)), GK_COAP_NOT_ALLOWED);
	}
}

static void without_entropy_there_is_no_association(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	for (unsigned n = 1; n <= 3; n++) {
		test_env_fail_random(&p->kdc_env, n);
		assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAVAILABLE);
		assert_int_equal(p->kdc->candidate_count, 0);
	}
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
}

/* the same token again */

static void a_replayed_token_post_does_not_cut_a_client_off(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, thief;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	thief = raw;
	ask_num(&raw);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pair_raw_send(&thief, gk_span(thief.sent, thief.sent_len)),
				 GK_COAP_CREATED);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_true(raw.is_protected);
	assert_int_equal(p->kdc->candidate_count, GK_CANDIDATES_PER_ID);
}

static void a_new_association_replaces_the_old_one_when_it_is_used(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_oscore old;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	ask_num(&raw);
	old = raw.ctx;
	pair_raw_post(&raw);
	assert_int_equal(count_clients(p), 1);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_true(raw.is_protected);
	assert_int_equal(count_clients(p), 1);
	raw.ctx = old;
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
}

static void candidates_are_dropped_when_they_are_many_or_old(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[GK_CANDIDATES_MAX + 1];

	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &both, 1);
		assert_int_equal(pair_raw_post(&raw[i]), GK_COAP_CREATED);
	}
	assert_int_equal(p->kdc->candidate_count, GK_CANDIDATES_MAX);
	assert_int_equal(ask_num(&raw[0]), GK_COAP_UNAUTHORIZED);
	assert_false(raw[0].is_protected);
	assert_int_equal(ask_num(&raw[1]), GK_COAP_FORBIDDEN);
	pair_advance(p, GK_CANDIDATE_MS - 1);
	assert_int_equal(p->kdc->candidate_count, GK_CANDIDATES_MAX - 1);
	pair_advance(p, 1);
	assert_int_equal(p->kdc->candidate_count, 0);
}

/* update of access rights (O 4.1) */

static uint8_t post_update_of(struct pair_raw *raw, struct gk_span kid, const struct claims *others)
{
	struct claims claims = *others;
	uint8_t cnf_bytes[32], token_bytes[512], bytes[600];
	struct gk_buf cnf = gk_buf(cnf_bytes, sizeof(cnf_bytes));
	struct gk_buf token = gk_buf(token_bytes, sizeof(token_bytes));
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&cnf, 1);
	gk_put_int(&cnf, GK_CNF_KID);
	gk_put_bytes(&cnf, kid);
	claims.cnf = hex_text(gk_buf_span(&cnf));
	put_token(&token, raw->p, &claims);
	gk_put_map(&payload, 1);
	gk_put_int(&payload, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(&payload, gk_buf_span(&token));
	return pair_raw_ask(raw, GK_COAP_POST, "authz-info", GK_CF_ACE, gk_buf_span(&payload));
}

static uint8_t post_update(struct pair_raw *raw, const char *scope, struct gk_span kid, int64_t exp)
{
	return post_update_of(raw, kid, &(struct claims){ .scope = scope, .exp = exp });
}

static void an_update_changes_rights_and_keeps_the_association(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	ask_num(&raw);
	// [["heat", 2]]
	assert_int_equal(post_update(&raw, "818264 68656174 02", gk_span(raw.bundle.osc_id, 8), 60),
			 GK_COAP_CREATED);
	assert_true(raw.is_protected);
	assert_int_equal(raw.answer.payload.len, 0);
	// the group is not in the scope any more: 4.03 without the member's error
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(raw.answer.payload.len, 0);
	pair_restart(p);
	pair_advance(p, 61000);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
	assert_int_equal(count_clients(p), 0);
}

/* Of which nothing else is new. */
static void an_update_tells_who_sleeps(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	for (int i = 1; i <= 4; i++) {
		struct claims claims = { .sleepy = i % 2 };

		assert_int_equal(post_update_of(&raw, gk_span(raw.bundle.osc_id, 8), &claims),
				 GK_COAP_CREATED);
		assert_true(pair_shown(p, PAIR_LIGHTS, "one", &info));
		assert_int_equal(info.sleepy, i % 2);
	}
}

static void a_membership_ends_with_the_rights_that_it_needs(void **state)
{
	static const struct {
		const char *scope;
		bool stays;
	} rows[] = {
		{ LIGHTS_6, true },
		{ "8182666c69676874730e", true },  // 14: a monitor's right besides
		{ "8182666c696768747302", false }, // 2: no responder any more
	};
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(
			post_update(&raw, rows[i].scope, gk_span(raw.bundle.osc_id, 8), 600),
			GK_COAP_CREATED);
		assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), !rows[i].stays);
	}
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->reason,
			    "roles no longer granted");
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), 1);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
}

static void an_update_for_another_client_is_unauthorised_and_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	uint8_t bytes[700];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	ask_num(&raw);
	pair_digest(p, before);
	assert_int_equal(post_update(&raw, LIGHTS_6, gk_span_str("anothers"), 0),
			 GK_COAP_UNAUTHORIZED);
	assert_true(raw.is_protected);
	// a first token inside of an association is none of its updates
	pair_raw_put_post(&raw, &payload, gk_span(raw.bundle.token, raw.bundle.token_len));
	raw.id1 = raw.ctx.recipient_id;
	assert_int_equal(
		pair_raw_ask(&raw, GK_COAP_POST, "authz-info", GK_CF_ACE, gk_buf_span(&payload)),
		GK_COAP_UNAUTHORIZED);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
}

static void an_update_that_cannot_be_stored_is_put_off(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	for (enum gk_storage storage = GK_STORAGE_NONE; storage != GK_STORAGE_GOOD; storage--) {
		pair_drain_kdc(p, gk_kdc_storage(p->kdc, storage, p->now));
		assert_int_equal(post_update(&raw, LIGHTS_6, gk_span(raw.bundle.osc_id, 8), 600),
				 storage == GK_STORAGE_NONE ? GK_COAP_UNAVAILABLE
							    : GK_COAP_CREATED);
		assert_int_equal(p->kdc->addresses.count, 1);
	}
}

/* what is stored costs flash */

static int64_t max_age(const struct pair_raw *raw)
{
	return gk_coap_find_uint(&raw->answer, GK_OPT_MAX_AGE, -1);
}

static void an_update_that_changes_nothing_stores_nothing(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct claims claims = { .scope = LIGHTS_6, .exp = 60 };
	size_t batches;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	for (claims.iat = 0; claims.iat <= p->now.utc.s + 1; claims.iat += p->now.utc.s + 1) {
		struct gk_span kid = gk_span(raw.bundle.osc_id, 8);

		batches = p->batches;
		for (int i = 0; i < 100; i++) {
			assert_int_equal(post_update_of(&raw, kid, &claims), GK_COAP_CREATED);
			assert_int_equal(p->batches, batches + 1); // the first
		}
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), 0);
}

static void a_client_changes_its_rights_so_often_and_no_more(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;
	struct gk_span kid;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_post(&raw);
	ask_num(&raw);
	kid = gk_span(raw.bundle.osc_id, 8);
	for (int i = 0; i < 32; i++)
		assert_int_equal(post_update(&raw, LIGHTS_6, kid, 1000 + i), GK_COAP_CREATED);
	pair_digest(p, before);
	assert_int_equal(post_update(&raw, LIGHTS_6, kid, 2000), GK_COAP_UNAVAILABLE);
	assert_true(raw.is_protected);
	assert_int_equal(max_age(&raw), GK_STORAGE_MAX_AGE_S);
	assert_int_equal(post_update(&raw, LIGHTS_6, kid, 1031), GK_COAP_CREATED); // no change
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	for (int i = 0; i < 4; i++) {
		pair_advance(p, 15000);
		assert_int_equal(post_update(&raw, LIGHTS_6, kid, 2000 + i), GK_COAP_CREATED);
		assert_int_equal(post_update(&raw, LIGHTS_6, kid, 3000), GK_COAP_UNAVAILABLE);
	}
}

static void a_client_makes_new_associations_so_often_and_no_more(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw, old;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	for (int i = 0; i < 33; i++) { // the first one makes it a client
		assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
		assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
		assert_true(raw.is_protected);
	}
	old = raw;
	pair_digest(p, before);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAVAILABLE);
	assert_false(raw.is_protected);
	assert_int_equal(max_age(&raw), GK_STORAGE_MAX_AGE_S);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(ask_num(&old), GK_COAP_FORBIDDEN); // it still has the one before
	assert_true(old.is_protected);
	pair_advance(p, 15000);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_true(raw.is_protected);
}

/* RFC 9200 section 5.10.1.2 */
static void an_address_posts_so_many_tokens_and_no_more(void **state)
{
	struct pair *p = *state;
	struct claims wrong = { .audience = "other" };
	struct pair_raw raw, other;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_raw_open(&other, p, 2, "two", NULL, &both, 1);
	for (int i = 0; i < 64; i++)
		assert_int_equal(post_claims(&raw, &wrong), GK_COAP_FORBIDDEN);
	assert_int_equal(post_claims(&raw, &wrong), GK_COAP_TOO_MANY);
	assert_int_equal(max_age(&raw), 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_TOO_MANY);
	assert_int_equal(pair_raw_post(&other), GK_COAP_CREATED);
	assert_int_equal(ask_num(&other), GK_COAP_FORBIDDEN);
	pair_advance(p, 1000);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_TOO_MANY);
}

/* Whoever forges its address, and has no token of the AS. */
static void what_is_no_token_of_the_as_does_not_count(void **state)
{
	struct claims wrong = { .key = "another key....." };
	struct pair_raw raw;

	pair_raw_open(&raw, *state, 1, "one", NULL, &both, 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(post_claims(&raw, &wrong), GK_COAP_UNAUTHORIZED);
		assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_span_str("?")),
				 GK_COAP_BAD_REQUEST);
	}
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
}

static void what_takes_a_signature_counts_whatever_it_is(void **state)
{
	static const uint8_t sig[64] = { 1 };
	struct pair *p = *state;
	uint8_t token_bytes[100], bytes[300];
	struct gk_buf token = gk_buf(token_bytes, sizeof(token_bytes));
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	p->kdc->as_public_key = raw.key.pub;
	gk_buf_add(&token, hex_span("d28443a10126a041a0"));
	gk_put_bytes(&token, gk_span(sig, sizeof(sig)));
	pair_raw_put_post(&raw, &payload, gk_buf_span(&token));
	for (int i = 0; i < 64; i++)
		assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&payload)),
				 GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&payload)),
			 GK_COAP_TOO_MANY);
}

/* Other addresses push out none that posts too many itself, while there are less busy ones. */
static void many_addresses_share_the_table_of_those_that_post(void **state)
{
	struct pair *p = *state;
	struct claims wrong = { .audience = "other" };
	struct pair_raw raw, other;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	for (int i = 0; i < 64; i++)
		assert_int_equal(post_claims(&raw, &wrong), GK_COAP_FORBIDDEN);
	for (unsigned i = 0; i < GK_SOURCES_MAX + 6; i++) {
		pair_raw_open(&other, p, 2 + i, "other", NULL, &both, 1);
		assert_int_equal(post_claims(&other, &wrong), GK_COAP_FORBIDDEN);
	}
	assert_int_equal(post_claims(&raw, &wrong), GK_COAP_TOO_MANY);
}

static void restart_member(struct pair *p)
{
	pair_reset(p, 0);
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 500);
	assert_true(pair_info(p, 0).joined);
}

static void a_member_that_restarts_often_is_let_in_each_time(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	for (int i = 0; i < 15; i++) // a crash loop
		restart_member(p);
	for (int i = 0; i < 100; i++) { // and one that goes on
		pair_advance(p, 30000);
		restart_member(p);
	}
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), 0);
	assert_true(pair_agree(p, 0, 1));
}

/* newer tokens supersede older ones (A 5.10.1) */

#define NOON 1760000000

/* A first token of the client with these claims, whose association is then used. */
static uint8_t post_and_use_of(struct pair_raw *raw, struct claims claims)
{
	uint8_t bytes[96];
	struct gk_buf cnf = gk_buf(bytes, sizeof(bytes));
	uint8_t code;

	gk_put_map(&cnf, 1);
	gk_put_int(&cnf, GK_CNF_OSC);
	gk_put_map(&cnf, 3);
	gk_put_int(&cnf, GK_OSC_ID);
	gk_put_bytes(&cnf, gk_span(raw->bundle.osc_id, 8));
	gk_put_int(&cnf, GK_OSC_MS);
	gk_put_bytes(&cnf, gk_span(raw->bundle.ms, 32));
	gk_put_int(&cnf, GK_OSC_SALT);
	gk_put_bytes(&cnf, gk_span(raw->bundle.salt, 8));
	claims.cnf = hex_text(gk_buf_span(&cnf));
	code = post_claims(raw, &claims);
	if (code != GK_COAP_CREATED)
		return code;
	pair_raw_derive(raw);
	return ask_num(raw) == GK_COAP_FORBIDDEN && raw->is_protected ? GK_COAP_CREATED : 0;
}

static uint8_t post_and_use(struct pair_raw *raw, int64_t iat)
{
	return post_and_use_of(raw, (struct claims){ .iat = iat });
}

static void a_token_older_than_one_that_was_used_is_refused(void **state)
{
	static const struct {
		int64_t iat;
		uint8_t code;
	} rows[] = {
		{ NOON, GK_COAP_CREATED },
		{ NOON, GK_COAP_CREATED }, // the same again
		{ NOON - 1, GK_COAP_UNAUTHORIZED },
		{ -1, GK_COAP_UNAUTHORIZED },
		{ 0, GK_COAP_CREATED }, // it does not say
		{ NOON - 1, GK_COAP_UNAUTHORIZED },
		{ NOON + 1, GK_COAP_CREATED },
		{ NOON, GK_COAP_UNAUTHORIZED },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t code = post_and_use(&raw, rows[i].iat);

		if (code != rows[i].code)
			fail_msg("row %zu: %x", i, code);
	}
	pair_restart(p);
	assert_int_equal(post_and_use(&raw, NOON), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_and_use(&raw, NOON + 1), GK_COAP_CREATED);
}

static void an_update_supersedes_too(void **state)
{
	struct pair *p = *state;
	struct gk_span kid;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	kid = gk_span(raw.bundle.osc_id, 8);
	pair_raw_post(&raw); // with the time of its issue
	ask_num(&raw);
	assert_int_equal(post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s - 1 }),
			 GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s + 5 }),
			 GK_COAP_CREATED);
	assert_int_equal(post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s + 4 }),
			 GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
	pair_restart(p);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
}

/* lifetimes that begin when a token is first seen (A 5.10.3) */

static uint8_t post_for(struct pair_raw *raw, int64_t exi, uint64_t cti)
{
	return post_and_use_of(raw, (struct claims){ .exp = -1, .exi = exi, .cti = cti });
}

static void a_lifetime_begins_once_and_its_token_does_not_begin_anew(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(post_for(&raw, 100, 7), GK_COAP_CREATED);
	pair_advance(p, 60000);
	assert_int_equal(post_for(&raw, 100, 7), GK_COAP_CREATED); // does not prolong it
	pair_restart(p);
	assert_int_equal(post_for(&raw, 100, 7), GK_COAP_CREATED);
	pair_advance(p, 39000);
	assert_int_equal(ask_num(&raw), GK_COAP_FORBIDDEN);
	pair_advance(p, 2000);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
	assert_int_equal(post_for(&raw, 100, 7), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_for(&raw, 100, 6), GK_COAP_UNAUTHORIZED);
	pair_restart(p);
	assert_int_equal(post_for(&raw, 100, 7), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_for(&raw, 100, 8), GK_COAP_CREATED);
}

static void a_lifetime_is_superseded_and_bounded_by_exp(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(post_for(&raw, 1000, 7), GK_COAP_CREATED);
	assert_int_equal(post_for(&raw, 1000, 9), GK_COAP_CREATED);
	assert_int_equal(post_for(&raw, 1000, 8), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_and_use_of(&raw, (struct claims){ .exp = 50, .exi = 900, .cti = 10 }),
			 GK_COAP_CREATED);
	assert_int_equal(post_for(&raw, 1000, 9), GK_COAP_UNAUTHORIZED);
	pair_advance(p, 51000);
	assert_int_equal(ask_num(&raw), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_for(&raw, 1000, 10), GK_COAP_UNAUTHORIZED);
}

static void a_lifetime_without_a_number_is_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	assert_int_equal(post_for(&raw, 100, 0), GK_COAP_BAD_REQUEST);
	assert_int_equal(post_for(&raw, 100, UINT64_MAX), GK_COAP_CREATED);
}

/* The clock of the AS was wrong: what it makes once it is right is good before long. */
static void a_token_from_the_future_locks_nobody_out(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_span kid;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	kid = gk_span(raw.bundle.osc_id, 8);
	assert_int_equal(post_and_use(&raw, p->now.utc.s + 100000000), GK_COAP_CREATED);
	assert_int_equal(post_and_use(&raw, p->now.utc.s + 599), GK_COAP_UNAUTHORIZED);
	pair_advance(p, 600000);
	assert_int_equal(post_and_use(&raw, p->now.utc.s), GK_COAP_CREATED);
	assert_int_equal(
		post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s + 100000000 }),
		GK_COAP_CREATED);
	assert_int_equal(post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s + 599 }),
			 GK_COAP_UNAUTHORIZED);
	pair_advance(p, 600000);
	assert_int_equal(post_update_of(&raw, kid, &(struct claims){ .iat = p->now.utc.s }),
			 GK_COAP_CREATED);
}

/* issuing */

static enum gk_err issue_one(struct pair *p, struct gk_client_bundle *bundle)
{
	struct gk_span group = gk_span_str(PAIR_LIGHTS);
	enum gk_err err = gk_kdc_issue(p->kdc,
				       &(struct gk_client_spec){ .name = gk_span_str("one"),
								 .groups = &group,
								 .roles = &both,
								 .group_count = 1,
								 .lifetime_s = 3600 },
				       p->now, bundle);

	pair_drain_kdc(p, err);
	return err;
}

static uint64_t cti_of(const struct pair *p, const struct gk_client_bundle *bundle)
{
	struct gk_cwt_issuer issuer = { .key = gk_span(pair_as_key, 16),
					.audience = gk_span_str("gatewayd") };
	uint8_t bytes[GK_TOKEN_MAX];
	struct gk_buf scratch = gk_buf(bytes, sizeof(bytes));
	struct gk_cwt cwt;

	assert_int_equal(gk_cwt_read(&issuer, gk_span(bundle->token, bundle->token_len), p->now.utc,
				     &scratch, &cwt),
			 GK_CWT_FINE);
	assert_int_equal(cwt.cti.len, 8);
	assert_int_equal(cwt.iat.s, p->now.utc.s);
	return gk_span_uint(cwt.cti);
}

static const struct pair_record *find_issued(const struct pair *p, uint64_t cti)
{
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];

		if (r->table == GK_TABLE_ISSUED && gk_span_uint(gk_span(r->key, r->key_len)) == cti)
			return r;
	}
	return NULL;
}

/* Lose the list, as if it were that of a backup. */
static void forget_issued(struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == GK_TABLE_ISSUED)
			p->records[i].table = (enum gk_table)0;
	}
}

static void every_token_that_is_issued_has_the_next_cti(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;

	for (uint64_t cti = 1; cti <= 9; cti++) {
		assert_int_equal(issue_one(p, &bundle), GK_OK);
		assert_int_equal(cti_of(p, &bundle), cti);
		assert_non_null(find_issued(p, cti));
		if (cti % 3 == 2)
			pair_restart(p);
		if (cti == 6) { // the mark alone knows
			forget_issued(p);
			pair_restart(p);
		}
	}
}

static void nothing_is_issued_without_room_to_remember_it(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct gk_client_bundle bundle;

	for (enum gk_storage storage = GK_STORAGE_NONE; storage != GK_STORAGE_GOOD; storage--) {
		pair_drain_kdc(p, gk_kdc_storage(p->kdc, storage, p->now));
		pair_digest(p, before);
		assert_int_equal(issue_one(p, &bundle), GK_ERR_NO_SPACE);
		pair_digest(p, after);
		assert_memory_equal(before, after, sizeof(before));
	}
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_GOOD, p->now));
	assert_int_equal(issue_one(p, &bundle), GK_OK);
	assert_int_equal(cti_of(p, &bundle), 1);
}

static void a_client_that_does_not_fit_is_not_issued(void **state)
{
	static const struct {
		const char *name, *group;
		uint32_t roles;
		size_t count;
		int64_t lifetime_s;
		enum gk_err err;
	} rows[] = {
		{ "n", "lights", 6, 1, 60, GK_OK },
		{ "", "lights", 6, 1, 60, GK_ERR_RANGE },
		{ "n23456789012345678901234567890123", "lights", 6, 1, 60, GK_ERR_RANGE },
		{ "n", "lights", 6, 0, 60, GK_ERR_RANGE },
		{ "n", "lights", 6, 9, 60, GK_ERR_RANGE },
		{ "n", "lights", 0, 1, 60, GK_ERR_RANGE },
		{ "n", "lights", 1, 1, 60, GK_ERR_RANGE },
		{ "n", "lights", 32, 1, 60, GK_ERR_RANGE },
		{ "n", "lights", 6, 1, 0, GK_ERR_RANGE },
		{ "n", "lights", 6, 1, INT64_MAX, GK_ERR_RANGE },
		{ "n", "heat", 6, 1, 60, GK_ERR_UNKNOWN },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span groups[9];
		uint32_t roles[9];
		struct gk_client_bundle bundle, before;
		struct gk_client_spec spec = { .name = gk_span_str(rows[i].name),
					       .groups = groups,
					       .roles = roles,
					       .group_count = rows[i].count,
					       .lifetime_s = rows[i].lifetime_s };

		for (size_t k = 0; k < 9; k++) {
			groups[k] = gk_span_str(rows[i].group);
			roles[k] = rows[i].roles;
		}
		memset(&bundle, 0x5a, sizeof(bundle));
		before = bundle;
		if (gk_kdc_issue(p->kdc, &spec, p->now, &bundle) != rows[i].err)
			fail_msg("row %zu", i);
		if (rows[i].err)
			assert_memory_equal(&bundle, &before, sizeof(bundle));
		else
			assert_int_equal(bundle.exp.s, p->now.utc.s + 60);
	}
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_token_is_answered_with_all_that_a_join_needs),
		RULE(a_client_exists_once_it_has_used_its_key),
		RULE(a_bad_token_is_refused_with_the_codes_of_rfc_9200),
		RULE(a_malformed_post_is_bad_request_and_changes_nothing),
		RULE(ids_and_nonces_out_of_bounds_are_bad_request),
		RULE(a_post_cut_at_any_byte_changes_nothing),
		RULE(authz_info_takes_posts_only),
		RULE(without_entropy_there_is_no_association),
		RULE(a_replayed_token_post_does_not_cut_a_client_off),
		RULE(a_new_association_replaces_the_old_one_when_it_is_used),
		RULE(candidates_are_dropped_when_they_are_many_or_old),
		RULE(an_update_changes_rights_and_keeps_the_association),
		RULE(an_update_tells_who_sleeps),
		RULE(a_membership_ends_with_the_rights_that_it_needs),
		RULE(an_update_for_another_client_is_unauthorised_and_changes_nothing),
		RULE(an_update_that_cannot_be_stored_is_put_off),
		RULE(an_update_that_changes_nothing_stores_nothing),
		RULE(a_client_changes_its_rights_so_often_and_no_more),
		RULE(an_address_posts_so_many_tokens_and_no_more),
		RULE(what_is_no_token_of_the_as_does_not_count),
		RULE(what_takes_a_signature_counts_whatever_it_is),
		RULE(many_addresses_share_the_table_of_those_that_post),
		RULE(a_client_makes_new_associations_so_often_and_no_more),
		RULE(a_lifetime_begins_once_and_its_token_does_not_begin_anew),
		RULE(a_lifetime_is_superseded_and_bounded_by_exp),
		RULE(a_lifetime_without_a_number_is_refused),
		RULE(a_member_that_restarts_often_is_let_in_each_time),
		RULE(a_token_older_than_one_that_was_used_is_refused),
		RULE(an_update_supersedes_too),
		RULE(a_token_from_the_future_locks_nobody_out),
		RULE(every_token_that_is_issued_has_the_next_cti),
		RULE(nothing_is_issued_without_room_to_remember_it),
		RULE(a_client_that_does_not_fit_is_not_issued),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
