// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto_inside.h"

#include "edwards.h"

#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#if GK_HAVE_CURVE25519
#include <wolfssl/wolfcrypt/curve25519.h>
#endif
#if GK_HAVE_ED25519
#include <wolfssl/wolfcrypt/ed25519.h>
#endif

#include <string.h>

/* Ed25519 */

#if GK_HAVE_ED25519

static int ed25519_begin(ed25519_key *ed)
{
	memset(ed, 0, sizeof(*ed));
	return wc_ed25519_init_ex(ed, NULL, INVALID_DEVID);
}

static void ed25519_end(ed25519_key *ed)
{
	wc_ed25519_free(ed);
	gk_wipe(ed, sizeof(*ed));
}

static enum gk_err ed25519_derive(const uint8_t *d, struct gk_public_key *pub)
{
	ed25519_key ed;
	int ret = ed25519_begin(&ed);

	if (ret == 0)
		ret = wc_ed25519_import_private_only(d, GK_SCALAR_LEN, &ed);
	if (ret == 0)
		ret = wc_ed25519_make_public(&ed, pub->x, sizeof(pub->x));
	ed25519_end(&ed);
	return gk_crypto_outcome(ret);
}

/** @return wolfSSL's verdict on a signature */
static int ed25519_try(const struct gk_public_key *pub, struct gk_span message, const uint8_t *sig)
{
	ed25519_key ed;
	int valid = 0;
	int ret = ed25519_begin(&ed);

	if (ret == 0)
		ret = wc_ed25519_import_public(pub->x, sizeof(pub->x), &ed);
	if (ret == 0)
		ret = wc_ed25519_verify_msg(sig, GK_SIG_LEN, gk_crypto_bytes(message),
					    (word32)message.len, &valid, &ed);
	ed25519_end(&ed);
	return ret == 0 && valid != 1 ? SIG_VERIFY_E : ret;
}

static bool ed25519_verify(const struct gk_public_key *pub, struct gk_span message,
			   const uint8_t *sig)
{
	return ed25519_try(pub, message, sig) == 0;
}

/** y below 2^255 - 19, as RFC 8032 section 5.1.3 wants it; wolfSSL takes the rest modulo that. */
static bool ed25519_canonical(const uint8_t y[static 32])
{
	if (y[0] < 0xed || y[31] != 0x7f)
		return true;
	for (size_t i = 1; i < 31; i++) {
		if (y[i] != 0xff)
			return true;
	}
	return false;
}

/* The y of the eight points whose order divides 8. With one of them as the key, anybody can make
 * signatures that verify: no member may have such a credential. */
static const uint8_t small_order[][32] = {
	{ 0 },
	{ 1 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
	  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
	  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
};

static bool ed25519_small_order(const uint8_t y[static 32])
{
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
		if (memcmp(y, small_order[i], 32) == 0)
			return true;
	}
	return false;
}

/** wolfSSL 5.5 has no check of a lone public key; it decodes one when it verifies, so a signature
 *  that is only wrong tells that the key is a point. */
static bool ed25519_point_valid(const struct gk_public_key *pub)
{
	static const uint8_t nonsense[GK_SIG_LEN];
	uint8_t y[32];
	int ret;

	memcpy(y, pub->x, sizeof(y));
	y[31] &= 0x7f; /* the sign of x */
	if (!ed25519_canonical(y) || ed25519_small_order(y))
		return false;
	ret = ed25519_try(pub, gk_span(NULL, 0), nonsense);
	return ret == 0 || ret == SIG_VERIFY_E;
}

/** The public part goes into the hash: wolfSSL checks that it belongs to the seed. */
static enum gk_err ed25519_sign(const struct gk_key_pair *key, struct gk_span message, uint8_t *sig)
{
	ed25519_key ed;
	word32 len = GK_SIG_LEN;
	int ret = ed25519_begin(&ed);

	if (ret == 0)
		ret = wc_ed25519_import_private_key(key->d, GK_SCALAR_LEN, key->pub.x,
						    sizeof(key->pub.x), &ed);
	if (ret == 0)
		ret = wc_ed25519_sign_msg(gk_crypto_bytes(message), (word32)message.len, sig, &len,
					  &ed);
	ed25519_end(&ed);
	return gk_crypto_outcome(ret);
}

#endif

/* X25519 */

#if GK_HAVE_CURVE25519

/** out = X25519(d, u), RFC 7748 section 5. */
static enum gk_err x25519(const uint8_t *d, const uint8_t *u, uint8_t *out)
{
	uint8_t scalar[GK_SCALAR_LEN];
	int ret;

	memcpy(scalar, d, sizeof(scalar));
	scalar[0] &= 0xf8;
	scalar[31] = (scalar[31] & 0x7f) | 0x40;
#ifdef WOLFSSL_CURVE25519_BLINDING
	ret = wc_curve25519_generic_blind(GK_DH_LEN, out, sizeof(scalar), scalar, GK_DH_LEN, u,
					  gk_crypto_rng());
#else
	ret = wc_curve25519_generic(GK_DH_LEN, out, sizeof(scalar), scalar, GK_DH_LEN, u);
#endif
	gk_wipe(scalar, sizeof(scalar));
	return gk_crypto_outcome(ret);
}

static enum gk_err x25519_derive(const uint8_t *d, struct gk_public_key *pub)
{
	static const uint8_t base[GK_DH_LEN] = { 9 };

	return x25519(d, base, pub->x);
}

static enum gk_err x25519_secret(const uint8_t *d, const uint8_t *u, uint8_t *out)
{
	static const uint8_t zeros[GK_DH_LEN];
	enum gk_err err = x25519(d, u, out);

	if (err == GK_OK && gk_equal(out, zeros, GK_DH_LEN))
		return GK_ERR_CRYPTO;
	return err;
}

static enum gk_err x25519_agree(const struct gk_key_pair *own, const struct gk_public_key *peer,
				uint8_t *out)
{
	return x25519_secret(own->d, peer->x, out);
}

/* Any 32 bytes are a key (RFC 7748 section 5); a bad one shows in the secret. */
const struct gk_curve gk_crypto_x25519 = {
	.crv = GK_CRV_X25519,
	.derive = x25519_derive,
	.agree = x25519_agree,
};

#if GK_HAVE_ED25519

/** With the scalar that signs, and the peer's point on Montgomery's form
 * (RFC 10021 section 2.5.2). */
static enum gk_err ed25519_agree(const struct gk_key_pair *own, const struct gk_public_key *peer,
				 uint8_t *out)
{
	uint8_t hash[WC_SHA512_DIGEST_SIZE], u[GK_DH_LEN];
	enum gk_err err;

	if (!ed25519_point_valid(peer) || !gk_edwards_to_montgomery(peer->x, u))
		return GK_ERR_CRYPTO;
	/* RFC 8032 section 5.1.5: the lower half; X25519 clamps it as Ed25519 does */
	err = gk_crypto_outcome(wc_Sha512Hash(own->d, GK_SCALAR_LEN, hash));
	if (err == GK_OK)
		err = x25519_secret(hash, u, out);
	gk_wipe(hash, sizeof(hash));
	return err;
}

#endif
#endif

#if GK_HAVE_ED25519

const struct gk_curve gk_crypto_ed25519 = {
	.crv = GK_CRV_ED25519,
	.point_valid = ed25519_point_valid,
	.derive = ed25519_derive,
	.sign = ed25519_sign,
	.verify = ed25519_verify,
#if GK_HAVE_CURVE25519
	.agree = ed25519_agree,
#endif
};

#endif
