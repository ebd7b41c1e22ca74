// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Non-confirmable CoAP by IPv6 multicast, on a UDP socket of our own: libcoap ignores the
 * interface of anything but link-local groups and delays answers. One socket, one interface.
 *
 * Several programs on one machine may be in a group, and hear each other: what is sent is looped
 * back by the kernel, and the sender drops its own.
 *
 * A control group (RFC 9594 section 6.2) has two ends. The KDC's sends requests, and takes the non-
 * confirmable answers that come to the port from which it sent, by unicast or to all nodes of the
 * link. A member's takes the requests and nothing that comes by unicast, so that both ends work
 * side by side on one machine. What is for the whole group, and what confirms it, has an empty
 * token; a question to one of its members has one, by which the answer is known wherever it comes
 * from.
 */
#ifndef IO_GROUP_H
#define IO_GROUP_H

#include "io/addr.h"

struct io_group;

/** The largest datagram, from the CoAP header on: an IPv6 packet of 1,280 bytes. */
#define IO_GROUP_DATAGRAM_MAX 1232

/** A message came. 'exchange' has peer, message id and token, and says whether it was sent to the
 *  group; id is 0. */
typedef void io_group_message_fn(void *ctx, const struct gk_exchange *exchange,
				 struct gk_span message);

/** What a socket is for. */
enum io_group_role {
	IO_GROUP_MEMBER = 0,         /* in an application group: requests come and go */
	IO_GROUP_CONTROL_MEMBER = 1, /* in a control group: requests come, answers go */
	IO_GROUP_CONTROL_SENDER = 2, /* the KDC, in no control group: requests go, answers come */
};

/**
 * Join a multicast group on an interface; or, as IO_GROUP_CONTROL_SENDER, open the port from which
 * to send to it. One sender does for all groups with the same port: io_group_send_to().
 * @param group    address and port; 'scope' is the interface index, which must not be 0
 * @param handler  called from io_group_read() for each well-formed non-confirmable request (a
 *                 sender's: response of class 2); not for what we sent ourselves. It must not close
 *                 the group.
 * @return 0; -EINVAL: no multicast address, port or interface; other -errno
 */
int io_group_open(struct io_group **out, enum io_group_role role, const struct gk_addr *group,
		  io_group_message_fn *handler, void *ctx);
/** Leave and close; NULL is allowed. */
void io_group_close(struct io_group *group);
/** A descriptor that is readable when something has arrived. */
int io_group_fd(const struct io_group *group);
/** Read what has arrived. Malformed datagrams are dropped and counted. Never blocks. */
void io_group_read(struct io_group *group);
/** How many datagrams were dropped because they were malformed or nothing that this role takes. */
uint64_t io_group_dropped(const struct io_group *group);
/**
 * Send a request to the group as one NON datagram with a fresh message id, and from
 * IO_GROUP_MEMBER a fresh token. Not for IO_GROUP_CONTROL_MEMBER.
 * @return 0; -EINVAL: not well-formed, no request, or not for this role; -EMSGSIZE: the datagram
 *         would be over IO_GROUP_DATAGRAM_MAX; other -errno
 */
int io_group_send(struct io_group *group, struct gk_span message);
/**
 * The same to another group, on our interface. Only for IO_GROUP_CONTROL_SENDER.
 * @param to  its scope is ignored
 * @return as io_group_send(); -EINVAL also: no multicast address, or another port than ours
 */
int io_group_send_to(struct io_group *group, const struct gk_addr *to, struct gk_span message);
/**
 * Ask somebody who hears a multicast address, at whatever port, on our interface: as
 * io_group_send_to(), with a token. Only for IO_GROUP_CONTROL_SENDER.
 * @param to     its scope is ignored
 * @param token  1 to 8 bytes that cannot be guessed; the answer has it
 * @return as io_group_send(); -EINVAL also: no multicast address, or no such token
 */
int io_group_ask(struct io_group *group, const struct gk_addr *to, struct gk_span token,
		 struct gk_span message);
/**
 * Send a response of class 2 by unicast as one NON datagram from the group's port, with a fresh
 * message id. Not for IO_GROUP_CONTROL_SENDER.
 * @param token  of the request; may be empty
 * @return as io_group_send(); -EINVAL also: a token of more than 8 bytes
 */
int io_group_answer(struct io_group *group, const struct gk_addr *to, struct gk_span token,
		    struct gk_span message);
/**
 * The same to all nodes of the link, at this port: whatever a forged neighbour entry says of who
 * asked, it gets the answer if it is on the link. Not for IO_GROUP_CONTROL_SENDER.
 * @return as io_group_answer()
 */
int io_group_answer_all(struct io_group *group, uint16_t port, struct gk_span token,
			struct gk_span message);

#endif
