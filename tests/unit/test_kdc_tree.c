// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The scheme "tree" at the KDC: who takes part in it, what a rekeying message to the group has in
// it, and what becomes of it over restarts. How it reaches the members, or does not, is in
// test_kdc_tree_delivery.c.

#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ANYONE      (-3)

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	return pair_begin(state, 20, &config);
}

/* Copies and confirmations are over. */
static void settle(struct pair *p)
{
	pair_advance(p, 30000);
}

static void join_tree(struct pair *p, size_t count)
{
	pair_join_all(p, count);
	settle(p);
}

static void join_raw(struct pair_raw *raw, struct pair *p, unsigned number, bool tree)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &all, 1);
	raw->tree = tree;
	assert_int_equal(pair_raw_join(raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
}

static void rekey(struct pair *p)
{
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static void evict(struct pair *p, const char *name)
{
	assert_int_equal(gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name), p->now),
			 GK_OK);
	pair_drain_kdc(p, GK_OK);
}

static void leave(struct pair *p, size_t i)
{
	assert_int_equal(pair_leave(p, i, PAIR_LIGHTS), GK_OK);
	pair_run(p);
}

/* Make a member anew, and let it join once more. */
static void join_again(struct pair *p, size_t i, bool point_to_point)
{
	p->node[i].point_to_point = point_to_point;
	pair_reset(p, i);
	assert_int_equal(pair_join(p, i, PAIR_LIGHTS, 6), GK_OK);
	pair_run(p);
}

static struct gk_member_info shown(const struct pair *p, size_t i)
{
	struct gk_member_info info;

	assert_true(pair_shown(p, PAIR_LIGHTS, p->node[i].name, &info));
	return info;
}

/* Rekeying messages that the KDC sent to one member alone, from a place of the log on. */
static size_t count_unicast(const struct pair *p, size_t from, int to)
{
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		count += m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
			 m->plain.data[0] == GK_COAP_POST && (to == ANYONE || m->to == to);
	}
	return count;
}

/* Messages to the group, as one member is sent them. */
struct casts {
	size_t copies;
	const struct pair_message *content[64]; /* the first copy of each */
	size_t contents;
};

static bool is_among(const struct casts *casts, struct gk_span bytes)
{
	for (size_t i = 0; i < casts->contents; i++) {
		if (gk_span_equal(casts->content[i]->bytes, bytes))
			return true;
	}
	return false;
}

static struct casts casts_since(const struct pair *p, size_t from, size_t to)
{
	struct casts casts = { 0 };
	struct gk_rekeying message;

	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		if (m->to != (int)to || !pair_read_cast(m, &message))
			continue;
		casts.copies++;
		if (is_among(&casts, m->bytes))
			continue;
		assert_true(casts.contents < ROWS(casts.content));
		casts.content[casts.contents++] = m;
	}
	return casts;
}

static struct gk_rekeying only_cast(const struct casts *casts)
{
	struct gk_rekeying message;

	assert_int_equal(casts->contents, 1);
	assert_true(pair_read_cast(casts->content[0], &message));
	return message;
}

static size_t coap_len(const struct pair_message *m)
{
	return m->bytes.len - 1 + 4;
}

static size_t count_records(const struct pair *p, enum gk_table table)
{
	size_t count = 0;

	for (size_t i = 0; i < p->record_count; i++)
		count += p->records[i].table == table;
	return count;
}

/* configuration */

static void values_out_of_bounds_are_refused_where_they_are_of_use(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		bool fits;
	} rows[] = {
#define AT(field) offsetof(struct gk_rekey_config, field)
		{ AT(confirm), GK_CONFIRM_NONE, true },
		{ AT(confirm), GK_CONFIRM_NONE + 1, false },
		{ AT(repeat), 0, false },
		{ AT(repeat), 1, true },
		{ AT(repeat), 10, true },
		{ AT(repeat), 11, false },
		{ AT(repeat_ms), 99, false },
		{ AT(repeat_ms), 100, true },
		{ AT(repeat_ms), 60000, true },
		{ AT(repeat_ms), 60001, false },
		{ AT(beacon_min_s), 3600, true },
		{ AT(beacon_min_s), 3601, false }, // above the most
		{ AT(beacon_max_s), 0, false },
		{ AT(beacon_max_s), 31536000 / 32, true },
		{ AT(beacon_max_s), 31536000 / 32 + 1, false },
		{ AT(control_group.ip), 0, false }, // ::, which is unicast
		{ AT(control_group.port), 0, false },
	};
	struct pair *p = *state;
	struct gk_group_config config;
	enum gk_err err;

	for (size_t i = 0; i < ROWS(rows); i++) {
		for (int tree = 0; tree < 2; tree++) {
			char name[32];

			snprintf(name, sizeof(name), "%zu%c", i, tree ? 't' : 'p');
			config = pair_tree_config(name);
			config.rekey.scheme = tree ? GK_TREE : GK_POINT_TO_POINT;
			if (rows[i].at == AT(control_group.port))
				config.rekey.control_group.port = 0;
			else
				memcpy((char *)&config.rekey + rows[i].at, &rows[i].value,
				       sizeof(rows[i].value));
			err = gk_kdc_add_group(p->kdc, &config, p->now);
			if (err != (rows[i].fits || !tree ? GK_OK : GK_ERR_RANGE))
				fail_msg("row %zu, tree %d: %s", i, tree, gk_strerror(err));
		}
	}
	pair_drain_kdc(p, GK_OK);
	config = pair_tree_config("scheme");
	config.rekey.scheme = (enum gk_scheme)2;
	assert_int_equal(gk_kdc_add_group(p->kdc, &config, p->now), GK_ERR_RANGE);
}

/* departures */

