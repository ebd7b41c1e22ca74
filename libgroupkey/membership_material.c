// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Material of a group, as it comes in Join Responses, answers and rekeying messages: reading it,
 * holding it back, taking it into use.
 */
#include "member.h"

#define LIFETIME_MIN_S 10 /* of new material: a KDC with a broken clock gets no storm */

/* reading material */

enum {
	M_GKTY,
	M_KEY,
	M_NUM,
	M_PROFILE,
	M_EXI,
	M_CREDS,
	M_ROLES,
	M_IDS,
	M_POLICIES,
	M_KDC_CRED,
	M_KDC_NONCE,
	M_KDC_VERIFY,
	M_STALE,
	M_SCHEME,
	M_MGT,
	M_CONTROL_GROUP,
	M_COUNT,
};

static const struct gk_cbor_field material_fields[M_COUNT] = {
	[M_GKTY] = { GK_PARAM_GKTY, GK_CBOR_UINT, true },
	[M_KEY] = { GK_PARAM_KEY, GK_CBOR_MAP, true },
	[M_NUM] = { GK_PARAM_NUM, GK_CBOR_UINT, true },
	[M_PROFILE] = { GK_PARAM_PROFILE, GK_CBOR_UINT, false },
	[M_EXI] = { GK_PARAM_EXI, GK_CBOR_UINT, false },
	[M_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, false },
	[M_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, false },
	[M_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, false },
	[M_POLICIES] = { GK_PARAM_GROUP_POLICIES, GK_CBOR_MAP, false },
	[M_KDC_CRED] = { GK_PARAM_KDC_CRED, GK_CBOR_BYTES, false },
	[M_KDC_NONCE] = { GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, false },
	[M_KDC_VERIFY] = { GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, false },
	[M_STALE] = { GK_PARAM_STALE_NODE_IDS, GK_CBOR_ARRAY, false },
	/* a scheme that we cannot read is one that we cannot take part in, and no more */
	[M_SCHEME] = { GK_PARAM_REKEYING_SCHEME, GK_CBOR_ANY, false },
	[M_MGT] = { GK_PARAM_MGT_KEY_MATERIAL, GK_CBOR_ANY, false },
	[M_CONTROL_GROUP] = { GK_PARAM_CONTROL_GROUP_URI, GK_CBOR_ANY, false },
};

enum {
	K_MS,
	K_HKDF,
	K_ALG,
	K_SALT,
	K_GID,
	K_SID,
	K_CRED_FMT,
	K_GP_ENC,
	K_SIGN,
	K_ECDH,
	K_ECDH_PARAMS,
	K_COUNT,
};

static const struct gk_cbor_field key_fields[K_COUNT] = {
	[K_MS] = { GK_OSC_MS, GK_CBOR_BYTES, true },
	[K_HKDF] = { GK_OSC_HKDF, GK_CBOR_INT, false },
	[K_ALG] = { GK_OSC_ALG, GK_CBOR_INT, false },
	[K_SALT] = { GK_OSC_SALT, GK_CBOR_BYTES, false },
	[K_GID] = { GK_OSC_CONTEXT_ID, GK_CBOR_BYTES, true },
	[K_SID] = { GK_OSC_GROUP_SENDER_ID, GK_CBOR_BYTES, false },
	[K_CRED_FMT] = { GK_OSC_CRED_FMT, GK_CBOR_INT, false },
	[K_GP_ENC] = { GK_OSC_GP_ENC_ALG, GK_CBOR_INT, false },
	[K_SIGN] = { GK_OSC_SIGN_ALG, GK_CBOR_INT, false },
	[K_ECDH] = { GK_OSC_ECDH_ALG, GK_CBOR_INT, false },
	[K_ECDH_PARAMS] = { GK_OSC_ECDH_PARAMS, GK_CBOR_ARRAY, false },
};

/* [capabilities of the algorithm, [kty, crv]] */
static int64_t read_curve(const struct gk_cbor_item *params)
{
	struct gk_cbor c = gk_cbor(params->encoded);
	int64_t crv;

	if (!params->kind)
		return 0;
	gk_cbor_array_of(&c, 2);
	(void)gk_cbor_item(&c, GK_CBOR_ARRAY);
	gk_cbor_array_of(&c, 2);
	(void)gk_cbor_int(&c);
	crv = gk_cbor_int(&c);
	return gk_cbor_end(&c) ? 0 : crv;
}

