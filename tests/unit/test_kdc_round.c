// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* A round of probes: how long it takes, what counts in it,
 * and how many go through theirs at once. */
#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define S(s) ((s)*INT64_C(1000))

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 31, NULL);
}

static void join(struct pair_raw *raw, struct pair *p)
{
	pair_raw_open(raw, p, 1, "raw1", NULL, &all, 1);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static size_t notes(const struct pair *p, enum gk_note_kind kind)
{
	return pair_count_notes(p, PAIR_KDC, kind);
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static size_t requests(const struct pair *p)
{
	return pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE);
}

/* However the messages and the back-off of the rekeying lie. */
static void it_takes_its_time_whatever_else_is_under_way(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	for (unsigned i = 0; i < 8; i++) {
		pair_raw_open(&raw, p, i + 1, "raw1", NULL, &all, 1);
		assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
		rekey(p);
		pair_advance(p, 700 * i);
		pair_reach(p, &raw.addr, GK_REACH_FAILED);
		if (i % 2)
			rekey(p);
		pair_advance(p, S(15) - 1);
		assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
		pair_advance(p, 1);
		assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
		pair_advance(p, S(61));
		assert_int_equal(pair_presence(p, "raw1"), -1);
	}
}

static void a_rekeying_message_under_way_is_the_probe_of_its_time(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	rekey(p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(requests(p), 1);
	pair_advance(p, S(5)); // it was over after 4 s
	assert_int_equal(requests(p), 2);
	pair_advance(p, S(5)); // the last one is no other's
	assert_int_equal(pair_presence_counts(p).multicast_probes, 1);
	pair_advance(p, S(5)); // what goes both ways counts once
	assert_int_equal(pair_presence_counts(p).unanswered, 3);
	assert_int_equal(pair_presence_counts(p).probes, 3);
}

/* ICMP errors can be forged: who sees our messages would shorten the round to nothing. */
static void an_early_error_does_not_shorten_it(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	for (int i = 0; i < 150; i++) {
		if (pair_raw_asked(&raw))
			pair_raw_reply(&raw, pair_raw_asked(&raw), 0);
		assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
		pair_advance(p, 100);
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
}

/* 1 s down, 2 s up. */
static void a_flapping_link_costs_two_notes_a_flap_at_most(void **state)
{
	struct pair *p = *state;
	int64_t num;
	size_t before;

	pair_join_all(p, 3);
	pair_advance(p, S(100));
	num = pair_num(p);
	before = p->note_count;
	for (int i = 0; i < 60; i++) {
		p->node[0].cut = true;
		pair_reach(p, &p->node[0].addr, GK_REACH_FAILED);
		pair_advance(p, S(1));
		p->node[0].cut = false;
		pair_reach(p, &p->node[0].addr, GK_REACH_CONFIRMED);
		pair_advance(p, S(2));
	}
	pair_advance(p, S(600));
	assert_in_range(p->note_count - before, 1, 120);
	assert_int_equal(notes(p, GK_NOTE_EVICTED), 0);
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 0);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_num(p), num);
}

static void a_word_that_was_refuted_is_good_for_a_check_only(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CONTENT);
	for (int i = 0; i < 29; i++) {
		pair_advance(p, S(10));
		pair_reach(p, &raw.addr, i % 2 ? GK_REACH_FAILED : GK_REACH_ROUTER_FAILED);
		assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
		pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CONTENT);
	}
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 1);
	pair_advance(p, S(11)); // an interval later it is as good as ever
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
}

static void a_check_under_way_is_its_first_probe(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_advance(p, S(305 + 2));
	pair_reach(p, &raw.addr, GK_REACH_FAILED); // late
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	assert_int_equal(requests(p), 1);
	pair_advance(p, S(15 - 2));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
}

/* Of requests by unicast and by multicast. */
static void fail_to_send(struct pair *p)
{
	for (size_t i = 0; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		if (m->open && m->from == PAIR_KDC)
			pair_drain_kdc(p, gk_kdc_unsent(p->kdc, m->id, p->now));
	}
}

