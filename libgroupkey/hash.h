// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A hash table of links that live inside what they find. Keys are compared by the caller; the
 * hash is seeded, since some keys come from outside.
 */
#ifndef GK_HASH_H
#define GK_HASH_H

#include "buf.h"

struct gk_link {
	struct gk_link *next;
	uint64_t hash;
};

struct gk_hash {
	const struct gk_env *env;
	struct gk_link **buckets;
	size_t size, count;
	uint64_t seed;
};

/** An empty table. @param seed random */
void gk_hash_init(struct gk_hash *table, const struct gk_env *env, uint64_t seed);
/** Free the buckets; what is linked belongs to its owners. */
void gk_hash_wipe(struct gk_hash *table);
/** @return the hash of a key */
uint64_t gk_hash_of(const struct gk_hash *table, struct gk_span key);
/** Make room for one more. @return GK_ERR_NO_MEMORY; a table with room never fails */
GK_MUST_CHECK enum gk_err gk_hash_reserve(struct gk_hash *table);
/** ... for so many more. */
GK_MUST_CHECK enum gk_err gk_hash_reserve_many(struct gk_hash *table, size_t more);
/** Add; room must have been reserved. */
void gk_hash_add(struct gk_hash *table, struct gk_link *link, struct gk_span key);
/** Take out what was added. */
void gk_hash_remove(struct gk_hash *table, struct gk_link *link);
/** @return the first link whose hash is that of 'key', or NULL; then gk_hash_next() */
struct gk_link *gk_hash_find(const struct gk_hash *table, struct gk_span key);
/** @return the next link with the same hash, or NULL */
struct gk_link *gk_hash_next(const struct gk_link *link);
/**
 * Walk all links, each step as quick as the first. If the table changes on the way, some are met
 * twice or not at all.
 * @param at  starts as 0; moves behind the link
 * @return the next one, or NULL: 'at' is gk_hash_positions() then
 */
struct gk_link *gk_hash_at(const struct gk_hash *table, size_t *at);
/** @return above all positions of the walk */
size_t gk_hash_positions(const struct gk_hash *table);

/** From a link inside a structure to the structure. */
#define GK_OWNER(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

#endif
