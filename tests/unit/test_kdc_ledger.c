// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/ledger.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table)  (sizeof(table) / sizeof((table)[0]))
#define DAY_S        86400
#define TWENTY_YEARS (20 * INT64_C(366) * DAY_S)

static const uint32_t both = 6;

static int open_pair(void **state)
{
	return pair_begin(state, 7, NULL);
}

static int open_tree(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	return pair_begin(state, 7, &config);
}

typedef enum gk_err on_member(struct gk_kdc *kdc, struct gk_span group, struct gk_span member,
			      struct gk_now now);

static enum gk_err act(struct pair *p, on_member *call, const char *member)
{
	enum gk_err err = call(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(member), p->now);

	pair_drain_kdc(p, err);
	return err;
}

static enum gk_err revoke(struct pair *p, const char *name)
{
	enum gk_err err = gk_kdc_revoke(p->kdc, gk_span_str(name), p->now);

	pair_drain_kdc(p, err);
	return err;
}

static enum gk_err issue_for(struct pair *p, const char *name, int64_t lifetime_s,
			     struct gk_client_bundle *bundle)
{
	struct gk_span group = gk_span_str(PAIR_LIGHTS);
	enum gk_err err = gk_kdc_issue(p->kdc,
				       &(struct gk_client_spec){ .name = gk_span_str(name),
								 .groups = &group,
								 .roles = &both,
								 .group_count = 1,
								 .lifetime_s = lifetime_s },
				       p->now, bundle);

	pair_drain_kdc(p, err);
	return err;
}

static size_t count_records(const struct pair *p, enum gk_table table)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == table;
	return count;
}

/* Lose the list, as if it were that of a backup. */
static void forget_issued(struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == GK_TABLE_ISSUED)
			p->records[i].table = (enum gk_table)0; // it is not restored
	}
	pair_restart(p);
}

static bool is_shown(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	return pair_shown(p, PAIR_LIGHTS, name, &info) && info.presence != GK_BANNED;
}

/* With a new association, since one from before a restart has its Echo round first. */
static uint8_t post_and_join(struct pair_raw *raw)
{
	uint8_t code = pair_raw_post(raw);

	return code == GK_COAP_CREATED ? pair_raw_join(raw, PAIR_LIGHTS, 6, true) : code;
}

/* bans */

static void a_client_that_is_banned_is_put_out_and_stays_out(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_join_all(p, 2);
	pair_raw_open(&raw, p, 1, "raw1", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(act(p, gk_kdc_ban, "raw1"), GK_OK);
	assert_false(is_shown(p, "raw1"));
	assert_non_null(pair_raw_asked(&raw)); // the notice
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->reason, "banned");
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_BANNED)->name, "raw1");
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_BANNED)->node, "n3");
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_BANNED)->group, PAIR_LIGHTS);
	pair_advance(p, 1000);
	assert_true(pair_agree(p, 0, 1)); // and what it knew is worth nothing
	for (int life = 0; life < 2; life++) {
		assert_int_equal(post_and_join(&raw), GK_COAP_FORBIDDEN);
		pair_restart(p);
	}
	assert_int_equal(act(p, gk_kdc_unban, "raw1"), GK_OK);
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_UNBANNED)->name, "raw1");
	assert_int_equal(count_records(p, GK_TABLE_BAN), 0);
	assert_int_equal(post_and_join(&raw), GK_COAP_CREATED);
	assert_int_equal(act(p, gk_kdc_unban, "raw1"), GK_ERR_UNKNOWN);
}

static void a_ban_is_lifted_by_the_node_name_that_it_was_said_by(void **state)
{
	struct pair *p = *state;

	pair_join_all(p, 3);
	assert_int_equal(act(p, gk_kdc_ban, "n2"), GK_OK);
	assert_false(is_shown(p, "node1"));
	assert_true(is_shown(p, "node0"));
	assert_int_equal(act(p, gk_kdc_ban, "n2"), GK_ERR_UNKNOWN); // a node name ends
	assert_int_equal(act(p, gk_kdc_ban, "node1"), GK_ERR_STATE);
	pair_restart(p);
	assert_int_equal(act(p, gk_kdc_ban, "node1"), GK_ERR_STATE);
	assert_int_equal(act(p, gk_kdc_unban, "n2"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_BAN), 0);
}

