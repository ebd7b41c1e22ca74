// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Room on the flash: a file beside the store, which is given up when the file system is full, so
 * that departures and rekeyings can still be written (docs/state.md section 7). And what room there
 * is. While there is enough, nothing is written here.
 *
 * Where blocks cannot be set aside (JFFS2, UBIFS), the file holds random bytes: those file systems
 * compress, and zeros would take no room.
 */
#ifndef GW_RESERVE_H
#define GW_RESERVE_H

#include "libgroupkey/groupkey.h"

#define GW_RESERVE_BYTES (128u * 1024)
/** What the next few commits need; with less the level is not good. */
#define GW_RESERVE_NEED (64u * 1024)
/** What one commit needs; with less, and no reserve, there is no room at all. */
#define GW_RESERVE_LEAST (16u * 1024)
/** As much more has to be free before a level is good again. */
#define GW_RESERVE_SLACK (64u * 1024)

/** Fields are its own. */
struct gw_reserve {
	char *path;      /* of the reserve */
	char *state_dir; /* the directories that are written to */
	char *mark_dir;
	bool made; /* by us, in this life */
	enum gk_storage level;
	int64_t look_ms; /* when to look again at the level, */
	int64_t make_ms; /* and try again to make the reserve */
};

/** Begin; looks at nothing yet. @return 0; -ENOMEM */
GK_MUST_CHECK int gw_reserve_open(struct gw_reserve *reserve, const char *state_dir,
				  const char *mark_path);
/** Forget it; the file stays. An all-zero struct is allowed. */
void gw_reserve_close(struct gw_reserve *reserve);
/**
 * Look, at most once a second: is there room, is it read-only? Makes the reserve, if it is missing
 * and there is room for it; what cannot be made is tried again in a minute.
 * @return the level now
 */
enum gk_storage gw_reserve_look(struct gw_reserve *reserve, struct gk_mono now);
/** A commit failed with 'err'. @return true: the reserve was given up for it, try again at once */
bool gw_reserve_give_up(struct gw_reserve *reserve, int err);

#endif
