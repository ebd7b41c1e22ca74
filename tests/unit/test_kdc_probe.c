// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* A question to a member by multicast, which no forged neighbour entry diverts: who answers, who is
 * silent, and what the KDC takes. */
#include "libgroupkey/budget.h"
#include "libgroupkey/client.h"
#include "libgroupkey/group.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ANYONE  (-3)
#define WAIT_MS 5000
#define ASKED   1 /* the member that is */

static int open_with(void **state, struct gk_group_config config)
{
	static struct pair p;

	pair_open(&p, 21);
	*state = &p;
	if (pair_serve(&p, &config))
		return 1;
	pair_join_all(&p, 3);
	pair_advance(&p, 10000);
	return 0;
}

static int open_tree(void **state)
{
	return open_with(state, pair_tree_config(PAIR_LIGHTS));
}

static int open_plain(void **state)
{
	return open_with(state, pair_config(PAIR_LIGHTS));
}

static struct gk_node *node_of(const struct pair *p, const char *name)
{
	struct gk_group *group = gk_group_find(p->kdc, gk_span_str(PAIR_LIGHTS));

	for (size_t i = 0; i < group->count; i++) {
		const struct gk_client *client = group->nodes[i]->client;

		if (gk_span_equal(gk_span(client->name, client->name_len), gk_span_str(name)))
			return group->nodes[i];
	}
	return NULL;
}

static struct gk_node *asked(const struct pair *p)
{
	return node_of(p, p->node[ASKED].name);
}

static uint64_t ask(struct pair *p, struct gk_node *node)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	uint64_t id;

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	id = gk_client_request_both(p->kdc, node, GK_REQUEST_PROBE, gk_buf_span(&buf), WAIT_MS,
				    p->now);
	pair_drain_kdc(p, GK_OK);
	return id;
}

/* Nothing by unicast between the KDC and members. */
static bool diverted(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REQUEST && m->kind != PAIR_REPLY;
}

static bool by_unicast_only(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_PROBE;
}

static bool nothing(struct pair *p, const struct pair_message *m)
{
	(void)p, (void)m;
	return false;
}

/* Heard of just now? */
static bool is_seen(const struct pair *p)
{
	return asked(p)->last_seen_ms == p->now.mono.ms;
}

static const struct pair_message *newest_probe(const struct pair *p)
{
	return pair_newest(p, PAIR_PROBE, PAIR_KDC, PAIR_OUTSIDE);
}

/* @param port  of the KDC, to which it answers */
static void hears_it_and_answers(struct pair *p, uint16_t port)
{
	static const uint8_t kdc[16]; // as the members have it
	const struct pair_message *answer;

	p->pass = diverted;
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_PROBED, ANYONE, PAIR_KDC), 1);
	answer = pair_newest(p, PAIR_PROBED, ASKED, PAIR_KDC);
	assert_non_null(answer);
	assert_memory_equal(answer->exchange.token, newest_probe(p)->exchange.token, 8);
	assert_memory_equal(answer->peer.ip, kdc, 16);
	assert_int_equal(answer->peer.port, port);
	assert_true(is_seen(p));
}

static void a_member_of_the_tree_is_asked_at_its_control_group(void **state)
{
	static const uint8_t control[16] = { 0xff, 0x03, [15] = 0xfd };
	struct pair *p = *state;

	assert_true(asked(p)->in_tree);
	assert_true(gk_client_can_multicast(asked(p)));
	assert_true(ask(p, asked(p)) > 0);
	assert_memory_equal(newest_probe(p)->peer.ip, control, 16);
	assert_int_equal(newest_probe(p)->peer.port, 5686);
	hears_it_and_answers(p, 5686);
}

static void another_is_asked_with_all_nodes_of_the_link(void **state)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	struct pair *p = *state;

	assert_false(asked(p)->in_tree);
	assert_true(gk_client_can_multicast(asked(p)));
	assert_true(ask(p, asked(p)) > 0);
	assert_memory_equal(newest_probe(p)->peer.ip, all_nodes, 16);
	assert_int_equal(newest_probe(p)->peer.port, 5683);
	hears_it_and_answers(p, pair_prober.port);
}

