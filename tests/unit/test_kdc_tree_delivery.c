// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// How a rekeying message to the group reaches the members of the tree, or does not: confirmations,
// unicast to those who do not confirm, the link's budget, and the beacon.

#include "libgroupkey/delivery.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ANYONE      (-3)
#define REPEAT_MS   1000
#define MARGIN_MS   2000 /* for the way of the last confirmations */
#define CONFIRM_LEN 32   /* CoAP message of a confirmation, as the KDC reckons */
#define ANSWER_LEN  32   /* ... of the answer to a rekeying message */

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	static struct pair p;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	config.presence.evict = false;
	config.rekey.repeat_ms = REPEAT_MS;
	pair_open(&p, 21);
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static void reopen(void **state)
{
	assert_int_equal(pair_end(state), 0);
	assert_int_equal(open_pair(state), 0);
}

static void settle(struct pair *p)
{
	pair_advance(p, 30000);
}

static void join_tree(struct pair *p, size_t count)
{
	pair_join_all(p, count);
	settle(p);
}

static void set_confirm(struct pair *p, enum gk_confirm confirm)
{
	p->config[0].rekey.confirm = confirm;
	pair_restart(p);
}

static void rekey(struct pair *p)
{
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static struct gk_member_info shown_by_name(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
	return info;
}

static enum gk_delivery delivery(const struct pair *p, size_t i)
{
	return shown_by_name(p, p->node[i].name).delivery;
}

static struct gk_rekeying_info took(const struct pair *p)
{
	return pair_group(p).rekeying;
}

static bool is_unicast(const struct pair_message *m)
{
	return m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
	       m->plain.data[0] == GK_COAP_POST;
}

static size_t count_unicast(const struct pair *p, size_t from, int to)
{
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++)
		count += is_unicast(p->log[i]) && (to == ANYONE || p->log[i]->to == to);
	return count;
}

static bool is_copy(const struct pair_message *m, int to, enum gk_rekeying_type type,
		    struct gk_rekeying *message)
{
	return m->to == to && pair_read_cast(m, message) && message->type == type;
}

/* Copies of the message of one version, as one member is sent them. */
static size_t count_copies(const struct pair *p, int to, int64_t num)
{
	struct gk_rekeying message;
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += is_copy(p->log[i], to, GK_REKEYING, &message) && message.num == num;
	return count;
}

static struct gk_rekeying newest_cast(const struct pair *p)
{
	struct gk_rekeying message;

	assert_true(pair_read_cast(pair_newest(p, PAIR_MULTICAST, PAIR_KDC, ANYONE), &message));
	assert_int_equal(message.type, GK_REKEYING);
	return message;
}

/* what gets lost */

struct losses {
	uint64_t deaf;     /* bits of members that get no rekeying message to the group */
	uint64_t mute;     /* ... whose confirmations get lost */
	uint64_t alone;    /* ... to whom no request of the KDC comes */
	uint32_t first_of; /* the first copy of this version gets lost to the deaf ones, no other */
	unsigned lost[64];
};

static bool bit(uint64_t bits, int who)
{
	return who >= 0 && who < 64 && bits >> who & 1;
}

static bool pass(struct pair *p, const struct pair_message *m)
{
	struct losses *losses = p->ctx;
	struct gk_rekeying message;

	if (is_copy(m, m->to, GK_REKEYING, &message) && bit(losses->deaf, m->to))
		return losses->first_of &&
		       (message.num != losses->first_of || losses->lost[m->to]++ > 0);
	if (m->kind == PAIR_CONFIRM)
		return !bit(losses->mute, m->from);
	if (m->kind == PAIR_PROBE)
		return !bit(losses->deaf, m->to);
	return !(m->kind == PAIR_REQUEST && m->from == PAIR_KDC && bit(losses->alone, m->to));
}

static void lose(struct pair *p, struct losses *losses)
{
	p->pass = pass;
	p->ctx = losses;
}

/* unicast for those who do not confirm */

static void who_is_deaf_is_told_by_unicast_and_delays_nobody(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1 };
	uint32_t leisure_ms;
	size_t from;

	join_tree(p, 5);
	lose(p, &losses);
	from = p->log_count;
	rekey(p);
	leisure_ms = newest_cast(p).leisure_ms;
	pair_advance(p, leisure_ms);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(delivery(p, i),
				 i == 1 ? GK_DELIVERY_MULTICAST : GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_group(p).presumed, 1);
	assert_int_equal(pair_group(p).confirmed, 4);
	assert_int_equal(took(p).duration_ms, -1);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	// the time for confirmations begins again with each copy
	pair_advance(p, leisure_ms + 3 * REPEAT_MS + MARGIN_MS);
	assert_int_equal(count_unicast(p, from, 1), 1);
	assert_int_equal(count_unicast(p, from, ANYONE), 1);
	assert_true(pair_agree(p, 0, 4));
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_UNICAST);
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_UNICAST);
	assert_int_equal(took(p).members, 5);
	assert_int_equal(took(p).confirmed, 4);
	assert_int_equal(took(p).unicast, 1);
	assert_int_equal(took(p).parked, 0);
	assert_in_range(took(p).duration_ms, leisure_ms + MARGIN_MS,
			2 * leisure_ms + 3 * REPEAT_MS + MARGIN_MS);
	assert_int_equal(count_copies(p, 0, pair_num(p)), 2);
	assert_int_equal(took(p).datagrams, 3);
	// what it got by unicast are its keys too
	losses.deaf = 0;
	rekey(p);
	settle(p);
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
}

static void rekeyings_in_a_row_do_not_put_unicast_off_for_ever(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1 };
	int64_t start_ms, patience_ms;
	size_t from;

	join_tree(p, 4);
	lose(p, &losses);
	from = p->log_count;
	start_ms = p->now.mono.ms;
	patience_ms = gk_cast_patience_ms(p->kdc->groups);
	while (!count_unicast(p, from, 1) && p->now.mono.ms < start_ms + 60000) {
		rekey(p);
		pair_advance(p, 1500); // less than confirmations are waited for
	}
	assert_in_range(p->now.mono.ms - start_ms, patience_ms, patience_ms + 4000);
	assert_int_equal(count_unicast(p, from, ANYONE), 1);
	assert_true(pair_agree(p, 0, 3));
}

static void the_leisure_of_the_last_copy_is_waited_for(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1 };
	int64_t copy_ms = 0, unicast_ms = 0;
	struct gk_rekeying message;
	uint32_t leisure_ms;
	size_t from;

	p->rekeying_bps = 400; // so that the leisure is long
	pair_restart(p);
	join_tree(p, 5);
	pair_advance(p, 120000);
	lose(p, &losses);
	from = p->log_count;
	rekey(p);
	p->kdc->budget.bytes_per_s = 0; // nothing else is to be waited for
	leisure_ms = newest_cast(p).leisure_ms;
	assert_true(leisure_ms > 5000);
	pair_advance(p, 60000);
	for (size_t i = from; i < p->log_count; i++) {
		if (is_copy(p->log[i], 0, GK_REKEYING, &message))
			copy_ms = p->log[i]->sent_ms;
		if (is_unicast(p->log[i]))
			unicast_ms = p->log[i]->sent_ms;
	}
	assert_int_equal(unicast_ms, copy_ms + leisure_ms + MARGIN_MS);
}

