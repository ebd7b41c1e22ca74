// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto.h"

#include "edwards.h"
#include "numbers.h"
#include "p256.h"

#include "config.h"

/* After our own headers: Debian's options.h sets _FORTIFY_SOURCE, which must not reach libc's. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/wc_port.h>
#if GK_HAVE_CRYPTO_CB
#include <wolfssl/wolfcrypt/cryptocb.h>
#endif
#if GK_HAVE_CURVE25519
#include <wolfssl/wolfcrypt/curve25519.h>
#endif
#if GK_HAVE_ED25519
#include <wolfssl/wolfcrypt/ed25519.h>
#endif

#include <string.h>

#define SCALAR_LEN  32
#define DER_SIG_MAX 80 /* SEQUENCE of two INTEGERs of up to 33 bytes: 72 */
/* CCM with a nonce of 13 bytes counts the message in two (RFC 3610 section 2.1). No CoAP message
 * is longer, so that the other nonce length gets no more. */
#define AEAD_INPUT_MAX 65535
/* The order of P-256 begins with ffffffff00000000: one draw in 2^32 is refused. */
#define DRAWS_MAX 8

/** The one mutable global of the library: wolfSSL's table of devices is one too. */
static struct {
	bool ready;
	struct gk_env env;
	WC_RNG rng; /* for blinding only: no key and no nonce comes from it */
} gk_global;

/** Translate a wolfSSL result. */
static enum gk_err outcome(int ret)
{
	return ret == 0 ? GK_OK : GK_ERR_CRYPTO;
}

/* wolfSSL's random source */

#if GK_HAVE_CRYPTO_CB

#define DEVICE_ID 0x676b /* any number that nobody else in the process gives to wolfSSL */

/** Seed wolfSSL's generator, at its start and then once in a million draws. A failure of the
 *  second kind would be its end; but what comes then is mixed into the old state, which loses
 *  nothing by a worthless addition (SP 800-90A section 10.1.1.3). */
static bool give_seed(const struct gk_env *env, uint8_t *seed, size_t len)
{
	if (env->random(env->ctx, seed, len))
		return true;
	for (size_t i = 0; i < len; i++)
		seed[i] = (uint8_t)i;
	return gk_global.ready;
}

/** A "device" in wolfSSL's sense, which seeds, and leaves the rest to software: so wolfSSL asks
 *  for entropy at a time that we know, and signing needs none. */
static int serve_device(int device, wc_CryptoInfo *info, void *ctx)
{
	(void)device;
	if (info->algo_type != WC_ALGO_TYPE_SEED)
		return CRYPTOCB_UNAVAILABLE;
	return give_seed(ctx, info->seed.seed, info->seed.sz) ? 0 : RNG_FAILURE_E;
}

static int start_rng(void)
{
	int ret = wc_CryptoCb_RegisterDevice(DEVICE_ID, serve_device, &gk_global.env);

	return ret ? ret : wc_InitRng_ex(&gk_global.rng, NULL, DEVICE_ID);
}

static void forget_device(void)
{
	wc_CryptoCb_UnRegisterDevice(DEVICE_ID);
}

#else

/* Without crypto callbacks wolfSSL seeds itself from the system. */
static int start_rng(void)
{
	return wc_InitRng(&gk_global.rng);
}

static void forget_device(void)
{
}

#endif

enum gk_err gk_global_init(const struct gk_env *env)
{
	int ret;

	if (gk_global.ready)
		return GK_ERR_STATE;
	ret = wolfCrypt_Init();
	if (ret != 0)
		return GK_ERR_CRYPTO;
	gk_global.env = *env;
	ret = start_rng();
	gk_global.ready = ret == 0;
	if (ret != 0) {
		forget_device();
		wolfCrypt_Cleanup();
	}
	return ret == RNG_FAILURE_E ? GK_ERR_ENTROPY : outcome(ret);
}

void gk_global_cleanup(void)
{
	if (!gk_global.ready)
		return;
	wc_FreeRng(&gk_global.rng);
	forget_device();
	wolfCrypt_Cleanup();
	gk_wipe(&gk_global, sizeof(gk_global));
}

/* bytes */

/** wolfSSL refuses NULL in some places even where the length is 0. */
static const uint8_t *bytes_of(struct gk_span span)
{
	return span.len > 0 ? span.data : (const uint8_t *)"";
}

