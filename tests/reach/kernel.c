// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Neighbour entries, host routes and one interface, as Linux 6.18 was seen to keep them:
 *
 *   - an entry is REACHABLE for about half a minute, then STALE until it is used; used, it is asked
 *     5 s later, three times a second apart; unanswered it is FAILED. One that is not there, or
 *     has failed, is asked for at once, silently;
 *   - entries that nobody has used for a minute are collected when there are more than 128; with
 *     more than 512, each new one takes the place of any that has not changed for 5 s;
 *   - what is forged, and what neighbours say of themselves, sets an entry to STALE;
 *   - a link that goes down takes its neighbours with it, and if it was switched off its routes and
 *     addresses, and tells of itself last;
 *   - notices that nobody has read in time are lost: then the monitor compares everything.
 */
#include "tests/reach/reach.h"

#include <stdlib.h>
#include <string.h>

#define REACHABLE_MS 30000 /* base_reachable_time */
#define DELAY_MS     5000  /* delay_first_probe_time */
#define RETRANS_MS   1000
#define SOLICIT      3 /* mcast_solicit and ucast_solicit */
#define ANSWER_MS    100
#define GC_MS        60000 /* gc_stale_time */
#define GC_THRESH    128   /* gc_thresh1 */
#define GC_FORCED    512   /* gc_thresh2 */
#define GC_FORCED_MS 5000
#define READ_MS      3  /* the daemon is quick */
#define SOLICIT_LEN  40 /* as if it were a CoAP message */

/* notices */

static void read_notices(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	if (w->kernel.reading)
		kernel_deliver(w);
}

static bool is_news(const struct kernel *k, const struct reach_event *event)
{
	const struct reach_event *old = reach_known_find(&k->known, event);

	if (event->kind == REACH_NEIGHBOUR)
		return true;
	return old ? !reach_event_same(old, event) : !reach_event_is_gone(event);
}

static void add_to_batch(struct kernel *k, const struct reach_event *event)
{
	if (reach_batch_reserve(&k->batch, 1) || reach_known_update(&k->known, event))
		abort();
	reach_batch_add(&k->batch, event);
}

void kernel_say(struct world *w, const struct reach_event *event)
{
	struct kernel *k = &w->kernel;

	w->tally[NOTICES]++;
	if (event->kind != REACH_NEIGHBOUR)
		k->changed_ms = w->now.mono.ms;
	if (!k->reading)
		world_in(w, between(w, 0, READ_MS), read_notices, 0);
	k->reading = true;
	if (!k->overrun && is_news(k, event))
		add_to_batch(k, event);
}

static struct reach_event link_event(const struct kernel *k)
{
	struct reach_event event = { .kind = REACH_LINK,
				     .ifindex = k->ifindex,
				     .present = k->present,
				     .up = k->present && k->up,
				     .lower_up = k->present && k->up && k->lower_up };

	memcpy(event.name, k->interface, sizeof(event.name));
	return event;
}

static struct reach_event address_event(const struct kernel *k)
{
	return (struct reach_event){ .kind = REACH_ADDRESS,
				     .ifindex = k->ifindex,
				     .present = k->address,
				     .ip = { 0xfd, [15] = 1 } };
}

static void put_ip(const struct node *node, enum which which, uint8_t ip[REACH_IP_LEN])
{
	static const uint8_t link_local[8] = { 0xfe, 0x80 };

	memcpy(ip, node->addr.ip, REACH_IP_LEN);
	if (which == LINK_LOCAL)
		memcpy(ip, link_local, sizeof(link_local));
}

static struct reach_event route_event(const struct world *w, const struct node *node)
{
	int router = w->kernel.routes[node->index];
	struct reach_event event = { .kind = REACH_ROUTE,
				     .ifindex = w->kernel.ifindex,
				     .present = router != GATEWAY };

	put_ip(node, GLOBAL, event.ip);
	if (event.present)
		put_ip(&w->nodes[router], LINK_LOCAL, event.gateway);
	return event;
}

static struct reach_event neighbour_event(const struct world *w, const struct node *node,
					  enum which which)
{
	static const enum reach_state states[] = {
		[NUD_NOTHING] = REACH_UNKNOWN,      [NUD_INCOMPLETE_] = REACH_UNKNOWN,
		[NUD_REACHABLE_] = REACH_REACHABLE, [NUD_STALE_] = REACH_STALE,
		[NUD_DELAY_] = REACH_STALE,         [NUD_PROBE_] = REACH_STALE,
		[NUD_FAILED_] = REACH_FAILED,
	};
	const struct entry *e = &w->kernel.entries[node->index * ADDRESSES + which];
	struct reach_event event = { .kind = REACH_NEIGHBOUR,
				     .ifindex = w->kernel.ifindex,
				     .state = states[e->nud] };

