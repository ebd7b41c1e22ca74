// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Whole messages, byte for byte, in a group "g1" that uses both modes with EdDSA: the examples of
// the sources where they leave no choice, and else with what was chosen filled in. And what either
// side writes, the other one reads.

#include "client.h"

#include "libgroupkey/cred.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL (REQUESTER | RESPONDER | MONITOR | VERIFIER)

#define N_S "018a278f7faab55a"
#define N_C "25a8991cd700ac01"
#define N_2 "25a8991cd700ac01"
#define ID2 "000000" /* three bytes, where the example has two */

#define CRED_A                                                                                     \
	"a501781b636f6170733a2f2f746573746572312e6578616d706c652e636f6d02666d796e616d6503781a636f" \
	"6170733a2f2f68656c6c6f312e6578616d706c652e6f7267041a70004b4f08a101a401010327200621582006" \
	"9e912b83963acc5941b63546867dec106e5b9051f2ee14f3bc5cc961acd43a"
#define SEED_A "64714d41a240b61d8d823502717ab088c9f4af6fc9844553e4ad4c42cc735239"

#define SIGN_INFO "8185 626731 27 8101 820106 0e"
#define ECDH_INFO "8185 626731 381a 8101 820104 0e"

/* Chance says what the examples have: ID2, N2, N_S, in this order. */
struct chance {
	struct gk_env env; /* the pair's own */
	const char *next[3];
};

static bool draw(void *ctx, uint8_t *out, size_t len)
{
	struct chance *chance = ctx;

	for (size_t i = 0; i < ROWS(chance->next); i++) {
		if (chance->next[i] && strlen(chance->next[i]) == 2 * len) {
			hex(chance->next[i], out, len);
			chance->next[i] = NULL;
			return true;
		}
	}
	return chance->env.random(chance->env.ctx, out, len);
}

static void *allocate(void *ctx, void *old, size_t size)
{
	struct chance *chance = ctx;

	return chance->env.alloc(chance->env.ctx, old, size);
}

static struct chance chance;

/* Its members sign with EdDSA, and agree on keys besides. */
static bool can_have_g1(void)
{
	return gk_sign_curve(-8) && gk_dh_curve(-8);
}

static int open_g1(void **state)
{
	static struct pair p;
	struct gk_kdc_config kdc = { .audience = gk_span_str("gatewayd"),
				     .as_key = gk_span(pair_as_key, sizeof(pair_as_key)) };
	struct gk_group_config config = pair_config("g1");

	pair_open(&p, 5);
	*state = &p;
	if (!can_have_g1())
		return 0;
	gk_kdc_free(p.kdc);
	p.record_count = 0;
	chance = (struct chance){ .env = p.env };
	p.env = (struct gk_env){ .ctx = &chance, .random = draw, .alloc = allocate };
	config.mode = GK_MODE_BOTH;
	config.sign_alg = -8;
	return gk_kdc_new(&p.env, &kdc, &p.kdc) || pair_serve(&p, &config) ? 1 : 0;
}

/* client A of the examples, which has posted its token */
static struct client *client_a(struct pair *p)
{
	static struct client c;

	client_open(&c, p, 1, 0);
	client_grant(&c, "g1", ALL);
	assert_int_equal(gk_key_from_private(6, hex_span(SEED_A), &c.key), GK_OK);
	c.cred.len = 0;
	put_hex(&c.cred, CRED_A);
	memcpy(c.n_c, hex_span("24a7981bd6ffab00").data, 8); /* the next one is N_C */
	chance.next[0] = ID2;
	chance.next[1] = N_2;
	chance.next[2] = N_S;
	assert_int_equal(client_post_with(&c, &(struct token){ 0 }, "182df6182ff61830f6"), CREATED);
	return &c;
}

static void the_token_transfer_response(void **state)
{
	struct client *c;

	if (!can_have_g1())
		skip();
	c = client_a(*state);
	assert_hex_equal(c->payload, "a5 182a48" N_2 "182c43" ID2 "182d" SIGN_INFO "182e48" N_S
				     "182f" ECDH_INFO);
}

static void the_join_request_and_its_evidence(void **state)
{
	struct bytes request = { .len = 0 };
	struct client *c;

	if (!can_have_g1())
		skip();
	c = client_a(*state);
	put_join(&request, c, &(struct join){ .group = "g1", .roles = 6, .get_creds = "f6" });
	assert_hex_equal(all_of(&request),
			 "a5 0345 8262673106 04f6 055877" CRED_A "0648" N_C "18185840"
			 "adc18c053c56bb60d18c678d80a75018e2689c64f80c0c53d7c3590b6c1aa8d9"
			 "9bfea997e16aa69b2905cdae746ea8caeff11741561fcaa0b2ed960ad1454d06");
	assert_int_equal(ask(c, POST, "ace-group/g1", CF_ACE_GC, all_of(&request)), CREATED);
}

static void the_map_of_a_4_00(void **state)
{
	struct client *c;

	if (!can_have_g1())
		skip();
	c = client_a(*state);
	(void)ask_hex(c, POST, "ace-group/g1", CF_ACE_GC, "");
	assert_answer(c, BAD_REQUEST, CF_ACE_GC);
	assert_hex_equal(c->payload, "a2 181d" SIGN_INFO "181f" ECDH_INFO);
}

