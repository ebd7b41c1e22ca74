// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Messages of the group: what others say, and what they answer.
 */
#include "member.h"

#define MESSAGE_ROOM 2048
#define PULL_PAUSE_MAX_MS                                                                          \
	320000 /* between questions that anyone can provoke and that bring nothing */

static const char inactive[] = "the group is not active";

/* messages of the group */

void gk_membership_refuse(struct gk_membership *ms, const char *reason)
{
	ms->refused++;
	gk_member_note(ms, GK_NOTE_REFUSED, GK_VIA_NONE, reason);
}

/* Traffic under an unknown Gid may mean that we missed a rekeying, an unknown kid that we missed
 * a newcomer. Anyone can forge both: ask ever more rarely while it brings nothing, and with
 * jitter. What is heard during a pause is asked for at its end, since nobody may say it again. */
void gk_membership_pull_later(struct gk_membership *ms, enum gk_due what, struct gk_now now)
{
	int64_t from_ms = now.mono.ms > ms->next_pull_ms ? now.mono.ms : ms->next_pull_ms;

	if (!ms->in || ms->due_ms[what] != GK_NEVER)
		return;
	ms->due_ms[what] = from_ms + gk_member_jitter(ms->member, GK_PULL_JITTER_MS);
	ms->next_pull_ms = from_ms + ms->pull_pause_ms;
	if (ms->pull_pause_ms < PULL_PAUSE_MAX_MS)
		ms->pull_pause_ms *= 2;
}

static void miss(struct gk_membership *ms, struct gk_span sid, struct gk_now now)
{
	(void)gk_membership_miss(ms, sid);
	gk_membership_pull_later(ms, GK_DUE_CREDS, now);
}

static struct gk_membership *find_by_gid(struct gk_member *m, struct gk_span gid)
{
	for (size_t i = 0; i < m->group_count; i++) {
		struct gk_membership *ms = m->groups[i];

		if (ms->has_material && gk_span_equal(gk_id_span(&ms->common.gid), gid))
			return ms;
	}
	return NULL;
}

static enum gk_err remember(struct gk_membership *ms, const struct gk_exchange *exchange,
			    struct gk_span message, const struct gk_oscore_ref *ref,
			    struct gk_now now)
{
	struct gk_member *m = ms->member;
	struct gk_answerable *a = &m->answerable[m->next_answerable];

	gk_kept_wipe(&m->env, &a->kept);
	*a = (struct gk_answerable){
		.open = true, .id = exchange->id, .exchange = *exchange, .ref = *ref, .ms = ms
	};
	m->next_answerable = (m->next_answerable + 1) % GK_REFS_MAX;
	return ref->pairwise ? gk_kept_begin(&m->env, &a->kept, exchange, message, now) : GK_OK;
}

static void deliver(struct gk_membership *ms, const struct gk_peer *peer, struct gk_note note,
		    const struct gk_exchange *exchange)
{
	note.group = gk_membership_name(ms);
	note.gid = gk_id_span(&ms->common.gid);
	note.sid = gk_id_span(&peer->id);
	note.num = ms->num;
	note.via =
		note.kind == GK_NOTE_MESSAGE && !note.pairwise ? GK_VIA_MULTICAST : GK_VIA_UNICAST;
	ms->accepted++;
	gk_queue_add(&ms->member->queue, &(struct gk_event){ .kind = GK_EVENT_NOTE,
							     .id = exchange->id,
							     .peer = exchange->peer,
							     .note = note });
}

static const char *reason_of(enum gk_err err)
{
	static const struct {
		enum gk_err err;
		const char *reason;
	} rows[] = {
		{ GK_ERR_CRYPTO, "countersignature or decryption failed" },
		{ GK_ERR_REPLAY, "replayed" },
		{ GK_ERR_UNSUPPORTED, "in a mode that the group does not use" },
		{ GK_ERR_CREDENTIAL, "the sender's credential does not fit" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].err == err)
			return rows[i].reason;
	}
	return "malformed";
}

static enum gk_err make_ready(const struct gk_membership *ms, struct gk_peer *peer)
{
	enum gk_err err = GK_OK;

	if (!peer->ready)
		err = gk_group_recipient_init(&ms->common, gk_id_span(&peer->id),
					      gk_blob_span(&peer->cred), &peer->context);
	peer->ready = !err;
	return err;
}

enum gk_err gk_membership_pair(struct gk_membership *ms, struct gk_peer *peer)
{
	enum gk_err err = ms->has_sid ? make_ready(ms, peer) : GK_ERR_STATE;

