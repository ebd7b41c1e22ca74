// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Find the place of 'ifindex': the number of links before it.
static size_t lower_bound(const struct reach_links *links, int ifindex)
{
	size_t low = 0, high = links->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (links->links[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct reach_link *find(const struct reach_links *links, int ifindex)
{
	size_t place = lower_bound(links, ifindex);

	if (place < links->count && links->links[place].ifindex == ifindex)
		return &links->links[place];
	return NULL;
}

static int make_room(struct reach_links *links)
{
	size_t room = links->room ? 2 * links->room : 16;
	struct reach_link *entries;

	if (links->count < links->room)
		return 0;
	if (links->count >= REACH_LINKS_MAX)
		return -ENOSPC;
	entries = realloc(links->links, room * sizeof(*entries));
	if (!entries)
		return -ENOSPC;
	links->links = entries;
	links->room = room;
	return 0;
}

// Open, or close, the place of one link.
static void shift(struct reach_links *links, size_t from, size_t to)
{
	memmove(&links->links[to], &links->links[from],
		(links->count - from) * sizeof(*links->links));
	links->count = links->count + to - from;
}

int reach_links_update(struct reach_links *links, const struct reach_record *record)
{
	const struct reach_event *event = &record->event;
	size_t place = lower_bound(links, event->ifindex);
	bool found = find(links, event->ifindex) != NULL;

	if (!event->present) {
		if (found)
			shift(links, place + 1, place);
		return 0;
	}
	if (!found) {
		if (make_room(links) < 0)
			return -ENOSPC;
		shift(links, place, place + 1);
	}
	links->links[place] = (struct reach_link){
		.ifindex = event->ifindex,
		.lower = record->lower == event->ifindex ? 0 : record->lower,
		.up = event->up,
	};
	return 0;
}

bool reach_links_lower_up(const struct reach_links *links, int ifindex)
{
	const struct reach_link *link = find(links, ifindex);
	const struct reach_link *lower;

	if (!link || link->lower == 0)
		return true;
	lower = find(links, link->lower);
	return lower ? lower->up : links->count >= REACH_LINKS_MAX;
}

void reach_links_wipe(struct reach_links *links)
{
	free(links->links);
	*links = (struct reach_links){ 0 };
}
