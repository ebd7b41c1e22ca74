// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ANYONE      (-3)

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 5, NULL);
}

static int open_tree(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	return pair_begin(state, 5, &config);
}

static void evict(struct pair *p, const char *name)
{
	enum gk_err err = gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now);

	pair_drain_kdc(p, err);
}

/* crashes */

/* Joins, a leave, an eviction, a renewal and a rekeying, each with time to recover. */
static void play(struct pair *p)
{
	struct gk_member_info info;

	for (int i = 0; i < 4; i++) {
		pair_join_all(p, 1);
		pair_advance(p, 20000);
	}
	pair_leave(p, 0, PAIR_LIGHTS);
	pair_advance(p, 40000);
	while (pair_shown(p, PAIR_LIGHTS, "node1", &info))
		evict(p, "node1");
	p->node[1].cut = true;
	pair_advance(p, 40000);
	assert_int_equal(gk_member_renew(p->node[2].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 2);
	pair_advance(p, 40000);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_advance(p, 60000);
}

static bool is_fine_after(struct pair *p)
{
	struct gk_member_info info;

	if (p->broken[0] || !pair_agree(p, 2, 3) || pair_info(p, 0).joined ||
	    pair_shown(p, PAIR_LIGHTS, "node0", &info) ||
	    pair_shown(p, PAIR_LIGHTS, "node1", &info))
		return false;
	pair_say(p, 2, PAIR_LIGHTS, "hello");
	pair_run(p);
	pair_advance(p, 10000); // an unknown Sender ID is asked for
	pair_say(p, 2, PAIR_LIGHTS, "again");
	pair_run(p);
	return pair_heard(p, 3, "again") == 1 && pair_heard(p, 1, "again") == 0;
}

/* The next rekeying comes to all of the tree by one message. */
static bool is_fine_in_tree(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_advance(p, 10000);
	return !p->broken[0] && pair_agree(p, 2, 3) && pair_group(p).in_tree == 2 &&
	       pair_group(p).rekeying.unicast == 0 &&
	       pair_note(p, 2, GK_NOTE_REKEYED)->via == GK_VIA_MULTICAST &&
	       pair_note(p, 3, GK_NOTE_REKEYED)->via == GK_VIA_MULTICAST;
}

/* @return the number of events of the story */
static size_t play_until(const struct gk_group_config *config, size_t crash_at)
{
	static struct pair p;
	size_t events;

	pair_open(&p, 6);
	p.crash_at = crash_at;
	assert_int_equal(pair_serve(&p, config), GK_OK);
	play(&p);
	events = p.events;
	if (!is_fine_after(&p) || (config->rekey.scheme == GK_TREE && !is_fine_in_tree(&p)))
		fail_msg("crash before event %zu: %s", crash_at, p.broken);
	assert_true(pair_close(&p));
	return events;
}

static void a_crash_before_any_event_loses_nothing_that_was_said(void **state)
{
	struct gk_group_config configs[] = {
		pair_config(PAIR_LIGHTS),
		pair_tree_config(PAIR_LIGHTS),
		pair_tree_config(PAIR_LIGHTS),
	};

	(void)state;
	configs[2].rekey.confirm = GK_CONFIRM_IMPLICIT;
	configs[2].rekey.beacon_min_s = 10;
	for (size_t i = 0; i < ROWS(configs); i++) {
		size_t events = play_until(&configs[i], 0);

		for (size_t n = 1; n <= events; n++)
			play_until(&configs[i], n);
	}
}

static void a_restart_at_any_time_repeats_no_nonce(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < 40; i++) {
		if (i < 4)
			pair_join_all(p, 1);
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
		for (int k = 0; k < i % 5; k++)
			pair_step(p);
		pair_restart(p);
		pair_advance(p, 1000 * (i % 7));
	}
	pair_advance(p, 120000);
	assert_true(pair_agree(p, 0, 3));
}

/* what a restart keeps */

static void a_restart_costs_a_member_one_echo_round(void **state)
{
	struct pair *p = *state;
	size_t sent, posted;

	pair_join_all(p, 2);
	pair_advance(p, 1000);
	pair_restart(p);
	pair_run(p);
	sent = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
	posted = pair_count_notes(p, PAIR_KDC, GK_NOTE_TOKEN);
	assert_int_equal(gk_member_renew(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), sent + 2);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_TOKEN), posted);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_ERROR), 0);
	// and once synchronised, none
	assert_int_equal(gk_member_renew(p->node[0].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 0);
	pair_run(p);
	assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), sent + 3);
}

static size_t count_changes(const struct pair *p)
{
	return pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED) +
	       pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED) +
	       pair_count_notes(p, PAIR_KDC, GK_NOTE_LEFT) +
	       pair_count_notes(p, PAIR_KDC, GK_NOTE_REKEYED);
}

static void requests_of_an_earlier_life_do_nothing_before_and_after_echo(void **state)
{
	struct pair *p = *state;
	size_t before, messages;
	uint8_t was[GK_HASH_LEN], is[GK_HASH_LEN];

	pair_join_all(p, 2);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	pair_advance(p, 1000);
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, 5000);
	assert_true(pair_agree(p, 0, 1));
	pair_restart(p);
	messages = p->log_count;
	before = count_changes(p);
	for (int round = 0; round < 2; round++) {
		pair_digest(p, was);
		for (size_t i = 0; i < messages; i++) {
			struct pair_message *m = p->log[i];

			if (m->kind == PAIR_REQUEST && m->from >= 0)
				pair_repeat(p, m, i % 2);
		}
		pair_run(p);
		assert_int_equal(count_changes(p), before);
		assert_true(pair_agree(p, 0, 1));
		if (round) { // synchronised: not even a sequence number is used
			pair_digest(p, is);
			assert_memory_equal(was, is, sizeof(is));
		}
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(gk_member_renew(p->node[i].member,
							 gk_span_str(PAIR_LIGHTS), p->now),
					 GK_OK);
			pair_drain_node(p, i);
			pair_run(p);
		}
		before = count_changes(p);
	}
}

