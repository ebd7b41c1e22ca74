// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A member that takes no requests learns of new keys, and of its end, by observing (RFC 7641; under
 * OSCORE RFC 8613 section 4.1.3.5): the group for rekeying messages (R 6.1), and nodes/N for the
 * eviction notice alone (R 4.8.1), hence with No-Response.
 *
 * It registers after joining; again when neither a notification nor a registration has come for
 * Max-Age (RFC 7641 section 3.3.1) and at each Key Update Check Interval, which also shows the KDC
 * that we are there and what we have; and at once when the KDC must have forgotten: after an Echo
 * challenge, which a restarted one sends, and in a new association.
 *
 * A notification counts if it verifies and its Partial IV is above all before it in its observation
 * (RFC 8613 section 7.4.1). What does not is passed over, and the observation goes on: anybody may
 * have sent it.
 */
#include "member_task.h"

#define MAX_AGE_S   60    /* where there is no Max-Age (RFC 7252 section 5.10.5) */
#define PATIENCE_MS 5000  /* beyond Max-Age, and as much as the next at random */
#define JITTER_MS   10000 /* (RFC 7641 section 3.3.1: 5 to 15 s) */
#define NO_SUCCESS  2     /* No-Response: no 2.xx (RFC 7967 section 2.1) */

static const enum gk_task task_of[GK_WATCH_COUNT] = {
	[GK_WATCH_GROUP] = GK_TASK_OBSERVE,
	[GK_WATCH_NODE] = GK_TASK_OBSERVE_NODE,
};

static void forget(struct gk_membership *ms, enum gk_watch watch)
{
	struct gk_watching *watching = &ms->watching[watch];

	if (watching->open)
		gk_queue_add(&ms->member->queue,
			     &(struct gk_event){ .kind = GK_EVENT_CANCEL, .id = watching->id });
	*watching = (struct gk_watching){ .open = false };
}

void gk_watch_end(struct gk_membership *ms)
{
	for (enum gk_watch watch = 0; watch < GK_WATCH_COUNT; watch++)
		forget(ms, watch);
}

/* registering */

bool gk_watch_is_asked(const struct gk_member *m)
{
	return m->out.task == GK_TASK_OBSERVE || m->out.task == GK_TASK_OBSERVE_NODE;
}

void gk_watch_begin(struct gk_membership *ms)
{
	const struct gk_exchange_out *out = &ms->member->out;

	if (!ms->member->observe || !ms->in)
		return;
	for (enum gk_watch watch = 0; watch < GK_WATCH_COUNT; watch++) {
		if (!out->busy || out->ms != ms || out->task != task_of[watch])
			gk_task_want(ms, task_of[watch]);
	}
}

void gk_watch_all(struct gk_member *m)
{
	for (size_t i = 0; i < m->group_count; i++)
		gk_watch_begin(m->groups[i]);
}

void gk_watch_due(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	gk_watch_begin(ms);
}

enum gk_err gk_watch_build_node(struct gk_task_request *r)
{
	gk_coap_put_uint(&r->w, GK_OPT_NO_RESPONSE, NO_SUCCESS);
	return GK_OK;
}

static void wait_for_next(struct gk_membership *ms, const struct gk_coap *msg, struct gk_now now)
{
	int64_t age_s = gk_coap_find_uint(msg, GK_OPT_MAX_AGE, MAX_AGE_S);

	ms->due_ms[GK_DUE_OBSERVE] =
		now.mono.ms + 1000 * age_s + PATIENCE_MS + gk_member_jitter(ms->member, JITTER_MS);
}

static void take_material(struct gk_membership *ms, const struct gk_coap *msg)
{
	struct gk_material material;

	if (!gk_material_read(msg->payload, &material))
		gk_membership_answered(ms, &material, msg->payload);
}