static void a_departure_is_one_message_to_the_group(void **state)
{
	struct pair *p = *state;
	struct gk_rekeying_info took;
	struct gk_rekeying message;
	struct casts casts;
	size_t from;
	int64_t num;

	join_tree(p, 5);
	num = pair_num(p);
	from = p->log_count;
	leave(p, 2);
	settle(p);
	casts = casts_since(p, from, 0);
	message = only_cast(&casts);
	assert_int_equal(message.old_num, num);
	assert_int_equal(message.num, num + 1);
	assert_int_equal(message.step.entries.len, 3 * GK_TREE_ENTRY_LEN); // of 8 leaves
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	for (size_t i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		assert_int_equal(pair_note(p, (int)i, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
		assert_int_equal(pair_note(p, (int)i, GK_NOTE_REKEYED)->num, num + 1);
		assert_int_equal(shown(p, i).delivery, GK_DELIVERY_CONFIRMED);
		assert_int_equal(shown(p, i).num, num + 1);
	}
	assert_int_equal(pair_note(p, PAIR_KDC, GK_NOTE_DELIVERED)->via, GK_VIA_MULTICAST);
	assert_int_equal(pair_group(p).confirmed, 4);
	took = pair_group(p).rekeying;
	assert_int_equal(took.num, num + 1);
	assert_int_equal(took.members, 4);
	assert_int_equal(took.confirmed, 4);
	assert_int_equal(took.unicast, 0);
	assert_int_equal(took.parked, 0);
	assert_int_equal(took.datagrams, casts.copies);
	assert_int_equal(took.bytes, casts.copies * coap_len(casts.content[0]));
	assert_in_range(took.duration_ms, 0, message.leisure_ms);
}

static void copies_are_sent_as_often_as_configured_with_pauses(void **state)
{
	struct pair *p = *state;
	const struct pair_message *last = NULL;
	struct gk_rekeying message;
	struct casts casts;
	size_t from;

	p->config[0].rekey.repeat = 5;
	p->config[0].rekey.repeat_ms = 4000;
	p->config[0].rekey.confirm = GK_CONFIRM_NONE;
	pair_restart(p);
	join_tree(p, 3);
	from = p->log_count;
	leave(p, 2);
	settle(p);
	casts = casts_since(p, from, 0);
	assert_int_equal(casts.contents, 1);
	assert_int_equal(casts.copies, 5);
	for (size_t i = from; i < p->log_count; i++) {
		if (p->log[i]->to != 0 || !pair_read_cast(p->log[i], &message))
			continue;
		if (last)
			assert_in_range(p->log[i]->sent_ms - last->sent_ms, 2000, 6000);
		last = p->log[i];
	}
}

static void nobody_waits_for_a_copy_that_all_have_confirmed(void **state)
{
	struct pair *p = *state;
	size_t from;

	p->config[0].rekey.repeat = 10;
	p->config[0].rekey.repeat_ms = 3000;
	pair_restart(p);
	pair_add(p, 6);
	p->node[0].point_to_point = true;
	pair_reset(p, 0);
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	join_tree(p, 3);
	p->node[0].cut = true; // and for nobody else
	from = p->log_count;
	rekey(p);
	settle(p);
	assert_int_equal(casts_since(p, from, 1).copies, 1);
}

static void a_message_goes_to_the_configured_address(void **state)
{
	static const uint8_t ip[16] = { 0xff, 0x05, [15] = 0x77 };
	struct pair *p = *state;
	struct gk_membership_info info;
	const struct pair_message *m;
	struct gk_span path[3];
	struct gk_coap msg;

	memcpy(p->config[0].rekey.control_group.ip, ip, sizeof(ip));
	p->config[0].rekey.control_group.port = 7000;
	pair_restart(p);
	join_tree(p, 2);
	m = pair_newest(p, PAIR_MULTICAST, PAIR_KDC, 0);
	assert_memory_equal(m->peer.ip, ip, sizeof(ip));
	assert_int_equal(m->peer.port, 7000);
	assert_int_equal(gk_coap_parse(m->bytes, &msg), GK_OK);
	assert_int_equal(msg.code, GK_COAP_POST);
	assert_int_equal(gk_coap_path(&msg, path, 3), 2);
	assert_true(gk_span_equal(path[0], gk_span_str("ace-group")));
	assert_true(gk_span_equal(path[1], gk_span_str(PAIR_LIGHTS)));
	assert_int_equal(gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1), GK_CF_ACE_GROUPCOMM);
	// which is what members are told
	info = pair_info(p, 1);
	assert_true(info.in_tree);
	assert_memory_equal(info.control_group.ip, ip, sizeof(ip));
	assert_int_equal(info.control_group.port, 7000);
}

static void an_emptied_tree_needs_no_message(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_tree(p, 1);
	assert_int_equal(casts_since(p, 0, 0).copies, 0); // nor does the first one
	from = p->log_count;
	leave(p, 0);
	settle(p);
	assert_int_equal(casts_since(p, from, 0).copies, 0);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 0);
	// and the next member knows nothing that this one knew
	join_tree(p, 2);
	assert_true(pair_agree(p, 1, 2));
	assert_true(pair_info(p, 1).in_tree && pair_info(p, 2).in_tree);
}

/* joins */

static size_t place_of_reply(const struct pair *p, size_t from, int to)
{
	for (size_t i = from; i < p->log_count; i++) {
		if (p->log[i]->kind == PAIR_REPLY && p->log[i]->to == to && p->log[i]->plain.len &&
		    p->log[i]->plain.data[0] == GK_COAP_CREATED)
			from = i;
	}
	return from;
}

