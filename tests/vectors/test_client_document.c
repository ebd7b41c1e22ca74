// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The exchange that docs/client.md shows takes place here, with fixed random numbers, and each of
// its blocks has to be what is in the document. With GK_WRITE set they are written there instead:
//
//   GK_WRITE=1 build/tests/vectors/test_client_document
//
// Nonces and AADs are put together here, by RFC 8613 alone, and must open what was sent.
#include "libgroupkey/cbor.h"
#include "libgroupkey/cose.h"
#include "libgroupkey/group_oscore.h"
#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"

#include "tests/lib/pair.h"
#include "tests/lib/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOCUMENT GK_TOP "/docs/client.md"
#define MARK     "<!-- from the test: "
#define FENCE    "```\n"

static const struct gk_span nothing = { NULL, 0 };

/* names, for people */

static const struct render_name osc[] = {
	{ 0, "id", NULL, false },
	{ 2, "ms", NULL, false },
	{ 3, "hkdf", NULL, false },
	{ 4, "alg", NULL, false },
	{ 5, "salt", NULL, false },
	{ 6, "contextId", NULL, false },
	{ 7, "group_SenderId", NULL, false },
	{ 8, "cred_fmt", NULL, false },
	{ 9, "gp_enc_alg", NULL, false },
	{ 10, "sign_alg", NULL, false },
	{ 11, "sign_params", NULL, false },
	{ 12, "ecdh_alg", NULL, false },
	{ 13, "ecdh_params", NULL, false },
	{ 0, NULL, NULL, false },
};
static const struct render_name cnf_osc[] = { { 4, "osc", osc, false }, { 0, NULL, NULL, false } };
static const struct render_name claims[] = {
	{ 1, "iss", NULL, false },    { 2, "sub", NULL, false },  { 3, "aud", NULL, false },
	{ 4, "exp", NULL, false },    { 6, "iat", NULL, false },  { 7, "cti", NULL, false },
	{ 8, "cnf", cnf_osc, false }, { 9, "scope", NULL, true }, { 0, NULL, NULL, false },
};
static const struct render_name cose_key[] = {
	{ 1, "kty", NULL, false }, { 3, "alg", NULL, false }, { -1, "crv", NULL, false },
	{ -2, "x", NULL, false },  { -3, "y", NULL, false },  { 0, NULL, NULL, false },
};
static const struct render_name cnf_key[] = { { 1, "COSE_Key", cose_key, false },
					      { 0, NULL, NULL, false } };
static const struct render_name ccs[] = { { 2, "sub", NULL, false },
					  { 8, "cnf", cnf_key, false },
					  { 0, NULL, NULL, false } };
static const struct render_name policies[] = { { 1, "Key Update Check Interval", NULL, false },
					       { 2, "Expiration Delta", NULL, false },
					       { 0, NULL, NULL, false } };
static const struct render_name ace[] = {
	{ 1, "access_token", NULL, false },
	{ 40, "nonce1", NULL, false },
	{ 42, "nonce2", NULL, false },
	{ 43, "ace_client_recipientid", NULL, false },
	{ 44, "ace_server_recipientid", NULL, false },
	{ 45, "sign_info", NULL, false },
	{ 46, "kdcchallenge", NULL, false },
	{ 0, NULL, NULL, false },
};
static const struct render_name groupcomm[] = {
	{ 3, "scope", NULL, true },
	{ 4, "get_creds", NULL, false },
	{ 5, "client_cred", ccs, true },
	{ 6, "cnonce", NULL, false },
	{ 7, "gkty", NULL, false },
	{ 8, "key", osc, false },
	{ 9, "num", NULL, false },
	{ 10, "ace_groupcomm_profile", NULL, false },
	{ 11, "exp", NULL, false },
	{ 12, "exi", NULL, false },
	{ 13, "creds", ccs, true },
	{ 14, "peer_roles", NULL, false },
	{ 15, "peer_identifiers", NULL, false },
	{ 16, "group_policies", policies, false },
	{ 17, "kdc_cred", ccs, true },
	{ 18, "kdc_nonce", NULL, false },
	{ 19, "kdc_cred_verify", NULL, false },
	{ 24, "client_cred_verify", NULL, false },
	{ 26, "control_uri", NULL, false },
	{ 34, "stale_node_ids", NULL, false },
	{ 0, NULL, NULL, false },
};
static const struct render_name bare[] = { { 0, NULL, NULL, false } };

