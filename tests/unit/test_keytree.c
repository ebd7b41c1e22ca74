// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// The rules of the tree one by one; test_keytree_random.c has all of them at once.
#include "libgroupkey/keytree.h"

#include "tests/lib/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void derive(const uint8_t *key, enum gk_tree_label label, uint64_t number, uint8_t *out)
{
	assert_int_equal(gk_tree_derive(gk_span(key, GK_TREE_KEY_LEN), label, number, out), GK_OK);
}

/** Nothing that any label makes of a key that someone has is that other key, nor are they one. */
static void expect_unrelated(const uint8_t *has, const uint8_t *key, uint32_t num)
{
	uint8_t made[GK_TREE_KEY_LEN];

	assert_memory_not_equal(has, key, GK_TREE_KEY_LEN);
	for (enum gk_tree_label label = GK_TREE_FRESH; label <= GK_TREE_GROUP; label++) {
		for (uint64_t number = 0; number <= num + GK_TREE_HEIGHT_MAX; number++) {
			derive(has, label, number, made);
			assert_memory_not_equal(made, key, GK_TREE_KEY_LEN);
		}
	}
}

/** One who left with a path has no key of it that leads to any of the slot's new ones, nor does
 *  the newest message give it any. */
static void expect_locked_out(struct test_tree *t, const struct gk_keypath *gone)
{
	struct gk_tree_step step = test_tree_step(t);
	struct gk_keypath next;

	for (unsigned l = 0; l <= t->tree.height; l++) {
		const struct gk_keytree_node *node = &t->tree.level[l][gone->slot >> l];

		for (unsigned held = 0; held <= gone->height && node->has_key; held++)
			expect_unrelated(gone->node[held].bytes, node->key.bytes, t->num);
	}
	if (gk_keypath_advance(gone, &t->tree.group, &step, &next) == GK_OK)
		assert_memory_not_equal(gk_keypath_root(&next),
					gk_keytree_root(&t->tree)->key.bytes, GK_TREE_KEY_LEN);
}

/* slots */

static void joiner_takes_the_lowest_free_slot(void **state)
{
	static const uint16_t leavers[] = { 13, 2, 7, 3 };
	struct test_tree *t = test_tree_full(16, 16);

	(void)state;
	for (size_t i = 0; i < COUNT(leavers); i++)
		test_tree_leave(t, leavers[i]);
	assert_int_equal(test_tree_join(t), 2);
	assert_int_equal(test_tree_join(t), 3);
	assert_int_equal(test_tree_join(t), 7);
	assert_int_equal(test_tree_join(t), 13);
	test_tree_rekey(t);
	test_tree_free(t);
}

static void tree_grows_when_no_slot_is_free(void **state)
{
	struct test_tree *t = test_tree_new(1, 64);

	(void)state;
	assert_int_equal(t->tree.height, 1);
	for (size_t i = 0; i < 33; i++) {
		assert_int_equal(test_tree_join(t), i);
		test_tree_rekey(t);
		assert_true(i < (size_t)1 << t->tree.height);
		assert_true(t->tree.height == 1 || i >= (size_t)1 << (t->tree.height - 1));
	}
	assert_int_equal(t->tree.height, 6);
	while (t->members > 0)
		test_tree_leave(t, (uint16_t)(t->members - 1));
	test_tree_rekey(t);
	assert_int_equal(t->tree.height, 6);
	test_tree_free(t);
}

static void tree_has_65536_slots_and_no_more(void **state)
{
	struct test_tree *t = test_tree_new(1, 2);
	uint16_t slot;

	(void)state;
	for (size_t i = 0; i < 65536; i++) {
		assert_int_equal(gk_keytree_join(&t->tree, &slot), GK_OK);
		assert_int_equal(slot, i);
	}
	assert_int_equal(gk_keytree_join(&t->tree, &slot), GK_ERR_NO_SPACE);
	assert_int_equal(gk_keytree_members(&t->tree), 65536);
	assert_int_equal(gk_keytree_leave(&t->tree, 40000), GK_OK);
	assert_int_equal(gk_keytree_join(&t->tree, &slot), GK_OK);
	assert_int_equal(slot, 40000);
	test_tree_free(t);
}

static void nodes_outside_are_none(void **state)
{
	struct test_tree *t = test_tree_full(8, 5);

	(void)state;
	assert_ptr_equal(gk_keytree_node(&t->tree, (struct gk_tree_name){ 3, 0 }),
			 gk_keytree_root(&t->tree));
	assert_non_null(gk_keytree_node(&t->tree, (struct gk_tree_name){ 0, 7 }));
	assert_null(gk_keytree_node(&t->tree, (struct gk_tree_name){ 0, 8 }));
	assert_null(gk_keytree_node(&t->tree, (struct gk_tree_name){ 3, 1 }));
	assert_null(gk_keytree_node(&t->tree, (struct gk_tree_name){ 4, 0 }));
	assert_null(gk_keytree_node(&t->tree, (struct gk_tree_name){ 255, 0 }));
	test_tree_free(t);
}

