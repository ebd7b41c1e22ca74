// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// The bytes of RFC 8613: appendix C, and the examples of sections 5.4 and 6.3.
#include "libgroupkey/oscore.h"

#include "libgroupkey/cose.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table)  (sizeof(table) / sizeof((table)[0]))
#define MASTER_SECRET "0102030405060708090a0b0c0d0e0f10"
#define MASTER_SALT   "9e7ca92223786340"
#define ID_CONTEXT    "37cbf3210017a2d3"

/* C.1 to C.3 */

enum derivation {
	C_1_1,
	C_1_2,
	C_2_1,
	C_2_2,
	C_3_1,
	C_3_2,
};

static const struct {
	const char *name;
	const char *salt, *id_context, *sender_id, *recipient_id;
	const char *sender_info, *recipient_info, *iv_info;
	const char *sender_key, *recipient_key, *common_iv;
	const char *sender_nonce, *recipient_nonce; /* for Partial IV 0 */
} derivations[] = {
	[C_1_1] = { "C.1.1, client", MASTER_SALT, NULL, "", "01", "8540f60a634b657910",
		    "854101f60a634b657910", "8540f60a6249560d", "f0910ed7295e6ad4b54fc793154302ff",
		    "ffb14e093c94c9cac9471648b4f98710", "4622d4dd6d944168eefb54987c",
		    "4622d4dd6d944168eefb54987c", "4722d4dd6d944169eefb54987c" },
	[C_1_2] = { "C.1.2, server", MASTER_SALT, NULL, "01", "", "854101f60a634b657910",
		    "8540f60a634b657910", "8540f60a6249560d", "ffb14e093c94c9cac9471648b4f98710",
		    "f0910ed7295e6ad4b54fc793154302ff", "4622d4dd6d944168eefb54987c",
		    "4722d4dd6d944169eefb54987c", "4622d4dd6d944168eefb54987c" },
	[C_2_1] = { "C.2.1, client", "", NULL, "00", "01", "854100f60a634b657910",
		    "854101f60a634b657910", "8540f60a6249560d", "321b26943253c7ffb6003b0b64d74041",
		    "e57b5635815177cd679ab4bcec9d7dda", "be35ae297d2dace910c52e99f9",
		    "bf35ae297d2dace910c52e99f9", "bf35ae297d2dace810c52e99f9" },
	[C_2_2] = { "C.2.2, server", "", NULL, "01", "00", "854101f60a634b657910",
		    "854100f60a634b657910", "8540f60a6249560d", "e57b5635815177cd679ab4bcec9d7dda",
		    "321b26943253c7ffb6003b0b64d74041", "be35ae297d2dace910c52e99f9",
		    /* The RFC prints the client's nonce for both; that of id 01 is the one that
		     * C.2.1 gives for the same identifier. */
		    "bf35ae297d2dace810c52e99f9", "bf35ae297d2dace910c52e99f9" },
	[C_3_1] = { "C.3.1, client", MASTER_SALT, ID_CONTEXT, "", "01",
		    "85404837cbf3210017a2d30a634b657910", "8541014837cbf3210017a2d30a634b657910",
		    "85404837cbf3210017a2d30a6249560d", "af2a1300a5e95788b356336eeecd2b92",
		    "e39a0c7c77b43f03b4b39ab9a268699f", "2ca58fb85ff1b81c0b7181b85e",
		    "2ca58fb85ff1b81c0b7181b85e", "2da58fb85ff1b81d0b7181b85e" },
	[C_3_2] = { "C.3.2, server", MASTER_SALT, ID_CONTEXT, "01", "",
		    "8541014837cbf3210017a2d30a634b657910", "85404837cbf3210017a2d30a634b657910",
		    "85404837cbf3210017a2d30a6249560d", "e39a0c7c77b43f03b4b39ab9a268699f",
		    "af2a1300a5e95788b356336eeecd2b92", "2ca58fb85ff1b81c0b7181b85e",
		    "2da58fb85ff1b81d0b7181b85e", "2ca58fb85ff1b81c0b7181b85e" },
};

