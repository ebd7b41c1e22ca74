// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What a member does with new material, with missed rekeyings and with what somebody else would
// like it to believe (R 6.3, P 11.2, 11.3).

#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ANYONE      (-3)

static int open_pair(void **state)
{
	static struct pair p;

	pair_open(&p, 10);
	*state = &p;
	if (pair_serve(&p, NULL))
		return 1;
	pair_join_all(&p, 3);
	pair_advance(&p, 1000);
	return pair_agree(&p, 0, 2) ? 0 : 1;
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void evict(struct pair *p, const char *name)
{
	assert_int_equal(gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now),
			 GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static void assert_talk(struct pair *p, size_t from, size_t to, const char *text)
{
	assert_int_equal(pair_say(p, from, PAIR_LIGHTS, text), GK_OK);
	pair_run(p);
	if (pair_heard(p, to, text) != 1)
		fail_msg("%zu does not hear '%s' of %zu", to, text, from);
}

/* Messages to member 0 with new material get lost. */
static bool lose_rekeyings(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->to == 0 && m->from == PAIR_KDC && m->kind == PAIR_REQUEST);
}

/* missed rekeyings: 5.7, cases a to d */

static void a_gap_is_noticed_by_the_next_message(void **state)
{
	struct pair *p = *state;
	struct gk_id sid;
	struct gk_membership_info info = pair_info(p, 0);

	assert_int_equal(gk_id_set(&sid, info.sender_id), GK_OK);
	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	evict(p, "node2");
	p->node[2].cut = true; // or it comes back
	pair_advance(p, 600);
	p->pass = NULL;
	rekey(p); // the message of this version is the first that gets through
	pair_advance(p, 20000);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_note(p, 0, GK_NOTE_RECOVERED)->via, GK_VIA_PULL);
	// 2's Sender ID was in a message that was lost
	info = pair_info(p, 0);
	assert_int_equal(info.peers, 1);
	assert_true(gk_span_equal(info.sender_id, gk_id_span(&sid)));
	assert_talk(p, 0, 1, "from behind");
	assert_talk(p, 1, 0, "to behind");
}

/* Its message to the group would be the first that is heard of it. */
static void who_joined_meanwhile_is_known_when_it_is_over(void **state)
{
	struct pair *p = *state;
	size_t newcomer;

	p->pass = lose_rekeyings;
	newcomer = pair_add(p, 6);
	assert_int_equal(pair_join(p, newcomer, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 600);
	p->pass = NULL;
	rekey(p);
	pair_advance(p, 20000);
	assert_int_equal(pair_info(p, 0).peers, 3);
	assert_talk(p, newcomer, 0, "first word");
}

/* Nobody joins a group that is not active. */
static void a_newcomer_shows_that_the_group_is_active(void **state)
{
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair *p = *state;

	config.active = false;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	assert_int_equal(gk_member_check(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_advance(p, 1000);
	assert_false(pair_info(p, 0).active);
	rekey(p); // this says nothing of it
	pair_advance(p, 1000);
	assert_false(pair_info(p, 0).active);
	config.active = true;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	assert_int_equal(pair_join(p, pair_add(p, 6), PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 1000);
	assert_true(pair_info(p, 0).active);
}

/* What member 0 asks gets no answer. */
static bool lose_stale(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->from == 0 && m->to == PAIR_KDC && m->kind == PAIR_REQUEST);
}

static void from_the_gap_on_the_old_material_is_not_used(void **state)
{
	struct pair *p = *state;

	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	p->pass = NULL;
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "old"), GK_OK);
	p->next = p->log_count;
	rekey(p);
	pair_advance(p, 3999);
	assert_int_equal(pair_info(p, 0).num, 2); // its message of version 3 is not given up yet
	p->node[0].cut = true;
	pair_advance(p, 8001);
	p->node[0].cut = false;
	p->pass = lose_stale;
	while (p->now.mono.ms < 1100000 && pair_info(p, 0).num == 2)
		pair_advance(p, 1000);
	assert_int_equal(pair_info(p, 0).num, -1);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "old"), GK_ERR_STATE);
	p->pass = NULL;
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2));
}

