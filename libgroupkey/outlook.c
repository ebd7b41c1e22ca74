// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What comes next for a member, read off the clocks of presence.c. Nothing is decided here.
 */
#include "group.h"
#include "presence.h"

static const struct gk_presence_config *policy(const struct gk_node *node)
{
	return &node->group->config.presence;
}

/* Its timer may fire before it has been silent for long enough, and is then set again. */
static void look_at_silence(const struct gk_node *node, struct gk_outlook *outlook)
{
	uint32_t patience_s =
		gk_node_sleeps(node) ? policy(node)->sleep_max_s : policy(node)->check_interval_s;
	int64_t silent_ms = node->quiet_ms + 1000 * (int64_t)patience_s;

	if (silent_ms > outlook->at_ms)
		outlook->at_ms = silent_ms;
}

/* Of a check it is one that nobody counts. */
static void look_at_round(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->probe = node->probes_sent;
	outlook->probes = policy(node)->probes;
}

/* It is asked meanwhile, too. */
static void look_at_grace(const struct gk_node *node, struct gk_outlook *outlook)
{
	outlook->at_ms = node->end_ms;
}

/* The last word is witness.c's, which has no time for it. */
static void look_at_end(const struct gk_node *node, struct gk_outlook *outlook)
{
	(void)node;
	outlook->at_ms = GK_NEVER;
}

static const struct {
	enum gk_next next;
	void (*look)(const struct gk_node *node,
		     struct gk_outlook *outlook); /* NULL: that is all */
} vigils[] = {
	[GK_VIGIL_SILENCE] = { GK_NEXT_CHECK, look_at_silence },
	[GK_VIGIL_KERNEL] = { GK_NEXT_VERDICT, NULL },
	[GK_VIGIL_CHECK] = { GK_NEXT_ANSWER, NULL },
	[GK_VIGIL_ROUND] = { GK_NEXT_ANSWER, look_at_round },
	[GK_VIGIL_GRACE] = { GK_NEXT_REMOVAL, look_at_grace },
	[GK_VIGIL_RETURN] = { GK_NEXT_ASKED, NULL },
	[GK_VIGIL_END] = { GK_NEXT_WAIT, look_at_end },
};

/* Of a group that is blind by itself those are not judged who are lost. */
static bool is_unseen(const struct gk_node *node)
{
	return node->group->kdc->blind || (node->group->blind && gk_presence_is_doubted(node));
}

static void look_at(const struct gk_node *node, struct gk_outlook *outlook)
{
	*outlook = (struct gk_outlook){
		.node = gk_node_name(node),
		.name = gk_span(node->client->name, node->client->name_len),
		.member = true,
		.at_ms = GK_NEVER,
	};
	if (is_unseen(node)) {
		outlook->next = GK_NEXT_SIGHT;
	} else if (gk_probe_can_ask(node)) {
		outlook->next = vigils[node->vigil].next;
		outlook->at_ms = node->check.slot ? node->check.at_ms : GK_NEVER;
		if (vigils[node->vigil].look)
			vigils[node->vigil].look(node, outlook);
	}
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