static void a_join_is_told_to_the_others_before_the_joiner(void **state)
{
	struct pair *p = *state;

	join_tree(p, 3);
	for (size_t k = 3; k < 6; k++) { // slot 3, and growth of the tree by slot 4
		size_t from = p->log_count, asked, reply;
		int64_t num = pair_num(p);
		struct gk_rekeying message;
		struct casts casts;

		asked = pair_count(p, PAIR_REQUEST, 0, PAIR_KDC);
		join_tree(p, 1);
		casts = casts_since(p, from, 0);
		message = only_cast(&casts);
		reply = place_of_reply(p, from, (int)k);
		assert_true(casts.content[0]->exchange.id - 1 < reply);
		assert_int_equal(message.num, num + 1);
		assert_int_equal(message.step.entries.len, 0);
		assert_int_equal(message.step.height, k < 4 ? 2 : 3);
		assert_hex_equal(message.step.joined, k == 3 ? "8103" : k == 4 ? "8104" : "8105");
		// its credential came along
		for (size_t i = 0; i < k; i++)
			assert_int_equal(pair_info(p, i).peers, k);
		assert_int_equal(pair_count(p, PAIR_REQUEST, 0, PAIR_KDC), asked);
		assert_true(pair_agree(p, 0, k));
		assert_int_equal(count_unicast(p, from, ANYONE), 0);
		assert_int_equal(pair_group(p).rekeying.members, k);
		assert_int_equal(pair_group(p).rekeying.confirmed, k);
	}
}

static void a_credential_that_does_not_fit_is_asked_for(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[60];

	join_tree(p, 2);
	p->config[0].coalesce_ms = 10000;
	pair_restart(p);
	pair_advance(p, 1000);
	for (unsigned i = 0; i < ROWS(raw); i++)
		join_raw(&raw[i], p, i + 1, false);
	settle(p);
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		evict(p, name);
	}
	pair_join_all(p, 1); // with sixty stale Sender IDs
	settle(p);
	assert_true(pair_agree(p, 0, 2));
	assert_int_equal(pair_info(p, 0).peers, 1);
	assert_int_equal(pair_say(p, 2, PAIR_LIGHTS, "hello"), GK_OK);
	settle(p);
	assert_int_equal(pair_info(p, 0).peers, 2);
}

static void without_rekey_on_join_who_enters_the_tree_brings_new_material_anyway(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	int64_t num;

	p->config[0].rekey_on_join = false;
	pair_restart(p);
	join_tree(p, 3);
	num = pair_num(p);
	join_raw(&raw, p, 1, false);
	settle(p);
	assert_int_equal(pair_num(p), num);
	join_tree(p, 1);
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 0, 3));
	join_raw(&raw, p, 2, true);
	assert_int_equal(pair_num(p), num + 2);
}

static void a_slot_left_and_taken_again_in_one_rekeying_is_new(void **state)
{
	struct pair *p = *state;
	struct gk_rekeying message;
	struct casts casts;
	size_t from;
	int64_t num;

	join_tree(p, 4);
	num = pair_num(p);
	from = p->log_count;
	evict(p, "node1");
	p->node[1].cut = true;
	join_tree(p, 1); // closes the window, and takes slot 1
	assert_int_equal(pair_num(p), num + 1);
	casts = casts_since(p, from, 0);
	message = only_cast(&casts);
	assert_hex_equal(message.step.joined, "8101");
	assert_int_equal(message.step.entries.len, 3 * GK_TREE_ENTRY_LEN);
	for (size_t i = 0; i < 5; i++)
		assert_true(i == 1 || pair_agree(p, i, i));
}

/* both kinds of member in a group */

static const struct gk_cbor_field told_fields[] = {
	{ GK_PARAM_REKEYING_SCHEME, GK_CBOR_INT, false },
	{ GK_PARAM_MGT_KEY_MATERIAL, GK_CBOR_BYTES, false },
	{ GK_PARAM_CONTROL_GROUP_URI, GK_CBOR_TEXT, false },
};

/* Whether a payload has all three of these, or which. */
static void assert_told(struct gk_span payload, bool scheme, bool mgt, bool uri)
{
	struct gk_cbor_item item[3];

	assert_int_equal(gk_cbor_read_map(payload, told_fields, 3, item), GK_OK);
	assert_int_equal(item[0].kind != GK_CBOR_NONE, scheme);
	assert_int_equal(item[1].kind != GK_CBOR_NONE, mgt);
	assert_int_equal(item[2].kind != GK_CBOR_NONE, uri);
	if (scheme)
		assert_int_equal(item[0].number, GK_SCHEME_TREE);
}

static void what_is_told_by_unicast_depends_on_the_announcement(void **state)
{
	static const char *const paths[] = { "", "*" };
	struct pair *p = *state;

	join_tree(p, 2);
	for (unsigned tree = 0; tree < 2; tree++) {
		struct gk_mgt_material mgt;
		struct gk_cbor_item item[3];
		struct pair_raw raw;

		join_raw(&raw, p, 1 + tree, tree);
		assert_told(raw.answer.payload, tree, tree, tree);
		for (size_t i = 0; i < ROWS(paths); i++) {
			assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, paths[i]),
					 GK_COAP_CONTENT);
			assert_told(raw.answer.payload, tree, tree, tree);
		}
		if (!tree)
			continue;
		assert_int_equal(gk_cbor_read_map(raw.answer.payload, told_fields, 3, item), GK_OK);
		assert_int_equal(gk_mgt_material_read(item[1].string, &mgt), GK_OK);
		assert_int_equal(mgt.slot, 2);
		assert_int_equal(mgt.repeat, 2);
		assert_int_equal(mgt.path.len, 3 * GK_KEYPATH_NODE_LEN);
		assert_true(gk_span_equal(
			item[2].string,
			gk_span_str("coap://[ff03::fd]:5686/ace-group/" PAIR_LIGHTS)));
	}
}

static void other_schemes_are_no_announcement(void **state)
{
	static const char *const values[] = {
		"00",                 // point-to-point
		"01",                 // another of R 11.13
		"1a00011f39",         // 73529, without the sign
		"3a00011f37",         // its neighbours
		"3a00011f39",         //
		"3b0000000100011f38", // the same in its last 32 bits
		"4401020304",
		"f6",
		"80",
		"f9c400",
	};
	struct pair *p = *state;

	join_tree(p, 1);
	for (unsigned i = 0; i < ROWS(values); i++) {
		struct gk_member_info info;
		struct pair_raw raw;
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		pair_raw_open(&raw, p, i + 1, name, NULL, &all, 1);
		raw.scheme = hex_span(values[i]);
		if (pair_raw_join(&raw, PAIR_LIGHTS, 6, false) != GK_COAP_CREATED)
			fail_msg("row %u: refused", i);
		assert_told(raw.answer.payload, false, false, false);
		assert_true(pair_shown(p, PAIR_LIGHTS, name, &info));
		assert_false(info.in_tree);
	}
}