static void a_missed_rekeying_is_noticed_by_the_interval(void **state)
{
	struct pair *p = *state;
	size_t parked;

	p->config[0].presence.evict = false;
	pair_restart(p);
	pair_advance(p, 1000);
	p->pass = lose_rekeyings;
	rekey(p);
	pair_advance(p, 120000);
	parked = pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED);
	assert_int_equal(parked, 1);
	assert_int_equal(pair_info(p, 0).num, 2);
	// (d) num tells, then (b) the material is fetched; the KDC never gets through by itself
	pair_advance(p, 3600000);
	assert_true(pair_agree(p, 0, 2));
	assert_true(pair_count_notes(p, 0, GK_NOTE_RECOVERED) >= 1);
	assert_talk(p, 0, 1, "after an hour");
}

/* asked by the application */

static void check_num(struct pair *p)
{
	assert_int_equal(gk_member_check(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
}

/* Runs until member 0 asks the KDC something by itself. */
static void wait_for_question(struct pair *p)
{
	for (int i = 0; i < 4000 && !pair_waiting(p, 0); i++) {
		p->now.mono.ms += 1000;
		assert_int_equal(gk_member_expire(p->node[0].member, p->now), GK_OK);
		pair_drain_node(p, 0);
	}
	assert_non_null(pair_waiting(p, 0));
}

static void a_check_tells_the_newest_version_and_catches_up(void **state)
{
	struct pair *p = *state;
	int64_t asked_ms;

	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	asked_ms = p->now.mono.ms;
	check_num(p);
	pair_run(p);
	assert_int_equal(p->now.mono.ms, asked_ms);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
	assert_int_equal(pair_note(p, 0, GK_NOTE_CHECKED)->num, pair_num(p));
	assert_string_equal(pair_note(p, 0, GK_NOTE_CHECKED)->group, PAIR_LIGHTS);
	pair_advance(p, 1000);
	assert_true(pair_agree(p, 0, 2));
	// what it asks by itself is nobody's business
	pair_advance(p, 2 * 3600000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), 0);
}

static void a_check_is_asked_until_it_is_answered_and_told_once(void **state)
{
	struct pair *p = *state;

	p->node[0].cut = true;
	check_num(p);
	check_num(p);
	pair_advance(p, 60000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 0);
	p->node[0].cut = false;
	pair_advance(p, 60000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
}

/* Its answer may be older than the question. */
/* All that costs is one more round for each restart. */
static void a_kdc_that_restarts_again_and_again_is_answered_at_once(void **state)
{
	struct pair *p = *state;
	int64_t asked_ms = p->now.mono.ms;

	pair_restart(p);
	check_num(p);
	for (int i = 0; i < 2; i++) {
		pair_step(p); // it cannot know whether that is a replay, and asks for an Echo
		pair_step(p);
		assert_non_null(pair_waiting(p, 0));
		pair_restart(p);
	}
	pair_run(p);
	assert_int_equal(p->now.mono.ms, asked_ms);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
}

static void a_kdc_that_never_has_enough_of_echoes_is_left_alone(void **state)
{
	struct pair *p = *state;
	size_t before = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);

	check_num(p);
	for (int i = 0; i < 10 && pair_waiting(p, 0); i++)
		pair_forge_answer(p, 0, hex_span("81 d8 ef 0102030405060708"));
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), before + 4);
	pair_advance(p, 10000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
}

static void a_check_is_not_answered_by_what_was_asked_before(void **state)
{
	struct pair *p = *state;
	int64_t num = pair_num(p);

	wait_for_question(p); // the hourly one
	pair_step(p);         // it is answered, and the answer is on its way
	p->pass = lose_rekeyings;
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	check_num(p);
	pair_run(p);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 1);
	assert_int_equal(pair_note(p, 0, GK_NOTE_CHECKED)->num, num + 1);
}

