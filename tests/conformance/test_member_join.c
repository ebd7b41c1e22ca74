// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The member: its token, its Join Request, and what it makes of the answer (sections 5.3, 6.1 and
// 6.4 of the profile).

#include "kdc.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOTH (REQUESTER | RESPONDER)

static void start(struct kdc *k, uint32_t roles)
{
	kdc_drain(k, gk_member_join(k->m, gk_span_str("lights"), roles, k->now));
}

/* A Join Response as it should be. */
static const struct material right = {
	.num = 7, .whole = true, .sid = true, .peers = "123", .proof = true
};

static void mem_001_what_it_asks_about_groups_is_null(void **state)
{
	static const int labels[] = { 45, 47, 48 };
	struct kdc *k = *state;

	start(k, BOTH);
	assert_true(kdc_is_asked(k, POST, "authz-info"));
	assert_int_equal(k->format, CF_ACE);
	assert_hex_equal(in_map(k->payload, 1), "43 d08343");
	assert_true(has(k->payload, 45));
	for (size_t i = 0; i < ROWS(labels); i++) {
		if (has(k->payload, labels[i]))
			assert_hex_equal(in_map(k->payload, labels[i]), "f6");
	}
}

static void mem_002_nonce_and_id_make_the_association(void **state)
{
	struct kdc *k = *state;
	struct gk_span n1;

	start(k, BOTH);
	n1 = exact_copy(bstr(in_map(k->payload, 40)));
	assert_true(n1.len >= 8);
	assert_true(has(k->payload, 43));
	assert_false(k->is_protected);
	kdc_answer_token(k, NULL);
	/* what comes under it could be opened, so it sends with the id that we chose */
	assert_true(k->is_protected);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	kdc_make_member(k);
	start(k, BOTH);
	assert_false(gk_span_equal(bstr(in_map(k->payload, 40)), n1));
}

static void mem_002_the_same_id_on_both_sides_ends_it(void **state)
{
	struct kdc *k = *state;
	char id1[20];

	start(k, BOTH);
	snprintf(id1, sizeof(id1), "%s", hex_text(bstr(in_map(k->payload, 43))));
	kdc_answer_token(k, id1);
	assert_false(k->asked);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 1);
	kdc_wait(k, 3600000);
	assert_true(kdc_is_asked(k, POST, "authz-info"));
}

static void mem_006_the_scope_is_one_entry(void **state)
{
	static const struct {
		uint32_t roles;
		const char *entry;
	} rows[] = {
		{ REQUESTER, "82 666c6967687473 02" },
		{ RESPONDER, "82 666c6967687473 04" },
		{ BOTH, "82 666c6967687473 06" },
		{ MONITOR, "82 666c6967687473 08" },
	};
	static const uint32_t forbidden[] = { 0, 1, 10, 12, 14, 16, 18, 32 };
	struct kdc *k = *state;

	for (size_t i = 0; i < ROWS(forbidden); i++)
		assert_int_not_equal(
			gk_member_join(k->m, gk_span_str("lights"), forbidden[i], k->now), GK_OK);
	for (size_t i = 0; i < ROWS(rows); i++) {
		kdc_make_member(k);
		kdc_begin(k, rows[i].roles);
		assert_int_equal(k->format, CF_ACE_GC);
		assert_hex_equal(all_of(&k->entry), rows[i].entry);
	}
}

static void mem_007_a_cnonce_is_fresh(void **state)
{
	struct kdc *k = *state;
	struct bytes first;

	kdc_begin(k, BOTH);
	assert_true(k->n_c.len >= 8);
	first = k->n_c;
	kdc_answer_hex(k, UNAVAILABLE, CF_NONE, "");
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	assert_memory_not_equal(first.data, k->n_c.data, 8);
}

static void mem_008_a_monitor_shows_no_credential(void **state)
{
	struct kdc *k = *state;

	kdc_begin(k, MONITOR);
	assert_false(has(k->payload, 5) || has(k->payload, 24));
}

/* Its evidence is a signature with the key in its credential, for this challenge. */
static void assert_signature(struct kdc *k)
{
	struct gk_public_key key = key_in(all_of(&k->member_cred));
	struct bytes pop = { .len = 0 };

	put_bstr(&pop, all_of(&k->entry));
	put_bstr(&pop, all_of(&k->n_s));
	put_bstr(&pop, all_of(&k->n_c));
	assert_int_equal(gk_verify(&key, all_of(&pop), bstr(in_map(k->payload, 24))), GK_OK);
}

