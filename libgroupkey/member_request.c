// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What a member asks of the KDC, and what the answers mean: a row of a table for each kind.
 */
#include "member_task.h"

#include <string.h>

#define TOKEN_REFUSED_SHIFT 6
#define ID1_LEN             2
#define MASTER_SALT_ROOM    128
#define SCOPE_ROOM          (GK_GROUP_NAME_MAX + 16)

/* POST /authz-info (RFC 9203 section 4.1) */

static enum gk_err build_token(struct gk_task_request *r)
{
	struct gk_buf *buf;
	struct gk_member *m = r->m;
	enum gk_err err = gk_random(&m->env, m->n1, sizeof(m->n1));

	m->id1.len = ID1_LEN;
	if (!err)
		err = gk_random(&m->env, m->id1.data, ID1_LEN);
	if (err)
		return err;
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE);
	buf = gk_coap_open_payload(&r->w);
	gk_put_map(buf, 5);
	gk_put_int(buf, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(buf, gk_blob_span(&m->token));
	gk_put_int(buf, GK_ACE_NONCE1);
	gk_put_bytes(buf, gk_span(m->n1, sizeof(m->n1)));
	gk_put_int(buf, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(buf, gk_id_span(&m->id1));
	gk_put_int(buf, GK_ACE_SIGN_INFO);
	gk_put_null(buf);
	gk_put_int(buf, GK_ACE_KDC_DH_CREDS); /* tells which groups are pairwise-only */
	gk_put_null(buf);
	return GK_OK;
}

enum { T_NONCE2, T_ID2, T_SIGN_INFO, T_DH_CREDS, T_CHALLENGE, T_COUNT };

static const struct gk_cbor_field token_fields[T_COUNT] = {
	[T_NONCE2] = { GK_ACE_NONCE2, GK_CBOR_BYTES, true },
	[T_ID2] = { GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
	[T_SIGN_INFO] = { GK_ACE_SIGN_INFO, GK_CBOR_ARRAY, false },
	[T_DH_CREDS] = { GK_ACE_KDC_DH_CREDS, GK_CBOR_ARRAY, false },
	[T_CHALLENGE] = { GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, false },
};

#define ENTRY_FIELDS 4

/** The fields of an entry behind the id. */
struct entry {
	struct gk_cbor_item field[ENTRY_FIELDS];
};

typedef void entry_taker(struct gk_membership *ms, const struct entry *entry);

/* A format that we have not is none of ours: no credential of ours is of it. */
static void take_format(struct gk_membership *ms, const struct gk_cbor_item *fmt)
{
	if (fmt->kind & GK_CBOR_INT)
		ms->cred_fmt = fmt->number > 0 && fmt->number <= INT16_MAX ? (int)fmt->number : 0;
}

/* sign_info_entry = [id, sign_alg, sign_parameters, sign_key_parameters, cred_fmt] (R 3.3) */
static void take_sign(struct gk_membership *ms, const struct entry *entry)
{
	if (!gk_sign_curve(entry->field[0].number))
		return;
	ms->sign_alg = (int)entry->field[0].number;
	ms->kdc_dh.crv = 0;
	take_format(ms, &entry->field[3]);
}

static bool read_dh(int64_t fmt, struct gk_span bytes, struct gk_public_key *key)
{
	struct gk_cred cred;

	if (gk_cred_read(fmt, bytes, &cred) || cred.key.crv == GK_CRV_ED25519 ||
	    (cred.alg && cred.alg != GK_ALG_ECDH_SS_HKDF_256))
		return false;
	*key = cred.key;
	return true;
}

/* kdc_dh_creds_entry = [id, cred_fmt, cred], of pairwise-only groups alone (P 5.3) */
static void take_dh(struct gk_membership *ms, const struct entry *entry)
{
	struct gk_public_key key;

	if (!(entry->field[0].kind & GK_CBOR_INT) || entry->field[1].kind != GK_CBOR_BYTES ||
	    !read_dh(entry->field[0].number, entry->field[1].string, &key) ||
	    gk_member_need_dh(ms->member, key.crv))
		return;
	ms->kdc_dh = key;
	take_format(ms, &entry->field[0]);
}

static void take_for(struct gk_member *m, struct gk_span group, const struct entry *entry,
		     entry_taker *take)
{
	for (size_t i = 0; i < m->group_count; i++) {
		if (gk_span_equal(gk_membership_name(m->groups[i]), group))
			take(m->groups[i], entry);
	}
}

/* The id is a name or an array of names. */
static void take_entry(struct gk_member *m, struct gk_span encoded, entry_taker *take)
{
	struct gk_cbor c = gk_cbor(encoded), names;
	struct gk_cbor_iter fields = gk_cbor_array(&c), it;
	struct entry entry = { .field = { { .kind = GK_CBOR_NONE } } };
	struct gk_cbor_item id;

	if (!gk_cbor_more(&c, &fields))
		return;
	id = gk_cbor_item(&c, GK_CBOR_TEXT | GK_CBOR_ARRAY);
	for (size_t i = 0; i < ENTRY_FIELDS && gk_cbor_more(&c, &fields); i++)
		entry.field[i] = gk_cbor_item(&c, GK_CBOR_ANY);
	if (c.err)
		return;
	if (id.kind == GK_CBOR_TEXT) {
		take_for(m, id.string, &entry, take);
		return;
	}
	names = gk_cbor(id.encoded);
	it = gk_cbor_array(&names);
	while (gk_cbor_more(&names, &it))
		take_for(m, gk_cbor_text(&names), &entry, take);
}

static void take_entries(struct gk_member *m, const struct gk_cbor_item *item, entry_taker *take)
{
	struct gk_cbor c = gk_cbor(item->encoded);
	struct gk_cbor_iter it;

	if (!item->kind)
		return;
	it = gk_cbor_array(&c);
	while (gk_cbor_more(&c, &it))
		take_entry(m, gk_cbor_item(&c, GK_CBOR_ARRAY).encoded, take);
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

static void done_token(struct gk_task_answer *a)
{
	struct gk_cbor_item item[T_COUNT];

	if (a->msg->code == GK_COAP_UNAVAILABLE || a->msg->code == GK_COAP_TOO_MANY) {
		gk_task_complain(a->m, NULL, "the KDC cannot take the token now");
		gk_task_pause(a->m, ++a->m->failures, a->now);
		return;
	}
	if (a->msg->code != GK_COAP_CREATED) {
		gk_task_complain(a->m, NULL, "the KDC refuses the token");
		gk_task_pause(a->m, TOKEN_REFUSED_SHIFT, a->now);
		return;
	}
	if (gk_cbor_read_map(a->msg->payload, token_fields, T_COUNT, item) ||
	    derive(a->m, item[T_NONCE2].string, item[T_ID2].string)) {
		gk_task_complain(a->m, NULL, "the KDC's answer to the token is malformed");
		gk_task_pause(a->m, TOKEN_REFUSED_SHIFT, a->now);
		return;
	}
	gk_watch_all(a->m); /* with the former association the observations in it ended */
	take_challenge(a->m, &item[T_CHALLENGE]);
	take_entries(a->m, &item[T_SIGN_INFO], take_sign);
	take_entries(a->m, &item[T_DH_CREDS], take_dh);
}

/* the Join Request (R 4.3.1, P 6.1) */

static void put_control_uri(struct gk_buf *buf, const struct gk_task_request *r)
{
	uint8_t bytes[192];
	struct gk_buf uri = gk_buf(bytes, sizeof(bytes));

	gk_buf_add(&uri, gk_blob_span(&r->m->control_base));
	gk_buf_byte(&uri, '/');
	gk_buf_add(&uri, gk_blob_span(&r->m->roots.groups));
	gk_buf_byte(&uri, '/');
	gk_buf_add(&uri, gk_membership_name(r->ms));
	gk_buf_byte(&uri, '/');
	gk_membership_put_segment(r->ms, &uri);
	gk_put_int(buf, GK_PARAM_CONTROL_URI);
	gk_put_text(buf, gk_buf_span(&uri));
}

/* A signature; a MAC in a pairwise-only group. */
static enum gk_err prove(const struct gk_membership *ms, const struct gk_key_pair *key,
			 struct gk_span input, uint8_t out[static GK_SIG_LEN], size_t *len)
{
	bool mac = ms->kdc_dh.crv != 0;

	if (!key)
		return GK_ERR_CREDENTIAL;
	*len = mac ? GK_POP_MAC_LEN : GK_SIG_LEN;
	return mac ? gk_pop_mac(key, &ms->kdc_dh, input, out) : gk_sign(key, input, out);
}

enum gk_err gk_task_put_evidence(struct gk_buf *buf, const struct gk_membership *ms,
				 const struct gk_key_pair *key, struct gk_span cred,
				 struct gk_span n_c)
{
	uint8_t scope_bytes[SCOPE_ROOM], bytes[256], proof[GK_SIG_LEN];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	size_t len;
	enum gk_err err;

	gk_scope_put(&scope, gk_membership_name(ms), ms->roles);
	gk_pop_put_client(&pop, gk_buf_span(&scope),
			  gk_span(ms->member->challenge, ms->member->challenge_len), n_c);
	err = gk_buf_err(&pop);
	if (!err)
		err = prove(ms, key, gk_buf_span(&pop), proof, &len);
	if (err)
		return err;
	gk_put_int(buf, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(buf, cred);
	gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(buf, gk_span(proof, len));
	return GK_OK;
}

static struct gk_span own_nonce(const struct gk_membership *ms)
{
	return gk_span(ms->n_c, sizeof(ms->n_c));
}

static void put_join_scope(struct gk_buf *buf, const struct gk_membership *ms)
{
	uint8_t bytes[SCOPE_ROOM];
	struct gk_buf scope = gk_buf(bytes, sizeof(bytes));

	gk_scope_put(&scope, gk_membership_name(ms), ms->roles);
	gk_put_int(buf, GK_PARAM_SCOPE);
	gk_put_bytes(buf, gk_buf_span(&scope));
}

/* What depends on how this member is reached. */
static void put_join_ways(struct gk_buf *buf, struct gk_task_request *r)
{
	if (!r->m->point_to_point) {
		gk_put_int(buf, GK_PARAM_REKEYING_SCHEME);
		gk_put_int(buf, GK_SCHEME_TREE);
	}
	if (r->m->sleepy) {
		gk_put_int(buf, GK_PARAM_SLEEPY);
		gk_put_bool(buf, true);
	}
	if (!r->m->observe)
		put_control_uri(buf, r);
}

static enum gk_err put_join(struct gk_task_request *r)
{
	struct gk_membership *ms = r->ms;
	struct gk_buf *buf = gk_coap_open_payload(&r->w);
	bool monitor = ms->roles == GK_ROLE_MONITOR;

	gk_put_map(buf, 3 + (monitor ? 0u : 2u) + (r->m->point_to_point ? 0u : 1u) +
				(r->m->observe ? 0u : 1u) + (r->m->sleepy ? 1u : 0u));
	put_join_scope(buf, ms);
	gk_put_int(buf, GK_PARAM_GET_CREDS);
	gk_put_null(buf);
	gk_put_int(buf, GK_PARAM_CNONCE);
	gk_put_bytes(buf, own_nonce(ms));
	put_join_ways(buf, r);
	if (monitor)
		return GK_OK;
	return gk_task_put_evidence(buf, ms, gk_membership_key(ms), gk_membership_cred(ms),
				    own_nonce(ms));
}

static enum gk_err build_join(struct gk_task_request *r)
{
	enum gk_err err;

	r->ms->asked_life = r->ms->life;
	if (r->ms->asks)
		return GK_OK;
	err = gk_random(&r->m->env, r->ms->n_c, sizeof(r->ms->n_c));
	if (err)
		return err;
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	return put_join(r);
}

/* The KDC shows that it has the key, for our nonce (R 4.3.1). */
static bool is_proven(const struct gk_membership *ms, const struct gk_cred_evidence *evidence,
		      struct gk_public_key *key)
{
	uint8_t bytes[128];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));

	struct gk_cred cred;

	gk_pop_put_kdc(&pop, own_nonce(ms), evidence->nonce);
	if (pop.overflow || gk_cred_read(evidence->fmt, evidence->cred, &cred) ||
	    gk_verify(&cred.key, gk_buf_span(&pop), evidence->verify))
		return false;
	*key = cred.key;
	return true;
}

/* The same in a pairwise-only group, by a MAC. */
static bool is_authenticated(const struct gk_membership *ms,
			     const struct gk_cred_evidence *evidence, struct gk_public_key *key)
{
	const struct gk_key_pair *own = gk_membership_key(ms);
	uint8_t bytes[128];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));

	gk_pop_put_kdc(&pop, own_nonce(ms), evidence->nonce);
	return own && !pop.overflow && read_dh(evidence->fmt, evidence->cred, key) &&
	       gk_pop_check_mac(own, key, gk_buf_span(&pop), evidence->verify) == GK_OK;
}