static void a_check_that_is_not_answered_well_is_an_error(void **state)
{
	static const char *const answers[] = { "84", "45 c1 3c ff 4103", "45 c1 3c ff 0303" };
	struct pair *p = *state;

	for (size_t i = 0; i < ROWS(answers); i++) {
		check_num(p);
		pair_forge_answer(p, 0, hex_span(answers[i]));
		assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), i + 1);
		pair_run(p); // whether the group is active
	}
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 0);
	pair_advance(p, 2 * 3600000); // and that was all
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 0);
}

static void a_check_ends_with_the_membership(void **state)
{
	struct pair *p = *state;

	check_num(p);
	evict(p, "node0");
	pair_run(p);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_EVICTED), 1);
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2)); // it came back
	pair_advance(p, 2 * 3600000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CHECKED), 0);
}

static void a_missed_rekeying_is_noticed_by_what_others_say(void **state)
{
	struct pair *p = *state;

	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "new epoch"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "new epoch"), 0);
	pair_advance(p, 10000);
	assert_int_equal(pair_info(p, 0).num, 3);
	assert_talk(p, 1, 0, "again");
}

/* A group request under a Gid that nobody has. */
static void hear_forged(struct pair *p, uint16_t message_id)
{
	struct gk_exchange exchange = { .id = 1, .message_id = message_id };
	struct gk_span message = hex_span("02 9a 39 07 06 ffffffffffff 01 ff"
					  "0102030405060708090a0b0c0d0e0f10");

	assert_int_equal(gk_member_receive(p->node[0].member, &exchange, message, p->now), GK_OK);
	pair_drain_node(p, 0);
}

static void a_forged_epoch_makes_a_member_ask_rarely(void **state)
{
	struct pair *p = *state;
	size_t before;

	pair_advance(p, 400000);
	before = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
	for (unsigned k = 0; k < 10000; k++) {
		hear_forged(p, (uint16_t)k);
		if (k % 10 == 0)
			pair_advance(p, 1000);
	}
	// 1,000 s of it: pauses of 5, 10, 20 ... up to 320 s
	assert_in_range(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC) - before, 3, 12);
	assert_true(pair_info(p, 0).joined);
	assert_true(pair_info(p, 0).refused >= 10000);
}

/* With each rekeying a question is open that it answers, as when a message overtakes it. */
static void rekeyings_that_answer_its_questions_delay_no_other(void **state)
{
	struct pair *p = *state;

	for (size_t i = 0; i < 60; i++) {
		hear_forged(p, (uint16_t)i);
		rekey(p);
		pair_run(p);
		assert_true(pair_agree(p, 0, 1));
		pair_advance(p, 1000);
	}
	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "news"), GK_OK);
	pair_run(p);
	assert_false(pair_agree(p, 0, 1));
	pair_advance(p, 10000);
	assert_true(pair_agree(p, 0, 1));
}

static void a_gap_beyond_the_stale_sets_means_forget_everybody(void **state)
{
	struct pair *p = *state;

	p->pass = lose_rekeyings;
	for (int i = 0; i < 5; i++) {
		rekey(p);
		pair_run(p);
	}
	evict(p, "node2");
	p->node[2].cut = true; // or it comes back
	pair_advance(p, 600);
	p->pass = NULL;
	pair_advance(p, 30000);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_info(p, 0).peers, 1); // those who are left, fetched anew
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
	assert_talk(p, 0, 1, "from behind");
	assert_talk(p, 1, 0, "to behind");
}

/* messages out of order, twice, old */

