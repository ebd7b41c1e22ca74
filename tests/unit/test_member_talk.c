// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What one member tells another: in pairwise mode, by unicast, with an answer.
#include "libgroupkey/member.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define YES         "45 ff 796573" /* 2.05, "yes" */

static int open_mode(void **state, enum gk_mode mode, int sign_alg)
{
	static struct pair p;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	pair_open(&p, 31);
	config.mode = mode;
	config.sign_alg =
		gk_sign_curve(sign_alg) && gk_dh_curve(sign_alg) ? sign_alg : GK_ALG_ES256;
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static int open_both(void **state)
{
	return open_mode(state, GK_MODE_BOTH, GK_ALG_ES256);
}

static int open_both_eddsa(void **state)
{
	return open_mode(state, GK_MODE_BOTH, GK_ALG_EDDSA);
}

static int open_pairwise(void **state)
{
	return open_mode(state, GK_MODE_PAIRWISE, GK_ALG_ES256);
}

static int open_pairwise_eddsa(void **state)
{
	return open_mode(state, GK_MODE_PAIRWISE, GK_ALG_EDDSA);
}

static int open_group(void **state)
{
	return open_mode(state, GK_MODE_GROUP, GK_ALG_ES256);
}

static struct gk_membership *membership(struct pair *p, size_t i)
{
	return gk_member_find(p->node[i].member, gk_span_str(PAIR_LIGHTS));
}

static struct gk_span sid_of(struct pair *p, size_t i)
{
	return gk_id_span(&membership(p, i)->sid);
}

static void join_with(struct pair *p, const uint32_t *roles, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pair_add(p, GK_ROLE_ALL);
		assert_int_equal(pair_join(p, i, PAIR_LIGHTS, roles[i]), GK_OK);
		pair_advance(p, 1000);
	}
}

/* Time for those who are there to learn of those who came. */
static void join_all(struct pair *p, size_t count)
{
	pair_join_all(p, count);
	pair_advance(p, 30000);
}

static enum gk_err tell(struct pair *p, size_t from, size_t to, const char *text)
{
	enum gk_err err = pair_tell(p, from, sid_of(p, to), to, text);

	pair_run(p);
	return err;
}

static enum gk_err respond(struct pair *p, size_t i, const char *answer)
{
	const struct pair_note *note = pair_note(p, (int)i, GK_NOTE_MESSAGE);
	enum gk_err err = gk_member_respond(p->node[i].member, note->id, hex_span(answer), p->now);

	pair_drain_node(p, i);
	pair_run(p);
	return err;
}

static const struct pair_note *refused(struct pair *p, size_t i)
{
	const struct pair_note *note = pair_note(p, (int)i, GK_NOTE_REFUSED);

	assert_non_null(note);
	return note;
}

static void assert_unanswered(struct pair *p, size_t i, const char *reason)
{
	const struct pair_note *note = pair_note(p, (int)i, GK_NOTE_UNANSWERED);

	assert_non_null(note);
	assert_string_equal(note->reason, reason);
	assert_int_equal(pair_count_notes(p, (int)i, GK_NOTE_RESPONSE), 0);
}

/* told, heard, answered */

static void what_is_told_is_heard_by_one_and_answered(void **state)
{
	struct pair *p = *state;
	const struct pair_note *note;
	const struct pair_message *request;

	join_all(p, 3);
	assert_int_equal(tell(p, 0, 1, "psst"), GK_OK);
	request = pair_newest(p, PAIR_REQUEST, 0, 1);
	assert_int_equal(pair_heard(p, 1, "psst"), 1);
	assert_int_equal(pair_heard(p, 2, "psst"), 0);
	note = pair_note(p, 1, GK_NOTE_MESSAGE);
	assert_true(note->pairwise);
	assert_int_equal(note->via, GK_VIA_UNICAST);
	assert_int_equal(note->num, pair_num(p));
	assert_true(gk_span_equal(gk_id_span(&note->sid), sid_of(p, 0)));

	assert_int_equal(respond(p, 1, YES), GK_OK);
	note = pair_note(p, 0, GK_NOTE_RESPONSE);
	assert_non_null(note);
	assert_true(note->pairwise);
	assert_int_equal(note->id, request->id);
	assert_string_equal(note->text, "yes");
	assert_true(gk_span_equal(gk_id_span(&note->sid), sid_of(p, 1)));
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_UNANSWERED), 0);
	assert_int_equal(respond(p, 1, YES), GK_ERR_UNKNOWN);
}

