// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/bundle.h"
#include "tests/lib/hex.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TOKEN                                                                                      \
	"d0835820a30121"                                                                           \
	"000102030405060708"
#define MS     "000102030405060708090a0b0c0d0e0f"
#define NAME   "\"name\":\"lamp1\""
#define KDC    "\"kdc\":\"[fd00::1]:5683\""
#define TOK    "\"token\":\"" TOKEN "\""
#define OSC    "\"osc\":{\"id\":\"01\",\"ms\":\"" MS "\",\"salt\":\"a0a1\"}"
#define GROUPS "\"groups\":[\"lights\",\"meters\"]"
#define ROLES  "\"roles\":[6,8]"
#define EXP    "\"exp\":1790000000"

static const char whole[] = "{" NAME "," KDC "," TOK "," OSC "," GROUPS "," ROLES "," EXP "}";

static bool parse(const char *text, struct io_bundle *bundle, char *error, size_t size)
{
	return io_bundle_parse(exact_copy(gk_span_str(text)), bundle, error, size);
}

static void assert_whole(const struct io_bundle *bundle)
{
	assert_string_equal(bundle->name, "lamp1");
	assert_string_equal(bundle->kdc, "[fd00::1]:5683");
	assert_hex_equal(gk_span(bundle->token, bundle->token_len), TOKEN);
	assert_hex_equal(gk_span(bundle->osc_id, bundle->osc_id_len), "01");
	assert_hex_equal(gk_span(bundle->ms, bundle->ms_len), MS);
	assert_hex_equal(gk_span(bundle->salt, bundle->salt_len), "a0a1");
	assert_int_equal(bundle->group_count, 2);
	assert_string_equal(bundle->groups[0], "lights");
	assert_string_equal(bundle->groups[1], "meters");
	assert_int_equal(bundle->roles[0], 6);
	assert_int_equal(bundle->roles[1], 8);
	assert_int_equal(bundle->exp, 1790000000);
}

static void a_bundle_is_read(void **state)
{
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR];
	(void)state;
	assert_true(parse(whole, &bundle, error, sizeof(error)));
	assert_whole(&bundle);
}

static void members_come_in_any_order(void **state)
{
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR];
	(void)state;
	assert_true(parse("{" EXP "," ROLES "," GROUPS "," OSC "," TOK "," KDC "," NAME "}",
			  &bundle, error, sizeof(error)));
	assert_whole(&bundle);
}

static void salt_alone_may_be_absent(void **state)
{
	static const char *const rows[] = { "", ",\"salt\":\"\"" };
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct io_bundle bundle;
		char text[512], error[IO_BUNDLE_ERROR];
		snprintf(text, sizeof(text), "{%s,\"osc\":{\"id\":\"01\",\"ms\":\"" MS "\"%s}}",
			 NAME "," KDC "," TOK "," GROUPS "," ROLES "," EXP, rows[i]);
		assert_true(parse(text, &bundle, error, sizeof(error)));
		assert_int_equal(bundle.salt_len, 0);
	}
}

