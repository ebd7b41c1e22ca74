// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "cbor.h"

#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <string.h>

#define HEAD_MAX   9  /* initial byte and an 8-byte argument, RFC 8949 section 3 */
#define SIMPLE_MIN 32 /* smallest simple value that takes a byte of its own, section 3.3 */

/* Additional information: the argument is in the next 1, 2, 4 or 8 bytes, or there is none. */
#define INFO_BYTE       24
#define INFO_8_BYTES    27
#define INFO_INDEFINITE 31

static const unsigned containers = GK_CBOR_ARRAY | GK_CBOR_MAP | GK_CBOR_TAG;
static const unsigned strings = GK_CBOR_BYTES | GK_CBOR_TEXT;

/** What stands at a place in the input: a scalar, a whole string, or the head of a container. */
struct token {
	enum gk_cbor_kind kind;
	bool indefinite;
	uint64_t argument; /* the number, length or count */
	size_t head_len;   /* bytes */
	size_t len;        /* bytes, with the string's content */
};

/* heads */

static enum gk_cbor_kind kind_of(uint8_t initial)
{
	static const enum gk_cbor_kind majors[] = {
		GK_CBOR_UINT,  GK_CBOR_NEGINT, GK_CBOR_BYTES, GK_CBOR_TEXT,
		GK_CBOR_ARRAY, GK_CBOR_MAP,    GK_CBOR_TAG,   GK_CBOR_OTHER,
	};
	switch (initial) {
	case 0xf4:
	case 0xf5:
		return GK_CBOR_BOOL;
	case 0xf6:
		return GK_CBOR_NULL;
	case 0xff:
		return GK_CBOR_BREAK;
	default:
		return majors[initial >> 5];
	}
}

static void take_uint8(void *argument, uint8_t value)
{
	*(uint64_t *)argument = value;
}

static void take_uint16(void *argument, uint16_t value)
{
	*(uint64_t *)argument = value;
}

static void take_uint32(void *argument, uint32_t value)
{
	*(uint64_t *)argument = value;
}

static void take_uint64(void *argument, uint64_t value)
{
	*(uint64_t *)argument = value;
}

/**
 * Let libcbor decode a head's argument, as if the head were an unsigned integer's: the encoding
 * is the same for all major types (RFC 8949 section 3). Given the whole item, libcbor 0.8 refuses
 * tags 6 to 20 (all of COSE's) and cuts a 64-bit length down to size_t, and its releases differ
 * over text and simple values.
 * @return bytes in the head; 0: reserved, or cut off
 */
static size_t decode_argument(struct gk_span in, uint64_t *argument)
{
	// Major type 0 calls back for nothing but these.
	static const struct cbor_callbacks callbacks = {
		.uint8 = take_uint8,
		.uint16 = take_uint16,
		.uint32 = take_uint32,
		.uint64 = take_uint64,
	};
	uint8_t info = in.data[0] & 0x1f;
	size_t len = info < INFO_BYTE || info > INFO_8_BYTES ? 1 : 1 + (1u << (info - INFO_BYTE));
	if (len > in.len)
		return 0;
	// The head alone, not the content behind it: that may be a key.
	uint8_t head[HEAD_MAX];
	memcpy(head, in.data, len);
	head[0] = info;
	struct cbor_decoder_result result = cbor_stream_decode(head, len, &callbacks, argument);
	return result.status == CBOR_DECODER_FINISHED ? result.read : 0;
}

/** @return how many continuation bytes follow 'lead', and the bounds of the first of them
 *  (RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF); -1: no lead */
static int utf8_tail(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead < 0x80)
		return 0;
	if (lead < 0xc2 || lead > 0xf4)
		return -1;
	return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

static bool is_utf8(struct gk_span text)
{
	uint8_t low = 0, high = 0;
	int tail = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		if (tail == 0) {
			tail = utf8_tail(byte, &low, &high);
			if (tail < 0)
				return false;
			continue;
		}
		if (byte < low || byte > high)
			return false;
		low = 0x80;
		high = 0xbf;
		tail--;
	}
	return tail == 0;
}

/** @return true if what the head promises can follow in 'left' bytes, an element taking one */
static bool is_plausible(const struct token *token, size_t left)
{
	if (token->kind & strings)
		return token->argument <= left;
	if (token->kind == GK_CBOR_ARRAY)
		return token->argument <= left;
	if (token->kind == GK_CBOR_MAP)
		return token->argument <= left / 2;
	return true;
}

static struct gk_span content_of(struct gk_span in, const struct token *token)
{
	return gk_span_sub(in, token->head_len, token->len - token->head_len);
}

