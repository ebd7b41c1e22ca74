// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/calls.h"
#include "config.h"
#include "gatewayd/reload.h"
#include "gatewayd/show.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int gw_call_fail(struct gw_call *call, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(call->out, format, args);
	va_end(args);
	fputc('\n', call->out);
	return status;
}

int gw_call_misused(struct gw_call *call, enum gw_call_id id)
{
	return gw_call_fail(call, GW_USAGE, "usage: gatewayctl %s%s%s", gw_usages[id].name,
			    gw_usages[id].arguments[0] ? " " : "", gw_usages[id].arguments);
}

/*
 * Answers
 */

void gw_call_print(struct gw_call *call, struct io_json *json)
{
	const char *text = io_json_finish(json);

	if (!text)
		fatal("daemon", "out of memory");
	fprintf(call->out, "%s\n", text);
	io_json_free(json);
}

/*
 * Changes
 */

static const char *store_error(const struct gw_call *call)
{
	return strerror(-gw_outbox_error(&call->daemon->outbox));
}

/* Why the KDC was told that nothing, or nothing new, can be stored. */
static const char *no_space_reason(const struct gw_call *call)
{
	static const char *const reasons[] = {
		[GK_STORAGE_GOOD] = "there are as many tokens, bans and revocations as can be kept",
		[GK_STORAGE_SCARCE] = "no room is left but what is reserved for departures",
		[GK_STORAGE_NONE] = "no room is left, or the file system is read-only",
	};

	return reasons[call->daemon->storage];
}

int gw_call_ready(struct gw_call *call)
{
	if (gw_serve_ready(call->daemon))
		return GW_DONE;
	return gw_call_fail(call, GW_REFUSED, "the store cannot be written: %s", store_error(call));
}

static int settle(struct gw_call *call)
{
	if (gw_serve_settle(call->daemon))
		return GW_DONE;
	return gw_call_fail(call, GW_REFUSED,
			    "the store cannot be written (%s): not done yet, and lost if the "
			    "daemon ends before it can",
			    store_error(call));
}

int gw_call_conclude(struct gw_call *call, enum gk_err err)
{
	if (!err)
		return settle(call);
	if (err == GK_ERR_NO_SPACE)
		return gw_call_fail(call, GW_REFUSED, "the store can take nothing now: %s",
				    no_space_reason(call));
	gw_serve_check(err);
	return gw_call_fail(call, GW_REFUSED, "%s", gk_strerror(err));
}

/*
 * status
 */

struct status {
	size_t groups, members;
	int64_t uptime_s;
	int store_error;
	uint64_t written;
	const char *storage, *clock;
	int64_t clock_since_s;
	char time[GW_TIME_TEXT], highest_time[GW_TIME_TEXT], machine_time[GW_TIME_TEXT];
};

static void gather_time(const struct gw_daemon *daemon, struct status *status)
{
	status->clock = gw_clock_source_name(daemon->clock.source);
	status->clock_since_s = (gw_now(daemon).mono.ms - daemon->clock.since_ms) / 1000;
	gw_show_time(gw_now(daemon).utc, status->time);
	gw_show_time((struct gk_utc){ daemon->clock.highest_s }, status->highest_time);
	gw_show_time(io_loop_now(daemon->loop).utc, status->machine_time);
}

static struct status gather_status(const struct gw_call *call)
{
	static const char *const storage_names[] = {
		[GK_STORAGE_GOOD] = "good",
		[GK_STORAGE_SCARCE] = "scarce",
		[GK_STORAGE_NONE] = "none",
	};
	const struct gw_daemon *daemon = call->daemon;
	struct status status = {
		.uptime_s = (gw_now(daemon).mono.ms - daemon->started.ms) / 1000,
		.store_error = gw_outbox_error(&daemon->outbox),
		.written = gw_store_written(daemon->store),
		.storage = storage_names[daemon->storage],
	};
	struct gk_group_info info;
	size_t at = 0;

	gather_time(daemon, &status);
	while (gk_kdc_group_next(daemon->kdc, &at, &info)) {
		status.groups++;
		status.members += info.members;
	}
	return status;
}

static void print_status_json(struct gw_call *call, const struct status *status)
{
	const struct gw_daemon *daemon = call->daemon;
	struct io_json json;

	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "version", GK_VERSION);
	io_json_int(&json, "pid", getpid());
	io_json_int(&json, "uptime_s", status->uptime_s);
	io_json_text(&json, "interface", daemon->conf.interface);
	io_json_text(&json, "listen", daemon->conf.listen);
	io_json_bool(&json, "listening", daemon->coap != NULL);
	io_json_int(&json, "groups", (int64_t)status->groups);
	io_json_int(&json, "members", (int64_t)status->members);
	io_json_bool(&json, "blind", daemon->segment.blind);
	io_json_bool(&json, "store_ok", status->store_error == 0);
	io_json_text(&json, "storage", status->storage);
	io_json_int(&json, "written", (int64_t)status->written);
	io_json_text(&json, "clock", status->clock);
	io_json_int(&json, "clock_since_s", status->clock_since_s);
	io_json_bool(&json, "synchronised", daemon->clock.synchronised);
	io_json_text(&json, "time", status->time);
	io_json_text(&json, "highest_time", status->highest_time);
	io_json_text(&json, "machine_time", status->machine_time);
	io_json_end(&json);
	gw_call_print(call, &json);
}

