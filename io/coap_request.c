// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool awaits_response(const struct io_coap_own *r)
{
	return !r->notifies && (r->state == IO_COAP_SENT || r->state == IO_COAP_OBSERVING ||
				(r->state == IO_COAP_DONE && r->observed));
}

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
		if (awaits_response(r) && token.length == r->token_len &&
		    memcmp(token.s, r->token, r->token_len) == 0 && goes_to(r, target))
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

/* Under DTLS. What is sent to a session that is over says nothing about the peer. */
static bool is_gone(const struct io_coap_own *r)
{
	return r->state == IO_COAP_SENT && r->dtls.len &&
	       coap_session_get_state(r->session) != COAP_SESSION_STATE_ESTABLISHED;
}

/*
 * libcoap tells of a Reset, and of what it has given up, but not of an acknowledgement: it has got
 * one if it told nothing and has nothing left to send. In the context that DTLS sessions share,
 * what it has left may be somebody else's; but at the end of the time it would have given up.
 */
static enum gk_notified outcome_of(const struct io_coap_own *r)
{
	if (r->reset)
		return GK_NOTIFIED_RESET;
	if (is_gone(r))
		return GK_NOTIFIED_GONE;
	if (r->refused || r->state != IO_COAP_SENT)
		return GK_NOTIFIED_NOT;
	return (r->dtls.len && r->over && r->fits) ||
			       coap_can_exit(coap_session_get_context(r->session))
		       ? GK_NOTIFIED_ACK
		       : GK_NOTIFIED_NOT;
}

// A session's socket must outlive the events that libcoap has already fetched for it, so here it
// is only marked.
static void finish_as(struct io_coap *coap, struct io_coap_own *r, bool sent,
		      struct gk_span message)
{
	uint64_t id = r->id;
	bool notifies = r->notifies;
	enum gk_notified outcome = outcome_of(r);

	if (r->state == IO_COAP_SENT && r->dtls.len)
		io_coap_note_silence(r->session,
				     notifies ? outcome == GK_NOTIFIED_NOT : message.len == 0,
				     r->fits);
	if (r->state == IO_COAP_SENT)
		r->state = IO_COAP_DONE;
	else
		free_request(r);
	if (!notifies)
		coap->answer(coap->ctx, id, sent, message);
	else if (coap->notified)
		coap->notified(coap->ctx, id, sent, outcome);
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
 *
 * @return false: it may not give up before
 */
static bool fit_retransmissions(coap_session_t *session, uint32_t time_ms)
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
	return usable_ms >= 3000;
}

// Also cancels retransmissions, which hold the session as well. One under DTLS is the peer's too.
static void close_session(const struct io_coap_own *r)
{
	if (!r->dtls.len)
		coap_session_disconnected(r->session, COAP_NACK_NOT_DELIVERABLE);
	coap_session_release(r->session);
}

// One under DTLS shares its session with requests. libcoap 4.3.4 and later tell of each Reset, also
// of one to what was never sent; who gives up a session may tell no message id.
static bool is_about(const struct io_coap_own *r, const coap_session_t *session,
		     coap_nack_reason_t reason, coap_mid_t mid)
{
	if (!r->notifies || r->session != session)
		return false;
	return r->mid == mid || (!r->dtls.len && reason != COAP_NACK_RST);
}

static void note_nack(coap_session_t *session, const coap_pdu_t *sent,
		      const coap_nack_reason_t reason, const coap_mid_t mid)
{
	struct io_coap *coap = coap_get_app_data(coap_session_get_context(session));

	(void)sent;
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (!is_about(r, session, reason, mid))
			continue;
		r->refused = true;
		r->reset = reason == COAP_NACK_RST;
	}
}

void io_coap_hear_nacks(coap_context_t *context)
{
	coap_register_nack_handler(context, note_nack);
}

static coap_pdu_t *make_pdu(struct io_coap *coap, const struct io_coap_own *r,
			    const struct gk_coap *msg)
{
	// libcoap would count message ids anew in each session, and so use one again too early.
	coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, (coap_pdu_code_t)msg->code,
					coap->message_id++, coap_session_max_pdu_size(r->session));

	if (pdu && coap_add_token(pdu, r->token_len, r->token) && io_coap_fill_pdu(pdu, msg))
		return pdu;

	if (pdu)
		coap_delete_pdu(pdu);
	return NULL;
}

