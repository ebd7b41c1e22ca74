// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "timer.h"

#include <assert.h>

void gk_timers_init(struct gk_timers *timers, const struct gk_env *env)
{
	*timers = (struct gk_timers){ .env = env };
}

void gk_timers_wipe(struct gk_timers *timers)
{
	if (timers->heap)
		timers->env->alloc(timers->env->ctx, timers->heap, 0);
	*timers = (struct gk_timers){ .env = timers->env };
}

void gk_timer_init(struct gk_timer *timer, unsigned kind, void *owner)
{
	*timer = (struct gk_timer){ .kind = kind, .owner = owner };
}

enum gk_err gk_timers_reserve(struct gk_timers *timers, size_t count)
{
	size_t cap = timers->cap ? timers->cap : 16;
	struct gk_timer **heap;

	if (count <= timers->cap)
		return GK_OK;
	while (cap < count)
		cap *= 2;
	heap = timers->env->alloc(timers->env->ctx, timers->heap, cap * sizeof(struct gk_timer *));
	if (!heap)
		return GK_ERR_NO_MEMORY;
	timers->heap = heap;
	timers->cap = cap;
	return GK_OK;
}

static void place(struct gk_timers *timers, size_t i, struct gk_timer *timer)
{
	timers->heap[i] = timer;
	timer->slot = i + 1;
}

static void move_up(struct gk_timers *timers, size_t i)
{
	struct gk_timer *timer = timers->heap[i];

	while (i > 0 && timers->heap[(i - 1) / 2]->at_ms > timer->at_ms) {
		place(timers, i, timers->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(timers, i, timer);
}

static void move_down(struct gk_timers *timers, size_t i)
{
	struct gk_timer *timer = timers->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < timers->count &&
		    timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms)
			child++;
		if (child >= timers->count || timers->heap[child]->at_ms >= timer->at_ms)
			break;
		place(timers, i, timers->heap[child]);
		i = child;
	}
	place(timers, i, timer);
}

void gk_timer_set(struct gk_timers *timers, struct gk_timer *timer, int64_t at_ms)
{
	gk_timer_clear(timers, timer);
	assert(timers->count < timers->cap);
	timer->at_ms = at_ms;
	timers->count++;
	place(timers, timers->count - 1, timer);
	move_up(timers, timers->count - 1);
}

void gk_timer_clear(struct gk_timers *timers, struct gk_timer *timer)
{
	size_t i = timer->slot - 1;
	struct gk_timer *last;

	if (!timer->slot)
		return;
	timer->slot = 0;
	last = timers->heap[--timers->count];
	if (last == timer)
		return;
	place(timers, i, last);
	move_up(timers, i);
	move_down(timers, last->slot - 1);
}

struct gk_mono gk_timers_next(const struct gk_timers *timers)
{
	return (struct gk_mono){ timers->count ? timers->heap[0]->at_ms : GK_NEVER };
}

struct gk_timer *gk_timers_due(struct gk_timers *timers, struct gk_mono now)
{
	struct gk_timer *first = timers->count ? timers->heap[0] : NULL;

	if (!first || first->at_ms > now.ms)
		return NULL;
	gk_timer_clear(timers, first);
	return first;
}
