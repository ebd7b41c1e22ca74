// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/report.h"
#include "io/json.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"
#include "member/text.h"
#include <stdio.h>
#include <time.h>

/* What is at once a nuisance and a hint; beyond that one a second. */
#define REFUSED_BURST 5

static const char *const events[] = {
	[GK_NOTE_JOINED] = "joined",         [GK_NOTE_LEFT] = "left",
	[GK_NOTE_EVICTED] = "evicted",       [GK_NOTE_REKEYED] = "rekeyed",
	[GK_NOTE_REFUSED] = "error",         [GK_NOTE_RECOVERED] = "recovered",
	[GK_NOTE_MESSAGE] = "message",       [GK_NOTE_ERROR] = "error",
	[GK_NOTE_CHECKED] = "checked",       [GK_NOTE_RESPONSE] = "response",
	[GK_NOTE_UNANSWERED] = "unanswered", [GK_NOTE_INACTIVE] = "inactive",
	[GK_NOTE_ACTIVE] = "active",         [GK_NOTE_CREDENTIAL] = "newcred",
};

static const char *event_name(enum gk_note_kind kind)
{
	return (size_t)kind < sizeof(events) / sizeof(events[0]) ? events[kind] : NULL;
}

static const char *via_name(enum gk_via via)
{
	static const char *const names[] = {
		[GK_VIA_UNICAST] = "unicast",
		[GK_VIA_MULTICAST] = "multicast",
		[GK_VIA_OBSERVE] = "observe",
		[GK_VIA_PULL] = "pull",
	};

	return (size_t)via < sizeof(names) / sizeof(names[0]) ? names[via] : NULL;
}

/*
 * Lines
 */

static void put_time(struct io_json *json)
{
	char date[32], text[64];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03ldZ", date, now.tv_nsec / 1000000);
	io_json_text(json, "time", text);
}

static void begin(struct io_json *json, const char *event)
{
	io_json_init(json);
	io_json_object(json, NULL);
	put_time(json);
	io_json_text(json, "event", event);
}

static void end(struct io_json *json)
{
	io_json_end(json);
	const char *line = io_json_finish(json);

	if (!line)
		fatal("report", "out of memory");
	if (puts(line) == EOF || fflush(stdout) != 0)
		fatal("report", "stdout cannot be written to");
	io_json_free(json);
}

static void put_group(struct io_json *json, struct gk_span group)
{
	if (group.len > 0)
		io_json_span(json, "group", group);
}

/* The material that we hold, and our place in it. */
static void put_place(struct io_json *json, int64_t num, struct gk_span gid, struct gk_span sid)
{
	if (num >= 0)
		io_json_int(json, "num", num);
	if (gid.len > 0)
		io_json_hex(json, "gid", gid);
	if (sid.len > 0)
		io_json_hex(json, "sid", sid);
}

/*
 * Notes
 */

/* A message's note has the Sender ID of its sender, an answer's that of who answers, and what has
 * no answer that of who was asked; all others have ours. */
static void begin_talk(struct io_json *json, const struct gk_note *note,
		       const struct gk_membership_info *info, const char *whose)
{
	begin(json, event_name(note->kind));
	put_group(json, note->group);
	put_place(json, note->num, note->gid, info->sender_id);
	io_json_text(json, "via", via_name(note->via));
	io_json_text(json, "mode", note->pairwise ? "pairwise" : "group");
	io_json_hex(json, whose, note->sid);
}

static void report_message(const struct gk_note *note, const struct gk_membership_info *info)
{
	struct io_json json;
	struct gk_span text;

	if (!gkm_text_read(note->message, &text)) {
		log_debug("group", "a message that is no text is passed over");
		return;
	}
	begin_talk(&json, note, info, "from");
	io_json_span(&json, "text", text);
	end(&json);
}