static void print_clock(struct gw_call *call, const struct status *status)
{
	const struct gw_clock *clock = &call->daemon->clock;
	bool believed = clock->source == GW_CLOCK_MACHINE;

	fprintf(call->out, "clock      %s for %" PRId64 " s%s", status->clock,
		status->clock_since_s, believed && clock->synchronised ? " (synchronised)" : "");
	if (!believed)
		fprintf(call->out, "; the machine's says %s", status->machine_time);
	fprintf(call->out, "\ntime       %s\nhighest    %s\n", status->time, status->highest_time);
}

/* "": there is nothing to be said. */
static const char *store_reason(const struct gw_call *call)
{
	if (!gw_serve_ready(call->daemon))
		return store_error(call);
	return call->daemon->storage == GK_STORAGE_GOOD ? "" : no_space_reason(call);
}

static void print_status(struct gw_call *call, const struct status *status)
{
	const struct gw_daemon *daemon = call->daemon;
	const char *why = store_reason(call);

	fprintf(call->out,
		"version    %s\npid        %d\nuptime     %" PRId64 " s\n"
		"interface  %s (%s)\nlisten     %s%s\ngroups     %zu\nmembers    %zu\nstore      "
		"%s%s%s\nwritten    %" PRIu64 " bytes\n",
		GK_VERSION, (int)getpid(), status->uptime_s, daemon->conf.interface,
		daemon->segment.blind ? "down" : "up", daemon->conf.listen,
		daemon->coap ? "" : " (not there yet)", status->groups, status->members,
		status->store_error ? "refuses" : status->storage, *why ? ": " : "", why,
		status->written);
	print_clock(call, status);
}

static int show_status(struct gw_call *call)
{
	struct status status = gather_status(call);

	if (call->json)
		print_status_json(call, &status);
	else
		print_status(call, &status);
	return GW_DONE;
}

/*
 * groups
 */

static int print_groups_json(struct gw_call *call)
{
	struct gk_group_info info;
	struct io_json json;
	size_t at = 0;

	io_json_init(&json);
	io_json_array(&json, NULL);
	while (gk_kdc_group_next(call->daemon->kdc, &at, &info))
		gw_show_group(&json, &info);
	io_json_end(&json);
	gw_call_print(call, &json);
	return GW_DONE;
}

typedef void group_row_fn(struct gw_table *table, const struct gk_group_info *info);

static void put_groups(struct gw_call *call, struct gw_table *table, group_row_fn *put_row)
{
	struct gk_group_info info;
	size_t at = 0;

	put_row(table, NULL);
	while (gk_kdc_group_next(call->daemon->kdc, &at, &info))
		put_row(table, &info);
}

static void print_groups(struct gw_call *call, group_row_fn *put_row)
{
	struct gw_table table = { .out = NULL };

	put_groups(call, &table, put_row);
	table.out = call->out;
	put_groups(call, &table, put_row);
}

static int show_groups(struct gw_call *call)
{
	if (call->json)
		return print_groups_json(call);
	print_groups(call, gw_show_group_row);
	fputc('\n', call->out);
	print_groups(call, gw_show_rekeying_row);
	return GW_DONE;
}

/*
 * members
 */

int gw_call_find_group(struct gw_call *call, struct gk_group_info *info)
{
	size_t at = 0;

	while (gk_kdc_group_next(call->daemon->kdc, &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(call->words[0])))
			return GW_DONE;
	}
	return gw_call_fail(call, GW_REFUSED, "%s: no such group", call->words[0]);
}

static struct gk_mono now_of(const struct gw_call *call)
{
	return gw_now(call->daemon).mono;
}

static int print_members_json(struct gw_call *call)
{
	struct gk_member_info info;
	struct io_json json;
	size_t at = 0;

	io_json_init(&json);
	io_json_array(&json, NULL);
	while (gk_kdc_member_next(call->daemon->kdc, gk_span_str(call->words[0]), &at, &info))
		gw_show_member(&json, &info, now_of(call));
	io_json_end(&json);
	gw_call_print(call, &json);
	return GW_DONE;
}

static void put_members(struct gw_call *call, struct gw_table *table)
{
	struct gk_member_info info;
	size_t at = 0;

	gw_show_member_row(table, NULL, now_of(call));
	while (gk_kdc_member_next(call->daemon->kdc, gk_span_str(call->words[0]), &at, &info))
		gw_show_member_row(table, &info, now_of(call));
}

static int show_members(struct gw_call *call)
{
	struct gw_table table = { .out = NULL };
	struct gk_group_info group;
	int status = gw_call_find_group(call, &group);

	if (status)
		return status;
	if (call->json)
		return print_members_json(call);
	put_members(call, &table);
	table.out = call->out;
	put_members(call, &table);
	return GW_DONE;
}

