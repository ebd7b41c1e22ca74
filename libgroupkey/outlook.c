// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What comes next for a member, read off the clocks of presence.c. Nothing is decided here.
 */
#include "kdc.h"

static const struct gk_presence_config *policy(const struct gk_node *node)
{
	return &node->group->config.presence;
}

static bool can_be_asked(const struct gk_node *node)
{
	return node->has_control || gk_observe_delivers(node);
}

static bool is_blind(const struct gk_node *node)
{
	return node->group->kdc->blind;
}

/* Its timer may fire before it has been silent for long enough, and is then set again. */
static int64_t silent_ms(const struct gk_node *node)
{
	int64_t silent = node->last_seen_ms + 1000 * (int64_t)policy(node)->check_interval_s;

	return silent > node->check.at_ms ? silent : node->check.at_ms;
}

static void look_at_present(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->next = node->kernel_asked ? GK_NEXT_VERDICT : GK_NEXT_CHECK;
	outlook->at_ms = node->kernel_asked ? node->check.at_ms : silent_ms(node);
}

static void look_at_suspect(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->next = GK_NEXT_ANSWER;
	outlook->at_ms = node->check.at_ms;
	outlook->probe = node->probes_sent;
	outlook->probes = policy(node)->probes;
}

static void look_at_absent(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->next = policy(node)->evict ? GK_NEXT_REMOVAL : GK_NEXT_ASKED;
	outlook->at_ms = node->check.at_ms;
}

static void look_at(const struct gk_node *node, struct gk_outlook *outlook)
{
	static void (*const look[])(const struct gk_node *, struct gk_outlook *) = {
		[GK_PRESENT] = look_at_present,
		[GK_SUSPECT] = look_at_suspect,
		[GK_ABSENT] = look_at_absent,
		[GK_ASLEEP] = look_at_present,
	};

	*outlook = (struct gk_outlook){
		.node = gk_node_name(node),
		.name = gk_span(node->client->name, node->client->name_len),
		.member = true,
		.at_ms = GK_NEVER,
	};
	if (is_blind(node))
		outlook->next = GK_NEXT_SIGHT;
	else if (can_be_asked(node) && node->check.slot)
		look[node->presence](node, outlook);
}

bool gk_kdc_outlook(const struct gk_kdc *kdc, struct gk_span group_name, struct gk_span name,
		    struct gk_outlook *outlook)
{
	const struct gk_group *group = gk_group_find_served(kdc, group_name);
	const struct gk_node *node = group ? gk_group_node_named(group, name) : NULL;
	const struct gk_departed *departed = NULL;

	if (node)
		look_at(node, outlook);
	else
		departed = gk_departed_named(kdc, group_name, name);
	if (departed)
		*outlook = (struct gk_outlook){
			.node = gk_span((const uint8_t *)departed->node, departed->node_len),
			.name = gk_span(departed->name, departed->name_len),
			.ended = departed->why,
			.next = GK_NEXT_REJOIN,
			.at_ms = GK_NEVER,
		};
	return node || departed;
}
