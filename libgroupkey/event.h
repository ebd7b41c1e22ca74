// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The queue of events that an object hands out, first in, first out. Each event owns its bytes.
 *
 * When memory runs out, the queue closes for good: what is in it is dropped and nothing more comes
 * out. The object is then ahead of its store and must be made anew from it; since a STORE always
 * stands before what depends on it, nothing was sent that the store does not know.
 */
#ifndef GK_EVENT_H
#define GK_EVENT_H

#include "buf.h"

struct gk_queued;

struct gk_queue {
	const struct gk_env *env;
	struct gk_queued *head, *tail;
	struct gk_queued *taken; /* the event given out last; its bytes live until the next */
	bool closed;
};

void gk_queue_init(struct gk_queue *queue, const struct gk_env *env);
/** Free all events. */
void gk_queue_wipe(struct gk_queue *queue);
/** Close for good, as when memory runs out: the object and its store do not agree any more. */
void gk_queue_close(struct gk_queue *queue);
/** Append a copy of 'event' and of every span in it. */
void gk_queue_add(struct gk_queue *queue, const struct gk_event *event);
/** Take the oldest event. @return false: none, or the queue is closed */
bool gk_queue_take(struct gk_queue *queue, struct gk_event *event);
/** @return GK_OK, or GK_ERR_NO_MEMORY once the queue has closed */
GK_MUST_CHECK enum gk_err gk_queue_err(const struct gk_queue *queue);

/** Append a REPLY. */
void gk_queue_reply(struct gk_queue *queue, const struct gk_exchange *exchange,
		    struct gk_span bytes);
/** Append a NOTE. */
void gk_queue_note(struct gk_queue *queue, const struct gk_note *note);

#endif
