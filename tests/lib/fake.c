// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "fake.h"

#include "hex.h"

#include "libgroupkey/coap.h"
#include "libgroupkey/cred.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* a member and what it does */

static void keep_text(struct fake *f)
{
	struct gk_coap_iter it = gk_coap_options(&f->msg);
	struct gk_buf text = gk_buf(f->path, sizeof(f->path) - 1);

	while (gk_coap_next(&it)) {
		if (it.number != GK_OPT_URI_PATH && it.number != GK_OPT_URI_QUERY)
			continue;
		if (text.len)
			gk_buf_byte(&text, it.number == GK_OPT_URI_PATH ? '/' : '?');
		gk_buf_add(&text, it.value);
	}
	f->path[text.len] = '\0';
}

static void take_request(struct fake *f, const struct gk_event *event)
{
	struct gk_buf plain = gk_buf(f->request, sizeof(f->request));
	bool fresh;

	f->asked = true;
	f->requests++;
	f->id = event->id;
	if (gk_oscore_unprotect_request(&f->assoc, event->bytes, &plain, &f->ref, &fresh))
		gk_buf_add(&plain, event->bytes);
	assert_int_equal(gk_coap_parse(gk_buf_span(&plain), &f->msg), GK_OK);
	f->code = f->msg.code;
	keep_text(f);
}

static void take_reply(struct fake *f, const struct gk_event *event)
{
	struct gk_buf plain = gk_buf(f->reply, sizeof(f->reply));

	assert_int_equal(
		gk_oscore_unprotect_response(&f->assoc, &f->probe, event->bytes, &plain, NULL),
		GK_OK);
	f->reply_len = plain.len;
}

static void take_confirm(struct fake *f, const struct gk_event *event)
{
	struct gk_buf buf = gk_buf(f->confirm, sizeof(f->confirm));

	gk_buf_add(&buf, event->bytes);
	f->confirm_len = buf.len;
	f->confirm_peer = event->peer;
	f->confirm_ms = f->now.mono.ms;
	f->confirms++;
}

void fake_drain(struct fake *f, enum gk_err err)
{
	struct gk_event event;

	if (err && !f->err)
		f->err = err;
	while (gk_member_event(f->m, &event)) {
		if (event.kind == GK_EVENT_REQUEST) {
			take_request(f, &event);
		} else if (event.kind == GK_EVENT_REPLY) {
			take_reply(f, &event);
		} else if (event.kind == GK_EVENT_CONFIRM) {
			take_confirm(f, &event);
		} else if (event.kind == GK_EVENT_NOTE) {
			f->notes[event.note.kind]++;
			f->via = event.note.via;
			f->reason = event.note.reason;
		}
	}
}

struct gk_membership_info fake_info(const struct fake *f)
{
	struct gk_membership_info found;

	assert_int_equal(gk_member_info(f->m, gk_span_str(FAKE_GROUP), &found), GK_OK);
	return found;
}

const struct gk_membership *fake_membership(const struct fake *f)
{
	return f->m->groups[0];
}

void fake_wait(struct fake *f, int64_t ms)
{
	int64_t end = f->now.mono.ms + ms;
	int64_t at;

	while (!f->err && (at = gk_member_next_expiry(f->m).ms) <= end) {
		if (at > f->now.mono.ms)
			f->now.mono.ms = at;
		fake_drain(f, gk_member_expire(f->m, f->now));
	}
	f->now.mono.ms = end;
}

void fake_hear(struct fake *f, struct gk_span message)
{
	static const struct gk_exchange from_anywhere = { .id = 1, .peer = { .ip = { 0xfd, 9 } } };

	fake_drain(f, gk_member_receive(f->m, &from_anywhere, message, f->now));
}

/* material */

struct map {
	struct gk_buf buf;
	size_t pairs;
	uint8_t bytes[2048];
};

static struct gk_buf *pair_of(struct map *map, int64_t label)
{
	if (!map->pairs++)
		map->buf = gk_buf(map->bytes, sizeof(map->bytes));
	gk_put_int(&map->buf, label);
	return &map->buf;
}

