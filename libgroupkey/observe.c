// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Who observes what (RFC 7641; under OSCORE RFC 8613 section 4.1.3.5), and notifications.
 *
 *   ace-group/G    rekeying messages (R 6.1); 4.04 with error 6 when the group is deleted
 *   .../nodes/N    the member's material; 4.04 with error 5 when it is put out (R 5)
 *   .../active     whether the group is active (P 8.2)
 *
 * A registration is a GET with Observe 0, under OSCORE outside as well as inside: where something
 * on the way took the outer option away, notifications would not get through either. In a DTLS
 * session it is a plain one, and so are its notifications.
 * It belongs to a member and ends with its membership, with Observe 1 and its token, by a Reset,
 * with the association that it was made in (O 6) or the session (RFC 7252 section 9.1.1: in another
 * one its token may be somebody else's), and by a new one of the same member for the same resource,
 * whatever the token. So there is one for each resource of a member, and no client can
 * have more, nor keep those of an earlier life.
 *
 * They are in memory only. After a restart a member learns from the Echo challenge to its next
 * request, or when Max-Age passes without a notification, that it has to register again.
 *
 * Every notification is confirmable, has a Partial IV of its own, and is retransmitted within its
 * time. Under OSCORE the acknowledgement is not authenticated (RFC 7641 section 7), and neither is
 * a Reset. Who forges the one keeps us from repeating what got lost, who forges the other ends a
 * registration, until the member registers again. To do that from afar takes guessing the message
 * id while the notification is under way; who is near enough to read it can as well jam it.
 *
 * What delivers material goes by delivery.c, with its queue, pauses and budget. All else here is
 * news, sent as the state changes, and dropped for who does not acknowledge it (RFC 7641 section
 * 4.5). Registrations that material depends on stay meanwhile, like a control_uri that does not
 * answer: presence.c finds out whether anybody is there.
 */
#include "client.h"
#include "delivery.h"
#include "group.h"
#include "presence.h"
#include "serve.h"

#include <string.h>

#define PAYLOAD_ROOM   1152 /* as a rekeying message to a control_uri */
#define MESSAGE_ROOM   1184
#define UPDATE_MS      15000 /* for the acknowledgement of news */
#define UPDATE_WAIT_MS 1000  /* until news that could not be sent is tried again */
#define MAX_AGE_MAX_S  3600  /* as the Key Update Check Interval */
#define VALUE_UNIT_MS  256   /* of the Observe value, which has 24 bits: 49 days */
#define VALUE_MASK     0xffffffu
#define OBSERVE_CANCEL 1
#define NO_SUCCESS     2 /* in No-Response: not interested in 2.xx */

/* registrations */

static void end(struct gk_node *node, enum gk_observed what)
{
	struct gk_kdc *kdc = node->group->kdc;

	if (!node->observer[what])
		return;
	gk_free(&kdc->env, node->observer[what], sizeof(*node->observer[what]));
	node->observer[what] = NULL;
	kdc->observer_count--;
}

void gk_observe_forget(struct gk_node *node)
{
	for (enum gk_observed what = 0; what < GK_OBSERVED_COUNT; what++)
		end(node, what);
}

static bool has_token(const struct gk_observer *observer, const uint8_t *token, size_t len)
{
	return observer->exchange.token_len == len &&
	       memcmp(observer->exchange.token, token, len) == 0;
}

/* What presence.c asks a silent member with is a notification: one that hears three of them less
 * has to register again. */
static uint32_t max_age_s(const struct gk_group *group)
{
	uint64_t age_s = 3 * (uint64_t)group->config.presence.check_interval_s;

	return age_s < MAX_AGE_MAX_S ? (uint32_t)age_s : MAX_AGE_MAX_S;
}

/* RFC 7641 section 4.4: rising, after a restart too unless the clock begins anew. */
static uint32_t next_value(struct gk_kdc *kdc, struct gk_now now)
{
	uint64_t by_clock = (uint64_t)now.mono.ms / VALUE_UNIT_MS;

	kdc->observe_value = by_clock > kdc->observe_value ? by_clock : kdc->observe_value + 1;
	return kdc->observe_value & VALUE_MASK;
}

static struct gk_observer *make_observer(struct gk_kdc *kdc)
{
	struct gk_observer *observer = kdc->observer_count < GK_OBSERVERS_MAX
					       ? gk_alloc(&kdc->env, sizeof(*observer))
					       : NULL;

	kdc->observer_count += observer != NULL;
	return observer;
}

/* Partial IVs are as short as can be (RFC 8613 section 6.1). */
static bool is_before(const struct gk_id *a, const struct gk_id *b)
{
	return a->len != b->len ? a->len < b->len : memcmp(a->data, b->data, a->len) < 0;
}

/* Held up on its way, by whomsoever: the client has registered since. */
static bool is_late(const struct gk_call *call, enum gk_observed what)
{
	const struct gk_observer *observer = call->node->observer[what];

	return observer && call->ref && is_before(&call->ref->piv, &observer->ref.piv);
}

/* @return false: as many as can be, and no place for it: it gets its answer, and no more */
static bool add(const struct gk_call *call, enum gk_observed what)
{
	struct gk_observer **place = &call->node->observer[what];

	if (!*place)
		*place = make_observer(call->kdc);
	if (!*place)
		return false;
	**place = (struct gk_observer){
		.exchange = *call->exchange,
		.quiet = gk_coap_find_uint(&call->msg, GK_OPT_NO_RESPONSE, 0) & NO_SUCCESS,
	};
	if (call->ref)
		(*place)->ref = *call->ref;
	return true;
}

static bool put_observed(struct gk_buf *buf, const struct gk_call *call)
{
	struct gk_coap_writer w;
	struct gk_coap_iter it;
	struct gk_coap reply;

	if (gk_coap_parse(gk_buf_span(&call->reply), &reply) || reply.code != GK_COAP_CONTENT)
		return false;
	w = gk_coap_begin(buf, reply.code);
	gk_coap_put_uint(&w, GK_OPT_OBSERVE, next_value(call->kdc, call->now));
	for (it = gk_coap_options(&reply); gk_coap_next(&it);)
		gk_coap_put(&w, it.number, it.value);
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, max_age_s(call->group));
	gk_coap_put_payload(&w, reply.payload);
	return !buf->overflow && buf->len <= call->reply.cap;
}

