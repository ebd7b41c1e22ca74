// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/sleep.h"

struct gk_mono gkm_sleep_next(const struct gkm_sleep *sleep)
{
	return (struct gk_mono){ sleep->sleepy ? sleep->awake_ms + GKM_SLEEP_LOOK_MS : GK_NEVER };
}

bool gkm_sleep_over(struct gkm_sleep *sleep, struct gk_now now)
{
	int64_t late_ms = now.mono.ms - (sleep->awake_ms + GKM_SLEEP_LOOK_MS);
	bool slept = sleep->sleepy && (sleep->continued || late_ms > GKM_SLEEP_GAP_MS);

	sleep->continued = false;
	sleep->awake_ms = now.mono.ms;
	return slept;
}
