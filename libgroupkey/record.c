// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Records of the store: CBOR arrays that begin with the version of their form. A restored object
 * goes on where the record was written; sequence numbers go on behind all that were reserved, and
 * the replay window is asked for anew with Echo (design section 7).
 *
 * Records are written in the newest form. Of the earlier ones, which are read too:
 *   1  had neither pairwise-only groups nor trees, and no sign_alg at the very first
 *   2  had no bans, revocations and issued tokens, and no group that has ended
 * Both reserved sequence numbers for each client, where there is one limit for the whole KDC now.
 */
#include "kdc.h"

#include <string.h>

#define FORM          3
#define FORMS         (FORM + 1) /* row 0: form 1 as it was at the very first */
#define RECORD_ROOM   1536
#define SEQ_LIMIT_MAX (GK_OSCORE_PIV_MAX + 1 + GK_SEQ_BLOCK)
#define NODE_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + 8)
#define CAST_ROOM     (GK_REKEYING_COAP_MAX + 32)

static void store(struct gk_kdc *kdc, const struct gk_record *record)
{
	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_STORE, .record = *record });
}

static void store_gone(struct gk_kdc *kdc, enum gk_table table, struct gk_span key)
{
	store(kdc, &(struct gk_record){ .table = table, .key = key });
}

/* A record that outgrew its room would be lost in silence: stop instead. */
static void store_content(struct gk_kdc *kdc, struct gk_record record, struct gk_buf *value)
{
	if (value->overflow)
		gk_queue_close(&kdc->queue);
	record.value = gk_buf_span(value);
	store(kdc, &record);
	gk_wipe(value->data, value->cap);
}

static void store_buf(struct gk_kdc *kdc, enum gk_table table, struct gk_span key,
		      struct gk_buf *value)
{
	store_content(kdc, (struct gk_record){ .table = table, .key = key }, value);
}

static void put_raw(struct gk_buf *buf, const uint8_t *data, size_t len)
{
	gk_put_bytes(buf, gk_span(data, len));
}

/* Read a byte string of exactly 'len' bytes into place. */
static void take_raw(struct gk_cbor *c, uint8_t *data, size_t len)
{
	struct gk_span span = gk_cbor_bytes(c);

	if (span.len == len)
		memcpy(data, span.data, len);
	else
		gk_cbor_fail(c, GK_ERR_RANGE);
}

static void take_id(struct gk_cbor *c, struct gk_id *id)
{
	if (gk_id_set(id, gk_cbor_bytes(c)))
		gk_cbor_fail(c, GK_ERR_RANGE);
}

/* Enter a record. @param fields  how many each form has; 0: there was no such record
 * @return its form; 0: the very first, or an error */
static unsigned take_head(struct gk_cbor *c, const uint8_t fields[static FORMS])
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
	else if (form < 1 || form > FORM || !fields[form])
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
	if (c->err)
		return 0;
	gk_cbor_array_of(c, fields[form]);
	(void)gk_cbor_uint(c, FORM);
	return (unsigned)form;
}

/* Up to 'max' bytes into place. @return how many */
static uint8_t take_upto(struct gk_cbor *c, struct gk_span span, void *data, size_t max)
{
	if (span.len > max) {
		gk_cbor_fail(c, GK_ERR_RANGE);
		return 0;
	}
	if (span.len)
		memcpy(data, span.data, span.len);
	return (uint8_t)span.len;
}

/* the KDC: [form, ES256 private key, EdDSA seed, P-256 and X25519 private keys for key agreement,
 *           sequence numbers are reserved up to]; an empty key: not made yet.
 * Form 1 ends after the seed, form 2 after the keys. */

#define KDC_KEYS 4

static const uint8_t kdc_fields[FORMS] = { 0, 3, 5, 6 };
static const uint8_t kdc_keys[FORMS] = { 0, 2, 4, 4 };

static struct gk_key_pair *key_of(struct gk_kdc *kdc, size_t i)
{
	return i < 2 ? &kdc->sign_key[i] : &kdc->dh_key[i - 2];
}

void gk_record_kdc(struct gk_kdc *kdc)
{
	uint8_t bytes[160];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, kdc_fields[FORM]);
	gk_put_uint(&buf, FORM);
	for (size_t i = 0; i < KDC_KEYS; i++)
		put_raw(&buf, key_of(kdc, i)->d, key_of(kdc, i)->pub.crv ? 32 : 0);
	gk_put_uint(&buf, kdc->seq_limit);
	store_buf(kdc, GK_TABLE_KDC, gk_span("kdc", 3), &buf);
}

