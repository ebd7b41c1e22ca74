// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What comes next for a member is what comes next: at each stage the outlook is asked, and then
 * time goes by until just before it, and past it.
 */
#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(s) ((s)*INT64_C(1000))

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 41, NULL);
}

/* One that answers nothing by itself. */
static void join_raw(struct pair_raw *raw, struct pair *p, unsigned number, bool control)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, control), GK_COAP_CREATED);
}

static struct gk_outlook outlook(const struct pair *p, const char *name)
{
	struct gk_outlook outlook;

	assert_true(gk_kdc_outlook(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), &outlook));
	return outlook;
}

/* @param in_ms  from now; GK_NEVER: never */
static void assert_next(const struct pair *p, const char *name, enum gk_next next, int64_t in_ms,
			uint32_t probe)
{
	struct gk_outlook found = outlook(p, name);
	int64_t at_ms = in_ms == GK_NEVER ? GK_NEVER : p->now.mono.ms + in_ms;

	if (found.next != next || found.at_ms != at_ms || found.probe != probe)
		fail_msg("%s: %d in %lld ms, probe %u; not %d in %lld ms, probe %u", name,
			 found.next, (long long)(found.at_ms - p->now.mono.ms), found.probe, next,
			 (long long)in_ms, probe);
}

static void fail_all(struct pair *p, struct pair_raw *const *raws, size_t count)
{
	struct gk_reach_report reports[8];

	for (size_t i = 0; i < count; i++)
		reports[i] = (struct gk_reach_report){ raws[i]->addr, GK_REACH_FAILED };
	pair_drain_kdc(p, gk_kdc_reach(p->kdc, reports, count, p->now));
}

static void each_stage_of_silence_is_foretold(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	assert_next(p, "raw1", GK_NEXT_CHECK, S(300), 0);
	pair_advance(p, S(299));
	assert_next(p, "raw1", GK_NEXT_CHECK, S(1), 0);
	pair_advance(p, S(1));
	assert_next(p, "raw1", GK_NEXT_VERDICT, S(5), 0);
	pair_advance(p, S(5));
	assert_next(p, "raw1", GK_NEXT_ANSWER, S(5), 0);
	for (uint32_t probe = 2; probe <= 3; probe++) {
		pair_advance(p, S(5));
		assert_next(p, "raw1", GK_NEXT_ANSWER, S(5), probe);
		assert_int_equal(outlook(p, "raw1").probes, 3);
	}
	pair_advance(p, S(5));
	assert_next(p, "raw1", GK_NEXT_REMOVAL, S(60), 0);
	pair_advance(p, S(40)); // it is asked meanwhile, too
	assert_next(p, "raw1", GK_NEXT_REMOVAL, S(20), 0);
	assert_true(outlook(p, "raw1").member);
	pair_advance(p, S(21));
	assert_next(p, "raw1", GK_NEXT_REJOIN, GK_NEVER, 0);
	assert_false(outlook(p, "raw1").member);
	assert_string_equal(outlook(p, "raw1").ended, "absent");
}

static void a_message_puts_off_the_check(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	pair_advance(p, S(200));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_next(p, "raw1", GK_NEXT_CHECK, S(300), 0);
}

