// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kdc.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OBSERVE        6
#define LOCATION_PATH  8
#define CONTENT_FORMAT 12

#define MS   "0102030405060708090a0b0c0d0e0f10"
#define SALT "9e7ca92223786340"
#define ID   "a1a2a3a4a5a6a7a8"
#define N2   "25a8991cd700ac01"
#define ID2  "0001"
#define N_S  "018a278f7faab55a"

static const uint8_t peer_roles[] = { 0, REQUESTER | RESPONDER, REQUESTER, RESPONDER };

/* life */

static void make_key(struct gk_key_pair *key, struct bytes *cred, uint8_t number)
{
	uint8_t d[32] = { 5 };
	char name[8];

	d[31] = number;
	snprintf(name, sizeof(name), "peer%u", number);
	if (gk_key_from_private(1, gk_span(d, sizeof(d)), key))
		fail_msg("no key");
	put_ccs(cred, name, &key->pub, -7);
}

void kdc_make_member(struct kdc *k)
{
	struct gk_member_config config = {
		.token = hex_span("d08343"),
		.osc_id = hex_span(ID),
		.ms = hex_span(MS),
		.salt = hex_span(SALT),
		.key_seed = hex_span(
			"0707070707070707070707070707070707070707070707070707070707070707"),
		.name = gk_span_str("node"),
		.kdc = { .ip = { 0xfd, [15] = 1 }, .port = 5683 },
		.control_base = gk_span_str("coap://[fd00::2]:5683"),
		.rejoin_delay_ms = 10000,
		.point_to_point = true,
		.observe = k->observes,
	};

	if (k->observes)
		config.control_base = gk_span(NULL, 0);

	gk_member_free(k->m);
	k->assoc = (struct gk_oscore){ 0 };
	k->asked = false;
	if (gk_member_new(&k->env, &config, &k->m))
		fail_msg("no member");
}

void kdc_open(struct kdc *k)
{
	memset(k, 0, sizeof(*k));
	k->env = test_env(&k->test_env, 11);
	k->now = (struct gk_now){ { 1000000 }, { 1760000000 } };
	make_key(&k->key, &k->cred, 100);
	for (uint8_t i = 1; i < 4; i++)
		make_key(&k->peer_key[i], &k->peer_cred[i], i);
	put_hex(&k->n_s, N_S);
	kdc_make_member(k);
}

void kdc_close(struct kdc *k)
{
	gk_member_free(k->m);
	assert_int_equal(k->test_env.blocks, 0);
}

/* what the member does */

static void note_join(struct kdc *k)
{
	k->entry.len = k->n_c.len = k->member_cred.len = 0;
	put_raw(&k->entry, bstr(in_map(k->payload, 3)));
	put_raw(&k->n_c, bstr(in_map(k->payload, 6)));
	if (has(k->payload, 5))
		put_raw(&k->member_cred, bstr(in_map(k->payload, 5)));
}

static void take_request(struct kdc *k, const struct gk_event *event)
{
	struct gk_buf buf = gk_buf(k->request, sizeof(k->request));
	struct gk_oscore_option option;
	struct gk_span message;
	bool fresh;

	k->asked = true;
	k->observe = event->observe;
	k->id = event->id;
	k->requests++;
	k->is_protected = gk_oscore_peek(event->bytes, &option, NULL) == GK_OK;
	if (!k->is_protected)
		gk_buf_add(&buf, event->bytes);
	else if (gk_oscore_unprotect_request(&k->assoc, event->bytes, &buf, &k->ref, &fresh))
		fail_msg("a request that is not under the association");
	message = gk_buf_span(&buf);
	k->code = message.data[0];
	k->format = (int)option_in(message, CONTENT_FORMAT);
	k->payload = payload_in(message);
	path_in(message, k->path, sizeof(k->path));
	if (kdc_is_asked(k, POST, "ace-group/lights") && k->payload.len)
		note_join(k);
}

static void take_note(struct kdc *k, const struct gk_note *note)
{
	k->notes[note->kind]++;
	if (note->kind == GK_NOTE_ERROR)
		k->reason = note->reason;
	if (note->kind == GK_NOTE_MESSAGE || note->kind == GK_NOTE_RESPONSE)
		snprintf(k->heard, sizeof(k->heard), "%.*s", (int)payload_in(note->message).len,
			 (const char *)payload_in(note->message).data);
}

