// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The interface in general: who may do what, and how refusals look (RFC 9594 section 4.1, section 8
// of the profile); and /ace-group itself.

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

static void serve(struct pair *p, const char *name)
{
	struct gk_group_config config = pair_config(name);

	assert_int_equal(pair_serve(p, &config), GK_OK);
}

static void kdc_041_without_a_token_there_is_4_01(void **state)
{
	static const char *const paths[] = {
		"ace-group",
		"ace-group/lights",
		"ace-group/lights/creds",
		"ace-group/lights/kdc-cred",
		"ace-group/lights/policies",
		"ace-group/lights/num",
		"ace-group/lights/active",
		"ace-group/lights/verif-data",
		"ace-group/lights/stale-sids",
		"ace-group/lights/nodes/n1",
		"ace-group/nothing",
	};
	static const uint8_t methods[] = { GET, POST, FETCH, DELETE };
	static struct client c, member;

	client_open(&member, *state, 2, ALL);
	must_join(&member, REQUESTER);
	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(paths); i++) {
		for (size_t k = 0; k < ROWS(methods); k++) {
			if (ask_plain(&c, methods[k], paths[i], CF_NONE, gk_span(NULL, 0)) !=
			    UNAUTHORIZED)
				fail_msg("%u %s: %x", methods[k], paths[i], c.code);
		}
	}
	/* nor under an association that is made up */
	assert_int_equal(client_post(&c), CREATED);
	c.raw.ctx.sender_id.data[0] ^= 0x55;
	assert_int_equal(ask_group(&c, GET, "num"), UNAUTHORIZED);
	assert_false(c.raw.is_protected);
}

static void kdc_038_041_042_who_has_no_token_is_told_where_to_get_one(void **state)
{
	struct pair *p = *state;
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, sizeof(pair_as_key)),
					.as_uri = gk_span_str("coaps://as.example/token") };
	static const char hints[] = "a2 01 7818 636f6170733a2f2f61732e6578616d706c652f746f6b656e"
				    "05 68 6761746577617964";
	static struct client c;

	replace_kdc(p, &config);
	client_open(&c, p, 1, 0);
	client_grant(&c, "heat", ALL);
	(void)ask_plain(&c, GET, "ace-group/lights/num", CF_NONE, gk_span(NULL, 0));
	assert_answer(&c, UNAUTHORIZED, CF_ACE);
	assert_hex_equal(c.payload, hints);
	assert_int_equal(client_post(&c), CREATED);
	(void)ask_group(&c, GET, "num");
	assert_answer(&c, FORBIDDEN, CF_ACE);
	assert_hex_equal(c.payload, hints);
}

static void kdc_042_groups_and_roles_of_a_token_are_the_limit(void **state)
{
	static const char *const paths[] = { "",         "creds",  "kdc-cred",   "policies",
					     "num",      "active", "verif-data", "stale-sids",
					     "nodes/n1", "nodes" };
	static const uint8_t methods[] = { GET, POST, FETCH, DELETE, PUT };
	static struct client c;

	serve(*state, "heat");
	client_open(&c, *state, 1, 0);
	client_grant(&c, "heat", ALL);
	assert_int_equal(client_post(&c), CREATED);
	/* a group of others, and one that does not exist, look the same */
	for (size_t i = 0; i < ROWS(paths); i++) {
		for (size_t k = 0; k < ROWS(methods); k++) {
			strcpy(c.group, "lights");
			uint8_t others = ask_group(&c, methods[k], paths[i]);
			strcpy(c.group, "nothing");
			if (others != FORBIDDEN || ask_group(&c, methods[k], paths[i]) != FORBIDDEN)
				fail_msg("%u %s: %x, %x", methods[k], paths[i], others, c.code);
			assert_int_equal(c.format == CF_NONE || c.format == CF_ACE, true);
		}
	}
}

