// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * badclient BUNDLE GROUP CASE
 *
 * A client that knows the protocol and does not keep to it. It posts the bundle's token, joins
 * GROUP as CASE says, and prints a line for each answer: what was asked, the code, and if there is
 * one the Content-Format and the error-id, as in "join 4.00 257 error 3". Exit 0 means that every
 * request had an answer, whichever.
 */
#include "io/addr.h"
#include "io/bundle.h"
#include "io/loop.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/cbor.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/crypto.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/oscore.h"
#include "libgroupkey/scope.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM      1400
#define ANSWER_MS 5000
#define N1        "\x01\x02\x03\x04\x05\x06\x07\x08"
#define N_C       "\x11\x12\x13\x14\x15\x16\x17\x18"
#define ID1       "\x07\x07"
#define KEY_SEED  "badclient badclient badclient ba" /* any 32 bytes below the order of P-256 */

struct client {
	struct gk_env env;
	int fd;
	uint16_t message_id;
	struct io_bundle bundle;
	const char *group;
	struct gk_oscore assoc;
	uint8_t challenge[64];
	size_t challenge_len;
	uint8_t sent[ROOM]; /* the newest protected request */
	size_t sent_len;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "badclient: %s\n", what);
	exit(1);
}

static void must(enum gk_err err, const char *what)
{
	if (err) {
		fprintf(stderr, "badclient: %s: %s\n", what, gk_strerror(err));
		exit(1);
	}
}

/*
 * CoAP over a socket
 */

static void send_message(struct client *c, struct gk_span message)
{
	uint8_t bytes[ROOM];
	struct gk_buf datagram = gk_buf(bytes, sizeof(bytes));

	c->message_id++;
	gk_buf_byte(&datagram, 0x44); // version 1, CON, four bytes of token
	gk_buf_byte(&datagram, message.data[0]);
	for (int i = 0; i < 3; i++) { // the message id, and twice as the token
		gk_buf_byte(&datagram, (uint8_t)(c->message_id >> 8));
		gk_buf_byte(&datagram, (uint8_t)c->message_id);
	}
	gk_buf_add(&datagram, gk_span_sub(message, 1, message.len));
	must(gk_buf_err(&datagram), "request");
	if (send(c->fd, bytes, datagram.len, 0) < 0)
		die(strerror(errno));
}

/* The answer to the newest request: piggybacked, since gatewayd has no other. */
static struct gk_span receive_message(struct client *c, uint8_t bytes[static ROOM])
{
	struct pollfd fd = { .fd = c->fd, .events = POLLIN };
	uint8_t datagram[ROOM];
	ssize_t len;

	do {
		if (poll(&fd, 1, ANSWER_MS) <= 0)
			die("no answer");
		len = recv(c->fd, datagram, sizeof(datagram), 0);
	} while (len < 8 || datagram[0] != 0x64 ||
		 (datagram[2] << 8 | datagram[3]) != c->message_id);
	bytes[0] = datagram[1];
	memcpy(bytes + 1, datagram + 8, (size_t)len - 8);
	return gk_span(bytes, (size_t)len - 7);
}

static void print_error_id(struct gk_span payload)
{
	static const struct gk_cbor_field outer[] = {
		{ GK_PROBLEM_ACE_GROUPCOMM_ERROR, GK_CBOR_MAP, true },
	};
	static const struct gk_cbor_field inner[] = {
		{ GK_PROBLEM_ERROR_ID, GK_CBOR_INT, true },
	};
	struct gk_cbor_item item;

	must(gk_cbor_read_map(payload, outer, 1, &item), "problem details");
	must(gk_cbor_read_map(item.encoded, inner, 1, &item), "problem details");
	printf(" error %d", (int)item.number);
}

/* The parameters in a map of CF 261, by their labels. */
static void print_labels(struct gk_span payload)
{
	struct gk_cbor map = gk_cbor(payload);
	struct gk_cbor_iter it = gk_cbor_map(&map);

	while (gk_cbor_more(&map, &it)) {
		printf(" %d", (int)gk_cbor_int(&map));
		gk_cbor_item(&map, ~0u);
	}
	must(map.err, "map");
}

static void print_answer(const char *what, const struct gk_coap *msg)
{
	int64_t format = gk_coap_find_uint(msg, GK_OPT_CONTENT_FORMAT, -1);

	printf("%s %d.%02d", what, msg->code >> 5, msg->code & 31);
	if (format >= 0)
		printf(" %d", (int)format);
	if (format == GK_CF_PROBLEM_DETAILS)
		print_error_id(msg->payload);
	if (format == GK_CF_ACE_GROUPCOMM && msg->code >= GK_COAP_BAD_REQUEST)
		print_labels(msg->payload);
	putchar('\n');
}

