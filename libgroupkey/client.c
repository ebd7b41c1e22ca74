// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kdc.h"

#include <string.h>

#define REPLY_ROOM      2048 /* an answer beside its credentials */
#define EXPIRY_CHECK_S  600
#define BODY_IDLE_MS    30000  /* longer than a member waits for one block */
#define CHURN_COST_MS   15000  /* what a join or renewal costs ... */
#define CHURN_BURST_MS  480000 /* ... of this: 32 at once, then four a minute */
#define NOTICE_MS       15000  /* for the answer to an eviction notice */
#define NOTICE_PAUSE_MS 1000   /* until one that could not be sent is tried again ... */
#define NOTICE_LIFE_MS  60000  /* ... and for how long */
#define KID_LEN         3
#define KID_TRIES       16

/* ---- finding ---- */

struct gk_client *gk_client_find(const struct gk_kdc *kdc, struct gk_span id)
{
	struct gk_link *link = gk_hash_find(&kdc->clients_by_id, id);

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

		if (gk_span_equal(gk_id_span(&client->id), id))
			return client;
	}
	return NULL;
}

static struct gk_client *find_by_kid(const struct gk_kdc *kdc, struct gk_span kid)
{
	struct gk_link *link = gk_hash_find(&kdc->associations_by_kid, kid);

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, assoc.by_kid);

		if (gk_span_equal(gk_id_span(&client->assoc.ctx.recipient_id), kid))
			return client;
	}
	return NULL;
}

/* O 4.2: unique among our Recipient IDs, and unlike the one that the client chose. */
enum gk_err gk_client_choose_kid(struct gk_kdc *kdc, struct gk_span other, struct gk_id *kid)
{
	for (int i = 0; i < KID_TRIES; i++) {
		struct gk_id id = { .len = KID_LEN };
		enum gk_err err = gk_random(&kdc->env, id.data, KID_LEN);

		if (err)
			return err;
		if (find_by_kid(kdc, gk_id_span(&id)) || gk_span_equal(gk_id_span(&id), other))
			continue;
		*kid = id;
		return GK_OK;
	}
	return GK_ERR_NO_SPACE;
}

/* ---- life ---- */

enum gk_err gk_client_new(struct gk_kdc *kdc, struct gk_client **out)
{
	enum gk_err err = gk_hash_reserve(&kdc->clients_by_id);
	struct gk_client *client;

	if (!err)
		err = gk_hash_reserve(&kdc->associations_by_kid);
	if (!err)
		err = gk_kdc_reserve_timers(kdc, 2);
	if (err)
		return err;
	client = gk_alloc(&kdc->env, sizeof(*client));
	if (!client) {
		gk_kdc_release_timers(kdc, 2);
		return GK_ERR_NO_MEMORY;
	}
	gk_timer_init(&client->expiry, GK_TIMER_CLIENT_EXPIRY, client);
	gk_timer_init(&client->forget, GK_TIMER_CLIENT_FORGET, client);
	*out = client;
	return GK_OK;
}

static void end_association(struct gk_kdc *kdc, struct gk_association *assoc)
{
	if (assoc->ctx.aead)
		gk_hash_remove(&kdc->associations_by_kid, &assoc->by_kid);
	gk_oscore_wipe(&assoc->ctx);
	gk_kept_wipe(&kdc->env, &assoc->kept);
}

void gk_client_free(struct gk_kdc *kdc, struct gk_client *client)
{
	end_association(kdc, &client->assoc);
	if (!client->candidate && gk_client_find(kdc, gk_id_span(&client->id)) == client)
		gk_hash_remove(&kdc->clients_by_id, &client->by_id);
	gk_timer_clear(&kdc->timers, &client->expiry);
	gk_timer_clear(&kdc->timers, &client->forget);
	gk_kdc_release_timers(kdc, 2);
	gk_blob_wipe(&kdc->env, &client->scope);
	gk_client_drop_body(kdc, client);
	gk_free(&kdc->env, client, sizeof(*client));
}

enum gk_err gk_client_link(struct gk_kdc *kdc, struct gk_client *client)
{
	enum gk_err err = gk_hash_reserve(&kdc->associations_by_kid);

	if (err)
		return err;
	gk_hash_add(&kdc->associations_by_kid, &client->assoc.by_kid,
		    gk_id_span(&client->assoc.ctx.recipient_id));
	return GK_OK;
}

/* ---- candidates ---- */

