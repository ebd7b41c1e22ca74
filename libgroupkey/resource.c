// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's resources (R 4.1, P 8.5): a table of path, method, who may, and what is done. The
 * checks before a handler runs are those of R 4.1.2, in an order that tells an outsider nothing.
 */
#include "kdc.h"

#define PATH_MAX_SEGMENTS 6
#define GROUP_SEGMENT     1
#define NODE_SEGMENT      3
#define PAYLOAD_ROOM      1024
#define OPTIONS_ROOM      256
#define CF_NONE           0xffff

/* answers */

void gk_answer_with(struct gk_call *call, uint8_t code, uint16_t content_format,
		    struct gk_span payload)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, code);
	if (content_format != CF_NONE)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, content_format);
	gk_coap_put_payload(&w, payload);
}

void gk_answer(struct gk_call *call, uint8_t code)
{
	gk_answer_with(call, code, CF_NONE, (struct gk_span){ NULL, 0 });
}

void gk_answer_full(struct gk_call *call)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, GK_COAP_UNAVAILABLE);
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, GK_STORAGE_MAX_AGE_S);
}

/* Concise problem details {0: {0: error-id}} (R 4.1.2, RFC 9290). */
void gk_answer_error(struct gk_call *call, uint8_t code, unsigned ace_error)
{
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&buf, 1);
	gk_put_int(&buf, GK_PROBLEM_ACE_GROUPCOMM_ERROR);
	gk_put_map(&buf, 1);
	gk_put_int(&buf, GK_PROBLEM_ERROR_ID);
	gk_put_uint(&buf, ace_error);
	gk_answer_with(call, code, GK_CF_PROBLEM_DETAILS, gk_buf_span(&buf));
}

enum gk_err gk_answer_reserve(struct gk_call *call, size_t size)
{
	size_t room = size + OPTIONS_ROOM;
	uint8_t *bytes = gk_alloc(&call->kdc->env, room);

	if (!bytes)
		return GK_ERR_NO_MEMORY;
	gk_blob_wipe(&call->kdc->env, &call->large);
	call->large = (struct gk_blob){ bytes, room };
	call->reply = gk_buf(bytes, room);
	return GK_OK;
}

static void answer_map(struct gk_call *call, struct gk_buf *payload)
{
	if (payload->overflow)
		gk_answer(call, GK_COAP_INTERNAL);
	else
		gk_answer_with(call, GK_COAP_CONTENT, GK_CF_ACE_GROUPCOMM, gk_buf_span(payload));
}

/* reading */

/* Not every group's credentials are for signatures (R 6.2.1).
 * @return NULL: not called for, or not possible now; the member has it from its join */
static const struct gk_evidence *signer_for(const struct gk_node *node, struct gk_evidence *room)
{
	bool wanted = node->in_tree && node->group->config.mode == GK_MODE_PAIRWISE;

	return wanted && !gk_evidence_sign(node->group, gk_span(node->n_c, node->n_c_len), room)
		       ? room
		       : NULL;
}

/* R 4.3.2, 4.8.1; P 9.1.1, 9.1.2. What is answered counts as delivered. */
static void answer_material(struct gk_call *call, const struct gk_node *sid_of)
{
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct gk_group *group = call->group;
	struct gk_evidence signer;

	gk_put_map(&buf, GK_MATERIAL_PAIRS + gk_mgt_pairs(call->node));
	gk_group_put_material(&buf, group, true, sid_of, call->now);
	gk_mgt_put(&buf, call->node, signer_for(call->node, &signer));
	answer_map(call, &buf);
	gk_wipe(bytes, sizeof(bytes));
	if (call->node->num != group->num)
		gk_delivery_confirmed(call->node, GK_VIA_PULL, call->now);
}

static void get_group(struct gk_call *call)
{
	answer_material(call, NULL);
}

static void get_node(struct gk_call *call)
{
	answer_material(call, call->node);
}

/* "num=7": which version the member has (docs/rekeying.md section 9). @return -1: it did not say */
static int64_t num_query(const struct gk_coap *msg)
{
	static const char key[] = "num=";
	struct gk_span query, digits;
	int64_t num = 0;

	if (!gk_coap_find(msg, GK_OPT_URI_QUERY, &query) ||
	    !gk_span_equal(gk_span_sub(query, 0, sizeof(key) - 1), gk_span_str(key)))
		return -1;
	digits = gk_span_sub(query, sizeof(key) - 1, query.len);
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9' || num > UINT32_MAX)
			return -1;
		num = 10 * num + (digits.data[i] - '0');
	}
	return digits.len ? num : -1;
}

