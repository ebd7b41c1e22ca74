// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/metrics.h"
#include "config.h"
#include "gatewayd/alarm.h"
#include "gatewayd/daemon.h"
#include "gatewayd/words.h"
#include "libgroupkey/buf.h"
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GAUGE(n, text)   .family = { .name = "gatewayd_" n, .help = text }
#define GAUGES(n, text)  .family = { .name = "gatewayd_" n, .help = text, .labelled = true }
#define COUNTER(n, text) .family = { .name = "gatewayd_" n "_total", .help = text, .counter = true }
#define COUNTERS(n, text)                                                                          \
	.family = {                                                                                \
		.name = "gatewayd_" n "_total", .help = text, .counter = true, .labelled = true    \
	}

static void put_plain(struct gw_exposition *exposition, int64_t value)
{
	gw_exposition_add(exposition, NULL, 0, value);
}

static void put_labelled(struct gw_exposition *exposition, const char *name, const char *label,
			 int64_t value)
{
	const struct gw_label labels[] = { { name, gk_span_str(label) } };

	gw_exposition_add(exposition, labels, COUNT(labels), value);
}

/* A counter that is a field of a struct. */
struct count {
	struct gw_family family;
	size_t at;
};

static int64_t count_at(const void *counts, const struct count *count)
{
	return (int64_t) * (const uint64_t *)((const char *)counts + count->at);
}

/*
 * The daemon
 */

static void put_build(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	(void)daemon;
	put_labelled(exposition, "version", GK_VERSION, 1);
}

static void put_uptime(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	put_plain(exposition, gw_now(daemon).mono.ms - daemon->started.ms);
}

static void put_listening(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	put_plain(exposition, daemon->coap != NULL);
}

static void put_store_ok(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	put_plain(exposition, gw_serve_ready(daemon));
}

static void put_storage(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	for (int level = GK_STORAGE_GOOD; level <= GK_STORAGE_NONE; level++)
		put_labelled(exposition, "level", gw_word_of_storage((enum gk_storage)level),
			     (int)daemon->storage == level);
}

static void put_written(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	put_plain(exposition, (int64_t)gw_store_written(daemon->store));
}

static void put_clients(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	static const char *const states[] = { "issued", "known", "revoked" };
	int64_t counts[COUNT(states)] = { 0 };
	struct gk_client_info info;
	size_t at = 0;

	while (gk_kdc_client_next(daemon->kdc, &at, &info))
		counts[info.revoked ? 2 : info.known]++;
	for (size_t i = 0; i < COUNT(states); i++)
		put_labelled(exposition, "state", states[i], counts[i]);
}

static void put_events(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	for (int kind = 0; kind < GW_NOTE_KINDS; kind++) {
		const char *event = gw_notes_event((enum gk_note_kind)kind);
		if (event)
			put_labelled(exposition, "event", event,
				     (int64_t)daemon->notes.counts[kind]);
	}
}

static void put_blind(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	for (int why = GK_BLIND_LINK_GONE; why < GK_BLIND_MASS_LOSS; why++)
		put_labelled(exposition, "reason", gw_word_of_blindness((enum gk_blindness)why),
			     (int)daemon->segment.blind == why);
}

static void put_alarms(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	int64_t counts[GW_ALARMS] = { 0 };
	struct gw_alarm alarm;
	size_t at = 0;

	while (gw_alarm_next(daemon, &at, &alarm))
		counts[alarm.kind]++;
	for (int kind = 0; kind < GW_ALARMS; kind++)
		put_labelled(exposition, "alarm", gw_word_of_alarm((enum gw_alarm_kind)kind),
			     counts[kind]);
}

static void put_groups(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	struct gk_group_info info;
	int64_t count = 0;
	size_t at = 0;

	while (gk_kdc_group_next(daemon->kdc, &at, &info))
		count++;
	put_plain(exposition, count);
}

