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

static bool is_blind(const struct gk_node *node)
{
	return node->group->kdc->blind;
}

/* Its timer may fire before it has been silent for long enough, and is then set again. */
static void look_at_silence(const struct gk_node *node, struct gk_outlook *outlook)
{
	int64_t patience_s =
		gk_node_sleeps(node) ? policy(node)->sleep_max_s : policy(node)->check_interval_s;
	int64_t silent_ms = node->quiet_ms + 1000 * patience_s;

	if (silent_ms > outlook->at_ms)
		outlook->at_ms = silent_ms;
}

static void look_at_round(const struct gk_node *node, struct gk_outlook *outlook)
{
	bool doubted = gk_presence_is_doubted(node);

	outlook->probe = doubted ? node->probes_sent : 0;
	outlook->probes = doubted ? policy(node)->probes : 0;
}

/* Meanwhile it is asked again. */
static void look_at_grace(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->at_ms = node->end_ms;
}

static const struct view {
	enum gk_next next;
	void (*look)(const struct gk_node *node, struct gk_outlook *outlook);
} views[] = {
	[GK_VIGIL_SILENCE] = { GK_NEXT_CHECK, look_at_silence },
	[GK_VIGIL_KERNEL] = { GK_NEXT_VERDICT, NULL },
	[GK_VIGIL_CHECK] = { GK_NEXT_ANSWER, look_at_round },
	[GK_VIGIL_ROUND] = { GK_NEXT_ANSWER, look_at_round },
	[GK_VIGIL_GRACE] = { GK_NEXT_REMOVAL, look_at_grace },
	[GK_VIGIL_RETURN] = { GK_NEXT_ASKED, NULL },
	[GK_VIGIL_END] = { GK_NEXT_REMOVAL, NULL },
};

/* One whose grace is over waits for the group to be looked at. */
static void look_at_timer(const struct gk_node *node, struct gk_outlook *outlook)
{
	const struct view *view = &views[node->vigil];
	const struct gk_timer *timer =
		node->vigil == GK_VIGIL_END ? &node->group->judge : &node->check;

	if (!timer->slot)
		return;
	outlook->next = view->next;
	outlook->at_ms = timer->at_ms;
	if (view->look)
		view->look(node, outlook);
}

static void look_at(const struct gk_node *node, struct gk_outlook *outlook)
{
	*outlook = (struct gk_outlook){
		.node = gk_node_name(node),
		.name = gk_span(node->client->name, node->client->name_len),
		.member = true,
		.at_ms = GK_NEVER,
	};
	if (is_blind(node))
		outlook->next = GK_NEXT_SIGHT;
	else if (gk_probe_can_ask(node))
		look_at_timer(node, outlook);
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
