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
/** @return the number in Unicode of 'one', a character as io_utf8_next() measured it */
uint32_t io_utf8_number(struct gk_span one);
/**
 * @return true if 'text' is UTF-8 without control characters (C0, DEL, C1), and without what breaks
 *         or turns around the line around it (U+2028, U+2029, the bidirectional controls); so may
 *         be empty text
 */
bool io_utf8_printable(struct gk_span text);

#endif