static enum gk_err restore_key(struct gk_kdc *kdc, size_t i, struct gk_span d)
{
	static const int curves[KDC_KEYS] = { GK_CRV_P256, GK_CRV_ED25519, GK_CRV_P256,
					      GK_CRV_X25519 };

	return d.len ? gk_key_from_private(curves[i], d, key_of(kdc, i)) : GK_OK;
}

/* Before the clients: what they were reserved is known then. */
static enum gk_err restore_kdc(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span d[KDC_KEYS] = { { NULL, 0 } };
	unsigned form = take_head(&c, kdc_fields);
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
 *                 sender key, recipient key, Common IV, kdcchallenge, iat]; iat 0: not known.
 * Forms 1 and 2 have a limit of reserved sequence numbers before kdcchallenge, and no iat. */

static const uint8_t client_fields[FORMS] = { 0, 14, 14, 14 };

static void put_context(struct gk_buf *buf, const struct gk_oscore *ctx)
{
	gk_put_int(buf, ctx->aead->alg);
	gk_put_bytes(buf, gk_id_span(&ctx->recipient_id));
	gk_put_bytes(buf, gk_id_span(&ctx->sender_id));
	gk_put_bool(buf, ctx->has_id_context);
	put_raw(buf, ctx->id_context, ctx->id_context_len);
	put_raw(buf, ctx->sender_key, sizeof(ctx->sender_key));
	put_raw(buf, ctx->recipient_key, sizeof(ctx->recipient_key));
	put_raw(buf, ctx->common_iv, sizeof(ctx->common_iv));
}

void gk_record_client(struct gk_kdc *kdc, const struct gk_client *client)
{
	uint8_t bytes[RECORD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, client_fields[FORM]);
	gk_put_uint(&buf, FORM);
	put_raw(&buf, client->name, client->name_len);
	gk_put_bytes(&buf, gk_blob_span(&client->scope));
	gk_put_int(&buf, client->exp.s);
	put_context(&buf, &client->assoc.ctx);
	put_raw(&buf, client->assoc.challenge, sizeof(client->assoc.challenge));
	gk_put_int(&buf, client->iat.s);
	store_buf(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id), &buf);
}

void gk_record_client_gone(struct gk_kdc *kdc, const struct gk_client *client)
{
	store_gone(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id));
}

static void take_context(struct gk_cbor *c, struct gk_oscore *ctx)
{
	ctx->aead = gk_aead_find(gk_cbor_int(c));
	take_id(c, &ctx->recipient_id);
	take_id(c, &ctx->sender_id);
	ctx->has_id_context = gk_cbor_bool(c);
	ctx->id_context_len =
		take_upto(c, gk_cbor_bytes(c), ctx->id_context, sizeof(ctx->id_context));
	take_raw(c, ctx->sender_key, sizeof(ctx->sender_key));
	take_raw(c, ctx->recipient_key, sizeof(ctx->recipient_key));
	take_raw(c, ctx->common_iv, sizeof(ctx->common_iv));
	if (!ctx->aead)
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
}

static enum gk_err read_client(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_client *client)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span scope;
	unsigned form = take_head(&c, client_fields);
	size_t entries;
	enum gk_err err;

	client->name_len = take_upto(&c, gk_cbor_bytes(&c), client->name, sizeof(client->name));
	scope = gk_cbor_bytes(&c);
	client->exp.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	take_context(&c, &client->assoc.ctx);
	if (form < 3)
		client->assoc.ctx.seq_limit = gk_cbor_uint(&c, SEQ_LIMIT_MAX);
	take_raw(&c, client->assoc.challenge, sizeof(client->assoc.challenge));
	if (form >= 3)
		client->iat.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	err = gk_cbor_end(&c);
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
	struct gk_client *client;
	enum gk_err err = gk_client_new(kdc, &client);

	if (err)
		return err;
	client->candidate = true; /* not linked by its id yet */
	err = read_client(kdc, record, client);
	if (!err && gk_client_find(kdc, record->key))
		err = GK_ERR_DUPLICATE;
	if (err) {
		gk_oscore_wipe(&client->assoc.ctx); /* nor by its kid */
		gk_client_free(kdc, client);
		return err;
	}
	client->candidate = false;
	resume_sequence(kdc, &client->assoc.ctx);
	gk_hash_add(&kdc->clients_by_id, &client->by_id, record->key);
	gk_client_arm_expiry(kdc, client, now);
	return gk_client_link(kdc, client);
}

