// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libgroupkey/buf.h"
#include "member/report.h"
#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int open_pair(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	return pair_begin(state, 21, &config);
}

/* What goes to stdout between these two is a line. */

static int saved, out[2];

static void begin_line(void)
{
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_int_equal(pipe(out), 0);
	dup2(out[1], STDOUT_FILENO);
}

static const char *end_line(void)
{
	static char line[1024];
	ssize_t len;

	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out[1]);
	len = read(out[0], line, sizeof(line) - 1);
	close(out[0]);
	assert_true(len >= 0);
	line[len] = '\0';
	return line;
}

static const char *report(struct gkm_report *to, const struct pair *p, const struct gk_note *note)
{
	begin_line();
	gkm_report_note(to, p->node[0].member, note, p->now);
	return end_line();
}

static const char *status(const struct pair *p, size_t i)
{
	begin_line();
	gkm_report_status(p->node[i].member, gk_span_str(PAIR_LIGHTS));
	return end_line();
}

static void assert_has(const char *line, const char *part)
{
	if (!strstr(line, part))
		fail_msg("no %s in: %s", part, line);
}

static void notes_say_by_which_way_the_key_came(void **state)
{
	static const struct {
		enum gk_note_kind kind;
		enum gk_via via;
		const char *event, *by;
	} rows[] = {
		{ GK_NOTE_REKEYED, GK_VIA_UNICAST, "\"event\":\"rekeyed\"", "\"via\":\"unicast\"" },
		{ GK_NOTE_REKEYED, GK_VIA_MULTICAST, "\"event\":\"rekeyed\"",
		  "\"via\":\"multicast\"" },
		{ GK_NOTE_RECOVERED, GK_VIA_PULL, "\"event\":\"recovered\"", "\"via\":\"pull\"" },
	};
	struct gkm_report to = { .refused = { 0 } };
	struct pair *p = *state;

	pair_join_all(p, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_note note = {
			.kind = rows[i].kind,
			.group = gk_span_str(PAIR_LIGHTS),
			.gid = hex_span("995600000007"),
			.sid = hex_span("04"),
			.num = 7,
			.via = rows[i].via,
		};
		const char *line = report(&to, p, &note);
		assert_has(line, rows[i].event);
		assert_has(line, rows[i].by);
		assert_has(line, "\"num\":7,\"gid\":\"995600000007\",\"sid\":\"04\"");
	}
}

/* The version is the KDC's; of what we hold it says nothing. */
static void the_answer_to_a_check_has_a_num_and_no_more(void **state)
{
	struct gkm_report to = { .refused = { 0 } };
	struct pair *p = *state;
	const char *line;

	pair_join_all(p, 1);
	line = report(&to, p,
		      &(struct gk_note){ .kind = GK_NOTE_CHECKED,
					 .group = gk_span_str(PAIR_LIGHTS),
					 .num = 7 });
	assert_has(line, "\"event\":\"checked\",\"group\":\"lights\",\"num\":7}");
}

static void the_status_says_who_is_in_the_tree(void **state)
{
	struct pair *p = *state;
	size_t i;

	pair_join_all(p, 1);
	assert_has(status(p, 0), "\"joined\":true,\"active\":true,\"in_tree\":true");
	i = pair_add(p, 6);
	p->node[i].point_to_point = true;
	pair_reset(p, i);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	assert_has(status(p, i), "\"joined\":false,\"active\":false,\"in_tree\":false");
	pair_run(p);
	assert_has(status(p, i), "\"joined\":true,\"active\":true,\"in_tree\":false");
}

/* A message to a control group counts like one of the group. */
static void the_status_counts_what_was_refused(void **state)
{
	struct pair *p = *state;
	const struct pair_message *cast;
	uint8_t forged[2048];
	size_t len;

	pair_join_all(p, 3);
	assert_has(status(p, 0), "\"refused\":0}");
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	cast = pair_newest(p, PAIR_MULTICAST, PAIR_KDC, 0);
	assert_non_null(cast);
	len = cast->bytes.len;
	assert_true(len <= sizeof(forged));
	memcpy(forged, cast->bytes.data, len);
	forged[len - 1] ^= 1;
	assert_int_equal(
		gk_member_receive(p->node[0].member, &cast->exchange, gk_span(forged, len), p->now),
		GK_OK);
	pair_drain_node(p, 0);
	assert_has(status(p, 0), "\"refused\":1}");
}

/* What members say, tell and answer: in which mode, and whose Sender ID it is. */
static void talk_is_told_with_its_mode(void **state)
{
	static const struct {
		enum gk_note_kind kind;
		bool pairwise;
		const char *message, *reason, *event, *rest;
	} rows[] = {
		{ GK_NOTE_MESSAGE, false, "02 b3736179 10 ff6869", NULL, "message",
		  "\"mode\":\"group\",\"from\":\"04\",\"text\":\"hi\"}" },
		{ GK_NOTE_MESSAGE, true, "02 b3736179 10 ff6869", NULL, "message",
		  "\"mode\":\"pairwise\",\"from\":\"04\",\"text\":\"hi\"}" },
		{ GK_NOTE_RESPONSE, true, "44", NULL, "response",
		  "\"mode\":\"pairwise\",\"from\":\"04\",\"code\":\"2.04\"}" },
		{ GK_NOTE_RESPONSE, false, "84 ff 6e6f", NULL, "response",
		  "\"mode\":\"group\",\"from\":\"04\",\"code\":\"4.04\",\"text\":\"no\"}" },
		{ GK_NOTE_UNANSWERED, true, "", "no answer", "unanswered",
		  "\"mode\":\"pairwise\",\"to\":\"04\",\"reason\":\"no answer\"}" },
	};
	struct gkm_report to = { .refused = { 0 } };
	struct pair *p = *state;
	char event[40];

	pair_join_all(p, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_note note = {
			.kind = rows[i].kind,
			.group = gk_span_str(PAIR_LIGHTS),
			.gid = hex_span("995600000007"),
			.sid = hex_span("04"),
			.message = hex_span(rows[i].message),
			.num = 7,
			.via = GK_VIA_UNICAST,
			.reason = rows[i].reason,
			.pairwise = rows[i].pairwise,
		};
		const char *line = report(&to, p, &note);
		snprintf(event, sizeof(event), "\"event\":\"%s\"", rows[i].event);
		assert_has(line, event);
		assert_has(line, "\"num\":7,\"gid\":\"995600000007\",\"sid\":\"");
		assert_has(line, "\"via\":\"unicast\"");
		assert_has(line, rows[i].rest);
	}
	// what is no text is passed over, and an answer that is no message too
	struct gk_note note = { .kind = GK_NOTE_MESSAGE,
				.group = gk_span_str(PAIR_LIGHTS),
				.message = hex_span("01") };
	assert_string_equal(report(&to, p, &note), "");
	note.kind = GK_NOTE_RESPONSE;
	note.message = gk_span(NULL, 0);
	assert_string_equal(report(&to, p, &note), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notes_say_by_which_way_the_key_came, open_pair,
						pair_end),
		cmocka_unit_test_setup_teardown(the_answer_to_a_check_has_a_num_and_no_more,
						open_pair, pair_end),
		cmocka_unit_test_setup_teardown(talk_is_told_with_its_mode, open_pair, pair_end),
		cmocka_unit_test_setup_teardown(the_status_says_who_is_in_the_tree, open_pair,
						pair_end),
		cmocka_unit_test_setup_teardown(the_status_counts_what_was_refused, open_pair,
						pair_end),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
