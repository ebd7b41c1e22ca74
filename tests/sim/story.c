// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What happens to the nodes and to the gateway, at random times. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define SECOND          1000
#define MINUTE          (60 * SECOND)
#define HOUR            (60 * MINUTE)
#define FIRST_JOINS     (3 * HOUR)
#define STORY_START     (4 * HOUR)
#define ACT_EVERY       (25 * MINUTE)
#define ACT_EVERY_LARGE HOUR /* a rekeying of many costs the most time of a run */
#define CHATTER_EVERY   (45 * MINUTE)
#define LONG_LIFE_S     (400 * INT64_C(86400))
#define TRIES           20
#define SOME            200
/* In a large group many join while one catches up; who asks too late gets all credentials anew. */
#define STALE_SETS_LARGE 12
#define BEACON_SPREAD    16 /* its longest interval by the shortest */
#define ALG_EDDSA        (-8)

/* casting */

static struct node *pick_node(struct world *w)
{
	for (int i = 0; i < TRIES; i++) {
		struct node *node = &w->nodes[between(w, 0, w->opt.nodes - 1)];

		if (!node->engaged && node_in_reach(w, node) &&
		    node->bundle.exp.s > w->now.utc.s + 86400 / 4)
			return node;
	}
	return NULL;
}

/* @return a group that the node is in, or -1 */
static int pick_group(struct world *w, const struct node *node)
{
	int first = (int)between(w, 0, SIM_GROUPS - 1);

	for (int i = 0; i < SIM_GROUPS; i++) {
		int g = (first + i) % SIM_GROUPS;

		if (node->place[g].wanted && node->place[g].member &&
		    node_info(node, &w->groups[g]).joined)
			return g;
	}
	return -1;
}

/* leaving by request */

static void join_again(struct world *w, uint64_t arg, void *ptr)
{
	struct node *node = &w->nodes[arg / SIM_GROUPS];

	(void)ptr;
	node->engaged = false;
	expect_catch_up(w, node);
	node_join(w, node, (int)(arg % SIM_GROUPS));
}

static void after_leave(struct world *w, uint64_t arg, void *ptr)
{
	const struct node *node = &w->nodes[arg / SIM_GROUPS];
	const struct place *place = &node->place[arg % SIM_GROUPS];

	(void)ptr;
	if (place->member || node_info(node, &w->groups[arg % SIM_GROUPS]).joined)
		world_in(w, MINUTE, after_leave, arg);
	else if (happens(w, 0.8))
		world_in(w, between(w, SECOND, HOUR), join_again, arg);
	else
		world_in(w, between(w, 4 * HOUR, 24 * HOUR), join_again, arg);
}

static void leave(struct world *w)
{
	struct node *node = pick_node(w);
	int g = node ? pick_group(w, node) : -1;

	if (g < 0)
		return;
	node->engaged = true;
	node_leave(w, node, g);
	if (happens(w, 0.1))
		gateway_evict(w, node->index, g);
	world_in(w, MINUTE, after_leave, (uint64_t)(node->index * SIM_GROUPS + g));
}

/* out of reach, and back */

static void come_back(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	node->engaged = false;
	if (!node->member) {
		node_start(w, node);
		return;
	}
	w->tally[RETURNS]++;
	trace(w, node->index, "in reach again", 0, NULL);
	node->reach = node->hears = true;
	node->reach_ms = w->now.mono.ms;
	expect_catch_up(w, node);
}

static void vanish(struct world *w, struct node *node, bool hears)
{
	trace(w, node->index, "out of reach", hears, hears ? "but hears the group" : NULL);
	node->engaged = true;
	node->reach = false;
	node->hears = hears;
	node->lost_ms = w->now.mono.ms;
}

/* Traffic of others to it can let the kernel find out first. */
static void kernel_notices(struct world *w, uint64_t index, void *ptr)
{
	(void)ptr;
	if (!node_in_reach(w, &w->nodes[index]) && w->link_up)
		gateway_reach(w, (int)index, GK_REACH_FAILED);
}

static void lose(struct world *w)
{
	struct node *node = pick_node(w);
	bool briefly = happens(w, 0.4);

	if (!node)
		return;
	w->tally[LOSSES]++;
	vanish(w, node, happens(w, 0.5));
	if (happens(w, 0.3))
		node_stop(w, node);
	if (happens(w, 0.3))
		world_in(w, 5 * SECOND, kernel_notices, (uint64_t)node->index);
	world_in(w,
		 briefly ? between(w, 10 * SECOND, 2 * MINUTE) : between(w, 10 * MINUTE, 8 * HOUR),
		 come_back, (uint64_t)node->index);
}

