// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * UTF-8 (RFC 3629): is it, and is it fit to be shown.
 */
#ifndef IO_UTF8_H
#define IO_UTF8_H

#include "libgroupkey/groupkey.h"

/** @return the length of the character that 'text' begins with, 1..4; 0: it begins with none */
size_t io_utf8_next(struct gk_span text);
/** @return true if 'text' is UTF-8 throughout */
bool io_utf8_valid(struct gk_span text);
/** @return true if 'text' is UTF-8 without control characters (C0, DEL, C1); so may be empty text
 */
bool io_utf8_printable(struct gk_span text);

#endif
