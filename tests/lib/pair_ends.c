// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The lives of the two ends, the KDC and its members, and what both are told to do.
#include "pair_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* the KDC's life */

const uint8_t pair_as_key[16] = "key of the AS!!";

static enum gk_err give_back(struct pair *p)
{
	enum gk_err err = GK_OK;

	for (enum gk_table t = GK_TABLE_KDC; !err && t <= GK_TABLE_REVOKED; t++) {
		for (size_t i = 0; !err && i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { .table = t,
						    .key = gk_span(r->key, r->key_len),
						    .value = gk_span(r->value, r->value_len) };

			if (r->table == t)
				err = gk_kdc_restore(p->kdc, &record, p->now);
		}
	}
	return err;
}

static struct gk_span text_or_none(const char *text)
{
	return text ? gk_span_str(text) : gk_span(NULL, 0);
}

enum gk_err pair_start(struct pair *p)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, sizeof(pair_as_key)),
					.as_uri = text_or_none(p->as_uri),
					.group_path = text_or_none(p->group_path),
					.authz_path = text_or_none(p->authz_path),
					.discovery = p->discovery,
					.rekeying_bps = p->rekeying_bps };
	enum gk_err err = gk_kdc_new(&p->env, &config, &p->kdc);

	if (err)
		return err;
	p->life++;
	return give_back(p);
}

void pair_stop(struct pair *p)
{
	gk_kdc_free(p->kdc);
	p->kdc = NULL;
	if (p->kdc_env.blocks) {
		char text[64];

		snprintf(text, sizeof(text), "the KDC kept %zu blocks of memory",
			 p->kdc_env.blocks);
		pair_break_rule(p, text, gk_span(NULL, 0));
	}
}

/* Before 'event': if that is the first but for STOREs, or a later one, the transaction is done. */
static void crash(struct pair *p, struct gk_event event, bool acted)
{
	bool committed = acted || event.kind != GK_EVENT_STORE;

	do {
		if (committed && event.kind == GK_EVENT_STORE)
			pair_take_store(p, &event.record);
	} while (gk_kdc_event(p->kdc, &event));
	pair_end_transaction(p, committed);
}

/* @return false: it crashed on the way */
static bool drain(struct pair *p)
{
	struct gk_event event;
	bool acted = false, stored = false, urgent = false;

	while (gk_kdc_event(p->kdc, &event)) {
		p->events++;
		stored |= event.kind == GK_EVENT_STORE;
		urgent |= event.kind == GK_EVENT_STORE && !event.record.may_wait;
		if (p->events == p->crash_at) {
			crash(p, event, acted);
			return false;
		}
		acted |= event.kind != GK_EVENT_STORE;
		pair_take_kdc_event(p, &event);
	}
	p->batches += stored;
	p->urgent_batches += urgent;
	pair_end_transaction(p, true);
	return true;
}

/* Groups come after all records; a failure that was ordered may strike here too. */
static bool serve_all(struct pair *p)
{
	for (size_t i = 0; i < p->group_count; i++) {
		enum gk_err err = gk_kdc_add_group(p->kdc, &p->config[i], p->now);

		if (!drain(p) || err)
			return false;
	}
	return true;
}

void pair_restart(struct pair *p)
{
	for (int i = 0; i < 4; i++) {
		enum gk_err err;

		if (p->kdc)
			pair_stop(p);
		err = pair_start(p);
		if (!err && serve_all(p))
			return;
		if (err != GK_OK && err != GK_ERR_NO_MEMORY && err != GK_ERR_ENTROPY)
			pair_break_rule(p, gk_strerror(err), gk_span_str("restart"));
	}
	pair_break_rule(p, "the KDC does not start", gk_span(NULL, 0));
}

void pair_drain_kdc(struct pair *p, enum gk_err err)
{
	bool alive = drain(p) && err != GK_ERR_NO_MEMORY;

	p->last = err;
	if (alive)
		return;
	if (p->manual_restart)
		pair_stop(p);
	else
		pair_restart(p);
}

/* members */