static void mem_009_013_a_newcomer_proves_that_it_has_its_key(void **state)
{
	struct kdc *k = *state;

	kdc_begin(k, BOTH);
	assert_signature(k);
	/* and again when it has lost its place */
	kdc_answer_material(k, CREATED, &right);
	assert_true(kdc_info(k).joined);
	(void)kdc_tell(k, DELETE, gk_span(NULL, 0));
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	assert_signature(k);
}

static void mem_013_in_a_pairwise_only_group_by_a_mac(void **state)
{
	struct kdc *k = *state;
	struct gk_key_pair dh;
	struct bytes b = { .len = 0 }, cred = { .len = 0 }, pop = { .len = 0 };
	struct gk_public_key key;
	uint8_t d[32] = { 8 }, z[GK_DH_LEN], mac[8];

	assert_int_equal(gk_key_from_private(1, gk_span(d, sizeof(d)), &dh), GK_OK);
	put_ccs(&cred, "kdc", &dh.pub, -27);
	kdc_begin(k, BOTH);
	/* {31: [["lights", -27, [2], [2, 1], 14]], 32: [["lights", 14, cred]]} */
	put_hex(&b,
		"a2 181f 81 85 666c6967687473 381a 8102 820201 0e 1820 81 83 666c6967687473 0e");
	put_bstr(&b, all_of(&cred));
	kdc_answer(k, BAD_REQUEST, CF_ACE_GC, all_of(&b));
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	key = key_in(all_of(&k->member_cred));
	put_bstr(&pop, all_of(&k->entry));
	put_bstr(&pop, all_of(&k->n_s));
	put_bstr(&pop, all_of(&k->n_c));
	assert_int_equal(gk_ecdh(&dh, &key, z), GK_OK);
	assert_int_equal(
		gk_hkdf(gk_span(NULL, 0), gk_span(z, sizeof(z)), all_of(&pop), mac, sizeof(mac)),
		GK_OK);
	assert_true(gk_span_equal(bstr(in_map(k->payload, 24)), gk_span(mac, sizeof(mac))));
}

static void mem_012_evidence_is_never_empty(void **state)
{
	struct kdc *k = *state;

	kdc_begin(k, BOTH);
	for (int i = 0; i < 4; i++) {
		if (k->payload.len)
			assert_int_equal(bstr(in_map(k->payload, 24)).len, 64);
		kdc_answer_hex(k, BAD_REQUEST, CF_PROBLEM, "a1 00 a1 00 03");
		kdc_wait(k, 3600000);
		assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	}
}

static void mem_014_017_after_a_4_00_the_challenge_in_it_counts(void **state)
{
	struct kdc *k = *state;
	struct bytes n_c;

	kdc_begin(k, BOTH);
	n_c = k->n_c;
	kdc_answer_hex(k, BAD_REQUEST, CF_ACE_GC, "a1 181e 48 1122334455667788");
	k->n_s.len = 0;
	put_hex(&k->n_s, "1122334455667788");
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	assert_memory_not_equal(n_c.data, k->n_c.data, 8);
	assert_signature(k);
	kdc_answer_material(k, CREATED, &right);
	assert_true(kdc_info(k).joined);
}

static void mem_015_016_what_else_is_in_a_join(void **state)
{
	struct kdc *k = *state;

	kdc_begin(k, BOTH);
	assert_hex_equal(in_map(k->payload, 4), "f6");
	assert_true(gk_span_equal(tstr(in_map(k->payload, 26)),
				  gk_span_str("coap://[fd00::2]:5683/ace-group/lights/node")));
}

static void refused(struct kdc *k, const struct material *material)
{
	kdc_make_member(k);
	kdc_begin(k, BOTH);
	kdc_answer_material(k, CREATED, material);
	assert_false(kdc_info(k).joined);
	assert_int_equal(kdc_info(k).num, -1);
	assert_int_not_equal(kdc_say(k, "x"), GK_OK);
	assert_int_equal(k->casts, 0);
}

static void mem_018_keys_of_another_type_are_none(void **state)
{
	struct material m = right;

	m.gkty = 2;
	refused(*state, &m);
}

