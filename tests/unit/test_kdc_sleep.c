// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Sleepy members: who is one, that it outlives a restart, and that no rekeying waits for them but
// they have what it brought once they are awake.

#include "libgroupkey/cwt.h"
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
#define YES         "f5"
#define NO          "f4"

static const uint32_t all = GK_ROLE_ALL;

static struct pair pair;

static int open_pair(void **state, struct gk_group_config config)
{
	pair_open(&pair, 31);
	*state = &pair;
	return pair_serve(&pair, &config) == GK_OK ? 0 : 1;
}

static int open_tree(void **state)
{
	return open_pair(state, pair_tree_config(PAIR_LIGHTS));
}

static int open_unicast(void **state)
{
	return open_pair(state, pair_config(PAIR_LIGHTS));
}

static struct gk_member_info shown(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	if (!pair_shown(p, PAIR_LIGHTS, name, &info))
		fail_msg("%s is no member", name);
	return info;
}

static bool is_sleepy(const struct pair *p, const char *name)
{
	return shown(p, name).sleepy;
}

static enum gk_delivery delivery(const struct pair *p, size_t i)
{
	return shown(p, p->node[i].name).delivery;
}

static struct gk_rekeying_info took(const struct pair *p)
{
	return pair_group(p).rekeying;
}

static uint8_t join_raw(struct pair_raw *raw, const char *declared)
{
	raw->sleepy = hex_span(declared);
	return pair_raw_join(raw, PAIR_LIGHTS, 6, true);
}

static void begin_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
}

/* who is one */

static void a_token_makes_its_client_sleepy(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[2];

	for (unsigned i = 0; i < 2; i++) {
		p->sleepy_tokens = i;
		begin_raw(&raw[i], p, i + 1);
		assert_int_equal(join_raw(&raw[i], ""), GK_COAP_CREATED);
	}
	for (int life = 0; life < 2; life++) {
		assert_false(is_sleepy(p, "raw1"));
		assert_true(is_sleepy(p, "raw2"));
		pair_restart(p);
	}
	// what it says itself does not count against that
	begin_raw(&raw[0], p, 3);
	assert_int_equal(join_raw(&raw[0], NO), GK_COAP_CREATED);
	assert_true(is_sleepy(p, "raw3"));
}

/* Another token for the same key. */
static void renew(struct pair_raw *raw, bool sleepy)
{
	static const uint8_t nonce[13];
	const struct gk_client_bundle *bundle = &raw->bundle;
	uint8_t scope_bytes[80];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_buf token = gk_buf(raw->bundle.token, sizeof(raw->bundle.token));
	struct gk_cwt_spec spec = {
		.audience = gk_span_str("gatewayd"),
		.subject = gk_span_str("raw1"),
		.iat = raw->p->now.utc,
		.exp = { raw->p->now.utc.s + 1000 },
		.osc_id = gk_span(bundle->osc_id, 8),
		.ms = gk_span(bundle->ms, 32),
		.salt = gk_span(bundle->salt, 8),
		.sleepy = sleepy,
	};

	gk_put_array(&scope, 1);
	gk_scope_put(&scope, gk_span_str(PAIR_LIGHTS), all);
	spec.scope = gk_buf_span(&scope);
	assert_int_equal(gk_cwt_issue(&spec, gk_span(pair_as_key, 16), gk_span(nonce, 13), &token),
			 GK_OK);
	raw->bundle.token_len = token.len;
	assert_int_equal(pair_raw_post(raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_get(raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
}

static void the_newest_token_counts(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	begin_raw(&raw, p, 1);
	assert_int_equal(join_raw(&raw, ""), GK_COAP_CREATED);
	for (int i = 0; i < 4; i++) {
		pair_advance(p, 60000);
		renew(&raw, i % 2 == 0);
		assert_int_equal(is_sleepy(p, "raw1"), i % 2 == 0);
	}
}

static void a_member_is_sleepy_if_it_says_so_when_it_joins(void **state)
{
	static const struct {
		const char *declared;
		bool sleepy;
	} rows[] = { { YES, true }, { "", false }, { YES, true }, { NO, false }, { YES, true } };
	struct pair *p = *state;
	struct pair_raw raw;

	begin_raw(&raw, p, 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		pair_advance(p, 60000);
		assert_int_equal(join_raw(&raw, rows[i].declared),
				 i ? GK_COAP_CHANGED : GK_COAP_CREATED);
		assert_int_equal(is_sleepy(p, "raw1"), rows[i].sleepy);
	}
	pair_restart(p);
	assert_true(is_sleepy(p, "raw1"));
}

static void a_declaration_of_another_type_is_malformed(void **state)
{
	static const char *const rows[] = { "01", "f6", "6474727565", "81f5", "a0", "f7" };
	struct pair *p = *state;
	struct pair_raw raw;

	begin_raw(&raw, p, 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(join_raw(&raw, rows[i]), GK_COAP_BAD_REQUEST);
		assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->reason,
				    "malformed Join Request");
	}
	assert_int_equal(pair_group(p).members, 0);
}

static void change(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &p->config[0], p->now));
}

