// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * CoAP by unicast, over UDP and DTLS, and what is sent to all CoAP nodes, on libcoap (API
 * of 4.3.0), which nothing else knows. It turns what libcoap parsed into the message form of
 * libgroupkey and back. Acknowledgement and retransmission are libcoap's; OSCORE passes through as
 * an option, and so do Observe and the options of block-wise transfer.
 *
 * One peer is asked one thing at a time (NSTART of RFC 7252 section 4.7); what is asked of it
 * meanwhile waits for its turn. A request ends with a response or with its time, and with nothing
 * else: a Reset or an ICMP error can be forged by anyone, and would make a silent peer of a live
 * one. A notification ends with its acknowledgement or a Reset too.
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

/** What became of notification 'id'. Called exactly once per id. @param sent  as above */
typedef void io_coap_notified_fn(void *ctx, uint64_t id, bool sent, enum gk_notified outcome);

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

/** Are requests that observe under OSCORE handed out? From outside they are FETCHes without
 * Content-Format, which libcoap 4.3.4 and 4.3.5 answer. */
bool io_coap_can_observe(void);

/** End all requests, as if they had never been sent: 'answer' is called for each.
 * Before closing. */
void io_coap_give_up(struct io_coap *coap);

/**
 * Hear what is sent to all CoAP nodes too, ff02::fd, ff03::fd and ff05::fd, by way of an interface;
 * again, when that has come back. Only an endpoint on :: hears it. Such requests have 'multicast'
 * in their exchange; answers to them go out after a random delay of up to 5 s (RFC 7252
 * section 8.2), and errors do not go out at all.
 * @return false: not all of them can be joined now
 */
bool io_coap_join(struct io_coap *coap, const char *interface);

/** How DTLS sessions get their keys and names. */
struct io_coap_keys {
	/* the key that a psk_identity is about, and the name of the session; false: refuse it */
	bool (*psk)(void *ctx, struct gk_span identity, struct gk_buf *key, struct gk_id *name);
	/* the name for a raw public key, SubjectPublicKeyInfo as DER; false: refuse it */
	bool (*raw_key)(void *ctx, struct gk_span spki, struct gk_id *name);
	uint8_t d[32], xy[64]; /* our own raw public key, of P-256 */
};

/** DTLS sessions that are kept; of more, that which was silent for longest ends. Each takes about
 *  15 kB, with GnuTLS. */
#define IO_COAP_SESSIONS_MAX 256

/** Can this libcoap do DTLS at all, with pre-shared keys? And with raw public keys? */
bool io_coap_has_dtls(void);
bool io_coap_has_raw_keys(void);
/**
 * Answer requests under DTLS as well, each of which has the name of its session. A client has one
 * session: a newer one ends the older. What goes wrong is nobody's to know but the peer's.
 *
 * @param old   as for io_coap_open_beside()
 * @param keys  copied
 * @return 0; -ENOTSUP: there is no DTLS in this libcoap; -EADDRINUSE and other -errno: cannot bind.
 *         After an error nothing else is to be done with 'coap' than to close it.
 */
int io_coap_open_dtls(struct io_coap *coap, const struct io_coap *old, const struct gk_addr *listen,
		      const struct io_coap_keys *keys, void *ctx);
/** The port that was bound for it; 0: none. */
uint16_t io_coap_dtls_port(const struct io_coap *coap);
/** How many DTLS sessions are up. */
size_t io_coap_session_count(const struct io_coap *coap);
/** End the sessions of a name, when all that was begun in this turn is done. */
void io_coap_end_sessions(struct io_coap *coap, const struct gk_id *name);

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
/**
 * The same in the newest DTLS session of a name, wherever it leads.
 * @return as io_coap_request(); -ENOTCONN: there is none
 */
int io_coap_request_in(struct io_coap *coap, uint64_t id, const struct gk_id *name,
		       struct gk_span message, uint32_t timeout_ms, struct gk_now now);

/**
 * The same, and if its answer has an Observe option, 'answer' is called again for each further one
 * with its token (RFC 7641), until io_coap_cancel(). Confirmable ones are acknowledged.
 */
int io_coap_observe(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		    struct gk_span message, uint32_t timeout_ms, struct gk_now now);
/** Forget what io_coap_observe() began, if it has been answered: what still comes gets a Reset. */
void io_coap_cancel(struct io_coap *coap, uint64_t id);

/** Have 'notified' called for notifications, from io_coap_read() alone, as 'answer' is. */
void io_coap_on_notified(struct io_coap *coap, io_coap_notified_fn *notified);
/**
 * Send a confirmable response to a request of former times (RFC 7641 section 4), from the listening
 * port. It takes turns with requests to the same peer.
 *
 * @param token       of that request, at most 8 bytes
 * @param timeout_ms  retransmissions are fitted into this time; 'notified' is called when there is
 *                    an acknowledgement, a Reset, or when the time is over
 * @return as io_coap_request()
 */
int io_coap_notify(struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
		   struct gk_span token, struct gk_span message, uint32_t timeout_ms,
		   struct gk_now now);
/**
 * The same in the DTLS session that the request came in. While other messages wait for theirs,
 * there is no telling that an acknowledgement has come but by the end of the time: 'notified' may
 * be called so late. It is called with GK_NOTIFIED_GONE if the session ends meanwhile.
 *
 * @param session  of that name: the one of the request's gk_exchange
 * @return as io_coap_request(); -ENOTCONN: that session is over
 */
int io_coap_notify_in(struct io_coap *coap, uint64_t id, const struct gk_id *name, uint64_t session,
		      struct gk_span token, struct gk_span message, uint32_t timeout_ms,
		      struct gk_now now);

#endif
