// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Messages of the group: what others say, and what they answer.
 */
#include "member.h"

#define MESSAGE_ROOM 2048
#define PULL_PAUSE_MAX_MS                                                                          \
	320000 /* between questions that anyone can provoke and that bring nothing */

/* messages of the group */

void gk_membership_refuse(struct gk_membership *ms, const char *reason)
{
	ms->refused++;
	gk_member_note(ms, GK_NOTE_REFUSED, GK_VIA_NONE, reason);
}

/* Traffic under an unknown Gid may mean that we missed a rekeying, an unknown kid that we missed
 * a newcomer. Anyone can forge both: ask ever more rarely while it brings nothing, and with
 * jitter. */
void gk_membership_pull_later(struct gk_membership *ms, enum gk_due what, struct gk_now now)
{
	if (!ms->in || now.mono.ms < ms->next_pull_ms || ms->due_ms[what] != GK_NEVER)
		return;
	ms->due_ms[what] = now.mono.ms + gk_member_jitter(ms->member, GK_PULL_JITTER_MS);
	ms->next_pull_ms = now.mono.ms + ms->pull_pause_ms;
	if (ms->pull_pause_ms < PULL_PAUSE_MAX_MS)
		ms->pull_pause_ms *= 2;
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

static void remember(struct gk_membership *ms, const struct gk_exchange *exchange,
		     const struct gk_oscore_ref *ref)
{
	struct gk_member *m = ms->member;

	m->answerable[m->next_answerable] = (struct gk_answerable){
		.open = true, .id = exchange->id, .exchange = *exchange, .ref = *ref, .ms = ms
	};
	m->next_answerable = (m->next_answerable + 1) % GK_REFS_MAX;
}

static void deliver(struct gk_membership *ms, const struct gk_peer *peer, enum gk_note_kind kind,
		    const struct gk_exchange *exchange, struct gk_span message)
{
	struct gk_note note = {
		.kind = kind,
		.group = gk_membership_name(ms),
		.gid = gk_id_span(&ms->common.gid),
		.sid = gk_id_span(&peer->id),
		.message = message,
		.num = ms->num,
		.via = kind == GK_NOTE_MESSAGE ? GK_VIA_MULTICAST : GK_VIA_UNICAST,
	};

	ms->accepted++;
	gk_queue_add(&ms->member->queue, &(struct gk_event){ .kind = GK_EVENT_NOTE,
							     .id = exchange->id,
							     .peer = exchange->peer,
							     .note = note });
}

static const char *reason_of(enum gk_err err)
{
	if (err == GK_ERR_CRYPTO)
		return "countersignature or decryption failed";
	return err == GK_ERR_REPLAY ? "replayed" : "malformed";
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

static void open_message(struct gk_membership *ms, struct gk_peer *peer,
			 const struct gk_exchange *exchange, struct gk_span message)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	bool first = !peer->ready;
	enum gk_err err = make_ready(ms, peer);

	if (!err)
		err = gk_group_unprotect_request(&ms->common, &peer->context, message, &plain,
						 &ref);
	if (err) {
		gk_membership_refuse(ms, reason_of(err));
		return;
	}
	if (first) /* what we asked for was worth it */
		ms->pull_pause_ms = GK_PULL_PAUSE_MS;
	remember(ms, exchange, &ref);
	deliver(ms, peer, GK_NOTE_MESSAGE, exchange, gk_buf_span(&plain));
	gk_wipe(bytes, sizeof(bytes));
}

/* Answers to what was said */

static bool has_answered(const struct gk_said *said, const struct gk_id *id)
{
	for (size_t i = 0; i < said->count; i++) {
		if (gk_id_equal(&said->answered[i], id))
			return true;
	}
	return said->count == GK_ANSWERERS_MAX;
}

static void open_response(struct gk_said *said, struct gk_peer *peer, struct gk_span message)
{
	uint8_t bytes[MESSAGE_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_exchange named = { .id = said->id };
	enum gk_err err = make_ready(said->ms, peer);

	if (!err)
		err = gk_group_unprotect_response(&said->ms->common, &peer->context, &said->ref,
						  message, &plain);
	if (err) {
		gk_membership_refuse(said->ms, reason_of(err));
		return;
	}
	said->answered[said->count++] = peer->id;
	deliver(said->ms, peer, GK_NOTE_RESPONSE, &named, gk_buf_span(&plain));
	gk_wipe(bytes, sizeof(bytes));
}

void gk_membership_response(struct gk_said *said, struct gk_span message)
{
	struct gk_membership *ms = said->ms;
	struct gk_oscore_option option;
	struct gk_peer *peer;

	if (gk_oscore_peek(message, &option, NULL) || !option.group || !option.has_kid) {
		gk_membership_refuse(ms, "malformed");
	} else if (!ms->has_material || !gk_id_equal(&said->ref.gid, &ms->common.gid)) {
		gk_membership_refuse(ms, "answer under other material than the message");
	} else if ((peer = gk_membership_find_peer(ms, option.kid)) == NULL) {
		gk_membership_refuse(ms, "unknown sender");
	} else if (!(peer->roles & GK_ROLE_RESPONDER)) {
		gk_membership_refuse(ms, "answer of a member that is no responder");
	} else if (has_answered(said, &peer->id)) {
		gk_membership_refuse(ms, "second answer of a member, or one too many");
	} else {
		open_response(said, peer, message);
	}
}

void gk_membership_receive(struct gk_member *m, const struct gk_exchange *exchange,
			   const struct gk_oscore_option *option, struct gk_span message,
			   struct gk_now now)
{
	struct gk_membership *ms = find_by_gid(m, option->kid_context);
	struct gk_peer *peer;

	if (!ms) {
		for (size_t i = 0; i < m->group_count; i++) {
			if (m->groups[i]->in) {
				gk_membership_refuse(m->groups[i], "unknown group or epoch");
				gk_membership_pull_later(m->groups[i], GK_DUE_PULL, now);
			}
		}
		return;
	}
	if (gk_membership_is_own(ms, option->kid))
		return;
	peer = gk_membership_find_peer(ms, option->kid);
	if (!peer) {
		gk_membership_refuse(ms, "unknown sender");
		gk_membership_pull_later(ms, GK_DUE_CREDS, now);
	} else if (!(peer->roles & GK_ROLE_REQUESTER)) {
		gk_membership_refuse(ms, "request from a member that is no requester");
	} else if (!(ms->roles & (GK_ROLE_RESPONDER | GK_ROLE_MONITOR))) {
		gk_membership_refuse(ms, "we are no responder");
	} else {
		open_message(ms, peer, exchange, message);
	}
}
