// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The member: new keys, those it missed, and what it asks of the KDC (sections 9 and 11 of the
// profile, section 2.6 of RFC 10021).

#include "kdc.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOTH (REQUESTER | RESPONDER)

static const struct gk_span nothing = { NULL, 0 };

/* It waits for nothing and asks again if it wants to; until it asks this. */
static void asks_for(struct kdc *k, uint8_t code, const char *path)
{
	if (!k->asked)
		kdc_wait(k, 60000);
	if (!kdc_is_asked(k, code, path))
		fail_msg("not %u %s but %u %s", code, path, k->asked ? k->code : 0, k->path);
}

#define ASKS_STALE(k)    asks_for((k), FETCH, "ace-group/lights/stale-sids")
#define ASKS_MATERIAL(k) asks_for((k), GET, "ace-group/lights/nodes/n5")

static uint8_t told(struct kdc *k, uint32_t num, const char *stale)
{
	return kdc_tell_material(k, &(struct material){ .num = num, .stale = stale });
}

static void assert_version(struct kdc *k, int64_t num)
{
	assert_int_equal(kdc_info(k).num, num);
	assert_int_equal(kdc_say(k, "now"), GK_OK);
	assert_true(peer_reads(k, (uint32_t)num, OWN_SID, 0, "now"));
}

static void mem_042_048_the_next_version_is_installed(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (uint64_t seq = 0; seq < 3; seq++) {
		assert_int_equal(kdc_say(k, "old"), GK_OK);
		assert_true(peer_reads(k, 7, OWN_SID, seq, "old"));
	}
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_int_equal(k->notes[GK_NOTE_REKEYED], 1);
	/* a sequence number of 0, and nothing under the old keys, either way */
	assert_version(k, 8);
	peer_says(k, 1, 7, 0, "old");
	assert_string_equal(k->heard, "");
	peer_says(k, 1, 8, 0, "new");
	assert_string_equal(k->heard, "new");
	/* replayed under the new keys it is not heard again */
	peer_says(k, 1, 8, 0, "new");
	assert_string_equal(k->heard, "");
}

static void mem_042_what_is_not_newer_is_ignored(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	(void)told(k, 7, "83 4101 4102 4103");
	(void)told(k, 6, "83 4101 4102 4103");
	assert_int_equal(kdc_info(k).num, 7);
	assert_int_equal(kdc_info(k).peers, 3);
	peer_says(k, 1, 7, 0, "still");
	assert_string_equal(k->heard, "still");
	assert_int_equal(k->notes[GK_NOTE_REKEYED], 0);
	assert_false(k->asked);
}

static void mem_027_041_who_went_is_forgotten(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(told(k, 8, "82 4102 41fe"), CHANGED);
	assert_int_equal(kdc_info(k).peers, 2);
	peer_says(k, 2, 8, 0, "gone");
	assert_string_equal(k->heard, "");
	peer_says(k, 1, 8, 0, "here");
	assert_string_equal(k->heard, "here");
}

static void mem_042_043_044_after_a_gap_it_asks_who_went_first(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	(void)told(k, 9, "81 4102");
	/* neither the old keys nor the new ones */
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
	peer_says(k, 1, 7, 0, "old");
	assert_string_equal(k->heard, "");
	peer_says(k, 1, 9, 0, "new");
	assert_string_equal(k->heard, "");
	ASKS_STALE(k);
	assert_int_equal(k->format, CF_CBOR);
	assert_hex_equal(k->payload, "07");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "82 4102 4103");
	assert_version(k, 9);
	assert_int_equal(kdc_info(k).peers, 1);
	peer_says(k, 1, 9, 0, "here");
	assert_string_equal(k->heard, "here");
	assert_int_equal(k->notes[GK_NOTE_RECOVERED], 1);
}