static void keep(struct bytes *to, struct gk_span bytes)
{
	to->len = 0;
	put_raw(to, bytes);
}

void kdc_drain(struct kdc *k, enum gk_err err)
{
	struct gk_event event;

	assert_int_equal(err, GK_OK);
	while (gk_member_event(k->m, &event)) {
		if (event.kind == GK_EVENT_REQUEST) {
			take_request(k, &event);
		} else if (event.kind == GK_EVENT_MULTICAST) {
			k->casts++;
			k->cast_id = event.id;
			keep(&k->cast, event.bytes);
		} else if (event.kind == GK_EVENT_REPLY) {
			k->replies++;
			keep(&k->reply, event.bytes);
		} else if (event.kind == GK_EVENT_CANCEL) {
			k->cancelled = event.id;
		} else if (event.kind == GK_EVENT_NOTE) {
			take_note(k, &event.note);
		}
	}
}

bool kdc_is_asked(const struct kdc *k, uint8_t code, const char *path)
{
	return k->asked && k->code == code && strcmp(k->path, path) == 0;
}

void kdc_wait(struct kdc *k, int64_t ms)
{
	int64_t end = k->now.mono.ms + ms;
	size_t requests = k->requests;

	while (k->requests == requests && k->now.mono.ms < end) {
		int64_t at = gk_member_next_expiry(k->m).ms;

		at = at < end ? at : end;
		if (at > k->now.mono.ms) {
			k->now.utc.s += at / 1000 - k->now.mono.ms / 1000;
			k->now.mono.ms = at;
		}
		kdc_drain(k, gk_member_expire(k->m, k->now));
	}
}

struct gk_membership_info kdc_info(const struct kdc *k)
{
	struct gk_membership_info info = { .num = -1 };

	if (gk_member_info(k->m, gk_span_str("lights"), &info))
		info = (struct gk_membership_info){ .num = -1 };
	return info;
}

/* answers */

static void answer_bytes(struct kdc *k, struct gk_span plain)
{
	uint8_t bytes[8192];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	assert_true(k->asked);
	if (!k->is_protected)
		gk_buf_add(&buf, plain);
	else if (gk_oscore_protect_response(&k->assoc, &k->ref, plain, false, &buf))
		fail_msg("no answer");
	k->asked = false;
	kdc_drain(k, gk_member_answer(k->m, k->id, gk_buf_span(&buf), k->now));
}

static void put_location(struct bytes *b, unsigned *last)
{
	static const char *const path[] = { "ace-group", "lights", "nodes", "n5" };

	for (size_t i = 0; i < ROWS(path); i++)
		put_option(b, last, LOCATION_PATH, gk_span_str(path[i]));
}

void kdc_answer(struct kdc *k, uint8_t code, int format, struct gk_span payload)
{
	uint8_t be[2] = { (uint8_t)(format >> 8), (uint8_t)format };
	struct bytes b = { .len = 0 };
	unsigned last = 0;

	put_raw(&b, gk_span(&code, 1));
	if (kdc_is_asked(k, POST, "ace-group/lights") && code >> 5 == 2)
		put_location(&b, &last);
	if (format != CF_NONE)
		put_option(&b, &last, CONTENT_FORMAT,
			   format < 256 ? gk_span(be + 1, 1) : gk_span(be, 2));
	if (payload.len) {
		put_hex(&b, "ff");
		put_raw(&b, payload);
	}
	answer_bytes(k, all_of(&b));
}

void kdc_notify(struct kdc *k, uint64_t id, const struct gk_oscore_ref *ref, uint8_t value,
		struct gk_span payload)
{
	struct bytes b = { .len = 0 };
	struct gk_oscore_ref copy = *ref;
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	unsigned last = 0;

	put_hex(&b, "45");
	put_option(&b, &last, OBSERVE, gk_span(&value, 1));
	put_option(&b, &last, CONTENT_FORMAT, hex_span("0105"));
	put_hex(&b, "ff");
	put_raw(&b, payload);
	if (gk_oscore_protect_response(&k->assoc, &copy, all_of(&b), true, &buf))
		fail_msg("no notification");
	k->asked = k->asked && k->id != id;
	kdc_drain(k, gk_member_answer(k->m, id, gk_buf_span(&buf), k->now));
}

