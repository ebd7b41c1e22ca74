// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "json.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

// What does not print becomes '?', as it does in a trace.
void reach_json_string(FILE *out, const char *key, const char *value)
{
	fprintf(out, ",\"%s\":\"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		putc(*value <= ' ' || *value > '~' ? '?' : *value, out);
	}
	putc('"', out);
}

static void put_ip(FILE *out, const char *key, const uint8_t ip[REACH_IP_LEN])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, ip, text, sizeof(text));
	reach_json_string(out, key, text);
}

static void put_bool(FILE *out, const char *key, bool value)
{
	fprintf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_link(FILE *out, const struct reach_event *event)
{
	put_bool(out, "present", event->present);
	put_bool(out, "up", event->up);
	put_bool(out, "lower_up", event->lower_up);
}

static void put_entry(FILE *out, const struct reach_event *event)
{
	put_bool(out, "present", event->present);
	put_ip(out, "ip", event->ip);
}

static void put_route(FILE *out, const struct reach_event *event)
{
	static const uint8_t on_link[REACH_IP_LEN];

	put_entry(out, event);
	if (memcmp(event->gateway, on_link, sizeof(on_link)) == 0)
		fprintf(out, ",\"gateway\":null");
	else
		put_ip(out, "gateway", event->gateway);
	if (event->metric)
		fprintf(out, ",\"metric\":%" PRIu32, event->metric);
}

static void put_neighbour(FILE *out, const struct reach_event *event)
{
	static const char *const states[] = {
		[REACH_UNKNOWN] = "unknown",
		[REACH_REACHABLE] = "reachable",
		[REACH_STALE] = "stale",
		[REACH_FAILED] = "failed",
	};

	put_ip(out, "ip", event->ip);
	reach_json_string(out, "state", states[event->state]);
}

static const struct {
	const char *name;
	void (*put)(FILE *out, const struct reach_event *event);
} kinds[] = {
	[REACH_LINK] = { "link", put_link },
	[REACH_ADDRESS] = { "address", put_entry },
	[REACH_ROUTE] = { "route", put_route },
	[REACH_PROXY] = { "proxy", put_entry },
	[REACH_NEIGHBOUR] = { "neighbour", put_neighbour },
};

void reach_json_event(FILE *out, const struct reach_event *event, const char *interface)
{
	reach_json_string(out, "kind", kinds[event->kind].name);
	fprintf(out, ",\"ifindex\":%d", event->ifindex);
	reach_json_string(out, "interface", interface);
	kinds[event->kind].put(out, event);
}
