// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What must hold of the questions that the KDC asks: how often, when, and whom the kernel. */
#include "tests/reach/reach.h"

#include "libgroupkey/budget.h"

#include <string.h>

#define SHARE_BURST_S   2
#define PER_INTERVAL    2 /* its turn; and once beside, as a witness or because it may be back */
#define WITNESS_WAITS   4 /* times probe_wait before a removal */
#define GRACE_QUESTIONS 6 /* in each quarter but the first, at its end, and twice if it waits */

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

/* how often: an occasion is a round, of which a single question is the shortest */

static bool is_over(const struct world *w, int64_t since_ms)
{
	return w->now.mono.ms - since_ms >= SECOND_MS * (int64_t)w->opt.presence.check_interval_s;
}

static void refill(struct world *w, struct node *node)
{
	double passed = (double)(w->now.mono.ms - node->spare_ms) /
			(SECOND_MS * (double)w->opt.presence.check_interval_s);

	node->spare_ms = w->now.mono.ms;
	if (node->spare > PER_INTERVAL && !is_over(w, node->reason_ms))
		return;
	node->spare += PER_INTERVAL * passed;
	if (node->spare > PER_INTERVAL)
		node->spare = PER_INTERVAL;
}

/* Which is forgotten when nothing came of it within an interval. */
void check_reason(struct world *w, struct node *node, unsigned count)
{
	refill(w, node);
	node->spare += count;
	node->reason_ms = w->now.mono.ms;
}

void check_reason_for_all(struct world *w)
{
	for (int i = 0; i < w->opt.nodes; i++)
		check_reason(w, &w->nodes[i], 1);
}

/* If its removal is soon, others have to be heard of. */
void check_suspect(struct world *w, struct node *node, bool parked)
{
	const struct gk_presence_config *p = &w->opt.presence;

	if (parked)
		check_reason(w, node, 1);
	if (p->evict && p->grace_s < WITNESS_WAITS * p->probe_wait_s)
		check_reason_for_all(w);
}

/* ... likewise. */
void check_absent(struct world *w, struct node *node)
{
	if (!w->opt.presence.evict)
		return;
	check_reason(w, node, GRACE_QUESTIONS);
	check_reason_for_all(w);
}

/* Its turn comes anew, at any moment of an interval. */
void check_return(struct world *w, struct node *node)
{
	if (!is_over(w, node->return_ms))
		return;
	node->return_ms = w->now.mono.ms;
	check_reason(w, node, 1);
}

/* If somebody is removed the kernel may say of it that it is back, as often as it likes. */
void check_word(struct world *w, struct node *node, enum gk_reach reach)
{
	bool accuses = reach == GK_REACH_FAILED || reach == GK_REACH_ROUTER_FAILED ||
		       reach == GK_REACH_ROUTE_GONE;

	if (accuses || (w->opt.presence.evict && node->presence == GK_ABSENT))
		check_reason(w, node, 1);
}

static bool is_same_occasion(const struct world *w, const struct node *node)
{
	const struct gk_presence_config *p = &w->opt.presence;
	int64_t round_ms = SECOND_MS * (int64_t)p->probes * p->probe_wait_s;

	return node->questions > 1 && node->questions <= p->probes &&
	       w->now.mono.ms - node->occasion_ms < round_ms;
}

static void check_sleep(struct world *w, const struct node *node)
{
	int64_t slept_ms = w->now.mono.ms - node->heard_ms;

	if (node->sleepy && node->presence == GK_PRESENT &&
	    slept_ms < SECOND_MS * (int64_t)w->opt.presence.sleep_max_s)
		broken(w, RULE_ASKED, node->index, "asked, and asleep for only %lld s",
		       (long long)slept_ms / SECOND_MS);
}

static void check_question(struct world *w, struct node *node)
{
	check_sleep(w, node);
	if (node->questions && node->question_ms == w->now.mono.ms)
		return; /* by unicast and by multicast */
	node->question_ms = w->now.mono.ms;
	node->questions++;
	if (is_same_occasion(w, node))
		return;
	node->occasion_ms = w->now.mono.ms;
	node->questions = 1;
	refill(w, node);
	node->spare -= 1;
	if (node->spare > -0.01)
		return;
	broken(w, RULE_ASKED, node->index, "asked %.1f times too often", -node->spare);
	node->spare = 0;
}

static void check_questions(struct world *w, int index, struct gk_span message)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if ((index == GATEWAY || index == i) && node_is_asked(node, message))
			check_question(w, node);
	}
}

void check_request(struct world *w, int index, struct gk_span message)
{
	bool silent = index != GATEWAY && w->nodes[index].presence == GK_PRESENT;

	check_questions(w, index, message);
	if (!take_share(w, gk_air_of(message.len + 12).bytes) && silent && w->nodes[index].member)
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
