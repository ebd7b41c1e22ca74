// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <cmocka.h>

#include "io/coap.h"
#include "libgroupkey/coap.h"
#include "tests/lib/hex.h"
#include "tests/lib/netns.h"

static bool in_namespace;

/* An endpoint under test, which remembers what it was told */

#define HEARD_MAX   8
#define ANSWERS_MAX 1024

struct end {
	struct io_coap *coap;
	struct gk_addr addr;
	struct io_loop *loop;

	struct gk_span reply; // to each request
	struct heard {
		struct gk_exchange exchange;
		struct gk_span message;
	} heard[HEARD_MAX];
	size_t heard_count;

	struct answer {
		uint64_t id;
		bool sent;
		struct gk_span message;
		int64_t at_ms;
	} answers[ANSWERS_MAX];
	size_t answer_count;

	struct notified {
		uint64_t id;
		bool sent;
		enum gk_notified outcome;
		int64_t at_ms;
	} notified[HEARD_MAX];
	size_t notified_count;

	// what to ask, of whom, from inside the request and the answer callback
	struct gk_span ask;
	struct gk_addr ask_whom;
	uint64_t ask_again; // from inside 'answer', up to this id
};

static const struct gk_addr loopback = { .ip = { [15] = 1 } };

static void ask(struct end *end, uint64_t id, const struct gk_addr *whom, struct gk_span message,
		uint32_t timeout_ms)
{
	assert_int_equal(io_coap_request(end->coap, id, whom, message, timeout_ms, io_now()), 0);
}

static void on_request(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
		       struct gk_buf *reply)
{
	struct end *end = ctx;

	assert_true(end->heard_count < HEARD_MAX);
	end->heard[end->heard_count++] = (struct heard){ *exchange, exact_copy(message) };
	gk_buf_add(reply, end->reply);

	if (end->ask.len > 0)
		ask(end, 1000, &end->ask_whom, end->ask, 3000);
	end->ask.len = 0;
}

static void on_answer(void *ctx, uint64_t id, bool sent, struct gk_span message)
{
	struct end *end = ctx;

	assert_true(end->answer_count < ANSWERS_MAX);
	end->answers[end->answer_count++] =
		(struct answer){ id, sent, exact_copy(message), io_now().mono.ms };

	if (id < end->ask_again)
		ask(end, id + 1, &end->ask_whom, hex_span("01"), 3000);
}

static void on_notified(void *ctx, uint64_t id, bool sent, enum gk_notified outcome)
{
	struct end *end = ctx;

	assert_true(end->notified_count < HEARD_MAX);
	end->notified[end->notified_count++] =
		(struct notified){ id, sent, outcome, io_now().mono.ms };
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
	(void)fd, (void)events;
	io_coap_read(((struct end *)ctx)->coap);
}

static struct end *open_end(struct io_loop *loop, const struct gk_addr *listen)
{
	struct end *end = calloc(1, sizeof(*end));

	assert_non_null(end);
	assert_int_equal(io_coap_open(&end->coap, listen, on_request, on_answer, end), 0);
	io_coap_on_notified(end->coap, on_notified);
	end->addr = *listen;
	end->addr.port = io_coap_port(end->coap);
	end->loop = loop;
	assert_int_equal(io_loop_watch(loop, io_coap_fd(end->coap), EPOLLIN, on_ready, end), 0);
	return end;
}

static void close_end(struct end *end)
{
	io_loop_forget(end->loop, io_coap_fd(end->coap));
	io_coap_close(end->coap);
	free(end);
}

/** A test's world: a loop and two ends. */
struct world {
	struct io_loop *loop;
	struct end *a, *b;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(io_loop_new(&w->loop), 0);
	w->a = open_end(w->loop, &loopback);
	w->b = open_end(w->loop, &loopback);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close_end(w->a);
	close_end(w->b);
	io_loop_free(w->loop);
	free(w);
	return 0;
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

// Turn the loop, as a program does, until *count has reached 'wanted' or the time is over.
static void run(struct world *w, const size_t *count, size_t wanted, int64_t limit_ms)
{
	int64_t end_ms = io_now().mono.ms + limit_ms;

	while (io_now().mono.ms < end_ms && !(count && *count >= wanted)) {
		struct gk_now now = io_now();
		struct gk_mono deadline = { min(min(io_coap_next_expiry(w->a->coap, now).ms,
						    io_coap_next_expiry(w->b->coap, now).ms),
						end_ms) };

		assert_int_equal(io_loop_turn(w->loop, deadline), 0);
		if (io_now().mono.ms >= deadline.ms) {
			io_coap_read(w->a->coap);
			io_coap_read(w->b->coap);
		}
	}
}

/* A peer made of a bare socket */

struct datagram {
	uint8_t bytes[1500];
	size_t len;
	struct sockaddr_in6 from;
};

static int open_raw(struct gk_addr *addr)
{
	struct sockaddr_in6 local = io_addr_to_sockaddr(&loopback);
	socklen_t len = sizeof(local);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &len), 0);
	*addr = io_addr_from_sockaddr(&local);
	return fd;
}

static bool receive_raw(int fd, struct datagram *d)
{
	socklen_t len = sizeof(d->from);
	ssize_t got =
		recvfrom(fd, d->bytes, sizeof(d->bytes), 0, (struct sockaddr *)&d->from, &len);

	d->len = got > 0 ? (size_t)got : 0;
	return got >= 0;
}

static void on_raw(void *ctx, int fd, uint32_t events)
{
	(void)fd, (void)events;
	*(size_t *)ctx = 1;
}

// Run the ends until something has come to 'fd'.
static bool wait_raw(struct world *w, int fd, struct datagram *d, int64_t limit_ms)
{
	size_t ready = 0;

	assert_int_equal(io_loop_watch(w->loop, fd, EPOLLIN, on_raw, &ready), 0);
	run(w, &ready, 1, limit_ms);
	io_loop_forget(w->loop, fd);
	return receive_raw(fd, d);
}

static void send_raw(int fd, const struct gk_addr *to, struct gk_span bytes)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(to);

	assert_int_equal(
		sendto(fd, bytes.data, bytes.len, 0, (struct sockaddr *)&address, sizeof(address)),
		bytes.len);
}

