// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Credentials that change while we are in a group. Ours, if the application wants another key
 * (R 4.9.1, P 9.4); those of peers and of the KDC, of which nobody tells: messages do not verify
 * any more, though the keys are the newest, and then we ask (R 6.3).
 */
#include "member_task.h"

#include <string.h>

#define INFO_ROOM (GK_GROUP_NAME_MAX + 48)

/* what does not verify */

/* Anyone can send what does not: one alone says nothing, and the questions become ever rarer. */
void gk_membership_failed(struct gk_membership *ms, unsigned *failures, struct gk_now now)
{
	if (*failures < GK_FAILURES_MIN)
		++*failures;
	if (*failures == GK_FAILURES_MIN)
		gk_membership_pull_later(ms, GK_DUE_FAILING, now);
}

/* The answer to the first one tells too if the keys are not the newest after all. */
void gk_membership_due_failing(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_task_want(ms, GK_TASK_CREDS);
	gk_task_want(ms, GK_TASK_KDC_CRED);
}

/* the KDC's (R 4.5.1, P 9.5.1) */

enum { K_CRED, K_NONCE, K_VERIFY, K_COUNT };

static const struct gk_cbor_field kdc_cred_fields[K_COUNT] = {
	[K_CRED] = { GK_PARAM_KDC_CRED, GK_CBOR_BYTES, true },
	[K_NONCE] = { GK_PARAM_KDC_NONCE, GK_CBOR_BYTES, true },
	[K_VERIFY] = { GK_PARAM_KDC_CRED_VERIFY, GK_CBOR_BYTES, true },
};

/* It signs for the tree with the key of its credential, or with one that has nothing to do with
 * it (docs/rekeying.md). */
static bool signs_tree(const struct gk_membership *ms)
{
	struct gk_cred old;

	return !gk_cred_read(ms->cred_fmt, gk_blob_span(&ms->kdc_cred), &old) &&
	       old.key.crv == ms->tree.signer.crv &&
	       memcmp(old.key.x, ms->tree.signer.x, sizeof(old.key.x)) == 0 &&
	       memcmp(old.key.y, ms->tree.signer.y, sizeof(old.key.y)) == 0;
}

/* Of the curve that the group is about: another one would make it another group. */
static bool fits(const struct gk_membership *ms, const struct gk_public_key *key)
{
	return key->crv == gk_membership_curve(ms);
}

static enum gk_err replace(struct gk_membership *ms, struct gk_span cred,
			   const struct gk_public_key *key)
{
	bool signs = !ms->kdc_dh.crv && ms->tree.offered && signs_tree(ms);
	struct gk_blob made = { NULL, 0 };
	enum gk_err err = gk_blob_set(&ms->member->env, &made, cred);

	if (!err && ms->common.master_secret_len)
		err = gk_group_common_set_gm_cred(&ms->common, cred);
	if (err) {
		gk_blob_wipe(&ms->member->env, &made);
		return err;
	}
	gk_blob_move(&ms->member->env, &ms->kdc_cred, &made);
	if (ms->kdc_dh.crv)
		ms->kdc_dh = *key;
	if (signs)
		ms->tree.signer = *key;
	ms->tree.failures = 0;
	ms->pull_pause_ms = GK_PULL_PAUSE_MS; /* it was worth asking */
	return GK_OK;
}

static const char *take_kdc_cred(struct gk_membership *ms, const struct gk_cbor_item *item)
{
	struct gk_cred_evidence evidence = { ms->cred_fmt, item[K_CRED].string,
					     item[K_NONCE].string, item[K_VERIFY].string };
	struct gk_public_key key;

	if (!gk_task_is_proven(ms, &evidence, &key))
		return "the KDC's evidence is wrong";
	if (gk_span_equal(evidence.cred, gk_blob_span(&ms->kdc_cred)))
		return NULL;
	if (!fits(ms, &key) || replace(ms, evidence.cred, &key))
		return "the KDC's credential cannot be used";
	return NULL;
}

void gk_kdc_cred_done(struct gk_task_answer *a)
{
	struct gk_cbor_item item[K_COUNT];
	const char *wrong = "the KDC does not tell its credential";

	if (a->msg->code == GK_COAP_CONTENT &&
	    !gk_cbor_read_map(a->msg->payload, kdc_cred_fields, K_COUNT, item))
		wrong = take_kdc_cred(a->ms, item);
	if (wrong)
		gk_task_complain(a->m, a->ms, wrong);
}

/* ours */

void gk_membership_wipe_made(const struct gk_membership *ms, struct gk_made_cred *made)
{
	gk_blob_wipe(&ms->member->env, &made->cred);
	gk_wipe(made, sizeof(*made));
}

