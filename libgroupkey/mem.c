// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "mem.h"

#include "crypto.h"

#include <string.h>

void *gk_alloc(const struct gk_env *env, size_t size)
{
	void *data = env->alloc(env->ctx, NULL, size);

	if (data)
		memset(data, 0, size);
	return data;
}

void gk_free(const struct gk_env *env, void *data, size_t size)
{
	if (!data)
		return;
	gk_wipe(data, size);
	env->alloc(env->ctx, data, 0);
}

enum gk_err gk_blob_set(const struct gk_env *env, struct gk_blob *blob, struct gk_span span)
{
	uint8_t *copy = NULL;

	if (span.len) {
		copy = gk_alloc(env, span.len);
		if (!copy)
			return GK_ERR_NO_MEMORY;
		memcpy(copy, span.data, span.len);
	}
	gk_blob_wipe(env, blob);
	*blob = (struct gk_blob){ copy, span.len };
	return GK_OK;
}

void gk_blob_wipe(const struct gk_env *env, struct gk_blob *blob)
{
	gk_free(env, blob->data, blob->len);
	*blob = (struct gk_blob){ NULL, 0 };
}

void gk_blob_move(const struct gk_env *env, struct gk_blob *blob, struct gk_blob *from)
{
	gk_blob_wipe(env, blob);
	*blob = *from;
	*from = (struct gk_blob){ NULL, 0 };
}

struct gk_span gk_blob_span(const struct gk_blob *blob)
{
	return (struct gk_span){ blob->data, blob->len };
}
