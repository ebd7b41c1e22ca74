// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// docs/rekeying.md section 4.
#include "keytree.h"

#include "crypto.h"

#include <assert.h>
#include <string.h>

/** A node that a rekeying comes by. */
struct visit {
	struct gk_tree_name name;
	size_t below;                  /* the first of its children that are visited, if any are */
	uint8_t seed[GK_TREE_KEY_LEN]; /* of a marked node with members */
};

/** A rekeying at work. */
struct round {
	struct gk_keytree *tree;
	uint32_t num;
	struct gk_span secret;
	bool had_root;
	struct visit *visits; /* from the root down; of one level by index */
	size_t count, cap;
	struct gk_buf entries;
};

static struct gk_keytree_node *node_at(const struct gk_keytree *tree, struct gk_tree_name name)
{
	return &tree->level[name.level][name.index];
}

static struct gk_tree_name root_name(uint8_t height)
{
	return (struct gk_tree_name){ .level = height, .index = 0 };
}

/* which nodes */

/** Nodes above the former root are new, whether or not anyone came or went. */
static bool is_above_former_root(const struct gk_keytree *tree, struct gk_tree_name name)
{
	return name.level > tree->keyed_height && name.index == 0;
}

static bool is_visited(const struct gk_keytree *tree, struct gk_tree_name name)
{
	const struct gk_keytree_node *node = node_at(tree, name);

	return node->marked || node->joining || is_above_former_root(tree, name);
}

/** @return at least as many as visit_all() finds */
static size_t count_visits(const struct gk_keytree *tree)
{
	size_t slots = tree->left_count + tree->joined_count;
	size_t count = 0;

	for (unsigned l = 0; l <= tree->height; l++) {
		size_t width = (size_t)1 << (tree->height - l);

		count += slots < width ? slots + 1 : width;
	}
	return count;
}

static void visit(struct round *r, struct gk_tree_name name)
{
	assert(r->count < r->cap);
	r->visits[r->count++].name = name;
}

static void visit_all(struct round *r)
{
	visit(r, root_name(r->tree->height));
	for (size_t i = 0; i < r->count; i++) {
		struct visit *parent = &r->visits[i];

		parent->below = r->count;
		for (unsigned side = 0; side < 2 && parent->name.level > 0; side++) {
			if (is_visited(r->tree, gk_tree_child(parent->name, side)))
				visit(r, gk_tree_child(parent->name, side));
		}
	}
}

/** @return true if the members below get the key by a seed; leaves never do */
static bool is_reseeded(const struct gk_keytree *tree, struct gk_tree_name name)
{
	const struct gk_keytree_node *node = node_at(tree, name);

	return name.level > 0 && node->marked && node->members;
}

/** @return the child whose seed leads to that of its marked parent, or NULL: there is none */
static const struct visit *find_chain(const struct round *r, const struct visit *parent)
{
	for (size_t i = parent->below; i < parent->below + 2 && i < r->count; i++) {
		struct gk_tree_name name = r->visits[i].name;

		if (name.level + 1 == parent->name.level && name.index >> 1 == parent->name.index &&
		    is_reseeded(r->tree, name))
			return &r->visits[i];
	}
	return NULL;
}

/** @return true if the members below this child get the seed of its marked parent by an entry */
static bool needs_entry(const struct round *r, struct gk_tree_name child, const struct visit *chain)
{
	bool on_chain = chain && chain->name.index == child.index;

	return node_at(r->tree, child)->members && !on_chain;
}

static size_t count_entries(const struct round *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct visit *parent = &r->visits[i];

		if (!is_reseeded(r->tree, parent->name))
			continue;
		const struct visit *chain = find_chain(r, parent);
		for (unsigned side = 0; side < 2; side++)
			count += needs_entry(r, gk_tree_child(parent->name, side), chain);
	}
	return count;
}

/* their keys */

static enum gk_err derive(const uint8_t *key, enum gk_tree_label label, uint64_t number,
			  uint8_t *out)
{
	return gk_tree_derive(gk_span(key, GK_TREE_KEY_LEN), label, number, out);
}

static enum gk_err make_fresh(const struct round *r, struct gk_tree_name name, uint8_t *out)
{
	return gk_tree_derive(r->secret, GK_TREE_FRESH, gk_tree_number(name), out);
}

static enum gk_err seal_for(struct round *r, struct gk_tree_name child, const uint8_t *seed)
{
	return gk_tree_seal(&r->tree->group, r->num, child, &node_at(r->tree, child)->key, seed,
			    &r->entries);
}

/** Someone who knew the old key is gone: nothing of the new one may come from it. */
static enum gk_err reseed(struct round *r, struct visit *v, uint8_t *key)
{
	const struct visit *chain = find_chain(r, v);
	enum gk_err err = chain ? derive(chain->seed, GK_TREE_UP, 0, v->seed)
				: make_fresh(r, v->name, v->seed);

	for (unsigned side = 0; side < 2 && err == GK_OK; side++) {
		struct gk_tree_name child = gk_tree_child(v->name, side);

		if (needs_entry(r, child, chain))
			err = seal_for(r, child, v->seed);
	}
	return err ? err : derive(v->seed, GK_TREE_KEY, 0, key);
}

/** All who knew the old key may know the new one, and find it by themselves. */
static enum gk_err renew(const struct round *r, struct gk_tree_name name, uint8_t *key)
{
	if (node_at(r->tree, name)->has_key)
		return derive(key, GK_TREE_JOIN, r->num, key);
	if (r->had_root && is_above_former_root(r->tree, name))
		return derive(node_at(r->tree, gk_tree_child(name, 0))->key.bytes, GK_TREE_GROW,
			      name.level, key);
	return make_fresh(r, name, key);
}

