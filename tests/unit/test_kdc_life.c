// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Groups that become inactive, change, end and come back; what bans and revocations keep out; and
// clocks that are corrected (docs/state.md sections 6 and 8).
#include "libgroupkey/client.h"
#include "libgroupkey/group.h"
#include "libgroupkey/ledger.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define S(s)        ((s)*INT64_C(1000))
#define DAY_S       86400
#define OTHER       "doors"

static const uint32_t all = GK_ROLE_ALL;
static const uint32_t all_twice[] = { GK_ROLE_ALL, GK_ROLE_ALL };
static const char *const both[] = { PAIR_LIGHTS, OTHER };

static int open_pair(void **state)
{
	return pair_begin(state, 31, NULL);
}

static struct gk_group *group_of(const struct pair *p)
{
	return gk_group_find(p->kdc, gk_span_str(PAIR_LIGHTS));
}

static void open_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
}

static void join_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	open_raw(raw, p, number);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static enum gk_err change(struct pair *p, const struct gk_group_config *config)
{
	enum gk_err err = gk_kdc_change_group(p->kdc, config, p->now);

	if (!err)
		p->config[0] = *config;
	pair_drain_kdc(p, err);
	return err;
}

static void set_active(struct pair *p, bool active)
{
	struct gk_group_config config = p->config[0];

	config.active = active;
	assert_int_equal(change(p, &config), GK_OK);
}

static void rekey(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	assert_int_equal(p->last, GK_OK);
}

static bool is_member(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	return pair_shown(p, PAIR_LIGHTS, name, &info) && info.presence != GK_BANNED;
}

static size_t count_records(const struct pair *p, enum gk_table table)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == table;
	return count;
}

/* activity */

static void an_inactive_group_takes_nobody_in(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other, stranger;
	const char *const doors[] = { OTHER };
	struct gk_group_config config = pair_config(OTHER);

	assert_int_equal(pair_serve(p, &config), GK_OK);
	join_raw(&raw, p, 1);
	open_raw(&other, p, 2);
	pair_raw_open(&stranger, p, 3, "raw3", doors, &all, 1);
	set_active(p, false);
	assert_int_equal(pair_raw_join(&other, PAIR_LIGHTS, 6, true), GK_COAP_UNAVAILABLE);
	assert_true(other.is_protected);
	assert_int_equal(pair_raw_error(&other), GK_ACE_ERROR_INACTIVE);
	// before all that is wrong with a Join Request, after what its token does not grant
	assert_int_equal(
		pair_raw_ask(&other, GK_COAP_POST, "ace-group/" PAIR_LIGHTS, -1, gk_span(NULL, 0)),
		GK_COAP_UNAVAILABLE);
	assert_int_equal(pair_raw_error(&other), GK_ACE_ERROR_INACTIVE);
	assert_int_equal(pair_raw_join(&stranger, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	// members neither join again nor get a new Sender ID
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_UNAVAILABLE);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_INACTIVE);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_UNAVAILABLE);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_INACTIVE);
	assert_int_equal(pair_raw_get(&other, GK_COAP_POST, "nodes/n1"), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_error(&other), GK_ACE_ERROR_NOT_MEMBER);
	set_active(p, true);
	assert_int_equal(pair_raw_join(&other, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_CHANGED);
}

static void a_monitor_of_an_inactive_group_is_told_that_first(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_MONITOR, true), GK_COAP_CREATED);
	set_active(p, false);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_UNAVAILABLE);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_INACTIVE);
	set_active(p, true);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "*"), GK_COAP_BAD_REQUEST);
	assert_int_equal(pair_raw_error(&raw), GK_ACE_ERROR_ROLES);
}

static void members_can_ask_whether_their_group_is_active(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other;

	join_raw(&raw, p, 1);
	open_raw(&other, p, 2);
	assert_int_equal(pair_raw_post(&other), GK_COAP_CREATED);
	snprintf(other.group, sizeof(other.group), "%s", PAIR_LIGHTS);
	for (unsigned active = 0; active < 2; active++) {
		set_active(p, active);
		assert_int_equal(pair_group(p).active, active);
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "active"), GK_COAP_CONTENT);
		assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_CONTENT_FORMAT, -1),
				 GK_CF_CBOR);
		assert_int_equal(raw.answer.payload.len, 1);
		assert_int_equal(raw.answer.payload.data[0], active ? 0xf5 : 0xf4);
		assert_int_equal(pair_raw_get(&other, GK_COAP_GET, "active"), GK_COAP_FORBIDDEN);
		assert_int_equal(pair_raw_error(&other), GK_ACE_ERROR_NOT_MEMBER);
	}
}

static void departures_from_an_inactive_group_are_followed_by_a_rekeying(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[2];
	int64_t num;

	join_raw(&raw[0], p, 1);
	join_raw(&raw[1], p, 2);
	set_active(p, false);
	num = pair_num(p);
	assert_int_equal(pair_raw_get(&raw[0], GK_COAP_DELETE, "*"), GK_COAP_DELETED);
	pair_advance(p, 500);
	assert_int_equal(pair_num(p), num + 1);
	pair_raw_reply(&raw[1], pair_raw_asked(&raw[1]), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_get(&raw[1], GK_COAP_GET, "num"), GK_COAP_CONTENT);
	pair_restart(p);
	assert_false(pair_group(p).active);
	assert_int_equal(pair_group(p).members, 1);
}

