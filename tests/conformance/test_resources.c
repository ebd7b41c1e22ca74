// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What members and verifiers read and renew: key distribution, credentials, and the small resources
// of a group (RFC 9594 sections 4.3.2 to 4.8, sections 8 and 9 of the profile).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void set_active(struct pair *p, bool active)
{
	p->config[0].active = active;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	assert_int_equal(p->last, GK_OK);
}

/* Joins do not make new material: what a test does is all that happens. */
static void no_rekeying_on_join(struct pair *p)
{
	p->config[0].rekey_on_join = false;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
}

static void outsider(struct client *c, struct pair *p, uint32_t roles)
{
	client_open(c, p, 90, roles);
	assert_int_equal(client_post(c), CREATED);
	strcpy(c->node, "n1");
}

/* key distribution */

static void kdc_089_only_members_get_keys(void **state)
{
	static struct client c, member;

	client_open(&member, *state, 1, ALL);
	must_join(&member, REQUESTER);
	outsider(&c, *state, ALL);
	(void)ask_group(&c, GET, "");
	assert_error(&c, FORBIDDEN, 0);
	(void)ask_group(&member, DELETE, "*");
	(void)ask_group(&member, GET, "");
	assert_error(&member, FORBIDDEN, 0);
}

static void assert_material(const struct client *c, size_t key_size)
{
	struct pair *p = c->p;

	assert_answer(c, CONTENT, CF_ACE_GC);
	assert_int_equal(map_size(c->payload), 6);
	assert_hex_equal(in_map(c->payload, 7), "01");
	assert_int_equal(map_size(in_map(c->payload, 8)), key_size);
	assert_int_equal(integer(in_map(c->payload, 9)), pair_num(p));
	assert_hex_equal(in_map(c->payload, 10), "01");
	assert_int_equal(integer(in_map(c->payload, 11)),
			 p->now.utc.s + integer(in_map(c->payload, 12)));
}

static void kdc_090_the_group_gives_its_material_without_a_sender_id(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span ms;
	int64_t exi;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	ms = exact_copy(in_map(in_map(c.payload, 8), 2));
	exi = integer(in_map(c.payload, 12));
	pair_advance(p, 10000);
	(void)ask_group(&c, GET, "");
	assert_material(&c, 7);
	assert_false(has(in_map(c.payload, 8), 7));
	assert_true(gk_span_equal(in_map(in_map(c.payload, 8), 2), ms));
	/* what is left is counted from now */
	assert_int_equal(integer(in_map(c.payload, 12)), exi - 10);
}

static void kdc_092_a_node_is_its_owners(void **state)
{
	static const uint8_t methods[] = { GET, POST, DELETE };
	static struct client c, other, none;

	client_open(&c, *state, 1, ALL);
	client_open(&other, *state, 2, ALL);
	must_join(&c, REQUESTER);
	must_join(&other, REQUESTER);
	outsider(&none, *state, ALL);
	strcpy(none.node, c.node);
	strcpy(other.node, c.node);
	for (size_t i = 0; i < ROWS(methods); i++) {
		(void)ask_group(&none, methods[i], "*");
		assert_error(&none, FORBIDDEN, 0);
		(void)ask_group(&other, methods[i], "*");
		assert_no_payload(&other, FORBIDDEN);
	}
	assert_int_equal(ask_group(&c, GET, "*"), CONTENT);
}

static void kdc_093_a_node_gives_its_sender_id_too(void **state)
{
	static struct client c, watcher;
	struct gk_span sid;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	sid = exact_copy(in_map(in_map(c.payload, 8), 7));
	(void)ask_group(&c, GET, "*");
	assert_material(&c, 8);
	assert_true(gk_span_equal(in_map(in_map(c.payload, 8), 7), sid));
	assert_false(has(c.payload, 21));
	client_open(&watcher, *state, 2, ALL);
	must_join(&watcher, MONITOR);
	(void)ask_group(&watcher, GET, "*");
	assert_material(&watcher, 7);
	assert_false(has(in_map(watcher.payload, 8), 7));
}

/* credentials: client1 a requester, client2 a responder, client3 both, client4 a monitor */

static struct client peers[4];
static uint8_t sids[4];

static void four_peers(struct pair *p)
{
	for (unsigned i = 0; i < 4; i++) {
		client_open(&peers[i], p, i + 1, ALL);
		must_join(&peers[i], 2 * (i + 1));
		if (i < 3)
			sids[i] = bstr(in_map(in_map(peers[i].payload, 8), 7)).data[0];
	}
}

