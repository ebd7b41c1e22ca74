// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/segment.h"
#include "io/addr.h"
#include "io/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000
#define DEAF_MS  5000 /* reading may fail for so long before we know nothing any more */
#define LOOK_MS  5000 /* between looks for proxied entries that went */

static struct gw_segment_link *ours(struct gw_segment *segment)
{
	return &segment->links[0];
}

/*
 * Links
 */

static struct gw_segment_link *find_name(struct gw_segment *segment, const char *name)
{
	for (size_t i = 0; i < segment->link_count; i++) {
		if (strcmp(segment->links[i].name, name) == 0)
			return &segment->links[i];
	}
	return NULL;
}

static struct gw_segment_link *find_index(struct gw_segment *segment, int ifindex)
{
	for (size_t i = 0; i < segment->link_count; i++) {
		if (segment->links[i].ifindex == ifindex)
			return &segment->links[i];
	}
	return NULL;
}

/* The kernel drops the entries of a link that falls: that says nothing of the nodes behind it. */
static void fall(struct gw_segment *segment, struct gw_segment_link *link, enum gk_blindness why)
{
	link->fell = why;
	gw_routes_excuse(&segment->routes, link->ifindex);
}

static void lose_link(struct gw_segment *segment, struct gw_segment_link *link)
{
	fall(segment, link, GK_BLIND_LINK_GONE);
	gw_routes_forget(&segment->routes, link->ifindex);
	link->ifindex = 0;
	link->up = false;
	link->lower_up = false;
	if (link == ours(segment))
		segment->address_count = 0;
}

static void take_link(struct gw_segment *segment, const struct reach_event *event)
{
	struct gw_segment_link *link = event->present ? find_name(segment, event->name)
						      : find_index(segment, event->ifindex);

	if (!link)
		return;
	if (!event->present || (link->ifindex && link->ifindex != event->ifindex))
		lose_link(segment, link);
	if (event->present) {
		link->ifindex = event->ifindex;
		link->up = event->up;
		link->lower_up = event->lower_up;
		if (!link->lower_up)
			fall(segment, link, link->up ? GK_BLIND_RADIO_DOWN : GK_BLIND_LINK_DOWN);
	}
	segment->ifindex = ours(segment)->ifindex;
}

/*
 * Our addresses
 */

static size_t find_address(const struct gw_segment *segment, const struct gk_addr *addr)
{
	size_t i = 0;

	while (i < segment->address_count && !io_addr_equal(&segment->addresses[i], addr))
		i++;
	return i;
}

static void take_address(struct gw_segment *segment, const struct reach_event *event)
{
	struct gk_addr addr = { .scope = (uint32_t)event->ifindex };
	size_t i;
	bool known;

	memcpy(addr.ip, event->ip, sizeof(addr.ip));
	i = find_address(segment, &addr);
	known = i < segment->address_count;
	if (event->present && !known && i < GW_SEGMENT_ADDRESSES) {
		segment->addresses[segment->address_count++] = addr;
	} else if (!event->present && known) {
		segment->address_count--;
		memmove(&segment->addresses[i], &segment->addresses[i + 1],
			(segment->address_count - i) * sizeof(addr));
	}
}

struct reach_counts gw_segment_counts(const struct gw_segment *segment)
{
	return segment->monitor ? reach_monitor_counts(segment->monitor)
				: (struct reach_counts){ 0 };
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

/* Once we had one that is valid beyond the link, members were given it, and find us by no other. */
static bool has_address(const struct gw_segment *segment)
{
	struct gk_addr addr = { 0 };

	if (!gw_segment_address(segment, &addr))
		return false;
	return !segment->was_wide || !io_addr_is_link_local(&addr);
}

static void remember_address(struct gw_segment *segment)
{
	struct gk_addr addr = { 0 };

	if (gw_segment_address(segment, &addr) && !io_addr_is_link_local(&addr))
		segment->was_wide = true;
}

/*
 * What we can see. While nothing was read, that is what was seen before.
 */

static enum gk_blindness find_blindness(struct gw_segment *segment)
{
	const struct gw_segment_link *link = ours(segment);