/* A rekeying message of its own carries the path of a member in the tree, and of no other. */
static void assert_unicast_to(const struct pair *p, size_t from, int to, bool mgt)
{
	for (size_t i = from; i < p->log_count; i++) {
		struct gk_coap msg;

		if (p->log[i]->kind != PAIR_REQUEST || p->log[i]->from != PAIR_KDC ||
		    p->log[i]->to != to || p->log[i]->plain.data[0] != GK_COAP_POST)
			continue;
		assert_int_equal(gk_coap_parse(p->log[i]->plain, &msg), GK_OK);
		assert_told(msg.payload, false, mgt, false);
		return;
	}
	fail_msg("no rekeying message to %d", to);
}

static void a_group_may_have_both_kinds(void **state)
{
	struct pair *p = *state;
	size_t from;

	pair_add(p, 6);
	pair_add(p, 6);
	for (size_t i = 0; i < 2; i++)
		join_again(p, i, true);
	join_tree(p, 3);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(shown(p, i).in_tree, i >= 2);
		assert_int_equal(pair_info(p, i).in_tree, i >= 2);
	}
	assert_int_equal(pair_group(p).in_tree, 3);
	from = p->log_count;
	leave(p, 4);
	settle(p);
	assert_int_equal(casts_since(p, from, 2).contents, 1);
	assert_int_equal(count_unicast(p, from, 0), 1);
	assert_int_equal(count_unicast(p, from, 1), 1);
	assert_int_equal(count_unicast(p, from, ANYONE), 2);
	assert_unicast_to(p, from, 0, false);
	assert_true(pair_agree(p, 0, 3));
	for (int i = 0; i < 4; i++)
		assert_int_equal(pair_note(p, i, GK_NOTE_REKEYED)->via,
				 i < 2 ? GK_VIA_UNICAST : GK_VIA_MULTICAST);
	assert_int_equal(pair_group(p).rekeying.members, 4);
	assert_int_equal(pair_group(p).rekeying.confirmed, 2);
	assert_int_equal(pair_group(p).rekeying.unicast, 2);
}

/* By multicast and by unicast, and however often. */
static void what_all_rekeyings_took_is_the_sum_of_them(void **state)
{
	struct pair *p = *state;
	struct gk_rekeying_totals want, totals;

	pair_add(p, 6);
	join_again(p, 0, true);
	join_tree(p, 3);
	want = pair_group(p).totals;
	assert_int_equal(want.count, pair_num(p));
	for (size_t gone = 3; gone > 1; gone--) {
		leave(p, gone);
		settle(p);
		want.count++;
		want.bytes += pair_group(p).rekeying.bytes;
		want.datagrams += pair_group(p).rekeying.datagrams;
		assert_int_equal(pair_group(p).rekeying.unicast, 1);
		assert_true(pair_group(p).rekeying.datagrams > 1);
	}
	totals = pair_group(p).totals;
	assert_int_equal(totals.count, want.count);
	assert_int_equal(totals.bytes, want.bytes);
	assert_int_equal(totals.datagrams, want.datagrams);
}

/* the keys of who is gone */

static struct gk_keypath keys_of(const struct pair *p, size_t i)
{
	const struct gk_membership *ms = p->node[i].member->groups[0];

	assert_true(ms->tree.path.known);
	return ms->tree.path;
}

/* Whether someone who has these keys, and hears all from a place of the log on, reads any of it. */
static bool can_read(const struct pair *p, size_t from, const struct gk_keypath *had)
{
	struct gk_tree_group group = p->kdc->groups->tree.group;
	struct gk_keypath path = *had;

	for (size_t i = from; i < p->log_count; i++) {
		const struct gk_keypath *tried[] = { &path, had };
		struct gk_rekeying message;

		if (!pair_read_cast(p->log[i], &message) || message.type != GK_REKEYING)
			continue;
		for (size_t k = 0; k < ROWS(tried); k++) {
			uint8_t bytes[2048];
			struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
			struct gk_keypath next;

			if (gk_keypath_advance(tried[k], &group, &message.step, &next) == GK_OK &&
			    gk_rekeying_open(&group, &message, gk_keypath_root(&next), &buf) ==
				    GK_OK)
				return true;
		}
		(void)!gk_keypath_advance(&path, &group, &message.step, &path);
	}
	return false;
}

static void a_member_may_change_its_kind_and_takes_no_keys_along(void **state)
{
	struct pair *p = *state;
	struct gk_keypath kept, other;
	size_t from;
	int64_t num;

	join_tree(p, 5);
	num = pair_num(p);
	kept = keys_of(p, 1);
	other = keys_of(p, 0);
	from = p->log_count;
	join_again(p, 1, true); // out of the tree: a rekeying as after a departure
	assert_false(shown(p, 1).in_tree);
	settle(p);
	assert_int_equal(pair_num(p), num + 1);
	assert_true(pair_agree(p, 0, 4));
	assert_false(pair_info(p, 1).in_tree);
	assert_true(can_read(p, from, &other));
	assert_false(can_read(p, from, &kept));
	evict(p, "node1");
	p->node[1].cut = true;
	settle(p);
	assert_int_equal(pair_num(p), num + 2);
	assert_false(can_read(p, from, &kept));

	from = p->log_count;
	join_again(p, 2, true);
	settle(p);
	num = pair_num(p);
	join_again(p, 2, false); // into the tree again: new material before its answer
	assert_int_equal(pair_num(p), num + 1);
	assert_true(shown(p, 2).in_tree);
	settle(p);
	assert_true(pair_agree(p, 2, 4));
	assert_true(pair_info(p, 2).in_tree);
	kept = keys_of(p, 2);
	other = keys_of(p, 3);
	from = p->log_count;
	leave(p, 2);
	settle(p);
	assert_true(can_read(p, from, &other));
	assert_false(can_read(p, from, &kept));
	assert_true(pair_agree(p, 3, 4));
}

