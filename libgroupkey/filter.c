// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "filter.h"

#include <string.h>

/* Short ones first; of one length, by their bytes. */
static int compare(const struct gk_id *a, const struct gk_id *b)
{
	return a->len != b->len ? a->len - b->len : memcmp(a->data, b->data, a->len);
}

/* Shell's sort: a request can name as many as there are members. */
static void sort(struct gk_id *ids, size_t count)
{
	for (size_t gap = count / 2; gap; gap /= 2) {
		for (size_t i = gap; i < count; i++) {
			struct gk_id id = ids[i];
			size_t at = i;

			for (; at >= gap && compare(&ids[at - gap], &id) > 0; at -= gap)
				ids[at] = ids[at - gap];
			ids[at] = id;
		}
	}
}

static bool is_listed(const struct gk_filter *filter, const struct gk_id *id)
{
	size_t from = 0, to = filter->id_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare(&filter->ids[middle], id);

		if (order == 0)
			return true;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

_Static_assert(GK_ROLE_ALL < 32, "each Tperm has a bit");

/* A request has room for thousands of elements, and each member is held against them: so they are
 * reduced to those that differ. */
static void read_roles(struct gk_cbor *c, struct gk_filter *filter)
{
	struct gk_cbor_iter iter = gk_cbor_array(c);

	for (; gk_cbor_more(c, &iter); filter->role_count++) {
		uint64_t want = gk_cbor_uint(c, UINT32_MAX);

		if (want <= GK_ROLE_ALL)
			filter->roles |= UINT32_C(1) << want;
	}
}

/* An identifier longer than any Sender ID is nobody's, and ignored like others that are (P 9.3). */
static void read_ids(struct gk_cbor *c, struct gk_filter *filter)
{
	struct gk_cbor_iter iter = gk_cbor_array(c);

	while (gk_cbor_more(c, &iter)) {
		struct gk_span id = gk_cbor_bytes(c);

		filter->has_ids = true;
		if (filter->id_count < filter->id_cap &&
		    gk_id_set(&filter->ids[filter->id_count], id) == GK_OK)
			filter->id_count++;
	}
}

enum gk_err gk_filter_read(const struct gk_env *env, struct gk_span encoded,
			   struct gk_filter *filter)
{
	struct gk_cbor c = gk_cbor(encoded);
	enum gk_err err;

	*filter = (struct gk_filter){ .id_cap = encoded.len }; /* each takes a byte at least */
	filter->ids = gk_alloc(env, (filter->id_cap + 1) * sizeof(struct gk_id));
	if (!filter->ids)
		return GK_ERR_NO_MEMORY;
	gk_cbor_array_of(&c, 3);
	filter->include = gk_cbor_bool(&c);
	read_roles(&c, filter);
	read_ids(&c, filter);
	err = gk_cbor_end(&c);
	if (err)
		gk_filter_wipe(env, filter);
	else
		sort(filter->ids, filter->id_count);
	return err;
}

void gk_filter_wipe(const struct gk_env *env, struct gk_filter *filter)
{
	gk_free(env, filter->ids, (filter->id_cap + 1) * sizeof(struct gk_id));
	*filter = (struct gk_filter){ .include = false };
}

static bool roles_match(const struct gk_filter *filter, uint32_t roles)
{
	for (uint32_t want = 0; want <= GK_ROLE_ALL; want++) {
		if (filter->roles >> want & 1 && (roles & want) == want)
			return true;
	}
	return false;
}

bool gk_filter_passes(const struct gk_filter *filter, const struct gk_node *node)
{
	bool listed = node->has_sid && is_listed(filter, &node->sid);

	if (filter->include)
		return listed || roles_match(filter, node->roles);
	return !listed && (!filter->role_count || roles_match(filter, node->roles));
}
