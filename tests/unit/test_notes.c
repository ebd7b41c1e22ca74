// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/notes.h"
#include "libgroupkey/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TIME "2026-11-21T18:00:00Z"

static const struct gk_now now = { .mono = { 5000 }, .utc = { 1795284000 } };
static const uint8_t gid[] = { 0xbd, 0xbd, 0, 0, 0, 5 };
static const uint8_t sid[] = { 0x0a };

static struct gw_notes notes;

static int set_up(void **state)
{
	(void)state;
	gw_notes_init(&notes);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gw_notes_free(&notes);
	return 0;
}

static struct gk_note note_of(enum gk_note_kind kind, const char *group, const char *node,
			      const char *name, int64_t num, enum gk_via via, const char *reason)
{
	return (struct gk_note){
		.kind = kind,
		.group = gk_span_str(group),
		.node = gk_span_str(node),
		.name = gk_span_str(name),
		.gid = gk_span(gid, group[0] ? sizeof(gid) : 0),
		.sid = gk_span(sid, node[0] ? sizeof(sid) : 0),
		.num = num,
		.via = via,
		.reason = reason,
	};
}

static const struct gw_told *newest(void)
{
	assert_true(gw_notes_count(&notes) > 0);
	return gw_notes_get(&notes, gw_notes_count(&notes) - 1);
}