static void a_copy_that_is_still_to_come_is_waited_for(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1 };
	size_t from;

	p->config[0].rekey.repeat_ms = 20000;
	pair_restart(p);
	join_tree(p, 3);
	settle(p);
	lose(p, &losses);
	from = p->log_count;
	losses.first_of = (uint32_t)pair_num(p) + 1;
	rekey(p);
	pair_advance(p, 60000);
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
}

static void one_message_at_a_time_to_each(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1, .alone = 1 << 1 };
	const struct pair_message *first;
	size_t from;

	join_tree(p, 3);
	lose(p, &losses);
	rekey(p);
	pair_advance(p, 12000); // the first one failed, the second one is to have eight seconds
	first = pair_newest(p, PAIR_REQUEST, PAIR_KDC, 1);
	assert_true(first->open && first->deadline_ms == first->sent_ms + 8000);
	from = p->log_count;
	rekey(p);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_UNICAST); // as before
	while (first->open) {
		assert_int_equal(count_unicast(p, from, ANYONE), 0);
		pair_advance(p, 100);
	}
	assert_true(p->now.mono.ms > first->sent_ms + 5000); // the time for confirmations is over
	losses.alone = 0;
	settle(p);
	assert_int_equal(count_unicast(p, from, ANYONE), 1);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(took(p).unicast, 1);
	assert_int_equal(p->kdc->groups->lanes[GK_LANE_AWAKE].flying, 0);
}

static void who_answers_nothing_is_parked_and_recovers_when_it_wakes(void **state)
{
	struct pair *p = *state;
	int64_t ended_ms;
	size_t from;

	join_tree(p, 5);
	p->node[1].cut = true;
	from = p->log_count;
	for (int i = 0; i < 3; i++) {
		rekey(p);
		pair_advance(p, 10000);
		for (size_t k = 0; k < 5; k++)
			assert_true(k == 1 || delivery(p, k) == GK_DELIVERY_CONFIRMED);
	}
	pair_advance(p, 120000);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_PARKED);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 1);
	assert_int_equal(count_unicast(p, from, ANYONE), count_unicast(p, from, 1));
	assert_int_equal(took(p).parked, 1);
	assert_int_equal(took(p).unicast, 1);
	assert_int_equal(took(p).confirmed, 4);
	ended_ms = took(p).duration_ms;
	assert_true(ended_ms > 0);
	// it hears what it cannot read, and asks
	p->node[1].cut = false;
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "hello"), GK_OK);
	settle(p);
	assert_true(pair_agree(p, 0, 4));
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
	assert_int_equal(took(p).parked, 1);
	assert_int_equal(took(p).duration_ms, ended_ms);
	rekey(p);
	settle(p);
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
}

static void a_parked_member_is_counted_once_however_often_it_wakes(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1, .alone = 1 << 1 };

	join_tree(p, 3);
	lose(p, &losses);
	rekey(p);
	pair_advance(p, 120000);
	assert_int_equal(took(p).parked, 1);
	gk_delivery_wake(p->kdc->groups->nodes[1], p->now);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_UNICAST);
	pair_advance(p, 120000);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_PARKED);
	assert_int_equal(took(p).parked, 1);
	assert_int_equal(took(p).unicast, 1);
}

static void a_member_without_control_uri_is_waited_for_and_then_has_to_ask(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t from;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	raw.tree = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	join_tree(p, 2);
	from = p->log_count;
	rekey(p);
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_MULTICAST);
	assert_int_equal(took(p).duration_ms, -1);
	settle(p);
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_PARKED);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_int_equal(took(p).parked, 1);
	assert_true(took(p).duration_ms > 0);
	pair_raw_get(&raw, GK_COAP_GET, "*");
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_PULL);
}

/* A member of each kind, in any order, and nobody is forgotten or counted twice. */
static void the_end_of_a_rekeying_is_when_the_last_is_served(void **state)
{
	for (unsigned order = 0; order < 6; order++) {
		static const uint8_t kinds[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
		struct pair *p = *state;
		static struct pair_raw raw[3];

		// in the tree, point-to-point, and one that has to ask
		for (unsigned i = 0; i < 3; i++) {
			char name[8];

			snprintf(name, sizeof(name), "raw%u", i + 1);
			pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
			raw[i].tree = kinds[order][i] == 0;
			assert_int_equal(
				pair_raw_join(&raw[i], PAIR_LIGHTS, 6, kinds[order][i] != 2),
				GK_COAP_CREATED);
		}
		pair_add(p, 6);
		join_tree(p, 0);
		for (int again = 0; again < 2; again++) {
			rekey(p);
			assert_int_equal(took(p).members, 3);
			assert_int_equal(took(p).duration_ms, -1);
			for (unsigned i = 0; i < 3; i++) {
				for (int n = 0;
				     n < 3 && kinds[order][i] == 1 && pair_raw_asked(&raw[i]); n++)
					pair_raw_reply(&raw[i], pair_raw_asked(&raw[i]),
						       GK_COAP_CHANGED);
			}
			assert_int_equal(took(p).duration_ms, -1);
			for (unsigned i = 0; i < 3; i++) {
				if (kinds[order][i] == 0)
					pair_raw_get(&raw[i], GK_COAP_GET, "*");
			}
			assert_int_equal(took(p).duration_ms, 0);
			assert_int_equal(took(p).unicast, 1);
			assert_int_equal(took(p).parked, 1);
		}
		reopen(state);
	}
}

static void the_count_of_those_waited_for_survives_a_change_of_confirmation(void **state)
{
	static struct pair_raw raw[66];
	struct pair *p = *state;

	// by number of members: implicit, all, implicit
	set_confirm(p, GK_CONFIRM_AUTO);
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
		raw[i].tree = true;
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	}
	for (int turn = 0; turn < 3; turn++) {
		rekey(p);
		assert_int_equal(took(p).duration_ms, turn == 1 ? -1 : 0);
		assert_int_equal(p->kdc->groups->waiting, turn == 1 ? 63 : 0);
		if (turn < 2)
			for (unsigned i = 0; i < 3; i++)
				pair_raw_get(&raw[i], turn ? GK_COAP_GET : GK_COAP_DELETE, "*");
		if (turn == 1)
			for (unsigned i = 0; i < 3; i++)
				assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, false),
						 GK_COAP_CREATED);
	}
}

/* confirmations */

