// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap.h"

#include <coap3/coap.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"

// A UDP payload in the smallest IPv6 packet that every link carries (RFC 8200 section 5).
#define DATAGRAM_MAX (1280 - 40 - 8)

// RFC 7252 section 5.3.1 asks for 32 random bits on an open network; OSCORE does not need them,
// and each byte crosses the radio twice.
#define TOKEN_LEN 4

// libcoap walks every session at every turn, and we keep nothing in them.
#define IDLE_SESSIONS_MAX 64
#define IDLE_SESSION_S    60

// Datagrams of one socket that are read in one turn of the loop, at most.
#define ROUNDS_MAX 16

enum state {
	FREE = 0,
	WAITING, // for another request to the same peer; 'message' is ours
	SENT,    // in 'session', a socket of its own
	DONE,    // answered; 'session' is closed at the end of the turn
};

struct request {
	enum state state;
	uint64_t id;
	uint64_t turn; // who waits longest has the smallest
	struct gk_addr peer;
	struct gk_mono deadline;
	uint8_t token[TOKEN_LEN];
	coap_session_t *session;
	uint8_t *message;
	size_t message_len;
};

struct io_coap {
	coap_context_t *context;
	coap_address_t local;
	io_coap_request_fn *handler;
	io_coap_answer_fn *answer;
	void *ctx;
	uint64_t exchanges, turns;
	uint16_t message_id;
	struct request requests[IO_COAP_REQUESTS_MAX];
};

/* Messages: libcoap's form and ours */

static void write_message(struct gk_buf *buf, const coap_pdu_t *pdu)
{
	struct gk_coap_writer w = gk_coap_begin(buf, (uint8_t)coap_pdu_get_code(pdu));
	coap_opt_iterator_t iter;
	const coap_opt_t *option;
	const uint8_t *data;
	size_t len;

	coap_option_iterator_init(pdu, &iter, COAP_OPT_ALL);
	while ((option = coap_option_next(&iter)))
		gk_coap_put(&w, iter.number,
			    gk_span(coap_opt_value(option), coap_opt_length(option)));

	if (coap_get_data(pdu, &len, &data))
		gk_coap_put_payload(&w, gk_span(data, len));
}

static bool fill_pdu(coap_pdu_t *pdu, const struct gk_coap *msg)
{
	struct gk_coap_iter iter = gk_coap_options(msg);

	while (gk_coap_next(&iter))
		if (!coap_add_option(pdu, iter.number, iter.value.len, iter.value.data))
			return false;
	if (msg->payload.len > 0 && !coap_add_data(pdu, msg->payload.len, msg->payload.data))
		return false;

	coap_pdu_set_code(pdu, (coap_pdu_code_t)msg->code);
	return true;
}

static struct gk_addr peer_of(const coap_session_t *session)
{
	return io_addr_from_sockaddr(&coap_session_get_addr_remote(session)->addr.sin6);
}

static coap_address_t coap_address_of(const struct gk_addr *addr)
{
	coap_address_t address;

	coap_address_init(&address);
	address.size = sizeof(address.addr.sin6);
	address.addr.sin6 = io_addr_to_sockaddr(addr);
	return address;
}

/* Requests of others */

static void answer_request(coap_resource_t *resource, coap_session_t *session,
			   const coap_pdu_t *request, const coap_string_t *query,
			   coap_pdu_t *response)
{
	struct io_coap *coap = coap_get_app_data(coap_session_get_context(session));
	coap_bin_const_t token = coap_pdu_get_token(request);
	struct gk_exchange exchange = {
		.id = ++coap->exchanges,
		.peer = peer_of(session),
		.message_id = (uint16_t)coap_pdu_get_mid(request),
		.token_len = (uint8_t)token.length,
	};
	uint8_t in[DATAGRAM_MAX], out[IO_COAP_MESSAGE_MAX];
	struct gk_buf message = gk_buf(in, sizeof(in)), reply = gk_buf(out, sizeof(out));
	struct gk_coap msg;

	(void)resource, (void)query;
	// RFC 8974 would allow longer tokens; libcoap does not take them unasked.
	if (token.length > sizeof(exchange.token)) {
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_BAD_REQUEST);
		return;
	}
	memcpy(exchange.token, token.s, token.length);

	write_message(&message, request);
	coap->handler(coap->ctx, &exchange, gk_buf_span(&message), &reply);

	// A response that is left without a code becomes an empty acknowledgement.
	if (reply.len > 0 &&
	    (gk_coap_parse(gk_buf_span(&reply), &msg) != GK_OK || !fill_pdu(response, &msg)))
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_INTERNAL_ERROR);
}

