// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member.h"

#include <string.h>

#define PEERS_MAX         60000
#define MESSAGE_ROOM      2048
#define PULL_PAUSE_MS     5000   /* between questions that anyone can provoke ... */
#define PULL_PAUSE_MAX_MS 320000 /* ... doubled while they bring nothing */
#define LIFETIME_MIN_S    10     /* of new material: a KDC with a broken clock gets no storm */
#define PULL_JITTER_MS    2000

/* ---- life ---- */

enum gk_err gk_membership_new(struct gk_member *m, struct gk_span group, uint32_t roles,
			      struct gk_membership **out)
{
	struct gk_membership *ms = gk_alloc(&m->env, sizeof(*ms));

	if (!ms)
		return GK_ERR_NO_MEMORY;
	ms->member = m;
	ms->name_len = (uint8_t)group.len;
	memcpy(ms->name, group.data, group.len);
	ms->roles = roles;
	ms->sign_alg = GK_ALG_ES256;
	ms->num = -1;
	ms->check_interval_s = GK_KEY_CHECK_S;
	for (size_t i = 0; i < GK_DUE_COUNT; i++)
		ms->due_ms[i] = GK_NEVER;
	*out = ms;
	return GK_OK;
}

void gk_membership_free(struct gk_membership *ms)
{
	const struct gk_env *env = &ms->member->env;

	gk_membership_drop(ms);
	gk_free(env, ms->peers, ms->peer_cap * sizeof(*ms->peers));
	gk_blob_wipe(env, &ms->kdc_cred);
	gk_free(env, ms, sizeof(*ms));
}

struct gk_span gk_membership_name(const struct gk_membership *ms)
{
	return gk_span(ms->name, ms->name_len);
}

void gk_membership_put_segment(const struct gk_membership *ms, struct gk_buf *buf)
{
	static const char digits[] = "0123456789abcdef";

	gk_buf_add(buf, gk_span_str("node"));
	if (ms->life) {
		gk_buf_byte(buf, (uint8_t)digits[ms->life >> 4]);
		gk_buf_byte(buf, (uint8_t)digits[ms->life & 15]);
	}
}

static void drop_material(struct gk_membership *ms)
{
	ms->has_material = false;
	gk_group_common_wipe(&ms->common);
	gk_wipe(&ms->sender, sizeof(ms->sender));
	ms->due_ms[GK_DUE_EXPIRY] = GK_NEVER;
}

void gk_membership_drop(struct gk_membership *ms)
{
	drop_material(ms);
	gk_membership_remove_all_peers(ms);
	gk_blob_wipe(&ms->member->env, &ms->held);
	ms->num = -1;
	ms->has_sid = false;
	ms->life++;
}

void gk_membership_lost(struct gk_membership *ms, const char *reason)
{
	gk_member_note(ms, GK_NOTE_EVICTED, GK_VIA_NONE, reason);
	gk_membership_drop(ms);
	ms->in = false;
	ms->wants = 0;
	for (size_t i = 0; i < GK_DUE_COUNT; i++)
		ms->due_ms[i] = GK_NEVER;
}

/* ---- peers ---- */

static struct gk_peer *find_peer(struct gk_membership *ms, struct gk_span id)
{
	for (size_t i = 0; i < ms->peer_count; i++) {
		if (gk_span_equal(gk_id_span(&ms->peers[i].id), id))
			return &ms->peers[i];
	}
	return NULL;
}

static void remove_peer(struct gk_membership *ms, struct gk_peer *peer)
{
	struct gk_peer *last = &ms->peers[ms->peer_count - 1];

	gk_blob_wipe(&ms->member->env, &peer->cred);
	*peer = *last;
	gk_wipe(last, sizeof(*last));
	ms->peer_count--;
}

void gk_membership_remove_all_peers(struct gk_membership *ms)
{
	while (ms->peer_count)
		remove_peer(ms, &ms->peers[ms->peer_count - 1]);
}

void gk_membership_remove_peers(struct gk_membership *ms, struct gk_span ids)
{
	struct gk_cbor c = gk_cbor(ids);
	struct gk_cbor_iter it = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &it)) {
		struct gk_span id = gk_cbor_bytes(&c);
		struct gk_peer *peer = c.err ? NULL : find_peer(ms, id);

		if (peer)
			remove_peer(ms, peer);
	}
}

