// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "keypath.h"

#include "cbor.h"
#include "crypto.h"

#include <string.h>

static struct gk_tree_key read_node(struct gk_span node)
{
	struct gk_tree_key key = { .version = (uint32_t)gk_span_uint(gk_span_sub(node, 0, 4)) };

	memcpy(key.bytes, node.data + 4, sizeof(key.bytes));
	return key;
}

/** @return true if that many bytes are the path of a slot in a tree */
static bool is_path(size_t len, uint16_t slot)
{
	size_t nodes = len / GK_KEYPATH_NODE_LEN;

	return len % GK_KEYPATH_NODE_LEN == 0 && nodes >= 2 && nodes <= GK_TREE_HEIGHT_MAX + 1 &&
	       slot >> (nodes - 1) == 0;
}

enum gk_err gk_keypath_read(struct gk_span nodes, uint32_t num, uint16_t slot,
			    struct gk_keypath *path)
{
	struct gk_keypath read = { .known = true, .num = num, .slot = slot };
	enum gk_err err = GK_OK;

	if (!is_path(nodes.len, slot))
		return GK_ERR_RANGE;
	read.height = (uint8_t)(nodes.len / GK_KEYPATH_NODE_LEN - 1);
	for (unsigned l = 0; l <= read.height; l++) {
		read.node[l] =
			read_node(gk_span_sub(nodes, l * GK_KEYPATH_NODE_LEN, GK_KEYPATH_NODE_LEN));
		if (read.node[l].version > num)
			err = GK_ERR_RANGE;
	}
	if (err == GK_OK)
		*path = read;
	gk_wipe(&read, sizeof(read));
	return err;
}

const uint8_t *gk_keypath_root(const struct gk_keypath *path)
{
	return path->node[path->height].bytes;
}

bool gk_keypath_wants(const struct gk_keypath *path, const uint8_t *entry)
{
	// Above the path's root too: the tree may have grown in the rekeying that this is of.
	return entry[0] < GK_TREE_HEIGHT_MAX &&
	       gk_span_uint(gk_span(entry + 1, 2)) == (uint64_t)path->slot >> entry[0];
}

/** @return the lowest level at which a joiner is below our node; above all levels: at none */
static unsigned lowest_shared(uint16_t slot, struct gk_span joined)
{
	struct gk_cbor c = gk_cbor(joined);
	struct gk_cbor_iter slots = gk_cbor_array(&c);
	unsigned lowest = GK_TREE_HEIGHT_MAX + 1;

	while (gk_cbor_more(&c, &slots)) {
		unsigned differ = slot ^ (unsigned)gk_cbor_uint(&c, UINT16_MAX);
		unsigned level = 0;

		while (differ >> level)
			level++;
		if (level < lowest)
			lowest = level;
	}
	return lowest;
}

/** A path on its way to the next version, from the leaf up. */
struct climb {
	const struct gk_tree_group *group;
	const struct gk_tree_step *step;
	struct gk_keypath path;
	uint8_t old_height;
	unsigned shared; /* lowest_shared() */
	bool has_seed;   /* that of the node which was changed last */
	uint8_t seed[GK_TREE_KEY_LEN];
};

static enum gk_err derive(const uint8_t *key, enum gk_tree_label label, uint64_t number,
			  uint8_t *out)
{
	return gk_tree_derive(gk_span(key, GK_TREE_KEY_LEN), label, number, out);
}

/** Get the seed of the node above a level, if it is marked: an entry comes before the chain, which
 *  for those below the right one of two marked children is not the parent's. */
static enum gk_err find_seed(struct climb *c, unsigned level)
{
	struct gk_tree_name child = { .level = (uint8_t)level,
				      .index = (uint16_t)(c->path.slot >> level) };
	enum gk_err err = gk_tree_open(c->group, c->step->num, child, &c->path.node[level],
				       c->step->entries, c->seed);

	if (err == GK_ERR_MISSING)
		return c->has_seed ? derive(c->seed, GK_TREE_UP, 0, c->seed) : GK_OK;
	c->has_seed = true;
	return err;
}

/** Find the new key of the node above a level, if it has a new one. */
static enum gk_err renew_above(struct climb *c, unsigned level)
{
	struct gk_tree_key *key = &c->path.node[level + 1];
	enum gk_err err = find_seed(c, level);

	if (err)
		return err;
	if (c->has_seed)
		err = derive(c->seed, GK_TREE_KEY, 0, key->bytes);
	else if (level + 1 > c->old_height)
		err = derive(c->path.node[level].bytes, GK_TREE_GROW, level + 1, key->bytes);
	else if (level + 1 >= c->shared || level + 1 == c->step->height)
		err = derive(key->bytes, GK_TREE_JOIN, c->step->num, key->bytes);
	else
		return GK_OK;
	key->version = c->step->num;
	return err;
}

enum gk_err gk_keypath_advance(const struct gk_keypath *path, const struct gk_tree_group *group,
			       const struct gk_tree_step *step, struct gk_keypath *next)
{
	struct climb c = {
		.group = group,
		.step = step,
		.path = *path,
		.old_height = path->height,
		.shared = lowest_shared(path->slot, step->joined),
	};
	enum gk_err err = GK_OK;

	if (step->num <= path->num || step->height < path->height ||
	    step->height > GK_TREE_HEIGHT_MAX) {
		gk_wipe(&c, sizeof(c));
		return GK_ERR_RANGE;
	}
	for (unsigned l = 0; l < step->height && err == GK_OK; l++)
		err = renew_above(&c, l);
	if (err == GK_OK) {
		c.path.num = step->num;
		c.path.height = step->height;
		*next = c.path;
	}
	gk_wipe(&c, sizeof(c));
	return err;
}
