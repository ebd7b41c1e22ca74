// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What happened, as the KDC tells it: a log line, and the newest of them kept for `gatewayctl
 * events`, as text and as JSON.
 */
#ifndef GW_NOTES_H
#define GW_NOTES_H

#include "io/log.h"
#include "libgroupkey/groupkey.h"
#include <stdio.h>

#define GW_NOTES_KEPT 256
#define GW_NOTE_KINDS 32 /* more than there are */

/** One thing that happened; both are one line without a newline. */
struct gw_told {
	char *text;
	char *json;
};

/** Fields are the notes' own. */
struct gw_notes {
	struct gw_told kept[GW_NOTES_KEPT];
	uint64_t count;                 /* of all that were ever told */
	uint64_t counts[GW_NOTE_KINDS]; /* by kind, also of those that were left out */
	struct log_limit refused, tokens;
};

void gw_notes_init(struct gw_notes *notes);
void gw_notes_free(struct gw_notes *notes);

/**
 * Print a name. It comes from a token, which others may have issued: one that could be taken for
 * words of ours is quoted, and what cannot be shown is in hex.
 */
void gw_notes_put_name(FILE *out, struct gk_span name);
/**
 * Log a note and keep it. What a peer can cause at will is limited: the line that comes after the
 * gap says how many were left out.
 */
void gw_notes_take(struct gw_notes *notes, const struct gk_note *note, struct gk_now now);

/** @return the name of an event; NULL: a KDC has none of that kind */
const char *gw_notes_event(enum gk_note_kind kind);

/** @return how many were told so far; the numbers of those that are kept end before this */
uint64_t gw_notes_count(const struct gw_notes *notes);
/** @return the number of the oldest that is kept */
uint64_t gw_notes_oldest(const struct gw_notes *notes);
/** @param number  gw_notes_oldest() to gw_notes_count() - 1 @return valid until the next note */
const struct gw_told *gw_notes_get(const struct gw_notes *notes, uint64_t number);

#endif
