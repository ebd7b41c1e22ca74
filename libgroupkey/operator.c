// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What the operator says of clients: ban, unban, revoke.
 */
#include "client.h"
#include "group.h"
#include "ledger.h"

#include <string.h>

/* those who have a token of some name */

typedef enum gk_err visit_holder(void *ctx, const struct gk_id *id, struct gk_utc exp);

static bool is_named(const struct gk_client *client, struct gk_span name)
{
	return gk_span_equal(gk_span(client->name, client->name_len), name);
}

/* Those that have ended too: a clock that was ahead may be set right, and they are good again. */
static enum gk_err visit_issued(const struct gk_kdc *kdc, struct gk_span name, visit_holder *visit,
				void *ctx)
{
	enum gk_err err = GK_OK;

	for (const struct gk_issued *i = kdc->issued; i && !err; i = i->next) {
		if (gk_span_equal(gk_span(i->name, i->name_len), name))
			err = visit(ctx, &i->client, i->exp);
	}
	return err;
}

static enum gk_err visit_known(const struct gk_kdc *kdc, struct gk_span name, visit_holder *visit,
			       void *ctx)
{
	enum gk_err err = GK_OK;

	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		struct gk_link *link = kdc->clients_by_id.buckets[i];

		for (; link && !err; link = link->next) {
			const struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

			if (is_named(client, name))
				err = visit(ctx, &client->id, client->exp);
		}
	}
	return err;
}

static enum gk_err visit_candidates(const struct gk_kdc *kdc, struct gk_span name,
				    visit_holder *visit, void *ctx)
{
	enum gk_err err = GK_OK;

	for (const struct gk_client *c = kdc->candidates; c && !err; c = c->next_candidate) {
		if (is_named(c, name))
			err = visit(ctx, &c->id, c->exp);
	}
	return err;
}

/* The same id may come more than once. Nobody is called nothing. */
static enum gk_err visit_holders(const struct gk_kdc *kdc, struct gk_span name, visit_holder *visit,
				 void *ctx)
{
	enum gk_err err = name.len ? visit_issued(kdc, name, visit, ctx) : GK_OK;

	if (!err && name.len)
		err = visit_known(kdc, name, visit, ctx);
	return err || !name.len ? err : visit_candidates(kdc, name, visit, ctx);
}

/* revocations */

struct revoking {
	struct gk_kdc *kdc;
	struct gk_span name;
	struct gk_revoked *found;
};

static enum gk_err add_revoked(void *ctx, const struct gk_id *id, struct gk_utc exp)
{
	struct revoking *r = ctx;
	struct gk_revoked *revoked = gk_revoked_find(r->found, gk_id_span(id));

	if (gk_ledger_is_revoked(r->kdc, gk_id_span(id)))
		return GK_OK;
	if (!revoked) {
		revoked = gk_alloc(&r->kdc->env, sizeof(*revoked));
		if (!revoked)
			return GK_ERR_NO_MEMORY;
		revoked->client = *id;
		revoked->name_len = (uint8_t)r->name.len; /* it is somebody's */
		memcpy(revoked->name, r->name.data, r->name.len);
		gk_revoked_link(&r->found, revoked);
	}
	if (revoked->until.s < exp.s)
		revoked->until = exp;
	return GK_OK;
}

static void drop_candidates_of(struct gk_kdc *kdc, const struct gk_id *id, struct gk_now now)
{
	struct gk_client **at = &kdc->candidates;

	while (*at) {
		struct gk_client *candidate = *at;

		if (!gk_id_equal(&candidate->id, id)) {
			at = &candidate->next_candidate;
			continue;
		}
		*at = candidate->next_candidate;
		kdc->candidate_count--;
		gk_client_free(kdc, candidate);
	}
	gk_client_drop_candidates(kdc, now); /* and its timer is that of the oldest again */
}

