// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Requests of the KDC, on ace-group/GROUP/node, or below another root.
 */
#include "member.h"

#include <string.h>

#define MESSAGE_ROOM         2048
#define REPLY_ROOM           256
#define CONTROL_SEGMENTS_MAX (GK_ROOT_SEGMENTS_MAX + 2)

static bool is_segment(const struct gk_membership *ms, struct gk_span segment)
{
	uint8_t bytes[8];
	struct gk_buf own = gk_buf(bytes, sizeof(bytes));

	gk_membership_put_segment(ms, &own);
	return gk_span_equal(gk_buf_span(&own), segment);
}

static struct gk_membership *find_control(const struct gk_member *m, const struct gk_coap *msg)
{
	struct gk_membership *ms;
	struct gk_span path[CONTROL_SEGMENTS_MAX];
	size_t count = gk_coap_path(msg, path, CONTROL_SEGMENTS_MAX), root;

	if (count > CONTROL_SEGMENTS_MAX)
		return NULL;
	root = gk_root_match(&m->roots.groups, path, count);
	if (!root || count != root + 2)
		return NULL;
	ms = gk_member_find(m, path[root]);
	return ms && is_segment(ms, path[root + 1]) ? ms : NULL;
}

static uint8_t post_control(struct gk_membership *ms, const struct gk_coap *msg, struct gk_now now,
			    struct gk_buf *payload)
{
	(void)payload;
	if (gk_coap_find_uint(msg, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM) !=
	    GK_CF_ACE_GROUPCOMM)
		return GK_COAP_BAD_FORMAT;
	return gk_membership_rekeyed(ms, msg->payload, GK_VIA_UNICAST, now);
}

static bool is_leaving(const struct gk_membership *ms)
{
	const struct gk_exchange_out *out = &ms->member->out;

	return ms->wants & 1u << GK_TASK_LEAVE ||
	       (out->busy && out->ms == ms && out->task == GK_TASK_LEAVE);
}

/* A node that was given up while it was out of reach comes back by itself, after a pause; but not
 * one that was about to leave. */
void gk_membership_put_out(struct gk_membership *ms, const char *reason, struct gk_now now)
{
	const struct gk_member *m = ms->member;
	bool leaving = is_leaving(ms);

	if (!ms->in)
		return;
	gk_membership_lost(ms, reason);
	if (m->rejoin_delay_ms && !leaving)
		ms->due_ms[GK_DUE_REJOIN] =
			now.mono.ms + m->rejoin_delay_ms + gk_member_jitter(m, m->rejoin_delay_ms);
}

/* "You have been evicted" (R 5). */
static uint8_t delete_control(struct gk_membership *ms, const struct gk_coap *msg,
			      struct gk_now now, struct gk_buf *payload)
{
	(void)msg;
	(void)payload;
	gk_membership_put_out(ms, "notice of the KDC", now);
	return GK_COAP_DELETED;
}

/* A probe: being able to answer is the answer. In the tree it also tells which version arrived. */
static uint8_t get_control(struct gk_membership *ms, const struct gk_coap *msg, struct gk_now now,
			   struct gk_buf *payload)
{
	(void)msg;
	(void)now;
	if (gk_membership_shows_num(ms)) {
		gk_put_map(payload, 1);
		gk_put_int(payload, GK_PARAM_NUM);
		gk_put_int(payload, ms->num);
	}
	return GK_COAP_CONTENT;
}

static uint8_t serve(const struct gk_member *m, const struct gk_coap *msg, struct gk_now now,
		     struct gk_buf *payload)
{
	static const struct {
		uint8_t method;
		uint8_t (*serve)(struct gk_membership *, const struct gk_coap *, struct gk_now,
				 struct gk_buf *payload);
	} rows[] = {
		{ GK_COAP_GET, get_control },
		{ GK_COAP_POST, post_control },
		{ GK_COAP_DELETE, delete_control },
	};
	struct gk_membership *ms = find_control(m, msg);

	if (!ms)
		return GK_COAP_NOT_FOUND;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].method == msg->code)
			return rows[i].serve(ms, msg, now, payload);
	}
	return GK_COAP_NOT_ALLOWED;
}

