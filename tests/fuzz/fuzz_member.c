// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Messages to a member: as they are, inside of its association as requests of the KDC, by unicast
// and by multicast, as answers to each of its own requests, to its control group, signed or not,
// and from another member in pairwise mode. It survives, gives its memory back and repeats no
// nonce; and what the KDC did not sign changes nothing.

#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"

#include "tests/lib/pair.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUTS_PER_LIFE 50

static struct pair p;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static unsigned inputs;
	struct gk_group_config config;

	if (inputs++ % INPUTS_PER_LIFE)
		return;
	if (inputs > 1)
		must(pair_close(&p));
	else
		must(pair_global_init(NULL) == 0);
	pair_open(&p, 2);
	config = pair_tree_config(PAIR_LIGHTS);
	config.mode = GK_MODE_BOTH;
	must(pair_serve(&p, &config) == GK_OK);
	pair_join_all(&p, 2);
	must(pair_agree(&p, 0, 1));
	p.node[0].cut = true; // it hears what this program says
}

static bool is_request(struct gk_span plain)
{
	struct gk_coap msg;
	struct gk_span option;

	return !gk_coap_parse(plain, &msg) && msg.code && msg.code >> 5 == 0 &&
	       !gk_coap_find(&msg, 9, &option) && !gk_coap_find(&msg, 6, &option) &&
	       !gk_coap_find(&msg, 35, &option);
}

static bool is_response(struct gk_span plain)
{
	struct gk_coap msg;
	struct gk_span option;

	return !gk_coap_parse(plain, &msg) && msg.code >> 5 >= 2 && msg.code >> 5 <= 5 &&
	       !gk_coap_find(&msg, 9, &option) && !gk_coap_find(&msg, 6, &option) &&
	       !gk_coap_find(&msg, 35, &option);
}

static void answer(struct gk_span bytes, bool protect)
{
	(void)!gk_member_renew(p.node[0].member, gk_span_str(PAIR_LIGHTS), p.now);
	pair_drain_node(&p, 0);
	for (int i = 0; i < 200 && !pair_waiting(&p, 0); i++)
		pair_advance(&p, 30000);
	if (!pair_waiting(&p, 0))
		return;
	if (!protect)
		pair_forge_plain_answer(&p, 0, bytes);
	else if (is_response(bytes))
		pair_forge_answer(&p, 0, bytes);
}

/* to the control group */

static const struct gk_key_pair *kdc_key(void)
{
	return gk_kdc_sign_key(p.kdc, pair_group(&p).sign_alg);
}

static void hear(struct gk_span payload)
{
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	struct gk_exchange exchange = { .id = 1 };

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/" PAIR_LIGHTS));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, payload);
	(void)!gk_member_receive(p.node[0].member, &exchange, gk_buf_span(&buf), p.now);
}

/* Its version, and keys, stay; perhaps it asks about them. */
static void hear_unsigned(struct gk_span payload)
{
	const struct gk_membership *ms = p.node[0].member->groups[0];
	struct gk_membership_info was = pair_info(&p, 0);

	hear(payload);
	must(ms->in == was.joined && ms->has_material == (was.num >= 0) &&
	     ms->peer_count == was.peers && pair_info(&p, 0).in_tree == was.in_tree);
	must(was.num < 0 || ms->num == was.num);
}

