// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tree.h"

#include "libgroupkey/cbor.h"
#include "libgroupkey/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define JOINED_ROOM (5 + 3 * (size_t)(1 << GK_TREE_HEIGHT_MAX)) /* an array of all slots */

/** Where the newest message has its array: one tree sends at a time. */
static uint8_t joined_array[JOINED_ROOM];

static struct gk_tree_group the_group(void)
{
	return (struct gk_tree_group){
		.name = gk_span_str(TEST_TREE_NAME),
		.base_iv = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa },
	};
}

static void *zeros(size_t count, size_t size)
{
	void *data = calloc(count, size);

	assert_non_null(data);
	return data;
}

struct test_tree *test_tree_new(uint64_t seed, size_t slots)
{
	struct gk_tree_group group = the_group();
	struct test_tree *t = zeros(1, sizeof(*t));

	t->seed = t->dice = seed;
	t->slot_count = slots;
	t->slot = zeros(slots, sizeof(*t->slot));
	t->before = zeros(2 * slots, sizeof(*t->before));
	t->height_before = 1;
	t->env = test_env(&t->memory, seed);
	assert_int_equal(gk_keytree_init(&t->tree, &t->env, &group), GK_OK);
	return t;
}

void test_tree_free(struct test_tree *t)
{
	gk_keytree_done(&t->tree, &t->message);
	gk_keytree_wipe(&t->tree);
	assert_int_equal(t->memory.blocks, 0);
	free(t->slot);
	free(t->before);
	free(t);
}

uint32_t test_tree_random(struct test_tree *t, uint32_t limit)
{
	// Knuth's MMIX generator; its high bits are the good ones.
	t->dice = t->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((t->dice >> 32) * limit >> 32);
}

bool test_tree_is_taken(const struct test_tree *t, size_t slot)
{
	return t->slot[slot].member || t->slot[slot].joined;
}

const struct gk_tree_key *test_tree_key(const struct test_tree *t, uint8_t level, uint16_t index)
{
	const struct gk_keytree_node *node =
		gk_keytree_node(&t->tree, (struct gk_tree_name){ level, index });

	assert_non_null(node);
	assert_true(node->has_key);
	return &node->key;
}

/* who comes and goes */

uint16_t test_tree_join(struct test_tree *t)
{
	uint16_t slot;

	assert_int_equal(gk_keytree_join(&t->tree, &slot), GK_OK);
	for (size_t i = 0; i < slot; i++)
		assert_true(test_tree_is_taken(t, i));
	assert_true(slot < t->slot_count);
	assert_false(test_tree_is_taken(t, slot));
	t->slot[slot].joined = true;
	t->members++;
	assert_int_equal(gk_keytree_members(&t->tree), t->members);
	return slot;
}

void test_tree_join_many(struct test_tree *t, size_t count)
{
	while (count-- > 0)
		test_tree_join(t);
}

void test_tree_leave(struct test_tree *t, uint16_t slot)
{
	struct test_tree_slot *s = &t->slot[slot];

	assert_true(test_tree_is_taken(t, slot));
	assert_int_equal(gk_keytree_leave(&t->tree, slot), GK_OK);
	*s = (struct test_tree_slot){ .left = s->left || s->member };
	t->members--;
	assert_int_equal(gk_keytree_members(&t->tree), t->members);
}

/* the plain count */

static bool any_below(const struct test_tree *t, unsigned level, size_t index, bool left)
{
	for (size_t slot = index << level; slot < (index + 1) << level; slot++) {
		if (left ? t->slot[slot].left : test_tree_is_taken(t, slot))
			return true;
	}
	return false;
}

static bool has_members(const struct test_tree *t, unsigned level, size_t index)
{
	return any_below(t, level, index, false);
}

static bool is_marked(const struct test_tree *t, unsigned level, size_t index)
{
	return level > 0 && any_below(t, level, index, true);
}

/** Non-empty unmarked children of marked nodes, and marked nodes with two marked ones. */
static size_t count_at(const struct test_tree *t, unsigned level, size_t index)
{
	size_t marked = 0, unmarked = 0;

	if (!is_marked(t, level, index))
		return 0;
	for (size_t child = 2 * index; child < 2 * index + 2; child++) {
		if (!has_members(t, level - 1, child))
			continue;
		if (is_marked(t, level - 1, child))
			marked++;
		else
			unmarked++;
	}
	return unmarked + (marked == 2);
}

