// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/client.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/group.h"
#include "libgroupkey/group_oscore.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const uint32_t all = GK_ROLE_ALL;
static const uint32_t verifier = GK_ROLE_VERIFIER;

static int open_pair(void **state)
{
	return pair_begin(state, 4, NULL);
}

static void join(struct pair_raw *raw, struct pair *p, unsigned number, uint32_t roles)
{
	pair_raw_begin(raw, p, number, all);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, roles, false), GK_COAP_CREATED);
}

static int format_of(const struct pair_raw *raw)
{
	return (int)gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1);
}

static uint8_t ask(struct pair_raw *raw, uint8_t method, const char *path, const char *payload)
{
	return pair_raw_ask(raw, method, path, GK_CF_ACE_GROUPCOMM, hex_span(payload));
}

static struct gk_id gid_of(struct pair *p, const char *group)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(p->kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(group)))
			return info.gid;
	}
	abort();
}

/* FETCH on the collection of groups: R 4.2.1, P 9.10 */

static uint8_t ask_names(struct pair_raw *raw, const struct gk_id *gids, size_t count)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&buf, 2);
	gk_put_int(&buf, 99); // a field that nobody knows
	gk_put_map(&buf, 0);
	gk_put_int(&buf, GK_PARAM_GID);
	gk_put_array(&buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_bytes(&buf, gk_id_span(&gids[i]));
	return pair_raw_ask(raw, GK_COAP_FETCH, "ace-group", GK_CF_ACE_GROUPCOMM,
			    gk_buf_span(&buf));
}

static void expect_names(const struct pair_raw *raw, const struct gk_id *gid, const char *name,
			 const char *uri)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&buf, 3);
	gk_put_int(&buf, GK_PARAM_GID);
	gk_put_array(&buf, 1);
	gk_put_bytes(&buf, gk_id_span(gid));
	gk_put_int(&buf, GK_PARAM_GNAME);
	gk_put_array(&buf, 1);
	gk_put_text(&buf, gk_span_str(name));
	gk_put_int(&buf, GK_PARAM_GURI);
	gk_put_array(&buf, 1);
	gk_put_text(&buf, gk_span_str(uri));
	assert_int_equal(raw->answer.code, GK_COAP_CONTENT);
	assert_int_equal(format_of(raw), GK_CF_ACE_GROUPCOMM);
	assert_true(gk_span_equal(raw->answer.payload, gk_buf_span(&buf)));
}

static void a_gid_leads_to_a_group_of_the_token_and_to_no_other(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	struct gk_id gids[3] = { gid_of(p, PAIR_LIGHTS), { 0 }, { 2, { 9, 9 } } };
	struct pair_raw raw;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	gids[1] = gid_of(p, "heat");
	pair_raw_begin(&raw, p, 1, verifier); // of lights; no member of it
	assert_int_equal(ask_names(&raw, gids, 3), GK_COAP_CONTENT);
	expect_names(&raw, &gids[0], "lights", "/ace-group/lights");
	ask_names(&raw, &gids[1], 2);
	assert_int_equal(raw.answer.code, GK_COAP_CONTENT);
	assert_int_equal(format_of(&raw), GK_CF_ACE_GROUPCOMM);
	assert_hex_equal(raw.answer.payload, "40");
}

static void only_the_present_gid_is_that_of_a_group(void **state)
{
	struct pair *p = *state;
	struct gk_id gids[2] = { gid_of(p, PAIR_LIGHTS), { 0 } };
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	gids[1] = gid_of(p, PAIR_LIGHTS);
	assert_false(gk_id_equal(&gids[0], &gids[1]));
	ask_names(&raw, gids, 2);
	expect_names(&raw, &gids[1], "lights", "/ace-group/lights");
	ask_names(&raw, gids, 1);
	assert_hex_equal(raw.answer.payload, "40");
}

static void who_is_banned_learns_no_name(void **state)
{
	struct pair *p = *state;
	struct gk_id gid = gid_of(p, PAIR_LIGHTS);
	struct pair_raw raw;

	pair_raw_begin(&raw, p, 1, all);
	ask_names(&raw, &gid, 1);
	expect_names(&raw, &gid, "lights", "/ace-group/lights");
	pair_drain_kdc(p,
		       gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw1"), p->now));
	ask_names(&raw, &gid, 1);
	assert_hex_equal(raw.answer.payload, "40");
}

static void gids_that_are_none_are_a_bad_request(void **state)
{
	static const char *const rows[] = {
		"",         // no payload
		"80",       // no map
		"a0",       // no gid
		"a10080",   // an empty array
		"a1004101", // no array
		"a1008101", // of no byte strings
		"a100814101 00",
	};
	struct pair_raw raw;

	pair_raw_begin(&raw, *state, 1, all);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (ask(&raw, GK_COAP_FETCH, "ace-group", rows[i]) != GK_COAP_BAD_REQUEST)
			fail_msg("%s: %x", rows[i], raw.answer.code);
	}
	assert_int_equal(ask(&raw, GK_COAP_GET, "ace-group", ""), GK_COAP_NOT_ALLOWED);
	assert_int_equal(ask(&raw, GK_COAP_POST, "ace-group", ""), GK_COAP_NOT_ALLOWED);
	// without a token
	uint8_t request[] = { GK_COAP_FETCH, 0xb9, 'a', 'c', 'e', '-', 'g', 'r', 'o', 'u', 'p' };
	assert_int_equal(pair_raw_send(&raw, gk_span(request, sizeof(request))),
			 GK_COAP_UNAUTHORIZED);
	assert_int_equal(raw.answer.payload.len, 0);
}

