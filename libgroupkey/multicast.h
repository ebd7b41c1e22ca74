// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What multicast.c, multicast_make.c, multicast_confirm.c and multicast_beacon.c share; delivery.h
 * has what others call.
 */
#ifndef GK_MULTICAST_H
#define GK_MULTICAST_H

#include "kdc.h"

#define GK_CAST_HEADER_LEN   4    /* of CoAP, without a token */
#define GK_CONFIRMATION_LEN  32   /* CoAP message of a confirmation */
#define GK_CONFIRM_MARGIN_MS 2000 /* for the way of the last confirmations */

/** @return less than 'max', at random */
uint32_t gk_cast_jitter(struct gk_kdc *kdc, uint32_t max);
/** All of a message to the group that comes before its payload. */
void gk_cast_put_route(struct gk_buf *buf, const struct gk_group *group);
/** @return a place for a new cast; one that is sent, or the oldest one, makes room.
 * NULL: no memory */
struct gk_cast *gk_cast_new(struct gk_group *group, size_t parts);
/** @return in which members are to confirm a message to the group; 0: they are not asked to */
uint32_t gk_cast_leisure_ms(const struct gk_group *group);

#endif
