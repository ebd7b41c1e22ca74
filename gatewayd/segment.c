// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/segment.h"
#include "io/addr.h"
#include "io/log.h"
#include <errno.h>
#include <string.h>

#define RETRY_MS 1000

/*
 * What the kernel says
 */

static struct gk_addr address_of(const struct reach_event *event)
{
	struct gk_addr addr = { .scope = (uint32_t)event->ifindex };

	memcpy(addr.ip, event->ip, sizeof(addr.ip));
	return addr;
}

static void set_blind(struct gw_segment *segment, bool blind, const char *why)
{
	if (segment->told && segment->blind == blind)
		return;
	segment->blind = blind;
	segment->told = true;
	if (blind)
		log_warnx("link", "%s %s; no member is judged until it is up", segment->interface,
			  why);
	else
		log_info("link", "%s is up", segment->interface);
	segment->sink->blind(segment->ctx, blind);
}

static void take_link(struct gw_segment *segment, const struct reach_event *event)
{
	if (event->present) {
		segment->ifindex = event->ifindex;
		set_blind(segment, !event->up, "is down");
	} else if (event->ifindex == segment->ifindex) {
		segment->ifindex = 0;
		segment->address_count = 0;
		set_blind(segment, true, "is gone");
	}
}

static size_t find_address(const struct gw_segment *segment, const struct gk_addr *addr)
{
	size_t i = 0;

	while (i < segment->address_count && !io_addr_equal(&segment->addresses[i], addr))
		i++;
	return i;
}

static void take_address(struct gw_segment *segment, const struct reach_event *event)
{
	struct gk_addr addr = address_of(event);
	size_t i = find_address(segment, &addr);
	bool known = i < segment->address_count;

	if (event->present && !known && i < GW_SEGMENT_ADDRESSES) {
		segment->addresses[segment->address_count++] = addr;
	} else if (!event->present && known) {
		segment->address_count--;
		memmove(&segment->addresses[i], &segment->addresses[i + 1],
			(segment->address_count - i) * sizeof(addr));
	}
}

static void take_neighbour(struct gw_segment *segment, const struct reach_event *event)
{
	static const enum gk_reach verdicts[] = {
		[REACH_UNKNOWN] = GK_REACH_UNKNOWN,
		[REACH_REACHABLE] = GK_REACH_CONFIRMED,
		[REACH_FAILED] = GK_REACH_FAILED,
	};
	struct gk_addr addr = address_of(event);

	addr.scope = 0;
	// STALE says that it answered once.
	if (event->state != REACH_STALE)
		segment->sink->neighbour(segment->ctx, &addr, verdicts[event->state]);
}

/* Host routes and proxied entries are not judged: they say where a node would be, not that it is
 * there. */
static void take_events(const struct reach_event *events, size_t count, void *ctx)
{
	static void (*const take[])(struct gw_segment *, const struct reach_event *) = {
		[REACH_LINK] = take_link,
		[REACH_ADDRESS] = take_address,
		[REACH_NEIGHBOUR] = take_neighbour,
	};

	for (size_t i = 0; i < count; i++) {
		char text[REACH_TEXT_LEN];
		reach_event_format(&events[i], text);
		log_debug("link", "%s", text);
		if (take[events[i].kind])
			take[events[i].kind](ctx, &events[i]);
	}
}

/*
 * The monitor
 */

static int open_monitor(struct gw_segment *segment)
{
	struct reach_options options = { .interfaces = &segment->interface, .interface_count = 1 };

	return reach_monitor_open(&segment->monitor, &options);
}

static void drop_monitor(struct gw_segment *segment, int err)
{
	log_warnx("link", "the kernel's notices cannot be read, beginning anew: %s",
		  strerror(-err));
	segment->sink->moved(segment->ctx, reach_monitor_fd(segment->monitor), -1);
	reach_monitor_close(segment->monitor);
	segment->monitor = NULL;
	segment->ifindex = 0;
	segment->address_count = 0;
	set_blind(segment, true, "cannot be watched");
}

/* Does it help to read again, later? */
static bool is_passing(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM || err == -EBADMSG;
}