static void lose_many(struct world *w)
{
	for (int64_t n = between(w, 3, 8); n > 0; n--)
		lose(w);
}

static void reboot(struct world *w)
{
	struct node *node = pick_node(w);

	if (!node)
		return;
	w->tally[REBOOTS]++;
	node->engaged = true;
	node_stop(w, node);
	world_in(w, between(w, SECOND, MINUTE), come_back, (uint64_t)node->index);
}

/* the operator */

static void evict(struct world *w)
{
	struct node *node = pick_node(w);
	int g = node ? pick_group(w, node) : -1;

	if (g >= 0)
		gateway_evict(w, node->index, g);
}

/* Many at once: what is to be told fits into no single message. */
static void purge(struct world *w)
{
	int64_t count = w->opt.nodes / 12;

	w->tally[PURGES]++;
	for (int64_t i = 0; i < count; i++) {
		struct node *node = pick_node(w);

		if (node && node->place[0].member)
			gateway_evict(w, node->index, 0);
	}
}

static void evict_stolen(struct world *w, uint64_t index, void *ptr)
{
	(void)ptr;
	for (int g = 0; g < SIM_GROUPS; g++) {
		if (w->nodes[index].place[g].member)
			gateway_evict(w, (int)index, g);
	}
}

/* The thief keeps it from the KDC, and has it listen. */
static void steal(struct world *w)
{
	struct node *node = pick_node(w);

	if (!node)
		return;
	w->tally[THEFTS]++;
	vanish(w, node, true);
	world_in(w, between(w, SECOND, MINUTE), evict_stolen, (uint64_t)node->index);
	world_in(w, between(w, HOUR, 12 * HOUR), come_back, (uint64_t)node->index);
}

static void rekey(struct world *w)
{
	gateway_rekey(w, (int)between(w, 0, SIM_GROUPS - 1));
}

static void provision(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	if (!w->kdc || node->engaged) {
		world_in(w, 10 * MINUTE, provision, index);
		return;
	}
	trace(w, node->index, "gets a new token", 0, NULL);
	node_stop(w, node);
	gateway_provision(w, node, LONG_LIFE_S);
	node_start(w, node);
}

/* nodes and gateway */

static void renew(struct world *w)
{
	struct node *node = pick_node(w);
	int g = node ? pick_group(w, node) : -1;

	if (g < 0)
		return;
	w->tally[RENEWALS]++;
	node_renew(w, node, g);
	if (happens(w, 0.3))
		rekey(w);
}

/* In a mixed world the operator may have second thoughts about the tree. */
static void change_scheme(struct world *w)
{
	struct group *cell = &w->groups[1];
	enum gk_scheme *scheme = &cell->config.rekey.scheme;

	if (w->opt.scheme != SIM_MIXED || !happens(w, 0.5))
		return;
	w->tally[SCHEMES]++;
	*scheme = *scheme == GK_TREE ? GK_POINT_TO_POINT : GK_TREE;
	cell->scheme_changed = true;
}

static void restart(struct world *w)
{
	w->tally[RESTARTS]++;
	gateway_stop(w);
	change_scheme(w);
	world_in(w, between(w, 100, 30 * SECOND), gateway_start, 0);
}

static void unplug_end(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	gateway_link(w, true);
	for (int i = 0; i < w->opt.nodes; i++)
		expect_catch_up(w, &w->nodes[i]);
}

static void unplug(struct world *w)
{
	if (!w->link_up)
		return;
	w->tally[BLIND]++;
	gateway_link(w, false);
	world_in(w, between(w, 10 * SECOND, 20 * MINUTE), unplug_end, 0);
}

static void forge(struct world *w)
{
	const struct node *node = pick_node(w);

	if (!node || !w->link_up)
		return;
	w->tally[FORGED]++;
	gateway_reach(w, node->index, GK_REACH_FAILED);
}

static const struct {
	int weight;
	void (*act)(struct world *);
} acts[] = {
	{ 18, leave },  { 23, lose },  { 3, lose_many }, { 10, reboot },
	{ 6, evict },   { 4, steal },  { 8, renew },     { 5, rekey },
	{ 4, restart }, { 2, unplug }, { 6, forge },     { 10, gateway_crash_soon },
	{ 1, purge },
};

#define ACTS (sizeof(acts) / sizeof(acts[0]))

/* Each once, then at random. */
static size_t choose_act(struct world *w, uint64_t count)
{
	int64_t dice = between(w, 0, 99);
	size_t i = 0;

	while (dice >= acts[i].weight)
		dice -= acts[i++].weight;
	return count < ACTS ? count : i;
}

