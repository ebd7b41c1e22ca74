// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Records of the store: what the others share, the KDC's own, the clients', and which record is
 * read by whom.
 */
#include "record.h"
#include "client.h"

#include <string.h>

#define SEQ_LIMIT_MAX (GK_OSCORE_PIV_MAX + 1 + GK_SEQ_BLOCK)

static void store(struct gk_kdc *kdc, const struct gk_record *record)
{
	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_STORE, .record = *record });
}

void gk_record_store_gone(struct gk_kdc *kdc, enum gk_table table, struct gk_span key)
{
	store(kdc, &(struct gk_record){ .table = table, .key = key });
}

/* A record that outgrew its room would be lost in silence: stop instead. */
void gk_record_store(struct gk_kdc *kdc, struct gk_record record, struct gk_buf *value)
{
	if (value->overflow)
		gk_queue_close(&kdc->queue);
	record.value = gk_buf_span(value);
	store(kdc, &record);
	gk_wipe(value->data, value->cap);
}

void gk_record_store_value(struct gk_kdc *kdc, enum gk_table table, struct gk_span key,
			   struct gk_buf *value)
{
	gk_record_store(kdc, (struct gk_record){ .table = table, .key = key }, value);
}

void gk_record_put_head(struct gk_buf *buf, const uint8_t fields[static GK_RECORD_FORMS])
{
	gk_put_array(buf, fields[GK_RECORD_FORM]);
	gk_put_uint(buf, GK_RECORD_FORM);
}

void gk_record_put_raw(struct gk_buf *buf, const uint8_t *data, size_t len)
{
	gk_put_bytes(buf, gk_span(data, len));
}

void gk_record_take_raw(struct gk_cbor *c, uint8_t *data, size_t len)
{
	struct gk_span span = gk_cbor_bytes(c);

	if (span.len != len)
		gk_cbor_fail(c, GK_ERR_RANGE);
	else if (len)
		memcpy(data, span.data, len);
}

void gk_record_take_id(struct gk_cbor *c, struct gk_id *id)
{
	if (gk_id_set(id, gk_cbor_bytes(c)))
		gk_cbor_fail(c, GK_ERR_RANGE);
}

unsigned gk_record_take_head(struct gk_cbor *c, const uint8_t fields[static GK_RECORD_FORMS])
{
	struct gk_cbor ahead = *c;
	struct gk_cbor_iter iter = gk_cbor_array(&ahead);
	uint64_t form = gk_cbor_uint(&ahead, UINT32_MAX);

	if (ahead.err) {
		gk_cbor_fail(c, ahead.err);
		return 0;
	}
	if (form == 1 && fields[0] && iter.left == fields[0])
		form = 0;
	else if (form < 1 || form > GK_RECORD_FORM || !fields[form])
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
	if (c->err)
		return 0;
	gk_cbor_array_of(c, fields[form]);
	(void)gk_cbor_uint(c, GK_RECORD_FORM);
	return (unsigned)form;
}

uint8_t gk_record_take_upto(struct gk_cbor *c, struct gk_span span, void *data, size_t max)
{
	if (span.len > max) {
		gk_cbor_fail(c, GK_ERR_RANGE);
		return 0;
	}
	if (span.len)
		memcpy(data, span.data, span.len);
	return (uint8_t)span.len;
}

struct gk_span gk_record_name_in_key(struct gk_span key)
{
	size_t len = 0;

	while (len < key.len && key.data[len])
		len++;
	return gk_span_sub(key, 0, len);
}

/* the KDC: [form, ES256 private key, EdDSA seed, P-256 and X25519 private keys for key agreement,
 *           P-256 private key for DTLS, sequence numbers are reserved up to]; an empty key: not
 *           made yet.
 * Form 3 has no key for DTLS; form 1 ends after the seed, form 2 after the keys. */

#define KDC_KEYS 5

static const uint8_t kdc_fields[GK_RECORD_FORMS] = { 0, 3, 5, 6, 7, 7 };
static const uint8_t kdc_keys[GK_RECORD_FORMS] = { 0, 2, 4, 4, 5, 5 };