	put_ip(node, which, event.ip);
	return event;
}

/* entries */

static void timer(struct world *w, uint64_t arg, void *ptr);

static struct node *owner(struct world *w, size_t at)
{
	return &w->nodes[at / ADDRESSES];
}

static bool is_told(enum nud nud)
{
	return nud != NUD_INCOMPLETE_ && nud != NUD_DELAY_;
}

static uint64_t timer_of(const struct world *w, size_t at)
{
	return (uint64_t)at << 32 | w->kernel.entries[at].life;
}

static bool is_idle(const struct entry *e)
{
	return e->nud == NUD_STALE_ || e->nud == NUD_FAILED_;
}

static void become(struct world *w, size_t at, enum nud nud);

static void make_room(struct world *w)
{
	struct kernel *k = &w->kernel;
	size_t count = (size_t)w->opt.nodes * ADDRESSES;

	for (size_t i = 0; k->live >= GC_FORCED && i < count; i++) {
		size_t at = k->hand++ % count;

		if (is_idle(&k->entries[at]) &&
		    w->now.mono.ms - k->entries[at].changed_ms > GC_FORCED_MS)
			become(w, at, NUD_NOTHING);
	}
}

static void become(struct world *w, size_t at, enum nud nud)
{
	struct entry *e = &w->kernel.entries[at];
	struct reach_event event;

	if (e->nud == NUD_NOTHING && nud != NUD_NOTHING)
		make_room(w);
	w->kernel.live += (nud != NUD_NOTHING) - (e->nud != NUD_NOTHING);
	e->nud = nud;
	e->tries = 0;
	e->life++;
	e->changed_ms = w->now.mono.ms;
	event = neighbour_event(w, owner(w, at), at % ADDRESSES);
	if (is_told(nud))
		kernel_say(w, &event);
}

static void confirm(struct world *w, uint64_t arg, void *ptr)
{
	size_t at = arg >> 32;

	(void)ptr;
	if (w->kernel.entries[at].life != (uint32_t)arg)
		return;
	become(w, at, NUD_REACHABLE_);
	world_in(w, between(w, REACHABLE_MS / 2, REACHABLE_MS * 3 / 2), timer, timer_of(w, at));
}

/* Whoever has taken the address answers too. */
static bool is_answered(struct world *w, size_t at)
{
	const struct node *node = owner(w, at);
	bool multicast = w->kernel.entries[at].nud == NUD_INCOMPLETE_;

	if (!world_sees(w))
		return false;
	if (node->diverted && at % ADDRESSES == GLOBAL)
		return true;
	return node->parent == GATEWAY && world_joins(w, node) &&
	       air_carries(w, SOLICIT_LEN, multicast) && air_carries(w, SOLICIT_LEN, false);
}

static void solicit(struct world *w, size_t at)
{
	struct entry *e = &w->kernel.entries[at];

	e->tries++;
	if (is_answered(w, at))
		world_in(w, between(w, 1, ANSWER_MS), confirm, timer_of(w, at));
	world_in(w, RETRANS_MS, timer, timer_of(w, at));
}

static void ask(struct world *w, size_t at, enum nud nud)
{
	become(w, at, nud);
	solicit(w, at);
}

static void grow_old(struct world *w, size_t at)
{
	const struct entry *e = &w->kernel.entries[at];
	bool used = w->now.mono.ms - e->used_ms < DELAY_MS;

	become(w, at, used ? NUD_DELAY_ : NUD_STALE_);
	if (used)
		world_in(w, DELAY_MS, timer, timer_of(w, at));
}

static void timer(struct world *w, uint64_t arg, void *ptr)
{
	size_t at = arg >> 32;
	const struct entry *e = &w->kernel.entries[at];

	(void)ptr;
	if (e->life != (uint32_t)arg)
		return;
	if (e->nud == NUD_REACHABLE_)
		grow_old(w, at);
	else if (e->nud == NUD_DELAY_)
		ask(w, at, NUD_PROBE_);
	else if (e->tries < SOLICIT)
		solicit(w, at);
	else
		become(w, at, NUD_FAILED_);
}

static void use(struct world *w, size_t at)
{
	struct entry *e = &w->kernel.entries[at];

	e->used_ms = w->now.mono.ms;
	if (e->nud == NUD_STALE_) {
		become(w, at, NUD_DELAY_);
		world_in(w, DELAY_MS, timer, timer_of(w, at));
	} else if (e->nud == NUD_NOTHING || e->nud == NUD_FAILED_) {
		ask(w, at, NUD_INCOMPLETE_);
	}
}