static void end_map(const struct map *map, struct gk_buf *out)
{
	gk_put_map(out, map->pairs);
	gk_buf_add(out, gk_span(map->bytes, map->buf.len));
}

static void put_number(struct map *map, int64_t label, int64_t number)
{
	gk_put_int(pair_of(map, label), number);
}

static void put_bytes(struct map *map, int64_t label, struct gk_span bytes)
{
	gk_put_bytes(pair_of(map, label), bytes);
}

static void put_key(struct map *map, uint32_t num, unsigned what)
{
	uint8_t ms[16], gid[6] = { 0xee, 0xee, 0, 0, 0, (uint8_t)num }, sid = FAKE_OWN;
	struct map key = { 0 };

	memset(ms, (int)num, sizeof(ms));
	put_bytes(&key, GK_OSC_MS, gk_span(ms, sizeof(ms)));
	put_bytes(&key, GK_OSC_CONTEXT_ID, gk_span(gid, sizeof(gid)));
	if (what & FAKE_SID)
		put_bytes(&key, GK_OSC_GROUP_SENDER_ID, gk_span(&sid, 1));
	if (what & FAKE_WHOLE) {
		put_number(&key, GK_OSC_HKDF, GK_ALG_HMAC_256);
		put_number(&key, GK_OSC_CRED_FMT, GK_HEADER_KCCS);
		put_number(&key, GK_OSC_GP_ENC_ALG, GK_ALG_AES_CCM_16_64_128);
		put_number(&key, GK_OSC_SIGN_ALG, GK_ALG_ES256);
	}
	end_map(&key, pair_of(map, GK_PARAM_KEY));
}

struct gk_key_pair fake_key_of(uint8_t number)
{
	struct gk_key_pair key;
	uint8_t d[32] = { 3 };

	d[31] = number;
	assert_int_equal(gk_key_from_private(GK_CRV_P256, gk_span(d, sizeof(d)), &key), GK_OK);
	return key;
}

static void put_peers(struct map *map, uint8_t first, uint8_t last)
{
	struct gk_buf *buf = pair_of(map, GK_PARAM_CREDS);
	size_t count = last - first + 1u;

	gk_put_array(buf, count);
	for (uint8_t i = first; i <= last; i++) {
		struct gk_key_pair key = fake_key_of(i + 1);
		uint8_t bytes[256];
		struct gk_buf cred = gk_buf(bytes, sizeof(bytes));

		gk_ccs_put(&cred, gk_span_str("peer"), &key.pub);
		gk_put_bytes(buf, gk_buf_span(&cred));
	}
	gk_put_array(pair_of(map, GK_PARAM_PEER_ROLES), count);
	for (uint8_t i = first; i <= last; i++)
		gk_put_uint(&map->buf, 6);
	gk_put_array(pair_of(map, GK_PARAM_PEER_IDENTIFIERS), count);
	for (uint8_t i = first; i <= last; i++)
		gk_put_bytes(&map->buf, gk_span(&i, 1));
}

struct proof {
	uint8_t cred[256], nonce[8], verify[GK_SIG_LEN];
	size_t cred_len;
};

static struct proof prove(const struct fake *f, const struct gk_key_pair *key)
{
	struct proof proof = { .nonce = "nonce" };
	uint8_t bytes[64];
	struct gk_buf cred = gk_buf(proof.cred, sizeof(proof.cred));
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));

	gk_ccs_put(&cred, gk_span_str("kdc"), &key->pub);
	proof.cred_len = cred.len;
	gk_pop_put_kdc(&pop, gk_span(fake_membership(f)->n_c, 8), gk_span(proof.nonce, 8));
	assert_int_equal(gk_sign(key, gk_buf_span(&pop), proof.verify), GK_OK);
	return proof;
}

static void put_proof(struct map *map, const struct fake *f)
{
	struct proof proof = prove(f, &f->key);

	put_bytes(map, GK_PARAM_KDC_CRED, gk_span(proof.cred, proof.cred_len));
	put_bytes(map, GK_PARAM_KDC_NONCE, gk_span(proof.nonce, 8));
	put_bytes(map, GK_PARAM_KDC_CRED_VERIFY, gk_span(proof.verify, GK_SIG_LEN));
}

