// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* the model of frames */

// A frame costs 6 + 15 + 2 = 23 bytes and has room for 127 - 15 - 2 = 110. The compressed headers
// are 2 + 1 + 4 + 1 + 8 = 16, which leaves 94 for a CoAP message that is not fragmented.
//
// The first fragment has room for 110 - 4 - 16 = 90 bytes of it. It stands for 40 + 8 + n bytes of
// the uncompressed packet, which must be a multiple of 8: n = 88. Each other one has room for
// 110 - 5 = 105 and takes 104.
static void frames_and_bytes_are_those_of_the_model(void **state)
{
	(void)state;
	static const struct {
		size_t coap_len, frames, bytes;
	} rows[] = {
		{ 4, 1, 43 },       // 23 + 16 + 4: the smallest CoAP message
		{ 94, 1, 133 },     // 23 + 16 + 94: six bytes and a full frame
		{ 95, 2, 166 },     // 88 + 7: 2 * 23 + 4 + 5 + 16 + 95
		{ 192, 2, 263 },    // 88 + 104: 2 * 23 + 4 + 5 + 16 + 192
		{ 193, 3, 292 },    // 3 * 23 + 4 + 2 * 5 + 16 + 193
		{ 296, 3, 395 },    // 88 + 2 * 104: 3 * 23 + 4 + 2 * 5 + 16 + 296
		{ 297, 4, 424 },    // 4 * 23 + 4 + 3 * 5 + 16 + 297
		{ 1232, 12, 1583 }, // 88 + 11 * 104: 12 * 23 + 4 + 11 * 5 + 16 + 1232
		{ 1233, 13, 1612 }, // 13 * 23 + 4 + 12 * 5 + 16 + 1233
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_air air = gk_air_of(rows[i].coap_len);
		if (air.frames != rows[i].frames || air.bytes != rows[i].bytes)
			fail_msg("%zu bytes: %zu frames, %zu bytes", rows[i].coap_len, air.frames,
				 air.bytes);
	}
}

// Fragmented one by one, as a sender would do it: each takes the most that ends at a multiple of 8
// of the uncompressed packet, or all that is left.
static struct gk_air fragment(size_t coap_len)
{
	struct gk_air air = { 0, 0 };
	size_t packet = 40 + 8 + coap_len, at = 0;
	while (at < packet) {
		// IPv6 and UDP headers of 48 bytes shrink to 16.
		size_t head = at == 0 ? 4 : 5, saved = at == 0 ? 48 - 16 : 0;
		size_t room = (110 - head + saved) / 8 * 8;
		size_t part = packet - at < room ? packet - at : room;
		air.frames++;
		air.bytes += 23 + head + part - saved;
		at += part;
	}
	return air;
}

static void every_length_fragments_as_one_by_one(void **state)
{
	(void)state;
	for (size_t len = 95; len <= 2000; len++) {
		struct gk_air air = gk_air_of(len), want = fragment(len);
		if (air.frames != want.frames || air.bytes != want.bytes)
			fail_msg("%zu bytes: %zu frames, %zu bytes", len, air.frames, air.bytes);
	}
}

/* the account */

#define T0 INT64_C(1000000)

static void a_full_bucket_sends_until_there_is_a_debt(void **state)
{
	(void)state;
	// 62,500 bit/s are 7,812 bytes a second; the bucket holds 15,624.
	struct gk_budget budget;
	gk_budget_init(&budget, 62500, T0);
	assert_int_equal(gk_budget_ready_ms(&budget, T0), T0);
	gk_budget_charge(&budget, 15624, T0);
	assert_int_equal(gk_budget_ready_ms(&budget, T0), T0);
	gk_budget_charge(&budget, 1, T0);
	assert_int_equal(gk_budget_ready_ms(&budget, T0), T0 + 1);
}

static void a_debt_has_a_bound(void **state)
{
	struct gk_budget budget;

	(void)state;
	gk_budget_init(&budget, 8000, 0);
	for (int i = 0; i < 1000; i++)
		gk_budget_charge(&budget, 1000, 0);
	assert_int_equal(gk_budget_ready_ms(&budget, 0), 1000 * GK_BUDGET_DEBT_S);
}

static void a_debt_is_paid_at_the_rate_and_no_later(void **state)
{
	(void)state;
	static const struct {
		uint32_t bits_per_s;
		size_t charged; // beyond the bucket
		int64_t wait_ms;
	} rows[] = {
		{ 8000, 1000, 1000 },                         // 1,000 bytes at 1 a millisecond
		{ 8000, 1, 1 },        { 62500, 1583, 203 },  // 1583 / 7.812 = 202.6
		{ 62500, 7812, 1000 }, { 62500, 7813, 1001 }, // and an eighth of a millisecond
		{ 8, 1, 1000 },        { 1, 1, 1000 },        // less than a byte counts as one
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_budget budget;
		gk_budget_init(&budget, rows[i].bits_per_s, T0);
		gk_budget_charge(&budget, budget.bytes_per_s * 2 + rows[i].charged, T0);
		int64_t ready = gk_budget_ready_ms(&budget, T0);
		if (ready != T0 + rows[i].wait_ms)
			fail_msg("row %zu: ready after %lld ms", i, (long long)(ready - T0));
		// The answer stays the same while time goes by, and then it is so.
		assert_int_equal(gk_budget_ready_ms(&budget, ready - 1), ready);
		assert_int_equal(gk_budget_ready_ms(&budget, ready), ready);
	}
}

