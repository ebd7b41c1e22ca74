// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The Join Response, and what a join changes (RFC 9594 section 4.3.1, section 6.3 of the profile).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

static struct gk_span key_of(const struct client *c)
{
	return in_map(c->payload, 8);
}

static struct gk_span sid_of(const struct client *c)
{
	return exact_copy(bstr(in_map(key_of(c), 7)));
}

/* A group as 'lights' is, in which nobody is rekeyed for a join. */
static void no_rekeying_on_join(struct pair *p)
{
	p->config[0].rekey_on_join = false;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void assert_location(const struct client *c, const char *node)
{
	static const char *const path[] = { "ace-group", "lights", "nodes" };
	struct gk_span value;

	for (size_t i = 0; i < 3; i++) {
		assert_true(find_option(c, 8, i, &value));
		assert_true(gk_span_equal(value, gk_span_str(path[i])));
	}
	assert_true(find_option(c, 8, 3, &value));
	assert_true(gk_span_equal(value, gk_span_str(node)));
	assert_false(find_option(c, 8, 4, &value));
}

static void kdc_069_a_new_member_is_created_one_that_joins_again_changed(void **state)
{
	static struct client c;
	char node[33];

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_answer(&c, CREATED, CF_ACE_GC);
	snprintf(node, sizeof(node), "%s", c.node);
	assert_true(node[0]);
	assert_location(&c, node);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), CHANGED);
	assert_answer(&c, CHANGED, CF_ACE_GC);
	assert_location(&c, node);
	assert_int_equal(ask_group(&c, GET, "*"), CONTENT);
	/* who has left is new when it comes again */
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), CREATED);
}

static void kdc_070_a_different_credential_takes_the_place_of_the_old_one(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	client_use_key(&c, 1, -7);
	c.raw.addr.ip[15] = 77; /* another key */
	client_use_key(&c, 1, -7);
	c.raw.addr.ip[15] = 1;
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CHANGED);
	assert_int_equal(ask_group(&c, GET, "creds"), CONTENT);
	assert_int_equal(array_size(in_map(c.payload, 13)), 1);
	assert_true(gk_span_equal(bstr(in_array(in_map(c.payload, 13), 0)), all_of(&c.cred)));
	/* and is the stored one from now on */
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER, .verify = "" }), CHANGED);
}

static void kdc_071_no_sender_id_comes_twice_under_a_gid(void **state)
{
	struct pair *p = *state;
	static struct client c[20];
	struct gk_span seen[60], gid = { NULL, 0 };
	size_t count = 0;

	no_rekeying_on_join(p);
	for (unsigned i = 0; i < 60; i++) {
		struct client *one = &c[i % 20];

		if (i < 20)
			client_open(one, p, i + 1, ALL);
		assert_int_equal(join(one, &(struct join){ .roles = REQUESTER }) >> 5, 2);
		if (!gid.len)
			gid = exact_copy(in_map(key_of(one), 6));
		assert_true(gk_span_equal(gid, in_map(key_of(one), 6)));
		seen[count] = sid_of(one);
		for (size_t k = 0; k < count; k++)
			assert_false(gk_span_equal(seen[k], seen[count]));
		count++;
	}
}

static void kdc_071_121_nor_after_a_restart(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span seen[12];

	no_rekeying_on_join(p);
	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	seen[0] = sid_of(&c);
	for (size_t i = 1; i < ROWS(seen); i++) {
		if (i == ROWS(seen) / 2)
			pair_restart(p);
		assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CHANGED);
		seen[i] = sid_of(&c);
		for (size_t k = 0; k < i; k++)
			assert_false(gk_span_equal(seen[k], seen[i]));
	}
}

static void kdc_071_a_monitor_has_no_sender_id(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, MONITOR);
	assert_false(has(key_of(&c), 7));
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CHANGED);
	assert_true(has(key_of(&c), 7));
	assert_int_equal(join(&c, &(struct join){ .roles = MONITOR }), CHANGED);
	assert_false(has(key_of(&c), 7));
}

