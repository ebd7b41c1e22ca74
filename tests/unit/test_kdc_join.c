// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define JOIN_PATH "ace-group/lights"

// 4.00's default map (P 6.2): {29: [["lights", -7, [2], [2, 1], 14]]}
#define DEFAULT_MAP                                                                                \
	"a1181d81"                                                                                 \
	"85666c69676874732681028202010e"

static const uint32_t both = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;
static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 2, NULL);
}

/** A Join Request; what is NULL is as it should be, "" is left out. Texts are hex. */
struct form {
	const char *scope;     // of a byte string
	const char *get_creds; // encoded
	const char *cred;      // encoded
	const char *cnonce;    // encoded
	const char *verify;    // encoded
	const char *uri;       // plain text
	bool wrong_pop;
};

#define LIGHTS_6 "82666c696768747306"
#define LIGHTS_2 "82666c696768747302"
#define LIGHTS_8 "82666c696768747308"
#define CNONCE   "4825a8991cd700ac01"

static size_t count_fields(const struct form *f)
{
	const char *texts[] = { f->scope, f->get_creds, f->cred, f->cnonce, f->verify, f->uri };
	size_t count = 0;

	for (size_t i = 0; i < ROWS(texts); i++)
		count += !texts[i] || texts[i][0];
	return count;
}

static void put_field(struct gk_buf *buf, int label, const char *text, struct gk_span good)
{
	if (text && !text[0])
		return;
	gk_put_int(buf, label);
	gk_buf_add(buf, text ? hex_span(text) : good);
}

static struct gk_span bstr(struct gk_span content)
{
	static uint8_t bytes[4][512];
	static unsigned next;
	struct gk_buf buf = gk_buf(bytes[next++ % 4], 512);

	gk_put_bytes(&buf, content);
	return gk_buf_span(&buf);
}

static void put_join(struct gk_buf *buf, const struct pair_raw *raw, const struct form *f)
{
	struct gk_span scope = hex_span(f->scope && f->scope[0] ? f->scope : LIGHTS_6);
	struct gk_span cnonce = hex_span(f->cnonce && f->cnonce[0] ? f->cnonce : CNONCE);
	uint8_t pop_bytes[256], sig[GK_SIG_LEN];
	struct gk_buf pop = gk_buf(pop_bytes, sizeof(pop_bytes));
	struct gk_cbor c = gk_cbor(cnonce);
	char uri[64];

	gk_pop_put_client(&pop, scope, gk_span(raw->challenge, raw->challenge_len),
			  gk_cbor_bytes(&c));
	assert_int_equal(gk_sign(&raw->key, gk_buf_span(&pop), sig), GK_OK);
	sig[40] ^= f->wrong_pop;
	gk_put_map(buf, count_fields(f));
	put_field(buf, GK_PARAM_SCOPE, f->scope && !f->scope[0] ? "" : NULL, bstr(scope));
	put_field(buf, GK_PARAM_GET_CREDS, f->get_creds, hex_span("f6"));
	put_field(buf, GK_PARAM_CLIENT_CRED, f->cred, bstr(gk_span(raw->cred, raw->cred_len)));
	put_field(buf, GK_PARAM_CNONCE, f->cnonce, hex_span(CNONCE));
	put_field(buf, GK_PARAM_CLIENT_CRED_VERIFY, f->verify, bstr(gk_span(sig, sizeof(sig))));
	if (f->uri && !f->uri[0])
		return;
	snprintf(uri, sizeof(uri), "coap://[fd00::1:%x]/ace-group/lights/node", raw->addr.ip[15]);
	gk_put_int(buf, GK_PARAM_CONTROL_URI);
	gk_put_text(buf, gk_span_str(f->uri ? f->uri : uri));
}

static uint8_t join(struct pair_raw *raw, const struct form *f)
{
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_join(&buf, raw, f);
	return pair_raw_ask(raw, GK_COAP_POST, JOIN_PATH, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf));
}

static void open_raw(struct pair_raw *raw, struct pair *p, unsigned number, const uint32_t *roles)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, roles, 1);
	assert_int_equal(pair_raw_post(raw), GK_COAP_CREATED);
	// the first request makes it a client
	assert_int_equal(
		pair_raw_ask(raw, GK_COAP_GET, "ace-group/lights/num", -1, gk_span(NULL, 0)),
		GK_COAP_FORBIDDEN);
}