/* 7 gkty, 8 key, 9 num, 10 profile, 11 exp, 12 exi, from an answer that has them */
static void put_head_of_material(struct bytes *b, struct gk_span map, const char *key)
{
	put_hex(b, "07 01 08");
	put_hex(b, key);
	put_hex(b, "09");
	put_raw(b, in_map(map, 9));
	put_hex(b, "0a 01 0b");
	put_raw(b, in_map(map, 11));
	put_hex(b, "0c");
	put_raw(b, in_map(map, 12));
}

static const char *key_map(struct gk_span map, bool sid)
{
	static char text[400];
	struct gk_span key = in_map(map, 8);

	snprintf(text, sizeof(text),
		 "%s 02 %s 0305 040a 06 %s %s%s 080e 090a 0a27 0b8281018201060c381a0d82810182010"
		 "4",
		 sid ? "ab" : "aa", hex_text(in_map(key, 2)), hex_text(in_map(key, 6)),
		 sid ? "07 " : "", sid ? hex_text(in_map(key, 7)) : "");
	return text;
}

static void the_join_response_and_the_material_of_a_group(void **state)
{
	struct bytes want = { .len = 0 };
	struct client *c;

	if (!can_have_g1())
		skip();
	c = client_a(*state);
	assert_int_equal(join(c, &(struct join){ .group = "g1", .roles = 6 }), CREATED);
	put_hex(&want, "aa");
	put_head_of_material(&want, c->payload, key_map(c->payload, true));
	put_hex(&want, "10 a201190e100200");
	for (int label = 17; label <= 19; label++) {
		put_int(&want, label);
		put_raw(&want, in_map(c->payload, label));
	}
	assert_true(gk_span_equal(c->payload, all_of(&want)));
	(void)ask_group(c, GET, "");
	want.len = 0;
	put_hex(&want, "a6");
	put_head_of_material(&want, c->payload, key_map(c->payload, false));
	assert_true(gk_span_equal(c->payload, all_of(&want)));
}

static void the_rekeying_message(void **state)
{
	struct bytes want = { .len = 0 };
	static struct told told;
	struct pair *p = *state;
	struct client *c;
	char key[100];

	if (!can_have_g1())
		skip();
	c = client_a(p);
	assert_int_equal(join(c, &(struct join){ .group = "g1",
						 .roles = 6,
						 .control = "coap://[fd00::1:1]:5683/told" }),
			 CREATED);
	assert_int_equal(ask_group(c, POST, "*"), CHANGED);
	pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str("g1"), p->now));
	read_told(c, 0, &told);
	snprintf(key, sizeof(key), "a2 02 %s 06 %s", hex_text(in_map(in_map(told.payload, 8), 2)),
		 hex_text(in_map(in_map(told.payload, 8), 6)));
	put_hex(&want, "a7");
	put_head_of_material(&want, told.payload, key);
	put_hex(&want, "1822 81");
	put_raw(&want, in_array(in_map(told.payload, 34), 0));
	assert_true(gk_span_equal(told.payload, all_of(&want)));
}

static void the_small_answers(void **state)
{
	struct pair *p = *state;
	struct client *c;
	struct gk_span gid;
	char want[200];

	if (!can_have_g1())
		skip();
	c = client_a(p);
	(void)ask(c, GET, "ace-group/g1/num", CF_NONE, gk_span(NULL, 0));
	assert_hex_equal(c->payload, "a100a10000");
	assert_int_equal(join(c, &(struct join){ .group = "g1", .roles = MONITOR }), CREATED);
	(void)ask_group(c, GET, "creds");
	assert_hex_equal(c->payload, "40");
	(void)ask_group(c, POST, "*");
	assert_hex_equal(c->payload, "a100a10001");
	for (int i = 0; i < 5; i++)
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str("g1"), p->now));
	(void)ask_group(c, GET, "num");
	assert_hex_equal(c->payload, "05");
	(void)ask_group(c, GET, "active");
	assert_hex_equal(c->payload, "f5");
	(void)ask_group(c, GET, "policies");
	assert_hex_equal(c->payload, "a110a201190e100200");
	(void)ask_hex(c, FETCH, "ace-group/g1/stale-sids", CF_CBOR, "04");
	assert_hex_equal(c->payload, "80");
	(void)ask_group(c, GET, "");
	gid = in_map(in_map(c->payload, 8), 6);
	snprintf(want, sizeof(want), "a1 00 81 %s", hex_text(gid));
	(void)ask_hex(c, FETCH, "ace-group", CF_ACE_GC, want);
	snprintf(want, sizeof(want), "a3 0081%s 0181626731 02816d2f6163652d67726f75702f6731",
		 hex_text(in_array(in_map(c->payload, 0), 0)));
	assert_hex_equal(c->payload, want);
	assert_int_equal(join(c, &(struct join){ .group = "g1", .roles = 6 }), CHANGED);
	(void)ask_group(c, POST, "*");
	assert_int_equal(c->payload.len, 4);
	assert_memory_equal(c->payload.data, "\xa1\x15\x41", 3);
}

