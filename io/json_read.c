// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/hex.h"
#include "io/json.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <stdio.h>
#include <string.h>

/*
 * The cursor
 */

void io_json_read(struct io_json_reader *reader, struct gk_span text)
{
	*reader = (struct io_json_reader){ .text = text };
}

void io_json_read_refuse(struct io_json_reader *reader, const char *why)
{
	if (!reader->error)
		reader->error = why;
}

// The next byte; -1 at the end and after an error, where nothing matches any more.
static int peek(const struct io_json_reader *reader)
{
	return reader->error || reader->at >= reader->text.len ? -1 : reader->text.data[reader->at];
}

static bool accept(struct io_json_reader *reader, char c)
{
	if (peek(reader) != (unsigned char)c)
		return false;
	reader->at++;
	return true;
}

static void expect(struct io_json_reader *reader, char c, const char *why)
{
	if (!accept(reader, c))
		io_json_read_refuse(reader, why);
}

static void skip_space(struct io_json_reader *reader)
{
	while (accept(reader, ' ') || accept(reader, '\t') || accept(reader, '\n') ||
	       accept(reader, '\r'))
		;
}

/*
 * Objects and arrays
 */

static void enter(struct io_json_reader *reader, char open, char close, const char *why)
{
	skip_space(reader);
	if (reader->depth == IO_JSON_DEPTH_MAX)
		io_json_read_refuse(reader, "nested too deep");
	expect(reader, open, why);
	if (reader->error)
		return;
	reader->close[reader->depth] = close;
	reader->first[reader->depth++] = true;
}

void io_json_read_object(struct io_json_reader *reader)
{
	enter(reader, '{', '}', "must be an object");
}

void io_json_read_array(struct io_json_reader *reader)
{
	enter(reader, '[', ']', "must be an array");
}

bool io_json_read_more(struct io_json_reader *reader)
{
	if (reader->error || reader->depth == 0)
		return false;

	skip_space(reader);
	if (accept(reader, reader->close[reader->depth - 1])) {
		reader->depth--;
		return false;
	}
	if (!reader->first[reader->depth - 1])
		expect(reader, ',', "must be a comma, or the end of the object or array");
	reader->first[reader->depth - 1] = false;
	skip_space(reader);
	return !reader->error;
}

size_t io_json_read_name(struct io_json_reader *reader, const char *const *names, uint32_t *seen)
{
	char name[32] = "";
	size_t start = reader->at;
	size_t i = 0;

	io_json_read_text(reader, name, sizeof(name));
	while (names[i] && (reader->error || strcmp(names[i], name) != 0))
		i++;
	if (reader->error)
		return i;

	if (!names[i] || (*seen & UINT32_C(1) << i)) {
		reader->at = start;
		reader->error = names[i] ? "a name that was here before" : "an unknown name";
		while (names[i])
			i++;
		return i;
	}
	*seen |= UINT32_C(1) << i;
	skip_space(reader);
	expect(reader, ':', "must be a colon");
	return i;
}

/*
 * Values
 */

// The four digits of a \u escape.
static uint32_t read_unit(struct io_json_reader *reader)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int digit = io_hex_digit(peek(reader));
		if (digit < 0) {
			io_json_read_refuse(reader, "must be four hex digits");
			return 0;
		}
		unit = unit << 4 | (uint32_t)digit;
		reader->at++;
	}
	return unit;
}

// RFC 8259 section 7: beyond U+FFFF two surrogates stand for one character.
static uint32_t read_code_point(struct io_json_reader *reader)
{
	uint32_t unit = read_unit(reader);

	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || !accept(reader, '\\') || !accept(reader, 'u')) {
		io_json_read_refuse(reader, "must be a surrogate pair");
		return 0;
	}
	uint32_t low = read_unit(reader);
	if (low < 0xdc00 || low > 0xdfff)
		io_json_read_refuse(reader, "must be a surrogate pair");
	return 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
}

static struct gk_span encode(uint32_t c, uint8_t out[4])
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(lead[len] | c);
	return gk_span(out, len);
}

// What a backslash begins. Those that stand for control characters are not in it.
static struct gk_span read_escape(struct io_json_reader *reader, uint8_t out[4])
{
	if (accept(reader, 'u'))
		return encode(read_code_point(reader), out);
	if (peek(reader) == '"' || peek(reader) == '\\' || peek(reader) == '/') {
		out[0] = reader->text.data[reader->at++];
		return gk_span(out, 1);
	}
	io_json_read_refuse(reader, "an escape that is not allowed here");
	return gk_span(NULL, 0);
}

static struct gk_span read_char(struct io_json_reader *reader, uint8_t out[4])
{
	if (accept(reader, '\\'))
		return read_escape(reader, out);