static void a_ban_is_for_one_group_and_one_client(void **state)
{
	struct gk_group_config heat = pair_config("heat");
	struct pair *p = *state;
	struct gk_id id, other;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	pair_join_all(p, 2);
	assert_int_equal(act(p, gk_kdc_ban, "node1"), GK_OK);
	assert_int_equal(gk_id_set(&id, gk_span(p->node[1].bundle.osc_id, 8)), GK_OK);
	assert_int_equal(gk_id_set(&other, gk_span(p->node[0].bundle.osc_id, 8)), GK_OK);
	for (int life = 0; life < 2; life++) {
		assert_true(gk_ledger_is_banned(p->kdc, gk_span_str(PAIR_LIGHTS), &id));
		assert_false(gk_ledger_is_banned(p->kdc, gk_span_str(PAIR_LIGHTS), &other));
		assert_false(gk_ledger_is_banned(p->kdc, gk_span_str("heat"), &id));
		assert_false(gk_ledger_is_banned(p->kdc, gk_span_str("light"), &id));
		pair_restart(p);
	}
}

static void clients_that_are_no_members_are_banned_by_name(void **state)
{
	struct pair *p = *state;
	struct pair_raw known, candidate, issued, twin;

	pair_raw_open(&known, p, 1, "known", NULL, &both, 1);
	pair_raw_post(&known);
	pair_raw_get(&known, GK_COAP_GET, "num");
	pair_raw_open(&candidate, p, 2, "candidate", NULL, &both, 1);
	pair_raw_post(&candidate);
	pair_raw_open(&issued, p, 3, "issued", NULL, &both, 1);
	pair_raw_open(&twin, p, 4, "issued", NULL, &both, 1);
	assert_int_equal(act(p, gk_kdc_ban, "known"), GK_OK);
	assert_int_equal(act(p, gk_kdc_ban, "candidate"), GK_OK);
	assert_int_equal(act(p, gk_kdc_ban, "issued"), GK_OK); // each token of that name
	assert_int_equal(count_records(p, GK_TABLE_BAN), 4);
	assert_int_equal(act(p, gk_kdc_ban, "issued"), GK_ERR_STATE);
	assert_int_equal(act(p, gk_kdc_ban, "nobody"), GK_ERR_UNKNOWN);
	assert_int_equal(act(p, gk_kdc_ban, ""), GK_ERR_UNKNOWN);
	assert_int_equal(gk_kdc_ban(p->kdc, gk_span_str("heat"), gk_span_str("known"), p->now),
			 GK_ERR_UNKNOWN);
	assert_int_equal(pair_raw_join(&known, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_join(&candidate, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_join(&issued, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_join(&twin, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
	assert_int_equal(act(p, gk_kdc_unban, ""), GK_ERR_UNKNOWN); // though none was a node
	assert_int_equal(act(p, gk_kdc_unban, "issued"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_BAN), 2);
}

static void a_name_that_several_have_bans_them_all(void **state)
{
	struct pair *p = *state;
	struct pair_raw member, twin;

	pair_raw_open(&member, p, 1, "one", NULL, &both, 1);
	pair_raw_open(&twin, p, 2, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&member, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(act(p, gk_kdc_ban, "n1"), GK_OK); // a node name is one's own
	assert_int_equal(count_records(p, GK_TABLE_BAN), 1);
	assert_int_equal(act(p, gk_kdc_unban, "n1"), GK_OK);
	assert_int_equal(pair_raw_join(&member, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	assert_int_equal(act(p, gk_kdc_ban, "one"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_BAN), 2);
	assert_false(is_shown(p, "one"));
	assert_int_equal(pair_raw_join(&twin, PAIR_LIGHTS, 6, true), GK_COAP_FORBIDDEN);
}

/* A token of another AS, or from before a backup: its post alone tells of it. */
static void a_token_that_was_only_posted_counts(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "one", NULL, &both, 1);
	pair_drain_kdc(p, GK_OK);
	forget_issued(p);
	assert_int_equal(act(p, gk_kdc_ban, "one"), GK_ERR_UNKNOWN);
	assert_int_equal(revoke(p, "one"), GK_ERR_UNKNOWN);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(act(p, gk_kdc_ban, "one"), GK_OK);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
}

static void those_who_are_banned_are_walked(void **state)
{
	struct pair *p = *state;
	const struct gk_ban *ban = NULL;
	size_t count = 0;

	pair_join_all(p, 5);
	for (size_t i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "node%zu", i);
		assert_int_equal(act(p, gk_kdc_ban, name), GK_OK);
	}
	pair_restart(p);
	while ((ban = gk_ledger_next_ban(p->kdc->groups, ban)) != NULL)
		count++;
	assert_int_equal(count, 4);
}

/* revocations */

static void a_client_that_is_revoked_is_gone_and_stays_gone(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	size_t known;

	pair_join_all(p, 2);
	pair_raw_open(&raw, p, 1, "raw1", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	known = p->kdc->clients_by_id.count;
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED); // a candidate besides
	assert_int_equal(revoke(p, "raw1"), GK_OK);
	assert_false(is_shown(p, "raw1"));
	assert_int_equal(p->kdc->clients_by_id.count, known - 1);
	assert_int_equal(p->kdc->candidate_count, 0);
	assert_non_null(pair_raw_asked(&raw)); // the notice, under the association that ended
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_EVICTED)->reason, "token revoked");
	assert_string_equal(pair_note(p, PAIR_KDC, GK_NOTE_REVOKED)->name, "raw1");
	pair_advance(p, 1000);
	assert_true(pair_agree(p, 0, 1));
	for (int life = 0; life < 2; life++) {
		assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
		assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_UNAUTHORIZED);
		assert_false(raw.is_protected);
		assert_int_equal(p->kdc->candidate_count, 0);
		pair_restart(p);
	}
	assert_int_equal(revoke(p, "raw1"), GK_ERR_UNKNOWN);
	assert_int_equal(revoke(p, "nobody"), GK_ERR_UNKNOWN);
	assert_int_equal(revoke(p, ""), GK_ERR_UNKNOWN);
}

static void every_token_of_the_name_is_revoked(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw[3], other;

	for (unsigned i = 0; i < ROWS(raw); i++)
		pair_raw_open(&raw[i], p, i + 1, "one", NULL, &both, 1);
	pair_raw_open(&other, p, 9, "two", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw[0], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	pair_raw_post(&raw[1]);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_REVOKED), 3);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REVOKED), 1);
	for (unsigned i = 0; i < ROWS(raw); i++)
		assert_int_equal(pair_raw_post(&raw[i]), GK_COAP_UNAUTHORIZED);
	assert_int_equal(pair_raw_post(&other), GK_COAP_CREATED);
	assert_int_equal(count_records(p, GK_TABLE_CLIENT), 0);
	// a new token is a new id
	pair_raw_open(&raw[0], p, 1, "one", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&raw[0], PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
}

static void lasting_records_alone_keep_a_client_out(void **state)
{
	struct pair *p = *state;
	struct pair_raw revoked, banned;

	pair_raw_open(&revoked, p, 1, "revoked", NULL, &both, 1);
	pair_raw_open(&banned, p, 2, "banned", NULL, &both, 1);
	pair_raw_join(&revoked, PAIR_LIGHTS, 6, true);
	pair_raw_join(&banned, PAIR_LIGHTS, 6, true);
	assert_int_equal(revoke(p, "revoked"), GK_OK);
	assert_int_equal(act(p, gk_kdc_ban, "banned"), GK_OK);
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table < GK_TABLE_LASTING)
			p->records[i].table = (enum gk_table)0; // it is not restored
	}
	pair_restart(p);
	assert_int_equal(pair_raw_post(&revoked), GK_COAP_UNAUTHORIZED);
	assert_int_equal(post_and_join(&banned), GK_COAP_FORBIDDEN);
}