static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
#define REST "," TOK "," OSC "," GROUPS "," ROLES "," EXP "}"
#define HEAD "{" NAME "," KDC "," TOK ","
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{ "{" NAME REST, "a member of the object that ends here is missing" },
		{ "{" NAME "," KDC "," NAME REST, "a name that was here before" },
		{ "{\"more\":1," NAME "," KDC REST, "an unknown name" },
		{ "{" NAME ",\"kdc\":\"\"" REST, "must not be empty" },
		{ "{" NAME ",\"kdc\":1" REST, "must be text in quotes" },
		{ "{\"name\":\"123456789012345678901234567890123\"," KDC REST,
		  "text that is too long" },
		{ HEAD "\"osc\":{\"id\":\"01\"}," GROUPS "," ROLES "," EXP "}", "is missing" },
		{ HEAD "\"osc\":{\"ms\":\"" MS "\"}," GROUPS "," ROLES "," EXP "}", "is missing" },
		{ HEAD "\"osc\":{\"id\":\"\",\"ms\":\"" MS "\"}", "too few bytes" },
		{ HEAD "\"osc\":{\"id\":\"010203040506070809\"", "too many bytes" },
		{ HEAD "\"osc\":{\"ms\":\"0001\"", "too few bytes" },
		{ HEAD "\"osc\":{\"ms\":\"" MS MS "00\"", "too many bytes" },
		{ HEAD "\"osc\":{\"salt\":\"" MS MS "00\"", "too many bytes" },
		{ HEAD "\"osc\":[]", "must be an object" },
		{ "{\"token\":\"00\"", "too few bytes" },
		{ HEAD OSC ",\"groups\":[],\"roles\":[]," EXP "}", "at least one element" },
		{ HEAD OSC ",\"roles\":[]", "at least one element" },
		{ HEAD OSC "," GROUPS ",\"roles\":[6]," EXP "}", "as many roles as groups" },
		{ HEAD OSC "," GROUPS ",\"roles\":[6,6,6]," EXP "}", "as many roles as groups" },
		{ HEAD OSC ",\"roles\":[6]," GROUPS "," EXP "}", "as many roles as groups" },
		{ HEAD OSC ",\"groups\":[\"a\",\"a\"]", "a group that was here before" },
		{ HEAD OSC ",\"groups\":[1]", "must be text in quotes" },
		{ HEAD OSC ",\"groups\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]",
		  "too many groups" },
		{ HEAD OSC ",\"roles\":[2,2,2,2,2,2,2,2,2]", "too many roles" },
		{ HEAD OSC ",\"roles\":[0]", "must be a sum of 2, 4, 8 and 16" },
		{ HEAD OSC ",\"roles\":[3]", "must be a sum of 2, 4, 8 and 16" },
		{ HEAD OSC ",\"roles\":[32]", "must be a sum of 2, 4, 8 and 16" },
		{ HEAD OSC ",\"roles\":[-2]", "a number out of range" },
		{ HEAD OSC ",\"roles\":[4294967298]", "a number out of range" },
		{ HEAD OSC "," GROUPS "," ROLES ",\"exp\":-1}", "a number out of range" },
		{ HEAD OSC ",\"group_path\":\"/a\"", "must be a path" },
		{ HEAD OSC ",\"group_path\":\"\"", "must not be empty" },
		{ HEAD OSC ",\"authz_path\":\"a b\"", "must be a path" },
		{ HEAD OSC ",\"authz_path\":\"abcdefghijklmnopqrstuvwxy\"", "too long" },
	};
	struct io_bundle before;
	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct io_bundle bundle = before;
		char error[IO_BUNDLE_ERROR] = "accepted";
		bool ok = parse(rows[i].text, &bundle, error, sizeof(error));
		if (ok || !strstr(error, rows[i].error))
			fail_msg("%s:\n got %s\nwant %s", rows[i].text, error, rows[i].error);
		assert_memory_equal(&bundle, &before, sizeof(before));
	}
}

static void paths_are_in_a_bundle_if_they_are_other_ones(void **state)
{
	static const char paths[] = "{" NAME "," KDC "," TOK "," OSC "," GROUPS "," ROLES "," EXP
				    ",\"group_path\":\"kdc/groups\",\"authz_path\":\"kdc/authz\"}";
	struct io_bundle bundle;
	struct io_json json;
	char error[IO_BUNDLE_ERROR];
	(void)state;
	assert_true(parse(whole, &bundle, error, sizeof(error)));
	assert_string_equal(bundle.group_path, "");
	assert_string_equal(bundle.authz_path, "");
	assert_true(parse(paths, &bundle, error, sizeof(error)));
	assert_string_equal(bundle.group_path, "kdc/groups");
	assert_string_equal(bundle.authz_path, "kdc/authz");
	io_json_init(&json);
	io_bundle_put(&json, NULL, &bundle);
	assert_string_equal(io_json_finish(&json), paths);
	io_json_free(&json);
}

static void a_node_that_sleeps_has_that_in_its_bundle(void **state)
{
#define BEGIN "{" NAME "," KDC "," TOK "," OSC "," GROUPS "," ROLES "," EXP ",\"sleepy\":"
	struct io_bundle bundle;
	struct io_json json;
	char error[IO_BUNDLE_ERROR];
	(void)state;
	assert_true(parse(whole, &bundle, error, sizeof(error)));
	assert_false(bundle.sleepy);
	assert_true(parse(BEGIN "false}", &bundle, error, sizeof(error)));
	assert_false(bundle.sleepy);
	assert_true(parse(BEGIN "true}", &bundle, error, sizeof(error)));
	assert_true(bundle.sleepy);
	io_json_init(&json);
	io_bundle_put(&json, NULL, &bundle);
	assert_string_equal(io_json_finish(&json), BEGIN "true}");
	io_json_free(&json);
	assert_false(parse(BEGIN "1}", &bundle, error, sizeof(error)));
	assert_non_null(strstr(error, "must be true or false"));
}

