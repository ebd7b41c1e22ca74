// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Members among each other: what the application says to all, tells to one, and answers. What
 * others say is membership_traffic.c's.
 */
#include "member.h"

#define MESSAGE_ROOM 2048

/* When our numbers have come to their end, only another Sender ID helps (P 9.2). */
static enum gk_err note_end(struct gk_membership *ms, enum gk_err err, struct gk_now now)
{
	if (err == GK_ERR_SEQUENCE) {
		gk_task_want(ms, GK_TASK_RENEW);
		gk_task_next(ms->member, now);
	}
	return err;
}

static bool can_send(const struct gk_membership *ms)
{
	return ms->has_material && ms->has_sid && !ms->inactive;
}

/* What has to hold before we ask for anything. */
static enum gk_err check_asking(const struct gk_membership *ms)
{
	if (!ms || !ms->in)
		return GK_ERR_UNKNOWN;
	if (!(ms->roles & GK_ROLE_REQUESTER))
		return GK_ERR_FORBIDDEN;
	return can_send(ms) ? GK_OK : GK_ERR_STATE;
}

/* to all */

enum gk_err gk_member_say(struct gk_member *m, struct gk_span group, struct gk_span message,
			  struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	enum gk_err err = check_asking(ms);

	if (err)
		return err;
	err = gk_group_protect_request(&ms->common, &ms->sender, message, &buf, &ref);
	if (err)
		return note_end(ms, err, now);
	m->said[m->next_said] = (struct gk_said){ .ms = ms, .id = ++m->next_id, .ref = ref };
	m->next_said = (m->next_said + 1) % GK_REFS_MAX;
	gk_queue_add(&m->queue, &(struct gk_event){ .kind = GK_EVENT_MULTICAST,
						    .id = m->next_id,
						    .bytes = gk_buf_span(&buf) });
	return gk_queue_err(&m->queue);
}

enum gk_err gk_member_response(struct gk_member *m, uint64_t id, struct gk_span message,
			       struct gk_now now)
{
	for (size_t i = 0; i < GK_REFS_MAX; i++) {
		if (!m->said[i].ms || m->said[i].id != id)
			continue;
		gk_membership_response(&m->said[i], message, now);
		return gk_queue_err(&m->queue);
	}
	return GK_ERR_UNKNOWN;
}

/* to one */

static struct gk_told *find_told(struct gk_member *m, bool open, uint64_t id)
{
	for (size_t i = 0; i < GK_TELLS_MAX; i++) {
		if ((m->told[i].ms != NULL) == open && (!open || m->told[i].id == id))
			return &m->told[i];
	}
	return NULL;
}

/* Somebody who came since we last heard of the group. */
static enum gk_err ask_for_creds(struct gk_membership *ms, struct gk_span sid, struct gk_now now)
{
	enum gk_err err;

	if (gk_membership_is_own(ms, sid))
		return GK_ERR_UNKNOWN;
	gk_task_want(ms, gk_membership_miss(ms, sid));
	err = gk_member_proceed(ms->member, now);
	return err ? err : GK_ERR_UNKNOWN;
}

static void send_told(struct gk_member *m, const struct gk_told *told, const struct gk_addr *peer,
		      struct gk_span bytes)
{
	gk_queue_add(&m->queue, &(struct gk_event){ .kind = GK_EVENT_REQUEST,
						    .id = told->id,
						    .peer = *peer,
						    .timeout_ms = m->answer_timeout_ms,
						    .bytes = bytes });
}

static enum gk_err tell(struct gk_membership *ms, struct gk_peer *to, const struct gk_addr *peer,
			struct gk_span message, struct gk_now now)
{
	struct gk_member *m = ms->member;
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_told *told = find_told(m, false, 0);
	struct gk_oscore_ref ref;
	enum gk_err err = told ? gk_membership_pair(ms, to) : GK_ERR_NO_SPACE;

