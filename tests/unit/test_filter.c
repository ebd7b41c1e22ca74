// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/filter.h"

#include "tests/lib/env.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define ELEMENTS 8000 /* a request of 8,192 bytes has room for them */
#define MEMBERS  40000
#define ENOUGH_S 2

static uint8_t bytes[ELEMENTS + 64];

/* [true, roles, []] */
static struct gk_span put_filter(const uint32_t *roles, size_t count, size_t times)
{
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, 3);
	gk_put_bool(&buf, true);
	gk_put_array(&buf, count * times);
	for (size_t i = 0; i < count * times; i++)
		gk_put_uint(&buf, roles[i % count]);
	gk_put_array(&buf, 0);
	assert_false(buf.overflow);
	return gk_buf_span(&buf);
}

static bool passes(const uint32_t *wanted, size_t count, uint32_t roles)
{
	struct test_env source;
	struct gk_env env = test_env(&source, 1);
	const struct gk_node node = { .roles = roles };
	struct gk_filter filter;
	bool found;

	assert_int_equal(gk_filter_read(&env, put_filter(wanted, count, 1), &filter), GK_OK);
	found = gk_filter_passes(&filter, &node);
	gk_filter_wipe(&env, &filter);
	return found;
}

static void all_roles_of_one_element_are_what_counts(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < 70; first++) {
		for (uint32_t roles = 0; roles <= GK_ROLE_ALL; roles += 2) {
			const uint32_t wanted[] = { 1, first };

			assert_int_equal(passes(wanted, 2, roles), (roles & first) == first);
		}
	}
}

static void what_a_member_costs_does_not_grow_with_the_elements(void **state)
{
	static const uint32_t never[] = { 1, 3, 5, 7, 9, 11, 13, 15 };
	const struct gk_node node = { .roles = GK_ROLE_REQUESTER };
	struct test_env source;
	struct gk_env env = test_env(&source, 1);
	struct gk_filter filter;
	clock_t begin = clock();

	(void)state;
	assert_int_equal(gk_filter_read(&env, put_filter(never, 8, ELEMENTS / 8), &filter), GK_OK);
	for (size_t i = 0; i < MEMBERS; i++)
		assert_false(gk_filter_passes(&filter, &node));
	gk_filter_wipe(&env, &filter);
	assert_true(clock() - begin < ENOUGH_S * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_roles_of_one_element_are_what_counts),
		cmocka_unit_test(what_a_member_costs_does_not_grow_with_the_elements),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
