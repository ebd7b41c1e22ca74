// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Rekeying (RFC 9594 sections 6 and 10.2, sections 7 and 11 of the profile), and identifiers.

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL     (REQUESTER | RESPONDER | MONITOR | VERIFIER)
#define SOON_MS 2000

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	assert_int_equal(p->last, GK_OK);
}

static void apply_change(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	assert_int_equal(p->last, GK_OK);
}

static void join_with_control(struct client *c, struct pair *p, unsigned number, uint32_t roles)
{
	char uri[80];

	client_open(c, p, number, ALL);
	snprintf(uri, sizeof(uri), "coap://[fd00::1:%x]:5683/told", number);
	assert_int_equal(join(c, &(struct join){ .roles = roles, .control = uri }), CREATED);
}

/* The newest request to it, which it answers. */
static struct told *newest(struct client *c)
{
	static struct told told;

	read_told(c, count_told(c) - 1, &told);
	answer_told(c, &told, CHANGED);
	return &told;
}

static struct gk_span ms_in(struct gk_span map)
{
	return bstr(in_map(in_map(map, 8), 2));
}

static struct gk_span gid_in(struct gk_span map)
{
	return bstr(in_map(in_map(map, 8), 6));
}

static void kdc_125_133_135_a_message_to_each_member(void **state)
{
	struct pair *p = *state;
	static struct client c[2];
	struct told *told;

	p->config[0].rekey_on_join = false;
	apply_change(p);
	join_with_control(&c[0], p, 1, REQUESTER);
	join_with_control(&c[1], p, 2, MONITOR);
	assert_int_equal(count_told(&c[0]), 0);
	rekey(p);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(count_told(&c[i]), 1);
		told = newest(&c[i]);
		assert_int_equal(told->code, POST);
		assert_int_equal(told->format, CF_ACE_GC);
		assert_string_equal(told->path, "told");
		/* gkty, key, num, profile, exp, exi, stale_node_ids: no other */
		assert_int_equal(map_size(told->payload), 7);
		assert_hex_equal(in_map(told->payload, 7), "01");
		assert_int_equal(integer(in_map(told->payload, 9)), pair_num(p));
		assert_hex_equal(in_map(told->payload, 10), "01");
		assert_int_equal(integer(in_map(told->payload, 11)),
				 p->now.utc.s + integer(in_map(told->payload, 12)));
		assert_hex_equal(in_map(told->payload, 34), "80");
		/* ms and Gid alone, and no salt, which is then empty */
		assert_int_equal(map_size(in_map(told->payload, 8)), 2);
		assert_int_equal(ms_in(told->payload).len, 16);
		assert_true(gid_in(told->payload).len > 0);
	}
	/* what they were told is what they would read */
	assert_int_equal(ask_group(&c[0], GET, ""), CONTENT);
	assert_true(gk_span_equal(ms_in(c[0].payload), ms_in(told->payload)));
	assert_false(has(in_map(c[0].payload, 8), 5));
}

static void kdc_126_num_begins_with_0(void **state)
{
	static struct client c;

	client_open(&c, *state, 1, ALL);
	must_join(&c, REQUESTER);
	assert_hex_equal(in_map(c.payload, 9), "00");
}

static void kdc_127_128_each_rekeying_has_the_next_num_and_its_own_keys(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span ms[12], gid[12];

	join_with_control(&c, p, 1, REQUESTER);
	ms[0] = exact_copy(ms_in(c.payload));
	gid[0] = exact_copy(gid_in(c.payload));
	for (size_t i = 1; i < ROWS(ms); i++) {
		struct told *told;

		rekey(p);
		told = newest(&c);
		assert_int_equal(integer(in_map(told->payload, 9)), i);
		ms[i] = exact_copy(ms_in(told->payload));
		gid[i] = exact_copy(gid_in(told->payload));
		for (size_t k = 0; k < i; k++) {
			assert_false(gk_span_equal(ms[k], ms[i]));
			assert_false(gk_span_equal(gid[k], gid[i]));
		}
	}
}

static void kdc_129_sender_ids_stay(void **state)
{
	struct pair *p = *state;
	static struct client c[3];
	struct gk_span sid[3];

	for (unsigned i = 0; i < 3; i++) {
		client_open(&c[i], p, i + 1, ALL);
		must_join(&c[i], REQUESTER);
		sid[i] = exact_copy(in_map(in_map(c[i].payload, 8), 7));
	}
	for (int i = 0; i < 5; i++)
		rekey(p);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ask_group(&c[i], GET, "*"), CONTENT);
		assert_true(gk_span_equal(in_map(in_map(c[i].payload, 8), 7), sid[i]));
	}
}

