// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Groups that use group mode and pairwise mode, beside those that use one: what the KDC tells of
// each, byte for byte, and what a member makes of it.

#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Modes and algorithms, and what the KDC tells of a group "g1" of each: as in
 * tests/vectors/test_messages.c, and likewise for the others. NULL: that it does not have. */
static const struct row {
	enum gk_mode mode;
	int sign_alg;
	const char *sign_info, *ecdh_info; // arrays of one entry
	bool dh_creds;
	const char *head, *tail; // of the 'key' map: before contextId, and after it
} rows[] = {
	{ GK_MODE_BOTH, GK_ALG_EDDSA, "81856267312781018201060e", "8185626731381a81018201040e",
	  false, "03 05 04 0a", "08 0e 09 0a 0a 27 0b 828101820106 0c 381a 0d 828101820104" },
	{ GK_MODE_BOTH, GK_ALG_ES256, "8185626731268102820201 0e", "8185626731381a8102820201 0e",
	  false, "03 05 04 0a", "08 0e 09 0a 0a 26 0b 828102820201 0c 381a 0d 828102820201" },
	{ GK_MODE_GROUP, GK_ALG_EDDSA, "81856267312781018201060e", NULL, false, "03 05",
	  "08 0e 09 0a 0a 27 0b 828101820106" },
	{ GK_MODE_GROUP, GK_ALG_ES256, "81856267312681028202010e", NULL, false, "03 05",
	  "08 0e 09 0a 0a 26 0b 828102820201" },
	{ GK_MODE_PAIRWISE, GK_ALG_EDDSA, NULL, "8185626731381a81018201040e", true, "03 05 04 0a",
	  "08 0e 0c 381a 0d 828101820104" },
	{ GK_MODE_PAIRWISE, GK_ALG_ES256, NULL, "8185626731381a81028202010e", true, "03 05 04 0a",
	  "08 0e 0c 381a 0d 828102820201" },
};

static const uint32_t all = GK_ROLE_ALL;
static const char *const g1[] = { "g1" };

static bool has(const struct row *row)
{
	return gk_sign_curve(row->sign_alg) && gk_dh_curve(row->sign_alg);
}

static struct gk_group_config config_of(const struct row *row, const char *name)
{
	struct gk_group_config config = pair_tree_config(name);

	config.mode = row->mode;
	config.sign_alg = row->sign_alg;
	return config;
}

static void open_row(struct pair *p, const struct row *row)
{
	struct gk_group_config config = config_of(row, "g1");

	pair_open(p, 29);
	assert_int_equal(pair_serve(p, &config), GK_OK);
}

/* text and bytes to compare with */

static void add(struct gk_buf *buf, const char *hex)
{
	gk_buf_add(buf, hex_span(hex));
}

static void add_pair(struct gk_buf *buf, const char *label, const char *value)
{
	if (!value)
		return;
	add(buf, label);
	add(buf, value);
}

static struct gk_cbor_item pick(struct gk_span map, int label)
{
	struct gk_cbor_field field = { label, GK_CBOR_ANY, false };
	struct gk_cbor_item item;

	assert_int_equal(gk_cbor_read_map(map, &field, 1, &item), GK_OK);
	return item;
}

static void add_bytes(struct gk_buf *buf, const char *label, struct gk_span value)
{
	add(buf, label);
	gk_put_bytes(buf, value);
}

static void add_dh_creds(struct gk_buf *buf, const char *label, const struct pair *p,
			 const struct row *row)
{
	if (!row->dh_creds)
		return;
	add(buf, label);
	add(buf, "81 83 626731 0e");
	gk_put_bytes(buf, gk_kdc_dh_cred(p->kdc, row->sign_alg, GK_HEADER_KCCS));
}

static uint8_t count_infos(const struct row *row)
{
	return (uint8_t)((row->sign_info != NULL) + (row->ecdh_info != NULL) + row->dh_creds);
}

static void assert_same(struct gk_span got, const struct gk_buf *want)
{
	assert_int_equal(got.len, want->len);
	assert_memory_equal(got.data, want->data, want->len);
}

/* tests */