/* changes */

static void what_cannot_be_served_changes_nothing(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];

	join_raw(&raw, p, 1);
	pair_digest(p, before);
	config.period_s = 1;
	assert_int_equal(change(p, &config), GK_ERR_RANGE);
	config = pair_config(PAIR_LIGHTS);
	config.sign_alg = -35;
	assert_int_equal(change(p, &config), GK_ERR_UNSUPPORTED);
	config = pair_config(PAIR_LIGHTS);
	config.mode = GK_MODE_PAIRWISE;
	config.coalesce_ms = 1;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_ERR_FORBIDDEN);
	assert_int_equal(change(p, &config), GK_ERR_FORBIDDEN);
	config = pair_config(OTHER);
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_OK); // as a new one
	assert_int_equal(change(p, &config), GK_ERR_UNKNOWN);
	config.name = gk_span(NULL, 0);
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_ERR_RANGE);
	pair_digest(p, after);
	assert_memory_equal(before, after, GK_HASH_LEN);
	assert_int_equal(group_of(p)->config.coalesce_ms, 500);
	assert_int_equal(group_of(p)->config.mode, GK_MODE_GROUP);
	assert_int_equal(group_of(p)->config.period_s, DAY_S);
}

static void a_check_changes_nothing(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	size_t events = p->events, keys = count_records(p, GK_TABLE_KDC);

	config.mode = GK_MODE_PAIRWISE;
	config.period_s = 10;
	assert_int_equal(gk_kdc_check_group(p->kdc, &config), GK_OK);
	pair_drain_kdc(p, GK_OK);
	assert_int_equal(p->events, events);
	assert_int_equal(count_records(p, GK_TABLE_KDC), keys);
	assert_int_equal(group_of(p)->config.mode, GK_MODE_GROUP);
	assert_false(gk_kdc_has_keys(p->kdc, &config));
}

static void mode_and_sign_alg_change_while_there_are_no_members(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw;

	config.mode = GK_MODE_PAIRWISE;
	assert_int_equal(change(p, &config), GK_OK);
	assert_int_equal(pair_group(p).mode, GK_MODE_PAIRWISE);
	assert_true(gk_kdc_dh_cred(p->kdc, GK_ALG_ES256, GK_HEADER_KCCS).len > 0);
	pair_restart(p); // stored
	assert_int_equal(pair_group(p).mode, GK_MODE_PAIRWISE);
	pair_join_all(p, 2);
	pair_advance(p, S(30));
	assert_true(pair_agree(p, 0, 1));
	config.mode = GK_MODE_GROUP;
	assert_int_equal(change(p, &config), GK_ERR_FORBIDDEN);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	assert_int_equal(pair_leave(p, 1, PAIR_LIGHTS), GK_OK);
	pair_advance(p, S(30));
	assert_int_equal(change(p, &config), GK_OK);
	pair_restart(p);
	join_raw(&raw, p, 1); // with a credential for signatures
}

static void a_period_counts_from_the_age_of_the_material(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];
	struct pair_raw raw;
	int64_t num;

	config.presence.check_interval_s = DAY_S;
	assert_int_equal(change(p, &config), GK_OK);
	join_raw(&raw, p, 1);
	rekey(p);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	num = pair_num(p);
	pair_advance(p, S(1000));
	config.period_s = 1500;
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, S(500) - 1);
	assert_int_equal(pair_num(p), num);
	pair_advance(p, 1);
	assert_int_equal(pair_num(p), num + 1);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_CHANGED);
	pair_advance(p, S(1000));
	config.period_s = 100; // overdue
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, 0);
	assert_int_equal(pair_num(p), num + 2);
}

static void stale_sets_beyond_the_new_bound_are_forgotten(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];

	config.stale_sets = 8;
	assert_int_equal(change(p, &config), GK_OK);
	for (int i = 0; i < 10; i++)
		rekey(p);
	assert_int_equal(group_of(p)->stale_count, 8);
	config.stale_sets = 2;
	assert_int_equal(change(p, &config), GK_OK);
	assert_int_equal(group_of(p)->stale_count, 2);
	assert_int_equal(gk_group_stale_now(group_of(p))->num, pair_num(p));
}

static enum gk_presence presence_of(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
	return info.presence;
}

static void presence_goes_by_new_values_at_once(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];
	struct pair_raw raw;

	config.presence.check_interval_s = DAY_S;
	config.presence.grace_s = DAY_S;
	assert_int_equal(change(p, &config), GK_OK);
	join_raw(&raw, p, 1);
	pair_advance(p, S(50));
	config.presence.check_interval_s = 100; // since it was heard of
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, S(50) - 1);
	assert_int_equal(p->probes, 0);
	pair_advance(p, 1);
	assert_int_equal(p->probes, 1);
	pair_advance(p, S(5 + 15));
	assert_int_equal(presence_of(p, "raw1"), GK_ABSENT);
	pair_advance(p, S(1000));
	config.presence.grace_s = 20;
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, S(20) - 1);
	assert_true(is_member(p, "raw1"));
	pair_advance(p, 500); // who else is due goes along
	assert_false(is_member(p, "raw1"));
}

