// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What both sides of the rekeying scheme "tree" have in common (docs/rekeying.md sections 3, 4):
 * names of nodes, derivations, and the entry that carries one seed under one node's key.
 *
 *   keytree.h   the whole tree, at the KDC
 *   keypath.h   one leaf's path to the root, at a member
 *   rekeying.h  the messages
 */
#ifndef GK_TREE_H
#define GK_TREE_H

#include "crypto.h"

#define GK_TREE_KEY_LEN    16 /* of keys and seeds */
#define GK_TREE_HEIGHT_MAX 16 /* 65,536 leaf slots: as many as there are Sender IDs */
#define GK_TREE_IV_LEN     13 /* Base IV: the nonce of AES-CCM-16-64-128 */
#define GK_TREE_ENTRY_LEN  31 /* level (1), index (2), version (4), sealed seed (24) */

/** A node of the tree. Leaf i is (0, i), its ancestor at level l is (l, i >> l). */
struct gk_tree_name {
	uint8_t level;
	uint16_t index;
};

/** The key of a node. Its version is the num of the rekeying that made it. */
struct gk_tree_key {
	uint8_t bytes[GK_TREE_KEY_LEN];
	uint32_t version;
};

/** What all entries of a group depend on. */
struct gk_tree_group {
	struct gk_span name;             /* the group's; borrowed */
	uint8_t base_iv[GK_TREE_IV_LEN]; /* random, the same as long as the group lives */
};

/** What is derived from what. Every use of a key has a label of its own. */
enum gk_tree_label {
	GK_TREE_FRESH, /* a rekeying's own secret -> a seed or key that nobody had; number: node */
	GK_TREE_UP,    /* seed of a marked node -> seed of its marked parent */
	GK_TREE_KEY,   /* seed of a marked node -> its key */
	GK_TREE_JOIN,  /* old key of an unmarked node -> its new key; number: num */
	GK_TREE_GROW,  /* key of the former root -> key of the new root; number: its level */
	GK_TREE_WRAP,  /* key of a node -> AEAD key that seals its parent's seed */
	GK_TREE_MAC,   /* key of a root or leaf -> key of MACs */
	GK_TREE_GROUP, /* key of the root -> AEAD key of the group's material */
};

/**
 * KDF(key, label, number): HKDF-SHA-256 without salt, info = CBOR [ label text, number ].
 * @param key     16 bytes, or the 32 of a rekeying's secret
 * @param number  0 where the label's line names none
 * @return GK_OK, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_tree_derive(struct gk_span key, enum gk_tree_label label,
					 uint64_t number, uint8_t out[static GK_TREE_KEY_LEN]);
/** The left (0) or right (1) child of a node above the leaves. */
struct gk_tree_name gk_tree_child(struct gk_tree_name name, unsigned side);
/** The number that stands for a node in GK_TREE_FRESH: level * 65,536 + index. */
uint64_t gk_tree_number(struct gk_tree_name name);
/** Nonce of R 6.2.1 with COUNT 0: Base IV XOR num, right-aligned. */
void gk_tree_nonce(const struct gk_tree_group *group, uint32_t num,
		   uint8_t out[static GK_TREE_IV_LEN]);

/**
 * Append the entry that gives a node's seed to the members below its child.
 * @param child, key  whose key seals, and its version; used once per num
 * @param num         of the rekeying
 */
GK_MUST_CHECK enum gk_err gk_tree_seal(const struct gk_tree_group *group, uint32_t num,
				       struct gk_tree_name child, const struct gk_tree_key *key,
				       const uint8_t seed[static GK_TREE_KEY_LEN],
				       struct gk_buf *out);
/**
 * Find the entry for a child among entries, and open it.
 * @param entries  GK_TREE_ENTRY_LEN bytes each; a rest is ignored
 * @return GK_OK; GK_ERR_MISSING: none for this child; GK_ERR_CRYPTO: of another version of its
 *         key, or forged
 */
GK_MUST_CHECK enum gk_err gk_tree_open(const struct gk_tree_group *group, uint32_t num,
				       struct gk_tree_name child, const struct gk_tree_key *key,
				       struct gk_span entries,
				       uint8_t seed[static GK_TREE_KEY_LEN]);

#endif