static void put_mgt(struct map *map, const struct fake *f)
{
	uint8_t path_bytes[400], bytes[900];
	struct gk_buf path = gk_buf(path_bytes, sizeof(path_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_mgt_material mgt = { .slot = FAKE_OWN, .repeat = FAKE_REPEAT };
	struct proof proof = prove(f, &f->sign_key);

	if (f->mgt) {
		gk_buf_add(pair_of(map, GK_PARAM_MGT_KEY_MATERIAL), hex_span(f->mgt));
		return;
	}
	gk_keytree_put_path(&f->tree, FAKE_OWN, &path);
	mgt.path = gk_buf_span(&path);
	memcpy(mgt.base_iv, f->tree.group.base_iv, sizeof(mgt.base_iv));
	if (f->own_signer) {
		proof.verify[9] ^= f->wrong_proof;
		mgt.kdc_cred = gk_span(proof.cred, proof.cred_len);
		mgt.kdc_nonce = gk_span(proof.nonce, 8);
		mgt.kdc_verify = gk_span(proof.verify, GK_SIG_LEN);
	}
	gk_mgt_material_put(&buf, &mgt);
	put_bytes(map, GK_PARAM_MGT_KEY_MATERIAL, gk_buf_span(&buf));
}

static void put_scheme(struct map *map, const struct fake *f)
{
	if (f->scheme)
		gk_buf_add(pair_of(map, GK_PARAM_REKEYING_SCHEME), hex_span(f->scheme));
	else
		put_number(map, GK_PARAM_REKEYING_SCHEME, GK_SCHEME_TREE);
}

static void put_control(struct map *map, const struct fake *f)
{
	if (f->uri)
		gk_buf_add(pair_of(map, GK_PARAM_CONTROL_GROUP_URI), hex_span(f->uri));
	else
		gk_put_text(pair_of(map, GK_PARAM_CONTROL_GROUP_URI), gk_span_str(FAKE_URI));
}

static void put_material(const struct fake *f, uint32_t num, unsigned what, const char *stale,
			 struct gk_buf *out)
{
	struct map map = { 0 };

	put_number(&map, GK_PARAM_GKTY, GK_GKTY_GROUP_OSCORE);
	put_key(&map, num, what);
	put_number(&map, GK_PARAM_NUM, num);
	put_number(&map, GK_PARAM_PROFILE, GK_PROFILE_GROUP_OSCORE);
	put_number(&map, GK_PARAM_EXI, 86400);
	if (what & FAKE_PEERS)
		put_peers(&map, 0, FAKE_OWN - 1);
	if (what & FAKE_JOINER)
		put_peers(&map, FAKE_MEMBERS, FAKE_MEMBERS);
	if (what & FAKE_PROOF)
		put_proof(&map, f);
	if (what & FAKE_SCHEME)
		put_scheme(&map, f);
	if (what & FAKE_MGT)
		put_mgt(&map, f);
	if (what & FAKE_CONTROL)
		put_control(&map, f);
	if (stale)
		gk_buf_add(pair_of(&map, GK_PARAM_STALE_NODE_IDS), hex_span(stale));
	end_map(&map, out);
}

/* answers */

void fake_answer_bytes(struct fake *f, struct gk_span plain, bool protect)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	assert_true(f->asked);
	f->asked = false;
	if (protect)
		assert_int_equal(gk_oscore_protect_response(&f->assoc, &f->ref, plain, false, &buf),
				 GK_OK);
	else
		gk_buf_add(&buf, plain);
	fake_drain(f, gk_member_answer(f->m, f->id, gk_buf_span(&buf), f->now));
}

void fake_answer(struct fake *f, uint8_t code, struct gk_span payload)
{
	uint8_t bytes[3072];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	if (code == GK_COAP_CREATED && f->assoc.aead)
		gk_coap_put_path(&w, GK_OPT_LOCATION_PATH,
				 gk_span_str("ace-group/" FAKE_GROUP "/nodes/" FAKE_NODE));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, payload);
	fake_answer_bytes(f, gk_buf_span(&buf), true);
}

