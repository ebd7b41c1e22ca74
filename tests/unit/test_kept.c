// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/kept.h"

#include "tests/lib/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct gk_exchange exchange = { .id = 1,
					     .peer = { .ip = { 0xfd, 1 }, .port = 5, .scope = 2 },
					     .message_id = 77,
					     .token_len = 2,
					     .token = { 1, 2 } };

static void exactly_the_same_request_gets_the_answer_again(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_kept kept = { .until_ms = 0 };
	struct gk_now now = { { 1000 }, { 0 } }, later = { { 1000 + 246999 }, { 0 } };
	struct gk_span request = gk_span_str("request");
	struct gk_exchange other;

	(void)state;
	assert_false(gk_kept_matches(&kept, &exchange, request, now)); // nothing is kept yet
	assert_int_equal(gk_kept_set(&env, &kept, &exchange, request, gk_span_str("answer"), now),
			 GK_OK);
	other = exchange;
	other.id = 2; // the shell's own name does not matter
	assert_true(gk_kept_matches(&kept, &other, request, later));
	assert_true(gk_span_equal(gk_blob_span(&kept.answer), gk_span_str("answer")));
	later.mono.ms++;
	assert_false(gk_kept_matches(&kept, &exchange, request, later));
	assert_false(gk_kept_matches(&kept, &exchange, gk_span_str("requesT"), now));
	for (int i = 0; i < 7; i++) {
		other = exchange;
		other.peer.ip[15] = i == 0;
		other.peer.port += i == 1;
		other.peer.scope += i == 2;
		other.message_id = (uint16_t)(other.message_id + (i == 3));
		other.token_len = (uint8_t)(other.token_len - (i == 4));
		other.token[1] ^= i == 5;
		assert_int_equal(gk_kept_matches(&kept, &other, request, now), i == 6);
	}
	gk_kept_wipe(&env, &kept);
	assert_false(gk_kept_matches(&kept, &exchange, request, now));
	assert_int_equal(t.blocks, 0);
}

static void a_request_is_known_before_its_answer(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_kept kept = { .until_ms = 0 };
	struct gk_now now = { { 1000 }, { 0 } };
	struct gk_span first = gk_span_str("first"), second = gk_span_str("second");

	(void)state;
	assert_false(gk_kept_is(&kept, &exchange, first, now));
	assert_int_equal(gk_kept_set(&env, &kept, &exchange, first, gk_span_str("answer"), now),
			 GK_OK);
	assert_true(gk_kept_is(&kept, &exchange, first, now));
	assert_int_equal(gk_kept_begin(&env, &kept, &exchange, second, now), GK_OK);
	assert_false(gk_kept_is(&kept, &exchange, first, now));
	assert_true(gk_kept_is(&kept, &exchange, second, now));
	assert_false(gk_kept_matches(&kept, &exchange, second, now)); // the first one's answer
	assert_int_equal(gk_kept_answer(&env, &kept, gk_span_str("another")), GK_OK);
	assert_true(gk_kept_matches(&kept, &exchange, second, now));
	assert_true(gk_span_equal(gk_blob_span(&kept.answer), gk_span_str("another")));
	gk_kept_wipe(&env, &kept);
	assert_false(gk_kept_is(&kept, &exchange, second, now));
	assert_int_equal(t.blocks, 0);
}

static void without_memory_nothing_is_kept(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_kept kept = { .until_ms = 0 };
	struct gk_now now = { { 1000 }, { 0 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		test_env_fail_alloc(&t, 1);
		assert_int_equal(gk_kept_set(&env, &kept, &exchange, gk_span_str("r"),
					     gk_span_str("a"), now),
				 GK_ERR_NO_MEMORY);
		assert_false(gk_kept_matches(&kept, &exchange, gk_span_str("r"), now));
		assert_int_equal(gk_kept_set(&env, &kept, &exchange, gk_span_str("q"),
					     gk_span_str("b"), now),
				 GK_OK);
	}
	gk_kept_wipe(&env, &kept);
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_same_request_gets_the_answer_again),
		cmocka_unit_test(a_request_is_known_before_its_answer),
		cmocka_unit_test(without_memory_nothing_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