static enum gk_err read_definite(struct gk_span in, struct token *token)
{
	uint8_t info = in.data[0] & 0x1f;
	token->head_len = decode_argument(in, &token->argument);
	if (token->head_len == 0 || !is_plausible(token, in.len - token->head_len))
		return GK_ERR_MALFORMED;
	if (token->kind == GK_CBOR_OTHER && info == INFO_BYTE && token->argument < SIMPLE_MIN)
		return GK_ERR_MALFORMED;
	token->len = token->head_len;
	if (token->kind & strings)
		token->len += (size_t)token->argument;
	if (token->kind == GK_CBOR_TEXT && !is_utf8(content_of(in, token)))
		return GK_ERR_MALFORMED;
	return GK_OK;
}

static enum gk_err read_token(struct gk_span in, struct token *token)
{
	if (in.len == 0)
		return GK_ERR_MALFORMED;
	*token = (struct token){ .kind = kind_of(in.data[0]) };
	if ((in.data[0] & 0x1f) != INFO_INDEFINITE)
		return read_definite(in, token);
	// Not the strings: in chunks, their content is in no one place.
	if (!(token->kind & (GK_CBOR_ARRAY | GK_CBOR_MAP | GK_CBOR_BREAK)))
		return GK_ERR_MALFORMED;
	token->indefinite = true;
	token->head_len = token->len = 1;
	return GK_OK;
}

/* whole items */

/** A container whose end has not been reached. */
struct level {
	bool indefinite;
	bool is_map;
	uint64_t left; /* items; of an indefinite map: 1 while a value is due */
};

static struct level open_level(const struct token *token)
{
	struct level level = {
		.indefinite = token->indefinite,
		.is_map = token->kind == GK_CBOR_MAP,
		.left = token->argument,
	};
	if (token->kind == GK_CBOR_TAG)
		level.left = 1;
	// No overflow: is_plausible() has seen that this many bytes are there.
	if (level.is_map)
		level.left *= 2;
	return level;
}

static void count_item(struct level *level)
{
	if (!level->indefinite)
		level->left--;
	else if (level->is_map)
		level->left = !level->left;
}

/** Take in a token: an item of the innermost level, or its end. */
static enum gk_err nest(struct level *levels, size_t *depth, const struct token *token)
{
	struct level *inner = *depth > 0 ? &levels[*depth - 1] : NULL;
	if (token->kind == GK_CBOR_BREAK) {
		if (!inner || !inner->indefinite || inner->left > 0)
			return GK_ERR_MALFORMED;
		inner->indefinite = false;
		return GK_OK;
	}
	if (inner)
		count_item(inner);
	if (token->kind & containers) {
		if (*depth == GK_CBOR_DEPTH_MAX)
			return GK_ERR_DEPTH;
		levels[(*depth)++] = open_level(token);
	}
	return GK_OK;
}

/** Find the length of the item that 'in' begins with. */
static enum gk_err measure_item(struct gk_span in, size_t *len)
{
	struct level levels[GK_CBOR_DEPTH_MAX];
	size_t depth = 0, at = 0;
	do {
		struct token token;
		enum gk_err err = read_token(gk_span_sub(in, at, SIZE_MAX), &token);
		if (!err)
			err = nest(levels, &depth, &token);
		if (err)
			return err;
		at += token.len;
		while (depth > 0 && !levels[depth - 1].indefinite && levels[depth - 1].left == 0)
			depth--;
	} while (depth > 0);
	*len = at;
	return GK_OK;
}

/* the cursor */

struct gk_cbor gk_cbor(struct gk_span input)
{
	return (struct gk_cbor){ .rest = input };
}

void gk_cbor_fail(struct gk_cbor *c, enum gk_err err)
{
	if (!c->err)
		c->err = err;
}

enum gk_err gk_cbor_end(const struct gk_cbor *c)
{
	if (c->err)
		return c->err;
	return c->rest.len > 0 ? GK_ERR_MALFORMED : GK_OK;
}

static void advance(struct gk_cbor *c, size_t len)
{
	c->rest = gk_span_sub(c->rest, len, SIZE_MAX);
	while (c->ends > 0 && c->rest.len == c->end_left[c->ends - 1]) {
		c->rest = gk_span_sub(c->rest, 1, SIZE_MAX);
		c->ends--;
	}
}

/** Read what is next without moving, and see that it is of an accepted kind. */
static bool look(struct gk_cbor *c, unsigned accept, struct token *token)
{
	if (c->err)
		return false;
	enum gk_err err = read_token(c->rest, token);
	if (!err && token->kind == GK_CBOR_BREAK)
		err = GK_ERR_MALFORMED;
	if (!err && !(token->kind & accept))
		err = GK_ERR_TYPE;
	gk_cbor_fail(c, err);
	return !err;
}