/** Whom a member asks. */
static int whom(const struct pair *p, const struct gk_addr *addr)
{
	static const uint8_t kdc[16];

	return memcmp(addr->ip, kdc, sizeof(kdc)) == 0 ? PAIR_KDC : pair_index_of(p, addr);
}

static void forget_observation(struct pair *p, size_t i, uint64_t id)
{
	for (size_t k = 0; k < p->log_count; k++) {
		if (p->log[k]->kind == PAIR_REQUEST && p->log[k]->from == (int)i &&
		    p->log[k]->id == id)
			p->log[k]->observe = p->log[k]->observed = false;
	}
}

static void take_node_event(struct pair *p, size_t i, const struct gk_event *event)
{
	struct pair_message *m;
	struct gk_oscore_option option;

	switch (event->kind) {
	case GK_EVENT_REQUEST:
		m = pair_append(p, PAIR_REQUEST, (int)i, whom(p, &event->peer), event->bytes);
		if (m->to != PAIR_KDC && !gk_oscore_peek(event->bytes, &option, NULL))
			pair_use_nonce(p, option.kid_context, option.kid, option.piv, event->bytes);
		m->id = event->id;
		m->peer = event->peer;
		m->open = true;
		m->deadline_ms = p->now.mono.ms + event->timeout_ms;
		m->exchange.peer = p->node[i].addr;
		m->observe = event->observe;
		m->life = 0;
		break;
	case GK_EVENT_CANCEL:
		forget_observation(p, i, event->id);
		break;
	case GK_EVENT_REPLY:
		m = pair_append(p, PAIR_REPLY, (int)i, p->log[event->id - 1]->from, event->bytes);
		m->id = event->id;
		break;
	case GK_EVENT_MULTICAST:
		if (!gk_oscore_peek(event->bytes, &option, NULL))
			pair_use_nonce(p, option.kid_context, option.kid, option.piv, event->bytes);
		for (size_t k = 0; k < p->node_count; k++) {
			if (k == i)
				continue;
			m = pair_append(p, PAIR_MULTICAST, (int)i, (int)k, event->bytes);
			m->id = event->id;
			m->exchange.peer = p->node[i].addr;
		}
		break;
	case GK_EVENT_CONFIRM:
		m = pair_append(p, event->token_len ? PAIR_PROBED : PAIR_CONFIRM, (int)i, PAIR_KDC,
				event->bytes);
		m->id = event->id;
		m->peer = event->peer;
		m->exchange.token_len = event->token_len;
		memcpy(m->exchange.token, event->token, sizeof(event->token));
		break;
	case GK_EVENT_NOTE:
		pair_take_note(p, (int)i, event);
		break;
	case GK_EVENT_STORE:
	case GK_EVENT_PROBE:
	case GK_EVENT_END:
	case GK_EVENT_NOTIFY:
	case GK_EVENT_NONE:
		pair_break_rule(p, "an event that a member never makes", event->bytes);
		break;
	}
}

void pair_drain_node(struct pair *p, size_t i)
{
	struct gk_event event;

	while (p->node[i].member && gk_member_event(p->node[i].member, &event))
		take_node_event(p, i, &event);
}

static void make_member(struct pair *p, size_t i)
{
	struct pair_node *n = &p->node[i];
	struct gk_member_config config = {
		.token = gk_span(n->bundle.token, n->bundle.token_len),
		.osc_id = gk_span(n->bundle.osc_id, 8),
		.ms = gk_span(n->bundle.ms, 32),
		.salt = gk_span(n->bundle.salt, 8),
		.key_seed = gk_span(n->seed, 32),
		.name = gk_span_str(n->name),
		.control_base = gk_span_str(n->base),
		.kdc = { .port = 5683 },
		.rejoin_delay_ms = 10000,
		.point_to_point = n->point_to_point,
		.sign_protected = n->sign_protected,
		.creds = n->creds,
		.cred_count = n->cred_count,
		.group_path = text_or_none(p->group_path),
		.authz_path = text_or_none(p->authz_path),
		.observe = n->observer,
		.sleepy = n->sleepy,
	};

	if (n->observer)
		config.control_base = gk_span(NULL, 0);

	if (gk_member_new(&n->env, &config, &n->member))
		abort();
}