/* the answer */

enum {
	A_GKTY,
	A_KEY,
	A_NUM,
	A_PROFILE,
	A_EXP,
	A_EXI,
	A_CREDS,
	A_ROLES,
	A_IDS,
	A_POLICIES,
	A_KDC,
	A_NONCE,
	A_VERIFY,
	A_SCHEME,
	A_COUNT
};

static const struct gk_cbor_field answer_fields[A_COUNT] = {
	[A_GKTY] = { GK_PARAM_GKTY, GK_CBOR_UINT, true },
	[A_KEY] = { GK_PARAM_KEY, GK_CBOR_MAP, true },
	[A_NUM] = { GK_PARAM_NUM, GK_CBOR_UINT, true },
	[A_PROFILE] = { GK_PARAM_PROFILE, GK_CBOR_UINT, true },
	[A_EXP] = { GK_PARAM_EXP, GK_CBOR_UINT, true },
	[A_EXI] = { GK_PARAM_EXI, GK_CBOR_UINT, true },
	[A_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, false },
	[A_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, false },
	[A_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, false },
	[A_POLICIES] = { GK_PARAM_GROUP_POLICIES, GK_CBOR_MAP, true },
	[A_KDC] = { GK_PARAM_KDC_CRED, GK_CBOR_BYTES, true },
	[A_NONCE] = { GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, true },
	[A_VERIFY] = { GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, true },
	[A_SCHEME] = { GK_PARAM_REKEYING_SCHEME, GK_CBOR_INT, false },
};

static void read_answer(const struct pair_raw *raw, struct gk_cbor_item *item)
{
	assert_int_equal(gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1),
			 GK_CF_ACE_GROUPCOMM);
	assert_int_equal(gk_cbor_read_map(raw->answer.payload, answer_fields, A_COUNT, item),
			 GK_OK);
}

static struct gk_span key_field(const struct gk_cbor_item *item, int label)
{
	const struct gk_cbor_field field = { label, GK_CBOR_ANY, false };
	struct gk_cbor_item found;

	assert_int_equal(gk_cbor_read_map(item[A_KEY].encoded, &field, 1, &found), GK_OK);
	return found.encoded;
}

static void a_join_is_answered_with_everything_a_member_needs(void **state)
{
	struct pair *p = *state;
	struct gk_cbor_item item[A_COUNT];
	struct pair_raw raw;
	uint8_t bytes[64];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_public_key kdc;
	struct gk_coap_iter it;
	char path[64] = "";

	open_raw(&raw, p, 1, &both);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	it = gk_coap_options(&raw.answer);
	while (gk_coap_next(&it)) {
		if (it.number != GK_OPT_LOCATION_PATH)
			continue;
		strncat(path, "/", 2);
		strncat(path, (const char *)it.value.data, it.value.len);
	}
	assert_string_equal(path, "/ace-group/lights/nodes/n1");
	read_answer(&raw, item);
	assert_int_equal(item[A_GKTY].number, 1);
	assert_int_equal(item[A_PROFILE].number, 1);
	assert_int_equal(item[A_NUM].number, 0);
	assert_int_equal(item[A_EXI].number, 2 * 86400);
	assert_int_equal(item[A_EXP].number, p->now.utc.s + 2 * 86400);
	assert_hex_equal(item[A_CREDS].encoded, "80");
	assert_hex_equal(item[A_ROLES].encoded, "80");
	assert_hex_equal(item[A_IDS].encoded, "80");
	assert_hex_equal(item[A_POLICIES].encoded, "a201190e100200");
	assert_int_equal(item[A_SCHEME].kind, GK_CBOR_NONE); // 0: point-to-point
	assert_hex_equal(key_field(item, GK_OSC_GROUP_SENDER_ID), "4100");
	assert_hex_equal(key_field(item, GK_OSC_CRED_FMT), "0e");
	assert_hex_equal(key_field(item, GK_OSC_GP_ENC_ALG), "0a");
	assert_hex_equal(key_field(item, GK_OSC_SIGN_ALG), "26");
	assert_hex_equal(key_field(item, GK_OSC_SIGN_PARAMS), "828102820201");
	// R 4.3.1: the KDC's evidence, over our nonce
	gk_pop_put_kdc(&pop, hex_span("25a8991cd700ac01"), item[A_NONCE].string);
	assert_int_equal(gk_ccs_read(item[A_KDC].string, &kdc), GK_OK);
	assert_int_equal(gk_verify(&kdc, gk_buf_span(&pop), item[A_VERIFY].string), GK_OK);
}

