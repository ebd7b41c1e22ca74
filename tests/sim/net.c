// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The network delays every datagram differently (and so reorders), loses some, brings some twice,
 * and now and then brings one again after minutes, as one would who recorded it.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define DELAY_MAX_MS  50
#define DUPLICATE     0.02
#define REPLAY        0.002
#define REPLAY_MAX_MS 600000
#define ARRIVALS      8192

struct datagram *datagram_new(enum datagram_kind kind, int from, int to, struct gk_span bytes)
{
	struct datagram *d = must_alloc(NULL, sizeof(*d) + bytes.len);

	*d = (struct datagram){ .kind = kind, .from = from, .to = to, .len = bytes.len };
	if (bytes.len)
		memcpy(d->bytes, bytes.data, bytes.len);
	return d;
}

static struct datagram *copy(const struct datagram *d)
{
	struct datagram *c = must_alloc(NULL, sizeof(*d) + d->len);

	memcpy(c, d, sizeof(*d) + d->len);
	return c;
}

static bool is_connected(const struct world *w, const struct datagram *d)
{
	if (d->kind == DG_GROUP)
		return w->nodes[d->to].hears;
	return node_in_reach(w, &w->nodes[d->to == KDC ? d->from : d->to]);
}

static void arrive(struct world *w, uint64_t arg, void *ptr)
{
	const struct datagram *d = ptr;

	(void)arg;
	if (!is_connected(w, d))
		return;
	if (d->kind == DG_ANSWER)
		call_answered(w, d);
	else if (d->kind == DG_ACK)
		call_acked(w, d->token);
	else if (d->to == KDC)
		gateway_receive(w, d);
	else
		node_receive(w, &w->nodes[d->to], d);
}

static void send_copy(struct world *w, const struct datagram *d, int64_t from_ms, int64_t to_ms)
{
	struct datagram *c = copy(d);

	c->sent_before = true;
	world_in(w, chance_between(w, from_ms, to_ms), arrive, 0, c);
}

void net_send(struct world *w, struct datagram *d)
{
	w->tally[DATAGRAMS]++;
	if (chance_of(w, DUPLICATE)) {
		w->tally[DUPLICATES]++;
		send_copy(w, d, 1, DELAY_MAX_MS);
	}
	if (chance_of(w, REPLAY)) {
		w->tally[REPLAYS]++;
		send_copy(w, d, DELAY_MAX_MS, REPLAY_MAX_MS);
	}
	if (chance_of(w, w->opt.loss) || !is_connected(w, d)) {
		w->tally[LOST]++;
		free(d);
		return;
	}
	world_in(w, chance_between(w, 1, DELAY_MAX_MS), arrive, 0, d);
}

void net_multicast(struct world *w, int from, int group, struct gk_span bytes)
{
	if (!w->nodes[from].hears)
		return; /* its radio is off */
	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		if (i != from && node->member && node->hears && node->place[group].exists)
			net_send(w, datagram_new(DG_GROUP, from, i, bytes));
	}
}

/* requests that arrived */

struct gk_exchange arrival_new(struct world *w, const struct datagram *d)
{
	uint64_t id = ++w->next_arrival;
	struct gk_exchange exchange = { .id = id, .message_id = d->message_id, .token_len = 8 };

	if (!w->arrivals)
		w->arrivals = must_alloc(NULL, ARRIVALS * sizeof(*w->arrivals));
	w->arrivals[id % ARRIVALS] = (struct arrival){
		.id = id,
		.from = d->from,
		.to = d->to,
		.token = d->token,
		.message_id = d->message_id,
		.is_first = !d->sent_before,
		.view = wire_look(gk_span(d->bytes, d->len)),
	};
	exchange.peer = d->from == KDC ? gateway_addr() : w->nodes[d->from].addr;
	memcpy(exchange.token, &d->token, sizeof(exchange.token));
	return exchange;
}

struct arrival *arrival_find(struct world *w, uint64_t id)
{
	struct arrival *arrival = w->arrivals ? &w->arrivals[id % ARRIVALS] : NULL;

	return arrival && arrival->id == id ? arrival : NULL;
}
