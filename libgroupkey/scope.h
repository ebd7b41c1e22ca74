// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Scopes: AIF-OSCORE-GROUPCOMM entries [group name, Tperm] (P 3), with the textual form of R 3.1
 * [group name, role / [roles]] understood on input, role names "requester", "responder",
 * "monitor", "verifier".
 */
#ifndef GK_SCOPE_H
#define GK_SCOPE_H

#include "cbor.h"

/* A group name is one Uri-Path segment. */
#define GK_GROUP_NAME_MAX 64

/** One entry. 'group' borrows from the input. */
struct gk_scope {
	struct gk_span group; /* 1..GK_GROUP_NAME_MAX bytes */
	uint32_t roles;       /* GK_ROLE_... bits */
};

/**
 * Read the one entry of a Join Request's scope: the content of its byte string.
 * @param scope  the roles may be none, or some that do not go together: gk_roles_joinable()
 * @return GK_OK, GK_ERR_MALFORMED, GK_ERR_TYPE; GK_ERR_RANGE: name length, bit 0, or a role that
 *         we do not know
 */
GK_MUST_CHECK enum gk_err gk_scope_read(struct gk_span encoded, struct gk_scope *scope);
/** @return true if a Join Request may ask for these roles together (P 6.1): 2, 4, 6 or 8 */
bool gk_roles_joinable(uint32_t roles);

/**
 * Check a token's whole scope claim: the content of its byte string, an array of entries.
 * Entries with bit 0 set (admin entries) are skipped over, and so are those for a group that by
 * the length of its name cannot be one of ours; roles that we do not know are left out.
 * @param entries  set to the number of user entries that remain
 * @return GK_OK, or the first thing wrong; P 3.5: answer 4.00
 */
GK_MUST_CHECK enum gk_err gk_scope_check_all(struct gk_span encoded, size_t *entries);
/**
 * What a checked token scope grants in one group; two entries for a group add up.
 * @return GK_ROLE_... bits; 0: the group is not named
 */
uint32_t gk_scope_roles(struct gk_span encoded, struct gk_span group);
/** Step through the user entries of a checked scope. 'at' starts as 0. @return false at the end */
bool gk_scope_next(struct gk_span encoded, size_t *at, struct gk_scope *scope);

/** Append one entry [group, roles]. */
void gk_scope_put(struct gk_buf *buf, struct gk_span group, uint32_t roles);
/** Turn a role's name into its bit. @return 0: no such role */
uint32_t gk_role_parse(struct gk_span name);

#endif
