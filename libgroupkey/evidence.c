// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What is known of members, and by what: the newest facts of each, and of the latest memberships
 * that have ended. In memory only; nothing is decided by it.
 */
#include "group.h"
#include "presence.h"

#include <string.h>

#define DETAIL_MAX 0xffffffu

/* words */

static const char *const facts[] = {
	[GK_FACT_NONE] = "nothing is known",
	[GK_FACT_JOINED] = "joined",
	[GK_FACT_REQUEST] = "sent a protected request",
	[GK_FACT_ANSWER] = "answered a protected request",
	[GK_FACT_CONFIRMATION] = "confirmed a message to the group",
	[GK_FACT_ACKNOWLEDGED] = "acknowledged a notification",
	[GK_FACT_SILENT] = "was silent",
	[GK_FACT_KERNEL_ASKED] = "the kernel was asked for its address",
	[GK_FACT_KERNEL_FAILED] = "the kernel could not reach its address",
	[GK_FACT_KERNEL_CONFIRMED] = "the kernel reached its address",
	[GK_FACT_KERNEL_MUTE] = "the kernel gave no verdict in time",
	[GK_FACT_KERNEL_DEAF] = "the kernel cannot tell",
	[GK_FACT_ROUTED] = "is behind a router, and only that can the kernel look for",
	[GK_FACT_ROUTER_FAILED] = "the kernel could not reach the router before it",
	[GK_FACT_ROUTE_GONE] = "the route to it was withdrawn",
	[GK_FACT_MOVED] = "the route to it goes another way",
	[GK_FACT_PROBED] = "was asked",
	[GK_FACT_PROBED_BY_MULTICAST] = "was asked by multicast",
	[GK_FACT_UNANSWERED] = "did not answer in time",
	[GK_FACT_UNSENT] = "could not be asked: the message did not leave",
	[GK_FACT_SUSPECT] = "became suspect",
	[GK_FACT_ABSENT] = "became absent",
	[GK_FACT_ASLEEP] = "sleeps, as it said it would",
	[GK_FACT_WITNESSED] = "others were heard of meanwhile",
	[GK_FACT_WAITS] = "its removal has to wait",
	[GK_FACT_BLIND] = "the gateway became blind",
	[GK_FACT_SEES] = "the gateway sees again",
	[GK_FACT_EXCUSED] = "was excused: for a while nothing could be heard",
	[GK_FACT_CONFIRMED_LOSS] = "the operator confirmed its loss",
	[GK_FACT_REMOVED] = "was removed for its silence",
	[GK_FACT_PUT_OUT] = "was removed",
	[GK_FACT_LEFT] = "left",
	[GK_FACT_PARKED] = "answered no rekeying message",
	[GK_FACT_RESTORED] = "the gateway was started anew",
	[GK_FACT_ELSEWHERE] = "was heard of from another address",
};

const char *gk_fact_str(enum gk_fact fact)
{
	size_t i = (size_t)fact;

	return i < sizeof(facts) / sizeof(facts[0]) && facts[i] ? facts[i] : "unknown";
}

const char *gk_blindness_str(enum gk_blindness why)
{
	static const char *const words[] = {
		[GK_BLIND_NOT] = "",
		[GK_BLIND_LINK_GONE] = "the interface is gone",
		[GK_BLIND_LINK_DOWN] = "the interface is down",
		[GK_BLIND_RADIO_DOWN] = "the radio is down",
		[GK_BLIND_NO_ADDRESS] = "the interface has no address",
		[GK_BLIND_DEAF] = "the kernel's notices cannot be read",
		[GK_BLIND_MASS_LOSS] = "too many members were lost at once",
	};
	size_t i = (size_t)why;

	return i < sizeof(words) / sizeof(words[0]) ? words[i] : "unknown";
}

/* a member's trail */

static struct gk_mark *mark_at(struct gk_trail *trail, size_t i)
{
	return &trail->marks[(trail->first + i) % GK_TRAIL_LEN];
}

static bool is_again(const struct gk_mark *mark, enum gk_fact fact, uint32_t detail)
{
	return mark->fact == fact && (mark->detail == detail || fact == GK_FACT_SILENT);
}

static struct gk_mark *next_mark(struct gk_trail *trail)
{
	if (trail->count < GK_TRAIL_LEN)
		trail->count++;
	else
		trail->first = (trail->first + 1) % GK_TRAIL_LEN;
	return mark_at(trail, trail->count - 1u);
}

