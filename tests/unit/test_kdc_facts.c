// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What is known of members, and what the kernel's batches say of them. */
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
	return pair_begin(state, 51, NULL);
}

static void join_as(struct pair_raw *raw, struct pair *p, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static struct gk_member_info info_of(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
	return info;
}

static void reach_all(struct pair *p, const struct gk_reach_report *reports, size_t count)
{
	pair_drain_kdc(p, gk_kdc_reach(p->kdc, reports, count, p->now));
}

static void reach(struct pair *p, const struct gk_addr *addr, enum gk_reach reach)
{
	reach_all(p, &(struct gk_reach_report){ *addr, reach }, 1);
}

static size_t trail(const struct pair *p, const char *name, struct gk_evidence e[GK_TRAIL_LEN])
{
	struct gk_evidence one;
	size_t at = 0, count = 0;

	while (gk_kdc_evidence_next(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), &at,
				    &one)) {
		assert_in_range(count, 0, GK_TRAIL_LEN - 1);
		assert_string_not_equal(gk_fact_str(one.fact), "unknown");
		e[count++] = one;
	}
	return count;
}

static void expect_facts(const struct pair *p, const char *name, const enum gk_fact *facts,
			 size_t count)
{
	struct gk_evidence e[GK_TRAIL_LEN];

	assert_int_equal(trail(p, name, e), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(e[i].fact, facts[i]);
}

/* facts */

/* From its last sign of life on, beyond its membership. */
static void a_removal_can_be_told_step_by_step(void **state)
{
	static const enum gk_fact facts[] = {
		GK_FACT_JOINED,
		GK_FACT_SILENT,
		GK_FACT_KERNEL_ASKED,
		GK_FACT_KERNEL_MUTE,
		GK_FACT_PROBED,
		GK_FACT_UNANSWERED,
		GK_FACT_SUSPECT,
		GK_FACT_PROBED,
		GK_FACT_UNANSWERED,
		GK_FACT_PROBED_BY_MULTICAST,
		GK_FACT_UNANSWERED,
		GK_FACT_ABSENT,
		GK_FACT_PROBED_BY_MULTICAST,
		GK_FACT_WITNESSED,
		GK_FACT_REMOVED,
	};
	struct pair *p = *state;
	struct gk_evidence e[GK_TRAIL_LEN];
	struct pair_raw raw, other;
	char node[24];

	p->config[0].presence.grace_s = 25; // in which it is asked once more
	p->config[0].rekey_on_join = false;
	pair_restart(p);
	join_as(&raw, p, 1);
	memcpy(node, raw.node, sizeof(node));
	join_as(&other, p, 2);
	for (int s = 0; s < 346; s += 2) {
		pair_advance(p, S(2));
		pair_raw_get(&other, GK_COAP_GET, "num");
	}
	pair_advance(p, S(1));
	expect_facts(p, "raw1", facts, ROWS(facts));
	expect_facts(p, node, facts, ROWS(facts));
	(void)trail(p, "raw1", e);
	assert_int_equal(e[1].detail, 300);
	assert_int_equal(e[4].detail, 0);
	assert_int_equal(e[7].detail, 2);
	assert_int_equal(e[9].detail, 3);
	assert_int_equal(e[12].times, 3);
	assert_int_equal(e[13].detail, 1); // one other was heard of
	for (size_t i = 1; i < ROWS(facts); i++)
		assert_true(e[i].at_ms >= e[i - 1].at_ms);
}

static void notes_of_who_is_there_have_the_last_sign_of_life(void **state)
{
	static const enum gk_note_kind kinds[] = { GK_NOTE_SUSPECT, GK_NOTE_ABSENT,
						   GK_NOTE_EVICTED };
	struct pair *p = *state;
	struct pair_raw raw;
	int64_t seen_ms;

	join_as(&raw, p, 1);
	pair_raw_get(&raw, GK_COAP_GET, "num");
	seen_ms = p->now.mono.ms;
	pair_advance(p, S(500));
	for (size_t i = 0; i < ROWS(kinds); i++) {
		const struct pair_note *note = pair_note(p, PAIR_KDC, kinds[i]);

		assert_non_null(note);
		assert_int_equal(note->last_sign, GK_FACT_REQUEST);
		assert_int_equal(note->last_seen_ms, seen_ms);
	}
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_JOINED)->last_sign, GK_FACT_NONE);
}

