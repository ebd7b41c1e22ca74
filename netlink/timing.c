// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "timing.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include "kernel.h"

enum {
	TICK_MS = 10 // of the slowest kernel, with HZ=100; also the shortest time between questions
};

static uint32_t saturate(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

// A timer of the kernel fires up to an eighth of its time, and a tick, late: the farther away, the
// coarser is the wheel that it is on (kernel/time/timer.c).
static uint64_t at_most(uint64_t ms)
{
	return ms + ms / 8 + TICK_MS;
}

// A neighbour with a link-layer address is asked there, and then everywhere; one without it, only
// everywhere (net/core/neighbour.c, neigh_max_probes() and __neigh_event_send()). After the last
// question it has the time of one more.
struct reach_timing reach_timing_of(const struct reach_parms *parms, bool datagram)
{
	uint64_t known = (uint64_t)parms->ucast_probes + parms->mcast_reprobes;
	uint64_t unknown = parms->mcast_probes;
	uint64_t probes = (known > unknown ? known : unknown) + parms->app_probes;
	uint64_t wait_ms = at_most(parms->retrans_ms > TICK_MS ? parms->retrans_ms : TICK_MS);
	uint64_t verdict_ms = probes * saturate(wait_ms);

	if (datagram)
		verdict_ms = saturate(verdict_ms) + at_most(parms->delay_first_ms);
	return (struct reach_timing){
		.verdict_ms = saturate(verdict_ms),
		.reachable_ms = parms->reachable_ms,
		.delay_first_ms = parms->delay_first_ms,
		.retrans_ms = parms->retrans_ms,
	};
}

struct search {
	int ifindex;
	bool found;
	struct reach_parms parms; // the interface's own, else the default's
};

static void take_parms(void *ctx, const struct reach_record *record)
{
	struct search *search = ctx;

	if (record->type != REACH_RECORD_PARMS)
		return;
	if (record->parms.ifindex != search->ifindex &&
	    (record->parms.ifindex != 0 || search->found))
		return;
	search->parms = record->parms;
	search->found = true;
}

int reach_kernel_timing(struct reach_monitor *monitor, int ifindex, struct reach_timing *timing)
{
	struct reach_kernel *kernel = (struct reach_kernel *)monitor;
	const struct ndtmsg head = { .ndtm_family = AF_INET6 };
	struct search search = { .ifindex = ifindex };
	struct nl_msg *msg;
	int rc;

	if (ifindex <= 0)
		return -EINVAL;
	msg = nlmsg_alloc_simple(RTM_GETNEIGHTBL, NLM_F_REQUEST | NLM_F_DUMP);
	if (msg && nlmsg_append(msg, (void *)&head, sizeof(head), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	rc = reach_kernel_ask_take(kernel, msg, take_parms, &search);
	if (rc < 0)
		return rc;
	if (!search.found)
		return -ENODEV;
	*timing = reach_timing_of(&search.parms, kernel->may_not_probe);
	return 0;
}