static struct gk_key_pair *key_of(struct gk_kdc *kdc, size_t i)
{
	if (i < 4)
		return i < 2 ? &kdc->sign_key[i] : &kdc->dh_key[i - 2];
	return &kdc->raw_key;
}

void gk_record_kdc(struct gk_kdc *kdc)
{
	uint8_t bytes[200];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, kdc_fields);
	for (size_t i = 0; i < KDC_KEYS; i++)
		gk_record_put_raw(&buf, key_of(kdc, i)->d, key_of(kdc, i)->pub.crv ? 32 : 0);
	gk_put_uint(&buf, kdc->seq_limit);
	gk_record_store_value(kdc, GK_TABLE_KDC, gk_span("kdc", 3), &buf);
}

static enum gk_err restore_key(struct gk_kdc *kdc, size_t i, struct gk_span d)
{
	static const int curves[KDC_KEYS] = { GK_CRV_P256, GK_CRV_ED25519, GK_CRV_P256,
					      GK_CRV_X25519, GK_CRV_P256 };

	return d.len ? gk_key_from_private(curves[i], d, key_of(kdc, i)) : GK_OK;
}

/* Before the clients: what they were reserved is known then. */
static enum gk_err restore_kdc(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span d[KDC_KEYS] = { { NULL, 0 } };
	unsigned form = gk_record_take_head(&c, kdc_fields);
	uint64_t seq_limit = 0;
	enum gk_err err;

	(void)now;
	for (size_t i = 0; i < kdc_keys[form]; i++)
		d[i] = gk_cbor_bytes(&c);
	if (form >= 3)
		seq_limit = gk_cbor_uint(&c, SEQ_LIMIT_MAX);
	err = gk_cbor_end(&c);
	if (!err && kdc->clients_by_id.count)
		err = GK_ERR_STATE;
	for (size_t i = 0; !err && i < KDC_KEYS; i++)
		err = restore_key(kdc, i, d[i]);
	if (!err)
		kdc->seq_limit = seq_limit;
	return err;
}

/* a client: [form, name, scope, exp, alg, our id, its id, has ID Context, ID Context,
 *                 sender key, recipient key, Common IV, kdcchallenge, iat, exi number, session,
 *                 its token says that it is sleepy];
 * iat 0: not known; session: null, or what there is in place of alg to Common IV of a client that
 * comes by DTLS: [kid, pre-shared key, curve, x, y]; curve 0: none. Form 4 ends with the
 * session, form 3 has neither session nor exi number; 1 and 2 no iat either, and a limit of
 * reserved sequence numbers before kdcchallenge.
 */

static const uint8_t client_fields[GK_RECORD_FORMS] = { 0, 14, 14, 14, 16, 17 };

static void put_context(struct gk_buf *buf, const struct gk_oscore *ctx)
{
	gk_put_int(buf, ctx->aead ? ctx->aead->alg : 0);
	gk_put_bytes(buf, gk_id_span(&ctx->recipient_id));
	gk_put_bytes(buf, gk_id_span(&ctx->sender_id));
	gk_put_bool(buf, ctx->has_id_context);
	gk_record_put_raw(buf, ctx->id_context, ctx->id_context_len);
	gk_record_put_raw(buf, ctx->sender_key, ctx->aead ? sizeof(ctx->sender_key) : 0);
	gk_record_put_raw(buf, ctx->recipient_key, ctx->aead ? sizeof(ctx->recipient_key) : 0);
	gk_record_put_raw(buf, ctx->common_iv, ctx->aead ? sizeof(ctx->common_iv) : 0);
}

static void put_session(struct gk_buf *buf, const struct gk_session *session)
{
	const struct gk_public_key *key;

	if (!session) {
		gk_put_null(buf);
		return;
	}
	key = &session->public_key;
	gk_put_array(buf, 5);
	gk_record_put_raw(buf, session->kid, session->kid_len);
	gk_record_put_raw(buf, session->psk, session->psk_len);
	gk_put_int(buf, key->crv);
	gk_record_put_raw(buf, key->x, key->crv ? sizeof(key->x) : 0);
	gk_record_put_raw(buf, key->y, key->crv ? sizeof(key->y) : 0);
}