static void the_same_again_changes_no_clock(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	int64_t next_ms;

	join_raw(&raw, p, 1);
	pair_advance(p, S(299));
	next_ms = gk_kdc_next_expiry(p->kdc).ms;
	assert_int_equal(change(p, &p->config[0]), GK_OK);
	assert_int_equal(gk_kdc_next_expiry(p->kdc).ms, next_ms);
	assert_ptr_equal(group_of(p)->config.name.data, group_of(p)->name); // its own
	pair_advance(p, S(1));
	assert_int_equal(p->probes, 1);
}

static void beacons_go_by_new_values_at_once(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	size_t casts;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 2);
	pair_advance(p, S(100));
	casts = pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0);
	pair_advance(p, S(100));
	assert_int_equal(pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0), casts);
	config.rekey.beacon_min_s = 2;
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, S(2));
	assert_int_equal(pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0), casts + 1);
	config.rekey.beacon_min_s = 0;
	assert_int_equal(change(p, &config), GK_OK);
	pair_advance(p, S(1000));
	assert_int_equal(pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0), casts + 1);
}

static void messages_to_the_group_go_by_new_values_at_once(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	size_t casts, confirmations;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 2);
	pair_advance(p, S(60));
	for (unsigned repeat = 1; repeat <= 3; repeat += 2) {
		config.rekey.repeat = repeat;
		config.rekey.confirm = repeat == 1 ? GK_CONFIRM_NONE : GK_CONFIRM_ALL;
		assert_int_equal(change(p, &config), GK_OK);
		casts = pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0);
		confirmations = pair_count(p, PAIR_CONFIRM, 0, PAIR_KDC);
		rekey(p);
		p->node[1].cut = true; // or the copies end with its confirmation
		pair_advance(p, S(10));
		p->node[1].cut = false;
		pair_advance(p, S(3600));
		assert_int_equal(pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0), casts + repeat);
		assert_int_equal(pair_count(p, PAIR_CONFIRM, 0, PAIR_KDC) > confirmations,
				 repeat > 1);
		assert_true(pair_agree(p, 0, 1));
	}
}

static void a_tree_ends_when_the_group_becomes_point_to_point(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	size_t casts;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 4);
	pair_advance(p, S(60));
	assert_int_equal(pair_group(p).in_tree, 4);
	p->node[2].cut = true; // it misses a message to the group, and the end of the tree
	rekey(p);
	config = pair_config(PAIR_LIGHTS);
	assert_int_equal(change(p, &config), GK_OK);
	assert_int_equal(pair_group(p).in_tree, 0);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 0);
	assert_int_equal(count_records(p, GK_TABLE_CAST), 0);
	casts = pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0);
	pair_advance(p, S(3));
	p->node[2].cut = false;
	pair_advance(p, S(60));
	assert_true(pair_agree(p, 0, 3));
	pair_restart(p);
	rekey(p);
	pair_advance(p, S(60));
	assert_true(pair_agree(p, 0, 3));
	assert_int_equal(pair_count(p, PAIR_MULTICAST, PAIR_KDC, 0), casts);
	// and begins again with those who join again
	config = pair_tree_config(PAIR_LIGHTS);
	assert_int_equal(change(p, &config), GK_OK);
	rekey(p);
	pair_advance(p, S(60));
	assert_int_equal(pair_group(p).in_tree, 0);
	pair_reset(p, 1);
	assert_int_equal(pair_join(p, 1, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, S(60));
	assert_int_equal(pair_group(p).in_tree, 1);
	assert_true(pair_agree(p, 0, 3));
}

static void members_elsewhere_are_told_by_messages_of_their_own(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	int64_t num;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 3);
	pair_advance(p, S(60));
	config.rekey.control_group.ip[15] = 0xfe;
	assert_int_equal(change(p, &config), GK_OK);
	assert_int_equal(pair_group(p).in_tree, 0);
	num = pair_num(p);
	rekey(p);
	pair_advance(p, S(60));
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_group(p).rekeying.unicast, 3);
	pair_reset(p, 1);
	assert_int_equal(pair_join(p, 1, PAIR_LIGHTS, 6), GK_OK);
	pair_advance(p, S(60));
	assert_int_equal(pair_info(p, 1).control_group.ip[15], 0xfe);
	assert_int_equal(pair_group(p).in_tree, 1);
}

static void the_limit_for_rekeying_can_be_exchanged(void **state)
{
	struct pair *p = *state;

	gk_kdc_set_rekeying_bps(p->kdc, 8000, p->now);
	assert_int_equal(p->kdc->budget.bytes_per_s, 1000);
	gk_budget_charge(&p->kdc->budget, 5000, p->now.mono.ms);
	gk_kdc_set_rekeying_bps(p->kdc, 8000, p->now); // a debt is not paid by that
	assert_true(gk_budget_ready_ms(&p->kdc->budget, p->now.mono.ms) > p->now.mono.ms);
	gk_kdc_set_rekeying_bps(p->kdc, 0, p->now);
	assert_true(gk_budget_ready_ms(&p->kdc->budget, p->now.mono.ms) == p->now.mono.ms);
}

