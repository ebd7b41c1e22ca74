// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/group.h"
#include "io/loop.h"
#include "tests/lib/hex.h"
#include "tests/lib/netns.h"

static bool in_namespace;
static struct gk_addr left, right; // two ends of one wire, in one namespace

#define PORT      5685
#define HEARD_MAX 32

/** A member of a group, and what it heard. */
struct listener {
	struct io_group *group;
	struct {
		struct gk_exchange exchange;
		struct gk_span message;
	} heard[HEARD_MAX];
	size_t count;
};

static void on_message(void *ctx, const struct gk_exchange *exchange, struct gk_span message)
{
	struct listener *l = ctx;

	assert_true(l->count < HEARD_MAX);
	l->heard[l->count].exchange = *exchange;
	l->heard[l->count++].message = exact_copy(message);
}

static struct gk_addr group_on(uint32_t scope, uint8_t second_byte)
{
	return (struct gk_addr){
		.ip = { 0xff, second_byte, [15] = 0xfd },
		.port = PORT,
		.scope = scope,
	};
}

static struct listener *join(uint32_t scope, uint8_t second_byte)
{
	struct gk_addr addr = group_on(scope, second_byte);
	struct listener *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(io_group_open(&l->group, &addr, on_message, l), 0);
	return l;
}

static void leave(struct listener *l)
{
	io_group_close(l->group);
	free(l);
}

// Read until 'count' messages have come, or nothing does for a while.
static void hear(struct listener *l, size_t count, int limit_ms)
{
	struct pollfd fd = { .fd = io_group_fd(l->group), .events = POLLIN };

	while (l->count < count && poll(&fd, 1, limit_ms) > 0)
		io_group_read(l->group);
}

static void need_namespace(const char *test)
{
	if (in_namespace)
		return;
	print_message("%s: no network namespace, skipped\n", test);
	skip();
}

static const uint8_t scopes[] = { 0x02, 0x12, 0x32, 0x03, 0x05 };

static void messages_reach_the_other_members(void **state)
{
	(void)state;
	need_namespace(__func__);
	for (size_t i = 0; i < sizeof(scopes); i++) {
		struct listener *sender = join(left.scope, scopes[i]);
		struct listener *here = join(left.scope, scopes[i]); // on the same machine
		struct listener *there = join(right.scope, scopes[i]);
		const char *message = "02 93 110022 ff 706c616e74";

		assert_int_equal(io_group_send(sender->group, hex_span(message)), 0);
		hear(there, 1, 1000);
		hear(here, 1, 1000);
		hear(sender, 1, 50);
		assert_int_equal(there->count, 1);
		assert_int_equal(here->count, 1);
		assert_int_equal(sender->count, 0); // not what it sent itself
		assert_int_equal(io_group_dropped(sender->group), 0);

		assert_hex_equal(there->heard[0].message, "0293110022ff706c616e74");
		struct gk_exchange exchange = there->heard[0].exchange;
		assert_int_equal(exchange.id, 0);
		assert_int_equal(exchange.token_len, 4);
		assert_memory_equal(exchange.peer.ip, left.ip, 16);
		assert_int_equal(exchange.peer.port, PORT);
		assert_int_equal(exchange.peer.scope, right.scope);

		leave(sender);
		leave(here);
		leave(there);
	}
}

static void each_datagram_has_its_own_id_and_token(void **state)
{
	(void)state;
	need_namespace(__func__);
	struct listener *sender = join(left.scope, 3), *there = join(right.scope, 3);

	for (int i = 0; i < 20; i++)
		assert_int_equal(io_group_send(sender->group, hex_span("02 ff 01")), 0);
	hear(there, 20, 1000);
	assert_int_equal(there->count, 20);
	for (size_t i = 1; i < 20; i++) {
		struct gk_exchange *a = &there->heard[i - 1].exchange;
		struct gk_exchange *b = &there->heard[i].exchange;
		assert_int_equal((uint16_t)(a->message_id + 1), b->message_id);
		assert_memory_not_equal(a->token, b->token, 4);
	}

	// Read late, the newest 16 are still known as its own.
	hear(sender, HEARD_MAX, 50);
	assert_int_equal(sender->count, 4);
	leave(sender);
	leave(there);
}