static void report_response(const struct gk_note *note, const struct gk_membership_info *info)
{
	struct io_json json;
	struct gk_coap msg;
	char code[8];

	if (gk_coap_parse(note->message, &msg))
		return;
	snprintf(code, sizeof(code), "%u.%02u", msg.code >> 5, msg.code & 31u);
	begin_talk(&json, note, info, "from");
	io_json_text(&json, "code", code);
	if (msg.payload.len > 0)
		io_json_span(&json, "text", msg.payload);
	end(&json);
}

static void report_unanswered(const struct gk_note *note, const struct gk_membership_info *info)
{
	struct io_json json;

	begin_talk(&json, note, info, "to");
	io_json_text(&json, "reason", note->reason);
	end(&json);
}

static void put_refused(struct io_json *json, const struct gk_membership_info *info,
			unsigned dropped)
{
	io_json_int(json, "refused", (int64_t)info->refused);
	if (dropped > 0)
		io_json_int(json, "dropped", dropped);
}

static void report_other(const struct gk_note *note, const struct gk_membership_info *info,
			 unsigned dropped)
{
	struct io_json json;

	begin(&json, event_name(note->kind));
	put_group(&json, note->group);
	put_place(&json, note->num, note->gid, note->sid);
	if (via_name(note->via))
		io_json_text(&json, "via", via_name(note->via));
	if (note->reason)
		io_json_text(&json, "reason", note->reason);
	if (note->kind == GK_NOTE_REFUSED)
		put_refused(&json, info, dropped);
	end(&json);
}

void gkm_report_note(struct gkm_report *report, const struct gk_member *member,
		     const struct gk_note *note, struct gk_now now)
{
	struct gk_membership_info info = { .num = -1 };
	unsigned dropped = 0;

	// Those that only the KDC tells of have no place here.
	if (!event_name(note->kind))
		return;
	report->refused.burst = REFUSED_BURST;
	if (note->kind == GK_NOTE_REFUSED && !log_allowed(&report->refused, now.mono.ms, &dropped))
		return;
	// Some errors are about the token, and no group.
	if (note->group.len > 0 && gk_member_info(member, note->group, &info))
		return;
	if (note->kind == GK_NOTE_MESSAGE)
		report_message(note, &info);
	else if (note->kind == GK_NOTE_RESPONSE)
		report_response(note, &info);
	else if (note->kind == GK_NOTE_UNANSWERED)
		report_unanswered(note, &info);
	else
		report_other(note, &info, dropped);
}

/*
 * Answers to commands
 */

static void put_roles(struct io_json *json, uint32_t roles)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ GK_ROLE_REQUESTER, "requester" },
		{ GK_ROLE_RESPONDER, "responder" },
		{ GK_ROLE_MONITOR, "monitor" },
	};

	io_json_array(json, "roles");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (roles & names[i].bit)
			io_json_text(json, NULL, names[i].name);
	}
	io_json_end(json);
}

void gkm_report_status(const struct gk_member *member, struct gk_span group)
{
	struct gk_membership_info info;
	struct io_json json;

	if (gk_member_info(member, group, &info)) {
		gkm_report_error(group, "no such group here");
		return;
	}
	begin(&json, "status");
	put_group(&json, group);
	io_json_bool(&json, "joined", info.joined);
	io_json_bool(&json, "active", info.active);
	io_json_bool(&json, "in_tree", info.in_tree);
	put_place(&json, info.num, info.gid, info.sender_id);
	if (info.joined)
		io_json_span(&json, "node", info.node);
	put_roles(&json, info.roles);
	io_json_int(&json, "peers", (int64_t)info.peers);
	io_json_int(&json, "accepted", (int64_t)info.accepted);
	io_json_int(&json, "refused", (int64_t)info.refused);
	end(&json);
}

void gkm_report_error(struct gk_span group, const char *reason)
{
	struct io_json json;

	begin(&json, "error");
	put_group(&json, group);
	io_json_text(&json, "reason", reason);
	end(&json);
}
