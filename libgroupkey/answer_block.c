// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Large answers in blocks (RFC 7959 section 2.4), inside OSCORE (RFC 8613 section 4.1.3.4); to a
 * token post of an outsider in the open. The whole answer is kept with the client, or with the
 * candidate that the post has made, so that all blocks are of one state and a Join Request is
 * carried out once.
 */
#include "client.h"
#include "serve.h"

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

/* The reply becomes one block of 'whole'; it says how much there is to who wants to know (RFC 7959
 * section 4).
 * @return true if more follow */
static bool put_block(struct gk_call *call, const struct gk_coap *whole, struct gk_block block)
{
	size_t size = gk_block_size(block.szx);
	size_t from = block.num * size;
	uint8_t value[4], size2[4];
	struct gk_coap_option options[2] = { { .number = GK_OPT_BLOCK2 },
					     { .number = GK_OPT_SIZE2 } };
	struct gk_coap_writer w;
	struct gk_span asked;

	block.more = from + size < whole->payload.len;
	options[0].value = gk_coap_encode_uint(gk_block_value(block), value);
	options[1].value = gk_coap_encode_uint((uint32_t)whole->payload.len, size2);
	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, whole->code);
	gk_coap_put_merged(&w, whole, options,
			   gk_coap_find(&call->msg, GK_OPT_SIZE2, &asked) ? 2 : 1);
	gk_coap_put_payload(&w, gk_span_sub(whole->payload, from, size));
	return block.more;
}

/* A finished answer stays while there is room for it, since its last block may get lost. */
static void go_on(struct gk_call *call, struct gk_transfer *answer, const struct gk_coap *whole,
		  struct gk_block block)
{
	size_t end = (block.num + 1) * gk_block_size(block.szx);
	bool more = put_block(call, whole, block);

	if (end <= answer->next)
		return;
	answer->next = end;
	if (more)
		gk_transfer_touch(call->kdc, answer, call->now);
	else
		gk_transfer_finish(call->kdc, answer, call->now);
}

static bool is_under_way(const struct gk_call *call, const struct gk_transfer *answer,
			 struct gk_block block, struct gk_coap *whole)
{
	uint8_t of[16];

	return gk_transfer_is_open(answer) && !digest(call, of) &&
	       memcmp(of, answer->of, sizeof(of)) == 0 &&
	       !gk_coap_parse(gk_blob_span(&answer->body), whole) &&
	       block.num * gk_block_size(block.szx) < whole->payload.len;
}

/* Outside of an association a POST alone has an answer that is kept. */
static struct gk_client *holder_of(const struct gk_call *call)
{
	return call->client ? call->client
			    : gk_client_find_candidate(call->kdc, &call->exchange->peer);
}

bool gk_block_continue(struct gk_call *call)
{
	struct gk_block block;
	enum gk_err err = gk_block_read(&call->msg, GK_OPT_BLOCK2, &block);
	struct gk_client *holder;
	struct gk_coap whole;

	if (err == GK_ERR_RANGE) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return true;
	}
	if (err || block.num == 0 || (!call->client && call->msg.code != GK_COAP_POST))
		return false;
	holder = holder_of(call);
	if (holder && is_under_way(call, &holder->answer, block, &whole))
		go_on(call, &holder->answer, &whole, block);
	else
		gk_answer(call, GK_COAP_INCOMPLETE);
	return true;
}

static enum gk_err keep(struct gk_call *call, struct gk_client *holder, size_t size)
{
	uint8_t of[16];
	enum gk_err err = digest(call, of);

	if (!err)
		err = gk_transfer_begin(call->kdc, &holder->answer, of, gk_buf_span(&call->reply),
					call->now);
	holder->answer.next = size;
	return err;
}

void gk_block_begin(struct gk_call *call)
{
	struct gk_client *holder = call->client ? call->client : call->candidate;
	struct gk_block block = { .szx = GK_BLOCK_SZX };
	struct gk_coap whole;

	if (!holder || call->reply.overflow)
		return;
	(void)!gk_block_read(&call->msg, GK_OPT_BLOCK2, &block);
	if (gk_coap_parse(gk_buf_span(&call->reply), &whole) ||
	    whole.payload.len <= gk_block_size(block.szx))
		return;
	if (keep(call, holder, gk_block_size(block.szx)) ||
	    gk_coap_parse(gk_blob_span(&holder->answer.body), &whole)) {
		gk_answer_full(call);
		return;
	}
	(void)put_block(call, &whole, block);
}
