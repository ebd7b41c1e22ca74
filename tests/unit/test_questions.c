// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/questions.h"
#include "libgroupkey/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 64

static const struct gk_mono start = { 1000 };

static struct gk_span span_of(const uint8_t token[static GW_QUESTION_TOKEN])
{
	return gk_span(token, GW_QUESTION_TOKEN);
}

static void a_question_is_found_by_its_token_and_nothing_else(void **state)
{
	struct gw_questions questions = { NULL };
	uint8_t token[COUNT][GW_QUESTION_TOKEN], longer[GW_QUESTION_TOKEN + 1] = { 0 };
	uint64_t id = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(gw_questions_add(&questions, 100 + i, 5000, start, token[i]), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(gw_questions_find(&questions, span_of(token[i]), &id));
		assert_int_equal(id, 100 + i);
		assert_true(gw_questions_find(&questions, span_of(token[i]), &id)); // again
		memcpy(longer, token[i], GW_QUESTION_TOKEN);
		assert_false(gw_questions_find(&questions, gk_span(longer, sizeof(longer)), &id));
		assert_false(gw_questions_find(&questions, gk_span(token[i], 3), &id));
		token[i][0] ^= 0xff;
	}
	assert_false(gw_questions_find(&questions, gk_span(NULL, 0), &id));
	gw_questions_drop(&questions, 100);
	gw_questions_drop(&questions, 100);
	token[0][0] ^= 0xff;
	assert_false(gw_questions_find(&questions, span_of(token[0]), &id));
	gw_questions_free(&questions);
	assert_null(questions.list);
}

static void each_ends_at_its_time_and_once(void **state)
{
	struct gw_questions questions = { NULL };
	uint8_t token[3][GW_QUESTION_TOKEN];
	uint64_t id;

	(void)state;
	assert_int_equal(gw_questions_next_expiry(&questions).ms, GK_NEVER);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(gw_questions_add(&questions, i, 5000 - 1000 * i, start, token[i]),
				 0);
	assert_int_equal(gw_questions_next_expiry(&questions).ms, start.ms + 3000);
	assert_false(gw_questions_expire(&questions, (struct gk_mono){ start.ms + 2999 }, &id));
	assert_true(gw_questions_expire(&questions, (struct gk_mono){ start.ms + 3000 }, &id));
	assert_int_equal(id, 2);
	assert_false(gw_questions_find(&questions, span_of(token[2]), &id));
	assert_true(gw_questions_find(&questions, span_of(token[1]), &id));
	assert_int_equal(gw_questions_next_expiry(&questions).ms, start.ms + 4000);
	assert_true(gw_questions_expire(&questions, (struct gk_mono){ start.ms + 9000 }, &id));
	assert_true(gw_questions_expire(&questions, (struct gk_mono){ start.ms + 9000 }, &id));
	assert_false(gw_questions_expire(&questions, (struct gk_mono){ start.ms + 9000 }, &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_found_by_its_token_and_nothing_else),
		cmocka_unit_test(each_ends_at_its_time_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