void gk_evidence_add(struct gk_node *node, enum gk_fact fact, uint32_t detail, struct gk_now now)
{
	struct gk_trail *trail = &node->trail;
	struct gk_mark *mark = trail->count ? mark_at(trail, trail->count - 1u) : NULL;

	if (detail > DETAIL_MAX)
		detail = DETAIL_MAX;
	if (!mark || !is_again(mark, fact, detail)) {
		mark = next_mark(trail);
		*mark = (struct gk_mark){ .fact = (uint8_t)fact };
	}
	mark->times += mark->times < UINT16_MAX;
	mark->at_low = (uint32_t)now.mono.ms;
	mark->at_high = (uint16_t)(now.mono.ms >> 32);
	mark->detail = detail;
}

/* those that are gone */

static void fill_departed(struct gk_departed *departed, const struct gk_node *node, const char *why)
{
	const struct gk_group *group = node->group;
	const struct gk_client *client = node->client;

	*departed = (struct gk_departed){
		.group_len = group->name_len,
		.node_len = node->name_len,
		.name_len = client->name_len,
		.why = why,
		.trail = node->trail,
	};
	memcpy(departed->group, group->name, sizeof(departed->group));
	memcpy(departed->node, node->name, sizeof(departed->node));
	memcpy(departed->name, client->name, sizeof(departed->name));
}

void gk_evidence_end(struct gk_node *node, enum gk_fact fact, const char *why, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;
	struct gk_departed **place = &kdc->departed[kdc->departed_at];

	gk_evidence_add(node, fact, 0, now);
	if (!*place)
		*place = gk_alloc(&kdc->env, sizeof(**place));
	if (!*place)
		return;
	fill_departed(*place, node, why);
	kdc->departed_at = (kdc->departed_at + 1) % GK_DEPARTED_MAX;
}

void gk_evidence_wipe(struct gk_kdc *kdc)
{
	for (size_t i = 0; i < GK_DEPARTED_MAX; i++) {
		if (kdc->departed[i])
			gk_free(&kdc->env, kdc->departed[i], sizeof(*kdc->departed[i]));
	}
}

/* As with members, node names come first: they are ours, and no client can take one. */
static bool is_named(const struct gk_departed *departed, struct gk_span group, struct gk_span name,
		     bool by_node)
{
	struct gk_span own = by_node ? gk_span((const uint8_t *)departed->node, departed->node_len)
				     : gk_span(departed->name, departed->name_len);

	return gk_span_equal(gk_span(departed->group, departed->group_len), group) &&
	       gk_span_equal(own, name);
}

/* The latest first. */
static const struct gk_departed *find_departed(const struct gk_kdc *kdc, struct gk_span group,
					       struct gk_span name, bool by_node)
{
	for (size_t i = 1; i <= GK_DEPARTED_MAX; i++) {
		size_t at = (kdc->departed_at + GK_DEPARTED_MAX - i) % GK_DEPARTED_MAX;

		if (kdc->departed[at] && is_named(kdc->departed[at], group, name, by_node))
			return kdc->departed[at];
	}
	return NULL;
}

const struct gk_departed *gk_departed_named(const struct gk_kdc *kdc, struct gk_span group,
					    struct gk_span name)
{
	const struct gk_departed *departed = find_departed(kdc, group, name, true);

	return departed ? departed : find_departed(kdc, group, name, false);
}

static const struct gk_trail *find_trail(const struct gk_kdc *kdc, struct gk_span name,
					 struct gk_span node_name)
{
	const struct gk_group *group = gk_group_find_served(kdc, name);
	const struct gk_node *node = group ? gk_group_node_named(group, node_name) : NULL;
	const struct gk_departed *departed;

	if (node)
		return &node->trail;
	departed = gk_departed_named(kdc, name, node_name);
	return departed ? &departed->trail : NULL;
}

bool gk_kdc_evidence_next(const struct gk_kdc *kdc, struct gk_span group, struct gk_span node,
			  size_t *at, struct gk_evidence *evidence)
{
	const struct gk_trail *trail = find_trail(kdc, group, node);
	const struct gk_mark *mark;

	if (!trail || *at >= trail->count)
		return false;
	mark = &trail->marks[(trail->first + (*at)++) % GK_TRAIL_LEN];
	*evidence = (struct gk_evidence){
		.fact = mark->fact,
		.at_ms = (int64_t)((uint64_t)mark->at_high << 48) >> 16 | mark->at_low,
		.times = mark->times,
		.detail = mark->detail,
	};
	return true;
}
