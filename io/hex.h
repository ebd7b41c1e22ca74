// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Bytes that people and files write as hex digits, of either case. */
#ifndef IO_HEX_H
#define IO_HEX_H

#include "libgroupkey/groupkey.h"

/** @return what the digit 'c' stands for, 0..15; -1: it is none */
int io_hex_digit(int c);
/**
 * Read a text that is nothing but pairs of digits.
 * @param out  gets at most 'max' bytes; those in front of what is no digit even if it fails
 * @return how many; 0: empty, no such text, or more than 'max'
 */
GK_MUST_CHECK size_t io_hex_read(struct gk_span text, uint8_t *out, size_t max);

#endif
