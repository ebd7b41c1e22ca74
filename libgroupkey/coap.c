// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "coap.h"

#include "numbers.h"

#include <assert.h>

/* Option head, RFC 7252 section 3.1: delta and length are nibbles; 13 and 14 announce one and two
 * bytes more, 15 is reserved for the payload marker. */
#define NIBBLE_1       13
#define NIBBLE_2       14
#define BASE_1         13u
#define BASE_2         269u
#define EXTENDED_MAX   (BASE_2 + UINT16_MAX)
#define PAYLOAD_MARKER 0xff

/* reading */

static bool read_bytes(struct gk_span *rest, size_t len, struct gk_span *bytes)
{
	if (len > rest->len)
		return false;
	*bytes = gk_span_sub(*rest, 0, len);
	*rest = gk_span_sub(*rest, len, SIZE_MAX);
	return true;
}

static bool read_extended(struct gk_span *rest, uint8_t nibble, size_t *value)
{
	static const size_t bases[] = { BASE_1, BASE_2 };
	struct gk_span more;
	if (nibble < NIBBLE_1) {
		*value = nibble;
		return true;
	}
	if (nibble > NIBBLE_2 || !read_bytes(rest, nibble - NIBBLE_1 + 1u, &more))
		return false;
	*value = bases[nibble - NIBBLE_1] + (size_t)gk_span_uint(more);
	return true;
}

/** Step over one option. @return false: not well-formed, and 'iter' is as before */
static bool read_option(struct gk_coap_iter *iter)
{
	struct gk_coap_iter next = *iter;
	struct gk_span head;
	size_t delta, len;
	if (!read_bytes(&next.rest, 1, &head) ||
	    !read_extended(&next.rest, head.data[0] >> 4, &delta) ||
	    !read_extended(&next.rest, head.data[0] & 0x0f, &len) ||
	    !read_bytes(&next.rest, len, &next.value))
		return false;
	if (delta > (size_t)(UINT16_MAX - next.number))
		return false;
	next.number = (uint16_t)(next.number + delta);
	*iter = next;
	return true;
}

enum gk_err gk_coap_parse(struct gk_span bytes, struct gk_coap *msg)
{
	struct gk_span code;
	struct gk_coap_iter iter = { .rest = bytes };
	if (!read_bytes(&iter.rest, 1, &code))
		return GK_ERR_MALFORMED;
	struct gk_span options = iter.rest;
	while (iter.rest.len > 0 && iter.rest.data[0] != PAYLOAD_MARKER) {
		if (!read_option(&iter))
			return GK_ERR_MALFORMED;
	}
	// RFC 7252 section 3: a marker with no payload behind it is a format error.
	if (iter.rest.len == 1)
		return GK_ERR_MALFORMED;
	*msg = (struct gk_coap){
		.code = code.data[0],
		.options = gk_span_sub(options, 0, options.len - iter.rest.len),
		.payload = gk_span_sub(iter.rest, 1, SIZE_MAX),
	};
	return GK_OK;
}

struct gk_coap_iter gk_coap_options(const struct gk_coap *msg)
{
	return (struct gk_coap_iter){ .rest = msg->options };
}

bool gk_coap_next(struct gk_coap_iter *iter)
{
	return iter->rest.len > 0 && read_option(iter);
}

bool gk_coap_find(const struct gk_coap *msg, uint16_t number, struct gk_span *value)
{
	struct gk_coap_iter iter = gk_coap_options(msg);
	while (gk_coap_next(&iter) && iter.number <= number) {
		if (iter.number == number) {
			*value = iter.value;
			return true;
		}
	}
	return false;
}

int64_t gk_coap_find_uint(const struct gk_coap *msg, uint16_t number, int64_t missing)
{
	struct gk_span value;
	if (!gk_coap_find(msg, number, &value) || value.len > sizeof(uint32_t))
		return missing;
	return (int64_t)gk_span_uint(value);
}

/** Step to the next Uri-Path segment. @return false if there is none left */
static bool next_segment(struct gk_coap_iter *iter)
{
	while (gk_coap_next(iter)) {
		if (iter->number == GK_OPT_URI_PATH)
			return true;
	}
	return false;
}

