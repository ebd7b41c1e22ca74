// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Observe at the KDC (RFC 7641; R 4.3.2, 4.8.1, 5, 6.1; P 8.2, 10), for clients by hand. What the
 * pair watches besides: each notification has a Partial IV of its own that is reserved, opens under
 * the association of its registration, has material that is stored, and no error has Observe.
 */
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(s) ((s)*INT64_C(1000))

static const uint32_t all = GK_ROLE_ALL;

struct world {
	struct pair p;
	struct pair_raw raw; /* a member that observes nothing yet */
};

static int open_with(void **state, bool control)
{
	static struct world w;

	pair_open(&w.p, 23);
	*state = &w;
	if (pair_serve(&w.p, NULL))
		return 1;
	pair_raw_open(&w.raw, &w.p, 1, "raw1", NULL, &all, 1);
	return pair_raw_join(&w.raw, PAIR_LIGHTS, 6, control) == GK_COAP_CREATED ? 0 : 1;
}

static int open_world(void **state)
{
	return open_with(state, false);
}

static int open_with_control(void **state)
{
	return open_with(state, true);
}

/* The raw client comes as "by-dtls", with a pre-shared key that the KDC issued. */
static void take_challenge(struct pair_raw *raw)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item;

	assert_int_equal(gk_cbor_read_map(raw->answer.payload, fields, 1, &item), GK_OK);
	raw->challenge_len = item.string.len;
	memcpy(raw->challenge, item.string.data, item.string.len);
}

static void make_session(struct pair_raw *raw, const struct gk_client_bundle *bundle)
{
	uint8_t bytes[64], key_bytes[GK_PSK_ROOM];
	struct gk_buf identity = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));

	gk_buf_add(&identity, hex_span("a108a101a201040248"));
	gk_buf_add(&identity, gk_span(bundle->kid, 8));
	assert_int_equal(gk_kdc_psk(raw->p->kdc, gk_buf_span(&identity), raw->p->now, &key,
				    &raw->exchange.dtls),
			 GK_OK);
	raw->exchange.session = 77;
}

static int open_session_with(void **state, bool control)
{
	static struct world w;
	const struct gk_span groups[] = { gk_span_str(PAIR_LIGHTS) };
	const struct gk_client_spec spec = { .name = gk_span_str("by-dtls"),
					     .groups = groups,
					     .roles = &all,
					     .group_count = 1,
					     .lifetime_s = 86400,
					     .profile = GK_PROFILE_DTLS_PSK };
	struct gk_client_bundle bundle;

	pair_open(&w.p, 23);
	*state = &w;
	if (pair_serve(&w.p, NULL))
		return 1;
	gk_kdc_set_dtls(w.p.kdc, true);
	pair_raw_open(&w.raw, &w.p, 1, "raw1", NULL, &all, 1);
	assert_int_equal(gk_kdc_issue(w.p.kdc, &spec, w.p.now, &bundle), GK_OK);
	pair_drain_kdc(&w.p, GK_OK);
	assert_int_equal(
		pair_raw_post_payload(&w.raw, GK_CF_CWT, gk_span(bundle.token, bundle.token_len)),
		GK_COAP_CREATED);
	take_challenge(&w.raw);
	make_session(&w.raw, &bundle);
	return pair_raw_join(&w.raw, PAIR_LIGHTS, 6, control) == GK_COAP_CREATED ? 0 : 1;
}

static int open_in_session(void **state)
{
	return open_session_with(state, false);
}

static int open_in_session_with_control(void **state)
{
	return open_session_with(state, true);
}

static int close_world(void **state)
{
	struct world *w = *state;

	return pair_close(&w->p) ? 0 : 1;
}

/* what clients do */

static bool is_observed(const struct pair_raw *raw)
{
	struct gk_span value;

	return gk_coap_find(&raw->answer, GK_OPT_OBSERVE, &value);
}

static void observe(struct pair_raw *raw, const char *path)
{
	assert_int_equal(pair_raw_observe(raw, path, 0, false), GK_COAP_CONTENT);
	assert_true(is_observed(raw));
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void evict(struct pair *p, const char *name)
{
	pair_drain_kdc(p,
		       gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now));
}

static void ack(struct pair_raw *raw)
{
	const struct pair_message *m = pair_raw_notified(raw);

	assert_non_null(m);
	pair_raw_acknowledge(raw, m, GK_NOTIFIED_ACK);
}

static struct gk_coap opened(const struct pair_message *m)
{
	struct gk_coap msg;

	assert_non_null(m);
	assert_int_equal(gk_coap_parse(m->plain, &msg), GK_OK);
	return msg;
}

static size_t notifications(const struct world *w)
{
	return pair_count(&w->p, PAIR_NOTIFY, PAIR_KDC, PAIR_OUTSIDE);
}

static struct gk_member_info shown(const struct world *w)
{
	const char *name = w->raw.exchange.dtls.len ? "by-dtls" : "raw1";
	struct gk_member_info info;

	assert_true(pair_shown(&w->p, PAIR_LIGHTS, name, &info));
	return info;
}

/* The map under a label of a payload. */
static struct gk_span map_at(struct gk_span payload, int label)
{
	const struct gk_cbor_field fields[] = { { label, GK_CBOR_MAP, true } };
	struct gk_cbor_item item;

	assert_int_equal(gk_cbor_read_map(payload, fields, 1, &item), GK_OK);
	return item.encoded;
}

