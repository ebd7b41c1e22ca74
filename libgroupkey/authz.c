// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * /authz-info. Under the OSCORE profile of ACE (RFC 9203) a first token makes a candidate, one
 * posted inside an association updates its rights. Under the DTLS profile (RFC 9202) a token for a
 * key that is known updates its rights, wherever it comes from; any other one makes a candidate.
 */
#include "client.h"
#include "cwt.h"
#include "group.h"
#include "ledger.h"
#include "presence.h"
#include "serve.h"

#include <string.h>

#define CLAIMS_ROOM     GK_TOKEN_MAX
#define SALT_ROOM       128
#define INFO_ROOM       16384 /* what an answer tells of a token's groups */
#define INFO_ROOM_WHOLE 900   /* ... in one piece */
#define FIXED_ROOM      48    /* ... beside that */
#define NONCE1_MAX      32
#define IAT_AHEAD_S     600   /* so much may the clock of an AS be ahead of ours */
#define POST_COST_MS    1000  /* what a post costs an address ... */
#define POST_BURST_MS   64000 /* ... of this: 64 at once, then one a second */

/* RFC 9203 4.3 with no salt in the token: the empty string, encoded as the others are. */
static const struct gk_span no_salt = { NULL, 0 };

enum {
	POST_TOKEN,
	POST_NONCE1,
	POST_ID1,
	POST_SIGN_INFO,
	POST_ECDH_INFO,
	POST_DH_CREDS,
	POST_COUNT,
};

static const struct gk_cbor_field post_fields[POST_COUNT] = {
	[POST_TOKEN] = { GK_ACE_ACCESS_TOKEN, GK_CBOR_BYTES, true },
	[POST_NONCE1] = { GK_ACE_NONCE1, GK_CBOR_BYTES, false },
	[POST_ID1] = { GK_ACE_CLIENT_RECIPIENTID, GK_CBOR_BYTES, false },
	[POST_SIGN_INFO] = { GK_ACE_SIGN_INFO, GK_CBOR_NULL | GK_CBOR_ARRAY, false },
	[POST_ECDH_INFO] = { GK_ACE_ECDH_INFO, GK_CBOR_NULL | GK_CBOR_ARRAY, false },
	[POST_DH_CREDS] = { GK_ACE_KDC_DH_CREDS, GK_CBOR_NULL | GK_CBOR_ARRAY, false },
};

static struct gk_cwt_issuer issuer_of(const struct gk_kdc *kdc)
{
	return (struct gk_cwt_issuer){
		.key = gk_span(kdc->as_key, sizeof(kdc->as_key)),
		.public_key = kdc->as_public_key,
		.issuer = gk_blob_span(&kdc->issuer),
		.audience = gk_blob_span(&kdc->audience),
	};
}

static void refuse(struct gk_call *call, uint8_t code, const char *reason)
{
	gk_queue_note(&call->kdc->queue,
		      &(struct gk_note){ .kind = GK_NOTE_REFUSED, .num = -1, .reason = reason });
	gk_answer(call, code);
}

/* a first token */

/* N1 and N2 make the association's Master Salt: bstr(salt) | bstr(N1) | bstr(N2) (O 4.3). */
static enum gk_err derive(struct gk_client *client, const struct gk_cwt *cwt, struct gk_span n1,
			  struct gk_span n2, struct gk_span id1, const struct gk_id *id2)
{
	uint8_t bytes[SALT_ROOM];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));

	gk_put_bytes(&salt, cwt->salt.len ? cwt->salt : no_salt);
	gk_put_bytes(&salt, n1);
	gk_put_bytes(&salt, n2);
	if (salt.overflow)
		return GK_ERR_RANGE;
	return gk_oscore_init(&client->assoc.ctx,
			      &(struct gk_oscore_input){ .alg = cwt->alg,
							 .hkdf = cwt->hkdf,
							 .master_secret = cwt->ms,
							 .master_salt = gk_buf_span(&salt),
							 .has_id_context = cwt->has_context_id,
							 .id_context = cwt->context_id,
							 .sender_id = id1,
							 .recipient_id = gk_id_span(id2) });
}

