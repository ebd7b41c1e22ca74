// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/outbox.h"
#include "io/log.h"
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000

/* An event with its own copy of every byte; some are secret. */
struct gw_waiting {
	struct gw_waiting *next;
	size_t size;
	struct gk_event event;
	uint8_t bytes[];
};

#define SPANS 9

static void list_spans(struct gk_event *event, struct gk_span *spans[SPANS])
{
	struct gk_span *all[SPANS] = {
		&event->bytes,      &event->record.key, &event->record.value,
		&event->note.group, &event->note.node,  &event->note.name,
		&event->note.gid,   &event->note.sid,   &event->note.message,
	};

	memcpy(spans, all, sizeof(all));
}

static struct gw_waiting *copy_event(const struct gk_event *event)
{
	struct gk_event copy = *event;
	struct gk_span *spans[SPANS];
	size_t size = sizeof(struct gw_waiting);
	size_t at = 0;

	list_spans(&copy, spans);
	for (size_t i = 0; i < SPANS; i++)
		size += spans[i]->len;
	struct gw_waiting *item = malloc(size);
	if (!item)
		fatal("daemon", "out of memory");

	for (size_t i = 0; i < SPANS; i++) {
		if (spans[i]->len > 0)
			memcpy(item->bytes + at, spans[i]->data, spans[i]->len);
		spans[i]->data = item->bytes + at;
		at += spans[i]->len;
	}
	item->next = NULL;
	item->size = size;
	item->event = copy;
	return item;
}

static void drop(struct gw_waiting *item)
{
	explicit_bzero(item, item->size);
	free(item);
}

void gw_outbox_init(struct gw_outbox *outbox, const struct gw_outlets *outlets, void *ctx)
{
	*outbox = (struct gw_outbox){ .outlets = outlets, .ctx = ctx };
	outbox->events_end = &outbox->events;
	outbox->stores_end = &outbox->stores;
}

static void drop_stores(struct gw_outbox *outbox)
{
	while (outbox->stores) {
		struct gw_waiting *item = outbox->stores;
		outbox->stores = item->next;
		drop(item);
	}
	outbox->stores_end = &outbox->stores;
	outbox->store_count = 0;
	outbox->urgent = false;
}

static struct gw_waiting *take_first(struct gw_outbox *outbox)
{
	struct gw_waiting *item = outbox->events;

	if (!item)
		return NULL;
	outbox->events = item->next;
	if (!outbox->events)
		outbox->events_end = &outbox->events;
	return item;
}

void gw_outbox_free(struct gw_outbox *outbox)
{
	struct gw_waiting *item;

	drop_stores(outbox);
	while ((item = take_first(outbox)))
		drop(item);
}

static void add_store(struct gw_outbox *outbox, struct gw_waiting *item, struct gk_mono now)
{
	if (!outbox->stores)
		outbox->since_ms = now.ms;
	outbox->urgent |= !item->event.record.may_wait;
	*outbox->stores_end = item;
	outbox->stores_end = &item->next;
	outbox->store_count++;
}

static void collect(struct gw_outbox *outbox, struct gk_mono now)
{
	struct gk_event event;

	while (outbox->outlets->take(outbox->ctx, &event)) {
		struct gw_waiting *item = copy_event(&event);
		if (event.kind == GK_EVENT_STORE) {
			add_store(outbox, item, now);
		} else {
			*outbox->events_end = item;
			outbox->events_end = &item->next;
		}
	}
}

static int commit(struct gw_outbox *outbox)
{
	struct gk_record *records = calloc(outbox->store_count, sizeof(*records));
	size_t count = 0;

	if (!records)
		fatal("daemon", "out of memory");
	for (const struct gw_waiting *item = outbox->stores; item; item = item->next)
		records[count++] = item->event.record;
	int err = outbox->outlets->commit(outbox->ctx, records, count);
	free(records);
	return err;
}

/* One line when it begins, one when it is over. */
static void tell(const struct gw_outbox *outbox, int err)
{
	if (err && !outbox->error)
		log_warnx("store",
			  "cannot be written: %s; every request gets 5.03 until it can, and nobody "
			  "is removed",
			  strerror(-err));
	if (!err && outbox->error)
		log_info("store", "can be written again, going on");
}

/* When the records that wait are to be committed. */
static int64_t due_ms(const struct gw_outbox *outbox)
{
	if (outbox->error)
		return outbox->retry_ms;
	if (outbox->urgent)
		return INT64_MIN;
	return outbox->stores && !outbox->held ? outbox->since_ms + GW_OUTBOX_WAIT_MS : GK_NEVER;
}

static bool commit_stores(struct gw_outbox *outbox, struct gk_mono now)
{
	int err;

	if (now.ms < due_ms(outbox))
		return outbox->error == 0;
	err = commit(outbox);
	if (err && !outbox->urgent) {
		outbox->since_ms = now.ms;
		return true;
	}
	tell(outbox, err);
	outbox->error = err;
	outbox->retry_ms = now.ms + RETRY_MS;
	if (err)
		return false;
	drop_stores(outbox);
	return true;
}

bool gw_outbox_flush(struct gw_outbox *outbox, struct gk_mono now)
{
	struct gw_waiting *item;

	collect(outbox, now);
	if (!commit_stores(outbox, now))
		return false;
	while ((item = take_first(outbox))) {
		outbox->outlets->perform(outbox->ctx, &item->event);
		drop(item);
	}
	return true;
}

void gw_outbox_finish(struct gw_outbox *outbox, struct gk_mono now)
{
	collect(outbox, now);
	outbox->urgent |= outbox->stores && !outbox->held;
	gw_outbox_flush(outbox, now);
}

void gw_outbox_hold(struct gw_outbox *outbox, bool hold)
{
	outbox->held = hold;
}

int gw_outbox_error(const struct gw_outbox *outbox)
{
	return outbox->error;
}

struct gk_mono gw_outbox_next_expiry(const struct gw_outbox *outbox)
{
	return (struct gk_mono){ due_ms(outbox) };
}
