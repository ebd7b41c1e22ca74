// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The store: what STORE events said, and what can be read from it again.
#include "pair_inside.h"

#include "libgroupkey/cbor.h"

#include <stdlib.h>
#include <string.h>

/* the store */

struct pair_record *pair_find_record(const struct pair *p, enum gk_table table, struct gk_span key)
{
	for (size_t i = 0; i < p->record_count; i++) {
		struct pair_record *r = &p->records[i];

		if (r->table == table && gk_span_equal(gk_span(r->key, r->key_len), key))
			return r;
	}
	return NULL;
}

void pair_drop_record(struct pair *p, struct pair_record *r)
{
	free(r->key);
	free(r->value);
	*r = p->records[--p->record_count];
}

static void set_record(struct pair *p, const struct gk_record *record)
{
	struct pair_record *r = pair_find_record(p, record->table, record->key);

	if (r && !record->value.len) {
		pair_drop_record(p, r);
		return;
	}
	if (!record->value.len)
		return;
	if (!r) {
		if (p->record_count == p->record_cap) {
			p->record_cap = p->record_cap ? 2 * p->record_cap : 16;
			p->records = pair_must_have(
				realloc(p->records, p->record_cap * sizeof(*p->records)));
		}
		r = &p->records[p->record_count++];
		*r = (struct pair_record){ .table = record->table };
		r->key = (uint8_t *)(uintptr_t)pair_copy(record->key).data;
		r->key_len = record->key.len;
	}
	free(r->value);
	r->value = (uint8_t *)(uintptr_t)pair_copy(record->value).data;
	r->value_len = record->value.len;
}

static void remember(struct pair *p, const struct gk_record *record)
{
	const struct pair_record *r = pair_find_record(p, record->table, record->key);
	struct gk_span value = r ? gk_span(r->value, r->value_len) : gk_span(NULL, 0);

	if (p->undo_count == p->undo_cap) {
		p->undo_cap = p->undo_cap ? 2 * p->undo_cap : 16;
		p->undo = pair_must_have(realloc(p->undo, p->undo_cap * sizeof(*p->undo)));
	}
	p->undo[p->undo_count++] = (struct pair_record){
		.table = record->table,
		.key = (uint8_t *)(uintptr_t)pair_copy(record->key).data,
		.value = (uint8_t *)(uintptr_t)pair_copy(value).data,
		.key_len = record->key.len,
		.value_len = value.len,
	};
}

void pair_end_transaction(struct pair *p, bool happened)
{
	while (p->undo_count) {
		struct pair_record *u = &p->undo[--p->undo_count];

		if (!happened)
			set_record(p,
				   &(struct gk_record){ .table = u->table,
							.key = gk_span(u->key, u->key_len),
							.value = gk_span(u->value, u->value_len) });
		free(u->key);
		free(u->value);
	}
}

void pair_commit(struct pair *p, const struct gk_record *record)
{
	if (p->crash_at > p->events)
		remember(p, record);
	set_record(p, record);
}

static int by_key(const void *a, const void *b)
{
	const struct pair_record *x = *(const struct pair_record *const *)a;
	const struct pair_record *y = *(const struct pair_record *const *)b;
	size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
	int order = (int)x->table - (int)y->table;

	if (!order)
		order = memcmp(x->key, y->key, len);
	return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

void pair_digest(const struct pair *p, uint8_t out[GK_HASH_LEN])
{
	const struct pair_record **sorted =
		pair_must_have(malloc((p->record_count + 1) * sizeof(struct pair_record *)));
	size_t total = 1, at = 0;
	uint8_t *all;

	for (size_t i = 0; i < p->record_count; i++) {
		sorted[i] = &p->records[i];
		total += 1 + sorted[i]->key_len + sorted[i]->value_len;
	}
	qsort(sorted, p->record_count, sizeof(*sorted), by_key);
	all = pair_must_have(malloc(total));
	for (size_t i = 0; i < p->record_count; i++) {
		all[at++] = (uint8_t)sorted[i]->table;
		memcpy(all + at, sorted[i]->key, sorted[i]->key_len);
		at += sorted[i]->key_len;
		memcpy(all + at, sorted[i]->value, sorted[i]->value_len);
		at += sorted[i]->value_len;
	}
	if (gk_sha256(gk_span(all, at), out))
		abort();
	free(all);
	free(sorted);
}

/* what the store knows of an association: record.c's form, read again */

bool pair_read_client(const struct pair_record *r, struct pair_stored *s)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	struct gk_buf id_context = gk_buf(s->ctx.id_context, sizeof(s->ctx.id_context));
	bool fine;

	memset(s, 0, sizeof(*s));
	(void)gk_cbor_array(&c); /* what is behind these fields differs from form to form */
	(void)gk_cbor_uint(&c, UINT32_MAX);
	(void)gk_cbor_bytes(&c);
	(void)gk_cbor_bytes(&c);
	(void)gk_cbor_int(&c);
	s->ctx.aead = gk_aead_find(gk_cbor_int(&c));
	fine = !gk_id_set(&s->ctx.recipient_id, gk_cbor_bytes(&c));
	fine = fine && !gk_id_set(&s->ctx.sender_id, gk_cbor_bytes(&c));
	s->ctx.has_id_context = gk_cbor_bool(&c);
	gk_buf_add(&id_context, gk_cbor_bytes(&c));
	s->ctx.id_context_len = (uint8_t)id_context.len;
	for (int i = 0; i < 3; i++) {
		uint8_t *out[] = { s->ctx.sender_key, s->ctx.recipient_key, s->ctx.common_iv };
		struct gk_span bytes = gk_cbor_bytes(&c);
		struct gk_buf buf = gk_buf(out[i], i == 2 ? GK_AEAD_NONCE_MAX : KEY_LEN);

		gk_buf_add(&buf, bytes);
		fine = fine && !buf.overflow;
	}
	return fine && !c.err && s->ctx.aead;
}