static void a_monitor_gets_no_sender_id_and_its_credential_is_ignored(void **state)
{
	static const struct form forms[] = {
		{ .scope = LIGHTS_8, .cred = "", .verify = "" },
		{ .scope = LIGHTS_8, .cred = "43010203", .verify = "40" },
		{ .scope = LIGHTS_8, .cred = "626869", .verify = "f5" }, // not even byte strings
	};
	struct pair *p = *state;
	struct gk_cbor_item item[A_COUNT];
	struct gk_member_info info;

	for (unsigned i = 0; i < ROWS(forms); i++) {
		struct pair_raw raw;

		open_raw(&raw, p, i + 1, &all);
		if (join(&raw, &forms[i]) != GK_COAP_CREATED)
			fail_msg("row %u: %x", i, raw.answer.code);
		read_answer(&raw, item);
		assert_int_equal(key_field(item, GK_OSC_GROUP_SENDER_ID).len, 0);
		assert_true(
			pair_shown(p, PAIR_LIGHTS, i ? i > 1 ? "raw3" : "raw2" : "raw1", &info));
		assert_int_equal(info.sender_id.len, 0);
	}
}

static void get_creds_says_which_credentials_come(void **state)
{
	static const struct {
		const char *scope, *get_creds;
		const char *roles; // of the peers in the answer, NULL: no arrays
	} rows[] = {
		{ LIGHTS_6, "", NULL },
		// null: those whom the joiner will talk to (P 6.3)
		{ LIGHTS_2, "f6", "820406" },
		{ "82666c696768747304", "f6", "820206" },
		{ LIGHTS_6, "f6", "83020406" },
		{ LIGHTS_8, "f6", "820206" },
		{ LIGHTS_6, "83f5810280", "820206" },
		{ LIGHTS_6, "83f5810680", "8106" },
		{ LIGHTS_6, "83f582020480", "83020406" },
		{ LIGHTS_6, "83f5810880", "80" },
	};
	static const char *const scopes[] = { LIGHTS_2, "82666c696768747304", LIGHTS_6, LIGHTS_8 };
	struct pair *p = *state;
	struct gk_cbor_item item[A_COUNT];

	for (unsigned i = 0; i < 4; i++) {
		struct pair_raw peer;

		open_raw(&peer, p, 10 + i, &all);
		assert_int_equal(join(&peer, &(struct form){ .scope = scopes[i] }),
				 GK_COAP_CREATED);
	}
	for (unsigned i = 0; i < ROWS(rows); i++) {
		struct pair_raw raw;

		open_raw(&raw, p, 20, &all);
		assert_int_equal(join(&raw, &(struct form){ .scope = rows[i].scope,
							    .get_creds = rows[i].get_creds }),
				 GK_COAP_CREATED);
		read_answer(&raw, item);
		assert_int_equal(item[A_CREDS].kind != GK_CBOR_NONE, rows[i].roles != NULL);
		assert_int_equal(item[A_IDS].kind != GK_CBOR_NONE, rows[i].roles != NULL);
		if (rows[i].roles)
			assert_hex_equal_row(item[A_ROLES].encoded, rows[i].roles,
					     rows[i].get_creds);
		assert_int_equal(pair_raw_ask(&raw, GK_COAP_DELETE, "ace-group/lights/nodes/x", -1,
					      gk_span(NULL, 0)),
				 GK_COAP_FORBIDDEN);
		assert_int_equal(gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS),
					      gk_span_str("raw20"), p->now),
				 GK_OK);
		pair_drain_kdc(p, GK_OK);
		pair_advance(p, 1000);
	}
}

