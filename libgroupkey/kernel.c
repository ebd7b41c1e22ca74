// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The kernel's word on who is there: asked for, it is a first question that costs the link little;
 * unasked, it is a hint. Neither is authenticated, so that all it can do is to have a member asked.
 */
#include "presence.h"

#define KERNEL_LEN 40 /* of a solicitation, and of its answer */

void gk_kernel_ask(struct gk_node *node, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;

	gk_evidence_add(node, GK_FACT_SILENT, (uint32_t)((now.mono.ms - node->last_seen_ms) / 1000),
			now);
	gk_evidence_add(node, GK_FACT_KERNEL_ASKED, 0, now);
	kdc->presence_counts.kernel_probes++;
	gk_budget_charge(&kdc->budget, 2 * gk_air_of(KERNEL_LEN).bytes, now.mono.ms);
	gk_queue_add(&kdc->queue,
		     &(struct gk_event){ .kind = GK_EVENT_PROBE, .peer = *gk_address_of(node) });
}

/* what it says of a member */

static const struct verdict {
	enum gk_fact fact;
	bool accuses;
} verdicts[] = {
	[GK_REACH_UNKNOWN] = { GK_FACT_NONE, false },
	[GK_REACH_CONFIRMED] = { GK_FACT_KERNEL_CONFIRMED, false },
	[GK_REACH_FAILED] = { GK_FACT_KERNEL_FAILED, true },
	[GK_REACH_ROUTED] = { GK_FACT_ROUTED, false },
	[GK_REACH_ROUTER_FAILED] = { GK_FACT_ROUTER_FAILED, true },
	[GK_REACH_ROUTE_GONE] = { GK_FACT_ROUTE_GONE, true },
	[GK_REACH_MOVED] = { GK_FACT_MOVED, false },
	[GK_REACH_DEAF] = { GK_FACT_KERNEL_DEAF, false },
};

/* One that is asked once in an interval. If somebody else has its address by now, the kernel finds
 * them because of each question of ours. */
static bool can_wait(const struct gk_node *node, enum gk_reach reach, struct gk_now now)
{
	int64_t passed_ms = now.mono.ms - gk_probe_asked_until_ms(node);
	bool is_ours = reach == GK_REACH_CONFIRMED && passed_ms <= node->group->kdc->verdict_ms;

	return node->vigil == GK_VIGIL_RETURN && (is_ours || gk_probe_is_spared(node, now));
}

/* There is a way to it, or to somebody: it may be back, and the next question may come too late.
 * Anybody on the link can make the kernel say so, over and over: that costs the others no air, and
 * is no question while one is under way. */
static void ask_on_hint(struct gk_node *node, enum gk_reach reach, struct gk_now now)
{
	uint32_t wait_ms = 1000 * node->group->config.presence.probe_wait_s;
	bool hint = reach == GK_REACH_CONFIRMED || reach == GK_REACH_MOVED;

	if (!hint || node->presence != GK_ABSENT || node->group->kdc->blind ||
	    !gk_probe_can_ask(node) || can_wait(node, reach, now) ||
	    !gk_probe_may_check(node->group->kdc, now))
		return;
	if (gk_probe_asked_until_ms(node) - now.mono.ms < wait_ms / 2 &&
	    gk_probe_send(node, wait_ms, now))
		gk_probe_spare(node, now);
}

static void hear(struct gk_node *node, enum gk_reach reach, struct gk_now now)
{
	bool known = (size_t)reach < sizeof(verdicts) / sizeof(verdicts[0]);
	const struct verdict *verdict = &verdicts[known ? reach : GK_REACH_UNKNOWN];
	bool awaited = node->vigil == GK_VIGIL_KERNEL && reach != GK_REACH_MOVED;

	ask_on_hint(node, reach, now);
	if (!verdict->fact || !gk_presence_may_doubt(node))
		return;
	if (awaited || verdict->accuses || reach == GK_REACH_MOVED)
		gk_evidence_add(node, verdict->fact, 0, now);
	if (verdict->accuses && !node->group->blind)
		gk_presence_accuse(node, verdict->fact, now);
	else if (awaited)
		gk_presence_ask(node, now);
}

/* what it says of addresses */

/* Of several words about a member the last one counts. */
static void note_word(struct gk_kdc *kdc, struct gk_node *node, enum gk_reach word)
{
	if (!node->told) {
		node->next_told = kdc->told;
		kdc->told = node;
	}
	node->told = true;
	node->word = (uint8_t)word;
}

static void take_report(struct gk_kdc *kdc, const struct gk_reach_report *report)
{
	struct gk_client *client = NULL;

	while ((client = gk_address_next(kdc, &report->addr, client))) {
		for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
			note_word(kdc, node, report->reach);
	}
}

void gk_kernel_reports(struct gk_kdc *kdc, const struct gk_reach_report *reports, size_t count,
		       struct gk_now now)
{
	for (size_t i = 0; i < count; i++)
		take_report(kdc, &reports[i]);
	while (kdc->told) {
		struct gk_node *node = kdc->told;

		kdc->told = node->next_told;
		node->told = false;
		hear(node, node->word, now);
	}
}
