// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * hostile BUNDLE GROUP SEED PAUSE-MS
 *
 * A client that means harm, until it is ended: act by act, as the seed says, at the KDC of the
 * bundle, whose token grants it GROUP. Most answers it does not wait for. It draws on nothing but
 * the seed for what it does; keys and nonces are fresh. Prints a line for each kind of act at the
 * end: how often it was done.
 */
#include "io/addr.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/raw.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS    300
#define FLOOD      10 /* messages of one act */
#define BLOCK_SIZE 64
#define BLOCK_MORE 0x0a /* number 0, more to come, 64 bytes (RFC 7959 section 2.2) */

static uint64_t state;
static const char *group;
static volatile sig_atomic_t ended;

/* xorshift64*: all that matters is that a seed gives the same again */
static uint32_t draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 33) % below;
}

static void draw_bytes(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)draw(256);
}

static const char *group_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "ace-group/%s", group);
	return path;
}

/* What the network does with it is no concern of ours. */
static void throw(const struct raw *c, const uint8_t *bytes, size_t len)
{
	if (send(c->fd, bytes, len, 0) < 0 && errno == EBADF)
		exit(1);
}

static struct raw_answer answer;

static bool hear(struct raw *c)
{
	return raw_receive(c, &answer, WAIT_MS);
}

/*
 * Datagrams
 */

static void garbage(struct raw *c)
{
	uint8_t bytes[1200];
	size_t len = 1 + draw(sizeof(bytes));

	draw_bytes(bytes, len);
	if (draw(2))
		bytes[0] = (uint8_t)(0x40 | draw(64)); /* of the right version at least */
	throw(c, bytes, len);
}

/* Acknowledgements and resets of what we never got. */
static void forged_ack(struct raw *c)
{
	for (int i = 0; i < FLOOD; i++) {
		uint8_t bytes[4] = { draw(2) ? 0x60 : 0x70, 0 };

		draw_bytes(bytes + 2, 2);
		throw(c, bytes, sizeof(bytes));
	}
}

/* From another port: nobody is sure that we are the same. */
static void another_port(struct raw *c)
{
	struct sockaddr_in6 to;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || getpeername(c->fd, (struct sockaddr *)&to, &len) ||
	    connect(fd, (struct sockaddr *)&to, len))
		exit(1);
	close(c->fd);
	c->fd = fd;
}

/*
 * Requests
 */

static void post_plain(struct raw *c, const char *path, int format, struct gk_span payload)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	raw_put_request(&message, GK_COAP_POST, path, format, payload);
	raw_send(c, gk_buf_span(&message));
}

static void post(struct raw *c, const char *path, struct gk_span payload)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	if (!c->associated)
		return;
	raw_put_request(&message, GK_COAP_POST, path, GK_CF_ACE_GROUPCOMM, payload);
	raw_send_protected(c, gk_buf_span(&message));
}

static void token(struct raw *c)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	raw_put_token(&payload, c);
	post_plain(c, "authz-info", GK_CF_ACE, gk_buf_span(&payload));
	if (hear(c))
		raw_take_token_answer(c, &answer);
}

static void wrong_token(struct raw *c)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct raw copy = *c; /* whose nonces nobody needs */

	raw_put_token(&payload, &copy);
	bytes[draw((uint32_t)payload.len)] ^= (uint8_t)(1 << draw(8));
	post_plain(c, "authz-info", GK_CF_ACE, gk_buf_span(&payload));
}

static void unprotected(struct raw *c)
{
	post_plain(c, group_path(), GK_CF_ACE_GROUPCOMM, gk_span_str("\xa0"));
}

/* Each is answered with a challenge that has to be kept. */
static void empty_joins(struct raw *c)
{
	for (int i = 0; i < FLOOD; i++)
		post(c, group_path(), RAW_NO_PAYLOAD);
}

static void join_with(struct raw *c, const struct raw_flaws *flaws)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));

	if (!c->associated)
		return;
	raw_put_join(&payload, c, group, flaws);
	post(c, group_path(), gk_buf_span(&payload));
	if (hear(c))
		raw_take_join_answer(c, &answer);
}

static void wrong_join(struct raw *c)
{
	const struct raw_flaws flaws = { .scope = draw(8) ? RAW_RIGHT : (enum raw_field)draw(6),
					 .cnonce = draw(8) ? RAW_RIGHT : (enum raw_field)draw(6),
					 .cred = draw(4) ? RAW_RIGHT : (enum raw_field)draw(6),
					 .verify = RAW_WRONG,
					 .map = draw(4) ? RAW_RIGHT : (enum raw_field)draw(6),
					 .roles = draw(4) ? 0 : draw(64) };

	join_with(c, &flaws);
}

