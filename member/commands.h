// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Lines that tell gkmember what to do:
 *
 *   say [-g GROUP] TEXT    tell [-g GROUP] SID ADDRESS TEXT
 *   status [-g GROUP]    check [-g GROUP]    newcred [-g GROUP]    leave [-g GROUP]    quit
 *
 * They come in pieces of any size; here is no descriptor.
 */
#ifndef GKM_COMMANDS_H
#define GKM_COMMANDS_H

#include "io/addr.h"
#include "member/text.h"

enum gkm_command_kind {
	GKM_COMMAND_SAY = 0,
	GKM_COMMAND_STATUS = 1,
	GKM_COMMAND_LEAVE = 2,
	GKM_COMMAND_QUIT = 3,
	GKM_COMMAND_CHECK = 4,
	GKM_COMMAND_TELL = 5,
	GKM_COMMAND_NEWCRED = 6,
};

/** One line, understood. Spans borrow from it. */
struct gkm_command {
	enum gkm_command_kind kind;
	struct gk_span group; /* empty: none was named */
	struct gk_id sid;     /* of 'tell' */
	struct gk_addr peer;  /* of 'tell' */
	struct gk_span text;  /* of 'say' and 'tell' */
};

/**
 * Understand a line, without its newline.
 * @return NULL, or what is wrong with it: static text; 'command' is then untouched
 */
GK_MUST_CHECK const char *gkm_command_parse(struct gk_span line, struct gkm_command *command);

/** Longer lines are refused as a whole. */
#define GKM_LINE_MAX (GKM_TEXT_MAX + 256)

/** What has come of a line so far. Zero-initialise. */
struct gkm_lines {
	char line[GKM_LINE_MAX];
	size_t len;
	bool too_long;
};

/** A line was complete. @param wrong NULL, or why 'command' is not to be looked at */
typedef void gkm_command_fn(void *ctx, const struct gkm_command *command, const char *wrong);

/** Take the next piece of input. Empty lines are passed over. */
void gkm_lines_feed(struct gkm_lines *lines, struct gk_span piece, gkm_command_fn *handler,
		    void *ctx);

#endif
