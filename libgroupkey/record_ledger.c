// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Records of the store: the mark, and what is in the ledger.
 */
#include "ledger.h"
#include "record.h"

/* how far things have come, under "mark": [form, the highest num, the highest cti, the num that new
 * groups begin with, the highest exi number that ended]; highest num -1: none. Form 3 ends before
 * the last. */

static const uint8_t mark_fields[GK_RECORD_FORMS] = { 0, 0, 0, 4, 5, 5 };

void gk_record_mark(struct gk_kdc *kdc)
{
	uint8_t bytes[48];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, mark_fields);
	gk_put_int(&buf, kdc->high_num);
	gk_put_uint(&buf, kdc->high_cti);
	gk_put_int(&buf, kdc->first_num);
	gk_put_uint(&buf, kdc->exi_ended);
	gk_record_store_value(kdc, GK_TABLE_MARK, gk_span_str("mark"), &buf);
}

enum gk_err gk_record_restore_mark(struct gk_kdc *kdc, const struct gk_record *record,
				   struct gk_now now)
{
	struct gk_cbor c = gk_cbor(record->value);
	uint64_t cti, exi_ended = 0;
	int64_t num, first;
	unsigned form;
	enum gk_err err;

	(void)now;
	form = gk_record_take_head(&c, mark_fields);
	num = gk_cbor_int(&c);
	cti = gk_cbor_uint(&c, INT64_MAX);
	first = (int64_t)gk_cbor_uint(&c, UINT32_MAX);
	if (form >= 4)
		exi_ended = gk_cbor_uint(&c, UINT64_MAX);
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
	if (kdc->exi_ended < exi_ended)
		kdc->exi_ended = exi_ended;
	return GK_OK;
}

/* a token that was issued, under its cti: [form, client, name, scope, exp] */

#define CTI_LEN 8

static const uint8_t issued_fields[GK_RECORD_FORMS] = { 0, 0, 0, 5, 5, 5 };

static struct gk_span cti_key(const struct gk_issued *issued, uint8_t bytes[static CTI_LEN])
{
	for (size_t i = 0; i < CTI_LEN; i++)
		bytes[i] = (uint8_t)(issued->cti >> 8 * (CTI_LEN - 1 - i));
	return gk_span(bytes, CTI_LEN);
}

void gk_record_issued(struct gk_kdc *kdc, const struct gk_issued *issued)
{
	uint8_t bytes[GK_RECORD_ROOM], key[CTI_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, issued_fields);
	gk_put_bytes(&buf, gk_id_span(&issued->client));
	gk_record_put_raw(&buf, issued->name, issued->name_len);
	gk_put_bytes(&buf, gk_blob_span(&issued->scope));
	gk_put_int(&buf, issued->exp.s);
	gk_record_store_value(kdc, GK_TABLE_ISSUED, cti_key(issued, key), &buf);
}

void gk_record_issued_gone(struct gk_kdc *kdc, const struct gk_issued *issued)
{
	uint8_t key[CTI_LEN];

	gk_record_store_gone(kdc, GK_TABLE_ISSUED, cti_key(issued, key));
}

static enum gk_err read_issued(struct gk_kdc *kdc, const struct gk_record *record,
			       struct gk_issued *issued)
{
	struct gk_cbor c = gk_cbor(record->value);
	struct gk_span scope;
	size_t entries;
	enum gk_err err;

	(void)gk_record_take_head(&c, issued_fields);
	gk_record_take_id(&c, &issued->client);
	issued->name_len =
		gk_record_take_upto(&c, gk_cbor_bytes(&c), issued->name, sizeof(issued->name));
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

enum gk_err gk_record_restore_issued(struct gk_kdc *kdc, const struct gk_record *record,
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

static const uint8_t revoked_fields[GK_RECORD_FORMS] = { 0, 0, 0, 3, 3, 3 };

void gk_record_revoked(struct gk_kdc *kdc, const struct gk_revoked *revoked)
{
	uint8_t bytes[GK_NAME_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_record_put_head(&buf, revoked_fields);
	gk_record_put_raw(&buf, revoked->name, revoked->name_len);
	gk_put_int(&buf, revoked->until.s);
	gk_record_store_value(kdc, GK_TABLE_REVOKED, gk_id_span(&revoked->client), &buf);
}

void gk_record_revoked_gone(struct gk_kdc *kdc, const struct gk_revoked *revoked)
{
	gk_record_store_gone(kdc, GK_TABLE_REVOKED, gk_id_span(&revoked->client));
}

static enum gk_err read_revoked(const struct gk_record *record, struct gk_revoked *revoked)
{
	struct gk_cbor c = gk_cbor(record->value);

	(void)gk_record_take_head(&c, revoked_fields);
	revoked->name_len =
		gk_record_take_upto(&c, gk_cbor_bytes(&c), revoked->name, sizeof(revoked->name));
	revoked->until.s = (int64_t)gk_cbor_uint(&c, INT64_MAX);
	if (gk_id_set(&revoked->client, record->key))
		gk_cbor_fail(&c, GK_ERR_RANGE);
	return gk_cbor_end(&c);
}

enum gk_err gk_record_restore_revoked(struct gk_kdc *kdc, const struct gk_record *record,
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

static const uint8_t ban_fields[GK_RECORD_FORMS] = { 0, 0, 0, 3, 3, 3 };

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

	gk_record_put_head(&buf, ban_fields);
	gk_record_put_raw(&buf, ban->name, ban->name_len);
	gk_put_bytes(&buf, gk_span(ban->node, ban->node_len));
	gk_record_store_value(kdc, GK_TABLE_BAN, ban_key(ban, key), &buf);
}

void gk_record_ban_gone(struct gk_kdc *kdc, const struct gk_ban *ban)
{
	uint8_t key[BAN_KEY_ROOM];

	gk_record_store_gone(kdc, GK_TABLE_BAN, ban_key(ban, key));
}

static void take_ban_key(struct gk_cbor *c, struct gk_span key, struct gk_ban *ban)
{
	struct gk_span group = gk_record_name_in_key(key);

	ban->group_len = gk_record_take_upto(c, group, ban->group, sizeof(ban->group));
	if (!group.len || group.len == key.len ||
	    gk_id_set(&ban->client, gk_span_sub(key, group.len + 1, key.len)))
		gk_cbor_fail(c, GK_ERR_RANGE);
}

static enum gk_err read_ban(const struct gk_record *record, struct gk_ban *ban)
{
	struct gk_cbor c = gk_cbor(record->value);

	(void)gk_record_take_head(&c, ban_fields);
	ban->name_len = gk_record_take_upto(&c, gk_cbor_bytes(&c), ban->name, sizeof(ban->name));
	ban->node_len = gk_record_take_upto(&c, gk_cbor_bytes(&c), ban->node, sizeof(ban->node));
	take_ban_key(&c, record->key, ban);
	return gk_cbor_end(&c);
}

enum gk_err gk_record_restore_ban(struct gk_kdc *kdc, const struct gk_record *record,
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
