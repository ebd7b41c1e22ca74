// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What a monitor is made of, so that the kernel and the fake stand behind the same calls. An
 * implementation begins with a struct reach_monitor. The calls are those of reach.h.
 */
#ifndef REACH_SEAM_H
#define REACH_SEAM_H

#include "reach.h"

struct reach_operations {
	int (*fd)(const struct reach_monitor *monitor);
	int (*read)(struct reach_monitor *monitor, reach_callback *callback, void *ctx);
	int (*probe)(struct reach_monitor *monitor, int ifindex, const uint8_t *ip);
	int (*timing)(struct reach_monitor *monitor, int ifindex, struct reach_timing *timing);
	void (*look)(struct reach_monitor *monitor);
	struct reach_counts (*counts)(const struct reach_monitor *monitor);
	void (*close)(struct reach_monitor *monitor);
};

struct reach_monitor {
	const struct reach_operations *operations;
};

#endif