static bool has_label(struct gk_span map, int label)
{
	const struct gk_cbor_field fields[] = { { label, GK_CBOR_ANY, true } };
	struct gk_cbor_item item;

	return gk_cbor_read_map(map, fields, 1, &item) == GK_OK;
}

static int64_t num_in(struct gk_span payload)
{
	const struct gk_cbor_field fields[] = { { GK_PARAM_NUM, GK_CBOR_UINT, true } };
	struct gk_cbor_item item;

	return gk_cbor_read_map(payload, fields, 1, &item) ? -1 : item.number;
}

static void assert_error(const struct pair_message *m, uint8_t code, const char *payload)
{
	struct gk_coap msg = opened(m);
	struct gk_span value;

	assert_int_equal(msg.code, code);
	assert_false(gk_coap_find(&msg, GK_OPT_OBSERVE, &value));
	assert_false(gk_coap_find(&msg, GK_OPT_MAX_AGE, &value));
	if (!payload) {
		assert_int_equal(msg.payload.len, 0);
		return;
	}
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), GK_CF_PROBLEM_DETAILS);
	assert_hex_equal(msg.payload, payload);
}

/* registering */

static void the_first_answer_says_that_it_is_observed_and_for_how_long(void **state)
{
	static const char *const paths[] = { "", "*", "active" };
	struct world *w = *state;

	for (size_t i = 0; i < 3; i++) {
		struct gk_coap outer;

		assert_int_equal(pair_raw_observe(&w->raw, paths[i], 0, false), GK_COAP_CONTENT);
		assert_true(is_observed(&w->raw));
		assert_int_equal(gk_coap_find_uint(&w->raw.answer, GK_OPT_MAX_AGE, -1), 900);
		assert_int_equal(gk_coap_parse(gk_span(w->p.raw_answer, w->p.raw_len), &outer),
				 GK_OK);
		assert_true(gk_coap_find_uint(&outer, GK_OPT_OBSERVE, -1) >= 0);
	}
	assert_int_equal(w->p.kdc->observer_count, 3);
}