/* time */

/* What the operator does while the calendar is wrong is no loss once it is right. */
static void a_clock_that_is_years_ahead_loses_no_token(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;
	struct pair_raw raw, banned;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &both, 1); // for a day
	pair_raw_open(&banned, p, 2, "banned", NULL, &both, 1);
	p->now.utc.s += TWENTY_YEARS;
	assert_int_equal(issue_for(p, "one", 2 * DAY_S, &bundle), GK_OK);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_int_equal(act(p, gk_kdc_ban, "banned"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_ISSUED), 3);
	p->now.utc.s -= TWENTY_YEARS;
	assert_int_equal(post_and_join(&banned), GK_COAP_FORBIDDEN);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(revoke(p, "raw1"), GK_OK);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
}

static void what_seems_to_have_ended_is_revoked_too(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &both, 1);
	p->now.utc.s += TWENTY_YEARS;
	pair_restart(p);
	assert_int_equal(revoke(p, "raw1"), GK_OK);
	assert_int_equal(revoke(p, "raw1"), GK_ERR_UNKNOWN);
	p->now.utc.s -= TWENTY_YEARS;
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
}

static void a_clock_that_was_years_ahead_brings_no_token_back(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &both, 1); // for a day
	assert_int_equal(revoke(p, "raw1"), GK_OK);
	p->now.utc.s += TWENTY_YEARS;
	assert_int_equal(issue_for(p, "one", 2 * DAY_S, &bundle), GK_OK);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_REVOKED), 2);
	p->now.utc.s -= TWENTY_YEARS;
	assert_int_equal(pair_raw_post(&raw), GK_COAP_UNAUTHORIZED);
}

