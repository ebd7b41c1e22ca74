// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "config.h"
#include "gatewayd/alarm.h"
#include "gatewayd/calls.h"
#include "gatewayd/show.h"
#include "gatewayd/words.h"
#include <inttypes.h>
#include <unistd.h>

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
	const struct gw_daemon *daemon = call->daemon;
	struct status status = {
		.uptime_s = (gw_now(daemon).mono.ms - daemon->started.ms) / 1000,
		.store_error = gw_outbox_error(&daemon->outbox),
		.written = gw_store_written(daemon->store),
		.storage = gw_word_of_storage(daemon->storage),
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

static void put_alarms(struct io_json *json, const struct gw_daemon *daemon)
{
	struct gw_alarm alarm;
	size_t at = 0;

	io_json_array(json, "alarms");
	while (gw_alarm_next(daemon, &at, &alarm))
		gw_alarm_json(json, &alarm);
	io_json_end(json);
}

static void print_status_json(struct gw_call *call, const struct status *status)
{
	const struct gw_daemon *daemon = call->daemon;
	struct io_json json;

	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "version", GK_VERSION);
	io_json_int(&json, "pid", getpid());
	io_json_text(&json, "user", daemon->rights.user);
	io_json_bool(&json, "net_admin", daemon->rights.net_admin);
	io_json_text(&json, "seccomp", gw_seccomp_name(daemon->rights.filter));
	io_json_int(&json, "uptime_s", status->uptime_s);
	io_json_text(&json, "interface", daemon->conf.interface);
	io_json_text(&json, "listen", daemon->conf.listen);
	io_json_bool(&json, "listening", daemon->coap != NULL);
	io_json_int(&json, "groups", (int64_t)status->groups);
	io_json_int(&json, "members", (int64_t)status->members);
	io_json_text(&json, "blind", gw_word_of_blindness(daemon->segment.blind));
	put_alarms(&json, daemon);
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

static void print_alarms(struct gw_call *call)
{
	struct gw_alarm alarm;
	size_t at = 0;

	while (gw_alarm_next(call->daemon, &at, &alarm)) {
		fputs("alarm      ", call->out);
		gw_alarm_print(call->out, &alarm);
		fputc('\n', call->out);
	}
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

static void print_rights(struct gw_call *call)
{
	const struct gw_rights *rights = &call->daemon->rights;

	fprintf(call->out, "user       %s (%s, seccomp %s)\n", rights->user,
		rights->net_admin ? "CAP_NET_ADMIN" : "no capability",
		gw_seccomp_name(rights->filter));
}

static void print_status(struct gw_call *call, const struct status *status)
{
	const struct gw_daemon *daemon = call->daemon;
	const char *why = gw_call_store_reason(call);
	enum gk_blindness blind = daemon->segment.blind;

	fprintf(call->out,
		"version    %s\npid        %d\nuptime     %" PRId64 " s\n"
		"interface  %s (%s)\nlisten     %s%s\ngroups     %zu\nmembers    %zu\nstore      "
		"%s%s%s\nwritten    %" PRIu64 " bytes\n",
		GK_VERSION, (int)getpid(), status->uptime_s, daemon->conf.interface,
		blind ? gk_blindness_str(blind) : "up", daemon->conf.listen,
		daemon->coap ? "" : " (not there yet)", status->groups, status->members,
		status->store_error ? "refuses" : status->storage, *why ? ": " : "", why,
		status->written);
	print_rights(call);
	print_clock(call, status);
	print_alarms(call);
}

int gw_call_status(struct gw_call *call)
{
	struct status status = gather_status(call);

	if (call->json)
		print_status_json(call, &status);
	else
		print_status(call, &status);
	return GW_DONE;
}
