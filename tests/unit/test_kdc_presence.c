// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define S(s) ((s)*INT64_C(1000))

static const uint32_t all = GK_ROLE_ALL;

/* Check 300 s, kernel 5 s, 3 probes of 5 s, grace 60 s: the defaults; and at most 1 s of ours. */
#define KERNEL_S  300
#define CHECK_S   (KERNEL_S + 5)
#define SUSPECT_S (CHECK_S + 5)
#define ABSENT_S  (CHECK_S + 3 * 5)
#define GRACE_S   (ABSENT_S + 60)
#define REMOVED_S (GRACE_S + 1)

static int open_pair(void **state)
{
	return pair_begin(state, 11, NULL);
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

static void expect_probe(struct pair_raw *raw, size_t number)
{
	const struct pair_message *m = pair_raw_asked(raw);

	assert_non_null(m);
	assert_int_equal(m->plain.data[0], GK_COAP_GET);
	assert_int_equal(m->deadline_ms - m->sent_ms, 5000);
	assert_int_equal(pair_count(raw->p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), number);
}

static void a_silent_member_is_asked_for_and_at_last_removed(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_advance(p, S(KERNEL_S) - 1);
	assert_int_equal(p->probes, 0);
	pair_advance(p, 1);
	assert_int_equal(p->probes, 1); // the kernel first
	assert_memory_equal(p->probed.ip, raw.addr.ip, 16);
	pair_advance(p, S(5) - 1);
	assert_null(pair_raw_asked(&raw));
	pair_advance(p, 1);
	expect_probe(&raw, 1); // without a word
	pair_advance(p, S(5) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	pair_advance(p, 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	expect_probe(&raw, 2);
	assert_int_equal(pair_presence_counts(p).multicast_probes, 0);
	pair_advance(p, S(5));
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	expect_probe(&raw, 3); // and nobody can divert the last one
	assert_int_equal(pair_presence_counts(p).multicast_probes, 1);
	pair_advance(p, S(5) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	pair_advance(p, 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(60) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, 501);
	assert_int_equal(pair_presence(p, "raw1"), -1);
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->reason, "absent");
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), 1); // and the material is new
}

static void any_authenticated_message_leads_back(void **state)
{
	static const int64_t at_s[] = { KERNEL_S + 1, SUSPECT_S + 1, ABSENT_S + 1, GRACE_S - 1 };
	struct pair *p = *state;

	p->config[0].presence.mass_loss_percent = 100; // the former ones are all gone
	pair_restart(p);
	for (unsigned i = 0; i < ROWS(at_s); i++) {
		for (unsigned by_answer = 0; by_answer < 2; by_answer++) {
			struct pair_raw raw;
			char name[16];

			snprintf(name, sizeof(name), "raw%u", 2 * i + by_answer);
			pair_raw_open(&raw, p, 2 * i + by_answer + 1, name, NULL, &all, 1);
			assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true),
					 GK_COAP_CREATED);
			pair_advance(p, S(at_s[i]));
			assert_int_not_equal(pair_presence(p, name), -1);
			if (by_answer && pair_raw_asked(&raw))
				pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CONTENT);
			else
				pair_raw_get(&raw, GK_COAP_GET, "num");
			assert_int_equal(pair_presence(p, name), GK_PRESENT);
			/* an answer leaves its next turn where it was */
			pair_advance(p, by_answer ? 0 : S(KERNEL_S) - 1);
			assert_int_equal(pair_presence(p, name), GK_PRESENT);
			pair_advance(p, S(REMOVED_S) - (by_answer ? 0 : S(KERNEL_S) - 1));
			assert_int_equal(pair_presence(p, name), -1);
		}
	}
}

static void a_refusal_is_a_sign_of_life_and_a_forged_answer_is_none(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	const struct pair_message *m;

	join(&raw, p);
	pair_advance(p, S(SUSPECT_S));
	m = pair_raw_asked(&raw);
	// unprotected: anyone could have sent it
	pair_drain_kdc(p, gk_kdc_answer(p->kdc, m->id, hex_span("45"), p->now));
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	pair_advance(p, S(5));
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_NOT_FOUND);
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
}

