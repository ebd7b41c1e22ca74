// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What is left of a store that is too old (docs/state.md section 5): whoever was put out since may
 * know its keys, so nothing of them is used again, or stays. And the mark by which nums are known
 * to have been used whatever becomes of the store.
 */
#include "client.h"
#include "delivery.h"
#include "group.h"

#include <string.h>

#define PREFIX_TRIES 1000

void gk_mark_num(struct gk_kdc *kdc, int64_t num)
{
	if (num <= kdc->high_num)
		return;
	kdc->high_num = num;
	gk_record_mark(kdc);
}

/* what groups go on with; all that can fail comes first */

struct fresh {
	uint8_t prefix[2];
	uint8_t ms[GK_MS_LEN];
	struct gk_keytree tree; /* empty, with a new Base IV */
};

static size_t count_groups(const struct gk_kdc *kdc)
{
	size_t count = 0;

	for (const struct gk_group *group = kdc->groups; group; group = group->next)
		count++;
	return count;
}

/* No group's, neither from now on nor up to now: a Gid of the old state means nothing any more. */
static bool prefix_taken(const struct gk_kdc *kdc, const struct fresh *fresh, size_t count)
{
	for (const struct gk_group *group = kdc->groups; group; group = group->next) {
		if (memcmp(group->gid_prefix, fresh[count].prefix, 2) == 0)
			return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (memcmp(fresh[i].prefix, fresh[count].prefix, 2) == 0)
			return true;
	}
	return false;
}

static enum gk_err choose_prefix(const struct gk_kdc *kdc, struct fresh *fresh, size_t nth)
{
	for (size_t i = 0; i < PREFIX_TRIES; i++) {
		enum gk_err err =
			gk_random(&kdc->env, fresh[nth].prefix, sizeof(fresh[nth].prefix));

		if (err || !prefix_taken(kdc, fresh, nth))
			return err;
	}
	return GK_ERR_ENTROPY;
}

static enum gk_err prepare(const struct gk_kdc *kdc, const struct gk_group *group,
			   struct fresh *fresh, size_t nth)
{
	struct gk_tree_group of = { .name = gk_group_name(group) };
	enum gk_err err = choose_prefix(kdc, fresh, nth);

	if (!err)
		err = gk_random(&kdc->env, fresh[nth].ms, sizeof(fresh[nth].ms));
	if (!err)
		err = gk_random(&kdc->env, of.base_iv, sizeof(of.base_iv));
	return err ? err : gk_keytree_init(&fresh[nth].tree, &kdc->env, &of);
}

static enum gk_err prepare_all(const struct gk_kdc *kdc, struct fresh *fresh)
{
	const struct gk_group *group = kdc->groups;
	enum gk_err err = GK_OK;
	size_t n;

	for (n = 0; group && !err; group = group->next)
		err = prepare(kdc, group, fresh, n++);
	while (err && n-- > 0) {
		if (fresh[n].tree.env)
			gk_keytree_wipe(&fresh[n].tree);
	}
	return err;
}

/* the end of what was */

static void end_node(struct gk_node *node)
{
	gk_record_node_gone(node);
	gk_node_free(node);
}

static void end_nodes(struct gk_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		end_node(group->nodes[i]);
	group->count = 0;
	group->cred_bytes = 0;
	if (group->slot_cap)
		memset(group->by_slot, 0, group->slot_cap * sizeof(struct gk_node *));
}

/* Marked nodes too: keys whose members are gone are not restored, but in the store until the next
 * rekeying. */
static void end_key(struct gk_group *group, struct gk_tree_name name)
{
	struct gk_keytree_node *node = &group->tree.level[name.level][name.index];

	if (!node->has_key && !node->marked)
		return;
	gk_wipe(&node->key, sizeof(node->key));
	node->has_key = false;
	gk_record_tree(group, name);
}

static void end_tree(struct gk_group *group)
{
	for (unsigned level = 0; level <= group->tree.height; level++) {
		for (size_t i = 0; i < (size_t)1 << (group->tree.height - level); i++)
			end_key(group, (struct gk_tree_name){ (uint8_t)level, (uint16_t)i });
	}
	gk_keytree_wipe(&group->tree);
	gk_cast_forget(group);
}

static void end_clients(struct gk_kdc *kdc)
{
	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		while (kdc->clients_by_id.buckets[i]) {
			struct gk_client *client =
				GK_OWNER(kdc->clients_by_id.buckets[i], struct gk_client, by_id);

			client->nodes = NULL;
			gk_record_client_gone(kdc, client);
			gk_client_free(kdc, client);
		}
	}
}

/* what takes its place */

static void begin_anew(struct gk_group *group, struct fresh *fresh, int64_t num, struct gk_now now)
{
	memcpy(group->gid_prefix, fresh->prefix, sizeof(group->gid_prefix));
	group->num = num;
	gk_group_trim_stale(group, 0);
	group->stale[group->stale_count++] = (struct gk_stale_set){ .num = num };
	group->tree = fresh->tree;
	if (!group->ended)
		memcpy(group->ms, fresh->ms, sizeof(group->ms));
	group->used = false;
	group->rekey_pending = false;
	group->made = now.utc;
	group->made_ms = now.mono.ms;
	group->inherited = false;
	gk_record_group(group);
}

static void replace(struct gk_kdc *kdc, struct fresh *fresh, int64_t num, struct gk_now now)
{
	struct gk_group *group;

	for (group = kdc->groups; group; group = group->next)
		end_nodes(group);
	end_clients(kdc);
	kdc->first_num = num; /* a group that is new to this state may have been in the lost one */
	gk_mark_num(kdc, num);
	for (group = kdc->groups; group; group = group->next) {
		end_tree(group);
		begin_anew(group, fresh++, num, now);
	}
}

enum gk_err gk_kdc_disown(struct gk_kdc *kdc, uint32_t jump, struct gk_now now)
{
	int64_t num = kdc->high_num + 1 + jump;
	size_t size = count_groups(kdc) * sizeof(struct fresh);
	struct fresh *fresh = NULL;
	enum gk_err err;

	if (num + 2 >= UINT32_MAX) /* no rekeying could follow */
		return GK_ERR_SEQUENCE;
	if (size)
		fresh = gk_alloc(&kdc->env, size);
	if (size && !fresh)
		return GK_ERR_NO_MEMORY;
	err = prepare_all(kdc, fresh);
	if (!err)
		replace(kdc, fresh, num, now);
	gk_free(&kdc->env, fresh, size);
	return err ? err : gk_queue_err(&kdc->queue);
}
