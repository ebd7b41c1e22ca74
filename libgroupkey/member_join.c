// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The Join Request (R 4.3.1, P 6.1), and what becomes of it: nothing of the answer is used before
 * the KDC's evidence in it.
 */
#include "member_task.h"

#include <string.h>

#define SCOPE_ROOM (GK_GROUP_NAME_MAX + 16)

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

enum gk_err gk_join_build(struct gk_task_request *r)
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
	return own && !pop.overflow && gk_token_read_dh(evidence->fmt, evidence->cred, key) &&
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
	gk_token_take_challenge(a->m, &item[R_CHALLENGE]);
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
	gk_token_take_groups(a->m, &item[R_SIGN_INFO], &item[R_DH_CREDS]);
	gk_token_take_challenge(a->m, &item[R_CHALLENGE]);
}

/* To ask is not to be refused: a 4.00 is what answers an empty Join Request. */
void gk_join_done(struct gk_task_answer *a)
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
