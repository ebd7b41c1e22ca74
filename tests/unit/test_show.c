// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/show.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gk_mono now = { 100000 };

static struct gk_group_info group_info(void)
{
	return (struct gk_group_info){
		.name = gk_span_str("lights"),
		.sign_alg = GK_ALG_ES256,
		.active = true,
		.num = 13,
		.gid = { 6, { 0xbd, 0xbd, 0, 0, 0, 0x0d } },
		.members = 21,
		.confirmed = 5,
		.unicast = 4,
		.parked = 3,
		.presumed = 9,
		.scheme = GK_TREE,
		.in_tree = 20,
		.rekeying = { .num = 12,
			      .members = 19,
			      .confirmed = 11,
			      .unicast = 6,
			      .parked = 2,
			      .bytes = 4321,
			      .datagrams = 8,
			      .duration_ms = 1250 },
		.confirmations_refused = 7,
		.present = 14,
		.asleep = 15,
		.suspect = 16,
		.absent = 17,
		.evict = true,
	};
}

static struct gk_member_info member_info(void)
{
	static const uint8_t sid[] = { 0x0a };

	return (struct gk_member_info){
		.name = gk_span_str("lamp1"),
		.node = gk_span_str("n3"),
		.sender_id = gk_span(sid, sizeof(sid)),
		.roles = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER,
		.presence = GK_SUSPECT,
		.delivery = GK_DELIVERY_MULTICAST,
		.in_tree = true,
		.num = 13,
		.address = { .ip = { 0xfd, [15] = 3 }, .port = 5683 },
		.last_seen_ms = 97500,
		.last_sign = GK_FACT_ANSWER,
		.since_ms = 92500,
		.reason = GK_FACT_KERNEL_FAILED,
		.addresses = { { .ip = { 0xfd, [15] = 4 }, .port = 61616 },
			       { .ip = { 0xfd, [15] = 3 }, .port = 5683 } },
		.address_count = 2,
	};
}

/* As the KDC tells of one who is banned, but with a member's leftovers. */
static struct gk_member_info banned_info(void)
{
	struct gk_member_info info = member_info();

	info.presence = GK_BANNED;
	info.sender_id = gk_span(NULL, 0);
	info.roles = 0;
	return info;
}

/* A scope of two groups. @return static */
static struct gk_span scope_of_two(void)
{
	static uint8_t bytes[64];
	struct gk_buf scope = gk_buf(bytes, sizeof(bytes));

	gk_buf_add(&scope, gk_span_str("\x82"));
	gk_scope_put(&scope, gk_span_str("lights"), GK_ROLE_REQUESTER | GK_ROLE_RESPONDER);
	gk_scope_put(&scope, gk_span_str("meters"), GK_ROLE_MONITOR);
	assert_false(scope.overflow);
	return gk_buf_span(&scope);
}

static struct gk_client_info client_info(void)
{
	return (struct gk_client_info){
		.name = gk_span_str("lamp1"),
		.id = { 8, { 0xc0, 1, 2, 3, 4, 5, 6, 7 } },
		.scope = scope_of_two(),
		.exp = { 1795284000 },
		.groups = 1,
		.known = true,
	};
}

static void assert_json(struct io_json *json, const char *want)
{
	assert_string_equal(io_json_finish(json), want);
	io_json_free(json);
}

static void assert_group(const struct gk_group_info *info, const char *part)
{
	struct io_json json;

	io_json_init(&json);
	gw_show_group(&json, info);
	const char *text = io_json_finish(&json);
	if (!text || !strstr(text, part))
		fail_msg("%s is not in %s", part, text);
	io_json_free(&json);
}

static void assert_member(const struct gk_member_info *info, const char *part)
{
	struct io_json json;

	io_json_init(&json);
	gw_show_member(&json, info, now);
	const char *text = io_json_finish(&json);
	if (!text || !strstr(text, part))
		fail_msg("%s is not in %s", part, text);
	io_json_free(&json);
}

static void assert_client(const struct gk_client_info *info, const char *part)
{
	struct io_json json;

	io_json_init(&json);
	gw_show_client(&json, info);
	const char *text = io_json_finish(&json);
	if (!text || !strstr(text, part))
		fail_msg("%s is not in %s", part, text);
	io_json_free(&json);
}