/* Keeps confirmations of members, by the newest of each. */
static const struct pair_message *confirmation_of(const struct pair *p, int from, int64_t num)
{
	for (size_t i = p->log_count; i-- > 0;) {
		const struct pair_message *m = p->log[i];
		struct gk_confirmation c;
		struct gk_coap coap;

		if (m->kind == PAIR_CONFIRM && m->from == from && !gk_coap_parse(m->bytes, &coap) &&
		    !gk_confirmation_read(coap.payload, &c) &&
		    gk_span_uint(gk_span_sub(c.gid, 2, 4)) == (uint64_t)num)
			return m;
	}
	fail_msg("no confirmation of %d", from);
	return NULL;
}

static void give(struct pair *p, struct gk_span bytes)
{
	pair_drain_kdc(p, gk_kdc_confirmed(p->kdc, bytes, p->now));
}

/* Confirmations that members made and the KDC did not get; all wait for them. */
static void hold_confirmations(struct pair *p, struct losses *losses)
{
	losses->mute = UINT64_MAX;
	lose(p, losses);
	rekey(p);
	pair_advance(p, newest_cast(p).leisure_ms);
	for (size_t i = 0; i < p->node_count; i++)
		assert_int_equal(delivery(p, i), GK_DELIVERY_MULTICAST);
}

static void a_confirmation_goes_to_the_port_of_the_group_and_shows_its_form(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };
	const struct pair_message *m;
	struct gk_confirmation c;
	struct gk_coap coap;
	struct gk_id gid;

	join_tree(p, 3);
	hold_confirmations(p, &losses);
	m = confirmation_of(p, 2, pair_num(p));
	assert_int_equal(m->peer.port, 5686);
	assert_int_equal(gk_coap_parse(m->bytes, &coap), GK_OK);
	assert_int_equal(coap.code, GK_COAP_CHANGED);
	assert_int_equal(gk_confirmation_read(coap.payload, &c), GK_OK);
	gid = pair_group(p).gid;
	assert_true(gk_span_equal(c.gid, gk_id_span(&gid)));
	assert_int_equal(c.slot, 2);
	assert_true(m->bytes.len - 1 + 4 <= CONFIRM_LEN);
}

static void a_confirmation_counts_once(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };

	join_tree(p, 4);
	hold_confirmations(p, &losses);
	for (int i = 0; i < 3; i++) {
		give(p, confirmation_of(p, 1, pair_num(p))->bytes);
		assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
		assert_int_equal(pair_group(p).presumed, 3);
		assert_int_equal(took(p).confirmed, 1);
	}
	assert_int_equal(pair_group(p).confirmations_refused, 0);
}

static void a_lost_confirmation_costs_a_copy_or_a_message_of_its_own(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .mute = 1 << 1 };
	size_t from;

	join_tree(p, 4);
	lose(p, &losses);
	rekey(p);
	for (int i = 0; i < 100 && count_copies(p, 0, pair_num(p)) < 2; i++)
		pair_advance(p, 50);
	losses.mute = 0; // the second one, which the second copy calls for, arrives
	settle(p);
	assert_int_equal(took(p).confirmed, 4);
	assert_int_equal(took(p).unicast, 0);

	losses.mute = 1 << 1;
	from = p->log_count;
	rekey(p);
	settle(p);
	assert_int_equal(count_unicast(p, from, 1), 1);
	assert_int_equal(count_unicast(p, from, ANYONE), 1);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
	assert_int_equal(took(p).confirmed, 3);
	assert_int_equal(took(p).unicast, 1);
	assert_true(pair_agree(p, 0, 3));
}

static void a_late_confirmation_ends_what_is_under_way(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .mute = 1 << 1, .alone = 1 << 1 };
	size_t from;

	join_tree(p, 3);
	lose(p, &losses);
	from = p->log_count;
	rekey(p);
	pair_advance(p, 10000);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_UNICAST);
	give(p, confirmation_of(p, 1, pair_num(p))->bytes);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
	assert_int_equal(p->kdc->groups->lanes[GK_LANE_AWAKE].flying, 0);
	assert_int_equal(p->kdc->groups->waiting, 0);
	pair_advance(p, 120000);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 0);
	assert_true(count_unicast(p, from, ANYONE) <= 2);
}

static void a_forged_confirmation_confirms_nothing(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };
	struct gk_span right;
	uint64_t refused = 0;
	uint8_t bytes[64];

	join_tree(p, 3);
	hold_confirmations(p, &losses);
	right = confirmation_of(p, 1, pair_num(p))->bytes;
	assert_true(right.len < sizeof(bytes));
	for (size_t at = 0; at < right.len; at++) {
		for (int k = 0; k < 8; k++) {
			memcpy(bytes, right.data, right.len);
			bytes[at] ^= (uint8_t)(1 << k);
			give(p, gk_span(bytes, right.len));
		}
		give(p, gk_span(bytes, at));
	}
	refused = pair_group(p).confirmations_refused;
	assert_true(refused >= 8 * 8); // each bit of the MAC
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(delivery(p, i), GK_DELIVERY_MULTICAST);
	give(p, right);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_group(p).confirmations_refused, refused);
}

/* A confirmation with some of its parts from elsewhere. */
static void give_mixed(struct pair *p, struct gk_span gid, uint16_t slot, struct gk_span mac)
{
	struct gk_confirmation c = { gid, slot, mac };
	uint8_t bytes[64], payload_bytes[64];
	struct gk_buf payload = gk_buf(payload_bytes, sizeof(payload_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_CHANGED);

	gk_confirmation_put(&payload, &c);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	give(p, gk_buf_span(&buf));
}

static struct gk_confirmation read_confirmation(const struct pair_message *m)
{
	struct gk_confirmation c;
	struct gk_coap coap;

	assert_int_equal(gk_coap_parse(m->bytes, &coap), GK_OK);
	assert_int_equal(gk_confirmation_read(coap.payload, &c), GK_OK);
	return c;
}

static void a_confirmation_fits_one_version_and_one_slot(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };
	struct gk_confirmation mine, other, old;
	const struct pair_message *replayed;

	join_tree(p, 3);
	hold_confirmations(p, &losses);
	replayed = confirmation_of(p, 1, pair_num(p));
	old = read_confirmation(replayed);
	rekey(p);
	pair_advance(p, newest_cast(p).leisure_ms);
	mine = read_confirmation(confirmation_of(p, 1, pair_num(p)));
	other = read_confirmation(confirmation_of(p, 2, pair_num(p)));

	give(p, replayed->bytes);                    // of the version before
	give_mixed(p, mine.gid, mine.slot, old.mac); // ... under the new Gid
	give_mixed(p, old.gid, mine.slot, mine.mac);
	give_mixed(p, mine.gid, mine.slot, other.mac); // another member's
	give_mixed(p, mine.gid, other.slot, mine.mac);
	give_mixed(p, mine.gid, 3, mine.mac);     // a slot that nobody has
	give_mixed(p, mine.gid, 60000, mine.mac); // ... or can have
	assert_int_equal(pair_group(p).confirmations_refused, 7);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(delivery(p, i), GK_DELIVERY_MULTICAST);
	give_mixed(p, gk_span("nobody", 6), mine.slot, mine.mac); // of no group of ours
	assert_int_equal(pair_group(p).confirmations_refused, 7);
	give_mixed(p, mine.gid, mine.slot, mine.mac);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_group(p).confirmations_refused, 7);
}