static void what_is_not_observable_is_answered_without_observe(void **state)
{
	struct world *w = *state;

	assert_int_equal(pair_raw_observe(&w->raw, "num", 0, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	assert_int_equal(pair_raw_observe(&w->raw, "kdc-cred", 0, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	assert_int_equal(pair_raw_observe(&w->raw, "", 2, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void who_is_no_member_observes_nothing(void **state)
{
	struct world *w = *state;
	struct pair_raw other;

	pair_raw_open(&other, &w->p, 2, "raw2", NULL, &all, 1);
	assert_int_equal(pair_raw_post(&other), GK_COAP_CREATED);
	strcpy(other.group, PAIR_LIGHTS);
	strcpy(other.node, w->raw.node);
	assert_int_equal(pair_raw_observe(&other, "", 0, false), GK_COAP_FORBIDDEN);
	assert_false(is_observed(&other));
	assert_int_equal(pair_raw_observe(&other, "*", 0, false), GK_COAP_FORBIDDEN);
	assert_int_equal(w->p.kdc->observer_count, 0);
}

/* RFC 8613 section 4.1.3.5: what took the outer option away lets no notification through either. */
static void without_observe_outside_it_is_a_plain_get(void **state)
{
	struct world *w = *state;
	uint8_t bytes[256], wire[256], stripped[256];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes)), whole = gk_buf(wire, sizeof(wire));
	struct gk_buf less = gk_buf(stripped, sizeof(stripped));
	struct gk_coap_writer w1 = gk_coap_begin(&plain, GK_COAP_GET), w2;
	struct gk_coap_iter it;
	struct gk_coap outer;

	gk_coap_put_uint(&w1, GK_OPT_OBSERVE, 0);
	gk_coap_put_path(&w1, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS));
	assert_int_equal(
		gk_oscore_protect_request(&w->raw.ctx, gk_buf_span(&plain), &whole, &w->raw.ref),
		GK_OK);
	assert_int_equal(gk_coap_parse(gk_buf_span(&whole), &outer), GK_OK);
	w2 = gk_coap_begin(&less, GK_COAP_POST);
	for (it = gk_coap_options(&outer); gk_coap_next(&it);) {
		if (it.number != GK_OPT_OBSERVE)
			gk_coap_put(&w2, it.number, it.value);
	}
	gk_coap_put_payload(&w2, outer.payload);
	assert_int_equal(pair_raw_send(&w->raw, gk_buf_span(&less)), GK_COAP_CHANGED);
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void a_registration_once_more_takes_the_place_of_the_former(void **state)
{
	struct world *w = *state;
	uint8_t token[2];

	observe(&w->raw, "");
	observe(&w->raw, "");
	memcpy(token, w->raw.exchange.token, 2);
	assert_int_equal(w->p.kdc->observer_count, 1);
	rekey(&w->p);
	assert_int_equal(notifications(w), 1);
	assert_memory_equal(pair_raw_notified(&w->raw)->exchange.token, token, 2);
}

/* Numbers are those of the requests; two on both sides of 255 are of different lengths. */
static void one_that_was_held_up_takes_the_place_of_no_later_one(void **state)
{
	static const uint64_t rows[][2] = { { 40, 41 }, { 255, 256 } };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t token[2];

		w->raw.ctx.seq = rows[i][1];
		observe(&w->raw, "");
		memcpy(token, w->raw.exchange.token, 2);
		w->raw.ctx.seq = rows[i][0];
		assert_int_equal(pair_raw_observe(&w->raw, "", 0, false), GK_COAP_CONTENT);
		assert_false(is_observed(&w->raw));
		rekey(&w->p);
		assert_memory_equal(pair_raw_notified(&w->raw)->exchange.token, token, 2);
		w->raw.ctx.seq = rows[i][1] + 1;
	}
	observe(&w->raw, "");
}

static void a_retransmitted_registration_gets_the_same_answer(void **state)
{
	struct world *w = *state;
	uint8_t first[2048];
	size_t len;

	observe(&w->raw, "");
	len = w->p.raw_len;
	memcpy(first, w->p.raw_answer, len);
	pair_raw_again(&w->raw, true);
	assert_int_equal(w->p.raw_len, len);
	assert_memory_equal(w->p.raw_answer, first, len);
	assert_int_equal(w->p.kdc->observer_count, 1);
}

static void observe_1_with_its_token_ends_it_and_no_other(void **state)
{
	struct world *w = *state;
	struct gk_exchange exchange;

	observe(&w->raw, "");
	exchange = w->raw.exchange;
	assert_int_equal(pair_raw_observe(&w->raw, "", 1, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	assert_int_equal(w->p.kdc->observer_count, 1); /* of another token */
	w->raw.exchange.message_id = (uint16_t)(exchange.message_id - 1);
	assert_int_equal(pair_raw_observe(&w->raw, "active", 1, false), GK_COAP_CONTENT);
	assert_int_equal(w->p.kdc->observer_count, 1); /* of another resource */
	w->raw.exchange.message_id = (uint16_t)(exchange.message_id - 1);
	assert_int_equal(pair_raw_observe(&w->raw, "", 1, false), GK_COAP_CONTENT);
	assert_int_equal(w->p.kdc->observer_count, 0);
	rekey(&w->p);
	assert_int_equal(notifications(w), 0);
}

static void beyond_the_bound_one_is_answered_and_not_registered(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	w->p.kdc->observer_count = GK_OBSERVERS_MAX;
	assert_int_equal(pair_raw_observe(&w->raw, "active", 0, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	observe(&w->raw, ""); /* it has its place */
	assert_int_equal(w->p.kdc->observer_count, GK_OBSERVERS_MAX);
	w->p.kdc->observer_count = 1;
}

static void a_new_association_ends_those_of_the_former(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	observe(&w->raw, "active");
	assert_int_equal(pair_raw_post(&w->raw), GK_COAP_CREATED);
	assert_int_equal(w->p.kdc->observer_count, 2); /* it may be anybody's post so far */
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_int_equal(w->p.kdc->observer_count, 0);
	rekey(&w->p);
	assert_int_equal(notifications(w), 0);
	observe(&w->raw, "");
	rekey(&w->p);
	assert_int_equal(notifications(w), 1);
}

static void a_restarted_kdc_has_none_and_asks_who_comes(void **state)
{
	struct world *w = *state;
	struct gk_span echo;

	observe(&w->raw, "");
	pair_restart(&w->p);
	rekey(&w->p);
	assert_int_equal(notifications(w), 0);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
	assert_int_equal(pair_raw_observe(&w->raw, "", 0, false), GK_COAP_UNAUTHORIZED);
	assert_true(gk_coap_find(&w->raw.answer, GK_OPT_ECHO, &echo));
	assert_false(is_observed(&w->raw));
	assert_int_equal(w->p.kdc->observer_count, 0);
}

/* material */

static void a_rekeying_is_notified_as_it_would_be_posted(void **state)
{
	struct world *w = *state;
	struct gk_oscore_option option;
	struct gk_coap msg, outer;
	uint32_t before;

	observe(&w->raw, "");
	assert_int_equal(gk_coap_parse(gk_span(w->p.raw_answer, w->p.raw_len), &outer), GK_OK);
	before = (uint32_t)gk_coap_find_uint(&outer, GK_OPT_OBSERVE, 0);
	rekey(&w->p);
	assert_int_equal(notifications(w), 1);
	msg = opened(pair_raw_notified(&w->raw));
	assert_int_equal(msg.code, GK_COAP_CONTENT);
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), GK_CF_ACE_GROUPCOMM);
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_MAX_AGE, -1), 900);
	assert_int_equal(num_in(msg.payload), pair_num(&w->p));
	assert_true(has_label(msg.payload, GK_PARAM_STALE_NODE_IDS));
	assert_true(has_label(map_at(msg.payload, GK_PARAM_KEY), GK_OSC_MS));
	assert_false(has_label(map_at(msg.payload, GK_PARAM_KEY), GK_OSC_SIGN_ALG));
	assert_false(has_label(map_at(msg.payload, GK_PARAM_KEY), GK_OSC_GROUP_SENDER_ID));
	assert_int_equal(gk_coap_parse(pair_raw_notified(&w->raw)->bytes, &outer), GK_OK);
	assert_true((uint32_t)gk_coap_find_uint(&outer, GK_OPT_OBSERVE, 0) > before);
	assert_int_equal(gk_oscore_peek(pair_raw_notified(&w->raw)->bytes, &option, NULL), GK_OK);
	assert_false(option.has_kid);
}

static void an_acknowledgement_is_no_proof(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_UNICAST);
	assert_true(shown(w).observes);
	ack(&w->raw);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_OBSERVE);
	assert_int_equal(pair_group(&w->p).presumed, 1);
	assert_int_equal(pair_group(&w->p).confirmed, 0);
	assert_true(pair_group(&w->p).rekeying.duration_ms >= 0); /* nobody is waited for */
	assert_int_equal(pair_count_notes(&w->p, PAIR_KDC, GK_NOTE_DELIVERED), 0);
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_GET, "active"), GK_COAP_CONTENT);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_OBSERVE);
	pair_advance(&w->p, S(60));
	assert_int_equal(notifications(w), 1);
}

