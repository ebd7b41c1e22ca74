// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The rekeying scheme "tree" at a member (docs/rekeying.md): what it missed, two versions at once,
// the end, and memory that fails.

#include "tests/lib/fake_tree.h"
#include "tests/lib/hex.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* gaps */

static void a_gap_is_recovered_from_by_asking(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	f->stale = "814101";
	fake_rekey_unheard(f);
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).refused, 0);
	assert_recovers(f, 1);
	assert_int_equal(f->fetches, 1);
	assert_int_equal(fake_info(f).peers, 4);
	assert_int_equal(f->notes[GK_NOTE_RECOVERED], 1);
	assert_follows(f);
}

static void one_signature_without_a_mac_is_verified_in_5_s(void **state)
{
	struct fake *f = *state;
	struct gk_key_pair forger = fake_key_of(1);
	struct fake_packet good, bad;
	struct fake_cast cast;
	uint64_t refused;
	int64_t num;

	fake_rekey_unheard(f);
	fake_rekey(f, &cast);
	good = fake_packet_of(&cast);
	cast.key = &forger;
	bad = fake_packet_of(&cast);
	fake_done(f, &cast);
	assert_refused(f, &bad, "wrong signature");
	refused = fake_info(f).refused;
	num = fake_info(f).num;
	for (int k = 0; k < 100; k++)
		fake_hear(f, fake_span_of(k % 2 ? &bad : &good));
	assert_int_equal(fake_info(f).refused, refused);
	assert_int_equal(fake_info(f).num, num);
	// as after traffic under an unknown Gid, we ask, and once
	fake_run(f, GK_PULL_JITTER_MS + 1000);
	assert_int_equal(f->gets, 1);
	assert_follows(f);
}

static void a_signature_is_verified_again_after_5_s(void **state)
{
	struct fake *f = *state;
	struct gk_key_pair forger = fake_key_of(1);
	struct fake_packet good, bad;

	fake_rekey_unheard(f);
	good = fake_beacon(f);
	bad = fake_beacon_by(&forger, f->num);
	assert_refused(f, &bad, "wrong signature");
	fake_wait(f, 5000);
	fake_hear(f, fake_span_of(&good));
	assert_recovers(f, 1);
	assert_follows(f);
}

static void what_comes_in_the_meantime_spares_the_question(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;

	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	assert_int_equal(fake_info(f).num, -1);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, f->num);
	fake_run(f, 30000);
	assert_int_equal(f->gets, 0);
	assert_follows(f);
}

static void an_old_answer_does_not_end_a_recovery(void **state)
{
	for (int late = 0; late < 2; late++) {
		struct fake *f;
		struct fake_packet packet;

		fake_begin_joined(state);
		f = *state;
		// it asks for num, hears that there is newer material, asks for it ...
		fake_wait(f, 3600000);
		fake_answer(f, GK_COAP_CONTENT, hex_span("03"));
		assert_true(
			fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/nodes/" FAKE_NODE));
		// ... and the answer to that, made before, comes after a beacon
		fake_rekey_unheard(f);
		packet = fake_beacon(f);
		fake_hear(f, fake_span_of(&packet));
		fake_wait(f, late ? 2000 : 0); // when it wants to ask again
		fake_answer_material(f, GK_COAP_CONTENT, 2, FAKE_WHOLE | FAKE_SID);
		assert_hex_equal(fake_info(f).sender_id, "05");
		assert_int_equal(fake_info(f).num, -1);
		fake_run(f, 10000);
		assert_int_equal(f->gets, 1);
		assert_int_equal(f->joins, 1);
		assert_follows(f);
		if (!late)
			fake_end(state);
	}
}

static void a_beacon_tells_what_was_missed(void **state)
{
	struct fake *f = *state;
	struct gk_key_pair forger = fake_key_of(1);
	struct fake_packet packet = fake_beacon(f);

	// forged or not, it tells nothing new: no signature is verified
	assert_refused(f, &packet, NULL);
	packet = fake_beacon_by(&forger, f->num);
	assert_refused(f, &packet, NULL);
	packet = fake_beacon_by(&forger, f->num - 1);
	assert_refused(f, &packet, fake_older);
	packet = fake_beacon_by(&forger, f->num + 1);
	assert_refused(f, &packet, "wrong signature");
	fake_wait(f, 5000);
	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	assert_recovers(f, 1);
	assert_follows(f);
	packet = fake_beacon(f);
	assert_refused(f, &packet, NULL); // of what a message has brought
}

static void a_beacon_of_another_group_tells_nothing(void **state)
{
	struct fake *f = *state;
	struct gk_rekeying beacon = { .type = GK_REKEYING_BEACON, .num = f->num + 1 };
	uint8_t bytes[200];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct fake_packet packet;

	assert_int_equal(gk_rekeying_put(&buf, gk_span_str("meters"), &beacon, &f->key, NULL),
			 GK_OK);
	packet = fake_wrap(gk_buf_span(&buf));
	assert_refused(f, &packet, "wrong signature");
}

static void those_who_have_to_ask_do_so_within_the_leisure(void **state)
{
	int64_t last = 0;

	for (unsigned seed = 0; seed < 20; seed++) {
		struct fake *f;
		struct fake_packet packet;
		struct fake_cast cast;
		int64_t due;

		fake_begin_joined(state);
		f = *state;
		f->member_env.seed += seed;
		fake_rekey_unheard(f);
		fake_rekey(f, &cast);
		packet = fake_packet_of(&cast);
		fake_hear(f, fake_span_of(&packet));
		fake_done(f, &cast);
		due = gk_member_next_expiry(f->m).ms - f->now.mono.ms;
		assert_in_range(due, 0, FAKE_LEISURE_MS);
		last = due > last ? due : last;
		if (seed + 1 < 20)
			fake_end(state);
	}
	assert_true(last > FAKE_LEISURE_MS * 3 / 4);
}

static void a_message_that_does_not_open_for_us_makes_us_ask(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey(f, &cast);
	cast.sealed[0] ^= 1; // signed like this
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	for (int i = 0; i < 3; i++)
		assert_refused(f, &packet, NULL); // copies do not put off the question
	fake_done(f, &cast);
	assert_recovers(f, 1);
	assert_follows(f);
}

static void who_was_evicted_asks_and_hears_it(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_evict(f, FAKE_OWN);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "814105");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, -1);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_true(fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/nodes/" FAKE_NODE));
	assert_int_equal(f->confirms, 0);
}

