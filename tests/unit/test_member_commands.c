// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "member/commands.h"
#include "tests/lib/hex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_text(struct gk_span span, const char *text)
{
	return gk_span_equal(span, gk_span_str(text));
}

static const struct {
	const char *line;
	enum gkm_command_kind kind;
	const char *group, *text;
} good[] = {
	{ "say hello", GKM_COMMAND_SAY, "", "hello" },
	{ "say hello there", GKM_COMMAND_SAY, "", "hello there" },
	{ "say  two blanks ", GKM_COMMAND_SAY, "", " two blanks " },
	{ "say -g lights hello", GKM_COMMAND_SAY, "lights", "hello" },
	{ "say -g lights -g lights", GKM_COMMAND_SAY, "lights", "-g lights" },
	{ "say -good morning", GKM_COMMAND_SAY, "", "-good morning" },
	{ "say gr\xc3\xbc\xc3\x9f", GKM_COMMAND_SAY, "", "gr\xc3\xbc\xc3\x9f" },
	{ "status", GKM_COMMAND_STATUS, "", "" },
	{ "status -g lights", GKM_COMMAND_STATUS, "lights", "" },
	{ "check", GKM_COMMAND_CHECK, "", "" },
	{ "check -g lights", GKM_COMMAND_CHECK, "lights", "" },
	{ "newcred", GKM_COMMAND_NEWCRED, "", "" },
	{ "newcred -g lights", GKM_COMMAND_NEWCRED, "lights", "" },
	{ "leave", GKM_COMMAND_LEAVE, "", "" },
	{ "leave -g lights", GKM_COMMAND_LEAVE, "lights", "" },
	{ "quit", GKM_COMMAND_QUIT, "", "" },
};

static void commands_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct gkm_command command;
		const char *wrong =
			gkm_command_parse(exact_copy(gk_span_str(good[i].line)), &command);
		if (wrong)
			fail_msg("'%s': %s", good[i].line, wrong);
		if (command.kind != good[i].kind || !is_text(command.group, good[i].group) ||
		    !is_text(command.text, good[i].text))
			fail_msg("'%s': kind %d, group '%.*s', text '%.*s'", good[i].line,
				 (int)command.kind, (int)command.group.len,
				 (const char *)command.group.data, (int)command.text.len,
				 (const char *)command.text.data);
	}
}

static const struct {
	const char *line, *group, *sid, *ip, *text;
	uint16_t port;
} tells[] = {
	{ "tell 04 [fd00::3] psst", "", "04", "fd000000000000000000000000000003", "psst", 5683 },
	{ "tell 04 [fd00::3]:99 a  b", "", "04", "fd000000000000000000000000000003", "a  b", 99 },
	{ "tell -g lights Fe0a [::1]:1 x", "lights", "fe0a", "00000000000000000000000000000001",
	  "x", 1 },
	{ "tell 0102030405060708 [fe80::1] -g x", "", "0102030405060708",
	  "fe800000000000000000000000000001", "-g x", 5683 },
};

static void a_tell_names_a_member_and_its_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tells); i++) {
		struct gkm_command command;
		const char *wrong =
			gkm_command_parse(exact_copy(gk_span_str(tells[i].line)), &command);
		if (wrong)
			fail_msg("'%s': %s", tells[i].line, wrong);
		assert_int_equal(command.kind, GKM_COMMAND_TELL);
		assert_true(is_text(command.group, tells[i].group));
		assert_true(is_text(command.text, tells[i].text));
		assert_hex_equal_row(gk_span(command.sid.data, command.sid.len), tells[i].sid,
				     tells[i].line);
		assert_hex_equal_row(gk_span(command.peer.ip, 16), tells[i].ip, tells[i].line);
		assert_int_equal(command.peer.port, tells[i].port);
	}
}

