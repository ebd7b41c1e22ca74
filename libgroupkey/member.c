// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member.h"

#include <string.h>

#define MESSAGE_ROOM      2048
#define REPLY_ROOM        256
#define ANSWER_TIMEOUT_MS 15000
#define SEED_LEN          32

static const int key_algs[2] = { GK_ALG_ES256, GK_ALG_EDDSA };

/* life */

/* One key per use and curve from one seed. A P-256 scalar out of range is as likely as a broken
 * SHA-256; it is an error, not a retry. */
enum gk_err gk_member_derive_key(const struct gk_member *m, struct gk_span info, int crv,
				 struct gk_key_pair *key)
{
	uint8_t d[32];
	enum gk_err err =
		gk_hkdf(gk_span(NULL, 0), gk_span(m->seed, sizeof(m->seed)), info, d, sizeof(d));

	if (!err)
		err = gk_key_from_private(crv, gk_span(d, sizeof(d)), key);
	gk_wipe(d, sizeof(d));
	return err;
}

static enum gk_err make_key(struct gk_member *m, size_t i)
{
	static const char *const info[2] = { "gk member ES256", "gk member EdDSA" };
	int crv = gk_sign_curve(key_algs[i]);
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf cred = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (!crv)
		return GK_OK;
	err = gk_member_derive_key(m, gk_span_str(info[i]), crv, &m->key[i]);
	if (err)
		return err;
	gk_ccs_put(&cred, gk_blob_span(&m->name), &m->key[i].pub);
	err = gk_buf_err(&cred);
	return err ? err : gk_blob_set(&m->env, &m->cred[i], gk_buf_span(&cred));
}

static size_t dh_slot(int crv)
{
	return crv == GK_CRV_X25519;
}

enum gk_err gk_member_need_dh(struct gk_member *m, int crv)
{
	static const char *const info[2] = { "gk member DH P-256", "gk member DH X25519" };
	size_t i = dh_slot(crv);
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf cred = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (m->dh_cred[i].data)
		return GK_OK;
	err = gk_member_derive_key(m, gk_span_str(info[i]), crv, &m->dh_key[i]);
	if (err)
		return err;
	gk_ccs_put_dh(&cred, gk_blob_span(&m->name), &m->dh_key[i].pub);
	err = gk_buf_err(&cred);
	return err ? err : gk_blob_set(&m->env, &m->dh_cred[i], gk_buf_span(&cred));
}

static enum gk_err take_cred(struct gk_member *m, const struct gk_member_cred *given)
{
	struct gk_own_cred *own = &m->own[m->own_count];
	struct gk_cred read;
	enum gk_err err = gk_cred_read(given->cred_fmt, given->cred, &read);

	if (!err)
		err = gk_key_from_private(read.key.crv, given->key, &own->key);
	if (!err && (memcmp(own->key.pub.x, read.key.x, sizeof(read.key.x)) != 0 ||
		     memcmp(own->key.pub.y, read.key.y, sizeof(read.key.y)) != 0))
		err = GK_ERR_CREDENTIAL;
	if (!err && given->issuers.len && gk_cred_check_issuers(given->cred_fmt, given->issuers))
		err = GK_ERR_CREDENTIAL;
	if (err)
		return err;
	m->own_count++; /* its blobs are wiped from here on */
	own->fmt = given->cred_fmt;
	err = gk_blob_set(&m->env, &own->cred, given->cred);
	return err || !gk_cred_has_issuer(given->cred_fmt)
		       ? err
		       : gk_blob_set(&m->env, &own->issuers, given->issuers);
}

static enum gk_err set_config(struct gk_member *m, const struct gk_member_config *config)
{
	enum gk_err err = gk_id_set(&m->osc_id, config->osc_id);

