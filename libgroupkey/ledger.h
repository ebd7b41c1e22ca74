// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What is remembered of clients: tokens issued, revocations, bans.
 */
#ifndef GK_LEDGER_H
#define GK_LEDGER_H

#include "kdc.h"

/** @return true if a token of this client is on the list of those issued */
bool gk_ledger_is_issued(const struct gk_kdc *kdc, struct gk_span client);
/** @return true if this client's tokens are revoked */
bool gk_ledger_is_revoked(const struct gk_kdc *kdc, struct gk_span client);
/** @return true if it is kept out of the group */
bool gk_ledger_is_banned(const struct gk_kdc *kdc, struct gk_span group,
			 const struct gk_id *client);
/** Walk those banned from a group. */
const struct gk_ban *gk_ledger_next_ban(const struct gk_group *group, const struct gk_ban *after);
/** Remember a token that is being issued, and store it. @return GK_ERR_NO_MEMORY,
 *  GK_ERR_NO_SPACE: GK_LEDGER_MAX of them have not ended */
GK_MUST_CHECK enum gk_err gk_ledger_issue(struct gk_kdc *kdc, const struct gk_issued *issued,
					  struct gk_span scope, struct gk_now now);
/** Take in what was restored; the ledger's now. @return GK_ERR_DUPLICATE: not taken */
GK_MUST_CHECK enum gk_err gk_ledger_restore_issued(struct gk_kdc *kdc, struct gk_issued *issued);
GK_MUST_CHECK enum gk_err gk_ledger_restore_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked);
GK_MUST_CHECK enum gk_err gk_ledger_restore_ban(struct gk_kdc *kdc, struct gk_ban *ban);
void gk_ledger_wipe(struct gk_kdc *kdc);

/* for operator.c alone */

/** Make sure that so many more can be taken in: if the list is full, those go whose tokens ended
 *  longest ago. @return GK_ERR_NO_SPACE: tokens of too many are still valid; GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_ledger_reserve_revoked(struct gk_kdc *kdc, size_t count,
						    struct gk_now now);
/** Take one in; room must have been reserved. */
void gk_ledger_add_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked);

/* ... lists, the KDC's or in the making */

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
