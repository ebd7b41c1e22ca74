// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * kdcclient BUNDLE COMMAND...
 *
 * A client of the KDC for tests, that does what each COMMAND (one argument) says, and prints a line
 * for each answer: the code, the Content-Format if there is one, and the payload in hex, as in
 * "4.03 257 a100a10000". A '!' before it says that it came unprotected to a request that was
 * protected. "none" is no answer.
 *
 *   token [CF HEX]             post the bundle's token; or this payload
 *   join GROUP [FIELD=HOW...]  join; each FIELD says what is wrong with it, see below
 *   cred [FIELD=HOW...]        a new credential at our node
 *   again                      the newest message once more
 *   forged METHOD PATH ...     a request with a bit changed after it was protected
 *   plain METHOD PATH ...      a request without protection
 *   METHOD PATH [CF [HEX]]     any request, protected: get, post, put, delete, fetch; CF '-' is
 * none
 *
 * In a PATH, '@' is the path of our node. A FIELD is scope, cnonce, cred, verify or map, and HOW is
 * absent, empty, wrong, mistyped or odd (tests/lib/raw.h); or it is roles=NUMBER or name=GROUP.
 */
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/raw.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS   5000
#define WORDS_MAX 8

static _Noreturn void usage(const char *command)
{
	fprintf(stderr, "kdcclient: %s: see the head of tests/tools/kdcclient.c\n", command);
	exit(2);
}

/* What a command is taken apart to. */
struct words {
	char text[RAW_ROOM * 2 + 200];
	const char *word[WORDS_MAX];
	size_t count;
};

static void split(struct words *words, const char *command)
{
	char *rest = words->text;

	if (strlen(command) >= sizeof(words->text))
		usage(command);
	strcpy(words->text, command);
	words->count = 0;
	for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
		if (words->count == WORDS_MAX)
			usage(command);
		words->word[words->count++] = word;
	}
}

/* The word, or "" if there are not as many. */
static const char *word(const struct words *words, size_t index)
{
	return index < words->count ? words->word[index] : "";
}

static struct raw_answer answer;

static void print_answer(struct raw *c, bool protected)
{
	int64_t format;

	if (!raw_receive(c, &answer, WAIT_MS)) {
		puts("none");
		return;
	}
	format = gk_coap_find_uint(&answer.msg, GK_OPT_CONTENT_FORMAT, -1);
	printf("%s%d.%02d", protected && !answer.protected ? "!" : "", answer.msg.code >> 5,
	       answer.msg.code & 31);
	if (format >= 0)
		printf(" %d", (int)format);
	for (size_t i = 0; i < answer.msg.payload.len; i++)
		printf("%s%02x", i ? "" : " ", answer.msg.payload.data[i]);
	putchar('\n');
}

/*
 * Requests
 */

static uint8_t method(const char *name)
{
	static const struct {
		const char *name;
		uint8_t code;
	} methods[] = {
		{ "get", GK_COAP_GET },       { "post", GK_COAP_POST },   { "put", GK_COAP_PUT },
		{ "delete", GK_COAP_DELETE }, { "fetch", GK_COAP_FETCH },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].code;
	}
	usage(name);
}

/* '@' and what follows it. */
static const char *resolve(const struct raw *c, const char *path)
{
	static char full[512];

	if (path[0] != '@')
		return path;
	snprintf(full, sizeof(full), "%s%s", c->node[0] ? c->node : "no-node", path + 1);
	return full;
}

static int content_format(const char *text)
{
	return text[0] == '\0' || text[0] == '-' ? -1 : atoi(text);
}

/* METHOD PATH [CF [HEX]], from this word on. */
static void put_request(struct gk_buf *message, const struct raw *c, const struct words *words,
			size_t from)
{
	uint8_t payload[RAW_ROOM];
	size_t len = hex(word(words, from + 3), payload, sizeof(payload));

	raw_put_request(message, method(word(words, from)), resolve(c, word(words, from + 1)),
			content_format(word(words, from + 2)), gk_span(payload, len));
}

static void request(struct raw *c, const struct words *words)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	put_request(&message, c, words, 0);
	raw_send_protected(c, gk_buf_span(&message));
	print_answer(c, true);
}

static void plain(struct raw *c, const struct words *words)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	put_request(&message, c, words, 1);
	raw_send(c, gk_buf_span(&message));
	print_answer(c, false);
}