static void put_reply(const struct gk_member *m, const struct gk_coap *request,
		      struct gk_buf *plain, struct gk_now now)
{
	uint8_t bytes[16];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	uint8_t code = serve(m, request, now, &payload);
	struct gk_coap_writer w = gk_coap_begin(plain, code);

	if (payload.len)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
}

static void reply_protected(struct gk_member *m, const struct gk_exchange *exchange,
			    struct gk_span request, const struct gk_coap *msg,
			    struct gk_oscore_ref *ref, struct gk_now now)
{
	uint8_t plain_bytes[32], bytes[REPLY_ROOM];
	struct gk_buf plain = gk_buf(plain_bytes, sizeof(plain_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_reply(m, msg, &plain, now);
	if (gk_oscore_protect_response(&m->assoc, ref, gk_buf_span(&plain), false, &buf) ||
	    gk_kept_set(&m->env, &m->kept, exchange, request, gk_buf_span(&buf), now))
		return;
	gk_queue_reply(&m->queue, exchange, gk_buf_span(&buf));
}

/* To the KDC and nobody else, whoever seemed to have sent it: what anyone can send again may not
 * make us answer a third. */
static struct gk_addr asker(const struct gk_member *m, const struct gk_exchange *exchange,
			    const struct gk_coap *msg)
{
	const struct gk_membership *ms = find_control(m, msg);
	struct gk_addr peer = m->kdc;

	peer.port = ms && gk_membership_in_tree(ms) ? ms->tree.group.port : exchange->peer.port;
	return peer;
}

static void reply_to_probe(struct gk_member *m, const struct gk_exchange *exchange,
			   const struct gk_coap *msg, struct gk_oscore_ref *ref, struct gk_now now)
{
	uint8_t plain_bytes[32], bytes[REPLY_ROOM];
	struct gk_buf plain = gk_buf(plain_bytes, sizeof(plain_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_event event = {
		.kind = GK_EVENT_CONFIRM,
		.id = exchange->id,
		.peer = asker(m, exchange, msg),
		.token_len = exchange->token_len,
	};

	put_reply(m, msg, &plain, now);
	if (gk_oscore_protect_response(&m->assoc, ref, gk_buf_span(&plain), false, &buf))
		return;
	memcpy(event.token, exchange->token, sizeof(event.token));
	event.bytes = gk_buf_span(&buf);
	gk_queue_add(&m->queue, &event);
}

/* By multicast the KDC only asks whether we are there (docs/rekeying.md section 9.4). Anything else
 * is left alone, its number too: the KDC sends it by unicast, and may have done so before. */
static void receive_by_multicast(struct gk_member *m, const struct gk_exchange *exchange,
				 const struct gk_coap *msg, struct gk_oscore_ref *ref,
				 struct gk_now now)
{
	if (msg->code != GK_COAP_GET)
		return;
	gk_window_accept(&m->assoc.window, gk_span_uint(gk_id_span(&ref->piv)));
	reply_to_probe(m, exchange, msg, ref, now);
}

static void receive_by_unicast(struct gk_member *m, const struct gk_exchange *exchange,
			       struct gk_span request, const struct gk_coap *msg,
			       struct gk_oscore_ref *ref, struct gk_now now)
{
	gk_window_accept(&m->assoc.window, gk_span_uint(gk_id_span(&ref->piv)));
	reply_protected(m, exchange, request, msg, ref, now);
}

/* Only what is new and verified counts; everything else is met with silence, so that a flood
 * costs us no answers. Most of what comes by multicast is for others, which its kid tells. */
void gk_control_receive(struct gk_member *m, const struct gk_exchange *exchange,
			struct gk_span message, struct gk_now now)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	struct gk_coap msg;
	bool fresh;

	if (!exchange->multicast && gk_kept_matches(&m->kept, exchange, message, now)) {
		gk_queue_reply(&m->queue, exchange, gk_blob_span(&m->kept.answer));
		return;
	}
	if (m->observe || !m->assoc.aead ||
	    gk_oscore_unprotect_request(&m->assoc, message, &plain, &ref, &fresh) || !fresh ||
	    gk_coap_parse(gk_buf_span(&plain), &msg))
		return;
	if (exchange->multicast)
		receive_by_multicast(m, exchange, &msg, &ref, now);
	else
		receive_by_unicast(m, exchange, message, &msg, &ref, now);
	gk_wipe(bytes, sizeof(bytes));
}