static void kdc_043_what_is_malformed_gets_4_00(void **state)
{
	static const struct {
		uint8_t method;
		const char *path;
		int format;
		const char *payload;
	} rows[] = {
		{ FETCH, "ace-group", CF_ACE_GC, "" },
		{ FETCH, "ace-group", CF_ACE_GC, "a0" },
		{ FETCH, "ace-group", CF_ACE_GC, "a1 00 80" },
		{ FETCH, "ace-group", CF_ACE_GC, "a1 00 41dd" },
		{ FETCH, "ace-group", CF_ACE_GC, "a1 00 8101" },
		{ FETCH, "ace-group", CF_ACE_GC, "81 41dd" },
		{ FETCH, "ace-group", CF_ACE_GC, "a1 00 81 41dd 00" },
		{ POST, "ace-group/lights", CF_ACE_GC, "ff" },
		{ POST, "ace-group/lights", CF_ACE_GC, "a1 03" },
		{ FETCH, "ace-group/lights/creds", CF_ACE_GC, "a1 04 f6" },
		{ FETCH, "ace-group/lights/creds", CF_ACE_GC, "a1 04 83 f5 80 80" },
		{ FETCH, "ace-group/lights/creds", CF_ACE_GC, "a1 04 83 01 80 8141 05" },
		{ FETCH, "ace-group/lights/creds", CF_ACE_GC, "a1 04 82 f5 81 02" },
		{ FETCH, "ace-group/lights/stale-sids", CF_CBOR, "" },
		{ FETCH, "ace-group/lights/stale-sids", CF_CBOR, "20" },
		{ FETCH, "ace-group/lights/stale-sids", CF_CBOR, "81 00" },
	};
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (ask_hex(&c, rows[i].method, rows[i].path, rows[i].format, rows[i].payload) !=
		    BAD_REQUEST)
			fail_msg("%s %s: %x", rows[i].path, rows[i].payload, c.code);
	}
}

static void kdc_044_what_is_unknown_or_not_expected_is_ignored(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	/* one unassigned, one text, one of another message */
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER,
						  .more_pairs = 4,
						  .more = "1903e8 f5 6161 80 09 07 22 a1 00 00" }),
			 CREATED);
	assert_int_equal(ask_hex(&c, FETCH, "ace-group", CF_ACE_GC, "a2 00 81 41dd 1822 f5"),
			 CONTENT);
	assert_int_equal(ask_group_hex(&c, FETCH, "creds", "a2 04 83 f5 81 02 80 03 00"), CONTENT);
}

static void kdc_045_answers_have_the_content_format_of_ace_groupcomm(void **state)
{
	static const char *const paths[] = { "", "creds", "kdc-cred", "policies", "*" };
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_answer(&c, CREATED, CF_ACE_GC);
	for (size_t i = 0; i < ROWS(paths); i++) {
		(void)ask_group(&c, GET, paths[i]);
		assert_answer(&c, CONTENT, CF_ACE_GC);
	}
	(void)ask_hex(&c, FETCH, "ace-group", CF_ACE_GC, "a1 00 81 41dd");
	assert_answer(&c, CONTENT, CF_ACE_GC);
	(void)ask_group(&c, POST, "*");
	assert_answer(&c, CHANGED, CF_ACE_GC);
}

static void kdc_046_an_error_is_told_in_problem_details(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	assert_int_equal(client_post(&c), CREATED);
	(void)ask_group(&c, GET, "num");
	assert_answer(&c, FORBIDDEN, CF_PROBLEM);
	assert_hex_equal(c.payload, "a1 00 a1 00 00");
	must_join(&c, MONITOR);
	(void)ask_group(&c, POST, "*");
	assert_answer(&c, BAD_REQUEST, CF_PROBLEM);
	assert_hex_equal(c.payload, "a1 00 a1 00 01");
}

static void kdc_047_what_was_wrong_is_told_the_operator(void **state)
{
	static const struct join rows[] = {
		{ .roles = 2, .cred = "a0" },         { .roles = 2, .verify = "00" },
		{ .roles = 2, .cred = "" },           { .roles = 10 },
		{ .roles = 2, .control = "nothing" },
	};
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t before;

		assert_int_equal(client_post(&c), CREATED);
		before = pair_count_notes(p, PAIR_KDC, GK_NOTE_REFUSED);
		assert_int_equal(join(&c, &rows[i]), BAD_REQUEST);
		assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REFUSED), before + 1);
		assert_non_null(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->reason);
		assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->name, "client1");
	}
	(void)client_post_with(&c, &(struct token){ .aud = "other" }, NULL);
	assert_non_null(strstr(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->reason, "audience"));
}

static void kdc_048_the_group_in_the_scope_is_the_one_in_the_path(void **state)
{
	static struct client c;
	struct bytes request = { .len = 0 };

	serve(*state, "heat");
	client_open(&c, *state, 1, ALL);
	client_grant(&c, "heat", ALL);
	assert_int_equal(client_post(&c), CREATED);
	put_join(&request, &c, &(struct join){ .group = "heat", .roles = REQUESTER });
	assert_int_equal(ask(&c, POST, "ace-group/lights", CF_ACE_GC, all_of(&request)),
			 BAD_REQUEST);
	assert_int_equal(ask(&c, POST, "ace-group/heat", CF_ACE_GC, all_of(&request)), CREATED);
}