bool gk_task_is_proven(const struct gk_membership *ms, const struct gk_cred_evidence *evidence,
		       struct gk_public_key *key)
{
	return ms->kdc_dh.crv ? is_authenticated(ms, evidence, key) : is_proven(ms, evidence, key);
}

/* Of a group that uses both modes: the one way in which its members agree on keys (P 14). */
static bool can_agree(const struct gk_material *material)
{
	const struct gk_group_input *algorithms = &material->algorithms;

	return algorithms->ecdh_alg == GK_ALG_ECDH_SS_HKDF_256 && material->ecdh_crv &&
	       material->ecdh_crv == gk_dh_curve(algorithms->sign_alg);
}

/* Before anything of the answer is used (P 6.4). And the group is what we joined: material of
 * another mode would not go with our key. */
static bool kdc_is_genuine(const struct gk_membership *ms, const struct gk_material *material,
			   struct gk_public_key *key)
{
	const struct gk_group_input *algorithms = &material->algorithms;
	struct gk_cred_evidence evidence = { material->cred_fmt, material->kdc_cred,
					     material->kdc_nonce, material->kdc_verify };

	if (ms->kdc_dh.crv)
		return is_authenticated(ms, &evidence, key) && !algorithms->sign_alg &&
		       algorithms->ecdh_alg == GK_ALG_ECDH_SS_HKDF_256;
	return is_proven(ms, &evidence, key) && key->crv == gk_sign_curve(algorithms->sign_alg) &&
	       (!algorithms->alg || can_agree(material));
}