static void remove_candidate(struct gk_kdc *kdc, struct gk_client *candidate)
{
	struct gk_client **at = &kdc->candidates;

	while (*at != candidate)
		at = &(*at)->next_candidate;
	*at = candidate->next_candidate;
	kdc->candidate_count--;
}

static void drop_candidate(struct gk_kdc *kdc, struct gk_client *candidate)
{
	remove_candidate(kdc, candidate);
	gk_client_free(kdc, candidate);
}

/* Per address, so that who replays a client's post from elsewhere does not push out the client's
 * own. */
static void bound_candidates_like(struct gk_kdc *kdc, const struct gk_client *newest)
{
	struct gk_client *oldest = NULL;
	size_t count = 0;

	for (struct gk_client *c = kdc->candidates; c; c = c->next_candidate) {
		if (!gk_id_equal(&c->id, &newest->id) ||
		    memcmp(c->posted_from, newest->posted_from, sizeof(c->posted_from)) != 0)
			continue;
		oldest = oldest ? oldest : c;
		count++;
	}
	if (count > GK_CANDIDATES_PER_ID)
		drop_candidate(kdc, oldest);
}

static void arm_candidate_timer(struct gk_kdc *kdc)
{
	gk_timer_clear(&kdc->timers, &kdc->candidate_timer);
	if (kdc->candidates)
		gk_timer_set(&kdc->timers, &kdc->candidate_timer,
			     kdc->candidates->posted_ms + GK_CANDIDATE_MS);
}

void gk_client_add_candidate(struct gk_kdc *kdc, struct gk_client *client,
			     const struct gk_addr *from, struct gk_now now)
{
	struct gk_client **at = &kdc->candidates;

	client->candidate = true;
	client->posted_ms = now.mono.ms;
	memcpy(client->posted_from, from->ip, sizeof(client->posted_from));
	while (*at)
		at = &(*at)->next_candidate;
	*at = client;
	client->next_candidate = NULL;
	kdc->candidate_count++;
	bound_candidates_like(kdc, client);
	if (kdc->candidate_count > GK_CANDIDATES_MAX)
		drop_candidate(kdc, kdc->candidates);
	arm_candidate_timer(kdc);
}

void gk_client_forget(struct gk_kdc *kdc, struct gk_client *client)
{
	gk_kept_wipe(&kdc->env, &client->assoc.kept);
	gk_client_drop_body(kdc, client);
}

void gk_client_drop_candidates(struct gk_kdc *kdc, struct gk_now now)
{
	while (kdc->candidates && kdc->candidates->posted_ms + GK_CANDIDATE_MS <= now.mono.ms)
		drop_candidate(kdc, kdc->candidates);
	arm_candidate_timer(kdc);
}

/* ---- a candidate proves that it has the key ---- */

/* Looked at again before long, since the calendar may be corrected meanwhile. */
static int64_t expiry_ms(const struct gk_client *client, struct gk_now now)
{
	int64_t left_s = client->exp.s - now.utc.s;

	if (left_s < 0)
		left_s = 0;
	return now.mono.ms + 1000 * (left_s < EXPIRY_CHECK_S ? left_s : EXPIRY_CHECK_S);
}

void gk_client_arm_expiry(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	gk_timer_set(&kdc->timers, &client->expiry, expiry_ms(client, now));
}

static void adopt(struct gk_kdc *kdc, struct gk_client *client, struct gk_client *candidate)
{
	struct gk_blob scope = client->scope;

	end_association(kdc, &client->assoc);
	gk_hash_remove(&kdc->associations_by_kid, &candidate->assoc.by_kid);
	client->assoc = candidate->assoc;
	candidate->assoc = (struct gk_association){ 0 };
	gk_hash_add(&kdc->associations_by_kid, &client->assoc.by_kid,
		    gk_id_span(&client->assoc.ctx.recipient_id));
	client->generation++;
	client->scope = candidate->scope;
	candidate->scope = scope;
	client->exp = candidate->exp;
	client->name_len = candidate->name_len;
	memcpy(client->name, candidate->name, sizeof(client->name));
	gk_client_drop_body(kdc, client);
}

/* Membership belongs to the token's holder: a new association is no leave (design D6). */
struct gk_client *gk_client_confirm(struct gk_kdc *kdc, struct gk_client *candidate,
				    struct gk_now now)
{
	struct gk_client *client = gk_client_find(kdc, gk_id_span(&candidate->id));