void fake_answer_material(struct fake *f, uint8_t code, uint32_t num, unsigned what)
{
	uint8_t bytes[3000];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_material(f, num, what, NULL, &buf);
	fake_answer(f, code, gk_buf_span(&buf));
}

static const uint8_t master_secret[32] = "between the member and the KDC";

/* RFC 9203 section 4.3. */
void fake_answer_token(struct fake *f)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_NONCE1, GK_CBOR_BYTES, true },
		{ GK_ACE_CLIENT_RECIPIENTID, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[2];
	uint8_t bytes[64];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_input input = { .alg = GK_ALG_AES_CCM_16_64_128,
					 .hkdf = GK_ALG_HMAC_256,
					 .master_secret = gk_span(master_secret, 32),
					 .recipient_id = gk_span_str("k") };

	assert_int_equal(gk_cbor_read_map(f->msg.payload, fields, 2, item), GK_OK);
	gk_put_bytes(&salt, gk_span(NULL, 0));
	gk_put_bytes(&salt, item[0].string);
	gk_put_bytes(&salt, gk_span_str("nonce2"));
	input.master_salt = gk_buf_span(&salt);
	input.sender_id = item[1].string;
	assert_int_equal(gk_oscore_init(&f->assoc, &input), GK_OK);
	fake_answer_bytes(f, hex_span("41 ff a2 182a 46 6e6f6e636532 182c 41 6b"), false);
}

bool fake_is_asked(const struct fake *f, uint8_t code, const char *path)
{
	return f->asked && f->code == code && strcmp(f->path, path) == 0;
}

static void answer_creds(struct fake *f)
{
	struct map map = { 0 };
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_number(&map, GK_PARAM_NUM, f->num);
	put_peers(&map, 0, FAKE_OWN - 1);
	end_map(&map, &buf);
	fake_answer(f, GK_COAP_CONTENT, gk_buf_span(&buf));
}

static void answer_kdc_cred(struct fake *f)
{
	struct map map = { 0 };
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_proof(&map, f);
	end_map(&map, &buf);
	fake_answer(f, GK_COAP_CONTENT, gk_buf_span(&buf));
}

void fake_serve_one(struct fake *f)
{
	if (fake_is_asked(f, GK_COAP_POST, "authz-info")) {
		fake_answer_token(f);
	} else if (fake_is_asked(f, GK_COAP_POST, "ace-group/" FAKE_GROUP)) {
		f->joins++;
		fake_answer_material(f, GK_COAP_CREATED, f->num, FAKE_IN_JOIN);
	} else if (fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/nodes/" FAKE_NODE)) {
		f->gets++;
		fake_answer_material(f, GK_COAP_CONTENT, f->num, FAKE_IN_RESPONSE);
	} else if (fake_is_asked(f, GK_COAP_FETCH, "ace-group/" FAKE_GROUP "/stale-sids")) {
		f->fetches++;
		fake_answer(f, GK_COAP_CONTENT, hex_span(f->stale));
	} else if (fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/creds")) {
		answer_creds(f);
	} else if (fake_is_asked(f, GK_COAP_FETCH, "ace-group/" FAKE_GROUP "/creds")) {
		f->choices++;
		fake_answer(f, GK_COAP_CONTENT, hex_span("40")); /* there is nobody else */
	} else if (fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/kdc-cred")) {
		answer_kdc_cred(f);
	} else if (f->code == GK_COAP_GET && strstr(f->path, "/num")) {
		uint8_t num[2] = { 0x18, (uint8_t)f->num };

		fake_answer(f, GK_COAP_CONTENT, gk_span(num, 2));
	} else if (fake_is_asked(f, GK_COAP_GET, "ace-group/" FAKE_GROUP "/active")) {
		fake_answer(f, GK_COAP_CONTENT, hex_span("f5"));
	} else {
		fail_msg("asked for %u %s", f->code, f->path);
	}
}