static void the_configuration_names_them_or_means_all(void **state)
{
	static const struct gk_span names[] = { { (const uint8_t *)"somebody", 8 },
						{ (const uint8_t *)"raw2", 4 } };
	struct pair *p = *state;
	struct gk_presence_config *config = &p->config[0].presence;
	struct pair_raw raw[2];

	for (unsigned i = 0; i < 2; i++) {
		begin_raw(&raw[i], p, i + 1);
		assert_int_equal(join_raw(&raw[i], ""), GK_COAP_CREATED);
	}
	config->sleepers = names;
	config->sleeper_count = 2;
	change(p);
	for (int life = 0; life < 2; life++) {
		assert_false(is_sleepy(p, "raw1"));
		assert_true(is_sleepy(p, "raw2"));
		pair_restart(p);
	}
	config->sleeper_count = 1;
	change(p);
	assert_false(is_sleepy(p, "raw2"));
	config->sleepy = true;
	change(p);
	assert_true(is_sleepy(p, "raw1") && is_sleepy(p, "raw2"));
	begin_raw(&raw[0], p, 3); // and who joins after that
	assert_int_equal(join_raw(&raw[0], ""), GK_COAP_CREATED);
	assert_true(is_sleepy(p, "raw3"));
	config->sleepy = false;
	change(p);
	assert_false(is_sleepy(p, "raw1") || is_sleepy(p, "raw2") || is_sleepy(p, "raw3"));
}

static void names_that_nobody_can_have_are_refused(void **state)
{
	static struct gk_span names[GK_SLEEPERS_MAX + 1];
	static const uint8_t text[33] = "a";
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];

	for (size_t i = 0; i < ROWS(names); i++)
		names[i] = gk_span(text, 32);
	config.presence.sleepers = names;
	config.presence.sleeper_count = GK_SLEEPERS_MAX;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_OK);
	config.presence.sleeper_count++;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_ERR_RANGE);
	config.presence.sleeper_count = 2;
	names[1].len = 0;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_ERR_RANGE);
	names[1].len = 33;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_ERR_RANGE);
}

/* The lists in the struct that was given may be gone. */
static void names_are_copied(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];
	uint8_t text[] = "raw1";
	struct gk_span names[] = { { text, 4 } };
	struct pair_raw raw;

	config.presence.sleepers = names;
	config.presence.sleeper_count = 1;
	pair_drain_kdc(p, gk_kdc_change_group(p->kdc, &config, p->now));
	memset(text, 'x', sizeof(text));
	names[0] = gk_span(NULL, 0);
	begin_raw(&raw, p, 1);
	assert_int_equal(join_raw(&raw, ""), GK_COAP_CREATED);
	assert_true(is_sleepy(p, "raw1"));
}

/* Cut records of form 5 back to what they were in form 4: one field less, which was the last. */
static void age(struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		struct pair_record *record = &p->records[i];

		if (record->table != GK_TABLE_MEMBER && record->table != GK_TABLE_CLIENT)
			continue;
		assert_int_equal(record->value[1], 5);
		assert_int_equal(record->value[record->value_len - 1], 0xf5);
		record->value[0]--;
		record->value[1] = 4;
		record->value_len--;
	}
}

