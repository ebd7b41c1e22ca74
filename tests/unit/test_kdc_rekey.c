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
#define ANYONE      (-3)

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 4, NULL);
}

static void rekey(struct pair *p)
{
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static void evict(struct pair *p, const char *name)
{
	assert_int_equal(gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now),
			 GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static void join_raw(struct pair_raw *raw, struct pair *p, unsigned number, bool control)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, control), GK_COAP_CREATED);
}

/* and no probe, which a silent member gets too */
static bool is_rekeying(const struct pair_message *m)
{
	return m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
	       m->plain.data[0] == GK_COAP_POST;
}

static size_t count_open(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += is_rekeying(p->log[i]) && p->log[i]->open;
	return count;
}

static enum gk_delivery delivery_of(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
	return info.delivery;
}

/* the message */

static const struct gk_cbor_field fields[] = {
	{ GK_PARAM_GKTY, GK_CBOR_UINT, true },
	{ GK_PARAM_KEY, GK_CBOR_MAP, true },
	{ GK_PARAM_NUM, GK_CBOR_UINT, true },
	{ GK_PARAM_PROFILE, GK_CBOR_UINT, true },
	{ GK_PARAM_EXP, GK_CBOR_UINT, true },
	{ GK_PARAM_EXI, GK_CBOR_UINT, true },
	{ GK_PARAM_STALE_NODE_IDS, GK_CBOR_ARRAY, true },
	{ GK_PARAM_CREDS, GK_CBOR_ARRAY, false },
	{ GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, false },
	{ GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, false },
};
enum { F_GKTY, F_KEY, F_NUM, F_PROFILE, F_EXP, F_EXI, F_STALE, F_CREDS, F_ROLES, F_IDS, F_COUNT };

static void read_message(const struct pair_message *m, struct gk_cbor_item *item)
{
	struct gk_span path[3];
	struct gk_coap msg;

	assert_non_null(m);
	assert_int_equal(gk_coap_parse(m->plain, &msg), GK_OK);
	assert_int_equal(msg.code, GK_COAP_POST);
	assert_int_equal(gk_coap_path(&msg, path, 3), 3);
	assert_true(gk_span_equal(path[0], gk_span_str("ace-group")));
	assert_true(gk_span_equal(path[1], gk_span_str(PAIR_LIGHTS)));
	assert_true(gk_span_equal(path[2], gk_span_str("node")));
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), GK_CF_ACE_GROUPCOMM);
	assert_int_equal(gk_cbor_read_map(msg.payload, fields, F_COUNT, item), GK_OK);
}

static void a_rekeying_message_has_the_short_key_and_the_stale_ids(void **state)
{
	struct pair *p = *state;
	struct gk_cbor_item item[F_COUNT];
	struct gk_cbor c;
	struct pair_raw raw, other;

	join_raw(&raw, p, 1, true);
	join_raw(&other, p, 2, true); // version 1: the joiner's credential goes along
	read_message(pair_raw_asked(&raw), item);
	assert_int_equal(item[F_NUM].number, 1);
	assert_hex_equal(item[F_ROLES].encoded, "8106");
	assert_hex_equal(item[F_IDS].encoded, "814101");
	assert_hex_equal(item[F_STALE].encoded, "80");
	c = gk_cbor(item[F_CREDS].encoded);
	gk_cbor_array_of(&c, 1);
	assert_true(gk_span_equal(gk_cbor_bytes(&c), gk_span(other.cred, other.cred_len)));
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);

	evict(p, "raw2");
	pair_advance(p, 500);
	read_message(pair_raw_asked(&raw), item);
	assert_int_equal(item[F_GKTY].number, 1);
	assert_int_equal(item[F_PROFILE].number, 1);
	assert_int_equal(item[F_NUM].number, 2);
	assert_int_equal(item[F_EXI].number, 2 * 86400);
	assert_int_equal(item[F_EXP].number, p->now.utc.s + 2 * 86400);
	assert_hex_equal(item[F_STALE].encoded, "814101");
	assert_int_equal(item[F_CREDS].kind, GK_CBOR_NONE);
	assert_int_equal(item[F_IDS].kind, GK_CBOR_NONE);
	// {2: ms, 6: contextId} and nothing else (P 11.1)
	c = gk_cbor(item[F_KEY].encoded);
	assert_int_equal(gk_cbor_map(&c).left, 2);
}

/* when */