static struct gk_span rekeying(struct gk_buf *buf, int64_t num, uint8_t fill, const char *stale)
{
	uint8_t bytes[256], secret[16], gid[6] = { 0xee, 0xee, 0, 0, 0, (uint8_t)num };
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_POST);

	memset(secret, fill, sizeof(secret));
	gk_put_map(&payload, 6);
	gk_put_int(&payload, GK_PARAM_GKTY);
	gk_put_int(&payload, 1);
	gk_put_int(&payload, GK_PARAM_KEY);
	gk_put_map(&payload, 2);
	gk_put_int(&payload, GK_OSC_MS);
	gk_put_bytes(&payload, gk_span(secret, 16));
	gk_put_int(&payload, GK_OSC_CONTEXT_ID);
	gk_put_bytes(&payload, gk_span(gid, 6));
	gk_put_int(&payload, GK_PARAM_NUM);
	gk_put_int(&payload, num);
	gk_put_int(&payload, GK_PARAM_PROFILE);
	gk_put_int(&payload, 1);
	gk_put_int(&payload, GK_PARAM_EXI);
	gk_put_int(&payload, 86400);
	gk_put_int(&payload, GK_PARAM_STALE_NODE_IDS);
	gk_buf_add(&payload, hex_span(stale));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/node"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	return gk_buf_span(buf);
}

static uint8_t forge(struct pair *p, int64_t num, uint8_t fill, const char *stale)
{
	uint8_t bytes[300];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	return pair_forge_request(p, 0, rekeying(&buf, num, fill, stale));
}

static void the_next_version_is_installed_without_whom_it_calls_stale(void **state)
{
	struct pair *p = *state;
	struct gk_membership_info info = pair_info(p, 0);

	assert_int_equal(info.num, 2);
	assert_int_equal(info.peers, 2);
	assert_int_equal(forge(p, 3, 1, "814101"), GK_COAP_CHANGED);
	info = pair_info(p, 0);
	assert_int_equal(info.num, 3);
	assert_int_equal(info.peers, 1);
	assert_hex_equal(info.gid, "eeee00000003");
}

static void an_old_version_is_ignored_with_its_stale_list(void **state)
{
	static const int64_t nums[] = { 0, 1, 2 };
	struct pair *p = *state;

	for (size_t i = 0; i < ROWS(nums); i++) {
		assert_int_equal(forge(p, nums[i], 1, "8241014102"), GK_COAP_CHANGED);
		assert_int_equal(pair_info(p, 0).num, 2);
		assert_int_equal(pair_info(p, 0).peers, 2);
	}
	assert_talk(p, 1, 0, "still there");
}

static void an_older_version_does_not_displace_one_that_is_held_back(void **state)
{
	struct pair *p = *state;

	p->node[0].cut = true; // what it asks gets no answer
	assert_int_equal(forge(p, 7, 7, "80"), GK_COAP_CHANGED);
	assert_int_equal(pair_info(p, 0).num, -1);
	assert_int_equal(forge(p, 6, 6, "80"), GK_COAP_CHANGED);
	assert_int_equal(forge(p, 3, 3, "80"), GK_COAP_CHANGED);
	assert_int_equal(pair_info(p, 0).num, -1);
	// FETCH stale-sids: nobody
	pair_forge_answer(p, 0, hex_span("45 c1 3c ff 80"));
	assert_int_equal(pair_info(p, 0).num, 7);
	assert_hex_equal(pair_info(p, 0).gid, "eeee00000007");
	assert_hex_equal(pair_info(p, 0).sender_id, "00");
}

