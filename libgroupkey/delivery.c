// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Who still needs the newest material. Members in the tree get it by a message to the group, and
 * those among them that do not confirm it in time, like all others, by rekeying messages of their
 * own (R 6.1, P 11.1): requests to their control_uri, or where there is none, notifications of what
 * they observe; 'in_flight' at once, one per member, as fast as the link's budget allows. A newer
 * version takes the place of an older one that waits. Who does not answer goes to the end of the
 * queue with growing pauses, and is parked after a few tries: it delays nobody, and being heard of
 * starts it again.
 *
 * A sleepy member is not waited for at all. The message to the group is its chance as everybody's;
 * a message of its own it is sent once, if it was heard of within check_interval_s, when none of
 * the others waits for its turn. Then it is parked, until it wakes and is heard of.
 */
#include "delivery.h"

#include "client.h"
#include "group.h"
#include "presence.h"

#define ATTEMPTS_MAX 4
#define ANSWER_MS    4000 /* for the first try; doubled with each */
#define BACKOFF_MS   2000
#define MESSAGE_MAX  1152
#define OVERHEAD     32 /* of OSCORE: option, tag, code */
#define ANSWER_LEN   32 /* what a member answers with */

static bool is_waited_for(const struct gk_node *node, enum gk_node_delivery delivery)
{
	if (gk_node_sleeps(node))
		return false;
	return delivery == GK_NODE_QUEUED || delivery == GK_NODE_FLYING ||
	       delivery == GK_NODE_WAITING || (delivery == GK_NODE_CAST && node->group->confirming);
}

/* The one place where a delivery changes: it knows when a rekeying is over. */
static void set_delivery(struct gk_node *node, enum gk_node_delivery delivery, struct gk_now now)
{
	struct gk_group *group = node->group;

	group->waiting -= node->waited;
	node->delivery = delivery;
	node->waited = is_waited_for(node, delivery);
	group->waiting += node->waited;
	if (!group->waiting && group->stats.ended_ms < 0)
		group->stats.ended_ms = now.mono.ms;
}

void gk_delivery_recount(struct gk_node *node, struct gk_now now)
{
	set_delivery(node, node->delivery, now);
}

/* A node that has become sleepy, or is not any more, stays where it is. */
static struct gk_lane *lane_of(const struct gk_node *node)
{
	return &node->group->lanes[node->lane];
}

static void enqueue(struct gk_node *node, struct gk_now now)
{
	struct gk_lane *lane;

	set_delivery(node, GK_NODE_QUEUED, now);
	node->lane = gk_node_sleeps(node) ? GK_LANE_SLEEPY : GK_LANE_AWAKE;
	lane = lane_of(node);
	node->next_queued = NULL;
	if (lane->tail)
		lane->tail->next_queued = node;
	else
		lane->head = node;
	lane->tail = node;
}

static struct gk_node *dequeue(struct gk_lane *lane)
{
	struct gk_node *node = lane->head;

	lane->head = node->next_queued;
	if (!lane->head)
		lane->tail = NULL;
	node->next_queued = NULL;
	return node;
}

static void unqueue(struct gk_node *node)
{
	struct gk_lane *lane = lane_of(node);
	struct gk_node **at = &lane->head;
	struct gk_node *before = NULL;

	while (*at != node) {
		before = *at;
		at = &(*at)->next_queued;
	}
	*at = node->next_queued;
	if (lane->tail == node)
		lane->tail = before;
}

static void leave_queue(struct gk_node *node)
{
	if (node->delivery == GK_NODE_QUEUED)
		unqueue(node);
	if (node->delivery == GK_NODE_FLYING)
		lane_of(node)->flying--;
	gk_timer_clear(&node->group->kdc->timers, &node->retry);
}

/* One way is enough. Of two, that whose answer is authenticated. */
static bool can_be_told(const struct gk_node *node)
{
	return node->has_control || gk_observe_delivers(node);
}

static void put_message(struct gk_buf *buf, const struct gk_node *node, struct gk_now now)
{
	const struct gk_group *group = node->group;
	uint8_t bytes[MESSAGE_MAX];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_POST);

	gk_group_put_rekeying(&payload, group, gk_group_joiner_fits(group),
			      node->in_tree ? node : NULL, now);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	buf->overflow |= payload.overflow;
	gk_wipe(bytes, sizeof(bytes));
}