	struct gk_span rest = gk_span_sub(reader->text, reader->at, reader->text.len);
	size_t len = io_utf8_next(rest);
	if (len == 0)
		io_json_read_refuse(reader, rest.len == 0 ? "text without an end" : "not UTF-8");
	else
		reader->at += len;
	return gk_span_sub(rest, 0, len);
}

void io_json_read_text(struct io_json_reader *reader, char *out, size_t cap)
{
	struct gk_buf buf = gk_buf(out, cap - 1);

	skip_space(reader);
	size_t start = reader->at;
	expect(reader, '"', "must be text in quotes");
	while (!reader->error && !accept(reader, '"')) {
		uint8_t bytes[4];
		struct gk_span one = read_char(reader, bytes);
		if (!io_utf8_printable(one))
			io_json_read_refuse(reader, "a control character");
		gk_buf_add(&buf, one);
	}
	if (reader->error)
		return;

	if (buf.overflow || buf.len == 0) {
		reader->at = start;
		reader->error = buf.len == 0 ? "must not be empty" : "text that is too long";
		return;
	}
	out[buf.len] = '\0';
}

// Grows downwards, since there is one negative number more.
static bool add_digit(int64_t *number, int digit)
{
	if (*number < (INT64_MIN + digit) / 10)
		return false;
	*number = *number * 10 - digit;
	return true;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

// RFC 8259 section 6, without fraction and exponent.
static bool scan_int(struct io_json_reader *reader, int64_t *number)
{
	bool negative = accept(reader, '-');
	int first = peek(reader);
	bool fits = is_digit(first);

	*number = 0;
	while (fits && is_digit(peek(reader)))
		fits = add_digit(number, reader->text.data[reader->at++] - '0') &&
		       !(first == '0' && is_digit(peek(reader)));
	if (!fits || peek(reader) == '.' || (peek(reader) | 32) == 'e')
		return false;
	if (!negative && *number == INT64_MIN)
		return false;
	if (!negative)
		*number = -*number;
	return true;
}

int64_t io_json_read_int(struct io_json_reader *reader, int64_t min, int64_t max)
{
	int64_t number;

	skip_space(reader);
	size_t start = reader->at;
	if (!scan_int(reader, &number)) {
		reader->at = start;
		io_json_read_refuse(reader, "must be an integer that fits in 64 bits");
		return 0;
	}
	if (number < min || number > max) {
		reader->at = start;
		io_json_read_refuse(reader, "a number out of range");
		return 0;
	}
	return number;
}

static bool accept_word(struct io_json_reader *reader, const char *word)
{
	struct gk_span rest = gk_span_sub(reader->text, reader->at, strlen(word));
	bool here = !reader->error && gk_span_equal(rest, gk_span_str(word));

	reader->at += here ? rest.len : 0;
	return here;
}

bool io_json_read_bool(struct io_json_reader *reader)
{
	skip_space(reader);
	if (accept_word(reader, "true"))
		return true;
	if (!accept_word(reader, "false"))
		io_json_read_refuse(reader, "must be true or false");
	return false;
}

size_t io_json_read_hex(struct io_json_reader *reader, uint8_t *out, size_t min, size_t max)
{
	size_t len = 0;

	skip_space(reader);
	size_t start = reader->at;
	expect(reader, '"', "must be hex digits in quotes");
	while (!reader->error && !accept(reader, '"')) {
		int high = io_hex_digit(peek(reader));
		if (high >= 0)
			reader->at++;
		int low = io_hex_digit(peek(reader));
		if (high < 0 || low < 0) {
			io_json_read_refuse(reader, "must be an even number of hex digits");
			return 0;
		}
		reader->at++;
		if (len < max)
			out[len] = (uint8_t)(high << 4 | low);
		len++;
	}
	if (!reader->error && (len < min || len > max)) {
		reader->at = start;
		reader->error = len < min ? "too few bytes" : "too many bytes";
	}
	return reader->error ? 0 : len;
}

/*
 * The end
 */

bool io_json_read_finish(struct io_json_reader *reader, char *error, size_t size)
{
	skip_space(reader);
	if (reader->depth > 0)
		io_json_read_refuse(reader, "must end what is open");
	if (reader->at < reader->text.len)
		io_json_read_refuse(reader, "something follows the end");
	if (!reader->error)
		return true;

	size_t line = 1, column = 1;
	for (size_t i = 0; i < reader->at && i < reader->text.len; i++) {
		column = reader->text.data[i] == '\n' ? 1 : column + 1;
		line += reader->text.data[i] == '\n';
	}
	snprintf(error, size, "%zu:%zu: %s", line, column, reader->error);
	return false;
}