static int send_in_session(struct io_coap *coap, struct io_coap_own *r, const struct gk_coap *msg)
{
	coap_pdu_t *pdu = make_pdu(coap, r, msg);

	if (!pdu)
		return -EINVAL;

	r->mid = coap_pdu_get_mid(pdu);
	errno = 0;
	bool before = io_coap_hurry(false); // its retransmission has a time that is drawn as well
	coap_mid_t mid = coap_send(r->session, pdu);
	io_coap_hurry(before);
	return mid < 0 ? io_coap_last_error() : 0;
}

/* A request that comes by this socket meanwhile is answered as by any other. */
static int open_notifier(struct io_coap *coap, struct io_coap_own *r)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = r } };

	r->notifier = io_coap_new_context(coap);
	if (!r->notifier)
		return -ENOMEM;

	io_coap_hear_nacks(r->notifier);
	return epoll_ctl(coap->epoll, EPOLL_CTL_ADD, coap_context_get_coap_fd(r->notifier),
			 &event) < 0
		       ? -errno
		       : 0;
}

/* The descriptor leaves coap->epoll when it is closed. */
static void close_request(struct io_coap_own *r)
{
	if (r->session)
		close_session(r);
	if (r->notifier)
		coap_free_context(r->notifier);
	r->session = NULL;
	r->notifier = NULL;
}

// What keeps libcoap from a session: its own errno is that of cleaning up, from 4.3.4 on.
static int why_unreachable(const coap_address_t *remote)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = connect(fd, &remote->addr.sa, remote->size) < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

static int open_session(struct io_coap *coap, struct io_coap_own *r, uint32_t time_ms)
{
	coap_address_t remote = io_coap_address_of(&r->peer);
	coap_context_t *context = r->notifies ? r->notifier : coap->context;

	if (r->dtls.len) {
		r->session = r->notifies ? io_coap_find_numbered(coap, r->number)
					 : io_coap_find_session(coap, &r->dtls);
		if (!r->session)
			return -ENOTCONN;
		coap_session_reference(r->session);
		r->fits = fit_retransmissions(r->session, time_ms) &&
			  !io_coap_is_left_over(r->session);
		return 0;
	}
	r->session = coap_new_client_session(context, &coap->local, &remote, COAP_PROTO_UDP);
	if (!r->session)
		return why_unreachable(&remote);
	coap_session_set_mtu(r->session, IO_COAP_DATAGRAM_MAX);
	r->fits = fit_retransmissions(r->session, time_ms);
	return 0;
}