static void in_an_older_store_nobody_is_sleepy(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->sleepy_tokens = true;
	begin_raw(&raw, p, 1);
	assert_int_equal(join_raw(&raw, YES), GK_COAP_CREATED);
	age(p);
	pair_restart(p);
	assert_false(is_sleepy(p, "raw1"));
}

/* delivery */

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
}

/* Members 0 to count - 1, of which those from 'first' on are sleepy. */
static void join_members(struct pair *p, size_t count, size_t first)
{
	for (size_t i = 0; i < count; i++) {
		pair_add(p, GK_ROLE_ALL);
		p->node[i].sleepy = i >= first;
		pair_reset(p, i);
		assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
		pair_run(p);
		assert_int_equal(is_sleepy(p, p->node[i].name), i >= first);
	}
	pair_advance(p, 30000);
}

static void fall_asleep(struct pair *p, size_t first, size_t count, bool asleep)
{
	for (size_t i = first; i < count; i++)
		p->node[i].cut = asleep;
}

static size_t count_posts(const struct pair *p, size_t from, int to)
{
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		count += m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
			 m->plain.data[0] == GK_COAP_POST && (to == ANYONE || m->to == to);
	}
	return count;
}

static void a_rekeying_of_the_tree_waits_for_none_of_them(void **state)
{
	struct pair *p = *state;
	int64_t confirm_ms;
	size_t from;

	join_members(p, 6, 3);
	fall_asleep(p, 4, 6, true); // and 3 happens to be awake
	from = p->log_count;
	rekey(p);
	confirm_ms = gk_cast_patience_ms(p->kdc->groups);
	pair_advance(p, 1200); // one leisure, and some
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(delivery(p, i),
				 i < 4 ? GK_DELIVERY_CONFIRMED : GK_DELIVERY_MULTICAST);
	assert_int_equal(p->kdc->groups->waiting, 0);
	assert_in_range(took(p).duration_ms, 0, 1200);
	pair_advance(p, confirm_ms);
	for (size_t i = 4; i < 6; i++)
		assert_int_equal(delivery(p, i), GK_DELIVERY_PARKED);
	assert_in_range(took(p).duration_ms, 0, 1200);
	assert_int_equal(took(p).members, 6);
	assert_int_equal(took(p).confirmed, 4);
	assert_int_equal(took(p).parked, 2);
	assert_int_equal(count_posts(p, from, ANYONE), 0);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 0);
}

static void the_others_are_told_by_unicast_as_ever(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_members(p, 3, 2);
	fall_asleep(p, 1, 3, true);
	from = p->log_count;
	rekey(p);
	pair_advance(p, 120000);
	assert_true(count_posts(p, from, 1) > 1);
	assert_int_equal(count_posts(p, from, 2), 0);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 1);
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_PARKED)->node, "n2");
}

static void by_unicast_they_are_told_once_if_they_were_awake_lately(void **state)
{
	struct pair *p = *state;
	size_t from;

	p->config[0].presence.check_interval_s = 100;
	change(p);
	join_members(p, 4, 2);
	fall_asleep(p, 3, 4, true);
	from = p->log_count;
	rekey(p);
	assert_int_equal(count_posts(p, from, ANYONE), 4);
	pair_run(p);
	assert_int_equal(took(p).duration_ms, 0);
	pair_advance(p, 60000);
	assert_int_equal(count_posts(p, from, ANYONE), 4);
	assert_int_equal(delivery(p, 2), GK_DELIVERY_CONFIRMED);
	assert_int_equal(delivery(p, 3), GK_DELIVERY_PARKED);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PARKED), 0);
	// 100 s without a word: not even once
	pair_advance(p, 50000);
	from = p->log_count;
	rekey(p);
	pair_advance(p, 60000);
	assert_int_equal(count_posts(p, from, ANYONE), 2); // to the others
	assert_int_equal(delivery(p, 3), GK_DELIVERY_PARKED);
	assert_int_equal(took(p).parked, 2);
}

