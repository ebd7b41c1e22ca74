// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Requests that come in blocks (RFC 7959 section 2.5), inside OSCORE (RFC 8613 section 4.1.3.4)
 * and, for the token post of an outsider, in the open. Each block passes the checks of resource.c,
 * so that nothing is kept for who may not ask. A transfer ends when its last block is there: that
 * block once more finds nothing, and the client begins anew.
 */
#include "serve.h"

#include <string.h>

#define DIGEST_ROOM 1024
#define REPLY_ROOM  2048

/* What tells a transfer from another one does not change from block to block: all options but
 * those that are no part of the cache key (RFC 7959 section 2.5, RFC 7252 section 5.4.2), and
 * those about how the exchange goes. Request-Tag belongs to it (RFC 9175 section 3.3). */
static bool is_common(uint16_t number)
{
	return (number & 0x1e) != 0x1c && number != GK_OPT_BLOCK1 && number != GK_OPT_BLOCK2 &&
	       number != GK_OPT_OBSERVE && number != GK_OPT_NO_RESPONSE;
}

static enum gk_err digest(const struct gk_coap *msg, uint8_t out[static 16])
{
	uint8_t bytes[DIGEST_ROOM], hash[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, msg->code);
	struct gk_coap_iter it = gk_coap_options(msg);
	enum gk_err err;

	while (gk_coap_next(&it)) {
		if (is_common(it.number))
			gk_coap_put(&w, it.number, it.value);
	}
	err = gk_buf_err(&buf);
	if (!err)
		err = gk_sha256(gk_buf_span(&buf), hash);
	if (!err)
		memcpy(out, hash, 16);
	return err;
}

/* requests of outsiders */

static bool same_ip(const struct gk_outsider *outsider, const struct gk_addr *from)
{
	return memcmp(outsider->from.ip, from->ip, sizeof(from->ip)) == 0;
}

static bool is_older(const struct gk_outsider *a, const struct gk_outsider *b)
{
	return !b || a->request.ms < b->request.ms;
}

static struct gk_outsider *find_outsider(struct gk_kdc *kdc, const struct gk_addr *from,
					 const uint8_t of[static 16])
{
	for (size_t i = 0; i < GK_OUTSIDERS_MAX; i++) {
		struct gk_outsider *outsider = &kdc->outsiders[i];

		if (gk_transfer_is_open(&outsider->request) && same_ip(outsider, from) &&
		    outsider->from.port == from->port && outsider->from.scope == from->scope &&
		    memcmp(outsider->request.of, of, sizeof(outsider->request.of)) == 0)
			return outsider;
	}
	return NULL;
}

/* A free one; of an address that has its share already, its oldest; else the oldest of all. */
static struct gk_outsider *choose_outsider(struct gk_kdc *kdc, const struct gk_addr *from)
{
	struct gk_outsider *unused = NULL, *oldest = NULL, *own = NULL;
	size_t count = 0;

	for (size_t i = 0; i < GK_OUTSIDERS_MAX; i++) {
		struct gk_outsider *outsider = &kdc->outsiders[i];

		if (!gk_transfer_is_open(&outsider->request)) {
			unused = outsider;
			continue;
		}
		if (is_older(outsider, oldest))
			oldest = outsider;
		if (!same_ip(outsider, from))
			continue;
		count++;
		if (is_older(outsider, own))
			own = outsider;
	}
	if (count >= GK_OUTSIDERS_PER_IP)
		return own;
	return unused ? unused : oldest;
}

/* @return where the request's blocks are collected; NULL: of this one there is none */
static struct gk_transfer *find_transfer(struct gk_call *call, const uint8_t of[static 16])
{
	const struct gk_addr *from = &call->exchange->peer;
	struct gk_outsider *outsider;

	if (call->client)
		return &call->client->request;
	outsider = find_outsider(call->kdc, from, of);
	if (!outsider && call->block1.num == 0) {
		outsider = choose_outsider(call->kdc, from);
		gk_transfer_drop(call->kdc, &outsider->request);
		*outsider = (struct gk_outsider){ .from = *from, .request = { .outsider = true } };
	}
	return outsider ? &outsider->request : NULL;
}

/* a block */

static bool is_well_formed(const struct gk_call *call)
{
	size_t len = call->msg.payload.len, size = gk_block_size(call->block1.szx);

	if (call->block1.more)
		return len == size;
	return len <= size && (len > 0 || call->block1.num == 0);
}

static size_t offset_of(const struct gk_call *call)
{
	return call->block1.num * gk_block_size(call->block1.szx);
}