static void mem_044_so_it_does_when_it_read_newer_keys(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(gk_member_check(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "09");
	ASKS_MATERIAL(k);
	kdc_answer_material(k, CONTENT, &(struct material){ .num = 9, .whole = true, .sid = true });
	ASKS_STALE(k);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
	kdc_answer_hex(k, CONTENT, CF_CBOR, "81 4103");
	assert_version(k, 9);
	assert_int_equal(kdc_info(k).peers, 2);
}

static void mem_043_045_it_polls_and_fetches_what_it_missed(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	kdc_wait(k, 2 * 3600000);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "07");
	asks_for(k, GET, "ace-group/lights/active");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f5");
	assert_int_equal(kdc_say(k, "same"), GK_OK);
	kdc_wait(k, 2 * 3600000);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "08");
	ASKS_MATERIAL(k);
	kdc_answer_material(k, CONTENT, &(struct material){ .num = 8, .whole = true, .sid = true });
	if (k->asked) {
		ASKS_STALE(k);
		kdc_answer_hex(k, CONTENT, CF_CBOR, "80");
	}
	assert_version(k, 8);
	assert_int_equal(kdc_info(k).peers, 3);
}

static void mem_046_without_a_payload_everybody_is_forgotten(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	(void)told(k, 12, "80");
	ASKS_STALE(k);
	kdc_answer(k, CONTENT, CF_NONE, nothing);
	assert_int_equal(kdc_info(k).peers, 0);
	peer_says(k, 1, 12, 0, "who?");
	assert_string_equal(k->heard, "");
	/* and an empty array means the contrary */
	kdc_make_member(k);
	kdc_let_in(k, BOTH, 7);
	(void)told(k, 9, "80");
	ASKS_STALE(k);
	kdc_answer_hex(k, CONTENT, CF_CBOR, "80");
	assert_int_equal(kdc_info(k).peers, 3);
}

static void mem_039_a_partial_iv_of_the_kdc_counts_once(void **state)
{
	struct kdc *k = *state;
	uint64_t seq;

	kdc_let_in(k, BOTH, 7);
	seq = k->assoc.seq;
	assert_int_equal(told(k, 8, "80"), CHANGED);
	k->assoc.seq = seq;
	assert_int_equal(told(k, 9, "80"), 0);
	k->assoc.seq = seq;
	assert_int_equal(kdc_tell(k, DELETE, nothing), 0);
	assert_int_equal(kdc_info(k).num, 8);
	assert_true(kdc_info(k).joined);
	assert_int_equal(told(k, 9, "80"), CHANGED);
	assert_int_equal(kdc_info(k).num, 9);
}

static void mem_050_only_the_kdc_is_heard_at_the_control_uri(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 }, material = { .len = 0 };
	unsigned last = 0;
	struct gk_oscore real;

	kdc_let_in(k, BOTH, 7);
	/* without protection */
	put_hex(&b, "04");
	put_option(&b, &last, 11, gk_span_str("ace-group"));
	put_option(&b, &last, 11, gk_span_str("lights"));
	put_option(&b, &last, 11, gk_span_str("node"));
	kdc_send(k, all_of(&b));
	b.data[0] = POST;
	put_option(&b, &last, 12, hex_span("0105"));
	put_hex(&b, "ff");
	put_material(&material, k, &(struct material){ .num = 8, .stale = "80" });
	put_raw(&b, all_of(&material));
	kdc_send(k, all_of(&b));
	/* under another key */
	real = k->assoc;
	k->assoc.sender_key[3] ^= 1;
	(void)kdc_tell(k, DELETE, nothing);
	(void)told(k, 8, "80");
	k->assoc = real;
	assert_true(kdc_info(k).joined);
	assert_int_equal(kdc_info(k).num, 7);
	assert_int_equal(k->notes[GK_NOTE_EVICTED] + k->notes[GK_NOTE_REKEYED], 0);
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_int_equal(kdc_info(k).num, 8);
	assert_int_equal(kdc_tell(k, DELETE, nothing), DELETED);
	assert_false(kdc_info(k).joined);
}