/* The eviction notices go out under the association before it ends. */
static void end_client(struct gk_kdc *kdc, const struct gk_id *id, struct gk_now now)
{
	struct gk_client *client = gk_client_find(kdc, gk_id_span(id));

	drop_candidates_of(kdc, id, now);
	if (!client)
		return;
	client->ending = true;
	while (client->nodes)
		gk_group_remove(client->nodes, GK_NOTE_EVICTED, "token revoked", now);
	gk_session_end(kdc, client);
	gk_record_client_gone(kdc, client);
	gk_client_free(kdc, client);
}

static void take_revocations(struct gk_kdc *kdc, struct gk_revoked *found, struct gk_now now)
{
	const struct gk_revoked *first = found;

	for (struct gk_revoked *revoked = found; revoked; revoked = revoked->next)
		gk_record_revoked(kdc, revoked);
	gk_queue_note(&kdc->queue, &(struct gk_note){ .kind = GK_NOTE_REVOKED,
						      .name = gk_span(first->name, first->name_len),
						      .num = -1 });
	while (found) {
		struct gk_revoked *revoked = found;

		found = revoked->next;
		gk_ledger_add_revoked(kdc, revoked);
		end_client(kdc, &revoked->client, now);
	}
}

enum gk_err gk_kdc_revoke(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct revoking r = { .kdc = kdc, .name = name };
	enum gk_err err;

	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	err = visit_holders(kdc, name, add_revoked, &r);
	if (!err && !r.found)
		err = GK_ERR_UNKNOWN;
	if (!err)
		err = gk_ledger_reserve_revoked(kdc, gk_revoked_count(r.found), now);
	if (err) {
		gk_revoked_free(kdc, &r.found);
		return err;
	}
	take_revocations(kdc, r.found, now);
	return gk_queue_err(&kdc->queue);
}

/* bans */

static void note_ban(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_ban *ban)
{
	gk_queue_note(&kdc->queue, &(struct gk_note){ .kind = kind,
						      .group = gk_span(ban->group, ban->group_len),
						      .node = gk_span(ban->node, ban->node_len),
						      .name = gk_span(ban->name, ban->name_len),
						      .num = -1 });
}

struct banning {
	struct gk_group *group;
	struct gk_span name;
	struct gk_ban *found;
	bool is_known; /* somebody of that name is */
};

/* Its node as it is in the group, if it is. */
static const struct gk_node *member_of(const struct gk_group *group, const struct gk_id *id)
{
	const struct gk_client *client = gk_client_find(group->kdc, gk_id_span(id));

	return client ? gk_group_node_of(group, client) : NULL;
}

static void fill_ban(struct gk_ban *ban, const struct banning *b, const struct gk_id *id)
{
	const struct gk_node *node = member_of(b->group, id);

	ban->client = *id;
	ban->group_len = b->group->name_len;
	memcpy(ban->group, b->group->name, ban->group_len);
	ban->name_len = (uint8_t)b->name.len; /* it is somebody's */
	if (b->name.len)
		memcpy(ban->name, b->name.data, b->name.len);
	if (!node)
		return;
	ban->node_len = node->name_len;
	memcpy(ban->node, node->name, node->name_len);
}

static enum gk_err add_ban(void *ctx, const struct gk_id *id, struct gk_utc exp)
{
	struct banning *b = ctx;
	struct gk_kdc *kdc = b->group->kdc;
	struct gk_ban *ban;

	(void)exp;
	b->is_known = true;
	if (gk_ledger_is_banned(kdc, gk_group_name(b->group), id) ||
	    gk_ban_is_among(b->found, gk_group_name(b->group), id))
		return GK_OK;
	ban = gk_alloc(&kdc->env, sizeof(*ban));
	if (!ban)
		return GK_ERR_NO_MEMORY;
	fill_ban(ban, b, id);
	gk_ban_link(&b->found, ban);
	return GK_OK;
}

