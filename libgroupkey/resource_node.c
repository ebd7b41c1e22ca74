// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What a member changes about itself: its Sender ID, its credential, and that it leaves.
 */
#include "client.h"
#include "group.h"
#include "resource.h"

/* @return true if the member may have another Sender ID now, which 'sid' is then, and the present
 *         one is stale; else that is answered */
static bool renew_sid(struct gk_call *call, struct gk_id *sid)
{
	if (!call->group->config.active)
		gk_answer_error(call, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_INACTIVE);
	else if (!call->node->has_sid)
		gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_ROLES);
	else if (!gk_client_may_churn(call->client, call->now))
		gk_answer(call, GK_COAP_UNAVAILABLE);
	else if (gk_group_choose_sid(call->group, sid))
		gk_answer_error(call, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_NO_INDIVIDUAL);
	else if (gk_group_add_stale(call->group, &call->node->sid))
		gk_answer(call, GK_COAP_UNAVAILABLE);
	else
		return true;
	return false;
}

/* Key Renewal (R 4.8.2, P 9.2): a new Sender ID; Gid and num stay. */
void gk_post_node(struct gk_call *call)
{
	struct gk_node *node = call->node;
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_id sid;

	if (!renew_sid(call, &sid))
		return;
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
void gk_delete_node(struct gk_call *call)
{
	gk_group_remove(call->node, GK_NOTE_LEFT, NULL, call->now);
	gk_answer(call, GK_COAP_DELETED);
}

/* its credential (R 4.9.1, P 9.4) */

enum {
	POST_CRED,
	POST_CNONCE,
	POST_VERIFY,
	POST_COUNT,
};

static const struct gk_cbor_field post_fields[POST_COUNT] = {
	[POST_CRED] = { GK_PARAM_CLIENT_CRED, GK_CBOR_BYTES, true },
	[POST_CNONCE] = { GK_PARAM_CNONCE, GK_CBOR_BYTES, true },
	[POST_VERIFY] = { GK_PARAM_CLIENT_CRED_VERIFY, GK_CBOR_BYTES, true },
};

static bool read_post(const struct gk_call *call, struct gk_cbor_item *item)
{
	return !gk_cbor_read_map(call->msg.payload, post_fields, POST_COUNT, item) &&
	       item[POST_CNONCE].string.len && item[POST_CNONCE].string.len <= GK_CNONCE_MAX;
}

/* @return true: refused, which the reply says */
static bool refuse_cred(struct gk_call *call, struct gk_cbor_item *item)
{
	const struct gk_group *group = call->group;
	struct gk_public_key key;

	if (!call->node->has_sid) {
		gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_ROLES);
	} else if (!group->config.active) {
		gk_answer_error(call, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_INACTIVE);
	} else if (!read_post(call, item)) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
	} else if (gk_proof_lacks_challenge(call)) {
		return true;
	} else if (gk_group_check_cred(group, item[POST_CRED].string, call->now, &key)) {
		gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_CREDENTIAL);
	} else if (!gk_proof_holds(call, &key, gk_blob_span(&call->node->scope),
				   item[POST_CNONCE].string, item[POST_VERIFY].string)) {
		gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_POP);
	} else {
		return false;
	}
	return true;
}

/* The clientchallenge stays that of the latest join, and the others are not told: they ask for the
 * credential when they cannot verify a message. */
void gk_post_cred(struct gk_call *call)
{
	const struct gk_env *env = &call->kdc->env;
	struct gk_cbor_item item[POST_COUNT];
	struct gk_node *node = call->node;
	struct gk_blob cred = { NULL, 0 };

	if (refuse_cred(call, item))
		return;
	if (!gk_client_may_churn(call->client, call->now) ||
	    gk_blob_set(env, &cred, item[POST_CRED].string)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	call->group->cred_bytes += cred.len - node->cred.len;
	gk_blob_move(env, &node->cred, &cred);
	gk_record_node(node);
	gk_answer(call, GK_COAP_CHANGED);
}
