// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A member replaces its credential (RFC 9594 section 4.9.1, section 9.4 of the profile).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

/* another key, and a credential for it */
static void change_key(struct client *c, uint8_t number)
{
	uint8_t own = c->raw.addr.ip[15];

	c->raw.addr.ip[15] = number;
	client_use_key(c, 1, -7);
	c->raw.addr.ip[15] = own;
}

enum fault { NONE, WRONG, EMPTY, NO_CRED, NO_CNONCE, NO_VERIFY, TYPE, UNFIT };

/* {5: client_cred, 6: cnonce, 24: client_cred_verify} over the entry of the latest join */
static uint8_t update(struct client *c, enum fault fault)
{
	static const uint8_t n_c[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };
	struct bytes pop = { .len = 0 }, evidence = { .len = 0 }, request = { .len = 0 };
	bool less = fault == NO_CRED || fault == NO_CNONCE || fault == NO_VERIFY;

	put_bstr(&pop, all_of(&c->entry));
	put_bstr(&pop, all_of(&c->n_s));
	put_bstr(&pop, gk_span(n_c, sizeof(n_c)));
	if (fault != EMPTY)
		put_evidence(&evidence, c, all_of(&pop));
	if (fault == WRONG)
		evidence.data[9] ^= 1;
	put_head(&request, 5, less ? 2 : 3);
	if (fault != NO_CRED) {
		put_hex(&request, "05");
		if (fault == UNFIT)
			put_hex(&request, "41 a0");
		else
			put_bstr(&request, all_of(&c->cred));
	}
	if (fault != NO_CNONCE) {
		put_hex(&request, fault == TYPE ? "06 68" : "06 48");
		put_raw(&request, gk_span(n_c, sizeof(n_c)));
	}
	if (fault != NO_VERIFY) {
		put_hex(&request, "1818");
		put_bstr(&request, all_of(&evidence));
	}
	struct bytes path = { .len = 0 };
	put_raw(&path, gk_span_str("ace-group/lights/nodes/"));
	put_raw(&path, gk_span_str(c->node));
	put_raw(&path, gk_span("/cred", 6));
	return ask(c, POST, (const char *)path.data, CF_ACE_GC, all_of(&request));
}

static void set_active(struct pair *p, bool active)
{
	p->config[0].active = active;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
}

static void kdc_102_what_is_no_credential_of_the_members_is_refused(void **state)
{
	struct pair *p = *state;
	static struct client c, watcher, other;

	client_open(&c, p, 1, ALL);
	client_open(&watcher, p, 2, ALL);
	client_open(&other, p, 3, ALL);
	must_join(&watcher, MONITOR);
	must_join(&other, REQUESTER);
	must_join(&c, REQUESTER);
	assert_int_equal(update(&watcher, NONE), BAD_REQUEST);
	assert_error(&watcher, BAD_REQUEST, 1);
	/* another's node */
	strcpy(other.node, c.node);
	assert_int_equal(update(&other, NONE), FORBIDDEN);
	set_active(p, false);
	change_key(&c, 55);
	assert_int_equal(update(&c, NONE), UNAVAILABLE);
	assert_error(&c, UNAVAILABLE, 9);
	set_active(p, true);
	for (enum fault fault = NO_CRED; fault <= TYPE; fault++)
		assert_int_equal(update(&c, fault), BAD_REQUEST);
	(void)update(&c, UNFIT);
	assert_error(&c, BAD_REQUEST, 2);
	(void)update(&c, WRONG);
	assert_error(&c, BAD_REQUEST, 3);
	(void)update(&c, EMPTY);
	assert_error(&c, BAD_REQUEST, 3);
	(void)ask_group(&c, GET, "creds");
	for (size_t i = 0; i < 2; i++)
		assert_false(
			gk_span_equal(bstr(in_array(in_map(c.payload, 13), i)), all_of(&c.cred)));
	assert_int_equal(update(&c, NONE), CHANGED);
}

static void kdc_103_the_scope_of_the_latest_join_counts(void **state)
{
	static struct client c;
	struct bytes first;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	first = c.entry;
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER | RESPONDER }), CHANGED);
	struct bytes latest = c.entry;
	change_key(&c, 55);
	c.entry = first;
	(void)update(&c, NONE);
	assert_error(&c, BAD_REQUEST, 3);
	c.entry = latest;
	assert_int_equal(update(&c, NONE), CHANGED);
}

static void kdc_104_the_new_credential_is_the_one_from_now_on(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span sid;
	int64_t num;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	sid = exact_copy(bstr(in_map(in_map(c.payload, 8), 7)));
	num = pair_num(p);
	change_key(&c, 55);
	assert_int_equal(update(&c, NONE), CHANGED);
	assert_no_payload(&c, CHANGED);
	assert_int_equal(pair_num(p), num);
	(void)ask_group(&c, GET, "creds");
	assert_int_equal(array_size(in_map(c.payload, 13)), 1);
	assert_true(gk_span_equal(bstr(in_array(in_map(c.payload, 13), 0)), all_of(&c.cred)));
	assert_true(gk_span_equal(bstr(in_array(in_map(c.payload, 15), 0)), sid));
	/* the challenge of kdc-cred is still the join's */
	(void)ask_group(&c, GET, "kdc-cred");
	assert_evidence(c.payload, gk_span(c.n_c, sizeof(c.n_c)));
	/* and a join may refer to it */
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER, .verify = "" }), CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_102_what_is_no_credential_of_the_members_is_refused),
		LIGHTS(kdc_103_the_scope_of_the_latest_join_counts),
		LIGHTS(kdc_104_the_new_credential_is_the_one_from_now_on),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