static void kdc_132_each_message_tells_who_went_under_the_last_version(void **state)
{
	struct pair *p = *state;
	static struct client c, gone;
	struct gk_span sid;

	join_with_control(&c, p, 1, REQUESTER);
	client_open(&gone, p, 2, ALL);
	must_join(&gone, REQUESTER);
	sid = exact_copy(in_map(in_map(gone.payload, 8), 7));
	(void)newest(&c);
	assert_int_equal(ask_group(&gone, DELETE, "*"), DELETED);
	pair_advance(p, SOON_MS);
	struct gk_span stale = in_map(newest(&c)->payload, 34);
	assert_int_equal(array_size(stale), 1);
	assert_true(gk_span_equal(in_array(stale, 0), sid));
	/* and only then */
	rekey(p);
	assert_hex_equal(in_map(newest(&c)->payload, 34), "80");
}

static void kdc_134_credentials_go_along_when_somebody_joins(void **state)
{
	struct pair *p = *state;
	static struct client c, joiner;
	struct told *told;
	struct gk_span sid;

	join_with_control(&c, p, 1, REQUESTER);
	client_open(&joiner, p, 2, ALL);
	must_join(&joiner, RESPONDER);
	sid = in_map(in_map(joiner.payload, 8), 7);
	told = newest(&c);
	assert_int_equal(array_size(in_map(told->payload, 13)), 1);
	assert_int_equal(array_size(in_map(told->payload, 14)), 1);
	assert_int_equal(array_size(in_map(told->payload, 15)), 1);
	assert_true(
		gk_span_equal(bstr(in_array(in_map(told->payload, 13), 0)), all_of(&joiner.cred)));
	assert_int_equal(integer(in_array(in_map(told->payload, 14), 0)), RESPONDER);
	assert_true(gk_span_equal(in_array(in_map(told->payload, 15), 0), sid));
	/* a monitor has nothing that could; nor has any other cause */
	client_open(&joiner, p, 3, ALL);
	must_join(&joiner, MONITOR);
	told = newest(&c);
	assert_false(has(told->payload, 13) || has(told->payload, 14) || has(told->payload, 15));
	rekey(p);
	told = newest(&c);
	assert_false(has(told->payload, 13) || has(told->payload, 14) || has(told->payload, 15));
}

static void kdc_137_a_member_that_is_silent_is_told_a_few_times(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct told first, again;
	size_t messages = 0, count;

	p->config[0].presence.evict = false;
	apply_change(p);
	join_with_control(&c, p, 1, REQUESTER);
	rekey(p);
	read_told(&c, 0, &first);
	pair_advance(p, 3600000);
	count = count_told(&c);
	for (size_t i = 0; i < count; i++) {
		read_told(&c, i, &again);
		if (again.code != POST)
			continue; /* is it still there? */
		messages++;
		/* another protection, the same message */
		assert_int_equal(again.payload.len > 0, true);
		assert_true(gk_span_equal(ms_in(again.payload), ms_in(first.payload)));
		assert_int_equal(integer(in_map(again.payload, 9)), 1);
	}
	assert_true(messages >= 2 && messages <= 6);
	/* one that confirms is not told again */
	rekey(p);
	pair_advance(p, 600000);
	(void)ask_group(&c, GET, "num");
	(void)ask_group(&c, GET, "");
	count = count_told(&c);
	rekey(p);
	(void)newest(&c);
	pair_advance(p, 200000);
	for (size_t i = count + 1; i < count_told(&c); i++) {
		read_told(&c, i, &again);
		assert_int_not_equal(again.code, POST);
	}
}

static bool store_has(const struct pair *p, struct gk_span secret)
{
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];

		for (size_t k = 0; k + secret.len <= r->value_len; k++) {
			if (memcmp(r->value + k, secret.data, secret.len) == 0)
				return true;
		}
	}
	return false;
}

static void kdc_138_old_keys_are_deleted_new_ones_kept(void **state)
{
	struct pair *p = *state;
	static struct client c;
	struct gk_span old, new;

	join_with_control(&c, p, 1, REQUESTER);
	old = exact_copy(ms_in(c.payload));
	assert_true(store_has(p, old));
	rekey(p);
	new = exact_copy(ms_in(newest(&c)->payload));
	assert_false(store_has(p, old));
	assert_true(store_has(p, new));
}

