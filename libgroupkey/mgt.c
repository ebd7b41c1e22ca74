// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A group's tree of administrative keys (docs/rekeying.md): which members take part in it, and
 * what they are told by unicast (section 10).
 */
#include "delivery.h"
#include "group.h"
#include "uri.h"

#include <string.h>

#define MGT_ROOM 640

static enum gk_err make_room(struct gk_group *group, size_t slot)
{
	const struct gk_env *env = &group->kdc->env;
	size_t cap = group->slot_cap ? group->slot_cap : 8;
	struct gk_node **by_slot;

	while (cap <= slot)
		cap *= 2;
	if (cap == group->slot_cap)
		return GK_OK;
	by_slot = gk_alloc(env, cap * sizeof(struct gk_node *));
	if (!by_slot)
		return GK_ERR_NO_MEMORY;
	if (group->slot_cap)
		memcpy(by_slot, group->by_slot, group->slot_cap * sizeof(struct gk_node *));
	gk_free(env, group->by_slot, group->slot_cap * sizeof(struct gk_node *));
	group->by_slot = by_slot;
	group->slot_cap = cap;
	return GK_OK;
}

static enum gk_err index_node(struct gk_node *node)
{
	enum gk_err err = make_room(node->group, node->slot);

	if (!err)
		node->group->by_slot[node->slot] = node;
	return err;
}

void gk_mgt_enter(struct gk_node *node)
{
	struct gk_group *group = node->group;
	enum gk_err err = gk_keytree_join(&group->tree, &node->slot);

	if (err == GK_ERR_NO_SPACE)
		return;
	node->in_tree = true;
	if (!err)
		err = index_node(node);
	if (err)
		gk_queue_close(&group->kdc->queue);
}

void gk_mgt_leave(struct gk_node *node)
{
	struct gk_group *group = node->group;

	if (!node->in_tree)
		return;
	node->in_tree = false;
	group->by_slot[node->slot] = NULL;
	if (gk_keytree_leave(&group->tree, node->slot))
		gk_queue_close(&group->kdc->queue);
}

/* A rekeying of a tree without members makes no keys; it says which ones are no more. */
static void end_keys(struct gk_group *group)
{
	static const uint8_t none[sizeof(group->secret)];
	struct gk_keytree_rekeying rekeying = { 0 };

	if (gk_keytree_rekey(&group->tree, (uint32_t)group->num, none, &rekeying)) {
		gk_queue_close(&group->kdc->queue);
		return;
	}
	for (size_t i = 0; i < group->tree.changed_count; i++)
		gk_record_tree(group, group->tree.changed[i]);
	gk_keytree_done(&group->tree, &rekeying);
}

bool gk_mgt_in_use(const struct gk_group *group)
{
	return gk_keytree_members(&group->tree) || group->tree.left_count || group->cast_parts;
}

void gk_mgt_clear(struct gk_group *group)
{
	if (!gk_mgt_in_use(group))
		return;
	for (size_t i = 0; i < group->count; i++) {
		if (!group->nodes[i]->in_tree)
			continue;
		gk_mgt_leave(group->nodes[i]);
		gk_record_node(group->nodes[i]);
	}
	end_keys(group);
	gk_cast_forget(group);
}

enum gk_err gk_mgt_restore(struct gk_node *node)
{
	enum gk_err err = gk_keytree_restore_slot(&node->group->tree, node->slot);

	return err ? err : index_node(node);
}

enum gk_err gk_mgt_restored(struct gk_group *group)
{
	enum gk_err err = gk_keytree_restored(&group->tree);

	if (!err)
		err = gk_cast_restored(group);
	return err ? GK_ERR_MALFORMED : GK_OK;
}

/* what members are told */

size_t gk_mgt_pairs(const struct gk_node *node)
{
	return node->in_tree ? 3 : 0;
}

static void take_signer(struct gk_mgt_material *mgt, const struct gk_cred_evidence *signer)
{
	mgt->kdc_cred = signer->cred;
	mgt->kdc_nonce = gk_span(signer->nonce, sizeof(signer->nonce));
	mgt->kdc_verify = gk_span(signer->verify, signer->verify_len);
}

void gk_mgt_put_material(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_cred_evidence *signer)
{
	const struct gk_group *group = node->group;
	uint8_t path_bytes[GK_KEYPATH_NODE_LEN * (GK_TREE_HEIGHT_MAX + 1)], bytes[MGT_ROOM];
	struct gk_buf path = gk_buf(path_bytes, sizeof(path_bytes));
	struct gk_buf content = gk_buf(bytes, sizeof(bytes));
	struct gk_mgt_material mgt = { .slot = node->slot,
				       .repeat = (uint8_t)group->config.rekey.repeat };

	gk_keytree_put_path(&group->tree, node->slot, &path);
	memcpy(mgt.base_iv, group->tree.group.base_iv, sizeof(mgt.base_iv));
	mgt.path = gk_buf_span(&path);
	if (signer)
		take_signer(&mgt, signer);
	gk_mgt_material_put(&content, &mgt);
	gk_put_int(buf, GK_PARAM_MGT_KEY_MATERIAL);
	gk_put_bytes(buf, gk_buf_span(&content));
	buf->overflow |= path.overflow || content.overflow;
	gk_wipe(path_bytes, sizeof(path_bytes));
	gk_wipe(bytes, sizeof(bytes));
}

static void put_uri(struct gk_buf *buf, const struct gk_group *group)
{
	uint8_t bytes[GK_URI_PATH_MAX + 80];
	struct gk_buf uri = gk_buf(bytes, sizeof(bytes));

	gk_uri_put(&uri, &group->config.rekey.control_group);
	gk_buf_byte(&uri, '/');
	gk_group_put_path(&uri, group);
	gk_put_int(buf, GK_PARAM_CONTROL_GROUP_URI);
	gk_put_text(buf, gk_buf_span(&uri));
}

void gk_mgt_put(struct gk_buf *buf, const struct gk_node *node,
		const struct gk_cred_evidence *signer)
{
	if (!node->in_tree)
		return;
	gk_put_int(buf, GK_PARAM_REKEYING_SCHEME);
	gk_put_int(buf, GK_SCHEME_TREE);
	gk_mgt_put_material(buf, node, signer);
	put_uri(buf, node->group);
}
