// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// A request in group mode and its two responses as a Java implementation of Group OSCORE
// (RFC 10021) printed them: EdDSA, AES-CCM-16-64-128, both modes in use; the responses are in
// pairwise mode.
//
// What is countersigned has the empty sign_protected here that RFC 9338 leaves out.
#include "libgroupkey/group_oscore.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
#define CLIENT_CRED \
	"a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d02666d796e616d6503" \
	"781a636f6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70004b4f08a101a40101" \
	"03272006215820069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"

#define SERVER_1_CRED \
	"a501781a636f6170733a2f2f7365727665722e6578616d706c652e636f6d026673656e6465720378" \
	"1a636f6170733a2f2f636c69656e742e6578616d706c652e6f7267041a70004b4f08a101a4010103" \
	"27200621582077ec358c1d344e41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b"

#define SERVER_2_CRED \
	"a501781a636f6170733a2f2f7365727665722e6578616d706c652e636f6d026773656e6465723203" \
	"781a636f6170733a2f2f636c69656e742e6578616d706c652e6f7267041a70004b4f08a101a40101" \
	"032720062158202430471d8d1d60f739dbd6f9b080e08a67cacbf811fe42537e03a8c9abbdfd06"

#define GM_CRED \
	"a501781a636f6170733a2f2f6d79736974652e6578616d706c652e636f6d026c67726f75706d616e" \
	"6167657203781a636f6170733a2f2f646f6d61696e2e6578616d706c652e6f7267041aab9b154f08" \
	"a101a4010103272006215820cde3efd3bc3f99c9c9ee210415c6cba55061b5046e963b8a58c9143a" \
	"61166472"

#define REQUEST_AAD_ARRAY \
	"8901840a0a27381a412541004042dd1146390002dd11255877a501781b636f6170733a2f2f746573" \
	"746572312e6578616d706c652e636f6d02666d796e616d6503781a636f6170733a2f2f68656c6c6f" \
	"312e6578616d706c652e6f7267041a70004b4f08a101a4010103272006215820069e912b83963acc" \
	"5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a587ca501781a636f6170733a2f2f6d79" \
	"736974652e6578616d706c652e636f6d026c67726f75706d616e6167657203781a636f6170733a2f" \
	"2f646f6d61696e2e6578616d706c652e6f7267041aab9b154f08a101a4010103272006215820cde3" \
	"efd3bc3f99c9c9ee210415c6cba55061b5046e963b8a58c9143a61166472"

#define RESPONSE_1_AAD_ARRAY \
	"8901840a0a27381a412541004042dd114208525876a501781a636f6170733a2f2f7365727665722e" \
	"6578616d706c652e636f6d026673656e64657203781a636f6170733a2f2f636c69656e742e657861" \
	"6d706c652e6f7267041a70004b4f08a101a401010327200621582077ec358c1d344e41ee0e87b838" \
	"3d23a2099acd39bdf989ce45b52e887463389b587ca501781a636f6170733a2f2f6d79736974652e" \
	"6578616d706c652e636f6d026c67726f75706d616e6167657203781a636f6170733a2f2f646f6d61" \
	"696e2e6578616d706c652e6f7267041aab9b154f08a101a4010103272006215820cde3efd3bc3f99" \
	"c9c9ee210415c6cba55061b5046e963b8a58c9143a61166472"

#define RESPONSE_2_AAD_ARRAY \
	"8901840a0a27381a412541004042dd114208775877a501781a636f6170733a2f2f7365727665722e" \
	"6578616d706c652e636f6d026773656e6465723203781a636f6170733a2f2f636c69656e742e6578" \
	"616d706c652e6f7267041a70004b4f08a101a40101032720062158202430471d8d1d60f739dbd6f9" \
	"b080e08a67cacbf811fe42537e03a8c9abbdfd06587ca501781a636f6170733a2f2f6d7973697465" \
	"2e6578616d706c652e636f6d026c67726f75706d616e6167657203781a636f6170733a2f2f646f6d" \
	"61696e2e6578616d706c652e6f7267041aab9b154f08a101a4010103272006215820cde3efd3bc3f" \
	"99c9c9ee210415c6cba55061b5046e963b8a58c9143a61166472"

