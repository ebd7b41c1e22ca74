// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/group.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define JUMP        1048576
#define HOUR_MS     3600000

static const uint32_t both = 6;

static int open_pair(void **state)
{
	return pair_begin(state, 8, NULL);
}

static int open_tree(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	return pair_begin(state, 8, &config);
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	pair_run(p);
}

static void evict(struct pair *p, const char *name)
{
	pair_drain_kdc(p,
		       gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now));
}

static size_t count_records(const struct pair *p, enum gk_table table)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == table;
	return count;
}

/* backups */

struct backup {
	struct pair_record records[256];
	size_t count;
};

static uint8_t *copy(const uint8_t *data, size_t len)
{
	uint8_t *bytes = malloc(len + 1);

	assert_non_null(bytes);
	memcpy(bytes, data, len);
	return bytes;
}

static struct pair_record copy_record(const struct pair_record *r)
{
	struct pair_record c = *r;

	c.key = copy(r->key, r->key_len);
	c.value = copy(r->value, r->value_len);
	return c;
}

static void free_record(struct pair_record *r)
{
	free(r->key);
	free(r->value);
}

static void take_backup(const struct pair *p, struct backup *b)
{
	b->count = 0;
	for (size_t i = 0; i < p->record_count; i++) {
		assert_true(b->count < ROWS(b->records));
		if (p->records[i].table < GK_TABLE_LASTING)
			b->records[b->count++] = copy_record(&p->records[i]);
	}
}

static void free_backup(struct backup *b)
{
	while (b->count)
		free_record(&b->records[--b->count]);
}

static void add_record(struct pair *p, const struct pair_record *r)
{
	if (p->record_count == p->record_cap) {
		p->record_cap = 2 * p->record_cap + 16;
		p->records = realloc(p->records, p->record_cap * sizeof(*p->records));
		assert_non_null(p->records);
	}
	p->records[p->record_count++] = *r;
}

/* The store is that of the backup, but for what the mark knows. */
static void put_back(struct pair *p, const struct backup *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table >= GK_TABLE_LASTING)
			p->records[kept++] = p->records[i];
		else
			free_record(&p->records[i]);
	}
	p->record_count = kept;
	for (size_t i = 0; i < b->count; i++) {
		struct pair_record r = copy_record(&b->records[i]);

		add_record(p, &r);
	}
}

/* A KDC with what is stored, which does not serve yet. */
static void restore(struct pair *p)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, 16) };

	gk_kdc_free(p->kdc);
	p->life++;
	assert_int_equal(gk_kdc_new(&p->env, &config, &p->kdc), GK_OK);
	for (enum gk_table table = GK_TABLE_KDC; table <= GK_TABLE_REVOKED; table++) {
		for (size_t i = 0; i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { .table = table,
						    .key = gk_span(r->key, r->key_len),
						    .value = gk_span(r->value, r->value_len) };

			if (r->table == table)
				assert_int_equal(gk_kdc_restore(p->kdc, &record, p->now), GK_OK);
		}
	}
}

static void serve(struct pair *p)
{
	for (size_t i = 0; i < p->group_count; i++)
		pair_drain_kdc(p, gk_kdc_add_group(p->kdc, &p->config[i], p->now));
}

static void put_record(struct pair *p, const struct gk_record *record)
{
	struct pair_record new = { .table = record->table,
				   .key_len = record->key.len,
				   .value_len = record->value.len };
	size_t i = 0;

	while (i < p->record_count &&
	       (p->records[i].table != record->table ||
		!gk_span_equal(gk_span(p->records[i].key, p->records[i].key_len), record->key)))
		i++;
	if (i < p->record_count) {
		free_record(&p->records[i]);
		p->records[i] = p->records[--p->record_count];
	}
	if (!record->value.len)
		return;
	new.key = copy(record->key.data, record->key.len);
	new.value = copy(record->value.data, record->value.len);
	add_record(p, &new);
}

/* The harness holds that a Gid prefix never changes; here it has to. */
static void disown(struct pair *p, uint32_t jump)
{
	struct gk_event event;

	assert_int_equal(gk_kdc_disown(p->kdc, jump, p->now), GK_OK);
	while (gk_kdc_event(p->kdc, &event)) {
		assert_int_equal(event.kind, GK_EVENT_STORE); // and nobody hears of it
		put_record(p, &event.record);
	}
}

