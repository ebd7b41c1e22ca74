// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "block.h"

#include "numbers.h"

size_t gk_block_size(uint8_t szx)
{
	return (size_t)1 << (szx + 4);
}

enum gk_err gk_block_read(const struct gk_coap *msg, uint16_t number, struct gk_block *block)
{
	struct gk_span value;
	uint32_t v;

	if (!gk_coap_find(msg, number, &value))
		return GK_ERR_MISSING;
	if (value.len > 3)
		return GK_ERR_RANGE;
	v = (uint32_t)gk_span_uint(value);
	if ((v & 7) == 7)
		return GK_ERR_RANGE;
	*block = (struct gk_block){ .num = v >> 4, .more = v & 8, .szx = v & 7 };
	return GK_OK;
}

uint32_t gk_block_value(struct gk_block block)
{
	return block.num << 4 | (block.more ? 8u : 0u) | block.szx;
}