/* The first answer comes in any case, though No-Response would let us leave it out: without it
 * nobody knows of having been registered. */
static void begin(struct gk_call *call, enum gk_observed what)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (put_observed(&buf, call) && add(call, what)) {
		gk_buf_truncate(&call->reply, 0);
		gk_buf_add(&call->reply, gk_buf_span(&buf));
	}
	gk_wipe(bytes, sizeof(bytes));
}

static void cancel(const struct gk_call *call, enum gk_observed what)
{
	const struct gk_observer *observer = call->node->observer[what];

	if (observer && has_token(observer, call->exchange->token, call->exchange->token_len))
		end(call->node, what);
}

void gk_observe_serve(struct gk_call *call, enum gk_observed what)
{
	int64_t value = gk_coap_find_uint(&call->msg, GK_OPT_OBSERVE, -1);

	if (what == GK_OBSERVED_NOTHING || !call->node || call->outer_observe != value ||
	    is_late(call, what))
		return;
	if (value == 0)
		begin(call, what);
	else if (value == OBSERVE_CANCEL)
		cancel(call, what);
}

/* what is notified */

static uint16_t put_group(struct gk_buf *buf, const struct gk_node *node, struct gk_now now)
{
	gk_group_put_rekeying(buf, node->group, gk_group_joiner_fits(node->group),
			      node->in_tree ? node : NULL, now);
	return GK_CF_ACE_GROUPCOMM;
}

static uint16_t put_node(struct gk_buf *buf, const struct gk_node *node, struct gk_now now)
{
	gk_group_put_answer(buf, node, node, now);
	return GK_CF_ACE_GROUPCOMM;
}

static uint16_t put_active(struct gk_buf *buf, const struct gk_node *node, struct gk_now now)
{
	(void)now;
	gk_put_bool(buf, node->group->config.active);
	return GK_CF_CBOR;
}

static void put_state(struct gk_buf *buf, const struct gk_node *node, enum gk_observed what,
		      struct gk_now now)
{
	static uint16_t (*const put[GK_OBSERVED_COUNT])(struct gk_buf *, const struct gk_node *,
							struct gk_now) = {
		[GK_OBSERVED_GROUP] = put_group,
		[GK_OBSERVED_NODE] = put_node,
		[GK_OBSERVED_ACTIVE] = put_active,
	};
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_CONTENT);

	gk_coap_put_uint(&w, GK_OPT_OBSERVE, next_value(node->group->kdc, now));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, put[what](&payload, node, now));
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, max_age_s(node->group));
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	buf->overflow |= payload.overflow;
	gk_wipe(bytes, sizeof(bytes));
}

static uint64_t notify(struct gk_node *node, enum gk_observed what, enum gk_request_kind kind,
		       size_t *len, uint32_t timeout_ms, struct gk_now now)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	uint64_t id = 0;

	put_state(&buf, node, what, now);
	if (!buf.overflow)
		id = gk_client_notify(node->group->kdc, node, what, kind, gk_buf_span(&buf),
				      timeout_ms);
	*len = buf.len;
	gk_wipe(bytes, sizeof(bytes));
	return id;
}

/* material */

/* By which observation it goes: the group's if there is one, for it is the shorter message. */
static enum gk_observed way_of(const struct gk_node *node)
{
	static const enum gk_observed ways[] = { GK_OBSERVED_GROUP, GK_OBSERVED_NODE };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (node->observer[ways[i]] && !node->observer[ways[i]]->quiet)
			return ways[i];
	}
	return GK_OBSERVED_NOTHING;
}