static void truncation_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < strlen(whole); len++) {
		struct io_bundle bundle;
		char text[sizeof(whole)], error[IO_BUNDLE_ERROR];
		memcpy(text, whole, len);
		text[len] = 0;
		if (parse(text, &bundle, error, sizeof(error)))
			fail_msg("accepted: %s", text);
	}
}

/*
 * Files
 */

static char dir[64], path[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_bundle.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/lamp1.bundle", dir);
	umask(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove(path);
	return rmdir(dir);
}

static void put_file(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	assert_int_equal(chmod(path, mode), 0);
}

static void assert_refused(const char *why)
{
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR] = "accepted";
	bool ok = io_bundle_read(path, &bundle, error, sizeof(error));

	if (ok || strncmp(error, path, strlen(path)) != 0 || !strstr(error, why))
		fail_msg(" got %s\nwant %s: %s", error, path, why);
}

static void what_is_written_is_read_back(void **state)
{
	struct io_bundle bundle, again;
	char error[IO_BUNDLE_ERROR];
	struct stat st;
	(void)state;
	assert_true(parse(whole, &bundle, error, sizeof(error)));
	int fd = io_bundle_create(path, error, sizeof(error));
	assert_true(fd >= 0);
	assert_true(io_bundle_write(fd, path, &bundle, error, sizeof(error)));
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, strlen(whole) + 1);
	assert_true(io_bundle_read(path, &again, error, sizeof(error)));
	assert_whole(&again);
}

static void a_file_that_is_there_is_not_written_over(void **state)
{
	char error[IO_BUNDLE_ERROR];
	(void)state;
	put_file("mine", 4, 0600);
	assert_int_equal(io_bundle_create(path, error, sizeof(error)), -1);
	assert_int_equal(strncmp(error, path, strlen(path)), 0);
	assert_refused("must be an object");
}

static void what_cannot_be_written_is_told(void **state)
{
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR];
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	(void)state;
	assert_true(fd >= 0);
	assert_true(parse(whole, &bundle, error, sizeof(error)));
	assert_false(io_bundle_write(fd, path, &bundle, error, sizeof(error)));
	assert_int_equal(strncmp(error, path, strlen(path)), 0);
	assert_non_null(strstr(error, "No space"));
	close(fd);
}

static void a_bundle_that_others_may_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0601, 0610 };
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR];
	(void)state;
	put_file(whole, strlen(whole), 0600);
	for (size_t i = 0; i < COUNT(modes); i++) {
		chmod(path, modes[i]);
		assert_refused("chmod 600");
	}
	chmod(path, 0400);
	assert_true(io_bundle_read(path, &bundle, error, sizeof(error)));
}

static void errors_in_a_file_have_a_line_and_a_column(void **state)
{
	char want[192];
	(void)state;
	put_file("{\n  \"name\": 5}", 14, 0600);
	snprintf(want, sizeof(want), "%s:2:11: must be text in quotes", path);
	assert_refused(want);
}

static void what_is_no_bundle_file_is_refused(void **state)
{
	static char spaces[IO_BUNDLE_FILE_MAX + 1];
	(void)state;
	assert_refused("No such file");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused("not a file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("not a file");
	assert_int_equal(unlink(path), 0);

	memset(spaces, ' ', sizeof(spaces));
	memcpy(spaces, whole, strlen(whole));
	put_file(spaces, sizeof(spaces), 0600);
	assert_refused("too long");
	put_file(spaces, sizeof(spaces) - 1, 0600);
	struct io_bundle bundle;
	char error[IO_BUNDLE_ERROR];
	assert_true(io_bundle_read(path, &bundle, error, sizeof(error)));
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_is_read),
		cmocka_unit_test(members_come_in_any_order),
		cmocka_unit_test(salt_alone_may_be_absent),
		cmocka_unit_test(what_is_wrong_is_refused_and_changes_nothing),
		cmocka_unit_test(paths_are_in_a_bundle_if_they_are_other_ones),
		cmocka_unit_test(a_node_that_sleeps_has_that_in_its_bundle),
		cmocka_unit_test(truncation_anywhere_is_refused),
		FILE_TEST(what_is_written_is_read_back),
		FILE_TEST(a_file_that_is_there_is_not_written_over),
		FILE_TEST(what_cannot_be_written_is_told),
		FILE_TEST(a_bundle_that_others_may_read_is_refused),
		FILE_TEST(errors_in_a_file_have_a_line_and_a_column),
		FILE_TEST(what_is_no_bundle_file_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
