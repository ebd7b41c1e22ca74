// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A member of several groups that hears a Gid it does not know (R 4.2.1, 6.3).

#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLINDS "blinds"

static int open_pair(void **state)
{
	static struct pair p;
	struct gk_group_config lights = pair_config(PAIR_LIGHTS), blinds = pair_config(BLINDS);

	pair_open(&p, 10);
	*state = &p;
	if (pair_serve(&p, &lights) || pair_serve(&p, &blinds))
		return 1;
	pair_join_all(&p, 2);
	for (size_t i = 0; i < 2; i++) {
		if (pair_join(&p, i, BLINDS, 6))
			return 1;
		pair_run(&p);
	}
	pair_advance(&p, 1000);
	return pair_agree(&p, 0, 1) ? 0 : 1;
}

static bool lose_rekeyings(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->to == 0 && m->from == PAIR_KDC && m->kind == PAIR_REQUEST);
}

static void rekey(struct pair *p, const char *group)
{
	p->pass = lose_rekeyings;
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(group), p->now));
	pair_run(p);
}

static int64_t num_of(const struct pair *p, const char *group)
{
	struct gk_membership_info info;

	assert_int_equal(gk_member_info(p->node[0].member, gk_span_str(group), &info), GK_OK);
	return info.num;
}

static size_t count_asked(const struct pair *p)
{
	return pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
}

/* Of the group of the message alone: which it is, its version, the keys, who went, who came. */
static void mem_025_it_asks_of_which_group_a_gid_is(void **state)
{
	struct pair *p = *state;
	int64_t lights = num_of(p, PAIR_LIGHTS), blinds = num_of(p, BLINDS);
	size_t asked = count_asked(p);

	rekey(p, BLINDS);
	assert_int_equal(num_of(p, BLINDS), blinds);
	assert_int_equal(pair_say(p, 1, BLINDS, "new keys"), GK_OK);
	pair_run(p);
	pair_advance(p, 3000);
	assert_int_equal(num_of(p, BLINDS), blinds + 1);
	assert_int_equal(num_of(p, PAIR_LIGHTS), lights);
	assert_int_equal(count_asked(p), asked + 5);
	assert_int_equal(pair_say(p, 1, BLINDS, "heard"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "heard"), 1);
}

/* A message of member 1 in lights, under another Gid. */
static void hear_strange(struct pair *p, uint8_t first)
{
	struct gk_exchange exchange = { .id = 1 };
	struct gk_oscore_option option;
	uint8_t bytes[256];
	size_t len = pair_newest(p, PAIR_MULTICAST, 1, 0)->bytes.len;

	memcpy(bytes, pair_newest(p, PAIR_MULTICAST, 1, 0)->bytes.data, len);
	assert_int_equal(gk_oscore_peek(gk_span(bytes, len), &option, NULL), GK_OK);
	memset((uint8_t *)(uintptr_t)option.kid_context.data, 0xee, option.kid_context.len);
	*(uint8_t *)(uintptr_t)option.kid_context.data = first;
	assert_int_equal(
		gk_member_receive(p->node[0].member, &exchange, gk_span(bytes, len), p->now),
		GK_OK);
	pair_drain_node(p, 0);
}

static void says_something(struct pair *p)
{
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "known"), GK_OK);
	pair_run(p);
}

static void mem_025_a_gid_of_nobody_costs_one_question(void **state)
{
	struct pair *p = *state;
	size_t asked = count_asked(p);

	says_something(p);
	for (uint8_t i = 0; i < 8; i++)
		hear_strange(p, i / 2);
	pair_advance(p, 3000);
	assert_int_equal(count_asked(p), asked + 1);
	pair_advance(p, 30000); // what was asked is forgotten
	hear_strange(p, 9);
	pair_advance(p, 3000);
	assert_int_equal(count_asked(p), asked + 2);
}

static void of_too_many_gids_each_group_is_asked_for_its_version(void **state)
{
	struct pair *p = *state;
	size_t asked = count_asked(p);

	says_something(p);
	for (uint8_t i = 0; i < 5; i++)
		hear_strange(p, i);
	pair_advance(p, 3000);
	assert_int_equal(count_asked(p), asked + 2);
}

static void a_kdc_that_cannot_tell_is_asked_for_each_version(void **state)
{
	struct pair *p = *state;
	size_t asked;

	says_something(p);
	hear_strange(p, 1);
	for (int i = 0; i < 3000 && !pair_waiting(p, 0); i++) {
		p->now.mono.ms++;
		assert_int_equal(gk_member_expire(p->node[0].member, p->now), GK_OK);
		pair_drain_node(p, 0);
	}
	asked = count_asked(p);
	pair_forge_answer(p, 0, hex_span("84"));
	pair_advance(p, 1000);
	assert_int_equal(count_asked(p), asked + 2);
}

/* Nobody may ever say it again. */
static void what_is_heard_while_it_may_not_ask_is_asked_for_afterwards(void **state)
{
	struct pair *p = *state;
	int64_t lights = num_of(p, PAIR_LIGHTS), blinds = num_of(p, BLINDS);

	says_something(p);
	hear_strange(p, 1);
	pair_advance(p, 3000); // asked, for nothing
	rekey(p, PAIR_LIGHTS);
	rekey(p, BLINDS);
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "once"), GK_OK);
	assert_int_equal(pair_say(p, 1, BLINDS, "once"), GK_OK);
	pair_run(p);
	assert_int_equal(num_of(p, PAIR_LIGHTS), lights);
	pair_advance(p, 10000);
	assert_int_equal(num_of(p, PAIR_LIGHTS), lights + 1);
	assert_int_equal(num_of(p, BLINDS), blinds + 1);
}

int main(void)
{
#define PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		PAIR(mem_025_it_asks_of_which_group_a_gid_is),
		PAIR(mem_025_a_gid_of_nobody_costs_one_question),
		PAIR(of_too_many_gids_each_group_is_asked_for_its_version),
		PAIR(a_kdc_that_cannot_tell_is_asked_for_each_version),
		PAIR(what_is_heard_while_it_may_not_ask_is_asked_for_afterwards),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