static void keys_end_with_the_last_member_below(void **state)
{
	static const uint8_t zeros[GK_TREE_KEY_LEN];
	struct test_tree *t = test_tree_full(4, 4);

	(void)state;
	test_tree_leave(t, 2);
	assert_false(t->tree.level[0][2].has_key);
	assert_memory_equal(t->tree.level[0][2].key.bytes, zeros, sizeof(zeros));
	assert_true(t->tree.level[1][1].has_key);
	test_tree_leave(t, 3);
	assert_false(t->tree.level[1][1].has_key);
	assert_memory_equal(t->tree.level[1][1].key.bytes, zeros, sizeof(zeros));
	assert_true(gk_keytree_root(&t->tree)->has_key);
	test_tree_leave(t, 0);
	test_tree_leave(t, 1);
	assert_false(gk_keytree_root(&t->tree)->has_key);
	test_tree_rekey(t);
	assert_false(t->message.had_root);
	assert_int_equal(t->entries, 0);
	test_tree_free(t);
}

/* what a rekeying costs */

static void departure_from_a_full_tree_takes_log2_n_entries(void **state)
{
	(void)state;
	for (unsigned height = 1; height <= 12; height++) {
		struct test_tree *t = test_tree_full((size_t)1 << height, (size_t)1 << height);

		for (size_t i = 0; i < 4; i++) {
			uint16_t slot = (uint16_t)test_tree_random(t, 1u << height);

			test_tree_leave(t, slot);
			test_tree_rekey(t);
			assert_int_equal(t->entries, height);
			assert_int_equal(test_tree_join(t), slot);
			test_tree_rekey(t);
		}
		test_tree_free(t);
	}
}

static void joins_and_plain_refreshes_take_no_entry(void **state)
{
	struct test_tree *t = test_tree_new(1, 256);

	(void)state;
	for (size_t i = 0; i < 24; i++) {
		test_tree_join_many(t, test_tree_random(t, 10));
		test_tree_rekey(t);
		assert_int_equal(t->entries, 0);
		test_tree_rekey(t);
		assert_int_equal(t->entries, 0);
	}
	test_tree_free(t);
}

static void rekeying_comes_by_no_more_nodes_than_it_has_to(void **state)
{
	struct test_tree *t = test_tree_full(1024, 1024);

	(void)state;
	test_tree_rekey(t);
	assert_int_equal(t->tree.changed_count, 1);
	test_tree_leave(t, 700);
	test_tree_rekey(t);
	assert_int_equal(t->tree.changed_count, 11);
	test_tree_join(t);
	test_tree_rekey(t);
	assert_int_equal(t->tree.changed_count, 11);
	test_tree_leave(t, 0);
	test_tree_leave(t, 1023);
	test_tree_rekey(t);
	assert_int_equal(t->tree.changed_count, 21);
	test_tree_free(t);
}

static void joiner_who_goes_again_leaves_no_trace(void **state)
{
	struct test_tree *t = test_tree_full(8, 5);

	(void)state;
	test_tree_join_many(t, 2);
	test_tree_leave(t, 5);
	test_tree_leave(t, 6);
	test_tree_rekey(t);
	assert_int_equal(t->tree.changed_count, 1);
	test_tree_join_many(t, 3);
	test_tree_leave(t, 5);
	test_tree_leave(t, 6);
	test_tree_rekey(t);
	assert_int_equal(t->entries, 0);
	assert_int_equal(t->tree.changed_count, 4);
	test_tree_free(t);
}

/* what secrecy hangs on */

/** Two who left know the key of the node above both of their slots, and the ways on from it. */
static void emptied_subtree_gets_a_fresh_key_when_a_joiner_comes(void **state)
{
	(void)state;
	for (int rekeyed_between = 0; rekeyed_between < 2; rekeyed_between++) {
		struct test_tree *t = test_tree_full(8, 8);
		struct gk_keypath gone[] = { t->slot[4].path, t->slot[5].path };

		test_tree_leave(t, 4);
		test_tree_leave(t, 5);
		if (rekeyed_between)
			test_tree_rekey(t);
		assert_int_equal(test_tree_join(t), 4);
		test_tree_rekey(t);
		expect_locked_out(t, &gone[0]);
		expect_locked_out(t, &gone[1]);
		test_tree_free(t);
	}
}

static void whole_tree_emptied_starts_afresh(void **state)
{
	struct test_tree *t = test_tree_full(4, 4);
	struct gk_keypath gone = t->slot[0].path;

	(void)state;
	for (uint16_t slot = 0; slot < 4; slot++)
		test_tree_leave(t, slot);
	test_tree_rekey(t);
	test_tree_join_many(t, 3);
	test_tree_rekey(t);
	assert_false(t->message.had_root);
	expect_locked_out(t, &gone);
	test_tree_free(t);
}