/* bounds */

static void nothing_is_said_while_nothing_can_be_stored(void **state)
{
	struct pair *p = *state;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];

	pair_join_all(p, 3);
	assert_int_equal(act(p, gk_kdc_ban, "node2"), GK_OK);
	pair_advance(p, 1000);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_NONE, p->now));
	pair_digest(p, before);
	assert_int_equal(act(p, gk_kdc_ban, "node1"), GK_ERR_NO_SPACE);
	assert_int_equal(act(p, gk_kdc_unban, "node2"), GK_ERR_NO_SPACE);
	assert_int_equal(revoke(p, "node1"), GK_ERR_NO_SPACE);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_true(is_shown(p, "node1"));
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_BANNED), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REVOKED), 0);
	pair_drain_kdc(p, gk_kdc_storage(p->kdc, GK_STORAGE_SCARCE, p->now));
	assert_int_equal(act(p, gk_kdc_ban, "node1"), GK_OK); // in the room of the reserve
	assert_int_equal(act(p, gk_kdc_unban, "node2"), GK_OK);
	assert_int_equal(revoke(p, "node0"), GK_OK);
}

/* Restore an entry as the store would, without one in the harness's store. */
/* The ids of tokens differ from the others' in their order of bytes. */
static void put_reversed(uint64_t i, uint8_t id[8])
{
	for (int at = 0; at < 8; at++)
		id[at] = (uint8_t)(i >> 8 * at);
}

static uint64_t read_reversed(const uint8_t *id)
{
	uint64_t i = 0;

	for (int at = 7; at >= 0; at--)
		i = i << 8 | id[at];
	return i;
}

static void restore_many(struct pair *p, enum gk_table table, size_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		uint8_t key_bytes[32], bytes[64], id[8];
		struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));
		struct gk_buf value = gk_buf(bytes, sizeof(bytes));

		if (table == GK_TABLE_BAN)
			gk_buf_add(&key, gk_span("lights", 7)); // and a 0
		for (int shift = 56; shift >= 0; shift -= 8)
			gk_buf_byte(&key, (uint8_t)(i >> shift));
		put_reversed(i, id);
		gk_put_array(&value, table == GK_TABLE_ISSUED ? 5 : 3);
		gk_put_uint(&value, 3);
		if (table == GK_TABLE_ISSUED)
			gk_put_bytes(&value, gk_span(id, sizeof(id)));
		gk_put_bytes(&value, gk_span_str("x"));
		if (table == GK_TABLE_ISSUED)
			gk_put_bytes(&value, gk_span("\x81\x82\x66lights\x06", 10));
		if (table == GK_TABLE_BAN)
			gk_put_bytes(&value, gk_span(NULL, 0));
		else
			gk_put_int(&value, p->now.utc.s + DAY_S);
		assert_int_equal(gk_kdc_restore(p->kdc,
						&(struct gk_record){ .table = table,
								     .key = gk_buf_span(&key),
								     .value = gk_buf_span(&value) },
						p->now),
				 GK_OK);
	}
}

