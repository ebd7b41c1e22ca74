// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A member's requests in blocks (RFC 7959). A KDC that wants smaller blocks makes every request
// long.
#include "libgroupkey/member.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SZX 2 // blocks of 64 bytes

static int open_pair(void **state)
{
	return pair_begin(state, 11, NULL);
}

static struct gk_exchange_out *out_of(struct pair *p, size_t i)
{
	return &p->node[i].member->out;
}

/* Answer the request under way as a KDC would that takes blocks of 2^(szx + 4) bytes. */
static void answer(struct pair *p, size_t i, uint8_t code, struct gk_block block)
{
	bool plain = out_of(p, i)->task == GK_TASK_TOKEN;
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	gk_coap_put_uint(&w, GK_OPT_BLOCK1, gk_block_value(block));
	if (plain)
		pair_forge_plain_answer(p, i, gk_buf_span(&buf));
	else
		pair_forge_answer(p, i, gk_buf_span(&buf));
}

static void want_smaller(struct pair *p, size_t i, uint8_t szx)
{
	answer(p, i, GK_COAP_TOO_LARGE, (struct gk_block){ .szx = szx });
}

static void step_until(struct pair *p, size_t i, enum gk_task task)
{
	while (!out_of(p, i)->busy || out_of(p, i)->task != task)
		assert_true(pair_step(p));
}

/* A member that was in, left, and has to join again in blocks; none of them has arrived. */
static size_t join_in_blocks(struct pair *p, uint8_t szx)
{
	size_t i = pair_add(p, 6);

	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	pair_run(p);
	assert_int_equal(pair_leave(p, i, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	step_until(p, i, GK_TASK_JOIN);
	want_smaller(p, i, szx);
	assert_true(out_of(p, i)->busy && out_of(p, i)->is_large);
	return i;
}

static bool is_in(struct pair *p, size_t i)
{
	struct gk_membership_info info = pair_info(p, i);

	return info.joined;
}

static void a_join_goes_in_blocks(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 20); // the answer comes in blocks as well
	for (uint8_t szx = 0; szx < 4; szx++) {
		size_t i = join_in_blocks(p, szx);

		pair_run(p);
		assert_true(is_in(p, i));
		assert_int_equal(pair_info(p, i).peers, 20 + szx);
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 28);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void a_token_goes_in_blocks(void **state)
{
	struct pair *p = *state;
	size_t i = pair_add(p, 6);

	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	want_smaller(p, i, SZX);
	pair_run(p);
	assert_true(is_in(p, i));
}

/* Nobody asks for it: it is too long by itself. */
static void a_long_token_goes_in_blocks_unasked(void **state)
{
	static const uint8_t junk[1500];
	struct pair *p = *state;
	size_t i = pair_add(p, 6);
	struct gk_member *m = p->node[i].member;

	assert_int_equal(gk_blob_set(&m->env, &m->token, gk_span(junk, sizeof(junk))), GK_OK);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	assert_true(out_of(p, i)->is_large);
	assert_int_equal(pair_newest(p, PAIR_REQUEST, (int)i, PAIR_KDC)->bytes.len < 1200, 1);
	pair_step(p);
	pair_step(p);
	assert_int_equal(out_of(p, i)->sent, 1024);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REQUEST, (int)i, PAIR_KDC), 2);
	assert_string_equal(pair_note(p, (int)i, GK_NOTE_ERROR)->reason,
			    "the KDC refuses the token");
}

/* loss */

struct lose {
	size_t nth, seen;
	enum pair_kind kind;
	int member;
};

static bool lose_nth(struct pair *p, const struct pair_message *m)
{
	struct lose *lose = p->ctx;

	int who = m->kind == PAIR_REQUEST ? m->from : m->to;

	return m->kind != lose->kind || who != lose->member || ++lose->seen != lose->nth;
}

static void a_block_that_gets_lost_is_sent_again(void **state)
{
	static const enum pair_kind kinds[] = { PAIR_REQUEST, PAIR_REPLY };
	struct pair *p = *state;

	for (size_t k = 0; k < 2; k++) {
		// the first block, lost, is a request that was lost; what answers the last one
		// has a test of its own
		for (size_t nth = 2; nth <= 3; nth++) {
			size_t i = join_in_blocks(p, SZX);
			struct lose lose = { nth, 0, kinds[k], (int)i };

			p->ctx = &lose;
			p->pass = lose_nth;
			pair_run(p);
			p->pass = NULL;
			assert_false(is_in(p, i));
			assert_int_equal(out_of(p, i)->sent, (nth - 1) * 64);
			pair_advance(p, 20000);
			assert_true(is_in(p, i));
		}
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 8);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static bool lose_answer(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REPLY || m->plain.len == 0 || m->plain.data[0] >> 5 != 2 ||
	       m->plain.data[0] == GK_COAP_CONTINUE;
}

static void who_loses_the_answer_to_the_last_block_begins_anew(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);

	p->pass = lose_answer;
	pair_run(p);
	p->pass = NULL;
	assert_false(is_in(p, i));
	pair_advance(p, 20000);
	assert_true(is_in(p, i));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 1);
}

static void a_block_that_is_lost_again_and_again_is_given_up(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX), count;

	while (!out_of(p, i)->sent)
		pair_step(p);
	p->node[i].cut = true;
	count = pair_count(p, PAIR_REQUEST, (int)i, PAIR_KDC);
	for (int n = 0; n < 3; n++) {
		assert_true(out_of(p, i)->busy && out_of(p, i)->sent == 64);
		pair_advance(p, p->node[i].member->answer_timeout_ms);
	}
	assert_false(out_of(p, i)->busy && out_of(p, i)->sent);
	assert_in_range(pair_count(p, PAIR_REQUEST, (int)i, PAIR_KDC), count + 2, count + 3);
	p->node[i].cut = false;
	pair_advance(p, 60000);
	assert_true(is_in(p, i));
}