static void act(struct world *w, uint64_t count, void *ptr)
{
	int64_t pause_ms = w->opt.nodes < 100 ? ACT_EVERY : ACT_EVERY_LARGE;

	(void)ptr;
	acts[choose_act(w, count)].act(w);
	world_in(w, gap(w, pause_ms), act, count + 1);
}

/* Whoever believes to be in speaks, rightly or not. */
static void chatter(struct world *w, uint64_t g, void *ptr)
{
	(void)ptr;
	for (int i = 0; w->groups[g].config.mode != GK_MODE_PAIRWISE && i < TRIES; i++) {
		struct node *node = &w->nodes[between(w, 0, w->opt.nodes - 1)];

		if (!(node->place[g].roles & 2) || !node_info(node, &w->groups[g]).joined)
			continue;
		node_say(w, node, (int)g);
		break;
	}
	world_in(w, gap(w, CHATTER_EVERY), chatter, g);
}

/* the beginning */

static void set_rekeying(struct gk_rekey_config *rekey, const struct options *opt)
{
	rekey->scheme = opt->scheme == SIM_POINT_TO_POINT ? GK_POINT_TO_POINT : GK_TREE;
	rekey->confirm = opt->confirm;
	rekey->beacon_min_s = opt->beacon_s;
	if (opt->beacon_s)
		rekey->beacon_max_s = BEACON_SPREAD * opt->beacon_s;
}

static void name_group(struct world *w, struct group *group, const char *name)
{
	gk_group_defaults(&group->config);
	set_rekeying(&group->config.rekey, &w->opt);
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->config.name = gk_span_str(group->name);
	group->config.presence = (struct gk_presence_config){ .check_interval_s = CHECK_S,
							      .probes = PROBES,
							      .probe_wait_s = PROBE_WAIT_S,
							      .grace_s = GRACE_S,
							      .sleep_max_s = 86400,
							      .evict = true,
							      .evict_rate = 60,
							      .mass_loss_percent = 50,
							      .mass_loss_window_s = 600 };
	group->num = 0;
	group->made_cap = 1;
	group->made_ms = must_alloc(NULL, sizeof(*group->made_ms));
	group->made_ms[0] = 0;
	group->speaker = -1;
	group->teller = -1;
}

static void make_groups(struct world *w)
{
	struct gk_group_config *cell = &w->groups[1].config;

	name_group(w, &w->groups[0], "plant");
	name_group(w, &w->groups[1], "cell");
	if (w->opt.nodes > SOME)
		w->groups[0].config.stale_sets = STALE_SETS_LARGE;
	cell->mode = w->opt.cell;
	cell->sign_alg = ALG_EDDSA;
	cell->rekey_on_join = false;
	cell->period_s = 6 * 3600;
	cell->coalesce_ms = 2000;
	cell->in_flight = 2;
	cell->stale_sets = 2;
}

/* Most only speak, since each reading costs a signature check; and who reads asks for the
 * credentials of all. */
static uint32_t roles_of(int index)
{
	if (index % 32 == 5 && index < SOME)
		return 8;
	if (index % 32 == 3 && index < SOME)
		return 6;
	return index % 32 == 9 && index < SOME ? 4 : 2;
}

static void cast_node(struct world *w, int index)
{
	struct node *node = &w->nodes[index];
	bool short_lived = index % 8 == 7;
	int64_t run_s = w->end_ms / 1000;
	int64_t lifetime_s = short_lived ? between(w, run_s / 4, run_s * 3 / 4) : LONG_LIFE_S;

	node_init(w, index);
	node->place[0].exists = node->place[0].wanted = true;
	node->place[0].roles = roles_of(index);
	node->place[1].exists = node->place[1].wanted = index % 6 == 0;
	node->place[1].roles = index % 12 == 0 && index < SOME ? 6 : 2;
	gateway_provision(w, node, lifetime_s);
	if (short_lived)
		world_in(w, 1000 * lifetime_s + between(w, HOUR, 3 * HOUR), provision,
			 (uint64_t)index);
	node->engaged = true;
	world_in(w, between(w, 1, FIRST_JOINS), come_back, (uint64_t)index);
}

void story_begin(struct world *w)
{
	w->link_up = true;
	make_groups(w);
	gateway_start(w, 0, NULL);
	for (int i = 0; i < w->opt.nodes; i++)
		cast_node(w, i);
	world_in(w, STORY_START, act, 0);
	for (uint64_t g = 0; g < SIM_GROUPS; g++)
		world_in(w, STORY_START, chatter, g);
}