static void count_datagrams(struct gk_node *node, size_t count, struct gk_now now)
{
	struct gk_group *group = node->group;

	group->stats.datagrams += count;
	group->stats.bytes += count * node->told_len;
	group->totals.datagrams += count;
	group->totals.bytes += count * node->told_len;
	gk_budget_charge(&group->kdc->budget, count * gk_air_of(node->told_len).bytes, now.mono.ms);
}

static void count_sent(struct gk_node *node, size_t len, struct gk_now now)
{
	struct gk_group *group = node->group;

	group->stats.unicast += node->told_num != group->num;
	node->told_num = group->num;
	node->told_len = (uint16_t)len;
	count_datagrams(node, 1, now);
	gk_budget_charge(&group->kdc->budget, gk_air_of(ANSWER_LEN).bytes, now.mono.ms);
}

/* What the shell sends again in the time that it was given, with pauses of about 2 s that double
 * (RFC 7252 section 4.2). After an answer nobody knows how much of that was needed. */
static void count_unanswered(struct gk_node *node, struct gk_now now)
{
	static const uint8_t again[ATTEMPTS_MAX] = { 1, 1, 2, 3 };

	count_datagrams(node, again[node->attempts], now);
}

static uint64_t post(struct gk_node *node, size_t *len, uint32_t timeout_ms, struct gk_now now)
{
	uint8_t bytes[MESSAGE_MAX + GK_URI_PATH_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	uint64_t id;

	put_message(&buf, node, now);
	id = buf.overflow ? 0
			  : gk_client_request(node->group->kdc, node, GK_REQUEST_REKEY,
					      gk_buf_span(&buf), timeout_ms);
	gk_wipe(bytes, sizeof(bytes));
	*len = buf.len;
	return id;
}

static bool send_to(struct gk_node *node, struct gk_now now)
{
	uint32_t timeout_ms = ANSWER_MS << node->attempts;
	size_t len = 0;

	node->flight = node->has_control
			       ? post(node, &len, timeout_ms, now)
			       : gk_observe_material(node, GK_REQUEST_REKEY, &len, timeout_ms, now);
	if (node->flight) {
		count_sent(node, len + OVERHEAD, now);
		gk_probe_note_asked(node, false, timeout_ms, now);
	}
	return node->flight != 0;
}

static void park(struct gk_node *node, struct gk_now now)
{
	struct gk_group *group = node->group;

	group->stats.parked += node->parked_num != group->num;
	node->parked_num = group->num;
	set_delivery(node, GK_NODE_PARKED, now);
}

/* @return false: the link has had its share for now; the timer goes on */
static bool may_send(struct gk_kdc *kdc, struct gk_now now)
{
	int64_t ready_ms = gk_budget_ready_ms(&kdc->budget, now.mono.ms);

	if (ready_ms <= now.mono.ms)
		return true;
	gk_timer_set(&kdc->timers, &kdc->budget_timer, ready_ms);
	return false;
}

/* If nothing can be stored, it may well be that there is no Partial IV left. */
static int64_t pause_ms(const struct gk_kdc *kdc)
{
	return kdc->storage == GK_STORAGE_NONE ? GK_PUT_OFF_MS : BACKOFF_MS;
}

static bool was_heard_lately(const struct gk_node *node, struct gk_now now)
{
	return now.mono.ms - node->last_seen_ms <
	       1000 * (int64_t)node->group->config.presence.check_interval_s;
}

static bool is_worth_telling(const struct gk_node *node, struct gk_now now)
{
	return can_be_told(node) && (!gk_node_sleeps(node) || was_heard_lately(node, now));
}

static void tell(struct gk_node *node, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;

	if (!can_be_told(node)) {
		park(node, now); /* its observation ended meanwhile */
	} else if (send_to(node, now)) {
		set_delivery(node, GK_NODE_FLYING, now);
		lane_of(node)->flying++;
	} else {
		set_delivery(node, GK_NODE_WAITING, now);
		gk_timer_set(&kdc->timers, &node->retry, now.mono.ms + pause_ms(kdc));
	}
}

void gk_delivery_pump(struct gk_group *group, struct gk_now now)
{
	for (struct gk_lane *lane = group->lanes; lane < group->lanes + GK_LANES; lane++) {
		while (lane->head && lane->flying < group->config.in_flight &&
		       may_send(group->kdc, now))
			tell(dequeue(lane), now);
		if (lane->head)
			return;
	}
}

static void begin_one(struct gk_node *node, struct gk_now now)
{
	gk_timer_clear(&node->group->kdc->timers, &node->retry);
	node->attempts = 0;
	if (node->delivery == GK_NODE_QUEUED || node->delivery == GK_NODE_FLYING)
		return;
	if (is_worth_telling(node, now))
		enqueue(node, now);
	else
		park(node, now); /* it has to ask; nothing to tell of each time */
}

static void await_confirmation(struct gk_node *node, struct gk_now now)
{
	node->attempts = 0;
	if (node->delivery != GK_NODE_CAST)
		node->cast_ms = now.mono.ms;
	set_delivery(node, GK_NODE_CAST, now);
}

static bool is_by_unicast(const struct gk_node *node)
{
	return node->delivery == GK_NODE_QUEUED || node->delivery == GK_NODE_FLYING ||
	       node->delivery == GK_NODE_WAITING;
}

/* Rekeyings may come faster than confirmations are waited for: who missed them for as long, and
 * who is being told by unicast, gets this one by unicast too. */
static bool is_owed_unicast(const struct gk_node *node, struct gk_now now)
{
	const struct gk_group *group = node->group;

	return is_by_unicast(node) ||
	       (node->delivery == GK_NODE_CAST && group->confirming && !gk_node_sleeps(node) &&
		now.mono.ms - node->cast_ms >= gk_cast_patience_ms(group));
}

/* Who is asleep, and will not be heard to confirm, has presumably missed the message. */
static bool is_presumed(const struct gk_node *node, struct gk_now now)
{
	const struct gk_group *group = node->group;

	return group->confirming || group->config.rekey.confirm == GK_CONFIRM_NONE ||
	       !gk_node_sleeps(node) || was_heard_lately(node, now);
}

static void begin_node(struct gk_node *node, bool cast, struct gk_now now)
{
	struct gk_group *group = node->group;

	if (node == group->joiner || node->num >= group->num)
		return;
	group->stats.members++;
	node->confirmations = 0;
	if (cast && node->in_tree && !is_owed_unicast(node, now) && is_presumed(node, now))
		await_confirmation(node, now);
	else
		begin_one(node, now);
}

static void begin_present(struct gk_group *group, enum gk_presence presence, bool cast,
			  struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->nodes[i]->presence == presence && !gk_node_sleeps(group->nodes[i]))
			begin_node(group->nodes[i], cast, now);
	}
}

