// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A member's exchanges with the KDC: one at a time (NSTART 1), the most urgent first, with back-off
 * when there is no answer.
 */
#include "member_task.h"

#include <string.h>

#define BLOCK_ROOM        1400 /* a block, and the options that go with it */
#define REQUEST_ROOM      1152 /* a request beside the token or credential in it */
#define BACKOFF_MS        1000
#define BACKOFF_SHIFT_MAX 6
#define UNANSWERED_MAX    3
#define ECHOES_MAX        3 /* a KDC that restarts again meanwhile asks again */

void gk_task_complain(struct gk_member *m, struct gk_membership *ms, const char *reason)
{
	if (ms)
		gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE, reason);
	else
		gk_queue_note(
			&m->queue,
			&(struct gk_note){ .kind = GK_NOTE_ERROR, .num = -1, .reason = reason });
}

static int64_t back_off_ms(struct gk_member *m, unsigned shift, struct gk_now now)
{
	uint32_t ms = (uint32_t)BACKOFF_MS
		      << (shift < BACKOFF_SHIFT_MAX ? shift : BACKOFF_SHIFT_MAX);

	return now.mono.ms + ms + gk_member_jitter(m, ms / 2);
}

void gk_task_pause(struct gk_member *m, unsigned shift, struct gk_now now)
{
	m->not_before_ms = back_off_ms(m, shift, now);
}

void gk_task_join_later(struct gk_membership *ms, struct gk_now now)
{
	ms->due_ms[GK_DUE_REJOIN] = back_off_ms(ms->member, ++ms->refusals, now);
}

static void put_path(struct gk_task_request *r, const char *path)
{
	if (!r->ms) {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_blob_span(&r->m->roots.authz));
		return;
	}
	gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_blob_span(&r->m->roots.groups));
	if (path[0] == '/')
		return;
	gk_coap_put(&r->w, GK_OPT_URI_PATH, gk_membership_name(r->ms));
	if (path[0] == '*') {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str("nodes"));
		gk_coap_put(&r->w, GK_OPT_URI_PATH, gk_span(r->ms->node, r->ms->node_len));
		if (path[1])
			gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str(path + 2));
	} else {
		gk_coap_put_path(&r->w, GK_OPT_URI_PATH, gk_span_str(path));
	}
}

/* sending */

static void emit(struct gk_member *m, struct gk_span bytes)
{
	/* later blocks are none of what is observed (RFC 7959 section 2.6) */
	bool observe = gk_watch_is_asked(m) && !m->out.blocks;

	m->out.id = ++m->next_id;
	if (observe)
		m->out.watching = (struct gk_watching){ .id = m->out.id, .ref = m->out.ref };
	gk_queue_add(&m->queue, &(struct gk_event){ .kind = GK_EVENT_REQUEST,
						    .id = m->out.id,
						    .peer = m->kdc,
						    .timeout_ms = m->answer_timeout_ms,
						    .observe = observe,
						    .bytes = bytes });
}

static enum gk_err protect(struct gk_member *m, struct gk_span message)
{
	uint8_t bytes[BLOCK_ROOM + GK_OSCORE_OVERHEAD];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = gk_oscore_protect_request(&m->assoc, message, &buf, &m->out.ref);

	if (err == GK_ERR_SEQUENCE)
		gk_oscore_wipe(&m->assoc); /* used up: a new association is due */
	if (!err)
		emit(m, gk_buf_span(&buf));
	return err;
}

enum gk_err gk_task_send(struct gk_member *m, struct gk_span echo)
{
	uint8_t bytes[BLOCK_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = gk_task_put_block(m, echo, &buf);

	if (!err && m->out.task == GK_TASK_TOKEN)
		emit(m, gk_buf_span(&buf));
	else if (!err)
		err = protect(m, gk_buf_span(&buf));
	gk_wipe(bytes, sizeof(bytes));
	return err;
}

static size_t room_for(const struct gk_member *m)
{
	if (m->out.task == GK_TASK_TOKEN)
		return REQUEST_ROOM + m->token.len;
	return REQUEST_ROOM + (m->out.task == GK_TASK_JOIN ? GK_CRED_WIRE_MAX : 0);
}

static enum gk_err write(struct gk_member *m, struct gk_buf *buf)
{
	const struct gk_task_row *task = &gk_task_rows[m->out.task];
	struct gk_task_request r = { m, m->out.ms, gk_coap_begin(buf, task->method) };
	enum gk_err err;

	if (gk_watch_is_asked(m))
		gk_coap_put_uint(&r.w, GK_OPT_OBSERVE, 0);
	put_path(&r, task->path);
	err = task->build ? task->build(&r) : GK_OK;
	if (!err)
		err = gk_buf_err(buf);
	return err ? err : gk_blob_set(&m->env, &m->out.message, gk_buf_span(buf));
}

static enum gk_err build(struct gk_member *m)
{
	size_t room = room_for(m);
	uint8_t *bytes = gk_alloc(&m->env, room);
	struct gk_buf buf = gk_buf(bytes, room);
	enum gk_err err = bytes ? write(m, &buf) : GK_ERR_NO_MEMORY;