	if (!err)
		err = gk_blob_set(&m->env, &m->token, config->token);
	if (!err)
		err = gk_blob_set(&m->env, &m->name, config->name);
	if (!err)
		err = gk_blob_set(&m->env, &m->control_base, config->control_base);
	if (!err)
		err = gk_roots_set(&m->env, &m->roots, config->group_path, config->authz_path);
	memcpy(m->seed, config->key_seed.data, sizeof(m->seed));
	for (size_t i = 0; !err && i < 2; i++)
		err = make_key(m, i);
	for (size_t i = 0; !err && i < config->cred_count; i++)
		err = take_cred(m, &config->creds[i]);
	memcpy(m->ms, config->ms.data, config->ms.len);
	m->ms_len = config->ms.len;
	if (config->salt.len)
		memcpy(m->salt, config->salt.data, config->salt.len);
	m->salt_len = config->salt.len;
	m->kdc = config->kdc;
	m->observe = config->observe;
	m->point_to_point = config->point_to_point || config->observe;
	m->sign_protected = config->sign_protected;
	m->sleepy = config->sleepy;
	m->rejoin_delay_ms = config->rejoin_delay_ms;
	m->answer_timeout_ms =
		config->answer_timeout_ms ? config->answer_timeout_ms : ANSWER_TIMEOUT_MS;
	return err;
}

static bool config_fits(const struct gk_member_config *config)
{
	return config->token.len && config->token.len <= 1024 && config->ms.len >= 16 &&
	       config->ms.len <= sizeof(((struct gk_member *)0)->ms) &&
	       config->salt.len <= sizeof(((struct gk_member *)0)->salt) &&
	       config->cred_count <= GK_OWN_CREDS_MAX && config->key_seed.len == SEED_LEN &&
	       config->name.len <= 64 && (config->control_base.len || config->observe) &&
	       config->control_base.len <= 80;
}

enum gk_err gk_member_new(const struct gk_env *env, const struct gk_member_config *config,
			  struct gk_member **out)
{
	struct gk_member *m;
	enum gk_err err;

	if (!config_fits(config))
		return GK_ERR_RANGE;
	m = gk_alloc(env, sizeof(*m));
	if (!m)
		return GK_ERR_NO_MEMORY;
	m->env = *env;
	gk_queue_init(&m->queue, &m->env);
	err = set_config(m, config);
	if (err) {
		gk_member_free(m);
		return err;
	}
	*out = m;
	return GK_OK;
}

void gk_member_free(struct gk_member *m)
{
	struct gk_env env;

	if (!m)
		return;
	env = m->env;
	for (size_t i = 0; i < m->group_count; i++)
		gk_membership_free(m->groups[i]);
	gk_task_wipe(m);
	gk_kept_wipe(&env, &m->kept);
	for (size_t i = 0; i < GK_REFS_MAX; i++)
		gk_kept_wipe(&env, &m->answerable[i].kept);
	gk_queue_wipe(&m->queue);
	gk_blob_wipe(&env, &m->token);
	gk_blob_wipe(&env, &m->name);
	gk_blob_wipe(&env, &m->control_base);
	gk_roots_wipe(&env, &m->roots);
	for (size_t i = 0; i < 2; i++) {
		gk_blob_wipe(&env, &m->cred[i]);
		gk_blob_wipe(&env, &m->dh_cred[i]);
	}
	for (size_t i = 0; i < m->own_count; i++) {
		gk_blob_wipe(&env, &m->own[i].cred);
		gk_blob_wipe(&env, &m->own[i].issuers);
	}
	gk_free(&env, m, sizeof(*m));
}

/* own keys, chance, notes */

static size_t key_slot(int sign_alg)
{
	return sign_alg == GK_ALG_EDDSA;
}

int gk_membership_curve(const struct gk_membership *ms)
{
	return ms->kdc_dh.crv ? ms->kdc_dh.crv : gk_sign_curve(ms->sign_alg);
}

const struct gk_own_cred *gk_membership_own(const struct gk_membership *ms)
{
	const struct gk_member *m = ms->member;
	int crv = gk_membership_curve(ms);

	for (size_t i = 0; i < m->own_count; i++) {
		if (m->own[i].fmt == ms->cred_fmt && m->own[i].key.pub.crv == crv)
			return &m->own[i];
	}
	return NULL;
}

