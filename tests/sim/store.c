// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* Records in order of table and key, as a restart gives them back. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct record {
	enum gk_table table;
	size_t key_len, value_len;
	uint8_t *bytes; /* key, value */
};

static int compare(const struct record *a, enum gk_table table, struct gk_span key)
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

static bool find(const struct world *w, const struct gk_record *record, size_t *at)
{
	size_t low = 0, high = w->record_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&w->records[middle], record->table, record->key);

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

static void drop(struct world *w, size_t at)
{
	free(w->records[at].bytes);
	w->record_count--;
	memmove(&w->records[at], &w->records[at + 1], (w->record_count - at) * sizeof(*w->records));
}

static struct record *insert(struct world *w, size_t at)
{
	if (w->record_count == w->record_cap) {
		w->record_cap = w->record_cap ? 2 * w->record_cap : 64;
		w->records = must_alloc(w->records, w->record_cap * sizeof(*w->records));
	}
	memmove(&w->records[at + 1], &w->records[at], (w->record_count - at) * sizeof(*w->records));
	w->record_count++;
	w->records[at] = (struct record){ 0 };
	return &w->records[at];
}

void store_put(struct world *w, const struct gk_record *record)
{
	struct record *r;
	size_t at;
	bool there = find(w, record, &at);

	w->tally[STORES]++;
	if (there && !record->value.len)
		drop(w, at);
	if (!record->value.len)
		return;
	r = there ? &w->records[at] : insert(w, at);
	r->table = record->table;
	r->key_len = record->key.len;
	r->value_len = record->value.len;
	r->bytes = must_alloc(r->bytes, r->key_len + r->value_len);
	memcpy(r->bytes, record->key.data, r->key_len);
	memcpy(r->bytes + r->key_len, record->value.data, r->value_len);
}

enum gk_err store_restore(struct world *w)
{
	enum gk_err err = GK_OK;

	for (size_t i = 0; !err && i < w->record_count; i++) {
		const struct record *r = &w->records[i];
		struct gk_record record = { .table = r->table,
					    .key = gk_span(r->bytes, r->key_len),
					    .value = gk_span(r->bytes + r->key_len, r->value_len) };

		err = gk_kdc_restore(w->kdc, &record, w->now);
	}
	return err;
}

void store_free(struct world *w)
{
	while (w->record_count)
		drop(w, w->record_count - 1);
	free(w->records);
}
