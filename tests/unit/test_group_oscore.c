// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// On ES256, which every build has; tests/vectors has EdDSA.
#include "libgroupkey/group_oscore.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define GET_TEMP     "01b474656d70" /* GET /temp */
#define CONTENT_21   "45ff323143"   /* 2.05, "21C" */

static const struct gk_span nothing;

/* Key pairs and credentials of two members and the Group Manager, made once. */
static struct gk_key_pair keys[3];
static uint8_t cred_bytes[COUNT(keys)][GK_CRED_MAX];
static struct gk_span creds[COUNT(keys)];

/* the Common Context */

static struct gk_group_input an_input(void)
{
	return (struct gk_group_input){
		.gp_enc_alg = GK_ALG_AES_CCM_16_64_128,
		.alg = GK_ALG_AES_CCM_16_64_128,
		.sign_alg = GK_ALG_ES256,
		.ecdh_alg = GK_ALG_ECDH_SS_HKDF_256,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span("0102030405060708090a0b0c0d0e0f10"),
		.master_salt = hex_span("9e7ca92223786340"),
		.gid = hex_span("dd11"),
		.gm_cred = creds[2],
	};
}

static struct gk_group_common common_of(const struct gk_group_input *input)
{
	struct gk_group_common common = { .enc = NULL };
	assert_int_equal(gk_group_common_init(&common, input), GK_OK);
	return common;
}

enum spoil {
	SPOIL_ENC_ALG,
	SPOIL_ALG,
	SPOIL_NO_ALG,
	SPOIL_SIGN_ALG,
	SPOIL_NO_SIGN_ALG,
	SPOIL_ONLY_SIGN_ALG,
	SPOIL_HKDF,
	SPOIL_NO_SECRET,
	SPOIL_SECRET,
	SPOIL_SALT,
	SPOIL_GID,
	SPOIL_NO_GM_CRED,
	SPOIL_GM_CRED,
};

static struct gk_group_input spoilt(enum spoil how)
{
	static const uint8_t zeros[GK_CRED_MAX + 1];
	struct gk_group_input input = an_input();
	switch (how) {
	case SPOIL_ENC_ALG:
		input.gp_enc_alg = -65534; /* A128CTR */
		break;
	case SPOIL_ALG:
		input.alg = 1;
		break;
	case SPOIL_NO_ALG:
		input.gp_enc_alg = 0;
		input.sign_alg = 0;
		input.alg = 0;
		break;
	case SPOIL_SIGN_ALG:
		input.sign_alg = -36; /* ES512 */
		break;
	case SPOIL_NO_SIGN_ALG:
		input.sign_alg = 0;
		break;
	case SPOIL_ONLY_SIGN_ALG:
		input.gp_enc_alg = 0;
		break;
	case SPOIL_HKDF:
		input.hkdf = 7;
		break;
	case SPOIL_NO_SECRET:
		input.master_secret = nothing;
		break;
	case SPOIL_SECRET:
		input.master_secret = gk_span(zeros, 33);
		break;
	case SPOIL_SALT:
		input.master_salt = gk_span(zeros, 17);
		break;
	case SPOIL_GID:
		input.gid = gk_span(zeros, GK_GID_MAX + 1);
		break;
	case SPOIL_NO_GM_CRED:
		input.gm_cred = nothing;
		break;
	case SPOIL_GM_CRED:
		input.gm_cred = gk_span(zeros, GK_CRED_MAX + 1);
		break;
	}
	return input;
}

static void a_group_that_would_not_work_is_not_made(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum spoil spoil;
		enum gk_err want;
	} rows[] = {
		{ "A128CTR", SPOIL_ENC_ALG, GK_ERR_UNSUPPORTED },
		{ "AES-GCM for the pairwise mode", SPOIL_ALG, GK_ERR_UNSUPPORTED },
		{ "no mode at all", SPOIL_NO_ALG, GK_ERR_UNSUPPORTED },
		{ "ES512", SPOIL_SIGN_ALG, GK_ERR_UNSUPPORTED },
		{ "encryption without signatures", SPOIL_NO_SIGN_ALG, GK_ERR_UNSUPPORTED },
		{ "signatures without encryption", SPOIL_ONLY_SIGN_ALG, GK_ERR_UNSUPPORTED },
		{ "HKDF SHA-512", SPOIL_HKDF, GK_ERR_UNSUPPORTED },
		{ "no Master Secret", SPOIL_NO_SECRET, GK_ERR_RANGE },
		{ "Master Secret of 33 bytes", SPOIL_SECRET, GK_ERR_RANGE },
		{ "Master Salt of 17 bytes", SPOIL_SALT, GK_ERR_RANGE },
		{ "Gid of 9 bytes", SPOIL_GID, GK_ERR_RANGE },
		{ "no Group Manager's credential", SPOIL_NO_GM_CRED, GK_ERR_RANGE },
		{ "a Group Manager's credential too long", SPOIL_GM_CRED, GK_ERR_RANGE },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_group_common common, before;
		const struct gk_group_input input = spoilt(rows[i].spoil);
		memset(&common, 0xa5, sizeof(common));
		memcpy(&before, &common, sizeof(common));
		enum gk_err err = gk_group_common_init(&common, &input);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_memory_equal(&common, &before, sizeof(common));
	}
}