static size_t fewest_entries(const struct test_tree *t)
{
	size_t count = 0;

	for (unsigned level = 1; level <= t->tree.height; level++) {
		for (size_t index = 0; index < (size_t)1 << (t->tree.height - level); index++)
			count += count_at(t, level, index);
	}
	return count;
}

/* what a message says */

static uint32_t place_of(const uint8_t *entry)
{
	return (uint32_t)gk_span_uint(gk_span(entry, 3));
}

static void check_entries(struct test_tree *t, size_t fewest)
{
	const uint8_t *entry = t->message.entries.data;

	t->entries = t->message.entries.len / GK_TREE_ENTRY_LEN;
	assert_int_equal(t->message.entries.len % GK_TREE_ENTRY_LEN, 0);
	if (t->entries != fewest)
		fail_msg("seed %llu, num %u: %zu entries, and %zu would do", t->seed, t->num,
			 t->entries, fewest);
	for (size_t i = 1; i < t->entries; i++, entry += GK_TREE_ENTRY_LEN)
		assert_true(place_of(entry) < place_of(entry + GK_TREE_ENTRY_LEN));
}

static void check_joined(const struct test_tree *t)
{
	size_t at = 0;

	for (size_t slot = 0; slot < t->slot_count; slot++) {
		if (!t->slot[slot].joined)
			continue;
		assert_true(at < t->message.joined_count);
		assert_int_equal(t->message.joined[at++], slot);
	}
	assert_int_equal(at, t->message.joined_count);
}

struct gk_tree_step test_tree_step(struct test_tree *t)
{
	struct gk_buf joined = gk_buf(joined_array, sizeof(joined_array));

	gk_put_array(&joined, t->message.joined_count);
	for (size_t i = 0; i < t->message.joined_count; i++)
		gk_put_uint(&joined, t->message.joined[i]);
	return (struct gk_tree_step){
		.num = t->num,
		.height = t->tree.height,
		.joined = gk_buf_span(&joined),
		.entries = gk_blob_span(&t->message.entries),
	};
}

/* members */

/** The path in the form in which the KDC gives it. */
static void put_path(const struct gk_keypath *path, struct gk_buf *buf)
{
	for (unsigned l = 0; l <= path->height; l++) {
		gk_buf_byte(buf, (uint8_t)(path->node[l].version >> 24));
		gk_buf_byte(buf, (uint8_t)(path->node[l].version >> 16));
		gk_buf_byte(buf, (uint8_t)(path->node[l].version >> 8));
		gk_buf_byte(buf, (uint8_t)path->node[l].version);
		gk_buf_add(buf, gk_span(path->node[l].bytes, GK_TREE_KEY_LEN));
	}
}

static void advance(struct test_tree *t, uint16_t slot, const struct gk_tree_step *step)
{
	struct gk_keypath *path = &t->slot[slot].path;
	enum gk_err err = gk_keypath_advance(path, &t->tree.group, step, path);

	if (err)
		fail_msg("seed %llu, num %u, slot %u: %s", t->seed, t->num, slot, gk_strerror(err));
}

static void begin(struct test_tree *t, uint16_t slot, struct gk_span path)
{
	struct test_tree_slot *s = &t->slot[slot];

	assert_int_equal(gk_keypath_read(path, t->num, slot, &s->path), GK_OK);
	assert_int_equal(s->path.slot, slot);
	assert_int_equal(s->path.num, t->num);
	s->member = true;
	s->joined = false;
	s->since = t->num;
}

static void check_member(struct test_tree *t, uint16_t slot, const struct gk_tree_step *step)
{
	uint8_t memory[2][GK_KEYPATH_NODE_LEN * (GK_TREE_HEIGHT_MAX + 1)];
	struct gk_buf own = gk_buf(memory[0], sizeof(memory[0]));
	struct gk_buf kdcs = gk_buf(memory[1], sizeof(memory[1]));

	gk_keytree_put_path(&t->tree, slot, &kdcs);
	if (t->slot[slot].member)
		advance(t, slot, step);
	else
		begin(t, slot, gk_buf_span(&kdcs));
	put_path(&t->slot[slot].path, &own);
	if (!gk_span_equal(gk_buf_span(&own), gk_buf_span(&kdcs)))
		fail_msg("seed %llu, num %u, slot %u: other keys than the KDC's", t->seed, t->num,
			 slot);
}

