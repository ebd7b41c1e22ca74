// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// Published vectors of the primitives, and values computed with other implementations.
#include "libgroupkey/crypto.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void expect_err(const char *row, enum gk_err got, enum gk_err want)
{
	if (got != want)
		fail_msg("%s: got %d (%s), want %d (%s)", row, got, gk_strerror(got), want,
			 gk_strerror(want));
}

static int start(void **state)
{
	static struct test_env t;
	struct gk_env env = test_env(&t, 1);

	(void)state;
	return gk_global_init(&env) == GK_OK ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	gk_global_cleanup();
	return 0;
}

/* SHA-256 and HKDF */

static void sha256_of_fips_180_4(void **state)
{
	uint8_t out[GK_HASH_LEN];

	(void)state;
	assert_int_equal(gk_sha256(gk_span_str("abc"), out), GK_OK);
	assert_hex_equal(gk_span(out, sizeof(out)),
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(gk_sha256(gk_span(NULL, 0), out), GK_OK);
	assert_hex_equal(gk_span(out, sizeof(out)),
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* The OSCORE profile of ACE, RFC 9203 section 4.3: input from there, keys computed with another
 * implementation. Then RFC 9594's proofs of possession by MAC, computed likewise. */
#define ACE_MS          "f9af838368e353e78888e1426bd94e6f"
#define ACE_SALT        "50" ACE_MS "48018a278f7faab55a4825a8991cd700ac01"
#define ACE_EMPTY_SALT  "4048018a278f7faab55a4825a8991cd700ac01"
#define ACE_NO_SALT     "48018a278f7faab55a4825a8991cd700ac01"
#define ACE_INFO_KEY_00 "85420000f60a634b657910"
#define ACE_INFO_KEY_16 "85421645f60a634b657910"
#define ACE_INFO_IV     "8540f60a6249560d"
/* the client's input for proof of possession: scope entry ["g1", 6], N_S, N_C */
#define POP_ACE "45826267310648018a278f7faab55a4825a8991cd700ac01"
#define MAC_Z   "26c2c17fdb82161cb21ad16e721315355b64d1763119b10bfc962530dc7cc163"

static const struct {
	const char *name, *salt, *ikm, *info, *okm;
} hkdfs[] = {
	{ "RFC 5869 A.1", "000102030405060708090a0b0c",
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "f0f1f2f3f4f5f6f7f8f9",
	  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
	{ "RFC 5869 A.2",
	  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283848586878889"
	  "8a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829"
	  "2a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
	  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9"
	  "dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb"
	  "41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
	{ "RFC 5869 A.3", "", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "",
	  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
	{ "ACE, salt, key 0000", ACE_SALT, ACE_MS, ACE_INFO_KEY_00,
	  "b27e21a6e8904c69367a7903b60c19ae" },
	{ "ACE, salt, key 1645", ACE_SALT, ACE_MS, ACE_INFO_KEY_16,
	  "7ca38f735b2e0866341bfe149795d547" },
	{ "ACE, salt, IV", ACE_SALT, ACE_MS, ACE_INFO_IV, "7c3b80ba46ee86b866da7b6718" },
	{ "ACE, empty salt, key 0000", ACE_EMPTY_SALT, ACE_MS, ACE_INFO_KEY_00,
	  "8554dd374eb4cecca6e09e2d9ba84480" },
	{ "ACE, empty salt, key 1645", ACE_EMPTY_SALT, ACE_MS, ACE_INFO_KEY_16,
	  "091b6d7f314c85f03f0ab33c223191ed" },
	{ "ACE, empty salt, IV", ACE_EMPTY_SALT, ACE_MS, ACE_INFO_IV,
	  "3e5e3bd86f4f46cf3a1608a332" },
	{ "ACE, no salt, key 0000", ACE_NO_SALT, ACE_MS, ACE_INFO_KEY_00,
	  "b4f75f390fbe0b1f28624002ff8c63bd" },
	{ "ACE, no salt, key 1645", ACE_NO_SALT, ACE_MS, ACE_INFO_KEY_16,
	  "7ccd56cd3e0217d0d68b95262a967932" },
	{ "ACE, no salt, IV", ACE_NO_SALT, ACE_MS, ACE_INFO_IV, "f0242c6071e22f43bf00e22b1e" },
	{ "MAC of the client", "", MAC_Z, POP_ACE, "5ad0c23ba81a38ff" },
	{ "MAC of the KDC", "", MAC_Z, "4825a8991cd700ac0148cef04b2aa791bc6d", "fc2b6a580d4c904d" },
};

static void hkdf_of_rfc_5869_and_of_ace(void **state)
{
	uint8_t out[128];

	(void)state;
	for (size_t i = 0; i < COUNT(hkdfs); i++) {
		size_t len = strlen(hkdfs[i].okm) / 2;
		expect_err(hkdfs[i].name,
			   gk_hkdf(hex_span(hkdfs[i].salt), hex_span(hkdfs[i].ikm),
				   hex_span(hkdfs[i].info), out, len),
			   GK_OK);
		assert_hex_equal_row(gk_span(out, len), hkdfs[i].okm, hkdfs[i].name);
	}
}

/* AES-CCM */

#define KEY_3610  "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
#define KEY_OTHER "404142434445464748494a4b4c4d4e4f"
#define NONCE_7   "10111213141516"
#define NONCE_13  "101112131415161718191a1b1c"
#define AAD_8     "0001020304050607"
#define PLAINTEXT "202122232425262728292a2b2c2d2e2f3031323334353637"

/* RFC 3610 section 8, the packets with a tag of 8; the others were computed with another
 * implementation, since none are published for these lengths. */
static const struct {
	const char *name;
	int alg;
	const char *key, *nonce, *aad, *plaintext, *sealed;
} ccms[] = {
	{ "packet 1", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000003020100a0a1a2a3a4a5", AAD_8,
	  "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
	  "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0" },
	{ "packet 2", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000004030201a0a1a2a3a4a5", AAD_8,
	  "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916" },
	{ "packet 3", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000005040302a0a1a2a3a4a5", AAD_8,
	  "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
	  "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5" },
	{ "packet 4", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000006050403a0a1a2a3a4a5",
	  "000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e",
	  "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1" },
	{ "packet 5", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000007060504a0a1a2a3a4a5",
	  "000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e51e83f077d9c2d93" },
	{ "packet 6", GK_ALG_AES_CCM_16_64_128, KEY_3610, "00000008070605a0a1a2a3a4a5",
	  "000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e1f20",
	  "6fc1b011f006568b5171a42d953d469b2570a4bd87405a0443ac91cb94" },
	{ "packet 13", GK_ALG_AES_CCM_16_64_128, "d7828d13b2b0bdc325a76236df93cc6b",
	  "00412b4ea9cdbe3c9696766cfa", "0be1a88bace018b1",
	  "08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
	  "4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8e78cf7cb0cddd7b3" },
	{ "10", GK_ALG_AES_CCM_16_64_128, KEY_OTHER, NONCE_13, AAD_8, PLAINTEXT,
	  "69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc487a4f49e73527d57" },
	{ "10, no aad", GK_ALG_AES_CCM_16_64_128, KEY_OTHER, NONCE_13, "", "2021222324",
	  "69915dad1eb5bd1facce62af35" },
	{ "10, no plaintext", GK_ALG_AES_CCM_16_64_128, KEY_OTHER, NONCE_13, "000102", "",
	  "44eedb957ad974de" },
	{ "12", GK_ALG_AES_CCM_64_64_128, KEY_OTHER, NONCE_7, AAD_8, PLAINTEXT,
	  "7162015bc051951e5918aeaf3c11f3d4ac363f8d5b6af3d3fb86c36487af870b" },
	{ "12, no aad", GK_ALG_AES_CCM_64_64_128, KEY_OTHER, NONCE_7, "", "2021222324",
	  "7162015bc0d9fdbc068a086f70" },
	{ "12, no plaintext", GK_ALG_AES_CCM_64_64_128, KEY_OTHER, NONCE_7, "000102", "",
	  "d062ce5ac6bdcd8b" },
	{ "30", GK_ALG_AES_CCM_16_128_128, KEY_OTHER, NONCE_13, AAD_8, PLAINTEXT,
	  "69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc414e186ad35fb190f005ea81bc4b9a5a7" },
	{ "30, no aad", GK_ALG_AES_CCM_16_128_128, KEY_OTHER, NONCE_13, "", "2021222324",
	  "69915dad1e473d89b6cd36e8e73adb5816787cb270" },
	{ "30, no plaintext", GK_ALG_AES_CCM_16_128_128, KEY_OTHER, NONCE_13, "000102", "",
	  "d71e76af56f852e1b2f19ce98fae5c82" },
	{ "32", GK_ALG_AES_CCM_64_128_128, KEY_OTHER, NONCE_7, AAD_8, PLAINTEXT,
	  "7162015bc051951e5918aeaf3c11f3d4ac363f8d5b6af3d32404141cfaa438918e70a81427b168f9" },
	{ "32, no aad", GK_ALG_AES_CCM_64_128_128, KEY_OTHER, NONCE_7, "", "2021222324",
	  "7162015bc0fe459ef81c246684cbe65ef879d003a4" },
	{ "32, no plaintext", GK_ALG_AES_CCM_64_128_128, KEY_OTHER, NONCE_7, "000102", "",
	  "b671791a85107e27550259ea09edb338" },
};

static void ccm_of_rfc_3610_and_of_each_cose_algorithm(void **state)
{
	uint8_t memory[64];

	(void)state;
	for (size_t i = 0; i < COUNT(ccms); i++) {
		const struct gk_aead *aead = gk_aead_find(ccms[i].alg);
		struct gk_span key = hex_span(ccms[i].key);
		struct gk_span nonce = hex_span(ccms[i].nonce);
		struct gk_span aad = hex_span(ccms[i].aad);
		struct gk_buf sealed = gk_buf(memory, sizeof(memory));
		expect_err(
			ccms[i].name,
			gk_aead_seal(aead, key, nonce, aad, hex_span(ccms[i].plaintext), &sealed),
			GK_OK);
		assert_hex_equal_row(gk_buf_span(&sealed), ccms[i].sealed, ccms[i].name);
		struct gk_buf opened = gk_buf(memory, sizeof(memory));
		expect_err(ccms[i].name,
			   gk_aead_open(aead, key, nonce, aad, hex_span(ccms[i].sealed), &opened),
			   GK_OK);
		assert_hex_equal_row(gk_buf_span(&opened), ccms[i].plaintext, ccms[i].name);
	}
}

/** The longest of both, where CCM encodes the length of the aad in another way. */
static void ccm_of_the_longest_input(void **state)
{
	static uint8_t plaintext[65535], aad[65535], memory[65535 + 8];
	struct gk_buf sealed = gk_buf(memory, sizeof(memory));
	uint8_t hash[GK_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(aad); i++) {
		plaintext[i] = (uint8_t)i;
		aad[i] = (uint8_t)(7 * i);
	}
	expect_err("longest",
		   gk_aead_seal(gk_aead_find(GK_ALG_AES_CCM_16_64_128), hex_span(KEY_OTHER),
				hex_span(NONCE_13), gk_span(aad, sizeof(aad)),
				gk_span(plaintext, sizeof(plaintext)), &sealed),
		   GK_OK);
	expect_err("longest", gk_sha256(gk_buf_span(&sealed), hash), GK_OK);
	assert_hex_equal(gk_span(hash, sizeof(hash)),
			 "58bbac51843d35b22ccbacca41c747934e9c0c3c3ef416f17e3e6a909a62b5fb");
}

/* signatures */

#define D_6979  "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define X_6979  "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define Y_6979  "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define D_COUNT "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define SEED_A  "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239"
#define SEED_GM "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static const struct {
	const char *name;
	int crv;
	const char *d, *x, *y, *message, *sig;
} signatures[] = {
	{ "RFC 6979 A.2.5, sample", GK_CRV_P256, D_6979, X_6979, Y_6979, "73616d706c65",
	  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
	{ "RFC 6979 A.2.5, test", GK_CRV_P256, D_6979, X_6979, Y_6979, "74657374",
	  "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
	  "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083" },
	/* computed with another implementation */
	{ "r begins with a zero byte", GK_CRV_P256, D_6979, X_6979, Y_6979, "6d333836",
	  "00d85b70892d4c28d779675f72ce55c6e9bb3c6b2905d65691d6e66a27f68580"
	  "b3b43b9f2a80160865b696429cb065e794720c59f44d525791508fe326f6b186" },
	{ "s begins with a zero byte", GK_CRV_P256, D_6979, X_6979, Y_6979, "6d333039",
	  "13fd06eaeb3d193e61826d179030dc0f1af1d5f708e37fed4b1a64c2cf5e301d"
	  "006f395eb4f318bab9cf8d295d5baf41ca5d972f965801b9e665a128cc3c683d" },
	{ "RFC 8032 7.1, test 1", GK_CRV_ED25519,
	  "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "RFC 8032 7.1, test 2", GK_CRV_ED25519,
	  "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "RFC 8032 7.1, test 3", GK_CRV_ED25519,
	  "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	/* RFC 9594 section 4.3.1, scope entry ["g1", 6]: computed with other implementations */
	{ "client's proof, Ed25519", GK_CRV_ED25519, SEED_A,
	  "069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a", "", POP_ACE,
	  "adc18c053c56bb60d18c678d80a75018e2689c64f80c0c53d7c3590b6c1aa8d9"
	  "9bfea997e16aa69b2905cdae746ea8caeff11741561fcaa0b2ed960ad1454d06" },
	{ "KDC's proof, Ed25519", GK_CRV_ED25519, SEED_GM,
	  "4fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33cbe65c4", "",
	  "4825a8991cd700ac0148cef04b2aa791bc6d",
	  "c4170c8c06f5ddc0744dae452643f927727ac66deda1930a65458d632fc2f469"
	  "a63b5ff5a312b93c8b43e6af32624ecc7f07792f7d043fe3d5eb0b88db3d8e01" },
	{ "client's proof, ES256", GK_CRV_P256, D_COUNT,
	  "515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f",
	  "4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354", POP_ACE,
	  "d01d5ef36eea6299309be20173d9bebc6b9af611972b1aaf9f709cd2c2cec334"
	  "bd3a40a41a8275d1a9f097a0fc429bca7598943778cd8db54ef5aeb535ccb6e7" },
};

static void signature_is_that_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(signatures); i++) {
		const char *name = signatures[i].name;
		struct gk_span message = hex_span(signatures[i].message);
		struct gk_key_pair key;
		uint8_t sig[GK_SIG_LEN];
		enum gk_err err =
			gk_key_from_private(signatures[i].crv, hex_span(signatures[i].d), &key);
		if (!gk_curve_supported(signatures[i].crv)) {
			expect_err(name, err, GK_ERR_UNSUPPORTED);
			continue;
		}
		expect_err(name, err, GK_OK);
		assert_hex_equal_row(gk_span(key.pub.x, 32), signatures[i].x, name);
		if (signatures[i].crv == GK_CRV_P256)
			assert_hex_equal_row(gk_span(key.pub.y, 32), signatures[i].y, name);
		expect_err(name, gk_public_key_check(&key.pub), GK_OK);
		expect_err(name, gk_sign(&key, message, sig), GK_OK);
		assert_hex_equal_row(gk_span(sig, sizeof(sig)), signatures[i].sig, name);
		expect_err(name, gk_verify(&key.pub, message, hex_span(signatures[i].sig)), GK_OK);
	}
}

/** 64 keys SHA-256("d0") ..., 64 messages "m0" ...: SHA-256 over all r|s, computed elsewhere. */
static void sixty_four_es256_signatures_are_those_of_another_implementation(void **state)
{
	uint8_t sigs[64][GK_SIG_LEN];
	uint8_t d[GK_HASH_LEN];
	char text[16];

	(void)state;
	for (int i = 0; i < 64; i++) {
		struct gk_key_pair key;
		snprintf(text, sizeof(text), "d%d", i);
		expect_err(text, gk_sha256(gk_span_str(text), d), GK_OK);
		expect_err(text, gk_key_from_private(GK_CRV_P256, gk_span(d, sizeof(d)), &key),
			   GK_OK);
		snprintf(text, sizeof(text), "m%d", i);
		expect_err(text, gk_sign(&key, gk_span_str(text), sigs[i]), GK_OK);
		expect_err(
			text,
			gk_verify(&key.pub, gk_span_str(text), gk_span(sigs[i], sizeof(sigs[i]))),
			GK_OK);
	}
	expect_err(text, gk_sha256(gk_span(sigs, sizeof(sigs)), d), GK_OK);
	assert_hex_equal(gk_span(d, sizeof(d)),
			 "6cc0456cc27379e9322d74200edd601ce7e2a308b57da745e803bd7847cd67bf");
}

/* key agreement */

static const struct {
	const char *name;
	int crv;
	const char *d, *x, *y; /* own */
	const char *peer_d, *peer_x, *peer_y;
	const char *secret;
} agreements[] = {
	{ "RFC 7748 6.1", GK_CRV_X25519,
	  "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", "",
	  "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", "",
	  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
	{ "RFC 5903 8.1", GK_CRV_P256,
	  "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
	  "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
	  "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
	  "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
	  "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
	  "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
	  "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de" },
	{ "Z of a group without signatures", GK_CRV_X25519, D_COUNT,
	  "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c", "",
	  "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60",
	  "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466", "", MAC_Z },
};

static void secret_is_that_of_the_rfc_on_both_sides(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(agreements); i++) {
		const char *name = agreements[i].name;
		struct gk_key_pair own, peer;
		uint8_t secret[GK_DH_LEN];
		enum gk_err err =
			gk_key_from_private(agreements[i].crv, hex_span(agreements[i].d), &own);
		if (!gk_curve_supported(agreements[i].crv)) {
			expect_err(name, err, GK_ERR_UNSUPPORTED);
			continue;
		}
		expect_err(name, err, GK_OK);
		expect_err(name,
			   gk_key_from_private(agreements[i].crv, hex_span(agreements[i].peer_d),
					       &peer),
			   GK_OK);
		assert_hex_equal_row(gk_span(own.pub.x, 32), agreements[i].x, name);
		assert_hex_equal_row(gk_span(peer.pub.x, 32), agreements[i].peer_x, name);
		if (agreements[i].crv == GK_CRV_P256) {
			assert_hex_equal_row(gk_span(own.pub.y, 32), agreements[i].y, name);
			assert_hex_equal_row(gk_span(peer.pub.y, 32), agreements[i].peer_y, name);
		}
		expect_err(name, gk_ecdh(&own, &peer.pub, secret), GK_OK);
		assert_hex_equal_row(gk_span(secret, sizeof(secret)), agreements[i].secret, name);
		memset(secret, 0, sizeof(secret));
		expect_err(name, gk_ecdh(&peer, &own.pub, secret), GK_OK);
		assert_hex_equal_row(gk_span(secret, sizeof(secret)), agreements[i].secret, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_fips_180_4),
		cmocka_unit_test(hkdf_of_rfc_5869_and_of_ace),
		cmocka_unit_test(ccm_of_rfc_3610_and_of_each_cose_algorithm),
		cmocka_unit_test(ccm_of_the_longest_input),
		cmocka_unit_test(signature_is_that_of_the_rfc),
		cmocka_unit_test(sixty_four_es256_signatures_are_those_of_another_implementation),
		cmocka_unit_test(secret_is_that_of_the_rfc_on_both_sides),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
