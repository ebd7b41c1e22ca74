// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A group that is not active (P 9.9): KDC and members together.

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int open_pair(void **state)
{
	static struct pair p;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	pair_open(&p, 10);
	*state = &p;
	config.mode = GK_MODE_BOTH;
	if (pair_serve(&p, &config))
		return 1;
	pair_join_all(&p, 2);
	pair_advance(&p, 1000);
	return pair_agree(&p, 0, 1) ? 0 : 1;
}

static void set_active(struct pair *p, bool active)
{
	struct gk_group_config config = p->config[0];

	config.active = active;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	p->config[0] = config;
	pair_drain_kdc(p, GK_OK);
}

static void check(struct pair *p, size_t i)
{
	assert_int_equal(gk_member_check(p->node[i].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, i);
	pair_run(p);
}

static void tell(struct pair *p, size_t from, size_t to, const char *text, enum gk_err err)
{
	struct gk_id sid;

	assert_int_equal(gk_id_set(&sid, pair_info(p, to).sender_id), GK_OK);
	assert_int_equal(pair_tell(p, from, gk_id_span(&sid), to, text), err);
	pair_run(p);
}

static enum gk_err respond(struct pair *p, size_t i)
{
	const struct pair_note *note = pair_note(p, (int)i, GK_NOTE_MESSAGE);
	enum gk_err err;

	assert_non_null(note);
	err = gk_member_respond(p->node[i].member, note->id, hex_span("44"), p->now);
	pair_drain_node(p, i);
	pair_run(p);
	return err;
}

static void who_knows_says_tells_and_answers_nothing(void **state)
{
	struct pair *p = *state;

	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "answer me"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "answer me"), 1);
	set_active(p, false);
	check(p, 0);
	assert_false(pair_info(p, 0).active);
	assert_true(pair_info(p, 0).joined);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_INACTIVE), 1);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "x"), GK_ERR_STATE);
	tell(p, 0, 1, "x", GK_ERR_STATE);
	assert_int_equal(respond(p, 0), GK_ERR_STATE);
	set_active(p, true);
	pair_advance(p, 600000);
	assert_true(pair_info(p, 0).active);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_INACTIVE), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ACTIVE), 1);
	assert_int_equal(respond(p, 0), GK_OK);
	tell(p, 0, 1, "y", GK_OK);
	assert_int_equal(pair_heard(p, 1, "y"), 1);
}

static void who_knows_hears_nothing(void **state)
{
	struct pair *p = *state;
	uint64_t refused;

	set_active(p, false);
	check(p, 0);
	refused = pair_info(p, 0).refused;
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "to all"), GK_OK); // it does not know yet
	pair_run(p);
	tell(p, 1, 0, "to one", GK_OK);
	assert_int_equal(pair_heard(p, 0, "to all") + pair_heard(p, 0, "to one"), 0);
	assert_true(pair_info(p, 0).refused >= refused + 2);
	set_active(p, true);
	pair_advance(p, 600000);
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "again"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "again"), 1);
}

static void answers_to_what_was_asked_before_are_not_taken(void **state)
{
	struct pair *p = *state;
	size_t unanswered;

	tell(p, 0, 1, "wait", GK_OK);
	assert_int_equal(pair_heard(p, 1, "wait"), 1);
	set_active(p, false);
	check(p, 0);
	unanswered = pair_count_notes(p, 0, GK_NOTE_UNANSWERED);
	assert_int_equal(respond(p, 1), GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_RESPONSE), 0);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_UNANSWERED), unanswered + 1);
}

static void keys_are_taken_all_the_same(void **state)
{
	struct pair *p = *state;

	set_active(p, false);
	check(p, 0);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_advance(p, 1000);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "x"), GK_ERR_STATE);
}

/* Without being asked; at the latest after an hour. */
static void everybody_learns_of_it(void **state)
{
	struct pair *p = *state;

	set_active(p, false);
	pair_advance(p, 3700000);
	assert_false(pair_info(p, 0).active);
	assert_false(pair_info(p, 1).active);
	set_active(p, true);
	pair_advance(p, 500000);
	assert_true(pair_info(p, 0).active);
	assert_true(pair_info(p, 1).active);
}

int main(void)
{
#define PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		PAIR(who_knows_says_tells_and_answers_nothing),
		PAIR(who_knows_hears_nothing),
		PAIR(answers_to_what_was_asked_before_are_not_taken),
		PAIR(keys_are_taken_all_the_same),
		PAIR(everybody_learns_of_it),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
