// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A member's exchanges with the KDC: one at a time (NSTART 1), the most urgent first, with back-off
 * when there is no answer. Each kind is a row of a table: how the request is built, and what its
 * answer means.
 */
#include "member.h"

#include <string.h>

#define MESSAGE_ROOM        1152
#define PAYLOAD_ROOM        1024
#define BODY_MAX            (4u << 20) /* 4 MiB: 40,000 credentials; a KDC that sends more is broken */
#define BACKOFF_MS          1000
#define BACKOFF_SHIFT_MAX   6
#define BLOCK_TRIES_MAX     3
#define TOKEN_REFUSED_SHIFT 6
#define ID1_LEN             2
#define MASTER_SALT_ROOM    128

/** A request being built. */
struct request {
	struct gk_member *m;
	struct gk_membership *ms;
	struct gk_coap_writer w;
};

/** An answer: the code says how it went. */
struct answer {
	struct gk_member *m;
	struct gk_membership *ms;
	const struct gk_coap *msg;
	struct gk_now now;
};

/* ---- POST /authz-info (RFC 9203 section 4.1) ---- */

static enum gk_err build_token(struct request *r)
{
	uint8_t bytes[PAYLOAD_ROOM + 64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_member *m = r->m;
	enum gk_err err = gk_random(&m->env, m->n1, sizeof(m->n1));

	m->id1.len = ID1_LEN;
	if (!err)
		err = gk_random(&m->env, m->id1.data, ID1_LEN);
	if (err)
		return err;
	gk_put_map(&buf, 4);
	gk_put_int(&buf, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(&buf, gk_blob_span(&m->token));
	gk_put_int(&buf, GK_ACE_NONCE1);
	gk_put_bytes(&buf, gk_span(m->n1, sizeof(m->n1)));
	gk_put_int(&buf, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(&buf, gk_id_span(&m->id1));
	gk_put_int(&buf, GK_ACE_SIGN_INFO);
	gk_put_null(&buf);
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE);
	gk_coap_put_payload(&r->w, gk_buf_span(&buf));
	return gk_buf_err(&buf);
}

enum { T_NONCE2, T_ID2, T_SIGN_INFO, T_CHALLENGE, T_COUNT };

static const struct gk_cbor_field token_fields[T_COUNT] = {
	[T_NONCE2] = { GK_ACE_NONCE2, GK_CBOR_BYTES, true },
	[T_ID2] = { GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
	[T_SIGN_INFO] = { GK_ACE_SIGN_INFO, GK_CBOR_ARRAY, false },
	[T_CHALLENGE] = { GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, false },
};

static void set_sign_alg(struct gk_member *m, struct gk_span group, int64_t alg)
{
	for (size_t i = 0; i < m->group_count; i++) {
		struct gk_membership *ms = m->groups[i];

		if (gk_span_equal(gk_membership_name(ms), group) && gk_sign_curve(alg))
			ms->sign_alg = (int)alg;
	}
}

/* sign_info_entry = [id, sign_alg, ...]; the id is a name or an array of names (R 3.3). */
static void take_entry(struct gk_member *m, struct gk_span encoded)
{
	struct gk_cbor c = gk_cbor(encoded), names;
	struct gk_cbor_iter fields = gk_cbor_array(&c), it;
	struct gk_cbor_item id, alg;

	if (!gk_cbor_more(&c, &fields))
		return;
	id = gk_cbor_item(&c, GK_CBOR_TEXT | GK_CBOR_ARRAY);
	if (!gk_cbor_more(&c, &fields))
		return;
	alg = gk_cbor_item(&c, GK_CBOR_INT);
	if (c.err)
		return;
	if (id.kind == GK_CBOR_TEXT) {
		set_sign_alg(m, id.string, alg.number);
		return;
	}
	names = gk_cbor(id.encoded);
	it = gk_cbor_array(&names);
	while (gk_cbor_more(&names, &it))
		set_sign_alg(m, gk_cbor_text(&names), alg.number);
}

static void take_sign_info(struct gk_member *m, struct gk_span encoded)
{
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter it = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &it))
		take_entry(m, gk_cbor_item(&c, GK_CBOR_ARRAY).encoded);
}

static void take_challenge(struct gk_member *m, const struct gk_cbor_item *item)
{
	if (!item->kind || item->string.len > sizeof(m->challenge))
		return;
	memcpy(m->challenge, item->string.data, item->string.len);
	m->challenge_len = (uint8_t)item->string.len;
}

/* O 4.3: Sender ID = what the KDC chose, Recipient ID = ours. */
static enum gk_err derive(struct gk_member *m, struct gk_span n2, struct gk_span id2)
{
	uint8_t bytes[MASTER_SALT_ROOM];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore ctx = { 0 };
	enum gk_err err;

