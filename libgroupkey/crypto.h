// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Every cryptographic primitive, over wolfSSL (crypto_inside.h). Keys are fixed-size types:
 * compared in constant time, wiped when replaced, never printed.
 *
 * What uses a private key needs gk_global_init() (GK_ERR_STATE without it), since wolfSSL blinds
 * such work with randomness; results never depend on that randomness, and nothing but
 * gk_key_generate() and gk_random() draws on an environment. On any error, outputs are untouched.
 */
#ifndef GK_CRYPTO_H
#define GK_CRYPTO_H

#include "buf.h"

#define GK_AEAD_KEY_MAX   16
#define GK_AEAD_NONCE_MAX 13
#define GK_AEAD_TAG_MAX   16
#define GK_SIG_LEN        64 /* Ed25519, and ES256 as raw r|s */
#define GK_HASH_LEN       32
#define GK_DH_LEN         32

/** An AEAD algorithm of the COSE registry. */
struct gk_aead {
	int alg;
	uint8_t key_len, nonce_len, tag_len;
};

/** @return the algorithm's row (static), or NULL if 'alg' is none of the AES-CCM-128 family */
const struct gk_aead *gk_aead_find(int64_t alg);

/**
 * Encrypt; ciphertext and tag are appended to 'out'. The plaintext may stand exactly where the
 * ciphertext will; any other overlap is not allowed.
 * @param key, nonce      exactly as long as the algorithm says, or GK_ERR_RANGE
 * @param aad, plaintext  up to 65,535 bytes each, or GK_ERR_RANGE
 * @return GK_OK, GK_ERR_RANGE, GK_ERR_NO_SPACE, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_aead_seal(const struct gk_aead *aead, struct gk_span key,
				       struct gk_span nonce, struct gk_span aad,
				       struct gk_span plaintext, struct gk_buf *out);
/**
 * Decrypt and check the tag; plaintext is appended to 'out' only if it is right.
 * @return GK_OK; GK_ERR_CRYPTO: wrong, or shorter than a tag; GK_ERR_RANGE, GK_ERR_NO_SPACE as
 * above
 */
GK_MUST_CHECK enum gk_err gk_aead_open(const struct gk_aead *aead, struct gk_span key,
				       struct gk_span nonce, struct gk_span aad,
				       struct gk_span ciphertext, struct gk_buf *out);

/**
 * HKDF with SHA-256 (RFC 5869), extract and expand.
 * @return GK_OK; GK_ERR_RANGE: more than 255 * 32 bytes wanted; GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_hkdf(struct gk_span salt, struct gk_span ikm, struct gk_span info,
				  uint8_t *out, size_t len);
/** HMAC with SHA-256 (RFC 2104). @return GK_OK; GK_ERR_RANGE: 2^31 bytes or more; GK_ERR_CRYPTO */
GK_MUST_CHECK enum gk_err gk_hmac(struct gk_span key, struct gk_span data,
				  uint8_t out[static GK_HASH_LEN]);
/** SHA-256. @return GK_OK; GK_ERR_RANGE: 2^31 bytes or more */
GK_MUST_CHECK enum gk_err gk_sha256(struct gk_span data, uint8_t out[static GK_HASH_LEN]);

/** A public key: for signatures (P-256, Ed25519) or key agreement (all of them). */
struct gk_public_key {
	int crv; /* GK_CRV_... ; 0: none */
	uint8_t x[32];
	uint8_t y[32]; /* P-256 only */
};

/** A key pair. gk_key_pair_wipe() it. */
struct gk_key_pair {
	struct gk_public_key pub;
	uint8_t d[32]; /* scalar (P-256, X25519) or seed (Ed25519) */
};

/** @return the curve of signatures with COSE algorithm 'alg', or 0: not in this build */
int gk_sign_curve(int64_t alg);
/** @return true if this build can use that curve */
bool gk_curve_supported(int64_t crv);
/**
 * Make a key pair from the next randomness of 'env', on which alone it depends.
 * @return GK_OK; GK_ERR_ENTROPY: env failed, or gives no usable scalar; GK_ERR_UNSUPPORTED,
 *         GK_ERR_STATE, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_key_generate(const struct gk_env *env, int crv,
					  struct gk_key_pair *key);
/**
 * Make a key pair from its private part; the public part is computed.
 * @param d  32 bytes: scalar, most significant byte first (P-256) or last (X25519, as it came:
 *           RFC 7748 clamps it at each use), or seed (Ed25519)
 * @return GK_OK; GK_ERR_RANGE: another length, or a P-256 scalar of 0 or not below the order;
 *         GK_ERR_UNSUPPORTED, GK_ERR_STATE, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_key_from_private(int crv, struct gk_span d, struct gk_key_pair *key);
/**
 * Check that a public key is a point of its curve (RFC 9053 section 7.1; wolfSSL's import alone
 * accepts others). Of Ed25519, an encoding that RFC 8032 section 5.1.3 does not decode and a point
 * of small order, with which anybody can sign, are none. Any X25519 key is one: gk_ecdh() tells.
 * @return GK_OK, GK_ERR_RANGE (not on the curve), GK_ERR_UNSUPPORTED
 */
GK_MUST_CHECK enum gk_err gk_public_key_check(const struct gk_public_key *key);
/** @return true if it is the same point of the same curve */
bool gk_public_key_equal(const struct gk_public_key *a, const struct gk_public_key *b);
/** Overwrite a key pair; it is then of no curve. */
void gk_key_pair_wipe(struct gk_key_pair *key);

/**
 * Sign: Ed25519 pure (RFC 8032), or ES256 as r|s with the nonce of RFC 6979; so the same input
 * gives the same signature.
 * @return GK_OK, GK_ERR_UNSUPPORTED (not a curve for signatures), GK_ERR_STATE,
 *         GK_ERR_RANGE (message of 2^31 bytes, private part out of range), GK_ERR_CRYPTO (public
 *         part of another key)
 */
GK_MUST_CHECK enum gk_err gk_sign(const struct gk_key_pair *key, struct gk_span message,
				  uint8_t sig[static GK_SIG_LEN]);
/** Verify. @return GK_OK, GK_ERR_CRYPTO (wrong, of another length too), GK_ERR_UNSUPPORTED */
GK_MUST_CHECK enum gk_err gk_verify(const struct gk_public_key *key, struct gk_span message,
				    struct gk_span sig);
/**
 * Cofactor Diffie-Hellman on P-256 or X25519; or with keys of Ed25519 on both sides, carried over
 * to X25519 (RFC 10021 section 2.5.2).
 * @return GK_OK; GK_ERR_CRYPTO: bad point, one of another curve, or an all-zero secret (RFC 7748
 *         section 6.1); GK_ERR_UNSUPPORTED (not a curve for this), GK_ERR_STATE,
 *         GK_ERR_RANGE (private part)
 */
GK_MUST_CHECK enum gk_err gk_ecdh(const struct gk_key_pair *own, const struct gk_public_key *peer,
				  uint8_t out[static GK_DH_LEN]);

/** @return true if equal; takes the same time whatever the bytes are */
bool gk_equal(const void *a, const void *b, size_t len);
/** Overwrite, in a way that no compiler removes. */
void gk_wipe(void *data, size_t len);
/** Fill from the environment. @return GK_OK; GK_ERR_ENTROPY: failed, 'out' is of no use */
GK_MUST_CHECK enum gk_err gk_random(const struct gk_env *env, uint8_t *out, size_t len);

#endif
