// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* Is it them, or is it us? Before a removal others have to be heard of; and a group of which too
 * many are lost at once is blind. */
#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define S(s) ((s)*INT64_C(1000))

/* Check 300 s, kernel 5 s, 3 probes of 5 s, grace 60 s. */
#define LONGEST_S (300 + 5 + 3 * 5 + 60 + 1)

static struct pair p;

static bool open_with(uint64_t seed)
{
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	pair_open(&p, seed);
	config.rekey_on_join = false;
	return pair_serve(&p, &config) == GK_OK;
}

static int open_pair(void **state)
{
	(void)state;
	return open_with(41) ? 0 : 1;
}

static int close_pair(void **state)
{
	(void)state;
	return pair_close(&p) ? 0 : 1;
}

static void change(void)
{
	pair_drain_kdc(&p, gk_kdc_change_group(p.kdc, &p.config[0], p.now));
	assert_int_equal(p.last, GK_OK);
}

static size_t notes(enum gk_note_kind kind)
{
	return pair_count_notes(&p, PAIR_KDC, kind);
}

static struct gk_presence_counts counted(void)
{
	struct gk_presence_counts counts;

	gk_kdc_presence_counts(p.kdc, &counts);
	return counts;
}

static size_t members(void)
{
	return pair_group(&p).members;
}

static bool is_blind(void)
{
	return pair_group(&p).blind == GK_BLIND_MASS_LOSS;
}

static int presence(size_t i)
{
	struct gk_member_info info;

	return pair_shown(&p, PAIR_LIGHTS, p.node[i].name, &info) ? (int)info.presence : -1;
}

static enum gk_err confirm_loss(const char *group)
{
	enum gk_err err = gk_kdc_confirm_loss(p.kdc, gk_span_str(group), p.now);

	pair_drain_kdc(&p, GK_OK);
	return err;
}

static void reach(size_t i, enum gk_reach reach)
{
	struct gk_reach_report report = { p.node[i].addr, reach };

	pair_drain_kdc(&p, gk_kdc_reach(p.kdc, &report, 1, p.now));
}

static void cut(size_t first, size_t last, bool cut)
{
	for (size_t i = first; i <= last; i++)
		p.node[i].cut = cut;
}

/* All at once go silent, and the kernel says nothing. */
static void lose_forty(void)
{
	pair_join_all(&p, 60);
	pair_advance(&p, S(100));
	cut(0, 39, true);
	pair_advance(&p, S(LONGEST_S));
}

static void forty_of_sixty_lost_at_once_make_the_group_blind(void **state)
{
	(void)state;
	lose_forty();
	assert_int_equal(members(), 60);
	assert_true(is_blind());
	assert_int_equal(notes(GK_NOTE_BLIND), 1);
	assert_string_equal(pair_note(&p, PAIR_KDC, GK_NOTE_BLIND)->group, PAIR_LIGHTS);
	assert_int_equal(counted().mass_losses, 1);
	for (size_t i = 40; i < 60; i++)
		assert_int_equal(presence(i), GK_PRESENT);
	pair_advance(&p, S(3600));
	assert_int_equal(members(), 60);
	assert_int_equal(notes(GK_NOTE_BLIND), 1);
	assert_true(is_blind());
}

static bool not_diverted(struct pair *pair, const struct pair_message *m)
{
	(void)pair;
	return m->kind != PAIR_REQUEST || m->from != PAIR_KDC || m->to >= 40;
}

/* Forged neighbour entries divert what goes to each, and the kernel fails to verify them; all
 * others are heard of, since there is a rekeying. */
static void members_that_are_diverted_do_not_make_it_blind(void **state)
{
	(void)state;
	pair_join_all(&p, 60);
	pair_advance(&p, S(100));
	p.pass = not_diverted;
	for (size_t i = 0; i < 40; i++)
		reach(i, GK_REACH_FAILED);
	pair_drain_kdc(&p, gk_kdc_rekey(p.kdc, gk_span_str(PAIR_LIGHTS), p.now));
	pair_advance(&p, S(600));
	assert_in_range(notes(GK_NOTE_SUSPECT), 40, 200);
	assert_int_equal(notes(GK_NOTE_BLIND), 0);
	assert_int_equal(notes(GK_NOTE_ABSENT), 0);
	assert_int_equal(members(), 60);
}

static void members_that_come_back_and_are_diverted_end_its_blindness(void **state)
{
	(void)state;
	lose_forty();
	assert_true(is_blind());
	p.pass = not_diverted;
	cut(0, 39, false);
	pair_advance(&p, S(300 + 20)); // asked once in an interval
	assert_false(is_blind());
	assert_int_equal(members(), 60);
}

