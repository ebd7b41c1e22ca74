// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 32 // of hexadecimal
#define SHORT      24 // byte strings up to here stay on their line

static void put_hex(FILE *out, struct gk_span bytes, int indent)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.len > SHORT && i % LINE_BYTES == 0)
			fprintf(out, "\n%*s", indent, "");
		fprintf(out, "%02x", bytes.data[i]);
	}
}

/* Titles may be padded, to stand in columns. */
static int title_len(const char *title)
{
	size_t len = strlen(title);

	while (len && title[len - 1] == ' ')
		len--;
	return (int)len;
}

void render_hex(FILE *out, const char *title, struct gk_span bytes)
{
	if (bytes.len > SHORT)
		fprintf(out, "%.*s", title_len(title), title);
	else
		fprintf(out, "%s ", title);
	put_hex(out, bytes, 2);
	fputc('\n', out);
}

/* CBOR */

struct reader {
	FILE *out;
	struct gk_span rest;
	bool ok;
	int indent;
};

struct head {
	unsigned major, info;
	uint64_t value;
};

static struct gk_span take(struct reader *r, size_t len)
{
	struct gk_span bytes = gk_span_sub(r->rest, 0, len);

	if (bytes.len < len)
		r->ok = false;
	r->rest = gk_span_sub(r->rest, bytes.len, SIZE_MAX);
	return bytes;
}

static struct head take_head(struct reader *r)
{
	struct gk_span first = take(r, 1);
	struct head head = { 0 };

	if (!r->ok)
		return head;
	head.major = first.data[0] >> 5;
	head.info = first.data[0] & 31;
	head.value = head.info;
	if (head.info > 27)
		r->ok = false; // indefinite lengths are not used here
	else if (head.info > 23)
		head.value = gk_span_uint(take(r, (size_t)1 << (head.info - 24)));
	return head;
}

static void put_item(struct reader *r, const struct render_name *name);

static const struct render_name *find(const struct render_name *names, int64_t key)
{
	for (; names && names->name; names++) {
		if (names->key == key)
			return names;
	}
	return NULL;
}

static void new_line(struct reader *r)
{
	fprintf(r->out, "\n%*s", r->indent, "");
}

/* Pairs stand on lines of their own; keys are integers. */
static void put_map(struct reader *r, uint64_t count, const struct render_name *names)
{
	fputc('{', r->out);
	r->indent += 2;
	for (uint64_t i = 0; r->ok && i < count; i++) {
		struct head head = take_head(r);
		int64_t key = head.major ? -1 - (int64_t)head.value : (int64_t)head.value;
		const struct render_name *name = find(names, key);

		r->ok = r->ok && head.major < 2;
		new_line(r);
		if (name)
			fprintf(r->out, "/ %s / ", name->name);
		fprintf(r->out, "%" PRId64 ": ", key);
		put_item(r, name);
		if (i + 1 < count)
			fputc(',', r->out);
	}
	r->indent -= 2;
	if (count)
		new_line(r);
	fputc('}', r->out);
}

static void put_array(struct reader *r, uint64_t count, const struct render_name *name)
{
	fputc('[', r->out);
	for (uint64_t i = 0; r->ok && i < count; i++) {
		if (i)
			fputs(", ", r->out);
		put_item(r, name);
	}
	fputc(']', r->out);
}

static void put_bytes(struct reader *r, struct gk_span bytes, const struct render_name *name)
{
	struct reader inner = { r->out, bytes, true, r->indent };

	if (name && name->embedded) {
		fputs("<< ", r->out);
		put_item(&inner, &(struct render_name){ .inner = name->inner });
		fputs(" >>", r->out);
		r->ok = r->ok && inner.ok && inner.rest.len == 0;
		return;
	}
	fputs("h'", r->out);
	put_hex(r->out, bytes, r->indent + 2);
	fputc('\'', r->out);
}

static void put_simple(struct reader *r, const struct head *head)
{
	static const char *const words[] = { [20] = "false", [21] = "true", [22] = "null" };

	if (head->info < 20 || head->info > 22)
		r->ok = false;
	else
		fputs(words[head->info], r->out);
}

