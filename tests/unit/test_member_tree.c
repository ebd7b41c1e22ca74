// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The rekeying scheme "tree" at a member (docs/rekeying.md sections 5, 8 to 10).

#include "libgroupkey/cred.h"

#include "tests/lib/fake.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static int init(void **state)
{
	static struct test_env t;
	static struct gk_env env;

	(void)state;
	env = test_env(&t, 7);
	return gk_global_init(&env) == GK_OK ? 0 : 1;
}

static int open_alone(void **state)
{
	static struct fake f;

	fake_open(&f);
	*state = &f;
	return 0;
}

static int open_joined(void **state)
{
	open_alone(state);
	fake_join(*state);
	return 0;
}

static int close_it(void **state)
{
	fake_close(*state);
	return 0;
}

/* A member with this version, which can tell the next. */
static void assert_follows(struct fake *f)
{
	struct fake_cast cast;
	struct fake_packet packet;
	uint8_t ms[16];

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	memset(ms, (int)f->num, sizeof(ms));
	assert_int_equal(fake_info(f).num, f->num);
	assert_true(fake_info(f).in_tree);
	assert_int_equal(fake_membership(f)->common.master_secret_len, sizeof(ms));
	assert_memory_equal(fake_membership(f)->common.master_secret, ms, sizeof(ms));
}

/* As a reason: it is counted and not told of, since late copies are nothing unusual. */
static const char older[] = "older than what we have";

/* Nothing happens but that it is refused, for this reason; NULL: nothing at all. */
static void assert_refused(struct fake *f, const struct fake_packet *packet, const char *reason)
{
	struct gk_membership_info was = fake_info(f), is;
	size_t notes = f->notes[GK_NOTE_REFUSED], errors = f->notes[GK_NOTE_ERROR];
	size_t requests = f->requests;
	int64_t due = gk_member_next_expiry(f->m).ms;

	fake_hear(f, fake_span_of(packet));
	is = fake_info(f);
	assert_int_equal(is.num, was.num);
	assert_int_equal(is.peers, was.peers);
	assert_int_equal(is.in_tree, was.in_tree);
	assert_int_equal(is.refused, was.refused + (reason != NULL));
	assert_int_equal(f->notes[GK_NOTE_REFUSED], notes + (reason && reason != older));
	assert_int_equal(f->notes[GK_NOTE_ERROR], errors);
	assert_int_equal(gk_member_next_expiry(f->m).ms, due);
	assert_int_equal(f->requests, requests);
	if (reason && reason != older)
		assert_string_equal(f->reason, reason);
}

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

#define KEY_0 "00000000 00000000000000000000000000000000" /* in a path, of version 0 */
#define A32   "6161616161616161616161616161616161616161616161616161616161616161"

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
		  "5863 84 05 02 4d 00000000000000000000000000 5850" KEY_0 KEY_0 KEY_0 "0000000700"
		  "000000000000000000000000000000",
		  FAKE_IN_JOIN, false },
		{ NULL, "584f 84 05 02 4d 00000000000000000000000000 583c" KEY_0 KEY_0 KEY_0,
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

		open_alone(state);
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
			close_it(state);
	}
}

