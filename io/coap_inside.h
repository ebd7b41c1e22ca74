// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the parts of io/coap.h share: the endpoint and the requests of others are in coap.c, the
 * requests of our own in coap_request.c, sessions under DTLS in coap_dtls.c, groups in
 * coap_multicast.c. Only these include libcoap.
 */
#ifndef IO_COAP_INSIDE_H
#define IO_COAP_INSIDE_H

#include <coap3/coap.h>

#include "io/coap.h"
#include "libgroupkey/coap.h"

// A UDP payload in the smallest IPv6 packet that every link carries (RFC 8200 section 5).
#define IO_COAP_DATAGRAM_MAX (1280 - 40 - 8)

// RFC 7252 section 5.3.1 asks for 32 random bits on an open network; OSCORE does not need them,
// and each byte crosses the radio twice.
#define IO_COAP_TOKEN_LEN 4
#define IO_COAP_TOKEN_MAX 8 // of others (RFC 7252 section 3)

enum io_coap_state {
	IO_COAP_FREE = 0,
	IO_COAP_OBSERVING, // answered, and other answers may come by any socket
	IO_COAP_WAITING,   // for another request to the same peer; 'message' is ours
	IO_COAP_SENT,      // in 'session', a socket of its own or the peer's under DTLS
	IO_COAP_DONE,      // answered; 'session' is closed at the end of the turn
};

struct io_coap_own {
	enum io_coap_state state;
	uint64_t id;
	uint64_t turn; // who waits longest has the smallest
	struct gk_addr peer;
	struct gk_id dtls; /* the session it goes in; empty: none, but a socket of its own */
	uint64_t number;   /* ... a notification: the one of that name */
	struct gk_mono deadline;
	uint8_t token_len;
	uint8_t token[IO_COAP_TOKEN_MAX];
	coap_session_t *session;
	bool observe, observed;        // further answers are wanted; and will come
	coap_context_t *notifier;      // of its own, once it is sent; not under DTLS
	bool notifies, refused, reset; // refused: libcoap has given up, for whatever reason
	coap_mid_t mid;
	bool fits; // libcoap gives up before the deadline
	bool over; // the deadline has passed
	uint8_t *message;
	size_t message_len;
};

struct io_coap {
	coap_context_t *context;
	int epoll; // on the descriptors of all contexts
	coap_address_t local;
	io_coap_request_fn *handler;
	io_coap_answer_fn *answer;
	io_coap_notified_fn *notified;
	void *ctx;
	bool joined; // groups, so that libcoap answers what comes by multicast
	uint64_t exchanges, turns;
	uint16_t message_id;
	struct io_coap_dtls *dtls; // NULL: no DTLS
	struct io_coap_own requests[IO_COAP_REQUESTS_MAX];
};

/* Messages: libcoap's form and ours (coap.c) */

void io_coap_write_message(struct gk_buf *buf, const coap_pdu_t *pdu);
bool io_coap_fill_pdu(coap_pdu_t *pdu, const struct gk_coap *msg);
struct gk_addr io_coap_peer_of(const coap_session_t *session);
coap_address_t io_coap_address_of(const struct gk_addr *addr);
/** -errno of the libcoap call that just failed; libcoap tells nothing else. */
int io_coap_last_error(void);

/* Requests to many (coap_multicast.c) */

/** @return true if the request that is being handled was sent to a multicast address */
bool io_coap_is_multicast(const coap_session_t *session);
/**
 * From now on have libcoap hand out at once what comes by multicast, or when it would have it
 * answered. In releases that let answers wait, not requests, there is nothing to be done.
 * @return as it was
 */
bool io_coap_hurry(bool at_once);

/* The endpoint (coap.c) */

/** Find out whether an address is free. @param taken  by us, and about to be closed; or NULL
 *  @return 0, and 'listen' has its port; -errno */
int io_coap_claim(struct gk_addr *listen, const coap_address_t *taken);

/* Sessions under DTLS (coap_dtls.c) */

/** @param name  of the session, unchanged if it is not under DTLS
 *  @return false: under DTLS, and nobody has given it a name */
bool io_coap_name_session(const coap_session_t *session, struct gk_id *name);
/** The same for a session that a request came in: it is in use. */
bool io_coap_hear_session(struct io_coap *coap, const coap_session_t *session, struct gk_id *name);
/** @return the newest session of that name that is up, or NULL */
coap_session_t *io_coap_find_session(const struct io_coap *coap, const struct gk_id *name);
/** What tells sessions of one name apart, in this process and before; 0: it is not under DTLS. */
uint64_t io_coap_session_number(const coap_session_t *session);
/** @return the session of that number, if it is up; or NULL */
coap_session_t *io_coap_find_numbered(const struct io_coap *coap, uint64_t number);
/** A request of ours in it was answered, or was not. @param fits  libcoap has given that up too */
void io_coap_note_silence(const coap_session_t *session, bool silent, bool fits);
/** May libcoap still send what was given up, and only then what comes next? */
bool io_coap_is_left_over(const coap_session_t *session);
/** End what is to end. */
void io_coap_tidy_sessions(struct io_coap *coap, struct gk_mono now);
/** Before the context is freed, and after. */
void io_coap_release_sessions(struct io_coap *coap);
void io_coap_free_dtls(struct io_coap *coap);

/* Requests of our own (coap_request.c) */

/** Have libcoap tell what becomes of notifications that go in sessions of this context. */
void io_coap_hear_nacks(coap_context_t *context);
/** A context of libcoap without endpoint, which answers requests as the others do. NULL: no memory,
 *  or no epoll. (coap.c) */
coap_context_t *io_coap_new_context(struct io_coap *coap);
/** Let libcoap read what has arrived for notifications, and retransmit. */
void io_coap_process_notifiers(struct io_coap *coap);
/** When it wants to be called for that, at most 'next'. */
struct gk_mono io_coap_next_retransmission(const struct io_coap *coap, struct gk_mono next,
					   struct gk_now now);
/** libcoap's handler of responses. */
coap_response_t io_coap_take_response(coap_session_t *session, const coap_pdu_t *sent,
				      const coap_pdu_t *received, coap_mid_t mid);
/** End what is overdue, close what is answered, and start what waited for it. */
void io_coap_end_turn(struct io_coap *coap, struct gk_mono now);
/** Forget all of them without a call. */
void io_coap_drop_requests(struct io_coap *coap);
/** The first deadline; ms GK_NEVER: none. */
struct gk_mono io_coap_next_deadline(const struct io_coap *coap);

#endif
