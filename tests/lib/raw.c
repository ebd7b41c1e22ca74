// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "raw.h"
#include "io/addr.h"
#include "io/loop.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/cbor.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER 8 /* with four bytes of token */
#define PORT   5683

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void must(enum gk_err err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %s\n", what, gk_strerror(err));
		exit(1);
	}
}

static void draw(struct raw *c, uint8_t *out, size_t len)
{
	must(gk_random(&c->env, out, len), "random bytes");
}

void raw_open(struct raw *c, const char *bundle)
{
	char error[IO_BUNDLE_ERROR];
	struct sockaddr_in6 to;
	struct gk_addr kdc;

	*c = (struct raw){ .env = io_env() };
	must(gk_global_init(&c->env), "wolfSSL");
	if (!io_bundle_read(bundle, &c->bundle, error, sizeof(error)))
		die(error);
	if (!io_addr_parse(c->bundle.kdc, PORT, &kdc))
		die("the KDC's address");
	to = io_addr_to_sockaddr(&kdc);
	c->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die(strerror(errno));
	draw(c, (uint8_t *)&c->message_id, sizeof(c->message_id));
	must(gk_key_generate(&c->env, GK_CRV_P256, &c->key), "key");
}

/*
 * CoAP over a socket
 */

static void send_datagram(struct raw *c)
{
	uint8_t bytes[RAW_ROOM + HEADER];
	struct gk_buf datagram = gk_buf(bytes, sizeof(bytes));

	c->message_id++;
	gk_buf_byte(&datagram, 0x44); /* version 1, CON, four bytes of token */
	gk_buf_byte(&datagram, c->sent[0]);
	for (int i = 0; i < 3; i++) { /* the message id, and twice as the token */
		gk_buf_byte(&datagram, (uint8_t)(c->message_id >> 8));
		gk_buf_byte(&datagram, (uint8_t)c->message_id);
	}
	gk_buf_add(&datagram, gk_span(c->sent + 1, c->sent_len - 1));
	must(gk_buf_err(&datagram), "request");
	if (send(c->fd, bytes, datagram.len, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
		die(strerror(errno));
}

void raw_send(struct raw *c, struct gk_span message)
{
	struct gk_buf sent = gk_buf(c->sent, sizeof(c->sent));

	gk_buf_add(&sent, message);
	must(gk_buf_err(&sent), "request");
	c->sent_len = sent.len;
	send_datagram(c);
}

void raw_send_protected(struct raw *c, struct gk_span message)
{
	struct gk_buf sent = gk_buf(c->sent, sizeof(c->sent));

	if (!c->associated)
		die("there is no association");
	must(gk_oscore_protect_request(&c->assoc, message, &sent, &c->ref), "request");
	c->sent_len = sent.len;
	send_datagram(c);
}

void raw_send_again(struct raw *c)
{
	send_datagram(c);
}

/* The answer to the newest request: piggybacked, since gatewayd has no other. */
static bool is_answer(const struct raw *c, const uint8_t *datagram, ssize_t len)
{
	return len >= HEADER && datagram[0] == 0x64 &&
	       (datagram[2] << 8 | datagram[3]) == c->message_id;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static ssize_t receive_datagram(struct raw *c, uint8_t datagram[static RAW_ROOM], int wait_ms)
{
	struct pollfd fd = { .fd = c->fd, .events = POLLIN };
	int64_t deadline = now_ms() + wait_ms;
	ssize_t len;

	do {
		int64_t left = deadline - now_ms();

		if (poll(&fd, 1, left > 0 ? (int)left : 0) <= 0)
			return -1;
		len = recv(c->fd, datagram, RAW_ROOM, 0);
	} while (!is_answer(c, datagram, len));
	return len;
}

/* An answer that OSCORE itself gives comes as it is (RFC 8613 section 8.2). */
static void unprotect(struct raw *c, struct gk_span message, struct raw_answer *answer)
{
	struct gk_buf plain = gk_buf(answer->bytes, sizeof(answer->bytes));
	struct gk_span option;

	must(gk_coap_parse(message, &answer->msg), "answer");
	answer->protected = gk_coap_find(&answer->msg, GK_OPT_OSCORE, &option);
	if (answer->protected)
		must(gk_oscore_unprotect_response(&c->assoc, &c->ref, message, &plain, NULL),
		     "answer");
	else
		gk_buf_add(&plain, message);
	must(gk_coap_parse(gk_buf_span(&plain), &answer->msg), "answer");
}

bool raw_receive(struct raw *c, struct raw_answer *answer, int wait_ms)
{
	uint8_t datagram[RAW_ROOM];
	ssize_t len = receive_datagram(c, datagram, wait_ms);

	if (len < 0)
		return false;
	datagram[HEADER - 1] = datagram[1]; /* the code, before the options */
	unprotect(c, gk_span(datagram + HEADER - 1, (size_t)len - HEADER + 1), answer);
	return true;
}

void raw_put_request(struct gk_buf *message, uint8_t code, const char *path, int format,
		     struct gk_span payload)
{
	struct gk_coap_writer w = gk_coap_begin(message, code);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	if (format >= 0)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)format);
	gk_coap_put_payload(&w, payload);
	must(gk_buf_err(message), "request");
}

/*
 * The token (O 4)
 */

void raw_put_token(struct gk_buf *payload, struct raw *c)
{
	draw(c, c->n1, sizeof(c->n1));
	draw(c, c->id1, sizeof(c->id1));
	gk_put_map(payload, 3);
	gk_put_int(payload, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(payload, gk_span(c->bundle.token, c->bundle.token_len));
	gk_put_int(payload, GK_ACE_NONCE1);
	gk_put_bytes(payload, gk_span(c->n1, sizeof(c->n1)));
	gk_put_int(payload, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(payload, gk_span(c->id1, sizeof(c->id1)));
}

static void derive(struct raw *c, struct gk_span n2, struct gk_span id2)
{
	uint8_t bytes[128];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));

	gk_put_bytes(&salt, gk_span(c->bundle.salt, c->bundle.salt_len));
	gk_put_bytes(&salt, gk_span(c->n1, sizeof(c->n1)));
	gk_put_bytes(&salt, n2);
	must(gk_oscore_init(&c->assoc,
			    &(struct gk_oscore_input){
				    .alg = GK_ALG_AES_CCM_16_64_128,
				    .hkdf = GK_ALG_HMAC_256,
				    .master_secret = gk_span(c->bundle.ms, c->bundle.ms_len),
				    .master_salt = gk_buf_span(&salt),
				    .sender_id = id2,
				    .recipient_id = gk_span(c->id1, sizeof(c->id1)) }),
	     "association");
	c->associated = true;
}

static void set_challenge(struct raw *c, struct gk_span challenge)
{
	if (challenge.len > sizeof(c->challenge))
		die("kdcchallenge is too long");
	c->challenge_len = challenge.len;
	if (challenge.len)
		memcpy(c->challenge, challenge.data, challenge.len);
}

void raw_take_token_answer(struct raw *c, const struct raw_answer *answer)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_NONCE2, GK_CBOR_BYTES, true },
		{ GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, false },
	};
	struct gk_cbor_item item[3];

	if (answer->msg.code != GK_COAP_CREATED || answer->msg.payload.len == 0)
		return;
	must(gk_cbor_read_map(answer->msg.payload, fields, 3, item), "answer to the token");
	derive(c, item[0].string, item[1].string);
	if (item[2].kind)
		set_challenge(c, item[2].string);
}