/* One that we made anew, if it is still what the group wants. */
static bool uses_made(const struct gk_membership *ms)
{
	const struct gk_made_cred *made = &ms->made;

	return made->key.pub.crv && made->key.pub.crv == gk_membership_curve(ms) &&
	       made->dh == (ms->kdc_dh.crv != 0);
}

const struct gk_key_pair *gk_membership_key(const struct gk_membership *ms)
{
	const struct gk_own_cred *own = gk_membership_own(ms);

	if (own)
		return &own->key;
	if (ms->cred_fmt != GK_HEADER_KCCS)
		return NULL;
	if (uses_made(ms))
		return &ms->made.key;
	return ms->kdc_dh.crv ? &ms->member->dh_key[dh_slot(ms->kdc_dh.crv)]
			      : &ms->member->key[key_slot(ms->sign_alg)];
}

struct gk_span gk_membership_cred(const struct gk_membership *ms)
{
	const struct gk_member *m = ms->member;
	const struct gk_own_cred *own = gk_membership_own(ms);

	if (own)
		return gk_blob_span(&own->cred);
	if (ms->cred_fmt != GK_HEADER_KCCS)
		return gk_span(NULL, 0);
	if (uses_made(ms))
		return gk_blob_span(&ms->made.cred);
	return gk_blob_span(ms->kdc_dh.crv ? &m->dh_cred[dh_slot(ms->kdc_dh.crv)]
					   : &m->cred[key_slot(ms->sign_alg)]);
}

uint32_t gk_member_jitter(const struct gk_member *m, uint32_t max_ms)
{
	uint32_t value = 0;

	if (gk_random(&m->env, (uint8_t *)&value, sizeof(value)))
		return max_ms;
	return value % (max_ms + 1);
}

void gk_member_note(struct gk_membership *ms, enum gk_note_kind kind, enum gk_via via,
		    const char *reason)
{
	gk_queue_note(&ms->member->queue,
		      &(struct gk_note){ .kind = kind,
					 .group = gk_membership_name(ms),
					 .node = gk_span(ms->node, ms->node_len),
					 .gid = gk_id_span(&ms->common.gid),
					 .sid = ms->has_sid ? gk_id_span(&ms->sid)
							    : (struct gk_span){ NULL, 0 },
					 .num = ms->num,
					 .via = via,
					 .reason = reason });
}

/* what the application asks */

struct gk_membership *gk_member_find(const struct gk_member *m, struct gk_span group)
{
	for (size_t i = 0; i < m->group_count; i++) {
		if (gk_span_equal(gk_membership_name(m->groups[i]), group))
			return m->groups[i];
	}
	return NULL;
}

enum gk_err gk_member_proceed(struct gk_member *m, struct gk_now now)
{
	gk_task_next(m, now);
	return gk_queue_err(&m->queue);
}

enum gk_err gk_member_join(struct gk_member *m, struct gk_span group, uint32_t roles,
			   struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);
	enum gk_err err;

	if (group.len == 0 || group.len > GK_GROUP_NAME_MAX || !gk_roles_joinable(roles))
		return GK_ERR_RANGE;
	if (ms && (ms->in || ms->wants))
		return GK_ERR_STATE;
	if (!ms) {
		if (m->group_count == GK_MEMBERSHIPS_MAX)
			return GK_ERR_NO_SPACE;
		err = gk_membership_new(m, group, roles, &ms);
		if (err)
			return err;
		m->groups[m->group_count++] = ms;
	}
	ms->roles = roles;
	gk_task_want(ms, GK_TASK_JOIN);
	return gk_member_proceed(m, now);
}

static enum gk_err want(struct gk_member *m, struct gk_span group, enum gk_task task,
			struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);

	if (!ms || !ms->in)
		return GK_ERR_UNKNOWN;
	gk_task_want(ms, task);
	return gk_member_proceed(m, now);
}