static void fetch_own(struct client *c)
{
	struct bytes b = { .len = 0 };

	assert_int_equal(ask_group(c, GET, ""), CONTENT);
	put_hex(&b, "a1 00 81");
	put_raw(&b, in_map(in_map(c->payload, 8), 6));
	assert_int_equal(ask(c, FETCH, "ace-group", CF_ACE_GC, all_of(&b)), CONTENT);
}

static void kdc_049_the_whole_interface_is_there(void **state)
{
	static const struct {
		const char *path, *methods;
	} rows[] = {
		{ "authz-info", "P" },
		{ "ace-group", "F" },
		{ "ace-group/lights", "PG" },
		{ "ace-group/lights/creds", "FG" },
		{ "ace-group/lights/kdc-cred", "GF" },
		{ "ace-group/lights/policies", "G" },
		{ "ace-group/lights/num", "G" },
		{ "ace-group/lights/active", "G" },
		{ "ace-group/lights/verif-data", "G" },
		{ "ace-group/lights/stale-sids", "F" },
		{ "ace-group/lights/nodes/NODE", "GPD" },
		{ "ace-group/lights/nodes/NODE/cred", "P" },
	};
	static const struct {
		char letter;
		uint8_t method;
	} methods[] = {
		{ 'G', GET }, { 'P', POST }, { 'U', PUT }, { 'F', FETCH }, { 'D', DELETE }
	};
	static struct client c;
	char path[100];

	client_open(&c, *state, 1, ALL);
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (size_t k = 0; k < ROWS(methods); k++) {
			const char *name = strstr(rows[i].path, "NODE");

			assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }) >> 5, 2);
			snprintf(path, sizeof(path), "%.*s%s%s",
				 name ? (int)(name - rows[i].path) : 99, rows[i].path,
				 name ? c.node : "", name ? name + 4 : "");
			(void)ask(&c, methods[k].method, path, CF_NONE, gk_span(NULL, 0));
			if ((c.code == NOT_ALLOWED) !=
				    !strchr(rows[i].methods, methods[k].letter) ||
			    c.code == NOT_FOUND)
				fail_msg("%c %s: %x", methods[k].letter, path, c.code);
			if (k % 2)
				pair_advance(*state, 120000);
		}
	}
}

/* The labels in a map count as seen. */
static void see(bool seen[35], struct gk_span map)
{
	for (int label = 0; label < 35; label++)
		seen[label] = seen[label] || has(map, label);
}

static void kdc_052_each_parameter_has_its_place(void **state)
{
	// by label: what a request has, and what no answer of ours needs
	static const int asked[] = { 3, 4, 5, 6, 24, 26 }, none[] = { 22, 23, 25, 30 };
	struct pair *p = *state;
	struct gk_group_config tree = pair_tree_config("tree"), pairwise = pair_config("pairwise");
	static struct client c, verifier;
	static struct told told;
	bool seen[35] = { false };

	pairwise.mode = GK_MODE_PAIRWISE;
	assert_int_equal(pair_serve(p, &tree), GK_OK);
	assert_int_equal(pair_serve(p, &pairwise), GK_OK);
	client_open(&c, p, 1, ALL);
	client_grant(&c, "tree", ALL);
	client_grant(&c, "pairwise", ALL);
	(void)join(&c, &(struct join){ .roles = MONITOR | REQUESTER });
	see(seen, c.payload); /* sign_info */
	(void)ask_hex(&c, POST, "ace-group/pairwise", CF_ACE_GC, "");
	see(seen, c.payload); /* ecdh_info, kdc_dh_creds */
	assert_int_equal(join(&c, &(struct join){ .group = "tree",
						  .roles = REQUESTER,
						  .get_creds = "f6",
						  .more_pairs = 1,
						  .more = "14 3a00011f38" }),
			 CREATED);
	see(seen, c.payload);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER,
						  .control = "coap://[fd00::1:1]:5683/c" }),
			 CREATED);
	fetch_own(&c);
	see(seen, c.payload); /* gid, gname, guri */
	assert_int_equal(ask_group(&c, POST, "*"), CHANGED);
	see(seen, c.payload); /* group_senderId */
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	read_told(&c, 0, &told);
	see(seen, told.payload); /* stale_node_ids */
	client_open(&verifier, p, 2, VERIFIER);
	assert_int_equal(client_post(&verifier), CREATED);
	assert_int_equal(ask_group(&verifier, GET, "verif-data"), CONTENT);
	see(seen, verifier.payload); /* sign_enc_key */
	for (size_t i = 0; i < ROWS(asked); i++)
		seen[asked[i]] = true;
	for (size_t i = 0; i < ROWS(none); i++)
		seen[none[i]] = true;
	for (size_t label = 0; label < ROWS(seen); label++) {
		if (!seen[label])
			fail_msg("nowhere %zu", label);
	}
}