void fake_serve(struct fake *f)
{
	while (f->asked && !f->err)
		fake_serve_one(f);
}

void fake_run(struct fake *f, int64_t ms)
{
	int64_t end = f->now.mono.ms + ms;

	fake_serve(f);
	while (!f->err && f->now.mono.ms < end) {
		int64_t at = gk_member_next_expiry(f->m).ms;

		fake_wait(f, at >= end             ? end - f->now.mono.ms
			     : at > f->now.mono.ms ? at - f->now.mono.ms
						   : 1);
		fake_serve(f);
	}
}

/* requests of the KDC under the association */

static void post(struct fake *f, struct gk_span plain)
{
	uint8_t bytes[3072];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	assert_int_equal(gk_oscore_protect_request(&f->assoc, plain, &buf, &f->probe), GK_OK);
	fake_hear(f, gk_buf_span(&buf));
}

void fake_ask_member(struct fake *f, uint8_t code, struct gk_span payload)
{
	uint8_t bytes[3072];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group/" FAKE_GROUP "/node"));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, payload);
	post(f, gk_buf_span(&buf));
}

void fake_post_material_without(struct fake *f, unsigned what, const char *stale)
{
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_material(f, f->num, what, stale, &buf);
	fake_ask_member(f, GK_COAP_POST, gk_buf_span(&buf));
}

void fake_post_material(struct fake *f, unsigned what)
{
	fake_post_material_without(f, what, "80");
}

/* messages to the group */

struct gk_span fake_span_of(const struct fake_packet *packet)
{
	return gk_span(packet->bytes, packet->len);
}

struct fake_packet fake_wrap_at(const char *path, uint8_t code, uint32_t format,
				struct gk_span payload)
{
	struct fake_packet packet;
	struct gk_buf buf = gk_buf(packet.bytes, sizeof(packet.bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, format);
	gk_coap_put_payload(&w, payload);
	packet.len = buf.len;
	assert_false(buf.overflow);
	return packet;
}

struct fake_packet fake_wrap(struct gk_span payload)
{
	return fake_wrap_at("ace-group/" FAKE_GROUP, GK_COAP_POST, GK_CF_ACE_GROUPCOMM, payload);
}

void fake_rekey_to(struct fake *f, struct fake_cast *cast, uint32_t num, uint32_t num_inside,
		   unsigned what, const char *stale)
{
	uint8_t secret[32] = { 7 };
	uint8_t bytes[1024];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_buf sealed = gk_buf(cast->sealed, sizeof(cast->sealed));
	struct gk_buf joined = gk_buf(cast->joined, sizeof(cast->joined));
	uint32_t old_num = f->num;

	memset(cast, 0, sizeof(*cast));
	secret[1] = (uint8_t)num;
	f->num = num;
	assert_int_equal(gk_keytree_rekey(&f->tree, num, secret, &cast->tree), GK_OK);
	put_material(f, num_inside, what, stale, &plain);
	assert_int_equal(gk_rekeying_seal(&f->tree.group, old_num, num,
					  gk_keytree_root(&f->tree)->key.bytes, gk_buf_span(&plain),
					  &sealed),
			 GK_OK);
	gk_put_array(&joined, cast->tree.joined_count);
	for (size_t i = 0; i < cast->tree.joined_count; i++)
		gk_put_uint(&joined, cast->tree.joined[i]);
	cast->message =
		(struct gk_rekeying){ .type = GK_REKEYING,
				      .num = num,
				      .old_num = old_num,
				      .leisure_ms = FAKE_LEISURE_MS,
				      .step = { .num = num,
						.height = f->tree.height,
						.joined = gk_buf_span(&joined),
						.entries = gk_blob_span(&cast->tree.entries) },
				      .material = gk_buf_span(&sealed) };
	cast->key = f->own_signer ? &f->sign_key : &f->key;
	cast->old_root = cast->tree.old_root;
}

void fake_rekey(struct fake *f, struct fake_cast *cast)
{
	fake_rekey_to(f, cast, f->num + 1, f->num + 1, 0, "80");
}

void fake_done(struct fake *f, struct fake_cast *cast)
{
	gk_keytree_done(&f->tree, &cast->tree);
}

struct fake_packet fake_packet_of(const struct fake_cast *cast)
{
	uint8_t bytes[1300];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	assert_int_equal(gk_rekeying_put(&buf, gk_span_str(FAKE_GROUP), &cast->message, cast->key,
					 cast->old_root),
			 GK_OK);
	return fake_wrap(gk_buf_span(&buf));
}

struct fake_packet fake_part_of(struct fake_cast *cast, size_t part)
{
	struct gk_span entries = gk_blob_span(&cast->tree.entries);
	size_t count = entries.len / GK_TREE_ENTRY_LEN;