static struct gk_oscore derive(enum derivation which)
{
	struct gk_oscore ctx = { .aead = NULL };
	const char *id_context = derivations[which].id_context;
	const struct gk_oscore_input input = {
		.alg = GK_ALG_AES_CCM_16_64_128,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span(MASTER_SECRET),
		.master_salt = hex_span(derivations[which].salt),
		.has_id_context = id_context != NULL,
		.id_context = hex_span(id_context ? id_context : ""),
		.sender_id = hex_span(derivations[which].sender_id),
		.recipient_id = hex_span(derivations[which].recipient_id),
	};
	assert_int_equal(gk_oscore_init(&ctx, &input), GK_OK);
	return ctx;
}

static void assert_info(size_t row, const char *id, const char *type, size_t len, const char *want)
{
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const char *id_context = derivations[row].id_context;
	gk_oscore_put_info(&buf, hex_span(id), id_context != NULL,
			   hex_span(id_context ? id_context : ""), GK_ALG_AES_CCM_16_64_128, type,
			   len);
	assert_hex_equal_row(gk_buf_span(&buf), want, derivations[row].name);
}

static void c1_to_c3_info_arrays(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(derivations); i++) {
		assert_info(i, derivations[i].sender_id, "Key", 16, derivations[i].sender_info);
		assert_info(i, derivations[i].recipient_id, "Key", 16,
			    derivations[i].recipient_info);
		assert_info(i, "", "IV", 13, derivations[i].iv_info);
	}
}

static void c1_to_c3_keys_and_common_iv(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(derivations); i++) {
		const char *name = derivations[i].name;
		const struct gk_oscore ctx = derive((enum derivation)i);
		assert_hex_equal_row(gk_span(ctx.sender_key, 16), derivations[i].sender_key, name);
		assert_hex_equal_row(gk_span(ctx.recipient_key, 16), derivations[i].recipient_key,
				     name);
		assert_hex_equal_row(gk_span(ctx.common_iv, 13), derivations[i].common_iv, name);
	}
}

static void c1_to_c3_nonces_of_partial_iv_0(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(derivations); i++) {
		uint8_t nonce[13];
		const struct gk_oscore ctx = derive((enum derivation)i);
		gk_oscore_nonce(ctx.common_iv, sizeof(nonce), gk_id_span(&ctx.sender_id),
				hex_span("00"), nonce);
		assert_hex_equal_row(gk_span(nonce, sizeof(nonce)), derivations[i].sender_nonce,
				     derivations[i].name);
		gk_oscore_nonce(ctx.common_iv, sizeof(nonce), gk_id_span(&ctx.recipient_id),
				hex_span("00"), nonce);
		assert_hex_equal_row(gk_span(nonce, sizeof(nonce)), derivations[i].recipient_nonce,
				     derivations[i].name);
	}
}

/* C.4 to C.8 */

#define SEQUENCE_NUMBER 20 /* of the client in C.4 to C.6 */

struct message {
	const char *name;
	enum derivation client, server;
	const char *unprotected;
	const char *aad_array, *aad, *plaintext, *nonce;
	const char *option, *ciphertext;
	const char *protected;
};

static const struct message requests[] = {
	{ "C.4", C_1_1, C_1_2, "44015d1f00003974396c6f63616c686f737483747631", "8501810a40411440",
	  "8368456e63727970743040488501810a40411440", "01b3747631", "4622d4dd6d944168eefb549868",
	  "0914", "612f1092f1776f1c1668b3825e",
	  "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e" },
	{ "C.5", C_2_1, C_2_2, "440171c30000b932396c6f63616c686f737483747631", "8501810a4100411440",
	  "8368456e63727970743040498501810a4100411440", "01b3747631", "bf35ae297d2dace910c52e99ed",
	  "091400", "4ed339a5a379b0b8bc731fffb0",
	  "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0" },
	{ "C.6", C_3_1, C_3_2, "44012f8eef9bbf7a396c6f63616c686f737483747631", "8501810a40411440",
	  "8368456e63727970743040488501810a40411440", "01b3747631", "2ca58fb85ff1b81c0b7181b84a",
	  "19140837cbf3210017a2d3", "72cd7273fd331ac45cffbe55c3",
	  "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55"
	  "c3" },
};