/* a group: [form, num, used, rekeying pending, Gid prefix, Master Secret, made, next node,
 *                [* [num, [* Sender ID]]], sign_alg, Base IV, height of the tree,
 *                [* slot left since the last rekeying], mode, ended]; ended: then only num and Gid
 *                prefix have a meaning.
 * Form 1 ends after the sets or after sign_alg, form 2 after the mode. */

#define GROUP_ROOM 160

static const uint8_t group_fields[FORMS] = { 9, 10, 14, 15 };

static size_t lists_room(const struct gk_group *group)
{
	size_t room = 0;

	for (size_t i = 0; i < group->stale_count; i++)
		room += 24 + 9 * group->stale[i].count;
	return room + 3 * group->tree.left_count;
}

static void put_stale_set(struct gk_buf *buf, const struct gk_stale_set *set)
{
	gk_put_array(buf, 2);
	gk_put_int(buf, set->num);
	gk_put_array(buf, set->count);
	for (size_t i = 0; i < set->count; i++)
		gk_put_bytes(buf, gk_id_span(&set->ids[i]));
}

static void put_group(struct gk_buf *buf, const struct gk_group *group)
{
	gk_put_array(buf, group_fields[FORM]);
	gk_put_uint(buf, FORM);
	gk_put_int(buf, group->num);
	gk_put_bool(buf, group->used);
	gk_put_bool(buf, group->rekey_pending);
	put_raw(buf, group->gid_prefix, sizeof(group->gid_prefix));
	put_raw(buf, group->ms, sizeof(group->ms));
	gk_put_int(buf, group->made.s);
	gk_put_uint(buf, group->next_node);
	gk_put_array(buf, group->stale_count);
	for (size_t i = 0; i < group->stale_count; i++)
		put_stale_set(buf, &group->stale[i]);
	gk_put_int(buf, group->config.sign_alg);
	put_raw(buf, group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
	gk_put_uint(buf, group->tree.keyed_height);
	gk_put_array(buf, group->tree.left_count);
	for (size_t i = 0; i < group->tree.left_count; i++)
		gk_put_uint(buf, group->tree.left[i]);
	gk_put_uint(buf, group->config.mode);
	gk_put_bool(buf, group->ended);
}

void gk_record_group(struct gk_group *group)
{
	struct gk_kdc *kdc = group->kdc;
	size_t room = GROUP_ROOM + lists_room(group);
	uint8_t *bytes = gk_alloc(&kdc->env, room);
	struct gk_buf buf = gk_buf(bytes, room);

	if (!bytes) {
		gk_queue_close(&kdc->queue);
		return;
	}
	put_group(&buf, group);
	store_buf(kdc, GK_TABLE_GROUP, gk_group_name(group), &buf);
	gk_free(&kdc->env, bytes, room);
}

static void take_stale_set(struct gk_cbor *c, struct gk_group *group)
{
	struct gk_cbor_iter ids;

	gk_cbor_array_of(c, 2);
	group->stale[group->stale_count++].num = gk_cbor_int(c);
	ids = gk_cbor_array(c);
	while (gk_cbor_more(c, &ids)) {
		struct gk_id id;

		take_id(c, &id);
		if (!c->err && gk_group_add_stale(group, &id))
			gk_cbor_fail(c, GK_ERR_NO_MEMORY);
	}
}

static void take_stale(struct gk_cbor *c, struct gk_group *group)
{
	struct gk_cbor_iter sets = gk_cbor_array(c);

	group->stale_count = 0;
	while (gk_cbor_more(c, &sets)) {
		if (group->stale_count == GK_STALE_SETS_MAX) {
			gk_cbor_fail(c, GK_ERR_RANGE);
			return;
		}
		take_stale_set(c, group);
	}
	if (!group->stale_count || gk_group_stale_now(group)->num != group->num)
		gk_cbor_fail(c, GK_ERR_RANGE);
}

static void take_tree(struct gk_cbor *c, struct gk_group *group)
{
	struct gk_cbor_iter left;
	enum gk_err err = GK_OK;

	take_raw(c, group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
	err = gk_keytree_restore_height(&group->tree, (uint8_t)gk_cbor_uint(c, GK_TREE_HEIGHT_MAX));
	left = gk_cbor_array(c);
	while (!err && gk_cbor_more(c, &left))
		err = gk_keytree_restore_left(&group->tree, (uint16_t)gk_cbor_uint(c, UINT16_MAX));
	if (err)
		gk_cbor_fail(c, err);
}

/* A group from before there were trees has no Base IV, and nobody was told of one. */
static void make_base_iv(struct gk_cbor *c, struct gk_group *group)
{
	if (gk_random(&group->kdc->env, group->tree.group.base_iv,
		      sizeof(group->tree.group.base_iv)))
		gk_cbor_fail(c, GK_ERR_ENTROPY);
}

/* At the very first, sign_alg was what the KDC had a key for. If it had both, members tell. */
static int only_sign_alg(const struct gk_kdc *kdc)
{
	bool es256 = kdc->sign_key[0].pub.crv, eddsa = kdc->sign_key[1].pub.crv;

	return es256 == eddsa ? 0 : es256 ? GK_ALG_ES256 : GK_ALG_EDDSA;
}

static void take_material(struct gk_cbor *c, struct gk_group *group)
{
	group->num = (int64_t)gk_cbor_uint(c, UINT32_MAX);
	group->used = gk_cbor_bool(c);
	group->rekey_pending = gk_cbor_bool(c);
	take_raw(c, group->gid_prefix, sizeof(group->gid_prefix));
	take_raw(c, group->ms, sizeof(group->ms));
	group->made.s = (int64_t)gk_cbor_uint(c, INT64_MAX);
	group->next_node = gk_cbor_uint(c, INT64_MAX);
	take_stale(c, group);
}

static enum gk_err read_group(struct gk_cbor *c, struct gk_group *group)
{
	unsigned form = take_head(c, group_fields);

	take_material(c, group);
	group->config.sign_alg = form ? (int)gk_cbor_int(c) : only_sign_alg(group->kdc);
	if (form >= 2) {
		take_tree(c, group);
		group->config.mode = (enum gk_mode)gk_cbor_uint(c, GK_MODE_PAIRWISE);
	} else {
		make_base_iv(c, group);
	}
	if (form >= 3)
		group->ended = gk_cbor_bool(c);
	return gk_cbor_end(c);
}

static enum gk_err restore_group(struct gk_kdc *kdc, const struct gk_record *record,
				 struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_group *group;
	enum gk_err err;

	(void)now;
	if (gk_group_find(kdc, record->key))
		return GK_ERR_DUPLICATE;
	err = gk_group_new(kdc, record->key, &group);
	if (err)
		return err;
	err = read_group(&c, group);
	if (err) {
		gk_group_free(group);
		return err;
	}
	group->inherited = true;
	if (kdc->high_num < group->num)
		kdc->high_num = group->num;
	return GK_OK;
}

/* a member, under group name | 0 | number: [form, client, number, roles, has Sender ID,
 *      Sender ID, credential, clientchallenge, has control_uri, ip, port, scope, path, num,
 *      is in the tree, slot].
 * Form 1 ends after num. */

static const uint8_t node_fields[FORMS] = { 0, 14, 16, 16 };

static struct gk_span node_key(const struct gk_node *node, uint8_t bytes[static NODE_KEY_ROOM])
{
	struct gk_buf buf = gk_buf(bytes, NODE_KEY_ROOM);

	gk_buf_add(&buf, gk_group_name(node->group));
	gk_buf_byte(&buf, 0);
	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(&buf, (uint8_t)(node->number >> shift));
	return gk_buf_span(&buf);
}

static void record_node(const struct gk_node *node, bool may_wait)
{
	uint8_t bytes[RECORD_ROOM], key[NODE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, node_fields[FORM]);
	gk_put_uint(&buf, FORM);
	gk_put_bytes(&buf, gk_id_span(&node->client->id));
	gk_put_uint(&buf, node->number);
	gk_put_uint(&buf, node->roles);
	gk_put_bool(&buf, node->has_sid);
	gk_put_bytes(&buf, gk_id_span(&node->sid));
	gk_put_bytes(&buf, gk_blob_span(&node->cred));
	put_raw(&buf, node->n_c, node->n_c_len);
	gk_put_bool(&buf, node->has_control);
	put_raw(&buf, node->address.ip, sizeof(node->address.ip));
	gk_put_uint(&buf, node->address.port);
	gk_put_uint(&buf, node->address.scope);
	gk_put_bytes(&buf, gk_blob_span(&node->control_path));
	gk_put_int(&buf, node->num);
	gk_put_bool(&buf, node->in_tree);
	gk_put_uint(&buf, node->slot);
	store_content(node->group->kdc,
		      (struct gk_record){ .table = GK_TABLE_MEMBER,
					  .key = node_key(node, key),
					  .may_wait = may_wait },
		      &buf);
}

void gk_record_node(const struct gk_node *node)
{
	record_node(node, false);
}

void gk_record_node_num(const struct gk_node *node)
{
	record_node(node, true);
}

void gk_record_node_gone(const struct gk_node *node)
{
	uint8_t key[NODE_KEY_ROOM];

	store_gone(node->group->kdc, GK_TABLE_MEMBER, node_key(node, key));
}

static void take_blob(struct gk_cbor *c, struct gk_kdc *kdc, struct gk_blob *blob)
{
	if (gk_blob_set(&kdc->env, blob, gk_cbor_bytes(c)))
		gk_cbor_fail(c, GK_ERR_NO_MEMORY);
}

static enum gk_err read_node(struct gk_cbor *c, unsigned form, struct gk_kdc *kdc,
			     struct gk_node *node)
{
	node->number = gk_cbor_uint(c, INT64_MAX);
	node->roles = (uint32_t)gk_cbor_uint(c, GK_ROLE_ALL);
	node->has_sid = gk_cbor_bool(c);
	take_id(c, &node->sid);
	take_blob(c, kdc, &node->cred);
	node->n_c_len = take_upto(c, gk_cbor_bytes(c), node->n_c, sizeof(node->n_c));
	node->has_control = gk_cbor_bool(c);
	take_raw(c, node->address.ip, sizeof(node->address.ip));
	node->address.port = (uint16_t)gk_cbor_uint(c, UINT16_MAX);
	node->address.scope = (uint32_t)gk_cbor_uint(c, UINT32_MAX);
	take_blob(c, kdc, &node->control_path);
	node->num = gk_cbor_int(c);
	if (form >= 2) {
		node->in_tree = gk_cbor_bool(c);
		node->slot = (uint16_t)gk_cbor_uint(c, UINT16_MAX);
	}
	return gk_cbor_end(c);
}

static struct gk_span name_in_key(struct gk_span key)
{
	size_t len = 0;

	while (len < key.len && key.data[len])
		len++;
	return gk_span_sub(key, 0, len);
}

/* Nothing belongs to a group that has ended. */
static struct gk_group *group_of_key(const struct gk_kdc *kdc, struct gk_span key)
{
	struct gk_group *group = gk_group_find(kdc, name_in_key(key));

	return group && !group->ended ? group : NULL;
}

/* Its number is in its key, and neither that nor its version is one that the group has not had. */
static bool is_of_group(const struct gk_node *node, struct gk_span key)
{
	uint8_t bytes[NODE_KEY_ROOM];

	return gk_span_equal(node_key(node, bytes), key) &&
	       node->number <= node->group->next_node && node->num <= node->group->num;
}

/* A group whose record does not say it has the algorithm of its members' credentials. */
static void learn_sign_alg(struct gk_group *group, const struct gk_node *node)
{
	struct gk_public_key key;

	if (group->config.sign_alg || gk_ccs_read(gk_blob_span(&node->cred), &key))
		return;
	group->config.sign_alg = key.crv == GK_CRV_P256 ? GK_ALG_ES256 : GK_ALG_EDDSA;
}

static enum gk_err restore_node(struct gk_kdc *kdc, const struct gk_record *record,
				struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_group *group = group_of_key(kdc, record->key);
	struct gk_client *client;
	struct gk_node *node;
	unsigned form = take_head(&c, node_fields);
	enum gk_err err;

	client = gk_client_find(kdc, gk_cbor_bytes(&c));
	if (c.err)
		return c.err;
	if (!group || !client || gk_group_node_of(group, client))
		return GK_ERR_UNKNOWN;
	err = gk_node_new(group, client, &node);
	if (err)
		return err;
	err = read_node(&c, form, kdc, node);
	if (!err && !is_of_group(node, record->key))
		err = GK_ERR_RANGE;
	if (!err && node->in_tree)
		err = gk_mgt_restore(node);
	if (!err)
		err = gk_group_add(node, now);
	if (err)
		gk_node_free(node);
	else
		learn_sign_alg(group, node);
	return err;
}

/* a key of the tree, under group name | 0 | level | index: [form, version, key] */

#define TREE_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + 3)

static const uint8_t tree_fields[FORMS] = { 0, 0, 3, 3 };

static void put_key(struct gk_buf *key, const struct gk_group *group, size_t number, int bytes)
{
	gk_buf_add(key, gk_group_name(group));
	gk_buf_byte(key, 0);
	while (bytes-- > 0)
		gk_buf_byte(key, (uint8_t)(number >> 8 * bytes));
}

void gk_record_tree(struct gk_group *group, struct gk_tree_name name)
{
	const struct gk_keytree_node *node = gk_keytree_node(&group->tree, name);
	uint8_t bytes[40], key_bytes[TREE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));

	put_key(&key, group, (size_t)name.level << 16 | name.index, 3);
	if (node->has_key) {
		gk_put_array(&buf, tree_fields[FORM]);
		gk_put_uint(&buf, FORM);
		gk_put_uint(&buf, node->key.version);
		put_raw(&buf, node->key.bytes, sizeof(node->key.bytes));
	}
	store_buf(group->kdc, GK_TABLE_TREE, gk_buf_span(&key), &buf);
}

/* @return the number after the group's name and 0, or SIZE_MAX: not of so many bytes */
static size_t number_of_key(const struct gk_group *group, struct gk_span key, size_t bytes)
{
	struct gk_span number = gk_span_sub(key, group->name_len + 1u, key.len);

	return number.len == bytes ? (size_t)gk_span_uint(number) : SIZE_MAX;
}

static enum gk_err read_tree(struct gk_cbor *c, const struct gk_group *group,
			     struct gk_tree_key *key)
{
	(void)take_head(c, tree_fields);
	key->version = (uint32_t)gk_cbor_uint(c, (uint64_t)group->num);
	take_raw(c, key->bytes, sizeof(key->bytes));
	return gk_cbor_end(c);
}

static enum gk_err restore_tree(struct gk_kdc *kdc, const struct gk_record *record,
				struct gk_now now)
{
	struct gk_group *group = group_of_key(kdc, record->key);
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_tree_name name;
	struct gk_tree_key key;
	size_t number;
	enum gk_err err;

	(void)now;
	if (!group)
		return GK_ERR_UNKNOWN;
	number = number_of_key(group, record->key, 3);
	name = (struct gk_tree_name){ (uint8_t)(number >> 16), (uint16_t)number };
	err = read_tree(&c, group, &key);
	if (!err && !gk_keytree_node(&group->tree, name)) /* nor if it is no number */
		err = GK_ERR_RANGE;
	if (!err && gk_keytree_node(&group->tree, name)->has_key)
		err = GK_ERR_DUPLICATE;
	if (!err)
		err = gk_keytree_restore_key(&group->tree, name, &key);
	gk_wipe(&key, sizeof(key));
	return err;
}

/* the newest rekeying message, under group name | 0 | part: [form, num, message] */

static const uint8_t cast_fields[FORMS] = { 0, 0, 3, 3 };

static void record_part(struct gk_group *group, size_t part, const struct gk_cast *cast)
{
	uint8_t bytes[CAST_ROOM], key_bytes[TREE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));

	put_key(&key, group, part, 2);
	if (part < cast->count) {
		gk_put_array(&buf, cast_fields[FORM]);
		gk_put_uint(&buf, FORM);
		gk_put_int(&buf, cast->num);
		gk_put_bytes(&buf, gk_blob_span(&cast->parts[part]));
	}
	store_buf(group->kdc, GK_TABLE_CAST, gk_buf_span(&key), &buf);
}

