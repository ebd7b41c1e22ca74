// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the parts of crypto.h share: AEAD, hashes and wolfSSL's start are in crypto.c, P-256 in
 * crypto_p256.c, Ed25519 and X25519 in crypto_25519.c, and keys of all curves in crypto_key.c. Only
 * these and crypto_x509.c include wolfSSL.
 */
#ifndef GK_CRYPTO_INSIDE_H
#define GK_CRYPTO_INSIDE_H

#include "crypto.h"
#include "numbers.h"

#include "config.h"

#include "crypto_wolfssl.h"

#include <wolfssl/wolfcrypt/random.h>

#define GK_SCALAR_LEN 32
/* The order of P-256 begins with ffffffff00000000: one draw in 2^32 is refused. */
#define GK_DRAWS_MAX 8

/** @return true after gk_global_init() */
bool gk_crypto_ready(void);
/** @return wolfSSL's generator, for blinding only: no key and no nonce comes from it */
WC_RNG *gk_crypto_rng(void);

/** Translate a wolfSSL result. */
enum gk_err gk_crypto_outcome(int ret);
/** @return no NULL, which wolfSSL refuses in some places even where the length is 0 */
const uint8_t *gk_crypto_bytes(struct gk_span span);
/** @return true if wolfSSL can count it: in 32 bits, here and there in an int */
bool gk_crypto_countable(struct gk_span span);

/** What can be done on a curve; NULL: nothing of the kind. Outputs may be spoilt on error. */
struct gk_curve {
	int crv;
	bool (*scalar_valid)(const uint8_t *d);               /* NULL: any will do */
	bool (*point_valid)(const struct gk_public_key *pub); /* NULL: any will do */
	enum gk_err (*derive)(const uint8_t *d, struct gk_public_key *pub);
	enum gk_err (*sign)(const struct gk_key_pair *key, struct gk_span message, uint8_t *sig);
	bool (*verify)(const struct gk_public_key *pub, struct gk_span message, const uint8_t *sig);
	enum gk_err (*agree)(const struct gk_key_pair *own, const struct gk_public_key *peer,
			     uint8_t *out);
};

extern const struct gk_curve gk_crypto_p256;
#if GK_HAVE_ED25519
extern const struct gk_curve gk_crypto_ed25519;
#endif
#if GK_HAVE_CURVE25519
extern const struct gk_curve gk_crypto_x25519;
#endif

#endif
