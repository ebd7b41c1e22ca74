// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The rekeying scheme "tree" at a member (docs/rekeying.md sections 5, 8 to 10): joining, and one
// message to all.

#include "tests/lib/fake_tree.h"
#include "tests/lib/hex.h"

#include <string.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* joining */

static bool announces(const struct fake *f)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_REKEYING_SCHEME, GK_CBOR_INT, false },
	};
	struct gk_cbor_item item;

	assert_true(fake_is_asked(f, GK_COAP_POST, "ace-group/" FAKE_GROUP));
	assert_int_equal(gk_cbor_read_map(f->msg.payload, fields, 1, &item), GK_OK);
	assert_true(!item.kind || item.number == GK_SCHEME_TREE);
	return item.kind != GK_CBOR_NONE;
}

static void the_scheme_is_announced_unless_it_is_not_wanted(void **state)
{
	struct fake *f = *state;

	for (int point_to_point = 0; point_to_point < 2; point_to_point++) {
		gk_member_free(f->m);
		memset(&f->assoc, 0, sizeof(f->assoc));
		fake_make_member(f, point_to_point);
		fake_drain(f, gk_member_join(f->m, gk_span_str(FAKE_GROUP), 6, f->now));
		fake_answer_token(f);
		assert_int_equal(announces(f), !point_to_point);
	}
}

static void who_joins_with_all_three_is_in_the_tree(void **state)
{
	struct fake *f = *state;

	assert_true(fake_info(f).joined);
	assert_true(fake_info(f).in_tree);
	assert_int_equal(fake_info(f).control_group.port, 5686);
	assert_hex_equal(gk_span(fake_info(f).control_group.ip, 16),
			 "ff03 0000 0000 0000 0000 0000 0000 00fd");
	assert_int_equal(f->notes[GK_NOTE_ERROR], 0);
	assert_follows(f);
}

#define A32 "6161616161616161616161616161616161616161616161616161616161616161"

static void an_offer_that_cannot_be_used_leaves_a_member_point_to_point(void **state)
{
	static const char null[] = "f6";
	static const struct {
		const char *uri, *mgt;
		unsigned what;
		bool silent;
	} rows[] = {
		{ NULL, NULL, FAKE_IN_JOIN & ~FAKE_SCHEME, true },
		{ NULL, NULL, FAKE_IN_JOIN & ~FAKE_MGT, false },
		{ NULL, NULL, FAKE_IN_JOIN & ~FAKE_CONTROL, false },
		{ NULL, null, FAKE_IN_JOIN, false },
		{ NULL, "40", FAKE_IN_JOIN, false },
		{ NULL, "4180", FAKE_IN_JOIN, false },
		{ NULL, "00", FAKE_IN_JOIN, false },
		// [5, 2, 13 bytes, a path of no length]
		{ NULL, "52 84 05 02 4d 00000000000000000000000000 40", FAKE_IN_JOIN, false },
		// a path with a key of a later version, and one of a smaller tree than slot 5 is in
		{ NULL,
		  "5863 84 05 02 4d 00000000000000000000000000 5850" FAKE_KEY_0 FAKE_KEY_0
			  FAKE_KEY_0 "0000000700"
		  "000000000000000000000000000000",
		  FAKE_IN_JOIN, false },
		{ NULL,
		  "584f 84 05 02 4d 00000000000000000000000000 583c" FAKE_KEY_0 FAKE_KEY_0
			  FAKE_KEY_0,
		  FAKE_IN_JOIN, false },
		{ null, NULL, FAKE_IN_JOIN, false },
		{ "60", NULL, FAKE_IN_JOIN, false },
		// the right one, but a byte string
		{ "5827 636f61703a2f2f5b666630333a3a66645d3a353638362f6163652d67726f75702f"
		  "6c6967687473",
		  NULL, FAKE_IN_JOIN, false },
		// "coap://[fd03::fd]/ace-group/lights": no multicast address
		{ "7822 636f61703a2f2f5b666430333a3a66645d2f6163652d67726f75702f6c6967687473", NULL,
		  FAKE_IN_JOIN, false },
		// "coap://[ff03::fd]:5686/", "coap://[ff03::fd]:5686": no path
		{ "77 636f61703a2f2f5b666630333a3a66645d3a353638362f", NULL, FAKE_IN_JOIN, false },
		{ "76 636f61703a2f2f5b666630333a3a66645d3a35363836", NULL, FAKE_IN_JOIN, false },
		// "coap://[ff03::fd]/" and 97 "a"
		{ "7873 636f61703a2f2f5b666630333a3a66645d2f" A32 A32 A32 "61", NULL, FAKE_IN_JOIN,
		  false },
		// "coap://[ff03::fd]/1/2/3/4/5/6/7/8/9": more segments than anyone has
		{ "7823 636f61703a2f2f5b666630333a3a66645d2f312f322f332f342f352f362f372f382f39",
		  NULL, FAKE_IN_JOIN, false },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct fake *f;
		struct fake_cast cast;
		struct fake_packet packet;

		fake_begin(state);
		f = *state;
		f->uri = rows[i].uri;
		f->mgt = rows[i].mgt;
		fake_drain(f, gk_member_join(f->m, gk_span_str(FAKE_GROUP), 6, f->now));
		fake_serve_one(f);
		fake_answer_material(f, GK_COAP_CREATED, f->num, rows[i].what);
		if (!fake_info(f).joined || fake_info(f).num != f->num || fake_info(f).in_tree)
			fail_msg("row %zu", i);
		assert_int_equal(f->notes[GK_NOTE_ERROR], !rows[i].silent);
		fake_rekey(f, &cast);
		packet = fake_packet_of(&cast);
		assert_refused(f, &packet, NULL);
		fake_done(f, &cast);
		fake_post_material(f, 0);
		assert_int_equal(fake_info(f).num, f->num);
		assert_int_equal(f->notes[GK_NOTE_ERROR], !rows[i].silent);
		if (i + 1 < ROWS(rows))
			fake_end(state);
	}
}