static uint32_t lot(void)
{
	p.seed = p.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(p.seed >> 33);
}

/* Forty drawn by lot; of some of them the kernel tells. */
static void lose_some(size_t count)
{
	while (count > 0) {
		size_t i = lot() % 60;

		if (p.node[i].cut)
			continue;
		p.node[i].cut = true;
		count--;
		if (lot() % 4 == 0)
			reach(i, GK_REACH_FAILED);
		pair_advance(&p, lot() % 50);
	}
}

static const struct gk_presence_config hasty = { .check_interval_s = 2,
						 .probes = 2,
						 .probe_wait_s = 1,
						 .grace_s = 1,
						 .sleep_max_s = 86400,
						 .evict = true,
						 .evict_rate = 60000,
						 .mass_loss_percent = 50,
						 .mass_loss_window_s = 600 };

static void try_forty(bool hastily)
{
	pair_join_all(&p, 60);
	if (hastily)
		p.config[0].presence = hasty;
	change();
	lose_some(40);
	pair_advance(&p, hastily ? S(10 + lot() % 30) : S(LONGEST_S));
	assert_int_equal(members(), 60);
	assert_true(is_blind());
	cut(0, 59, false);
	pair_advance(&p, hastily ? S(10) : S(LONGEST_S));
	assert_false(is_blind());
	assert_int_equal(pair_group(&p).present, 60);
	assert_int_equal(notes(GK_NOTE_EVICTED), 0);
	assert_int_equal(notes(GK_NOTE_BLIND), 1);
	assert_int_equal(notes(GK_NOTE_SEES), 1);
}

/* Certainly, and not only for the most part: whoever is lost, in whatever order that shows, and
 * whoever is drawn as a witness. GK_TRIALS=N: so many. */
static void whoever_they_are_none_of_forty_is_removed(void **state)
{
	const char *trials = getenv("GK_TRIALS");
	size_t count = trials ? (size_t)strtoul(trials, NULL, 10) : 12;

	(void)state;
	for (size_t i = 1; i <= count; i++) {
		assert_true(pair_close(&p));
		assert_true(open_with(100 + i));
		try_forty(i % 4);
	}
}

static void what_the_operator_confirms_goes_in_one_rekeying(void **state)
{
	int64_t num;

	(void)state;
	p.config[0].presence.evict_rate = 3;
	change();
	pair_join_all(&p, 1);
	assert_int_equal(confirm_loss("nobody"), GK_ERR_UNKNOWN);
	assert_int_equal(confirm_loss(PAIR_LIGHTS), GK_ERR_STATE);
	lose_forty();
	num = pair_num(&p);
	pair_drain_kdc(&p, gk_kdc_storage(p.kdc, GK_STORAGE_NONE, p.now));
	assert_int_equal(confirm_loss(PAIR_LIGHTS), GK_ERR_NO_SPACE);
	pair_drain_kdc(&p, gk_kdc_storage(p.kdc, GK_STORAGE_GOOD, p.now));
	assert_int_equal(members(), 61);
	assert_int_equal(confirm_loss(PAIR_LIGHTS), GK_OK);
	assert_int_equal(members(), 21);
	assert_false(is_blind());
	assert_int_equal(notes(GK_NOTE_SEES), 1);
	assert_int_equal(confirm_loss(PAIR_LIGHTS), GK_ERR_STATE);
	pair_advance(&p, S(60));
	assert_int_equal(pair_num(&p), num + 1);
	for (size_t i = 41; i < 61; i++)
		assert_int_equal(presence(i), GK_PRESENT);
}

/* Who is still silent then is asked anew, and goes as anybody would. */
/* A group's record lists all that went, and could fill the memory if each of them made one. */
static void however_many_it_is_the_group_is_stored_once(void **state)
{
	struct gk_event event;
	size_t groups = 0, gone = 0;

	(void)state;
	lose_forty();
	assert_int_equal(gk_kdc_confirm_loss(p.kdc, gk_span_str(PAIR_LIGHTS), p.now), GK_OK);
	while (gk_kdc_event(p.kdc, &event)) {
		if (event.kind != GK_EVENT_STORE)
			continue;
		groups += event.record.table == GK_TABLE_GROUP;
		gone += event.record.table == GK_TABLE_MEMBER && !event.record.value.len;
	}
	assert_int_equal(gone, 40);
	assert_int_equal(groups, 1);
	assert_true(p.kdc->groups->rekey_pending);
}