void gk_record_cast(struct gk_group *group, const struct gk_cast *cast, size_t before)
{
	for (size_t i = 0; i < cast->count || i < before; i++)
		record_part(group, i, cast);
}

static enum gk_err restore_cast(struct gk_kdc *kdc, const struct gk_record *record,
				struct gk_now now)
{
	struct gk_group *group = group_of_key(kdc, record->key);
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span message;
	int64_t num;
	enum gk_err err;

	(void)now;
	if (!group)
		return GK_ERR_UNKNOWN;
	(void)take_head(&c, cast_fields);
	num = gk_cbor_int(&c);
	message = gk_cbor_bytes(&c);
	err = gk_cbor_end(&c);
	return err ? err
		   : gk_cast_restore(group, number_of_key(group, record->key, 2), num, message);
}

/* how far things have come, under "mark": [form, the highest num, the highest cti, the num that new
 * groups begin with]; highest num -1: none */

static const uint8_t mark_fields[FORMS] = { 0, 0, 0, 4 };

void gk_record_mark(struct gk_kdc *kdc)
{
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, mark_fields[FORM]);
	gk_put_uint(&buf, FORM);
	gk_put_int(&buf, kdc->high_num);
	gk_put_uint(&buf, kdc->high_cti);
	gk_put_int(&buf, kdc->first_num);
	store_buf(kdc, GK_TABLE_MARK, gk_span_str("mark"), &buf);
}