	gk_put_bytes(&salt, gk_span(m->salt, m->salt_len));
	gk_put_bytes(&salt, gk_span(m->n1, sizeof(m->n1)));
	gk_put_bytes(&salt, n2);
	if (salt.overflow)
		return GK_ERR_RANGE;
	err = gk_oscore_init(&ctx,
			     &(struct gk_oscore_input){ .alg = GK_ALG_AES_CCM_16_64_128,
							.hkdf = GK_ALG_HMAC_256,
							.master_secret = gk_span(m->ms, m->ms_len),
							.master_salt = gk_buf_span(&salt),
							.sender_id = id2,
							.recipient_id = gk_id_span(&m->id1) });
	if (err)
		return err;
	gk_oscore_wipe(&m->assoc);
	m->assoc = ctx;
	gk_wipe(&ctx, sizeof(ctx));
	return GK_OK;
}

static void complain(struct gk_member *m, struct gk_membership *ms, const char *reason)
{
	if (ms)
		gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE, reason);
	else
		gk_queue_note(
			&m->queue,
			&(struct gk_note){ .kind = GK_NOTE_ERROR, .num = -1, .reason = reason });
}

static void pause_for(struct gk_member *m, unsigned shift, struct gk_now now)
{
	uint32_t ms = (uint32_t)BACKOFF_MS
		      << (shift < BACKOFF_SHIFT_MAX ? shift : BACKOFF_SHIFT_MAX);

	m->not_before_ms = now.mono.ms + ms + gk_member_jitter(m, ms / 2);
}

static void done_token(struct answer *a)
{
	struct gk_cbor_item item[T_COUNT];

	if (a->msg->code == GK_COAP_UNAVAILABLE) {
		complain(a->m, NULL, "the KDC cannot take the token now");
		pause_for(a->m, ++a->m->failures, a->now);
		return;
	}
	if (a->msg->code != GK_COAP_CREATED) {
		complain(a->m, NULL, "the KDC refuses the token");
		pause_for(a->m, TOKEN_REFUSED_SHIFT, a->now);
		return;
	}
	if (gk_cbor_read_map(a->msg->payload, token_fields, T_COUNT, item) ||
	    derive(a->m, item[T_NONCE2].string, item[T_ID2].string)) {
		complain(a->m, NULL, "the KDC's answer to the token is malformed");
		pause_for(a->m, TOKEN_REFUSED_SHIFT, a->now);
		return;
	}
	take_challenge(a->m, &item[T_CHALLENGE]);
	if (item[T_SIGN_INFO].kind)
		take_sign_info(a->m, item[T_SIGN_INFO].encoded);
}

/* ---- the Join Request (R 4.3.1, P 6.1) ---- */

static void put_control_uri(struct gk_buf *buf, const struct request *r)
{
	uint8_t bytes[160];
	struct gk_buf uri = gk_buf(bytes, sizeof(bytes));

	gk_buf_add(&uri, gk_blob_span(&r->m->control_base));
	gk_buf_add(&uri, gk_span_str("/ace-group/"));
	gk_buf_add(&uri, gk_membership_name(r->ms));
	gk_buf_byte(&uri, '/');
	gk_membership_put_segment(r->ms, &uri);
	gk_put_int(buf, GK_PARAM_CONTROL_URI);
	gk_put_text(buf, gk_buf_span(&uri));
}

static enum gk_err put_evidence(struct gk_buf *buf, const struct request *r, struct gk_span scope)
{
	uint8_t bytes[256], sig[GK_SIG_LEN];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	int alg = r->ms->sign_alg;
	enum gk_err err;