bool gk_coap_path_is(const struct gk_coap *msg, const struct gk_span *segments, size_t count)
{
	struct gk_coap_iter iter = gk_coap_options(msg);
	for (size_t i = 0; i < count; i++) {
		if (!next_segment(&iter) || !gk_span_equal(iter.value, segments[i]))
			return false;
	}
	return !next_segment(&iter);
}

size_t gk_coap_path(const struct gk_coap *msg, struct gk_span *segments, size_t max)
{
	struct gk_coap_iter iter = gk_coap_options(msg);
	size_t count = 0;
	while (next_segment(&iter)) {
		if (count == max)
			return max + 1;
		segments[count++] = iter.value;
	}
	return count;
}

/* writing */

struct gk_coap_writer gk_coap_begin(struct gk_buf *buf, uint8_t code)
{
	gk_buf_byte(buf, code);
	return (struct gk_coap_writer){ .buf = buf };
}

static uint8_t nibble_for(size_t value)
{
	if (value < BASE_1)
		return (uint8_t)value;
	return value < BASE_2 ? NIBBLE_1 : NIBBLE_2;
}

static void put_extended(struct gk_buf *buf, size_t value)
{
	if (value >= BASE_2) {
		gk_buf_byte(buf, (uint8_t)((value - BASE_2) >> 8));
		gk_buf_byte(buf, (uint8_t)(value - BASE_2));
	} else if (value >= BASE_1) {
		gk_buf_byte(buf, (uint8_t)(value - BASE_1));
	}
}

void gk_coap_put(struct gk_coap_writer *w, uint16_t number, struct gk_span value)
{
	assert(number >= w->number);
	size_t delta = (size_t)(number - w->number);
	if (value.len > EXTENDED_MAX) {
		// No option can hold it and no datagram either: let it fail as too large.
		gk_buf_take(w->buf, SIZE_MAX);
		return;
	}
	gk_buf_byte(w->buf, (uint8_t)(nibble_for(delta) << 4 | nibble_for(value.len)));
	put_extended(w->buf, delta);
	put_extended(w->buf, value.len);
	gk_buf_add(w->buf, value);
	w->number = number;
}

struct gk_span gk_coap_encode_uint(uint32_t value, uint8_t bytes[static 4])
{
	size_t zeros = 0;
	for (size_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
	// RFC 7252 section 3.2: no leading zero bytes, so that 0 is the empty string.
	while (zeros < 4 && bytes[zeros] == 0)
		zeros++;
	return gk_span(bytes + zeros, 4 - zeros);
}

void gk_coap_put_uint(struct gk_coap_writer *w, uint16_t number, uint32_t value)
{
	uint8_t bytes[4];
	gk_coap_put(w, number, gk_coap_encode_uint(value, bytes));
}

void gk_coap_put_merged(struct gk_coap_writer *w, const struct gk_coap *msg,
			const struct gk_coap_option *more, size_t count)
{
	struct gk_coap_iter iter = gk_coap_options(msg);
	size_t next = 0;
	while (gk_coap_next(&iter)) {
		for (; next < count && more[next].number <= iter.number; next++)
			gk_coap_put(w, more[next].number, more[next].value);
		if (next == 0 || more[next - 1].number != iter.number)
			gk_coap_put(w, iter.number, iter.value);
	}
	for (; next < count; next++)
		gk_coap_put(w, more[next].number, more[next].value);
}

void gk_coap_put_path(struct gk_coap_writer *w, uint16_t number, struct gk_span path)
{
	size_t from = 0;
	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] == '/') {
			gk_coap_put(w, number, gk_span_sub(path, from, i - from));
			from = i + 1;
		}
	}
	if (path.len > 0)
		gk_coap_put(w, number, gk_span_sub(path, from, SIZE_MAX));
}

void gk_coap_put_payload(struct gk_coap_writer *w, struct gk_span payload)
{
	if (payload.len == 0)
		return;
	gk_buf_byte(w->buf, PAYLOAD_MARKER);
	gk_buf_add(w->buf, payload);
}

struct gk_buf *gk_coap_open_payload(struct gk_coap_writer *w)
{
	gk_buf_byte(w->buf, PAYLOAD_MARKER);
	return w->buf;
}