static enum gk_err restore_mark(struct gk_kdc *kdc, const struct gk_record *record,
				struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	uint64_t cti;
	int64_t num, first;
	enum gk_err err;

	(void)now;
	(void)take_head(&c, mark_fields);
	num = gk_cbor_int(&c);
	cti = gk_cbor_uint(&c, INT64_MAX);
	first = (int64_t)gk_cbor_uint(&c, UINT32_MAX);
	err = gk_cbor_end(&c);
	if (!err &&
	    (num < -1 || num > UINT32_MAX || !gk_span_equal(record->key, gk_span_str("mark"))))
		err = GK_ERR_RANGE;
	if (err)
		return err;
	if (kdc->high_num < num)
		kdc->high_num = num;
	if (kdc->high_cti < cti)
		kdc->high_cti = cti;
	if (kdc->first_num < first)
		kdc->first_num = first;
	return GK_OK;
}

/* a token that was issued, under its cti: [form, client, name, scope, exp] */

#define CTI_LEN 8

static const uint8_t issued_fields[FORMS] = { 0, 0, 0, 5 };

static struct gk_span cti_key(const struct gk_issued *issued, uint8_t bytes[static CTI_LEN])
{
	for (size_t i = 0; i < CTI_LEN; i++)
		bytes[i] = (uint8_t)(issued->cti >> 8 * (CTI_LEN - 1 - i));
	return gk_span(bytes, CTI_LEN);
}