static void mem_019_without_evidence_of_the_kdc_nothing_is_installed(void **state)
{
	struct kdc *k = *state;
	struct material m = right;
	struct bytes n_c;

	m.proof = false;
	refused(k, &m);
	m.proof = m.wrong_proof = true;
	refused(k, &m);
	/* it may try again, with another nonce */
	n_c = k->n_c;
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
	assert_memory_not_equal(n_c.data, k->n_c.data, 8);
	kdc_answer_material(k, CREATED, &right);
	assert_true(kdc_info(k).joined);
}

static void mem_020_what_is_absent_has_its_default(void **state)
{
	struct kdc *k = *state;
	struct material m = right;

	/* neither hkdf nor salt, nor rekeying_scheme */
	m.algorithms = "08 0e 09 0a 0a 26 0b 82 8102 820201";
	m.algorithm_count = 4;
	kdc_begin(k, BOTH);
	kdc_answer_material(k, CREATED, &m);
	assert_true(kdc_info(k).joined);
	assert_int_equal(kdc_say(k, "hello"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 0, "hello"));
	assert_false(kdc_info(k).in_tree);
}

static void mem_021_no_mode_without_its_algorithms(void **state)
{
	static const struct {
		const char *algorithms;
		size_t count;
	} rows[] = {
		{ "03 05 08 0e", 2 },                         /* none */
		{ "03 05 08 0e 09 0a", 3 },                   /* no sign_alg */
		{ "03 05 08 0e 0a 26 0b 82 8102 820201", 4 }, /* no gp_enc_alg */
	};
	struct kdc *k = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct material m = right;

		m.algorithms = rows[i].algorithms;
		m.algorithm_count = rows[i].count;
		kdc_make_member(k);
		kdc_begin(k, BOTH);
		kdc_answer_material(k, CREATED, &m);
		assert_int_not_equal(kdc_say(k, "x"), GK_OK);
		assert_int_equal(k->casts, 0);
		peer_says(k, 1, 7, i, "y");
		assert_string_equal(k->heard, "");
	}
}

static void mem_022_027_roles_of_others_are_minded(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	/* 01: both, 02: a requester, 03: a responder */
	peer_says(k, 1, 7, 0, "one");
	assert_string_equal(k->heard, "one");
	peer_says(k, 2, 7, 0, "two");
	assert_string_equal(k->heard, "two");
	peer_says(k, 3, 7, 0, "three");
	assert_string_equal(k->heard, "");
	assert_int_equal(kdc_say(k, "who?"), GK_OK);
	peer_answers(k, 2, 7, "two");
	assert_string_equal(k->heard, "");
	peer_answers(k, 3, 7, "three");
	assert_string_equal(k->heard, "three");
	peer_answers(k, 1, 7, "one");
	assert_string_equal(k->heard, "one");
}

static void mem_022_its_own_roles_too(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, RESPONDER, 7);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_FORBIDDEN);
	kdc_make_member(k);
	kdc_let_in(k, REQUESTER, 8);
	peer_says(k, 1, 8, 0, "one");
	assert_string_equal(k->heard, "");
	kdc_make_member(k);
	kdc_let_in(k, MONITOR, 9);
	peer_says(k, 1, 9, 0, "one");
	assert_string_equal(k->heard, "one");
	assert_int_equal(kdc_say(k, "x"), GK_ERR_FORBIDDEN);
	assert_int_equal(k->replies, 0);
}

static void mem_023_047_expired_material_is_not_used(void **state)
{
	struct kdc *k = *state;
	struct material m = right;

	m.exi_s = 100;
	kdc_begin(k, BOTH);
	kdc_answer_material(k, CREATED, &m);
	kdc_wait(k, 98000);
	assert_int_equal(kdc_say(k, "in time"), GK_OK);
	peer_says(k, 1, 7, 0, "one");
	assert_string_equal(k->heard, "one");
	for (int64_t end = k->now.mono.ms + 3000; k->now.mono.ms < end;)
		kdc_wait(k, end - k->now.mono.ms);
	assert_int_equal(kdc_say(k, "late"), GK_ERR_STATE);
	peer_says(k, 1, 7, 1, "late");
	assert_string_equal(k->heard, "");
}