static void nobody_else_says_or_counts_anything(void **state)
{
	struct pair *p = *state;

	ask(p, asked(p));
	p->pass = diverted;
	pair_run(p);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pair_count(p, PAIR_PROBED, (int)i, PAIR_KDC), i == ASKED);
		assert_int_equal(pair_count_notes(p, (int)i, GK_NOTE_REFUSED), 0);
		assert_int_equal(pair_info(p, i).refused, 0);
	}
	assert_int_equal(pair_group(p).confirmations_refused, 0);
}

static void hand_in(struct pair *p, const struct gk_exchange *exchange, struct gk_span bytes)
{
	assert_int_equal(gk_member_receive(p->node[ASKED].member, exchange, bytes, p->now), GK_OK);
	pair_drain_node(p, ASKED);
}

static void what_was_answered_is_answered_once(void **state)
{
	struct pair *p = *state;

	const struct pair_message *m;
	struct gk_exchange exchange;

	ask(p, asked(p));
	p->pass = diverted;
	pair_run(p);
	m = pair_newest(p, PAIR_PROBE, PAIR_KDC, ASKED);
	exchange = m->exchange;
	for (uint16_t i = 0; i < 3; i++) {
		exchange.message_id = (uint16_t)(m->exchange.message_id + i);
		exchange.multicast = i < 2;
		hand_in(p, &exchange, m->bytes);
		assert_int_equal(pair_count(p, PAIR_PROBED, ASKED, PAIR_KDC), 1);
		assert_int_equal(pair_count(p, PAIR_REPLY, ASKED, ANYONE), 0);
	}
}

/* What came by unicast is a replay by multicast. */
static void a_unicast_message_is_not_answered_again_by_multicast(void **state)
{
	struct pair *p = *state;
	struct gk_exchange exchange;
	const struct pair_message *m;

	ask(p, asked(p));
	p->pass = by_unicast_only;
	pair_run(p);
	m = pair_newest(p, PAIR_REQUEST, PAIR_KDC, ASKED);
	assert_int_equal(pair_count(p, PAIR_REPLY, ASKED, ANYONE), 1);
	exchange = m->exchange;
	exchange.multicast = true;
	hand_in(p, &exchange, m->bytes);
	assert_int_equal(pair_count(p, PAIR_PROBED, ASKED, PAIR_KDC), 0);
	assert_int_equal(pair_count(p, PAIR_REPLY, ASKED, ANYONE), 1);
}

/* Whoever hears the question can answer first. */
static void a_forged_answer_does_not_take_the_place_of_the_true_one(void **state)
{
	static const char *const forged[] = { "44", "44 90 ff 0102030405060708090a", "00", "ffff" };
	struct pair *p = *state;
	uint64_t id = ask(p, asked(p));

	p->pass = diverted;
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		pair_drain_kdc(p, gk_kdc_answer(p->kdc, id, hex_span(forged[i]), p->now));
		assert_false(is_seen(p));
	}
	pair_run(p);
	assert_true(is_seen(p));
	/* and there is nothing left to wait for */
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 0);
	pair_drain_kdc(p, gk_kdc_answer(p->kdc, id, gk_span(NULL, 0), p->now));
}

static void an_answer_of_before_is_none(void **state)
{
	struct pair *p = *state;
	struct gk_span old;

	ask(p, asked(p));
	p->pass = diverted;
	pair_run(p);
	old = pair_newest(p, PAIR_PROBED, ASKED, PAIR_KDC)->bytes;
	pair_advance(p, 1000);
	p->pass = nothing;
	uint64_t id = ask(p, asked(p));
	pair_run(p);
	pair_drain_kdc(p, gk_kdc_answer(p->kdc, id, old, p->now));
	assert_false(is_seen(p));
}

/* For who is beyond the link, or does not listen there. */
static void it_is_asked_by_unicast_beside(void **state)
{
	struct pair *p = *state;

	ask(p, asked(p));
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 2);
	p->pass = by_unicast_only;
	pair_run(p);
	assert_true(is_seen(p));
	assert_int_equal(pair_count(p, PAIR_PROBED, ANYONE, PAIR_KDC), 0);
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 0);
}

