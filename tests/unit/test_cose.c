// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cose.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

// RFC 9052 appendix C.4.1; its key is "our-secret2" of the COSE working group's examples.
#define CONTENT        "546869732069732074686520636f6e74656e742e"
#define C41_KEY        "849b5786457c1491be3a76dcea6c4271"
#define C41_IV         "89f52f65a1c580933b5261a78c"
#define C41_CIPHERTEXT "5974e1b99a3a4cc09a659aa2e9e7fff161d38ce71cb45ce460ffb569"
#define C41            "d08343a1010aa1054d" C41_IV "581c" C41_CIPHERTEXT

// RFC 8392 appendix A: keys of A.2.1 and A.2.3, the signed token of A.3, encrypted of A.5.
#define A21_KEY "231f4c4d4d3051fdc2ec0a3851d5b383"
#define A23_X   "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f"
#define A23_Y   "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9"
#define A23_D   "6c1382765aec5358f117733d281c1c7bdc39884d04a45a1e6c67c858bc206c19"
#define A3_CLAIMS                                                                                  \
	"a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c6967" \
	"68742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b71"
#define A3_SIG                                                                                     \
	"5427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01" \
	"f85951ecee743a52b9b63632c57209120e1c9e30"
#define A3 "d28443a10126a104524173796d6d6574726963454344534132353658 50" A3_CLAIMS "5840" A3_SIG
#define A5                                                                                         \
	"d08343a1010aa2044c53796d6d6574726963313238054d99a0d7846e762c49ffe8a63e0b5858b918a11fd81e" \
	"438b7f973d9e2e119bcb22424ba0f38a80f27562f400ee1d0d6c0fdb559c02421fd384fc2ebe22d7071378b0" \
	"ea7428fff157444d45f7e6afcda1aae5f6495830c58627087fc5b4974f319a8707a635dd643b"

// An Ed25519 key, and a COSE_Sign1 made with it by another implementation.
#define ED_SEED "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239"
#define ED_X    "069e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"
#define ED_SIGN1                                                                                   \
	"d28443a10127a054" CONTENT "5840935a0398e4a81d1eba52ea287ecb5b7edfdb7e9bf5dc5be94818ab39"  \
	"cd9633dc1e21876d1c32d59d787afdb48ff5e863063a6c1630663319a8c183cc04bc540f"

static struct gk_public_key p256_key(void)
{
	struct gk_public_key key = { .crv = GK_CRV_P256 };
	hex(A23_X, key.x, sizeof(key.x));
	hex(A23_Y, key.y, sizeof(key.y));
	return key;
}

static struct gk_span cut_to(struct gk_span whole, size_t len)
{
	return exact_copy(gk_span_sub(whole, 0, len));
}

// The same bytes but for one bit of byte 'at'.
static struct gk_span with_flip(struct gk_span whole, size_t at)
{
	static uint8_t bytes[2048];
	assert_true(whole.len <= sizeof(bytes));
	memcpy(bytes, whole.data, whole.len);
	bytes[at] ^= 1;
	return gk_span(bytes, whole.len);
}

/* structures */

static void structures_that_are_authenticated_have_the_rfc_layout(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_cose_put_enc_structure(&buf, hex_span("a1010a"), hex_span("0102"));
	// 83 "Encrypt0" ...
	assert_hex_equal(gk_buf_span(&buf), "8368456e637279707430 43a1010a 420102");

	buf = gk_buf(bytes, sizeof(bytes));
	gk_cose_put_countersign_structure(&buf, hex_span(""), hex_span("0102"), hex_span("aabbcc"));
	// 84 "CounterSignature0" ..., and no sign_protected
	assert_hex_equal(gk_buf_span(&buf),
			 "8471436f756e7465725369676e617475726530 40 420102 43aabbcc");

	buf = gk_buf(bytes, 12);
	gk_cose_put_enc_structure(&buf, hex_span("a1010a"), hex_span("0102"));
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
}

/* COSE_Encrypt0 */

static enum gk_err decrypt(struct gk_span message, const char *key, struct gk_buf *out)
{
	return gk_cose_decrypt0(message, hex_span(key), out);
}

