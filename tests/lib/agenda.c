// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* A binary heap. */
#include "tests/lib/agenda.h"

#include <stdlib.h>

void *must_alloc(void *old, size_t size)
{
	void *bytes = realloc(old, size);

	if (!bytes)
		abort();
	return bytes;
}

static bool is_before(const struct agenda_event *a, const struct agenda_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct agenda_event *a, struct agenda_event *b)
{
	struct agenda_event c = *a;

	*a = *b;
	*b = c;
}

void agenda_add(struct agenda *agenda, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
		uint64_t arg, void *ptr)
{
	size_t i = agenda->count++;
	struct agenda_event *heap;

	if (agenda->count > agenda->cap) {
		agenda->cap = agenda->cap ? 2 * agenda->cap : 1024;
		agenda->heap = must_alloc(agenda->heap, agenda->cap * sizeof(*heap));
	}
	heap = agenda->heap;
	heap[i] = (struct agenda_event){ at_ms, agenda->order++, run, arg, ptr };
	for (; i && is_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sink(struct agenda_event *heap, size_t count)
{
	for (size_t i = 0;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (child >= count || !is_before(&heap[child], &heap[i]))
			return;
		swap(&heap[i], &heap[child]);
		i = child;
	}
}

bool agenda_take(struct agenda *agenda, int64_t until_ms, struct agenda_event *event)
{
	if (!agenda->count || agenda->heap[0].at_ms > until_ms)
		return false;
	*event = agenda->heap[0];
	agenda->heap[0] = agenda->heap[--agenda->count];
	sink(agenda->heap, agenda->count);
	return true;
}

void agenda_free(struct agenda *agenda)
{
	for (size_t i = 0; i < agenda->count; i++)
		free(agenda->heap[i].ptr);
	free(agenda->heap);
	*agenda = (struct agenda){ 0 };
}
