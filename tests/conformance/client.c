// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBSERVE        6
#define LOCATION_PATH  8
#define CONTENT_FORMAT 12
#define BLOCK2         23
#define ECHO           252

static const struct gk_span nothing = { NULL, 0 };

/* tokens */

void put_osc(struct bytes *b, const struct client *c)
{
	put_hex(b, "a1 04 a3 00");
	put_bstr(b, gk_span(c->id, sizeof(c->id)));
	put_hex(b, "02");
	put_bstr(b, gk_span(c->ms, sizeof(c->ms)));
	put_hex(b, "05");
	put_bstr(b, gk_span(c->salt, sizeof(c->salt)));
}

static void put_time(struct bytes *b, int64_t label, int64_t s)
{
	put_int(b, label);
	put_int(b, s);
}

static void put_claims(struct bytes *b, const struct client *c, const struct token *t)
{
	int64_t now = c->p->now.utc.s;
	size_t pairs = !!t->iss + !t->no_aud + !t->no_exp + !!t->nbf_s + !!t->iat_s + !t->no_cnf +
		       !t->no_scope + (t->exi ? 2u : 0u);

	put_head(b, 5, pairs + 1);
	if (t->iss) {
		put_int(b, 1);
		put_tstr(b, t->iss);
	}
	put_int(b, 2);
	put_tstr(b, c->name);
	if (!t->no_aud) {
		put_int(b, 3);
		put_tstr(b, t->aud ? t->aud : "gatewayd");
	}
	if (!t->no_exp)
		put_time(b, 4, now + (t->lifetime_s ? t->lifetime_s : 86400));
	if (t->nbf_s)
		put_time(b, 5, now + t->nbf_s);
	if (t->iat_s)
		put_time(b, 6, now + t->iat_s);
	if (t->exi)
		put_hex(b, t->exi);
	if (!t->no_cnf) {
		put_int(b, 8);
		if (t->cnf.len)
			put_raw(b, t->cnf);
		else
			put_osc(b, c);
	}
	if (!t->no_scope) {
		put_int(b, 9);
		if (t->scope.len)
			put_raw(b, t->scope);
		else
			put_bstr(b, all_of(&c->scope));
	}
}

/* A COSE_Encrypt0 with AES-CCM-16-64-128 (RFC 9052 section 5.2). */
void put_token(struct bytes *b, const struct client *c, const struct token *t)
{
	static const uint8_t foreign[16] = "another AS's ke";
	static const char enc_structure[] = "83 68 456e637279707430 43a1010a 40";
	static uint8_t nonces;
	struct bytes claims = { .len = 0 }, aad = { .len = 0 };
	uint8_t nonce[13] = { 7, ++nonces }, sealed[4096];
	struct gk_buf out = gk_buf(sealed, sizeof(sealed));

	if (t->claims)
		put_hex(&claims, t->claims);
	else
		put_claims(&claims, c, t);
	put_hex(&aad, enc_structure);
	if (gk_aead_seal(gk_aead_find(10), gk_span(t->foreign_key ? foreign : pair_as_key, 16),
			 gk_span(nonce, sizeof(nonce)), all_of(&aad), all_of(&claims), &out))
		fail_msg("no token can be made");
	put_hex(b, "d0 83 43a1010a a1 05");
	put_bstr(b, gk_span(nonce, sizeof(nonce)));
	put_bstr(b, gk_buf_span(&out));
}

/* the client */

void client_use_key(struct client *c, int crv, int alg)
{
	uint8_t d[32] = { 3 };

	d[31] = c->raw.addr.ip[15];
	if (gk_key_from_private(crv, gk_span(d, sizeof(d)), &c->key))
		fail_msg("no key of curve %d", crv);
	c->cred.len = 0;
	put_ccs(&c->cred, c->name, &c->key.pub, alg);
}

void client_grant(struct client *c, const char *group, uint32_t roles)
{
	c->scope.data[0]++; /* the head of a short array */
	put_entry(&c->scope, group, roles);
}