// Answer a request datagram: first byte and code given, message id and token its own.
static void respond_raw(int fd, const struct datagram *request, uint8_t type, const char *message)
{
	uint8_t space[64];
	struct gk_buf buf = gk_buf(space, sizeof(space));
	struct gk_span bytes = gk_span(request->bytes, request->len), rest = hex_span(message);
	struct gk_addr to = io_addr_from_sockaddr(&request->from);
	bool empty = rest.data[0] == 0;
	size_t token_len = empty ? 0 : request->bytes[0] & 0x0f;

	gk_buf_byte(&buf, (uint8_t)(0x40 | type << 4 | token_len));
	gk_buf_byte(&buf, rest.data[0]);
	gk_buf_add(&buf, gk_span_sub(bytes, 2, 2));
	gk_buf_add(&buf, gk_span_sub(bytes, 4, token_len));
	gk_buf_add(&buf, gk_span_sub(rest, 1, rest.len));
	send_raw(fd, &to, gk_buf_span(&buf));
}

enum { CON = 0, NON = 1, ACK = 2, RST = 3 };

/* What passes through */

// 1,100 bytes of payload behind an option.
static struct gk_span large_message(const char *head)
{
	static uint8_t space[1200];
	struct gk_buf buf = gk_buf(space, sizeof(space));

	gk_buf_add(&buf, hex_span(head));
	gk_buf_byte(&buf, 0xff);
	for (unsigned i = 0; i < 1100; i++)
		gk_buf_byte(&buf, (uint8_t)(i % 251));
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	return exact_copy(gk_buf_span(&buf));
}

static void messages_pass_unchanged(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *request, *reply;
		bool large;
	} rows[] = {
		{ "01", "45", false },                                 // GET, nothing else
		{ "01 b6 67726f757073", "45 c1 3c ff 616263", false }, // GET /groups
		{ "02 98 19 14 00 6b01 02 0304 ff aabbccdd", "44 90 ff 0102", false }, // OSCORE
		{ "02 90 ff 01", "44 92 0105 ff 01", false },  // OSCORE, empty both ways
		{ "05 b1 61 11 3c ff 01", "45 ff 01", false }, // FETCH
		{ "03 b1 61 11 3c ff 01", "44", false },       // PUT
		{ "04 b1 61 01 62 01 63", "42", false },       // DELETE of three segments
		{ "06 b1 61 ff 01", "44", false },             // PATCH
		{ "07 b1 61 ff 01", "44", false },             // iPATCH
		{ "01 bb 2e77656c6c2d6b6e6f776e 04 636f7265", "45 ff 3c2f3e",
		  false },                                        // .well-known/core
		{ "01 b0", "84", false },                         // one empty segment
		{ "01 60 51 61", "45 61 07 ff 01", false },       // Observe: register, notification
		{ "02 b1 61 d1 03 0e", "5f d1 0e 0e", false },    // Block1, 2.31
		{ "01 b1 61 c1 12", "45 d1 0a 0a ff 01", false }, // Block2
		{ "02 b1 61 d2 e4 0102 60 d1 15 aa", "81 d8 ef 0102030405060708",
		  false }, // Echo 252, No-Response 258, Request-Tag 292; Echo in 4.01
		{ "02 91 01", "44 91 00", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char row[32];
		struct gk_span request = hex_span(rows[i].request), reply = hex_span(rows[i].reply);

		if (rows[i].large) {
			request = large_message(rows[i].request);
			reply = large_message(rows[i].reply);
		}
		snprintf(row, sizeof(row), "row %zu", i);
		w->b->reply = reply;
		w->a->answer_count = w->b->heard_count = 0;
		ask(w->a, i, &w->b->addr, request, 3000);
		run(w, &w->a->answer_count, 1, 3000);

		if (w->b->heard_count != 1 || !gk_span_equal(w->b->heard[0].message, request))
			fail_msg("%s: heard %s, wanted %s", row, hex_text(w->b->heard[0].message),
				 hex_text(request));
		if (w->a->answer_count != 1 || !gk_span_equal(w->a->answers[0].message, reply))
			fail_msg("%s: answer %s, wanted %s", row,
				 hex_text(w->a->answers[0].message), hex_text(reply));
		assert_int_equal(w->a->answers[0].id, i);
	}
}

// The outer code of a request that observes (RFC 8613 section 4.1.3.5).
static void fetch_passes_under_oscore(void **state)
{
	struct world *w = *state;

	w->b->reply = hex_span("45 61 05 30 ff 01");
	ask(w->a, 1, &w->b->addr, hex_span("05 60 33 090102 ff 01"), 3000);
	run(w, &w->a->answer_count, 1, 3000);
	assert_int_equal(w->a->answer_count, 1);
	if (!io_coap_can_observe()) {
		assert_int_equal(w->b->heard_count, 0);
		assert_int_equal(w->a->answers[0].message.data[0], 0x8f);
		print_message("this libcoap answers FETCH without Content-Format with 4.15; "
			      "Observe under OSCORE cannot work with it; skipped\n");
		skip();
	}
	assert_hex_equal(w->b->heard[0].message, "056033090102ff01");
	assert_hex_equal(w->a->answers[0].message, "45610530ff01");
}

static void unusable_replies_become_5_00(void **state)
{
	struct world *w = *state;
	static const char *const rows[] = {
		"45 ff",    // a marker and nothing behind it
		"45 b5 61", // an option cut short
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		w->b->reply = hex_span(rows[i]);
		w->a->answer_count = w->b->heard_count = 0;
		ask(w->a, i, &w->b->addr, hex_span("01"), 3000);
		run(w, &w->a->answer_count, 1, 3000);
		assert_int_equal(w->a->answer_count, 1);
		assert_true(w->a->answers[0].message.len > 0);
		assert_int_equal(w->a->answers[0].message.data[0], 0xa0);
	}
}

static void too_large_replies_become_5_00(void **state)
{
	struct world *w = *state;
	static uint8_t big[IO_COAP_MESSAGE_MAX + 1] = { 0x45, 0xff };

	for (size_t len = IO_COAP_MESSAGE_MAX; len <= sizeof(big); len++) {
		w->b->reply = gk_span(big, len);
		w->a->answer_count = w->b->heard_count = 0;
		ask(w->a, len, &w->b->addr, hex_span("01"), 3000);
		run(w, &w->a->answer_count, 1, 3000);
		assert_int_equal(w->a->answer_count, 1);
		assert_int_equal(w->a->answers[0].message.data[0],
				 len <= IO_COAP_MESSAGE_MAX ? 0x45 : 0xa0);
	}
}

