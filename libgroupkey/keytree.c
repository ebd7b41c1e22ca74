// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "keytree.h"

#include "crypto.h"

#include <assert.h>
#include <string.h>

/* nodes */

static struct gk_keytree_node *node_at(const struct gk_keytree *tree, struct gk_tree_name name)
{
	return &tree->level[name.level][name.index];
}

static struct gk_tree_name name_of(unsigned level, size_t index)
{
	return (struct gk_tree_name){ .level = (uint8_t)level, .index = (uint16_t)index };
}

/** The node above a leaf, or the leaf itself, at a level. */
static struct gk_keytree_node *node_above(const struct gk_keytree *tree, uint16_t slot,
					  unsigned level)
{
	return node_at(tree, name_of(level, slot >> level));
}

static bool exists(const struct gk_keytree *tree, struct gk_tree_name name)
{
	return name.level <= tree->height &&
	       (unsigned)name.index >> (tree->height - name.level) == 0;
}

static void end_key(struct gk_keytree_node *node)
{
	gk_wipe(&node->key, sizeof(node->key));
	node->has_key = false;
}

const struct gk_keytree_node *gk_keytree_node(const struct gk_keytree *tree,
					      struct gk_tree_name name)
{
	return exists(tree, name) ? node_at(tree, name) : NULL;
}

const struct gk_keytree_node *gk_keytree_root(const struct gk_keytree *tree)
{
	return node_at(tree, name_of(tree->height, 0));
}

size_t gk_keytree_members(const struct gk_keytree *tree)
{
	return gk_keytree_root(tree)->members;
}

/* levels */

static size_t size_of_level(uint8_t height, unsigned level)
{
	return sizeof(struct gk_keytree_node) << (height - level);
}

static void free_levels(const struct gk_env *env, struct gk_keytree_node **levels, uint8_t height)
{
	for (unsigned l = 0; l <= height; l++) {
		gk_free(env, levels[l], size_of_level(height, l));
		levels[l] = NULL;
	}
}

/** @param levels  all NULL */
static enum gk_err alloc_levels(const struct gk_env *env, struct gk_keytree_node **levels,
				uint8_t height)
{
	for (unsigned l = 0; l <= height; l++) {
		levels[l] = gk_alloc(env, size_of_level(height, l));
		if (!levels[l]) {
			free_levels(env, levels, height);
			return GK_ERR_NO_MEMORY;
		}
	}
	return GK_OK;
}

/** A node above a root: all who are below the one are below the other. */
static struct gk_keytree_node grown_from(const struct gk_keytree_node *root)
{
	return (struct gk_keytree_node){
		.marked = root->marked,
		.joining = root->joining,
		.members = root->members,
	};
}

static enum gk_err grow_to(struct gk_keytree *tree, uint8_t height)
{
	struct gk_keytree_node *levels[GK_TREE_HEIGHT_MAX + 1] = { NULL };
	enum gk_err err = alloc_levels(tree->env, levels, height);

	if (err)
		return err;
	for (unsigned l = 0; l <= tree->height; l++)
		memcpy(levels[l], tree->level[l], size_of_level(tree->height, l));
	for (unsigned l = tree->height + 1u; l <= height; l++)
		levels[l][0] = grown_from(&levels[l - 1][0]);
	free_levels(tree->env, tree->level, tree->height);
	memcpy(tree->level, levels, sizeof(levels));
	tree->height = height;
	return GK_OK;
}

enum gk_err gk_keytree_init(struct gk_keytree *tree, const struct gk_env *env,
			    const struct gk_tree_group *group)
{
	struct gk_keytree made = { .env = env, .group = *group, .height = 1, .keyed_height = 1 };
	enum gk_err err = alloc_levels(env, made.level, made.height);

	if (err == GK_OK)
		*tree = made;
	return err;
}

void gk_keytree_wipe(struct gk_keytree *tree)
{
	if (!tree->env)
		return;
	free_levels(tree->env, tree->level, tree->height);
	gk_free(tree->env, tree->left, tree->left_cap * sizeof(*tree->left));
	gk_free(tree->env, tree->changed, tree->changed_cap * sizeof(*tree->changed));
	gk_wipe(tree, sizeof(*tree));
}

/* members */

static uint16_t lowest_free(const struct gk_keytree *tree)
{
	struct gk_tree_name name = name_of(tree->height, 0);

	while (name.level > 0) {
		struct gk_tree_name left = gk_tree_child(name, 0);
		bool full = node_at(tree, left)->members == (uint32_t)1 << left.level;

		name = full ? gk_tree_child(name, 1) : left;
	}
	return name.index;
}

enum gk_err gk_keytree_join(struct gk_keytree *tree, uint16_t *slot)
{
	if (gk_keytree_members(tree) == (size_t)1 << tree->height) {
		enum gk_err err = GK_ERR_NO_SPACE;

		if (tree->height < GK_TREE_HEIGHT_MAX)
			err = grow_to(tree, tree->height + 1);
		if (err)
			return err;
	}
	*slot = lowest_free(tree);
	for (unsigned l = 0; l <= tree->height; l++) {
		node_above(tree, *slot, l)->members++;
		node_above(tree, *slot, l)->joining = true;
	}
	tree->joined_count++;
	return GK_OK;
}

