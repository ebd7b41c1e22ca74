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
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/group.h"
#include "io/loop.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/netns.h"

static bool in_namespace;
static struct gk_addr left, right; // two ends of one wire, in one namespace

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PORT         5685
#define HEARD_MAX    32

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

static struct listener *open_as(enum io_group_role role, uint32_t scope, uint8_t second_byte)
{
	struct gk_addr addr = group_on(scope, second_byte);
	struct listener *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(io_group_open(&l->group, role, &addr, on_message, l), 0);
	return l;
}

static struct listener *join(uint32_t scope, uint8_t second_byte)
{
	return open_as(IO_GROUP_MEMBER, scope, second_byte);
}

static struct listener *join_control(uint32_t scope, uint8_t second_byte)
{
	return open_as(IO_GROUP_CONTROL_MEMBER, scope, second_byte);
}

static struct listener *open_kdc(uint32_t scope, uint8_t second_byte)
{
	return open_as(IO_GROUP_CONTROL_SENDER, scope, second_byte);
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
	static const struct {
		enum io_group_role sender, member;
	} rows[] = {
		{ IO_GROUP_MEMBER, IO_GROUP_MEMBER },
		{ IO_GROUP_CONTROL_SENDER, IO_GROUP_CONTROL_MEMBER },
	};

	(void)state;
	need_namespace(__func__);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct listener *sender = open_as(rows[i].sender, left.scope, 3);
		struct listener *other = open_as(rows[i].member, 1, 3);

		// The same address on 'lo'; the kernel itself does not ask on which interface one
		// joined.
		assert_int_equal(io_group_send(sender->group, hex_span("02 ff 01")), 0);
		hear(other, 1, 100);
		assert_int_equal(other->count, 0);
		assert_int_equal(io_group_dropped(other->group), 0);
		leave(sender);
		leave(other);
	}
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

static void send_bytes(const struct gk_addr *addr, struct gk_span bytes)
{
	struct sockaddr_in6 to = io_addr_to_sockaddr(addr);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, bytes.data, bytes.len, 0, (struct sockaddr *)&to, sizeof(to)),
			 bytes.len);
	close(fd);
}

static const char *const malformed[] = {
	"",                                        // nothing
	"52",                                      // truncated at each byte of the header and token
	"5202",                                    //
	"520212",                                  //
	"52021234",                                //
	"52021234aa",                              //
	"50021234 ff",                             // a marker and nothing behind it
	"50021234 b5 61",                          // an option cut short
	"50021234 f0",                             // reserved option delta
	"50021234 0f",                             // reserved option length
	"500212",                                  // and without a token
	"50001234",                                // empty
	"50211234",                                // code class 1
	"10021234",                                // version 0
	"90021234",                                // version 2
	"d0021234",                                // version 3
	"59021234 010203040506070809",             // token length 9
	"5f021234 010203040506070809101112131415", // and 15
	"70001234",                                // a reset
};

// Each is dropped, counted and not handed out.
static void drops(struct listener *l, const struct gk_addr *to, struct gk_span datagram,
		  const char *row)
{
	uint64_t before = io_group_dropped(l->group);
	size_t taken = l->count;

	send_bytes(to, datagram);
	for (int tries = 0; tries < 100 && io_group_dropped(l->group) == before; tries++)
		hear(l, taken + 1, 10);
	if (l->count > taken || io_group_dropped(l->group) != before + 1)
		fail_msg("%s: %zu taken, %d dropped", row, l->count - taken,
			 (int)(io_group_dropped(l->group) - before));
}

static void drops_rows(struct listener *l, const struct gk_addr *to, uint8_t code,
		       const char *const *rows, size_t count)
{
	static uint8_t large[IO_GROUP_DATAGRAM_MAX + 1] = { 0x50, 0, 0x12, 0x34, 0xff };

	for (size_t i = 0; i < COUNT(malformed); i++)
		drops(l, to, hex_span(malformed[i]), malformed[i]);
	for (size_t i = 0; i < count; i++)
		drops(l, to, hex_span(rows[i]), rows[i]);
	large[1] = code;
	drops(l, to, gk_span(large, sizeof(large)), "one byte too many");
}

