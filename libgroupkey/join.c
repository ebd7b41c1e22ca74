// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The Join Request (R 4.3.1, P 6). First everything is read and checked, in an order that
 * satisfies every "MUST reply" and reveals least; then what can fail is made; only then state
 * changes.
 */
#include "client.h"
#include "delivery.h"
#include "filter.h"
#include "group.h"
#include "presence.h"
#include "serve.h"
#include "uri.h"

#include <string.h>

#define FIXED_ROOM 2048 /* a Join Response beside the credentials */

enum {
	JOIN_SCOPE,
	JOIN_GET_CREDS,
	JOIN_CRED,
	JOIN_CNONCE,
	JOIN_VERIFY,
	JOIN_CONTROL_URI,
	JOIN_SCHEME,
	JOIN_SLEEPY,
	JOIN_COUNT,
};

/* What a monitor sends as credential and evidence is ignored, whatever it is (P 6.2). */
static const struct gk_cbor_field join_fields[JOIN_COUNT] = {
	[JOIN_SCOPE] = { GK_PARAM_SCOPE, GK_CBOR_BYTES, true },
	[JOIN_GET_CREDS] = { GK_PARAM_GET_CREDS, GK_CBOR_NULL | GK_CBOR_ARRAY, false },
	[JOIN_CRED] = { GK_PARAM_CLIENT_CRED, GK_CBOR_ANY, false },
	[JOIN_CNONCE] = { GK_PARAM_CNONCE, GK_CBOR_BYTES, true },
	[JOIN_VERIFY] = { GK_PARAM_CLIENT_CRED_VERIFY, GK_CBOR_ANY, false },
	[JOIN_CONTROL_URI] = { GK_PARAM_CONTROL_URI, GK_CBOR_TEXT, false },
	[JOIN_SCHEME] = { GK_PARAM_REKEYING_SCHEME, GK_CBOR_ANY, false },
	[JOIN_SLEEPY] = { GK_PARAM_SLEEPY, GK_CBOR_BOOL, false },
};

/** A Join Request being worked on. */
struct join {
	struct gk_call *call;
	struct gk_group *group;
	struct gk_cbor_item item[JOIN_COUNT];
	uint32_t roles;
	struct gk_filter filter;  /* get_creds, if that is an array */
	bool keep_cred;           /* the stored credential stays */
	struct gk_public_key key; /* of the one that takes its place */
	bool has_control;
	struct gk_addr address;
	struct gk_span control_path;
	struct gk_cred_evidence evidence;
	struct gk_cred_evidence signer;               /* in mgt_key_material */
	struct gk_blob new_cred, new_path, new_scope; /* copies, made before anything changes */
};

/* refusals */

static void note_refusal(const struct join *join, const char *reason)
{
	const struct gk_client *client = join->call->client;

	gk_queue_note(&join->call->kdc->queue,
		      &(struct gk_note){ .kind = GK_NOTE_REFUSED,
					 .group = gk_group_name(join->group),
					 .name = gk_span(client->name, client->name_len),
					 .num = join->group->num,
					 .reason = reason });
}

static bool is_pairwise(const struct join *join)
{
	return join->group->config.mode == GK_MODE_PAIRWISE;
}

static void put_one(struct gk_buf *buf, int label, const struct gk_group *group,
		    void (*put)(struct gk_buf *, const struct gk_group *))
{
	gk_put_int(buf, label);
	gk_put_array(buf, 1);
	put(buf, group);
}

/* The 4.00 that tells how to do better (P 6.2). */
static void refuse_default(const struct join *join, const char *reason)
{
	uint8_t bytes[2 * (GK_GROUP_NAME_MAX + 32) + GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct gk_group *group = join->group;

	gk_put_map(&buf, group->config.mode == GK_MODE_GROUP ? 1 : 2);
	if (gk_group_signs(group))
		put_one(&buf, GK_PARAM_SIGN_INFO, group, gk_group_put_sign_info);
	if (gk_group_agrees(group))
		put_one(&buf, GK_PARAM_ECDH_INFO, group, gk_group_put_ecdh_info);
	if (is_pairwise(join))
		put_one(&buf, GK_PARAM_KDC_DH_CREDS, group, gk_group_put_dh_creds);
	note_refusal(join, reason);
	gk_answer_with(join->call, GK_COAP_BAD_REQUEST, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf));
}

static void refuse_error(const struct join *join, uint8_t code, unsigned error, const char *reason)
{
	note_refusal(join, reason);
	gk_answer_error(join->call, code, error);
}

/* checks; each returns true to go on, or has put the refusal into the reply */

