// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What the operator said of clients, and outlives their associations: tokens issued, tokens
 * revoked, clients kept out of a group. All of it goes by the client's id, the one thing that no
 * new association and no new name changes.
 *
 * The lists are in descending order of their keys in the store, so that those who come back from
 * there in ascending order each find their place at the head.
 */
#include "kdc.h"

#include <string.h>

/* A clock that was years ahead may be set right, and then tokens that had ended are good again:
 * revocations stay for as long as a clock may be wrong (docs/state.md section 6). */
#define REVOKED_STAY_S (5 * INT64_C(31622400))

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

static size_t count_issued(const struct gk_kdc *kdc)
{
	size_t count = 0;

	for (const struct gk_issued *issued = kdc->issued; issued; issued = issued->next)
		count++;
	return count;
}

static void free_issued(struct gk_kdc *kdc, struct gk_issued *issued)
{
	gk_blob_wipe(&kdc->env, &issued->scope);
	gk_free(&kdc->env, issued, sizeof(*issued));
}

static void purge_issued(struct gk_kdc *kdc, struct gk_now now)
{
	struct gk_issued **at = &kdc->issued;

	while (*at) {
		struct gk_issued *issued = *at;

		if (issued->exp.s > now.utc.s) {
			at = &issued->next;
			continue;
		}
		*at = issued->next;
		gk_record_issued_gone(kdc, issued);
		free_issued(kdc, issued);
	}
}

enum gk_err gk_ledger_restore_issued(struct gk_kdc *kdc, struct gk_issued *issued)
{
	struct gk_issued **at = place_issued(kdc, issued->cti);

	if (*at && (*at)->cti == issued->cti)
		return GK_ERR_DUPLICATE;
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

