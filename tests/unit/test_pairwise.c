// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
// The pairwise mode of Group OSCORE. What it shares with the group mode is tested there:
// test_group_oscore.c; tests/vectors has the bytes of others.
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

/* Kinds of group that use the pairwise mode: what the credentials are made of. */
static const struct kind {
	const char *name;
	int crv;
	int64_t sign_alg; /* 0: pairwise-only */
} kinds[] = {
	{ "ES256, both modes", GK_CRV_P256, GK_ALG_ES256 },
	{ "P-256, pairwise-only", GK_CRV_P256, 0 },
	{ "EdDSA, both modes", GK_CRV_ED25519, GK_ALG_EDDSA },
	{ "X25519, pairwise-only", GK_CRV_X25519, 0 },
};

/** Client 25, server 52, and a third member 77; each pair of keys as either end has them. */
struct group {
	struct gk_key_pair keys[3];
	uint8_t cred_bytes[3][GK_CRED_MAX];
	struct gk_span creds[3];
	struct gk_group_input input;
	struct gk_group_common common;
	struct gk_group_sender client, server, third;
	struct gk_group_recipient at_server, at_client; /* the client, the server */
	struct gk_pairwise client_keys, server_keys;
	uint8_t bytes[2048], inner[2048];
	struct gk_buf out, in;
	struct gk_oscore_ref sent, received;
};

static bool is_built(const struct kind *kind)
{
	return gk_curve_supported(kind->crv) &&
	       (kind->crv != GK_CRV_ED25519 || gk_curve_supported(GK_CRV_X25519));
}

static void make_keys(struct group *g, int crv)
{
	for (size_t i = 0; i < COUNT(g->keys); i++) {
		uint8_t seed[32];
		struct gk_buf buf = gk_buf(g->cred_bytes[i], sizeof(g->cred_bytes[i]));
		memset(seed, 0x11 * (int)(i + 1), sizeof(seed));
		assert_int_equal(gk_key_from_private(crv, gk_span(seed, sizeof(seed)), &g->keys[i]),
				 GK_OK);
		if (crv == GK_CRV_X25519)
			gk_ccs_put_dh(&buf, gk_span_str("member"), &g->keys[i].pub);
		else
			gk_ccs_put(&buf, gk_span_str("member"), &g->keys[i].pub);
		g->creds[i] = gk_buf_span(&buf);
	}
}

static struct gk_group_sender sender(struct group *g, const char *id, size_t who)
{
	struct gk_group_sender own = { .seq = 1 };
	assert_int_equal(
		gk_group_sender_init(&g->common, hex_span(id), &g->keys[who], g->creds[who], &own),
		GK_OK);
	return own;
}

static struct gk_group_recipient recipient(struct group *g, const char *id, size_t who)
{
	struct gk_group_recipient peer = { .window = { .next = 1 } };
	assert_int_equal(gk_group_recipient_init(&g->common, hex_span(id), g->creds[who], &peer),
			 GK_OK);
	return peer;
}

static void derive_pairs(struct group *g)
{
	assert_int_equal(gk_pairwise_init(&g->common, &g->client, &g->at_client, &g->client_keys),
			 GK_OK);
	assert_int_equal(gk_pairwise_init(&g->common, &g->server, &g->at_server, &g->server_keys),
			 GK_OK);
}

static void rewind_buffers(struct group *g)
{
	g->out = gk_buf(g->bytes, sizeof(g->bytes));
	g->in = gk_buf(g->inner, sizeof(g->inner));
}

/** Everybody gets the material of g->input. */
static void set_up(struct group *g)
{
	assert_int_equal(gk_group_common_init(&g->common, &g->input), GK_OK);
	g->client = sender(g, "25", 0);
	g->server = sender(g, "52", 1);
	g->third = sender(g, "77", 2);
	g->at_server = recipient(g, "25", 0);
	g->at_client = recipient(g, "52", 1);
	derive_pairs(g);
	rewind_buffers(g);
}

static struct group *a_group_of(const struct kind *kind)
{
	static struct group g;
	memset(&g, 0, sizeof(g));
	make_keys(&g, kind->crv);
	g.input = (struct gk_group_input){
		.gp_enc_alg = kind->sign_alg ? GK_ALG_AES_CCM_16_64_128 : 0,
		.alg = GK_ALG_AES_CCM_16_64_128,
		.sign_alg = kind->sign_alg,
		.ecdh_alg = GK_ALG_ECDH_SS_HKDF_256,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span("0102030405060708090a0b0c0d0e0f10"),
		.master_salt = hex_span("9e7ca92223786340"),
		.gid = hex_span("dd11"),
		.gm_cred = g.creds[2],
	};
	set_up(&g);
	return &g;
}

