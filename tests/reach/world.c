// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/reach/reach.h"

#include <stdlib.h>
#include <string.h>

/* what is shown to others */

struct stage world_stage(struct world *w)
{
	return (struct stage){ &w->now, &w->chance, &w->agenda, w->broken, &w->past };
}

struct person world_person(struct world *w, int node)
{
	return (struct person){ w->nodes[node].name, &w->nodes[node].past };
}

/* who is connected with whom */

bool world_sees(const struct world *w)
{
	const struct kernel *k = &w->kernel;

	return k->ifindex && k->up && k->lower_up && k->address;
}

static bool is_whole(const struct world *w, const struct node *node)
{
	const struct node *router = node->parent == GATEWAY ? NULL : &w->nodes[node->parent];

	return node->on && node->linked && (!router || (router->on && router->linked));
}

bool world_joins(const struct world *w, const struct node *node)
{
	return is_whole(w, node) && (!node->sleepy || node->awake);
}

static void look(struct world *w, struct node *node)
{
	bool joined = is_whole(w, node);

	if (joined == (node->joined_ms != GK_NEVER))
		return;
	node->joined_ms = joined ? w->now.mono.ms : GK_NEVER;
	node->apart_ms = joined ? GK_NEVER : w->now.mono.ms;
	check_turn(w, node);
}

void world_changed(struct world *w)
{
	bool sees = world_sees(w);

	if (sees != (w->blind_ms == GK_NEVER))
		w->blind_ms = sees ? GK_NEVER : w->now.mono.ms;
	for (int i = 0; i < w->opt.nodes; i++)
		look(w, &w->nodes[i]);
}

static bool has_ip(const struct node *node, const uint8_t *ip)
{
	return memcmp(&node->addr.ip[8], &ip[8], 8) == 0 &&
	       (memcmp(node->addr.ip, ip, 8) == 0 || (ip[0] == 0xfe && ip[1] == 0x80));
}

/* Nodes of our making are found by their number. */
struct node *world_node(struct world *w, const uint8_t *ip)
{
	int index = (ip[14] << 8 | ip[15]) - 2;

	if (index >= 0 && index < w->opt.nodes && has_ip(&w->nodes[index], ip))
		return &w->nodes[index];
	for (int i = 0; w->opt.trace && i < w->opt.nodes; i++) {
		if (has_ip(&w->nodes[i], ip))
			return &w->nodes[i];
	}
	return NULL;
}

/* a run */

static void take_trace(struct world *w)
{
	struct gk_presence_config *p = &w->opt.presence;

	w->played = played_read(w->opt.trace);
	w->opt.nodes = (int)w->played->node_count;
	w->opt.quiet = 1;
	w->opt.loss = 0;
	w->opt.sleepy = 0;
	if (!w->played->presence.check_interval_s)
		return;
	p->check_interval_s = w->played->presence.check_interval_s;
	p->probes = w->played->presence.probes;
	p->probe_wait_s = w->played->presence.probe_wait_s;
	p->grace_s = w->played->presence.grace_s;
}

static void begin(struct world *w)
{
	world_begin(w, w->opt.seed);
	w->end_ms = (int64_t)(w->opt.days * DAY_MS);
	w->blind_ms = 0;
	w->confirmed_ms = w->recovered_ms = w->mass_ms = w->seeing_ms = -1;
	if (w->opt.trace)
		take_trace(w);
	if (w->opt.record && !(w->record = fopen(w->opt.record, "w")))
		abort();
	w->nodes = must_alloc(NULL, (size_t)w->opt.nodes * sizeof(*w->nodes));
	memset(w->nodes, 0, (size_t)w->opt.nodes * sizeof(*w->nodes));
	kernel_begin(w);
	gateway_start(w);
	for (int i = 0; i < w->opt.nodes; i++)
		node_begin(w, i);
	if (w->played)
		played_begin(w);
	else
		story_begin(w);
	world_in(w, SECOND_MS, check_second, 0);
}

void world_run(struct world *w)
{
	begin(w);
	if (!world_go(w, w->end_ms))
		broken(w, RULE_CALLS, GATEWAY, "time stands still");
	check_end(w);
	if (w->played)
		played_end(w);
	gateway_end(w);
	kernel_end(w);
}

void world_free(struct world *w)
{
	verdicts_free(w->broken, RULES);
	if (w->record)
		fclose(w->record);
	played_free(w->played);
	agenda_free(&w->agenda);
	free(w->nodes);
}
