// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Discovery: GET on /.well-known/core (RFC 6690; R 4.1, P 8), for anybody. Its answers are made
 * anew for each block that is asked for, since nothing is kept for a stranger, and small, since
 * whoever forges an address could have them sent there.
 */
#include "block.h"
#include "group.h"
#include "resource.h"

#define OPEN_SZX  4 /* blocks of 256 bytes at most for whom we do not know */
#define LINK_ROOM (GK_ROOT_MAX + 3 * GK_GROUP_NAME_MAX + 64)
#define ETAG_LEN  4

/* A link: its target is written by 'put', and its other attributes are always the same. */
struct link {
	void (*put)(struct gk_buf *buf, const struct gk_call *call, const struct gk_group *group);
	const char *interface, *type; /* NULL: none */
	bool is_protected;
};

static void put_groups(struct gk_buf *buf, const struct gk_call *call, const struct gk_group *group)
{
	(void)group;
	gk_buf_byte(buf, '/');
	gk_buf_add(buf, gk_blob_span(&call->kdc->roots.groups));
}

static void put_group(struct gk_buf *buf, const struct gk_call *call, const struct gk_group *group)
{
	(void)call;
	gk_group_put_uri_path(buf, group);
}

static void put_authz(struct gk_buf *buf, const struct gk_call *call, const struct gk_group *group)
{
	(void)group;
	gk_buf_byte(buf, '/');
	gk_buf_add(buf, gk_blob_span(&call->kdc->roots.authz));
}

static const struct link collection = { put_groups, "ace.groups", NULL, true };
static const struct link membership = { put_group, "ace.group", "core.osc.gm", true };
static const struct link token_post = { put_authz, NULL, "ace.ai", false };

/* filtering (RFC 6690 section 4.1) */

/* @return true if 'value' is what is asked for: all of it,
 * or how it begins if that ends with '*' */
static bool value_matches(struct gk_span value, struct gk_span asked)
{
	if (asked.len && asked.data[asked.len - 1] == '*')
		return gk_span_equal(gk_span_sub(value, 0, asked.len - 1),
				     gk_span_sub(asked, 0, asked.len - 1));
	return gk_span_equal(value, asked);
}

/* @return the value of an attribute of a link, empty: it has none */
static struct gk_span attribute(const struct link *link, struct gk_span href, struct gk_span name)
{
	const struct {
		const char *name;
		struct gk_span value;
	} attributes[] = {
		{ "href", href },
		{ "if", gk_span_str(link->interface ? link->interface : "") },
		{ "rt", gk_span_str(link->type ? link->type : "") },
	};

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (gk_span_equal(name, gk_span_str(attributes[i].name)))
			return attributes[i].value;
	}
	return gk_span(NULL, 0);
}

static bool query_matches(struct gk_span query, const struct link *link, struct gk_span href)
{
	size_t at = 0;
	struct gk_span value;

	while (at < query.len && query.data[at] != '=')
		at++;
	value = attribute(link, href, gk_span_sub(query, 0, at));
	return at < query.len && value.len &&
	       value_matches(value, gk_span_sub(query, at + 1, query.len));
}

static bool is_asked_for(const struct gk_call *call, const struct link *link, struct gk_span href)
{
	struct gk_coap_iter it = gk_coap_options(&call->msg);

	while (gk_coap_next(&it)) {
		if (it.number == GK_OPT_URI_QUERY && !query_matches(it.value, link, href))
			return false;
	}
	return true;
}

/* the list (RFC 6690 section 2) */

static void put_attribute(struct gk_buf *buf, const char *name, const char *value)
{
	if (!value)
		return;
	gk_buf_byte(buf, ';');
	gk_buf_add(buf, gk_span_str(name));
	gk_buf_add(buf, gk_span_str("=\""));
	gk_buf_add(buf, gk_span_str(value));
	gk_buf_byte(buf, '"');
}

