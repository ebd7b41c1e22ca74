// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A member's requests and their answers in blocks (RFC 7959), inside OSCORE or, for the token, in
 * the open. 'out.message' is the whole request; what is sent of it is a block if it is long.
 */
#include "member_task.h"

#define BODY_MAX     (4u << 20) /* 4 MiB: 40,000 credentials; a KDC that sends more is broken */
#define BLOCK_ROOM   1400       /* a block, and the options that go with it */
#define SZX          6          /* blocks of 1,024 bytes: one IPv6 packet of 1,280 ... */
#define OPTIONS_FEW  96         /* ... with no more options than this */
#define TRIES_MAX    3          /* of one block */
#define RESTARTS_MAX 3          /* of one request */

/* sending */

static size_t payload_len(const struct gk_exchange_out *out)
{
	struct gk_coap request;

	return gk_coap_parse(gk_blob_span(&out->message), &request) ? 0 : request.payload.len;
}

/* Blocks of another transfer, which come late, must not be taken for those of this one: each has
 * a Request-Tag of its own (RFC 9175 section 3.5.1). */
static void begin(struct gk_member *m, uint8_t szx)
{
	m->out.szx = szx;
	m->out.sent = 0;
	m->out.tries = 1;
	m->out.is_large = payload_len(&m->out) > gk_block_size(szx);
	if (m->out.is_large)
		m->out.tag = ++m->request_tag;
}

void gk_task_begin_blocks(struct gk_member *m)
{
	struct gk_coap request;
	bool many = gk_coap_parse(gk_blob_span(&m->out.message), &request) ||
		    request.options.len > OPTIONS_FEW;

	begin(m, many ? SZX - 1 : SZX);
}

enum { O_BLOCK2, O_BLOCK1, O_SIZE1, O_ECHO, O_TAG, O_COUNT };

struct options {
	uint8_t bytes[O_COUNT][4];
	struct gk_coap_option list[O_COUNT];
	size_t count;
};

static void add(struct options *options, uint16_t number, struct gk_span value)
{
	options->list[options->count++] = (struct gk_coap_option){ number, value };
}

static void add_uint(struct options *options, uint16_t number, uint32_t value)
{
	add(options, number, gk_coap_encode_uint(value, options->bytes[options->count]));
}

static struct gk_block block1(const struct gk_exchange_out *out, size_t len)
{
	size_t size = gk_block_size(out->szx);

	return (struct gk_block){ .num = (uint32_t)(out->sent / size),
				  .more = out->sent + size < len,
				  .szx = out->szx };
}

static void choose_options(struct options *options, const struct gk_exchange_out *out, size_t len,
			   struct gk_span echo)
{
	if (out->blocks)
		add_uint(options, GK_OPT_BLOCK2,
			 gk_block_value((struct gk_block){ .num = out->blocks, .szx = out->szx2 }));
	else if (out->is_large)
		add_uint(options, GK_OPT_BLOCK1, gk_block_value(block1(out, len)));
	if (out->is_large && !out->blocks && !out->sent)
		add_uint(options, GK_OPT_SIZE1, (uint32_t)len);
	if (echo.len)
		add(options, GK_OPT_ECHO, echo);
	if (out->is_large)
		add_uint(options, GK_OPT_REQUEST_TAG, out->tag);
}

enum gk_err gk_task_put_block(const struct gk_member *m, struct gk_span echo, struct gk_buf *buf)
{
	const struct gk_exchange_out *out = &m->out;
	struct options options = { .count = 0 };
	struct gk_span payload = { NULL, 0 };
	struct gk_coap request;
	struct gk_coap_writer w;
	enum gk_err err = gk_coap_parse(gk_blob_span(&out->message), &request);

	if (err)
		return err;
	choose_options(&options, out, request.payload.len, echo);
	if (!out->blocks)
		payload = gk_span_sub(request.payload, out->sent, gk_block_size(out->szx));
	w = gk_coap_begin(buf, request.code);
	gk_coap_put_merged(&w, &request, options.list, options.count);
	gk_coap_put_payload(&w, payload);
	return gk_buf_err(buf);
}

static enum gk_blocks send(struct gk_member *m)
{
	m->out.tries = 1;
	return gk_task_send(m, (struct gk_span){ NULL, 0 }) ? GK_BLOCKS_BROKEN : GK_BLOCKS_MORE;
}

bool gk_task_repeat_block(struct gk_member *m)
{
	return (m->out.blocks || m->out.sent) && m->out.tries++ < TRIES_MAX &&
	       !gk_task_send(m, (struct gk_span){ NULL, 0 });
}

/* the request */

static enum gk_blocks restart(struct gk_member *m, uint8_t szx)
{
	if (m->out.restarts++ == RESTARTS_MAX)
		return GK_BLOCKS_BROKEN;
	begin(m, szx);
	return send(m);
}

