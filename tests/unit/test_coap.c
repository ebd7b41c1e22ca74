// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct gk_coap parse(const char *text)
{
	struct gk_coap msg = { .code = 0 };
	enum gk_err err = gk_coap_parse(hex_span(text), &msg);
	if (err)
		fail_msg("%s: error %d", text, err);
	return msg;
}

/* reading */

/* Options as "number=value" in hexadecimal, one space behind each. */
static const struct message_row {
	const char *input;
	uint8_t code;
	const char *options;
	const char *payload;
} message_rows[] = {
	{ "01", 0x01, "", "" },
	{ "45 ff 00", 0x45, "", "00" },
	{ "45 ff ffff", 0x45, "", "ffff" },
	{ "01 b3616263 03646566", 0x01, "11=616263 11=646566 ", "" },
	{ "02 b161 113c 51 06 ff a0", 0x02, "11=61 12=3c 17=06 ", "a0" },
	{ "01 00", 0x01, "0= ", "" },          // option 0 is for nobody, and well-formed
	{ "01 d0 00", 0x01, "13= ", "" },      // one byte more, smallest
	{ "01 d0 ff", 0x01, "268= ", "" },     // largest
	{ "01 e0 0000", 0x01, "269= ", "" },   // two bytes more, smallest
	{ "01 e0 fef2", 0x01, "65535= ", "" }, // largest number
	{ "01 e0 fef2 00", 0x01, "65535= 65535= ", "" },
	{ "01 d1 ef 01 61 02", 0x01, "252=01 258=02 ", "" },
	{ "01 c0 d0 f3", 0x01, "12= 268= ", "" },
	{ "01 0d 00 01020304050607080910111213", 0x01, "0=01020304050607080910111213 ", "" },
	{ "01 dd 0001 0102030405060708091011121314", 0x01, "13=0102030405060708091011121314 ", "" },
};

static void print_options(const struct gk_coap *msg, struct gk_buf *out)
{
	struct gk_coap_iter iter = gk_coap_options(msg);
	while (gk_coap_next(&iter)) {
		char number[16];
		snprintf(number, sizeof(number), "%u=", (unsigned)iter.number);
		gk_buf_add(out, gk_span_str(number));
		gk_buf_add(out, gk_span_str(hex_text(iter.value)));
		gk_buf_byte(out, ' ');
	}
	gk_buf_byte(out, 0);
}

static void messages_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(message_rows); i++) {
		const struct message_row *row = &message_rows[i];
		struct gk_coap msg = parse(row->input);
		char text[256];
		struct gk_buf out = gk_buf(text, sizeof(text));
		print_options(&msg, &out);
		assert_int_equal(gk_buf_err(&out), GK_OK);
		assert_string_equal(text, row->options);
		assert_int_equal(msg.code, row->code);
		assert_hex_equal_row(msg.payload, row->payload, row->input);
	}
}

/* Is there an option, and nothing behind it, whose end is at 'cut'? Then the rest was cut off
 * cleanly. */
static bool is_boundary(struct gk_span whole, size_t cut)
{
	struct gk_coap msg;
	if (cut == 0 || gk_coap_parse(whole, &msg))
		return false;
	size_t options_end = 1 + msg.options.len;
	if (cut == 1 || cut == options_end)
		return true;
	struct gk_coap_iter iter = gk_coap_options(&msg);
	while (gk_coap_next(&iter)) {
		if (cut == options_end - iter.rest.len)
			return true;
	}
	return cut > options_end + 1;
}

