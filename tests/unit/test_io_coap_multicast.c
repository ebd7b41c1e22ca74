// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/coap.h"
#include "io/loop.h"
#include "libgroupkey/buf.h"
#include "tests/lib/hex.h"
#include "tests/lib/netns.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PORT         5683
#define MANY         1500 // requests, of which one in 256 is different
#define LEISURE_MS   5500 // DEFAULT_LEISURE of RFC 7252 section 4.8 is 5 s

static bool in_namespace;
static struct gk_addr left, right; // two ends of one wire, in one namespace

struct server {
	struct io_coap *coap;
	struct gk_span answer; // to whatever comes
	struct gk_exchange exchange;
	size_t count;
};

static void serve(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
		  struct gk_buf *reply)
{
	struct server *server = ctx;

	(void)message;
	server->exchange = *exchange;
	server->count++;
	gk_buf_add(reply, server->answer);
}

static int open_client(void)
{
	struct sockaddr_in6 own = { .sin6_family = AF_INET6, .sin6_scope_id = left.scope };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&own.sin6_addr, left.ip, 16);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	return fd;
}

// NON GET with a message id and token of its own
static void send_to(int fd, const uint8_t ip[16], uint16_t number)
{
	const uint8_t high = (uint8_t)(number >> 8), low = (uint8_t)number;
	const uint8_t request[] = { 0x52, 0x01, high, low, high, low };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons(PORT),
				   .sin6_scope_id = left.scope };

	memcpy(&to.sin6_addr, ip, 16);
	assert_int_equal(
		sendto(fd, request, sizeof(request), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(request));
}

// Of a test: a server at one end, and who asks it at the other.
struct wire {
	struct server server;
	int fd;
	struct sockaddr_in6 from; // of what came last
	uint8_t got[64];
};

static void open_wire(struct wire *wire, const char *test, const char *answer)
{
	struct gk_addr any = { .port = PORT };

	if (!in_namespace) {
		print_message("%s: no network namespace, skipped\n", test);
		skip();
	}
	*wire = (struct wire){ .server = { .answer = hex_span(answer) }, .fd = open_client() };
	assert_int_equal(io_coap_open(&wire->server.coap, &any, serve, NULL, &wire->server), 0);
}

static void close_wire(struct wire *wire)
{
	io_coap_close(wire->server.coap);
	close(wire->fd);
}

// Let the server work until the client has something or the time is over. @return bytes received
static size_t run(struct wire *wire, int64_t limit_ms)
{
	int64_t end = io_now().mono.ms + limit_ms;

	while (io_now().mono.ms < end) {
		struct pollfd fds[] = { { .fd = wire->fd, .events = POLLIN },
					{ .fd = io_coap_fd(wire->server.coap), .events = POLLIN } };
		socklen_t len = sizeof(wire->from);

		poll(fds, 2, 20);
		io_coap_read(wire->server.coap);
		if (fds[0].revents)
			return (size_t)recvfrom(wire->fd, wire->got, sizeof(wire->got), 0,
						(struct sockaddr *)&wire->from, &len);
	}
	return 0;
}

static void what_is_sent_to_all_nodes_is_heard_and_answered(void **state)
{
	static const uint8_t groups[][16] = {
		{ 0xff, 0x02, [15] = 0xfd },
		{ 0xff, 0x03, [15] = 0xfd },
		{ 0xff, 0x05, [15] = 0xfd },
	};
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "45 c128 ff 3c2f783e");
	assert_true(io_coap_join(wire.server.coap, "right"));
	for (size_t i = 0; i < COUNT(groups); i++)
		send_to(wire.fd, groups[i], (uint16_t)i);
	for (size_t i = 0; i < COUNT(groups); i++) {
		size_t len = run(&wire, LEISURE_MS);

		// libcoap 4.3.0 hands out each when it is to be answered
		assert_true(wire.server.count > i);
		assert_true(wire.server.exchange.multicast);
		assert_memory_equal(wire.server.exchange.peer.ip, left.ip, 16);
		// from an address of its own, with the token of the request, non-confirmable
		assert_true(len > 6);
		assert_memory_equal(&wire.from.sin6_addr, right.ip, 16);
		assert_int_equal(wire.from.sin6_port, htons(PORT));
		assert_int_equal(wire.got[0], 0x52);
		assert_int_equal(wire.got[1], 0x45);
		assert_true(wire.got[4] == 0 && wire.got[5] < COUNT(groups));
	}
	assert_int_equal(wire.server.count, COUNT(groups));
	close_wire(&wire);
}

