// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Directories for a user without rights: made, or given over with what is in them, by root. What
 * was made by a gatewayd that ran as root goes on so, and what root has put back is taken too.
 *
 * That user may be an enemy by the next start. So root acts only where every directory on the way
 * is its own, where a link of its own leads too; what lies below one of the user's is left to the
 * user. There it gives away nothing but regular files with our names and a single link, and never
 * through a symbolic link.
 */
#ifndef GW_HANDOVER_H
#define GW_HANDOVER_H

#include "gatewayd/conf.h"
#include <sys/types.h>

struct gw_owner {
	const char *name;
	uid_t uid;
	gid_t gid;
};

/**
 * Prepare state_dir, and the directories of the mark and of the control socket.
 *
 * One that is missing is made with mode 0700. One of root's becomes the user's if nothing but ours
 * is in it, and if it is closed to others or something of ours is there; else it is refused.
 *
 * @param error  on failure gets one line that begins with the option
 */
GK_MUST_CHECK bool gw_handover(const struct gw_conf *conf, const struct gw_owner *owner,
			       char *error, size_t size);

/** As who we are now: can these directories be used? @param error as in gw_handover() */
GK_MUST_CHECK bool gw_handover_check(const struct gw_conf *conf, const char *user, char *error,
				     size_t size);

#endif
