// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What happens to our own interface, and to many nodes at once; one thing at a time. Beside that
 * the KDC is restarted now and then.
 */
#include "tests/reach/reach.h"

#define CALM_MS     (4 * HOUR_MS)
#define RESTARTS_MS (6 * HOUR_MS)
#define ROUTING_MS  40000 /* in which the routing daemon finds its nodes again */

static void begin_story(struct world *w, uint64_t arg, void *ptr);

static void calm(struct world *w)
{
	world_in(w, gap(w, CALM_MS), begin_story, 0);
}

/* our interface */

static void get_address(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	kernel_address(w, true);
	story_route_all(w, ROUTING_MS);
	calm(w);
}

static void switch_on(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	kernel_switch(w, true);
	world_in(w, between(w, 500, 3000), get_address, 0);
}

static void go_down(struct world *w)
{
	w->tally[LINK_DOWNS]++;
	kernel_switch(w, false);
	world_in(w, between(w, 1000, 30 * MINUTE_MS), switch_on, 0);
}

static void carrier_on(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	kernel_carrier(w, true);
	story_route_all(w, ROUTING_MS); /* what could not be installed meanwhile */
	calm(w);
}

static void lose_carrier(struct world *w)
{
	w->tally[LINK_DOWNS]++;
	kernel_carrier(w, false);
	world_in(w, between(w, 500, 30 * MINUTE_MS), carrier_on, 0);
}

static void radio_on(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	kernel_radio(w, true);
	calm(w);
}

static void lose_radio(struct world *w)
{
	w->tally[RADIO_DOWNS]++;
	kernel_radio(w, false);
	world_in(w, between(w, 500, HOUR_MS), radio_on, 0);
}

static void create(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	kernel_create(w);
	world_in(w, between(w, 500, 3000), get_address, 0);
}

static void be_deleted(struct world *w)
{
	w->tally[RECREATIONS]++;
	kernel_delete(w);
	world_in(w, between(w, 0, 10 * MINUTE_MS), create, 0);
}

static void lose_address(struct world *w)
{
	w->tally[ADDRESS_LOSSES]++;
	kernel_address(w, false);
	world_in(w, between(w, 1000, 10 * MINUTE_MS), get_address, 0);
}

/* Things happen, and of none there is a notice. */
static void overrun(struct world *w)
{
	kernel_overrun(w);
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if (happens(w, 0.05))
			kernel_set(w, node, GLOBAL, NUD_STALE_);
		if (!node->engaged && happens(w, 0.02))
			story_fall(w, node);
	}
	calm(w);
}

/* many at once */

static bool can_be_lost(const struct world *w, const struct node *node)
{
	return node->member && !node->engaged && !node->sleepy && node->joined_ms != GK_NEVER &&
	       !story_is_router(w, node->index);
}

static void lose_one(struct node *node)
{
	node->engaged = node->away = node->lost = true;
	node->doubted = node->presence == GK_SUSPECT || node->presence == GK_ABSENT;
	node->linked = false;
}

/* @param share  of those who are awake, whether anything may happen to them now or not
 * @return false: there are not so many to which it may, and nothing happens */
static bool lose(struct world *w, double share)
{
	size_t awake = 0, left = 0, wanted;

	for (int i = 0; i < w->opt.nodes; i++) {
		awake += w->nodes[i].member && !w->nodes[i].sleepy;
		left += can_be_lost(w, &w->nodes[i]);
	}
	wanted = (size_t)(share * (double)awake) + 1;
	if (wanted > left)
		return false;
	for (int i = 0; i < w->opt.nodes; i++) {
		if (!can_be_lost(w, &w->nodes[i]) ||
		    between(w, 1, (int64_t)left--) > (int64_t)wanted)
			continue;
		wanted--;
		lose_one(&w->nodes[i]);
	}
	world_changed(w);
	return true;
}

static void find_again(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if (!node->away)
			continue;
		node->away = node->lost = node->engaged = false;
		story_cut(w, node, false);
	}
	w->recovered_ms = w->now.mono.ms;
	calm(w);
}

static void recover(struct world *w, uint64_t arg, void *ptr)
{
	w->tally[RECOVERED_LOSSES]++;
	find_again(w, arg, ptr);
}

/* How long it may take until it is noticed: everybody has to be asked. */
static uint64_t minutes_to_notice(const struct world *w)
{
	const struct gk_presence_config *p = &w->opt.presence;

	return 2 + 2 * (p->check_interval_s + p->probes * p->probe_wait_s) / 60;
}

/* Who has just been started begins with that again. */
static bool may_notice(const struct world *w)
{
	return w->kdc && w->now.mono.ms - w->started_ms > MINUTE_MS;
}

/* The operator takes their time. */
static void confirm(struct world *w, uint64_t arg, void *ptr)
{
	(void)ptr;
	if (w->kdc && w->mass_blind && !w->blind) {
		w->tally[CONFIRMED_LOSSES]++;
		check_confirm(w);
		world_in(w, between(w, HOUR_MS, 5 * HOUR_MS), find_again, 0);
	} else if (arg) {
		world_in(w, MINUTE_MS, confirm, may_notice(w) ? arg - 1 : minutes_to_notice(w));
	} else {
		broken(w, RULE_MASS, GATEWAY, "not noticed");
		find_again(w, 0, NULL);
	}
}

static void lose_many(struct world *w)
{
	if (!lose(w, 0.65 + 0.01 * (double)between(w, 0, 20))) {
		calm(w);
		return;
	}
	w->tally[MASS_LOSSES]++;
	w->recovered_ms = -1;
	if (happens(w, 0.5))
		world_in(w, between(w, MINUTE_MS, HOUR_MS), recover, 0);
	else
		world_in(w, between(w, MINUTE_MS, 10 * MINUTE_MS), confirm, minutes_to_notice(w));
}

/* Not so many that we would doubt ourselves. */
static void lose_some(struct world *w)
{
	w->tally[PARTIAL_LOSSES]++;
	for (int i = 0; i < w->opt.nodes; i++) {
		if (can_be_lost(w, &w->nodes[i]) && happens(w, 0.2))
			story_vanish(w, &w->nodes[i]);
	}
	calm(w);
}

static void begin_story(struct world *w, uint64_t arg, void *ptr)
{
	static void (*const stories[])(struct world *) = {
		go_down, lose_carrier, lose_radio, be_deleted, lose_address,
		overrun, overrun,      lose_many,  lose_many,  lose_some,
	};

	(void)arg;
	(void)ptr;
	stories[between(w, 0, sizeof(stories) / sizeof(stories[0]) - 1)](w);
}

/* the KDC: whatever else happens */

static void stop(struct world *w, uint64_t arg, void *ptr);

static void start(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	gateway_start(w);
	world_in(w, gap(w, RESTARTS_MS), stop, 0);
}

static void stop(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	w->tally[RESTARTS]++;
	gateway_stop(w);
	world_in(w, between(w, 100, 2 * MINUTE_MS), start, 0);
}

void story_of_links(struct world *w)
{
	world_in(w, gap(w, RESTARTS_MS), stop, 0);
	world_in(w, gap(w, CALM_MS), begin_story, 0);
}
