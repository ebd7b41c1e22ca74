// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

enum {
	TRIES = 3 // of a dump that changes interrupt, before the caller is asked to come back
};

// Links first: they decide what else is ours.
static const struct {
	int type;
	unsigned char family;
} dumps[] = {
	{ RTM_GETLINK, AF_UNSPEC },
	{ RTM_GETADDR, AF_INET6 },
	{ RTM_GETROUTE, AF_INET6 },
	{ RTM_GETNEIGH, AF_INET6 },
};

struct fresh {
	const struct reach_kernel *kernel;
	struct reach_known known;
	size_t links; // sorted, at the front of 'known'
	uint64_t untracked;
};

static bool is_ours(const struct fresh *fresh, const struct reach_event *event)
{
	const struct reach_known links = { .events = fresh->known.events, .count = fresh->links };

	if (event->kind == REACH_LINK)
		return reach_kernel_watches(fresh->kernel, event->name);
	return reach_known_has_link(&links, event->ifindex);
}

static void take_record(void *ctx, const struct reach_record *record)
{
	struct fresh *fresh = ctx;
	const struct reach_event *event = &record->event;

	// Under traffic a failed neighbour is asked again without a notice, and is still failed.
	if (record->type == REACH_RECORD_RESOLVING) {
		event = reach_known_find(&fresh->kernel->known, event);
		if (!event || event->state != REACH_FAILED)
			return;
	} else if (record->type != REACH_RECORD_EVENT) {
		return;
	}
	if (reach_event_is_gone(event) || !is_ours(fresh, event))
		return;
	if (reach_known_append(&fresh->known, event) < 0)
		fresh->untracked++;
}

static int dump(struct reach_kernel *kernel, size_t which, struct fresh *fresh)
{
	struct rtgenmsg family = { .rtgen_family = dumps[which].family };
	struct nl_msg *msg = nlmsg_alloc_simple(dumps[which].type, NLM_F_REQUEST | NLM_F_DUMP);

	if (msg && nlmsg_append(msg, &family, sizeof(family), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return reach_kernel_ask_take(kernel, msg, take_record, fresh);
}

static int dump_all(struct reach_kernel *kernel, struct fresh *fresh)
{
	int rc = 0;

	reach_known_wipe(&fresh->known);
	*fresh = (struct fresh){ .kernel = kernel };
	for (size_t i = 0; rc == 0 && i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		rc = dump(kernel, i, fresh);
		if (i > 0)
			continue;
		reach_known_sort(&fresh->known);
		fresh->links = fresh->known.count;
	}
	reach_known_sort(&fresh->known);
	return rc;
}

// What has no room in the new table is not gone: keep the events about it to ourselves.
static int report(struct reach_kernel *kernel, const struct fresh *fresh)
{
	enum reach_comparison how = fresh->untracked ? REACH_COMPARE_PART : REACH_COMPARE_WHOLE;

	return reach_known_compare(&kernel->known, &fresh->known, how, &kernel->batch);
}

int reach_kernel_compare(struct reach_kernel *kernel)
{
	struct fresh fresh = { 0 };
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < TRIES; i++)
		rc = dump_all(kernel, &fresh);
	if (rc == 0)
		rc = report(kernel, &fresh);
	if (rc < 0) {
		reach_known_wipe(&fresh.known);
		return rc;
	}
	reach_known_wipe(&kernel->known);
	kernel->known = fresh.known;
	kernel->lost = false;
	kernel->overflow_told = false;
	kernel->counts.untracked = fresh.untracked;
	kernel->counts.comparisons++;
	return 0;
}