/* Messages to the group are signed with the key of the KDC's credential, or, where that is not for
 * signatures, of another one with evidence of its own (R 6.2.1). Without keys of the tree none of
 * them is of use. */
static bool find_signer(const struct gk_membership *ms, const struct gk_material *material,
			struct gk_public_key *signer)
{
	struct gk_mgt_material mgt;
	struct gk_keypath path;

	if (gk_mgt_material_read(material->mgt, &mgt) ||
	    gk_keypath_read(mgt.path, (uint32_t)material->num, mgt.slot, &path))
		return false;
	gk_wipe(&path, sizeof(path));
	if (!mgt.kdc_cred.len) /* a key for key agreement signs nothing */
		return !ms->kdc_dh.crv;
	return is_proven(ms,
			 &(struct gk_cred_evidence){ material->cred_fmt, mgt.kdc_cred,
						     mgt.kdc_nonce, mgt.kdc_verify },
			 signer);
}

/* What is wrong with the offer leaves us in the group, and served point-to-point. */
static void enter_tree(struct gk_membership *ms, const struct gk_material *material,
		       const struct gk_public_key *kdc_key)
{
	struct gk_public_key signer = *kdc_key;

	gk_membership_enter_tree(ms, NULL);
	if (ms->member->point_to_point || material->scheme != GK_SCHEME_TREE)
		return;
	if (material->has_control_group && find_signer(ms, material, &signer))
		gk_membership_enter_tree(ms, &signer);
	else
		gk_task_complain(ms->member, ms, "the KDC's rekeying scheme cannot be used");
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

/* Under one Gid a Sender ID may be used once: its sequence number would start again. That holds for
 * those of memberships that are over too, if the KDC goes back to what it had before them. */
static bool repeats_sid(const struct gk_membership *ms, const struct gk_material *material)
{
	return material->has_sid && gk_membership_has_used(ms, material->gid, material->sid);
}

/* The answer is older than what a rekeying message has brought since it was made: of it only the
 * Sender ID counts, which rekeyings leave alone. */
static const char *enter_older(struct gk_membership *ms, const struct gk_material *material)
{
	if (!ms->has_material || (material->has_sid && gk_membership_set_sid(ms, material->sid)))
		return "the Join Response is out of date";
	return NULL;
}

static const char *install(struct gk_task_answer *a, const struct gk_material *material)
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

static const char *enter(struct gk_task_answer *a)
{
	struct gk_membership *ms = a->ms;
	struct gk_material material;
	struct gk_public_key key;

	if (gk_material_read(a->msg->payload, &material) || !material.has_algorithms)
		return "the Join Response is malformed";
	if (!kdc_is_genuine(ms, &material, &key))
		return "the KDC's evidence is wrong";
	if (!take_node_name(ms, a->msg) ||
	    gk_blob_set(&a->m->env, &ms->kdc_cred, material.kdc_cred))
		return "the Join Response names no node";
	ms->cred_fmt = (int)material.cred_fmt;
	if (repeats_sid(ms, &material))
		return "the KDC gives us a Sender ID whose numbers are used";
	if (ms->in && material.num < ms->num)
		return enter_older(ms, &material);
	enter_tree(ms, &material, &key);
	return install(a, &material);
}

static void joined(struct gk_task_answer *a)
{
	const char *wrong = enter(a);

	if (wrong) {
		gk_task_complain(a->m, a->ms, wrong);
		gk_task_join_later(a->ms, a->now);
		return;
	}
	a->ms->in = true;
	gk_membership_set_active(a->ms, true, a->now); /* or it would have refused */
	a->ms->refusals = 0;
	a->ms->wants &= 1u << GK_TASK_LEAVE;
	a->ms->due_ms[GK_DUE_REJOIN] = GK_NEVER;
	if (a->ms->asked_life !=
	    a->ms->life) /* put out meanwhile: the KDC has an old control_uri */
		gk_task_want(a->ms, GK_TASK_JOIN);
	gk_watch_begin(a->ms);
	gk_member_note(a->ms, GK_NOTE_JOINED, GK_VIA_JOIN, NULL);
}

enum { R_SIGN_INFO, R_CHALLENGE, R_DH_CREDS, R_COUNT };

static const struct gk_cbor_field refusal_fields[R_COUNT] = {
	[R_SIGN_INFO] = { GK_PARAM_SIGN_INFO, GK_CBOR_ARRAY, false },
	[R_CHALLENGE] = { GK_PARAM_KDCCHALLENGE, GK_CBOR_BYTES, false },
	[R_DH_CREDS] = { GK_PARAM_KDC_DH_CREDS, GK_CBOR_ARRAY, false },
};

bool gk_task_take_challenge(struct gk_task_answer *a)
{
	struct gk_cbor_item item[R_COUNT];

	if (a->msg->code != GK_COAP_BAD_REQUEST ||
	    gk_coap_find_uint(a->msg, GK_OPT_CONTENT_FORMAT, -1) != GK_CF_ACE_GROUPCOMM ||
	    gk_cbor_read_map(a->msg->payload, refusal_fields, R_COUNT, item))
		return false;
	take_challenge(a->m, &item[R_CHALLENGE]);
	return item[R_CHALLENGE].kind != GK_CBOR_NONE;
}

/* A 4.00 may tell how to do better: the group's algorithm, a new challenge (P 6.2.1). One that says
 * no more than that credential or evidence does not fit makes us ask, by an empty Join Request. */
static void take_advice(struct gk_task_answer *a)
{
	int64_t format = gk_coap_find_uint(a->msg, GK_OPT_CONTENT_FORMAT, -1);
	struct gk_cbor_item item[R_COUNT];

	a->ms->asks = format == GK_CF_PROBLEM_DETAILS;
	if (format != GK_CF_ACE_GROUPCOMM ||
	    gk_cbor_read_map(a->msg->payload, refusal_fields, R_COUNT, item))
		return;
	take_entries(a->m, &item[R_SIGN_INFO], take_sign);
	take_entries(a->m, &item[R_DH_CREDS], take_dh);
	take_challenge(a->m, &item[R_CHALLENGE]);
}

/* To ask is not to be refused: a 4.00 is what answers an empty Join Request. */
static void done_join(struct gk_task_answer *a)
{
	bool asked = a->ms->asks && a->msg->code == GK_COAP_BAD_REQUEST;

	if (a->msg->code == GK_COAP_CREATED || a->msg->code == GK_COAP_CHANGED) {
		joined(a);
		return;
	}
	a->ms->asks = false;
	if (a->msg->code == GK_COAP_BAD_REQUEST)
		take_advice(a);
	if (!asked)
		gk_task_complain(a->m, a->ms, "the KDC refuses the join");
	gk_task_join_later(a->ms, a->now);
}

/* leaving */

static void done_leave(struct gk_task_answer *a)
{
	if (a->msg->code == GK_COAP_DELETED)
		gk_membership_left(a->ms);
	else
		gk_task_complain(a->m, a->ms, "the KDC refuses to let us leave");
}

/* catching up (P 11.3) */

static enum gk_err build_stale(struct gk_task_request *r)
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
static void done_stale(struct gk_task_answer *a)
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
}

