// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/notes.h"
#include "gatewayd/show.h"
#include "gatewayd/words.h"
#include "io/json.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is at once a nuisance and a hint; beyond that one a second. */
#define BURST 10

typedef void log_fn(const char *subsystem, const char *format, ...);

static const struct kind {
	const char *event; /* in JSON */
	const char *subsystem;
	const char *words; /* after the object */
	log_fn *log;
	size_t limit; /* where in struct gw_notes; 0: none, since only members can cause it */
} kinds[] = {
#define LIMIT(name) offsetof(struct gw_notes, name)
	[GK_NOTE_JOINED] = { "joined", "member", "joined", log_info, 0 },
	[GK_NOTE_REJOINED] = { "rejoined", "member", "joined again", log_info, 0 },
	[GK_NOTE_LEFT] = { "left", "member", "left", log_info, 0 },
	[GK_NOTE_EVICTED] = { "evicted", "member", "evicted", log_info, 0 },
	[GK_NOTE_REKEYED] = { "rekeyed", "rekey", "new material", log_info, 0 },
	[GK_NOTE_DELIVERED] = { "delivered", "rekey", "confirmed", log_debug, 0 },
	[GK_NOTE_PARKED] = { "parked", "rekey", "parked until it is heard of", log_info, 0 },
	[GK_NOTE_SUSPECT] = { "suspect", "presence", "suspect", log_info, 0 },
	[GK_NOTE_ABSENT] = { "absent", "presence", "absent", log_info, 0 },
	[GK_NOTE_PRESENT] = { "present", "presence", "heard of again", log_info, 0 },
	[GK_NOTE_TOKEN] = { "token", "token", "accepted", log_info, LIMIT(tokens) },
	[GK_NOTE_REFUSED] = { "refused", "request", "refused", log_info, LIMIT(refused) },
	[GK_NOTE_BANNED] = { "banned", "member", "banned", log_info, 0 },
	[GK_NOTE_UNBANNED] = { "unbanned", "member", "may join again", log_info, 0 },
	[GK_NOTE_REVOKED] = { "revoked", "token", "revoked", log_info, 0 },
	[GK_NOTE_ENDED] = { "ended", "kdc", "ended", log_info, 0 },
	[GK_NOTE_BLIND] = { "blind", "presence", "blind; nobody is judged", log_warnx, 0 },
	[GK_NOTE_SEES] = { "sees", "presence", "sees again", log_info, 0 },
	[GK_NOTE_ALARM] = { "alarm", "presence", "needs attention", log_warnx, 0 },
	[GK_NOTE_ERROR] = { "error", "kdc", "error", log_warnx, 0 },
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) <= GW_NOTE_KINDS, "kinds of notes");

/* @return NULL: it does not apply */
static const char *via_name(enum gk_via via)
{
	static const char *const names[] = {
		[GK_VIA_UNICAST] = "unicast", [GK_VIA_MULTICAST] = "multicast",
		[GK_VIA_OBSERVE] = "observe", [GK_VIA_PULL] = "pull",
		[GK_VIA_JOIN] = "join",
	};

	return (size_t)via < sizeof(names) / sizeof(names[0]) ? names[via] : NULL;
}

/*
 * Texts
 */

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static void put_quoted(FILE *out, struct gk_span name)
{
	bool whole = io_utf8_printable(name);

	fputc('"', out);
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (whole || (c >= ' ' && c < 0x7f))
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
	fputc('"', out);
}

