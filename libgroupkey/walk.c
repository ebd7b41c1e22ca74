// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What the operator sees of groups, their members, and clients.
 */
#include "client.h"
#include "delivery.h"
#include "group.h"
#include "ledger.h"
#include "presence.h"

static enum gk_delivery delivery_of(const struct gk_node *node)
{
	if (node->num == node->group->num)
		return GK_DELIVERY_CONFIRMED;
	if (node->delivery == GK_NODE_CAST)
		return GK_DELIVERY_MULTICAST;
	if (node->delivery == GK_NODE_TOLD)
		return GK_DELIVERY_OBSERVE;
	return node->delivery == GK_NODE_PARKED ? GK_DELIVERY_PARKED : GK_DELIVERY_UNICAST;
}

static void count_present(const struct gk_group *group, struct gk_group_info *info)
{
	for (size_t i = 0; i < group->count; i++) {
		enum gk_presence presence = group->nodes[i]->presence;

		info->present += presence == GK_PRESENT;
		info->suspect += presence == GK_SUSPECT;
		info->absent += presence == GK_ABSENT;
		info->asleep += presence == GK_ASLEEP;
	}
}

static void count_deliveries(const struct gk_group *group, struct gk_group_info *info)
{
	for (size_t i = 0; i < group->count; i++) {
		enum gk_delivery delivery = delivery_of(group->nodes[i]);

		info->confirmed += delivery == GK_DELIVERY_CONFIRMED;
		info->unicast += delivery == GK_DELIVERY_UNICAST;
		info->parked += delivery == GK_DELIVERY_PARKED;
		info->presumed +=
			delivery == GK_DELIVERY_MULTICAST || delivery == GK_DELIVERY_OBSERVE;
		info->in_tree += group->nodes[i]->in_tree;
	}
}

static struct gk_rekeying_info rekeying_of(const struct gk_group *group)
{
	const struct gk_rekeying_stats *stats = &group->stats;

	return (struct gk_rekeying_info){
		.num = group->num,
		.members = stats->members,
		.confirmed = stats->confirmed,
		.unicast = stats->unicast,
		.parked = stats->parked,
		.bytes = stats->bytes,
		.datagrams = stats->datagrams,
		.duration_ms = stats->ended_ms < 0 ? -1 : stats->ended_ms - stats->began_ms,
	};
}

static enum gk_blindness blindness_of(const struct gk_group *group)
{
	if (group->kdc->blind)
		return group->kdc->blind;
	return group->blind ? GK_BLIND_MASS_LOSS : GK_BLIND_NOT;
}

bool gk_kdc_group_next(const struct gk_kdc *kdc, size_t *at, struct gk_group_info *info)
{
	const struct gk_group *group = kdc->groups;

	for (size_t i = 0; group && (i < *at || !group->served); group = group->next)
		i += group->served;
	if (!group)
		return false;
	(*at)++;
	*info = (struct gk_group_info){
		.name = gk_group_name(group),
		.mode = group->config.mode,
		.sign_alg = group->config.sign_alg,
		.active = group->config.active,
		.num = group->num,
		.gid = gk_group_gid(group),
		.members = group->count,
		.scheme = group->config.rekey.scheme,
		.rekeying = rekeying_of(group),
		.totals = group->totals,
		.confirmations_refused = group->confirmations_refused,
		.blind = blindness_of(group),
		.evict = group->config.presence.evict,
	};
	count_deliveries(group, info);
	count_present(group, info);
	return true;
}

static struct gk_member_info member_info(const struct gk_node *node)
{
	struct gk_member_info info = {
		.name = gk_span(node->client->name, node->client->name_len),
		.node = gk_node_name(node),
		.sender_id = gk_id_span(&node->sid),
		.roles = node->roles,
		.presence = node->presence,
		.delivery = delivery_of(node),
		.in_tree = node->in_tree,
		.observes = !node->has_control && gk_observe_delivers(node),
		.num = node->num,
		.address = node->address,
		.last_seen_ms = node->last_seen_ms,
		.last_sign = node->last_sign,
		.sleepy = gk_node_sleeps(node),
		.since_ms = node->since_ms,
		.reason = node->reason,
	};