static void departures_within_the_coalescing_time_are_one_rekeying(void **state)
{
	struct pair *p = *state;
	int64_t num;

	pair_join_all(p, 5);
	pair_advance(p, 1000);
	num = pair_num(p);
	evict(p, "node0");
	pair_advance(p, 300);
	assert_int_equal(pair_leave(p, 1, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	pair_advance(p, 199);
	evict(p, "node2"); // does not prolong the window
	assert_int_equal(pair_num(p), num);
	pair_advance(p, 1);
	assert_int_equal(pair_num(p), num + 1);
	pair_advance(p, 5000);
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 3, 4));
	assert_int_equal(pair_info(p, 3).peers, 1);
}

static void a_join_closes_the_coalescing_window(void **state)
{
	for (int rekey_on_join = 0; rekey_on_join < 2; rekey_on_join++) {
		struct pair *p = *state;
		int64_t num;

		p->config[0].rekey_on_join = rekey_on_join;
		pair_restart(p);
		pair_join_all(p, 3);
		pair_advance(p, 1000);
		num = pair_num(p);
		evict(p, "node0");
		pair_join_all(p, 1);
		assert_int_equal(pair_num(p), num + 1);
		assert_true(pair_agree(p, 1, 3));
		pair_advance(p, 5000);
		assert_int_equal(pair_num(p), num + 1);
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

static void material_is_renewed_by_the_clock(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	pair_advance(p, 86399 * INT64_C(1000));
	assert_int_equal(pair_num(p), 1);
	pair_advance(p, 2000);
	assert_int_equal(pair_num(p), 2);
	assert_true(pair_agree(p, 0, 1));
	// by the time it was made: a restart does not put it off
	pair_advance(p, 43200 * INT64_C(1000));
	pair_restart(p);
	pair_advance(p, 43201 * INT64_C(1000));
	assert_int_equal(pair_num(p), 3);
	assert_true(pair_agree(p, 0, 1));
}

static void no_entropy_puts_a_rekeying_off_and_it_is_said(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	pair_advance(p, 1000);
	evict(p, "node0");
	test_env_fail_random(&p->kdc_env, 1);
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ERROR), 1);
	pair_advance(p, 1000);
	assert_int_equal(pair_num(p), 2);
	assert_true(pair_agree(p, 1, 1));
}

static void material_never_ends_before_its_successor_comes(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	// a router that had no clock learns the time: 56 years at once
	p->now.utc.s += INT64_C(1767225600);
	for (int i = 0; i < 10; i++) {
		pair_advance(p, 10000);
		pair_join_all(p, 1);
		assert_true(pair_agree(p, 0, (size_t)i + 2));
	}
	assert_int_equal(pair_count_notes(p, ANYONE, GK_NOTE_ERROR), 0);
}

/* delivery */

static void keep_all(struct pair *p)
{
	p->config[0].presence.evict = false;
	pair_restart(p);
}

static void at_most_in_flight_messages_are_under_way(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[20];

	keep_all(p);
	for (unsigned i = 0; i < ROWS(raw); i++)
		join_raw(&raw[i], p, i + 1, true);
	assert_int_equal(count_open(p), 8);
	rekey(p);
	rekey(p);
	assert_int_equal(count_open(p), 8);
	for (int i = 0; i < 500; i++) {
		pair_advance(p, 500);
		assert_true(count_open(p) <= 8);
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 20);
}

static void silent_members_delay_no_other(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 20);
	pair_advance(p, 1000);
	for (size_t i = 0; i < 7; i++)
		p->node[i].cut = true;
	rekey(p);
	pair_run(p);
	assert_true(pair_agree(p, 7, 19));
	for (size_t i = 7; i < 20; i++)
		assert_int_equal(delivery_of(p, p->node[i].name), GK_DELIVERY_CONFIRMED);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(delivery_of(p, p->node[i].name), GK_DELIVERY_UNICAST);
}

static bool lose_all(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->from != PAIR_KDC;
}

static void tries_are_few_and_further_and_further_apart(void **state)
{
	struct pair *p = *state;
	int64_t at[8], start;
	size_t count = 0;

	keep_all(p);
	pair_join_all(p, 1);
	p->pass = lose_all;
	start = p->now.mono.ms;
	rekey(p);
	pair_advance(p, 200000);
	for (size_t i = 0; i < p->log_count; i++) {
		if (!is_rekeying(p->log[i]))
			continue;
		assert_in_range(count, 0, 7);
		at[count++] = p->log[i]->sent_ms - start;
	}
	assert_int_equal(count, 4);
	for (size_t i = 2; i < count; i++)
		assert_true(at[i] - at[i - 1] > at[i - 1] - at[i - 2]);
	assert_int_equal(delivery_of(p, "node0"), GK_DELIVERY_PARKED);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 1);
}