/** G 2.1.4, 2.2 and 2.3: which algorithm decides what. */
static void lengths_follow_the_algorithms_that_are_set(void **state)
{
	(void)state;
	static const struct {
		int64_t gp_enc_alg, alg;
		size_t id_max, iv_len;
		int64_t info_alg;
	} rows[] = {
		{ 10, 0, 7, 13, 10 },  { 0, 10, 7, 13, 10 },  { 12, 0, 1, 7, 12 },
		{ 0, 12, 1, 7, 12 },   { 10, 12, 1, 13, 10 }, { 12, 10, 1, 13, 12 },
		{ 30, 10, 7, 13, 30 }, { 32, 12, 1, 7, 32 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_group_input input = an_input();
		uint8_t iv[GK_AEAD_NONCE_MAX] = { 0 };
		input.gp_enc_alg = rows[i].gp_enc_alg;
		input.alg = rows[i].alg;
		input.sign_alg = rows[i].gp_enc_alg ? GK_ALG_ES256 : 0;
		const struct gk_group_common common = common_of(&input);
		assert_int_equal(gk_group_id_max(&common), rows[i].id_max);

		const struct gk_oscore_input derivation = {
			.alg = rows[i].info_alg,
			.hkdf = input.hkdf,
			.master_secret = input.master_secret,
			.master_salt = input.master_salt,
			.has_id_context = true,
			.id_context = input.gid,
		};
		assert_int_equal(gk_oscore_derive(&derivation, nothing, "IV", iv, rows[i].iv_len),
				 GK_OK);
		assert_memory_equal(common.common_iv, iv, sizeof(iv));
	}
}

static void a_wiped_group_is_empty(void **state)
{
	(void)state;
	static const uint8_t zeros[sizeof(struct gk_group_common)];
	const struct gk_group_input input = an_input();
	struct gk_group_common common = common_of(&input);
	gk_group_common_wipe(&common);
	assert_memory_equal(&common, zeros, sizeof(zeros));
	assert_int_equal(gk_group_id_max(&common), 0);
}

static void algorithms_that_are_not_set_are_null_in_the_aad(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int64_t gp_enc_alg, alg, sign_alg, ecdh_alg;
		const char *algorithms;
	} rows[] = {
		{ "both modes", 10, 10, GK_ALG_ES256, -27, "840a0a26381a" },
		{ "group mode alone", 30, 0, GK_ALG_ES256, 0, "84f6181e26f6" },
		{ "pairwise mode alone", 0, 12, 0, -27, "840cf6f6381a" },
		{ "a large number", 10, 10, GK_ALG_ES256, -65537, "840a0a263a00010000" },
	};
	struct gk_oscore_ref ref = { .nonce_used = false };
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[GK_AAD_MAX];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_group_input input = an_input();
		input.gp_enc_alg = rows[i].gp_enc_alg;
		input.alg = rows[i].alg;
		input.sign_alg = rows[i].sign_alg;
		input.ecdh_alg = rows[i].ecdh_alg;
		const struct gk_group_common common = common_of(&input);
		gk_group_put_external_aad(&buf, &common, &ref, nothing, creds[0]);
		size_t len = strlen(rows[i].algorithms) / 2;
		assert_hex_equal_row(gk_span_sub(gk_buf_span(&buf), 2, len), rows[i].algorithms,
				     rows[i].name);
	}
}