static void both_names_lead_to_both(void **state)
{
	struct pair *p = *state;
	struct gk_outlook found;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	for (int i = 0; i < 2; i++) {
		found = outlook(p, i ? "raw1" : "n1");
		assert_memory_equal(found.name.data, "raw1", found.name.len);
		assert_memory_equal(found.node.data, "n1", found.node.len);
		assert_int_equal(found.name.len, 4);
		assert_int_equal(found.node.len, 2);
	}
	assert_false(gk_kdc_outlook(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw2"), &found));
	assert_false(gk_kdc_outlook(p->kdc, gk_span_str("doors"), gk_span_str("raw1"), &found));
}

static void who_cannot_be_asked_stays(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, false);
	assert_next(p, "raw1", GK_NEXT_NOTHING, GK_NEVER, 0);
}

static void without_evict_who_is_absent_is_asked_again(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.evict = false;
	pair_restart(p);
	join_raw(&raw, p, 1, true);
	fail_all(p, (struct pair_raw *[]){ &raw }, 1);
	assert_next(p, "raw1", GK_NEXT_ANSWER, S(5), 1);
	pair_advance(p, S(15));
	assert_next(p, "raw1", GK_NEXT_ASKED, S(300), 0);
}

static void who_sleeps_is_asked_after_its_sleep(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.sleepy = true;
	p->config[0].presence.sleep_max_s = 86400;
	pair_restart(p);
	join_raw(&raw, p, 1, true);
	assert_next(p, "raw1", GK_NEXT_CHECK, S(86400), 0);
	pair_advance(p, S(1000));
	assert_next(p, "raw1", GK_NEXT_CHECK, S(85400), 0);
}

static void while_we_are_blind_nothing_comes(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_DEAF, p->now));
	assert_next(p, "raw1", GK_NEXT_SIGHT, GK_NEVER, 0);
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_NOT, p->now));
	assert_int_equal(outlook(p, "raw1").next, GK_NEXT_CHECK);
}

static void who_has_to_wait_for_its_end_has_no_time(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raws[2];
	unsigned waiting = 0, gone = 0;

	p->config[0].presence.evict_rate = 1;
	pair_restart(p);
	pair_join_all(p, 8);
	join_raw(&raws[0], p, 1, true);
	join_raw(&raws[1], p, 2, true);
	fail_all(p, (struct pair_raw *[]){ &raws[0], &raws[1] }, 2);
	pair_advance(p, S(80));
	for (int i = 0; i < 2; i++) {
		struct gk_outlook found = outlook(p, i ? "raw2" : "raw1");
		waiting += found.next == GK_NEXT_WAIT && found.at_ms == GK_NEVER && found.member;
		gone += found.next == GK_NEXT_REJOIN;
	}
	assert_int_equal(waiting, 1);
	assert_int_equal(gone, 1);
	pair_advance(p, S(61 + 5 + 1)); // it is asked once more
	assert_int_equal(outlook(p, "raw1").next, GK_NEXT_REJOIN);
	assert_int_equal(outlook(p, "raw2").next, GK_NEXT_REJOIN);
}

static void of_a_group_that_is_blind_who_is_lost_is_not_judged(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raws[4];
	struct pair_raw *all_of_them[] = { &raws[0], &raws[1], &raws[2], &raws[3] };

	pair_join_all(p, 2);
	for (unsigned i = 0; i < 4; i++)
		join_raw(&raws[i], p, i + 1, true);
	fail_all(p, all_of_them, 4);
	pair_advance(p, S(30));
	for (unsigned i = 0; i < 4; i++) {
		char name[16];
		snprintf(name, sizeof(name), "raw%u", i + 1);
		assert_next(p, name, GK_NEXT_SIGHT, GK_NEVER, 0);
	}
	assert_int_equal(outlook(p, "n1").next, GK_NEXT_CHECK);
	pair_drain_kdc(p, gk_kdc_confirm_loss(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	assert_next(p, "raw3", GK_NEXT_REJOIN, GK_NEVER, 0);
}

/* By its own wish, or another's. */
static void why_it_ended_is_kept(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_join_all(p, 2);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	assert_null(outlook(p, "n1").ended);
	pair_drain_kdc(p,
		       gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("n2"), p->now));
	assert_string_equal(outlook(p, "n2").ended, "operator");
	join_raw(&raw, p, 1, true);
	assert_true(outlook(p, "n3").member);
	pair_restart(p);
	assert_false(gk_kdc_outlook(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("n1"),
				    &(struct gk_outlook){ 0 }));
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(each_stage_of_silence_is_foretold),
		RULE(a_message_puts_off_the_check),
		RULE(both_names_lead_to_both),
		RULE(who_cannot_be_asked_stays),
		RULE(without_evict_who_is_absent_is_asked_again),
		RULE(who_sleeps_is_asked_after_its_sleep),
		RULE(while_we_are_blind_nothing_comes),
		RULE(who_has_to_wait_for_its_end_has_no_time),
		RULE(of_a_group_that_is_blind_who_is_lost_is_not_judged),
		RULE(why_it_ended_is_kept),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