static void a_registration_once_more_confirms(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	ack(&w->raw);
	observe(&w->raw, "");
	assert_int_equal(shown(w).delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_note(&w->p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_OBSERVE);
}

static void who_asks_for_material_meanwhile_was_not_reached(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	ack(&w->raw);
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_GET, "*"), GK_COAP_CONTENT);
	assert_int_equal(pair_note(&w->p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_PULL);
}

static void a_num_that_is_shown_confirms_what_was_notified(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer writer = gk_coap_begin(&buf, GK_COAP_GET);

	observe(&w->raw, "");
	rekey(&w->p);
	ack(&w->raw);
	gk_coap_put_path(&writer, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS "/num"));
	gk_coap_put(&writer, GK_OPT_URI_QUERY, gk_span_str("num=1"));
	assert_int_equal(pair_num(&w->p), 1);
	assert_int_equal(pair_raw_ask_message(&w->raw, gk_buf_span(&buf)), GK_COAP_CONTENT);
	assert_int_equal(pair_note(&w->p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_OBSERVE);
}

static void with_a_control_uri_that_is_enough(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	assert_non_null(pair_raw_asked(&w->raw));
	assert_int_equal(notifications(w), 0);
	assert_false(shown(w).observes);
}

static void an_observer_of_its_node_alone_gets_all_of_its_material(void **state)
{
	struct world *w = *state;
	struct gk_coap msg;

	observe(&w->raw, "*");
	rekey(&w->p);
	msg = opened(pair_raw_notified(&w->raw));
	assert_int_equal(num_in(msg.payload), pair_num(&w->p));
	assert_true(has_label(map_at(msg.payload, GK_PARAM_KEY), GK_OSC_SIGN_ALG));
	assert_true(has_label(map_at(msg.payload, GK_PARAM_KEY), GK_OSC_GROUP_SENDER_ID));
	ack(&w->raw);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_OBSERVE);
	assert_int_equal(notifications(w), 1);
}

static void who_observes_both_hears_of_both_unless_it_wants_no_2xx(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	observe(&w->raw, "*");
	rekey(&w->p);
	assert_int_equal(notifications(w), 2);
	ack(&w->raw);
	ack(&w->raw);
	assert_int_equal(pair_raw_observe(&w->raw, "*", 0, true), GK_COAP_CONTENT);
	assert_true(is_observed(&w->raw));
	rekey(&w->p);
	assert_int_equal(notifications(w), 3);
	assert_true(has_label(opened(pair_raw_notified(&w->raw)).payload, GK_PARAM_STALE_NODE_IDS));
}

static void who_wants_no_2xx_of_all_that_it_observes_has_to_ask(void **state)
{
	struct world *w = *state;

	assert_int_equal(pair_raw_observe(&w->raw, "*", 0, true), GK_COAP_CONTENT);
	rekey(&w->p);
	assert_int_equal(notifications(w), 0);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
}

static void what_is_not_acknowledged_is_repeated_parked_and_taken_up_again(void **state)
{
	struct world *w = *state;
	int64_t num;

	observe(&w->raw, "");
	rekey(&w->p);
	num = pair_num(&w->p);
	for (size_t i = 1; i <= 4; i++) {
		assert_int_equal(notifications(w), i);
		assert_int_equal(num_in(opened(pair_raw_notified(&w->raw)).payload), num);
		pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_NOT);
		if (i < 4)
			pair_advance(&w->p, S(2) << i);
	}
	assert_int_equal(notifications(w), 5); /* to see if it is there */
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
	assert_int_equal(pair_count_notes(&w->p, PAIR_KDC, GK_NOTE_PARKED), 1);
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_GET, "active"), GK_COAP_CONTENT);
	assert_int_equal(notifications(w), 6);
}

static void an_acknowledgement_of_an_older_version_brings_the_newest(void **state)
{
	struct world *w = *state;
	const struct pair_message *first;

	observe(&w->raw, "");
	rekey(&w->p);
	first = pair_raw_notified(&w->raw);
	rekey(&w->p);
	assert_int_equal(notifications(w), 1); /* one at a time */
	pair_raw_acknowledge(&w->raw, first, GK_NOTIFIED_ACK);
	assert_int_equal(notifications(w), 2);
	assert_int_equal(num_in(opened(pair_raw_notified(&w->raw)).payload), pair_num(&w->p));
}

static void what_never_left_is_sent_again(void **state)
{
	struct world *w = *state;
	const struct pair_message *m;

	observe(&w->raw, "");
	rekey(&w->p);
	m = pair_raw_notified(&w->raw);
	w->p.log[m->exchange.id - 1]->open = false;
	pair_drain_kdc(&w->p, gk_kdc_unsent(w->p.kdc, m->id, w->p.now));
	assert_int_equal(shown(w).delivery, GK_DELIVERY_UNICAST);
	pair_advance(&w->p, S(2));
	assert_int_equal(notifications(w), 2);
}

static void a_reset_ends_the_registration_that_it_is_about(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_RESET);
	assert_int_equal(w->p.kdc->observer_count, 0);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
	assert_false(shown(w).observes);
	rekey(&w->p);
	assert_int_equal(notifications(w), 1);
}

