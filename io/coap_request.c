// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Where a request goes, to which one goes at a time.
struct target {
	struct gk_addr peer;
	struct gk_id dtls;
};

static bool goes_to(const struct io_coap_own *r, const struct target *target)
{
	return gk_id_equal(&r->dtls, &target->dtls) &&
	       (target->dtls.len || io_addr_equal(&target->peer, &r->peer));
}

static struct target target_of(const struct io_coap_own *r)
{
	return (struct target){ r->peer, r->dtls };
}

static struct io_coap_own *find_request(struct io_coap *coap, coap_bin_const_t token,
					const struct target *target)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		// RFC 7252 section 5.3.2: token and endpoint, whichever socket it came in by
		if (r->state == IO_COAP_SENT && token.length == IO_COAP_TOKEN_LEN &&
		    memcmp(token.s, r->token, IO_COAP_TOKEN_LEN) == 0 && goes_to(r, target))
			return r;
	}
	return NULL;
}

static struct io_coap_own *find_free(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++)
		if (coap->requests[i].state == IO_COAP_FREE)
			return &coap->requests[i];
	return NULL;
}

// Is a request to there in state 'least' or a later one?
static bool is_asked(const struct io_coap *coap, const struct target *target,
		     enum io_coap_state least)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		const struct io_coap_own *r = &coap->requests[i];
		if (r->state >= least && goes_to(r, target))
			return true;
	}
	return false;
}

static struct io_coap_own *find_next_turn(struct io_coap *coap, const struct target *target)
{
	struct io_coap_own *next = NULL;

	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->state == IO_COAP_WAITING && goes_to(r, target) &&
		    (!next || r->turn < next->turn))
			next = r;
	}
	return next;
}

static void free_request(struct io_coap_own *r)
{
	free(r->message);
	*r = (struct io_coap_own){ .state = IO_COAP_FREE };
}

// A session's socket must outlive the events that libcoap has already fetched for it, so here it
// is only marked.
static void finish_as(struct io_coap *coap, struct io_coap_own *r, bool sent,
		      struct gk_span message)
{
	uint64_t id = r->id;

	if (r->state == IO_COAP_SENT && r->dtls.len)
		io_coap_note_silence(r->session, message.len == 0);
	if (r->state == IO_COAP_SENT)
		r->state = IO_COAP_DONE;
	else
		free_request(r);
	coap->answer(coap->ctx, id, sent, message);
}

static void finish(struct io_coap *coap, struct io_coap_own *r, struct gk_span message)
{
	finish_as(coap, r, r->state == IO_COAP_SENT, message);
}

static coap_fixed_point_t fixed_point(uint32_t thousandths)
{
	return (coap_fixed_point_t){
		.integer_part = (uint16_t)(thousandths / 1000),
		.fractional_part = (uint16_t)(thousandths % 1000),
	};
}

/*
 * As many retransmissions, up to the 4 of RFC 7252 section 4.8, as let libcoap give up by itself
 * before the time is over, with a first pause of the RFC's 2 s or less, but not under 1 s (section
 * 4.8.1). Cancelling is the other way, and works; but libcoap then forgets to correct the times of
 * what is behind in its queue, and retransmits that too early. So only requests with less than 3 s
 * to go are cancelled, which have place for one retransmission.
 */
static void fit_retransmissions(coap_session_t *session, uint32_t time_ms)
{
	// libcoap rounds to 1/64 s in several places. Over 100 s nothing changes any more.
	uint32_t usable_ms = (time_ms < 100000 ? time_ms : 100000) / 20 * 19;
	uint32_t spread = usable_ms < 3750 ? 1000 : 1250; // thousandths
	uint16_t count = 4;

	while (count > 1 && usable_ms < 1250u * ((2u << count) - 1))
		count--;

	uint32_t pause_ms = usable_ms * 1000 / spread / ((2u << count) - 1);
	if (pause_ms < 1000)
		pause_ms = 1000;
	if (pause_ms > 2000)
		pause_ms = 2000;

	coap_session_set_max_retransmit(session, count);
	coap_session_set_ack_timeout(session, fixed_point(pause_ms));
	coap_session_set_ack_random_factor(session, fixed_point(spread));
}

