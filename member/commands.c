// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/commands.h"
#include "io/hex.h"
#include "libgroupkey/buf.h"
#include <string.h>

static const struct row {
	const char *word;
	enum gkm_command_kind kind;
	bool has_group, has_peer, has_text;
} rows[] = {
	{ .word = "say", .kind = GKM_COMMAND_SAY, .has_group = true, .has_text = true },
	{ .word = "tell",
	  .kind = GKM_COMMAND_TELL,
	  .has_group = true,
	  .has_peer = true,
	  .has_text = true },
	{ .word = "status", .kind = GKM_COMMAND_STATUS, .has_group = true },
	{ .word = "check", .kind = GKM_COMMAND_CHECK, .has_group = true },
	{ .word = "newcred", .kind = GKM_COMMAND_NEWCRED, .has_group = true },
	{ .word = "leave", .kind = GKM_COMMAND_LEAVE, .has_group = true },
	{ .word = "quit", .kind = GKM_COMMAND_QUIT },
};

/* Cut the first word off 'rest', and the one blank behind it: a text may begin with more. */
static struct gk_span take_word(struct gk_span *rest)
{
	struct gk_span word;
	size_t len = 0;

	while (len < rest->len && rest->data[len] != ' ')
		len++;
	word = gk_span_sub(*rest, 0, len);
	*rest = gk_span_sub(*rest, len + 1, rest->len);
	return word;
}

static const struct row *find_row(struct gk_span word)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (gk_span_equal(word, gk_span_str(rows[i].word)))
			return &rows[i];
	}
	return NULL;
}

static bool takes_group(struct gk_span *rest, struct gk_span *group)
{
	struct gk_span behind = *rest;

	if (!gk_span_equal(take_word(&behind), gk_span_str("-g")))
		return false;
	*group = take_word(&behind);
	*rest = behind;
	return true;
}

static bool read_sid(struct gk_span word, struct gk_id *sid)
{
	struct gk_id read = { .len = 0 };

	read.len = (uint8_t)io_hex_read(word, read.data, sizeof(read.data));
	if (read.len > 0)
		*sid = read;
	return read.len > 0;
}

static bool read_address(struct gk_span word, struct gk_addr *addr)
{
	char text[IO_ADDR_TEXT];

	if (word.len == 0 || word.len >= sizeof(text) || memchr(word.data, '\0', word.len))
		return false;
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	return io_addr_parse(text, IO_ADDR_COAP_PORT, addr) && addr->port != 0;
}

static bool takes_peer(struct gk_span *rest, struct gkm_command *command)
{
	return read_sid(take_word(rest), &command->sid) &&
	       read_address(take_word(rest), &command->peer);
}

const char *gkm_command_parse(struct gk_span line, struct gkm_command *command)
{
	struct gk_span rest = line;
	const struct row *row = find_row(take_word(&rest));
	struct gkm_command found = { 0 };

	if (!row)
		return "a line is one of: say [-g GROUP] TEXT, tell [-g GROUP] SID ADDRESS TEXT, "
		       "status, check, newcred, leave, quit";
	if (row->has_group && takes_group(&rest, &found.group) && found.group.len == 0)
		return "-g: a group's name must follow";
	if (row->has_peer && !takes_peer(&rest, &found))
		return "tell: a Sender ID in hex and an address as [fd00::1]:5683 must follow";
	if (row->has_text && !gkm_text_fits(rest))
		return "the text must be 1 to 1024 bytes of UTF-8, without control characters";
	if (!row->has_text && rest.len > 0)
		return "too many words";
	found.kind = row->kind;
	found.text = rest;
	*command = found;
	return NULL;
}

static void end_line(struct gkm_lines *lines, gkm_command_fn *handler, void *ctx)
{
	struct gk_span line = gk_span(lines->line, lines->len);
	bool too_long = lines->too_long;
	struct gkm_command command;

	lines->len = 0;
	lines->too_long = false;
	if (too_long) {
		handler(ctx, NULL, "the line is too long");
	} else if (line.len > 0) {
		const char *wrong = gkm_command_parse(line, &command);
		handler(ctx, wrong ? NULL : &command, wrong);
	}
}

void gkm_lines_feed(struct gkm_lines *lines, struct gk_span piece, gkm_command_fn *handler,
		    void *ctx)
{
	for (size_t i = 0; i < piece.len; i++) {
		if (piece.data[i] == '\n')
			end_line(lines, handler, ctx);
		else if (lines->len < sizeof(lines->line))
			lines->line[lines->len++] = (char)piece.data[i];
		else
			lines->too_long = true;
	}
}
