// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int reach_batch_reserve(struct reach_batch *batch, size_t more)
{
	size_t need = batch->count + more;
	size_t room = need < 2 * batch->room ? 2 * batch->room : need;
	struct reach_event *events;

	if (need <= batch->room)
		return 0;
	events = realloc(batch->events, room * sizeof(*events));
	if (!events)
		return -ENOMEM;
	batch->events = events;
	batch->room = room;
	return 0;
}

void reach_batch_add(struct reach_batch *batch, const struct reach_event *event)
{
	assert(batch->count < batch->room);
	batch->events[batch->count++] = *event;
}

static void reverse(struct reach_event *events, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct reach_event event = events[i];

		events[i] = events[count - 1 - i];
		events[count - 1 - i] = event;
	}
}

// Bring events about links to the front, in n log n steps, without other memory and with no change
// of order among either. Returns how many there are.
static size_t links_first(struct reach_event *events, size_t count)
{
	size_t half = count / 2, links, more;

	if (count < 2)
		return count == 1 && events[0].kind == REACH_LINK;
	links = links_first(events, half);
	more = links_first(events + half, count - half);
	if (links < half && more > 0) {
		// What lies between the two runs of links changes places with the second.
		reverse(events + links, half - links);
		reverse(events + half, more);
		reverse(events + links, half - links + more);
	}
	return links + more;
}

void reach_batch_deliver(struct reach_batch *batch, reach_callback *callback, void *ctx)
{
	links_first(batch->events, batch->count);
	if (batch->count > 0)
		callback(batch->events, batch->count, ctx);
	reach_batch_wipe(batch);
}

void reach_batch_wipe(struct reach_batch *batch)
{
	free(batch->events);
	*batch = (struct reach_batch){ 0 };
}
