// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Messages on their way, and such as the KDC never sent.
#include "pair_inside.h"

#include <stdlib.h>

/* the network */

static void kdc_receive(struct pair *p, const struct pair_message *m)
{
	pair_note_observed(p, &m->exchange, m->bytes);
	if (p->kdc)
		pair_drain_kdc(p, gk_kdc_receive(p->kdc, &m->exchange, m->bytes, p->now));
}

static void node_receive(struct pair *p, const struct pair_message *m)
{
	size_t i = (size_t)m->to;

	if (!p->node[i].member)
		return;
	if (gk_member_receive(p->node[i].member, &m->exchange, m->bytes, p->now) ==
	    GK_ERR_NO_MEMORY)
		pair_break_rule(p, "a member ran out of memory", m->bytes);
	pair_drain_node(p, i);
}

void pair_outcome_of(struct pair *p, struct pair_message *notification, enum gk_notified outcome)
{
	notification->open = false;
	if (p->kdc && notification->life == p->life)
		pair_drain_kdc(p, gk_kdc_notified(p->kdc, notification->id, outcome, p->now));
}

void pair_answer(struct pair *p, struct pair_message *request, struct gk_span bytes)
{
	if (!request->open)
		return;
	request->open = false;
	if (request->kind == PAIR_NOTIFY) {
		pair_outcome_of(p, request, GK_NOTIFIED_NOT);
	} else if (request->from != PAIR_KDC) {
		size_t i = (size_t)request->from;
		uint32_t value;

		request->observed = request->observe && pair_has_observe(bytes, &value);
		if (gk_member_answer(p->node[i].member, request->id, bytes, p->now))
			pair_break_rule(p, "a member ran out of memory", bytes);
		pair_drain_node(p, i);
	} else if (p->kdc && request->life == p->life) {
		pair_drain_kdc(p, gk_kdc_answer(p->kdc, request->id, bytes, p->now));
	}
}

/* Whose token it has, if the member still wants to hear of it. The first answer may be one. */
static struct pair_message *find_observing(const struct pair *p, const struct pair_message *m)
{
	size_t place = (size_t)m->exchange.token[0] << 8 | m->exchange.token[1];
	struct pair_message *request = place && place <= p->log_count ? p->log[place - 1] : NULL;

	return request && request->from == m->to && request->kind == PAIR_REQUEST &&
			       (request->observed || (request->observe && request->open))
		       ? request
		       : NULL;
}

/* Whoever sent it; and there may be another. */
static void kdc_probed(struct pair *p, const struct pair_message *m)
{
	size_t place = (size_t)m->exchange.token[0] << 8 | m->exchange.token[1];
	const struct pair_message *probe =
		place && place <= p->log_count ? p->log[place - 1] : NULL;

	if (p->kdc && probe && probe->kind == PAIR_PROBE && probe->open && probe->life == p->life)
		pair_drain_kdc(p, gk_kdc_answer(p->kdc, probe->id, m->bytes, p->now));
}

/* A shell acknowledges whatever has a token that it knows. */
static void node_notified(struct pair *p, const struct pair_message *m)
{
	size_t i = (size_t)m->to;
	struct pair_message *request = p->node[i].member ? find_observing(p, m) : NULL;
	struct pair_message *ack =
		pair_append(p, request ? PAIR_ACK : PAIR_RESET, (int)i, PAIR_KDC, gk_span(NULL, 0));
	uint32_t value;

	ack->id = m->exchange.id;
	if (!request)
		return;
	if (request->open)
		request->observed = pair_has_observe(m->bytes, &value);
	request->open = false;
	if (gk_member_answer(p->node[i].member, request->id, m->bytes, p->now))
		pair_break_rule(p, "a member ran out of memory", m->bytes);
	pair_drain_node(p, i);
}

static void kdc_acknowledged(struct pair *p, const struct pair_message *m)
{
	struct pair_message *notification = p->log[m->id - 1];

	if (notification->open)
		pair_outcome_of(p, notification,
				m->kind == PAIR_ACK ? GK_NOTIFIED_ACK : GK_NOTIFIED_RESET);
}

static bool is_cut(const struct pair *p, int who)
{
	return who >= 0 && p->node[who].cut;
}

static void arrive(struct pair *p, struct pair_message *m)
{
	if (m->arrived || is_cut(p, m->from) || is_cut(p, m->to) || m->to == PAIR_OUTSIDE)
		return;
	if (p->pass && !p->pass(p, m))
		return;
	if (m->kind == PAIR_REPLY) {
		struct pair_message *request = p->log[m->id - 1];

		if (request->again)
			request = p->log[request->again - 1];
		if (request->kind == PAIR_REQUEST)
			pair_answer(p, request, m->bytes);
	} else if (m->kind == PAIR_NOTIFY) {
		node_notified(p, m);
	} else if (m->kind == PAIR_ACK || m->kind == PAIR_RESET) {
		kdc_acknowledged(p, m);
	} else if (m->kind == PAIR_PROBED) {
		kdc_probed(p, m);
	} else if (m->kind == PAIR_CONFIRM) {
		if (p->kdc)
			pair_drain_kdc(p, gk_kdc_confirmed(p->kdc, m->bytes, p->now));
	} else if (m->to == PAIR_KDC) {
		kdc_receive(p, m);
	} else {
		node_receive(p, m);
	}
}