/* Before all that is wrong with the request itself (P 6.2). */
static bool check_active(struct join *join)
{
	if (join->group->config.active)
		return true;
	refuse_error(join, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_INACTIVE, "the group is inactive");
	return false;
}

static bool check_form(struct join *join)
{
	struct gk_span payload = join->call->msg.payload;

	if (gk_cbor_read_map(payload, join_fields, JOIN_COUNT, join->item)) {
		refuse_default(join, payload.len ? "malformed Join Request" : NULL);
		return false;
	}
	if (join->item[JOIN_CNONCE].string.len == 0 ||
	    join->item[JOIN_CNONCE].string.len > GK_CNONCE_MAX) {
		refuse_default(join, "cnonce is empty, or over 32 bytes long");
		return false;
	}
	return true;
}

static bool check_roles(struct join *join)
{
	struct gk_scope scope;
	uint32_t granted = gk_scope_roles(gk_blob_span(&join->call->client->scope),
					  gk_group_name(join->group));

	if (join->item[JOIN_SCOPE].string.len > GK_SCOPE_MAX ||
	    gk_scope_read(join->item[JOIN_SCOPE].string, &scope) ||
	    !gk_span_equal(scope.group, gk_group_name(join->group)) ||
	    !gk_roles_joinable(scope.roles)) {
		refuse_default(join, "scope is not one entry for this group with fitting roles");
		return false;
	}
	if (scope.roles & ~granted) {
		note_refusal(join, "roles beyond the token");
		gk_answer_hints(join->call, GK_COAP_FORBIDDEN);
		return false;
	}
	join->roles = scope.roles;
	return true;
}

/* Our evidence in a pairwise-only group is a MAC, for which it takes a key of the other's. */
static bool check_mode(struct join *join)
{
	if (is_pairwise(join) && join->roles == GK_ROLE_MONITOR) {
		refuse_default(join, "a monitor in a pairwise-only group");
		return false;
	}
	return true;
}

/* get_creds is null or [true, [+ roles], []] (P 6.1). */
static bool check_get_creds(struct join *join)
{
	const struct gk_cbor_item *item = &join->item[JOIN_GET_CREDS];
	enum gk_err err;

	if (item->kind != GK_CBOR_ARRAY)
		return true;
	err = gk_filter_read(&join->call->kdc->env, item->encoded, &join->filter);
	if (err == GK_ERR_NO_MEMORY) {
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		return false;
	}
	if (err || !join->filter.include || !join->filter.role_count || join->filter.has_ids) {
		refuse_default(join, "get_creds of a form that a join cannot have");
		return false;
	}
	return true;
}

/* Nobody directs what we send at another. */
static bool is_own_address(const struct join *join)
{
	return memcmp(join->address.ip, join->call->exchange->peer.ip, 16) == 0;
}

/* Whatever port a client under DTLS names, its session is where it is reached (P 11.1). */
static enum gk_err read_control_uri(struct join *join, struct gk_span uri)
{
	if (join->call->client->session &&
	    gk_uri_read_secure(uri, &join->address, &join->control_path) == GK_OK)
		return GK_OK;
	return gk_uri_read(uri, &join->address, &join->control_path);
}

/* Path "ace-group/GROUP/node" is P's default; the group's own path is reserved (R 4.3.1). */
static bool check_control_uri(struct join *join)
{
	const struct gk_cbor_item *item = &join->item[JOIN_CONTROL_URI];
	uint8_t bytes[GK_URI_PATH_MAX];
	struct gk_buf own = gk_buf(bytes, sizeof(bytes));

	join->address = join->call->exchange->peer;
	if (!item->kind)
		return true;
	gk_group_put_path(&own, join->group);
	if (read_control_uri(join, item->string) || !is_own_address(join) ||
	    join->control_path.len == 0 || join->control_path.len > GK_URI_PATH_MAX ||
	    gk_span_equal(join->control_path, gk_buf_span(&own))) {
		refuse_default(
			join, "control_uri is not a coap URI with a path at the address that asks");
		return false;
	}
	join->address.scope = join->call->exchange->peer.scope;
	join->has_control = true;
	return true;
}

static bool monitor_only(const struct join *join)
{
	return join->roles == GK_ROLE_MONITOR;
}

static bool is_bytes(const struct gk_cbor_item *item)
{
	return item->kind == GK_CBOR_NONE || item->kind == GK_CBOR_BYTES;
}

