// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/show.h"
#include "gatewayd/alarm.h"
#include "gatewayd/words.h"
#include "io/addr.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/*
 * Words
 */

static const char *const scheme_names[] = {
	[GK_POINT_TO_POINT] = "point-to-point",
	[GK_TREE] = "tree",
};

static const char *const delivery_names[] = {
	[GK_DELIVERY_CONFIRMED] = "confirmed", [GK_DELIVERY_UNICAST] = "unicast",
	[GK_DELIVERY_PARKED] = "parked",       [GK_DELIVERY_MULTICAST] = "multicast",
	[GK_DELIVERY_OBSERVE] = "observe",
};

static const struct {
	uint32_t bit;
	const char *name;
} roles[] = {
	{ GK_ROLE_REQUESTER, "requester" },
	{ GK_ROLE_RESPONDER, "responder" },
	{ GK_ROLE_MONITOR, "monitor" },
	{ GK_ROLE_VERIFIER, "verifier" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const mode_names[] = {
	[GK_MODE_GROUP] = "group",
	[GK_MODE_PAIRWISE] = "pairwise",
	[GK_MODE_BOTH] = "both",
};

static const char *alg_name(int sign_alg)
{
	return sign_alg == GK_ALG_EDDSA ? "EdDSA" : "ES256";
}

static const char *client_state(const struct gk_client_info *info)
{
	if (info->revoked)
		return "revoked";
	return info->known ? "known" : "issued";
}

const char *gw_show_time(struct gk_utc utc, char text[static GW_TIME_TEXT])
{
	static const int64_t end_of_9999 = INT64_C(253402300799);
	time_t seconds = (time_t)(utc.s > end_of_9999 ? end_of_9999 : utc.s < 0 ? 0 : utc.s);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, GW_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

static int64_t seconds_since(int64_t mono_ms, struct gk_mono now)
{
	return (now.ms - mono_ms) / 1000;
}

/*
 * JSON
 */

static void put_size(struct io_json *json, const char *key, size_t size)
{
	io_json_int(json, key, (int64_t)size);
}

static void put_rekeying(struct io_json *json, const struct gk_rekeying_info *info)
{
	io_json_object(json, "rekeying");
	io_json_int(json, "num", info->num);
	put_size(json, "members", info->members);
	put_size(json, "confirmed", info->confirmed);
	put_size(json, "unicast", info->unicast);
	put_size(json, "parked", info->parked);
	io_json_int(json, "bytes", (int64_t)info->bytes);
	io_json_int(json, "datagrams", (int64_t)info->datagrams);
	if (info->duration_ms < 0)
		io_json_text(json, "duration_ms", NULL);
	else
		io_json_int(json, "duration_ms", info->duration_ms);
	io_json_end(json);
}

/* A script that takes the last number of a name gets the group's, not that of its rekeying. */
void gw_show_group(struct io_json *json, const struct gk_group_info *info)
{
	io_json_object(json, NULL);
	io_json_span(json, "name", info->name);
	io_json_text(json, "scheme", scheme_names[info->scheme]);
	io_json_text(json, "mode", mode_names[info->mode]);
	io_json_text(json, "sign_alg", alg_name(info->sign_alg));
	io_json_bool(json, "active", info->active);
	put_rekeying(json, &info->rekeying);
	io_json_int(json, "confirmations_refused", (int64_t)info->confirmations_refused);
	io_json_int(json, "num", info->num);
	io_json_hex(json, "gid", gk_id_span(&info->gid));
	put_size(json, "members", info->members);
	put_size(json, "in_tree", info->in_tree);
	put_size(json, "confirmed", info->confirmed);
	put_size(json, "presumed", info->presumed);
	put_size(json, "unicast", info->unicast);
	put_size(json, "parked", info->parked);
	put_size(json, "present", info->present);
	put_size(json, "asleep", info->asleep);
	put_size(json, "suspect", info->suspect);
	put_size(json, "absent", info->absent);
	io_json_text(json, "blind", gw_word_of_blindness(info->blind));
	io_json_text(json, "alarm", gw_word_of_alarm(gw_alarm_of_group(info)));
	io_json_end(json);
}

static void put_roles(struct io_json *json, uint32_t bits)
{
	io_json_array(json, "roles");
	for (size_t i = 0; i < COUNT(roles); i++) {
		if (bits & roles[i].bit)
			io_json_text(json, NULL, roles[i].name);
	}
	io_json_end(json);
}

void gw_show_addresses(struct io_json *json, const struct gk_member_info *info)
{
	char address[IO_ADDR_TEXT];

	io_json_array(json, "addresses");
	for (size_t i = 0; i < info->address_count; i++)
		io_json_text(json, NULL, io_addr_format(&info->addresses[i], address));
	io_json_end(json);
}

static void put_membership(struct io_json *json, const struct gk_member_info *info,
			   struct gk_mono now)
{
	char address[IO_ADDR_TEXT];

	io_json_text(json, "delivery", delivery_names[info->delivery]);
	io_json_bool(json, "in_tree", info->in_tree);
	io_json_bool(json, "observes", info->observes);
	io_json_int(json, "num", info->num);
	io_json_text(json, "address", io_addr_format(&info->address, address));
	io_json_int(json, "last_seen_s", seconds_since(info->last_seen_ms, now));
	io_json_text(json, "last_sign", gw_word_of_fact(info->last_sign));
	io_json_int(json, "since_s", seconds_since(info->since_ms, now));
	io_json_text(json, "reason", gw_word_of_fact(info->reason));
	io_json_bool(json, "sleepy", info->sleepy);
	gw_show_addresses(json, info);
}

/* The same names for one who is no member, so that programs need not ask which there are. */
static void put_no_membership(struct io_json *json)
{
	io_json_text(json, "delivery", NULL);
	io_json_bool(json, "in_tree", false);
	io_json_bool(json, "observes", false);
	io_json_text(json, "num", NULL);
	io_json_text(json, "address", NULL);
	io_json_text(json, "last_seen_s", NULL);
	io_json_text(json, "last_sign", NULL);
	io_json_text(json, "since_s", NULL);
	io_json_text(json, "reason", NULL);
	io_json_bool(json, "sleepy", false);
	io_json_array(json, "addresses");
	io_json_end(json);
}

void gw_show_member(struct io_json *json, const struct gk_member_info *info, struct gk_mono now)
{
	io_json_object(json, NULL);
	io_json_span(json, "name", info->name);
	io_json_span(json, "node", info->node);
	io_json_hex(json, "sender_id", info->sender_id);
	put_roles(json, info->roles);
	io_json_text(json, "state", gw_word_of_presence(info->presence));
	if (info->presence == GK_BANNED)
		put_no_membership(json);
	else
		put_membership(json, info, now);
	io_json_end(json);
}

static void put_scope(struct io_json *json, struct gk_span scope)
{
	struct gk_scope entry;
	size_t at = 0;

	io_json_array(json, "groups");
	while (gk_scope_next(scope, &at, &entry)) {
		io_json_object(json, NULL);
		io_json_span(json, "group", entry.group);
		put_roles(json, entry.roles);
		io_json_end(json);
	}
	io_json_end(json);
}

void gw_show_client(struct io_json *json, const struct gk_client_info *info)
{
	char time[GW_TIME_TEXT];

	io_json_object(json, NULL);
	io_json_span(json, "name", info->name);
	io_json_hex(json, "id", gk_id_span(&info->id));
	if (info->scope.len > 0)
		put_scope(json, info->scope);
	else
		io_json_text(json, "groups", NULL);
	put_size(json, "member_of", info->groups);
	io_json_text(json, "expires", gw_show_time(info->exp, time));
	io_json_text(json, "state", client_state(info));
	io_json_end(json);
}

/*
 * Tables
 */

#define CELL_MAX   96
#define NUMBER_MAX 24

static void put_row(struct gw_table *table, const char *const *cells, size_t count)
{
	assert(count <= GW_TABLE_COLUMNS);
	for (size_t i = 0; i < count; i++) {
		const char *cell = cells[i][0] ? cells[i] : "-";
		size_t len = strlen(cell);
		if (!table->out && len > table->width[i])
			table->width[i] = len;
		else if (table->out && i + 1 < count)
			fprintf(table->out, "%-*s  ", (int)table->width[i], cell);
		else if (table->out)
			fprintf(table->out, "%s\n", cell);
	}
}

#define ROW(table, ...)                                                                            \
	put_row((table), (const char *const[]){ __VA_ARGS__ },                                     \
		COUNT(((const char *const[]){ __VA_ARGS__ })))

static void format_hex(struct gk_span bytes, char text[static CELL_MAX])
{
	text[0] = '\0';
	for (size_t i = 0; i < bytes.len && 2 * i + 3 <= CELL_MAX; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
}

/* A client's name may come from another AS's token. */
static void format_name(struct gk_span name, char text[static CELL_MAX])
{
	snprintf(text, CELL_MAX, "%.*s", (int)name.len, (const char *)name.data);
	if (!io_utf8_printable(name))
		snprintf(text, CELL_MAX, "(not printable)");
}

static void format_roles(uint32_t bits, char text[static CELL_MAX])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < COUNT(roles); i++) {
		if (bits & roles[i].bit)
			len += (size_t)snprintf(text + len, CELL_MAX - len, "%s%s", len ? "," : "",
						roles[i].name);
	}
}

static void format_numbers(const uint64_t *numbers, size_t count, char (*text)[NUMBER_MAX])
{
	for (size_t i = 0; i < count; i++)
		snprintf(text[i], NUMBER_MAX, "%" PRIu64, numbers[i]);
}

void gw_show_group_row(struct gw_table *table, const struct gk_group_info *info)
{
	char name[CELL_MAX], num[NUMBER_MAX], gid[CELL_MAX], count[6][NUMBER_MAX];

	if (!info) {
		ROW(table, "NAME", "ACTIVE", "NUM", "GID", "SCHEME", "MEMBERS", "IN-TREE",
		    "CONFIRMED", "PRESUMED", "UNICAST", "PARKED", "SIGN-ALG");
		return;
	}
	format_name(info->name, name);
	snprintf(num, sizeof(num), "%" PRId64, info->num);
	format_hex(gk_id_span(&info->gid), gid);
	format_numbers((const uint64_t[]){ info->members, info->in_tree, info->confirmed,
					   info->presumed, info->unicast, info->parked },
		       6, count);
	ROW(table, name, info->active ? "yes" : "no", num, gid, scheme_names[info->scheme],
	    count[0], count[1], count[2], count[3], count[4], count[5], alg_name(info->sign_alg));
}

void gw_show_rekeying_row(struct gw_table *table, const struct gk_group_info *info)
{
	char name[CELL_MAX], num[NUMBER_MAX], count[7][NUMBER_MAX], took[NUMBER_MAX];

	if (!info) {
		ROW(table, "REKEYING", "NUM", "MEMBERS", "CONFIRMED", "UNICAST", "PARKED", "BYTES",
		    "DATAGRAMS", "REFUSED", "TOOK");
		return;
	}
	const struct gk_rekeying_info *rekeying = &info->rekeying;
	format_name(info->name, name);
	snprintf(num, sizeof(num), "%" PRId64, rekeying->num);
	format_numbers((const uint64_t[]){ rekeying->members, rekeying->confirmed,
					   rekeying->unicast, rekeying->parked, rekeying->bytes,
					   rekeying->datagrams, info->confirmations_refused },
		       7, count);
	snprintf(took, sizeof(took), "%" PRId64 "ms", rekeying->duration_ms);
	ROW(table, name, num, count[0], count[1], count[2], count[3], count[4], count[5], count[6],
	    rekeying->duration_ms < 0 ? "under way" : took);
}

/* Who of them is there. */
void gw_show_presence_row(struct gw_table *table, const struct gk_group_info *info)
{
	char name[CELL_MAX], count[4][NUMBER_MAX];

	if (!info) {
		ROW(table, "PRESENCE", "PRESENT", "ASLEEP", "SUSPECT", "ABSENT", "BLIND", "ALARM");
		return;
	}
	format_name(info->name, name);
	format_numbers(
		(const uint64_t[]){ info->present, info->asleep, info->suspect, info->absent }, 4,
		count);
	ROW(table, name, count[0], count[1], count[2], count[3], gw_word_of_blindness(info->blind),
	    gw_word_of_alarm(gw_alarm_of_group(info)));
}

void gw_show_member_row(struct gw_table *table, const struct gk_member_info *info,
			struct gk_mono now)
{
	char name[CELL_MAX], node[CELL_MAX], sid[CELL_MAX], role[CELL_MAX], num[NUMBER_MAX];
	char address[IO_ADDR_TEXT], seen[NUMBER_MAX], since[NUMBER_MAX], state[CELL_MAX];

	if (!info) {
		ROW(table, "NAME", "NODE", "SID", "ROLES", "STATE", "SINCE", "REASON", "DELIVERY",
		    "IN-TREE", "NUM", "SEEN", "BY", "ADDRESS");
		return;
	}
	format_name(info->name, name);
	format_name(info->node, node);
	format_hex(info->sender_id, sid);
	format_roles(info->roles, role);
	if (info->presence == GK_BANNED) {
		ROW(table, name, node, sid, role, gw_word_of_presence(GK_BANNED), "-", "-", "-",
		    "-", "-", "-", "-", "-");
		return;
	}
	snprintf(num, sizeof(num), "%" PRId64, info->num);
	snprintf(seen, sizeof(seen), "%" PRId64 "s", seconds_since(info->last_seen_ms, now));
	snprintf(state, sizeof(state), "%s%s", gw_word_of_presence(info->presence),
		 info->sleepy ? ",sleepy" : "");
	snprintf(since, sizeof(since), "%" PRId64 "s", seconds_since(info->since_ms, now));
	ROW(table, name, node, sid, role, state, since, gw_word_of_fact(info->reason),
	    delivery_names[info->delivery], info->in_tree ? "yes" : "no", num, seen,
	    gw_word_of_fact(info->last_sign), io_addr_format(&info->address, address));
}

/* Adds to a cell that begins as "" and stays as it is when nothing more fits. */
static void add_to_cell(char *cell, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add_to_cell(char *cell, size_t size, const char *format, ...)
{
	size_t len = strlen(cell);
	va_list args;

	va_start(args, format);
	if (vsnprintf(cell + len, size - len, format, args) >= (int)(size - len))
		cell[len] = '\0';
	va_end(args);
}

/* Eight groups with the longest of names. */
#define SCOPE_CELL_MAX 1024

static void format_scope(struct gk_span scope, char text[static SCOPE_CELL_MAX])
{
	char group[CELL_MAX], role[CELL_MAX];
	struct gk_scope entry;
	size_t at = 0;

	text[0] = '\0';
	while (gk_scope_next(scope, &at, &entry)) {
		format_name(entry.group, group);
		format_roles(entry.roles, role);
		add_to_cell(text, SCOPE_CELL_MAX, "%s%s=%s", text[0] ? " " : "", group, role);
	}
}

void gw_show_client_row(struct gw_table *table, const struct gk_client_info *info)
{
	char name[CELL_MAX], id[CELL_MAX], member_of[NUMBER_MAX], time[GW_TIME_TEXT];
	char scope[SCOPE_CELL_MAX];

	if (!info) {
		ROW(table, "NAME", "ID", "STATE", "EXPIRES", "MEMBER-OF", "GROUPS");
		return;
	}
	format_name(info->name, name);
	format_hex(gk_id_span(&info->id), id);
	format_scope(info->scope, scope);
	snprintf(member_of, sizeof(member_of), "%zu", info->groups);
	ROW(table, name, id, client_state(info), gw_show_time(info->exp, time), member_of, scope);
}