static void slot_left_and_taken_in_one_rekeying_is_its_new_owner_s(void **state)
{
	(void)state;
	for (uint16_t slot = 0; slot < 8; slot++) {
		struct test_tree *t = test_tree_full(8, 8);
		struct gk_keypath gone = t->slot[slot].path;

		test_tree_leave(t, slot);
		assert_int_equal(test_tree_join(t), slot);
		test_tree_rekey(t);
		assert_int_equal(t->entries, 4); // the new leaf, and the three beside its path
		assert_int_equal(t->message.joined_count, 1);
		expect_locked_out(t, &gone);
		test_tree_free(t);
	}
}

/** Also if it is left and taken more than once. */
static void slot_with_three_owners_is_the_last_one_s(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	struct gk_keypath gone = t->slot[6].path;

	(void)state;
	test_tree_leave(t, 6);
	test_tree_join(t);
	test_tree_leave(t, 6);
	test_tree_join(t);
	test_tree_rekey(t);
	assert_int_equal(t->entries, 4);
	assert_int_equal(t->message.joined_count, 1);
	expect_locked_out(t, &gone);
	test_tree_free(t);
}

/** A joiner below a marked node: the node's old key is the departed's, and leads nowhere. */
static void join_derivation_is_for_unmarked_nodes_only(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	uint8_t derived[GK_TREE_KEY_LEN];
	struct gk_keypath gone;
	struct gk_tree_key before;

	(void)state;
	test_tree_leave(t, 1);
	test_tree_rekey(t);
	gone = t->slot[3].path;
	before = *test_tree_key(t, 1, 0);
	test_tree_leave(t, 3);
	assert_int_equal(test_tree_join(t), 1);
	test_tree_rekey(t);
	expect_locked_out(t, &gone);
	for (unsigned l = 1; l <= 3; l++) {
		uint16_t index = (uint16_t)(1 >> l);

		// (1, 0) is above the joiner alone
		derive(l == 1 ? before.bytes : gone.node[l].bytes, GK_TREE_JOIN, t->num, derived);
		assert_int_equal(memcmp(derived, test_tree_key(t, (uint8_t)l, index)->bytes,
					sizeof(derived)) == 0,
				 l == 1);
	}
	test_tree_free(t);
}

static void joiner_cannot_tell_what_was_before(void **state)
{
	struct test_tree *t = test_tree_full(8, 5);
	struct gk_keytree_node before[4];

	(void)state;
	for (unsigned l = 0; l <= 3; l++)
		before[l] = t->tree.level[l][5 >> l];
	assert_int_equal(test_tree_join(t), 5);
	test_tree_rekey(t);
	for (unsigned l = 0; l <= 3; l++) {
		for (unsigned held = 0; held <= 3 && before[l].has_key; held++)
			expect_unrelated(t->slot[5].path.node[held].bytes, before[l].key.bytes,
					 t->num);
	}
	test_tree_free(t);
}

/* growth */

static void new_root_comes_from_the_former_one(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);
	struct gk_tree_key former = gk_keytree_root(&t->tree)->key;
	uint8_t grown[GK_TREE_KEY_LEN];

	(void)state;
	assert_int_equal(test_tree_join(t), 4);
	test_tree_rekey(t);
	assert_int_equal(t->tree.height, 3);
	derive(former.bytes, GK_TREE_GROW, 3, grown);
	assert_memory_equal(gk_keytree_root(&t->tree)->key.bytes, grown, sizeof(grown));
	assert_memory_equal(test_tree_key(t, 2, 0)->bytes, former.bytes, sizeof(former.bytes));
	// whose members have it from the message, as everybody else's have
	assert_int_equal(t->entries, 0);
	test_tree_free(t);
}

/** Free slots of the former tree are taken first, so that its root changes before it is grown
 *  from; and one may grow by several levels at once. */
static void tree_grows_by_several_levels_from_its_newest_keys(void **state)
{
	struct test_tree *t = test_tree_full(64, 3);
	struct gk_tree_key former = gk_keytree_root(&t->tree)->key;
	uint8_t key[GK_TREE_KEY_LEN];

	(void)state;
	test_tree_join_many(t, 30);
	test_tree_rekey(t);
	assert_int_equal(t->tree.height, 6);
	assert_int_equal(t->entries, 0);
	derive(former.bytes, GK_TREE_JOIN, t->num, key);
	for (uint8_t level = 2; level <= 6; level++) {
		if (level > 2)
			derive(key, GK_TREE_GROW, level, key);
		assert_memory_equal(test_tree_key(t, level, 0)->bytes, key, sizeof(key));
	}
	test_tree_free(t);
}