/* Another Sender ID than ours: the answer that gave it to us was lost. */
static bool sid_differs(const struct gk_membership *ms, const struct gk_material *material)
{
	return ms->has_sid && material->has_sid &&
	       !gk_span_equal(gk_id_span(&ms->sid), material->sid);
}

/* Newer material is on its way, or will be asked for. */
static bool awaits_newer(const struct gk_membership *ms)
{
	return ms->held.data || ms->wants & 1u << GK_TASK_MATERIAL ||
	       ms->due_ms[GK_DUE_RECOVER] != GK_NEVER;
}

/* Without newer material, and with ours at its end, only a new Sender ID is safe: our sequence
 * number for the old one is given up, and may not start again. */
void gk_membership_answered(struct gk_membership *ms, const struct gk_material *material,
			    struct gk_span payload)
{
	if (material->num > ms->num)
		gk_membership_hold(ms, payload, material->num);
	else if ((!ms->has_material && !awaits_newer(ms)) || sid_differs(ms, material))
		gk_membership_lose_sid(ms);
}

static void done_material(struct gk_task_answer *a)
{
	struct gk_material material;

	if (a->msg->code != GK_COAP_CONTENT || gk_material_read(a->msg->payload, &material)) {
		gk_task_complain(a->m, a->ms, "the KDC gives no material");
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		gk_task_pause(a->m, ++a->m->failures, a->now);
		return;
	}
	gk_membership_answered(a->ms, &material, a->msg->payload);
}

