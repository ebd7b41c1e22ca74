// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/json.h"
#include "io/utf8.h"
#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * UTF-8
 */

static void utf8_is_what_rfc_3629_says(void **state)
{
	static const struct {
		const char *bytes;
		size_t first; /* length of the first character, 0: none */
		bool printable;
	} rows[] = {
		{ "61", 1, true },        { "00", 1, false },       { "1f", 1, false },
		{ "7f", 1, false },       { "c285", 2, false }, // U+0085, next line
		{ "c29f", 2, false },                           // the last of C1
		{ "c2a0", 2, true },                            // U+00A0
		{ "c3a9", 2, true },                            // e acute
		{ "c080", 0, false },                           // U+0000, too long
		{ "c1bf", 0, false },                           // U+007F, too long
		{ "80", 0, false },                             // begins with a continuation
		{ "c3", 0, false },                             // cut
		{ "c341", 0, false },                           // no continuation
		{ "e0a080", 3, true },                          // U+0800, the first of three bytes
		{ "e09fbf", 0, false },                         // U+07FF, too long
		{ "e282ac", 3, true },                          // euro
		{ "e282", 0, false },     { "e28241", 0, false },   { "ed9fbf", 3, true }, // U+D7FF
		{ "eda080", 0, false },                            // U+D800, a surrogate
		{ "efbfbf", 3, true },    { "f0908080", 4, true }, // U+10000
		{ "f08fbfbf", 0, false },                          // U+FFFF, too long
		{ "f48fbfbf", 4, true },                           // U+10FFFF
		{ "f4908080", 0, false },                          // beyond
		{ "f0908041", 0, false }, { "f5808080", 0, false }, { "ff", 0, false },
		{ "", 0, true }, // no character, and none that is wrong
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_span text = hex_span(rows[i].bytes);
		if (io_utf8_next(text) != rows[i].first ||
		    io_utf8_printable(text) != rows[i].printable)
			fail_msg("%s: next %zu, printable %d", rows[i].bytes, io_utf8_next(text),
				 io_utf8_printable(text));
	}
	assert_true(io_utf8_printable(hex_span("61c3a9")));
	assert_false(io_utf8_printable(hex_span("61c3a9ff")));
}

static void what_breaks_or_turns_a_line_is_not_printable(void **state)
{
	static const struct {
		uint32_t min, max; /* in Unicode; their neighbours are printable */
	} rows[] = {
		{ 0x061c, 0x061c }, // Arabic letter mark
		{ 0x200e, 0x200f }, // left-to-right and right-to-left mark
		{ 0x2028, 0x202e }, // separators of lines and paragraphs, embeddings and overrides
		{ 0x2066, 0x2069 }, // isolates
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (uint32_t number = rows[i].min - 1; number <= rows[i].max + 1; number++) {
			const uint8_t three[] = { (uint8_t)(0xe0 | number >> 12),
						  (uint8_t)(0x80 | (number >> 6 & 0x3f)),
						  (uint8_t)(0x80 | (number & 0x3f)) };
			const uint8_t two[] = { (uint8_t)(0xc0 | (number >> 6 & 0x1f)), three[2] };
			struct gk_span one = number < 0x800 ? gk_span(two, 2) : gk_span(three, 3);
			bool inside = number >= rows[i].min && number <= rows[i].max;
			assert_int_equal(io_utf8_number(one), number);
			assert_int_equal(io_utf8_next(one), one.len);
			if (io_utf8_printable(one) == inside)
				fail_msg("U+%04x: printable %d", number, !inside);
		}
	}
}

/*
 * The writer
 */

// All kinds of values, in an order that shows each comma.
static void write_sample(struct io_json *json)
{
	io_json_object(json, NULL);
	io_json_text(json, "text", "a");
	io_json_array(json, "numbers");
	io_json_int(json, NULL, INT64_MIN);
	io_json_int(json, NULL, 0);
	io_json_int(json, NULL, INT64_MAX);
	io_json_end(json);
	io_json_object(json, "empty");
	io_json_end(json);
	io_json_array(json, "none");
	io_json_end(json);
	io_json_bool(json, "yes", true);
	io_json_bool(json, "no", false);
	io_json_text(json, "null", NULL);
	io_json_hex(json, "hex", gk_span("\x00\x9f\xff", 3));
	io_json_hex(json, "no hex", gk_span(NULL, 0));
	io_json_array(json, "objects");
	for (int i = 1; i < 3; i++) {
		io_json_object(json, NULL);
		io_json_int(json, "i", i);
		io_json_end(json);
	}
	io_json_end(json);
	io_json_end(json);
}

