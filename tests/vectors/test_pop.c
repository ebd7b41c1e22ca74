// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Proof of possession (RFC 9594 section 4.3.1) and scopes, byte by byte. The inputs named "RFC" are
// the figures of RFC 9594; the signatures, MACs and scope bytes were computed with other
// implementations of the same primitives.
#include "libgroupkey/cred.h"
#include "libgroupkey/cwt.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"

#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define N_S       "018a278f7faab55a"
#define N_C       "25a8991cd700ac01"
#define N_KDC     "cef04b2aa791bc6d"
#define N_S_32    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define RFC_SCOPE "826667726f7570316673656e646572" /* ["group1", "sender"] */
#define OUR_SCOPE "8262673106"                     /* ["g1", 6] */

#define CLIENT_INPUT "45826267310648018a278f7faab55a4825a8991cd700ac01"
#define KDC_INPUT    "4825a8991cd700ac0148cef04b2aa791bc6d"

// Public test keys: the credentials of two nodes and of a Group Manager, with the seeds or scalars.
#define SEED_A  "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239"
#define SEED_B  "857eb61d3f6d70a278a36740d132c099f62880ed497e27bdfd4685fa1a304f26"
#define SEED_GM "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define D_P256  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define CRED_A                                                                                     \
	"a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d02666d796e616d6503781a636f" \
	"6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70004b4f08a101a401010327200621582006" \
	"9e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"
#define CRED_B                                                                                     \
	"a501781a636f6170733a2f2f7365727665722e6578616d706c652e636f6d026673656e64657203781a636f61" \
	"70733a2f2f636c69656e742e6578616d706c652e6f7267041a70004b4f08a101a40101032720062158207"    \
	"7ec358c1d344e41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b"
#define CRED_GM                                                                                    \
	"a20262676d08a101a40101032720062158204fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c46" \
	"5be33cbe65c4"
#define CRED_P256                                                                                  \
	"a20262633108a101a5010203262001215820515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515a" \
	"d0a6c3b4035f2258204536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"

static struct gk_span write_client(struct gk_buf *buf, const char *scope, const char *n_s,
				   const char *n_c)
{
	gk_pop_put_client(buf, hex_span(scope), hex_span(n_s), hex_span(n_c));
	return gk_buf_span(buf);
}

static void client_inputs(void **state)
{
	(void)state;
	static const struct {
		const char *scope, *n_s, *n_c, *want;
	} rows[] = {
		// RFC, join
		{ RFC_SCOPE, N_S, N_C, "4f" RFC_SCOPE "48018a278f7faab55a4825a8991cd700ac01" },
		// RFC, credential update
		{ RFC_SCOPE, N_S, "0446baefc56111bf",
		  "4f826667726f7570316673656e64657248018a278f7faab55a480446baefc56111bf" },
		{ OUR_SCOPE, N_S, N_C, CLIENT_INPUT },
		// N_S exported from DTLS: a head of two bytes
		{ OUR_SCOPE, N_S_32, N_C,
		  "4582626731065820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		  "4825a8991cd700ac01" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		assert_hex_equal_row(write_client(&buf, rows[i].scope, rows[i].n_s, rows[i].n_c),
				     rows[i].want, rows[i].want);
	}
}

static void kdc_inputs(void **state)
{
	(void)state;
	static const struct {
		const char *n_c, *n_kdc, *want;
	} rows[] = {
		{ N_C, N_KDC, KDC_INPUT }, // RFC, join
		{ N_C, "0b7db12aaff56da3",
		  "4825a8991cd700ac01480b7db12aaff56da3" }, // RFC, kdc-cred
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_pop_put_kdc(&buf, hex_span(rows[i].n_c), hex_span(rows[i].n_kdc));
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].want);
	}
}