static void both_ways_and_to_all_besides(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	for (int k = 0; k < 3; k++) {
		assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
		assert_int_equal(respond(p, 1, YES), GK_OK);
		assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "b"), GK_OK);
		assert_int_equal(tell(p, 1, 0, "c"), GK_OK);
		assert_int_equal(respond(p, 0, YES), GK_OK);
		pair_run(p);
	}
	assert_int_equal(pair_heard(p, 1, "a"), 3);
	assert_int_equal(pair_heard(p, 1, "b"), 3);
	assert_int_equal(pair_heard(p, 0, "c"), 3);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 3);
	assert_int_equal(pair_count_notes(p, 1, GK_NOTE_RESPONSE), 3);
	// one sequence for both modes
	assert_int_equal(membership(p, 0)->sender.seq, 6);
}

static void no_tells_without_the_pairwise_mode(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "psst"), GK_ERR_UNSUPPORTED);
	assert_int_equal(pair_tell(p, 0, hex_span("7f"), 1, "psst"), GK_ERR_UNSUPPORTED);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, 1), 0);
	// and what pretends to be in it is refused
	struct gk_group_common common = membership(p, 0)->common;
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "all"), GK_OK);
	const struct pair_message *m = pair_newest(p, PAIR_MULTICAST, 0, 1);
	uint8_t bytes[300];
	memcpy(bytes, m->bytes.data, m->bytes.len);
	assert_int_equal(bytes[2], 0x39);
	bytes[2] = 0x19; // no Group Flag
	assert_int_equal(gk_member_receive(p->node[1].member, &m->exchange,
					   gk_span(bytes, m->bytes.len), p->now),
			 GK_OK);
	pair_drain_node(p, 1);
	assert_string_equal(refused(p, 1)->reason, "in a mode that the group does not use");
	assert_null(common.aead);
}

static void nothing_is_said_to_all_without_the_group_mode(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "all"), GK_ERR_UNSUPPORTED);
	assert_int_equal(tell(p, 0, 1, "psst"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "psst"), 1);
}

/* who may */

static void only_requesters_tell_and_only_responders_are_told(void **state)
{
	struct pair *p = *state;
	static const uint32_t roles[] = { 2, 4, 6, 8 };

	join_with(p, roles, 4);
	pair_advance(p, 30000);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(tell(p, 1, 2, "b"), GK_ERR_FORBIDDEN); // no requester
	assert_int_equal(tell(p, 3, 2, "c"), GK_ERR_FORBIDDEN); // a monitor
	assert_int_equal(tell(p, 2, 0, "d"), GK_ERR_FORBIDDEN); // a requester alone
	assert_int_equal(pair_count_notes(p, -3, GK_NOTE_MESSAGE), 1);
}

static struct gk_peer *peer_of(struct pair *p, size_t i, size_t other)
{
	return gk_membership_find_peer(membership(p, i), sid_of(p, other));
}

static void a_request_of_no_requester_and_to_no_responder_is_refused(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	peer_of(p, 1, 0)->roles = GK_ROLE_RESPONDER;
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_string_equal(refused(p, 1)->reason, "request from a member that is no requester");
	peer_of(p, 1, 0)->roles = 6;
	for (int k = 0; k < 2; k++) {
		// a monitor hears what is for all, and no more
		membership(p, 1)->roles = k ? GK_ROLE_MONITOR : GK_ROLE_REQUESTER;
		assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
		assert_string_equal(refused(p, 1)->reason, "we are no responder");
	}
	assert_int_equal(pair_heard(p, 1, "a"), 0);
	peer_of(p, 0, 1)->roles = GK_ROLE_REQUESTER;
	assert_int_equal(tell(p, 0, 1, "a"), GK_ERR_FORBIDDEN);
}

