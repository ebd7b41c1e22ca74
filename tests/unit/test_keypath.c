// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// That members get to the KDC's keys is in test_keytree.c and test_keytree_random.c.
#include "libgroupkey/keypath.h"

#include "tests/lib/hex.h"
#include "tests/lib/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void path_is_read_from_what_the_kdc_gives(void **state)
{
	struct test_tree *t = test_tree_full(8, 7);
	uint8_t memory[GK_KEYPATH_NODE_LEN * (GK_TREE_HEIGHT_MAX + 2)] = { 0 };
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	struct gk_keypath path = { .known = false };

	(void)state;
	gk_keytree_put_path(&t->tree, 6, &buf);
	assert_int_equal(buf.len, 4 * GK_KEYPATH_NODE_LEN);
	for (size_t len = 0; len <= sizeof(memory); len++) {
		enum gk_err want = len % GK_KEYPATH_NODE_LEN || len / GK_KEYPATH_NODE_LEN < 4 ||
						   len / GK_KEYPATH_NODE_LEN > 17
					   ? GK_ERR_RANGE
					   : GK_OK;

		// a tree of four slots has no slot 6
		assert_int_equal(gk_keypath_read(exact_copy(gk_span(memory, len)), 1, 6, &path),
				 want);
	}
	path = (struct gk_keypath){ .known = false };
	// nor is there a tree that is one leaf
	assert_int_equal(gk_keypath_read(gk_span(memory, GK_KEYPATH_NODE_LEN), 1, 0, &path),
			 GK_ERR_RANGE);
	assert_int_equal(gk_keypath_read(gk_buf_span(&buf), 1, 8, &path), GK_ERR_RANGE);
	assert_int_equal(gk_keypath_read(gk_buf_span(&buf), 0, 6, &path), GK_ERR_RANGE);
	assert_false(path.known);
	assert_int_equal(gk_keypath_read(gk_buf_span(&buf), 1, 6, &path), GK_OK);
	assert_true(path.known);
	assert_int_equal(path.height, 3);
	for (uint8_t l = 0; l <= 3; l++)
		assert_memory_equal(&path.node[l], test_tree_key(t, l, 6 >> l),
				    sizeof(path.node[l]));
	test_tree_free(t);
}

static void path_goes_forward_and_up_only(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	struct gk_keypath before = t->slot[1].path, next, untouched;
	struct gk_tree_step step;

	(void)state;
	test_tree_leave(t, 0);
	test_tree_rekey(t);
	memset(&untouched, 0x5a, sizeof(untouched));
	next = untouched;
	step = test_tree_step(t);
	step.num = before.num;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_ERR_RANGE);
	step.num = t->num;
	step.height = 2;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_ERR_RANGE);
	step.height = GK_TREE_HEIGHT_MAX + 1;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_ERR_RANGE);
	step.height = 255;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_ERR_RANGE);
	assert_memory_equal(&next, &untouched, sizeof(next));
	step.height = 3;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_OK);
	assert_memory_equal(&next, &t->slot[1].path, sizeof(next));
	step.height = GK_TREE_HEIGHT_MAX;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_OK);
	assert_int_equal(next.height, GK_TREE_HEIGHT_MAX);
	test_tree_free(t);
}

static void entry_that_does_not_open_stops_the_member(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	struct gk_keypath before = t->slot[5].path, older, next, untouched;
	struct gk_tree_step step;

	(void)state;
	test_tree_leave(t, 0);
	test_tree_rekey(t);
	step = test_tree_step(t);
	memset(&untouched, 0x5a, sizeof(untouched));
	next = untouched;
	// slot 5 reads the last of three entries
	t->message.entries.data[2 * GK_TREE_ENTRY_LEN + 20] ^= 1;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_ERR_CRYPTO);
	assert_memory_equal(&next, &untouched, sizeof(next));
	t->message.entries.data[2 * GK_TREE_ENTRY_LEN + 20] ^= 1;
	// the right key as another version's
	older = before;
	older.node[2].version--;
	assert_int_equal(gk_keypath_advance(&older, &t->tree.group, &step, &next), GK_ERR_CRYPTO);
	assert_memory_equal(&next, &untouched, sizeof(next));
	// an entry that is none of its affairs
	t->message.entries.data[20] ^= 1;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_OK);
	assert_memory_equal(gk_keypath_root(&next), gk_keytree_root(&t->tree)->key.bytes,
			    GK_TREE_KEY_LEN);
	test_tree_free(t);
}

