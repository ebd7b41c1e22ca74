// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/mem.h"

#include "tests/lib/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Memory that shows what was in it when it came back. */
static uint8_t pool[64];
static bool was_wiped;

static void *give_pool(void *ctx, void *old, size_t size)
{
	(void)ctx;
	if (!size) {
		was_wiped = true;
		for (size_t i = 0; i < 32; i++)
			was_wiped = was_wiped && ((uint8_t *)old)[i] == 0;
		return NULL;
	}
	memset(pool, 0xaa, sizeof(pool));
	return size <= sizeof(pool) ? pool : NULL;
}

static const struct gk_env pool_env = { .alloc = give_pool };

static void memory_comes_zeroed_and_goes_wiped(void **state)
{
	uint8_t *data = gk_alloc(&pool_env, 32);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(data[i], 0);
	memset(data, 0x5a, 32);
	was_wiped = false;
	gk_free(&pool_env, data, 32);
	assert_true(was_wiped);
	was_wiped = false;
	gk_free(&pool_env, NULL, 32); // allowed
	assert_false(was_wiped);
	assert_null(gk_alloc(&pool_env, 65));
}

static void a_blob_is_a_copy_and_is_replaced_whole(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_blob blob = { NULL, 0 };
	uint8_t bytes[] = "first";

	(void)state;
	assert_int_equal(gk_blob_set(&env, &blob, gk_span(bytes, 5)), GK_OK);
	bytes[0] = 'F';
	assert_true(gk_span_equal(gk_blob_span(&blob), gk_span_str("first")));
	test_env_fail_alloc(&t, 1);
	assert_int_equal(gk_blob_set(&env, &blob, gk_span_str("second one")), GK_ERR_NO_MEMORY);
	assert_true(gk_span_equal(gk_blob_span(&blob), gk_span_str("first")));
	// from itself
	assert_int_equal(gk_blob_set(&env, &blob, gk_span_sub(gk_blob_span(&blob), 1, 3)), GK_OK);
	assert_true(gk_span_equal(gk_blob_span(&blob), gk_span_str("irs")));
	assert_int_equal(gk_blob_set(&env, &blob, gk_span(NULL, 0)), GK_OK);
	assert_null(blob.data);
	assert_int_equal(t.blocks, 0);
	gk_blob_wipe(&env, &blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed_and_goes_wiped),
		cmocka_unit_test(a_blob_is_a_copy_and_is_replaced_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