void kdc_answer_hex(struct kdc *k, uint8_t code, int format, const char *payload)
{
	kdc_answer(k, code, format, hex_span(payload));
}

/* O 4.3, from our side: we send with what the client chose. */
static void derive(struct kdc *k, struct gk_span id2)
{
	struct bytes salt = { .len = 0 };
	struct gk_oscore_input input = {
		.alg = 10,
		.hkdf = 5,
		.master_secret = hex_span(MS),
		.sender_id = bstr(in_map(k->payload, 43)),
		.recipient_id = id2,
	};

	put_bstr(&salt, hex_span(SALT));
	put_bstr(&salt, bstr(in_map(k->payload, 40)));
	put_bstr(&salt, hex_span(N2));
	input.master_salt = all_of(&salt);
	/* one that cannot be is the member's to refuse */
	(void)!gk_oscore_init(&k->assoc, &input);
}

void kdc_answer_token(struct kdc *k, const char *id2)
{
	struct bytes b = { .len = 0 };

	if (!kdc_is_asked(k, POST, "authz-info"))
		fail_msg("asked is %s", k->asked ? k->path : "nothing");
	derive(k, hex_span(id2 ? id2 : ID2));
	put_hex(&b, "a3 182a");
	put_bstr(&b, hex_span(N2));
	put_hex(&b, "182c");
	put_bstr(&b, hex_span(id2 ? id2 : ID2));
	put_hex(&b, "182e");
	put_bstr(&b, all_of(&k->n_s));
	kdc_answer(k, CREATED, CF_ACE, all_of(&b));
}

void kdc_begin(struct kdc *k, uint32_t roles)
{
	kdc_drain(k, gk_member_join(k->m, gk_span_str("lights"), roles, k->now));
	if (!k->assoc.aead)
		kdc_answer_token(k, NULL);
	assert_true(kdc_is_asked(k, POST, "ace-group/lights"));
}

/* messages with keys */

static void put_ms(struct bytes *b, uint32_t num)
{
	put_hex(b, "50");
	for (int i = 0; i < 16; i++)
		put_raw(b, gk_span(&(uint8_t){ (uint8_t)num }, 1));
}

static void put_gid(struct bytes *b, uint32_t num)
{
	uint8_t gid[6] = { 0xee, 0xee, 0, 0, 0, (uint8_t)num };

	put_bstr(b, gk_span(gid, sizeof(gid)));
}

static void put_key(struct bytes *b, const struct material *material)
{
	static const char right[] = "03 05 08 0e 09 0a 0a 26 0b 82 8102 820201";
	size_t algorithms = !material->whole       ? 0
			    : material->algorithms ? material->algorithm_count
						   : 5;
	uint8_t sid = material->own_sid ? material->own_sid : OWN_SID;

	put_head(b, 5, 2 + algorithms + material->sid);
	put_hex(b, "02");
	put_ms(b, material->num);
	put_hex(b, "06");
	put_gid(b, material->num);
	if (material->sid) {
		put_hex(b, "07");
		put_bstr(b, gk_span(&sid, 1));
	}
	if (material->whole)
		put_hex(b, material->algorithms ? material->algorithms : right);
}

static void put_column(struct bytes *b, const struct kdc *k, int label, const char *peers)
{
	put_int(b, label);
	put_head(b, 4, strlen(peers));
	for (const char *p = peers; *p; p++) {
		uint8_t sid = (uint8_t)(*p - '0');

		if (label == 13)
			put_bstr(b, all_of(&k->peer_cred[sid]));
		else if (label == 14)
			put_int(b, peer_roles[sid]);
		else
			put_bstr(b, gk_span(&sid, 1));
	}
}

static void put_proof(struct bytes *b, const struct kdc *k, bool wrong)
{
	static const uint8_t n_kdc[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };
	struct bytes input = { .len = 0 };
	uint8_t sig[GK_SIG_LEN];

	put_bstr(&input, all_of(&k->n_c));
	put_bstr(&input, gk_span(n_kdc, sizeof(n_kdc)));
	if (gk_sign(&k->key, all_of(&input), sig))
		fail_msg("no signature");
	sig[7] ^= wrong;
	put_hex(b, "11");
	put_bstr(b, all_of(&k->cred));
	put_hex(b, "12");
	put_bstr(b, gk_span(n_kdc, sizeof(n_kdc)));
	put_hex(b, "13");
	put_bstr(b, gk_span(sig, sizeof(sig)));
}