static const char sample[] =
	"{\"text\":\"a\",\"numbers\":[-9223372036854775808,0,9223372036854775807],\"empty\":{},"
	"\"none\":[],\"yes\":true,\"no\":false,\"null\":null,\"hex\":\"009fff\",\"no hex\":\"\","
	"\"objects\":[{\"i\":1},{\"i\":2}]}";

static void values_are_written_on_one_line(void **state)
{
	(void)state;
	struct io_json json;
	io_json_init(&json);
	write_sample(&json);
	assert_string_equal(io_json_finish(&json), sample);
	assert_int_equal(json.len, strlen(sample));
	io_json_free(&json);
}

static void thousandths_are_three_decimals(void **state)
{
	static const int64_t numbers[] = { 0, 1, 1250, 60000, INT64_MAX };
	struct io_json json;

	(void)state;
	io_json_init(&json);
	io_json_array(&json, NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		io_json_thousandths(&json, NULL, numbers[i]);
	io_json_end(&json);
	assert_string_equal(io_json_finish(&json),
			    "[0.000,0.001,1.250,60.000,9223372036854775.807]");
	io_json_free(&json);
}

static void growing_memory_takes_any_length(void **state)
{
	(void)state;
	struct io_json json;
	io_json_init(&json);
	io_json_array(&json, NULL);
	for (int i = 0; i < 10000; i++)
		io_json_int(&json, NULL, 7);
	io_json_end(&json);
	const char *text = io_json_finish(&json);
	assert_int_equal(strlen(text), 1 + 2 * 10000);
	assert_int_equal(strspn(text, "[7,"), 2 * 10000);
	io_json_free(&json);
}

static void what_is_still_open_is_not_finished(void **state)
{
	(void)state;
	struct io_json json;
	io_json_init(&json);
	io_json_array(&json, NULL);
	assert_null(io_json_finish(&json));
	io_json_end(&json);
	assert_string_equal(io_json_finish(&json), "[]");
	io_json_free(&json);
}

static void text_is_escaped(void **state)
{
	static const struct {
		const char *bytes;
		const char *want;
	} rows[] = {
		{ "", "\"\"" },
		{ "22", "\"\\\"\"" },
		{ "5c", "\"\\\\\"" },
		{ "2f", "\"/\"" },
		{ "080c0a0d09", "\"\\b\\f\\n\\r\\t\"" },
		{ "00", "\"\\u0000\"" },
		{ "1b5b", "\"\\u001b[\"" },
		{ "7f", "\"\\u007f\"" },
		{ "c285", "\"\\u0085\"" },
		{ "c3a9", "\"\xc3\xa9\"" },
		{ "ff", "\"\xef\xbf\xbd\"" },
		{ "c3", "\"\xef\xbf\xbd\"" },
		{ "61eda08062", "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
				"b\"" },
		{ "f09f92a1", "\"\xf0\x9f\x92\xa1\"" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct io_json json;
		io_json_init(&json);
		io_json_span(&json, NULL, hex_span(rows[i].bytes));
		const char *got = io_json_finish(&json);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %s:\n got %s\nwant %s", rows[i].bytes, got, rows[i].want);
		io_json_free(&json);
	}
}

static void names_are_escaped_too(void **state)
{
	(void)state;
	struct io_json json;
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_int(&json, "a\"b", 1);
	io_json_end(&json);
	assert_string_equal(io_json_finish(&json), "{\"a\\\"b\":1}");
	io_json_free(&json);
}

/*
 * The reader
 */

struct thing {
	char text[8];
	int64_t number;
	uint8_t hex[4];
	uint8_t behind; /* stays 0 */
	size_t hex_len;
	int64_t list[3];
	size_t count;
	uint32_t seen;
};

// {"text": "...", "number": 0, "hex": "00", "list": [1, 2], "inner": {"number": 1}}
static void read_thing(struct io_json_reader *reader, struct thing *thing, int depth)
{
	static const char *const names[] = { "text", "number", "hex", "list", "inner", NULL };

	io_json_read_object(reader);
	while (io_json_read_more(reader)) {
		switch (io_json_read_name(reader, names, &thing->seen)) {
		case 0:
			io_json_read_text(reader, thing->text, sizeof(thing->text));
			break;
		case 1:
			thing->number = io_json_read_int(reader, INT64_MIN, INT64_MAX);
			break;
		case 2:
			thing->hex_len = io_json_read_hex(reader, thing->hex, 1, 4);
			break;
		case 3:
			io_json_read_array(reader);
			while (io_json_read_more(reader)) {
				int64_t n = io_json_read_int(reader, 1, 9);
				if (thing->count == COUNT(thing->list))
					io_json_read_refuse(reader, "full");
				else
					thing->list[thing->count++] = n;
			}
			break;
		case 4:
			if (depth > 0) {
				struct thing inner = { 0 };
				read_thing(reader, &inner, depth - 1);
			}
			break;
		}
	}
}

static bool read_text_of(const char *text, struct thing *thing, char *error, size_t size)
{
	struct io_json_reader reader;

	*thing = (struct thing){ 0 };
	// In memory of its exact size, so that a sanitizer sees what is read behind it.
	io_json_read(&reader, exact_copy(gk_span_str(text)));
	read_thing(&reader, thing, 99);
	return io_json_read_finish(&reader, error, size);
}

static void what_is_written_so_is_read(void **state)
{
	static const char *const texts[] = {
		"{\"text\":\"a\\\"\\\\\\/\\u00e9\",\"number\":-12,\"hex\":\"0aFf\","
		"\"list\":[1,9],\"inner\":{}}",
		" \t\r\n{ \"list\" : [ 1 , 9 ] , \"inner\" : { } , \"hex\" : \"0AfF\" ,\n"
		" \"text\" : \"a\\\"\\\\/\xc3\xa9\" , \"number\" : -12 } \n",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct thing thing;
		char error[128];
		if (!read_text_of(texts[i], &thing, error, sizeof(error)))
			fail_msg("%s: %s", texts[i], error);
		assert_string_equal(thing.text, "a\"\\/\xc3\xa9");
		assert_int_equal(thing.number, -12);
		assert_hex_equal(gk_span(thing.hex, thing.hex_len), "0aff");
		assert_int_equal(thing.count, 2);
		assert_int_equal(thing.list[0] * 10 + thing.list[1], 19);
		assert_int_equal(thing.seen, 31);
	}
}

static void integers_have_their_whole_range(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "{\"number\":0}", 0 },
		{ "{\"number\":-0}", 0 },
		{ "{\"number\":9223372036854775807}", INT64_MAX },
		{ "{\"number\":-9223372036854775808}", INT64_MIN },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct thing thing;
		char error[128];
		assert_true(read_text_of(rows[i].text, &thing, error, sizeof(error)));
		assert_true(thing.number == rows[i].want);
	}
}