/* Who may refer to the credential that we have (P 4, 6.2): a member without new evidence. */
static bool check_presence(struct join *join)
{
	const struct gk_cbor_item *cred = &join->item[JOIN_CRED];
	const struct gk_cbor_item *verify = &join->item[JOIN_VERIFY];
	const struct gk_node *node = join->call->node;
	struct gk_span stored = node ? gk_blob_span(&node->cred) : (struct gk_span){ NULL, 0 };
	bool fine;

	if (monitor_only(join))
		return true;
	if (verify->kind) {
		fine = cred->kind && cred->string.len;
	} else {
		fine = stored.len && (cred->string.len == 0 || gk_span_equal(cred->string, stored));
		join->keep_cred = fine;
	}
	fine = fine && is_bytes(cred) && is_bytes(verify);
	if (!fine)
		refuse_default(join, "credential or its evidence is missing");
	return fine;
}

/* Whoever has to prove something is told what about. */
static bool check_challenge(struct join *join)
{
	return monitor_only(join) || join->keep_cred || !gk_proof_lacks_challenge(join->call);
}

/* One that we have may have run out since, or its issuer be no issuer any more: others would refuse
 * it. */
static bool check_credential(struct join *join)
{
	struct gk_span cred = join->keep_cred ? gk_blob_span(&join->call->node->cred)
					      : join->item[JOIN_CRED].string;

	if (monitor_only(join))
		return true;
	if (gk_group_check_cred(join->group, cred, join->call->now, &join->key)) {
		refuse_error(join, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_CREDENTIAL,
			     "credential does not fit the group");
		return false;
	}
	return true;
}

/* Empty evidence refers to a proof by the association itself: one made with the key of the very
 * credential, as a raw public key under DTLS is. What is made with a symmetric key is none (P 6.2).
 */
static bool is_proven(const struct join *join)
{
	const struct gk_session *session = join->call->client->session;

	return session && session->public_key.crv && join->item[JOIN_VERIFY].string.len == 0 &&
	       gk_public_key_equal(&join->key, &session->public_key);
}

/* Proof of possession over scope, N_S and N_C (R 4.3.1). */
static bool check_evidence(struct join *join)
{
	if (monitor_only(join) || join->keep_cred || is_proven(join))
		return true;
	if (!gk_proof_holds(join->call, &join->key, join->item[JOIN_SCOPE].string,
			    join->item[JOIN_CNONCE].string, join->item[JOIN_VERIFY].string)) {
		refuse_error(join, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_POP,
			     "wrong proof of possession");
		return false;
	}
	return true;
}

/* what can fail, made beforehand */

/* It understands the scheme "tree", and the group has it (docs/rekeying.md section 1). */
static bool joins_tree(const struct join *join)
{
	const struct gk_cbor_item *scheme = &join->item[JOIN_SCHEME];

	return join->group->config.rekey.scheme == GK_TREE && scheme->kind == GK_CBOR_NEGINT &&
	       scheme->number == GK_SCHEME_TREE;
}

static bool needs_signer(const struct join *join)
{
	return is_pairwise(join) && joins_tree(join);
}

static enum gk_err make_evidence(struct join *join)
{
	struct gk_span n_c = join->item[JOIN_CNONCE].string;
	struct gk_span peer = join->keep_cred ? gk_blob_span(&join->call->node->cred)
					      : join->item[JOIN_CRED].string;
	enum gk_err err = gk_cred_evidence_make(join->group, peer, n_c, &join->evidence);

	if (!err && needs_signer(join))
		err = gk_cred_evidence_sign(join->group, n_c, &join->signer);
	return err;
}

static enum gk_err copy_parts(struct join *join)
{
	const struct gk_env *env = &join->call->kdc->env;
	uint8_t bytes[GK_URI_PATH_MAX];
	struct gk_buf path = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = GK_OK;

	if (join->has_control) {
		gk_buf_add(&path, join->control_path);
	} else { /* where P has a member's control resource by default; for probes alone */
		gk_group_put_path(&path, join->group);
		gk_buf_add(&path, gk_span_str("/node"));
	}
	if (!monitor_only(join) && !join->keep_cred)
		err = gk_blob_set(env, &join->new_cred, join->item[JOIN_CRED].string);
	if (!err)
		err = gk_blob_set(env, &join->new_scope, join->item[JOIN_SCOPE].string);
	return err ? err : gk_blob_set(env, &join->new_path, gk_buf_span(&path));
}

static void drop_parts(struct join *join)
{
	gk_blob_wipe(&join->call->kdc->env, &join->new_cred);
	gk_blob_wipe(&join->call->kdc->env, &join->new_path);
	gk_blob_wipe(&join->call->kdc->env, &join->new_scope);
	gk_filter_wipe(&join->call->kdc->env, &join->filter);
}

/* the answer */