static void the_ledger_is_bounded(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;

	assert_int_equal(issue_for(p, "one", 2 * DAY_S, &bundle), GK_OK);
	assert_int_equal(issue_for(p, "two", 2 * DAY_S, &bundle), GK_OK);
	restore_many(p, GK_TABLE_BAN, GK_LEDGER_MAX - 1);
	restore_many(p, GK_TABLE_REVOKED, GK_LEDGER_MAX - 1);
	assert_int_equal(act(p, gk_kdc_ban, "one"), GK_OK);
	assert_int_equal(act(p, gk_kdc_ban, "two"), GK_ERR_NO_SPACE);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_int_equal(revoke(p, "two"), GK_ERR_NO_SPACE);
	assert_int_equal(count_records(p, GK_TABLE_BAN), 1);
	assert_int_equal(count_records(p, GK_TABLE_REVOKED), 1);
	p->now.utc.s += DAY_S; // those that have ended make room
	assert_int_equal(revoke(p, "two"), GK_OK);
	assert_int_equal(count_records(p, GK_TABLE_REVOKED), 2);
}

static void so_many_tokens_are_issued_and_no_more(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;

	restore_many(p, GK_TABLE_ISSUED, GK_LEDGER_MAX - 1);
	assert_int_equal(issue_for(p, "one", DAY_S, &bundle), GK_OK);
	assert_int_equal(issue_for(p, "two", DAY_S, &bundle), GK_ERR_NO_SPACE);
	p->now.utc.s += DAY_S;
	assert_int_equal(issue_for(p, "two", DAY_S, &bundle), GK_OK);
}

static void of_tokens_the_one_that_ended_longest_ago_makes_room(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;

	restore_many(p, GK_TABLE_ISSUED, GK_LEDGER_MAX - 3);
	assert_int_equal(issue_for(p, "late", 7200, &bundle), GK_OK);
	assert_int_equal(issue_for(p, "early", 3600, &bundle), GK_OK);
	assert_int_equal(issue_for(p, "between", 5400, &bundle), GK_OK);
	p->now.utc.s += 7200; // all three have ended
	assert_int_equal(issue_for(p, "next", DAY_S, &bundle), GK_OK);
	assert_int_equal(p->kdc->issued_by_client.count, GK_LEDGER_MAX);
	assert_int_equal(count_records(p, GK_TABLE_ISSUED), 3);
	assert_int_equal(revoke(p, "early"), GK_ERR_UNKNOWN);
	assert_int_equal(revoke(p, "late"), GK_OK);
	assert_int_equal(revoke(p, "between"), GK_OK);
	pair_restart(p);
	assert_int_equal(revoke(p, "early"), GK_ERR_UNKNOWN);
}

static void of_revocations_the_one_that_ended_longest_ago_makes_room(void **state)
{
	static const char *const names[] = { "late", "early", "between" };
	static const int64_t lifetimes[] = { 7200, 3600, 5400 };
	struct gk_client_bundle bundle[ROWS(names)], next;
	struct pair *p = *state;

	restore_many(p, GK_TABLE_REVOKED, GK_LEDGER_MAX - ROWS(names));
	for (size_t i = 0; i < ROWS(names); i++) {
		assert_int_equal(issue_for(p, names[i], lifetimes[i], &bundle[i]), GK_OK);
		assert_int_equal(revoke(p, names[i]), GK_OK);
	}
	p->now.utc.s += 7200;
	assert_int_equal(issue_for(p, "next", 3600, &next), GK_OK);
	assert_int_equal(revoke(p, "next"), GK_OK);
	assert_int_equal(p->kdc->revoked_by_client.count, GK_LEDGER_MAX);
	assert_int_equal(count_records(p, GK_TABLE_REVOKED), ROWS(names));
	for (size_t i = 0; i < ROWS(names); i++)
		assert_int_equal(gk_ledger_is_revoked(p->kdc, gk_span(bundle[i].osc_id, 8)),
				 i != 1);
}