static void the_largest_aad_fits(void **state)
{
	(void)state;
	uint8_t bytes[GK_AAD_MAX];
	static const uint8_t cred[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_group_input input = an_input();
	input.gid = hex_span("0102030405060708");
	input.gm_cred = gk_span(cred, sizeof(cred));
	const struct gk_group_common common = common_of(&input);
	struct gk_oscore_ref ref = { .gid = common.gid, .piv = gk_oscore_piv(GK_OSCORE_PIV_MAX) };
	assert_int_equal(gk_id_set(&ref.kid, hex_span("01020304050607")), GK_OK);
	gk_group_put_external_aad(&buf, &common, &ref, gk_span(cred, GK_OSCORE_OPTION_MAX),
				  gk_span(cred, sizeof(cred)));
	assert_int_equal(gk_buf_err(&buf), GK_OK);
}

static void keystream_refuses_an_identifier_too_long(void **state)
{
	(void)state;
	static const uint8_t id[80];
	uint8_t keystream[GK_SIG_LEN];
	const struct gk_group_input input = an_input();
	const struct gk_group_common common = common_of(&input);
	assert_int_equal(gk_group_keystream(&common, gk_span(id, sizeof(id)), hex_span("00"), true,
					    keystream),
			 GK_ERR_RANGE);
}

/* sender and recipients */

static void unfit_members_are_refused(void **state)
{
	(void)state;
	static uint8_t other_bytes[GK_CRED_MAX], long_bytes[GK_CRED_MAX + 1];
	struct gk_key_pair x25519;
	struct gk_span agreement_cred = hex_span("a0");
	if (gk_curve_supported(GK_CRV_X25519)) {
		struct gk_buf buf = gk_buf(other_bytes, sizeof(other_bytes));
		assert_int_equal(gk_key_from_private(GK_CRV_X25519,
						     hex_span("0101010101010101010101010101010101"
							      "010101010101010101010101010101"),
						     &x25519),
				 GK_OK);
		gk_ccs_put(&buf, gk_span_str("x"), &x25519.pub);
		agreement_cred = gk_buf_span(&buf);
	}
	memcpy(long_bytes, creds[0].data, creds[0].len);
	/* the other point with this x, as far as a comparison can tell */
	struct gk_key_pair negative = keys[0];
	negative.pub.y[31] ^= 1;
	const struct {
		const char *name, *id;
		struct gk_span cred;
		const struct gk_key_pair *key;
		enum gk_err sender, recipient;
	} rows[] = {
		{ "fit", "25", creds[0], &keys[0], GK_OK, GK_OK },
		{ "empty ID", "", creds[0], &keys[0], GK_OK, GK_OK },
		{ "longest ID", "01020304050607", creds[0], &keys[0], GK_OK, GK_OK },
		{ "ID too long", "0102030405060708", creds[0], &keys[0], GK_ERR_RANGE,
		  GK_ERR_RANGE },
		{ "ID far too long", "010203040506070809", creds[0], &keys[0], GK_ERR_RANGE,
		  GK_ERR_RANGE },
		{ "no credential", "25", nothing, &keys[0], GK_ERR_CREDENTIAL, GK_ERR_CREDENTIAL },
		{ "no CCS", "25", hex_span("a0"), &keys[0], GK_ERR_CREDENTIAL, GK_ERR_CREDENTIAL },
		{ "credential too long", "25", gk_span(long_bytes, sizeof(long_bytes)), &keys[0],
		  GK_ERR_CREDENTIAL, GK_ERR_CREDENTIAL },
		{ "credential of another curve", "25", agreement_cred, &x25519, GK_ERR_CREDENTIAL,
		  GK_ERR_CREDENTIAL },
		{ "credential of the key's negative", "25", creds[0], &negative, GK_ERR_CREDENTIAL,
		  GK_OK },
		{ "credential of another key", "25", creds[1], &keys[0], GK_ERR_CREDENTIAL, GK_OK },
	};
	const struct gk_group_input input = an_input();
	const struct gk_group_common common = common_of(&input);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_group_sender own, own_before;
		struct gk_group_recipient peer, peer_before;
		memset(&own, 0xa5, sizeof(own));
		memset(&peer, 0xa5, sizeof(peer));
		memcpy(&own_before, &own, sizeof(own));
		memcpy(&peer_before, &peer, sizeof(peer));
		enum gk_err err = gk_group_sender_init(&common, hex_span(rows[i].id), rows[i].key,
						       rows[i].cred, &own);
		if (err != rows[i].sender)
			fail_msg("%s as sender: got %d, want %d", rows[i].name, err,
				 rows[i].sender);
		if (err)
			assert_memory_equal(&own, &own_before, sizeof(own));
		err = gk_group_recipient_init(&common, hex_span(rows[i].id), rows[i].cred, &peer);
		if (err != rows[i].recipient)
			fail_msg("%s as recipient: got %d, want %d", rows[i].name, err,
				 rows[i].recipient);
		if (err)
			assert_memory_equal(&peer, &peer_before, sizeof(peer));
	}
}

static void a_new_sender_starts_at_0_and_a_new_recipient_with_an_empty_window(void **state)
{
	(void)state;
	struct gk_group_sender own;
	struct gk_group_recipient peer;
	const struct gk_group_input input = an_input();
	const struct gk_group_common common = common_of(&input);
	memset(&own, 0xa5, sizeof(own));
	memset(&peer, 0xa5, sizeof(peer));
	assert_int_equal(gk_group_sender_init(&common, hex_span("25"), &keys[0], creds[0], &own),
			 GK_OK);
	assert_int_equal(gk_group_recipient_init(&common, hex_span("25"), creds[0], &peer), GK_OK);
	assert_int_equal(own.seq, 0);
	assert_int_equal(own.seq_limit, GK_OSCORE_PIV_MAX + 1);
	assert_int_equal(peer.window.next, 0);
	assert_int_equal(peer.window.bitmap, 0);
	assert_memory_equal(own.key, peer.key, 16);
}

/* messages */

/** Client 25 and server 52, each with its own view of the other. */
struct group {
	struct gk_group_common common;
	struct gk_group_sender client, server;
	struct gk_group_recipient at_server, at_client; /* the client, the server */
	uint8_t bytes[2048], inner[2048];
	struct gk_buf out, in;
	struct gk_oscore_ref sent, received;
};

static void set_up(struct group *g, const struct gk_group_input *input)
{
	assert_int_equal(gk_group_common_init(&g->common, input), GK_OK);
	assert_int_equal(
		gk_group_sender_init(&g->common, hex_span("25"), &keys[0], creds[0], &g->client),
		GK_OK);
	assert_int_equal(
		gk_group_sender_init(&g->common, hex_span("52"), &keys[1], creds[1], &g->server),
		GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&g->common, hex_span("25"), creds[0], &g->at_server),
		GK_OK);
	assert_int_equal(
		gk_group_recipient_init(&g->common, hex_span("52"), creds[1], &g->at_client),
		GK_OK);
}

static struct group *a_group(void)
{
	static struct group g;
	const struct gk_group_input input = an_input();
	g = (struct group){ .common = { .enc = NULL } };
	set_up(&g, &input);
	return &g;
}