	if (!segment->monitor || segment->deaf || (segment->fresh && !segment->told))
		return GK_BLIND_DEAF;
	if (segment->fresh)
		return segment->blind;
	if (!link->ifindex)
		return GK_BLIND_LINK_GONE;
	if (!link->up)
		return GK_BLIND_LINK_DOWN;
	if (!link->lower_up)
		return GK_BLIND_RADIO_DOWN;
	return has_address(segment) ? GK_BLIND_NOT : GK_BLIND_NO_ADDRESS;
}

static void set_blind(struct gw_segment *segment, enum gk_blindness why)
{
	static const char *const words[] = {
		[GK_BLIND_NOT] = "is up",
		[GK_BLIND_LINK_GONE] = "is not there",
		[GK_BLIND_LINK_DOWN] = "is down",
		[GK_BLIND_RADIO_DOWN] = "stands on a link that is down",
		[GK_BLIND_NO_ADDRESS] = "has no address that members find us by",
		[GK_BLIND_DEAF] = "cannot be watched",
	};

	if (segment->told && segment->blind == why)
		return;
	log_info("link", "%s %s", segment->interface, words[why]);
	if (why)
		gw_routes_excuse(&segment->routes, 0);
	else
		gw_segment_want_timing(segment);
	segment->blind = why;
	segment->told = true;
	segment->sink->blind(segment->ctx, why);
}

/* A link that went and came back in one batch is told as blind for a moment: who depends on it has
 * to begin anew. */
static void tell_blindness(struct gw_segment *segment)
{
	enum gk_blindness why = find_blindness(segment), fell = ours(segment)->fell;

	if (!why && fell && segment->told && !segment->fresh)
		set_blind(segment, fell);
	set_blind(segment, why);
}

/*
 * Nodes
 */

/* What the kernel held when we began to see is old, and says nothing of who is there now. */
static bool is_judged(struct gw_segment *segment, const struct gw_segment_link *link)
{
	return link->lower_up && !link->fell && segment->told && !segment->blind &&
	       !segment->fresh && !find_blindness(segment);
}

static void take_way(struct gw_segment *segment, const struct reach_event *event,
		     struct gk_mono now)
{
	const struct gw_segment_link *link = find_index(segment, event->ifindex);

	if (!link || event->ifindex == 0)
		return;
	segment->proxies = segment->proxies || event->kind == REACH_PROXY;
	gw_routes_take(&segment->routes, event, is_judged(segment, link), now);
}

/* The KDC knows members by addresses of our link and by such as mean the same everywhere.
 * Link-local ones of another link are other nodes' than those on ours. */
static bool is_of_members(const struct gw_segment *segment, const struct gk_addr *addr)
{
	return addr->scope == (uint32_t)segment->ifindex || !io_addr_is_link_local(addr);
}

static void tell_reach(struct gw_segment *segment, struct gk_mono now)
{
	struct gk_reach_report *reports;
	size_t count = gw_routes_judge(&segment->routes, now, &reports);
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_of_members(segment, &reports[i].addr))
			continue;
		reports[i].addr.scope = 0;
		reports[kept++] = reports[i];
	}
	if (kept > 0)
		segment->sink->reach(segment->ctx, reports, kept);
}

/*
 * What was read at once
 */

struct batch {
	struct gw_segment *segment;
	struct gk_mono now;
};

static void take_event(struct gw_segment *segment, const struct reach_event *event,
		       struct gk_mono now)
{
	if (event->kind == REACH_LINK)
		take_link(segment, event);
	else if (event->kind != REACH_ADDRESS)
		take_way(segment, event, now);
	else if (event->ifindex == segment->ifindex)
		take_address(segment, event);
}

static bool is_ours(const struct reach_event *event)
{
	return event->kind == REACH_LINK || event->kind == REACH_ADDRESS;
}

