// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kernel.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

enum {
	TRIES = 3 // of a dump that changes interrupt, before the caller is asked to come back
};

enum {
	LINKS = 0, // first: they decide what else is ours
	PROXIES = 4
};

static const struct {
	int type;
	unsigned char family, flags;
} dumps[] = {
	[LINKS] = { RTM_GETLINK, AF_UNSPEC, 0 },
	{ RTM_GETADDR, AF_INET6, 0 },
	{ RTM_GETROUTE, AF_INET6, 0 },
	{ RTM_GETNEIGH, AF_INET6, 0 },
	[PROXIES] = { RTM_GETNEIGH, AF_INET6, NTF_PROXY },
};

struct fresh {
	const struct reach_kernel *kernel;
	struct reach_known known;
	struct reach_links links;
	size_t watched; // links, sorted, at the front of 'known'
	uint64_t untracked;
};

static bool is_ours(const struct fresh *fresh, const struct reach_event *event)
{
	const struct reach_known links = { .events = fresh->known.events, .count = fresh->watched };

	if (event->kind == REACH_LINK)
		return reach_kernel_watches(fresh->kernel, event->name);
	return reach_known_has_link(&links, event->ifindex);
}

static void take_event(struct fresh *fresh, const struct reach_event *event)
{
	if (reach_event_is_gone(event) || !is_ours(fresh, event))
		return;
	if (reach_known_append(&fresh->known, event) < 0)
		fresh->untracked++;
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
	if (event->kind == REACH_LINK && reach_links_update(&fresh->links, record) < 0)
		fresh->untracked++;
	take_event(fresh, event);
}

// A dump of proxied entries is asked for by a whole header; in the others the kernel looks at the
// family only.
static int dump(struct reach_kernel *kernel, size_t which, reach_record_callback *callback,
		void *ctx)
{
	struct ndmsg head = { .ndm_family = dumps[which].family, .ndm_flags = dumps[which].flags };
	size_t len = dumps[which].flags ? sizeof(head) : sizeof(struct rtgenmsg);
	struct nl_msg *msg = nlmsg_alloc_simple(dumps[which].type, NLM_F_REQUEST | NLM_F_DUMP);

	if (msg && nlmsg_append(msg, &head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return reach_kernel_ask_take(kernel, msg, callback, ctx);
}

// The watched links, when all links are there.
static void finish_links(struct fresh *fresh)
{
	reach_known_sort(&fresh->known);
	fresh->watched = fresh->known.count;
	for (size_t i = 0; i < fresh->watched; i++) {
		struct reach_event *event = &fresh->known.events[i];

		event->lower_up = event->up && reach_links_lower_up(&fresh->links, event->ifindex);
	}
}

static void wipe(struct fresh *fresh)
{
	reach_known_wipe(&fresh->known);
	reach_links_wipe(&fresh->links);
}

static int dump_all(struct reach_kernel *kernel, struct fresh *fresh)
{
	int rc = 0;

	wipe(fresh);
	*fresh = (struct fresh){ .kernel = kernel };
	for (size_t i = 0; rc == 0 && i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		rc = dump(kernel, i, take_record, fresh);
		if (i == LINKS)
			finish_links(fresh);
	}
	reach_known_sort(&fresh->known);
	return rc;
}

// A link that has another name than before is told of as a new one.
static void withdraw_renamed(struct reach_kernel *kernel, const struct fresh *fresh)
{
	for (size_t i = reach_known_of_kind(&kernel->known, REACH_LINK).count; i-- > 0;) {
		const struct reach_event *old = &kernel->known.events[i];
		const struct reach_event *now = reach_known_find(&fresh->known, old);

		if (now && strcmp(now->name, old->name) != 0)
			reach_kernel_withdraw(kernel, old->ifindex);
	}
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
	if (rc == 0) {
		withdraw_renamed(kernel, &fresh);
		rc = report(kernel, &fresh);
	}
	if (rc < 0) {
		wipe(&fresh);
		return rc;
	}
	reach_known_wipe(&kernel->known);
	reach_links_wipe(&kernel->links);
	kernel->known = fresh.known;
	kernel->links = fresh.links;
	kernel->lost = false;
	kernel->look = false;
	kernel->overflow_told = false;
	kernel->counts.untracked = fresh.untracked;
	kernel->counts.comparisons++;
	return 0;
}

/*
 * Proxied entries
 */

static void take_proxy(void *ctx, const struct reach_record *record)
{
	struct fresh *fresh = ctx;

	if (record->type != REACH_RECORD_EVENT ||
	    !reach_known_has_link(&fresh->kernel->known, record->event.ifindex))
		return;
	if (reach_known_append(&fresh->known, &record->event) < 0)
		fresh->untracked++;
}

// Add to 'batch' what changed, and know it from now on.
static int report_proxies(struct reach_kernel *kernel, const struct fresh *fresh)
{
	const struct reach_known old = reach_known_of_kind(&kernel->known, REACH_PROXY);
	enum reach_comparison how = fresh->untracked ? REACH_COMPARE_PART : REACH_COMPARE_WHOLE;
	size_t before = kernel->batch.count;
	int rc = reach_known_compare(&old, &fresh->known, how, &kernel->batch);

	for (size_t i = before; rc == 0 && i < kernel->batch.count; i++) {
		if (reach_known_update(&kernel->known, &kernel->batch.events[i]) < 0)
			kernel->counts.untracked++;
	}
	return rc;
}

int reach_kernel_compare_proxies(struct reach_kernel *kernel)
{
	struct fresh fresh = { .kernel = kernel };
	int rc = dump(kernel, PROXIES, take_proxy, &fresh);

	reach_known_sort(&fresh.known);
	if (rc == 0)
		rc = report_proxies(kernel, &fresh);
	if (rc == 0)
		kernel->look = false;
	wipe(&fresh);
	return rc;
}
