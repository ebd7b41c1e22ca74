// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/uri.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void addresses_in_each_form_are_read(void **state)
{
	static const struct {
		const char *text, *ip;
	} rows[] = {
		{ "::", "00000000000000000000000000000000" },
		{ "::1", "00000000000000000000000000000001" },
		{ "1::", "00010000000000000000000000000000" },
		{ "fd00::3", "fd000000000000000000000000000003" },
		{ "fd00::A:bC", "fd000000000000000000000000"
				"0a00bc" },
		{ "1:2:3:4:5:6:7:8", "00010002000300040005000600070008" },
		{ "1:2:3::6:7:8", "00010002000300000000000600070008" },
		{ "::2:3:4:5:6:7:8", "00000002000300040005000600070008" },
		{ "1:2:3:4:5:6:7::", "00010002000300040005000600070000" },
		{ "ffff:ffff::ffff", "ffffffff00000000000000000000ffff" },
		{ "0001::0", "00010000000000000000000000000000" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t ip[16];

		if (gk_ip_read(exact_copy(gk_span_str(rows[i].text)), ip))
			fail_msg("%s", rows[i].text);
		assert_hex_equal_row(gk_span(ip, 16), rows[i].ip, rows[i].text);
	}
}

static void what_is_no_address_is_malformed_and_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		":::",
		"1",
		"1:",
		":1",
		"1:2",
		"1::2::3",
		"12345::",
		"g::",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8:",
		":1:2:3:4:5:6:7:8",
		"1::2:3:4:5:6:7:8",
		"::1:2:3:4:5:6:7:8",
		"fd00::1%eth0",
		"::ffff:1.2.3.4",
		" ::1",
		"::1 ",
		"1:::2",
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t ip[16], before[16];

		memset(ip, 0x5a, 16);
		memcpy(before, ip, 16);
		if (gk_ip_read(exact_copy(gk_span_str(rows[i])), ip) != GK_ERR_MALFORMED)
			fail_msg("'%s' was read", rows[i]);
		assert_memory_equal(ip, before, 16);
	}
}

static void uris_are_taken_apart(void **state)
{
	static const struct {
		const char *uri;
		uint16_t port;
		const char *path;
	} rows[] = {
		{ "coap://[fd00::3]:5683/ace-group/g/node", 5683, "ace-group/g/node" },
		{ "coap://[fd00::3]/a", 5683, "a" },
		{ "coap://[fd00::3]:61616/a/b", 61616, "a/b" },
		{ "coap://[fd00::3]:65535", 65535, "" },
		{ "coap://[fd00::3]", 5683, "" },
		{ "coap://[fd00::3]/", 5683, "" },
		{ "coap://[fd00::3]:/x", 5683, "x" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_addr addr = { .scope = 9 };
		struct gk_span path;

		if (gk_uri_read(exact_copy(gk_span_str(rows[i].uri)), &addr, &path))
			fail_msg("%s", rows[i].uri);
		assert_int_equal(addr.port, rows[i].port);
		assert_int_equal(addr.scope, 0);
		assert_hex_equal(gk_span(addr.ip, 16), "fd000000000000000000000000000003");
		assert_true(gk_span_equal(path, gk_span_str(rows[i].path)));
	}
}

static void bad_uris_are_refused_and_nothing_changed(void **state)
{
	static const struct {
		const char *uri;
		enum gk_err err;
	} rows[] = {
		{ "", GK_ERR_UNSUPPORTED },
		{ "coap", GK_ERR_UNSUPPORTED },
		{ "coaps://[fd00::3]/a", GK_ERR_UNSUPPORTED },
		{ "coap://node.example/a", GK_ERR_UNSUPPORTED },
		{ "coap://192.0.2.1/a", GK_ERR_UNSUPPORTED },
		{ "coap://[fd00::3]/a?b", GK_ERR_UNSUPPORTED },
		{ "coap://[fd00::3]/a#b", GK_ERR_UNSUPPORTED },
		{ "coap://[fd00::3]/%61", GK_ERR_UNSUPPORTED },
		{ "coap://[", GK_ERR_MALFORMED },
		{ "coap://[fd00::3", GK_ERR_MALFORMED },
		{ "coap://[]/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]x/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:0/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:65536/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:99999/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:005683/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:56a/a", GK_ERR_MALFORMED },
		{ "coap://[fd00::3]:-1/a", GK_ERR_MALFORMED },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_addr addr, before;
		struct gk_span path = { NULL, 42 };
		enum gk_err err;

		memset(&addr, 0x5a, sizeof(addr));
		before = addr;
		err = gk_uri_read(exact_copy(gk_span_str(rows[i].uri)), &addr, &path);
		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].uri, err);
		assert_memory_equal(&addr, &before, sizeof(addr));
		assert_int_equal(path.len, 42);
	}
}

