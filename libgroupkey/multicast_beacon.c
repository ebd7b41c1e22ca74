// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The beacon (docs/rekeying.md section 11): Trickle (RFC 6206) that is never suppressed, since
 * nobody else sends it.
 */
#include "delivery.h"
#include "group.h"
#include "multicast.h"

#define ROUTE_ROOM (GK_ROOT_MAX + GK_GROUP_NAME_MAX + 32) /* a message beside its payload */

static void begin_interval(struct gk_group *group, int64_t start_ms)
{
	uint32_t half_ms = (uint32_t)(group->beacon_ms / 2);
	uint32_t at_ms = half_ms + gk_cast_jitter(group->kdc, half_ms);

	group->beacon_left_ms = group->beacon_ms - at_ms;
	gk_timer_set(&group->kdc->timers, &group->beacon, start_ms + at_ms);
}

void gk_cast_reset_beacon(struct gk_group *group, struct gk_now now)
{
	gk_timer_clear(&group->kdc->timers, &group->beacon);
	if (!group->config.rekey.beacon_min_s || !gk_keytree_members(&group->tree))
		return;
	group->beacon_ms = 1000 * (int64_t)group->config.rekey.beacon_min_s;
	begin_interval(group, now.mono.ms);
}

static void send_beacon(struct gk_group *group, struct gk_now now)
{
	uint8_t bytes[ROUTE_ROOM + 128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_rekeying beacon = { .type = GK_REKEYING_BEACON, .num = (uint32_t)group->num };
	struct gk_kdc *kdc = group->kdc;

	gk_cast_put_route(&buf, group);
	if (gk_rekeying_put(&buf, gk_group_name(group), &beacon,
			    gk_kdc_sign_key(kdc, group->config.sign_alg), NULL))
		return;
	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_MULTICAST,
						      .peer = group->config.rekey.control_group,
						      .bytes = gk_buf_span(&buf) });
	gk_budget_charge(&kdc->budget, gk_air_of(buf.len - 1 + GK_CAST_HEADER_LEN).bytes,
			 now.mono.ms);
}

void gk_cast_beacon(struct gk_group *group, struct gk_now now)
{
	int64_t max_ms = 1000 * (int64_t)group->config.rekey.beacon_max_s;

	if (!gk_keytree_members(&group->tree))
		return;
	send_beacon(group, now); /* in debt too: it is small and rare, and others wait for it */
	group->beacon_ms = 2 * group->beacon_ms < max_ms ? 2 * group->beacon_ms : max_ms;
	begin_interval(group, now.mono.ms + group->beacon_left_ms);
}
