// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The bytes of one rtnetlink datagram to records. Pure: no state, no allocation, no system call.
 * Every byte may be hostile; a message that is not well-formed yields -EBADMSG and no record.
 */
#ifndef REACH_PARSE_H
#define REACH_PARSE_H

#include "reach.h"

struct nlmsghdr;

enum reach_record_type {
	REACH_RECORD_IGNORED = 0,   /* well-formed, and not for us */
	REACH_RECORD_EVENT = 1,     /* 'event' holds */
	REACH_RECORD_RESOLVING = 2, /* the neighbour of 'event' is INCOMPLETE: being asked */
	REACH_RECORD_FIXED = 3, /* the neighbour of 'event' is PERMANENT or NOARP: never asked */
	REACH_RECORD_DONE = 4,  /* end of an answer; 'error' holds */
	REACH_RECORD_PARMS = 5, /* 'parms' holds */
};

/** How neighbours of an interface are asked: the settings of net.ipv6.neigh. They saturate. */
struct reach_parms {
	int ifindex; /* 0: of interfaces that have none of their own */
	uint32_t reachable_ms, delay_first_ms, retrans_ms;
	uint32_t ucast_probes, mcast_probes, mcast_reprobes, app_probes;
};

struct reach_record {
	enum reach_record_type type;
	struct reach_event event; /* state REACH_UNKNOWN for RESOLVING and FIXED */
	struct reach_parms parms;
	int lower;        /* of a link: the index of the one below it in this namespace; 0: none */
	uint32_t seq;     /* of the request that this answers */
	uint32_t port;    /* of the process that asked, or made the kernel notify; or 0 */
	int error;        /* 0 or a negative errno */
	bool interrupted; /* NLM_F_DUMP_INTR: the dump may have missed something */
	bool replaces;    /* NLM_F_REPLACE: took the place of a route that gets no notice */
};

/** Walks the messages of a datagram. Set up with reach_parse_begin(). */
struct reach_cursor {
	struct nlmsghdr *at;
	int left; /* bytes */
};

/**
 * Begin a datagram.
 * @param bytes  aligned to 4 bytes, borrowed while the cursor is in use
 * @param len    at most INT_MAX
 */
struct reach_cursor reach_parse_begin(const void *bytes, size_t len);

/**
 * Take the next message.
 *
 * @param record  set only if 1 is returned
 * @return 1         a record
 *         0         the end
 *         -EBADMSG  this message is malformed; the next call goes on behind it, or returns 0 where
 *                   its length cannot be believed
 */
REACH_MUST_CHECK int reach_parse_next(struct reach_cursor *cursor, struct reach_record *record);

#endif