static bool add_resource(struct io_coap *coap, coap_resource_t *resource)
{
	if (!resource)
		return false;

	for (int method = COAP_REQUEST_GET; method <= COAP_REQUEST_IPATCH; method++)
		coap_register_handler(resource, (coap_request_t)method, answer_request);
	coap_add_resource(coap->context, resource);
	return true;
}

/* Requests of our own */

static struct request *find_request(struct io_coap *coap, coap_bin_const_t token,
				    const struct gk_addr *peer)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		// RFC 7252 section 5.3.2: token and endpoint, whichever socket it came in by
		if (r->state == SENT && token.length == TOKEN_LEN &&
		    memcmp(token.s, r->token, TOKEN_LEN) == 0 && io_addr_equal(peer, &r->peer))
			return r;
	}
	return NULL;
}

static struct request *find_free(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++)
		if (coap->requests[i].state == FREE)
			return &coap->requests[i];
	return NULL;
}

// Is a request to 'peer' in state 'least' or a later one?
static bool is_asked(const struct io_coap *coap, const struct gk_addr *peer, enum state least)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		const struct request *r = &coap->requests[i];
		if (r->state >= least && io_addr_equal(peer, &r->peer))
			return true;
	}
	return false;
}

static struct request *find_next_turn(struct io_coap *coap, const struct gk_addr *peer)
{
	struct request *next = NULL;

	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		if (r->state == WAITING && io_addr_equal(peer, &r->peer) &&
		    (!next || r->turn < next->turn))
			next = r;
	}
	return next;
}

static void free_request(struct request *r)
{
	free(r->message);
	*r = (struct request){ .state = FREE };
}

// A session's socket must outlive the events that libcoap has already fetched for it, so here it
// is only marked.
static void finish_as(struct io_coap *coap, struct request *r, bool sent, struct gk_span message)
{
	uint64_t id = r->id;

	if (r->state == SENT)
		r->state = DONE;
	else
		free_request(r);
	coap->answer(coap->ctx, id, sent, message);
}

static void finish(struct io_coap *coap, struct request *r, struct gk_span message)
{
	finish_as(coap, r, r->state == SENT, message);
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

static int last_error(void)
{
	return errno > 0 ? -errno : -EIO;
}

// Also cancels retransmissions, which hold the session as well.
static void close_session(coap_session_t *session)
{
	coap_session_disconnected(session, COAP_NACK_NOT_DELIVERABLE);
	coap_session_release(session);
}

static coap_pdu_t *make_pdu(struct io_coap *coap, const struct request *r,
			    const struct gk_coap *msg)
{
	// libcoap would count message ids anew in each session, and so use one again too early.
	coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, (coap_pdu_code_t)msg->code,
					coap->message_id++, coap_session_max_pdu_size(r->session));

	if (pdu && coap_add_token(pdu, TOKEN_LEN, r->token) && fill_pdu(pdu, msg))
		return pdu;

	if (pdu)
		coap_delete_pdu(pdu);
	return NULL;
}

static int send_in_session(struct io_coap *coap, const struct request *r, const struct gk_coap *msg)
{
	coap_pdu_t *pdu = make_pdu(coap, r, msg);

	if (!pdu)
		return -EINVAL;

	errno = 0;
	return coap_send(r->session, pdu) < 0 ? last_error() : 0;
}

