// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The monitor of the kernel, shared by the files that make it: monitor.c (notices), request.c
 * (questions and answers), compare.c (dumps), probe.c.
 */
#ifndef REACH_KERNEL_H
#define REACH_KERNEL_H

#include <sys/types.h>

#include "batch.h"
#include "known.h"
#include "links.h"
#include "parse.h"
#include "seam.h"

struct nl_msg;

enum {
	// The kernel fills a datagram of a dump up to this where the reader takes it
	// (af_netlink.c, netlink_dump()); notices are shorter.
	REACH_DATAGRAM_MAX = 32768
};

struct reach_kernel {
	struct reach_monitor base;
	int notices;        // joined to the groups, never asked anything
	int requests;       // asked, never joined to a group
	int udp;            // -1 until a probe needs it
	uint32_t seq;       // of the newest request
	bool lost;          // what is known may be wrong: compare after the next drain
	bool changed;       // an entry came or went since this was last set to false
	bool look;          // compare the proxied entries after the next drain
	bool overflow_told; // -EOVERFLOW was returned since the last comparison
	bool may_not_probe; // the kernel answered EPERM
	char (*names)[REACH_NAME_LEN];
	size_t name_count; // 0: every link
	struct reach_known known;
	struct reach_links links; // all of the namespace
	struct reach_batch batch;
	struct reach_counts counts;
	_Alignas(8) uint8_t datagram[REACH_DATAGRAM_MAX];
};

/** Receives the records of an answer, its end excepted. */
typedef void reach_record_callback(void *ctx, const struct reach_record *record);

/**
 * Report that a link and all that is known of it is gone, and forget it. What is found of it later
 * is new.
 */
void reach_kernel_withdraw(struct reach_kernel *kernel, int ifindex);

/** @return whether links called 'name' are watched */
bool reach_kernel_watches(const struct reach_kernel *kernel, const char *name);

/**
 * Receive one datagram into 'datagram'.
 * @return its length, 0 if it is not the kernel's; -EAGAIN there is none; -ENOBUFS, -EMSGSIZE
 *         notices were lost; other errors of recvmsg(2)
 */
REACH_MUST_CHECK ssize_t reach_kernel_receive(struct reach_kernel *kernel, int from);

/**
 * Send a request and take its answer. The kernel answers while it is being sent to and read from,
 * so that this never waits.
 *
 * @param msg       built but for its sequence number; freed in every case. NULL returns -ENOMEM
 * @param callback  gets the records that come before the end of the answer
 * @return 0, or the kernel's error; -EAGAIN if a dump was interrupted or has no end, -EBADMSG if
 *         the answer is malformed
 */
REACH_MUST_CHECK int reach_kernel_ask_take(struct reach_kernel *kernel, struct nl_msg *msg,
					   reach_record_callback *callback, void *ctx);

/**
 * Dump everything, add to 'batch' what differs from 'known', and know that from now on.
 * @return 0; -ENOMEM or an error of reach_kernel_ask_take(), and nothing changed
 */
REACH_MUST_CHECK int reach_kernel_compare(struct reach_kernel *kernel);

/** The same for proxied entries alone, by what is known of the links. */
REACH_MUST_CHECK int reach_kernel_compare_proxies(struct reach_kernel *kernel);

/** Calls of struct reach_operations. */
int reach_kernel_probe(struct reach_monitor *monitor, int ifindex, const uint8_t *ip);
int reach_kernel_timing(struct reach_monitor *monitor, int ifindex, struct reach_timing *timing);

#endif
