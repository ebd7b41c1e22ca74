// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/exposition.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <inttypes.h>

#define UNPRINTABLE "\xef\xbf\xbd" /* U+FFFD */

/*
 * As text
 */

static const char *escape_of(uint8_t byte)
{
	switch (byte) {
	case '\\':
		return "\\\\";
	case '"':
		return "\\\"";
	case '\n':
		return "\\n";
	}
	return NULL;
}

static void put_character(FILE *out, struct gk_span character)
{
	const char *escape = character.len == 1 ? escape_of(character.data[0]) : NULL;

	if (escape)
		fputs(escape, out);
	else if (io_utf8_printable(character))
		fwrite(character.data, 1, character.len, out);
	else
		fputs(UNPRINTABLE, out);
}

static void put_value(FILE *out, struct gk_span value)
{
	fputc('"', out);
	for (size_t at = 0; at < value.len;) {
		struct gk_span rest = gk_span_sub(value, at, value.len);
		size_t len = io_utf8_next(rest);
		if (len > 0)
			put_character(out, gk_span_sub(rest, 0, len));
		else
			fputs(UNPRINTABLE, out);
		at += len > 0 ? len : 1;
	}
	fputc('"', out);
}

static void put_number(FILE *out, bool thousandths, int64_t value)
{
	if (thousandths)
		fprintf(out, "%" PRId64 ".%03" PRId64, value / 1000, value % 1000);
	else
		fprintf(out, "%" PRId64, value);
}

static void add_text(const struct gw_exposition *exposition, const struct gw_label *labels,
		     size_t count, int64_t value)
{
	FILE *out = exposition->out;

	fputs(exposition->family->name, out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s%s=", i ? "," : "{", labels[i].name);
		put_value(out, labels[i].value);
	}
	fputs(count ? "} " : " ", out);
	put_number(out, exposition->family->thousandths, value);
	fputc('\n', out);
}

/*
 * As JSON
 */

static void put_json_number(struct io_json *json, const char *key, bool thousandths, int64_t value)
{
	if (thousandths)
		io_json_thousandths(json, key, value);
	else
		io_json_int(json, key, value);
}

static void add_json(const struct gw_exposition *exposition, const struct gw_label *labels,
		     size_t count, int64_t value)
{
	const struct gw_family *family = exposition->family;
	struct io_json *json = exposition->json;

	if (!family->labelled) {
		put_json_number(json, family->name, family->thousandths, value);
		return;
	}
	io_json_object(json, NULL);
	for (size_t i = 0; i < count; i++)
		io_json_span(json, labels[i].name, labels[i].value);
	put_json_number(json, "value", family->thousandths, value);
	io_json_end(json);
}

/*
 * Either
 */

void gw_exposition_begin(struct gw_exposition *exposition, const struct gw_family *family)
{
	exposition->family = family;
	if (exposition->json && family->labelled)
		io_json_array(exposition->json, family->name);
	else if (!exposition->json)
		fprintf(exposition->out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
			family->name, family->counter ? "counter" : "gauge");
}

void gw_exposition_add(struct gw_exposition *exposition, const struct gw_label *labels,
		       size_t count, int64_t value)
{
	if (exposition->json)
		add_json(exposition, labels, count, value);
	else
		add_text(exposition, labels, count, value);
}

void gw_exposition_end(struct gw_exposition *exposition)
{
	if (exposition->json && exposition->family->labelled)
		io_json_end(exposition->json);
}