/* fixed random numbers: for each length a sequence of its own, so that one draw more of one kind
 * does not change all others */

struct draws {
	struct gk_env env;
	unsigned counts[256];
};

static bool draw(void *ctx, uint8_t *out, size_t len)
{
	struct draws *d = ctx;
	unsigned n = d->counts[len & 255]++;

	for (size_t at = 0; at < len; at += GK_HASH_LEN) {
		char text[64];
		uint8_t hash[GK_HASH_LEN];

		snprintf(text, sizeof(text), "docs/client.md %zu %u %zu", len, n, at);
		if (gk_sha256(gk_span_str(text), hash))
			return false;
		memcpy(out + at, hash, len - at < GK_HASH_LEN ? len - at : GK_HASH_LEN);
	}
	return true;
}

static void *allocate(void *ctx, void *old, size_t size)
{
	struct draws *d = ctx;

	return d->env.alloc(d->env.ctx, old, size);
}

/* the document */

#define BLOCKS_MAX 24

struct example {
	struct pair p;
	struct draws draws;
	struct pair_raw lamp1, lamp2;
	struct {
		const char *name;
		char *text;
		size_t len;
	} blocks[BLOCKS_MAX];
	size_t count;
};

static FILE *begin(struct example *e, const char *name)
{
	FILE *out;

	assert_true(e->count < BLOCKS_MAX);
	e->blocks[e->count].name = name;
	out = open_memstream(&e->blocks[e->count].text, &e->blocks[e->count].len);
	assert_non_null(out);
	e->count++;
	return out;
}

/* With a header as on the wire: version 1, the type, the token. */
static void put_datagram(FILE *out, const char *title, unsigned type, uint16_t message_id,
			 struct gk_span token, struct gk_span message)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_buf_byte(&buf, (uint8_t)(1 << 6 | type << 4 | token.len));
	gk_buf_add(&buf, gk_span_sub(message, 0, 1));
	gk_buf_byte(&buf, (uint8_t)(message_id >> 8));
	gk_buf_byte(&buf, (uint8_t)message_id);
	gk_buf_add(&buf, token);
	gk_buf_add(&buf, gk_span_sub(message, 1, SIZE_MAX));
	assert_false(buf.overflow);
	render_hex(out, title, gk_buf_span(&buf));
}

enum { CON = 0, ACK = 2 };

static void put_request(FILE *out, const struct pair_raw *raw)
{
	put_datagram(out, "datagram", CON, raw->exchange.message_id,
		     gk_span(raw->exchange.token, raw->exchange.token_len),
		     gk_span(raw->sent, raw->sent_len));
}

static void put_response(FILE *out, const struct pair_raw *raw)
{
	put_datagram(out, "datagram", ACK, raw->exchange.message_id,
		     gk_span(raw->exchange.token, raw->exchange.token_len),
		     gk_span(raw->p->raw_answer, raw->p->raw_len));
}

/* OSCORE, by RFC 8613 alone */

struct seal {
	uint8_t nonce[13], aad[64];
	size_t aad_len;
};

/* Section 5.2 (nonce), 5.4 (external_aad), RFC 9052 section 5.3 (Enc_structure). */
static struct seal seal_of(const struct gk_oscore *ctx, struct gk_span kid, struct gk_span piv)
{
	struct seal s = { .nonce = { 0 } };
	uint8_t external[48];
	struct gk_buf inner = gk_buf(external, sizeof(external));
	struct gk_buf aad = gk_buf(s.aad, sizeof(s.aad));

	s.nonce[0] = (uint8_t)kid.len;
	memcpy(s.nonce + 8 - kid.len, kid.data, kid.len);
	memcpy(s.nonce + 13 - piv.len, piv.data, piv.len);
	for (size_t i = 0; i < 13; i++)
		s.nonce[i] ^= ctx->common_iv[i];
	gk_put_array(&inner, 5);
	gk_put_uint(&inner, 1);
	gk_put_array(&inner, 1);
	gk_put_uint(&inner, 10);
	gk_put_bytes(&inner, kid);
	gk_put_bytes(&inner, piv);
	gk_put_bytes(&inner, nothing);
	gk_put_array(&aad, 3);
	gk_put_text(&aad, gk_span_str("Encrypt0"));
	gk_put_bytes(&aad, nothing);
	gk_put_bytes(&aad, gk_buf_span(&inner));
	s.aad_len = aad.len;
	return s;
}