	if (!client && gk_hash_reserve(&kdc->clients_by_id))
		return NULL;
	remove_candidate(kdc, candidate);
	arm_candidate_timer(kdc);
	if (client) {
		adopt(kdc, client, candidate);
		gk_client_free(kdc, candidate);
	} else {
		client = candidate;
		client->candidate = false;
		gk_hash_add(&kdc->clients_by_id, &client->by_id, gk_id_span(&client->id));
	}
	gk_client_arm_expiry(kdc, client, now);
	gk_record_client(kdc, client);
	gk_queue_note(&kdc->queue,
		      &(struct gk_note){ .kind = GK_NOTE_TOKEN,
					 .name = gk_span(client->name, client->name_len),
					 .num = -1 });
	gk_client_recheck(kdc, client, now);
	return client;
}

/* R 5, case 3: a membership whose roles the token no longer grants has lost its authorisation. */
void gk_client_recheck(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	struct gk_node *node = client->nodes;

	(void)kdc;
	while (node) {
		struct gk_node *next = node->next_of_client;
		uint32_t granted =
			gk_scope_roles(gk_blob_span(&client->scope), gk_group_name(node->group));

		if (node->roles & ~granted)
			gk_group_remove(node, GK_NOTE_EVICTED, "roles no longer granted", now);
		node = next;
	}
}

/* The eviction notices go out under the association before it ends (R 5, O 4.3). */
void gk_client_expire(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	if (client->exp.s > now.utc.s) {
		gk_client_arm_expiry(kdc, client, now);
		return;
	}
	while (client->nodes)
		gk_group_remove(client->nodes, GK_NOTE_EVICTED, "token expired", now);
	gk_record_client_gone(kdc, client);
	gk_client_free(kdc, client);
}

bool gk_client_may_churn(struct gk_client *client, struct gk_now now)
{
	int64_t account = client->churn_ms > now.mono.ms ? client->churn_ms : now.mono.ms;

	if (account - now.mono.ms > CHURN_BURST_MS - CHURN_COST_MS)
		return false;
	client->churn_ms = account + CHURN_COST_MS;
	return true;
}

/* ---- answers in blocks ---- */

void gk_client_drop_body(struct gk_kdc *kdc, struct gk_client *client)
{
	kdc->body_bytes -= client->body.len;
	gk_blob_wipe(&kdc->env, &client->body);
}

/* Who lost an answer half-way does not ask for the rest: what it kept must not block others. */
static void drop_idle_bodies(struct gk_kdc *kdc, struct gk_now now)
{
	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		struct gk_link *link = kdc->clients_by_id.buckets[i];

		for (; link; link = link->next) {
			struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

			if (now.mono.ms - client->body_ms > BODY_IDLE_MS)
				gk_client_drop_body(kdc, client);
		}
	}
}

static bool body_fits(const struct gk_kdc *kdc, size_t len)
{
	return !kdc->body_bytes || kdc->body_bytes + len <= GK_BODY_BYTES_MAX;
}

enum gk_err gk_client_set_body(struct gk_kdc *kdc, struct gk_client *client, struct gk_span body,
			       struct gk_now now)
{
	enum gk_err err;

	gk_client_drop_body(kdc, client);
	if (!body_fits(kdc, body.len))
		drop_idle_bodies(kdc, now);
	if (!body_fits(kdc, body.len))
		return GK_ERR_NO_SPACE;
	client->body_ms = now.mono.ms;
	err = gk_blob_set(&kdc->env, &client->body, body);
	kdc->body_bytes += client->body.len;
	return err;
}

/* ---- sending under an association ---- */

/* Sequence numbers are stored ahead of their use (RFC 8613 B.1.1). */
static void reserve_sequence(struct gk_kdc *kdc, struct gk_client *client)
{
	struct gk_oscore *ctx = &client->assoc.ctx;

	if (ctx->seq < ctx->seq_limit || ctx->seq_limit > GK_OSCORE_PIV_MAX)
		return;
	ctx->seq_limit += GK_SEQ_BLOCK;
	if (!client->candidate)
		gk_record_client(kdc, client);
}

static void emit(struct gk_kdc *kdc, struct gk_request *request, struct gk_span bytes,
		 uint32_t timeout_ms)
{
	gk_hash_add(&kdc->requests, &request->by_id, gk_span(&request->id, sizeof(request->id)));
	kdc->request_count++;
	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_REQUEST,
						      .id = request->id,
						      .peer = request->peer,
						      .timeout_ms = timeout_ms,
						      .bytes = bytes });
}