static enum gk_err make_room(struct gk_membership *ms)
{
	const struct gk_env *env = &ms->member->env;
	size_t cap = ms->peer_cap ? 2 * ms->peer_cap : 4;
	struct gk_peer *peers;

	if (ms->peer_count < ms->peer_cap)
		return GK_OK;
	if (ms->peer_count >= PEERS_MAX)
		return GK_ERR_NO_SPACE;
	peers = gk_alloc(env, cap * sizeof(*peers));
	if (!peers)
		return GK_ERR_NO_MEMORY;
	if (ms->peers)
		memcpy(peers, ms->peers, ms->peer_count * sizeof(*peers));
	gk_free(env, ms->peers, ms->peer_cap * sizeof(*peers));
	ms->peers = peers;
	ms->peer_cap = cap;
	return GK_OK;
}

static enum gk_err add_peer(struct gk_membership *ms, struct gk_span id, struct gk_span cred,
			    uint32_t roles)
{
	struct gk_peer *peer = find_peer(ms, id);
	struct gk_id copy;
	enum gk_err err = gk_id_set(&copy, id);

	if (err || cred.len > GK_CRED_MAX)
		return err ? err : GK_ERR_RANGE;
	if (!peer) {
		err = make_room(ms);
		if (err)
			return err;
		peer = &ms->peers[ms->peer_count++];
		*peer = (struct gk_peer){ .id = copy };
	}
	peer->roles = roles;
	if (gk_span_equal(gk_blob_span(&peer->cred), cred))
		return GK_OK;
	peer->ready = false;
	return gk_blob_set(&ms->member->env, &peer->cred, cred);
}

static bool is_own(const struct gk_membership *ms, struct gk_span id)
{
	return ms->has_sid && gk_span_equal(gk_id_span(&ms->sid), id);
}

static bool is_listed(struct gk_span ids, struct gk_span id)
{
	struct gk_cbor c = gk_cbor(ids);
	struct gk_cbor_iter it = gk_cbor_array(&c);
	bool listed = false;

	while (!listed && gk_cbor_more(&c, &it))
		listed = gk_span_equal(gk_cbor_bytes(&c), id);
	return listed;
}

/* Those that stay keep their replay windows: nothing that was accepted is accepted again. */
void gk_membership_keep_peers(struct gk_membership *ms, struct gk_span ids)
{
	for (size_t i = ms->peer_count; i-- > 0;) {
		if (!is_listed(ids, gk_id_span(&ms->peers[i].id)))
			remove_peer(ms, &ms->peers[i]);
	}
}

enum gk_err gk_membership_set_peers(struct gk_membership *ms, struct gk_span creds,
				    struct gk_span roles, struct gk_span ids, bool replace)
{
	struct gk_cbor c = gk_cbor(creds), r = gk_cbor(roles), i = gk_cbor(ids);
	struct gk_cbor_iter cs = gk_cbor_array(&c), rs = gk_cbor_array(&r), is = gk_cbor_array(&i);
	enum gk_err err = GK_OK;

	while (!err && gk_cbor_more(&c, &cs) && gk_cbor_more(&r, &rs) && gk_cbor_more(&i, &is)) {
		struct gk_span cred = gk_cbor_bytes(&c);
		uint64_t role = gk_cbor_uint(&r, UINT32_MAX);
		struct gk_span id = gk_cbor_bytes(&i);

		if (!c.err && !r.err && !i.err && !is_own(ms, id))
			err = add_peer(ms, id, cred, (uint32_t)role);
	}
	if (!err)
		err = c.err ? c.err : r.err ? r.err : i.err;
	if (!err && replace)
		gk_membership_keep_peers(ms, ids);
	return err;
}

/* ---- reading material ---- */

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
};