/* 'wanted': digits of the clients that are in the answer */
static void assert_creds(const struct client *c, const char *wanted, const char *row)
{
	size_t count = strlen(wanted);
	struct gk_span creds;

	assert_answer(c, CONTENT, CF_ACE_GC);
	if (!count) {
		assert_hex_equal_row(c->payload, "40", row);
		return;
	}
	creds = in_map(c->payload, 13);
	assert_int_equal(map_size(c->payload), 4);
	assert_int_equal(integer(in_map(c->payload, 9)), pair_num(c->p));
	if (array_size(creds) != count || array_size(in_map(c->payload, 14)) != count ||
	    array_size(in_map(c->payload, 15)) != count)
		fail_msg("%s: %zu credentials", row, array_size(creds));
	for (size_t i = 0; i < count; i++) {
		struct gk_span name = tstr(in_map(bstr(in_array(creds, i)), 2));
		unsigned k = name.data[name.len - 1] - '1';

		if (k > 2 || !strchr(wanted, name.data[name.len - 1]))
			fail_msg("%s: client %u", row, k + 1);
		assert_true(gk_span_equal(bstr(in_array(creds, i)), all_of(&peers[k].cred)));
		assert_int_equal(integer(in_array(in_map(c->payload, 14), i)), 2 * (k + 1));
		assert_int_equal(bstr(in_array(in_map(c->payload, 15), i)).data[0], sids[k]);
	}
}

static void kdc_095_a_filter_has_roles_or_ids(void **state)
{
	static const char *const requests[] = { "a1 04 83 f5 80 80", "a1 04 83 f4 80 80",
						"a1 04 f6", "a0", "" };
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	for (size_t i = 0; i < ROWS(requests); i++)
		assert_int_equal(ask_group_hex(&c, FETCH, "creds", requests[i]), BAD_REQUEST);
}

static void kdc_096_097_098_filters_let_in_and_leave_out(void **state)
{
	// A, B, C: Sender IDs of the first three; fe: nobody's
	static const struct {
		const char *filter, *wanted;
	} rows[] = {
		{ "83 f5 81 02 80", "13" },      { "83 f5 81 04 80", "23" },
		{ "83 f5 81 06 80", "3" },       { "83 f5 82 02 04 80", "123" },
		{ "83 f5 81 08 80", "" },        { "83 f5 80 81 41A", "1" },
		{ "83 f5 80 82 41A 41C", "13" }, { "83 f5 80 82 41fe 41B", "2" },
		{ "83 f5 80 81 41fe", "" },      { "83 f5 80 82 43aabbcc 40", "" },
		{ "83 f5 81 04 81 41A", "123" }, { "83 f5 81 06 81 41A", "13" },
		{ "83 f4 81 02 80", "13" },      { "83 f4 80 81 41A", "23" },
		{ "83 f4 80 81 41fe", "123" },   { "83 f4 80 83 41A 41B 41C", "" },
		{ "83 f4 81 02 81 41A", "3" },   { "83 f4 82 02 04 82 41A 41fe", "23" },
		{ "83 f4 81 06 81 41C", "" },
	};
	struct pair *p = *state;

	no_rekeying_on_join(p);
	four_peers(p);
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[100] = "a1 04 ";

		for (const char *t = rows[i].filter; *t; t++) {
			char digits[3] = { *t };

			if (*t >= 'A' && *t <= 'C')
				snprintf(digits, sizeof(digits), "%02x", sids[*t - 'A']);
			strcat(text, digits);
		}
		(void)ask_group_hex(&peers[0], FETCH, "creds", text);
		assert_creds(&peers[0], rows[i].wanted, rows[i].filter);
	}
	(void)ask_group(&peers[3], GET, "creds");
	assert_creds(&peers[3], "123", "GET");
}

static void kdc_098_where_nobody_has_a_credential_there_is_an_empty_string(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, MONITOR);
	(void)ask_group(&c, GET, "creds");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_hex_equal(c.payload, "40");
}

static void kdc_100_the_kdcs_credential_is_shown_to_members_for_their_challenge(void **state)
{
	static struct client c, none;
	struct gk_span cred;

	client_open(&c, *state, 1, ALL);
	must_join(&c, MONITOR);
	cred = exact_copy(in_map(c.payload, 17));
	outsider(&none, *state, ALL);
	(void)ask_group(&none, GET, "kdc-cred");
	assert_error(&none, FORBIDDEN, 0);
	(void)ask_group(&c, GET, "kdc-cred");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_int_equal(map_size(c.payload), 3);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	assert_true(gk_span_equal(in_map(c.payload, 17), cred));
}