	gk_pop_put_client(&pop, scope, gk_span(r->m->challenge, r->m->challenge_len),
			  gk_span(r->ms->n_c, sizeof(r->ms->n_c)));
	err = gk_buf_err(&pop);
	if (!err)
		err = gk_sign(gk_member_key(r->m, alg), gk_buf_span(&pop), sig);
	if (err)
		return err;
	gk_put_int(buf, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(buf, gk_member_cred(r->m, alg));
	gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(buf, gk_span(sig, sizeof(sig)));
	return GK_OK;
}

static enum gk_err build_join(struct request *r)
{
	uint8_t bytes[PAYLOAD_ROOM], scope_bytes[GK_GROUP_NAME_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	bool monitor = r->ms->roles == GK_ROLE_MONITOR;
	enum gk_err err = gk_random(&r->m->env, r->ms->n_c, sizeof(r->ms->n_c));

	if (err)
		return err;
	gk_scope_put(&scope, gk_membership_name(r->ms), r->ms->roles);
	gk_put_map(&buf, 4 + (monitor ? 0u : 2u));
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, gk_buf_span(&scope));
	gk_put_int(&buf, GK_PARAM_GET_CREDS);
	gk_put_null(&buf);
	gk_put_int(&buf, GK_PARAM_CNONCE);
	gk_put_bytes(&buf, gk_span(r->ms->n_c, sizeof(r->ms->n_c)));
	put_control_uri(&buf, r);
	if (!monitor)
		err = put_evidence(&buf, r, gk_buf_span(&scope));
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&r->w, gk_buf_span(&buf));
	return err ? err : gk_buf_err(&buf);
}

/* The KDC shows that it has the key of its credential, for our nonce; before anything of the
 * answer is used (P 6.4). */
static bool kdc_is_genuine(const struct gk_membership *ms, const struct gk_material *material)
{
	uint8_t bytes[128];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_public_key key;

	gk_pop_put_kdc(&pop, gk_span(ms->n_c, sizeof(ms->n_c)), material->kdc_nonce);
	return !pop.overflow && gk_ccs_read(material->kdc_cred, &key) == GK_OK &&
	       key.crv == gk_sign_curve(material->algorithms.sign_alg) &&
	       gk_verify(&key, gk_buf_span(&pop), material->kdc_verify) == GK_OK;
}

/* The last segment of Location-Path ace-group/G/nodes/NODENAME. */
static bool take_node_name(struct gk_membership *ms, const struct gk_coap *msg)
{
	struct gk_coap_iter it = gk_coap_options(msg);
	struct gk_span last = { NULL, 0 };

	while (gk_coap_next(&it)) {
		if (it.number == GK_OPT_LOCATION_PATH)
			last = it.value;
	}
	if (last.len == 0 || last.len > sizeof(ms->node))
		return false;
	memcpy(ms->node, last.data, last.len);
	ms->node_len = (uint8_t)last.len;
	return true;
}

/* Under one Gid a Sender ID may be used once: its sequence number would start again. */
static bool repeats_sid(const struct gk_membership *ms, const struct gk_material *material)
{
	return ms->has_sid && material->has_sid &&
	       gk_span_equal(gk_id_span(&ms->common.gid), material->gid) &&
	       gk_span_equal(gk_id_span(&ms->sid), material->sid);
}

/* The answer is older than what a rekeying message has brought since it was made: of it only the
 * Sender ID counts, which rekeyings leave alone. */
static const char *enter_older(struct gk_membership *ms, const struct gk_material *material)
{
	if (!ms->has_material || (material->has_sid && gk_membership_set_sid(ms, material->sid)))
		return "the Join Response is out of date";
	return NULL;
}

static const char *install(struct answer *a, const struct gk_material *material)
{
	struct gk_membership *ms = a->ms;

	gk_blob_wipe(&a->m->env, &ms->held);
	ms->has_sid = false;
	ms->recovering = false;
	ms->num = -1;
	if (gk_membership_install(ms, material, a->now))
		return "the group's material cannot be used";
	if (material->ids.len)
		gk_membership_keep_peers(ms, material->ids);
	return NULL;
}