static void another_scheme_is_not_ours(void **state)
{
	static const char *const schemes[] = { "3a00010000", "00", "6474726565", "f6" };

	for (size_t i = 0; i < ROWS(schemes); i++) {
		struct fake *f;

		open_alone(state);
		f = *state;
		f->scheme = schemes[i];
		fake_join(f);
		assert_true(fake_info(f).joined);
		assert_false(fake_info(f).in_tree);
		assert_int_equal(f->notes[GK_NOTE_ERROR], 0);
		if (i + 1 < ROWS(schemes))
			close_it(state);
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
	assert_refused(f, &old, older);
	old = fake_beacon_by(&f->key, f->num - 1);
	assert_refused(f, &old, older);
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

		open_joined(state);
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
			close_it(state);
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

/* gaps */

static void assert_recovers(struct fake *f, size_t gets)
{
	assert_int_equal(fake_info(f).num, -1); // what it has is not used any more
	assert_int_equal(gk_member_say(f->m, gk_span_str(FAKE_GROUP), hex_span("02"), f->now),
			 GK_ERR_STATE);
	assert_false(f->asked); // not at the same time as all others
	fake_run(f, FAKE_LEISURE_MS);
	assert_int_equal(f->gets, gets);
	assert_int_equal(fake_info(f).num, f->num);
	assert_hex_equal(fake_info(f).sender_id, "05");
	assert_int_equal(f->joins, 1);
	fake_run(f, 30000);
	assert_int_equal(f->gets, gets);
}

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

		open_joined(state);
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
			close_it(state);
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
	assert_refused(f, &packet, older);
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

		open_joined(state);
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
			close_it(state);
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
		"5863 84 05 02 4d 00000000000000000000000000 5850" KEY_0 KEY_0 KEY_0 KEY_0;

	for (int known = 0; known < 2; known++) {
		struct fake *f;
		struct fake_packet packet;
		struct fake_cast cast;

		open_alone(state);
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
			close_it(state);
	}
}

static void the_path_comes_with_messages_by_unicast_too(void **state)
{
	// the second has a key of a later version
	static const char *const bad[] = {
		"4180",
		"5863 84 05 02 4d 00000000000000000000000000 5850" KEY_0 KEY_0 KEY_0
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

/* Not at once, since everybody does. */
static void assert_stale_are_asked_for(struct fake *f)
{
	int seconds = 0;

	while (!fake_is_asked(f, GK_COAP_FETCH, "ace-group/" FAKE_GROUP "/stale-sids")) {
		assert_in_range(++seconds, 1, GK_STALE_SPREAD_MS / 1000 + 1);
		fake_wait(f, 1000);
	}
	assert_true(seconds > 0);
}

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
	assert_refused(f, &packet, older);
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

/* several parts */

#define PARTS 4 /* without 0 and 4: entries for leaves 1 and 5, and two nodes */

/* Ours needs the second and the last. */
static void cast_in_parts(struct fake *f, struct fake_cast *cast)
{
	fake_evict(f, 0);
	fake_evict(f, 4);
	fake_rekey_to(f, cast, f->num + 1, f->num + 1, 0, "82 4100 4104");
	assert_int_equal(cast->tree.entries.len, PARTS * GK_TREE_ENTRY_LEN);
}

static void hear_part(struct fake *f, struct fake_cast *cast, size_t part)
{
	struct fake_packet packet = fake_part_of(cast, part);

	fake_hear(f, fake_span_of(&packet));
}

static void parts_may_come_in_any_order(void **state)
{
	static const struct {
		size_t order[PARTS], opens; /* with which one */
	} rows[] = {
		{ { 0, 1, 2, 3 }, 3 },
		{ { 3, 2, 1, 0 }, 2 },
		{ { 1, 3, 0, 2 }, 1 },
		{ { 2, 0, 3, 1 }, 3 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct fake *f;
		struct fake_cast cast;

		open_joined(state);
		f = *state;
		cast_in_parts(f, &cast);
		for (size_t k = 0; k < PARTS; k++) {
			assert_int_equal(fake_info(f).num, k <= rows[i].opens ? 2 : 3);
			hear_part(f, &cast, rows[i].order[k]);
			hear_part(f, &cast, rows[i].order[0]); // copies count once
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
			close_it(state);
	}
}

static void a_lost_part_is_made_good_by_a_copy(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	cast_in_parts(f, &cast);
	for (size_t part = 0; part < 3; part++)
		hear_part(f, &cast, part);
	fake_run(f, 9999);
	assert_int_equal(fake_info(f).num, 2);
	assert_int_equal(f->gets, 0);
	hear_part(f, &cast, 3);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
	fake_run(f, 30000);
	assert_int_equal(f->gets, 0);
}

static void a_lost_part_that_does_not_come_is_asked_for(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	cast_in_parts(f, &cast);
	for (size_t part = 0; part < 3; part++)
		hear_part(f, &cast, part);
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

	cast_in_parts(f, &cast);
	hear_part(f, &cast, 0);
	fake_run(f, 8000);
	hear_part(f, &cast, 1);
	fake_run(f, 8000);
	assert_int_equal(fake_info(f).num, 2);
	hear_part(f, &cast, 0);
	hear_part(f, &cast, 1);
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

	cast_in_parts(f, &cast);
	cast.tree.entries.data[2 * GK_TREE_ENTRY_LEN - 1] ^= 1; // in ours, and signed
	for (size_t part = 0; part < PARTS - 1; part++) {
		hear_part(f, &cast, part);
		assert_int_equal(fake_info(f).num, 2);
	}
	hear_part(f, &cast, PARTS - 1);
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

	cast_in_parts(f, &cast);
	cast.key = &forger;
	for (size_t part = 0; part < PARTS; part++) {
		packet = fake_part_of(&cast, part);
		// three in a row make it ask for the KDC's credential, after a while
		if (part < 2)
			assert_refused(f, &packet, "wrong signature");
		else
			fake_hear(f, fake_span_of(&packet));
	}
	assert_int_equal(fake_info(f).refused, PARTS);
	cast.key = &f->key;
	for (size_t part = 0; part < PARTS; part++)
		hear_part(f, &cast, part);
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

	cast_in_parts(f, &cast);
	other = cast;
	other.message.material = gk_span(other.sealed, other.message.material.len);
	other.sealed[1] ^= 1;
	hear_part(f, &other, 1);
	hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 2);
	hear_part(f, &other, 0);
	hear_part(f, &other, 1);
	hear_part(f, &cast, 1); // has the same place in another message
	assert_int_equal(fake_info(f).num, 2);
	hear_part(f, &cast, 3);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
}

static void parts_of_more_are_not_mixed_with_parts_of_fewer(void **state)
{
	struct fake *f = *state;
	struct fake_packet packet;
	struct fake_cast cast;

	cast_in_parts(f, &cast);
	hear_part(f, &cast, 1);
	cast.message.part = cast.message.last_part = 6000;
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	assert_int_equal(fake_membership(f)->tree.parts.missing, 6000);
	assert_int_equal(fake_info(f).num, 2);
	hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 2);
	hear_part(f, &cast, 1);
	fake_done(f, &cast);
	assert_int_equal(fake_info(f).num, 3);
}

static void parts_end_with_the_keys_that_they_are_for(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	cast_in_parts(f, &cast);
	hear_part(f, &cast, 0);
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
	hear_part(f, &cast, 0);
	hear_part(f, &cast, 1);
	fake_done(f, &cast);
	assert_null(fake_membership(f)->tree.parts.seen.data);
	assert_stale_are_asked_for(f);
}

static void a_second_copy_counts_after_the_wait(void **state)
{
	struct fake *f = *state;
	struct fake_cast cast;

	cast_in_parts(f, &cast);
	hear_part(f, &cast, 0);
	fake_wait(f, 10000);
	assert_int_equal(fake_info(f).num, -1);
	for (size_t part = 0; part < PARTS; part++)
		hear_part(f, &cast, part);
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

	cast_in_parts(f, &cast);
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

		open_joined(state);
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
			close_it(state);
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

	cast_in_parts(f, &cast);
	hear_part(f, &cast, 1);
	hear_part(f, &cast, 3);
	assert_int_equal(fake_info(f).num, 3);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	hear_part(f, &cast, 0);
	hear_part(f, &cast, 2);
	hear_part(f, &cast, 1);
	fake_wait(f, FAKE_LEISURE_MS);
	assert_int_equal(f->confirms, 1);
	hear_part(f, &cast, 3);
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
	cast_in_parts(f, &cast);
	for (size_t part = 0; part < PARTS; part++)
		hear_part(f, &cast, part);
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
		cast_in_parts(f, &cast);
	else
		fake_rekey(f, &cast);
	test_env_fail_alloc(&f->member_env, n);
	if (in_parts) {
		hear_part(f, &cast, 0); // the others are lost
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

			open_joined(state);
			f = *state;
			failed = hear_without_memory(f, n, in_parts);
			fake_run(f, 20000);
			if (!f->err)
				assert_int_equal(fake_info(f).num, 3);
			if (failed || !in_parts)
				close_it(state);
		}
	}
}

static void without_memory_a_member_stops_or_recovers(void **state)
{
	struct fake *f = *state;
	unsigned n = 1, stopped = 0, recovered = 0;

	for (bool failed = true; failed; n++) {
		if (n > 1)
			open_alone(state);
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
			close_it(state);
	}
	assert_true(stopped > 10 && recovered > 10);
}

int main(void)
{
#define ALONE(name)  cmocka_unit_test_setup_teardown(name, open_alone, close_it)
#define JOINED(name) cmocka_unit_test_setup_teardown(name, open_joined, close_it)
#define ROWED(name)  cmocka_unit_test_teardown(name, close_it) /* each row opens its own */
	const struct CMUnitTest tests[] = {
		ALONE(the_scheme_is_announced_unless_it_is_not_wanted),
		JOINED(who_joins_with_all_three_is_in_the_tree),
		ROWED(an_offer_that_cannot_be_used_leaves_a_member_point_to_point),
		ROWED(another_scheme_is_not_ours),
		ALONE(a_point_to_point_member_ignores_the_group),
		JOINED(the_message_brings_the_material),
		JOINED(joiners_come_with_their_credentials),
		JOINED(growth_and_departure_at_once_are_followed),
		JOINED(a_repeat_of_the_newest_is_no_refusal),
		JOINED(an_older_message_is_refused),
		JOINED(another_message_of_the_same_version_is_refused),
		JOINED(a_forged_mac_or_signature_changes_nothing),
		JOINED(a_message_cut_or_bent_anywhere_changes_nothing),
		JOINED(a_malformed_message_is_counted),
		JOINED(what_is_not_for_us_is_met_with_silence),
		ROWED(material_that_does_not_fit_its_message_is_not_installed),
		JOINED(who_is_called_stale_itself_joins_again),
		JOINED(a_new_join_ends_a_recovery),
		JOINED(a_gap_is_recovered_from_by_asking),
		JOINED(one_signature_without_a_mac_is_verified_in_5_s),
		JOINED(a_signature_is_verified_again_after_5_s),
		JOINED(what_comes_in_the_meantime_spares_the_question),
		ROWED(an_old_answer_does_not_end_a_recovery),
		JOINED(a_beacon_tells_what_was_missed),
		JOINED(a_beacon_of_another_group_tells_nothing),
		ROWED(those_who_have_to_ask_do_so_within_the_leisure),
		JOINED(a_message_that_does_not_open_for_us_makes_us_ask),
		JOINED(who_was_evicted_asks_and_hears_it),
		JOINED(without_a_path_messages_still_tell_of_newer_material),
		ROWED(version_0_is_a_version),
		JOINED(the_path_comes_with_messages_by_unicast_too),
		JOINED(an_answer_may_name_another_control_group),
		JOINED(a_jump_of_two_is_held_back_until_the_stale_are_known),
		JOINED(what_is_newer_than_what_is_held_back_is_asked_for),
		JOINED(newer_material_by_unicast_displaces_what_is_held_back),
		ROWED(parts_may_come_in_any_order),
		JOINED(a_lost_part_is_made_good_by_a_copy),
		JOINED(a_lost_part_that_does_not_come_is_asked_for),
		JOINED(the_wait_for_parts_ends),
		JOINED(all_parts_without_an_opening_make_us_ask),
		JOINED(a_forged_part_is_not_collected),
		JOINED(a_kdc_with_another_key_is_believed_when_it_has_proven_it),
		JOINED(parts_of_different_messages_are_not_mixed),
		JOINED(parts_of_more_are_not_mixed_with_parts_of_fewer),
		JOINED(parts_end_with_the_keys_that_they_are_for),
		JOINED(a_second_copy_counts_after_the_wait),
		JOINED(entries_of_others_are_not_kept),
		ROWED(a_confirmation_goes_to_the_kdc_within_the_leisure),
		JOINED(without_leisure_nobody_confirms),
		JOINED(each_confirmation_is_called_for_by_a_copy),
		JOINED(other_parts_of_the_same_copy_call_for_nothing),
		JOINED(what_is_held_back_is_confirmed),
		JOINED(an_overtaken_version_is_not_confirmed),
		JOINED(the_version_is_shown_in_the_tree_alone),
		JOINED(long_versions_are_shown_whole),
		JOINED(what_is_not_in_use_is_not_shown),
		ALONE(another_credential_may_sign_where_the_groups_cannot),
		ALONE(another_credential_needs_evidence_of_its_own),
		JOINED(an_evicted_member_forgets_the_tree),
		JOINED(who_leaves_forgets_the_tree),
		JOINED(expired_material_is_replaced_by_a_message_too),
		ROWED(a_message_for_which_there_is_no_memory_is_made_good),
		ALONE(without_memory_a_member_stops_or_recovers),
	};
	return cmocka_run_group_tests(tests, init, NULL);
}
