// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A scope that was checked gives as many entries as were counted, grants the sum of them, and
// writes back; one that was not is never read beyond its end.

#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void read_one(struct gk_span input)
{
	struct gk_scope scope, back;
	if (gk_scope_read(input, &scope) != GK_OK)
		return;
	must(scope.group.len >= 1 && scope.group.len <= GK_GROUP_NAME_MAX);
	must((scope.roles & ~(uint32_t)GK_ROLE_ALL) == 0);

	uint8_t bytes[GK_GROUP_NAME_MAX + 8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_scope_put(&buf, scope.group, scope.roles);
	must(gk_scope_read(gk_buf_span(&buf), &back) == GK_OK);
	must(back.roles == scope.roles && gk_span_equal(back.group, scope.group));
}

static void read_all(struct gk_span input)
{
	size_t entries = 0, found = 0, at = 0;
	enum gk_err err = gk_scope_check_all(input, &entries);
	struct gk_scope scope;
	// Bounded: each step reads from the start, and some inputs are long.
	while (found < 32 && gk_scope_next(input, &at, &scope)) {
		uint32_t roles = gk_scope_roles(input, scope.group);
		must((roles & scope.roles) == scope.roles);
		found++;
	}
	must(err != GK_OK || found == (entries < 32 ? entries : 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 512)
		return 0;
	read_one(gk_span(data, size));
	read_all(gk_span(data, size));
	return 0;
}