/* What a token says nothing of stays. One that says it is from the future would lock out those
 * that its AS makes once its clock is right. */
static struct gk_utc newest_iat(const struct gk_client *client, const struct gk_cwt *cwt,
				struct gk_now now)
{
	struct gk_utc shown = { client ? client->iat.s : 0 };
	struct gk_utc latest = { now.utc.s + IAT_AHEAD_S };
	struct gk_utc iat = cwt->iat.s < latest.s ? cwt->iat : latest;

	return iat.s > shown.s ? iat : shown;
}

/* Sequence number of a token whose lifetime begins here: the last eight bytes of its cti, which an
 * AS counts up (A 5.10.3). 0: it has no such lifetime, or nothing in its cti */
static uint64_t exi_number(const struct gk_cwt *cwt)
{
	size_t skip = cwt->cti.len > 8 ? cwt->cti.len - 8 : 0;

	return cwt->exi_s < 0 ? 0 : gk_span_uint(gk_span_sub(cwt->cti, skip, 8));
}

static uint64_t newest_exi(const struct gk_client *client, const struct gk_cwt *cwt)
{
	uint64_t shown = client ? client->exi_number : 0;

	return exi_number(cwt) > shown ? exi_number(cwt) : shown;
}

/* @param id  of the token's client */
static enum gk_err set_claims(struct gk_kdc *kdc, struct gk_client *client, struct gk_id id,
			      const struct gk_cwt *cwt, struct gk_now now)
{
	const struct gk_client *known = gk_client_find(kdc, gk_id_span(&id));

	client->id = id;
	client->exp = cwt->exp;
	client->exi_number = newest_exi(known, cwt);
	client->iat = newest_iat(known, cwt, now);
	client->sleepy = cwt->sleepy;
	client->name_len =
		(uint8_t)(cwt->subject.len < GK_NAME_MAX ? cwt->subject.len : GK_NAME_MAX);
	if (client->name_len)
		memcpy(client->name, cwt->subject.data, client->name_len);
	return gk_blob_set(&kdc->env, &client->scope, cwt->scope);
}

static enum gk_err fill_candidate(struct gk_kdc *kdc, struct gk_client *client,
				  const struct gk_cwt *cwt, const struct gk_cbor_item *post,
				  uint8_t n2[static GK_NONCE_LEN], struct gk_now now)
{
	struct gk_id id, id2;
	enum gk_err err = gk_id_set(&id, cwt->osc_id);

	if (!err)
		err = set_claims(kdc, client, id, cwt, now);
	if (!err)
		err = gk_client_choose_kid(kdc, post[POST_ID1].string, &id2);
	if (!err)
		err = gk_random(&kdc->env, n2, GK_NONCE_LEN);
	if (!err)
		err = gk_random(&kdc->env, client->assoc.challenge, GK_NONCE_LEN);
	client->assoc.challenge_len = GK_NONCE_LEN;
	if (!err)
		err = derive(client, cwt, post[POST_NONCE1].string, gk_span(n2, GK_NONCE_LEN),
			     post[POST_ID1].string, &id2);
	if (err)
		return err;
	client->assoc.ctx.seq_limit = 0; /* none is reserved yet */
	client->assoc.synchronised = true;
	return gk_client_link(kdc, client);
}

static bool is_pairwise_only(const struct gk_group *group)
{
	return !gk_group_signs(group);
}

/* What a client may ask about the groups of its token, each of those to which it applies (R 3.3,
 * P 5.3). */
static const struct info {
	size_t asked; /* of post_fields */
	int label;
	bool (*applies)(const struct gk_group *);
	void (*put)(struct gk_buf *, const struct gk_group *);
} infos[] = {
	{ POST_SIGN_INFO, GK_ACE_SIGN_INFO, gk_group_signs, gk_group_put_sign_info },
	{ POST_ECDH_INFO, GK_ACE_ECDH_INFO, gk_group_agrees, gk_group_put_ecdh_info },
	{ POST_DH_CREDS, GK_ACE_KDC_DH_CREDS, is_pairwise_only, gk_group_put_dh_creds },
};