static void an_answer_of_no_responder_is_refused(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	peer_of(p, 0, 1)->roles = GK_ROLE_REQUESTER;
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_unanswered(p, 0, "answer of a member that is no responder");
	// nor does one answer who has ceased to be one
	peer_of(p, 0, 1)->roles = 6;
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	membership(p, 1)->roles = GK_ROLE_REQUESTER;
	assert_int_equal(respond(p, 1, YES), GK_ERR_FORBIDDEN);
}

static void calls_in_the_wrong_state_are_refused(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	assert_int_equal(gk_member_tell(p->node[0].member, gk_span_str("other"), sid_of(p, 1),
					&p->node[1].addr, hex_span("02 ff 61"), p->now),
			 GK_ERR_UNKNOWN);
	assert_int_equal(gk_member_tell(p->node[0].member, gk_span_str(PAIR_LIGHTS), sid_of(p, 1),
					&p->node[1].addr, hex_span("45 ff 61"), p->now),
			 GK_ERR_MALFORMED);
	membership(p, 0)->has_material = false;
	assert_int_equal(tell(p, 0, 1, "a"), GK_ERR_STATE);
	membership(p, 0)->has_material = true;
	assert_int_equal(membership(p, 0)->sender.seq, 0);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	// what has no valid material hears nothing, and answers nothing
	membership(p, 1)->has_material = false;
	assert_int_equal(respond(p, 1, YES), GK_ERR_STATE);
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "b"), 0);
	// and no answer is read without
	membership(p, 1)->has_material = true;
	membership(p, 0)->has_material = false;
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_unanswered(p, 0, "answer under other material than ours");
}

/* who is known */

static void who_is_unknown_is_asked_for(void **state)
{
	struct pair *p = *state;
	size_t asked;

	join_all(p, 2);
	asked = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
	assert_int_equal(pair_tell(p, 0, sid_of(p, 0), 0, "me"), GK_ERR_UNKNOWN);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), asked);
	gk_membership_remove_all_peers(membership(p, 0));
	assert_int_equal(tell(p, 0, 1, "a"), GK_ERR_UNKNOWN);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), asked + 1);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "a"), 1);
}

static void an_unknown_sender_is_asked_for(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	gk_membership_remove_all_peers(membership(p, 1));
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "a"), 0);
	assert_string_equal(refused(p, 1)->reason, "unknown sender");
	pair_advance(p, 20000);
	assert_unanswered(p, 0, "no answer");
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "a"), 1);
}

