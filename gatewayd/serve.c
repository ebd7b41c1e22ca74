// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/daemon.h"
#include "gatewayd/listen.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define TRY_AGAIN_S 5 /* Max-Age of 5.03 (RFC 7252 section 5.9.3.4) */

void gw_serve_check(enum gk_err err)
{
	if (err == GK_ERR_NO_MEMORY)
		fatal("kdc", "out of memory; a restart takes up from the store");
	if (err)
		log_warnx("kdc", "%s", gk_strerror(err));
}

bool gw_serve_ready(const struct gw_daemon *daemon)
{
	return gw_outbox_error(&daemon->outbox) == 0;
}

/*
 * Answers on their way to the KDC: those that come while the store refuses, and the failures of
 * requests, which come up while events are being carried out.
 */

struct gw_answer {
	struct gw_answer *next;
	uint64_t id;
	bool sent;     /* false: the request never left */
	bool notified; /* it was a notification, and went like this */
	enum gk_notified outcome;
	size_t len;
	uint8_t bytes[];
};

static struct gw_answer *queue_answer(struct gw_daemon *daemon, uint64_t id, bool sent,
				      struct gk_span message)
{
	struct gw_answer *answer = malloc(sizeof(*answer) + message.len);

	if (!answer)
		fatal("daemon", "out of memory");
	*answer = (struct gw_answer){ .id = id, .sent = sent, .len = message.len };
	if (message.len > 0)
		memcpy(answer->bytes, message.data, message.len);
	*daemon->answers_end = answer;
	daemon->answers_end = &answer->next;
	return answer;
}

static struct gw_answer *take_answer(struct gw_daemon *daemon)
{
	struct gw_answer *answer = daemon->answers;

	if (!answer)
		return NULL;
	daemon->answers = answer->next;
	if (!daemon->answers)
		daemon->answers_end = &daemon->answers;
	return answer;
}

static void feed_answer(struct gw_daemon *daemon, const struct gw_answer *answer)
{
	struct gk_span message = gk_span(answer->bytes, answer->len);
	struct gk_now now = gw_now(daemon);

	if (!answer->sent)
		gw_serve_check(gk_kdc_unsent(daemon->kdc, answer->id, now));
	else if (answer->notified)
		gw_serve_check(gk_kdc_notified(daemon->kdc, answer->id, answer->outcome, now));
	else
		gw_serve_check(gk_kdc_answer(daemon->kdc, answer->id, message, now));
}

static void feed_answers(struct gw_daemon *daemon)
{
	struct gw_answer *answer;

	while ((answer = take_answer(daemon))) {
		feed_answer(daemon, answer);
		free(answer);
	}
}

void gw_serve_drop(struct gw_daemon *daemon)
{
	struct gw_answer *answer;

	while ((answer = take_answer(daemon)))
		free(answer);
}

/*
 * What the KDC wants done
 */

static bool take(void *ctx, struct gk_event *event)
{
	struct gw_daemon *daemon = ctx;

	return gk_kdc_event(daemon->kdc, event);
}

static int commit(void *ctx, const struct gk_record *records, size_t count)
{
	return gw_storage_commit(ctx, records, count);
}

/* An answer that was kept back until the store took what it depends on comes after its exchange is
 * over: the client asks again. */
static void send_reply(struct gw_daemon *daemon, const struct gk_event *event)
{
	if (daemon->reply && event->id == daemon->exchange)
		gk_buf_add(daemon->reply, event->bytes);
	else
		log_debug("coap", "an answer came too late and is not sent");
}

static int send_to(struct gw_daemon *daemon, const struct gk_event *event, struct gk_addr *peer)
{
	if (!daemon->coap)
		return -ENODEV;
	if (event->dtls.len && event->kind == GK_EVENT_NOTIFY)
		return io_coap_notify_in(daemon->coap, event->id, &event->dtls, event->session,
					 gk_span(event->token, event->token_len), event->bytes,
					 event->timeout_ms, gw_now(daemon));
	if (event->dtls.len)
		return io_coap_request_in(daemon->coap, event->id, &event->dtls, event->bytes,
					  event->timeout_ms, gw_now(daemon));
	if (!gw_segment_route(&daemon->segment, peer))
		return -ENODEV;
	if (event->kind == GK_EVENT_NOTIFY)
		return io_coap_notify(daemon->coap, event->id, peer,
				      gk_span(event->token, event->token_len), event->bytes,
				      event->timeout_ms, gw_now(daemon));
	return io_coap_request(daemon->coap, event->id, peer, event->bytes, event->timeout_ms,
			       gw_now(daemon));
}

