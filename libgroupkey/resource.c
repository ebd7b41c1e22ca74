// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's resources (R 4.1, P 8.5): a table of path, method, who may, and what is done. The
 * checks before a handler runs are those of R 4.1.2, in an order that tells an outsider nothing.
 */
#include "resource.h"

#define PATH_MAX_SEGMENTS 6
#define GROUP_SEGMENT     1
#define NODE_SEGMENT      3

enum who {
	ANYONE,
	GRANTED,            /* a client whose token names the group */
	MEMBER,             /* ... that is in it */
	MEMBER_OR_VERIFIER, /* ... or may verify its signatures */
	OWNER,              /* the member that the path names */
};

/* What a request leaves in the store. */
enum stores {
	NOTHING,
	CHANGE,
	MEMBER_TOO, /* a change; of an outsider, a new member */
	TOKEN,      /* inside an association. Outside it is stored when it is first used */
};

/* ... and for how long that can be done: up to which storage, by others and by a member (or where
 * there is no group, a client). */
static const enum gk_storage worst[][2] = {
	[NOTHING] = { GK_STORAGE_NONE, GK_STORAGE_NONE },
	[CHANGE] = { GK_STORAGE_SCARCE, GK_STORAGE_SCARCE },
	[MEMBER_TOO] = { GK_STORAGE_GOOD, GK_STORAGE_SCARCE },
	[TOKEN] = { GK_STORAGE_NONE, GK_STORAGE_SCARCE },
};

static const struct resource {
	const char *path; /* '*': any one segment */
	uint8_t method;
	enum who who;
	enum stores stores;
	void (*serve)(struct gk_call *call);
} resources[] = {
	{ "authz-info", GK_COAP_POST, ANYONE, TOKEN, gk_authz_post },
	{ "ace-group/*", GK_COAP_POST, GRANTED, MEMBER_TOO, gk_join_post },
	{ "ace-group/*", GK_COAP_GET, MEMBER, NOTHING, gk_get_group },
	{ "ace-group/*/active", GK_COAP_GET, MEMBER, NOTHING, gk_get_active },
	{ "ace-group/*/creds", GK_COAP_GET, MEMBER_OR_VERIFIER, NOTHING, gk_get_creds },
	{ "ace-group/*/kdc-cred", GK_COAP_GET, MEMBER, NOTHING, gk_get_kdc_cred },
	{ "ace-group/*/num", GK_COAP_GET, MEMBER, NOTHING, gk_get_num },
	{ "ace-group/*/stale-sids", GK_COAP_FETCH, MEMBER, NOTHING, gk_fetch_stale_sids },
	{ "ace-group/*/nodes/*", GK_COAP_GET, OWNER, NOTHING, gk_get_node },
	{ "ace-group/*/nodes/*", GK_COAP_POST, OWNER, CHANGE, gk_post_node },
	{ "ace-group/*/nodes/*", GK_COAP_DELETE, OWNER, CHANGE, gk_delete_node },
};

#define RESOURCES (sizeof(resources) / sizeof(resources[0]))

static struct gk_span next_segment(const char **pattern)
{
	const char *start = *pattern;
	size_t len = 0;

	while (start[len] && start[len] != '/')
		len++;
	*pattern = start + len + (start[len] == '/');
	return gk_span(start, len);
}

static bool path_matches(const char *pattern, const struct gk_call *call)
{
	size_t i = 0;

	for (; *pattern; i++) {
		struct gk_span segment = next_segment(&pattern);

		if (i == call->path_len)
			return false;
		if (!(segment.len == 1 && segment.data[0] == '*') &&
		    !gk_span_equal(segment, call->path[i]))
			return false;
	}
	return i == call->path_len;
}

/* @return the row that serves the request; or, with another method, one of the same path */
static const struct resource *find_resource(const struct gk_call *call)
{
	const struct resource *other = NULL;

	for (size_t i = 0; i < RESOURCES; i++) {
		if (!path_matches(resources[i].path, call))
			continue;
		if (resources[i].method == call->msg.code)
			return &resources[i];
		other = &resources[i];
	}
	return other;
}

static void find_group(struct gk_call *call)
{
	struct gk_group *group = call->path_len > GROUP_SEGMENT
					 ? gk_group_find(call->kdc, call->path[GROUP_SEGMENT])
					 : NULL;

	call->group = group && group->served ? group : NULL;
	call->node =
		call->group && call->client ? gk_group_node_of(call->group, call->client) : NULL;
}

static uint32_t granted_roles(const struct gk_call *call)
{
	if (!call->client || call->path_len <= GROUP_SEGMENT)
		return 0;
	return gk_scope_roles(gk_blob_span(&call->client->scope), call->path[GROUP_SEGMENT]);
}