/* Absent algorithms are unset; hkdf has a default (P 6.4). */
static void take_algorithms(const struct gk_cbor_item *key, struct gk_material *material)
{
	material->has_algorithms = key[K_CRED_FMT].kind != GK_CBOR_NONE;
	material->cred_fmt = key[K_CRED_FMT].number;
	material->algorithms = (struct gk_group_input){
		.cred_fmt = (int)key[K_CRED_FMT].number,
		.gp_enc_alg = key[K_GP_ENC].number,
		.alg = key[K_ALG].number,
		.sign_alg = key[K_SIGN].number,
		.ecdh_alg = key[K_ECDH].number,
		.hkdf = key[K_HKDF].kind ? key[K_HKDF].number : GK_ALG_HMAC_256,
	};
	material->ecdh_crv = read_curve(&key[K_ECDH_PARAMS]);
}

static struct gk_span string_of(const struct gk_cbor_item *item, enum gk_cbor_kind kind)
{
	return item->kind == kind ? item->string : gk_span(NULL, 0);
}

static void take_scheme(const struct gk_cbor_item *item, struct gk_material *material)
{
	material->scheme = item[M_SCHEME].number;
	material->has_mgt = item[M_MGT].kind != GK_CBOR_NONE;
	material->mgt = string_of(&item[M_MGT], GK_CBOR_BYTES);
	material->has_control_group = item[M_CONTROL_GROUP].kind != GK_CBOR_NONE;
	material->control_group = string_of(&item[M_CONTROL_GROUP], GK_CBOR_TEXT);
}

static struct gk_material gather(const struct gk_cbor_item *item, const struct gk_cbor_item *key)
{
	struct gk_material material = {
		.num = item[M_NUM].number,
		.exi_s = item[M_EXI].kind ? item[M_EXI].number : -1,
		.master_secret = key[K_MS].string,
		.salt = key[K_SALT].string,
		.gid = key[K_GID].string,
		.has_sid = key[K_SID].kind != GK_CBOR_NONE,
		.sid = key[K_SID].string,
		.creds = item[M_CREDS].encoded,
		.roles = item[M_ROLES].encoded,
		.ids = item[M_IDS].encoded,
		.stale = item[M_STALE].encoded,
		.policies = item[M_POLICIES].encoded,
		.kdc_cred = item[M_KDC_CRED].string,
		.kdc_nonce = item[M_KDC_NONCE].string,
		.kdc_verify = item[M_KDC_VERIFY].string,
	};

	take_algorithms(key, &material);
	take_scheme(item, &material);
	return material;
}

enum gk_err gk_material_read(struct gk_span payload, struct gk_material *material)
{
	struct gk_cbor_item item[M_COUNT], key[K_COUNT];
	enum gk_err err = gk_cbor_read_map(payload, material_fields, M_COUNT, item);

	if (err)
		return err;
	if (item[M_GKTY].number != GK_GKTY_GROUP_OSCORE ||
	    (item[M_PROFILE].kind && item[M_PROFILE].number != GK_PROFILE_GROUP_OSCORE) ||
	    item[M_NUM].number > UINT32_MAX)
		return GK_ERR_UNSUPPORTED;
	err = gk_cbor_read_map(item[M_KEY].encoded, key_fields, K_COUNT, key);
	if (err)
		return err;
	if (key[K_CRED_FMT].kind && gk_cred_slot(key[K_CRED_FMT].number) == GK_CRED_FORMATS)
		return GK_ERR_UNSUPPORTED;
	*material = gather(item, key);
	return GK_OK;
}

/* installing */

static void take_policies(struct gk_membership *ms, struct gk_span policies)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_POLICY_KEY_CHECK_INTERVAL, GK_CBOR_UINT, false },
	};
	struct gk_cbor_item item;

	if (policies.len && !gk_cbor_read_map(policies, fields, 1, &item) && item.kind &&
	    item.number > 0 && item.number <= INT32_MAX)
		ms->check_interval_s = (uint32_t)item.number;
}

static void arm(struct gk_membership *ms, const struct gk_material *material, struct gk_now now)
{
	int64_t check_ms = 1000 * (int64_t)ms->check_interval_s;
	int64_t left_s = material->exi_s > LIFETIME_MIN_S ? material->exi_s : LIFETIME_MIN_S;

	ms->due_ms[GK_DUE_CHECK] = now.mono.ms + check_ms;
	ms->due_ms[GK_DUE_PULL] = GK_NEVER;
	ms->due_ms[GK_DUE_EXPIRY] = GK_NEVER;
	if (material->exi_s >= 0 && material->exi_s <= UINT32_MAX)
		ms->due_ms[GK_DUE_EXPIRY] = now.mono.ms + 1000 * left_s;
	ms->pull_pause_ms = GK_PULL_PAUSE_MS;
	// The question that is answered by this will not be asked: no other waits for it.
	if (ms->next_pull_ms > now.mono.ms + GK_PULL_PAUSE_MS)
		ms->next_pull_ms = now.mono.ms + GK_PULL_PAUSE_MS;
}