/** Both modes, with ES256, which every build has. */
static struct group *a_group(void)
{
	return a_group_of(&kinds[0]);
}

static void rekey(struct group *g)
{
	g->input.master_secret = hex_span("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
	g->input.gid = hex_span("dd12");
	set_up(g);
}

static struct gk_span protect_request(struct group *g, const char *message)
{
	rewind_buffers(g);
	assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client, &g->client_keys,
						     hex_span(message), &g->out, &g->sent),
			 GK_OK);
	return gk_buf_span(&g->out);
}

static enum gk_err unprotect_request(struct group *g, struct gk_span request)
{
	g->in = gk_buf(g->inner, sizeof(g->inner));
	return gk_pairwise_unprotect_request(&g->common, &g->at_server, &g->server_keys, request,
					     &g->in, &g->received);
}

static void exchange_request(struct group *g)
{
	assert_int_equal(unprotect_request(g, protect_request(g, GET_TEMP)), GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), GET_TEMP);
}

static struct gk_span protect_response(struct group *g, bool own_piv)
{
	rewind_buffers(g);
	assert_int_equal(gk_pairwise_protect_response(&g->common, &g->server, &g->server_keys,
						      &g->received, hex_span(CONTENT_21), own_piv,
						      &g->out),
			 GK_OK);
	return exact_copy(gk_buf_span(&g->out));
}

static enum gk_err unprotect_response(struct group *g, struct gk_span response)
{
	g->in = gk_buf(g->inner, sizeof(g->inner));
	return gk_pairwise_unprotect_response(&g->common, &g->at_client, &g->client_keys, &g->sent,
					      response, &g->in);
}

static struct gk_span option_of(struct gk_span message)
{
	struct gk_span option;
	struct gk_coap msg;
	assert_int_equal(gk_coap_parse(message, &msg), GK_OK);
	assert_true(gk_coap_find(&msg, GK_OPT_OSCORE, &option));
	return option;
}

/** @return the value of the response's OSCORE option */
static struct gk_span exchange_response(struct group *g, bool own_piv)
{
	struct gk_span response = protect_response(g, own_piv);
	assert_int_equal(unprotect_response(g, response), GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), CONTENT_21);
	return option_of(response);
}

/* keys */

static void both_ends_have_the_same_keys_and_each_direction_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!is_built(&kinds[i]))
			continue;
		const struct group *g = a_group_of(&kinds[i]);
		assert_memory_equal(g->client_keys.sender_key, g->server_keys.recipient_key, 16);
		assert_memory_equal(g->client_keys.recipient_key, g->server_keys.sender_key, 16);
		assert_memory_not_equal(g->client_keys.sender_key, g->client_keys.recipient_key,
					16);
		/* nor is it the key that everybody has */
		assert_memory_not_equal(g->client_keys.sender_key, g->client.key, 16);
	}
}

static void keys_change_with_material_sender_id_and_credential(void **state)
{
	(void)state;
	struct group *g = a_group();
	const struct gk_pairwise first = g->client_keys;
	rekey(g);
	assert_memory_not_equal(&g->client_keys, &first, 16);

	g = a_group();
	assert_memory_equal(&g->client_keys, &first, sizeof(first));
	g->client = sender(g, "26", 0);
	derive_pairs(g);
	assert_memory_not_equal(g->client_keys.sender_key, first.sender_key, 16);
	assert_memory_equal(g->client_keys.recipient_key, first.recipient_key, 16);

	/* the same key in another credential: only the bytes differ */
	g = a_group();
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_ccs_put(&buf, gk_span_str("another name"), &g->keys[1].pub);
	g->at_client.cred = gk_buf_span(&buf);
	derive_pairs(g);
	assert_memory_not_equal(g->client_keys.sender_key, first.sender_key, 16);
	assert_memory_not_equal(g->client_keys.recipient_key, first.recipient_key, 16);
}