/* One at a time, and each that does not answer takes four seconds. */
static void the_others_come_first_and_are_not_held_up(void **state)
{
	struct pair *p = *state;
	size_t from;
	int before;

	p->config[0].in_flight = 1;
	change(p);
	join_members(p, 8, 3);
	fall_asleep(p, 3, 8, true);
	for (int i = 0; i < 3; i++) {
		from = p->log_count;
		rekey(p);
		assert_int_equal(count_posts(p, from, ANYONE), 1);
		assert_int_equal(count_posts(p, from, 0), 1);
		pair_run(p);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(delivery(p, k), GK_DELIVERY_CONFIRMED);
		assert_int_equal(took(p).duration_ms, 0);
		before = (int)count_posts(p, from, ANYONE);
		assert_in_range(before, 3, 4); // one that sleeps was under way, or is now
		pair_advance(p, 1000);
	}
	pair_advance(p, 60000);
	for (size_t k = 3; k < 8; k++)
		assert_int_equal(delivery(p, k), GK_DELIVERY_PARKED);
	assert_int_equal(p->kdc->groups->lanes[GK_LANE_SLEEPY].flying, 0);
	assert_null(p->kdc->groups->lanes[GK_LANE_SLEEPY].head);
}

static void who_becomes_sleepy_is_not_waited_for_any_more(void **state)
{
	struct pair *p = *state;

	join_members(p, 3, 3);
	fall_asleep(p, 2, 3, true);
	rekey(p);
	pair_advance(p, 12000); // the second try is under way
	assert_int_equal(took(p).duration_ms, -1);
	p->config[0].presence.sleepy = true;
	change(p);
	assert_true(took(p).duration_ms > 0);
	pair_advance(p, 30000);
	assert_int_equal(delivery(p, 2), GK_DELIVERY_PARKED);
	assert_int_equal(p->kdc->groups->lanes[GK_LANE_AWAKE].flying, 0);
	// and who is not any more is waited for from the next on
	p->config[0].presence.sleepy = false;
	change(p);
	rekey(p);
	pair_advance(p, 5000);
	assert_int_equal(took(p).duration_ms, -1);
}

/* Where nobody confirms it cannot be presumed that who has been asleep for long has it. */
static void who_sleeps_is_not_presumed_to_have_heard(void **state)
{
	struct pair *p = *state;
	size_t from;

	p->config[0].rekey.confirm = GK_CONFIRM_IMPLICIT;
	p->config[0].presence.check_interval_s = 100;
	p->config[0].presence.evict = false;
	change(p);
	join_members(p, 3, 1);
	fall_asleep(p, 2, 3, true);
	pair_advance(p, 80000);
	assert_int_equal(gk_member_check(p->node[1].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, 1);
	pair_run(p);
	from = p->log_count;
	rekey(p);
	assert_int_equal(delivery(p, 1), GK_DELIVERY_MULTICAST);
	assert_int_equal(delivery(p, 2), GK_DELIVERY_PARKED);
	assert_int_equal(count_posts(p, from, ANYONE), 0);
	assert_int_equal(took(p).duration_ms, 0);
}

/* waking */

static void sleep_through(struct pair *p, size_t i, int rekeyings)
{
	int64_t num = pair_num(p);

	p->node[i].cut = true;
	for (int k = 0; k < rekeyings; k++) {
		rekey(p);
		pair_advance(p, 20000);
	}
	assert_int_equal(pair_num(p), num + rekeyings);
	assert_int_equal(pair_info(p, i).num, num);
	p->node[i].cut = false;
}

static void assert_awake(struct pair *p, size_t i)
{
	assert_int_equal(pair_info(p, i).num, pair_num(p));
	assert_int_equal(delivery(p, i), GK_DELIVERY_CONFIRMED);
	// and the next one reaches it as it does the others
	rekey(p);
	pair_advance(p, 20000);
	assert_int_equal(delivery(p, i), GK_DELIVERY_CONFIRMED);
	assert_int_equal(pair_say(p, i, PAIR_LIGHTS, "awake"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 0, "awake"), 1);
}

static void wake_by_asking(struct pair *p, size_t i)
{
	assert_int_equal(gk_member_check(p->node[i].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, i);
	pair_run(p);
}

static void wake_by_hearing(struct pair *p, size_t i)
{
	(void)i;
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "good morning"), GK_OK);
	pair_advance(p, 20000);
}