bool gk_membership_has_used(const struct gk_membership *ms, struct gk_span gid, struct gk_span sid)
{
	for (size_t i = 0; i < GK_USED_MAX && i < ms->used_count; i++) {
		if (gk_span_equal(gk_id_span(&ms->used[i].gid), gid) &&
		    gk_span_equal(gk_id_span(&ms->used[i].sid), sid))
			return true;
	}
	return false;
}

/* The oldest one is forgotten, but none of the present Gid. */
static enum gk_err begin_use(struct gk_membership *ms, const struct gk_id *sid)
{
	struct gk_used *used = &ms->used[ms->used_count % GK_USED_MAX];

	if (gk_membership_has_used(ms, gk_id_span(&ms->common.gid), gk_id_span(sid)))
		return GK_ERR_REPLAY;
	if (ms->used_count >= GK_USED_MAX && gk_id_equal(&used->gid, &ms->common.gid))
		return GK_ERR_NO_SPACE;
	*used = (struct gk_used){ .gid = ms->common.gid, .sid = *sid };
	ms->used_count++;
	return GK_OK;
}

enum gk_err gk_membership_set_sid(struct gk_membership *ms, struct gk_span sid)
{
	const struct gk_key_pair *key = gk_membership_key(ms);
	struct gk_group_sender sender;
	enum gk_err err =
		key ? gk_group_sender_init(&ms->common, sid, key, gk_membership_cred(ms), &sender)
		    : GK_ERR_CREDENTIAL;

	if (!err)
		err = begin_use(ms, &sender.id);
	if (err)
		return err;
	gk_membership_unpair(ms);
	ms->sender = sender;
	ms->sid = sender.id;
	ms->has_sid = true;
	gk_wipe(&sender, sizeof(sender));
	return GK_OK;
}

/* After a re-join without rekeying: same keys of the peers, so their windows stay too. */
static bool is_present(const struct gk_membership *ms, const struct gk_material *material)
{
	struct gk_span secret = gk_span(ms->common.master_secret, ms->common.master_secret_len);

	return secret.len && gk_span_equal(gk_id_span(&ms->common.gid), material->gid) &&
	       secret.len == material->master_secret.len &&
	       gk_equal(secret.data, material->master_secret.data, secret.len);
}

enum gk_err gk_membership_renew_sid(struct gk_membership *ms, struct gk_span sid)
{
	if (sid.len == 0 || gk_membership_is_own(ms, sid))
		return GK_ERR_RANGE;
	return ms->has_material ? gk_membership_set_sid(ms, sid) : gk_id_set(&ms->sid, sid);
}

static enum gk_err derive(struct gk_membership *ms, const struct gk_material *material)
{
	struct gk_group_input input =
		material->has_algorithms ? material->algorithms : ms->algorithms;
	struct gk_id sid = ms->sid;
	struct gk_span own = material->has_sid ? material->sid : gk_id_span(&sid);
	bool has_sid = ms->has_sid || material->has_sid;
	bool same = is_present(ms, material);
	enum gk_err err;

	ms->algorithms = input;
	input.master_secret = material->master_secret;
	input.master_salt = material->salt;
	input.gid = material->gid;
	input.gm_cred = gk_blob_span(&ms->kdc_cred);
	input.sign_protected = ms->member->sign_protected;
	if (input.sign_alg) /* a pairwise-only group tells of none */
		ms->sign_alg = (int)input.sign_alg;
	gk_group_common_wipe(&ms->common);
	err = gk_group_common_init(&ms->common, &input);
	if (!err && has_sid)
		err = gk_membership_set_sid(ms, own);
	for (size_t i = 0; i < ms->peer_count && !same; i++)
		ms->peers[i].ready = false;
	return err;
}

enum gk_err gk_membership_install(struct gk_membership *ms, const struct gk_material *material,
				  struct gk_now now)
{
	enum gk_err err;

	if (material->num <= ms->num) /* its keys were used: not a second time from 0 */
		return GK_ERR_REPLAY;
	err = derive(ms, material);
	if (!err && material->creds.len)
		err = gk_membership_set_peers(ms, material->creds, material->roles, material->ids,
					      false, now);
	if (err) {
		gk_membership_drop_material(ms);
		return err;
	}
	ms->num = material->num;
	ms->has_material = true;
	gk_membership_take_path(ms, material);
	take_policies(ms, material->policies);
	arm(ms, material, now);
	if (material->creds.len && ms->inactive)
		gk_membership_set_active(ms, true, now); /* nobody joins while it is not */
	return GK_OK;
}

/* Version of the material that is held back, or -1. */
static int64_t held_num(const struct gk_membership *ms)
{
	struct gk_material held;

	return ms->held.data && !gk_material_read(gk_blob_span(&ms->held), &held) ? held.num : -1;
}

