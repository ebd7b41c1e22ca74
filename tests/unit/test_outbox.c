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
 * event that is to be stored (from W on, one that may wait), a letter a request to be sent, a digit
 * a message to a group. "[..]" is a commit in the log, "(..)" one that fails.
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
		event->record.may_wait = letter >= 'W';
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

static void what_may_wait_holds_up_nothing(void **state)
{
	struct setup *setup = *state;

	say(setup, "aWb");
	assert_true(flush(setup, 500));
	assert_string_equal(setup->world.log, "ab");
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, 500 + GW_OUTBOX_WAIT_MS);
	assert_int_equal(gw_outbox_error(&setup->outbox), 0);
}

static void what_may_wait_goes_along_with_the_next_commit_in_its_place(void **state)
{
	struct setup *setup = *state;

	say(setup, "Wa");
	assert_true(flush(setup, 0));
	say(setup, "XbAcY");
	assert_true(flush(setup, 1000));
	assert_string_equal(setup->world.log, "a[WXAY]bc");
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, GK_NEVER);
	say(setup, "Z");
	assert_true(flush(setup, 2000));
	assert_string_equal(setup->world.log, "a[WXAY]bc"); // urgency does not stay
}

static void the_oldest_waits_for_a_minute_at_most(void **state)
{
	struct setup *setup = *state;

	say(setup, "W");
	assert_true(flush(setup, 1000));
	say(setup, "X");
	assert_true(flush(setup, 50000));
	say(setup, "");
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, 1000 + GW_OUTBOX_WAIT_MS);
	assert_true(flush(setup, 1000 + GW_OUTBOX_WAIT_MS - 1));
	assert_string_equal(setup->world.log, "");
	assert_true(flush(setup, 1000 + GW_OUTBOX_WAIT_MS));
	assert_string_equal(setup->world.log, "[WX]");
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, GK_NEVER);

	// And the next begins anew.
	say(setup, "Y");
	assert_true(flush(setup, 100000));
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, 100000 + GW_OUTBOX_WAIT_MS);
}

static void nothing_waits_for_what_may_wait_and_cannot_be_written(void **state)
{
	struct setup *setup = *state;

	setup->world.commit_result = -EIO;
	say(setup, "W");
	assert_true(flush(setup, 0));
	say(setup, "a");
	assert_true(flush(setup, GW_OUTBOX_WAIT_MS));
	assert_string_equal(setup->world.log, "(W)a");
	assert_int_equal(gw_outbox_error(&setup->outbox), 0);
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, 2 * GW_OUTBOX_WAIT_MS);

	// What must not wait does, and takes it along.
	say(setup, "Ab");
	assert_false(flush(setup, GW_OUTBOX_WAIT_MS + 1));
	assert_string_equal(setup->world.log, "(W)a(WA)");
	assert_int_equal(gw_outbox_error(&setup->outbox), -EIO);
	setup->world.commit_result = 0;
	assert_true(flush(setup, GW_OUTBOX_WAIT_MS + 1001));
	assert_string_equal(setup->world.log, "(W)a(WA)[WA]b");
}

static void what_may_wait_is_held_while_nothing_can_be_written(void **state)
{
	struct setup *setup = *state;

	gw_outbox_hold(&setup->outbox, true);
	say(setup, "Wa");
	assert_true(flush(setup, 0));
	assert_true(flush(setup, 10 * GW_OUTBOX_WAIT_MS));
	assert_int_equal(gw_outbox_next_expiry(&setup->outbox).ms, GK_NEVER);
	gw_outbox_finish(&setup->outbox, (struct gk_mono){ 10 * GW_OUTBOX_WAIT_MS });
	assert_string_equal(setup->world.log, "a");
	gw_outbox_hold(&setup->outbox, false);
	assert_true(flush(setup, 10 * GW_OUTBOX_WAIT_MS));
	assert_string_equal(setup->world.log, "a[W]");
}

static void at_the_end_what_may_wait_is_written(void **state)
{
	struct setup *setup = *state;

	say(setup, "W");
	assert_true(flush(setup, 0));
	say(setup, "aX");
	gw_outbox_finish(&setup->outbox, (struct gk_mono){ 10 });
	assert_string_equal(setup->world.log, "[WX]a");
	gw_outbox_finish(&setup->outbox, (struct gk_mono){ 20 });
	assert_string_equal(setup->world.log, "[WX]a");
	say(setup, "Y");
	gw_outbox_finish(&setup->outbox, (struct gk_mono){ 30 });
	assert_string_equal(setup->world.log, "[WX]a[Y]");
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
		TEST(what_may_wait_holds_up_nothing),
		TEST(what_may_wait_goes_along_with_the_next_commit_in_its_place),
		TEST(the_oldest_waits_for_a_minute_at_most),
		TEST(nothing_waits_for_what_may_wait_and_cannot_be_written),
		TEST(what_may_wait_is_held_while_nothing_can_be_written),
		TEST(at_the_end_what_may_wait_is_written),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