static void mem_029_034_035_049_a_new_sender_id_begins_with_0(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_say(k, "one"), GK_OK);
	assert_int_equal(kdc_say(k, "two"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 1, "two"));
	assert_int_equal(gk_member_renew(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, POST, "ace-group/lights/nodes/n5");
	assert_int_equal(k->payload.len, 0);
	kdc_answer_hex(k, CHANGED, CF_ACE_GC, "a1 15 4108");
	assert_hex_equal(kdc_info(k).sender_id, "08");
	assert_int_equal(kdc_say(k, "three"), GK_OK);
	assert_true(peer_reads(k, 7, 8, 0, "three"));
	assert_int_equal(kdc_info(k).num, 7);
}

static void mem_051_who_lost_its_state_says_nothing_before_it_has_another_sender_id(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_say(k, "one"), GK_OK);
	kdc_make_member(k);
	assert_int_not_equal(kdc_say(k, "two"), GK_OK);
	kdc_begin(k, BOTH);
	assert_int_not_equal(kdc_say(k, "two"), GK_OK);
	kdc_answer_material(
		k, CHANGED,
		&(struct material){
			.num = 7, .whole = true, .sid = true, .own_sid = 9, .proof = true });
	assert_int_equal(kdc_say(k, "two"), GK_OK);
	assert_true(peer_reads(k, 7, 9, 0, "two"));
}

static void mem_047_evicted_it_says_nothing(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_tell(k, DELETE, nothing), DELETED);
	assert_int_not_equal(kdc_say(k, "x"), GK_OK);
	peer_says(k, 1, 7, 0, "y");
	assert_string_equal(k->heard, "");
}

static void checks(struct kdc *k)
{
	assert_int_equal(gk_member_check(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "07");
	asks_for(k, GET, "ace-group/lights/active");
}

static void mem_038_in_a_group_that_is_not_active_it_is_silent_and_deaf(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_true(kdc_info(k).active);
	assert_int_equal(kdc_say(k, "before"), GK_OK);
	checks(k);
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f4");
	assert_false(kdc_info(k).active);
	assert_int_equal(k->notes[GK_NOTE_INACTIVE], 1);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
	peer_says(k, 1, 7, 0, "y");
	assert_string_equal(k->heard, "");
	peer_answers(k, 1, 7, "z");
	assert_string_equal(k->heard, "");
	/* keys go on */
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_int_equal(kdc_info(k).num, 8);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
	/* it asks again by itself, long before the hour is over */
	kdc_wait(k, 600000);
	asks_for(k, GET, "ace-group/lights/active");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f4");
	assert_int_equal(k->notes[GK_NOTE_INACTIVE], 1);
	kdc_wait(k, 600000);
	asks_for(k, GET, "ace-group/lights/active");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f5");
	assert_int_equal(k->notes[GK_NOTE_ACTIVE], 1);
	assert_true(kdc_info(k).active);
	assert_version(k, 8);
	kdc_wait(k, 600000);
	assert_false(k->asked);
}

static void mem_038_it_asks_each_time_that_it_asks_for_the_version(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	kdc_wait(k, 2 * 3600000);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "07");
	asks_for(k, GET, "ace-group/lights/active");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f4");
	assert_false(kdc_info(k).active);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
}