static void encrypt0_opens_in_every_form_it_may_have(void **state)
{
	(void)state;
	static const struct {
		const char *message, *key, *want;
	} rows[] = {
		{ C41, C41_KEY, CONTENT },
		{ A5, A21_KEY, A3_CLAIMS },
		// untagged; of indefinite length; with long heads; the IV in the other header
		{ "8343a1010aa1054d" C41_IV "581c" C41_CIPHERTEXT, C41_KEY, CONTENT },
		{ "d09f43a1010abf054d" C41_IV "ff581c" C41_CIPHERTEXT "ff", C41_KEY, CONTENT },
		{ "d0980359 0003 a1010a b801 1805 4d" C41_IV "5a0000001c" C41_CIPHERTEXT, C41_KEY,
		  CONTENT },
		// what we do not know is walked over
		{ "d08343a1010aa3 0441aa 6178f6 054d" C41_IV "581c" C41_CIPHERTEXT, C41_KEY,
		  CONTENT },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[128];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		gk_buf_byte(&out, 0xee);
		enum gk_err err = decrypt(hex_span(rows[i].message), rows[i].key, &out);
		if (err != GK_OK)
			fail_msg("row %zu: error %d", i, err);
		assert_hex_equal_row(gk_span_sub(gk_buf_span(&out), 1, SIZE_MAX), rows[i].want,
				     rows[i].message);
		assert_int_equal(bytes[0], 0xee);
	}
}

static void a_protected_iv_counts_too(void **state)
{
	(void)state;
	// The protected header is authenticated: this one has to be made.
	struct gk_span header = hex_span("a2010a054d" C41_IV);
	uint8_t aad_bytes[64], bytes[128];
	struct gk_buf aad = gk_buf(aad_bytes, sizeof(aad_bytes));
	gk_cose_put_enc_structure(&aad, header, gk_span(NULL, 0));
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	gk_put_array(&message, 3);
	gk_put_bytes(&message, header);
	gk_put_map(&message, 0);
	gk_put_bytes_head(&message, 5 + 8);
	assert_int_equal(gk_aead_seal(gk_aead_find(10), hex_span(C41_KEY), hex_span(C41_IV),
				      gk_buf_span(&aad), hex_span("0102030405"), &message),
			 GK_OK);

	uint8_t plain[16];
	struct gk_buf out = gk_buf(plain, sizeof(plain));
	assert_int_equal(decrypt(gk_buf_span(&message), C41_KEY, &out), GK_OK);
	assert_hex_equal(gk_buf_span(&out), "0102030405");
}

#define CT "581c" C41_CIPHERTEXT
#define IV "054d" C41_IV