static void another_member_neither_reads_nor_answers(void **state)
{
	struct pair *p = *state;

	join_all(p, 3);
	// at the wrong address
	assert_int_equal(pair_tell(p, 0, sid_of(p, 1), 2, "a"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 2, "a"), 0);
	assert_string_equal(refused(p, 2)->reason, "countersignature or decryption failed");
	// one who was told something himself answers in the other's place
	assert_int_equal(tell(p, 0, 2, "b"), GK_OK);
	assert_int_equal(respond(p, 2, YES), GK_OK);
	const struct pair_message *answer = pair_newest(p, PAIR_REPLY, 2, 0);
	const struct pair_message *request = pair_newest(p, PAIR_REQUEST, 0, 2);
	assert_int_equal(tell(p, 0, 1, "c"), GK_OK);
	request = pair_newest(p, PAIR_REQUEST, 0, 1);
	p->note_count = 0;
	assert_int_equal(gk_member_answer(p->node[0].member, request->id, answer->bytes, p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	assert_unanswered(p, 0, "answer under another Sender ID than was asked");
}

/* copies and losses */

static void a_retransmission_gets_the_same_answer(void **state)
{
	struct pair *p = *state;
	const struct pair_message *request, *first;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	request = pair_newest(p, PAIR_REQUEST, 0, 1);
	// before there is an answer, silence
	pair_repeat(p, request, true);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REPLY, 1, 0), 0);
	assert_int_equal(pair_count_notes(p, 1, GK_NOTE_REFUSED), 0);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	first = pair_newest(p, PAIR_REPLY, 1, 0);
	pair_repeat(p, request, true);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REPLY, 1, 0), 2);
	assert_true(gk_span_equal(pair_newest(p, PAIR_REPLY, 1, 0)->bytes, first->bytes));
	assert_int_equal(pair_count_notes(p, 1, GK_NOTE_REFUSED), 0);
	assert_int_equal(pair_heard(p, 1, "a"), 1);
	// as a message of its own, it is replayed; and so it is when nothing is kept any more
	pair_repeat(p, request, false);
	pair_run(p);
	assert_string_equal(refused(p, 1)->reason, "replayed");
	pair_advance(p, GK_EXCHANGE_LIFETIME_MS);
	p->note_count = 0;
	pair_repeat(p, request, true);
	pair_run(p);
	assert_string_equal(refused(p, 1)->reason, "replayed");
	assert_int_equal(pair_heard(p, 1, "a"), 0); // in notes since
	assert_int_equal(pair_count(p, PAIR_REPLY, 1, 0), 2);
}

static void silence_is_told_of_once(void **state)
{
	struct pair *p = *state;
	const struct pair_message *request;
	const struct pair_note *note;

	join_all(p, 2);
	p->node[1].cut = true;
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	request = pair_newest(p, PAIR_REQUEST, 0, 1);
	pair_advance(p, 14000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_UNANSWERED), 0);
	pair_advance(p, 2000);
	assert_unanswered(p, 0, "no answer");
	note = pair_note(p, 0, GK_NOTE_UNANSWERED);
	assert_int_equal(note->id, request->id);
	assert_true(gk_span_equal(gk_id_span(&note->sid), sid_of(p, 1)));
	assert_int_equal(gk_member_answer(p->node[0].member, request->id, gk_span(NULL, 0), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_UNANSWERED), 1);
}

static void eight_answers_are_waited_for_at_most(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	for (int k = 0; k < GK_TELLS_MAX; k++)
		assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(tell(p, 0, 1, "a"), GK_ERR_NO_SPACE);
	assert_int_equal(membership(p, 0)->sender.seq, GK_TELLS_MAX);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(tell(p, 0, 1, "a"), GK_ERR_NO_SPACE);
}

static void a_request_with_any_bit_changed_is_not_heard(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[300];
	const struct pair_message *m;

	join_all(p, 2);
	assert_int_equal(pair_tell(p, 0, sid_of(p, 1), 1, "hello"), GK_OK);
	m = pair_newest(p, PAIR_REQUEST, 0, 1);
	p->next = p->log_count;
	for (size_t at = 1; at < m->bytes.len; at++) { // the outer code says nothing
		memcpy(bytes, m->bytes.data, m->bytes.len);
		bytes[at] ^= 1;
		assert_int_equal(gk_member_receive(p->node[1].member, &m->exchange,
						   gk_span(bytes, m->bytes.len), p->now),
				 GK_OK);
		pair_drain_node(p, 1);
		if (pair_count_notes(p, 1, GK_NOTE_MESSAGE))
			fail_msg("byte %zu", at);
	}
	for (size_t cut = 0; cut < m->bytes.len; cut++) {
		struct gk_span part = exact_copy(gk_span(m->bytes.data, cut));

		assert_int_equal(gk_member_receive(p->node[1].member, &m->exchange, part, p->now),
				 GK_OK);
		pair_drain_node(p, 1);
	}
	assert_int_equal(pair_count_notes(p, 1, GK_NOTE_MESSAGE), 0);
	assert_int_equal(gk_member_receive(p->node[1].member, &m->exchange, m->bytes, p->now),
			 GK_OK);
	pair_drain_node(p, 1);
	assert_int_equal(pair_heard(p, 1, "hello"), 1);
}

