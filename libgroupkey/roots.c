// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "roots.h"
#include "uri.h"

static bool is_dots(struct gk_span segment)
{
	return gk_span_equal(segment, gk_span_str(".")) ||
	       gk_span_equal(segment, gk_span_str(".."));
}

/* @return true if it stands in a URI as it is (RFC 3986 sections 2.3, 5.2.4) */
static bool is_plain(struct gk_span segment)
{
	uint8_t bytes[GK_ROOT_MAX];
	struct gk_buf escaped = gk_buf(bytes, sizeof(bytes));

	gk_uri_put_segment(&escaped, segment);
	return segment.len && !is_dots(segment) && gk_span_equal(gk_buf_span(&escaped), segment);
}

bool gk_root_check(struct gk_span path)
{
	size_t count = 0;

	if (!path.len || path.len > GK_ROOT_MAX || path.data[path.len - 1] == '/')
		return false;
	for (; path.len; count++) {
		struct gk_span segment = gk_path_first(path);

		if (!is_plain(segment))
			return false;
		path = gk_span_sub(path, segment.len + 1, path.len);
	}
	return count <= GK_ROOT_SEGMENTS_MAX;
}

static bool is_at_or_below(struct gk_span path, struct gk_span root)
{
	return gk_span_equal(gk_span_sub(path, 0, root.len), root) &&
	       (path.len == root.len || path.data[root.len] == '/');
}

bool gk_roots_fit(struct gk_span groups, struct gk_span authz)
{
	struct gk_span well_known = gk_span_str(".well-known");

	return gk_root_check(groups) && gk_root_check(authz) && !is_at_or_below(authz, groups) &&
	       !is_at_or_below(groups, authz) && !is_at_or_below(groups, well_known) &&
	       !is_at_or_below(authz, well_known);
}

enum gk_err gk_roots_set(const struct gk_env *env, struct gk_roots *roots, struct gk_span groups,
			 struct gk_span authz)
{
	enum gk_err err;

	if (!groups.len)
		groups = gk_span_str("ace-group");
	if (!authz.len)
		authz = gk_span_str("authz-info");
	if (!gk_roots_fit(groups, authz))
		return GK_ERR_RANGE;
	err = gk_blob_set(env, &roots->groups, groups);
	return err ? err : gk_blob_set(env, &roots->authz, authz);
}

void gk_roots_wipe(const struct gk_env *env, struct gk_roots *roots)
{
	gk_blob_wipe(env, &roots->groups);
	gk_blob_wipe(env, &roots->authz);
}

size_t gk_root_match(const struct gk_blob *root, const struct gk_span *path, size_t count)
{
	struct gk_span rest = gk_blob_span(root);
	size_t matched = 0;

	while (rest.len) {
		struct gk_span segment = gk_path_first(rest);

		if (matched == count || !gk_span_equal(segment, path[matched]))
			return 0;
		rest = gk_span_sub(rest, segment.len + 1, rest.len);
		matched++;
	}
	return matched;
}