static void an_echo_of_another_life_is_no_proof(void **state)
{
	struct pair *p = *state;
	struct gk_span echo;
	struct pair_raw raw;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	pair_raw_join(&raw, PAIR_LIGHTS, 6, false);
	pair_restart(p);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_true(raw.is_protected);
	assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
	w = gk_coap_begin(&buf, GK_COAP_GET);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
	gk_coap_put(&w, GK_OPT_ECHO, echo);
	pair_restart(p);
	assert_int_equal(pair_raw_ask_message(&raw, gk_buf_span(&buf)), GK_COAP_UNAUTHORIZED);
	assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &echo));
}

static size_t count_answers(struct pair_raw *raw, const struct pair_raw *recorded, size_t copies)
{
	size_t count = 0;

	for (size_t i = 0; i < copies; i++) {
		memcpy(raw->sent, recorded->sent, recorded->sent_len);
		raw->sent_len = recorded->sent_len;
		pair_raw_again(raw, false);
		count += raw->answers;
	}
	return count;
}

static uint8_t ask_with_echo(struct pair_raw *raw)
{
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	struct gk_span echo;

	assert_int_equal(pair_raw_get(raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_true(raw->is_protected);
	assert_true(gk_coap_find(&raw->answer, GK_OPT_ECHO, &echo));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights/num"));
	gk_coap_put(&w, GK_OPT_ECHO, echo);
	return pair_raw_ask_message(raw, gk_buf_span(&buf));
}

/* Each takes a Partial IV, and 1,024 of them a write. */
static void copies_of_a_request_are_challenged_so_often_and_no_more(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	static struct pair_raw first, last;
	size_t batches;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	pair_raw_join(&raw, PAIR_LIGHTS, 6, false);
	pair_raw_get(&raw, GK_COAP_GET, "num");
	first = raw;
	pair_raw_get(&raw, GK_COAP_GET, "num");
	last = raw;
	pair_restart(p);
	assert_int_equal(count_answers(&raw, &first, 100), 8);
	assert_int_equal(count_answers(&raw, &last, 100), 1); // newer than what was challenged
	pair_advance(p, 1000);
	batches = p->batches;
	for (int s = 0; s < 10; s++) {
		assert_in_range(count_answers(&raw, s % 2 ? &first : &last, 300), 0, 1);
		pair_advance(p, 1000);
	}
	assert_int_equal(p->batches, batches);
	count_answers(&raw, &last, 100);
	assert_int_equal(ask_with_echo(&raw), GK_COAP_CONTENT); // the client itself all the while
}

static void a_kdc_that_restarts_often_challenges_each_time(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	pair_raw_join(&raw, PAIR_LIGHTS, 6, false);
	for (int life = 0; life < 30; life++) {
		pair_restart(p);
		for (int i = 0; i < 3; i++) // one after the other is lost
			assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"),
					 GK_COAP_UNAUTHORIZED);
		if (life % 2)
			assert_int_equal(ask_with_echo(&raw), GK_COAP_CONTENT);
	}
	pair_restart(p);
	for (int i = 0; i < 30; i++) { // and in one life
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
		assert_true(raw.is_protected);
	}
}

static void a_departure_before_a_restart_is_followed_by_a_rekeying(void **state)
{
	struct pair *p = *state;
	int64_t num;

	pair_join_all(p, 3);
	pair_advance(p, 1000);
	num = pair_num(p);
	evict(p, "node0"); // no rekeying yet
	assert_int_equal(pair_num(p), num);
	pair_restart(p);
	assert_int_equal(pair_num(p), num + 1);
	p->node[0].cut = true;
	pair_run(p);
	assert_true(pair_agree(p, 1, 2));
}

static void an_interrupted_delivery_goes_on_after_a_restart(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 12);
	pair_advance(p, 1000);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	p->next = p->log_count; // every message of it is lost
	pair_restart(p);
	pair_run(p);
	assert_true(pair_agree(p, 0, 11));
	assert_int_equal(pair_num(p), 12);
}

static void everything_about_a_member_is_restored(void **state)
{
	struct pair *p = *state;
	struct gk_member_info was, is;
	uint8_t sid[8], node[32];
	struct pair_raw raw;
	size_t sid_len, node_len;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	pair_raw_join(&raw, PAIR_LIGHTS, 6, true);
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &was));
	memcpy(sid, was.sender_id.data, sid_len = was.sender_id.len);
	memcpy(node, was.node.data, node_len = was.node.len);
	pair_restart(p);
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &is));
	assert_true(gk_span_equal(is.sender_id, gk_span(sid, sid_len)));
	assert_true(gk_span_equal(is.node, gk_span(node, node_len)));
	assert_int_equal(is.roles, was.roles);
	assert_int_equal(is.num, was.num);
	assert_memory_equal(is.address.ip, was.address.ip, 16);
	assert_int_equal(is.address.port, was.address.port);
}

/* @return true if the record of the table is another than it was the last time */
static bool has_changed(const struct pair *p, enum gk_table table, uint8_t was[GK_HASH_LEN])
{
	uint8_t is[GK_HASH_LEN] = { 0 };
	bool changed;

	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];

		if (r->table == table)
			assert_int_equal(gk_sha256(gk_span(r->value, r->value_len), is), GK_OK);
	}
	changed = memcmp(was, is, sizeof(is)) != 0;
	memcpy(was, is, sizeof(is));
	return changed;
}

