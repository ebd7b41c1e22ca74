// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	return pair_begin(state, 12, NULL);
}

static void join(struct pair_raw *raw, struct pair *p)
{
	pair_raw_open(raw, p, 1, "raw1", NULL, &all, 1);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static void speak_from(struct pair_raw *raw, uint8_t last_byte, uint16_t port)
{
	raw->addr.ip[15] = last_byte;
	raw->addr.port = port;
	assert_int_equal(pair_raw_get(raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
}

/* Silent until it is asked: at which address? */
static const struct pair_message *asked_at(struct pair *p, const struct gk_addr *addr)
{
	const struct pair_message *m = NULL;

	pair_advance(p, 1000 * (int64_t)p->config[0].presence.check_interval_s + 6000);
	m = pair_newest(p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE);
	assert_non_null(m);
	return memcmp(m->peer.ip, addr->ip, sizeof(addr->ip)) == 0 ? m : NULL;
}

static void who_moves_is_asked_where_it_was_heard_of_last(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint16_t port;

	join(&raw, p);
	port = raw.addr.port;
	speak_from(&raw, 0x77, (uint16_t)(port + 1));
	const struct pair_message *m = asked_at(p, &raw.addr);
	assert_non_null(m);
	assert_int_equal(m->peer.port, port); // which its control_uri names
}

static void another_port_alone_is_no_move(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint16_t port;

	join(&raw, p);
	port = raw.addr.port;
	speak_from(&raw, raw.addr.ip[15], (uint16_t)(port + 1));
	const struct pair_message *m = asked_at(p, &raw.addr);
	assert_non_null(m);
	assert_int_equal(m->peer.port, port);
}

static void its_addresses_are_shown_the_newest_first(void **state)
{
	struct pair *p = *state;
	struct gk_member_info info;
	struct pair_raw raw;

	join(&raw, p);
	// one is left out, one comes back
	for (uint8_t i = 0x70; i < 0x70 + GK_ADDRESSES_MAX + 1; i++)
		speak_from(&raw, i, raw.addr.port);
	speak_from(&raw, 0x72, raw.addr.port);
	assert_true(pair_shown(p, PAIR_LIGHTS, "raw1", &info));
	assert_int_equal(info.address_count, GK_ADDRESSES_MAX);
	static const uint8_t want[] = { 0x72, 0x74, 0x73, 0x71 };
	for (size_t i = 0; i < sizeof(want); i++)
		assert_int_equal(info.addresses[i].ip[15], want[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		TEST(who_moves_is_asked_where_it_was_heard_of_last),
		TEST(another_port_alone_is_no_move),
		TEST(its_addresses_are_shown_the_newest_first),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
