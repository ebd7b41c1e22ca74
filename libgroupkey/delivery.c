// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Point-to-point rekeying (R 6.1, P 11.1): the message of the present version to each member's
 * control_uri, 'in_flight' at once, one per member. A newer version takes the place of an older
 * one that waits. Who does not answer goes to the end of the queue with growing pauses, and is
 * parked after a few tries: it delays nobody, and being heard of starts it again.
 */
#include "kdc.h"

#define ATTEMPTS_MAX 4
#define ANSWER_MS    4000 /* for the first try; doubled with each */
#define BACKOFF_MS   2000
#define MESSAGE_MAX  1024
#define CREDS_ROOM   512 /* a joiner's credential goes along if the message stays small */

static void enqueue(struct gk_node *node)
{
	struct gk_group *group = node->group;

	node->delivery = GK_NODE_QUEUED;
	node->next_queued = NULL;
	if (group->queue_tail)
		group->queue_tail->next_queued = node;
	else
		group->queue_head = node;
	group->queue_tail = node;
}

static struct gk_node *dequeue(struct gk_group *group)
{
	struct gk_node *node = group->queue_head;

	if (!node)
		return NULL;
	group->queue_head = node->next_queued;
	if (!group->queue_head)
		group->queue_tail = NULL;
	node->next_queued = NULL;
	return node;
}

static void unqueue(struct gk_node *node)
{
	struct gk_group *group = node->group;
	struct gk_node **at = &group->queue_head;
	struct gk_node *before = NULL;

	while (*at != node) {
		before = *at;
		at = &(*at)->next_queued;
	}
	*at = node->next_queued;
	if (group->queue_tail == node)
		group->queue_tail = before;
}

static bool joiner_fits(const struct gk_group *group)
{
	const struct gk_node *joiner = group->joiner;

	return joiner && joiner->has_sid && joiner->cred.len <= CREDS_ROOM &&
	       (group->stale_count < 2 ||
		group->stale[group->stale_count - 2].count <= GK_STALE_TOLD_MAX / 4);
}

static bool is_joiner(const void *ctx, const struct gk_node *node)
{
	const struct gk_group *group = ctx;

	return node == group->joiner;
}

/* The set of the version that was given up: the one before the newest (P 7.1). */
static void put_stale(struct gk_buf *buf, const struct gk_group *group)
{
	const struct gk_stale_set *set =
		group->stale_count > 1 ? &group->stale[group->stale_count - 2] : NULL;
	size_t count = set ? set->count : 0;

	gk_put_int(buf, GK_PARAM_STALE_NODE_IDS);
	gk_put_array(buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_bytes(buf, gk_id_span(&set->ids[i]));
}

/* The map of P 11.1. */
static void put_payload(struct gk_buf *buf, const struct gk_group *group, struct gk_now now)
{
	bool joiner = joiner_fits(group);

	gk_put_map(buf, GK_MATERIAL_PAIRS + (joiner ? GK_PEERS_PAIRS : 0) + 1);
	gk_group_put_material(buf, group, false, NULL, now);
	if (joiner)
		gk_group_put_peers(buf, group, is_joiner, group);
	put_stale(buf, group);
}

static void put_message(struct gk_buf *buf, const struct gk_node *node, struct gk_now now)
{
	uint8_t bytes[MESSAGE_MAX];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_POST);

	put_payload(&payload, node->group, now);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	buf->overflow |= payload.overflow;
	gk_wipe(bytes, sizeof(bytes));
}

