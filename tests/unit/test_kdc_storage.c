// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What the KDC stores, in how many transactions, and what it does while it cannot
// (docs/state.md sections 3 and 7).
#include "libgroupkey/client.h"
#include "libgroupkey/group.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define S(s)        ((s)*INT64_C(1000))
#define DAY_S       86400

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 21, NULL);
}

static void set_storage(struct pair *p, enum gk_storage storage)
{
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, storage, p->now));
}

static void open_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
}

static void join_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	open_raw(raw, p, number);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static struct gk_oscore *context_of(struct pair *p, const struct pair_raw *raw)
{
	struct gk_client *client = gk_client_find(p->kdc, gk_span(raw->bundle.osc_id, 8));

	assert_non_null(client);
	return &client->assoc.ctx;
}

/* The KDC asks a member whether it is there. @return NULL: it did not */
static const struct pair_message *ask(struct pair *p, const struct pair_raw *raw)
{
	pair_drain_kdc(p,
		       gk_kdc_reach(p->kdc, &(struct gk_reach_report){ raw->addr, GK_REACH_FAILED },
				    1, p->now));
	return pair_raw_asked(raw);
}

static uint64_t piv_of(const struct pair_message *m)
{
	struct gk_oscore_option option;

	assert_non_null(m);
	assert_int_equal(gk_oscore_peek(m->bytes, &option, NULL), GK_OK);
	return gk_span_uint(option.piv);
}

/* One exchange that the KDC begins. @return the Partial IV that it took */
static uint64_t probe(struct pair *p, struct pair_raw *raw)
{
	const struct pair_message *m = ask(p, raw);
	uint64_t piv = piv_of(m);

	pair_raw_reply(raw, m, GK_COAP_CONTENT);
	return piv;
}

static uint64_t digest_of(const struct pair *p, enum gk_table table)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		uint8_t hash[GK_HASH_LEN];

		if (r->table != table)
			continue;
		assert_int_equal(gk_sha256(gk_span(r->value, r->value_len), hash), GK_OK);
		sum += gk_span_uint(gk_span(hash, 8));
	}
	return sum;
}

static int64_t max_age(const struct pair_raw *raw)
{
	return gk_coap_find_uint(&raw->answer, GK_OPT_MAX_AGE, -1);
}

static bool is_member(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	return pair_shown(p, PAIR_LIGHTS, name, &info);
}

static enum gk_presence presence_of(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
	return info.presence;
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	assert_int_equal(p->last, GK_OK);
}

/* the ceiling */

static void one_number_is_the_ceiling_of_all_associations(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[2];
	uint64_t clients, kdc;

	assert_int_equal(p->kdc->seq_limit, 0);
	join_raw(&raw[0], p, 1);
	assert_int_equal(p->kdc->seq_limit, 0); // nobody was asked for anything yet
	assert_int_equal(probe(p, &raw[0]), 0);
	assert_int_equal(p->kdc->seq_limit, GK_SEQ_BLOCK);
	join_raw(&raw[1], p, 2);
	while (pair_raw_asked(&raw[0])) // a rekeying message
		pair_raw_reply(&raw[0], pair_raw_asked(&raw[0]), GK_COAP_CHANGED);
	clients = digest_of(p, GK_TABLE_CLIENT);
	kdc = digest_of(p, GK_TABLE_KDC);
	assert_int_equal(probe(p, &raw[1]), 0); // a new one begins at 0
	for (int i = 0; i < 100; i++)
		probe(p, &raw[i % 2]);
	context_of(p, &raw[1])->seq = GK_SEQ_BLOCK - 1;
	assert_int_equal(probe(p, &raw[1]), GK_SEQ_BLOCK - 1);
	assert_int_equal(digest_of(p, GK_TABLE_KDC), kdc);
	assert_int_equal(probe(p, &raw[1]), GK_SEQ_BLOCK);
	assert_int_not_equal(digest_of(p, GK_TABLE_KDC), kdc);
	assert_int_equal(p->kdc->seq_limit, 2 * GK_SEQ_BLOCK);
	assert_true(probe(p, &raw[0]) < 200); // the other one is where it was
	assert_int_equal(p->kdc->seq_limit, 2 * GK_SEQ_BLOCK);
	assert_int_equal(digest_of(p, GK_TABLE_CLIENT), clients);
}