static void an_answer_with_any_bit_changed_is_none(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[300];
	const struct pair_message *answer;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "hello"), GK_OK);
	struct gk_told told[GK_TELLS_MAX];
	memcpy(told, p->node[0].member->told, sizeof(told));
	p->node[0].cut = true;
	assert_int_equal(respond(p, 1, YES), GK_OK);
	answer = pair_newest(p, PAIR_REPLY, 1, 0);
	for (size_t at = 1; at < answer->bytes.len; at++) {
		uint64_t before = membership(p, 0)->refused;

		memcpy(bytes, answer->bytes.data, answer->bytes.len);
		bytes[at] ^= 1;
		memcpy(p->node[0].member->told, told, sizeof(told));
		assert_int_equal(gk_member_answer(p->node[0].member, told[0].id,
						  gk_span(bytes, answer->bytes.len), p->now),
				 GK_OK);
		pair_drain_node(p, 0);
		assert_int_equal(pair_count_notes(p, 0, GK_NOTE_UNANSWERED), at);
		assert_int_equal(membership(p, 0)->refused, before + 1);
	}
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 0);
	memcpy(p->node[0].member->told, told, sizeof(told));
	assert_int_equal(gk_member_answer(p->node[0].member, told[0].id, hex_span("81"), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	assert_unanswered(p, 0, "malformed, or not protected");
}

/* across the modes (RFC 10021 sections 7.3, 8.5) */

static void an_answer_may_be_in_the_other_mode(void **state)
{
	struct pair *p = *state;
	uint64_t said;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	p->node[1].member->answerable[0].ref.pairwise = false;
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 1);
	assert_false(pair_note(p, 0, GK_NOTE_RESPONSE)->pairwise);

	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "b"), GK_OK);
	said = pair_newest(p, PAIR_MULTICAST, 0, 1)->id;
	pair_run(p);
	p->node[1].member->answerable[1].ref.pairwise = true;
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(gk_member_response(p->node[0].member, said,
					    pair_newest(p, PAIR_REPLY, 1, 0)->bytes, p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 2);
	assert_true(pair_note(p, 0, GK_NOTE_RESPONSE)->pairwise);
}

/* rekeying */

static void rekey(struct pair *p)
{
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	pair_advance(p, 30000);
}

static void new_material_means_new_keys(void **state)
{
	struct pair *p = *state;
	struct gk_pairwise before;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	before = peer_of(p, 0, 1)->pairwise;
	rekey(p);
	assert_false(peer_of(p, 0, 1)->paired);
	static const struct gk_pairwise none;
	assert_memory_equal(&peer_of(p, 0, 1)->pairwise, &none, sizeof(none));
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_heard(p, 1, "b"), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 2);
	assert_memory_not_equal(&peer_of(p, 0, 1)->pairwise, &before, 16);
	assert_int_equal(membership(p, 0)->sender.seq, 1);
}

static void a_request_from_before_is_answered_after_a_rekeying(void **state)
{
	struct pair *p = *state;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	pair_run(p);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_info(p, 0).num, pair_num(p));
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 1);
	assert_int_equal(membership(p, 1)->sender.seq, 1); // with a Partial IV of its own
}

