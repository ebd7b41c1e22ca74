// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Transfers in blocks that are under way at the KDC (RFC 7959): requests that are not complete yet,
 * and answers that are not fetched yet. All together they have GK_BODY_BYTES_MAX bytes.
 *
 * Who gets them when they are scarce: outsiders, who prove nothing, have a small part, and make
 * room for whoever is inside an association. Nobody has more than one request and one answer. A
 * transfer inside an association gives way only if it made no progress for a while, or goes on
 * for very long: who comes has to wait, and who is being served gets to its end.
 */
#ifndef GK_TRANSFER_H
#define GK_TRANSFER_H

#include "coap.h"
#include "mem.h"

#define GK_BODY_BYTES_MAX     (2u << 20)  /* of all transfers together */
#define GK_OUTSIDER_BYTES_MAX (64u << 10) /* ... of those outside of an association */
#define GK_REQUEST_MAX        8192        /* one request: two certificate chains */
#define GK_POST_MAX           2048        /* ... of an outsider: a token, and what goes with it */
#define GK_OUTSIDERS_MAX      32          /* requests of outsiders at once */
#define GK_OUTSIDERS_PER_IP   4           /* ... from one address */
#define GK_OUTSIDER_IDLE_MS   30000
#define GK_TRANSFER_IDLE_MS   5000   /* more than it takes to send a block again */
#define GK_TRANSFER_LIFE_MS   120000 /* progress counts for so long */

struct gk_kdc;

/** One of them; all zero: none. */
struct gk_transfer {
	struct gk_transfer *before, *after; /* of the same kind, by 'ms' */
	struct gk_blob body;  /* an answer: code, options, payload; a request: its payload so far */
	uint8_t of[16];       /* digest of what all its blocks have in common */
	int64_t began_ms, ms; /* ms: of the last progress that counts */
	size_t next;          /* of an answer: how much was asked for */
	bool outsider;
};

/** Those inside an association, or those outside. */
struct gk_transfers {
	struct gk_transfer *first, *last; /* first: without progress for the longest time */
	size_t bytes;
};

/** A request that an outsider sends in blocks. */
struct gk_outsider {
	struct gk_addr from;
	struct gk_transfer request;
};

/** @return true if there is something in it */
bool gk_transfer_is_open(const struct gk_transfer *transfer);
/**
 * @return true if 'len' bytes more can be kept for 'transfer'; then others may have been dropped
 */
bool gk_transfer_make_room(struct gk_kdc *kdc, const struct gk_transfer *transfer, size_t len,
			   struct gk_now now);
/** Begin anew, with a copy of 'bytes'.
 * @return GK_ERR_NO_SPACE, GK_ERR_NO_MEMORY: nothing is kept */
GK_MUST_CHECK enum gk_err gk_transfer_begin(struct gk_kdc *kdc, struct gk_transfer *transfer,
					    const uint8_t of[static 16], struct gk_span bytes,
					    struct gk_now now);
/** Append to what is kept. @return as above: it is as before */
GK_MUST_CHECK enum gk_err gk_transfer_append(struct gk_kdc *kdc, struct gk_transfer *transfer,
					     struct gk_span bytes, struct gk_now now);
/** It went on. */
void gk_transfer_touch(struct gk_kdc *kdc, struct gk_transfer *transfer, struct gk_now now);
/** It came to its end, and is the first to give way. */
void gk_transfer_finish(struct gk_kdc *kdc, struct gk_transfer *transfer, struct gk_now now);
/** Take the bytes away from it: they are the caller's, and count no more. */
struct gk_blob gk_transfer_take(struct gk_kdc *kdc, struct gk_transfer *transfer);
/** Forget it. */
void gk_transfer_drop(struct gk_kdc *kdc, struct gk_transfer *transfer);
/** Forget requests of outsiders that did not go on for long, and set the timer of the others. */
void gk_transfer_drop_idle(struct gk_kdc *kdc, struct gk_now now);

#endif
