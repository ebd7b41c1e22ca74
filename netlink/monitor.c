// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	// Datagrams in one read, so that a flood of notices does not keep the caller from all else.
	DRAIN_MAX = 4096,
	// Events after which a read looks for no more, so that its memory is bounded: the kernel
	// may put several messages into a datagram, and has one of each in practice.
	EVENTS_MAX = 4096,
	// Of one read, if entries come and go during each.
	COMPARISONS_MAX = 3,
	// Holds 2,500 neighbour notices; the kernel's default of 212,992 bytes holds 512
	// (Linux 6.18).
	RECEIVE_BUFFER = 1024 * 1024
};

bool reach_kernel_watches(const struct reach_kernel *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->name_count; i++) {
		if (strcmp(kernel->names[i], name) == 0)
			return true;
	}
	return kernel->name_count == 0;
}

/*
 * Notices
 */

// Report 'event' and know it from now on. Without memory to report, nothing is known of it either,
// and the comparison that follows finds it.
static void tell(struct reach_kernel *kernel, const struct reach_event *event)
{
	size_t before;

	if (reach_batch_reserve(&kernel->batch, 1) < 0) {
		kernel->lost = true;
		return;
	}
	reach_batch_add(&kernel->batch, event);
	before = kernel->known.count;
	if (reach_known_update(&kernel->known, event) < 0)
		kernel->counts.untracked++;
	kernel->changed |= kernel->known.count != before;
}

void reach_kernel_withdraw(struct reach_kernel *kernel, int ifindex)
{
	for (size_t i = kernel->known.count; i-- > 0;) {
		const struct reach_event gone = reach_event_gone(&kernel->known.events[i]);

		if (gone.ifindex == ifindex)
			tell(kernel, &gone);
	}
}

// A link that was deleted, or given a name that is not ours, is gone under the name it had.
static void take_watched(struct reach_kernel *kernel, const struct reach_event *event)
{
	const struct reach_event *old = reach_known_find(&kernel->known, event);
	bool ours = event->present && reach_kernel_watches(kernel, event->name);
	struct reach_event now = *event;

	if (!ours && !old)
		return;
	if (!ours)
		now = reach_event_gone(old);
	// Under its new name it is another one to those who go by names.
	if (ours && old && strcmp(old->name, now.name) != 0) {
		reach_kernel_withdraw(kernel, now.ifindex);
		kernel->lost = true;
		return;
	}
	if (old && reach_event_same(old, &now))
		return;
	// A link that gets a watched name has neighbours that were not listened to. One that falls
	// may lose routes without a notice (sysctl net.ipv6.route.skip_notify_on_dev_down).
	if (old ? !now.up : kernel->name_count > 0)
		kernel->lost = true;
	tell(kernel, &now);
}

// What is known of a link may be all but up-to-date if there is another one below it.
static void take_upper(struct reach_kernel *kernel, int ifindex)
{
	const struct reach_event key = { .kind = REACH_LINK, .ifindex = ifindex };
	const struct reach_event *old = reach_known_find(&kernel->known, &key);
	struct reach_event now;

	if (!old)
		return;
	now = *old;
	now.lower_up = now.up && reach_links_lower_up(&kernel->links, ifindex);
	if (!reach_event_same(old, &now))
		tell(kernel, &now);
}

static void take_link(struct reach_kernel *kernel, const struct reach_record *record)
{
	struct reach_event event = record->event;

	if (reach_links_update(&kernel->links, record) < 0)
		kernel->counts.untracked++;
	event.lower_up = event.up && reach_links_lower_up(&kernel->links, event.ifindex);
	take_watched(kernel, &event);
	for (size_t i = 0; i < kernel->links.count; i++) {
		if (kernel->links.links[i].lower == event.ifindex)
			take_upper(kernel, kernel->links.links[i].ifindex);
	}
}

