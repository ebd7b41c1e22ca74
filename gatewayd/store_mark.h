// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Which store is this? What store and mark say of themselves, and what follows from both. Pure.
 */
#ifndef GW_STORE_MARK_H
#define GW_STORE_MARK_H

#include "gatewayd/store.h"

#define GW_STORE_LINEAGE_LEN 16
#define GW_STORE_BRANCH_LEN  8
#define GW_STORE_META_LEN    42

/** A store that was begun anew and has nothing committed yet says so. */
enum gw_store_origin {
	GW_STORE_ORDINARY = 0,
	GW_STORE_ORIGIN_BEGUN = 1, /* the mark is in effect */
	GW_STORE_ORIGIN_BLIND = 2, /* there was none, or none that could be read */
};

/** What a file says of itself. */
struct gw_store_meta {
	uint8_t lineage[GW_STORE_LINEAGE_LEN]; /* random, of a new store */
	uint8_t branch[GW_STORE_BRANCH_LEN];   /* random, of each time that a store was old or was
						  adopted: counts of two branches do not compare */
	uint64_t count;                        /* of commits; of a mark, 0: never used */
	struct gw_store_time time;
	enum gw_store_origin origin;
};

void gw_store_meta_encode(const struct gw_store_meta *meta, uint8_t out[static GW_STORE_META_LEN]);
/** @return false: not what gw_store_meta_encode() makes */
bool gw_store_meta_decode(struct gk_span bytes, struct gw_store_meta *meta);

/** What became of opening a file. */
enum gw_store_sight {
	GW_STORE_ABSENT = 0,
	GW_STORE_DAMAGED = 1,   /* or from a later version */
	GW_STORE_UNCOUNTED = 2, /* of a version that had no marks */
	GW_STORE_READABLE = 3,  /* it has a meta record */
	GW_STORE_GONE = 4,      /* absent, but it was there once */
};

struct gw_store_seen {
	enum gw_store_sight sight;
	struct gw_store_meta meta; /* if readable */
};

/** Why a store is refused. */
enum gw_store_refusal {
	GW_STORE_ACCEPTED = 0,
	GW_STORE_MARK_MISSING = 1,
	GW_STORE_MARK_DAMAGED = 2,
	GW_STORE_MARK_FOREIGN = 3,
	GW_STORE_STORE_DAMAGED = 4,
	GW_STORE_SENSELESS = 5, /* what it says of itself cannot be beside this mark */
};

struct gw_store_verdict {
	enum gw_store_refusal refusal;
	enum gw_store_found found; /* if accepted */
	bool adoptable;            /* if refused: it can be taken as it is */
	enum gw_store_found fresh; /* if refused: what it is when it is begun anew */
	bool mark_behind;          /* the mark is to be written anew from the store */
};

/** The table of docs/state.md section 4. */
struct gw_store_verdict gw_store_judge(const struct gw_store_seen *store,
				       const struct gw_store_seen *mark);

#endif