static void a_parked_member_is_served_when_it_is_heard_of(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	rekey(p);
	pair_advance(p, 115000); // between two questions whether it is there
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_PARKED);
	assert_null(pair_raw_asked(&raw));
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_non_null(pair_raw_asked(&raw));
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_CONFIRMED);
}

static void who_asks_for_the_material_needs_no_message(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t sent;

	join_raw(&raw, p, 1, true);
	rekey(p);
	pair_advance(p, 5000); // it did not answer the first one
	pair_raw_get(&raw, GK_COAP_GET, "*");
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_CONFIRMED);
	sent = pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE);
	pair_advance(p, 100000);
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), sent);
}

static void without_control_uri_a_member_has_to_ask(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1, false);
	rekey(p);
	pair_advance(p, 10000);
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), 0);
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_PARKED);
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), 0);
	pair_raw_get(&raw, GK_COAP_GET, "");
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_CONFIRMED);
}

static void an_older_version_is_no_confirmation(void **state)
{
	struct pair *p = *state;
	const struct pair_message *first;
	struct gk_member_info info;
	struct gk_cbor_item item[F_COUNT];
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	rekey(p);
	first = pair_raw_asked(&raw);
	rekey(p);
	assert_ptr_equal(pair_raw_asked(&raw), first); // one message at a time to each
	pair_raw_reply(&raw, first, GK_COAP_CHANGED);
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_int_equal(info.delivery, GK_DELIVERY_UNICAST);
	assert_int_equal(info.num, 1);
	read_message(pair_raw_asked(&raw), item);
	assert_int_equal(item[F_NUM].number, 2);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_int_equal(info.delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(info.num, 2);
}

static void the_answer_to_an_earlier_message_does_not_count_for_a_later_one(void **state)
{
	struct pair *p = *state;
	const struct pair_message *first, *second;
	struct pair_raw raw;

	join_raw(&raw, p, 1, true);
	rekey(p);
	first = pair_raw_asked(&raw);
	pair_raw_get(&raw, GK_COAP_GET, "*"); // it has version 1 by asking
	rekey(p);
	second = pair_raw_asked(&raw);
	assert_ptr_not_equal(first, second);
	pair_raw_reply(&raw, first, 0); // the first one got lost
	assert_int_equal(count_open(p), 1);
	pair_raw_reply(&raw, second, GK_COAP_CHANGED);
	assert_int_equal(delivery_of(p, "raw1"), GK_DELIVERY_CONFIRMED);
	assert_int_equal(count_open(p), 0);
	pair_advance(p, 60000);
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), 2);
}

static void a_refusal_is_not_met_with_the_same_message_at_once(void **state)
{
	static const uint8_t codes[] = { GK_COAP_BAD_REQUEST, GK_COAP_NOT_FOUND,
					 GK_COAP_UNAVAILABLE };
	struct pair *p = *state;

	for (unsigned i = 0; i < ROWS(codes); i++) {
		size_t sent = pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE);
		int64_t start = p->now.mono.ms, last = start, gap = 0;
		struct pair_raw raw;

		join_raw(&raw, p, i + 1, true);
		rekey(p);
		while (p->now.mono.ms < start + 100000) {
			const struct pair_message *m = pair_raw_asked(&raw);

			if (m && m->sent_ms > start) {
				assert_true(m->sent_ms - last > gap);
				gap = m->sent_ms - last;
				last = m->sent_ms;
			}
			if (m)
				pair_raw_reply(&raw, m, codes[i]);
			assert_null(pair_raw_asked(&raw));
			pair_advance(p, 100);
		}
		assert_true(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE) - sent <= 4);
		evict(p, i == 0 ? "raw1" : i == 1 ? "raw2" : "raw3");
		pair_advance(p, 20000);
	}
}

static void who_refuses_a_message_gets_no_other_for_being_heard_of(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t sent;

	join_raw(&raw, p, 1, true);
	rekey(p);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_BAD_REQUEST);
	sent = pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE);
	for (int i = 0; i < 10; i++)
		pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), sent);
	pair_advance(p, 4000); // after the pause
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), sent + 1);
	// silence is another thing: then being heard of is news
	pair_raw_reply(&raw, pair_raw_asked(&raw), 0);
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, ANYONE), sent + 2);
}