static void malformed_datagrams_are_dropped_and_counted(void **state)
{
	static const char *const rows[] = {
		"42021234 aabb", // confirmable
		"62021234 aabb", // an acknowledgement
		"50451234",      // a response
	};
	struct gk_addr group = group_on(left.scope, 2);
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = join(right.scope, 2);
	drops_rows(l, &group, GK_COAP_POST, rows, COUNT(rows));
	leave(l);
}

// With a token and without.
static void takes_both(struct listener *l, const struct gk_addr *to, const char *without,
		       const char *with)
{
	send_bytes(to, hex_span(without));
	send_bytes(to, hex_span(with));
	hear(l, 2, 1000);
	assert_int_equal(l->count, 2);
	assert_int_equal(l->heard[0].exchange.token_len, 0);
	assert_int_equal(l->heard[1].exchange.token_len, 2);
	assert_memory_equal(l->heard[1].exchange.token, "\xaa\xbb", 2);
}

static void a_member_of_a_control_group_takes_requests(void **state)
{
	static const char *const rows[] = {
		"40021234",      // confirmable
		"60021234",      // an acknowledgement
		"50441234",      // a response
		"52441234 aabb", // with a token too
	};
	struct gk_addr group = group_on(left.scope, 2);
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = join_control(right.scope, 2);
	drops_rows(l, &group, GK_COAP_POST, rows, COUNT(rows));
	takes_both(l, &group, "50021234 ff00", "52021234 aabb ff00");
	leave(l);
}