	if (!err)
		err = gk_pairwise_protect_request(&ms->common, &ms->sender, &to->pairwise, message,
						  &buf, &ref);
	if (err)
		return note_end(ms, err, now);
	*told = (struct gk_told){ .ms = ms, .id = ++m->next_id, .ref = ref, .asked = to->id };
	send_told(m, told, peer, gk_buf_span(&buf));
	return gk_queue_err(&m->queue);
}

enum gk_err gk_member_tell(struct gk_member *m, struct gk_span group, struct gk_span sid,
			   const struct gk_addr *peer, struct gk_span message, struct gk_now now)
{
	struct gk_membership *ms = gk_member_find(m, group);
	struct gk_peer *to;
	enum gk_err err = check_asking(ms);

	if (!err)
		err = gk_pairwise_check(&ms->common);
	if (err)
		return err;
	to = gk_membership_find_peer(ms, sid);
	if (!to)
		return ask_for_creds(ms, sid, now);
	if (!(to->roles & GK_ROLE_RESPONDER))
		return GK_ERR_FORBIDDEN;
	return tell(ms, to, peer, message, now);
}

static void note_unanswered(const struct gk_told *told, const char *reason)
{
	const struct gk_membership *ms = told->ms;
	const struct gk_note note = {
		.kind = GK_NOTE_UNANSWERED,
		.group = gk_membership_name(ms),
		.gid = gk_id_span(&ms->common.gid),
		.sid = gk_id_span(&told->asked),
		.num = ms->has_material ? ms->num : -1,
		.via = GK_VIA_UNICAST,
		.reason = reason,
		.pairwise = true,
	};

	gk_queue_add(&ms->member->queue,
		     &(struct gk_event){ .kind = GK_EVENT_NOTE, .id = told->id, .note = note });
}

bool gk_member_told(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now)
{
	struct gk_told *told = find_told(m, true, id);
	const char *wrong;

	if (!told)
		return false;
	wrong = message.len ? gk_membership_answer(told, message, now) : "no answer";
	if (wrong)
		note_unanswered(told, wrong);
	*told = (struct gk_told){ .ms = NULL };
	return true;
}

/* answers */

static struct gk_answerable *find_answerable(struct gk_member *m, uint64_t id)
{
	for (size_t i = 0; i < GK_REFS_MAX; i++) {
		if (m->answerable[i].open && m->answerable[i].id == id)
			return &m->answerable[i];
	}
	return NULL;
}

static enum gk_err protect_answer(struct gk_answerable *a, struct gk_span message,
				  struct gk_buf *out)
{
	struct gk_membership *ms = a->ms;
	struct gk_peer *peer;
	enum gk_err err;

	if (!a->ref.pairwise)
		return gk_group_protect_response(&ms->common, &ms->sender, &a->ref, message, false,
						 out);
	peer = gk_membership_find_peer(ms, gk_id_span(&a->ref.kid));
	if (!peer)
		return GK_ERR_UNKNOWN;
	err = gk_membership_pair(ms, peer);
	return err ? err
		   : gk_pairwise_protect_response(&ms->common, &ms->sender, &peer->pairwise,
						  &a->ref, message, false, out);
}

enum gk_err gk_member_respond(struct gk_member *m, uint64_t id, struct gk_span message,
			      struct gk_now now)
{
	struct gk_answerable *a = find_answerable(m, id);
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (!a)
		return GK_ERR_UNKNOWN;
	if (!(a->ms->roles & GK_ROLE_RESPONDER))
		return GK_ERR_FORBIDDEN;
	if (!can_send(a->ms))
		return GK_ERR_STATE;
	err = protect_answer(a, message, &buf);
	if (err)
		return note_end(a->ms, err, now);
	if (a->ref.pairwise)
		err = gk_kept_answer(&m->env, &a->kept, gk_buf_span(&buf));
	if (err)
		return err;
	a->open = false;
	gk_queue_reply(&m->queue, &a->exchange, gk_buf_span(&buf));
	return gk_queue_err(&m->queue);
}