static void a_bad_encrypt0_is_refused_and_nothing_written(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ C41 "00", GK_ERR_MALFORMED },
		{ "d2 8343a1010a a1" IV CT, GK_ERR_TYPE }, // tagged as a COSE_Sign1
		{ "d83d d0 8343a1010a a1" IV CT, GK_ERR_TYPE },
		{ "8443a1010a a1" IV CT CT, GK_ERR_TYPE },
		{ "8243a1010a a1" IV, GK_ERR_TYPE },
		{ "a1" IV, GK_ERR_TYPE },
		{ "83a1010a a1" IV CT, GK_ERR_TYPE }, // a protected map without its byte string
		{ "8343a1010a 42a1"
		  "00" CT,
		  GK_ERR_TYPE },
		{ "8343a1010a a1" IV "f6", GK_ERR_TYPE }, // detached
		{ "8343a1010a a1 05f6" CT, GK_ERR_TYPE },
		{ "8343a101f6 a1" IV CT, GK_ERR_TYPE },
		{ "8341 0a a1" IV CT, GK_ERR_TYPE },              // no map inside
		{ "8344a1010a00 a1" IV CT, GK_ERR_MALFORMED },    // more than a map inside
		{ "8345a2010a010a a1" IV CT, GK_ERR_DUPLICATE },  // alg twice in one header
		{ "8343a1010a a2 010a" IV CT, GK_ERR_DUPLICATE }, // and in both
		{ "8343a1010a a2" IV IV CT, GK_ERR_DUPLICATE },
		{ "8340 a2 010a" IV CT, GK_ERR_MISSING }, // an alg that nobody vouches for
		{ "8341a0 a1" IV CT, GK_ERR_MISSING },
		{ "8343a1010a a0" CT, GK_ERR_RANGE },
		{ "8343a1010a a1 0547 01020304050607" CT, GK_ERR_RANGE },
		{ "8343a10101 a1" IV CT, GK_ERR_UNSUPPORTED }, // A128GCM
		{ "8343a1010b a1" IV CT, GK_ERR_UNSUPPORTED }, // wants a key of 32 bytes
		{ "8343a10100 a1" IV CT, GK_ERR_UNSUPPORTED },
		{ "8345a1016141 41 a1" IV CT, GK_ERR_MALFORMED },
		{ "8344a1016141 a1" IV CT, GK_ERR_UNSUPPORTED },     // alg "A"
		{ "8346a2010a028105 a1" IV CT, GK_ERR_UNSUPPORTED }, // crit
		{ "8343a1010a a2 028105" IV CT, GK_ERR_UNSUPPORTED },
		{ "8343a1010a a1 064261a7" CT, GK_ERR_UNSUPPORTED }, // C.4.2: a Partial IV
		{ "8343a1010a a2" IV "064261a7" CT, GK_ERR_UNSUPPORTED },
		{ "8343a1010a a1" IV "47 01020304050607", GK_ERR_CRYPTO }, // shorter than a tag
		{ "8343a1010a a1" IV "40", GK_ERR_CRYPTO },
		{ "8343a1181e a1" IV CT, GK_ERR_MALFORMED },
		{ "8344a101181e a1" IV CT, GK_ERR_CRYPTO }, // another algorithm of the family
		{ "8343a1010a a2" IV "18ff d1d1d1d1d1d1d1d1d100" CT, GK_ERR_DEPTH },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		enum gk_err err = decrypt(hex_span(rows[i].message), C41_KEY, &out);
		if (err != rows[i].want)
			fail_msg("row %zu, %s: error %d, not %d", i, rows[i].message, err,
				 rows[i].want);
		if (out.len != 0 || out.overflow)
			fail_msg("row %zu: %zu bytes written", i, out.len);
	}
}

static void a_truncated_encrypt0_is_malformed(void **state)
{
	(void)state;
	struct gk_span whole = hex_span(C41);
	for (size_t len = 0; len < whole.len; len++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		enum gk_err err = decrypt(cut_to(whole, len), C41_KEY, &out);
		if (err != GK_ERR_MALFORMED || out.len != 0)
			fail_msg("cut at %zu: error %d, %zu bytes written", len, err, out.len);
	}
}

static void any_flipped_bit_spoils_an_encrypt0(void **state)
{
	(void)state;
	struct gk_span whole = hex_span(C41);
	for (size_t at = 0; at < whole.len; at++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		enum gk_err err = decrypt(with_flip(whole, at), C41_KEY, &out);
		if (err == GK_OK || out.len != 0)
			fail_msg("flip at %zu: error %d, %zu bytes written", at, err, out.len);
	}
}

static void encrypt0_needs_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		enum gk_err want;
	} rows[] = {
		{ A21_KEY, GK_ERR_CRYPTO },
		{ "", GK_ERR_UNSUPPORTED },
		{ "849b5786457c1491be3a76dcea6c42", GK_ERR_UNSUPPORTED },
		{ C41_KEY C41_KEY, GK_ERR_UNSUPPORTED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		enum gk_err err = decrypt(hex_span(C41), rows[i].key, &out);
		if (err != rows[i].want || out.len != 0)
			fail_msg("key %s: error %d, not %d", rows[i].key, err, rows[i].want);
	}
}

static void a_protected_header_above_128_bytes_is_out_of_range(void **state)
{
	(void)state;
	// {1: 10, 4: kid} of 128 and 129 bytes
	for (size_t kid_len = 122; kid_len <= 123; kid_len++) {
		uint8_t header_bytes[160], bytes[256], zeros[128] = { 0 };
		struct gk_buf header = gk_buf(header_bytes, sizeof(header_bytes));
		gk_put_map(&header, 2);
		gk_put_uint(&header, GK_HEADER_ALG);
		gk_put_uint(&header, 10);
		gk_put_uint(&header, GK_HEADER_KID);
		gk_put_bytes(&header, gk_span(zeros, kid_len));
		struct gk_buf message = gk_buf(bytes, sizeof(bytes));
		gk_put_array(&message, 3);
		gk_put_bytes(&message, gk_buf_span(&header));
		gk_buf_add(&message, hex_span("a1" IV CT));
		assert_int_equal(gk_buf_err(&message), GK_OK);

		uint8_t plain[64];
		struct gk_buf out = gk_buf(plain, sizeof(plain));
		enum gk_err err = decrypt(gk_buf_span(&message), C41_KEY, &out);
		enum gk_err want = header.len <= 128 ? GK_ERR_CRYPTO : GK_ERR_RANGE;
		if (err != want)
			fail_msg("header of %zu bytes: error %d, not %d", header.len, err, want);
	}
}

