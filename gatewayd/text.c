// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/text.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct gw_text *text, size_t room)
{
	struct gw_text larger = { .bytes = malloc(room), .len = text->len, .room = room };

	if (!larger.bytes)
		return -1;
	if (text->len > 0)
		memcpy(larger.bytes, text->bytes, text->len);
	gw_text_free(text);
	text->bytes = larger.bytes;
	text->len = larger.len;
	text->room = larger.room;
	return 0;
}

static ssize_t write_text(void *cookie, const char *bytes, size_t len)
{
	struct gw_text *text = cookie;

	if (len > text->room - text->len && grow(text, 2 * (text->room + len))) {
		errno = ENOMEM;
		return 0;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	return (ssize_t)len;
}

void gw_text_open(struct gw_text *text)
{
	*text = (struct gw_text){ .bytes = NULL };
	text->out = fopencookie(text, "w", (cookie_io_functions_t){ .write = write_text });
	if (text->out)
		setvbuf(text->out, text->stage, _IOFBF, sizeof(text->stage));
}

int gw_text_close(struct gw_text *text)
{
	bool failed = ferror(text->out);

	failed = fclose(text->out) != 0 || failed;
	text->out = NULL;
	explicit_bzero(text->stage, sizeof(text->stage));
	return failed ? -ENOMEM : 0;
}

void gw_text_free(struct gw_text *text)
{
	if (text->bytes)
		explicit_bzero(text->bytes, text->room);
	free(text->bytes);
	text->bytes = NULL;
	text->len = text->room = 0;
}