#define TO_BE_SIGNED \
	"8571436f756e7465725369676e617475726530404059010e8901840a0a27381a412541004042dd11" \
	"46390002dd11255877a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d" \
	"02666d796e616d6503781a636f6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70" \
	"004b4f08a101a4010103272006215820069e912b83963acc5941b63546867dec106e5b9051f2ee14" \
	"f3bc5cc961acd43a587ca501781a636f6170733a2f2f6d79736974652e6578616d706c652e636f6d" \
	"026c67726f75706d616e6167657203781a636f6170733a2f2f646f6d61696e2e6578616d706c652e" \
	"6f7267041aab9b154f08a101a4010103272006215820cde3efd3bc3f99c9c9ee210415c6cba55061" \
	"b5046e963b8a58c9143a61166472544c82f7d4ac80ab0527d109377b32a53712f60b38"
#define FULL \
	"48029483f0aeef1c796812a096390002dd1125ff4c82f7d4ac80ab0527d109377b32a53712f60b38" \
	"cf4948b30347181b0df097fd1662c538fae0f47c45d8079069b07665ee2245d4deb074d201a062cb" \
	"6242e7bc9563c301d5e979f9cfaa801228f11eeb87e0d1ad"

#define REQUEST "48019483f0aeef1c796812a0ba68656c6c6f576f726c64"
#define PLAINTEXT "01ba68656c6c6f576f726c64"
#define OPTION "390002dd1125"
#define CIPHERTEXT "4c82f7d4ac80ab0527d109377b32a53712f60b38"
#define SIGNATURE \
	"24ca11893f6882fdb4b07578eb3dacfb95dbd2b5602c142ec4abe2f52e1778ee" \
	"3e5edc0938bd47f0a11f92684cc801c75333f659c9b0b2434254450300f3a80d"
#define ENCRYPTED_SIGNATURE \
	"cf4948b30347181b0df097fd1662c538fae0f47c45d8079069b07665ee2245d4" \
	"deb074d201a062cb6242e7bc9563c301d5e979f9cfaa801228f11eeb87e0d1ad"
#define KEYSTREAM \
	"eb83593a3c2f9ae6b940e285fd5f69c36f3b26c925f413bead1b9490c0353d3a" \
	"e0eea8db391d253bc35d75d4d9abc2c686da8fa0061a32516aa55be8871379a0"
// clang-format on

static const struct {
	const char *name, *id, *cred, *private_key, *sender_key;
} nodes[] = {
	{ "client", "25", CLIENT_CRED,
	  "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239",
	  "93c25d07e8be6ba012b6d7da50c746d9" },
	{ "server 1", "52", SERVER_1_CRED,
	  "857eb61d3f6d70a278a36740d132c099f62880ed497e27bdfd4685fa1a304f26",
	  "a8c8b7db5d05cfc7faa2bb1afaca6c2f" },
	{ "server 2", "77", SERVER_2_CRED,
	  "caa31f0cf65a10208c79eb4e9d82a43d9352c0b9d67dfde0d18561f7cac1d726",
	  "f9de8c534b0e5703b6999ff73883ebb1" },
};

static struct gk_group_common common;

static struct gk_group_sender sender(size_t node, struct gk_key_pair *key)
{
	struct gk_group_sender own = { .seq = 1 };
	assert_int_equal(
		gk_key_from_private(GK_CRV_ED25519, hex_span(nodes[node].private_key), key), GK_OK);
	assert_int_equal(gk_group_sender_init(&common, hex_span(nodes[node].id), key,
					      hex_span(nodes[node].cred), &own),
			 GK_OK);
	return own;
}

static struct gk_group_recipient recipient(size_t node)
{
	struct gk_group_recipient peer = { .window = { .next = 1 } };
	assert_int_equal(gk_group_recipient_init(&common, hex_span(nodes[node].id),
						 hex_span(nodes[node].cred), &peer),
			 GK_OK);
	return peer;
}

/** Code and what follows an 8-byte token: a message as the library has it. */
static struct gk_span without_header(const char *text)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_span whole = hex_span(text);
	gk_buf_byte(&buf, whole.data[1]);
	gk_buf_add(&buf, gk_span_sub(whole, 12, whole.len));
	return exact_copy(gk_buf_span(&buf));
}

static void common_iv_and_signature_encryption_key(void **state)
{
	(void)state;
	assert_hex_equal(gk_span(common.common_iv, 13), "47eb80969ab73847084dd6f996");
	assert_hex_equal(gk_span(common.sign_enc_key, 16), "85ca7c0bc5b8ea2e267b203dc3b71ce6");
}