static void begin_sleepy(struct gk_group *group, bool cast, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++) {
		if (gk_node_sleeps(group->nodes[i]))
			begin_node(group->nodes[i], cast, now);
	}
}

/* Those who answered lately first: a silent one then holds up nobody. */
void gk_delivery_begin(struct gk_group *group, bool cast, struct gk_now now)
{
	group->stats = (struct gk_rekeying_stats){ .began_ms = now.mono.ms };
	for (enum gk_presence p = GK_PRESENT; p <= GK_ABSENT; p++)
		begin_present(group, p, cast, now);
	begin_sleepy(group, cast, now);
	group->stats.ended_ms = group->waiting ? -1 : now.mono.ms;
	gk_delivery_pump(group, now);
}

void gk_delivery_fall_back(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++) {
		struct gk_node *node = group->nodes[i];

		if (node->delivery != GK_NODE_CAST)
			continue;
		if (gk_node_sleeps(node))
			park(node, now);
		else
			begin_one(node, now);
	}
	gk_delivery_pump(group, now);
}

void gk_delivery_retry(struct gk_node *node, struct gk_now now)
{
	if (node->delivery != GK_NODE_WAITING)
		return;
	if (is_worth_telling(node, now))
		enqueue(node, now);
	else
		park(node, now);
	gk_delivery_pump(node->group, now);
}

/* That a sleepy one does not answer is how it is, and nothing to tell of. */
static void give_up(struct gk_node *node, struct gk_now now)
{
	park(node, now);
	if (!gk_node_sleeps(node))
		gk_kdc_note(node->group->kdc, GK_NOTE_PARKED, node,
			    "no answer to rekeying messages");
}

void gk_delivery_answered(struct gk_node *node, uint64_t id, int64_t num, uint8_t code,
			  struct gk_now now)
{
	struct gk_group *group = node->group;
	bool success = code >> 5 == 2;

