// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// OSCORE and Group OSCORE values computed with a Python script on common crypto and CBOR
// libraries. Its keys of the first table are also those of Californium's unit test for group key
// derivation; the messages nobody else has confirmed. They sign what RFC 9338 section 3.3 says:
// without sign_protected.
#include "libgroupkey/group_oscore.h"

#include "libgroupkey/edwards.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALG_A128CTR  (-65534) /* RFC 9459 section 4; not in this library */

// clang-format off
#define CRED_A \
	"a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d02666d796e616d6503" \
	"781a636f6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70004b4f08a101a40101" \
	"03272006215820069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"

#define CRED_B \
	"a501781a636f6170733a2f2f7365727665722e6578616d706c652e636f6d026673656e6465720378" \
	"1a636f6170733a2f2f636c69656e742e6578616d706c652e6f7267041a70004b4f08a101a4010103" \
	"27200621582077ec358c1d344e41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b"

#define CRED_GM \
	"a20262676d08a101a40101032720062158204fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad" \
	"30d91c465be33cbe65c4"

#define AAD_ARRAY \
	"8901840a0a27381a412541004042dd1146390002dd11255877a501781b636f6170733a2f2f746573" \
	"746572312e6578616d706c652e636f6d02666d796e616d6503781a636f6170733a2f2f68656c6c6f" \
	"312e6578616d706c652e6f7267041a70004b4f08a101a4010103272006215820069e912b83963acc" \
	"5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a5832a20262676d08a101a40101032720" \
	"062158204fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33cbe65c4"

#define REQUEST_SIGNATURE \
	"bbf4c5ebc72e48f366a3feffa35de352ee705fe2d3a6296887dbc228818062b39d7d037bf0e88fa0" \
	"9f0f5bdd9eb948dc7dc52ab5cc31810306d02fa32981870e"

#define REQUEST_KEYSTREAM \
	"eb83593a3c2f9ae6b940e285fd5f69c36f3b26c925f413bead1b9490c0353d3ae0eea8db391d253b" \
	"c35d75d4d9abc2c686da8fa0061a32516aa55be8871379a0"

#define REQUEST_PAYLOAD \
	"4c82f7d4ac80ab0527d10937d8fef23215f6938950779cd1fb01d215dfe31c7a5e028a91814b792b" \
	"f6523ad62ac056b841b55f897d93aba0c9f5aa9b5c522e0947128a1afb1fa515ca2bb3526c75744b" \
	"ae92feae"

#define RESPONSE_SIGNATURE \
	"ceef8e1176a6744072a9d1875e010523b584cc1b501927946e0d825f9700edd0d5ebc0d3e84afc08" \
	"48c273e7525493beeb254343b131ae8b36c4568c8b51c20a"

#define RESPONSE_KEYSTREAM \
	"4102ee3a3451ff0d44a7cb82ad7b5f77d6ce3ba608591083fd1da871795b19016cd46240df9cff2d" \
	"1cb8f670424db14739f4ff0e800b36b2b2b370bb57820a88"

#define RESPONSE_PAYLOAD \
	"d32f132d45339f6233abcd3e2be63f8fed602b42f78b4d360e1a05f37a5a54634af7bd5840371793" \
	"102a2eee5bf4d1b93fa29337d60325547a8597101922f9d2d1bc4d313a983984772637dcd3c882"

#define ONE_TO_MANY_PLAINTEXT \
	"a7070108a20250f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0642dd1209060a010b1a72bd1a100c1a00" \
	"278d001822814177"

#define ONE_TO_MANY_SIGNATURE \
	"fa7d6abec0ebddb650ff3d88771a803b5781629901ae01120fc5d461125f6cd1ae54c429ac691c21" \
	"93cca09a734e737bd4eeb386e75f7d7082f7b9ef9ef5360d"