/** Who left knows the former root's old key, so the new root has to be out of its reach. */
static void growth_over_a_marked_root_goes_by_the_chain(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);
	struct gk_keypath gone = t->slot[1].path;
	uint8_t grown[GK_TREE_KEY_LEN];

	(void)state;
	test_tree_leave(t, 1);
	test_tree_join_many(t, 2);
	test_tree_rekey(t);
	assert_int_equal(t->tree.height, 3);
	expect_locked_out(t, &gone);
	derive(test_tree_key(t, 2, 0)->bytes, GK_TREE_GROW, 3, grown);
	assert_memory_not_equal(gk_keytree_root(&t->tree)->key.bytes, grown, sizeof(grown));
	// (0,0) and the new leaf, (1,1), and the joiner's side of the new root
	assert_int_equal(t->entries, 4);
	test_tree_free(t);
}

/** The same, if they leave when the tree has grown already. */
static void departure_after_growth_marks_up_to_the_new_root(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);
	struct gk_keypath gone = t->slot[3].path;

	(void)state;
	assert_int_equal(test_tree_join(t), 4);
	test_tree_leave(t, 3);
	test_tree_rekey(t);
	expect_locked_out(t, &gone);
	test_tree_free(t);
}

static void growth_for_one_who_left_again_still_counts(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);

	(void)state;
	test_tree_leave(t, test_tree_join(t));
	test_tree_rekey(t);
	assert_int_equal(t->tree.height, 3);
	assert_int_equal(t->message.joined_count, 0);
	assert_int_equal(t->entries, 0);
	assert_int_equal(test_tree_join(t), 4);
	test_tree_rekey(t);
	test_tree_free(t);
}

static void all_who_knew_keys_leave_a_grown_tree(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);
	struct gk_keypath gone = t->slot[2].path;

	(void)state;
	test_tree_join(t);
	for (uint16_t slot = 0; slot < 4; slot++)
		test_tree_leave(t, slot);
	test_tree_rekey(t);
	expect_locked_out(t, &gone);
	test_tree_free(t);
}

/* versions */

static void num_must_be_above_all_versions(void **state)
{
	static const uint8_t secret[32] = { 1 };
	struct test_tree *t = test_tree_full(4, 3);
	struct gk_tree_key before;

	(void)state;
	t->num = 20;
	test_tree_rekey(t);
	before = gk_keytree_root(&t->tree)->key;
	test_tree_leave(t, 1);
	gk_keytree_done(&t->tree, &t->message);
	assert_int_equal(gk_keytree_rekey(&t->tree, 20, secret, &t->message), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_rekey(&t->tree, 21, secret, &t->message), GK_ERR_RANGE);
	assert_memory_equal(&gk_keytree_root(&t->tree)->key, &before, sizeof(before));
	assert_int_equal(t->tree.left_count, 1);
	test_tree_rekey(t);
	assert_int_equal(t->num, 22);
	test_tree_free(t);
}

static void fresh_keys_are_those_of_the_secret(void **state)
{
	struct test_tree *t = test_tree_new(1, 4);
	uint8_t secret[32] = { 1, 2, 3 }, made[GK_TREE_KEY_LEN];

	(void)state;
	test_tree_join_many(t, 3);
	assert_int_equal(gk_keytree_rekey(&t->tree, 1, secret, &t->message), GK_OK);
	for (uint8_t level = 0; level <= 2; level++) {
		for (uint16_t index = 0; index < 4 >> level; index++) {
			struct gk_tree_name name = { level, index };

			if (level == 0 && index == 3)
				continue;
			assert_int_equal(gk_tree_derive(gk_span(secret, sizeof(secret)),
							GK_TREE_FRESH, gk_tree_number(name), made),
					 GK_OK);
			assert_memory_equal(test_tree_key(t, level, index)->bytes, made,
					    sizeof(made));
		}
	}
	test_tree_free(t);
}

static void expect_key(const struct test_tree *t, struct gk_tree_name name, const uint8_t *seed)
{
	uint8_t key[GK_TREE_KEY_LEN];

	derive(seed, GK_TREE_KEY, 0, key);
	assert_memory_equal(test_tree_key(t, name.level, name.index)->bytes, key, sizeof(key));
}

static void expect_entry(const struct test_tree *t, size_t at, struct gk_tree_name child,
			 const uint8_t *seed)
{
	struct gk_span entry = gk_span_sub(gk_blob_span(&t->message.entries),
					   at * GK_TREE_ENTRY_LEN, GK_TREE_ENTRY_LEN);
	uint8_t opened[GK_TREE_KEY_LEN];

	assert_int_equal(gk_tree_open(&t->tree.group, t->num, child,
				      test_tree_key(t, child.level, child.index), entry, opened),
			 GK_OK);
	assert_memory_equal(opened, seed, sizeof(opened));
}