/* The KDC may ask for smaller blocks from now on; what is sent so far is so in any case. */
static enum gk_blocks go_on(struct gk_member *m, const struct gk_coap *msg)
{
	struct gk_exchange_out *out = &m->out;
	struct gk_block ours = block1(out, payload_len(out)), theirs;

	if (!ours.more || gk_block_read(msg, GK_OPT_BLOCK1, &theirs) || theirs.num != ours.num)
		return GK_BLOCKS_BROKEN;
	out->sent += gk_block_size(out->szx);
	if (theirs.szx < out->szx)
		out->szx = theirs.szx;
	return send(m);
}

/* An error may come at any block, anything else at the last one only. */
static enum gk_blocks upload(struct gk_member *m, const struct gk_coap *msg)
{
	struct gk_exchange_out *out = &m->out;
	struct gk_block block;

	if (out->blocks)
		return GK_BLOCKS_WHOLE;
	if (msg->code == GK_COAP_INCOMPLETE && out->is_large) /* it lost what was sent so far */
		return restart(m, out->szx);
	if (msg->code == GK_COAP_TOO_LARGE && !gk_block_read(msg, GK_OPT_BLOCK1, &block) &&
	    block.szx < out->szx)
		return restart(m, block.szx);
	if (msg->code == GK_COAP_CONTINUE)
		return go_on(m, msg);
	return msg->code >> 5 == 2 && block1(out, payload_len(out)).more ? GK_BLOCKS_BROKEN
									 : GK_BLOCKS_WHOLE;
}

/* the answer */

static enum gk_err append(struct gk_member *m, const struct gk_coap *msg, bool first)
{
	size_t room = m->out.body.len + msg->options.len + msg->payload.len + 8;
	uint8_t *bytes = room > BODY_MAX ? NULL : gk_alloc(&m->env, room);
	struct gk_buf buf = gk_buf(bytes, room);
	struct gk_coap_iter it = gk_coap_options(msg);
	struct gk_coap_writer w;
	enum gk_err err;

	if (!bytes)
		return GK_ERR_NO_MEMORY;
	if (first) {
		w = gk_coap_begin(&buf, msg->code);
		while (gk_coap_next(&it)) {
			if (it.number != GK_OPT_BLOCK2)
				gk_coap_put(&w, it.number, it.value);
		}
		gk_coap_put_payload(&w, msg->payload);
	} else {
		gk_buf_add(&buf, gk_blob_span(&m->out.body));
		gk_buf_add(&buf, msg->payload);
	}
	err = gk_buf_err(&buf);
	if (!err) /* a blob is as long as its allocation: copy what was written */
		err = gk_blob_set(&m->env, &m->out.body, gk_buf_span(&buf));
	gk_free(&m->env, bytes, room);
	return err;
}

/* Later blocks are asked for with the same options, and without payload. They are none of what is
 * observed (RFC 7959 section 2.6). */
static enum gk_err strip(struct gk_member *m)
{
	uint8_t bytes[BLOCK_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap request;
	struct gk_coap_iter it;
	struct gk_coap_writer w;
	enum gk_err err = gk_coap_parse(gk_blob_span(&m->out.message), &request);

	if (err)
		return err;
	w = gk_coap_begin(&buf, request.code);
	it = gk_coap_options(&request);
	while (gk_coap_next(&it)) {
		if (it.number != GK_OPT_OBSERVE)
			gk_coap_put(&w, it.number, it.value);
	}
	err = gk_buf_err(&buf);
	return err ? err : gk_blob_set(&m->env, &m->out.message, gk_buf_span(&buf));
}

static enum gk_blocks ask_next(struct gk_member *m, const struct gk_block *block)
{
	if (!m->out.blocks && strip(m))
		return GK_BLOCKS_BROKEN;
	m->out.blocks++;
	m->out.szx2 = block->szx;
	return send(m);
}

static enum gk_blocks download(struct gk_member *m, struct gk_coap *msg)
{
	struct gk_block block;

	if (gk_block_read(msg, GK_OPT_BLOCK2, &block) || (block.num == 0 && !block.more))
		return m->out.blocks ? GK_BLOCKS_BROKEN : GK_BLOCKS_WHOLE;
	if (block.num != m->out.blocks || append(m, msg, block.num == 0))
		return GK_BLOCKS_BROKEN;
	if (block.more)
		return ask_next(m, &block);
	return gk_coap_parse(gk_blob_span(&m->out.body), msg) ? GK_BLOCKS_BROKEN : GK_BLOCKS_WHOLE;
}

enum gk_blocks gk_task_collect(struct gk_member *m, struct gk_coap *msg)
{
	enum gk_blocks state = upload(m, msg);

	return state == GK_BLOCKS_WHOLE ? download(m, msg) : state;
}