/** Both answer the request of C.4. */
static const struct message responses[] = {
	{ "C.7", C_1_1, C_1_2, "64455d1f00003974ff48656c6c6f20576f726c6421", "8501810a40411440",
	  "8368456e63727970743040488501810a40411440", "45ff48656c6c6f20576f726c6421",
	  "4622d4dd6d944168eefb549868", "", "dbaad1e9a7e7b2a813d3c31524378303cdafae119106",
	  "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106" },
	{ "C.8", C_1_1, C_1_2, "64455d1f00003974ff48656c6c6f20576f726c6421", "8501810a40411440",
	  "8368456e63727970743040488501810a40411440", "45ff48656c6c6f20576f726c6421",
	  "4722d4dd6d944169eefb54987c", "0100", "4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
	  "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e" },
};

/** A message without its transport header, as the library has it:
 * code, and what follows the token. */
static struct gk_span without_header(const char *text)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_span whole = hex_span(text);
	size_t token_len = whole.data[0] & 0x0f;
	gk_buf_byte(&buf, whole.data[1]);
	gk_buf_add(&buf, gk_span_sub(whole, 4 + token_len, whole.len));
	return exact_copy(gk_buf_span(&buf));
}

static void assert_span_equal(struct gk_span got, struct gk_span want, const char *name)
{
	if (!gk_span_equal(got, want))
		fail_msg("%s: got %s, want %s", name, hex_text(got), hex_text(want));
}

/** The parts that the RFC prints: AAD, nonce, ciphertext. */
static void assert_parts(const struct message *m, const uint8_t *key, struct gk_span message)
{
	uint8_t aad[64], plaintext[64];
	struct gk_buf aad_buf = gk_buf(aad, sizeof(aad));
	struct gk_buf plain_buf = gk_buf(plaintext, sizeof(plaintext));
	struct gk_oscore_option opt;
	struct gk_span payload, value;
	struct gk_coap msg;

	assert_int_equal(gk_oscore_peek(message, &opt, &payload), GK_OK);
	assert_int_equal(gk_coap_parse(message, &msg), GK_OK);
	assert_true(gk_coap_find(&msg, GK_OPT_OSCORE, &value));
	assert_hex_equal_row(value, m->option, m->name);
	assert_hex_equal_row(payload, m->ciphertext, m->name);

	gk_cose_put_enc_structure(&aad_buf, gk_span(NULL, 0), hex_span(m->aad_array));
	assert_hex_equal_row(gk_buf_span(&aad_buf), m->aad, m->name);
	assert_int_equal(gk_aead_open(gk_aead_find(GK_ALG_AES_CCM_16_64_128), gk_span(key, 16),
				      hex_span(m->nonce), hex_span(m->aad), payload, &plain_buf),
			 GK_OK);
	assert_hex_equal_row(gk_buf_span(&plain_buf), m->plaintext, m->name);
}

static void assert_request_of(const struct message *m)
{
	uint8_t bytes[128], inner[128];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes)), in = gk_buf(inner, sizeof(inner));
	struct gk_oscore client = derive(m->client);
	const struct gk_oscore server = derive(m->server);
	struct gk_oscore_ref sent, received;
	bool fresh = false;

	client.seq = SEQUENCE_NUMBER;
	assert_int_equal(
		gk_oscore_protect_request(&client, without_header(m->unprotected), &out, &sent),
		GK_OK);
	assert_span_equal(gk_buf_span(&out), without_header(m->protected), m->name);
	assert_int_equal(client.seq, SEQUENCE_NUMBER + 1);
	assert_parts(m, client.sender_key, gk_buf_span(&out));

	assert_int_equal(gk_oscore_unprotect_request(&server, without_header(m->protected), &in,
						     &received, &fresh),
			 GK_OK);
	assert_hex_equal_row(gk_buf_span(&in), m->plaintext, m->name);
	assert_true(fresh);
	assert_true(gk_id_equal(&sent.kid, &received.kid));
	assert_true(gk_id_equal(&sent.piv, &received.piv));
}