static void keys_are_as_long_as_the_pairwise_algorithm_says(void **state)
{
	(void)state;
	static const int64_t algs[] = { GK_ALG_AES_CCM_16_64_128, GK_ALG_AES_CCM_64_64_128,
					GK_ALG_AES_CCM_16_128_128, GK_ALG_AES_CCM_64_128_128 };
	for (size_t enc = 0; enc < COUNT(algs); enc++) {
		for (size_t aead = 0; aead < COUNT(algs); aead++) {
			struct group *g = a_group();
			uint8_t tag_len = gk_aead_find(algs[aead])->tag_len;
			g->input.gp_enc_alg = algs[enc];
			g->input.alg = algs[aead];
			set_up(g);
			/* code, option, marker; code, option, tag:
			 * nothing of the other algorithm */
			assert_int_equal(protect_request(g, GET_TEMP).len, 9 + 6 + tag_len);
			assert_int_equal(unprotect_request(g, gk_buf_span(&g->out)), GK_OK);
			exchange_response(g, false);
		}
	}
}

static void keys_are_not_derived_where_there_is_no_pairwise_mode(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int64_t alg, ecdh_alg;
		enum gk_err want;
	} rows[] = {
		{ "both", 10, GK_ALG_ECDH_SS_HKDF_256, GK_OK },
		{ "no alg", 0, GK_ALG_ECDH_SS_HKDF_256, GK_ERR_UNSUPPORTED },
		{ "no ecdh_alg", 10, 0, GK_ERR_UNSUPPORTED },
		{ "another ecdh_alg", 10, -28, GK_ERR_UNSUPPORTED },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct group *g = a_group();
		struct gk_pairwise keys, before;
		exchange_request(g);
		struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
		memset(&keys, 0xa5, sizeof(keys));
		before = keys;
		g->input.alg = rows[i].alg;
		g->input.ecdh_alg = rows[i].ecdh_alg;
		assert_int_equal(gk_group_common_init(&g->common, &g->input), GK_OK);
		assert_int_equal(gk_pairwise_check(&g->common), rows[i].want);
		enum gk_err err = gk_pairwise_init(&g->common, &g->client, &g->at_client, &keys);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		if (!err)
			continue;
		assert_memory_equal(&keys, &before, sizeof(keys));
		rewind_buffers(g);
		assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client,
							     &g->client_keys, hex_span(GET_TEMP),
							     &g->out, &g->sent),
				 err);
		assert_int_equal(unprotect_request(g, request), err);
		assert_int_equal(gk_pairwise_protect_response(&g->common, &g->server,
							      &g->server_keys, &g->received,
							      hex_span(CONTENT_21), false, &g->out),
				 err);
		assert_int_equal(unprotect_response(g, request), err);
	}
}

static void a_group_that_is_not_set_up_does_nothing(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_pairwise keys;
	exchange_request(g);
	struct gk_span request = exact_copy(gk_buf_span(&g->out));
	gk_group_common_wipe(&g->common);
	assert_int_equal(gk_pairwise_init(&g->common, &g->client, &g->at_client, &keys),
			 GK_ERR_STATE);
	assert_int_equal(unprotect_request(g, request), GK_ERR_STATE);
	assert_int_equal(unprotect_response(g, request), GK_ERR_STATE);
}

static void a_peer_whose_key_does_not_agree_has_no_keys(void **state)
{
	(void)state;
	struct group *g = a_group_of(&kinds[1]);
	struct gk_pairwise keys;
	g->at_client.sign_key.crv = GK_CRV_X25519;
	assert_int_equal(gk_pairwise_init(&g->common, &g->client, &g->at_client, &keys),
			 GK_ERR_CREDENTIAL);
	g->at_client.sign_key.crv = GK_CRV_P256;
	g->at_client.sign_key.y[31] ^= 1;
	assert_int_equal(gk_pairwise_init(&g->common, &g->client, &g->at_client, &keys),
			 GK_ERR_CREDENTIAL);
	g = a_group();
	g->at_client.cred.len = 2 * GK_CRED_MAX;
	assert_int_equal(gk_pairwise_init(&g->common, &g->client, &g->at_client, &keys),
			 GK_ERR_RANGE);
}

/* messages */