static void what_is_sent_to_us_is_no_multicast(void **state)
{
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "45 c128 ff 3c2f783e");
	assert_true(io_coap_join(wire.server.coap, "right"));
	send_to(wire.fd, (const uint8_t[16]){ 0xff, 0x02, [15] = 0xfd }, 1);
	assert_true(run(&wire, LEISURE_MS) > 0);
	assert_true(wire.server.exchange.multicast);
	send_to(wire.fd, right.ip, 2); // of the same session
	assert_true(run(&wire, 1000) > 0);
	assert_int_equal(wire.server.count, 2);
	assert_false(wire.server.exchange.multicast);
	close_wire(&wire);
}

// libcoap 4.3.0 takes a time of 0, which it draws for one of 256, for one without an end.
static void none_is_kept_for_ever(void **state)
{
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "");
	assert_true(io_coap_join(wire.server.coap, "right"));
	for (uint16_t i = 0; i < MANY; i++) {
		send_to(wire.fd, (const uint8_t[16]){ 0xff, 0x02, [15] = 0xfd }, i);
		io_coap_read(wire.server.coap);
	}
	for (int left_ms = LEISURE_MS; wire.server.count < MANY && left_ms > 0; left_ms -= 100)
		assert_int_equal(run(&wire, 100), 0);
	assert_int_equal(wire.server.count, MANY);
	close_wire(&wire);
}

static void nobody_hears_of_errors_and_of_silence(void **state)
{
	static const char *const answers[] = { "84", "", "a3" };
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "");
	assert_true(io_coap_join(wire.server.coap, "right"));
	for (size_t i = 0; i < COUNT(answers); i++) {
		wire.server.answer = hex_span(answers[i]);
		send_to(wire.fd, (const uint8_t[16]){ 0xff, 0x02, [15] = 0xfd }, (uint16_t)i);
		for (int64_t ms = 0; ms < LEISURE_MS && wire.server.count <= i; ms += 100)
			assert_int_equal(run(&wire, 100), 0);
		assert_int_equal(wire.server.count, i + 1);
	}
	assert_int_equal(run(&wire, LEISURE_MS), 0);
	close_wire(&wire);
}

// At once, so that it can be answered by another way than libcoap's, which would take up to 5 s.
static void all_nodes_of_the_link_need_not_be_joined(void **state)
{
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "");
	send_to(wire.fd, (const uint8_t[16]){ 0xff, 0x02, [15] = 1 }, 1);
	assert_int_equal(run(&wire, 200), 0);
	assert_int_equal(wire.server.count, 2); // by both ends of the wire, which are ours
	assert_true(wire.server.exchange.multicast);
	assert_memory_equal(wire.server.exchange.peer.ip, left.ip, 16);
	assert_int_equal(wire.server.exchange.token_len, 2);
	assert_memory_equal(wire.server.exchange.token, "\0\1", 2);
	assert_int_equal(run(&wire, LEISURE_MS), 0);
	close_wire(&wire);
}

static void an_interface_that_is_not_there_cannot_be_joined(void **state)
{
	struct wire wire;

	(void)state;
	open_wire(&wire, __func__, "45");
	assert_false(io_coap_join(wire.server.coap, "nowhere"));
	close_wire(&wire);
}

static int enter(void **state)
{
	(void)state;
	in_namespace = netns_enter() && netns_veth("left", "right") &&
		       netns_link_local("left", &left) && netns_link_local("right", &right);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_to_all_nodes_is_heard_and_answered),
		cmocka_unit_test(what_is_sent_to_us_is_no_multicast),
		cmocka_unit_test(none_is_kept_for_ever),
		cmocka_unit_test(nobody_hears_of_errors_and_of_silence),
		cmocka_unit_test(all_nodes_of_the_link_need_not_be_joined),
		cmocka_unit_test(an_interface_that_is_not_there_cannot_be_joined),
	};
	return cmocka_run_group_tests(tests, enter, NULL);
}
