// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Records of the store: groups, their members, the keys of their trees, and rekeying messages to
 * them.
 */
#include "client.h"
#include "delivery.h"
#include "group.h"
#include "record.h"

#define NODE_ROOM     (GK_CRED_WIRE_MAX + 512)
#define NODE_KEY_ROOM (GK_GROUP_NAME_MAX + 1 + 8)
#define CAST_ROOM     (GK_REKEYING_COAP_MAX + 32)

/* a group: [form, num, used, rekeying pending, Gid prefix, Master Secret, made, next node,
 *                [* [num, [* Sender ID]]], sign_alg, Base IV, height of the tree,
 *                [* slot left since the last rekeying], mode, ended, cred_fmt]; ended: then only
 * num and Gid prefix have a meaning. Form 3 ends after that. Form 1 ends after the sets or after
 * sign_alg, form 2 after the mode. */

#define GROUP_ROOM 164

static const uint8_t group_fields[GK_RECORD_FORMS] = { 9, 10, 14, 15, 16, 16 };

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
	gk_record_put_head(buf, group_fields);
	gk_put_int(buf, group->num);
	gk_put_bool(buf, group->used);
	gk_put_bool(buf, group->rekey_pending);
	gk_record_put_raw(buf, group->gid_prefix, sizeof(group->gid_prefix));
	gk_record_put_raw(buf, group->ms, sizeof(group->ms));
	gk_put_int(buf, group->made.s);
	gk_put_uint(buf, group->next_node);
	gk_put_array(buf, group->stale_count);
	for (size_t i = 0; i < group->stale_count; i++)
		put_stale_set(buf, &group->stale[i]);
	gk_put_int(buf, group->config.sign_alg);
	gk_record_put_raw(buf, group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
	gk_put_uint(buf, group->tree.keyed_height);
	gk_put_array(buf, group->tree.left_count);
	for (size_t i = 0; i < group->tree.left_count; i++)
		gk_put_uint(buf, group->tree.left[i]);
	gk_put_uint(buf, group->config.mode);
	gk_put_bool(buf, group->ended);
	gk_put_int(buf, group->config.cred_fmt);
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
	gk_record_store_value(kdc, GK_TABLE_GROUP, gk_group_name(group), &buf);
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

		gk_record_take_id(c, &id);
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

	gk_record_take_raw(c, group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
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
	gk_record_take_raw(c, group->gid_prefix, sizeof(group->gid_prefix));
	gk_record_take_raw(c, group->ms, sizeof(group->ms));
	group->made.s = (int64_t)gk_cbor_uint(c, INT64_MAX);
	group->next_node = gk_cbor_uint(c, INT64_MAX);
	take_stale(c, group);
}

static enum gk_err read_group(struct gk_cbor *c, struct gk_group *group)
{
	unsigned form = gk_record_take_head(c, group_fields);

	take_material(c, group);
	group->config.sign_alg = form ? (int)gk_cbor_int(c) : only_sign_alg(group->kdc);
	if (form >= 2) {
		take_tree(c, group);
		group->config.mode = (enum gk_mode)gk_cbor_uint(c, GK_MODE_BOTH);
	} else {
		make_base_iv(c, group);
	}
	if (form >= 3)
		group->ended = gk_cbor_bool(c);
	group->config.cred_fmt = form >= 4 ? (int)gk_cbor_uint(c, INT16_MAX) : GK_HEADER_KCCS;
	return gk_cbor_end(c);
}

enum gk_err gk_record_restore_group(struct gk_kdc *kdc, const struct gk_record *record,
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
 *      is in the tree, slot, scope of its latest Join Request, it said there that it is sleepy].
 * Form 1 ends after num, forms 2 and 3 after the slot, form 4 after the scope. */

static const uint8_t node_fields[GK_RECORD_FORMS] = { 0, 14, 16, 16, 17, 18 };

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
	uint8_t bytes[NODE_ROOM], key[NODE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, node_fields);
	gk_put_bytes(&buf, gk_id_span(&node->client->id));
	gk_put_uint(&buf, node->number);
	gk_put_uint(&buf, node->roles);
	gk_put_bool(&buf, node->has_sid);
	gk_put_bytes(&buf, gk_id_span(&node->sid));
	gk_put_bytes(&buf, gk_blob_span(&node->cred));
	gk_record_put_raw(&buf, node->n_c, node->n_c_len);
	gk_put_bool(&buf, node->has_control);
	gk_record_put_raw(&buf, node->address.ip, sizeof(node->address.ip));
	gk_put_uint(&buf, node->address.port);
	gk_put_uint(&buf, node->address.scope);
	gk_put_bytes(&buf, gk_blob_span(&node->control_path));
	gk_put_int(&buf, node->num);
	gk_put_bool(&buf, node->in_tree);
	gk_put_uint(&buf, node->slot);
	gk_put_bytes(&buf, gk_blob_span(&node->scope));
	gk_put_bool(&buf, node->sleepy);
	gk_record_store(node->group->kdc,
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

	gk_record_store_gone(node->group->kdc, GK_TABLE_MEMBER, node_key(node, key));
}

static void take_blob(struct gk_cbor *c, struct gk_kdc *kdc, struct gk_blob *blob)
{
	if (gk_blob_set(&kdc->env, blob, gk_cbor_bytes(c)))
		gk_cbor_fail(c, GK_ERR_NO_MEMORY);
}

/* How a member from before this was stored asked for its roles,
 * unless its encoder is an odd one. */
static void make_scope(struct gk_cbor *c, struct gk_node *node)
{
	uint8_t bytes[GK_SCOPE_MAX];
	struct gk_buf scope = gk_buf(bytes, sizeof(bytes));

	gk_scope_put(&scope, gk_group_name(node->group), node->roles);
	if (gk_blob_set(&node->group->kdc->env, &node->scope, gk_buf_span(&scope)))
		gk_cbor_fail(c, GK_ERR_NO_MEMORY);
}

static enum gk_err read_node(struct gk_cbor *c, unsigned form, struct gk_kdc *kdc,
			     struct gk_node *node)
{
	node->number = gk_cbor_uint(c, INT64_MAX);
	node->roles = (uint32_t)gk_cbor_uint(c, GK_ROLE_ALL);
	node->has_sid = gk_cbor_bool(c);
	gk_record_take_id(c, &node->sid);
	take_blob(c, kdc, &node->cred);
	node->n_c_len = gk_record_take_upto(c, gk_cbor_bytes(c), node->n_c, sizeof(node->n_c));
	node->has_control = gk_cbor_bool(c);
	gk_record_take_raw(c, node->address.ip, sizeof(node->address.ip));
	node->address.port = (uint16_t)gk_cbor_uint(c, UINT16_MAX);
	node->address.scope = (uint32_t)gk_cbor_uint(c, UINT32_MAX);
	take_blob(c, kdc, &node->control_path);
	node->num = gk_cbor_int(c);
	if (form >= 2) {
		node->in_tree = gk_cbor_bool(c);
		node->slot = (uint16_t)gk_cbor_uint(c, UINT16_MAX);
	}
	if (form >= 4)
		take_blob(c, kdc, &node->scope);
	else
		make_scope(c, node);
	if (form >= 5)
		node->sleepy = gk_cbor_bool(c);
	return gk_cbor_end(c);
}

/* Nothing belongs to a group that has ended. */
static struct gk_group *group_of_key(const struct gk_kdc *kdc, struct gk_span key)
{
	struct gk_group *group = gk_group_find(kdc, gk_record_name_in_key(key));

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

enum gk_err gk_record_restore_node(struct gk_kdc *kdc, const struct gk_record *record,
				   struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_group *group = group_of_key(kdc, record->key);
	struct gk_client *client;
	struct gk_node *node;
	unsigned form = gk_record_take_head(&c, node_fields);
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

static const uint8_t tree_fields[GK_RECORD_FORMS] = { 0, 0, 3, 3, 3, 3 };

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
		gk_record_put_head(&buf, tree_fields);
		gk_put_uint(&buf, node->key.version);
		gk_record_put_raw(&buf, node->key.bytes, sizeof(node->key.bytes));
	}
	gk_record_store_value(group->kdc, GK_TABLE_TREE, gk_buf_span(&key), &buf);
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
	(void)gk_record_take_head(c, tree_fields);
	key->version = (uint32_t)gk_cbor_uint(c, (uint64_t)group->num);
	gk_record_take_raw(c, key->bytes, sizeof(key->bytes));
	return gk_cbor_end(c);
}

enum gk_err gk_record_restore_tree(struct gk_kdc *kdc, const struct gk_record *record,
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

static const uint8_t cast_fields[GK_RECORD_FORMS] = { 0, 0, 3, 3, 3, 3 };

static void record_part(struct gk_group *group, size_t part, const struct gk_cast *cast)
{
	uint8_t bytes[CAST_ROOM], key_bytes[TREE_KEY_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf key = gk_buf(key_bytes, sizeof(key_bytes));

	put_key(&key, group, part, 2);
	if (part < cast->count) {
		gk_record_put_head(&buf, cast_fields);
		gk_put_int(&buf, cast->num);
		gk_put_bytes(&buf, gk_blob_span(&cast->parts[part]));
	}
	gk_record_store_value(group->kdc, GK_TABLE_CAST, gk_buf_span(&key), &buf);
}

void gk_record_cast(struct gk_group *group, const struct gk_cast *cast, size_t before)
{
	for (size_t i = 0; i < cast->count || i < before; i++)
		record_part(group, i, cast);
}

enum gk_err gk_record_restore_cast(struct gk_kdc *kdc, const struct gk_record *record,
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
	(void)gk_record_take_head(&c, cast_fields);
	num = gk_cbor_int(&c);
	message = gk_cbor_bytes(&c);
	err = gk_cbor_end(&c);
	return err ? err
		   : gk_cast_restore(group, number_of_key(group, record->key, 2), num, message);
}