static void the_kernel_alone_evicts_nobody(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	for (int i = 0; i < 1000; i++) {
		pair_reach(p, &p->node[0].addr, GK_REACH_FAILED);
		pair_run(p); // it answers the probe
		assert_int_equal(pair_presence(p, "node0"), GK_PRESENT);
		pair_advance(p, 1000);
	}
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ABSENT), 0);
}

static void failed_in_the_kernel_begins_probes_at_once(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_advance(p, S(10));
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	assert_non_null(pair_raw_asked(&raw));
	pair_reach(p, &raw.addr, GK_REACH_FAILED); // once more adds nothing
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), 1);
	pair_advance(p, S(3 * 5 + 60) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, 501);
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static void whatever_the_kernel_says_the_member_itself_is_asked(void **state)
{
	static const enum gk_reach words[] = { GK_REACH_CONFIRMED, GK_REACH_ROUTED, GK_REACH_DEAF };
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	for (size_t i = 0; i < ROWS(words); i++) {
		pair_advance(p, S(KERNEL_S));
		assert_int_equal(p->probes, i + 1);
		pair_reach(p, &raw.addr, GK_REACH_UNKNOWN);
		assert_null(pair_raw_asked(&raw));
		pair_reach(p, &raw.addr, words[i]);
		assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
		expect_probe(&raw, i + 1);
		pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CONTENT);
	}
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 0);
	assert_int_equal(pair_presence_counts(p).checks, ROWS(words));
	assert_int_equal(pair_presence_counts(p).probes, 0);
}

/* Somebody else has its address by now, and the kernel likes that. */
static void a_neighbour_that_answers_for_it_does_not_prolong_its_stay(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	for (int s = 0; s < GRACE_S - 5; s++) {
		assert_int_not_equal(pair_presence(p, "raw1"), -1);
		pair_reach(p, &raw.addr, GK_REACH_CONFIRMED);
		pair_advance(p, S(1));
	}
	pair_advance(p, S(5));
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static void how_long_the_kernel_takes_is_what_it_says(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	assert_int_equal(gk_kdc_kernel_timing(p->kdc, 0), GK_ERR_RANGE);
	assert_int_equal(gk_kdc_kernel_timing(p->kdc, GK_VERDICT_MAX_MS + 1), GK_ERR_RANGE);
	assert_int_equal(gk_kdc_kernel_timing(p->kdc, 1200), GK_OK);
	pair_advance(p, S(KERNEL_S) + 1199);
	assert_null(pair_raw_asked(&raw));
	pair_advance(p, 1);
	expect_probe(&raw, 1);
}

static void another_interface_or_address_is_another_node(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_addr addr;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	raw.addr.scope = 4;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	addr = raw.addr;
	addr.scope = 5;
	pair_reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	addr.scope = 4;
	addr.ip[15]++;
	pair_reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	addr.ip[15]--;
	addr.port = 1; // does not matter
	pair_reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
}

static void while_blind_nobody_is_suspected_or_removed(void **state)
{
	static const enum gk_blindness causes[] = { GK_BLIND_LINK_GONE, GK_BLIND_LINK_DOWN,
						    GK_BLIND_RADIO_DOWN, GK_BLIND_NO_ADDRESS,
						    GK_BLIND_DEAF };
	struct pair *p = *state;
	size_t sent;

	pair_join_all(p, 4);
	for (size_t i = 0; i < ROWS(causes); i++) {
		pair_drain_kdc(p, gk_kdc_blind(p->kdc, causes[i], p->now));
		assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_BLIND)->reason,
				    gk_blindness_str(causes[i]));
		assert_int_equal(pair_group(p).blind, causes[i]);
	}
	assert_int_equal(gk_kdc_blind(p->kdc, GK_BLIND_MASS_LOSS, p->now), GK_ERR_RANGE);
	sent = pair_count(p, PAIR_REQUEST, PAIR_KDC, -3);
	for (size_t i = 0; i < 4; i++) {
		p->node[i].cut = true;
		pair_reach(p, &p->node[i].addr, GK_REACH_FAILED);
	}
	pair_advance(p, S(3600));
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 0);
	assert_int_equal(p->probes, 0);
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, -3), sent);
}

