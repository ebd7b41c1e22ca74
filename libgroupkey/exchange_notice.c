// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Eviction notices: protected while the association is there, and sent when there is room.
 */
#include "client.h"
#include "exchange.h"

#define NOTICE_MS       15000 /* for the answer to one */
#define NOTICE_PAUSE_MS 1000  /* until one that could not be sent is tried again ... */
#define NOTICE_LIFE_MS  60000 /* ... and for how long */

void gk_notice_defer(struct gk_kdc *kdc, struct gk_request *request, struct gk_now now)
{
	request->next_unsent = kdc->unsent;
	kdc->unsent = request;
	gk_timer_set(&kdc->timers, &kdc->notice_timer, now.mono.ms + NOTICE_PAUSE_MS);
}

void gk_client_tell_end(struct gk_kdc *kdc, struct gk_node *node, enum gk_observed what,
			struct gk_span message, struct gk_now now)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_request *request =
		gk_exchange_protect(kdc, node, what, GK_REQUEST_NOTICE, message, &buf);

	if (!request)
		return;
	request->until_ms = now.mono.ms + NOTICE_LIFE_MS;
	if (gk_blob_set(&kdc->env, &request->notice, gk_buf_span(&buf)))
		gk_exchange_free(kdc, request);
	else if (gk_exchange_has_room(kdc, GK_REQUEST_NOTICE))
		gk_exchange_emit(kdc, request, gk_buf_span(&buf), NOTICE_MS);
	else
		gk_notice_defer(kdc, request, now);
}

void gk_client_send_notices(struct gk_kdc *kdc, struct gk_now now)
{
	while (kdc->unsent && gk_exchange_has_room(kdc, GK_REQUEST_NOTICE) &&
	       gk_hash_reserve(&kdc->requests) == GK_OK) {
		struct gk_request *request = kdc->unsent;

		kdc->unsent = request->next_unsent;
		if (now.mono.ms < request->until_ms)
			gk_exchange_emit(kdc, request, gk_blob_span(&request->notice), NOTICE_MS);
		else
			gk_exchange_free(kdc, request);
	}
	if (kdc->unsent)
		gk_timer_set(&kdc->timers, &kdc->notice_timer, now.mono.ms + NOTICE_PAUSE_MS);
}

void gk_client_drop_notices(struct gk_kdc *kdc)
{
	while (kdc->unsent) {
		struct gk_request *request = kdc->unsent;

		kdc->unsent = request->next_unsent;
		gk_exchange_free(kdc, request);
	}
}
