// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What can be observed (RFC 7641), and what observers are told (RFC 9594 sections 4.8.1, 5
// and 6.1).

#include "client.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL     (REQUESTER | RESPONDER | MONITOR | VERIFIER)
#define SOON_MS 2000

#define OBSERVE        6
#define CONTENT_FORMAT 12

/* An observation, and what it has brought. */
struct observation {
	struct gk_oscore_ref ref;
	uint8_t token[8], token_len;
	/* the newest notification */
	const struct pair_message *message;
	uint8_t bytes[4096];
	struct gk_span opened;
};

/* GET with Observe 0; the first answer says that it is observed. */
static void observe(struct client *c, const char *path, struct observation *o)
{
	struct gk_span value;

	memset(o, 0, sizeof(*o));
	ask_to_observe(c, path);
	if (c->code != CONTENT || !find_option(c, OBSERVE, 0, &value))
		fail_msg("%s: %x", path, c->code);
	o->ref = c->raw.ref;
	o->token_len = c->raw.exchange.token_len;
	memcpy(o->token, c->raw.exchange.token, sizeof(o->token));
}

static bool is_of(const struct client *c, const struct observation *o, const struct pair_message *m)
{
	return m->kind == PAIR_NOTIFY &&
	       memcmp(m->peer.ip, c->raw.addr.ip, sizeof(m->peer.ip)) == 0 &&
	       m->exchange.token_len == o->token_len &&
	       memcmp(m->exchange.token, o->token, o->token_len) == 0;
}

static size_t count_notified(const struct client *c, const struct observation *o)
{
	size_t count = 0;

	for (size_t i = 0; i < c->p->log_count; i++)
		count += is_of(c, o, c->p->log[i]);
	return count;
}

/* Open and acknowledge the newest notification. */
static struct gk_span newest(struct client *c, struct observation *o)
{
	struct gk_buf buf = gk_buf(o->bytes, sizeof(o->bytes));
	int64_t piv;

	for (size_t i = 0; i < c->p->log_count; i++) {
		if (is_of(c, o, c->p->log[i]))
			o->message = c->p->log[i];
	}
	if (!o->message)
		fail_msg("no notification");
	if (gk_oscore_unprotect_response(&c->raw.ctx, &o->ref, o->message->bytes, &buf, &piv))
		fail_msg("a notification that does not open");
	o->opened = gk_buf_span(&buf);
	pair_raw_acknowledge(&c->raw, o->message, GK_NOTIFIED_ACK);
	return payload_in(o->opened);
}

static void assert_end(const struct observation *o, uint8_t code, const char *payload)
{
	assert_int_equal(o->opened.data[0], code);
	assert_int_equal(option_in(o->opened, OBSERVE), -1);
	assert_int_equal(option_in(o->message->bytes, OBSERVE), -1);
	if (payload[0])
		assert_int_equal(option_in(o->opened, CONTENT_FORMAT), CF_PROBLEM);
	assert_hex_equal(payload_in(o->opened), payload);
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void evict(struct client *c)
{
	struct pair *p = c->p;

	pair_drain_kdc(
		p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(c->name), p->now));
	assert_int_equal(p->last, GK_OK);
}

static void kdc_091_133_136_who_observes_the_group_gets_rekeying_messages(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;
	struct gk_span map;
	struct gk_span ms;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	observe(&c, "", &o);
	assert_int_equal(map_size(in_map(c.payload, 8)), 7); /* as any answer */
	for (int i = 0; i < 3; i++) {
		rekey(p);
		assert_int_equal(count_notified(&c, &o), i + 1);
		map = newest(&c, &o);
		assert_int_equal(o.opened.data[0], CONTENT);
		assert_int_equal(option_in(o.opened, CONTENT_FORMAT), CF_ACE_GC);
		assert_int_equal(map_size(map), 7);
		assert_int_equal(integer(in_map(map, 9)), pair_num(p));
		assert_int_equal(map_size(in_map(map, 8)), 2);
		assert_true(has(map, 34));
	}
	ms = exact_copy(in_map(in_map(map, 8), 2));
	(void)ask_group(&c, GET, "");
	assert_true(gk_span_equal(in_map(in_map(c.payload, 8), 2), ms));
	assert_int_equal(count_told(&c), 0);
}

static void kdc_094_nodes_can_be_observed(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	observe(&c, "*", &o);
	assert_true(has(in_map(c.payload, 8), 7));
}