static void who_cannot_enter_the_tree_for_want_of_entropy_may_try_again(void **state)
{
	uint8_t was[GK_HASH_LEN], is[GK_HASH_LEN];
	struct pair *p = *state;
	struct pair_raw raw;
	unsigned failed = 0;
	uint8_t code;

	join_tree(p, 2);
	join_raw(&raw, p, 1, false);
	raw.tree = true;
	do {
		pair_digest(p, was);
		test_env_fail_random(&p->kdc_env, ++failed);
		code = pair_raw_join(&raw, PAIR_LIGHTS, 6, false);
		pair_digest(p, is);
		if (code == GK_COAP_UNAVAILABLE)
			assert_memory_equal(was, is, sizeof(is));
	} while (code == GK_COAP_UNAVAILABLE);
	assert_int_equal(code, GK_COAP_CHANGED);
	assert_true(failed > 2); // evidence, and material
	assert_int_equal(pair_group(p).in_tree, 3);
	// one Sender ID went stale, however often it was tried
	assert_int_equal(p->kdc->groups->stale[p->kdc->groups->stale_count - 2].count, 1);
	settle(p);
	assert_true(pair_agree(p, 0, 1));
}

static void a_member_of_the_tree_that_joins_again_keeps_its_slot(void **state)
{
	struct pair *p = *state;
	struct gk_keypath was, is;
	int64_t num;

	join_tree(p, 4);
	num = pair_num(p);
	was = keys_of(p, 1);
	join_again(p, 1, false);
	settle(p);
	assert_int_equal(pair_num(p), num);
	is = keys_of(p, 1);
	assert_memory_equal(was.node, is.node, sizeof(was.node));
	assert_int_equal(was.slot, is.slot);
	rekey(p);
	settle(p);
	assert_true(pair_agree(p, 0, 3));
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
}

/* several parts */

#define MANY 128
#define EACH 16 /* of how many one is a real member */

/* A crowd: every 'each'th is a real member, the others are clients by hand. */
static void join_crowd(struct pair *p, struct pair_raw *raw, size_t count, size_t each)
{
	for (size_t i = 0; i < count; i++) {
		if (i % each == 0)
			pair_join_all(p, 1);
		else
			join_raw(&raw[i], p, (unsigned)i, true);
	}
	settle(p);
}

/* The minimum: non-empty unmarked children of marked nodes, and marked nodes that have two marked
 * non-empty children (docs/rekeying.md section 4).
 * @param taken  slot that a joiner takes, or MANY: none */
static size_t minimum(const bool left[static MANY], size_t taken)
{
	bool full[2 * MANY], marked[2 * MANY] = { false };
	size_t count = 0;

	for (size_t i = 0; i < MANY; i++) {
		full[MANY + i] = !left[i] || i == taken;
		for (size_t n = (MANY + i) / 2; left[i] && n > 0; n /= 2)
			marked[n] = true;
	}
	for (size_t n = MANY - 1; n > 0; n--)
		full[n] = full[2 * n] || full[2 * n + 1];
	for (size_t n = MANY - 1; n > 0; n--) {
		if (!marked[n] || !full[n])
			continue;
		for (size_t c = 2 * n; c <= 2 * n + 1; c++)
			count += full[c] && !marked[c];
		count += full[2 * n] && marked[2 * n] && full[2 * n + 1] && marked[2 * n + 1];
	}
	return count;
}

/* Who goes if so many of a crowd go, all over the tree. @return the lowest slot among them */
static size_t choose(size_t count, bool left[static MANY])
{
	size_t lowest = MANY;

	memset(left, 0, MANY * sizeof(*left));
	for (size_t i = 0, gone = 0; gone < count; i = (i + 37) % MANY) {
		if (i % EACH == 0 || left[i])
			continue;
		left[i] = true;
		lowest = i < lowest ? i : lowest;
		gone++;
	}
	return lowest;
}

static void evict_all(struct pair *p, const bool left[static MANY])
{
	for (size_t i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%zu", i);
		if (left[i])
			evict(p, name);
	}
}

/* Sixty of a crowd go at once. @return the least number of entries that this takes */
static size_t sixty_leave(struct pair *p)
{
	bool left[MANY];

	choose(60, left);
	evict_all(p, left);
	pair_advance(p, 500);
	return minimum(left, MANY);
}

/* How many entries there is room for in a message like another, but for Sender IDs gone stale. */
static size_t room_like(const struct pair_message *m, size_t stale)
{
	struct gk_rekeying like;
	struct gk_coap coap;

	assert_true(pair_read_cast(m, &like));
	assert_int_equal(gk_coap_parse(m->bytes, &coap), GK_OK);
	like.material.len += 2 * stale + (stale >= 24); // a byte each, and their heads
	return gk_rekeying_room(&like, m->bytes.len - 1 - coap.payload.len);
}