static void judge(struct gw_segment *segment, int err, struct gk_mono now)
{
	segment->retry_ms = GK_NEVER;
	if (err == -EOVERFLOW && !segment->crowded) {
		segment->crowded = true;
		log_warnx("link", "more neighbours than the table of them holds; some may be "
				  "missed when the kernel drops notices");
	} else if (err && err != -EOVERFLOW) {
		segment->retry_ms = now.ms + RETRY_MS;
		if (!is_passing(err))
			drop_monitor(segment, err);
		else if (err == -EBADMSG)
			log_warnx("link", "the kernel's dump makes no sense; trying again");
	}
}

static void read_monitor(struct gw_segment *segment, struct gk_mono now)
{
	judge(segment, reach_monitor_read(segment->monitor, take_events, segment), now);
}

void gw_segment_open_with(struct gw_segment *segment, struct reach_monitor *monitor,
			  const char *interface, const struct gw_segment_sink *sink, void *ctx,
			  struct gk_mono now)
{
	*segment = (struct gw_segment){
		.interface = interface,
		.sink = sink,
		.ctx = ctx,
		.monitor = monitor,
		.retry_ms = GK_NEVER,
	};
	sink->moved(ctx, -1, reach_monitor_fd(monitor));
	read_monitor(segment, now);
	if (!segment->told)
		set_blind(segment, true, "is not there");
}

int gw_segment_open(struct gw_segment *segment, const char *interface,
		    const struct gw_segment_sink *sink, void *ctx, struct gk_mono now)
{
	struct gw_segment fresh = { .interface = interface };
	int err = open_monitor(&fresh);

	if (!err)
		gw_segment_open_with(segment, fresh.monitor, interface, sink, ctx, now);
	return err;
}

void gw_segment_close(struct gw_segment *segment)
{
	reach_monitor_close(segment->monitor);
	segment->monitor = NULL;
}

static void reopen(struct gw_segment *segment, struct gk_mono now)
{
	if (open_monitor(segment)) {
		segment->retry_ms = now.ms + RETRY_MS;
		return;
	}
	segment->sink->moved(segment->ctx, -1, reach_monitor_fd(segment->monitor));
	read_monitor(segment, now);
}

void gw_segment_read(struct gw_segment *segment, struct gk_mono now)
{
	if (segment->monitor)
		read_monitor(segment, now);
	else
		reopen(segment, now);
}

struct gk_mono gw_segment_next_expiry(const struct gw_segment *segment)
{
	return (struct gk_mono){ segment->retry_ms };
}

bool gw_segment_route(const struct gw_segment *segment, struct gk_addr *addr)
{
	if (io_addr_is_link_local(addr))
		addr->scope = (uint32_t)segment->ifindex;
	return !io_addr_is_link_local(addr) || segment->ifindex > 0;
}

void gw_segment_probe(struct gw_segment *segment, const struct gk_addr *addr)
{
	char text[IO_ADDR_TEXT];
	int err = -ENODEV;

	if (segment->monitor && segment->ifindex)
		err = reach_monitor_probe(segment->monitor, segment->ifindex, addr->ip);
	if (err == -EPERM && !segment->weak)
		log_warnx("link", "without CAP_NET_ADMIN neighbours are probed by empty datagrams, "
				  "which takes some seconds longer");
	else if (err && err != -EPERM)
		log_debug("link", "%s: the kernel does not probe it: %s",
			  io_addr_format(addr, text), strerror(-err));
	segment->weak = segment->weak || err == -EPERM;
}

bool gw_segment_address(const struct gw_segment *segment, struct gk_addr *addr)
{
	const struct gk_addr *found = NULL;

	for (size_t i = 0; i < segment->address_count; i++) {
		const struct gk_addr *candidate = &segment->addresses[i];
		if (!found || (io_addr_is_link_local(found) && !io_addr_is_link_local(candidate)))
			found = candidate;
	}
	if (!found)
		return false;
	memcpy(addr->ip, found->ip, sizeof(addr->ip));
	return true;
}