// Notices about links, addresses and routes repeat themselves, as for counters and lifetimes. A
// neighbour's same state once more is the answer to a probe.
static bool is_news(const struct reach_kernel *kernel, const struct reach_event *event)
{
	const struct reach_event *old = reach_known_find(&kernel->known, event);

	if (event->kind == REACH_NEIGHBOUR)
		return true;
	if (old)
		return !reach_event_same(old, event);
	return !reach_event_is_gone(event) || kernel->counts.untracked > 0;
}

// 'ip neigh del' and 'flush' set an entry to FAILED, with a notice, before they delete it. Nobody
// was asked: the kernel's own verdict comes from a timer, and names no process as its cause.
static struct reach_event judge(const struct reach_record *record)
{
	struct reach_event event = record->event;

	if (event.state == REACH_FAILED && record->port != 0)
		event.state = REACH_UNKNOWN;
	return event;
}

static void take_event(struct reach_kernel *kernel, const struct reach_record *record)
{
	const struct reach_event event = judge(record);

	// A route that is replaced by one through another link gets no notice of its own.
	if (record->replaces && !reach_known_find(&kernel->known, &event) &&
	    reach_known_has_route(&kernel->known, event.ip))
		kernel->lost = true;
	if (reach_known_has_link(&kernel->known, event.ifindex) && is_news(kernel, &event))
		tell(kernel, &event);
}

static void take_record(struct reach_kernel *kernel, const struct reach_record *record)
{
	switch (record->type) {
	case REACH_RECORD_IGNORED:
	case REACH_RECORD_DONE:
	case REACH_RECORD_RESOLVING:
	case REACH_RECORD_PARMS:
		return;
	case REACH_RECORD_FIXED:
		if (reach_known_find(&kernel->known, &record->event))
			tell(kernel, &record->event);
		return;
	case REACH_RECORD_EVENT:
		if (record->event.kind == REACH_LINK)
			take_link(kernel, record);
		else
			take_event(kernel, record);
		return;
	}
}

static void take_datagram(struct reach_kernel *kernel, size_t len)
{
	struct reach_cursor cursor = reach_parse_begin(kernel->datagram, len);
	struct reach_record record;
	int rc;

	kernel->counts.notices++;
	while ((rc = reach_parse_next(&cursor, &record)) != 0) {
		if (rc > 0) {
			take_record(kernel, &record);
			continue;
		}
		// Not understood is as good as lost.
		kernel->counts.malformed++;
		kernel->lost = true;
	}
}

// Take what there is. Returns 1 if there may be more.
static int drain(struct reach_kernel *kernel)
{
	for (int i = 0; i < DRAIN_MAX && kernel->batch.count < EVENTS_MAX; i++) {
		ssize_t len = reach_kernel_receive(kernel, kernel->notices);

		if (len == -EAGAIN)
			return 0;
		if (len == -ENOBUFS || len == -EMSGSIZE) {
			kernel->counts.lost++;
			kernel->lost = true;
		} else if (len < 0) {
			return (int)len;
		} else {
			take_datagram(kernel, (size_t)len);
		}
	}
	return 1;
}

// A comparison waits for the end of the drain: until the socket has been read empty, the kernel
// goes on dropping notices without saying so again (af_netlink.c, NETLINK_S_CONGESTED).
//
// A dump of neighbours remembers its place by counting, so that one which comes or goes meanwhile
// may hide another. Where notices say that this has happened, the dump is repeated.
static int catch_up(struct reach_kernel *kernel)
{
	int rc = 0;

	for (int left = COMPARISONS_MAX; rc == 0 && kernel->lost && left > 0; left--) {
		rc = reach_kernel_compare(kernel);
		kernel->changed = false;
		if (rc == 0)
			rc = drain(kernel);
		kernel->lost |= kernel->changed && left > 1;
	}
	return rc == 0 && kernel->lost ? -EAGAIN : rc;
}

static int kernel_read(struct reach_monitor *monitor, reach_callback *callback, void *ctx)
{
	struct reach_kernel *kernel = (struct reach_kernel *)monitor;
	int rc = drain(kernel);

	if (rc == 0)
		rc = catch_up(kernel);
	if (rc == 0 && kernel->look)
		rc = reach_kernel_compare_proxies(kernel);
	reach_batch_deliver(&kernel->batch, callback, ctx);
	if (rc < 0)
		return rc;
	if (kernel->lost)
		return -ENOBUFS;
	if (kernel->counts.untracked == 0 || kernel->overflow_told)
		return 0;
	kernel->overflow_told = true;
	return -EOVERFLOW;
}