/* @return true if the answer to FETCH stale-sids names it */
static bool is_stale(struct client *c, int64_t num, struct gk_span sid)
{
	struct bytes version = { .len = 0 };

	put_int(&version, num);
	(void)ask(c, FETCH, "ace-group/lights/stale-sids", CF_CBOR, all_of(&version));
	assert_answer(c, CONTENT, CF_CBOR);
	for (size_t i = 0; i < array_size(c->payload); i++) {
		if (gk_span_equal(bstr(in_array(c->payload, i)), sid))
			return true;
	}
	return false;
}

static void kdc_072_who_joins_again_gets_another_sender_id(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span old, new;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	old = sid_of(&c);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CHANGED);
	new = sid_of(&c);
	assert_false(gk_span_equal(old, new));
	/* the old one is in the set of the version under which it ended */
	rekey(p);
	assert_true(is_stale(&c, pair_num(p) - 1, old));
	assert_false(is_stale(&c, pair_num(p) - 1, new));
	/* one that becomes a monitor gives its own back */
	assert_int_equal(join(&c, &(struct join){ .roles = MONITOR }), CHANGED);
	rekey(p);
	assert_true(is_stale(&c, pair_num(p) - 1, new));
}

static void kdc_073_a_credential_is_served_with_the_newest_sender_id(void **state)
{
	static struct client c, other;
	struct gk_span sid;

	client_open(&c, *state, 1, ALL);
	client_open(&other, *state, 2, ALL);
	must_join(&other, REQUESTER);
	must_join(&c, REQUESTER);
	assert_int_equal(join(&c, &(struct join){ .roles = RESPONDER }), CHANGED);
	sid = sid_of(&c);
	assert_int_equal(ask_group(&other, GET, "creds"), CONTENT);
	assert_int_equal(array_size(in_map(other.payload, 15)), 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_c = gk_span_equal(bstr(in_array(in_map(other.payload, 13), i)),
					  all_of(&c.cred));

		assert_int_equal(gk_span_equal(bstr(in_array(in_map(other.payload, 15), i)), sid),
				 is_c);
		assert_int_equal(integer(in_array(in_map(other.payload, 14), i)),
				 is_c ? RESPONDER : REQUESTER);
	}
}

static void kdc_074_075_the_response_is_complete(void **state)
{
	struct pair *p = *state;
	static struct client c;
	int64_t exp, exi;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER | RESPONDER);
	assert_answer(&c, CREATED, CF_ACE_GC);
	assert_hex_equal(in_map(c.payload, 7), "01");
	assert_int_equal(key_of(&c).data[0] >> 5, 5);
	assert_int_equal(integer(in_map(c.payload, 9)), pair_num(p));
	assert_hex_equal(in_map(c.payload, 10), "01");
	assert_true(has(c.payload, 17) && has(c.payload, 18) && has(c.payload, 19));
	exp = integer(in_map(c.payload, 11));
	exi = integer(in_map(c.payload, 12));
	assert_true(exi > 0);
	assert_int_equal(exp, p->now.utc.s + exi);
	/* gkty, key, num, profile, exp, exi, policies, and the three of the KDC; nothing else */
	assert_int_equal(map_size(c.payload), 10);
}

/* labels 2 to 13 of the key map, which is exactly these, of 16 bytes of ms and any Gid */
static void assert_key(struct gk_span key, const char *labels, const char *values[])
{
	size_t count = strlen(labels);

	assert_int_equal(map_size(key), count);
	for (size_t i = 0; i < count; i++) {
		int label = labels[i] >= 'a' ? labels[i] - 'a' + 10 : labels[i] - '0';

		assert_true(has(key, label));
		if (values[label])
			assert_hex_equal_row(in_map(key, label), values[label], values[label]);
	}
	assert_int_equal(bstr(in_map(key, 2)).len, 16);
	assert_true(bstr(in_map(key, 6)).len >= 1);
}

