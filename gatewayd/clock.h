// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What time it is: the machine's calendar as far as it can be believed, else our own (docs/state.md
 * section 6). Pure: what the machine's clocks say goes in with each call.
 */
#ifndef GW_CLOCK_H
#define GW_CLOCK_H

#include "libgroupkey/groupkey.h"

/** When this program was released, 2026-11-21: it is never earlier. To be raised with each entry of
 * CHANGES that gets its date; a test compares. */
#define GW_CLOCK_RELEASE_S INT64_C(1795219200)

/** Where the time comes from. */
enum gw_clock_source {
	GW_CLOCK_MACHINE = 0,   /* the machine's calendar is believed */
	GW_CLOCK_ESTIMATED = 1, /* it is wrong since the start: the highest time and what elapsed */
	GW_CLOCK_HELD = 2,      /* it jumped: what was believed and what has elapsed */
};

/** Fields are the clock's own; 'status' shows the first four. */
struct gw_clock {
	enum gw_clock_source source;
	int64_t since_ms;  /* ... since when, as elapsed time */
	int64_t highest_s; /* ever believed */
	bool synchronised; /* the kernel stood for the calendar when that was last believed */
	int64_t offset_ms; /* believed UTC less elapsed time */
	/* The machine's calendar, also if it is not believed: */
	int64_t seen_ms;         /* where it stands, less elapsed time */
	int64_t seen_since_ms;   /* since when it has stood there */
	int64_t synced_since_ms; /* and since when the kernel stands for it; GK_NEVER: it does not
				  */
};

/** What the machine says, read together. */
struct gw_clock_reading {
	struct gk_mono mono; /* CLOCK_BOOTTIME: goes on while the machine is suspended */
	struct gk_utc utc;
	bool synchronised; /* the kernel believes its calendar: NTP has set it */
};

/**
 * Begin.
 * @param highest_s  the highest time known from earlier, 0: none
 * @param trust      forget that, and take the calendar as it is (--adopt)
 */
void gw_clock_init(struct gw_clock *clock, const struct gw_clock_reading *reading,
		   int64_t highest_s, bool trust);
/**
 * Look at the calendar.
 * @return true: the time was corrected, by more than a second: it does not go on from what it was
 */
bool gw_clock_read(struct gw_clock *clock, const struct gw_clock_reading *reading);
/** What time it is. Never behind what it was, but for a correction. */
struct gk_utc gw_clock_utc(const struct gw_clock *clock, struct gk_mono mono);
/** @return one word for 'status': "machine", "estimated", "held" */
const char *gw_clock_source_name(enum gw_clock_source source);

#endif