	if (!err && !peer->paired)
		err = gk_pairwise_init(&ms->common, &ms->sender, &peer->context, &peer->pairwise);
	if (!err)
		peer->paired = true;
	return err;
}

/** A message of a peer that has arrived. */
struct arrival {
	struct gk_membership *ms;
	struct gk_peer *peer;
	bool group; /* in group mode */
	struct gk_span message;
	struct gk_now now;
};

/* What does not verify with the newest keys may be of somebody with another credential. */
static void learn(const struct arrival *in, enum gk_err err)
{
	if (!err)
		in->peer->failures = 0;
	else if (err == GK_ERR_CRYPTO)
		gk_membership_failed(in->ms, &in->peer->failures, in->now);
}

static enum gk_err prepare(const struct arrival *in)
{
	return in->group ? make_ready(in->ms, in->peer) : gk_membership_pair(in->ms, in->peer);
}

static enum gk_err open_request(const struct arrival *in, struct gk_buf *plain,
				struct gk_oscore_ref *ref)
{
	const struct gk_group_common *common = &in->ms->common;
	struct gk_peer *peer = in->peer;
	enum gk_err err = prepare(in);

	if (err)
		return err;
	return in->group
		       ? gk_group_unprotect_request(common, &peer->context, in->message, plain, ref)
		       : gk_pairwise_unprotect_request(common, &peer->context, &peer->pairwise,
						       in->message, plain, ref);
}

static enum gk_err open_response(const struct arrival *in, const struct gk_oscore_ref *ref,
				 struct gk_buf *plain)
{
	const struct gk_group_common *common = &in->ms->common;
	struct gk_peer *peer = in->peer;
	enum gk_err err = prepare(in);

	if (err)
		return err;
	return in->group ? gk_group_unprotect_response(common, &peer->context, ref, in->message,
						       plain)
			 : gk_pairwise_unprotect_response(common, &peer->context, &peer->pairwise,
							  ref, in->message, plain);
}

static void take_message(const struct arrival *in, const struct gk_exchange *exchange)
{
	struct gk_membership *ms = in->ms;
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	bool first = !in->peer->ready;
	enum gk_err err = open_request(in, &plain, &ref);

	learn(in, err);
	if (!err)
		err = remember(ms, exchange, in->message, &ref, in->now);
	if (err) {
		gk_membership_refuse(ms, reason_of(err));
		return;
	}
	if (first) /* what we asked for was worth it */
		ms->pull_pause_ms = GK_PULL_PAUSE_MS;
	deliver(ms, in->peer,
		(struct gk_note){ .kind = GK_NOTE_MESSAGE,
				  .message = gk_buf_span(&plain),
				  .pairwise = !in->group },
		exchange);
	gk_wipe(bytes, sizeof(bytes));
}

/* Answers to what was said or told */

static bool has_answered(const struct gk_said *said, const struct gk_id *id)
{
	for (size_t i = 0; i < said->count; i++) {
		if (gk_id_equal(&said->answered[i], id))
			return true;
	}
	return said->count == GK_ANSWERERS_MAX;
}

/** @param id  of what it answers @return NULL, or what is wrong */
static const char *take_response(const struct arrival *in, uint64_t id,
				 const struct gk_oscore_ref *ref)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_exchange named = { .id = id };
	enum gk_err err = open_response(in, ref, &plain);

	learn(in, err);
	if (err)
		return reason_of(err);
	deliver(in->ms, in->peer,
		(struct gk_note){ .kind = GK_NOTE_RESPONSE,
				  .message = gk_buf_span(&plain),
				  .pairwise = !in->group },
		&named);
	gk_wipe(bytes, sizeof(bytes));
	return NULL;
}

static const char *take_answer_of_one(struct gk_said *said, const struct arrival *in)
{
	const char *wrong;

	if (!(in->peer->roles & GK_ROLE_RESPONDER))
		return "answer of a member that is no responder";
	if (has_answered(said, &in->peer->id))
		return "second answer of a member, or one too many";
	wrong = take_response(in, said->id, &said->ref);
	if (!wrong)
		said->answered[said->count++] = in->peer->id;
	return wrong;
}