static void mem_038_error_9_says_so_too(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(gk_member_renew(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, POST, "ace-group/lights/nodes/n5");
	kdc_answer_hex(k, UNAVAILABLE, CF_PROBLEM, "a1 00 a1 00 04");
	assert_true(kdc_info(k).active);
	asks_for(k, POST, "ace-group/lights/nodes/n5");
	kdc_answer_hex(k, UNAVAILABLE, CF_PROBLEM, "a1 00 a1 00 09");
	assert_false(kdc_info(k).active);
	assert_int_equal(kdc_say(k, "x"), GK_ERR_STATE);
	/* what is refused waits until it can be had */
	kdc_wait(k, 600000);
	asks_for(k, GET, "ace-group/lights/active");
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f5");
	asks_for(k, POST, "ace-group/lights/nodes/n5");
	kdc_answer_hex(k, CHANGED, CF_ACE_GC, "a1 15 4108");
	assert_int_equal(kdc_say(k, "x"), GK_OK);
	assert_true(peer_reads(k, 7, 8, 0, "x"));
}

static void mem_038_what_is_no_answer_changes_nothing(void **state)
{
	static const char *const answers[] = { "01", "f500", "f6", "40" };
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (size_t i = 0; i < ROWS(answers); i++) {
		checks(k);
		kdc_answer_hex(k, CONTENT, CF_CBOR, answers[i]);
		assert_true(kdc_info(k).active);
	}
	checks(k);
	kdc_answer(k, NOT_FOUND, CF_NONE, nothing);
	assert_true(kdc_info(k).active);
	checks(k);
	kdc_answer_hex(k, NOT_FOUND, CF_CBOR, "f4");
	assert_true(kdc_info(k).active);
}

static void mem_038_who_comes_back_is_in_an_active_group(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	checks(k);
	kdc_answer_hex(k, CONTENT, CF_CBOR, "f4");
	assert_int_equal(kdc_tell(k, DELETE, nothing), DELETED);
	assert_false(kdc_info(k).active);
	kdc_wait(k, 60000);
	asks_for(k, POST, "ace-group/lights");
	kdc_answer_material(
		k, CREATED,
		&(struct material){ .num = 8, .whole = true, .sid = true, .proof = true });
	assert_true(kdc_info(k).active);
	assert_int_equal(k->notes[GK_NOTE_ACTIVE], 0);
	assert_int_equal(kdc_say(k, "x"), GK_OK);
}

/* Whoever gives away a Sender ID twice gives away a key with nonces that are used. */
static void rejoins(struct kdc *k, uint32_t num, uint8_t sid)
{
	asks_for(k, POST, "ace-group/lights");
	kdc_answer_material(
		k, CREATED,
		&(struct material){
			.num = num, .whole = true, .sid = true, .own_sid = sid, .proof = true });
}

static void mem_049_a_sender_id_of_before_an_eviction_is_not_taken_again(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_say(k, "one"), GK_OK);
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_int_equal(kdc_say(k, "two"), GK_OK);
	assert_int_equal(kdc_tell(k, DELETE, nothing), DELETED);
	kdc_wait(k, 60000);
	rejoins(k, 8, OWN_SID);
	assert_false(kdc_info(k).joined);
	assert_int_not_equal(kdc_say(k, "x"), GK_OK);
	rejoins(k, 7, OWN_SID); /* as if a backup had been put back */
	assert_false(kdc_info(k).joined);
	rejoins(k, 8, 9);
	assert_true(kdc_info(k).joined);
	assert_int_equal(kdc_say(k, "three"), GK_OK);
	assert_true(peer_reads(k, 8, 9, 0, "three"));
}

static void mem_049_nor_by_a_key_renewal(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gk_member_renew(k->m, gk_span_str("lights"), k->now), GK_OK);
		kdc_drain(k, GK_OK);
		asks_for(k, POST, "ace-group/lights/nodes/n5");
		kdc_answer_hex(k, CHANGED, CF_ACE_GC, i ? "a1 15 4105" : "a1 15 4108");
		assert_hex_equal(kdc_info(k).sender_id, "08");
	}
	assert_int_equal(k->notes[GK_NOTE_ERROR], 1);
}