static size_t limit_of(const struct gk_call *call)
{
	return call->client ? GK_REQUEST_MAX : GK_POST_MAX;
}

static bool is_too_large(const struct gk_call *call)
{
	int64_t announced = gk_coap_find_uint(&call->msg, GK_OPT_SIZE1, 0);

	return announced > (int64_t)limit_of(call) ||
	       offset_of(call) + call->msg.payload.len > limit_of(call);
}

static void answer_too_large(struct gk_call *call)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, GK_COAP_TOO_LARGE);
	gk_coap_put_uint(&w, GK_OPT_SIZE1, (uint32_t)limit_of(call));
}

/* What is there already came once more, and is not appended again.
 * @return GK_OK; GK_ERR_UNKNOWN: this block does not follow on what is there; and as
 *         gk_transfer_append() */
static enum gk_err add_block(struct gk_call *call, struct gk_transfer *transfer,
			     const uint8_t of[static 16])
{
	struct gk_span payload = call->msg.payload;
	size_t from = offset_of(call);
	struct gk_span there;

	if (from == 0)
		return gk_transfer_begin(call->kdc, transfer, of, payload, call->now);
	if (!gk_transfer_is_open(transfer) || memcmp(transfer->of, of, sizeof(transfer->of)) != 0)
		return GK_ERR_UNKNOWN;
	if (from == transfer->body.len)
		return gk_transfer_append(call->kdc, transfer, payload, call->now);
	there = gk_span_sub(gk_blob_span(&transfer->body), from, payload.len);
	return gk_span_equal(there, payload) ? GK_OK : GK_ERR_UNKNOWN;
}

static bool is_end(const struct gk_call *call, const struct gk_transfer *transfer)
{
	return offset_of(call) + call->msg.payload.len == transfer->body.len;
}

/* @return true: the last block has come */
static bool collect(struct gk_call *call)
{
	struct gk_transfer *transfer;
	enum gk_err err = GK_ERR_UNKNOWN;
	uint8_t of[16];

	if (digest(&call->msg, of)) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return false;
	}
	transfer = find_transfer(call, of);
	if (transfer)
		err = add_block(call, transfer, of);
	if (!err && !call->block1.more && !is_end(call, transfer))
		err = GK_ERR_UNKNOWN;
	if (err == GK_ERR_UNKNOWN)
		gk_answer(call, GK_COAP_INCOMPLETE);
	else if (err)
		gk_answer_full(call);
	else if (call->block1.more)
		gk_answer(call, GK_COAP_CONTINUE);
	else
		call->request = gk_transfer_take(call->kdc, transfer);
	if (!call->client)
		gk_transfer_drop_idle(call->kdc, call->now);
	return !err && !call->block1.more;
}

bool gk_request_block(struct gk_call *call)
{
	enum gk_err err = gk_block_read(&call->msg, GK_OPT_BLOCK1, &call->block1);

	if (err == GK_ERR_MISSING)
		return true;
	if (err || !is_well_formed(call)) {
		gk_answer(call, GK_COAP_BAD_REQUEST);
		return false;
	}
	call->has_block1 = true;
	if (is_too_large(call)) {
		answer_too_large(call);
		return false;
	}
	if (call->block1.num == 0 && !call->block1.more)
		return true;
	if (!collect(call))
		return false;
	call->msg.payload = gk_blob_span(&call->request);
	return true;
}

/* the answer */

/* The block that is answered, among the other options. */
static void put_block1(struct gk_call *call)
{
	uint8_t bytes[REPLY_ROOM], value[4];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_option option = { .number = GK_OPT_BLOCK1 };
	struct gk_coap_writer w;
	struct gk_coap reply;

	if (gk_coap_parse(gk_buf_span(&call->reply), &reply))
		return;
	call->block1.more = reply.code == GK_COAP_CONTINUE;
	option.value = gk_coap_encode_uint(gk_block_value(call->block1), value);
	w = gk_coap_begin(&buf, reply.code);
	gk_coap_put_merged(&w, &reply, &option, 1);
	gk_coap_put_payload(&w, reply.payload);
	gk_buf_truncate(&call->reply, 0);
	gk_buf_add(&call->reply, gk_buf_span(&buf));
	gk_wipe(bytes, sizeof(bytes));
}

void gk_request_block_end(struct gk_call *call)
{
	if (call->has_block1)
		put_block1(call);
	gk_blob_wipe(&call->kdc->env, &call->request);
}
