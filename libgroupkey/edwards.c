// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "edwards.h"

#include <string.h>

#define LIMBS 8
#define FOLD  38 /* 2^256 modulo p */

/** A number below 2^256, the least significant limb first; any of those that are equal modulo p. */
struct number {
	uint32_t limb[LIMBS];
};

#define ALL_ONES 0xffffffff
/* p = 2^255 - 19. All that comes in here is public: nothing is kept from depending on it. */
static const struct number prime_and_1 = { { 0xffffffee, ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES,
					     ALL_ONES, ALL_ONES, 0x7fffffff } };
static const uint8_t prime[GK_EDWARDS_LEN] = {
	0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
};

static struct number load(const uint8_t *bytes)
{
	struct number out = { { 0 } };

	for (size_t i = 0; i < GK_EDWARDS_LEN; i++)
		out.limb[i / 4] |= (uint32_t)bytes[i] << 8 * (i % 4);
	return out;
}

/** a += small mod 2^256. @return the carry */
static uint32_t add_small(struct number *a, uint64_t small)
{
	for (size_t i = 0; i < LIMBS; i++) {
		small += a->limb[i];
		a->limb[i] = (uint32_t)small;
		small >>= 32;
	}
	return (uint32_t)small;
}

/** Bring carry * 2^256 + a under 2^256. What the first round carries, the second does not. */
static void fold(struct number *a, uint32_t carry)
{
	carry = add_small(a, (uint64_t)FOLD * carry);
	add_small(a, (uint64_t)FOLD * carry);
}

/** Write that of the equal numbers which is below p. */
static void store(const struct number *a, uint8_t *bytes)
{
	struct number least = *a;
	uint32_t top = least.limb[LIMBS - 1] >> 31;

	least.limb[LIMBS - 1] &= 0x7fffffff;
	add_small(&least, 19 * top); // below 2 p now
	struct number reduced = least;
	add_small(&reduced, 19); // from p on, this reaches 2^255, and what is above is the rest
	if (reduced.limb[LIMBS - 1] >> 31) {
		least = reduced;
		least.limb[LIMBS - 1] &= 0x7fffffff;
	}
	for (size_t i = 0; i < GK_EDWARDS_LEN; i++)
		bytes[i] = (uint8_t)(least.limb[i / 4] >> 8 * (i % 4));
}

static struct number multiply(const struct number *a, const struct number *b)
{
	uint32_t product[2 * LIMBS] = { 0 };
	struct number out;
	uint64_t carry;

	for (size_t i = 0; i < LIMBS; i++) {
		carry = 0;
		for (size_t j = 0; j < LIMBS; j++) {
			carry += product[i + j] + (uint64_t)a->limb[i] * b->limb[j];
			product[i + j] = (uint32_t)carry;
			carry >>= 32;
		}
		product[i + LIMBS] = (uint32_t)carry;
	}
	carry = 0;
	for (size_t i = 0; i < LIMBS; i++) {
		carry += product[i] + (uint64_t)FOLD * product[i + LIMBS];
		out.limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	fold(&out, (uint32_t)carry);
	return out;
}

/** @return 1/a: a^(p-2), by Fermat */
static struct number invert(const struct number *a)
{
	struct number out = *a; /* for the highest bit, 254, which is set */

	for (size_t bit = 254; bit-- > 0;) {
		out = multiply(&out, &out);
		// p - 2 = 2^255 - 21: of all its bits only 2 and 4 are not set
		if (bit != 2 && bit != 4)
			out = multiply(&out, a);
	}
	return out;
}

/** @return true if 'y', little-endian, is from 2 to p - 2, or 0 */
static bool has_image(const uint8_t *y)
{
	static const uint8_t one[GK_EDWARDS_LEN] = { 1 };
	uint8_t minus_one[GK_EDWARDS_LEN];

	memcpy(minus_one, prime, sizeof(minus_one));
	minus_one[0]--;
	for (size_t i = GK_EDWARDS_LEN; i-- > 0;) {
		if (y[i] != prime[i])
			return y[i] < prime[i] && memcmp(y, one, sizeof(one)) != 0 &&
			       memcmp(y, minus_one, sizeof(minus_one)) != 0;
	}
	return false;
}

/** @return p + 1 - y */
static struct number one_less(const struct number *y)
{
	struct number out = prime_and_1;
	uint64_t borrow = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		uint64_t limb = (uint64_t)out.limb[i] - y->limb[i] - borrow;
		out.limb[i] = (uint32_t)limb;
		borrow = limb >> 63;
	}
	return out;
}

bool gk_edwards_to_montgomery(const uint8_t y[static GK_EDWARDS_LEN],
			      uint8_t u[static GK_EDWARDS_LEN])
{
	uint8_t bytes[GK_EDWARDS_LEN];
	struct number above, below;

	memcpy(bytes, y, sizeof(bytes));
	bytes[GK_EDWARDS_LEN - 1] &= 0x7f;
	if (!has_image(bytes))
		return false;
	above = load(bytes);
	below = one_less(&above);
	below = invert(&below);
	add_small(&above, 1);
	above = multiply(&above, &below);
	store(&above, u);
	return true;
}
