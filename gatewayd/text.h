// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Text that is written to a FILE and kept in memory, as by open_memstream(); but since it may be a
 * bundle, memory that is left behind as it grows is wiped, and so is the FILE's own.
 */
#ifndef GW_TEXT_H
#define GW_TEXT_H

#include <stddef.h>
#include <stdio.h>

/** Fields may be read after gw_text_close(). */
struct gw_text {
	char *bytes; /* not NUL-terminated; NULL: nothing was written */
	size_t len;
	size_t room;
	FILE *out;        /* what it is written to; NULL: out of memory */
	char stage[1024]; /* of the FILE */
};

/** @param text  stays where it is until gw_text_close() */
void gw_text_open(struct gw_text *text);
/** Take what was written. @return 0; -ENOMEM */
int gw_text_close(struct gw_text *text);
/** Wipe and free, after gw_text_close(). */
void gw_text_free(struct gw_text *text);

#endif
