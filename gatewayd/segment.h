// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Our interface to the segment: whether it works, its addresses, and the neighbours behind it, as
 * the kernel tells through netlink/.
 */
#ifndef GW_SEGMENT_H
#define GW_SEGMENT_H

#include "libgroupkey/groupkey.h"
#include "netlink/reach.h"

#define GW_SEGMENT_ADDRESSES 16

/** Who is told. Of one batch of notices, blindness comes before the neighbours. */
struct gw_segment_sink {
	void (*blind)(void *ctx, bool blind);
	/* 'scope' is 0: the interface is ours, whatever its index is */
	void (*neighbour)(void *ctx, const struct gk_addr *addr, enum gk_reach reach);
	/* wait for the one descriptor instead of the other; -1: none */
	void (*moved)(void *ctx, int from_fd, int to_fd);
};

/** Fields are the segment's own, but for 'ifindex' and 'blind', which may be read. */
struct gw_segment {
	const char *interface;
	const struct gw_segment_sink *sink;
	void *ctx;
	struct reach_monitor *monitor;
	int ifindex; /* 0: the interface is not there */
	bool blind;  /* it is not there, or down */
	bool told;   /* the sink knows of 'blind' */
	bool crowded;
	bool weak;        /* said that the kernel does not probe for us */
	int64_t retry_ms; /* when to read or open again; GK_NEVER: not */
	struct gk_addr addresses[GW_SEGMENT_ADDRESSES];
	size_t address_count;
};

/**
 * Begin to watch; the sink is told of what is there already before this returns.
 * @param interface  borrowed, as 'sink' and 'ctx' are
 * @return 0, or -errno: there is no netlink
 */
GK_MUST_CHECK int gw_segment_open(struct gw_segment *segment, const char *interface,
				  const struct gw_segment_sink *sink, void *ctx,
				  struct gk_mono now);
/** As gw_segment_open(), with a monitor that is open; it is taken. For tests. */
void gw_segment_open_with(struct gw_segment *segment, struct reach_monitor *monitor,
			  const char *interface, const struct gw_segment_sink *sink, void *ctx,
			  struct gk_mono now);
void gw_segment_close(struct gw_segment *segment);

/** Read what the kernel has to say; also what is to be done when gw_segment_next_expiry() comes. */
void gw_segment_read(struct gw_segment *segment, struct gk_mono now);
struct gk_mono gw_segment_next_expiry(const struct gw_segment *segment);

/**
 * Complete the address of a node behind the interface for the kernel: a link-local one gets the
 * index that the interface has now.
 * @return false: it needs one, and the interface is not there
 */
GK_MUST_CHECK bool gw_segment_route(const struct gw_segment *segment, struct gk_addr *addr);
/** Have the kernel find out whether a neighbour is there. */
void gw_segment_probe(struct gw_segment *segment, const struct gk_addr *addr);
/**
 * An address of ours under which nodes reach us: global or unique-local, else link-local.
 * @param addr  its ip is set
 */
bool gw_segment_address(const struct gw_segment *segment, struct gk_addr *addr);

#endif
