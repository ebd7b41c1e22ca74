// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/hex.h"

int io_hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t io_hex_read(struct gk_span text, uint8_t *out, size_t max)
{
	size_t len = text.len / 2;

	if (text.len % 2 != 0 || len > max)
		return 0;
	for (size_t i = 0; i < len; i++) {
		int high = io_hex_digit(text.data[2 * i]), low = io_hex_digit(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return 0;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return len;
}
