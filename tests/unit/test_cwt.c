// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cwt.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"

#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define FINE 0
#define C400 GK_COAP_BAD_REQUEST
#define C401 GK_COAP_UNAUTHORIZED
#define C403 GK_COAP_FORBIDDEN

#define KEY   "000102030405060708090a0b0c0d0e0f"
#define NONCE "202122232425262728292a2b2c"
#define AS_D  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define NOW   1000

// Claims, each with its label.
#define ISS   "01626173"     /* "as" */
#define SUB   "02646c616d70" /* "lamp" */
#define AUD   "03636b6463"   /* "kdc" */
#define EXP   "041903e9"     /* 1001 */
#define OLD   "041903e8"     /* 1000 */
#define CTI   "07420b71"
#define SCOPE "0946818262673106" /* [["g1", 6]] */
#define KID   "08a1034101"
#define ID    "004101"
#define MS    "0250f9af838368e353e78888e1426bd94e6f"
#define CNF   "08a104a2" ID MS

#define ZERO_16 "00000000000000000000000000000000"

static struct gk_key_pair as_key;
static struct gk_cwt_issuer issuer;

// A gk_cwt that shows whether it was written to.
static struct gk_cwt untouched(void)
{
	struct gk_cwt cwt;
	memset(&cwt, 0x5a, sizeof(cwt));
	return cwt;
}

static bool is_untouched(const struct gk_cwt *cwt)
{
	struct gk_cwt want = untouched();
	return memcmp(cwt, &want, sizeof(want)) == 0;
}

static uint8_t scratch_bytes[GK_TOKEN_MAX];

static uint8_t code_of(enum gk_cwt_fault fault)
{
	return gk_cwt_refusals[fault].code;
}

static enum gk_cwt_fault read_token(struct gk_span token, struct gk_cwt *cwt)
{
	struct gk_buf scratch = gk_buf(scratch_bytes, sizeof(scratch_bytes));
	*cwt = untouched();
	return gk_cwt_read(&issuer, token, (struct gk_utc){ NOW }, &scratch, cwt);
}

// All of what follows gives memory of the exact size.
static struct gk_span encrypt(struct gk_span plaintext)
{
	uint8_t bytes[2 * GK_TOKEN_MAX];
	struct gk_buf token = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_encrypt0(plaintext, issuer.key, hex_span(NONCE), &token), GK_OK);
	return exact_copy(gk_buf_span(&token));
}

static struct gk_span sign(struct gk_span payload)
{
	uint8_t bytes[2 * GK_TOKEN_MAX];
	struct gk_buf token = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cose_sign1(payload, &as_key, &token), GK_OK);
	return exact_copy(gk_buf_span(&token));
}