	cast->message.part = (uint16_t)part;
	cast->message.last_part = (uint16_t)(count - 1);
	cast->message.step.entries =
		gk_span_sub(entries, part * GK_TREE_ENTRY_LEN, GK_TREE_ENTRY_LEN);
	return fake_packet_of(cast);
}

void fake_rekey_unheard(struct fake *f)
{
	struct fake_cast cast;

	fake_rekey(f, &cast);
	fake_done(f, &cast);
}

struct fake_packet fake_beacon_by(const struct gk_key_pair *key, uint32_t num)
{
	struct gk_rekeying beacon = { .type = GK_REKEYING_BEACON, .num = num };
	uint8_t bytes[200];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	assert_int_equal(gk_rekeying_put(&buf, gk_span_str(FAKE_GROUP), &beacon, key, NULL), GK_OK);
	return fake_wrap(gk_buf_span(&buf));
}

struct fake_packet fake_beacon(const struct fake *f)
{
	return fake_beacon_by(&f->key, f->num);
}

void fake_evict(struct fake *f, uint16_t slot)
{
	assert_int_equal(gk_keytree_leave(&f->tree, slot), GK_OK);
}

/* life */

void fake_make_member(struct fake *f, bool point_to_point)
{
	static const uint8_t seed[32] = { 1 };
	struct gk_member_config config = {
		.token = gk_span_str("token"),
		.osc_id = gk_span_str("osc"),
		.ms = gk_span(master_secret, 32),
		.key_seed = gk_span(seed, 32),
		.control_base = gk_span_str("coap://[fd00::3]:5683"),
		.kdc = { .ip = { 0xfd, [15] = 1 }, .port = 5683, .scope = 3 },
		.rejoin_delay_ms = 10000,
		.point_to_point = point_to_point,
	};

	assert_int_equal(gk_member_new(&f->env, &config, &f->m), GK_OK);
}

void fake_open(struct fake *f)
{
	struct gk_tree_group group = { .name = gk_span_str(FAKE_GROUP), .base_iv = "base iv" };

	memset(f, 0, sizeof(*f));
	f->env = test_env(&f->member_env, 5);
	f->tree_env = test_env(&f->kdc_env, 6);
	f->now = (struct gk_now){ { 1000000 }, { 1760000000 } };
	f->key = fake_key_of(100);
	f->sign_key = fake_key_of(101);
	f->stale = "80";
	assert_int_equal(gk_keytree_init(&f->tree, &f->tree_env, &group), GK_OK);
	for (uint16_t i = 0; i < FAKE_MEMBERS; i++) {
		uint16_t slot;

		assert_int_equal(gk_keytree_join(&f->tree, &slot), GK_OK);
		assert_int_equal(slot, i);
	}
	fake_rekey_unheard(f);
	fake_rekey_unheard(f);
	fake_make_member(f, false);
}

void fake_close(struct fake *f)
{
	gk_member_free(f->m);
	gk_keytree_wipe(&f->tree);
	assert_int_equal(f->member_env.blocks, 0);
	assert_int_equal(f->kdc_env.blocks, 0);
}

void fake_join(struct fake *f)
{
	fake_drain(f, gk_member_join(f->m, gk_span_str(FAKE_GROUP), 6, f->now));
	fake_serve(f);
}