static void requests_and_responses_travel_in_every_kind_of_group(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!is_built(&kinds[i]))
			continue;
		struct group *g = a_group_of(&kinds[i]);
		exchange_request(g);
		assert_hex_equal(option_of(gk_buf_span(&g->out)), "190002dd1125");
		assert_true(g->sent.pairwise && g->received.pairwise);
		assert_hex_equal(exchange_response(g, false), "0852");
		exchange_request(g);
		assert_hex_equal(exchange_response(g, true), "090052");
	}
}

static void a_third_member_can_neither_read_nor_write(void **state)
{
	(void)state;
	struct group *g = a_group();
	/* with all that the group gave it, and the client's view of itself */
	struct gk_group_recipient at_third = recipient(g, "25", 0);
	struct gk_pairwise keys;
	assert_int_equal(gk_pairwise_init(&g->common, &g->third, &at_third, &keys), GK_OK);
	struct gk_span request = protect_request(g, GET_TEMP);
	assert_int_equal(gk_pairwise_unprotect_request(&g->common, &at_third, &keys, request,
						       &g->in, &g->received),
			 GK_ERR_CRYPTO);
	assert_int_equal(g->in.len, 0);

	/* in the client's name to the server */
	struct gk_group_sender forger = g->client;
	forger.sign_key = &g->keys[2];
	assert_int_equal(gk_pairwise_init(&g->common, &forger, &g->at_client, &keys), GK_OK);
	rewind_buffers(g);
	assert_int_equal(gk_pairwise_protect_request(&g->common, &forger, &keys, hex_span(GET_TEMP),
						     &g->out, &g->sent),
			 GK_OK);
	assert_int_equal(unprotect_request(g, gk_buf_span(&g->out)), GK_ERR_CRYPTO);
	assert_int_equal(g->at_server.window.next, 0);
}

/** What A wrote to B does not pass as B's to A. */
static void a_request_is_not_read_in_the_other_direction(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = protect_request(g, GET_TEMP);
	struct gk_pairwise turned = g->server_keys;
	memcpy(turned.recipient_key, g->server_keys.sender_key, sizeof(turned.recipient_key));
	assert_int_equal(gk_pairwise_unprotect_request(&g->common, &g->at_server, &turned, request,
						       &g->in, &g->received),
			 GK_ERR_CRYPTO);
}

static void the_longest_message_fits_and_one_byte_more_does_not(void **state)
{
	(void)state;
	static uint8_t message[GK_GROUP_OSCORE_MESSAGE_MAX + 1];
	struct group *g = a_group();
	message[0] = GK_COAP_POST;
	message[1] = 0xff;
	assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client, &g->client_keys,
						     gk_span(message, sizeof(message)), &g->out,
						     &g->sent),
			 GK_ERR_RANGE);
	assert_int_equal(g->client.seq, 0);
	g->client.seq = GK_OSCORE_PIV_MAX;
	assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client, &g->client_keys,
						     gk_span(message, GK_GROUP_OSCORE_MESSAGE_MAX),
						     &g->out, &g->sent),
			 GK_OK);
	assert_true(g->out.len <= GK_GROUP_OSCORE_MESSAGE_MAX + GK_OSCORE_OVERHEAD);
	assert_int_equal(unprotect_request(g, gk_buf_span(&g->out)), GK_OK);
	assert_int_equal(g->in.len, GK_GROUP_OSCORE_MESSAGE_MAX);
	g->at_server.window = (struct gk_window){ .next = 0 };
	gk_buf_byte(&g->out, 0);
	assert_int_equal(unprotect_request(g, gk_buf_span(&g->out)), GK_ERR_RANGE);
}

/* numbers, which both modes share */

static void both_modes_draw_on_one_sequence_and_one_window(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	struct gk_span pairwise = exact_copy(gk_buf_span(&g->out));
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_OK);
	assert_hex_equal(gk_id_span(&g->sent.piv), "01");
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, gk_buf_span(&g->out),
						    &g->in, &g->received),
			 GK_OK);
	assert_int_equal(g->at_server.window.next, 2);
	assert_int_equal(unprotect_request(g, pairwise), GK_ERR_REPLAY);
	exchange_request(g);
	assert_hex_equal(gk_id_span(&g->sent.piv), "02");
	assert_int_equal(g->client.seq, 3);
}

static void an_accepted_request_is_a_replay_from_then_on(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	struct gk_span request = exact_copy(gk_buf_span(&g->out));
	const struct gk_oscore_ref before = g->received;
	assert_int_equal(unprotect_request(g, request), GK_ERR_REPLAY);
	assert_int_equal(g->in.len, 0);
	assert_memory_equal(&g->received, &before, sizeof(before));
}

