// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The network is one hop of IEEE 802.15.4. A datagram goes in as many frames as gk_air_of() says,
 * and arrives if all of them do:
 *
 *   - each frame is lost by itself, with the probability 'loss';
 *   - a frame to one node is acknowledged, and sent up to 3 times more (macMaxFrameRetries); after
 *     that the rest of its datagram is not sent. Lost acknowledgements are not modelled;
 *   - a frame to many is sent once, and each of those who listen loses frames of its own;
 *   - of datagrams that arrive, a share 'drop' is lost as a whole: queues that are full, routes
 *     that change.
 *
 * It delays every datagram differently (and so reorders), brings some twice, and now and then
 * brings one again after minutes, as one would who recorded it; of the KDC's to a group, every
 * other such one is changed. The air has room for everything: how much of it is taken is counted.
 */
#include "tests/sim/sim.h"

#include "libgroupkey/budget.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_LEN    4 /* of CoAP, the code in it */
#define TOKEN_LEN     8
#define MAC_RETRIES   3
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

static bool is_multicast(enum datagram_kind kind)
{
	return kind == DG_GROUP || kind == DG_CAST || kind == DG_QUESTION;
}

static bool is_connected(const struct world *w, const struct datagram *d)
{
	if (is_multicast(d->kind))
		return w->nodes[d->to].hears && (d->kind == DG_GROUP || w->link_up);
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
	else if (d->kind == DG_RESET)
		call_reset(w, d->token);
	else if (d->kind == DG_NOTIFY)
		node_notified(w, &w->nodes[d->to], d);
	else if (d->kind == DG_CONFIRM)
		cast_confirmation(w, d);
	else if (d->to == KDC)
		gateway_receive(w, d);
	else
		node_receive(w, &w->nodes[d->to], d);
}

/* frames */

size_t net_coap_len(enum datagram_kind kind, struct gk_span bytes)
{
	bool has_token =
		kind != DG_ACK && kind != DG_RESET && kind != DG_CAST && kind != DG_CONFIRM;

	return HEADER_LEN + (has_token ? TOKEN_LEN : 0) + (bytes.len ? bytes.len - 1 : 0);
}

static unsigned tries_of(bool multicast)
{
	return multicast ? 1 : 1 + MAC_RETRIES;
}

static double power(double base, size_t exponent)
{
	double product = 1;

	while (exponent--)
		product *= base;
	return product;
}

double net_odds(const struct world *w, size_t frames, bool multicast)
{
	double frame = 1 - power(w->opt.loss, tries_of(multicast));

	return power(frame, frames) * (1 - w->opt.drop);
}

/* @return whether all frames arrive; '*sent' are those that were sent for it, all tries */
static bool send_frames(struct world *w, size_t frames, unsigned tries, double loss, size_t *sent)
{
	for (*sent = 0; frames; frames--) {
		unsigned left = tries;
		bool lost = true;

		for (; lost && left; left--) {
			lost = happens(w, loss);
			++*sent;
		}
		if (lost)
			return false;
	}
	return true;
}

static void count_air(struct world *w, const struct datagram *d, const struct gk_air *air,
		      size_t sent)
{
	uint64_t bytes = air->bytes * sent / air->frames;

	w->tally[FRAMES] += sent;
	w->tally[AIR] += bytes;
	w->tally[AIR_REKEYING] += d->rekeying ? bytes : 0;
}

static struct gk_air air_of(const struct datagram *d)
{
	return gk_air_of(net_coap_len(d->kind, gk_span(d->bytes, d->len)));
}

/* What is sent to many is counted by who sends it. */
static bool gets_through(struct world *w, const struct datagram *d)
{
	struct gk_air air = air_of(d);
	bool multicast = is_multicast(d->kind);
	double loss = is_connected(w, d) ? w->opt.loss : 1;
	size_t sent;
	bool arrives = send_frames(w, air.frames, tries_of(multicast), loss, &sent);

	if (!multicast)
		count_air(w, d, &air, sent);
	return arrives && !happens(w, w->opt.drop);
}

/* datagrams */

static struct datagram *send_copy(struct world *w, const struct datagram *d, int64_t from_ms,
				  int64_t to_ms)
{
	struct datagram *c = copy(d);

	c->sent_before = true;
	world_hand(w, between(w, from_ms, to_ms), arrive, 0, c);
	return c;
}

static void replay(struct world *w, const struct datagram *d)
{
	struct datagram *c = send_copy(w, d, DELAY_MAX_MS, REPLAY_MAX_MS);

	w->tally[REPLAYS]++;
	if (d->kind != DG_CAST || happens(w, 0.5))
		return;
	w->tally[TAMPERED]++;
	c->bytes[between(w, 0, (int64_t)c->len - 1)] ^= (uint8_t)between(w, 1, 255);
}

void net_send(struct world *w, struct datagram *d)
{
	w->tally[DATAGRAMS]++;
	if (happens(w, DUPLICATE)) {
		w->tally[DUPLICATES]++;
		send_copy(w, d, 1, DELAY_MAX_MS);
	}
	if (happens(w, REPLAY))
		replay(w, d);
	if (!gets_through(w, d)) {
		w->tally[LOST]++;
		free(d);
		return;
	}
	world_hand(w, between(w, 1, DELAY_MAX_MS), arrive, 0, d);
}

static void count_multicast(struct world *w, const struct datagram *d)
{
	struct gk_air air = air_of(d);

	count_air(w, d, &air, air.frames);
}

void net_multicast(struct world *w, int from, int group, struct gk_span bytes)
{
	struct datagram *d;

	if (!w->nodes[from].hears)
		return; /* its radio is off */
	d = datagram_new(DG_GROUP, from, from, bytes);
	count_multicast(w, d);
	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		d->to = i;
		if (i != from && node->member && node->hears && node->place[group].exists)
			net_send(w, copy(d));
	}
	free(d);
}

void net_cast(struct world *w, struct gk_span bytes)
{
	struct datagram *d = datagram_new(DG_CAST, KDC, KDC, bytes);

	d->rekeying = true;
	count_multicast(w, d);
	for (int i = 0; i < w->opt.nodes; i++) {
		d->to = i;
		if (w->nodes[i].member && w->nodes[i].tuned)
			net_send(w, copy(d));
	}
	free(d);
}

void net_question(struct world *w, const struct datagram *question, bool all)
{
	struct datagram *d = copy(question);

	count_multicast(w, d);
	for (int i = 0; i < w->opt.nodes; i++) {
		d->to = i;
		if (w->nodes[i].member && (all || w->nodes[i].tuned))
			net_send(w, copy(d));
	}
	free(d);
}

/* requests that arrived */

struct gk_exchange arrival_new(struct world *w, const struct datagram *d)
{
	uint64_t id = ++w->next_arrival;
	struct gk_exchange exchange = { .id = id,
					.message_id = d->message_id,
					.token_len = 8,
					.multicast = d->kind == DG_QUESTION };

	if (!w->arrivals)
		w->arrivals = must_alloc(NULL, ARRIVALS * sizeof(*w->arrivals));
	w->arrivals[id % ARRIVALS] = (struct arrival){
		.id = id,
		.from = d->from,
		.to = d->to,
		.token = d->token,
		.message_id = d->message_id,
		.rekeying = d->rekeying,
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