static void after_a_restart_all_associations_go_on_from_the_ceiling(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[3];
	uint64_t limit;

	join_raw(&raw[0], p, 1);
	join_raw(&raw[1], p, 2);
	probe(p, &raw[1]);
	limit = p->kdc->seq_limit;
	assert_int_equal(limit, GK_SEQ_BLOCK);
	for (unsigned i = 0; i < 3; i++) {
		pair_restart(p);
		assert_int_equal(piv_of(ask(p, &raw[1])), limit);
		assert_int_equal(p->kdc->seq_limit, limit + GK_SEQ_BLOCK);
		assert_true(piv_of(ask(p, &raw[0])) >= limit);
		assert_int_equal(p->kdc->seq_limit, limit + GK_SEQ_BLOCK);
		limit = p->kdc->seq_limit;
	}
	join_raw(&raw[2], p, 3);
	assert_int_equal(probe(p, &raw[2]), 0);
	assert_int_equal(p->kdc->seq_limit, limit);
}

static void the_ceiling_ends_where_partial_ivs_do(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1);
	context_of(p, &raw)->seq = p->kdc->seq_limit = GK_OSCORE_PIV_MAX;
	assert_true(probe(p, &raw) == GK_OSCORE_PIV_MAX);
	assert_true(p->kdc->seq_limit == GK_OSCORE_PIV_MAX + 1);
	assert_null(ask(p, &raw));
	assert_true(p->kdc->seq_limit == GK_OSCORE_PIV_MAX + 1);
}

static void without_storage_what_is_reserved_is_used_up_and_no_more(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];

	join_raw(&raw, p, 1);
	probe(p, &raw);
	context_of(p, &raw)->seq = GK_SEQ_BLOCK - 1;
	set_storage(p, GK_STORAGE_NONE);
	pair_digest(p, before);
	assert_int_equal(probe(p, &raw), GK_SEQ_BLOCK - 1);
	assert_null(ask(p, &raw));
	pair_advance(p, S(60));
	assert_null(pair_raw_asked(&raw));
	assert_int_equal(p->kdc->seq_limit, GK_SEQ_BLOCK);
	pair_digest(p, after);
	assert_memory_equal(before, after, GK_HASH_LEN);
	assert_int_not_equal(presence_of(p, "raw1"), GK_ABSENT); // nobody asked it
	set_storage(p, GK_STORAGE_SCARCE);
	assert_int_equal(probe(p, &raw), GK_SEQ_BLOCK);
}

static void a_delivery_waits_for_a_partial_iv(void **state)
{
	struct pair *p = *state;
	const struct gk_timer *retry;
	struct pair_raw raw;

	join_raw(&raw, p, 1);
	rekey(p);
	pair_raw_reply(&raw, pair_raw_asked(&raw), 0);
	retry = &p->kdc->groups->nodes[0]->retry;
	context_of(p, &raw)->seq = p->kdc->seq_limit;
	set_storage(p, GK_STORAGE_NONE);
	pair_advance(p, retry->at_ms - p->now.mono.ms);
	assert_int_equal(retry->at_ms, p->now.mono.ms + GK_PUT_OFF_MS);
	pair_advance(p, S(100));
	assert_null(pair_raw_asked(&raw));
	set_storage(p, GK_STORAGE_GOOD);
	assert_non_null(pair_raw_asked(&raw));
	assert_int_equal(pair_raw_asked(&raw)->plain.data[0], GK_COAP_POST);
}

static void a_challenge_waits_for_a_partial_iv(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_span echo;

	join_raw(&raw, p, 1);
	pair_restart(p);
	set_storage(p, GK_STORAGE_NONE);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAVAILABLE);
	assert_false(raw.is_protected);
	assert_int_equal(max_age(&raw), 30);
	set_storage(p, GK_STORAGE_GOOD);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_true(raw.is_protected);
	assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
}

/* scarce */

