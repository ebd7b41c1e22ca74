// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/utf8.h"
#include "libgroupkey/buf.h"

/*
 * Table 3-7 of the Unicode standard, also section 4 of RFC 3629: which second bytes may follow a
 * first. It leaves out overlong forms, surrogates, and what is beyond U+10FFFF.
 */
static const struct {
	uint8_t first_min, first_max;
	uint8_t second_min, second_max;
	uint8_t len;
} forms[] = {
	{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static size_t match(struct gk_span text, size_t form)
{
	if (text.data[0] < forms[form].first_min || text.data[0] > forms[form].first_max ||
	    text.len < forms[form].len)
		return 0;
	for (size_t i = 1; i < forms[form].len; i++) {
		uint8_t min = i == 1 ? forms[form].second_min : 0x80;
		uint8_t max = i == 1 ? forms[form].second_max : 0xbf;
		if (text.data[i] < min || text.data[i] > max)
			return 0;
	}
	return forms[form].len;
}

size_t io_utf8_next(struct gk_span text)
{
	for (size_t i = 0; text.len > 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t len = match(text, i);
		if (len > 0)
			return len;
	}
	return 0;
}

uint32_t io_utf8_number(struct gk_span one)
{
	// Of the first byte of 2, 3 and 4, the bits behind those that tell how many.
	uint32_t number = one.len == 1 ? one.data[0] : one.data[0] & (0x7fu >> one.len);

	for (size_t i = 1; i < one.len; i++)
		number = number << 6 | (one.data[i] & 0x3f);
	return number;
}

/* C0; DEL and C1; then line and paragraph separator, and the property Bidi_Control of Unicode. */
static const struct {
	uint16_t min, max;
} unseen[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x061c, 0x061c },
	{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
};

static bool is_control(struct gk_span one)
{
	uint32_t number = io_utf8_number(one);

	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
		if (number >= unseen[i].min && number <= unseen[i].max)
			return true;
	}
	return false;
}

bool io_utf8_printable(struct gk_span text)
{
	while (text.len > 0) {
		size_t len = io_utf8_next(text);
		if (len == 0 || is_control(gk_span(text.data, len)))
			return false;
		text = gk_span_sub(text, len, text.len - len);
	}
	return true;
}