static void one_write_reserves_sequence_numbers_for_all(void **state)
{
	struct pair *p = *state;
	size_t before, writes = 0;
	uint8_t kdc[GK_HASH_LEN], client[GK_HASH_LEN];

	pair_join_all(p, 1);
	pair_advance(p, 1000);
	before = pair_count(p, PAIR_REQUEST, PAIR_KDC, 0);
	(void)has_changed(p, GK_TABLE_KDC, kdc);
	(void)has_changed(p, GK_TABLE_CLIENT, client);
	for (int i = 0; i < 1100; i++) {
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
		pair_run(p);
		writes += has_changed(p, GK_TABLE_KDC, kdc);
		assert_false(has_changed(p, GK_TABLE_CLIENT, client));
	}
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, 0), before + 1100);
	assert_int_equal(writes, 2);
}

/* damaged records */

static struct gk_record record_as(const struct pair_record *r)
{
	return (struct gk_record){ .table = r->table,
				   .key = gk_span(r->key, r->key_len),
				   .value = gk_span(r->value, r->value_len) };
}

static struct gk_kdc *new_kdc(struct test_env *t, struct gk_env *env)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, 16) };
	struct gk_kdc *kdc;

	*env = test_env(t, 9);
	assert_int_equal(gk_kdc_new(env, &config, &kdc), GK_OK);
	return kdc;
}

/* Give back all records, one of them changed, or left out if it has no key; if that is accepted,
 * live with it for a while. */
static enum gk_err restore_as(struct pair *p, size_t which, struct gk_span key,
			      struct gk_span value)
{
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);
	enum gk_err err = GK_OK;
	struct gk_now later = { { p->now.mono.ms + 400000 }, { p->now.utc.s + 400 } };
	struct gk_event event;

	for (enum gk_table table = GK_TABLE_KDC; !err && table <= GK_TABLE_REVOKED; table++) {
		for (size_t i = 0; !err && i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = record_as(r);

			if (i == which)
				record = (struct gk_record){ .table = table,
							     .key = key,
							     .value = value };
			if (r->table == table && record.key.len)
				err = gk_kdc_restore(kdc, &record, p->now);
		}
	}
	if (!err)
		err = gk_kdc_add_group(kdc, &p->config[0], p->now);
	if (!err) {
		(void)!gk_kdc_expire(kdc, p->now);
		(void)!gk_kdc_evict(kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node0"), p->now);
		(void)!gk_kdc_expire(kdc, later);
		while (gk_kdc_event(kdc, &event))
			;
	}
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
	return err;
}

static enum gk_err restore_with(struct pair *p, size_t which, struct gk_span value)
{
	const struct pair_record *r = &p->records[which];

	return restore_as(p, which, gk_span(r->key, r->key_len), value);
}

/* One member, one that is banned, and a client that is revoked. */
static void open_ledger(struct pair *p)
{
	pair_join_all(p, 3);
	pair_drain_kdc(p,
		       gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node1"), p->now));
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("node2"), p->now));
}

static void a_record_cut_at_any_byte_is_an_error(void **state)
{
	struct pair *p = *state;

	open_ledger(p);
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];

		assert_int_equal(restore_with(p, i, gk_span(r->value, r->value_len)), GK_OK);
		for (size_t cut = 0; cut < r->value_len; cut++) {
			struct gk_span part = exact_copy(gk_span(r->value, cut));

			if (!restore_with(p, i, part))
				fail_msg("table %d cut to %zu of %zu was accepted", r->table, cut,
					 r->value_len);
		}
		uint8_t more[2048];

		memcpy(more, r->value, r->value_len);
		more[r->value_len] = 0;
		assert_int_not_equal(restore_with(p, i, gk_span(more, r->value_len + 1)), GK_OK);
	}
}

static void a_record_with_any_byte_changed_does_no_harm(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x20, 0x80, 0xff };
	struct pair *p = *state;
	size_t refused = 0;

	open_ledger(p);
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		uint8_t *copy = malloc(r->value_len);

		assert_non_null(copy);
		for (size_t at = 0; at < r->value_len; at++) {
			for (size_t k = 0; k < ROWS(changes); k++) {
				memcpy(copy, r->value, r->value_len);
				copy[at] ^= changes[k];
				refused += restore_with(p, i, gk_span(copy, r->value_len)) != 0;
			}
		}
		free(copy);
	}
	assert_true(refused > 100);
}

static void a_record_that_fits_no_other_is_an_error(void **state)
{
	struct pair *p = *state;
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	pair_join_all(p, 2);
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		struct gk_record record = record_as(r);

		if (r->table >= GK_TABLE_MEMBER &&
		    r->table <= GK_TABLE_CAST) // neither group nor client is there
			assert_int_equal(gk_kdc_restore(kdc, &record, p->now), GK_ERR_UNKNOWN);
	}
	for (enum gk_table table = GK_TABLE_CLIENT; table <= GK_TABLE_CAST; table++) {
		for (size_t i = 0; i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = record_as(r);

			if (r->table != table)
				continue;
			assert_int_equal(gk_kdc_restore(kdc, &record, p->now), GK_OK);
			assert_int_not_equal(gk_kdc_restore(kdc, &record, p->now), GK_OK);
			record.table = (enum gk_table)99;
			assert_int_equal(gk_kdc_restore(kdc, &record, p->now), GK_ERR_UNSUPPORTED);
		}
	}
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

/* records of the tree */