	gk_free(&m->env, bytes, room);
	if (!err)
		gk_task_begin_blocks(m);
	return err;
}

void gk_task_wipe(struct gk_member *m)
{
	m->out.busy = false;
	gk_blob_wipe(&m->env, &m->out.message);
	gk_blob_wipe(&m->env, &m->out.body);
}

static void finish(struct gk_member *m)
{
	gk_watch_tidy(m);
	gk_task_wipe(m);
}

/* Only who never says anything needs no credential. What is asked by an empty Join Request may tell
 * that one of ours will do. */
static bool can_join(const struct gk_membership *ms)
{
	return ms->asks || ms->roles == GK_ROLE_MONITOR || gk_membership_key(ms);
}

/* That is no reason for anything else to wait. */
static void give_up_joining(struct gk_membership *ms, struct gk_now now)
{
	ms->wants &= ~(1u << GK_TASK_JOIN);
	ms->asks = true;
	gk_task_complain(
		ms->member, ms,
		"the group wants a credential of a format or algorithm that we have none of");
	gk_task_join_later(ms, now);
}

static void start(struct gk_member *m, struct gk_membership *ms, enum gk_task task,
		  struct gk_now now)
{
	enum gk_err err;

	m->out = (struct gk_exchange_out){ .busy = true, .task = task, .ms = ms };
	if (ms)
		m->out.num = ms->num;
	err = build(m);
	if (!err)
		err = gk_task_send(m, (struct gk_span){ NULL, 0 });
	if (err) {
		finish(m);
		gk_task_complain(m, ms, gk_strerror(err));
		gk_task_pause(m, ++m->failures, now);
	} else if (ms) {
		ms->wants &= ~(1u << task);
	}
}

void gk_task_want(struct gk_membership *ms, enum gk_task task)
{
	ms->wants |= 1u << task;
}

/* Until we are in there is nothing but joining: not even leaving, for want of a node name. */
static unsigned wants_of(const struct gk_membership *ms)
{
	return ms->in ? ms->wants & ~gk_membership_deferred(ms) : ms->wants & 1u << GK_TASK_JOIN;
}

static unsigned wanted(const struct gk_member *m)
{
	unsigned wants = 0;

	for (size_t i = 0; i < m->group_count; i++)
		wants |= wants_of(m->groups[i]);
	return wants;
}

void gk_task_next(struct gk_member *m, struct gk_now now)
{
	unsigned wants = wanted(m);
	unsigned task = 0;

	if (m->out.busy || !wants || now.mono.ms < m->not_before_ms)
		return;
	if (!m->assoc.aead) {
		start(m, NULL, GK_TASK_TOKEN, now);
		return;
	}
	while (!(wants & 1u << task))
		task++;
	for (size_t i = 0; i < m->group_count; i++) {
		if (!(wants_of(m->groups[i]) & 1u << task))
			continue;
		if (task == GK_TASK_JOIN && !can_join(m->groups[i])) {
			give_up_joining(m->groups[i], now);
			continue;
		}
		start(m, m->groups[i], (enum gk_task)task, now);
		return;
	}
}

int64_t gk_task_due_ms(const struct gk_member *m)
{
	return m->out.busy || !wanted(m) ? GK_NEVER : m->not_before_ms;
}

/* answers */

/* A KDC may take "no 2.xx" for the first answer too, and then there is nothing to wait for; its
 * error would come. */
static bool gives_up(struct gk_member *m)
{
	return m->out.task == GK_TASK_OBSERVE_NODE && m->out.ms &&
	       ++m->out.ms->unanswered >= UNANSWERED_MAX;
}

/* No answer, or none that can be believed: later again. */
static void failed(struct gk_member *m, struct gk_now now)
{
	if (gives_up(m)) {
		finish(m);
		return;
	}
	if (m->out.ms && (m->out.ms->in || m->out.task == GK_TASK_JOIN))
		gk_task_want(m->out.ms, m->out.task);
	finish(m);
	gk_task_pause(m, m->failures++, now);
}

/* Errors of OSCORE come unprotected: the KDC may have lost the association, or someone wants us
 * to think so; a new one does no harm (O 6), and the back-off keeps it rare. */
static void answered_plain(struct gk_member *m, const struct gk_coap *msg, struct gk_now now)
{
	if (msg->code == GK_COAP_UNAUTHORIZED)
		gk_oscore_wipe(&m->assoc);
	failed(m, now);
}

static bool find_challenge(const struct gk_coap *msg, struct gk_span *echo)
{
	return msg->code == GK_COAP_UNAUTHORIZED && gk_coap_find(msg, GK_OPT_ECHO, echo);
}

/* RFC 9175: the same request again, with the Echo value. */
static bool repeat_with_echo(struct gk_member *m, const struct gk_coap *msg)
{
	struct gk_span echo;

	if (m->out.echoes == ECHOES_MAX || !find_challenge(msg, &echo))
		return false;
	if (!m->out.echoes++) /* it was restarted, and has no registrations any more */
		gk_watch_all(m);
	return gk_task_send(m, echo) == GK_OK;
}

/* {0: {0: error-id}} (R 4.1.2). */
static bool is_error(const struct gk_coap *msg, uint8_t code, int64_t error)
{
	static const struct gk_cbor_field outer[] = {
		{ GK_PROBLEM_ACE_GROUPCOMM_ERROR, GK_CBOR_MAP, true },
	};
	static const struct gk_cbor_field inner[] = {
		{ GK_PROBLEM_ERROR_ID, GK_CBOR_INT, true },
	};
	struct gk_cbor_item item;

	return msg->code == code && !gk_cbor_read_map(msg->payload, outer, 1, &item) &&
	       !gk_cbor_read_map(item.encoded, inner, 1, &item) && item.number == error;
}

/* What the KDC cannot do now, as when it cannot store it, is asked again. Token and join are so
 * whatever refuses them. */
static bool put_off(const struct gk_task_answer *a)
{
	if (a->msg->code != GK_COAP_UNAVAILABLE || !a->ms || a->m->out.task == GK_TASK_JOIN)
		return false;
	gk_task_complain(a->m, a->ms, "the KDC cannot do that now");
	gk_task_want(a->ms, a->m->out.task);
	gk_task_pause(a->m, ++a->m->failures, a->now);
	return true;
}

/* It says so of itself when it refuses something. */
static void learn_inactive(const struct gk_task_answer *a)
{
	if (a->ms && a->ms->in && is_error(a->msg, GK_COAP_UNAVAILABLE, GK_ACE_ERROR_INACTIVE))
		gk_membership_set_active(a->ms, false, a->now);
}

static void conclude(struct gk_member *m, const struct gk_coap *msg, struct gk_now now)
{
	struct gk_membership *ms = m->out.ms;
	struct gk_task_answer a = { m, ms, msg, now };
	unsigned failures = m->failures;
	bool leaving = ms && (m->out.task == GK_TASK_LEAVE || ms->wants & 1u << GK_TASK_LEAVE);

	if (ms && !ms->in && m->out.task != GK_TASK_JOIN) {
		finish(m); /* put out in the meantime */
		return;
	}
	if (ms && m->out.task != GK_TASK_JOIN &&
	    is_error(msg, GK_COAP_FORBIDDEN, GK_ACE_ERROR_NOT_MEMBER)) {
		if (leaving) {
			gk_membership_left(ms); /* an earlier try got through, or we were put out */
		} else {
			gk_membership_lost(ms, "the KDC does not have us in the group");
			gk_task_want(ms, GK_TASK_JOIN);
		}
	} else {
		learn_inactive(&a);
		if (!put_off(&a))
			gk_task_rows[m->out.task].done(&a);
		if (leaving && !ms->in && m->out.task == GK_TASK_JOIN)
			gk_membership_left(ms); /* refused, and not wanted any more */
	}
	if (m->failures == failures)
		m->failures = 0;
	finish(m);
}

static void answered(struct gk_member *m, struct gk_coap *msg, struct gk_now now)
{
	enum gk_blocks state;
	struct gk_span echo;

	if (repeat_with_echo(m, msg))
		return;
	if (find_challenge(msg, &echo)) {
		failed(m, now); /* it was asked often enough, and decided nothing */
		return;
	}
	state = gk_task_collect(m, msg);
	if (state == GK_BLOCKS_WHOLE)
		conclude(m, msg, now);
	else if (state == GK_BLOCKS_BROKEN)
		failed(m, now);
}

static void unprotect(struct gk_member *m, struct gk_span message, struct gk_now now)
{
	size_t room = message.len + 1;
	uint8_t *bytes = gk_alloc(&m->env, room);
	struct gk_buf buf = gk_buf(bytes, room);
	struct gk_coap inner;

	if (bytes &&
	    !gk_oscore_unprotect_response(&m->assoc, &m->out.ref, message, &buf,
					  m->out.blocks ? NULL : &m->out.watching.piv) &&
	    !gk_coap_parse(gk_buf_span(&buf), &inner))
		answered(m, &inner, now);
	else
		failed(m, now);
	gk_free(&m->env, bytes, room);
}

void gk_task_answered(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now)
{
	struct gk_span option;
	struct gk_coap msg;

	/* a later block that got lost is sent again: to begin anew would cost all those before */
	if (!m->out.busy || m->out.id != id || (!message.len && gk_task_repeat_block(m)))
		return;
	if (gk_coap_parse(message, &msg))
		failed(m, now);
	else if (m->out.task == GK_TASK_TOKEN)
		answered(m, &msg, now);
	else if (gk_coap_find(&msg, GK_OPT_OSCORE, &option))
		unprotect(m, message, now);
	else
		answered_plain(m, &msg, now);
}