static void kdc_076_the_key_map_fits_the_mode(void **state)
{
	const char *values[14] = { [3] = "05",    [4] = "0a",
				   [8] = "0e",    [9] = "0a",
				   [10] = "26",   [11] = "82 8102 820201",
				   [12] = "381a", [13] = "82 8102 820201" };
	struct gk_group_config both = pair_config("both");
	static struct client c, watcher;

	both.mode = GK_MODE_BOTH;
	assert_int_equal(pair_serve(*state, &both), GK_OK);
	client_open(&c, *state, 1, ALL);
	client_grant(&c, "both", ALL);
	must_join(&c, REQUESTER);
	assert_key(key_of(&c), "236789ab", values);
	assert_int_equal(join(&c, &(struct join){ .group = "both", .roles = REQUESTER }), CREATED);
	assert_key(key_of(&c), "2346789abcd", values);
	client_open(&watcher, *state, 2, ALL);
	must_join(&watcher, MONITOR);
	assert_key(key_of(&watcher), "23689ab", values);
}

static void kdc_076_a_pairwise_only_key_map_knows_no_signatures(void **state)
{
	static const int labels[] = { 2, 3, 4, 6, 8, 12, 13 };
	struct gk_group_config config = pair_config("pair");
	struct pair *p = *state;
	static struct client c;
	struct bytes pop = { .len = 0 }, mac = { .len = 0 }, request = { .len = 0 };
	struct gk_span kdc_cred;

	config.mode = GK_MODE_PAIRWISE;
	assert_int_equal(pair_serve(p, &config), GK_OK);
	client_open(&c, p, 1, 0);
	client_grant(&c, "pair", ALL);
	client_use_key(&c, 1, -27);
	assert_int_equal(client_post_with(&c, &(struct token){ 0 }, "1830f6"), CREATED);
	kdc_cred = exact_copy(bstr(in_array(in_array(in_map(c.payload, 48), 0), 2)));
	put_hex(&pop, "47 82 6470616972 02");
	put_bstr(&pop, all_of(&c.n_s));
	put_hex(&pop, "48 0101010101010101");
	put_mac(&mac, &c, all_of(&pop), kdc_cred);
	put_join(&request, &c,
		 &(struct join){
			 .group = "pair", .roles = REQUESTER, .verify = hex_text(all_of(&mac)) });
	assert_int_equal(ask(&c, POST, "ace-group/pair", CF_ACE_GC, all_of(&request)), CREATED);
	assert_int_equal(map_size(key_of(&c)), ROWS(labels) + 1);
	for (size_t i = 0; i < ROWS(labels); i++)
		assert_true(has(key_of(&c), labels[i]));
	assert_hex_equal(in_map(key_of(&c), 4), "0a");
	assert_hex_equal(in_map(key_of(&c), 12), "381a");
	assert_hex_equal(in_map(key_of(&c), 13), "82 8102 820201");
}

/* who is in the answer, of client1 (requester), client2 (responder), client3 (both) */
static void assert_peers(const struct client *c, const char *wanted)
{
	struct gk_span creds = in_map(c->payload, 13);
	size_t count = strlen(wanted);

	assert_int_equal(array_size(creds), count);
	assert_int_equal(array_size(in_map(c->payload, 14)), count);
	assert_int_equal(array_size(in_map(c->payload, 15)), count);
	for (size_t i = 0; i < count; i++) {
		struct gk_span name = tstr(in_map(bstr(in_array(creds, i)), 2));

		assert_true(strchr(wanted, name.data[name.len - 1]) != NULL);
		assert_int_equal(integer(in_array(in_map(c->payload, 14), i)),
				 2 * (name.data[name.len - 1] - '0'));
	}
}

static void kdc_077_078_079_credentials_come_if_asked_for_and_as_the_roles_need_them(void **state)
{
	static const struct {
		uint32_t roles;
		const char *get_creds, *wanted;
	} rows[] = {
		{ REQUESTER, "f6", "23" },
		{ RESPONDER, "f6", "13" },
		{ REQUESTER | RESPONDER, "f6", "123" },
		{ MONITOR, "f6", "13" },
		{ REQUESTER, "83 f5 81 02 80", "13" },
		{ REQUESTER, "83 f5 81 04 80", "23" },
		{ REQUESTER, "83 f5 81 06 80", "3" },
		{ RESPONDER, "83 f5 82 02 04 80", "123" },
		{ MONITOR, "83 f5 81 08 80", "" },
	};
	static struct client c, peers[3];

	for (unsigned i = 0; i < 3; i++) {
		client_open(&peers[i], *state, i + 1, ALL);
		must_join(&peers[i], 2 * (i + 1));
	}
	client_open(&c, *state, 4, ALL);
	must_join(&c, MONITOR);
	assert_false(has(c.payload, 13) || has(c.payload, 14) || has(c.payload, 15));
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(join(&c, &(struct join){ .roles = rows[i].roles,
							  .get_creds = rows[i].get_creds }),
				 CHANGED);
		assert_peers(&c, rows[i].wanted);
	}
}