static void rewind_buffers(struct group *g)
{
	g->out = gk_buf(g->bytes, sizeof(g->bytes));
	g->in = gk_buf(g->inner, sizeof(g->inner));
}

static struct gk_span protect_request(struct group *g, const char *message)
{
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(message),
						  &g->out, &g->sent),
			 GK_OK);
	return gk_buf_span(&g->out);
}

static void exchange_request(struct group *g, const char *message)
{
	struct gk_span request = protect_request(g, message);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), message);
}

/** @return the value of the response's OSCORE option */
static struct gk_span exchange_response(struct group *g, const char *message, bool own_piv)
{
	struct gk_coap msg;
	struct gk_span option;
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(message), own_piv, &g->out),
			 GK_OK);
	assert_int_equal(gk_group_unprotect_response(&g->common, &g->at_client, &g->sent,
						     gk_buf_span(&g->out), &g->in),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), message);
	assert_int_equal(gk_coap_parse(gk_buf_span(&g->out), &msg), GK_OK);
	assert_true(gk_coap_find(&msg, GK_OPT_OSCORE, &option));
	return option;
}

static void requests_and_responses_travel_with_every_algorithm(void **state)
{
	(void)state;
	static const int64_t algs[] = { GK_ALG_AES_CCM_16_64_128, GK_ALG_AES_CCM_64_64_128,
					GK_ALG_AES_CCM_16_128_128, GK_ALG_AES_CCM_64_128_128 };
	for (size_t i = 0; i < COUNT(algs); i++) {
		struct group *g = a_group();
		struct gk_group_input input = an_input();
		input.gp_enc_alg = algs[i];
		set_up(g, &input);
		exchange_request(g, GET_TEMP);
		assert_hex_equal(exchange_response(g, CONTENT_21, false), "2852");
		exchange_request(g, GET_TEMP);
		assert_hex_equal(exchange_response(g, CONTENT_21, true), "290052");
	}
}

static void requests_carry_kid_piv_and_gid(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = protect_request(g, GET_TEMP);
	assert_hex_equal(gk_span_sub(request, 0, 9), "0296390002dd1125ff");
	/* code, option, marker; code, option and tag; signature */
	assert_int_equal(request.len, 9 + 6 + 8 + GK_SIG_LEN);
	assert_hex_equal(gk_id_span(&g->sent.gid), "dd11");
}

static void what_is_signed_with_sign_protected_fits_only_itself(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		struct group *g = a_group();
		struct gk_group_input input = an_input();
		input.sign_protected = with;
		set_up(g, &input);
		exchange_request(g, GET_TEMP);
		protect_request(g, GET_TEMP);
		input.sign_protected = !with;
		const struct gk_group_common other = common_of(&input);
		assert_int_equal(gk_group_unprotect_request(&other, &g->at_server,
							    gk_buf_span(&g->out), &g->in,
							    &g->received),
				 GK_ERR_CRYPTO);
	}
}

static void a_message_is_never_longer_than_the_overhead_says(void **state)
{
	(void)state;
	static uint8_t message[GK_GROUP_OSCORE_MESSAGE_MAX + 1];
	struct group *g = a_group();
	message[0] = GK_COAP_POST;
	message[1] = 0xff;
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_request(&g->common, &g->client,
						  gk_span(message, sizeof(message)), &g->out,
						  &g->sent),
			 GK_ERR_RANGE);
	assert_int_equal(g->client.seq, 0);
	g->client.seq = GK_OSCORE_PIV_MAX;
	assert_int_equal(gk_group_protect_request(&g->common, &g->client,
						  gk_span(message, GK_GROUP_OSCORE_MESSAGE_MAX),
						  &g->out, &g->sent),
			 GK_OK);
	assert_true(g->out.len <= GK_GROUP_OSCORE_MESSAGE_MAX + GK_GROUP_OSCORE_OVERHEAD);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, gk_buf_span(&g->out),
						    &g->in, &g->received),
			 GK_OK);
	assert_true(
		gk_span_equal(gk_buf_span(&g->in), gk_span(message, GK_GROUP_OSCORE_MESSAGE_MAX)));

	/* one byte more than any peer writes; not a replay, so that the length is what tells */
	g->at_server.window = (struct gk_window){ .next = 0 };
	gk_buf_byte(&g->out, 0);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, gk_buf_span(&g->out),
						    &g->in, &g->received),
			 GK_ERR_RANGE);
}

/* replay */

static void an_accepted_request_is_a_replay_from_then_on(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	struct gk_span request = exact_copy(gk_buf_span(&g->out));
	const struct gk_oscore_ref before = g->received;
	rewind_buffers(g);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_ERR_REPLAY);
	assert_int_equal(g->in.len, 0);
	assert_memory_equal(&g->received, &before, sizeof(before));
}

