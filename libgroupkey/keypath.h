// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A member's part of the tree: the keys from its leaf to the root (docs/rekeying.md section 5).
 */
#ifndef GK_KEYPATH_H
#define GK_KEYPATH_H

#include "tree.h"

#define GK_KEYPATH_NODE_LEN 20 /* version (4), key (16) */

/** All zero: none. */
struct gk_keypath {
	bool known;
	uint32_t num; /* version of the group's material that these keys go with */
	uint16_t slot;
	uint8_t height;
	struct gk_tree_key node[GK_TREE_HEIGHT_MAX + 1]; /* from the leaf to the root */
};

/** What a rekeying message says of the tree. Spans are borrowed. */
struct gk_tree_step {
	uint32_t num;
	uint8_t height;         /* of the tree from now on */
	struct gk_span joined;  /* an encoded CBOR array of slots, checked */
	struct gk_span entries; /* of one message, or of several one after the other */
};

/**
 * Read the path out of 'mgt_key_material' (gk_keytree_put_path()).
 * @return GK_OK; GK_ERR_RANGE: no path of a tree that can be
 */
GK_MUST_CHECK enum gk_err gk_keypath_read(struct gk_span nodes, uint32_t num, uint16_t slot,
					  struct gk_keypath *path);
/**
 * The keys after a rekeying. Right only if the group's material opens under the new root's key,
 * which the caller tries: an entry that is missing here leads to a wrong root.
 * @param next  may be 'path'
 * @return GK_OK; GK_ERR_CRYPTO: an entry for us does not open; GK_ERR_RANGE: a height below ours,
 *         or out of bounds, or a num not above ours; 'next' untouched
 */
GK_MUST_CHECK enum gk_err gk_keypath_advance(const struct gk_keypath *path,
					     const struct gk_tree_group *group,
					     const struct gk_tree_step *step,
					     struct gk_keypath *next);
/** The root's key. */
const uint8_t *gk_keypath_root(const struct gk_keypath *path);
/** @return true if an entry (GK_TREE_ENTRY_LEN bytes) is sealed under a node of this path */
bool gk_keypath_wants(const struct gk_keypath *path, const uint8_t *entry);

#endif
