// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Deadlines in a binary heap: the next one costs nothing to know, setting and clearing one costs
 * log n. A timer is a member of what it wakes; 'kind' tells the owner's type.
 */
#ifndef GK_TIMER_H
#define GK_TIMER_H

#include "groupkey.h"

struct gk_timer {
	int64_t at_ms; /* monotonic */
	size_t slot;   /* place in the heap + 1; 0: not set */
	unsigned kind;
	void *owner;
};

struct gk_timers {
	const struct gk_env *env;
	struct gk_timer **heap;
	size_t count, cap;
};

void gk_timers_init(struct gk_timers *timers, const struct gk_env *env);
/** Free the heap; the timers themselves belong to their owners. */
void gk_timers_wipe(struct gk_timers *timers);
/** Prepare a timer that is not set. */
void gk_timer_init(struct gk_timer *timer, unsigned kind, void *owner);
/** Make room so that 'count' timers can be set without failing. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_timers_reserve(struct gk_timers *timers, size_t count);
/** Set or move; room must have been reserved. */
void gk_timer_set(struct gk_timers *timers, struct gk_timer *timer, int64_t at_ms);
/** Clear; nothing happens if it is not set. */
void gk_timer_clear(struct gk_timers *timers, struct gk_timer *timer);
/** @return the earliest deadline, ms GK_NEVER if there is none */
struct gk_mono gk_timers_next(const struct gk_timers *timers);
/** Clear and return a timer that is due, or NULL. */
struct gk_timer *gk_timers_due(struct gk_timers *timers, struct gk_mono now);

#endif
