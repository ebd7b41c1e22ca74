// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define UTC_START   1760000000
#define AT_ONCE_MAX 1000000 /* events in one millisecond: something is always due again */

/* chance */

uint64_t chance(struct world *w)
{
	return chance_next(&w->chance);
}

int64_t chance_between(struct world *w, int64_t from, int64_t to)
{
	return chance_from_to(&w->chance, from, to);
}

bool chance_of(struct world *w, double probability)
{
	return chance_hits(&w->chance, probability);
}

int64_t chance_gap(struct world *w, int64_t mean_ms)
{
	return chance_between(w, 1, 2 * mean_ms);
}

/* events */

void world_at(struct world *w, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg, void *ptr)
{
	agenda_add(&w->agenda, at_ms, run, arg, ptr);
}

void world_in(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg, void *ptr)
{
	world_at(w, w->now.mono.ms + ms, run, arg, ptr);
}

/* a run */

static void set_time(struct world *w, int64_t ms)
{
	w->now = (struct gk_now){ { ms }, { UTC_START + ms / 1000 } };
}

static void begin(struct world *w)
{
	w->chance.state = mix(w->opt.seed + 1);
	w->end_ms = (int64_t)(w->opt.days * 86400000);
	w->nodes = must_alloc(NULL, (size_t)w->opt.nodes * sizeof(*w->nodes));
	memset(w->nodes, 0, (size_t)w->opt.nodes * sizeof(*w->nodes));
	w->readers = must_alloc(NULL, (size_t)w->opt.nodes);
	set_time(w, 0);
	story_begin(w);
	world_in(w, MINUTE_MS, check_minute, 0, NULL);
}

static void end(struct world *w)
{
	for (int i = 0; i < w->opt.nodes; i++)
		node_stop(w, &w->nodes[i]);
	gateway_stop(w);
}

void world_run(struct world *w)
{
	struct agenda_event event;

	begin(w);
	while (agenda_take(&w->agenda, w->end_ms, &event)) {
		w->at_once = event.at_ms == w->now.mono.ms ? w->at_once + 1 : 0;
		set_time(w, event.at_ms);
		if (w->at_once == AT_ONCE_MAX) {
			broken(w, RULE_CALLS, KDC, "time stands still");
			w->end_ms = -1;
		}
		event.run(w, event.arg, event.ptr);
		free(event.ptr);
	}
	end(w);
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < RULES; i++)
		free(w->broken[i].text);
	for (int g = 0; g < SIM_GROUPS; g++)
		free(w->groups[g].made_ms);
	store_free(w);
	seen_free(w);
	agenda_free(&w->agenda);
	free(w->calls);
	free(w->arrivals);
	free(w->said);
	free(w->readers);
	free(w->nodes);
}
