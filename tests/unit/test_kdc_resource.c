// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/block.h"
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

static const uint32_t all = GK_ROLE_ALL;
static const uint32_t verifier = GK_ROLE_VERIFIER;

static int open_pair(void **state)
{
	return pair_begin(state, 3, NULL);
}

static void join(struct pair_raw *raw, struct pair *p, unsigned number, uint32_t roles)
{
	pair_raw_begin(raw, p, number, all);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, roles, false), GK_COAP_CREATED);
}

/* who may do what: R 4.1.2, P 8.5 */

enum who { NOBODY, STRANGER, VERIFIER, MONITOR, MEMBER, WHO };

static void each_resource_serves_whom_the_profile_says(void **state)
{
	// codes for: unprotected, a token without the group, verifier (of whose paths there are
	// four, P 8.5.1), monitor, member
	static const struct {
		const char *path;
		uint8_t method;
		uint8_t code[WHO];
	} rows[] = {
		{ "", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "", GK_COAP_POST, { 0x81, 0x83, 0x83, 0x80, 0x80 } },
		{ "", GK_COAP_PUT, { 0x81, 0x83, 0x83, 0x85, 0x85 } },
		{ "active", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "creds", GK_COAP_GET, { 0x81, 0x83, 0x45, 0x45, 0x45 } },
		{ "creds", GK_COAP_FETCH, { 0x81, 0x83, 0x80, 0x80, 0x80 } },
		{ "creds", GK_COAP_PUT, { 0x81, 0x83, 0x85, 0x85, 0x85 } },
		{ "kdc-cred", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "kdc-cred", GK_COAP_FETCH, { 0x81, 0x83, 0x80, 0x83, 0x83 } },
		{ "kdc-cred", GK_COAP_POST, { 0x81, 0x83, 0x85, 0x85, 0x85 } },
		{ "policies", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "verif-data", GK_COAP_GET, { 0x81, 0x83, 0x45, 0x83, 0x83 } },
		{ "verif-data", GK_COAP_FETCH, { 0x81, 0x83, 0x85, 0x85, 0x85 } },
		{ "num", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "num", GK_COAP_POST, { 0x81, 0x83, 0x83, 0x85, 0x85 } },
		{ "stale-sids", GK_COAP_FETCH, { 0x81, 0x83, 0x83, 0x80, 0x80 } },
		{ "*", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x45, 0x45 } },
		{ "*", GK_COAP_POST, { 0x81, 0x83, 0x83, 0x80, 0x44 } },
		{ "*", GK_COAP_PUT, { 0x81, 0x83, 0x83, 0x85, 0x85 } },
		{ "*/cred", GK_COAP_POST, { 0x81, 0x83, 0x83, 0x80, 0x80 } },
		{ "*/cred", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x85, 0x85 } },
		{ "nodes/n99", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x83, 0x83 } },
		{ "nodes/n99", GK_COAP_DELETE, { 0x81, 0x83, 0x83, 0x83, 0x83 } },
		{ "nodes", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x84, 0x84 } },
		{ "unheard-of", GK_COAP_GET, { 0x81, 0x83, 0x83, 0x84, 0x84 } },
		{ "*/cred/and/even/more/of/it", GK_COAP_GET, { 0x84, 0x84, 0x84, 0x84, 0x84 } },
		{ "*", GK_COAP_DELETE, { 0x81, 0x83, 0x83, 0x42, 0x42 } },
	};
	static const char *const heat[] = { "heat" };
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	static struct pair_raw raw[WHO];

	assert_int_equal(pair_serve(p, &config), GK_OK);
	pair_raw_open(&raw[STRANGER], p, 1, "stranger", heat, &all, 1);
	pair_raw_post(&raw[STRANGER]);
	strcpy(raw[STRANGER].group, PAIR_LIGHTS);
	strcpy(raw[STRANGER].node, "n1");
	pair_raw_begin(&raw[VERIFIER], p, 2, verifier);
	join(&raw[MONITOR], p, 3, GK_ROLE_MONITOR);
	join(&raw[MEMBER], p, 4, GK_ROLE_REQUESTER | GK_ROLE_RESPONDER);
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (enum who who = STRANGER; who < WHO; who++) {
			uint8_t code = pair_raw_get(&raw[who], rows[i].method, rows[i].path);

			if (code != rows[i].code[who] || !raw[who].is_protected)
				fail_msg("%d %s of %d: %x, not %x", rows[i].method, rows[i].path,
					 who, code, rows[i].code[who]);
		}
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w = gk_coap_begin(&buf, rows[i].method);
		char path[100];

		snprintf(path, sizeof(path), "ace-group/lights/%s", rows[i].path);
		gk_coap_put_path(&w, GK_OPT_URI_PATH,
				 gk_span_str(rows[i].path[0] ? path : "ace-group/lights"));
		assert_int_equal(pair_raw_send(&raw[STRANGER], gk_buf_span(&buf)),
				 rows[i].code[NOBODY]);
	}
}