static void encrypt0_makes_the_rfc_example(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(
		gk_cose_encrypt0(hex_span(CONTENT), hex_span(C41_KEY), hex_span(C41_IV), &out),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out), C41);
	assert_true(out.len - 20 <= GK_COSE_ENCRYPT0_OVERHEAD);
}

static void encrypt0_leaves_nothing_behind_when_it_fails(void **state)
{
	(void)state;
	static const struct {
		const char *key, *nonce;
	} rows[] = {
		{ C41_KEY, "89f52f65a1c580933b5261a7" },
		{ C41_KEY, C41_IV "00" },
		{ C41_KEY, "" },
		{ "849b57", C41_IV },
		{ "", C41_IV },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[80];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		gk_buf_byte(&out, 0xee);
		enum gk_err err = gk_cose_encrypt0(hex_span(CONTENT), hex_span(rows[i].key),
						   hex_span(rows[i].nonce), &out);
		if (err != GK_ERR_RANGE || out.len != 1 || out.overflow)
			fail_msg("row %zu: error %d, %zu bytes", i, err, out.len);
	}
}

static void encrypt0_says_when_there_is_no_space(void **state)
{
	(void)state;
	size_t need = hex_span(C41).len;
	for (size_t cap = 0; cap <= need; cap++) {
		uint8_t *bytes = malloc(cap + 1);
		assert_non_null(bytes);
		struct gk_buf out = gk_buf(bytes, cap);
		enum gk_err err = gk_cose_encrypt0(hex_span(CONTENT), hex_span(C41_KEY),
						   hex_span(C41_IV), &out);
		enum gk_err want = cap == need ? GK_OK : GK_ERR_NO_SPACE;
		// As everywhere, an overflow tells how much would have done.
		if (err != want || out.len != need)
			fail_msg("space for %zu: error %d, length %zu", cap, err, out.len);
		free(bytes);
	}
}

/* COSE_Sign1 */

static void sign1_verifies_in_every_form_it_may_have(void **state)
{
	(void)state;
	static const char *const rows[] = {
		A3,
		"8443a10126a0 5850" A3_CLAIMS "5840" A3_SIG,              // untagged
		"d29f43a10126bfff 5850" A3_CLAIMS "5840" A3_SIG "ff",     // of indefinite length
		"d29804580 3a10126b800 590050" A3_CLAIMS "590040" A3_SIG, // with long heads
	};
	struct gk_public_key key = p256_key();
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span message = hex_span(rows[i]);
		struct gk_span payload = { NULL, 0 };
		enum gk_err err = gk_cose_verify1(message, &key, &payload);
		if (err != GK_OK)
			fail_msg("row %zu: error %d", i, err);
		assert_hex_equal_row(payload, A3_CLAIMS, rows[i]);
		assert_true(payload.data > message.data &&
			    payload.data < message.data + message.len);
	}
}

#define PAYLOAD "5850" A3_CLAIMS
#define SIG     "5840" A3_SIG