static const char *enter(struct answer *a)
{
	struct gk_membership *ms = a->ms;
	struct gk_material material;

	if (gk_material_read(a->msg->payload, &material) || !material.has_algorithms)
		return "the Join Response is malformed";
	if (!kdc_is_genuine(ms, &material))
		return "the KDC's evidence is wrong";
	if (!take_node_name(ms, a->msg) ||
	    gk_blob_set(&a->m->env, &ms->kdc_cred, material.kdc_cred))
		return "the Join Response names no node";
	if (repeats_sid(ms, &material))
		return "the KDC gives us a Sender ID whose numbers are used";
	return ms->in && material.num < ms->num ? enter_older(ms, &material) :
						  install(a, &material);
}

static void joined(struct answer *a)
{
	const char *wrong = enter(a);

	if (wrong) {
		complain(a->m, a->ms, wrong);
		gk_task_want(a->ms, GK_TASK_JOIN);
		pause_for(a->m, ++a->m->failures, a->now);
		return;
	}
	a->ms->in = true;
	a->ms->wants = 0;
	gk_member_note(a->ms, GK_NOTE_JOINED, GK_VIA_JOIN, NULL);
}

enum { R_SIGN_INFO, R_CHALLENGE, R_COUNT };

static const struct gk_cbor_field refusal_fields[R_COUNT] = {
	[R_SIGN_INFO] = { GK_PARAM_SIGN_INFO, GK_CBOR_ARRAY, false },
	[R_CHALLENGE] = { GK_PARAM_KDCCHALLENGE, GK_CBOR_BYTES, false },
};

/* A 4.00 may tell how to do better: the group's algorithm, a new challenge (P 6.2.1). */
static void take_advice(struct answer *a)
{
	struct gk_cbor_item item[R_COUNT];

	if (gk_coap_find_uint(a->msg, GK_OPT_CONTENT_FORMAT, -1) != GK_CF_ACE_GROUPCOMM ||
	    gk_cbor_read_map(a->msg->payload, refusal_fields, R_COUNT, item))
		return;
	if (item[R_SIGN_INFO].kind)
		take_sign_info(a->m, item[R_SIGN_INFO].encoded);
	take_challenge(a->m, &item[R_CHALLENGE]);
}

static void done_join(struct answer *a)
{
	if (a->msg->code == GK_COAP_CREATED || a->msg->code == GK_COAP_CHANGED) {
		joined(a);
		return;
	}
	if (a->msg->code == GK_COAP_BAD_REQUEST)
		take_advice(a);
	complain(a->m, a->ms, "the KDC refuses the join");
	gk_task_want(a->ms, GK_TASK_JOIN);
	pause_for(a->m, ++a->m->failures, a->now);
}

/* ---- leaving ---- */

static void left(struct gk_membership *ms)
{
	gk_member_note(ms, GK_NOTE_LEFT, GK_VIA_NONE, NULL);
	gk_membership_drop(ms);
	ms->in = false;
	ms->wants = 0;
	for (size_t i = 0; i < GK_DUE_COUNT; i++)
		ms->due_ms[i] = GK_NEVER;
}

static void done_leave(struct answer *a)
{
	if (a->msg->code == GK_COAP_DELETED)
		left(a->ms);
	else
		complain(a->m, a->ms, "the KDC refuses to let us leave");
}

/* ---- catching up (P 11.3) ---- */

static enum gk_err build_stale(struct request *r)
{
	uint8_t bytes[9];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_int(&buf, r->ms->num);
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_CBOR);
	gk_coap_put_payload(&r->w, gk_buf_span(&buf));
	return GK_OK;
}

static void fetch_whole(struct gk_membership *ms)
{
	gk_blob_wipe(&ms->member->env, &ms->held);
	gk_task_want(ms, GK_TASK_MATERIAL);
}

/* No payload: the KDC no longer knows, forget everybody. 4.00: it has nothing newer than ours. */
static void done_stale(struct answer *a)
{
	struct gk_membership *ms = a->ms;
	bool told = a->msg->code == GK_COAP_CONTENT && a->msg->payload.len;
	struct gk_material held;

	if (told)
		gk_membership_remove_peers(ms, a->msg->payload);
	else
		gk_membership_remove_all_peers(ms);
	if (!ms->held.data || gk_material_read(gk_blob_span(&ms->held), &held))
		gk_task_want(ms, GK_TASK_MATERIAL);
	else if (told && !held.has_sid && gk_membership_lists_own(ms, a->msg->payload))
		gk_membership_lose_sid(ms); /* ours is another's, or will be */
	else if (!told && !held.has_sid && ms->has_sid)
		fetch_whole(ms); /* it says which Sender ID is ours now; a monitor has none */
	else
		gk_membership_install_held(ms, GK_VIA_PULL, a->now);
	if (ms->has_material && !ms->peer_count)
		gk_task_want(ms, GK_TASK_CREDS);
}

