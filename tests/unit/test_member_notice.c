// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* Eviction notices that take their time: CoAP retransmits one until the node can be reached again,
 * and by then it may be back under the same association. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libgroupkey/numbers.h"
#include "tests/lib/pair.h"

#define LATE 1

static const struct gk_span lights = { (const uint8_t *)PAIR_LIGHTS, sizeof(PAIR_LIGHTS) - 1 };
static const struct gk_span late_name = { (const uint8_t *)"node1", 5 };

static bool lose_notices(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->from != PAIR_KDC || m->plain.len == 0 || m->plain.data[0] != GK_COAP_DELETE;
}

/* A member is put out, and the notice does not reach it. @return the notice */
static const struct pair_message *evict(struct pair *p)
{
	const struct pair_message *notice;

	p->pass = lose_notices;
	pair_drain_kdc(p, gk_kdc_evict(p->kdc, lights, late_name, p->now));
	pair_run(p);
	notice = pair_newest(p, PAIR_REQUEST, PAIR_KDC, LATE);
	assert_non_null(notice);
	assert_int_equal(notice->plain.data[0], GK_COAP_DELETE);
	p->pass = NULL;
	return notice;
}

static void open_with_three(struct pair *p)
{
	pair_open(p, 1);
	assert_int_equal(pair_serve(p, NULL), GK_OK);
	pair_join_all(p, 3);
	pair_advance(p, 5000);
}

static void a_notice_puts_out_the_member_that_it_is_about(void **state)
{
	static struct pair p;
	(void)state;

	open_with_three(&p);
	const struct pair_message *notice = evict(&p);
	assert_true(pair_info(&p, LATE).joined);
	pair_repeat(&p, notice, true);
	pair_run(&p);
	assert_false(pair_info(&p, LATE).joined);
	assert_true(pair_close(&p));
}

static void a_late_notice_does_not_put_out_who_has_come_back(void **state)
{
	static struct pair p;
	(void)state;

	open_with_three(&p);
	const struct pair_message *notice = evict(&p);
	/* Its next question tells it; it joins again at once. */
	pair_advance(&p, 3700 * INT64_C(1000));
	assert_true(pair_info(&p, LATE).joined);
	assert_int_equal(pair_count_notes(&p, LATE, GK_NOTE_JOINED), 2);

	pair_repeat(&p, notice, true);
	pair_run(&p);
	assert_true(pair_info(&p, LATE).joined);
	pair_advance(&p, 5000);
	assert_true(pair_agree(&p, 0, 2));
	assert_true(pair_close(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notice_puts_out_the_member_that_it_is_about),
		cmocka_unit_test(a_late_notice_does_not_put_out_who_has_come_back),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