/* Absent algorithms are unset; hkdf has a default (P 6.4). */
static void take_algorithms(const struct gk_cbor_item *key, struct gk_material *material)
{
	material->has_algorithms = key[K_CRED_FMT].kind != GK_CBOR_NONE;
	material->algorithms = (struct gk_group_input){
		.gp_enc_alg = key[K_GP_ENC].number,
		.alg = key[K_ALG].number,
		.sign_alg = key[K_SIGN].number,
		.ecdh_alg = key[K_ECDH].number,
		.hkdf = key[K_HKDF].kind ? key[K_HKDF].number : GK_ALG_HMAC_256,
	};
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
	if (key[K_CRED_FMT].kind && key[K_CRED_FMT].number != GK_HEADER_KCCS)
		return GK_ERR_UNSUPPORTED;
	*material = gather(item, key);
	return GK_OK;
}

/* ---- installing ---- */

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
	ms->pull_pause_ms = PULL_PAUSE_MS;
}

enum gk_err gk_membership_set_sid(struct gk_membership *ms, struct gk_span sid)
{
	const struct gk_member *m = ms->member;
	struct gk_group_sender sender;
	enum gk_err err = gk_group_sender_init(&ms->common, sid, gk_member_key(m, ms->sign_alg),
					       gk_member_cred(m, ms->sign_alg), &sender);

	if (err)
		return err;
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
	if (sid.len == 0 || is_own(ms, sid))
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
					      false);
	if (err) {
		drop_material(ms);
		return err;
	}
	ms->num = material->num;
	ms->has_material = true;
	take_policies(ms, material->policies);
	arm(ms, material, now);
	return GK_OK;
}

/* Version of the material that is held back, or -1. */
static int64_t held_num(const struct gk_membership *ms)
{
	struct gk_material held;

	return ms->held.data && !gk_material_read(gk_blob_span(&ms->held), &held) ? held.num : -1;
}

/* The KDC took our Sender ID for given up: we missed that it gave us another one. */
bool gk_membership_lists_own(const struct gk_membership *ms, struct gk_span ids)
{
	return ms->has_sid && is_listed(ids, gk_id_span(&ms->sid));
}

void gk_membership_lose_sid(struct gk_membership *ms)
{
	drop_material(ms);
	ms->has_sid = false;
	gk_blob_wipe(&ms->member->env, &ms->held);
	gk_task_want(ms, GK_TASK_JOIN);
}

void gk_membership_hold(struct gk_membership *ms, struct gk_span payload, int64_t num)
{
	ms->recovering = true;
	if (num > held_num(ms) && gk_blob_set(&ms->member->env, &ms->held, payload))
		gk_task_want(ms, GK_TASK_MATERIAL);
	drop_material(ms);
	gk_task_want(ms, GK_TASK_STALE);
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
		gk_task_want(ms, GK_TASK_MATERIAL);
		return;
	}
	gk_member_note(ms, ms->recovering ? GK_NOTE_RECOVERED : GK_NOTE_REKEYED, via, NULL);
	ms->recovering = false;
}

static bool awaits_sid(const struct gk_membership *ms)
{
	return ms->roles != GK_ROLE_MONITOR && !ms->has_sid;
}

/* The version after ours. */
static uint8_t take_next(struct gk_membership *ms, const struct gk_material *material,
			 struct gk_span payload, struct gk_now now)
{
	if (gk_membership_lists_own(ms, material->stale)) {
		gk_membership_lose_sid(ms);
		return GK_COAP_CHANGED;
	}
	gk_membership_remove_peers(ms, material->stale);
	if (gk_blob_set(&ms->member->env, &ms->held, payload))
		return GK_COAP_UNAVAILABLE;
	gk_membership_install_held(ms, GK_VIA_UNICAST, now);
	return ms->has_material ? GK_COAP_CHANGED : GK_COAP_UNAVAILABLE;
}

/* V' = V + 1: install. Further ahead: some were missed, and the material of V ends at once
 * (P 11.3). Not newer: ignore it, its stale Sender IDs too, since they may live again. While we
 * are not in, or join again, the KDC must not take an answer for a confirmation. */
uint8_t gk_membership_rekeyed(struct gk_membership *ms, struct gk_span payload, struct gk_now now)
{
	struct gk_material material;

	if (gk_material_read(payload, &material) || !material.stale.len) {
		gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_UNICAST, "malformed rekeying message");
		return GK_COAP_BAD_REQUEST;
	}
	if (!ms->in || awaits_sid(ms))
		return GK_COAP_UNAVAILABLE;
	if (material.num <= ms->num || material.num <= held_num(ms))
		return GK_COAP_CHANGED;
	if (material.num == ms->num + 1)
		return take_next(ms, &material, payload, now);
	gk_membership_hold(ms, payload, material.num);
	return GK_COAP_CHANGED;
}

