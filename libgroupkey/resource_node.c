// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What a member changes about itself: its Sender ID, and that it leaves.
 */
#include "resource.h"

/* Key Renewal (R 4.8.2, P 9.2): a new Sender ID; Gid and num stay. */
void gk_post_node(struct gk_call *call)
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
void gk_delete_node(struct gk_call *call)
{
	gk_group_remove(call->node, GK_NOTE_LEFT, NULL, call->now);
	gk_answer(call, GK_COAP_DELETED);
}
