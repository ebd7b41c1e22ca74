// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Leaving and eviction (RFC 9594 sections 4.8.3 and 5, section 10 of the profile).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL     (REQUESTER | RESPONDER | MONITOR | VERIFIER)
#define SOON_MS 2000 /* longer than departures are gathered */

/* A member with a control_uri of its own. */
static void join_with_control(struct client *c, struct pair *p, unsigned number, const char *group)
{
	char uri[80];

	if (!c->p)
		client_open(c, p, number, ALL);
	snprintf(uri, sizeof(uri), "coap://[fd00::1:%x]:5683/told/%s", number, group);
	assert_int_equal(
		join(c, &(struct join){ .group = group, .roles = REQUESTER, .control = uri }),
		CREATED);
}

static void evict(struct pair *p, const char *name)
{
	pair_drain_kdc(p,
		       gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now));
	assert_int_equal(p->last, GK_OK);
}

static struct client *fresh(struct client *c)
{
	c->p = NULL;
	return c;
}

static void kdc_115_a_member_leaves_by_deleting_its_node(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	(void)ask_group(&c, DELETE, "*");
	assert_no_payload(&c, DELETED);
	assert_int_equal(pair_group(*state).members, 0);
	/* token and association stay */
	must_join(&c, REQUESTER);
}

static void kdc_116_nothing_of_the_membership_is_left(void **state)
{
	static const char *const paths[] = { "", "creds", "kdc-cred", "num", "*" };
	static struct client c, other;

	client_open(&c, *state, 1, REQUESTER);
	client_open(&other, *state, 2, ALL);
	must_join(&c, REQUESTER);
	must_join(&other, REQUESTER);
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	for (size_t i = 0; i < ROWS(paths); i++) {
		(void)ask_group(&c, GET, paths[i]);
		assert_error(&c, FORBIDDEN, 0);
	}
	strcpy(other.node, c.node);
	assert_no_payload(&other, (ask_group(&other, GET, "*"), FORBIDDEN));
	assert_int_equal(ask_group(&other, GET, "creds"), CONTENT);
	assert_int_equal(array_size(in_map(other.payload, 13)), 1);
	assert_true(
		gk_span_equal(bstr(in_array(in_map(other.payload, 13), 0)), all_of(&other.cred)));
}

static void kdc_117_the_credential_of_the_evicted_is_forgotten(void **state)
{
	struct pair *p = *state;
	static struct client c;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	evict(p, "client1");
	(void)join(&c, &(struct join){ .roles = REQUESTER, .cred = "40", .verify = "" });
	assert_answer(&c, BAD_REQUEST, CF_ACE_GC);
	for (size_t i = 0; i < p->record_count; i++) {
		for (size_t k = 0; k + c.cred.len <= p->records[i].value_len; k++)
			assert_memory_not_equal(p->records[i].value + k, c.cred.data, c.cred.len);
	}
}

/* The one notice, and that there is no second. */
static void assert_notice(struct client *c, size_t before)
{
	static struct told told;

	assert_int_equal(count_told(c), before + 1);
	read_told(c, before, &told);
	assert_int_equal(told.code, DELETE);
	assert_string_equal(told.path, "told/lights");
	assert_int_equal(told.payload.len, 0);
	answer_told(c, &told, DELETED);
	pair_advance(c->p, 600000);
	assert_int_equal(count_told(c), before + 1);
}

static void kdc_118_the_evicted_is_told_once(void **state)
{
	struct pair *p = *state;
	static struct client c, silent;

	join_with_control(fresh(&c), p, 1, PAIR_LIGHTS);
	evict(p, "client1");
	assert_notice(&c, 0);
	/* who gave no control_uri is not told, and who leaves knows */
	client_open(&silent, p, 2, ALL);
	must_join(&silent, REQUESTER);
	evict(p, "client2");
	pair_advance(p, SOON_MS);
	assert_int_equal(count_told(&silent), 0);
	join_with_control(fresh(&c), p, 3, PAIR_LIGHTS);
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	pair_advance(p, SOON_MS);
	assert_int_equal(count_told(&c), 0);
}

static void kdc_118_who_loses_its_rights_is_told_too(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct bytes token = { .len = 0 }, post = { .len = 0 }, kid = { .len = 0 };
	size_t before;

	join_with_control(fresh(&c), p, 1, PAIR_LIGHTS);
	put_hex(&kid, "a1 03");
	put_bstr(&kid, gk_span(c.id, sizeof(c.id)));
	c.scope.len = 0;
	put_hex(&c.scope, "80");
	client_grant(&c, PAIR_LIGHTS, RESPONDER);
	put_token(&token, &c, &(struct token){ .cnf = all_of(&kid) });
	put_hex(&post, "a1 01");
	put_bstr(&post, all_of(&token));
	before = count_told(&c);
	assert_int_equal(ask(&c, POST, "authz-info", CF_ACE, all_of(&post)), CREATED);
	assert_notice(&c, before);
	assert_int_equal(pair_group(p).members, 0);
}

