// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "buf.h"

#include <string.h>

struct gk_span gk_span(const void *data, size_t len)
{
	return (struct gk_span){ .data = data, .len = len };
}

struct gk_span gk_span_str(const char *text)
{
	return gk_span(text, strlen(text));
}

struct gk_span gk_buf_span(const struct gk_buf *buf)
{
	return buf->overflow ? gk_span(NULL, 0) : gk_span(buf->data, buf->len);
}

bool gk_span_equal(struct gk_span a, struct gk_span b)
{
	// Empty spans may have no pointer, which memcmp() must not see.
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct gk_span gk_span_sub(struct gk_span span, size_t from, size_t len)
{
	if (from >= span.len)
		return gk_span(NULL, 0);
	size_t left = span.len - from;
	return gk_span(span.data + from, len < left ? len : left);
}

uint64_t gk_span_uint(struct gk_span span)
{
	uint64_t number = 0;
	for (size_t i = 0; i < span.len; i++)
		number = number << 8 | span.data[i];
	return number;
}

struct gk_buf gk_buf(void *data, size_t cap)
{
	return (struct gk_buf){ .data = data, .cap = cap };
}

uint8_t *gk_buf_take(struct gk_buf *buf, size_t len)
{
	size_t at = buf->len;
	buf->len = len > SIZE_MAX - at ? SIZE_MAX : at + len;
	if (buf->len > buf->cap)
		buf->overflow = true;
	// A measuring buffer has no memory, not even for nothing.
	if (buf->overflow || !buf->data)
		return NULL;
	return buf->data + at;
}

void gk_buf_add(struct gk_buf *buf, struct gk_span bytes)
{
	uint8_t *to = gk_buf_take(buf, bytes.len);
	if (to && bytes.len > 0)
		memcpy(to, bytes.data, bytes.len);
}

void gk_buf_byte(struct gk_buf *buf, uint8_t byte)
{
	gk_buf_add(buf, gk_span(&byte, 1));
}

void gk_buf_zeros(struct gk_buf *buf, size_t len)
{
	uint8_t *to = gk_buf_take(buf, len);
	if (to)
		memset(to, 0, len);
}

void gk_buf_truncate(struct gk_buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	// A length from before the overflow is at most 'cap', one from after it is above.
	buf->overflow = len > buf->cap;
}

enum gk_err gk_buf_err(const struct gk_buf *buf)
{
	return buf->overflow ? GK_ERR_NO_SPACE : GK_OK;
}

enum gk_err gk_id_set(struct gk_id *id, struct gk_span span)
{
	struct gk_id copy = { .len = 0 };
	if (span.len > sizeof(copy.data))
		return GK_ERR_RANGE;
	if (span.len > 0)
		memcpy(copy.data, span.data, span.len);
	copy.len = (uint8_t)span.len;
	*id = copy;
	return GK_OK;
}

struct gk_span gk_id_span(const struct gk_id *id)
{
	return gk_span(id->data, id->len);
}

bool gk_id_equal(const struct gk_id *a, const struct gk_id *b)
{
	return gk_span_equal(gk_id_span(a), gk_id_span(b));
}