static void pairwise_group(struct pair *p)
{
	struct gk_group_config config = pair_config("pair");

	config.mode = GK_MODE_PAIRWISE;
	assert_int_equal(pair_serve(p, &config), GK_OK);
}

static void kdc_101_verifiers_get_evidence_for_a_nonce_of_theirs(void **state)
{
	static const char *const bad[] = { "", "a0", "a1 06 f6", "a1 06 60" };
	static struct client c, member;

	pairwise_group(*state);
	client_open(&member, *state, 1, ALL);
	must_join(&member, REQUESTER);
	(void)ask_group_hex(&member, FETCH, "kdc-cred", "a1 06 48 0102030405060708");
	assert_error(&member, FORBIDDEN, 8);
	outsider(&c, *state, REQUESTER | RESPONDER);
	(void)ask_group_hex(&c, FETCH, "kdc-cred", "a1 06 48 0102030405060708");
	assert_error(&c, FORBIDDEN, 8);
	client_open(&c, *state, 2, VERIFIER);
	client_grant(&c, "pair", VERIFIER);
	assert_int_equal(client_post(&c), CREATED);
	(void)ask_group_hex(&c, FETCH, "kdc-cred", "a1 06 48 0102030405060708");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_int_equal(map_size(c.payload), 3);
	assert_evidence(c.payload, hex_span("0102030405060708"));
	for (size_t i = 0; i < ROWS(bad); i++)
		assert_int_equal(ask_group_hex(&c, FETCH, "kdc-cred", bad[i]), BAD_REQUEST);
	strcpy(c.group, "pair");
	(void)ask_group_hex(&c, FETCH, "kdc-cred", "a1 06 48 0102030405060708");
	assert_error(&c, BAD_REQUEST, 7);
	(void)ask_group(&c, GET, "verif-data");
	assert_error(&c, BAD_REQUEST, 7);
}

/* the small ones */

static void kdc_105_what_is_the_members_is_refused_to_others(void **state)
{
	static const char *const paths[] = { "policies", "num", "active" };
	static struct client c;

	outsider(&c, *state, ALL);
	for (size_t i = 0; i < ROWS(paths); i++) {
		(void)ask_group(&c, GET, paths[i]);
		assert_error(&c, FORBIDDEN, 0);
	}
	(void)ask_hex(&c, FETCH, "ace-group/lights/stale-sids", CF_CBOR, "00");
	assert_error(&c, FORBIDDEN, 0);
}

static void kdc_106_policies_are_in_a_map_of_their_own(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	(void)ask_group(&c, GET, "policies");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_hex_equal(c.payload, "a1 10 a2 01 190e10 02 00");
}

static void kdc_107_the_version_is_an_integer(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	for (int i = 0; i < 3; i++) {
		(void)ask_group(&c, GET, "num");
		assert_answer(&c, CONTENT, CF_CBOR);
		assert_int_equal(c.payload.data[0] >> 5, 0);
		assert_int_equal(integer(c.payload), pair_num(p));
		rekey(p);
	}
}

static void kdc_108_active_is_true_or_false(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	(void)ask_group(&c, GET, "active");
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_hex_equal(c.payload, "f5");
	set_active(p, false);
	(void)ask_group(&c, GET, "active");
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_hex_equal(c.payload, "f4");
}

/* RFC 8613 section 3.2.1 with RFC 10021 section 2.1.9: [h'', Gid, 10, "SEKey", 16] */
static void assert_sign_enc_key(struct gk_span got, struct gk_span ms, struct gk_span gid)
{
	struct bytes info = { .len = 0 };
	uint8_t key[16];

	put_hex(&info, "85 40");
	put_bstr(&info, gid);
	put_hex(&info, "0a 65 53454b6579 10");
	assert_int_equal(gk_hkdf(gk_span(NULL, 0), ms, all_of(&info), key, sizeof(key)), GK_OK);
	assert_int_equal(got.len, sizeof(key));
	assert_memory_equal(got.data, key, sizeof(key));
}

static void assert_verif_key(struct gk_span key, bool pairwise_too)
{
	assert_false(has(key, 2) || has(key, 5) || has(key, 7) || has(key, 13));
	assert_hex_equal(in_map(key, 3), "05");
	assert_hex_equal(in_map(key, 8), "0e");
	assert_hex_equal(in_map(key, 9), "0a");
	assert_hex_equal(in_map(key, 10), "26");
	assert_hex_equal(in_map(key, 11), "82 8102 820201");
	assert_int_equal(has(key, 4), pairwise_too);
	assert_int_equal(has(key, 12), pairwise_too);
	assert_int_equal(map_size(key), pairwise_too ? 8 : 6);
}