static int start(struct io_coap *coap, struct io_coap_own *r, const struct gk_coap *msg,
		 uint32_t time_ms)
{
	int err = r->notifies && !r->dtls.len ? open_notifier(coap, r) : 0;

	if (err == 0)
		err = open_session(coap, r, time_ms);
	if (err == 0)
		err = send_in_session(coap, r, msg);
	if (err < 0) {
		close_request(r);
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

	r->token_len = IO_COAP_TOKEN_LEN;
	do {
		if (!env.random(env.ctx, r->token, IO_COAP_TOKEN_LEN))
			return false;
	} while (find_request(coap, token, &target));
	return true;
}

static bool set_token(struct io_coap *coap, struct io_coap_own *r, const struct io_coap_own *like)
{
	if (!like->notifies)
		return choose_token(coap, r);
	memcpy(r->token, like->token, like->token_len);
	r->token_len = like->token_len;
	return true;
}

/* One like 'like', in what it is and whom it is for. */
static int send_own(struct io_coap *coap, const struct io_coap_own *like, struct gk_span message,
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
	struct target target = target_of(like);
	bool busy = is_asked(coap, &target, IO_COAP_WAITING);
	*r = (struct io_coap_own){
		.id = like->id,
		.peer = like->peer,
		.dtls = like->dtls,
		.number = like->number,
		.deadline = { now.mono.ms + timeout_ms },
		.observe = like->observe,
		.notifies = like->notifies,
	};
	if (!set_token(coap, r, like))
		return -EIO;
	return busy ? wait_for_turn(coap, r, message) : start(coap, r, &msg, timeout_ms);
}

int io_coap_request(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	const struct io_coap_own like = { .id = id, .peer = *peer };

	return send_own(coap, &like, message, timeout_ms, now);
}

int io_coap_request_in(struct io_coap *coap, uint64_t id, const struct gk_id *name,
		       struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	const struct io_coap_own like = { .id = id, .dtls = *name };

	if (!io_coap_find_session(coap, name))
		return -ENOTCONN;
	return send_own(coap, &like, message, timeout_ms, now);
}

int io_coap_observe(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	const struct io_coap_own like = { .id = id, .peer = *peer, .observe = true };

	return send_own(coap, &like, message, timeout_ms, now);
}

static int notify(struct io_coap *coap, struct io_coap_own like, struct gk_span token,
		  struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	like.notifies = true;
	if (token.len > IO_COAP_TOKEN_MAX)
		return -EINVAL;
	if (token.len > 0)
		memcpy(like.token, token.data, token.len);
	like.token_len = (uint8_t)token.len;
	return send_own(coap, &like, message, timeout_ms, now);
}

int io_coap_notify(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		   struct gk_span token, struct gk_span message, uint32_t timeout_ms,
		   struct gk_now now)
{
	const struct io_coap_own like = { .id = id, .peer = *peer };

	return notify(coap, like, token, message, timeout_ms, now);
}

int io_coap_notify_in(struct io_coap *coap, uint64_t id, const struct gk_id *name, uint64_t session,
		      struct gk_span token, struct gk_span message, uint32_t timeout_ms,
		      struct gk_now now)
{
	const struct io_coap_own like = { .id = id, .dtls = *name, .number = session };

	if (!io_coap_find_numbered(coap, session))
		return -ENOTCONN;
	return notify(coap, like, token, message, timeout_ms, now);
}

void io_coap_on_notified(struct io_coap *coap, io_coap_notified_fn *notified)
{
	coap->notified = notified;
}

void io_coap_cancel(struct io_coap *coap, uint64_t id)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->id != id || !r->observed)
			continue;
		r->observed = false;
		if (r->state == IO_COAP_OBSERVING)
			free_request(r);
	}
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

static bool has_observe(const coap_pdu_t *pdu)
{
	coap_opt_iterator_t iter;

	return coap_check_option(pdu, COAP_OPTION_OBSERVE, &iter) != NULL;
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
	if (r->state == IO_COAP_SENT) {
		r->observed = r->observe && has_observe(received);
		finish(coap, r, gk_buf_span(&message));
	} else {
		coap->answer(coap->ctx, r->id, true, gk_buf_span(&message));
	}
	return COAP_RESPONSE_OK;
}

static void give_up_overdue(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if ((r->state == IO_COAP_WAITING || r->state == IO_COAP_SENT) &&
		    r->deadline.ms <= now.ms) {
			r->over = true;
			finish(coap, r, gk_span(NULL, 0));
		}
	}
}

static void close_done(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		struct target target = target_of(r);

		if (r->state != IO_COAP_DONE)
			continue;
		close_request(r);
		if (r->observed)
			r->state = IO_COAP_OBSERVING;
		else
			free_request(r);
		start_next(coap, &target, now);
	}
}

/* An ICMP error, and what libcoap gives up by itself, only mean that there is nothing to be waited
 * for but the end of the time. */
static void finish_notified(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->state == IO_COAP_SENT && r->notifies && outcome_of(r) != GK_NOTIFIED_NOT)
			finish(coap, r, gk_span(NULL, 0));
	}
}

void io_coap_process_notifiers(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct io_coap_own *r = &coap->requests[i];
		if (r->state == IO_COAP_SENT && r->notifier)
			coap_io_process(r->notifier, COAP_IO_NO_WAIT);
	}
}

struct gk_mono io_coap_next_retransmission(const struct io_coap *coap, struct gk_mono next,
					   struct gk_now now)
{
	coap_tick_t ticks;

	coap_ticks(&ticks);
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		const struct io_coap_own *r = &coap->requests[i];
		unsigned int wait_ms = r->state == IO_COAP_SENT && r->notifier
					       ? coap_io_prepare_epoll(r->notifier, ticks)
					       : 0;
		if (wait_ms > 0 && now.mono.ms + wait_ms < next.ms)
			next.ms = now.mono.ms + wait_ms;
	}
	return next;
}

void io_coap_end_turn(struct io_coap *coap, struct gk_mono now)
{
	finish_notified(coap);
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
		close_request(r);
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