static void c4_request(void **state)
{
	(void)state;
	assert_request_of(&requests[0]);
}

static void c5_request_without_master_salt(void **state)
{
	(void)state;
	assert_request_of(&requests[1]);
}

static void c6_request_with_kid_context(void **state)
{
	(void)state;
	assert_request_of(&requests[2]);
}

static void assert_response_of(const struct message *m, bool own_piv, int64_t piv)
{
	uint8_t bytes[128], inner[128];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes)), in = gk_buf(inner, sizeof(inner));
	const struct gk_oscore client = derive(m->client);
	struct gk_oscore server = derive(m->server);
	struct gk_oscore_ref ref;
	bool fresh;
	int64_t got_piv = -2;

	assert_int_equal(gk_oscore_unprotect_request(&server, without_header(requests[0].protected),
						     &in, &ref, &fresh),
			 GK_OK);
	assert_int_equal(gk_oscore_protect_response(&server, &ref, without_header(m->unprotected),
						    own_piv, &out),
			 GK_OK);
	assert_span_equal(gk_buf_span(&out), without_header(m->protected), m->name);
	assert_int_equal(server.seq, own_piv ? 1 : 0);
	assert_parts(m, server.sender_key, gk_buf_span(&out));

	in = gk_buf(inner, sizeof(inner));
	assert_int_equal(gk_oscore_unprotect_response(&client, &ref, without_header(m->protected),
						      &in, &got_piv),
			 GK_OK);
	assert_hex_equal_row(gk_buf_span(&in), m->plaintext, m->name);
	assert_int_equal(got_piv, piv);
}

static void c7_response(void **state)
{
	(void)state;
	assert_response_of(&responses[0], false, -1);
}

static void c8_response_with_partial_iv(void **state)
{
	(void)state;
	assert_response_of(&responses[1], true, 0);
}

/* examples in the text */

static void section_5_4_aad(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_cose_put_enc_structure(&buf, gk_span(NULL, 0), hex_span("8501810a4100412540"));
	assert_hex_equal(gk_buf_span(&buf), "8368456e63727970743040498501810a4100412540");
}

static void section_6_3_option_values(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
		bool has_kid, has_kid_context;
		const char *piv, *kid_context, *kid;
	} rows[] = {
		{ "1: request", "090525", true, false, "05", "", "25" },
		{ "2: request, empty kid", "0900", true, false, "00", "", "" },
		{ "3: request, kid context", "19050544616c656b", true, true, "05", "44616c656b",
		  "" },
		{ "4: response", "", false, false, "", "", "" },
		{ "5: response, Partial IV", "0107", false, false, "07", "", "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[32];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_oscore_option opt;
		assert_int_equal(gk_oscore_option_read(hex_span(rows[i].value), &opt), GK_OK);
		assert_int_equal(opt.has_kid, rows[i].has_kid);
		assert_int_equal(opt.has_kid_context, rows[i].has_kid_context);
		assert_false(opt.group);
		assert_hex_equal_row(opt.piv, rows[i].piv, rows[i].name);
		assert_hex_equal_row(opt.kid_context, rows[i].kid_context, rows[i].name);
		assert_hex_equal_row(opt.kid, rows[i].kid, rows[i].name);
		gk_oscore_option_put(&buf, &opt);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].value, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c1_to_c3_info_arrays),
		cmocka_unit_test(c1_to_c3_keys_and_common_iv),
		cmocka_unit_test(c1_to_c3_nonces_of_partial_iv_0),
		cmocka_unit_test(c4_request),
		cmocka_unit_test(c5_request_without_master_salt),
		cmocka_unit_test(c6_request_with_kid_context),
		cmocka_unit_test(c7_response),
		cmocka_unit_test(c8_response_with_partial_iv),
		cmocka_unit_test(section_5_4_aad),
		cmocka_unit_test(section_6_3_option_values),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