bool pair_step(struct pair *p)
{
	if (p->next == p->log_count)
		return false;
	arrive(p, p->log[p->next++]);
	return true;
}

void pair_run(struct pair *p)
{
	while (pair_step(p))
		;
}

void pair_repeat(struct pair *p, const struct pair_message *m, bool same_exchange)
{
	struct pair_message *again = pair_append(p, m->kind, m->from, m->to, m->bytes);
	uint64_t id = again->exchange.id;

	again->id = m->id;
	again->again = m->again ? m->again : (size_t)m->exchange.id;
	if (same_exchange)
		again->exchange = m->exchange;
	again->exchange.id = id;
	again->exchange.peer = m->exchange.peer;
}

/* what the KDC never said */

/* The KDC's end of a member's association; far from the sequence numbers that it uses itself. */
static struct gk_oscore association_of(const struct pair *p, size_t i)
{
	struct pair_record *r =
		pair_find_record(p, GK_TABLE_CLIENT, gk_span(p->node[i].bundle.osc_id, 8));
	struct pair_stored s;

	if (!r || !pair_read_client(r, &s))
		abort();
	s.ctx.seq = (UINT64_C(1) << 30) + p->log_count;
	s.ctx.seq_limit = GK_OSCORE_PIV_MAX;
	return s.ctx;
}

static uint8_t code_of_reply(const struct pair *p, size_t from, struct gk_oscore *ctx,
			     const struct gk_oscore_ref *ref)
{
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	for (size_t k = from; k < p->log_count; k++) {
		bool replies = p->log[k]->kind == PAIR_REPLY || p->log[k]->kind == PAIR_PROBED;

		p->log[k]->arrived |= replies;
		if (replies && p->log[k]->id == from &&
		    !gk_oscore_unprotect_response(ctx, ref, p->log[k]->bytes, &buf, NULL))
			return bytes[0];
	}
	return 0;
}

static uint8_t forge(struct pair *p, size_t i, enum pair_kind kind, struct gk_span plain)
{
	struct gk_oscore ctx = association_of(p, i);
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	struct pair_message *m;

	if (gk_oscore_protect_request(&ctx, plain, &buf, &ref))
		abort();
	m = pair_append(p, kind, PAIR_KDC, (int)i, gk_buf_span(&buf));
	m->exchange.multicast = kind == PAIR_PROBE;
	m->arrived = true;
	m->life = 0;
	node_receive(p, m);
	return code_of_reply(p, (size_t)m->exchange.id, &ctx, &ref);
}

uint8_t pair_forge_request(struct pair *p, size_t i, struct gk_span plain)
{
	return forge(p, i, PAIR_REQUEST, plain);
}

uint8_t pair_forge_probe(struct pair *p, size_t i, struct gk_span plain)
{
	return forge(p, i, PAIR_PROBE, plain);
}

static struct pair_message *waiting(const struct pair *p, size_t i)
{
	for (size_t k = p->log_count; k-- > 0;) {
		if (p->log[k]->from == (int)i && p->log[k]->open)
			return p->log[k];
	}
	return NULL;
}

const struct pair_message *pair_waiting(const struct pair *p, size_t i)
{
	return waiting(p, i);
}

void pair_forge_plain_answer(struct pair *p, size_t i, struct gk_span bytes)
{
	struct pair_message *m = waiting(p, i);

	if (!m)
		abort();
	m->arrived = true;
	pair_answer(p, m, bytes);
}

void pair_forge_answer(struct pair *p, size_t i, struct gk_span plain)
{
	struct pair_message *m = waiting(p, i);
	struct gk_oscore_ref ref = { .nonce_used = false };
	struct gk_oscore_option asked;
	struct gk_oscore ctx;
	struct gk_buf buf;
	uint8_t *bytes;

	if (!m || gk_oscore_peek(m->bytes, &asked, NULL)) {
		pair_forge_plain_answer(p, i, plain);
		return;
	}
	ctx = association_of(p, i);
	bytes = pair_must_have(malloc(plain.len + 128));
	buf = gk_buf(bytes, plain.len + 128);
	/* not if it has made another association with somebody */
	if (gk_id_set(&ref.kid, asked.kid) || gk_id_set(&ref.piv, asked.piv) ||
	    gk_oscore_protect_response(&ctx, &ref, plain, true, &buf))
		pair_forge_plain_answer(p, i, plain);
	else
		pair_forge_plain_answer(p, i, gk_buf_span(&buf));
	free(bytes);
}