void gw_notes_put_name(FILE *out, struct gk_span name)
{
	size_t plain = 0;

	while (plain < name.len && is_plain(name.data[plain]))
		plain++;
	if (plain < name.len) {
		put_quoted(out, name);
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		fputc(name.data[i], out);
}

static void put_hex(FILE *out, const char *before, struct gk_span bytes)
{
	if (bytes.len > 0)
		fputs(before, out);
	for (size_t i = 0; i < bytes.len; i++)
		fprintf(out, "%02x", bytes.data[i]);
}

static void put_object(FILE *out, const struct gk_note *note)
{
	if (note->group.len > 0) {
		fputs("group ", out);
		gw_notes_put_name(out, note->group);
		if (note->num >= 0)
			fprintf(out, " num %" PRId64, note->num);
		fputs(": ", out);
	}
	gw_notes_put_name(out, note->node);
	if (note->node.len > 0 && note->name.len > 0) {
		fputs(" (", out);
		gw_notes_put_name(out, note->name);
		fputs(") ", out);
	} else if (note->name.len > 0) {
		fputs("client ", out);
		gw_notes_put_name(out, note->name);
		fputc(' ', out);
	} else if (note->node.len > 0) {
		fputc(' ', out);
	}
}

static int64_t seconds_since_sign(const struct gk_note *note, struct gk_now now)
{
	return (now.mono.ms - note->last_seen_ms) / 1000;
}

static void put_line(FILE *out, const struct gk_note *note, unsigned dropped, struct gk_now now)
{
	const char *via = via_name(note->via);

	put_object(out, note);
	fputs(kinds[note->kind].words, out);
	if (via)
		fprintf(out, ", by %s", via);
	if (note->kind == GK_NOTE_REKEYED)
		put_hex(out, ", gid ", note->gid);
	if (note->kind == GK_NOTE_JOINED || note->kind == GK_NOTE_REJOINED)
		put_hex(out, ", sender id ", note->sid);
	if (note->reason)
		fprintf(out, ": %s", note->reason);
	if (note->last_sign)
		fprintf(out, "; last sign of life %" PRId64 " s ago: %s",
			seconds_since_sign(note, now), gk_fact_str(note->last_sign));
	if (dropped > 0)
		fprintf(out, " (and %u more like it before)", dropped);
}

static char *make_line(const struct gk_note *note, unsigned dropped, struct gk_now now)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	put_line(out, note, dropped, now);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void put_members(struct io_json *json, const struct gk_note *note)
{
	if (note->group.len > 0)
		io_json_span(json, "group", note->group);
	if (note->node.len > 0)
		io_json_span(json, "node", note->node);
	if (note->name.len > 0)
		io_json_span(json, "name", note->name);
	if (note->num >= 0)
		io_json_int(json, "num", note->num);
	if (note->gid.len > 0)
		io_json_hex(json, "gid", note->gid);
	if (note->sid.len > 0)
		io_json_hex(json, "sid", note->sid);
	if (via_name(note->via))
		io_json_text(json, "via", via_name(note->via));
	if (note->reason)
		io_json_text(json, "reason", note->reason);
}

static void put_sign(struct io_json *json, const struct gk_note *note, struct gk_now now)
{
	if (!note->last_sign)
		return;
	io_json_text(json, "last_sign", gw_word_of_fact(note->last_sign));
	io_json_int(json, "last_seen_s", seconds_since_sign(note, now));
}

static char *make_json(const struct gk_note *note, unsigned dropped, struct gk_now now)
{
	char time[GW_TIME_TEXT];
	struct io_json json;

	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "time", gw_show_time(now.utc, time));
	io_json_text(&json, "event", kinds[note->kind].event);
	put_members(&json, note);
	put_sign(&json, note, now);
	if (dropped > 0)
		io_json_int(&json, "dropped", dropped);
	io_json_end(&json);
	const char *text = io_json_finish(&json);
	char *copy = text ? strdup(text) : NULL;
	io_json_free(&json);
	return copy;
}

/*
 * The newest
 */

void gw_notes_init(struct gw_notes *notes)
{
	*notes = (struct gw_notes){ .refused = { .burst = BURST }, .tokens = { .burst = BURST } };
}

void gw_notes_free(struct gw_notes *notes)
{
	for (size_t i = 0; i < GW_NOTES_KEPT; i++) {
		free(notes->kept[i].text);
		free(notes->kept[i].json);
	}
	gw_notes_init(notes);
}

static void keep(struct gw_notes *notes, struct gw_told told)
{
	struct gw_told *place = &notes->kept[notes->count++ % GW_NOTES_KEPT];

	free(place->text);
	free(place->json);
	*place = told;
}

static bool is_allowed(struct gw_notes *notes, const struct kind *kind, struct gk_mono now,
		       unsigned *dropped)
{
	*dropped = 0;
	if (kind->limit == 0)
		return true;
	return log_allowed((struct log_limit *)((char *)notes + kind->limit), now.ms, dropped);
}

const char *gw_notes_event(enum gk_note_kind kind)
{
	return (size_t)kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind].event : NULL;
}

void gw_notes_take(struct gw_notes *notes, const struct gk_note *note, struct gk_now now)
{
	const struct kind *kind = &kinds[note->kind];
	struct gw_told told = { 0 };
	unsigned dropped;
	char time[GW_TIME_TEXT];
	char *line;

	// Those that only members tell of have no place here.
	if (!kind->event)
		return;
	notes->counts[note->kind]++;
	if (!is_allowed(notes, kind, now.mono, &dropped))
		return;
	line = make_line(note, dropped, now);
	told.json = make_json(note, dropped, now);
	if (!line || !told.json ||
	    asprintf(&told.text, "%s %s: %s", gw_show_time(now.utc, time), kind->subsystem, line) <
		    0)
		fatal("daemon", "out of memory");
	kind->log(kind->subsystem, "%s", line);
	free(line);
	keep(notes, told);
}

uint64_t gw_notes_count(const struct gw_notes *notes)
{
	return notes->count;
}

uint64_t gw_notes_oldest(const struct gw_notes *notes)
{
	return notes->count > GW_NOTES_KEPT ? notes->count - GW_NOTES_KEPT : 0;
}

const struct gw_told *gw_notes_get(const struct gw_notes *notes, uint64_t number)
{
	return &notes->kept[number % GW_NOTES_KEPT];
}
