// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "p256.h"

#include "crypto.h"

#define LIMBS 8

/** A number of 256 bits, the least significant limb first. */
struct number {
	uint32_t limb[LIMBS];
};

/* n: FIPS 186-4 appendix D.1.2.3 */
static const struct number order = { { 0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad, 0xffffffff,
				       0xffffffff, 0x00000000, 0xffffffff } };
/* 2^512 mod n, which carries a number into Montgomery's form */
static const struct number into_form = { { 0xbe79eea2, 0x83244c95, 0x49bd6fa6, 0x4699799c,
					   0x2b6bec59, 0x2845b239, 0xf3d95620, 0x66e12d94 } };
/* -1/n mod 2^32 */
#define ORDER_INVERSE 0xee00bc4f

static struct number load(const uint8_t *bytes)
{
	struct number out = { { 0 } };

	for (size_t i = 0; i < GK_P256_LEN; i++)
		out.limb[(GK_P256_LEN - 1 - i) / 4] |= (uint32_t)bytes[i] << 8 * (3 - i % 4);
	return out;
}

static void store(const struct number *a, uint8_t *bytes)
{
	for (size_t i = 0; i < GK_P256_LEN; i++)
		bytes[i] = (uint8_t)(a->limb[(GK_P256_LEN - 1 - i) / 4] >> 8 * (3 - i % 4));
}

/** out = a + b mod 2^256. @return the carry */
static uint32_t add(const struct number *a, const struct number *b, struct number *out)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		carry += (uint64_t)a->limb[i] + b->limb[i];
		out->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return (uint32_t)carry;
}

/** out = a - b mod 2^256. @return the borrow */
static uint32_t subtract(const struct number *a, const struct number *b, struct number *out)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		uint64_t limb = (uint64_t)a->limb[i] - b->limb[i] - borrow;
		out->limb[i] = (uint32_t)limb;
		borrow = limb >> 32 & 1;
	}
	return (uint32_t)borrow;
}

/** Bring carry * 2^256 + a, which is below 2n, under n. */
static void reduce_once(struct number *a, uint32_t carry)
{
	struct number less;
	uint32_t borrow = subtract(a, &order, &less);
	uint32_t mask = 0 - (carry | (borrow ^ 1)); /* all ones: take the difference */

	for (size_t i = 0; i < LIMBS; i++)
		a->limb[i] = (less.limb[i] & mask) | (a->limb[i] & ~mask);
}

/** sum[0..LIMBS] += a * factor. @return what goes beyond */
static uint32_t add_product(uint32_t sum[static LIMBS + 1], const struct number *a, uint32_t factor)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		carry += sum[i] + (uint64_t)a->limb[i] * factor;
		sum[i] = (uint32_t)carry;
		carry >>= 32;
	}
	carry += sum[LIMBS];
	sum[LIMBS] = (uint32_t)carry;
	return (uint32_t)(carry >> 32);
}

/** @return a * b / 2^256 mod n (Montgomery's product), below n */
static struct number multiply(const struct number *a, const struct number *b)
{
	uint32_t sum[LIMBS + 2] = { 0 };
	struct number out;

	for (size_t i = 0; i < LIMBS; i++) {
		sum[LIMBS + 1] = add_product(sum, a, b->limb[i]);
		/* add the multiple of n that makes the lowest limb 0, and drop that limb */
		sum[LIMBS + 1] += add_product(sum, &order, sum[0] * ORDER_INVERSE);
		for (size_t j = 0; j <= LIMBS; j++)
			sum[j] = sum[j + 1];
	}
	for (size_t i = 0; i < LIMBS; i++)
		out.limb[i] = sum[i];
	reduce_once(&out, sum[LIMBS]);
	gk_wipe(sum, sizeof(sum));
	return out;
}

/** @return 1/a, both in Montgomery's form: a^(n-2), by Fermat. The exponent is public. */
static struct number invert(const struct number *a)
{
	static const struct number two = { { 2 } };
	struct number exponent;
	struct number out = *a; /* for the highest bit, which is set */

	subtract(&order, &two, &exponent);
	for (size_t bit = 32 * LIMBS - 1; bit-- > 0;) {
		out = multiply(&out, &out);
		if (exponent.limb[bit / 32] >> bit % 32 & 1)
			out = multiply(&out, a);
	}
	return out;
}

bool gk_p256_scalar_valid(const uint8_t scalar[static GK_P256_LEN])
{
	struct number a = load(scalar);
	struct number less;
	uint32_t below = subtract(&a, &order, &less);
	uint32_t any = 0;

	for (size_t i = 0; i < LIMBS; i++)
		any |= a.limb[i];
	gk_wipe(&a, sizeof(a));
	gk_wipe(&less, sizeof(less));
	return (below == 1) & (any != 0);
}

void gk_p256_reduce(const uint8_t number[static GK_P256_LEN], uint8_t out[static GK_P256_LEN])
{
	struct number a = load(number);

	reduce_once(&a, 0);
	store(&a, out);
}

void gk_p256_ecdsa(const uint8_t e[static GK_P256_LEN], const uint8_t r[static GK_P256_LEN],
		   const uint8_t d[static GK_P256_LEN], const uint8_t k[static GK_P256_LEN],
		   uint8_t s[static GK_P256_LEN])
{
	struct number hash = load(e), x = load(r), secret = load(d), nonce = load(k);
	struct number sum;

	/* x d: one factor in Montgomery's form and one not make a product that is not */
	x = multiply(&x, &into_form);
	sum = multiply(&x, &secret);
	reduce_once(&sum, add(&sum, &hash, &sum));
	nonce = multiply(&nonce, &into_form);
	nonce = invert(&nonce);
	sum = multiply(&sum, &nonce);
	store(&sum, s);
	gk_wipe(&secret, sizeof(secret));
	gk_wipe(&nonce, sizeof(nonce));
	gk_wipe(&sum, sizeof(sum));
}
