// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A member that replaces its credential, and how the others learn of it: R 4.9.1, 6.3.

#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int open_mode(void **state, enum gk_mode mode)
{
	static struct pair p;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	pair_open(&p, 10);
	*state = &p;
	config.mode = mode;
	if (pair_serve(&p, &config))
		return 1;
	pair_join_all(&p, 3);
	pair_advance(&p, 1000);
	return pair_agree(&p, 0, 2) ? 0 : 1;
}

static int open_both(void **state)
{
	return open_mode(state, GK_MODE_BOTH);
}

static int open_pairwise(void **state)
{
	return open_mode(state, GK_MODE_PAIRWISE);
}

static enum gk_err new_cred(struct pair *p, size_t i)
{
	enum gk_err err = gk_member_new_cred(p->node[i].member, gk_span_str(PAIR_LIGHTS), p->now);

	pair_drain_node(p, i);
	return err;
}

static bool hears(struct pair *p, size_t from, size_t to, const char *text)
{
	size_t before = pair_heard(p, to, text);

	assert_int_equal(pair_say(p, from, PAIR_LIGHTS, text), GK_OK);
	pair_run(p);
	return pair_heard(p, to, text) > before;
}

static bool is_told(struct pair *p, size_t from, size_t to, const char *text)
{
	size_t before = pair_heard(p, to, text);
	struct gk_id sid;

	assert_int_equal(gk_id_set(&sid, pair_info(p, to).sender_id), GK_OK);
	assert_int_equal(pair_tell(p, from, gk_id_span(&sid), to, text), GK_OK);
	pair_run(p);
	return pair_heard(p, to, text) > before;
}

static void others_learn_of_a_new_credential_by_what_they_cannot_verify(void **state)
{
	struct pair *p = *state;

	assert_true(hears(p, 0, 1, "before"));
	assert_int_equal(new_cred(p, 0), GK_OK);
	pair_run(p);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 1);
	for (int i = 0; i < 3; i++)
		assert_false(hears(p, 0, 1, "unread"));
	pair_advance(p, 5000);
	assert_true(hears(p, 0, 1, "read"));
	assert_true(hears(p, 0, 2, "read too"));
	assert_true(hears(p, 1, 0, "back"));
	assert_true(is_told(p, 0, 1, "told"));
	assert_true(is_told(p, 1, 0, "told back"));
}

static void a_second_one_is_another(void **state)
{
	struct pair *p = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(new_cred(p, 0), GK_OK);
		pair_run(p);
		assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), i + 1);
		for (int k = 0; k < 3; k++)
			assert_false(hears(p, 0, 1, "unread"));
		pair_advance(p, 30000);
		assert_true(hears(p, 0, 1, "read"));
	}
}

static bool lose_replies(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return !(m->kind == PAIR_REPLY && m->to == 0);
}

static void an_answer_that_gets_lost_costs_no_more_than_time(void **state)
{
	struct pair *p = *state;

	p->pass = lose_replies;
	assert_int_equal(new_cred(p, 0), GK_OK);
	pair_advance(p, 60000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 0);
	assert_int_equal(new_cred(p, 0), GK_ERR_STATE);
	p->pass = NULL;
	pair_advance(p, 120000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 1);
	for (int i = 0; i < 3; i++)
		(void)hears(p, 0, 1, "perhaps");
	pair_advance(p, 5000);
	assert_true(hears(p, 0, 1, "read"));
}

static void in_a_group_that_is_not_active_it_waits(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];
	size_t asked;

	config.active = false;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(new_cred(p, 0), GK_OK);
	pair_run(p);
	assert_false(pair_info(p, 0).active);
	asked = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
	pair_advance(p, 200000);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), asked);
	config.active = true;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 0);
	pair_advance(p, 600000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 1);
}

static void in_a_pairwise_only_group_the_evidence_is_a_mac(void **state)
{
	struct pair *p = *state;

	assert_true(is_told(p, 0, 1, "before"));
	assert_int_equal(new_cred(p, 0), GK_OK);
	pair_run(p);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_CREDENTIAL), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), 0);
	for (int i = 0; i < 3; i++)
		assert_false(is_told(p, 0, 1, "unread"));
	pair_advance(p, 30000);
	assert_true(is_told(p, 0, 1, "read"));
}

static void who_has_none_gets_none(void **state)
{
	struct pair *p = *state;
	size_t i = pair_add(p, GK_ROLE_MONITOR);

	assert_int_equal(new_cred(p, i), GK_ERR_UNKNOWN);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, GK_ROLE_MONITOR), GK_OK);
	pair_run(p);
	assert_int_equal(new_cred(p, i), GK_ERR_FORBIDDEN);
}

static void without_memory_it_stops_or_goes_on(void **state)
{
	struct pair *p = *state;
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		enum gk_err err;

		test_env_fail_alloc(&p->node[0].test_env, n);
		err = new_cred(p, 0);
		failed = p->node[0].test_env.allocs >= p->node[0].test_env.fail_alloc_at;
		test_env_fail_alloc(&p->node[0].test_env, 0);
		if (err) {
			assert_int_equal(err, GK_ERR_NO_MEMORY);
			pair_reset(p, 0);
			assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
		}
		pair_advance(p, 60000);
		for (int i = 0; i < 3; i++)
			(void)hears(p, 0, 1, "perhaps");
		pair_advance(p, 400000);
		assert_true(hears(p, 0, 1, "read"));
	}
}

int main(void)
{
#define BOTH(test)     cmocka_unit_test_setup_teardown(test, open_both, pair_end)
#define PAIRWISE(test) cmocka_unit_test_setup_teardown(test, open_pairwise, pair_end)
	const struct CMUnitTest tests[] = {
		BOTH(others_learn_of_a_new_credential_by_what_they_cannot_verify),
		BOTH(a_second_one_is_another),
		BOTH(an_answer_that_gets_lost_costs_no_more_than_time),
		BOTH(in_a_group_that_is_not_active_it_waits),
		PAIRWISE(in_a_pairwise_only_group_the_evidence_is_a_mac),
		BOTH(who_has_none_gets_none),
		BOTH(without_memory_it_stops_or_goes_on),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
