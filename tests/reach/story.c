// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What happens to nodes, one thing at a time to each: they are off for a while or for long, links
 * flap, they move, the router before them dies, somebody forges what is said of them. A routing
 * daemon installs a host route to each that is behind a router, some seconds after that is so.
 */
#include "tests/reach/reach.h"

#define ROUTER_PER   25 /* nodes */
#define BEHIND       0.4
#define FLAPS_EACH   60
#define FLAP_DOWN_MS 1000
#define FLAP_UP_MS   2000
#define CALM_MS      (DAY_MS / 2) /* between what happens to a node, on average */

static int router_count(const struct world *w)
{
	return w->opt.nodes / ROUTER_PER;
}

bool story_is_router(const struct world *w, int index)
{
	return index < router_count(w);
}

static int any_router(struct world *w)
{
	return router_count(w) ? (int)between(w, 0, router_count(w) - 1) : GATEWAY;
}

/* the routing daemon */

static void settle_route(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	kernel_route(w, node, node->joined_ms == GK_NEVER ? GATEWAY : node->parent);
}

/* It learns sooner who is there than who is not. */
static void route_soon(struct world *w, const struct node *node)
{
	bool apart = node->joined_ms == GK_NEVER;

	world_in(w, apart ? between(w, 30000, 300000) : between(w, 1000, 10000), settle_route,
		 (uint64_t)node->index);
}

void story_route_all(struct world *w, int64_t within_ms)
{
	for (int i = 0; i < w->opt.nodes; i++)
		world_in(w, between(w, 1000, within_ms), settle_route, (uint64_t)i);
}

static void route_those_behind(struct world *w, int router)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		if (w->nodes[i].parent == router)
			route_soon(w, &w->nodes[i]);
	}
}

/* being cut off */

void story_cut(struct world *w, struct node *node, bool cut)
{
	node->linked = !cut;
	world_changed(w);
	route_soon(w, node);
	if (story_is_router(w, node->index))
		route_those_behind(w, node->index);
}

static void begin_story(struct world *w, uint64_t index, void *ptr);

static void calm(struct world *w, struct node *node)
{
	node->engaged = false;
	if (node->extra) {
		node->extra = false;
		return;
	}
	world_in(w, gap(w, CALM_MS), begin_story, (uint64_t)node->index);
}

static void come_back(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	if (node->diverted)
		kernel_set(w, node, GLOBAL, NUD_STALE_);
	node->diverted = false;
	story_cut(w, node, false);
	calm(w, node);
}

static void be_cut(struct world *w, struct node *node, int64_t from_ms, int64_t to_ms)
{
	w->tally[OUTAGES]++;
	story_cut(w, node, true);
	world_in(w, between(w, from_ms, to_ms), come_back, (uint64_t)node->index);
}

static void blink(struct world *w, struct node *node)
{
	be_cut(w, node, 500, 15000);
}

static void fall_out(struct world *w, struct node *node)
{
	be_cut(w, node, 15000, 5 * MINUTE_MS);
}

static void be_off(struct world *w, struct node *node)
{
	be_cut(w, node, 10 * MINUTE_MS, 12 * HOUR_MS);
}

void story_fall(struct world *w, struct node *node)
{
	node->engaged = node->extra = true;
	fall_out(w, node);
}

void story_vanish(struct world *w, struct node *node)
{
	node->engaged = node->extra = true;
	be_off(w, node);
}

/* Somebody else has its address meanwhile. */
static void be_gone(struct world *w, struct node *node)
{
	be_cut(w, node, DAY_MS, 4 * DAY_MS);
	if (story_is_router(w, node->index) || happens(w, 0.5))
		return;
	w->tally[TAKEOVERS]++;
	node->diverted = true;
	trace(w, node->index, "its address is taken", 0, NULL);
	kernel_set(w, node, GLOBAL, NUD_STALE_);
}

/* flapping */

static void flap_up(struct world *w, uint64_t arg, void *ptr);

static void flap_down(struct world *w, uint64_t arg, void *ptr)
{
	(void)ptr;
	story_cut(w, &w->nodes[arg >> 32], true);
	world_in(w, FLAP_DOWN_MS, flap_up, arg);
}

static void flap_up(struct world *w, uint64_t arg, void *ptr)
{
	struct node *node = &w->nodes[arg >> 32];

	(void)ptr;
	story_cut(w, node, false);
	if ((uint32_t)arg)
		world_in(w, FLAP_UP_MS, flap_down, arg - 1);
	else
		calm(w, node);
}

