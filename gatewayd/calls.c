// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/calls.h"
#include "config.h"
#include "gatewayd/show.h"
#include "io/json.h"
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

/*
 * Answers
 */

static void print_json(struct gw_call *call, struct io_json *json)
{
	const char *text = io_json_finish(json);

	if (!text)
		fatal("daemon", "out of memory");
	fprintf(call->out, "%s\n", text);
	io_json_free(json);
}

/*
 * status
 */

struct status {
	size_t groups, members;
	int64_t uptime_s;
	int store_error;
};

static struct status gather_status(const struct gw_call *call)
{
	const struct gw_daemon *daemon = call->daemon;
	struct status status = {
		.uptime_s = (io_loop_now(daemon->loop).mono.ms - daemon->started.ms) / 1000,
		.store_error = gw_outbox_error(&daemon->outbox),
	};
	struct gk_group_info info;
	size_t at = 0;

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
	io_json_text(&json, "interface", daemon->conf->interface);
	io_json_text(&json, "listen", daemon->conf->listen);
	io_json_bool(&json, "listening", daemon->coap != NULL);
	io_json_int(&json, "groups", (int64_t)status->groups);
	io_json_int(&json, "members", (int64_t)status->members);
	io_json_bool(&json, "blind", daemon->segment.blind);
	io_json_bool(&json, "store_ok", status->store_error == 0);
	io_json_end(&json);
	print_json(call, &json);
}

static int show_status(struct gw_call *call)
{
	const struct gw_daemon *daemon = call->daemon;
	struct status status = gather_status(call);

	if (call->json) {
		print_status_json(call, &status);
		return GW_DONE;
	}
	fprintf(call->out,
		"version    %s\npid        %d\nuptime     %" PRId64 " s\n"
		"interface  %s (%s)\nlisten     %s%s\ngroups     %zu\nmembers    %zu\nstore      "
		"%s\n",
		GK_VERSION, (int)getpid(), status.uptime_s, daemon->conf->interface,
		daemon->segment.blind ? "down" : "up", daemon->conf->listen,
		daemon->coap ? "" : " (not there yet)", status.groups, status.members,
		status.store_error ? strerror(-status.store_error) : "ok");
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
	print_json(call, &json);
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

static bool find_group(const struct gw_call *call, const char *name, struct gk_group_info *info)
{
	size_t at = 0;

	while (gk_kdc_group_next(call->daemon->kdc, &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(name)))
			return true;
	}
	return false;
}

static struct gk_mono now_of(const struct gw_call *call)
{
	return io_loop_now(call->daemon->loop).mono;
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
	print_json(call, &json);
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

	if (!find_group(call, call->words[0], &group))
		return gw_call_fail(call, GW_REFUSED, "%s: no such group", call->words[0]);
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
 * rekey, evict
 */

/* What changes something is reported only when it is on stable storage. */
static int settle(struct gw_call *call)
{
	if (gw_serve_settle(call->daemon))
		return GW_DONE;
	return gw_call_fail(call, GW_REFUSED,
			    "the store cannot be written (%s): not done yet, and lost if the "
			    "daemon ends before it can",
			    strerror(-gw_outbox_error(&call->daemon->outbox)));
}

static bool is_ready(struct gw_call *call, int *status)
{
	if (gw_serve_ready(call->daemon))
		return true;
	*status = gw_call_fail(call, GW_REFUSED, "the store cannot be written: %s",
			       strerror(-gw_outbox_error(&call->daemon->outbox)));
	return false;
}

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
	print_json(call, &json);
}

static int rekey(struct gw_call *call)
{
	struct gk_group_info before, after;
	int status;

	if (!is_ready(call, &status))
		return status;
	if (!find_group(call, call->words[0], &before))
		return gw_call_fail(call, GW_REFUSED, "%s: no such group", call->words[0]);
	gw_serve_check(gk_kdc_rekey(call->daemon->kdc, gk_span_str(call->words[0]),
				    io_loop_now(call->daemon->loop)));
	status = settle(call);
	if (status)
		return status;
	if (!find_group(call, call->words[0], &after) || after.num == before.num)
		return gw_call_fail(call, GW_REFUSED,
				    "%s: no new key could be made; the log says why",
				    call->words[0]);
	report_rekey(call, &after);
	return GW_DONE;
}

static void report_evict(struct gw_call *call)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s: %s is removed, the others get a new key\n", call->words[0],
			call->words[1]);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "group", call->words[0]);
	io_json_text(&json, "node", call->words[1]);
	io_json_end(&json);
	print_json(call, &json);
}

static int evict(struct gw_call *call)
{
	struct gk_group_info group;
	enum gk_err err;
	int status;

	if (!is_ready(call, &status))
		return status;
	if (!find_group(call, call->words[0], &group))
		return gw_call_fail(call, GW_REFUSED, "%s: no such group", call->words[0]);
	err = gk_kdc_evict(call->daemon->kdc, gk_span_str(call->words[0]),
			   gk_span_str(call->words[1]), io_loop_now(call->daemon->loop));
	if (err == GK_ERR_UNKNOWN)
		return gw_call_fail(call, GW_REFUSED, "%s: no member %s", call->words[0],
				    call->words[1]);
	gw_serve_check(err);
	status = settle(call);
	if (!status)
		report_evict(call);
	return status;
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
	[GW_CALL_EVICT] = evict,
	[GW_CALL_CLIENT_ADD] = gw_call_client_add,
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
		return gw_call_fail(call, GW_USAGE, "usage: gatewayctl %s %s", gw_usages[id].name,
				    gw_usages[id].arguments);
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