static const struct {
	struct gw_family family;
	void (*put)(struct gw_exposition *exposition, const struct gw_daemon *daemon);
} figures[] = {
	{ GAUGES("build_info", "Which gatewayd this is; always 1."), put_build },
	{ .family = { .name = "gatewayd_uptime_seconds",
		      .help = "Time since the start.",
		      .thousandths = true },
	  put_uptime },
	{ GAUGE("listening", "1 if the address that is listened at is there."), put_listening },
	{ GAUGE("store_ok", "1 if the last commit to the store succeeded."), put_store_ok },
	{ GAUGES("storage", "How much the store can take: 1 at the present level."), put_storage },
	{ COUNTER("store_written_bytes", "Bytes written to the store."), put_written },
	{ GAUGES("clients", "Clients by what became of their token."), put_clients },
	{ COUNTERS("events", "Events, also those that were too many to be told."), put_events },
	{ GAUGES("link_blind", "1 at the reason why nobody on the link is judged."), put_blind },
	{ GAUGES("alarms", "What an operator should look at, as status tells it."), put_alarms },
	{ GAUGE("groups", "Groups that are served."), put_groups },
};

static void put_daemon(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	for (size_t i = 0; i < COUNT(figures); i++) {
		gw_exposition_begin(exposition, &figures[i].family);
		figures[i].put(exposition, daemon);
		gw_exposition_end(exposition);
	}
}

/*
 * Groups
 */

static void put_of_group(struct gw_exposition *exposition, const struct gk_group_info *info,
			 int64_t value)
{
	const struct gw_label labels[] = { { "group", info->name } };

	gw_exposition_add(exposition, labels, COUNT(labels), value);
}

static void put_by(struct gw_exposition *exposition, const struct gk_group_info *info,
		   const char *name, const char *label, size_t value)
{
	const struct gw_label labels[] = { { "group", info->name }, { name, gk_span_str(label) } };

	gw_exposition_add(exposition, labels, COUNT(labels), (int64_t)value);
}

static void put_active(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_of_group(exposition, info, info->active);
}

static void put_num(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_of_group(exposition, info, info->num);
}

static void put_states(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_by(exposition, info, "state", "present", info->present);
	put_by(exposition, info, "state", "asleep", info->asleep);
	put_by(exposition, info, "state", "suspect", info->suspect);
	put_by(exposition, info, "state", "absent", info->absent);
}

static void put_deliveries(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_by(exposition, info, "delivery", "confirmed", info->confirmed);
	put_by(exposition, info, "delivery", "presumed", info->presumed);
	put_by(exposition, info, "delivery", "unicast", info->unicast);
	put_by(exposition, info, "delivery", "parked", info->parked);
}

static void put_in_tree(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_of_group(exposition, info, (int64_t)info->in_tree);
}

static void put_group_blind(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_by(exposition, info, "reason", gw_word_of_blindness(GK_BLIND_MASS_LOSS),
	       info->blind == GK_BLIND_MASS_LOSS);
}

static void put_under_way(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	put_of_group(exposition, info, info->rekeying.duration_ms < 0);
}

static void put_duration(struct gw_exposition *exposition, const struct gk_group_info *info)
{
	if (info->rekeying.duration_ms >= 0)
		put_of_group(exposition, info, info->rekeying.duration_ms);
}

static const struct {
	struct gw_family family;
	void (*put)(struct gw_exposition *exposition, const struct gk_group_info *info);
} group_figures[] = {
	{ GAUGES("group_active", "1 if a group is active."), put_active },
	{ GAUGES("group_num", "Version of a group's key material."), put_num },
	{ GAUGES("group_blind", "1 if too many members of a group were lost at once."),
	  put_group_blind },
	{ GAUGES("members", "Members by state."), put_states },
	{ GAUGES("member_deliveries", "Members by how far they are with the newest material."),
	  put_deliveries },
	{ GAUGES("members_in_tree", "Members that rekeying messages to the group are for."),
	  put_in_tree },
	{ GAUGES("rekeying_under_way", "1 while the newest rekeying waits for members."),
	  put_under_way },
	{ .family = { .name = "gatewayd_rekeying_duration_seconds",
		      .help = "Time that the newest rekeying took; missing while it is under way.",
		      .labelled = true,
		      .thousandths = true },
	  put_duration },
};