static void the_stale_answers_80_and_nothing_mean_opposite_things(void **state)
{
	static const struct {
		const char *answer;
		size_t peers;
	} rows[] = {
		{ "45 c1 3c ff 80", 2 },     // nobody is stale
		{ "45 c1 3c ff 814101", 1 }, // one is
		{ "45 c1 3c ff 82410141aa", 1 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct pair *p = *state;

		p->node[0].cut = true;
		assert_int_equal(forge(p, 5, 5, "80"), GK_COAP_CHANGED);
		assert_non_null(pair_waiting(p, 0));
		pair_forge_answer(p, 0, hex_span(rows[i].answer));
		assert_int_equal(pair_info(p, 0).num, 5);
		assert_int_equal(pair_info(p, 0).peers, rows[i].peers);
		pair_end(state);
		open_pair(state);
	}
	struct pair *p = *state;

	p->node[0].cut = true;
	assert_int_equal(forge(p, 5, 5, "80"), GK_COAP_CHANGED);
	pair_forge_answer(p, 0, hex_span("45"));
	assert_int_equal(pair_info(p, 0).peers, 0);
}

static void a_malformed_rekeying_changes_nothing(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[300];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_span good = rekeying(&buf, 3, 1, "814101");
	size_t head = 1 + 22 + 3 + 1; // code, three segments, Content-Format, marker

	for (size_t cut = head + 1; cut < good.len; cut++) {
		uint8_t code = pair_forge_request(p, 0, exact_copy(gk_span(good.data, cut)));

		if (code == GK_COAP_CHANGED)
			fail_msg("cut at %zu of %zu", cut, good.len);
		assert_int_equal(pair_info(p, 0).num, 2);
		assert_int_equal(pair_info(p, 0).peers, 2);
	}
	for (size_t at = head; at < good.len; at++) {
		uint8_t copy[300];

		memcpy(copy, good.data, good.len);
		copy[at] ^= 0xe0; // another type of item, or another key
		pair_forge_request(p, 0, gk_span(copy, good.len));
		if (pair_info(p, 0).num != 2) { // a key's own bytes may be any
			pair_end(state);
			open_pair(state);
		}
	}
	assert_talk(p, 1, 0, "still there");
}

static void a_replayed_rekeying_message_is_met_with_silence(void **state)
{
	struct pair *p = *state;
	const struct pair_message *m, *newest;
	size_t replies;

	rekey(p);
	pair_run(p);
	m = pair_newest(p, PAIR_REQUEST, PAIR_KDC, 0);
	rekey(p);
	pair_run(p);
	newest = pair_newest(p, PAIR_REQUEST, PAIR_KDC, 0);
	replies = pair_count(p, PAIR_REPLY, 0, PAIR_KDC);
	pair_repeat(p, m, false);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REPLY, 0, PAIR_KDC), replies);
	assert_true(pair_agree(p, 0, 2));
	// the newest once more, as its retransmission: the same bytes again
	pair_repeat(p, newest, true);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REPLY, 0, PAIR_KDC), replies + 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), 0);
}

/* evictions */

static const struct pair_message *notice_to(const struct pair *p, int to)
{
	for (size_t i = p->log_count; i-- > 0;) {
		const struct pair_message *m = p->log[i];

		if (m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->to == to && m->plain.len &&
		    m->plain.data[0] == GK_COAP_DELETE)
			return m;
	}
	return NULL;
}

static void an_evicted_member_comes_back_after_a_pause(void **state)
{
	struct pair *p = *state;
	int64_t then = p->now.mono.ms;

	evict(p, "node0");
	pair_run(p);
	assert_false(pair_info(p, 0).joined);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_EVICTED), 1);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "x"), GK_ERR_UNKNOWN);
	while (!pair_info(p, 0).joined && p->now.mono.ms < then + 60000)
		pair_advance(p, 100);
	assert_in_range(p->now.mono.ms - then, 10000, 21000);
	pair_advance(p, 1000);
	assert_true(pair_agree(p, 0, 2));
	assert_talk(p, 0, 1, "back");
}

static void a_replayed_eviction_notice_does_not_evict(void **state)
{
	struct pair *p = *state;
	const struct pair_message *notice;

	evict(p, "node0");
	pair_advance(p, 40000);
	assert_true(pair_agree(p, 0, 2));
	notice = notice_to(p, 0);
	assert_non_null(notice);
	for (int i = 0; i < 2; i++) {
		pair_repeat(p, notice, i);
		pair_advance(p, 5000);
		assert_true(pair_info(p, 0).joined);
		assert_int_equal(pair_count_notes(p, 0, GK_NOTE_EVICTED), 1);
	}
	// nor after it lost all its state, and made another association
	pair_reset(p, 0);
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 5000);
	pair_repeat(p, notice_to(p, 0), false);
	pair_advance(p, 5000);
	assert_true(pair_info(p, 0).joined);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_EVICTED), 1);
}

static bool lose_notices(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->from == PAIR_KDC && m->kind == PAIR_REQUEST && m->plain.len &&
		 m->plain.data[0] == GK_COAP_DELETE);
}

