// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The operator's socket: a UNIX stream socket of mode 0600. A client sends the words of one call
 * with a NUL between each two, and shuts down its direction; it gets a line with the status, one
 * digit, and behind it the answer, and the connection is closed.
 *
 * Bounds: 4,096 bytes of request, 16 clients, of which at most 8 follow events; 10 seconds for a
 * client to do its next step. An answer is as long as it is, and in memory until it is sent: of
 * 10,000 members some 5 MB.
 */
#ifndef GW_CONTROL_H
#define GW_CONTROL_H

#include "libgroupkey/groupkey.h"

struct gw_control;
struct gw_daemon;

/** Room that holds any message of gw_control_open(). */
#define GW_CONTROL_ERROR 256

/**
 * Make the socket and wait for clients in the daemon's loop.
 *
 * A socket that is there and that nobody listens to is replaced; anything else is left alone.
 *
 * @param path   of at most 107 bytes
 * @param error  on failure gets one line that begins with 'path'
 * @return 0; -EADDRINUSE: someone listens there, or it is no socket; other -errno
 */
GK_MUST_CHECK int gw_control_open(struct gw_control **control, struct gw_daemon *daemon,
				  const char *path, char *error, size_t size);
/**
 * Go to another path, and remove the socket at the old one; clients stay.
 * @return as gw_control_open(); then it is where it was
 */
GK_MUST_CHECK int gw_control_move(struct gw_control *control, const char *path, char *error,
				  size_t size);
/** Close, and remove the socket. NULL is allowed. */
void gw_control_close(struct gw_control *control);

/** When gw_control_turn() has a client to give up; ms GK_NEVER: none. */
struct gk_mono gw_control_next_expiry(const struct gw_control *control);
/** At the end of a turn: tell what happened to those who follow, give up those who are slow. */
void gw_control_turn(struct gw_control *control, struct gk_mono now);

#endif