static void put_item(struct reader *r, const struct render_name *name)
{
	struct head head = take_head(r);
	struct gk_span bytes;

	if (!r->ok)
		return;
	switch (head.major) {
	case 0:
		fprintf(r->out, "%" PRIu64, head.value);
		break;
	case 1:
		fprintf(r->out, "%" PRId64, -1 - (int64_t)head.value);
		break;
	case 2:
		put_bytes(r, take(r, (size_t)head.value), name);
		break;
	case 3:
		bytes = take(r, (size_t)head.value);
		fprintf(r->out, "\"%.*s\"", (int)bytes.len, (const char *)bytes.data);
		break;
	case 4:
		put_array(r, head.value, name);
		break;
	case 5:
		put_map(r, head.value, name ? name->inner : NULL);
		break;
	case 6:
		fprintf(r->out, "%" PRIu64 "(", head.value);
		put_item(r, name);
		fputc(')', r->out);
		break;
	default:
		put_simple(r, &head);
	}
}

bool render_cbor(FILE *out, struct gk_span bytes, const struct render_name *names)
{
	struct reader r = { out, bytes, true, 0 };

	put_item(&r, &(struct render_name){ .inner = names });
	fputc('\n', out);
	return r.ok && r.rest.len == 0;
}

/* CoAP */

enum form { TEXT, UINT, OPAQUE };

static const struct {
	uint16_t number;
	const char *name;
	enum form form;
} options[] = {
	{ 8, "Location-Path", TEXT },   { 9, "OSCORE", OPAQUE }, { 11, "Uri-Path", TEXT },
	{ 12, "Content-Format", UINT }, { 14, "Max-Age", UINT }, { 15, "Uri-Query", TEXT },
};

static void put_value(FILE *out, enum form form, struct gk_span value)
{
	if (form == TEXT)
		fprintf(out, "\"%.*s\"", (int)value.len, (const char *)value.data);
	else if (form == UINT)
		fprintf(out, "%" PRIu64, gk_span_uint(value));
	else
		put_hex(out, value, 4);
}

static void put_option(FILE *out, unsigned number, struct gk_span value)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].number != number)
			continue;
		fprintf(out, "  %s (%u): ", options[i].name, number);
		put_value(out, options[i].form, value);
		fputc('\n', out);
		return;
	}
	abort(); // the document needs a name for it
}

static size_t take_extended(struct reader *r, unsigned nibble)
{
	if (nibble == 13)
		return 13 + (size_t)gk_span_uint(take(r, 1));
	if (nibble == 14)
		return 269 + (size_t)gk_span_uint(take(r, 2));
	return nibble;
}

static void put_code(FILE *out, uint8_t code)
{
	static const char *const methods[] = { "", "GET", "POST", "PUT", "DELETE", "FETCH" };
	static const char *const answers[] = { "",      "Created", "Deleted",
					       "Valid", "Changed", "Content" };

	if (code < sizeof(methods) / sizeof(methods[0]))
		fprintf(out, "%s (0.%02u)\n", methods[code], code);
	else if (code >> 5 == 2 && (code & 31u) < sizeof(answers) / sizeof(answers[0]))
		fprintf(out, "%s (2.%02u)\n", answers[code & 31u], code & 31u);
	else
		abort(); // the document needs a name for it
}

void render_coap(FILE *out, const char *title, struct gk_span message,
		 const struct render_name *names)
{
	struct reader r = { out, message, true, 0 };
	unsigned number = 0;

	fprintf(out, "%s ", title);
	put_code(out, take(&r, 1).data[0]);
	while (r.rest.len && r.rest.data[0] != 0xff) {
		uint8_t head = take(&r, 1).data[0];
		size_t len;

		number += (unsigned)take_extended(&r, head >> 4);
		len = take_extended(&r, head & 15);
		put_option(out, number, take(&r, len));
	}
	if (!r.rest.len)
		return;
	(void)take(&r, 1);
	fprintf(out, "  payload, %zu byte%s:%s", r.rest.len, r.rest.len == 1 ? "" : "s",
		names ? "\n" : "");
	if (names) {
		if (!render_cbor(out, r.rest, names))
			abort();
		return;
	}
	put_hex(out, r.rest, 4);
	fputc('\n', out);
}