static void requests_arrive_once_each_in_any_order(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span requests[70];
	static const struct {
		size_t piv;
		enum gk_err want;
	} rows[] = {
		{ 10, GK_OK },        { 7, GK_OK },  { 10, GK_ERR_REPLAY }, { 12, GK_OK },
		{ 11, GK_OK },        { 8, GK_OK },  { 12, GK_ERR_REPLAY }, { 11, GK_ERR_REPLAY },
		{ 8, GK_ERR_REPLAY }, { 69, GK_OK }, { 6, GK_OK },          { 5, GK_ERR_REPLAY },
		{ 6, GK_ERR_REPLAY },
	};
	for (size_t i = 0; i < COUNT(requests); i++)
		requests[i] = exact_copy(protect_request(g, GET_TEMP));
	for (size_t i = 0; i < COUNT(rows); i++) {
		rewind_buffers(g);
		enum gk_err err = gk_group_unprotect_request(
			&g->common, &g->at_server, requests[rows[i].piv], &g->in, &g->received);
		if (err != rows[i].want)
			fail_msg("row %zu, Partial IV %zu: got %d, want %d", i, rows[i].piv, err,
				 rows[i].want);
	}
}

static void a_forgery_does_not_move_the_window(void **state)
{
	(void)state;
	struct group *g = a_group();
	uint8_t forged[128];
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	/* byte 3 of the message is the Partial IV, the last one of the signature */
	const size_t places[] = { 3, 9, request.len - 1 };
	for (size_t i = 0; i < COUNT(places); i++) {
		const struct gk_window before = g->at_server.window;
		memcpy(forged, request.data, request.len);
		forged[places[i]] ^= 0x40;
		rewind_buffers(g);
		assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server,
							    gk_span(forged, request.len), &g->in,
							    &g->received),
				 GK_ERR_CRYPTO);
		assert_memory_equal(&g->at_server.window, &before, sizeof(before));
	}
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_OK);
}

static void a_request_that_finds_no_space_can_come_again(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = protect_request(g, GET_TEMP);
	struct gk_buf in = gk_buf(g->inner, 5);
	assert_int_equal(
		gk_group_unprotect_request(&g->common, &g->at_server, request, &in, &g->received),
		GK_ERR_NO_SPACE);
	assert_int_equal(in.len, 0);
	assert_int_equal(g->at_server.window.next, 0);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_OK);
}

/* nonces */

static void a_second_response_takes_its_own_piv(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "2852");
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "290052");
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "290152");
	assert_int_equal(g->server.seq, 2);
}

static void sequence_numbers_end_at_the_reserved_limit(void **state)
{
	(void)state;
	struct group *g = a_group();
	g->client.seq_limit = 1;
	g->server.seq_limit = 0;
	exchange_request(g, GET_TEMP);
	rewind_buffers(g);
	const struct gk_oscore_ref before = g->sent;
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_ERR_SEQUENCE);
	assert_int_equal(g->client.seq, 1);
	assert_int_equal(g->out.len, 0);
	assert_memory_equal(&g->sent, &before, sizeof(before));
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), true, &g->out),
			 GK_ERR_SEQUENCE);
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "2852");
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_SEQUENCE);
}

static void the_last_sequence_number_is_2_to_40_minus_1(void **state)
{
	(void)state;
	struct group *g = a_group();
	g->client.seq = GK_OSCORE_PIV_MAX;
	g->client.seq_limit = UINT64_MAX;
	exchange_request(g, GET_TEMP);
	assert_hex_equal(gk_id_span(&g->received.piv), "ffffffffff");
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_ERR_SEQUENCE);
}

/* rekeying */

/** The group gets new material; 'g' keeps its refs. */
static void rekey(struct group *g)
{
	struct gk_group_input input = an_input();
	input.master_secret = hex_span("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
	input.gid = hex_span("dd12");
	set_up(g, &input);
}

static void a_response_after_a_rekeying_has_its_own_piv_and_the_new_gid(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	rekey(g);
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "390002dd1252");
	assert_int_equal(g->server.seq, 1);
	/* the old request's nonce was not touched, but it never serves this context either */
	assert_hex_equal(exchange_response(g, CONTENT_21, false), "390102dd1252");
}

static void a_response_to_an_old_request_does_not_fit_a_new_one_alike(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	rekey(g);
	protect_request(g, GET_TEMP);
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_OK);
	assert_int_equal(gk_group_unprotect_response(&g->common, &g->at_client, &g->sent,
						     gk_buf_span(&g->out), &g->in),
			 GK_ERR_CRYPTO);
}

static void a_response_without_piv_is_not_read_across_a_rekeying(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	exchange_response(g, CONTENT_21, false);
	struct gk_span response = exact_copy(gk_buf_span(&g->out));
	rekey(g);
	rewind_buffers(g);
	assert_int_equal(
		gk_group_unprotect_response(&g->common, &g->at_client, &g->sent, response, &g->in),
		GK_ERR_MALFORMED);
}

static void old_messages_are_of_an_unknown_gid_after_a_rekeying(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	rekey(g);
	rewind_buffers(g);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_ERR_UNKNOWN);
}

/* errors */

static void too_small_a_buffer_uses_nothing_up(void **state)
{
	(void)state;
	struct group *g = a_group();
	size_t len = protect_request(g, GET_TEMP).len;
	const struct gk_oscore_ref before = g->sent;
	for (size_t cap = 0; cap < len; cap++) {
		struct gk_buf out = gk_buf(cap > 0 ? g->bytes : NULL, cap);
		assert_int_equal(gk_group_protect_request(&g->common, &g->client,
							  hex_span(GET_TEMP), &out, &g->sent),
				 GK_ERR_NO_SPACE);
		assert_int_equal(out.len, 0);
		assert_false(out.overflow);
	}
	assert_int_equal(g->client.seq, 1);
	assert_memory_equal(&g->sent, &before, sizeof(before));

	exchange_request(g, GET_TEMP);
	struct gk_buf tiny = gk_buf(g->bytes, 20);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &tiny),
			 GK_ERR_NO_SPACE);
	assert_false(g->received.nonce_used);
}