static void another_scheme_is_not_ours(void **state)
{
	static const char *const schemes[] = { "3a00010000", "00", "6474726565", "f6" };

	for (size_t i = 0; i < ROWS(schemes); i++) {
		struct fake *f;

		fake_begin(state);
		f = *state;
		f->scheme = schemes[i];
		fake_join(f);
		assert_true(fake_info(f).joined);
		assert_false(fake_info(f).in_tree);
		assert_int_equal(f->notes[GK_NOTE_ERROR], 0);
		if (i + 1 < ROWS(schemes))
			fake_end(state);
	}
}

static void a_point_to_point_member_ignores_the_group(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	gk_member_free(f->m);
	fake_make_member(f, true);
	fake_join(f); // the KDC offers it all the same
	assert_true(fake_info(f).joined);
	assert_false(fake_info(f).in_tree);
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, NULL);
	packet = fake_beacon(f);
	assert_refused(f, &packet, NULL);
	// POST to an empty segment, which is no path of ours either
	memcpy(packet.bytes, "\x02\xb0\x12\x01\x05\xff\x00", 7);
	packet.len = 7;
	assert_refused(f, &packet, NULL);
	fake_done(f, &cast);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, f->num);
	assert_false(fake_info(f).in_tree);
}

/* one message to all */

static void the_message_brings_the_material(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_evict(f, 2);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "814102");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, f->num);
	assert_hex_equal(fake_info(f).gid, "eeee00000003");
	assert_hex_equal(fake_info(f).sender_id, "05");
	assert_int_equal(fake_info(f).peers, 4); // without 02
	assert_int_equal(f->notes[GK_NOTE_REKEYED], 1);
	assert_int_equal(f->via, GK_VIA_MULTICAST);
	assert_int_equal(fake_info(f).refused, 0);
	assert_false(f->asked);
	assert_follows(f);
}