static void forget(struct world *w, size_t at)
{
	if (w->kernel.entries[at].nud != NUD_NOTHING)
		become(w, at, NUD_NOTHING);
}

static void collect(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	for (size_t at = 0; at < (size_t)w->opt.nodes * ADDRESSES; at++) {
		const struct entry *e = &w->kernel.entries[at];

		if (w->kernel.live > GC_THRESH && is_idle(e) && w->now.mono.ms - e->used_ms > GC_MS)
			forget(w, at);
	}
	world_in(w, GC_MS, collect, 0);
}

void kernel_set(struct world *w, const struct node *node, enum which which, enum nud nud)
{
	size_t at = (size_t)node->index * ADDRESSES + which;

	become(w, at, nud);
	if (nud == NUD_REACHABLE_)
		world_in(w, REACHABLE_MS, timer, timer_of(w, at));
}

/* what others do with it */

static bool is_usable(const struct kernel *k)
{
	return k->ifindex && k->up && k->address;
}

void kernel_probe(struct world *w, const uint8_t *ip)
{
	const struct node *node = world_node(w, ip);
	size_t at;

	if (!node || !is_usable(&w->kernel))
		return;
	at = (size_t)node->index * ADDRESSES + (ip[0] == 0xfe ? LINK_LOCAL : GLOBAL);
	w->kernel.entries[at].used_ms = w->now.mono.ms;
	switch (w->kernel.entries[at].nud) {
	case NUD_NOTHING:
	case NUD_FAILED_:
		ask(w, at, NUD_INCOMPLETE_);
		break;
	case NUD_REACHABLE_:
	case NUD_STALE_:
	case NUD_DELAY_:
		ask(w, at, NUD_PROBE_);
		break;
	case NUD_INCOMPLETE_:
	case NUD_PROBE_: /* it is at it already */
		break;
	}
}

bool kernel_hop(const struct world *w, const struct node *node, uint8_t ip[REACH_IP_LEN])
{
	int router = w->kernel.routes[node->index];

	if (router == GATEWAY)
		put_ip(node, GLOBAL, ip);
	else
		put_ip(&w->nodes[router], LINK_LOCAL, ip);
	return !w->kernel.reading && !w->kernel.overrun;
}

bool kernel_send(struct world *w, const struct node *node)
{
	int router = w->kernel.routes[node->index];
	const struct node *hop = router == GATEWAY ? node : &w->nodes[router];
	bool goes = node->parent == router && world_joins(w, node) && !hop->diverted;

	if (!is_usable(&w->kernel))
		return false;
	use(w, (size_t)hop->index * ADDRESSES + (router == GATEWAY ? GLOBAL : LINK_LOCAL));
	return goes && world_sees(w);
}

/* It has solicited us before: we know its address from that. */
void kernel_heard(struct world *w, const struct node *node)
{
	const struct node *hop = node->parent == GATEWAY ? node : &w->nodes[node->parent];
	enum which which = node->parent == GATEWAY ? GLOBAL : LINK_LOCAL;
	enum nud nud = w->kernel.entries[hop->index * ADDRESSES + which].nud;

	if (nud == NUD_NOTHING || nud == NUD_FAILED_ || nud == NUD_INCOMPLETE_)
		kernel_set(w, hop, which, NUD_STALE_);
}

/* the tables as a whole */

static void append(struct reach_known *known, const struct reach_event *event)
{
	if (!reach_event_is_gone(event) && reach_known_append(known, event))
		abort();
}

static bool was_failed(const struct kernel *k, const struct reach_event *event)
{
	const struct reach_event *old = reach_known_find(&k->known, event);

	return old && old->state == REACH_FAILED;
}

/* As a dump has it: who is asked for silently after it failed has failed. */
static void dump_neighbours(const struct world *w, struct reach_known *known)
{
	for (size_t at = 0; at < (size_t)w->opt.nodes * ADDRESSES; at++) {
		const struct entry *e = &w->kernel.entries[at];
		struct reach_event event =
			neighbour_event(w, &w->nodes[at / ADDRESSES], at % ADDRESSES);

		if (e->nud == NUD_INCOMPLETE_ && was_failed(&w->kernel, &event))
			event.state = REACH_FAILED;
		append(known, &event);
	}
}

static void dump(const struct world *w, struct reach_known *known)
{
	const struct kernel *k = &w->kernel;
	struct reach_event event = link_event(k);

	if (!k->ifindex)
		return;
	append(known, &event);
	event = address_event(k);
	append(known, &event);
	for (int i = 0; i < w->opt.nodes; i++) {
		event = route_event(w, &w->nodes[i]);
		append(known, &event);
	}
	dump_neighbours(w, known);
	reach_known_sort(known);
}