static void unusable_requests_are_refused(void **state)
{
	struct world *w = *state;
	static uint8_t big[IO_COAP_MESSAGE_MAX + 1] = { 0x02, 0xff };
	static const struct gk_addr no_scope = { .ip = { 0xfe, 0x80, [15] = 1 }, .port = 5683 };
	const struct {
		struct gk_span message;
		const struct gk_addr *peer;
		int err; // 0: whatever libcoap has left of the kernel's
	} rows[] = {
		{ gk_span(big, sizeof(big)), &w->b->addr, -EMSGSIZE },
		{ hex_span("02 ff"), &w->b->addr, -EINVAL },
		{ hex_span(""), &w->b->addr, -EINVAL },
		{ hex_span("02"), &no_scope, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = io_coap_request(w->a->coap, i, rows[i].peer, rows[i].message, 300,
					  io_now());
		if (err >= 0 || (rows[i].err != 0 && err != rows[i].err))
			fail_msg("row %zu: got %d, wanted %d", i, err, rows[i].err);
	}
	run(w, NULL, 0, 400);
	assert_int_equal(w->a->answer_count, 0);

	// The places of the refused are free again: the peer is not taken for busy.
	ask(w->a, 9, &w->b->addr, gk_span(big, sizeof(big) - 1), 3000);
	w->b->reply = hex_span("44");
	run(w, &w->a->answer_count, 1, 3000);
	assert_int_equal(w->a->answer_count, 1);
}

/* Exchanges */

static void both_ends_ask_at_once(void **state)
{
	struct world *w = *state;

	w->a->reply = hex_span("45 ff 61");
	w->b->reply = hex_span("45 ff 62");
	ask(w->a, 1, &w->b->addr, hex_span("01"), 3000);
	ask(w->b, 2, &w->a->addr, hex_span("02"), 3000);
	run(w, &w->a->answer_count, 1, 3000);
	run(w, &w->b->answer_count, 1, 3000);

	assert_hex_equal(w->a->answers[0].message, "45ff62");
	assert_hex_equal(w->b->answers[0].message, "45ff61");
}

static void a_peer_that_is_asked_can_ask(void **state)
{
	struct world *w = *state;

	// 'b' asks back before it has answered, so its request comes to the socket that 'a' opened.
	w->a->reply = hex_span("45 ff 61");
	w->b->reply = hex_span("45 ff 62");
	w->b->ask = hex_span("02 90");
	w->b->ask_whom = w->a->addr;
	ask(w->a, 1, &w->b->addr, hex_span("01"), 3000);
	run(w, &w->b->answer_count, 1, 1500); // less than libcoap takes to send it again
	run(w, &w->a->answer_count, 1, 1500);

	assert_int_equal(w->a->heard_count, 1);
	assert_true(io_addr_equal(&w->a->heard[0].exchange.peer, &w->b->addr));
	assert_int_equal(w->b->answer_count, 1);
	assert_hex_equal(w->b->answers[0].message, "45ff61");
	assert_hex_equal(w->a->answers[0].message, "45ff62");
}

static void a_request_behind_a_response_is_not_lost(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	// Both are in the socket of the request before anything is read, and the first one closes
	// it.
	w->a->reply = hex_span("44");
	ask(w->a, 1, &raw, hex_span("01"), 3000);
	assert_true(wait_raw(w, fd, &d, 500));
	respond_raw(fd, &d, ACK, "45");
	send_raw(fd, &w->a->addr, hex_span("41 02 5678 99 90 ff 01"));
	assert_true(wait_raw(w, fd, &d, 500));
	assert_hex_equal(gk_span(d.bytes, d.len), "6144567899");
	assert_int_equal(w->a->answer_count, 1);
	assert_int_equal(w->a->heard_count, 1);
	assert_true(io_addr_equal(&w->a->heard[0].exchange.peer, &raw));
	close(fd);
}

static void requests_come_from_the_listening_port(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	ask(w->a, 1, &raw, hex_span("01 b161"), 500);
	assert_true(wait_raw(w, fd, &d, 500));
	struct gk_addr from = io_addr_from_sockaddr(&d.from);
	assert_true(io_addr_equal(&from, &w->a->addr));
	assert_int_equal(d.bytes[0] & 0xf0, 0x40); // version 1, confirmable
	close(fd);
}

static void tokens_and_message_ids_are_new(void **state)
{
	struct world *w = *state;
	struct gk_addr raw[8];
	int fd[8];
	struct datagram d[8];

	for (size_t i = 0; i < 8; i++) {
		fd[i] = open_raw(&raw[i]);
		ask(w->a, i, &raw[i], hex_span("01"), 500);
		assert_true(wait_raw(w, fd[i], &d[i], 500));
		assert_int_equal(d[i].bytes[0] & 0x0f, 4);
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(d[i].bytes + 4, d[j].bytes + 4, 4);
			// Counted over all peers: none comes again before 65,536 others.
			uint16_t first = (uint16_t)(d[j].bytes[2] << 8 | d[j].bytes[3]);
			uint16_t id = (uint16_t)(d[i].bytes[2] << 8 | d[i].bytes[3]);
			assert_int_equal((uint16_t)(id - first), i - j);
		}
	}
	for (size_t i = 0; i < 8; i++)
		close(fd[i]);
}

static void duplicates_are_handed_out_again(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram first, second;
	int fd = open_raw(&raw);

	w->b->reply = hex_span("45 ff 62");
	send_raw(fd, &w->b->addr, hex_span("44 02 abcd 01020304 90 ff 99"));
	assert_true(wait_raw(w, fd, &first, 1000));
	send_raw(fd, &w->b->addr, hex_span("44 02 abcd 01020304 90 ff 99"));
	assert_true(wait_raw(w, fd, &second, 1000));

	assert_int_equal(w->b->heard_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct gk_exchange *exchange = &w->b->heard[i].exchange;
		assert_int_equal(exchange->message_id, 0xabcd);
		assert_hex_equal(gk_span(exchange->token, exchange->token_len), "01020304");
		assert_true(io_addr_equal(&exchange->peer, &raw));
		assert_hex_equal(w->b->heard[i].message, "0290ff99");
	}
	assert_int_not_equal(w->b->heard[0].exchange.id, w->b->heard[1].exchange.id);
	assert_hex_equal(gk_span(first.bytes, first.len), "6445abcd01020304ff62");
	assert_hex_equal(gk_span(second.bytes, second.len), "6445abcd01020304ff62");
	close(fd);
}

static void no_reply_is_an_empty_acknowledgement_or_nothing(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	send_raw(fd, &w->b->addr, hex_span("42 01 1234 aaaa")); // CON
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_hex_equal(gk_span(d.bytes, d.len), "60001234");

	send_raw(fd, &w->b->addr, hex_span("52 01 1235 aaaa")); // NON
	assert_false(wait_raw(w, fd, &d, 200));
	assert_int_equal(w->b->heard_count, 2);
	close(fd);
}