// Also cancels retransmissions, which hold the session as well. One under DTLS is the peer's too.
static void close_session(const struct io_coap_own *r)
{
	if (!r->dtls.len)
		coap_session_disconnected(r->session, COAP_NACK_NOT_DELIVERABLE);
	coap_session_release(r->session);
}

static coap_pdu_t *make_pdu(struct io_coap *coap, const struct io_coap_own *r,
			    const struct gk_coap *msg)
{
	// libcoap would count message ids anew in each session, and so use one again too early.
	coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, (coap_pdu_code_t)msg->code,
					coap->message_id++, coap_session_max_pdu_size(r->session));

	if (pdu && coap_add_token(pdu, IO_COAP_TOKEN_LEN, r->token) && io_coap_fill_pdu(pdu, msg))
		return pdu;

	if (pdu)
		coap_delete_pdu(pdu);
	return NULL;
}

static int send_in_session(struct io_coap *coap, const struct io_coap_own *r,
			   const struct gk_coap *msg)
{
	coap_pdu_t *pdu = make_pdu(coap, r, msg);

	if (!pdu)
		return -EINVAL;

	errno = 0;
	return coap_send(r->session, pdu) < 0 ? io_coap_last_error() : 0;
}

static int open_session(struct io_coap *coap, struct io_coap_own *r)
{
	coap_address_t remote = io_coap_address_of(&r->peer);

	if (r->dtls.len) {
		r->session = io_coap_find_session(coap, &r->dtls);
		if (!r->session)
			return -ENOTCONN;
		coap_session_reference(r->session);
		return 0;
	}
	errno = 0;
	r->session = coap_new_client_session(coap->context, &coap->local, &remote, COAP_PROTO_UDP);
	if (!r->session)
		return io_coap_last_error();
	coap_session_set_mtu(r->session, IO_COAP_DATAGRAM_MAX);
	return 0;
}

static int start(struct io_coap *coap, struct io_coap_own *r, const struct gk_coap *msg,
		 uint32_t time_ms)
{
	int err = open_session(coap, r);

	if (err < 0)
		return err;
	fit_retransmissions(r->session, time_ms);
	err = send_in_session(coap, r, msg);
	if (err < 0) {
		close_session(r);
		return err;
	}

	r->state = IO_COAP_SENT;
	return 0;
}

static int wait_for_turn(struct io_coap *coap, struct io_coap_own *r, struct gk_span message)
{
	r->message = malloc(message.len);
	if (!r->message)
		return -ENOMEM;

	memcpy(r->message, message.data, message.len);
	r->message_len = message.len;
	r->turn = ++coap->turns;
	r->state = IO_COAP_WAITING;
	return 0;
}

static bool choose_token(struct io_coap *coap, struct io_coap_own *r)
{
	struct gk_env env = io_env();
	coap_bin_const_t token = { IO_COAP_TOKEN_LEN, r->token };
	struct target target = target_of(r);

	do {
		if (!env.random(env.ctx, r->token, IO_COAP_TOKEN_LEN))
			return false;
	} while (find_request(coap, token, &target));
	return true;
}

static int request(struct io_coap *coap, uint64_t id, struct target target, struct gk_span message,
		   uint32_t timeout_ms, struct gk_now now)
{
	struct io_coap_own *r = find_free(coap);
	struct gk_coap msg;

	if (message.len > IO_COAP_MESSAGE_MAX)
		return -EMSGSIZE;
	if (gk_coap_parse(message, &msg) != GK_OK)
		return -EINVAL;
	if (!r)
		return -ENOBUFS;

	// It stays free until one of the last two calls has done its work.
	bool busy = is_asked(coap, &target, IO_COAP_WAITING);
	*r = (struct io_coap_own){
		.id = id,
		.peer = target.peer,
		.dtls = target.dtls,
		.deadline = { now.mono.ms + timeout_ms },
	};
	if (!choose_token(coap, r))
		return -EIO;
	return busy ? wait_for_turn(coap, r, message) : start(coap, r, &msg, timeout_ms);
}