/* Show with what a protected message is opened, and open it. */
static struct gk_span put_opened(FILE *out, const uint8_t *key, const char *key_name,
				 const struct seal *s, struct gk_span message, struct gk_buf *plain)
{
	struct gk_oscore_option option;
	struct gk_span payload;

	assert_int_equal(gk_oscore_peek(message, &option, &payload), GK_OK);
	fprintf(out, "key        %s\n", key_name);
	render_hex(out, "nonce     ", gk_span(s->nonce, sizeof(s->nonce)));
	render_hex(out, "AAD       ", gk_span(s->aad, s->aad_len));
	assert_int_equal(gk_aead_open(gk_aead_find(10), gk_span(key, 16),
				      gk_span(s->nonce, sizeof(s->nonce)),
				      gk_span(s->aad, s->aad_len), payload, plain),
			 GK_OK);
	render_hex(out, "plaintext ", gk_buf_span(plain));
	return gk_buf_span(plain);
}

/* A request of the client and the answer to it, sealed and open. */
static void put_exchange(struct example *e, const char *request_name, const char *response_name,
			 const struct render_name *request_keys,
			 const struct render_name *response_keys, struct gk_span message)
{
	struct pair_raw *raw = &e->lamp1;
	struct gk_oscore before = raw->ctx;
	uint8_t piv = (uint8_t)before.seq, bytes[4096];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct seal s;
	FILE *out;

	// RFC 8613 section 6.1: a Partial IV of 0 is one byte
	s = seal_of(&before, gk_id_span(&before.sender_id), gk_span(&piv, 1));
	pair_raw_ask_message(raw, message);
	assert_true(raw->is_protected);
	out = begin(e, request_name);
	put_request(out, raw);
	render_coap(out, "outside:", gk_span(raw->sent, raw->sent_len), NULL);
	(void)put_opened(out, before.sender_key, "Sender Key", &s,
			 gk_span(raw->sent, raw->sent_len), &plain);
	render_coap(out, "inside:", gk_buf_span(&plain), request_keys);
	fclose(out);

	plain = gk_buf(bytes, sizeof(bytes));
	out = begin(e, response_name);
	put_response(out, raw);
	(void)put_opened(out, before.recipient_key, "Recipient Key", &s,
			 gk_span(raw->p->raw_answer, raw->p->raw_len), &plain);
	render_coap(out, "inside:", gk_buf_span(&plain), response_keys);
	fclose(out);
}

/* the exchange */

static void show_token(struct example *e)
{
	struct gk_span token = gk_span(e->lamp1.bundle.token, e->lamp1.bundle.token_len);
	uint8_t scratch[1024];
	struct gk_buf claims_buf = gk_buf(scratch, sizeof(scratch));
	FILE *out = begin(e, "token");

	assert_int_equal(gk_cose_decrypt0(token, gk_span(pair_as_key, 16), &claims_buf), GK_OK);
	render_hex(out, "token", token);
	fputs("claims\n", out);
	assert_true(render_cbor(out, gk_buf_span(&claims_buf), claims));
	fclose(out);
}

static void post_token(struct example *e)
{
	struct pair_raw *raw = &e->lamp1;
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	FILE *out;

	pair_raw_put_post(raw, &buf, gk_span(raw->bundle.token, raw->bundle.token_len));
	assert_int_equal(pair_raw_post_payload(raw, GK_CF_ACE, gk_buf_span(&buf)), GK_COAP_CREATED);
	out = begin(e, "token post");
	put_request(out, raw);
	render_coap(out, "request:", gk_span(raw->sent, raw->sent_len), ace);
	fclose(out);
	out = begin(e, "token answer");
	put_response(out, raw);
	render_coap(out, "response:", gk_span(raw->p->raw_answer, raw->p->raw_len), ace);
	fclose(out);
	pair_raw_derive(raw);
}