static void the_other_interface_is_another_group(void **state)
{
	(void)state;
	need_namespace(__func__);
	struct listener *sender = join(left.scope, 3), *other = join(1, 3);

	// The same address on 'lo'; the kernel itself does not ask on which interface one joined.
	assert_int_equal(io_group_send(sender->group, hex_span("02 ff 01")), 0);
	hear(other, 1, 100);
	assert_int_equal(other->count, 0);
	assert_int_equal(io_group_dropped(other->group), 0);
	leave(sender);
	leave(other);
}

static void the_unicast_port_keeps_its_datagrams(void **state)
{
	(void)state;
	need_namespace(__func__);
	// Bound to everything, as a CoAP endpoint is; opened before and after the group.
	for (int before = 0; before < 2; before++) {
		struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) }, to;
		struct listener *l = before ? NULL : join(left.scope, 2);
		int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		struct gk_addr here = left;

		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
		if (!l)
			l = join(left.scope, 2);
		here.port = PORT;
		to = io_addr_to_sockaddr(&here);
		assert_int_equal(
			sendto(fd, "\x50\x01\x00\x00", 4, 0, (struct sockaddr *)&to, sizeof(to)),
			4);
		assert_int_equal(poll(&ready, 1, 1000), 1);
		hear(l, 1, 50);
		assert_int_equal(l->count, 0);
		leave(l);
		close(fd);
	}
}

static void send_bytes(struct gk_span bytes)
{
	struct gk_addr addr = group_on(left.scope, 2);
	struct sockaddr_in6 to = io_addr_to_sockaddr(&addr);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, bytes.data, bytes.len, 0, (struct sockaddr *)&to, sizeof(to)),
			 bytes.len);
	close(fd);
}

static void malformed_datagrams_are_dropped_and_counted(void **state)
{
	static const char *const rows[] = {
		"",                            // nothing
		"52",                          // truncated at each byte of the header and token
		"5202",                        //
		"520212",                      //
		"52021234",                    //
		"52021234aa",                  //
		"50021234 ff",                 // a marker and nothing behind it
		"50021234 b5 61",              // an option cut short
		"50021234 f0",                 // reserved option delta
		"50021234 0f",                 // reserved option length
		"500212",                      // and without a token
		"42021234 aabb",               // confirmable
		"62021234 aabb",               // an acknowledgement
		"70001234",                    // a reset
		"50001234",                    // empty
		"50451234",                    // a response
		"50211234",                    // code class 1
		"10021234",                    // version 0
		"90021234",                    // version 2
		"d0021234",                    // version 3
		"59021234 010203040506070809", // token length 9
		"5f021234 010203040506070809101112131415", // and 15
	};
	static uint8_t large[1500] = { 0x50, 0x02, 0x12, 0x34, 0xff };
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = join(right.scope, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		send_bytes(hex_span(rows[i]));
		hear(l, 1, 0);
		for (int tries = 0; tries < 100 && io_group_dropped(l->group) < i + 1; tries++)
			hear(l, 1, 10);
		if (l->count > 0 || io_group_dropped(l->group) != i + 1)
			fail_msg("%s: %zu taken, %d dropped", rows[i], l->count,
				 (int)io_group_dropped(l->group));
	}

	send_bytes(gk_span(large, 1213)); // one more than header, longest token and message
	hear(l, 1, 100);
	assert_int_equal(io_group_dropped(l->group), sizeof(rows) / sizeof(rows[0]) + 1);
	leave(l);
}

static void what_is_barely_well_formed_is_taken(void **state)
{
	static const struct {
		const char *datagram, *message, *token;
	} rows[] = {
		{ "50011234", "01", "" },
		{ "501fffff ff00", "1fff00", "" },
		{ "580512340102030405060708 90", "0590", "0102030405060708" },
	};
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = join(right.scope, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		send_bytes(hex_span(rows[i].datagram));
		hear(l, i + 1, 1000);
		assert_int_equal(l->count, i + 1);
		assert_hex_equal(l->heard[i].message, rows[i].message);
		assert_hex_equal(
			gk_span(l->heard[i].exchange.token, l->heard[i].exchange.token_len),
			rows[i].token);
	}
	assert_int_equal(l->heard[0].exchange.message_id, 0x1234);
	assert_int_equal(l->heard[1].exchange.message_id, 0xffff);
	assert_int_equal(io_group_dropped(l->group), 0);
	leave(l);
}