/** wolfSSL counts in 32 bits, here and there in an int. */
static bool countable(struct gk_span span)
{
	return span.len <= INT32_MAX;
}

bool gk_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	uint8_t differences = 0;

	for (size_t i = 0; i < len; i++)
		differences |= x[i] ^ y[i];
	return differences == 0;
}

void gk_wipe(void *data, size_t len)
{
	volatile uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		bytes[i] = 0;
}

enum gk_err gk_random(const struct gk_env *env, uint8_t *out, size_t len)
{
	return env->random(env->ctx, out, len) ? GK_OK : GK_ERR_ENTROPY;
}

/* AEAD */

static const struct gk_aead aeads[] = {
	{ .alg = GK_ALG_AES_CCM_16_64_128, .key_len = 16, .nonce_len = 13, .tag_len = 8 },
	{ .alg = GK_ALG_AES_CCM_64_64_128, .key_len = 16, .nonce_len = 7, .tag_len = 8 },
	{ .alg = GK_ALG_AES_CCM_16_128_128, .key_len = 16, .nonce_len = 13, .tag_len = 16 },
	{ .alg = GK_ALG_AES_CCM_64_128_128, .key_len = 16, .nonce_len = 7, .tag_len = 16 },
};

const struct gk_aead *gk_aead_find(int64_t alg)
{
	for (size_t i = 0; i < sizeof(aeads) / sizeof(aeads[0]); i++) {
		if (aeads[i].alg == alg)
			return &aeads[i];
	}
	return NULL;
}

static bool lengths_fit(const struct gk_aead *aead, struct gk_span key, struct gk_span nonce,
			struct gk_span aad, size_t plaintext_len)
{
	return key.len == aead->key_len && nonce.len == aead->nonce_len &&
	       aad.len <= AEAD_INPUT_MAX && plaintext_len <= AEAD_INPUT_MAX;
}

static int begin_ccm(Aes *aes, struct gk_span key)
{
	int ret;

	memset(aes, 0, sizeof(*aes));
	ret = wc_AesInit(aes, NULL, INVALID_DEVID);
	return ret ? ret : wc_AesCcmSetKey(aes, key.data, (word32)key.len);
}

static void end_ccm(Aes *aes)
{
	wc_AesFree(aes);
	gk_wipe(aes, sizeof(*aes));
}

/** Keep what was written at dest[0..len), the end of 'out', or wipe it and take it back. */
static enum gk_err settle(struct gk_buf *out, uint8_t *dest, size_t len, int ret)
{
	if (ret == 0)
		return GK_OK;
	gk_wipe(dest, len);
	gk_buf_truncate(out, out->len - len);
	return GK_ERR_CRYPTO;
}

enum gk_err gk_aead_seal(const struct gk_aead *aead, struct gk_span key, struct gk_span nonce,
			 struct gk_span aad, struct gk_span plaintext, struct gk_buf *out)
{
	Aes aes;
	uint8_t *dest;
	int ret;

	if (!lengths_fit(aead, key, nonce, aad, plaintext.len))
		return GK_ERR_RANGE;
	dest = gk_buf_take(out, plaintext.len + aead->tag_len);
	if (!dest)
		return GK_ERR_NO_SPACE;
	ret = begin_ccm(&aes, key);
	if (ret == 0)
		ret = wc_AesCcmEncrypt(&aes, dest, bytes_of(plaintext), (word32)plaintext.len,
				       nonce.data, (word32)nonce.len, dest + plaintext.len,
				       aead->tag_len, bytes_of(aad), (word32)aad.len);
	end_ccm(&aes);
	return settle(out, dest, plaintext.len + aead->tag_len, ret);
}

enum gk_err gk_aead_open(const struct gk_aead *aead, struct gk_span key, struct gk_span nonce,
			 struct gk_span aad, struct gk_span ciphertext, struct gk_buf *out)
{
	Aes aes;
	size_t len = gk_span_sub(ciphertext, aead->tag_len, SIZE_MAX).len;
	uint8_t *dest;
	int ret;

	if (!lengths_fit(aead, key, nonce, aad, len))
		return GK_ERR_RANGE;
	if (ciphertext.len < aead->tag_len)
		return GK_ERR_CRYPTO;
	dest = gk_buf_take(out, len);
	if (!dest)
		return GK_ERR_NO_SPACE;
	ret = begin_ccm(&aes, key);
	if (ret == 0)
		ret = wc_AesCcmDecrypt(&aes, dest, ciphertext.data, (word32)len, nonce.data,
				       (word32)nonce.len, ciphertext.data + len, aead->tag_len,
				       bytes_of(aad), (word32)aad.len);
	end_ccm(&aes);
	return settle(out, dest, len, ret);
}