/* Without Observe the KDC answers, and tells nothing more: we go on asking. */
void gk_watch_done(struct gk_task_answer *a)
{
	struct gk_membership *ms = a->ms;
	enum gk_watch watch = a->m->out.task == GK_TASK_OBSERVE ? GK_WATCH_GROUP : GK_WATCH_NODE;
	struct gk_span observe;

	forget(ms, watch);
	ms->unanswered = 0;
	wait_for_next(ms, a->msg, a->now);
	if (a->msg->code != GK_COAP_CONTENT) {
		gk_task_complain(a->m, ms, "the KDC lets us observe nothing");
		return;
	}
	if (gk_coap_find(a->msg, GK_OPT_OBSERVE, &observe)) {
		ms->watching[watch] = a->m->out.watching;
		ms->watching[watch].open = true;
	}
	take_material(ms, a->msg);
}

void gk_watch_tidy(struct gk_member *m)
{
	const struct gk_watching *begun = &m->out.watching;
	bool kept = false;

	if (!m->out.busy || !begun->id)
		return;
	for (enum gk_watch watch = 0; m->out.ms && watch < GK_WATCH_COUNT; watch++)
		kept = kept || (m->out.ms->watching[watch].open &&
				m->out.ms->watching[watch].id == begun->id);
	if (!kept)
		gk_queue_add(&m->queue,
			     &(struct gk_event){ .kind = GK_EVENT_CANCEL, .id = begun->id });
}

/* notifications */

static bool is_rekeying(struct gk_span payload)
{
	struct gk_material material;

	return !gk_material_read(payload, &material) && material.stale.len;
}

static void take_news(struct gk_membership *ms, enum gk_watch watch, const struct gk_coap *msg,
		      struct gk_now now)
{
	wait_for_next(ms, msg, now);
	if (watch == GK_WATCH_GROUP && is_rekeying(msg->payload))
		(void)gk_membership_rekeyed(ms, msg->payload, GK_VIA_OBSERVE, now);
	else
		take_material(ms, msg);
}

static const char *end_of(enum gk_watch watch)
{
	return watch == GK_WATCH_NODE ? "notice of the KDC" : "the group was deleted";
}

/* An error ends the observation (RFC 7641 section 4.2). 4.04 ends the membership with it; after
 * others, as 4.01 when the token is over, we have to ask what is the matter. */
static void take_end(struct gk_membership *ms, enum gk_watch watch, const struct gk_coap *msg,
		     struct gk_now now)
{
	forget(ms, watch);
	if (msg->code == GK_COAP_NOT_FOUND)
		gk_membership_put_out(ms, end_of(watch), now);
	else
		gk_task_want(ms, task_of[watch]);
}

static void take(struct gk_membership *ms, enum gk_watch watch, const struct gk_coap *msg,
		 struct gk_now now)
{
	if (msg->code >> 5 == 2)
		take_news(ms, watch, msg, now);
	else
		take_end(ms, watch, msg, now);
}

static void verify(struct gk_membership *ms, enum gk_watch watch, struct gk_span message,
		   struct gk_now now)
{
	struct gk_member *m = ms->member;
	struct gk_watching *watching = &ms->watching[watch];
	uint8_t *bytes = gk_alloc(&m->env, message.len);
	struct gk_buf buf = gk_buf(bytes, message.len);
	struct gk_coap msg;
	int64_t piv;

	if (!bytes ||
	    gk_oscore_unprotect_response(&m->assoc, &watching->ref, message, &buf, &piv) ||
	    gk_coap_parse(gk_buf_span(&buf), &msg)) {
		gk_membership_refuse(ms, "a notification that does not verify");
	} else if (piv <= watching->piv) {
		gk_membership_refuse(ms, "replayed");
	} else {
		watching->piv = piv;
		take(ms, watch, &msg, now);
	}
	gk_free(&m->env, bytes, message.len);
}

bool gk_watch_answered(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now)
{
	for (size_t i = 0; i < m->group_count; i++) {
		for (enum gk_watch watch = 0; watch < GK_WATCH_COUNT; watch++) {
			const struct gk_watching *watching = &m->groups[i]->watching[watch];

			if (!watching->open || watching->id != id)
				continue;
			if (message.len)
				verify(m->groups[i], watch, message, now);
			return true;
		}
	}
	return false;
}