/* [form, five keys, ceiling] */
uint64_t pair_stored_ceiling(const struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));

		if (r->table != GK_TABLE_KDC)
			continue;
		gk_cbor_array_of(&c, 7);
		(void)gk_cbor_uint(&c, UINT32_MAX);
		for (int k = 0; k < 5; k++)
			(void)gk_cbor_bytes(&c);
		return gk_cbor_uint(&c, UINT64_MAX);
	}
	return 0;
}

bool pair_find_association(const struct pair *p, struct gk_span kid, struct pair_stored *s)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == GK_TABLE_CLIENT && pair_read_client(&p->records[i], s) &&
		    gk_span_equal(gk_id_span(&s->ctx.recipient_id), kid))
			return true;
	}
	return false;
}

struct gk_oscore pair_mirror(const struct gk_oscore *ctx)
{
	struct gk_oscore m = *ctx;

	m.sender_id = ctx->recipient_id;
	m.recipient_id = ctx->sender_id;
	memcpy(m.sender_key, ctx->recipient_key, sizeof(m.sender_key));
	memcpy(m.recipient_key, ctx->sender_key, sizeof(m.recipient_key));
	m.window = (struct gk_window){ 0 };
	return m;
}

/* nonces */

static uint64_t hash_of(uint64_t h, struct gk_span bytes)
{
	h = (h ^ bytes.len) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < bytes.len; i++)
		h = (h ^ bytes.data[i]) * UINT64_C(0x100000001b3);
	return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

bool pair_use_nonce(struct pair *p, struct gk_span key, struct gk_span id, struct gk_span piv,
		    struct gk_span message)
{
	uint64_t h = hash_of(hash_of(hash_of(1, key), id), piv) | 1;
	uint64_t bytes = hash_of(2, message);
	size_t i = h % NONCES;
	bool first;

	while (p->nonces[i].key && p->nonces[i].key != h)
		i = (i + 1) % NONCES;
	if (p->nonces[i].key && p->nonces[i].bytes != bytes)
		pair_break_rule(p, "two messages with the same key and nonce", message);
	first = !p->nonces[i].key;
	if (first && ++p->nonce_count == NONCES / 2)
		pair_break_rule(p, "too many messages for this harness", message);
	p->nonces[i] = (struct pair_nonce){ h, bytes };
	return first;
}

/* material */

bool pair_read_group(const struct pair_record *r, struct pair_stored_group *g)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	struct gk_span prefix, ms;

	gk_cbor_array_of(&c, 16);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	g->num = gk_cbor_int(&c);
	(void)gk_cbor_bool(&c);
	(void)gk_cbor_bool(&c);
	prefix = gk_cbor_bytes(&c);
	ms = gk_cbor_bytes(&c);
	if (c.err || prefix.len != 2 || ms.len != GK_MS_LEN)
		return false;
	memcpy(g->prefix, prefix.data, 2);
	memcpy(g->ms, ms.data, GK_MS_LEN);
	return true;
}

/* What is given out is what is stored: its num and its key. Only an answer that is given once more
 * may be older. */
void pair_check_material(struct pair *p, struct gk_span payload, bool newest)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KEY, GK_CBOR_MAP, true },
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
	};
	static const struct gk_cbor_field key_fields[] = {
		{ GK_OSC_MS, GK_CBOR_BYTES, true },
		{ GK_OSC_CONTEXT_ID, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[2], key[2];
	struct pair_stored_group g;

	if (gk_cbor_read_map(payload, fields, 2, item) ||
	    gk_cbor_read_map(item[0].encoded, key_fields, 2, key))
		return;
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table != GK_TABLE_GROUP || !pair_read_group(&p->records[i], &g) ||
		    memcmp(g.prefix, key[1].string.data, 2) != 0)
			continue;
		if (item[1].number > g.num || (newest && item[1].number < g.num))
			pair_break_rule(p, "material of a version that is not the stored one",
					payload);
		if (item[1].number == g.num &&
		    !gk_span_equal(key[0].string, gk_span(g.ms, GK_MS_LEN)))
			pair_break_rule(p, "a key that is not the stored one", payload);
		pair_use_nonce(p, gk_span_str("gid"), key[1].string, gk_span(NULL, 0),
			       key[0].string);
		return;
	}
	pair_break_rule(p, "material of a group that is not stored", payload);
}