/* hashes */

enum gk_err gk_sha256(struct gk_span data, uint8_t out[static GK_HASH_LEN])
{
	if (!countable(data))
		return GK_ERR_RANGE;
	return outcome(wc_Sha256Hash(bytes_of(data), (word32)data.len, out));
}

enum gk_err gk_hmac(struct gk_span key, struct gk_span data, uint8_t out[static GK_HASH_LEN])
{
	uint8_t made[GK_HASH_LEN];
	Hmac hmac;
	int ret;

	if (!countable(key) || !countable(data))
		return GK_ERR_RANGE;
	memset(&hmac, 0, sizeof(hmac));
	ret = wc_HmacInit(&hmac, NULL, INVALID_DEVID);
	if (ret == 0)
		ret = wc_HmacSetKey(&hmac, WC_SHA256, bytes_of(key), (word32)key.len);
	if (ret == 0)
		ret = wc_HmacUpdate(&hmac, bytes_of(data), (word32)data.len);
	if (ret == 0)
		ret = wc_HmacFinal(&hmac, made);
	wc_HmacFree(&hmac);
	gk_wipe(&hmac, sizeof(hmac));
	if (ret == 0)
		memcpy(out, made, sizeof(made));
	gk_wipe(made, sizeof(made));
	return outcome(ret);
}

enum gk_err gk_hkdf(struct gk_span salt, struct gk_span ikm, struct gk_span info, uint8_t *out,
		    size_t len)
{
	/* RFC 5869 section 2.3; wolfSSL 5.5 lets its counter run over */
	if (len > (size_t)255 * GK_HASH_LEN || !countable(salt) || !countable(ikm) ||
	    !countable(info))
		return GK_ERR_RANGE;
	return outcome(wc_HKDF(WC_SHA256, bytes_of(ikm), (word32)ikm.len, bytes_of(salt),
			       (word32)salt.len, bytes_of(info), (word32)info.len, out,
			       (word32)len));
}

/* P-256 */

static int p256_begin(ecc_key *ecc)
{
	memset(ecc, 0, sizeof(*ecc));
	return wc_ecc_init_ex(ecc, NULL, INVALID_DEVID);
}

static void p256_end(ecc_key *ecc)
{
	wc_ecc_free(ecc);
	gk_wipe(ecc, sizeof(*ecc));
}

/** Begin with a private key, to be used with blinding. */
static int p256_begin_private(ecc_key *ecc, const uint8_t *d)
{
	int ret = p256_begin(ecc);

	if (ret == 0)
		ret = wc_ecc_import_private_key_ex(d, SCALAR_LEN, NULL, 0, ecc, ECC_SECP256R1);
#ifdef ECC_TIMING_RESISTANT
	if (ret == 0)
		ret = wc_ecc_set_rng(ecc, &gk_global.rng);
#endif
	return ret;
}

/** Begin with a public key, checked: the import alone takes points off the curve. */
static int p256_begin_public(ecc_key *ecc, const struct gk_public_key *pub)
{
	int ret = p256_begin(ecc);

	if (ret == 0)
		ret = wc_ecc_import_unsigned(ecc, pub->x, pub->y, NULL, ECC_SECP256R1);
	if (ret == 0)
		ret = wc_ecc_check_key(ecc);
	return ret;
}

static enum gk_err p256_derive(const uint8_t *d, struct gk_public_key *pub)
{
	ecc_key ecc;
	word32 x_len = sizeof(pub->x);
	word32 y_len = sizeof(pub->y);
	int ret = p256_begin_private(&ecc, d);

	if (ret == 0)
		ret = wc_ecc_make_pub_ex(&ecc, NULL, &gk_global.rng);
	if (ret == 0)
		ret = wc_ecc_export_public_raw(&ecc, pub->x, &x_len, pub->y, &y_len);
	p256_end(&ecc);
	return outcome(ret);
}

