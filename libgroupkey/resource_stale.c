// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Which Sender IDs of a group went stale since a version that a member missed (P 8.4, 11.3.1).
 */
#include "resource.h"

#define PAYLOAD_ROOM 1024

static bool listed_before(const struct gk_group *group, size_t first, size_t set, size_t i)
{
	const struct gk_id *id = &group->stale[set].ids[i];

	for (size_t s = first; s <= set; s++) {
		size_t end = s == set ? i : group->stale[s].count;

		for (size_t k = 0; k < end; k++) {
			if (gk_id_equal(&group->stale[s].ids[k], id))
				return true;
		}
	}
	return false;
}

/* The union without duplicates of the sets from index 'first' on. @return its size */
static size_t put_union(struct gk_buf *buf, const struct gk_group *group, size_t first)
{
	size_t count = 0;

	for (size_t s = first; s < group->stale_count; s++) {
		for (size_t i = 0; i < group->stale[s].count; i++) {
			if (listed_before(group, first, s, i))
				continue;
			if (buf)
				gk_put_bytes(buf, gk_id_span(&group->stale[s].ids[i]));
			count++;
		}
	}
	return count;
}

static void answer_union(struct gk_call *call, size_t first)
{
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, put_union(NULL, call->group, first));
	(void)put_union(&buf, call->group, first);
	if (buf.overflow) /* so many that forgetting all is the smaller answer */
		gk_answer(call, GK_COAP_CONTENT);
	else
		gk_answer_with(call, GK_COAP_CONTENT, GK_CF_CBOR, gk_buf_span(&buf));
}

void gk_fetch_stale_sids(struct gk_call *call)
{
	const struct gk_group *group = call->group;
	struct gk_cbor c = gk_cbor(call->msg.payload);
	uint64_t version = gk_cbor_uint(&c, UINT32_MAX);
	uint64_t skew;

	if (gk_cbor_end(&c) || version >= (uint64_t)group->num) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return;
	}
	skew = (uint64_t)group->num - version + 1;
	if (skew > group->stale_count)
		gk_answer(call, GK_COAP_CONTENT); /* no payload: forget everybody */
	else
		answer_union(call, group->stale_count - (size_t)skew);
}