void gk_record_client(struct gk_kdc *kdc, const struct gk_client *client)
{
	uint8_t bytes[GK_RECORD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, client_fields);
	gk_record_put_raw(&buf, client->name, client->name_len);
	gk_put_bytes(&buf, gk_blob_span(&client->scope));
	gk_put_int(&buf, client->exp.s);
	put_context(&buf, &client->assoc.ctx);
	gk_record_put_raw(&buf, client->assoc.challenge, client->assoc.challenge_len);
	gk_put_int(&buf, client->iat.s);
	gk_put_uint(&buf, client->exi_number);
	put_session(&buf, client->session);
	gk_put_bool(&buf, client->sleepy);
	gk_record_store_value(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id), &buf);
}

void gk_record_client_gone(struct gk_kdc *kdc, const struct gk_client *client)
{
	gk_record_store_gone(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id));
}

static void take_context(struct gk_cbor *c, struct gk_oscore *ctx)
{
	int64_t alg = gk_cbor_int(c);

	ctx->aead = gk_aead_find(alg);
	gk_record_take_id(c, &ctx->recipient_id);
	gk_record_take_id(c, &ctx->sender_id);
	ctx->has_id_context = gk_cbor_bool(c);
	ctx->id_context_len =
		gk_record_take_upto(c, gk_cbor_bytes(c), ctx->id_context, sizeof(ctx->id_context));
	gk_record_take_raw(c, ctx->sender_key, alg ? sizeof(ctx->sender_key) : 0);
	gk_record_take_raw(c, ctx->recipient_key, alg ? sizeof(ctx->recipient_key) : 0);
	gk_record_take_raw(c, ctx->common_iv, alg ? sizeof(ctx->common_iv) : 0);
	if (alg && !ctx->aead)
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
}

/* Empty: there is none. */
static void take_challenge(struct gk_cbor *c, struct gk_association *assoc)
{
	assoc->challenge_len = gk_record_take_upto(c, gk_cbor_bytes(c), assoc->challenge,
						   sizeof(assoc->challenge));
	if (assoc->challenge_len && assoc->challenge_len != sizeof(assoc->challenge))
		gk_cbor_fail(c, GK_ERR_RANGE);
}

/* @return false: it comes by OSCORE */
static bool take_session(struct gk_cbor *c, struct gk_cwt *key)
{
	int crv;

	*key = (struct gk_cwt){ .has_osc = false };
	if (gk_cbor_peek(c) == GK_CBOR_NULL) {
		(void)gk_cbor_item(c, GK_CBOR_NULL);
		return false;
	}
	gk_cbor_array_of(c, 5);
	key->kid = gk_cbor_bytes(c);
	key->psk = gk_cbor_bytes(c);
	key->public_key.crv = (int)gk_cbor_uint(c, GK_CRV_ED25519);
	crv = key->public_key.crv;
	gk_record_take_raw(c, key->public_key.x, crv ? sizeof(key->public_key.x) : 0);
	gk_record_take_raw(c, key->public_key.y, crv ? sizeof(key->public_key.y) : 0);
	if (key->psk.len > GK_PSK_MAX || (!key->psk.len && !key->public_key.crv))
		gk_cbor_fail(c, GK_ERR_RANGE);
	return true;
}

/* It is called by its key: another key than that is damage. */
static enum gk_err restore_session(struct gk_kdc *kdc, struct gk_client *client,
				   const struct gk_cwt *key)
{
	struct gk_session session = { .kid_len = 0 };
	struct gk_id name;
	enum gk_err err = gk_session_read(kdc, (struct gk_span){ NULL, 0 }, key, &session, &name);

	if (!err && !gk_id_equal(&name, &client->id))
		err = GK_ERR_MALFORMED;
	if (!err)
		err = gk_session_set(kdc, client, &session);
	gk_wipe(&session, sizeof(session));
	return err;
}