/* nodes */

static bool is_named(const struct gk_keytree *tree, unsigned level, size_t index)
{
	for (size_t i = 0; i < tree->changed_count; i++) {
		if (tree->changed[i].level == level && tree->changed[i].index == index)
			return true;
	}
	return false;
}

static bool same_key(const struct gk_keytree_node *a, const struct gk_keytree_node *b)
{
	return a->has_key == b->has_key &&
	       (!a->has_key || (a->key.version == b->key.version &&
				memcmp(a->key.bytes, b->key.bytes, GK_TREE_KEY_LEN) == 0));
}

/** @return nodes before those of a level, where all are in one row */
static size_t offset_of(uint8_t height, unsigned level)
{
	return ((size_t)2 << height) - ((size_t)2 << (height - level));
}

static void check_node(struct test_tree *t, unsigned level, size_t index)
{
	static const struct gk_keytree_node none;
	const struct gk_keytree_node *node = &t->tree.level[level][index];
	const struct gk_keytree_node *before = &none;

	if (level <= t->height_before && index >> (t->height_before - level) == 0)
		before = &t->before[offset_of(t->height_before, level) + index];
	if (!same_key(node, before) && !is_named(&t->tree, level, index))
		fail_msg("seed %llu, num %u: changed, and not named: %u, %zu", t->seed, t->num,
			 level, index);
	assert_int_equal(node->has_key, has_members(t, level, index));
	assert_false(node->marked);
	assert_false(node->joining);
	if (same_key(node, before) || !node->has_key)
		return;
	assert_int_equal(node->key.version, t->num);
	assert_memory_not_equal(node->key.bytes, before->key.bytes, GK_TREE_KEY_LEN);
}

static void check_nodes(struct test_tree *t)
{
	for (unsigned l = 0; l <= t->tree.height; l++) {
		for (size_t i = 0; i < (size_t)1 << (t->tree.height - l); i++)
			check_node(t, l, i);
	}
	t->height_before = t->tree.height;
	for (unsigned l = 0; l <= t->tree.height; l++)
		memcpy(&t->before[offset_of(t->tree.height, l)], t->tree.level[l],
		       sizeof(*t->before) << (t->tree.height - l));
}

static void check_old_root(const struct test_tree *t)
{
	const struct gk_keytree_node *root =
		&t->before[offset_of(t->height_before, t->height_before)];
	bool stayed = false;

	for (size_t slot = 0; slot < t->slot_count; slot++)
		stayed = stayed || t->slot[slot].member;
	// Without one who could check a MAC under it, the old root may be there or not.
	if (!stayed)
		return;
	assert_true(t->message.had_root);
	assert_memory_equal(t->message.old_root, root->key.bytes, GK_TREE_KEY_LEN);
}

void test_tree_rekey(struct test_tree *t)
{
	size_t fewest = fewest_entries(t);
	uint8_t secret[32];
	struct gk_tree_step step;

	gk_keytree_done(&t->tree, &t->message);
	assert_int_equal(gk_random(&t->env, secret, sizeof(secret)), GK_OK);
	t->num++;
	assert_int_equal(gk_keytree_rekey(&t->tree, t->num, secret, &t->message), GK_OK);
	check_entries(t, fewest);
	check_joined(t);
	check_old_root(t);
	check_nodes(t);
	step = test_tree_step(t);
	for (size_t slot = 0; slot < t->slot_count; slot++) {
		t->slot[slot].left = false;
		if (test_tree_is_taken(t, slot))
			check_member(t, (uint16_t)slot, &step);
	}
}

struct test_tree *test_tree_full(size_t slots, size_t members)
{
	struct test_tree *t = test_tree_new(1, slots);

	test_tree_join_many(t, members);
	test_tree_rekey(t);
	return t;
}