static void sequence_numbers_end_at_the_reserved_limit(void **state)
{
	(void)state;
	struct group *g = a_group();
	g->client.seq_limit = 1;
	g->server.seq_limit = 0;
	exchange_request(g);
	const struct gk_oscore_ref before = g->sent;
	rewind_buffers(g);
	assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client, &g->client_keys,
						     hex_span(GET_TEMP), &g->out, &g->sent),
			 GK_ERR_SEQUENCE);
	assert_int_equal(g->client.seq, 1);
	assert_memory_equal(&g->sent, &before, sizeof(before));
	assert_int_equal(gk_pairwise_protect_response(&g->common, &g->server, &g->server_keys,
						      &g->received, hex_span(CONTENT_21), true,
						      &g->out),
			 GK_ERR_SEQUENCE);
	exchange_response(g, false);
}

static void a_second_response_takes_its_own_piv(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	assert_hex_equal(exchange_response(g, false), "0852");
	assert_hex_equal(exchange_response(g, false), "090052");
	/* in the other mode, with another key, too: one of both may do without */
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_OK);
	assert_hex_equal(option_of(gk_buf_span(&g->out)), "290152");
	assert_int_equal(g->server.seq, 2);
}

static void a_failed_encryption_is_told_and_burns_the_number(void **state)
{
	(void)state;
	/* wolfSSL refuses a tag of 3 bytes */
	static const struct gk_aead broken = {
		.alg = 10, .key_len = 16, .nonce_len = 13, .tag_len = 3
	};
	struct group *g = a_group();
	g->common.aead = &broken;
	assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client, &g->client_keys,
						     hex_span(GET_TEMP), &g->out, &g->sent),
			 GK_ERR_CRYPTO);
	assert_int_equal(g->out.len, 0);
	assert_int_equal(g->client.seq, 1);
}

/* rekeying */

static void a_response_after_a_rekeying_has_its_own_piv_and_the_new_gid(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	rekey(g);
	assert_hex_equal(exchange_response(g, false), "190002dd1252");
	assert_int_equal(g->server.seq, 1);
}

static void a_response_without_piv_is_not_read_across_a_rekeying(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	struct gk_span response = protect_response(g, false);
	rekey(g);
	assert_int_equal(unprotect_response(g, response), GK_ERR_MALFORMED);
}

static void old_requests_are_of_an_unknown_gid_after_a_rekeying(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	rekey(g);
	assert_int_equal(unprotect_request(g, request), GK_ERR_UNKNOWN);
}

/* across the modes */

static void a_group_request_may_be_answered_in_pairwise_mode(void **state)
{
	(void)state;
	struct group *g = a_group();
	assert_int_equal(gk_group_protect_request(&g->common, &g->client, hex_span(GET_TEMP),
						  &g->out, &g->sent),
			 GK_OK);
	assert_int_equal(gk_group_unprotect_request(&g->common, &g->at_server, gk_buf_span(&g->out),
						    &g->in, &g->received),
			 GK_OK);
	assert_hex_equal(exchange_response(g, false), "0852");
}

static void a_pairwise_request_may_be_answered_in_group_mode(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	rewind_buffers(g);
	assert_int_equal(gk_group_protect_response(&g->common, &g->server, &g->received,
						   hex_span(CONTENT_21), false, &g->out),
			 GK_OK);
	assert_hex_equal(option_of(gk_buf_span(&g->out)), "2852");
	assert_int_equal(gk_group_unprotect_response(&g->common, &g->at_client, &g->sent,
						     gk_buf_span(&g->out), &g->in),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), CONTENT_21);
}

