// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/alarm.h"
#include "gatewayd/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 64

static bool is_known(const char *word)
{
	return strcmp(word, "unknown") != 0;
}

/* It goes into JSON, tables and labels as it is. */
static void assert_word(const char *word)
{
	size_t len = strlen(word);

	if (len == 0 || strspn(word, "abcdefghijklmnopqrstuvwxyz-") != len)
		fail_msg("'%s' is no word", word);
}

static const char *fact(int i)
{
	return gw_word_of_fact((enum gk_fact)i);
}

static const char *blindness(int i)
{
	return gw_word_of_blindness((enum gk_blindness)i);
}

static const char *presence(int i)
{
	return gw_word_of_presence((enum gk_presence)i);
}

static const char *storage(int i)
{
	return gw_word_of_storage((enum gk_storage)i);
}

static const char *alarm_of(int i)
{
	return i < GW_ALARMS ? gw_word_of_alarm((enum gw_alarm_kind)i) : "unknown";
}

static const struct {
	const char *(*word)(int i);
	int first;
} kinds[] = { { fact, 1 }, { blindness, 1 }, { presence, 0 }, { storage, 0 }, { alarm_of, 0 } };

static void each_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		for (int i = kinds[kind].first; i < LIMIT; i++) {
			const char *word = kinds[kind].word(i);
			assert_word(word);
			for (int k = kinds[kind].first; is_known(word) && k < i; k++)
				assert_string_not_equal(word, kinds[kind].word(k));
		}
	}
}

static void nothing_has_no_word(void **state)
{
	(void)state;
	assert_string_equal(gw_word_of_fact(GK_FACT_NONE), "");
	assert_string_equal(gw_word_of_blindness(GK_BLIND_NOT), "");
	assert_string_equal(gw_word_of_alarm(GW_ALARMS), "");
}

/* What the library has a sentence for, programs have a word for. */
static void what_is_told_to_people_is_told_to_programs(void **state)
{
	(void)state;
	for (int i = 0; i < LIMIT; i++) {
		if (is_known(gk_fact_str((enum gk_fact)i)) != is_known(fact(i)))
			fail_msg("fact %d: %s", i, gk_fact_str((enum gk_fact)i));
		if (is_known(gk_blindness_str((enum gk_blindness)i)) != is_known(blindness(i)))
			fail_msg("blindness %d: %s", i, gk_blindness_str((enum gk_blindness)i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_a_word_of_its_own),
		cmocka_unit_test(nothing_has_no_word),
		cmocka_unit_test(what_is_told_to_people_is_told_to_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
