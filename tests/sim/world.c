// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct stage world_stage(struct world *w)
{
	return (struct stage){ &w->now, &w->chance, &w->agenda, w->broken, &w->past };
}

struct person world_person(struct world *w, int node)
{
	return (struct person){ w->nodes[node].name, &w->nodes[node].past };
}

static void begin(struct world *w)
{
	world_begin(w, w->opt.seed);
	w->end_ms = (int64_t)(w->opt.days * DAY_MS);
	w->nodes = must_alloc(NULL, (size_t)w->opt.nodes * sizeof(*w->nodes));
	memset(w->nodes, 0, (size_t)w->opt.nodes * sizeof(*w->nodes));
	w->readers = must_alloc(NULL, (size_t)w->opt.nodes);
	story_begin(w);
	world_in(w, MINUTE_MS, check_minute, 0);
}

static void end(struct world *w)
{
	for (int i = 0; i < w->opt.nodes; i++)
		node_stop(w, &w->nodes[i]);
	gateway_stop(w);
}

void world_run(struct world *w)
{
	begin(w);
	if (!world_go(w, w->end_ms))
		broken(w, RULE_CALLS, KDC, "time stands still");
	end(w);
}

void world_free(struct world *w)
{
	verdicts_free(w->broken, RULES);
	for (int g = 0; g < SIM_GROUPS; g++)
		free(w->groups[g].made_ms);
	records_free(&w->records);
	seen_free(w);
	agenda_free(&w->agenda);
	free(w->calls);
	free(w->arrivals);
	free(w->said);
	free(w->readers);
	free(w->nodes);
}