static int ask_by_multicast(struct gw_daemon *daemon, const struct gk_event *event)
{
	uint8_t token[GW_QUESTION_TOKEN];
	char text[IO_ADDR_TEXT];
	int err = gw_questions_add(&daemon->questions, event->id, event->timeout_ms,
				   gw_now(daemon).mono, token);

	if (err)
		return err;
	err = gw_multicast_ask(&daemon->multicast, daemon->segment.ifindex, &event->peer,
			       gk_span(token, sizeof(token)), event->bytes);
	if (err)
		gw_questions_drop(&daemon->questions, event->id);
	else
		log_debug("coap", "%s: a silent member is asked by multicast",
			  io_addr_format(&event->peer, text));
	return err;
}

/* A request, or a notification. */
static void send_own(struct gw_daemon *daemon, const struct gk_event *event)
{
	char text[IO_ADDR_TEXT];
	struct gk_addr peer = event->peer;
	int err =
		event->multicast ? ask_by_multicast(daemon, event) : send_to(daemon, event, &peer);

	if (err == 0)
		return;
	log_debug("coap", "%s: not sent: %s", io_addr_format(&peer, text), strerror(-err));
	if (event->kind == GK_EVENT_NOTIFY && err == -ENOTCONN)
		gw_serve_notified(daemon, event->id, true, GK_NOTIFIED_GONE);
	else
		(void)queue_answer(daemon, event->id, false, gk_span(NULL, 0));
}

static void multicast(struct gw_daemon *daemon, const struct gk_event *event)
{
	gw_multicast_send(&daemon->multicast, daemon->segment.ifindex, &event->peer, event->bytes);
}

static void probe(struct gw_daemon *daemon, const struct gk_event *event)
{
	gw_segment_probe(&daemon->segment, &event->peer, gw_now(daemon).mono);
}

static void note(struct gw_daemon *daemon, const struct gk_event *event)
{
	gw_notes_take(&daemon->notes, &event->note, gw_now(daemon));
}

static void end_sessions(struct gw_daemon *daemon, const struct gk_event *event)
{
	if (daemon->coap)
		io_coap_end_sessions(daemon->coap, &event->dtls);
}

static void perform(void *ctx, const struct gk_event *event)
{
	static void (*const perform[])(struct gw_daemon *, const struct gk_event *) = {
		[GK_EVENT_REPLY] = send_reply,    [GK_EVENT_REQUEST] = send_own,
		[GK_EVENT_MULTICAST] = multicast, [GK_EVENT_PROBE] = probe,
		[GK_EVENT_NOTE] = note,           [GK_EVENT_END] = end_sessions,
		[GK_EVENT_NOTIFY] = send_own,
	};

	if ((size_t)event->kind < sizeof(perform) / sizeof(perform[0]) && perform[event->kind])
		perform[event->kind](ctx, event);
}

const struct gw_outlets gw_serve_outlets = { take, commit, perform };

/*
 * Whoever was answered 5.03 could give no sign of life: after that time everybody has a whole
 * interval again, as after any blindness.
 */
static void excuse_everybody(struct gw_daemon *daemon)
{
	struct gk_now now = gw_now(daemon);

	gw_serve_check(gk_kdc_blind(daemon->kdc, daemon->segment.blind, now));
	gw_serve_check(gk_kdc_excuse(daemon->kdc, now));
}

bool gw_serve_settle(struct gw_daemon *daemon)
{
	for (;;) {
		bool was_ready = gw_serve_ready(daemon);
		if (!gw_outbox_flush(&daemon->outbox, gw_now(daemon).mono))
			return false;
		if (was_ready && !daemon->answers)
			return true;
		if (!was_ready)
			excuse_everybody(daemon);
		feed_answers(daemon);
	}
}

void gw_serve_expire(struct gw_daemon *daemon)
{
	struct gk_now now = gw_now(daemon);

	if (gw_serve_ready(daemon) && gk_kdc_next_expiry(daemon->kdc).ms <= now.mono.ms)
		gw_serve_check(gk_kdc_expire(daemon->kdc, now));
}

/*
 * What goes to the KDC
 */

static void put_unavailable(struct gk_buf *reply)
{
	struct gk_coap_writer w;

	gk_buf_truncate(reply, 0);
	w = gk_coap_begin(reply, GK_COAP_UNAVAILABLE);
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, TRY_AGAIN_S);
}

/*
 * The KDC knows nodes of one interface, ours, by their addresses alone: so it does not matter to it
 * which index the interface has today. A link-local address of another interface is someone else's.
 */
static bool is_elsewhere(const struct gw_daemon *daemon, const struct gk_addr *peer)
{
	return io_addr_is_link_local(peer) && daemon->segment.ifindex > 0 &&
	       peer->scope != (uint32_t)daemon->segment.ifindex;
}

static void receive(struct gw_daemon *daemon, struct gk_exchange exchange, struct gk_span message)
{
	exchange.peer.scope = 0;
	gw_serve_check(gk_kdc_receive(daemon->kdc, &exchange, message, gw_now(daemon)));
}

/* Of who fails here nothing is known but an address that may be forged. */
static bool tell_handshake(const char *what, enum gk_err err)
{
	if (err)
		log_debug("dtls", "a handshake with %s is refused: %s", what, gk_strerror(err));
	return !err;
}