static void missing_entry_leads_to_another_root(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	struct gk_keypath before = t->slot[5].path, next;
	struct gk_tree_step step;

	(void)state;
	test_tree_leave(t, 0);
	test_tree_rekey(t);
	step = test_tree_step(t);
	step.entries.len -= GK_TREE_ENTRY_LEN;
	assert_int_equal(gk_keypath_advance(&before, &t->tree.group, &step, &next), GK_OK);
	assert_memory_not_equal(gk_keypath_root(&next), gk_keytree_root(&t->tree)->key.bytes,
				GK_TREE_KEY_LEN);
	test_tree_free(t);
}

/** What a member keeps of several messages is what its path takes, and that is enough. */
static void entries_that_a_member_wants_are_enough_for_it(void **state)
{
	struct test_tree *t = test_tree_full(64, 16);
	struct gk_keypath before[16];
	struct gk_tree_step step;
	size_t wanted = 0;

	(void)state;
	for (size_t slot = 0; slot < 16; slot++)
		before[slot] = t->slot[slot].path;
	test_tree_leave(t, 3);
	test_tree_leave(t, 9);
	test_tree_join_many(t, 8); // so that the root is marked, and grows
	test_tree_rekey(t);
	step = test_tree_step(t);
	for (size_t slot = 0; slot < 16; slot++) {
		uint8_t memory[32 * GK_TREE_ENTRY_LEN];
		struct gk_buf own = gk_buf(memory, sizeof(memory));
		struct gk_keypath next;

		if (t->slot[slot].since == t->num)
			continue;
		for (size_t i = 0; i < t->entries; i++) {
			const uint8_t *entry = t->message.entries.data + i * GK_TREE_ENTRY_LEN;

			if (gk_keypath_wants(&before[slot], entry))
				gk_buf_add(&own, gk_span(entry, GK_TREE_ENTRY_LEN));
		}
		wanted += own.len / GK_TREE_ENTRY_LEN;
		step.entries = gk_buf_span(&own);
		assert_int_equal(gk_keypath_advance(&before[slot], &t->tree.group, &step, &next),
				 GK_OK);
		assert_memory_equal(&next, &t->slot[slot].path, sizeof(next));
	}
	assert_true(wanted < 2 * 14);
	test_tree_free(t);
}

static void entries_of_other_nodes_are_not_wanted(void **state)
{
	static const struct {
		uint8_t entry[GK_TREE_ENTRY_LEN];
		bool wanted;
	} rows[] = {
		{ { 0, 0x01, 0x23 }, true },  { { 0, 0x01, 0x22 }, false },
		{ { 0, 0x00, 0x23 }, false }, { { 4, 0x00, 0x12 }, true },
		{ { 4, 0x00, 0x13 }, false }, { { 3, 0x00, 0x12 }, false },
		{ { 15, 0, 0 }, true },       { { 15, 0, 1 }, false },
		{ { 16, 0, 0 }, false },      { { 255, 0, 0 }, false },
	};
	struct gk_keypath path = { .known = true, .slot = 0x0123, .height = 9 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
			gk_keypath_wants(
				&path, exact_copy(gk_span(rows[i].entry, GK_TREE_ENTRY_LEN)).data),
			rows[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_read_from_what_the_kdc_gives),
		cmocka_unit_test(path_goes_forward_and_up_only),
		cmocka_unit_test(entry_that_does_not_open_stops_the_member),
		cmocka_unit_test(missing_entry_leads_to_another_root),
		cmocka_unit_test(entries_that_a_member_wants_are_enough_for_it),
		cmocka_unit_test(entries_of_other_nodes_are_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