	info.address_count = gk_address_list(node->client, info.addresses);
	return info;
}

/* Nothing is sent to it until it is let in again, so no delivery is closer than "parked". */
static struct gk_member_info banned_info(const struct gk_ban *ban)
{
	return (struct gk_member_info){
		.name = gk_span(ban->name, ban->name_len),
		.node = gk_span(ban->node, ban->node_len),
		.presence = GK_BANNED,
		.delivery = GK_DELIVERY_PARKED,
		.num = -1,
	};
}

static const struct gk_ban *ban_at(const struct gk_group *group, size_t i)
{
	const struct gk_ban *ban = gk_ledger_next_ban(group, NULL);

	while (ban && i--)
		ban = gk_ledger_next_ban(group, ban);
	return ban;
}

bool gk_kdc_member_next(const struct gk_kdc *kdc, struct gk_span name, size_t *at,
			struct gk_member_info *info)
{
	const struct gk_group *group = gk_group_find_served(kdc, name);
	const struct gk_ban *ban;

	if (!group)
		return false;
	if (*at < group->count) {
		*info = member_info(group->nodes[(*at)++]);
		return true;
	}
	ban = ban_at(group, *at - group->count);
	if (!ban)
		return false;
	(*at)++;
	*info = banned_info(ban);
	return true;
}

/* clients: those that are known, then tokens that have not come back, then what only its revocation
 * tells of. Each says whether there is anything to tell. */

static bool tell_known(const struct gk_kdc *kdc, struct gk_link *link, struct gk_client_info *info)
{
	const struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

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
	return true;
}

static bool tell_issued(const struct gk_kdc *kdc, struct gk_link *link, struct gk_client_info *info)
{
	const struct gk_issued *issued = GK_OWNER(link, struct gk_issued, by_client);

	if (gk_client_find(kdc, gk_id_span(&issued->client)))
		return false;
	*info = (struct gk_client_info){
		.name = gk_span(issued->name, issued->name_len),
		.id = issued->client,
		.scope = gk_blob_span(&issued->scope),
		.exp = issued->exp,
		.revoked = gk_ledger_is_revoked(kdc, gk_id_span(&issued->client)),
	};
	return true;
}

static bool tell_revoked(const struct gk_kdc *kdc, struct gk_link *link,
			 struct gk_client_info *info)
{
	const struct gk_revoked *revoked = GK_OWNER(link, struct gk_revoked, by_client);

	if (gk_client_find(kdc, gk_id_span(&revoked->client)) ||
	    gk_ledger_is_issued(kdc, gk_id_span(&revoked->client)))
		return false;
	*info = (struct gk_client_info){
		.name = gk_span(revoked->name, revoked->name_len),
		.id = revoked->client,
		.exp = revoked->until,
		.revoked = true,
	};
	return true;
}

/* The positions of each table follow those of the one before. */
bool gk_kdc_client_next(const struct gk_kdc *kdc, size_t *at, struct gk_client_info *info)
{
	const struct {
		const struct gk_hash *table;
		bool (*tell)(const struct gk_kdc *, struct gk_link *, struct gk_client_info *);
	} parts[] = {
		{ &kdc->clients_by_id, tell_known },
		{ &kdc->issued_by_client, tell_issued },
		{ &kdc->revoked_by_client, tell_revoked },
	};
	size_t before = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t end = before + gk_hash_positions(parts[i].table);

		while (*at < end) {
			size_t position = *at - before;
			struct gk_link *link = gk_hash_at(parts[i].table, &position);

			*at = before + position;
			if (link && parts[i].tell(kdc, link, info))
				return true;
		}
		before = end;
	}
	return false;
}