/*
 * The token (RFC 9203 section 4)
 */

static void put_token_post(struct gk_buf *message, const struct client *c)
{
	struct gk_coap_writer w = gk_coap_begin(message, GK_COAP_POST);
	uint8_t bytes[ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	gk_put_map(&payload, 3);
	gk_put_int(&payload, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(&payload, gk_span(c->bundle.token, c->bundle.token_len));
	gk_put_int(&payload, GK_ACE_NONCE1);
	gk_put_bytes(&payload, gk_span(N1, 8));
	gk_put_int(&payload, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(&payload, gk_span(ID1, 2));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("authz-info"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
}

static void derive(struct client *c, struct gk_span n2, struct gk_span id2)
{
	uint8_t bytes[128];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));

	gk_put_bytes(&salt, gk_span(c->bundle.salt, c->bundle.salt_len));
	gk_put_bytes(&salt, gk_span(N1, 8));
	gk_put_bytes(&salt, n2);
	must(gk_oscore_init(&c->assoc,
			    &(struct gk_oscore_input){
				    .alg = GK_ALG_AES_CCM_16_64_128,
				    .hkdf = GK_ALG_HMAC_256,
				    .master_secret = gk_span(c->bundle.ms, c->bundle.ms_len),
				    .master_salt = gk_buf_span(&salt),
				    .sender_id = id2,
				    .recipient_id = gk_span(ID1, 2) }),
	     "association");
}

static void take_token_answer(struct client *c, struct gk_span payload)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_NONCE2, GK_CBOR_BYTES, true },
		{ GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[3];

	must(gk_cbor_read_map(payload, fields, 3, item), "answer to the token");
	derive(c, item[0].string, item[1].string);
	if (item[2].string.len > sizeof(c->challenge))
		die("kdcchallenge is too long");
	memcpy(c->challenge, item[2].string.data, item[2].string.len);
	c->challenge_len = item[2].string.len;
}

static bool post_token(struct client *c)
{
	uint8_t bytes[ROOM], answer[ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_coap msg;

	put_token_post(&message, c);
	send_message(c, gk_buf_span(&message));
	must(gk_coap_parse(receive_message(c, answer), &msg), "answer");
	print_answer("token", &msg);
	if (msg.code != GK_COAP_CREATED)
		return false;
	take_token_answer(c, msg.payload);
	return true;
}

/*
 * The Join Request
 */

static void put_credential(struct gk_buf *payload, const struct client *c, struct gk_span scope,
			   bool wrong)
{
	uint8_t cred[256], input[256], sig[GK_SIG_LEN];
	struct gk_buf ccs = gk_buf(cred, sizeof(cred)), pop = gk_buf(input, sizeof(input));
	struct gk_key_pair key;

	must(gk_key_from_private(GK_CRV_P256, gk_span(KEY_SEED, 32), &key), "key");
	gk_ccs_put(&ccs, gk_span_str("bad"), &key.pub);
	gk_pop_put_client(&pop, scope, gk_span(c->challenge, c->challenge_len), gk_span(N_C, 8));
	must(gk_sign(&key, gk_buf_span(&pop), sig), "signature");
	if (wrong)
		sig[0] ^= 1;
	gk_put_int(payload, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(payload, gk_buf_span(&ccs));
	gk_put_int(payload, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(payload, gk_span(sig, sizeof(sig)));
}

enum flaw { NO_FLAW, WRONG_POP, TOO_MANY_ROLES, TRUNCATED };

static void put_join(struct gk_buf *message, const struct client *c, enum flaw flaw)
{
	struct gk_coap_writer w = gk_coap_begin(message, GK_COAP_POST);
	uint8_t bytes[ROOM], scope_bytes[80];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	uint32_t roles = flaw == TOO_MANY_ROLES ? GK_ROLE_MONITOR : c->bundle.roles[0];

	gk_scope_put(&scope, gk_span_str(c->group), roles);
	gk_put_map(&payload, 4);
	gk_put_int(&payload, GK_PARAM_SCOPE);
	gk_put_bytes(&payload, gk_buf_span(&scope));
	gk_put_int(&payload, GK_PARAM_CNONCE);
	gk_put_bytes(&payload, gk_span(N_C, 8));
	put_credential(&payload, c, gk_buf_span(&scope), flaw == WRONG_POP);
	gk_buf_truncate(&payload, payload.len - (flaw == TRUNCATED ? 1 : 0));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group"));
	gk_coap_put(&w, GK_OPT_URI_PATH, gk_span_str(c->group));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
}

/* An error of OSCORE itself comes unprotected; it is printed with a '!'. */
static void finish_join(struct client *c, const struct gk_oscore_ref *ref)
{
	uint8_t answer[ROOM], bytes[ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_span message = receive_message(c, answer), option;
	struct gk_coap msg;

	must(gk_coap_parse(message, &msg), "answer");
	if (!gk_coap_find(&msg, GK_OPT_OSCORE, &option)) {
		print_answer("join!", &msg);
		return;
	}
	must(gk_oscore_unprotect_response(&c->assoc, ref, message, &plain, NULL), "answer");
	must(gk_coap_parse(gk_buf_span(&plain), &msg), "answer");
	print_answer("join", &msg);
}

static void join(struct client *c, enum flaw flaw)
{
	uint8_t bytes[ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_buf sent = gk_buf(c->sent, sizeof(c->sent));
	struct gk_oscore_ref ref;

	put_join(&message, c, flaw);
	must(gk_oscore_protect_request(&c->assoc, gk_buf_span(&message), &sent, &ref), "request");
	c->sent_len = sent.len;
	send_message(c, gk_buf_span(&sent));
	finish_join(c, &ref);
}

/*
 * Cases
 */

static void plain_join(struct client *c)
{
	if (post_token(c))
		join(c, NO_FLAW);
}

static void wrong_pop(struct client *c)
{
	if (post_token(c))
		join(c, WRONG_POP);
}

static void more_roles(struct client *c)
{
	if (post_token(c))
		join(c, TOO_MANY_ROLES);
}

static void malformed(struct client *c)
{
	if (post_token(c))
		join(c, TRUNCATED);
}

/* The very bytes of a join that was accepted, as another message. */
static void replay(struct client *c)
{
	struct gk_oscore_ref none = { .nonce_used = false };

	if (!post_token(c))
		return;
	join(c, NO_FLAW);
	send_message(c, gk_span(c->sent, c->sent_len));
	finish_join(c, &none);
}

/* The same with a bit of its ciphertext changed, before it was ever accepted. */
static void forgery(struct client *c)
{
	struct gk_buf sent = gk_buf(c->sent, sizeof(c->sent));
	uint8_t bytes[ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;

	if (!post_token(c))
		return;
	put_join(&message, c, NO_FLAW);
	must(gk_oscore_protect_request(&c->assoc, gk_buf_span(&message), &sent, &ref), "request");
	c->sent[sent.len - 1] ^= 1;
	send_message(c, gk_buf_span(&sent));
	finish_join(c, &ref);
}

/* As if there were no association to come from. */
static void unprotected(struct client *c)
{
	struct gk_oscore_ref none = { .nonce_used = false };
	uint8_t bytes[ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	put_join(&message, c, NO_FLAW);
	send_message(c, gk_buf_span(&message));
	finish_join(c, &none);
}

static const struct {
	const char *name;
	void (*run)(struct client *c);
} cases[] = {
	{ "join", plain_join },         { "wrong-pop", wrong_pop }, { "more-roles", more_roles },
	{ "malformed", malformed },     { "replay", replay },       { "forgery", forgery },
	{ "unprotected", unprotected },
};

static void open_client(struct client *c, const char *bundle, const char *group)
{
	char error[IO_BUNDLE_ERROR];
	struct sockaddr_in6 to;
	struct gk_addr kdc;

	*c = (struct client){ .env = io_env(), .group = group, .message_id = 0x1000 };
	must(gk_global_init(&c->env), "wolfSSL");
	if (!io_bundle_read(bundle, &c->bundle, error, sizeof(error)))
		die(error);
	if (!io_addr_parse(c->bundle.kdc, 5683, &kdc))
		die("the KDC's address");
	to = io_addr_to_sockaddr(&kdc);
	c->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die(strerror(errno));
}

int main(int argc, char **argv)
{
	static struct client client;

	for (size_t i = 0; argc == 4 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[3], cases[i].name) != 0)
			continue;
		open_client(&client, argv[1], argv[2]);
		cases[i].run(&client);
		return 0;
	}
	fputs("usage: badclient BUNDLE GROUP CASE, one of:", stderr);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fprintf(stderr, " %s", cases[i].name);
	fputc('\n', stderr);
	return 2;
}
