// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The events of one read on their way to the callback.
 */
#ifndef REACH_BATCH_H
#define REACH_BATCH_H

#include "reach.h"

/** Zero-initialise. */
struct reach_batch {
	struct reach_event *events;
	size_t count, room;
};

/** Make room for 'more' events. @return 0, or -ENOMEM and nothing changed */
REACH_MUST_CHECK int reach_batch_reserve(struct reach_batch *batch, size_t more);
/** Add an event, for which there must be room. */
void reach_batch_add(struct reach_batch *batch, const struct reach_event *event);
/**
 * Hand what there is to 'callback', if there is anything, and empty the batch. Events about links
 * go first; among them, and among the others, the order is that in which they were added.
 */
void reach_batch_deliver(struct reach_batch *batch, reach_callback *callback, void *ctx);
/** Free what 'batch' holds, and empty it. */
void reach_batch_wipe(struct reach_batch *batch);

#endif
