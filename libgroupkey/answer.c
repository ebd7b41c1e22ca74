// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Answers: a code, a Content-Format and a payload into the reply of a call.
 */
#include "serve.h"

#define OPTIONS_ROOM 256
#define CF_NONE      0xffff

void gk_answer_with(struct gk_call *call, uint8_t code, uint16_t content_format,
		    struct gk_span payload)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, code);
	if (content_format != CF_NONE)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, content_format);
	gk_coap_put_payload(&w, payload);
}

void gk_answer(struct gk_call *call, uint8_t code)
{
	gk_answer_with(call, code, CF_NONE, (struct gk_span){ NULL, 0 });
}

void gk_answer_full(struct gk_call *call)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, GK_COAP_UNAVAILABLE);
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, GK_STORAGE_MAX_AGE_S);
}

void gk_put_problem(struct gk_buf *buf, unsigned ace_error)
{
	gk_put_map(buf, 1);
	gk_put_int(buf, GK_PROBLEM_ACE_GROUPCOMM_ERROR);
	gk_put_map(buf, 1);
	gk_put_int(buf, GK_PROBLEM_ERROR_ID);
	gk_put_uint(buf, ace_error);
}

void gk_answer_error(struct gk_call *call, uint8_t code, unsigned ace_error)
{
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_problem(&buf, ace_error);
	gk_answer_with(call, code, GK_CF_PROBLEM_DETAILS, gk_buf_span(&buf));
}

/* AS Request Creation Hints (A 5.3): where to ask for a token, and for whom. Nothing else, since a
 * stranger reads them. */
void gk_answer_hints(struct gk_call *call, uint8_t code)
{
	uint8_t bytes[GK_AS_URI_MAX + GK_AUDIENCE_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (!call->kdc->as_uri.len) {
		gk_answer(call, code);
		return;
	}
	gk_put_map(&buf, 2);
	gk_put_int(&buf, GK_HINT_AS);
	gk_put_text(&buf, gk_blob_span(&call->kdc->as_uri));
	gk_put_int(&buf, GK_HINT_AUDIENCE);
	gk_put_text(&buf, gk_blob_span(&call->kdc->audience));
	gk_answer_with(call, code, GK_CF_ACE, gk_buf_span(&buf));
}

enum gk_err gk_answer_reserve(struct gk_call *call, size_t size)
{
	size_t room = size + OPTIONS_ROOM;
	uint8_t *bytes = gk_alloc(&call->kdc->env, room);

	if (!bytes)
		return GK_ERR_NO_MEMORY;
	gk_blob_wipe(&call->kdc->env, &call->large);
	call->large = (struct gk_blob){ bytes, room };
	call->reply = gk_buf(bytes, room);
	return GK_OK;
}

bool gk_answer_begin(struct gk_call *call, size_t size, struct gk_buf *payload)
{
	uint8_t *bytes = gk_alloc(&call->kdc->env, size);

	if (!bytes || gk_answer_reserve(call, size)) {
		gk_free(&call->kdc->env, bytes, size);
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return false;
	}
	*payload = gk_buf(bytes, size);
	return true;
}

void gk_answer_drop(struct gk_call *call, struct gk_buf *payload)
{
	gk_free(&call->kdc->env, payload->data, payload->cap);
}

void gk_answer_end(struct gk_call *call, struct gk_buf *payload)
{
	gk_answer_map(call, payload);
	gk_answer_drop(call, payload);
}

void gk_answer_map(struct gk_call *call, struct gk_buf *payload)
{
	if (payload->overflow)
		gk_answer(call, GK_COAP_INTERNAL);
	else
		gk_answer_with(call, GK_COAP_CONTENT, GK_CF_ACE_GROUPCOMM, gk_buf_span(payload));
}
