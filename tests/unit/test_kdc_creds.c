// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Groups whose credentials are not CCS: both ends.

#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"
#include "libgroupkey/x509.h"

#include "tests/lib/certs.h"
#include "tests/lib/hex.h"
#include "tests/lib/issue.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define MEMBERS     3

/** What members of a group are issued. */
struct issued {
	uint8_t bytes[GK_CRED_WIRE_MAX], key[32];
	struct gk_member_cred cred;
};

static struct pair p;
static struct gk_key_pair issuer, stranger;
static uint8_t issuer_bytes[512];
static struct gk_span issuers;
static struct issued issued[MEMBERS];

/** Formats, modes and algorithms. */
struct row {
	int fmt;
	enum gk_mode mode;
	int sign_alg;
};
static const struct row rows[] = {
	{ GK_HEADER_KCWT, GK_MODE_GROUP, GK_ALG_ES256 },
	{ GK_HEADER_KCWT, GK_MODE_BOTH, GK_ALG_EDDSA },
	{ GK_HEADER_KCWT, GK_MODE_PAIRWISE, GK_ALG_ES256 },
	{ GK_HEADER_KCWT, GK_MODE_PAIRWISE, GK_ALG_EDDSA },
	{ GK_HEADER_X5CHAIN, GK_MODE_GROUP, GK_ALG_ES256 },
	{ GK_HEADER_X5BAG, GK_MODE_BOTH, GK_ALG_ES256 },
	{ GK_HEADER_X5CHAIN, GK_MODE_PAIRWISE, GK_ALG_ES256 },
};

static int curve_of(const struct row *row)
{
	return row->mode == GK_MODE_PAIRWISE ? gk_dh_curve(row->sign_alg)
					     : gk_sign_curve(row->sign_alg);
}

static bool has(const struct row *row)
{
	return gk_sign_curve(row->sign_alg) && gk_dh_curve(row->sign_alg) &&
	       gk_cred_has_curve(row->fmt, curve_of(row));
}

static bool is_x509(const struct row *row)
{
	return row->fmt == GK_HEADER_X5CHAIN || row->fmt == GK_HEADER_X5BAG;
}

/* Of the nodes 0 to 2: with the CA that is between the root and it, in its place, or in a bag
 * before it; and one alone that the root has certified itself. The first is for any use. */
static void put_certs(struct gk_buf *buf, size_t i, const struct row *row)
{
	const char *node = i == 0 ? CERT_NODE_0 : CERT_NODE_1;

	if (i == 2 || row->mode == GK_MODE_PAIRWISE) {
		gk_buf_add(buf, hex_span(i == 2 ? CERT_NODE_2 : CERT_NODE_AGREES));
		return;
	}
	gk_put_array(buf, 2);
	gk_put_bytes(buf, hex_span(row->fmt == GK_HEADER_X5BAG ? CERT_INTER : node));
	gk_put_bytes(buf, hex_span(row->fmt == GK_HEADER_X5BAG ? node : CERT_INTER));
}

static void issue(size_t i, const struct row *row, const struct gk_key_pair *by)
{
	struct gk_key_pair key;
	struct gk_buf buf = gk_buf(issued[i].bytes, sizeof(issued[i].bytes));

	/* there is one certificate for key agreement: two members have the same */
	key = issue_key(curve_of(row),
			(uint8_t)(is_x509(row) && row->mode == GK_MODE_PAIRWISE && i == 1
					  ? 0x31
					  : 0x31 + i));
	if (is_x509(row))
		put_certs(&buf, i, row);
	else
		issue_put_cwt(&buf, &(struct issue_cwt){ .name = "node",
							 .key = &key.pub,
							 .dh = row->mode == GK_MODE_PAIRWISE,
							 .issuer = by,
							 .tags = (int)i % 3 });
	memcpy(issued[i].key, key.d, sizeof(key.d));
	issued[i].cred = (struct gk_member_cred){ .cred_fmt = row->fmt,
						  .cred = gk_buf_span(&buf),
						  .key = gk_span(issued[i].key, 32) };
}

static struct gk_group_config config_of(const struct row *row)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	config.mode = row->mode;
	config.sign_alg = row->sign_alg;
	config.cred_fmt = row->fmt;
	config.cred_issuers = issuers;
	return config;
}