void pair_issue(struct pair *p, const struct gk_client_spec *spec, struct gk_client_bundle *bundle)
{
	enum gk_err err = GK_ERR_STATE;

	for (int i = 0; err && i < 3; i++) {
		if (!p->kdc)
			pair_restart(p);
		err = gk_kdc_issue(p->kdc, spec, p->now, bundle);
		pair_drain_kdc(p, err);
	}
	if (err)
		abort();
}

size_t pair_add(struct pair *p, uint32_t roles)
{
	size_t i = p->node_count++;
	struct pair_node *n = &p->node[i];
	struct gk_span groups[PAIR_GROUPS_MAX];
	uint32_t all[PAIR_GROUPS_MAX];

	*n = (struct pair_node){ .addr = { .port = 5683 } };
	n->env = test_env(&n->test_env, p->seed + 1000 + i);
	n->addr.ip[0] = 0xfd;
	n->addr.ip[15] = (uint8_t)(i + 16);
	snprintf(n->name, sizeof(n->name), "node%zu", i);
	snprintf(n->base, sizeof(n->base), "coap://[fd00::%zx]:5683", i + 16);
	memset(n->seed, (int)i + 1, sizeof(n->seed));
	n->seed[0] = (uint8_t)p->seed;
	for (size_t g = 0; g < p->group_count; g++) {
		groups[g] = p->config[g].name;
		all[g] = roles;
	}
	pair_issue(p,
		   &(struct gk_client_spec){ .name = gk_span_str(n->name),
					     .groups = groups,
					     .roles = all,
					     .group_count = p->group_count,
					     .lifetime_s = 30 * 86400,
					     .sleepy = p->sleepy_tokens },
		   &n->bundle);
	make_member(p, i);
	return i;
}

void pair_free_member(struct pair *p, size_t i)
{
	gk_member_free(p->node[i].member);
	p->node[i].member = NULL;
	if (p->node[i].test_env.blocks)
		pair_break_rule(p, "a member kept memory", gk_span_str(p->node[i].name));
}

void pair_reset(struct pair *p, size_t i)
{
	pair_free_member(p, i);
	for (size_t k = 0; k < p->log_count; k++) {
		if (p->log[k]->from == (int)i)
			p->log[k]->open = p->log[k]->observed = false;
	}
	make_member(p, i);
}

enum gk_err pair_join(struct pair *p, size_t i, const char *group, uint32_t roles)
{
	enum gk_err err = gk_member_join(p->node[i].member, gk_span_str(group), roles, p->now);

	pair_drain_node(p, i);
	return err;
}

void pair_join_all(struct pair *p, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		size_t i = pair_add(p, 6);

		if (pair_join(p, i, PAIR_LIGHTS, 6))
			pair_break_rule(p, "a join that was refused", gk_span_str(p->node[i].name));
		pair_run(p);
	}
}

enum gk_err pair_say(struct pair *p, size_t i, const char *group, const char *text)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	enum gk_err err;

	gk_coap_put_payload(&w, gk_span_str(text));
	err = gk_member_say(p->node[i].member, gk_span_str(group), gk_buf_span(&buf), p->now);
	pair_drain_node(p, i);
	return err;
}

enum gk_err pair_tell(struct pair *p, size_t i, struct gk_span sid, size_t to, const char *text)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	enum gk_err err;

	gk_coap_put_payload(&w, gk_span_str(text));
	err = gk_member_tell(p->node[i].member, gk_span_str(PAIR_LIGHTS), sid, &p->node[to].addr,
			     gk_buf_span(&buf), p->now);
	pair_drain_node(p, i);
	return err;
}

enum gk_err pair_leave(struct pair *p, size_t i, const char *group)
{
	enum gk_err err = gk_member_leave(p->node[i].member, gk_span_str(group), p->now);

	pair_drain_node(p, i);
	return err;
}