/* Another Sender ID than ours: the answer that gave it to us was lost. */
static bool sid_differs(const struct gk_membership *ms, const struct gk_material *material)
{
	return ms->has_sid && material->has_sid &&
	       !gk_span_equal(gk_id_span(&ms->sid), material->sid);
}

/* Without newer material, and with ours at its end, only a new Sender ID is safe: our sequence
 * number for the old one is given up, and may not start again (design D6). */
static void take_material(struct answer *a, const struct gk_material *material)
{
	struct gk_membership *ms = a->ms;

	if (material->num > ms->num)
		gk_membership_hold(ms, a->msg->payload, material->num);
	else if (!ms->has_material || sid_differs(ms, material))
		gk_membership_lose_sid(ms);
}

static void done_material(struct answer *a)
{
	struct gk_material material;

	if (a->msg->code != GK_COAP_CONTENT || gk_material_read(a->msg->payload, &material)) {
		complain(a->m, a->ms, "the KDC gives no material");
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		pause_for(a->m, ++a->m->failures, a->now);
		return;
	}
	take_material(a, &material);
}

enum { C_NUM, C_CREDS, C_ROLES, C_IDS, C_COUNT };

static const struct gk_cbor_field creds_fields[C_COUNT] = {
	[C_NUM] = { GK_PARAM_NUM, GK_CBOR_UINT, true },
	[C_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
	[C_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
	[C_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
};

/* Credentials of a newer version than ours belong to it: fetch that first (P 11.3, case c). */
static void done_creds(struct answer *a)
{
	struct gk_cbor_item item[C_COUNT];

	if (a->msg->code != GK_COAP_CONTENT ||
	    gk_cbor_read_map(a->msg->payload, creds_fields, C_COUNT, item))
		return; /* nobody has a credential: the zero-length byte string */
	if (item[C_NUM].number > a->ms->num) {
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		gk_task_want(a->ms, GK_TASK_CREDS);
		return;
	}
	if (item[C_NUM].number < a->ms->num) {
		complain(a->m, a->ms, "the KDC is behind the version that it gave us");
		pause_for(a->m, ++a->m->failures, a->now);
		return;
	}
	if (gk_membership_set_peers(a->ms, item[C_CREDS].encoded, item[C_ROLES].encoded,
				    item[C_IDS].encoded, true))
		complain(a->m, a->ms, "credentials of others cannot be used");
}

static void done_check(struct answer *a)
{
	struct gk_cbor c = gk_cbor(a->msg->payload);
	int64_t num = gk_cbor_int(&c);

	if (a->msg->code == GK_COAP_CONTENT && !gk_cbor_end(&c) &&
	    (num > a->ms->num || !a->ms->has_material))
		gk_task_want(a->ms, GK_TASK_MATERIAL);
}

/* ---- Key Renewal ---- */

static const struct gk_cbor_field renew_fields[] = {
	{ GK_PARAM_GROUP_SENDER_ID, GK_CBOR_BYTES, true },
};

/* 2.04, or 2.05 of older KDCs. */
static void done_renew(struct answer *a)
{
	struct gk_cbor_item item;

	if ((a->msg->code != GK_COAP_CHANGED && a->msg->code != GK_COAP_CONTENT) ||
	    gk_cbor_read_map(a->msg->payload, renew_fields, 1, &item) ||
	    gk_membership_renew_sid(a->ms, item.string))
		complain(a->m, a->ms, "the KDC gives no new Sender ID");
}

/* ---- the table ---- */

static const struct task {
	uint8_t method;
	const char *path;                        /* below ace-group/G; "*": ours below nodes */
	enum gk_err (*build)(struct request *r); /* options above Uri-Path, and payload */
	void (*done)(struct answer *a);
} tasks[GK_TASK_COUNT] = {
	[GK_TASK_TOKEN] = { GK_COAP_POST, NULL, build_token, done_token },
	[GK_TASK_LEAVE] = { GK_COAP_DELETE, "*", NULL, done_leave },
	[GK_TASK_JOIN] = { GK_COAP_POST, "", build_join, done_join },
	[GK_TASK_STALE] = { GK_COAP_FETCH, "stale-sids", build_stale, done_stale },
	[GK_TASK_MATERIAL] = { GK_COAP_GET, "*", NULL, done_material },
	[GK_TASK_RENEW] = { GK_COAP_POST, "*", NULL, done_renew },
	[GK_TASK_CREDS] = { GK_COAP_GET, "creds", NULL, done_creds },
	[GK_TASK_CHECK] = { GK_COAP_GET, "num", NULL, done_check },
};

static void put_path(struct request *r, const char *path)
{
	if (!r->ms) {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str("authz-info"));
		return;
	}
	gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str("ace-group"));
	gk_coap_put(&r->w, GK_OPT_URI_PATH, gk_membership_name(r->ms));
	if (path[0] == '*') {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str("nodes"));
		gk_coap_put(&r->w, GK_OPT_URI_PATH, gk_span(r->ms->node, r->ms->node_len));
	} else {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str(path));
	}
}

