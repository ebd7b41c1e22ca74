// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Members that take no requests and observe (RFC 7641; RFC 8613 sections 4.1.3.5 and 7.4.1;
 * R 4.8.1, 6.1), with a KDC that plays along, or one that is forged.
 */
#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"
#include "libgroupkey/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(s) ((s)*INT64_C(1000))

static size_t told, asked; /* before the test: its notifications and requests */

static size_t notifications(const struct pair *p)
{
	return pair_count(p, PAIR_NOTIFY, PAIR_KDC, 0) - told;
}

static size_t requests(const struct pair *p)
{
	return pair_count(p, PAIR_REQUEST, 0, PAIR_KDC) - asked;
}

/* One observer, node 0, and one member with a control_uri. */
static int open_pair(void **state)
{
	static struct pair p;
	size_t i;

	pair_open(&p, 31);
	*state = &p;
	if (pair_serve(&p, NULL))
		return 1;
	i = pair_add(&p, 6);
	p.node[i].observer = true;
	pair_reset(&p, i);
	(void)pair_join(&p, i, PAIR_LIGHTS, 6);
	pair_run(&p);
	pair_join_all(&p, 1);
	told = pair_count(&p, PAIR_NOTIFY, PAIR_KDC, 0);
	asked = pair_count(&p, PAIR_REQUEST, 0, PAIR_KDC);
	return pair_agree(&p, 0, 1) ? 0 : 1;
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_run(p);
}

static enum gk_delivery delivery(const struct pair *p)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, "node0", &info));
	return info.delivery;
}

static size_t observed(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += p->log[i]->kind == PAIR_REQUEST && p->log[i]->from == 0 &&
			 p->log[i]->observed;
	return count;
}

static void it_joins_without_a_control_uri_and_observes_two_resources(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;

	assert_int_equal(observed(p), 2);
	assert_true(pair_shown(p, PAIR_LIGHTS, "node0", &info));
	assert_true(info.observes);
	assert_false(info.in_tree);
	assert_int_equal(info.address.port, 5683);
}

static void it_installs_what_it_is_notified_of(void **state)
{
	struct pair *p = *state;

	rekey(p);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_note(p, 0, GK_NOTE_REKEYED)->via, GK_VIA_OBSERVE);
	assert_int_equal(notifications(p), 1); /* of its place in the group, no 2.xx */
	assert_int_equal(pair_count(p, PAIR_ACK, 0, PAIR_KDC), told + 1);
	assert_int_equal(delivery(p), GK_DELIVERY_OBSERVE);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "hello"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 1, "hello"), 1);
}

static bool lose_all(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_NOTIFY;
}

/* Nobody is removed for what it does not hear meanwhile. */
static void hear_no_more(struct pair *p)
{
	p->config[0].presence.grace_s = 3600;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	p->pass = lose_all;
}

static void it_registers_again_when_max_age_has_passed(void **state)
{
	struct pair *p = *state;
	const int64_t begun = p->now.mono.ms;

	hear_no_more(p);
	while (requests(p) < 2 && p->now.mono.ms < begun + S(1000))
		pair_advance(p, S(1));
	assert_in_range(p->now.mono.ms - begun, S(905), S(916));
	assert_int_equal(observed(p), 2); /* the former ones are forgotten */
}

static void each_notification_prolongs_it(void **state)
{
	struct pair *p = *state;

	pair_advance(p, S(200));
	rekey(p);
	hear_no_more(p);
	pair_advance(p, S(890));
	assert_int_equal(requests(p), 0);
	pair_advance(p, S(30));
	assert_int_equal(requests(p), 2);
}

static void at_each_key_update_check_interval_it_registers_and_so_confirms(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < 4; i++) {
		rekey(p);
		pair_advance(p, S(850));
	}
	assert_int_equal(delivery(p), GK_DELIVERY_OBSERVE);
	pair_advance(p, S(3600 - 850));
	assert_int_equal(delivery(p), GK_DELIVERY_CONFIRMED);
}

static bool lose_acks(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_ACK;
}

static bool lose_first(struct pair *p, const struct pair_message *m)
{
	return m->kind != PAIR_NOTIFY || notifications(p) > 1;
}

static void what_was_lost_comes_again(void **state)
{
	struct pair *p = *state;

	p->pass = lose_first;
	rekey(p);
	assert_false(pair_agree(p, 0, 0));
	pair_advance(p, S(10));
	assert_true(pair_agree(p, 0, 0));
	assert_int_equal(notifications(p), 2);
}