/* ---- messages of the group ---- */

static void refuse(struct gk_membership *ms, const char *reason)
{
	ms->refused++;
	gk_member_note(ms, GK_NOTE_REFUSED, GK_VIA_NONE, reason);
}

/* Traffic under an unknown Gid may mean that we missed a rekeying, an unknown kid that we missed
 * a newcomer. Anyone can forge both: ask ever more rarely while it brings nothing, and with
 * jitter. */
static void pull_later(struct gk_membership *ms, enum gk_due what, struct gk_now now)
{
	if (!ms->in || now.mono.ms < ms->next_pull_ms || ms->due_ms[what] != GK_NEVER)
		return;
	ms->due_ms[what] = now.mono.ms + gk_member_jitter(ms->member, PULL_JITTER_MS);
	ms->next_pull_ms = now.mono.ms + ms->pull_pause_ms;
	if (ms->pull_pause_ms < PULL_PAUSE_MAX_MS)
		ms->pull_pause_ms *= 2;
}

static struct gk_membership *find_by_gid(struct gk_member *m, struct gk_span gid)
{
	for (size_t i = 0; i < m->group_count; i++) {
		struct gk_membership *ms = m->groups[i];

		if (ms->has_material && gk_span_equal(gk_id_span(&ms->common.gid), gid))
			return ms;
	}
	return NULL;
}

static void remember(struct gk_membership *ms, const struct gk_exchange *exchange,
		     const struct gk_oscore_ref *ref)
{
	struct gk_member *m = ms->member;

	m->answerable[m->next_answerable] = (struct gk_answerable){
		.open = true, .id = exchange->id, .exchange = *exchange, .ref = *ref, .ms = ms
	};
	m->next_answerable = (m->next_answerable + 1) % GK_REFS_MAX;
}

static void deliver(struct gk_membership *ms, const struct gk_peer *peer, enum gk_note_kind kind,
		    const struct gk_exchange *exchange, struct gk_span message)
{
	struct gk_note note = {
		.kind = kind,
		.group = gk_membership_name(ms),
		.gid = gk_id_span(&ms->common.gid),
		.sid = gk_id_span(&peer->id),
		.message = message,
		.num = ms->num,
		.via = kind == GK_NOTE_MESSAGE ? GK_VIA_MULTICAST : GK_VIA_UNICAST,
	};

	ms->accepted++;
	gk_queue_add(&ms->member->queue, &(struct gk_event){ .kind = GK_EVENT_NOTE,
							     .id = exchange->id,
							     .peer = exchange->peer,
							     .note = note });
}

static const char *reason_of(enum gk_err err)
{
	if (err == GK_ERR_CRYPTO)
		return "countersignature or decryption failed";
	return err == GK_ERR_REPLAY ? "replayed" : "malformed";
}

static enum gk_err make_ready(const struct gk_membership *ms, struct gk_peer *peer)
{
	enum gk_err err = GK_OK;

	if (!peer->ready)
		err = gk_group_recipient_init(&ms->common, gk_id_span(&peer->id),
					      gk_blob_span(&peer->cred), &peer->context);
	peer->ready = !err;
	return err;
}

static void open_message(struct gk_membership *ms, struct gk_peer *peer,
			 const struct gk_exchange *exchange, struct gk_span message)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	bool first = !peer->ready;
	enum gk_err err = make_ready(ms, peer);

	if (!err)
		err = gk_group_unprotect_request(&ms->common, &peer->context, message, &plain,
						 &ref);
	if (err) {
		refuse(ms, reason_of(err));
		return;
	}
	if (first) /* what we asked for was worth it */
		ms->pull_pause_ms = PULL_PAUSE_MS;
	remember(ms, exchange, &ref);
	deliver(ms, peer, GK_NOTE_MESSAGE, exchange, gk_buf_span(&plain));
	gk_wipe(bytes, sizeof(bytes));
}

/* Answers to what was said */