/* Links and our addresses first: they decide whether what is read of nodes counts. */
static void take_events(const struct reach_event *events, size_t count, void *ctx)
{
	struct batch *batch = ctx;

	for (size_t i = 0; i < count; i++) {
		char text[REACH_TEXT_LEN];
		reach_event_format(&events[i], text);
		log_debug("link", "%s", text);
		if (is_ours(&events[i]))
			take_event(batch->segment, &events[i], batch->now);
	}
	remember_address(batch->segment);
	for (size_t i = 0; i < count; i++) {
		if (!is_ours(&events[i]))
			take_event(batch->segment, &events[i], batch->now);
	}
}

/*
 * The monitor
 */

static int open_monitor(struct gw_segment *segment)
{
	const char *names[1 + GW_SEGMENT_WATCH_MAX];
	struct reach_options options = { .interfaces = names,
					 .interface_count = segment->link_count,
					 .datagrams = segment->weak };

	for (size_t i = 0; i < segment->link_count; i++)
		names[i] = segment->links[i].name;
	return reach_monitor_open(&segment->monitor, &options);
}

/* All that was read; 'told' stays, since the sink has been told. */
static void forget(struct gw_segment *segment)
{
	for (size_t i = 0; i < segment->link_count; i++)
		lose_link(segment, &segment->links[i]);
	segment->ifindex = 0;
	segment->fresh = true;
	segment->failing_ms = GK_NEVER;
}

static void close_monitor(struct gw_segment *segment)
{
	segment->sink->moved(segment->ctx, reach_monitor_fd(segment->monitor), -1);
	reach_monitor_close(segment->monitor);
	segment->monitor = NULL;
	forget(segment);
}

static void drop_monitor(struct gw_segment *segment, int err)
{
	log_warnx("link", "the kernel's notices cannot be read, beginning anew: %s",
		  strerror(-err));
	close_monitor(segment);
}

/* Is it an error that may be gone when it is read again later? */
static bool is_passing(int err)
{
	return err == -EAGAIN || err == -ENOMEM || err == -EBADMSG || err == -ENOBUFS;
}

static void take_success(struct gw_segment *segment, int err)
{
	segment->fresh = false;
	segment->deaf = false;
	segment->failing_ms = GK_NEVER;
	if (err == -EOVERFLOW && !segment->crowded) {
		segment->crowded = true;
		log_warnx("link", "more neighbours than the table of them holds; some may be "
				  "missed when the kernel drops notices");
	}
}

static void take_failure(struct gw_segment *segment, int err, struct gk_mono now)
{
	segment->retry_ms = err == -ENOBUFS ? now.ms : now.ms + RETRY_MS;
	if (segment->failing_ms == GK_NEVER)
		segment->failing_ms = now.ms;
	segment->deaf = now.ms - segment->failing_ms > DEAF_MS;
	if (!is_passing(err))
		drop_monitor(segment, err);
	else if (err == -EBADMSG)
		log_warnx("link", "the kernel's dump makes no sense; trying again");
}

/* Where there are proxied entries, every few seconds; else when members are probed. */
static void look_for_proxies(struct gw_segment *segment, struct gk_mono now)
{
	if (segment->look_ms <= now.ms || gw_segment_asks_timing(segment, now))
		reach_monitor_look(segment->monitor);
	if (segment->look_ms <= now.ms)
		segment->look_ms = GK_NEVER;
}

static void read_monitor(struct gw_segment *segment, struct gk_mono now)
{
	struct batch batch = { segment, now };
	int err;

	for (size_t i = 0; i < segment->link_count; i++)
		segment->links[i].fell = GK_BLIND_NOT;
	look_for_proxies(segment, now);
	segment->retry_ms = GK_NEVER;
	err = reach_monitor_read(segment->monitor, take_events, &batch);
	if (err && err != -EOVERFLOW)
		take_failure(segment, err, now);
	else
		take_success(segment, err);
	if (segment->proxies && segment->look_ms == GK_NEVER)
		segment->look_ms = now.ms + LOOK_MS;
	tell_blindness(segment);
	gw_segment_ask_timing(segment, now);
	tell_reach(segment, now);
}