static void who_was_evicted_can_neither_tell_nor_be_told(void **state)
{
	struct pair *p = *state;
	struct gk_id gone;

	join_all(p, 3);
	assert_int_equal(tell(p, 2, 1, "before"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "before"), 1);
	assert_int_equal(pair_tell(p, 2, sid_of(p, 1), 1, "late"), GK_OK);
	size_t at = p->log_count - 1;
	p->log[at]->arrived = true;
	gone = membership(p, 2)->sid;
	assert_int_equal(gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node2"), p->now),
			 GK_OK);
	pair_drain_kdc(p, GK_OK);
	pair_advance(p, 5000);
	assert_int_equal(tell(p, 2, 1, "after"), GK_ERR_UNKNOWN);
	assert_int_equal(pair_tell(p, 0, gk_id_span(&gone), 2, "to you"), GK_ERR_UNKNOWN);
	p->log[at]->arrived = false;
	pair_repeat(p, p->log[at], true);
	pair_run(p);
	assert_int_equal(pair_heard(p, 1, "late"), 0);
	assert_string_equal(refused(p, 1)->reason, "unknown group or epoch");
	// nor is a question from before answered
	assert_int_equal(respond(p, 1, YES), GK_ERR_UNKNOWN);
	assert_int_equal(tell(p, 0, 1, "we two"), GK_OK);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 1);
}

static void another_credential_means_new_keys(void **state)
{
	struct pair *p = *state;
	uint8_t cred_bytes[GK_CRED_MAX + 8], id_bytes[16];
	struct gk_buf creds = gk_buf(cred_bytes, sizeof(cred_bytes));
	struct gk_buf ids = gk_buf(id_bytes, sizeof(id_bytes));

	join_all(p, 3);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_true(peer_of(p, 0, 1)->paired);
	gk_put_array(&creds, 1);
	gk_put_bytes(&creds, gk_membership_cred(membership(p, 2)));
	gk_put_array(&ids, 1);
	gk_put_bytes(&ids, sid_of(p, 1));
	assert_int_equal(gk_membership_set_peers(membership(p, 0), gk_buf_span(&creds),
						 hex_span("81 06"), gk_buf_span(&ids), false,
						 p->now),
			 GK_OK);
	assert_false(peer_of(p, 0, 1)->paired);
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "b"), 0); // it is not for that one any more
}

static void keys_are_wiped_with_the_membership(void **state)
{
	struct pair *p = *state;
	static const struct gk_pairwise none;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_true(peer_of(p, 0, 1)->paired);
	gk_membership_drop_material(membership(p, 0));
	assert_false(peer_of(p, 0, 1)->paired);
	assert_memory_equal(&peer_of(p, 0, 1)->pairwise, &none, sizeof(none));
}

/* numbers */

static void the_end_of_the_numbers_brings_a_new_sender_id(void **state)
{
	struct pair *p = *state;
	struct gk_id first;

	join_all(p, 2);
	first = membership(p, 0)->sid;
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	membership(p, 0)->sender.seq = GK_OSCORE_PIV_MAX + 1;
	assert_int_equal(tell(p, 0, 1, "b"), GK_ERR_SEQUENCE);
	pair_advance(p, 1000);
	assert_false(gk_id_equal(&membership(p, 0)->sid, &first));
	assert_false(peer_of(p, 0, 1)->paired);
	// the other one has to learn whose that is
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	pair_advance(p, 20000);
	assert_int_equal(tell(p, 0, 1, "b"), GK_OK);
	assert_int_equal(pair_heard(p, 1, "b"), 1);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 1);
}

static void an_answer_that_needs_a_number_and_has_none_waits_for_a_sender_id(void **state)
{
	struct pair *p = *state;
	struct gk_id first;

	join_all(p, 2);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	p->node[1].member->answerable[0].ref.nonce_used = true;
	membership(p, 1)->sender.seq = GK_OSCORE_PIV_MAX + 1;
	first = membership(p, 1)->sid;
	assert_int_equal(respond(p, 1, YES), GK_ERR_SEQUENCE);
	pair_advance(p, 1000);
	assert_false(gk_id_equal(&membership(p, 1)->sid, &first));
	// the asker is told of another Sender ID than it knows, and asks whose it is
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_unanswered(p, 0, "answer under another Sender ID than was asked");
	pair_advance(p, 10000);
	assert_int_equal(tell(p, 0, 1, "a"), GK_OK);
	assert_int_equal(respond(p, 1, YES), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 1);
}