static void roll_back(struct pair *p, const struct backup *b, uint32_t jump)
{
	put_back(p, b);
	restore(p);
	disown(p, jump);
	serve(p);
	assert_int_equal(p->last, GK_OK);
}

/* what is left */

struct material {
	int64_t num;
	uint8_t prefix[2], ms[GK_MS_LEN], base_iv[GK_TREE_IV_LEN];
};

static struct material material_of(const struct pair *p)
{
	const struct gk_group *group = p->kdc->groups;
	struct material m = { .num = group->num };

	memcpy(m.prefix, group->gid_prefix, sizeof(m.prefix));
	memcpy(m.ms, group->ms, sizeof(m.ms));
	memcpy(m.base_iv, group->tree.group.base_iv, sizeof(m.base_iv));
	return m;
}

static bool all_differ(const struct material *a, const struct material *b)
{
	return memcmp(a->prefix, b->prefix, sizeof(a->prefix)) != 0 &&
	       memcmp(a->ms, b->ms, sizeof(a->ms)) != 0 &&
	       memcmp(a->base_iv, b->base_iv, sizeof(a->base_iv)) != 0;
}

static void nothing_of_the_old_state_is_left(void **state)
{
	static struct backup b;
	struct pair *p = *state;
	struct material was, is;
	struct gk_key_pair key;
	int64_t high;

	pair_join_all(p, 5);
	evict(p, "node4"); // what it knew is in the store until the next rekeying
	take_backup(p, &b);
	was = material_of(p);
	key = p->kdc->sign_key[0];
	for (int i = 0; i < 5; i++)
		rekey(p);
	high = pair_num(p);
	put_back(p, &b);
	restore(p);
	disown(p, 0);
	assert_int_equal(count_records(p, GK_TABLE_CLIENT), 0);
	assert_int_equal(count_records(p, GK_TABLE_MEMBER), 0);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 0);
	assert_int_equal(count_records(p, GK_TABLE_CAST), 0);
	assert_int_equal(count_records(p, GK_TABLE_ISSUED), 5);
	assert_int_equal(p->kdc->addresses.count, 0);
	is = material_of(p);
	assert_true(all_differ(&was, &is));
	assert_int_equal(is.num, high + 1);
	assert_int_equal(p->kdc->high_num, high + 1);
	assert_false(p->kdc->groups->used || p->kdc->groups->rekey_pending ||
		     p->kdc->groups->inherited);
	assert_int_equal(p->kdc->groups->stale_count, 1);
	assert_int_equal(gk_group_stale_now(p->kdc->groups)->num, is.num);
	assert_int_equal(gk_group_stale_now(p->kdc->groups)->count, 0);
	assert_memory_equal(&p->kdc->sign_key[0], &key, sizeof(key));
	restore(p); // the same from what was stored
	was = material_of(p);
	assert_memory_equal(&was, &is, sizeof(was));
	assert_int_equal(p->kdc->clients_by_id.count, 0);
	assert_int_equal(p->kdc->groups->count, 0);
	assert_int_equal(p->kdc->high_num, high + 1);
	assert_true(p->kdc->groups->inherited);
	serve(p);
	assert_int_equal(pair_num(p), high + 1);
	gk_wipe(&key, sizeof(key));
	free_backup(&b);
}

static void members_post_their_tokens_again_and_join(void **state)
{
	static struct backup b;
	struct pair *p = *state;
	int64_t high;

	pair_join_all(p, 4);
	take_backup(p, &b);
	evict(p, "node3");
	p->node[3].cut = true;
	pair_advance(p, 1000);
	high = pair_num(p);
	roll_back(p, &b, 0);
	for (int i = 0; i < 3; i++)
		pair_advance(p, HOUR_MS);
	assert_true(pair_num(p) > high);
	assert_true(pair_agree(p, 0, 2));
	pair_say(p, 0, PAIR_LIGHTS, "hello");
	pair_run(p);
	assert_int_equal(pair_heard(p, 1, "hello"), 1);
	assert_int_equal(pair_heard(p, 3, "hello"), 0);
	rekey(p);
	assert_true(pair_agree(p, 0, 2));
	pair_restart(p);
	pair_run(p);
	assert_true(pair_agree(p, 0, 2));
	free_backup(&b);
}

/* nums and Gids */

