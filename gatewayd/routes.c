// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/routes.h"
#include <stdlib.h>
#include <string.h>

/*
 * Tables of ways
 */

// As REACH_KNOWN_MAX: 10,000 members, and some strangers.
#define WAYS_MAX 16384

#define DEFAULT_METRIC 1024 /* see reach.h */

static int compare(const struct gw_way *a, const struct gw_way *b)
{
	int order = memcmp(a->ip, b->ip, sizeof(a->ip));

	if (order != 0)
		return order;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (a->metric > b->metric) - (a->metric < b->metric);
}

/* The first that does not come before 'key'. */
static size_t lower_bound(const struct gw_ways *ways, const struct gw_way *key)
{
	size_t low = 0, high = ways->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&ways->entries[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct gw_way *find(const struct gw_ways *ways, const struct gw_way *key)
{
	size_t place = lower_bound(ways, key);

	if (place == ways->count || compare(&ways->entries[place], key) != 0)
		return NULL;
	return &ways->entries[place];
}

static bool make_room(struct gw_ways *ways)
{
	size_t room = ways->room ? 2 * ways->room : 64;
	struct gw_way *entries;

	if (ways->count < ways->room)
		return true;
	if (ways->count >= WAYS_MAX)
		return false;
	entries = realloc(ways->entries, room * sizeof(*entries));
	if (!entries)
		return false;
	ways->entries = entries;
	ways->room = room;
	return true;
}

static void put(struct gw_ways *ways, const struct gw_way *way)
{
	size_t place = lower_bound(ways, way);
	struct gw_way *at;

	if (place < ways->count && compare(&ways->entries[place], way) == 0) {
		ways->entries[place] = *way;
		return;
	}
	if (!make_room(ways))
		return;
	at = &ways->entries[place];
	memmove(at + 1, at, (ways->count - place) * sizeof(*at));
	*at = *way;
	ways->count++;
}

static void take_out(struct gw_ways *ways, const struct gw_way *key)
{
	struct gw_way *at = find(ways, key);

	if (!at)
		return;
	ways->count--;
	memmove(at, at + 1, (size_t)(&ways->entries[ways->count] - at) * sizeof(*at));
}

static bool is_there(const struct gw_way *way)
{
	return way->gone_ms == GK_NEVER;
}

bool gw_way_is_routed(const struct gw_way *way)
{
	static const uint8_t on_link[REACH_IP_LEN];

	return way->kind == REACH_ROUTE && memcmp(way->gateway, on_link, sizeof(on_link)) != 0;
}

/* The first way to 'ip' of those that come from 'place' on. @return the number of all: none */
static size_t next_to(const struct gw_ways *ways, const uint8_t *ip, size_t place)
{
	if (place < ways->count && memcmp(ways->entries[place].ip, ip, REACH_IP_LEN) == 0)
		return place;
	return ways->count;
}

static size_t first_to(const struct gw_ways *ways, const uint8_t *ip)
{
	struct gw_way key = { .kind = REACH_LINK }; // before all that have a way

	memcpy(key.ip, ip, sizeof(key.ip));
	return next_to(ways, ip, lower_bound(ways, &key));
}

static uint32_t metric_of(const struct gw_way *way)
{
	return way->metric ? way->metric : DEFAULT_METRIC;
}

/* What is there comes before what has gone, and then the metric counts, as in the kernel. */
static bool is_better(const struct gw_way *a, const struct gw_way *b)
{
	if (is_there(a) != is_there(b))
		return is_there(a);
	return metric_of(a) < metric_of(b);
}

/* The best way of that kind to 'ip', even if it has gone. */
static const struct gw_way *find_best(const struct gw_ways *ways, const uint8_t *ip,
				      enum reach_kind kind)
{
	const struct gw_way *best = NULL;

	for (size_t i = first_to(ways, ip); i < ways->count; i = next_to(ways, ip, i + 1)) {
		const struct gw_way *way = &ways->entries[i];
		if (way->kind == kind && (!best || is_better(way, best)))
			best = way;
	}
	return best;
}

/* ... that is there. */
static const struct gw_way *find_to(const struct gw_ways *ways, const uint8_t *ip,
				    enum reach_kind kind)
{
	const struct gw_way *best = find_best(ways, ip, kind);

	return best && is_there(best) ? best : NULL;
}

const struct gw_way *gw_routes_find(const struct gw_routes *routes, const uint8_t ip[REACH_IP_LEN])
{
	const struct gw_way *route = find_to(&routes->ways, ip, REACH_ROUTE);

	return route ? route : find_to(&routes->neighbours, ip, REACH_NEIGHBOUR);
}

static struct gw_way way_of(const struct reach_event *event)
{
	struct gw_way way = {
		.ifindex = event->ifindex,
		.metric = event->metric,
		.kind = event->kind,
		.gone_ms = GK_NEVER,
	};

	memcpy(way.ip, event->ip, sizeof(way.ip));
	memcpy(way.gateway, event->gateway, sizeof(way.gateway));
	return way;
}

/*
 * Reports
 */

/* Without memory the report is left out: a node that is gone is also found by its silence. */
static void report(struct gw_routes *routes, const struct gw_way *way, enum gk_reach reach)
{
	struct gk_reach_report report = { { .scope = (uint32_t)way->ifindex }, reach };

	if (routes->count == routes->room) {
		size_t room = routes->room ? 2 * routes->room : 64;
		struct gk_reach_report *reports =
			realloc(routes->reports, room * sizeof(reports[0]));
		if (!reports)
			return;
		routes->reports = reports;
		routes->room = room;
	}
	memcpy(report.addr.ip, way->ip, sizeof(way->ip));
	routes->reports[routes->count++] = report;
}

/* Packets to a node that is behind a router do not use its neighbour entry, if it has one: what
 * that becomes says nothing of the node then. */
static bool is_behind_router(const struct gw_routes *routes, const struct gw_way *way)
{
	const struct gw_way *route = find_to(&routes->ways, way->ip, REACH_ROUTE);

	return route && gw_way_is_routed(route);
}

static void judge_neighbour(struct gw_routes *routes, const struct gw_way *way,
			    enum reach_state state)
{
	if (state == REACH_FAILED)
		put(&routes->failed, way);
	else if (state == REACH_REACHABLE)
		take_out(&routes->failed, way);
	// STALE says that it answered once; no entry, that nobody was asked.
	if (state == REACH_REACHABLE)
		report(routes, way, GK_REACH_CONFIRMED);
	else if (state == REACH_FAILED && !is_behind_router(routes, way))
		report(routes, way, GK_REACH_FAILED);
}

static void take_neighbour(struct gw_routes *routes, const struct reach_event *event, bool judged)
{
	struct gw_way way = way_of(event);

	if (event->state == REACH_REACHABLE || event->state == REACH_STALE)
		put(&routes->neighbours, &way);
	else
		take_out(&routes->neighbours, &way);
	if (judged)
		judge_neighbour(routes, &way, event->state);
}

static bool is_same_way(const struct gw_way *a, const struct gw_way *b)
{
	return a->ifindex == b->ifindex && memcmp(a->gateway, b->gateway, sizeof(a->gateway)) == 0;
}

/* Routes to 'ip' that have gone make way for one that came. */
static void supersede(struct gw_ways *ways, const uint8_t *ip)
{
	size_t at = first_to(ways, ip);

	while (at < ways->count) {
		struct gw_way old = ways->entries[at];
		if (old.kind == REACH_ROUTE && !is_there(&old))
			take_out(ways, &old);
		else
			at++;
		at = next_to(ways, ip, at);
	}
}

/* Before, the node had another route, or none: it was on the link, or lost. Now it has moved. */
static void take_new_route(struct gw_routes *routes, const struct gw_way *way, bool judged)
{
	const struct gw_way *best = find_best(&routes->ways, way->ip, REACH_ROUTE);
	struct gw_way before = best ? *best : (struct gw_way){ 0 };

	supersede(&routes->ways, way->ip);
	put(&routes->ways, way);
	best = find_to(&routes->ways, way->ip, REACH_ROUTE);
	if (judged && best && !is_same_way(best, &before))
		report(routes, way, GK_REACH_MOVED);
}

static void come_due(struct gw_routes *routes, const struct gw_way *way)
{
	int64_t due_ms = way->gone_ms + GW_ROUTES_SETTLE_MS;

	if (!routes->due_ms || due_ms < routes->due_ms)
		routes->due_ms = due_ms;
}

/* A route that another one has replaced already says nothing when it goes. */
static void take_end(struct gw_routes *routes, const struct gw_way *way, bool judged,
		     struct gk_mono now)
{
	struct gw_way *old = find(&routes->ways, way);

	if (!old || !is_same_way(old, way))
		return;
	if (!judged) {
		take_out(&routes->ways, way);
	} else if (is_there(old)) {
		old->gone_ms = now.ms;
		come_due(routes, old);
	}
}

void gw_routes_take(struct gw_routes *routes, const struct reach_event *event, bool judged,
		    struct gk_mono now)
{
	struct gw_way way = way_of(event);

	if (event->kind == REACH_NEIGHBOUR)
		take_neighbour(routes, event, judged);
	else if (event->present && event->kind == REACH_ROUTE)
		take_new_route(routes, &way, judged);
	else if (event->present)
		put(&routes->ways, &way);
	else
		take_end(routes, &way, judged, now);
}

/*
 * What fell with a link
 */

typedef bool drop_fn(const struct gw_way *way);

static bool has_gone(const struct gw_way *way)
{
	return !is_there(way);
}

static bool is_any(const struct gw_way *way)
{
	(void)way;
	return true;
}

static void drop(struct gw_ways *ways, int ifindex, drop_fn *is_dropped)
{
	size_t kept = 0;

	for (size_t i = 0; i < ways->count; i++) {
		const struct gw_way *way = &ways->entries[i];
		bool ours = ifindex == 0 || way->ifindex == ifindex;
		if (!ours || !is_dropped(way))
			ways->entries[kept++] = *way;
	}
	ways->count = kept;
}

void gw_routes_excuse(struct gw_routes *routes, int ifindex)
{
	drop(&routes->ways, ifindex, has_gone);
}

void gw_routes_forget(struct gw_routes *routes, int ifindex)
{
	drop(&routes->ways, ifindex, is_any);
	drop(&routes->neighbours, ifindex, is_any);
}

/*
 * The verdict
 */

/* All nodes behind routers that do not answer, but for those that go another way meanwhile. */
static void judge_routers(struct gw_routes *routes)
{
	if (routes->failed.count == 0)
		return;
	for (size_t i = 0; i < routes->ways.count; i++) {
		const struct gw_way *way = &routes->ways.entries[i];
		struct gw_way router = { .ifindex = way->ifindex, .kind = REACH_NEIGHBOUR };
		memcpy(router.ip, way->gateway, sizeof(router.ip));
		if (gw_way_is_routed(way) && find(&routes->failed, &router) &&
		    find_to(&routes->ways, way->ip, REACH_ROUTE) == way)
			report(routes, way, GK_REACH_ROUTER_FAILED);
	}
}

/* By another route it is somewhere else now, unless that was taken before; a proxied entry or a
 * neighbour is as good as a route. */
static void judge_missed(struct gw_routes *routes, const struct gw_way *way)
{
	const struct gw_way *route = find_to(&routes->ways, way->ip, REACH_ROUTE);

	if (route && way->kind == REACH_ROUTE && metric_of(way) <= metric_of(route))
		report(routes, way, GK_REACH_MOVED);
	else if (!route && !find_to(&routes->ways, way->ip, REACH_PROXY) &&
		 !find_to(&routes->neighbours, way->ip, REACH_NEIGHBOUR))
		report(routes, way, GK_REACH_ROUTE_GONE);
}

static bool is_missed(const struct gw_way *way, struct gk_mono now)
{
	return !is_there(way) && now.ms - way->gone_ms >= GW_ROUTES_SETTLE_MS;
}

/* All are judged before the first is forgotten, since they are looked up meanwhile. */
static void judge_ways(struct gw_routes *routes, struct gk_mono now)
{
	struct gw_ways *ways = &routes->ways;
	size_t kept = 0;

	for (size_t i = 0; i < ways->count; i++) {
		if (is_missed(&ways->entries[i], now))
			judge_missed(routes, &ways->entries[i]);
	}
	routes->due_ms = 0;
	for (size_t i = 0; i < ways->count; i++) {
		const struct gw_way *way = &ways->entries[i];
		if (is_missed(way, now))
			continue;
		if (!is_there(way))
			come_due(routes, way);
		ways->entries[kept++] = *way;
	}
	ways->count = kept;
}

size_t gw_routes_judge(struct gw_routes *routes, struct gk_mono now,
		       struct gk_reach_report **reports)
{
	size_t count;

	judge_routers(routes);
	if (gw_routes_next_expiry(routes).ms <= now.ms)
		judge_ways(routes, now);
	*reports = routes->reports;
	count = routes->count;
	routes->count = 0;
	routes->failed.count = 0;
	return count;
}

struct gk_mono gw_routes_next_expiry(const struct gw_routes *routes)
{
	return (struct gk_mono){ routes->due_ms ? routes->due_ms : GK_NEVER };
}

void gw_routes_free(struct gw_routes *routes)
{
	free(routes->ways.entries);
	free(routes->neighbours.entries);
	free(routes->failed.entries);
	free(routes->reports);
	*routes = (struct gw_routes){ 0 };
}
