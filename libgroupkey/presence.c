// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Who is still there. The kernel's neighbour table raises
 * suspicion; only unanswered authenticated probes lead to a removal.
 *
 *   PRESENT --no sign of life for check_interval--> kernel probe --failed, or no verdict-->
 *   SUSPECT --probes unanswered--> ABSENT --grace--> removed
 *
 * A member without control_uri takes no requests. If it observes its group, a notification of what
 * it has already takes the place of a probe. Its acknowledgement is not authenticated, and counts
 * as what it says nevertheless: that somebody is there. Whoever forges it hides that an observer is
 * gone, and wins nothing else. What silence proves of a member that neither takes requests nor
 * observes is nothing: it stays.
 *
 * Any authenticated message leads back to PRESENT. A rekeying message that is not answered counts
 * as a probe. What the kernel confirms anyone on the link may have forged, so after some of that
 * the member itself is asked, in silence as long as it answers.
 */
#include "kdc.h"

#define KERNEL_CONFIRMS  3    /* in a row; then the member has to answer itself */
#define UNSENT_SHIFT_MAX 6    /* 64 s between tries to send, at most */
#define BUSY_MS          1000 /* too many requests of ours under way: a little later */

static const struct gk_presence_config *policy(const struct gk_node *node)
{
	return &node->group->config.presence;
}

/* A restored group that is not served has no policy yet; gk_presence_excuse() starts its clocks. */
static void wake_in(struct gk_node *node, struct gk_now now, int64_t ms)
{
	if (!node->group->served)
		return;
	gk_timer_set(&node->group->kdc->timers, &node->check, now.mono.ms + ms);
}

static int64_t interval_ms(const struct gk_node *node)
{
	return 1000 * (int64_t)(gk_node_sleeps(node) ? policy(node)->sleep_max_s
						     : policy(node)->check_interval_s);
}

static struct gk_presence_counts *counts(const struct gk_node *node)
{
	return &node->group->kdc->presence_counts;
}

static void enter(struct gk_node *node, enum gk_presence presence, enum gk_fact reason,
		  struct gk_now now)
{
	if (node->presence != presence || !node->since_ms)
		node->since_ms = now.mono.ms;
	node->presence = presence;
	node->reason = (uint8_t)reason;
}

/* Cheap for a member that is present: its timer stays where it is and looks at last_seen_ms when
 * it fires. */
void gk_presence_seen(struct gk_node *node, enum gk_fact sign, struct gk_now now)
{
	bool back = node->presence != GK_PRESENT;

	gk_evidence_add(node, sign, 0, now);
	node->last_seen_ms = now.mono.ms;
	node->last_sign = (uint8_t)sign;
	if (back || !node->since_ms)
		enter(node, GK_PRESENT, sign, now);
	counts(node)->returned += back;
	node->kernel_asked = false;
	node->kernel_confirms = 0;
	node->unsent = 0;
	if (back)
		gk_kdc_note(node->group->kdc, GK_NOTE_PRESENT, node, NULL);
	if (back || !node->check.slot)
		wake_in(node, now, interval_ms(node));
}

/* It is known to be there, not to be the member: the kernel goes on vouching as often as before. */
void gk_presence_acknowledged(struct gk_node *node, struct gk_now now)
{
	if (node->presence != GK_PRESENT)
		gk_kdc_note(node->group->kdc, GK_NOTE_PRESENT, node,
			    "a notification was acknowledged");
	counts(node)->returned += node->presence != GK_PRESENT;
	gk_evidence_add(node, GK_FACT_ACKNOWLEDGED, 0, now);
	enter(node, GK_PRESENT, GK_FACT_ACKNOWLEDGED, now);
	node->kernel_asked = false;
	node->unsent = 0;
	wake_in(node, now, interval_ms(node));
}

void gk_presence_excuse(struct gk_node *node, struct gk_now now)
{
	if (node->presence != GK_PRESENT)
		gk_kdc_note(node->group->kdc, GK_NOTE_PRESENT, node, "it may have been our fault");
	gk_evidence_add(node, GK_FACT_EXCUSED, 0, now);
	enter(node, GK_PRESENT, GK_FACT_EXCUSED, now);
	node->kernel_asked = false;
	node->kernel_confirms = 0;
	node->last_seen_ms = now.mono.ms;
	wake_in(node, now, interval_ms(node));
}

static bool can_be_asked(const struct gk_node *node)
{
	return node->has_control || gk_observe_delivers(node);
}