static void what_never_left_says_nothing_of_the_member(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	for (int i = 0; i < 2000; i++) {
		fail_to_send(p);
		pair_advance(p, 100);
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	assert_int_equal(pair_presence_counts(p).unanswered, 0);
	assert_in_range(p->log_count, 5, 60); // with growing pauses
	rekey(p);                             // neither does a rekeying message that never left
	for (int i = 0; i < 2000; i++) {
		fail_to_send(p);
		pair_advance(p, 100);
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	assert_int_equal(notes(p, GK_NOTE_PARKED), 0);
}

/* A question that did not leave is not under way, however much is left of its time. */
static void what_never_left_takes_the_place_of_no_probe(void **state)
{
	static const uint32_t waits_s[] = { 5, 60 };
	struct pair *p = *state;
	struct pair_raw raw;

	for (unsigned i = 0; i < 4; i++) {
		p->config[0].presence.probe_wait_s = waits_s[i / 2];
		pair_restart(p);
		pair_raw_open(&raw, p, i + 1, "raw1", NULL, &all, 1);
		assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, i % 2), GK_COAP_CREATED);
		assert_int_equal(pair_raw_observe(&raw, "", 0, false), GK_COAP_CONTENT);
		pair_reach(p, &raw.addr, GK_REACH_FAILED);
		for (int k = 0; k < 4000; k++) {
			fail_to_send(p);
			pair_advance(p, 100);
		}
		assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
		assert_int_equal(pair_presence_counts(p).unanswered, 0);
		pair_drain_kdc(p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS),
					       gk_span_str("raw1"), p->now));
	}
}

/* As where its route was withdrawn. */
static void what_cannot_leave_by_unicast_goes_by_multicast(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_reach(p, &raw.addr, GK_REACH_ROUTE_GONE);
	for (int i = 0; i < 150; i++) {
		if (pair_raw_asked(&raw))
			pair_drain_kdc(p, gk_kdc_unsent(p->kdc, pair_raw_asked(&raw)->id, p->now));
		assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
		pair_advance(p, 100);
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	assert_int_equal(pair_presence_counts(p).multicast_probes, 3);
	pair_advance(p, S(61));
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

/* More than have a place by unicast at once. */
static void many_that_are_suspected_at_once_go_in_step(void **state)
{
	struct pair *p = *state;
	struct gk_reach_report reports[100];
	int64_t num;

	p->config[0].rekey_on_join = false;
	p->config[0].presence.evict_rate = 1000;
	p->config[0].presence.mass_loss_percent = 100;
	pair_restart(p);
	pair_join_all(p, 102);
	pair_advance(p, S(10));
	num = pair_num(p);
	for (size_t i = 0; i < 100; i++) {
		p->node[i].cut = true;
		reports[i] = (struct gk_reach_report){ p->node[i].addr, GK_REACH_ROUTER_FAILED };
	}
	pair_drain_kdc(p, gk_kdc_reach(p->kdc, reports, 100, p->now));
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 100);
	pair_advance(p, S(15));
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 100);
	pair_advance(p, S(60) + 500);
	assert_int_equal(notes(p, GK_NOTE_EVICTED), 100);
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), num + 1); // in one rekeying
	assert_true(pair_agree(p, 100, 101));
}

static void no_more_are_removed_in_any_minute_than_evict_rate_allows(void **state)
{
	struct pair *p = *state;
	size_t removed[8];
	int64_t num;

	p->config[0].presence.evict_rate = 5;
	p->config[0].rekey_on_join = false;
	pair_restart(p);
	pair_join_all(p, 60);
	pair_advance(p, S(10));
	num = pair_num(p);
	for (size_t i = 0; i < 12; i++) {
		p->node[i].cut = true;
		pair_reach(p, &p->node[i].addr, GK_REACH_FAILED);
	}
	pair_advance(p, S(75 + 1));
	for (size_t i = 0; i < ROWS(removed); i++) {
		removed[i] = notes(p, GK_NOTE_EVICTED);
		pair_advance(p, S(30));
	}
	for (size_t i = 0; i + 2 < ROWS(removed); i++)
		assert_in_range(removed[i + 2] - removed[i], 0, 5);
	assert_int_equal(removed[1], 5);
	assert_int_equal(removed[3], 10);
	assert_int_equal(removed[5], 12);
	assert_int_equal(pair_num(p), num + 3); // a rekeying for each lot
}

/* It may have come back meanwhile, and have nothing to say. */
static void who_waited_for_its_turn_is_asked_once_more(void **state)
{
	struct pair *p = *state;
	size_t stays = 0;

	p->config[0].presence.evict_rate = 1;
	p->config[0].rekey.scheme = GK_TREE; // new material is told by multicast alone
	p->config[0].rekey.confirm = GK_CONFIRM_NONE;
	pair_restart(p);
	pair_join_all(p, 40);
	pair_advance(p, S(10));
	for (size_t i = 0; i < 2; i++) {
		p->node[i].cut = true;
		pair_reach(p, &p->node[i].addr, GK_REACH_FAILED);
	}
	pair_advance(p, S(75 + 1));
	assert_int_equal(notes(p, GK_NOTE_EVICTED), 1);
	stays = pair_presence(p, p->node[0].name) < 0;
	pair_advance(p, S(20)); // and that is over
	p->node[stays].cut = false;
	assert_int_equal(pair_presence(p, p->node[stays].name), GK_ABSENT);
	pair_advance(p, S(120));
	assert_int_equal(pair_presence(p, p->node[stays].name), GK_PRESENT);
	assert_int_equal(notes(p, GK_NOTE_EVICTED), 1);
}