/* Each number is another, so that none can stand for its neighbour. */
static void a_group_is_an_object(void **state)
{
	struct gk_group_info info = group_info();
	struct io_json json;

	(void)state;
	io_json_init(&json);
	gw_show_group(&json, &info);
	assert_json(&json,
		    "{\"name\":\"lights\",\"scheme\":\"tree\",\"mode\":\"group\","
		    "\"sign_alg\":\"ES256\",\"active\":true,\"rekeying\":{\"num\":12,\"members\":"
		    "19,\"confirmed\":"
		    "11,\"unicast\":6,"
		    "\"parked\":2,\"bytes\":4321,\"datagrams\":8,\"duration_ms\":1250},"
		    "\"confirmations_refused\":7,\"num\":13,\"gid\":\"bdbd0000000d\","
		    "\"members\":21,\"in_tree\":20,\"confirmed\":5,\"presumed\":9,\"unicast\":4,"
		    "\"parked\":3,\"present\":14,\"asleep\":15,\"suspect\":16,"
		    "\"absent\":17,\"blind\":\"\",\"alarm\":\"\"}");
}

static void what_a_group_suffers_from_is_shown(void **state)
{
	static const struct {
		enum gk_blindness blind;
		size_t absent;
		bool evict;
		const char *part;
	} rows[] = {
		{ GK_BLIND_NOT, 1, true, "\"blind\":\"\",\"alarm\":\"\"}" },
		{ GK_BLIND_NOT, 0, false, "\"blind\":\"\",\"alarm\":\"\"}" },
		{ GK_BLIND_NOT, 1, false, "\"blind\":\"\",\"alarm\":\"absent\"}" },
		{ GK_BLIND_LINK_GONE, 0, true, "\"blind\":\"link-gone\",\"alarm\":\"\"}" },
		{ GK_BLIND_LINK_DOWN, 0, true, "\"blind\":\"link-down\",\"alarm\":\"\"}" },
		{ GK_BLIND_RADIO_DOWN, 0, true, "\"blind\":\"radio-down\",\"alarm\":\"\"}" },
		{ GK_BLIND_NO_ADDRESS, 0, true, "\"blind\":\"no-address\",\"alarm\":\"\"}" },
		{ GK_BLIND_DEAF, 0, true, "\"blind\":\"deaf\",\"alarm\":\"\"}" },
		{ GK_BLIND_DEAF, 1, false, "\"blind\":\"deaf\",\"alarm\":\"absent\"}" },
		{ GK_BLIND_MASS_LOSS, 1, false,
		  "\"blind\":\"mass-loss\",\"alarm\":\"mass-loss\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_group_info info = group_info();
		info.blind = rows[i].blind;
		info.absent = rows[i].absent;
		info.evict = rows[i].evict;
		assert_group(&info, rows[i].part);
	}
}

static void a_rekeying_under_way_has_no_duration(void **state)
{
	struct gk_group_info info = group_info();

	(void)state;
	info.rekeying.duration_ms = -1;
	assert_group(&info, ",\"duration_ms\":null}");
	info.rekeying.duration_ms = 0;
	assert_group(&info, ",\"duration_ms\":0}");
}

static void schemes_modes_and_algorithms_have_the_names_of_the_configuration(void **state)
{
	struct gk_group_info info = group_info();

	(void)state;
	info.scheme = GK_POINT_TO_POINT;
	assert_group(&info, "\"scheme\":\"point-to-point\"");
	info.mode = GK_MODE_PAIRWISE;
	assert_group(&info, "\"mode\":\"pairwise\"");
	info.sign_alg = GK_ALG_EDDSA;
	assert_group(&info, "\"sign_alg\":\"EdDSA\"");
}

static void a_group_that_is_inactive_says_so(void **state)
{
	struct gk_group_info info = group_info();

	(void)state;
	info.active = false;
	assert_group(&info, "\"active\":false,");
}

static void a_member_is_an_object(void **state)
{
	struct gk_member_info info = member_info();
	struct io_json json;

	(void)state;
	io_json_init(&json);
	gw_show_member(&json, &info, now);
	assert_json(&json,
		    "{\"name\":\"lamp1\",\"node\":\"n3\",\"sender_id\":\"0a\","
		    "\"roles\":[\"requester\",\"responder\"],\"state\":\"suspect\","
		    "\"delivery\":\"multicast\",\"in_tree\":true,\"observes\":false,\"num\":13,"
		    "\"address\":\"[fd00::3]:5683\",\"last_seen_s\":2,\"last_sign\":\"answer\","
		    "\"since_s\":7,\"reason\":\"kernel-failed\",\"sleepy\":false,"
		    "\"addresses\":[\"[fd00::4]:61616\",\"[fd00::3]:5683\"]}");
}

static void each_state_of_a_member_has_its_word(void **state)
{
	static const struct {
		enum gk_presence presence;
		enum gk_delivery delivery;
		const char *part;
	} rows[] = {
		{ GK_PRESENT, GK_DELIVERY_CONFIRMED,
		  "\"state\":\"present\",\"delivery\":\"confirmed\"" },
		{ GK_SUSPECT, GK_DELIVERY_UNICAST,
		  "\"state\":\"suspect\",\"delivery\":\"unicast\"" },
		{ GK_ABSENT, GK_DELIVERY_PARKED, "\"state\":\"absent\",\"delivery\":\"parked\"" },
		{ GK_PRESENT, GK_DELIVERY_MULTICAST,
		  "\"state\":\"present\",\"delivery\":\"multicast\"" },
		{ GK_ASLEEP, GK_DELIVERY_OBSERVE, "\"state\":\"asleep\",\"delivery\":\"observe\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_member_info info = member_info();
		info.presence = rows[i].presence;
		info.delivery = rows[i].delivery;
		info.in_tree = i % 2;
		info.sleepy = i % 2;
		assert_member(&info, rows[i].part);
		assert_member(&info, i % 2 ? "\"sleepy\":true" : "\"sleepy\":false");
		assert_member(&info, i % 2 ? "\"in_tree\":true" : "\"in_tree\":false");
	}
}

static void one_who_is_banned_has_nothing_of_a_member(void **state)
{
	struct gk_member_info info = banned_info();
	struct io_json json;

	(void)state;
	io_json_init(&json);
	gw_show_member(&json, &info, now);
	assert_json(&json, "{\"name\":\"lamp1\",\"node\":\"n3\",\"sender_id\":\"\","
			   "\"roles\":[],\"state\":\"banned\",\"delivery\":null,"
			   "\"in_tree\":false,\"observes\":false,\"num\":null,\"address\":null,"
			   "\"last_seen_s\":null,\"last_sign\":null,\"since_s\":null,"
			   "\"reason\":null,\"sleepy\":false,\"addresses\":[]}");
}

static void a_client_is_an_object(void **state)
{
	struct gk_client_info info = client_info();
	struct io_json json;

	(void)state;
	io_json_init(&json);
	gw_show_client(&json, &info);
	assert_json(&json, "{\"name\":\"lamp1\",\"id\":\"c001020304050607\",\"groups\":["
			   "{\"group\":\"lights\",\"roles\":[\"requester\",\"responder\"]},"
			   "{\"group\":\"meters\",\"roles\":[\"monitor\"]}],\"member_of\":1,"
			   "\"expires\":\"2026-11-21T18:00:00Z\",\"state\":\"known\"}");
}

static void what_is_not_known_of_a_client_is_null(void **state)
{
	struct gk_client_info info = client_info();

	(void)state;
	info.scope = gk_span(NULL, 0);
	assert_client(&info, "\"groups\":null,");
	info.scope = gk_span_str("\x80"); // known to be none
	assert_client(&info, "\"groups\":[],");
}

static void each_state_of_a_client_has_its_word(void **state)
{
	static const struct {
		bool known, revoked;
		const char *part;
	} rows[] = {
		{ false, false, "\"state\":\"issued\"" },
		{ true, false, "\"state\":\"known\"" },
		{ false, true, "\"state\":\"revoked\"" },
		{ true, true, "\"state\":\"revoked\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_client_info info = client_info();
		info.known = rows[i].known;
		info.revoked = rows[i].revoked;
		assert_client(&info, rows[i].part);
	}
}

static void times_are_text_of_one_length(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1795284000, "2026-11-21T18:00:00Z" },
		{ INT64_C(2147483648), "2038-01-19T03:14:08Z" },
		{ INT64_C(253402300799), "9999-12-31T23:59:59Z" },
		{ INT64_C(253402300800), "9999-12-31T23:59:59Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z" },
		{ -1, "1970-01-01T00:00:00Z" },
		{ INT64_MIN, "1970-01-01T00:00:00Z" },
	};
	char text[GW_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(gw_show_time((struct gk_utc){ rows[i].s }, text), rows[i].text);
}

/*
 * Tables
 */

typedef void put_fn(struct gw_table *table);

/* Given twice, as tables are. @return the text, to be freed */
static char *tabulate(put_fn *put)
{
	struct gw_table table = { .out = NULL };
	char *text;
	size_t len;

	put(&table);
	table.out = open_memstream(&text, &len);
	put(&table);
	fclose(table.out);
	return text;
}

static void assert_table(put_fn *put, const char *want)
{
	char *text = tabulate(put);

	assert_string_equal(text, want);
	free(text);
}

static void put_groups(struct gw_table *table)
{
	struct gk_group_info info = group_info();

	gw_show_group_row(table, NULL);
	gw_show_group_row(table, &info);
	info.name = gk_span_str("m");
	info.scheme = GK_POINT_TO_POINT;
	info.in_tree = 0;
	info.active = false;
	gw_show_group_row(table, &info);
}

static void groups_are_a_table(void **state)
{
	(void)state;
	assert_table(put_groups,
		     "NAME    ACTIVE  NUM  GID           SCHEME          MEMBERS  IN-TREE  "
		     "CONFIRMED  PRESUMED  UNICAST  PARKED  SIGN-ALG\n"
		     "lights  yes     13   bdbd0000000d  tree            21       20       "
		     "5          9         4        3       ES256\n"
		     "m       no      13   bdbd0000000d  point-to-point  21       0        "
		     "5          9         4        3       ES256\n");
}

static void put_rekeyings(struct gw_table *table)
{
	struct gk_group_info info = group_info();

	gw_show_rekeying_row(table, NULL);
	gw_show_rekeying_row(table, &info);
	info.rekeying.duration_ms = -1;
	gw_show_rekeying_row(table, &info);
}

static void their_newest_rekeyings_are_another(void **state)
{
	(void)state;
	assert_table(put_rekeyings,
		     "REKEYING  NUM  MEMBERS  CONFIRMED  UNICAST  PARKED  BYTES  DATAGRAMS  "
		     "REFUSED  TOOK\n"
		     "lights    12   19       11         6        2       4321   8          "
		     "7        1250ms\n"
		     "lights    12   19       11         6        2       4321   8          "
		     "7        under way\n");
}

static void put_presences(struct gw_table *table)
{
	struct gk_group_info info = group_info();

	gw_show_presence_row(table, NULL);
	gw_show_presence_row(table, &info);
	info.evict = false;
	info.blind = GK_BLIND_LINK_DOWN;
	gw_show_presence_row(table, &info);
	info.blind = GK_BLIND_MASS_LOSS;
	gw_show_presence_row(table, &info);
}

static void who_is_there_is_a_third(void **state)
{
	(void)state;
	assert_table(put_presences,
		     "PRESENCE  PRESENT  ASLEEP  SUSPECT  ABSENT  BLIND      ALARM\n"
		     "lights    14       15      16       17      -          -\n"
		     "lights    14       15      16       17      link-down  absent\n"
		     "lights    14       15      16       17      mass-loss  "
		     "mass-loss\n");
}

static void put_members(struct gw_table *table)
{
	struct gk_member_info info = member_info();

	gw_show_member_row(table, NULL, now);
	gw_show_member_row(table, &info, now);
	info.name = gk_span_str("a\nb");
	info.sender_id = gk_span(NULL, 0); // a monitor
	info.roles = GK_ROLE_MONITOR;
	info.in_tree = false;
	info.sleepy = true;
	gw_show_member_row(table, &info, now);
	info = banned_info();
	gw_show_member_row(table, &info, now);
	info.node = gk_span(NULL, 0); // was no member then
	gw_show_member_row(table, &info, now);
}

static void members_are_a_table(void **state)
{
	(void)state;
	assert_table(
		put_members,
		"NAME             NODE  SID  ROLES                STATE           SINCE  REASON  "
		"       DELIVERY   IN-TREE  NUM  SEEN  BY      ADDRESS\n"
		"lamp1            n3    0a   requester,responder  suspect         7s     "
		"kernel-failed  multicast  yes      13   2s    answer  [fd00::3]:5683\n"
		"(not printable)  n3    -    monitor              suspect,sleepy  7s     "
		"kernel-failed  multicast  no       13   2s    answer  [fd00::3]:5683\n"
		"lamp1            n3    -    -                    banned          -      -       "
		"       -          -        -    -     -       -\n"
		"lamp1            -     -    -                    banned          -      -       "
		"       -          -        -    -     -       -\n");
}

static void put_clients(struct gw_table *table)
{
	struct gk_client_info info = client_info();

	gw_show_client_row(table, NULL);
	gw_show_client_row(table, &info);
	info.name = gk_span_str("a\nb");
	info.revoked = true;
	info.groups = 0;
	info.scope = gk_span(NULL, 0);
	gw_show_client_row(table, &info);
}

static void clients_are_a_table(void **state)
{
	(void)state;
	assert_table(put_clients, "NAME             ID                STATE    EXPIRES            "
				  "   MEMBER-OF  GROUPS\n"
				  "lamp1            c001020304050607  known    2026-11-21T18:00:00Z"
				  "  1          lights=requester,responder meters=monitor\n"
				  "(not printable)  c001020304050607  revoked  2026-11-21T18:00:00Z"
				  "  0          -\n");
}

/* Another AS may put more groups into a token than a line can show. */
static void put_client_of_many(struct gw_table *table)
{
	static uint8_t bytes[4096];
	struct gk_client_info info = client_info();
	struct gk_buf scope = gk_buf(bytes, sizeof(bytes));

	gk_buf_add(&scope, gk_span_str("\x98\x20"));
	for (int i = 0; i < 32; i++)
		gk_scope_put(&scope,
			     gk_span_str("0123456789012345678901234567890123456789"
					 "012345678901234567890123"),
			     GK_ROLE_REQUESTER | GK_ROLE_RESPONDER);
	info.scope = gk_buf_span(&scope);
	gw_show_client_row(table, &info);
}

static void what_does_not_fit_into_a_row_is_left_out_whole(void **state)
{
	char *text = tabulate(put_client_of_many);
	size_t len = strlen(text), groups = 0;

	(void)state;
	for (const char *at = text; (at = strchr(at, '=')); at++)
		groups++;
	assert_true(groups >= 8 && groups < 32);
	assert_true(len < 1200);
	assert_string_equal(text + len - 21, "=requester,responder\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_an_object),
		cmocka_unit_test(what_a_group_suffers_from_is_shown),
		cmocka_unit_test(a_rekeying_under_way_has_no_duration),
		cmocka_unit_test(schemes_modes_and_algorithms_have_the_names_of_the_configuration),
		cmocka_unit_test(a_group_that_is_inactive_says_so),
		cmocka_unit_test(a_member_is_an_object),
		cmocka_unit_test(each_state_of_a_member_has_its_word),
		cmocka_unit_test(one_who_is_banned_has_nothing_of_a_member),
		cmocka_unit_test(a_client_is_an_object),
		cmocka_unit_test(what_is_not_known_of_a_client_is_null),
		cmocka_unit_test(each_state_of_a_client_has_its_word),
		cmocka_unit_test(times_are_text_of_one_length),
		cmocka_unit_test(groups_are_a_table),
		cmocka_unit_test(their_newest_rekeyings_are_another),
		cmocka_unit_test(who_is_there_is_a_third),
		cmocka_unit_test(members_are_a_table),
		cmocka_unit_test(clients_are_a_table),
		cmocka_unit_test(what_does_not_fit_into_a_row_is_left_out_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