#define ONE_TO_MANY \
	"8346a2010a0441c1a2064d000000000000000000000000060c5840fa7d6abec0ebddb650ff3d8877" \
	"1a803b5781629901ae01120fc5d461125f6cd1ae54c429ac691c2193cca09a734e737bd4eeb386e7" \
	"5f7d7082f7b9ef9ef5360d58388a3d6671aa43cce1186bdd20b9ea4d3b0bd974b08eeb90012ba07d" \
	"25ac7c496b6f7ac9a45cbeb8b564d76113c23b4222cdb26067d045be3a"

#define SEED_A "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239"
#define SEED_B "857eb61d3f6d70a278a36740d132c099f62880ed497e27bdfd4685fa1a304f26"
#define REQUEST_OPTION "390002dd1125"
#define RESPONSE_OPTION "2852"
// clang-format on

/* derivation */

/** Keying material: a group's, or an association's without ID Context. */
static const struct {
	const char *master_secret, *master_salt, *id_context;
} materials[] = {
	/* the public unit test */
	{ "0102030405060708090a0b0c0d0e0f10", "9e7ca92223786340", "37cbf3210017a2d3" },
	/* our group */
	{ "0102030405060708090a0b0c0d0e0f10", "9e7ca92223786340", "dd11" },
	/* our group after a rekeying: no salt was sent, so it is empty */
	{ "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "", "dd12" },
	/* ACE profile with a salt: Master Salt is bstr(salt) | bstr(N1) | bstr(N2) */
	{ "f9af838368e353e78888e1426bd94e6f",
	  "50f9af838368e353e78888e1426bd94e6f48018a278f7faab55a4825a8991cd700ac01", NULL },
	/* ACE profile without a salt, its empty string encoded */
	{ "f9af838368e353e78888e1426bd94e6f", "4048018a278f7faab55a4825a8991cd700ac01", NULL },
	/* ACE profile without a salt, left out */
	{ "f9af838368e353e78888e1426bd94e6f", "48018a278f7faab55a4825a8991cd700ac01", NULL },
};

static struct gk_oscore_input material(size_t which, int64_t alg)
{
	const char *id_context = materials[which].id_context;
	return (struct gk_oscore_input){
		.alg = alg,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span(materials[which].master_secret),
		.master_salt = hex_span(materials[which].master_salt),
		.has_id_context = id_context != NULL,
		.id_context = hex_span(id_context ? id_context : ""),
	};
}

static void keys_and_ivs(void **state)
{
	(void)state;
	static const struct {
		size_t material;
		int64_t alg;
		const char *id, *type;
		const char *want;
	} rows[] = {
		{ 0, 10, "01", "Key", "e39a0c7c77b43f03b4b39ab9a268699f" },
		{ 0, 10, "", "Key", "af2a1300a5e95788b356336eeecd2b92" },
		{ 0, 10, "aa", "Key", "4d9eabdba0f97f044fc0ee5313b1ebc6" },
		{ 1, 10, "25", "Key", "93c25d07e8be6ba012b6d7da50c746d9" },
		{ 1, 10, "52", "Key", "a8c8b7db5d05cfc7faa2bb1afaca6c2f" },
		{ 1, 10, "", "IV", "47eb80969ab73847084dd6f996" },
		{ 1, 10, "", "SEKey", "85ca7c0bc5b8ea2e267b203dc3b71ce6" },
		{ 2, 10, "25", "Key", "1825b254054210fb545520da496c683a" },
		{ 2, 10, "52", "Key", "ac8ae4643c744527aab93a4d755e6cef" },
		{ 2, 10, "", "IV", "eb16975d17cdc9a96abcd0955f" },
		{ 2, 10, "", "SEKey", "bae33830b04fef3847a15e05d9d79f51" },
		{ 1, ALG_A128CTR, "25", "Key", "cd387af0c953a3cda88b6a7702659bc4" },
		{ 1, ALG_A128CTR, "", "IV", "fe032fb78b5d0d520b90fcdd41" },
		{ 1, ALG_A128CTR, "", "SEKey", "00f5b81199710b762b16acda41aa9f49" },
		{ 3, 10, "0000", "Key", "b27e21a6e8904c69367a7903b60c19ae" },
		{ 3, 10, "1645", "Key", "7ca38f735b2e0866341bfe149795d547" },
		{ 3, 10, "", "IV", "7c3b80ba46ee86b866da7b6718" },
		{ 4, 10, "0000", "Key", "8554dd374eb4cecca6e09e2d9ba84480" },
		{ 4, 10, "1645", "Key", "091b6d7f314c85f03f0ab33c223191ed" },
		{ 4, 10, "", "IV", "3e5e3bd86f4f46cf3a1608a332" },
		{ 5, 10, "0000", "Key", "b4f75f390fbe0b1f28624002ff8c63bd" },
		{ 5, 10, "1645", "Key", "7ccd56cd3e0217d0d68b95262a967932" },
		{ 5, 10, "", "IV", "f0242c6071e22f43bf00e22b1e" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t out[16];
		char name[64];
		const struct gk_oscore_input input = material(rows[i].material, rows[i].alg);
		size_t len = strcmp(rows[i].type, "IV") == 0 ? 13 : 16;
		snprintf(name, sizeof(name), "row %zu, %s of '%s'", i, rows[i].type, rows[i].id);
		assert_int_equal(
			gk_oscore_derive(&input, hex_span(rows[i].id), rows[i].type, out, len),
			GK_OK);
		assert_hex_equal_row(gk_span(out, len), rows[i].want, name);
	}
}

static void info_arrays(void **state)
{
	(void)state;
	static const struct {
		const char *id, *type;
		int64_t alg;
		size_t len;
		const char *want;
	} rows[] = {
		{ "25", "Key", 10, 16, "85412542dd110a634b657910" },
		{ "", "IV", 10, 13, "854042dd110a6249560d" },
		{ "", "SEKey", 10, 16, "854042dd110a6553454b657910" },
		{ "25", "Key", ALG_A128CTR, 16, "85412542dd1139fffd634b657910" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_oscore_put_info(&buf, hex_span(rows[i].id), true, hex_span("dd11"), rows[i].alg,
				   rows[i].type, rows[i].len);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].type);
	}
}

/** Each party chooses its own Recipient ID: the KDC sends with the client's (RFC 9203 4.3). */
static void associations_of_the_ace_profile(void **state)
{
	(void)state;
	static const struct {
		size_t material;
		const char *key_0000, *key_1645, *common_iv;
	} rows[] = {
		{ 3, "b27e21a6e8904c69367a7903b60c19ae", "7ca38f735b2e0866341bfe149795d547",
		  "7c3b80ba46ee86b866da7b6718" },
		{ 4, "8554dd374eb4cecca6e09e2d9ba84480", "091b6d7f314c85f03f0ab33c223191ed",
		  "3e5e3bd86f4f46cf3a1608a332" },
		{ 5, "b4f75f390fbe0b1f28624002ff8c63bd", "7ccd56cd3e0217d0d68b95262a967932",
		  "f0242c6071e22f43bf00e22b1e" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_oscore kdc;
		struct gk_oscore_input input = material(rows[i].material, 10);
		input.sender_id = hex_span("1645");
		input.recipient_id = hex_span("0000");
		assert_int_equal(gk_oscore_init(&kdc, &input), GK_OK);
		assert_hex_equal(gk_span(kdc.sender_key, 16), rows[i].key_1645);
		assert_hex_equal(gk_span(kdc.recipient_key, 16), rows[i].key_0000);
		assert_hex_equal(gk_span(kdc.common_iv, 13), rows[i].common_iv);
	}
}

/* the group */

static struct gk_group_common group(size_t which, int64_t sign_alg)
{
	struct gk_group_common common = { .enc = NULL };
	const struct gk_group_input input = {
		.gp_enc_alg = GK_ALG_AES_CCM_16_64_128,
		.alg = GK_ALG_AES_CCM_16_64_128,
		.sign_alg = sign_alg,
		.ecdh_alg = GK_ALG_ECDH_SS_HKDF_256,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span(materials[which].master_secret),
		.master_salt = hex_span(materials[which].master_salt),
		.gid = hex_span(materials[which].id_context),
		.gm_cred = hex_span(CRED_GM),
	};
	assert_int_equal(gk_group_common_init(&common, &input), GK_OK);
	return common;
}

/** Neither depends on the signature algorithm, so this needs no EdDSA. */
static void common_contexts_before_and_after_the_rekeying(void **state)
{
	(void)state;
	static const struct {
		size_t material;
		const char *common_iv, *sign_enc_key;
	} rows[] = {
		{ 1, "47eb80969ab73847084dd6f996", "85ca7c0bc5b8ea2e267b203dc3b71ce6" },
		{ 2, "eb16975d17cdc9a96abcd0955f", "bae33830b04fef3847a15e05d9d79f51" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_group_common common = group(rows[i].material, GK_ALG_ES256);
		assert_hex_equal(gk_span(common.common_iv, 13), rows[i].common_iv);
		assert_hex_equal(gk_span(common.sign_enc_key, 16), rows[i].sign_enc_key);
	}
}

/** The request's payload and the response's are ciphertext | encrypted countersignature. */
static void keystreams(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool is_request;
		const char *keystream, *signature, *payload;
	} rows[] = {
		{ "request", true, REQUEST_KEYSTREAM, REQUEST_SIGNATURE, REQUEST_PAYLOAD },
		{ "response", false, RESPONSE_KEYSTREAM, RESPONSE_SIGNATURE, RESPONSE_PAYLOAD },
	};
	const struct gk_group_common common = group(1, GK_ALG_ES256);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t keystream[GK_SIG_LEN];
		struct gk_span payload = hex_span(rows[i].payload);
		assert_int_equal(gk_group_keystream(&common, hex_span("25"), hex_span("00"),
						    rows[i].is_request, keystream),
				 GK_OK);
		assert_hex_equal_row(gk_span(keystream, sizeof(keystream)), rows[i].keystream,
				     rows[i].name);
		for (size_t j = 0; j < sizeof(keystream); j++)
			keystream[j] ^= payload.data[payload.len - GK_SIG_LEN + j];
		assert_hex_equal_row(gk_span(keystream, sizeof(keystream)), rows[i].signature,
				     rows[i].name);
	}
}

static void aad_array_of_the_request(void **state)
{
	(void)state;
	if (gk_sign_curve(GK_ALG_EDDSA) == 0) {
		print_message("# SKIP this build has no Ed25519\n");
		skip();
	}
	uint8_t bytes[GK_AAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct gk_group_common common = group(1, GK_ALG_EDDSA);
	struct gk_oscore_ref ref = { .nonce_used = false };
	assert_int_equal(gk_id_set(&ref.kid, hex_span("25")), GK_OK);
	assert_int_equal(gk_id_set(&ref.piv, hex_span("00")), GK_OK);
	assert_int_equal(gk_id_set(&ref.gid, hex_span("dd11")), GK_OK);
	gk_group_put_external_aad(&buf, &common, &ref, hex_span(REQUEST_OPTION), hex_span(CRED_A));
	assert_hex_equal(gk_buf_span(&buf), AAD_ARRAY);
}

static void group_mode_request_and_response(void **state)
{
	(void)state;
	if (gk_sign_curve(GK_ALG_EDDSA) == 0) {
		print_message("# SKIP this build has no Ed25519\n");
		skip();
	}
	const struct gk_group_common common = group(1, GK_ALG_EDDSA);
	struct gk_key_pair key_a, key_b;
	struct gk_group_sender a, b;
	struct gk_group_recipient peer_a, peer_b;
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_A), &key_a), GK_OK);
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_B), &key_b), GK_OK);
	assert_int_equal(
		gk_group_sender_init(&common, hex_span("25"), &key_a, hex_span(CRED_A), &a), GK_OK);
	assert_int_equal(
		gk_group_sender_init(&common, hex_span("52"), &key_b, hex_span(CRED_B), &b), GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&common, hex_span("25"), hex_span(CRED_A), &peer_a), GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&common, hex_span("52"), hex_span(CRED_B), &peer_b), GK_OK);

	uint8_t bytes[256], inner[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes)), in = gk_buf(inner, sizeof(inner));
	struct gk_oscore_ref sent, received;
	const char *request = "01ba68656c6c6f576f726c64"; /* GET /helloWorld */
	assert_int_equal(gk_group_protect_request(&common, &a, hex_span(request), &out, &sent),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&out), "0296" REQUEST_OPTION "ff" REQUEST_PAYLOAD);
	assert_int_equal(
		gk_group_unprotect_request(&common, &peer_a, gk_buf_span(&out), &in, &received),
		GK_OK);
	assert_hex_equal(gk_buf_span(&in), request);

	out = gk_buf(bytes, sizeof(bytes));
	in = gk_buf(inner, sizeof(inner));
	const char *response = "45ff68656c6c6f"; /* 2.05, "hello" */
	assert_int_equal(
		gk_group_protect_response(&common, &b, &received, hex_span(response), false, &out),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out), "4492" RESPONSE_OPTION "ff" RESPONSE_PAYLOAD);
	assert_int_equal(
		gk_group_unprotect_response(&common, &peer_b, &sent, gk_buf_span(&out), &in),
		GK_OK);
	assert_hex_equal(gk_buf_span(&in), response);
}