static void kdc_110_verifiers_get_what_verifying_takes_and_no_more(void **state)
{
	struct pair *p = *state;
	struct gk_group_config both = pair_config("both");
	static struct client c, member;
	struct gk_span ms, gid;

	both.mode = GK_MODE_BOTH;
	assert_int_equal(pair_serve(p, &both), GK_OK);
	client_open(&member, p, 1, ALL);
	must_join(&member, REQUESTER);
	ms = exact_copy(bstr(in_map(in_map(member.payload, 8), 2)));
	gid = exact_copy(bstr(in_map(in_map(member.payload, 8), 6)));
	(void)ask_group(&member, GET, "verif-data");
	assert_error(&member, FORBIDDEN, 8);
	client_open(&c, p, 2, VERIFIER);
	client_grant(&c, "both", VERIFIER);
	assert_int_equal(client_post(&c), CREATED);
	(void)ask_group(&c, GET, "verif-data");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_int_equal(map_size(c.payload), 7);
	assert_hex_equal(in_map(c.payload, 7), "01");
	assert_hex_equal(in_map(c.payload, 10), "01");
	assert_int_equal(integer(in_map(c.payload, 9)), pair_num(p));
	assert_int_equal(integer(in_map(c.payload, 11)),
			 p->now.utc.s + integer(in_map(c.payload, 12)));
	assert_verif_key(in_map(c.payload, 8), false);
	assert_true(gk_span_equal(bstr(in_map(in_map(c.payload, 8), 6)), gid));
	assert_sign_enc_key(bstr(in_map(c.payload, 33)), ms, gid);
	strcpy(c.group, "both");
	(void)ask_group(&c, GET, "verif-data");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	assert_verif_key(in_map(c.payload, 8), true);
}

/* stale-sids */

static struct gk_span stale(struct client *c, int64_t version)
{
	struct bytes b = { .len = 0 };

	put_int(&b, version);
	(void)ask(c, FETCH, "ace-group/lights/stale-sids", CF_CBOR, all_of(&b));
	return c->payload;
}

static bool lists(struct gk_span ids, uint8_t id)
{
	size_t count = 0;

	for (size_t i = 0; i < array_size(ids); i++)
		count += bstr(in_array(ids, i)).data[0] == id;
	assert_true(count <= 1);
	return count;
}

static uint8_t renew(struct client *c, int64_t *num)
{
	uint8_t old = 0;

	(void)ask_group(c, GET, "*");
	old = bstr(in_map(in_map(c->payload, 8), 7)).data[0];
	*num = integer(in_map(c->payload, 9));
	assert_int_equal(ask_group(c, POST, "*"), CHANGED);
	return old;
}

static void kdc_111_130_stale_ids_of_the_newest_versions_are_told(void **state)
{
	struct pair *p = *state;
	static struct client c;
	uint8_t went[4];
	int64_t v[4], now;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	for (int i = 0; i < 4; i++) {
		went[i] = renew(&c, &v[i]);
		rekey(p);
	}
	now = pair_num(p);
	assert_int_equal(now, v[3] + 1);
	/* three sets are kept: of v[2], v[3] and of now, which is empty */
	(void)stale(&c, v[3]);
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_int_equal(array_size(c.payload), 1);
	assert_true(lists(c.payload, went[3]));
	(void)stale(&c, v[2]);
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_int_equal(array_size(c.payload), 2);
	assert_true(lists(c.payload, went[3]) && lists(c.payload, went[2]));
	(void)stale(&c, v[1]);
	assert_no_payload(&c, CONTENT);
	(void)stale(&c, 0);
	assert_no_payload(&c, CONTENT);
	(void)stale(&c, now);
	assert_int_equal(c.code, BAD_REQUEST);
	(void)stale(&c, now + 1);
	assert_int_equal(c.code, BAD_REQUEST);
	(void)stale(&c, -1);
	assert_int_equal(c.code, BAD_REQUEST);
	/* nobody is stale, and that is not the same as not knowing */
	rekey(p);
	rekey(p);
	(void)stale(&c, pair_num(p) - 1);
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_hex_equal(c.payload, "80");
}

/* A Sender ID that was given out anew, and came back once more, has gone stale in two versions. */
static void kdc_111_what_went_stale_twice_is_told_once(void **state)
{
	struct pair *p = *state;
	static struct client c;
	uint8_t first;
	int64_t before, v;

	p->config[0].stale_sets = 16;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	assert_int_equal(p->last, GK_OK);
	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	first = renew(&c, &before);
	rekey(p);
	for (int i = 0; i < 300 && renew(&c, &v) != first; i++)
		pair_advance(p, 15000); /* it may have four in a minute */
	rekey(p);
	(void)stale(&c, before);
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_true(lists(c.payload, first));
}