/* "gk member credential NUMBER GROUP": another one each time, in each group. */
static enum gk_err derive(const struct gk_membership *ms, int crv, struct gk_key_pair *key)
{
	uint8_t bytes[INFO_ROOM];
	struct gk_buf info = gk_buf(bytes, sizeof(bytes));

	gk_buf_add(&info, gk_span_str("gk member credential "));
	for (int shift = 24; shift >= 0; shift -= 8)
		gk_buf_byte(&info, (uint8_t)(ms->made_count >> shift));
	gk_buf_add(&info, gk_membership_name(ms));
	return info.overflow ? GK_ERR_RANGE
			     : gk_member_derive_key(ms->member, gk_buf_span(&info), crv, key);
}

static enum gk_err make(const struct gk_membership *ms, struct gk_made_cred *made)
{
	struct gk_span name = gk_blob_span(&ms->member->name);
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf cred = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = derive(ms, gk_membership_curve(ms), &made->key);

	if (err)
		return err;
	made->dh = ms->kdc_dh.crv != 0;
	if (made->dh)
		gk_ccs_put_dh(&cred, name, &made->key.pub);
	else
		gk_ccs_put(&cred, name, &made->key.pub);
	err = gk_buf_err(&cred);
	return err ? err : gk_blob_set(&ms->member->env, &made->cred, gk_buf_span(&cred));
}

enum gk_err gk_membership_make_cred(struct gk_membership *ms)
{
	enum gk_err err;

	if (ms->roles == GK_ROLE_MONITOR)
		return GK_ERR_FORBIDDEN;
	if (gk_membership_own(ms) || ms->cred_fmt != GK_HEADER_KCCS)
		return GK_ERR_UNSUPPORTED;
	if (ms->next.key.pub.crv)
		return GK_ERR_STATE;
	ms->made_count++;
	ms->challenged = false;
	err = make(ms, &ms->next);
	if (err)
		gk_membership_wipe_made(ms, &ms->next);
	return err;
}

/* With a nonce of its own: that of the latest join goes on to be the KDC's clientchallenge. */
enum gk_err gk_cred_build(struct gk_task_request *r)
{
	const struct gk_made_cred *next = &r->ms->next;
	uint8_t n_c[8];
	struct gk_buf *buf;
	enum gk_err err = gk_random(&r->m->env, n_c, sizeof(n_c));

	if (err)
		return err;
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	buf = gk_coap_open_payload(&r->w);
	gk_put_map(buf, 3);
	gk_put_int(buf, GK_PARAM_CNONCE);
	gk_put_bytes(buf, gk_span(n_c, sizeof(n_c)));
	return gk_task_put_evidence(buf, r->ms, &next->key, gk_blob_span(&next->cred),
				    gk_span(n_c, sizeof(n_c)));
}

/* The Sender Key is made without the credential: so the numbers go on. Without a Sender Context
 * the next one is made with it. */
static enum gk_err use(struct gk_membership *ms)
{
	struct gk_group_sender sender;
	enum gk_err err;

	if (!ms->sender.sign_key)
		return GK_OK;
	err = gk_group_sender_init(&ms->common, gk_id_span(&ms->sender.id), gk_membership_key(ms),
				   gk_membership_cred(ms), &sender);
	if (err)
		return err;
	sender.seq = ms->sender.seq;
	sender.seq_limit = ms->sender.seq_limit;
	gk_membership_unpair(ms);
	ms->sender = sender;
	gk_wipe(&sender, sizeof(sender));
	return GK_OK;
}

static void take_over(struct gk_membership *ms)
{
	gk_membership_wipe_made(ms, &ms->made);
	ms->made = ms->next;
	gk_wipe(&ms->next, sizeof(ms->next));
	if (use(ms)) {
		gk_task_complain(ms->member, ms, "our new credential cannot be used");
		gk_membership_lose_sid(ms); /* nothing that is borrowed of the old one stays */
		return;
	}
	gk_member_note(ms, GK_NOTE_CREDENTIAL, GK_VIA_NONE, NULL);
}

void gk_cred_done(struct gk_task_answer *a)
{
	struct gk_membership *ms = a->ms;

	if (!ms->next.key.pub.crv)
		return;
	if (a->msg->code == GK_COAP_CHANGED) {
		take_over(ms);
	} else if (!ms->challenged && gk_task_take_challenge(a)) {
		ms->challenged = true;
		gk_task_want(ms, GK_TASK_CRED);
	} else {
		gk_membership_wipe_made(ms, &ms->next);
		gk_task_complain(a->m, ms, "the KDC does not take our new credential");
	}
}