static int start(struct io_coap *coap, struct request *r, const struct gk_coap *msg,
		 uint32_t time_ms)
{
	coap_address_t remote = coap_address_of(&r->peer);
	int err;

	errno = 0;
	r->session = coap_new_client_session(coap->context, &coap->local, &remote, COAP_PROTO_UDP);
	if (!r->session)
		return last_error();

	coap_session_set_mtu(r->session, DATAGRAM_MAX);
	fit_retransmissions(r->session, time_ms);
	err = send_in_session(coap, r, msg);
	if (err < 0) {
		close_session(r->session);
		return err;
	}

	r->state = SENT;
	return 0;
}

static int wait_for_turn(struct io_coap *coap, struct request *r, struct gk_span message)
{
	r->message = malloc(message.len);
	if (!r->message)
		return -ENOMEM;

	memcpy(r->message, message.data, message.len);
	r->message_len = message.len;
	r->turn = ++coap->turns;
	r->state = WAITING;
	return 0;
}

static bool choose_token(struct io_coap *coap, struct request *r)
{
	struct gk_env env = io_env();
	coap_bin_const_t token = { TOKEN_LEN, r->token };

	do {
		if (!env.random(env.ctx, r->token, TOKEN_LEN))
			return false;
	} while (find_request(coap, token, &r->peer));
	return true;
}

int io_coap_request(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	struct request *r = find_free(coap);
	struct gk_coap msg;

	if (message.len > IO_COAP_MESSAGE_MAX)
		return -EMSGSIZE;
	if (gk_coap_parse(message, &msg) != GK_OK)
		return -EINVAL;
	if (!r)
		return -ENOBUFS;

	// It stays free until one of the last two calls has done its work.
	bool busy = is_asked(coap, peer, WAITING);
	*r = (struct request){
		.id = id,
		.peer = *peer,
		.deadline = { now.mono.ms + timeout_ms },
	};
	if (!choose_token(coap, r))
		return -EIO;
	return busy ? wait_for_turn(coap, r, message) : start(coap, r, &msg, timeout_ms);
}

static void start_next(struct io_coap *coap, const struct gk_addr *peer, struct gk_mono now)
{
	struct request *r;

	// 'answer' may have started another one.
	while (!is_asked(coap, peer, SENT) && (r = find_next_turn(coap, peer))) {
		struct gk_coap msg;
		int64_t left_ms = r->deadline.ms - now.ms;

		if (gk_coap_parse(gk_span(r->message, r->message_len), &msg) != GK_OK ||
		    start(coap, r, &msg, (uint32_t)left_ms) < 0)
			finish(coap, r, gk_span(NULL, 0));
	}
}

static coap_response_t take_response(coap_session_t *session, const coap_pdu_t *sent,
				     const coap_pdu_t *received, const coap_mid_t mid)
{
	struct io_coap *coap = coap_get_app_data(coap_session_get_context(session));
	struct gk_addr peer = peer_of(session);
	struct request *r = find_request(coap, coap_pdu_get_token(received), &peer);
	uint8_t in[DATAGRAM_MAX];
	struct gk_buf message = gk_buf(in, sizeof(in));

	(void)sent, (void)mid;
	// 'Fail' sends a Reset, which stops the peer's retransmissions, and is wrong for an
	// acknowledgement (RFC 7252 section 4.2).
	if (!r)
		return coap_pdu_get_type(received) == COAP_MESSAGE_ACK ? COAP_RESPONSE_OK
								       : COAP_RESPONSE_FAIL;

	write_message(&message, received);
	finish(coap, r, gk_buf_span(&message));
	return COAP_RESPONSE_OK;
}

/* The endpoint */

// @return the port that was free there, or -errno
static int try_port(struct sockaddr_in6 address)
{
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), port;

	if (fd < 0)
		return -errno;

	if (bind(fd, (struct sockaddr *)&address, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		port = -errno;
	else
		port = ntohs(address.sin6_port);

	close(fd);
	return port;
}

/*
 * libcoap sets SO_REUSEADDR, under which two programs could have the same port, and one of them
 * would hear nothing; port 0 could even give a port that is in use. So take the port without it
 * first. For :: that is done on ::1 (where there is one), since the socket of a multicast group on
 * the same port is no obstacle.
 */
static int claim_port(struct gk_addr *listen)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(listen), loopback = address;
	int port = -EADDRNOTAVAIL;

	if (IN6_IS_ADDR_UNSPECIFIED(&address.sin6_addr)) {
		loopback.sin6_addr = in6addr_loopback;
		port = try_port(loopback);
	}
	if (port == -EADDRNOTAVAIL)
		port = try_port(address);
	if (port < 0)
		return port;

	listen->port = (uint16_t)port;
	return 0;
}

