// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/calls.h"
#include "gatewayd/metrics.h"
#include "gatewayd/reload.h"
#include "gatewayd/show.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

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

const char *gw_call_store_reason(const struct gw_call *call)
{
	if (!gw_serve_ready(call->daemon))
		return store_error(call);
	return call->daemon->storage == GK_STORAGE_GOOD ? "" : no_space_reason(call);
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
	fputc('\n', call->out);
	print_groups(call, gw_show_presence_row);
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

/* One by one: ten thousand are not to be in memory twice. */
static void print_member_json(struct gw_call *call, bool comma, const struct gk_member_info *info)
{
	struct io_json json;
	const char *text;

	io_json_init(&json);
	gw_show_member(&json, info, now_of(call));
	text = io_json_finish(&json);
	if (!text)
		fatal("daemon", "out of memory");
	fprintf(call->out, "%s%s", comma ? "," : "", text);
	io_json_free(&json);
}

static int print_members_json(struct gw_call *call)
{
	struct gk_member_info info;
	size_t at = 0;

	fputc('[', call->out);
	while (gk_kdc_member_next(call->daemon->kdc, gk_span_str(call->words[0]), &at, &info))
		print_member_json(call, at > 1, &info);
	fputs("]\n", call->out);
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
 * metrics
 */

static int show_metrics(struct gw_call *call)
{
	struct gw_exposition exposition = { .out = call->out };
	struct io_json json;

	if (!call->json) {
		gw_metrics_put(&exposition, call->daemon);
		return GW_DONE;
	}
	exposition.json = &json;
	io_json_init(&json);
	io_json_object(&json, NULL);
	gw_metrics_put(&exposition, call->daemon);
	io_json_end(&json);
	gw_call_print(call, &json);
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
	[GW_CALL_STATUS] = gw_call_status,
	[GW_CALL_GROUPS] = show_groups,
	[GW_CALL_MEMBERS] = show_members,
	[GW_CALL_WHY] = gw_call_why,
	[GW_CALL_EVENTS] = show_events,
	[GW_CALL_METRICS] = show_metrics,
	[GW_CALL_REKEY] = rekey,
	[GW_CALL_EVICT] = gw_call_evict,
	[GW_CALL_UNBAN] = gw_call_unban,
	[GW_CALL_CONFIRM] = gw_call_confirm,
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
