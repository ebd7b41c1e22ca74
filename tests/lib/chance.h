// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** All chance of a simulated world, from one number, so that a run can be had again. */
#ifndef TEST_CHANCE_H
#define TEST_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

/** Set 'state' to mix() of a seed. */
struct chance {
	uint64_t state;
};

/** The finaliser of splitmix64. */
uint64_t mix(uint64_t x);
uint64_t chance_next(struct chance *chance);
/** @return from..to, both included */
int64_t chance_from_to(struct chance *chance, int64_t from, int64_t to);
bool chance_hits(struct chance *chance, double probability);

#endif