/* a KDC that does as it likes */

static void a_kdc_that_restarts_meanwhile_is_told_anew(void **state)
{
	struct pair *p = *state;

	for (unsigned steps = 1; steps <= 9; steps++) {
		size_t i = join_in_blocks(p, SZX);

		for (unsigned n = 0; n < steps; n++)
			pair_step(p);
		pair_restart(p);
		pair_run(p);
		pair_advance(p, 20000);
		assert_true(is_in(p, i));
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void a_kdc_may_want_smaller_blocks_on_the_way(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, 3);

	pair_step(p); // the KDC has the first block; its answer is not the one that arrives
	answer(p, i, GK_COAP_CONTINUE, (struct gk_block){ .num = 0, .more = true, .szx = 0 });
	assert_int_equal(out_of(p, i)->sent, 128);
	assert_int_equal(out_of(p, i)->szx, 0);
	pair_run(p);
	assert_true(is_in(p, i));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void larger_blocks_are_not_sent(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);

	pair_step(p);
	answer(p, i, GK_COAP_CONTINUE, (struct gk_block){ .num = 0, .more = true, .szx = 6 });
	assert_int_equal(out_of(p, i)->szx, SZX);
	pair_run(p);
	assert_true(is_in(p, i));
}

static void a_kdc_that_always_forgets_is_left_alone_for_a_while(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX), count = 0;

	while (out_of(p, i)->busy) {
		answer(p, i, GK_COAP_INCOMPLETE, (struct gk_block){ .szx = SZX });
		assert_true(++count < 10);
	}
	assert_in_range(count, 2, 4);
	assert_true(p->node[i].member->not_before_ms > p->now.mono.ms);
	pair_advance(p, 60000);
	assert_true(is_in(p, i));
}

static void each_transfer_has_a_request_tag_of_its_own(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);
	uint16_t tag = out_of(p, i)->tag;

	answer(p, i, GK_COAP_INCOMPLETE, (struct gk_block){ .szx = SZX });
	assert_int_not_equal(out_of(p, i)->tag, tag);
	tag = out_of(p, i)->tag;
	pair_step(p);
	pair_step(p);
	assert_int_equal(out_of(p, i)->tag, tag); // the same for all its blocks
	pair_run(p);
	assert_true(is_in(p, i));
}

static void an_answer_that_does_not_fit_the_block_is_none(void **state)
{
	static const struct {
		uint8_t code;
		struct gk_block block;
	} rows[] = {
		{ GK_COAP_CONTINUE, { .num = 1, .more = true, .szx = SZX } }, // another block's
		{ GK_COAP_CREATED, { .num = 0, .more = false, .szx = SZX } }, // too early
	};
	struct pair *p = *state;

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		size_t i = join_in_blocks(p, SZX);
		size_t errors = pair_count_notes(p, (int)i, GK_NOTE_ERROR);

		answer(p, i, rows[k].code, rows[k].block);
		assert_false(out_of(p, i)->busy);
		assert_false(is_in(p, i));
		assert_int_equal(pair_count_notes(p, (int)i, GK_NOTE_ERROR), errors);
		pair_advance(p, 20000);
		assert_true(is_in(p, i));
	}
}

static void a_kdc_that_wants_more_than_there_is_gives_no_answer(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);
	struct gk_exchange_out *out = out_of(p, i);

	while (out->busy && out->task == GK_TASK_JOIN) {
		struct gk_block block = { .num = (uint32_t)(out->sent / 64),
					  .more = true,
					  .szx = SZX };

		assert_true(block.num < 20);
		answer(p, i, GK_COAP_CONTINUE, block);
	}
	assert_false(is_in(p, i));
	pair_advance(p, 20000);
	assert_true(is_in(p, i));
}

static void a_size_that_is_not_smaller_is_a_refusal(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);

	want_smaller(p, i, SZX);
	assert_string_equal(pair_note(p, (int)i, GK_NOTE_ERROR)->reason,
			    "the KDC refuses the join");
	pair_advance(p, 20000);
	assert_true(is_in(p, i));
}

static void an_error_in_the_midst_is_the_answer(void **state)
{
	struct pair *p = *state;
	size_t i = join_in_blocks(p, SZX);

	pair_step(p);
	pair_step(p);
	answer(p, i, GK_COAP_FORBIDDEN, (struct gk_block){ .num = 1, .szx = SZX });
	assert_string_equal(pair_note(p, (int)i, GK_NOTE_ERROR)->reason,
			    "the KDC refuses the join");
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_join_goes_in_blocks),
		RULE(a_token_goes_in_blocks),
		RULE(a_long_token_goes_in_blocks_unasked),
		RULE(a_block_that_gets_lost_is_sent_again),
		RULE(who_loses_the_answer_to_the_last_block_begins_anew),
		RULE(a_block_that_is_lost_again_and_again_is_given_up),
		RULE(a_kdc_that_restarts_meanwhile_is_told_anew),
		RULE(a_kdc_may_want_smaller_blocks_on_the_way),
		RULE(larger_blocks_are_not_sent),
		RULE(a_kdc_that_always_forgets_is_left_alone_for_a_while),
		RULE(each_transfer_has_a_request_tag_of_its_own),
		RULE(an_answer_that_does_not_fit_the_block_is_none),
		RULE(a_kdc_that_wants_more_than_there_is_gives_no_answer),
		RULE(a_size_that_is_not_smaller_is_a_refusal),
		RULE(an_error_in_the_midst_is_the_answer),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
