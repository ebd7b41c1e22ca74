// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What ledger.c and operator.c share; kdc.h has what others call.
 */
#ifndef GK_LEDGER_H
#define GK_LEDGER_H

#include "kdc.h"

/** Make sure that so many more can be taken in: if the list is full, those go whose tokens ended
 *  longest ago. @return GK_ERR_NO_SPACE: tokens of too many are still valid; GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_ledger_reserve_revoked(struct gk_kdc *kdc, size_t count,
						    struct gk_now now);
/** Take one in; room must have been reserved. */
void gk_ledger_add_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked);

/* lists, the KDC's or in the making */

struct gk_revoked *gk_revoked_find(struct gk_revoked *list, struct gk_span client);
size_t gk_revoked_count(const struct gk_revoked *list);
void gk_revoked_link(struct gk_revoked **list, struct gk_revoked *revoked);
void gk_revoked_free(struct gk_kdc *kdc, struct gk_revoked **list);

bool gk_ban_is_of(const struct gk_ban *ban, struct gk_span group);
bool gk_ban_is_among(struct gk_ban *list, struct gk_span group, const struct gk_id *client);
size_t gk_ban_count(const struct gk_ban *list);
void gk_ban_link(struct gk_ban **list, struct gk_ban *ban);
void gk_ban_free(struct gk_kdc *kdc, struct gk_ban **list);

#endif
