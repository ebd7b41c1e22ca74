// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/world.h"

#include "tests/lib/env.h"

#include <stdlib.h>

#define UTC_START   1760000000
#define AT_ONCE_MAX 1000000 /* events in one millisecond: something is always due again */

/* time */

static void set_time(struct world *w, int64_t ms)
{
	*world_stage(w).now = (struct gk_now){ { ms }, { UTC_START + ms / 1000 } };
}

void world_begin(struct world *w, uint64_t seed)
{
	world_stage(w).chance->state = mix(seed + 1);
	set_time(w, 0);
}

void world_at(struct world *w, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg)
{
	agenda_add(world_stage(w).agenda, at_ms, run, arg, NULL);
}

void world_in(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg)
{
	world_hand(w, ms, run, arg, NULL);
}

void world_hand(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
		uint64_t arg, void *ptr)
{
	struct stage stage = world_stage(w);

	agenda_add(stage.agenda, stage.now->mono.ms + ms, run, arg, ptr);
}

bool world_go(struct world *w, int64_t end_ms)
{
	struct stage stage = world_stage(w);
	struct agenda_event event;
	unsigned at_once = 0;

	while (at_once < AT_ONCE_MAX && agenda_take(stage.agenda, end_ms, &event)) {
		at_once = event.at_ms == stage.now->mono.ms ? at_once + 1 : 0;
		set_time(w, event.at_ms);
		event.run(w, event.arg, event.ptr);
		free(event.ptr);
	}
	return at_once < AT_ONCE_MAX;
}

/* chance */

int64_t between(struct world *w, int64_t from, int64_t to)
{
	return chance_from_to(world_stage(w).chance, from, to);
}

bool happens(struct world *w, double probability)
{
	return chance_hits(world_stage(w).chance, probability);
}

int64_t gap(struct world *w, int64_t mean_ms)
{
	return between(w, 1, 2 * mean_ms);
}

/* account */

static struct person find_person(struct world *w, int node)
{
	return node == GATEWAY ? (struct person){ "gateway", world_stage(w).past }
			       : world_person(w, node);
}

void trace(struct world *w, int node, const char *what, int64_t number, const char *detail)
{
	past_add(find_person(w, node).past, world_stage(w).now->mono.ms, what, number, detail);
}

void broken(struct world *w, int rule, int node, const char *format, ...)
{
	struct stage stage = world_stage(w);
	struct person who = find_person(w, node);
	va_list args;

	va_start(args, format);
	verdict_broken(&stage.broken[rule], stage.now->mono.ms, who.name, who.past,
		       node == GATEWAY ? NULL : stage.past, format, args);
	va_end(args);
}

int world_main(unsigned (*run)(const struct options *opt, unsigned *test),
	       const struct options *opt)
{
	struct test_env memory;
	struct gk_env env = test_env(&memory, 1);
	unsigned test = 0, count;

	if (gk_global_init(&env)) {
		printf("not ok 1 - gk_global_init\n1..1\n");
		return 1;
	}
	count = run(opt, &test);
	gk_global_cleanup();
	printf("1..%u\n", test);
	return count != 0;
}
