// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/clock.h"

#include <stdlib.h>

#define HOUR_S INT64_C(3600)
#define DAY_S  (24 * HOUR_S)

#define BEHIND_S 600                   /* further behind the highest time it is plainly wrong */
#define AHEAD_S  (5 * 365 * DAY_S)     /* as far ahead it has to be synchronised */
#define JUMP_S   HOUR_S                /* what is more is a jump */
#define STAYS_MS (INT64_C(600) * 1000) /* what moved by less has stayed where it was */

static int64_t less_elapsed(const struct gw_clock_reading *reading)
{
	return reading->utc.s * 1000 - reading->mono.ms;
}

static void set_source(struct gw_clock *clock, enum gw_clock_source source, struct gk_mono now)
{
	if (clock->source == source)
		return;
	clock->source = source;
	clock->since_ms = now.ms;
}

/* Where does the calendar stand, and since when? */
static void observe(struct gw_clock *clock, const struct gw_clock_reading *reading)
{
	int64_t at = less_elapsed(reading);

	if (llabs(at - clock->seen_ms) >= STAYS_MS) {
		clock->seen_since_ms = reading->mono.ms;
		clock->synced_since_ms = GK_NEVER;
	}
	clock->seen_ms = at;
	if (!reading->synchronised)
		clock->synced_since_ms = GK_NEVER;
	else if (clock->synced_since_ms == GK_NEVER)
		clock->synced_since_ms = reading->mono.ms;
}

static bool has_stayed(const struct gw_clock *clock, const struct gw_clock_reading *reading,
		       int64_t step_s)
{
	if (reading->synchronised)
		return reading->mono.ms - clock->synced_since_ms >= HOUR_S * 1000;
	return step_s > 0 && reading->mono.ms - clock->seen_since_ms >= DAY_S * 1000;
}

static bool is_near(const struct gw_clock_reading *reading, int64_t step_s)
{
	return reading->synchronised || step_s < AHEAD_S;
}

/* What is believed now, and, since many small steps may have led away from it, the highest time. */
static bool is_far_behind(const struct gw_clock *clock, const struct gw_clock_reading *reading,
			  int64_t step_s)
{
	return step_s < -JUMP_S || reading->utc.s < clock->highest_s - JUMP_S;
}

/* @param step_s  how far the calendar is ahead of what we believe */
static bool is_credible(const struct gw_clock *clock, const struct gw_clock_reading *reading,
			int64_t step_s)
{
	if (reading->utc.s < GW_CLOCK_RELEASE_S)
		return false;
	if (clock->source == GW_CLOCK_ESTIMATED && step_s >= 0)
		return is_near(reading, step_s);
	if (clock->source != GW_CLOCK_ESTIMATED && step_s <= JUMP_S &&
	    !is_far_behind(clock, reading, step_s))
		return true;
	return has_stayed(clock, reading, step_s);
}

static void follow(struct gw_clock *clock, const struct gw_clock_reading *reading, int64_t step_s)
{
	bool highest_was_wrong = clock->source == GW_CLOCK_ESTIMATED
					 ? step_s < -1
					 : is_far_behind(clock, reading, step_s);

	set_source(clock, GW_CLOCK_MACHINE, reading->mono);
	clock->synchronised = reading->synchronised;
	// The calendar comes in whole seconds: one that seems to stand still, or to be one behind,
	// is no reason to run slower.
	if (step_s != 0 && step_s != -1)
		clock->offset_ms = less_elapsed(reading);
	if (highest_was_wrong)
		clock->highest_s = reading->utc.s;
}

static void raise_highest(struct gw_clock *clock, struct gk_mono now)
{
	int64_t utc_s = gw_clock_utc(clock, now).s;

	if (clock->highest_s < utc_s)
		clock->highest_s = utc_s;
}

void gw_clock_init(struct gw_clock *clock, const struct gw_clock_reading *reading,
		   int64_t highest_s, bool trust)
{
	int64_t least_s = GW_CLOCK_RELEASE_S;
	int64_t step_s;

	if (!trust && highest_s > least_s)
		least_s = highest_s;
	step_s = reading->utc.s - least_s;
	*clock = (struct gw_clock){
		.source = GW_CLOCK_ESTIMATED,
		.since_ms = reading->mono.ms,
		.highest_s = least_s,
		.offset_ms = least_s * 1000 - reading->mono.ms,
		.seen_ms = less_elapsed(reading),
		.seen_since_ms = reading->mono.ms,
		.synced_since_ms = GK_NEVER,
	};
	observe(clock, reading);
	if (reading->utc.s >= GW_CLOCK_RELEASE_S && step_s >= -BEHIND_S &&
	    (trust || is_near(reading, step_s))) {
		clock->source = GW_CLOCK_MACHINE;
		clock->synchronised = reading->synchronised;
		clock->offset_ms = less_elapsed(reading);
	}
	raise_highest(clock, reading->mono);
}

bool gw_clock_read(struct gw_clock *clock, const struct gw_clock_reading *reading)
{
	int64_t step_s = reading->utc.s - gw_clock_utc(clock, reading->mono).s;
	bool credible;

	observe(clock, reading);
	credible = is_credible(clock, reading, step_s);
	if (credible)
		follow(clock, reading, step_s);
	else if (clock->source == GW_CLOCK_MACHINE)
		set_source(clock, GW_CLOCK_HELD, reading->mono);
	raise_highest(clock, reading->mono);
	return credible && (step_s < -1 || step_s > 1);
}

struct gk_utc gw_clock_utc(const struct gw_clock *clock, struct gk_mono mono)
{
	return (struct gk_utc){ (clock->offset_ms + mono.ms) / 1000 };
}

const char *gw_clock_source_name(enum gw_clock_source source)
{
	static const char *const names[] = {
		[GW_CLOCK_MACHINE] = "machine",
		[GW_CLOCK_ESTIMATED] = "estimated",
		[GW_CLOCK_HELD] = "held",
	};

	return names[source];
}