static void hundreds_of_departures_leave_nobody_behind(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw;
	char name[16];
	int64_t num;

	p->config[0].rekey_on_join = false;
	pair_restart(p);
	pair_join_all(p, 3);
	for (unsigned i = 0; i < 450; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		pair_raw_open(&raw, p, i % 250 + 1, name, NULL, &all, 1);
		raw.id1.data[1] = (uint8_t)(i / 250);
		assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	}
	num = pair_num(p);
	for (unsigned i = 0; i < 450; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		evict(p, name);
	}
	pair_advance(p, 10000);
	// a gap of one, so that the members ask who is gone
	assert_int_equal(pair_num(p), num + 2);
	assert_true(pair_agree(p, 0, 2));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(delivery_of(p, p->node[i].name), GK_DELIVERY_CONFIRMED);
		assert_int_equal(pair_info(p, i).peers, 2);
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
	for (size_t i = 0; i < p->log_count; i++)
		assert_true(p->log[i]->bytes.len <= 1232);
}

static void a_member_that_joins_again_and_again_is_no_burden(void **state)
{
	struct pair *p = *state;
	uint8_t was[GK_HASH_LEN], is[GK_HASH_LEN];
	static struct pair_raw raw;
	int64_t num;

	pair_join_all(p, 2);
	pair_advance(p, 1000);
	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	for (int i = 0; i < 32; i++)
		assert_true(pair_raw_join(&raw, PAIR_LIGHTS, 6, false) >> 5 == 2);
	num = pair_num(p);
	pair_digest(p, was);
	for (int i = 0; i < 100; i++)
		assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_UNAVAILABLE);
	pair_digest(p, is);
	assert_memory_equal(was, is, sizeof(is));
	// then four a minute, and now and then a rekeying that frees their Sender IDs
	for (int i = 0; i < 100; i++) {
		pair_advance(p, 15000);
		assert_true(pair_raw_join(&raw, PAIR_LIGHTS, 6, false) >> 5 == 2);
	}
	assert_in_range(pair_num(p), num + 1, num + 3);
	evict(p, "raw1");
	pair_advance(p, 10000);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_info(p, 0).peers, 1);
}

/* departures */

static size_t count_deletes(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += p->log[i]->from == PAIR_KDC && p->log[i]->kind == PAIR_REQUEST &&
			 p->log[i]->plain.len && p->log[i]->plain.data[0] == GK_COAP_DELETE;
	return count;
}

static void who_is_put_out_is_told_once_and_nothing_waits_for_it(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 3);
	pair_advance(p, 1000);
	p->node[0].cut = true;
	evict(p, "node0");
	pair_advance(p, 500);
	assert_true(pair_agree(p, 1, 2));
	pair_advance(p, 60000);
	assert_int_equal(count_deletes(p), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), 1);
}

static void who_leaves_is_told_by_its_answer_alone(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	pair_advance(p, 60000);
	assert_int_equal(count_deletes(p), 0);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_LEFT), 1);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_LEFT), 1);
}

static void the_end_of_a_token_evicts_from_all_groups(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	static const char *const groups[] = { PAIR_LIGHTS, "heat" };
	static const uint32_t roles[] = { 6, 6 };
	struct gk_member_info info;
	struct pair_raw raw;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	pair_raw_open(&raw, p, 1, "raw1", groups, roles, 2);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&raw, "heat", 6, true), GK_COAP_CREATED);
	while (p->now.utc.s < raw.bundle.exp.s - 200) {
		pair_raw_get(&raw, GK_COAP_GET, "num"); // or it would be absent before
		pair_advance(p, 200000);
	}
	pair_raw_get(&raw, GK_COAP_GET, "num");
	assert_int_equal(count_deletes(p), 0);
	pair_advance(p, 201000);
	assert_int_equal(count_deletes(p), 2);
	assert_false(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_false(pair_shown(p, "heat", "raw1", &info));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
}

static void an_evicted_member_cannot_read_what_is_said_then(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 3);
	pair_advance(p, 1000);
	p->node[0].cut = true;
	evict(p, "node0");
	pair_advance(p, 1000);
	p->node[0].cut = false;
	assert_int_equal(pair_say(p, 1, PAIR_LIGHTS, "secret"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "secret"), 0);
	assert_int_equal(pair_heard(p, 2, "secret"), 1);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "still here"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 1, "still here"), 0);
	assert_int_equal(pair_heard(p, 2, "still here"), 0);
	// it finds out, and comes back with the same token
	pair_advance(p, 60000);
	assert_true(pair_agree(p, 0, 2));
}