/* the list of clients */

static size_t list(const struct pair *p, struct gk_client_info *infos, size_t max)
{
	size_t at = 0, count = 0;

	while (count < max && gk_kdc_client_next(p->kdc, &at, &infos[count]))
		count++;
	return count;
}

static const struct gk_client_info *find_info(const struct gk_client_info *infos, size_t count,
					      const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (gk_span_equal(infos[i].name, gk_span_str(name)))
			return &infos[i];
	}
	return NULL;
}

static void each_client_is_listed_once(void **state)
{
	static const struct {
		const char *name;
		bool known, revoked;
		size_t groups, scope_len;
	} rows[] = {
		{ "member", true, false, 1, 10 },   { "known", true, false, 0, 10 },
		{ "waiting", false, false, 0, 10 }, { "revoked", false, true, 0, 10 },
		{ "forgotten", false, true, 0, 0 },
	};
	struct pair *p = *state;
	struct gk_client_bundle bundle;
	struct gk_client_info infos[8];
	struct pair_raw member, known;
	size_t count = 0;

	assert_int_equal(issue_for(p, "forgotten", 60, &bundle), GK_OK);
	assert_int_equal(revoke(p, "forgotten"), GK_OK);
	forget_issued(p);
	pair_raw_open(&member, p, 1, "member", NULL, &both, 1);
	assert_int_equal(pair_raw_join(&member, PAIR_LIGHTS, 6, true), GK_COAP_CREATED);
	pair_raw_open(&known, p, 2, "known", NULL, &both, 1);
	pair_raw_post(&known);
	pair_raw_get(&known, GK_COAP_GET, "num");
	assert_int_equal(issue_for(p, "waiting", DAY_S, &bundle), GK_OK);
	assert_int_equal(issue_for(p, "revoked", DAY_S, &bundle), GK_OK);
	assert_int_equal(revoke(p, "revoked"), GK_OK);
	for (int life = 0; life < 2; life++) {
		count = list(p, infos, ROWS(infos));
		assert_int_equal(count, ROWS(rows));
		for (size_t i = 0; i < ROWS(rows); i++) {
			const struct gk_client_info *info = find_info(infos, count, rows[i].name);

			if (!info || info->known != rows[i].known ||
			    info->revoked != rows[i].revoked || info->groups != rows[i].groups ||
			    info->scope.len != rows[i].scope_len || info->id.len != 8)
				fail_msg("life %d: %s", life, rows[i].name);
		}
		pair_restart(p);
	}
}

/* Ids are numbers. */
static void a_long_list_is_complete(void **state)
{
	static bool met[2][GK_LEDGER_MAX + 1];
	struct pair *p = *state;
	struct gk_client_info info;
	size_t at = 0, count = 0;

	restore_many(p, GK_TABLE_ISSUED, GK_LEDGER_MAX);
	restore_many(p, GK_TABLE_REVOKED, GK_LEDGER_MAX);
	while (gk_kdc_client_next(p->kdc, &at, &info)) {
		uint64_t i = 0;

		assert_int_equal(info.id.len, sizeof(i));
		if (info.scope.len)
			i = read_reversed(info.id.data);
		else
			i = gk_span_uint(gk_id_span(&info.id));
		assert_in_range(i, 1, GK_LEDGER_MAX);
		assert_int_equal(info.revoked, info.scope.len == 0);
		assert_false(met[info.revoked][i]);
		met[info.revoked][i] = true;
		count++;
	}
	assert_int_equal(count, 2 * GK_LEDGER_MAX);
	assert_false(gk_kdc_client_next(p->kdc, &at, &info));
}