static void scarce_storage_takes_no_client_that_is_new(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1);
	set_storage(p, GK_STORAGE_SCARCE);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_UNAVAILABLE);
	assert_false(raw.is_protected); // under an association that is not stored
	assert_int_equal(max_age(&raw), 30);
	assert_null(gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8)));
	assert_int_equal(digest_of(p, GK_TABLE_CLIENT), 0);
	set_storage(p, GK_STORAGE_GOOD);
	// nothing was used up: the very same request is good now
	assert_int_equal(pair_raw_again(&raw, false), GK_COAP_CHANGED); // OSCORE's outer code
	assert_true(is_member(p, "raw1"));
}

static void scarce_storage_takes_no_member_that_is_new(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	raw.group[0] = 'x';
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, ""), GK_COAP_FORBIDDEN); // known now
	set_storage(p, GK_STORAGE_SCARCE);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_UNAVAILABLE);
	assert_true(raw.is_protected);
	assert_int_equal(max_age(&raw), 30);
	assert_false(is_member(p, "raw1"));
	set_storage(p, GK_STORAGE_GOOD);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static void scarce_storage_is_enough_for_those_who_are_there(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other;

	join_raw(&raw, p, 1);
	join_raw(&other, p, 2);
	set_storage(p, GK_STORAGE_SCARCE);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED); // a new association
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_get(&other, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), 2); // the join of the second, and its leave
	assert_int_equal(
		gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw1"), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
}

/* none */

static uint8_t update_token(struct pair_raw *raw)
{
	uint8_t bytes[1024];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	pair_raw_put_post(raw, &payload, gk_span(raw->bundle.token, raw->bundle.token_len));
	return pair_raw_ask(raw, GK_COAP_POST, "authz-info", GK_CF_ACE, gk_buf_span(&payload));
}

static void without_storage_nothing_is_changed_and_all_is_told(void **state)
{
	static const struct {
		uint8_t method;
		const char *path;
		uint8_t code;
	} rows[] = {
		{ GK_COAP_GET, "", GK_COAP_CONTENT },
		{ GK_COAP_GET, "num", GK_COAP_CONTENT },
		{ GK_COAP_GET, "active", GK_COAP_CONTENT },
		{ GK_COAP_GET, "creds", GK_COAP_CONTENT },
		{ GK_COAP_GET, "kdc-cred", GK_COAP_CONTENT },
		{ GK_COAP_GET, "*", GK_COAP_CONTENT },
		{ GK_COAP_POST, "*", GK_COAP_UNAVAILABLE },
		{ GK_COAP_DELETE, "*", GK_COAP_UNAVAILABLE },
	};
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	size_t batches;

	join_raw(&raw, p, 1);
	context_of(p, &raw)->seq = p->kdc->seq_limit; // no answer here takes one
	set_storage(p, GK_STORAGE_NONE);
	pair_digest(p, before);
	batches = p->batches;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(pair_raw_get(&raw, rows[i].method, rows[i].path), rows[i].code);
		assert_true(raw.is_protected);
		assert_int_equal(max_age(&raw), rows[i].code == GK_COAP_UNAVAILABLE ? 30 : -1);
	}
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_UNAVAILABLE);
	assert_true(raw.is_protected);
	assert_int_equal(update_token(&raw), GK_COAP_UNAVAILABLE);
	assert_true(raw.is_protected);
	assert_int_equal(p->batches, batches);
	pair_digest(p, after);
	assert_memory_equal(before, after, GK_HASH_LEN);
	set_storage(p, GK_STORAGE_GOOD);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
}

static void without_storage_a_client_keeps_the_association_that_it_has(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, old;

	join_raw(&raw, p, 1);
	old = raw;
	set_storage(p, GK_STORAGE_NONE);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED); // remembered, not stored
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAVAILABLE);
	assert_false(raw.is_protected);
	assert_int_equal(max_age(&raw), 30);
	assert_int_equal(pair_raw_get(&old, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	set_storage(p, GK_STORAGE_GOOD);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_int_equal(pair_raw_get(&old, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
}

static void a_refusal_is_given_again_and_a_replay_is_none(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t first[256];
	size_t len;

	join_raw(&raw, p, 1);
	set_storage(p, GK_STORAGE_NONE);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_UNAVAILABLE);
	len = p->raw_len;
	memcpy(first, p->raw_answer, len);
	pair_raw_again(&raw, true);
	assert_int_equal(p->raw_len, len);
	assert_memory_equal(p->raw_answer, first, len);
	set_storage(p, GK_STORAGE_GOOD);
	pair_raw_again(&raw, true); // its nonce is used
	assert_memory_equal(p->raw_answer, first, len);
	assert_int_equal(pair_raw_again(&raw, false), GK_COAP_UNAUTHORIZED);
	assert_true(is_member(p, "raw1"));
}

static enum gk_err evict(struct pair *p)
{
	return gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw1"), p->now);
}

static enum gk_err rekey_now(struct pair *p)
{
	return gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now);
}

static enum gk_err remove_now(struct pair *p)
{
	return gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now);
}

