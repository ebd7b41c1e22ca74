// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What can be counted and measured of the daemon, for monitoring: `gatewayctl metrics`. Names and
 * labels are stable; gatewayctl(8) says what each means. No figure is of a single member.
 */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include "gatewayd/exposition.h"

struct gw_daemon;

/** Put all figures; in JSON as members of the object that is open. */
void gw_metrics_put(struct gw_exposition *exposition, const struct gw_daemon *daemon);

#endif