static const struct pair_record *record_of(const struct pair *p, enum gk_table table, size_t nth)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == table && nth-- == 0)
			return &p->records[i];
	}
	fail_msg("no such record");
	return NULL;
}

static void a_tree_without_one_of_its_keys_is_refused(void **state)
{
	struct pair *p = *state;
	size_t refused = 0;

	pair_join_all(p, 5);
	pair_advance(p, 10000);
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table != GK_TABLE_TREE)
			continue;
		assert_int_equal(restore_as(p, i, gk_span(NULL, 0), gk_span(NULL, 0)),
				 GK_ERR_MALFORMED);
		refused++;
	}
	assert_int_equal(refused, 5 + 3 + 2 + 1);
}

static void a_key_at_a_name_that_is_none_is_refused(void **state)
{
	static const char *const names[] = {
		"000008", // of eight leaves, the ninth
		"000100", "010004",   "020002", "030001", "040000", "110000", "ff0000", // hardly
		"0000",   "00000000", "", // of another length
		"000000", "000001",       // another's, so that there are two
	};
	struct pair *p = *state;
	const struct pair_record *r;

	pair_join_all(p, 5);
	r = record_of(p, GK_TABLE_TREE, 3);
	for (size_t i = 0; i < ROWS(names); i++) {
		uint8_t bytes[80];
		struct gk_buf key = gk_buf(bytes, sizeof(bytes));

		gk_buf_add(&key, gk_span(r->key, r->key_len - 3));
		gk_buf_add(&key, hex_span(names[i]));
		if (!restore_as(p, (size_t)(r - p->records), gk_buf_span(&key),
				gk_span(r->value, r->value_len)))
			fail_msg("row %zu: accepted", i);
	}
}

static void a_version_that_the_group_has_not_had_is_refused(void **state)
{
	struct pair *p = *state;
	const struct pair_record *r;

	pair_join_all(p, 5);
	r = record_of(p, GK_TABLE_TREE, 3);
	for (int64_t more = 0; more < 2; more++) {
		uint8_t bytes[64];
		struct gk_buf value = gk_buf(bytes, sizeof(bytes));

		gk_put_array(&value, 3);
		gk_put_uint(&value, 3);
		gk_put_int(&value, pair_num(p) + more);
		gk_put_bytes(&value, gk_span("sixteen bytes...", 16));
		assert_int_equal(restore_with(p, (size_t)(r - p->records), gk_buf_span(&value)),
				 more ? GK_ERR_RANGE : GK_OK);
	}
}

/* A message's record, with a num and under a part of the test's own. */
static enum gk_err restore_message(struct pair *p, size_t which, int64_t num, struct gk_span part)
{
	const struct pair_record *r = &p->records[which];
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	uint8_t key_bytes[80], bytes[1400];
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));
	struct gk_buf value = gk_buf(bytes, sizeof(bytes));

	gk_cbor_array_of(&c, 3);
	gk_put_array(&value, 3);
	gk_put_uint(&value, gk_cbor_uint(&c, 9));
	(void)gk_cbor_int(&c);
	gk_put_int(&value, num);
	gk_put_bytes(&value, gk_cbor_bytes(&c));
	gk_buf_add(&key, gk_span(r->key, r->key_len - 2));
	gk_buf_add(&key, part);
	return restore_as(p, which, gk_buf_span(&key), gk_buf_span(&value));
}

static void a_message_in_one_part_is_of_its_version(void **state)
{
	static const uint8_t part[2] = { 0, 0 };
	struct pair *p = *state;
	size_t which;

	pair_join_all(p, 2);
	which = (size_t)(record_of(p, GK_TABLE_CAST, 0) - p->records);
	for (int64_t more = -1; more < 2; more++)
		assert_int_equal(restore_message(p, which, pair_num(p) + more, gk_span(part, 2)),
				 more ? GK_ERR_RANGE : GK_OK);
}

static void a_message_that_is_not_what_its_record_says_is_refused(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[90];
	size_t parts = 0;

	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
		raw[i].tree = true;
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	}
	for (unsigned i = 0; i < ROWS(raw); i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i);
		evict(p, name);
	}
	pair_advance(p, 500);
	for (size_t i = 0; i < p->record_count; i++) {
		struct gk_span part = gk_span(p->records[i].key + p->records[i].key_len - 2, 2);
		uint8_t other[2] = { 0, !part.data[1] };

		if (p->records[i].table != GK_TABLE_CAST)
			continue;
		parts++;
		assert_int_equal(restore_message(p, i, pair_num(p), part), GK_OK);
		assert_int_equal(restore_message(p, i, pair_num(p) - 1, part), GK_ERR_RANGE);
		assert_int_equal(restore_message(p, i, pair_num(p) + 1, part), GK_ERR_RANGE);
		assert_int_equal(restore_message(p, i, pair_num(p), gk_span(other, 2)),
				 GK_ERR_RANGE);
		assert_int_equal(restore_message(p, i, pair_num(p), gk_span(other, 1)),
				 GK_ERR_RANGE);
		assert_int_equal(restore_as(p, i, gk_span(NULL, 0), gk_span(NULL, 0)),
				 GK_ERR_MALFORMED);
	}
	assert_true(parts > 1);
}

/* earlier forms, as programs of their time wrote them: one member of PAIR_LIGHTS, two rekeyings */

struct stored {
	enum gk_table table;
	const char *key, *value;
};

