// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto_inside.h"

#include "p256.h"

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <string.h>

#define DER_SIG_MAX 80 /* SEQUENCE of two INTEGERs of up to 33 bytes: 72 */

static int begin(ecc_key *ecc)
{
	memset(ecc, 0, sizeof(*ecc));
	return wc_ecc_init_ex(ecc, NULL, INVALID_DEVID);
}

static void end(ecc_key *ecc)
{
	wc_ecc_free(ecc);
	gk_wipe(ecc, sizeof(*ecc));
}

/** Begin with a private key, to be used with blinding. */
static int begin_private(ecc_key *ecc, const uint8_t *d)
{
	int ret = begin(ecc);

	if (ret == 0)
		ret = wc_ecc_import_private_key_ex(d, GK_SCALAR_LEN, NULL, 0, ecc, ECC_SECP256R1);
#ifdef ECC_TIMING_RESISTANT
	if (ret == 0)
		ret = wc_ecc_set_rng(ecc, gk_crypto_rng());
#endif
	return ret;
}

/** Begin with a public key, checked: the import alone takes points off the curve. */
static int begin_public(ecc_key *ecc, const struct gk_public_key *pub)
{
	int ret = begin(ecc);

	if (ret == 0)
		ret = wc_ecc_import_unsigned(ecc, pub->x, pub->y, NULL, ECC_SECP256R1);
	if (ret == 0)
		ret = wc_ecc_check_key(ecc);
	return ret;
}

static enum gk_err derive(const uint8_t *d, struct gk_public_key *pub)
{
	ecc_key ecc;
	word32 x_len = sizeof(pub->x);
	word32 y_len = sizeof(pub->y);
	int ret = begin_private(&ecc, d);

	if (ret == 0)
		ret = wc_ecc_make_pub_ex(&ecc, NULL, gk_crypto_rng());
	if (ret == 0)
		ret = wc_ecc_export_public_raw(&ecc, pub->x, &x_len, pub->y, &y_len);
	end(&ecc);
	return gk_crypto_outcome(ret);
}

static bool is_point(const struct gk_public_key *pub)
{
	ecc_key ecc;
	int ret = begin_public(&ecc, pub);

	end(&ecc);
	return ret == 0;
}

/*
 * A nonce that comes from the key and the message (RFC 6979) cannot leak the key through bad
 * entropy. wolfSSL makes one only where it was built to, which OpenWrt's was not; and Debian's
 * leaves out the reduction of the hash. A nonce of ours it takes only where it was built to, too.
 * So here, in every build alike, the nonce and the arithmetic modulo the order are ours, and
 * wolfSSL hashes and multiplies the point.
 */

/** HMAC_DRBG as RFC 6979 section 3.2 runs it. */
struct drbg {
	uint8_t k[GK_HASH_LEN], v[GK_HASH_LEN];
};

/** HMAC-SHA-256: the extract step of HKDF by another name (RFC 5869 section 2.2). */
static int hmac(const uint8_t *key, const uint8_t *data, size_t len, uint8_t *out)
{
	return wc_HKDF_Extract(WC_SHA256, key, GK_HASH_LEN, data, (word32)len, out);
}

/** K = HMAC_K(V | tag | data), V = HMAC_K(V). */
static int stir(struct drbg *drbg, uint8_t tag, struct gk_span data)
{
	uint8_t input[GK_HASH_LEN + 1 + 2 * GK_SCALAR_LEN];
	struct gk_buf buf = gk_buf(input, sizeof(input));
	int ret;

	gk_buf_add(&buf, gk_span(drbg->v, sizeof(drbg->v)));
	gk_buf_byte(&buf, tag);
	gk_buf_add(&buf, data);
	ret = hmac(drbg->k, input, buf.len, drbg->k);
	gk_wipe(input, sizeof(input));
	return ret ? ret : hmac(drbg->k, drbg->v, sizeof(drbg->v), drbg->v);
}

/** RFC 6979 section 3.2, with qlen = hlen = 256: steps b to g; 'e' is the reduced hash. */
static int seed_nonces(struct drbg *drbg, const uint8_t *d, const uint8_t *e)
{
	uint8_t seed[2 * GK_SCALAR_LEN];
	int ret;

	memcpy(seed, d, GK_SCALAR_LEN);
	memcpy(seed + GK_SCALAR_LEN, e, GK_SCALAR_LEN);
	memset(drbg->v, 0x01, sizeof(drbg->v));
	memset(drbg->k, 0x00, sizeof(drbg->k));
	ret = stir(drbg, 0x00, gk_span(seed, sizeof(seed)));
	if (ret == 0)
		ret = stir(drbg, 0x01, gk_span(seed, sizeof(seed)));
	gk_wipe(seed, sizeof(seed));
	return ret;
}