static enum gk_err reserve_left(struct gk_keytree *tree)
{
	size_t cap = tree->left_cap ? 2 * tree->left_cap : 8;
	uint16_t *left;

	if (tree->left_count < tree->left_cap)
		return GK_OK;
	left = tree->env->alloc(tree->env->ctx, tree->left, cap * sizeof(*left));
	if (!left)
		return GK_ERR_NO_MEMORY;
	tree->left = left;
	tree->left_cap = cap;
	return GK_OK;
}

/** Someone who knows the keys from here to the root is gone. There is room in 'left'. */
static void mark(struct gk_keytree *tree, uint16_t slot)
{
	tree->left[tree->left_count++] = slot;
	for (unsigned l = 0; l <= tree->height; l++)
		node_above(tree, slot, l)->marked = true;
}

/** A joiner that goes before it got keys leaves no trace. */
static void forget_joiner(struct gk_keytree *tree, uint16_t slot)
{
	tree->joined_count--;
	node_above(tree, slot, 0)->joining = false;
	for (unsigned l = 1; l <= tree->height; l++) {
		struct gk_tree_name name = name_of(l, slot >> l);

		node_at(tree, name)->joining = node_at(tree, gk_tree_child(name, 0))->joining ||
					       node_at(tree, gk_tree_child(name, 1))->joining;
	}
}

enum gk_err gk_keytree_leave(struct gk_keytree *tree, uint16_t slot)
{
	bool is_joiner;

	assert(exists(tree, name_of(0, slot)) && node_above(tree, slot, 0)->members);
	is_joiner = node_above(tree, slot, 0)->joining;
	if (!is_joiner && reserve_left(tree) != GK_OK)
		return GK_ERR_NO_MEMORY;
	if (is_joiner)
		forget_joiner(tree, slot);
	else
		mark(tree, slot);
	for (unsigned l = 0; l <= tree->height; l++) {
		struct gk_keytree_node *node = node_above(tree, slot, l);

		node->members--;
		if (!node->members)
			end_key(node);
	}
	return GK_OK;
}

void gk_keytree_put_path(const struct gk_keytree *tree, uint16_t slot, struct gk_buf *buf)
{
	for (unsigned l = 0; l <= tree->height; l++) {
		const struct gk_tree_key *key = &node_above(tree, slot, l)->key;

		for (int shift = 24; shift >= 0; shift -= 8)
			gk_buf_byte(buf, (uint8_t)(key->version >> shift));
		gk_buf_add(buf, gk_span(key->bytes, sizeof(key->bytes)));
	}
}

/* from the store */

enum gk_err gk_keytree_restore_height(struct gk_keytree *tree, uint8_t height)
{
	enum gk_err err;

	if (height < tree->height || height > GK_TREE_HEIGHT_MAX)
		return GK_ERR_RANGE;
	err = grow_to(tree, height);
	if (err == GK_OK)
		tree->keyed_height = height;
	return err;
}

enum gk_err gk_keytree_restore_slot(struct gk_keytree *tree, uint16_t slot)
{
	if (!exists(tree, name_of(0, slot)))
		return GK_ERR_RANGE;
	if (node_above(tree, slot, 0)->members)
		return GK_ERR_DUPLICATE;
	for (unsigned l = 0; l <= tree->height; l++)
		node_above(tree, slot, l)->members++;
	return GK_OK;
}

enum gk_err gk_keytree_restore_left(struct gk_keytree *tree, uint16_t slot)
{
	if (!exists(tree, name_of(0, slot)))
		return GK_ERR_RANGE;
	if (node_above(tree, slot, 0)->marked)
		return GK_ERR_DUPLICATE;
	if (reserve_left(tree) != GK_OK)
		return GK_ERR_NO_MEMORY;
	mark(tree, slot);
	return GK_OK;
}

enum gk_err gk_keytree_restore_key(struct gk_keytree *tree, struct gk_tree_name name,
				   const struct gk_tree_key *key)
{
	struct gk_keytree_node *node;

	if (!exists(tree, name))
		return GK_ERR_RANGE;
	node = node_at(tree, name);
	if (!node->members || (name.level == 0 && node->marked))
		return GK_OK;
	node->key = *key;
	node->has_key = true;
	return GK_OK;
}

static enum gk_err check_level(const struct gk_keytree *tree, unsigned level)
{
	const struct gk_keytree_node *root = gk_keytree_root(tree);

	for (size_t i = 0; i < (size_t)1 << (tree->height - level); i++) {
		const struct gk_keytree_node *node = &tree->level[level][i];

		if (node->members && !node->has_key)
			return GK_ERR_MISSING;
		if (node->key.version > root->key.version)
			return GK_ERR_RANGE;
	}
	return GK_OK;
}

enum gk_err gk_keytree_restored(const struct gk_keytree *tree)
{
	enum gk_err err = check_level(tree, tree->height);

	for (unsigned l = 0; l < tree->height && !err; l++)
		err = check_level(tree, l);
	return err;
}
