// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The ways to nodes, as the kernel holds them: host routes, proxied entries and neighbours; and
 * what a change of them says of the nodes. What was read at once is taken event by event and then
 * judged as a whole.
 *
 * A routing daemon that takes one way from a node and gives it another says so in two steps, of
 * which the kernel's notices can be read one by one: a way that went is missed only when none has
 * taken its place a moment later. Of several routes to a node the one with the lowest metric
 * counts.
 */
#ifndef GW_ROUTES_H
#define GW_ROUTES_H

#include "libgroupkey/groupkey.h"
#include "netlink/reach.h"

/** So long a node may be without a way before it is missed. */
#define GW_ROUTES_SETTLE_MS 200

struct gw_way {
	uint8_t ip[REACH_IP_LEN];
	uint8_t gateway[REACH_IP_LEN]; /* of a route; all zero: on link */
	int ifindex;
	uint32_t metric; /* as in reach.h */
	enum reach_kind kind;
	int64_t gone_ms; /* it went then; GK_NEVER: it is there */
};

/** In ascending order of (ip, kind, ifindex, metric), as known.h of netlink/ has it and for its
 * reason. */
struct gw_ways {
	struct gw_way *entries;
	size_t count, room;
};

/** Zero-initialise. Fields are its own. */
struct gw_routes {
	struct gw_ways ways;       /* routes and proxied entries */
	struct gw_ways neighbours; /* that the kernel has, and has not found missing */
	struct gw_ways failed;     /* those whose last word in this batch was that */
	int64_t due_ms;            /* when the first that went is missed; 0: none went */
	struct gk_reach_report *reports;
	size_t count, room;
};

/**
 * Take what the kernel says of a route, a proxied entry or a neighbour. What there is no room for
 * is not known, and its loss is not noticed.
 * @param judged  false: what we hold changes, and nothing is concluded of the node
 */
void gw_routes_take(struct gw_routes *routes, const struct reach_event *event, bool judged,
		    struct gk_mono now);
/** A link fell, with all it leads to: what went with it is not missed.
 * @param ifindex 0: any link */
void gw_routes_excuse(struct gw_routes *routes, int ifindex);
/** A link is gone, and nothing is behind it any more. @param ifindex 0: any link */
void gw_routes_forget(struct gw_routes *routes, int ifindex);
/**
 * The end of a batch: what it says of nodes, and of those that were missed for long enough.
 * @param reports  'scope' is the link's index, that of link-local and other addresses alike; lasts
 *                 until the next call
 * @return how many
 */
size_t gw_routes_judge(struct gw_routes *routes, struct gk_mono now,
		       struct gk_reach_report **reports);
/** When gw_routes_judge() has something to say by itself. */
struct gk_mono gw_routes_next_expiry(const struct gw_routes *routes);
/**
 * Find the way to a node: a host route, else a neighbour.
 * @return NULL: neither is known; lasts until the next call that is not const
 */
const struct gw_way *gw_routes_find(const struct gw_routes *routes, const uint8_t ip[REACH_IP_LEN]);
/** @return true if packets go to a router, which passes them on */
bool gw_way_is_routed(const struct gw_way *way);
void gw_routes_free(struct gw_routes *routes);

#endif
