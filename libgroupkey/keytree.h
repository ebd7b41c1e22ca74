// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The KDC's tree of administrative keys (docs/rekeying.md sections 3 and 4). Members come and go
 * by gk_keytree_join() and gk_keytree_leave(); gk_keytree_rekey() then gives new keys to all nodes
 * that someone gone knew, and to the paths of those who came.
 *
 * A node without a member below it has no key. Memory is that of 2 N nodes, N a power of two.
 */
#ifndef GK_KEYTREE_H
#define GK_KEYTREE_H

#include "mem.h"
#include "tree.h"

struct gk_keytree_node {
	struct gk_tree_key key;
	bool has_key;
	/* since the last rekeying; of a leaf itself, of any other node someone below */
	bool marked;      /* left, and knew the key */
	bool joining;     /* came, and has no key yet */
	uint32_t members; /* leaves in use below, or 0 and 1 for a leaf */
};

struct gk_keytree {
	const struct gk_env *env;
	struct gk_tree_group group;
	uint8_t height; /* level of the root, 1 at least; N = 2^height */
	struct gk_keytree_node *level[GK_TREE_HEIGHT_MAX + 1];
	/* since the last rekeying */
	uint8_t keyed_height; /* level of the root that has (or had) the present keys */
	uint16_t *left;       /* slots of those who knew keys; may be taken again */
	size_t left_count, left_cap;
	size_t joined_count;
	/* of the last rekeying: nodes whose key changed or ended, for the store */
	struct gk_tree_name *changed;
	size_t changed_count, changed_cap;
};

/** What a rekeying of the tree brings. gk_keytree_done() it. */
struct gk_keytree_rekeying {
	bool had_root; /* false: nobody who had keys before is still there */
	uint8_t old_root[GK_TREE_KEY_LEN];
	uint16_t *joined; /* slots taken, ascending */
	size_t joined_count;
	struct gk_blob entries; /* from the leaves up: GK_TREE_ENTRY_LEN bytes each */
};

/** An empty tree of two leaf slots. @param group  name borrowed for the tree's life
 *  @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_keytree_init(struct gk_keytree *tree, const struct gk_env *env,
					  const struct gk_tree_group *group);
void gk_keytree_wipe(struct gk_keytree *tree);

/** Members in the tree. */
size_t gk_keytree_members(const struct gk_keytree *tree);
/**
 * Take the lowest free leaf slot; the tree grows at the top if none is free. No keys change, and
 * the leaf has none, before the next gk_keytree_rekey().
 * @return GK_OK; GK_ERR_NO_SPACE: 65,536 members; GK_ERR_NO_MEMORY
 */
GK_MUST_CHECK enum gk_err gk_keytree_join(struct gk_keytree *tree, uint16_t *slot);
/** Give a slot back. Its leaf's key, and those of nodes left without members, end at once.
 *  @return GK_ERR_NO_MEMORY: nothing changed */
GK_MUST_CHECK enum gk_err gk_keytree_leave(struct gk_keytree *tree, uint16_t slot);
/**
 * New keys for version 'num': docs/rekeying.md section 4. The root's is new in any case.
 * @param secret  32 fresh random bytes, from which all fresh keys and seeds derive
 * @return GK_OK; GK_ERR_RANGE: num is not above all versions in the tree; GK_ERR_NO_MEMORY;
 *         GK_ERR_CRYPTO: the tree may be half changed, and has to be made anew from the store
 */
GK_MUST_CHECK enum gk_err gk_keytree_rekey(struct gk_keytree *tree, uint32_t num,
					   const uint8_t secret[static 32],
					   struct gk_keytree_rekeying *rekeying);
void gk_keytree_done(struct gk_keytree *tree, struct gk_keytree_rekeying *rekeying);

/** @return a node, or NULL: no such name in the tree */
const struct gk_keytree_node *gk_keytree_node(const struct gk_keytree *tree,
					      struct gk_tree_name name);
const struct gk_keytree_node *gk_keytree_root(const struct gk_keytree *tree);
/** Append the path of a member for 'mgt_key_material': (version, key) from its leaf to the root,
 *  20 bytes each. Not between gk_keytree_join() and gk_keytree_rekey(). */
void gk_keytree_put_path(const struct gk_keytree *tree, uint16_t slot, struct gk_buf *buf);

/*
 * From the store, into a tree fresh from gk_keytree_init(): height, then slots in use and slots
 * left since the last rekeying, then keys, then gk_keytree_restored().
 */
/** @param height  'keyed_height' of the tree that was stored
 *  @return GK_ERR_RANGE: no tree is that high; GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_keytree_restore_height(struct gk_keytree *tree, uint8_t height);
/** @return GK_ERR_RANGE: no such slot; GK_ERR_DUPLICATE: in use */
GK_MUST_CHECK enum gk_err gk_keytree_restore_slot(struct gk_keytree *tree, uint16_t slot);
GK_MUST_CHECK enum gk_err gk_keytree_restore_left(struct gk_keytree *tree, uint16_t slot);
/** The key of a node without members is dropped, and that of a slot left: it is nobody's any more.
 *  @return GK_ERR_RANGE: no such node */
GK_MUST_CHECK enum gk_err gk_keytree_restore_key(struct gk_keytree *tree, struct gk_tree_name name,
						 const struct gk_tree_key *key);
/** @return GK_OK; the store is damaged: GK_ERR_MISSING: a node with members has no key;
 *          GK_ERR_RANGE: a version above the root's */
GK_MUST_CHECK enum gk_err gk_keytree_restored(const struct gk_keytree *tree);

#endif
