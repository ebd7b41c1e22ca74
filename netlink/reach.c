// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "reach.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "seam.h"

int reach_monitor_fd(const struct reach_monitor *monitor)
{
	return monitor->operations->fd(monitor);
}

int reach_monitor_read(struct reach_monitor *monitor, reach_callback *callback, void *ctx)
{
	return monitor->operations->read(monitor, callback, ctx);
}

int reach_monitor_probe(struct reach_monitor *monitor, int ifindex, const uint8_t ip[REACH_IP_LEN])
{
	return monitor->operations->probe(monitor, ifindex, ip);
}

struct reach_counts reach_monitor_counts(const struct reach_monitor *monitor)
{
	return monitor->operations->counts(monitor);
}

void reach_monitor_close(struct reach_monitor *monitor)
{
	if (monitor)
		monitor->operations->close(monitor);
}

static const char *state_word(enum reach_state state)
{
	switch (state) {
	case REACH_UNKNOWN:
		return "unknown";
	case REACH_REACHABLE:
		return "reachable";
	case REACH_STALE:
		return "stale";
	case REACH_FAILED:
		return "failed";
	}
	return "?";
}

static void printable_name(const char *name, char *out)
{
	size_t len = strnlen(name, REACH_NAME_LEN - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = name[i];
	for (size_t i = 0; i < len; i++) {
		if (out[i] <= ' ' || out[i] > '~')
			out[i] = '?';
	}
	out[len] = '\0';
}

void reach_event_format(const struct reach_event *event, char text[REACH_TEXT_LEN])
{
	char ip[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN], name[REACH_NAME_LEN];
	const char *change = event->present ? "added" : "gone";

	inet_ntop(AF_INET6, event->ip, ip, sizeof(ip));
	inet_ntop(AF_INET6, event->gateway, gateway, sizeof(gateway));
	printable_name(event->name, name);
	switch (event->kind) {
	case REACH_LINK:
		snprintf(text, REACH_TEXT_LEN, "link %d %s %s", event->ifindex,
			 !event->present ? "gone"
			 : event->up     ? "up"
					 : "down",
			 name);
		return;
	case REACH_ADDRESS:
		snprintf(text, REACH_TEXT_LEN, "address %d %s %s", event->ifindex, change, ip);
		return;
	case REACH_ROUTE:
		snprintf(text, REACH_TEXT_LEN, "route %d %s %s via %s", event->ifindex, change, ip,
			 gateway);
		return;
	case REACH_NEIGHBOUR:
		snprintf(text, REACH_TEXT_LEN, "neighbour %d %s %s", event->ifindex,
			 state_word(event->state), ip);
		return;
	}
	snprintf(text, REACH_TEXT_LEN, "?");
}
