// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "hash.h"

#include <assert.h>

/* Positions in one bucket. There are no more links than buckets, and keys are spread by a seed, so
 * that a chain never comes near this, unless the keys are equal. */
#define CHAIN_MAX 64

void gk_hash_init(struct gk_hash *table, const struct gk_env *env, uint64_t seed)
{
	*table = (struct gk_hash){ .env = env, .seed = seed };
}

void gk_hash_wipe(struct gk_hash *table)
{
	if (table->buckets)
		table->env->alloc(table->env->ctx, table->buckets, 0);
	*table = (struct gk_hash){ .env = table->env, .seed = table->seed };
}

/* FNV-1a with a random start, then a finaliser so that low bits depend on all. */
uint64_t gk_hash_of(const struct gk_hash *table, struct gk_span key)
{
	uint64_t h = table->seed ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.data[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ (h >> 33);
}

static struct gk_link **bucket(const struct gk_hash *table, uint64_t hash)
{
	return &table->buckets[hash & (table->size - 1)];
}

static void push(struct gk_hash *table, struct gk_link *link)
{
	struct gk_link **at = bucket(table, link->hash);

	link->next = *at;
	*at = link;
}

static enum gk_err grow(struct gk_hash *table, size_t size)
{
	struct gk_hash grown = *table;

	grown.size = size;
	grown.buckets =
		table->env->alloc(table->env->ctx, NULL, grown.size * sizeof(struct gk_link *));
	if (!grown.buckets)
		return GK_ERR_NO_MEMORY;
	for (size_t i = 0; i < grown.size; i++)
		grown.buckets[i] = NULL;
	for (size_t i = 0; i < table->size; i++) {
		while (table->buckets[i]) {
			struct gk_link *link = table->buckets[i];

			table->buckets[i] = link->next;
			push(&grown, link);
		}
	}
	if (table->buckets)
		table->env->alloc(table->env->ctx, table->buckets, 0);
	*table = grown;
	return GK_OK;
}

enum gk_err gk_hash_reserve_many(struct gk_hash *table, size_t more)
{
	size_t size = table->size ? table->size : 16;

	while (size - table->count < more)
		size *= 2;
	return size == table->size ? GK_OK : grow(table, size);
}

enum gk_err gk_hash_reserve(struct gk_hash *table)
{
	return gk_hash_reserve_many(table, 1);
}

void gk_hash_add(struct gk_hash *table, struct gk_link *link, struct gk_span key)
{
	assert(table->count < table->size);
	link->hash = gk_hash_of(table, key);
	push(table, link);
	table->count++;
}

void gk_hash_remove(struct gk_hash *table, struct gk_link *link)
{
	struct gk_link **at = bucket(table, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	table->count--;
}

static struct gk_link *same_hash(struct gk_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct gk_link *gk_hash_find(const struct gk_hash *table, struct gk_span key)
{
	uint64_t hash = gk_hash_of(table, key);

	return table->size ? same_hash(*bucket(table, hash), hash) : NULL;
}

struct gk_link *gk_hash_next(const struct gk_link *link)
{
	return same_hash(link->next, link->hash);
}

size_t gk_hash_positions(const struct gk_hash *table)
{
	return table->size * CHAIN_MAX;
}

struct gk_link *gk_hash_at(const struct gk_hash *table, size_t *at)
{
	size_t before = *at % CHAIN_MAX;

	for (size_t i = *at / CHAIN_MAX; i < table->size; i++, before = 0) {
		struct gk_link *link = table->buckets[i];

		for (size_t j = 0; link && j < before; j++)
			link = link->next;
		if (link) {
			*at = i * CHAIN_MAX + before + 1;
			return link;
		}
	}
	*at = gk_hash_positions(table);
	return NULL;
}