static const struct stored form1[] = {
	{ GK_TABLE_KDC, "6b6463",
	  "83015820b49e7811015d3348764082b6f2c094e77b05545d3bbeeb9ac06ba121ad6d506f40" },
	{ GK_TABLE_CLIENT, "cce522a59f735d97",
	  "8e01456e6f6465304a8182666c6967687473061a690f05000a43ab48f4422b9af44050aae874"
	  "7d8efcaf063c9e018ea14f28cb50ab64d2972a7fc2627c9002f4c77cf0454dcd2ab79f019920"
	  "5affd79514541840488a090a03db16f4e9" },
	{ GK_TABLE_GROUP, "6c6967687473",
	  "8a0102f5f442340b50353ffe4826015f5ee505091eb1a85b601a68e778010183820080820180"
	  "82028026" },
	{ GK_TABLE_MEMBER, "6c6967687473000000000000000001",
	  "8e0148cce522a59f735d970106f541005858a202656e6f64653008a101a50102032620012158"
	  "20244a92a75807a8b046b45bc071ba2da009fd5a52309df052f989a43a5559cee8225820c4f7"
	  "a613f00058cc0a5cd27704cc005b1bab2fe963c607ba38f83cfa40e03f1b48549d0e38e8af4a"
	  "0ff550fd00000000000000000000000000001019163300556163652d67726f75702f6c696768"
	  "74732f6e6f646502" },
};

static const struct stored first_group = /* at the very first: without sign_alg */
	{ GK_TABLE_GROUP, "6c6967687473",
	  "890102f5f442340b50353ffe4826015f5ee505091eb1a85b601a68e778010183820080820180"
	  "820280" };

static const struct stored form2[] = {
	{ GK_TABLE_KDC, "6b6463",
	  "85025820b49e7811015d3348764082b6f2c094e77b05545d3bbeeb9ac06ba121ad6d506f4040"
	  "40" },
	{ GK_TABLE_CLIENT, "22abf4756f2ee60a",
	  "8e02456e6f6465304a8182666c6967687473061a690f05000a43d12df1422b9af4405043d62a"
	  "edb60a4f897233c23f0200815a50686ec394e9e85bb8e6556fb8f2537e014da4ee92dae5af84"
	  "d63cd8d278c8184048b0958953ce1608cf" },
	{ GK_TABLE_GROUP, "6c6967687473",
	  "8e0203f5f442340b50435ab6bb1b2693fc05cd0d26ee4b67761a68e778010183820180820280"
	  "820380264dcce522a59f735d973703a3d3aa018000" },
	{ GK_TABLE_MEMBER, "6c6967687473000000000000000001",
	  "90024822abf4756f2ee60a0106f541005858a202656e6f64653008a101a50102032620012158"
	  "20244a92a75807a8b046b45bc071ba2da009fd5a52309df052f989a43a5559cee8225820c4f7"
	  "a613f00058cc0a5cd27704cc005b1bab2fe963c607ba38f83cfa40e03f1b48549d0e38e8af4a"
	  "0ff550fd00000000000000000000000000001019163300556163652d67726f75702f6c696768"
	  "74732f6e6f646503f500" },
	{ GK_TABLE_TREE, "6c696768747300010000", "830203500eb27f92ea79acf1e8f8b6df8f90cc25" },
	{ GK_TABLE_TREE, "6c696768747300000000", "83020150d8bc1c2dd362a710db778517c7ce0f31" },
	{ GK_TABLE_CAST, "6c6967687473000000",
	  "83020358ac02b96163652d67726f7570066c6967687473120105ff8358488a00020300001901"
	  "f4018040583ad71fbfa41ad4eb0343ea4aea611742421525156f2ea577d1df995fefad41306f"
	  "b8cbc64f060d406a913643f45de862d9e80788ada9f7a9f9f85a58401b0ff765380d17ab1e63"
	  "6ca04564a8ac156b95a9ddaf8307fd8406c42d170832fe20655410e34b5d75a14f1472345a89"
	  "2f5d1442607e80d26ec26c2bd796a4244861e117e29cab55bc" },
};

static enum gk_err restore_stored(struct gk_kdc *kdc, const struct stored *stored)
{
	struct gk_record record = { .table = stored->table,
				    .key = hex_span(stored->key),
				    .value = hex_span(stored->value) };

	return gk_kdc_restore(kdc, &record, (struct gk_now){ { 1006000 }, { 1760000006 } });
}

/* @return how many STOREs there are of a table; all events are taken */
static size_t count_stores(struct gk_kdc *kdc, enum gk_table table)
{
	struct gk_event event;
	size_t count = 0;

	while (gk_kdc_event(kdc, &event))
		count += event.kind == GK_EVENT_STORE && event.record.table == table;
	return count;
}

static struct gk_client *only_client(const struct gk_kdc *kdc)
{
	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		if (kdc->clients_by_id.buckets[i])
			return GK_OWNER(kdc->clients_by_id.buckets[i], struct gk_client, by_id);
	}
	fail_msg("no client");
	return NULL;
}

/* It goes on as if nothing had happened: with its member, and its next version. */
static void goes_on(struct gk_kdc *kdc, const struct gk_group_config *config, int64_t num,
		    uint64_t limit)
{
	struct gk_now now = { { 1006000 }, { 1760000006 } };
	struct gk_span name = gk_span_str(PAIR_LIGHTS);
	struct gk_member_info member;
	struct gk_group_info group;
	size_t at = 0;

	assert_int_equal(gk_kdc_add_group(kdc, config, now), GK_OK);
	assert_true(gk_kdc_group_next(kdc, &at, &group));
	assert_int_equal(group.num, num);
	assert_int_equal(kdc->high_num, num);
	at = 0;
	assert_true(gk_kdc_member_next(kdc, name, &at, &member));
	assert_true(gk_span_equal(member.name, gk_span_str("node0")));
	assert_int_equal(member.num, num);
	assert_int_equal(kdc->seq_limit, limit);
	assert_int_equal(only_client(kdc)->assoc.ctx.seq, limit);
	assert_true(count_stores(kdc, GK_TABLE_KDC) > 0); // the limit moves to its new place
	assert_int_equal(gk_kdc_rekey(kdc, name, now), GK_OK);
	assert_int_equal(kdc->groups->num, num + 1);
	assert_int_equal(kdc->high_num, num + 1);
	assert_int_equal(count_stores(kdc, GK_TABLE_MARK), 1);
	assert_int_equal(gk_kdc_evict(kdc, name, gk_span_str("node0"), now), GK_OK);
	assert_int_equal(kdc->seq_limit, limit + GK_SEQ_BLOCK);
}

