// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Protected exchanges with a client, in both directions over one association.
 */
#include "exchange.h"

#include "client.h"
#include "delivery.h"
#include "group.h"
#include "presence.h"
#include "serve.h"

#include <string.h>

#define CHALLENGE_COST_MS  1000 /* what an Echo challenge costs ... */
#define CHALLENGE_BURST_MS 8000 /* ... of this: 8 at once, then one a second */

/* sending under an association */

static uint64_t block_after(uint64_t seq)
{
	uint64_t end = GK_OSCORE_PIV_MAX + 1;

	return seq < end - GK_SEQ_BLOCK ? seq + GK_SEQ_BLOCK : end;
}

/*
 * Sequence numbers are stored ahead of their use (RFC 8613 B.1.1), with one ceiling for all
 * associations.
 *
 * @return false: there is none left, and no more can be had now
 */
static bool reserve_sequence(struct gk_kdc *kdc, struct gk_oscore *ctx)
{
	if (ctx->seq >= kdc->seq_limit) {
		if (kdc->storage == GK_STORAGE_NONE)
			return false;
		kdc->seq_limit = block_after(ctx->seq);
		gk_record_kdc(kdc);
	}
	ctx->seq_limit = kdc->seq_limit;
	return ctx->seq < ctx->seq_limit;
}

static size_t *count_of(struct gk_kdc *kdc, const struct gk_request *request)
{
	return request->multicast ? &kdc->question_count : &kdc->request_count;
}

void gk_exchange_emit(struct gk_kdc *kdc, struct gk_request *request, struct gk_span bytes,
		      uint32_t timeout_ms)
{
	struct gk_event event = {
		.kind = request->observed ? GK_EVENT_NOTIFY : GK_EVENT_REQUEST,
		.id = request->id,
		.peer = request->peer,
		.dtls = request->dtls,
		.session = request->session,
		.timeout_ms = timeout_ms,
		.multicast = request->multicast,
		.token_len = request->token_len,
		.bytes = bytes,
	};

	memcpy(event.token, request->token, sizeof(event.token));
	gk_hash_add(&kdc->requests, &request->by_id, gk_span(&request->id, sizeof(request->id)));
	*count_of(kdc, request) += 1;
	gk_queue_add(&kdc->queue, &event);
}

struct gk_request *gk_exchange_find(const struct gk_kdc *kdc, uint64_t id)
{
	struct gk_link *link = gk_hash_find(&kdc->requests, gk_span(&id, sizeof(id)));

	for (; link; link = gk_hash_next(link)) {
		struct gk_request *request = GK_OWNER(link, struct gk_request, by_id);

		if (request->id == id)
			return request;
	}
	return NULL;
}

static struct gk_request *take_request(struct gk_kdc *kdc, uint64_t id)
{
	struct gk_request *request = gk_exchange_find(kdc, id);

	if (!request)
		return NULL;
	gk_hash_remove(&kdc->requests, &request->by_id);
	*count_of(kdc, request) -= 1;
	return request;
}

void gk_exchange_free(struct gk_kdc *kdc, struct gk_request *request)
{
	gk_blob_wipe(&kdc->env, &request->notice);
	gk_free(&kdc->env, request, sizeof(*request));
}

/* Probes of many silent nodes, notices to many that were removed since they are not there, and news
 * for observers of whom none acknowledges any, leave room for rekeying messages. */
bool gk_exchange_has_room(const struct gk_kdc *kdc, enum gk_request_kind kind)
{
	return kdc->request_count <
	       (kind != GK_REQUEST_REKEY ? GK_REQUESTS_MAX / 2 : GK_REQUESTS_MAX);
}

/* It goes where the registration came from. */
static void address_observer(struct gk_request *request, const struct gk_observer *observer)
{
	request->peer = observer->exchange.peer;
	request->session = observer->exchange.session;
	request->token_len = observer->exchange.token_len;
	memcpy(request->token, observer->exchange.token, sizeof(request->token));
}

/* Under DTLS the session protects it. */
static enum gk_err seal(struct gk_kdc *kdc, struct gk_client *client, struct gk_observer *observer,
			struct gk_span message, struct gk_buf *buf, struct gk_request *request)
{
	struct gk_oscore *ctx = &client->assoc.ctx;

	if (client->session) {
		request->dtls = client->session->id;
		gk_buf_add(buf, message);
		return gk_buf_err(buf);
	}
	if (!reserve_sequence(kdc, ctx))
		return GK_ERR_SEQUENCE;
	return observer ? gk_oscore_protect_response(ctx, &observer->ref, message, true, buf)
			: gk_oscore_protect_request(ctx, message, buf, &request->ref);
}

