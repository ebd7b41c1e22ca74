// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Confirmations of rekeying messages to the group (docs/rekeying.md section 9): whether and for how
 * long they are waited for, and what arrives.
 */
#include "client.h"
#include "delivery.h"
#include "group.h"
#include "multicast.h"

#include <string.h>

#define CONFIRM_ALL_MAX     64 /* members up to which 'auto' is 'all' */
#define LEISURE_MIN_MS      500
#define LEISURE_MAX_MS      600000
#define DEFAULT_BYTES_PER_S 7812 /* a quarter of 250 kbit/s */

/* RFC 7252 section 8.2: lb_Leisure = S * G / R. */
static uint32_t leisure_ms(const struct gk_group *group)
{
	uint64_t rate = group->kdc->budget.bytes_per_s ? group->kdc->budget.bytes_per_s
						       : DEFAULT_BYTES_PER_S;
	uint64_t members = gk_keytree_members(&group->tree);
	uint64_t ms = members * gk_air_of(GK_CONFIRMATION_LEN).bytes * 1000 / rate;

	return (uint32_t)(ms < LEISURE_MIN_MS   ? LEISURE_MIN_MS
			  : ms > LEISURE_MAX_MS ? LEISURE_MAX_MS
						: ms);
}

int64_t gk_cast_patience_ms(const struct gk_group *group)
{
	const struct gk_rekey_config *rekey = &group->config.rekey;

	return (int64_t)leisure_ms(group) + GK_CONFIRM_MARGIN_MS +
	       2 * (int64_t)rekey->repeat * rekey->repeat_ms;
}

static bool wants_confirmations(const struct gk_group *group)
{
	enum gk_confirm confirm = group->config.rekey.confirm;

	return confirm == GK_CONFIRM_ALL ||
	       (confirm == GK_CONFIRM_AUTO && gk_keytree_members(&group->tree) <= CONFIRM_ALL_MAX);
}

uint32_t gk_cast_leisure_ms(const struct gk_group *group)
{
	return wants_confirmations(group) ? leisure_ms(group) : 0;
}

/* The group that has, or had, this Gid. */
static struct gk_group *group_of(struct gk_kdc *kdc, struct gk_span gid)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		struct gk_id now = gk_group_gid(group);

		if (group->served && gid.len == now.len &&
		    memcmp(gid.data, group->gid_prefix, sizeof(group->gid_prefix)) == 0)
			return group;
	}
	return NULL;
}

static struct gk_node *node_at(const struct gk_group *group, uint16_t slot)
{
	return slot < group->slot_cap ? group->by_slot[slot] : NULL;
}

static bool is_right(const struct gk_group *group, const struct gk_node *node,
		     const struct gk_confirmation *confirmation)
{
	struct gk_tree_name leaf = { .level = 0, .index = confirmation->slot };
	struct gk_id gid = gk_group_gid(group);
	uint8_t mac[GK_REKEYING_MAC_LEN];

	return node && gk_span_equal(gk_id_span(&gid), confirmation->gid) && group->sealed.len &&
	       confirmation->mac.len == sizeof(mac) &&
	       gk_confirmation_mac(gk_group_name(group), (uint32_t)group->num, node->slot,
				   gk_blob_span(&group->sealed),
				   gk_keytree_node(&group->tree, leaf)->key.bytes,
				   gk_keytree_root(&group->tree)->key.bytes, mac) == GK_OK &&
	       gk_equal(mac, confirmation->mac.data, sizeof(mac));
}

/* A second one of the same member is of no use but to the account of the link: one for each copy,
 * and one more (docs/rekeying.md section 9), so that replays do not empty it. */
static void accept(struct gk_group *group, struct gk_node *node, struct gk_now now)
{
	if (node->confirmations > group->config.rekey.repeat)
		return;
	node->confirmations++;
	gk_budget_charge(&group->kdc->budget, gk_air_of(GK_CONFIRMATION_LEN).bytes, now.mono.ms);
	if (node->num == group->num)
		return;
	gk_client_seen(node->client, GK_FACT_CONFIRMATION, now);
	gk_delivery_confirmed(node, GK_VIA_MULTICAST, now);
}

void gk_cast_receive(struct gk_kdc *kdc, struct gk_span message, struct gk_now now)
{
	struct gk_confirmation confirmation;
	struct gk_coap coap;
	struct gk_group *group;
	struct gk_node *node;

	if (gk_coap_parse(message, &coap) || coap.code != GK_COAP_CHANGED ||
	    gk_confirmation_read(coap.payload, &confirmation))
		return;
	group = group_of(kdc, confirmation.gid);
	if (!group)
		return;
	node = node_at(group, confirmation.slot);
	if (is_right(group, node, &confirmation))
		accept(group, node, now);
	else
		group->confirmations_refused++;
}