/* Does the port that was claimed for 'old' seem taken to who claims it for 'listen'? */
static bool is_claimed_by(const struct io_coap *old, const struct gk_addr *listen)
{
	const struct sockaddr_in6 address = io_addr_to_sockaddr(listen);
	const struct in6_addr *theirs = &address.sin6_addr, *ours;

	if (!old || io_coap_port(old) != listen->port)
		return false;
	ours = &old->local.addr.sin6.sin6_addr;
	return IN6_IS_ADDR_UNSPECIFIED(ours) || IN6_ARE_ADDR_EQUAL(ours, theirs) ||
	       (IN6_IS_ADDR_UNSPECIFIED(theirs) && IN6_IS_ADDR_LOOPBACK(ours));
}

static int set_up_context(struct io_coap *coap, const struct gk_addr *listen)
{
	coap_context_set_max_idle_sessions(coap->context, IDLE_SESSIONS_MAX);
	coap_context_set_session_timeout(coap->context, IDLE_SESSION_S);
	coap_set_app_data(coap->context, coap);
	coap_register_response_handler(coap->context, take_response);

	// Of the critical options that reach us outside of OSCORE, the one libcoap does not know:
	// it would answer 4.02 for us.
	coap_register_option(coap->context, GK_OPT_OSCORE);

	// Two resources take everything: the empty path is unknown too, and ".well-known/core" is
	// what libcoap would otherwise answer itself.
	if (!add_resource(coap, coap_resource_unknown_init(answer_request)) ||
	    !add_resource(coap, coap_resource_init(coap_make_str_const(".well-known/core"), 0)))
		return -ENOMEM;

	coap->local = coap_address_of(listen);
	errno = 0;
	coap_endpoint_t *endpoint = coap_new_endpoint(coap->context, &coap->local, COAP_PROTO_UDP);
	if (!endpoint)
		return last_error();

	coap_endpoint_set_default_mtu(endpoint, DATAGRAM_MAX);
	return coap_context_get_coap_fd(coap->context) < 0 ? -ENOTSUP : 0;
}

static int open_endpoint(struct io_coap **out, const struct io_coap *old,
			 const struct gk_addr *listen, io_coap_request_fn *handler,
			 io_coap_answer_fn *answer, void *ctx)
{
	struct gk_env env = io_env();
	struct gk_addr address = *listen;
	struct io_coap *coap;
	int err = is_claimed_by(old, listen) ? 0 : claim_port(&address);

	if (err < 0)
		return err;

	coap = calloc(1, sizeof(*coap));
	if (!coap)
		return -ENOMEM;

	*coap = (struct io_coap){ .handler = handler, .answer = answer, .ctx = ctx };
	coap->context = coap_new_context(NULL);
	if (!coap->context)
		err = -ENOMEM;
	else if (!env.random(env.ctx, (uint8_t *)&coap->message_id, sizeof(coap->message_id)))
		err = -EIO;
	else
		err = set_up_context(coap, &address);
	if (err < 0) {
		io_coap_close(coap);
		return err;
	}

	*out = coap;
	return 0;
}

static void note_request(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
			 struct gk_buf *reply)
{
	(void)exchange, (void)message, (void)reply;
	*(bool *)ctx = true;
}

// @return true: 'coap' has got a request with an empty OSCORE option, from this machine
static bool send_oscore(const struct io_coap *coap)
{
	static const uint8_t request[] = { 0x40, 0x02, 0x00, 0x01, GK_OPT_OSCORE << 4 };
	struct pollfd arrived = { .fd = io_coap_fd(coap), .events = POLLIN };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;

	ok = sendto(fd, request, sizeof(request), 0, &coap->local.addr.sa, coap->local.size) > 0 &&
	     poll(&arrived, 1, 200) > 0;
	close(fd);
	return ok;
}