static void without_a_path_messages_still_tell_of_newer_material(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey_unheard(f);
	fake_post_material(f, 0); // material without mgt_key_material
	assert_int_equal(fake_info(f).num, f->num);
	assert_false(fake_info(f).in_tree);
	assert_int_equal(f->notes[GK_NOTE_ERROR], 0);
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_recovers(f, 1);
	assert_true(fake_info(f).in_tree);
	assert_follows(f);
}

/* 0 is a version like others, and none of which there are no keys. */
static void version_0_is_a_version(void **state)
{
	// [5, 2, 13 bytes, four keys of version 0]
	static const char path[] =
		"5863 84 05 02 4d 00000000000000000000000000 5850" FAKE_KEY_0 FAKE_KEY_0 FAKE_KEY_0
			FAKE_KEY_0;

	for (int known = 0; known < 2; known++) {
		struct fake *f;
		struct fake_packet packet;
		struct fake_cast cast;

		fake_begin(state);
		f = *state;
		f->mgt = path;
		fake_drain(f, gk_member_join(f->m, gk_span_str(FAKE_GROUP), 6, f->now));
		fake_serve_one(f);
		fake_answer_material(f, GK_COAP_CREATED, 0, FAKE_IN_JOIN);
		assert_int_equal(fake_info(f).num, 0);
		assert_true(fake_info(f).in_tree);
		f->mgt = NULL;
		fake_rekey(f, &cast);
		if (!known)
			((struct gk_membership *)(uintptr_t)fake_membership(f))->tree.path.known =
				false;
		cast.message.old_num = 0;
		packet = known ? fake_beacon(f) : fake_packet_of(&cast);
		fake_hear(f, fake_span_of(&packet));
		fake_done(f, &cast);
		assert_int_equal(fake_info(f).refused, 0);
		assert_int_equal(fake_info(f).num, -1);
		fake_run(f, 10000);
		assert_int_equal(fake_info(f).num, f->num);
		if (!known)
			fake_end(state);
	}
}

static void the_path_comes_with_messages_by_unicast_too(void **state)
{
	// the second has a key of a later version
	static const char *const bad[] = {
		"4180",
		"5863 84 05 02 4d 00000000000000000000000000 5850" FAKE_KEY_0 FAKE_KEY_0 FAKE_KEY_0
		"70000000 00000000000000000000000000000000",
	};
	struct fake *f = *state;

	fake_evict(f, 4); // which changes our path
	fake_rekey_unheard(f);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, f->num);
	assert_follows(f);
	// and with those that are held back
	fake_rekey_unheard(f);
	fake_rekey_unheard(f);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, -1);
	fake_serve(f);
	assert_int_equal(f->fetches, 1);
	assert_int_equal(fake_info(f).num, f->num);
	assert_follows(f);
	// or not at all, if it cannot be read
	for (size_t i = 0; i < ROWS(bad); i++) {
		fake_rekey_unheard(f);
		f->mgt = bad[i];
		fake_post_material(f, FAKE_MGT);
		assert_int_equal(fake_info(f).num, f->num);
		assert_false(fake_info(f).in_tree);
		assert_int_equal(f->notes[GK_NOTE_ERROR], i + 1);
	}
}