/* Its observation, by which it could be asked, ends meanwhile. */
static void who_waits_and_cannot_be_asked_any_more_is_in_nobodys_way(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.evict_rate = 1;
	pair_restart(p);
	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	assert_int_equal(pair_raw_observe(&raw, "", 0, false), GK_COAP_CONTENT);
	pair_join_all(p, 20);
	pair_advance(p, S(10));
	for (size_t i = 0; i < 2; i++) {
		p->node[i].cut = true;
		pair_reach(p, &p->node[i].addr, GK_REACH_FAILED);
		pair_advance(p, S(1));
		if (i == 0)
			pair_reach(p, &raw.addr, GK_REACH_FAILED);
		pair_advance(p, S(1));
	}
	pair_advance(p, S(75 + 10));
	assert_int_equal(pair_presence(p, p->node[0].name), -1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	assert_int_equal(pair_presence(p, p->node[1].name), GK_ABSENT);
	pair_raw_acknowledge(&raw, pair_raw_notified(&raw), GK_NOTIFIED_GONE);
	pair_advance(p, S(120));
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	assert_int_equal(pair_presence(p, p->node[1].name), -1);
}

static void a_way_that_is_found_is_tried_at_once(void **state)
{
	static const enum gk_reach words[] = { GK_REACH_MOVED, GK_REACH_CONFIRMED };
	struct pair *p = *state;

	pair_join_all(p, 20);
	for (size_t i = 0; i < ROWS(words); i++) {
		struct pair_node *node = &p->node[i];

		node->cut = true;
		pair_reach(p, &node->addr, GK_REACH_FAILED);
		pair_advance(p, S(16)); // absent, and asked again after 15 s more
		assert_int_equal(pair_presence(p, node->name), GK_ABSENT);
		node->cut = false;
		pair_reach(p, &node->addr, GK_REACH_FAILED);
		pair_advance(p, S(1));
		assert_int_equal(pair_presence(p, node->name), GK_ABSENT);
		pair_reach(p, &node->addr, words[i]);
		pair_advance(p, S(1));
		assert_int_equal(pair_presence(p, node->name), GK_PRESENT);
	}
}

/* Forged; or since somebody else has its address, and is found by each question. */
static void who_is_absent_and_stays_is_not_asked_at_each_word_of_the_kernel(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint64_t before;

	p->config[0].presence.evict = false;
	pair_restart(p);
	join(&raw, p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	pair_advance(p, S(16));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	before = pair_presence_counts(p).probes;
	for (int i = 0; i < 12; i++) {
		pair_advance(p, S(300)); // asked, and the kernel takes its time
		pair_reach(p, &raw.addr, GK_REACH_CONFIRMED);
	}
	assert_int_equal(pair_presence_counts(p).probes - before, 12);
	for (int i = 0; i < 360; i++) {
		pair_reach(p, &raw.addr, i % 2 ? GK_REACH_MOVED : GK_REACH_CONFIRMED);
		pair_advance(p, S(10));
	}
	assert_in_range(pair_presence_counts(p).probes - before, 24, 12 + 2 * 13);
	pair_advance(p, S(300));
	before = pair_presence_counts(p).probes;
	pair_advance(p, S(20));
	pair_reach(p, &raw.addr, GK_REACH_CONFIRMED); // of itself
	assert_int_equal(pair_presence_counts(p).probes - before, 1);
}

static bool by_multicast_only(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REQUEST || m->from != PAIR_KDC;
}

static void forged_failures_never_remove_a_live_member(void **state)
{
	static const enum gk_reach words[] = { GK_REACH_FAILED, GK_REACH_ROUTER_FAILED,
					       GK_REACH_ROUTE_GONE, GK_REACH_UNKNOWN };
	struct pair *p = *state;

	pair_join_all(p, 2);
	pair_advance(p, S(10));
	p->pass = by_multicast_only; // and what goes to its address is diverted
	for (int i = 0; i < 2000; i++) {
		pair_reach(p, &p->node[0].addr, words[i % ROWS(words)]);
		pair_advance(p, 1700);
	}
	assert_int_not_equal(pair_presence(p, "node0"), -1);
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 0);
}

static void a_client_of_two_groups_is_asked_once_for_both(void **state)
{
	static const char *const names[] = { PAIR_LIGHTS, "meters" };
	const uint32_t roles[] = { GK_ROLE_ALL, GK_ROLE_ALL };
	struct gk_group_config meters = pair_config("meters");
	struct pair *p = *state;
	struct pair_raw raw;
	size_t sent;

	assert_int_equal(pair_serve(p, &meters), GK_OK);
	pair_raw_open(&raw, p, 1, "raw1", names, roles, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pair_raw_join(&raw, names[i], 6, true), GK_COAP_CREATED);
	sent = requests(p);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 2);
	pair_advance(p, S(15));
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 2);
	assert_int_equal(requests(p) - sent, 3);
}