static void who_missed_the_notice_finds_out_and_joins_again(void **state)
{
	struct pair *p = *state;

	p->pass = lose_notices;
	evict(p, "node0");
	pair_advance(p, 60000);
	assert_true(pair_info(p, 0).joined); // as far as it knows
	pair_advance(p, 3600000);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_EVICTED), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_JOINED), 2);
}

static void an_answer_from_before_the_eviction_brings_nothing_back(void **state)
{
	struct pair *p = *state;
	const struct pair_message *asked;

	p->pass = lose_rekeyings;
	rekey(p);
	pair_run(p);
	pair_say(p, 1, PAIR_LIGHTS, "new epoch");
	pair_run(p);
	// it asks for num, and then for the material
	for (int i = 0; i < 5000 && !pair_waiting(p, 0); i++) {
		p->now.mono.ms += 1;
		(void)!gk_member_expire(p->node[0].member, p->now);
		pair_drain_node(p, 0);
	}
	asked = pair_waiting(p, 0);
	assert_non_null(asked);
	// the KDC's DELETE comes first, and its answer after that
	assert_int_equal(pair_forge_request(p, 0,
					    hex_span("04 b9 6163652d67726f7570"
						     "06 6c6967687473 04 6e6f6465")),
			 GK_COAP_DELETED);
	assert_false(pair_info(p, 0).joined);
	p->pass = NULL;
	pair_run(p);
	assert_false(pair_info(p, 0).joined);
	assert_int_equal(pair_info(p, 0).num, -1);
	assert_null(pair_waiting(p, 0));
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2));
}

/* lost answers */

static bool lose_joins(struct pair *p, const struct pair_message *m)
{
	return !(m->kind == PAIR_REPLY && m->from == PAIR_KDC && m->to == 3 && p->ctx);
}

static void a_rekeying_before_the_join_answer_is_not_confirmed(void **state)
{
	struct pair *p = *state;
	size_t i = pair_add(p, 6);

	p->pass = lose_joins;
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	pair_step(p);
	pair_step(p); // its token is taken
	p->ctx = p;
	pair_run(p); // it is in the group, and does not know
	assert_false(pair_info(p, i).joined);
	rekey(p);
	pair_run(p);
	p->ctx = NULL;
	// the retransmission of its Join Request gets the answer with the older material
	pair_repeat(p, pair_waiting(p, i), true);
	pair_run(p);
	assert_true(pair_info(p, i).joined);
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 3));
}

/* An answer to GET nodes/NODENAME, with Sender ID 0. */
static struct gk_span material(struct gk_buf *buf, int num)
{
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_CONTENT);
	char text[200];

	snprintf(text, sizeof(text),
		 "a6 0701 08a7 0250%s 0305 0646eeee000000%02x 074100 080e 090a 0a26 09%02x 0a01"
		 "0c1a00015180 0b1a70000000",
		 "0102030405060708090a0b0c0d0e0f10", (unsigned)num, (unsigned)num);
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, hex_span(text));
	return gk_buf_span(buf);
}

static void the_same_material_is_never_begun_again_from_zero(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[300];

	assert_int_equal(forge(p, 3, 1, "80"), GK_COAP_CHANGED);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "one"), GK_OK);
	p->node[0].cut = true;
	for (int i = 0; i < 100 && pair_info(p, 0).num == 3; i++)
		pair_advance(p, 3600000);
	assert_int_equal(pair_info(p, 0).num, -1); // its end came, and no successor
	for (int i = 0; i < 20; i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

		for (int k = 0; k < 300 && !pair_waiting(p, 0); k++)
			pair_advance(p, 1000);
		pair_forge_answer(p, 0, material(&buf, 3));
		assert_int_equal(pair_info(p, 0).num, -1);
		(void)pair_say(p, 0, PAIR_LIGHTS, "two");
	}
	p->node[0].cut = false;
	pair_advance(p, 200000);
	assert_true(pair_agree(p, 0, 0));
}