void put_material(struct bytes *b, const struct kdc *k, const struct material *material)
{
	uint32_t exi_s = material->exi_s ? material->exi_s : 86400;

	put_head(b, 5,
		 6 + (material->peers ? 3 : 0) + (material->proof ? 3 : 0) + !!material->stale);
	put_hex(b, "07");
	put_int(b, material->gkty ? material->gkty : 1);
	put_hex(b, "08");
	put_key(b, material);
	put_hex(b, "09");
	put_int(b, material->num);
	put_hex(b, "0a 01 0b");
	put_int(b, k->now.utc.s + exi_s);
	put_hex(b, "0c");
	put_int(b, exi_s);
	for (int label = 13; material->peers && label <= 15; label++)
		put_column(b, k, label, material->peers);
	if (material->proof)
		put_proof(b, k, material->wrong_proof);
	if (material->stale) {
		put_hex(b, "1822");
		put_hex(b, material->stale);
	}
}

void kdc_answer_kdc_cred(struct kdc *k, bool wrong)
{
	struct bytes b = { .len = 0 };

	put_hex(&b, "a3");
	put_proof(&b, k, wrong);
	kdc_answer(k, CONTENT, CF_ACE_GC, all_of(&b));
}

void kdc_change_key(struct kdc *k, uint8_t number)
{
	k->cred.len = 0;
	make_key(&k->key, &k->cred, number);
}

void kdc_answer_material(struct kdc *k, uint8_t code, const struct material *material)
{
	struct bytes b = { .len = 0 };

	put_material(&b, k, material);
	kdc_answer(k, code, CF_ACE_GC, all_of(&b));
}

void kdc_let_in(struct kdc *k, uint32_t roles, uint32_t num)
{
	kdc_begin(k, roles);
	kdc_answer_material(k, CREATED,
			    &(struct material){ .num = num,
						.whole = true,
						.sid = roles != MONITOR,
						.peers = "123",
						.proof = true });
	assert_true(kdc_info(k).joined);
	assert_int_equal(kdc_info(k).num, num);
}

/* what we ask it */

void kdc_send(struct kdc *k, struct gk_span message)
{
	static uint16_t message_id;
	uint16_t next = ++message_id;
	struct gk_exchange exchange = { .id = 1000u + next,
					.peer = { .ip = { 0xfd, [15] = 1 }, .port = 5683 },
					.message_id = next,
					.token_len = 1,
					.token = { (uint8_t)next } };

	k->reply.len = 0;
	kdc_drain(k, gk_member_receive(k->m, &exchange, message, k->now));
}

uint8_t kdc_tell(struct kdc *k, uint8_t code, struct gk_span payload)
{
	uint8_t bytes[4096], plain[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes)), got = gk_buf(plain, sizeof(plain));
	struct bytes b = { .len = 0 };
	struct gk_oscore_ref ref;
	unsigned last = 0;

	put_raw(&b, gk_span(&code, 1));
	put_option(&b, &last, 11, gk_span_str("ace-group"));
	put_option(&b, &last, 11, gk_span_str("lights"));
	put_option(&b, &last, 11, gk_span_str("node"));
	if (payload.len) {
		put_option(&b, &last, CONTENT_FORMAT, hex_span("0105"));
		put_hex(&b, "ff");
		put_raw(&b, payload);
	}
	if (gk_oscore_protect_request(&k->assoc, all_of(&b), &buf, &ref))
		fail_msg("no request");
	kdc_send(k, gk_buf_span(&buf));
	if (!k->reply.len ||
	    gk_oscore_unprotect_response(&k->assoc, &ref, all_of(&k->reply), &got, NULL))
		return 0;
	return plain[0];
}

uint8_t kdc_tell_material(struct kdc *k, const struct material *material)
{
	struct bytes b = { .len = 0 };

	put_material(&b, k, material);
	return kdc_tell(k, POST, all_of(&b));
}

/* the group */

enum gk_err kdc_say(struct kdc *k, const char *text)
{
	struct bytes b = { .len = 0 };
	enum gk_err err;

	put_hex(&b, "02 ff");
	put_raw(&b, gk_span_str(text));
	err = gk_member_say(k->m, gk_span_str("lights"), all_of(&b), k->now);
	kdc_drain(k, GK_OK);
	return err;
}