/* R 4.7.1 */
static void get_num(struct gk_call *call)
{
	uint8_t bytes[9];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	int64_t shown = num_query(&call->msg);

	if (shown >= 0)
		gk_delivery_shown(call->node, shown, true, call->now);

	gk_put_int(&buf, call->group->num);
	gk_answer_with(call, GK_COAP_CONTENT, GK_CF_CBOR, gk_buf_span(&buf));
}

/* P 8.2 */
static void get_active(struct gk_call *call)
{
	uint8_t bytes[1];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_bool(&buf, call->group->config.active);
	gk_answer_with(call, GK_COAP_CONTENT, GK_CF_CBOR, gk_buf_span(&buf));
}

static bool anyone(const void *ctx, const struct gk_node *node)
{
	(void)ctx;
	(void)node;
	return true;
}

/* R 4.4.2: all credentials; a monitor has none. */
static void get_creds(struct gk_call *call)
{
	const struct gk_group *group = call->group;
	size_t room = group->cred_bytes + 16 * group->count + PAYLOAD_ROOM;
	uint8_t *bytes = gk_alloc(&call->kdc->env, room);
	struct gk_buf buf = gk_buf(bytes, room);

	if (!bytes || gk_answer_reserve(call, room)) {
		gk_free(&call->kdc->env, bytes, room);
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	if (gk_group_count_peers(group, anyone, NULL)) {
		gk_put_map(&buf, 1 + GK_PEERS_PAIRS);
		gk_put_int(&buf, GK_PARAM_NUM);
		gk_put_int(&buf, group->num);
		gk_group_put_peers(&buf, group, anyone, NULL);
	} else {
		gk_put_bytes(&buf, (struct gk_span){ NULL, 0 });
	}
	answer_map(call, &buf);
	gk_free(&call->kdc->env, bytes, room);
}

/* R 4.5.1, P 9.5.1: evidence over the clientchallenge of the latest join and a fresh nonce. */
static void get_kdc_cred(struct gk_call *call)
{
	const struct gk_node *node = call->node;
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_evidence evidence;

	if (gk_evidence_make(call->group, gk_blob_span(&node->cred),
			     gk_span(node->n_c, node->n_c_len), &evidence)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	gk_put_map(&buf, GK_EVIDENCE_PAIRS);
	gk_evidence_put(&buf, &evidence);
	answer_map(call, &buf);
}

/* stale-sids (P 11.3.1) */

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

static void fetch_stale_sids(struct gk_call *call)
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

/* changing */

/* Key Renewal (R 4.8.2, P 9.2): a new Sender ID; Gid and num stay. */
static void post_node(struct gk_call *call)
{
	struct gk_node *node = call->node;
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_id sid;

	if (!call->group->config.active) {
		gk_answer_error(call, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_INACTIVE);
		return;
	}
	if (!node->has_sid) {
		gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_ROLES);
		return;
	}
	if (!gk_client_may_churn(call->client, call->now)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	if (gk_group_choose_sid(call->group, &sid)) {
		gk_answer_error(call, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_NO_INDIVIDUAL);
		return;
	}
	if (gk_group_add_stale(call->group, &node->sid)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	node->sid = sid;
	gk_group_relieve(call->group, call->now);
	gk_record_group(call->group);
	gk_record_node(node);
	gk_put_map(&buf, 1);
	gk_put_int(&buf, GK_PARAM_GROUP_SENDER_ID);
	gk_put_bytes(&buf, gk_id_span(&sid));
	gk_answer_with(call, GK_COAP_CHANGED, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf));
}

/* R 4.8.3: token and association survive; the rest is rekeyed. */
static void delete_node(struct gk_call *call)
{
	gk_group_remove(call->node, GK_NOTE_LEFT, NULL, call->now);
	gk_answer(call, GK_COAP_DELETED);
}

/* the table */

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
	{ "ace-group/*", GK_COAP_GET, MEMBER, NOTHING, get_group },
	{ "ace-group/*/active", GK_COAP_GET, MEMBER, NOTHING, get_active },
	{ "ace-group/*/creds", GK_COAP_GET, MEMBER_OR_VERIFIER, NOTHING, get_creds },
	{ "ace-group/*/kdc-cred", GK_COAP_GET, MEMBER, NOTHING, get_kdc_cred },
	{ "ace-group/*/num", GK_COAP_GET, MEMBER, NOTHING, get_num },
	{ "ace-group/*/stale-sids", GK_COAP_FETCH, MEMBER, NOTHING, fetch_stale_sids },
	{ "ace-group/*/nodes/*", GK_COAP_GET, OWNER, NOTHING, get_node },
	{ "ace-group/*/nodes/*", GK_COAP_POST, OWNER, CHANGE, post_node },
	{ "ace-group/*/nodes/*", GK_COAP_DELETE, OWNER, CHANGE, delete_node },
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
