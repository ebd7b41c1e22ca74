// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/calls.h"
#include "gatewayd/show.h"
#include "libgroupkey/buf.h"
#include <string.h>

/*
 * evict, unban
 */

static void report_node(struct gw_call *call, bool banned, const char *what)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s: %s %s\n", call->words[0], call->words[1], what);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "group", call->words[0]);
	io_json_text(&json, "node", call->words[1]);
	io_json_bool(&json, "banned", banned);
	io_json_end(&json);
	gw_call_print(call, &json);
}

/* Take an option out of the words, wherever it stands. @return true if it is there */
static bool take_option(struct gw_call *call, const char *option)
{
	for (size_t i = 0; i < call->count; i++) {
		if (strcmp(call->words[i], option) != 0)
			continue;
		call->count--;
		memmove(call->words + i, call->words + i + 1,
			(call->count - i) * sizeof(call->words[0]));
		return true;
	}
	return false;
}

static enum gk_err evict_or_ban(struct gw_call *call, bool ban)
{
	struct gk_span group = gk_span_str(call->words[0]), node = gk_span_str(call->words[1]);
	struct gk_kdc *kdc = call->daemon->kdc;

	return ban ? gk_kdc_ban(kdc, group, node, gw_now(call->daemon))
		   : gk_kdc_evict(kdc, group, node, gw_now(call->daemon));
}

static int judge_evict(struct gw_call *call, enum gk_err err, bool ban)
{
	if (err == GK_ERR_UNKNOWN)
		return gw_call_fail(call, GW_REFUSED, "%s: no member %s%s", call->words[0],
				    ban ? "or client " : "", call->words[1]);
	if (err == GK_ERR_STATE)
		return gw_call_fail(call, GW_REFUSED, "%s: %s is banned already", call->words[0],
				    call->words[1]);
	return gw_call_conclude(call, err);
}

int gw_call_evict(struct gw_call *call)
{
	bool ban = take_option(call, "--ban");
	struct gk_group_info group;
	int status;

	if (call->count != 2)
		return gw_call_misused(call, GW_CALL_EVICT);
	status = gw_call_ready(call);
	if (!status)
		status = gw_call_find_group(call, &group);
	if (!status)
		status = judge_evict(call, evict_or_ban(call, ban), ban);
	if (!status)
		report_node(call, ban,
			    ban ? "is banned; if it was a member, the others get a new key"
				: "is removed, the others get a new key");
	return status;
}

/* The group may be gone. */
int gw_call_unban(struct gw_call *call)
{
	int status = gw_call_ready(call);
	enum gk_err err;

	if (status)
		return status;
	err = gk_kdc_unban(call->daemon->kdc, gk_span_str(call->words[0]),
			   gk_span_str(call->words[1]), gw_now(call->daemon));
	if (err == GK_ERR_UNKNOWN)
		return gw_call_fail(call, GW_REFUSED, "%s: %s is not banned", call->words[0],
				    call->words[1]);
	status = gw_call_conclude(call, err);
	if (!status)
		report_node(call, false, "may join again");
	return status;
}

/*
 * confirm
 */

static void report_loss(struct gw_call *call, size_t removed)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s: %zu removed, the others get a new key\n", call->words[0],
			removed);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "group", call->words[0]);
	io_json_int(&json, "removed", (int64_t)removed);
	io_json_end(&json);
	gw_call_print(call, &json);
}

int gw_call_confirm(struct gw_call *call)
{
	struct gk_group_info before, after;
	int status = gw_call_ready(call);
	enum gk_err err;

	if (!status)
		status = gw_call_find_group(call, &before);
	if (status)
		return status;
	err = gk_kdc_confirm_loss(call->daemon->kdc, gk_span_str(call->words[0]),
				  gw_now(call->daemon));
	if (err == GK_ERR_STATE)
		return gw_call_fail(call, GW_REFUSED,
				    "%s: no mass loss is to be confirmed; to remove a member, "
				    "evict it",
				    call->words[0]);
	status = gw_call_conclude(call, err);
	if (!status)
		status = gw_call_find_group(call, &after);
	if (!status)
		report_loss(call, before.members - after.members);
	return status;
}

/*
 * client list
 */

/* Who was given a token, and let it end unused, is no client. One that was used ends with its
 * association. */
static bool next_client(const struct gw_call *call, size_t *at, struct gk_client_info *info)
{
	int64_t now_s = gw_now(call->daemon).utc.s;

	while (gk_kdc_client_next(call->daemon->kdc, at, info)) {
		if (info->known || info->revoked || info->exp.s > now_s)
			return true;
	}
	return false;
}

static int print_clients_json(struct gw_call *call)
{
	struct gk_client_info info;
	struct io_json json;
	size_t at = 0;

	io_json_init(&json);
	io_json_array(&json, NULL);
	while (next_client(call, &at, &info))
		gw_show_client(&json, &info);
	io_json_end(&json);
	gw_call_print(call, &json);
	return GW_DONE;
}

static void put_clients(struct gw_call *call, struct gw_table *table)
{
	struct gk_client_info info;
	size_t at = 0;

	gw_show_client_row(table, NULL);
	while (next_client(call, &at, &info))
		gw_show_client_row(table, &info);
}

int gw_call_client_list(struct gw_call *call)
{
	struct gw_table table = { .out = NULL };

	if (call->json)
		return print_clients_json(call);
	put_clients(call, &table);
	table.out = call->out;
	put_clients(call, &table);
	return GW_DONE;
}

/*
 * client revoke
 */

static void report_revoke(struct gw_call *call)
{
	struct io_json json;

	if (!call->json) {
		fprintf(call->out, "%s: its tokens are refused from now on\n", call->words[0]);
		return;
	}
	io_json_init(&json);
	io_json_object(&json, NULL);
	io_json_text(&json, "name", call->words[0]);
	io_json_end(&json);
	gw_call_print(call, &json);
}

int gw_call_client_revoke(struct gw_call *call)
{
	int status = gw_call_ready(call);
	enum gk_err err;

	if (status)
		return status;
	err = gk_kdc_revoke(call->daemon->kdc, gk_span_str(call->words[0]), gw_now(call->daemon));
	if (err == GK_ERR_UNKNOWN)
		return gw_call_fail(call, GW_REFUSED, "%s: no client with a token that is valid",
				    call->words[0]);
	status = gw_call_conclude(call, err);
	if (!status)
		report_revoke(call);
	return status;
}