/* FETCH on creds: R 4.4.1, P 9.3 */

static void creds_are_chosen_by_roles_and_sender_ids(void **state)
{
	// members: 00 requester, 01 responder, 02 both; and a monitor
	static const struct {
		const char *get_creds;
		const char *ids; // NULL: 4.00
	} rows[] = {
		{ "83f5810280", "8241004102" },       // requesters
		{ "83f5810480", "8241014102" },       // responders
		{ "83f5810680", "814102" },           // both at once
		{ "83f582020480", "83410041014102" }, // one or the other
		{ "83f58082410041ff", "814100" },     // by Sender ID; ff is nobody's
		{ "83f5810681 4100", "8241004102" },  // role or id
		{ "83f4810280", "8241004102" },       // nobody left out
		{ "83f480814100", "8241014102" },     // all but 00
		{ "83f4810282 41024101", "814100" },  // requesters, but neither 02 nor 01
		{ "83f48081 49000102030405060708", "83410041014102" }, // longer than any
		{ "83f580814109", "" },                                // nobody
		{ "83f5810880", "" }, // monitors have no credential
		{ "83f58080", NULL }, // no filter
		{ "83f48080", NULL },
		{ "f6", NULL },
		{ "82f58102", NULL },
		{ "83018102 80", NULL },
		{ "83f5812080", NULL }, // a negative role
		{ "83f5024100", NULL },
		{ "83f5808102", NULL }, // an id of another type
		{ "84f581028000", NULL },
	};
	static const uint32_t roles[] = { GK_ROLE_REQUESTER, GK_ROLE_RESPONDER,
					  GK_ROLE_REQUESTER | GK_ROLE_RESPONDER, GK_ROLE_MONITOR };
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
		{ GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
		{ GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
		{ GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
	};
	struct pair *p = *state;
	static struct pair_raw raw[4], outside;

	for (unsigned i = 0; i < 4; i++)
		join(&raw[i], p, i + 1, roles[i]);
	pair_raw_begin(&outside, p, 5, verifier);
	for (size_t i = 0; i < 2 * ROWS(rows); i++) {
		struct pair_raw *asks = i % 2 ? &outside : &raw[3];
		struct gk_cbor_item item[4];
		const char *ids = rows[i / 2].ids;
		char payload[80];

		snprintf(payload, sizeof(payload), "a104%s", rows[i / 2].get_creds);
		ask(asks, GK_COAP_FETCH, "ace-group/lights/creds", payload);
		if (asks->answer.code != (ids ? GK_COAP_CONTENT : GK_COAP_BAD_REQUEST))
			fail_msg("%s: %x", payload, asks->answer.code);
		if (!ids)
			continue;
		assert_int_equal(format_of(asks), GK_CF_ACE_GROUPCOMM);
		if (!ids[0]) {
			assert_hex_equal_row(asks->answer.payload, "40", payload);
			continue;
		}
		assert_int_equal(gk_cbor_read_map(asks->answer.payload, fields, 4, item), GK_OK);
		assert_int_equal(item[0].number, pair_num(p));
		assert_hex_equal_row(item[3].encoded, ids, payload);
		assert_int_equal(item[1].encoded.data[0], item[3].encoded.data[0]);
		assert_int_equal(item[2].encoded.data[0], item[3].encoded.data[0]);
	}
	assert_int_equal(ask(&raw[0], GK_COAP_FETCH, "ace-group/lights/creds", "a0"),
			 GK_COAP_BAD_REQUEST);
}

static void many_sender_ids_are_looked_up_whatever_their_order(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t bytes[600];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	join(&raw, p, 1, GK_ROLE_REQUESTER); // 00
	for (unsigned i = 2; i <= 4; i++)
		join(&raw, p, i, GK_ROLE_REQUESTER);
	gk_put_map(&buf, 1);
	gk_put_int(&buf, GK_PARAM_GET_CREDS);
	gk_put_array(&buf, 3);
	gk_put_bool(&buf, false);
	gk_put_array(&buf, 0);
	gk_put_array(&buf, 201);
	for (unsigned i = 200; i-- > 0;) { // all but 02
		uint8_t id = (uint8_t)(i * 77 % 256);

		gk_put_bytes(&buf, gk_span(&id, id == 2 ? 0 : 1));
	}
	gk_put_bytes(&buf, hex_span("0002"));
	pair_raw_ask(&raw, GK_COAP_FETCH, "ace-group/lights/creds", -1, gk_buf_span(&buf));
	assert_int_equal(raw.answer.code, GK_COAP_CONTENT);
	assert_int_equal(raw.answer.payload.data[raw.answer.payload.len - 1], 2);
	assert_int_equal(raw.answer.payload.data[raw.answer.payload.len - 3], 0x81);
}

/* verifiers: P 9.5.2, 9.6 */

static void a_verifier_gets_the_kdcs_signature_over_a_nonce_of_its_own(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KDC_CRED, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[3];
	struct gk_public_key key;
	uint8_t bytes[64];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw;

	pair_raw_begin(&raw, *state, 1, verifier);
	ask(&raw, GK_COAP_FETCH, "ace-group/lights/kdc-cred", "a106480102030405060708");
	assert_int_equal(raw.answer.code, GK_COAP_CONTENT);
	assert_int_equal(format_of(&raw), GK_CF_ACE_GROUPCOMM);
	assert_int_equal(raw.answer.payload.data[0], 0xa3);
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 3, item), GK_OK);
	assert_int_equal(item[1].string.len, GK_NONCE_LEN);
	assert_int_equal(gk_ccs_read(item[0].string, &key), GK_OK);
	gk_pop_put_kdc(&pop, hex_span("0102030405060708"), item[1].string);
	assert_int_equal(gk_verify(&key, gk_buf_span(&pop), item[2].string), GK_OK);
}