/* Probes of many silent nodes leave room for rekeying messages. */
static bool has_room(const struct gk_kdc *kdc, enum gk_request_kind kind)
{
	return kdc->request_count <
	       (kind == GK_REQUEST_PROBE ? GK_REQUESTS_MAX / 2 : GK_REQUESTS_MAX);
}

static struct gk_request *protect(struct gk_kdc *kdc, struct gk_node *node,
				  enum gk_request_kind kind, struct gk_span message,
				  struct gk_buf *buf)
{
	struct gk_client *client = node->client;
	struct gk_request *request = NULL;

	if (client->assoc.ctx.aead && !gk_hash_reserve(&kdc->requests))
		request = gk_alloc(&kdc->env, sizeof(*request));
	if (!request)
		return NULL;
	reserve_sequence(kdc, client);
	if (gk_oscore_protect_request(&client->assoc.ctx, message, buf, &request->ref)) {
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
	return request;
}

uint64_t gk_client_request(struct gk_kdc *kdc, struct gk_node *node, enum gk_request_kind kind,
			   struct gk_span message, uint32_t timeout_ms)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_request *request =
		has_room(kdc, kind) ? protect(kdc, node, kind, message, &buf) : NULL;

	if (!request)
		return 0;
	emit(kdc, request, gk_buf_span(&buf), timeout_ms);
	return request->id;
}

/* Eviction notices: protected while the association is there, and sent when there is room */

static void free_request(struct gk_kdc *kdc, struct gk_request *request)
{
	gk_blob_wipe(&kdc->env, &request->notice);
	gk_free(&kdc->env, request, sizeof(*request));
}

static void defer(struct gk_kdc *kdc, struct gk_request *request, struct gk_now now)
{
	request->next_unsent = kdc->unsent;
	kdc->unsent = request;
	gk_timer_set(&kdc->timers, &kdc->notice_timer, now.mono.ms + NOTICE_PAUSE_MS);
}

void gk_client_notify(struct gk_kdc *kdc, struct gk_node *node, struct gk_span message,
		      struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_request *request = protect(kdc, node, GK_REQUEST_NOTICE, message, &buf);

	if (!request)
		return;
	request->until_ms = now.mono.ms + NOTICE_LIFE_MS;
	if (gk_blob_set(&kdc->env, &request->notice, gk_buf_span(&buf)))
		free_request(kdc, request);
	else if (has_room(kdc, GK_REQUEST_NOTICE))
		emit(kdc, request, gk_buf_span(&buf), NOTICE_MS);
	else
		defer(kdc, request, now);
}

void gk_client_send_notices(struct gk_kdc *kdc, struct gk_now now)
{
	while (kdc->unsent && has_room(kdc, GK_REQUEST_NOTICE) &&
	       gk_hash_reserve(&kdc->requests) == GK_OK) {
		struct gk_request *request = kdc->unsent;

		kdc->unsent = request->next_unsent;
		if (now.mono.ms < request->until_ms)
			emit(kdc, request, gk_blob_span(&request->notice), NOTICE_MS);
		else
			free_request(kdc, request);
	}
	if (kdc->unsent)
		gk_timer_set(&kdc->timers, &kdc->notice_timer, now.mono.ms + NOTICE_PAUSE_MS);
}

void gk_client_drop_notices(struct gk_kdc *kdc)
{
	while (kdc->unsent) {
		struct gk_request *request = kdc->unsent;

		kdc->unsent = request->next_unsent;
		free_request(kdc, request);
	}
}

static struct gk_request *take_request(struct gk_kdc *kdc, uint64_t id)
{
	struct gk_link *link = gk_hash_find(&kdc->requests, gk_span(&id, sizeof(id)));

	for (; link; link = gk_hash_next(link)) {
		struct gk_request *request = GK_OWNER(link, struct gk_request, by_id);

		if (request->id != id)
			continue;
		gk_hash_remove(&kdc->requests, link);
		kdc->request_count--;
		return request;
	}
	return NULL;
}

static struct gk_node *node_of(const struct gk_request *request, const struct gk_client *client)
{
	struct gk_node *node = client ? gk_group_node_of(request->group, client) : NULL;

	return node && node->number == request->node ? node : NULL;
}

/* @return the code of a verified answer, or 0 */
static uint8_t verify_answer(const struct gk_request *request, const struct gk_client *client,
			     struct gk_span message)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap inner;

	if (!client || client->generation != request->generation || message.len > sizeof(bytes) ||
	    gk_oscore_unprotect_response(&client->assoc.ctx, &request->ref, message, &buf, NULL) ||
	    gk_coap_parse(gk_buf_span(&buf), &inner))
		return 0;
	return inner.code;
}