static void separate_responses_are_taken(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram request, d;
	int fd = open_raw(&raw);

	for (uint8_t type = CON; type <= NON; type++) {
		w->a->answer_count = 0;
		ask(w->a, type, &raw, hex_span("01"), 3000);
		assert_true(wait_raw(w, fd, &request, 1000));
		respond_raw(fd, &request, ACK, "00");
		run(w, NULL, 0, 50);
		assert_int_equal(w->a->answer_count, 0);

		d = request;
		d.bytes[3] ^= 0x80; // its own message id
		respond_raw(fd, &d, type, "45 ff 73");
		run(w, &w->a->answer_count, 1, 1000);
		assert_int_equal(w->a->answer_count, 1);
		assert_hex_equal(w->a->answers[0].message, "45ff73");

		// A confirmable one is acknowledged, the other not.
		assert_int_equal(wait_raw(w, fd, &d, 100), type == CON);
		if (type == CON)
			assert_int_equal(d.bytes[0] << 8 | d.bytes[1], 0x6000);
	}
	close(fd);
}

static void only_the_peer_asked_can_answer(void **state)
{
	struct world *w = *state;
	struct gk_addr raw, stranger;
	struct datagram request;
	int fd = open_raw(&raw), other = open_raw(&stranger);

	ask(w->a, 1, &raw, hex_span("01"), 3000);
	assert_true(wait_raw(w, fd, &request, 1000));
	respond_raw(other, &request, NON, "45 ff 66");
	run(w, NULL, 0, 100);
	assert_int_equal(w->a->answer_count, 0);

	request.bytes[4] ^= 1; // the right peer, another token
	respond_raw(fd, &request, NON, "45 ff 66");
	run(w, NULL, 0, 100);
	assert_int_equal(w->a->answer_count, 0);

	request.bytes[4] ^= 1;
	respond_raw(fd, &request, NON, "45 ff 67");
	run(w, &w->a->answer_count, 1, 1000);
	assert_int_equal(w->a->answer_count, 1);
	assert_hex_equal(w->a->answers[0].message, "45ff67");
	close(fd);
	close(other);
}

static void unexpected_responses_are_reset_unless_acknowledging(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	send_raw(fd, &w->a->addr, hex_span("41 45 1111 99 ff 01"));
	assert_true(wait_raw(w, fd, &d, 500));
	assert_hex_equal(gk_span(d.bytes, d.len), "70001111");
	send_raw(fd, &w->a->addr, hex_span("61 45 1112 99 ff 01"));
	assert_false(wait_raw(w, fd, &d, 100));
	assert_int_equal(w->a->answer_count, 0);
	close(fd);
}

static void one_thing_at_a_time_is_asked_of_a_peer(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d, more;
	int fd = open_raw(&raw);

	for (uint64_t id = 1; id <= 3; id++) {
		uint8_t message[] = { 0x02, 0xff, (uint8_t)id };
		ask(w->a, id, &raw, gk_span(message, sizeof(message)), 3000);
	}

	for (uint64_t id = 1; id <= 3; id++) {
		assert_true(wait_raw(w, fd, &d, 500));
		assert_int_equal(d.bytes[d.len - 1], id);
		assert_false(wait_raw(w, fd, &more, 100));
		respond_raw(fd, &d, ACK, "44");
		run(w, &w->a->answer_count, id, 500);
		assert_int_equal(w->a->answer_count, id);
		assert_int_equal(w->a->answers[id - 1].id, id);
	}
	close(fd);
}

static void who_waits_too_long_gets_no_answer(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	ask(w->a, 1, &raw, hex_span("01"), 600);
	ask(w->a, 2, &raw, hex_span("02"), 200);
	ask(w->a, 3, &raw, hex_span("03"), 1500);
	assert_true(wait_raw(w, fd, &d, 500));
	assert_int_equal(d.bytes[1], 1);

	run(w, &w->a->answer_count, 2, 1000);
	assert_int_equal(w->a->answer_count, 2);
	assert_int_equal(w->a->answers[0].id, 2);
	assert_int_equal(w->a->answers[0].message.len, 0);
	assert_false(w->a->answers[0].sent);
	assert_int_equal(w->a->answers[1].id, 1);
	assert_true(w->a->answers[1].sent);

	// The second was never sent; it is the third's turn.
	assert_true(wait_raw(w, fd, &d, 500));
	assert_int_equal(d.bytes[1], 3);
	respond_raw(fd, &d, ACK, "44");
	run(w, &w->a->answer_count, 3, 500);
	assert_hex_equal(w->a->answers[2].message, "44");
	assert_true(w->a->answers[2].sent);
	close(fd);
}

static void who_cannot_be_asked_in_its_turn_is_told_apart_from_the_silent(void **state)
{
	struct world *w = *state;
	struct gk_addr far = { .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .port = 5683 };
	struct end *any = open_end(w->loop, &(struct gk_addr){ .port = 0 });

	if (!in_namespace || system("ip -6 route add 2001:db8::/64 dev lo") != 0) {
		print_message("no namespace, skipped\n");
		close_end(any);
		skip();
	}
	close_end(w->a);
	w->a = any;
	ask(any, 1, &far, hex_span("01"), 200);
	ask(any, 2, &far, hex_span("02"), 2000);
	assert_int_equal(system("ip -6 route add prohibit 2001:db8::/64 metric 1"), 0);
	run(w, &any->answer_count, 2, 1000);

	assert_int_equal(any->answer_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(any->answers[i].id, i + 1);
		assert_int_equal(any->answers[i].message.len, 0);
		assert_int_equal(any->answers[i].sent, i == 0);
	}
	assert_int_equal(io_coap_request(any->coap, 3, &far, hex_span("03"), 200, io_now()),
			 -EACCES);
}

static void an_answer_may_lead_to_the_next_question(void **state)
{
	struct world *w = *state;

	// More in a row than the table holds: places and sockets are used again.
	w->b->reply = hex_span("45");
	w->a->ask_whom = w->b->addr;
	w->a->ask_again = 600;
	ask(w->a, 1, &w->b->addr, hex_span("01"), 3000);
	for (size_t i = 1; i <= 600; i++) {
		run(w, &w->a->answer_count, i, 3000);
		assert_int_equal(w->a->answers[i - 1].id, i);
		assert_hex_equal(w->a->answers[i - 1].message, "45");
		w->b->heard_count = 0;
	}
	assert_int_equal(w->a->answer_count, 600);
}

/* Loss and time */

static void lost_requests_are_sent_again(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	struct datagram lost, again;
	int fd = open_raw(&raw);

	ask(w->a, 1, &raw, hex_span("05 90 ff 7071"), 2500);
	assert_true(wait_raw(w, fd, &lost, 500));
	assert_true(wait_raw(w, fd, &again, 2000));
	assert_int_equal(lost.len, again.len);
	assert_memory_equal(lost.bytes, again.bytes, lost.len);

	respond_raw(fd, &again, ACK, "44 90 ff 01");
	run(w, &w->a->answer_count, 1, 500);
	assert_int_equal(w->a->answer_count, 1);
	assert_hex_equal(w->a->answers[0].message, "4490ff01");

	// And never again after that.
	assert_false(wait_raw(w, fd, &again, 1200));
	assert_int_equal(w->a->answer_count, 1);
	close(fd);
}