static void a_message_cut_inside_an_option_is_malformed(void **state)
{
	(void)state;
	size_t refused = 0;
	for (size_t i = 0; i < ROWS(message_rows); i++) {
		struct gk_span whole = hex_span(message_rows[i].input);
		for (size_t cut = 0; cut < whole.len; cut++) {
			struct gk_coap msg;
			memset(&msg, 0xee, sizeof(msg));
			struct gk_coap before = msg;
			enum gk_err err =
				gk_coap_parse(exact_copy(gk_span_sub(whole, 0, cut)), &msg);
			enum gk_err want = is_boundary(whole, cut) ? GK_OK : GK_ERR_MALFORMED;
			if (err != want)
				fail_msg("%s cut at %zu: error %d, want %d", message_rows[i].input,
					 cut, err, want);
			if (err)
				assert_memory_equal(&msg, &before, sizeof(msg));
			refused += err != GK_OK;
		}
	}
	assert_in_range(refused, 40, 100);
}

static void malformed_messages_change_nothing(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"01 ff", // marker without payload, RFC 7252 section 3
		"01 b161 ff",
		"01 b2 61",      // value shorter than its length
		"01 bd 0a 61",   // the same, length in a byte
		"01 be ffff 61", // in two
		"01 0e fef2",
		"01 f0", // delta 15 is reserved
		"01 f1 61",
		"01 0f", // length 15 too
		"01 0f 010203040506070809101112131415",
		"01 b161 fe 0000 00",
		"01 d0",    // the delta's byte is missing
		"01 e0",    // both
		"01 e0 00", // one of two
		"01 0d",    // the length's
		"01 0e",
		"01 0e 00",
		"01 e0 fef3", // number 65536
		"01 e0 ffff",
		"01 e0 fef2 10", // a second option above 65535
		"01 e0 8000 e0 8000",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_coap msg;
		memset(&msg, 0xee, sizeof(msg));
		struct gk_coap before = msg;
		enum gk_err err = gk_coap_parse(hex_span(rows[i]), &msg);
		if (err != GK_ERR_MALFORMED)
			fail_msg("%s: error %d", rows[i], err);
		assert_memory_equal(&msg, &before, sizeof(msg));
	}
	struct gk_coap msg;
	assert_int_equal(gk_coap_parse(gk_span(NULL, 0), &msg), GK_ERR_MALFORMED);
}

static void the_end_of_the_options_stays_the_end(void **state)
{
	(void)state;
	struct gk_coap msg = parse("02 b161 ff b162");
	struct gk_coap_iter iter = gk_coap_options(&msg);
	assert_true(gk_coap_next(&iter));
	for (int i = 0; i < 3; i++) {
		assert_false(gk_coap_next(&iter));
		assert_int_equal(iter.number, 11); // the last one found
		assert_hex_equal(iter.value, "61");
	}
	// Over bytes that nobody has checked it ends, too.
	iter = (struct gk_coap_iter){ .rest = hex_span("b261") };
	assert_false(gk_coap_next(&iter));
	assert_int_equal(iter.number, 0);
}

static void find_gives_the_first_of_its_number(void **state)
{
	(void)state;
	struct gk_coap msg = parse("02 b161 0162 113c 51 06 ff 0102");
	struct gk_span value = gk_span(NULL, 0);
	assert_true(gk_coap_find(&msg, 11, &value));
	assert_hex_equal(value, "61");
	assert_true(gk_coap_find(&msg, 12, &value));
	assert_hex_equal(value, "3c");
	assert_true(gk_coap_find(&msg, 17, &value));
	assert_hex_equal(value, "06");
	static const uint16_t absent[] = { 0, 10, 13, 16, 18, 65535 };
	for (size_t i = 0; i < ROWS(absent); i++) {
		assert_false(gk_coap_find(&msg, absent[i], &value));
		assert_hex_equal(value, "06");
	}
}

static void numbers_in_options_have_up_to_four_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		int64_t want;
	} rows[] = {
		{ "01", -7 },
		{ "01 c0", 0 },
		{ "01 c13c", 60 },
		{ "01 c20105", 261 },
		{ "01 c4ffffffff", INT64_C(0xffffffff) },
		{ "01 c400000001", 1 }, // RFC 7252 section 3.2: leading zeros are accepted
		{ "01 c50000000001", -7 },
		{ "01 c101 0102", 1 }, // the first counts
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_coap msg = parse(rows[i].input);
		int64_t got = gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -7);
		if (got != rows[i].want)
			fail_msg("%s: got %#jx, want %#jx", rows[i].input, (uintmax_t)got,
				 (uintmax_t)rows[i].want);
	}
}