static void what_waits_for_the_link_goes_on_at_the_new_limit(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1);
	gk_kdc_set_rekeying_bps(p->kdc, 80, p->now);
	gk_budget_charge(&p->kdc->budget, 5000, p->now.mono.ms);
	rekey(p);
	assert_null(pair_raw_asked(&raw));
	gk_kdc_set_rekeying_bps(p->kdc, 0, p->now);
	pair_advance(p, 0);
	assert_non_null(pair_raw_asked(&raw));
}

/* ends */

static void remove_lights(struct pair *p)
{
	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now));
	assert_int_equal(p->last, GK_OK);
}

/* Two groups, a raw in both and in the tree of one. */
static void join_both(struct pair *p, struct pair_raw *raw)
{
	struct gk_group_config config = pair_config(OTHER);

	assert_int_equal(pair_serve(p, &config), GK_OK);
	pair_raw_open(raw, p, 1, "raw1", both, all_twice, 2);
	raw->tree = true;
	assert_int_equal(pair_raw_join(raw, OTHER, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static void a_group_that_is_deleted_takes_its_keys_along(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	struct pair_raw raw;
	const struct pair_message *m;
	size_t batches;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 2);
	join_both(p, &raw);
	pair_advance(p, 500);
	assert_true(count_records(p, GK_TABLE_TREE) > 0);
	assert_true(count_records(p, GK_TABLE_CAST) > 0);
	batches = p->batches;
	remove_lights(p);
	assert_int_equal(p->batches, batches + 1);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 0);
	assert_int_equal(count_records(p, GK_TABLE_CAST), 0);
	assert_int_equal(count_records(p, GK_TABLE_MEMBER), 1); // of the other group
	assert_int_equal(count_records(p, GK_TABLE_GROUP), 2);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_ENDED), 1);
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_ENDED)->group, PAIR_LIGHTS);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_EVICTED), 3);
	m = pair_raw_asked(&raw); // exactly one notice (P 10)
	assert_non_null(m);
	assert_int_equal(m->plain.data[0], GK_COAP_DELETE);
	pair_run(p);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pair_count_notes(p, i, GK_NOTE_EVICTED), 1);
	pair_raw_reply(&raw, m, GK_COAP_DELETED);
	// the client and its other membership stay
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_NOT_FOUND);
	snprintf(raw.group, sizeof(raw.group), "%s", OTHER);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_int_equal(gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now),
			 GK_ERR_UNKNOWN);
	assert_int_equal(gk_kdc_remove_group(p->kdc, gk_span_str("none"), p->now), GK_ERR_UNKNOWN);
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_ERR_UNKNOWN);
	assert_int_equal(change(p, &config), GK_ERR_UNKNOWN);
	pair_advance(p, S(2 * DAY_S)); // no timer of it goes off
	assert_int_equal(group_of(p)->num, 3);
}

static bool has_zeros(const uint8_t *data, size_t len)
{
	while (len && !data[len - 1])
		len--;
	return !len;
}

static void what_is_left_of_a_group_has_no_secret(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	struct gk_group *group = group_of(p);

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 3);
	assert_non_null(group->joiner);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	pair_run(p);
	assert_int_equal(gk_group_stale_now(group)->count, 1);
	remove_lights(p);
	assert_true(group->ended);
	assert_false(group->served);
	assert_true(has_zeros(group->ms, sizeof(group->ms)));
	assert_true(has_zeros(group->secret, sizeof(group->secret)));
	assert_true(has_zeros(group->tree.group.base_iv, sizeof(group->tree.group.base_iv)));
	assert_null(group->sealed.data);
	assert_null(group->joiner);
	assert_int_equal(group->cast_count, 0);
	assert_int_equal(group->stale_count, 1);
	assert_int_equal(gk_group_stale_now(group)->count, 0);
}

static void a_later_group_of_the_name_goes_on_above_it(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	struct gk_id before, after;
	int64_t num;

	assert_int_equal(change(p, &config), GK_OK);
	pair_join_all(p, 2);
	for (int i = 0; i < 3; i++) {
		pair_advance(p, S(30));
		num = pair_num(p);
		before = pair_group(p).gid;
		remove_lights(p);
		assert_int_equal(pair_num(p), -1);
		p->group_count = 0;
		if (i)
			pair_restart(p);
		assert_int_equal(pair_serve(p, &config), GK_OK);
		after = pair_group(p).gid;
		assert_int_equal(pair_num(p), num + 1);
		assert_memory_equal(after.data, before.data, 2);
		assert_int_equal(pair_group(p).members, 0);
		assert_false(has_zeros(group_of(p)->ms, GK_MS_LEN));
		assert_true(has_zeros(group_of(p)->secret, sizeof(group_of(p)->secret)));
		assert_false(group_of(p)->used);
		pair_advance(p, S(60)); // both come back by themselves
		assert_int_equal(pair_group(p).members, 2);
		assert_true(pair_agree(p, 0, 1));
		assert_true(pair_num(p) > num + 1);
		pair_restart(p);
		assert_int_equal(pair_group(p).members, 2);
	}
	rekey(p);
	pair_advance(p, S(60));
	assert_true(pair_agree(p, 0, 1));
}