bool gk_observe_delivers(const struct gk_node *node)
{
	return way_of(node) != GK_OBSERVED_NOTHING;
}

uint64_t gk_observe_material(struct gk_node *node, enum gk_request_kind kind, size_t *len,
			     uint32_t timeout_ms, struct gk_now now)
{
	enum gk_observed what = way_of(node);

	return what == GK_OBSERVED_NOTHING ? 0 : notify(node, what, kind, len, timeout_ms, now);
}

/* news */

static void send_news(struct gk_node *node, enum gk_observed what, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;
	struct gk_observer *observer = node->observer[what];
	size_t len;

	if (!observer || !observer->changed || observer->flight)
		return;
	observer->flight = notify(node, what, GK_REQUEST_UPDATE, &len, UPDATE_MS, now);
	if (!observer->flight) {
		gk_timer_set(&kdc->timers, &kdc->update_timer, now.mono.ms + UPDATE_WAIT_MS);
		return;
	}
	observer->changed = false;
	gk_budget_charge(&kdc->budget, gk_air_of(len).bytes, now.mono.ms);
}

static void tell_news(struct gk_node *node, enum gk_observed what, struct gk_now now)
{
	struct gk_observer *observer = node->observer[what];

	if (!observer || observer->quiet)
		return;
	observer->changed = true;
	send_news(node, what, now);
}

void gk_observe_rekeyed(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++) {
		struct gk_node *node = group->nodes[i];

		if (node != group->joiner &&
		    (node->has_control || way_of(node) != GK_OBSERVED_NODE))
			tell_news(node, GK_OBSERVED_NODE, now);
	}
}

void gk_observe_activity(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++)
		tell_news(group->nodes[i], GK_OBSERVED_ACTIVE, now);
}

void gk_observe_update(struct gk_kdc *kdc, struct gk_now now)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		for (size_t i = 0; i < group->count; i++) {
			send_news(group->nodes[i], GK_OBSERVED_NODE, now);
			send_news(group->nodes[i], GK_OBSERVED_ACTIVE, now);
		}
	}
}

/* how it went */

static struct gk_observer *find_observer(const struct gk_node *node,
					 const struct gk_request *request)
{
	struct gk_observer *observer = node->observer[request->observed];

	return observer && has_token(observer, request->token, request->token_len) ? observer
										   : NULL;
}

static void finish_news(struct gk_node *node, const struct gk_request *request,
			enum gk_notified outcome, struct gk_now now)
{
	struct gk_observer *observer = find_observer(node, request);

	if (!observer || observer->flight != request->id)
		return;
	observer->flight = 0;
	if (outcome == GK_NOTIFIED_NOT)
		end(node, request->observed);
	else
		send_news(node, request->observed, now);
}

void gk_observe_notified(struct gk_node *node, const struct gk_request *request,
			 enum gk_notified outcome, struct gk_now now)
{
	bool rejected = outcome == GK_NOTIFIED_RESET;

	if ((rejected || outcome == GK_NOTIFIED_GONE) && find_observer(node, request))
		end(node, request->observed);
	if (rejected || outcome == GK_NOTIFIED_ACK)
		gk_presence_acknowledged(node, now);
	if (request->kind == GK_REQUEST_REKEY)
		gk_delivery_notified(node, request->id, request->num, outcome, now);
	else if (request->kind == GK_REQUEST_UPDATE)
		finish_news(node, request, outcome, now);
}

void gk_observe_unsent(struct gk_node *node, const struct gk_request *request, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;
	struct gk_observer *observer = find_observer(node, request);

	if (!observer || observer->flight != request->id)
		return;
	observer->flight = 0;
	observer->changed = true;
	gk_timer_set(&kdc->timers, &kdc->update_timer, now.mono.ms + UPDATE_WAIT_MS);
}

/* ends */

static void put_end(struct gk_buf *buf, uint8_t code, int error)
{
	uint8_t bytes[8];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(buf, code);

	if (error < 0)
		return;
	gk_put_problem(&payload, (unsigned)error);
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_PROBLEM_DETAILS);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
}

bool gk_observe_finish(struct gk_node *node, enum gk_observed what, uint8_t code, int error,
		       struct gk_now now)
{
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (!node->observer[what])
		return false;
	put_end(&buf, code, error);
	gk_client_tell_end(node->group->kdc, node, what, gk_buf_span(&buf), now);
	end(node, what);
	return true;
}

void gk_observe_finish_all(struct gk_node *node, struct gk_now now)
{
	for (enum gk_observed what = 0; what < GK_OBSERVED_COUNT; what++)
		(void)gk_observe_finish(node, what, GK_COAP_UNAUTHORIZED, -1, now);
}
