// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libgroupkey/numbers.h"

// libcoap walks every session at every turn, and we keep nothing in them.
#define IDLE_SESSIONS_MAX 64
#define IDLE_SESSION_S    60

// Datagrams of one socket that are read in one turn of the loop, at most.
#define ROUNDS_MAX 16

/* Messages: libcoap's form and ours */

void io_coap_write_message(struct gk_buf *buf, const coap_pdu_t *pdu)
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

bool io_coap_fill_pdu(coap_pdu_t *pdu, const struct gk_coap *msg)
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

struct gk_addr io_coap_peer_of(const coap_session_t *session)
{
	return io_addr_from_sockaddr(&coap_session_get_addr_remote(session)->addr.sin6);
}

coap_address_t io_coap_address_of(const struct gk_addr *addr)
{
	coap_address_t address;

	coap_address_init(&address);
	address.size = sizeof(address.addr.sin6);
	address.addr.sin6 = io_addr_to_sockaddr(addr);
	return address;
}

int io_coap_last_error(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* Requests of others */

// Without its token, which may be too long, and the name of its session.
static struct gk_exchange exchange_of(struct io_coap *coap, const coap_session_t *session,
				      const coap_pdu_t *request)
{
	return (struct gk_exchange){
		.id = ++coap->exchanges,
		.peer = io_coap_peer_of(session),
		.message_id = (uint16_t)coap_pdu_get_mid(request),
		.session = io_coap_session_number(session),
		.multicast = io_coap_is_multicast(session),
	};
}

static void answer_request(coap_resource_t *resource, coap_session_t *session,
			   const coap_pdu_t *request, const coap_string_t *query,
			   coap_pdu_t *response)
{
	struct io_coap *coap = coap_get_app_data(coap_session_get_context(session));
	coap_bin_const_t token = coap_pdu_get_token(request);
	struct gk_exchange exchange = exchange_of(coap, session, request);
	uint8_t in[IO_COAP_DATAGRAM_MAX], out[IO_COAP_MESSAGE_MAX];
	struct gk_buf message = gk_buf(in, sizeof(in)), reply = gk_buf(out, sizeof(out));
	struct gk_coap msg;

	(void)resource, (void)query;
	// RFC 8974 would allow longer tokens; libcoap does not take them unasked.
	if (token.length > sizeof(exchange.token)) {
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_BAD_REQUEST);
		return;
	}
	exchange.token_len = (uint8_t)token.length;
	memcpy(exchange.token, token.s, token.length);
	if (!io_coap_hear_session(coap, session, &exchange.dtls)) {
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_UNAUTHORIZED);
		return;
	}

	io_coap_write_message(&message, request);
	coap->handler(coap->ctx, &exchange, gk_buf_span(&message), &reply);

	// A response that is left without a code becomes an empty acknowledgement.
	if (reply.len > 0 && (gk_coap_parse(gk_buf_span(&reply), &msg) != GK_OK ||
			      !io_coap_fill_pdu(response, &msg)))
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_INTERNAL_ERROR);
}