/*
 * A libcoap with OSCORE of its own swallows every request under OSCORE. Headers do not tell, since
 * the one that a program is linked to at run time may be newer; nor does
 * coap_oscore_is_supported(), which says no where there is no TLS library, though the code is
 * there. So try it, where nobody else can send.
 */
static bool swallows_oscore(void)
{
	static const struct gk_addr loopback = { .ip = { [15] = 1 } };
	bool heard = false, sent;
	struct io_coap *coap;

	if (open_endpoint(&coap, NULL, &loopback, note_request, NULL, &heard) < 0)
		return false;

	sent = send_oscore(coap);
	if (sent)
		coap_io_process(coap->context, COAP_IO_NO_WAIT);
	io_coap_close(coap);
	return sent && !heard;
}

int io_coap_open_beside(struct io_coap **out, const struct io_coap *old,
			const struct gk_addr *listen, io_coap_request_fn *handler,
			io_coap_answer_fn *answer, void *ctx)
{
	coap_startup();
	coap_set_log_level((coap_log_t)0); // nothing but 'emergency'

	if (swallows_oscore())
		return -ENOTSUP;
	return open_endpoint(out, old, listen, handler, answer, ctx);
}

int io_coap_open(struct io_coap **out, const struct gk_addr *listen, io_coap_request_fn *handler,
		 io_coap_answer_fn *answer, void *ctx)
{
	return io_coap_open_beside(out, NULL, listen, handler, answer, ctx);
}

void io_coap_give_up(struct io_coap *coap)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		if (r->state == WAITING || r->state == SENT)
			finish_as(coap, r, false, gk_span(NULL, 0));
	}
}

void io_coap_close(struct io_coap *coap)
{
	if (!coap)
		return;

	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		if (r->state == SENT || r->state == DONE)
			close_session(r->session);
		free_request(r);
	}
	// coap_cleanup() is for the whole process, which may have other endpoints.
	coap_free_context(coap->context);
	free(coap);
}

uint16_t io_coap_port(const struct io_coap *coap)
{
	return ntohs(coap->local.addr.sin6.sin6_port);
}

int io_coap_fd(const struct io_coap *coap)
{
	return coap_context_get_coap_fd(coap->context);
}

static bool is_readable(const struct io_coap *coap)
{
	struct pollfd fd = { .fd = io_coap_fd(coap), .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void give_up_overdue(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		if ((r->state == WAITING || r->state == SENT) && r->deadline.ms <= now.ms)
			finish(coap, r, gk_span(NULL, 0));
	}
}

static void close_done(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		struct request *r = &coap->requests[i];
		struct gk_addr peer = r->peer;

		if (r->state != DONE)
			continue;
		close_session(r->session);
		free_request(r);
		start_next(coap, &peer, now);
	}
}

void io_coap_read(struct io_coap *coap)
{
	// More than one round, since a socket that is about to be closed may hold a request of the
	// peer behind its response.
	for (int i = 0; i < ROUNDS_MAX && (i == 0 || is_readable(coap)); i++)
		coap_io_process(coap->context, COAP_IO_NO_WAIT);

	struct gk_mono now = io_now().mono;
	give_up_overdue(coap, now);
	close_done(coap, now);
}

struct gk_mono io_coap_next_expiry(struct io_coap *coap, struct gk_now now)
{
	struct gk_mono next = { GK_NEVER };
	coap_tick_t ticks;

	for (size_t i = 0; i < IO_COAP_REQUESTS_MAX; i++) {
		const struct request *r = &coap->requests[i];
		if ((r->state == WAITING || r->state == SENT) && r->deadline.ms < next.ms)
			next = r->deadline;
	}

	coap_ticks(&ticks);
	unsigned int wait_ms = coap_io_prepare_epoll(coap->context, ticks);
	if (wait_ms > 0 && now.mono.ms + wait_ms < next.ms)
		next.ms = now.mono.ms + wait_ms;
	return next;
}