static void signatures(void **state)
{
	(void)state;
	static const struct {
		int crv;
		const char *d, *cred, *input, *sig;
	} rows[] = {
		{ GK_CRV_ED25519, SEED_A, CRED_A, CLIENT_INPUT,
		  "adc18c053c56bb60d18c678d80a75018e2689c64f80c0c53d7c3590b6c1aa8d9"
		  "9bfea997e16aa69b2905cdae746ea8caeff11741561fcaa0b2ed960ad1454d06" },
		{ GK_CRV_ED25519, SEED_GM, CRED_GM, KDC_INPUT,
		  "c4170c8c06f5ddc0744dae452643f927727ac66deda1930a65458d632fc2f469"
		  "a63b5ff5a312b93c8b43e6af32624ecc7f07792f7d043fe3d5eb0b88db3d8e01" },
		// with the nonce of RFC 6979
		{ GK_CRV_P256, D_P256, CRED_P256, CLIENT_INPUT,
		  "d01d5ef36eea6299309be20173d9bebc6b9af611972b1aaf9f709cd2c2cec334"
		  "bd3a40a41a8275d1a9f097a0fc429bca7598943778cd8db54ef5aeb535ccb6e7" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_curve_supported(rows[i].crv))
			continue;
		struct gk_key_pair own;
		struct gk_public_key pub;
		uint8_t sig[GK_SIG_LEN];
		assert_int_equal(gk_key_from_private(rows[i].crv, hex_span(rows[i].d), &own),
				 GK_OK);
		assert_int_equal(gk_sign(&own, hex_span(rows[i].input), sig), GK_OK);
		assert_hex_equal_row(gk_span(sig, sizeof(sig)), rows[i].sig, rows[i].cred);

		assert_int_equal(gk_ccs_read(hex_span(rows[i].cred), &pub), GK_OK);
		assert_int_equal(gk_verify(&pub, hex_span(rows[i].input), hex_span(rows[i].sig)),
				 GK_OK);
		assert_int_equal(gk_verify(&pub, hex_span("00"), hex_span(rows[i].sig)),
				 GK_ERR_CRYPTO);
	}
}

static void credentials(void **state)
{
	(void)state;
	static const struct {
		const char *cred;
		int crv;
		const char *d, *x;
	} rows[] = {
		{ CRED_A, GK_CRV_ED25519, SEED_A,
		  "069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a" },
		{ CRED_B, GK_CRV_ED25519, SEED_B,
		  "77ec358c1d344e41ee0e87b8383d23a2099acd39bdf989ce45b52e887463389b" },
		{ CRED_GM, GK_CRV_ED25519, SEED_GM,
		  "4fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33cbe65c4" },
		{ CRED_P256, GK_CRV_P256, D_P256,
		  "515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_curve_supported(rows[i].crv))
			continue;
		struct gk_public_key key;
		struct gk_key_pair own;
		assert_int_equal(gk_ccs_read(hex_span(rows[i].cred), &key), GK_OK);
		assert_int_equal(key.crv, rows[i].crv);
		assert_hex_equal_row(gk_span(key.x, 32), rows[i].x, rows[i].cred);
		assert_int_equal(gk_key_from_private(rows[i].crv, hex_span(rows[i].d), &own),
				 GK_OK);
		assert_memory_equal(&own.pub, &key, sizeof(key));
	}
}

static void written_credentials(void **state)
{
	(void)state;
	static const struct {
		const char *name, *want;
		int crv;
	} rows[] = {
		{ "gm", CRED_GM, GK_CRV_ED25519 },
		{ "c1", CRED_P256, GK_CRV_P256 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_curve_supported(rows[i].crv))
			continue;
		struct gk_public_key key;
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		assert_int_equal(gk_ccs_read(hex_span(rows[i].want), &key), GK_OK);
		gk_ccs_put(&buf, gk_span_str(rows[i].name), &key);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].name);
	}
}