static bool send_to(struct gk_node *node, struct gk_now now)
{
	uint8_t bytes[MESSAGE_MAX + GK_URI_PATH_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	uint64_t id;

	put_message(&buf, node, now);
	id = buf.overflow ? 0
			  : gk_client_request(node->group->kdc, node, GK_REQUEST_REKEY,
					      gk_buf_span(&buf), ANSWER_MS << node->attempts);
	gk_wipe(bytes, sizeof(bytes));
	node->flight = id;
	return id != 0;
}

static void park(struct gk_node *node, const char *reason)
{
	node->delivery = GK_NODE_PARKED;
	gk_kdc_note(node->group->kdc, GK_NOTE_PARKED, node, reason);
}

void gk_delivery_pump(struct gk_group *group, struct gk_now now)
{
	struct gk_node *node;

	while (group->flying < group->config.in_flight && (node = dequeue(group)) != NULL) {
		if (send_to(node, now)) {
			node->delivery = GK_NODE_FLYING;
			group->flying++;
		} else {
			node->delivery = GK_NODE_WAITING;
			gk_timer_set(&group->kdc->timers, &node->retry, now.mono.ms + BACKOFF_MS);
		}
	}
}

static void begin_one(struct gk_node *node)
{
	gk_timer_clear(&node->group->kdc->timers, &node->retry);
	node->attempts = 0;
	if (!node->has_control)
		node->delivery = GK_NODE_PARKED;
	else if (node->delivery != GK_NODE_QUEUED && node->delivery != GK_NODE_FLYING)
		enqueue(node);
}

/* Those who answered lately first: a silent one then holds up nobody. */
void gk_delivery_begin(struct gk_group *group, struct gk_now now)
{
	for (enum gk_presence p = GK_PRESENT; p <= GK_ABSENT; p++) {
		for (size_t i = 0; i < group->count; i++) {
			struct gk_node *node = group->nodes[i];

			if (node->presence == p && node->num < group->num)
				begin_one(node);
		}
	}
	gk_delivery_pump(group, now);
}

void gk_delivery_retry(struct gk_node *node, struct gk_now now)
{
	if (node->delivery != GK_NODE_WAITING)
		return;
	enqueue(node);
	gk_delivery_pump(node->group, now);
}

void gk_delivery_answered(struct gk_node *node, uint64_t id, int64_t num, bool success,
			  struct gk_now now)
{
	struct gk_group *group = node->group;

	if (node->delivery != GK_NODE_FLYING || node->flight != id)
		return;
	group->flying--;
	node->delivery = GK_NODE_WAITING;
	if (success && num > node->num)
		node->num = num;
	if (node->num == group->num) {
		gk_delivery_settle(node, now);
		gk_kdc_note(group->kdc, GK_NOTE_DELIVERED, node, NULL);
	} else if (success) {
		enqueue(node); /* confirmed an older version; the newest is next */
	} else if (++node->attempts >= ATTEMPTS_MAX) {
		park(node, "no answer to rekeying messages");
	} else {
		gk_timer_set(&group->kdc->timers, &node->retry,
			     now.mono.ms + (BACKOFF_MS << node->attempts));
	}
	gk_delivery_pump(group, now);
}

void gk_delivery_unsent(struct gk_node *node, uint64_t id, struct gk_now now)
{
	if (node->delivery != GK_NODE_FLYING || node->flight != id)
		return;
	node->group->flying--;
	node->delivery = GK_NODE_WAITING;
	gk_timer_set(&node->group->kdc->timers, &node->retry,
		     now.mono.ms + (BACKOFF_MS << (node->unsent < 5 ? node->unsent : 5)));
	node->unsent++;
	gk_delivery_pump(node->group, now);
}

static void leave_queue(struct gk_node *node)
{
	if (node->delivery == GK_NODE_QUEUED)
		unqueue(node);
	if (node->delivery == GK_NODE_FLYING)
		node->group->flying--;
	gk_timer_clear(&node->group->kdc->timers, &node->retry);
}

void gk_delivery_settle(struct gk_node *node, struct gk_now now)
{
	leave_queue(node);
	node->delivery = GK_NODE_SETTLED;
	node->num = node->group->num;
	node->attempts = 0;
	gk_record_node(node);
	gk_delivery_pump(node->group, now);
}

void gk_delivery_wake(struct gk_node *node, struct gk_now now)
{
	if (!node->has_control || node->num == node->group->num)
		return;
	if (node->delivery != GK_NODE_PARKED && node->delivery != GK_NODE_WAITING)
		return;
	begin_one(node);
	gk_delivery_pump(node->group, now);
}

void gk_delivery_forget(struct gk_node *node)
{
	leave_queue(node);
	node->delivery = GK_NODE_PARKED;
}
