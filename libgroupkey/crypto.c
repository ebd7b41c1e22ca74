// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto_inside.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/wc_port.h>
#if GK_HAVE_CRYPTO_CB
#include <wolfssl/wolfcrypt/cryptocb.h>
#endif

#include <string.h>

/* CCM with a nonce of 13 bytes counts the message in two (RFC 3610 section 2.1). No CoAP message
 * is longer, so that the other nonce length gets no more. */
#define AEAD_INPUT_MAX 65535

/** The one mutable global of the library: wolfSSL's table of devices is one too. */
static struct {
	bool ready;
	struct gk_env env;
	WC_RNG rng; /* for blinding only: no key and no nonce comes from it */
} gk_global;

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
	return ret == RNG_FAILURE_E ? GK_ERR_ENTROPY : gk_crypto_outcome(ret);
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

bool gk_crypto_ready(void)
{
	return gk_global.ready;
}

WC_RNG *gk_crypto_rng(void)
{
	return &gk_global.rng;
}

enum gk_err gk_crypto_outcome(int ret)
{
	return ret == 0 ? GK_OK : GK_ERR_CRYPTO;
}

/* bytes */

const uint8_t *gk_crypto_bytes(struct gk_span span)
{
	return span.len > 0 ? span.data : (const uint8_t *)"";
}

bool gk_crypto_countable(struct gk_span span)
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
		ret = wc_AesCcmEncrypt(&aes, dest, gk_crypto_bytes(plaintext),
				       (word32)plaintext.len, nonce.data, (word32)nonce.len,
				       dest + plaintext.len, aead->tag_len, gk_crypto_bytes(aad),
				       (word32)aad.len);
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
				       gk_crypto_bytes(aad), (word32)aad.len);
	end_ccm(&aes);
	return settle(out, dest, len, ret);
}

/* hashes */

enum gk_err gk_sha256(struct gk_span data, uint8_t out[static GK_HASH_LEN])
{
	if (!gk_crypto_countable(data))
		return GK_ERR_RANGE;
	return gk_crypto_outcome(wc_Sha256Hash(gk_crypto_bytes(data), (word32)data.len, out));
}

enum gk_err gk_hmac(struct gk_span key, struct gk_span data, uint8_t out[static GK_HASH_LEN])
{
	uint8_t made[GK_HASH_LEN];
	Hmac hmac;
	int ret;

	if (!gk_crypto_countable(key) || !gk_crypto_countable(data))
		return GK_ERR_RANGE;
	memset(&hmac, 0, sizeof(hmac));
	ret = wc_HmacInit(&hmac, NULL, INVALID_DEVID);
	if (ret == 0)
		ret = wc_HmacSetKey(&hmac, WC_SHA256, gk_crypto_bytes(key), (word32)key.len);
	if (ret == 0)
		ret = wc_HmacUpdate(&hmac, gk_crypto_bytes(data), (word32)data.len);
	if (ret == 0)
		ret = wc_HmacFinal(&hmac, made);
	wc_HmacFree(&hmac);
	gk_wipe(&hmac, sizeof(hmac));
	if (ret == 0)
		memcpy(out, made, sizeof(made));
	gk_wipe(made, sizeof(made));
	return gk_crypto_outcome(ret);
}

enum gk_err gk_hkdf(struct gk_span salt, struct gk_span ikm, struct gk_span info, uint8_t *out,
		    size_t len)
{
	/* RFC 5869 section 2.3; wolfSSL 5.5 lets its counter run over */
	if (len > (size_t)255 * GK_HASH_LEN || !gk_crypto_countable(salt) ||
	    !gk_crypto_countable(ikm) || !gk_crypto_countable(info))
		return GK_ERR_RANGE;
	return gk_crypto_outcome(wc_HKDF(
		WC_SHA256, gk_crypto_bytes(ikm), (word32)ikm.len, gk_crypto_bytes(salt),
		(word32)salt.len, gk_crypto_bytes(info), (word32)info.len, out, (word32)len));
}