static void seen(struct gk_client *client, struct gk_now now)
{
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
		gk_presence_seen(node, now);
}

void gk_client_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message, struct gk_now now)
{
	struct gk_request *request = take_request(kdc, id);
	struct gk_client *client;
	struct gk_node *node;
	uint8_t code;

	if (!request)
		return;
	client = gk_client_find(kdc, gk_id_span(&request->client));
	node = node_of(request, client);
	code = verify_answer(request, client, message);
	if (code)
		seen(client, now);
	if (node && request->kind == GK_REQUEST_REKEY)
		gk_delivery_answered(node, id, request->num, code >> 5 == 2, now);
	else if (node && code)
		gk_delivery_wake(node, now);
	if (node && request->kind == GK_REQUEST_REKEY && !code)
		gk_presence_unanswered(node, node->delivery == GK_NODE_PARKED, now);
	free_request(kdc, request);
}

void gk_client_unsent(struct gk_kdc *kdc, uint64_t id, struct gk_now now)
{
	struct gk_request *request = take_request(kdc, id);
	struct gk_node *node;

	if (!request)
		return;
	if (request->kind == GK_REQUEST_NOTICE) {
		defer(kdc, request, now);
		return;
	}
	node = node_of(request, gk_client_find(kdc, gk_id_span(&request->client)));
	if (node && request->kind == GK_REQUEST_REKEY)
		gk_delivery_unsent(node, id, now);
	if (node && request->kind == GK_REQUEST_PROBE)
		gk_presence_unsent(node, now);
	free_request(kdc, request);
}

/* ---- receiving under an association ---- */

/* Errors of OSCORE itself go unprotected (RFC 8613 section 8.2), with Max-Age 0. */
static void reply_plain(struct gk_kdc *kdc, const struct gk_exchange *exchange, uint8_t code)
{
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, 0);
	gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&buf));
}

/* An answer is kept before it goes out, so that losing it costs the client one retransmission. */
static void reply_protected(struct gk_kdc *kdc, struct gk_client *client,
			    const struct gk_exchange *exchange, struct gk_span request,
			    struct gk_oscore_ref *ref, struct gk_span answer, bool own_piv,
			    struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (own_piv)
		reserve_sequence(kdc, client);
	if (gk_oscore_protect_response(&client->assoc.ctx, ref, answer, own_piv, &buf) ||
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

static void challenge(struct gk_kdc *kdc, struct gk_client *client,
		      const struct gk_exchange *exchange, struct gk_span request,
		      struct gk_oscore_ref *ref, struct gk_now now)
{
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (put_challenge(kdc, &client->assoc, &buf))
		reply_protected(kdc, client, exchange, request, ref, gk_buf_span(&buf), true, now);
	else
		reply_plain(kdc, exchange, GK_COAP_UNAVAILABLE);
}

static void serve(struct gk_kdc *kdc, struct gk_client *client, const struct gk_exchange *exchange,
		  struct gk_span request, const struct gk_coap *inner, struct gk_oscore_ref *ref,
		  struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_call call = {
		.kdc = kdc,
		.exchange = exchange,
		.client = client,
		.msg = *inner,
		.now = now,
		.reply = gk_buf(bytes, sizeof(bytes)),
	};

	seen(client, now);
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

	if (gk_coap_parse(plain, &inner)) {
		reply_plain(kdc, exchange, GK_COAP_BAD_REQUEST);
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

enum gk_err gk_client_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			      struct gk_span message, struct gk_now now)
{
	struct gk_oscore_option option;
	struct gk_client *client;

	if (gk_oscore_peek(message, &option, NULL) || option.group || !option.has_kid) {
		reply_plain(kdc, exchange, GK_COAP_BAD_OPTION);
		return GK_OK;
	}
	client = find_by_kid(kdc, option.kid);
	if (!client || client->exp.s <= now.utc.s)
		reply_plain(kdc, exchange, GK_COAP_UNAUTHORIZED);
	else if (gk_kept_matches(&client->assoc.kept, exchange, message, now))
		gk_queue_reply(&kdc->queue, exchange, gk_blob_span(&client->assoc.kept.answer));
	else
		unprotect(kdc, client, exchange, message, now);
	return gk_queue_err(&kdc->queue);
}
