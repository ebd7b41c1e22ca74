// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The daemon: the KDC of libgroupkey between its store, the network, the kernel and the operator.
 *
 *   daemon.c     start, the loop, the end
 *   listen.c     the address that requests come to
 *   multicast.c  the ports that messages to groups leave from; questions.c: which of them are open
 *   serve.c      what goes to the KDC, and what it wants done
 *   storage.c    the store: which one it is, and how much it can take
 *   clock.c      what time it is; reserve.c: room on the flash
 *   reload.c     another configuration, while we run
 *   control.c    the operator's socket; calls.c, show.c, client_add.c: what can be said there
 */
#ifndef GW_DAEMON_H
#define GW_DAEMON_H

#include "gatewayd/clock.h"
#include "gatewayd/conf.h"
#include "gatewayd/multicast.h"
#include "gatewayd/notes.h"
#include "gatewayd/outbox.h"
#include "gatewayd/privilege.h"
#include "gatewayd/questions.h"
#include "gatewayd/reserve.h"
#include "gatewayd/segment.h"
#include "gatewayd/store.h"
#include "io/coap.h"
#include "io/loop.h"

struct gw_answer;
struct gw_control;

/** All of it. Only the files named above look inside. */
struct gw_daemon {
	struct gw_conf conf;           /* in effect */
	const char *const *conf_paths; /* ends with NULL */
	bool debug;                    /* -d: the log's level and place are not those of 'conf' */
	struct gw_rights rights;
	struct io_loop *loop;
	struct gw_clock clock;
	struct gw_store *store;
	struct gw_reserve reserve;
	enum gk_storage storage; /* what the KDC was last told */
	int64_t keep_time_ms;    /* when to look whether the time is to be written by itself */
	struct gk_kdc *kdc;
	struct gw_notes notes;
	struct gw_outbox outbox;
	struct gw_segment segment;
	struct gw_multicast multicast;
	struct gw_questions questions;
	struct io_coap *coap;  /* NULL: the address to listen at is not there yet, */
	int64_t listen_ms;     /* and will be tried again then; else GK_NEVER */
	uint32_t listen_scope; /* the interface it is bound to; 0: none */
	int heard_ifindex;     /* on which it hears multicast discovery; 0: none */
	struct gw_control *control;
	struct gk_mono started;
	bool stopping;
	struct gw_answer *answers, **answers_end; /* on their way to the KDC */
	uint64_t exchange;                        /* the request being answered, and where */
	struct gk_buf *reply;                     /* its answer goes; NULL: none */
};

/* daemon.c */

/** How the daemon was started. */
struct gw_start {
	const char *const *conf_paths; /* ends with NULL; borrowed until gw_daemon_stop() */
	bool debug;
	enum gw_store_wish wish;
};

/**
 * Start: open everything, restore the state, resume what was interrupted. What fails is fatal.
 * @param conf  the daemon's from now on; emptied
 */
void gw_daemon_start(struct gw_daemon *daemon, struct gw_conf *conf, const struct gw_start *start);
/** Have the KDC serve the groups of the configuration, those that it does not yet. */
void gw_daemon_add_groups(struct gw_daemon *daemon);
/** Wait for something to do, and do it. */
void gw_daemon_turn(struct gw_daemon *daemon);
/** Serve until SIGTERM or SIGINT. */
void gw_daemon_run(struct gw_daemon *daemon);
/** Close everything. */
void gw_daemon_stop(struct gw_daemon *daemon);

/* storage.c */

/** Open store and mark, the clock and the reserve, and make the KDC from them. */
void gw_storage_open(struct gw_daemon *daemon, enum gw_store_wish wish);
/**
 * At the start of each turn, before the KDC is given something to do: tell it how much the store
 * can take, and what time it is if that was corrected. Not while the store refuses.
 */
void gw_storage_look(struct gw_daemon *daemon);
/** When gw_storage_look() has something to find out by itself; ms GK_NEVER: nothing. */
struct gk_mono gw_storage_next_expiry(const struct gw_daemon *daemon);
/** Commit records, and the time; if there is no room, in that of the reserve.
 * @return 0 or -errno */
int gw_storage_commit(struct gw_daemon *daemon, const struct gk_record *records, size_t count);
/** Write down what is known of time, and close. */
void gw_storage_close(struct gw_daemon *daemon);
/** Both clocks as of the start of this turn, the calendar as far as it can be believed. */
struct gk_now gw_now(const struct gw_daemon *daemon);

/* serve.c */

extern const struct gw_outlets gw_serve_outlets;
extern const struct gw_segment_sink gw_serve_segment;

/** A request came in: io_coap_request_fn. */
void gw_serve_request(void *daemon, const struct gk_exchange *exchange, struct gk_span message,
		      struct gk_buf *reply);
/** Which key and name a DTLS session has: of struct io_coap_keys. */
bool gw_serve_psk(void *ctx, struct gk_span identity, struct gk_buf *key, struct gk_id *name);
bool gw_serve_raw_key(void *ctx, struct gk_span spki, struct gk_id *name);
/** An answer came in, or none in time: io_coap_answer_fn. */
void gw_serve_answer(void *daemon, uint64_t id, bool sent, struct gk_span message);
/** A notification was acknowledged, or not: io_coap_notified_fn. */
void gw_serve_notified(void *daemon, uint64_t id, bool sent, enum gk_notified outcome);
/** A confirmation came in, or an answer to what was asked by multicast: io_group_message_fn. */
void gw_serve_group_answer(void *daemon, const struct gk_exchange *exchange,
			   struct gk_span message);
/** Questions by multicast whose time is over. */
void gw_serve_end_questions(struct gw_daemon *daemon);
/** Have the KDC do what is due. */
void gw_serve_expire(struct gw_daemon *daemon);
/**
 * Carry out all that the KDC wants done.
 * @return false: the store refuses; what was to be done waits for it, and the KDC with it
 */
bool gw_serve_settle(struct gw_daemon *daemon);
/** @return false while the store refuses: the KDC is then not to be called */
bool gw_serve_ready(const struct gw_daemon *daemon);
/** Forget the answers that did not reach the KDC. */
void gw_serve_drop(struct gw_daemon *daemon);
/** Out of memory the KDC may be ahead of its store: only a restart helps, so this is fatal. */
void gw_serve_check(enum gk_err err);

#endif