static void join(struct raw *c)
{
	const struct raw_flaws none = { .roles = 0 };

	join_with(c, &none);
}

static void leave(struct raw *c)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	if (!c->associated || !c->node[0])
		return;
	raw_put_request(&message, GK_COAP_DELETE, c->node, -1, RAW_NO_PAYLOAD);
	raw_send_protected(c, gk_buf_span(&message));
	c->node[0] = '\0';
}

static void replay(struct raw *c)
{
	for (int i = 0; i < FLOOD && c->sent_len; i++)
		raw_send_again(c);
}

static void forgery(struct raw *c)
{
	uint8_t bytes[64];

	draw_bytes(bytes, sizeof(bytes));
	post(c, group_path(), gk_span(bytes, sizeof(bytes)));
	if (!c->associated)
		return;
	c->sent[draw((uint32_t)c->sent_len)] ^= (uint8_t)(1 << draw(8));
	raw_send_again(c);
}

/*
 * What is begun and never ended
 */

static void put_first_block(struct gk_buf *message, const char *path, int format)
{
	uint8_t payload[BLOCK_SIZE], tag[2];
	struct gk_coap_writer w = gk_coap_begin(message, GK_COAP_POST);

	draw_bytes(payload, sizeof(payload));
	draw_bytes(tag, sizeof(tag));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)format);
	gk_coap_put_uint(&w, GK_OPT_BLOCK1, BLOCK_MORE);
	gk_coap_put(&w, GK_OPT_REQUEST_TAG, gk_span(tag, sizeof(tag)));
	gk_coap_put_payload(&w, gk_span(payload, sizeof(payload)));
}

static void half_token(struct raw *c)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	put_first_block(&message, "authz-info", GK_CF_ACE);
	raw_send(c, gk_buf_span(&message));
}

static void half_join(struct raw *c)
{
	for (int i = 0; i < FLOOD && c->associated; i++) {
		uint8_t bytes[RAW_ROOM];
		struct gk_buf message = gk_buf(bytes, sizeof(bytes));

		put_first_block(&message, group_path(), GK_CF_ACE_GROUPCOMM);
		raw_send_protected(c, gk_buf_span(&message));
	}
}

/* Its notifications find nobody, since the port changes. */
static void observe(struct raw *c)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&message, GK_COAP_GET);

	if (!c->associated)
		return;
	gk_coap_put_uint(&w, GK_OPT_OBSERVE, 0);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(group_path()));
	raw_send_protected(c, gk_buf_span(&message));
}

/*
 * Acts
 */

static struct {
	const char *name;
	void (*act)(struct raw *c);
	uint32_t weight;
	unsigned done;
} acts[] = {
	{ "garbage", garbage, 6, 0 },
	{ "forged_ack", forged_ack, 2, 0 },
	{ "another_port", another_port, 2, 0 },
	{ "token", token, 3, 0 },
	{ "wrong_token", wrong_token, 6, 0 },
	{ "unprotected", unprotected, 3, 0 },
	{ "empty_joins", empty_joins, 2, 0 },
	{ "wrong_join", wrong_join, 6, 0 },
	{ "join", join, 2, 0 },
	{ "leave", leave, 2, 0 },
	{ "replay", replay, 3, 0 },
	{ "forgery", forgery, 4, 0 },
	{ "half_token", half_token, 3, 0 },
	{ "half_join", half_join, 2, 0 },
	{ "observe", observe, 2, 0 },
};

#define ACTS (sizeof(acts) / sizeof(acts[0]))

static void act(struct raw *c)
{
	uint32_t sum = 0, at;
	size_t i = 0;

	for (size_t j = 0; j < ACTS; j++)
		sum += acts[j].weight;
	for (at = draw(sum); at >= acts[i].weight; i++)
		at -= acts[i].weight;
	acts[i].done++;
	acts[i].act(c);
}

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

int main(int argc, char **argv)
{
	static struct raw client;
	struct timespec pause;
	long pause_ms;

	if (argc != 5) {
		fputs("usage: hostile BUNDLE GROUP SEED PAUSE-MS\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	group = argv[2];
	state = strtoull(argv[3], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	pause_ms = strtol(argv[4], NULL, 10);
	pause = (struct timespec){ .tv_sec = pause_ms / 1000,
				   .tv_nsec = pause_ms % 1000 * 1000000 };
	raw_open(&client, argv[1]);
	for (token(&client); !ended; nanosleep(&pause, NULL))
		act(&client);
	for (size_t i = 0; i < ACTS; i++)
		printf("%s %u\n", acts[i].name, acts[i].done);
	return 0;
}
