// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the kernel is known to hold: one event for each link, address, route and neighbour, in
 * ascending order of (kind, ip, ifindex, metric). A sorted array, since no choice of addresses by a
 * stranger on the link makes it slow in the way that a hash table can be made slow.
 */
#ifndef REACH_KNOWN_H
#define REACH_KNOWN_H

#include "batch.h"
#include "reach.h"

enum {
	// 10,000 members with a route or neighbour entry each, and as many strangers as a kernel
	// with the default gc_thresh3 of 1,024 lets in, several times over. 1.1 MB at most.
	REACH_KNOWN_MAX = 16384
};

/** Whether a missing entry in the fresh table means anything. */
enum reach_comparison {
	REACH_COMPARE_WHOLE = 0, /* it is gone */
	REACH_COMPARE_PART = 1,  /* nothing: the fresh table had no room for all */
};

/** Zero-initialise. */
struct reach_known {
	struct reach_event *events;
	size_t count, room;
};

/** @return whether 'event' says that there is nothing (any more) */
bool reach_event_is_gone(const struct reach_event *event);
/** @return the event that says that what 'event' is about is there no more */
struct reach_event reach_event_gone(const struct reach_event *event);
/** @return the event known for the link, address, route or neighbour of 'key', or NULL */
const struct reach_event *reach_known_find(const struct reach_known *known,
					   const struct reach_event *key);
/** @return whether a link with this index is known */
bool reach_known_has_link(const struct reach_known *known, int ifindex);
/** @return whether a route to 'ip' through any link is known */
bool reach_known_has_route(const struct reach_known *known, const uint8_t ip[REACH_IP_LEN]);
/** @return a view of the entries of one kind, good until 'known' changes; never to be wiped */
struct reach_known reach_known_of_kind(const struct reach_known *known, enum reach_kind kind);
/**
 * Take over what 'event' says: put it in, replace what is there, or remove it.
 * @return 0, or -ENOSPC (full, or no memory) and nothing changed
 */
REACH_MUST_CHECK int reach_known_update(struct reach_known *known, const struct reach_event *event);
/**
 * Add at the end, to be put in order later by reach_known_sort().
 * @return 0, or -ENOSPC (full, or no memory) and nothing changed
 */
REACH_MUST_CHECK int reach_known_append(struct reach_known *known, const struct reach_event *event);
/** Put in order, and of entries for the same thing keep one. */
void reach_known_sort(struct reach_known *known);
/**
 * Add to 'batch' what leads from 'old' to 'fresh', both sorted.
 * @return 0, or -ENOMEM and nothing was added
 */
REACH_MUST_CHECK int reach_known_compare(const struct reach_known *old,
					 const struct reach_known *fresh, enum reach_comparison how,
					 struct reach_batch *batch);
/** @return whether two events about the same thing say the same */
bool reach_event_same(const struct reach_event *a, const struct reach_event *b);
/** Free what 'known' holds, and empty it. */
void reach_known_wipe(struct reach_known *known);

#endif
