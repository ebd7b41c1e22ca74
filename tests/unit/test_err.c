// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/groupkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LAST    GK_ERR_STATE
#define UNKNOWN "unknown error"

/* Written out, since the values are never to be renumbered. */
static const int values[] = {
	0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
};
#define COUNT (sizeof(values) / sizeof(values[0]))

static const char *sentence(int value)
{
	return gk_strerror((enum gk_err)value);
}

static void every_error_has_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		assert_string_not_equal(sentence(values[i]), "");
		assert_string_not_equal(sentence(values[i]), UNKNOWN);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(sentence(values[i]), sentence(values[j]));
	}
	assert_int_equal(values[COUNT - 1], LAST);
}

static bool is_listed(int value)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (values[i] == value)
			return true;
	}
	return false;
}

static void other_numbers_are_unknown_errors(void **state)
{
	(void)state;
	for (int value = -3; value < 300; value++) {
		if (!is_listed(value))
			assert_string_equal(sentence(value), UNKNOWN);
	}
	assert_string_equal(sentence(INT32_MAX), UNKNOWN);
	assert_string_equal(sentence(INT32_MIN), UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_sentence_of_its_own),
		cmocka_unit_test(other_numbers_are_unknown_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