/* Once an hour (R 4.3.1). */
static void wake_by_the_clock(struct pair *p, size_t i)
{
	(void)i;
	pair_advance(p, 3600000);
}

/* A request that asks for something else than keys. */
static void wake_by_any_request(struct pair *p, size_t i)
{
	assert_int_equal(gk_member_renew(p->node[i].member, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_OK);
	pair_drain_node(p, i);
	pair_run(p);
}

/* Fewer versions, and more, than the KDC keeps stale Sender IDs of. */
static void assert_all_ways_of_waking(struct pair *p, bool observer)
{
	static void (*const wake[])(struct pair *, size_t) = {
		wake_by_asking,
		wake_by_hearing,
		wake_by_the_clock,
		wake_by_any_request,
	};
	static const int rekeyings[] = { 1, 2, 8 };

	for (size_t i = 0; i < ROWS(wake); i++) {
		for (size_t k = 0; k < ROWS(rekeyings); k++) {
			size_t who = p->node_count;
			pair_add(p, GK_ROLE_ALL);
			p->node[who].sleepy = true;
			p->node[who].observer = observer;
			pair_reset(p, who);
			assert_int_equal(pair_join(p, who, PAIR_LIGHTS, 6), GK_OK);
			pair_advance(p, 30000);
			sleep_through(p, who, rekeyings[k]);
			wake[i](p, who);
			assert_int_equal(pair_info(p, who).num, pair_num(p));
			if (delivery(p, who) != GK_DELIVERY_CONFIRMED)
				assert_true(observer && delivery(p, who) == GK_DELIVERY_OBSERVE);
			assert_int_equal(pair_leave(p, who, PAIR_LIGHTS), GK_OK);
			pair_advance(p, 30000);
		}
	}
}

static void however_it_wakes_it_has_the_newest(void **state)
{
	struct pair *p = *state;

	p->config[0].presence.evict = false;
	assert_true(p->config[0].stale_sets < 8);
	change(p);
	join_members(p, 2, 2);
	assert_all_ways_of_waking(p, false);
	assert_all_ways_of_waking(p, true);
}

static void it_takes_part_again_when_it_is_awake(void **state)
{
	struct pair *p = *state;

	join_members(p, 2, 1);
	sleep_through(p, 1, 5);
	wake_by_asking(p, 1);
	assert_awake(p, 1);
}

static void the_beacon_wakes_it(void **state)
{
	struct pair *p = *state;

	p->config[0].rekey.beacon_min_s = 5;
	p->config[0].rekey.beacon_max_s = 20;
	change(p);
	join_members(p, 2, 1);
	sleep_through(p, 1, 5);
	pair_advance(p, 25000 + 10000);
	assert_awake(p, 1);
}

/* One that asks for nothing about keys is told, once it is heard of: it may not be for long. */
static void a_sign_of_life_brings_what_it_missed(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.evict = false;
	change(p);
	join_members(p, 1, 1);
	begin_raw(&raw, p, 1);
	raw.tree = p->config[0].rekey.scheme == GK_TREE;
	assert_int_equal(join_raw(&raw, YES), GK_COAP_CREATED);
	pair_advance(p, 1000000);
	for (int i = 0; i < 5; i++) {
		rekey(p);
		pair_advance(p, 20000);
	}
	assert_null(pair_raw_asked(&raw));
	assert_int_equal(shown(p, "raw1").delivery, GK_DELIVERY_PARKED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "policies"), GK_COAP_CONTENT);
	assert_non_null(pair_raw_asked(&raw));
	assert_int_equal(pair_raw_asked(&raw)->plain.data[0], GK_COAP_POST);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	assert_int_equal(shown(p, "raw1").delivery, GK_DELIVERY_CONFIRMED);
}

/* presence: an interval of 300 s, 1000 s of sleep, 3 probes of 5 s, 60 s of grace; the kernel takes
 * 5 s */