static void a_bad_sign1_is_refused_and_no_payload_given(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ A3 "00", GK_ERR_MALFORMED },
		{ "d0 8443a10126a0" PAYLOAD SIG, GK_ERR_TYPE },
		{ "d1 8443a10126a0" PAYLOAD SIG, GK_ERR_TYPE }, // a COSE_Mac0
		{ "8343a10126a0" PAYLOAD, GK_ERR_TYPE },
		{ "8543a10126a0" PAYLOAD SIG SIG, GK_ERR_TYPE },
		{ "84a10126a0" PAYLOAD SIG, GK_ERR_TYPE },
		{ "8443a1012680" PAYLOAD SIG, GK_ERR_TYPE },
		{ "8443a10126a0" A3_CLAIMS SIG, GK_ERR_TYPE }, // a payload without its byte string
		{ "8443a10126a0" PAYLOAD "f6", GK_ERR_TYPE },
		{ "8443a10126a0f6" SIG, GK_ERR_UNSUPPORTED }, // a detached payload
		{ "8440a10126" PAYLOAD SIG, GK_ERR_MISSING },
		{ "8443a10126a10126" PAYLOAD SIG, GK_ERR_DUPLICATE },
		{ "8443a10127a0" PAYLOAD SIG, GK_ERR_UNSUPPORTED },   // EdDSA, with a key on P-256
		{ "8444a1013822a0" PAYLOAD SIG, GK_ERR_UNSUPPORTED }, // ES384
		{ "8443a10100a0" PAYLOAD SIG, GK_ERR_UNSUPPORTED },
		{ "8446a20126028105a0" PAYLOAD SIG, GK_ERR_UNSUPPORTED }, // crit
		{ "8443a10126a1028105" PAYLOAD SIG, GK_ERR_UNSUPPORTED },
		{ "8444a1016126a0" PAYLOAD SIG, GK_ERR_UNSUPPORTED }, // alg "&"
		{ "8443a10126a0" PAYLOAD "40", GK_ERR_CRYPTO },
		{ "8443a10126a0" PAYLOAD "5841" A3_SIG "00", GK_ERR_CRYPTO },
		{ "8443a10126a0 40" SIG, GK_ERR_CRYPTO },
		// what is signed is the protected header as it stands, extra or long heads and all
		{ "8444a1013806a0" PAYLOAD SIG, GK_ERR_CRYPTO },
		{ "8446a201260441 0ba0" PAYLOAD SIG, GK_ERR_CRYPTO },
	};
	struct gk_public_key key = p256_key();
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span payload = { NULL, 99 };
		enum gk_err err = gk_cose_verify1(hex_span(rows[i].message), &key, &payload);
		if (err != rows[i].want)
			fail_msg("row %zu, %s: error %d, not %d", i, rows[i].message, err,
				 rows[i].want);
		if (payload.data || payload.len != 99)
			fail_msg("row %zu: a payload of %zu bytes", i, payload.len);
	}
}

static void a_truncated_sign1_is_malformed(void **state)
{
	(void)state;
	struct gk_public_key key = p256_key();
	struct gk_span whole = hex_span(A3);
	for (size_t len = 0; len < whole.len; len++) {
		struct gk_span payload = { NULL, 99 };
		enum gk_err err = gk_cose_verify1(cut_to(whole, len), &key, &payload);
		if (err != GK_ERR_MALFORMED || payload.len != 99)
			fail_msg("cut at %zu: error %d", len, err);
	}
}

static void any_flipped_bit_that_is_signed_spoils_a_sign1(void **state)
{
	(void)state;
	struct gk_public_key key = p256_key();
	struct gk_span whole = hex_span("8443a10126a0" PAYLOAD SIG);
	for (size_t at = 0; at < whole.len; at++) {
		struct gk_span payload = { NULL, 99 };
		enum gk_err err = gk_cose_verify1(with_flip(whole, at), &key, &payload);
		if (err == GK_OK || payload.len != 99)
			fail_msg("flip at %zu: error %d", at, err);
	}
}

static void sign1_needs_the_key_of_its_signer(void **state)
{
	(void)state;
	struct gk_key_pair other;
	struct gk_span payload = { NULL, 99 };
	assert_int_equal(gk_key_from_private(GK_CRV_P256, hex_span(ED_SEED), &other), GK_OK);
	assert_int_equal(gk_cose_verify1(hex_span(A3), &other.pub, &payload), GK_ERR_CRYPTO);

	struct gk_public_key none = { .crv = 0 };
	assert_int_equal(gk_cose_verify1(hex_span(A3), &none, &payload), GK_ERR_UNSUPPORTED);
	assert_int_equal(gk_cose_verify1(hex_span("8443a10100a0" PAYLOAD SIG), &none, &payload),
			 GK_ERR_UNSUPPORTED);
	assert_int_equal(payload.len, 99);
}