// When the kernel had it, however late we look; the first question makes it take notes.
static int64_t arrived_ms(int fd)
{
	struct timeval at;

	if (ioctl(fd, SIOCGSTAMP, &at) != 0)
		assert_int_equal(gettimeofday(&at, NULL), 0);
	return at.tv_sec * INT64_C(1000) + at.tv_usec / 1000;
}

// A request to a peer that never answers: 'datagrams' are it and its retransmissions, after at
// least these pauses.
struct silence {
	uint32_t timeout_ms;
	size_t datagrams;
	int64_t pauses_ms[2];
};

static void ask_the_silent(struct world *w, const struct silence *rows, size_t count)
{
	struct {
		int fd;
		struct gk_addr addr;
		size_t datagrams;
		int64_t last_ms;
	} peers[8] = { 0 };
	int64_t start_ms = io_now().mono.ms, longest_ms = 0;
	struct datagram d;

	assert_true(count <= 8);
	w->a->answer_count = 0;
	for (size_t i = 0; i < count; i++) {
		peers[i].fd = open_raw(&peers[i].addr);
		(void)arrived_ms(peers[i].fd);
		ask(w->a, i, &peers[i].addr, hex_span("01"), rows[i].timeout_ms);
		longest_ms = -min(-longest_ms, -(int64_t)rows[i].timeout_ms);
	}

	while (io_now().mono.ms - start_ms < longest_ms + 200) {
		run(w, NULL, 0, 5);
		for (size_t i = 0; i < count; i++) {
			size_t datagrams = peers[i].datagrams;
			int64_t pause_ms;

			if (!receive_raw(peers[i].fd, &d))
				continue;
			pause_ms = arrived_ms(peers[i].fd) - peers[i].last_ms;
			if (datagrams > 0 && datagrams < 3 &&
			    pause_ms < rows[i].pauses_ms[datagrams - 1])
				fail_msg("%u ms: again after %d ms", rows[i].timeout_ms,
					 (int)pause_ms);
			peers[i].datagrams++;
			peers[i].last_ms += pause_ms;
		}
	}

	assert_int_equal(w->a->answer_count, count);
	for (size_t i = 0; i < count; i++) {
		int64_t took_ms = w->a->answers[i].at_ms - start_ms;
		uint32_t limit_ms = rows[i].timeout_ms;

		assert_int_equal(w->a->answers[i].id, i);
		assert_int_equal(w->a->answers[i].message.len, 0);
		if (took_ms < limit_ms || took_ms > limit_ms + limit_ms / 5 + 20)
			fail_msg("%u ms took %d", limit_ms, (int)took_ms);
		if (peers[i].datagrams != rows[i].datagrams)
			fail_msg("%u ms: %zu datagrams, wanted %zu", limit_ms, peers[i].datagrams,
				 rows[i].datagrams);
		close(peers[i].fd);
	}
}

static void silent_peers_give_one_empty_answer_in_time(void **state)
{
	static const struct silence rows[] = {
		{ 3200, 2, { 990 } },
		{ 5000, 2, { 1230 } },
		{ 9500, 3, { 990, 1980 } },
	};

	ask_the_silent(*state, rows, sizeof(rows) / sizeof(rows[0]));
}