enum gk_err gk_member_leave(struct gk_member *m, struct gk_span group, struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);
	bool joining = m->out.busy && m->out.ms == ms && m->out.task == GK_TASK_JOIN;

	if (!ms || ms->in)
		return want(m, group, GK_TASK_LEAVE, now);
	if (!ms->wants && !joining && ms->due_ms[GK_DUE_REJOIN] == GK_NEVER)
		return GK_ERR_UNKNOWN;
	if (joining)
		ms->wants = 1u << GK_TASK_LEAVE;
	else
		gk_membership_left(ms);
	return gk_queue_err(&m->queue);
}

enum gk_err gk_member_check(struct gk_member *m, struct gk_span group, struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);

	if (ms && ms->in) {
		ms->checks = true;
		gk_task_want(ms, GK_TASK_ACTIVE);
	}
	return want(m, group, GK_TASK_CHECK, now);
}

enum gk_err gk_member_renew(struct gk_member *m, struct gk_span group, struct gk_now now)
{
	return want(m, group, GK_TASK_RENEW, now);
}

enum gk_err gk_member_new_cred(struct gk_member *m, struct gk_span group, struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);
	enum gk_err err = ms && ms->in ? gk_membership_make_cred(ms) : GK_ERR_UNKNOWN;

	return err ? err : want(m, group, GK_TASK_CRED, now);
}

/* the four calls */

enum gk_err gk_member_receive(struct gk_member *m, const struct gk_exchange *exchange,
			      struct gk_span message, struct gk_now now)
{
	struct gk_oscore_option option;
	enum gk_err err = gk_oscore_peek(message, &option, NULL);

	if (err == GK_ERR_MISSING)
		gk_membership_multicast(m, message, now);
	else if (err)
		return gk_queue_err(&m->queue);
	else if (option.group || option.has_kid_context) // the KDC's association has no ID Context
		gk_membership_receive(m, exchange, &option, message, now);
	else
		gk_control_receive(m, exchange, message, now);
	return gk_member_proceed(m, now);
}

enum gk_err gk_member_answer(struct gk_member *m, uint64_t id, struct gk_span message,
			     struct gk_now now)
{
	if (!gk_member_told(m, id, message, now) && !gk_watch_answered(m, id, message, now))
		gk_task_answered(m, id, message, now);
	return gk_member_proceed(m, now);
}

struct gk_mono gk_member_next_expiry(const struct gk_member *m)
{
	struct gk_mono next = { gk_task_due_ms(m) };

	for (size_t i = 0; i < m->group_count; i++) {
		for (size_t k = 0; k < GK_DUE_COUNT; k++) {
			if (m->groups[i]->due_ms[k] < next.ms)
				next.ms = m->groups[i]->due_ms[k];
		}
	}
	return next;
}

enum gk_err gk_member_expire(struct gk_member *m, struct gk_now now)
{
	for (size_t i = 0; i < m->group_count; i++)
		gk_membership_due(m->groups[i], now);
	return gk_member_proceed(m, now);
}

bool gk_member_event(struct gk_member *m, struct gk_event *event)
{
	return gk_queue_take(&m->queue, event);
}

enum gk_err gk_member_info(const struct gk_member *m, struct gk_span group,
			   struct gk_membership_info *info)
{
	const struct gk_membership *ms = gk_member_find(m, group);

	if (!ms)
		return GK_ERR_UNKNOWN;
	*info = (struct gk_membership_info){
		.joined = ms->in,
		.active = ms->in && !ms->inactive,
		.num = ms->has_material ? ms->num : -1,
		.gid = gk_id_span(&ms->common.gid),
		.node = gk_span(ms->node, ms->node_len),
		.roles = ms->roles,
		.peers = ms->peer_count,
		.accepted = ms->accepted,
		.refused = ms->refused,
		.in_tree = gk_membership_in_tree(ms),
	};
	if (info->in_tree)
		info->control_group = ms->tree.group;
	if (ms->has_sid)
		info->sender_id = gk_id_span(&ms->sid);
	return GK_OK;
}