/* pairwise mode */

#define U_OF_B       "f9c10483e2d2c9c70bbf6f7e535411daa27f37ff93adfcf5afce9a53986d7a10"
#define SECRET_OF_AB "d96cef95976bf48d387bb986457b6cb1c188408764e9c2e77dffb7564da33f59"
#define KEY_A_TO_B   "ee3f6fd7e62780a786cf80a49027295b"
#define KEY_B_TO_A   "6c5a7cf25807d97898cbc75aacbf357e"

static bool skip_pairwise(void)
{
	if (gk_sign_curve(GK_ALG_EDDSA) != 0 && gk_curve_supported(GK_CRV_X25519))
		return false;
	print_message("# SKIP this build has no Ed25519 or no X25519\n");
	return true;
}

static void secret_of_two_signing_keys(void **state)
{
	(void)state;
	struct gk_key_pair key_a, key_b;
	uint8_t out[32];
	if (skip_pairwise())
		skip();
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_A), &key_a), GK_OK);
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_B), &key_b), GK_OK);
	assert_true(gk_edwards_to_montgomery(key_b.pub.x, out));
	assert_hex_equal(gk_span(out, sizeof(out)), U_OF_B);
	assert_int_equal(gk_ecdh(&key_a, &key_b.pub, out), GK_OK);
	assert_hex_equal(gk_span(out, sizeof(out)), SECRET_OF_AB);
	assert_int_equal(gk_ecdh(&key_b, &key_a.pub, out), GK_OK);
	assert_hex_equal(gk_span(out, sizeof(out)), SECRET_OF_AB);
}