static bool p256_point_valid(const struct gk_public_key *pub)
{
	ecc_key ecc;
	int ret = p256_begin_public(&ecc, pub);

	p256_end(&ecc);
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
	uint8_t input[GK_HASH_LEN + 1 + 2 * SCALAR_LEN];
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
	uint8_t seed[2 * SCALAR_LEN];
	int ret;

	memcpy(seed, d, SCALAR_LEN);
	memcpy(seed + SCALAR_LEN, e, SCALAR_LEN);
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
		if (draw == DRAWS_MAX)
			return ECC_BAD_ARG_E;
		ret = stir(drbg, 0x00, gk_span(NULL, 0));
		if (ret == 0)
			ret = hmac(drbg->k, drbg->v, sizeof(drbg->v), drbg->v);
	}
	return ret;
}

static enum gk_err p256_sign_hash(const uint8_t *d, const uint8_t *hash, uint8_t *sig)
{
	struct gk_public_key point;
	struct drbg drbg;
	uint8_t e[SCALAR_LEN];
	enum gk_err err;

	gk_p256_reduce(hash, e);
	err = outcome(seed_nonces(&drbg, d, e));
	if (err == GK_OK)
		err = outcome(next_nonce(&drbg));
	if (err == GK_OK)
		err = p256_derive(drbg.v, &point);
	if (err == GK_OK) {
		gk_p256_reduce(point.x, sig);
		gk_p256_ecdsa(e, sig, d, drbg.v, sig + SCALAR_LEN);
		/* r or s of 0 wants another nonce (FIPS 186-4 section 6.4); nobody has seen one */
		if (!gk_p256_scalar_valid(sig) || !gk_p256_scalar_valid(sig + SCALAR_LEN))
			err = GK_ERR_CRYPTO;
	}
	gk_wipe(&drbg, sizeof(drbg));
	return err;
}

static enum gk_err p256_sign(const struct gk_key_pair *key, struct gk_span message, uint8_t *sig)
{
	uint8_t hash[GK_HASH_LEN];
	enum gk_err err = gk_sha256(message, hash);

	return err == GK_OK ? p256_sign_hash(key->d, hash, sig) : err;
}

static bool p256_verify(const struct gk_public_key *pub, struct gk_span message, const uint8_t *sig)
{
	ecc_key ecc;
	uint8_t hash[GK_HASH_LEN], der[DER_SIG_MAX];
	word32 der_len = sizeof(der);
	int valid = 0;
	int ret;

	/* FIPS 186-4 section 6.4.2; releases of wolfSSL differ in what they check of it */
	if (!gk_p256_scalar_valid(sig) || !gk_p256_scalar_valid(sig + SCALAR_LEN))
		return false;
	if (gk_sha256(message, hash) != GK_OK)
		return false;
	ret = p256_begin_public(&ecc, pub);
	if (ret == 0)
		ret = wc_ecc_rs_raw_to_sig(sig, SCALAR_LEN, sig + SCALAR_LEN, SCALAR_LEN, der,
					   &der_len);
	if (ret == 0)
		ret = wc_ecc_verify_hash(der, der_len, hash, sizeof(hash), &valid, &ecc);
	p256_end(&ecc);
	return ret == 0 && valid == 1;
}

static enum gk_err p256_agree(const struct gk_key_pair *own, const struct gk_public_key *peer,
			      uint8_t *out)
{
	ecc_key ours, theirs;
	word32 len = GK_DH_LEN;
	int ret = p256_begin_private(&ours, own->d);
	int theirs_ret = p256_begin_public(&theirs, peer);

	if (ret == 0)
		ret = theirs_ret;
	if (ret == 0)
		ret = wc_ecc_shared_secret(&ours, &theirs, out, &len);
	p256_end(&theirs);
	p256_end(&ours);
	return outcome(ret);
}

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
		ret = wc_ed25519_import_private_only(d, SCALAR_LEN, &ed);
	if (ret == 0)
		ret = wc_ed25519_make_public(&ed, pub->x, sizeof(pub->x));
	ed25519_end(&ed);
	return outcome(ret);
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
		ret = wc_ed25519_verify_msg(sig, GK_SIG_LEN, bytes_of(message), (word32)message.len,
					    &valid, &ed);
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
		ret = wc_ed25519_import_private_key(key->d, SCALAR_LEN, key->pub.x,
						    sizeof(key->pub.x), &ed);
	if (ret == 0)
		ret = wc_ed25519_sign_msg(bytes_of(message), (word32)message.len, sig, &len, &ed);
	ed25519_end(&ed);
	return outcome(ret);
}