static void put_info(FILE *out, const char *title, struct gk_span id, const char *type, size_t len)
{
	uint8_t bytes[64];
	struct gk_buf info = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&info, 5);
	gk_put_bytes(&info, id);
	gk_put_null(&info);
	gk_put_uint(&info, 10);
	gk_put_text(&info, gk_span_str(type));
	gk_put_uint(&info, len);
	render_hex(out, title, gk_buf_span(&info));
}

static void show_association(struct example *e)
{
	const struct pair_raw *raw = &e->lamp1;
	const struct gk_oscore *ctx = &raw->ctx;
	struct gk_cbor_item item;
	const struct gk_cbor_field n2 = { GK_ACE_NONCE2, GK_CBOR_BYTES, true };
	uint8_t bytes[64];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));
	FILE *out = begin(e, "association");

	assert_int_equal(gk_cbor_read_map(raw->answer.payload, &n2, 1, &item), GK_OK);
	gk_put_bytes(&salt, gk_span(raw->bundle.salt, 8));
	gk_put_bytes(&salt, gk_span(raw->n1, 8));
	gk_put_bytes(&salt, item.string);
	render_hex(out, "Master Secret", gk_span(raw->bundle.ms, 32));
	render_hex(out, "Master Salt", gk_buf_span(&salt));
	render_hex(out, "Sender ID", gk_id_span(&ctx->sender_id));
	render_hex(out, "Recipient ID", gk_id_span(&ctx->recipient_id));
	put_info(out, "info of the Sender Key", gk_id_span(&ctx->sender_id), "Key", 16);
	render_hex(out, "Sender Key", gk_span(ctx->sender_key, 16));
	put_info(out, "info of the Recipient Key", gk_id_span(&ctx->recipient_id), "Key", 16);
	render_hex(out, "Recipient Key", gk_span(ctx->recipient_key, 16));
	put_info(out, "info of the Common IV", nothing, "IV", 13);
	render_hex(out, "Common IV", gk_span(ctx->common_iv, 13));
	fclose(out);
}

static struct gk_span put_join(struct example *e, struct gk_buf *message)
{
	static const uint8_t d[32] = { [0] = 1, [31] = 1 }; // as pair_raw_open() makes it
	static const uint8_t cnonce[] = { 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8 };
	struct pair_raw *raw = &e->lamp1;
	struct gk_coap_writer w = gk_coap_begin(message, GK_COAP_POST);
	uint8_t scope_bytes[32], pop_bytes[128], sig[GK_SIG_LEN];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_buf pop = gk_buf(pop_bytes, sizeof(pop_bytes)), *buf;
	FILE *out = begin(e, "evidence");