/** Encrypt CONTENT_21 as a response of the server with that option value. */
static struct gk_span response_with(struct group *g, const char *option)
{
	uint8_t aad_bytes[GK_AAD_MAX], bytes[256];
	struct gk_buf aad = gk_buf(aad_bytes, sizeof(aad_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_span plaintext;
	gk_group_put_external_aad(&aad, &g->common, &g->received, hex_span(option), g->creds[1]);
	struct gk_oscore_cipher cipher = {
		.aead = g->common.aead,
		.key = g->server_keys.sender_key,
		.external_aad = gk_buf_span(&aad),
	};
	gk_oscore_nonce(g->common.common_iv, 13, hex_span("25"), gk_id_span(&g->received.piv),
			cipher.nonce);
	assert_int_equal(gk_oscore_lay_out(hex_span(CONTENT_21), false, hex_span(option), 8, &buf,
					   &plaintext),
			 GK_OK);
	assert_int_equal(gk_oscore_encrypt(&cipher, plaintext, &buf), GK_OK);
	return exact_copy(gk_buf_span(&buf));
}

/** G 3.2: only to a request in pairwise mode; then it is the kid of who was asked. */
static void a_response_without_kid_is_that_of_the_member_asked(void **state)
{
	(void)state;
	struct group *g = a_group();
	exchange_request(g);
	struct gk_span response = response_with(g, "");
	assert_int_equal(unprotect_response(g, response), GK_OK);
	assert_hex_equal(gk_buf_span(&g->in), CONTENT_21);
	g->sent.pairwise = false;
	assert_int_equal(unprotect_response(g, response), GK_ERR_MALFORMED);
}

/* what is not as it should be */

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
		{ "group mode", "390002dd1125", SIZE_MAX, GK_ERR_UNSUPPORTED },
		{ "no kid", "110002dd11", SIZE_MAX, GK_ERR_MALFORMED },
		{ "no Partial IV", "1802dd1125", SIZE_MAX, GK_ERR_MALFORMED },
		{ "no kid context", "090025", SIZE_MAX, GK_ERR_MALFORMED },
		{ "another kid", "190002dd1126", SIZE_MAX, GK_ERR_UNKNOWN },
		{ "another Gid", "190002dd1225", SIZE_MAX, GK_ERR_UNKNOWN },
		{ "another Partial IV", "190102dd1125", SIZE_MAX, GK_ERR_CRYPTO },
		{ "the same Partial IV, written longer", "1a000002dd1125", SIZE_MAX,
		  GK_ERR_CRYPTO },
		{ "a payload of 1 byte", "190002dd1125", 1, GK_ERR_MALFORMED },
		{ "no room for a code", "190002dd1125", 8, GK_ERR_MALFORMED },
		{ "room for a code", "190002dd1125", 9, GK_ERR_CRYPTO },
		{ "as it was", "190002dd1125", SIZE_MAX, GK_OK },
	};
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	assert_int_equal(unprotect_request(g, hex_span(GET_TEMP)), GK_ERR_MISSING);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_group_recipient before = g->at_server;
		const struct gk_oscore_ref ref_before = g->received;
		enum gk_err err = unprotect_request(
			g, with_option(request, rows[i].option, rows[i].payload_len));
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		if (err) {
			assert_memory_equal(&g->at_server, &before, sizeof(before));
			assert_memory_equal(&g->received, &ref_before, sizeof(ref_before));
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
		{ "group mode", "2852", GK_ERR_UNSUPPORTED },
		{ "no kid, which it had", "", GK_ERR_CRYPTO },
		{ "another kid", "0853", GK_ERR_UNKNOWN },
		{ "another Gid", "1802dd1252", GK_ERR_UNKNOWN },
		{ "the Gid, which it did not have", "1802dd1152", GK_ERR_CRYPTO },
		{ "a Partial IV, which it did not have", "090052", GK_ERR_CRYPTO },
		{ "as it was", "0852", GK_OK },
	};
	struct group *g = a_group();
	exchange_request(g);
	struct gk_span response = protect_response(g, false);
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum gk_err err =
			unprotect_response(g, with_option(response, rows[i].option, SIZE_MAX));
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_int_equal(g->in.len > 0, err == GK_OK);
	}
	struct gk_oscore_ref none = { .pairwise = true };
	g->sent = none;
	assert_int_equal(unprotect_response(g, response), GK_ERR_STATE);
	assert_int_equal(gk_pairwise_protect_response(&g->common, &g->server, &g->server_keys,
						      &none, hex_span(CONTENT_21), false, &g->out),
			 GK_ERR_STATE);
}

static void a_response_fits_its_own_request_only(void **state)
{
	(void)state;
	struct group *g = a_group();
	for (int own_piv = 0; own_piv < 2; own_piv++) {
		exchange_request(g);
		const struct gk_oscore_ref first = g->sent;
		exchange_request(g);
		struct gk_span response = protect_response(g, own_piv);
		g->sent = first;
		assert_int_equal(unprotect_response(g, response), GK_ERR_CRYPTO);
	}
}