static const struct gk_group *next_group(const struct gk_kdc *kdc, struct gk_span scope,
					 const struct info *info, size_t *at)
{
	struct gk_scope entry;

	while (gk_scope_next(scope, at, &entry)) {
		const struct gk_group *group = gk_group_find(kdc, entry.group);

		if (group && group->served && info->applies(group))
			return group;
	}
	return NULL;
}

/* @return how many pairs were appended: none if there is no such group, or no room. It MAY be left
 *         out, and a refused Join Request tells it too. */
static size_t put_info(struct gk_buf *buf, const struct gk_kdc *kdc, struct gk_span scope,
		       const struct info *info)
{
	const struct gk_buf before = *buf;
	const struct gk_group *group;
	size_t count = 0, at = 0;

	while (next_group(kdc, scope, info, &at))
		count++;
	gk_put_int(buf, info->label);
	gk_put_array(buf, count);
	for (at = 0; (group = next_group(kdc, scope, info, &at)) != NULL;)
		info->put(buf, group);
	if (count && !buf->overflow)
		return 1;
	*buf = before;
	return 0;
}

/* Of what was asked, the labels from 'first' up to 'last'. */
static size_t put_infos(struct gk_buf *buf, const struct gk_call *call, struct gk_span scope,
			const struct gk_cbor_item *post, int first, int last)
{
	size_t pairs = 0;

	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		if (post[infos[i].asked].kind && infos[i].label >= first && infos[i].label <= last)
			pairs += put_info(buf, call->kdc, scope, &infos[i]);
	}
	return pairs;
}

/* In ascending order of labels: the challenge is among those that tell of groups. @param n2
 * OSCORE's alone */
static void put_created(struct gk_buf *buf, const struct gk_call *call,
			const struct gk_client *client, struct gk_span n2,
			const struct gk_cbor_item *post, struct gk_buf *about)
{
	struct gk_span scope = gk_blob_span(&client->scope);
	size_t pairs = put_infos(about, call, scope, post, 0, GK_ACE_KDCCHALLENGE);
	size_t before = about->len;

	pairs += put_infos(about, call, scope, post, GK_ACE_KDCCHALLENGE, INT32_MAX);
	gk_put_map(buf, pairs + (client->session ? 1 : 3));
	if (!client->session) {
		gk_put_int(buf, GK_ACE_NONCE2);
		gk_put_bytes(buf, n2);
		gk_put_int(buf, GK_ACE_SERVER_RECIPIENTID);
		gk_put_bytes(buf, gk_id_span(&client->assoc.ctx.recipient_id));
	}
	gk_buf_add(buf, gk_span_sub(gk_buf_span(about), 0, before));
	gk_put_int(buf, GK_ACE_KDCCHALLENGE);
	gk_put_bytes(buf, gk_span(client->assoc.challenge, GK_NONCE_LEN));
	gk_buf_add(buf, gk_span_sub(gk_buf_span(about), before, about->len));
}

/* With many groups the answer goes out in blocks, which a candidate keeps; and a client for itself,
 * not for whoever sends a copy of its post: that is told what fits. */
static void answer_created(struct gk_call *call, struct gk_client *client, struct gk_span n2,
			   const struct gk_cbor_item *post)
{
	const struct gk_env *env = &call->kdc->env;
	bool in_blocks = client->candidate || call->client == client;
	size_t info_room = in_blocks ? INFO_ROOM : INFO_ROOM_WHOLE, room = FIXED_ROOM + info_room;
	uint8_t *bytes = gk_alloc(env, room), *info_bytes = gk_alloc(env, info_room);
	struct gk_buf buf = gk_buf(bytes, room), about = gk_buf(info_bytes, info_room);

	if (!bytes || !info_bytes || gk_answer_reserve(call, room)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
	} else {
		put_created(&buf, call, client, n2, post, &about);
		gk_answer_with(call, GK_COAP_CREATED, GK_CF_ACE, gk_buf_span(&buf));
		call->candidate = client->candidate ? client : NULL;
	}
	gk_free(env, bytes, room);
	gk_free(env, info_bytes, info_room);
}

