// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Spans and buffers: pointer and length as one value, and a writer with a sticky error. All
 * lengths of the library go through these; nobody subtracts by hand.
 */
#ifndef GK_BUF_H
#define GK_BUF_H

#include "groupkey.h"

/** @return the span over data[0..len) */
struct gk_span gk_span(const void *data, size_t len);
/** @return the span over a C string, without its NUL */
struct gk_span gk_span_str(const char *text);
/** @return the span over what was written, or an empty one after an overflow */
struct gk_span gk_buf_span(const struct gk_buf *buf);
/** @return true if both have the same bytes. Not for secrets: see gk_equal() */
bool gk_span_equal(struct gk_span a, struct gk_span b);
/** @return 'span' from byte 'from' to byte 'from + len', cut to what is there */
struct gk_span gk_span_sub(struct gk_span span, size_t from, size_t len);
/** @return the big-endian number in 'span', of which the last 8 bytes count */
uint64_t gk_span_uint(struct gk_span span);

/** An empty writer over data[0..cap). */
struct gk_buf gk_buf(void *data, size_t cap);
/** Append bytes, or set the sticky overflow. */
void gk_buf_add(struct gk_buf *buf, struct gk_span bytes);
/** Append one byte. */
void gk_buf_byte(struct gk_buf *buf, uint8_t byte);
/** Append 'len' zero bytes. */
void gk_buf_zeros(struct gk_buf *buf, size_t len);
/**
 * Reserve 'len' bytes for a callee that writes by itself.
 * @return where they begin, or NULL after setting the sticky overflow
 */
uint8_t *gk_buf_take(struct gk_buf *buf, size_t len);
/** Forget what was written after 'len'; for undoing. */
void gk_buf_truncate(struct gk_buf *buf, size_t len);
/** @return GK_OK, or GK_ERR_NO_SPACE after an overflow */
enum gk_err gk_buf_err(const struct gk_buf *buf);

/** Copy 'span' into an identifier. @return GK_ERR_RANGE if longer than the field */
GK_MUST_CHECK enum gk_err gk_id_set(struct gk_id *id, struct gk_span span);
/** @return the bytes of 'id', valid as long as it */
struct gk_span gk_id_span(const struct gk_id *id);
/** @return true if both identifiers have the same bytes */
bool gk_id_equal(const struct gk_id *a, const struct gk_id *b);

#endif
