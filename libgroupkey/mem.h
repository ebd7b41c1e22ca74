// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Memory from the environment: zeroed when given, wiped when taken back.
 */
#ifndef GK_MEM_H
#define GK_MEM_H

#include "buf.h"

/** @return 'size' zeroed bytes, or NULL */
void *gk_alloc(const struct gk_env *env, size_t size);
/** Wipe and free; NULL is allowed. */
void gk_free(const struct gk_env *env, void *data, size_t size);

/** Bytes on the heap with their length; all zero: none. */
struct gk_blob {
	uint8_t *data;
	size_t len;
};
/** Replace the content by a copy of 'span'. @return GK_ERR_NO_MEMORY: unchanged */
GK_MUST_CHECK enum gk_err gk_blob_set(const struct gk_env *env, struct gk_blob *blob,
				      struct gk_span span);
/** The content of 'from' takes the place of that of 'blob'; 'from' is left empty. */
void gk_blob_move(const struct gk_env *env, struct gk_blob *blob, struct gk_blob *from);
void gk_blob_wipe(const struct gk_env *env, struct gk_blob *blob);
struct gk_span gk_blob_span(const struct gk_blob *blob);

#endif
