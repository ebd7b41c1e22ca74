// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/event.h"

#include "tests/lib/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct gk_queue *queue, uint64_t id, const char *text)
{
	gk_queue_add(queue, &(struct gk_event){ .kind = GK_EVENT_REQUEST,
						.id = id,
						.bytes = gk_span_str(text) });
}

static void events_come_in_their_order_and_own_their_bytes(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_queue queue;
	struct gk_event event;
	char text[] = "one";

	(void)state;
	gk_queue_init(&queue, &env);
	assert_false(gk_queue_take(&queue, &event));
	add(&queue, 1, text);
	memset(text, 'x', sizeof(text) - 1);
	add(&queue, 2, "two");
	assert_true(gk_queue_take(&queue, &event));
	assert_int_equal(event.id, 1);
	assert_true(gk_span_equal(event.bytes, gk_span_str("one")));
	add(&queue, 3, "three"); // while one is out
	assert_true(gk_span_equal(event.bytes, gk_span_str("one")));
	assert_true(gk_queue_take(&queue, &event));
	assert_int_equal(event.id, 2);
	assert_true(gk_queue_take(&queue, &event));
	assert_true(gk_span_equal(event.bytes, gk_span_str("three")));
	assert_false(gk_queue_take(&queue, &event));
	assert_int_equal(t.blocks, 0);
	add(&queue, 4, "four");
	gk_queue_wipe(&queue);
	assert_int_equal(t.blocks, 0);
}

static void every_span_of_an_event_is_copied(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_queue queue;
	char c[9][4] = { "aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii" };
	struct gk_event event = {
		.kind = GK_EVENT_NOTE,
		.bytes = gk_span_str(c[0]),
		.record = { GK_TABLE_KDC, gk_span_str(c[1]), gk_span_str(c[2]), false },
		.note = { .group = gk_span_str(c[3]),
			  .node = gk_span_str(c[4]),
			  .name = gk_span_str(c[5]),
			  .gid = gk_span_str(c[6]),
			  .sid = gk_span_str(c[7]),
			  .message = gk_span_str(c[8]) },
	};

	(void)state;
	gk_queue_init(&queue, &env);
	gk_queue_add(&queue, &event);
	memset(c, 'z', sizeof(c));
	assert_true(gk_queue_take(&queue, &event));
	const struct gk_span got[] = { event.bytes,      event.record.key, event.record.value,
				       event.note.group, event.note.node,  event.note.name,
				       event.note.gid,   event.note.sid,   event.note.message };
	for (size_t i = 0; i < 9; i++) {
		char want[3] = { (char)('a' + i), (char)('a' + i), 0 };

		assert_true(gk_span_equal(got[i], gk_span_str(want)));
	}
	gk_queue_wipe(&queue);
}

static void without_memory_the_queue_closes_for_good(void **state)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_queue queue;
	struct gk_event event;

	(void)state;
	gk_queue_init(&queue, &env);
	add(&queue, 1, "one");
	add(&queue, 2, "two");
	assert_true(gk_queue_take(&queue, &event));
	assert_int_equal(gk_queue_err(&queue), GK_OK);
	test_env_fail_alloc(&t, 1);
	add(&queue, 3, "three");
	assert_int_equal(gk_queue_err(&queue), GK_ERR_NO_MEMORY);
	assert_true(gk_span_equal(event.bytes, gk_span_str("one"))); // still borrowed
	assert_false(gk_queue_take(&queue, &event));
	add(&queue, 4, "four");
	assert_false(gk_queue_take(&queue, &event));
	assert_int_equal(gk_queue_err(&queue), GK_ERR_NO_MEMORY);
	gk_queue_wipe(&queue);
	assert_int_equal(t.blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_in_their_order_and_own_their_bytes),
		cmocka_unit_test(every_span_of_an_event_is_copied),
		cmocka_unit_test(without_memory_the_queue_closes_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
