// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/addr.h"
#include "tests/lib/hex.h"

// Interface 1 is 'lo' in every network namespace.
static const struct {
	const char *text, *ip;
	uint16_t port;
	uint32_t scope;
	const char *formatted;
} good[] = {
	{ "[fd00::1]:5683", "fd000000000000000000000000000001", 5683, 0, "[fd00::1]:5683" },
	{ "[fd00::1]", "fd000000000000000000000000000001", 99, 0, "[fd00::1]:99" },
	{ "[::]:0", "00000000000000000000000000000000", 0, 0, "[::]:0" },
	{ "[::1]:65535", "00000000000000000000000000000001", 65535, 0, "[::1]:65535" },
	{ "[fe80::1%lo]:1", "fe800000000000000000000000000001", 1, 1, "[fe80::1%lo]:1" },
	{ "[fe80::1%1]", "fe800000000000000000000000000001", 99, 1, "[fe80::1%lo]:99" },
	{ "[ff03::fd%4294967295]:7", "ff0300000000000000000000000000fd", 7, UINT32_MAX,
	  "[ff03::fd%4294967295]:7" },
	{ "[::ffff:192.0.2.1]:5683", "00000000000000000000ffffc0000201", 5683, 0,
	  "[::ffff:192.0.2.1]:5683" },
	{ "[2001:db8:1111:2222:3333:4444:5555:6666%lo]:65535", "20010db8111122223333444455556666",
	  65535, 1, "[2001:db8:1111:2222:3333:4444:5555:6666%lo]:65535" },
};

static const char *const bad[] = {
	"",
	"[",
	"[]",
	"[]:5683",
	"fd00::1",
	"fd00::1]:5683",
	"[fd00::1",
	"[fd00::1]5683",
	"[fd00::1]:",
	"[fd00::1]:-1",
	"[fd00::1]:+1",
	"[fd00::1]: 1",
	"[fd00::1]:1 ",
	"[fd00::1]:0x10",
	"[fd00::1]:65536",
	"[fd00::1]:18446744073709551617", // 2^64 + 1
	"[fd00::1]]:1",
	" [fd00::1]:1",
	"[192.0.2.1]:5683",
	"[fd00::1::2]:1",
	"[fd00::g]:1",
	"[fe80::1%]:1",
	"[fe80::1%0]:1",
	"[fe80::1%4294967296]:1",
	"[fe80::1%no-such-one]:1",
	"[fe80::1%lo%lo]:1",
	"[%lo]:1",
	"[fd00::1 ]:1",
	"[2001:0db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff]:1",
};

static void addresses_are_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct gk_addr addr = { .port = 1, .scope = 77 };

		if (!io_addr_parse(good[i].text, 99, &addr))
			fail_msg("%s", good[i].text);
		assert_hex_equal_row(gk_span(addr.ip, 16), good[i].ip, good[i].text);
		if (addr.port != good[i].port || addr.scope != good[i].scope)
			fail_msg("%s: port %u scope %u", good[i].text, addr.port, addr.scope);
	}
}

static void what_is_formatted_parses_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct gk_addr addr, again;
		char text[IO_ADDR_TEXT];

		assert_true(io_addr_parse(good[i].text, 99, &addr));
		assert_string_equal(io_addr_format(&addr, text), good[i].formatted);
		assert_true(io_addr_parse(text, 0, &again));
		assert_true(io_addr_equal(&addr, &again));
	}
}

static void anything_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gk_addr addr = { .port = 7, .scope = 8 }, before = addr;

		if (io_addr_parse(bad[i], 99, &addr))
			fail_msg("taken: '%s'", bad[i]);
		assert_true(io_addr_equal(&addr, &before));
	}
}

static void every_part_counts_in_a_comparison(void **state)
{
	const struct gk_addr addr = { .ip = { 0xfe, 0x80 }, .port = 5683, .scope = 2 };
	struct gk_addr rows[] = { addr, addr, addr, addr };

	(void)state;
	assert_true(io_addr_equal(&addr, &rows[0]));
	rows[1].ip[15] ^= 1;
	rows[2].port ^= 0x100;
	rows[3].scope ^= 1;
	for (size_t i = 1; i < 4; i++)
		assert_false(io_addr_equal(&addr, &rows[i]));
}

static void link_local_is_ten_bits_of_an_address(void **state)
{
	static const struct {
		uint8_t first, second;
		bool link_local;
	} rows[] = {
		{ 0xfe, 0x80, true },  { 0xfe, 0xbf, true },  { 0xfe, 0xc0, false },
		{ 0xfe, 0x7f, false }, { 0xff, 0x82, false }, { 0xfd, 0x80, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_addr addr = { .ip = { rows[i].first, rows[i].second } };
		assert_int_equal(io_addr_is_link_local(&addr), rows[i].link_local);
	}
}

static void the_kernel_gets_all_of_it_and_gives_it_back(void **state)
{
	struct gk_addr addr = { .ip = { 0xfe, 0x80, [15] = 9 }, .port = 0x1633, .scope = 3 };
	struct sockaddr_in6 sockaddr = io_addr_to_sockaddr(&addr);

	(void)state;
	assert_int_equal(sockaddr.sin6_family, AF_INET6);
	assert_int_equal(sockaddr.sin6_port, htons(0x1633));
	assert_int_equal(sockaddr.sin6_scope_id, 3);
	assert_memory_equal(&sockaddr.sin6_addr, addr.ip, 16);

	struct gk_addr back = io_addr_from_sockaddr(&sockaddr);
	assert_true(io_addr_equal(&addr, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed),
		cmocka_unit_test(what_is_formatted_parses_back),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(every_part_counts_in_a_comparison),
		cmocka_unit_test(link_local_is_ten_bits_of_an_address),
		cmocka_unit_test(the_kernel_gets_all_of_it_and_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