/* writing */

static struct gk_span put(const char *ip_hex, uint16_t port, uint8_t *bytes, size_t cap)
{
	struct gk_buf buf = gk_buf(bytes, cap);
	struct gk_addr addr = { .port = port, .scope = 7 };

	hex(ip_hex, addr.ip, sizeof(addr.ip));
	gk_uri_put(&buf, &addr);
	assert_false(buf.overflow);
	return gk_buf_span(&buf);
}

static void uris_are_written_in_the_one_form_of_rfc_5952(void **state)
{
	static const struct {
		const char *ip;
		uint16_t port;
		const char *uri;
	} rows[] = {
		{ "ff0300000000000000000000000000fd", 5686, "coap://[ff03::fd]:5686" },
		// section 4.1: no leading zeros; 4.3: lower case
		{ "20010db800010002000300040005000a", 1, "coap://[2001:db8:1:2:3:4:5:a]:1" },
		{ "abcdef01000a00b0cafe000100020003", 65535,
		  "coap://[abcd:ef01:a:b0:cafe:1:2:3]:65535" },
		// section 4.2.1: as short as can be
		{ "20010db8000000000000000000020001", 10, "coap://[2001:db8::2:1]:10" },
		{ "00000000000000000000000000000000", 5683, "coap://[::]:5683" },
		{ "00000000000000000000000000000001", 5683, "coap://[::1]:5683" },
		{ "00010000000000000000000000000000", 5683, "coap://[1::]:5683" },
		// section 4.2.2: not one group alone
		{ "20010db8000000010001000100010001", 5683, "coap://[2001:db8:0:1:1:1:1:1]:5683" },
		{ "00000001000200030004000500060007", 5683, "coap://[0:1:2:3:4:5:6:7]:5683" },
		{ "00010002000300040005000600070000", 5683, "coap://[1:2:3:4:5:6:7:0]:5683" },
		// section 4.2.3: the longest run, of equals the first
		{ "20010000000000010000000000000001", 5683, "coap://[2001:0:0:1::1]:5683" },
		{ "20010db8000000000001000000000001", 5683, "coap://[2001:db8::1:0:0:1]:5683" },
		{ "00000000000100000000000000020000", 5683, "coap://[0:0:1::2:0]:5683" },
		{ "00010000000000020003000400000000", 5683, "coap://[1::2:3:4:0:0]:5683" },
		{ "00010002000300040005000600000000", 5683, "coap://[1:2:3:4:5:6::]:5683" },
		{ "00000000000300040005000600070008", 5683, "coap://[::3:4:5:6:7:8]:5683" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		struct gk_span uri = put(rows[i].ip, rows[i].port, bytes, sizeof(bytes));

		if (!gk_span_equal(uri, gk_span_str(rows[i].uri)))
			fail_msg("%.*s, not %s", (int)uri.len, (const char *)uri.data, rows[i].uri);
	}
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned groups = 0; groups < 256; groups++) { // each pattern of zeros
		struct gk_addr addr = { .port = (uint16_t)(groups + 1) }, back;
		uint8_t bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_span path;

		for (size_t i = 0; i < 8; i++)
			addr.ip[2 * i + i % 2] = groups >> i & 1 ? (uint8_t)(0x9f + i) : 0;
		gk_uri_put(&buf, &addr);
		assert_int_equal(gk_uri_read(exact_copy(gk_buf_span(&buf)), &back, &path), GK_OK);
		assert_memory_equal(back.ip, addr.ip, 16);
		assert_int_equal(back.port, addr.port);
		assert_int_equal(path.len, 0);
	}
}

static void a_uri_that_does_not_fit_is_not_cut(void **state)
{
	static const char uri[] = "coap://[ff03::fd]:5686";
	struct gk_addr addr = { .ip = { 0xff, 0x03, [15] = 0xfd }, .port = 5686 };

	(void)state;
	for (size_t cap = 0; cap < sizeof(uri); cap++) {
		uint8_t bytes[sizeof(uri)];
		struct gk_buf buf = gk_buf(bytes, cap);

		gk_uri_put(&buf, &addr);
		assert_int_equal(buf.overflow, cap < sizeof(uri) - 1);
		assert_int_equal(buf.len, sizeof(uri) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_in_each_form_are_read),
		cmocka_unit_test(what_is_no_address_is_malformed_and_changes_nothing),
		cmocka_unit_test(uris_are_taken_apart),
		cmocka_unit_test(bad_uris_are_refused_and_nothing_changed),
		cmocka_unit_test(uris_are_written_in_the_one_form_of_rfc_5952),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_uri_that_does_not_fit_is_not_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