static void a_reset_of_a_former_registration_ends_no_newer_one(void **state)
{
	struct world *w = *state;
	const struct pair_message *former;

	observe(&w->raw, "");
	rekey(&w->p);
	former = pair_raw_notified(&w->raw);
	observe(&w->raw, "");
	pair_raw_acknowledge(&w->raw, former, GK_NOTIFIED_RESET);
	assert_int_equal(w->p.kdc->observer_count, 1);
}

static void in_a_new_association_nothing_waits_for_an_old_notification(void **state)
{
	struct world *w = *state;
	const struct pair_message *m;

	observe(&w->raw, "");
	rekey(&w->p);
	m = pair_raw_notified(&w->raw);
	assert_int_equal(pair_raw_post(&w->raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_GET, "active"), GK_COAP_CONTENT);
	pair_raw_acknowledge(&w->raw, m, GK_NOTIFIED_ACK);
	pair_advance(&w->p, S(30));
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
	assert_int_equal(notifications(w), 1);
}

static void as_many_at_once_as_may_be_in_flight(void **state)
{
	struct world *w = *state;
	struct pair_raw others[9];

	observe(&w->raw, "");
	for (unsigned i = 0; i < 9; i++) {
		char name[16];

		snprintf(name, sizeof(name), "other%u", i);
		pair_raw_open(&others[i], &w->p, 2 + i, name, NULL, &all, 1);
		assert_int_equal(pair_raw_join(&others[i], PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
		observe(&others[i], "");
	}
	rekey(&w->p);
	assert_int_equal(notifications(w), 8);
	for (size_t i = 0; i < 9; i++) {
		if (!pair_raw_notified(&others[i]))
			continue;
		ack(&others[i]);
		break;
	}
	assert_int_equal(notifications(w), 9);
}

/* active */

static void set_active(struct pair *p, bool active)
{
	p->config[0].active = active;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
}

static void activity_is_notified_when_it_changes(void **state)
{
	struct world *w = *state;
	struct gk_coap msg;

	observe(&w->raw, "active");
	set_active(&w->p, true);
	assert_int_equal(notifications(w), 0);
	set_active(&w->p, false);
	assert_int_equal(notifications(w), 1);
	assert_hex_equal(opened(pair_raw_notified(&w->raw)).payload, "f4");
	msg = opened(pair_raw_notified(&w->raw));
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), GK_CF_CBOR);
	rekey(&w->p); /* is none of its business */
	assert_int_equal(notifications(w), 1);
}

static void the_newest_state_comes_after_the_one_under_way(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "active");
	set_active(&w->p, false);
	set_active(&w->p, true);
	assert_int_equal(notifications(w), 1);
	ack(&w->raw);
	assert_int_equal(notifications(w), 2);
	assert_hex_equal(opened(pair_raw_notified(&w->raw)).payload, "f5");
	ack(&w->raw);
	assert_int_equal(notifications(w), 2);
}