struct gk_group_common kdc_common(const struct kdc *k, uint32_t num)
{
	struct gk_group_common common;
	struct bytes ms = { .len = 0 }, gid = { .len = 0 };
	struct gk_group_input input = {
		.gp_enc_alg = 10, .sign_alg = -7, .hkdf = 5, .gm_cred = all_of(&k->cred)
	};

	put_ms(&ms, num);
	put_gid(&gid, num);
	input.master_secret = bstr(all_of(&ms));
	input.gid = bstr(all_of(&gid));
	if (gk_group_common_init(&common, &input))
		fail_msg("no context");
	return common;
}

static struct gk_group_sender sender_of(const struct kdc *k, const struct gk_group_common *common,
					uint8_t sid, uint64_t seq)
{
	struct gk_group_sender sender;

	if (gk_group_sender_init(common, gk_span(&sid, 1), &k->peer_key[sid],
				 all_of(&k->peer_cred[sid]), &sender))
		fail_msg("no sender");
	sender.seq = seq;
	return sender;
}

static void say_as(struct kdc *k, const struct gk_group_common *common,
		   struct gk_group_sender *sender, const char *text)
{
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct bytes b = { .len = 0 };
	struct gk_oscore_ref ref;

	put_hex(&b, "02 ff");
	put_raw(&b, gk_span_str(text));
	if (gk_group_protect_request(common, sender, all_of(&b), &buf, &ref))
		fail_msg("no message");
	k->heard[0] = '\0';
	kdc_send(k, gk_buf_span(&buf));
}

void peer_says(struct kdc *k, uint8_t sid, uint32_t num, uint64_t seq, const char *text)
{
	struct gk_group_common common = kdc_common(k, num);
	struct gk_group_sender sender = sender_of(k, &common, sid, seq);

	say_as(k, &common, &sender, text);
}

void stranger_says(struct kdc *k, uint8_t sid, uint32_t num)
{
	struct gk_group_common common = kdc_common(k, num);
	struct gk_group_sender sender;

	if (gk_group_sender_init(&common, gk_span(&sid, 1), &k->peer_key[1],
				 all_of(&k->peer_cred[1]), &sender))
		fail_msg("no sender");
	say_as(k, &common, &sender, "strange");
}

static struct gk_group_recipient member_as(const struct kdc *k,
					   const struct gk_group_common *common, uint8_t sid)
{
	struct gk_group_recipient member;

	if (gk_group_recipient_init(common, gk_span(&sid, 1), all_of(&k->member_cred), &member))
		fail_msg("no recipient");
	return member;
}

bool peer_reads(const struct kdc *k, uint32_t num, uint8_t sid, uint64_t seq, const char *text)
{
	struct gk_group_common common = kdc_common(k, num);
	struct gk_group_recipient member = member_as(k, &common, sid);
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;

	return !gk_group_unprotect_request(&common, &member, all_of(&k->cast), &buf, &ref) &&
	       gk_span_equal(payload_in(gk_buf_span(&buf)), gk_span_str(text)) &&
	       gk_span_uint(gk_id_span(&ref.piv)) == seq;
}

void peer_answers(struct kdc *k, uint8_t sid, uint32_t num, const char *text)
{
	struct gk_group_common common = kdc_common(k, num);
	struct gk_group_recipient member = member_as(k, &common, OWN_SID);
	struct gk_group_sender sender = sender_of(k, &common, sid, 0);
	uint8_t bytes[512], opened[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes)), plain = gk_buf(opened, sizeof(opened));
	struct bytes b = { .len = 0 };
	struct gk_oscore_ref ref;

	put_hex(&b, "45 ff");
	put_raw(&b, gk_span_str(text));
	if (gk_group_unprotect_request(&common, &member, all_of(&k->cast), &plain, &ref) ||
	    gk_group_protect_response(&common, &sender, &ref, all_of(&b), false, &buf))
		fail_msg("no answer");
	k->heard[0] = '\0';
	kdc_drain(k, gk_member_response(k->m, k->cast_id, gk_buf_span(&buf), k->now));
}

/* fixtures */

int open_kdc(void **state)
{
	static struct kdc k;

	kdc_open(&k);
	*state = &k;
	return 0;
}

int close_kdc(void **state)
{
	kdc_close(*state);
	return 0;
}