/* A KDC that was set back hands out a Gid anew, with a version that we do not know yet. */
static void mem_049_keys_that_come_with_a_used_gid_are_not_used(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 };

	kdc_let_in(k, BOTH, 7);
	put_material(&b, k, &(struct material){ .num = 7, .stale = "80" });
	assert_int_equal(b.data[31], 9); /* num */
	b.data[32] = 8;
	(void)kdc_tell(k, POST, all_of(&b));
	assert_int_not_equal(kdc_say(k, "x"), GK_OK);
	rejoins(k, 8, OWN_SID);
	assert_int_equal(kdc_say(k, "x"), GK_OK);
	assert_true(peer_reads(k, 8, OWN_SID, 0, "x"));
}

static void mem_049_of_the_present_gid_none_is_forgotten(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (unsigned i = 0; i < 70; i++) {
		uint8_t answer[] = { 0xa1, 0x15, 0x41, (uint8_t)(0x40 + i) };

		assert_int_equal(gk_member_renew(k->m, gk_span_str("lights"), k->now), GK_OK);
		kdc_drain(k, GK_OK);
		asks_for(k, POST, "ace-group/lights/nodes/n5");
		kdc_answer(k, CHANGED, CF_ACE_GC, gk_span(answer, sizeof(answer)));
	}
	assert_int_equal(k->notes[GK_NOTE_ERROR], 7); /* it knows 64, its first one too */
	assert_hex_equal(kdc_info(k).sender_id, "7e");
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_int_equal(kdc_say(k, "on"), GK_OK);
	assert_true(peer_reads(k, 8, 0x7e, 0, "on"));
}

static void fails_thrice(struct kdc *k, uint64_t seq)
{
	for (uint64_t i = 0; i < 3; i++)
		peer_says(k, 1, 7, seq + i, "hidden");
	assert_string_equal(k->heard, "");
}

static void mem_036_a_new_credential_of_the_kdc_is_fetched_and_verified(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_say(k, "one"), GK_OK);
	kdc_change_key(k, 101);
	peer_says(k, 1, 7, 0, "hidden");
	kdc_wait(k, 60000);
	assert_false(k->asked); /* that may have been anybody */
	fails_thrice(k, 1);
	asks_for(k, GET, "ace-group/lights/creds");
	kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	asks_for(k, GET, "ace-group/lights/kdc-cred");
	kdc_answer_kdc_cred(k, true);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 1);
	assert_string_equal(k->reason, "the KDC's evidence is wrong");
	fails_thrice(k, 4); /* it has not taken that */
	kdc_wait(k, 60000);
	fails_thrice(k, 7);
	asks_for(k, GET, "ace-group/lights/creds");
	kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	asks_for(k, GET, "ace-group/lights/kdc-cred");
	kdc_answer_kdc_cred(k, false);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 1);
	peer_says(k, 1, 7, 10, "open");
	assert_string_equal(k->heard, "open");
	/* what it says is bound to it too, and its numbers go on */
	assert_int_equal(kdc_say(k, "two"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 1, "two"));
}

static void mem_036_two_failures_say_nothing(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (uint64_t seq = 0; seq < 9; seq += 3) {
		kdc_change_key(k, 101);
		peer_says(k, 1, 7, seq, "hidden");
		peer_says(k, 1, 7, seq + 1, "hidden");
		kdc_change_key(k, 100);
		peer_says(k, 1, 7, seq + 2, "open");
		assert_string_equal(k->heard, "open");
		kdc_wait(k, 10000);
		assert_false(k->asked);
	}
}

static void mem_036_what_anyone_can_provoke_is_asked_ever_more_rarely(void **state)
{
	struct kdc *k = *state;
	size_t before;
	uint64_t seq = 0;

	kdc_let_in(k, BOTH, 7);
	kdc_change_key(k, 101);
	before = k->requests;
	for (int i = 0; i < 600; i++) { /* ten minutes */
		peer_says(k, 1, 7, seq++, "forged");
		kdc_wait(k, 1000);
		if (k->asked && strstr(k->path, "kdc-cred"))
			kdc_answer(k, NOT_FOUND, CF_NONE, nothing);
		else if (k->asked)
			kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	}
	assert_in_range(k->requests - before, 6, 20);
}