static void kdc_080_policies_have_the_defaults(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_hex_equal(in_map(c.payload, 16), "a2 01 190e10 02 00");
}

static void kdc_081_082_083_the_kdc_shows_that_it_has_its_key(void **state)
{
	static struct client c;
	struct gk_span nonce;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_int_equal(key_in(bstr(in_map(c.payload, 17))).crv, 1);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	nonce = exact_copy(bstr(in_map(c.payload, 18)));
	assert_true(nonce.len >= 8);
	assert_int_equal(join(&c, &(struct join){ .roles = MONITOR }), CHANGED);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	assert_false(gk_span_equal(nonce, bstr(in_map(c.payload, 18))));
}

static void kdc_081_in_an_eddsa_group_the_kdc_has_a_key_of_that_kind(void **state)
{
	struct gk_group_config config = pair_config("ed");
	static struct client c;

	if (!gk_sign_curve(-8))
		skip();
	config.sign_alg = -8;
	assert_int_equal(pair_serve(*state, &config), GK_OK);
	client_open(&c, *state, 1, 0);
	client_grant(&c, "ed", ALL);
	client_use_key(&c, 6, -8);
	assert_int_equal(join(&c, &(struct join){ .group = "ed", .roles = REQUESTER }), CREATED);
	assert_int_equal(key_in(bstr(in_map(c.payload, 17))).crv, 6);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	assert_hex_equal(in_map(key_of(&c), 10), "27");
	assert_hex_equal(in_map(key_of(&c), 11), "82 8101 820106");
}

/* rekeying_scheme -73529, announced (docs/rekeying.md section 1) */
#define TREE "14 3a00011f38"

static void kdc_084_146_a_scheme_is_named_if_it_is_not_point_to_point(void **state)
{
	struct gk_group_config config = pair_tree_config("tree");
	static struct client plain, tree;

	assert_int_equal(pair_serve(*state, &config), GK_OK);
	client_open(&plain, *state, 1, ALL);
	client_grant(&plain, "tree", ALL);
	must_join(&plain, REQUESTER);
	assert_false(has(plain.payload, 20) || has(plain.payload, 27) || has(plain.payload, 28));
	client_open(&tree, *state, 2, ALL);
	client_grant(&tree, "tree", ALL);
	assert_int_equal(join(&tree, &(struct join){ .group = "tree",
						     .roles = REQUESTER,
						     .more_pairs = 1,
						     .more = TREE }),
			 CREATED);
	assert_hex_equal(in_map(tree.payload, 20), "3a00011f38");
	assert_true(bstr(in_map(tree.payload, 27)).len > 0);
	assert_int_equal(ask_group(&tree, GET, ""), CONTENT);
	assert_hex_equal(in_map(tree.payload, 20), "3a00011f38");
	assert_true(has(tree.payload, 27));
	/* nor is another scheme this one */
	assert_int_equal(join(&plain, &(struct join){ .group = "tree",
						      .roles = REQUESTER,
						      .more_pairs = 1,
						      .more = "14 3a00010000" }),
			 CREATED);
	assert_false(has(plain.payload, 20) || has(plain.payload, 27) || has(plain.payload, 28));
	/* who does not know the scheme is served point-to-point, and told of nothing else */
	assert_int_equal(join(&tree, &(struct join){ .group = "tree", .roles = REQUESTER }),
			 CHANGED);
	assert_false(has(tree.payload, 20) || has(tree.payload, 27) || has(tree.payload, 28));
}

