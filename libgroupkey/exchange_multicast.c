// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A request to one client by multicast. Only the client can read it, so that nobody else answers;
 * and it leaves without any entry of a neighbour table, which whoever is on the link may have
 * forged.
 */
#include "client.h"
#include "exchange.h"

/* Of CoAP, with a token of 4 bytes, less the code, which is in the message. */
#define HEADER_LEN 7

bool gk_client_can_multicast(const struct gk_node *node)
{
	return node->has_control && !node->client->session && node->client->assoc.ctx.aead;
}

/* Where it listens anyway: at the address of the control group, or as every node of the link. */
static struct gk_addr multicast_address(const struct gk_node *node)
{
	struct gk_addr all_nodes = { .ip = { 0xff, 0x02, [15] = 1 }, .port = node->address.port };

	return node->in_tree ? node->group->config.rekey.control_group : all_nodes;
}

static struct gk_request *send_by_multicast(struct gk_kdc *kdc, struct gk_node *node,
					    enum gk_request_kind kind, struct gk_span message,
					    uint32_t timeout_ms, size_t *len)
{
	uint8_t bytes[GK_REPLY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_request *request = NULL;

	if (kdc->question_count < GK_QUESTIONS_MAX)
		request = gk_exchange_protect(kdc, node, GK_OBSERVED_NOTHING, kind, message, &buf);
	if (!request)
		return NULL;
	request->multicast = true;
	request->peer = multicast_address(node);
	gk_exchange_emit(kdc, request, gk_buf_span(&buf), timeout_ms);
	*len = HEADER_LEN + buf.len;
	return request;
}

/* A node has one exchange by unicast at a time: if there is one, its answer will do. */
static void send_beside(struct gk_kdc *kdc, struct gk_node *node, struct gk_request *first,
			struct gk_span message, uint32_t timeout_ms)
{
	struct gk_request *second;

	if (node->delivery == GK_NODE_FLYING)
		return;
	first->twin = gk_client_request(kdc, node, first->kind, message, timeout_ms);
	second = gk_exchange_find(kdc, first->twin);
	if (!second)
		return;
	second->twin = first->id;
	second->beside = true;
}

uint64_t gk_client_request_both(struct gk_kdc *kdc, struct gk_node *node, enum gk_request_kind kind,
				struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	size_t len;
	struct gk_request *request = send_by_multicast(kdc, node, kind, message, timeout_ms, &len);

	if (!request)
		return 0;
	send_beside(kdc, node, request, message, timeout_ms);
	/* with answers, which are about as long; that to a question to all goes to all as well */
	gk_budget_charge(&kdc->budget, (request->twin ? 5 : 3) * gk_air_of(len).bytes, now.mono.ms);
	return request->id;
}