int io_coap_request(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	return request(coap, id, (struct target){ .peer = *peer }, message, timeout_ms, now);
}

int io_coap_request_in(struct io_coap *coap, uint64_t id, const struct gk_id *name,
		       struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	if (!io_coap_find_session(coap, name))
		return -ENOTCONN;
	return request(coap, id, (struct target){ .dtls = *name }, message, timeout_ms, now);
}

static void start_next(struct io_coap *coap, const struct target *target, struct gk_mono now)
{
	struct io_coap_own *r;

	// 'answer' may have started another one.
	while (!is_asked(coap, target, IO_COAP_SENT) && (r = find_next_turn(coap, target))) {
		struct gk_coap msg;
		int64_t left_ms = r->deadline.ms - now.ms;

		if (gk_coap_parse(gk_span(r->message, r->message_len), &msg) != GK_OK ||
		    start(coap, r, &msg, (uint32_t)left_ms) < 0)
			finish(coap, r, gk_span(NULL, 0));
	}
}

coap_response_t io_coap_take_response(coap_session_t *session, const coap_pdu_t *sent,
				      const coap_pdu_t *received, const coap_mid_t mid)
{
	struct io_coap *coap = coap_get_app_data(coap_session_get_context(session));
	struct target target = { .peer = io_coap_peer_of(session) };
	struct io_coap_own *r = NULL;
	uint8_t in[IO_COAP_DATAGRAM_MAX];
	struct gk_buf message = gk_buf(in, sizeof(in));

	(void)sent, (void)mid;
	if (io_coap_name_session(session, &target.dtls))
		r = find_request(coap, coap_pdu_get_token(received), &target);
	// 'Fail' sends a Reset, which stops the peer's retransmissions, and is wrong for an
	// acknowledgement (RFC 7252 section 4.2).
	if (!r)
		return coap_pdu_get_type(received) == COAP_MESSAGE_ACK ? COAP_RESPONSE_OK
								       : COAP_RESPONSE_FAIL;

	io_coap_write_message(&message, received);
	finish(coap, r, gk_buf_span(&message));
	return COAP_RESPONSE_OK;
}

static void give_up_overdue(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if ((r->state == IO_COAP_WAITING || r->state == IO_COAP_SENT) &&
		    r->deadline.ms <= now.ms)
			finish(coap, r, gk_span(NULL, 0));
	}
}

static void close_done(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		struct target target = target_of(r);

		if (r->state != IO_COAP_DONE)
			continue;
		close_session(r);
		free_request(r);
		start_next(coap, &target, now);
	}
}

void io_coap_end_turn(struct io_coap *coap, struct gk_mono now)
{
	give_up_overdue(coap, now);
	close_done(coap, now);
}

void io_coap_give_up(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->state == IO_COAP_WAITING || r->state == IO_COAP_SENT)
			finish_as(coap, r, false, gk_span(NULL, 0));
	}
}

void io_coap_drop_requests(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->state == IO_COAP_SENT || r->state == IO_COAP_DONE)
			close_session(r);
		free_request(r);
	}
}

struct gk_mono io_coap_next_deadline(const struct io_coap *coap)
{
	struct gk_mono next = { GK_NEVER };

	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		const struct io_coap_own *r = &coap->requests[i];
		if ((r->state == IO_COAP_WAITING || r->state == IO_COAP_SENT) &&
		    r->deadline.ms < next.ms)
			next = r->deadline;
	}
	return next;
}
