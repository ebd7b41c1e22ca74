// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The rekeying scheme "tree" at a member (docs/rekeying.md): messages in several parts, and
// confirmations.

#include "tests/lib/fake_tree.h"
#include "tests/lib/hex.h"

#include <string.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* several parts */

static void parts_may_come_in_any_order(void **state)
{
	static const struct {
		size_t order[FAKE_PARTS], opens; /* with which one */
	} rows[] = {
		{ { 0, 1, 2, 3 }, 3 },
		{ { 3, 2, 1, 0 }, 2 },
		{ { 1, 3, 0, 2 }, 1 },
		{ { 2, 0, 3, 1 }, 3 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct fake *f;
		struct fake_cast cast;

		fake_begin_joined(state);
		f = *state;
		fake_cast_in_parts(f, &cast);
		for (size_t k = 0; k < FAKE_PARTS; k++) {
			assert_int_equal(fake_info(f).num, k <= rows[i].opens ? 2 : 3);
			fake_hear_part(f, &cast, rows[i].order[k]);
			fake_hear_part(f, &cast, rows[i].order[0]); // copies count once
		}
		fake_done(f, &cast);
		assert_int_equal(fake_info(f).num, 3);
		assert_int_equal(fake_info(f).peers, 3);
		assert_int_equal(f->notes[GK_NOTE_REKEYED], 1);
		assert_int_equal(fake_info(f).refused, 0);
		fake_run(f, 30000);
		assert_int_equal(f->gets, 0);
		assert_follows(f);
		if (i + 1 < ROWS(rows))
			fake_end(state);
	}
}

static void a_lost_part_is_made_good_by_a_copy(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	for (size_t part = 0; part < 3; part++)
		fake_hear_part(f, &cast, part);
	fake_run(f, 9999);
	assert_int_equal(fake_info(f).num, 2);
	assert_int_equal(f->gets, 0);
	fake_hear_part(f, &cast, 3);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
	fake_run(f, 30000);
	assert_int_equal(f->gets, 0);
}

static void a_lost_part_that_does_not_come_is_asked_for(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	for (size_t part = 0; part < 3; part++)
		fake_hear_part(f, &cast, part);
	fake_done(f, &cast);
	f->stale = "82 4100 4104";
	fake_wait(f, 10000);
	assert_recovers(f, 1);
	assert_follows(f);
}

/* Each new one is worth waiting for, and no copy. */
static void the_wait_for_parts_ends(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	fake_hear_part(f, &cast, 0);
	fake_run(f, 8000);
	fake_hear_part(f, &cast, 1);
	fake_run(f, 8000);
	assert_int_equal(fake_info(f).num, 2);
	fake_hear_part(f, &cast, 0);
	fake_hear_part(f, &cast, 1);
	fake_done(f, &cast);
	fake_wait(f, 1999);
	assert_int_equal(fake_info(f).num, 2);
	fake_wait(f, 1);
	assert_recovers(f, 1);
}

static void all_parts_without_an_opening_make_us_ask(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	cast.tree.entries.data[2 * GK_TREE_ENTRY_LEN - 1] ^= 1; // in ours, and signed
	for (size_t part = 0; part < FAKE_PARTS - 1; part++) {
		fake_hear_part(f, &cast, part);
		assert_int_equal(fake_info(f).num, 2);
	}
	fake_hear_part(f, &cast, FAKE_PARTS - 1);
	fake_done(f, &cast);
	assert_recovers(f, 1);
	assert_follows(f);
}

static void a_forged_part_is_not_collected(void **state)
{
	struct fake *f = *state;
	struct gk_key_pair forger = fake_key_of(1);
	struct fake_packet packet;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	cast.key = &forger;
	for (size_t part = 0; part < FAKE_PARTS; part++) {
		packet = fake_part_of(&cast, part);
		// three in a row make it ask for the KDC's credential, after a while
		if (part < 2)
			assert_refused(f, &packet, "wrong signature");
		else
			fake_hear(f, fake_span_of(&packet));
	}
	assert_int_equal(fake_info(f).refused, FAKE_PARTS);
	cast.key = &f->key;
	for (size_t part = 0; part < FAKE_PARTS; part++)
		fake_hear_part(f, &cast, part);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
	assert_follows(f);
}

static void a_kdc_with_another_key_is_believed_when_it_has_proven_it(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;
	struct fake_cast cast;

	f->key = fake_key_of(9);
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, "wrong signature");
	assert_refused(f, &packet, "wrong signature");
	fake_hear(f, fake_span_of(&packet));
	fake_wait(f, 10000);
	assert_true(fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/creds"));
	f->num--; // as it was for the others, who have not heard it either
	fake_serve(f);
	f->num++;
	assert_int_equal(f->notes[GK_NOTE_ERROR], 0);
	assert_int_equal(fake_info(f).num, 2);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
	assert_follows(f);
}

/* Parts of one message and parts of another do not make a third. */
static void parts_of_different_messages_are_not_mixed(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast, other;

	fake_cast_in_parts(f, &cast);
	other = cast;
	other.message.material = gk_span(other.sealed, other.message.material.len);
	other.sealed[1] ^= 1;
	fake_hear_part(f, &other, 1);
	fake_hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 2);
	fake_hear_part(f, &other, 0);
	fake_hear_part(f, &other, 1);
	fake_hear_part(f, &cast, 1); // has the same place in another message
	assert_int_equal(fake_info(f).num, 2);
	fake_hear_part(f, &cast, 3);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
}

