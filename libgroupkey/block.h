// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The Block options of CoAP (RFC 7959 section 2.2).
 */
#ifndef GK_BLOCK_H
#define GK_BLOCK_H

#include "coap.h"

/** A Block option's value. */
struct gk_block {
	uint32_t num;
	bool more;
	uint8_t szx; /* size 2^(szx + 4) */
};

/** @return the size that an szx of 0 to 6 stands for */
size_t gk_block_size(uint8_t szx);
/** Read a Block option. @return GK_ERR_MISSING, GK_ERR_RANGE (szx 7, over 3 bytes) */
GK_MUST_CHECK enum gk_err gk_block_read(const struct gk_coap *msg, uint16_t number,
					struct gk_block *block);
/** The option's value as a number. */
uint32_t gk_block_value(struct gk_block block);

#endif