static void kdc_085_control_group_uri_has_the_group_in_its_path(void **state)
{
	struct gk_group_config config = pair_tree_config("tree");
	static struct client c;
	char uri[200];

	assert_int_equal(pair_serve(*state, &config), GK_OK);
	client_open(&c, *state, 1, ALL);
	client_grant(&c, "tree", ALL);
	assert_int_equal(join(&c, &(struct join){ .group = "tree",
						  .roles = REQUESTER,
						  .more_pairs = 1,
						  .more = TREE }),
			 CREATED);
	snprintf(uri, sizeof(uri), "%.*s", (int)tstr(in_map(c.payload, 28)).len,
		 (const char *)tstr(in_map(c.payload, 28)).data);
	assert_int_equal(strncmp(uri, "coap://[ff", 10), 0);
	assert_non_null(strstr(uri, "]:"));
	assert_non_null(strstr(uri, "/tree"));
	assert_null(strstr(uri, "/node"));
}

static void kdc_086_the_newest_cnonce_is_the_clientchallenge(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_int_equal(ask_group(&c, GET, "kdc-cred"), CONTENT);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER }), CHANGED);
	assert_int_equal(ask_group(&c, GET, "kdc-cred"), CONTENT);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	/* a join that is refused leaves it */
	uint8_t before = c.n_c[0];
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER, .verify = "00" }),
			 BAD_REQUEST);
	memset(c.n_c, before, sizeof(c.n_c));
	assert_int_equal(ask_group(&c, GET, "kdc-cred"), CONTENT);
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
}

static void kdc_088_who_joins_holds_nothing_that_was_used_before(void **state)
{
	struct pair *p = *state;
	static struct client first, second;
	const struct pair_message *told;
	struct gk_span ms, gid;
	int64_t num;

	client_open(&first, p, 1, ALL);
	assert_int_equal(join(&first, &(struct join){ .roles = REQUESTER,
						      .control = "coap://[fd00::1:1]:5683/c" }),
			 CREATED);
	num = integer(in_map(first.payload, 9));
	ms = exact_copy(bstr(in_map(key_of(&first), 2)));
	gid = exact_copy(bstr(in_map(key_of(&first), 6)));
	client_open(&second, p, 2, ALL);
	must_join(&second, REQUESTER);
	assert_int_equal(integer(in_map(second.payload, 9)), num + 1);
	assert_false(gk_span_equal(bstr(in_map(key_of(&second), 2)), ms));
	assert_false(gk_span_equal(bstr(in_map(key_of(&second), 6)), gid));
	/* who was there is told */
	told = pair_raw_asked(&first.raw);
	assert_non_null(told);
	assert_int_equal(told->plain.data[0], POST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_069_a_new_member_is_created_one_that_joins_again_changed),
		LIGHTS(kdc_070_a_different_credential_takes_the_place_of_the_old_one),
		LIGHTS(kdc_071_no_sender_id_comes_twice_under_a_gid),
		LIGHTS(kdc_071_121_nor_after_a_restart),
		LIGHTS(kdc_071_a_monitor_has_no_sender_id),
		LIGHTS(kdc_072_who_joins_again_gets_another_sender_id),
		LIGHTS(kdc_073_a_credential_is_served_with_the_newest_sender_id),
		LIGHTS(kdc_074_075_the_response_is_complete),
		LIGHTS(kdc_076_the_key_map_fits_the_mode),
		LIGHTS(kdc_076_a_pairwise_only_key_map_knows_no_signatures),
		LIGHTS(kdc_077_078_079_credentials_come_if_asked_for_and_as_the_roles_need_them),
		LIGHTS(kdc_080_policies_have_the_defaults),
		LIGHTS(kdc_081_082_083_the_kdc_shows_that_it_has_its_key),
		LIGHTS(kdc_081_in_an_eddsa_group_the_kdc_has_a_key_of_that_kind),
		LIGHTS(kdc_084_146_a_scheme_is_named_if_it_is_not_point_to_point),
		LIGHTS(kdc_085_control_group_uri_has_the_group_in_its_path),
		LIGHTS(kdc_086_the_newest_cnonce_is_the_clientchallenge),
		LIGHTS(kdc_088_who_joins_holds_nothing_that_was_used_before),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
