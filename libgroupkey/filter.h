// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Whose credentials are wanted: 'get_creds' of a Join Request and of FETCH on creds (R 4.3.1,
 * 4.4.1; P 6.1, 9.3), [inclusion flag, [* roles], [* Sender ID]].
 */
#ifndef GK_FILTER_H
#define GK_FILTER_H

#include "kdc.h"

struct gk_filter {
	bool include;
	uint32_t
		roles; /* bit T: the Tperm T is among the elements; those that nobody has are not */
	size_t role_count;
	struct gk_id *ids; /* in ascending order; those that nobody can have are left out */
	size_t id_count, id_cap;
	bool has_ids; /* some were given, of whatever length */
};

/**
 * Read one. Wipe it with gk_filter_wipe().
 * @return GK_OK; GK_ERR_MALFORMED, GK_ERR_TYPE, GK_ERR_RANGE; GK_ERR_NO_MEMORY
 */
GK_MUST_CHECK enum gk_err gk_filter_read(const struct gk_env *env, struct gk_span encoded,
					 struct gk_filter *filter);
void gk_filter_wipe(const struct gk_env *env, struct gk_filter *filter);
/**
 * @return true if a member is wanted: has all roles of one element and, or (to be left out) or not,
 *         one of the Sender IDs
 */
bool gk_filter_passes(const struct gk_filter *filter, const struct gk_node *node);

#endif
