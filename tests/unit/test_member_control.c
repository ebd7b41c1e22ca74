// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/log.h"
#include "member/control.h"
#include "tests/lib/hex.h"
#include "tests/lib/netns.h"

static bool in_namespace;
static struct gk_addr left, right; // two ends of one wire: the KDC's and ours

/** Us, and what we heard. */
struct fixture {
	struct gkm_control control;
	size_t heard;
	struct gk_exchange exchange;
	struct gk_span message;
};

static void on_message(void *ctx, const struct gk_exchange *exchange, struct gk_span message)
{
	struct fixture *f = ctx;

	f->heard++;
	f->exchange = *exchange;
	f->message = exact_copy(message);
}

static void open_fixture(struct fixture *f)
{
	*f = (struct fixture){
		.control = { .handler = on_message, .ctx = f, .interface = right.scope },
	};
	assert_int_equal(io_loop_new(&f->control.loop), 0);
}

static void close_fixture(struct fixture *f)
{
	gkm_control_keep(&f->control, NULL, 0);
	assert_int_equal(f->control.count, 0);
	io_loop_free(f->control.loop);
}

// Turns of the loop, until 'count' messages have come or nothing does for a while.
static void hear(struct fixture *f, size_t count, int limit_ms)
{
	struct gk_mono limit = { io_now().mono.ms + limit_ms };

	while (f->heard < count && io_now().mono.ms < limit.ms)
		assert_int_equal(io_loop_turn(f->control.loop, limit), 0);
}

// As a control_group_uri has it: without an interface.
static struct gk_addr group_at(uint8_t last_byte, uint16_t port)
{
	return (struct gk_addr){ .ip = { 0xff, 3, [15] = last_byte }, .port = port };
}

static struct io_group *open_kdc(const struct gk_addr *group, struct fixture *f)
{
	struct gk_addr there = *group;
	struct io_group *kdc;

	there.scope = left.scope;
	assert_int_equal(io_group_open(&kdc, IO_GROUP_CONTROL_SENDER, &there, on_message, f), 0);
	return kdc;
}

// Does a message to this group reach us?
static bool reaches(struct fixture *f, const struct gk_addr *group)
{
	struct io_group *kdc = open_kdc(group, f);
	size_t before = f->heard;

	assert_int_equal(io_group_send(kdc, hex_span("02 ff 01")), 0);
	hear(f, before + 1, 100);
	hear(f, before + 2, 20); // nor twice
	io_group_close(kdc);
	assert_true(f->heard <= before + 1);
	return f->heard > before;
}

static void need_namespace(const char *test)
{
	if (in_namespace)
		return;
	print_message("%s: no network namespace, skipped\n", test);
	skip();
}

static void groups_come_and_go_with_those_that_want_them(void **state)
{
	const struct gk_addr a = group_at(1, 5686), b = group_at(2, 5686), c = group_at(1, 5687);
	struct fixture f;

	(void)state;
	need_namespace(__func__);
	open_fixture(&f);
	assert_false(reaches(&f, &a));

	gkm_control_keep(&f.control, (struct gk_addr[]){ a, b, a }, 3);
	assert_int_equal(f.control.count, 2);
	assert_true(reaches(&f, &a));
	assert_true(reaches(&f, &b));
	assert_false(reaches(&f, &c));

	gkm_control_keep(&f.control, (struct gk_addr[]){ c, b }, 2);
	assert_int_equal(f.control.count, 2);
	assert_false(reaches(&f, &a));
	assert_true(reaches(&f, &b));
	assert_true(reaches(&f, &c));

	gkm_control_keep(&f.control, NULL, 0);
	assert_int_equal(f.control.count, 0);
	assert_false(reaches(&f, &b));
	close_fixture(&f);
}

// What waits in a socket that stays is not lost.
static void a_group_that_stays_stays_open(void **state)
{
	const struct gk_addr a = group_at(1, 5686), b = group_at(2, 5686);
	struct io_group *kdc;
	struct fixture f;

	(void)state;
	need_namespace(__func__);
	open_fixture(&f);
	gkm_control_keep(&f.control, (struct gk_addr[]){ a, b }, 2);
	kdc = open_kdc(&b, &f);
	assert_int_equal(io_group_send(kdc, hex_span("02 ff 01")), 0);
	gkm_control_keep(&f.control, &b, 1);
	hear(&f, 1, 1000);
	assert_int_equal(f.heard, 1);
	io_group_close(kdc);
	close_fixture(&f);
}

static void confirmations_go_from_the_port_of_their_group(void **state)
{
	const struct gk_addr groups[] = { group_at(1, 5686), group_at(1, 5687) };
	struct io_group *own;
	struct fixture f;

	(void)state;
	need_namespace(__func__);
	open_fixture(&f);
	gkm_control_keep(&f.control, groups, 2);
	for (size_t i = 0; i < 2; i++) {
		struct fixture at_kdc = { .heard = 0 };
		struct io_group *kdc = open_kdc(&groups[i], &at_kdc);

		assert_int_equal(io_group_send(kdc, hex_span("02 ff 01")), 0);
		hear(&f, i + 1, 1000);
		assert_int_equal(f.heard, i + 1);
		own = gkm_control_find(&f.control, f.exchange.peer.port);
		assert_non_null(own);
		assert_int_equal(
			io_group_answer(own, &f.exchange.peer, hex_span(""), hex_span("44 ff 02")),
			0);
		for (int tries = 0; tries < 100 && at_kdc.heard == 0; tries++) {
			hear(&f, i + 2, 10);
			io_group_read(kdc);
		}
		assert_int_equal(at_kdc.heard, 1);
		assert_hex_equal(at_kdc.message, "44ff02");
		assert_memory_equal(at_kdc.exchange.peer.ip, right.ip, 16);
		assert_int_equal(at_kdc.exchange.peer.port, groups[i].port);
		io_group_close(kdc);
	}
	assert_null(gkm_control_find(&f.control, 5688));
	close_fixture(&f);
}

// The others are opened, and the next call tries again.
static void what_cannot_be_opened_hinders_nobody(void **state)
{
	const struct gk_addr none = { .ip = { 0xfd, [15] = 1 }, .port = 5686 };
	const struct gk_addr a = group_at(1, 5686);
	struct fixture f;

	(void)state;
	need_namespace(__func__);
	open_fixture(&f);
	for (int i = 0; i < 2; i++) {
		gkm_control_keep(&f.control, (struct gk_addr[]){ none, a }, 2);
		assert_int_equal(f.control.count, 1);
		assert_true(reaches(&f, &a));
	}
	f.control.interface = 123456;
	gkm_control_keep(&f.control, &a, 1);
	assert_int_equal(f.control.count, 0);
	f.control.interface = right.scope;
	gkm_control_keep(&f.control, &a, 1);
	assert_true(reaches(&f, &a));
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_come_and_go_with_those_that_want_them),
		cmocka_unit_test(a_group_that_stays_stays_open),
		cmocka_unit_test(confirmations_go_from_the_port_of_their_group),
		cmocka_unit_test(what_cannot_be_opened_hinders_nobody),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	in_namespace = netns_enter() && netns_veth("left", "right") &&
		       netns_link_local("left", &left) && netns_link_local("right", &right);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