static void news_that_nobody_acknowledges_end_it(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "active");
	set_active(&w->p, false);
	pair_advance(&w->p, S(15));
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void news_leave_room_for_rekeying_messages(void **state)
{
	enum { SILENT = GK_REQUESTS_MAX / 2 + 6 };
	static struct pair_raw silent[SILENT];
	struct world *w = *state;
	char name[16];

	for (unsigned i = 0; i < SILENT; i++) {
		snprintf(name, sizeof(name), "silent%u", i);
		pair_raw_open(&silent[i], &w->p, 2 + i, name, NULL, &all, 1);
		assert_int_equal(pair_raw_join(&silent[i], PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
		observe(&silent[i], "active");
	}
	set_active(&w->p, false);
	pair_advance(&w->p, S(10));
	assert_int_equal(w->p.kdc->request_count, GK_REQUESTS_MAX / 2);
	pair_advance(&w->p, S(7)); // those were not acknowledged, and it is the others' turn
	assert_int_equal(w->p.kdc->request_count, 6);
	assert_int_equal(notifications(w), SILENT);
}

static void news_that_never_left_are_sent_again(void **state)
{
	struct world *w = *state;
	const struct pair_message *m;

	observe(&w->raw, "active");
	set_active(&w->p, false);
	m = pair_raw_notified(&w->raw);
	w->p.log[m->exchange.id - 1]->open = false;
	pair_drain_kdc(&w->p, gk_kdc_unsent(w->p.kdc, m->id, w->p.now));
	pair_advance(&w->p, S(1));
	assert_int_equal(notifications(w), 2);
}

/* ends */

static void an_eviction_is_told_by_4_04_with_error_5_alone(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	observe(&w->raw, "active");
	assert_int_equal(pair_raw_observe(&w->raw, "*", 0, true), GK_COAP_CONTENT);
	evict(&w->p, "raw1");
	assert_int_equal(notifications(w), 1);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10005");
	assert_memory_equal(pair_raw_notified(&w->raw)->exchange.token, w->raw.exchange.token, 2);
	assert_int_equal(w->p.kdc->observer_count, 0);
	ack(&w->raw);
	pair_advance(&w->p, S(60));
	assert_int_equal(notifications(w), 1);
	assert_null(pair_raw_asked(&w->raw));
}

static void with_a_control_uri_an_eviction_is_a_delete_alone(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "*");
	evict(&w->p, "raw1");
	assert_int_equal(notifications(w), 0);
	assert_int_equal(pair_raw_asked(&w->raw)->plain.data[0], GK_COAP_DELETE);
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void a_notice_that_never_left_is_sent_again(void **state)
{
	struct world *w = *state;
	const struct pair_message *m;

	observe(&w->raw, "*");
	evict(&w->p, "raw1");
	m = pair_raw_notified(&w->raw);
	w->p.log[m->exchange.id - 1]->open = false;
	pair_drain_kdc(&w->p, gk_kdc_unsent(w->p.kdc, m->id, w->p.now));
	pair_advance(&w->p, S(1));
	assert_int_equal(notifications(w), 2);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10005");
}

static void who_leaves_is_told_nothing_more(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	observe(&w->raw, "*");
	assert_int_equal(pair_raw_get(&w->raw, GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	assert_int_equal(w->p.kdc->observer_count, 0);
	assert_int_equal(notifications(w), 0);
}

static void remove_group(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

static void a_deleted_group_is_told_by_4_04_with_error_6(void **state)
{
	struct world *w = *state;
	uint8_t token[2];

	observe(&w->raw, "");
	memcpy(token, w->raw.exchange.token, 2);
	observe(&w->raw, "*");
	remove_group(&w->p);
	assert_int_equal(notifications(w), 1);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10006");
	assert_memory_equal(pair_raw_notified(&w->raw)->exchange.token, token, 2);
}

static void who_observes_its_node_alone_is_put_out_of_a_deleted_group(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "*");
	remove_group(&w->p);
	assert_int_equal(notifications(w), 1);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10005");
}

static void of_a_deleted_group_its_observers_hear_with_a_control_uri_too(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	remove_group(&w->p);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10006");
	assert_int_equal(pair_raw_asked(&w->raw)->plain.data[0], GK_COAP_DELETE);
}

static size_t count_code(const struct world *w, uint8_t code)
{
	size_t count = 0;

	for (size_t i = 0; i < w->p.log_count; i++)
		count += w->p.log[i]->kind == PAIR_NOTIFY && w->p.log[i]->plain.data[0] == code;
	return count;
}

static void at_the_end_of_a_token_all_is_over_and_put_out_comes_first(void **state)
{
	struct world *w = *state;
	size_t first;

	w->p.config[0].presence.check_interval_s = w->p.config[0].period_s = 2 * 86400;
	pair_drain_kdc(&w->p, gk_kdc_change_group(w->p.kdc, &w->p.config[0], w->p.now));
	observe(&w->raw, "");
	observe(&w->raw, "*");
	observe(&w->raw, "active");
	first = w->p.log_count;
	pair_advance(&w->p, S(86400));
	assert_int_equal(notifications(w), 3);
	assert_error(w->p.log[first], GK_COAP_NOT_FOUND, "a100a10005");
	assert_error(w->p.log[first + 1], GK_COAP_UNAUTHORIZED, NULL);
	assert_error(w->p.log[first + 2], GK_COAP_UNAUTHORIZED, NULL);
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void at_the_end_of_a_token_with_a_control_uri_observations_end_too(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "*");
	pair_drain_kdc(&w->p, gk_kdc_revoke(w->p.kdc, gk_span_str("raw1"), w->p.now));
	assert_int_equal(notifications(w), 1);
	assert_int_equal(count_code(w, GK_COAP_UNAUTHORIZED), 1);
	assert_int_equal(pair_count(&w->p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE), 1);
}

/* presence: check 300 s, kernel 5 s, 3 probes of 5 s, grace 60 s */

static void a_silent_observer_is_asked_by_notifications_and_removed(void **state)
{
	struct world *w = *state;
	struct gk_member_info info;

	observe(&w->raw, "");
	pair_advance(&w->p, S(300));
	assert_int_equal(w->p.probes, 1);
	pair_advance(&w->p, S(5));
	assert_int_equal(shown(w).presence, GK_PRESENT); /* and is asked in silence */
	assert_int_equal(notifications(w), 1);
	assert_int_equal(num_in(opened(pair_raw_notified(&w->raw)).payload), pair_num(&w->p));
	pair_advance(&w->p, S(5));
	assert_int_equal(shown(w).presence, GK_SUSPECT);
	pair_advance(&w->p, S(5));
	assert_int_equal(notifications(w), 3);
	pair_advance(&w->p, S(5));
	assert_int_equal(shown(w).presence, GK_ABSENT);
	pair_advance(&w->p, S(61));
	assert_false(pair_shown(&w->p, PAIR_LIGHTS, "raw1", &info));
}

static void an_observer_that_acknowledges_stays_and_is_looked_at_again(void **state)
{
	struct world *w = *state;
	int64_t seen_ms;

	observe(&w->raw, "");
	seen_ms = shown(w).last_seen_ms;
	pair_advance(&w->p, S(311));
	assert_int_equal(shown(w).presence, GK_SUSPECT);
	ack(&w->raw);
	assert_int_equal(shown(w).presence, GK_PRESENT);
	assert_int_equal(shown(w).last_seen_ms, seen_ms); /* not by what it says itself */
	pair_advance(&w->p, S(300));
	assert_int_equal(w->p.probes, 2);
	pair_advance(&w->p, S(10));
	assert_int_equal(shown(w).presence, GK_SUSPECT);
}

static void who_resets_a_probe_is_there_and_cannot_be_asked_again(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	pair_advance(&w->p, S(305));
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_RESET);
	assert_int_equal(shown(w).presence, GK_PRESENT);
	pair_advance(&w->p, S(3600));
	assert_int_equal(shown(w).presence, GK_PRESENT);
	assert_int_equal(notifications(w), 1);
}

static void an_observer_of_its_end_alone_cannot_be_asked(void **state)
{
	struct world *w = *state;

	assert_int_equal(pair_raw_observe(&w->raw, "*", 0, true), GK_COAP_CONTENT);
	pair_advance(&w->p, S(3600));
	assert_int_equal(shown(w).presence, GK_PRESENT);
	assert_int_equal(notifications(w), 0);
}

/* in a DTLS session; the pair looks at Observe there too */

static void in_a_session_registrations_and_notifications_are_plain(void **state)
{
	struct world *w = *state;
	const struct pair_message *m;
	struct gk_coap msg;

	observe(&w->raw, "");
	assert_int_equal(gk_coap_find_uint(&w->raw.answer, GK_OPT_MAX_AGE, -1), 900);
	assert_true(shown(w).observes);
	rekey(&w->p);
	m = pair_raw_notified(&w->raw);
	msg = opened(m);
	assert_true(gk_id_equal(&m->dtls, &w->raw.exchange.dtls));
	assert_memory_equal(m->exchange.token, w->raw.exchange.token, m->exchange.token_len);
	assert_int_equal(msg.code, GK_COAP_CONTENT);
	assert_int_equal(num_in(msg.payload), w->p.kdc->groups->num);
	ack(&w->raw);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_OBSERVE);
}

static void notifications_go_in_the_session_of_the_newest_registration(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	assert_true(pair_raw_notified(&w->raw)->exchange.session == 77);
	ack(&w->raw);
	w->raw.exchange.session = 78;
	observe(&w->raw, "");
	rekey(&w->p);
	assert_true(pair_raw_notified(&w->raw)->exchange.session == 78);
	assert_int_equal(w->p.kdc->observer_count, 1);
}

static void observe_1_in_a_session_ends_it(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "active");
	w->raw.exchange.message_id--; /* the same token again */
	assert_int_equal(pair_raw_observe(&w->raw, "active", 1, false), GK_COAP_CONTENT);
	assert_false(is_observed(&w->raw));
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void with_its_session_a_registration_ends(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	rekey(&w->p);
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_GONE);
	assert_int_equal(w->p.kdc->observer_count, 0);
	assert_false(shown(w).observes);
	rekey(&w->p);
	pair_advance(&w->p, S(600));
	assert_int_equal(notifications(w), 1);
}

/* As the shell does: after so many in a row that were not answered. */
static void end_sessions_of_the_silent(struct world *w)
{
	const struct pair_message *m = pair_raw_notified(&w->raw);

	if (m && notifications(w) > GK_SESSION_SILENT)
		pair_raw_acknowledge(&w->raw, m, GK_NOTIFIED_GONE);
	m = pair_raw_asked(&w->raw);
	if (m && pair_count(&w->p, PAIR_REQUEST, PAIR_KDC, PAIR_OUTSIDE) > GK_SESSION_SILENT)
		pair_drain_kdc(&w->p, gk_kdc_unsent(w->p.kdc, m->id, w->p.now));
}

static void be_silent(struct world *w, int64_t seconds)
{
	for (int64_t i = 0; i < 10 * seconds; i++) {
		end_sessions_of_the_silent(w);
		pair_advance(&w->p, 100);
	}
}

static void whose_session_ended_for_its_silence_is_removed_nevertheless(void **state)
{
	struct world *w = *state;
	struct gk_member_info info;

	observe(&w->raw, "");
	be_silent(w, 300 + 5 + 15 + 61);
	assert_true(notifications(w) > GK_SESSION_SILENT);
	assert_false(pair_shown(&w->p, PAIR_LIGHTS, "by-dtls", &info));
}

/* All the time of the session goes by with rekeying messages. */
static void so_is_one_that_is_asked_by_requests(void **state)
{
	struct world *w = *state;
	struct gk_member_info info;

	rekey(&w->p);
	be_silent(w, 100);
	assert_int_equal(shown(w).presence, GK_SUSPECT);
	assert_int_equal(shown(w).delivery, GK_DELIVERY_PARKED);
	be_silent(w, 15 + 61);
	assert_false(pair_shown(&w->p, PAIR_LIGHTS, "by-dtls", &info));
}

static void who_comes_back_in_another_session_is_present(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	be_silent(w, 300 + 5 + 15 + 40);
	assert_int_equal(shown(w).presence, GK_ABSENT);
	w->raw.exchange.session = 78;
	observe(&w->raw, "");
	assert_int_equal(shown(w).presence, GK_PRESENT);
	assert_int_equal(w->p.kdc->observer_count, 1);
	rekey(&w->p);
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_GONE);
	assert_int_equal(w->p.kdc->observer_count, 0); /* its session says nothing of it again */
}

