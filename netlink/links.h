// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Every link of the namespace, watched or not: whether it is up, and which one is below it. A link
 * that is up works only if the one below it is, and that one goes down on its own: lowpan0 stays up
 * when wpan0 does not.
 */
#ifndef REACH_LINKS_H
#define REACH_LINKS_H

#include "parse.h"

enum {
	REACH_LINKS_MAX = 16384 // 200 kB; more than any gateway has
};

struct reach_link {
	int ifindex;
	int lower; /* 0: none */
	bool up;
};

/** Zero-initialise. In ascending order of the index. */
struct reach_links {
	struct reach_link *links;
	size_t count, room;
};

/**
 * Take over what a record about a link says.
 * @return 0, or -ENOSPC (full, or no memory) and nothing changed
 */
REACH_MUST_CHECK int reach_links_update(struct reach_links *links,
					const struct reach_record *record);
/**
 * @return whether the link below 'ifindex' is up, or there is none. One that was deleted is not up,
 *         but one that there was no room for is taken to be
 */
bool reach_links_lower_up(const struct reach_links *links, int ifindex);
/** Free what 'links' holds, and empty it. */
void reach_links_wipe(struct reach_links *links);

#endif