static void short_times_have_place_for_one_retransmission(void **state)
{
	static const struct silence rows[] = {
		{ 0, 1, { 0 } },
		{ 500, 1, { 0 } },
		{ 1500, 2, { 990 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask_the_silent(*state, &rows[i], 1);
}

static void resets_and_icmp_errors_end_nothing(void **state)
{
	struct world *w = *state;
	struct gk_addr raw, closed;
	struct datagram d;
	int fd = open_raw(&raw), gone = open_raw(&closed);

	// A port without a socket: the kernel sends ICMP errors.
	close(gone);
	ask(w->a, 1, &closed, hex_span("01"), 1300);
	ask(w->a, 2, &raw, hex_span("01"), 1300);
	assert_true(wait_raw(w, fd, &d, 500));
	respond_raw(fd, &d, RST, "00");
	run(w, NULL, 0, 200);
	assert_int_equal(w->a->answer_count, 0);

	respond_raw(fd, &d, ACK, "45 ff 6f6b");
	run(w, &w->a->answer_count, 1, 500);
	assert_int_equal(w->a->answers[0].id, 2);
	assert_hex_equal(w->a->answers[0].message, "45ff6f6b");

	run(w, &w->a->answer_count, 2, 2000);
	assert_int_equal(w->a->answer_count, 2);
	assert_int_equal(w->a->answers[1].id, 1);
	assert_int_equal(w->a->answers[1].message.len, 0);
	close(fd);
}

static void a_full_table_refuses(void **state)
{
	struct world *w = *state;
	bool answered[300] = { false };
	int err;

	for (unsigned id = 0; id < 300; id++) {
		// Ports nobody listens on, or somebody who does not answer.
		struct gk_addr peer = { .ip = { [15] = 1 }, .port = (uint16_t)(1000 + id) };
		err = io_coap_request(w->a->coap, id, &peer, hex_span("01"), 700, io_now());
		assert_int_equal(err, id < IO_COAP_REQUESTS_MAX ? 0 : -ENOBUFS);
	}

	run(w, &w->a->answer_count, IO_COAP_REQUESTS_MAX, 3000);
	run(w, NULL, 0, 100);
	assert_int_equal(w->a->answer_count, IO_COAP_REQUESTS_MAX);
	for (size_t i = 0; i < w->a->answer_count; i++) {
		assert_int_equal(w->a->answers[i].message.len, 0);
		assert_false(answered[w->a->answers[i].id]);
		answered[w->a->answers[i].id] = true;
	}

	w->b->reply = hex_span("45");
	ask(w->a, 1, &w->b->addr, hex_span("01"), 3000);
	run(w, &w->a->answer_count, IO_COAP_REQUESTS_MAX + 1, 3000);
	assert_int_equal(w->a->answer_count, IO_COAP_REQUESTS_MAX + 1);
}

static void closing_forgets_what_is_under_way(void **state)
{
	struct world *w = *state;
	struct end *c = open_end(w->loop, &loopback);
	struct gk_addr raw;
	struct datagram d;
	int fd = open_raw(&raw);

	// One sent, one waiting, one answered and about to be closed.
	ask(c, 1, &raw, hex_span("01"), 5000);
	ask(c, 2, &raw, hex_span("01"), 5000);
	assert_true(wait_raw(w, fd, &d, 500));
	close_end(c);
	assert_false(wait_raw(w, fd, &d, 100));
	close(fd);
}

static void what_is_given_up_was_never_sent(void **state)
{
	struct world *w = *state;
	struct gk_addr raw;
	int fd = open_raw(&raw);

	ask(w->a, 1, &raw, hex_span("01"), 3000);
	ask(w->a, 2, &raw, hex_span("02"), 3000);
	io_coap_give_up(w->a->coap);
	assert_int_equal(w->a->answer_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(w->a->answers[i].id, i + 1);
		assert_false(w->a->answers[i].sent);
		assert_int_equal(w->a->answers[i].message.len, 0);
	}
	run(w, NULL, 0, 100);
	assert_int_equal(w->a->answer_count, 2);
	close(fd);
}

static void idle_means_no_expiry(void **state)
{
	struct world *w = *state;

	assert_int_equal(io_coap_next_expiry(w->a->coap, io_now()).ms, GK_NEVER);
	w->b->reply = hex_span("45");
	ask(w->a, 1, &w->b->addr, hex_span("01"), 3000);
	assert_true(io_coap_next_expiry(w->a->coap, io_now()).ms <= io_now().mono.ms + 3000);
	run(w, &w->a->answer_count, 1, 3000);
	assert_int_equal(io_coap_next_expiry(w->a->coap, io_now()).ms, GK_NEVER);
	// 'b' still has a session for 'a', for a bounded time.
	assert_true(io_coap_next_expiry(w->b->coap, io_now()).ms <= io_now().mono.ms + 60000);
}

/* Addresses */

static void taken_or_foreign_addresses_are_errors(void **state)
{
	struct world *w = *state;
	struct gk_addr taken = w->a->addr, foreign = { .ip = { 0x20, 0x01, 0x0d, 0xb8 } };
	struct io_coap *coap = NULL;

	assert_int_not_equal(w->a->addr.port, 0);
	assert_int_equal(io_coap_open(&coap, &taken, on_request, on_answer, NULL), -EADDRINUSE);
	taken = (struct gk_addr){ .port = w->a->addr.port }; // [::] with the port of [::1]
	assert_int_equal(io_coap_open(&coap, &taken, on_request, on_answer, NULL), -EADDRINUSE);
	assert_int_equal(io_coap_open(&coap, &foreign, on_request, on_answer, NULL),
			 -EADDRNOTAVAIL);
	assert_null(coap);
}

static bool is_reached(struct world *w, const struct gk_addr *whom)
{
	size_t before = w->b->answer_count;

	ask(w->b, before + 1, whom, hex_span("01"), 1000);
	run(w, &w->b->answer_count, before + 1, 2000);
	return w->b->answers[before].message.len > 0;
}

// An endpoint on 'listen' in the place of w->a, opened while that is there.
static void replace_a(struct world *w, const struct gk_addr *listen)
{
	struct end *new = calloc(1, sizeof(*new));

	assert_non_null(new);
	new->addr = w->a->addr;
	new->loop = w->loop;
	new->reply = hex_span("45");
	assert_int_equal(
		io_coap_open_beside(&new->coap, w->a->coap, listen, on_request, on_answer, new), 0);
	assert_int_equal(io_coap_port(new->coap), w->a->addr.port);
	assert_int_equal(io_loop_watch(w->loop, io_coap_fd(new->coap), EPOLLIN, on_ready, new), 0);
	close_end(w->a);
	w->a = new;
}

static void one_that_is_about_to_close_is_no_obstacle(void **state)
{
	struct world *w = *state;
	const struct gk_addr whom = w->a->addr;
	const struct gk_addr one = { .ip = { [15] = 1 }, .port = whom.port };
	const struct gk_addr any = { .port = whom.port };
	const struct gk_addr *const order[] = { &one, &any, &any, &one };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		replace_a(w, order[i]);
		assert_true(is_reached(w, &whom));
	}
}

static void others_on_the_port_are_obstacles_all_the_same(void **state)
{
	struct world *w = *state;
	struct gk_addr port_of_b = w->b->addr, any = { .port = w->b->addr.port };
	struct io_coap *coap = NULL;

	// Another port than that of 'a', which is to close.
	assert_int_equal(
		io_coap_open_beside(&coap, w->a->coap, &port_of_b, on_request, on_answer, NULL),
		-EADDRINUSE);
	assert_int_equal(io_coap_open_beside(&coap, w->a->coap, &any, on_request, on_answer, NULL),
			 -EADDRINUSE);
	assert_null(coap);
}

static void the_same_port_of_another_address_has_to_be_free(void **state)
{
	struct world *w = *state;
	struct gk_addr left;
	struct io_coap *old, *theirs, *coap = NULL;

	if (!in_namespace || !netns_veth("left2", "right2") || !netns_link_local("left2", &left)) {
		print_message("the_same_port_of_another_address_has_to_be_free: skipped\n");
		return;
	}
	assert_int_equal(io_coap_open(&theirs, &left, on_request, on_answer, NULL), 0);
	left.port = io_coap_port(theirs);
	struct gk_addr one = { .ip = { [15] = 1 }, .port = left.port };
	assert_int_equal(io_coap_open(&old, &one, on_request, on_answer, NULL), 0);
	assert_int_equal(io_coap_open_beside(&coap, old, &left, on_request, on_answer, NULL),
			 -EADDRINUSE);
	io_coap_close(theirs);
	assert_int_equal(io_coap_open_beside(&coap, old, &left, on_request, on_answer, NULL), 0);
	io_coap_close(coap);
	io_coap_close(old);
	(void)w;
}

static void a_group_on_the_same_port_is_no_obstacle(void **state)
{
	struct sockaddr_in6 group = { .sin6_family = AF_INET6, .sin6_port = htons(45683) };
	struct gk_addr any = { .port = 45683 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	struct io_coap *coap;

	(void)state;
	group.sin6_addr.s6_addr[0] = 0xff;
	group.sin6_addr.s6_addr[1] = 0x05;
	group.sin6_addr.s6_addr[15] = 0xfd;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&group, sizeof(group)), 0);
	assert_int_equal(io_coap_open(&coap, &any, on_request, on_answer, NULL), 0);
	assert_int_equal(io_coap_port(coap), 45683);
	io_coap_close(coap);
	close(fd);
}

static void any_address_works_as_well(void **state)
{
	struct world *w = *state;
	struct end *any = open_end(w->loop, &(struct gk_addr){ .port = 0 });
	struct gk_addr whom = loopback;

	whom.port = any->addr.port;
	any->reply = hex_span("45");
	ask(w->a, 1, &whom, hex_span("01"), 2000);
	run(w, &w->a->answer_count, 1, 2000);
	assert_hex_equal(w->a->answers[0].message, "45");
	close_end(any);
}

static void link_local_peers_keep_their_scope(void **state)
{
	struct world *w = *state;
	struct gk_addr left, right;
	struct end *end;

	if (!in_namespace || !netns_veth("left", "right")) {
		print_message("link_local_peers_keep_their_scope: no namespace, skipped\n");
		skip();
	}
	assert_true(netns_link_local("left", &left));
	assert_true(netns_link_local("right", &right));

	// To an address of our own the kernel goes by 'lo', but the scope is the interface's.
	end = open_end(w->loop, &left);
	close_end(w->a);
	w->a = open_end(w->loop, &(struct gk_addr){ .port = 0 });
	end->reply = hex_span("45");
	ask(w->a, 1, &end->addr, hex_span("01"), 2000);
	run(w, &w->a->answer_count, 1, 2000);

	assert_int_equal(w->a->answer_count, 1);
	assert_hex_equal(w->a->answers[0].message, "45");
	assert_int_equal(end->heard_count, 1);
	assert_int_equal(end->heard[0].exchange.peer.scope, left.scope);
	assert_int_equal(end->heard[0].exchange.peer.port, w->a->addr.port);

	// And back to where it came from.
	w->a->reply = hex_span("44");
	ask(end, 2, &end->heard[0].exchange.peer, hex_span("02"), 2000);
	run(w, &end->answer_count, 1, 2000);
	assert_hex_equal(end->answers[0].message, "44");
	close_end(end);
}

/* Notifications (RFC 7641) */

static void notify(struct world *w, uint64_t id, const struct gk_addr *whom, uint32_t timeout_ms)
{
	assert_int_equal(io_coap_notify(w->a->coap, id, whom, hex_span("aabbcc"),
					hex_span("45 61 05 ff 01"), timeout_ms, io_now()),
			 0);
}

static void assert_notified(const struct world *w, uint64_t id, enum gk_notified outcome)
{
	assert_int_equal(w->a->notified_count, 1);
	assert_int_equal(w->a->notified[0].id, id);
	assert_true(w->a->notified[0].sent);
	assert_int_equal(w->a->notified[0].outcome, outcome);
	assert_int_equal(w->a->answer_count, 0);
}

static void notifications_are_confirmable_responses_from_the_listening_port(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	notify(w, 7, &peer, 3000);
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_int_equal(d.bytes[0], 0x43); // confirmable, a token of 3 bytes
	assert_int_equal(d.bytes[1], 0x45);
	assert_hex_equal(gk_span(d.bytes + 4, d.len - 4), "aabbcc6105ff01");
	assert_int_equal(ntohs(d.from.sin6_port), w->a->addr.port);
	close(fd);
}

static void an_acknowledgement_is_told_at_once(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	notify(w, 7, &peer, 5000);
	assert_true(wait_raw(w, fd, &d, 1000));
	run(w, NULL, 0, 50);
	assert_int_equal(w->a->notified_count, 0);
	respond_raw(fd, &d, ACK, "00");
	run(w, &w->a->notified_count, 1, 1000);
	assert_notified(w, 7, GK_NOTIFIED_ACK);
	assert_false(wait_raw(w, fd, &d, 100));
	close(fd);
}

static void a_reset_of_a_notification_is_told(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	notify(w, 7, &peer, 5000);
	assert_true(wait_raw(w, fd, &d, 1000));
	respond_raw(fd, &d, RST, "00");
	run(w, &w->a->notified_count, 1, 1000);
	assert_notified(w, 7, GK_NOTIFIED_RESET);
	close(fd);
}

static void another_message_id_acknowledges_nothing(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	notify(w, 7, &peer, 3000);
	assert_true(wait_raw(w, fd, &d, 1000));
	d.bytes[3] ^= 1;
	respond_raw(fd, &d, ACK, "00");
	respond_raw(fd, &d, RST, "00");
	run(w, &w->a->notified_count, 1, 300);
	assert_int_equal(w->a->notified_count, 0);
	close(fd);
}

static void what_nobody_acknowledges_is_sent_again_and_then_given_up(void **state)
{
	struct world *w = *state;
	struct datagram first, again;
	struct gk_addr peer;
	int fd = open_raw(&peer);
	int64_t begun_ms = io_now().mono.ms;

	// libcoap gives up by itself before this time is over
	notify(w, 7, &peer, 5000);
	assert_true(wait_raw(w, fd, &first, 1000));
	assert_true(wait_raw(w, fd, &again, 2500));
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, first.len);
	run(w, &w->a->notified_count, 1, 6000);
	assert_notified(w, 7, GK_NOTIFIED_NOT);
	assert_true(w->a->notified[0].at_ms - begun_ms >= 5000);
	close(fd);
}