static void each_kind_has_its_line_and_its_object(void **state)
{
	static const struct {
		enum gk_note_kind kind;
		const char *group, *node, *name;
		int64_t num;
		enum gk_via via;
		const char *reason, *text, *json;
	} rows[] = {
#define MEMBER "\"group\":\"lights\",\"node\":\"n3\",\"name\":\"lamp1\",\"num\":5,"
#define IDS    "\"gid\":\"bdbd00000005\",\"sid\":\"0a\""
		{ GK_NOTE_JOINED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL,
		  "member: group lights num 5: n3 (lamp1) joined, sender id 0a",
		  "\"event\":\"joined\"," MEMBER IDS },
		{ GK_NOTE_REJOINED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL,
		  "member: group lights num 5: n3 (lamp1) joined again, sender id 0a",
		  "\"event\":\"rejoined\"," MEMBER IDS },
		{ GK_NOTE_LEFT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL,
		  "member: group lights num 5: n3 (lamp1) left", "\"event\":\"left\"," MEMBER IDS },
		{ GK_NOTE_EVICTED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "absent",
		  "member: group lights num 5: n3 (lamp1) evicted: absent",
		  "\"event\":\"evicted\"," MEMBER IDS ",\"reason\":\"absent\"" },
		{ GK_NOTE_REKEYED, "lights", "", "", 5, GK_VIA_NONE, "departure",
		  "rekey: group lights num 5: new material, gid bdbd00000005: departure",
		  "\"event\":\"rekeyed\",\"group\":\"lights\",\"num\":5,\"gid\":\"bdbd00000005\","
		  "\"reason\":\"departure\"" },
		{ GK_NOTE_DELIVERED, "lights", "n3", "lamp1", 5, GK_VIA_UNICAST, NULL,
		  "rekey: group lights num 5: n3 (lamp1) confirmed, by unicast",
		  "\"event\":\"delivered\"," MEMBER IDS ",\"via\":\"unicast\"" },
		{ GK_NOTE_DELIVERED, "lights", "n3", "lamp1", 5, GK_VIA_MULTICAST, NULL,
		  "rekey: group lights num 5: n3 (lamp1) confirmed, by multicast",
		  "\"event\":\"delivered\"," MEMBER IDS ",\"via\":\"multicast\"" },
		{ GK_NOTE_DELIVERED, "lights", "n3", "lamp1", 5, GK_VIA_PULL, NULL,
		  "rekey: group lights num 5: n3 (lamp1) confirmed, by pull",
		  "\"event\":\"delivered\"," MEMBER IDS ",\"via\":\"pull\"" },
		{ GK_NOTE_DELIVERED, "lights", "n3", "lamp1", 5, GK_VIA_JOIN, NULL,
		  "rekey: group lights num 5: n3 (lamp1) confirmed, by join",
		  "\"event\":\"delivered\"," MEMBER IDS ",\"via\":\"join\"" },
		{ GK_NOTE_PARKED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "no answer",
		  "rekey: group lights num 5: n3 (lamp1) parked until it is heard of: no answer",
		  "\"event\":\"parked\"," MEMBER IDS ",\"reason\":\"no answer\"" },
		{ GK_NOTE_SUSPECT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "silent",
		  "presence: group lights num 5: n3 (lamp1) suspect: silent",
		  "\"event\":\"suspect\"," MEMBER IDS ",\"reason\":\"silent\"" },
		{ GK_NOTE_ABSENT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "unanswered",
		  "presence: group lights num 5: n3 (lamp1) absent: unanswered",
		  "\"event\":\"absent\"," MEMBER IDS ",\"reason\":\"unanswered\"" },
		{ GK_NOTE_PRESENT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL,
		  "presence: group lights num 5: n3 (lamp1) heard of again",
		  "\"event\":\"present\"," MEMBER IDS },
		{ GK_NOTE_BLIND, "lights", "", "", 5, GK_VIA_NONE, "too many were lost",
		  "presence: group lights num 5: blind; nobody is judged: too many were lost",
		  "\"event\":\"blind\",\"group\":\"lights\",\"num\":5,\"gid\":\"bdbd00000005\","
		  "\"reason\":\"too many were lost\"" },
		{ GK_NOTE_BLIND, "", "", "", -1, GK_VIA_NONE, "the radio is down",
		  "presence: blind; nobody is judged: the radio is down",
		  "\"event\":\"blind\",\"reason\":\"the radio is down\"" },
		{ GK_NOTE_SEES, "", "", "", -1, GK_VIA_NONE, NULL, "presence: sees again",
		  "\"event\":\"sees\"" },
		{ GK_NOTE_ALARM, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "absent",
		  "presence: group lights num 5: n3 (lamp1) needs attention: absent",
		  "\"event\":\"alarm\"," MEMBER IDS ",\"reason\":\"absent\"" },
		// no group, no version
		{ GK_NOTE_TOKEN, "", "", "lamp1", -1, GK_VIA_NONE, NULL,
		  "token: client lamp1 accepted", "\"event\":\"token\",\"name\":\"lamp1\"" },
		{ GK_NOTE_REFUSED, "", "", "", -1, GK_VIA_NONE, "token refused",
		  "request: refused: token refused",
		  "\"event\":\"refused\",\"reason\":\"token refused\"" },
		{ GK_NOTE_REFUSED, "lights", "", "lamp1", 5, GK_VIA_NONE, "full",
		  "request: group lights num 5: client lamp1 refused: full",
		  "\"event\":\"refused\",\"group\":\"lights\",\"name\":\"lamp1\",\"num\":5,"
		  "\"gid\":\"bdbd00000005\",\"reason\":\"full\"" },
		// what the operator said of clients and groups
		{ GK_NOTE_BANNED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL,
		  "member: group lights num 5: n3 (lamp1) banned",
		  "\"event\":\"banned\"," MEMBER IDS },
		{ GK_NOTE_BANNED, "lights", "", "lamp1", -1, GK_VIA_NONE, NULL,
		  "member: group lights: client lamp1 banned",
		  "\"event\":\"banned\",\"group\":\"lights\",\"name\":\"lamp1\","
		  "\"gid\":\"bdbd00000005\"" },
		{ GK_NOTE_UNBANNED, "lights", "", "lamp1", 5, GK_VIA_NONE, NULL,
		  "member: group lights num 5: client lamp1 may join again",
		  "\"event\":\"unbanned\",\"group\":\"lights\",\"name\":\"lamp1\",\"num\":5,"
		  "\"gid\":\"bdbd00000005\"" },
		{ GK_NOTE_REVOKED, "", "", "lamp1", -1, GK_VIA_NONE, NULL,
		  "token: client lamp1 revoked", "\"event\":\"revoked\",\"name\":\"lamp1\"" },
		{ GK_NOTE_ENDED, "lights", "", "", 5, GK_VIA_NONE, NULL,
		  "kdc: group lights num 5: ended",
		  "\"event\":\"ended\",\"group\":\"lights\",\"num\":5,\"gid\":\"bdbd00000005\"" },
		{ GK_NOTE_ERROR, "lights", "", "", 5, GK_VIA_NONE, "trying again",
		  "kdc: group lights num 5: error: trying again",
		  "\"event\":\"error\",\"group\":\"lights\",\"num\":5,\"gid\":\"bdbd00000005\","
		  "\"reason\":\"trying again\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_note note =
			note_of(rows[i].kind, rows[i].group, rows[i].node, rows[i].name,
				rows[i].num, rows[i].via, rows[i].reason);
		char text[256], json[512];
		snprintf(text, sizeof(text), TIME " %s", rows[i].text);
		snprintf(json, sizeof(json), "{\"time\":\"" TIME "\",%s}", rows[i].json);
		gw_notes_take(&notes, &note, now);
		assert_int_equal(gw_notes_count(&notes), i + 1);
		assert_string_equal(newest()->text, text);
		assert_string_equal(newest()->json, json);
	}
}

static void a_name_cannot_break_a_line(void **state)
{
	static const struct {
		const char *name, *text, *json;
	} rows[] = {
		{ "Lamp-1_a.b", "Lamp-1_a.b", "Lamp-1_a.b" },
		{ "a\nb", "\"a\\x0ab\"", "a\\nb" },                // a line of its own
		{ "a\033[2Jb", "\"a\\x1b[2Jb\"", "a\\u001b[2Jb" }, // a terminal's command
		{ "a\xff", "\"a\\xff\"", "a\xef\xbf\xbd" },        // no UTF-8
		{ "a\xc2\x9b", "\"a\\xc2\\x9b\"", "a\\u009b" },    // C1: the same in one character
		{ "l\xc3\xa4mp", "\"l\xc3\xa4mp\"", "l\xc3\xa4mp" },
		// words of ours
		{ "a evicted: absent", "\"a evicted: absent\"", "a evicted: absent" },
		{ "a\" b\\", "\"a\\\" b\\\\\"", "a\\\" b\\\\" },
		// the rest of the line turned around
		{ "a\xe2\x80\xae", "\"a\\xe2\\x80\\xae\"", "a\\u202e" },
		// a line to some
		{ "a\xe2\x80\xa8", "\"a\\xe2\\x80\\xa8\"", "a\\u2028" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_note note =
			note_of(GK_NOTE_TOKEN, "", "", rows[i].name, -1, GK_VIA_NONE, NULL);
		char text[256], json[512];
		snprintf(text, sizeof(text), TIME " token: client %s accepted", rows[i].text);
		snprintf(json, sizeof(json),
			 "{\"time\":\"" TIME "\",\"event\":\"token\",\"name\":\"%s\"}",
			 rows[i].json);
		gw_notes_take(&notes, &note, now);
		assert_string_equal(newest()->text, text);
		assert_string_equal(newest()->json, json);
	}
}

static void the_last_sign_of_life_is_told_with_its_time(void **state)
{
	struct gk_note note =
		note_of(GK_NOTE_SUSPECT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "silent");

	(void)state;
	note.last_sign = GK_FACT_ANSWER;
	note.last_seen_ms = now.mono.ms - 4200;
	gw_notes_take(&notes, &note, now);
	assert_string_equal(newest()->text,
			    TIME " presence: group lights num 5: n3 (lamp1) suspect: silent; last "
				 "sign of life 4 s ago: answered a protected request");
	assert_string_equal(newest()->json,
			    "{\"time\":\"" TIME "\",\"event\":\"suspect\"," MEMBER IDS
			    ",\"reason\":\"silent\",\"last_sign\":\"answer\",\"last_seen_s\":4}");
}

static void what_a_peer_can_cause_is_limited_and_counted(void **state)
{
	static const enum gk_note_kind kinds[] = { GK_NOTE_REFUSED, GK_NOTE_TOKEN };
	struct gk_now later = now;

	(void)state;
	later.mono.ms += 1000;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct gk_note note = note_of(kinds[i], "", "", "", -1, GK_VIA_NONE, "x");
		uint64_t before = gw_notes_count(&notes);
		for (int n = 0; n < 100; n++)
			gw_notes_take(&notes, &note, now);
		assert_int_equal(gw_notes_count(&notes) - before, 10);
		gw_notes_take(&notes, &note, later);
		assert_int_equal(gw_notes_count(&notes) - before, 11);
		assert_non_null(strstr(newest()->text, "(and 90 more like it before)"));
		assert_non_null(strstr(newest()->json, "\"dropped\":90"));
	}
}

static void what_an_operator_must_find_is_not_limited(void **state)
{
	struct gk_note note =
		note_of(GK_NOTE_EVICTED, "lights", "n3", "lamp1", 5, GK_VIA_NONE, "absent");

	(void)state;
	for (int n = 0; n < 100; n++)
		gw_notes_take(&notes, &note, now);
	assert_int_equal(gw_notes_count(&notes), 100);
}

static void each_kind_is_counted_also_what_is_left_out(void **state)
{
	struct gk_note refused = note_of(GK_NOTE_REFUSED, "", "", "", -1, GK_VIA_NONE, "x");
	struct gk_note left = note_of(GK_NOTE_LEFT, "lights", "n3", "lamp1", 5, GK_VIA_NONE, NULL);

	(void)state;
	for (int n = 0; n < 100; n++)
		gw_notes_take(&notes, &refused, now);
	gw_notes_take(&notes, &left, now);
	assert_int_equal(notes.counts[GK_NOTE_REFUSED], 100);
	assert_int_equal(notes.counts[GK_NOTE_LEFT], 1);
	assert_int_equal(notes.counts[GK_NOTE_JOINED], 0);
	assert_string_equal(gw_notes_event(GK_NOTE_LEFT), "left");
	assert_null(gw_notes_event(GK_NOTE_MESSAGE));
	assert_null(gw_notes_event((enum gk_note_kind)GW_NOTE_KINDS));
}

static void the_newest_are_kept_in_their_order(void **state)
{
	(void)state;
	for (int64_t num = 0; num < 600; num++) {
		struct gk_note note =
			note_of(GK_NOTE_REKEYED, "lights", "", "", num, GK_VIA_NONE, NULL);
		gw_notes_take(&notes, &note, now);
	}
	assert_int_equal(gw_notes_count(&notes), 600);
	assert_int_equal(gw_notes_oldest(&notes), 600 - GW_NOTES_KEPT);
	for (uint64_t i = gw_notes_oldest(&notes); i < gw_notes_count(&notes); i++) {
		char num[32];
		snprintf(num, sizeof(num), "\"num\":%llu,", (unsigned long long)i);
		assert_non_null(strstr(gw_notes_get(&notes, i)->json, num));
	}
}

static void notes_of_members_are_not_ours(void **state)
{
	static const int kinds[] = { 0, GK_NOTE_RECOVERED, GK_NOTE_MESSAGE, GK_NOTE_RESPONSE,
				     GK_NOTE_CHECKED };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct gk_note note = note_of((enum gk_note_kind)kinds[i], "lights", "", "", 5,
					      GK_VIA_NONE, NULL);
		gw_notes_take(&notes, &note, now);
	}
	assert_int_equal(gw_notes_count(&notes), 0);
}