static void a_confirmation_of_one_who_left_is_nothing(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };
	const struct pair_message *m;

	join_tree(p, 3);
	hold_confirmations(p, &losses);
	m = confirmation_of(p, 1, pair_num(p));
	assert_int_equal(
		gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node1"), p->now),
		GK_OK);
	pair_drain_kdc(p, GK_OK);
	give(p, m->bytes);
	assert_int_equal(pair_group(p).confirmations_refused, 1);
	settle(p);
	give(p, m->bytes);
	assert_int_equal(pair_group(p).confirmations_refused, 2);
}

static void a_confirmation_is_a_sign_of_life_in_all_groups(void **state)
{
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	join_tree(p, 3);
	assert_int_equal(pair_join(p, 1, "heat", 6), GK_OK);
	pair_run(p);
	for (int i = 0; i < 10; i++) { // whoever is silent for five minutes is asked
		rekey(p);
		pair_advance(p, 200000);
	}
	assert_int_equal(p->probes, 0);
	pair_advance(p, 200000);
	assert_int_equal(p->probes, 4);
}

/* implicit, none, auto */

/* Two clients by hand beside a member that hears. */
static void join_raws(struct pair *p, struct pair_raw *raw, size_t count)
{
	for (unsigned i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
		raw[i].tree = true;
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	}
	settle(p);
}

static void show_num(struct pair_raw *raw, int64_t num)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	char query[32];

	snprintf(query, sizeof(query), "num=%lld", (long long)num);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS "/num"));
	gk_coap_put(&w, GK_OPT_URI_QUERY, gk_span_str(query));
	assert_int_equal(pair_raw_ask_message(raw, gk_buf_span(&buf)), GK_COAP_CONTENT);
}

/* 2.05 with { num } to the newest probe. */
static void answer_probe(struct pair_raw *raw, int64_t num)
{
	const struct pair_message *m = pair_raw_asked(raw);
	uint8_t bytes[32], payload_bytes[16];
	struct gk_buf payload = gk_buf(payload_bytes, sizeof(payload_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_CONTENT);

	assert_non_null(m);
	assert_int_equal(m->plain.data[0], GK_COAP_GET);
	gk_put_map(&payload, 1);
	gk_put_int(&payload, GK_PARAM_NUM);
	gk_put_int(&payload, num);
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	pair_raw_reply_with(raw, m, gk_buf_span(&buf));
}

/* Have the KDC ask a client whether it is there. */
static void provoke_probe(struct pair *p, const struct pair_raw *raw)
{
	pair_drain_kdc(p,
		       gk_kdc_reach(p->kdc, &(struct gk_reach_report){ raw->addr, GK_REACH_FAILED },
				    1, p->now));
	assert_non_null(pair_raw_asked(raw));
}

static void implicit_confirmation_puts_nothing_on_the_wire(void **state)
{
	static struct pair_raw raw[4];
	struct pair *p = *state;
	size_t from, confirmations;

	set_confirm(p, GK_CONFIRM_IMPLICIT);
	join_raws(p, raw, ROWS(raw));
	join_tree(p, 3);
	from = p->log_count;
	confirmations = pair_count(p, PAIR_CONFIRM, ANYONE, ANYONE);
	rekey(p);
	assert_int_equal(newest_cast(p).leisure_ms, 0);
	assert_int_equal(took(p).duration_ms, 0);
	pair_advance(p, 200000);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_count(p, PAIR_CONFIRM, ANYONE, ANYONE), confirmations);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_int_equal(count_copies(p, 0, pair_num(p)), 2);
	assert_int_equal(pair_group(p).presumed, 7);
	assert_int_equal(pair_group(p).confirmed, 0);
	assert_int_equal(took(p).confirmed, 0);
}

static void a_new_num_that_is_shown_confirms(void **state)
{
	static struct pair_raw raw[3];
	struct pair *p = *state;
	size_t from;

	set_confirm(p, GK_CONFIRM_IMPLICIT);
	join_raws(p, raw, ROWS(raw));
	join_tree(p, 1);
	rekey(p);
	settle(p);
	from = p->log_count;
	show_num(&raw[0], pair_num(p));
	provoke_probe(p, &raw[1]);
	answer_probe(&raw[1], pair_num(p));
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_MULTICAST);
	pair_raw_get(&raw[2], GK_COAP_GET, "*");
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_PULL);
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(shown_by_name(p, "raw2").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(shown_by_name(p, "raw3").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(delivery(p, 0), GK_DELIVERY_MULTICAST);
	assert_int_equal(took(p).confirmed, 2);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
}

static void an_old_num_at_a_probe_brings_a_message_of_its_own(void **state)
{
	static const enum gk_confirm confirms[] = { GK_CONFIRM_IMPLICIT, GK_CONFIRM_NONE };

	for (size_t i = 0; i < ROWS(confirms); i++) {
		static struct pair_raw raw[2];
		struct pair *p = *state;
		size_t from;

		set_confirm(p, confirms[i]);
		join_raws(p, raw, ROWS(raw));
		rekey(p);
		settle(p);
		from = p->log_count;
		// it asks, so it knows; what it needs it will ask for
		show_num(&raw[0], pair_num(p) - 1);
		assert_int_equal(count_unicast(p, from, ANYONE), 0);
		assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_MULTICAST);
		provoke_probe(p, &raw[1]);
		answer_probe(&raw[1], pair_num(p) + 1); // nobody has that
		assert_int_equal(count_unicast(p, from, ANYONE), 0);
		provoke_probe(p, &raw[1]);
		answer_probe(&raw[1], pair_num(p) - 1);
		assert_int_equal(count_unicast(p, from, ANYONE), i == 0);
		assert_int_equal(shown_by_name(p, "raw2").delivery,
				 i == 0 ? GK_DELIVERY_UNICAST : GK_DELIVERY_MULTICAST);
		if (i == 0) {
			pair_raw_reply(&raw[1], pair_raw_asked(&raw[1]), GK_COAP_CHANGED);
			assert_int_equal(shown_by_name(p, "raw2").delivery, GK_DELIVERY_CONFIRMED);
			assert_int_equal(took(p).unicast, 1);
		}
		reopen(state);
	}
}

static void an_old_num_is_no_hurry_while_confirmations_come(void **state)
{
	static struct pair_raw raw[2];
	struct pair *p = *state;
	size_t from;

	join_raws(p, raw, ROWS(raw));
	show_num(&raw[0], pair_num(p));
	show_num(&raw[1], pair_num(p));
	from = p->log_count;
	rekey(p);
	provoke_probe(p, &raw[1]);
	answer_probe(&raw[1], pair_num(p) - 1); // the message may be on its way
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_int_equal(shown_by_name(p, "raw2").delivery, GK_DELIVERY_MULTICAST);
}