/* Where others get in, a banned client is answered like one whose token does not name the group. */
static bool is_banned(const struct gk_call *call)
{
	return call->group && call->client &&
	       gk_ledger_is_banned(call->kdc, gk_group_name(call->group), &call->client->id);
}

static void note_banned(const struct gk_call *call)
{
	const struct gk_client *client = call->client;

	gk_queue_note(&call->kdc->queue,
		      &(struct gk_note){ .kind = GK_NOTE_REFUSED,
					 .group = gk_group_name(call->group),
					 .name = gk_span(client->name, client->name_len),
					 .num = call->group->num,
					 .reason = "banned from the group" });
}

/* @return true if 'who' is not the caller; the refusal is then in the reply */
static bool refuse(struct gk_call *call, enum who who, uint32_t roles)
{
	bool as_verifier = who == MEMBER_OR_VERIFIER && !call->node && roles & GK_ROLE_VERIFIER;

	if ((who == GRANTED || as_verifier) && is_banned(call)) {
		note_banned(call);
		gk_answer(call, GK_COAP_FORBIDDEN);
		return true;
	}
	if (as_verifier)
		return false;
	/* a member that was put out has to learn that it is none any more, banned or not */
	if (who >= MEMBER && !call->node) {
		gk_answer_error(call, GK_COAP_FORBIDDEN, GK_ACE_ERROR_NOT_MEMBER);
		return true;
	}
	if (who == OWNER && !gk_span_equal(gk_node_name(call->node), call->path[NODE_SEGMENT])) {
		gk_answer(call, GK_COAP_FORBIDDEN);
		return true;
	}
	return false;
}

static bool is_storable(const struct gk_call *call, const struct resource *resource)
{
	bool inside = call->group ? call->node != NULL : call->client != NULL;

	return call->kdc->storage <= worst[resource->stores][inside];
}

/* R 4.1.2; outsiders cannot tell a group that does not exist from one that is not theirs. */
static void check_and_serve(struct gk_call *call)
{
	const struct resource *resource = find_resource(call);
	bool open = resource && resource->who == ANYONE;
	uint32_t roles = granted_roles(call);

	if (!open && !call->client)
		gk_answer(call, GK_COAP_UNAUTHORIZED);
	else if (!open && call->path_len > GROUP_SEGMENT && !roles)
		gk_answer(call, GK_COAP_FORBIDDEN);
	else if (!resource || (!open && !call->group))
		gk_answer(call, GK_COAP_NOT_FOUND);
	else if (resource->method != call->msg.code)
		gk_answer(call, GK_COAP_NOT_ALLOWED);
	else if (refuse(call, resource->who, roles))
		return;
	else if (!is_storable(call, resource))
		gk_answer_full(call);
	else
		resource->serve(call);
}

/* RFC 7252 section 5.4.1. Block1 is among those not understood: no request of ours is that long. */
static bool understands_all(const struct gk_call *call)
{
	static const uint16_t critical[] = { GK_OPT_URI_HOST,  GK_OPT_URI_PORT, GK_OPT_URI_PATH,
					     GK_OPT_URI_QUERY, GK_OPT_ACCEPT,   GK_OPT_BLOCK2 };
	struct gk_coap_iter it = gk_coap_options(&call->msg);

	while (gk_coap_next(&it)) {
		bool known = !(it.number & 1);

		for (size_t i = 0; i < sizeof(critical) / sizeof(critical[0]); i++)
			known = known || critical[i] == it.number;
		if (!known)
			return false;
	}
	return true;
}

/* Only formats that some answer of ours has. */
static bool accepts_ours(const struct gk_call *call)
{
	int64_t accept = gk_coap_find_uint(&call->msg, GK_OPT_ACCEPT, GK_CF_ACE_GROUPCOMM);

	return accept == GK_CF_ACE_GROUPCOMM || accept == GK_CF_ACE || accept == GK_CF_CBOR ||
	       accept == GK_CF_PROBLEM_DETAILS;
}

void gk_resource_serve(struct gk_call *call)
{
	if (!understands_all(call)) {
		gk_answer(call, GK_COAP_BAD_OPTION);
		return;
	}
	if (!accepts_ours(call)) {
		gk_answer(call, GK_COAP_NOT_ACCEPTABLE);
		return;
	}
	call->path_len = gk_coap_path(&call->msg, call->path, PATH_MAX_SEGMENTS);
	if (call->path_len > PATH_MAX_SEGMENTS) {
		gk_answer(call, GK_COAP_NOT_FOUND);
		return;
	}
	if (call->client && gk_block_continue(call))
		return;
	find_group(call);
	check_and_serve(call);
	if (call->client)
		gk_block_begin(call);
}