enum type { T1, T2, T3, T4, TYPES };

/* The code for a requester, a monitor, a verifier, and another whose token names the group. */
static void kdc_050_methods_are_for_the_roles_of_the_table(void **state)
{
	static const struct {
		uint8_t method;
		const char *path, *payload;
		uint8_t code[TYPES];
		int error[TYPES]; /* -1: none */
	} rows[] = {
		{ GET, "", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ FETCH,
		  "creds",
		  "a1 04 83 f5 81 02 80",
		  { 0x45, 0x45, 0x45, 0x83 },
		  { -1, -1, -1, 0 } },
		{ GET, "creds", NULL, { 0x45, 0x45, 0x45, 0x83 }, { -1, -1, -1, 0 } },
		{ GET, "kdc-cred", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ FETCH,
		  "kdc-cred",
		  "a1 06 48 0102030405060708",
		  { 0x83, 0x83, 0x45, 0x83 },
		  { 8, 8, -1, 8 } },
		{ GET, "policies", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ GET, "num", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ GET, "active", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ GET, "verif-data", NULL, { 0x83, 0x83, 0x45, 0x83 }, { 8, 8, -1, 8 } },
		{ FETCH, "stale-sids", "00", { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ GET, "*", NULL, { 0x45, 0x45, 0x83, 0x83 }, { -1, -1, 0, 0 } },
		{ POST, "*", NULL, { 0x44, 0x80, 0x83, 0x83 }, { -1, 1, 0, 0 } },
		{ DELETE, "*", NULL, { 0x42, 0x42, 0x83, 0x83 }, { -1, -1, 0, 0 } },
	};
	static const uint32_t granted[TYPES] = { ALL, MONITOR, VERIFIER, REQUESTER | RESPONDER };
	static struct client c[TYPES];

	for (unsigned t = 0; t < TYPES; t++) {
		client_open(&c[t], *state, t + 1, granted[t]);
		assert_int_equal(client_post(&c[t]), CREATED);
		if (t <= T2)
			must_join(&c[t], t == T1 ? REQUESTER | RESPONDER : MONITOR);
		else
			strcpy(c[t].node, "n1");
	}
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (unsigned t = 0; t < TYPES; t++) {
			bool stale = strcmp(rows[i].path, "stale-sids") == 0;
			char path[64];

			snprintf(path, sizeof(path), "ace-group/lights/%s%s",
				 rows[i].path[0] == '*' ? "nodes/" : rows[i].path,
				 rows[i].path[0] == '*' ? c[t].node : "");
			if (!rows[i].path[0])
				path[16] = '\0';
			(void)ask_hex(&c[t], rows[i].method, path,
				      !rows[i].payload ? CF_NONE
				      : stale          ? CF_CBOR
						       : CF_ACE_GC,
				      rows[i].payload ? rows[i].payload : "");
			if (c[t].code != rows[i].code[t])
				fail_msg("%u %s of T%u: %x", rows[i].method, rows[i].path, t + 1,
					 c[t].code);
			if (rows[i].error[t] >= 0 && c[t].format == CF_PROBLEM)
				assert_error(&c[t], rows[i].code[t], (unsigned)rows[i].error[t]);
		}
	}
}