static void a_sender_takes_answers(void **state)
{
	static const char *const rows[] = {
		"40441234",      // confirmable
		"60441234",      // an acknowledgement
		"50021234",      // a request
		"50841234",      // an error of the client
		"50a01234",      // and of the server
		"52841234 aabb", // with a token too
	};
	struct gk_addr here = left;
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	here.port = PORT;
	l = open_kdc(left.scope, 2);
	drops_rows(l, &here, GK_COAP_CHANGED, rows, COUNT(rows));
	takes_both(l, &here, "50441234 ff00", "52441234 aabb ff00");
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
	struct gk_addr group = group_on(left.scope, 2);
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = join(right.scope, 2);
	for (size_t i = 0; i < COUNT(rows); i++) {
		send_bytes(&group, hex_span(rows[i].datagram));
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

static void what_is_too_large_or_no_request_is_not_sent(void **state)
{
	static uint8_t large[IO_GROUP_DATAGRAM_MAX + 1] = { 0x02, 0xff };
	static const struct {
		enum io_group_role role, receiver;
		size_t message_max;
	} rows[] = {
		{ IO_GROUP_MEMBER, IO_GROUP_MEMBER, IO_GROUP_DATAGRAM_MAX - 7 },
		{ IO_GROUP_CONTROL_SENDER, IO_GROUP_CONTROL_MEMBER, IO_GROUP_DATAGRAM_MAX - 3 },
	};

	(void)state;
	need_namespace(__func__);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct listener *sender = open_as(rows[i].role, left.scope, 2);
		struct listener *there = open_as(rows[i].receiver, right.scope, 2);
		struct io_group *group = sender->group;
		size_t max = rows[i].message_max;

		assert_int_equal(io_group_send(group, gk_span(large, max + 1)), -EMSGSIZE);
		assert_int_equal(io_group_send(group, hex_span("")), -EINVAL);
		assert_int_equal(io_group_send(group, hex_span("02 ff")), -EINVAL);
		assert_int_equal(io_group_send(group, hex_span("00")), -EINVAL);
		assert_int_equal(io_group_send(group, hex_span("44")), -EINVAL);

		assert_int_equal(io_group_send(group, gk_span(large, max)), 0);
		hear(there, 1, 1000);
		hear(there, 2, 50);
		assert_int_equal(there->count, 1);
		assert_int_equal(there->heard[0].message.len, max);
		leave(sender);
		leave(there);
	}
}

static void each_role_sends_what_is_its_own(void **state)
{
	struct gk_addr group = group_on(left.scope, 3), other_port = group, no_port = group;
	const struct gk_span none = gk_span(NULL, 0), token = hex_span("aabb");
	const struct gk_span nine = hex_span("010203040506070809");
	struct listener *member, *control, *kdc;
	struct gk_addr here = left;

	(void)state;
	need_namespace(__func__);
	here.port = PORT;
	other_port.port++;
	no_port.port = 0;
	member = join(left.scope, 2);
	control = join_control(left.scope, 2);
	kdc = open_kdc(left.scope, 2);
	assert_int_equal(io_group_send(control->group, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_send_to(member->group, &group, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_send_to(control->group, &group, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_send_to(kdc->group, &other_port, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_send_to(kdc->group, &here, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_send_to(kdc->group, &group, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer(kdc->group, &here, none, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &group, none, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &here, none, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &here, none, hex_span("84")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &here, none, hex_span("44ff")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &here, nine, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer_all(kdc->group, PORT, token, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer_all(member->group, PORT, nine, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer_all(control->group, PORT, token, hex_span("02")), -EINVAL);
	assert_int_equal(io_group_ask(member->group, &group, token, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(control->group, &group, token, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(kdc->group, &here, token, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(kdc->group, &no_port, token, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(kdc->group, &group, none, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(kdc->group, &group, nine, hex_span("01")), -EINVAL);
	assert_int_equal(io_group_ask(kdc->group, &group, token, hex_span("44")), -EINVAL);
	assert_int_equal(io_group_answer(control->group, &here, none, hex_span("44")), 0);
	assert_int_equal(io_group_answer(member->group, &here, none, hex_span("44")), 0);
	hear(kdc, 2, 1000);
	assert_int_equal(kdc->count, 2);
	leave(member);
	leave(control);
	leave(kdc);
}

// What the KDC sends reaches the members on its own machine and elsewhere, and their answers it.
static void asks_and_is_answered(struct listener *kdc, struct listener *here,
				 struct listener *there)
{
	struct listener *members[] = { here, there };
	struct gk_addr from[] = { left, right };

	assert_int_equal(io_group_send(kdc->group, hex_span("02 c2 0105 ff 00")), 0);
	for (size_t i = 0; i < COUNT(members); i++) {
		struct gk_exchange *exchange = &members[i]->heard[0].exchange;

		hear(members[i], 1, 1000);
		hear(members[i], 2, 20);
		assert_int_equal(members[i]->count, 1);
		assert_hex_equal(members[i]->heard[0].message, "02c20105ff00");
		assert_int_equal(exchange->token_len, 0);
		assert_int_equal(exchange->peer.port, PORT);
		assert_memory_equal(exchange->peer.ip, left.ip, 16);
		assert_int_equal(io_group_answer(members[i]->group, &exchange->peer,
						 gk_span(NULL, 0), hex_span("44 ff 0a")),
				 0);

		hear(kdc, i + 1, 1000);
		hear(kdc, i + 2, 20);
		assert_int_equal(kdc->count, i + 1);
		assert_hex_equal(kdc->heard[i].message, "44ff0a");
		assert_int_equal(kdc->heard[i].exchange.token_len, 0);
		assert_int_equal(kdc->heard[i].exchange.peer.port, PORT);
		assert_memory_equal(kdc->heard[i].exchange.peer.ip, from[i].ip, 16);
		assert_int_equal(members[i]->count, 1);
	}
	assert_int_equal(io_group_dropped(kdc->group), 0);
	assert_int_equal(io_group_dropped(here->group), 0);
	assert_int_equal(io_group_dropped(there->group), 0);
}

static void answers_reach_the_kdc_and_nobody_else(void **state)
{
	(void)state;
	need_namespace(__func__);
	// Whoever was bound to the port last.
	for (int first = 0; first < 2; first++)
		for (size_t i = 0; i < sizeof(scopes); i++) {
			struct listener *kdc = first ? open_kdc(left.scope, scopes[i]) : NULL;
			struct listener *here = join_control(left.scope, scopes[i]);
			struct listener *there = join_control(right.scope, scopes[i]);

			if (!kdc)
				kdc = open_kdc(left.scope, scopes[i]);
			asks_and_is_answered(kdc, here, there);
			leave(kdc);
			leave(here);
			leave(there);
		}
}

// A socket as that of a CoAP server, which joined nothing.
static int open_server(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

static void a_question_to_all_nodes_reaches_a_server_at_its_port(void **state)
{
	struct gk_addr all_nodes = { .ip = { 0xff, 0x02, [15] = 1 }, .port = 6000 };
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	socklen_t from_len = sizeof(from);
	struct pollfd ready = { .events = POLLIN };
	uint8_t asked[16], answer[] = { 0x58, 0x45, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct listener *kdc;

	(void)state;
	need_namespace(__func__);
	kdc = open_kdc(left.scope, 3);
	ready.fd = open_server(6000);
	assert_int_equal(
		io_group_ask(kdc->group, &all_nodes, hex_span("0102030405060708"), hex_span("01")),
		0);
	assert_int_equal(poll(&ready, 1, 1000), 1);
	assert_int_equal(
		recvfrom(ready.fd, asked, sizeof(asked), 0, (struct sockaddr *)&from, &from_len),
		12);
	assert_memory_equal(asked, "\x58\x01", 2); // NON, with a token of 8 bytes
	assert_memory_equal(asked + 4, answer + 4, 8);
	assert_int_equal(ntohs(from.sin6_port), PORT);
	// The answer comes from another port than that which was asked.
	close(ready.fd);
	ready.fd = open_server(6001);
	assert_int_equal(
		sendto(ready.fd, answer, sizeof(answer), 0, (struct sockaddr *)&from, from_len),
		sizeof(answer));
	hear(kdc, 1, 1000);
	assert_int_equal(kdc->count, 1);
	assert_hex_equal(kdc->heard[0].message, "45");
	assert_hex_equal(gk_span(kdc->heard[0].exchange.token, 8), "0102030405060708");
	assert_int_equal(kdc->heard[0].exchange.peer.port, 6001);
	assert_false(kdc->heard[0].exchange.multicast);
	close(ready.fd);
	leave(kdc);
}

static void a_question_to_the_group_is_answered_with_its_token(void **state)
{
	struct gk_addr group = group_on(0, 3);
	struct listener *kdc, *member;
	struct gk_exchange *exchange;

	(void)state;
	need_namespace(__func__);
	kdc = open_kdc(left.scope, 3);
	member = join_control(right.scope, 3);
	assert_int_equal(io_group_ask(kdc->group, &group, hex_span("a1b2c3d4"), hex_span("01")), 0);
	hear(member, 1, 1000);
	assert_int_equal(member->count, 1);
	exchange = &member->heard[0].exchange;
	assert_true(exchange->multicast);
	assert_hex_equal(gk_span(exchange->token, exchange->token_len), "a1b2c3d4");
	assert_int_equal(io_group_answer(member->group, &exchange->peer,
					 gk_span(exchange->token, exchange->token_len),
					 hex_span("45 ff 07")),
			 0);
	hear(kdc, 1, 1000);
	assert_int_equal(kdc->count, 1);
	assert_hex_equal(kdc->heard[0].message, "45ff07");
	exchange = &kdc->heard[0].exchange;
	assert_hex_equal(gk_span(exchange->token, exchange->token_len), "a1b2c3d4");
	leave(kdc);
	leave(member);
}

static void an_answer_to_all_nodes_reaches_who_asked_on_that_link(void **state)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	struct listener *kdc, *other, *elsewhere, *members[2];
	struct gk_addr to = { .port = PORT, .scope = right.scope };

	(void)state;
	need_namespace(__func__);
	kdc = open_kdc(left.scope, 3);
	elsewhere = open_kdc(1, 3); // on 'lo'
	members[0] = join_control(right.scope, 3);
	members[1] = join(right.scope, 5);
	other = join_control(left.scope, 3);
	for (size_t i = 0; i < COUNT(members); i++) {
		assert_int_equal(io_group_answer_all(members[i]->group, PORT, hex_span("a1b2c3d4"),
						     hex_span("45 ff 07")),
				 0);
		hear(kdc, i + 1, 1000);
		assert_int_equal(kdc->count, i + 1);
		assert_hex_equal(kdc->heard[i].message, "45ff07");
		assert_hex_equal(gk_span(kdc->heard[i].exchange.token, 4), "a1b2c3d4");
		assert_memory_equal(kdc->heard[i].exchange.peer.ip, right.ip, 16);
		assert_true(kdc->heard[i].exchange.multicast);
	}
	hear(elsewhere, 1, 50);
	hear(other, 1, 50);
	assert_int_equal(elsewhere->count + other->count, 0);
	// What is no answer is none this way either.
	memcpy(to.ip, all_nodes, 16);
	drops(kdc, &to, hex_span("50021234 ff00"), "a request");
	for (size_t i = 0; i < COUNT(members); i++)
		leave(members[i]);
	leave(other);
	leave(elsewhere);
	leave(kdc);
}

static void the_kdc_takes_answers_on_its_own_interface(void **state)
{
	(void)state;
	need_namespace(__func__);
	// Two of them at one port of one machine: Linux hands a datagram to one socket.
	for (int turn = 0; turn < 2; turn++) {
		struct listener *first = open_kdc(turn ? left.scope : right.scope, 3);
		struct listener *second = open_kdc(turn ? right.scope : left.scope, 3);
		struct listener *on_left = turn ? first : second, *on_right = turn ? second : first;
		struct gk_addr here = left;

		here.port = PORT;
		send_bytes(&here, hex_span("50441234"));
		hear(on_left, 1, 1000);
		hear(on_right, 1, 50);
		assert_int_equal(on_left->count, 1);
		assert_int_equal(on_right->count, 0);
		assert_int_equal(io_group_dropped(on_right->group), 0);
		leave(first);
		leave(second);
	}
}

static void one_sender_serves_several_groups(void **state)
{
	// On its own interface, whatever the scope says.
	const uint32_t said[] = { 0, left.scope, right.scope };
	struct gk_addr other = group_on(right.scope, 2);
	struct listener *kdc, *in_first, *in_other;

	(void)state;
	need_namespace(__func__);
	other.ip[15] = 0x77;
	kdc = open_kdc(left.scope, 2);
	in_first = join_control(right.scope, 2);
	in_other = calloc(1, sizeof(*in_other));
	assert_non_null(in_other);
	assert_int_equal(io_group_open(&in_other->group, IO_GROUP_CONTROL_MEMBER, &other,
				       on_message, in_other),
			 0);
	for (size_t i = 0; i < COUNT(said); i++) {
		other.scope = said[i];
		assert_int_equal(io_group_send_to(kdc->group, &other, hex_span("02 ff 01")), 0);
		hear(in_other, i + 1, 1000);
		hear(in_first, 1, 50);
		assert_int_equal(in_other->count, i + 1);
		assert_memory_equal(in_other->heard[i].exchange.peer.ip, left.ip, 16);
		assert_int_equal(in_first->count, 0);
	}
	leave(kdc);
	leave(in_first);
	leave(in_other);
}

// Has anybody in this namespace joined ff03::fd there?
static bool anybody_joined(uint32_t interface)
{
	FILE *file = fopen("/proc/self/net/igmp6", "re");
	char group[33];
	unsigned index;
	bool found = false;

	assert_non_null(file);
	while (!found && fscanf(file, "%u %*s %32s %*[^\n]", &index, group) == 2)
		found = index == interface &&
			strcmp(group, "ff0300000000000000000000000000fd") == 0;
	fclose(file);
	return found;
}

static void a_sender_is_in_no_control_group(void **state)
{
	struct listener *l;

	(void)state;
	need_namespace(__func__);
	l = open_kdc(left.scope, 3);
	assert_false(anybody_joined(left.scope));
	leave(l);
	l = join_control(left.scope, 3);
	assert_true(anybody_joined(left.scope));
	leave(l);
	assert_false(anybody_joined(left.scope));
}

// A socket in a group that shows with how many hops left something came.
static int open_hops(const struct gk_addr *group)
{
	struct sockaddr_in6 local = io_addr_to_sockaddr(group);
	struct ipv6_mreq mreq = { .ipv6mr_multiaddr = local.sin6_addr,
				  .ipv6mr_interface = group->scope };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)), 0);
	return fd;
}

static int receive_hops(int fd)
{
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

	assert_true(recvmsg(fd, &msg, 0) > 0);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&hops, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(hops));
	return hops;
}

static void hop_limits_fit_the_scope(void **state)
{
	struct listener *kdc;

	(void)state;
	need_namespace(__func__);
	kdc = open_kdc(left.scope, 3); // sends to groups of any scope in turn
	for (size_t i = 0; i < sizeof(scopes); i++) {
		struct listener *sender = join(left.scope, scopes[i]);
		struct gk_addr group = group_on(right.scope, scopes[i]);
		int fd = open_hops(&group), want = (scopes[i] & 0x0f) <= 2 ? 1 : 64;

		assert_int_equal(io_group_send(sender->group, hex_span("02")), 0);
		assert_int_equal(receive_hops(fd), want);
		assert_int_equal(io_group_send_to(kdc->group, &group, hex_span("02")), 0);
		assert_int_equal(receive_hops(fd), want);
		leave(sender);
		close(fd);
	}
	leave(kdc);
}

static void what_is_no_group_is_refused(void **state)
{
	struct io_group *group = NULL;
	struct gk_addr unicast = { .ip = { 0xfd, [15] = 1 }, .port = PORT, .scope = 1 };
	struct gk_addr no_scope = group_on(0, 3), no_port = group_on(1, 3);
	struct gk_addr no_interface = group_on(123456, 3);

	(void)state;
	no_port.port = 0;
	assert_int_equal(io_group_open(&group, IO_GROUP_MEMBER, &unicast, on_message, NULL),
			 -EINVAL);
	assert_int_equal(io_group_open(&group, IO_GROUP_MEMBER, &no_scope, on_message, NULL),
			 -EINVAL);
	assert_int_equal(io_group_open(&group, IO_GROUP_MEMBER, &no_port, on_message, NULL),
			 -EINVAL);
	assert_int_equal(io_group_open(&group, IO_GROUP_MEMBER, &no_interface, on_message, NULL),
			 -ENODEV);
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
		cmocka_unit_test(a_member_of_a_control_group_takes_requests),
		cmocka_unit_test(a_sender_takes_answers),
		cmocka_unit_test(what_is_too_large_or_no_request_is_not_sent),
		cmocka_unit_test(each_role_sends_what_is_its_own),
		cmocka_unit_test(answers_reach_the_kdc_and_nobody_else),
		cmocka_unit_test(a_question_to_all_nodes_reaches_a_server_at_its_port),
		cmocka_unit_test(a_question_to_the_group_is_answered_with_its_token),
		cmocka_unit_test(an_answer_to_all_nodes_reaches_who_asked_on_that_link),
		cmocka_unit_test(the_kdc_takes_answers_on_its_own_interface),
		cmocka_unit_test(one_sender_serves_several_groups),
		cmocka_unit_test(a_sender_is_in_no_control_group),
		cmocka_unit_test(hop_limits_fit_the_scope),
		cmocka_unit_test(what_is_no_group_is_refused),
	};

	in_namespace = netns_enter() && netns_veth("left", "right") &&
		       netns_link_local("left", &left) && netns_link_local("right", &right);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