/* ---- sending ---- */

static void emit(struct gk_member *m, struct gk_span bytes)
{
	m->out.id = ++m->next_id;
	gk_queue_add(&m->queue, &(struct gk_event){ .kind = GK_EVENT_REQUEST,
						    .id = m->out.id,
						    .peer = m->kdc,
						    .timeout_ms = m->answer_timeout_ms,
						    .bytes = bytes });
}

static enum gk_err send(struct gk_member *m, struct gk_span message)
{
	uint8_t bytes[MESSAGE_ROOM + GK_OSCORE_OVERHEAD];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (m->out.task == GK_TASK_TOKEN) {
		emit(m, message);
		return GK_OK;
	}
	err = gk_oscore_protect_request(&m->assoc, message, &buf, &m->out.ref);
	if (err == GK_ERR_SEQUENCE)
		gk_oscore_wipe(&m->assoc); /* used up: a new association is due */
	if (!err)
		emit(m, gk_buf_span(&buf));
	return err;
}

static enum gk_err build(struct gk_member *m, struct gk_buf *buf)
{
	const struct task *task = &tasks[m->out.task];
	struct request r = { m, m->out.ms, gk_coap_begin(buf, task->method) };
	enum gk_err err;

	put_path(&r, task->path);
	err = task->build ? task->build(&r) : GK_OK;
	return err ? err : gk_buf_err(buf);
}

static void finish(struct gk_member *m)
{
	m->out.busy = false;
	gk_blob_wipe(&m->env, &m->out.message);
	gk_blob_wipe(&m->env, &m->out.body);
}

static void start(struct gk_member *m, struct gk_membership *ms, enum gk_task task,
		  struct gk_now now)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	m->out = (struct gk_exchange_out){ .busy = true, .task = task, .ms = ms };
	err = build(m, &buf);
	if (!err)
		err = gk_blob_set(&m->env, &m->out.message, gk_buf_span(&buf));
	if (!err)
		err = send(m, gk_buf_span(&buf));
	if (err) {
		finish(m);
		complain(m, ms, gk_strerror(err));
		pause_for(m, ++m->failures, now);
	} else if (ms) {
		ms->wants &= ~(1u << task);
	}
	gk_wipe(bytes, sizeof(bytes));
}

void gk_task_want(struct gk_membership *ms, enum gk_task task)
{
	ms->wants |= 1u << task;
}

static unsigned wanted(const struct gk_member *m)
{
	unsigned wants = 0;

	for (size_t i = 0; i < m->group_count; i++)
		wants |= m->groups[i]->wants;
	return wants;
}

void gk_task_next(struct gk_member *m, struct gk_now now)
{
	unsigned wants = wanted(m);
	unsigned task = 0;

	if (m->out.busy || !wants || now.mono.ms < m->not_before_ms)
		return;
	if (!m->assoc.aead) {
		start(m, NULL, GK_TASK_TOKEN, now);
		return;
	}
	while (!(wants & 1u << task))
		task++;
	for (size_t i = 0; i < m->group_count; i++) {
		if (m->groups[i]->wants & 1u << task) {
			start(m, m->groups[i], (enum gk_task)task, now);
			return;
		}
	}
}

