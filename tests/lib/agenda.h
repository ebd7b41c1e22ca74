// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** What is to happen in a simulated world, and when. */
#ifndef TEST_AGENDA_H
#define TEST_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Each simulator's own. */
struct world;

/** Something to do at a time. 'ptr' comes from malloc(), and is freed when it is done. */
struct agenda_event {
	int64_t at_ms;
	uint64_t order; /* events of one time keep their order */
	void (*run)(struct world *w, uint64_t arg, void *ptr);
	uint64_t arg;
	void *ptr;
};

/** Zero-initialise. */
struct agenda {
	struct agenda_event *heap;
	size_t count, cap;
	uint64_t order;
};

void agenda_add(struct agenda *agenda, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
		uint64_t arg, void *ptr);
/** Take the first event that is due. @return false: none is until 'until_ms' */
bool agenda_take(struct agenda *agenda, int64_t until_ms, struct agenda_event *event);
void agenda_free(struct agenda *agenda);

/** malloc() and realloc() that do not fail. */
void *must_alloc(void *old, size_t size);

#endif
