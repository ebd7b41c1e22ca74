// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A CoAP message without transport header: code, options, 0xff payload (RFC 7252 section 3,
 * RFC 8613 section 5.3). Reading checks the whole first; writing keeps options in order.
 */
#ifndef GK_COAP_H
#define GK_COAP_H

#include "buf.h"

/** A parsed message; spans borrow from the input. */
struct gk_coap {
	uint8_t code;
	struct gk_span options; /* encoded, checked */
	struct gk_span payload; /* empty: no payload */
};

/** Walks the options of a checked message. Zero-initialise, set 'rest'. */
struct gk_coap_iter {
	struct gk_span rest;
	uint16_t number; /* of the option found last */
	struct gk_span value;
};

/**
 * Check and split a message: option heads, lengths and numbers in range, and a payload marker
 * that is followed by something.
 * @return GK_OK, GK_ERR_MALFORMED
 */
GK_MUST_CHECK enum gk_err gk_coap_parse(struct gk_span bytes, struct gk_coap *msg);
/** Start over the options of 'msg'. */
struct gk_coap_iter gk_coap_options(const struct gk_coap *msg);
/** Step to the next option. @return false at the end */
bool gk_coap_next(struct gk_coap_iter *iter);
/** Find the first option with this number. @return false if there is none */
bool gk_coap_find(const struct gk_coap *msg, uint16_t number, struct gk_span *value);
/** @return the first option of this number as unsigned integer,
 * or 'missing' (also if over 4 bytes) */
int64_t gk_coap_find_uint(const struct gk_coap *msg, uint16_t number, int64_t missing);
/** @return true if Uri-Path is exactly these 'count' segments (RFC 7252 section 5.10.1) */
bool gk_coap_path_is(const struct gk_coap *msg, const struct gk_span *segments, size_t count);
/**
 * Collect the Uri-Path segments.
 * @return their number, or 'max' + 1 if there are more
 */
size_t gk_coap_path(const struct gk_coap *msg, struct gk_span *segments, size_t max);

/** A message being written. Options must be added in ascending order of number. */
struct gk_coap_writer {
	struct gk_buf *buf;
	uint16_t number; /* of the option written last */
};

/** Begin a message with its code. */
struct gk_coap_writer gk_coap_begin(struct gk_buf *buf, uint8_t code);
/** Add an option; asserts ascending order (the programmer's duty, not the peer's). A value too
 *  long for any option overflows the buffer. */
void gk_coap_put(struct gk_coap_writer *w, uint16_t number, struct gk_span value);
/** Add an option with an unsigned integer, in as few bytes as it needs. */
void gk_coap_put_uint(struct gk_coap_writer *w, uint16_t number, uint32_t value);
/** Add one option of 'number' (Uri-Path, Location-Path) per segment of "a/b/c", which has no '/'
 *  in front; none for an empty path. */
void gk_coap_put_path(struct gk_coap_writer *w, uint16_t number, struct gk_span path);
/** An option to be put among others. */
struct gk_coap_option {
	uint16_t number;
	struct gk_span value;
};
/** An unsigned integer in as few bytes as it needs. @return borrows from 'bytes' */
struct gk_span gk_coap_encode_uint(uint32_t value, uint8_t bytes[static 4]);
/**
 * Add the options of 'msg', with others at their places among them.
 * @param more   in ascending order; in place of those of 'msg' with the same number
 */
void gk_coap_put_merged(struct gk_coap_writer *w, const struct gk_coap *msg,
			const struct gk_coap_option *more, size_t count);
/** End with a payload; nothing is added if it is empty. */
void gk_coap_put_payload(struct gk_coap_writer *w, struct gk_span payload);
/** End with a payload of at least a byte, which the caller writes. @return into what */
struct gk_buf *gk_coap_open_payload(struct gk_coap_writer *w);

#endif