/* In ascending order of keys, with nonce2 and ace_server_recipientid of the OSCORE profile. */
static void the_token_response_has_an_entry_for_each_use(void **state)
{
	static struct pair p;
	struct pair_raw raw;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *row = &rows[i];
		uint8_t post_bytes[1024], bytes[1024];
		struct gk_buf post = gk_buf(post_bytes, sizeof(post_bytes));
		struct gk_buf want = gk_buf(bytes, sizeof(bytes));
		struct gk_span got;

		if (!has(row))
			continue;
		open_row(&p, row);
		pair_raw_open(&raw, &p, 1, "one", g1, &all, 1);
		add(&post, "a6 01");
		gk_put_bytes(&post, gk_span(raw.bundle.token, raw.bundle.token_len));
		add(&post, "1828 480101010101010101 182b 420102 182d f6 182f f6 1830 f6");
		assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&post)),
				 GK_COAP_CREATED);
		got = raw.answer.payload;
		gk_buf_byte(&want, (uint8_t)(0xa3 + count_infos(row)));
		add_bytes(&want, "182a", pick(got, GK_ACE_NONCE2).string);
		add_bytes(&want, "182c", pick(got, GK_ACE_SERVER_RECIPIENTID).string);
		add_pair(&want, "182d", row->sign_info);
		add_bytes(&want, "182e", pick(got, GK_ACE_KDCCHALLENGE).string);
		add_pair(&want, "182f", row->ecdh_info);
		add_dh_creds(&want, "1830", &p, row);
		assert_same(got, &want);
		assert_true(pair_close(&p));
	}
}

static void a_refused_join_tells_the_same(void **state)
{
	static struct pair p;
	struct pair_raw raw;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *row = &rows[i];
		uint8_t bytes[1024];
		struct gk_buf want = gk_buf(bytes, sizeof(bytes));

		if (!has(row))
			continue;
		open_row(&p, row);
		pair_raw_open(&raw, &p, 1, "one", g1, &all, 1);
		assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
		assert_int_equal(
			pair_raw_ask(&raw, GK_COAP_POST, "ace-group/g1", -1, gk_span(NULL, 0)),
			GK_COAP_BAD_REQUEST);
		gk_buf_byte(&want, (uint8_t)(0xa0 + count_infos(row)));
		add_pair(&want, "181d", row->sign_info);
		add_pair(&want, "181f", row->ecdh_info);
		add_dh_creds(&want, "1820", &p, row);
		assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_CONTENT_FORMAT, -1),
				 GK_CF_ACE_GROUPCOMM);
		assert_same(raw.answer.payload, &want);
		assert_true(pair_close(&p));
	}
}

/* P 6.3: which keys the map has in which mode. */
static void assert_key_map(struct gk_span got, const struct row *row)
{
	uint8_t bytes[512];
	struct gk_buf want = gk_buf(bytes, sizeof(bytes));
	struct gk_span sid = pick(got, GK_OSC_GROUP_SENDER_ID).string;
	size_t pairs = row->mode == GK_MODE_BOTH ? 10 : 7;

	gk_put_map(&want, pairs + (sid.len != 0));
	add_bytes(&want, "02", pick(got, GK_OSC_MS).string);
	add(&want, row->head);
	add_bytes(&want, "06", pick(got, GK_OSC_CONTEXT_ID).string);
	if (sid.len)
		add_bytes(&want, "07", sid);
	add(&want, row->tail);
	assert_same(got, &want);
}

static const struct pair_message *join_response(const struct pair *p)
{
	const struct pair_message *m = pair_newest(p, PAIR_REPLY, PAIR_KDC, 0);

	assert_non_null(m);
	assert_int_equal(m->plain.data[0], GK_COAP_CREATED);
	return m;
}

static struct gk_membership_info info_of(const struct pair *p, size_t i)
{
	struct gk_membership_info info;

	assert_int_equal(gk_member_info(p->node[i].member, gk_span_str("g1"), &info), GK_OK);
	return info;
}

static struct gk_group_info group_of(const struct pair *p)
{
	struct gk_group_info info;
	size_t at = 0;

	assert_true(gk_kdc_group_next(p->kdc, &at, &info));
	return info;
}

