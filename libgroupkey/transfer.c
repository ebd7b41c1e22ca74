// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "transfer.h"

#include "kdc.h"

#include <string.h>

bool gk_transfer_is_open(const struct gk_transfer *transfer)
{
	return transfer->body.data != NULL;
}

/* the lists */

static struct gk_transfers *list_of(struct gk_kdc *kdc, const struct gk_transfer *transfer)
{
	return &kdc->transfers[transfer->outsider];
}

static void link_last(struct gk_transfers *list, struct gk_transfer *transfer)
{
	transfer->before = list->last;
	transfer->after = NULL;
	*(list->last ? &list->last->after : &list->first) = transfer;
	list->last = transfer;
}

static void link_first(struct gk_transfers *list, struct gk_transfer *transfer)
{
	transfer->before = NULL;
	transfer->after = list->first;
	*(list->first ? &list->first->before : &list->last) = transfer;
	list->first = transfer;
}

static void unlink_from(struct gk_transfers *list, struct gk_transfer *transfer)
{
	*(transfer->before ? &transfer->before->after : &list->first) = transfer->after;
	*(transfer->after ? &transfer->after->before : &list->last) = transfer->before;
	transfer->before = transfer->after = NULL;
}

void gk_transfer_touch(struct gk_kdc *kdc, struct gk_transfer *transfer, struct gk_now now)
{
	if (!gk_transfer_is_open(transfer) ||
	    now.mono.ms - transfer->began_ms > GK_TRANSFER_LIFE_MS)
		return;
	transfer->ms = now.mono.ms;
	unlink_from(list_of(kdc, transfer), transfer);
	link_last(list_of(kdc, transfer), transfer);
}

void gk_transfer_finish(struct gk_kdc *kdc, struct gk_transfer *transfer, struct gk_now now)
{
	transfer->ms = now.mono.ms - GK_TRANSFER_IDLE_MS - 1;
	unlink_from(list_of(kdc, transfer), transfer);
	link_first(list_of(kdc, transfer), transfer);
}

struct gk_blob gk_transfer_take(struct gk_kdc *kdc, struct gk_transfer *transfer)
{
	struct gk_blob body = transfer->body;

	if (!gk_transfer_is_open(transfer))
		return body;
	unlink_from(list_of(kdc, transfer), transfer);
	list_of(kdc, transfer)->bytes -= body.len;
	transfer->body = (struct gk_blob){ NULL, 0 };
	return body;
}

void gk_transfer_drop(struct gk_kdc *kdc, struct gk_transfer *transfer)
{
	struct gk_blob body = gk_transfer_take(kdc, transfer);

	gk_blob_wipe(&kdc->env, &body);
}

/* room */

static struct gk_transfer *oldest_but(const struct gk_transfers *list,
				      const struct gk_transfer *transfer)
{
	return list->first == transfer ? transfer->after : list->first;
}

/* @return which one gives way to 'transfer', NULL: none has to */
static struct gk_transfer *find_victim(struct gk_kdc *kdc, const struct gk_transfer *transfer,
				       struct gk_now now)
{
	struct gk_transfer *victim = oldest_but(&kdc->transfers[true], transfer);

	if (victim || transfer->outsider)
		return victim;
	victim = oldest_but(&kdc->transfers[false], transfer);
	return victim && now.mono.ms - victim->ms > GK_TRANSFER_IDLE_MS ? victim : NULL;
}

/* One that is too large for all that there is may have it, alone. */
static bool fits(const struct gk_kdc *kdc, const struct gk_transfer *transfer, size_t len)
{
	size_t outside = kdc->transfers[true].bytes;
	size_t all = outside + kdc->transfers[false].bytes;

	if (transfer->outsider && outside + len > GK_OUTSIDER_BYTES_MAX)
		return false;
	return all == transfer->body.len || all + len <= GK_BODY_BYTES_MAX;
}

bool gk_transfer_make_room(struct gk_kdc *kdc, const struct gk_transfer *transfer, size_t len,
			   struct gk_now now)
{
	while (!fits(kdc, transfer, len)) {
		struct gk_transfer *victim = find_victim(kdc, transfer, now);

		if (!victim)
			return false;
		gk_transfer_drop(kdc, victim);
	}
	return true;
}

enum gk_err gk_transfer_begin(struct gk_kdc *kdc, struct gk_transfer *transfer,
			      const uint8_t of[static 16], struct gk_span bytes, struct gk_now now)
{
	enum gk_err err;

	gk_transfer_drop(kdc, transfer);
	if (!gk_transfer_make_room(kdc, transfer, bytes.len, now))
		return GK_ERR_NO_SPACE;
	err = gk_blob_set(&kdc->env, &transfer->body, bytes);
	if (err)
		return err;
	memcpy(transfer->of, of, sizeof(transfer->of));
	transfer->began_ms = transfer->ms = now.mono.ms;
	transfer->next = 0;
	list_of(kdc, transfer)->bytes += bytes.len;
	link_last(list_of(kdc, transfer), transfer);
	return GK_OK;
}

enum gk_err gk_transfer_append(struct gk_kdc *kdc, struct gk_transfer *transfer,
			       struct gk_span bytes, struct gk_now now)
{
	size_t room = transfer->body.len + bytes.len;
	uint8_t *data;
	struct gk_buf buf;

	if (!gk_transfer_make_room(kdc, transfer, bytes.len, now))
		return GK_ERR_NO_SPACE;
	data = gk_alloc(&kdc->env, room);
	if (!data)
		return GK_ERR_NO_MEMORY;
	buf = gk_buf(data, room);
	gk_buf_add(&buf, gk_blob_span(&transfer->body));
	gk_buf_add(&buf, bytes);
	gk_blob_wipe(&kdc->env, &transfer->body);
	transfer->body = (struct gk_blob){ data, room };
	list_of(kdc, transfer)->bytes += bytes.len;
	gk_transfer_touch(kdc, transfer, now);
	return GK_OK;
}

/* time */

void gk_transfer_drop_idle(struct gk_kdc *kdc, struct gk_now now)
{
	int64_t next_ms = GK_NEVER;

	for (size_t i = 0; i < GK_OUTSIDERS_MAX; i++) {
		struct gk_transfer *request = &kdc->outsiders[i].request;
		int64_t until_ms = request->ms + GK_OUTSIDER_IDLE_MS;

		if (gk_transfer_is_open(request) && until_ms <= now.mono.ms)
			gk_transfer_drop(kdc, request);
		if (gk_transfer_is_open(request) && until_ms < next_ms)
			next_ms = until_ms;
	}
	gk_timer_clear(&kdc->timers, &kdc->outsider_timer);
	if (next_ms != GK_NEVER)
		gk_timer_set(&kdc->timers, &kdc->outsider_timer, next_ms);
}
