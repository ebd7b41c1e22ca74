// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The credentials of a group: those of its members, and that of the KDC.
 */
#include "filter.h"
#include "group.h"
#include "resource.h"

#define PAYLOAD_ROOM (GK_CRED_MAX + 256)

static bool anyone(const void *ctx, const struct gk_node *node)
{
	(void)ctx;
	(void)node;
	return true;
}

static void answer_peers(struct gk_call *call, gk_node_filter *wanted, const void *ctx)
{
	const struct gk_group *group = call->group;
	struct gk_buf buf;

	if (!gk_answer_begin(call, group->cred_bytes + 16 * group->count + PAYLOAD_ROOM, &buf))
		return;
	if (gk_group_count_peers(group, wanted, ctx)) {
		gk_put_map(&buf, 1 + GK_PEERS_PAIRS);
		gk_put_int(&buf, GK_PARAM_NUM);
		gk_put_int(&buf, group->num);
		gk_group_put_peers(&buf, group, wanted, ctx);
	} else {
		gk_put_bytes(&buf, (struct gk_span){ NULL, 0 });
	}
	gk_answer_end(call, &buf);
}

/* R 4.4.2: all credentials; a monitor has none. */
void gk_get_creds(struct gk_call *call)
{
	answer_peers(call, anyone, NULL);
}

static bool is_wanted(const void *ctx, const struct gk_node *node)
{
	return gk_filter_passes(ctx, node);
}

enum {
	FETCH_GET_CREDS,
	FETCH_COUNT,
};

static const struct gk_cbor_field fetch_fields[FETCH_COUNT] = {
	[FETCH_GET_CREDS] = { GK_PARAM_GET_CREDS, GK_CBOR_ARRAY, true },
};

/* R 4.4.1, P 9.3 */
void gk_fetch_creds(struct gk_call *call)
{
	const struct gk_env *env = &call->kdc->env;
	struct gk_cbor_item item[FETCH_COUNT];
	struct gk_filter filter = { .ids = NULL };
	enum gk_err err = gk_cbor_read_map(call->msg.payload, fetch_fields, FETCH_COUNT, item);

	if (!err)
		err = gk_filter_read(env, item[FETCH_GET_CREDS].encoded, &filter);
	if (err == GK_ERR_NO_MEMORY)
		gk_answer(call, GK_COAP_UNAVAILABLE);
	else if (err || (!filter.role_count && !filter.has_ids))
		gk_answer(call, GK_COAP_BAD_REQUEST);
	else
		answer_peers(call, is_wanted, &filter);
	gk_filter_wipe(env, &filter);
}

/* R 4.5.1, P 9.5.1: evidence over the clientchallenge of the latest join and a fresh nonce. */
void gk_get_kdc_cred(struct gk_call *call)
{
	const struct gk_node *node = call->node;
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_cred_evidence evidence;

	if (gk_cred_evidence_make(call->group, gk_blob_span(&node->cred),
				  gk_span(node->n_c, node->n_c_len), &evidence)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	gk_put_map(&buf, GK_CRED_EVIDENCE_PAIRS);
	gk_cred_evidence_put(&buf, &evidence);
	gk_answer_map(call, &buf);
}
