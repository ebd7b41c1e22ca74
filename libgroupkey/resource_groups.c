// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * From Gids to groups (R 4.2.1, P 9.10). A client learns of the groups that its token names, and of
 * no others: who has just a Gid, of a message that it overheard, can ask for one to join.
 */
#include "group.h"
#include "ledger.h"
#include "resource.h"
#include "uri.h"

enum {
	FETCH_GID,
	FETCH_COUNT,
};

static const struct gk_cbor_field fetch_fields[FETCH_COUNT] = {
	[FETCH_GID] = { GK_PARAM_GID, GK_CBOR_ARRAY, true },
};

/* @return GK_OK: an array of at least one byte string */
static enum gk_err check_gids(struct gk_span encoded)
{
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	size_t count = 0;
	enum gk_err err;

	for (; gk_cbor_more(&c, &iter); count++)
		(void)gk_cbor_bytes(&c);
	err = gk_cbor_end(&c);
	return !err && !count ? GK_ERR_MISSING : err;
}

static bool is_asked(struct gk_span gids, struct gk_span gid)
{
	struct gk_cbor c = gk_cbor(gids);
	struct gk_cbor_iter iter = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &iter)) {
		if (gk_span_equal(gk_cbor_bytes(&c), gid))
			return true;
	}
	return false;
}

/* Only the present Gid is that of a group. */
static bool is_found(const struct gk_call *call, const struct gk_group *group, struct gk_span gids)
{
	struct gk_id gid = gk_group_gid(group);

	return group->served &&
	       gk_scope_roles(gk_blob_span(&call->client->scope), gk_group_name(group)) &&
	       !gk_ledger_is_banned(call->kdc, gk_group_name(group), &call->client->id) &&
	       is_asked(gids, gk_id_span(&gid));
}

static void put_gid(struct gk_buf *buf, const struct gk_group *group)
{
	struct gk_id gid = gk_group_gid(group);

	gk_put_bytes(buf, gk_id_span(&gid));
}

static void put_name(struct gk_buf *buf, const struct gk_group *group)
{
	gk_put_text(buf, gk_group_name(group));
}

static void put_uri(struct gk_buf *buf, const struct gk_group *group)
{
	uint8_t bytes[GK_ROOT_MAX + 3 * GK_GROUP_NAME_MAX + 2];
	struct gk_buf uri = gk_buf(bytes, sizeof(bytes));

	gk_group_put_uri_path(&uri, group);
	gk_put_text(buf, gk_buf_span(&uri));
}

static const struct {
	int label;
	void (*put)(struct gk_buf *, const struct gk_group *);
} columns[] = {
	{ GK_PARAM_GID, put_gid },
	{ GK_PARAM_GNAME, put_name },
	{ GK_PARAM_GURI, put_uri },
};

#define COLUMNS   (sizeof(columns) / sizeof(columns[0]))
#define ROW_ROOM  (GK_ROOT_MAX + 4 * GK_GROUP_NAME_MAX + 32)
#define HEAD_ROOM 32

static void put_found(struct gk_buf *buf, const struct gk_call *call, struct gk_span gids,
		      size_t count)
{
	gk_put_map(buf, COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++) {
		gk_put_int(buf, columns[i].label);
		gk_put_array(buf, count);
		for (const struct gk_group *g = call->kdc->groups; g; g = g->next) {
			if (is_found(call, g, gids))
				columns[i].put(buf, g);
		}
	}
}

static void answer_found(struct gk_call *call, struct gk_span gids, size_t count)
{
	struct gk_buf buf;

	if (!gk_answer_begin(call, HEAD_ROOM + count * ROW_ROOM, &buf))
		return;
	if (count)
		put_found(&buf, call, gids, count);
	else
		gk_put_bytes(&buf, gk_span(NULL, 0));
	gk_answer_end(call, &buf);
}

void gk_fetch_groups(struct gk_call *call)
{
	struct gk_cbor_item item[FETCH_COUNT];
	size_t count = 0;

	if (gk_cbor_read_map(call->msg.payload, fetch_fields, FETCH_COUNT, item) ||
	    check_gids(item[FETCH_GID].encoded)) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return;
	}
	for (const struct gk_group *g = call->kdc->groups; g; g = g->next)
		count += is_found(call, g, item[FETCH_GID].encoded);
	answer_found(call, item[FETCH_GID].encoded, count);
}