/** Two who leave far from each other: the chain of the left one goes on to the root, where the
 *  other one's members get an entry. */
static void seeds_begin_fresh_and_go_up(void **state)
{
	static const struct gk_tree_name left[] = { { 1, 0 }, { 2, 0 }, { 3, 0 } };
	static const struct gk_tree_name right[] = { { 1, 3 }, { 2, 1 } };
	static const struct gk_tree_name children[] = { { 0, 0 }, { 0, 7 }, { 1, 1 }, { 1, 2 } };
	struct test_tree *t = test_tree_full(8, 8);
	uint8_t secret[32] = { 1, 2, 3 }, seeds[5][GK_TREE_KEY_LEN];

	(void)state;
	test_tree_leave(t, 1);
	test_tree_leave(t, 6);
	gk_keytree_done(&t->tree, &t->message);
	assert_int_equal(gk_keytree_rekey(&t->tree, ++t->num, secret, &t->message), GK_OK);
	for (size_t i = 0; i < 5; i++) {
		struct gk_tree_name name = i < 3 ? left[i] : right[i - 3];

		if (name.level > 1)
			derive(seeds[i - 1], GK_TREE_UP, 0, seeds[i]);
		else
			assert_int_equal(gk_tree_derive(gk_span(secret, sizeof(secret)),
							GK_TREE_FRESH, gk_tree_number(name),
							seeds[i]),
					 GK_OK);
		expect_key(t, name, seeds[i]);
	}
	assert_int_equal(t->message.entries.len, 5 * GK_TREE_ENTRY_LEN);
	expect_entry(t, 0, children[0], seeds[0]);
	expect_entry(t, 1, children[1], seeds[3]);
	expect_entry(t, 2, children[2], seeds[1]);
	expect_entry(t, 3, children[3], seeds[4]);
	expect_entry(t, 4, right[1], seeds[2]);
	test_tree_free(t);
}

/* memory */

/** Everything of a tree that a caller can see of a failure. */
struct view {
	uint8_t height, keyed_height;
	size_t left_count, joined_count, nodes_len;
	struct gk_keytree_node *nodes;
};

static struct view look_at(const struct gk_keytree *tree)
{
	size_t count = ((size_t)2 << tree->height) - 1, at = 0;
	struct view view = {
		.height = tree->height,
		.keyed_height = tree->keyed_height,
		.left_count = tree->left_count,
		.joined_count = tree->joined_count,
		.nodes_len = count * sizeof(*view.nodes),
		.nodes = calloc(count, sizeof(*view.nodes)),
	};

	assert_non_null(view.nodes);
	for (unsigned l = 0; l <= tree->height; l++) {
		for (size_t i = 0; i < (size_t)1 << (tree->height - l); i++)
			view.nodes[at++] = tree->level[l][i];
	}
	return view;
}

static void expect_unchanged(const struct gk_keytree *tree, struct view *before)
{
	struct view now = look_at(tree);

	assert_int_equal(now.height, before->height);
	assert_int_equal(now.keyed_height, before->keyed_height);
	assert_int_equal(now.left_count, before->left_count);
	assert_int_equal(now.joined_count, before->joined_count);
	assert_memory_equal(now.nodes, before->nodes, now.nodes_len);
	free(now.nodes);
	free(before->nodes);
}

static void tree_without_memory_is_none(void **state)
{
	struct gk_tree_group group = { .name = gk_span_str("lights") };
	struct gk_keytree tree;
	struct test_env memory;
	struct gk_env env = test_env(&memory, 1);

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		test_env_fail_alloc(&memory, n);
		assert_int_equal(gk_keytree_init(&tree, &env, &group), GK_ERR_NO_MEMORY);
		assert_int_equal(memory.blocks, 0);
	}
	test_env_fail_alloc(&memory, 3);
	assert_int_equal(gk_keytree_init(&tree, &env, &group), GK_OK);
	gk_keytree_wipe(&tree);
	gk_keytree_wipe(&tree); // harmless
	assert_int_equal(memory.blocks, 0);
}

static void join_without_memory_changes_nothing(void **state)
{
	struct test_tree *t = test_tree_full(16, 8);
	unsigned failures = 0;
	enum gk_err err;

	(void)state;
	do {
		struct view before = look_at(&t->tree);
		uint16_t slot;

		test_env_fail_alloc(&t->memory, failures + 1);
		err = gk_keytree_join(&t->tree, &slot);
		test_env_fail_alloc(&t->memory, 0);
		if (err == GK_OK) {
			free(before.nodes);
			break;
		}
		assert_int_equal(err, GK_ERR_NO_MEMORY);
		expect_unchanged(&t->tree, &before);
		failures++;
	} while (failures < 100);
	assert_int_equal(failures, 5); // one for each level of the new tree
	assert_int_equal(gk_keytree_leave(&t->tree, 8), GK_OK);
	test_tree_rekey(t);
	test_tree_free(t);
}

