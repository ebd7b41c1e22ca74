// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Where requests come in: the address of 'listen'. It may come later than we do, and the interface
 * that it names may go and come back as another; until it is there it is tried once a second. What
 * was asked by way of one that went counts as never sent.
 */
#ifndef GW_LISTEN_H
#define GW_LISTEN_H

#include "gatewayd/daemon.h"

/** An endpoint that is to take the place of ours. */
struct gw_listener {
	const char *listen;   /* borrowed */
	struct io_coap *coap; /* NULL: its address is not there yet */
	uint32_t scope;
};

/** Open the endpoint, or wait for its address. What no waiting mends is fatal. */
void gw_listen_open(struct gw_daemon *daemon);
/** Our interface is there: is it the one that we listen at? */
void gw_listen_check(struct gw_daemon *daemon);
/**
 * Open an endpoint at another address, beside ours, which goes on.
 * @return 0; -EADDRINUSE and other -errno: it cannot be had
 */
GK_MUST_CHECK int gw_listen_prepare(struct gw_daemon *daemon, const char *listen,
				    struct gw_listener *next);
/** @return why an endpoint cannot be had, from what gw_listen_prepare() has returned */
const char *gw_listen_why(int err);
/** Forget one that was prepared. */
void gw_listen_cancel(struct gw_daemon *daemon, struct gw_listener *next);
/**
 * Put it in the place of ours. What has come to ours by now is answered; what was asked by way of
 * it counts as never sent. Not in a callback of it.
 */
void gw_listen_replace(struct gw_daemon *daemon, const struct gw_listener *next);
/** When gw_listen_turn() wants to be called. */
struct gk_mono gw_listen_next_expiry(const struct gw_daemon *daemon);
/** Try again, when it is time. */
void gw_listen_turn(struct gw_daemon *daemon, struct gk_mono now);

#endif