int64_t gk_task_due_ms(const struct gk_member *m)
{
	return m->out.busy || !wanted(m) ? GK_NEVER : m->not_before_ms;
}

void gk_task_wipe(struct gk_member *m)
{
	finish(m);
}

/* ---- answers ---- */

/* No answer, or none that can be believed: later again. */
static void failed(struct gk_member *m, struct gk_now now)
{
	if (m->out.ms && (m->out.ms->in || m->out.task == GK_TASK_JOIN))
		gk_task_want(m->out.ms, m->out.task);
	finish(m);
	pause_for(m, m->failures++, now);
}

/* Errors of OSCORE come unprotected: the KDC may have lost the association, or someone wants us
 * to think so; a new one does no harm (O 6), and the back-off keeps it rare. */
static void answered_plain(struct gk_member *m, const struct gk_coap *msg, struct gk_now now)
{
	if (msg->code == GK_COAP_UNAUTHORIZED)
		gk_oscore_wipe(&m->assoc);
	failed(m, now);
}

static bool find_challenge(const struct gk_coap *msg, struct gk_span *echo)
{
	return msg->code == GK_COAP_UNAUTHORIZED && gk_coap_find(msg, GK_OPT_ECHO, echo);
}

/* RFC 9175: the same request again, with the Echo value. */
static bool repeat_with_echo(struct gk_member *m, const struct gk_coap *msg)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap request;
	struct gk_coap_iter it;
	struct gk_coap_writer w;
	struct gk_span echo;

	if (m->out.echoed || !find_challenge(msg, &echo) ||
	    gk_coap_parse(gk_blob_span(&m->out.message), &request))
		return false;
	w = gk_coap_begin(&buf, request.code);
	it = gk_coap_options(&request);
	while (gk_coap_next(&it))
		gk_coap_put(&w, it.number, it.value);
	gk_coap_put(&w, GK_OPT_ECHO, echo);
	gk_coap_put_payload(&w, request.payload);
	m->out.echoed = true;
	return !buf.overflow && send(m, gk_buf_span(&buf)) == GK_OK;
}

static enum gk_err append_block(struct gk_member *m, const struct gk_coap *msg, bool first)
{
	size_t room = m->out.body.len + msg->options.len + msg->payload.len + 8;
	uint8_t *bytes = room > BODY_MAX ? NULL : gk_alloc(&m->env, room);
	struct gk_buf buf = gk_buf(bytes, room);
	struct gk_coap_iter it = gk_coap_options(msg);
	struct gk_coap_writer w;

	if (!bytes)
		return GK_ERR_NO_MEMORY;
	if (first) {
		w = gk_coap_begin(&buf, msg->code);
		while (gk_coap_next(&it)) {
			if (it.number != GK_OPT_BLOCK2)
				gk_coap_put(&w, it.number, it.value);
		}
		gk_coap_put_payload(&w, msg->payload);
	} else {
		gk_buf_add(&buf, gk_blob_span(&m->out.body));
		gk_buf_add(&buf, msg->payload);
	}
	gk_blob_wipe(&m->env, &m->out.body);
	m->out.body = (struct gk_blob){ bytes, room };
	if (buf.overflow)
		return GK_ERR_NO_SPACE;
	/* the blob's length is that of its allocation: copy what was written */
	return gk_blob_set(&m->env, &m->out.body, gk_buf_span(&buf));
}

static bool ask_block(struct gk_member *m, struct gk_block next)
{
	const struct task *task = &tasks[m->out.task];
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct request r = { m, m->out.ms, gk_coap_begin(&buf, task->method) };

	put_path(&r, task->path);
	gk_coap_put_uint(&r.w, GK_OPT_BLOCK2, gk_block_value(next));
	m->out.blocks++;
	m->out.tries = 1;
	return gk_blob_set(&m->env, &m->out.message, gk_buf_span(&buf)) == GK_OK &&
	       send(m, gk_buf_span(&buf)) == GK_OK;
}

enum block_state { BLOCK_WHOLE, BLOCK_MORE, BLOCK_BROKEN };

/* Collect an answer in blocks; 'msg' becomes the whole one. */
static enum block_state collect(struct gk_member *m, struct gk_coap *msg)
{
	struct gk_block block;