/* refusals */

static void a_bad_join_gets_its_answer_and_changes_nothing(void **state)
{
	static const struct {
		const char *what;
		struct form form;
		uint8_t code;
		int error; // -1: none, with 4.00 the default map
	} rows[] = {
		{ "no scope", { .scope = "" }, 0x80, -1 },
		{ "no cnonce", { .cnonce = "" }, 0x80, -1 },
		{ "empty cnonce", { .cnonce = "40" }, 0x80, -1 },
		{ "cnonce is text", { .cnonce = "683132333435363738" }, 0x80, -1 },
		{ "another group", { .scope = "826568656174 7306" }, 0x80, -1 },
		{ "array of entries", { .scope = "81" LIGHTS_6 }, 0x80, -1 },
		{ "requester and monitor", { .scope = "82666c69676874730a" }, 0x80, -1 },
		{ "verifier", { .scope = "82666c696768747310" }, 0x80, -1 },
		{ "no role", { .scope = "82666c696768747300" }, 0x80, -1 },
		{ "admin", { .scope = "82666c696768747301" }, 0x80, -1 },
		{ "roles beyond the token", { .scope = LIGHTS_8 }, 0x83, -1 },
		{ "get_creds false", { .get_creds = "83f4810280" }, 0x80, -1 },
		{ "get_creds with ids", { .get_creds = "83f58102814152" }, 0x80, -1 },
		{ "get_creds without roles", { .get_creds = "83f58080" }, 0x80, -1 },
		{ "get_creds a number", { .get_creds = "01" }, 0x80, -1 },
		{ "no credential", { .cred = "" }, 0x80, -1 },
		{ "empty credential", { .cred = "40" }, 0x80, -1 },
		{ "no evidence", { .verify = "" }, 0x80, -1 },
		{ "neither", { .cred = "", .verify = "" }, 0x80, -1 },
		{ "credential is text", { .cred = "626869" }, 0x80, -1 },
		{ "unknown credential", { .cred = "43010203" }, 0x80, GK_ACE_ERROR_CREDENTIAL },
		// {8: {1: {1: 1, -1: 6, -2: ...}}}: Ed25519 in a group of ES256
		{ "credential of another curve",
		  { .cred = "582ca108a101a301012006215820"
			    "77ec358c1d344e41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b" },
		  0x80,
		  GK_ACE_ERROR_CREDENTIAL },
		{ "wrong evidence", { .wrong_pop = true }, 0x80, GK_ACE_ERROR_POP },
		{ "empty evidence", { .verify = "40" }, 0x80, GK_ACE_ERROR_POP },
		{ "short evidence", { .verify = "4101" }, 0x80, GK_ACE_ERROR_POP },
		{ "uri of IPv4", { .uri = "coap://192.0.2.1/x" }, 0x80, -1 },
		{ "uri of coaps", { .uri = "coaps://[fd00::1:1]/x" }, 0x80, -1 },
		{ "uri without path", { .uri = "coap://[fd00::1:1]" }, 0x80, -1 },
		{ "uri with the group's own path",
		  { .uri = "coap://[fd00::1:1]/ace-group/lights" },
		  0x80,
		  -1 },
		{ "uri of another address", { .uri = "coap://[fd00::1:2]/x" }, 0x80, -1 },
		{ "uri of a multicast address", { .uri = "coap://[ff02::1]/x" }, 0x80, -1 },
		{ "uri of no address", { .uri = "coap://[::]/x" }, 0x80, -1 },
	};
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	pair_digest(p, before);
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t code = join(&raw, &rows[i].form);

		pair_digest(p, after);
		if (code != rows[i].code || pair_raw_error(&raw) != rows[i].error)
			fail_msg("%s: %x, error %d", rows[i].what, code, pair_raw_error(&raw));
		assert_true(raw.is_protected);
		if (code == GK_COAP_BAD_REQUEST && rows[i].error < 0)
			assert_hex_equal_row(raw.answer.payload, DEFAULT_MAP, rows[i].what);
		if (memcmp(before, after, sizeof(before)) != 0)
			fail_msg("%s: something was stored", rows[i].what);
	}
	// still good for a join
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
}

