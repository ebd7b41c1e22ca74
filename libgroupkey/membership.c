// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member.h"

#include <string.h>

#define PEERS_MAX 60000

/* life */

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
	ms->cred_fmt = GK_HEADER_KCCS;
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
	gk_membership_wipe_made(ms, &ms->made);
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

void gk_membership_unpair(struct gk_membership *ms)
{
	for (size_t i = 0; i < ms->peer_count; i++) {
		ms->peers[i].paired = false;
		gk_wipe(&ms->peers[i].pairwise, sizeof(ms->peers[i].pairwise));
	}
}

void gk_membership_drop_material(struct gk_membership *ms)
{
	ms->has_material = false;
	gk_membership_unpair(ms);
	gk_group_common_wipe(&ms->common);
	gk_wipe(&ms->sender, sizeof(ms->sender));
	ms->due_ms[GK_DUE_EXPIRY] = GK_NEVER;
}

void gk_membership_drop(struct gk_membership *ms)
{
	gk_membership_drop_material(ms);
	gk_membership_remove_all_peers(ms);
	gk_membership_leave_tree(ms);
	gk_blob_wipe(&ms->member->env, &ms->held);
	gk_membership_wipe_made(ms, &ms->next);
	ms->unknown_count = 0;
	ms->num = -1;
	ms->has_sid = false;
	ms->life++;
}

static void end(struct gk_membership *ms)
{
	gk_watch_end(ms);
	gk_membership_drop(ms);
	ms->in = false;
	ms->inactive = false;
	ms->wants = 0;
	ms->checks = false;
	for (size_t i = 0; i < GK_DUE_COUNT; i++)
		ms->due_ms[i] = GK_NEVER;
}

void gk_membership_left(struct gk_membership *ms)
{
	gk_member_note(ms, GK_NOTE_LEFT, GK_VIA_NONE, NULL);
	end(ms);
}

void gk_membership_lost(struct gk_membership *ms, const char *reason)
{
	gk_member_note(ms, GK_NOTE_EVICTED, GK_VIA_NONE, reason);
	end(ms);
}

/* peers */

struct gk_peer *gk_membership_find_peer(struct gk_membership *ms, struct gk_span id)
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
		struct gk_peer *peer = c.err ? NULL : gk_membership_find_peer(ms, id);

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
	struct gk_peer *peer = gk_membership_find_peer(ms, id);
	struct gk_id copy;
	enum gk_err err = gk_id_set(&copy, id);

	if (err || cred.len > GK_CRED_WIRE_MAX)
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
	peer->paired = false;
	peer->failures = 0;
	return gk_blob_set(&ms->member->env, &peer->cred, cred);
}

/* What the KDC distributes it has checked. Where we have trust anchors of our own
 * we do it again. */
static bool is_vouched_for(const struct gk_membership *ms, struct gk_span cred, struct gk_now now)
{
	const struct gk_own_cred *own = gk_membership_own(ms);
	struct gk_cred_rules rules = { .fmt = ms->cred_fmt, .now = now.utc };
	struct gk_cred read;

	if (!own || !own->issuers.len)
		return true;
	rules.issuers = gk_blob_span(&own->issuers);
	rules.crv = own->key.pub.crv;
	rules.alg = ms->kdc_dh.crv ? GK_ALG_ECDH_SS_HKDF_256 : ms->sign_alg;
	return gk_cred_check(&rules, cred, &read) == GK_OK;
}

static enum gk_err take_peer(struct gk_membership *ms, struct gk_span id, struct gk_span cred,
			     uint32_t roles, struct gk_now now)
{
	struct gk_peer *peer = gk_membership_find_peer(ms, id);

	if (is_vouched_for(ms, cred, now))
		return add_peer(ms, id, cred, roles);
	if (peer)
		remove_peer(ms, peer);
	gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE,
		       "a peer's credential that our trust anchors do not vouch for");
	return GK_OK;
}

bool gk_membership_is_own(const struct gk_membership *ms, struct gk_span id)
{
	return ms->has_sid && gk_span_equal(gk_id_span(&ms->sid), id);
}

bool gk_membership_is_listed(struct gk_span ids, struct gk_span id)
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
		if (!gk_membership_is_listed(ids, gk_id_span(&ms->peers[i].id)))
			remove_peer(ms, &ms->peers[i]);
	}
}