static void asking_often_loses_nothing(void **state)
{
	(void)state;
	// 2 byte/s: 500 ms for a byte; asked each millisecond.
	struct gk_budget budget;
	gk_budget_init(&budget, 16, T0);
	gk_budget_charge(&budget, 4 + 10, T0);
	for (int64_t now = T0; now < T0 + 5000; now++)
		assert_int_equal(gk_budget_ready_ms(&budget, now), T0 + 5000);
	assert_int_equal(gk_budget_ready_ms(&budget, T0 + 5000), T0 + 5000);
}

static void the_bucket_never_holds_more_than_the_burst(void **state)
{
	(void)state;
	static const int64_t idle_ms[] = { 2000, 86400000, INT64_MAX / 2 };
	for (size_t i = 0; i < ROWS(idle_ms); i++) {
		struct gk_budget budget;
		int64_t now = T0 + idle_ms[i];
		gk_budget_init(&budget, 8000, T0);
		gk_budget_charge(&budget, 2000, T0);
		gk_budget_charge(&budget, 2000, now);
		assert_int_equal(gk_budget_ready_ms(&budget, now), now);
		gk_budget_charge(&budget, 1, now);
		assert_int_not_equal(gk_budget_ready_ms(&budget, now), now);
	}
}

static void a_little_less_idle_time_fills_a_little_less(void **state)
{
	(void)state;
	struct gk_budget budget;
	gk_budget_init(&budget, 8000, T0);
	gk_budget_charge(&budget, 2000, T0);
	gk_budget_charge(&budget, 2000, T0 + 1999);
	assert_int_equal(gk_budget_ready_ms(&budget, T0 + 1999), T0 + 2000);
}

// Who sends whenever it may, keeps to burst + rate * time + one message.
static void what_goes_out_keeps_to_the_share(void **state)
{
	(void)state;
	struct gk_budget budget;
	int64_t now = T0;
	size_t sent = 0;
	gk_budget_init(&budget, 62500, T0);
	for (size_t i = 0; i < 1000; i++) {
		size_t len = i * 397 % 1583 + 1;
		int64_t t = now - T0;
		assert_true((int64_t)sent * 1000 <= 15624 * 1000 + 7812 * t);
		gk_budget_charge(&budget, len, now);
		sent += len;
		now = gk_budget_ready_ms(&budget, now);
	}
	// and wastes nothing of it: a millisecond's bytes at most for each message
	assert_true((int64_t)sent >= 15624 + (7812 - 8) * (now - T0) / 1000 - 1583 - 8 * 1000);
}

static void without_a_rate_all_may_be_sent_at_once(void **state)
{
	(void)state;
	struct gk_budget budgets[2] = { { .bytes_per_s = 0 } };
	gk_budget_init(&budgets[1], 0, T0);
	for (size_t i = 0; i < ROWS(budgets); i++) {
		gk_budget_charge(&budgets[i], 1 << 30, T0);
		assert_int_equal(gk_budget_ready_ms(&budgets[i], T0), T0);
	}
}

static void the_largest_rate_is_no_special_case(void **state)
{
	(void)state;
	struct gk_budget budget;
	gk_budget_init(&budget, UINT32_MAX, T0);
	gk_budget_charge(&budget, (size_t)2 * (UINT32_MAX / 8), T0);
	assert_int_equal(gk_budget_ready_ms(&budget, T0), T0);
	gk_budget_charge(&budget, UINT32_MAX / 8, T0);
	assert_int_equal(gk_budget_ready_ms(&budget, T0), T0 + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_and_bytes_are_those_of_the_model),
		cmocka_unit_test(every_length_fragments_as_one_by_one),
		cmocka_unit_test(a_full_bucket_sends_until_there_is_a_debt),
		cmocka_unit_test(a_debt_is_paid_at_the_rate_and_no_later),
		cmocka_unit_test(a_debt_has_a_bound),
		cmocka_unit_test(asking_often_loses_nothing),
		cmocka_unit_test(the_bucket_never_holds_more_than_the_burst),
		cmocka_unit_test(a_little_less_idle_time_fills_a_little_less),
		cmocka_unit_test(what_goes_out_keeps_to_the_share),
		cmocka_unit_test(without_a_rate_all_may_be_sent_at_once),
		cmocka_unit_test(the_largest_rate_is_no_special_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