/* P 9.4, R 4.9.1: the scope of its Join Request, the latest N_S, a nonce of its own. */
static void takes_new_cred(struct kdc *k)
{
	struct bytes input = { .len = 0 };
	struct gk_span cred, key;
	struct gk_public_key pub = { .crv = 1 };

	asks_for(k, POST, "ace-group/lights/nodes/n5/cred");
	assert_int_equal(k->format, CF_ACE_GC);
	assert_int_equal(map_size(k->payload), 3);
	put_bstr(&input, all_of(&k->entry));
	put_bstr(&input, all_of(&k->n_s));
	put_bstr(&input, bstr(in_map(k->payload, 6)));
	assert_true(bstr(in_map(k->payload, 6)).len >= 8);
	assert_false(gk_span_equal(bstr(in_map(k->payload, 6)), all_of(&k->n_c)));
	cred = bstr(in_map(k->payload, 5));
	assert_false(gk_span_equal(cred, all_of(&k->member_cred)));
	key = in_map(in_map(cred, 8), 1);
	memcpy(pub.x, bstr(in_map(key, -2)).data, 32);
	memcpy(pub.y, bstr(in_map(key, -3)).data, 32);
	assert_int_equal(gk_verify(&pub, all_of(&input), bstr(in_map(k->payload, 24))), GK_OK);
}

static void mem_037_a_new_credential_comes_with_evidence(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(kdc_say(k, "one"), GK_OK);
	assert_int_equal(gk_member_new_cred(k->m, gk_span_str("lights"), k->now), GK_OK);
	assert_int_equal(gk_member_new_cred(k->m, gk_span_str("lights"), k->now), GK_ERR_STATE);
	kdc_drain(k, GK_OK);
	takes_new_cred(k);
	/* until it is confirmed the old one counts */
	assert_int_equal(kdc_say(k, "two"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 1, "two"));
	k->member_cred.len = 0;
	put_raw(&k->member_cred, bstr(in_map(k->payload, 5)));
	kdc_answer(k, CHANGED, CF_NONE, nothing);
	assert_int_equal(k->notes[GK_NOTE_CREDENTIAL], 1);
	assert_int_equal(kdc_say(k, "three"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 2, "three"));
	/* with the next keys too, and in the next Join Request */
	assert_int_equal(told(k, 8, "80"), CHANGED);
	assert_version(k, 8);
	assert_int_equal(kdc_tell(k, DELETE, nothing), DELETED);
	kdc_wait(k, 60000);
	asks_for(k, POST, "ace-group/lights");
	assert_true(gk_span_equal(bstr(in_map(k->payload, 5)), all_of(&k->member_cred)));
}

static void mem_037_another_challenge_is_answered_once(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(gk_member_new_cred(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	takes_new_cred(k);
	k->n_s.len = 0;
	put_hex(&k->n_s, "0102030405060708");
	kdc_answer_hex(k, BAD_REQUEST, CF_ACE_GC, "a1 181e 480102030405060708");
	takes_new_cred(k);
	kdc_answer_hex(k, BAD_REQUEST, CF_ACE_GC, "a1 181e 480102030405060709");
	kdc_wait(k, 60000);
	assert_false(k->asked);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 1);
	assert_int_equal(kdc_say(k, "as before"), GK_OK);
	assert_true(peer_reads(k, 7, OWN_SID, 0, "as before"));
}

static void mem_037_what_is_refused_is_not_used(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(gk_member_new_cred(k->m, gk_span_str("lights"), k->now), GK_OK);
		kdc_drain(k, GK_OK);
		takes_new_cred(k);
		kdc_answer_hex(k, BAD_REQUEST, CF_PROBLEM, i ? "a1 00 a1 00 03" : "a1 00 a1 00 02");
		assert_int_equal(kdc_say(k, "as before"), GK_OK);
		assert_true(peer_reads(k, 7, OWN_SID, i, "as before"));
	}
	assert_int_equal(k->notes[GK_NOTE_CREDENTIAL], 0);
	assert_int_equal(k->notes[GK_NOTE_ERROR], 2);
}

