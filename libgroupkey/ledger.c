// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What is remembered of clients, and outlives their associations: tokens issued, tokens revoked,
 * clients kept out of a group. All of it goes by the client's id, the one thing that no new
 * association and no new name changes.
 *
 * What has ended stays on its list while there is room: the calendar by which it has may be wrong,
 * and then it is good again.
 *
 * The lists are in descending order of their keys in the store, so that those who come back from
 * there in ascending order each find their place at the head.
 */
#include "ledger.h"

#include "group.h"

#include <string.h>

static int order_of(struct gk_span a, struct gk_span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.data, b.data, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* tokens issued */

static struct gk_issued **place_issued(struct gk_kdc *kdc, uint64_t cti)
{
	struct gk_issued **at = &kdc->issued;

	while (*at && (*at)->cti > cti)
		at = &(*at)->next;
	return at;
}

static void free_issued(struct gk_kdc *kdc, struct gk_issued *issued)
{
	gk_blob_wipe(&kdc->env, &issued->scope);
	gk_free(&kdc->env, issued, sizeof(*issued));
}

static struct gk_issued **longest_ended_issued(struct gk_kdc *kdc, struct gk_now now)
{
	struct gk_issued **found = NULL;

	for (struct gk_issued **at = &kdc->issued; *at; at = &(*at)->next) {
		if ((*at)->exp.s <= now.utc.s && (!found || (*at)->exp.s <= (*found)->exp.s))
			found = at;
	}
	return found;
}

static enum gk_err make_room_for_issued(struct gk_kdc *kdc, struct gk_now now)
{
	while (kdc->issued_by_client.count >= GK_LEDGER_MAX) {
		struct gk_issued **at = longest_ended_issued(kdc, now);
		struct gk_issued *issued;

		if (!at)
			return GK_ERR_NO_SPACE;
		issued = *at;
		*at = issued->next;
		gk_hash_remove(&kdc->issued_by_client, &issued->by_client);
		gk_record_issued_gone(kdc, issued);
		free_issued(kdc, issued);
	}
	return GK_OK;
}

bool gk_ledger_is_issued(const struct gk_kdc *kdc, struct gk_span client)
{
	struct gk_link *link = gk_hash_find(&kdc->issued_by_client, client);

	for (; link; link = gk_hash_next(link)) {
		const struct gk_issued *issued = GK_OWNER(link, struct gk_issued, by_client);

		if (gk_span_equal(gk_id_span(&issued->client), client))
			return true;
	}
	return false;
}

enum gk_err gk_ledger_restore_issued(struct gk_kdc *kdc, struct gk_issued *issued)
{
	struct gk_issued **at = place_issued(kdc, issued->cti);

	if (*at && (*at)->cti == issued->cti)
		return GK_ERR_DUPLICATE;
	if (gk_hash_reserve(&kdc->issued_by_client))
		return GK_ERR_NO_MEMORY;
	gk_hash_add(&kdc->issued_by_client, &issued->by_client, gk_id_span(&issued->client));
	issued->next = *at;
	*at = issued;
	if (kdc->high_cti < issued->cti)
		kdc->high_cti = issued->cti;
	return GK_OK;
}

/* A copy of its own. */
static struct gk_issued *copy_issued(struct gk_kdc *kdc, const struct gk_issued *issued,
				     struct gk_span scope)
{
	struct gk_issued *copy = gk_alloc(&kdc->env, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *issued;
	copy->scope = (struct gk_blob){ 0 };
	if (!gk_blob_set(&kdc->env, &copy->scope, scope))
		return copy;
	free_issued(kdc, copy);
	return NULL;
}

/* The mark goes along: a cti is not given out twice, whatever becomes of this list. */
enum gk_err gk_ledger_issue(struct gk_kdc *kdc, const struct gk_issued *issued,
			    struct gk_span scope, struct gk_now now)
{
	struct gk_issued *copy;
	enum gk_err err;

	err = make_room_for_issued(kdc, now);
	if (err)
		return err;
	copy = copy_issued(kdc, issued, scope);
	if (!copy)
		return GK_ERR_NO_MEMORY;
	err = gk_ledger_restore_issued(kdc, copy);
	if (err) {
		free_issued(kdc, copy);
		return err;
	}
	gk_record_mark(kdc);
	gk_record_issued(kdc, copy);
	return gk_queue_err(&kdc->queue);
}

/* revocations */

static struct gk_revoked **place_revoked(struct gk_revoked **at, struct gk_span client)
{
	while (*at && order_of(gk_id_span(&(*at)->client), client) > 0)
		at = &(*at)->next;
	return at;
}

struct gk_revoked *gk_revoked_find(struct gk_revoked *list, struct gk_span client)
{
	struct gk_revoked *found = *place_revoked(&list, client);

	return found && gk_span_equal(gk_id_span(&found->client), client) ? found : NULL;
}

size_t gk_revoked_count(const struct gk_revoked *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		count++;
	return count;
}

bool gk_ledger_is_revoked(const struct gk_kdc *kdc, struct gk_span client)
{
	struct gk_link *link = gk_hash_find(&kdc->revoked_by_client, client);

	for (; link; link = gk_hash_next(link)) {
		const struct gk_revoked *revoked = GK_OWNER(link, struct gk_revoked, by_client);

		if (gk_span_equal(gk_id_span(&revoked->client), client))
			return true;
	}
	return false;
}

void gk_revoked_link(struct gk_revoked **list, struct gk_revoked *revoked)
{
	struct gk_revoked **at = place_revoked(list, gk_id_span(&revoked->client));

	revoked->next = *at;
	*at = revoked;
}

void gk_ledger_add_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked)
{
	gk_hash_add(&kdc->revoked_by_client, &revoked->by_client, gk_id_span(&revoked->client));
	gk_revoked_link(&kdc->revoked, revoked);
}

enum gk_err gk_ledger_restore_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked)
{
	if (gk_ledger_is_revoked(kdc, gk_id_span(&revoked->client)))
		return GK_ERR_DUPLICATE;
	if (gk_hash_reserve(&kdc->revoked_by_client))
		return GK_ERR_NO_MEMORY;
	gk_ledger_add_revoked(kdc, revoked);
	return GK_OK;
}

