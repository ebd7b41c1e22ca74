// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/chance.h"

uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t chance_next(struct chance *chance)
{
	chance->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(chance->state);
}

int64_t chance_from_to(struct chance *chance, int64_t from, int64_t to)
{
	return from + (int64_t)(chance_next(chance) % (uint64_t)(to - from + 1));
}

static double unit(struct chance *chance)
{
	return (double)(chance_next(chance) >> 11) / (double)(UINT64_C(1) << 53);
}

bool chance_hits(struct chance *chance, double probability)
{
	return unit(chance) < probability;
}