void client_open(struct client *c, struct pair *p, unsigned number, uint32_t roles)
{
	memset(c, 0, sizeof(*c));
	c->p = p;
	c->raw.p = p;
	c->raw.addr = (struct gk_addr){ .port = 5683 };
	c->raw.addr.ip[0] = 0xfd;
	c->raw.addr.ip[13] = 1;
	c->raw.addr.ip[15] = (uint8_t)number;
	c->raw.exchange.message_id = (uint16_t)(number << 9);
	snprintf(c->name, sizeof(c->name), "client%u", number);
	memset(c->id, 0xa0 + (int)number, sizeof(c->id));
	memset(c->ms, 0x10 + (int)number, sizeof(c->ms));
	memset(c->salt, 0x50 + (int)number, sizeof(c->salt));
	put_hex(&c->scope, "80");
	if (roles)
		client_grant(c, PAIR_LIGHTS, roles);
	client_use_key(c, 1, -7);
	snprintf(c->group, sizeof(c->group), PAIR_LIGHTS);
	snprintf(c->node, sizeof(c->node), "none");
}

void put_post(struct bytes *b, struct client *c, struct gk_span token, const char *asks)
{
	for (size_t i = 0; i < sizeof(c->raw.n1); i++)
		c->raw.n1[i] = (uint8_t)(c->raw.n1[i] + 0x11);
	c->raw.id1 = (struct gk_id){ 2, { c->raw.addr.ip[15], (uint8_t)(c->raw.id1.data[1] + 1) } };
	put_head(b, 5, 3 + (asks ? strlen(asks) / 6 : 0));
	put_hex(b, "01");
	put_bstr(b, token);
	put_hex(b, "1828");
	put_bstr(b, gk_span(c->raw.n1, sizeof(c->raw.n1)));
	put_hex(b, "182b");
	put_bstr(b, gk_id_span(&c->raw.id1));
	if (asks)
		put_hex(b, asks);
}

/* O 4.3: what the KDC chose is the name under which we send. */
void client_derive(struct client *c)
{
	struct bytes salt = { .len = 0 };
	struct gk_oscore_input input = {
		.alg = 10,
		.hkdf = 5,
		.master_secret = gk_span(c->ms, sizeof(c->ms)),
		.sender_id = bstr(in_map(c->payload, 44)),
		.recipient_id = gk_id_span(&c->raw.id1),
	};

	put_bstr(&salt, gk_span(c->salt, sizeof(c->salt)));
	put_bstr(&salt, gk_span(c->raw.n1, sizeof(c->raw.n1)));
	put_bstr(&salt, bstr(in_map(c->payload, 42)));
	input.master_salt = all_of(&salt);
	if (gk_oscore_init(&c->raw.ctx, &input))
		fail_msg("no association");
	if (has(c->payload, 46)) {
		c->n_s.len = 0;
		put_raw(&c->n_s, bstr(in_map(c->payload, 46)));
	}
}

uint8_t client_post_with(struct client *c, const struct token *t, const char *asks)
{
	struct bytes token = { .len = 0 }, post = { .len = 0 };

	put_token(&token, c, t);
	put_post(&post, c, all_of(&token), asks);
	if (ask_plain(c, POST, "authz-info", CF_ACE, all_of(&post)) == CREATED)
		client_derive(c);
	return c->code;
}

uint8_t client_post(struct client *c)
{
	return client_post_with(c, &(struct token){ 0 }, NULL);
}

/* messages */

/* What a request may have besides. */
struct extras {
	bool observe;
	int64_t block; /* Block2; -1: none */
	struct gk_span echo;
};

static void put_request(struct bytes *b, uint8_t method, const char *path, int format,
			const struct extras *extras, struct gk_span payload)
{
	unsigned last = 0;

	put_raw(b, gk_span(&method, 1));
	if (extras->observe)
		put_option(b, &last, OBSERVE, nothing);
	put_path(b, &last, path);
	if (format != CF_NONE)
		put_option_uint(b, &last, CONTENT_FORMAT, (uint32_t)format);
	if (extras->block >= 0)
		put_option_uint(b, &last, BLOCK2, (uint32_t)extras->block);
	if (extras->echo.len)
		put_option(b, &last, ECHO, extras->echo);
	if (payload.len) {
		put_hex(b, "ff");
		put_raw(b, payload);
	}
}