static void what_sign1_makes_verifies(void **state)
{
	(void)state;
	struct gk_key_pair key;
	assert_int_equal(gk_key_from_private(GK_CRV_P256, hex_span(A23_D), &key), GK_OK);
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_sign1(hex_span(A3_CLAIMS), &key, &out), GK_OK);
	struct gk_span head = hex_span("d28443a10126a0" PAYLOAD "5840");
	assert_true(gk_span_equal(gk_span_sub(gk_buf_span(&out), 0, head.len), head));
	assert_int_equal(out.len, head.len + GK_SIG_LEN);

	struct gk_public_key pub = p256_key();
	struct gk_span payload;
	assert_int_equal(gk_cose_verify1(gk_buf_span(&out), &pub, &payload), GK_OK);
	assert_hex_equal(payload, A3_CLAIMS);
}

static void eddsa_sign1_agrees_with_another_implementation(void **state)
{
	(void)state;
	if (!gk_curve_supported(GK_CRV_ED25519))
		skip();
	struct gk_key_pair key;
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, hex_span(ED_SEED), &key), GK_OK);
	uint8_t bytes[128];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_sign1(hex_span(CONTENT), &key, &out), GK_OK);
	assert_hex_equal(gk_buf_span(&out), ED_SIGN1);

	struct gk_span payload;
	assert_int_equal(gk_cose_verify1(hex_span(ED_SIGN1), &key.pub, &payload), GK_OK);
	assert_hex_equal(payload, CONTENT);
}

static void sign1_is_bounded_by_its_payload(void **state)
{
	(void)state;
	static uint8_t zeros[GK_COSE_PAYLOAD_MAX + 1], bytes[GK_COSE_PAYLOAD_MAX + 128];
	struct gk_key_pair key;
	assert_int_equal(gk_key_from_private(GK_CRV_P256, hex_span(A23_D), &key), GK_OK);
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	struct gk_span payload = { NULL, 99 };
	assert_int_equal(gk_cose_sign1(gk_span(zeros, GK_COSE_PAYLOAD_MAX), &key, &out), GK_OK);
	assert_int_equal(gk_cose_verify1(gk_buf_span(&out), &key.pub, &payload), GK_OK);
	assert_int_equal(payload.len, GK_COSE_PAYLOAD_MAX);

	// Far above, so that room kept for a long header does not decide.
	static uint8_t long_message[3 * GK_COSE_PAYLOAD_MAX];
	struct gk_buf message = gk_buf(long_message, sizeof(long_message));
	gk_buf_add(&message, hex_span("8443a10126a0"));
	gk_put_bytes_head(&message, 2 * GK_COSE_PAYLOAD_MAX);
	gk_buf_zeros(&message, 2 * GK_COSE_PAYLOAD_MAX);
	gk_buf_add(&message, hex_span(SIG));
	payload.len = 99;
	assert_int_equal(gk_cose_verify1(gk_buf_span(&message), &key.pub, &payload), GK_ERR_RANGE);
	assert_int_equal(payload.len, 99);

	out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_sign1(gk_span(long_message, sizeof(long_message)), &key, &out),
			 GK_ERR_RANGE);
	assert_int_equal(out.len, 0);
}

static void sign1_wants_a_key_that_signs(void **state)
{
	(void)state;
	struct gk_key_pair key = { .pub = { .crv = GK_CRV_X25519 } };
	uint8_t bytes[128];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_sign1(hex_span(CONTENT), &key, &out), GK_ERR_UNSUPPORTED);
	key.pub.crv = 0;
	assert_int_equal(gk_cose_sign1(hex_span(CONTENT), &key, &out), GK_ERR_UNSUPPORTED);
	assert_int_equal(out.len, 0);
}

/* COSE_Key */

#define X    "5820" A23_X
#define Y    "5820" A23_Y
#define P256 "0102 2001 21" X "22" Y