static void a_num_that_no_probe_asked_for_or_nobody_has_shows_nothing(void **state)
{
	static const char *const queries[] = {
		"num=",
		"num",
		"num=x",
		"num=-1",
		"num=3x",
		"num= 3",
		"num=<", // twelve, if it were a digit
		"num=999",
		"numb=3",
		"num=4294967299",           // three, in 32 bits
		"num=18446744073709551619", // ... in 64
	};
	static struct pair_raw raw[2];
	struct pair *p = *state;

	set_confirm(p, GK_CONFIRM_IMPLICIT);
	join_raws(p, raw, ROWS(raw));
	rekey(p);
	assert_int_equal(pair_num(p), 3);
	for (size_t i = 0; i < 2 * ROWS(queries); i++) {
		uint8_t bytes[128];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

		while (i == ROWS(queries) && pair_num(p) < 12)
			rekey(p);
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS "/num"));
		gk_coap_put(&w, GK_OPT_URI_QUERY, gk_span_str(queries[i % ROWS(queries)]));
		assert_int_equal(pair_raw_ask_message(&raw[0], gk_buf_span(&buf)), GK_COAP_CONTENT);
		assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_MULTICAST);
	}
	// the answer to a rekeying message says nothing of this kind
	provoke_probe(p, &raw[0]);
	pair_raw_reply(&raw[0], pair_raw_asked(&raw[0]), GK_COAP_CHANGED);
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_MULTICAST);
}

static void a_num_shown_by_a_parked_member_needs_no_message(void **state)
{
	static struct pair_raw raw[2];
	struct pair *p = *state;
	size_t from;

	join_raws(p, raw, ROWS(raw));
	rekey(p);
	pair_advance(p, 120000);
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_PARKED);
	for (int i = 0; i < 600 && !pair_raw_asked(&raw[0]); i++)
		pair_advance(p, 1000);
	from = p->log_count;
	answer_probe(&raw[0], pair_num(p));
	assert_int_equal(shown_by_name(p, "raw1").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	show_num(&raw[1], pair_num(p));
	assert_int_equal(shown_by_name(p, "raw2").delivery, GK_DELIVERY_CONFIRMED);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	// they were sent messages of their own, so who knows by which they have it
	assert_int_equal(took(p).confirmed, 0);
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_UNICAST);
}