#endif

/* X25519 */

#if GK_HAVE_CURVE25519

/** out = X25519(d, u), RFC 7748 section 5. */
static enum gk_err x25519(const uint8_t *d, const uint8_t *u, uint8_t *out)
{
	uint8_t scalar[SCALAR_LEN];
	int ret;

	memcpy(scalar, d, sizeof(scalar));
	scalar[0] &= 0xf8;
	scalar[31] = (scalar[31] & 0x7f) | 0x40;
#ifdef WOLFSSL_CURVE25519_BLINDING
	ret = wc_curve25519_generic_blind(GK_DH_LEN, out, sizeof(scalar), scalar, GK_DH_LEN, u,
					  &gk_global.rng);
#else
	ret = wc_curve25519_generic(GK_DH_LEN, out, sizeof(scalar), scalar, GK_DH_LEN, u);
#endif
	gk_wipe(scalar, sizeof(scalar));
	return outcome(ret);
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

#if GK_HAVE_ED25519

/** With the scalar that signs, and the peer's point on Montgomery's form (RFC 10021 section 2.5.2).
 */
static enum gk_err ed25519_agree(const struct gk_key_pair *own, const struct gk_public_key *peer,
				 uint8_t *out)
{
	uint8_t hash[WC_SHA512_DIGEST_SIZE], u[GK_DH_LEN];
	enum gk_err err;

	if (!ed25519_point_valid(peer) || !gk_edwards_to_montgomery(peer->x, u))
		return GK_ERR_CRYPTO;
	/* RFC 8032 section 5.1.5: the lower half; X25519 clamps it as Ed25519 does */
	err = outcome(wc_Sha512Hash(own->d, SCALAR_LEN, hash));
	if (err == GK_OK)
		err = x25519_secret(hash, u, out);
	gk_wipe(hash, sizeof(hash));
	return err;
}

#endif
#endif

/* curves */

/** What can be done on a curve; NULL: nothing of the kind. Outputs may be spoilt on error. */
struct curve {
	int crv;
	bool (*scalar_valid)(const uint8_t *d);               /* NULL: any will do */
	bool (*point_valid)(const struct gk_public_key *pub); /* NULL: any will do */
	enum gk_err (*derive)(const uint8_t *d, struct gk_public_key *pub);
	enum gk_err (*sign)(const struct gk_key_pair *key, struct gk_span message, uint8_t *sig);
	bool (*verify)(const struct gk_public_key *pub, struct gk_span message, const uint8_t *sig);
	enum gk_err (*agree)(const struct gk_key_pair *own, const struct gk_public_key *peer,
			     uint8_t *out);
};

static const struct curve curves[] = {
	{
		.crv = GK_CRV_P256,
		.scalar_valid = gk_p256_scalar_valid,
		.point_valid = p256_point_valid,
		.derive = p256_derive,
		.sign = p256_sign,
		.verify = p256_verify,
		.agree = p256_agree,
	},
#if GK_HAVE_ED25519
	{
		.crv = GK_CRV_ED25519,
		.point_valid = ed25519_point_valid,
		.derive = ed25519_derive,
		.sign = ed25519_sign,
		.verify = ed25519_verify,
#if GK_HAVE_CURVE25519
		.agree = ed25519_agree,
#endif
	},
#endif
#if GK_HAVE_CURVE25519
	/* Any 32 bytes are a key (RFC 7748 section 5); a bad one shows in the secret. */
	{
		.crv = GK_CRV_X25519,
		.derive = x25519_derive,
		.agree = x25519_agree,
	},
#endif
};

static const struct curve *find_curve(int64_t crv)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].crv == crv)
			return &curves[i];
	}
	return NULL;
}

static bool scalar_valid(const struct curve *curve, const uint8_t *d)
{
	return !curve->scalar_valid || curve->scalar_valid(d);
}

/** What must hold before a private key is used. */
static enum gk_err check_private(const struct curve *curve, const uint8_t *d)
{
	if (!gk_global.ready)
		return GK_ERR_STATE;
	return scalar_valid(curve, d) ? GK_OK : GK_ERR_RANGE;
}

bool gk_curve_supported(int64_t crv)
{
	return find_curve(crv) != NULL;
}