static void an_icmp_error_is_no_acknowledgement(void **state)
{
	struct world *w = *state;
	struct gk_addr nobody;

	close(open_raw(&nobody));
	notify(w, 7, &nobody, 1500);
	run(w, &w->a->notified_count, 1, 700);
	assert_int_equal(w->a->notified_count, 0);
	run(w, &w->a->notified_count, 1, 3000);
	assert_notified(w, 7, GK_NOTIFIED_NOT);
}

static void requests_and_notifications_to_a_peer_take_turns(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	notify(w, 7, &peer, 5000);
	ask(w->a, 8, &peer, hex_span("01"), 5000);
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_int_equal(d.bytes[1], 0x45);
	assert_false(wait_raw(w, fd, &(struct datagram){ .len = 0 }, 200));
	respond_raw(fd, &d, ACK, "00");
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_int_equal(d.bytes[1], 0x01);
	notify(w, 9, &peer, 5000);
	respond_raw(fd, &d, ACK, "45");
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_int_equal(d.bytes[1], 0x45);
	assert_int_equal(w->a->answer_count, 1);
	close(fd);
}

static void who_is_notified_is_answered_meanwhile(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	struct datagram d;
	int fd = open_raw(&peer);

	w->a->reply = hex_span("45 ff 02");
	notify(w, 7, &peer, 5000);
	assert_true(wait_raw(w, fd, &d, 1000));
	send_raw(fd, &w->a->addr, hex_span("41 01 1234 77"));
	assert_true(wait_raw(w, fd, &d, 1000));
	assert_hex_equal(gk_span(d.bytes, d.len), "6145123477ff02");
	assert_int_equal(w->a->heard_count, 1);
	assert_int_equal(w->a->notified_count, 0);
	close(fd);
}