static void kdc_139_num_outlives_the_kdc(void **state)
{
	struct pair *p = *state;
	static struct client c;
	int64_t num;

	join_with_control(&c, p, 1, REQUESTER);
	for (int i = 0; i < 5; i++)
		rekey(p);
	num = pair_num(p);
	pair_restart(p);
	assert_true(pair_num(p) >= num);
	rekey(p);
	assert_true(pair_num(p) > num);
}

static void kdc_141_material_does_not_expire_in_a_group_that_goes_on(void **state)
{
	struct pair *p = *state;
	static struct client c;
	int64_t exp, num;

	p->config[0].presence.evict = false;
	apply_change(p);
	client_open(&c, p, 1, ALL);
	assert_int_equal(client_post_with(&c, &(struct token){ .lifetime_s = 100 * 86400 }, NULL),
			 CREATED);
	must_join(&c, REQUESTER);
	/* again and again */
	for (int i = 0; i < 3; i++) {
		exp = integer(in_map(c.payload, 11));
		num = integer(in_map(c.payload, 9));
		pair_advance(p, (exp - p->now.utc.s) * 1000);
		assert_int_equal(ask_group(&c, GET, ""), CONTENT);
		assert_true(integer(in_map(c.payload, 9)) > num);
		assert_true(integer(in_map(c.payload, 11)) > p->now.utc.s);
	}
}

static void kdc_142_the_first_and_the_last_member_get_keys_that_nobody_had(void **state)
{
	struct pair *p = *state;
	static struct client c, other;
	struct gk_span ms;

	p->config[0].rekey_on_join = false;
	apply_change(p);
	client_open(&c, p, 1, ALL);
	client_open(&other, p, 2, ALL);
	must_join(&c, REQUESTER);
	ms = exact_copy(ms_in(c.payload));
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	pair_advance(p, SOON_MS);
	must_join(&c, REQUESTER);
	assert_false(gk_span_equal(ms_in(c.payload), ms));
	must_join(&other, REQUESTER);
	ms = exact_copy(ms_in(other.payload));
	assert_int_equal(ask_group(&other, DELETE, "*"), DELETED);
	pair_advance(p, SOON_MS);
	assert_int_equal(ask_group(&c, GET, ""), CONTENT);
	assert_false(gk_span_equal(ms_in(c.payload), ms));
}

static void kdc_143_a_departure_before_a_reboot_is_rekeyed_after_it(void **state)
{
	struct pair *p = *state;
	static struct client c, gone;
	int64_t num;

	join_with_control(&c, p, 1, REQUESTER);
	client_open(&gone, p, 2, ALL);
	must_join(&gone, REQUESTER);
	(void)newest(&c);
	num = pair_num(p);
	assert_int_equal(ask_group(&gone, DELETE, "*"), DELETED);
	pair_restart(p);
	pair_advance(p, SOON_MS);
	assert_true(pair_num(p) > num);
	assert_true(integer(in_map(newest(&c)->payload, 9)) > num);
}

static void kdc_144_who_makes_others_be_rekeyed_too_often_is_held_back(void **state)
{
	struct pair *p = *state;
	static struct client c, other;
	unsigned done = 0;

	client_open(&c, p, 1, ALL);
	client_open(&other, p, 2, ALL);
	for (int i = 0; i < 100; i++) {
		if (join(&c, &(struct join){ .roles = REQUESTER }) >> 5 != 2)
			break;
		assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
		done++;
	}
	assert_in_range(done, 2, 50);
	assert_int_equal(c.code, UNAVAILABLE);
	/* nobody else is, and it is not for ever */
	must_join(&other, REQUESTER);
	pair_advance(p, 120000);
	must_join(&c, REQUESTER);
}

static void kdc_145_few_messages_are_under_way_at_once(void **state)
{
	struct pair *p = *state;
	static struct client c[20];
	size_t open;

	p->config[0].in_flight = 3;
	p->config[0].rekey_on_join = false;
	apply_change(p);
	for (unsigned i = 0; i < ROWS(c); i++)
		join_with_control(&c[i], p, i + 1, REQUESTER);
	rekey(p);
	for (size_t told = 0; told < ROWS(c);) {
		open = 0;
		for (size_t i = 0; i < ROWS(c); i++)
			open += pair_raw_asked(&c[i].raw) != NULL;
		assert_in_range(open, 1, 3);
		for (size_t i = 0; i < ROWS(c); i++) {
			if (!pair_raw_asked(&c[i].raw))
				continue;
			(void)newest(&c[i]);
			told++;
			break;
		}
	}
	assert_int_equal(pair_group(p).confirmed, ROWS(c));
}