static void a_message_under_way_is_the_unicast_beside(void **state)
{
	struct pair *p = *state;

	p->pass = nothing;
	asked(p)->delivery = GK_NODE_FLYING;
	ask(p, asked(p));
	asked(p)->delivery = GK_NODE_SETTLED;
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 1);
	assert_non_null(newest_probe(p));
}

static void it_counts_as_sent_if_one_of_both_was(void **state)
{
	struct pair *p = *state;

	p->pass = nothing;
	for (int first = 0; first < 2; first++) {
		uint64_t id = ask(p, asked(p));
		const uint64_t ids[] = { id + (uint64_t)first, id + 1 - (uint64_t)first };
		unsigned before = asked(p)->unsent;

		pair_drain_kdc(p, gk_kdc_unsent(p->kdc, ids[0], p->now));
		assert_int_equal(asked(p)->unsent, before);
		pair_drain_kdc(p, gk_kdc_unsent(p->kdc, ids[1], p->now));
		assert_int_equal(asked(p)->unsent, before + 1);
		assert_int_equal(p->kdc->request_count + p->kdc->question_count, 0);
	}
}

static void without_an_answer_both_are_over(void **state)
{
	struct pair *p = *state;

	p->pass = nothing;
	ask(p, asked(p));
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 2);
	pair_advance(p, WAIT_MS);
	assert_int_equal(p->kdc->request_count + p->kdc->question_count, 0);
	assert_false(is_seen(p));
}

static void their_air_is_charged(void **state)
{
	struct pair *p = *state;
	int64_t full;

	gk_budget_init(&p->kdc->budget, 8000, p->now.mono.ms);
	full = p->kdc->budget.level;
	p->pass = nothing;
	ask(p, asked(p));
	/* two questions and three answers, each in one frame */
	assert_true(full - p->kdc->budget.level > 5 * 60 * 1000);
	assert_true(full - p->kdc->budget.level < 5 * 133 * 1000);
}

static bool lose_notices(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->from != PAIR_KDC || m->plain.len == 0 || m->plain.data[0] != GK_COAP_DELETE;
}

/* A recorded notice that is said to all does nothing, and is good for what it was made for. */
static void only_a_question_is_heard_by_multicast(void **state)
{
	const struct pair_message *notice;
	struct pair *p = *state;
	struct gk_exchange exchange;

	p->pass = lose_notices;
	pair_drain_kdc(p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS),
				       gk_span_str(p->node[ASKED].name), p->now));
	pair_run(p);
	notice = pair_newest(p, PAIR_REQUEST, PAIR_KDC, ASKED);
	assert_int_equal(notice->plain.data[0], GK_COAP_DELETE);
	p->pass = NULL;
	exchange = notice->exchange;
	exchange.multicast = true;
	hand_in(p, &exchange, notice->bytes);
	assert_true(pair_info(p, ASKED).joined);
	assert_int_equal(pair_count(p, PAIR_PROBED, ASKED, PAIR_KDC), 0);
	pair_repeat(p, notice, true);
	pair_run(p);
	assert_false(pair_info(p, ASKED).joined);
}

/* Whatever it says under the association is a sign of life. */
static void a_question_about_nothing_is_answered_and_a_request_is_not(void **state)
{
	static const uint8_t methods[] = { GK_COAP_POST, GK_COAP_DELETE, GK_COAP_FETCH, 3, 31 };
	struct pair *p = *state;
	uint8_t bytes[64];

	for (size_t i = 0; i <= sizeof(methods); i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w =
			gk_coap_begin(&buf, i < sizeof(methods) ? methods[i] : GK_COAP_GET);

		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/other/node"));
		assert_int_equal(pair_forge_probe(p, ASKED, gk_buf_span(&buf)),
				 i < sizeof(methods) ? 0 : GK_COAP_NOT_FOUND);
	}
}