static void a_walk_ends_whatever_changes_on_the_way(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;
	struct gk_client_info info;
	size_t at = 0, steps = 0;

	restore_many(p, GK_TABLE_ISSUED, 100);
	pair_join_all(p, 3);
	while (gk_kdc_client_next(p->kdc, &at, &info)) {
		steps++;
		if (steps == 2) // all that were restored
			assert_int_equal(revoke(p, "x"), GK_OK);
		if (steps > 2 && steps < 20)
			assert_int_equal(issue_for(p, "one", 2 * DAY_S, &bundle), GK_OK);
		assert_in_range(steps, 1, 400);
	}
	assert_true(steps > 20);
}

static void a_walk_ends_while_tokens_make_room(void **state)
{
	struct pair *p = *state;
	struct gk_client_bundle bundle;
	struct gk_client_info info;
	size_t at = 0, steps = 0;

	restore_many(p, GK_TABLE_ISSUED, GK_LEDGER_MAX - 3);
	pair_join_all(p, 3);
	p->now.utc.s += DAY_S;
	while (gk_kdc_client_next(p->kdc, &at, &info)) {
		steps++;
		if (steps > 2 && steps < 20)
			assert_int_equal(issue_for(p, "one", 2 * DAY_S, &bundle), GK_OK);
		assert_in_range(steps, 1, 2 * GK_LEDGER_MAX);
	}
	assert_int_equal(p->kdc->issued_by_client.count, GK_LEDGER_MAX);
}

/* memory */

static void without_memory_nothing_half_is_left(void **state)
{
	static on_member *const calls[] = { gk_kdc_ban, gk_kdc_unban };
	struct pair *p = *state;
	struct gk_client_bundle bundle;

	pair_join_all(p, 2);
	for (unsigned n = 1; n < 40; n++) {
		test_env_fail_alloc(&p->kdc_env, n);
		(void)issue_for(p, "one", DAY_S, &bundle);
		test_env_fail_alloc(&p->kdc_env, n);
		(void)act(p, calls[n % 2], "one");
		test_env_fail_alloc(&p->kdc_env, n);
		(void)revoke(p, n % 3 ? "one" : "node1");
	}
	test_env_fail_alloc(&p->kdc_env, 0);
	pair_restart(p);
	assert_int_equal(issue_for(p, "one", DAY_S, &bundle), GK_OK);
	assert_int_equal(revoke(p, "one"), GK_OK);
	assert_true(is_shown(p, "node0"));
}

int main(void)
{
#define RULE(name)    cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
#define IN_TREE(name) cmocka_unit_test_setup_teardown(name, open_tree, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_client_that_is_banned_is_put_out_and_stays_out),
		IN_TREE(a_client_that_is_banned_is_put_out_and_stays_out),
		RULE(a_ban_is_lifted_by_the_node_name_that_it_was_said_by),
		RULE(a_ban_is_for_one_group_and_one_client),
		RULE(clients_that_are_no_members_are_banned_by_name),
		RULE(a_name_that_several_have_bans_them_all),
		RULE(a_token_that_was_only_posted_counts),
		RULE(those_who_are_banned_are_walked),
		RULE(a_client_that_is_revoked_is_gone_and_stays_gone),
		IN_TREE(a_client_that_is_revoked_is_gone_and_stays_gone),
		RULE(every_token_of_the_name_is_revoked),
		RULE(lasting_records_alone_keep_a_client_out),
		RULE(a_clock_that_is_years_ahead_loses_no_token),
		RULE(what_seems_to_have_ended_is_revoked_too),
		RULE(a_clock_that_was_years_ahead_brings_no_token_back),
		RULE(nothing_is_said_while_nothing_can_be_stored),
		RULE(the_ledger_is_bounded),
		RULE(so_many_tokens_are_issued_and_no_more),
		RULE(of_tokens_the_one_that_ended_longest_ago_makes_room),
		RULE(of_revocations_the_one_that_ended_longest_ago_makes_room),
		RULE(each_client_is_listed_once),
		RULE(a_long_list_is_complete),
		RULE(a_walk_ends_whatever_changes_on_the_way),
		RULE(a_walk_ends_while_tokens_make_room),
		RULE(without_memory_nothing_half_is_left),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