static void auto_is_all_up_to_sixty_four_members(void **state)
{
	static struct pair_raw raw[65];
	struct pair *p = *state;
	size_t from;

	pair_add(p, 6); // that hears what is sent
	set_confirm(p, GK_CONFIRM_AUTO);
	join_raws(p, raw, 64);
	for (size_t i = 0; i < 64; i++) // none is behind, and told by unicast
		show_num(&raw[i], pair_num(p));
	rekey(p);
	assert_true(newest_cast(p).leisure_ms > 0);
	assert_int_equal(took(p).duration_ms, -1);
	pair_raw_open(&raw[64], p, 65, "raw65", NULL, &all, 1);
	raw[64].tree = true;
	assert_int_equal(pair_raw_join(&raw[64], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(newest_cast(p).leisure_ms, 0);
	from = p->log_count;
	settle(p); // and nobody waits for confirmations of the version before
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	// those of the tree count, and no others
	pair_raw_get(&raw[64], GK_COAP_DELETE, "*");
	raw[64].tree = false;
	assert_int_equal(pair_raw_join(&raw[64], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_true(newest_cast(p).leisure_ms > 0);
}

/* the link's budget */

#define BPS 8000 /* a thousand bytes a second */

static void set_budget(struct pair *p, uint32_t bps)
{
	p->rekeying_bps = bps;
	pair_restart(p);
}

/* It answers each message with an error, and is heard of at once, for as long as it likes. */
static void who_answers_with_errors_takes_nothing_from_others(void **state)
{
	static const char *const first[] = { "first" };
	static struct pair_raw hostile;
	struct pair *p = *state;
	struct gk_group_config config = pair_config("first");
	const struct pair_message *message;
	struct losses losses = { .deaf = 1 << 0 };
	unsigned answered = 0;
	size_t from;

	// in a group that comes before the others'
	p->config[1] = p->config[0];
	p->config[0] = config;
	p->group_count = 2;
	set_budget(p, BPS);
	join_tree(p, 2);
	pair_raw_open(&hostile, p, 9, "hostile", first, &all, 1);
	assert_int_equal(pair_raw_join(&hostile, "first", 6, true), GK_COAP_CREATED);
	settle(p);
	lose(p, &losses);
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str("first"), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	from = p->log_count;
	for (int ms = 0; ms < 60000; ms += 10) {
		message = pair_raw_asked(&hostile);
		if (message) {
			answered++;
			pair_raw_reply(&hostile, message, GK_COAP_NOT_FOUND);
			pair_raw_get(&hostile, GK_COAP_GET, "num");
		}
		if (ms == 20000)
			rekey(p);
		pair_advance(p, 10);
	}
	assert_in_range(answered, 2, 60 / 4);
	assert_true(count_unicast(p, from, 0) > 0);
	assert_true(pair_agree(p, 0, 1));
}

static void groups_take_turns_in_using_the_budget(void **state)
{
	struct pair *p = *state;
	struct gk_group_config second = pair_config("second");
	const struct gk_group *first_pumped;

	assert_int_equal(pair_serve(p, &second), GK_OK);
	gk_timer_set(&p->kdc->timers, &p->kdc->budget_timer, p->now.mono.ms);
	pair_advance(p, 1);
	first_pumped = p->kdc->pumped;
	gk_timer_set(&p->kdc->timers, &p->kdc->budget_timer, p->now.mono.ms);
	pair_advance(p, 1);
	assert_ptr_not_equal(p->kdc->pumped, first_pumped);
	gk_timer_set(&p->kdc->timers, &p->kdc->budget_timer, p->now.mono.ms);
	pair_advance(p, 1);
	assert_ptr_equal(p->kdc->pumped, first_pumped);
}

/* Faster than confirmations are waited for. */
static void rekeyings_in_short_order_do_not_leave_out_the_deaf(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1 };
	int64_t behind_ms = 0, longest_ms = 0;

	join_tree(p, 3);
	lose(p, &losses);
	for (int round = 0; round < 100; round++) {
		rekey(p);
		pair_advance(p, 1000);
		behind_ms = pair_info(p, 1).num == pair_num(p) ? 0 : behind_ms + 1000;
		longest_ms = behind_ms > longest_ms ? behind_ms : longest_ms;
	}
	assert_in_range(longest_ms, 1000, 15000);
	assert_true(pair_agree(p, 2, 2));
}

static void confirmations_are_charged_as_often_as_they_are_called_for(void **state)
{
	struct pair *p = *state;
	const struct pair_message *confirmation;
	int64_t level;

	set_budget(p, BPS);
	join_tree(p, 2);
	rekey(p);
	settle(p);
	confirmation = pair_newest(p, PAIR_CONFIRM, ANYONE, PAIR_KDC);
	assert_non_null(confirmation);
	// What has come in since the last message, which is a matter of random times, is no charge.
	gk_budget_charge(&p->kdc->budget, 0, p->now.mono.ms);
	level = p->kdc->budget.level;
	for (int i = 0; i < 100; i++)
		assert_int_equal(gk_kdc_confirmed(p->kdc, confirmation->bytes, p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_in_range(level - p->kdc->budget.level, 1,
			1000 * 3 * (int64_t)gk_air_of(CONFIRM_LEN).bytes);
}

static void leisure_is_what_all_confirmations_take(void **state)
{
	static const struct {
		uint32_t bps;
		size_t raws;
		uint32_t bytes_per_s;
	} rows[] = {
		{ 8000, 20, 1000 }, // plenty of members for so slow a link
		{ 250000, 30, 31250 },
		{ 0, 40, 7812 },   // no limit: as if it were a quarter of 250 kbit/s
		{ 1000000, 2, 0 }, // not below half a second
		{ 8, 10, 1 },      // nor above ten minutes
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		static struct pair_raw raw[40];
		struct pair *p = *state;
		uint64_t want = 500;

		set_budget(p, rows[i].bps);
		pair_add(p, 6);
		for (unsigned k = 0; k < rows[i].raws; k++) {
			char name[16];

			snprintf(name, sizeof(name), "raw%u", k + 1);
			pair_raw_open(&raw[k], p, k + 1, name, NULL, &all, 1);
			raw[k].tree = true;
			assert_int_equal(pair_raw_join(&raw[k], PAIR_LIGHTS, 6, false),
					 GK_COAP_CREATED);
		}
		rekey(p);
		if (rows[i].bytes_per_s)
			want = rows[i].raws * gk_air_of(CONFIRM_LEN).bytes * 1000 /
			       rows[i].bytes_per_s;
		if (want > 600000)
			want = 600000;
		assert_int_equal(newest_cast(p).leisure_ms, want < 500 ? 500 : want);
		reopen(state);
	}
}

static void the_first_copy_goes_out_at_once_even_in_debt(void **state)
{
	static struct pair_raw raw[20];
	struct pair *p = *state;
	int64_t rekeyed_ms, copy_ms[2] = { 0 }, unicast_ms = 0;
	struct gk_rekeying message;
	size_t from, copies = 0;

	p->rekeying_bps = BPS;
	set_confirm(p, GK_CONFIRM_NONE); // or there might be no second copy
	join_tree(p, 4);
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	}
	settle(p);
	p->kdc->budget.level = -10000 * 1000; // ten seconds' worth
	p->kdc->budget.filled_ms = p->now.mono.ms;
	from = p->log_count;
	rekey(p);
	rekeyed_ms = p->now.mono.ms;
	pair_advance(p, 25000);
	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		if (is_copy(m, 0, GK_REKEYING, &message) && copies < 2)
			copy_ms[copies++] = m->sent_ms;
		if (is_unicast(m) && !unicast_ms)
			unicast_ms = m->sent_ms;
	}
	assert_int_equal(copy_ms[0], rekeyed_ms);
	assert_true(unicast_ms >= rekeyed_ms + 10000);
	assert_true(copy_ms[1] >= rekeyed_ms + 10000);
	assert_true(pair_agree(p, 0, 3));
}

/* What a message of the KDC and what it calls for take of the link, as gk_air_of() has it. */
static size_t air_of(const struct pair_message *m)
{
	struct gk_rekeying message;

	if (is_unicast(m))
		return gk_air_of(m->bytes.len + 3).bytes + gk_air_of(ANSWER_LEN).bytes;
	if (m->to == 0 && pair_read_cast(m, &message))
		return gk_air_of(m->bytes.len + 3).bytes;
	return m->kind == PAIR_CONFIRM ? gk_air_of(m->bytes.len + 3).bytes : 0;
}

static void rekeying_takes_its_share_of_the_link_and_no_more(void **state)
{
	static struct pair_raw raw[30];
	struct pair *p = *state;
	int64_t start_ms;
	uint64_t bytes = 0, seconds = 0;
	size_t from, served = 0;

	set_budget(p, BPS);
	join_tree(p, 5);
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		pair_raw_open(&raw[i], p, i + 1, name, NULL, &all, 1);
		assert_int_equal(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	}
	pair_advance(p, 60000);
	from = p->log_count;
	start_ms = p->now.mono.ms;
	for (int i = 0; i < 60; i++) { // more than the link has room for
		rekey(p);
		for (int k = 0; k < 50; k++) {
			pair_advance(p, 100);
			for (size_t r = 0; r < ROWS(raw); r++) {
				const struct pair_message *m = pair_raw_asked(&raw[r]);

				if (m && is_unicast(m))
					pair_raw_reply(&raw[r], m, GK_COAP_CHANGED);
			}
		}
	}
	for (size_t i = from; i < p->log_count; i++) {
		bytes += air_of(p->log[i]);
		served += is_unicast(p->log[i]);
		seconds = (uint64_t)(p->log[i]->sent_ms - start_ms) / 1000;
		assert_true(bytes <= 1000 * (seconds + 1 + GK_BUDGET_BURST_S) + 2500);
	}
	assert_true(bytes >= 900 * seconds); // nor is it wasted
	assert_true(served > 300);
}

static void replayed_confirmations_do_not_empty_the_account(void **state)
{
	struct pair *p = *state;
	struct losses losses = { 0 };
	int64_t level;

	set_budget(p, 80000);
	join_tree(p, 3);
	for (int turn = 0; turn < 2; turn++) {
		hold_confirmations(p, &losses);
		(void)gk_budget_ready_ms(&p->kdc->budget, p->now.mono.ms); // as of now
		level = p->kdc->budget.level;
		for (int i = 0; i < 50; i++)
			give(p, confirmation_of(p, 1, pair_num(p))->bytes);
		// one for each copy, and one more
		assert_int_equal(level - p->kdc->budget.level,
				 3 * 1000 * gk_air_of(CONFIRM_LEN).bytes);
	}
}

static void parts_wait_for_their_share_in_order(void **state)
{
	static struct pair_raw raw[64];
	struct pair *p = *state;
	struct gk_rekeying message;
	unsigned want = 0;
	size_t from;

	set_confirm(p, GK_CONFIRM_IMPLICIT);
	pair_add(p, 6);
	join_raws(p, raw, ROWS(raw));
	set_budget(p, BPS / 4);
	pair_advance(p, 60000);
	for (unsigned i = 0; i < ROWS(raw); i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		assert_int_equal(
			gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now),
			GK_OK);
	}
	pair_drain_kdc(p, GK_OK);
	from = p->log_count;
	pair_advance(p, 200000);
	for (size_t i = from; i < p->log_count; i++) {
		if (!is_copy(p->log[i], 0, GK_REKEYING, &message))
			continue;
		assert_true(message.last_part > 0);
		assert_int_equal(message.part, want);
		want = want == message.last_part ? 0 : want + 1;
	}
	assert_int_equal(want, 0);
	assert_int_equal(count_copies(p, 0, pair_num(p)), 2u * (message.last_part + 1u));
}

static void a_version_does_not_wait_for_the_parts_of_the_one_before(void **state)
{
	static struct pair_raw raw[64];
	struct pair *p = *state;
	struct gk_rekeying message;
	size_t from, parts = 0, before = 0;
	int64_t at_ms, sent_ms = -1;

	set_confirm(p, GK_CONFIRM_NONE);
	join_raws(p, raw, ROWS(raw));
	join_tree(p, 3);
	set_budget(p, BPS / 4);
	pair_advance(p, 60000);
	for (unsigned i = 0; i < ROWS(raw); i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		assert_int_equal(
			gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now),
			GK_OK);
	}
	pair_drain_kdc(p, GK_OK);
	from = p->log_count;
	pair_advance(p, 600);
	at_ms = p->now.mono.ms;
	rekey(p);
	pair_advance(p, 200000);
	for (size_t i = from; i < p->log_count; i++) {
		if (!is_copy(p->log[i], 0, GK_REKEYING, &message))
			continue;
		if (message.num != pair_num(p))
			parts = message.last_part + 1u;
		else if (sent_ms < 0)
			sent_ms = p->log[i]->sent_ms;
		before += sent_ms < 0;
	}
	assert_int_equal(sent_ms, at_ms);
	assert_true(before < parts); // the others came later, and were of use still
	assert_true(parts > 2);
	assert_true(pair_agree(p, 0, 2));
}

/* a link that was down */

static void what_was_said_while_the_link_was_down_is_said_again(void **state)
{
	static const enum gk_confirm confirms[] = { GK_CONFIRM_ALL, GK_CONFIRM_IMPLICIT,
						    GK_CONFIRM_NONE };

	for (size_t i = 0; i < ROWS(confirms); i++) {
		struct pair *p = *state;
		int64_t num;

		set_confirm(p, confirms[i]);
		join_tree(p, 4);
		num = pair_num(p);
		for (size_t k = 0; k < 4; k++)
			p->node[k].cut = true;
		pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_LINK_DOWN, p->now));
		rekey(p);
		pair_advance(p, 200000);
		for (size_t k = 0; k < 4; k++)
			p->node[k].cut = false;
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(pair_info(p, k).num, num);
		pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_NOT, p->now));
		pair_run(p);
		assert_true(pair_agree(p, 0, 3));
		assert_int_equal(count_copies(p, 0, pair_num(p)), i ? 3 : 2);
		reopen(state);
	}
}

