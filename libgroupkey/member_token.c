// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Posting the token (RFC 9203 section 4.1), and what the KDC tells of groups in its answer: their
 * algorithms, and of pairwise-only ones its public key.
 */
#include "member_task.h"

#include <string.h>

#define TOKEN_REFUSED_SHIFT 6
#define ID1_LEN             2
#define MASTER_SALT_ROOM    128

enum gk_err gk_token_build(struct gk_task_request *r)
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

bool gk_token_read_dh(int64_t fmt, struct gk_span bytes, struct gk_public_key *key)
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
	    !gk_token_read_dh(entry->field[0].number, entry->field[1].string, &key) ||
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

void gk_token_take_groups(struct gk_member *m, const struct gk_cbor_item *sign_info,
			  const struct gk_cbor_item *dh_creds)
{
	take_entries(m, sign_info, take_sign);
	take_entries(m, dh_creds, take_dh);
}

void gk_token_take_challenge(struct gk_member *m, const struct gk_cbor_item *item)
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

void gk_token_done(struct gk_task_answer *a)
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
	gk_token_take_challenge(a->m, &item[T_CHALLENGE]);
	gk_token_take_groups(a->m, &item[T_SIGN_INFO], &item[T_DH_CREDS]);
}
