// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Records of the store: CBOR arrays that begin with the version of their form. A restored object
 * goes on where the record was written; sequence numbers go on behind the reserved block, and the
 * replay window is asked for anew with Echo (design section 7).
 */
#include "kdc.h"

#include <string.h>

#define FORM          2
#define RECORD_ROOM   1536
#define NODE_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + 8)
#define CAST_ROOM     (GK_REKEYING_COAP_MAX + 32)

static void store(struct gk_kdc *kdc, enum gk_table table, struct gk_span key, struct gk_span value)
{
	gk_queue_add(&kdc->queue,
		     &(struct gk_event){ .kind = GK_EVENT_STORE, .record = { table, key, value } });
}

/* A record that outgrew its room would be lost in silence: stop instead. */
static void store_buf(struct gk_kdc *kdc, enum gk_table table, struct gk_span key,
		      struct gk_buf *value)
{
	if (value->overflow)
		gk_queue_close(&kdc->queue);
	store(kdc, table, key, gk_buf_span(value));
	gk_wipe(value->data, value->cap);
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

static void take_form(struct gk_cbor *c)
{
	if (gk_cbor_uint(c, UINT32_MAX) != FORM)
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
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

/* the KDC: [form, ES256 private key, EdDSA seed, P-256 and X25519 private keys for key agreement];
 *          empty: not made yet */

#define KDC_FIELDS 5
#define KDC_KEYS   4

static struct gk_key_pair *key_of(struct gk_kdc *kdc, size_t i)
{
	return i < 2 ? &kdc->sign_key[i] : &kdc->dh_key[i - 2];
}

void gk_record_kdc(struct gk_kdc *kdc)
{
	uint8_t bytes[160];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, KDC_FIELDS);
	gk_put_uint(&buf, FORM);
	for (size_t i = 0; i < KDC_KEYS; i++)
		put_raw(&buf, key_of(kdc, i)->d, key_of(kdc, i)->pub.crv ? 32 : 0);
	store_buf(kdc, GK_TABLE_KDC, gk_span("kdc", 3), &buf);
}

static enum gk_err restore_key(struct gk_kdc *kdc, size_t i, struct gk_span d)
{
	static const int curves[KDC_KEYS] = { GK_CRV_P256, GK_CRV_ED25519, GK_CRV_P256,
					      GK_CRV_X25519 };

	return d.len ? gk_key_from_private(curves[i], d, key_of(kdc, i)) : GK_OK;
}

static enum gk_err restore_kdc(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span d[KDC_KEYS];
	enum gk_err err;

	(void)now;
	gk_cbor_array_of(&c, KDC_FIELDS);
	take_form(&c);
	for (size_t i = 0; i < KDC_KEYS; i++)
		d[i] = gk_cbor_bytes(&c);
	err = gk_cbor_end(&c);
	for (size_t i = 0; !err && i < KDC_KEYS; i++)
		err = restore_key(kdc, i, d[i]);
	return err;
}

/* a client: [form, name, scope, exp, alg, our id, its id, has ID Context, ID Context,
 *                 sender key, recipient key, Common IV, reserved up to, kdcchallenge] */

#define CLIENT_FIELDS 14

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
	gk_put_uint(buf, ctx->seq_limit);
}

void gk_record_client(struct gk_kdc *kdc, const struct gk_client *client)
{
	uint8_t bytes[RECORD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, CLIENT_FIELDS);
	gk_put_uint(&buf, FORM);
	put_raw(&buf, client->name, client->name_len);
	gk_put_bytes(&buf, gk_blob_span(&client->scope));
	gk_put_int(&buf, client->exp.s);
	put_context(&buf, &client->assoc.ctx);
	put_raw(&buf, client->assoc.challenge, sizeof(client->assoc.challenge));
	store_buf(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id), &buf);
}

void gk_record_client_gone(struct gk_kdc *kdc, const struct gk_client *client)
{
	store(kdc, GK_TABLE_CLIENT, gk_id_span(&client->id), (struct gk_span){ NULL, 0 });
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
	ctx->seq_limit = gk_cbor_uint(c, GK_OSCORE_PIV_MAX + 1);
	ctx->seq = ctx->seq_limit;
	if (!ctx->aead)
		gk_cbor_fail(c, GK_ERR_UNSUPPORTED);
}

static enum gk_err read_client(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_client *client)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span scope;
	size_t entries;
	enum gk_err err;

	gk_cbor_array_of(&c, CLIENT_FIELDS);
	take_form(&c);
	client->name_len = take_upto(&c, gk_cbor_bytes(&c), client->name, sizeof(client->name));
	scope = gk_cbor_bytes(&c);
	client->exp.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	take_context(&c, &client->assoc.ctx);
	take_raw(&c, client->assoc.challenge, sizeof(client->assoc.challenge));
	err = gk_cbor_end(&c);
	if (!err)
		err = gk_id_set(&client->id, record->key);
	if (!err)
		err = gk_scope_check_all(scope, &entries);
	return err ? err : gk_blob_set(&kdc->env, &client->scope, scope);
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
	gk_hash_add(&kdc->clients_by_id, &client->by_id, record->key);
	gk_client_arm_expiry(kdc, client, now);
	return gk_client_link(kdc, client);
}

/* a group: [form, num, used, rekeying pending, Gid prefix, Master Secret, made, next node,
 *                [* [num, [* Sender ID]]], sign_alg, Base IV, height of the tree,
 *                [* slot left since the last rekeying], mode] */