enum gk_err gk_membership_set_peers(struct gk_membership *ms, struct gk_span creds,
				    struct gk_span roles, struct gk_span ids, bool replace,
				    struct gk_now now)
{
	struct gk_cbor c = gk_cbor(creds), r = gk_cbor(roles), i = gk_cbor(ids);
	struct gk_cbor_iter cs = gk_cbor_array(&c), rs = gk_cbor_array(&r), is = gk_cbor_array(&i);
	enum gk_err err = GK_OK;

	while (!err && gk_cbor_more(&c, &cs) && gk_cbor_more(&r, &rs) && gk_cbor_more(&i, &is)) {
		struct gk_span cred = gk_cbor_bytes(&c);
		uint64_t role = gk_cbor_uint(&r, UINT32_MAX);
		struct gk_span id = gk_cbor_bytes(&i);

		if (!c.err && !r.err && !i.err && !gk_membership_is_own(ms, id))
			err = take_peer(ms, id, cred, (uint32_t)role, now);
	}
	if (!err)
		err = c.err ? c.err : r.err ? r.err : i.err;
	if (!err && replace)
		gk_membership_keep_peers(ms, ids);
	return err;
}

/* who is missing */

static enum gk_task task_for_unknown(const struct gk_membership *ms)
{
	return ms->unknown_count && ms->unknown_count <= GK_UNKNOWN_MAX ? GK_TASK_SENDERS
									: GK_TASK_CREDS;
}

static bool is_missed(const struct gk_membership *ms, const struct gk_id *id)
{
	for (size_t i = 0; i < GK_UNKNOWN_MAX && i < ms->unknown_count; i++) {
		if (gk_id_equal(&ms->unknown[i], id))
			return true;
	}
	return false;
}

enum gk_task gk_membership_miss(struct gk_membership *ms, struct gk_span sid)
{
	struct gk_id id;

	if (gk_id_set(&id, sid) || is_missed(ms, &id) || ms->unknown_count > GK_UNKNOWN_MAX)
		return task_for_unknown(ms);
	if (ms->unknown_count < GK_UNKNOWN_MAX)
		ms->unknown[ms->unknown_count] = id;
	ms->unknown_count++;
	return task_for_unknown(ms);
}

/* what is due */

static void due_check(struct gk_membership *ms, struct gk_now now)
{
	ms->due_ms[GK_DUE_CHECK] = now.mono.ms + 1000 * (int64_t)ms->check_interval_s;
	if (ms->member->observe)
		gk_watch_begin(ms); /* which brings the newest material too */
	else
		gk_task_want(ms, GK_TASK_CHECK);
	gk_task_want(ms, GK_TASK_ACTIVE);
}

static void due_active(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_ACTIVE);
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
	gk_task_want(ms, task_for_unknown(ms));
}

static void due_stale(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	if (ms->held.data)
		gk_task_want(ms, GK_TASK_STALE);
}

static void due_rejoin(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_JOIN);
}

void gk_membership_due(struct gk_membership *ms, struct gk_now now)
{
	static void (*const due[GK_DUE_COUNT])(struct gk_membership *, struct gk_now) = {
		[GK_DUE_CHECK] = due_check,
		[GK_DUE_EXPIRY] = due_expiry,
		[GK_DUE_PULL] = due_pull,
		[GK_DUE_WHICH] = gk_membership_due_which,
		[GK_DUE_CREDS] = due_creds,
		[GK_DUE_REJOIN] = due_rejoin,
		[GK_DUE_PARTS] = gk_membership_due_parts,
		[GK_DUE_RECOVER] = gk_membership_due_recover,
		[GK_DUE_CONFIRM] = gk_membership_due_confirm,
		[GK_DUE_STALE] = due_stale,
		[GK_DUE_OBSERVE] = gk_watch_due,
		[GK_DUE_ACTIVE] = due_active,
		[GK_DUE_FAILING] = gk_membership_due_failing,
	};

	for (size_t i = 0; i < GK_DUE_COUNT; i++) {
		if (ms->due_ms[i] > now.mono.ms)
			continue;
		ms->due_ms[i] = GK_NEVER;
		due[i](ms, now);
	}
}
