// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define UTC_START   1760000000
#define AT_ONCE_MAX 1000000 /* events in one millisecond: something is always due again */

/* chance */

/* The finaliser of splitmix64. */
uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t chance(struct world *w)
{
	w->chance += UINT64_C(0x9e3779b97f4a7c15);
	return mix(w->chance);
}

int64_t chance_between(struct world *w, int64_t from, int64_t to)
{
	return from + (int64_t)(chance(w) % (uint64_t)(to - from + 1));
}

static double chance_unit(struct world *w)
{
	return (double)(chance(w) >> 11) / (double)(UINT64_C(1) << 53);
}

bool chance_of(struct world *w, double probability)
{
	return chance_unit(w) < probability;
}

int64_t chance_gap(struct world *w, int64_t mean_ms)
{
	return chance_between(w, 1, 2 * mean_ms);
}

void *must_alloc(void *old, size_t size)
{
	void *bytes = realloc(old, size);

	if (!bytes)
		abort();
	return bytes;
}

/* events: a binary heap */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
	struct event c = *a;

	*a = *b;
	*b = c;
}

void world_at(struct world *w, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg, void *ptr)
{
	size_t i = w->heap_count++;

	if (w->heap_count > w->heap_cap) {
		w->heap_cap = w->heap_cap ? 2 * w->heap_cap : 1024;
		w->heap = must_alloc(w->heap, w->heap_cap * sizeof(*w->heap));
	}
	w->heap[i] = (struct event){ at_ms, w->order++, run, arg, ptr };
	for (; i && is_before(&w->heap[i], &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

void world_in(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg, void *ptr)
{
	world_at(w, w->now.mono.ms + ms, run, arg, ptr);
}

static struct event take_first(struct world *w)
{
	struct event first = w->heap[0];
	size_t i = 0;

	w->heap[0] = w->heap[--w->heap_count];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < w->heap_count && is_before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (child >= w->heap_count || !is_before(&w->heap[child], &w->heap[i]))
			return first;
		swap(&w->heap[i], &w->heap[child]);
		i = child;
	}
}

/* a run */

static void set_time(struct world *w, int64_t ms)
{
	w->now = (struct gk_now){ { ms }, { UTC_START + ms / 1000 } };
}

static void begin(struct world *w)
{
	w->chance = mix(w->opt.seed + 1);
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
	begin(w);
	while (w->heap_count && w->heap[0].at_ms <= w->end_ms) {
		struct event event = take_first(w);

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
	for (size_t i = 0; i < w->heap_count; i++)
		free(w->heap[i].ptr);
	for (size_t i = 0; i < RULES; i++)
		free(w->broken[i].text);
	for (int g = 0; g < SIM_GROUPS; g++)
		free(w->groups[g].made_ms);
	store_free(w);
	seen_free(w);
	free(w->heap);
	free(w->calls);
	free(w->arrivals);
	free(w->said);
	free(w->readers);
	free(w->nodes);
}