static enum gk_err rekey_node(struct round *r, struct visit *v)
{
	struct gk_keytree_node *node = node_at(r->tree, v->name);
	enum gk_err err;

	// Its key, if it had one, ended with its last member.
	if (!node->members)
		return GK_OK;
	err = is_reseeded(r->tree, v->name) ? reseed(r, v, node->key.bytes)
					    : renew(r, v->name, node->key.bytes);
	if (err)
		return err;
	node->key.version = r->num;
	node->has_key = true;
	return GK_OK;
}

/** @return where the visits of the level begin that end before 'end' */
static size_t begin_of_level(const struct round *r, size_t end)
{
	size_t begin = end - 1;

	while (begin > 0 && r->visits[begin - 1].name.level == r->visits[end - 1].name.level)
		begin--;
	return begin;
}

/** From the leaves up: an entry is sealed under a child's new key. */
static enum gk_err rekey_nodes(struct round *r)
{
	for (size_t end = r->count; end > 0; end = begin_of_level(r, end)) {
		for (size_t i = begin_of_level(r, end); i < end; i++) {
			enum gk_err err = rekey_node(r, &r->visits[i]);

			if (err)
				return err;
		}
	}
	return GK_OK;
}

/* the whole */

static enum gk_err reserve_changed(struct gk_keytree *tree, size_t count)
{
	struct gk_tree_name *changed;

	if (count <= tree->changed_cap)
		return GK_OK;
	changed = gk_alloc(tree->env, count * sizeof(*changed));
	if (!changed)
		return GK_ERR_NO_MEMORY;
	gk_free(tree->env, tree->changed, tree->changed_cap * sizeof(*changed));
	tree->changed = changed;
	tree->changed_cap = count;
	tree->changed_count = 0;
	return GK_OK;
}

static enum gk_err alloc_rekeying(const struct round *r, struct gk_keytree_rekeying *rekeying)
{
	const struct gk_env *env = r->tree->env;

	rekeying->joined_count = r->tree->joined_count;
	rekeying->entries.len = count_entries(r) * GK_TREE_ENTRY_LEN;
	if (rekeying->joined_count) {
		rekeying->joined =
			gk_alloc(env, rekeying->joined_count * sizeof(*rekeying->joined));
		if (!rekeying->joined)
			return GK_ERR_NO_MEMORY;
	}
	if (rekeying->entries.len) {
		rekeying->entries.data = gk_alloc(env, rekeying->entries.len);
		if (!rekeying->entries.data)
			return GK_ERR_NO_MEMORY;
	}
	return GK_OK;
}

/** All that can fail for want of memory. */
static enum gk_err prepare(struct round *r, struct gk_keytree_rekeying *rekeying)
{
	enum gk_err err;

	r->cap = count_visits(r->tree);
	r->visits = gk_alloc(r->tree->env, r->cap * sizeof(*r->visits));
	if (!r->visits)
		return GK_ERR_NO_MEMORY;
	visit_all(r);
	err = alloc_rekeying(r, rekeying);
	return err ? err : reserve_changed(r->tree, r->count);
}

static void note_old_root(const struct round *r, struct gk_keytree_rekeying *rekeying)
{
	rekeying->had_root = r->had_root;
	if (r->had_root)
		memcpy(rekeying->old_root,
		       node_at(r->tree, root_name(r->tree->keyed_height))->key.bytes,
		       GK_TREE_KEY_LEN);
}

/** Who came and who went is dealt with. */
static void settle(const struct round *r, struct gk_keytree_rekeying *rekeying)
{
	struct gk_keytree *tree = r->tree;
	size_t joined = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct gk_tree_name name = r->visits[i].name;
		struct gk_keytree_node *node = node_at(tree, name);

		if (name.level == 0 && node->joining)
			rekeying->joined[joined++] = name.index;
		node->marked = node->joining = false;
		tree->changed[i] = name;
	}
	tree->changed_count = r->count;
	tree->left_count = tree->joined_count = 0;
	tree->keyed_height = tree->height;
}

enum gk_err gk_keytree_rekey(struct gk_keytree *tree, uint32_t num, const uint8_t secret[static 32],
			     struct gk_keytree_rekeying *rekeying)
{
	const struct gk_keytree_node *root = node_at(tree, root_name(tree->keyed_height));
	struct round r = {
		.tree = tree,
		.num = num,
		.secret = gk_span(secret, 32),
		.had_root = root->has_key,
	};
	struct gk_keytree_rekeying made = { .had_root = false };
	enum gk_err err;

	// The root's is the newest version: it changes each time.
	if (root->has_key && num <= root->key.version)
		return GK_ERR_RANGE;
	err = prepare(&r, &made);
	if (err == GK_OK) {
		note_old_root(&r, &made);
		r.entries = gk_buf(made.entries.data, made.entries.len);
		err = rekey_nodes(&r);
	}
	if (err == GK_OK) {
		settle(&r, &made);
		*rekeying = made;
		gk_wipe(made.old_root, sizeof(made.old_root));
	} else {
		gk_keytree_done(tree, &made);
	}
	gk_free(tree->env, r.visits, r.cap * sizeof(*r.visits));
	return err;
}

void gk_keytree_done(struct gk_keytree *tree, struct gk_keytree_rekeying *rekeying)
{
	gk_free(tree->env, rekeying->joined, rekeying->joined_count * sizeof(*rekeying->joined));
	gk_blob_wipe(tree->env, &rekeying->entries);
	gk_wipe(rekeying, sizeof(*rekeying));
}