static void pairwise_keys_and_request(void **state)
{
	(void)state;
	if (skip_pairwise())
		skip();
	const struct gk_group_common common = group(1, GK_ALG_EDDSA);
	const char *request = "01ba68656c6c6f576f726c64"; /* GET /helloWorld */
	struct gk_key_pair key_a, key_b;
	struct gk_group_sender a, b;
	struct gk_group_recipient peer_a, peer_b;
	struct gk_pairwise of_a, of_b;
	uint8_t bytes[64], inner[64];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes)), in = gk_buf(inner, sizeof(inner));
	struct gk_oscore_ref sent, received;

	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_A), &key_a), GK_OK);
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(SEED_B), &key_b), GK_OK);
	assert_int_equal(
		gk_group_sender_init(&common, hex_span("25"), &key_a, hex_span(CRED_A), &a), GK_OK);
	assert_int_equal(
		gk_group_sender_init(&common, hex_span("52"), &key_b, hex_span(CRED_B), &b), GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&common, hex_span("25"), hex_span(CRED_A), &peer_a), GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&common, hex_span("52"), hex_span(CRED_B), &peer_b), GK_OK);
	assert_int_equal(gk_pairwise_init(&common, &a, &peer_b, &of_a), GK_OK);
	assert_int_equal(gk_pairwise_init(&common, &b, &peer_a, &of_b), GK_OK);
	assert_hex_equal(gk_span(of_a.sender_key, 16), KEY_A_TO_B);
	assert_hex_equal(gk_span(of_a.recipient_key, 16), KEY_B_TO_A);
	assert_hex_equal(gk_span(of_b.sender_key, 16), KEY_B_TO_A);
	assert_hex_equal(gk_span(of_b.recipient_key, 16), KEY_A_TO_B);

	a.seq = 1;
	assert_int_equal(
		gk_pairwise_protect_request(&common, &a, &of_a, hex_span(request), &out, &sent),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out),
			 "0296190102dd1125ff7b6c9cb31279ba039d8a397338cb8239f43f5513");
	assert_int_equal(gk_pairwise_unprotect_request(&common, &peer_a, &of_b, gk_buf_span(&out),
						       &in, &received),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&in), request);
}

