// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Where messages to groups leave, and their confirmations arrive: a socket for each port of a
 * control group, on our interface, which may go and come back as another. Control groups may come
 * and go too. Questions to one of many leave there as well, and their answers arrive.
 */
#ifndef GW_MULTICAST_H
#define GW_MULTICAST_H

#include "io/group.h"
#include "io/loop.h"

struct gw_sender;

/** Fields are its own. */
struct gw_multicast {
	struct io_loop *loop;
	io_group_message_fn *handler;
	void *ctx;
	struct gw_sender *senders; /* one to a port */
	size_t count;
};

/**
 * Begin without sockets.
 * @param loop     borrowed, as 'ctx' is
 * @param handler  is called for each confirmation, and for each answer, which has a token
 */
void gw_multicast_init(struct gw_multicast *multicast, struct io_loop *loop,
		       io_group_message_fn *handler, void *ctx);
/** A control group is to be served. Groups with the same port share a socket. @return 0; -ENOMEM */
GK_MUST_CHECK int gw_multicast_add(struct gw_multicast *multicast, const struct gk_addr *group);
/** @return a control group with this port; NULL: there is none any more */
typedef const struct gk_addr *gw_multicast_find_fn(const void *ctx, uint16_t port);
/** Close the sockets of ports that no control group has any more. */
void gw_multicast_retain(struct gw_multicast *multicast, gw_multicast_find_fn *find,
			 const void *ctx);
/** Close everything. */
void gw_multicast_free(struct gw_multicast *multicast);

/** The interface is there, by this index: open on it what is not open there yet. */
void gw_multicast_move(struct gw_multicast *multicast, int ifindex);
/**
 * Send to a control group that was added; to one that is gone nothing is sent.
 *
 * What fails is said in the log once, and once more when it works again. It is not tried again
 * here: a message to a group may get lost on its way as well, and the KDC makes up for it.
 *
 * @param ifindex  of our interface now; 0: it is not there
 */
void gw_multicast_send(struct gw_multicast *multicast, int ifindex, const struct gk_addr *group,
		       struct gk_span message);
/**
 * Ask one of those who hear a multicast address, at whatever port: once.
 *
 * It leaves from the port of a control group, so that answers come to a port that has to be open
 * anyway; where there is none, from 5686.
 *
 * @param token  the answer has it
 * @return 0; -errno: it did not leave
 */
GK_MUST_CHECK int gw_multicast_ask(struct gw_multicast *multicast, int ifindex,
				   const struct gk_addr *to, struct gk_span token,
				   struct gk_span message);

#endif
