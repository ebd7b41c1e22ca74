// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/outbox.h"
#include "io/log.h"
#include "libgroupkey/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * A KDC that says what a script says, and a world that writes down what is done: a capital is an
 * event that is to be stored, a letter a request to be sent, a digit a message to a group. "[..]"
 * is a commit in the log.
 */
struct world {
	const char *script;
	size_t at;
	char scratch; /* what the spans of the last event point at */
	int commit_result;
	char log[128];
};

static void write_down(struct world *world, const char *text)
{
	strcat(world->log, text);
}

static bool take(void *ctx, struct gk_event *event)
{
	struct world *world = ctx;
	char letter = world->script[world->at];

	world->scratch = 0; // the spans of the event before are over
	if (!letter)
		return false;
	world->at++;
	world->scratch = letter;
	*event = (struct gk_event){ .kind = GK_EVENT_REQUEST };
	if (letter >= 'A' && letter <= 'Z') {
		event->kind = GK_EVENT_STORE;
		event->record.table = GK_TABLE_GROUP;
		event->record.key = gk_span(&world->scratch, 1);
	} else {
		event->bytes = gk_span(&world->scratch, 1);
		if (letter <= '9')
			event->kind = GK_EVENT_MULTICAST;
	}
	return true;
}

static int commit(void *ctx, const struct gk_record *records, size_t count)
{
	struct world *world = ctx;

	write_down(world, world->commit_result ? "(" : "[");
	for (size_t i = 0; i < count; i++)
		write_down(world, (char[]){ (char)records[i].key.data[0], '\0' });
	write_down(world, world->commit_result ? ")" : "]");
	return world->commit_result;
}

static void perform(void *ctx, const struct gk_event *event)
{
	write_down(ctx, (char[]){ (char)event->bytes.data[0], '\0' });
}

static const struct gw_outlets outlets = { take, commit, perform };

struct setup {
	struct world world;
	struct gw_outbox outbox;
};

static int set_up(void **state)
{
	static struct setup setup;

	setup.world = (struct world){ .script = "" };
	gw_outbox_init(&setup.outbox, &outlets, &setup.world);
	*state = &setup;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *setup = *state;

	gw_outbox_free(&setup->outbox);
	return 0;
}

static void say(struct setup *setup, const char *script)
{
	setup->world.script = script;
	setup->world.at = 0;
}

static bool flush(struct setup *setup, int64_t now_ms)
{
	return gw_outbox_flush(&setup->outbox, (struct gk_mono){ now_ms });
}

static void all_is_stored_in_one_commit_before_anything_is_sent(void **state)
{
	static const struct {
		const char *script, *log;
	} rows[] = {
		{ "", "" },
		{ "a", "a" },          // nothing to store, no commit
		{ "A", "[A]" },        //
		{ "Aa", "[A]a" },      //
		{ "ABab", "[AB]ab" },  // consecutive ones share a commit
		{ "AaBb", "[AB]ab" },  // and so do others
		{ "abAc", "[A]abc" },  // waiting longer than needed does no harm
		{ "aAbBc", "[AB]abc" } // each kind keeps its order
	};
	struct setup *setup = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup->world.log[0] = '\0';
		say(setup, rows[i].script);
		assert_true(flush(setup, 0));
		assert_string_equal(setup->world.log, rows[i].log);
		assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, GK_NEVER);
	}
}

/* Whoever hears it has a number that the KDC must not give out again. */
static void a_message_to_a_group_waits_for_its_record(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -ENOSPC;
	say(setup, "1AB2a");
	assert_false(flush(setup, 0));
	assert_string_equal(setup->world.log, "(AB)");
	setup->world.commit_result = 0;
	say(setup, "");
	assert_true(flush(setup, 1000));
	assert_string_equal(setup->world.log, "(AB)[AB]12a");
}

static void nothing_is_sent_while_a_commit_fails(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -ENOSPC;
	say(setup, "AaBb");
	assert_false(flush(setup, 0));
	assert_string_equal(setup->world.log, "(AB)");
	assert_int_equal(gw_outbox_error(&setup->outbox), -ENOSPC);
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, 1000);
}

static void a_failed_commit_is_tried_once_a_second(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -EIO;
	say(setup, "Aa");
	for (int64_t now_ms = 0; now_ms < 3000; now_ms += 100)
		assert_false(flush(setup, now_ms));
	assert_string_equal(setup->world.log, "(A)(A)(A)");
}

static void what_waited_is_stored_and_sent_in_order(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -EIO;
	say(setup, "AaB");
	assert_false(flush(setup, 0));
	say(setup, "bCc");
	assert_false(flush(setup, 500));
	setup->world.commit_result = 0;
	say(setup, "d");
	assert_true(flush(setup, 1000));
	assert_string_equal(setup->world.log, "(AB)[ABC]abcd");
	assert_int_equal(gw_outbox_error(&setup->outbox), 0);
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, GK_NEVER);
	assert_true(flush(setup, 2000));
	assert_string_equal(setup->world.log, "(AB)[ABC]abcd");
}

static void what_waits_at_the_end_is_dropped(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -EIO;
	say(setup, "AaBb");
	assert_false(flush(setup, 0));
	gw_outbox_free(&setup->outbox);
	gw_outbox_init(&setup->outbox, &outlets, &setup->world);
	setup->world.commit_result = 0;
	setup->world.log[0] = '\0';
	assert_true(flush(setup, 0));
	assert_string_equal(setup->world.log, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_stored_in_one_commit_before_anything_is_sent),
		TEST(a_message_to_a_group_waits_for_its_record),
		TEST(nothing_is_sent_while_a_commit_fails),
		TEST(a_failed_commit_is_tried_once_a_second),
		TEST(what_waited_is_stored_and_sent_in_order),
		TEST(what_waits_at_the_end_is_dropped),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