static void a_verifier_without_a_nonce_is_refused(void **state)
{
	static const char *const rows[] = { "", "a0", "a10601", "a10640", "80" };
	struct pair_raw raw;

	pair_raw_begin(&raw, *state, 1, verifier);
	for (size_t i = 0; i < ROWS(rows); i++) {
		ask(&raw, GK_COAP_FETCH, "ace-group/lights/kdc-cred", rows[i]);
		if (raw.answer.code != GK_COAP_BAD_REQUEST || raw.answer.payload.len)
			fail_msg("%s: %x", rows[i], raw.answer.code);
	}
}

static void verif_data_has_the_signature_encryption_key_and_no_master_secret(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_GKTY, GK_CBOR_UINT, true },
		{ GK_PARAM_KEY, GK_CBOR_MAP, true },
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
		{ GK_PARAM_PROFILE, GK_CBOR_UINT, true },
		{ GK_PARAM_EXP, GK_CBOR_UINT, true },
		{ GK_PARAM_EXI, GK_CBOR_UINT, true },
		{ GK_PARAM_SIGN_ENC_KEY, GK_CBOR_BYTES, true },
	};
	struct pair *p = *state;
	struct gk_id gid = gid_of(p, PAIR_LIGHTS);
	const struct gk_group *group = gk_group_find(p->kdc, gk_span_str(PAIR_LIGHTS));
	struct gk_cbor_item item[7];
	struct pair_raw raw;
	uint8_t bytes[80], key[16];
	struct gk_buf want = gk_buf(bytes, sizeof(bytes));
	const struct gk_oscore_input input = {
		.alg = GK_ALG_AES_CCM_16_64_128,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = gk_span(group->ms, sizeof(group->ms)),
		.has_id_context = true,
		.id_context = gk_id_span(&gid),
	};

	pair_raw_begin(&raw, p, 1, verifier);
	pair_raw_get(&raw, GK_COAP_GET, "verif-data");
	assert_int_equal(format_of(&raw), GK_CF_ACE_GROUPCOMM);
	assert_int_equal(raw.answer.payload.data[0], 0xa7);
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 7, item), GK_OK);
	assert_int_equal(item[5].number, 2 * 86400);
	assert_int_equal(item[4].number, p->now.utc.s + 2 * 86400);
	gk_buf_add(&want, hex_span("a6030506"));
	gk_put_bytes(&want, gk_id_span(&gid));
	gk_buf_add(&want, hex_span("080e090a0a260b82810282 0201"));
	assert_true(gk_span_equal(item[1].encoded, gk_buf_span(&want)));
	assert_int_equal(gk_oscore_derive(&input, gk_span(NULL, 0), "SEKey", key, sizeof(key)),
			 GK_OK);
	assert_true(gk_span_equal(item[6].string, gk_span(key, sizeof(key))));
}

static void verif_data_names_the_algorithms_of_pairwise_mode_where_it_is_used(void **state)
{
	static const struct gk_cbor_field field = { GK_PARAM_KEY, GK_CBOR_MAP, true };
	static const char *const heat[] = { "heat" };
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	struct gk_cbor_item key;
	struct pair_raw raw;
	uint8_t bytes[80];
	struct gk_buf want = gk_buf(bytes, sizeof(bytes));
	struct gk_id gid;

	config.mode = GK_MODE_BOTH;
	assert_int_equal(pair_serve(p, &config), GK_OK);
	gid = gid_of(p, "heat");
	pair_raw_open(&raw, p, 1, "raw", heat, &verifier, 1);
	pair_raw_post(&raw);
	strcpy(raw.group, "heat");
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "verif-data"), GK_COAP_CONTENT);
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, &field, 1, &key), GK_OK);
	gk_buf_add(&want, hex_span("a80305040a06"));
	gk_put_bytes(&want, gk_id_span(&gid));
	gk_buf_add(&want, hex_span("080e090a0a260b828102820201 0c381a"));
	assert_true(gk_span_equal(key.encoded, gk_buf_span(&want)));
}

static void only_a_verifier_that_is_no_member_gets_a_verifiers_answers(void **state)
{
	static const uint32_t requester = GK_ROLE_REQUESTER;
	struct pair *p = *state;
	static struct pair_raw raw[3];

	pair_raw_begin(&raw[0], p, 1, requester); // not granted
	join(&raw[1], p, 2, GK_ROLE_REQUESTER);   // granted, and a member
	pair_raw_begin(&raw[2], p, 3, all);       // granted, and none
	for (size_t i = 0; i < 3; i++) {
		uint8_t code = i < 2 ? GK_COAP_FORBIDDEN : GK_COAP_CONTENT;
		int error = i < 2 ? GK_ACE_ERROR_VERIFIERS_ONLY : -1;

		assert_int_equal(pair_raw_get(&raw[i], GK_COAP_GET, "verif-data"), code);
		assert_int_equal(pair_raw_error(&raw[i]), error);
		ask(&raw[i], GK_COAP_FETCH, "ace-group/lights/kdc-cred", "a1064101");
		assert_int_equal(raw[i].answer.code, code);
		assert_int_equal(pair_raw_error(&raw[i]), error);
	}
}