static void what_verifiers_get(void **state)
{
	struct bytes want = { .len = 0 };
	struct client *c;
	char key[200];

	if (!can_have_g1())
		skip();
	c = client_a(*state);
	(void)ask(c, GET, "ace-group/g1/verif-data", CF_NONE, gk_span(NULL, 0));
	assert_answer(c, CONTENT, CF_ACE_GC);
	snprintf(key, sizeof(key), "a8 0305 040a 06 %s 080e 090a 0a27 0b828101820106 0c381a",
		 hex_text(in_map(in_map(c->payload, 8), 6)));
	put_hex(&want, "a7");
	put_head_of_material(&want, c->payload, key);
	put_hex(&want, "1821");
	put_raw(&want, in_map(c->payload, 33));
	assert_true(gk_span_equal(c->payload, all_of(&want)));
}

/* the other side's decoder */

/* Whatever the KDC wrote in CBOR is of definite length, with heads in the shortest form. */
static void read_all(const struct pair *p)
{
	size_t maps = 0;

	for (size_t i = 0; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];
		struct gk_span payload;

		if (m->from != PAIR_KDC || !m->plain.len)
			continue;
		payload = payload_in(m->plain);
		if (!payload.len || option_in(m->plain, 12) == 60)
			continue;
		if (payload.data[0] >> 5 == 5) {
			(void)in_map(payload, 0);
			maps++;
		}
	}
	assert_true(maps > 20);
}

static void members_and_kdc_read_each_other(void **state)
{
	struct pair *p = *state;
	struct gk_group_config both = pair_config("both"), pairwise = pair_config("pairwise");
	static const char *const groups[] = { "lights", "both", "pairwise" };

	both.mode = GK_MODE_BOTH;
	pairwise.mode = GK_MODE_PAIRWISE;
	assert_int_equal(pair_serve(p, &both), GK_OK);
	assert_int_equal(pair_serve(p, &pairwise), GK_OK);
	for (size_t i = 0; i < 4; i++) {
		(void)pair_add(p, ALL);
		for (size_t g = 0; g < ROWS(groups); g++)
			assert_int_equal(pair_join(p, i, groups[g], 6), GK_OK);
		pair_run(p);
		pair_advance(p, 5000);
	}
	/* all have read the Join Response and the rekeyings that followed it */
	assert_true(pair_agree(p, 0, 3));
	assert_int_equal(pair_info(p, 0).peers, 3);
	/* Key Renewal, and GET num */
	assert_int_equal(gk_member_renew(p->node[1].member, gk_span_str("lights"), p->now), GK_OK);
	assert_int_equal(gk_member_check(p->node[2].member, gk_span_str("lights"), p->now), GK_OK);
	pair_drain_node(p, 1);
	pair_drain_node(p, 2);
	pair_run(p);
	/* one misses rekeyings: GET nodes/N, FETCH stale-sids, GET creds */
	p->node[3].cut = true;
	for (int i = 0; i < 2; i++) {
		pair_drain_kdc(p, gk_kdc_rekey(p->kdc, gk_span_str("lights"), p->now));
		pair_advance(p, 1000);
	}
	p->node[3].cut = false;
	assert_int_equal(gk_member_check(p->node[3].member, gk_span_str("lights"), p->now), GK_OK);
	pair_drain_node(p, 3);
	pair_advance(p, 120000);
	assert_true(pair_agree(p, 0, 3));
	/* its Sender ID is new to the others: GET creds */
	assert_int_equal(pair_say(p, 1, "lights", "hello"), GK_OK);
	pair_advance(p, 60000);
	assert_int_equal(pair_say(p, 1, "lights", "hello again"), GK_OK);
	pair_run(p);
	assert_int_equal(pair_heard(p, 3, "hello again"), 1);
	/* DELETE nodes/N, DELETE control_uri */
	assert_int_equal(pair_leave(p, 0, "lights"), GK_OK);
	pair_drain_kdc(p,
		       gk_kdc_evict(p->kdc, gk_span_str("lights"), gk_span_str("node1"), p->now));
	pair_advance(p, 5000);
	assert_int_equal(pair_count_notes(p, 0, GK_NOTE_LEFT), 1);
	assert_int_equal(pair_count_notes(p, 1, GK_NOTE_EVICTED), 1);
	for (size_t i = 0; i < p->note_count; i++) {
		const char *reason = p->notes[i].reason;

		if (reason && (strstr(reason, "malformed") || strstr(reason, "cannot be used")))
			fail_msg("%s", reason);
	}
	read_all(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define G1(test) cmocka_unit_test_setup_teardown(test, open_g1, close_pair)
		G1(the_token_transfer_response),
		G1(the_join_request_and_its_evidence),
		G1(the_map_of_a_4_00),
		G1(the_join_response_and_the_material_of_a_group),
		G1(the_rekeying_message),
		G1(the_small_answers),
		G1(what_verifiers_get),
		cmocka_unit_test_setup_teardown(members_and_kdc_read_each_other, open_lights,
						close_pair),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