static void a_store_of_form_1_goes_on(void **state)
{
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	(void)state;
	for (int very_first = 0; very_first < 2; very_first++) {
		struct test_env t;
		struct gk_env env;
		struct gk_kdc *kdc = new_kdc(&t, &env);

		for (size_t i = 0; i < ROWS(form1); i++) {
			bool other = very_first && form1[i].table == GK_TABLE_GROUP;

			assert_int_equal(restore_stored(kdc, other ? &first_group : &form1[i]),
					 GK_OK);
		}
		goes_on(kdc, &config, 2, 64);
		gk_kdc_free(kdc);
		assert_int_equal(t.blocks, 0);
	}
}

/* Nothing in the KDC's record says which algorithm the group has, so its members have to. */
static void the_algorithm_of_the_very_first_groups_is_that_of_their_members(void **state)
{
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	(void)state;
	for (size_t i = 1; i < ROWS(form1); i++) // without the KDC's
		assert_int_equal(restore_stored(kdc, form1[i].table == GK_TABLE_GROUP ? &first_group
										      : &form1[i]),
				 GK_OK);
	config.sign_alg = GK_ALG_EDDSA;
	assert_int_equal(gk_kdc_add_group(kdc, &config, (struct gk_now){ 0 }),
			 gk_sign_curve(GK_ALG_EDDSA) ? GK_ERR_FORBIDDEN : GK_ERR_UNSUPPORTED);
	config.sign_alg = GK_ALG_ES256;
	assert_int_equal(gk_kdc_add_group(kdc, &config, (struct gk_now){ 0 }), GK_OK);
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

static void a_store_of_form_2_goes_on(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	(void)state;
	for (size_t i = 0; i < ROWS(form2); i++)
		assert_int_equal(restore_stored(kdc, &form2[i]), GK_OK);
	goes_on(kdc, &config, 3, 64);
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

static void a_record_of_no_form_that_there_was_is_refused(void **state)
{
	static const char *const values[] = {
		"830008", "8305", "8300", "83f6", "8118ff", "a0", "", // what is no number, too
	};
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	(void)state;
	for (enum gk_table table = 0; table <= GK_TABLE_REVOKED + 1; table++) {
		for (size_t i = 0; i < ROWS(values); i++) {
			struct stored stored = { table, "6d61726b00000000", values[i] };

			if (restore_stored(kdc, &stored) == GK_OK)
				fail_msg("table %d, row %zu", table, i);
		}
	}
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

/* the same with members that live on: what is stored now, as it would have been in form 2 */

static void copy_items(struct gk_cbor *c, struct gk_buf *buf, size_t count)
{
	while (count--)
		gk_buf_add(buf, gk_cbor_item(c, GK_CBOR_ANY).encoded);
}

static size_t old_count(enum gk_table table)
{
	return table == GK_TABLE_KDC ? 5 : table == GK_TABLE_MEMBER ? 16 : 14;
}

static void age_record(struct pair_record *r, uint64_t limit)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	bool client = r->table == GK_TABLE_CLIENT;

	(void)gk_cbor_array(&c);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	gk_put_array(&buf, old_count(r->table));
	gk_put_uint(&buf, 2);
	copy_items(&c, &buf, client ? 11 : old_count(r->table) - 1);
	if (client) {
		gk_put_uint(&buf, limit);
		copy_items(&c, &buf, 1);
	}
	assert_int_equal(c.err, GK_OK);
	assert_false(buf.overflow);
	free(r->value);
	r->value = malloc(buf.len);
	assert_non_null(r->value);
	memcpy(r->value, buf.data, buf.len);
	r->value_len = buf.len;
}

/* @return the highest limit of an association */
static uint64_t age_store(struct pair *p)
{
	uint64_t limit = p->kdc->seq_limit;

	for (size_t i = 0; i < p->record_count; i++) {
		struct pair_record *r = &p->records[i];

		if (r->table <= GK_TABLE_MEMBER)
			age_record(r, r->table == GK_TABLE_CLIENT ? limit += GK_SEQ_BLOCK : 0);
		else // there was none of the others
			r->table = (enum gk_table)0;
	}
	return limit;
}

static void begins_at(const struct pair *p, uint64_t seq)
{
	for (size_t i = 0; i < p->kdc->clients_by_id.size; i++) {
		const struct gk_link *link = p->kdc->clients_by_id.buckets[i];

		for (; link; link = link->next) {
			const struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

			assert_true(client->assoc.ctx.seq >= seq);
		}
	}
}

static void sequence_numbers_go_on_behind_all_that_were_reserved(void **state)
{
	struct pair *p = *state;
	uint64_t limit;

	pair_join_all(p, 4);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_run(p);
	limit = age_store(p);
	pair_restart(p);
	assert_int_equal(p->kdc->seq_limit, limit);
	pair_drain_kdc(p, GK_OK);
	for (size_t last = 3; last > 1; last--) { // those that told of the highest limits go
		char name[16];

		pair_restart(p);
		begins_at(p, limit);
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
		pair_run(p);
		assert_true(pair_agree(p, 0, last));
		snprintf(name, sizeof(name), "node%zu", last);
		pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str(name), p->now));
		p->node[last].cut = true;
		pair_advance(p, 1000);
	}
	pair_restart(p);
	begins_at(p, limit);
	assert_true(pair_agree(p, 0, 1));
}