/* the beacon */

static size_t beacons_since(const struct pair *p, size_t from, int64_t *at, size_t max)
{
	struct gk_rekeying message;
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++) {
		if (!is_copy(p->log[i], 0, GK_REKEYING_BEACON, &message))
			continue;
		assert_int_equal(message.num, pair_num(p));
		if (count < max)
			at[count] = p->log[i]->sent_ms;
		count++;
	}
	return count;
}

static void set_beacon(struct pair *p, uint32_t min_s, uint32_t max_s)
{
	p->config[0].rekey.beacon_min_s = min_s;
	p->config[0].rekey.beacon_max_s = max_s;
	pair_restart(p);
}

/* Trickle: once in the second half of each interval, of 2, 4, 8, 10, 10 ... seconds. */
static void assert_trickles(const struct pair *p, size_t from, int64_t start_ms, size_t count)
{
	static const int64_t lengths_ms[] = { 2000, 4000, 8000, 10000, 10000, 10000, 10000 };
	int64_t at[ROWS(lengths_ms)];

	assert_true(beacons_since(p, from, at, ROWS(at)) >= count);
	for (size_t i = 0; i < count; i++) {
		assert_in_range(at[i] - start_ms, lengths_ms[i] / 2, lengths_ms[i]);
		start_ms += lengths_ms[i];
	}
}

static void the_beacon_trickles_from_min_to_max_and_begins_anew_with_a_rekeying(void **state)
{
	struct pair *p = *state;
	size_t from;

	set_beacon(p, 2, 10);
	join_tree(p, 2);
	for (int i = 0; i < 3; i++) {
		int64_t start_ms = p->now.mono.ms;

		from = p->log_count;
		rekey(p);
		pair_advance(p, i ? 9000 : 55000);
		assert_trickles(p, from, start_ms, i ? 2 : 7);
	}
	pair_restart(p);
	from = p->log_count;
	pair_advance(p, 20000);
	assert_trickles(p, from, p->now.mono.ms - 20000, 3);
	// beacons call for no confirmation, and nobody acts on one that tells nothing new
	assert_int_equal(took(p).datagrams, 0);
	assert_true(pair_agree(p, 0, 1));
}

static void there_is_no_beacon_without_members_in_the_tree_or_by_default(void **state)
{
	struct pair *p = *state;
	int64_t at[1];
	size_t from;

	join_tree(p, 2);
	pair_advance(p, 100000);
	assert_int_equal(beacons_since(p, 0, at, 0), 0);
	set_beacon(p, 2, 10);
	pair_advance(p, 20000);
	assert_true(beacons_since(p, 0, at, 0) > 0);
	p->config[0].coalesce_ms = 60000; // not even while a rekeying is to come
	pair_restart(p);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pair_leave(p, i, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	from = p->log_count;
	pair_advance(p, 200000);
	assert_int_equal(pair_group(p).members, 0);
	assert_int_equal(beacons_since(p, from, at, 0), 0);
}

static void who_lost_everything_recovers_by_the_beacon(void **state)
{
	struct pair *p = *state;
	struct losses losses = { .deaf = 1 << 1, .alone = 1 << 1 };
	int64_t num;

	set_confirm(p, GK_CONFIRM_NONE);
	set_beacon(p, 4, 600);
	join_tree(p, 3);
	num = pair_num(p);
	lose(p, &losses);
	rekey(p);
	pair_advance(p, 1900);
	assert_int_equal(pair_info(p, 1).num, num);
	pair_advance(p, 2100 + 2000 + 100); // the beacon, and jitter
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_note(p, 1, GK_NOTE_RECOVERED)->num, num + 1);
	losses.deaf = 0;
	rekey(p);
	settle(p);
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
}

