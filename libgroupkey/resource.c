// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's resources (R 4.1, P 8.5): a table of path, method, who may, and what is done. The
 * checks before a handler runs are those of R 4.1.2, in an order that tells an outsider nothing.
 */
#include "resource.h"
#include "delivery.h"
#include "group.h"
#include "ledger.h"

#define ANY_FORMAT 0xffff

enum who {
	ANYONE,
	CLIENT,             /* of any token */
	GRANTED,            /* a client whose token names the group */
	VERIFIER,           /* ... and who is not in it, but may verify its signatures */
	MEMBER_OR_VERIFIER, /* ... or is in it */
	MEMBER,
	OWNER, /* the member that the path names */
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

/* /.well-known/core, the paths that can be configured, and what is below them. */
enum root {
	NOWHERE,
	CORE,
	AUTHZ,
	GROUPS,
};

/* Content-Formats are those of a request, if it has a payload and says of which, and of the answer
 * that it asks for. */
static const struct resource {
	enum root root;
	const char *path; /* behind the root. '*': any one segment */
	uint8_t method;
	enum who who;
	enum stores stores;
	uint16_t takes, gives;
	void (*serve)(struct gk_call *call);
} resources[] = {
	{ CORE, "", GK_COAP_GET, ANYONE, NOTHING, ANY_FORMAT, GK_CF_LINK_FORMAT, gk_get_core },
	/* of which forms there are, authz.c knows */
	{ AUTHZ, "", GK_COAP_POST, ANYONE, TOKEN, ANY_FORMAT, GK_CF_ACE, gk_authz_post },
	{ GROUPS, "", GK_COAP_FETCH, CLIENT, NOTHING, GK_CF_ACE_GROUPCOMM, GK_CF_ACE_GROUPCOMM,
	  gk_fetch_groups },
	{ GROUPS, "*", GK_COAP_POST, GRANTED, MEMBER_TOO, GK_CF_ACE_GROUPCOMM, GK_CF_ACE_GROUPCOMM,
	  gk_join_post },
	{ GROUPS, "*", GK_COAP_GET, MEMBER, NOTHING, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_get_group },
	{ GROUPS, "*/active", GK_COAP_GET, MEMBER, NOTHING, ANY_FORMAT, GK_CF_CBOR, gk_get_active },
	{ GROUPS, "*/creds", GK_COAP_GET, MEMBER_OR_VERIFIER, NOTHING, ANY_FORMAT,
	  GK_CF_ACE_GROUPCOMM, gk_get_creds },
	{ GROUPS, "*/creds", GK_COAP_FETCH, MEMBER_OR_VERIFIER, NOTHING, GK_CF_ACE_GROUPCOMM,
	  GK_CF_ACE_GROUPCOMM, gk_fetch_creds },
	{ GROUPS, "*/kdc-cred", GK_COAP_GET, MEMBER, NOTHING, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_get_kdc_cred },
	{ GROUPS, "*/kdc-cred", GK_COAP_FETCH, VERIFIER, NOTHING, GK_CF_ACE_GROUPCOMM,
	  GK_CF_ACE_GROUPCOMM, gk_fetch_kdc_cred },
	{ GROUPS, "*/num", GK_COAP_GET, MEMBER, NOTHING, ANY_FORMAT, GK_CF_CBOR, gk_get_num },
	{ GROUPS, "*/policies", GK_COAP_GET, MEMBER, NOTHING, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_get_policies },
	{ GROUPS, "*/stale-sids", GK_COAP_FETCH, MEMBER, NOTHING, GK_CF_CBOR, GK_CF_CBOR,
	  gk_fetch_stale_sids },
	{ GROUPS, "*/verif-data", GK_COAP_GET, VERIFIER, NOTHING, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_get_verif_data },
	{ GROUPS, "*/nodes/*", GK_COAP_GET, OWNER, NOTHING, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_get_node },
	{ GROUPS, "*/nodes/*", GK_COAP_POST, OWNER, CHANGE, ANY_FORMAT, GK_CF_ACE_GROUPCOMM,
	  gk_post_node },
	{ GROUPS, "*/nodes/*/cred", GK_COAP_POST, OWNER, CHANGE, GK_CF_ACE_GROUPCOMM, ANY_FORMAT,
	  gk_post_cred },
	{ GROUPS, "*/nodes/*", GK_COAP_DELETE, OWNER, CHANGE, ANY_FORMAT, ANY_FORMAT,
	  gk_delete_node },
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

/* @return true if these are the segments of 'pattern', and no others */
static bool path_matches(const char *pattern, const struct gk_span *path, size_t count)
{
	size_t i = 0;

	for (; *pattern; i++) {
		struct gk_span segment = next_segment(&pattern);

		if (i == count)
			return false;
		if (!(segment.len == 1 && segment.data[0] == '*') &&
		    !gk_span_equal(segment, path[i]))
			return false;
	}
	return i == count;
}

static enum root find_root(struct gk_call *call)
{
	const struct gk_kdc *kdc = call->kdc;

	if (gk_core_is_path(&call->msg)) {
		call->root_len = call->path_len;
		return kdc->discovery == GK_DISCOVERY_NONE ? NOWHERE : CORE;
	}
	call->root_len = gk_root_match(&kdc->roots.authz, call->path, call->path_len);
	if (call->root_len && call->root_len == call->path_len)
		return AUTHZ;
	call->root_len = gk_root_match(&kdc->roots.groups, call->path, call->path_len);
	return call->root_len ? GROUPS : NOWHERE;
}

/* @return the row that serves the request; or, with another method, one of the same path */
static const struct resource *find_resource(const struct gk_call *call, enum root root)
{
	const struct resource *other = NULL;

	for (size_t i = 0; i < RESOURCES; i++) {
		if (resources[i].root != root ||
		    !path_matches(resources[i].path, &call->path[call->root_len],
				  call->path_len - call->root_len))
			continue;
		if (resources[i].method == call->msg.code)
			return &resources[i];
		other = &resources[i];
	}
	return other;
}

/* @return a segment behind the root: 0 the group's, 2 the node's; empty: there is none */
static struct gk_span segment_of(const struct gk_call *call, size_t i)
{
	i += call->root_len;
	return i < call->path_len ? call->path[i] : gk_span(NULL, 0);
}

static void find_group(struct gk_call *call)
{
	struct gk_group *group = gk_group_find(call->kdc, segment_of(call, 0));

	call->group = group && group->served ? group : NULL;
	call->node =
		call->group && call->client ? gk_group_node_of(call->group, call->client) : NULL;
}

static uint32_t granted_roles(const struct gk_call *call)
{
	return call->client
		       ? gk_scope_roles(gk_blob_span(&call->client->scope), segment_of(call, 0))
		       : 0;
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

/* Who may verify a group's signatures and nothing else has four resources (P 8.5.1), and cannot
 * tell which others there are. */
static bool is_beyond_verifier(const struct gk_call *call, const struct resource *resource,
			       uint32_t roles)
{
	if (call->node || roles != GK_ROLE_VERIFIER)
		return false;
	if (!resource || resource->who == GRANTED)
		return true;
	return resource->who >= MEMBER && resource->method != call->msg.code;
}

/* @return true if 'who' is not the caller; the refusal is then in the reply */
static bool refuse(struct gk_call *call, enum who who, uint32_t roles)
{
	bool as_verifier = (who == VERIFIER || who == MEMBER_OR_VERIFIER) && !call->node &&
			   roles & GK_ROLE_VERIFIER;

	if ((who == GRANTED || as_verifier) && is_banned(call)) {
		note_banned(call);
		gk_answer_hints(call, GK_COAP_FORBIDDEN);
		return true;
	}
	if (as_verifier)
		return false;
	if (who == VERIFIER) { /* a member too, whatever else its token grants */
		gk_answer_error(call, GK_COAP_FORBIDDEN, GK_ACE_ERROR_VERIFIERS_ONLY);
		return true;
	}
	/* a member that was put out has to learn that it is none any more, banned or not */
	if (who >= MEMBER_OR_VERIFIER && !call->node) {
		gk_answer_error(call, GK_COAP_FORBIDDEN, GK_ACE_ERROR_NOT_MEMBER);
		return true;
	}
	if (who == OWNER && !gk_span_equal(gk_node_name(call->node), segment_of(call, 2))) {
		gk_answer(call, GK_COAP_FORBIDDEN);
		return true;
	}
	return false;
}

/* RFC 7252 section 5.5.1: a payload that says to be of another format than the resource takes. One
 * that says nothing is read as that. */
static bool takes_format(const struct gk_call *call, const struct resource *resource)
{
	int64_t format = gk_coap_find_uint(&call->msg, GK_OPT_CONTENT_FORMAT, resource->takes);

	return resource->takes == ANY_FORMAT || !call->msg.payload.len || format == resource->takes;
}

static bool gives_format(const struct gk_call *call, const struct resource *resource)
{
	int64_t accept = gk_coap_find_uint(&call->msg, GK_OPT_ACCEPT, resource->gives);

	return resource->gives == ANY_FORMAT || accept == resource->gives;
}

static bool is_storable(const struct gk_call *call, const struct resource *resource)
{
	bool inside = call->group ? call->node != NULL : call->client != NULL;

	return call->kdc->storage <= worst[resource->stores][inside];
}

/* R 4.3.2, 4.8.1; P 8.2 */
static enum gk_observed observed_by(const struct resource *resource)
{
	static const struct {
		void (*serve)(struct gk_call *call);
		enum gk_observed what;
	} observable[] = {
		{ gk_get_group, GK_OBSERVED_GROUP },
		{ gk_get_node, GK_OBSERVED_NODE },
		{ gk_get_active, GK_OBSERVED_ACTIVE },
	};

	for (size_t i = 0; i < sizeof(observable) / sizeof(observable[0]); i++) {
		if (resource->serve == observable[i].serve)
			return observable[i].what;
	}
	return GK_OBSERVED_NOTHING;
}

static void serve(struct gk_call *call, const struct resource *resource)
{
	resource->serve(call);
	gk_observe_serve(call, observed_by(resource));
}

/* The checks on the request itself, of somebody who may make it. */
static void check_form_and_serve(struct gk_call *call, const struct resource *resource)
{
	if (!takes_format(call, resource))
		gk_answer(call, GK_COAP_BAD_FORMAT);
	else if (!gives_format(call, resource))
		gk_answer(call, GK_COAP_NOT_ACCEPTABLE);
	else if (!is_storable(call, resource))
		gk_answer_full(call);
	else if (gk_request_block(call))
		serve(call, resource);
}

/* R 4.1.2; outsiders cannot tell a group that does not exist from one that is not theirs. */
static void check_and_serve(struct gk_call *call, enum root root)
{
	const struct resource *resource = find_resource(call, root);
	bool open = root == NOWHERE || (resource && resource->who == ANYONE);
	bool in_group = root == GROUPS && call->path_len > call->root_len;
	uint32_t roles = in_group ? granted_roles(call) : 0;

	if (!open && !call->client)
		gk_answer_hints(call, GK_COAP_UNAUTHORIZED);
	else if (in_group && (!roles || is_beyond_verifier(call, resource, roles)))
		gk_answer_hints(call, GK_COAP_FORBIDDEN);
	else if (!resource || (in_group && !call->group))
		gk_answer(call, GK_COAP_NOT_FOUND);
	else if (resource->method != call->msg.code)
		gk_answer(call, GK_COAP_NOT_ALLOWED);
	else if (!refuse(call, resource->who, roles))
		check_form_and_serve(call, resource);
}

/* RFC 7252 section 5.4.1. Elective ones that are new to us, No-Response among them, count for
 * nothing. */
static bool understands_all(const struct gk_call *call)
{
	static const uint16_t critical[] = { GK_OPT_URI_HOST,  GK_OPT_URI_PORT, GK_OPT_URI_PATH,
					     GK_OPT_URI_QUERY, GK_OPT_ACCEPT,   GK_OPT_BLOCK2,
					     GK_OPT_BLOCK1 };
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

void gk_resource_serve(struct gk_call *call)
{
	enum root root;

	if (!understands_all(call)) {
		gk_answer(call, GK_COAP_BAD_OPTION);
		return;
	}
	call->path_len = gk_coap_path(&call->msg, call->path, GK_PATH_SEGMENTS_MAX);
	if (call->path_len > GK_PATH_SEGMENTS_MAX) {
		gk_answer(call, GK_COAP_NOT_FOUND);
		return;
	}
	if (gk_block_continue(call))
		return;
	root = find_root(call);
	if (root == GROUPS)
		find_group(call);
	check_and_serve(call, root);
	gk_block_begin(call);
	gk_request_block_end(call);
}