static void where_nobody_signs_there_is_nothing_to_verify(void **state)
{
	static const char *const heat[] = { "heat" };
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	struct pair_raw raw, stranger;
	static const uint32_t requester = GK_ROLE_REQUESTER;

	config.mode = GK_MODE_PAIRWISE;
	assert_int_equal(pair_serve(p, &config), GK_OK);
	pair_raw_open(&raw, p, 1, "raw", heat, &verifier, 1);
	pair_raw_post(&raw);
	pair_raw_open(&stranger, p, 2, "stranger", heat, &requester, 1);
	pair_raw_post(&stranger);
	strcpy(raw.group, "heat");
	strcpy(stranger.group, "heat");
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "verif-data"), GK_COAP_BAD_REQUEST);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_NO_SIGNATURES);
	// before what is wrong with the request
	assert_int_equal(ask(&raw, GK_COAP_FETCH, "ace-group/heat/kdc-cred", ""),
			 GK_COAP_BAD_REQUEST);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_NO_SIGNATURES);
	// and behind who asks
	assert_int_equal(pair_raw_get(&stranger, GK_COAP_GET, "verif-data"), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&stranger), GK_ACE_ERROR_VERIFIERS_ONLY);
}

static void who_may_only_verify_is_refused_elsewhere_without_a_word(void **state)
{
	struct pair_raw raw;

	pair_raw_begin(&raw, *state, 1, verifier);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, ""), GK_COAP_FORBIDDEN);
	assert_int_equal(raw.answer.payload.len, 0);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "no-such-thing"), GK_COAP_FORBIDDEN);
	assert_int_equal(raw.answer.payload.len, 0);
}

/* policies */

static void policies_are_the_defaults_of_the_profile(void **state)
{
	struct pair_raw raw;

	join(&raw, *state, 1, GK_ROLE_REQUESTER);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "policies"), GK_COAP_CONTENT);
	assert_int_equal(format_of(&raw), GK_CF_ACE_GROUPCOMM);
	assert_hex_equal(raw.answer.payload, "a110a201190e100200");
}

/* formats */

static uint8_t ask_formats(struct pair_raw *raw, uint8_t method, const char *path, int format,
			   int accept, const char *payload)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	if (format >= 0)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)format);
	if (accept >= 0)
		gk_coap_put_uint(&w, GK_OPT_ACCEPT, (uint32_t)accept);
	gk_coap_put_payload(&w, hex_span(payload));
	return pair_raw_ask_message(raw, gk_buf_span(&buf));
}

static void a_request_says_what_it_is_and_what_it_wants(void **state)
{
	static const struct {
		uint8_t method;
		const char *path;
		int format, accept;
		const char *payload;
		uint8_t code;
	} rows[] = {
		{ GK_COAP_FETCH, "ace-group", 261, 261, "a100814101", GK_COAP_CONTENT },
		{ GK_COAP_FETCH, "ace-group", -1, -1, "a100814101", GK_COAP_CONTENT },
		{ GK_COAP_FETCH, "ace-group", 60, -1, "a100814101", GK_COAP_BAD_FORMAT },
		{ GK_COAP_FETCH, "ace-group", 261, 60, "a100814101", GK_COAP_NOT_ACCEPTABLE },
		{ GK_COAP_FETCH, "ace-group/lights/creds", 0, -1, "a10483f5810280",
		  GK_COAP_BAD_FORMAT },
		{ GK_COAP_FETCH, "ace-group/lights/stale-sids", 261, -1, "00", GK_COAP_BAD_FORMAT },
		{ GK_COAP_FETCH, "ace-group/lights/stale-sids", -1, 60, "00", GK_COAP_BAD_REQUEST },
		{ GK_COAP_POST, "ace-group/lights", 19, -1, "a0", GK_COAP_BAD_FORMAT },
		{ GK_COAP_POST, "ace-group/lights", 19, -1, "", GK_COAP_BAD_REQUEST }, // nothing
		{ GK_COAP_GET, "ace-group/lights/num", 0, 60, "", GK_COAP_CONTENT },
		{ GK_COAP_GET, "ace-group/lights/num", -1, 261, "", GK_COAP_NOT_ACCEPTABLE },
		{ GK_COAP_GET, "ace-group/lights/creds", -1, 261, "", GK_COAP_CONTENT },
		{ GK_COAP_GET, "ace-group/lights/creds", -1, 60, "", GK_COAP_NOT_ACCEPTABLE },
		// who may not ask is told that first
		{ GK_COAP_GET, "ace-group/heat/num", -1, 0, "", GK_COAP_FORBIDDEN },
		{ GK_COAP_GET, "ace-group/lights/verif-data", -1, 0, "", GK_COAP_FORBIDDEN },
		{ GK_COAP_DELETE, "ace-group/lights/nodes/n1", -1, 0, "", GK_COAP_DELETED },
	};
	struct pair_raw raw;

	join(&raw, *state, 1, GK_ROLE_REQUESTER);
	for (size_t i = 0; i < ROWS(rows); i++) {
		ask_formats(&raw, rows[i].method, rows[i].path, rows[i].format, rows[i].accept,
			    rows[i].payload);
		if (raw.answer.code != rows[i].code)
			fail_msg("row %zu, %s: %x", i, rows[i].path, raw.answer.code);
	}
}

