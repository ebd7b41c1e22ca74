// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/hash.h"

#include "tests/lib/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS 1000

struct item {
	uint32_t value;
	struct gk_link link;
};

static struct item *find(const struct gk_hash *table, uint32_t value)
{
	struct gk_link *link = gk_hash_find(table, gk_span(&value, sizeof(value)));

	for (; link; link = gk_hash_next(link)) {
		struct item *item = GK_OWNER(link, struct item, link);

		if (item->value == value)
			return item;
	}
	return NULL;
}

static void add(struct gk_hash *table, struct item *item, uint32_t value)
{
	item->value = value;
	assert_int_equal(gk_hash_reserve(table), GK_OK);
	gk_hash_add(table, &item->link, gk_span(&item->value, sizeof(item->value)));
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
	static struct item items[ITEMS];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_hash table;

	(void)state;
	gk_hash_init(&table, &env, 7);
	assert_null(find(&table, 1)); // an empty table
	for (uint32_t i = 0; i < ITEMS; i++)
		add(&table, &items[i], i * 3);
	for (uint32_t i = 0; i < ITEMS; i += 2)
		gk_hash_remove(&table, &items[i].link);
	for (uint32_t i = 0; i < ITEMS; i++) {
		assert_ptr_equal(find(&table, i * 3), i % 2 ? &items[i] : NULL);
		assert_null(find(&table, i * 3 + 1));
	}
	assert_int_equal(table.count, ITEMS / 2);
	gk_hash_wipe(&table);
	assert_int_equal(t.blocks, 0);
}

static void equal_keys_are_all_found(void **state)
{
	static struct item items[5];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_hash table;
	uint32_t key = 42;
	size_t count = 0;

	(void)state;
	gk_hash_init(&table, &env, 7);
	for (size_t i = 0; i < 5; i++)
		add(&table, &items[i], key);
	gk_hash_remove(&table, &items[2].link);
	for (struct gk_link *link = gk_hash_find(&table, gk_span(&key, sizeof(key))); link;
	     link = gk_hash_next(link)) {
		assert_ptr_not_equal(GK_OWNER(link, struct item, link), &items[2]);
		count++;
	}
	assert_int_equal(count, 4);
	gk_hash_wipe(&table);
}

static void chains_stay_short_with_any_seed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		static struct item items[ITEMS];
		struct test_env t;
		struct gk_env env = test_env(&t, 1);
		struct gk_hash table;

		gk_hash_init(&table, &env, seed << 50 | seed);
		for (uint32_t i = 0; i < ITEMS; i++)
			add(&table, &items[i], i << 20); // alike in their low bytes
		for (size_t b = 0; b < table.size; b++) {
			size_t len = 0;

			for (struct gk_link *link = table.buckets[b]; link; link = link->next)
				len++;
			assert_true(len < 12);
		}
		gk_hash_wipe(&table);
	}
}

static void the_seed_decides(void **state)
{
	struct gk_hash a = { .seed = 1 }, b = { .seed = 2 };

	(void)state;
	assert_int_not_equal(gk_hash_of(&a, gk_span_str("x")), gk_hash_of(&b, gk_span_str("x")));
	assert_int_not_equal(gk_hash_of(&a, gk_span_str("x")), gk_hash_of(&a, gk_span_str("y")));
	assert_int_equal(gk_hash_of(&a, gk_span_str("x")), gk_hash_of(&a, gk_span_str("x")));
}

static void the_walk_meets_each_once(void **state)
{
	static struct item items[ITEMS];
	static unsigned met[ITEMS];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_hash table;
	struct gk_link *link;
	size_t at = 0;

	(void)state;
	gk_hash_init(&table, &env, 7);
	assert_null(gk_hash_at(&table, &at)); // an empty table
	for (uint32_t i = 0; i < ITEMS; i++)
		add(&table, &items[i], i < ITEMS - 5 ? i : ITEMS); // the last ones are equal
	for (at = 0; (link = gk_hash_at(&table, &at));)
		met[GK_OWNER(link, struct item, link) - items]++;
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(met[i], 1);
	assert_int_equal(at, gk_hash_positions(&table));
	assert_null(gk_hash_at(&table, &at));
	gk_hash_wipe(&table);
	assert_null(gk_hash_at(&table, &at)); // it has shrunk below the position
	assert_int_equal(at, 0);
}

static void room_for_many_is_room_for_each(void **state)
{
	static struct item items[100];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_hash table;

	(void)state;
	gk_hash_init(&table, &env, 7);
	add(&table, &items[0], 0);
	assert_int_equal(gk_hash_reserve_many(&table, 99), GK_OK);
	for (uint32_t i = 1; i < 100; i++) {
		items[i].value = i;
		gk_hash_add(&table, &items[i].link, gk_span(&items[i].value, sizeof(uint32_t)));
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_ptr_equal(find(&table, i), &items[i]);
	test_env_fail_alloc(&t, 1);
	assert_int_equal(gk_hash_reserve_many(&table, 28), GK_OK); // 128 in all
	assert_int_equal(gk_hash_reserve_many(&table, 29), GK_ERR_NO_MEMORY);
	assert_int_equal(table.count, 100);
	gk_hash_wipe(&table);
	assert_int_equal(t.blocks, 0);
}

static void without_memory_the_table_stays(void **state)
{
	static struct item items[17];
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_hash table;

	(void)state;
	gk_hash_init(&table, &env, 7);
	test_env_fail_alloc(&t, 1);
	assert_int_equal(gk_hash_reserve(&table), GK_ERR_NO_MEMORY);
	for (uint32_t i = 0; i < 16; i++)
		add(&table, &items[i], i);
	test_env_fail_alloc(&t, 1);
	assert_int_equal(gk_hash_reserve(&table), GK_ERR_NO_MEMORY);
	for (uint32_t i = 0; i < 16; i++)
		assert_ptr_equal(find(&table, i), &items[i]);
	add(&table, &items[16], 16);
	for (uint32_t i = 0; i < 17; i++)
		assert_ptr_equal(find(&table, i), &items[i]);
	gk_hash_wipe(&table);
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
		cmocka_unit_test(equal_keys_are_all_found),
		cmocka_unit_test(chains_stay_short_with_any_seed),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(the_walk_meets_each_once),
		cmocka_unit_test(room_for_many_is_room_for_each),
		cmocka_unit_test(without_memory_the_table_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