static void who_is_no_member_is_told_so(void **state)
{
	static const struct {
		const char *path;
		uint8_t method;
		int error;
	} rows[] = {
		{ "", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "num", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "kdc-cred", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "stale-sids", GK_COAP_FETCH, GK_ACE_ERROR_NOT_MEMBER },
		{ "policies", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "active", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "*", GK_COAP_GET, GK_ACE_ERROR_NOT_MEMBER },
		{ "*", GK_COAP_POST, GK_ACE_ERROR_NOT_MEMBER },
		{ "*", GK_COAP_DELETE, GK_ACE_ERROR_NOT_MEMBER },
	};
	struct pair *p = *state;
	struct pair_raw raw, member;

	pair_raw_begin(&raw, p, 1, all);
	for (size_t i = 0; i < ROWS(rows); i++) {
		pair_raw_get(&raw, rows[i].method, rows[i].path);
		if (pair_raw_error(&raw) != rows[i].error)
			fail_msg("row %zu: %d", i, pair_raw_error(&raw));
	}
	// another's node: 4.03 without an error-id (R 4.8)
	join(&member, p, 2, GK_ROLE_REQUESTER);
	assert_int_equal(pair_raw_get(&member, GK_COAP_GET, "nodes/n99"), GK_COAP_FORBIDDEN);
	assert_int_equal(member.answer.payload.len, 0);
	// roles that do not renew: error 1
	join(&raw, p, 3, GK_ROLE_MONITOR);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_BAD_REQUEST);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_ROLES);
}

static void a_critical_option_that_is_unknown_is_a_bad_option(void **state)
{
	static const struct {
		uint16_t number;
		uint8_t code;
	} rows[] = {
		{ GK_OPT_IF_MATCH, GK_COAP_BAD_OPTION }, { 29, GK_COAP_BAD_OPTION },
		{ 65001, GK_COAP_BAD_OPTION },           { 65000, GK_COAP_CONTENT },
		{ GK_OPT_SIZE1, GK_COAP_CONTENT },       { GK_OPT_NO_RESPONSE, GK_COAP_CONTENT },
		{ GK_OPT_REQUEST_TAG, GK_COAP_CONTENT }, { GK_OPT_ACCEPT, GK_COAP_NOT_ACCEPTABLE },
		{ GK_OPT_URI_HOST, GK_COAP_CONTENT },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

		if (rows[i].number < GK_OPT_URI_PATH)
			gk_coap_put(&w, rows[i].number, gk_span_str("x"));
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
		if (rows[i].number > GK_OPT_URI_PATH)
			gk_coap_put(&w, rows[i].number, gk_span_str("x"));
		if (pair_raw_ask_message(&raw, gk_buf_span(&buf)) != rows[i].code)
			fail_msg("option %u: %x", rows[i].number, raw.answer.code);
	}
}

/* material */