static void the_same_backup_again_and_again_repeats_nothing(void **state)
{
	static struct backup b;
	struct pair *p = *state;
	struct material m[12];

	pair_join_all(p, 2);
	take_backup(p, &b);
	for (size_t i = 0; i < ROWS(m); i++) {
		m[i] = material_of(p);
		for (size_t k = 0; k < i; k++) {
			assert_true(m[i].num > m[k].num);
			assert_true(memcmp(m[i].ms, m[k].ms, sizeof(m[i].ms)) != 0);
			if (k == i - 1) // the backup's own is one of them
				assert_true(memcmp(m[i].prefix, m[k].prefix, 2) != 0 || k == 0);
		}
		assert_true(i == 0 || memcmp(m[i].prefix, m[0].prefix, 2) != 0);
		for (size_t k = 0; k < i % 3; k++)
			rekey(p);
		roll_back(p, &b, i == 5 ? JUMP : 0);
		if (i == 5)
			assert_int_equal(pair_num(p) - m[5].num, 1 + JUMP + i % 3);
	}
	free_backup(&b);
}

static void all_groups_go_on_above_the_highest(void **state)
{
	static struct backup b;
	struct gk_group_config heat = pair_config("heat"), gone = pair_config("gone");
	struct pair *p = *state;
	const struct gk_group *group;
	int64_t high;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	assert_int_equal(pair_serve(p, &gone), GK_OK);
	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str("gone"), p->now));
	p->group_count--;
	take_backup(p, &b);
	for (int i = 0; i < 7; i++)
		rekey(p);
	high = pair_num(p);
	roll_back(p, &b, 10);
	for (group = p->kdc->groups; group; group = group->next) {
		const struct gk_group *other = group->next;

		assert_int_equal(group->num, high + 11);
		assert_int_equal(group->ended, group->next == NULL);
		for (; other; other = other->next)
			assert_memory_not_equal(group->gid_prefix, other->gid_prefix, 2);
	}
	pair_restart(p);
	assert_int_equal(gk_group_find(p->kdc, gk_span_str("gone"))->num, high + 11);
	pair_drain_kdc(p, gk_kdc_add_group(p->kdc, &gone, p->now)); // above its tombstone
	assert_true(gk_group_find(p->kdc, gk_span_str("gone"))->num > high + 11);
	free_backup(&b);
}

/* who is kept out */

static void bans_and_revocations_stay(void **state)
{
	static struct backup b;
	struct pair *p = *state;
	struct pair_raw banned, revoked, fine;

	pair_raw_open(&banned, p, 1, "banned", NULL, &both, 1);
	pair_raw_open(&revoked, p, 2, "revoked", NULL, &both, 1);
	pair_raw_open(&fine, p, 3, "fine", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&banned, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&revoked, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&fine, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	take_backup(p, &b); // in it, all are members
	pair_drain_kdc(p,
		       gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("banned"), p->now));
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("revoked"), p->now));
	roll_back(p, &b, 0);
	assert_int_equal(pair_raw_get(&banned, GK_COAP_GET, ""), GK_COAP_UNAUTHORIZED);
	assert_false(banned.is_protected); // of the old associations, none
	assert_int_equal(pair_raw_get(&fine, GK_COAP_GET, ""), GK_COAP_UNAUTHORIZED);
	assert_false(fine.is_protected);
	assert_int_equal(pair_raw_post(&banned), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&banned, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_post(&revoked), GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_post(&fine), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&fine, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	free_backup(&b);
}

/* failures */

static bool is_unchanged(struct pair *p, const struct material *was, size_t clients)
{
	struct material is = material_of(p);
	struct gk_event event;

	return memcmp(&is, was, sizeof(is)) == 0 && p->kdc->clients_by_id.count == clients &&
	       p->kdc->groups->count == clients && !gk_kdc_event(p->kdc, &event);
}

static void without_entropy_nothing_changes(void **state)
{
	struct gk_group_config heat = pair_config("heat");
	struct pair *p = *state;
	struct material was;
	unsigned n = 0;
	enum gk_err err;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	pair_join_all(p, 3);
	restore(p);
	was = material_of(p);
	do {
		test_env_fail_random(&p->kdc_env, ++n);
		err = gk_kdc_disown(p->kdc, 0, p->now);
		assert_true(!err || (err == GK_ERR_ENTROPY && is_unchanged(p, &was, 3)));
	} while (err);
	assert_int_equal(n, 2 * 3 + 1);
	test_env_fail_random(&p->kdc_env, 0);
	pair_restart(p);
}