bool gw_serve_psk(void *ctx, struct gk_span identity, struct gk_buf *key, struct gk_id *name)
{
	struct gw_daemon *daemon = ctx;
	enum gk_err err = gk_kdc_psk(daemon->kdc, identity, gw_now(daemon), key, name);

	return tell_handshake(
		err == GK_ERR_UNSUPPORTED ? "a token in psk_identity" : "a pre-shared key", err);
}

bool gw_serve_raw_key(void *ctx, struct gk_span spki, struct gk_id *name)
{
	struct gw_daemon *daemon = ctx;

	return tell_handshake("a raw public key",
			      gk_kdc_raw_key(daemon->kdc, spki, gw_now(daemon), name));
}

/* libcoap sends the answer on return, so what it depends on is committed here. */
void gw_serve_request(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
		      struct gk_buf *reply)
{
	struct gw_daemon *daemon = ctx;
	bool done = false;

	if (is_elsewhere(daemon, &exchange->peer)) {
		log_debug("coap", "a request from another interface is passed over");
		return;
	}
	if (gw_serve_ready(daemon)) {
		receive(daemon, *exchange, message);
		daemon->exchange = exchange->id;
		daemon->reply = reply;
		done = gw_outbox_flush(&daemon->outbox, gw_now(daemon).mono);
		daemon->reply = NULL;
	}
	if (!done && !exchange->multicast)
		put_unavailable(reply);
}

void gw_serve_answer(void *ctx, uint64_t id, bool sent, struct gk_span message)
{
	(void)queue_answer(ctx, id, sent, message);
}

void gw_serve_notified(void *ctx, uint64_t id, bool sent, enum gk_notified outcome)
{
	struct gw_answer *answer = queue_answer(ctx, id, sent, gk_span(NULL, 0));

	answer->notified = true;
	answer->outcome = outcome;
}

/* From wherever it comes: whether it is the true one only the KDC can tell. */
static void take_answer_to_question(struct gw_daemon *daemon, struct gk_span token,
				    struct gk_span message)
{
	uint64_t id;

	if (gw_questions_find(&daemon->questions, token, &id))
		gw_serve_check(gk_kdc_answer(daemon->kdc, id, message, gw_now(daemon)));
}

/* While the store refuses, the answer is dropped, as if it had been lost on its way. */
void gw_serve_group_answer(void *ctx, const struct gk_exchange *exchange, struct gk_span message)
{
	struct gw_daemon *daemon = ctx;
	struct gk_span token = gk_span(exchange->token, exchange->token_len);

	if (!gw_serve_ready(daemon))
		return;
	if (token.len > 0)
		take_answer_to_question(daemon, token, message);
	else
		gw_serve_check(gk_kdc_confirmed(daemon->kdc, message, gw_now(daemon)));
}

/* The KDC passes over those that were answered. */
void gw_serve_end_questions(struct gw_daemon *daemon)
{
	uint64_t id;

	while (gw_questions_expire(&daemon->questions, gw_now(daemon).mono, &id))
		gw_serve_answer(daemon, id, true, gk_span(NULL, 0));
}

static void tell_blind(void *ctx, enum gk_blindness why)
{
	struct gw_daemon *daemon = ctx;

	if (!why) {
		gw_listen_check(daemon);
		gw_multicast_move(&daemon->multicast, daemon->segment.ifindex);
	}
	if (gw_serve_ready(daemon))
		gw_serve_check(gk_kdc_blind(daemon->kdc, why, gw_now(daemon)));
}

static void tell_reach(void *ctx, const struct gk_reach_report *reports, size_t count)
{
	struct gw_daemon *daemon = ctx;

	if (gw_serve_ready(daemon))
		gw_serve_check(gk_kdc_reach(daemon->kdc, reports, count, gw_now(daemon)));
}

/* Also while the store refuses: the KDC sets a time by it, and stores nothing. */
static void tell_timing(void *ctx, uint32_t verdict_ms)
{
	struct gw_daemon *daemon = ctx;

	gw_serve_check(gk_kdc_kernel_timing(daemon->kdc, verdict_ms));
}

static void read_segment(void *ctx, int fd, uint32_t events)
{
	struct gw_daemon *daemon = ctx;

	(void)fd, (void)events;
	gw_segment_read(&daemon->segment, gw_now(daemon).mono);
}

static void watch_segment(void *ctx, int from_fd, int to_fd)
{
	struct gw_daemon *daemon = ctx;

	if (from_fd >= 0)
		io_loop_forget(daemon->loop, from_fd);
	if (to_fd >= 0 && io_loop_watch(daemon->loop, to_fd, EPOLLIN, read_segment, daemon))
		fatal("link", "the kernel's notices cannot be waited for");
}

const struct gw_segment_sink gw_serve_segment = { tell_blind, tell_reach, tell_timing,
						  watch_segment };
