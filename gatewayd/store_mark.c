// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_mark.h"
#include "libgroupkey/buf.h"
#include <string.h>

/*
 * The record that a file has of itself: lineage, branch, count, time, synchronised, origin.
 */

static void add_number(struct gk_buf *buf, uint64_t number)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(buf, (uint8_t)(number >> shift));
}

static uint64_t read_number(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

void gw_store_meta_encode(const struct gw_store_meta *meta, uint8_t out[static GW_STORE_META_LEN])
{
	struct gk_buf buf = gk_buf(out, GW_STORE_META_LEN);

	gk_buf_add(&buf, gk_span(meta->lineage, sizeof(meta->lineage)));
	gk_buf_add(&buf, gk_span(meta->branch, sizeof(meta->branch)));
	add_number(&buf, meta->count);
	add_number(&buf, (uint64_t)meta->time.utc_s);
	gk_buf_byte(&buf, meta->time.synchronised);
	gk_buf_byte(&buf, (uint8_t)meta->origin);
}

bool gw_store_meta_decode(struct gk_span bytes, struct gw_store_meta *meta)
{
	const uint8_t *at = bytes.data;

	if (bytes.len != GW_STORE_META_LEN || at[40] > 1 || at[41] > GW_STORE_ORIGIN_BLIND)
		return false;
	memcpy(meta->lineage, at, sizeof(meta->lineage));
	memcpy(meta->branch, at + 16, sizeof(meta->branch));
	meta->count = read_number(at + 24);
	meta->time.utc_s = (int64_t)read_number(at + 32);
	meta->time.synchronised = at[40];
	meta->origin = (enum gw_store_origin)at[41];
	return true;
}

/*
 * The table. Rows: the store. Columns: the mark, as it is beside this store.
 */

enum row {
	NO_STORE,
	GONE,
	BROKEN_STORE,
	UNCOUNTED,
	COUNTED,
	BEGUN,
	BLIND,
	ROWS,
};

enum column {
	NO_MARK,
	UNUSED, /* it has counted nothing: a first start, or a migration, was cut short */
	BROKEN_MARK,
	FOREIGN,
	EQUAL,
	BEHIND,
	AHEAD, /* or there is nothing that it could be compared with */
	COLUMNS,
};

enum cell {
	IMPOSSIBLE = 0, /* cannot come from us: refused */
	NEW,
	GO_ON,
	CATCH_UP, /* go on, and the mark is written anew */
	OLD,
	ANEW,
	ANEW_BLIND,
	// Refused. A store that was begun anew has no bans, and is not to be adopted.
	MISSING,
	DAMAGED,
	OTHERS,
	OTHERS_UNUSED,
	ANEW_MISSING,
	ANEW_DAMAGED,
	ANEW_OTHERS,
	ANEW_UNUSED,
	BAD,
	BAD_BLIND,
};

static const uint8_t table[ROWS][COLUMNS] = {
	[NO_STORE] = { [NO_MARK] = NEW,
		       [UNUSED] = NEW,
		       [BROKEN_MARK] = ANEW_DAMAGED,
		       [AHEAD] = OLD },
	[GONE] = { [NO_MARK] = BAD_BLIND,
		   [UNUSED] = BAD_BLIND,
		   [BROKEN_MARK] = BAD_BLIND,
		   [AHEAD] = OLD },
	[BROKEN_STORE] = { [NO_MARK] = BAD_BLIND,
			   [UNUSED] = BAD_BLIND,
			   [BROKEN_MARK] = BAD_BLIND,
			   [AHEAD] = BAD },
	[UNCOUNTED] = { [NO_MARK] = CATCH_UP,
			[UNUSED] = CATCH_UP,
			[BROKEN_MARK] = DAMAGED,
			[AHEAD] = OLD },
	[COUNTED] = { [NO_MARK] = MISSING,
		      [UNUSED] = OTHERS_UNUSED,
		      [BROKEN_MARK] = DAMAGED,
		      [FOREIGN] = OTHERS,
		      [EQUAL] = GO_ON,
		      [BEHIND] = CATCH_UP,
		      [AHEAD] = OLD },
	[BEGUN] = { [NO_MARK] = ANEW_MISSING,
		    [UNUSED] = ANEW_UNUSED,
		    [BROKEN_MARK] = ANEW_DAMAGED,
		    [FOREIGN] = ANEW_OTHERS,
		    [AHEAD] = ANEW },
	[BLIND] = { [NO_MARK] = ANEW_BLIND,
		    [UNUSED] = ANEW_BLIND,
		    [BROKEN_MARK] = ANEW_BLIND,
		    [FOREIGN] = ANEW_OTHERS,
		    [EQUAL] = ANEW_BLIND,
		    [AHEAD] = OLD },
};

static const struct gw_store_verdict verdicts[] = {
	[IMPOSSIBLE] = { .refusal = GW_STORE_SENSELESS, .fresh = GW_STORE_BEGUN_BLIND },
	[NEW] = { .found = GW_STORE_NEW, .mark_behind = true },
	[GO_ON] = { .found = GW_STORE_CURRENT },
	[CATCH_UP] = { .found = GW_STORE_CURRENT, .mark_behind = true },
	[OLD] = { .found = GW_STORE_OLD },
	[ANEW] = { .found = GW_STORE_BEGUN },
	[ANEW_BLIND] = { .found = GW_STORE_BEGUN_BLIND },
	[MISSING] = { GW_STORE_MARK_MISSING, .adoptable = true, .fresh = GW_STORE_BEGUN_BLIND },
	[DAMAGED] = { GW_STORE_MARK_DAMAGED, .adoptable = true, .fresh = GW_STORE_BEGUN_BLIND },
	[OTHERS] = { GW_STORE_MARK_FOREIGN, .adoptable = true, .fresh = GW_STORE_BEGUN },
	[OTHERS_UNUSED] = { GW_STORE_MARK_FOREIGN, .adoptable = true,
			    .fresh = GW_STORE_BEGUN_BLIND },
	[ANEW_MISSING] = { GW_STORE_MARK_MISSING, .fresh = GW_STORE_BEGUN_BLIND },
	[ANEW_DAMAGED] = { GW_STORE_MARK_DAMAGED, .fresh = GW_STORE_BEGUN_BLIND },
	[ANEW_OTHERS] = { GW_STORE_MARK_FOREIGN, .fresh = GW_STORE_BEGUN },
	[ANEW_UNUSED] = { GW_STORE_MARK_FOREIGN, .fresh = GW_STORE_BEGUN_BLIND },
	[BAD] = { GW_STORE_STORE_DAMAGED, .fresh = GW_STORE_BEGUN },
	[BAD_BLIND] = { GW_STORE_STORE_DAMAGED, .fresh = GW_STORE_BEGUN_BLIND },
};

static enum row row_of(const struct gw_store_seen *store)
{
	static const enum row by_sight[] = {
		[GW_STORE_ABSENT] = NO_STORE,
		[GW_STORE_GONE] = GONE,
		[GW_STORE_DAMAGED] = BROKEN_STORE,
		[GW_STORE_UNCOUNTED] = UNCOUNTED,
	};
	static const enum row by_origin[] = {
		[GW_STORE_ORDINARY] = COUNTED,
		[GW_STORE_ORIGIN_BEGUN] = BEGUN,
		[GW_STORE_ORIGIN_BLIND] = BLIND,
	};

	return store->sight == GW_STORE_READABLE ? by_origin[store->meta.origin]
						 : by_sight[store->sight];
}

static enum column compare(const struct gw_store_meta *store, const struct gw_store_meta *mark)
{
	if (memcmp(store->lineage, mark->lineage, sizeof(mark->lineage)) != 0)
		return mark->count == 0 ? UNUSED : FOREIGN;
	// One that was adopted since has gone another way.
	if (memcmp(store->branch, mark->branch, sizeof(mark->branch)) != 0)
		return AHEAD;
	if (store->count == mark->count)
		return EQUAL;
	return store->count > mark->count ? BEHIND : AHEAD;
}

static enum column column_of(const struct gw_store_seen *store, const struct gw_store_seen *mark)
{
	if (mark->sight == GW_STORE_ABSENT)
		return NO_MARK;
	if (mark->sight != GW_STORE_READABLE)
		return BROKEN_MARK;
	if (store->sight == GW_STORE_READABLE)
		return compare(&store->meta, &mark->meta);
	return mark->meta.count == 0 ? UNUSED : AHEAD;
}

struct gw_store_verdict gw_store_judge(const struct gw_store_seen *store,
				       const struct gw_store_seen *mark)
{
	return verdicts[table[row_of(store)][column_of(store, mark)]];
}