static void a_payload_that_is_no_map_gets_the_default_map(void **state)
{
	static const char *const payloads[] = { "", "80", "f6", "a1", "ff", "a10", "bf", "d9" };
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	for (size_t i = 0; i < ROWS(payloads); i++) {
		if (strlen(payloads[i]) % 2)
			continue;
		assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, JOIN_PATH, GK_CF_ACE_GROUPCOMM,
					      hex_span(payloads[i])),
				 GK_COAP_BAD_REQUEST);
		assert_hex_equal_row(raw.answer.payload, DEFAULT_MAP, payloads[i]);
	}
}

static void a_join_cut_at_any_byte_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[1024], before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	put_join(&buf, &raw, &(struct form){ .wrong_pop = false });
	pair_digest(p, before);
	for (size_t cut = 0; cut < buf.len; cut++) {
		assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, JOIN_PATH, GK_CF_ACE_GROUPCOMM,
					      gk_span(bytes, cut)),
				 GK_COAP_BAD_REQUEST);
		pair_digest(p, after);
		assert_memory_equal(before, after, sizeof(before));
	}
}

static void a_token_for_another_group_joins_nothing(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	static const char *const groups[] = { "heat" };
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	pair_raw_open(&raw, p, 1, "one", groups, &both, 1);
	pair_raw_post(&raw);
	pair_raw_ask(&raw, GK_COAP_GET, "ace-group/heat/num", -1, gk_span(NULL, 0));
	pair_digest(p, before);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_FORBIDDEN);
	// a group that is not there looks the same from outside
	assert_int_equal(
		pair_raw_ask(&raw, GK_COAP_POST, "ace-group/nowhere", -1, gk_span(NULL, 0)),
		GK_COAP_FORBIDDEN);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
}

static void an_expired_token_is_answered_unprotected(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	p->now.utc.s += 86401; // before any timer ran
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 0);
}

/* the same bytes again */

static void a_retransmitted_join_gets_the_same_bytes_again(void **state)
{
	struct pair *p = *state;
	uint8_t first[2048], before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;
	size_t len;

	open_raw(&raw, p, 1, &both);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	len = p->raw_len;
	memcpy(first, p->raw_answer, len);
	pair_digest(p, before);
	pair_raw_again(&raw, true);
	assert_int_equal(p->raw_len, len);
	assert_memory_equal(p->raw_answer, first, len);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 1);
	// RFC 7252 4.8.2: after EXCHANGE_LIFETIME it is no retransmission any more
	pair_advance(p, 247000);
	assert_int_equal(pair_raw_again(&raw, true), GK_COAP_UNAUTHORIZED);
}

static void a_replayed_join_is_unauthorised_and_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	pair_digest(p, before);
	for (int i = 0; i < 3; i++) {
		struct gk_coap answer;

		assert_int_equal(pair_raw_again(&raw, false), GK_COAP_UNAUTHORIZED);
		assert_int_equal(gk_coap_parse(gk_span(p->raw_answer, p->raw_len), &answer), GK_OK);
		assert_int_equal(gk_coap_find_uint(&answer, GK_OPT_MAX_AGE, -1), 0);
	}
	// another address with the same message id and token is a replay too
	raw.addr.port = 9999;
	assert_int_equal(pair_raw_again(&raw, true), GK_COAP_UNAUTHORIZED);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void a_forged_join_is_bad_request(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1, &both);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = true }), GK_COAP_BAD_REQUEST);
	raw.sent[raw.sent_len - 1] ^= 1;
	assert_int_equal(pair_raw_again(&raw, false), GK_COAP_BAD_REQUEST);
	assert_int_equal(p->raw_len, 3); // unprotected: code, Max-Age 0
}

/* joining again */