static void parts_of_more_are_not_mixed_with_parts_of_fewer(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	fake_hear_part(f, &cast, 1);
	cast.message.part = cast.message.last_part = 6000;
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	assert_int_equal(fake_membership(f)->tree.parts.missing, 6000);
	assert_int_equal(fake_info(f).num, 2);
	fake_hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 2);
	fake_hear_part(f, &cast, 1);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
}

static void parts_end_with_the_keys_that_they_are_for(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	fake_hear_part(f, &cast, 0);
	fake_done(f, &cast);
	fake_post_material(f, FAKE_MGT);
	fake_run(f, 30000);
	assert_int_equal(fake_info(f).num, 3);
	assert_int_equal(f->gets, 0);
	assert_follows(f);
	// those of a jump, which is held back for long
	fake_evict(f, 1);
	fake_evict(f, 3);
	fake_rekey_to(f, &cast, f->num + 2, f->num + 2, 0, "80");
	assert_int_equal(cast.tree.entries.len, 2 * GK_TREE_ENTRY_LEN);
	fake_hear_part(f, &cast, 0);
	fake_hear_part(f, &cast, 1);
	fake_done(f, &cast);
	assert_null(fake_membership(f)->tree.parts.seen.data);
	assert_stale_are_asked_for(f);
}

static void a_second_copy_counts_after_the_wait(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	fake_hear_part(f, &cast, 0);
	fake_wait(f, 10000);
	assert_int_equal(fake_info(f).num, -1);
	for (size_t part = 0; part < FAKE_PARTS; part++)
		fake_hear_part(f, &cast, part);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
	assert_int_equal(f->notes[GK_NOTE_RECOVERED], 1);
	assert_int_equal(f->via, GK_VIA_MULTICAST);
	fake_run(f, 30000);
	assert_int_equal(f->gets, 0);
	assert_int_equal(fake_info(f).num, 3);
}

/* What others are told fills no memory of ours. */
static void entries_of_others_are_not_kept(void **state)
{
	struct fake *f = *state;
	uint8_t junk[30 * GK_TREE_ENTRY_LEN];
	struct fake_packet packet;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	memset(junk, 0, sizeof(junk));
	cast.message.last_part = 39;
	for (uint16_t part = 0; part < 20; part++) {
		for (size_t i = 0; i < 30; i++) {
			junk[i * GK_TREE_ENTRY_LEN] = (uint8_t)(part % 5);  // level
			junk[i * GK_TREE_ENTRY_LEN + 1] = (uint8_t)(1 + i); // index from 256 on
		}
		cast.message.part = part;
		cast.message.step.entries = gk_span(junk, sizeof(junk));
		packet = fake_packet_of(&cast);
		fake_hear(f, fake_span_of(&packet));
	}
	assert_int_equal(fake_membership(f)->tree.parts.entries_len, 0);
	// more for us than there can be
	memset(junk, 0, sizeof(junk));
	for (size_t i = 0; i < 30; i++)
		junk[i * GK_TREE_ENTRY_LEN + 2] = FAKE_OWN;
	cast.message.part = 20;
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	assert_in_range(fake_membership(f)->tree.parts.entries_len, GK_TREE_ENTRY_LEN,
			GK_TREE_HEIGHT_MAX * GK_TREE_ENTRY_LEN);
	fake_done(f, &cast);
}