static void join_one(struct pair *p)
{
	size_t i = pair_add(p, 6);

	assert_int_equal(pair_join(p, i, "g1", 6), GK_OK);
	pair_run(p);
	assert_true(info_of(p, i).joined);
}

static void the_key_map_has_the_algorithms_of_the_mode(void **state)
{
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_coap msg;

		if (!has(&rows[i]))
			continue;
		open_row(&p, &rows[i]);
		join_one(&p);
		assert_int_equal(gk_coap_parse(join_response(&p)->plain, &msg), GK_OK);
		assert_key_map(pick(msg.payload, GK_PARAM_KEY).encoded, &rows[i]);
		assert_true(pair_close(&p));
	}
}

/* A key for key agreement of its own is the KDC's in pairwise-only groups alone. */
static void a_group_of_both_modes_needs_no_credential_for_key_agreement(void **state)
{
	static struct pair p;

	(void)state;
	open_row(&p, &rows[1]);
	assert_int_equal(gk_kdc_dh_key(p.kdc, GK_ALG_ES256)->pub.crv, 0);
	assert_int_equal(gk_kdc_dh_cred(p.kdc, GK_ALG_ES256, GK_HEADER_KCCS).len, 0);
	assert_true(pair_close(&p));
}

static void one_post_asks_about_groups_of_all_modes(void **state)
{
	static const char *const names[] = { "both", "group", "pair" };
	static const enum gk_mode modes[] = { GK_MODE_BOTH, GK_MODE_GROUP, GK_MODE_PAIRWISE };
	static const uint32_t roles[] = { GK_ROLE_ALL, GK_ROLE_ALL, GK_ROLE_ALL };
	static struct pair p;
	uint8_t post_bytes[1024];
	struct gk_buf post = gk_buf(post_bytes, sizeof(post_bytes));
	struct pair_raw raw;

	(void)state;
	pair_open(&p, 31);
	for (size_t i = 0; i < ROWS(names); i++) {
		struct gk_group_config config = pair_config(names[i]);

		config.mode = modes[i];
		assert_int_equal(pair_serve(&p, &config), GK_OK);
	}
	pair_raw_open(&raw, &p, 1, "one", names, roles, ROWS(names));
	add(&post, "a6 01");
	gk_put_bytes(&post, gk_span(raw.bundle.token, raw.bundle.token_len));
	add(&post, "1828 480101010101010101 182b 420102 182d f6 182f f6 1830 f6");
	assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&post)),
			 GK_COAP_CREATED);
	assert_hex_equal(pick(raw.answer.payload, GK_ACE_SIGN_INFO).encoded,
			 "82 8564626f7468 26 8102820201 0e 856567726f7570 26 8102820201 0e");
	assert_hex_equal(pick(raw.answer.payload, GK_ACE_ECDH_INFO).encoded,
			 "82 8564626f7468 381a 8102820201 0e 856470616972 381a 8102820201 0e");
	assert_hex_equal(gk_span_sub(pick(raw.answer.payload, GK_ACE_KDC_DH_CREDS).encoded, 0, 8),
			 "81 83 6470616972 0e");
	assert_true(pair_close(&p));
}

static void members_of_a_group_of_both_modes_join_speak_and_are_rekeyed(void **state)
{
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!has(&rows[i]) || rows[i].mode != GK_MODE_BOTH)
			continue;
		open_row(&p, &rows[i]);
		join_one(&p);
		join_one(&p);
		pair_advance(&p, 30000);
		assert_int_equal(pair_say(&p, 0, "g1", "hello"), GK_OK);
		pair_run(&p);
		assert_int_equal(pair_heard(&p, 1, "hello"), 1);
		pair_restart(&p);
		assert_int_equal(group_of(&p).mode, GK_MODE_BOTH);
		assert_int_equal(gk_kdc_rekey(p.kdc, gk_span_str("g1"), p.now), GK_OK);
		pair_drain_kdc(&p, GK_OK);
		pair_advance(&p, 60000);
		assert_true(info_of(&p, 0).num == group_of(&p).num);
		assert_true(info_of(&p, 1).num == group_of(&p).num);
		assert_int_equal(pair_say(&p, 1, "g1", "again"), GK_OK);
		pair_run(&p);
		assert_int_equal(pair_heard(&p, 0, "again"), 1);
		assert_true(pair_close(&p));
	}
}