/* Of whom most will not hear that. */
static void telling_the_lost_leaves_room_for_rekeying_the_others(void **state)
{
	(void)state;
	pair_join_all(&p, 120);
	pair_advance(&p, S(100));
	cut(0, 109, true);
	pair_advance(&p, S(LONGEST_S));
	assert_true(is_blind());
	assert_int_equal(confirm_loss(PAIR_LIGHTS), GK_OK);
	assert_int_equal(members(), 10);
	assert_in_range(p.kdc->request_count, 1, GK_REQUESTS_MAX / 2);
	pair_advance(&p, S(3));
	assert_in_range(p.kdc->request_count, 1, GK_REQUESTS_MAX / 2);
	assert_true(pair_agree(&p, 110, 119));
}

static void enough_that_are_heard_of_again_end_it(void **state)
{
	(void)state;
	lose_forty();
	cut(0, 8, false);
	pair_advance(&p, S(300 + 20)); // asked once in an interval
	assert_true(is_blind());
	cut(9, 29, false);
	for (int s = 0; s < 320 && is_blind(); s++)
		pair_advance(&p, S(1));
	assert_false(is_blind());
	assert_int_equal(notes(GK_NOTE_SEES), 1);
	assert_int_equal(members(), 60);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 50);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(presence(i), i >= 30 && i < 40 ? -1 : GK_PRESENT);
}

static void while_a_group_is_blind_the_lost_are_asked_once_in_an_interval(void **state)
{
	struct gk_presence_counts before;

	(void)state;
	lose_forty();
	pair_advance(&p, S(600));
	before = counted();
	pair_advance(&p, S(300));
	assert_int_equal(counted().probes - before.probes, 40);
	assert_int_equal(counted().suspected, before.suspected);
	reach(50, GK_REACH_FAILED); // nor is anybody else suspected
	cut(50, 50, true);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(presence(50), GK_PRESENT);
}

static void one_or_two_never_make_a_group_blind(void **state)
{
	(void)state;
	pair_join_all(&p, 3);
	cut(0, 1, true);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 1);
	cut(2, 2, true);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 0);
	assert_int_equal(notes(GK_NOTE_BLIND), 0);
}

static void all_of_three_make_it_blind(void **state)
{
	(void)state;
	pair_join_all(&p, 3);
	cut(0, 2, true);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 3);
	assert_true(is_blind());
}

static void half_of_a_group_may_go_at_once(void **state)
{
	(void)state;
	p.config[0].presence.evict_rate = 60000;
	change();
	pair_join_all(&p, 20);
	cut(0, 9, true);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 10);
	assert_int_equal(notes(GK_NOTE_BLIND), 0);
}

static void with_100_percent_nobody_is_asked_and_all_go(void **state)
{
	(void)state;
	p.config[0].presence.mass_loss_percent = 100;
	change();
	pair_join_all(&p, 20);
	pair_advance(&p, S(10));
	cut(0, 16, true);
	for (size_t i = 0; i <= 16; i++)
		reach(i, GK_REACH_FAILED);
	pair_advance(&p, S(3 * 5 + 60 + 1));
	assert_int_equal(members(), 3);
	assert_int_equal(counted().checks, 0);
}

/* What was lost one by one was not lost at once. */
static void what_was_lost_longer_ago_does_not_count(void **state)
{
	(void)state;
	p.config[0].presence.evict = false;
	p.config[0].presence.mass_loss_window_s = 600;
	change();
	pair_join_all(&p, 6);
	for (size_t i = 0; i < 5; i++) {
		cut(i, i, true);
		pair_advance(&p, S(700));
	}
	assert_int_equal(pair_group(&p).absent, 5);
	assert_int_equal(notes(GK_NOTE_BLIND), 0);
}

/* The last 20 s before a removal. */
static void others_are_asked_before_a_removal_and_only_then(void **state)
{
	(void)state;
	pair_join_all(&p, 120);
	pair_advance(&p, S(100));
	cut(0, 0, true);
	reach(0, GK_REACH_FAILED);
	pair_advance(&p, S(3 * 5 + 60 - 20) - 1);
	assert_int_equal(counted().checks, 0);
	pair_advance(&p, S(20) + 500);
	assert_int_equal(presence(0), -1);
	assert_int_equal(counted().checks, 34); // of 119
}

static void who_was_heard_of_meanwhile_need_not_be_asked(void **state)
{
	(void)state;
	pair_join_all(&p, 8);
	pair_advance(&p, S(100));
	cut(0, 0, true);
	reach(0, GK_REACH_FAILED);
	for (size_t i = 1; i < 8; i++)
		assert_int_equal(gk_member_check(p.node[i].member, gk_span_str(PAIR_LIGHTS), p.now),
				 GK_OK);
	for (size_t i = 1; i < 8; i++)
		pair_drain_node(&p, i);
	pair_advance(&p, S(3 * 5 + 60) + 500);
	assert_int_equal(presence(0), -1);
	assert_int_equal(counted().checks, 0);
}