/* a member's own credential: R 4.9.1, P 9.4 */

struct post {
	const char *scope;   // as in the latest join; NULL: ["lights", 2]
	const uint8_t *n_s;  // NULL: the client's newest
	uint8_t key;         // whose private part signs; 0: that of the credential
	bool no_evidence;    // an empty one
	const char *payload; // all of it, as hex
};

static struct gk_key_pair key_of(uint8_t number)
{
	uint8_t d[32] = { 2, [31] = number };
	struct gk_key_pair key;

	assert_int_equal(gk_key_from_private(GK_CRV_P256, gk_span(d, 32), &key), GK_OK);
	return key;
}

static void put_cred(struct gk_buf *cred, uint8_t number)
{
	struct gk_key_pair key = key_of(number);

	gk_ccs_put(cred, gk_span_str("new"), &key.pub);
}

static void put_post(struct gk_buf *buf, const struct pair_raw *raw, const struct post *post)
{
	static const uint8_t n_c[8] = { 0xc0, 1, 2, 3, 4, 5, 6, 7 };
	uint8_t pop_bytes[256], cred_bytes[128], sig[GK_SIG_LEN];
	struct gk_buf pop = gk_buf(pop_bytes, sizeof(pop_bytes));
	struct gk_buf cred = gk_buf(cred_bytes, sizeof(cred_bytes));
	struct gk_key_pair key = key_of(post->key ? post->key : 1);

	put_cred(&cred, 1);
	gk_pop_put_client(&pop, hex_span(post->scope ? post->scope : "82666c696768747302"),
			  gk_span(post->n_s ? post->n_s : raw->challenge, raw->challenge_len),
			  gk_span(n_c, sizeof(n_c)));
	assert_int_equal(gk_sign(&key, gk_buf_span(&pop), sig), GK_OK);
	gk_put_map(buf, 3);
	gk_put_int(buf, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(buf, gk_buf_span(&cred));
	gk_put_int(buf, GK_PARAM_CNONCE);
	gk_put_bytes(buf, gk_span(n_c, sizeof(n_c)));
	gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(buf, gk_span(sig, post->no_evidence ? 0 : sizeof(sig)));
}

static uint8_t post_cred(struct pair_raw *raw, const struct post *post)
{
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	char path[80];

	if (post->payload)
		gk_buf_add(&buf, hex_span(post->payload));
	else
		put_post(&buf, raw, post);
	snprintf(path, sizeof(path), "ace-group/lights/nodes/%s/cred", raw->node);
	return pair_raw_ask(raw, GK_COAP_POST, path, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf));
}

/* After a restart of the KDC. */
static void synchronise(struct pair_raw *raw)
{
	struct gk_span echo;
	uint8_t request[64];
	struct gk_buf buf = gk_buf(request, sizeof(request));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

	pair_raw_get(raw, GK_COAP_GET, "num");
	assert_true(gk_coap_find(&raw->answer, GK_OPT_ECHO, &echo));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
	gk_coap_put(&w, GK_OPT_ECHO, echo);
	assert_int_equal(pair_raw_ask_message(raw, gk_buf_span(&buf)), GK_COAP_CONTENT);
}

static bool is_listed(struct pair_raw *raw, struct gk_span cred)
{
	static const struct gk_cbor_field field = { GK_PARAM_CREDS, GK_CBOR_ARRAY, true };
	struct gk_cbor_item item;
	struct gk_cbor c;
	struct gk_cbor_iter iter;
	bool found = false;

	assert_int_equal(pair_raw_get(raw, GK_COAP_GET, "creds"), GK_COAP_CONTENT);
	assert_int_equal(gk_cbor_read_map(raw->answer.payload, &field, 1, &item), GK_OK);
	c = gk_cbor(item.encoded);
	iter = gk_cbor_array(&c);
	while (gk_cbor_more(&c, &iter))
		found |= gk_span_equal(gk_cbor_bytes(&c), cred);
	return found;
}

static void a_credential_is_replaced_and_the_nonce_of_the_join_stays(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KDC_CRED, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, true },
	};
	struct pair *p = *state;
	uint8_t cred_bytes[128], pop_bytes[64], n_c[8];
	struct gk_buf cred = gk_buf(cred_bytes, sizeof(cred_bytes));
	struct gk_buf pop = gk_buf(pop_bytes, sizeof(pop_bytes));
	struct gk_cbor_item item[3];
	struct gk_public_key key;
	struct pair_raw raw;

	put_cred(&cred, 1);
	join(&raw, p, 1, GK_ROLE_REQUESTER);
	assert_int_equal(post_cred(&raw, &(struct post){ 0 }), GK_COAP_CHANGED);
	assert_int_equal(raw.answer.payload.len, 0);
	assert_int_equal(format_of(&raw), -1);
	assert_int_equal(gk_group_find(p->kdc, gk_span_str(PAIR_LIGHTS))->cred_bytes, cred.len);
	for (int life = 0; life < 2; life++) {
		assert_true(is_listed(&raw, gk_buf_span(&cred)));
		assert_false(is_listed(&raw, gk_span(raw.cred, raw.cred_len)));
		if (!life) {
			pair_restart(p);
			synchronise(&raw);
		}
	}
	memset(n_c, raw.cnonce, sizeof(n_c));
	pair_raw_get(&raw, GK_COAP_GET, "kdc-cred");
	assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 3, item), GK_OK);
	assert_int_equal(gk_ccs_read(item[0].string, &key), GK_OK);
	gk_pop_put_kdc(&pop, gk_span(n_c, 8), item[1].string);
	assert_int_equal(gk_verify(&key, gk_buf_span(&pop), item[2].string), GK_OK);
	assert_int_equal(pair_num(p), 0); // nobody is rekeyed for it
}