static void joiners_come_with_their_credentials(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;
	uint16_t slot;

	for (uint16_t want = 6; want < 9; want++) { // with the last one the tree grows
		assert_int_equal(gk_keytree_join(&f->tree, &slot), GK_OK);
		assert_int_equal(slot, want);
		fake_rekey_to(f, &cast, f->num + 1, f->num + 1, want == 6 ? FAKE_JOINER : 0, "80");
		assert_int_equal(cast.tree.entries.len, 0);
		packet = fake_packet_of(&cast);
		fake_hear(f, fake_span_of(&packet));
		fake_done(f, &cast);
		assert_int_equal(fake_info(f).num, f->num);
		assert_int_equal(fake_info(f).peers, 6);
	}
	assert_follows(f);
}

static void growth_and_departure_at_once_are_followed(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;
	uint16_t slot;

	for (uint16_t want = 6; want < 9; want++)
		assert_int_equal(gk_keytree_join(&f->tree, &slot), GK_OK);
	fake_evict(f, 4);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "814104");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, f->num);
	assert_follows(f);
}

static void a_repeat_of_the_newest_is_no_refusal(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey(f, &cast);
	cast.message.leisure_ms = 0;
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	for (int i = 0; i < 3; i++)
		assert_refused(f, &packet, NULL);
	assert_int_equal(f->notes[GK_NOTE_REKEYED], 1);
	// to who has it by another way it is nothing new either
	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_done(f, &cast);
	fake_post_material(f, FAKE_MGT);
	assert_int_equal(fake_info(f).num, f->num);
	assert_refused(f, &packet, NULL);
	fake_wait(f, 100000);
	assert_int_equal(f->confirms, 0);
}

static void an_older_message_is_refused(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet old;

	fake_rekey(f, &cast);
	old = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&old));
	fake_done(f, &cast);
	assert_follows(f);
	fake_wait(f, 100000); // all confirmed
	assert_refused(f, &old, fake_older);
	old = fake_beacon_by(&f->key, f->num - 1);
	assert_refused(f, &old, fake_older);
	assert_follows(f);
}

static void another_message_of_the_same_version_is_refused(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_wait(f, 100000);
	cast.sealed[3] ^= 1;
	packet = fake_packet_of(&cast);
	fake_done(f, &cast);
	assert_refused(f, &packet, "unlike the message that brought this version");
	assert_follows(f);
}

static void a_forged_mac_or_signature_changes_nothing(void **state)
{
	struct fake *f = *state;
	struct gk_key_pair forger = fake_key_of(1);
	struct fake_packet packet, good;
	struct fake_cast cast;

	fake_rekey(f, &cast);
	good = fake_packet_of(&cast);
	// an outsider has neither; that the MAC is wrong is found first
	cast.key = &forger;
	cast.old_root = (const uint8_t *)"0123456789abcdef";
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, "wrong MAC");
	// a member has the MAC's key
	cast.old_root = cast.tree.old_root;
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, "wrong signature");
	// a former member may know an old root
	cast.key = &f->key;
	cast.old_root = (const uint8_t *)"0123456789abcdef";
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, "wrong MAC");
	fake_hear(f, fake_span_of(&good));
	assert_int_equal(fake_info(f).num, f->num);
	fake_done(f, &cast);
	assert_follows(f);
}

static void a_message_cut_or_bent_anywhere_changes_nothing(void **state)
{
	struct fake *f = *state;
	struct fake_packet good, bad;
	struct fake_cast cast;
	int64_t was = fake_info(f).num;
	size_t head;

	fake_evict(f, 2);
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "814102");
	good = fake_packet_of(&cast);
	bad = fake_wrap(gk_span("", 1));
	head = bad.len - 1;
	for (size_t len = 0; len < good.len; len++) {
		fake_hear(f, exact_copy(gk_span(good.bytes, len)));
		assert_int_equal(fake_info(f).num, was);
		assert_int_equal(fake_info(f).peers, 5);
		// from where it has all its options, and again when there is a payload
		assert_int_equal(fake_info(f).refused,
				 (len >= head - 1) + (len > head ? len - head : 0));
	}
	for (size_t at = 0; at < good.len; at++) {
		bad = good;
		bad.bytes[at] ^= 1;
		fake_hear(f, exact_copy(fake_span_of(&bad)));
		fake_wait(f, 5000); // so that each is verified that has to be
		assert_int_equal(fake_info(f).num, was);
		assert_int_equal(fake_info(f).peers, 5);
		assert_false(f->asked);
	}
	fake_hear(f, fake_span_of(&good));
	assert_int_equal(fake_info(f).num, f->num);
	assert_int_equal(fake_info(f).peers, 4);
	fake_done(f, &cast);
	assert_follows(f);
}

