// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/reach/reach.h"

#include <stdlib.h>
#include <string.h>

#define UTC_START   1760000000
#define AT_ONCE_MAX 1000000 /* events in one millisecond: something is always due again */

/* chance and events */

int64_t between(struct world *w, int64_t from, int64_t to)
{
	return chance_from_to(&w->chance, from, to);
}

bool happens(struct world *w, double probability)
{
	return chance_hits(&w->chance, probability);
}

int64_t gap(struct world *w, int64_t mean_ms)
{
	return between(w, 1, 2 * mean_ms);
}

void world_at(struct world *w, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg)
{
	agenda_add(&w->agenda, at_ms, run, arg, NULL);
}

void world_in(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg)
{
	world_at(w, w->now.mono.ms + ms, run, arg);
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

static void set_time(struct world *w, int64_t ms)
{
	w->now = (struct gk_now){ { ms }, { UTC_START + ms / 1000 } };
}

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
	w->chance.state = mix(w->opt.seed + 1);
	w->end_ms = (int64_t)(w->opt.days * DAY_MS);
	w->blind_ms = 0;
	w->confirmed_ms = w->mass_ms = w->seeing_ms = -1;
	set_time(w, 0);
	if (w->opt.trace)
		take_trace(w);
	if (w->opt.record && !(w->record = fopen(w->opt.record, "w")))
		abort();
	w->nodes = must_alloc(NULL, (size_t)w->opt.nodes * sizeof(*w->nodes));
	memset(w->nodes, 0, (size_t)w->opt.nodes * sizeof(*w->nodes));
	kernel_begin(w);
	gateway_begin(w);
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
	struct agenda_event event;

	begin(w);
	while (agenda_take(&w->agenda, w->end_ms, &event)) {
		w->at_once = event.at_ms == w->now.mono.ms ? w->at_once + 1 : 0;
		set_time(w, event.at_ms);
		if (w->at_once == AT_ONCE_MAX) {
			broken(w, RULE_CALLS, GATEWAY, "time stands still");
			w->end_ms = -1;
		}
		event.run(w, event.arg, event.ptr);
		free(event.ptr);
	}
	check_end(w);
	if (w->played)
		played_end(w);
	gateway_end(w);
	kernel_end(w);
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < RULES; i++)
		free(w->broken[i].text);
	if (w->record)
		fclose(w->record);
	played_free(w->played);
	agenda_free(&w->agenda);
	free(w->nodes);
}