#define S(s)        ((s)*INT64_C(1000))
#define SLEEP_MAX_S 1000
#define ROUND_S     (5 + 3 * 5)
#define GRACE_S     60
#define OURS_MS     1000

static void join_sleeper(struct pair *p, struct pair_raw *raw, unsigned number)
{
	p->config[0].presence.sleep_max_s = SLEEP_MAX_S;
	change(p);
	begin_raw(raw, p, number);
	assert_int_equal(join_raw(raw, YES), GK_COAP_CREATED);
}

static void who_is_silent_for_long_is_asleep_and_left_alone(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t from;

	join_sleeper(p, &raw, 1);
	for (int i = 0; i < 3; i++) {
		from = p->log_count;
		pair_advance(p, S(300) - 1);
		assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
		pair_advance(p, 1);
		assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
		pair_advance(p, S(SLEEP_MAX_S - 300) - 1);
		assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
		assert_int_equal(p->probes, 0);
		assert_int_equal(p->log_count, from);
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
		assert_int_equal(pair_presence(p, "raw1"), GK_PRESENT);
	}
	// neither is told: both are as they should be
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_PRESENT), 0);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_SUSPECT), 0);
}

static void who_sleeps_for_too_long_is_out_within_the_bound(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_sleeper(p, &raw, 1);
	pair_advance(p, S(SLEEP_MAX_S));
	assert_int_equal(p->probes, 1);
	pair_advance(p, S(ROUND_S) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_SUSPECT);
	pair_advance(p, 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(GRACE_S) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, 1 + OURS_MS);
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

/* It takes others to be heard of, to know that it is not us; these are asked. */
static void one_that_sleeps_too_long_leaves_a_group_that_is_awake(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_members(p, 5, 5);
	join_sleeper(p, &raw, 1);
	pair_advance(p, S(SLEEP_MAX_S + ROUND_S + GRACE_S) - 1);
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	pair_advance(p, 1 + OURS_MS);
	assert_int_equal(pair_presence(p, "raw1"), -1);
	assert_int_equal(pair_group(p).present, 5);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_SUSPECT), 1);
}

static void the_kernel_knows_nothing_of_who_sleeps(void **state)
{
	static const enum gk_reach words[] = { GK_REACH_FAILED, GK_REACH_ROUTE_GONE,
					       GK_REACH_ROUTER_FAILED, GK_REACH_MOVED };
	struct pair *p = *state;
	struct pair_raw raw;

	join_sleeper(p, &raw, 1);
	for (size_t i = 0; i < ROWS(words); i++) {
		const struct gk_reach_report report = { raw.addr, words[i] };

		pair_drain_kdc(p, gk_kdc_reach(p->kdc, &report, 1, p->now));
		pair_advance(p, S(200));
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
	assert_null(pair_raw_asked(&raw));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_SUSPECT), 0);
}

static void rekeyings_raise_no_suspicion(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_sleeper(p, &raw, 1);
	for (int i = 0; i < 9; i++) {
		rekey(p);
		pair_advance(p, S(100));
	}
	assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_SUSPECT), 0);
}

/* Nobody knows when it was awake last, and it cannot answer before it wakes. */
static void after_a_restart_all_may_sleep_as_long_as_ever(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[4];

	for (unsigned i = 0; i < ROWS(raw); i++)
		join_sleeper(p, &raw[i], i + 1);
	pair_advance(p, S(SLEEP_MAX_S - 1));
	pair_restart(p);
	pair_advance(p, S(SLEEP_MAX_S - 1));
	assert_int_equal(p->probes, 0);
	for (unsigned i = 0; i < ROWS(raw); i++)
		assert_int_equal(pair_presence(p, (char[]){ 'r', 'a', 'w', (char)('1' + i), 0 }),
				 GK_ASLEEP);
	pair_advance(p, S(301 + ROUND_S + GRACE_S) + OURS_MS);
	assert_int_equal(pair_group(p).members, 0);
}