static void escapes_beyond_16_bits_are_pairs(void **state)
{
	struct thing thing;
	char error[128];
	(void)state;
	assert_true(read_text_of("{\"text\":\"\\uD83D\\udca1\"}", &thing, error, sizeof(error)));
	assert_string_equal(thing.text, "\xf0\x9f\x92\xa1");
	assert_true(read_text_of("{\"text\":\"\\u20ac\"}", &thing, error, sizeof(error)));
	assert_string_equal(thing.text, "\xe2\x82\xac");
}

static void what_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{ "", "1:1: must be an object" },
		{ "[]", "1:1: must be an object" },
		{ "{", "1:2: must be text in quotes" },
		{ "{}{", "1:3: something follows the end" },
		{ "{} x", "1:4: something follows the end" },
		{ "{,}", "1:2: must be text in quotes" },
		{ "{\"number\":1,}", "1:13: must be text in quotes" },
		{ "{\"number\":1 \"text\":\"a\"}", "1:13: must be a comma, or the end" },
		{ "{\"number\":1]", "1:12: must be a comma, or the end" },
		{ "{number:1}", "1:2: must be text in quotes" },
		{ "{\"number\" 1}", "1:11: must be a colon" },
		{ "{\"number\":1,\n\"number\":1}", "2:1: a name that was here before" },
		{ "{\"numbe\":1}", "1:2: an unknown name" },
		{ "{\"\":1}", "1:2: must not be empty" },
		{ "{\"0123456789012345678901234567890123\":1}", "1:2: text that is too long" },
		{ "{\"number\":}", "1:11: must be an integer" },
		{ "{\"number\":\"1\"}", "1:11: must be an integer" },
		{ "{\"number\":true}", "1:11: must be an integer" },
		{ "{\"number\":01}", "1:11: must be an integer" },
		{ "{\"number\":-}", "1:11: must be an integer" },
		{ "{\"number\":+1}", "1:11: must be an integer" },
		{ "{\"number\":1.0}", "1:11: must be an integer" },
		{ "{\"number\":1e3}", "1:11: must be an integer" },
		{ "{\"number\":1E3}", "1:11: must be an integer" },
		{ "{\"number\":9223372036854775808}", "1:11: must be an integer" },
		{ "{\"number\":-9223372036854775809}", "1:11: must be an integer" },
		{ "{\"number\":99999999999999999999}", "1:11: must be an integer" },
		{ "{\"list\":[0]}", "1:10: a number out of range" },
		{ "{\"list\":[10]}", "1:10: a number out of range" },
		{ "{\"list\":[1,]}", "1:12: must be an integer" },
		{ "{\"list\":[1 2]}", "1:12: must be a comma, or the end" },
		{ "{\"list\":[1,2,3,4]}", "1:17: full" },
		{ "{\"list\":{}}", "1:9: must be an array" },
		{ "{\"list\":[1}", "1:11: must be a comma, or the end" },
		{ "{\"text\":1}", "1:9: must be text in quotes" },
		{ "{\"text\":\"\"}", "1:9: must not be empty" },
		{ "{\"text\":\"12345678\"}", "1:9: text that is too long" },
		{ "{\"text\":\"a\n\"}", "2:1: a control character" },
		{ "{\"text\":\"\\n\"}", "1:11: an escape that is not allowed here" },
		{ "{\"text\":\"\\u0000\"}", "1:16: a control character" },
		{ "{\"text\":\"\\u0085\"}", "1:16: a control character" },
		{ "{\"text\":\"\\x41\"}", "1:11: an escape" },
		{ "{\"text\":\"\\u00g0\"}", "1:14: must be four hex digits" },
		{ "{\"text\":\"\\ud800\"}", "1:16: must be a surrogate pair" },
		{ "{\"text\":\"\\ud800\\u0041\"}", "1:22: must be a surrogate pair" },
		{ "{\"text\":\"\\udc00\\ud800\"}", "1:16: must be a surrogate pair" },
		{ "{\"text\":\"\\ud800\\ue000\"}", "1:22: must be a surrogate pair" },
		{ "{\"text\":\"\xff\"}", "1:10: not UTF-8" },
		{ "{\"text\":\"a", "1:11: text without an end" },
		{ "{\"hex\":\"\"}", "1:8: too few bytes" },
		{ "{\"hex\":\"0102030405\"}", "1:8: too many bytes" },
		{ "{\"hex\":\"012\"}", "1:12: must be an even number of hex digits" },
		{ "{\"hex\":\"0x\"}", "1:10: must be an even number of hex digits" },
		{ "{\"hex\":\"01 02\"}", "1:11: must be an even number of hex digits" },
		{ "{\"hex\":12}", "1:8: must be hex digits in quotes" },
		{ "{\"inner\":[]}", "1:10: must be an object" },
		{ "\xef\xbb\xbf{}", "1:1: must be an object" },
		{ "// no\n{}", "1:1: must be an object" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct thing thing;
		char error[128] = "accepted";
		bool ok = read_text_of(rows[i].text, &thing, error, sizeof(error));
		if (ok || strncmp(error, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("%s:\n got %s\nwant %s", rows[i].text, error, rows[i].error);
		assert_int_equal(thing.behind, 0);
	}
}

static void truncation_anywhere_is_refused(void **state)
{
	static const char whole[] = "{\"text\":\"a\\u00e9\\ud83d\\udca1\",\"number\":-12,"
				    "\"hex\":\"0aff\",\"list\":[1,9],\"inner\":{\"number\":1}}";
	struct thing thing;
	char error[128];
	(void)state;
	assert_true(read_text_of(whole, &thing, error, sizeof(error)));
	for (size_t len = 0; len < strlen(whole); len++) {
		char text[sizeof(whole)];
		memcpy(text, whole, len);
		text[len] = 0;
		error[0] = '\0';
		if (read_text_of(text, &thing, error, sizeof(error)) || !error[0])
			fail_msg("accepted: %s", text);
	}
}

static void nesting_has_an_end(void **state)
{
	char text[9 * 40 + 64] = "";
	(void)state;
	for (int depth = 1; depth < 40; depth++) {
		struct thing thing;
		char error[128];
		text[0] = '\0';
		for (int i = 1; i < depth; i++)
			strcat(text, "{\"inner\":");
		strcat(text, "{");
		for (int i = 0; i < depth; i++)
			strcat(text, "}");
		bool ok = read_text_of(text, &thing, error, sizeof(error));
		assert_int_equal(ok, depth <= IO_JSON_DEPTH_MAX);
		if (!ok)
			assert_non_null(strstr(error, "nested too deep"));
	}
}

static void what_is_left_open_is_refused(void **state)
{
	struct io_json_reader reader;
	char error[64];
	(void)state;
	io_json_read(&reader, gk_span_str("{"));
	io_json_read_object(&reader);
	assert_false(io_json_read_finish(&reader, error, sizeof(error)));
	assert_string_equal(error, "1:2: must end what is open");
}

static void true_and_false_are_words(void **state)
{
	static const struct {
		const char *text;
		bool value;
		const char *error; // NULL: none
	} rows[] = {
		{ "true", true, NULL },
		{ " false ", false, NULL },
		{ "tru", false, "1:1: must be true or false" },
		{ "truer", true, "1:5: something follows the end" },
		{ "True", false, "1:1: must be true or false" },
		{ "\"true\"", false, "1:1: must be true or false" },
		{ "1", false, "1:1: must be true or false" },
		{ "", false, "1:1: must be true or false" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct io_json_reader reader;
		char error[64] = "";
		io_json_read(&reader, exact_copy(gk_span_str(rows[i].text)));
		assert_int_equal(io_json_read_bool(&reader), rows[i].value);
		assert_int_equal(io_json_read_finish(&reader, error, sizeof(error)),
				 !rows[i].error);
		assert_string_equal(error, rows[i].error ? rows[i].error : "");
	}
}

static void the_first_error_stays(void **state)
{
	struct io_json_reader reader;
	char error[64], text[8] = "before";
	(void)state;
	io_json_read(&reader, gk_span_str("{\"a\":1}"));
	io_json_read_refuse(&reader, "first");
	io_json_read_refuse(&reader, "second");
	io_json_read_object(&reader);
	assert_false(io_json_read_more(&reader));
	io_json_read_text(&reader, text, sizeof(text));
	assert_int_equal(io_json_read_int(&reader, 1, 2), 0);
	assert_false(io_json_read_finish(&reader, error, sizeof(error)));
	assert_string_equal(error, "1:1: first");
	assert_string_equal(text, "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
		cmocka_unit_test(what_breaks_or_turns_a_line_is_not_printable),
		cmocka_unit_test(values_are_written_on_one_line),
		cmocka_unit_test(thousandths_are_three_decimals),
		cmocka_unit_test(growing_memory_takes_any_length),
		cmocka_unit_test(what_is_still_open_is_not_finished),
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(names_are_escaped_too),
		cmocka_unit_test(what_is_written_so_is_read),
		cmocka_unit_test(integers_have_their_whole_range),
		cmocka_unit_test(escapes_beyond_16_bits_are_pairs),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(what_is_left_open_is_refused),
		cmocka_unit_test(true_and_false_are_words),
		cmocka_unit_test(the_first_error_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