static void open_row(const struct row *row)
{
	struct gk_buf buf = gk_buf(issuer_bytes, sizeof(issuer_bytes));
	struct gk_group_config config;

	issuer = issue_key(GK_CRV_P256, 0x11);
	stranger = issue_key(GK_CRV_P256, 0x12);
	if (is_x509(row))
		gk_buf_add(&buf, hex_span(CERT_ROOT));
	else
		issue_put_issuer(&buf, &issuer);
	issuers = gk_buf_span(&buf);
	config = config_of(row);
	pair_open(&p, 37);
	assert_int_equal(pair_serve(&p, &config), GK_OK);
	for (size_t i = 0; i < MEMBERS; i++)
		issue(i, row, &issuer);
}

static void close_row(void)
{
	assert_true(pair_close(&p));
}

static void add(size_t i)
{
	assert_int_equal(pair_add(&p, 6), i);
	p.node[i].creds = &issued[i].cred;
	p.node[i].cred_count = 1;
	pair_reset(&p, i);
}

static void join(size_t i)
{
	add(i);
	assert_int_equal(pair_join(&p, i, PAIR_LIGHTS, 6), GK_OK);
	pair_run(&p);
}

static void members_join_speak_and_are_rekeyed(void **state)
{
	(void)state;
	for (size_t r = 0; r < ROWS(rows); r++) {
		if (!has(&rows[r]))
			continue;
		open_row(&rows[r]);
		for (size_t i = 0; i < MEMBERS; i++)
			join(i);
		pair_advance(&p, 30000);
		assert_true(pair_agree(&p, 0, 2));
		if (rows[r].mode != GK_MODE_PAIRWISE) {
			assert_int_equal(pair_say(&p, 0, PAIR_LIGHTS, "hello"), GK_OK);
			pair_run(&p);
			assert_int_equal(pair_heard(&p, 1, "hello"), 1);
			assert_int_equal(pair_heard(&p, 2, "hello"), 1);
		}
		assert_int_equal(pair_leave(&p, 0, PAIR_LIGHTS), GK_OK);
		pair_advance(&p, 60000);
		assert_true(pair_agree(&p, 1, 2));
		close_row();
	}
}

/* The Join Request with it goes out in blocks. */
static void certificates_of_more_than_a_message_are_joined_with(void **state)
{
	static const struct row row = { GK_HEADER_X5BAG, GK_MODE_GROUP, GK_ALG_ES256 };
	struct gk_buf buf = gk_buf(issued[0].bytes, sizeof(issued[0].bytes));
	size_t certs = 0;

	(void)state;
	if (!has(&row))
		skip();
	open_row(&row);
	for (size_t len = 0; len < sizeof(issued[0].bytes); certs++)
		len = 16 + (certs + 2) * (hex_span(CERT_INTER).len + 3) + hex_span(CERT_NODE_0).len;
	certs--;
	gk_put_array(&buf, certs + 1);
	for (size_t i = 0; i < certs; i++)
		gk_put_bytes(&buf, hex_span(CERT_INTER));
	gk_put_bytes(&buf, hex_span(CERT_NODE_0));
	issued[0].cred.cred = gk_buf_span(&buf);
	assert_in_range(buf.len, 1200, GK_CRED_WIRE_MAX);
	for (size_t i = 0; i < 2; i++)
		join(i);
	assert_true(pair_agree(&p, 0, 1));
	for (size_t k = 0; k < p.log_count; k++)
		assert_true(p.log[k]->bytes.len <= 1232);
	close_row();
}

/* Exactly as they came: tags, chains and bags and all. */
static void credentials_are_kept_and_served_byte_for_byte(void **state)
{
	(void)state;
	for (size_t r = 0; r < ROWS(rows); r++) {
		const struct gk_group *group;

		if (!has(&rows[r]))
			continue;
		open_row(&rows[r]);
		for (size_t i = 0; i < MEMBERS; i++)
			join(i);
		pair_restart(&p);
		group = p.kdc->groups;
		assert_int_equal(group->count, MEMBERS);
		for (size_t i = 0; i < MEMBERS; i++)
			assert_true(gk_span_equal(gk_blob_span(&group->nodes[i]->cred),
						  issued[i].cred.cred));
		for (size_t i = 0; i < 2; i++) { // the last one to join knows the others
			const struct gk_peer *peer = &p.node[2].member->groups[0]->peers[i];

			assert_true(gk_span_equal(gk_blob_span(&peer->cred), issued[i].cred.cred));
		}
		close_row();
	}
}