static void who_takes_no_requests_cannot_be_asked(void **state)
{
	static const uint32_t all = GK_ROLE_ALL;
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	assert_false(gk_client_can_multicast(node_of(p, "raw1")));
	pair_raw_open(&raw, p, 2, "raw2", NULL, &all, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_true(gk_client_can_multicast(node_of(p, "raw2")));
}

static bool diverts_one(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REQUEST || m->from != PAIR_KDC || m->to != ASKED;
}

static bool takes_all_of_one(struct pair *p, const struct pair_message *m)
{
	return diverts_one(p, m) && (m->kind != PAIR_PROBE || m->to != ASKED);
}

/* For longer than three of its rounds take. */
static void who_hears_the_last_question_stays(void **state)
{
	struct pair *p = *state;
	const struct gk_presence_config *policy = &asked(p)->group->config.presence;
	int64_t round_s = policy->check_interval_s + policy->probes * policy->probe_wait_s +
			  policy->grace_s + 10;
	struct gk_presence_counts counts;

	p->pass = diverts_one;
	pair_advance(p, 3000 * round_s);
	assert_non_null(asked(p));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ABSENT), 0);
	gk_kdc_presence_counts(p->kdc, &counts);
	assert_true(counts.multicast_probes >= 2);
	assert_int_equal(pair_count(p, PAIR_PROBED, ASKED, PAIR_KDC), counts.multicast_probes);

	p->pass = takes_all_of_one;
	pair_advance(p, 2000 * round_s);
	assert_true(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED) > 0); // it may be back by now
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->name, p->node[ASKED].name);
}

static bool is_heard_when_absent(struct pair *p, const struct pair_message *m)
{
	return takes_all_of_one(p, m) || (m->kind == PAIR_PROBE && asked(p)->presence == GK_ABSENT);
}

/* Its round may be lost, its unicast be diverted, and the air be full of others. */
static void the_last_question_of_all_goes_by_multicast_however_full_the_air_is(void **state)
{
	struct pair *p = *state;

	p->pass = is_heard_when_absent;
	while (asked(p)->presence == GK_PRESENT)
		pair_advance(p, 100);
	gk_budget_init(&p->kdc->budget, 8000, p->now.mono.ms);
	for (int i = 0; i < 120 && asked(p)->presence != GK_PRESENT; i++) {
		gk_budget_charge(&p->kdc->budget, 100000, p->now.mono.ms);
		pair_advance(p, 1000);
		assert_non_null(asked(p));
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ABSENT), 1);
	assert_int_equal(asked(p)->presence, GK_PRESENT);
}

#define IN(setup, test) cmocka_unit_test_setup_teardown(test, setup, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(open_tree, a_member_of_the_tree_is_asked_at_its_control_group),
		IN(open_plain, another_is_asked_with_all_nodes_of_the_link),
		IN(open_tree, nobody_else_says_or_counts_anything),
		IN(open_plain, nobody_else_says_or_counts_anything),
		IN(open_tree, what_was_answered_is_answered_once),
		IN(open_tree, a_unicast_message_is_not_answered_again_by_multicast),
		IN(open_tree, a_forged_answer_does_not_take_the_place_of_the_true_one),
		IN(open_tree, an_answer_of_before_is_none),
		IN(open_tree, it_is_asked_by_unicast_beside),
		IN(open_tree, a_message_under_way_is_the_unicast_beside),
		IN(open_tree, it_counts_as_sent_if_one_of_both_was),
		IN(open_tree, without_an_answer_both_are_over),
		IN(open_tree, their_air_is_charged),
		IN(open_tree, only_a_question_is_heard_by_multicast),
		IN(open_plain, only_a_question_is_heard_by_multicast),
		IN(open_tree, a_question_about_nothing_is_answered_and_a_request_is_not),
		IN(open_plain, who_takes_no_requests_cannot_be_asked),
		IN(open_tree, who_hears_the_last_question_stays),
		IN(open_plain, who_hears_the_last_question_stays),
		IN(open_tree, the_last_question_of_all_goes_by_multicast_however_full_the_air_is),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