static void a_credential_that_is_refused_leaves_the_old_one(void **state)
{
	static const uint8_t old[8] = { 0 };
	static const struct {
		struct post post;
		int error;
	} rows[] = {
		{ { .key = 2 }, GK_ACE_ERROR_POP },
		{ { .no_evidence = true }, GK_ACE_ERROR_POP },
		{ { .scope = "82666c696768747304" }, GK_ACE_ERROR_POP },
		{ { .scope = "82666c69676874731802" }, GK_ACE_ERROR_POP }, // not as it was sent
		{ { .n_s = old }, GK_ACE_ERROR_POP },
		{ { .payload = "a3 0541a0 06480102030405060708 184102" }, -1 },
		{ { .payload = "a3 0541a0 06480102030405060708 18184102" },
		  GK_ACE_ERROR_CREDENTIAL },
		{ { .payload = "a3 0540 06480102030405060708 18184102" }, GK_ACE_ERROR_CREDENTIAL },
		{ { .payload = "a3 0541a0 0640 18184102" }, -1 }, // an empty nonce
		{ { .payload = "a3 0541a0 0601 18184102" }, -1 },
		{ { .payload = "a3 0541a0 065821 00000000000000000000000000000000 "
			       "0000000000000000000000000000000000 18184102" },
		  -1 }, // a nonce of 33 bytes
		{ { .payload = "a2 0541a0 18184102" }, -1 },
		{ { .payload = "a2 0541a0 06480102030405060708" }, -1 },
		{ { .payload = "a2 06480102030405060708 18184102" }, -1 },
		{ { .payload = "80" }, -1 },
		{ { .payload = "" }, -1 },
	};
	struct pair_raw raw;

	join(&raw, *state, 1, GK_ROLE_REQUESTER);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (post_cred(&raw, &rows[i].post) != GK_COAP_BAD_REQUEST ||
		    pair_raw_error(&raw) != rows[i].error)
			fail_msg("row %zu: %x, error %d", i, raw.answer.code, pair_raw_error(&raw));
		assert_true(is_listed(&raw, gk_span(raw.cred, raw.cred_len)));
	}
}

static void a_credential_is_replaced_only_by_its_member_that_may_have_one(void **state)
{
	struct pair *p = *state;
	struct gk_group_config inactive = pair_config(PAIR_LIGHTS);
	const struct post post = { 0 }, malformed = { .payload = "" };
	struct pair_raw member, monitor, outsider;

	join(&member, p, 1, GK_ROLE_REQUESTER);
	join(&monitor, p, 2, GK_ROLE_MONITOR);
	pair_raw_begin(&outsider, p, 3, all);
	assert_int_equal(post_cred(&outsider, &post), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&outsider), GK_ACE_ERROR_NOT_MEMBER);
	strcpy(monitor.node, "n1");
	assert_int_equal(post_cred(&monitor, &post), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&monitor), -1);
	inactive.active = false;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &inactive, p->now));
	// roles first, then activity, then what is wrong with the request
	strcpy(monitor.node, "n2");
	assert_int_equal(post_cred(&monitor, &malformed), GK_COAP_BAD_REQUEST);
	assert_int_equal(pair_raw_error(&monitor), GK_ACE_ERROR_ROLES);
	assert_int_equal(post_cred(&member, &malformed), GK_COAP_UNAVAILABLE);
	assert_int_equal(pair_raw_error(&member), GK_ACE_ERROR_INACTIVE);
	strcpy(member.node, "n1/cred/x");
	assert_int_equal(post_cred(&member, &post), GK_COAP_NOT_FOUND);
	assert_int_equal(pair_raw_get(&member, GK_COAP_GET, "nodes/n1/cred"), GK_COAP_NOT_ALLOWED);
}

/* Not the shortest encoding: [_ "lights", 2 in two bytes]. */
static void the_scope_counts_as_it_was_sent(void **state)
{
	static const char odd[] = "9f666c69676874731802ff";
	struct pair *p = *state;
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct post first = { .scope = odd };
	struct pair_raw raw;

	pair_raw_begin(&raw, p, 1, all);
	put_post(&buf, &raw, &first); // a Join Request is that and a scope
	bytes[0] = 0xa4;
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, hex_span(odd));
	assert_int_equal(
		pair_raw_ask(&raw, GK_COAP_POST, "ace-group/lights", -1, gk_buf_span(&buf)),
		GK_COAP_CREATED);
	strcpy(raw.node, "n1");
	for (int life = 0; life < 2; life++) {
		assert_int_equal(post_cred(&raw, &(struct post){ 0 }), GK_COAP_BAD_REQUEST);
		assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_POP);
		assert_int_equal(post_cred(&raw, &first), GK_COAP_CHANGED);
		if (!life) {
			pair_restart(p);
			synchronise(&raw);
		}
	}
}