/* What is behind the way to the trust anchor is kept and served all the same. */
static void a_chain_that_takes_several_blocks_is_joined_with(void **state)
{
	struct gk_buf buf = gk_buf(issued[0].bytes, sizeof(issued[0].bytes));
	const struct row chain = { GK_HEADER_X5CHAIN, GK_MODE_GROUP, GK_ALG_ES256 };

	(void)state;
	if (!has(&chain))
		skip();
	open_row(&chain);
	gk_put_array(&buf, 6);
	gk_put_bytes(&buf, hex_span(CERT_NODE_0));
	gk_put_bytes(&buf, hex_span(CERT_INTER));
	for (int i = 0; i < 4; i++)
		gk_put_bytes(&buf, hex_span(CERT_ROOT));
	issued[0].cred.cred = gk_buf_span(&buf);
	assert_in_range(buf.len, 1800, GK_CRED_WIRE_MAX);
	join(0);
	join(1);
	assert_true(pair_agree(&p, 0, 1));
	assert_true(gk_span_equal(gk_blob_span(&p.node[1].member->groups[0]->peers[0].cred),
				  issued[0].cred.cred));
	pair_advance(&p, 30000);
	assert_int_equal(pair_say(&p, 0, PAIR_LIGHTS, "hello"), GK_OK);
	pair_run(&p);
	assert_int_equal(pair_heard(&p, 1, "hello"), 1);
	pair_restart(&p);
	close_row();
}

/* Nobody forbids it. Whoever was provisioned anew may come with the
 * credential of its earlier membership, and evidence is needed all the same. */
static void two_members_may_have_the_same_credential(void **state)
{
	(void)state;
	open_row(&rows[0]);
	issued[1] = issued[0];
	issued[1].cred.cred = gk_span(issued[1].bytes, issued[0].cred.cred.len);
	issued[1].cred.key = gk_span(issued[1].key, 32);
	join(0);
	join(1);
	assert_true(pair_info(&p, 0).joined);
	assert_true(pair_info(&p, 1).joined);
	close_row();
}

static void the_kdc_has_a_credential_of_the_format(void **state)
{
	(void)state;
	for (size_t r = 0; r < ROWS(rows); r++) {
		uint8_t before[GK_CRED_MAX];
		struct gk_span cred;
		struct gk_cred read;

		if (!has(&rows[r]))
			continue;
		open_row(&rows[r]);
		for (int again = 0; again < 2; again++) {
			cred = rows[r].mode == GK_MODE_PAIRWISE
				       ? gk_kdc_dh_cred(p.kdc, rows[r].sign_alg, rows[r].fmt)
				       : gk_kdc_cred(p.kdc, rows[r].sign_alg, rows[r].fmt);
			assert_int_equal(gk_cred_read(rows[r].fmt, cred, &read), GK_OK);
			assert_int_equal(read.key.crv, curve_of(&rows[r]));
			if (again)
				assert_memory_equal(before, cred.data, cred.len);
			memcpy(before, cred.data, cred.len);
			pair_restart(&p);
		}
		close_row();
	}
}