int64_t gk_membership_newest(const struct gk_membership *ms)
{
	int64_t held = held_num(ms);

	return held > ms->num ? held : ms->num;
}

/* The KDC took our Sender ID for given up: we missed that it gave us another one. */
bool gk_membership_lists_own(const struct gk_membership *ms, struct gk_span ids)
{
	return ms->has_sid && gk_membership_is_listed(ids, gk_id_span(&ms->sid));
}

void gk_membership_lose_sid(struct gk_membership *ms)
{
	gk_membership_drop_material(ms);
	gk_membership_leave_tree(ms);
	ms->has_sid = false;
	gk_blob_wipe(&ms->member->env, &ms->held);
	gk_task_want(ms, GK_TASK_JOIN);
}

void gk_membership_hold(struct gk_membership *ms, struct gk_span payload, int64_t num)
{
	ms->recovering = true;
	if (num > held_num(ms) && gk_blob_set(&ms->member->env, &ms->held, payload))
		gk_task_want(ms, GK_TASK_MATERIAL);
	gk_membership_drop_material(ms);
	gk_task_want(ms, GK_TASK_STALE);
}

/* What was missed may have told of newcomers: whom they greet first should know them. In a large
 * group they are asked for when they are heard. */
static void ask_for_newcomers(struct gk_membership *ms)
{
	if (!ms->peer_count)
		gk_task_want(ms, GK_TASK_CREDS);
	else if (ms->peer_count <= GK_KNOWN_MAX)
		gk_task_want(ms, GK_TASK_NEWCOMERS);
}

void gk_membership_install_held(struct gk_membership *ms, enum gk_via via, struct gk_now now)
{
	struct gk_material material;
	enum gk_err err = gk_material_read(gk_blob_span(&ms->held), &material);

	if (!err)
		err = gk_membership_install(ms, &material, now);
	gk_blob_wipe(&ms->member->env, &ms->held);
	if (err) {
		gk_member_note(ms, GK_NOTE_ERROR, via, gk_strerror(err));
		if (err == GK_ERR_REPLAY) /* with that Sender ID it is no good */
			gk_membership_lose_sid(ms);
		else
			gk_task_want(ms, GK_TASK_MATERIAL);
		return;
	}
	gk_member_note(ms, ms->recovering ? GK_NOTE_RECOVERED : GK_NOTE_REKEYED, via, NULL);
	if (ms->recovering)
		ask_for_newcomers(ms);
	ms->recovering = false;
}

static bool awaits_sid(const struct gk_membership *ms)
{
	return ms->roles != GK_ROLE_MONITOR && !ms->has_sid;
}

/* The version after ours. */
static uint8_t take_next(struct gk_membership *ms, const struct gk_material *material,
			 struct gk_span payload, enum gk_via via, struct gk_now now)
{
	if (gk_membership_lists_own(ms, material->stale)) {
		gk_membership_lose_sid(ms);
		return GK_COAP_CHANGED;
	}
	gk_membership_remove_peers(ms, material->stale);
	if (gk_blob_set(&ms->member->env, &ms->held, payload))
		return GK_COAP_UNAVAILABLE;
	gk_membership_install_held(ms, via, now);
	return ms->has_material ? GK_COAP_CHANGED : GK_COAP_UNAVAILABLE;
}

/* V' = V + 1: install. Further ahead: some were missed, and the material of V ends at once
 * (P 11.3). */
uint8_t gk_membership_take(struct gk_membership *ms, const struct gk_material *material,
			   struct gk_span payload, enum gk_via via, struct gk_now now)
{
	if (material->num == ms->num + 1)
		return take_next(ms, material, payload, via, now);
	gk_membership_hold(ms, payload, material->num);
	if (via == GK_VIA_MULTICAST) {
		ms->wants &= ~(1u << GK_TASK_STALE);
		ms->due_ms[GK_DUE_STALE] =
			now.mono.ms + gk_member_jitter(ms->member, GK_STALE_SPREAD_MS);
	}
	return GK_COAP_CHANGED;
}

/* Not newer: ignore it, its stale Sender IDs too, since they may live again. While we are not in,
 * or join again, the KDC must not take an answer for a confirmation. */
uint8_t gk_membership_rekeyed(struct gk_membership *ms, struct gk_span payload, enum gk_via via,
			      struct gk_now now)
{
	struct gk_material material;

	if (gk_material_read(payload, &material) || !material.stale.len) {
		gk_member_note(ms, GK_NOTE_ERROR, via, "malformed rekeying message");
		return GK_COAP_BAD_REQUEST;
	}
	if (!ms->in || awaits_sid(ms))
		return GK_COAP_UNAVAILABLE;
	if (material.num <= gk_membership_newest(ms))
		return GK_COAP_CHANGED;
	return gk_membership_take(ms, &material, payload, via, now);
}
