// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * CoAP over UDP by unicast, and what is sent to all CoAP nodes, on libcoap (API of 4.3.0), which
 * nothing else knows. It turns what libcoap parsed into the message form of libgroupkey and back.
 * Acknowledgement and retransmission are libcoap's; OSCORE passes through as an option, and so do
 * Observe and the options of block-wise transfer.
 *
 * One peer is asked one thing at a time (NSTART of RFC 7252 section 4.7); what is asked of it
 * meanwhile waits for its turn. A request ends with a response or with its time, and with nothing
 * else: a Reset or an ICMP error can be forged by anyone, and would make a silent peer of a live
 * one.
 */
#ifndef IO_COAP_H
#define IO_COAP_H

#include "io/addr.h"
#include "io/loop.h"

struct io_coap;

/**
 * What a server does with a request: write the answer into 'reply', or leave it empty for none
 * (which is an empty acknowledgement if the request was confirmable). A request that is received
 * twice is handed out twice, with the same message id and token. An answer larger than
 * IO_COAP_MESSAGE_MAX, or not well-formed, becomes 5.00.
 */
typedef void io_coap_request_fn(void *ctx, const struct gk_exchange *exchange,
				struct gk_span message, struct gk_buf *reply);
/**
 * The answer to request 'id', or an empty span: none came in time. Called exactly once per id.
 * @param sent  false: it never left this machine, since its turn did not come in time or it could
 *              not be sent then; that says nothing about the peer
 */
typedef void io_coap_answer_fn(void *ctx, uint64_t id, bool sent, struct gk_span message);

/** The largest message, options and payload, that goes into one datagram of 1,280 bytes. */
#define IO_COAP_MESSAGE_MAX 1200

/**
 * Requests of our own that may be under way. More members than this in one rekeying are asked in
 * turns anyway, to spare the radio; and each open one may hold a socket.
 */
#define IO_COAP_REQUESTS_MAX 256

/**
 * Open an endpoint.
 *
 * @param listen  where requests are answered; port 0: any. Requests of our own come from the same
 *                port, so that a peer sees one.
 * @param handler, answer, ctx  called from io_coap_read() alone; they may call io_coap_request()
 * @return 0; -EADDRINUSE and other -errno: cannot bind; -ENOTSUP: this libcoap swallows OSCORE
 *         (configure --install-deps builds one that does not) or has no epoll
 */
int io_coap_open(struct io_coap **coap, const struct gk_addr *listen, io_coap_request_fn *handler,
		 io_coap_answer_fn *answer, void *ctx);
/**
 * As io_coap_open(), while 'old' is open, which is about to be closed: its port may be the same.
 * @param old  NULL: none
 */
int io_coap_open_beside(struct io_coap **coap, const struct io_coap *old,
			const struct gk_addr *listen, io_coap_request_fn *handler,
			io_coap_answer_fn *answer, void *ctx);
/** Close; requests under way are forgotten without a call. NULL is allowed. Not in a callback. */
void io_coap_close(struct io_coap *coap);

/** End all requests, as if they had never been sent: 'answer' is called for each. Before closing.
 */
void io_coap_give_up(struct io_coap *coap);

/**
 * Hear what is sent to all CoAP nodes too, ff02::fd, ff03::fd and ff05::fd, by way of an interface;
 * again, when that has come back. Only an endpoint on :: hears it. Such requests have 'multicast'
 * in their exchange; answers to them go out after a random delay of up to 5 s (RFC 7252
 * section 8.2), and errors do not go out at all.
 * @return false: not all of them can be joined now
 */
bool io_coap_join(struct io_coap *coap, const char *interface);
/** The port that was bound. */
uint16_t io_coap_port(const struct io_coap *coap);
/** A descriptor that becomes readable when io_coap_read() has something to do (epoll in epoll). */
int io_coap_fd(const struct io_coap *coap);
/** Read and dispatch what has arrived, retransmit and give up what is due. Never blocks. */
void io_coap_read(struct io_coap *coap);
/** When io_coap_read() wants to be called for retransmissions or timeouts; ms GK_NEVER: not. */
struct gk_mono io_coap_next_expiry(struct io_coap *coap, struct gk_now now);

/**
 * Send a confirmable request.
 *
 * @param id          the caller's name for it, unique while it is under way
 * @param timeout_ms  retransmissions are fitted into this time; when it is over, 'answer' is
 *                    called with an empty span
 * @return 0; -EMSGSIZE: over IO_COAP_MESSAGE_MAX; -EINVAL: not well-formed; -ENOBUFS: too many are
 *         under way; -ENETUNREACH and other -errno. After an error nothing was sent and 'answer'
 *         will not be called.
 */
int io_coap_request(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now);

#endif