static enum gk_err add_now(struct pair *p)
{
	struct gk_group_config config = pair_config("new");

	return gk_kdc_add_group(p->kdc, &config, p->now);
}

static enum gk_err make_pairwise(struct pair *p) // it takes a new key of the KDC
{
	struct gk_group_config config = pair_config("empty");

	config.mode = GK_MODE_PAIRWISE;
	return gk_kdc_change_group(p->kdc, &config, p->now);
}

static enum gk_err make_quicker(struct pair *p)
{
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	config.coalesce_ms = 400;
	return gk_kdc_change_group(p->kdc, &config, p->now);
}

static enum gk_err of_no_group(struct pair *p)
{
	return gk_kdc_rekey(p->kdc, gk_span_str("none"), p->now);
}

static void without_storage_the_operator_changes_nothing(void **state)
{
	static const struct {
		enum gk_err (*call)(struct pair *p);
		enum gk_err err;
	} rows[] = {
		{ evict, GK_ERR_NO_SPACE },      { rekey_now, GK_ERR_NO_SPACE },
		{ remove_now, GK_ERR_NO_SPACE }, { add_now, GK_ERR_NO_SPACE },
		{ make_quicker, GK_OK },         { make_pairwise, GK_ERR_NO_SPACE },
		{ of_no_group, GK_ERR_UNKNOWN },
	};
	struct pair *p = *state;
	struct gk_group_config config = pair_config("empty");
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	size_t events;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	join_raw(&raw, p, 1);
	set_storage(p, GK_STORAGE_NONE);
	pair_digest(p, before);
	events = p->events;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(rows[i].call(p), rows[i].err);
		pair_drain_kdc(p, GK_OK);
	}
	assert_int_equal(p->events, events);
	pair_digest(p, after);
	assert_memory_equal(before, after, GK_HASH_LEN);
	assert_int_equal(gk_group_find(p->kdc, config.name)->config.mode, GK_MODE_GROUP);
	assert_true(is_member(p, "raw1"));
	set_storage(p, GK_STORAGE_GOOD);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (rows[i].err == GK_ERR_NO_SPACE)
			assert_int_equal(rows[i].call(p), GK_OK);
		pair_drain_kdc(p, GK_OK);
	}
}

/* what is due */

static void a_rekeying_waits_for_storage(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	int64_t num;

	config.period_s = 1000;
	config.presence.check_interval_s = DAY_S;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	join_raw(&raw, p, 1);
	num = pair_num(p);
	set_storage(p, GK_STORAGE_NONE);
	pair_digest(p, before);
	pair_advance(p, S(1500));
	assert_int_equal(pair_num(p), num);
	pair_digest(p, after);
	assert_memory_equal(before, after, GK_HASH_LEN);
	set_storage(p, GK_STORAGE_SCARCE);
	pair_advance(p, GK_PUT_OFF_MS);
	assert_int_equal(pair_num(p), num + 1);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	// and one that a departure calls for
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	set_storage(p, GK_STORAGE_NONE);
	pair_advance(p, S(60));
	assert_int_equal(pair_num(p), num + 1);
	set_storage(p, GK_STORAGE_GOOD);
	pair_advance(p, GK_PUT_OFF_MS);
	assert_int_equal(pair_num(p), num + 2);
}