static void unusable_messages_are_not_sent(void **state)
{
	static uint8_t large[1201] = { 0x02, 0xff };
	struct listener *sender, *there;

	(void)state;
	need_namespace(__func__);
	sender = join(left.scope, 2);
	there = join(right.scope, 2);
	assert_int_equal(io_group_send(sender->group, gk_span(large, 1201)), -EMSGSIZE);
	assert_int_equal(io_group_send(sender->group, hex_span("")), -EINVAL);
	assert_int_equal(io_group_send(sender->group, hex_span("02 ff")), -EINVAL);
	assert_int_equal(io_group_send(sender->group, hex_span("00")), -EINVAL);
	assert_int_equal(io_group_send(sender->group, hex_span("45")), -EINVAL);

	assert_int_equal(io_group_send(sender->group, gk_span(large, 1200)), 0);
	hear(there, 1, 1000);
	hear(there, 2, 50);
	assert_int_equal(there->count, 1);
	assert_int_equal(there->heard[0].message.len, 1200);
	leave(sender);
	leave(there);
}

static void hop_limits_fit_the_scope(void **state)
{
	struct listener *sender;
	int fd, on = 1;

	(void)state;
	need_namespace(__func__);
	for (size_t i = 0; i < sizeof(scopes); i++) {
		struct gk_addr addr = group_on(right.scope, scopes[i]);
		struct sockaddr_in6 local = io_addr_to_sockaddr(&addr);
		struct ipv6_mreq mreq = { .ipv6mr_multiaddr = local.sin6_addr,
					  .ipv6mr_interface = right.scope };
		union {
			struct cmsghdr aligned;
			uint8_t bytes[64];
		} control;
		uint8_t bytes[64];
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		int hops;

		fd = socket(AF_INET6, SOCK_DGRAM, 0);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)),
				 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)),
				 0);

		sender = join(left.scope, scopes[i]);
		assert_int_equal(io_group_send(sender->group, hex_span("02")), 0);
		assert_true(recvmsg(fd, &msg, 0) > 0);
		assert_non_null(CMSG_FIRSTHDR(&msg));
		memcpy(&hops, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(hops));
		assert_int_equal(hops, (scopes[i] & 0x0f) <= 2 ? 1 : 64);
		leave(sender);
		close(fd);
	}
}

static void what_is_no_group_is_refused(void **state)
{
	struct io_group *group = NULL;
	struct gk_addr unicast = { .ip = { 0xfd, [15] = 1 }, .port = PORT, .scope = 1 };
	struct gk_addr no_scope = group_on(0, 3), no_port = group_on(1, 3);
	struct gk_addr no_interface = group_on(123456, 3);

	(void)state;
	no_port.port = 0;
	assert_int_equal(io_group_open(&group, &unicast, on_message, NULL), -EINVAL);
	assert_int_equal(io_group_open(&group, &no_scope, on_message, NULL), -EINVAL);
	assert_int_equal(io_group_open(&group, &no_port, on_message, NULL), -EINVAL);
	assert_int_equal(io_group_open(&group, &no_interface, on_message, NULL), -ENODEV);
	assert_null(group);
	io_group_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_reach_the_other_members),
		cmocka_unit_test(each_datagram_has_its_own_id_and_token),
		cmocka_unit_test(the_other_interface_is_another_group),
		cmocka_unit_test(the_unicast_port_keeps_its_datagrams),
		cmocka_unit_test(malformed_datagrams_are_dropped_and_counted),
		cmocka_unit_test(what_is_barely_well_formed_is_taken),
		cmocka_unit_test(unusable_messages_are_not_sent),
		cmocka_unit_test(hop_limits_fit_the_scope),
		cmocka_unit_test(what_is_no_group_is_refused),
	};

	in_namespace = netns_enter() && netns_veth("left", "right") &&
		       netns_link_local("left", &left) && netns_link_local("right", &right);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