struct gk_request *gk_exchange_protect(struct gk_kdc *kdc, struct gk_node *node,
				       enum gk_observed what, enum gk_request_kind kind,
				       struct gk_span message, struct gk_buf *buf)
{
	struct gk_client *client = node->client;
	struct gk_observer *observer = node->observer[what];
	struct gk_request *request = NULL;

	if ((client->session || client->assoc.ctx.aead) && !gk_hash_reserve(&kdc->requests))
		request = gk_alloc(&kdc->env, sizeof(*request));
	if (!request)
		return NULL;
	if (seal(kdc, client, observer, message, buf, request)) {
		gk_free(&kdc->env, request, sizeof(*request));
		return NULL;
	}
	request->id = ++kdc->next_id;
	request->kind = kind;
	request->client = client->id;
	request->group = node->group;
	request->node = node->number;
	request->generation = client->generation;
	request->num = node->group->num;
	request->peer = node->address;
	request->observed = what;
	if (observer)
		address_observer(request, observer);
	return request;
}

uint64_t gk_client_notify(struct gk_kdc *kdc, struct gk_node *node, enum gk_observed what,
			  enum gk_request_kind kind, struct gk_span message, uint32_t timeout_ms)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_request *request =
		gk_exchange_has_room(kdc, kind)
			? gk_exchange_protect(kdc, node, what, kind, message, &buf)
			: NULL;

	if (!request)
		return 0;
	gk_exchange_emit(kdc, request, gk_buf_span(&buf), timeout_ms);
	return request->id;
}

uint64_t gk_client_request(struct gk_kdc *kdc, struct gk_node *node, enum gk_request_kind kind,
			   struct gk_span message, uint32_t timeout_ms)
{
	return gk_client_notify(kdc, node, GK_OBSERVED_NOTHING, kind, message, timeout_ms);
}

static struct gk_node *node_of(const struct gk_request *request, const struct gk_client *client)
{
	struct gk_node *node = client ? gk_group_node_of(request->group, client) : NULL;

	return node && node->number == request->node ? node : NULL;
}

/* What the answer to a probe says of the member's version, or -1 (docs/rekeying.md section 9). */
static int64_t shown_num(const struct gk_coap *answer)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
	};
	struct gk_cbor_item item;

	if (gk_coap_find_uint(answer, GK_OPT_CONTENT_FORMAT, -1) != GK_CF_ACE_GROUPCOMM ||
	    gk_cbor_read_map(answer->payload, fields, 1, &item))
		return -1;
	return item.number;
}

static enum gk_err unseal(const struct gk_client *client, const struct gk_request *request,
			  struct gk_span message, struct gk_buf *buf)
{
	if (!client->session)
		return gk_oscore_unprotect_response(&client->assoc.ctx, &request->ref, message, buf,
						    NULL);
	gk_buf_add(buf, message);
	return gk_buf_err(buf);
}

/* @param shown  the version that it says the member has, or -1
 * @return the code of a verified answer, or 0 */
static uint8_t verify_answer(const struct gk_request *request, const struct gk_client *client,
			     struct gk_span message, int64_t *shown)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap inner;

	*shown = -1;
	if (!client || client->generation != request->generation || message.len > sizeof(bytes) ||
	    unseal(client, request, message, &buf) || gk_coap_parse(gk_buf_span(&buf), &inner))
		return 0;
	if (request->kind == GK_REQUEST_PROBE)
		*shown = shown_num(&inner);
	return inner.code;
}

void gk_client_seen(struct gk_client *client, enum gk_fact sign, struct gk_now now)
{
	client->unanswered = 0;
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
		gk_presence_seen(node, sign, now);
}

/* Whoever is on the link has seen the token of what went by multicast. The member's own answer may
 * come after a forged one. */
static bool is_forged(const struct gk_request *request, struct gk_span message, uint8_t code)
{
	return request->multicast && message.len && !code;
}

/* One that ended because the client was silent in it: what cannot leave for that reason is as good
 * as unanswered, and no excuse for further silence. */
static bool has_silent_session(const struct gk_client *client)
{
	return client && client->session && client->unanswered >= GK_SESSION_SILENT;
}

/* It is over, and so is the one beside it if that was answered. */
static void end_request(struct gk_kdc *kdc, struct gk_request *request, bool answered)
{
	struct gk_request *twin = answered ? take_request(kdc, request->twin) : NULL;

	if (twin)
		gk_exchange_free(kdc, twin);
	gk_exchange_free(kdc, request);
}