static void answers_for_a_group_that_is_gone_are_ignored(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	const struct pair_message *rekeying, *probe;

	join_raw(&raw, p, 1);
	rekey(p);
	rekeying = pair_raw_asked(&raw);
	assert_non_null(rekeying);
	remove_lights(p);
	pair_raw_reply(&raw, rekeying, GK_COAP_CHANGED);
	pair_raw_reply(&raw, pair_raw_asked(&raw), GK_COAP_DELETED);
	p->group_count = 0;
	assert_int_equal(pair_serve(p, NULL), GK_OK);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	pair_drain_kdc(p,
		       gk_kdc_reach(p->kdc, &(struct gk_reach_report){ raw.addr, GK_REACH_FAILED },
				    1, p->now));
	probe = pair_raw_asked(&raw);
	assert_non_null(probe);
	remove_lights(p);
	pair_advance(p, S(20)); // neither comes in time
	assert_int_equal(group_of(p)->count, 0);
}

static void what_was_to_be_sent_ends_with_the_group(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);
	struct pair_raw raw[2];

	config.in_flight = 1;
	assert_int_equal(change(p, &config), GK_OK);
	join_raw(&raw[0], p, 1);
	join_raw(&raw[1], p, 2);
	rekey(p); // one is sent, one waits for its turn
	assert_int_equal(group_of(p)->lanes[GK_LANE_AWAKE].flying, 1);
	assert_non_null(group_of(p)->lanes[GK_LANE_AWAKE].head);
	remove_lights(p);
	assert_int_equal(group_of(p)->lanes[GK_LANE_AWAKE].flying, 0);
	assert_null(group_of(p)->lanes[GK_LANE_AWAKE].head);
	assert_int_equal(group_of(p)->waiting, 0);
	for (int i = 0; i < 2; i++) {
		while (pair_raw_asked(&raw[i]))
			pair_raw_reply(&raw[i], pair_raw_asked(&raw[i]), 0);
	}
	p->group_count = 0;
	assert_int_equal(pair_serve(p, &config), GK_OK);
	assert_int_equal(pair_raw_join(&raw[0], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	rekey(p);
	assert_int_equal(pair_raw_asked(&raw[0])->plain.data[0], GK_COAP_POST);
}

/* Whatever fails on the way, and wherever it ends, a change can be made again. */

static void try_to(struct pair *p, enum gk_err (*call)(struct pair *p))
{
	for (int i = 0; i < 3; i++) {
		enum gk_err err = call(p);

		pair_drain_kdc(p, err);
		if (err == GK_OK)
			return;
		assert_true(err == GK_ERR_NO_MEMORY || err == GK_ERR_ENTROPY);
	}
	fail();
}

static enum gk_err give_up_tree(struct pair *p)
{
	p->config[0] = pair_config(PAIR_LIGHTS);
	return gk_kdc_change_group(p->kdc, &p->config[0], p->now);
}

/* A restart serves what is configured: deleted, and here again. */
static enum gk_err end(struct pair *p)
{
	enum gk_err err = gk_kdc_remove_group(p->kdc, gk_span_str(PAIR_LIGHTS), p->now);

	p->group_count = err != GK_OK;
	return err;
}

static enum gk_err begin_again(struct pair *p)
{
	enum gk_err err;

	p->config[0] = pair_tree_config(PAIR_LIGHTS);
	err = gk_kdc_add_group(p->kdc, &p->config[0], p->now);
	p->group_count = !err;
	return err;
}

enum failing { MEMORY, ENTROPY, POWER };

static size_t count_calls(const struct pair *p, enum failing failing)
{
	return failing == MEMORY    ? p->kdc_env.allocs
	       : failing == ENTROPY ? p->kdc_env.randoms
				    : p->events;
}

static void let_fail(struct pair *p, enum failing failing, size_t n)
{
	test_env_fail_alloc(&p->kdc_env, failing == MEMORY ? (unsigned)n : 0);
	test_env_fail_random(&p->kdc_env, failing == ENTROPY ? (unsigned)n : 0);
	p->crash_at = failing == POWER && n ? p->events + n : 0;
}

/* @return how many calls there were that could fail */
static size_t play(enum failing failing, size_t n)
{
	static struct pair p;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	size_t calls;
	int64_t num;

	pair_open(&p, 33);
	assert_int_equal(pair_serve(&p, &config), GK_OK);
	pair_join_all(&p, 3);
	pair_advance(&p, S(30));
	num = pair_num(&p);
	calls = count_calls(&p, failing);
	let_fail(&p, failing, n);
	try_to(&p, give_up_tree);
	try_to(&p, end);
	if (!p.group_count)
		try_to(&p, begin_again);
	calls = count_calls(&p, failing) - calls;
	let_fail(&p, failing, 0);
	assert_true(pair_num(&p) >= num); // the very same, if its end was lost with the power
	for (size_t i = 0; i < 3; i++) {  // whether or not its notice was lost
		pair_reset(&p, i);
		assert_int_equal(pair_join(&p, i, PAIR_LIGHTS, 6), GK_OK);
	}
	pair_advance(&p, S(60));
	if (!pair_agree(&p, 0, 2) || pair_group(&p).members != 3 || !pair_close(&p))
		fail_msg("failure %d at %zu: %s", failing, n, p.broken);
	return calls;
}

static void no_failure_on_the_way_does_harm(void **state)
{
	(void)state;
	for (enum failing failing = MEMORY; failing <= POWER; failing++) {
		size_t calls = play(failing, 1u << 20);

		assert_true(calls > 1);
		for (size_t n = 1; n <= calls; n++)
			play(failing, n);
	}
}

static void the_mark_is_ahead_of_every_num(void **state)
{
	struct pair *p = *state;

	assert_int_equal(p->kdc->high_num, 0);
	assert_int_equal(count_records(p, GK_TABLE_MARK), 1);
	for (int64_t num = 1; num < 4; num++) {
		size_t batches = p->batches;

		rekey(p);
		assert_int_equal(p->kdc->high_num, num);
		assert_int_equal(p->batches, batches + 1);
	}
	remove_lights(p);
	p->group_count = 0;
	assert_int_equal(pair_serve(p, NULL), GK_OK);
	assert_int_equal(pair_num(p), 4);
	assert_int_equal(p->kdc->high_num, 4);
	pair_restart(p);
	assert_int_equal(p->kdc->high_num, 4);
}

static void groups_that_only_the_store_knows_are_listed(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_span name;
	size_t at = 0;
	int64_t num;

	join_both(p, &raw);
	assert_false(gk_kdc_unserved_next(p->kdc, &at, &name));
	p->group_count = 1; // the second is missing in the configuration
	pair_restart(p);
	at = 0;
	assert_true(gk_kdc_unserved_next(p->kdc, &at, &name));
	assert_true(gk_span_equal(name, gk_span_str(OTHER)));
	assert_false(gk_kdc_unserved_next(p->kdc, &at, &name));
	num = gk_group_find(p->kdc, gk_span_str(OTHER))->num;
	// it is not lost by being missing
	assert_int_equal(pair_serve(p, &p->config[1]), GK_OK);
	at = 0;
	assert_false(gk_kdc_unserved_next(p->kdc, &at, &name));
	assert_int_equal(gk_group_find(p->kdc, gk_span_str(OTHER))->count, 1);
	p->group_count = 1;
	pair_restart(p);
	pair_drain_kdc(p, gk_kdc_remove_group(p->kdc, gk_span_str(OTHER), p->now));
	assert_int_equal(p->last, GK_OK);
	assert_int_equal(pair_raw_asked(&raw)->plain.data[0], GK_COAP_DELETE);
	at = 0;
	assert_false(gk_kdc_unserved_next(p->kdc, &at, &name));
	pair_restart(p);
	at = 0;
	assert_false(gk_kdc_unserved_next(p->kdc, &at, &name));
	assert_true(is_member(p, "raw1"));
	assert_int_equal(pair_serve(p, &p->config[1]), GK_OK);
	assert_int_equal(gk_group_find(p->kdc, gk_span_str(OTHER))->num, num + 1);
}

/* P 7: num starts at 0, whatever other groups have had.
 * (After gk_kdc_disown(): test_kdc_disown.c) */
static void a_new_group_begins_with_0_after_a_restart_too(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = pair_config(OTHER);

	rekey(p);
	rekey(p);
	pair_restart(p);
	assert_int_equal(pair_serve(p, &config), GK_OK);
	assert_int_equal(gk_group_find(p->kdc, config.name)->num, 0);
	pair_restart(p);
	assert_int_equal(gk_group_find(p->kdc, config.name)->num, 0);
	assert_int_equal(pair_num(p), 2);
}

/* bans and revocations */

static void a_banned_client_is_refused_and_shown(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, other;
	struct gk_member_info info;
	size_t at = 0;
	char node[24];

	join_raw(&raw, p, 1);
	join_raw(&other, p, 2);
	snprintf(node, sizeof(node), "%s", raw.node);
	pair_drain_kdc(p,
		       gk_kdc_ban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw1"), p->now));
	assert_int_equal(p->last, GK_OK);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(raw.answer.payload.len, 0); // as of a group that is not in its token
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_REFUSED)->reason,
			    "banned from the group");
	set_active(p, false);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_SCARCE, p->now));
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_GOOD, p->now));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "creds"), GK_COAP_FORBIDDEN);
	assert_int_equal(raw.answer.payload.len, 0); // nor as a verifier
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_FORBIDDEN);
	assert_true(raw.answer.payload.len > 0); // who missed its notice learns that it is out
	pair_restart(p);
	assert_true(gk_kdc_member_next(p->kdc, gk_span_str(PAIR_LIGHTS), &at, &info));
	assert_true(gk_span_equal(info.name, gk_span_str("raw2")));
	assert_true(gk_kdc_member_next(p->kdc, gk_span_str(PAIR_LIGHTS), &at, &info));
	assert_true(gk_span_equal(info.name, gk_span_str("raw1")));
	assert_true(gk_span_equal(info.node, gk_span_str(node)));
	assert_int_equal(info.presence, GK_BANNED);
	assert_int_equal(info.delivery, GK_DELIVERY_PARKED);
	assert_int_equal(info.sender_id.len, 0);
	assert_int_equal(info.num, -1);
	assert_false(gk_kdc_member_next(p->kdc, gk_span_str(PAIR_LIGHTS), &at, &info));
	assert_int_equal(pair_group(p).members, 1);
	set_active(p, true);
	pair_drain_kdc(p,
		       gk_kdc_unban(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("raw1"), p->now));
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