/* confirmations (section 9) */

static void assert_confirms(const struct fake *f, const struct fake_cast *cast)
{
	const struct gk_tree_name leaf = { 0, FAKE_OWN };
	struct gk_confirmation confirmation;
	uint8_t mac[GK_REKEYING_MAC_LEN];
	struct gk_coap msg;

	assert_int_equal(gk_coap_parse(gk_span(f->confirm, f->confirm_len), &msg), GK_OK);
	assert_int_equal(msg.code, GK_COAP_CHANGED);
	assert_int_equal(gk_confirmation_read(msg.payload, &confirmation), GK_OK);
	assert_hex_equal(confirmation.gid, "eeee00000003");
	assert_int_equal(confirmation.slot, FAKE_OWN);
	assert_int_equal(gk_confirmation_mac(gk_span_str(FAKE_GROUP), 3, FAKE_OWN,
					     cast->message.material,
					     gk_keytree_node(&f->tree, leaf)->key.bytes,
					     gk_keytree_root(&f->tree)->key.bytes, mac),
			 GK_OK);
	assert_true(gk_span_equal(confirmation.mac, gk_span(mac, sizeof(mac))));
	// the KDC of the association, at the port of the group
	assert_hex_equal(gk_span(f->confirm_peer.ip, 16), "fd000000000000000000000000000001");
	assert_int_equal(f->confirm_peer.port, 5686);
	assert_int_equal(f->confirm_peer.scope, 3);
}

static void a_confirmation_goes_to_the_kdc_within_the_leisure(void **state)
{
	int64_t first = INT64_MAX, last = 0;

	for (unsigned seed = 0; seed < 20; seed++) {
		struct fake *f;
		struct fake_cast cast;
		struct fake_packet packet;
		int64_t then;

		fake_begin_joined(state);
		f = *state;
		f->member_env.seed += seed;
		fake_rekey(f, &cast);
		packet = fake_packet_of(&cast);
		then = f->now.mono.ms;
		fake_hear(f, fake_span_of(&packet));
		assert_int_equal(f->confirms, 0);
		fake_wait(f, 100000);
		assert_int_equal(f->confirms, 1);
		assert_in_range(f->confirm_ms - then, 0, FAKE_LEISURE_MS);
		first = f->confirm_ms - then < first ? f->confirm_ms - then : first;
		last = f->confirm_ms - then > last ? f->confirm_ms - then : last;
		assert_confirms(f, &cast);
		fake_done(f, &cast);
		if (seed + 1 < 20)
			fake_end(state);
	}
	assert_true(first < FAKE_LEISURE_MS / 4 && last > FAKE_LEISURE_MS * 3 / 4);
}

static void without_leisure_nobody_confirms(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey(f, &cast);
	cast.message.leisure_ms = 0;
	packet = fake_packet_of(&cast);
	for (int i = 0; i < 3; i++) {
		fake_hear(f, fake_span_of(&packet));
		fake_wait(f, 10000);
	}
	fake_done(f, &cast);
	assert_int_equal(f->confirms, 0);
}

static void each_confirmation_is_called_for_by_a_copy(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet, other;

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	cast.message.leisure_ms = 1;
	other = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_hear(f, fake_span_of(&packet)); // before it said anything: one for both
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	fake_wait(f, 10000);
	assert_int_equal(f->confirms, 1);
	fake_hear(f, fake_span_of(&packet));
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 2);
	// what a copy says of the leisure is not believed
	f->member_env.seed++;
	fake_hear(f, fake_span_of(&other));
	fake_wait(f, 1);
	assert_int_equal(f->confirms, 2);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, FAKE_REPEAT + 1);
	for (int i = 0; i < 5; i++) {
		fake_hear(f, fake_span_of(&packet));
		fake_wait(f, FAKE_LEISURE_MS);
	}
	assert_int_equal(f->confirms, FAKE_REPEAT + 1);
	assert_confirms(f, &cast);
	fake_done(f, &cast);
}

