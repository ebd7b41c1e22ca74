// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "reach.h"

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

int reach_monitor_timing(struct reach_monitor *monitor, int ifindex, struct reach_timing *timing)
{
	return monitor->operations->timing(monitor, ifindex, timing);
}

void reach_monitor_look(struct reach_monitor *monitor)
{
	monitor->operations->look(monitor);
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
