// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Messages of RFC 9594 and its profile: read by the readers that the KDC and the member
// use, and compared byte for byte with what they write where a message has no choice.

#include "libgroupkey/client.h"
#include "libgroupkey/group.h"
#include "libgroupkey/member.h"
#include "libgroupkey/serve.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define N_S "018a278f7faab55a"
#define N_C "25a8991cd700ac01"

static const char join_request[] =
	"a50345826267310604f6055877a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d02"
	"666d796e616d6503781a636f6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70004b4f08a101"
	"a4010103272006215820069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a064825"
	"a8991cd700ac0118185840adc18c053c56bb60d18c678d80a75018e2689c64f80c0c53d7c3590b6c1aa8d99bfe"
	"a997e16aa69b2905cdae746ea8caeff11741561fcaa0b2ed960ad1454d06";

static const char join_response[] =
	"ad070108ac02500102030405060708090a0b0c0d0e0f100305040a05489e7ca922237863400642dd1107412508"
	"0e090a0a270b8281018201060c381a0d82810182010409050a010b1a72bd0c000c1a00278d000d815876a50178"
	"1a636f6170733a2f2f7365727665722e6578616d706c652e636f6d026673656e64657203781a636f6170733a2f"
	"2f636c69656e742e6578616d706c652e6f7267041a70004b4f08a101a401010327200621582077ec358c1d344e"
	"41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b0e81040f81415210a201190e100200115832a202"
	"62676d08a101a40101032720062158204fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33c"
	"be65c41248cef04b2aa791bc6d135840c4170c8c06f5ddc0744dae452643f927727ac66deda1930a65458d632f"
	"c2f469a63b5ff5a312b93c8b43e6af32624ecc7f07792f7d043fe3d5eb0b88db3d8e01";

static const char rekeying[] =
	"a7070108a20250f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0642dd1209060a010b1a72"
	"bd1a100c1a00278d001822814177";

static const char group_key[] =
	"ab02500102030405060708090a0b0c0d0e0f100305040a05489e7ca922237863400642"
	"dd11080e090a0a270b8281018201060c381a0d828101820104";

static bool has_eddsa(void)
{
	return gk_sign_curve(GK_ALG_EDDSA) != 0;
}

/* the member reads */

static void the_rekeying_message_is_read(void **state)
{
	struct gk_material m;

	(void)state;
	assert_int_equal(gk_material_read(hex_span(rekeying), &m), GK_OK);
	assert_int_equal(m.num, 6);
	assert_int_equal(m.exi_s, 0x278d00);
	assert_hex_equal(m.master_secret, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
	assert_hex_equal(m.gid, "dd12");
	assert_int_equal(m.salt.len, 0); // G 2.6.3.2: absent is empty, not the former one
	assert_false(m.has_sid);
	assert_false(m.has_algorithms);
	assert_hex_equal(m.stale, "814177");
	assert_int_equal(m.creds.len, 0);
}

static void the_join_response_is_read(void **state)
{
	struct gk_material m;

	(void)state;
	assert_int_equal(gk_material_read(hex_span(join_response), &m), GK_OK);
	assert_int_equal(m.num, 5);
	assert_int_equal(m.exi_s, 0x278d00);
	assert_hex_equal(m.master_secret, "0102030405060708090a0b0c0d0e0f10");
	assert_hex_equal(m.salt, "9e7ca92223786340");
	assert_hex_equal(m.gid, "dd11");
	assert_true(m.has_sid);
	assert_hex_equal(m.sid, "25");
	assert_true(m.has_algorithms);
	assert_int_equal(m.algorithms.gp_enc_alg, 10);
	assert_int_equal(m.algorithms.sign_alg, -8);
	assert_int_equal(m.algorithms.alg, 10);
	assert_int_equal(m.algorithms.ecdh_alg, -27);
	assert_int_equal(m.algorithms.hkdf, 5);
	assert_hex_equal(m.roles, "8104");
	assert_hex_equal(m.ids, "814152");
	assert_hex_equal(m.policies, "a201190e100200");
	assert_hex_equal(m.kdc_nonce, "cef04b2aa791bc6d");
	assert_int_equal(m.kdc_verify.len, 64);
}

static void the_kdc_of_the_join_response_proves_its_key(void **state)
{
	uint8_t bytes[64];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_public_key key;
	struct gk_material m;

	(void)state;
	if (!has_eddsa())
		skip();
	assert_int_equal(gk_material_read(hex_span(join_response), &m), GK_OK);
	assert_int_equal(gk_ccs_read(m.kdc_cred, &key), GK_OK);
	gk_pop_put_kdc(&pop, hex_span(N_C), m.kdc_nonce);
	assert_int_equal(gk_verify(&key, gk_buf_span(&pop), m.kdc_verify), GK_OK);
}

static void a_message_cut_at_any_byte_is_no_material(void **state)
{
	static const char *const texts[] = { rekeying, join_response };

	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		struct gk_span whole = hex_span(texts[i]);

		for (size_t cut = 0; cut < whole.len; cut++) {
			struct gk_material m = { .num = 99 };

			assert_int_not_equal(
				gk_material_read(exact_copy(gk_span(whole.data, cut)), &m), GK_OK);
			assert_int_equal(m.num, 99);
		}
	}
}

static void the_key_map_of_a_group_is_read_inside_its_answer(void **state)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_material m;

	(void)state;
	gk_put_map(&buf, 4);
	gk_buf_add(&buf, hex_span("0701 0905 0c1a00278d00 08"));
	gk_buf_add(&buf, hex_span(group_key));
	assert_int_equal(gk_material_read(gk_buf_span(&buf), &m), GK_OK);
	assert_false(m.has_sid);
	assert_true(m.has_algorithms);
	assert_hex_equal(m.gid, "dd11");
}