/** look(), and then move behind it. */
static bool take(struct gk_cbor *c, unsigned accept, struct token *token)
{
	if (!look(c, accept, token))
		return false;
	advance(c, token->len);
	return true;
}

enum gk_cbor_kind gk_cbor_peek(const struct gk_cbor *c)
{
	if (c->err || c->rest.len == 0)
		return GK_CBOR_NONE;
	return kind_of(c->rest.data[0]);
}

static int64_t number_of(const struct token *token, uint8_t initial)
{
	int64_t number = token->argument > INT64_MAX ? INT64_MAX : (int64_t)token->argument;
	if (token->kind == GK_CBOR_NEGINT)
		return -1 - number;
	if (token->kind == GK_CBOR_BOOL)
		return initial == 0xf5;
	return token->kind & (GK_CBOR_UINT | GK_CBOR_TAG) ? number : 0;
}

struct gk_cbor_item gk_cbor_item(struct gk_cbor *c, unsigned accept)
{
	struct gk_cbor_item item = { .kind = GK_CBOR_NONE };
	struct gk_span in = c->rest;
	struct token token;
	if (!look(c, accept, &token))
		return item;
	size_t len = token.len;
	if (token.kind & containers)
		gk_cbor_fail(c, measure_item(in, &len));
	if (c->err)
		return item;
	advance(c, len);
	item.kind = token.kind;
	item.number = number_of(&token, in.data[0]);
	item.encoded = gk_span_sub(in, 0, len);
	if (token.kind & strings)
		item.string = content_of(in, &token);
	return item;
}

int64_t gk_cbor_int(struct gk_cbor *c)
{
	struct token token;
	if (!look(c, GK_CBOR_INT, &token))
		return 0;
	if (token.argument > INT64_MAX) {
		gk_cbor_fail(c, GK_ERR_RANGE);
		return 0;
	}
	advance(c, token.len);
	return number_of(&token, 0);
}

uint64_t gk_cbor_uint(struct gk_cbor *c, uint64_t max)
{
	struct token token;
	if (!look(c, GK_CBOR_UINT, &token))
		return 0;
	if (token.argument > max) {
		gk_cbor_fail(c, GK_ERR_RANGE);
		return 0;
	}
	advance(c, token.len);
	return token.argument;
}

struct gk_span gk_cbor_bytes(struct gk_cbor *c)
{
	return gk_cbor_item(c, GK_CBOR_BYTES).string;
}

struct gk_span gk_cbor_text(struct gk_cbor *c)
{
	return gk_cbor_item(c, GK_CBOR_TEXT).string;
}

bool gk_cbor_bool(struct gk_cbor *c)
{
	return gk_cbor_item(c, GK_CBOR_BOOL).number != 0;
}

bool gk_cbor_tag(struct gk_cbor *c, uint64_t *tag)
{
	struct token token;
	if (gk_cbor_peek(c) != GK_CBOR_TAG || !take(c, GK_CBOR_TAG, &token))
		return false;
	*tag = token.argument;
	return true;
}

/* containers */

static struct gk_cbor_iter enter(struct gk_cbor *c, unsigned accept)
{
	struct token token;
	if (!take(c, accept, &token))
		return (struct gk_cbor_iter){ .left = 0 };
	return (struct gk_cbor_iter){ .left = token.argument, .indefinite = token.indefinite };
}

struct gk_cbor_iter gk_cbor_array(struct gk_cbor *c)
{
	return enter(c, GK_CBOR_ARRAY);
}

struct gk_cbor_iter gk_cbor_map(struct gk_cbor *c)
{
	return enter(c, GK_CBOR_MAP);
}

bool gk_cbor_more(struct gk_cbor *c, struct gk_cbor_iter *iter)
{
	if (c->err)
		return false;
	if (!iter->indefinite) {
		if (iter->left == 0)
			return false;
		iter->left--;
		return true;
	}
	if (gk_cbor_peek(c) != GK_CBOR_BREAK)
		return true;
	advance(c, 1);
	*iter = (struct gk_cbor_iter){ .left = 0 };
	return false;
}

/**
 * See that an indefinite array has 'count' elements, and note where its break is, so that the
 * cursor steps over it once they have been read.
 */