/* {get_creds: [these and nobody else, or all others; [], ids]} (R 4.4.1). The ids follow. */
static struct gk_buf *open_filter(struct gk_task_request *r, bool these, size_t count)
{
	struct gk_buf *buf;

	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	buf = gk_coap_open_payload(&r->w);
	gk_put_map(buf, 1);
	gk_put_int(buf, GK_PARAM_GET_CREDS);
	gk_put_array(buf, 3);
	gk_put_bool(buf, these);
	gk_put_array(buf, 0);
	gk_put_array(buf, count);
	return buf;
}

static enum gk_err build_senders(struct gk_task_request *r)
{
	const struct gk_membership *ms = r->ms;
	size_t count = ms->unknown_count < GK_UNKNOWN_MAX ? ms->unknown_count : GK_UNKNOWN_MAX;
	struct gk_buf *buf = open_filter(r, true, count);

	for (size_t i = 0; i < count; i++)
		gk_put_bytes(buf, gk_id_span(&ms->unknown[i]));
	return GK_OK;
}

static enum gk_err build_newcomers(struct gk_task_request *r)
{
	const struct gk_membership *ms = r->ms;
	struct gk_buf *buf = open_filter(r, false, ms->peer_count + ms->has_sid);

	if (ms->has_sid)
		gk_put_bytes(buf, gk_id_span(&ms->sid));
	for (size_t i = 0; i < ms->peer_count; i++)
		gk_put_bytes(buf, gk_id_span(&ms->peers[i].id));
	return GK_OK;
}