/* It may have been awake just then. */
static void after_we_were_blind_they_may_sleep_as_long_as_ever(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_sleeper(p, &raw, 1);
	pair_advance(p, S(SLEEP_MAX_S - 10));
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_LINK_DOWN, p->now));
	pair_advance(p, S(100));
	pair_drain_kdc(p, gk_kdc_blind(p->kdc, GK_BLIND_NOT, p->now));
	pair_advance(p, S(SLEEP_MAX_S - 1));
	assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
	assert_int_equal(p->probes, 0);
	pair_advance(p, S(301 + ROUND_S + GRACE_S) + OURS_MS);
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static void who_is_declared_late_is_judged_by_that(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	p->config[0].presence.sleep_max_s = SLEEP_MAX_S;
	begin_raw(&raw, p, 1);
	assert_int_equal(join_raw(&raw, ""), GK_COAP_CREATED);
	pair_advance(p, S(300 + ROUND_S + 30)); // absent, in its grace
	assert_int_equal(pair_presence(p, "raw1"), GK_ABSENT);
	p->config[0].presence.sleepy = true;
	change(p);
	pair_advance(p, S(100));
	assert_int_equal(pair_presence(p, "raw1"), GK_ASLEEP);
	p->config[0].presence.sleepy = false;
	change(p);
	pair_advance(p, S(300 + ROUND_S + GRACE_S) + OURS_MS);
	assert_int_equal(pair_presence(p, "raw1"), -1);
}

static void a_restart_keeps_nobody_waiting(void **state)
{
	struct pair *p = *state;

	join_members(p, 4, 2);
	fall_asleep(p, 2, 4, true);
	rekey(p);
	pair_restart(p);
	pair_advance(p, 5000);
	assert_int_equal(delivery(p, 0), GK_DELIVERY_CONFIRMED);
	assert_true(took(p).duration_ms >= 0);
	pair_advance(p, 60000);
	assert_int_equal(delivery(p, 3), GK_DELIVERY_PARKED);
	fall_asleep(p, 2, 4, false);
	wake_by_asking(p, 2);
	wake_by_asking(p, 3);
	assert_true(pair_agree(p, 0, 3));
}

#define TREE(name)    cmocka_unit_test_setup_teardown(name, open_tree, pair_end)
#define UNICAST(name) cmocka_unit_test_setup_teardown(name, open_unicast, pair_end)
#define EACH(name)    TREE(name), UNICAST(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNICAST(a_token_makes_its_client_sleepy),
		UNICAST(the_newest_token_counts),
		UNICAST(a_member_is_sleepy_if_it_says_so_when_it_joins),
		UNICAST(a_declaration_of_another_type_is_malformed),
		UNICAST(the_configuration_names_them_or_means_all),
		UNICAST(names_that_nobody_can_have_are_refused),
		UNICAST(names_are_copied),
		EACH(in_an_older_store_nobody_is_sleepy),
		TREE(a_rekeying_of_the_tree_waits_for_none_of_them),
		TREE(the_others_are_told_by_unicast_as_ever),
		UNICAST(by_unicast_they_are_told_once_if_they_were_awake_lately),
		UNICAST(the_others_come_first_and_are_not_held_up),
		EACH(who_becomes_sleepy_is_not_waited_for_any_more),
		TREE(who_sleeps_is_not_presumed_to_have_heard),
		EACH(however_it_wakes_it_has_the_newest),
		EACH(it_takes_part_again_when_it_is_awake),
		TREE(the_beacon_wakes_it),
		EACH(a_sign_of_life_brings_what_it_missed),
		EACH(a_restart_keeps_nobody_waiting),
		EACH(who_is_silent_for_long_is_asleep_and_left_alone),
		EACH(who_sleeps_for_too_long_is_out_within_the_bound),
		EACH(one_that_sleeps_too_long_leaves_a_group_that_is_awake),
		TREE(the_kernel_knows_nothing_of_who_sleeps),
		EACH(rekeyings_raise_no_suspicion),
		TREE(after_a_restart_all_may_sleep_as_long_as_ever),
		TREE(after_we_were_blind_they_may_sleep_as_long_as_ever),
		TREE(who_is_declared_late_is_judged_by_that),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