static const char with_path[] = "01 3168 8161 0162 0163 41 71"; // host h, path a/b/c, query q

static void a_path_matches_segment_by_segment(void **state)
{
	(void)state;
	const struct gk_span abcd[] = { gk_span_str("a"), gk_span_str("b"), gk_span_str("c"),
					gk_span_str("d") };
	const struct gk_span axc[] = { gk_span_str("a"), gk_span_str("x"), gk_span_str("c") };
	const struct gk_span joined[] = { gk_span_str("a/b/c") };
	struct gk_coap msg = parse(with_path);
	assert_true(gk_coap_path_is(&msg, abcd, 3));
	assert_false(gk_coap_path_is(&msg, abcd, 4));
	assert_false(gk_coap_path_is(&msg, abcd, 2));
	assert_false(gk_coap_path_is(&msg, abcd, 0));
	assert_false(gk_coap_path_is(&msg, abcd + 1, 3));
	assert_false(gk_coap_path_is(&msg, axc, 3));
	assert_false(gk_coap_path_is(&msg, joined, 1));
	struct gk_coap root = parse("01 c13c");
	assert_true(gk_coap_path_is(&root, NULL, 0));
	assert_false(gk_coap_path_is(&root, abcd, 1));
}

static void a_path_is_collected_up_to_a_maximum(void **state)
{
	(void)state;
	struct gk_coap msg = parse(with_path);
	for (size_t max = 0; max <= 4; max++) {
		struct gk_span segments[5];
		memset(segments, 0xee, sizeof(segments));
		assert_int_equal(gk_coap_path(&msg, segments, max), max < 3 ? max + 1 : 3);
		for (size_t i = 0; i < max && i < 3; i++) {
			assert_int_equal(segments[i].len, 1);
			assert_int_equal(segments[i].data[0], 'a' + i);
		}
		struct gk_span untouched;
		memset(&untouched, 0xee, sizeof(untouched));
		assert_memory_equal(&segments[max], &untouched, sizeof(untouched));
	}
	struct gk_coap root = parse("01 c13c");
	assert_int_equal(gk_coap_path(&root, NULL, 0), 0);
}

/* writing */

static void a_message_is_written_in_order(void **state)
{
	(void)state;
	uint8_t memory[64];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	gk_coap_put(&w, GK_OPT_OSCORE, hex_span("0914"));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/g1"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put(&w, GK_OPT_ECHO, hex_span("aa"));
	gk_coap_put_uint(&w, GK_OPT_NO_RESPONSE, 26);
	gk_coap_put_payload(&w, hex_span("a0"));
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	assert_hex_equal(gk_buf_span(&buf), "02 920914 29 6163652d67726f7570 026731 120105"
					    "d1e3aa 611a ff a0");
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	static const uint16_t numbers[] = {
		0, 1, 12, 13, 14, 268, 269, 270, 524, 525, 65534, 65535
	};
	static const size_t lengths[] = { 0, 1, 12, 13, 14, 268, 269, 270, 1000, 65804 };
	static uint8_t value[65804], memory[70000];
	memset(value, 0x5a, sizeof(value));
	for (size_t i = 0; i < ROWS(numbers); i++) {
		for (size_t j = 0; j < ROWS(lengths); j++) {
			struct gk_buf buf = gk_buf(memory, sizeof(memory));
			struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
			gk_coap_put(&w, numbers[i], gk_span(value, lengths[j]));
			gk_coap_put_payload(&w, hex_span("01"));
			struct gk_coap msg;
			struct gk_span got;
			assert_int_equal(gk_coap_parse(gk_buf_span(&buf), &msg), GK_OK);
			if (!gk_coap_find(&msg, numbers[i], &got) ||
			    !gk_span_equal(got, gk_span(value, lengths[j])))
				fail_msg("option %u of %zu bytes", (unsigned)numbers[i],
					 lengths[j]);
			assert_hex_equal(msg.payload, "01");
		}
	}
}