static void a_malformed_message_uses_nothing_up(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum gk_err want;
	} rows[] = {
		{ "", GK_ERR_MALFORMED },
		{ "45", GK_ERR_MALFORMED },
		{ "0190", GK_ERR_MALFORMED },
		{ "01d216612f", GK_ERR_UNSUPPORTED }, /* Proxy-Uri */
	};
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	rewind_buffers(g);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(gk_group_protect_request(&g->common, &g->client,
							  hex_span(rows[i].message), &g->out,
							  &g->sent),
				 rows[i].want);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span("01"), false, &g->out),
			 GK_ERR_MALFORMED);
	assert_int_equal(g->client.seq, 1);
	assert_false(g->received.nonce_used);
	assert_int_equal(g->out.len, 0);
}

static void a_failed_signature_gives_nothing_out_and_burns_the_number(void **state)
{
	(void)state;
	static const struct gk_key_pair broken = { .pub = { .crv = GK_CRV_P256 } }; /* d is 0 */
	struct group *g = a_group();
	rewind_buffers(g);
	g->client.sign_key = &broken;
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_ERR_CRYPTO);
	assert_int_equal(g->out.len, 0);
	assert_int_equal(g->client.seq, 1);
}

static void a_failed_encryption_is_told(void **state)
{
	(void)state;
	/* wolfSSL refuses a tag of 3 bytes */
	static const struct gk_aead broken = {
		.alg = 10, .key_len = 16, .nonce_len = 13, .tag_len = 3
	};
	struct group *g = a_group();
	rewind_buffers(g);
	g->common.enc = &broken;
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_ERR_CRYPTO);
	assert_int_equal(g->out.len, 0);
	assert_int_equal(g->client.seq, 1);
}

static void a_group_without_group_mode_refuses_it(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	struct gk_span request = exact_copy(gk_buf_span(&g->out));
	struct gk_group_input input = an_input();
	input.gp_enc_alg = 0;
	input.sign_alg = 0;
	const struct gk_group_common pairwise = common_of(&input);
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_request(&pairwise, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_ERR_UNSUPPORTED);
	assert_int_equal(gk_group_protect_response(&pairwise, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_UNSUPPORTED);
	assert_int_equal(
		gk_group_unprotect_request(&pairwise, &g->at_server, request, &g->in, &g->received),
		GK_ERR_UNSUPPORTED);
	assert_int_equal(
		gk_group_unprotect_response(&pairwise, &g->at_client, &g->sent, request, &g->in),
		GK_ERR_UNSUPPORTED);
}

static void a_group_that_is_not_set_up_does_nothing(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_group_sender own;
	struct gk_group_recipient peer;
	exchange_request(g, GET_TEMP);
	struct gk_span request = exact_copy(gk_buf_span(&g->out));
	const struct gk_group_common none = { .enc = NULL };
	assert_int_equal(gk_group_sender_init(&none, hex_span("25"), &keys[0], creds[0], &own),
			 GK_ERR_STATE);
	assert_int_equal(gk_group_recipient_init(&none, hex_span("25"), creds[0], &peer),
			 GK_ERR_STATE);
	assert_int_equal(
		gk_group_protect_request(&none, &g->client, hex_span(GET_TEMP), &g->out, &g->sent),
		GK_ERR_STATE);
	assert_int_equal(gk_group_protect_response(&none, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_STATE);
	assert_int_equal(
		gk_group_unprotect_request(&none, &g->at_server, request, &g->in, &g->received),
		GK_ERR_STATE);
	assert_int_equal(
		gk_group_unprotect_response(&none, &g->at_client, &g->sent, request, &g->in),
		GK_ERR_STATE);
}

static void a_ref_that_is_no_request_is_refused(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	exchange_response(g, CONTENT_21, false);
	struct gk_span response = exact_copy(gk_buf_span(&g->out));
	struct gk_oscore_ref none = { .nonce_used = false };
	struct gk_oscore_ref long_kid = g->sent;
	assert_int_equal(gk_id_set(&long_kid.kid, hex_span("0102030405060708")), GK_OK);
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &none,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_STATE);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &long_kid,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_STATE);
	assert_int_equal(
		gk_group_unprotect_response(&g->common, &g->at_client, &none, response, &g->in),
		GK_ERR_STATE);
}

/** Replace the option, and cut the payload to 'payload_len' bytes. */
static struct gk_span with_option(struct gk_span message, const char *option, size_t payload_len)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap msg;
	assert_int_equal(gk_coap_parse(message, &msg), GK_OK);
	struct gk_coap_writer w = gk_coap_begin(&buf, msg.code);
	gk_coap_put(&w, GK_OPT_OSCORE, hex_span(option));
	gk_coap_put_payload(&w, gk_span_sub(msg.payload, 0, payload_len));
	return exact_copy(gk_buf_span(&buf));
}