static void a_member_has_the_algorithms_of_both_modes(void **state)
{
	static struct pair p;
	struct gk_membership *ms;

	(void)state;
	open_row(&p, &rows[1]);
	join_one(&p);
	ms = p.node[0].member->groups[0];
	assert_non_null(ms->common.enc);
	assert_non_null(ms->common.aead);
	assert_int_equal(ms->common.sign_alg, GK_ALG_ES256);
	assert_int_equal(ms->common.ecdh_alg, GK_ALG_ECDH_SS_HKDF_256);
	assert_true(pair_close(&p));
}

static bool lose_join_response(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REPLY || m->from != PAIR_KDC || !m->plain.len ||
	       m->plain.data[0] != GK_COAP_CREATED || m->plain.len < 200;
}

/* Its keys would fit nobody's: on another curve, or by another algorithm. */
static void a_member_takes_no_key_agreement_but_its_own(void **state)
{
	static const struct {
		const char *was;
		size_t at;
		uint8_t byte;
	} changes[] = {
		{ "0c 38 1a 0d 828102820201", 2, 0x1b }, // ECDH-SS+HKDF-512
		{ "0c 38 1a 0d 828102820201", 9, 0x02 }, // P-384
		{ "0c 38 1a 0d 828102820201", 0, 0x0d }, // no algorithm
		{ "0c 38 1a 0d 828102820201", 3, 0x0c }, // no parameters
		{ "0c 38 1a 0d 828102820201", 4, 0x81 }, // malformed ones
	};

	(void)state;
	for (size_t i = 0; i < ROWS(changes); i++) {
		static struct pair p;
		struct gk_span was = hex_span(changes[i].was);
		static uint8_t copy[2048];
		const struct pair_message *m;
		size_t at = 0;

		open_row(&p, &rows[1]);
		pair_add(&p, 6);
		p.pass = lose_join_response;
		assert_int_equal(pair_join(&p, 0, "g1", 6), GK_OK);
		pair_run(&p);
		p.pass = NULL;
		m = join_response(&p);
		assert_true(m->plain.len <= sizeof(copy));
		memcpy(copy, m->plain.data, m->plain.len);
		while (at + was.len < m->plain.len && memcmp(copy + at, was.data, was.len) != 0)
			at++;
		assert_true(at + was.len < m->plain.len);
		copy[at + changes[i].at] = changes[i].byte;
		pair_forge_answer(&p, 0, gk_span(copy, m->plain.len));
		assert_false(info_of(&p, 0).joined);
		assert_non_null(pair_note(&p, 0, GK_NOTE_ERROR));
		assert_true(pair_close(&p));
	}
}

static void the_mode_stays_while_there_are_members(void **state)
{
	static struct pair p;
	struct gk_group_config other;

	(void)state;
	open_row(&p, &rows[1]);
	other = p.config[0];
	other.mode = (enum gk_mode)(GK_MODE_BOTH + 1);
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_ERR_RANGE);
	other.mode = GK_MODE_GROUP;
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_OK);
	join_one(&p);
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_ERR_FORBIDDEN);
	other.mode = GK_MODE_PAIRWISE;
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_ERR_FORBIDDEN);
	assert_int_equal(pair_leave(&p, 0, "g1"), GK_OK);
	pair_advance(&p, 30000);
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_OK);
	assert_true(pair_close(&p));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_token_response_has_an_entry_for_each_use),
		cmocka_unit_test(a_refused_join_tells_the_same),
		cmocka_unit_test(the_key_map_has_the_algorithms_of_the_mode),
		cmocka_unit_test(a_group_of_both_modes_needs_no_credential_for_key_agreement),
		cmocka_unit_test(one_post_asks_about_groups_of_all_modes),
		cmocka_unit_test(members_of_a_group_of_both_modes_join_speak_and_are_rekeyed),
		cmocka_unit_test(a_member_has_the_algorithms_of_both_modes),
		cmocka_unit_test(a_member_takes_no_key_agreement_but_its_own),
		cmocka_unit_test(the_mode_stays_while_there_are_members),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