/*
 * Credentials and joins (R 4.3.1)
 */

/* A credential of the other curve, as somebody would have it in a group with EdDSA. */
static void put_other_curve(struct gk_buf *cred)
{
	struct gk_public_key key = { .crv = GK_CRV_ED25519 };

	memset(key.x, 0x55, sizeof(key.x));
	gk_ccs_put(cred, gk_span_str("raw"), &key);
}

/* The usual one, with the private key (-4) as it must never be. */
static void put_private(struct gk_buf *cred, const struct gk_key_pair *key)
{
	gk_put_map(cred, 1);
	gk_put_int(cred, GK_CLAIM_CNF);
	gk_put_map(cred, 1);
	gk_put_int(cred, GK_CNF_COSE_KEY);
	gk_put_map(cred, 5);
	gk_put_int(cred, GK_COSE_KTY);
	gk_put_int(cred, GK_KTY_EC2);
	gk_put_int(cred, GK_COSE_CRV);
	gk_put_int(cred, GK_CRV_P256);
	gk_put_int(cred, GK_COSE_X);
	gk_put_bytes(cred, gk_span(key->pub.x, 32));
	gk_put_int(cred, GK_COSE_Y);
	gk_put_bytes(cred, gk_span(key->pub.y, 32));
	gk_put_int(cred, GK_COSE_D);
	gk_put_bytes(cred, gk_span(key->pub.x, 32)); /* any */
}