static void a_key_is_read_whatever_else_is_in_its_map(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		int crv;
		const char *x, *y;
	} rows[] = {
		{ "a4" P256, GK_CRV_P256, A23_X, A23_Y },
		{ "a5" P256 "0326", GK_CRV_P256, A23_X, A23_Y },
		{ "a5" P256 "03381a", GK_CRV_P256, A23_X, A23_Y }, // ECDH-SS+HKDF-256
		{ "bf" P256 "ff", GK_CRV_P256, A23_X, A23_Y },
		// kid, key_ops, and a text label
		{ "a7" P256 "024161 048102 6178f5", GK_CRV_P256, A23_X, A23_Y },
		{ "a3 0101 2006 215820" ED_X, GK_CRV_ED25519, ED_X, NULL },
		{ "a4 0101 0327 2006 215820" ED_X, GK_CRV_ED25519, ED_X, NULL },
		{ "a3 0101 2004 215820" ED_X, GK_CRV_X25519, ED_X, NULL },
		{ "a4 0101 03381a 2004 215820" ED_X, GK_CRV_X25519, ED_X, NULL },
	};
	static const char zeros[] = "00000000000000000000000000000000"
				    "00000000000000000000000000000000";
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_public_key key = { .crv = 99 };
		enum gk_err err = gk_cose_key_read(hex_span(rows[i].in), &key);
		if (err != GK_OK || key.crv != rows[i].crv)
			fail_msg("row %zu: error %d, curve %d", i, err, key.crv);
		assert_hex_equal_row(gk_span(key.x, 32), rows[i].x, rows[i].in);
		assert_hex_equal_row(gk_span(key.y, 32), rows[i].y ? rows[i].y : zeros, rows[i].in);
	}
}

static void a_bad_key_is_refused_and_nothing_changed(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ "a4" P256 "00", GK_ERR_MALFORMED },
		{ "a5" P256, GK_ERR_MALFORMED },
		{ "84" P256, GK_ERR_TYPE },
		{ "a0", GK_ERR_MISSING },
		{ "a3 2001 21" X "22" Y, GK_ERR_MISSING },
		{ "a3 0102 2001 22" Y, GK_ERR_MISSING },
		{ "a3 0102 2001 21" X, GK_ERR_MISSING },
		{ "a2 0101 2006", GK_ERR_MISSING },
		{ "a5" P256 "0102", GK_ERR_DUPLICATE },
		{ "a5" P256 "21" X, GK_ERR_DUPLICATE },
		{ "a4 410102 2001 21" X "22" Y, GK_ERR_MISSING }, // a label of another type
		{ "a4 0141 02 2001 21" X "22" Y, GK_ERR_TYPE },
		{ "a4 0102 2001 21" X "2200", GK_ERR_TYPE },
		{ "a4 0102 2001 217820" A23_X "22" Y, GK_ERR_MALFORMED }, // no text
		{ "a5" P256 "03f6", GK_ERR_TYPE },
		// a private part, valid or not, and before anything else is looked at
		{ "a5" P256 "235820" A23_D, GK_ERR_FORBIDDEN },
		{ "a5" P256 "2340", GK_ERR_FORBIDDEN },
		{ "a2 0107 2340", GK_ERR_FORBIDDEN },
		{ "a4 0102 2001 21" X "22f5", GK_ERR_UNSUPPORTED }, // compressed
		{ "a4 0102 2001 21" X "22f4", GK_ERR_UNSUPPORTED },
		{ "a4 0102 2002 21" X "22" Y, GK_ERR_UNSUPPORTED }, // P-384
		{ "a4 0101 2001 21" X "22" Y, GK_ERR_UNSUPPORTED }, // OKP on P-256
		{ "a3 0102 2006 215820" ED_X, GK_ERR_UNSUPPORTED }, // EC2 on Ed25519
		{ "a3 0101 2007 215820" ED_X, GK_ERR_UNSUPPORTED }, // Ed448
		{ "a3 0101 2000 215820" ED_X, GK_ERR_UNSUPPORTED },
		{ "a2 0101 215820" ED_X, GK_ERR_UNSUPPORTED },
		{ "a4 01634543 32 2001 21" X "22" Y, GK_ERR_UNSUPPORTED },
		{ "a4 0102 2065502d323536 21" X "22" Y, GK_ERR_UNSUPPORTED },
		{ "a2 0104 2042aabb", GK_ERR_UNSUPPORTED },            // symmetric
		{ "a3 0103 2042aabb 2143010001", GK_ERR_UNSUPPORTED }, // RSA
		{ "a4 0102 2001 21581f"
		  "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f"
		  "22" Y,
		  GK_ERR_RANGE },
		{ "a4 0102 2001 21582100" A23_X "22" Y, GK_ERR_RANGE },
		{ "a4 0102 2001 21" X "2240", GK_ERR_RANGE },
		{ "a3 0101 2006 2140", GK_ERR_RANGE },
		{ "a5" P256 "0327", GK_ERR_CREDENTIAL }, // EdDSA on P-256
		{ "a5" P256 "0300", GK_ERR_CREDENTIAL },
		{ "a5" P256 "03654553323536", GK_ERR_CREDENTIAL }, // "ES256"
		{ "a4 0101 0326 2006 215820" ED_X, GK_ERR_CREDENTIAL },
		{ "a4 0101 0300 2006 215820" ED_X, GK_ERR_CREDENTIAL },
		{ "a4 0101 03381a 2006 215820" ED_X, GK_ERR_CREDENTIAL },
		{ "a4 0101 0327 2004 215820" ED_X, GK_ERR_CREDENTIAL },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_public_key key = { .crv = 99, .x = { 1 }, .y = { 2 } };
		struct gk_public_key before = key;
		enum gk_err err = gk_cose_key_read(hex_span(rows[i].in), &key);
		if (err != rows[i].want)
			fail_msg("row %zu, %s: error %d, not %d", i, rows[i].in, err, rows[i].want);
		assert_memory_equal(&key, &before, sizeof(key));
	}
}