/* A node name says which client; a client's name, all that have a token of it. */
static enum gk_err find_banned(struct banning *b, struct gk_span member)
{
	struct gk_node *node = gk_group_node_named(b->group, member);

	if (!node || !gk_span_equal(gk_node_name(node), member)) {
		b->name = member;
		return visit_holders(b->group->kdc, member, add_ban, b);
	}
	b->name = gk_span(node->client->name, node->client->name_len);
	return add_ban(b, &node->client->id, node->client->exp);
}

static enum gk_err check_bans(const struct banning *b)
{
	if (!b->found)
		return b->is_known ? GK_ERR_STATE : GK_ERR_UNKNOWN;
	return gk_ban_count(b->group->kdc->bans) + gk_ban_count(b->found) > GK_LEDGER_MAX
		       ? GK_ERR_NO_SPACE
		       : GK_OK;
}

/* The bans come first: who is put out does not get in again. And it does not get the rest of an
 * answer that is under way in blocks. */
static void take_bans(struct gk_group *group, struct gk_ban *found, struct gk_now now)
{
	struct gk_kdc *kdc = group->kdc;

	for (struct gk_ban *ban = found; ban; ban = ban->next) {
		gk_record_ban(kdc, ban);
		note_ban(kdc, GK_NOTE_BANNED, ban);
	}
	while (found) {
		struct gk_ban *ban = found;
		struct gk_client *client = gk_client_find(kdc, gk_id_span(&ban->client));
		struct gk_node *node = client ? gk_group_node_of(group, client) : NULL;

		found = ban->next;
		gk_ban_link(&kdc->bans, ban);
		if (client)
			gk_client_drop_transfers(kdc, client);
		if (node)
			gk_group_remove(node, GK_NOTE_EVICTED, "banned", now);
	}
}

enum gk_err gk_kdc_ban(struct gk_kdc *kdc, struct gk_span group, struct gk_span node,
		       struct gk_now now)
{
	struct banning b = { .group = gk_group_find(kdc, group) };
	enum gk_err err;

	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	if (!b.group || !b.group->served)
		return GK_ERR_UNKNOWN;
	err = find_banned(&b, node);
	if (!err)
		err = check_bans(&b);
	if (err) {
		gk_ban_free(kdc, &b.found);
		return err;
	}
	take_bans(b.group, b.found, now);
	return gk_queue_err(&kdc->queue);
}

static struct gk_span ban_name(const struct gk_ban *ban)
{
	return gk_span(ban->name, ban->name_len);
}

static struct gk_span ban_node(const struct gk_ban *ban)
{
	return gk_span(ban->node, ban->node_len);
}

static struct gk_ban *take_out(struct gk_kdc *kdc, struct gk_span group, struct gk_span name,
			       struct gk_span (*name_of)(const struct gk_ban *))
{
	struct gk_ban **at = &kdc->bans, *out = NULL;

	while (*at) {
		struct gk_ban *ban = *at;

		if (!gk_ban_is_of(ban, group) || !gk_span_equal(name_of(ban), name)) {
			at = &ban->next;
			continue;
		}
		*at = ban->next;
		gk_ban_link(&out, ban);
	}
	return out;
}

enum gk_err gk_kdc_unban(struct gk_kdc *kdc, struct gk_span group, struct gk_span node,
			 struct gk_now now)
{
	struct gk_ban *lifted = NULL;

	(void)now;
	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	if (node.len)
		lifted = take_out(kdc, group, node, ban_node);
	if (node.len && !lifted)
		lifted = take_out(kdc, group, node, ban_name);
	if (!lifted)
		return GK_ERR_UNKNOWN;
	for (const struct gk_ban *ban = lifted; ban; ban = ban->next) {
		gk_record_ban_gone(kdc, ban);
		note_ban(kdc, GK_NOTE_UNBANNED, ban);
	}
	gk_ban_free(kdc, &lifted);
	return gk_queue_err(&kdc->queue);
}
