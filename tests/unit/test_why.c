// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The words of gatewayctl why; whole answers are test_calls.c's matter.
 */
#include "gatewayd/why.h"
#include "libgroupkey/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void facts_are_told_with_their_detail_and_number(void **state)
{
	static const struct {
		enum gk_fact fact;
		uint32_t detail, times;
		const char *text;
	} rows[] = {
		{ GK_FACT_JOINED, 0, 1, "joined" },
		{ GK_FACT_JOINED, 7, 1, "joined" }, // it has none
		{ GK_FACT_REQUEST, 0, 4, "sent a protected request (4 times)" },
		{ GK_FACT_SILENT, 300, 1, "was silent for 300 s" },
		{ GK_FACT_SILENT, 300, 2, "was silent for 300 s (2 times)" },
		{ GK_FACT_ROUTED, 0, 1, // whose answer is not known yet
		  "is behind a router, and only that can the kernel look for" },
		{ GK_FACT_PROBED, 0, 1, "was asked" }, // nobody doubted it
		{ GK_FACT_PROBED, 2, 1, "was asked: probe 2" },
		{ GK_FACT_PROBED_BY_MULTICAST, 3, 1, "was asked by multicast: probe 3" },
		{ GK_FACT_WITNESSED, 8, 1, "others were heard of meanwhile: 8" },
		{ GK_FACT_BLIND, GK_BLIND_RADIO_DOWN, 1,
		  "the gateway became blind: the radio is down" },
		{ GK_FACT_BLIND, UINT32_MAX, 1, "the gateway became blind: unknown" },
		{ (enum gk_fact)9999, UINT32_MAX, 1, "unknown" },
	};
	char text[GW_WHY_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_evidence evidence = { .fact = rows[i].fact,
						.detail = rows[i].detail,
						.times = rows[i].times };
		assert_string_equal(gw_why_fact(&evidence, text), rows[i].text);
	}
}

/* It is 2026-11-21T18:00:00Z, and 100 s on the other clock. */
static const struct gk_now now = { .mono = { 100000 }, .utc = { 1795284000 } };

static void what_comes_next_is_told_with_its_time(void **state)
{
	static const struct {
		struct gk_outlook outlook;
		const char *text;
	} rows[] = {
		{ { .next = GK_NEXT_NOTHING, .at_ms = GK_NEVER },
		  "it can be asked nothing, and stays until it leaves, is evicted, or its token "
		  "ends" },
		{ { .next = GK_NEXT_CHECK, .at_ms = 160000 },
		  "it is asked at 2026-11-21T18:01:00Z, in 60 s, if it stays silent" },
		{ { .next = GK_NEXT_CHECK, .at_ms = 99000 }, // just now
		  "it is asked at 2026-11-21T17:59:59Z, in 0 s, if it stays silent" },
		{ { .next = GK_NEXT_VERDICT, .at_ms = 104200 }, // not before
		  "the kernel's verdict is waited for until 2026-11-21T18:00:05Z, in 5 s; then it "
		  "is asked itself" },
		{ { .next = GK_NEXT_ANSWER, .at_ms = 105000 },
		  "its answer is waited for until 2026-11-21T18:00:05Z, in 5 s; without one it is "
		  "suspect" },
		{ { .next = GK_NEXT_ANSWER, .at_ms = 105000, .probe = 1, .probes = 3 },
		  "the answer to probe 1 of 3 is waited for until 2026-11-21T18:00:05Z, in 5 s; "
		  "without one it is asked again" },
		{ { .next = GK_NEXT_ANSWER, .at_ms = 105000, .probe = 3, .probes = 3 },
		  "the answer to probe 3 of 3 is waited for until 2026-11-21T18:00:05Z, in 5 s; "
		  "without one it is absent" },
		{ { .next = GK_NEXT_REMOVAL, .at_ms = 160000 },
		  "it is removed at 2026-11-21T18:01:00Z, in 60 s, unless it is heard of" },
		{ { .next = GK_NEXT_ASKED, .at_ms = 160000 },
		  "it stays (evict = false), and is asked again at 2026-11-21T18:01:00Z, in 60 s" },
		{ { .next = GK_NEXT_WAIT, .at_ms = GK_NEVER },
		  "its time is over: it is removed as soon as enough others are heard of, and "
		  "evict_rate allows it" },
		{ { .next = GK_NEXT_REJOIN, .at_ms = GK_NEVER },
		  "it may join again with its token" },
	};
	char text[GW_WHY_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_why_next next = { .outlook = rows[i].outlook };
		assert_string_equal(gw_why_next(&next, now, text), rows[i].text);
		next.banned = true;
		assert_string_equal(gw_why_next(&next, now, text),
				    "it is banned: it cannot join before gatewayctl unban");
	}
}

static void who_is_blind_tells_why_and_what_ends_it(void **state)
{
	static const struct {
		enum gk_blindness blind;
		const char *text;
	} rows[] = {
		{ GK_BLIND_LINK_DOWN,
		  "nobody is judged while the gateway is blind: the interface is down" },
		{ GK_BLIND_MASS_LOSS,
		  "nobody is removed until enough are heard of again, or 'gatewayctl confirm "
		  "lights' says that they are gone" },
	};
	char text[GW_WHY_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_why_next next = { .outlook = { .next = GK_NEXT_SIGHT, .at_ms = GK_NEVER },
					    .group = gk_span_str("lights"),
					    .blind = rows[i].blind };
		assert_string_equal(gw_why_next(&next, now, text), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_told_with_their_detail_and_number),
		cmocka_unit_test(what_comes_next_is_told_with_its_time),
		cmocka_unit_test(who_is_blind_tells_why_and_what_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