static void leave_without_memory_changes_nothing(void **state)
{
	struct test_tree *t = test_tree_full(16, 16);
	uint16_t slot;

	(void)state;
	for (slot = 0; slot < 16; slot++) {
		struct view before = look_at(&t->tree);
		bool needs = slot == 0 || slot == 8;

		test_env_fail_alloc(&t->memory, 1);
		assert_int_equal(gk_keytree_leave(&t->tree, slot),
				 needs ? GK_ERR_NO_MEMORY : GK_OK);
		test_env_fail_alloc(&t->memory, 0);
		if (needs) {
			expect_unchanged(&t->tree, &before);
			assert_int_equal(gk_keytree_leave(&t->tree, slot), GK_OK);
		} else {
			free(before.nodes);
		}
	}
	// a joiner who goes again needs none: nobody has to be told
	assert_int_equal(gk_keytree_join(&t->tree, &slot), GK_OK);
	test_env_fail_alloc(&t->memory, 1);
	assert_int_equal(gk_keytree_leave(&t->tree, slot), GK_OK);
	test_tree_free(t);
}

static void rekeying_without_memory_changes_nothing(void **state)
{
	static const uint8_t secret[32] = { 1 };
	struct test_tree *t = test_tree_full(16, 2);
	unsigned failures = 0;

	(void)state;
	test_tree_leave(t, 1);
	test_tree_join_many(t, 8);
	gk_keytree_done(&t->tree, &t->message);
	for (; failures < 4; failures++) {
		struct view before = look_at(&t->tree);

		test_env_fail_alloc(&t->memory, failures + 1);
		assert_int_equal(gk_keytree_rekey(&t->tree, t->num + 1, secret, &t->message),
				 GK_ERR_NO_MEMORY);
		test_env_fail_alloc(&t->memory, 0);
		assert_null(t->message.entries.data);
		expect_unchanged(&t->tree, &before);
	}
	test_env_fail_alloc(&t->memory, failures + 1); // there is no fifth that could fail
	test_tree_rekey(t);
	test_env_fail_alloc(&t->memory, 0);
	test_tree_free(t);
}

/** Sizes of what the tree holds, for wiped_alloc(). */
static struct {
	void *data;
	size_t size;
} held[128];
static size_t given_back;

static void *wiped_alloc(void *ctx, void *old, size_t size)
{
	size_t at = 0;

	(void)ctx;
	while (held[at].data != old)
		at++;
	assert_true(at < COUNT(held));
	for (size_t i = 0; old && size == 0 && i < held[at].size; i++)
		assert_int_equal(((uint8_t *)old)[i], 0);
	given_back += old && size == 0;
	held[at].data = size ? realloc(old, size) : NULL;
	held[at].size = size;
	if (!size)
		free(old);
	return held[at].data;
}

static void all_memory_goes_back_wiped(void **state)
{
	struct gk_env env = { .alloc = wiped_alloc };
	struct gk_tree_group group = { .name = gk_span_str("lights") };
	struct gk_keytree_rekeying message;
	struct gk_keytree tree;
	uint8_t secret[32] = { 1 };
	uint16_t slot;

	(void)state;
	assert_int_equal(gk_keytree_init(&tree, &env, &group), GK_OK);
	for (uint32_t num = 1; num < 20; num++) {
		secret[1]++;
		assert_int_equal(gk_keytree_join(&tree, &slot), GK_OK);
		assert_int_equal(gk_keytree_join(&tree, &slot), GK_OK);
		if (num > 1)
			assert_int_equal(gk_keytree_leave(&tree, slot / 2), GK_OK);
		assert_int_equal(gk_keytree_rekey(&tree, num, secret, &message), GK_OK);
		gk_keytree_done(&tree, &message);
	}
	gk_keytree_wipe(&tree);
	assert_true(given_back > 50);
	for (size_t i = 0; i < COUNT(held); i++)
		assert_null(held[i].data);
}

/* from the store */

/** What the KDC stores of a tree, back in a new one. */
static enum gk_err restore_slots(const struct test_tree *from, struct gk_keytree *tree)
{
	enum gk_err err = gk_keytree_restore_height(tree, from->tree.keyed_height);

	for (uint16_t slot = 0; !err && slot < from->slot_count; slot++) {
		if (from->slot[slot].member)
			err = gk_keytree_restore_slot(tree, slot);
	}
	for (size_t i = 0; !err && i < from->tree.left_count; i++)
		err = gk_keytree_restore_left(tree, from->tree.left[i]);
	return err;
}