static void a_restart_without_storage_puts_off_what_was_due(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other;
	int64_t num;

	join_raw(&raw, p, 1);
	join_raw(&other, p, 2);
	num = pair_num(p);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	p->group_count = 0;
	pair_restart(p);
	p->group_count = 1;
	set_storage(p, GK_STORAGE_NONE);
	pair_drain_kdc(p, gk_kdc_add_group(p->kdc, &p->config[0], p->now));
	assert_int_equal(p->last, GK_OK);
	pair_advance(p, S(60));
	assert_int_equal(pair_num(p), num);
	set_storage(p, GK_STORAGE_GOOD);
	pair_advance(p, GK_PUT_OFF_MS);
	assert_int_equal(pair_num(p), num + 1);
}

static void the_end_of_a_token_waits_for_storage(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw;

	config.presence.check_interval_s = 10 * DAY_S;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	join_raw(&raw, p, 1);
	set_storage(p, GK_STORAGE_NONE);
	pair_advance(p, S(DAY_S + 20));
	assert_true(is_member(p, "raw1"));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	set_storage(p, GK_STORAGE_GOOD);
	pair_advance(p, GK_PUT_OFF_MS);
	assert_false(is_member(p, "raw1"));
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->reason, "token expired");
}

/* Check 300 s, kernel 5 s, 3 probes of 5 s, grace 60 s. */
static void nobody_is_held_responsible_for_what_could_not_be_heard(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1);
	probe(p, &raw); // reserves a block
	set_storage(p, GK_STORAGE_NONE);
	pair_advance(p, S(300 + 5 + 15));
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), 4); // probes go on
	assert_int_equal(presence_of(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(1000));
	assert_int_equal(presence_of(p, "raw1"), GK_ABSENT); // still
	set_storage(p, GK_STORAGE_SCARCE);                   // it is asked anew, as often as before
	pair_advance(p, S(10));
	set_storage(p, GK_STORAGE_GOOD); // nothing new
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), 4 + 4 + 3);
	pair_advance(p, S(5 + 60) - 1);
	assert_int_equal(presence_of(p, "raw1"), GK_ABSENT);
	pair_advance(p, 500);
	assert_false(is_member(p, "raw1"));
}

/* what may wait */

static void a_confirmation_is_believed_and_may_wait(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	size_t batches, urgent;

	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	p->config[0] = config;
	pair_join_all(p, 3);
	pair_advance(p, S(60));
	rekey(p);
	set_storage(p, GK_STORAGE_NONE);
	batches = p->batches;
	urgent = p->urgent_batches;
	pair_advance(p, S(30));
	assert_int_equal(pair_group(p).confirmed, 3);
	assert_true(p->batches > batches); // recorded all the same
	assert_int_equal(p->urgent_batches, urgent);
	assert_true(pair_agree(p, 0, 2));
}

static void an_answer_to_a_rekeying_message_may_wait(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t batches, urgent;
	uint64_t members;

	join_raw(&raw, p, 1);
	rekey(p);
	batches = p->batches;
	urgent = p->urgent_batches;
	members = digest_of(p, GK_TABLE_MEMBER);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	assert_int_equal(p->batches, batches + 1);
	assert_int_equal(p->urgent_batches, urgent);
	assert_int_not_equal(digest_of(p, GK_TABLE_MEMBER), members);
	// what is more than that does not
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CHANGED);
	assert_int_equal(p->urgent_batches, urgent + 1);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
	assert_int_equal(p->urgent_batches, urgent + 2);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	assert_int_equal(p->urgent_batches, urgent + 3);
}

static struct pair_record *only_record(struct pair *p, enum gk_table table)
{
	struct pair_record *found = NULL;

	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table != table)
			continue;
		assert_null(found);
		found = &p->records[i];
	}
	assert_non_null(found);
	return found;
}

static void a_confirmation_that_is_lost_costs_one_message(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct pair_record *r;
	uint8_t before[1024];
	size_t len;

	join_raw(&raw, p, 1);
	rekey(p);
	r = only_record(p, GK_TABLE_MEMBER);
	len = r->value_len;
	assert_true(len <= sizeof(before));
	memcpy(before, r->value, len);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	r = only_record(p, GK_TABLE_MEMBER);
	assert_int_equal(r->value_len, len);
	assert_memory_not_equal(r->value, before, len);
	memcpy(r->value, before, len); // it was waiting when the power failed
	pair_restart(p);
	assert_non_null(pair_raw_asked(&raw));
	assert_int_equal(pair_raw_asked(&raw)->plain.data[0], GK_COAP_POST);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	assert_null(pair_raw_asked(&raw));
	assert_int_equal(pair_group(p).confirmed, 1);
}