static const char *take_answer(struct gk_said *said, struct gk_span message, struct gk_now now)
{
	struct gk_membership *ms = said->ms;
	struct gk_oscore_option option;
	struct arrival in = { .ms = ms, .message = message, .now = now };

	if (gk_oscore_peek(message, &option, NULL) || !option.has_kid)
		return "malformed";
	if (ms->inactive)
		return inactive;
	if (!ms->has_material || !gk_id_equal(&said->ref.gid, &ms->common.gid))
		return "answer under other material than the message";
	in.peer = gk_membership_find_peer(ms, option.kid);
	in.group = option.group;
	return in.peer ? take_answer_of_one(said, &in) : "unknown sender";
}

void gk_membership_response(struct gk_said *said, struct gk_span message, struct gk_now now)
{
	const char *wrong = take_answer(said, message, now);

	if (wrong)
		gk_membership_refuse(said->ms, wrong);
}

/* G 8.4, 9.5: from who was asked and from nobody else, under that Sender ID; without a kid it is
 * taken for that one's. Another one may be a newer one of the same member, and that the KDC tells.
 */
static const char *take_answer_of_asked(const struct gk_told *told, struct gk_span message,
					struct gk_now now)
{
	struct gk_membership *ms = told->ms;
	struct gk_oscore_option option;
	struct arrival in = { .ms = ms, .message = message, .now = now };

	if (gk_oscore_peek(message, &option, NULL))
		return "malformed, or not protected";
	if (ms->inactive)
		return inactive;
	if (!ms->has_material)
		return "answer under other material than ours";
	if (option.has_kid && !gk_span_equal(option.kid, gk_id_span(&told->asked))) {
		if (!gk_membership_find_peer(ms, option.kid))
			miss(ms, option.kid, now);
		return "answer under another Sender ID than was asked";
	}
	in.peer = gk_membership_find_peer(ms, gk_id_span(&told->asked));
	in.group = option.group;
	if (!in.peer)
		return "unknown sender";
	if (!(in.peer->roles & GK_ROLE_RESPONDER))
		return "answer of a member that is no responder";
	return take_response(&in, told->id, &told->ref);
}

const char *gk_membership_answer(const struct gk_told *told, struct gk_span message,
				 struct gk_now now)
{
	const char *wrong = take_answer_of_asked(told, message, now);

	if (wrong)
		told->ms->refused++;
	return wrong;
}

/* What others ask */

/* libcoap hands every retransmission out (RFC 7252 section 4.5): the same answer again; before it
 * is there, nothing. */
static bool repeats(struct gk_member *m, const struct gk_exchange *exchange, struct gk_span message,
		    struct gk_now now)
{
	for (size_t i = 0; i < GK_REFS_MAX; i++) {
		const struct gk_kept *kept = &m->answerable[i].kept;

		if (!gk_kept_is(kept, exchange, message, now))
			continue;
		if (kept->answer.data)
			gk_queue_reply(&m->queue, exchange, gk_blob_span(&kept->answer));
		return true;
	}
	return false;
}

/* A monitor only listens, and is of no pair. */
static bool we_take(const struct gk_membership *ms, bool group)
{
	return ms->roles & (group ? GK_ROLE_RESPONDER | GK_ROLE_MONITOR : GK_ROLE_RESPONDER);
}

void gk_membership_receive(struct gk_member *m, const struct gk_exchange *exchange,
			   const struct gk_oscore_option *option, struct gk_span message,
			   struct gk_now now)
{
	struct gk_membership *ms = find_by_gid(m, option->kid_context);
	struct arrival in = { .ms = ms, .group = option->group, .message = message, .now = now };

	if (ms && ms->inactive) {
		gk_membership_refuse(ms, inactive);
		return;
	}
	if (!option->group && repeats(m, exchange, message, now))
		return;
	if (!ms) {
		for (size_t i = 0; i < m->group_count; i++) {
			if (m->groups[i]->in)
				gk_membership_refuse(m->groups[i], "unknown group or epoch");
		}
		gk_member_miss_gid(m, option->kid_context, now);
		return;
	}
	if (gk_membership_is_own(ms, option->kid))
		return;
	in.peer = gk_membership_find_peer(ms, option->kid);
	if (!in.peer) {
		gk_membership_refuse(ms, "unknown sender");
		miss(ms, option->kid, now);
	} else if (!(in.peer->roles & GK_ROLE_REQUESTER)) {
		gk_membership_refuse(ms, "request from a member that is no requester");
	} else if (!we_take(ms, in.group)) {
		gk_membership_refuse(ms, "we are no responder");
	} else {
		take_message(&in, exchange);
	}
}