/* get_creds null means those that the joiner's roles will talk to (P 6.3). */
static bool is_wanted(const void *ctx, const struct gk_node *peer)
{
	const struct join *join = ctx;
	uint32_t relevant = 0;

	if (peer->client == join->call->client)
		return false;
	if (join->item[JOIN_GET_CREDS].kind == GK_CBOR_ARRAY)
		return gk_filter_passes(&join->filter, peer);
	if (join->roles & GK_ROLE_REQUESTER)
		relevant |= GK_ROLE_RESPONDER;
	if (join->roles & (GK_ROLE_RESPONDER | GK_ROLE_MONITOR))
		relevant |= GK_ROLE_REQUESTER;
	return peer->roles & relevant;
}

static void put_response(struct gk_buf *buf, const struct join *join, const struct gk_node *node)
{
	const struct gk_group *group = join->group;
	bool creds = join->item[JOIN_GET_CREDS].kind != GK_CBOR_NONE;

	gk_put_map(buf, GK_MATERIAL_PAIRS + (creds ? GK_PEERS_PAIRS : 0) + 1 +
				GK_CRED_EVIDENCE_PAIRS + gk_mgt_pairs(node));
	gk_group_put_material(buf, group, true, node, join->call->now);
	if (creds)
		gk_group_put_peers(buf, group, is_wanted, join);
	gk_group_put_policies(buf);
	gk_cred_evidence_put(buf, &join->evidence);
	gk_mgt_put(buf, node, needs_signer(join) ? &join->signer : NULL);
}

static void answer_joined(struct join *join, const struct gk_node *node, uint8_t code)
{
	const struct gk_env *env = &join->call->kdc->env;
	const struct gk_group *group = join->group;
	bool creds = join->item[JOIN_GET_CREDS].kind != GK_CBOR_NONE;
	size_t room = FIXED_ROOM + (creds ? group->cred_bytes + 16 * group->count : 0);
	uint8_t *bytes = gk_alloc(env, room);
	struct gk_buf payload = gk_buf(bytes, room);
	struct gk_coap_writer w;

	if (!bytes || gk_answer_reserve(join->call, room)) {
		gk_free(env, bytes, room);
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		return;
	}
	put_response(&payload, join, node);
	gk_buf_truncate(&join->call->reply, 0);
	w = gk_coap_begin(&join->call->reply, code);
	gk_coap_put_path(&w, GK_OPT_LOCATION_PATH, gk_blob_span(&group->kdc->roots.groups));
	gk_coap_put(&w, GK_OPT_LOCATION_PATH, gk_group_name(join->group));
	gk_coap_put_path(&w, GK_OPT_LOCATION_PATH, gk_span_str("nodes"));
	gk_coap_put(&w, GK_OPT_LOCATION_PATH, gk_node_name(node));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	gk_free(env, bytes, room);
}

/* the change of state */

static void fill_node(struct join *join, struct gk_node *node)
{
	const struct gk_env *env = &join->call->kdc->env;
	struct gk_span n_c = join->item[JOIN_CNONCE].string;

	node->roles = join->roles;
	node->n_c_len = (uint8_t)n_c.len;
	memcpy(node->n_c, n_c.data, n_c.len);
	node->sleepy = join->item[JOIN_SLEEPY].number != 0;
	node->has_control = join->has_control;
	gk_blob_move(env, &node->control_path, &join->new_path);
	gk_blob_move(env, &node->scope, &join->new_scope);
	if (!join->keep_cred)
		gk_blob_move(env, &node->cred, &join->new_cred);
}

static void settle(struct join *join, struct gk_node *node, enum gk_note_kind kind)
{
	struct gk_group *group = join->group;

	group->used = true;
	gk_record_group(group); /* first: a crash must not give the node's number out again */
	node->num = group->num;
	gk_record_node(node);
	gk_delivery_settle(node, join->call->now);
	gk_kdc_note(group->kdc, kind, node, NULL);
}

/* Backward security, and never the same material for a group that was empty (R 10.2). Whoever
 * enters the tree gets keys of others, which have to be new. */
static enum gk_err renew_for_joiner(struct join *join, bool *renewed)
{
	struct gk_group *group = join->group;

	*renewed = group->config.rekey_on_join ? group->used || group->count > 0
					       : group->used && group->count == 0;
	*renewed = *renewed || group->rekey_pending; /* a join closes the coalescing window */
	*renewed = *renewed || joins_tree(join);
	return *renewed ? gk_group_renew(group, join->call->now) : GK_OK;
}

/* The others get what is new before the joiner's answer leaves. */
static void distribute(struct join *join, struct gk_node *joiner)
{
	join->group->joiner = joiner;
	gk_group_distribute(join->group, "join", join->call->now);
}