void gk_record_issued(struct gk_kdc *kdc, const struct gk_issued *issued)
{
	uint8_t bytes[RECORD_ROOM], key[CTI_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, issued_fields[FORM]);
	gk_put_uint(&buf, FORM);
	gk_put_bytes(&buf, gk_id_span(&issued->client));
	put_raw(&buf, issued->name, issued->name_len);
	gk_put_bytes(&buf, gk_blob_span(&issued->scope));
	gk_put_int(&buf, issued->exp.s);
	store_buf(kdc, GK_TABLE_ISSUED, cti_key(issued, key), &buf);
}

void gk_record_issued_gone(struct gk_kdc *kdc, const struct gk_issued *issued)
{
	uint8_t key[CTI_LEN];

	store_gone(kdc, GK_TABLE_ISSUED, cti_key(issued, key));
}

static enum gk_err read_issued(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_issued *issued)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span scope;
	size_t entries;
	enum gk_err err;

	(void)take_head(&c, issued_fields);
	take_id(&c, &issued->client);
	issued->name_len = take_upto(&c, gk_cbor_bytes(&c), issued->name, sizeof(issued->name));
	scope = gk_cbor_bytes(&c);
	issued->exp.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	issued->cti = gk_span_uint(record->key);
	if (record->key.len != CTI_LEN || issued->cti < 1 || issued->cti > INT64_MAX)
		gk_cbor_fail(&c, GK_ERR_RANGE);
	err = gk_cbor_end(&c);
	if (!err)
		err = gk_scope_check_all(scope, &entries);
	return err ? err : gk_blob_set(&kdc->env, &issued->scope, scope);
}

