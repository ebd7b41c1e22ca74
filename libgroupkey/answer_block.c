// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Large answers in blocks (RFC 7959 section 2.4), inside OSCORE (RFC 8613 section 4.1.3.4). The
 * whole answer is kept with the client, so that all blocks are of one state and a Join Request is
 * carried out once.
 */
#include "block.h"
#include "kdc.h"

#include <string.h>

/* Which resource and method an answer belongs to. */
static enum gk_err digest(const struct gk_call *call, uint8_t out[static 16])
{
	uint8_t bytes[512], hash[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	gk_buf_byte(&buf, call->msg.code);
	for (size_t i = 0; i < call->path_len; i++)
		gk_put_text(&buf, call->path[i]);
	err = gk_buf_err(&buf);
	if (!err)
		err = gk_sha256(gk_buf_span(&buf), hash);
	if (!err)
		memcpy(out, hash, 16);
	return err;
}

/* The reply becomes one block of 'whole'. All options of our answers are below Block2.
 * @return true if more follow */
static bool put_block(struct gk_call *call, const struct gk_coap *whole, struct gk_block block)
{
	size_t size = gk_block_size(block.szx);
	size_t from = block.num * size;
	struct gk_coap_writer w = { .buf = &call->reply };
	struct gk_coap_iter it = gk_coap_options(whole);

	block.more = from + size < whole->payload.len;
	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, whole->code);
	while (gk_coap_next(&it))
		gk_coap_put(&w, it.number, it.value);
	gk_coap_put_uint(&w, GK_OPT_BLOCK2, gk_block_value(block));
	gk_coap_put_payload(&w, gk_span_sub(whole->payload, from, size));
	return block.more;
}

bool gk_block_continue(struct gk_call *call)
{
	struct gk_client *client = call->client;
	struct gk_block block;
	struct gk_coap whole;
	uint8_t of[16];

	if (gk_block_read(&call->msg, GK_OPT_BLOCK2, &block) || block.num == 0)
		return false;
	if (block.szx > GK_BLOCK_SZX) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
	} else if (!client->body.data || digest(call, of) ||
		   memcmp(of, client->body_of, sizeof(of)) != 0 ||
		   gk_coap_parse(gk_blob_span(&client->body), &whole) ||
		   block.num * gk_block_size(block.szx) >= whole.payload.len) {
		gk_answer(call, GK_COAP_INCOMPLETE);
	} else {
		client->body_ms = call->now.mono.ms;
		if (!put_block(call, &whole, block))
			gk_client_drop_body(call->kdc, client);
	}
	return true;
}

void gk_block_begin(struct gk_call *call)
{
	struct gk_client *client = call->client;
	struct gk_block block = { .szx = GK_BLOCK_SZX };
	struct gk_coap whole;

	if (gk_block_read(&call->msg, GK_OPT_BLOCK2, &block) == GK_OK && block.szx > GK_BLOCK_SZX)
		block.szx = GK_BLOCK_SZX;
	if (gk_coap_parse(gk_buf_span(&call->reply), &whole) ||
	    whole.payload.len <= gk_block_size(block.szx))
		return;
	if (gk_client_set_body(call->kdc, client, gk_buf_span(&call->reply), call->now) ||
	    digest(call, client->body_of) || gk_coap_parse(gk_blob_span(&client->body), &whole)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	(void)put_block(call, &whole, block);
}
