// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *left, const void *right)
{
	const struct reach_event *a = left, *b = right;
	int order = memcmp(a->ip, b->ip, REACH_IP_LEN);

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (order != 0)
		return order;
	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (a->metric > b->metric) - (a->metric < b->metric);
}

// Find the place of 'key': the number of entries before it.
static size_t lower_bound(const struct reach_known *known, const struct reach_event *key)
{
	size_t low = 0, high = known->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(&known->events[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct reach_known *known, size_t place, const struct reach_event *key)
{
	return place < known->count && compare_keys(&known->events[place], key) == 0;
}

static int make_room(struct reach_known *known)
{
	size_t room = known->room ? 2 * known->room : 64;
	struct reach_event *events;

	if (known->count < known->room)
		return 0;
	if (known->count >= REACH_KNOWN_MAX)
		return -ENOSPC;
	events = realloc(known->events, room * sizeof(*events));
	if (!events)
		return -ENOSPC;
	known->events = events;
	known->room = room;
	return 0;
}

static void remove_at(struct reach_known *known, size_t place)
{
	struct reach_event *entry = &known->events[place];

	known->count--;
	memmove(entry, entry + 1, (known->count - place) * sizeof(*entry));
}

static int insert_at(struct reach_known *known, size_t place, const struct reach_event *event)
{
	struct reach_event *entry;

	if (make_room(known) < 0)
		return -ENOSPC;
	entry = &known->events[place];
	memmove(entry + 1, entry, (known->count - place) * sizeof(*entry));
	*entry = *event;
	known->count++;
	return 0;
}

bool reach_event_is_gone(const struct reach_event *event)
{
	return event->kind == REACH_NEIGHBOUR ? event->state == REACH_UNKNOWN : !event->present;
}

struct reach_event reach_event_gone(const struct reach_event *event)
{
	struct reach_event end = *event;

	end.present = false;
	end.up = false;
	end.lower_up = false;
	end.state = REACH_UNKNOWN;
	return end;
}

bool reach_event_same(const struct reach_event *a, const struct reach_event *b)
{
	return a->state == b->state && a->present == b->present && a->up == b->up &&
	       a->lower_up == b->lower_up &&
	       memcmp(a->gateway, b->gateway, sizeof(a->gateway)) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

const struct reach_event *reach_known_find(const struct reach_known *known,
					   const struct reach_event *key)
{
	size_t place = lower_bound(known, key);

	return is_at(known, place, key) ? &known->events[place] : NULL;
}

bool reach_known_has_link(const struct reach_known *known, int ifindex)
{
	const struct reach_event key = { .kind = REACH_LINK, .ifindex = ifindex };

	return reach_known_find(known, &key) != NULL;
}

bool reach_known_has_route(const struct reach_known *known, const uint8_t ip[REACH_IP_LEN])
{
	struct reach_event first = { .kind = REACH_ROUTE }; // ifindex 0 comes before all others
	size_t place;

	memcpy(first.ip, ip, REACH_IP_LEN);
	place = lower_bound(known, &first);
	return place < known->count && known->events[place].kind == REACH_ROUTE &&
	       memcmp(known->events[place].ip, ip, REACH_IP_LEN) == 0;
}

struct reach_known reach_known_of_kind(const struct reach_known *known, enum reach_kind kind)
{
	// No event has index 0, so that these come before all others of their kind.
	const struct reach_event first = { .kind = kind }, end = { .kind = kind + 1 };
	size_t from = lower_bound(known, &first);

	return (struct reach_known){
		.events = known->events + from,
		.count = lower_bound(known, &end) - from,
	};
}

int reach_known_update(struct reach_known *known, const struct reach_event *event)
{
	size_t place = lower_bound(known, event);
	bool found = is_at(known, place, event);

	if (reach_event_is_gone(event)) {
		if (found)
			remove_at(known, place);
		return 0;
	}
	if (!found)
		return insert_at(known, place, event);
	known->events[place] = *event;
	return 0;
}

int reach_known_append(struct reach_known *known, const struct reach_event *event)
{
	return insert_at(known, known->count, event);
}

void reach_known_sort(struct reach_known *known)
{
	size_t kept = 0;

	if (known->count == 0)
		return;
	qsort(known->events, known->count, sizeof(*known->events), compare_keys);
	for (size_t i = 1; i < known->count; i++) {
		if (compare_keys(&known->events[kept], &known->events[i]) != 0)
			known->events[++kept] = known->events[i];
	}
	known->count = kept + 1;
}

// Go through both tables, and add to 'batch' what leads from 'old' to 'fresh', or without one only
// count it. Returns the number of differences.
static size_t walk(const struct reach_known *old, const struct reach_known *fresh,
		   enum reach_comparison how, struct reach_batch *batch)
{
	size_t o = 0, f = 0, differences = 0;

	while (o < old->count || f < fresh->count) {
		const struct reach_event *before = o < old->count ? &old->events[o] : NULL;
		const struct reach_event *now = f < fresh->count ? &fresh->events[f] : NULL;
		int order = !before ? 1 : !now ? -1 : compare_keys(before, now);
		bool differs = order < 0   ? how == REACH_COMPARE_WHOLE
			       : order > 0 ? true
					   : !reach_event_same(before, now);

		if (differs && batch) {
			const struct reach_event event =
				order < 0 ? reach_event_gone(before) : *now;

			reach_batch_add(batch, &event);
		}
		differences += differs;
		o += order <= 0;
		f += order >= 0;
	}
	return differences;
}

// The differences are counted first, so that memory is taken for those alone.
int reach_known_compare(const struct reach_known *old, const struct reach_known *fresh,
			enum reach_comparison how, struct reach_batch *batch)
{
	if (reach_batch_reserve(batch, walk(old, fresh, how, NULL)) < 0)
		return -ENOMEM;
	walk(old, fresh, how, batch);
	return 0;
}

void reach_known_wipe(struct reach_known *known)
{
	free(known->events);
	*known = (struct reach_known){ 0 };
}