static void a_member_that_joins_again_gets_another_sender_id(void **state)
{
	struct pair *p = *state;
	struct gk_cbor_item item[A_COUNT];
	struct pair_raw raw, other;
	int64_t num;

	open_raw(&other, p, 2, &both);
	assert_int_equal(join(&other, &(struct form){ .uri = "" }), GK_COAP_CREATED);
	open_raw(&raw, p, 1, &both);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	num = pair_num(p);
	for (int i = 0; i < 3; i++) {
		static const char *const sids[] = { "4102", "4103", "4104" };

		assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CHANGED);
		read_answer(&raw, item);
		assert_hex_equal(key_field(item, GK_OSC_GROUP_SENDER_ID), sids[i]);
	}
	assert_int_equal(pair_num(p), num); // nobody new: no rekeying
	// the old ones are stale from the next version on
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(pair_raw_ask(&other, GK_COAP_FETCH, "ace-group/lights/stale-sids",
				      GK_CF_CBOR, hex_span("01")),
			 GK_COAP_CONTENT);
	assert_hex_equal(other.answer.payload, "83410141024103");
}

static void a_member_may_refer_to_the_credential_that_is_stored(void **state)
{
	static const struct {
		const char *what;
		struct form form;
		uint8_t code;
	} rows[] = {
		{ "40", { .cred = "40", .verify = "" }, GK_COAP_CHANGED },
		{ "absent", { .cred = "", .verify = "" }, GK_COAP_CHANGED },
		{ "the same", { .verify = "" }, GK_COAP_CHANGED },
		{ "another", { .cred = "43010203", .verify = "" }, GK_COAP_BAD_REQUEST },
		{ "40 with evidence", { .cred = "40" }, GK_COAP_BAD_REQUEST },
		{ "monitor", { .scope = LIGHTS_8, .cred = "40", .verify = "" }, GK_COAP_CHANGED },
	};
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	open_raw(&raw, p, 1, &all);
	assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t code = join(&raw, &rows[i].form);

		if (code != rows[i].code)
			fail_msg("%s: %x", rows[i].what, code);
	}
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_int_equal(info.roles, GK_ROLE_MONITOR);
	assert_int_equal(info.sender_id.len, 0);
}

static void a_former_monitor_has_no_credential_to_refer_to(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1, &all);
	assert_int_equal(join(&raw, &(struct form){ .scope = LIGHTS_8, .cred = "", .verify = "" }),
			 GK_COAP_CREATED);
	assert_int_equal(join(&raw, &(struct form){ .cred = "40", .verify = "" }),
			 GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, DEFAULT_MAP);
}

static void a_full_group_takes_nobody_in(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	static const char *const groups[] = { "heat" };
	const struct form form = { .scope = "82646865617406" };
	uint8_t bytes[1024], before[GK_HASH_LEN], after[GK_HASH_LEN];

	heat.members_max = 1;
	assert_int_equal(pair_serve(p, &heat), GK_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct pair_raw raw;
		char name[8];

		snprintf(name, sizeof(name), "r%u", i);
		pair_raw_open(&raw, p, i + 1, name, groups, &both, 1);
		pair_raw_post(&raw);
		pair_raw_ask(&raw, GK_COAP_GET, "ace-group/heat/num", -1, gk_span(NULL, 0));
		put_join(&buf, &raw, &form);
		pair_digest(p, before);
		assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, "ace-group/heat",
					      GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf)),
				 i ? GK_COAP_UNAVAILABLE : GK_COAP_CREATED);
		pair_digest(p, after);
		if (!i)
			continue;
		assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_NO_INDIVIDUAL);
		assert_memory_equal(before, after, sizeof(before));
	}
}

/* what a join changes */

