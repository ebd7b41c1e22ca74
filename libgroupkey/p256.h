// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Arithmetic modulo the order n of P-256: the range of a scalar, and what ECDSA needs besides its
 * one point multiplication. Few builds of wolfSSL show their big numbers, so these are ours. No
 * branch and no address depends on a value. Numbers are 32 bytes, the most significant first.
 * Source: FIPS 186-4 section 6.4.
 */
#ifndef GK_P256_H
#define GK_P256_H

#include "buf.h"

#define GK_P256_LEN 32

/** @return true if 1 <= scalar < n */
bool gk_p256_scalar_valid(const uint8_t scalar[static GK_P256_LEN]);
/** Reduce a number below 2^256, such as a hash or a coordinate, modulo n; out may be number. */
void gk_p256_reduce(const uint8_t number[static GK_P256_LEN], uint8_t out[static GK_P256_LEN]);
/** Compute s = (e + r d) / k mod n. All four are below n, and k is not 0;
 * 's' may be one of them. */
void gk_p256_ecdsa(const uint8_t e[static GK_P256_LEN], const uint8_t r[static GK_P256_LEN],
		   const uint8_t d[static GK_P256_LEN], const uint8_t k[static GK_P256_LEN],
		   uint8_t s[static GK_P256_LEN]);

#endif
