// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A KDC's key tree with all of its members, who know of a rekeying nothing but what the message to
 * the group carries: height, slots joined, entries.
 *
 * Each test_tree_rekey() sees to it, with the test failing otherwise, that
 *   - the path of every member who was there before, advanced by the message, is the KDC's; and a
 *     joiner's can be read from what the KDC gives it;
 *   - entries are as few as can be, counted in the slow and plain way over all nodes, and come in
 *     their order;
 *   - slots joined are those that were taken, ascending;
 *   - 'changed' names every node whose key is not what it was.
 */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include "libgroupkey/keypath.h"
#include "libgroupkey/keytree.h"

#include "tests/lib/env.h"

#define TEST_TREE_NAME "lights"

/** Who is, was or will be at a leaf. */
struct test_tree_slot {
	bool member;    /* has keys */
	bool joined;    /* taken since the last rekeying: has none yet */
	bool left;      /* a member left it since the last rekeying */
	uint32_t since; /* num of the member's first keys */
	struct gk_keypath path;
};

struct test_tree {
	struct test_env memory;
	struct gk_env env;
	struct gk_keytree tree;
	uint32_t num;
	unsigned long long seed;
	uint64_t dice; /* state of test_tree_random() */
	size_t members, slot_count;
	struct test_tree_slot *slot;
	struct gk_keytree_node *before; /* all nodes as of the last rekeying, from the leaves up */
	uint8_t height_before;
	/* the newest message */
	struct gk_keytree_rekeying message;
	size_t entries; /* in it */
};

/** @param slots  how many there may be: a power of two */
struct test_tree *test_tree_new(uint64_t seed, size_t slots);
/** A tree in which so many have joined, and have their keys. */
struct test_tree *test_tree_full(size_t slots, size_t members);
/** Give all back; what is not is a failure. */
void test_tree_free(struct test_tree *t);

/** @return a number below 'limit', of a sequence that the seed decides */
uint32_t test_tree_random(struct test_tree *t, uint32_t limit);
/** A joiner takes the lowest free slot. */
uint16_t test_tree_join(struct test_tree *t);
void test_tree_join_many(struct test_tree *t, size_t count);
/** A member, or a joiner that waits for its keys, leaves. */
void test_tree_leave(struct test_tree *t, uint16_t slot);
/** The next version, which all members get to. */
void test_tree_rekey(struct test_tree *t);

/** The message, as members get it. The array is of memory that lasts until the next rekeying. */
struct gk_tree_step test_tree_step(struct test_tree *t);
/** @return true if the slot is taken, with keys or not */
bool test_tree_is_taken(const struct test_tree *t, size_t slot);
/** Key of a node; a node without one is a failure. */
const struct gk_tree_key *test_tree_key(const struct test_tree *t, uint8_t level, uint16_t index);

#endif