static void that_a_session_is_over_is_no_sign_of_life(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "");
	pair_advance(&w->p, S(305));
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_GONE);
	assert_int_equal(w->p.kdc->groups->nodes[0]->vigil, GK_VIGIL_CHECK);
	assert_int_equal(shown(w).last_sign, GK_FACT_REQUEST);
	w->raw.exchange.session = 78;
	observe(&w->raw, "");
	pair_advance(&w->p, S(311));
	assert_int_equal(shown(w).presence, GK_SUSPECT);
	pair_raw_acknowledge(&w->raw, pair_raw_notified(&w->raw), GK_NOTIFIED_GONE);
	assert_int_equal(shown(w).presence, GK_SUSPECT);
	pair_advance(&w->p, S(3600)); /* it cannot be asked any more */
	assert_int_equal(shown(w).presence, GK_PRESENT);
	assert_int_equal(notifications(w), 3);
}

static void in_a_session_an_eviction_is_told_by_4_04_with_error_5(void **state)
{
	struct world *w = *state;

	observe(&w->raw, "*");
	evict(&w->p, "by-dtls");
	assert_int_equal(notifications(w), 1);
	assert_error(pair_raw_notified(&w->raw), GK_COAP_NOT_FOUND, "a100a10005");
	assert_int_equal(w->p.kdc->observer_count, 0);
}

