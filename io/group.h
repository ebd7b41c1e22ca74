// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Non-confirmable CoAP by IPv6 multicast, on a UDP socket of our own: libcoap ignores the
 * interface of anything but link-local groups and delays answers. One interface, one group.
 *
 * Several programs on one machine may be in a group, and hear each other: what is sent is looped
 * back by the kernel, and the sender drops its own.
 */
#ifndef IO_GROUP_H
#define IO_GROUP_H

#include "io/addr.h"

struct io_group;

/** A message came to the group. 'exchange' has peer, message id and token; id is 0. */
typedef void io_group_message_fn(void *ctx, const struct gk_exchange *exchange,
				 struct gk_span message);

/**
 * Join a multicast group on an interface.
 * @param group    address and port; 'scope' is the interface index, which must not be 0
 * @param handler  called from io_group_read() for each well-formed non-confirmable request; not
 *                 for what we sent ourselves. It must not close the group.
 * @return 0; -EINVAL: no multicast address, port or interface; other -errno
 */
int io_group_open(struct io_group **out, const struct gk_addr *group, io_group_message_fn *handler,
		  void *ctx);
/** Leave and close; NULL is allowed. */
void io_group_close(struct io_group *group);
/** A descriptor that is readable when something has arrived. */
int io_group_fd(const struct io_group *group);
/** Read what has arrived. Malformed datagrams are dropped and counted. Never blocks. */
void io_group_read(struct io_group *group);
/** How many datagrams were dropped because they were malformed or no non-confirmable requests. */
uint64_t io_group_dropped(const struct io_group *group);
/**
 * Send a message as one NON datagram with a fresh message id and token.
 * @return 0; -EINVAL: not well-formed; -EMSGSIZE: over 1,200 bytes; other -errno
 */
int io_group_send(struct io_group *group, struct gk_span message);

#endif