static void compare(struct world *w)
{
	struct kernel *k = &w->kernel;
	struct reach_known fresh = { 0 };

	dump(w, &fresh);
	if (reach_known_compare(&k->known, &fresh, REACH_COMPARE_WHOLE, &k->batch))
		abort();
	reach_known_wipe(&k->known);
	k->known = fresh;
	k->overrun = false;
}

static void hand_over(const struct reach_event *events, size_t count, void *ctx)
{
	gateway_read(ctx, events, count);
}

void kernel_deliver(struct world *w)
{
	struct reach_batch batch;

	if (w->kernel.overrun)
		compare(w);
	w->kernel.reading = false;
	batch = w->kernel.batch;
	w->kernel.batch = (struct reach_batch){ 0 };
	reach_batch_deliver(&batch, hand_over, w);
}

static void show(const struct reach_event *events, size_t count, void *ctx)
{
	struct world *w = ctx;

	if (reach_fake_say(w->monitor, events, count))
		abort();
}

void kernel_show(struct world *w)
{
	struct kernel *k = &w->kernel;

	reach_known_wipe(&k->known);
	reach_batch_wipe(&k->batch);
	compare(w);
	k->reading = false;
	reach_batch_deliver(&k->batch, show, w);
}

void kernel_overrun(struct world *w)
{
	w->kernel.overrun = true;
	w->tally[OVERRUNS]++;
}

/* links, addresses, routes */

static void say_link(struct world *w)
{
	struct reach_event event = link_event(&w->kernel);

	kernel_say(w, &event);
}

void kernel_address(struct world *w, bool present)
{
	struct reach_event event;

	if (!w->kernel.ifindex || w->kernel.address == present)
		return;
	w->kernel.address = present;
	event = address_event(&w->kernel);
	kernel_say(w, &event);
	world_changed(w);
}

void kernel_route(struct world *w, const struct node *node, int router)
{
	struct reach_event event;

	if (!is_usable(&w->kernel) || w->kernel.routes[node->index] == router)
		return;
	event = route_event(w, node);
	event.present = false; /* the one that was there */
	w->kernel.routes[node->index] = router;
	if (router != GATEWAY)
		event = route_event(w, node);
	kernel_say(w, &event);
}

static void forget_neighbours(struct world *w)
{
	for (size_t at = 0; at < (size_t)w->opt.nodes * ADDRESSES; at++)
		forget(w, at);
}

static void forget_routes(struct world *w)
{
	for (int i = 0; i < w->opt.nodes; i++)
		kernel_route(w, &w->nodes[i], GATEWAY);
}

/* The daemon may read between what goes with a link and the link itself. */
static void clear(struct world *w)
{
	forget_routes(w);
	forget_neighbours(w);
	kernel_address(w, false);
	if (happens(w, 0.5))
		kernel_deliver(w);
}

void kernel_switch(struct world *w, bool on)
{
	if (!on)
		clear(w);
	w->kernel.up = on;
	say_link(w);
	world_changed(w);
}

void kernel_carrier(struct world *w, bool on)
{
	if (!on)
		forget_neighbours(w);
	w->kernel.up = on;
	say_link(w);
	world_changed(w);
}

void kernel_radio(struct world *w, bool on)
{
	w->kernel.lower_up = on;
	say_link(w);
	world_changed(w);
}

void kernel_delete(struct world *w)
{
	clear(w);
	w->kernel.present = false;
	say_link(w);
	w->kernel.ifindex = 0;
	world_changed(w);
}

void kernel_create(struct world *w)
{
	w->kernel.ifindex = w->kernel.next_ifindex++;
	w->kernel.present = w->kernel.up = w->kernel.lower_up = true;
	say_link(w);
	world_changed(w);
}

void kernel_begin(struct world *w)
{
	size_t count = (size_t)w->opt.nodes;

	w->kernel.next_ifindex = 7;
	strcpy(w->kernel.interface, w->played ? w->played->interface : INTERFACE);
	w->kernel.entries = must_alloc(NULL, count * ADDRESSES * sizeof(struct entry));
	memset(w->kernel.entries, 0, count * ADDRESSES * sizeof(struct entry));
	w->kernel.routes = must_alloc(NULL, count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		w->kernel.routes[i] = GATEWAY;
	world_in(w, GC_MS, collect, 0);
}

void kernel_end(struct world *w)
{
	reach_known_wipe(&w->kernel.known);
	reach_batch_wipe(&w->kernel.batch);
	free(w->kernel.entries);
	free(w->kernel.routes);
}