static void a_truncated_key_is_malformed(void **state)
{
	(void)state;
	struct gk_span whole = hex_span("a5" P256 "0326");
	for (size_t len = 0; len < whole.len; len++) {
		struct gk_public_key key = { .crv = 99 };
		enum gk_err err = gk_cose_key_read(cut_to(whole, len), &key);
		if (err != GK_ERR_MALFORMED || key.crv != 99)
			fail_msg("cut at %zu: error %d", len, err);
	}
}

static void a_written_key_has_its_labels_in_order(void **state)
{
	(void)state;
	static const struct {
		int crv;
		const char *want;
	} rows[] = {
		{ GK_CRV_P256, "a5 0102 0326 2001 21" X "22" Y },
		{ GK_CRV_ED25519, "a4 0101 0327 2006 21" X },
		{ GK_CRV_X25519, "a3 0101 2004 21" X },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_public_key key = p256_key(), back;
		key.crv = rows[i].crv;
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_cose_key_put(&buf, &key);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].want);
		assert_int_equal(gk_cose_key_read(gk_buf_span(&buf), &back), GK_OK);
		assert_int_equal(back.crv, key.crv);
	}
}

static void a_key_without_a_curve_is_not_written(void **state)
{
	(void)state;
	struct gk_public_key key = { .crv = 0 };
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_cose_key_put(&buf, &key);
	assert_int_not_equal(gk_buf_err(&buf), GK_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures_that_are_authenticated_have_the_rfc_layout),
		cmocka_unit_test(encrypt0_opens_in_every_form_it_may_have),
		cmocka_unit_test(a_protected_iv_counts_too),
		cmocka_unit_test(a_bad_encrypt0_is_refused_and_nothing_written),
		cmocka_unit_test(a_truncated_encrypt0_is_malformed),
		cmocka_unit_test(any_flipped_bit_spoils_an_encrypt0),
		cmocka_unit_test(encrypt0_needs_its_key),
		cmocka_unit_test(a_protected_header_above_128_bytes_is_out_of_range),
		cmocka_unit_test(encrypt0_makes_the_rfc_example),
		cmocka_unit_test(encrypt0_leaves_nothing_behind_when_it_fails),
		cmocka_unit_test(encrypt0_says_when_there_is_no_space),
		cmocka_unit_test(sign1_verifies_in_every_form_it_may_have),
		cmocka_unit_test(a_bad_sign1_is_refused_and_no_payload_given),
		cmocka_unit_test(a_truncated_sign1_is_malformed),
		cmocka_unit_test(any_flipped_bit_that_is_signed_spoils_a_sign1),
		cmocka_unit_test(sign1_needs_the_key_of_its_signer),
		cmocka_unit_test(what_sign1_makes_verifies),
		cmocka_unit_test(eddsa_sign1_agrees_with_another_implementation),
		cmocka_unit_test(sign1_is_bounded_by_its_payload),
		cmocka_unit_test(sign1_wants_a_key_that_signs),
		cmocka_unit_test(a_key_is_read_whatever_else_is_in_its_map),
		cmocka_unit_test(a_bad_key_is_refused_and_nothing_changed),
		cmocka_unit_test(a_truncated_key_is_malformed),
		cmocka_unit_test(a_written_key_has_its_labels_in_order),
		cmocka_unit_test(a_key_without_a_curve_is_not_written),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