/* @return the Sender ID that it has now */
static uint8_t sid_of(struct client *c)
{
	assert_int_equal(ask_group(c, GET, "*"), CONTENT);
	return bstr(in_map(in_map(c->payload, 8), 7)).data[0];
}

static void kdc_121_132_a_sender_id_that_was_freed_rests_and_is_told_of(void **state)
{
	struct pair *p = *state;
	static struct client c, witness;
	static struct told told;
	uint8_t freed;
	size_t before;

	join_with_control(fresh(&witness), p, 2, PAIR_LIGHTS);
	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	read_told(&witness, 0, &told);
	answer_told(&witness, &told, CHANGED);
	freed = sid_of(&c);
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ask_group(&witness, POST, "*"), CHANGED);
		assert_int_not_equal(bstr(in_map(witness.payload, 21)).data[0], freed);
	}
	before = count_told(&witness);
	pair_advance(p, SOON_MS);
	assert_int_equal(count_told(&witness), before + 1);
	read_told(&witness, before, &told);
	/* the ten of the witness, and this one, once each */
	assert_int_equal(array_size(in_map(told.payload, 34)), 11);
	for (size_t i = 0, found = 0; i < 11; i++) {
		found += bstr(in_array(in_map(told.payload, 34), i)).data[0] == freed;
		assert_true(found <= 1 && (i < 10 || found == 1));
	}
}

enum cause { LEAVES, EVICTED, EXPIRES, REVOKED };

static void remove_by(struct client *c, enum cause cause)
{
	struct pair *p = c->p;

	if (cause == LEAVES)
		assert_int_equal(ask_group(c, DELETE, "*"), DELETED);
	else if (cause == EVICTED)
		evict(p, c->name);
	else if (cause == REVOKED)
		pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str(c->name), p->now));
	pair_advance(p, cause == EXPIRES ? 101000 : SOON_MS);
}

static void kdc_122_the_rest_is_rekeyed_whatever_ended_a_membership(void **state)
{
	struct pair *p = *state;
	static struct client witness, c;
	static struct told told;
	uint8_t gid[8];

	join_with_control(fresh(&witness), p, 99, PAIR_LIGHTS);
	for (enum cause cause = LEAVES; cause <= REVOKED; cause++) {
		size_t before;
		int64_t num;

		client_open(&c, p, 1 + cause, ALL);
		assert_int_equal(
			client_post_with(
				&c, &(struct token){ .lifetime_s = cause == EXPIRES ? 100 : 0 },
				NULL),
			CREATED);
		must_join(&c, REQUESTER);
		memcpy(gid, bstr(in_map(in_map(c.payload, 8), 6)).data, 6);
		read_told(&witness, count_told(&witness) - 1, &told);
		answer_told(&witness, &told, CHANGED);
		before = count_told(&witness);
		num = pair_num(p);
		remove_by(&c, cause);
		assert_int_equal(pair_group(p).members, 1);
		assert_int_equal(pair_num(p), num + 1);
		assert_int_equal(count_told(&witness), before + 1);
		read_told(&witness, before, &told);
		assert_int_equal(told.code, POST);
		assert_int_equal(integer(in_map(told.payload, 9)), num + 1);
		assert_memory_not_equal(bstr(in_map(in_map(told.payload, 8), 6)).data, gid, 6);
		answer_told(&witness, &told, CHANGED);
	}
}

static void kdc_123_a_compromised_node_goes_from_all_groups(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config("heat");
	static struct client c, witness;
	static struct told told;
	size_t before;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	client_open(&c, p, 1, ALL);
	client_grant(&c, "heat", ALL);
	must_join(&c, REQUESTER);
	assert_int_equal(join(&c, &(struct join){ .group = "heat", .roles = REQUESTER }), CREATED);
	client_open(&witness, p, 2, ALL);
	client_grant(&witness, "heat", ALL);
	join_with_control(&witness, p, 2, PAIR_LIGHTS);
	join_with_control(&witness, p, 2, "heat");
	before = count_told(&witness);
	pair_drain_kdc(p, gk_kdc_revoke(p->kdc, gk_span_str("client1"), p->now));
	pair_advance(p, SOON_MS);
	assert_int_equal(pair_group(p).members, 1);
	assert_int_equal(count_told(&witness), before + 2);
	for (size_t i = 0; i < 2; i++) {
		read_told(&witness, before + i, &told);
		assert_int_equal(array_size(in_map(told.payload, 34)), 1);
	}
	assert_int_equal(ask_group(&c, GET, "num"), UNAUTHORIZED);
	assert_int_equal(client_post(&c), UNAUTHORIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_115_a_member_leaves_by_deleting_its_node),
		LIGHTS(kdc_116_nothing_of_the_membership_is_left),
		LIGHTS(kdc_117_the_credential_of_the_evicted_is_forgotten),
		LIGHTS(kdc_118_the_evicted_is_told_once),
		LIGHTS(kdc_118_who_loses_its_rights_is_told_too),
		LIGHTS(kdc_121_132_a_sender_id_that_was_freed_rests_and_is_told_of),
		LIGHTS(kdc_122_the_rest_is_rekeyed_whatever_ended_a_membership),
		LIGHTS(kdc_123_a_compromised_node_goes_from_all_groups),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