/** Step h: the next nonce is in drbg->v. */
static int next_nonce(struct drbg *drbg)
{
	int ret = hmac(drbg->k, drbg->v, sizeof(drbg->v), drbg->v);

	for (int draw = 0; ret == 0 && !gk_p256_scalar_valid(drbg->v); draw++) {
		if (draw == GK_DRAWS_MAX)
			return ECC_BAD_ARG_E;
		ret = stir(drbg, 0x00, gk_span(NULL, 0));
		if (ret == 0)
			ret = hmac(drbg->k, drbg->v, sizeof(drbg->v), drbg->v);
	}
	return ret;
}

static enum gk_err sign_hash(const uint8_t *d, const uint8_t *hash, uint8_t *sig)
{
	struct gk_public_key point;
	struct drbg drbg;
	uint8_t e[GK_SCALAR_LEN];
	enum gk_err err;

	gk_p256_reduce(hash, e);
	err = gk_crypto_outcome(seed_nonces(&drbg, d, e));
	if (err == GK_OK)
		err = gk_crypto_outcome(next_nonce(&drbg));
	if (err == GK_OK)
		err = derive(drbg.v, &point);
	if (err == GK_OK) {
		gk_p256_reduce(point.x, sig);
		gk_p256_ecdsa(e, sig, d, drbg.v, sig + GK_SCALAR_LEN);
		/* r or s of 0 wants another nonce (FIPS 186-4 section 6.4); nobody has seen one */
		if (!gk_p256_scalar_valid(sig) || !gk_p256_scalar_valid(sig + GK_SCALAR_LEN))
			err = GK_ERR_CRYPTO;
	}
	gk_wipe(&drbg, sizeof(drbg));
	return err;
}

static enum gk_err sign(const struct gk_key_pair *key, struct gk_span message, uint8_t *sig)
{
	uint8_t hash[GK_HASH_LEN];
	enum gk_err err = gk_sha256(message, hash);

	return err == GK_OK ? sign_hash(key->d, hash, sig) : err;
}

static bool verify(const struct gk_public_key *pub, struct gk_span message, const uint8_t *sig)
{
	ecc_key ecc;
	uint8_t hash[GK_HASH_LEN], der[DER_SIG_MAX];
	word32 der_len = sizeof(der);
	int valid = 0;
	int ret;

	/* FIPS 186-4 section 6.4.2; releases of wolfSSL differ in what they check of it */
	if (!gk_p256_scalar_valid(sig) || !gk_p256_scalar_valid(sig + GK_SCALAR_LEN))
		return false;
	if (gk_sha256(message, hash) != GK_OK)
		return false;
	ret = begin_public(&ecc, pub);
	if (ret == 0)
		ret = wc_ecc_rs_raw_to_sig(sig, GK_SCALAR_LEN, sig + GK_SCALAR_LEN, GK_SCALAR_LEN,
					   der, &der_len);
	if (ret == 0)
		ret = wc_ecc_verify_hash(der, der_len, hash, sizeof(hash), &valid, &ecc);
	end(&ecc);
	return ret == 0 && valid == 1;
}

static enum gk_err agree(const struct gk_key_pair *own, const struct gk_public_key *peer,
			 uint8_t *out)
{
	ecc_key ours, theirs;
	word32 len = GK_DH_LEN;
	int ret = begin_private(&ours, own->d);
	int theirs_ret = begin_public(&theirs, peer);

	if (ret == 0)
		ret = theirs_ret;
	if (ret == 0)
		ret = wc_ecc_shared_secret(&ours, &theirs, out, &len);
	end(&theirs);
	end(&ours);
	return gk_crypto_outcome(ret);
}

const struct gk_curve gk_crypto_p256 = {
	.crv = GK_CRV_P256,
	.scalar_valid = gk_p256_scalar_valid,
	.point_valid = is_point,
	.derive = derive,
	.sign = sign,
	.verify = verify,
	.agree = agree,
};