static bool add_resource(coap_context_t *context, coap_resource_t *resource)
{
	if (!resource)
		return false;

	for (int method = COAP_REQUEST_GET; method <= COAP_REQUEST_IPATCH; method++)
		coap_register_handler(resource, (coap_request_t)method, answer_request);
	coap_add_resource(context, resource);
	return true;
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
static bool is_claimed_by(const coap_address_t *old, const struct gk_addr *listen)
{
	const struct sockaddr_in6 address = io_addr_to_sockaddr(listen);
	const struct in6_addr *theirs = &address.sin6_addr, *ours;

	if (!old || old->addr.sin6.sin6_port != address.sin6_port)
		return false;
	ours = &old->addr.sin6.sin6_addr;
	return IN6_IS_ADDR_UNSPECIFIED(ours) || IN6_ARE_ADDR_EQUAL(ours, theirs) ||
	       (IN6_IS_ADDR_UNSPECIFIED(theirs) && IN6_IS_ADDR_LOOPBACK(ours));
}

int io_coap_claim(struct gk_addr *listen, const coap_address_t *taken)
{
	return is_claimed_by(taken, listen) ? 0 : claim_port(listen);
}

coap_context_t *io_coap_new_context(struct io_coap *coap)
{
	coap_context_t *context = coap_new_context(NULL);

	if (!context)
		return NULL;
	coap_context_set_max_idle_sessions(context, IDLE_SESSIONS_MAX);
	coap_context_set_session_timeout(context, IDLE_SESSION_S);
	coap_set_app_data(context, coap);
	coap_register_response_handler(context, io_coap_take_response);

	// Of the critical options that reach us outside of OSCORE, the one libcoap does not know:
	// it would answer 4.02 for us.
	coap_register_option(context, GK_OPT_OSCORE);

	// Two resources take everything: the empty path is unknown too, and ".well-known/core" is
	// what libcoap would otherwise answer itself.
	if (add_resource(context, coap_resource_unknown_init(answer_request)) &&
	    add_resource(context, coap_resource_init(coap_make_str_const(".well-known/core"), 0)))
		return context;
	coap_free_context(context);
	return NULL;
}

static int set_up_context(struct io_coap *coap, const struct gk_addr *listen)
{
	struct epoll_event event = { .events = EPOLLIN };

	coap->context = io_coap_new_context(coap);
	if (!coap->context)
		return -ENOMEM;

	coap->local = io_coap_address_of(listen);
	errno = 0;
	coap_endpoint_t *endpoint = coap_new_endpoint(coap->context, &coap->local, COAP_PROTO_UDP);
	if (!endpoint)
		return io_coap_last_error();

	coap_endpoint_set_default_mtu(endpoint, IO_COAP_DATAGRAM_MAX);
	if (coap_context_get_coap_fd(coap->context) < 0)
		return -ENOTSUP;
	return epoll_ctl(coap->epoll, EPOLL_CTL_ADD, coap_context_get_coap_fd(coap->context),
			 &event) < 0
		       ? -errno
		       : 0;
}

static int open_endpoint(struct io_coap **out, const struct io_coap *old,
			 const struct gk_addr *listen, io_coap_request_fn *handler,
			 io_coap_answer_fn *answer, void *ctx)
{
	struct gk_env env = io_env();
	struct gk_addr address = *listen;
	struct io_coap *coap;
	int err = io_coap_claim(&address, old ? &old->local : NULL);

	if (err < 0)
		return err;

	coap = calloc(1, sizeof(*coap));
	if (!coap)
		return -ENOMEM;

	*coap = (struct io_coap){ .handler = handler, .answer = answer, .ctx = ctx };
	coap->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (coap->epoll < 0)
		err = -errno;
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
static bool send_oscore(const struct io_coap *coap, uint8_t code)
{
	const uint8_t request[] = { 0x40, code, 0x00, 0x01, GK_OPT_OSCORE << 4 };
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
 * A libcoap with OSCORE of its own swallows every request under OSCORE; and 4.3.4 and 4.3.5 those
 * of code FETCH, which have no Content-Format outside, even without. Headers do not tell, since the
 * one that a program is linked to at run time may be newer; nor does coap_oscore_is_supported(),
 * which says no where there is no TLS library, though the code is there. So try it, where nobody
 * else can send.
 */
static bool swallows_oscore(uint8_t code)
{
	static const struct gk_addr loopback = { .ip = { [15] = 1 } };
	bool heard = false, sent;
	struct io_coap *coap;

	if (open_endpoint(&coap, NULL, &loopback, note_request, NULL, &heard) < 0)
		return false;

	sent = send_oscore(coap, code);
	if (sent)
		coap_io_process(coap->context, COAP_IO_NO_WAIT);
	io_coap_close(coap);
	return sent && !heard;
}

static void start_libcoap(void)
{
	coap_startup();
	coap_set_log_level((coap_log_t)0); // nothing but 'emergency'
}

bool io_coap_can_observe(void)
{
	start_libcoap();
	return !swallows_oscore(GK_COAP_FETCH);
}

int io_coap_open_beside(struct io_coap **out, const struct io_coap *old,
			const struct gk_addr *listen, io_coap_request_fn *handler,
			io_coap_answer_fn *answer, void *ctx)
{
	start_libcoap();
	if (swallows_oscore(GK_COAP_POST))
		return -ENOTSUP;
	return open_endpoint(out, old, listen, handler, answer, ctx);
}

int io_coap_open(struct io_coap **out, const struct gk_addr *listen, io_coap_request_fn *handler,
		 io_coap_answer_fn *answer, void *ctx)
{
	return io_coap_open_beside(out, NULL, listen, handler, answer, ctx);
}

void io_coap_close(struct io_coap *coap)
{
	if (!coap)
		return;

	io_coap_drop_requests(coap);
	io_coap_release_sessions(coap);
	// coap_cleanup() is for the whole process, which may have other endpoints.
	coap_free_context(coap->context);
	io_coap_free_dtls(coap);
	if (coap->epoll >= 0)
		close(coap->epoll);
	free(coap);
}

uint16_t io_coap_port(const struct io_coap *coap)
{
	return ntohs(coap->local.addr.sin6.sin6_port);
}

int io_coap_fd(const struct io_coap *coap)
{
	return coap->epoll;
}

static bool is_readable(const struct io_coap *coap)
{
	struct pollfd fd = { .fd = io_coap_fd(coap), .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void process(struct io_coap *coap)
{
	bool before = io_coap_hurry(!coap->joined);

	coap_io_process(coap->context, COAP_IO_NO_WAIT);
	io_coap_hurry(before);
	io_coap_process_notifiers(coap);
}

void io_coap_read(struct io_coap *coap)
{
	// More than one round, since a socket that is about to be closed may hold a request of the
	// peer behind its response.
	for (int i = 0; i < ROUNDS_MAX && (i == 0 || is_readable(coap)); i++)
		process(coap);

	struct gk_mono now = io_now().mono;
	io_coap_end_turn(coap, now);
	io_coap_tidy_sessions(coap, now);
}

struct gk_mono io_coap_next_expiry(struct io_coap *coap, struct gk_now now)
{
	struct gk_mono next = io_coap_next_deadline(coap);
	coap_tick_t ticks;

	coap_ticks(&ticks);
	unsigned int wait_ms = coap_io_prepare_epoll(coap->context, ticks);
	if (wait_ms > 0 && now.mono.ms + wait_ms < next.ms)
		next.ms = now.mono.ms + wait_ms;
	return io_coap_next_retransmission(coap, next, now);
}