static void material_for_a_member_has_its_sender_id_and_that_of_the_group_has_none(void **state)
{
	static const struct {
		uint32_t roles;
		const char *path;
		const char *sid; // label 7 in the key map, or NULL
	} rows[] = {
		{ GK_ROLE_REQUESTER, "", NULL },
		{ GK_ROLE_REQUESTER, "*", "4100" },
		{ GK_ROLE_MONITOR, "*", NULL },
	};
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_GKTY, GK_CBOR_UINT, true },    { GK_PARAM_KEY, GK_CBOR_MAP, true },
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },     { GK_PARAM_EXI, GK_CBOR_UINT, true },
		{ GK_PARAM_PROFILE, GK_CBOR_UINT, true }, { GK_PARAM_EXP, GK_CBOR_UINT, true },
	};
	static const struct gk_cbor_field sid_field = { GK_OSC_GROUP_SENDER_ID, GK_CBOR_BYTES,
							false };
	struct pair *p = *state;

	for (unsigned i = 0; i < ROWS(rows); i++) {
		struct gk_cbor_item item[ROWS(fields)], sid;
		struct pair_raw raw;

		join(&raw, p, i + 1, rows[i].roles);
		p->now.mono.ms += 100000;
		p->now.utc.s += 100;
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, rows[i].path), GK_COAP_CONTENT);
		assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_CONTENT_FORMAT, -1),
				 GK_CF_ACE_GROUPCOMM);
		assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, ROWS(fields), item),
				 GK_OK);
		assert_int_equal(gk_cbor_read_map(item[1].encoded, &sid_field, 1, &sid), GK_OK);
		if (rows[i].roles == GK_ROLE_REQUESTER && rows[i].sid)
			assert_int_equal(sid.string.len, 1);
		else
			assert_int_equal(sid.kind, GK_CBOR_NONE);
		assert_int_equal(item[3].number, 2 * 86400 - 100); // exi counts from now
		assert_int_equal(item[2].number, pair_num(p));
	}
}

static void num_is_one_cbor_integer(void **state)
{
	struct pair_raw raw;

	join(&raw, *state, 1, GK_ROLE_REQUESTER);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_hex_equal(raw.answer.payload, "00");
	assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_CONTENT_FORMAT, -1), GK_CF_CBOR);
}

static void kdc_cred_proves_the_key_over_the_nonce_of_the_latest_join(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KDC_CRED, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, true },
		{ GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, true },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	for (int round = 0; round < 3; round++) {
		struct gk_cbor_item item[3];
		struct gk_public_key key;
		uint8_t bytes[64], n_c[8];
		struct gk_buf pop = gk_buf(bytes, sizeof(bytes));

		if (round == 1) // of a re-join: a newer nonce
			pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_REQUESTER, false);
		if (round == 2) { // and it outlives a restart
			pair_restart(p);
			pair_raw_get(&raw, GK_COAP_GET, "num");
			struct gk_span echo;
			uint8_t request[64];
			struct gk_buf buf = gk_buf(request, sizeof(request));
			struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

			assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
			gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
			gk_coap_put(&w, GK_OPT_ECHO, echo);
			assert_int_equal(pair_raw_ask_message(&raw, gk_buf_span(&buf)),
					 GK_COAP_CONTENT);
		}
		memset(n_c, raw.cnonce, sizeof(n_c));
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "kdc-cred"), GK_COAP_CONTENT);
		assert_int_equal(gk_cbor_read_map(raw.answer.payload, fields, 3, item), GK_OK);
		assert_int_equal(gk_ccs_read(item[0].string, &key), GK_OK);
		gk_pop_put_kdc(&pop, gk_span(n_c, 8), item[1].string);
		assert_int_equal(gk_verify(&key, gk_buf_span(&pop), item[2].string), GK_OK);
	}
}

