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
	static struct pair p;

	pair_open(&p, 5);
	*state = &p;
	return pair_serve(&p, NULL) == GK_OK ? 0 : 1;
}

static int open_tree(void **state)
{
	static struct pair p;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	pair_open(&p, 5);
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static int close_pair(void **state)
{
	return pair_close(*state) ? 0 : 1;
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

static void one_write_reserves_many_sequence_numbers(void **state)
{
	struct pair *p = *state;
	size_t before, writes = 0;
	uint8_t was[GK_HASH_LEN], is[GK_HASH_LEN];

	pair_join_all(p, 1);
	pair_advance(p, 1000);
	before = pair_count(p, PAIR_REQUEST, PAIR_KDC, 0);
	for (int i = 0; i < 200; i++) {
		const struct pair_record *r = NULL;

		for (size_t k = 0; k < p->record_count; k++) {
			if (p->records[k].table == GK_TABLE_CLIENT)
				r = &p->records[k];
		}
		assert_int_equal(gk_sha256(gk_span(r->value, r->value_len), is), GK_OK);
		writes += i && memcmp(was, is, sizeof(is)) != 0;
		memcpy(was, is, sizeof(is));
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
		pair_run(p);
	}
	assert_int_equal(pair_count(p, PAIR_REQUEST, PAIR_KDC, 0), before + 200);
	assert_int_equal(writes, 3);
}

/* damaged records */

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

	for (enum gk_table table = GK_TABLE_KDC; !err && table <= GK_TABLE_CAST; table++) {
		for (size_t i = 0; !err && i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { table, gk_span(r->key, r->key_len),
						    gk_span(r->value, r->value_len) };

			if (i == which)
				record = (struct gk_record){ table, key, value };
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

static void a_record_cut_at_any_byte_is_an_error(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 2);
	evict(p, "node1");
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

	pair_join_all(p, 2);
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
		struct gk_record record = { r->table, gk_span(r->key, r->key_len),
					    gk_span(r->value, r->value_len) };

		if (r->table >= GK_TABLE_MEMBER) // neither group nor client is there
			assert_int_equal(gk_kdc_restore(kdc, &record, p->now), GK_ERR_UNKNOWN);
	}
	for (enum gk_table table = GK_TABLE_CLIENT; table <= GK_TABLE_CAST; table++) {
		for (size_t i = 0; i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { r->table, gk_span(r->key, r->key_len),
						    gk_span(r->value, r->value_len) };

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
		gk_put_uint(&value, 2);
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

int main(void)
{
#define RULE(name)    cmocka_unit_test_setup_teardown(name, open_pair, close_pair)
#define IN_TREE(name) cmocka_unit_test_setup_teardown(name, open_tree, close_pair)
	const struct CMUnitTest tests[] = {
		RULE(a_crash_before_any_event_loses_nothing_that_was_said),
		RULE(a_restart_at_any_time_repeats_no_nonce),
		RULE(a_restart_costs_a_member_one_echo_round),
		RULE(requests_of_an_earlier_life_do_nothing_before_and_after_echo),
		RULE(an_echo_of_another_life_is_no_proof),
		RULE(a_departure_before_a_restart_is_followed_by_a_rekeying),
		RULE(an_interrupted_delivery_goes_on_after_a_restart),
		RULE(everything_about_a_member_is_restored),
		RULE(one_write_reserves_many_sequence_numbers),
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