static void put_cred(struct gk_buf *cred, const struct raw *c, enum raw_field flaw)
{
	if (flaw == RAW_WRONG)
		put_other_curve(cred);
	else if (flaw == RAW_ODD)
		put_private(cred, &c->key);
	else if (flaw == RAW_MISTYPED)
		gk_put_text(cred, gk_span_str("no credential"));
	else if (flaw != RAW_EMPTY)
		gk_ccs_put(cred, gk_span_str(c->bundle.name), &c->key.pub);
}

static void put_param(struct gk_buf *payload, int label, enum raw_field flaw, struct gk_span value)
{
	if (flaw == RAW_ABSENT)
		return;
	gk_put_int(payload, label);
	if (flaw == RAW_MISTYPED)
		gk_put_uint(payload, 1);
	else
		gk_put_bytes(payload, flaw == RAW_EMPTY ? RAW_NO_PAYLOAD : value);
}

static void put_evidence(struct gk_buf *payload, struct raw *c, const struct raw_flaws *flaws)
{
	uint8_t cred_bytes[256], input[256], sig[GK_SIG_LEN];
	struct gk_buf cred = gk_buf(cred_bytes, sizeof(cred_bytes));
	struct gk_buf pop = gk_buf(input, sizeof(input));

	draw(c, c->n_c, sizeof(c->n_c));
	put_cred(&cred, c, flaws->cred);
	gk_pop_put_client(&pop, gk_span(c->scope, c->scope_len),
			  gk_span(c->challenge, c->challenge_len), gk_span(c->n_c, sizeof(c->n_c)));
	must(gk_sign(&c->key, gk_buf_span(&pop), sig), "signature");
	if (flaws->verify == RAW_WRONG)
		sig[0] ^= 1;
	put_param(payload, GK_PARAM_CNONCE, flaws->cnonce, gk_span(c->n_c, sizeof(c->n_c)));
	put_param(payload, GK_PARAM_CLIENT_CRED, flaws->cred == RAW_ABSENT ? RAW_ABSENT : RAW_RIGHT,
		  gk_buf_span(&cred));
	put_param(payload, GK_PARAM_CLIENT_CRED_VERIFY, flaws->verify, gk_span(sig, sizeof(sig)));
}

static size_t count_fields(const struct raw_flaws *flaws)
{
	return (size_t)(flaws->cnonce != RAW_ABSENT) + (flaws->cred != RAW_ABSENT) +
	       (flaws->verify != RAW_ABSENT);
}

static void begin(struct gk_buf *payload, const struct raw_flaws *flaws, size_t pairs)
{
	if (flaws->map == RAW_WRONG)
		gk_put_array(payload, 2 * pairs);
	else
		gk_put_map(payload, pairs);
}