static enum gk_err restore_issued(struct gk_kdc *kdc, const struct gk_record *record,
				  struct gk_now now)
{
	struct gk_issued *issued = gk_alloc(&kdc->env, sizeof(*issued));
	enum gk_err err;

	(void)now;
	if (!issued)
		return GK_ERR_NO_MEMORY;
	err = read_issued(kdc, record, issued);
	if (!err)
		err = gk_ledger_restore_issued(kdc, issued);
	if (!err)
		return GK_OK;
	gk_blob_wipe(&kdc->env, &issued->scope);
	gk_free(&kdc->env, issued, sizeof(*issued));
	return err;
}

/* a client whose tokens are refused, under its id: [form, name, until] */

static const uint8_t revoked_fields[FORMS] = { 0, 0, 0, 3 };

void gk_record_revoked(struct gk_kdc *kdc, const struct gk_revoked *revoked)
{
	uint8_t bytes[GK_NAME_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, revoked_fields[FORM]);
	gk_put_uint(&buf, FORM);
	put_raw(&buf, revoked->name, revoked->name_len);
	gk_put_int(&buf, revoked->until.s);
	store_buf(kdc, GK_TABLE_REVOKED, gk_id_span(&revoked->client), &buf);
}

void gk_record_revoked_gone(struct gk_kdc *kdc, const struct gk_revoked *revoked)
{
	store_gone(kdc, GK_TABLE_REVOKED, gk_id_span(&revoked->client));
}

static enum gk_err read_revoked(const struct gk_record *record, struct gk_revoked *revoked)
{
	struct gk_cbor c = gk_cbor(record->value);

	(void)take_head(&c, revoked_fields);
	revoked->name_len = take_upto(&c, gk_cbor_bytes(&c), revoked->name, sizeof(revoked->name));
	revoked->until.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	if (gk_id_set(&revoked->client, record->key))
		gk_cbor_fail(&c, GK_ERR_RANGE);
	return gk_cbor_end(&c);
}