/* @param last  of its round: by multicast too, which no forged neighbour entry diverts */
static uint64_t ask(struct gk_node *node, bool last, uint32_t wait_ms, struct gk_now now)
{
	uint8_t bytes[GK_URI_PATH_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	size_t len;

	if (!node->has_control)
		return gk_observe_material(node, GK_REQUEST_PROBE, &len, wait_ms, now);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	if (last)
		return gk_client_request_both(node->group->kdc, node, GK_REQUEST_PROBE,
					      gk_buf_span(&buf), wait_ms, now);
	return gk_client_request(node->group->kdc, node, GK_REQUEST_PROBE, gk_buf_span(&buf),
				 wait_ms);
}

/* @return false: not now; it is tried again shortly */
static bool send_probe(struct gk_node *node, bool last, struct gk_now now)
{
	uint32_t wait_ms = 1000 * policy(node)->probe_wait_s;

	/* one exchange at a time with a node: a rekeying message is as good as a probe */
	if ((node->delivery == GK_NODE_FLYING && !last) || !ask(node, last, wait_ms, now)) {
		wake_in(node, now, BUSY_MS);
		return false;
	}
	wake_in(node, now, wait_ms);
	return true;
}

static void probe(struct gk_node *node, struct gk_now now)
{
	bool last = node->probes_sent + 1 == policy(node)->probes && gk_client_can_multicast(node);

	if (!send_probe(node, last, now))
		return;
	gk_evidence_add(node, last ? GK_FACT_PROBED_BY_MULTICAST : GK_FACT_PROBED,
			++node->probes_sent, now);
	counts(node)->probes++;
	counts(node)->multicast_probes += last;
}

static void check(struct gk_node *node, struct gk_now now)
{
	node->kernel_asked = send_probe(node, false, now);
	if (!node->kernel_asked)
		return;
	gk_evidence_add(node, GK_FACT_PROBED, 0, now);
	counts(node)->checks++;
}

static void suspect(struct gk_node *node, enum gk_fact reason, const char *text, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_SUSPECT, 0, now);
	counts(node)->suspected++;
	enter(node, GK_SUSPECT, reason, now);
	node->probes_sent = 0;
	gk_kdc_note(node->group->kdc, GK_NOTE_SUSPECT, node, text);
	probe(node, now);
}

static void ask_kernel(struct gk_node *node, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_SILENT, (uint32_t)((now.mono.ms - node->last_seen_ms) / 1000),
			now);
	gk_evidence_add(node, GK_FACT_KERNEL_ASKED, 0, now);
	counts(node)->kernel_probes++;
	node->kernel_asked = true;
	gk_queue_add(&node->group->kdc->queue,
		     &(struct gk_event){ .kind = GK_EVENT_PROBE, .peer = *gk_address_of(node) });
	wake_in(node, now, node->group->kdc->verdict_ms);
}

static void check_present(struct gk_node *node, struct gk_now now)
{
	int64_t quiet_ms = now.mono.ms - node->last_seen_ms;

	if (!can_be_asked(node))
		wake_in(node, now, interval_ms(node));
	else if (node->kernel_asked)
		suspect(node, GK_FACT_KERNEL_MUTE, "silent, and the kernel does not vouch for it",
			now);
	else if (quiet_ms < interval_ms(node))
		wake_in(node, now, interval_ms(node) - quiet_ms);
	else if (node->kernel_confirms < KERNEL_CONFIRMS)
		ask_kernel(node, now);
	else
		check(node, now);
}

/* Its observation, by which it could be asked, ended while it was. */
static bool is_out_of_reach(struct gk_node *node, struct gk_now now)
{
	if (can_be_asked(node))
		return false;
	gk_presence_excuse(node, now);
	return true;
}

static void check_suspect(struct gk_node *node, struct gk_now now)
{
	if (is_out_of_reach(node, now))
		return;
	if (node->probes_sent < policy(node)->probes) {
		probe(node, now);
		return;
	}
	gk_evidence_add(node, GK_FACT_ABSENT, 0, now);
	counts(node)->absent++;
	enter(node, GK_ABSENT, GK_FACT_UNANSWERED, now);
	gk_kdc_note(node->group->kdc, GK_NOTE_ABSENT, node, "authenticated probes unanswered");
	if (!policy(node)->evict)
		gk_kdc_note(node->group->kdc, GK_NOTE_ALARM, node, "absent, and not to be removed");
	wake_in(node, now, 1000 * (int64_t)policy(node)->grace_s);
}

static void evict(struct gk_node *node, struct gk_now now)
{
	counts(node)->evicted++;
	node->evicting = true;
	gk_group_remove(node, GK_NOTE_EVICTED, "absent", now);
}

static void check_absent(struct gk_node *node, struct gk_now now)
{
	bool storable = node->group->kdc->storage != GK_STORAGE_NONE;

	if (is_out_of_reach(node, now))
		return;
	if (policy(node)->evict && storable)
		evict(node, now);
	else if (policy(node)->evict)
		wake_in(node, now, GK_PUT_OFF_MS);
	else if (send_probe(node, false, now)) /* it may be back, and have nothing to say */
		wake_in(node, now, interval_ms(node));
}