static void what_it_has_already_is_acknowledged_and_passed_over(void **state)
{
	struct pair *p = *state;

	p->pass = lose_acks;
	rekey(p);
	assert_true(pair_agree(p, 0, 0));
	pair_advance(p, S(10));
	assert_int_equal(notifications(p), 2);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_REKEYED), told + 1);
	assert_int_equal(pair_count(p, PAIR_ACK, 0, PAIR_KDC), told + 2);
}

static void what_is_lost_for_good_it_learns_when_it_registers_again(void **state)
{
	struct pair *p = *state;

	p->pass = lose_all;
	rekey(p);
	pair_advance(p, S(100));
	p->pass = NULL;
	assert_false(pair_agree(p, 0, 0));
	pair_advance(p, S(900));
	assert_true(pair_agree(p, 0, 0));
}

static void a_notification_twice_is_a_replay(void **state)
{
	struct pair *p = *state;
	const struct pair_message *m;
	struct gk_membership_info before;

	rekey(p);
	m = pair_newest(p, PAIR_NOTIFY, PAIR_KDC, 0);
	before = pair_info(p, 0);
	pair_repeat(p, m, true);
	pair_run(p);
	assert_int_equal(pair_info(p, 0).refused, before.refused + 1);
	assert_string_equal(pair_note(p, 0, GK_NOTE_REFUSED)->reason, "replayed");
}

/* An older one that was held up on its way, too. */
static bool hold_up(struct pair *p, const struct pair_message *m)
{
	return m->kind != PAIR_NOTIFY || m->id == *(const uint64_t *)p->ctx;
}

static void an_older_notification_after_a_newer_one_is_a_replay(void **state)
{
	struct pair *p = *state;
	const struct pair_message *older, *newer;
	uint64_t none = 0;

	p->ctx = &none;
	p->pass = hold_up;
	rekey(p);
	older = pair_newest(p, PAIR_NOTIFY, PAIR_KDC, 0);
	pair_advance(p, S(10));
	newer = pair_newest(p, PAIR_NOTIFY, PAIR_KDC, 0);
	assert_true(newer != older);
	p->pass = NULL;
	pair_repeat(p, newer, true);
	pair_repeat(p, older, true);
	pair_run(p);
	assert_true(pair_agree(p, 0, 0));
	assert_int_equal(pair_info(p, 0).refused, 1);
}

