// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Asking a member whether it is there, by a request that only it can answer.
 *
 * The last question of a round, and those in grace, go by multicast too, since whoever is on the
 * link can divert what goes to a unicast address; so does what cannot leave otherwise. Who is
 * doubted is asked at once, and the air for that is booked. Checks of others are put off while the
 * link has had its share, one behind the other, and leave room for what is urgent.
 */
#include "client.h"
#include "delivery.h"
#include "presence.h"

#define HEADER_LEN   8  /* of CoAP, with a token of 4 bytes */
#define OVERHEAD     24 /* of OSCORE: option, tag, code, and the payload's marker */
#define CHECKS_MAX   (GK_REQUESTS_MAX / 4)
#define CHECK_LEN    64 /* about what a check takes, with its answer: for their order alone */
#define BUSY_MS      1000
#define TURN_MIN_MS  10
#define ENOUGH(wait) ((wait) / 2) /* a question that is waited for so long yet will do */

bool gk_probe_can_ask(const struct gk_node *node)
{
	return node->has_control || gk_observe_delivers(node);
}

/* restraint */

static int64_t cost_ms(const struct gk_budget *budget)
{
	int64_t cost = budget->bytes_per_s ? 1000 * (int64_t)(2 * gk_air_of(CHECK_LEN).bytes) /
						     budget->bytes_per_s
					   : 0;

	return cost > TURN_MIN_MS ? cost : TURN_MIN_MS;
}

bool gk_probe_may_check(struct gk_kdc *kdc, struct gk_now now)
{
	return gk_budget_ready_ms(&kdc->budget, now.mono.ms) <= now.mono.ms &&
	       kdc->request_count < CHECKS_MAX;
}

int64_t gk_probe_put_off_ms(struct gk_kdc *kdc, struct gk_now now)
{
	int64_t ready_ms = gk_budget_ready_ms(&kdc->budget, now.mono.ms);

	if (gk_probe_may_check(kdc, now))
		return 0;
	if (ready_ms <= now.mono.ms)
		ready_ms = now.mono.ms + BUSY_MS;
	if (kdc->check_turn_ms < ready_ms)
		kdc->check_turn_ms = ready_ms;
	kdc->check_turn_ms += cost_ms(&kdc->budget);
	return kdc->check_turn_ms - now.mono.ms;
}

bool gk_probe_is_spared(const struct gk_node *node, struct gk_now now)
{
	return now.mono.ms < node->spared_ms;
}

void gk_probe_spare(struct gk_node *node, struct gk_now now)
{
	node->spared_ms =
		now.mono.ms + 1000 * (int64_t)node->group->config.presence.check_interval_s;
}

/* asking */

/* Who is lost and stays is asked so rarely that each time has to be worth it. */
static bool is_last_probe(const struct gk_node *node)
{
	return node->vigil == GK_VIGIL_RETURN ||
	       node->probes_sent + 1u >= node->group->config.presence.probes;
}

/* A message to many is sent once and acknowledged by nobody: one that is lost must not cost a
 * member its place. What is asked beside the round leaves the air to others, but for the last time
 * before it would be removed. */
static bool goes_by_multicast(const struct gk_node *node, uint32_t wait_ms, struct gk_now now)
{
	struct gk_budget *budget = &node->group->kdc->budget;
	bool may = node->vigil != GK_VIGIL_GRACE ||
		   node->end_ms - now.mono.ms < 2 * (int64_t)wait_ms ||
		   gk_budget_ready_ms(budget, now.mono.ms) <= now.mono.ms;

	return gk_client_can_multicast(node) && ((is_last_probe(node) && may) || node->unsent);
}

/* A client has one exchange by unicast at a time. */
static bool is_being_asked(const struct gk_node *node, bool multicast, uint32_t wait_ms,
			   struct gk_now now)
{
	return node->client->asked_until_ms[multicast] - now.mono.ms >= ENOUGH(wait_ms);
}

void gk_probe_note_asked(struct gk_node *node, bool multicast, uint32_t wait_ms, struct gk_now now)
{
	node->client->asked_until_ms[multicast] = now.mono.ms + wait_ms;
}

int64_t gk_probe_asked_until_ms(const struct gk_node *node)
{
	const int64_t *until_ms = node->client->asked_until_ms;

	return until_ms[true] > until_ms[false] ? until_ms[true] : until_ms[false];
}

static uint64_t by_notification(struct gk_node *node, uint32_t wait_ms, struct gk_now now)
{
	size_t len = 0;
	uint64_t id = gk_observe_material(node, GK_REQUEST_PROBE, &len, wait_ms, now);

	if (id)
		gk_budget_charge(&node->group->kdc->budget, gk_air_of(len + HEADER_LEN).bytes,
				 now.mono.ms);
	return id;
}

static uint64_t by_request(struct gk_node *node, bool multicast, uint32_t wait_ms,
			   struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;
	uint8_t bytes[GK_URI_PATH_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	size_t air;
	uint64_t id;

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	if (multicast)
		return gk_client_request_both(kdc, node, GK_REQUEST_PROBE, gk_buf_span(&buf),
					      wait_ms, now);
	id = gk_client_request(kdc, node, GK_REQUEST_PROBE, gk_buf_span(&buf), wait_ms);
	air = gk_air_of(buf.len + HEADER_LEN + OVERHEAD).bytes;
	if (id)
		gk_budget_charge(&kdc->budget, 2 * air, now.mono.ms); /* the answer is as long */
	return id;
}

static bool ask(struct gk_node *node, bool multicast, uint32_t wait_ms, struct gk_now now)
{
	if (is_being_asked(node, multicast, wait_ms, now))
		return true;
	if (!(node->has_control ? by_request(node, multicast, wait_ms, now)
				: by_notification(node, wait_ms, now)))
		return false;
	gk_probe_note_asked(node, multicast, wait_ms, now);
	return true;
}

static void count_probe(struct gk_node *node, bool multicast, struct gk_now now)
{
	struct gk_presence_counts *counts = &node->group->kdc->presence_counts;
	bool doubted = gk_presence_is_doubted(node);

	node->probes_sent++;
	counts->checks += !doubted;
	counts->probes += doubted;
	counts->multicast_probes += multicast;
	gk_evidence_add(node, multicast ? GK_FACT_PROBED_BY_MULTICAST : GK_FACT_PROBED,
			node->vigil == GK_VIGIL_ROUND ? node->probes_sent : 0, now);
}

/* If there is no room for one more request by unicast, who is doubted is asked by multicast, which
 * takes no socket of its own. */
bool gk_probe_send(struct gk_node *node, uint32_t wait_ms, struct gk_now now)
{
	bool multicast = goes_by_multicast(node, wait_ms, now);

	if (!ask(node, multicast, wait_ms, now)) {
		if (multicast || !gk_presence_is_doubted(node) || !gk_client_can_multicast(node))
			return false;
		multicast = true;
		if (!ask(node, true, wait_ms, now))
			return false;
	}
	count_probe(node, multicast, now);
	return true;
}