static void a_join_makes_new_material_before_its_answer(void **state)
{
	struct pair *p = *state;
	struct gk_cbor_item item[A_COUNT];
	struct gk_span first_key;
	uint8_t copy[32];
	struct pair_raw a, b;

	open_raw(&a, p, 1, &both);
	assert_int_equal(join(&a, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	read_answer(&a, item);
	first_key = key_field(item, GK_OSC_MS);
	memcpy(copy, first_key.data, first_key.len);
	open_raw(&b, p, 2, &both);
	assert_int_equal(join(&b, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	read_answer(&b, item);
	assert_int_equal(item[A_NUM].number, 1);
	assert_memory_not_equal(key_field(item, GK_OSC_MS).data, copy, first_key.len);
	assert_non_null(pair_raw_asked(&a)); // its rekeying message
}

static void without_rekeying_on_join_the_material_stays(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	static const char *const groups[] = { "heat" };
	uint8_t bytes[1024];
	static struct pair_raw raw[3];

	heat.rekey_on_join = false;
	assert_int_equal(pair_serve(p, &heat), GK_OK);
	for (unsigned i = 0; i < 3; i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		char name[8];

		snprintf(name, sizeof(name), "r%u", i);
		pair_raw_open(&raw[i], p, i + 1, name, groups, &both, 1);
		pair_raw_post(&raw[i]);
		put_join(&buf, &raw[i], &(struct form){ .scope = "82646865617406" });
		assert_int_equal(pair_raw_ask(&raw[i], GK_COAP_POST, "ace-group/heat",
					      GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf)),
				 GK_COAP_CREATED);
		assert_int_equal(pair_raw_ask(&raw[i], GK_COAP_GET, "ace-group/heat/num", -1,
					      gk_span(NULL, 0)),
				 GK_COAP_CONTENT);
		assert_hex_equal(raw[i].answer.payload, "00");
	}
}

static void an_emptied_group_gets_new_material_before_the_next_member(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	for (unsigned i = 1; i <= 2; i++) {
		open_raw(&raw, p, i, &both);
		assert_int_equal(join(&raw, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
		assert_int_equal(pair_num(p), i - 1);
		pair_raw_ask(&raw, GK_COAP_DELETE,
			     i == 1 ? "ace-group/lights/nodes/n1" : "ace-group/lights/nodes/n2", -1,
			     gk_span(NULL, 0));
		assert_int_equal(raw.answer.code, GK_COAP_DELETED);
	}
}

static void without_entropy_a_join_is_unavailable_and_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	struct pair_raw a, b;

	open_raw(&a, p, 1, &both);
	assert_int_equal(join(&a, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
	open_raw(&b, p, 2, &both);
	pair_digest(p, before);
	for (unsigned n = 1; n <= 2; n++) {
		test_env_fail_random(&p->kdc_env, n);
		assert_int_equal(join(&b, &(struct form){ .wrong_pop = false }),
				 GK_COAP_UNAVAILABLE);
		pair_digest(p, after);
		assert_memory_equal(before, after, sizeof(before));
	}
	assert_int_equal(join(&b, &(struct form){ .wrong_pop = false }), GK_COAP_CREATED);
}

/* answers in blocks */

static void a_large_answer_comes_in_blocks_and_the_join_happens_once(void **state)
{
	struct pair *p = *state;
	struct gk_membership_info info;
	size_t i;

	pair_join_all(p, 100);
	i = pair_add(p, 6);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	pair_run(p);
	pair_advance(p, 1000);
	info = pair_info(p, i);
	assert_true(info.joined);
	assert_int_equal(info.peers, 100);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 101);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
	for (size_t k = 0; k < p->log_count; k++)
		assert_true(p->log[k]->bytes.len <= 1232);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_join_is_answered_with_everything_a_member_needs),
		RULE(a_monitor_gets_no_sender_id_and_its_credential_is_ignored),
		RULE(get_creds_says_which_credentials_come),
		RULE(a_bad_join_gets_its_answer_and_changes_nothing),
		RULE(a_payload_that_is_no_map_gets_the_default_map),
		RULE(a_join_cut_at_any_byte_changes_nothing),
		RULE(a_token_for_another_group_joins_nothing),
		RULE(an_expired_token_is_answered_unprotected),
		RULE(a_retransmitted_join_gets_the_same_bytes_again),
		RULE(a_replayed_join_is_unauthorised_and_changes_nothing),
		RULE(a_forged_join_is_bad_request),
		RULE(a_member_that_joins_again_gets_another_sender_id),
		RULE(a_member_may_refer_to_the_credential_that_is_stored),
		RULE(a_former_monitor_has_no_credential_to_refer_to),
		RULE(a_full_group_takes_nobody_in),
		RULE(a_join_makes_new_material_before_its_answer),
		RULE(without_rekeying_on_join_the_material_stays),
		RULE(an_emptied_group_gets_new_material_before_the_next_member),
		RULE(without_entropy_a_join_is_unavailable_and_changes_nothing),
		RULE(a_large_answer_comes_in_blocks_and_the_join_happens_once),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