static void the_limit_is_known_before_the_associations(void **state)
{
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	(void)state;
	assert_int_equal(restore_stored(kdc, &form2[1]), GK_OK);
	assert_int_equal(restore_stored(kdc, &form2[0]), GK_ERR_STATE);
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

/* records that say little */

static void a_version_that_was_confirmed_may_wait_to_be_stored(void **state)
{
	struct pair *p = *state;
	struct gk_event event;
	uint8_t value[512];
	size_t len;

	pair_join_all(p, 1);
	gk_record_node(p->kdc->groups->nodes[0]);
	gk_record_node_num(p->kdc->groups->nodes[0]);
	assert_true(gk_kdc_event(p->kdc, &event));
	assert_false(event.record.may_wait);
	memcpy(value, event.record.value.data, len = event.record.value.len);
	assert_true(gk_kdc_event(p->kdc, &event));
	assert_true(event.record.may_wait);
	assert_int_equal(event.record.table, GK_TABLE_MEMBER);
	assert_true(gk_span_equal(event.record.value, gk_span(value, len)));
}

static void nothing_belongs_to_a_group_that_has_ended(void **state)
{
	struct pair *p = *state;
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);
	struct gk_span name;
	size_t refused = 0, at = 0;

	pair_join_all(p, 2);
	p->kdc->groups->ended = true;
	gk_record_group(p->kdc->groups);
	pair_drain_kdc(p, GK_OK);
	for (enum gk_table table = GK_TABLE_KDC; table <= GK_TABLE_CAST; table++) {
		for (size_t i = 0; i < p->record_count; i++) {
			struct gk_record record = record_as(&p->records[i]);

			if (record.table == table)
				refused += gk_kdc_restore(kdc, &record, p->now) == GK_ERR_UNKNOWN;
		}
	}
	assert_int_equal(refused, 2 + 3 + 1); // members, keys, a message
	assert_true(kdc->groups->ended);
	assert_int_equal(kdc->groups->num, p->kdc->groups->num);
	assert_memory_equal(kdc->groups->gid_prefix, p->kdc->groups->gid_prefix, 2);
	assert_int_equal(kdc->high_num, p->kdc->groups->num);
	assert_false(gk_kdc_unserved_next(kdc, &at, &name));
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
	p->kdc->groups->ended = false;
	gk_record_group(p->kdc->groups);
	pair_drain_kdc(p, GK_OK);
}

/* lasting records, and tokens issued */

#define CTI_7   "0000000000000007"
#define SCOPE_6 "4a8182666c696768747306" /* [["lights", 6]] */
#define LIGHTS  "6c6967687473"