static enum gk_err restore_revoked(struct gk_kdc *kdc, const struct gk_record *record,
				   struct gk_now now)
{
	struct gk_revoked *revoked = gk_alloc(&kdc->env, sizeof(*revoked));
	enum gk_err err;

	(void)now;
	if (!revoked)
		return GK_ERR_NO_MEMORY;
	err = read_revoked(record, revoked);
	if (!err)
		err = gk_ledger_restore_revoked(kdc, revoked);
	if (err)
		gk_free(&kdc->env, revoked, sizeof(*revoked));
	return err;
}

/* a client kept out of a group, under group name | 0 | client: [form, name, node name] */

#define BAN_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + sizeof(((struct gk_id *)NULL)->data))

static const uint8_t ban_fields[FORMS] = { 0, 0, 0, 3 };

static struct gk_span ban_key(const struct gk_ban *ban, uint8_t bytes[static BAN_KEY_ROOM])
{
	struct gk_buf buf = gk_buf(bytes, BAN_KEY_ROOM);

	gk_buf_add(&buf, gk_span(ban->group, ban->group_len));
	gk_buf_byte(&buf, 0);
	gk_buf_add(&buf, gk_id_span(&ban->client));
	return gk_buf_span(&buf);
}

void gk_record_ban(struct gk_kdc *kdc, const struct gk_ban *ban)
{
	uint8_t bytes[GK_NAME_MAX + sizeof(ban->node) + 16], key[BAN_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, ban_fields[FORM]);
	gk_put_uint(&buf, FORM);
	put_raw(&buf, ban->name, ban->name_len);
	gk_put_bytes(&buf, gk_span(ban->node, ban->node_len));
	store_buf(kdc, GK_TABLE_BAN, ban_key(ban, key), &buf);
}

void gk_record_ban_gone(struct gk_kdc *kdc, const struct gk_ban *ban)
{
	uint8_t key[BAN_KEY_ROOM];

	store_gone(kdc, GK_TABLE_BAN, ban_key(ban, key));
}

static void take_ban_key(struct gk_cbor *c, struct gk_span key, struct gk_ban *ban)
{
	struct gk_span group = name_in_key(key);

	ban->group_len = take_upto(c, group, ban->group, sizeof(ban->group));
	if (!group.len || group.len == key.len ||
	    gk_id_set(&ban->client, gk_span_sub(key, group.len + 1, key.len)))
		gk_cbor_fail(c, GK_ERR_RANGE);
}

static enum gk_err read_ban(const struct gk_record *record, struct gk_ban *ban)
{
	struct gk_cbor c = gk_cbor(record->value);

	(void)take_head(&c, ban_fields);
	ban->name_len = take_upto(&c, gk_cbor_bytes(&c), ban->name, sizeof(ban->name));
	ban->node_len = take_upto(&c, gk_cbor_bytes(&c), ban->node, sizeof(ban->node));
	take_ban_key(&c, record->key, ban);
	return gk_cbor_end(&c);
}

static enum gk_err restore_ban(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_now now)
{
	struct gk_ban *ban = gk_alloc(&kdc->env, sizeof(*ban));
	enum gk_err err;

	(void)now;
	if (!ban)
		return GK_ERR_NO_MEMORY;
	err = read_ban(record, ban);
	if (!err)
		err = gk_ledger_restore_ban(kdc, ban);
	if (err)
		gk_free(&kdc->env, ban, sizeof(*ban));
	return err;
}

enum gk_err gk_record_restore(struct gk_kdc *kdc, const struct gk_record *record, struct gk_now now)
{
	static enum gk_err (*const restore[])(struct gk_kdc *, const struct gk_record *,
					      struct gk_now) = {
		[GK_TABLE_KDC] = restore_kdc,       [GK_TABLE_CLIENT] = restore_client,
		[GK_TABLE_GROUP] = restore_group,   [GK_TABLE_MEMBER] = restore_node,
		[GK_TABLE_TREE] = restore_tree,     [GK_TABLE_CAST] = restore_cast,
		[GK_TABLE_ISSUED] = restore_issued, [GK_TABLE_MARK] = restore_mark,
		[GK_TABLE_BAN] = restore_ban,       [GK_TABLE_REVOKED] = restore_revoked,
	};
	size_t table = (size_t)record->table;

	if (table >= sizeof(restore) / sizeof(restore[0]) || !restore[table])
		return GK_ERR_UNSUPPORTED;
	return restore[table](kdc, record, now);
}
