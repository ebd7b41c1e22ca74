// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What members read of their group: its material, the version of that, whether it is active.
 */
#include "delivery.h"
#include "group.h"
#include "resource.h"

#define PAYLOAD_ROOM 1024

/* Who was told by a notification, and registers again as it does from time to time, asks for
 * nothing that it lacks. */
static enum gk_via via_of(const struct gk_call *call)
{
	bool registers = gk_coap_find_uint(&call->msg, GK_OPT_OBSERVE, -1) == 0;

	return registers && call->node->delivery == GK_NODE_TOLD ? GK_VIA_OBSERVE : GK_VIA_PULL;
}

/* What is answered counts as delivered. */
static void answer_material(struct gk_call *call, const struct gk_node *sid_of)
{
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_group_put_answer(&buf, call->node, sid_of, call->now);
	gk_answer_map(call, &buf);
	gk_wipe(bytes, sizeof(bytes));
	if (call->node->num != call->group->num)
		gk_delivery_confirmed(call->node, via_of(call), call->now);
}

void gk_get_group(struct gk_call *call)
{
	answer_material(call, NULL);
}

void gk_get_node(struct gk_call *call)
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
void gk_get_num(struct gk_call *call)
{
	uint8_t bytes[9];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	int64_t shown = num_query(&call->msg);

	if (shown >= 0)
		gk_delivery_shown(call->node, shown, true, call->now);

	gk_put_int(&buf, call->group->num);
	gk_answer_with(call, GK_COAP_CONTENT, GK_CF_CBOR, gk_buf_span(&buf));
}

/* R 4.6.1 */
void gk_get_policies(struct gk_call *call)
{
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&buf, 1);
	gk_group_put_policies(&buf);
	gk_answer_map(call, &buf);
}

/* P 8.2 */
void gk_get_active(struct gk_call *call)
{
	uint8_t bytes[1];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_bool(&buf, call->group->config.active);
	gk_answer_with(call, GK_COAP_CONTENT, GK_CF_CBOR, gk_buf_span(&buf));
}
