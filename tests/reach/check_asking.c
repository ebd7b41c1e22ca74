// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What must hold of the questions that the KDC asks: how often, when, and whom the kernel. */
#include "tests/reach/reach.h"

#include "libgroupkey/budget.h"

#include <string.h>

#define SHARE_BURST_S 2

/* What is found out anew is not counted against what was known before. */
static bool is_early(const struct world *w, const struct node *node)
{
	int64_t interval = SECOND_MS * (int64_t)w->opt.presence.check_interval_s;
	int64_t anew = later(w->seeing_ms, w->mass_ms);

	return node->checked_ms > anew && w->now.mono.ms - node->checked_ms < interval;
}

/* Where new material comes to each by itself, each is heard of then, and in step. */
static unsigned per_second_max(const struct world *w)
{
	return 10 + 12 * (unsigned)w->opt.nodes / w->opt.presence.check_interval_s;
}

/* After a start everybody is unheard of, and has a place of its own in the interval. */
static void check_part(struct world *w, const struct node *node)
{
	int64_t interval = SECOND_MS * (int64_t)w->opt.presence.check_interval_s;
	int64_t part = (w->now.mono.ms - w->started_ms) * PARTS / interval;

	if (part < PARTS && ++w->in_part[part] > 10 + 2 * (unsigned)w->opt.nodes / PARTS)
		broken(w, RULE_SPREAD, node->index, "%u checks in a %dth of an interval",
		       w->in_part[part], PARTS);
}

void check_probe(struct world *w, struct node *node)
{
	int64_t second = w->now.mono.ms / SECOND_MS;

	trace(w, node->index, "the kernel is asked", 0, NULL);
	w->in_second = second == w->second ? w->in_second + 1 : 1;
	w->second = second;
	if (w->in_second > w->in_second_max)
		w->in_second_max = w->in_second;
	if (w->opt.tree && w->in_second > per_second_max(w))
		broken(w, RULE_SPREAD, node->index, "%u checks in one second", w->in_second);
	check_part(w, node);
	if (w->blind)
		broken(w, RULE_BLIND, node->index, "checked while we are blind");
	if (is_early(w, node))
		broken(w, RULE_CHECKS, node->index, "checked %lld s after the last time",
		       (long long)(w->now.mono.ms - node->checked_ms) / SECOND_MS);
	node->checked_ms = w->now.mono.ms;
}

/* In a trace that is played the way is the kernel's secret. */
void check_hop(struct world *w, const struct node *node, const uint8_t *ip)
{
	uint8_t hop[REACH_IP_LEN];

	if (!w->played && kernel_hop(w, node, hop) && memcmp(hop, ip, sizeof(hop)) != 0)
		broken(w, RULE_HOP, node->index, "its neighbour is asked for by ...%02x%02x",
		       ip[14], ip[15]);
}

/* The KDC also leaves room for answers, so its own account is never fuller; and no debt is larger
 * than one that it knows. */
static bool take_share(struct world *w, size_t bytes)
{
	double rate = w->opt.link_bps / 4 / 8.0;
	bool ready;

	w->share += rate * (double)(w->now.mono.ms - w->share_ms) / SECOND_MS;
	if (w->share > rate * SHARE_BURST_S)
		w->share = rate * SHARE_BURST_S;
	w->share_ms = w->now.mono.ms;
	ready = w->share >= 0;
	w->share -= (double)bytes;
	if (w->share < -rate * GK_BUDGET_DEBT_S)
		w->share = -rate * GK_BUDGET_DEBT_S;
	return ready;
}

void check_request(struct world *w, int index, size_t len)
{
	bool silent = index != GATEWAY && w->nodes[index].presence == GK_PRESENT;

	if (!take_share(w, gk_air_of(len + 12).bytes) && silent && w->nodes[index].member)
		broken(w, RULE_AIR, index, "a check, with %.0f bytes too many on the air",
		       -w->share);
}

/* Bad luck is something that happens to a node. */
void check_unanswered(struct world *w, const struct ask *ask)
{
	struct node *node = ask->node == GATEWAY ? NULL : &w->nodes[ask->node];

	if (node && node->joined_ms <= ask->begun_ms)
		node->turns++;
}