static void end(struct gk_buf *payload, const struct raw_flaws *flaws)
{
	must(gk_buf_err(payload), "payload");
	if (flaws->map == RAW_ODD)
		gk_buf_truncate(payload, payload->len - 1);
	if (flaws->map == RAW_EMPTY)
		gk_buf_truncate(payload, 0);
}

/* The role in R 3.1's example of the textual form is text, too. */
static void put_scope(struct gk_buf *scope, const char *name, uint32_t roles, bool textual)
{
	if (!textual) {
		gk_scope_put(scope, gk_span_str(name), roles);
		return;
	}
	gk_put_array(scope, 2);
	gk_put_text(scope, gk_span_str(name));
	gk_put_text(scope, gk_span_str("sender"));
}

static uint32_t roles_in(const struct raw *c, const char *group)
{
	for (size_t i = 0; i < c->bundle.group_count; i++) {
		if (strcmp(c->bundle.groups[i], group) == 0)
			return c->bundle.roles[i];
	}
	return GK_ROLE_REQUESTER;
}

/* How rekeying messages are to reach us. */
static void put_control(struct gk_buf *payload, const struct raw_flaws *flaws)
{
	if (flaws->control) {
		gk_put_int(payload, GK_PARAM_CONTROL_URI);
		gk_put_text(payload, gk_span_str(flaws->control));
	}
	if (flaws->tree) {
		gk_put_int(payload, GK_PARAM_REKEYING_SCHEME);
		gk_put_int(payload, GK_SCHEME_TREE);
	}
}

void raw_put_join(struct gk_buf *payload, struct raw *c, const char *group,
		  const struct raw_flaws *flaws)
{
	struct gk_buf scope = gk_buf(c->scope, sizeof(c->scope));

	put_scope(&scope, flaws->name ? flaws->name : group,
		  flaws->roles ? flaws->roles : roles_in(c, group), flaws->scope == RAW_ODD);
	must(gk_buf_err(&scope), "scope");
	c->scope_len = scope.len;
	begin(payload, flaws,
	      count_fields(flaws) + (flaws->scope != RAW_ABSENT) + (flaws->control != NULL) +
		      flaws->tree);
	put_param(payload, GK_PARAM_SCOPE, flaws->scope, gk_buf_span(&scope));
	put_evidence(payload, c, flaws);
	put_control(payload, flaws);
	end(payload, flaws);
}

void raw_put_cred(struct gk_buf *payload, struct raw *c, const struct raw_flaws *flaws)
{
	begin(payload, flaws, count_fields(flaws));
	put_evidence(payload, c, flaws);
	end(payload, flaws);
}

static void take_node(struct raw *c, const struct gk_coap *msg)
{
	struct gk_coap_iter it = gk_coap_options(msg);
	struct gk_buf path = gk_buf(c->node, sizeof(c->node) - 1);

	while (gk_coap_next(&it)) {
		if (it.number != GK_OPT_LOCATION_PATH)
			continue;
		if (path.len)
			gk_buf_byte(&path, '/');
		gk_buf_add(&path, it.value);
	}
	must(gk_buf_err(&path), "Location-Path");
	c->node[path.len] = '\0';
}

void raw_take_join_answer(struct raw *c, const struct raw_answer *answer)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KDCCHALLENGE, GK_CBOR_BYTES, false },
	};
	struct gk_cbor_item item;

	if (!answer->protected)
		return;
	if (answer->msg.code == GK_COAP_CREATED || answer->msg.code == GK_COAP_CHANGED)
		take_node(c, &answer->msg);
	else if (gk_coap_find_uint(&answer->msg, GK_OPT_CONTENT_FORMAT, -1) ==
			 GK_CF_ACE_GROUPCOMM &&
		 !gk_cbor_read_map(answer->msg.payload, fields, 1, &item) && item.kind)
		set_challenge(c, item.string);
}