static bool has_answered(const struct gk_said *said, const struct gk_id *id)
{
	for (size_t i = 0; i < said->count; i++) {
		if (gk_id_equal(&said->answered[i], id))
			return true;
	}
	return said->count == GK_ANSWERERS_MAX;
}

static void open_response(struct gk_said *said, struct gk_peer *peer, struct gk_span message)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_exchange named = { .id = said->id };
	enum gk_err err = make_ready(said->ms, peer);

	if (!err)
		err = gk_group_unprotect_response(&said->ms->common, &peer->context, &said->ref,
						  message, &plain);
	if (err) {
		refuse(said->ms, reason_of(err));
		return;
	}
	said->answered[said->count++] = peer->id;
	deliver(said->ms, peer, GK_NOTE_RESPONSE, &named, gk_buf_span(&plain));
	gk_wipe(bytes, sizeof(bytes));
}

void gk_membership_response(struct gk_said *said, struct gk_span message)
{
	struct gk_membership *ms = said->ms;
	struct gk_oscore_option option;
	struct gk_peer *peer;

	if (gk_oscore_peek(message, &option, NULL) || !option.group || !option.has_kid) {
		refuse(ms, "malformed");
	} else if (!ms->has_material || !gk_id_equal(&said->ref.gid, &ms->common.gid)) {
		refuse(ms, "answer under other material than the message");
	} else if ((peer = find_peer(ms, option.kid)) == NULL) {
		refuse(ms, "unknown sender");
	} else if (!(peer->roles & GK_ROLE_RESPONDER)) {
		refuse(ms, "answer of a member that is no responder");
	} else if (has_answered(said, &peer->id)) {
		refuse(ms, "second answer of a member, or one too many");
	} else {
		open_response(said, peer, message);
	}
}

void gk_membership_receive(struct gk_member *m, const struct gk_exchange *exchange,
			   const struct gk_oscore_option *option, struct gk_span message,
			   struct gk_now now)
{
	struct gk_membership *ms = find_by_gid(m, option->kid_context);
	struct gk_peer *peer;

	if (!ms) {
		for (size_t i = 0; i < m->group_count; i++) {
			if (m->groups[i]->in) {
				refuse(m->groups[i], "unknown group or epoch");
				pull_later(m->groups[i], GK_DUE_PULL, now);
			}
		}
		return;
	}
	if (is_own(ms, option->kid))
		return;
	peer = find_peer(ms, option->kid);
	if (!peer) {
		refuse(ms, "unknown sender");
		pull_later(ms, GK_DUE_CREDS, now);
	} else if (!(peer->roles & GK_ROLE_REQUESTER)) {
		refuse(ms, "request from a member that is no requester");
	} else if (!(ms->roles & (GK_ROLE_RESPONDER | GK_ROLE_MONITOR))) {
		refuse(ms, "we are no responder");
	} else {
		open_message(ms, peer, exchange, message);
	}
}

/* ---- what is due ---- */

static void due_check(struct gk_membership *ms, struct gk_now now)
{
	ms->due_ms[GK_DUE_CHECK] = now.mono.ms + 1000 * (int64_t)ms->check_interval_s;
	gk_task_want(ms, GK_TASK_CHECK);
}

/* R 4.3.1: no use of material past its end. */
static void due_expiry(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	ms->has_material = false;
	gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE, "the group's material has expired");
	gk_task_want(ms, GK_TASK_MATERIAL);
}

static void due_pull(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_CHECK);
}

static void due_creds(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_CREDS);
}

static void due_rejoin(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_JOIN);
}

void gk_membership_due(struct gk_membership *ms, struct gk_now now)
{
	static void (*const due[GK_DUE_COUNT])(struct gk_membership *, struct gk_now) = {
		[GK_DUE_CHECK] = due_check, [GK_DUE_EXPIRY] = due_expiry, [GK_DUE_PULL] = due_pull,
		[GK_DUE_CREDS] = due_creds, [GK_DUE_REJOIN] = due_rejoin,
	};

	for (size_t i = 0; i < GK_DUE_COUNT; i++) {
		if (ms->due_ms[i] > now.mono.ms)
			continue;
		ms->due_ms[i] = GK_NEVER;
		due[i](ms, now);
	}
}
