// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	size_t place = event->kind == REACH_LINK ? batch->links++ : batch->count;
	struct reach_event *entry = &batch->events[place];

	assert(batch->count < batch->room);
	memmove(entry + 1, entry, (batch->count - place) * sizeof(*entry));
	*entry = *event;
	batch->count++;
}

void reach_batch_deliver(struct reach_batch *batch, reach_callback *callback, void *ctx)
{
	if (batch->count > 0)
		callback(batch->events, batch->count, ctx);
	reach_batch_wipe(batch);
}

void reach_batch_wipe(struct reach_batch *batch)
{
	free(batch->events);
	*batch = (struct reach_batch){ 0 };
}