	purge_issued(kdc, now);
	if (count_issued(kdc) >= GK_LEDGER_MAX)
		return GK_ERR_NO_SPACE;
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

/* those who have a token of some name */

typedef enum gk_err visit_holder(void *ctx, const struct gk_id *id, struct gk_utc exp);

static bool is_named(const struct gk_client *client, struct gk_span name)
{
	return gk_span_equal(gk_span(client->name, client->name_len), name);
}

static enum gk_err visit_issued(const struct gk_kdc *kdc, struct gk_span name, struct gk_now now,
				visit_holder *visit, void *ctx)
{
	enum gk_err err = GK_OK;

	for (const struct gk_issued *i = kdc->issued; i && !err; i = i->next) {
		if (gk_span_equal(gk_span(i->name, i->name_len), name) && i->exp.s > now.utc.s)
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
static enum gk_err visit_holders(const struct gk_kdc *kdc, struct gk_span name, struct gk_now now,
				 visit_holder *visit, void *ctx)
{
	enum gk_err err = name.len ? visit_issued(kdc, name, now, visit, ctx) : GK_OK;

	if (!err && name.len)
		err = visit_known(kdc, name, visit, ctx);
	return err || !name.len ? err : visit_candidates(kdc, name, visit, ctx);
}

/* revocations */

static struct gk_revoked **place_revoked(struct gk_revoked **at, struct gk_span client)
{
	while (*at && order_of(gk_id_span(&(*at)->client), client) > 0)
		at = &(*at)->next;
	return at;
}

static struct gk_revoked *find_revoked(struct gk_revoked *list, struct gk_span client)
{
	struct gk_revoked *found = *place_revoked(&list, client);

	return found && gk_span_equal(gk_id_span(&found->client), client) ? found : NULL;
}

static size_t count_revoked(const struct gk_revoked *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		count++;
	return count;
}

bool gk_ledger_is_revoked(const struct gk_kdc *kdc, struct gk_span client)
{
	return find_revoked(kdc->revoked, client) != NULL;
}

static void link_revoked(struct gk_revoked **list, struct gk_revoked *revoked)
{
	struct gk_revoked **at = place_revoked(list, gk_id_span(&revoked->client));

	revoked->next = *at;
	*at = revoked;
}

enum gk_err gk_ledger_restore_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked)
{
	if (gk_ledger_is_revoked(kdc, gk_id_span(&revoked->client)))
		return GK_ERR_DUPLICATE;
	link_revoked(&kdc->revoked, revoked);
	return GK_OK;
}

static void purge_revoked(struct gk_kdc *kdc, int64_t ended_s)
{
	struct gk_revoked **at = &kdc->revoked;

	while (*at) {
		struct gk_revoked *revoked = *at;

		if (revoked->until.s > ended_s) {
			at = &revoked->next;
			continue;
		}
		*at = revoked->next;
		gk_record_revoked_gone(kdc, revoked);
		gk_free(&kdc->env, revoked, sizeof(*revoked));
	}
}

static void free_revocations(struct gk_kdc *kdc, struct gk_revoked **list)
{
	while (*list) {
		struct gk_revoked *revoked = *list;

		*list = revoked->next;
		gk_free(&kdc->env, revoked, sizeof(*revoked));
	}
}

struct revoking {
	struct gk_kdc *kdc;
	struct gk_span name;
	struct gk_revoked *found;
};

static enum gk_err add_revoked(void *ctx, const struct gk_id *id, struct gk_utc exp)
{
	struct revoking *r = ctx;
	struct gk_revoked *revoked = find_revoked(r->found, gk_id_span(id));

	if (gk_ledger_is_revoked(r->kdc, gk_id_span(id)))
		return GK_OK;
	if (!revoked) {
		revoked = gk_alloc(&r->kdc->env, sizeof(*revoked));
		if (!revoked)
			return GK_ERR_NO_MEMORY;
		revoked->client = *id;
		revoked->name_len = (uint8_t)r->name.len; /* it is somebody's */
		memcpy(revoked->name, r->name.data, r->name.len);
		link_revoked(&r->found, revoked);
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
	while (client->nodes)
		gk_group_remove(client->nodes, GK_NOTE_EVICTED, "token revoked", now);
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
		link_revoked(&kdc->revoked, revoked);
		end_client(kdc, &revoked->client, now);
	}
}

static bool revocations_fit(struct gk_kdc *kdc, const struct gk_revoked *found, struct gk_now now)
{
	size_t count = count_revoked(found);

	if (count_revoked(kdc->revoked) + count > GK_LEDGER_MAX)
		purge_revoked(kdc, now.utc.s);
	return count_revoked(kdc->revoked) + count <= GK_LEDGER_MAX;
}

enum gk_err gk_kdc_revoke(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct revoking r = { .kdc = kdc, .name = name };
	enum gk_err err;

	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	err = visit_holders(kdc, name, now, add_revoked, &r);
	if (!err && !r.found)
		err = GK_ERR_UNKNOWN;
	if (!err && !revocations_fit(kdc, r.found, now))
		err = GK_ERR_NO_SPACE;
	if (err) {
		free_revocations(kdc, &r.found);
		return err;
	}
	purge_issued(kdc, now);
	purge_revoked(kdc, now.utc.s - REVOKED_STAY_S);
	take_revocations(kdc, r.found, now);
	return gk_queue_err(&kdc->queue);
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

static bool is_among(struct gk_ban *list, struct gk_span group, const struct gk_id *client)
{
	const struct gk_ban *ban = *place_ban(&list, group, client);

	return ban && order_of_ban(ban, group, client) == 0;
}

static size_t count_bans(const struct gk_ban *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		count++;
	return count;
}

bool gk_ledger_is_banned(const struct gk_kdc *kdc, struct gk_span group, const struct gk_id *client)
{
	return is_among(kdc->bans, group, client);
}

static bool is_of_group(const struct gk_ban *ban, struct gk_span group)
{
	return gk_span_equal(gk_span(ban->group, ban->group_len), group);
}

const struct gk_ban *gk_ledger_next_ban(const struct gk_group *group, const struct gk_ban *after)
{
	const struct gk_ban *ban = after ? after->next : group->kdc->bans;

	while (ban && !is_of_group(ban, gk_group_name(group)))
		ban = ban->next;
	return ban;
}

static void link_ban(struct gk_ban **list, struct gk_ban *ban)
{
	struct gk_ban **at = place_ban(list, gk_span(ban->group, ban->group_len), &ban->client);

	ban->next = *at;
	*at = ban;
}

enum gk_err gk_ledger_restore_ban(struct gk_kdc *kdc, struct gk_ban *ban)
{
	if (gk_ledger_is_banned(kdc, gk_span(ban->group, ban->group_len), &ban->client))
		return GK_ERR_DUPLICATE;
	link_ban(&kdc->bans, ban);
	return GK_OK;
}

static void free_bans(struct gk_kdc *kdc, struct gk_ban **list)
{
	while (*list) {
		struct gk_ban *ban = *list;

		*list = ban->next;
		gk_free(&kdc->env, ban, sizeof(*ban));
	}
}

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
	    is_among(b->found, gk_group_name(b->group), id))
		return GK_OK;
	ban = gk_alloc(&kdc->env, sizeof(*ban));
	if (!ban)
		return GK_ERR_NO_MEMORY;
	fill_ban(ban, b, id);
	link_ban(&b->found, ban);
	return GK_OK;
}

/* A node name says which client; a client's name, all that have a token of it. */
static enum gk_err find_banned(struct banning *b, struct gk_span member, struct gk_now now)
{
	struct gk_node *node = gk_group_node_named(b->group, member);