	// scope, kdcchallenge, cnonce, each a CBOR byte string (R 4.3.1)
	gk_scope_put(&scope, gk_span_str(PAIR_LIGHTS), GK_ROLE_REQUESTER | GK_ROLE_RESPONDER);
	gk_put_bytes(&pop, gk_buf_span(&scope));
	gk_put_bytes(&pop, gk_span(raw->challenge, raw->challenge_len));
	gk_put_bytes(&pop, gk_span(cnonce, sizeof(cnonce)));
	assert_int_equal(gk_sign(&raw->key, gk_buf_span(&pop), sig), GK_OK);
	render_hex(out, "private key d", gk_span(d, 32));
	render_hex(out, "signed", gk_buf_span(&pop));
	render_hex(out, "signature r | s", gk_span(sig, sizeof(sig)));
	fclose(out);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	buf = gk_coap_open_payload(&w);
	gk_put_map(buf, 6);
	gk_put_int(buf, GK_PARAM_SCOPE);
	gk_put_bytes(buf, gk_buf_span(&scope));
	gk_put_int(buf, GK_PARAM_GET_CREDS);
	gk_put_null(buf);
	gk_put_int(buf, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(buf, gk_span(raw->cred, raw->cred_len));
	gk_put_int(buf, GK_PARAM_CNONCE);
	gk_put_bytes(buf, gk_span(cnonce, sizeof(cnonce)));
	gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(buf, gk_span(sig, sizeof(sig)));
	gk_put_int(buf, GK_PARAM_CONTROL_URI);
	gk_put_text(buf, gk_span_str("coap://[fd00::1:1]/ace-group/lights/node"));
	return gk_buf_span(message);
}

/* What the KDC signed, and the keys of the group. */
static void show_group(struct example *e)
{
	static const uint8_t cnonce[] = { 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8 };
	struct pair_raw *raw = &e->lamp1;
	struct gk_material material;
	struct gk_public_key key;
	struct gk_group_common common;
	struct gk_group_sender sender;
	uint8_t bytes[64];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_group_input input;
	FILE *out = begin(e, "group context");

	assert_int_equal(gk_material_read(raw->answer.payload, &material), GK_OK);
	gk_put_bytes(&pop, gk_span(cnonce, sizeof(cnonce)));
	gk_put_bytes(&pop, material.kdc_nonce);
	assert_int_equal(gk_ccs_read(material.kdc_cred, &key), GK_OK);
	assert_int_equal(gk_verify(&key, gk_buf_span(&pop), material.kdc_verify), GK_OK);
	render_hex(out, "signed by the KDC", gk_buf_span(&pop));

	input = material.algorithms;
	input.master_secret = material.master_secret;
	input.master_salt = material.salt;
	input.gid = material.gid;
	input.gm_cred = material.kdc_cred;
	assert_int_equal(gk_group_common_init(&common, &input), GK_OK);
	assert_int_equal(gk_group_sender_init(&common, material.sid, &raw->key,
					      gk_span(raw->cred, raw->cred_len), &sender),
			 GK_OK);
	render_hex(out, "ID Context (Gid)", gk_id_span(&common.gid));
	render_hex(out, "Common IV", gk_span(common.common_iv, common.enc->nonce_len));
	render_hex(out, "Signature Encryption Key", gk_span(common.sign_enc_key, 16));
	render_hex(out, "Sender ID", gk_id_span(&sender.id));
	render_hex(out, "Sender Key", gk_span(sender.key, 16));
	fclose(out);
}

static void ask(struct example *e, const char *request_name, const char *response_name,
		uint8_t method, const char *path, const struct render_name *response_keys)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	put_exchange(e, request_name, response_name, NULL, response_keys, gk_buf_span(&buf));
}