static void option_heads_are_the_shortest(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(message_rows); i++) {
		struct gk_coap msg = parse(message_rows[i].input);
		uint8_t memory[64];
		struct gk_buf buf = gk_buf(memory, sizeof(memory));
		struct gk_coap_writer w = gk_coap_begin(&buf, msg.code);
		struct gk_coap_iter iter = gk_coap_options(&msg);
		while (gk_coap_next(&iter))
			gk_coap_put(&w, iter.number, iter.value);
		gk_coap_put_payload(&w, msg.payload);
		assert_hex_equal_row(gk_buf_span(&buf), message_rows[i].input,
				     message_rows[i].input);
	}
}

static void a_value_no_option_can_hold_is_an_overflow(void **state)
{
	(void)state;
	static uint8_t value[65805], memory[70000];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	gk_coap_put(&w, 11, gk_span(value, sizeof(value)));
	gk_coap_put_payload(&w, hex_span("01"));
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
}

static void numbers_are_written_without_leading_zeros(void **state)
{
	(void)state;
	static const struct {
		uint32_t value;
		const char *want;
	} rows[] = {
		{ 0, "01c0" },
		{ 1, "01c101" },
		{ 255, "01c1ff" },
		{ 256, "01c20100" },
		{ 65536, "01c3010000" },
		{ 0x1000000, "01c401000000" },
		{ UINT32_MAX, "01c4ffffffff" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t memory[8];
		struct gk_buf buf = gk_buf(memory, sizeof(memory));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, rows[i].value);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].want);
	}
}

static void a_path_is_written_by_segments(void **state)
{
	(void)state;
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "", "01" },
		{ "a", "01 b161" },
		{ "a/bc", "01 b161 026263" },
		{ "a//b", "01 b161 00 0162" },
		{ "a/", "01 b161 00" },
		{ "/a", "01 b0 0161" },
		{ "/", "01 b0 00" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t memory[16];
		struct gk_buf buf = gk_buf(memory, sizeof(memory));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(rows[i].path));
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].path);
	}
}

static void an_empty_payload_has_no_marker(void **state)
{
	(void)state;
	uint8_t memory[16];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_CHANGED);
	gk_coap_put_payload(&w, gk_span(NULL, 0));
	assert_hex_equal(gk_buf_span(&buf), "44");
}

static void a_message_that_does_not_fit_is_an_overflow(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= 9; cap++) {
		uint8_t memory[16];
		struct gk_buf buf = gk_buf(memory, cap);
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ab/c"));
		gk_coap_put_payload(&w, hex_span("0102"));
		assert_int_equal(buf.len, 9);
		assert_int_equal(gk_buf_err(&buf), cap < 9 ? GK_ERR_NO_SPACE : GK_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_taken_apart),
		cmocka_unit_test(a_message_cut_inside_an_option_is_malformed),
		cmocka_unit_test(malformed_messages_change_nothing),
		cmocka_unit_test(the_end_of_the_options_stays_the_end),
		cmocka_unit_test(find_gives_the_first_of_its_number),
		cmocka_unit_test(numbers_in_options_have_up_to_four_bytes),
		cmocka_unit_test(a_path_matches_segment_by_segment),
		cmocka_unit_test(a_path_is_collected_up_to_a_maximum),
		cmocka_unit_test(a_message_is_written_in_order),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(option_heads_are_the_shortest),
		cmocka_unit_test(a_value_no_option_can_hold_is_an_overflow),
		cmocka_unit_test(numbers_are_written_without_leading_zeros),
		cmocka_unit_test(a_path_is_written_by_segments),
		cmocka_unit_test(an_empty_payload_has_no_marker),
		cmocka_unit_test(a_message_that_does_not_fit_is_an_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