void gk_client_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message, struct gk_now now)
{
	struct gk_request *request = gk_exchange_find(kdc, id);
	struct gk_client *client;
	struct gk_node *node;
	uint8_t code;
	int64_t shown;

	if (!request)
		return;
	client = gk_client_find(kdc, gk_id_span(&request->client));
	node = node_of(request, client);
	code = verify_answer(request, client, message, &shown);
	if (is_forged(request, message, code))
		return;
	(void)take_request(kdc, id);
	if (client) {
		client->asked_until_ms[request->multicast] = now.mono.ms;
		client->unanswered += message.len == 0;
	}
	if (code)
		gk_client_seen(client, GK_FACT_ANSWER, now);
	if (node && request->kind == GK_REQUEST_REKEY)
		gk_delivery_answered(node, id, request->num, code, now);
	if (node && shown >= 0)
		gk_delivery_shown(node, shown, false, now);
	if (node && code && request->kind != GK_REQUEST_REKEY)
		gk_delivery_wake(node, now);
	if (node && request->kind == GK_REQUEST_REKEY && !code)
		gk_presence_unanswered(node, node->delivery == GK_NODE_PARKED, now);
	end_request(kdc, request, code != 0);
}

void gk_client_notified(struct gk_kdc *kdc, uint64_t id, enum gk_notified outcome,
			struct gk_now now)
{
	struct gk_request *request = take_request(kdc, id);
	struct gk_client *client;
	struct gk_node *node;

	if (!request)
		return;
	client = gk_client_find(kdc, gk_id_span(&request->client));
	node = node_of(request, client);
	/* of an association that has ended, it tells nothing of the present one */
	if (node && client->generation != request->generation)
		outcome = GK_NOTIFIED_NOT;
	if (outcome == GK_NOTIFIED_GONE && has_silent_session(client))
		outcome = GK_NOTIFIED_NOT;
	if (client) {
		client->asked_until_ms[false] = now.mono.ms;
		client->unanswered = outcome == GK_NOTIFIED_NOT ? client->unanswered + 1 : 0;
	}
	if (node)
		gk_observe_notified(node, request, outcome, now);
	if (node && request->kind == GK_REQUEST_REKEY && outcome == GK_NOTIFIED_NOT)
		gk_presence_unanswered(node, node->delivery == GK_NODE_PARKED, now);
	gk_exchange_free(kdc, request);
}

/* A probe has the rest of its time, as if it had left. */
static void go_unanswered(struct gk_node *node, const struct gk_request *request, struct gk_now now)
{
	if (request->kind != GK_REQUEST_REKEY)
		return;
	gk_delivery_answered(node, request->id, request->num, 0, now);
	gk_presence_unanswered(node, node->delivery == GK_NODE_PARKED, now);
}

/* Of two that ask the same, one is enough. @return true if that is the other one */
static bool is_left_to_twin(const struct gk_kdc *kdc, const struct gk_request *request)
{
	struct gk_request *twin = gk_exchange_find(kdc, request->twin);

	if (twin)
		twin->beside = false;
	return twin || request->beside;
}

void gk_client_unsent(struct gk_kdc *kdc, uint64_t id, struct gk_now now)
{
	struct gk_request *request = take_request(kdc, id);
	struct gk_client *client;
	struct gk_node *node;

	if (!request)
		return;
	if (request->kind == GK_REQUEST_NOTICE) {
		gk_notice_defer(kdc, request, now);
		return;
	}
	client = gk_client_find(kdc, gk_id_span(&request->client));
	node = node_of(request, client);
	if (client && request->kind != GK_REQUEST_UPDATE) // which nobody takes for a question
		client->asked_until_ms[request->multicast] = now.mono.ms;
	if (is_left_to_twin(kdc, request))
		node = NULL;
	if (node && has_silent_session(client)) {
		go_unanswered(node, request, now);
		node = NULL;
	}
	if (node && request->kind == GK_REQUEST_REKEY)
		gk_delivery_unsent(node, id, now);
	if (node && request->kind == GK_REQUEST_PROBE)
		gk_presence_unsent(node, now);
	if (node && request->kind == GK_REQUEST_UPDATE)
		gk_observe_unsent(node, request, now);
	gk_exchange_free(kdc, request);
}

/* receiving under an association */

/* Errors of OSCORE itself go unprotected (RFC 8613 section 8.2), with Max-Age 0; one that is ours
 * says when to come again. */