static void checks_wait_for_the_link_and_suspects_do_not(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->rekeying_bps = 800; // 100 bytes a second
	pair_restart(p);
	join(&raw, p);
	pair_advance(p, S(300) - 1);
	gk_budget_charge(&p->kdc->budget, 1000, p->now.mono.ms);
	pair_advance(p, S(6));
	assert_int_equal(p->probes, 0);
	pair_advance(p, S(8));
	assert_int_equal(p->probes, 1);
	gk_budget_charge(&p->kdc->budget, 1000, p->now.mono.ms);
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(requests(p), 1);
}

/* Of many that are absent, as in a blind group. */
static void hints_that_are_forged_take_no_more_than_the_share_of_the_link(void **state)
{
	struct pair *p = *state;
	uint64_t before;

	p->rekeying_bps = 8000; // 1,000 bytes a second, of which a question takes about 500
	p->config[0].rekey_on_join = false;
	p->config[0].presence.evict = false;
	p->config[0].presence.mass_loss_percent = 100;
	pair_restart(p);
	pair_join_all(p, 40);
	for (size_t i = 0; i < 40; i++) {
		p->node[i].cut = true;
		pair_reach(p, &p->node[i].addr, GK_REACH_FAILED);
	}
	pair_advance(p, S(60));
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 40);
	before = pair_presence_counts(p).probes;
	for (int k = 0; k < 300; k++) {
		for (size_t i = 0; i < 40; i++)
			pair_reach(p, &p->node[i].addr, GK_REACH_CONFIRMED);
		pair_advance(p, 100);
	}
	assert_in_range(pair_presence_counts(p).probes - before, 10, 90);
}

/* Whoever makes the kernel say that over and over makes us look whether there is
 * air for a check. */
static void questions_that_are_not_asked_take_nobodys_turn(void **state)
{
	struct pair *p = *state;
	struct pair_raw doubted, quiet;

	p->config[0].rekey_on_join = false;
	p->rekeying_bps = 800;
	pair_restart(p);
	join(&doubted, p);
	pair_raw_open(&quiet, p, 2, "raw2", NULL, &all, 1);
	assert_int_equal(pair_raw_join(&quiet, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	pair_advance(p, S(299));
	assert_int_equal(pair_raw_get(&doubted, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	pair_reach(p, &doubted.addr, GK_REACH_FAILED);
	pair_raw_reply(&doubted, pair_raw_asked(&doubted), GK_COAP_CONTENT);
	gk_budget_charge(&p->kdc->budget, 3000, p->now.mono.ms);
	for (int i = 0; i < 1000; i++)
		pair_reach(p, &doubted.addr, GK_REACH_FAILED);
	pair_advance(p, S(60));
	assert_int_equal(p->probes, 1);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(it_takes_its_time_whatever_else_is_under_way),
		RULE(a_rekeying_message_under_way_is_the_probe_of_its_time),
		RULE(an_early_error_does_not_shorten_it),
		RULE(a_flapping_link_costs_two_notes_a_flap_at_most),
		RULE(a_word_that_was_refuted_is_good_for_a_check_only),
		RULE(a_check_under_way_is_its_first_probe),
		RULE(what_never_left_says_nothing_of_the_member),
		RULE(what_never_left_takes_the_place_of_no_probe),
		RULE(what_cannot_leave_by_unicast_goes_by_multicast),
		RULE(many_that_are_suspected_at_once_go_in_step),
		RULE(no_more_are_removed_in_any_minute_than_evict_rate_allows),
		RULE(who_waited_for_its_turn_is_asked_once_more),
		RULE(who_waits_and_cannot_be_asked_any_more_is_in_nobodys_way),
		RULE(a_way_that_is_found_is_tried_at_once),
		RULE(who_is_absent_and_stays_is_not_asked_at_each_word_of_the_kernel),
		RULE(forged_failures_never_remove_a_live_member),
		RULE(a_client_of_two_groups_is_asked_once_for_both),
		RULE(checks_wait_for_the_link_and_suspects_do_not),
		RULE(hints_that_are_forged_take_no_more_than_the_share_of_the_link),
		RULE(questions_that_are_not_asked_take_nobodys_turn),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