/* It is of the format, and vouched for (P 6.2). */
static void a_credential_of_nobody_is_refused_with_error_2(void **state)
{
	(void)state;
	open_row(&rows[0]);
	issue(0, &rows[0], &stranger);
	join(0);
	assert_false(pair_info(&p, 0).joined);
	assert_string_equal(pair_note(&p, PAIR_KDC, GK_NOTE_REFUSED)->reason,
			    "credential does not fit the group");
	issue(0, &rows[0], &issuer);
	pair_reset(&p, 0);
	assert_int_equal(pair_join(&p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_run(&p);
	assert_true(pair_info(&p, 0).joined);
	close_row();
}

static void one_of_another_format_is_refused_with_error_2(void **state)
{
	static const uint32_t all = GK_ROLE_ALL;
	struct pair_raw raw;

	(void)state;
	open_row(&rows[0]);
	pair_raw_open(&raw, &p, 1, "raw", NULL, &all, 1); // it joins with a CCS
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10002");
	close_row();
}

static void who_has_no_such_credential_is_told_so_and_does_not_ask(void **state)
{
	size_t requests;

	(void)state;
	open_row(&rows[0]);
	pair_add(&p, 6);
	assert_int_equal(pair_join(&p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_run(&p);
	assert_false(pair_info(&p, 0).joined);
	assert_string_equal(
		pair_note(&p, 0, GK_NOTE_ERROR)->reason,
		"the group wants a credential of a format or algorithm that we have none of");
	requests = pair_count(&p, PAIR_REQUEST, 0, PAIR_KDC);
	assert_int_equal(requests, 1); // the token, and no join
	pair_advance(&p, 30000);       // now and then it asks whether that is still so
	assert_in_range(pair_count(&p, PAIR_REQUEST, 0, PAIR_KDC), 2, 20);
	for (size_t i = 0; i < p.note_count; i++) {
		const struct pair_note *note = &p.notes[i];

		if (note->from == 0 && note->reason)
			assert_string_not_equal(note->reason, "the KDC refuses the join");
	}
	close_row();
}

static void a_group_of_another_format_is_joined_all_the_same(void **state)
{
	struct gk_group_config ccs = pair_config("meters");
	struct gk_membership_info info;

	(void)state;
	open_row(&rows[0]);
	assert_int_equal(pair_serve(&p, &ccs), GK_OK);
	add(0);
	assert_int_equal(pair_join(&p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_run(&p);
	assert_int_equal(pair_join(&p, 0, "meters", 6), GK_OK);
	pair_run(&p);
	assert_true(pair_info(&p, 0).joined);
	assert_int_equal(gk_member_info(p.node[0].member, gk_span_str("meters"), &info), GK_OK);
	assert_true(info.joined);
	close_row();
}

/* A monitor shows no credential, and takes the KDC's in whatever format it is. */
static void a_monitor_needs_none(void **state)
{
	(void)state;
	open_row(&rows[0]);
	join(0);
	pair_add(&p, GK_ROLE_ALL);
	assert_int_equal(pair_join(&p, 1, PAIR_LIGHTS, GK_ROLE_MONITOR), GK_OK);
	pair_run(&p);
	assert_true(pair_info(&p, 1).joined);
	pair_advance(&p, 30000);
	assert_int_equal(pair_say(&p, 0, PAIR_LIGHTS, "hello"), GK_OK);
	pair_run(&p);
	assert_int_equal(pair_heard(&p, 1, "hello"), 1);
	close_row();
}

static void a_member_with_trust_anchors_checks_again(void **state)
{
	uint8_t bytes[256];
	struct gk_buf others = gk_buf(bytes, sizeof(bytes));

	(void)state;
	open_row(&rows[0]);
	issue_put_issuer(&others, &stranger);
	issued[1].cred.issuers = gk_buf_span(&others);
	issued[2].cred.issuers = issuers;
	for (size_t i = 0; i < MEMBERS; i++)
		join(i);
	pair_advance(&p, 30000);
	assert_true(pair_agree(&p, 0, 2));
	assert_int_equal(pair_say(&p, 0, PAIR_LIGHTS, "hello"), GK_OK);
	pair_run(&p);
	assert_int_equal(pair_heard(&p, 1, "hello"), 0);
	assert_string_equal(pair_note(&p, 1, GK_NOTE_ERROR)->reason,
			    "a peer's credential that our trust anchors do not vouch for");
	assert_int_equal(pair_heard(&p, 2, "hello"), 1);
	close_row();
}

static void a_member_takes_no_credential_that_is_not_of_its_key(void **state)
{
	struct gk_member_config config = { .token = gk_span(issued[0].key, 32),
					   .osc_id = gk_span(issued[0].key, 8),
					   .ms = gk_span(issued[0].key, 32),
					   .key_seed = gk_span(issued[0].key, 32),
					   .control_base = gk_span_str("coap://[fd00::3]:5683"),
					   .creds = &issued[0].cred,
					   .cred_count = 1 };
	struct gk_member *member;

	(void)state;
	open_row(&rows[0]);
	assert_int_equal(gk_member_new(&p.env, &config, &member), GK_OK);
	gk_member_free(member);
	issued[0].key[0] ^= 1;
	assert_int_equal(gk_member_new(&p.env, &config, &member), GK_ERR_CREDENTIAL);
	issued[0].key[0] ^= 1;
	issued[0].cred.issuers = gk_span(issued[0].key, 3);
	assert_int_equal(gk_member_new(&p.env, &config, &member), GK_ERR_CREDENTIAL);
	issued[0].cred.cred_fmt = 34;
	assert_int_equal(gk_member_new(&p.env, &config, &member), GK_ERR_CREDENTIAL);
	close_row();
}

static void a_group_without_issuers_or_of_another_format_is_refused(void **state)
{
	static const int formats[] = { 0, 22, 23, 24, 25, 34, 35 };
	struct gk_group_config config;

	(void)state;
	open_row(&rows[0]);
	config = p.config[0];
	config.cred_issuers = gk_span(NULL, 0);
	assert_int_equal(gk_kdc_check_group(p.kdc, &config), GK_ERR_CREDENTIAL);
	config.cred_issuers = gk_span(issuer_bytes, 3);
	assert_int_equal(gk_kdc_check_group(p.kdc, &config), GK_ERR_CREDENTIAL);
	for (size_t i = 0; i < ROWS(formats); i++) {
		config.cred_fmt = formats[i];
		assert_int_equal(gk_kdc_check_group(p.kdc, &config), GK_ERR_UNSUPPORTED);
	}
	close_row();
}

static void the_format_stays_while_there_are_members(void **state)
{
	struct gk_group_config other;

	(void)state;
	open_row(&rows[0]);
	other = p.config[0];
	other.cred_fmt = GK_HEADER_KCCS;
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_OK);
	join(0);
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_ERR_FORBIDDEN);
	pair_restart(&p); // it is stored
	assert_int_equal(gk_kdc_check_group(p.kdc, &other), GK_ERR_FORBIDDEN);
	assert_int_equal(gk_kdc_check_group(p.kdc, &p.config[0]), GK_OK);
	close_row();
}

/* A member's first join with a CWT of its own key, and later ones that only refer to that. */
static uint8_t join_by_hand(struct pair_raw *raw)
{
	struct gk_buf cred = gk_buf(raw->cred, sizeof(raw->cred));

	pair_raw_open(raw, &p, 1, "by-hand", NULL, (const uint32_t[]){ 6 }, 1);
	issue_put_cwt(&cred, &(struct issue_cwt){ .name = "node",
						  .key = &raw->key.pub,
						  .exp = p.now.utc.s + 100,
						  .issuer = &issuer });
	assert_false(cred.overflow);
	raw->cred_len = cred.len;
	return pair_raw_join(raw, PAIR_LIGHTS, 6, false);
}

static uint8_t join_with_what_is_stored(struct pair_raw *raw)
{
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&buf, 2);
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, hex_span("82666c696768747306"));
	gk_put_int(&buf, GK_PARAM_CNONCE);
	gk_put_bytes(&buf, hex_span("0102030405060708"));
	return pair_raw_ask(raw, GK_COAP_POST, "ace-group/lights", GK_CF_ACE_GROUPCOMM,
			    gk_buf_span(&buf));
}

static void a_stored_credential_is_good_while_its_issuer_says_so(void **state)
{
	struct pair_raw raw;

	(void)state;
	open_row(&rows[0]);
	assert_int_equal(join_by_hand(&raw), GK_COAP_CREATED);
	pair_advance(&p, 90000);
	assert_int_equal(join_with_what_is_stored(&raw), GK_COAP_CHANGED);
	pair_advance(&p, 20000);
	assert_int_equal(join_with_what_is_stored(&raw), GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10002");
	close_row();
}

/* They count for who joins from then on, and for nobody else. */
static void issuers_may_change(void **state)
{
	uint8_t bytes[256];
	struct gk_buf others = gk_buf(bytes, sizeof(bytes));
	struct gk_group_config other;

	(void)state;
	open_row(&rows[0]);
	join(0);
	issue_put_issuer(&others, &stranger);
	other = p.config[0];
	other.cred_issuers = gk_buf_span(&others);
	assert_int_equal(gk_kdc_change_group(p.kdc, &other, p.now), GK_OK);
	memset(bytes, 0, sizeof(bytes)); // it has a copy
	pair_drain_kdc(&p, GK_OK);
	join(1);
	assert_false(pair_info(&p, 1).joined);
	issue(2, &rows[0], &stranger);
	join(2);
	assert_true(pair_info(&p, 2).joined);
	assert_true(pair_info(&p, 0).joined);
	close_row();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_join_speak_and_are_rekeyed),
		cmocka_unit_test(certificates_of_more_than_a_message_are_joined_with),
		cmocka_unit_test(credentials_are_kept_and_served_byte_for_byte),
		cmocka_unit_test(a_chain_that_takes_several_blocks_is_joined_with),
		cmocka_unit_test(two_members_may_have_the_same_credential),
		cmocka_unit_test(the_kdc_has_a_credential_of_the_format),
		cmocka_unit_test(a_credential_of_nobody_is_refused_with_error_2),
		cmocka_unit_test(one_of_another_format_is_refused_with_error_2),
		cmocka_unit_test(who_has_no_such_credential_is_told_so_and_does_not_ask),
		cmocka_unit_test(a_group_of_another_format_is_joined_all_the_same),
		cmocka_unit_test(a_monitor_needs_none),
		cmocka_unit_test(a_member_with_trust_anchors_checks_again),
		cmocka_unit_test(a_member_takes_no_credential_that_is_not_of_its_key),
		cmocka_unit_test(a_group_without_issuers_or_of_another_format_is_refused),
		cmocka_unit_test(the_format_stays_while_there_are_members),
		cmocka_unit_test(a_stored_credential_is_good_while_its_issuer_says_so),
		cmocka_unit_test(issuers_may_change),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
