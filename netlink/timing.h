// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * How long the kernel takes over a neighbour. Pure.
 */
#ifndef REACH_TIMING_H
#define REACH_TIMING_H

#include "parse.h"

/**
 * @param datagram  probes are made by a datagram, since the kernel lets us make no other
 * @return what follows from the settings 'parms'
 */
struct reach_timing reach_timing_of(const struct reach_parms *parms, bool datagram);

#endif