static void requests_of_others_and_bad_ones_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option;
		size_t payload_len;
		enum gk_err want;
	} rows[] = {
		{ "pairwise mode", "190002dd1125", SIZE_MAX, GK_ERR_UNSUPPORTED },
		{ "no kid", "310002dd11", SIZE_MAX, GK_ERR_MALFORMED },
		{ "no Partial IV", "3802dd1125", SIZE_MAX, GK_ERR_MALFORMED },
		{ "no kid context", "290025", SIZE_MAX, GK_ERR_MALFORMED },
		{ "flags zero", "00", SIZE_MAX, GK_ERR_MALFORMED },
		{ "another kid", "390002dd1126", SIZE_MAX, GK_ERR_UNKNOWN },
		{ "another Gid", "390002dd1225", SIZE_MAX, GK_ERR_UNKNOWN },
		{ "an empty Gid", "39000025", SIZE_MAX, GK_ERR_UNKNOWN },
		{ "another Partial IV", "390102dd1125", SIZE_MAX, GK_ERR_CRYPTO },
		{ "the same Partial IV, written longer", "3a000002dd1125", SIZE_MAX,
		  GK_ERR_CRYPTO },
		{ "a payload of 1 byte", "390002dd1125", 1, GK_ERR_MALFORMED },
		{ "no room for a code", "390002dd1125", 8 + GK_SIG_LEN, GK_ERR_MALFORMED },
		{ "room for a code", "390002dd1125", 9 + GK_SIG_LEN, GK_ERR_CRYPTO },
		{ "as it was", "390002dd1125", SIZE_MAX, GK_OK },
	};
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	rewind_buffers(g);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, hex_span(GET_TEMP),
						    &g->in, &g->received),
			 GK_ERR_MISSING);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_group_recipient before = g->at_server;
		struct gk_oscore_ref ref, ref_before;
		memset(&ref, 0xa5, sizeof(ref));
		memcpy(&ref_before, &ref, sizeof(ref));
		rewind_buffers(g);
		enum gk_err err = gk_group_unprotect_request(
			&g->common, &g->at_server,
			with_option(request, rows[i].option, rows[i].payload_len), &g->in, &ref);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		if (err) {
			assert_memory_equal(&g->at_server, &before, sizeof(before));
			assert_memory_equal(&ref, &ref_before, sizeof(ref));
			assert_int_equal(g->in.len, 0);
		}
	}
}

static void responses_of_others_and_bad_ones_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option;
		enum gk_err want;
	} rows[] = {
		{ "pairwise mode", "0852", GK_ERR_UNSUPPORTED },
		{ "no option value", "", GK_ERR_UNSUPPORTED },
		{ "no kid", "20", GK_ERR_MALFORMED },
		{ "flags zero", "00", GK_ERR_MALFORMED },
		{ "another kid", "2853", GK_ERR_UNKNOWN },
		{ "another Gid", "3802dd1252", GK_ERR_UNKNOWN },
		{ "the Gid, which it did not have", "3802dd1152", GK_ERR_CRYPTO },
		{ "a Partial IV, which it did not have", "290052", GK_ERR_CRYPTO },
		{ "as it was", "2852", GK_OK },
	};
	struct group *g = a_group();
	exchange_request(g, GET_TEMP);
	exchange_response(g, CONTENT_21, false);
	struct gk_span response = exact_copy(gk_buf_span(&g->out));
	rewind_buffers(g);
	assert_int_equal(gk_group_unprotect_response(&g->common, &g->at_client, &g->sent,
						     hex_span("81"), &g->in),
			 GK_ERR_MISSING);
	for (size_t i = 0; i < COUNT(rows); i++) {
		rewind_buffers(g);
		enum gk_err err = gk_group_unprotect_response(
			&g->common, &g->at_client, &g->sent,
			with_option(response, rows[i].option, SIZE_MAX), &g->in);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_int_equal(g->in.len > 0, err == GK_OK);
	}
}

static void a_response_fits_its_own_request_only(void **state)
{
	(void)state;
	struct group *g = a_group();
	for (int own_piv = 0; own_piv < 2; own_piv++) {
		exchange_request(g, GET_TEMP);
		const struct gk_oscore_ref first = g->sent;
		exchange_request(g, GET_TEMP);
		exchange_response(g, CONTENT_21, own_piv);
		struct gk_span response = exact_copy(gk_buf_span(&g->out));
		rewind_buffers(g);
		assert_int_equal(gk_group_unprotect_response(&g->common, &g->at_client, &first,
							     response, &g->in),
				 GK_ERR_CRYPTO);
	}
}

/** Every member has every key: only the signature tells who sent a message. */
static void a_member_cannot_send_in_anothers_name(void **state)
{
	(void)state;
	struct group *g = a_group();
	g->client.sign_key = &keys[1];
	struct gk_span request = protect_request(g, GET_TEMP);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_ERR_CRYPTO);
	assert_int_equal(g->in.len, 0);
	assert_int_equal(g->at_server.window.next, 0);
}

static void credentials_of_sender_and_group_manager_are_bound(void **state)
{
	(void)state;
	struct group *g = a_group();
	/* the same key in another credential: only the bytes differ */
	static uint8_t bytes[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_ccs_put(&buf, gk_span_str("another name"), &keys[0].pub);
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	rewind_buffers(g);

	struct gk_group_recipient peer = g->at_server;
	peer.cred = gk_buf_span(&buf);
	assert_int_equal(
		gk_group_unprotect_request(&g->common, &peer, request, &g->in, &g->received),
		GK_ERR_CRYPTO);
	struct gk_group_input input = an_input();
	input.gm_cred = creds[1];
	const struct gk_group_common cloned = common_of(&input);
	assert_int_equal(
		gk_group_unprotect_request(&cloned, &g->at_server, request, &g->in, &g->received),
		GK_ERR_CRYPTO);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, request, &g->in,
						    &g->received),
			 GK_OK);
}

