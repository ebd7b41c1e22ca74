// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "budget.h"

/* A frame: what the radio sends for each, and what it has to carry. */
#define PHY_LEN    6   /* preamble 4, SFD 1, length 1 */
#define MAC_LEN    17  /* frame control 2, sequence 1, PAN ID 2, addresses 2 and 8, FCS 2 */
#define FRAME_ROOM 110 /* 127 without these 17 */

/* The packet in it, compressed and as IPv6 would have it. */
#define COMPRESSED_LEN   16 /* IPHC 2, next header 1, destination 4, hop limit 1, UDP 8 */
#define UNCOMPRESSED_LEN 48 /* IPv6 40, UDP 8 */

#define FRAG1_LEN 4
#define FRAGN_LEN 5
#define UNIT      8 /* in which fragments say where they begin */

#define MILLI 1000

/* frames */

static size_t whole_units(size_t len)
{
	return len - len % UNIT;
}

static struct gk_air on_air(size_t frames, size_t carried)
{
	return (struct gk_air){ frames, frames * (PHY_LEN + MAC_LEN) + carried };
}

struct gk_air gk_air_of(size_t coap_len)
{
	// A fragment ends at a multiple of 8 in the uncompressed packet; the headers are one too.
	const size_t first =
		whole_units(FRAME_ROOM - FRAG1_LEN - COMPRESSED_LEN + UNCOMPRESSED_LEN) -
		UNCOMPRESSED_LEN;
	const size_t each = whole_units(FRAME_ROOM - FRAGN_LEN);
	size_t more;

	if (COMPRESSED_LEN + coap_len <= FRAME_ROOM)
		return on_air(1, COMPRESSED_LEN + coap_len);
	more = (coap_len - first + each - 1) / each;
	return on_air(1 + more, FRAG1_LEN + more * FRAGN_LEN + COMPRESSED_LEN + coap_len);
}

/* the account */

void gk_budget_init(struct gk_budget *budget, uint32_t bits_per_s, int64_t now_ms)
{
	uint32_t bytes_per_s = bits_per_s / 8;

	if (bytes_per_s == 0 && bits_per_s > 0)
		bytes_per_s = 1;
	*budget = (struct gk_budget){
		.bytes_per_s = bytes_per_s,
		.level = (int64_t)bytes_per_s * GK_BUDGET_BURST_S * MILLI,
		.filled_ms = now_ms,
	};
}

/** Milliseconds until 'missing' thousandths have come in. */
static int64_t time_for(const struct gk_budget *budget, int64_t missing)
{
	return (missing + budget->bytes_per_s - 1) / budget->bytes_per_s;
}

/** Bytes per second are thousandths per millisecond, so that nothing is lost by rounding. */
static void fill(struct gk_budget *budget, int64_t now_ms)
{
	const int64_t full = (int64_t)budget->bytes_per_s * GK_BUDGET_BURST_S * MILLI;
	int64_t elapsed = now_ms - budget->filled_ms;

	// Not by multiplying first: a gateway may have slept for long.
	if (elapsed >= time_for(budget, full - budget->level))
		budget->level = full;
	else
		budget->level += elapsed * budget->bytes_per_s;
	budget->filled_ms = now_ms;
}

void gk_budget_charge(struct gk_budget *budget, size_t bytes, int64_t now_ms)
{
	const int64_t lowest = -(int64_t)budget->bytes_per_s * GK_BUDGET_DEBT_S * MILLI;

	if (budget->bytes_per_s == 0)
		return;
	fill(budget, now_ms);
	budget->level -= (int64_t)bytes * MILLI;
	if (budget->level < lowest)
		budget->level = lowest;
}

int64_t gk_budget_ready_ms(struct gk_budget *budget, int64_t now_ms)
{
	if (budget->bytes_per_s == 0)
		return now_ms;
	fill(budget, now_ms);
	return budget->level >= 0 ? now_ms : now_ms + time_for(budget, -budget->level);
}
