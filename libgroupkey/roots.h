// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The paths at a KDC that can be configured (R 4.1, A 5.10.1): below which its groups are, and
 * where tokens are posted. Members use that of groups for their own resources too.
 */
#ifndef GK_ROOTS_H
#define GK_ROOTS_H

#include "mem.h"

#define GK_ROOT_SEGMENTS_MAX 4

/** Without '/' in front: "a/b". */
struct gk_roots {
	struct gk_blob groups, authz;
};

/** @return true if 'path' can be one: 1 to GK_ROOT_SEGMENTS_MAX segments that need no escape in a
 * URI, at most GK_ROOT_MAX bytes, with '/' between them */
bool gk_root_check(struct gk_span path);
/** @return true if both can be, and neither is at or below the other, or ".well-known" */
bool gk_roots_fit(struct gk_span groups, struct gk_span authz);
/**
 * Set both; an empty one is the default, "ace-group" or "authz-info".
 * @return GK_OK; GK_ERR_RANGE: they do not fit; GK_ERR_NO_MEMORY
 */
GK_MUST_CHECK enum gk_err gk_roots_set(const struct gk_env *env, struct gk_roots *roots,
				       struct gk_span groups, struct gk_span authz);
void gk_roots_wipe(const struct gk_env *env, struct gk_roots *roots);
/** @return how many segments of a path are those of 'root'; 0: it is neither at nor below that */
size_t gk_root_match(const struct gk_blob *root, const struct gk_span *path, size_t count);

#endif
