// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The sockets of the control groups (RFC 9594 section 6.2) to which the KDC sends rekeying
 * messages. Which ones there are is known only after joining, and several of our groups may have
 * one together: there is a socket to each address that at least one of them has.
 */
#ifndef GKM_CONTROL_H
#define GKM_CONTROL_H

#include "io/bundle.h"
#include "io/group.h"
#include "io/loop.h"

/** Set the first four, the rest to zero. */
struct gkm_control {
	struct io_loop *loop; /* borrowed */
	io_group_message_fn *handler;
	void *ctx;
	uint32_t interface; /* index; the same for all */
	struct gkm_control_socket {
		struct gk_addr addr;
		struct io_group *group;
	} sockets[IO_BUNDLE_GROUPS_MAX];
	size_t count;
};

/**
 * Have a socket for each of these addresses, and no other. One that cannot be opened is logged and
 * tried again by the next call; meanwhile new keys come as to any member that misses a message, by
 * unicast or by asking.
 * @param wanted  any may be there twice; their scope is ignored
 * @param count   0..IO_BUNDLE_GROUPS_MAX; 0: close all
 *
 * Not in the handler.
 */
void gkm_control_keep(struct gkm_control *control, const struct gk_addr *wanted, size_t count);
/** @return the socket of a group at this port, from which answers to that port of the KDC go
 *  (docs/rekeying.md section 9); NULL: none of our groups is there, any more */
struct io_group *gkm_control_find(const struct gkm_control *control, uint16_t port);

#endif