static void kdc_149_identifiers_are_unique(void **state)
{
	static const char *const names[] = { "lights", "heat", "door" };
	struct pair *p = *state;
	static struct client c[4];
	struct gk_span gids[ROWS(names) * 4];
	size_t count = 0;

	for (size_t i = 1; i < ROWS(names); i++) {
		struct gk_group_config config = pair_config(names[i]);

		assert_int_equal(pair_serve(p, &config), GK_OK);
	}
	for (unsigned i = 0; i < ROWS(c); i++) {
		if (i == 2) /* nor does it begin anew */
			pair_restart(p);
		client_open(&c[i], p, i + 1, ALL);
		client_grant(&c[i], "heat", ALL);
		client_grant(&c[i], "door", ALL);
		for (size_t g = 0; g < ROWS(names); g++) {
			assert_int_equal(
				join(&c[i], &(struct join){ .group = names[g],
							    .roles = REQUESTER,
							    .get_creds = "83 f5 81 02 80" }),
				CREATED);
			gids[count] = exact_copy(gid_in(c[i].payload));
			for (size_t k = 0; k < count; k++)
				assert_false(gk_span_equal(gids[k], gids[count]));
			count++;
			struct gk_span own = in_map(in_map(c[i].payload, 8), 7);
			struct gk_span others = in_map(c[i].payload, 15);
			/* nonces of 13 bytes leave room for 7 */
			assert_true(bstr(own).len <= 7);
			assert_int_equal(array_size(others), i);
			for (size_t k = 0; k < i; k++)
				assert_false(gk_span_equal(in_array(others, k), own));
		}
	}
}

static void kdc_150_151_algorithms_and_numbers_are_those_of_the_profile(void **state)
{
	struct gk_group_config config;
	static struct client c;
	struct gk_span key;

	gk_group_defaults(&config);
	config.name = gk_span_str("both");
	config.mode = GK_MODE_BOTH;
	assert_true(config.active);
	assert_int_equal(config.stale_sets, 3);
	assert_int_equal(pair_serve(*state, &config), GK_OK);
	client_open(&c, *state, 1, 0);
	client_grant(&c, "both", ALL);
	assert_int_equal(join(&c, &(struct join){ .group = "both", .roles = REQUESTER }), CREATED);
	key = in_map(c.payload, 8);
	assert_hex_equal(in_map(c.payload, 9), "00");
	assert_hex_equal(in_map(c.payload, 16), "a2 01 190e10 02 00");
	assert_hex_equal(in_map(key, 3), "05");
	assert_hex_equal(in_map(key, 4), "0a");
	assert_hex_equal(in_map(key, 8), "0e");
	assert_hex_equal(in_map(key, 9), "0a");
	assert_hex_equal(in_map(key, 12), "381a");
	assert_hex_equal(in_map(key, 13), "82 8102 820201");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_125_133_135_a_message_to_each_member),
		LIGHTS(kdc_126_num_begins_with_0),
		LIGHTS(kdc_127_128_each_rekeying_has_the_next_num_and_its_own_keys),
		LIGHTS(kdc_129_sender_ids_stay),
		LIGHTS(kdc_132_each_message_tells_who_went_under_the_last_version),
		LIGHTS(kdc_134_credentials_go_along_when_somebody_joins),
		LIGHTS(kdc_137_a_member_that_is_silent_is_told_a_few_times),
		LIGHTS(kdc_138_old_keys_are_deleted_new_ones_kept),
		LIGHTS(kdc_139_num_outlives_the_kdc),
		LIGHTS(kdc_141_material_does_not_expire_in_a_group_that_goes_on),
		LIGHTS(kdc_142_the_first_and_the_last_member_get_keys_that_nobody_had),
		LIGHTS(kdc_143_a_departure_before_a_reboot_is_rekeyed_after_it),
		LIGHTS(kdc_144_who_makes_others_be_rekeyed_too_often_is_held_back),
		LIGHTS(kdc_145_few_messages_are_under_way_at_once),
		LIGHTS(kdc_149_identifiers_are_unique),
		LIGHTS(kdc_150_151_algorithms_and_numbers_are_those_of_the_profile),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