// A pairwise-only group: HKDF-SHA-256(salt empty, IKM = Z, info = input, L = 8).
static void macs(void **state)
{
	(void)state;
	if (!gk_curve_supported(GK_CRV_X25519))
		skip();
	struct gk_key_pair client, kdc;
	uint8_t z[GK_DH_LEN], mac[8];
	assert_int_equal(gk_key_from_private(GK_CRV_X25519, hex_span(D_P256), &client), GK_OK);
	assert_int_equal(gk_key_from_private(GK_CRV_X25519,
					     hex_span("4142434445464748494a4b4c4d4e4f50"
						      "5152535455565758595a5b5c5d5e5f60"),
					     &kdc),
			 GK_OK);
	assert_hex_equal(gk_span(client.pub.x, 32),
			 "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
	assert_hex_equal(gk_span(kdc.pub.x, 32),
			 "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466");

	assert_int_equal(gk_ecdh(&client, &kdc.pub, z), GK_OK);
	assert_hex_equal(gk_span(z, sizeof(z)),
			 "26c2c17fdb82161cb21ad16e721315355b64d1763119b10bfc962530dc7cc163");
	struct gk_span none = gk_span(NULL, 0);
	assert_int_equal(gk_hkdf(none, gk_span(z, 32), hex_span(CLIENT_INPUT), mac, 8), GK_OK);
	assert_hex_equal(gk_span(mac, 8), "5ad0c23ba81a38ff");
	assert_int_equal(gk_hkdf(none, gk_span(z, 32), hex_span(KDC_INPUT), mac, 8), GK_OK);
	assert_hex_equal(gk_span(mac, 8), "fc2b6a580d4c904d");
}

static void scope_entries(void **state)
{
	(void)state;
	static const struct {
		uint32_t roles;
		const char *entry;
	} rows[] = {
		{ 2, "8262673102" }, { 4, "8262673104" },  { 6, "8262673106" },
		{ 8, "8262673108" }, { 16, "8262673110" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[8];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_scope scope;
		gk_scope_put(&buf, gk_span_str("g1"), rows[i].roles);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].entry, rows[i].entry);
		assert_int_equal(gk_scope_read(hex_span(rows[i].entry), &scope), GK_OK);
		assert_int_equal(scope.roles, rows[i].roles);
		assert_hex_equal_row(scope.group, "6731", rows[i].entry);
	}
}

// The claim's value, plain and extended (R 7), in a token that is otherwise complete.
static void scope_claims(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		enum gk_cwt_fault want;
	} rows[] = {
		{ "4b8282626731068262673210", GK_CWT_FINE },
		{ "da6374022b4b8282626731068262673210", GK_CWT_FINE },
		// the tag that belonged to Content-Format 295
		{ "da637402294b8282626731068262673210", GK_CWT_SCOPE },
	};
	struct gk_span key = hex_span("000102030405060708090a0b0c0d0e0f");
	struct gk_cwt_issuer issuer = { .key = key, .audience = gk_span_str("kdc") };
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t claims_bytes[64], token_bytes[128], scratch_bytes[GK_TOKEN_MAX];
		struct gk_buf claims = gk_buf(claims_bytes, sizeof(claims_bytes));
		struct gk_buf token = gk_buf(token_bytes, sizeof(token_bytes));
		struct gk_buf scratch = gk_buf(scratch_bytes, sizeof(scratch_bytes));
		gk_buf_add(&claims, hex_span("a4 03636b6463 041903e8 08a1034101 09"));
		gk_buf_add(&claims, hex_span(rows[i].value));
		assert_int_equal(gk_cose_encrypt0(gk_buf_span(&claims), key,
						  hex_span("000102030405060708090a0b0c"), &token),
				 GK_OK);

		struct gk_cwt cwt;
		struct gk_utc now = { 999 };
		assert_int_equal(gk_cwt_read(&issuer, gk_buf_span(&token), now, &scratch, &cwt),
				 rows[i].want);
		if (rows[i].want != GK_CWT_FINE)
			continue;
		assert_hex_equal_row(cwt.scope, "8282626731068262673210", rows[i].value);
		assert_int_equal(gk_scope_roles(cwt.scope, gk_span_str("g1")), 6);
		assert_int_equal(gk_scope_roles(cwt.scope, gk_span_str("g2")), 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_inputs),       cmocka_unit_test(kdc_inputs),
		cmocka_unit_test(signatures),          cmocka_unit_test(credentials),
		cmocka_unit_test(written_credentials), cmocka_unit_test(macs),
		cmocka_unit_test(scope_entries),       cmocka_unit_test(scope_claims),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