/* One write for a line, at the level of its kind. @return what came out, static */
static const char *logged(const struct gk_note *note, enum log_level level)
{
	static char text[1024];
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	close(pipe_fds[1]);
	log_open("test", level, false);
	gw_notes_take(&notes, note, now);
	log_open("test", LOG_LEVEL_ERROR, false);
	dup2(saved, STDERR_FILENO);
	close(saved);
	len = read(pipe_fds[0], text, sizeof(text) - 1);
	close(pipe_fds[0]);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void lines_are_logged_at_the_level_of_their_kind(void **state)
{
	static const struct {
		enum gk_note_kind kind;
		enum log_level level;
		const char *line;
	} rows[] = {
		{ GK_NOTE_ERROR, LOG_LEVEL_WARN, " warn kdc: group lights num 5: error: x\n" },
		{ GK_NOTE_REKEYED, LOG_LEVEL_INFO,
		  " info rekey: group lights num 5: new material, gid bdbd00000005: x\n" },
		{ GK_NOTE_REKEYED, LOG_LEVEL_WARN, "" },
		{ GK_NOTE_DELIVERED, LOG_LEVEL_DEBUG,
		  " debug rekey: group lights num 5: confirmed: x\n" },
		{ GK_NOTE_BLIND, LOG_LEVEL_WARN,
		  " warn presence: group lights num 5: blind; nobody is judged: x\n" },
		{ GK_NOTE_ALARM, LOG_LEVEL_WARN,
		  " warn presence: group lights num 5: needs attention: x\n" },
		{ GK_NOTE_SEES, LOG_LEVEL_INFO,
		  " info presence: group lights num 5: sees again: x\n" },
		{ GK_NOTE_DELIVERED, LOG_LEVEL_INFO, "" }, // ten thousand for one departure
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gk_note note = note_of(rows[i].kind, "lights", "", "", 5, GK_VIA_NONE, "x");
		const char *line = logged(&note, rows[i].level);
		const char *behind_time = strchr(line, ' ');
		assert_string_equal(behind_time ? behind_time : line, rows[i].line);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_has_its_line_and_its_object),
		TEST(a_name_cannot_break_a_line),
		TEST(the_last_sign_of_life_is_told_with_its_time),
		TEST(what_a_peer_can_cause_is_limited_and_counted),
		TEST(what_an_operator_must_find_is_not_limited),
		TEST(each_kind_is_counted_also_what_is_left_out),
		TEST(the_newest_are_kept_in_their_order),
		TEST(notes_of_members_are_not_ours),
		TEST(lines_are_logged_at_the_level_of_their_kind),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