/* Cut a record of form 5 back to what it was in form 3. */
static void age_members(struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		struct pair_record *record = &p->records[i];

		if (record->table != GK_TABLE_MEMBER)
			continue;
		assert_int_equal(record->value[0], 0x92);
		assert_int_equal(record->value[1], 5);
		record->value[0] = 0x90;
		record->value[1] = 3;
		record->value_len -= 1 + 9 + 1; // 49 82666c696768747302 f4
	}
}

static void a_member_of_an_older_store_replaces_its_credential_too(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	age_members(p);
	pair_restart(p);
	synchronise(&raw);
	assert_int_equal(post_cred(&raw, &(struct post){ 0 }), GK_COAP_CHANGED);
}

/* R 4.3.1: a client of which there is no kdcchallenge gets one, and goes on with that */
static void a_challenge_that_is_missing_is_made_and_kept(void **state)
{
	struct pair *p = *state;
	struct gk_client *client;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	for (int join_again = 0; join_again < 2; join_again++) {
		client = gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8));
		assert_non_null(client);
		client->assoc.challenge_len = 0;
		if (join_again)
			pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_REQUESTER, false);
		else
			post_cred(&raw, &(struct post){ 0 });
		assert_int_equal(raw.answer.code, GK_COAP_BAD_REQUEST);
		assert_int_equal(format_of(&raw), GK_CF_ACE_GROUPCOMM);
		assert_int_equal(raw.answer.payload.len, 12); // {30: 8 bytes}
		assert_memory_equal(raw.answer.payload.data, "\xa1\x18\x1e\x48", 4);
		memcpy(raw.challenge, raw.answer.payload.data + 4, 8);
		pair_restart(p);
		synchronise(&raw);
		if (join_again)
			assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_REQUESTER, false),
					 GK_COAP_CHANGED);
		else
			assert_int_equal(post_cred(&raw, &(struct post){ 0 }), GK_COAP_CHANGED);
	}
	// a monitor proves nothing, and needs none
	join(&raw, p, 2, GK_ROLE_MONITOR);
	client = gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8));
	client->assoc.challenge_len = 0;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_MONITOR, false), GK_COAP_CHANGED);
}

/* roots other than the usual ones */

static uint8_t ask_join(struct pair_raw *raw)
{
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_post(&buf, raw, &(struct post){ 0 });
	bytes[0] = 0xa4;
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, hex_span("82666c696768747302"));
	return pair_raw_ask(raw, GK_COAP_POST, "kdc/groups/lights", -1, gk_buf_span(&buf));
}

static void location_of(const struct pair_raw *raw, char *out)
{
	struct gk_coap_iter it = gk_coap_options(&raw->answer);

	for (*out = 0; gk_coap_next(&it);) {
		if (it.number == GK_OPT_LOCATION_PATH)
			out += sprintf(out, "/%.*s", (int)it.value.len,
				       (const char *)it.value.data);
	}
}

/* Members speak with it, hear what it says to the group, and what it says to them. */
static void members_follow_to_another_root(void **state)
{
	struct pair *p = *state;
	static const char *const paths[] = { "kdc/groups/lights/node/x", "kdc/groups/lights",
					     "ace-group/lights/node", "groups/lights/node" };
	struct gk_group_config tree = pair_tree_config("heat");
	struct gk_group_info info;
	struct pair_raw raw;
	size_t at = 0;

	p->group_path = "kdc/groups";
	p->authz_path = "kdc/authz";
	pair_restart(p);
	assert_int_equal(pair_serve(p, &tree), GK_OK);
	for (size_t i = 0; i < 3; i++) {
		pair_add(p, GK_ROLE_ALL);
		assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
		assert_int_equal(pair_join(p, i, "heat", 6), GK_OK);
		pair_run(p);
	}
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str("heat"), p->now));
	pair_run(p);
	pair_advance(p, 20000);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_group(p).confirmed, 3);
	// of the tree, all got it by the message to the group
	gk_kdc_group_next(p->kdc, &at, &info);
	if (!gk_span_equal(info.name, gk_span_str("heat")))
		gk_kdc_group_next(p->kdc, &at, &info);
	assert_true(gk_span_equal(info.name, gk_span_str("heat")));
	assert_int_equal(info.in_tree, 3);
	assert_int_equal(info.rekeying.confirmed, 3);
	assert_int_equal(info.rekeying.unicast, 0);
	for (size_t i = 0; i < ROWS(paths); i++) {
		uint8_t bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_DELETE);

		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(paths[i]));
		assert_int_equal(pair_forge_request(p, 0, gk_buf_span(&buf)), GK_COAP_NOT_FOUND);
	}
	pair_raw_open(&raw, p, 9, "raw9", NULL, &all, 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_NOT_FOUND); // to the usual path
}