	if (!node || !gk_span_equal(gk_node_name(node), member)) {
		b->name = member;
		return visit_holders(b->group->kdc, member, now, add_ban, b);
	}
	b->name = gk_span(node->client->name, node->client->name_len);
	return add_ban(b, &node->client->id, node->client->exp);
}

static enum gk_err check_bans(const struct banning *b)
{
	if (!b->found)
		return b->is_known ? GK_ERR_STATE : GK_ERR_UNKNOWN;
	return count_bans(b->group->kdc->bans) + count_bans(b->found) > GK_LEDGER_MAX
		       ? GK_ERR_NO_SPACE
		       : GK_OK;
}

/* The bans come first: who is put out does not get in again. */
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
		link_ban(&kdc->bans, ban);
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
	err = find_banned(&b, node, now);
	if (!err)
		err = check_bans(&b);
	if (err) {
		free_bans(kdc, &b.found);
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

		if (!is_of_group(ban, group) || !gk_span_equal(name_of(ban), name)) {
			at = &ban->next;
			continue;
		}
		*at = ban->next;
		link_ban(&out, ban);
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
	free_bans(kdc, &lifted);
	return gk_queue_err(&kdc->queue);
}

/* the list of clients: those that are known, then tokens that have not come back, then what only
 * its revocation tells of */

static void tell_known(const struct gk_kdc *kdc, const struct gk_client *client,
		       struct gk_client_info *info)
{
	*info = (struct gk_client_info){
		.name = gk_span(client->name, client->name_len),
		.id = client->id,
		.scope = gk_blob_span(&client->scope),
		.exp = client->exp,
		.known = true,
		.revoked = gk_ledger_is_revoked(kdc, gk_id_span(&client->id)),
	};
	for (const struct gk_node *node = client->nodes; node; node = node->next_of_client)
		info->groups++;
}

static const struct gk_client *known_client(const struct gk_kdc *kdc, size_t nth)
{
	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		struct gk_link *link = kdc->clients_by_id.buckets[i];

		for (; link; link = link->next) {
			if (nth-- == 0)
				return GK_OWNER(link, struct gk_client, by_id);
		}
	}
	return NULL;
}

/* @param nth  where to begin; moves behind what is found. @return false: none from there on */
static bool tell_issued(const struct gk_kdc *kdc, size_t *nth, struct gk_client_info *info)
{
	const struct gk_issued *issued = kdc->issued;

	for (size_t i = 0; issued && i < *nth; i++)
		issued = issued->next;
	for (; issued; issued = issued->next) {
		(*nth)++;
		if (gk_client_find(kdc, gk_id_span(&issued->client)))
			continue;
		*info = (struct gk_client_info){
			.name = gk_span(issued->name, issued->name_len),
			.id = issued->client,
			.scope = gk_blob_span(&issued->scope),
			.exp = issued->exp,
			.revoked = gk_ledger_is_revoked(kdc, gk_id_span(&issued->client)),
		};
		return true;
	}
	return false;
}

static bool is_issued(const struct gk_kdc *kdc, const struct gk_id *client)
{
	for (const struct gk_issued *issued = kdc->issued; issued; issued = issued->next) {
		if (gk_id_equal(&issued->client, client))
			return true;
	}
	return false;
}

static bool tell_revoked(const struct gk_kdc *kdc, size_t *nth, struct gk_client_info *info)
{
	const struct gk_revoked *revoked = kdc->revoked;

	for (size_t i = 0; revoked && i < *nth; i++)
		revoked = revoked->next;
	for (; revoked; revoked = revoked->next) {
		(*nth)++;
		if (gk_client_find(kdc, gk_id_span(&revoked->client)) ||
		    is_issued(kdc, &revoked->client))
			continue;
		*info = (struct gk_client_info){
			.name = gk_span(revoked->name, revoked->name_len),
			.id = revoked->client,
			.exp = revoked->until,
			.revoked = true,
		};
		return true;
	}
	return false;
}

bool gk_kdc_client_next(const struct gk_kdc *kdc, size_t *at, struct gk_client_info *info)
{
	size_t known = kdc->clients_by_id.count, issued = count_issued(kdc), nth;
	const struct gk_client *client;
	bool found = false;

	if (*at < known) {
		client = known_client(kdc, (*at)++);
		tell_known(kdc, client, info);
		return true;
	}
	nth = *at - known;
	if (nth < issued)
		found = tell_issued(kdc, &nth, info);
	if (!found) {
		nth = nth < issued ? 0 : nth - issued;
		found = tell_revoked(kdc, &nth, info);
		nth += issued;
	}
	*at = known + nth;
	return found;
}

void gk_ledger_wipe(struct gk_kdc *kdc)
{
	while (kdc->issued) {
		struct gk_issued *issued = kdc->issued;

		kdc->issued = issued->next;
		free_issued(kdc, issued);
	}
	free_revocations(kdc, &kdc->revoked);
	free_bans(kdc, &kdc->bans);
}
