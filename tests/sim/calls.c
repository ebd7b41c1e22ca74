// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Requests and their answers, as our shells have libcoap handle them: confirmable, retransmitted
 * with doubled pauses that are fitted into the time given; an empty acknowledgement ends the
 * retransmissions; the first answer counts, and when the time is over without one, the core is told
 * so. Nobody suppresses duplicates of requests: libcoap calls the handler for each.
 *
 * If the answer to a member's request has an Observe option, further ones with its token are handed
 * in too, until the member forgets the observation. Notifications are retransmitted as requests
 * are, until they are acknowledged or reset.
 */
#include "tests/sim/sim.h"

#include "libgroupkey/coap.h"
#include "tests/lib/retransmit.h"

#include <stdlib.h>
#include <string.h>

#define OPT_OBSERVE 6 /* RFC 7641 section 2 */

struct call {
	bool open;
	bool acked;
	bool observe;        /* answers may follow the first */
	bool observing;      /* and do */
	uint32_t generation; /* an answer finds its own call only */
	size_t next_free;    /* index + 1 */
	uint64_t core_id;
	struct retransmit again;
	struct datagram *request;
};

static uint64_t token_of(const struct world *w, const struct call *call)
{
	return (uint64_t)call->generation << 32 | (uint64_t)(call - w->calls);
}

static struct call *find(const struct world *w, uint64_t token)
{
	size_t i = (uint32_t)token;

	if (i >= w->call_count || !w->calls[i].open || w->calls[i].generation != token >> 32)
		return NULL;
	return &w->calls[i];
}

static struct call *take_free(struct world *w)
{
	struct call *call;

	if (w->first_free) {
		call = &w->calls[w->first_free - 1];
		w->first_free = call->next_free;
		return call;
	}
	if (w->call_count == w->call_cap) {
		w->call_cap = w->call_cap ? 2 * w->call_cap : 64;
		w->calls = must_alloc(w->calls, w->call_cap * sizeof(*w->calls));
	}
	call = &w->calls[w->call_count++];
	*call = (struct call){ 0 };
	return call;
}

static void close_call(struct world *w, struct call *call)
{
	free(call->request);
	call->request = NULL;
	call->open = false;
	call->next_free = w->first_free;
	w->first_free = (size_t)(call - w->calls) + 1;
}

static bool has_observe(struct gk_span bytes)
{
	struct gk_span value;
	struct gk_coap msg;

	return bytes.len && !gk_coap_parse(bytes, &msg) && gk_coap_find(&msg, OPT_OBSERVE, &value);
}

static void report_outcome(struct world *w, struct call *call, enum gk_notified outcome)
{
	uint64_t core_id = call->core_id;
	int to = call->request->to;

	close_call(w, call);
	gateway_notified(w, core_id, to, outcome);
}

/* @param to  who answered, or should have */
static void report_answer(struct world *w, struct call *call, int to, struct gk_span bytes)
{
	int from = call->request->from;
	uint64_t core_id = call->core_id;

	call->observing = call->observing || (call->observe && has_observe(bytes));
	if (!call->observing)
		close_call(w, call);
	if (from == KDC)
		gateway_answer(w, core_id, to, bytes);
	else
		node_answer(w, &w->nodes[from], core_id, bytes);
}

static void give_up(struct world *w, uint64_t token, void *ptr)
{
	struct call *call = find(w, token);

	(void)ptr;
	if (!call || call->observing)
		return;
	w->tally[NO_ANSWERS]++;
	if (call->request->kind == DG_NOTIFY)
		report_outcome(w, call, GK_NOTIFIED_NOT);
	else
		report_answer(w, call, call->request->to, (struct gk_span){ NULL, 0 });
}

static void transmit(struct world *w, const struct call *call, bool again)
{
	const struct datagram *r = call->request;
	struct datagram *d = datagram_new(r->kind, r->from, r->to, gk_span(r->bytes, r->len));

	d->token = r->token;
	d->call = r->call;
	d->message_id = r->message_id;
	d->rekeying = r->rekeying;
	d->sent_before = again;
	net_send(w, d);
}

static void retransmit(struct world *w, uint64_t token, void *ptr)
{
	struct call *call = find(w, token);

	(void)ptr;
	if (!call || call->acked || call->observing)
		return;
	w->tally[RETRANSMISSIONS]++;
	transmit(w, call, true);
	call->again.pause_ms *= 2;
	if (--call->again.count)
		world_in(w, call->again.pause_ms, retransmit, token);
}

static uint16_t *message_id_of(struct world *w, int from)
{
	return from == KDC ? &w->message_id : &w->nodes[from].message_id;
}

void call_open(struct world *w, int from, int to, const struct gk_event *request, bool rekeying)
{
	struct call *call = take_free(w);
	bool notifies = request->kind == GK_EVENT_NOTIFY;
	uint64_t token;

	*call = (struct call){
		.open = true,
		.generation = call->generation + 1,
		.observe = request->observe,
		.core_id = request->id,
		.request =
			datagram_new(notifies ? DG_NOTIFY : DG_REQUEST, from, to, request->bytes),
	};
	token = token_of(w, call);
	call->request->rekeying = rekeying;
	call->request->token = call->request->call = token;
	if (notifies)
		memcpy(&call->request->token, request->token, sizeof(request->token));
	call->request->message_id = ++*message_id_of(w, from);
	w->tally[notifies ? NOTIFICATIONS : REQUESTS]++;
	call->again = retransmit_fit(request->timeout_ms, &w->chance);
	world_in(w, request->timeout_ms, give_up, token);
	world_in(w, call->again.pause_ms, retransmit, token);
	transmit(w, call, false);
}

void call_ask_all(struct world *w, const struct gk_event *request, bool all)
{
	struct call *call = take_free(w);
	uint64_t token;

	*call = (struct call){
		.open = true,
		.generation = call->generation + 1,
		.core_id = request->id,
		.request = datagram_new(DG_QUESTION, KDC, KDC, request->bytes),
	};
	token = token_of(w, call);
	call->request->token = token;
	call->request->message_id = ++*message_id_of(w, KDC);
	w->tally[QUESTIONS]++;
	world_in(w, request->timeout_ms, give_up, token);
	net_question(w, call->request, all);
}

void call_answered(struct world *w, const struct datagram *d)
{
	struct call *call = find(w, d->token);

	if (call)
		report_answer(w, call, d->from, gk_span(d->bytes, d->len));
}

void call_acked(struct world *w, uint64_t token)
{
	struct call *call = find(w, token);

	if (call && call->request->kind == DG_NOTIFY)
		report_outcome(w, call, GK_NOTIFIED_ACK);
	else if (call)
		call->acked = true;
}

void call_reset(struct world *w, uint64_t token)
{
	struct call *call = find(w, token);

	if (call)
		report_outcome(w, call, GK_NOTIFIED_RESET);
}

bool call_expects(const struct world *w, int from, uint64_t token)
{
	const struct call *call = find(w, token);

	return call && call->request->kind == DG_REQUEST && call->request->from == from;
}

void call_forget(struct world *w, int from, uint64_t core_id)
{
	for (size_t i = 0; i < w->call_count; i++) {
		struct call *call = &w->calls[i];

		if (call->open && call->observing && call->request->from == from &&
		    call->core_id == core_id)
			close_call(w, call);
	}
}

void calls_drop(struct world *w, int from)
{
	for (size_t i = 0; i < w->call_count; i++) {
		if (w->calls[i].open && w->calls[i].request->from == from)
			close_call(w, &w->calls[i]);
	}
}