static void other_parts_of_the_same_copy_call_for_nothing(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_cast_in_parts(f, &cast);
	fake_hear_part(f, &cast, 1);
	fake_hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 3);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	fake_hear_part(f, &cast, 0);
	fake_hear_part(f, &cast, 2);
	fake_hear_part(f, &cast, 1);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	fake_hear_part(f, &cast, 3);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 2);
	fake_done(f, &cast);
}

static void what_is_held_back_is_confirmed(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey_to(f, &cast, 4, 4, 0, "80");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	assert_int_equal(fake_info(f).num, -1);
	(void)fake_await_question_for_stale(f);
	fake_serve(f);
	assert_int_equal(fake_info(f).num, 4);
	fake_hear(f, fake_span_of(&packet));
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 2);
}

static void an_overtaken_version_is_not_confirmed(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	fake_rekey_unheard(f);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, 4);
	fake_wait(f, 10000);
	assert_int_equal(f->confirms, 0);
}

/* telling num without being asked (section 9) */

static void probe(struct fake *f)
{
	f->reply_len = 0;
	fake_ask_member(f, GK_COAP_GET, gk_span(NULL, 0));
	assert_true(f->reply_len > 0);
}

static void the_version_is_shown_in_the_tree_alone(void **state)
{
	struct fake *f = *state;

	fake_wait(f, 3600000);
	assert_true(fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/num?num=2"));
	fake_serve(f);
	probe(f);
	assert_hex_equal(gk_span(f->reply, f->reply_len), "45 c2 0105 ff a1 09 02");
	fake_rekey_unheard(f);
	fake_post_material(f, 0);
	probe(f);
	assert_hex_equal(gk_span(f->reply, f->reply_len), "45");
	fake_wait(f, 3600000);
	assert_true(fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/num"));
}

static void long_versions_are_shown_whole(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	fake_rekey_to(f, &cast, 1234567890, 1234567890, 0, "80");
	fake_done(f, &cast);
	fake_post_material(f, FAKE_MGT);
	fake_serve(f);
	assert_int_equal(fake_info(f).num, 1234567890);
	fake_wait(f, 3600000);
	assert_true(fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/num?num=1234567890"));
	probe(f);
	assert_hex_equal(gk_span(f->reply, f->reply_len), "45 c2 0105 ff a1 09 1a499602d2");
}

static void what_is_not_in_use_is_not_shown(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;

	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	assert_true(fake_info(f).in_tree);
	probe(f);
	assert_hex_equal(gk_span(f->reply, f->reply_len), "45");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_ROWED(parts_may_come_in_any_order),
		FAKE_JOINED(a_lost_part_is_made_good_by_a_copy),
		FAKE_JOINED(a_lost_part_that_does_not_come_is_asked_for),
		FAKE_JOINED(the_wait_for_parts_ends),
		FAKE_JOINED(all_parts_without_an_opening_make_us_ask),
		FAKE_JOINED(a_forged_part_is_not_collected),
		FAKE_JOINED(a_kdc_with_another_key_is_believed_when_it_has_proven_it),
		FAKE_JOINED(parts_of_different_messages_are_not_mixed),
		FAKE_JOINED(parts_of_more_are_not_mixed_with_parts_of_fewer),
		FAKE_JOINED(parts_end_with_the_keys_that_they_are_for),
		FAKE_JOINED(a_second_copy_counts_after_the_wait),
		FAKE_JOINED(entries_of_others_are_not_kept),
		FAKE_ROWED(a_confirmation_goes_to_the_kdc_within_the_leisure),
		FAKE_JOINED(without_leisure_nobody_confirms),
		FAKE_JOINED(each_confirmation_is_called_for_by_a_copy),
		FAKE_JOINED(other_parts_of_the_same_copy_call_for_nothing),
		FAKE_JOINED(what_is_held_back_is_confirmed),
		FAKE_JOINED(an_overtaken_version_is_not_confirmed),
		FAKE_JOINED(the_version_is_shown_in_the_tree_alone),
		FAKE_JOINED(long_versions_are_shown_whole),
		FAKE_JOINED(what_is_not_in_use_is_not_shown),
	};

	return cmocka_run_group_tests(tests, fake_global_init, NULL);
}