static void the_credential_of_the_group_manager_is_bound(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	g->input.gm_cred = g->creds[1];
	assert_int_equal(gk_group_common_init(&g->common, &g->input), GK_OK);
	assert_int_equal(unprotect_request(g, request), GK_ERR_CRYPTO);
}

static void every_changed_byte_is_noticed(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	/* byte 0 is the outer code, which nobody looks at */
	for (size_t i = 1; i < request.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			uint8_t changed[128];
			memcpy(changed, request.data, request.len);
			changed[i] ^= (uint8_t)(1 << bit);
			if (unprotect_request(g, gk_span(changed, request.len)) == GK_OK)
				fail_msg("bit %d of byte %zu can be changed", bit, i);
			assert_int_equal(g->in.len, 0);
			assert_int_equal(g->at_server.window.next, 0);
		}
	}
	assert_int_equal(unprotect_request(g, request), GK_OK);
	struct gk_span response = protect_response(g, true);
	for (size_t i = 1; i < response.len; i++) {
		uint8_t changed[128];
		memcpy(changed, response.data, response.len);
		changed[i] ^= (uint8_t)(1 << i % 8);
		if (unprotect_response(g, gk_span(changed, response.len)) == GK_OK)
			fail_msg("byte %zu of a response can be changed", i);
		assert_int_equal(g->in.len, 0);
	}
}

static void every_cut_is_noticed(void **state)
{
	(void)state;
	struct group *g = a_group();
	struct gk_span request = exact_copy(protect_request(g, GET_TEMP));
	for (size_t len = 0; len < request.len; len++)
		assert_int_not_equal(unprotect_request(g, exact_copy(gk_span(request.data, len))),
				     GK_OK);
}

static void too_small_a_buffer_uses_nothing_up(void **state)
{
	(void)state;
	struct group *g = a_group();
	size_t len = protect_request(g, GET_TEMP).len;
	for (size_t cap = 0; cap < len; cap++) {
		struct gk_buf out = gk_buf(cap > 0 ? g->bytes : NULL, cap);
		assert_int_equal(gk_pairwise_protect_request(&g->common, &g->client,
							     &g->client_keys, hex_span(GET_TEMP),
							     &out, &g->sent),
				 GK_ERR_NO_SPACE);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(g->client.seq, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_have_the_same_keys_and_each_direction_its_own),
		cmocka_unit_test(keys_change_with_material_sender_id_and_credential),
		cmocka_unit_test(keys_are_as_long_as_the_pairwise_algorithm_says),
		cmocka_unit_test(keys_are_not_derived_where_there_is_no_pairwise_mode),
		cmocka_unit_test(a_group_that_is_not_set_up_does_nothing),
		cmocka_unit_test(a_peer_whose_key_does_not_agree_has_no_keys),
		cmocka_unit_test(requests_and_responses_travel_in_every_kind_of_group),
		cmocka_unit_test(a_third_member_can_neither_read_nor_write),
		cmocka_unit_test(a_request_is_not_read_in_the_other_direction),
		cmocka_unit_test(the_longest_message_fits_and_one_byte_more_does_not),
		cmocka_unit_test(both_modes_draw_on_one_sequence_and_one_window),
		cmocka_unit_test(an_accepted_request_is_a_replay_from_then_on),
		cmocka_unit_test(sequence_numbers_end_at_the_reserved_limit),
		cmocka_unit_test(a_second_response_takes_its_own_piv),
		cmocka_unit_test(a_failed_encryption_is_told_and_burns_the_number),
		cmocka_unit_test(a_response_after_a_rekeying_has_its_own_piv_and_the_new_gid),
		cmocka_unit_test(a_response_without_piv_is_not_read_across_a_rekeying),
		cmocka_unit_test(old_requests_are_of_an_unknown_gid_after_a_rekeying),
		cmocka_unit_test(a_group_request_may_be_answered_in_pairwise_mode),
		cmocka_unit_test(a_pairwise_request_may_be_answered_in_group_mode),
		cmocka_unit_test(a_response_without_kid_is_that_of_the_member_asked),
		cmocka_unit_test(requests_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(responses_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(a_response_fits_its_own_request_only),
		cmocka_unit_test(the_credential_of_the_group_manager_is_bound),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(too_small_a_buffer_uses_nothing_up),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