static void kdc_051_who_only_verifies_has_four_resources(void **state)
{
	static const struct {
		uint8_t method;
		const char *path;
	} rows[] = { { POST, "" },           { GET, "" },
		     { GET, "policies" },    { GET, "num" },
		     { GET, "active" },      { FETCH, "stale-sids" },
		     { GET, "nodes/n1" },    { POST, "nodes/n1" },
		     { DELETE, "nodes/n1" }, { POST, "nodes/n1/cred" },
		     { GET, "kdc-cred" } };
	static struct client c, member;

	client_open(&member, *state, 2, ALL);
	must_join(&member, REQUESTER);
	client_open(&c, *state, 1, VERIFIER);
	assert_int_equal(client_post(&c), CREATED);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (ask_group(&c, rows[i].method, rows[i].path) != FORBIDDEN)
			fail_msg("%u %s: %x", rows[i].method, rows[i].path, c.code);
	}
	assert_int_equal(ask_hex(&c, FETCH, "ace-group", CF_ACE_GC, "a1 00 81 41dd"), CONTENT);
	assert_int_equal(ask_group(&c, GET, "creds"), CONTENT);
	assert_int_equal(ask_group(&c, GET, "verif-data"), CONTENT);
	assert_int_equal(ask_group_hex(&c, FETCH, "kdc-cred", "a1 06 48 0102030405060708"),
			 CONTENT);
}

/* /ace-group */

static struct gk_span gid_of(struct client *c, const char *group)
{
	assert_int_equal(join(c, &(struct join){ .group = group, .roles = REQUESTER }) >> 5, 2);
	return exact_copy(bstr(in_map(in_map(c->payload, 8), 6)));
}

static void fetch(struct client *c, const struct gk_span *gids, size_t count)
{
	struct bytes b = { .len = 0 };

	put_hex(&b, "a1 00");
	put_head(&b, 4, count);
	for (size_t i = 0; i < count; i++)
		put_bstr(&b, gids[i]);
	(void)ask(c, FETCH, "ace-group", CF_ACE_GC, all_of(&b));
	assert_answer(c, CONTENT, CF_ACE_GC);
}

static void kdc_053_gids_lead_to_names_and_uris(void **state)
{
	static const char *const names[] = { "lights", "heat" };
	static struct client c;
	struct gk_span gids[3], none = gk_span_str("none");

	serve(*state, "heat");
	client_open(&c, *state, 1, ALL);
	client_grant(&c, "heat", ALL);
	gids[0] = gid_of(&c, "lights");
	gids[1] = none;
	gids[2] = gid_of(&c, "heat");
	fetch(&c, gids, 3);
	assert_int_equal(map_size(c.payload), 3);
	for (int64_t label = 0; label < 3; label++)
		assert_int_equal(array_size(in_map(c.payload, label)), 2);
	for (size_t i = 0; i < 2; i++) {
		bool first = gk_span_equal(bstr(in_array(in_map(c.payload, 0), i)), gids[0]);
		const char *name = names[first ? 0 : 1];
		char uri[40];

		snprintf(uri, sizeof(uri), "/ace-group/%s", name);
		assert_true(first ||
			    gk_span_equal(bstr(in_array(in_map(c.payload, 0), i)), gids[2]));
		assert_true(
			gk_span_equal(tstr(in_array(in_map(c.payload, 1), i)), gk_span_str(name)));
		assert_true(
			gk_span_equal(tstr(in_array(in_map(c.payload, 2), i)), gk_span_str(uri)));
	}
	fetch(&c, &none, 1);
	assert_hex_equal(c.payload, "40");
}

static void kdc_054_a_gid_of_the_past_is_nobodys(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span old;

	client_open(&c, p, 1, ALL);
	old = gid_of(&c, "lights");
	fetch(&c, &old, 1);
	assert_int_equal(map_size(c.payload), 3);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	fetch(&c, &old, 1);
	assert_hex_equal(c.payload, "40");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_041_without_a_token_there_is_4_01),
		LIGHTS(kdc_038_041_042_who_has_no_token_is_told_where_to_get_one),
		LIGHTS(kdc_042_groups_and_roles_of_a_token_are_the_limit),
		LIGHTS(kdc_043_what_is_malformed_gets_4_00),
		LIGHTS(kdc_044_what_is_unknown_or_not_expected_is_ignored),
		LIGHTS(kdc_045_answers_have_the_content_format_of_ace_groupcomm),
		LIGHTS(kdc_046_an_error_is_told_in_problem_details),
		LIGHTS(kdc_047_what_was_wrong_is_told_the_operator),
		LIGHTS(kdc_048_the_group_in_the_scope_is_the_one_in_the_path),
		LIGHTS(kdc_049_the_whole_interface_is_there),
		LIGHTS(kdc_052_each_parameter_has_its_place),
		LIGHTS(kdc_050_methods_are_for_the_roles_of_the_table),
		LIGHTS(kdc_051_who_only_verifies_has_four_resources),
		LIGHTS(kdc_053_gids_lead_to_names_and_uris),
		LIGHTS(kdc_054_a_gid_of_the_past_is_nobodys),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