static void kdc_130_131_of_fewer_sets_the_newest_stay(void **state)
{
	struct pair *p = *state;
	static struct client c;
	uint8_t went;
	int64_t v;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	(void)renew(&c, &v);
	rekey(p);
	went = renew(&c, &v);
	rekey(p);
	p->config[0].stale_sets = 2;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	assert_int_equal(p->last, GK_OK);
	(void)stale(&c, v);
	assert_answer(&c, CONTENT, CF_CBOR);
	assert_true(lists(c.payload, went));
	(void)stale(&c, v - 1);
	assert_no_payload(&c, CONTENT);
	p->config[0].stale_sets = 1;
	assert_int_not_equal(gk_kdc_change_group(p->kdc, &p->config[0], p->now), GK_OK);
}

/* Key Renewal */

static void kdc_112_who_cannot_have_a_new_sender_id(void **state)
{
	struct pair *p = *state;
	static struct client c, watcher;

	client_open(&c, p, 1, ALL);
	client_open(&watcher, p, 2, ALL);
	must_join(&c, REQUESTER);
	must_join(&watcher, MONITOR);
	(void)ask_group(&watcher, POST, "*");
	assert_error(&watcher, BAD_REQUEST, 1);
	set_active(p, false);
	(void)ask_group(&c, POST, "*");
	assert_error(&c, UNAVAILABLE, 9);
	set_active(p, true);
	assert_int_equal(ask_group(&c, POST, "*"), CHANGED);
}

static void kdc_113_114_a_new_sender_id_and_nothing_else(void **state)
{
	struct pair *p = *state;
	static struct client c;
	uint8_t seen[8], gid[8];
	struct gk_span was;
	int64_t num;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	was = in_map(in_map(c.payload, 8), 6);
	memcpy(gid, was.data, was.len);
	seen[0] = bstr(in_map(in_map(c.payload, 8), 7)).data[0];
	num = pair_num(p);
	for (size_t i = 1; i < ROWS(seen); i++) {
		(void)ask_group(&c, POST, "*");
		assert_answer(&c, CHANGED, CF_ACE_GC);
		assert_int_equal(map_size(c.payload), 1);
		seen[i] = bstr(in_map(c.payload, 21)).data[0];
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(seen[k], seen[i]);
		(void)ask_group(&c, GET, "*");
		assert_int_equal(bstr(in_map(in_map(c.payload, 8), 7)).data[0], seen[i]);
		assert_memory_equal(in_map(in_map(c.payload, 8), 6).data, gid, was.len);
	}
	pair_advance(p, 60000);
	assert_int_equal(pair_num(p), num);
	rekey(p);
	(void)stale(&c, num);
	for (size_t i = 0; i < ROWS(seen); i++)
		assert_int_equal(lists(c.payload, seen[i]), i + 1 < ROWS(seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_089_only_members_get_keys),
		LIGHTS(kdc_090_the_group_gives_its_material_without_a_sender_id),
		LIGHTS(kdc_092_a_node_is_its_owners),
		LIGHTS(kdc_093_a_node_gives_its_sender_id_too),
		LIGHTS(kdc_095_a_filter_has_roles_or_ids),
		LIGHTS(kdc_096_097_098_filters_let_in_and_leave_out),
		LIGHTS(kdc_098_where_nobody_has_a_credential_there_is_an_empty_string),
		LIGHTS(kdc_100_the_kdcs_credential_is_shown_to_members_for_their_challenge),
		LIGHTS(kdc_101_verifiers_get_evidence_for_a_nonce_of_theirs),
		LIGHTS(kdc_105_what_is_the_members_is_refused_to_others),
		LIGHTS(kdc_106_policies_are_in_a_map_of_their_own),
		LIGHTS(kdc_107_the_version_is_an_integer),
		LIGHTS(kdc_108_active_is_true_or_false),
		LIGHTS(kdc_110_verifiers_get_what_verifying_takes_and_no_more),
		LIGHTS(kdc_111_130_stale_ids_of_the_newest_versions_are_told),
		LIGHTS(kdc_111_what_went_stale_twice_is_told_once),
		LIGHTS(kdc_130_131_of_fewer_sets_the_newest_stay),
		LIGHTS(kdc_112_who_cannot_have_a_new_sender_id),
		LIGHTS(kdc_113_114_a_new_sender_id_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
