// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/json.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Memory
 */

// Bundles pass through here, and realloc() would leave copies of their keys behind.
static bool grow(struct io_json *json, size_t cap)
{
	char *text = malloc(cap);

	if (!text)
		return false;
	if (json->text) {
		memcpy(text, json->text, json->len);
		explicit_bzero(json->text, json->cap);
		free(json->text);
	}
	json->text = text;
	json->cap = cap;
	return true;
}

// Room for 'len' more and the NUL.
static bool make_room(struct io_json *json, size_t len)
{
	size_t need = json->len + len + 1;

	if (json->failed)
		return false;
	if (need <= json->cap)
		return true;
	json->failed = !grow(json, need < 128 ? 256 : 2 * need);
	return !json->failed;
}

static void put(struct io_json *json, const void *bytes, size_t len)
{
	if (!make_room(json, len))
		return;
	memcpy(json->text + json->len, bytes, len);
	json->len += len;
}

static void put_char(struct io_json *json, char c)
{
	put(json, &c, 1);
}

static void put_plain(struct io_json *json, const char *text)
{
	put(json, text, strlen(text));
}

void io_json_init(struct io_json *json)
{
	*json = (struct io_json){ .first = { true } };
}

void io_json_free(struct io_json *json)
{
	if (json->text)
		explicit_bzero(json->text, json->cap);
	free(json->text);
	*json = (struct io_json){ 0 };
}

/*
 * Values
 */

static const struct {
	char byte;
	const char *text;
} escapes[] = {
	{ '"', "\\\"" }, { '\\', "\\\\" }, { '\b', "\\b" }, { '\f', "\\f" },
	{ '\n', "\\n" }, { '\r', "\\r" },  { '\t', "\\t" },
};

static const char *escape_of(char byte)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		if (escapes[i].byte == byte)
			return escapes[i].text;
	}
	return NULL;
}

// RFC 8259 asks for C0 alone; the others go too, since they steer terminals.
static void put_char_of(struct io_json *json, struct gk_span one)
{
	const char *escape = one.len == 1 ? escape_of((char)one.data[0]) : NULL;
	char text[8];

	if (escape) {
		put_plain(json, escape);
	} else if (io_utf8_printable(one)) {
		put(json, one.data, one.len);
	} else {
		snprintf(text, sizeof(text), "\\u%04x", (unsigned)(io_utf8_number(one) & 0xffff));
		put_plain(json, text);
	}
}

static void put_string(struct io_json *json, struct gk_span text)
{
	put_char(json, '"');
	for (size_t at = 0; at < text.len;) {
		struct gk_span rest = gk_span_sub(text, at, text.len);
		size_t len = io_utf8_next(rest);
		if (len > 0)
			put_char_of(json, gk_span_sub(rest, 0, len));
		else
			put_plain(json, "\xef\xbf\xbd");
		at += len > 0 ? len : 1;
	}
	put_char(json, '"');
}

// What goes before a value: the comma, and the name inside of an object.
static void begin(struct io_json *json, const char *key)
{
	bool in_object = json->depth > 0 && json->close[json->depth - 1] == '}';

	assert(in_object == (key != NULL));
	assert(json->depth > 0 || json->first[0]);
	if (!json->first[json->depth])
		put_char(json, ',');
	json->first[json->depth] = false;
	if (key) {
		put_string(json, gk_span_str(key));
		put_char(json, ':');
	}
}

static void open_level(struct io_json *json, const char *key, char open, char close)
{
	assert(json->depth + 1 < IO_JSON_DEPTH_MAX);
	begin(json, key);
	put_char(json, open);
	json->close[json->depth++] = close;
	json->first[json->depth] = true;
}

void io_json_object(struct io_json *json, const char *key)
{
	open_level(json, key, '{', '}');
}

void io_json_array(struct io_json *json, const char *key)
{
	open_level(json, key, '[', ']');
}

void io_json_end(struct io_json *json)
{
	assert(json->depth > 0);
	put_char(json, json->close[--json->depth]);
}

void io_json_span(struct io_json *json, const char *key, struct gk_span text)
{
	begin(json, key);
	put_string(json, text);
}

void io_json_text(struct io_json *json, const char *key, const char *text)
{
	begin(json, key);
	if (text)
		put_string(json, gk_span_str(text));
	else
		put_plain(json, "null");
}

void io_json_int(struct io_json *json, const char *key, int64_t number)
{
	char text[24];

	begin(json, key);
	snprintf(text, sizeof(text), "%" PRId64, number);
	put_plain(json, text);
}

void io_json_thousandths(struct io_json *json, const char *key, int64_t thousandths)
{
	char text[32];

	begin(json, key);
	snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, thousandths / 1000,
		 thousandths % 1000);
	put_plain(json, text);
}

void io_json_bool(struct io_json *json, const char *key, bool value)
{
	begin(json, key);
	put_plain(json, value ? "true" : "false");
}

void io_json_hex(struct io_json *json, const char *key, struct gk_span bytes)
{
	static const char digits[] = "0123456789abcdef";

	begin(json, key);
	put_char(json, '"');
	for (size_t i = 0; i < bytes.len; i++) {
		put_char(json, digits[bytes.data[i] >> 4]);
		put_char(json, digits[bytes.data[i] & 15]);
	}
	put_char(json, '"');
}

const char *io_json_finish(struct io_json *json)
{
	if (json->depth > 0 || !make_room(json, 0))
		return NULL;
	json->text[json->len] = '\0';
	return json->text;
}