static void reply_plain(struct gk_kdc *kdc, const struct gk_exchange *exchange, uint8_t code)
{
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	gk_coap_put_uint(&w, GK_OPT_MAX_AGE,
			 code == GK_COAP_UNAVAILABLE ? GK_STORAGE_MAX_AGE_S : 0);
	gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&buf));
}

/* An answer is kept before it goes out, so that losing it costs the client one retransmission. */
static void reply_protected(struct gk_kdc *kdc, struct gk_client *client,
			    const struct gk_exchange *exchange, struct gk_span request,
			    struct gk_oscore_ref *ref, struct gk_span answer, bool own_piv,
			    struct gk_now now)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if ((own_piv && !reserve_sequence(kdc, &client->assoc.ctx)) ||
	    gk_oscore_protect_response(&client->assoc.ctx, ref, answer, own_piv, &buf) ||
	    gk_kept_set(&kdc->env, &client->assoc.kept, exchange, request, gk_buf_span(&buf),
			now)) {
		reply_plain(kdc, exchange, GK_COAP_UNAVAILABLE);
		return;
	}
	gk_timer_set(&kdc->timers, &client->forget, client->assoc.kept.until_ms);
	gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&buf));
}

/*
 * After a restart the replay window is not known: the first request is answered with an Echo
 * challenge, not carried out (RFC 8613 B.1.2).
 *
 * @return true once the client has shown that it is there now
 */
static bool is_synchronised(struct gk_association *assoc, const struct gk_coap *inner, uint64_t piv)
{
	struct gk_span echo;

	if (assoc->synchronised)
		return true;
	if (!assoc->echo_sent || !gk_coap_find(inner, GK_OPT_ECHO, &echo) ||
	    echo.len != sizeof(assoc->echo) || !gk_equal(echo.data, assoc->echo, echo.len))
		return false;
	assoc->synchronised = true;
	/* whatever came before this request may have been accepted in an earlier life */
	assoc->ctx.window = (struct gk_window){ .next = piv, .bitmap = UINT64_MAX };
	return true;
}

static bool put_challenge(struct gk_kdc *kdc, struct gk_association *assoc, struct gk_buf *answer)
{
	struct gk_coap_writer w;

	if (!assoc->echo_sent && gk_random(&kdc->env, assoc->echo, sizeof(assoc->echo)))
		return false;
	assoc->echo_sent = true;
	w = gk_coap_begin(answer, GK_COAP_UNAUTHORIZED);
	gk_coap_put(&w, GK_OPT_ECHO, gk_span(assoc->echo, sizeof(assoc->echo)));
	return true;
}

/*
 * Each challenge takes a Partial IV, and whoever has recorded one request can send it again and
 * again. What is newer than all that were challenged before is no such copy: the client itself is
 * answered, however many copies come.
 */
static bool may_challenge(struct gk_association *assoc, uint64_t piv, struct gk_now now)
{
	bool is_newest = !assoc->echo_sent || piv > assoc->challenged_piv;
	bool is_rare =
		gk_account_take(&assoc->challenge_ms, CHALLENGE_COST_MS, CHALLENGE_BURST_MS, now);

	if (is_newest)
		assoc->challenged_piv = piv;
	return is_newest || is_rare;
}

static void challenge(struct gk_kdc *kdc, struct gk_client *client,
		      const struct gk_exchange *exchange, struct gk_span request,
		      struct gk_oscore_ref *ref, struct gk_now now)
{
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (!may_challenge(&client->assoc, gk_span_uint(gk_id_span(&ref->piv)), now))
		return; /* silence, which costs nothing */
	if (put_challenge(kdc, &client->assoc, &buf))
		reply_protected(kdc, client, exchange, request, ref, gk_buf_span(&buf), true, now);
	else
		reply_plain(kdc, exchange, GK_COAP_UNAVAILABLE);
}

static int64_t outer_observe(struct gk_span request)
{
	struct gk_coap outer;

	return gk_coap_parse(request, &outer) ? -1 : gk_coap_find_uint(&outer, GK_OPT_OBSERVE, -1);
}