static void creds_lists_every_member_with_a_credential(void **state)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
		{ GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
		{ GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
		{ GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
	};
	struct pair *p = *state;
	struct gk_cbor_item item[4];
	struct pair_raw monitor, a, b, outside;
	struct gk_cbor c;

	join(&monitor, p, 1, GK_ROLE_MONITOR);
	assert_int_equal(pair_raw_get(&monitor, GK_COAP_GET, "creds"), GK_COAP_CONTENT);
	assert_hex_equal(monitor.answer.payload, "40"); // nobody has one
	join(&a, p, 2, GK_ROLE_REQUESTER);
	join(&b, p, 3, GK_ROLE_RESPONDER);
	pair_raw_begin(&outside, p, 4, verifier);
	assert_int_equal(pair_raw_get(&outside, GK_COAP_GET, "creds"), GK_COAP_CONTENT);
	assert_int_equal(gk_cbor_read_map(outside.answer.payload, fields, 4, item), GK_OK);
	assert_int_equal(item[0].number, 2);
	assert_hex_equal(item[2].encoded, "820204");
	assert_hex_equal(item[3].encoded, "8241004101");
	c = gk_cbor(item[1].encoded);
	gk_cbor_array_of(&c, 2);
	assert_true(gk_span_equal(gk_cbor_bytes(&c), gk_span(a.cred, a.cred_len)));
	assert_true(gk_span_equal(gk_cbor_bytes(&c), gk_span(b.cred, b.cred_len)));
}

/* stale-sids: P 11.3.1 */

static void fetch_stale(struct pair_raw *raw, const char *version)
{
	pair_raw_ask(raw, GK_COAP_FETCH, "ace-group/lights/stale-sids", GK_CF_CBOR,
		     hex_span(version));
}

static void stale_sids_gives_the_union_of_the_newest_sets(void **state)
{
	static const struct {
		const char *version;
		uint8_t code;
		const char *ids; // NULL: no payload
	} rows[] = {
		{ "07", GK_COAP_BAD_REQUEST, NULL },
		{ "08", GK_COAP_BAD_REQUEST, NULL },
		{ "06", GK_COAP_CONTENT, "814103" },
		{ "05", GK_COAP_CONTENT, "83410141024103" },
		{ "04", GK_COAP_CONTENT, NULL },
		{ "00", GK_COAP_CONTENT, NULL },
		{ "20", GK_COAP_BAD_REQUEST, NULL },
		{ "", GK_COAP_BAD_REQUEST, NULL },
		{ "6106", GK_COAP_BAD_REQUEST, NULL },
		{ "0600", GK_COAP_BAD_REQUEST, NULL },
		{ "1b000000ff00000006", GK_COAP_BAD_REQUEST, NULL },
	};
	struct pair *p = *state;
	struct pair_raw raw, leaver;

	join(&raw, p, 1, GK_ROLE_REQUESTER); // 0
	while (pair_num(p) < 4) {
		assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
		pair_drain_kdc(p, GK_OK);
	}
	join(&leaver, p, 2, GK_ROLE_REQUESTER);     // 01, num 5
	pair_raw_get(&leaver, GK_COAP_POST, "*");   // 01 -> 02 in version 5
	pair_raw_get(&leaver, GK_COAP_DELETE, "*"); // 02
	pair_advance(p, 1000);                      // num 6
	join(&leaver, p, 3, GK_ROLE_REQUESTER);     // 03, num 7
	assert_int_equal(pair_num(p), 7);
	// and 03 is stale in version 7
	pair_raw_get(&leaver, GK_COAP_POST, "*");
	for (size_t i = 0; i < ROWS(rows); i++) {
		fetch_stale(&raw, rows[i].version);
		if (raw.answer.code != rows[i].code)
			fail_msg("version %s: %x", rows[i].version, raw.answer.code);
		if (rows[i].ids)
			assert_hex_equal_row(raw.answer.payload, rows[i].ids, rows[i].version);
		else
			assert_int_equal(raw.answer.payload.len, 0);
	}
}

static void nobody_stale_is_an_empty_array_and_no_empty_payload(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	fetch_stale(&raw, "00");
	assert_hex_equal(raw.answer.payload, "80");
}

/* changing */

static void a_renewal_gives_another_sender_id_and_keeps_num(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	for (int i = 1; i <= 3; i++) {
		static const char *const answers[] = { "", "a1154101", "a1154102", "a1154103" };

		assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
		assert_hex_equal(raw.answer.payload, answers[i]);
		pair_restart(p); // the ids given back stay taken
		pair_raw_get(&raw, GK_COAP_GET, "num");
		raw.ctx.window = (struct gk_window){ 0 };
		struct gk_span echo;
		uint8_t request[64];
		struct gk_buf buf = gk_buf(request, sizeof(request));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

		assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
		gk_coap_put(&w, GK_OPT_ECHO, echo);
		pair_raw_ask_message(&raw, gk_buf_span(&buf));
		assert_hex_equal(raw.answer.payload, "00");
	}
}

static void a_member_leaves_and_can_join_again_with_the_same_token(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw, other;

	join(&other, p, 2, GK_ROLE_REQUESTER);
	join(&raw, p, 1, GK_ROLE_REQUESTER);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	assert_int_equal(raw.answer.payload.len, 0);
	assert_false(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_NOT_MEMBER);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_REQUESTER, false),
			 GK_COAP_CREATED);
	assert_string_equal(raw.node, "n3"); // names are not given out twice
}

/* blocks */

static uint8_t ask_block(struct pair_raw *raw, const char *path, uint32_t num, uint8_t szx)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	gk_coap_put_uint(&w, GK_OPT_BLOCK2, num << 4 | szx);
	return pair_raw_ask_message(raw, gk_buf_span(&buf));
}