	if (node->delivery != GK_NODE_FLYING || node->flight != id)
		return;
	lane_of(node)->flying--;
	set_delivery(node, GK_NODE_WAITING, now);
	if (!code)
		count_unanswered(node, now);
	node->refuses = code && !success;
	if (success && num > node->num)
		node->num = num;
	if (node->num == group->num) {
		gk_delivery_settle(node, now);
		gk_record_node_num(node);
		gk_kdc_note_delivered(node, GK_VIA_UNICAST);
	} else if (success) {
		enqueue(node, now); /* confirmed an older version; the newest is next */
	} else if (++node->attempts >= ATTEMPTS_MAX || gk_node_sleeps(node)) {
		give_up(node, now);
	} else {
		gk_timer_set(&group->kdc->timers, &node->retry,
			     now.mono.ms + (BACKOFF_MS << node->attempts));
	}
	gk_delivery_pump(group, now);
}

/* That observation is no more; there may be another. */
static void rejected(struct gk_node *node, struct gk_now now)
{
	lane_of(node)->flying--;
	if (can_be_told(node))
		enqueue(node, now);
	else
		park(node, now);
	gk_delivery_pump(node->group, now);
}

/* The acknowledgement is not authenticated: the member presumably has it, until it shows that. */
static void acknowledged(struct gk_node *node, int64_t num, struct gk_now now)
{
	lane_of(node)->flying--;
	node->attempts = 0;
	if (num == node->group->num)
		set_delivery(node, GK_NODE_TOLD, now);
	else
		enqueue(node, now); /* the newest is next */
	gk_delivery_pump(node->group, now);
}

void gk_delivery_notified(struct gk_node *node, uint64_t id, int64_t num, enum gk_notified outcome,
			  struct gk_now now)
{
	bool flies = node->delivery == GK_NODE_FLYING && node->flight == id;

	if (outcome == GK_NOTIFIED_NOT)
		gk_delivery_answered(node, id, num, 0, now);
	else if (flies && outcome == GK_NOTIFIED_ACK)
		acknowledged(node, num, now);
	else if (flies)
		rejected(node, now);
}

void gk_delivery_unsent(struct gk_node *node, uint64_t id, struct gk_now now)
{
	if (node->delivery != GK_NODE_FLYING || node->flight != id)
		return;
	lane_of(node)->flying--;
	set_delivery(node, GK_NODE_WAITING, now);
	gk_timer_set(&node->group->kdc->timers, &node->retry,
		     now.mono.ms + (BACKOFF_MS << (node->unsent < 5 ? node->unsent : 5)));
	node->unsent++;
	gk_delivery_pump(node->group, now);
}

void gk_delivery_settle(struct gk_node *node, struct gk_now now)
{
	leave_queue(node);
	node->num = node->group->num;
	node->attempts = 0;
	set_delivery(node, GK_NODE_SETTLED, now);
	gk_cast_settle(node->group);
	gk_delivery_pump(node->group, now);
}

void gk_delivery_confirmed(struct gk_node *node, enum gk_via via, struct gk_now now)
{
	node->group->stats.confirmed += via == GK_VIA_MULTICAST;
	gk_delivery_settle(node, now);
	gk_record_node_num(node);
	gk_kdc_note_delivered(node, via);
}

/* By a message of its own, of which the answer got lost, if there was one. */
static enum gk_via via_of(const struct gk_node *node)
{
	if (node->delivery == GK_NODE_TOLD)
		return GK_VIA_OBSERVE;
	return !node->in_tree || node->told_num == node->group->num ? GK_VIA_UNICAST
								    : GK_VIA_MULTICAST;
}

void gk_delivery_shown(struct gk_node *node, int64_t num, bool told, struct gk_now now)
{
	struct gk_group *group = node->group;

	if (node->num == group->num)
		return;
	if (num == group->num) {
		gk_delivery_confirmed(node, via_of(node), now);
	} else if (num < group->num && !told && node->delivery == GK_NODE_CAST &&
		   !group->confirming && group->config.rekey.confirm != GK_CONFIRM_NONE) {
		begin_one(node, now);
		gk_delivery_pump(group, now);
	}
}

/* Who answers with errors keeps its pauses: what it gets, others do not. */
void gk_delivery_wake(struct gk_node *node, struct gk_now now)
{
	bool waits = node->delivery == GK_NODE_WAITING && !node->refuses;

	if (!can_be_told(node) || node->num == node->group->num)
		return;
	if (node->delivery != GK_NODE_PARKED && !waits)
		return;
	begin_one(node, now);
	gk_delivery_pump(node->group, now);
}

void gk_delivery_forget(struct gk_node *node, struct gk_now now)
{
	leave_queue(node);
	set_delivery(node, GK_NODE_SETTLED, now);
}