/** @param without  a key that is lost */
static enum gk_err restore_keys(const struct test_tree *from, struct gk_keytree *tree,
				const struct gk_keytree_node *without)
{
	for (uint8_t l = 0; l <= from->tree.keyed_height; l++) {
		for (uint16_t i = 0; i < 1u << (from->tree.keyed_height - l); i++) {
			const struct gk_keytree_node *node = &from->tree.level[l][i];
			struct gk_tree_name name = { l, i };
			enum gk_err err = GK_OK;

			if (node->has_key && node != without)
				err = gk_keytree_restore_key(tree, name, &node->key);
			if (err)
				return err;
		}
	}
	return gk_keytree_restored(tree);
}

static enum gk_err restore(struct test_tree *from, struct gk_keytree *tree,
			   const struct gk_keytree_node *without)
{
	enum gk_err err = gk_keytree_init(tree, &from->env, &from->tree.group);

	if (!err)
		err = restore_slots(from, tree);
	return err ? err : restore_keys(from, tree, without);
}

/** In the middle of whatever is going on: the restored tree is the same, and goes on the same. */
static void restored_tree_is_the_one_that_was_stored(void **state)
{
	struct test_tree *t = test_tree_full(64, 20);
	struct gk_keytree restored;
	struct view now;

	(void)state;
	for (size_t round = 0; round < 64; round++) {
		size_t leavers = test_tree_random(t, 5);

		for (size_t i = 0; i < leavers && t->members > 0; i++) {
			uint16_t slot = (uint16_t)test_tree_random(t, 64);

			if (test_tree_is_taken(t, slot))
				test_tree_leave(t, slot);
		}
		assert_int_equal(restore(t, &restored, NULL), GK_OK);
		now = look_at(&t->tree);
		expect_unchanged(&restored, &now);
		gk_keytree_wipe(&t->tree);
		t->tree = restored;
		test_tree_join_many(t, test_tree_random(t, 64 - (uint32_t)t->members) / 4);
		test_tree_rekey(t);
	}
	test_tree_free(t);
}

/** Of a tree that grew for a joiner who went again, there is nothing to store yet. */
static void growth_without_a_rekeying_is_not_stored(void **state)
{
	struct test_tree *t = test_tree_full(16, 4);
	struct gk_keytree restored;

	(void)state;
	test_tree_leave(t, test_tree_join(t));
	assert_int_equal(restore(t, &restored, NULL), GK_OK);
	assert_int_equal(restored.height, 2);
	gk_keytree_wipe(&t->tree);
	t->tree = restored;
	test_tree_rekey(t);
	test_tree_free(t);
}

static void every_key_of_a_node_with_members_must_be_there(void **state)
{
	struct test_tree *t = test_tree_full(16, 11);

	(void)state;
	test_tree_leave(t, 4);
	for (unsigned l = 0; l <= t->tree.height; l++) {
		for (size_t i = 0; i < (size_t)1 << (t->tree.height - l); i++) {
			const struct gk_keytree_node *lost = &t->tree.level[l][i];
			struct gk_keytree tree;

			assert_int_equal(restore(t, &tree, lost),
					 lost->members ? GK_ERR_MISSING : GK_OK);
			gk_keytree_wipe(&tree);
		}
	}
	test_tree_free(t);
}

/** The store may still have the key of one who left; and whoever took the slot never had it. */
static void key_of_one_who_left_is_not_restored(void **state)
{
	struct test_tree *t = test_tree_full(8, 8);
	struct gk_tree_key leaf = *test_tree_key(t, 0, 2), above = *test_tree_key(t, 1, 1);
	struct gk_keytree tree;

	(void)state;
	test_tree_leave(t, 2);
	test_tree_leave(t, 3);
	assert_int_equal(gk_keytree_init(&tree, &t->env, &t->tree.group), GK_OK);
	assert_int_equal(restore_slots(t, &tree), GK_OK);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 0, 2 }, &leaf),
			 GK_OK);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 1, 1 }, &above),
			 GK_OK);
	assert_false(tree.level[0][2].has_key);
	assert_false(tree.level[1][1].has_key);
	assert_int_equal(restore_keys(t, &tree, NULL), GK_OK);
	gk_keytree_wipe(&tree);

	assert_int_equal(gk_keytree_init(&tree, &t->env, &t->tree.group), GK_OK);
	assert_int_equal(restore_slots(t, &tree), GK_OK);
	assert_int_equal(gk_keytree_restore_slot(&tree, 2), GK_OK);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 0, 2 }, &leaf),
			 GK_OK);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 1, 1 }, &above),
			 GK_OK);
	assert_int_equal(restore_keys(t, &tree, NULL), GK_ERR_MISSING);
	gk_keytree_wipe(&tree);
	test_tree_free(t);
}