static void flap(struct world *w, struct node *node)
{
	w->tally[FLAPS]++;
	trace(w, node->index, "flaps", FLAPS_EACH, NULL);
	flap_down(w, (uint64_t)node->index << 32 | (FLAPS_EACH - 1), NULL);
}

/* moving */

static void arrive(struct world *w, uint64_t arg, void *ptr)
{
	struct node *node = &w->nodes[arg >> 32];

	(void)ptr;
	node->parent = (int)(uint32_t)arg - 1;
	story_cut(w, node, false);
	calm(w, node);
}

static void go_to(struct world *w, struct node *node, int parent, int64_t ms)
{
	w->tally[MOVES]++;
	node->turns++;
	trace(w, node->index, "moves to", parent, NULL);
	world_in(w, ms, arrive, (uint64_t)node->index << 32 | (uint32_t)(parent + 1));
}

static void move(struct world *w, struct node *node)
{
	if (story_is_router(w, node->index)) {
		calm(w, node);
		return;
	}
	story_cut(w, node, true);
	go_to(w, node, happens(w, 0.3) ? GATEWAY : any_router(w), between(w, 200, 8000));
}

/* Most of those behind it find another way after a while. */
static void leave_router(struct world *w, int router)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if (node->parent != router || node->engaged || happens(w, 0.2))
			continue;
		node->engaged = node->extra = true;
		go_to(w, node, happens(w, 0.3) ? GATEWAY : any_router(w), between(w, 5000, 90000));
	}
}

static void die(struct world *w, struct node *node)
{
	if (story_is_router(w, node->index)) {
		w->tally[ROUTER_DEATHS]++;
		leave_router(w, node->index);
	}
	be_off(w, node);
}

/* being attacked */

static void end_attack(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	node->diverted = false;
	trace(w, node->index, "is attacked no more", 0, NULL);
	kernel_set(w, node, node->parent == GATEWAY ? GLOBAL : LINK_LOCAL, NUD_STALE_);
	calm(w, node);
}

static void slander(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	if (!node->diverted || !node->engaged)
		return;
	node->turns++;
	trace(w, node->index, "is slandered", 0, NULL);
	kernel_set(w, node, GLOBAL, NUD_FAILED_);
	world_in(w, gap(w, 5 * MINUTE_MS), slander, index);
}

static void be_attacked(struct world *w, struct node *node)
{
	w->tally[ATTACKS]++;
	node->turns++;
	trace(w, node->index, "is attacked", 0, NULL);
	node->diverted = true;
	kernel_set(w, node, GLOBAL, NUD_STALE_);
	if (happens(w, 0.5))
		world_in(w, gap(w, MINUTE_MS), slander, (uint64_t)node->index);
	world_in(w, between(w, MINUTE_MS, 2 * HOUR_MS), end_attack, (uint64_t)node->index);
}

/* Longer than is allowed, and healthy. */
static void oversleep(struct world *w, struct node *node)
{
	w->tally[OVERSLEPT]++;
	be_cut(w, node, SECOND_MS * (int64_t)w->opt.presence.sleep_max_s,
	       3 * SECOND_MS * (int64_t)w->opt.presence.sleep_max_s);
}

static void begin_story(struct world *w, uint64_t index, void *ptr)
{
	static void (*const stories[])(struct world *, struct node *) = {
		blink, blink, blink, fall_out, fall_out, be_off,      be_gone,
		flap,  move,  move,  die,      die,      be_attacked, be_attacked,
	};
	static void (*const of_sleepers[])(struct world *, struct node *) = { be_off, be_gone,
									      oversleep };
	struct node *node = &w->nodes[index];

	(void)ptr;
	if (node->engaged) {
		world_in(w, HOUR_MS, begin_story, index);
		return;
	}
	node->engaged = true;
	if (node->sleepy)
		of_sleepers[between(w, 0, 2)](w, node);
	else
		stories[between(w, 0, sizeof(stories) / sizeof(stories[0]) - 1)](w, node);
}

void story_begin(struct world *w)
{
	kernel_create(w);
	kernel_address(w, true);
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if (!story_is_router(w, i) && happens(w, BEHIND))
			node->parent = any_router(w);
		world_in(w, gap(w, CALM_MS), begin_story, (uint64_t)i);
	}
	world_changed(w);
	story_route_all(w, 10000);
	story_of_links(w);
}