static void kdc_109_activity_can_be_observed(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	observe(&c, "active", &o);
	assert_hex_equal(c.payload, "f5");
	for (int i = 0; i < 4; i++) {
		p->config[0].active = i % 2;
		pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
		assert_hex_equal(newest(&c, &o), i % 2 ? "f5" : "f4");
		assert_int_equal(o.opened.data[0], CONTENT);
		assert_int_equal(count_notified(&c, &o), i + 1);
	}
}

static void kdc_116_who_has_left_observes_nothing(void **state)
{
	struct pair *p = *state;
	static struct client c, other;
	static struct observation o[2];

	client_open(&c, p, 1, ALL);
	client_open(&other, p, 2, ALL);
	must_join(&other, REQUESTER);
	must_join(&c, REQUESTER);
	observe(&c, "", &o[0]);
	observe(&c, "active", &o[1]);
	assert_int_equal(ask_group(&c, DELETE, "*"), DELETED);
	p->config[0].active = false;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
	pair_advance(p, SOON_MS);
	for (size_t i = 0; i < 2; i++) {
		if (count_notified(&c, &o[i]) == 0)
			continue;
		(void)newest(&c, &o[i]); /* it may be told that this is the end */
		assert_true(o[i].opened.data[0] >> 5 == 4);
		assert_int_equal(count_notified(&c, &o[i]), 1);
	}
}

static void kdc_118_119_the_evicted_is_told_by_its_observation(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	observe(&c, "*", &o);
	evict(&c);
	assert_int_equal(count_notified(&c, &o), 1);
	(void)newest(&c, &o);
	assert_end(&o, NOT_FOUND, "a1 00 a1 00 05");
	pair_advance(p, 600000);
	assert_int_equal(count_notified(&c, &o), 1);
	assert_int_equal(count_told(&c), 0);
}

static void kdc_118_or_at_its_control_uri_and_not_both(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;
	static struct told told;

	client_open(&c, p, 1, ALL);
	assert_int_equal(join(&c, &(struct join){ .roles = REQUESTER,
						  .control = "coap://[fd00::1:1]:5683/told" }),
			 CREATED);
	observe(&c, "*", &o);
	evict(&c);
	assert_int_equal(count_told(&c), 1);
	read_told(&c, 0, &told);
	assert_int_equal(told.code, DELETE);
	answer_told(&c, &told, DELETED);
	pair_advance(p, 600000);
	assert_int_equal(count_told(&c), 1);
	assert_int_equal(count_notified(&c, &o), 0);
}

static void kdc_119_124_observers_of_a_deleted_group_are_told(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;

	client_open(&c, p, 1, ALL);
	must_join(&c, REQUESTER);
	observe(&c, "", &o);
	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	p->group_count = 0;
	assert_int_equal(count_notified(&c, &o), 1);
	(void)newest(&c, &o);
	assert_end(&o, NOT_FOUND, "a1 00 a1 00 06");
}

static void kdc_024_at_the_end_of_a_token_observations_end_with_4_01(void **state)
{
	struct pair *p = *state;
	static struct client c;
	static struct observation o;

	client_open(&c, p, 1, ALL);
	assert_int_equal(client_post_with(&c, &(struct token){ .lifetime_s = 100 }, NULL), CREATED);
	must_join(&c, REQUESTER);
	observe(&c, "active", &o);
	pair_advance(p, 98000);
	assert_int_equal(count_notified(&c, &o), 0);
	pair_advance(p, 3000);
	assert_int_equal(count_notified(&c, &o), 1);
	(void)newest(&c, &o);
	assert_end(&o, UNAUTHORIZED, "");
	assert_int_equal(ask_group(&c, GET, "active"), UNAUTHORIZED);
	assert_false(c.raw.is_protected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIGHTS(test) cmocka_unit_test_setup_teardown(test, open_lights, close_pair)
		LIGHTS(kdc_091_133_136_who_observes_the_group_gets_rekeying_messages),
		LIGHTS(kdc_094_nodes_can_be_observed),
		LIGHTS(kdc_109_activity_can_be_observed),
		LIGHTS(kdc_116_who_has_left_observes_nothing),
		LIGHTS(kdc_118_119_the_evicted_is_told_by_its_observation),
		LIGHTS(kdc_118_or_at_its_control_uri_and_not_both),
		LIGHTS(kdc_119_124_observers_of_a_deleted_group_are_told),
		LIGHTS(kdc_024_at_the_end_of_a_token_observations_end_with_4_01),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
