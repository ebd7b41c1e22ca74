// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * CBOR (RFC 8949) on libcbor's low-level encoders and its streaming decoder: a reading cursor
 * with a sticky error, maps read by a table of fields, and writers. No object tree, no heap.
 *
 * What is accepted: any well-formed encoding, long heads and indefinite-length arrays and maps
 * too. An item that is walked over may hold arrays, maps and tags GK_CBOR_DEPTH_MAX deep
 * (GK_ERR_DEPTH above). Refused beside the ill-formed, and as GK_ERR_MALFORMED too: text that is
 * not UTF-8 (libcbor's releases differ there), and strings in chunks, whose bytes are in no one
 * place; no peer of this protocol has a reason to send those. A map that is read by a table must
 * not have one of the table's keys twice.
 * What is written: definite lengths and shortest heads (RFC 8949 section 4.2.1).
 */
#ifndef GK_CBOR_H
#define GK_CBOR_H

#include "buf.h"

/* A join response nests 4 deep, sign_info in a problem map 4; the rest is headroom. */
#define GK_CBOR_DEPTH_MAX 8

/** Kinds of data item, as bits so that a field can accept several. */
enum gk_cbor_kind {
	GK_CBOR_NONE = 0, /* nothing: end of input, or after an error */
	GK_CBOR_UINT = 1 << 0,
	GK_CBOR_NEGINT = 1 << 1,
	GK_CBOR_BYTES = 1 << 2,
	GK_CBOR_TEXT = 1 << 3,
	GK_CBOR_ARRAY = 1 << 4,
	GK_CBOR_MAP = 1 << 5,
	GK_CBOR_TAG = 1 << 6,
	GK_CBOR_BOOL = 1 << 7,
	GK_CBOR_NULL = 1 << 8,
	GK_CBOR_OTHER = 1 << 9, /* floats, undefined, simple values without a meaning */
	GK_CBOR_BREAK = 1 << 10,
	GK_CBOR_INT = GK_CBOR_UINT | GK_CBOR_NEGINT,
	GK_CBOR_ANY = GK_CBOR_BREAK - 1, /* every data item; a break is none */
};

/** A reading cursor. After the first failure every call returns an empty value. */
struct gk_cbor {
	struct gk_span rest; /* what is still unread */
	enum gk_err err;     /* GK_OK, or the first failure */
	/* of the arrays entered by gk_cbor_array_of() that end with a break: where that stands,
	 * as rest.len at it, innermost last */
	size_t end_left[GK_CBOR_DEPTH_MAX];
	uint8_t ends;
};

/** One data item as it was found. */
struct gk_cbor_item {
	enum gk_cbor_kind kind; /* GK_CBOR_NONE: absent */
	int64_t number;        /* ints (saturated at the type's ends), bool as 0 or 1, tag number */
	struct gk_span string; /* content of a byte or text string; borrowed from the input */
	struct gk_span encoded; /* the whole item, head and content; borrowed from the input */
};

/** Where in an array or map a reader is. */
struct gk_cbor_iter {
	uint64_t left;
	bool indefinite;
};

/** Start reading 'input', which must outlive everything borrowed from it. */
struct gk_cbor gk_cbor(struct gk_span input);
/** @return the kind of the next item, without moving; GK_CBOR_NONE at the end or after an error */
enum gk_cbor_kind gk_cbor_peek(const struct gk_cbor *c);
/** Read one whole item of a kind in 'accept'; GK_ERR_TYPE otherwise. Containers are walked over. */
struct gk_cbor_item gk_cbor_item(struct gk_cbor *c, unsigned accept);
/** Read an integer; GK_ERR_RANGE if it does not fit int64_t. */
int64_t gk_cbor_int(struct gk_cbor *c);
/** Read an unsigned integer up to 'max'; GK_ERR_RANGE above. */
uint64_t gk_cbor_uint(struct gk_cbor *c, uint64_t max);
/** Read a byte string. */
struct gk_span gk_cbor_bytes(struct gk_cbor *c);
/** Read a text string (valid UTF-8, not NUL-terminated). */
struct gk_span gk_cbor_text(struct gk_cbor *c);
/** Read true or false. */
bool gk_cbor_bool(struct gk_cbor *c);
/** Read a tag if one is next. @return true and its number in 'tag', or false and nothing moved */
bool gk_cbor_tag(struct gk_cbor *c, uint64_t *tag);
/** Enter an array; then gk_cbor_more() before each element. */
struct gk_cbor_iter gk_cbor_array(struct gk_cbor *c);
/** Enter an array that must have exactly 'count' elements, in either form; then read them, all of
 *  them. GK_ERR_TYPE if it has more or fewer. */
void gk_cbor_array_of(struct gk_cbor *c, size_t count);
/** Enter a map; then gk_cbor_more() before each key. */
struct gk_cbor_iter gk_cbor_map(struct gk_cbor *c);
/** @return true if there is another element (or pair); false at the end or after an error */
bool gk_cbor_more(struct gk_cbor *c, struct gk_cbor_iter *iter);
/** Set the sticky error unless one is set already. */
void gk_cbor_fail(struct gk_cbor *c, enum gk_err err);
/** @return the first failure; GK_ERR_MALFORMED if anything is unread; else GK_OK */
GK_MUST_CHECK enum gk_err gk_cbor_end(const struct gk_cbor *c);

/** One row of a table that describes a map with integer keys. */
struct gk_cbor_field {
	int64_t label;
	unsigned accept; /* kinds that the value may have */
	bool required;
};

/**
 * Read a map by a table: each known key goes to the item with its row's index; unknown keys are
 * walked over (R 4.1.2: ignore them).
 *
 * @param fields  'count' rows
 * @param items   'count' items, all written; an absent one has kind GK_CBOR_NONE
 * Sets GK_ERR_TYPE, GK_ERR_MISSING or GK_ERR_DUPLICATE in the cursor; after any failure all items
 * are absent.
 */
void gk_cbor_fields(struct gk_cbor *c, const struct gk_cbor_field *fields, size_t count,
		    struct gk_cbor_item *items);
/** gk_cbor_fields() over a whole input, after which nothing may follow. */
GK_MUST_CHECK enum gk_err gk_cbor_read_map(struct gk_span input, const struct gk_cbor_field *fields,
					   size_t count, struct gk_cbor_item *items);

/** Writers, one per kind; sticky as gk_buf is. */
void gk_put_uint(struct gk_buf *buf, uint64_t value);
void gk_put_int(struct gk_buf *buf, int64_t value);
void gk_put_bytes(struct gk_buf *buf, struct gk_span bytes);
void gk_put_text(struct gk_buf *buf, struct gk_span text);
void gk_put_array(struct gk_buf *buf, size_t count);
void gk_put_map(struct gk_buf *buf, size_t pairs);
void gk_put_tag(struct gk_buf *buf, uint64_t tag);
void gk_put_bool(struct gk_buf *buf, bool value);
void gk_put_null(struct gk_buf *buf);
/** Append the head of a byte string of 'len' bytes, which the caller then appends. */
void gk_put_bytes_head(struct gk_buf *buf, size_t len);

#endif
