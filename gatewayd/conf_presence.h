// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the options of 'presence' amount to together: whether they could remove who is there, and
 * how long a member that is gone can read at most.
 */
#ifndef GW_CONF_PRESENCE_H
#define GW_CONF_PRESENCE_H

#include "gatewayd/conf.h"

/** Room for a reason. */
#define GW_PRESENCE_WHY 200

/**
 * Do the options go together?
 * @param rate_kbps  of the slowest link on the way to a node
 * @param option     on failure, the name of the one to change
 * @param why        on failure, what it must be and why, as text; at least GW_PRESENCE_WHY bytes
 */
GK_MUST_CHECK bool gw_presence_fits(const struct gk_presence_config *presence, uint32_t rate_kbps,
				    const char **option, char *why);

/**
 * Print, as comments of a configuration, for each group how long it takes at most from the moment
 * that a member is cut off until the others have a new key.
 * @param verdict_ms  how long the kernel takes to find that a neighbour is missing
 * @param source      where that is known from, a few words
 */
void gw_presence_print(const struct gw_conf *conf, uint32_t verdict_ms, const char *source,
		       FILE *out);

/** By Linux's defaults: three solicitations, a second apart. */
#define GW_PRESENCE_VERDICT_MS 3000
/** What it waits before the first of them, where it is sent something to deliver, and not told to
 * look. */
#define GW_PRESENCE_DELAY_MS 5000
/** What our own timers and deliveries add, at most. */
#define GW_PRESENCE_OURS_MS 1000

#endif