static void newer_material_by_asking_is_installed_when_the_stale_are_known(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[300];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	p->node[0].cut = true;
	pair_advance(p, 3600000);
	assert_non_null(pair_waiting(p, 0));
	pair_forge_answer(p, 0, hex_span("45 c1 3c ff 07")); // num
	pair_forge_answer(p, 0, material(&buf, 7));
	assert_int_equal(pair_info(p, 0).num, -1);
	pair_forge_answer(p, 0, hex_span("45 c1 3c ff 814102")); // stale-sids
	assert_int_equal(pair_info(p, 0).num, 7);
	assert_int_equal(pair_info(p, 0).peers, 1);
}

static void credentials_fetched_again_do_not_open_the_replay_windows(void **state)
{
	struct pair *p = *state;
	const struct pair_message *m;

	assert_talk(p, 1, 0, "once");
	m = pair_newest(p, PAIR_MULTICAST, 1, 0);
	// a forged message of nobody: the credentials are asked for
	pair_advance(p, 400000);
	uint8_t bytes[256];
	struct gk_span old = m->bytes;
	struct gk_oscore_option option;

	memcpy(bytes, old.data, old.len);
	assert_int_equal(gk_oscore_peek(gk_span(bytes, old.len), &option, NULL), GK_OK);
	*(uint8_t *)(uintptr_t)option.kid.data = 0x77;
	struct gk_exchange exchange = { .id = m->exchange.id };
	size_t before = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);

	assert_int_equal(
		gk_member_receive(p->node[0].member, &exchange, gk_span(bytes, old.len), p->now),
		GK_OK);
	pair_drain_node(p, 0);
	pair_advance(p, 10000);
	assert_true(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC) > before);
	pair_repeat(p, m, false);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "once"), 1);
}

/* An answer to GET creds: nobody else is in. */
static struct gk_span no_creds(struct gk_buf *buf, int64_t num)
{
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_CONTENT);
	char text[40];

	snprintf(text, sizeof(text), "a4 09%02x 0d80 0e80 0f80", (unsigned)num);
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, hex_span(text));
	return gk_buf_span(buf);
}

static bool lose_requests_of_0(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->kind == PAIR_REQUEST && m->from == 0);
}

/* Somebody that it does not know speaks, so it asks for credentials; and that gets lost. */
static void ask_for_creds(struct pair *p)
{
	struct gk_exchange exchange = { .id = 1 };
	struct gk_oscore_option option;
	uint8_t bytes[256];
	size_t len;

	assert_talk(p, 1, 0, "from one that it knows");
	len = pair_newest(p, PAIR_MULTICAST, 1, 0)->bytes.len;
	memcpy(bytes, pair_newest(p, PAIR_MULTICAST, 1, 0)->bytes.data, len);
	assert_int_equal(gk_oscore_peek(gk_span(bytes, len), &option, NULL), GK_OK);
	*(uint8_t *)(uintptr_t)option.kid.data = 0x77;
	p->pass = lose_requests_of_0;
	(void)!gk_member_receive(p->node[0].member, &exchange, gk_span(bytes, len), p->now);
	pair_drain_node(p, 0);
	for (int i = 0; i < 60000 && !pair_waiting(p, 0); i++)
		pair_advance(p, 1);
	assert_non_null(pair_waiting(p, 0));
}

static void an_answer_that_a_rekeying_overtakes_is_no_error(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	int64_t num = pair_info(p, 0).num;
	size_t errors;

	ask_for_creds(p);
	rekey(p);
	pair_run(p);
	assert_int_equal(pair_info(p, 0).num, num + 1);
	errors = pair_count_notes(p, 0, GK_NOTE_ERROR);
	pair_forge_answer(p, 0, no_creds(&buf, num));
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), errors);
	assert_non_null(pair_waiting(p, 0)); // it asks once more, and at once
	p->pass = NULL;
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2));
	assert_talk(p, 1, 0, "from one that it knows still");
}

static void a_kdc_that_is_behind_what_it_said_is_an_error(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	size_t errors = pair_count_notes(p, 0, GK_NOTE_ERROR);

	ask_for_creds(p);
	pair_forge_answer(p, 0, no_creds(&buf, pair_info(p, 0).num - 1));
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), errors + 1);
	p->pass = NULL;
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2));
}