/* 0 has the key of 1 here. */
static void put_one(struct bytes *b, struct kdc *k, uint8_t num)
{
	put_hex(b, "a4 09");
	put_int(b, num);
	put_hex(b, "0d 81");
	put_bstr(b, all_of(&k->peer_cred[0]));
	put_hex(b, "0e 81 06 0f 81 4100");
}

static void mem_033_who_is_new_comes_to_those_whom_it_knows(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 };

	kdc_let_in(k, BOTH, 7);
	k->peer_cred[0] = k->peer_cred[1];
	k->peer_key[0] = k->peer_key[1];
	peer_says(k, 0, 7, 0, "new here");
	kdc_wait(k, 60000);
	assert_true(kdc_is_asked(k, FETCH, "ace-group/lights/creds"));
	put_one(&b, k, 7);
	kdc_answer(k, CONTENT, CF_ACE_GC, all_of(&b));
	assert_int_equal(kdc_info(k).peers, 4);
	peer_says(k, 0, 7, 1, "known");
	assert_string_equal(k->heard, "known");
	peer_says(k, 1, 7, 0, "as before");
	assert_string_equal(k->heard, "as before");
	kdc_wait(k, 60000);
	assert_false(k->asked);
}

static void mem_033_of_too_many_it_asks_for_all(void **state)
{
	struct kdc *k = *state;
	uint8_t sid;

	kdc_let_in(k, BOTH, 7);
	for (unsigned i = 0; i < 8; i++)
		stranger_says(k, (uint8_t)(0x60 + i / 2), 7);
	kdc_wait(k, 60000);
	assert_true(kdc_is_asked(k, FETCH, "ace-group/lights/creds"));
	assert_hex_equal(k->payload, "a1 04 83 f5 80 84 4160 4161 4162 4163");
	kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	kdc_wait(k, 60000);
	stranger_says(k, 0x70, 7);
	kdc_wait(k, 60000);
	assert_hex_equal(k->payload, "a1 04 83 f5 80 81 4170");
	kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	kdc_wait(k, 60000);
	for (sid = 0x60; sid < 0x65; sid++)
		stranger_says(k, sid, 7);
	kdc_wait(k, 60000);
	assert_true(kdc_is_asked(k, GET, "ace-group/lights/creds"));
}