/* @param key  of a client that comes by DTLS; of another one it has neither part */
static enum gk_err read_client(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_client *client, struct gk_cwt *key)
{
	struct gk_cbor c = gk_cbor(record->value);
	bool has_key = false;
	struct gk_span scope;
	unsigned form = gk_record_take_head(&c, client_fields);
	size_t entries;
	enum gk_err err;

	client->name_len =
		gk_record_take_upto(&c, gk_cbor_bytes(&c), client->name, sizeof(client->name));
	scope = gk_cbor_bytes(&c);
	client->exp.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	take_context(&c, &client->assoc.ctx);
	if (form < 3)
		client->assoc.ctx.seq_limit = gk_cbor_uint(&c, SEQ_LIMIT_MAX);
	take_challenge(&c, &client->assoc);
	if (form >= 3)
		client->iat.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	if (form >= 4)
		client->exi_number = gk_cbor_uint(&c, UINT64_MAX);
	if (form >= 4)
		has_key = take_session(&c, key);
	if (form >= 5)
		client->sleepy = gk_cbor_bool(&c);
	err = gk_cbor_end(&c);
	if (!err && has_key == (client->assoc.ctx.aead != NULL))
		err = GK_ERR_UNSUPPORTED;
	if (!err)
		err = gk_id_set(&client->id, record->key);
	if (!err)
		err = gk_scope_check_all(scope, &entries);
	return err ? err : gk_blob_set(&kdc->env, &client->scope, scope);
}

/* All that any association may have used is behind the limit of the KDC, and what was reserved for
 * this one alone moves that. It is stored again at once: the client's next record has no limit. */
static void resume_sequence(struct gk_kdc *kdc, struct gk_oscore *ctx)
{
	if (kdc->seq_limit < ctx->seq_limit) {
		kdc->seq_limit = ctx->seq_limit;
		gk_record_kdc(kdc);
	}
	ctx->seq_limit = kdc->seq_limit;
	ctx->seq = kdc->seq_limit;
}

static enum gk_err restore_client(struct gk_kdc *kdc, const struct gk_record *record,
				  struct gk_now now)
{
	struct gk_cwt key = { .has_osc = false };
	struct gk_client *client;
	enum gk_err err = gk_client_new(kdc, &client);

	if (err)
		return err;
	client->candidate = true; /* not linked by its id yet */
	err = read_client(kdc, record, client, &key);
	if (!err && gk_client_find(kdc, record->key))
		err = GK_ERR_DUPLICATE;
	if (!err && !client->assoc.ctx.aead)
		err = restore_session(kdc, client, &key);
	if (err) {
		gk_oscore_wipe(&client->assoc.ctx); /* nor by its kid */
		gk_client_free(kdc, client);
		return err;
	}
	client->candidate = false;
	resume_sequence(kdc, &client->assoc.ctx);
	gk_hash_add(&kdc->clients_by_id, &client->by_id, record->key);
	gk_client_arm_expiry(kdc, client, now);
	return client->session ? GK_OK : gk_client_link(kdc, client);
}

enum gk_err gk_record_restore(struct gk_kdc *kdc, const struct gk_record *record, struct gk_now now)
{
	static gk_record_restorer *const restore[] = {
		[GK_TABLE_KDC] = restore_kdc,
		[GK_TABLE_CLIENT] = restore_client,
		[GK_TABLE_GROUP] = gk_record_restore_group,
		[GK_TABLE_MEMBER] = gk_record_restore_node,
		[GK_TABLE_TREE] = gk_record_restore_tree,
		[GK_TABLE_CAST] = gk_record_restore_cast,
		[GK_TABLE_ISSUED] = gk_record_restore_issued,
		[GK_TABLE_MARK] = gk_record_restore_mark,
		[GK_TABLE_BAN] = gk_record_restore_ban,
		[GK_TABLE_REVOKED] = gk_record_restore_revoked,
	};
	size_t table = (size_t)record->table;

	if (table >= sizeof(restore) / sizeof(restore[0]) || !restore[table])
		return GK_ERR_UNSUPPORTED;
	return restore[table](kdc, record, now);
}