static void an_answer_may_name_another_control_group(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;

	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	// "coap://[ff05::1]:99/ace-group/lights"
	f->uri = "7824 636f61703a2f2f5b666630353a3a315d3a39392f6163652d67726f75702f6c6967687473";
	fake_run(f, 10000);
	assert_true(fake_info(f).in_tree);
	assert_int_equal(fake_info(f).control_group.port, 99);
	assert_int_equal(fake_info(f).control_group.ip[1], 5);
	assert_follows(f);
}

/* two versions at once (section 6) */

static void a_jump_of_two_is_held_back_until_the_stale_are_known(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	f->stale = "82 4101 4103";
	fake_evict(f, 1);
	fake_evict(f, 3);
	fake_rekey_to(f, &cast, f->num + 2, f->num + 2, 0, "814101");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, -1);
	assert_refused(f, &packet, NULL); // a copy of it
	assert_stale_are_asked_for(f);
	assert_hex_equal(f->msg.payload, "02");
	fake_serve(f);
	assert_int_equal(fake_info(f).num, f->num);
	assert_int_equal(fake_info(f).peers, 3);
	assert_int_equal(f->gets, 0);
	assert_int_equal(f->notes[GK_NOTE_RECOVERED], 1);
	assert_follows(f);
}

static void hold_a_jump(struct fake *f)
{
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey_to(f, &cast, f->num + 2, f->num + 2, 0, "80");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, -1);
}

static void what_is_newer_than_what_is_held_back_is_asked_for(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	hold_a_jump(f);
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	fake_wait(f, FAKE_LEISURE_MS); // the answer takes its time
	packet = fake_beacon_by(&f->key, f->num - 2);
	assert_refused(f, &packet, fake_older);
	fake_run(f, 10000);
	assert_int_equal(f->gets, 1);
	assert_int_equal(fake_info(f).num, f->num);
	assert_follows(f);
}

static void newer_material_by_unicast_displaces_what_is_held_back(void **state)
{
	struct fake *f = *state;

	hold_a_jump(f);
	fake_rekey_unheard(f);
	fake_post_material(f, 0);
	fake_serve(f);
	assert_int_equal(fake_info(f).num, f->num);
	assert_false(fake_info(f).in_tree); // the keys that were held back are of another version
}

/* the end */

static void an_evicted_member_forgets_the_tree(void **state)
{
	static const struct gk_membership_tree nothing;
	struct fake *f = *state;
	struct fake_packet packet;
	struct fake_cast cast;

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet)); // it is about to confirm
	fake_done(f, &cast);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "80");
	packet = fake_packet_of(&cast);
	fake_done(f, &cast);
	fake_ask_member(f, GK_COAP_DELETE, gk_span(NULL, 0));
	assert_false(fake_info(f).joined);
	assert_false(fake_info(f).in_tree);
	assert_memory_equal(&fake_membership(f)->tree, &nothing, sizeof(nothing));
	assert_refused(f, &packet, NULL);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 0);
	fake_run(f, 30000);
	assert_true(fake_info(f).in_tree);
	assert_follows(f);
}

static void who_leaves_forgets_the_tree(void **state)
{
	static const struct gk_membership_tree nothing;
	struct fake *f = *state;

	fake_drain(f, gk_member_leave(f->m, gk_span_str(FAKE_GROUP), f->now));
	assert_true(fake_is_asked(f, GK_COAP_DELETE, "ace-group/" FAKE_GROUP "/nodes/" FAKE_NODE));
	fake_answer_bytes(f, hex_span("42"), true);
	assert_false(fake_info(f).joined);
	assert_memory_equal(&fake_membership(f)->tree, &nothing, sizeof(nothing));
}

static void expired_material_is_replaced_by_a_message_too(void **state)
{
	struct fake *f = *state;
	int64_t due = fake_membership(f)->due_ms[GK_DUE_EXPIRY];

	while (f->now.mono.ms < due) { // its questions are not answered
		f->asked = false;
		fake_wait(f, due - f->now.mono.ms);
	}
	assert_int_equal(fake_info(f).num, -1);
	assert_follows(f);
	assert_hex_equal(fake_info(f).sender_id, "05");
}