static void take_first(struct gk_call *call, const struct gk_cwt *cwt,
		       const struct gk_cbor_item *post)
{
	struct gk_kdc *kdc = call->kdc;
	struct gk_client *client;
	uint8_t n2[GK_NONCE_LEN];
	enum gk_err err;

	if (!cwt->has_osc || !post[POST_NONCE1].kind || !post[POST_ID1].kind ||
	    post[POST_NONCE1].string.len > NONCE1_MAX ||
	    post[POST_ID1].string.len > GK_OSCORE_ID_MAX) {
		refuse(call, GK_COAP_BAD_REQUEST,
		       "token post without what the OSCORE profile needs");
		return;
	}
	if (gk_client_new(kdc, &client)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	client->candidate = true;
	err = fill_candidate(kdc, client, cwt, post, n2, call->now);
	if (err) {
		gk_client_free(kdc, client);
		refuse(call, err < GK_ERR_MALFORMED ? GK_COAP_UNAVAILABLE : GK_COAP_BAD_REQUEST,
		       "no association can be made from this token");
		return;
	}
	gk_client_add_candidate(kdc, client, &call->exchange->peer, call->now);
	answer_created(call, client, gk_span(n2, sizeof(n2)), post);
}

/* an update of access rights (O 4.1, 4.2): nonces and ids in it are ignored */

static bool changes_rights(const struct gk_client *client, const struct gk_cwt *cwt,
			   struct gk_now now)
{
	return client->exp.s != cwt->exp.s || client->exi_number != newest_exi(client, cwt) ||
	       client->iat.s != newest_iat(client, cwt, now).s || client->sleepy != cwt->sleepy ||
	       !gk_span_equal(gk_blob_span(&client->scope), cwt->scope);
}

/* A candidate costs nothing yet. */
static bool may_change(const struct gk_call *call, struct gk_client *client)
{
	return client->candidate ||
	       (call->kdc->storage != GK_STORAGE_NONE && gk_client_may_churn(client, call->now));
}

/* @return false: the refusal is in the reply */
static bool change_rights(struct gk_call *call, struct gk_client *client, const struct gk_cwt *cwt)
{
	if (!changes_rights(client, cwt, call->now))
		return true;
	if (!may_change(call, client)) {
		gk_answer_full(call);
		return false;
	}
	if (gk_blob_set(&call->kdc->env, &client->scope, cwt->scope)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return false;
	}
	client->exp = cwt->exp;
	client->exi_number = newest_exi(client, cwt);
	client->iat = newest_iat(client, cwt, call->now);
	client->sleepy = cwt->sleepy;
	if (client->candidate)
		return true;
	gk_sleep_judge_client(client, call->now);
	gk_client_arm_expiry(call->kdc, client, call->now);
	gk_record_client(call->kdc, client);
	gk_client_recheck(call->kdc, client, call->now);
	return true;
}

static void take_update(struct gk_call *call, const struct gk_cwt *cwt)
{
	struct gk_client *client = call->client;

	if (cwt->has_osc || cwt->has_key || !gk_span_equal(cwt->kid, gk_id_span(&client->id)))
		refuse(call, GK_COAP_UNAUTHORIZED, "update of rights for another association");
	else if (change_rights(call, client, cwt))
		gk_answer(call, GK_COAP_CREATED);
}

/* a token for DTLS: whoever posts it, the session proves its key (D 3.2, 3.3). */

static enum gk_err fill_session(struct gk_kdc *kdc, struct gk_client *client, struct gk_id id,
				const struct gk_session *session, const struct gk_cwt *cwt,
				struct gk_now now)
{
	enum gk_err err = set_claims(kdc, client, id, cwt, now);

	if (!err)
		err = gk_random(&kdc->env, client->assoc.challenge, GK_NONCE_LEN);
	client->assoc.challenge_len = GK_NONCE_LEN;
	client->assoc.synchronised = true;
	return err ? err : gk_session_set(kdc, client, session);
}

static void take_session(struct gk_call *call, struct gk_id id, const struct gk_session *session,
			 const struct gk_cwt *cwt, const struct gk_cbor_item *post)
{
	struct gk_kdc *kdc = call->kdc;
	struct gk_client *client = gk_session_find(kdc, gk_id_span(&session->id));

	/* Names are short: who looks for long enough finds another key with the same. */
	if (client && !gk_session_has_key(client, session)) {
		refuse(call, GK_COAP_UNAUTHORIZED, "token with a key whose name another has");
		return;
	}
	/* Its challenge stays, since anybody may send a copy of this post (R 3.3). */
	if (client) {
		if (change_rights(call, client, cwt))
			answer_created(call, client, (struct gk_span){ NULL, 0 }, post);
		return;
	}
	if (gk_client_new(kdc, &client)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	client->candidate = true;
	if (fill_session(kdc, client, id, session, cwt, call->now)) {
		gk_client_free(kdc, client);
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	gk_client_add_candidate(kdc, client, &call->exchange->peer, call->now);
	answer_created(call, client, (struct gk_span){ NULL, 0 }, post);
}

/* all of them */

/* The plain form has no place for nonce1, without which OSCORE cannot be. */
static bool read_post(struct gk_call *call, struct gk_cbor_item *post)
{
	int64_t format = gk_coap_find_uint(&call->msg, GK_OPT_CONTENT_FORMAT, -1);

	if (format == GK_CF_CWT && call->kdc->dtls) {
		memset(post, 0, POST_COUNT * sizeof(*post));
		post[POST_TOKEN] =
			(struct gk_cbor_item){ .kind = GK_CBOR_BYTES, .string = call->msg.payload };
		return true;
	}
	return format == GK_CF_ACE &&
	       gk_cbor_read_map(call->msg.payload, post_fields, POST_COUNT, post) == GK_OK;
}

/* Without an osc object it is for DTLS; or an update inside OSCORE, or meant to be one. */
static bool is_for_session(const struct gk_call *call, const struct gk_cwt *cwt,
			   const struct gk_cbor_item *post)
{
	bool in_oscore = call->client && !call->client->session;

	return call->kdc->dtls && !cwt->has_osc && !in_oscore &&
	       (cwt->has_key || !post[POST_NONCE1].kind);
}

static bool is_older(const struct gk_cwt *cwt, const struct gk_client *known)
{
	return known && ((cwt->iat.s && cwt->iat.s < known->iat.s) ||
			 (cwt->exi_s >= 0 && exi_number(cwt) < known->exi_number));
}

/* A token that its AS has made, and that is not good any more. @return why, or NULL */
static const char *void_because(const struct gk_kdc *kdc, struct gk_span id,
				const struct gk_session *session, const struct gk_cwt *cwt)
{
	if (gk_ledger_is_revoked(kdc, id))
		return "token of a client whose tokens are revoked";
	if (is_older(cwt, gk_client_find(kdc, id)) ||
	    is_older(cwt, gk_session_find(kdc, gk_id_span(&session->id))))
		return "token superseded by a newer one"; /* A 5.10.1 */
	if (cwt->exi_s >= 0 && exi_number(cwt) <= kdc->exi_ended)
		return "token with a lifetime of its own that has ended, or has no number";
	return NULL;
}

/* A lifetime begins when the token is first seen, and not anew with each post. */
static void begin_lifetime(const struct gk_kdc *kdc, struct gk_span id, struct gk_cwt *cwt,
			   struct gk_now now)
{
	const struct gk_client *client = gk_client_find(kdc, id);
	struct gk_utc end = { now.utc.s + cwt->exi_s };

	if (cwt->exi_s < 0)
		return;
	if (client && client->exi_number == exi_number(cwt))
		end = client->exp;
	if (end.s < cwt->exp.s)
		cwt->exp = end;
}

static void take(struct gk_call *call, struct gk_cwt *cwt, const struct gk_cbor_item *post)
{
	bool for_session = is_for_session(call, cwt, post);
	struct gk_span id = cwt->has_osc ? cwt->osc_id : cwt->kid;
	struct gk_session session = { .kid_len = 0 };
	const char *reason;
	struct gk_id name;

	if (for_session &&
	    gk_session_read(call->kdc, post[POST_TOKEN].string, cwt, &session, &name)) {
		refuse(call, GK_COAP_BAD_REQUEST, "token with a key that is none for DTLS");
		return;
	}
	if (for_session)
		id = gk_id_span(&name);
	reason = void_because(call->kdc, id, &session, cwt);
	begin_lifetime(call->kdc, id, cwt, call->now);
	if (reason)
		refuse(call, GK_COAP_UNAUTHORIZED, reason);
	else if (for_session)
		take_session(call, name, &session, cwt, post);
	else if (call->client && !call->client->session)
		take_update(call, cwt);
	else
		take_first(call, cwt, post);
	gk_wipe(&session, sizeof(session));
}

/* That of an address; of one that was not seen lately, that which is the fullest. */
static struct gk_source *source_of(struct gk_kdc *kdc, const struct gk_addr *from)
{
	struct gk_source *fullest = &kdc->sources[0];

	for (size_t i = 0; i < GK_SOURCES_MAX; i++) {
		struct gk_source *source = &kdc->sources[i];

		if (memcmp(source->ip, from->ip, sizeof(source->ip)) == 0)
			return source;
		if (source->posts_ms < fullest->posts_ms)
			fullest = source;
	}
	*fullest = (struct gk_source){ .posts_ms = 0 };
	memcpy(fullest->ip, from->ip, sizeof(fullest->ip));
	return fullest;
}

/* Addresses can be forged, so there is no limit for all of them together: it would shut out
 * everybody. */
static bool may_post(struct gk_call *call)
{
	return call->client ||
	       gk_account_take(&source_of(call->kdc, &call->exchange->peer)->posts_ms, POST_COST_MS,
			       POST_BURST_MS, call->now);
}

static void answer_too_many(struct gk_call *call)
{
	struct gk_coap_writer w;

	gk_buf_truncate(&call->reply, 0);
	w = gk_coap_begin(&call->reply, GK_COAP_TOO_MANY);
	gk_coap_put_uint(&w, GK_OPT_MAX_AGE, POST_COST_MS / 1000);
}

/* The verification of a signature is what can keep us busy (A 5.10.1.2). */
static bool takes_signature(const struct gk_call *call, struct gk_span token)
{
	return call->kdc->as_public_key.crv && !gk_cwt_is_encrypted(token);
}

static bool is_of_as(enum gk_cwt_fault fault)
{
	return fault != GK_CWT_UNPARSABLE && fault != GK_CWT_KEY;
}

/* What costs next to nothing is not counted: from far away, with a forged address, anybody could
 * keep a client of their choice from posting by a word a second. For other posts they need a token
 * of the AS. */
static void take_token(struct gk_call *call, const struct gk_cbor_item *post)
{
	uint8_t claims[CLAIMS_ROOM];
	struct gk_buf scratch = gk_buf(claims, sizeof(claims));
	struct gk_cwt_issuer issuer = issuer_of(call->kdc);
	struct gk_span token = post[POST_TOKEN].string;
	bool counted = takes_signature(call, token);
	enum gk_cwt_fault fault;
	struct gk_cwt cwt;

	if (counted && !may_post(call)) {
		answer_too_many(call);
		return;
	}
	fault = gk_cwt_read(&issuer, token, call->now.utc, &scratch, &cwt);
	if (!counted && is_of_as(fault) && !may_post(call))
		answer_too_many(call);
	else if (fault)
		refuse(call, gk_cwt_refusals[fault].code, gk_cwt_refusals[fault].reason);
	else
		take(call, &cwt, post);
	gk_wipe(claims, sizeof(claims));
}

void gk_authz_post(struct gk_call *call)
{
	struct gk_cbor_item post[POST_COUNT];

	if (read_post(call, post))
		take_token(call, post);
	else
		refuse(call, GK_COAP_BAD_REQUEST, "malformed token post");
}
