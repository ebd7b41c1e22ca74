// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** When io/ has a confirmable message sent again: as io/coap_request.c fits it into a time. */
#ifndef TEST_RETRANSMIT_H
#define TEST_RETRANSMIT_H

#include "tests/lib/chance.h"

struct retransmit {
	unsigned count;   /* at most so many times */
	int64_t pause_ms; /* before the first; doubled with each */
};
struct retransmit retransmit_fit(int64_t time_ms, struct chance *chance);

#endif