static void enter(struct join *join, struct gk_node *node, bool renewed)
{
	struct gk_group *group = join->group;

	node->number = ++group->next_node;
	node->address = join->address;
	fill_node(join, node);
	if (gk_group_add(node, join->call->now)) {
		gk_node_free(node);
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		if (renewed)
			distribute(join, NULL);
		return;
	}
	gk_sleep_judge(node, join->call->now);
	if (joins_tree(join))
		gk_mgt_enter(node);
	group->used = true;
	if (renewed)
		distribute(join, node);
	else
		group->joiner = NULL;
	settle(join, node, GK_NOTE_JOINED);
	answer_joined(join, node, GK_COAP_CREATED);
}

static void join_new(struct join *join)
{
	struct gk_group *group = join->group;
	struct gk_node *node;
	bool renewed;

	if (group->count >= group->config.members_max) {
		refuse_error(join, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_NO_INDIVIDUAL,
			     "the group is full");
		return;
	}
	if (gk_node_new(group, join->call->client, &node)) {
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		return;
	}
	if (renew_for_joiner(join, &renewed)) {
		gk_node_free(node);
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		return;
	}
	node->has_sid = !monitor_only(join);
	if (node->has_sid && gk_group_choose_sid(group, &node->sid)) {
		gk_node_free(node);
		refuse_error(join, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_NO_INDIVIDUAL,
			     "no Sender ID is free");
		if (renewed)
			distribute(join, NULL);
		return;
	}
	enter(join, node, renewed);
}

/* The old Sender ID goes stale, and if new material is called for, the old one ends with it. On an
 * error neither does. */
static enum gk_err give_up(struct join *join, bool renew)
{
	struct gk_group *group = join->group;
	const struct gk_node *node = join->call->node;
	enum gk_err err = node->has_sid ? gk_group_add_stale(group, &node->sid) : GK_OK;

	if (err || !renew)
		return err;
	err = gk_group_renew(group, join->call->now);
	if (err && node->has_sid)
		gk_group_stale_now(group)->count--; /* it keeps it */
	return err;
}

/* A member's newest announcement counts. Into the tree, it is as in a first join; out of it, it
 * still knows keys of others, which a rekeying ends. */
static void change_scheme(struct join *join, bool enters)
{
	struct gk_node *node = join->call->node;

	if (enters) {
		gk_mgt_enter(node);
		distribute(join, node);
	} else if (node->in_tree && !joins_tree(join)) {
		gk_mgt_leave(node);
		gk_group_schedule_rekey(join->group, join->call->now);
	}
}

/* A member that joins again lost its state: a new Sender ID, the old one is stale, and the rest
 * of the group is not rekeyed for it (P 6.3), unless it enters the tree now. */
static void join_again(struct join *join)
{
	struct gk_group *group = join->group;
	struct gk_node *node = join->call->node;
	bool has_sid = !monitor_only(join);
	bool enters = joins_tree(join) && !node->in_tree;
	struct gk_id sid = { 0 };

	if (has_sid && gk_group_choose_sid(group, &sid)) {
		refuse_error(join, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_NO_INDIVIDUAL,
			     "no Sender ID is free");
		return;
	}
	if (give_up(join, enters)) {
		gk_answer(join->call, GK_COAP_UNAVAILABLE);
		return;
	}
	group->cred_bytes -= node->cred.len;
	node->has_sid = has_sid;
	node->sid = sid;
	fill_node(join, node);
	group->cred_bytes += node->cred.len;
	node->address = join->address;
	gk_sleep_judge(node, join->call->now);
	change_scheme(join, enters);
	settle(join, node, GK_NOTE_REJOINED);
	gk_group_relieve(group, join->call->now);
	answer_joined(join, node, GK_COAP_CHANGED);
}

static bool (*const checks[])(struct join *) = {
	check_active,      check_form,     check_roles,     check_mode,       check_get_creds,
	check_control_uri, check_presence, check_challenge, check_credential, check_evidence,
};

static bool passes_checks(struct join *join)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (!checks[i](join))
			return false;
	}
	return true;
}

void gk_join_post(struct gk_call *call)
{
	struct join join = { .call = call, .group = call->group };

	if (!passes_checks(&join)) {
		drop_parts(&join);
		return;
	}
	if (!gk_client_may_churn(call->client, call->now) || make_evidence(&join) ||
	    copy_parts(&join))
		gk_answer(call, GK_COAP_UNAVAILABLE);
	else if (call->node)
		join_again(&join);
	else
		join_new(&join);
	drop_parts(&join);
}
