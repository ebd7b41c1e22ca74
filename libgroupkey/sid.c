// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A group's Sender IDs, and the sets of those that are stale (P 6.3, 7.1).
 */
#include "group.h"

#include <string.h>

#define SID_POOL   65536 /* one- and two-byte Sender IDs, the short ones first */
#define STALE_MANY 64

struct gk_stale_set *gk_group_stale_now(struct gk_group *group)
{
	return &group->stale[group->stale_count - 1];
}

enum gk_err gk_group_add_stale(struct gk_group *group, const struct gk_id *sid)
{
	struct gk_stale_set *set = gk_group_stale_now(group);

	if (set->count == set->cap) {
		const struct gk_env *env = &group->kdc->env;
		size_t cap = set->cap ? 2 * set->cap : 4;
		struct gk_id *ids = env->alloc(env->ctx, set->ids, cap * sizeof(*ids));

		if (!ids)
			return GK_ERR_NO_MEMORY;
		set->ids = ids;
		set->cap = cap;
	}
	set->ids[set->count++] = *sid;
	return GK_OK;
}

/* A member that joins again and again fills the set; a rekeying frees the Sender IDs, and keeps
 * the rekeying message within one datagram. */
void gk_group_relieve(struct gk_group *group, struct gk_now now)
{
	if (gk_group_stale_now(group)->count >= STALE_MANY)
		gk_group_schedule_rekey(group, now);
}

static void free_stale_set(struct gk_group *group, struct gk_stale_set *set)
{
	gk_free(&group->kdc->env, set->ids, set->cap * sizeof(*set->ids));
	*set = (struct gk_stale_set){ 0 };
}

void gk_group_trim_stale(struct gk_group *group, size_t max)
{
	while (group->stale_count > max) {
		free_stale_set(group, &group->stale[0]);
		group->stale_count--;
		memmove(&group->stale[0], &group->stale[1],
			group->stale_count * sizeof(group->stale[0]));
	}
}

void gk_group_begin_stale(struct gk_group *group)
{
	gk_group_trim_stale(group, group->config.stale_sets - 1);
	group->stale[group->stale_count++] = (struct gk_stale_set){ .num = group->num };
}

static void mark_sid(uint8_t *used, const struct gk_id *sid)
{
	size_t i = sid->len == 1 ? sid->data[0] : (size_t)gk_span_uint(gk_id_span(sid));

	if (sid->len >= 1 && sid->len <= 2)
		used[i / 8] |= (uint8_t)(1u << (i % 8));
}

static bool first_free(const uint8_t *used, uint8_t last, struct gk_id *sid)
{
	for (size_t n = 0; n < SID_POOL; n++) {
		size_t i = n < 256 ? (n + last + 1) % 256 : n;

		if (used[i / 8] & 1u << (i % 8))
			continue;
		*sid = i < 256 ? (struct gk_id){ 1, { (uint8_t)i } }
			       : (struct gk_id){ 2, { (uint8_t)(i >> 8), (uint8_t)i } };
		return true;
	}
	return false;
}

/* In use, or given back under the present Gid: not to be given out (RFC 10021 12.2.1.2). What
 * was given back is exactly the stale set of the present version. */
enum gk_err gk_group_choose_sid(struct gk_group *group, struct gk_id *sid)
{
	uint8_t used[SID_POOL / 8] = { 0 };
	const struct gk_stale_set *set = gk_group_stale_now(group);

	for (size_t i = 0; i < group->count; i++) {
		if (group->nodes[i]->has_sid)
			mark_sid(used, &group->nodes[i]->sid);
	}
	for (size_t i = 0; i < set->count; i++)
		mark_sid(used, &set->ids[i]);
	if (!first_free(used, group->last_sid, sid))
		return GK_ERR_NO_SPACE;
	if (sid->len == 1)
		group->last_sid = sid->data[0];
	return GK_OK;
}