/* What is being asked just now goes on to be waited for as before. */
void gk_presence_retime(struct gk_node *node, struct gk_now now)
{
	int64_t left_ms = node->last_seen_ms + interval_ms(node) - now.mono.ms;

	if (node->presence == GK_PRESENT && !node->kernel_asked)
		wake_in(node, now, left_ms > 0 ? left_ms : 0);
	else if (node->presence == GK_ABSENT)
		wake_in(node, now, 1000 * (int64_t)policy(node)->grace_s);
}

void gk_presence_due(struct gk_node *node, struct gk_now now)
{
	static void (*const check[])(struct gk_node *, struct gk_now) = {
		[GK_PRESENT] = check_present,
		[GK_SUSPECT] = check_suspect,
		[GK_ABSENT] = check_absent,
	};

	if (node->group->kdc->blind)
		wake_in(node, now, interval_ms(node));
	else
		check[node->presence](node, now);
}

static const struct verdict {
	enum gk_fact fact;
	const char *suspicion; /* NULL: none */
} verdicts[] = {
	[GK_REACH_UNKNOWN] = { GK_FACT_NONE, NULL },
	[GK_REACH_CONFIRMED] = { GK_FACT_KERNEL_CONFIRMED, NULL },
	[GK_REACH_FAILED] = { GK_FACT_KERNEL_FAILED, "the kernel cannot reach its neighbour" },
	[GK_REACH_ROUTED] = { GK_FACT_ROUTED, NULL },
	[GK_REACH_ROUTER_FAILED] = { GK_FACT_ROUTER_FAILED, "the router before it is gone" },
	[GK_REACH_ROUTE_GONE] = { GK_FACT_ROUTE_GONE, "the route to it is gone" },
	[GK_REACH_MOVED] = { GK_FACT_MOVED, NULL },
	[GK_REACH_DEAF] = { GK_FACT_KERNEL_DEAF, NULL },
};

/* A confirmation by the kernel is not authenticated: it puts off the next check, and takes back
 * no suspicion. */
void gk_presence_reach(struct gk_node *node, enum gk_reach reach, struct gk_now now)
{
	size_t i = (size_t)reach;

	if (i >= sizeof(verdicts) / sizeof(verdicts[0]) || !node->group->served ||
	    node->group->kdc->blind || node->presence != GK_PRESENT || !can_be_asked(node))
		return;
	if (gk_node_sleeps(node) && !node->kernel_asked)
		return; /* nobody's neighbour while it is asleep */
	if (verdicts[i].fact && (verdicts[i].suspicion || node->kernel_asked))
		gk_evidence_add(node, verdicts[i].fact, 0, now);
	if (verdicts[i].suspicion) {
		suspect(node, verdicts[i].fact, verdicts[i].suspicion, now);
	} else if (node->kernel_asked && (reach == GK_REACH_ROUTED || reach == GK_REACH_DEAF)) {
		check(node, now);
	} else if (reach == GK_REACH_CONFIRMED && node->kernel_asked &&
		   node->kernel_confirms < KERNEL_CONFIRMS) {
		node->kernel_asked = false;
		node->kernel_confirms++;
		wake_in(node, now, interval_ms(node));
	}
}

/* With growing pauses: each try costs a Partial IV. If it was the last probe, the time for it may
 * be over already. */
void gk_presence_unsent(struct gk_node *node, struct gk_now now)
{
	int64_t pause_ms = (int64_t)BUSY_MS
			   << (node->unsent < UNSENT_SHIFT_MAX ? node->unsent : UNSENT_SHIFT_MAX);

	node->unsent++;
	gk_evidence_add(node, GK_FACT_UNSENT, 0, now);
	if (node->presence == GK_ABSENT && !policy(node)->evict)
		return;
	if (node->presence == GK_ABSENT)
		node->presence = GK_SUSPECT;
	if (node->presence == GK_SUSPECT && node->probes_sent)
		node->probes_sent--;
	if (node->presence == GK_PRESENT)
		node->kernel_asked = false;
	wake_in(node, now, pause_ms);
}

void gk_presence_missed(struct gk_node *node, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_UNANSWERED, 0, now);
	counts(node)->unanswered++;
}

void gk_presence_unanswered(struct gk_node *node, bool last, struct gk_now now)
{
	if (node->group->kdc->blind)
		return;
	gk_presence_missed(node, now);
	if (node->presence == GK_SUSPECT) {
		node->probes_sent++;
		wake_in(node, now, 0);
	} else if (node->presence == GK_PRESENT && last && !gk_node_sleeps(node)) {
		suspect(node, GK_FACT_UNANSWERED, "no answer to rekeying messages", now);
	}
}