/*
 * events
 */

static int show_events(struct gw_call *call)
{
	const struct gw_notes *notes = &call->daemon->notes;

	if (call->count > 0 && strcmp(call->words[0], "--follow") != 0)
		return gw_call_fail(call, GW_USAGE, "events: the one option is --follow");
	call->follow = call->count > 0;
	if (call->follow)
		return GW_DONE;
	for (uint64_t i = gw_notes_oldest(notes); i < gw_notes_count(notes); i++) {
		const struct gw_told *told = gw_notes_get(notes, i);
		fprintf(call->out, "%s\n", call->json ? told->json : told->text);
	}
	return GW_DONE;
}

/*
 * rekey, reload
 */

static void report_rekey(struct gw_call *call, const struct gk_group_info *group)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s: num %" PRId64 "\n", call->words[0], group->num);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "group", call->words[0]);
	io_json_int(&json, "num", group->num);
	io_json_end(&json);
	gw_call_print(call, &json);
}

static int rekey(struct gw_call *call)
{
	struct gk_group_info before, after;
	int status = gw_call_ready(call);

	if (!status)
		status = gw_call_find_group(call, &before);
	if (!status)
		status = gw_call_conclude(call, gk_kdc_rekey(call->daemon->kdc,
							     gk_span_str(call->words[0]),
							     gw_now(call->daemon)));
	if (!status)
		status = gw_call_find_group(call, &after);
	if (status)
		return status;
	if (after.num == before.num)
		return gw_call_fail(call, GW_REFUSED,
				    "%s: no new key could be made; the log says why",
				    call->words[0]);
	report_rekey(call, &after);
	return GW_DONE;
}

static void report_reload(struct gw_call *call, const char *text)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s\n", text);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "message", text);
	io_json_end(&json);
	gw_call_print(call, &json);
}

/* It needs the store for some changes only, and says itself what it could not store. */
static int reload(struct gw_call *call)
{
	char text[GW_RELOAD_TEXT];
	bool was_ready = gw_serve_ready(call->daemon);

	if (!gw_reload(call->daemon, text, sizeof(text)) ||
	    (was_ready && !gw_serve_ready(call->daemon)))
		return gw_call_fail(call, GW_REFUSED, "%s", text);
	report_reload(call, text);
	return GW_DONE;
}

/*
 * Requests
 */

static int (*const run[GW_CALLS])(struct gw_call *call) = {
	[GW_CALL_STATUS] = show_status,
	[GW_CALL_GROUPS] = show_groups,
	[GW_CALL_MEMBERS] = show_members,
	[GW_CALL_EVENTS] = show_events,
	[GW_CALL_REKEY] = rekey,
	[GW_CALL_EVICT] = gw_call_evict,
	[GW_CALL_UNBAN] = gw_call_unban,
	[GW_CALL_CLIENT_ADD] = gw_call_client_add,
	[GW_CALL_CLIENT_LIST] = gw_call_client_list,
	[GW_CALL_CLIENT_REVOKE] = gw_call_client_revoke,
	[GW_CALL_RELOAD] = reload,
};

/* One word, which ends with a NUL in the copy. @return false: it is not fit to be read */
static bool take_word(struct gw_call *call, const char *word)
{
	if (word[0] == '\0' || !io_utf8_printable(gk_span_str(word)))
		return false;
	if (strcmp(word, "--json") == 0) {
		call->json = true;
		return true;
	}
	if (call->count == GW_WORDS_MAX)
		return false;
	call->words[call->count++] = word;
	return true;
}

static bool split(struct gw_call *call, const char *text, size_t len)
{
	for (size_t at = 0; at <= len; at += strlen(text + at) + 1) {
		if (!take_word(call, text + at))
			return false;
	}
	return true;
}

static int dispatch(struct gw_call *call)
{
	size_t used = 0;
	enum gw_call_id id = gw_usage_find(call->words, call->count, &used);

	if (id == GW_CALLS) {
		gw_usage_print(call->out);
		return GW_USAGE;
	}
	call->count -= used;
	memmove(call->words, call->words + used, call->count * sizeof(call->words[0]));
	if (call->count < gw_usages[id].min || call->count > gw_usages[id].max)
		return gw_call_misused(call, id);
	return run[id](call);
}

int gw_calls_run(struct gw_call *call, struct gk_span request)
{
	char text[GW_REQUEST_MAX + 1];

	call->count = 0;
	call->json = call->follow = false;
	if (request.len > GW_REQUEST_MAX)
		return gw_call_fail(call, GW_USAGE, "a request has at most %d bytes",
				    GW_REQUEST_MAX);
	if (request.len > 0)
		memcpy(text, request.data, request.len);
	text[request.len] = '\0';
	if (!split(call, text, request.len))
		return gw_call_fail(call, GW_USAGE,
				    "a request is 1 to %d words of printable UTF-8, none empty",
				    GW_WORDS_MAX);
	return dispatch(call);
}