static void without_memory_nothing_changes_or_nothing_comes_out(void **state)
{
	struct pair *p = *state;
	struct gk_event event;
	enum gk_err err;
	unsigned n = 0;

	pair_join_all(p, 2);
	do {
		restore(p);
		test_env_fail_alloc(&p->kdc_env, ++n);
		err = gk_kdc_disown(p->kdc, 0, p->now);
		assert_true(!err || err == GK_ERR_NO_MEMORY);
		if (err)
			assert_false(gk_kdc_event(p->kdc, &event));
	} while (err);
	assert_true(n > 10);
	test_env_fail_alloc(&p->kdc_env, 0);
	pair_restart(p);
}

static void a_num_has_an_end(void **state)
{
	static const struct {
		int64_t high;
		uint32_t jump;
		enum gk_err err;
	} rows[] = {
		{ UINT32_MAX - 4, 0, GK_OK },
		{ UINT32_MAX - 3, 0, GK_ERR_SEQUENCE },
		{ UINT32_MAX, UINT32_MAX, GK_ERR_SEQUENCE },
		{ 2, UINT32_MAX, GK_ERR_SEQUENCE },
		{ 2, UINT32_MAX - 6, GK_OK },
		{ 2, UINT32_MAX - 5, GK_ERR_SEQUENCE },
	};
	struct pair *p = *state;

	pair_join_all(p, 2);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct material was;
		enum gk_err err;

		restore(p);
		was = material_of(p);
		p->kdc->high_num = rows[i].high;
		err = gk_kdc_disown(p->kdc, rows[i].jump, p->now);
		if (err != rows[i].err || (err && !is_unchanged(p, &was, 2)))
			fail_msg("row %zu: %d", i, err);
	}
	pair_restart(p);
}

/* The groups of a store that was lost are not known, and are made anew: above what they had. */
static void groups_of_a_store_that_was_lost_go_on_above_it(void **state)
{
	static const struct backup nothing;
	struct gk_group_config heat = pair_config("heat");
	struct pair *p = *state;
	int64_t high;

	pair_join_all(p, 2);
	rekey(p);
	high = pair_num(p);
	roll_back(p, &nothing, 5);
	assert_int_equal(pair_num(p), high + 6);
	for (int i = 0; i < 3; i++)
		pair_advance(p, HOUR_MS);
	assert_true(pair_agree(p, 0, 1));
	pair_restart(p);
	assert_int_equal(pair_serve(p, &heat), GK_OK); // it may have been there too
	assert_int_equal(gk_group_find(p->kdc, gk_span_str("heat"))->num, high + 6);
	pair_restart(p);
	assert_int_equal(gk_group_find(p->kdc, gk_span_str("heat"))->num, high + 6);
}

/* A store from before there were marks says nothing of how far its groups are but in the groups. */
static void the_mark_learns_what_an_earlier_version_left(void **state)
{
	static const struct backup nothing;
	struct pair *p = *state;
	int64_t high;

	rekey(p);
	rekey(p);
	high = pair_num(p);
	assert_true(high > 0);
	put_record(p, &(struct gk_record){ .table = GK_TABLE_MARK, .key = gk_span_str("mark") });
	assert_int_equal(count_records(p, GK_TABLE_MARK), 0);
	pair_restart(p);
	assert_int_equal(pair_num(p), high);
	assert_int_equal(count_records(p, GK_TABLE_MARK), 1);
	roll_back(p, &nothing, 0);
	assert_int_equal(pair_num(p), high + 1);
}

int main(void)
{
#define RULE(name)    cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
#define IN_TREE(name) cmocka_unit_test_setup_teardown(name, open_tree, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(nothing_of_the_old_state_is_left),
		IN_TREE(nothing_of_the_old_state_is_left),
		RULE(members_post_their_tokens_again_and_join),
		IN_TREE(members_post_their_tokens_again_and_join),
		IN_TREE(the_same_backup_again_and_again_repeats_nothing),
		RULE(all_groups_go_on_above_the_highest),
		IN_TREE(bans_and_revocations_stay),
		IN_TREE(without_entropy_nothing_changes),
		IN_TREE(without_memory_nothing_changes_or_nothing_comes_out),
		IN_TREE(a_num_has_an_end),
		RULE(groups_of_a_store_that_was_lost_go_on_above_it),
		IN_TREE(groups_of_a_store_that_was_lost_go_on_above_it),
		RULE(the_mark_learns_what_an_earlier_version_left),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