static void every_changed_byte_is_noticed(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	/* byte 0 is the outer code, which nobody looks at */
	for (size_t i = 1; i < request.len; i++) {
		uint8_t changed[128];
		memcpy(changed, request.data, request.len);
		changed[i] ^= (uint8_t)(1 << i % 8);
		rewind_buffers(g);
		if (gk_group_unprotect_request(&g->common, &g->at_server,
					       gk_span(changed, request.len), &g->in,
					       &g->received) == GK_OK)
			fail_msg("byte %zu can be changed", i);
		assert_int_equal(g->in.len, 0);
		assert_int_equal(g->at_server.window.next, 0);
	}
}

static void every_cut_is_noticed(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	for (size_t len = 0; len < request.len; len++) {
		rewind_buffers(g);
		enum gk_err err = gk_group_unprotect_request(&g->common, &g->at_server,
							     exact_copy(gk_span(request.data, len)),
							     &g->in, &g->received);
		/* code; option and marker; signature and tag; then only the signature is wrong */
		enum gk_err want = len == 1                       ? GK_ERR_MISSING
				   : len < 9 + 8 + GK_SIG_LEN + 1 ? GK_ERR_MALFORMED
								  : GK_ERR_CRYPTO;
		if (err != want)
			fail_msg("%zu bytes: got %d, want %d", len, err, want);
	}
}

static int make_keys(void)
{
	static const char *const seeds[COUNT(keys)] = {
		"1111111111111111111111111111111111111111111111111111111111111111",
		"2222222222222222222222222222222222222222222222222222222222222222",
		"3333333333333333333333333333333333333333333333333333333333333333",
	};
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct gk_buf buf = gk_buf(cred_bytes[i], sizeof(cred_bytes[i]));
		if (gk_key_from_private(GK_CRV_P256, hex_span(seeds[i]), &keys[i]) != GK_OK)
			return -1;
		gk_ccs_put(&buf, gk_span_str("member"), &keys[i].pub);
		creds[i] = gk_buf_span(&buf);
	}
	return 0;
}

static int start(void **state)
{
	if (core_start(state))
		return -1;
	return make_keys();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_that_would_not_work_is_not_made),
		cmocka_unit_test(lengths_follow_the_algorithms_that_are_set),
		cmocka_unit_test(a_wiped_group_is_empty),
		cmocka_unit_test(algorithms_that_are_not_set_are_null_in_the_aad),
		cmocka_unit_test(the_largest_aad_fits),
		cmocka_unit_test(keystream_refuses_an_identifier_too_long),
		cmocka_unit_test(unfit_members_are_refused),
		cmocka_unit_test(a_new_sender_starts_at_0_and_a_new_recipient_with_an_empty_window),
		cmocka_unit_test(requests_and_responses_travel_with_every_algorithm),
		cmocka_unit_test(requests_carry_kid_piv_and_gid),
		cmocka_unit_test(what_is_signed_with_sign_protected_fits_only_itself),
		cmocka_unit_test(a_message_is_never_longer_than_the_overhead_says),
		cmocka_unit_test(an_accepted_request_is_a_replay_from_then_on),
		cmocka_unit_test(requests_arrive_once_each_in_any_order),
		cmocka_unit_test(a_forgery_does_not_move_the_window),
		cmocka_unit_test(a_request_that_finds_no_space_can_come_again),
		cmocka_unit_test(a_second_response_takes_its_own_piv),
		cmocka_unit_test(sequence_numbers_end_at_the_reserved_limit),
		cmocka_unit_test(the_last_sequence_number_is_2_to_40_minus_1),
		cmocka_unit_test(a_response_after_a_rekeying_has_its_own_piv_and_the_new_gid),
		cmocka_unit_test(a_response_to_an_old_request_does_not_fit_a_new_one_alike),
		cmocka_unit_test(a_response_without_piv_is_not_read_across_a_rekeying),
		cmocka_unit_test(old_messages_are_of_an_unknown_gid_after_a_rekeying),
		cmocka_unit_test(too_small_a_buffer_uses_nothing_up),
		cmocka_unit_test(a_malformed_message_uses_nothing_up),
		cmocka_unit_test(a_failed_signature_gives_nothing_out_and_burns_the_number),
		cmocka_unit_test(a_failed_encryption_is_told),
		cmocka_unit_test(a_group_without_group_mode_refuses_it),
		cmocka_unit_test(a_group_that_is_not_set_up_does_nothing),
		cmocka_unit_test(a_ref_that_is_no_request_is_refused),
		cmocka_unit_test(requests_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(responses_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(a_response_fits_its_own_request_only),
		cmocka_unit_test(a_member_cannot_send_in_anothers_name),
		cmocka_unit_test(credentials_of_sender_and_group_manager_are_bound),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(every_cut_is_noticed),
	};
	return cmocka_run_group_tests(tests, start, core_stop);
}