static void a_token_too_long_for_a_notification_is_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(io_coap_notify(w->a->coap, 1, &w->b->addr, hex_span("010203040506070809"),
					hex_span("45"), 1000, io_now()),
			 -EINVAL);
}

/* Observing */

// Ask 'fd', and have it answer.
static struct datagram observe_raw(struct world *w, int fd, const struct gk_addr *peer,
				   const char *answer)
{
	struct datagram d;

	assert_int_equal(io_coap_observe(w->a->coap, 7, peer, hex_span("01 60"), 3000, io_now()),
			 0);
	assert_true(wait_raw(w, fd, &d, 1000));
	respond_raw(fd, &d, ACK, answer);
	run(w, &w->a->answer_count, 1, 1000);
	assert_int_equal(w->a->answer_count, 1);
	return d;
}

// One more answer to 'd', confirmable. @return the type of what comes back
static int notify_raw(struct world *w, int fd, struct datagram d, uint8_t message_id)
{
	struct datagram back;

	d.bytes[3] ^= message_id;
	d.from = io_addr_to_sockaddr(&w->a->addr);
	respond_raw(fd, &d, CON, "45 61 06 ff 02");
	assert_true(wait_raw(w, fd, &back, 1000));
	assert_int_equal(back.len, 4);
	assert_int_equal(back.bytes[3], d.bytes[3]);
	return back.bytes[0] >> 4 & 3;
}

static void further_answers_to_what_is_observed_are_taken_until_it_is_cancelled(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	int fd = open_raw(&peer);
	struct datagram d = observe_raw(w, fd, &peer, "45 61 05 ff 01");

	assert_int_equal(notify_raw(w, fd, d, 0x10), ACK);
	assert_int_equal(notify_raw(w, fd, d, 0x20), ACK);
	assert_int_equal(w->a->answer_count, 3);
	assert_int_equal(w->a->answers[2].id, 7);
	assert_hex_equal(w->a->answers[2].message, "456106ff02");
	io_coap_cancel(w->a->coap, 7);
	assert_int_equal(notify_raw(w, fd, d, 0x30), RST);
	assert_int_equal(w->a->answer_count, 3);
	close(fd);
}

static void without_observe_in_the_answer_nothing_more_is_taken(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	int fd = open_raw(&peer);
	struct datagram d = observe_raw(w, fd, &peer, "45 ff 01");

	assert_int_equal(notify_raw(w, fd, d, 0x10), RST);
	assert_int_equal(w->a->answer_count, 1);
	close(fd);
}

static void who_is_observed_can_be_asked(void **state)
{
	struct world *w = *state;
	struct gk_addr peer;
	int fd = open_raw(&peer);
	struct datagram d = observe_raw(w, fd, &peer, "45 61 05 ff 01");

	ask(w->a, 8, &peer, hex_span("01"), 3000);
	assert_true(wait_raw(w, fd, &d, 1000));
	respond_raw(fd, &d, ACK, "44");
	run(w, &w->a->answer_count, 2, 1000);
	assert_int_equal(w->a->answers[1].id, 8);
	assert_int_equal(io_coap_next_expiry(w->a->coap, io_now()).ms >= io_now().mono.ms + 1000,
			 true);
	close(fd);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(messages_pass_unchanged),
		IN_A_WORLD(fetch_passes_under_oscore),
		IN_A_WORLD(unusable_replies_become_5_00),
		IN_A_WORLD(too_large_replies_become_5_00),
		IN_A_WORLD(unusable_requests_are_refused),
		IN_A_WORLD(both_ends_ask_at_once),
		IN_A_WORLD(a_peer_that_is_asked_can_ask),
		IN_A_WORLD(a_request_behind_a_response_is_not_lost),
		IN_A_WORLD(requests_come_from_the_listening_port),
		IN_A_WORLD(tokens_and_message_ids_are_new),
		IN_A_WORLD(duplicates_are_handed_out_again),
		IN_A_WORLD(no_reply_is_an_empty_acknowledgement_or_nothing),
		IN_A_WORLD(separate_responses_are_taken),
		IN_A_WORLD(only_the_peer_asked_can_answer),
		IN_A_WORLD(unexpected_responses_are_reset_unless_acknowledging),
		IN_A_WORLD(one_thing_at_a_time_is_asked_of_a_peer),
		IN_A_WORLD(who_waits_too_long_gets_no_answer),
		IN_A_WORLD(who_cannot_be_asked_in_its_turn_is_told_apart_from_the_silent),
		IN_A_WORLD(an_answer_may_lead_to_the_next_question),
		IN_A_WORLD(lost_requests_are_sent_again),
		IN_A_WORLD(silent_peers_give_one_empty_answer_in_time),
		IN_A_WORLD(short_times_have_place_for_one_retransmission),
		IN_A_WORLD(resets_and_icmp_errors_end_nothing),
		IN_A_WORLD(a_full_table_refuses),
		IN_A_WORLD(closing_forgets_what_is_under_way),
		IN_A_WORLD(what_is_given_up_was_never_sent),
		IN_A_WORLD(idle_means_no_expiry),
		IN_A_WORLD(taken_or_foreign_addresses_are_errors),
		IN_A_WORLD(one_that_is_about_to_close_is_no_obstacle),
		IN_A_WORLD(others_on_the_port_are_obstacles_all_the_same),
		IN_A_WORLD(the_same_port_of_another_address_has_to_be_free),
		IN_A_WORLD(a_group_on_the_same_port_is_no_obstacle),
		IN_A_WORLD(any_address_works_as_well),
		IN_A_WORLD(link_local_peers_keep_their_scope),
		IN_A_WORLD(notifications_are_confirmable_responses_from_the_listening_port),
		IN_A_WORLD(an_acknowledgement_is_told_at_once),
		IN_A_WORLD(a_reset_of_a_notification_is_told),
		IN_A_WORLD(another_message_id_acknowledges_nothing),
		IN_A_WORLD(what_nobody_acknowledges_is_sent_again_and_then_given_up),
		IN_A_WORLD(an_icmp_error_is_no_acknowledgement),
		IN_A_WORLD(requests_and_notifications_to_a_peer_take_turns),
		IN_A_WORLD(who_is_notified_is_answered_meanwhile),
		IN_A_WORLD(a_token_too_long_for_a_notification_is_refused),
		IN_A_WORLD(further_answers_to_what_is_observed_are_taken_until_it_is_cancelled),
		IN_A_WORLD(without_observe_in_the_answer_nothing_more_is_taken),
		IN_A_WORLD(who_is_observed_can_be_asked),
	};

	// Ports of the machine stay out of the tests where that is permitted.
	in_namespace = netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