static void sender_and_recipient_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct gk_key_pair key;
		const struct gk_group_sender own = sender(i, &key);
		const struct gk_group_recipient peer = recipient(i);
		assert_hex_equal_row(gk_span(own.key, 16), nodes[i].sender_key, nodes[i].name);
		assert_hex_equal_row(gk_span(peer.key, 16), nodes[i].sender_key, nodes[i].name);
	}
}

static void nonce_of_the_request(void **state)
{
	(void)state;
	uint8_t nonce[13];
	gk_oscore_nonce(common.common_iv, sizeof(nonce), hex_span("25"), hex_span("00"), nonce);
	assert_hex_equal(gk_span(nonce, sizeof(nonce)), "46eb80969ab73862084dd6f996");
}

static void aad_arrays_of_the_request_and_both_responses(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option, *cred, *aad_array;
	} rows[] = {
		{ "request", OPTION, CLIENT_CRED, REQUEST_AAD_ARRAY },
		{ "response of server 1", "0852", SERVER_1_CRED, RESPONSE_1_AAD_ARRAY },
		{ "response of server 2", "0877", SERVER_2_CRED, RESPONSE_2_AAD_ARRAY },
	};
	struct gk_oscore_ref ref = { .nonce_used = false };
	assert_int_equal(gk_id_set(&ref.kid, hex_span("25")), GK_OK);
	assert_int_equal(gk_id_set(&ref.piv, hex_span("00")), GK_OK);
	assert_int_equal(gk_id_set(&ref.gid, hex_span("dd11")), GK_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[GK_AAD_MAX];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_group_put_external_aad(&buf, &common, &ref, hex_span(rows[i].option),
					  hex_span(rows[i].cred));
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].aad_array, rows[i].name);
	}
}

static void the_responses_in_pairwise_mode_are_the_same_and_are_read(void **state)
{
	(void)state;
	if (!gk_curve_supported(GK_CRV_X25519))
		skip();
	static const struct {
		size_t node;
		const char *secret, *pairwise_key, *response;
	} rows[] = {
		{ 1, "d96cef95976bf48d387bb986457b6cb1c188408764e9c2e77dffb7564da33f59",
		  "6c5a7cf25807d97898cbc75aacbf357e",
		  "44920852fff0118468dfbf8d29cb55be2d384e7a07b0ce72aeb34b" },
		{ 2, "fc234c041db8f0f089ea40e8bfb243362c43cc48b20e629be6a6018e4a991412",
		  "1d650acdcafa3ffca08ddce54048c678",
		  "44920877ff48bbe54ce0e0b94aca60d14be42edae5d5067603f6d7" },
	};
	const char *plain = "45ff48656c6c6f20576f726c6421"; /* 2.05, "Hello World!" */
	struct gk_oscore_ref request = { .nonce_used = false };
	assert_int_equal(gk_id_set(&request.kid, hex_span("25")), GK_OK);
	assert_int_equal(gk_id_set(&request.piv, hex_span("00")), GK_OK);
	assert_int_equal(gk_id_set(&request.gid, hex_span("dd11")), GK_OK);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_key_pair server_key, client_key;
		struct gk_group_sender server = sender(rows[i].node, &server_key);
		struct gk_group_sender client = sender(0, &client_key);
		const struct gk_group_recipient at_server = recipient(0);
		const struct gk_group_recipient at_client = recipient(rows[i].node);
		struct gk_pairwise of_server, of_client;
		struct gk_oscore_ref ref = request;
		uint8_t secret[32], bytes[64], inner[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_buf in = gk_buf(inner, sizeof(inner));

		assert_int_equal(gk_ecdh(&server_key, &at_server.sign_key, secret), GK_OK);
		assert_hex_equal_row(gk_span(secret, 32), rows[i].secret, nodes[rows[i].node].name);
		assert_int_equal(gk_pairwise_init(&common, &server, &at_server, &of_server), GK_OK);
		assert_int_equal(gk_pairwise_init(&common, &client, &at_client, &of_client), GK_OK);
		assert_hex_equal_row(gk_span(of_server.sender_key, 16), rows[i].pairwise_key,
				     nodes[rows[i].node].name);
		assert_int_equal(gk_pairwise_protect_response(&common, &server, &of_server, &ref,
							      hex_span(plain), false, &out),
				 GK_OK);
		assert_hex_equal_row(gk_buf_span(&out), rows[i].response, nodes[rows[i].node].name);
		assert_int_equal(gk_pairwise_unprotect_response(&common, &at_client, &of_client,
								&request, gk_buf_span(&out), &in),
				 GK_OK);
		assert_hex_equal(gk_buf_span(&in), plain);
	}
}