/*
 * Opening and closing
 */

static int kernel_fd(const struct reach_monitor *monitor)
{
	return ((const struct reach_kernel *)monitor)->notices;
}

static void kernel_look(struct reach_monitor *monitor)
{
	((struct reach_kernel *)monitor)->look = true;
}

static struct reach_counts kernel_counts(const struct reach_monitor *monitor)
{
	return ((const struct reach_kernel *)monitor)->counts;
}

static void kernel_close(struct reach_monitor *monitor)
{
	struct reach_kernel *kernel = (struct reach_kernel *)monitor;
	const int sockets[] = { kernel->notices, kernel->requests, kernel->udp };

	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		if (sockets[i] >= 0)
			close(sockets[i]);
	}
	reach_batch_wipe(&kernel->batch);
	reach_known_wipe(&kernel->known);
	reach_links_wipe(&kernel->links);
	free(kernel->names);
	free(kernel);
}

static const struct reach_operations kernel_operations = {
	.fd = kernel_fd,
	.read = kernel_read,
	.probe = reach_kernel_probe,
	.timing = reach_kernel_timing,
	.look = kernel_look,
	.counts = kernel_counts,
	.close = kernel_close,
};

static int copy_names(struct reach_kernel *kernel, const struct reach_options *options)
{
	for (size_t i = 0; i < options->interface_count; i++) {
		size_t len = strlen(options->interfaces[i]);

		if (len == 0 || len >= REACH_NAME_LEN)
			return -EINVAL;
	}
	if (options->interface_count == 0)
		return 0;
	kernel->names = calloc(options->interface_count, sizeof(*kernel->names));
	if (!kernel->names)
		return -ENOMEM;
	kernel->name_count = options->interface_count;
	for (size_t i = 0; i < kernel->name_count; i++)
		strcpy(kernel->names[i], options->interfaces[i]);
	return 0;
}

// Bound to no port, so that the kernel finds a free one. libnl-tiny makes one from the process id,
// which is 1 for every jailed service of a router, and fails where it is taken.
static int open_socket(int *sock)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	*sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (*sock < 0 || bind(*sock, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	return 0;
}

static int set_option(int sock, int level, int option, int value)
{
	return setsockopt(sock, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int join_groups(const struct reach_kernel *kernel, int receive_buffer)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,
				      RTNLGRP_NEIGH };
	int rc = set_option(kernel->notices, SOL_SOCKET, SO_RCVBUF, receive_buffer);

	for (size_t i = 0; rc == 0 && i < sizeof(groups) / sizeof(groups[0]); i++)
		rc = set_option(kernel->notices, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups[i]);
	return rc;
}

static int open_all(struct reach_kernel *kernel, const struct reach_options *options)
{
	int buffer = options->receive_buffer > 0 ? options->receive_buffer : RECEIVE_BUFFER;
	int rc = copy_names(kernel, options);

	kernel->may_not_probe = options->datagrams;
	if (rc == 0)
		rc = open_socket(&kernel->notices);
	if (rc == 0)
		rc = open_socket(&kernel->requests);
	if (rc == 0)
		rc = join_groups(kernel, buffer);
	return rc;
}

int reach_monitor_open(struct reach_monitor **monitor, const struct reach_options *options)
{
	const struct reach_options defaults = { 0 };
	struct reach_kernel *kernel = calloc(1, sizeof(*kernel));
	int rc;

	if (!kernel)
		return -ENOMEM;
	kernel->base.operations = &kernel_operations;
	kernel->notices = kernel->requests = kernel->udp = -1;
	kernel->lost = true; // nothing is known yet
	rc = open_all(kernel, options ? options : &defaults);
	if (rc < 0) {
		kernel_close(&kernel->base);
		return rc;
	}
	*monitor = &kernel->base;
	return 0;
}
