// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Having the kernel look for nodes, and how long it takes for that.
 */
#include "gatewayd/segment.h"
#include "io/addr.h"
#include "io/log.h"
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 60000 /* the kernel's timing is asked for so often, at most */

/*
 * How long it takes
 */

void gw_segment_want_timing(struct gw_segment *segment)
{
	segment->timing_wanted = true;
	segment->timing_ms = 0;
}

bool gw_segment_asks_timing(const struct gw_segment *segment, struct gk_mono now)
{
	return segment->timing_wanted && segment->timing_ms <= now.ms;
}

/* In the bounds of the KDC, and late enough that the verdict, at the last moment, comes before. */
static uint32_t bounded(uint32_t verdict_ms)
{
	return verdict_ms < GK_VERDICT_MAX_MS - GW_SEGMENT_SLACK_MS
		       ? verdict_ms + GW_SEGMENT_SLACK_MS
		       : GK_VERDICT_MAX_MS;
}

void gw_segment_ask_timing(struct gw_segment *segment, struct gk_mono now)
{
	struct reach_timing timing;

	if (segment->blind || !segment->monitor || !gw_segment_asks_timing(segment, now))
		return;
	segment->timing_wanted = false;
	segment->timing_ms = now.ms + ASK_MS;
	if (reach_monitor_timing(segment->monitor, segment->ifindex, &timing) ||
	    bounded(timing.verdict_ms) == segment->verdict_ms)
		return;
	segment->verdict_ms = bounded(timing.verdict_ms);
	log_debug("link", "the kernel takes up to %lu ms over a neighbour",
		  (unsigned long)timing.verdict_ms);
	segment->sink->timing(segment->ctx, segment->verdict_ms);
}

int gw_segment_verdict(const char *interface, bool datagrams, uint32_t *verdict_ms)
{
	int ifindex = (int)if_nametoindex(interface);
	const struct reach_options options = { .datagrams = datagrams };
	struct reach_monitor *monitor;
	struct reach_timing timing;
	int err;

	if (!ifindex)
		return -ENODEV;
	err = reach_monitor_open(&monitor, &options);
	if (err)
		return err;
	err = reach_monitor_timing(monitor, ifindex, &timing);
	reach_monitor_close(monitor);
	if (!err)
		*verdict_ms = timing.verdict_ms;
	return err;
}

/*
 * Probes
 */

/* The KDC asks from inside a call to it, so that it must not be called: what is known at once it is
 * told in the next turn of the loop. */
static void answer(struct gw_segment *segment, const struct gk_addr *addr, enum gk_reach reach)
{
	if (segment->answer_count == segment->answer_room) {
		size_t room = segment->answer_room ? 2 * segment->answer_room : 16;
		struct gk_reach_report *answers =
			realloc(segment->answers, room * sizeof(answers[0]));
		if (!answers)
			return; /* as when no verdict comes */
		segment->answers = answers;
		segment->answer_room = room;
	}
	segment->answers[segment->answer_count++] = (struct gk_reach_report){ *addr, reach };
}

void gw_segment_tell_answers(struct gw_segment *segment)
{
	size_t count = segment->answer_count;

	segment->answer_count = 0;
	if (count > 0 && !segment->blind)
		segment->sink->reach(segment->ctx, segment->answers, count);
}

/* From here on datagrams have the kernel look for nodes, and it takes another time for that. */
static void weaken(struct gw_segment *segment)
{
	if (segment->weak)
		return;
	log_warnx("link", GW_SEGMENT_WEAK);
	segment->weak = true;
	gw_segment_want_timing(segment);
}

/* @return whether the kernel goes about it */
static bool ask(struct gw_segment *segment, int ifindex, const uint8_t *ip)
{
	struct gk_addr addr = { 0 };
	char text[IO_ADDR_TEXT];
	int err = -ENODEV;

	memcpy(addr.ip, ip, sizeof(addr.ip));
	if (segment->monitor && ifindex)
		err = reach_monitor_probe(segment->monitor, ifindex, ip);
	if (err == -EPERM)
		weaken(segment);
	else if (err)
		log_debug("link", "%s: the kernel does not probe it: %s",
			  io_addr_format(&addr, text), strerror(-err));
	return err == 0 || err == -EPERM;
}

static struct gw_segment_router *find_router(struct gw_segment *segment, const struct gw_way *way)
{
	for (size_t i = 0; i < GW_SEGMENT_ROUTERS; i++) {
		struct gw_segment_router *router = &segment->routers[i];
		if (router->ifindex == way->ifindex &&
		    memcmp(router->ip, way->gateway, sizeof(router->ip)) == 0)
			return router;
	}
	return NULL;
}

/* The one that was new the longest ago makes room. */
static void remember_router(struct gw_segment *segment, const struct gw_way *way,
			    struct gk_mono now)
{
	struct gw_segment_router *router = find_router(segment, way);

	if (!router) {
		router = &segment->routers[segment->router_next];
		segment->router_next = (segment->router_next + 1) % GW_SEGMENT_ROUTERS;
	}
	*router = (struct gw_segment_router){ .ifindex = way->ifindex, .asked_ms = now.ms };
	memcpy(router->ip, way->gateway, sizeof(router->ip));
}

static bool is_being_asked(struct gw_segment *segment, const struct gw_way *way, struct gk_mono now)
{
	const struct gw_segment_router *router = find_router(segment, way);

	return router && now.ms - router->asked_ms < segment->verdict_ms;
}

/* One question is for all that are behind it, and so is its answer, if it is not there. */
static enum gk_reach probe_router(struct gw_segment *segment, const struct gw_way *way,
				  struct gk_mono now)
{
	if (is_being_asked(segment, way, now))
		return GK_REACH_ROUTED;
	if (!ask(segment, way->ifindex, way->gateway))
		return GK_REACH_DEAF;
	remember_router(segment, way, now);
	return GK_REACH_ROUTED;
}

static enum gk_reach probe_node(struct gw_segment *segment, const struct gk_addr *addr,
				const struct gw_way *way, struct gk_mono now)
{
	if (way && gw_way_is_routed(way))
		return probe_router(segment, way, now);
	return ask(segment, way ? way->ifindex : segment->ifindex, addr->ip) ? GK_REACH_UNKNOWN
									     : GK_REACH_DEAF;
}

void gw_segment_probe(struct gw_segment *segment, const struct gk_addr *addr, struct gk_mono now)
{
	const struct gw_way *way = NULL;
	enum gk_reach reach;

	if (!io_addr_is_link_local(addr))
		way = gw_routes_find(&segment->routes, addr->ip);
	reach = probe_node(segment, addr, way, now);
	if (reach != GK_REACH_UNKNOWN)
		answer(segment, addr, reach);
	segment->timing_wanted = true;
}