static void a_record_of_the_ledger_is_what_it_has_to_be(void **state)
{
	static const struct {
		enum gk_table table;
		const char *key, *value;
		enum gk_err err;
	} rows[] = {
		{ GK_TABLE_MARK, "6d61726b", "8403050700", GK_OK },
		{ GK_TABLE_MARK, "6d61726b", "8403200000", GK_OK }, // none yet
		{ GK_TABLE_MARK, "6d61726b", "8403210000", GK_ERR_RANGE },
		{ GK_TABLE_MARK, "6d61726b", "84031affffffff1b7fffffffffffffff00", GK_OK },
		{ GK_TABLE_MARK, "6d61726b", "84031b00000001000000000000", GK_ERR_RANGE },
		{ GK_TABLE_MARK, "6d61726b", "8403001b800000000000000000", GK_ERR_RANGE },
		{ GK_TABLE_MARK, "6d61726b", "8403002000", GK_ERR_TYPE },
		{ GK_TABLE_MARK, "6d61726b00", "8403050700", GK_ERR_RANGE },
		{ GK_TABLE_MARK, "6d61726b", "8402050700", GK_ERR_UNSUPPORTED },
		{ GK_TABLE_MARK, "6d61726b", "820305", GK_ERR_TYPE },
		{ GK_TABLE_ISSUED, CTI_7, "850341aa416e" SCOPE_6 "05", GK_OK },
		{ GK_TABLE_ISSUED, CTI_7, "850341aa40" SCOPE_6 "05", GK_OK },
		{ GK_TABLE_ISSUED, "07", "850341aa416e" SCOPE_6 "05", GK_ERR_RANGE },
		{ GK_TABLE_ISSUED, CTI_7 "00", "850341aa416e" SCOPE_6 "05", GK_ERR_RANGE },
		{ GK_TABLE_ISSUED, "0000000000000000", "850341aa416e" SCOPE_6 "05", GK_ERR_RANGE },
		{ GK_TABLE_ISSUED, "8000000000000000", "850341aa416e" SCOPE_6 "05", GK_ERR_RANGE },
		{ GK_TABLE_ISSUED, CTI_7, "850341aa416e" SCOPE_6 "20", GK_ERR_TYPE },
		{ GK_TABLE_ISSUED, CTI_7, "850349aaaaaaaaaaaaaaaaaa416e" SCOPE_6 "05",
		  GK_ERR_RANGE },
		{ GK_TABLE_ISSUED, CTI_7, "850341aa416e41ff05", GK_ERR_MALFORMED },
		{ GK_TABLE_ISSUED, CTI_7, "840341aa416e" SCOPE_6, GK_ERR_TYPE },
		{ GK_TABLE_BAN, LIGHTS "00aa", "8303416e426e31", GK_OK },
		{ GK_TABLE_BAN, LIGHTS "00aabbccddeeff0011", "83034040", GK_OK },
		{ GK_TABLE_BAN, LIGHTS "00", "83034040", GK_OK }, // an empty id is one
		{ GK_TABLE_BAN, LIGHTS, "8303416e426e31", GK_ERR_RANGE },
		{ GK_TABLE_BAN, "00aa", "8303416e426e31", GK_ERR_RANGE },
		{ GK_TABLE_BAN, "", "8303416e426e31", GK_ERR_RANGE },
		{ GK_TABLE_BAN, LIGHTS "00aabbccddeeff001122", "83034040", GK_ERR_RANGE },
		{ GK_TABLE_BAN, LIGHTS "00aa", "8303616e426e31", GK_ERR_TYPE },
		{ GK_TABLE_BAN, LIGHTS "00aa",
		  "8303416e5819aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", GK_ERR_RANGE },
		{ GK_TABLE_REVOKED, "aa", "8303416e05", GK_OK },
		{ GK_TABLE_REVOKED, "", "8303416e05", GK_OK },
		{ GK_TABLE_REVOKED, "aabbccddeeff001122", "8303416e05", GK_ERR_RANGE },
		{ GK_TABLE_REVOKED, "aa", "8303416e20", GK_ERR_TYPE },
		{ GK_TABLE_REVOKED, "aa",
		  "83035821aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa05",
		  GK_ERR_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct stored stored = { rows[i].table, rows[i].key, rows[i].value };
		struct test_env t;
		struct gk_env env;
		struct gk_kdc *kdc = new_kdc(&t, &env);
		enum gk_err err = restore_stored(kdc, &stored);

		if (err != rows[i].err)
			fail_msg("row %zu: %d, not %d", i, err, rows[i].err);
		if (!err && stored.table != GK_TABLE_MARK)
			assert_int_equal(restore_stored(kdc, &stored), GK_ERR_DUPLICATE);
		gk_kdc_free(kdc);
		assert_int_equal(t.blocks, 0);
	}
}

static void the_mark_never_goes_back(void **state)
{
	static const struct stored high = { GK_TABLE_MARK, "6d61726b", "8403090704" };
	static const struct stored low = { GK_TABLE_MARK, "6d61726b", "8403020302" };
	static const struct stored issued = { GK_TABLE_ISSUED, "0000000000000012",
					      "850341aa416e" SCOPE_6 "05" };
	struct test_env t;
	struct gk_env env;
	struct gk_kdc *kdc = new_kdc(&t, &env);

	(void)state;
	assert_int_equal(kdc->high_num, -1);
	assert_int_equal(restore_stored(kdc, &high), GK_OK);
	assert_int_equal(restore_stored(kdc, &low), GK_OK);
	assert_int_equal(kdc->high_num, 9);
	assert_int_equal(kdc->high_cti, 7);
	assert_int_equal(kdc->first_num, 4);
	assert_int_equal(restore_stored(kdc, &issued), GK_OK);
	assert_int_equal(kdc->high_cti, 0x12);
	gk_kdc_free(kdc);
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
#define RULE(name)    cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
#define IN_TREE(name) cmocka_unit_test_setup_teardown(name, open_tree, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_crash_before_any_event_loses_nothing_that_was_said),
		RULE(a_restart_at_any_time_repeats_no_nonce),
		RULE(a_restart_costs_a_member_one_echo_round),
		RULE(requests_of_an_earlier_life_do_nothing_before_and_after_echo),
		RULE(an_echo_of_another_life_is_no_proof),
		RULE(copies_of_a_request_are_challenged_so_often_and_no_more),
		RULE(a_kdc_that_restarts_often_challenges_each_time),
		RULE(a_departure_before_a_restart_is_followed_by_a_rekeying),
		RULE(an_interrupted_delivery_goes_on_after_a_restart),
		RULE(everything_about_a_member_is_restored),
		RULE(one_write_reserves_sequence_numbers_for_all),
		RULE(a_store_of_form_1_goes_on),
		RULE(the_algorithm_of_the_very_first_groups_is_that_of_their_members),
		RULE(a_store_of_form_2_goes_on),
		RULE(a_record_of_no_form_that_there_was_is_refused),
		RULE(sequence_numbers_go_on_behind_all_that_were_reserved),
		RULE(the_limit_is_known_before_the_associations),
		RULE(a_version_that_was_confirmed_may_wait_to_be_stored),
		IN_TREE(nothing_belongs_to_a_group_that_has_ended),
		RULE(a_record_of_the_ledger_is_what_it_has_to_be),
		RULE(the_mark_never_goes_back),
		RULE(a_record_cut_at_any_byte_is_an_error),
		RULE(a_record_with_any_byte_changed_does_no_harm),
		RULE(a_record_that_fits_no_other_is_an_error),
		IN_TREE(a_departure_before_a_restart_is_followed_by_a_rekeying),
		IN_TREE(everything_about_a_member_is_restored),
		IN_TREE(a_record_cut_at_any_byte_is_an_error),
		IN_TREE(a_record_with_any_byte_changed_does_no_harm),
		IN_TREE(a_record_that_fits_no_other_is_an_error),
		IN_TREE(a_tree_without_one_of_its_keys_is_refused),
		IN_TREE(a_key_at_a_name_that_is_none_is_refused),
		IN_TREE(a_version_that_the_group_has_not_had_is_refused),
		IN_TREE(a_message_in_one_part_is_of_its_version),
		IN_TREE(a_message_that_is_not_what_its_record_says_is_refused),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