static void a_malformed_message_is_counted(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet = fake_wrap(hex_span("00"));

	assert_refused(f, &packet, "malformed");
	packet = fake_wrap(gk_span(NULL, 0));
	assert_refused(f, &packet, "malformed");
}

static void what_is_not_for_us_is_met_with_silence(void **state)
{
	static const struct {
		const char *path;
		uint8_t code;
		uint32_t format;
	} rows[] = {
		{ "ace-group/meters", GK_COAP_POST, GK_CF_ACE_GROUPCOMM },
		{ "ace-group", GK_COAP_POST, GK_CF_ACE_GROUPCOMM },
		{ "ace-group/lights/node", GK_COAP_POST, GK_CF_ACE_GROUPCOMM },
		{ "", GK_COAP_POST, GK_CF_ACE_GROUPCOMM },
		{ "ace-group/lights", GK_COAP_PUT, GK_CF_ACE_GROUPCOMM },
		{ "ace-group/lights", GK_COAP_CHANGED, GK_CF_ACE_GROUPCOMM },
		{ "ace-group/lights", GK_COAP_POST, GK_CF_CBOR },
	};
	struct fake *f = *state;
	struct fake_packet packet, good;
	struct gk_coap msg;
	struct fake_cast cast;

	fake_rekey(f, &cast);
	good = fake_packet_of(&cast);
	assert_int_equal(gk_coap_parse(fake_span_of(&good), &msg), GK_OK);
	for (size_t i = 0; i < ROWS(rows); i++) {
		packet = fake_wrap_at(rows[i].path, rows[i].code, rows[i].format, msg.payload);
		assert_refused(f, &packet, NULL);
		packet = fake_wrap_at(rows[i].path, rows[i].code, rows[i].format, hex_span("00"));
		assert_refused(f, &packet, NULL);
	}
	// one segment is not two
	packet = fake_wrap_at("", GK_COAP_POST, GK_CF_ACE_GROUPCOMM, msg.payload);
	struct gk_buf buf = gk_buf(packet.bytes, sizeof(packet.bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);

	gk_coap_put(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/lights"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, msg.payload);
	packet.len = buf.len;
	assert_refused(f, &packet, NULL);
	// types that have no meaning yet: [[2, 9], 64 bytes]
	packet = fake_wrap(
		hex_span("82 43 820209 5840 00000000000000000000000000000000"
			 "00000000000000000000000000000000 00000000000000000000000000000000"
			 "00000000000000000000000000000000"));
	assert_refused(f, &packet, NULL);
	fake_hear(f, fake_span_of(&good));
	assert_int_equal(fake_info(f).num, f->num);
	fake_done(f, &cast);
}

static void material_that_does_not_fit_its_message_is_not_installed(void **state)
{
	static const struct {
		uint32_t inside;
		unsigned what;
		const char *stale;
	} rows[] = {
		{ 4, 0, "80" },        // another num
		{ 2, 0, "80" },        // an old one
		{ 3, FAKE_SID, "80" }, // a Sender ID for everybody
		{ 3, FAKE_MGT, "80" }, // somebody's path
		{ 3, 0, NULL },        // no stale_node_ids
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct fake *f;
		struct fake_cast cast;
		struct fake_packet packet;

		fake_begin_joined(state);
		f = *state;
		fake_rekey_to(f, &cast, 3, rows[i].inside, rows[i].what, rows[i].stale);
		packet = fake_packet_of(&cast);
		fake_hear(f, fake_span_of(&packet));
		fake_done(f, &cast);
		assert_int_equal(fake_info(f).refused, 1);
		assert_int_equal(fake_info(f).num, -1);
		assert_hex_equal(fake_info(f).sender_id, "05");
		// the KDC gives it to who asks
		fake_run(f, 10000);
		assert_int_equal(f->gets, 1);
		assert_int_equal(fake_info(f).num, 3);
		assert_follows(f);
		if (i + 1 < ROWS(rows))
			fake_end(state);
	}
}

static void who_is_called_stale_itself_joins_again(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;
	struct fake_packet packet;

	assert_follows(f); // which it is about to confirm
	fake_rekey_to(f, &cast, f->num + 1, f->num + 1, 0, "82 4102 4105");
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, -1);
	assert_int_equal(fake_info(f).sender_id.len, 0);
	assert_false(fake_info(f).in_tree);
	assert_true(fake_is_asked(f, GK_COAP_POST, "ace-group/" FAKE_GROUP));
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 0); // it has lost the one, and not got the other
	fake_serve(f);
	assert_int_equal(fake_info(f).num, f->num);
	assert_follows(f);
}