int gk_sign_curve(int64_t alg)
{
	if (alg == GK_ALG_ES256)
		return GK_CRV_P256;
	if (alg == GK_ALG_EDDSA && gk_curve_supported(GK_CRV_ED25519))
		return GK_CRV_ED25519;
	return 0;
}

/* keys */

enum gk_err gk_key_from_private(int crv, struct gk_span d, struct gk_key_pair *key)
{
	const struct curve *curve = find_curve(crv);
	struct gk_key_pair made = { .pub = { .crv = crv } };
	enum gk_err err;

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	if (d.len != sizeof(made.d))
		return GK_ERR_RANGE;
	memcpy(made.d, d.data, sizeof(made.d));
	err = check_private(curve, made.d);
	if (err == GK_OK)
		err = curve->derive(made.d, &made.pub);
	if (err == GK_OK)
		*key = made;
	gk_key_pair_wipe(&made);
	return err;
}

/** Draw until the scalar is in range; a source that never gets there is no source. */
static enum gk_err draw_scalar(const struct gk_env *env, const struct curve *curve,
			       uint8_t d[static SCALAR_LEN])
{
	for (int draw = 0; draw < DRAWS_MAX; draw++) {
		if (gk_random(env, d, SCALAR_LEN) != GK_OK)
			return GK_ERR_ENTROPY;
		if (scalar_valid(curve, d))
			return GK_OK;
	}
	return GK_ERR_ENTROPY;
}

enum gk_err gk_key_generate(const struct gk_env *env, int crv, struct gk_key_pair *key)
{
	const struct curve *curve = find_curve(crv);
	uint8_t d[SCALAR_LEN];
	enum gk_err err;

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	err = draw_scalar(env, curve, d);
	if (err == GK_OK)
		err = gk_key_from_private(crv, gk_span(d, sizeof(d)), key);
	gk_wipe(d, sizeof(d));
	return err;
}

enum gk_err gk_public_key_check(const struct gk_public_key *key)
{
	const struct curve *curve = find_curve(key->crv);

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	return !curve->point_valid || curve->point_valid(key) ? GK_OK : GK_ERR_RANGE;
}

bool gk_public_key_equal(const struct gk_public_key *a, const struct gk_public_key *b)
{
	return a->crv == b->crv && gk_equal(a->x, b->x, sizeof(a->x)) &&
	       (a->crv != GK_CRV_P256 || gk_equal(a->y, b->y, sizeof(a->y)));
}

void gk_key_pair_wipe(struct gk_key_pair *key)
{
	gk_wipe(key, sizeof(*key));
}

/* signatures and key agreement */

enum gk_err gk_sign(const struct gk_key_pair *key, struct gk_span message,
		    uint8_t sig[static GK_SIG_LEN])
{
	const struct curve *curve = find_curve(key->pub.crv);
	uint8_t made[GK_SIG_LEN] = { 0 };
	enum gk_err err;

	if (!curve || !curve->sign)
		return GK_ERR_UNSUPPORTED;
	if (!countable(message))
		return GK_ERR_RANGE;
	err = check_private(curve, key->d);
	if (err == GK_OK)
		err = curve->sign(key, message, made);
	if (err == GK_OK)
		memcpy(sig, made, sizeof(made));
	return err;
}

enum gk_err gk_verify(const struct gk_public_key *key, struct gk_span message, struct gk_span sig)
{
	const struct curve *curve = find_curve(key->crv);

	if (!curve || !curve->verify)
		return GK_ERR_UNSUPPORTED;
	if (!countable(message) || sig.len != GK_SIG_LEN)
		return GK_ERR_CRYPTO;
	return curve->verify(key, message, sig.data) ? GK_OK : GK_ERR_CRYPTO;
}

enum gk_err gk_ecdh(const struct gk_key_pair *own, const struct gk_public_key *peer,
		    uint8_t out[static GK_DH_LEN])
{
	const struct curve *curve = find_curve(own->pub.crv);
	uint8_t secret[GK_DH_LEN];
	enum gk_err err;

	if (!curve || !curve->agree)
		return GK_ERR_UNSUPPORTED;
	if (peer->crv != own->pub.crv)
		return GK_ERR_CRYPTO;
	err = check_private(curve, own->d);
	if (err == GK_OK)
		err = curve->agree(own, peer, secret);
	if (err == GK_OK)
		memcpy(out, secret, sizeof(secret));
	gk_wipe(secret, sizeof(secret));
	return err;
}
