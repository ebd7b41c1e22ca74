// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Our interface to the segment: whether it works, its addresses, and the nodes behind it, as the
 * kernel tells through netlink/. Other interfaces can be watched besides, on which routes and
 * neighbours lead to nodes too: their loss is none of ours.
 */
#ifndef GW_SEGMENT_H
#define GW_SEGMENT_H

#include "gatewayd/routes.h"
#include "libgroupkey/groupkey.h"
#include "netlink/reach.h"

#define GW_SEGMENT_ADDRESSES 16
#define GW_SEGMENT_WATCH_MAX 8
#define GW_SEGMENT_ROUTERS   64

/** Who is told. Of one read, blindness comes before what is said of nodes. */
struct gw_segment_sink {
	void (*blind)(void *ctx, enum gk_blindness why);
	/* what was read at once; 'scope' is 0 on our interface, whatever its index is, and so it is
	 * on others, of which only addresses that mean the same everywhere are told */
	void (*reach)(void *ctx, const struct gk_reach_report *reports, size_t count);
	/* how long to wait for the kernel's verdict on a probe, at most */
	void (*timing)(void *ctx, uint32_t verdict_ms);
	/* wait for the one descriptor instead of the other; -1: none */
	void (*moved)(void *ctx, int from_fd, int to_fd);
};

struct gw_segment_link {
	char name[REACH_NAME_LEN];
	int ifindex; /* 0: it is not there */
	bool up;
	bool lower_up;          /* what it stands on is up too, and so is it */
	enum gk_blindness fell; /* how, in this read; GK_BLIND_NOT: it did not */
};

/** What to watch. */
struct gw_segment_options {
	const char *interface; /* ours; borrowed by the segment */
	char *const *watch;    /* names of others, at most GW_SEGMENT_WATCH_MAX */
	size_t watch_count;
	bool datagrams; /* to have the kernel look for nodes: there is no CAP_NET_ADMIN for that */
};

/** A router that the kernel was asked about. */
struct gw_segment_router {
	uint8_t ip[REACH_IP_LEN];
	int ifindex;
	int64_t asked_ms;
};

/** Fields are the segment's own, but for 'ifindex' and 'blind', which may be read. */
struct gw_segment {
	const char *interface;
	const struct gw_segment_sink *sink;
	void *ctx;
	struct reach_monitor *monitor;
	struct gw_segment_link links[1 + GW_SEGMENT_WATCH_MAX]; /* the first is ours */
	size_t link_count;
	int ifindex;             /* ours; 0: the interface is not there */
	enum gk_blindness blind; /* as the sink was told */
	bool told;               /* it was */
	bool fresh;              /* nothing was read yet without error */
	bool deaf;               /* ... nor for long */
	bool was_wide;           /* we had an address that is not link-local */
	bool crowded;
	bool weak;          /* the kernel does not probe for us */
	bool proxies;       /* proxied entries are about, of which the kernel gives no notice */
	int64_t retry_ms;   /* when to read or open again; GK_NEVER: not */
	int64_t failing_ms; /* reading fails since then; GK_NEVER: it does not */
	int64_t look_ms;    /* when to look for proxied entries; GK_NEVER: not by itself */
	bool timing_wanted; /* ask the kernel again how long it takes, */
	int64_t timing_ms;  /* but not before */
	uint32_t verdict_ms;
	struct gk_addr addresses[GW_SEGMENT_ADDRESSES];
	size_t address_count;
	struct gw_routes routes;
	struct gw_segment_router routers[GW_SEGMENT_ROUTERS]; /* those asked about last */
	size_t router_next;
	struct gk_reach_report *answers; /* to probes, for the next turn */
	size_t answer_count, answer_room;
};

/**
 * Begin to watch; the sink is told of what is there already before this returns.
 * @param sink  borrowed, as 'ctx' is
 * @return 0, or -errno: there is no netlink
 */
GK_MUST_CHECK int gw_segment_open(struct gw_segment *segment,
				  const struct gw_segment_options *options,
				  const struct gw_segment_sink *sink, void *ctx,
				  struct gk_mono now);
/** As gw_segment_open(), with a monitor that is open; it is taken. For tests. */
void gw_segment_open_with(struct gw_segment *segment, struct reach_monitor *monitor,
			  const struct gw_segment_options *options,
			  const struct gw_segment_sink *sink, void *ctx, struct gk_mono now);
/** Watch others from now on, and begin anew to listen. If the kernel refuses, that is retried. */
void gw_segment_watch(struct gw_segment *segment, char *const *watch, size_t watch_count,
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
/**
 * Have the kernel find out whether a node is there, or the router that the way to it goes through.
 * Where no verdict will follow, the sink is told in the next turn: GK_REACH_ROUTED or
 * GK_REACH_DEAF.
 */
void gw_segment_probe(struct gw_segment *segment, const struct gk_addr *addr, struct gk_mono now);
/** What netlink met since it was opened; all zero while it is not. */
struct reach_counts gw_segment_counts(const struct gw_segment *segment);
/**
 * An address of ours under which nodes reach us: global or unique-local, else link-local.
 * @param addr  its ip is set
 */
bool gw_segment_address(const struct gw_segment *segment, struct gk_addr *addr);

/**
 * Ask the kernel how long it takes until it finds that a neighbour is missing, without a segment.
 * @param datagrams  as in struct gw_segment_options
 * @return 0, or -errno: the interface is not there, or there is no netlink
 */
GK_MUST_CHECK int gw_segment_verdict(const char *interface, bool datagrams, uint32_t *verdict_ms);

/* segment_probe.c, for segment.c */

/** How long the kernel takes over a probe, as long as it has not told. */
#define GW_SEGMENT_VERDICT_MS 5000
/** What is added to the time that it tells, for its notice to be read. */
#define GW_SEGMENT_SLACK_MS 500

/** What an operator is told about that. */
#define GW_SEGMENT_WEAK                                                                            \
	"without CAP_NET_ADMIN neighbours are probed by datagrams, some seconds later"

/** Ask how long the kernel takes, soon and whatever it said before. */
void gw_segment_want_timing(struct gw_segment *segment);
/** @return true if gw_segment_ask_timing() would */
bool gw_segment_asks_timing(const struct gw_segment *segment, struct gk_mono now);
/** Ask how long the kernel takes if that is due, and tell the sink what is new. */
void gw_segment_ask_timing(struct gw_segment *segment, struct gk_mono now);
/** Tell the sink what is known of those that were to be probed. */
void gw_segment_tell_answers(struct gw_segment *segment);

#endif
