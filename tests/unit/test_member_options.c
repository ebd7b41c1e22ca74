// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "member/options.h"
#include "tests/lib/hex.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX      24
#define ALL_COAP_NODES "ff0300000000000000000000000000fd"

/* A command line, taken apart at blanks. */
static bool read(const char *line, struct gkm_options *options, char *error, size_t size)
{
	static char words[512]; // options borrow from it
	char *argv[WORDS_MAX + 1] = { (char[]){ "gkmember" } };
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	return gkm_options_read(argc, argv, options, error, size);
}

static void must_read(const char *line, struct gkm_options *options)
{
	char error[256];

	if (!read(line, options, error, sizeof(error)))
		fail_msg("'%s': %s", line, error);
}

static void an_issued_credential_is_whole_or_not_there(void **state)
{
	static const struct {
		const char *line;
		bool fine;
	} rows[] = {
		{ "-b a --cred-format cwt --cred f --cred-key k", true },
		{ "-b a --cred-format x5chain --cred f --cred-key k --cred-issuers i", true },
		{ "-b a --cred f --cred-key k", false },
		{ "-b a --cred-format cwt --cred-key k", false },
		{ "-b a --cred-format cwt --cred f", false },
		{ "-b a --cred-format x5t --cred f --cred-key k", false },
		{ "-b a --cred-issuers i", false },
	};
	struct gkm_options options;
	char error[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (read(rows[i].line, &options, error, sizeof(error)) != rows[i].fine)
			fail_msg("'%s'", rows[i].line);
	}
	must_read(rows[1].line, &options);
	assert_int_equal(options.cred_format, 33);
	assert_string_equal(options.cred, "f");
	assert_string_equal(options.cred_key, "k");
	assert_string_equal(options.cred_issuers, "i");
}

static void a_bundle_is_enough(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("-b lamp", &options);
	assert_string_equal(options.bundle, "lamp");
	assert_int_equal(options.group_count, 0);
	assert_null(options.kdc);
	assert_null(options.interface);
	assert_null(options.state);
	assert_int_equal(options.roles, 0);
	assert_int_equal(options.port, 5683);
	assert_hex_equal(gk_span(options.address.ip, 16), ALL_COAP_NODES);
	assert_int_equal(options.address.port, 5685);
	assert_false(options.point_to_point);
	assert_false(options.sign_protected);
	assert_false(options.observe);
	assert_false(options.debug);
}

static void every_option_is_taken(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("-b lamp -g lights -g meters -k [fd00::1]:5699 -i lowpan0 -d "
		  "--roles responder,requester --state dir --port 0 --group-address [ff05::1]:99 "
		  "--point-to-point --sign-protected",
		  &options);
	assert_int_equal(options.group_count, 2);
	assert_string_equal(options.groups[0], "lights");
	assert_string_equal(options.groups[1], "meters");
	assert_string_equal(options.kdc, "[fd00::1]:5699");
	assert_string_equal(options.interface, "lowpan0");
	assert_int_equal(options.roles, 6);
	assert_string_equal(options.state, "dir");
	assert_int_equal(options.port, 0);
	assert_int_equal(options.address.port, 99);
	assert_true(options.point_to_point);
	assert_true(options.sign_protected);
	assert_true(options.debug);
}

static void who_observes_takes_any_port_but_the_one_that_is_said(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("-b lamp --observe", &options);
	assert_true(options.observe);
	assert_int_equal(options.port, 0);
	must_read("-b lamp --port 5684 --observe", &options);
	assert_int_equal(options.port, 5684);
}

static void who_is_sleepy_says_so(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("-b lamp", &options);
	assert_false(options.sleepy);
	must_read("-b lamp --sleepy", &options);
	assert_true(options.sleepy);
}

static void short_and_long_are_the_same(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("--bundle=lamp --group lights --kdc [fd00::1] --interface lo --debug", &options);
	assert_string_equal(options.bundle, "lamp");
	assert_string_equal(options.groups[0], "lights");
	assert_string_equal(options.kdc, "[fd00::1]");
	assert_string_equal(options.interface, "lo");
	assert_true(options.debug);
}

static void help_and_version_need_no_bundle(void **state)
{
	struct gkm_options options;
	(void)state;

	must_read("--version", &options);
	assert_true(options.version);
	must_read("-h", &options);
	assert_true(options.help);
}

static const struct {
	const char *line, *error;
} bad[] = {
	{ "", "-b: a bundle is needed" },
	{ "-g lights", "-b: a bundle is needed" },
	{ "-b", "-b: needs a value" },
	{ "-b lamp -x", "-x: no such option" },
	{ "-b lamp --nothing", "--nothing: no such option" },
	{ "-b lamp lights", "lights: not an option" },
	{ "-b lamp -k fd00::1", "--kdc: fd00::1: must be" },
	{ "-b lamp -k [fd00::1]:0", "--kdc: [fd00::1]:0: must be" },
	{ "-b lamp --roles verifier", "--roles: verifier: must be" },
	{ "-b lamp --roles requester,monitor", "--roles: requester,monitor: must be" },
	{ "-b lamp --roles requester,", "--roles: requester,: must be" },
	{ "-b lamp --port 65536", "--port: 65536: must be" },
	{ "-b lamp --port -1", "--port: -1: must be" },
	{ "-b lamp --group-address [fd00::1]:1", "--group-address: [fd00::1]:1: must be" },
	{ "-b lamp --group-address [ff03::1]:0", "--group-address: [ff03::1]:0: must be" },
	{ "-b l -g 1 -g 2 -g 3 -g 4 -g 5 -g 6 -g 7 -g 8 -g 9", "--group: 9: must be" },
};

static void anything_else_is_refused_and_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct gkm_options options = { .port = 1 };
		char error[256] = "";
		if (read(bad[i].line, &options, error, sizeof(error)))
			fail_msg("'%s' was taken", bad[i].line);
		if (strncmp(error, bad[i].error, strlen(bad[i].error)) != 0)
			fail_msg("'%s': '%s' instead of '%s'", bad[i].line, error, bad[i].error);
		assert_int_equal(options.port, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_is_enough),
		cmocka_unit_test(an_issued_credential_is_whole_or_not_there),
		cmocka_unit_test(every_option_is_taken),
		cmocka_unit_test(who_observes_takes_any_port_but_the_one_that_is_said),
		cmocka_unit_test(who_is_sleepy_says_so),
		cmocka_unit_test(short_and_long_are_the_same),
		cmocka_unit_test(help_and_version_need_no_bundle),
		cmocka_unit_test(anything_else_is_refused_and_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