static void what_happens_again_is_counted(void **state)
{
	struct pair *p = *state;
	struct gk_evidence e[GK_TRAIL_LEN];
	struct pair_raw raw;

	join_as(&raw, p, 1);
	for (int i = 0; i < 100; i++) {
		pair_advance(p, S(1));
		pair_raw_get(&raw, GK_COAP_GET, "num");
	}
	assert_int_equal(trail(p, "raw1", e), 2);
	assert_int_equal(e[0].fact, GK_FACT_JOINED);
	assert_int_equal(e[1].fact, GK_FACT_REQUEST);
	assert_int_equal(e[1].times, 100);
	assert_int_equal(e[1].at_ms, p->now.mono.ms);
}

static void why_it_is_what_it_is_and_since_when(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	int64_t since_ms = p->now.mono.ms;

	join_as(&raw, p, 1);
	assert_int_equal(info_of(p, "raw1").reason, GK_FACT_JOINED);
	assert_int_equal(info_of(p, "raw1").since_ms, since_ms);
	pair_advance(p, S(10));
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(info_of(p, "raw1").since_ms, since_ms);
	assert_int_equal(info_of(p, "raw1").last_sign, GK_FACT_REQUEST);
	pair_advance(p, S(10));
	reach(p, &raw.addr, GK_REACH_ROUTER_FAILED);
	assert_int_equal(info_of(p, "raw1").reason, GK_FACT_ROUTER_FAILED);
	assert_int_equal(info_of(p, "raw1").since_ms, since_ms + S(20));
	pair_advance(p, S(1));
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CONTENT);
	assert_int_equal(info_of(p, "raw1").reason, GK_FACT_ANSWER);
	assert_int_equal(info_of(p, "raw1").last_sign, GK_FACT_ANSWER);
	assert_int_equal(info_of(p, "raw1").since_ms, since_ms + S(21));
	assert_int_equal(pair_group(p).present, 1);
}

static void the_last_sixty_four_that_are_gone_are_remembered(void **state)
{
	struct pair *p = *state;
	struct gk_evidence e[GK_TRAIL_LEN];
	struct pair_raw raw;
	char name[16];

	for (unsigned i = 1; i <= 70; i++) {
		join_as(&raw, p, i);
		snprintf(name, sizeof(name), "raw%u", i);
		pair_drain_kdc(p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name),
					       p->now));
	}
	assert_int_equal(trail(p, "raw6", e), 0);
	for (unsigned i = 7; i <= 70; i++) {
		snprintf(name, sizeof(name), "raw%u", i);
		assert_int_equal(e[trail(p, name, e) - 1].fact, GK_FACT_PUT_OUT);
	}
	assert_int_equal(trail(p, "nobody", e), 0);
}

/* batches, and addresses */

static void of_a_batch_the_last_word_counts(void **state)
{
	static const struct {
		enum gk_reach words[3];
		enum gk_presence presence;
	} rows[] = {
		{ { GK_REACH_FAILED, GK_REACH_CONFIRMED, GK_REACH_CONFIRMED }, GK_PRESENT },
		{ { GK_REACH_FAILED, GK_REACH_UNKNOWN, GK_REACH_UNKNOWN }, GK_PRESENT },
		{ { GK_REACH_ROUTE_GONE, GK_REACH_ROUTE_GONE, GK_REACH_MOVED }, GK_PRESENT },
		{ { GK_REACH_ROUTER_FAILED, GK_REACH_MOVED, GK_REACH_MOVED }, GK_PRESENT },
		{ { GK_REACH_CONFIRMED, GK_REACH_FAILED, GK_REACH_FAILED }, GK_SUSPECT },
		{ { GK_REACH_MOVED, GK_REACH_ROUTE_GONE, GK_REACH_ROUTE_GONE }, GK_SUSPECT },
		{ { GK_REACH_UNKNOWN, GK_REACH_UNKNOWN, GK_REACH_ROUTER_FAILED }, GK_SUSPECT },
	};
	struct pair *p = *state;

	for (unsigned i = 0; i < ROWS(rows); i++) {
		struct gk_reach_report reports[3];
		struct pair_raw raw;

		join_as(&raw, p, i + 1);
		for (size_t k = 0; k < 3; k++)
			reports[k] = (struct gk_reach_report){ raw.addr, rows[i].words[k] };
		reach_all(p, reports, 3);
		assert_int_equal(info_of(p, raw.p->notes[p->note_count - 1].name).presence,
				 rows[i].presence);
	}
}