/* Section 9.6: another format for the rekeying by one message than that of this library, put
 * together from the parts that it has. */

static void one_to_many_message(void **state)
{
	(void)state;
	if (gk_sign_curve(GK_ALG_EDDSA) == 0) {
		print_message("# SKIP this build has no Ed25519\n");
		skip();
	}
	uint8_t enc_bytes[64], sealed_bytes[256], tbs_bytes[320], message_bytes[512];
	uint8_t sig[GK_SIG_LEN];
	struct gk_buf enc = gk_buf(enc_bytes, sizeof(enc_bytes));
	struct gk_buf sealed = gk_buf(sealed_bytes, sizeof(sealed_bytes));
	struct gk_buf tbs = gk_buf(tbs_bytes, sizeof(tbs_bytes));
	struct gk_buf message = gk_buf(message_bytes, sizeof(message_bytes));
	struct gk_span protected_header = hex_span("a2010a0441c1");
	struct gk_key_pair gm;

	gk_cose_put_enc_structure(&enc, protected_header, hex_span(""));
	assert_hex_equal(gk_buf_span(&enc), "8368456e63727970743046a2010a0441c140");
	assert_int_equal(gk_aead_seal(gk_aead_find(GK_ALG_AES_CCM_16_64_128),
				      hex_span("101112131415161718191a1b1c1d1e1f"),
				      hex_span("202122232425262728292a2b2a"), gk_buf_span(&enc),
				      hex_span(ONE_TO_MANY_PLAINTEXT), &sealed),
			 GK_OK);
	gk_cose_put_countersign_structure(&tbs, protected_header, hex_span(""),
					  gk_buf_span(&sealed));
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519,
					     hex_span("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
						      "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"),
					     &gm),
			 GK_OK);
	assert_int_equal(gk_sign(&gm, gk_buf_span(&tbs), sig), GK_OK);
	assert_hex_equal(gk_span(sig, sizeof(sig)), ONE_TO_MANY_SIGNATURE);

	gk_put_array(&message, 3);
	gk_put_bytes(&message, protected_header);
	gk_put_map(&message, 2);
	gk_put_int(&message, GK_HEADER_PARTIAL_IV);
	gk_put_bytes(&message, hex_span("00000000000000000000000006"));
	gk_put_int(&message, 12); // Countersignature0 version 2
	gk_put_bytes(&message, gk_span(sig, sizeof(sig)));
	gk_put_bytes(&message, gk_buf_span(&sealed));
	assert_hex_equal(gk_buf_span(&message), ONE_TO_MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_ivs),
		cmocka_unit_test(info_arrays),
		cmocka_unit_test(associations_of_the_ace_profile),
		cmocka_unit_test(common_contexts_before_and_after_the_rekeying),
		cmocka_unit_test(keystreams),
		cmocka_unit_test(aad_array_of_the_request),
		cmocka_unit_test(group_mode_request_and_response),
		cmocka_unit_test(secret_of_two_signing_keys),
		cmocka_unit_test(pairwise_keys_and_request),
		cmocka_unit_test(one_to_many_message),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