static void mem_032_an_error_says_what_to_do(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	assert_int_equal(gk_member_check(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, GET, "ace-group/lights/num");
	kdc_answer_hex(k, FORBIDDEN, CF_PROBLEM, "a1 00 a1 00 00");
	kdc_wait(k, 600000);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
}

static void mem_033_it_leaves_and_learns_of_new_members(void **state)
{
	struct kdc *k = *state;

	kdc_let_in(k, BOTH, 7);
	/* somebody that it does not know */
	k->peer_cred[0] = k->peer_cred[1];
	k->peer_key[0] = k->peer_key[1];
	peer_says(k, 0, 7, 0, "new here");
	assert_string_equal(k->heard, "");
	kdc_wait(k, 60000);
	/* of it alone; of a KDC that cannot choose, all */
	assert_true(kdc_is_asked(k, FETCH, "ace-group/lights/creds"));
	assert_int_equal(k->format, CF_ACE_GC);
	assert_hex_equal(k->payload, "a1 04 83 f5 80 81 4100");
	kdc_answer(k, NOT_ALLOWED, CF_NONE, nothing);
	asks_for(k, GET, "ace-group/lights/creds");
	kdc_answer_hex(k, CONTENT, CF_ACE_GC, "40");
	assert_int_equal(gk_member_leave(k->m, gk_span_str("lights"), k->now), GK_OK);
	kdc_drain(k, GK_OK);
	asks_for(k, DELETE, "ace-group/lights/nodes/n5");
	kdc_answer(k, DELETED, CF_NONE, nothing);
	assert_int_equal(k->notes[GK_NOTE_LEFT], 1);
	assert_false(kdc_info(k).joined);
}

static void mem_040_without_a_server_role_it_observes(void **state)
{
	struct kdc *k = *state;
	struct bytes b = { .len = 0 };
	struct gk_oscore_ref ref;
	uint64_t id;

	k->observes = true;
	kdc_make_member(k);
	kdc_begin(k, BOTH);
	assert_false(has(k->payload, 26)); /* no control_uri */
	kdc_answer_material(
		k, CREATED,
		&(struct material){
			.num = 7, .whole = true, .sid = true, .peers = "123", .proof = true });
	while (!kdc_is_asked(k, GET, "ace-group/lights")) {
		if (k->asked)
			kdc_answer_hex(k, NOT_FOUND, CF_NONE, "");
		kdc_wait(k, 60000);
	}
	assert_true(k->observe);
	id = k->id;
	ref = k->ref;
	put_material(&b, k, &(struct material){ .num = 7, .whole = true });
	kdc_notify(k, id, &ref, 1, all_of(&b));
	assert_int_equal(kdc_info(k).num, 7);
	b.len = 0;
	put_material(&b, k, &(struct material){ .num = 8, .stale = "81 4102" });
	kdc_notify(k, id, &ref, 2, all_of(&b));
	assert_version(k, 8);
	assert_int_equal(kdc_info(k).peers, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define KDC(test) cmocka_unit_test_setup_teardown(test, open_kdc, close_kdc)
		KDC(mem_042_048_the_next_version_is_installed),
		KDC(mem_042_what_is_not_newer_is_ignored),
		KDC(mem_027_041_who_went_is_forgotten),
		KDC(mem_042_043_044_after_a_gap_it_asks_who_went_first),
		KDC(mem_044_so_it_does_when_it_read_newer_keys),
		KDC(mem_043_045_it_polls_and_fetches_what_it_missed),
		KDC(mem_046_without_a_payload_everybody_is_forgotten),
		KDC(mem_039_a_partial_iv_of_the_kdc_counts_once),
		KDC(mem_040_without_a_server_role_it_observes),
		KDC(mem_050_only_the_kdc_is_heard_at_the_control_uri),
		KDC(mem_029_034_035_049_a_new_sender_id_begins_with_0),
		KDC(mem_051_who_lost_its_state_says_nothing_before_it_has_another_sender_id),
		KDC(mem_047_evicted_it_says_nothing),
		KDC(mem_038_in_a_group_that_is_not_active_it_is_silent_and_deaf),
		KDC(mem_038_it_asks_each_time_that_it_asks_for_the_version),
		KDC(mem_038_error_9_says_so_too),
		KDC(mem_038_what_is_no_answer_changes_nothing),
		KDC(mem_038_who_comes_back_is_in_an_active_group),
		KDC(mem_049_a_sender_id_of_before_an_eviction_is_not_taken_again),
		KDC(mem_049_nor_by_a_key_renewal),
		KDC(mem_049_keys_that_come_with_a_used_gid_are_not_used),
		KDC(mem_049_of_the_present_gid_none_is_forgotten),
		KDC(mem_036_a_new_credential_of_the_kdc_is_fetched_and_verified),
		KDC(mem_036_two_failures_say_nothing),
		KDC(mem_036_what_anyone_can_provoke_is_asked_ever_more_rarely),
		KDC(mem_037_a_new_credential_comes_with_evidence),
		KDC(mem_037_another_challenge_is_answered_once),
		KDC(mem_037_what_is_refused_is_not_used),
		KDC(mem_033_who_is_new_comes_to_those_whom_it_knows),
		KDC(mem_033_of_too_many_it_asks_for_all),
		KDC(mem_032_an_error_says_what_to_do),
		KDC(mem_033_it_leaves_and_learns_of_new_members),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