/* A content of the fuzzer's, signed, with its MAC, as no KDC would. */
static void hear_content(struct gk_span content, const uint8_t *old_root)
{
	uint8_t bytes[2048], covered_bytes[2048], key[GK_TREE_KEY_LEN], mac[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf covered = gk_buf(covered_bytes, sizeof(covered_bytes));
	uint8_t signature[GK_SIG_LEN];
	bool has_mac = content.len < 2 || content.data[1] != GK_REKEYING_BEACON;

	gk_put_array(&covered, 4);
	gk_put_text(&covered, gk_span_str("ACE group rekeying tree"));
	gk_put_int(&covered, GK_SCHEME_TREE);
	gk_put_text(&covered, gk_span_str(PAIR_LIGHTS));
	gk_put_bytes(&covered, content);
	must(gk_sign(kdc_key(), gk_buf_span(&covered), signature) == GK_OK);
	covered.len = 0;
	gk_put_array(&covered, 4);
	gk_put_text(&covered, gk_span_str("rekeying"));
	gk_put_text(&covered, gk_span_str(PAIR_LIGHTS));
	gk_put_bytes(&covered, content);
	gk_put_bytes(&covered, gk_span(signature, sizeof(signature)));
	must(gk_tree_derive(gk_span(old_root, GK_TREE_KEY_LEN), GK_TREE_MAC, 0, key) == GK_OK &&
	     gk_hmac(gk_span(key, sizeof(key)), gk_buf_span(&covered), mac) == GK_OK);
	gk_put_array(&buf, has_mac ? 3 : 2);
	gk_put_bytes(&buf, content);
	gk_put_bytes(&buf, gk_span(signature, sizeof(signature)));
	if (has_mac)
		gk_put_bytes(&buf, gk_span(mac, GK_REKEYING_MAC_LEN));
	hear(gk_buf_span(&buf));
}

/* A message that is right, with material of the fuzzer's in it. */
static void hear_material(const struct gk_membership_tree *tree, struct gk_span plain,
			  uint32_t step)
{
	uint8_t bytes[1300], sealed_bytes[1200];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf sealed = gk_buf(sealed_bytes, sizeof(sealed_bytes));
	struct gk_tree_group group = { .name = gk_span_str(PAIR_LIGHTS) };
	struct gk_rekeying message = { .old_num = tree->path.num,
				       .num = tree->path.num + step,
				       .leisure_ms = 1000 };
	struct gk_keypath next;

	memcpy(group.base_iv, tree->base_iv, sizeof(group.base_iv));
	message.step = (struct gk_tree_step){ .num = message.num,
					      .height = tree->path.height,
					      .joined = gk_span("\x80", 1) };
	must(gk_keypath_advance(&tree->path, &group, &message.step, &next) == GK_OK &&
	     gk_rekeying_seal(&group, message.old_num, message.num, gk_keypath_root(&next), plain,
			      &sealed) == GK_OK);
	message.material = gk_buf_span(&sealed);
	if (gk_rekeying_put(&buf, group.name, &message, kdc_key(), gk_keypath_root(&tree->path)))
		return; // too long
	hear(gk_buf_span(&buf));
}

static void hear_group(unsigned kind, struct gk_span rest)
{
	const struct gk_membership *ms = p.node[0].member->groups[0];

	if (kind == 0)
		hear_unsigned(rest);
	else if (!ms->tree.path.known)
		return;
	else if (kind == 1)
		hear_content(rest, gk_keypath_root(&ms->tree.path));
	else
		hear_material(&ms->tree, rest, kind - 1);
	pair_drain_node(&p, 0);
	pair_advance(&p, 5000); // the next signature is verified again
}

/* from another member, in pairwise mode */

/* A ciphertext of the fuzzer's: whatever it is, nobody has told that. */
static void hear_forged(const struct gk_membership *from, struct gk_span ciphertext)
{
	uint8_t bytes[1100];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	struct gk_exchange exchange = { .id = 1 };
	uint8_t option_bytes[GK_OSCORE_OPTION_MAX];
	struct gk_buf option = gk_buf(option_bytes, sizeof(option_bytes));
	uint64_t accepted = p.node[0].member->groups[0]->accepted;

	gk_oscore_option_put(&option, &(struct gk_oscore_option){
					      .has_kid = true,
					      .kid = gk_id_span(&from->sid),
					      .piv = gk_span("\x7f\xff\xff\xff", 4),
					      .has_kid_context = true,
					      .kid_context = gk_id_span(&from->common.gid),
				      });
	gk_coap_put(&w, GK_OPT_OSCORE, gk_buf_span(&option));
	gk_coap_put_payload(&w, ciphertext);
	(void)!gk_member_receive(p.node[0].member, &exchange, gk_buf_span(&buf), p.now);
	must(p.node[0].member->groups[0]->accepted == accepted);
}

/* A message of the fuzzer's, well protected. */
static void hear_told(const struct gk_membership *to, struct gk_span message)
{
	struct gk_exchange exchange = { .id = 1 };
	const struct pair_message *m;

	if (gk_member_tell(p.node[1].member, gk_span_str(PAIR_LIGHTS), gk_id_span(&to->sid),
			   &p.node[0].addr, message, p.now))
		return;
	pair_drain_node(&p, 1);
	m = pair_newest(&p, PAIR_REQUEST, 1, 0);
	(void)!gk_member_receive(p.node[0].member, &exchange, m->bytes, p.now);
	must(gk_member_answer(p.node[1].member, m->id, gk_span(NULL, 0), p.now) == GK_OK);
	pair_drain_node(&p, 1);
}

/* An answer to what the member tells. */
static void hear_answer(const struct gk_membership *from, struct gk_span answer)
{
	const struct pair_message *m;

	if (gk_member_tell(p.node[0].member, gk_span_str(PAIR_LIGHTS), gk_id_span(&from->sid),
			   &p.node[1].addr, gk_span("\x02\xffx", 3), p.now))
		return;
	pair_drain_node(&p, 0);
	m = pair_newest(&p, PAIR_REQUEST, 0, 1);
	must(gk_member_answer(p.node[0].member, m->id, answer, p.now) == GK_OK);
}

static void hear_member(unsigned kind, struct gk_span rest)
{
	if (!pair_info(&p, 0).joined || !pair_info(&p, 1).joined)
		return;
	if (kind == 0)
		hear_forged(p.node[1].member->groups[0], rest);
	else if (kind == 1)
		hear_told(p.node[0].member->groups[0], rest);
	else
		hear_answer(p.node[1].member->groups[0], rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_exchange exchange = { .id = 1 };
	struct gk_span rest;

	if (size < 1 || size > 1024)
		return 0;
	start();
	exchange.multicast = data[0] & 64;
	rest = gk_span(data + 1, size - 1);
	if ((data[0] & 12) == 8)
		hear_member(data[0] & 3, rest);
	else if (data[0] & 4)
		hear_group(data[0] & 3, rest);
	else if ((data[0] & 3) == 0)
		(void)!gk_member_receive(p.node[0].member, &exchange, rest, p.now);
	else if ((data[0] & 3) == 1 && is_request(rest))
		(exchange.multicast ? pair_forge_probe : pair_forge_request)(&p, 0, rest);
	else
		answer(rest, data[0] & 1);
	pair_drain_node(&p, 0);
	(void)pair_say(&p, 0, PAIR_LIGHTS, "x");
	must(!p.broken[0]);
	return 0;
}