/* memory */

static void live(struct fake *f)
{
	struct fake_packet packet;
	struct fake_cast cast;

	fake_join(f);
	fake_evict(f, 2);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "814102");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	fake_run(f, 20000);
	fake_cast_in_parts(f, &cast);
	for (size_t part = 0; part < FAKE_PARTS; part++)
		fake_hear_part(f, &cast, part);
	fake_done(f, &cast);
	fake_run(f, 20000);
	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	fake_run(f, 20000);
	fake_rekey_to(f, &cast, f->num + 2, f->num + 2, 0, "80");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	fake_run(f, 20000);
}

/* @return false: no allocation failed */
static bool hear_without_memory(struct fake *f, unsigned n, bool in_parts)
{
	struct fake_cast cast;

	if (in_parts)
		fake_cast_in_parts(f, &cast);
	else
		fake_rekey(f, &cast);
	test_env_fail_alloc(&f->member_env, n);
	if (in_parts) {
		fake_hear_part(f, &cast, 0); // the others are lost
	} else {
		struct fake_packet packet = fake_packet_of(&cast);

		fake_hear(f, fake_span_of(&packet));
	}
	fake_done(f, &cast);
	return f->member_env.allocs >= f->member_env.fail_alloc_at;
}

static void a_message_for_which_there_is_no_memory_is_made_good(void **state)
{
	for (int in_parts = 0; in_parts < 2; in_parts++) {
		bool failed = true;

		for (unsigned n = 1; failed; n++) {
			struct fake *f;

			fake_begin_joined(state);
			f = *state;
			failed = hear_without_memory(f, n, in_parts);
			fake_run(f, 20000);
			if (!f->err)
				assert_int_equal(fake_info(f).num, 3);
			if (failed || !in_parts)
				fake_end(state);
		}
	}
}

static void without_memory_a_member_stops_or_recovers(void **state)
{
	struct fake *f = *state;
	unsigned n = 1, stopped = 0, recovered = 0;

	for (bool failed = true; failed; n++) {
		if (n > 1)
			fake_begin(state);
		test_env_fail_alloc(&f->member_env, n);
		live(f);
		failed = f->member_env.allocs >= f->member_env.fail_alloc_at;
		if (f->err) {
			assert_int_equal(f->err, GK_ERR_NO_MEMORY);
			stopped++;
		} else {
			fake_run(f, 3700000); // who does not hear messages asks
			if (!fake_info(f).joined || fake_info(f).num != f->num)
				fail_msg("allocation %u: num is %d", n, (int)fake_info(f).num);
			recovered++;
		}
		if (failed)
			fake_end(state);
	}
	assert_true(stopped > 10 && recovered > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_JOINED(a_gap_is_recovered_from_by_asking),
		FAKE_JOINED(one_signature_without_a_mac_is_verified_in_5_s),
		FAKE_JOINED(a_signature_is_verified_again_after_5_s),
		FAKE_JOINED(what_comes_in_the_meantime_spares_the_question),
		FAKE_ROWED(an_old_answer_does_not_end_a_recovery),
		FAKE_JOINED(a_beacon_tells_what_was_missed),
		FAKE_JOINED(a_beacon_of_another_group_tells_nothing),
		FAKE_ROWED(those_who_have_to_ask_do_so_within_the_leisure),
		FAKE_JOINED(a_message_that_does_not_open_for_us_makes_us_ask),
		FAKE_JOINED(who_was_evicted_asks_and_hears_it),
		FAKE_JOINED(without_a_path_messages_still_tell_of_newer_material),
		FAKE_ROWED(version_0_is_a_version),
		FAKE_JOINED(the_path_comes_with_messages_by_unicast_too),
		FAKE_JOINED(an_answer_may_name_another_control_group),
		FAKE_JOINED(a_jump_of_two_is_held_back_until_the_stale_are_known),
		FAKE_JOINED(what_is_newer_than_what_is_held_back_is_asked_for),
		FAKE_JOINED(newer_material_by_unicast_displaces_what_is_held_back),
		FAKE_JOINED(an_evicted_member_forgets_the_tree),
		FAKE_JOINED(who_leaves_forgets_the_tree),
		FAKE_JOINED(expired_material_is_replaced_by_a_message_too),
		FAKE_ROWED(a_message_for_which_there_is_no_memory_is_made_good),
		FAKE_ALONE(without_memory_a_member_stops_or_recovers),
	};

	return cmocka_run_group_tests(tests, fake_global_init, NULL);
}