/* the association */

static void a_forged_401_costs_a_new_association_and_no_membership(void **state)
{
	struct pair *p = *state;
	struct gk_membership_info was = pair_info(p, 0), is;

	assert_int_equal(gk_member_renew(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_forge_plain_answer(p, 0, hex_span("81 d001")); // 4.01, Max-Age 0
	pair_advance(p, 30000);
	is = pair_info(p, 0);
	assert_true(is.joined);
	assert_int_equal(is.num, was.num);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_JOINED), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REKEYED), 2);
	rekey(p); // and what the KDC sends reaches it
	pair_advance(p, 10000);
	assert_true(pair_agree(p, 0, 2));
}

static void a_member_that_lost_everything_gets_another_sender_id(void **state)
{
	struct pair *p = *state;
	uint8_t old[8];
	struct gk_membership_info info = pair_info(p, 0);
	size_t len = info.sender_id.len;

	memcpy(old, info.sender_id.data, len);
	assert_talk(p, 0, 1, "before");
	pair_reset(p, 0);
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 10000);
	info = pair_info(p, 0);
	assert_true(info.joined);
	assert_false(gk_span_equal(info.sender_id, gk_span(old, len)));
	assert_int_equal(pair_num(p), 2); // no rekeying for it
	pair_say(p, 0, PAIR_LIGHTS, "who is this");
	pair_advance(p, 10000);
	assert_talk(p, 0, 1, "after");
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_gap_is_noticed_by_the_next_message),
		RULE(who_joined_meanwhile_is_known_when_it_is_over),
		RULE(a_newcomer_shows_that_the_group_is_active),
		RULE(from_the_gap_on_the_old_material_is_not_used),
		RULE(a_missed_rekeying_is_noticed_by_the_interval),
		RULE(a_check_tells_the_newest_version_and_catches_up),
		RULE(a_check_is_asked_until_it_is_answered_and_told_once),
		RULE(a_kdc_that_restarts_again_and_again_is_answered_at_once),
		RULE(a_kdc_that_never_has_enough_of_echoes_is_left_alone),
		RULE(a_check_is_not_answered_by_what_was_asked_before),
		RULE(a_check_that_is_not_answered_well_is_an_error),
		RULE(a_check_ends_with_the_membership),
		RULE(a_missed_rekeying_is_noticed_by_what_others_say),
		RULE(a_forged_epoch_makes_a_member_ask_rarely),
		RULE(rekeyings_that_answer_its_questions_delay_no_other),
		RULE(a_gap_beyond_the_stale_sets_means_forget_everybody),
		RULE(the_next_version_is_installed_without_whom_it_calls_stale),
		RULE(an_old_version_is_ignored_with_its_stale_list),
		RULE(an_older_version_does_not_displace_one_that_is_held_back),
		RULE(the_stale_answers_80_and_nothing_mean_opposite_things),
		RULE(a_malformed_rekeying_changes_nothing),
		RULE(a_replayed_rekeying_message_is_met_with_silence),
		RULE(an_evicted_member_comes_back_after_a_pause),
		RULE(a_replayed_eviction_notice_does_not_evict),
		RULE(who_missed_the_notice_finds_out_and_joins_again),
		RULE(an_answer_from_before_the_eviction_brings_nothing_back),
		RULE(a_rekeying_before_the_join_answer_is_not_confirmed),
		RULE(the_same_material_is_never_begun_again_from_zero),
		RULE(newer_material_by_asking_is_installed_when_the_stale_are_known),
		RULE(credentials_fetched_again_do_not_open_the_replay_windows),
		RULE(an_answer_that_a_rekeying_overtakes_is_no_error),
		RULE(a_kdc_that_is_behind_what_it_said_is_an_error),
		RULE(a_forged_401_costs_a_new_association_and_no_membership),
		RULE(a_member_that_lost_everything_gets_another_sender_id),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