/* configuration that changes */

static void a_group_that_is_no_longer_configured_waits_quietly(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	int64_t num;

	join_raw(&raw, p, 1, true);
	pair_join_all(p, 2);
	num = pair_num(p);
	p->group_count = 0;
	pair_restart(p);
	pair_advance(p, 90000 * INT64_C(1000)); // raw1's token ends
	assert_int_equal(pair_num(p), -1);
	p->group_count = 1;
	pair_restart(p);
	pair_advance(p, 60000);
	assert_true(pair_num(p) > num);
	assert_true(pair_agree(p, 0, 1));
}

static void fewer_stale_sets_keep_the_newest(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].stale_sets = 5;
	pair_restart(p);
	join_raw(&raw, p, 1, false);
	for (int i = 0; i < 6; i++)
		rekey(p);
	assert_int_equal(p->kdc->groups->stale_count, 5);
	p->config[0].stale_sets = 2;
	pair_restart(p);
	rekey(p);
	assert_int_equal(p->kdc->groups->stale_count, 2);
	assert_int_equal(p->kdc->groups->stale[1].num, pair_num(p));
	assert_int_equal(p->kdc->groups->stale[0].num, pair_num(p) - 1);
}

static size_t count_notices(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		count += m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
			 m->plain.data[0] == GK_COAP_DELETE;
	}
	return count;
}

static void each_of_many_evicted_members_is_told_exactly_once(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[200];

	p->config[0].rekey_on_join = false;
	pair_restart(p);
	for (unsigned i = 0; i < ROWS(raw); i++)
		join_raw(&raw[i], p, i + 1, true);
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		evict(p, name);
	}
	assert_int_equal(count_notices(p), 64); // half of what may be under way
	assert_int_equal(count_open(p), 0);
	pair_advance(p, 60000);
	assert_int_equal(count_notices(p), 200);
	pair_advance(p, 600000);
	assert_int_equal(count_notices(p), 200);
}

static void a_notice_that_could_not_be_sent_is_sent_later(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	const struct pair_message *first;

	join_raw(&raw, p, 1, true);
	evict(p, "raw1");
	first = pair_raw_asked(&raw);
	assert_int_equal(count_notices(p), 1);
	pair_drain_kdc(p, gk_kdc_unsent(p->kdc, first->id, p->now));
	pair_advance(p, 1000);
	assert_int_equal(count_notices(p), 2);
	// the very bytes that never left
	assert_true(gk_span_equal(pair_raw_asked(&raw)->bytes, first->bytes));
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_DELETED);
	pair_advance(p, 60000);
	assert_int_equal(count_notices(p), 2);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_rekeying_message_has_the_short_key_and_the_stale_ids),
		RULE(departures_within_the_coalescing_time_are_one_rekeying),
		RULE(a_join_closes_the_coalescing_window),
		RULE(material_is_renewed_by_the_clock),
		RULE(no_entropy_puts_a_rekeying_off_and_it_is_said),
		RULE(material_never_ends_before_its_successor_comes),
		RULE(at_most_in_flight_messages_are_under_way),
		RULE(silent_members_delay_no_other),
		RULE(tries_are_few_and_further_and_further_apart),
		RULE(a_parked_member_is_served_when_it_is_heard_of),
		RULE(who_asks_for_the_material_needs_no_message),
		RULE(without_control_uri_a_member_has_to_ask),
		RULE(an_older_version_is_no_confirmation),
		RULE(the_answer_to_an_earlier_message_does_not_count_for_a_later_one),
		RULE(a_refusal_is_not_met_with_the_same_message_at_once),
		RULE(who_refuses_a_message_gets_no_other_for_being_heard_of),
		RULE(hundreds_of_departures_leave_nobody_behind),
		RULE(a_member_that_joins_again_and_again_is_no_burden),
		RULE(who_is_put_out_is_told_once_and_nothing_waits_for_it),
		RULE(who_leaves_is_told_by_its_answer_alone),
		RULE(the_end_of_a_token_evicts_from_all_groups),
		RULE(an_evicted_member_cannot_read_what_is_said_then),
		RULE(a_group_that_is_no_longer_configured_waits_quietly),
		RULE(fewer_stale_sets_keep_the_newest),
		RULE(each_of_many_evicted_members_is_told_exactly_once),
		RULE(a_notice_that_could_not_be_sent_is_sent_later),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