static void an_answer_comes_in_blocks_of_the_size_that_was_asked_for(void **state)
{
	struct pair *p = *state;
	uint8_t whole[1024], parts[1024];
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	for (uint8_t szx = 0; szx <= 2; szx++) {
		size_t len, got = 0;
		struct gk_block block = { .more = true };

		pair_raw_get(&raw, GK_COAP_GET, "creds");
		len = raw.answer.payload.len;
		memcpy(whole, raw.answer.payload.data, len);
		for (uint32_t num = 0; block.more; num++) {
			assert_int_equal(ask_block(&raw, "ace-group/lights/creds", num, szx),
					 GK_COAP_CONTENT);
			assert_int_equal(gk_block_read(&raw.answer, GK_OPT_BLOCK2, &block), GK_OK);
			assert_int_equal(block.num, num);
			assert_int_equal(block.szx, szx);
			assert_true(raw.answer.payload.len <= gk_block_size(szx));
			memcpy(parts + got, raw.answer.payload.data, raw.answer.payload.len);
			got += raw.answer.payload.len;
		}
		assert_int_equal(got, len);
		assert_memory_equal(parts, whole, len);
	}
}

static void a_block_of_nothing_that_is_under_way_is_incomplete(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p, 1, GK_ROLE_REQUESTER);
	assert_int_equal(ask_block(&raw, "ace-group/lights/creds", 1, 0), GK_COAP_INCOMPLETE);
	assert_int_equal(ask_block(&raw, "ace-group/lights/creds", 0, 0), GK_COAP_CONTENT);
	// of another resource
	assert_int_equal(ask_block(&raw, "ace-group/lights/kdc-cred", 1, 0), GK_COAP_INCOMPLETE);
	// behind its end
	assert_int_equal(ask_block(&raw, "ace-group/lights/creds", 1000, 0), GK_COAP_INCOMPLETE);
	assert_int_equal(ask_block(&raw, "ace-group/lights/creds", 0xfffff, 6), GK_COAP_INCOMPLETE);
	assert_int_equal(ask_block(&raw, "ace-group/lights/creds", 1, 0), GK_COAP_CONTENT);
}

static void who_is_banned_does_not_get_the_rest_of_an_answer(void **state)
{
	static const char path[] = "ace-group/lights/creds";
	struct pair *p = *state;
	struct pair_raw member, outsider, other;
	struct pair_raw *const banned[] = { &member, &outsider };

	join(&member, p, 1, GK_ROLE_REQUESTER);
	pair_raw_begin(&outsider, p, 2, verifier);
	join(&other, p, 3, GK_ROLE_REQUESTER);
	assert_int_equal(ask_block(&other, path, 0, 0), GK_COAP_CONTENT);
	for (size_t i = 0; i < ROWS(banned); i++) {
		const char *name = i ? "raw2" : "raw1";

		assert_int_equal(ask_block(banned[i], path, 0, 0), GK_COAP_CONTENT);
		assert_int_equal(ask_block(banned[i], path, 1, 0), GK_COAP_CONTENT);
		pair_drain_kdc(
			p, gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now));
		assert_int_equal(ask_block(banned[i], path, 2, 0), GK_COAP_INCOMPLETE);
		assert_int_equal(ask_block(banned[i], path, 0, 0), GK_COAP_FORBIDDEN);
	}
	assert_int_equal(ask_block(&other, path, 1, 0), GK_COAP_CONTENT);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(each_resource_serves_whom_the_profile_says),
		RULE(who_is_no_member_is_told_so),
		RULE(a_critical_option_that_is_unknown_is_a_bad_option),
		RULE(material_for_a_member_has_its_sender_id_and_that_of_the_group_has_none),
		RULE(num_is_one_cbor_integer),
		RULE(kdc_cred_proves_the_key_over_the_nonce_of_the_latest_join),
		RULE(creds_lists_every_member_with_a_credential),
		RULE(stale_sids_gives_the_union_of_the_newest_sets),
		RULE(nobody_stale_is_an_empty_array_and_no_empty_payload),
		RULE(a_renewal_gives_another_sender_id_and_keeps_num),
		RULE(a_member_leaves_and_can_join_again_with_the_same_token),
		RULE(an_answer_comes_in_blocks_of_the_size_that_was_asked_for),
		RULE(a_block_of_nothing_that_is_under_way_is_incomplete),
		RULE(who_is_banned_does_not_get_the_rest_of_an_answer),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