/* Others may send at the same time, for the same reason. */
static void copies_and_beacons_come_at_random_times(void **state)
{
	struct pair *p = *state;
	int64_t gap[8] = { 0 }, pause[8] = { 0 };
	size_t gaps = 0, pauses = 0;

	set_confirm(p, GK_CONFIRM_NONE);
	set_beacon(p, 4, 4);
	join_tree(p, 2);
	for (size_t k = 0; k < ROWS(gap); k++) {
		struct gk_rekeying message;
		int64_t sent_ms = -1, begun_ms = p->now.mono.ms;
		size_t from = p->log_count;

		rekey(p);
		pair_advance(p, 4000);
		for (size_t i = from; i < p->log_count; i++) {
			if (is_copy(p->log[i], 0, GK_REKEYING_BEACON, &message) && !pause[k])
				pause[k] = p->log[i]->sent_ms - begun_ms;
			if (!is_copy(p->log[i], 0, GK_REKEYING, &message) ||
			    message.num != pair_num(p))
				continue;
			gap[k] = p->log[i]->sent_ms - sent_ms;
			sent_ms = p->log[i]->sent_ms;
		}
		assert_in_range(gap[k], REPEAT_MS / 2, REPEAT_MS * 3 / 2);
		assert_in_range(pause[k], 2000, 4000);
		gaps += k && gap[k] != gap[0];
		pauses += k && pause[k] != pause[0];
	}
	assert_true(gaps > 0);
	assert_true(pauses > 0);
}

static void beacons_come_in_debt_too(void **state)
{
	struct pair *p = *state;
	size_t from;
	int64_t at[1];

	set_budget(p, BPS);
	set_beacon(p, 2, 10);
	join_tree(p, 2);
	from = p->log_count;
	for (int second = 0; second < 21; second++) {
		p->kdc->budget.level = -60000 * 1000;
		p->kdc->budget.filled_ms = p->now.mono.ms;
		pair_advance(p, 1000);
	}
	assert_true(beacons_since(p, from, at, 0) > 0);
}

/* several rekeyings in a row */

static void first_copies_come_in_the_order_of_num_and_casts_are_few(void **state)
{
	struct pair *p = *state;
	struct gk_rekeying message;
	bool seen[64] = { false };
	uint32_t newest = 0;
	int64_t first;

	set_confirm(p, GK_CONFIRM_NONE);
	join_tree(p, 4);
	first = pair_num(p);
	for (int i = 0; i < 10; i++) {
		rekey(p);
		assert_true(p->kdc->groups->cast_count <= GK_CASTS_MAX);
		pair_advance(p, 10);
	}
	settle(p);
	assert_int_equal(p->kdc->groups->cast_count, 1); // for a link that comes back
	assert_int_equal(p->kdc->groups->casts[0].copies, 0);
	assert_true(pair_agree(p, 0, 3));
	for (size_t i = 0; i < p->log_count; i++) {
		if (!is_copy(p->log[i], 0, GK_REKEYING, &message))
			continue;
		assert_true(message.num > newest || seen[message.num]);
		newest = message.num > newest ? message.num : newest;
		seen[message.num] = true;
	}
	assert_int_equal(newest, first + 10);
	for (int64_t num = first + 1; num <= first + 10; num++)
		assert_int_equal(count_copies(p, 0, num), num > first + 6 ? 2 : 1);
}

static void who_missed_a_version_gets_on_by_copies_or_asks(void **state)
{
	for (int64_t gap_ms = 0; gap_ms < 2000; gap_ms += 250) {
		struct pair *p = *state;
		struct losses losses = { .deaf = 1 << 1 };

		join_tree(p, 4);
		lose(p, &losses);
		losses.first_of = (uint32_t)pair_num(p) + 1;
		rekey(p);
		pair_run(p);
		assert_int_equal(pair_info(p, 1).num, losses.first_of - 1);
		pair_advance(p, gap_ms);
		rekey(p);
		pair_run(p);
		assert_true(pair_agree(p, 0, 0) && pair_agree(p, 2, 3));
		pair_advance(p, 20000);
		assert_true(pair_agree(p, 0, 3));
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(delivery(p, i), GK_DELIVERY_CONFIRMED);
		reopen(state);
	}
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(who_is_deaf_is_told_by_unicast_and_delays_nobody),
		RULE(one_message_at_a_time_to_each),
		RULE(rekeyings_in_a_row_do_not_put_unicast_off_for_ever),
		RULE(the_leisure_of_the_last_copy_is_waited_for),
		RULE(a_copy_that_is_still_to_come_is_waited_for),
		RULE(who_answers_nothing_is_parked_and_recovers_when_it_wakes),
		RULE(a_parked_member_is_counted_once_however_often_it_wakes),
		RULE(a_member_without_control_uri_is_waited_for_and_then_has_to_ask),
		RULE(the_end_of_a_rekeying_is_when_the_last_is_served),
		RULE(the_count_of_those_waited_for_survives_a_change_of_confirmation),
		RULE(a_confirmation_goes_to_the_port_of_the_group_and_shows_its_form),
		RULE(a_confirmation_counts_once),
		RULE(a_lost_confirmation_costs_a_copy_or_a_message_of_its_own),
		RULE(a_late_confirmation_ends_what_is_under_way),
		RULE(a_forged_confirmation_confirms_nothing),
		RULE(a_confirmation_fits_one_version_and_one_slot),
		RULE(a_confirmation_of_one_who_left_is_nothing),
		RULE(a_confirmation_is_a_sign_of_life_in_all_groups),
		RULE(implicit_confirmation_puts_nothing_on_the_wire),
		RULE(a_new_num_that_is_shown_confirms),
		RULE(an_old_num_at_a_probe_brings_a_message_of_its_own),
		RULE(an_old_num_is_no_hurry_while_confirmations_come),
		RULE(a_num_that_no_probe_asked_for_or_nobody_has_shows_nothing),
		RULE(a_num_shown_by_a_parked_member_needs_no_message),
		RULE(auto_is_all_up_to_sixty_four_members),
		RULE(leisure_is_what_all_confirmations_take),
		RULE(the_first_copy_goes_out_at_once_even_in_debt),
		RULE(rekeying_takes_its_share_of_the_link_and_no_more),
		RULE(replayed_confirmations_do_not_empty_the_account),
		RULE(parts_wait_for_their_share_in_order),
		RULE(a_version_does_not_wait_for_the_parts_of_the_one_before),
		RULE(what_was_said_while_the_link_was_down_is_said_again),
		RULE(the_beacon_trickles_from_min_to_max_and_begins_anew_with_a_rekeying),
		RULE(there_is_no_beacon_without_members_in_the_tree_or_by_default),
		RULE(who_lost_everything_recovers_by_the_beacon),
		RULE(beacons_come_in_debt_too),
		RULE(who_answers_with_errors_takes_nothing_from_others),
		RULE(groups_take_turns_in_using_the_budget),
		RULE(copies_and_beacons_come_at_random_times),
		RULE(rekeyings_in_short_order_do_not_leave_out_the_deaf),
		RULE(confirmations_are_charged_as_often_as_they_are_called_for),
		RULE(first_copies_come_in_the_order_of_num_and_casts_are_few),
		RULE(who_missed_a_version_gets_on_by_copies_or_asks),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