bool find_option(const struct client *c, unsigned number, size_t place, struct gk_span *value)
{
	(void)walk_options(c->options, number, place, value);
	return value->data != NULL;
}

/* Append the answer to what came of it before. */
static void take(struct client *c, struct gk_span message)
{
	struct gk_span payload;

	if (!message.len) {
		c->code = 0;
		return;
	}
	payload = payload_in(message);
	c->code = message.data[0];
	c->options = options_in(message, 0, 0, NULL);
	c->format = (int)option_in(message, CONTENT_FORMAT);
	memcpy(c->body + c->payload.len, payload.data ? payload.data : c->body, payload.len);
	c->payload = gk_span(c->body, c->payload.len + payload.len);
}

uint8_t ask_plain(struct client *c, uint8_t method, const char *path, int format,
		  struct gk_span payload)
{
	struct bytes message = { .len = 0 };

	put_request(&message, method, path, format, &(struct extras){ .block = -1 }, payload);
	c->payload = gk_span(c->body, 0);
	(void)pair_raw_send(&c->raw, all_of(&message));
	take(c, gk_span(c->p->raw_answer, c->raw.answers ? c->p->raw_len : 0));
	return c->code;
}

/* The answer in the association; one that is not protected has no place there. */
static void take_protected(struct client *c)
{
	const struct gk_coap *answer = &c->raw.answer;

	if (!c->raw.answers) {
		c->code = 0;
		return;
	}
	if (!c->raw.is_protected) {
		take(c, gk_span(c->p->raw_answer, c->p->raw_len));
		return;
	}
	take(c, gk_span(c->raw.plain, answer->payload.len
					      ? (size_t)(answer->payload.data +
							 answer->payload.len - c->raw.plain)
					      : 1 + answer->options.len));
}

/* RFC 9175: a KDC that has begun anew wants to see that the request is fresh. */
static bool take_echo(const struct client *c, struct bytes *echo)
{
	struct gk_span value;

	if (c->code != UNAUTHORIZED || !c->raw.is_protected || !find_option(c, ECHO, 0, &value))
		return false;
	echo->len = 0;
	put_raw(echo, value);
	return true;
}

static int64_t next_block(const struct client *c)
{
	int64_t block = c->code ? option_number(c->options, BLOCK2) : -1;

	/* NUM, M, SZX: the next one, of the same size */
	return block >= 0 && block & 8 ? ((block >> 4) + 1) << 4 | (block & 7) : -1;
}

static uint8_t ask_with(struct client *c, uint8_t method, const char *path, int format,
			struct gk_span payload, bool observe)
{
	struct extras extras = { .observe = observe, .block = -1 };
	struct bytes echo = { .len = 0 };
	bool again;

	c->payload = gk_span(c->body, 0);
	do {
		struct bytes message = { .len = 0 };

		put_request(&message, method, path, format, &extras, payload);
		(void)pair_raw_ask_message(&c->raw, all_of(&message));
		again = !extras.echo.len;
		take_protected(c);
		again = again && take_echo(c, &echo);
		extras.echo = all_of(&echo);
		extras.block = next_block(c);
	} while (again || extras.block >= 0);
	return c->code;
}

uint8_t ask(struct client *c, uint8_t method, const char *path, int format, struct gk_span payload)
{
	return ask_with(c, method, path, format, payload, false);
}

uint8_t ask_hex(struct client *c, uint8_t method, const char *path, int format, const char *payload)
{
	return ask(c, method, path, format, hex_span(payload));
}

static const char *group_path(const struct client *c, const char *path)
{
	static char text[200];

	snprintf(text, sizeof(text), "ace-group/%s%s%s%s", c->group,
		 path[0] == '*' ? "/nodes/"
		 : path[0]      ? "/"
				: "",
		 path[0] == '*' ? c->node : path, path[0] == '*' ? path + 1 : "");
	return text;
}