static void the_signature_is_over_the_structure_with_sign_protected(void **state)
{
	(void)state;
	const struct gk_group_recipient peer = recipient(0);
	struct gk_key_pair key;
	uint8_t signature[GK_SIG_LEN];
	assert_int_equal(gk_verify(&peer.sign_key, hex_span(TO_BE_SIGNED), hex_span(SIGNATURE)),
			 GK_OK);
	sender(0, &key);
	assert_int_equal(gk_sign(&key, hex_span(TO_BE_SIGNED), signature), GK_OK);
	assert_hex_equal(gk_span(signature, sizeof(signature)), SIGNATURE);
}

static void keystream_of_the_request(void **state)
{
	(void)state;
	uint8_t keystream[GK_SIG_LEN];
	assert_int_equal(
		gk_group_keystream(&common, hex_span("25"), hex_span("00"), true, keystream),
		GK_OK);
	assert_hex_equal(gk_span(keystream, sizeof(keystream)), KEYSTREAM);

	const uint8_t *plain = hex_span(SIGNATURE).data;
	for (size_t i = 0; i < sizeof(keystream); i++)
		keystream[i] ^= plain[i];
	assert_hex_equal(gk_span(keystream, sizeof(keystream)), ENCRYPTED_SIGNATURE);
}

static void the_request_is_protected_to_the_same_bytes(void **state)
{
	(void)state;
	struct gk_key_pair key;
	struct gk_group_sender own = sender(0, &key);
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	assert_int_equal(
		gk_group_protect_request(&common, &own, without_header(REQUEST), &out, &ref),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out), "0296" OPTION "ff" CIPHERTEXT ENCRYPTED_SIGNATURE);
	assert_true(gk_span_equal(gk_buf_span(&out), without_header(FULL)));
	assert_int_equal(own.seq, 1);
}

static void the_request_is_read(void **state)
{
	(void)state;
	struct gk_group_recipient peer = recipient(0);
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	assert_int_equal(
		gk_group_unprotect_request(&common, &peer, without_header(FULL), &out, &ref),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out), PLAINTEXT);
	assert_hex_equal(gk_id_span(&ref.kid), "25");
	assert_hex_equal(gk_id_span(&ref.piv), "00");
	assert_hex_equal(gk_id_span(&ref.gid), "dd11");
	assert_int_equal(peer.window.next, 1);
}

static int start(void **state)
{
	if (core_start(state))
		return -1;
	const struct gk_group_input input = {
		.gp_enc_alg = GK_ALG_AES_CCM_16_64_128,
		.alg = GK_ALG_AES_CCM_16_64_128,
		.sign_alg = GK_ALG_EDDSA,
		.ecdh_alg = GK_ALG_ECDH_SS_HKDF_256,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span("0102030405060708090a0b0c0d0e0f10"),
		.master_salt = hex_span("9e7ca92223786340"),
		.gid = hex_span("dd11"),
		.gm_cred = hex_span(GM_CRED),
		.sign_protected = true,
	};
	return gk_group_common_init(&common, &input);
}

static int finish(void **state)
{
	(void)state;
	gk_group_common_wipe(&common);
	gk_global_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_iv_and_signature_encryption_key),
		cmocka_unit_test(sender_and_recipient_keys),
		cmocka_unit_test(nonce_of_the_request),
		cmocka_unit_test(aad_arrays_of_the_request_and_both_responses),
		cmocka_unit_test(the_responses_in_pairwise_mode_are_the_same_and_are_read),
		cmocka_unit_test(the_signature_is_over_the_structure_with_sign_protected),
		cmocka_unit_test(keystream_of_the_request),
		cmocka_unit_test(the_request_is_protected_to_the_same_bytes),
		cmocka_unit_test(the_request_is_read),
	};
	if (gk_sign_curve(GK_ALG_EDDSA) == 0) {
		printf("1..0 # SKIP this build has no Ed25519: all of %s\n", __FILE__);
		return 0;
	}
	return cmocka_run_group_tests(tests, start, finish);
}