static void serve(struct gk_kdc *kdc, struct gk_client *client, const struct gk_exchange *exchange,
		  struct gk_span request, const struct gk_coap *inner, struct gk_oscore_ref *ref,
		  struct gk_now now)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_call call = {
		.kdc = kdc,
		.exchange = exchange,
		.client = client,
		.msg = *inner,
		.ref = ref,
		.outer_observe = outer_observe(request),
		.now = now,
		.reply = gk_buf(bytes, sizeof(bytes)),
	};

	gk_address_heard(kdc, client, &exchange->peer, now);
	gk_client_seen(client, GK_FACT_REQUEST, now);
	gk_resource_serve(&call);
	reply_protected(kdc, client, exchange, request, ref, gk_buf_span(&call.reply), false, now);
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
		gk_delivery_wake(node, now);
	gk_blob_wipe(&kdc->env, &call.large);
	gk_wipe(bytes, sizeof(bytes));
}

static uint8_t code_of(enum gk_err err)
{
	if (err == GK_ERR_NO_MEMORY)
		return GK_COAP_UNAVAILABLE;
	if (err == GK_ERR_UNKNOWN || err == GK_ERR_REPLAY)
		return GK_COAP_UNAUTHORIZED;
	return err == GK_ERR_CRYPTO ? GK_COAP_BAD_REQUEST : GK_COAP_BAD_OPTION;
}

/* A verified request. */
static void accept(struct gk_kdc *kdc, struct gk_client *client, const struct gk_exchange *exchange,
		   struct gk_span request, struct gk_span plain, struct gk_oscore_ref *ref,
		   struct gk_now now)
{
	uint64_t piv = gk_span_uint(gk_id_span(&ref->piv));
	struct gk_coap inner;
	uint8_t refusal;

	if (gk_coap_parse(plain, &inner)) {
		reply_plain(kdc, exchange, GK_COAP_BAD_REQUEST);
		return;
	}
	if (client->candidate && (refusal = gk_client_refusal(kdc, client)) != 0) {
		reply_plain(kdc, exchange, refusal);
		return;
	}
	if (client->candidate)
		client = gk_client_confirm(kdc, client, now);
	if (!client) {
		reply_plain(kdc, exchange, GK_COAP_UNAVAILABLE);
		return;
	}
	if (!is_synchronised(&client->assoc, &inner, piv)) {
		challenge(kdc, client, exchange, request, ref, now);
		return;
	}
	gk_window_accept(&client->assoc.ctx.window, piv);
	serve(kdc, client, exchange, request, &inner, ref, now);
}

static void unprotect(struct gk_kdc *kdc, struct gk_client *client,
		      const struct gk_exchange *exchange, struct gk_span message, struct gk_now now)
{
	uint8_t *plain = gk_alloc(&kdc->env, message.len + 1);
	struct gk_buf buf = gk_buf(plain, message.len + 1);
	struct gk_oscore_ref ref;
	bool fresh = false;
	enum gk_err err = GK_ERR_NO_MEMORY;

	if (plain)
		err = gk_oscore_unprotect_request(&client->assoc.ctx, message, &buf, &ref, &fresh);
	if (!err && !fresh)
		err = GK_ERR_REPLAY;
	if (err)
		reply_plain(kdc, exchange, code_of(err));
	else
		accept(kdc, client, exchange, message, gk_buf_span(&buf), &ref, now);
	gk_free(&kdc->env, plain, message.len + 1);
}

/* A proxy may have cut the protected message into blocks (RFC 8613 section 4.1.3.4.2). We do not
 * put it together: anyone could make us keep such blocks, and ours fit into one IPv6 packet of the
 * smallest MTU. So Block options outside are critical ones that we do not know. */
static bool is_fragment(struct gk_span message)
{
	struct gk_coap msg;
	struct gk_span value;

	return !gk_coap_parse(message, &msg) && (gk_coap_find(&msg, GK_OPT_BLOCK1, &value) ||
						 gk_coap_find(&msg, GK_OPT_BLOCK2, &value));
}

enum gk_err gk_client_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			      struct gk_span message, struct gk_now now)
{
	struct gk_oscore_option option;
	struct gk_client *client;

	if (is_fragment(message) || gk_oscore_peek(message, &option, NULL) || option.group ||
	    !option.has_kid) {
		reply_plain(kdc, exchange, GK_COAP_BAD_OPTION);
		return GK_OK;
	}
	client = gk_client_find_by_kid(kdc, option.kid);
	if (!client || client->exp.s <= now.utc.s)
		reply_plain(kdc, exchange, GK_COAP_UNAUTHORIZED);
	else if (gk_kept_matches(&client->assoc.kept, exchange, message, now))
		gk_queue_reply(&kdc->queue, exchange, gk_blob_span(&client->assoc.kept.answer));
	else
		unprotect(kdc, client, exchange, message, now);
	return gk_queue_err(&kdc->queue);
}