/* Nobody ever sees the right one. */
static void forged(struct raw *c, const struct words *words)
{
	uint8_t bytes[RAW_ROOM], sent[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_buf out = gk_buf(sent, sizeof(sent));

	put_request(&message, c, words, 1);
	if (!c->associated ||
	    gk_oscore_protect_request(&c->assoc, gk_buf_span(&message), &out, &c->ref))
		usage("forged");
	sent[out.len - 1] ^= 1;
	raw_send(c, gk_buf_span(&out));
	print_answer(c, true);
}

static void again(struct raw *c, const struct words *words)
{
	(void)words;
	raw_send_again(c);
	print_answer(c, true);
}

/*
 * Token, join, credential
 */

static void token(struct raw *c, const struct words *words)
{
	uint8_t bytes[RAW_ROOM], payload_bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_buf payload = gk_buf(payload_bytes, sizeof(payload_bytes));
	int format = words->count > 1 ? content_format(word(words, 1)) : GK_CF_ACE;

	if (words->count > 1)
		payload.len = hex(word(words, 2), payload_bytes, sizeof(payload_bytes));
	else
		raw_put_token(&payload, c);
	raw_put_request(&message, GK_COAP_POST, "authz-info", format, gk_buf_span(&payload));
	raw_send(c, gk_buf_span(&message));
	print_answer(c, false);
	if (words->count == 1)
		raw_take_token_answer(c, &answer);
}

static enum raw_field read_how(const char *name)
{
	static const char *const names[] = {
		[RAW_RIGHT] = "right", [RAW_ABSENT] = "absent",     [RAW_EMPTY] = "empty",
		[RAW_WRONG] = "wrong", [RAW_MISTYPED] = "mistyped", [RAW_ODD] = "odd",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum raw_field)i;
	}
	usage(name);
}

static void read_flaw(struct raw_flaws *flaws, const char *text)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		{ "scope", offsetof(struct raw_flaws, scope) },
		{ "cnonce", offsetof(struct raw_flaws, cnonce) },
		{ "cred", offsetof(struct raw_flaws, cred) },
		{ "verify", offsetof(struct raw_flaws, verify) },
		{ "map", offsetof(struct raw_flaws, map) },
	};
	size_t len = strcspn(text, "=");
	const char *how = text + len + (text[len] == '=');

	if (strncmp(text, "roles=", 6) == 0)
		flaws->roles = (uint32_t)strtoul(how, NULL, 10);
	else if (strncmp(text, "name=", 5) == 0)
		flaws->name = how;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strlen(fields[i].name) == len && strncmp(text, fields[i].name, len) == 0)
			*(enum raw_field *)((char *)flaws + fields[i].offset) = read_how(how);
	}
}

static struct raw_flaws read_flaws(const struct words *words, size_t from)
{
	struct raw_flaws flaws = { .roles = 0 };

	for (size_t i = from; i < words->count; i++)
		read_flaw(&flaws, words->word[i]);
	return flaws;
}

static void post(struct raw *c, const char *path, struct gk_span payload)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	raw_put_request(&message, GK_COAP_POST, path, GK_CF_ACE_GROUPCOMM, payload);
	raw_send_protected(c, gk_buf_span(&message));
	print_answer(c, true);
}

static void join(struct raw *c, const struct words *words)
{
	struct raw_flaws flaws = read_flaws(words, 2);
	uint8_t bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	char path[128];

	snprintf(path, sizeof(path), "ace-group/%s", word(words, 1));
	raw_put_join(&payload, c, word(words, 1), &flaws);
	post(c, path, gk_buf_span(&payload));
	raw_take_join_answer(c, &answer);
}

static void cred(struct raw *c, const struct words *words)
{
	struct raw_flaws flaws = read_flaws(words, 1);
	uint8_t bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	raw_put_cred(&payload, c, &flaws);
	post(c, resolve(c, "@/cred"), gk_buf_span(&payload));
}

static void run(struct raw *c, const char *command)
{
	static const struct {
		const char *name;
		void (*run)(struct raw *c, const struct words *words);
	} commands[] = {
		{ "token", token }, { "join", join },     { "cred", cred },
		{ "again", again }, { "forged", forged }, { "plain", plain },
	};
	static struct words words;

	split(&words, command);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word(&words, 0), commands[i].name) == 0) {
			commands[i].run(c, &words);
			return;
		}
	}
	request(c, &words);
}

int main(int argc, char **argv)
{
	static struct raw client;

	if (argc < 3)
		usage("BUNDLE COMMAND...");
	raw_open(&client, argv[1]);
	for (int i = 2; i < argc; i++)
		run(&client, argv[i]);
	return 0;
}