static void the_groups_have_another_root(void **state)
{
	struct pair *p = *state;
	struct gk_id gid = gid_of(p, PAIR_LIGHTS);
	struct pair_raw raw;
	char location[80];

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	p->group_path = "kdc/groups";
	pair_restart(p);
	pair_raw_ask(&raw, GK_COAP_GET, "kdc/groups/lights/num", -1, gk_span(NULL, 0));
	struct gk_span echo;
	uint8_t request[64];
	struct gk_buf buf = gk_buf(request, sizeof(request));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

	assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("kdc/groups/lights/num"));
	gk_coap_put(&w, GK_OPT_ECHO, echo);
	assert_int_equal(pair_raw_ask_message(&raw, gk_buf_span(&buf)), GK_COAP_CONTENT);
	assert_int_equal(ask(&raw, GK_COAP_GET, "ace-group/lights/num", ""), GK_COAP_NOT_FOUND);
	assert_int_equal(ask(&raw, GK_COAP_GET, "kdc/lights/num", ""), GK_COAP_NOT_FOUND);
	assert_int_equal(ask(&raw, GK_COAP_GET, "kdc/groups", ""), GK_COAP_NOT_ALLOWED);
	assert_int_equal(ask(&raw, GK_COAP_GET, "kdc/groups/lights/nodes/n1", ""), GK_COAP_CONTENT);
	assert_int_equal(ask_join(&raw), GK_COAP_CHANGED);
	location_of(&raw, location);
	assert_string_equal(location, "/kdc/groups/lights/nodes/n1");
	// where probes go of who gave no control_uri
	struct gk_node *node = gk_group_node_named(gk_group_find(p->kdc, gk_span_str(PAIR_LIGHTS)),
						   gk_span_str("n1"));
	assert_true(gk_span_equal(gk_blob_span(&node->control_path),
				  gk_span_str("kdc/groups/lights/node")));
	uint8_t gids[32];
	struct gk_buf fetch = gk_buf(gids, sizeof(gids));

	gk_buf_add(&fetch, hex_span("a10081"));
	gk_put_bytes(&fetch, gk_id_span(&gid));
	pair_raw_ask(&raw, GK_COAP_FETCH, "kdc/groups", -1, gk_buf_span(&fetch));
	expect_names(&raw, &gid, "lights", "/kdc/groups/lights");
}

/* AS Request Creation Hints: RFC 9200 section 5.3 */

#define HINTS "a2 01 76 636f6170733a2f2f61732e6578616d706c652f746f6b 05 68 6761746577617964"

static void who_has_no_fitting_token_is_told_where_to_get_one(void **state)
{
	static const uint8_t plain[] = { GK_COAP_FETCH, 0xb9, 'a', 'c', 'e', '-',
					 'g',           'r',  'o', 'u', 'p' };
	struct pair *p = *state;
	struct pair_raw raw, member;

	p->as_uri = "coaps://as.example/tok";
	pair_restart(p);
	join(&member, p, 1, GK_ROLE_REQUESTER);
	pair_raw_begin(&raw, p, 2, verifier);
	for (int i = 0; i < 4; i++) {
		struct pair_raw *asks = i == 3 ? &member : &raw;

		if (i == 0) // without a token
			assert_int_equal(pair_raw_send(&raw, gk_span(plain, sizeof(plain))),
					 GK_COAP_UNAUTHORIZED);
		if (i == 1) // with one for another group
			assert_int_equal(ask(&raw, GK_COAP_GET, "ace-group/heat/num", ""),
					 GK_COAP_FORBIDDEN);
		if (i == 2) // with too few roles for the resource
			assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, ""), GK_COAP_FORBIDDEN);
		if (i == 3) {
			pair_drain_kdc(p, gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS),
						     gk_span_str("raw1"), p->now));
			assert_int_equal(pair_raw_get(&member, GK_COAP_POST, ""),
					 GK_COAP_FORBIDDEN);
		}
		assert_int_equal(format_of(asks), GK_CF_ACE);
		assert_hex_equal(asks->answer.payload, HINTS);
	}
	// what has an error-id keeps it, and another's node says nothing
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_NOT_MEMBER);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_gid_leads_to_a_group_of_the_token_and_to_no_other),
		RULE(only_the_present_gid_is_that_of_a_group),
		RULE(who_is_banned_learns_no_name),
		RULE(gids_that_are_none_are_a_bad_request),
		RULE(creds_are_chosen_by_roles_and_sender_ids),
		RULE(many_sender_ids_are_looked_up_whatever_their_order),
		RULE(a_verifier_gets_the_kdcs_signature_over_a_nonce_of_its_own),
		RULE(a_verifier_without_a_nonce_is_refused),
		RULE(verif_data_has_the_signature_encryption_key_and_no_master_secret),
		RULE(verif_data_names_the_algorithms_of_pairwise_mode_where_it_is_used),
		RULE(only_a_verifier_that_is_no_member_gets_a_verifiers_answers),
		RULE(where_nobody_signs_there_is_nothing_to_verify),
		RULE(who_may_only_verify_is_refused_elsewhere_without_a_word),
		RULE(policies_are_the_defaults_of_the_profile),
		RULE(a_request_says_what_it_is_and_what_it_wants),
		RULE(a_credential_is_replaced_and_the_nonce_of_the_join_stays),
		RULE(a_credential_that_is_refused_leaves_the_old_one),
		RULE(a_credential_is_replaced_only_by_its_member_that_may_have_one),
		RULE(the_scope_counts_as_it_was_sent),
		RULE(a_member_of_an_older_store_replaces_its_credential_too),
		RULE(a_challenge_that_is_missing_is_made_and_kept),
		RULE(members_follow_to_another_root),
		RULE(the_groups_have_another_root),
		RULE(who_has_no_fitting_token_is_told_where_to_get_one),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