static void damaged_store_is_refused(void **state)
{
	struct gk_tree_key newer = { .version = 9 };
	struct test_tree *t = test_tree_full(4, 3);
	struct gk_keytree tree;

	(void)state;
	assert_int_equal(gk_keytree_init(&tree, &t->env, &t->tree.group), GK_OK);
	assert_int_equal(gk_keytree_restore_height(&tree, 0), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_height(&tree, GK_TREE_HEIGHT_MAX + 1), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_height(&tree, 255), GK_ERR_RANGE);
	assert_int_equal(restore_slots(t, &tree), GK_OK);
	assert_int_equal(gk_keytree_restore_slot(&tree, 4), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_slot(&tree, UINT16_MAX), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_slot(&tree, 2), GK_ERR_DUPLICATE);
	assert_int_equal(gk_keytree_restore_left(&tree, 4), GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_left(&tree, 3), GK_OK);
	assert_int_equal(gk_keytree_restore_left(&tree, 3), GK_ERR_DUPLICATE);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 3, 0 }, &newer),
			 GK_ERR_RANGE);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 1, 2 }, &newer),
			 GK_ERR_RANGE);
	assert_int_equal(gk_keytree_members(&tree), 3);
	assert_int_equal(restore_keys(t, &tree, NULL), GK_OK);
	assert_int_equal(gk_keytree_restore_key(&tree, (struct gk_tree_name){ 1, 0 }, &newer),
			 GK_OK);
	assert_int_equal(gk_keytree_restored(&tree), GK_ERR_RANGE);
	gk_keytree_wipe(&tree);
	test_tree_free(t);
}

static void restore_without_memory_fails_and_leaks_nothing(void **state)
{
	struct test_tree *t = test_tree_full(16, 16);
	unsigned failures = 0;
	enum gk_err err;

	(void)state;
	test_tree_leave(t, 3);
	do {
		struct gk_keytree tree = { .env = NULL };
		size_t before = t->memory.blocks;

		test_env_fail_alloc(&t->memory, failures + 1);
		err = restore(t, &tree, NULL);
		test_env_fail_alloc(&t->memory, 0);
		gk_keytree_wipe(&tree);
		assert_int_equal(t->memory.blocks, before);
		if (err)
			assert_int_equal(err, GK_ERR_NO_MEMORY);
	} while (err && ++failures < 100);
	assert_int_equal(failures, 2 + 5 + 1);
	test_tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joiner_takes_the_lowest_free_slot),
		cmocka_unit_test(tree_grows_when_no_slot_is_free),
		cmocka_unit_test(tree_has_65536_slots_and_no_more),
		cmocka_unit_test(nodes_outside_are_none),
		cmocka_unit_test(keys_end_with_the_last_member_below),
		cmocka_unit_test(departure_from_a_full_tree_takes_log2_n_entries),
		cmocka_unit_test(joins_and_plain_refreshes_take_no_entry),
		cmocka_unit_test(rekeying_comes_by_no_more_nodes_than_it_has_to),
		cmocka_unit_test(joiner_who_goes_again_leaves_no_trace),
		cmocka_unit_test(emptied_subtree_gets_a_fresh_key_when_a_joiner_comes),
		cmocka_unit_test(whole_tree_emptied_starts_afresh),
		cmocka_unit_test(slot_left_and_taken_in_one_rekeying_is_its_new_owner_s),
		cmocka_unit_test(slot_with_three_owners_is_the_last_one_s),
		cmocka_unit_test(join_derivation_is_for_unmarked_nodes_only),
		cmocka_unit_test(joiner_cannot_tell_what_was_before),
		cmocka_unit_test(new_root_comes_from_the_former_one),
		cmocka_unit_test(tree_grows_by_several_levels_from_its_newest_keys),
		cmocka_unit_test(growth_over_a_marked_root_goes_by_the_chain),
		cmocka_unit_test(departure_after_growth_marks_up_to_the_new_root),
		cmocka_unit_test(growth_for_one_who_left_again_still_counts),
		cmocka_unit_test(all_who_knew_keys_leave_a_grown_tree),
		cmocka_unit_test(num_must_be_above_all_versions),
		cmocka_unit_test(fresh_keys_are_those_of_the_secret),
		cmocka_unit_test(seeds_begin_fresh_and_go_up),
		cmocka_unit_test(tree_without_memory_is_none),
		cmocka_unit_test(join_without_memory_changes_nothing),
		cmocka_unit_test(leave_without_memory_changes_nothing),
		cmocka_unit_test(rekeying_without_memory_changes_nothing),
		cmocka_unit_test(all_memory_goes_back_wiped),
		cmocka_unit_test(restored_tree_is_the_one_that_was_stored),
		cmocka_unit_test(growth_without_a_rekeying_is_not_stored),
		cmocka_unit_test(every_key_of_a_node_with_members_must_be_there),
		cmocka_unit_test(key_of_one_who_left_is_not_restored),
		cmocka_unit_test(damaged_store_is_refused),
		cmocka_unit_test(restore_without_memory_fails_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