static void at_the_end_of_a_token_the_session_ends_behind_4_01(void **state)
{
	struct world *w = *state;

	w->p.config[0].presence.check_interval_s = w->p.config[0].period_s = 2 * 86400;
	pair_drain_kdc(&w->p, gk_kdc_change_group(w->p.kdc, &w->p.config[0], w->p.now));
	observe(&w->raw, "*");
	observe(&w->raw, "active");
	pair_advance(&w->p, S(86400));
	assert_int_equal(count_code(w, GK_COAP_NOT_FOUND), 1);
	assert_int_equal(count_code(w, GK_COAP_UNAUTHORIZED), 1);
	assert_int_equal(w->p.ends, 1);
	assert_int_equal(w->p.kdc->observer_count, 0);
}

#define IN_SESSION(f)   cmocka_unit_test_setup_teardown(f, open_in_session, close_world)
#define BARE(f)         cmocka_unit_test_setup_teardown(f, open_world, close_world)
#define WITH_CONTROL(f) cmocka_unit_test_setup_teardown(f, open_with_control, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(the_first_answer_says_that_it_is_observed_and_for_how_long),
		BARE(what_is_not_observable_is_answered_without_observe),
		BARE(who_is_no_member_observes_nothing),
		BARE(without_observe_outside_it_is_a_plain_get),
		BARE(a_registration_once_more_takes_the_place_of_the_former),
		BARE(one_that_was_held_up_takes_the_place_of_no_later_one),
		BARE(a_retransmitted_registration_gets_the_same_answer),
		BARE(observe_1_with_its_token_ends_it_and_no_other),
		BARE(beyond_the_bound_one_is_answered_and_not_registered),
		BARE(a_new_association_ends_those_of_the_former),
		BARE(a_restarted_kdc_has_none_and_asks_who_comes),
		BARE(a_rekeying_is_notified_as_it_would_be_posted),
		BARE(an_acknowledgement_is_no_proof),
		BARE(a_registration_once_more_confirms),
		BARE(who_asks_for_material_meanwhile_was_not_reached),
		BARE(a_num_that_is_shown_confirms_what_was_notified),
		WITH_CONTROL(with_a_control_uri_that_is_enough),
		BARE(an_observer_of_its_node_alone_gets_all_of_its_material),
		BARE(who_observes_both_hears_of_both_unless_it_wants_no_2xx),
		BARE(who_wants_no_2xx_of_all_that_it_observes_has_to_ask),
		BARE(what_is_not_acknowledged_is_repeated_parked_and_taken_up_again),
		BARE(an_acknowledgement_of_an_older_version_brings_the_newest),
		BARE(what_never_left_is_sent_again),
		BARE(a_reset_ends_the_registration_that_it_is_about),
		BARE(a_reset_of_a_former_registration_ends_no_newer_one),
		BARE(in_a_new_association_nothing_waits_for_an_old_notification),
		BARE(as_many_at_once_as_may_be_in_flight),
		BARE(activity_is_notified_when_it_changes),
		BARE(the_newest_state_comes_after_the_one_under_way),
		BARE(news_that_nobody_acknowledges_end_it),
		BARE(news_leave_room_for_rekeying_messages),
		BARE(news_that_never_left_are_sent_again),
		BARE(an_eviction_is_told_by_4_04_with_error_5_alone),
		WITH_CONTROL(with_a_control_uri_an_eviction_is_a_delete_alone),
		BARE(a_notice_that_never_left_is_sent_again),
		BARE(who_leaves_is_told_nothing_more),
		BARE(a_deleted_group_is_told_by_4_04_with_error_6),
		BARE(who_observes_its_node_alone_is_put_out_of_a_deleted_group),
		WITH_CONTROL(of_a_deleted_group_its_observers_hear_with_a_control_uri_too),
		BARE(at_the_end_of_a_token_all_is_over_and_put_out_comes_first),
		WITH_CONTROL(at_the_end_of_a_token_with_a_control_uri_observations_end_too),
		BARE(a_silent_observer_is_asked_by_notifications_and_removed),
		BARE(an_observer_that_acknowledges_stays_and_is_looked_at_again),
		BARE(who_resets_a_probe_is_there_and_cannot_be_asked_again),
		BARE(an_observer_of_its_end_alone_cannot_be_asked),
		IN_SESSION(in_a_session_registrations_and_notifications_are_plain),
		IN_SESSION(notifications_go_in_the_session_of_the_newest_registration),
		IN_SESSION(observe_1_in_a_session_ends_it),
		IN_SESSION(with_its_session_a_registration_ends),
		IN_SESSION(whose_session_ended_for_its_silence_is_removed_nevertheless),
		cmocka_unit_test_setup_teardown(so_is_one_that_is_asked_by_requests,
						open_in_session_with_control, close_world),
		IN_SESSION(who_comes_back_in_another_session_is_present),
		IN_SESSION(that_a_session_is_over_is_no_sign_of_life),
		IN_SESSION(in_a_session_an_eviction_is_told_by_4_04_with_error_5),
		IN_SESSION(at_the_end_of_a_token_the_session_ends_behind_4_01),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