/* what is countersigned */

static void members_understand_those_who_sign_alike(void **state)
{
	struct pair *p = *state;

	for (size_t i = 0; i < 3; i++) {
		pair_add(p, 6);
		p->node[i].sign_protected = i > 0;
		pair_reset(p, i);
		assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
		pair_run(p);
	}
	pair_advance(p, 30000);
	rekey(p); // it is kept over new material
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "alike"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 2, "alike"), 1);
	assert_int_equal(pair_heard(p, 0, "alike"), 0);
	assert_string_equal(refused(p, 0)->reason, "countersignature or decryption failed");
	// where nothing is countersigned, it does not matter
	assert_int_equal(tell(p, 1, 0, "psst"), GK_OK);
	assert_int_equal(pair_heard(p, 0, "psst"), 1);
}

/* memory */

static void no_failed_allocation_harms_who_talks(void **state)
{
	(void)state;
	for (size_t who = 0; who < 2; who++) {
		for (unsigned n = 1; n < 12; n++) {
			void *opened;

			assert_int_equal(open_both(&opened), 0);
			struct pair *p = opened;
			join_all(p, 2);
			test_env_fail_alloc(&p->node[who].test_env, n);
			(void)tell(p, 0, 1, "a");
			if (pair_count_notes(p, 1, GK_NOTE_MESSAGE))
				(void)respond(p, 1, YES);
			pair_advance(p, 20000);
			test_env_fail_alloc(&p->node[who].test_env, 0);
			if (strstr(p->broken, "a member ran out of memory"))
				p->broken[0] = 0;
			assert_true(pair_close(p));
		}
	}
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_told_is_heard_by_one_and_answered, open_both),
		TEST(what_is_told_is_heard_by_one_and_answered, open_both_eddsa),
		TEST(what_is_told_is_heard_by_one_and_answered, open_pairwise),
		TEST(what_is_told_is_heard_by_one_and_answered, open_pairwise_eddsa),
		TEST(both_ways_and_to_all_besides, open_both),
		TEST(no_tells_without_the_pairwise_mode, open_group),
		TEST(nothing_is_said_to_all_without_the_group_mode, open_pairwise),
		TEST(only_requesters_tell_and_only_responders_are_told, open_both),
		TEST(a_request_of_no_requester_and_to_no_responder_is_refused, open_both),
		TEST(an_answer_of_no_responder_is_refused, open_both),
		TEST(calls_in_the_wrong_state_are_refused, open_both),
		TEST(who_is_unknown_is_asked_for, open_both),
		TEST(an_unknown_sender_is_asked_for, open_both),
		TEST(another_member_neither_reads_nor_answers, open_both),
		TEST(a_retransmission_gets_the_same_answer, open_both),
		TEST(silence_is_told_of_once, open_both),
		TEST(eight_answers_are_waited_for_at_most, open_both),
		TEST(a_request_with_any_bit_changed_is_not_heard, open_both),
		TEST(an_answer_with_any_bit_changed_is_none, open_both),
		TEST(an_answer_may_be_in_the_other_mode, open_both),
		TEST(new_material_means_new_keys, open_both),
		TEST(new_material_means_new_keys, open_pairwise_eddsa),
		TEST(a_request_from_before_is_answered_after_a_rekeying, open_both),
		TEST(who_was_evicted_can_neither_tell_nor_be_told, open_both),
		TEST(who_was_evicted_can_neither_tell_nor_be_told, open_pairwise),
		TEST(another_credential_means_new_keys, open_both),
		TEST(keys_are_wiped_with_the_membership, open_both),
		TEST(the_end_of_the_numbers_brings_a_new_sender_id, open_both),
		TEST(an_answer_that_needs_a_number_and_has_none_waits_for_a_sender_id, open_both),
		TEST(members_understand_those_who_sign_alike, open_both),
		cmocka_unit_test(no_failed_allocation_harms_who_talks),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