/* gk_kdc_revoke() drops candidates; a copy of the list from elsewhere (docs/state.md section 5)
 * does not. */
static void a_token_revoked_before_its_first_use_is_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_revoked *revoked = gk_alloc(&p->env, sizeof(*revoked));

	open_raw(&raw, p, 1);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(gk_id_set(&revoked->client, gk_span(raw.bundle.osc_id, 8)), GK_OK);
	revoked->until = raw.bundle.exp;
	assert_int_equal(gk_ledger_restore_revoked(p->kdc, revoked), GK_OK);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_UNAUTHORIZED);
	assert_false(raw.is_protected);
	assert_null(gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8)));
	assert_int_equal(count_records(p, GK_TABLE_CLIENT), 0);
}

static void a_token_superseded_before_its_first_use_is_refused(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw, old;
	struct gk_client *client;

	open_raw(&old, p, 1);
	assert_int_equal(pair_raw_post(&old), GK_COAP_CREATED);
	raw = old;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(pair_raw_post(&old), GK_COAP_CREATED);
	client = gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8));
	client->iat.s++; // a newer one came in the meantime
	snprintf(old.group, sizeof(old.group), "%s", PAIR_LIGHTS);
	assert_int_equal(pair_raw_get(&old, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_false(old.is_protected);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
}

static void a_renewed_association_keeps_the_date_of_its_token(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_client *client;

	join_raw(&raw, p, 1);
	client = gk_client_find(p->kdc, gk_span(raw.bundle.osc_id, 8));
	client->iat.s = 1; // of an older one
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	assert_int_equal(client->iat.s, raw.bundle.exp.s - DAY_S);
}

/* clocks */

static void correct(struct pair *p, int64_t by_s)
{
	p->now.utc.s += by_s;
	pair_drain_kdc(p, gk_kdc_clock(p->kdc, p->now));
}

static void a_corrected_calendar_ends_tokens_at_once(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	join_raw(&raw, p, 1);
	pair_advance(p, 1);
	correct(p, DAY_S - 10);
	pair_advance(p, S(10) - 2);
	assert_true(is_member(p, "raw1"));
	pair_advance(p, S(1));
	assert_false(is_member(p, "raw1"));
}

static void a_calendar_set_back_ends_no_token(void **state)
{
	struct pair *p = *state;
	struct gk_group_config config = p->config[0];
	struct pair_raw raw;

	config.period_s = 10 * DAY_S;
	config.presence.check_interval_s = 10 * DAY_S;
	assert_int_equal(change(p, &config), GK_OK);
	join_raw(&raw, p, 1);
	pair_advance(p, S(DAY_S - 10));
	correct(p, -3600);
	pair_advance(p, S(3600));
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
	pair_advance(p, S(10));
	assert_false(is_member(p, "raw1"));
}

static void the_age_of_what_was_made_in_this_life_is_exact(void **state)
{
	struct pair *p = *state;
	int64_t num = pair_num(p), made_s;

	pair_advance(p, S(1000));
	correct(p, 100 * DAY_S);
	made_s = group_of(p)->made.s;
	assert_int_equal(made_s, p->now.utc.s - 1000);
	pair_advance(p, S(DAY_S - 1000) - 1);
	assert_int_equal(pair_num(p), num);
	pair_advance(p, 1);
	assert_int_equal(pair_num(p), num + 1);
}

/* The clock of a router stands still while it is off, and is corrected later. */
static void the_age_of_what_was_inherited_is_corrected(void **state)
{
	struct pair *p = *state;
	int64_t num = pair_num(p);

	pair_advance(p, S(1000));
	pair_restart(p); // for ten hours, but who knows that
	assert_true(group_of(p)->inherited);
	pair_advance(p, S(100));
	assert_int_equal(gk_group_exi(group_of(p), p->now), 2 * DAY_S - 1100);
	correct(p, 36000);
	assert_int_equal(gk_group_exi(group_of(p), p->now), 2 * DAY_S - 37100);
	pair_advance(p, S(DAY_S - 37100) - 1);
	assert_int_equal(pair_num(p), num);
	pair_advance(p, 1);
	assert_int_equal(pair_num(p), num + 1);
	assert_false(group_of(p)->inherited);
	correct(p, 100 * DAY_S);
	pair_advance(p, S(1000));
	assert_int_equal(pair_num(p), num + 1);
	pair_restart(p);
	correct(p, DAY_S);
	pair_advance(p, 0);
	assert_int_equal(pair_num(p), num + 2); // overdue
}

static void no_correction_makes_material_younger_than_this_life(void **state)
{
	struct pair *p = *state;

	pair_advance(p, S(1000));
	pair_restart(p);
	pair_advance(p, S(500));
	correct(p, -DAY_S);
	assert_int_equal(gk_group_exi(group_of(p), p->now), 2 * DAY_S - 500);
	correct(p, DAY_S);
	assert_int_equal(gk_group_exi(group_of(p), p->now), 2 * DAY_S - 1500);
}

/* G 2.1.3: a Gid is that of one group. Random numbers may be the same twice. */

static struct gk_env chance;
static unsigned prefixes;

static bool draw_one_prefix_twice(void *ctx, uint8_t *out, size_t len)
{
	if (len != 2 || prefixes++ > 1)
		return chance.random(ctx, out, len);
	memset(out, 0xaa, len);
	return true;
}

static void two_groups_never_have_the_same_prefix(void **state)
{
	struct gk_group_config doors = pair_config(OTHER), blinds = pair_config("blinds");
	struct pair *p = *state;

	chance = p->kdc->env;
	prefixes = 0;
	p->kdc->env.random = draw_one_prefix_twice;
	assert_int_equal(pair_serve(p, &doors), GK_OK);
	assert_int_equal(pair_serve(p, &blinds), GK_OK);
	p->kdc->env = chance;
	assert_int_equal(prefixes, 3);
	assert_memory_equal(gk_group_find(p->kdc, gk_span_str(OTHER))->gid_prefix, "\xaa\xaa", 2);
	assert_memory_not_equal(gk_group_find(p->kdc, gk_span_str("blinds"))->gid_prefix,
				"\xaa\xaa", 2);
}

/* RFC 9594 section 4.8.2: an ID is one byte or two, and none comes twice under one Gid. */
static void when_all_sender_ids_are_used_up_there_is_none(void **state)
{
	struct pair *p = *state;
	struct gk_group *group = group_of(p);
	struct gk_stale_set *set;
	struct gk_id id = { 0 };
	struct pair_raw raw;
	size_t count = 0;

	join_raw(&raw, p, 1);
	set = gk_group_stale_now(group);
	while (gk_group_choose_sid(group, &id) == GK_OK && count < 300) {
		assert_int_equal(id.len, count < 255 ? 1 : 2); // the short ones first
		assert_int_equal(gk_group_add_stale(group, &id), GK_OK);
		count++;
	}
	for (unsigned i = 256; i < 65536; i++) {
		id = (struct gk_id){ 2, { (uint8_t)(i >> 8), (uint8_t)i } };
		assert_int_equal(gk_group_add_stale(group, &id), GK_OK);
	}
	assert_int_equal(gk_group_choose_sid(group, &id), GK_ERR_NO_SPACE);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_POST, "nodes/n1"), GK_COAP_UNAVAILABLE);
	assert_hex_equal(raw.answer.payload, "a100a10004");
	set->count = 0; // as a rekeying leaves it
	assert_int_equal(gk_group_choose_sid(group, &id), GK_OK);
	assert_int_equal(id.len, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, pair_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_inactive_group_takes_nobody_in),
		TEST(a_monitor_of_an_inactive_group_is_told_that_first),
		TEST(members_can_ask_whether_their_group_is_active),
		TEST(departures_from_an_inactive_group_are_followed_by_a_rekeying),
		TEST(what_cannot_be_served_changes_nothing),
		TEST(a_check_changes_nothing),
		TEST(mode_and_sign_alg_change_while_there_are_no_members),
		TEST(a_period_counts_from_the_age_of_the_material),
		TEST(stale_sets_beyond_the_new_bound_are_forgotten),
		TEST(presence_goes_by_new_values_at_once),
		TEST(the_same_again_changes_no_clock),
		TEST(beacons_go_by_new_values_at_once),
		TEST(messages_to_the_group_go_by_new_values_at_once),
		TEST(a_tree_ends_when_the_group_becomes_point_to_point),
		TEST(members_elsewhere_are_told_by_messages_of_their_own),
		TEST(the_limit_for_rekeying_can_be_exchanged),
		TEST(what_waits_for_the_link_goes_on_at_the_new_limit),
		TEST(a_group_that_is_deleted_takes_its_keys_along),
		TEST(what_is_left_of_a_group_has_no_secret),
		TEST(a_later_group_of_the_name_goes_on_above_it),
		TEST(answers_for_a_group_that_is_gone_are_ignored),
		TEST(what_was_to_be_sent_ends_with_the_group),
		cmocka_unit_test(no_failure_on_the_way_does_harm),
		TEST(the_mark_is_ahead_of_every_num),
		TEST(groups_that_only_the_store_knows_are_listed),
		TEST(a_new_group_begins_with_0_after_a_restart_too),
		TEST(a_banned_client_is_refused_and_shown),
		TEST(a_token_revoked_before_its_first_use_is_refused),
		TEST(a_token_superseded_before_its_first_use_is_refused),
		TEST(a_renewed_association_keeps_the_date_of_its_token),
		TEST(a_corrected_calendar_ends_tokens_at_once),
		TEST(a_calendar_set_back_ends_no_token),
		TEST(the_age_of_what_was_made_in_this_life_is_exact),
		TEST(the_age_of_what_was_inherited_is_corrected),
		TEST(no_correction_makes_material_younger_than_this_life),
		TEST(two_groups_never_have_the_same_prefix),
		TEST(when_all_sender_ids_are_used_up_there_is_none),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