static void note_end(struct gk_cbor *c, size_t count)
{
	struct gk_cbor ahead = gk_cbor(c->rest);
	struct gk_cbor_iter iter = { .indefinite = true };
	size_t found = 0;
	while (gk_cbor_more(&ahead, &iter)) {
		gk_cbor_item(&ahead, GK_CBOR_ANY);
		found++;
	}
	if (!ahead.err && found != count)
		ahead.err = GK_ERR_TYPE;
	if (!ahead.err && c->ends == GK_CBOR_DEPTH_MAX)
		ahead.err = GK_ERR_DEPTH;
	gk_cbor_fail(c, ahead.err);
	if (c->err)
		return;
	c->end_left[c->ends++] = ahead.rest.len + 1;
	// Without elements, that place is here.
	advance(c, 0);
}

void gk_cbor_array_of(struct gk_cbor *c, size_t count)
{
	struct gk_cbor_iter iter = gk_cbor_array(c);
	if (c->err)
		return;
	if (iter.indefinite)
		note_end(c, count);
	else if (iter.left != count)
		gk_cbor_fail(c, GK_ERR_TYPE);
}

/** @return the row for a key, or 'count': none */
static size_t find_field(const struct gk_cbor_field *fields, size_t count,
			 const struct gk_cbor_item *key)
{
	size_t i = 0;
	if (!(key->kind & GK_CBOR_INT))
		return count;
	while (i < count && fields[i].label != key->number)
		i++;
	return i;
}

static void read_pair(struct gk_cbor *c, const struct gk_cbor_field *fields, size_t count,
		      struct gk_cbor_item *items)
{
	struct gk_cbor_item key = gk_cbor_item(c, GK_CBOR_ANY);
	size_t i = find_field(fields, count, &key);
	if (i == count) {
		gk_cbor_item(c, GK_CBOR_ANY);
		return;
	}
	if (items[i].kind != GK_CBOR_NONE)
		gk_cbor_fail(c, GK_ERR_DUPLICATE);
	items[i] = gk_cbor_item(c, fields[i].accept);
}

static void clear_items(struct gk_cbor_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		items[i] = (struct gk_cbor_item){ .kind = GK_CBOR_NONE };
}

void gk_cbor_fields(struct gk_cbor *c, const struct gk_cbor_field *fields, size_t count,
		    struct gk_cbor_item *items)
{
	clear_items(items, count);
	struct gk_cbor_iter iter = gk_cbor_map(c);
	while (gk_cbor_more(c, &iter))
		read_pair(c, fields, count, items);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].required && items[i].kind == GK_CBOR_NONE)
			gk_cbor_fail(c, GK_ERR_MISSING);
	}
	if (c->err)
		clear_items(items, count);
}

enum gk_err gk_cbor_read_map(struct gk_span input, const struct gk_cbor_field *fields, size_t count,
			     struct gk_cbor_item *items)
{
	struct gk_cbor c = gk_cbor(input);
	gk_cbor_fields(&c, fields, count, items);
	if (gk_cbor_end(&c))
		clear_items(items, count);
	return gk_cbor_end(&c);
}

/* writing */

void gk_put_uint(struct gk_buf *buf, uint64_t value)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_uint(value, head, sizeof(head))));
}

void gk_put_int(struct gk_buf *buf, int64_t value)
{
	if (value >= 0) {
		gk_put_uint(buf, (uint64_t)value);
		return;
	}
	uint8_t head[HEAD_MAX];
	uint64_t n = (uint64_t)(-1 - value); // what stands for -1 - n
	gk_buf_add(buf, gk_span(head, cbor_encode_negint(n, head, sizeof(head))));
}

void gk_put_bytes(struct gk_buf *buf, struct gk_span bytes)
{
	gk_put_bytes_head(buf, bytes.len);
	gk_buf_add(buf, bytes);
}

void gk_put_text(struct gk_buf *buf, struct gk_span text)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_string_start(text.len, head, sizeof(head))));
	gk_buf_add(buf, text);
}

void gk_put_array(struct gk_buf *buf, size_t count)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_array_start(count, head, sizeof(head))));
}

void gk_put_map(struct gk_buf *buf, size_t pairs)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_map_start(pairs, head, sizeof(head))));
}

void gk_put_tag(struct gk_buf *buf, uint64_t tag)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_tag(tag, head, sizeof(head))));
}

void gk_put_bool(struct gk_buf *buf, bool value)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_bool(value, head, sizeof(head))));
}

void gk_put_null(struct gk_buf *buf)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_null(head, sizeof(head))));
}

void gk_put_bytes_head(struct gk_buf *buf, size_t len)
{
	uint8_t head[HEAD_MAX];
	gk_buf_add(buf, gk_span(head, cbor_encode_bytestring_start(len, head, sizeof(head))));
}