/* What was doubted before is asked anew, and all others at their place in the interval. */
static void blindness_forgets_nothing(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_join_all(p, 3);
	pair_advance(p, S(100));
	pair_reach(p, &raw.addr, GK_REACH_FAILED);
	pair_advance(p, S(15 + 30));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_LINK_DOWN, p->now));
	pair_advance(p, S(3600));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_NOT, p->now));
	assert_int_equal(notes(p, GK_NOTE_SEES), 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	assert_non_null(pair_raw_asked(&raw)); // a round of its own, and grace again
	assert_int_equal(p->probes, 0);
	pair_advance(p, S(74));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(2));
	assert_int_equal(pair_presence(p, "raw1"), -1);
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 1);
	assert_int_equal(notes(p, GK_NOTE_PRESENT), 0);
	assert_true(pair_agree(p, 0, 2));
}

static void without_eviction_the_absent_are_shown(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.evict = false;
	pair_restart(p);
	join(&raw, p);
	pair_advance(p, S(10000));
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	assert_int_equal(notes(p, GK_NOTE_ABSENT), 1);
	assert_int_equal(notes(p, GK_NOTE_ALARM), 1);
	// asked every 300 s, in case that it has nothing to say by itself
	assert_in_range(pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), 34, 36);
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
}

static void after_a_restart_checks_are_spread_over_the_interval(void **state)
{
	struct pair *p = *state;
	size_t before = 0;

	pair_join_all(p, 10);
	pair_advance(p, S(10));
	for (int again = 0; again < 2; again++) {
		pair_restart(p);
		for (int i = 0; i < 9; i++) {
			pair_advance(p, S(30));
			assert_int_equal(p->probes - before, i + 1);
		}
		before = p->probes;
	}
	assert_int_equal(notes(p, GK_NOTE_SUSPECT), 0);
}

static void a_restart_ends_all_suspicion(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	pair_advance(p, S(ABSENT_S));
	pair_restart(p);
	assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	pair_advance(p, S(GRACE_S) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(1));
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static void who_talks_to_the_kdc_is_never_probed(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join(&raw, p);
	for (int i = 0; i < 50; i++) {
		pair_advance(p, S(KERNEL_S) - 1);
		pair_raw_get(&raw, GK_COAP_GET, "num");
	}
	assert_int_equal(p->probes, 0);
}

static void who_answers_no_rekeying_message_is_suspect(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.check_interval_s = 86400;
	pair_restart(p);
	join(&raw, p);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_advance(p, S(200));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 1);
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_SUSPECT)->reason,
			    "no answer to rekeying messages");
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static bool lose_all(struct pair *p, const struct pair_message *m)
{
	(void)p;
	(void)m;
	return false;
}

static void what_was_given_up_while_blind_is_sent_when_it_is_over(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	pair_advance(p, 1000);
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_LINK_DOWN, p->now));
	p->pass = lose_all;
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_advance(p, S(200));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 2);
	p->pass = NULL;
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_NOT, p->now));
	pair_run(p);
	assert_true(pair_agree(p, 0, 1));
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_silent_member_is_asked_for_and_at_last_removed),
		RULE(any_authenticated_message_leads_back),
		RULE(a_refusal_is_a_sign_of_life_and_a_forged_answer_is_none),
		RULE(the_kernel_alone_evicts_nobody),
		RULE(failed_in_the_kernel_begins_probes_at_once),
		RULE(whatever_the_kernel_says_the_member_itself_is_asked),
		RULE(a_neighbour_that_answers_for_it_does_not_prolong_its_stay),
		RULE(how_long_the_kernel_takes_is_what_it_says),
		RULE(another_interface_or_address_is_another_node),
		RULE(while_blind_nobody_is_suspected_or_removed),
		RULE(blindness_forgets_nothing),
		RULE(without_eviction_the_absent_are_shown),
		RULE(after_a_restart_checks_are_spread_over_the_interval),
		RULE(a_restart_ends_all_suspicion),
		RULE(who_talks_to_the_kdc_is_never_probed),
		RULE(who_answers_no_rekeying_message_is_suspect),
		RULE(what_was_given_up_while_blind_is_sent_when_it_is_over),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