static void a_new_join_ends_a_recovery(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;

	fake_rekey_unheard(f);
	packet = fake_beacon(f);
	fake_hear(f, fake_span_of(&packet));
	assert_int_not_equal(fake_membership(f)->due_ms[GK_DUE_RECOVER], GK_NEVER);
	fake_post_material_without(f, FAKE_MGT, "814105");
	assert_true(fake_is_asked(f, GK_COAP_POST, "ace-group/" FAKE_GROUP));
	assert_int_equal(fake_membership(f)->due_ms[GK_DUE_RECOVER], GK_NEVER);
	fake_serve(f);
	assert_follows(f);
}

/* whose signature counts */

static void another_credential_may_sign_where_the_groups_cannot(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;
	struct fake_cast cast;

	f->own_signer = true;
	fake_join(f);
	assert_true(fake_info(f).in_tree);
	fake_rekey(f, &cast);
	cast.key = &f->key; // the group's own is not the one
	packet = fake_packet_of(&cast);
	assert_refused(f, &packet, "wrong signature");
	fake_done(f, &cast);
	cast.key = &f->sign_key;
	packet = fake_beacon_by(&f->sign_key, f->num);
	fake_hear(f, fake_span_of(&packet));
	// what comes with other answers does not replace it
	f->sign_key = fake_key_of(102);
	fake_run(f, 10000);
	assert_int_equal(fake_info(f).num, f->num);
	f->sign_key = fake_key_of(101);
	assert_follows(f);
}

static void another_credential_needs_evidence_of_its_own(void **state)
{
	struct fake *f = *state;

	f->own_signer = true;
	f->wrong_proof = true;
	fake_join(f);
	assert_true(fake_info(f).joined);
	assert_false(fake_info(f).in_tree);
	assert_int_equal(f->notes[GK_NOTE_ERROR], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_ALONE(the_scheme_is_announced_unless_it_is_not_wanted),
		FAKE_JOINED(who_joins_with_all_three_is_in_the_tree),
		FAKE_ROWED(an_offer_that_cannot_be_used_leaves_a_member_point_to_point),
		FAKE_ROWED(another_scheme_is_not_ours),
		FAKE_ALONE(a_point_to_point_member_ignores_the_group),
		FAKE_JOINED(the_message_brings_the_material),
		FAKE_JOINED(joiners_come_with_their_credentials),
		FAKE_JOINED(growth_and_departure_at_once_are_followed),
		FAKE_JOINED(a_repeat_of_the_newest_is_no_refusal),
		FAKE_JOINED(an_older_message_is_refused),
		FAKE_JOINED(another_message_of_the_same_version_is_refused),
		FAKE_JOINED(a_forged_mac_or_signature_changes_nothing),
		FAKE_JOINED(a_message_cut_or_bent_anywhere_changes_nothing),
		FAKE_JOINED(a_malformed_message_is_counted),
		FAKE_JOINED(what_is_not_for_us_is_met_with_silence),
		FAKE_ROWED(material_that_does_not_fit_its_message_is_not_installed),
		FAKE_JOINED(who_is_called_stale_itself_joins_again),
		FAKE_JOINED(a_new_join_ends_a_recovery),
		FAKE_ALONE(another_credential_may_sign_where_the_groups_cannot),
		FAKE_ALONE(another_credential_needs_evidence_of_its_own),
	};

	return cmocka_run_group_tests(tests, fake_global_init, NULL);
}