static struct gk_revoked **longest_ended_revoked(struct gk_kdc *kdc, struct gk_now now)
{
	struct gk_revoked **found = NULL;

	for (struct gk_revoked **at = &kdc->revoked; *at; at = &(*at)->next) {
		if ((*at)->until.s <= now.utc.s && (!found || (*at)->until.s < (*found)->until.s))
			found = at;
	}
	return found;
}

static enum gk_err make_room_for_revoked(struct gk_kdc *kdc, size_t count, struct gk_now now)
{
	while (kdc->revoked_by_client.count + count > GK_LEDGER_MAX) {
		struct gk_revoked **at = longest_ended_revoked(kdc, now);
		struct gk_revoked *revoked;

		if (!at)
			return GK_ERR_NO_SPACE;
		revoked = *at;
		*at = revoked->next;
		gk_hash_remove(&kdc->revoked_by_client, &revoked->by_client);
		gk_record_revoked_gone(kdc, revoked);
		gk_free(&kdc->env, revoked, sizeof(*revoked));
	}
	return GK_OK;
}

enum gk_err gk_ledger_reserve_revoked(struct gk_kdc *kdc, size_t count, struct gk_now now)
{
	enum gk_err err = make_room_for_revoked(kdc, count, now);

	return err ? err : gk_hash_reserve_many(&kdc->revoked_by_client, count);
}

void gk_revoked_free(struct gk_kdc *kdc, struct gk_revoked **list)
{
	while (*list) {
		struct gk_revoked *revoked = *list;

		*list = revoked->next;
		gk_free(&kdc->env, revoked, sizeof(*revoked));
	}
}

/* bans */

static int order_of_ban(const struct gk_ban *ban, struct gk_span group, const struct gk_id *client)
{
	/* as in the store, where a 0 follows the group's name */
	int order = order_of(gk_span(ban->group, ban->group_len), group);

	return order ? order : order_of(gk_id_span(&ban->client), gk_id_span(client));
}

static struct gk_ban **place_ban(struct gk_ban **at, struct gk_span group,
				 const struct gk_id *client)
{
	while (*at && order_of_ban(*at, group, client) > 0)
		at = &(*at)->next;
	return at;
}

bool gk_ban_is_among(struct gk_ban *list, struct gk_span group, const struct gk_id *client)
{
	const struct gk_ban *ban = *place_ban(&list, group, client);

	return ban && order_of_ban(ban, group, client) == 0;
}

size_t gk_ban_count(const struct gk_ban *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		count++;
	return count;
}

bool gk_ledger_is_banned(const struct gk_kdc *kdc, struct gk_span group, const struct gk_id *client)
{
	return gk_ban_is_among(kdc->bans, group, client);
}

bool gk_ban_is_of(const struct gk_ban *ban, struct gk_span group)
{
	return gk_span_equal(gk_span(ban->group, ban->group_len), group);
}

const struct gk_ban *gk_ledger_next_ban(const struct gk_group *group, const struct gk_ban *after)
{
	const struct gk_ban *ban = after ? after->next : group->kdc->bans;

	while (ban && !gk_ban_is_of(ban, gk_group_name(group)))
		ban = ban->next;
	return ban;
}

void gk_ban_link(struct gk_ban **list, struct gk_ban *ban)
{
	struct gk_ban **at = place_ban(list, gk_span(ban->group, ban->group_len), &ban->client);

	ban->next = *at;
	*at = ban;
}

enum gk_err gk_ledger_restore_ban(struct gk_kdc *kdc, struct gk_ban *ban)
{
	if (gk_ledger_is_banned(kdc, gk_span(ban->group, ban->group_len), &ban->client))
		return GK_ERR_DUPLICATE;
	gk_ban_link(&kdc->bans, ban);
	return GK_OK;
}

void gk_ban_free(struct gk_kdc *kdc, struct gk_ban **list)
{
	while (*list) {
		struct gk_ban *ban = *list;

		*list = ban->next;
		gk_free(&kdc->env, ban, sizeof(*ban));
	}
}

void gk_ledger_wipe(struct gk_kdc *kdc)
{
	while (kdc->issued) {
		struct gk_issued *issued = kdc->issued;

		kdc->issued = issued->next;
		free_issued(kdc, issued);
	}
	gk_revoked_free(kdc, &kdc->revoked);
	gk_ban_free(kdc, &kdc->bans);
	gk_hash_wipe(&kdc->issued_by_client);
	gk_hash_wipe(&kdc->revoked_by_client);
}
