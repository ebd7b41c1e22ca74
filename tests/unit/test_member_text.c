// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "member/text.h"
#include "tests/lib/hex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* POST, Uri-Path "say", Content-Format 0 (no bytes), No-Response 26, and the text. */
#define HELLO "02 b3736179 10 d1e91a ff68656c6c6f"

static void a_text_becomes_a_post_to_say_without_response(void **state)
{
	uint8_t bytes[GKM_TEXT_MESSAGE_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	(void)state;

	gkm_text_put(&message, gk_span_str("hello"));
	assert_hex_equal(gk_buf_span(&message), HELLO);
}

static void what_one_is_told_wants_a_response(void **state)
{
	uint8_t bytes[GKM_TEXT_MESSAGE_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_span text;
	(void)state;

	gkm_text_put_told(&message, gk_span_str("hi"));
	assert_hex_equal(gk_buf_span(&message), "02b3736179 10 ff6869");
	assert_true(gkm_text_read(exact_copy(gk_buf_span(&message)), &text));
	assert_hex_equal(text, "6869");
}

static void the_longest_text_has_room(void **state)
{
	static uint8_t text[GKM_TEXT_MAX + 1];
	uint8_t bytes[GKM_TEXT_MESSAGE_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_span back;
	(void)state;

	memset(text, 'a', sizeof(text));
	assert_true(gkm_text_fits(gk_span(text, GKM_TEXT_MAX)));
	assert_false(gkm_text_fits(gk_span(text, GKM_TEXT_MAX + 1)));
	assert_false(gkm_text_fits(gk_span(text, 0)));
	gkm_text_put(&message, gk_span(text, GKM_TEXT_MAX));
	assert_true(gkm_text_read(exact_copy(gk_buf_span(&message)), &back));
	assert_int_equal(back.len, GKM_TEXT_MAX);
}

static const struct {
	const char *message, *why;
} others[] = {
	{ "01 b3736179 10 ff68", "GET" },
	{ "02 b3736178 10 ff68", "POST /sax" },
	{ "02 b3736179 0178 ff68", "POST /say/x" },
	{ "02 b3736179 1132 ff68", "JSON" },
	{ "02 b3736179 10 ff", "no payload behind its marker" },
	{ "02 b37361", "cut off" },
	{ "", "nothing" },
};

static void anything_else_is_no_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct gk_span text = { NULL, 7 };
		if (gkm_text_read(hex_span(others[i].message), &text))
			fail_msg("%s was read", others[i].why);
		assert_int_equal(text.len, 7);
	}
}

static void a_text_needs_no_content_format(void **state)
{
	struct gk_span text;
	(void)state;

	assert_true(gkm_text_read(hex_span("02 b3736179 ff6869"), &text));
	assert_hex_equal(text, "6869");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_becomes_a_post_to_say_without_response),
		cmocka_unit_test(what_one_is_told_wants_a_response),
		cmocka_unit_test(the_longest_text_has_room),
		cmocka_unit_test(anything_else_is_no_text),
		cmocka_unit_test(a_text_needs_no_content_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