static const char *const bad[] = {
	"tell",
	"tell 04",
	"tell 04 [fd00::3]",               // nothing to tell
	"tell 04 [fd00::3] ",              // the same
	"tell  [fd00::3] x",               // whom?
	"tell 4 [fd00::3] x",              // half a byte
	"tell 0g [fd00::3] x",             // no hex
	"tell g0 [fd00::3] x",             // the same
	"tell 010203040506070809 [::1] x", // longer than any
	"tell [fd00::3] 04 x",             // the other way round
	"tell 04 fd00::3 x",               // without brackets
	"tell 04 [fd00::3]:0 x",           // nobody is at port 0
	"tell 04 [fd00::3]:99999 x",
	/* a port of 70 digits, and so longer than any address */
	("tell 04 [fd00::3]:00000000000000000000000000000000000"
	 "00000000000000000000000000000000005683 x"),
	"tell -g [fd00::3] x",
	" ",
	"x",
	"Say hello",
	"sayhello",
	" say hello",
	"say",               // nothing to say
	"say ",              // the same
	"say -g",            // of which group?
	"say -g ",           // the same
	"say -g lights",     // nothing to say
	"say -g  hello",     // a group without a name
	"say be\x07ll",      // a control character
	"say \xff",          // no UTF-8
	"say \xc3",          // half a character
	"status now",        // too many words
	"status -g",         // of which group?
	"check lights",      // a group is named with -g
	"check -g",          // of which group?
	"leave lights",      // a group is named with -g
	"leave -g lights x", // too many words
	"quit now",
	"quit -g lights",
};

static void anything_else_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct gkm_command command = { .kind = GKM_COMMAND_QUIT };
		const char *wrong = gkm_command_parse(exact_copy(gk_span_str(bad[i])), &command);
		if (!wrong)
			fail_msg("'%s' was understood as %d", bad[i], (int)command.kind);
		assert_int_equal(command.kind, GKM_COMMAND_QUIT);
		assert_null(command.text.data);
	}
}

/* What was handed out, one line each: the text, or why not. */
static void collect(void *ctx, const struct gkm_command *command, const char *wrong)
{
	char *out = ctx;
	size_t at = strlen(out);

	if (wrong)
		snprintf(out + at, 200 - at, "!%s;", wrong);
	else
		snprintf(out + at, 200 - at, "%d%.*s;", (int)command->kind, (int)command->text.len,
			 (const char *)command->text.data);
}

static void lines_come_in_pieces_of_any_size(void **state)
{
	static const char input[] = "say one\n\n\nsay two\nstatus\nsay not yet";
	(void)state;
	for (size_t size = 1; size <= sizeof(input); size++) {
		struct gkm_lines lines = { .len = 0 };
		char out[200] = "";
		for (size_t at = 0; at < strlen(input); at += size)
			gkm_lines_feed(&lines,
				       exact_copy(gk_span_sub(gk_span_str(input), at, size)),
				       collect, out);
		assert_string_equal(out, "0one;0two;1;");
	}
}

static void a_line_that_is_too_long_is_refused_as_a_whole(void **state)
{
	static char line[3 * GKM_LINE_MAX];
	struct gkm_lines lines = { .len = 0 };
	char out[200] = "";
	(void)state;

	memset(line, 'a', sizeof(line));
	gkm_lines_feed(&lines, gk_span(line, sizeof(line)), collect, out);
	assert_string_equal(out, "");
	gkm_lines_feed(&lines, gk_span_str("\nquit\n"), collect, out);
	assert_string_equal(out, "!the line is too long;3;");
}

static void the_longest_text_fits_into_a_line(void **state)
{
	static char line[GKM_LINE_MAX + 2];
	struct gkm_command command;
	size_t group = 64, text = GKM_TEXT_MAX;
	(void)state;

	int len = snprintf(line, sizeof(line), "say -g %0*d %0*d", (int)group, 0, (int)text, 0);
	assert_true(len <= GKM_LINE_MAX);
	assert_null(gkm_command_parse(exact_copy(gk_span(line, (size_t)len)), &command));
	assert_int_equal(command.text.len, text);
	len = snprintf(line, sizeof(line), "tell -g %0*d 0102030405060708 %-*s %0*d", (int)group, 0,
		       IO_ADDR_TEXT - 1, "[fd00::1]", (int)text, 0);
	assert_true(len <= GKM_LINE_MAX);
	len = snprintf(line, sizeof(line), "say %0*d", (int)text + 1, 0);
	assert_non_null(gkm_command_parse(exact_copy(gk_span(line, (size_t)len)), &command));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_understood),
		cmocka_unit_test(a_tell_names_a_member_and_its_address),
		cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
		cmocka_unit_test(lines_come_in_pieces_of_any_size),
		cmocka_unit_test(a_line_that_is_too_long_is_refused_as_a_whole),
		cmocka_unit_test(the_longest_text_fits_into_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