static void reopen(struct gw_segment *segment, struct gk_mono now)
{
	if (open_monitor(segment)) {
		segment->retry_ms = now.ms + RETRY_MS;
		tell_blindness(segment);
		return;
	}
	segment->sink->moved(segment->ctx, -1, reach_monitor_fd(segment->monitor));
	read_monitor(segment, now);
}

static void add_link(struct gw_segment *segment, const char *name)
{
	struct gw_segment_link *link = &segment->links[segment->link_count];

	if (segment->link_count > GW_SEGMENT_WATCH_MAX || strlen(name) >= sizeof(link->name))
		return;
	*link = (struct gw_segment_link){ 0 };
	strcpy(link->name, name);
	segment->link_count++;
}

static void set_links(struct gw_segment *segment, char *const *watch, size_t watch_count)
{
	segment->link_count = 0;
	add_link(segment, segment->interface);
	for (size_t i = 0; i < watch_count; i++)
		add_link(segment, watch[i]);
}

static void prepare(struct gw_segment *segment, const struct gw_segment_options *options,
		    const struct gw_segment_sink *sink, void *ctx)
{
	*segment = (struct gw_segment){
		.interface = options->interface,
		.sink = sink,
		.ctx = ctx,
		.fresh = true,
		.weak = options->datagrams,
		.retry_ms = GK_NEVER,
		.failing_ms = GK_NEVER,
		.look_ms = GK_NEVER,
		.verdict_ms = GW_SEGMENT_VERDICT_MS,
	};
	set_links(segment, options->watch, options->watch_count);
	if (segment->weak)
		log_info("link", GW_SEGMENT_WEAK);
}

static void begin(struct gw_segment *segment, struct gk_mono now)
{
	segment->sink->moved(segment->ctx, -1, reach_monitor_fd(segment->monitor));
	read_monitor(segment, now);
}

int gw_segment_open(struct gw_segment *segment, const struct gw_segment_options *options,
		    const struct gw_segment_sink *sink, void *ctx, struct gk_mono now)
{
	int err;

	prepare(segment, options, sink, ctx);
	err = open_monitor(segment);
	if (!err)
		begin(segment, now);
	return err;
}

void gw_segment_open_with(struct gw_segment *segment, struct reach_monitor *monitor,
			  const struct gw_segment_options *options,
			  const struct gw_segment_sink *sink, void *ctx, struct gk_mono now)
{
	prepare(segment, options, sink, ctx);
	segment->monitor = monitor;
	begin(segment, now);
}

void gw_segment_watch(struct gw_segment *segment, char *const *watch, size_t watch_count,
		      struct gk_mono now)
{
	if (segment->monitor)
		close_monitor(segment);
	set_links(segment, watch, watch_count);
	reopen(segment, now);
}

void gw_segment_close(struct gw_segment *segment)
{
	reach_monitor_close(segment->monitor);
	segment->monitor = NULL;
	gw_routes_free(&segment->routes);
	free(segment->answers);
	segment->answers = NULL;
	segment->answer_count = segment->answer_room = 0;
}

/*
 * When there is something to do
 */

void gw_segment_read(struct gw_segment *segment, struct gk_mono now)
{
	gw_segment_tell_answers(segment);
	if (segment->monitor)
		read_monitor(segment, now);
	else if (segment->retry_ms <= now.ms)
		reopen(segment, now);
}

struct gk_mono gw_segment_next_expiry(const struct gw_segment *segment)
{
	struct gk_mono next = gw_routes_next_expiry(&segment->routes);

	if (segment->retry_ms < next.ms)
		next.ms = segment->retry_ms;
	if (segment->look_ms < next.ms && segment->monitor)
		next.ms = segment->look_ms;
	if (segment->answer_count > 0)
		next.ms = 0;
	return next;
}

bool gw_segment_route(const struct gw_segment *segment, struct gk_addr *addr)
{
	if (io_addr_is_link_local(addr))
		addr->scope = (uint32_t)segment->ifindex;
	return !io_addr_is_link_local(addr) || segment->ifindex > 0;
}