static void the_first_answer_once_more_is_no_notification(void **state)
{
	struct pair *p = *state;
	const struct gk_membership *ms = p->node[0].member->groups[0];
	const struct pair_message *reply = NULL;

	for (size_t i = 0; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		if (m->kind == PAIR_REPLY && m->to == 0 && p->log[m->id - 1]->observed)
			reply = m;
	}
	assert_non_null(reply);
	assert_int_equal(gk_member_answer(p->node[0].member, p->log[reply->id - 1]->id,
					  reply->bytes, p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	assert_int_equal(ms->refused, 1);
}

static void what_does_not_verify_ends_no_observation(void **state)
{
	struct pair *p = *state;
	const struct gk_membership *ms = p->node[0].member->groups[0];
	static const char *const forged[] = {
		"84",                                 // 4.04, not protected
		"81",                                 // 4.01
		"6491ff00",                           // an OSCORE option that is malformed
		"4469090700ff0000000000000000000000", // protected by somebody
	};

	for (size_t i = 0; i < 4; i++) {
		uint8_t bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

		gk_buf_add(&buf, hex_span(forged[i]));
		assert_int_equal(gk_member_answer(p->node[0].member, ms->watching[GK_WATCH_NODE].id,
						  gk_buf_span(&buf), p->now),
				 GK_OK);
		pair_drain_node(p, 0);
		assert_true(pair_info(p, 0).joined);
		assert_int_equal(ms->refused, i + 1);
	}
	assert_int_equal(observed(p), 2);
	rekey(p);
	assert_true(pair_agree(p, 0, 1));
}

static void evict(struct pair *p)
{
	pair_drain_kdc(
		p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node0"), p->now));
	pair_run(p);
}

static void a_notice_puts_it_out_and_it_comes_back_after_a_pause(void **state)
{
	struct pair *p = *state;

	evict(p);
	assert_false(pair_info(p, 0).joined);
	assert_string_equal(pair_note(p, 0, GK_NOTE_EVICTED)->reason, "notice of the KDC");
	assert_int_equal(observed(p), 0);
	pair_advance(p, S(21));
	assert_true(pair_info(p, 0).joined);
	assert_int_equal(observed(p), 2);
}

static void a_deleted_group_ends_its_membership(void **state)
{
	struct pair *p = *state;

	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_run(p);
	assert_false(pair_info(p, 0).joined);
	assert_string_equal(pair_note(p, 0, GK_NOTE_EVICTED)->reason, "the group was deleted");
	assert_int_equal(observed(p), 0);
}

static void leaving_forgets_what_is_observed(void **state)
{
	struct pair *p = *state;

	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_LEFT), 1);
	assert_int_equal(observed(p), 0);
	rekey(p);
	assert_int_equal(notifications(p), 0);
}

static void a_kdc_that_restarted_hears_of_it_at_once_when_it_says_so(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	rekey(p);
	assert_int_equal(notifications(p), 0);
	assert_int_equal(gk_member_check(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_run(p);
	assert_true(pair_agree(p, 0, 0));
	rekey(p);
	assert_int_equal(notifications(p), 1);
	assert_true(pair_agree(p, 0, 0));
	assert_int_equal(observed(p), 2);
}

static void otherwise_after_max_age(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	pair_advance(p, S(916));
	rekey(p);
	assert_true(pair_agree(p, 0, 0));
	assert_int_equal(observed(p), 2);
}

static void in_a_new_association_it_registers_anew(void **state)
{
	struct pair *p = *state;
	static const uint8_t unauthorized = GK_COAP_UNAUTHORIZED;

	assert_int_equal(gk_member_check(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_forge_plain_answer(p, 0, gk_span(&unauthorized, 1));
	pair_advance(p, S(10));
	assert_int_equal(observed(p), 2);
	rekey(p);
	assert_true(pair_agree(p, 0, 0));
	assert_int_equal(notifications(p), 1);
}

static void requests_of_the_kdc_are_not_for_it(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_DELETE);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS "/node"));
	assert_int_equal(pair_forge_request(p, 0, gk_buf_span(&buf)), 0);
	assert_true(pair_info(p, 0).joined);
}

static void a_member_needs_a_control_uri_or_observes(void **state)
{
	struct pair *p = *state;
	struct gk_env env = test_env(&(struct test_env){ 0 }, 1);
	const struct pair_node *n = &p->node[0];
	struct gk_member_config config = {
		.token = gk_span(n->bundle.token, n->bundle.token_len),
		.osc_id = gk_span(n->bundle.osc_id, 8),
		.ms = gk_span(n->bundle.ms, 32),
		.key_seed = gk_span(n->seed, 32),
	};
	struct gk_member *m = NULL;

	assert_int_equal(gk_member_new(&env, &config, &m), GK_ERR_RANGE);
	config.observe = true;
	assert_int_equal(gk_member_new(&env, &config, &m), GK_OK);
	gk_member_free(m);
}

static void who_is_asked_to_observe_and_answers_without_is_asked_again(void **state)
{
	struct pair *p = *state;

	p->kdc->observer_count = GK_OBSERVERS_MAX + 2; /* two of them its own former ones */
	pair_reset(p, 0);
	(void)pair_join(p, 0, PAIR_LIGHTS, 6);
	pair_run(p);
	assert_int_equal(observed(p), 0);
	p->kdc->observer_count = 0;
	pair_advance(p, S(76));
	assert_int_equal(observed(p), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_joins_without_a_control_uri_and_observes_two_resources),
		TEST(it_installs_what_it_is_notified_of),
		TEST(it_registers_again_when_max_age_has_passed),
		TEST(each_notification_prolongs_it),
		TEST(at_each_key_update_check_interval_it_registers_and_so_confirms),
		TEST(what_was_lost_comes_again),
		TEST(what_it_has_already_is_acknowledged_and_passed_over),
		TEST(what_is_lost_for_good_it_learns_when_it_registers_again),
		TEST(a_notification_twice_is_a_replay),
		TEST(an_older_notification_after_a_newer_one_is_a_replay),
		TEST(the_first_answer_once_more_is_no_notification),
		TEST(what_does_not_verify_ends_no_observation),
		TEST(a_notice_puts_it_out_and_it_comes_back_after_a_pause),
		TEST(a_deleted_group_ends_its_membership),
		TEST(leaving_forgets_what_is_observed),
		TEST(a_kdc_that_restarted_hears_of_it_at_once_when_it_says_so),
		TEST(otherwise_after_max_age),
		TEST(in_a_new_association_it_registers_anew),
		TEST(requests_of_the_kdc_are_not_for_it),
		TEST(a_member_needs_a_control_uri_or_observes),
		TEST(who_is_asked_to_observe_and_answers_without_is_asked_again),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