/* the KDC reads */

static int open_g1_of(void **state, int sign_alg)
{
	static struct pair p;
	struct gk_group_config config = pair_config("g1");

	pair_open(&p, 1);
	config.sign_alg = sign_alg;
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static int open_g1(void **state)
{
	return open_g1_of(state, has_eddsa() ? GK_ALG_EDDSA : GK_ALG_ES256);
}

static int open_g1_es256(void **state)
{
	return open_g1_of(state, GK_ALG_ES256);
}

static int close_pair(void **state)
{
	return pair_close(*state) ? 0 : 1;
}

static void open_raw(struct pair_raw *raw, struct pair *p)
{
	static const char *const groups[] = { "g1" };
	static const uint32_t roles[] = { 6 };
	struct gk_client *client;

	pair_raw_open(raw, p, 1, "one", groups, roles, 1);
	assert_int_equal(pair_raw_post(raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_ask(raw, GK_COAP_GET, "ace-group/g1/num", -1, gk_span(NULL, 0)),
			 GK_COAP_FORBIDDEN);
	client = gk_client_find(p->kdc, gk_span(raw->bundle.osc_id, 8));
	hex(N_S, client->assoc.challenge, sizeof(client->assoc.challenge));
}

static void the_join_request_is_granted_by_a_kdc_with_its_challenge(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_material m;

	if (!has_eddsa())
		skip();
	open_raw(&raw, p);
	assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, "ace-group/g1", GK_CF_ACE_GROUPCOMM,
				      hex_span(join_request)),
			 GK_COAP_CREATED);
	// and what it answers is read as the answer of the table
	assert_int_equal(gk_material_read(raw.answer.payload, &m), GK_OK);
	assert_int_equal(m.algorithms.sign_alg, -8);
	assert_hex_equal(m.policies, "a201190e100200");
	// another challenge, another proof
	gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8))->assoc.challenge[0] ^= 1;
	assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, "ace-group/g1", GK_CF_ACE_GROUPCOMM,
				      hex_span(join_request)),
			 GK_COAP_BAD_REQUEST);
	assert_hex_equal(raw.answer.payload, "a100a10003");
}

/* The credential and the signature of section 9.4, in a group of ES256. */
static void the_es256_evidence_is_granted_by_a_kdc_with_its_challenge(void **state)
{
	static const char request[] =
		"a5 03 458262673106 04f6 05 5854 a202616308a101a5010203262001215820"
		"515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f225820"
		"4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
		"06 48" N_C "1818 5840"
		"d01d5ef36eea6299309be20173d9bebc6b9af611972b1aaf9f709cd2c2cec334"
		"bd3a40a41a8275d1a9f097a0fc429bca7598943778cd8db54ef5aeb535ccb6e7";
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p);
	assert_int_equal(pair_raw_ask(&raw, GK_COAP_POST, "ace-group/g1", GK_CF_ACE_GROUPCOMM,
				      hex_span(request)),
			 GK_COAP_CREATED);
}

/* what is written */

static void sign_info_is_written_as_in_the_reference(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_group_put_sign_info(&buf, p->kdc->groups);
	assert_hex_equal(gk_buf_span(&buf),
			 has_eddsa() ? "856267312781018201060e" : "856267312681028202010e");
}

static void problem_details_are_written_as_in_the_reference(void **state)
{
	(void)state;
	for (unsigned error = 0; error <= 9; error++) {
		uint8_t bytes[64];
		char want[32];
		struct gk_call call = { .reply = gk_buf(bytes, sizeof(bytes)) };
		struct gk_coap msg;

		gk_answer_error(&call, GK_COAP_FORBIDDEN, error);
		assert_int_equal(gk_coap_parse(gk_buf_span(&call.reply), &msg), GK_OK);
		assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), 257);
		snprintf(want, sizeof(want), "a100a1000%u", error);
		assert_hex_equal(msg.payload, want);
	}
}

static void the_short_key_map_is_written_as_in_the_reference(void **state)
{
	struct pair *p = *state;
	struct gk_group *group = p->kdc->groups;
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", group->ms, sizeof(group->ms));
	hex("dd12", group->gid_prefix, 2);
	gk_group_put_key(&buf, group, false, NULL);
	// ours has a longer Gid: prefix and num
	assert_hex_equal(gk_buf_span(&buf),
			 "a20250f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0646dd1200000000");
}

int main(void)
{
#define WITH_G1(name) cmocka_unit_test_setup_teardown(name, open_g1, close_pair)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rekeying_message_is_read),
		cmocka_unit_test(the_join_response_is_read),
		cmocka_unit_test(the_kdc_of_the_join_response_proves_its_key),
		cmocka_unit_test(a_message_cut_at_any_byte_is_no_material),
		cmocka_unit_test(the_key_map_of_a_group_is_read_inside_its_answer),
		WITH_G1(the_join_request_is_granted_by_a_kdc_with_its_challenge),
		cmocka_unit_test_setup_teardown(
			the_es256_evidence_is_granted_by_a_kdc_with_its_challenge, open_g1_es256,
			close_pair),
		WITH_G1(sign_info_is_written_as_in_the_reference),
		cmocka_unit_test(problem_details_are_written_as_in_the_reference),
		WITH_G1(the_short_key_map_is_written_as_in_the_reference),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
