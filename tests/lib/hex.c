// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 512 /* bytes that hex_text() shows */
#define TEXTS     4   /* results of it that are valid together */

/* Blocks handed out, so that none counts as leaked. */
struct block {
	struct block *next;
	uint8_t *data;
};
static struct block *blocks;

static void give_up(const char *why, const char *text)
{
	fprintf(stderr, "hex: %s: \"%s\"\n", why, text);
	abort();
}

static int digit_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) % 16 : -1;
}

size_t hex(const char *text, uint8_t *out, size_t cap)
{
	size_t digits = 0;
	for (const char *p = text; *p; p++) {
		int value = digit_value(*p);
		if (strchr(" \t\n", *p))
			continue;
		if (value < 0)
			give_up("not a digit in", text);
		if (digits / 2 >= cap)
			give_up("no space for", text);
		out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | value : value << 4);
		digits++;
	}
	if (digits % 2)
		give_up("half a byte in", text);
	return digits / 2;
}

static uint8_t *keep(size_t len)
{
	struct block *block = malloc(sizeof(*block));
	uint8_t *data = malloc(len > 0 ? len : 1);
	if (!block || !data)
		abort();
	*block = (struct block){ .next = blocks, .data = data };
	blocks = block;
	// Of no bytes, the first is one too many as well.
	return len > 0 ? data : data + 1;
}

struct gk_span exact_copy(struct gk_span bytes)
{
	uint8_t *data = keep(bytes.len);
	if (bytes.len > 0)
		memcpy(data, bytes.data, bytes.len);
	return gk_span(data, bytes.len);
}

struct gk_span hex_span(const char *text)
{
	size_t cap = strlen(text) / 2 + 1;
	uint8_t *bytes = malloc(cap);
	if (!bytes)
		abort();
	struct gk_span copy = exact_copy(gk_span(bytes, hex(text, bytes, cap)));
	free(bytes);
	return copy;
}

const char *hex_text(struct gk_span bytes)
{
	static char texts[TEXTS][2 * SHOWN_MAX + sizeof("...")];
	static unsigned turn;
	char *text = texts[turn++ % TEXTS];
	char *end = text;
	for (size_t i = 0; i < bytes.len && i < SHOWN_MAX; i++)
		end += sprintf(end, "%02x", bytes.data[i]);
	strcpy(end, bytes.len > SHOWN_MAX ? "..." : "");
	return text;
}
