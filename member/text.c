// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/text.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"

#define PATH       "say"
#define TEXT_PLAIN 0 /* text/plain;charset=utf-8 (RFC 7252 section 12.3) */

/* RFC 7967 section 2.1: no interest in 2.xx (2), 4.xx (8) nor 5.xx (16). Answers of a whole group
 * to something that was only said would cost the segment more than the saying. */
#define NO_RESPONSE 26

bool gkm_text_fits(struct gk_span text)
{
	return text.len > 0 && text.len <= GKM_TEXT_MAX && io_utf8_printable(text);
}

static struct gk_coap_writer begin(struct gk_buf *message)
{
	struct gk_coap_writer w = gk_coap_begin(message, GK_COAP_POST);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(PATH));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, TEXT_PLAIN);
	return w;
}

void gkm_text_put(struct gk_buf *message, struct gk_span text)
{
	struct gk_coap_writer w = begin(message);

	gk_coap_put_uint(&w, GK_OPT_NO_RESPONSE, NO_RESPONSE);
	gk_coap_put_payload(&w, text);
}

void gkm_text_put_told(struct gk_buf *message, struct gk_span text)
{
	struct gk_coap_writer w = begin(message);

	gk_coap_put_payload(&w, text);
}

bool gkm_text_read(struct gk_span message, struct gk_span *text)
{
	const struct gk_span path = gk_span_str(PATH);
	struct gk_coap msg;

	if (gk_coap_parse(message, &msg) || msg.code != GK_COAP_POST ||
	    !gk_coap_path_is(&msg, &path, 1) ||
	    gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, TEXT_PLAIN) != TEXT_PLAIN)
		return false;
	*text = msg.payload;
	return true;
}