static const struct count group_counts[] = {
	{ COUNTERS("rekeyings", "Versions of the key material that were made."),
	  offsetof(struct gk_group_info, totals.count) },
	{ COUNTERS("rekeying_bytes", "Bytes of CoAP sent for rekeying."),
	  offsetof(struct gk_group_info, totals.bytes) },
	{ COUNTERS("rekeying_datagrams", "Datagrams sent for rekeying."),
	  offsetof(struct gk_group_info, totals.datagrams) },
	{ COUNTERS("confirmations_refused", "Confirmations that were forged or damaged."),
	  offsetof(struct gk_group_info, confirmations_refused) },
};

static void put_each_group(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	struct gk_group_info info;

	for (size_t i = 0; i < COUNT(group_figures); i++) {
		gw_exposition_begin(exposition, &group_figures[i].family);
		for (size_t at = 0; gk_kdc_group_next(daemon->kdc, &at, &info);)
			group_figures[i].put(exposition, &info);
		gw_exposition_end(exposition);
	}
	for (size_t i = 0; i < COUNT(group_counts); i++) {
		gw_exposition_begin(exposition, &group_counts[i].family);
		for (size_t at = 0; gk_kdc_group_next(daemon->kdc, &at, &info);)
			put_of_group(exposition, &info, count_at(&info, &group_counts[i]));
		gw_exposition_end(exposition);
	}
}

/*
 * Who is there, and what the kernel said
 */

#define PRESENCE(field) offsetof(struct gk_presence_counts, field)

static const struct count presence_counts[] = {
	{ COUNTER("kernel_probes", "Times that the kernel was asked about a silent member."),
	  PRESENCE(kernel_probes) },
	{ COUNTER("checks", "Messages that asked members that were not suspect."),
	  PRESENCE(checks) },
	{ COUNTER("probes", "Messages that asked suspect members."), PRESENCE(probes) },
	{ COUNTER("multicast_probes", "Checks and probes that went by multicast."),
	  PRESENCE(multicast_probes) },
	{ COUNTER("probes_unanswered", "Checks and probes without an answer in time."),
	  PRESENCE(unanswered) },
	{ COUNTER("members_suspected", "Times that a member became suspect."),
	  PRESENCE(suspected) },
	{ COUNTER("members_absent", "Times that a member became absent."), PRESENCE(absent) },
	{ COUNTER("members_evicted", "Members removed for their silence."), PRESENCE(evicted) },
	{ COUNTER("members_returned", "Times that a suspect or absent member was heard of again."),
	  PRESENCE(returned) },
	{ COUNTER("mass_losses", "Times that a group became blind by mass loss."),
	  PRESENCE(mass_losses) },
};

#define NETLINK(field) offsetof(struct reach_counts, field)

/* They begin anew when the socket had to be opened again, as counters may. */
static const struct count netlink_counts[] = {
	{ COUNTER("netlink_notices", "Datagrams read from the kernel."), NETLINK(notices) },
	{ COUNTER("netlink_lost", "Times that the kernel had to drop notices."), NETLINK(lost) },
	{ COUNTER("netlink_malformed", "Messages from the kernel that made no sense."),
	  NETLINK(malformed) },
	{ COUNTER("netlink_comparisons", "Full dumps compared with what was known."),
	  NETLINK(comparisons) },
	{ GAUGE("netlink_untracked", "Entries that there was no room for."), NETLINK(untracked) },
};

static void put_counts(struct gw_exposition *exposition, const struct count *counts, size_t count,
		       const void *values)
{
	for (size_t i = 0; i < count; i++) {
		gw_exposition_begin(exposition, &counts[i].family);
		put_plain(exposition, count_at(values, &counts[i]));
		gw_exposition_end(exposition);
	}
}

void gw_metrics_put(struct gw_exposition *exposition, const struct gw_daemon *daemon)
{
	struct reach_counts netlink = gw_segment_counts(&daemon->segment);
	struct gk_presence_counts presence;

	gk_kdc_presence_counts(daemon->kdc, &presence);
	put_daemon(exposition, daemon);
	put_each_group(exposition, daemon);
	put_counts(exposition, presence_counts, COUNT(presence_counts), &presence);
	put_counts(exposition, netlink_counts, COUNT(netlink_counts), &netlink);
}