static void put_link(struct gk_buf *buf, const struct gk_call *call, const struct link *link,
		     const struct gk_group *group)
{
	uint8_t bytes[LINK_ROOM];
	struct gk_buf href = gk_buf(bytes, sizeof(bytes));

	link->put(&href, call, group);
	if (!is_asked_for(call, link, gk_buf_span(&href)))
		return;
	if (buf->len)
		gk_buf_byte(buf, ',');
	gk_buf_byte(buf, '<');
	gk_buf_add(buf, gk_buf_span(&href));
	gk_buf_byte(buf, '>');
	put_attribute(buf, "if", link->interface);
	put_attribute(buf, "rt", link->type);
	if (link->is_protected && !call->kdc->dtls) /* OSCORE is the one way (RFC 8613 section 9) */
		gk_buf_add(buf, gk_span_str(";osc"));
}

static void put_links(struct gk_buf *buf, const struct gk_call *call)
{
	const struct gk_kdc *kdc = call->kdc;

	put_link(buf, call, &token_post, NULL);
	put_link(buf, call, &collection, NULL);
	for (const struct gk_group *g = kdc->groups; g; g = g->next) {
		if (g->served && kdc->discovery == GK_DISCOVERY_GROUPS)
			put_link(buf, call, &membership, g);
	}
}

/* @return room for all that there is to be said */
static size_t room_for(const struct gk_kdc *kdc)
{
	size_t links = 2;

	for (const struct gk_group *g = kdc->groups; g; g = g->next)
		links++;
	return links * LINK_ROOM;
}

/* answers */

static void answer_block(struct gk_call *call, struct gk_span links, struct gk_block block)
{
	size_t size = gk_block_size(block.szx), from = block.num * size;
	uint8_t etag[GK_HASH_LEN];
	struct gk_coap_writer w;

	if (from && from >= links.len) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return;
	}
	if (gk_sha256(links, etag)) {
		gk_answer(call, GK_COAP_INTERNAL);
		return;
	}
	block.more = from + size < links.len;
	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, GK_COAP_CONTENT);
	gk_coap_put(&w, GK_OPT_ETAG,
		    gk_span(etag, ETAG_LEN)); /* blocks of one list have the same */
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_LINK_FORMAT);
	gk_coap_put_uint(&w, GK_OPT_BLOCK2, gk_block_value(block));
	gk_coap_put_payload(&w, gk_span_sub(links, from, size));
}

/* A client is answered in blocks like everywhere: they are kept for it. */
static void answer_links(struct gk_call *call, struct gk_span links)
{
	struct gk_block block = { .szx = OPEN_SZX };
	enum gk_err err = gk_block_read(&call->msg, GK_OPT_BLOCK2, &block);

	if (err == GK_ERR_RANGE)
		gk_answer(call, GK_COAP_BAD_REQUEST);
	else if (call->client || (err && links.len <= gk_block_size(OPEN_SZX)))
		gk_answer_with(call, GK_COAP_CONTENT, GK_CF_LINK_FORMAT, links);
	else {
		if (block.szx > OPEN_SZX) { /* the same place in smaller blocks */
			block.num <<= block.szx - OPEN_SZX;
			block.szx = OPEN_SZX;
		}
		answer_block(call, links, block);
	}
}

void gk_get_core(struct gk_call *call)
{
	struct gk_buf links;

	if (!gk_answer_begin(call, room_for(call->kdc), &links))
		return;
	put_links(&links, call);
	answer_links(call, gk_buf_span(&links));
	gk_answer_drop(call, &links);
}

bool gk_core_is_path(const struct gk_coap *msg)
{
	const struct gk_span path[] = { gk_span_str(".well-known"), gk_span_str("core") };

	return gk_coap_path_is(msg, path, 2);
}

bool gk_core_is_asked(const struct gk_coap *msg)
{
	struct gk_span option;

	return msg->code == GK_COAP_GET && gk_core_is_path(msg) &&
	       !gk_coap_find(msg, GK_OPT_OSCORE, &option);
}
