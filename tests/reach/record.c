// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Traces of what a kernel said: lines "+MS EVENT", as reachmon --trace writes them. A run can be
 * written as one; and one can be played: then each address in it that is not link-local, of a
 * neighbour or in a host route, is a member's, which is connected as far as the kernel knew. Lines
 * that begin with "#!" are for us:
 *
 *     #! until 600000                      when it ends; else ten minutes after the last event
 *     #! policy 60 3 5 60                  check_interval_s probes probe_wait_s grace_s
 *     #! confirm 300000                    the operator confirms a loss then
 *     #! router fd00::2                    no member, whatever is said of it
 *     #! removed fd00::5 60000 120000      ... is removed in this time, and is not there otherwise
 *     #! rekeyings 1                       of so many departures at once
 */
#include "tests/reach/reach.h"

#include "io/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_MS 30000 /* until then all have joined */
#define AFTER_MS (10 * MINUTE_MS)

/* writing */

void record_events(struct world *w, const struct reach_event *events, size_t count)
{
	char text[REACH_TRACE_LEN];

	for (size_t i = 0; w->record && i < count; i++) {
		reach_trace_format(w->now.mono.ms, &events[i], text);
		fprintf(w->record, "%s\n", text);
	}
}

void record_outcome(struct world *w, const char *what, struct node *node)
{
	char text[IO_ADDR_TEXT] = "";

	if (!w->played)
		return;
	if (node) {
		node->removed_ms = w->now.mono.ms - BEGIN_MS;
		inet_ntop(AF_INET6, node->addr.ip, text, sizeof(text));
	}
	printf("# +%lld %s %s\n", (long long)w->now.mono.ms - BEGIN_MS, what, text);
}

/* reading */

static void add_node(struct played *p, const uint8_t *ip, bool member)
{
	for (size_t i = 0; i < p->node_count; i++) {
		struct played_node *node = &p->nodes[i];

		if (memcmp(&node->ip[8], &ip[8], 8) != 0)
			continue;
		if (node->ip[0] == 0xfe && ip[0] != 0xfe) {
			memcpy(node->ip, ip, sizeof(node->ip));
			node->member = member;
		}
		return;
	}
	if (p->node_count == PLAYED_NODES)
		abort();
	p->nodes[p->node_count] = (struct played_node){ .member = member };
	memcpy(p->nodes[p->node_count++].ip, ip, REACH_IP_LEN);
}

/* Who routes for others is no member by that alone. */
static void add_event(struct played *p, int64_t at_ms, const struct reach_event *event)
{
	static const uint8_t on_link[REACH_IP_LEN];

	if (p->event_count == p->event_cap) {
		p->event_cap = p->event_cap ? 2 * p->event_cap : 64;
		p->events = must_alloc(p->events, p->event_cap * sizeof(*p->events));
	}
	p->events[p->event_count++] = (struct played_event){ at_ms, *event };
	if (event->kind == REACH_LINK && !p->interface[0])
		memcpy(p->interface, event->name, sizeof(p->interface));
	if (event->kind == REACH_NEIGHBOUR || event->kind == REACH_ROUTE)
		add_node(p, event->ip, event->ip[0] != 0xfe);
	if (event->kind == REACH_ROUTE && memcmp(event->gateway, on_link, sizeof(on_link)) != 0)
		add_node(p, event->gateway, false);
	p->until_ms = at_ms + AFTER_MS;
}

static bool read_removed(struct played *p, const char *line)
{
	struct expected *e = &p->expected[p->expected_count];
	char ip[64];
	long long from, to;

	if (p->expected_count == PLAYED_NODES ||
	    sscanf(line, "removed %63s %lld %lld", ip, &from, &to) != 3 ||
	    inet_pton(AF_INET6, ip, e->ip) != 1)
		return false;
	e->from_ms = from;
	e->to_ms = to;
	p->expected_count++;
	return true;
}

static bool read_policy(struct played *p, const char *line)
{
	struct gk_presence_config *c = &p->presence;

	return sscanf(line, "policy %u %u %u %u", &c->check_interval_s, &c->probes,
		      &c->probe_wait_s, &c->grace_s) == 4;
}

static bool read_router(struct played *p, const char *line)
{
	uint8_t bytes[REACH_IP_LEN];
	char ip[64];

	if (sscanf(line, "router %63s", ip) != 1 || inet_pton(AF_INET6, ip, bytes) != 1)
		return false;
	for (size_t i = 0; i < p->node_count; i++) {
		if (memcmp(p->nodes[i].ip, bytes, sizeof(bytes)) == 0)
			p->nodes[i].member = false;
	}
	return true;
}

static bool read_word(struct played *p, const char *line)
{
	long long ms;

	if (sscanf(line, "until %lld", &ms) == 1)
		p->end_ms = ms;
	else if (sscanf(line, "confirm %lld", &ms) == 1)
		p->confirm_ms = ms;
	else if (sscanf(line, "rekeyings %lld", &ms) == 1)
		p->rekeyings = ms;
	else
		return read_policy(p, line) || read_router(p, line) || read_removed(p, line);
	return true;
}

static _Noreturn void refuse(const char *path, size_t line)
{
	fprintf(stderr, "%s:%zu: no line of a trace\n", path, line);
	exit(2);
}

static void read_words(struct played *p, char *text, const char *path)
{
	size_t number = 0;

	for (char *next = text; next;) {
		const char *line = strsep(&next, "\n");

		number++;
		if (strncmp(line, "#!", 2) == 0 && !read_word(p, line + 2 + strspn(line + 2, " ")))
			refuse(path, number);
	}
}

