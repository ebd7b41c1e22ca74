// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/records.h"

#include "libgroupkey/buf.h"
#include "tests/lib/agenda.h"

#include <stdlib.h>
#include <string.h>

struct kept_record {
	enum gk_table table;
	size_t key_len, value_len;
	uint8_t *bytes; /* key, value */
};

static int compare(const struct kept_record *a, enum gk_table table, struct gk_span key)
{
	size_t len = a->key_len < key.len ? a->key_len : key.len;
	int order;

	if (a->table != table)
		return a->table < table ? -1 : 1;
	order = memcmp(a->bytes, key.data, len);
	if (order)
		return order;
	return a->key_len == key.len ? 0 : a->key_len < key.len ? -1 : 1;
}

static bool find(const struct records *r, const struct gk_record *record, size_t *at)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&r->record[middle], record->table, record->key);

		if (order == 0) {
			*at = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return false;
}

static void drop(struct records *r, size_t at)
{
	free(r->record[at].bytes);
	r->count--;
	memmove(&r->record[at], &r->record[at + 1], (r->count - at) * sizeof(*r->record));
}

static struct kept_record *insert(struct records *r, size_t at)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->record = must_alloc(r->record, r->cap * sizeof(*r->record));
	}
	memmove(&r->record[at + 1], &r->record[at], (r->count - at) * sizeof(*r->record));
	r->count++;
	r->record[at] = (struct kept_record){ 0 };
	return &r->record[at];
}

void records_put(struct records *r, const struct gk_record *record)
{
	struct kept_record *kept;
	size_t at;
	bool there = find(r, record, &at);

	if (there && !record->value.len)
		drop(r, at);
	if (!record->value.len)
		return;
	kept = there ? &r->record[at] : insert(r, at);
	kept->table = record->table;
	kept->key_len = record->key.len;
	kept->value_len = record->value.len;
	kept->bytes = must_alloc(kept->bytes, kept->key_len + kept->value_len);
	memcpy(kept->bytes, record->key.data, kept->key_len);
	memcpy(kept->bytes + kept->key_len, record->value.data, kept->value_len);
}

enum gk_err records_restore(const struct records *r, struct gk_kdc *kdc, struct gk_now now)
{
	enum gk_err err = GK_OK;

	for (size_t i = 0; !err && i < r->count; i++) {
		const struct kept_record *kept = &r->record[i];
		struct gk_record record = {
			.table = kept->table,
			.key = gk_span(kept->bytes, kept->key_len),
			.value = gk_span(kept->bytes + kept->key_len, kept->value_len),
		};

		err = gk_kdc_restore(kdc, &record, now);
	}
	return err;
}

void records_free(struct records *r)
{
	while (r->count)
		drop(r, r->count - 1);
	free(r->record);
	*r = (struct records){ 0 };
}