static void mem_024_credentials_are_opaque(void **state)
{
	struct kdc *k = *state;
	const struct gk_public_key *pub = &k->peer_key[1].pub;

	/* another order of keys, heads that could be shorter, a claim that nobody knows */
	k->peer_cred[1].len = 0;
	put_hex(&k->peer_cred[1], "b803 1903e8 1800 08 a1 01 a5 22 5820");
	put_raw(&k->peer_cred[1], gk_span(pub->y, 32));
	put_hex(&k->peer_cred[1], "21 5820");
	put_raw(&k->peer_cred[1], gk_span(pub->x, 32));
	put_hex(&k->peer_cred[1], "01 02 03 26 20 01 02 7803 616263");
	kdc_let_in(k, BOTH, 7);
	peer_says(k, 1, 7, 0, "one");
	assert_string_equal(k->heard, "one");
	assert_int_equal(kdc_say(k, "who?"), GK_OK);
	peer_answers(k, 1, 7, "one again");
	assert_string_equal(k->heard, "one again");
}

static void mem_025_026_028_parameters_of_a_join(void **state)
{
	static const int labels[] = { 3, 4, 5, 6, 24, 26 };
	struct kdc *k = *state;

	kdc_begin(k, BOTH);
	for (size_t i = 0; i < ROWS(labels); i++)
		assert_true(has(k->payload, labels[i]));
	kdc_answer_material(k, CREATED, &right);
	assert_true(kdc_info(k).joined);
	assert_int_equal(kdc_info(k).num, 7);
	assert_hex_equal(kdc_info(k).gid, "eeee 00000007");
	assert_hex_equal(kdc_info(k).sender_id, "05");
	assert_hex_equal(kdc_info(k).node, "6e35");
	assert_int_equal(kdc_info(k).peers, 3);
}

static void mem_030_it_asks_as_often_as_the_policy_says(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 };

	kdc_begin(k, BOTH);
	put_material(&b, k, &right);
	b.data[0]++; /* one pair more: an interval of 100 s */
	put_hex(&b, "10 a2 01 1864 02 00");
	kdc_answer(k, CREATED, CF_ACE_GC, all_of(&b));
	assert_true(kdc_info(k).joined);
	kdc_wait(k, 250000);
	assert_true(kdc_is_asked(k, GET, "ace-group/lights/num"));
}

static void mem_031_keys_of_a_scheme_count_only_with_a_scheme(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 };

	kdc_begin(k, BOTH);
	put_material(&b, k, &right);
	b.data[0] += 2;
	put_hex(&b, "181b 42 0102 181c 78 1a");
	put_raw(&b, gk_span_str("coap://[ff03::1]:99/a/node"));
	kdc_answer(k, CREATED, CF_ACE_GC, all_of(&b));
	assert_true(kdc_info(k).joined);
	assert_false(kdc_info(k).in_tree);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define KDC(test) cmocka_unit_test_setup_teardown(test, open_kdc, close_kdc)
		KDC(mem_001_what_it_asks_about_groups_is_null),
		KDC(mem_002_nonce_and_id_make_the_association),
		KDC(mem_002_the_same_id_on_both_sides_ends_it),
		KDC(mem_006_the_scope_is_one_entry),
		KDC(mem_007_a_cnonce_is_fresh),
		KDC(mem_008_a_monitor_shows_no_credential),
		KDC(mem_009_013_a_newcomer_proves_that_it_has_its_key),
		KDC(mem_013_in_a_pairwise_only_group_by_a_mac),
		KDC(mem_012_evidence_is_never_empty),
		KDC(mem_014_017_after_a_4_00_the_challenge_in_it_counts),
		KDC(mem_015_016_what_else_is_in_a_join),
		KDC(mem_018_keys_of_another_type_are_none),
		KDC(mem_019_without_evidence_of_the_kdc_nothing_is_installed),
		KDC(mem_020_what_is_absent_has_its_default),
		KDC(mem_021_no_mode_without_its_algorithms),
		KDC(mem_022_027_roles_of_others_are_minded),
		KDC(mem_022_its_own_roles_too),
		KDC(mem_023_047_expired_material_is_not_used),
		KDC(mem_024_credentials_are_opaque),
		KDC(mem_025_026_028_parameters_of_a_join),
		KDC(mem_030_it_asks_as_often_as_the_policy_says),
		KDC(mem_031_keys_of_a_scheme_count_only_with_a_scheme),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
