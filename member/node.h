// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A group member on a Linux machine: struct gk_member between sockets and a loop. Another
 * application reads here how libgroupkey wants to be used:
 *
 *   datagram ──> io_coap, io_group, control ──> gk_member_receive(), gk_member_answer()
 *   deadline ──> gk_member_expire()
 *   command  ──> gk_member_say(), gk_member_tell(), gk_member_leave()
 *                after each of them: settle(), until gk_member_event() has no more
 *                REPLY, REQUEST ──> io_coap      MULTICAST ──> io_group
 *                CONFIRM ──> control             NOTE ──> report
 */
#ifndef GKM_NODE_H
#define GKM_NODE_H

#include "io/bundle.h"
#include "io/coap.h"
#include "io/group.h"
#include "io/loop.h"
#include "member/commands.h"
#include "member/control.h"
#include "member/options.h"
#include "member/report.h"
#include "member/route.h"
#include "member/sleep.h"

/** Only node.c looks inside. */
struct gkm_node {
	struct gk_member *member;
	struct io_loop *loop;
	struct io_coap *coap;       /* unicast: the KDC and us */
	struct io_group *group;     /* multicast: the members among each other */
	struct gkm_control control; /* multicast: the KDC to the members */
	bool moved;                 /* a note says that we may be in other control groups now */
	struct gkm_route route;
	struct gkm_report report;
	struct gkm_lines lines;
	struct gkm_sleep sleep;
	struct gk_span groups[IO_BUNDLE_GROUPS_MAX]; /* those that we were told to join */
	size_t group_count;
	uint64_t exchange;    /* the request being answered, and where */
	struct gk_buf *reply; /* its answer goes; NULL: none */
	bool stopping;
};

/**
 * Open sockets, make the member, and have it join. What fails is fatal.
 * @param options, bundle  borrowed until gkm_node_close()
 * @param key_seed         32 random bytes; copied
 */
void gkm_node_open(struct gkm_node *node, const struct gkm_options *options,
		   const struct io_bundle *bundle, struct gk_span key_seed);
/** Be a member, until 'quit', SIGTERM or SIGINT. */
void gkm_node_run(struct gkm_node *node);
/**
 * Close, and wipe all keys. The KDC is told nothing: who stops is not leaving, and takes up where
 * it was when it starts again.
 */
void gkm_node_close(struct gkm_node *node);

#endif