static void many_departures_at_once_are_as_few_messages_as_can_be(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[MANY];
	size_t from, entries, total = 0, room = 0;
	struct gk_rekeying message;
	struct casts casts;
	int64_t num;

	join_crowd(p, raw, MANY, EACH);
	num = pair_num(p);
	from = p->log_count;
	entries = sixty_leave(p);
	settle(p);
	assert_int_equal(pair_num(p), num + 1);
	casts = casts_since(p, from, 0);
	for (size_t i = 0; i < casts.contents; i++) {
		assert_true(pair_read_cast(casts.content[i], &message));
		assert_true(coap_len(casts.content[i]) <= GK_REKEYING_COAP_MAX);
		assert_int_equal(message.part, i);
		assert_int_equal(message.last_part, casts.contents - 1);
		total += message.step.entries.len / GK_TREE_ENTRY_LEN;
		if (i == 0)
			room = message.step.entries.len / GK_TREE_ENTRY_LEN;
		if (i < message.last_part) { // nothing more would have fitted
			assert_int_equal(message.step.entries.len, room * GK_TREE_ENTRY_LEN);
			assert_true(coap_len(casts.content[i]) + GK_TREE_ENTRY_LEN >
				    GK_REKEYING_COAP_MAX);
		}
	}
	assert_int_equal(total, entries);
	assert_true(casts.contents > 1);
	assert_int_equal(casts.contents, (entries + room - 1) / room);
	assert_true(pair_agree(p, 0, MANY / EACH - 1));
	for (int i = 0; i < MANY / EACH; i++)
		assert_int_equal(pair_note(p, i, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
	assert_int_equal(pair_group(p).rekeying.confirmed, MANY / EACH);
}

static void parts_that_are_full_to_the_brim_are_no_more(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[MANY];
	const struct pair_message *plain;
	bool left[MANY];
	size_t count, room, from;
	struct casts casts;

	join_crowd(p, raw, MANY, MANY);
	rekey(p);
	plain = pair_newest(p, PAIR_MULTICAST, PAIR_KDC, 0);
	for (count = 1; count < 100; count++) {
		choose(count, left);
		room = room_like(plain, count);
		if (minimum(left, MANY) % room == 0)
			break;
	}
	assert_in_range(count, 2, 99);
	settle(p);
	from = p->log_count;
	evict_all(p, left);
	settle(p);
	casts = casts_since(p, from, 0);
	assert_int_equal(casts.contents, minimum(left, MANY) / room);
	for (size_t i = 0; i < casts.contents; i++) {
		struct gk_rekeying message;

		assert_true(pair_read_cast(casts.content[i], &message));
		assert_int_equal(message.step.entries.len, room * GK_TREE_ENTRY_LEN);
	}
	assert_true(pair_agree(p, 0, 0));
}

static void a_credential_does_not_make_it_two_messages(void **state)
{
	for (int fits = 0; fits < 2; fits++) {
		struct pair *p = *state;
		static struct pair_raw raw[MANY];
		const struct pair_message *plain, *joined;
		size_t count, entries, with, without, from, lowest;
		struct gk_rekeying message;
		struct casts casts;
		bool left[MANY];

		join_crowd(p, raw, MANY - 1, MANY);
		pair_join_all(p, 1);
		joined = pair_newest(p, PAIR_MULTICAST, PAIR_KDC, 0);
		settle(p);
		rekey(p);
		plain = pair_newest(p, PAIR_MULTICAST, PAIR_KDC, 0);
		for (count = 1; count < 50; count++) {
			lowest = choose(count, left);
			left[MANY - 1] = false; // a real one
			entries = minimum(left, lowest);
			with = room_like(joined, count);
			without = room_like(plain, count) - 1; // less the joined slot
			if (fits ? entries + 3 > with : entries > with && entries <= without)
				break;
		}
		assert_in_range(count, 2, 49);
		settle(p);
		from = p->log_count;
		evict_all(p, left);
		pair_join_all(p, 1);
		settle(p);
		casts = casts_since(p, from, 0);
		message = only_cast(&casts);
		assert_int_equal(message.step.entries.len, entries * GK_TREE_ENTRY_LEN);
		assert_true(pair_agree(p, 0, 2));
		assert_int_equal(pair_info(p, 0).peers, MANY - 1 - count + (size_t)fits);
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

/* Of the first copy, or of all, each of the first members misses another part. */
struct holes {
	size_t parts;
	bool all_copies;
	size_t copies[PAIR_NODES_MAX];
};

static bool lose_a_part(struct pair *p, const struct pair_message *m)
{
	struct holes *holes = p->ctx;
	struct gk_rekeying message;

	if (!pair_read_cast(m, &message) || message.type != GK_REKEYING)
		return true;
	if (message.part != m->to % (message.last_part + 1))
		return true;
	return !holes->all_copies && holes->copies[m->to]++ > 0;
}

static void who_misses_a_part_gets_it_by_a_copy_or_asks(void **state)
{
	for (int all_copies = 0; all_copies < 2; all_copies++) {
		struct pair *p = *state;
		static struct pair_raw raw[MANY];
		struct holes holes = { .all_copies = all_copies };

		join_crowd(p, raw, MANY, EACH);
		p->pass = lose_a_part;
		p->ctx = &holes;
		sixty_leave(p);
		pair_advance(p, 60000);
		assert_true(pair_agree(p, 0, MANY / EACH - 1));
		for (size_t i = 0; i < MANY / EACH; i++) {
			const struct pair_note *note = pair_note(p, (int)i, GK_NOTE_REKEYED);

			if (!all_copies)
				assert_int_equal(note->via, GK_VIA_MULTICAST);
			assert_int_equal(shown(p, i).delivery, GK_DELIVERY_CONFIRMED);
		}
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

static void more_stale_ids_than_fit_make_num_jump(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[210];
	struct gk_rekeying message;
	struct casts casts;
	size_t from;
	int64_t num;

	join_tree(p, 3);
	for (unsigned i = 0; i < ROWS(raw); i++)
		join_raw(&raw[i], p, i + 1, true);
	settle(p);
	num = pair_num(p);
	from = p->log_count;
	for (unsigned i = 0; i < ROWS(raw); i++) {
		char name[16];

		snprintf(name, sizeof(name), "raw%u", i + 1);
		evict(p, name);
	}
	settle(p);
	assert_int_equal(pair_num(p), num + 2);
	casts = casts_since(p, from, 0);
	message = only_cast(&casts);
	assert_int_equal(message.old_num, num);
	assert_int_equal(message.num, num + 2);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_true(pair_agree(p, 0, 2));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pair_info(p, i).peers, 2);
	// and the tree goes on from there
	leave(p, 2);
	settle(p);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_note(p, 0, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
}

/* restarts */

static bool lose_confirmations(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_CONFIRM;
}

static void a_restart_before_the_confirmations_repeats_the_stored_bytes(void **state)
{
	for (int lost = 0; lost < 2; lost++) {
		struct pair *p = *state;
		struct casts casts;
		size_t from;
		int64_t num;

		join_tree(p, 5);
		num = pair_num(p);
		evict(p, "node4");
		p->node[4].cut = true;
		from = p->log_count;
		p->pass = lose_confirmations;
		pair_advance(p, 500);
		if (lost) // before anybody read it
			p->next = p->log_count;
		pair_restart(p);
		p->pass = NULL;
		settle(p);
		assert_int_equal(pair_num(p), num + 1);
		casts = casts_since(p, from, 0);
		only_cast(&casts);
		assert_in_range(casts.copies, 2, 3);
		assert_true(pair_agree(p, 0, 3));
		assert_int_equal(count_unicast(p, from, ANYONE), 0);
		assert_int_equal(pair_group(p).confirmed, 4);
		assert_int_equal(pair_group(p).rekeying.confirmed, 4);
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

static bool lose_all_to_one(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->to != 1 && m->kind != PAIR_CONFIRM;
}

static void after_a_restart_there_are_as_many_copies_as_ever(void **state)
{
	struct pair *p = *state;
	size_t from;

	p->config[0].rekey.repeat = 4;
	p->config[0].rekey.confirm = GK_CONFIRM_NONE;
	pair_restart(p);
	join_tree(p, 3);
	from = p->log_count;
	rekey(p);
	assert_int_equal(casts_since(p, from, 0).copies, 1);
	pair_restart(p);
	settle(p);
	assert_int_equal(casts_since(p, from, 0).copies, 1 + 4);
}

static void who_does_not_confirm_after_a_restart_is_told_by_unicast(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_tree(p, 4);
	p->pass = lose_all_to_one;
	from = p->log_count;
	rekey(p);
	pair_run(p);
	pair_restart(p);
	pair_advance(p, 100);
	p->pass = NULL;
	p->node[1].cut = true;
	pair_advance(p, 100);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	settle(p);
	assert_int_equal(count_unicast(p, from, ANYONE), count_unicast(p, from, 1));
	assert_true(count_unicast(p, from, 1) > 0);
	p->node[1].cut = false;
	settle(p);
	assert_true(pair_agree(p, 0, 3));
}

static struct pair_record *cast_record(struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == GK_TABLE_CAST)
			return &p->records[i];
	}
	return NULL;
}

/* A store that lost what the newest rekeying wrote of its message, and nothing else. */
static void a_stored_message_of_another_version_is_not_sent(void **state)
{
	struct pair *p = *state;
	struct pair_record *r;
	size_t from, len;
	uint8_t old[1500];

	join_tree(p, 4);
	r = cast_record(p);
	assert_non_null(r);
	len = r->value_len;
	assert_true(len <= sizeof(old));
	memcpy(old, r->value, len);
	rekey(p);
	p->next = p->log_count; // nobody gets it
	r = cast_record(p);
	free(r->value);
	r->value = malloc(len);
	assert_non_null(r->value);
	memcpy(r->value, old, len);
	r->value_len = len;
	from = p->log_count;
	pair_restart(p);
	settle(p);
	assert_int_equal(casts_since(p, from, 0).copies, 0);
	assert_int_equal(count_unicast(p, from, ANYONE), 4);
	assert_true(pair_agree(p, 0, 3));
}

static void a_restart_says_nothing_that_all_have_confirmed(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_tree(p, 4);
	rekey(p);
	settle(p);
	from = p->log_count;
	pair_restart(p);
	settle(p);
	assert_int_equal(casts_since(p, from, 0).copies, 0);
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
	assert_int_equal(pair_group(p).confirmed, 4);
}

static void a_departure_before_a_restart_is_followed_by_a_message(void **state)
{
	struct pair *p = *state;
	struct gk_keypath kept;
	struct casts casts;
	size_t from;
	int64_t num;

	join_tree(p, 5);
	num = pair_num(p);
	kept = keys_of(p, 1);
	evict(p, "node1");
	p->node[1].cut = true;
	from = p->log_count;
	pair_restart(p);
	settle(p);
	assert_int_equal(pair_num(p), num + 1);
	casts = casts_since(p, from, 0);
	assert_int_equal(only_cast(&casts).step.entries.len, 3 * GK_TREE_ENTRY_LEN);
	assert_false(can_read(p, from, &kept));
	assert_true(pair_agree(p, 2, 4));
	assert_int_equal(count_unicast(p, from, ANYONE), 0);
}

static void the_tree_of_a_group_that_is_not_configured_waits(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw;
	struct gk_keypath other;
	size_t from;
	int64_t num;

	join_raw(&raw, p, 1, true);
	join_tree(p, 3);
	num = pair_num(p);
	other = keys_of(p, 0);
	p->group_count = 0;
	pair_restart(p);
	for (size_t i = 0; i < 3; i++)
		p->node[i].cut = true;
	pair_advance(p, 90000 * INT64_C(1000)); // raw1's token ends, and with it its membership
	from = p->log_count;
	p->group_count = 1;
	for (size_t i = 0; i < 3; i++)
		p->node[i].cut = false;
	pair_restart(p);
	pair_advance(p, 60000);
	assert_true(pair_num(p) > num);
	assert_true(pair_agree(p, 0, 2));
	assert_true(can_read(p, from, &other));
}

/* configuration that changes */

static void a_group_that_becomes_point_to_point_gives_up_its_tree(void **state)
{
	for (int departed = 0; departed < 2; departed++) {
		struct pair *p = *state;
		size_t from;

		join_tree(p, 4);
		if (departed) {
			evict(p, "node3");
			p->node[3].cut = true;
		}
		assert_true(count_records(p, GK_TABLE_TREE) > 4);
		assert_int_equal(count_records(p, GK_TABLE_CAST), 1);
		p->config[0].rekey.scheme = GK_POINT_TO_POINT;
		from = p->log_count;
		for (int i = 0; i < 3; i++) {
			pair_restart(p);
			assert_int_equal(count_records(p, GK_TABLE_TREE), 0);
			assert_int_equal(count_records(p, GK_TABLE_CAST), 0);
		}
		join_again(p, 1, false); // what it announces is of no use now
		rekey(p);
		settle(p);
		assert_true(pair_agree(p, 0, 2));
		for (size_t i = 0; i < 3; i++) {
			assert_false(shown(p, i).in_tree);
			assert_int_equal(pair_note(p, (int)i, GK_NOTE_REKEYED)->via,
					 GK_VIA_UNICAST);
		}
		assert_int_equal(casts_since(p, from, 0).copies, 0);
		assert_int_equal(pair_group(p).scheme, GK_POINT_TO_POINT);
		assert_int_equal(pair_group(p).in_tree, 0);

		// and back: those who join from then on are in a tree, which is a new one
		p->config[0].rekey.scheme = GK_TREE;
		pair_restart(p);
		join_tree(p, 2);
		join_again(p, 0, false);
		settle(p);
		from = p->log_count;
		rekey(p);
		settle(p);
		assert_true(pair_agree(p, 0, 2));
		assert_true(pair_agree(p, 4, 5));
		assert_int_equal(casts_since(p, from, 0).contents, 1);
		assert_int_equal(count_unicast(p, from, ANYONE), departed ? 2 : 3);
		for (int i = 0; i < 6; i++) {
			if (i == 3)
				continue;
			assert_int_equal(pair_note(p, i, GK_NOTE_REKEYED)->via,
					 i == 0 || i > 3 ? GK_VIA_MULTICAST : GK_VIA_UNICAST);
		}
		pair_restart(p);
		settle(p);
		assert_int_equal(pair_group(p).in_tree, 3);
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

/* the store */

static void keys_that_are_no_more_leave_the_store(void **state)
{
	struct pair *p = *state;

	join_tree(p, 8);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 15);
	for (int i = 4; i < 8; i++)
		leave(p, (size_t)i);
	settle(p);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 4 + 2 + 1 + 1);
	assert_int_equal(count_records(p, GK_TABLE_CAST), 1);
	pair_restart(p);
	leave(p, 3);
	settle(p);
	assert_int_equal(count_records(p, GK_TABLE_TREE), 3 + 2 + 1 + 1);
	assert_true(pair_agree(p, 0, 2));
}

static void a_message_in_fewer_parts_takes_the_place_of_all(void **state)
{
	for (int restart = 0; restart < 2; restart++) {
		struct pair *p = *state;
		static struct pair_raw raw[MANY];

		join_crowd(p, raw, MANY, MANY);
		sixty_leave(p);
		settle(p);
		assert_true(count_records(p, GK_TABLE_CAST) > 1);
		if (restart)
			pair_restart(p);
		rekey(p);
		settle(p);
		assert_int_equal(count_records(p, GK_TABLE_CAST), 1);
		pair_restart(p);
		assert_true(pair_agree(p, 0, 0));
		assert_int_equal(pair_end(state), 0);
		assert_int_equal(open_pair(state), 0);
	}
}

static void a_restart_in_the_middle_of_many_parts_leaves_nobody_behind(void **state)
{
	struct pair *p = *state;
	static struct pair_raw raw[MANY];
	struct casts casts;
	size_t from;

	join_crowd(p, raw, MANY, EACH);
	p->rekeying_bps = 4000;
	pair_restart(p);
	settle(p);
	from = p->log_count;
	sixty_leave(p); // the link has no room for all parts at once
	assert_int_equal(casts_since(p, from, 0).contents, 1);
	pair_restart(p);
	pair_advance(p, 240000);
	casts = casts_since(p, from, 0);
	assert_int_equal(casts.contents, count_records(p, GK_TABLE_CAST));
	assert_true(pair_agree(p, 0, MANY / EACH - 1));
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(values_out_of_bounds_are_refused_where_they_are_of_use),
		RULE(a_departure_is_one_message_to_the_group),
		RULE(copies_are_sent_as_often_as_configured_with_pauses),
		RULE(nobody_waits_for_a_copy_that_all_have_confirmed),
		RULE(a_message_goes_to_the_configured_address),
		RULE(an_emptied_tree_needs_no_message),
		RULE(a_join_is_told_to_the_others_before_the_joiner),
		RULE(a_credential_that_does_not_fit_is_asked_for),
		RULE(without_rekey_on_join_who_enters_the_tree_brings_new_material_anyway),
		RULE(a_slot_left_and_taken_again_in_one_rekeying_is_new),
		RULE(what_is_told_by_unicast_depends_on_the_announcement),
		RULE(other_schemes_are_no_announcement),
		RULE(a_group_may_have_both_kinds),
		RULE(what_all_rekeyings_took_is_the_sum_of_them),
		RULE(a_member_may_change_its_kind_and_takes_no_keys_along),
		RULE(who_cannot_enter_the_tree_for_want_of_entropy_may_try_again),
		RULE(a_member_of_the_tree_that_joins_again_keeps_its_slot),
		RULE(many_departures_at_once_are_as_few_messages_as_can_be),
		RULE(parts_that_are_full_to_the_brim_are_no_more),
		RULE(a_credential_does_not_make_it_two_messages),
		RULE(who_misses_a_part_gets_it_by_a_copy_or_asks),
		RULE(more_stale_ids_than_fit_make_num_jump),
		RULE(a_restart_before_the_confirmations_repeats_the_stored_bytes),
		RULE(after_a_restart_there_are_as_many_copies_as_ever),
		RULE(who_does_not_confirm_after_a_restart_is_told_by_unicast),
		RULE(a_stored_message_of_another_version_is_not_sent),
		RULE(a_restart_says_nothing_that_all_have_confirmed),
		RULE(a_departure_before_a_restart_is_followed_by_a_message),
		RULE(the_tree_of_a_group_that_is_not_configured_waits),
		RULE(a_group_that_becomes_point_to_point_gives_up_its_tree),
		RULE(keys_that_are_no_more_leave_the_store),
		RULE(a_message_in_fewer_parts_takes_the_place_of_all),
		RULE(a_restart_in_the_middle_of_many_parts_leaves_nobody_behind),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
