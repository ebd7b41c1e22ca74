// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/pem.h"

#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END   "-----END CERTIFICATE-----"

/* @return where 'word' begins at or after 'from'; the length of 'text': nowhere */
static size_t find(struct gk_span text, size_t from, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = from; i + len <= text.len; i++) {
		if (memcmp(text.data + i, word, len) == 0)
			return i;
	}
	return text.len;
}

bool io_pem_is(struct gk_span text)
{
	return find(text, 0, BEGIN) < text.len;
}

/* @return 0 to 63; -1: white space, -2: padding, -3: none of these */
static int value_of(uint8_t c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	if (at)
		return (int)(at - digits);
	return c && strchr(" \t\r\n", c) ? -1 : c == '=' ? -2 : -3;
}

/* In place: three bytes take four characters. */
static bool decode(struct gk_span text, uint8_t *out, size_t *len)
{
	uint32_t bits = 0;
	size_t digits = 0, padding = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.data[i]);

		if (value == -1)
			continue;
		padding += value == -2;
		if (value == -3 || (value >= 0 && padding))
			return false;
		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		if (++digits % 4 != 1)
			out[(*len)++] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	return digits && (digits + padding) % 4 == 0 && padding <= 2;
}

bool io_pem_decode(struct gk_blob *text)
{
	struct gk_span all = gk_span(text->data, text->len);
	size_t at = 0, len = 0;

	while ((at = find(all, at, BEGIN)) < all.len) {
		size_t from = at + strlen(BEGIN), to = find(all, from, END);

		if (to == all.len || !decode(gk_span(all.data + from, to - from), text->data, &len))
			return false;
		at = to;
	}
	text->len = len;
	return len > 0;
}