	if (gk_block_read(msg, GK_OPT_BLOCK2, &block) || (block.num == 0 && !block.more))
		return m->out.blocks ? BLOCK_BROKEN : BLOCK_WHOLE;
	if (block.num != m->out.blocks || append_block(m, msg, block.num == 0))
		return BLOCK_BROKEN;
	if (block.more) {
		block.num++;
		block.more = false;
		return ask_block(m, block) ? BLOCK_MORE : BLOCK_BROKEN;
	}
	return gk_coap_parse(gk_blob_span(&m->out.body), msg) ? BLOCK_BROKEN : BLOCK_WHOLE;
}

/* {0: {0: error-id}} (R 4.1.2). */
static bool is_error(const struct gk_coap *msg, uint8_t code, int64_t error)
{
	static const struct gk_cbor_field outer[] = {
		{ GK_PROBLEM_ACE_GROUPCOMM_ERROR, GK_CBOR_MAP, true },
	};
	static const struct gk_cbor_field inner[] = {
		{ GK_PROBLEM_ERROR_ID, GK_CBOR_INT, true },
	};
	struct gk_cbor_item item;

	return msg->code == code && !gk_cbor_read_map(msg->payload, outer, 1, &item) &&
	       !gk_cbor_read_map(item.encoded, inner, 1, &item) && item.number == error;
}

static void conclude(struct gk_member *m, const struct gk_coap *msg, struct gk_now now)
{
	struct gk_membership *ms = m->out.ms;
	struct answer a = { m, ms, msg, now };
	unsigned failures = m->failures;

	if (ms && !ms->in && m->out.task != GK_TASK_JOIN) {
		finish(m); /* put out in the meantime */
		return;
	}
	if (ms && m->out.task != GK_TASK_JOIN &&
	    is_error(msg, GK_COAP_FORBIDDEN, GK_ACE_ERROR_NOT_MEMBER)) {
		if (m->out.task == GK_TASK_LEAVE) {
			left(ms); /* an earlier try got through */
		} else {
			gk_membership_lost(ms, "the KDC does not have us in the group");
			gk_task_want(ms, GK_TASK_JOIN);
		}
	} else {
		tasks[m->out.task].done(&a);
	}
	if (m->failures == failures)
		m->failures = 0;
	finish(m);
}

static void answered(struct gk_member *m, struct gk_coap *msg, struct gk_now now)
{
	enum block_state state;
	struct gk_span echo;

	if (repeat_with_echo(m, msg))
		return;
	if (find_challenge(msg, &echo)) {
		failed(m, now); /* the KDC restarted again, and decided nothing */
		return;
	}
	state = collect(m, msg);
	if (state == BLOCK_WHOLE)
		conclude(m, msg, now);
	else if (state == BLOCK_BROKEN)
		failed(m, now);
}

static void unprotect(struct gk_member *m, struct gk_span message, struct gk_now now)
{
	size_t room = message.len + 1;
	uint8_t *bytes = gk_alloc(&m->env, room);
	struct gk_buf buf = gk_buf(bytes, room);
	struct gk_coap inner;

	if (bytes && !gk_oscore_unprotect_response(&m->assoc, &m->out.ref, message, &buf, NULL) &&
	    !gk_coap_parse(gk_buf_span(&buf), &inner))
		answered(m, &inner, now);
	else
		failed(m, now);
	gk_free(&m->env, bytes, room);
}

/* A later block that got lost is asked for again: to begin anew would cost all those before it. */
static bool repeat_block(struct gk_member *m)
{
	return m->out.blocks && m->out.tries++ < BLOCK_TRIES_MAX &&
	       send(m, gk_blob_span(&m->out.message)) == GK_OK;
}

void gk_task_answered(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now)
{
	struct gk_span option;
	struct gk_coap msg;

	if (!m->out.busy || m->out.id != id || (!message.len && repeat_block(m)))
		return;
	if (gk_coap_parse(message, &msg))
		failed(m, now);
	else if (m->out.task == GK_TASK_TOKEN)
		conclude(m, &msg, now);
	else if (gk_coap_find(&msg, GK_OPT_OSCORE, &option))
		unprotect(m, message, now);
	else
		answered_plain(m, &msg, now);
}
