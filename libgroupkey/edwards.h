// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * From Ed25519 to X25519: where the public key of a signer lies on Montgomery's form of the curve,
 * so that it can be agreed with. No API of wolfSSL does this, nor shows the field that it takes.
 * Source: RFC 7748 section 4.1, RFC 10021 section 2.5.2.
 */
#ifndef GK_EDWARDS_H
#define GK_EDWARDS_H

#include "buf.h"

#define GK_EDWARDS_LEN 32

/**
 * Compute u = (1 + y) / (1 - y) modulo 2^255 - 19.
 * @param y  as RFC 8032 encodes a point: the least significant byte first, the sign of x, which
 *           does not matter here, in the top bit
 * @param u  as RFC 7748 encodes it; written on success only
 * @return false: y is not below 2^255 - 19, or is 1 or -1, whose secrets everybody knows
 */
GK_MUST_CHECK bool gk_edwards_to_montgomery(const uint8_t y[static GK_EDWARDS_LEN],
					    uint8_t u[static GK_EDWARDS_LEN]);

#endif
