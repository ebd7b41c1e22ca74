// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "event.h"

#include "crypto.h"

#include <string.h>

struct gk_queued {
	struct gk_queued *next;
	size_t size; /* of this allocation; it is wiped, records hold keys */
	struct gk_event event;
	uint8_t bytes[];
};

#define EVENT_SPANS 9

/* The spans of an event, in one place, so that none is forgotten when it is copied. */
static void list_spans(struct gk_event *event, struct gk_span *spans[static EVENT_SPANS])
{
	spans[0] = &event->bytes;
	spans[1] = &event->record.key;
	spans[2] = &event->record.value;
	spans[3] = &event->note.group;
	spans[4] = &event->note.node;
	spans[5] = &event->note.name;
	spans[6] = &event->note.gid;
	spans[7] = &event->note.sid;
	spans[8] = &event->note.message;
}

static void drop(struct gk_queue *queue, struct gk_queued *item)
{
	if (!item)
		return;
	gk_wipe(item, item->size);
	queue->env->alloc(queue->env->ctx, item, 0);
}

static void drop_all(struct gk_queue *queue)
{
	while (queue->head) {
		struct gk_queued *item = queue->head;

		queue->head = item->next;
		drop(queue, item);
	}
	queue->tail = NULL;
}

void gk_queue_init(struct gk_queue *queue, const struct gk_env *env)
{
	*queue = (struct gk_queue){ .env = env };
}

void gk_queue_wipe(struct gk_queue *queue)
{
	drop_all(queue);
	drop(queue, queue->taken);
	queue->taken = NULL;
}

/* Copy every span of 'item' behind it and let the copies be the event's own. */
static void own_spans(struct gk_queued *item, size_t room)
{
	struct gk_span *spans[EVENT_SPANS];
	struct gk_buf buf = gk_buf(item->bytes, room);

	list_spans(&item->event, spans);
	for (size_t i = 0; i < EVENT_SPANS; i++) {
		const uint8_t *at = item->bytes + buf.len;

		gk_buf_add(&buf, *spans[i]);
		spans[i]->data = at;
	}
}

void gk_queue_close(struct gk_queue *queue)
{
	queue->closed = true;
	drop_all(queue);
}

void gk_queue_add(struct gk_queue *queue, const struct gk_event *event)
{
	struct gk_event copy = *event;
	struct gk_span *spans[EVENT_SPANS];
	struct gk_queued *item;
	size_t room = 0;

	if (queue->closed)
		return;
	list_spans(&copy, spans);
	for (size_t i = 0; i < EVENT_SPANS; i++)
		room += spans[i]->len;
	item = queue->env->alloc(queue->env->ctx, NULL, sizeof(*item) + room);
	if (!item) {
		gk_queue_close(queue);
		return;
	}
	*item = (struct gk_queued){ .size = sizeof(*item) + room, .event = copy };
	own_spans(item, room);
	if (queue->tail)
		queue->tail->next = item;
	else
		queue->head = item;
	queue->tail = item;
}

bool gk_queue_take(struct gk_queue *queue, struct gk_event *event)
{
	struct gk_queued *item = queue->head;

	drop(queue, queue->taken);
	queue->taken = item;
	if (!item)
		return false;
	queue->head = item->next;
	if (!queue->head)
		queue->tail = NULL;
	*event = item->event;
	return true;
}

enum gk_err gk_queue_err(const struct gk_queue *queue)
{
	return queue->closed ? GK_ERR_NO_MEMORY : GK_OK;
}

void gk_queue_reply(struct gk_queue *queue, const struct gk_exchange *exchange,
		    struct gk_span bytes)
{
	gk_queue_add(queue, &(struct gk_event){ .kind = GK_EVENT_REPLY,
						.id = exchange->id,
						.peer = exchange->peer,
						.bytes = bytes });
}

void gk_queue_note(struct gk_queue *queue, const struct gk_note *note)
{
	gk_queue_add(queue, &(struct gk_event){ .kind = GK_EVENT_NOTE, .note = *note });
}