static void words_that_there_are_none_of_are_passed_over(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_as(&raw, p, 1);
	reach(p, &raw.addr, (enum gk_reach)(GK_REACH_DEAF + 1));
	reach(p, &raw.addr, (enum gk_reach) - 1);
	reach_all(p, NULL, 0);
	assert_int_equal(info_of(p, "raw1").presence, GK_PRESENT);
}

static void a_link_local_address_of_the_same_identifier_is_the_same_node(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_addr addr;

	join_as(&raw, p, 1);
	addr = raw.addr;
	addr.ip[7] ^= 1; // another prefix, and no link-local one
	reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(info_of(p, "raw1").presence, GK_PRESENT);
	memset(addr.ip, 0, 8);
	addr.ip[0] = 0xfe;
	addr.ip[1] = 0x80;
	addr.ip[15] ^= 1; // of another one
	reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(info_of(p, "raw1").presence, GK_PRESENT);
	addr.ip[15] ^= 1;
	reach(p, &addr, GK_REACH_FAILED);
	assert_int_equal(info_of(p, "raw1").presence, GK_SUSPECT);
}

static void only_where_it_was_heard_of_last_it_can_fail(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_addr former;

	join_as(&raw, p, 1);
	for (uint8_t i = 1; i <= 5; i++) {
		former = raw.addr;
		raw.addr.ip[15] = 100 + i;
		pair_raw_get(&raw, GK_COAP_GET, "num");
		reach(p, &former, GK_REACH_FAILED);
		reach(p, &former, GK_REACH_ROUTE_GONE);
		assert_int_equal(info_of(p, "raw1").presence, GK_PRESENT);
	}
	assert_int_equal(info_of(p, "raw1").address_count, GK_ADDRESSES_MAX);
	for (size_t i = 0; i < GK_ADDRESSES_MAX; i++)
		assert_int_equal(info_of(p, "raw1").addresses[i].ip[15], 105 - i);
	reach(p, &raw.addr, GK_REACH_FAILED);
	assert_int_equal(info_of(p, "raw1").presence, GK_SUSPECT);
	pair_advance(p, S(300));
	assert_int_equal(p->kdc->addresses.count, 1); // the client is known yet, by one
}

/* Twenty behind one router; those that find another way stay. */
static void who_is_behind_a_router_goes_in_one_rekeying(void **state)
{
	struct pair *p = *state;
	struct gk_reach_report reports[20];
	int64_t num;

	p->config[0].rekey_on_join = false;
	pair_restart(p);
	pair_join_all(p, 60);
	pair_advance(p, S(100));
	num = pair_num(p);
	for (size_t i = 0; i < 20; i++) {
		p->node[i].cut = true;
		reports[i] = (struct gk_reach_report){ p->node[i].addr, GK_REACH_ROUTER_FAILED };
	}
	reach_all(p, reports, 20);
	pair_advance(p, S(12));
	for (size_t i = 0; i < 8; i++) {
		p->node[i].cut = false;
		reports[i].reach = GK_REACH_MOVED;
	}
	reach_all(p, reports, 8);
	pair_advance(p, S(3 + 60) + 500);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), 12);
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 0, 7));
	assert_true(pair_agree(p, 20, 59));
	for (size_t i = 20; i < 60; i++)
		assert_int_equal(info_of(p, p->node[i].name).presence, GK_PRESENT);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_removal_can_be_told_step_by_step),
		RULE(notes_of_who_is_there_have_the_last_sign_of_life),
		RULE(what_happens_again_is_counted),
		RULE(why_it_is_what_it_is_and_since_when),
		RULE(the_last_sixty_four_that_are_gone_are_remembered),
		RULE(of_a_batch_the_last_word_counts),
		RULE(words_that_there_are_none_of_are_passed_over),
		RULE(a_link_local_address_of_the_same_identifier_is_the_same_node),
		RULE(only_where_it_was_heard_of_last_it_can_fail),
		RULE(who_is_behind_a_router_goes_in_one_rekeying),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