#define GROUP_FIELDS 14
#define GROUP_ROOM   160

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
	gk_put_array(buf, GROUP_FIELDS);
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
	gk_cbor_array_of(&c, GROUP_FIELDS);
	take_form(&c);
	group->num = (int64_t)gk_cbor_uint(&c, UINT32_MAX);
	group->used = gk_cbor_bool(&c);
	group->rekey_pending = gk_cbor_bool(&c);
	take_raw(&c, group->gid_prefix, sizeof(group->gid_prefix));
	take_raw(&c, group->ms, sizeof(group->ms));
	group->made.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	group->next_node = gk_cbor_uint(&c, INT64_MAX);
	take_stale(&c, group);
	group->config.sign_alg = (int)gk_cbor_int(&c);
	take_tree(&c, group);
	group->config.mode = (enum gk_mode)gk_cbor_uint(&c, GK_MODE_PAIRWISE);
	return gk_cbor_end(&c);
}

/* a member, under group name | 0 | number: [form, client, number, roles, has Sender ID,
 *      Sender ID, credential, clientchallenge, has control_uri, ip, port, scope, path, num,
 *      is in the tree, slot] */

#define NODE_FIELDS 16

static struct gk_span node_key(const struct gk_node *node, uint8_t bytes[static NODE_KEY_ROOM])
{
	struct gk_buf buf = gk_buf(bytes, NODE_KEY_ROOM);

	gk_buf_add(&buf, gk_group_name(node->group));
	gk_buf_byte(&buf, 0);
	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(&buf, (uint8_t)(node->number >> shift));
	return gk_buf_span(&buf);
}

void gk_record_node(const struct gk_node *node)
{
	uint8_t bytes[RECORD_ROOM], key[NODE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, NODE_FIELDS);
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
	store_buf(node->group->kdc, GK_TABLE_MEMBER, node_key(node, key), &buf);
}

void gk_record_node_gone(const struct gk_node *node)
{
	uint8_t key[NODE_KEY_ROOM];

	store(node->group->kdc, GK_TABLE_MEMBER, node_key(node, key), (struct gk_span){ NULL, 0 });
}

static void take_blob(struct gk_cbor *c, struct gk_kdc *kdc, struct gk_blob *blob)
{
	if (gk_blob_set(&kdc->env, blob, gk_cbor_bytes(c)))
		gk_cbor_fail(c, GK_ERR_NO_MEMORY);
}

static enum gk_err read_node(struct gk_cbor *c, struct gk_kdc *kdc, struct gk_node *node)
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
	node->in_tree = gk_cbor_bool(c);
	node->slot = (uint16_t)gk_cbor_uint(c, UINT16_MAX);
	return gk_cbor_end(c);
}

static struct gk_group *group_of_key(const struct gk_kdc *kdc, struct gk_span key)
{
	size_t len = 0;

	while (len < key.len && key.data[len])
		len++;
	return gk_group_find(kdc, gk_span_sub(key, 0, len));
}

/* Its number is in its key, and neither that nor its version is one that the group has not had. */
static bool is_of_group(const struct gk_node *node, struct gk_span key)
{
	uint8_t bytes[NODE_KEY_ROOM];

	return gk_span_equal(node_key(node, bytes), key) &&
	       node->number <= node->group->next_node && node->num <= node->group->num;
}

static enum gk_err restore_node(struct gk_kdc *kdc, const struct gk_record *record,
				struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_group *group = group_of_key(kdc, record->key);
	struct gk_client *client;
	struct gk_node *node;
	enum gk_err err;

	gk_cbor_array_of(&c, NODE_FIELDS);
	take_form(&c);
	client = gk_client_find(kdc, gk_cbor_bytes(&c));
	if (c.err)
		return c.err;
	if (!group || !client || gk_group_node_of(group, client))
		return GK_ERR_UNKNOWN;
	err = gk_node_new(group, client, &node);
	if (err)
		return err;
	err = read_node(&c, kdc, node);
	if (!err && !is_of_group(node, record->key))
		err = GK_ERR_RANGE;
	if (!err && node->in_tree)
		err = gk_mgt_restore(node);
	if (!err)
		err = gk_group_add(node, now);
	if (err)
		gk_node_free(node);
	return err;
}

/* a key of the tree, under group name | 0 | level | index: [form, version, key] */

#define TREE_FIELDS   3
#define TREE_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + 3)

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
		gk_put_array(&buf, TREE_FIELDS);
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
	gk_cbor_array_of(c, TREE_FIELDS);
	take_form(c);
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

#define CAST_FIELDS 3

static void record_part(struct gk_group *group, size_t part, const struct gk_cast *cast)
{
	uint8_t bytes[CAST_ROOM], key_bytes[TREE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));

	put_key(&key, group, part, 2);
	if (part < cast->count) {
		gk_put_array(&buf, CAST_FIELDS);
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
	gk_cbor_array_of(&c, CAST_FIELDS);
	take_form(&c);
	num = gk_cbor_int(&c);
	message = gk_cbor_bytes(&c);
	err = gk_cbor_end(&c);
	return err ? err
		   : gk_cast_restore(group, number_of_key(group, record->key, 2), num, message);
}

enum gk_err gk_record_restore(struct gk_kdc *kdc, const struct gk_record *record, struct gk_now now)
{
	static enum gk_err (*const restore[])(struct gk_kdc *, const struct gk_record *,
					      struct gk_now) = {
		[GK_TABLE_KDC] = restore_kdc,     [GK_TABLE_CLIENT] = restore_client,
		[GK_TABLE_GROUP] = restore_group, [GK_TABLE_MEMBER] = restore_node,
		[GK_TABLE_TREE] = restore_tree,   [GK_TABLE_CAST] = restore_cast,
	};

	if (record->table < GK_TABLE_KDC || record->table > GK_TABLE_CAST)
		return GK_ERR_UNSUPPORTED;
	return restore[record->table](kdc, record, now);
}