static void read_events(struct played *p, struct gk_span text, const char *path)
{
	struct reach_trace trace = reach_trace_begin((const char *)text.data, text.len);
	struct reach_event event;
	int64_t at_ms;
	int rc;

	while ((rc = reach_trace_next(&trace, &at_ms, &event)) == 1)
		add_event(p, at_ms, &event);
	if (rc || !p->node_count)
		refuse(path, trace.line);
}

static size_t read_file(const char *path, char **text)
{
	FILE *in = fopen(path, "r"), *out;
	char bytes[4096];
	size_t len, got;

	out = open_memstream(text, &len);
	if (!in || !out)
		refuse(path, 0);
	while ((got = fread(bytes, 1, sizeof(bytes), in)))
		(void)fwrite(bytes, 1, got, out);
	fclose(in);
	fclose(out);
	return len;
}

struct played *played_read(const char *path)
{
	struct played *p = must_alloc(NULL, sizeof(*p));
	char *text;
	size_t len = read_file(path, &text);

	*p = (struct played){ .end_ms = -1, .confirm_ms = -1, .rekeyings = -1 };
	read_events(p, gk_span((const uint8_t *)text, len), path);
	read_words(p, text, path);
	free(text);
	return p;
}

void played_free(struct played *p)
{
	if (p)
		free(p->events);
	free(p);
}

/* playing */

static void play_link(struct world *w, const struct reach_event *event)
{
	struct kernel *k = &w->kernel;

	if (strcmp(event->name, w->played->interface) != 0)
		return;
	k->ifindex = event->present ? event->ifindex : 0;
	k->present = event->present;
	k->up = event->up;
	k->lower_up = event->lower_up;
	kernel_say(w, event);
}

static void play_address(struct world *w, const struct reach_event *event)
{
	if (event->ifindex != w->kernel.ifindex)
		return;
	w->kernel.address = event->present;
	kernel_say(w, event);
}

static void play_route(struct world *w, const struct reach_event *event)
{
	struct node *node = world_node(w, event->ip);
	const struct node *router = world_node(w, event->gateway);
	int way = event->present && router ? router->index : GATEWAY;

	if (!node || event->ifindex != w->kernel.ifindex)
		return;
	node->parent = way;
	node->linked = event->present;
	kernel_route(w, node, way);
}

static void play_neighbour(struct world *w, const struct reach_event *event)
{
	static const enum nud nuds[] = { [REACH_UNKNOWN] = NUD_NOTHING,
					 [REACH_REACHABLE] = NUD_REACHABLE_,
					 [REACH_STALE] = NUD_STALE_,
					 [REACH_FAILED] = NUD_FAILED_ };
	struct node *node = world_node(w, event->ip);

	if (!node || event->ifindex != w->kernel.ifindex)
		return;
	if (event->state != REACH_UNKNOWN)
		node->linked = event->state != REACH_FAILED;
	kernel_set(w, node, event->ip[0] == 0xfe && node->addr.ip[0] != 0xfe ? LINK_LOCAL : GLOBAL,
		   nuds[event->state]);
}

static void play(struct world *w, uint64_t at, void *ptr)
{
	static void (*const play_kind[])(struct world *, const struct reach_event *) = {
		[REACH_LINK] = play_link,
		[REACH_ADDRESS] = play_address,
		[REACH_ROUTE] = play_route,
		[REACH_NEIGHBOUR] = play_neighbour,
	};
	const struct reach_event *event = &w->played->events[at].event;

	(void)ptr;
	if (event->kind != REACH_PROXY)
		play_kind[event->kind](w, event);
	world_changed(w);
}

static void confirm(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	check_confirm(w);
}

/* What is there when it begins is there before anybody joins. */
void played_begin(struct world *w)
{
	struct played *p = w->played;

	for (size_t i = 0; i < p->event_count; i++)
		world_at(w, p->events[i].at_ms ? BEGIN_MS + p->events[i].at_ms : 0, play, i);
	if (p->confirm_ms >= 0)
		world_at(w, BEGIN_MS + p->confirm_ms, confirm, 0);
	w->end_ms = BEGIN_MS + (p->end_ms >= 0 ? p->end_ms : p->until_ms);
}

/* what came of it */

static const struct expected *find_expected(const struct played *p, const struct node *node)
{
	for (size_t i = 0; i < p->expected_count; i++) {
		if (memcmp(p->expected[i].ip, node->addr.ip, REACH_IP_LEN) == 0)
			return &p->expected[i];
	}
	return NULL;
}

void played_end(struct world *w)
{
	const struct played *p = w->played;

	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];
		const struct expected *e = find_expected(p, node);

		if (!e && node->removed_ms >= 0)
			broken(w, RULE_EXPECTED, i, "removed at +%lld",
			       (long long)node->removed_ms);
		if (e && (node->removed_ms < e->from_ms || node->removed_ms > e->to_ms))
			broken(w, RULE_EXPECTED, i, "removed at +%lld, not between %lld and %lld",
			       (long long)node->removed_ms, (long long)e->from_ms,
			       (long long)e->to_ms);
	}
	if (p->rekeyings >= 0 && w->rekeyed_lost != p->rekeyings)
		broken(w, RULE_EXPECTED, GATEWAY, "%lld rekeyings for departures, not %lld",
		       (long long)w->rekeyed_lost, (long long)p->rekeyings);
}