uint8_t ask_to_observe(struct client *c, const char *path)
{
	return ask_with(c, GET, group_path(c, path), CF_NONE, nothing, true);
}

uint8_t ask_group(struct client *c, uint8_t method, const char *path)
{
	return ask(c, method, group_path(c, path), CF_NONE, nothing);
}

uint8_t ask_group_hex(struct client *c, uint8_t method, const char *path, const char *payload)
{
	return ask_hex(c, method, group_path(c, path), CF_ACE_GC, payload);
}

/* joining */

void put_evidence(struct bytes *b, const struct client *c, struct gk_span pop)
{
	uint8_t sig[GK_SIG_LEN];

	if (gk_sign(&c->key, pop, sig))
		fail_msg("no signature");
	put_raw(b, gk_span(sig, sizeof(sig)));
}

void put_mac(struct bytes *b, const struct client *c, struct gk_span pop, struct gk_span kdc_cred)
{
	struct gk_public_key kdc = key_in(kdc_cred);
	uint8_t z[GK_DH_LEN], mac[8];

	if (gk_ecdh(&c->key, &kdc, z) ||
	    gk_hkdf(nothing, gk_span(z, sizeof(z)), pop, mac, sizeof(mac)))
		fail_msg("no MAC");
	put_raw(b, gk_span(mac, sizeof(mac)));
}

static void put_param(struct bytes *b, int64_t label, const char *instead, struct gk_span value)
{
	struct bytes given = { .len = 0 };

	if (instead) {
		put_hex(&given, instead);
		value = all_of(&given);
	}
	put_int(b, label);
	put_bstr(b, value);
}

static bool is_left_out(const char *text)
{
	return text && !text[0];
}

static void make_entry(struct client *c, const struct join *j)
{
	snprintf(c->group, sizeof(c->group), "%s", j->group ? j->group : PAIR_LIGHTS);
	c->entry.len = 0;
	if (j->scope)
		put_hex(&c->entry, j->scope);
	else
		put_entry(&c->entry, c->group, j->roles);
}

void put_join(struct bytes *b, struct client *c, const struct join *j)
{
	bool monitor = j->roles == MONITOR;
	bool cred = j->cred ? j->cred[0] : !monitor, verify = j->verify ? j->verify[0] : !monitor;
	struct bytes pop = { .len = 0 }, evidence = { .len = 0 };

	for (size_t i = 0; i < sizeof(c->n_c); i++)
		c->n_c[i]++;
	make_entry(c, j);
	put_bstr(&pop, all_of(&c->entry));
	put_bstr(&pop, all_of(&c->n_s));
	put_bstr(&pop, gk_span(c->n_c, sizeof(c->n_c)));
	put_head(b, 5,
		 !is_left_out(j->scope) + !!j->get_creds + cred + !is_left_out(j->cnonce) + verify +
			 !!j->control + j->more_pairs);
	if (!is_left_out(j->scope))
		put_param(b, 3, NULL, all_of(&c->entry));
	if (j->get_creds) {
		put_hex(b, "04");
		put_hex(b, j->get_creds);
	}
	if (cred)
		put_param(b, 5, j->cred && strcmp(j->cred, "40") == 0 ? "" : j->cred,
			  all_of(&c->cred));
	if (j->cnonce && j->cnonce[0]) {
		put_hex(b, "06");
		put_hex(b, j->cnonce);
	} else if (!j->cnonce) {
		put_param(b, 6, NULL, gk_span(c->n_c, sizeof(c->n_c)));
	}
	if (verify) {
		if (!j->verify)
			put_evidence(&evidence, c, all_of(&pop));
		put_param(b, 24, j->verify && strcmp(j->verify, "40") == 0 ? "" : j->verify,
			  all_of(&evidence));
	}
	if (j->control) {
		put_hex(b, "181a");
		put_tstr(b, j->control);
	}
	if (j->more)
		put_hex(b, j->more);
}

static void take_node(struct client *c)
{
	struct gk_span name;

	if (find_option(c, LOCATION_PATH, 3, &name) && name.len < sizeof(c->node))
		snprintf(c->node, sizeof(c->node), "%.*s", (int)name.len, (const char *)name.data);
}

