// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Whether a sleepy member has just been asleep. Nobody tells a process that its machine was
 * suspended, or that it was frozen itself: it sees that a moment which it wanted to be called at is
 * long over. Being continued after SIGSTOP comes with a signal.
 */
#ifndef GKM_SLEEP_H
#define GKM_SLEEP_H

#include "libgroupkey/groupkey.h"

#define GKM_SLEEP_LOOK_MS 5000 /* so often a sleepy member looks */
#define GKM_SLEEP_GAP_MS  2000 /* later than that by so much: it was asleep */

/** Times are of io_now(), which go on while a machine is suspended. */
struct gkm_sleep {
	bool sleepy;      /* false: it is never asleep */
	bool continued;   /* SIGCONT came */
	int64_t awake_ms; /* when it looked last */
};

/** @return when to look again; ms == GK_NEVER: not by itself */
struct gk_mono gkm_sleep_next(const struct gkm_sleep *sleep);
/** Look. @return true if it was asleep since it looked last */
bool gkm_sleep_over(struct gkm_sleep *sleep, struct gk_now now);

#endif