static struct gk_span prefix(const char *head, struct gk_span rest)
{
	uint8_t bytes[2 * GK_TOKEN_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_buf_add(&buf, hex_span(head));
	gk_buf_add(&buf, rest);
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	return exact_copy(gk_buf_span(&buf));
}

static void expect(struct gk_span token, uint8_t want, const char *row)
{
	struct gk_cwt cwt;
	enum gk_cwt_fault fault = read_token(token, &cwt);
	if (code_of(fault) != want)
		fail_msg("%s: code %02x, not %02x", row, code_of(fault), want);
	if (fault != GK_CWT_FINE && !is_untouched(&cwt))
		fail_msg("%s: written to in spite of fault %d", row, fault);
}

static void a_whole_token_is_taken_apart(void **state)
{
	(void)state;
	struct gk_cwt cwt;
	struct gk_span token = encrypt(hex_span("a9" ISS SUB AUD EXP "051903e8"
						"061903e8" CTI SCOPE "08a104a7" ID "0101" MS
						"0305 04181e 0548f9af838368e353e7 0642dd11"));
	assert_int_equal(read_token(token, &cwt), FINE);
	assert_hex_equal(cwt.subject, "6c616d70");
	assert_hex_equal(cwt.scope, "818262673106");
	assert_int_equal(cwt.exp.s, 1001);
	assert_int_equal(cwt.exi_s, -1);
	assert_hex_equal(cwt.cti, "0b71");
	assert_true(cwt.has_osc);
	assert_int_equal(cwt.kid.len, 0);
	assert_hex_equal(cwt.osc_id, "01");
	assert_hex_equal(cwt.ms, "f9af838368e353e78888e1426bd94e6f");
	assert_hex_equal(cwt.salt, "f9af838368e353e7");
	assert_true(cwt.has_context_id);
	assert_hex_equal(cwt.context_id, "dd11");
	assert_int_equal(cwt.alg, 30);
	assert_int_equal(cwt.hkdf, 5);
}

static void what_is_absent_has_its_default(void **state)
{
	(void)state;
	struct gk_cwt cwt;
	assert_int_equal(read_token(encrypt(hex_span("a4" AUD EXP CNF SCOPE)), &cwt), FINE);
	assert_false(cwt.sleepy);
	assert_int_equal(cwt.subject.len, 0);
	assert_int_equal(cwt.cti.len, 0);
	assert_int_equal(cwt.salt.len, 0);
	assert_false(cwt.has_context_id);
	assert_int_equal(cwt.context_id.len, 0);
	assert_int_equal(cwt.alg, 10);
	assert_int_equal(cwt.hkdf, 5);

	assert_int_equal(read_token(encrypt(hex_span("a4" AUD EXP KID SCOPE)), &cwt), FINE);
	assert_false(cwt.has_osc);
	assert_hex_equal(cwt.kid, "01");
	assert_int_equal(cwt.ms.len, 0);
}

// Each row is a set of claims in which one thing is as it is not usually.
static void who_is_sleepy_says_so_by_true(void **state)
{
	// label -73530
	static const struct {
		const char *value;
		uint8_t code;
		bool sleepy;
	} rows[] = {
		{ "f5", FINE, true },    { "f4", FINE, false },         { "f6", C400, false },
		{ "01", C400, false },   { "6474727565", C400, false }, // "true"
		{ "81f5", C400, false }, { "f97e00", C400, false },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char claims[256];
		struct gk_cwt cwt;
		snprintf(claims, sizeof(claims), "a5" AUD EXP CNF SCOPE "3a00011f39%s",
			 rows[i].value);
		struct gk_span token = encrypt(hex_span(claims));
		expect(token, rows[i].code, rows[i].value);
		if (rows[i].code == FINE) {
			assert_int_equal(read_token(token, &cwt), FINE);
			assert_int_equal(cwt.sleepy, rows[i].sleepy);
		}
	}
	// said twice, it was not said by our AS
	expect(encrypt(hex_span("a6" AUD EXP CNF SCOPE "3a00011f39f53a00011f39f5")), C400, "twice");
}

static void claims_get_the_code_of_their_step(void **state)
{
	(void)state;
	static const struct {
		const char *claims;
		uint8_t want;
	} rows[] = {
		{ "a4" AUD EXP CNF SCOPE, FINE },
		{ "bf" AUD EXP CNF SCOPE "ff", FINE },
		{ "a7 0a00 6178f6 381838 18" AUD EXP CNF SCOPE, FINE },
		// no claims
		{ "", C400 },
		{ "a4" AUD EXP CNF SCOPE "00", C400 },
		{ "a5" AUD EXP CNF SCOPE, C400 },
		{ "a5" AUD EXP CNF SCOPE EXP, C400 },
		{ "80", C400 },
		{ "01", C400 },
		{ "a5 0141aa" AUD EXP CNF SCOPE, C400 },
		{ "a5 0241aa" AUD EXP CNF SCOPE, C400 },
		{ "a5 076131" AUD EXP CNF SCOPE, C400 },
		{ "a4 0343aabbcc" EXP CNF SCOPE, C400 },
		// iss
		{ "a5" ISS AUD EXP CNF SCOPE, FINE },
		{ "a5 01626153" AUD EXP CNF SCOPE, C401 },
		{ "a5 0160" AUD EXP CNF SCOPE, C401 },
		{ "a5 0163617373" AUD EXP CNF SCOPE, C401 },
		// exp, in whole seconds
		{ "a3" AUD CNF SCOPE, C401 },
		{ "a4" AUD OLD CNF SCOPE, C401 },
		{ "a4" AUD "0400" CNF SCOPE, C401 },
		{ "a4" AUD "0420" CNF SCOPE, C401 },
		{ "a4" AUD "043bffffffffffffffff" CNF SCOPE, C401 },
		{ "a4" AUD "04fb40f86a0000000000" CNF SCOPE, C400 }, // 100000.0
		{ "a4" AUD "04fa7f800000" CNF SCOPE, C400 },         // infinity
		{ "a4" AUD "04c11903e9" CNF SCOPE, C400 },           // tag 1: RFC 8392 section 2
		{ "a4" AUD "046431303031" CNF SCOPE, C400 },
		// nbf
		{ "a5" AUD EXP "051903e8" CNF SCOPE, FINE },
		{ "a5" AUD EXP "0520" CNF SCOPE, FINE },
		{ "a5" AUD EXP "051903e9" CNF SCOPE, C401 },
		{ "a5" AUD EXP "05fb3ff0000000000000" CNF SCOPE, C400 },
		// exi, with or without exp
		{ "a5" AUD CTI CNF SCOPE "182801", FINE },
		{ "a6" AUD EXP CTI CNF SCOPE "182801", FINE },
		{ "a6" AUD OLD CTI CNF SCOPE "182801", C401 },
		{ "a5" AUD CTI CNF SCOPE "182800", C401 },
		{ "a5" AUD CTI CNF SCOPE "182820", C400 },
		{ "a4" AUD CNF SCOPE "182801", C400 }, // no sequence number in cti
		{ "a5" AUD "0740" CNF SCOPE "182801", C400 },
		// aud
		{ "a3" EXP CNF SCOPE, C403 },
		{ "a4 03636b6464" EXP CNF SCOPE, C403 },
		{ "a4 03646b646363" EXP CNF SCOPE, C403 },
		{ "a4 0360" EXP CNF SCOPE, C403 },
		{ "a4 0381636b6463" EXP CNF SCOPE, FINE },
		{ "a4 038261 78636b6463" EXP CNF SCOPE, FINE },
		{ "a4 039f636b64636178ff" EXP CNF SCOPE, FINE },
		{ "a4 0380" EXP CNF SCOPE, C403 },
		{ "a4 03816178" EXP CNF SCOPE, C403 },
		{ "a4 0382636b646301" EXP CNF SCOPE, C400 },
		{ "a4 038143 6b6463" EXP CNF SCOPE, C400 },
		{ "a4 038181636b6463" EXP CNF SCOPE, C400 },
		// scope
		{ "a3" AUD EXP CNF, C400 },
		{ "a4" AUD EXP CNF "09da6374022b46818262673106", FINE },
		{ "a4" AUD EXP CNF "09da6374022c46818262673106", C400 },
		{ "a4" AUD EXP CNF "09c146818262673106", C400 },
		{ "a4" AUD EXP CNF "09da6374022bda6374022b46818262673106", C400 },
		{ "a4" AUD EXP CNF "09da6374022b6161", C400 },
		{ "a4" AUD EXP CNF "096161", C400 },
		{ "a4" AUD EXP CNF "09818262673106", C400 },
		{ "a4" AUD EXP CNF "0940", C400 },
		{ "a4" AUD EXP CNF "094180", C400 },              // grants nothing
		{ "a4" AUD EXP CNF "094481 82f505", C400 },       // nor does an admin entry
		{ "a4" AUD EXP CNF "0945 8262673106", C400 },     // an entry without the array
		{ "a4" AUD EXP CNF "0947 81826267310600", C400 }, // something follows
		{ "a4" AUD EXP CNF "0950 818262673169726573706f6e646572", C400 },
		{ "a4" AUD EXP CNF "094f 818262673169726573706f6e646572", FINE }, // "responder"
		// cnf
		{ "a3" AUD EXP SCOPE, C400 },
		{ "a4" AUD EXP "08f6" SCOPE, C400 },
		{ "a4" AUD EXP "08a0" SCOPE, C400 },
		{ "a4" AUD EXP KID SCOPE, FINE },
		{ "a4" AUD EXP "08a1036101" SCOPE, C400 },
		{ "a4" AUD EXP "08a204a2" ID MS "034101" SCOPE, C400 }, // two at once
		{ "a4" AUD EXP "08a2034101034102" SCOPE, C400 },
		{ "a4" AUD EXP "08a2034101 0540" SCOPE, C400 },
		{ "a4" AUD EXP "08a101a10101" SCOPE, C400 }, // a COSE_Key
		{ "a4" AUD EXP "08a10440" SCOPE, C400 },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(encrypt(hex_span(rows[i].claims)), rows[i].want, rows[i].claims);
}

#define MS_15 "024ff9af838368e353e78888e1426bd94e"
#define MS_64 "025840" ZERO_16 ZERO_16 ZERO_16 ZERO_16
#define MS_65 "025841" ZERO_16 ZERO_16 ZERO_16 ZERO_16 "00"

static void osc_has_what_it_must_and_nothing_unrecognised(void **state)
{
	(void)state;
	static const struct {
		const char *osc;
		uint8_t want;
	} rows[] = {
		{ "a2" ID MS, FINE },
		{ "bf" ID MS "ff", FINE },
		{ "a1" MS, C400 },
		{ "a1" ID, C400 },
		{ "a2" ID MS_15, C400 },
		{ "a2" ID MS_64, FINE },
		{ "a2" ID MS_65, C400 },
		{ "a2" ID "0240", C400 },
		{ "a2 0040" MS, FINE },
		{ "a2 00480102030405060708" MS, FINE },
		{ "a2 0049010203040506070809" MS, C400 },
		{ "a2 006101" MS, C400 },
		{ "a2" ID "0270"
		  "30303030303030303030303030303030",
		  C400 },
		{ "a3" ID MS "0101", FINE },
		{ "a3" ID MS "0100", C400 },
		{ "a3" ID MS "0102", C400 },
		{ "a3" ID MS "0120", C400 },
		{ "a3" ID MS "0305", FINE },
		{ "a3" ID MS "0306", C400 },
		{ "a3" ID MS "0329", C400 },
		{ "a3" ID MS "03c500", C400 }, // tag 5
		{ "a3" ID MS "04ca00", C400 }, // tag 10
		{ "a3" ID MS "03616f", C400 },
		{ "a3" ID MS "040a", FINE },
		{ "a3" ID MS "040c", FINE },
		{ "a3" ID MS "040b", C400 },
		{ "a3" ID MS "0400", C400 },
		{ "a3" ID MS "043b7fffffffffffffff", C400 },
		{ "a3" ID MS "041b0000000100 00000a", C400 }, // 10, had it been cut to 32 bits
		{ "a3" ID MS "04616f", C400 },
		{ "a3" ID MS "0540", FINE },
		{ "a3" ID MS "055840" ZERO_16 ZERO_16 ZERO_16 ZERO_16, FINE },
		{ "a3" ID MS "055841" ZERO_16 ZERO_16 ZERO_16 ZERO_16 "00", C400 },
		{ "a3" ID MS "0600", C400 },
		{ "a3" ID MS "0640", FINE },
		{ "a3" ID MS "0650" ZERO_16, FINE },
		{ "a3" ID MS "0651" ZERO_16 "00", C400 },
		{ "a3" ID MS MS, C400 },
		// O 4.2: whatever it is
		{ "a3" ID MS "074101", C400 },
		{ "a3" ID MS "0e40", C400 },
		{ "a3" ID MS "20f6", C400 },
		{ "a3" ID MS "6178f6", C400 },
		{ "a3" ID MS "f6f6", C400 },
		{ "bf" ID MS "0e40 ff", C400 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span claims = hex_span(rows[i].osc);
		claims = prefix("a4" AUD EXP SCOPE "08a104", claims);
		expect(encrypt(claims), rows[i].want, rows[i].osc);
	}
}

static void an_empty_context_id_is_not_an_absent_one(void **state)
{
	(void)state;
	struct gk_cwt cwt;
	struct gk_span claims = hex_span("a4" AUD EXP SCOPE "08a104a3" ID MS "0640");
	assert_int_equal(read_token(encrypt(claims), &cwt), FINE);
	assert_true(cwt.has_context_id);
	assert_int_equal(cwt.context_id.len, 0);
}

// A 5.10.1.1: of two faults, that of the earlier step is answered.
static void the_first_failing_step_decides(void **state)
{
	(void)state;
#define BAD_ISS   "01626153"
#define BAD_AUD   "03636b6464"
#define BAD_SCOPE "096161"
#define BAD_CNF   "08a0"
	static const struct {
		const char *claims;
		uint8_t want;
	} rows[] = {
		{ "a5" BAD_ISS BAD_AUD EXP BAD_CNF BAD_SCOPE, C401 },
		{ "a5" BAD_ISS BAD_AUD EXP CNF SCOPE, C401 },
		{ "a4" BAD_AUD OLD BAD_CNF BAD_SCOPE, C401 },
		{ "a4" BAD_AUD OLD CNF SCOPE, C401 },
		{ "a3" BAD_AUD CNF SCOPE, C401 },
		{ "a4" BAD_AUD EXP BAD_CNF SCOPE, C403 },
		{ "a4" BAD_AUD EXP CNF BAD_SCOPE, C403 },
		{ "a4" AUD EXP BAD_CNF BAD_SCOPE, C400 },
		{ "a5" BAD_ISS BAD_AUD OLD CNF SCOPE "00", C400 }, // claims come first
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(encrypt(hex_span(rows[i].claims)), rows[i].want, rows[i].claims);
}

// Not for the peer: the operator's log line.
static void why_a_token_is_refused_can_be_told(void **state)
{
	(void)state;
	static const struct {
		const char *claims;
		const char *reason;
	} rows[] = {
		{ "80", "token is malformed" },
		{ "a5" BAD_ISS AUD EXP CNF SCOPE, "token is of another issuer" },
		{ "a4" AUD OLD CNF SCOPE, "token has ended" },
		{ "a5" AUD CTI CNF SCOPE "182800", "token has ended" },
		{ "a3" AUD CNF SCOPE, "token has no end" },
		{ "a5" AUD EXP "051903e9" CNF SCOPE, "token is not valid yet" },
		{ "a4" BAD_AUD EXP CNF SCOPE, "token is for another audience" },
		{ "a3" EXP CNF SCOPE, "token is for another audience" },
		{ "a4" AUD EXP CNF BAD_SCOPE, "token has no scope that we know" },
		{ "a4" AUD EXP BAD_CNF SCOPE, "token's key material cannot be used" },
		{ "a4" AUD EXP "08a104a1" MS SCOPE, "token's key material cannot be used" },
	};
	struct gk_cwt cwt;
	for (size_t i = 0; i < ROWS(rows); i++) {
		enum gk_cwt_fault fault = read_token(encrypt(hex_span(rows[i].claims)), &cwt);
		assert_string_equal(gk_cwt_refusals[fault].reason, rows[i].reason);
	}

	struct gk_cwt_issuer ours = issuer;
	issuer.key = hex_span(ZERO_16);
	struct gk_span foreign = encrypt(hex_span("a4" AUD EXP CNF SCOPE));
	issuer = ours;
	assert_string_equal(gk_cwt_refusals[read_token(foreign, &cwt)].reason,
			    "token is not under our key");
}

static void the_largest_times_stay_times(void **state)
{
	(void)state;
	struct gk_cwt cwt;
	struct gk_span claims = hex_span("a4" AUD "041b7fffffffffffffff" CNF SCOPE);
	assert_int_equal(read_token(encrypt(claims), &cwt), FINE);
	assert_true(cwt.exp.s == GK_NEVER - 1);
	claims = hex_span("a4" AUD "041bffffffffffffffff" CNF SCOPE);
	assert_int_equal(read_token(encrypt(claims), &cwt), FINE);
	assert_true(cwt.exp.s == GK_NEVER - 1);

	claims = hex_span("a5" AUD CTI CNF SCOPE "18281a00015180");
	assert_int_equal(read_token(encrypt(claims), &cwt), FINE);
	assert_int_equal(cwt.exi_s, 86400);
	assert_true(cwt.exp.s == GK_NEVER);
	claims = hex_span("a5" AUD CTI CNF SCOPE "18281bffffffffffffffff");
	assert_int_equal(read_token(encrypt(claims), &cwt), FINE);
	assert_true(cwt.exi_s == GK_EXI_MAX);
}

static void an_expected_issuer_may_be_left_open(void **state)
{
	(void)state;
	struct gk_cwt_issuer strict = issuer;
	issuer.issuer = gk_span(NULL, 0);
	expect(encrypt(hex_span("a5 01626153" AUD EXP CNF SCOPE)), FINE, "other iss");
	expect(encrypt(hex_span("a4" AUD EXP CNF SCOPE)), FINE, "no iss");
	issuer = strict;
}

static void without_an_audience_of_our_own_no_token_is_for_us(void **state)
{
	(void)state;
	struct gk_cwt_issuer named = issuer;
	issuer.audience = gk_span(NULL, 0);
	expect(encrypt(hex_span("a3" EXP CNF SCOPE)), C403, "no aud");
	expect(encrypt(hex_span("a4" AUD EXP CNF SCOPE)), C403, "aud");
	issuer = named;
}

/* wrappers */

#define GOOD   "a4" AUD EXP CNF SCOPE
#define UPDATE "a4" AUD EXP KID SCOPE

static void every_wrapper_is_opened(void **state)
{
	(void)state;
	struct gk_span plain = hex_span(GOOD), update = hex_span(UPDATE);
	struct gk_span encrypted = encrypt(plain), signed_update = sign(update);
	struct gk_span untagged = exact_copy(gk_span_sub(encrypted, 1, SIZE_MAX));
	expect(encrypted, FINE, "encrypted");
	expect(untagged, FINE, "untagged");
	expect(prefix("d83d", encrypted), FINE, "tag 61");
	expect(prefix("d9003d", encrypted), FINE, "tag 61 with a long head");

	expect(signed_update, FINE, "signed");
	expect(prefix("d83d", signed_update), FINE, "signed, tag 61");
	expect(exact_copy(gk_span_sub(signed_update, 1, SIZE_MAX)), FINE, "signed, untagged");

	struct gk_span both = sign(plain);
	expect(encrypt(both), FINE, "signed and encrypted");
	expect(prefix("d83d", encrypt(both)), FINE, "the same, tag 61");
	expect(encrypt(prefix("d83d", both)), FINE, "tag 61 inside");
	expect(encrypt(gk_span_sub(both, 1, SIZE_MAX)), FINE, "untagged inside");
}

// O 3.2: who sees the token on its way would have the key.
static void a_master_secret_that_was_not_encrypted_is_refused(void **state)
{
	(void)state;
	expect(sign(hex_span(GOOD)), C400, "osc");
	expect(sign(hex_span(UPDATE)), FINE, "kid");
}

static void what_is_no_token_is_4_00(void **state)
{
	(void)state;
	struct gk_span good = encrypt(hex_span(GOOD));
	static const char *const rows[] = {
		"",
		"f6",
		"d08343",
		"80",
		GOOD, // claims that nobody vouches for
		"d83d" GOOD,
		"d18443a10105a0410041 00", // COSE_Mac0
		"d8608443a1010aa0410080",  // COSE_Encrypt
		"82404100",
		"8540a0400000",
		"8343a1010aa0",
		"d08343a1010aa0410000",
		"d08341f6a0410 0",
		"d08343a1010aa04100", // no IV
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(hex_span(rows[i]), C400, rows[i]);

	expect(prefix("d83dd83d", good), C400, "tag 61 twice");
	expect(prefix("d0", good), C400, "tag 16 twice");
	expect(prefix("d2", gk_span_sub(good, 1, SIZE_MAX)), C400, "tagged as signed");
	expect(encrypt(good), C400, "encrypted twice");
	expect(sign(good), C400, "encrypted, then signed");
	expect(encrypt(sign(sign(hex_span(GOOD)))), C400, "signed twice");
	expect(encrypt(hex_span("d83d" GOOD)), C400, "tag 61 around claims");
}

static void a_wrapper_that_the_as_did_not_make_is_4_01(void **state)
{
	(void)state;
	struct gk_cwt_issuer ours = issuer;
	struct gk_span encrypted = encrypt(hex_span(GOOD)), sealed = sign(hex_span(UPDATE));
	struct gk_span both = encrypt(sign(hex_span(GOOD)));

	issuer.key = hex_span("010102030405060708090a0b0c0d0e0f");
	expect(encrypted, C401, "another key");
	expect(both, C401, "another key, nested");
	expect(sealed, FINE, "a signature is no matter of that key");
	issuer.key = gk_span(NULL, 0);
	expect(encrypted, C401, "no key");
	expect(both, C401, "no key, nested");
	issuer = ours;

	struct gk_key_pair other;
	assert_int_equal(gk_key_from_private(GK_CRV_P256, hex_span(KEY KEY), &other), GK_OK);
	issuer.public_key = other.pub;
	expect(sealed, C401, "another public key");
	expect(both, C401, "another public key, nested");
	expect(encrypted, FINE, "not signed");
	issuer.public_key.crv = 0;
	expect(sealed, C401, "no public key");
	expect(both, C401, "no public key, nested");
	issuer = ours;

	expect(hex_span("d08343a10101a1054d" NONCE "4100"), C401, "an algorithm we lack");
	expect(hex_span("d08346a2010a028105a1054d" NONCE "4100"), C401, "crit");
	expect(hex_span("d28443a10126a0f640"), C401, "a detached payload");
}

static void any_flipped_bit_spoils_a_token(void **state)
{
	(void)state;
	struct gk_span tokens[] = { encrypt(hex_span(GOOD)), sign(hex_span(UPDATE)) };
	for (size_t t = 0; t < ROWS(tokens); t++) {
		uint8_t bytes[256];
		assert_true(tokens[t].len <= sizeof(bytes));
		for (size_t at = 0; at < tokens[t].len; at++) {
			struct gk_cwt cwt;
			memcpy(bytes, tokens[t].data, tokens[t].len);
			bytes[at] ^= 0x01;
			uint8_t code = code_of(read_token(gk_span(bytes, tokens[t].len), &cwt));
			if ((code != C400 && code != C401) || !is_untouched(&cwt))
				fail_msg("token %zu, flip at %zu: code %02x", t, at, code);
		}
	}
}

static void a_truncated_token_is_4_00(void **state)
{
	(void)state;
	struct gk_span tokens[] = { encrypt(hex_span(GOOD)), sign(hex_span(UPDATE)) };
	for (size_t t = 0; t < ROWS(tokens); t++) {
		for (size_t len = 0; len < tokens[t].len; len++)
			expect(exact_copy(gk_span_sub(tokens[t], 0, len)), C400, "truncated");
	}
}

static void truncated_claims_are_4_00(void **state)
{
	(void)state;
	struct gk_span claims = hex_span("a6" ISS SUB AUD EXP CNF SCOPE);
	for (size_t len = 0; len < claims.len; len++)
		expect(encrypt(gk_span_sub(claims, 0, len)), C400, "truncated");
	expect(encrypt(claims), FINE, "whole");
}

static void claims_nested_too_deep_are_4_00(void **state)
{
	(void)state;
	expect(encrypt(hex_span("a5" AUD EXP CNF SCOPE "1864"
				"8181818181818181f6")),
	       FINE, "8 deep");
	expect(encrypt(hex_span("a5" AUD EXP CNF SCOPE "1864"
				"818181818181818181f6")),
	       C400, "9 deep");
}

// A filling claim, cti, brings the token to a length.
static struct gk_span token_of(size_t len, size_t fill)
{
	uint8_t bytes[2 * GK_TOKEN_MAX];
	struct gk_buf claims = gk_buf(bytes, sizeof(bytes));
	gk_buf_add(&claims, hex_span("a5" AUD EXP CNF SCOPE "07"));
	gk_put_bytes_head(&claims, fill);
	gk_buf_zeros(&claims, fill);
	struct gk_span token = encrypt(gk_buf_span(&claims));
	return token.len < len ? token_of(len, fill + len - token.len) : token;
}

static void a_token_may_be_of_1024_bytes_and_not_of_one_more(void **state)
{
	(void)state;
	struct gk_span largest = token_of(GK_TOKEN_MAX, 800);
	assert_int_equal(largest.len, GK_TOKEN_MAX);
	expect(largest, FINE, "1024");
	struct gk_span above = token_of(GK_TOKEN_MAX + 1, 800);
	assert_int_equal(above.len, GK_TOKEN_MAX + 1);
	expect(above, C400, "1025");
}

/* keys for DTLS (RFC 9202 3.2, 3.3) */

#define DTLS_KID  "02483d027833fc6267ce"
#define SECRET    "08a101a30104" DTLS_KID "2050" ZERO_16
#define DERIVED   "08a101a20104" DTLS_KID
#define CLAIMS(c) "a4" AUD EXP c SCOPE

static void keys_for_dtls_are_read(void **state)
{
	(void)state;
	struct gk_cwt cwt;

	assert_int_equal(read_token(encrypt(hex_span(CLAIMS(SECRET))), &cwt), FINE);
	assert_true(cwt.has_key && !cwt.has_osc);
	assert_hex_equal(cwt.kid, "3d027833fc6267ce");
	assert_hex_equal(cwt.psk, ZERO_16);
	assert_int_equal(cwt.public_key.crv, 0);
	assert_int_equal(read_token(sign(hex_span(CLAIMS(DERIVED))), &cwt), FINE);
	assert_true(cwt.has_key);
	assert_hex_equal(cwt.kid, "3d027833fc6267ce");
	assert_int_equal(cwt.psk.len, 0);
}

static void a_key_that_all_could_read_is_none(void **state)
{
	(void)state;
	expect(encrypt(hex_span(CLAIMS(SECRET))), FINE, "encrypted");
	expect(encrypt(sign(hex_span(CLAIMS(SECRET)))), FINE, "signed and encrypted");
	expect(sign(hex_span(CLAIMS(SECRET))), C400, "signed");
}

static void a_scratch_too_small_is_4_00(void **state)
{
	(void)state;
	struct gk_span claims = hex_span(GOOD), token = encrypt(claims);
	for (size_t cap = 0; cap <= claims.len; cap++) {
		struct gk_cwt cwt = untouched();
		struct gk_buf scratch = gk_buf(scratch_bytes, cap);
		enum gk_cwt_fault fault =
			gk_cwt_read(&issuer, token, (struct gk_utc){ NOW }, &scratch, &cwt);
		if (code_of(fault) != (cap == claims.len ? FINE : C400))
			fail_msg("space for %zu: fault %d", cap, fault);
	}
}

static void what_was_in_the_scratch_before_stays_out(void **state)
{
	(void)state;
	struct gk_cwt cwt;
	struct gk_buf scratch = gk_buf(scratch_bytes, sizeof(scratch_bytes));
	gk_buf_add(&scratch, hex_span("a0"));
	assert_int_equal(gk_cwt_read(&issuer, encrypt(hex_span(GOOD)), (struct gk_utc){ NOW },
				     &scratch, &cwt),
			 FINE);
	assert_hex_equal(cwt.osc_id, "01");
	assert_hex_equal(gk_span(scratch_bytes, 1), "a0");
}

/* issuing */

// Made with another implementation of AES-CCM and CBOR.
#define ISSUED                                                                                     \
	"d08343a1010aa1054d202122232425262728292a2b2c584fcdb4f0a74870ca0d53d8ac75374c7e0018f1e5e2" \
	"a44e678db1815b58c5ed9207cf74ee3cb3cd0c87abb0d22484e11a5fc703117b94466cf5753d3ce725dd422f" \
	"10b71c73a88078afa0dd58220c6dac"

static struct gk_cwt_spec good_spec(void)
{
	return (struct gk_cwt_spec){
		.issuer = gk_span_str("as"),
		.audience = gk_span_str("kdc"),
		.subject = gk_span_str("lamp"),
		.scope = hex_span("818262673106"),
		.iat = { 1799996400 },
		.exp = { 1800000000 },
		.osc_id = hex_span("01"),
		.ms = hex_span("f9af838368e353e78888e1426bd94e6f"),
		.salt = hex_span("f9af838368e353e7"),
	};
}

static enum gk_err issue(const struct gk_cwt_spec *spec, struct gk_buf *out)
{
	return gk_cwt_issue(spec, hex_span(KEY), hex_span(NONCE), out);
}

static void an_issued_token_has_its_claims_in_order(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	struct gk_cwt_spec spec = good_spec();
	assert_int_equal(issue(&spec, &out), GK_OK);
	assert_hex_equal(gk_buf_span(&out), ISSUED);
}

static void an_issued_token_reads_back(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	struct gk_cwt_spec spec = good_spec();
	struct gk_cwt cwt;
	assert_int_equal(issue(&spec, &out), GK_OK);
	assert_int_equal(read_token(gk_buf_span(&out), &cwt), FINE);
	assert_hex_equal(cwt.subject, "6c616d70");
	assert_hex_equal(cwt.scope, "818262673106");
	assert_int_equal(cwt.exp.s, 1800000000);
	assert_hex_equal(cwt.ms, "f9af838368e353e78888e1426bd94e6f");
	assert_hex_equal(cwt.salt, "f9af838368e353e7");

	spec.issuer = spec.subject = spec.salt = gk_span(NULL, 0);
	out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(issue(&spec, &out), GK_OK);
	assert_int_equal(read_token(gk_buf_span(&out), &cwt), FINE);
	assert_int_equal(cwt.subject.len + cwt.salt.len, 0);
	assert_false(cwt.sleepy);

	spec.sleepy = true;
	out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(issue(&spec, &out), GK_OK);
	assert_int_equal(read_token(gk_buf_span(&out), &cwt), FINE);
	assert_true(cwt.sleepy);
}

static void nothing_is_issued_that_would_be_refused(void **state)
{
	(void)state;
	static const uint8_t zeros[GK_TOKEN_MAX];
	struct gk_cwt_spec rows[9];
	for (size_t i = 0; i < ROWS(rows); i++)
		rows[i] = good_spec();
	rows[0].ms.len = 15;
	rows[1].ms = gk_span(zeros, 65);
	rows[2].osc_id = gk_span(zeros, 9);
	rows[3].salt = gk_span(zeros, 65);
	rows[4].scope = hex_span("80");
	rows[5].scope = hex_span("8262673106");
	rows[6].exp.s = rows[6].iat.s;
	rows[7].audience.len = 0;
	rows[8].exp.s = GK_NEVER;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[512];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		enum gk_err err = issue(&rows[i], &out);
		if (err != GK_ERR_RANGE || out.len != 0)
			fail_msg("row %zu: error %d, %zu bytes", i, err, out.len);
	}
}

static void an_issued_token_is_never_above_1024_bytes(void **state)
{
	(void)state;
	static uint8_t letters[GK_TOKEN_MAX], bytes[2 * GK_TOKEN_MAX];
	memset(letters, 'a', sizeof(letters));
	struct gk_cwt_spec spec = good_spec();
	size_t longest = 0;
	for (size_t len = 800; len < GK_TOKEN_MAX; len++) {
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		spec.subject = gk_span(letters, len);
		enum gk_err err = issue(&spec, &out);
		if (err == GK_OK) {
			longest = out.len;
			expect(gk_buf_span(&out), FINE, "issued");
			continue;
		}
		assert_int_equal(err, GK_ERR_RANGE);
		assert_int_equal(out.len, 0);
	}
	assert_true(longest > 1000 && longest <= GK_TOKEN_MAX);
}

static void issuing_needs_space_a_key_and_a_nonce(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct gk_cwt_spec spec = good_spec();
	struct gk_buf out = gk_buf(bytes, 50);
	assert_int_equal(issue(&spec, &out), GK_ERR_NO_SPACE);

	out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_cwt_issue(&spec, hex_span("00"), hex_span(NONCE), &out), GK_ERR_RANGE);
	assert_int_equal(gk_cwt_issue(&spec, hex_span(KEY), hex_span("00"), &out), GK_ERR_RANGE);
	assert_int_equal(out.len, 0);
}

static int start(void **state)
{
	if (core_start(state))
		return -1;
	issuer = (struct gk_cwt_issuer){
		.key = hex_span(KEY),
		.issuer = gk_span_str("as"),
		.audience = gk_span_str("kdc"),
	};
	if (gk_key_from_private(GK_CRV_P256, hex_span(AS_D), &as_key) != GK_OK)
		return -1;
	issuer.public_key = as_key.pub;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_token_is_taken_apart),
		cmocka_unit_test(what_is_absent_has_its_default),
		cmocka_unit_test(who_is_sleepy_says_so_by_true),
		cmocka_unit_test(claims_get_the_code_of_their_step),
		cmocka_unit_test(osc_has_what_it_must_and_nothing_unrecognised),
		cmocka_unit_test(an_empty_context_id_is_not_an_absent_one),
		cmocka_unit_test(the_first_failing_step_decides),
		cmocka_unit_test(why_a_token_is_refused_can_be_told),
		cmocka_unit_test(the_largest_times_stay_times),
		cmocka_unit_test(an_expected_issuer_may_be_left_open),
		cmocka_unit_test(without_an_audience_of_our_own_no_token_is_for_us),
		cmocka_unit_test(every_wrapper_is_opened),
		cmocka_unit_test(a_master_secret_that_was_not_encrypted_is_refused),
		cmocka_unit_test(what_is_no_token_is_4_00),
		cmocka_unit_test(a_wrapper_that_the_as_did_not_make_is_4_01),
		cmocka_unit_test(any_flipped_bit_spoils_a_token),
		cmocka_unit_test(a_truncated_token_is_4_00),
		cmocka_unit_test(truncated_claims_are_4_00),
		cmocka_unit_test(claims_nested_too_deep_are_4_00),
		cmocka_unit_test(a_token_may_be_of_1024_bytes_and_not_of_one_more),
		cmocka_unit_test(keys_for_dtls_are_read),
		cmocka_unit_test(a_key_that_all_could_read_is_none),
		cmocka_unit_test(a_scratch_too_small_is_4_00),
		cmocka_unit_test(what_was_in_the_scratch_before_stays_out),
		cmocka_unit_test(an_issued_token_has_its_claims_in_order),
		cmocka_unit_test(an_issued_token_reads_back),
		cmocka_unit_test(nothing_is_issued_that_would_be_refused),
		cmocka_unit_test(an_issued_token_is_never_above_1024_bytes),
		cmocka_unit_test(issuing_needs_space_a_key_and_a_nonce),
	};
	return cmocka_run_group_tests(tests, start, core_stop);
}