/* All that is silent is as well lost: nobody is left to be heard. */
static void without_others_to_be_heard_of_a_removal_waits(void **state)
{
	struct gk_evidence e;
	bool waits = false;
	size_t at = 0;

	(void)state;
	pair_join_all(&p, 10);
	pair_advance(&p, S(100));
	cut(0, 9, true);
	reach(0, GK_REACH_FAILED);
	pair_advance(&p, S(3 * 5 + 60 + 1));
	assert_int_equal(presence(0), GK_ABSENT);
	while (gk_kdc_evidence_next(p.kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(p.node[0].name),
				    &at, &e))
		waits = waits || e.fact == GK_FACT_WAITS || e.fact == GK_FACT_BLIND;
	assert_true(waits);
	pair_advance(&p, S(LONGEST_S));
	assert_int_equal(members(), 10);
}

/* However many members miss a first question, as when their router's address is forged. */
static bool some_are_diverted(struct pair *pair, const struct pair_message *m)
{
	(void)pair;
	return m->kind != PAIR_REQUEST || m->from != PAIR_KDC || m->to < 5 || m->to >= 20;
}

static void nobody_is_asked_twice_in_an_interval_beside_its_turn(void **state)
{
	size_t before[60];

	(void)state;
	p.config[0].presence.evict = false;
	p.config[0].presence.mass_loss_window_s = 3600;
	pair_join_all(&p, 60);
	pair_restart(&p); // each has a place of its own in the interval
	cut(0, 4, true);
	p.pass = some_are_diverted;
	pair_advance(&p, S(400));
	assert_int_equal(pair_group(&p).absent, 5);
	for (size_t i = 20; i < 60; i++)
		before[i] = pair_count(&p, PAIR_REQUEST, PAIR_KDC, (int)i);
	pair_advance(&p, S(3600));
	for (size_t i = 20; i < 60; i++)
		assert_in_range(pair_count(&p, PAIR_REQUEST, PAIR_KDC, (int)i) - before[i], 11,
				2 * 12 + 1);
	assert_int_equal(notes(GK_NOTE_BLIND), 0);
}

static void who_was_asked_shortly_before_is_asked_again_for_a_removal(void **state)
{
	(void)state;
	pair_join_all(&p, 8);
	pair_advance(&p, S(100));
	for (size_t i = 0; i < 2; i++) {
		pair_advance(&p, S(30)); // the rekeying is over
		cut(i, i, true);
		reach(i, GK_REACH_FAILED);
		pair_advance(&p, S(3 * 5 + 60) + 500);
		assert_int_equal(presence(i), -1);
		assert_int_equal(counted().checks, i ? 7 + 6 : 7);
	}
}

static void where_nobody_is_removed_many_that_are_lost_are_noticed_as_well(void **state)
{
	(void)state;
	for (uint16_t probes = 1; probes <= 3; probes += 2) {
		assert_true(pair_close(&p));
		assert_true(open_with(50 + probes));
		p.config[0].presence.evict = false;
		p.config[0].presence.probes = probes;
		change();
		lose_forty();
		assert_true(is_blind());
		assert_int_equal(pair_group(&p).present, 20);
	}
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)
	const struct CMUnitTest tests[] = {
		RULE(forty_of_sixty_lost_at_once_make_the_group_blind),
		RULE(members_that_are_diverted_do_not_make_it_blind),
		RULE(members_that_come_back_and_are_diverted_end_its_blindness),
		RULE(whoever_they_are_none_of_forty_is_removed),
		RULE(what_the_operator_confirms_goes_in_one_rekeying),
		RULE(however_many_it_is_the_group_is_stored_once),
		RULE(telling_the_lost_leaves_room_for_rekeying_the_others),
		RULE(enough_that_are_heard_of_again_end_it),
		RULE(while_a_group_is_blind_the_lost_are_asked_once_in_an_interval),
		RULE(one_or_two_never_make_a_group_blind),
		RULE(all_of_three_make_it_blind),
		RULE(half_of_a_group_may_go_at_once),
		RULE(with_100_percent_nobody_is_asked_and_all_go),
		RULE(what_was_lost_longer_ago_does_not_count),
		RULE(others_are_asked_before_a_removal_and_only_then),
		RULE(who_was_heard_of_meanwhile_need_not_be_asked),
		RULE(without_others_to_be_heard_of_a_removal_waits),
		RULE(nobody_is_asked_twice_in_an_interval_beside_its_turn),
		RULE(who_was_asked_shortly_before_is_asked_again_for_a_removal),
		RULE(where_nobody_is_removed_many_that_are_lost_are_noticed_as_well),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