enum { C_NUM, C_CREDS, C_ROLES, C_IDS, C_COUNT };

static const struct gk_cbor_field creds_fields[C_COUNT] = {
	[C_NUM] = { GK_PARAM_NUM, GK_CBOR_UINT, true },
	[C_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
	[C_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
	[C_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
};

/* Credentials of a newer version than ours belong to it: fetch that first (P 11.3, case c). */
static void done_creds(struct gk_task_answer *a)
{
	struct gk_cbor_item item[C_COUNT];
	bool all = a->m->out.task == GK_TASK_CREDS;

	a->ms->unknown_count = 0;
	if (!all && a->msg->code != GK_COAP_CONTENT)
		gk_task_want(a->ms, GK_TASK_CREDS); /* it may not be able to choose */
	if (a->msg->code != GK_COAP_CONTENT ||
	    gk_cbor_read_map(a->msg->payload, creds_fields, C_COUNT, item))
		return; /* nobody has a credential: the zero-length byte string */
	if (item[C_NUM].number > a->ms->num) {
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		gk_task_want(a->ms, GK_TASK_CREDS);
		return;
	}
	if (item[C_NUM].number < a->ms->num) {
		gk_task_want(a->ms, GK_TASK_CREDS);
		if (item[C_NUM].number >= a->m->out.num)
			return; /* a rekeying message overtook the answer */
		gk_task_complain(a->m, a->ms, "the KDC is behind the version that it gave us");
		gk_task_pause(a->m, ++a->m->failures, a->now);
		return;
	}
	if (gk_membership_set_peers(a->ms, item[C_CREDS].encoded, item[C_ROLES].encoded,
				    item[C_IDS].encoded, all, a->now))
		gk_task_complain(a->m, a->ms, "credentials of others cannot be used");
}

static void put_decimal(struct gk_buf *buf, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	gk_buf_add(buf, gk_span(digits + at, sizeof(digits) - at));
}

/* With our version, which tells the KDC that its message to the group has arrived. */
static enum gk_err build_check(struct gk_task_request *r)
{
	uint8_t bytes[32];
	struct gk_buf query = gk_buf(bytes, sizeof(bytes));

	r->m->out.checks = r->ms->checks;
	if (!gk_membership_shows_num(r->ms))
		return GK_OK;
	gk_buf_add(&query, gk_span_str("num="));
	put_decimal(&query, r->ms->num);
	gk_coap_put(&r->w, GK_OPT_URI_QUERY, gk_buf_span(&query));
	return GK_OK;
}

/* For the application. What was asked before it wanted to know is not what it waits for: the answer
 * may be as old. */
static void report_check(struct gk_task_answer *a, bool told, int64_t num)
{
	if (!a->m->out.checks)
		return;
	a->ms->checks = false;
	if (told)
		gk_queue_note(&a->m->queue, &(struct gk_note){ .kind = GK_NOTE_CHECKED,
							       .group = gk_membership_name(a->ms),
							       .num = num });
	else
		gk_task_complain(a->m, a->ms, "the KDC does not tell its newest version");
}

static void done_check(struct gk_task_answer *a)
{
	struct gk_cbor c = gk_cbor(a->msg->payload);
	int64_t num = gk_cbor_int(&c);
	bool told = a->msg->code == GK_COAP_CONTENT && !gk_cbor_end(&c);

	report_check(a, told, num);
	if (told && (num > a->ms->num || !a->ms->has_material))
		gk_task_want(a->ms, GK_TASK_MATERIAL);
}

/* Key Renewal */

static const struct gk_cbor_field renew_fields[] = {
	{ GK_PARAM_GROUP_SENDER_ID, GK_CBOR_BYTES, true },
};

/* 2.04, or 2.05 of older KDCs. */
static void done_renew(struct gk_task_answer *a)
{
	struct gk_cbor_item item;

	if ((a->msg->code != GK_COAP_CHANGED && a->msg->code != GK_COAP_CONTENT) ||
	    gk_cbor_read_map(a->msg->payload, renew_fields, 1, &item) ||
	    gk_membership_renew_sid(a->ms, item.string))
		gk_task_complain(a->m, a->ms, "the KDC gives no new Sender ID");
}

/* the table */

const struct gk_task_row gk_task_rows[GK_TASK_COUNT] = {
	[GK_TASK_TOKEN] = { GK_COAP_POST, NULL, build_token, done_token },
	[GK_TASK_LEAVE] = { GK_COAP_DELETE, "*", NULL, done_leave },
	[GK_TASK_JOIN] = { GK_COAP_POST, "", build_join, done_join },
	[GK_TASK_STALE] = { GK_COAP_FETCH, "stale-sids", build_stale, done_stale },
	[GK_TASK_MATERIAL] = { GK_COAP_GET, "*", NULL, done_material },
	[GK_TASK_OBSERVE] = { GK_COAP_GET, "", NULL, gk_watch_done },
	[GK_TASK_OBSERVE_NODE] = { GK_COAP_GET, "*", gk_watch_build_node, gk_watch_done },
	[GK_TASK_RENEW] = { GK_COAP_POST, "*", NULL, done_renew },
	[GK_TASK_SENDERS] = { GK_COAP_FETCH, "creds", build_senders, done_creds },
	[GK_TASK_NEWCOMERS] = { GK_COAP_FETCH, "creds", build_newcomers, done_creds },
	[GK_TASK_CREDS] = { GK_COAP_GET, "creds", NULL, done_creds },
	[GK_TASK_WHICH] = { GK_COAP_FETCH, "/", gk_which_build, gk_which_done },
	[GK_TASK_CHECK] = { GK_COAP_GET, "num", build_check, done_check },
	[GK_TASK_ACTIVE] = { GK_COAP_GET, "active", NULL, gk_active_done },
	[GK_TASK_KDC_CRED] = { GK_COAP_GET, "kdc-cred", NULL, gk_kdc_cred_done },
	[GK_TASK_CRED] = { GK_COAP_POST, "**cred", gk_cred_build, gk_cred_done },
};
