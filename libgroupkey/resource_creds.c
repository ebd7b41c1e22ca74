// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The credentials of a group: those of its members, and that of the KDC.
 */
#include "resource.h"

#define PAYLOAD_ROOM 1024

static bool anyone(const void *ctx, const struct gk_node *node)
{
	(void)ctx;
	(void)node;
	return true;
}

/* R 4.4.2: all credentials; a monitor has none. */
void gk_get_creds(struct gk_call *call)
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
	gk_answer_map(call, &buf);
	gk_free(&call->kdc->env, bytes, room);
}

/* R 4.5.1, P 9.5.1: evidence over the clientchallenge of the latest join and a fresh nonce. */
void gk_get_kdc_cred(struct gk_call *call)
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
	gk_answer_map(call, &buf);
}
