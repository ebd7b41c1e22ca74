// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/retransmit.h"

#define PAUSE_MIN_MS     1000 /* RFC 7252 section 4.8.1 */
#define PAUSE_MAX_MS     2000
#define RETRANSMIT_MAX   4
#define RANDOM_FACTOR_PM 1250 /* of the first pause, in thousandths */

/* As many as end before the time does: n of them take 2^(n+1) - 1 first pauses. */
struct retransmit retransmit_fit(int64_t time_ms, struct chance *chance)
{
	int64_t usable_ms = time_ms / 20 * 19, pause_ms;
	unsigned count = RETRANSMIT_MAX;

	while (count > 1 && usable_ms * 1000 < PAUSE_MIN_MS * RANDOM_FACTOR_PM * ((2 << count) - 1))
		count--;
	pause_ms = usable_ms * 1000 / RANDOM_FACTOR_PM / ((2 << count) - 1);
	if (pause_ms < PAUSE_MIN_MS)
		pause_ms = PAUSE_MIN_MS;
	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	return (struct retransmit){ count, chance_from_to(chance, pause_ms,
							  pause_ms * RANDOM_FACTOR_PM / 1000) };
}