/* The KDC tells lamp1 that lamp2 has left, and what the keys are now. */
static void rekey(struct example *e)
{
	static const uint8_t token[] = { 0x51 };
	static const uint8_t changed = GK_COAP_CHANGED;
	struct pair_raw *raw = &e->lamp1;
	const struct pair_message *m;
	struct gk_oscore_option option;
	struct gk_oscore ctx;
	struct gk_oscore_ref ref;
	uint8_t bytes[2048], opened_bytes[2048], answer_bytes[128];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_buf opened = gk_buf(opened_bytes, sizeof(opened_bytes));
	struct gk_buf answer = gk_buf(answer_bytes, sizeof(answer_bytes));
	struct seal s;
	bool fresh;
	FILE *out;

	assert_int_equal(pair_raw_get(&e->lamp2, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	pair_advance(&e->p, 1000);
	m = pair_raw_asked(raw);
	assert_non_null(m);
	assert_int_equal(gk_oscore_peek(m->bytes, &option, NULL), GK_OK);
	ctx = raw->ctx;
	s = seal_of(&ctx, option.kid, option.piv);
	out = begin(e, "rekeying");
	put_datagram(out, "datagram", CON, 0x7d34, gk_span(token, 1), m->bytes);
	render_coap(out, "outside:", m->bytes, NULL);
	(void)put_opened(out, ctx.recipient_key, "Recipient Key", &s, m->bytes, &plain);
	render_coap(out, "inside:", gk_buf_span(&plain), groupcomm);
	fclose(out);

	assert_int_equal(gk_oscore_unprotect_request(&ctx, m->bytes, &opened, &ref, &fresh), GK_OK);
	assert_int_equal(
		gk_oscore_protect_response(&ctx, &ref, gk_span(&changed, 1), false, &answer),
		GK_OK);
	out = begin(e, "rekeying answer");
	put_datagram(out, "datagram", ACK, 0x7d34, gk_span(token, 1), gk_buf_span(&answer));
	plain = gk_buf(bytes, sizeof(bytes));
	(void)put_opened(out, ctx.sender_key, "Sender Key", &s, gk_buf_span(&answer), &plain);
	render_coap(out, "inside:", gk_buf_span(&plain), NULL);
	fclose(out);
	pair_raw_reply(raw, m, GK_COAP_CHANGED);
}

static void carry_out(struct example *e)
{
	static const uint32_t roles = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;
	uint8_t bytes[1024];
	struct gk_buf join = gk_buf(bytes, sizeof(bytes));
	char path[64];

	pair_open(&e->p, 1);
	e->draws.env = e->p.kdc->env;
	e->p.kdc->env = (struct gk_env){ &e->draws, draw, allocate };
	assert_int_equal(pair_serve(&e->p, NULL), GK_OK);
	pair_raw_open(&e->lamp2, &e->p, 2, "lamp2", NULL, &roles, 1);
	assert_int_equal(pair_raw_join(&e->lamp2, PAIR_LIGHTS, roles, true), GK_COAP_CREATED);
	pair_raw_open(&e->lamp1, &e->p, 1, "lamp1", NULL, &roles, 1);

	show_token(e);
	post_token(e);
	show_association(e);
	put_exchange(e, "join", "join answer", groupcomm, groupcomm, put_join(e, &join));
	assert_int_equal(e->lamp1.answer.code, GK_COAP_CREATED);
	show_group(e);
	pair_raw_reply(&e->lamp2, pair_raw_asked(&e->lamp2), GK_COAP_CHANGED);
	ask(e, "num", "num answer", GK_COAP_GET, "ace-group/lights/num", bare);
	rekey(e);
	snprintf(path, sizeof(path), "ace-group/lights/nodes/%s", "n2");
	ask(e, "leave", "leave answer", GK_COAP_DELETE, path, NULL);
	assert_int_equal(e->lamp1.answer.code, GK_COAP_DELETED);
}

/* comparing, and writing */

static char *read_document(void)
{
	FILE *in = fopen(DOCUMENT, "r");
	static char text[1 << 17];
	size_t len;

	assert_non_null(in);
	len = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[len] = 0;
	return text;
}

/* @return where the text between the fences begins that follow on a mark; NULL: no such mark */
static char *find_block(char *document, const char *name, char **end)
{
	char mark[96], *at;

	snprintf(mark, sizeof(mark), MARK "%s -->\n" FENCE, name);
	at = strstr(document, mark);
	if (!at)
		return NULL;
	at += strlen(mark);
	*end = strstr(at, FENCE);
	return *end ? at : NULL;
}

static void write_document(const struct example *e)
{
	char *document = read_document(), *from = document;
	FILE *out = fopen(DOCUMENT ".new", "w");

	assert_non_null(out);
	for (size_t i = 0; i < e->count; i++) {
		char *end, *at = find_block(from, e->blocks[i].name, &end);

		if (!at)
			fail_msg("no place for \"%s\", in this order", e->blocks[i].name);
		fwrite(from, 1, (size_t)(at - from), out);
		fwrite(e->blocks[i].text, 1, e->blocks[i].len, out);
		from = end;
	}
	fputs(from, out);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(DOCUMENT ".new", DOCUMENT), 0);
}

static size_t count_marks(const char *document)
{
	size_t count = 0;

	for (; (document = strstr(document, MARK)) != NULL; document++)
		count++;
	return count;
}

static void compare(const struct example *e)
{
	char *document = read_document();

	assert_int_equal(count_marks(document), e->count);
	for (size_t i = 0; i < e->count; i++) {
		char *end, *at = find_block(document, e->blocks[i].name, &end);

		if (!at)
			fail_msg("the document has no \"%s\"", e->blocks[i].name);
		if ((size_t)(end - at) != e->blocks[i].len ||
		    memcmp(at, e->blocks[i].text, e->blocks[i].len) != 0)
			fail_msg("\"%s\" is now:\n%s", e->blocks[i].name, e->blocks[i].text);
	}
}

static void the_exchange_in_the_document_takes_place_as_it_is_written(void **state)
{
	static struct example e;

	(void)state;
	carry_out(&e);
	if (getenv("GK_WRITE"))
		write_document(&e);
	else
		compare(&e);
	for (size_t i = 0; i < e.count; i++)
		free(e.blocks[i].text);
	assert_true(pair_close(&e.p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exchange_in_the_document_takes_place_as_it_is_written),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