uint8_t join(struct client *c, const struct join *j)
{
	struct bytes request = { .len = 0 };

	if (!c->raw.ctx.aead && client_post(c) != CREATED)
		return c->code;
	put_join(&request, c, j);
	if (ask(c, POST, group_path(c, ""), CF_ACE_GC, all_of(&request)) >> 5 == 2)
		take_node(c);
	return c->code;
}

void must_join(struct client *c, uint32_t roles)
{
	assert_int_equal(join(c, &(struct join){ .roles = roles }), CREATED);
}

/* what the KDC asks */

static const struct pair_message *nth_told(const struct client *c, size_t place)
{
	for (size_t i = 0; i < c->p->log_count; i++) {
		const struct pair_message *m = c->p->log[i];

		if (m->kind == PAIR_REQUEST && m->from == PAIR_KDC &&
		    memcmp(m->peer.ip, c->raw.addr.ip, sizeof(m->peer.ip)) == 0 && place-- == 0)
			return m;
	}
	return NULL;
}

size_t count_told(const struct client *c)
{
	size_t count = 0;

	while (nth_told(c, count))
		count++;
	return count;
}

void read_told(const struct client *c, size_t place, struct told *told)
{
	struct gk_buf buf = gk_buf(told->bytes, sizeof(told->bytes));
	struct gk_oscore_ref ref;
	bool fresh;

	told->message = nth_told(c, place);
	if (!told->message)
		fail_msg("no request %zu to %s", place, c->name);
	if (gk_oscore_unprotect_request(&c->raw.ctx, told->message->bytes, &buf, &ref, &fresh))
		fail_msg("request %zu to %s is not under its association", place, c->name);
	told->code = told->bytes[0];
	told->format = (int)option_in(gk_buf_span(&buf), CONTENT_FORMAT);
	told->payload = payload_in(gk_buf_span(&buf));
	path_in(gk_buf_span(&buf), told->path, sizeof(told->path));
}

void answer_told(struct client *c, const struct told *told, uint8_t code)
{
	pair_raw_reply(&c->raw, told->message, code);
}

/* looking at answers */

void assert_answer(const struct client *c, uint8_t code, int format)
{
	if (c->code != code || c->format != format)
		fail_msg("answer %x in format %d, not %x in %d, %s", c->code, c->format, code,
			 format, hex_text(c->payload));
}

void assert_error(const struct client *c, uint8_t code, unsigned error)
{
	assert_answer(c, code, CF_PROBLEM);
	assert_int_equal(integer(in_map(in_map(c->payload, 0), 0)), error);
	assert_int_equal(map_size(in_map(c->payload, 0)), 1);
	assert_int_equal(map_size(c->payload), 1);
}

void assert_no_payload(const struct client *c, uint8_t code)
{
	assert_answer(c, code, CF_NONE);
	assert_int_equal(c->payload.len, 0);
}

void assert_evidence(struct gk_span map, struct gk_span n_c)
{
	struct gk_public_key key = key_in(bstr(in_map(map, 17)));
	struct bytes input = { .len = 0 };

	put_bstr(&input, n_c);
	put_bstr(&input, bstr(in_map(map, 18)));
	assert_int_equal(gk_verify(&key, all_of(&input), bstr(in_map(map, 19))), GK_OK);
}

/* fixtures */

int open_lights(void **state)
{
	static struct pair p;

	pair_open(&p, 3);
	*state = &p;
	return pair_serve(&p, NULL) == GK_OK ? 0 : 1;
}

void replace_kdc(struct pair *p, const struct gk_kdc_config *config)
{
	gk_kdc_free(p->kdc);
	while (p->record_count) {
		p->record_count--;
		free(p->records[p->record_count].key);
		free(p->records[p->record_count].value);
	}
	if (gk_kdc_new(&p->env, config, &p->kdc))
		fail_msg("no KDC");
	pair_drain_kdc(p, gk_kdc_add_group(p->kdc, &p->config[0], p->now));
}

int close_pair(void **state)
{
	return pair_close(*state) ? 0 : 1;
}
