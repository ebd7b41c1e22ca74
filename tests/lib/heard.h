// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What a fake monitor of netlink/ says, as text. For tests with cmocka.
 */
#ifndef TESTS_LIB_HEARD_H
#define TESTS_LIB_HEARD_H

#include "netlink/reach.h"

struct heard {
	char text[2048]; /* a line for each event */
	size_t calls;
};

/** A callback of reach_monitor_read() with a struct heard as its context. */
void heard_add(const struct reach_event *events, size_t count, void *ctx);

#endif