/* transactions */

#define DEPARTURES 50

static void fifty_departures_are_one_transaction_and_their_rekeying_another(void **state)
{
	static struct pair_raw raw[DEPARTURES];
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	size_t batches;
	int64_t num;

	config.rekey_on_join = false;
	config.period_s = 10 * DAY_S;
	config.presence.check_interval_s = 10 * DAY_S;
	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	pair_join_all(p, 2); // with tokens for a month
	for (unsigned i = 0; i < DEPARTURES; i++) {
		open_raw(&raw[i], p, i + 1);
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	}
	pair_advance(p, S(DAY_S) - 1);
	assert_int_equal(pair_group(p).members, DEPARTURES + 2);
	batches = p->batches;
	num = pair_num(p);
	pair_advance(p, 1);
	assert_int_equal(pair_group(p).members, 2);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), DEPARTURES);
	assert_int_equal(p->batches, batches + 1);
	batches = p->urgent_batches;
	pair_advance(p, S(5));
	assert_int_equal(p->urgent_batches, batches + 1);
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 0, 1));
}

static void keep_a_quiet_day(struct pair *p)
{
	size_t urgent, requests;
	uint64_t limit, moved;

	pair_join_all(p, 20);
	pair_advance(p, S(120));
	assert_true(pair_agree(p, 0, 19));
	urgent = p->urgent_batches;
	limit = p->kdc->seq_limit;
	requests = pair_count(p, PAIR_REQUEST, PAIR_KDC, -3);
	pair_advance(p, S(DAY_S));
	moved = (p->kdc->seq_limit - limit) / GK_SEQ_BLOCK;
	urgent = p->urgent_batches - urgent;
	requests = pair_count(p, PAIR_REQUEST, PAIR_KDC, -3) - requests;
	print_message("%zu urgent transactions, %zu requests of the KDC, ceiling moved %u times\n",
		      urgent, requests, (unsigned)moved);
	assert_true(requests > 20 * 200); // probes, and all of them answered
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ABSENT), 0);
	assert_true(pair_agree(p, 0, 19));
	assert_true(moved <= 1);
	assert_int_equal(urgent, 1 + moved);
}

static void a_quiet_day_stores_nothing_but_the_scheduled_rotation(void **state)
{
	keep_a_quiet_day(*state);
}

static void a_quiet_day_of_a_tree_stores_no_more(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	assert_int_equal(gk_kdc_change_group(p->kdc, &config, p->now), GK_OK);
	p->config[0] = config;
	keep_a_quiet_day(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_number_is_the_ceiling_of_all_associations),
		TEST(after_a_restart_all_associations_go_on_from_the_ceiling),
		TEST(the_ceiling_ends_where_partial_ivs_do),
		TEST(without_storage_what_is_reserved_is_used_up_and_no_more),
		TEST(a_delivery_waits_for_a_partial_iv),
		TEST(a_challenge_waits_for_a_partial_iv),
		TEST(scarce_storage_takes_no_client_that_is_new),
		TEST(scarce_storage_takes_no_member_that_is_new),
		TEST(scarce_storage_is_enough_for_those_who_are_there),
		TEST(without_storage_nothing_is_changed_and_all_is_told),
		TEST(without_storage_a_client_keeps_the_association_that_it_has),
		TEST(a_refusal_is_given_again_and_a_replay_is_none),
		TEST(without_storage_the_operator_changes_nothing),
		TEST(a_rekeying_waits_for_storage),
		TEST(a_restart_without_storage_puts_off_what_was_due),
		TEST(the_end_of_a_token_waits_for_storage),
		TEST(nobody_is_held_responsible_for_what_could_not_be_heard),
		TEST(a_confirmation_is_believed_and_may_wait),
		TEST(an_answer_to_a_rekeying_message_may_wait),
		TEST(a_confirmation_that_is_lost_costs_one_message),
		TEST(fifty_departures_are_one_transaction_and_their_rekeying_another),
		TEST(a_quiet_day_stores_nothing_but_the_scheduled_rotation),
		TEST(a_quiet_day_of_a_tree_stores_no_more),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
