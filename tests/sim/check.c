// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What must hold. The world keeps its own account of who is a member, from the KDC's notes; the
 * KDC's lists and the members' own words are compared with it each minute.
 *
 * A minute of a group is quiet if for SETTLE_S nothing happened to it (nobody joined, left, was
 * evicted; no rekeying, no restart, no loss of the gateway's link), and nobody in reach is still
 * catching up: who came back or started, or to whom the KDC gave up a delivery for bad luck. Those
 * have catch_up_ms(); all others have to have the newest material at the end of each quiet minute.
 *
 * Where nobody confirms ('implicit' and 'none', or 'auto' in a world of many), the KDC does not
 * know who missed all copies of a message to the group, and says so: it presumes. Such a member may
 * be behind in quiet minutes too, for catch_up_ms(), as long as the KDC does not say that it has
 * the newest material.
 *
 * Observers are told by notifications, and have to have the newest material as all others, while
 * the KDC has their registration and they are not just asking. Where it has lost that, by a restart
 * or a Reset, they may be behind in quiet minutes; but for no longer than observer_ms(): they
 * register again at the end of Max-Age, and at once when the KDC has answered them since its start.
 */
#include "tests/sim/sim.h"

#include "libgroupkey/budget.h"

#include <stdlib.h>
#include <string.h>

#define SPEECH_EVERY 60 /* quiet minutes */
/* Minutes until every reader has fetched the speaker's credential; and more if all fetch those of
 * all, of which the KDC serves so much at once: for each batch that waits for others. */
#define ROUNDS_MAX    15
#define ROUNDS_BATCH  3
#define AT_ONCE_BYTES (2 << 20)
#define CRED_LEN      105
#define OLD_SPEAKERS  3
#define REQUESTER     2u
#define RESPONDER     4u
#define READERS       12u /* responders and monitors */

/* Bytes of CoAP messages, for bounds: material for one member, with a path of 10 levels; a beacon;
 * what a member says to the former. */
#define MATERIAL_LEN   600
#define BEACON_LEN     160
#define ANSWER_LEN     40
#define AUTO_ALL       64   /* members up to which 'auto' is 'all' */
#define ASKING_PAUSE_S 96   /* the longest pause of a member between two tries */
#define SURELY         1e-9 /* so improbable that it does not happen */

/* what the world expects */

void disturb(struct world *w, int group)
{
	w->groups[group].disturbed_ms = w->now.mono.ms;
}

void disturb_all(struct world *w)
{
	for (int g = 0; g < SIM_GROUPS; g++)
		disturb(w, g);
}

void expect_catch_up(struct world *w, struct node *node)
{
	for (int g = 0; g < SIM_GROUPS; g++) {
		node->place[g].catching_up = node->place[g].exists;
		if (node->place[g].exists)
			disturb(w, g);
	}
}

/* notes of the KDC */

struct news {
	const struct gk_note *note;
	struct node *node;
	struct place *place;
	struct group *group;
	int g;
	bool carried_out;
};

static void on_token(struct world *w, const struct news *n)
{
	if (n->carried_out || w->stored_client == n->node)
		n->node->epoch++;
	w->stored_client = NULL;
}

static void on_joined(struct world *w, const struct news *n)
{
	if (!n->carried_out) {
		n->place->join_dropped = true;
		return;
	}
	w->tally[JOINS]++;
	if (n->place->member)
		broken(w, RULE_NOTES, n->node->index, "a member joins");
	n->place->member = true;
	n->place->out_num = NOBODY;
	disturb(w, n->g);
}

static void on_rejoined(struct world *w, const struct news *n)
{
	if (!n->carried_out)
		return;
	w->tally[JOINS_AGAIN]++;
	if (!n->place->member)
		broken(w, RULE_NOTES, n->node->index, "joins again, and was no member");
	disturb(w, n->g);
}

static void depart(struct world *w, const struct news *n)
{
	if (!n->place->member)
		broken(w, RULE_NOTES, n->node->index, "is gone, and was no member");
	n->place->member = false;
	n->place->out_num = n->group->num + 1;
	n->place->catching_up = true; /* if it is in reach: it may want to come back */
	disturb(w, n->g);
}

static void on_left(struct world *w, const struct news *n)
{
	if (!n->carried_out) {
		n->place->gone_dropped = true;
		return;
	}
	w->tally[LEAVES]++;
	if (n->place->wanted)
		broken(w, RULE_CAUSE, n->node->index, "left without wanting to");
	depart(w, n);
}

/* All probes were unanswered, and grace was over. What they began with may have been a silent
 * interval, or the kernel's word, or that others were lost. That probes get lost one after the
 * other while it is in reach may happen. */
static bool was_absent(struct world *w, const struct node *node)
{
	int64_t silent_ms = w->now.mono.ms - node->heard_ms;

	w->tally[ABSENCES]++;
	w->tally[UNLUCKY] +=
		node_in_reach(w, node) && w->now.mono.ms - node->reach_ms > 1000 * ROUND_S;
	return silent_ms >= 1000 * ROUND_S;
}

static bool has_cause(struct world *w, const struct news *n)
{
	const char *reason = n->note->reason ? n->note->reason : "";

	if (strcmp(reason, "absent") == 0)
		return was_absent(w, n->node);
	if (strcmp(reason, "token expired") == 0) {
		w->tally[EXPIRIES]++;
		return n->node->bundle.exp.s <= w->now.utc.s;
	}
	w->tally[EVICTIONS]++;
	return strcmp(reason, "operator") == 0 && n->place->evicting;
}

static void on_evicted(struct world *w, const struct news *n)
{
	if (!n->carried_out) {
		n->place->gone_dropped = true;
		return;
	}
	if (!has_cause(w, n))
		broken(w, RULE_CAUSE, n->node->index, "evicted (%s), last heard %lld ms ago",
		       n->note->reason, (long long)(w->now.mono.ms - n->node->heard_ms));
	depart(w, n);
}

static void on_parked(struct world *w, const struct news *n)
{
	if (!n->carried_out)
		return;
	w->tally[PARKED]++;
	if (node_in_reach(w, n->node))
		n->place->catching_up = true;
}

/* What was delivered by multicast is known by what the member says, authenticated; that may be an
 * old copy, so that it has even newer material. */
static void on_delivered(struct world *w, const struct news *n)
{
	if (n->place->num_seen < n->note->num && n->note->via == GK_VIA_MULTICAST)
		broken(w, RULE_LEDGER, n->node->index, "%s: has num %lld, told of num %lld",
		       n->group->name, (long long)n->place->num_seen, (long long)n->note->num);
	if (!n->carried_out)
		return;
	w->tally[DELIVERIES]++;
	w->tally[CONFIRMED] += n->note->via == GK_VIA_MULTICAST;
	n->node->heard_ms = w->now.mono.ms;
}

/* @return the order of two Gids of one group */
static int compare_gids(const struct gk_id *a, const struct gk_id *b)
{
	int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

	return order ? order : (int)a->len - (int)b->len;
}

static void take_num(struct world *w, struct group *group, int64_t num)
{
	if (num >= group->made_cap) {
		group->made_cap = 2 * num + 64;
		group->made_ms = must_alloc(group->made_ms,
					    (size_t)group->made_cap * sizeof(*group->made_ms));
	}
	for (int64_t n = group->num + 1; n <= num; n++)
		group->made_ms[n] = w->now.mono.ms;
	group->num = num;
}

static void take_material(struct world *w, int g, int64_t num, const struct gk_id *gid, bool anew)
{
	struct group *group = &w->groups[g];
	int order = group->gid.len ? compare_gids(gid, &group->gid) : (int)num;

	if (num < group->num || order < 0 || (num == group->num) != (order == 0))
		broken(w, RULE_FORWARD, KDC, "%s: num %lld follows num %lld", group->name,
		       (long long)num, (long long)group->num);
	if (anew && num == group->num)
		broken(w, RULE_FORWARD, KDC, "%s: a rekeying keeps num %lld", group->name,
		       (long long)num);
	take_num(w, group, num);
	group->gid = *gid;
}

static void on_rekeyed(struct world *w, const struct news *n)
{
	struct gk_id gid;

	if (!n->carried_out)
		return;
	w->tally[REKEYINGS]++;
	if (gk_id_set(&gid, n->note->gid))
		broken(w, RULE_NOTES, KDC, "a Gid of %zu bytes", n->note->gid.len);
	else
		take_material(w, n->g, n->note->num, &gid, true);
	disturb(w, n->g);
}

static const struct {
	void (*take)(struct world *, const struct news *);
	bool of_node, of_group;
	const char *name;
} kinds[] = {
	[GK_NOTE_JOINED] = { on_joined, true, true, "KDC: joined" },
	[GK_NOTE_REJOINED] = { on_rejoined, true, true, "KDC: joined again" },
	[GK_NOTE_LEFT] = { on_left, true, true, "KDC: left" },
	[GK_NOTE_EVICTED] = { on_evicted, true, true, "KDC: evicted" },
	[GK_NOTE_REKEYED] = { on_rekeyed, false, true, "KDC: rekeyed" },
	[GK_NOTE_DELIVERED] = { on_delivered, true, true, "KDC: delivered" },
	[GK_NOTE_PARKED] = { on_parked, true, true, "KDC: parked" },
	[GK_NOTE_SUSPECT] = { NULL, true, true, "KDC: suspect" },
	[GK_NOTE_ABSENT] = { NULL, true, true, "KDC: absent" },
	[GK_NOTE_PRESENT] = { NULL, true, true, "KDC: present" },
	[GK_NOTE_TOKEN] = { on_token, true, false, "KDC: token" },
	[GK_NOTE_REFUSED] = { NULL, false, false, "KDC: refused" },
	[GK_NOTE_ERROR] = { NULL, false, false, "KDC: error" },
	[GK_NOTE_BLIND] = { NULL, false, false, "KDC: blind" },
	[GK_NOTE_SEES] = { NULL, false, false, "KDC: sees" },
};

void check_kdc_note(struct world *w, const struct gk_note *note, bool carried_out)
{
	struct news n = { .note = note,
			  .node = node_named(w, note->name),
			  .g = group_named(w, note->group),
			  .carried_out = carried_out };

	if (note->kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[note->kind].name ||
	    (kinds[note->kind].of_node && !n.node) || (kinds[note->kind].of_group && n.g < 0)) {
		broken(w, RULE_NOTES, KDC, "a note of kind %d about nobody", note->kind);
		return;
	}
	trace(w, n.node ? n.node->index : KDC, kinds[note->kind].name, carried_out ? note->num : -2,
	      note->reason);
	n.group = n.g < 0 ? NULL : &w->groups[n.g];
	n.place = n.node && n.g >= 0 ? &n.node->place[n.g] : NULL;
	if (kinds[note->kind].take)
		kinds[note->kind].take(w, &n);
}

/* a member has new material */

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void count_lag(struct world *w, const struct node *node, int g, enum gk_via via)
{
	struct lag *lag = &w->lags[via];
	int64_t ms =
		w->now.mono.ms - latest(w->groups[g].made_ms[w->groups[g].num], node->reach_ms);

	lag->count++;
	lag->sum_ms += ms;
	lag->max_ms = latest(lag->max_ms, ms);
}

void check_member_num(struct world *w, struct node *node, int g, enum gk_via via)
{
	const struct group *group = &w->groups[g];
	struct gk_membership_info info = node_info(node, group);
	struct place *place = &node->place[g];

	if (info.num < place->num_seen || info.num > group->num ||
	    (info.num == group->num && !gk_span_equal(info.gid, gk_id_span(&group->gid))))
		broken(w, RULE_FORWARD, node->index, "%s: has num %lld after %lld, the KDC %lld",
		       group->name, (long long)info.num, (long long)place->num_seen,
		       (long long)group->num);
	if (info.num == group->num && node_in_reach(w, node))
		count_lag(w, node, g, via);
	place->num_seen = info.num;
}

/* after a restart */

/* What the list says of one member. */
static void take_entry(struct world *w, struct node *node, int g, const struct gk_member_info *info)
{
	struct place *place = &node->place[g];

	place->ledger = info->delivery;
	place->in_tree = info->in_tree;
	place->registered = info->observes;
	if (info->in_tree && w->groups[g].config.rekey.scheme == GK_POINT_TO_POINT)
		broken(w, RULE_LEDGER, node->index, "%s: in the tree", w->groups[g].name);
	if (info->delivery == GK_DELIVERY_MULTICAST && !info->in_tree)
		broken(w, RULE_LEDGER, node->index, "%s: told by multicast, and not in the tree",
		       w->groups[g].name);
}

/* Who is in the KDC's list of a group. 'listed' has a place for each node. */
static void list_members(struct world *w, int g, bool *listed)
{
	struct gk_member_info info;
	size_t at = 0;

	memset(listed, 0, (size_t)w->opt.nodes);
	while (gk_kdc_member_next(w->kdc, gk_span_str(w->groups[g].name), &at, &info)) {
		struct node *node = node_named(w, info.name);

		if (!node || listed[node->index]) {
			broken(w, RULE_NOTES, node ? node->index : KDC, "listed twice, or unknown");
			continue;
		}
		listed[node->index] = true;
		take_entry(w, node, g, &info);
	}
}

bool check_find_group(const struct world *w, int g, struct gk_group_info *info)
{
	size_t at = 0;

	while (gk_kdc_group_next(w->kdc, &at, info)) {
		if (group_named(w, info->name) == g)
			return true;
	}
	return false;
}

static void check_place_lasts(struct world *w, struct node *node, int g, bool listed)
{
	struct place *place = &node->place[g];

	if (place->member && !listed && !place->gone_dropped)
		broken(w, RULE_LASTING, node->index, "%s: was in, and is not any more",
		       w->groups[g].name);
	if (!place->member && listed && !place->join_dropped)
		broken(w, RULE_LASTING, node->index, "%s: was out, and is in again",
		       w->groups[g].name);
	if (place->member && !listed)
		place->out_num = w->groups[g].num_at_stop + 1;
	if (listed)
		place->out_num = NOBODY;
	place->member = listed;
	place->join_dropped = place->gone_dropped = false;
	place->catching_up = true;
}

static void check_group_lasts(struct world *w, int g)
{
	bool *listed = must_alloc(NULL, (size_t)w->opt.nodes);
	struct gk_group_info info;

	list_members(w, g, listed);
	for (int i = 0; i < w->opt.nodes; i++) {
		check_place_lasts(w, &w->nodes[i], g, listed[i]);
		if (check_find_group(w, g, &info) && w->nodes[i].place[g].num_seen > info.num)
			broken(w, RULE_FORWARD, i, "%s: the KDC is back at num %lld",
			       w->groups[g].name, (long long)info.num);
	}
	if (check_find_group(w, g, &info))
		take_material(w, g, info.num, &info.gid, false);
	free(listed);
}

void check_restart(struct world *w)
{
	for (int g = 0; g < SIM_GROUPS; g++)
		check_group_lasts(w, g);
	w->restart_checked = true;
}

/* each minute */

static bool is_live(const struct world *w, const struct node *node)
{
	return w->kdc && node_in_reach(w, node) && node->bundle.exp.s > w->now.utc.s;
}

static bool is_settled(const struct world *w, const struct node *node, int g)
{
	const struct group *group = &w->groups[g];
	const struct place *place = &node->place[g];
	struct gk_membership_info info = node_info(node, group);

	if (!place->wanted)
		return !place->member && !info.joined;
	return place->member && info.joined && info.num == group->num &&
	       gk_span_equal(info.gid, gk_id_span(&group->gid));
}

static void check_removed(struct world *w, const struct node *node, int g)
{
	int64_t since_ms = latest(node->lost_ms, latest(w->kdc_up_ms, w->link_up_ms));

	if (!node->place[g].member || (node->member && node->reach) || !w->kdc || !w->link_up)
		return;
	if (node->observes && !node->place[g].registered)
		return; /* there is no way to ask it, and its silence proves nothing */
	if (w->now.mono.ms - since_ms > 1000 * REMOVAL_S)
		broken(w, RULE_REMOVED, node->index, "%s: still a member, lost %lld s ago",
		       w->groups[g].name, (long long)(w->now.mono.ms - since_ms) / 1000);
}

static void check_departed(struct world *w, const struct node *node, int g)
{
	const struct place *place = &node->place[g];
	struct gk_membership_info info = node_info(node, &w->groups[g]);

	if (place->member)
		return;
	if (info.num >= place->out_num)
		broken(w, RULE_DEPARTED, node->index, "%s: out since num %lld, has num %lld",
		       w->groups[g].name, (long long)place->out_num, (long long)info.num);
	if (place->left_told && info.joined)
		broken(w, RULE_NOTES, node->index, "%s: left, and in it", w->groups[g].name);
}

/* bounds */

/* Nobody tells the KDC that a message to the group has arrived. */
static bool presumes(const struct world *w)
{
	if (w->opt.scheme == SIM_POINT_TO_POINT || w->opt.confirm == GK_CONFIRM_ALL)
		return false;
	return w->opt.confirm != GK_CONFIRM_AUTO || w->opt.nodes > AUTO_ALL;
}

/* Until one of so many beacons has surely come, with Trickle's intervals doubling. */
static int64_t beacon_ms(const struct world *w)
{
	int64_t interval_ms = 1000 * (int64_t)w->opt.beacon_s, sum_ms = 0;
	int64_t max_ms = 1000 * (int64_t)w->groups[0].config.rekey.beacon_max_s;
	double lost = 1 - net_odds(w, gk_air_of(BEACON_LEN).frames, true);

	for (double odds = 1; odds > SURELY && sum_ms < INT32_MAX; odds *= lost) {
		sum_ms += interval_ms;
		interval_ms = 2 * interval_ms < max_ms ? 2 * interval_ms : max_ms;
	}
	return sum_ms;
}

/* Who is behind asks within the Key Update Check Interval, or when it hears a beacon. Then it needs
 * an exchange or two, which may take a while in bad conditions. */
static int64_t catch_up_ms(const struct world *w)
{
	int64_t hears_ms = 1000 * KEY_CHECK_S;

	if (w->opt.beacon_s && w->opt.scheme == SIM_TREE && beacon_ms(w) < hears_ms)
		hears_ms = beacon_ms(w);
	return hears_ms + 1000 * ASKING_S;
}

static int64_t observer_ms(void)
{
	return 1000 * (REGISTER_S + ASKING_S);
}

/* With more loss than it is meant for, exchanges fail several times in a row. Beside that, by the
 * share of the link that rekeying has: confirmations of all, and a message to each of them; in a
 * mixed world, of two kinds. */
static int64_t settle_ms(const struct world *w)
{
	double lost = 1 - net_odds(w, gk_air_of(MATERIAL_LEN).frames, false);
	size_t each = gk_air_of(MATERIAL_LEN).bytes + 3 * gk_air_of(ANSWER_LEN).bytes;
	int64_t air_ms = (int64_t)((size_t)w->opt.nodes * each * 8000 / REKEYING_BPS);

	return 1000 * SETTLE_S * (lost > 0.3 ? 5 : 1) + air_ms;
}

/* Since when it lacks something: it may have caught up since the last minute,
 * and be behind again. */
static int64_t behind_since_ms(const struct node *node, const struct place *place,
			       const struct group *group)
{
	int64_t num = node_info(node, group).num;

	if (num < 0 || num >= group->num)
		return place->behind_ms;
	return latest(place->behind_ms, group->made_ms[num + 1]);
}

static void watch_catch_up(struct world *w, struct node *node, int g)
{
	struct place *place = &node->place[g];
	int64_t bound_ms = node->observes ? observer_ms() : catch_up_ms(w);

	if (!is_live(w, node)) {
		place->behind_ms = -1;
	} else if (is_settled(w, node, g)) {
		place->behind_ms = -1;
		place->catching_up = false;
	} else if (place->behind_ms < 0) {
		place->behind_ms = w->now.mono.ms;
	} else if (w->now.mono.ms - behind_since_ms(node, place, &w->groups[g]) > bound_ms) {
		broken(w, RULE_CATCH_UP, node->index, "%s: wanted %d, member %d, behind for %lld s",
		       w->groups[g].name, place->wanted, place->member,
		       (long long)(w->now.mono.ms - place->behind_ms) / 1000);
	}
}

static bool is_asking(const struct world *w, const struct node *node)
{
	return w->now.mono.ms - node->asked_ms < 1000 * ASKING_PAUSE_S;
}

/* After the first answer of a KDC that was restarted it does not wait for the end of Max-Age. */
static void check_registered(struct world *w, const struct node *node, int g)
{
	const struct place *place = &node->place[g];

	if (!node->observes || place->registered || !is_live(w, node) || !is_settled(w, node, g) ||
	    !place->wanted || !node->synchronised || is_asking(w, node))
		return;
	if (w->now.mono.ms - node->synchronised_ms > settle_ms(w))
		broken(w, RULE_OBSERVED, node->index, "%s: the KDC answered %lld s ago",
		       w->groups[g].name,
		       (long long)(w->now.mono.ms - node->synchronised_ms) / 1000);
}

static void check_places(struct world *w, int g)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		if (!node->place[g].exists)
			continue;
		check_departed(w, node, g);
		check_removed(w, node, g);
		check_registered(w, node, g);
		watch_catch_up(w, node, g);
	}
}

static void check_counts(struct world *w, int g, const struct gk_group_info *info)
{
	const struct gk_rekeying_info *r = &info->rekeying;

	if (info->confirmed + info->unicast + info->parked + info->presumed != info->members ||
	    info->in_tree > info->members)
		broken(w, RULE_LEDGER, KDC, "%s: the counts do not add up", w->groups[g].name);
	if (r->num != info->num || r->confirmed > r->members || r->datagrams > r->bytes)
		broken(w, RULE_LEDGER, KDC, "%s: num %lld, of %zu members %zu confirmed",
		       w->groups[g].name, (long long)r->num, r->members, r->confirmed);
	/* who left the tree and stayed a member may have been refused too */
	if (info->confirmations_refused > w->groups[g].late && w->opt.scheme != SIM_MIXED)
		broken(w, RULE_LEDGER, KDC, "%s: %llu confirmations are refused, %llu were late",
		       w->groups[g].name, (unsigned long long)info->confirmations_refused,
		       (unsigned long long)w->groups[g].late);
}

static void check_lists(struct world *w, int g)
{
	bool *listed = must_alloc(NULL, (size_t)w->opt.nodes);
	struct gk_group_info info = { .num = -1 };

	list_members(w, g, listed);
	for (int i = 0; i < w->opt.nodes; i++) {
		if (listed[i] != w->nodes[i].place[g].member)
			broken(w, RULE_NOTES, i, "%s: %s the list, by the notes %s member",
			       w->groups[g].name, listed[i] ? "on" : "not on",
			       w->nodes[i].place[g].member ? "a" : "no");
		if (listed[i] && w->nodes[i].place[g].left_told)
			broken(w, RULE_LASTING, i, "%s: was told that it left, and is a member",
			       w->groups[g].name);
	}
	if (!check_find_group(w, g, &info) || info.num != w->groups[g].num ||
	    !gk_id_equal(&info.gid, &w->groups[g].gid))
		broken(w, RULE_NOTES, KDC, "%s: has num %lld, told num %lld", w->groups[g].name,
		       (long long)info.num, (long long)w->groups[g].num);
	check_counts(w, g, &info);
	free(listed);
}

/* quiet minutes */

/* The KDC presumes that it has the newest material, or knows that it has not; or it is just asking
 * for it, and the KDC's answers get lost. */
static bool may_be_behind(const struct world *w, const struct node *node, const struct place *place)
{
	bool asks = is_asking(w, node);

	if (node->observes && (!place->registered || asks))
		return true;
	return presumes(w) && place->in_tree && (place->ledger != GK_DELIVERY_CONFIRMED || asks);
}

static bool is_quiet(const struct world *w, int g)
{
	if (!w->kdc || !w->link_up || w->now.mono.ms - w->groups[g].disturbed_ms < settle_ms(w))
		return false;
	for (int i = 0; i < w->opt.nodes; i++) {
		const struct place *place = &w->nodes[i].place[g];

		if (place->catching_up && is_live(w, &w->nodes[i]) &&
		    !may_be_behind(w, &w->nodes[i], place))
			return false;
	}
	return true;
}

static void check_newest(struct world *w, int g)
{
	const struct group *group = &w->groups[g];

	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];
		const struct place *place = &node->place[g];

		if (place->member && is_live(w, node) && !is_settled(w, node, g) &&
		    !may_be_behind(w, node, place))
			broken(w, RULE_NEWEST, i, "%s: has num %lld, the KDC %lld", group->name,
			       (long long)node_info(node, group).num, (long long)group->num);
		if (place->exists && !place->member && place->out_num > group->num)
			broken(w, RULE_DEPARTED, i, "%s: gone, and no rekeying since", group->name);
	}
}

/* Who announced the tree is in it, in a group that always had it; nobody else is. Who gets messages
 * to the group knows. */
static void check_tree(struct world *w, const struct node *node, int g)
{
	const struct group *group = &w->groups[g];
	const struct place *place = &node->place[g];
	bool says = node_info(node, group).in_tree;
	bool announced = group->config.rekey.scheme == GK_TREE && !node->point_to_point;

	if (place->in_tree != announced && (place->in_tree || !group->scheme_changed))
		broken(w, RULE_LEDGER, node->index, "%s: announced the tree: %d, in it: %d",
		       group->name, announced, place->in_tree);
	if (place->in_tree != says && (place->in_tree || !group->scheme_changed))
		broken(w, RULE_LEDGER, node->index, "%s: in the tree: %d, says %d", group->name,
		       place->in_tree, says);
}

/* Whoever was waited for has answered, or is not waited for any more. */
static void check_ledger(struct world *w, int g)
{
	struct gk_group_info info = { 0 };

	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		if (node->place[g].member && is_live(w, node) && is_settled(w, node, g))
			check_tree(w, node, g);
	}
	if (!check_find_group(w, g, &info) || info.rekeying.duration_ms < 0)
		broken(w, RULE_LEDGER, KDC, "%s: a rekeying that does not end", w->groups[g].name);
}

/* the speech: at a quiet minute one says something, and it is shown to everybody */

static bool may_speak(const struct world *w, int i, int g)
{
	const struct node *node = &w->nodes[i];

	return node->place[g].wanted && node->place[g].roles & REQUESTER && is_live(w, node) &&
	       is_settled(w, node, g);
}

static int choose_speaker(struct world *w, int g)
{
	int first = (int)between(w, 0, w->opt.nodes - 1);

	for (int i = 0; i < w->opt.nodes; i++) {
		int speaker = (first + i) % w->opt.nodes;

		if (may_speak(w, speaker, g))
			return speaker;
	}
	return -1;
}

/* @return a live reader who has not read the speech, or -1 */
static int find_deaf(const struct world *w, int g)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		if (i != w->groups[g].speaker && node->place[g].wanted &&
		    node->place[g].roles & READERS && is_live(w, node) && is_settled(w, node, g) &&
		    !w->readers[i])
			return i;
	}
	return -1;
}

/* Those who still have an old key say something too; check_reading() sees who listens. */
static void let_departed_speak(struct world *w, int g)
{
	int left = OLD_SPEAKERS;

	for (int i = 0; i < w->opt.nodes && left; i++) {
		struct node *node = &w->nodes[i];

		if (node->place[g].member || !(node->place[g].roles & REQUESTER) ||
		    node_info(node, &w->groups[g]).num < 0)
			continue;
		left--;
		node_speak(w, node, g);
	}
}

static int64_t rounds_max(const struct world *w)
{
	int64_t batches = (int64_t)w->opt.nodes * w->opt.nodes * CRED_LEN / AT_ONCE_BYTES;

	return (ROUNDS_MAX + ROUNDS_BATCH * batches) * settle_ms(w) / (1000 * SETTLE_S);
}

static void speak(struct world *w, int g)
{
	struct group *group = &w->groups[g];
	int deaf;

	if (!node_speak(w, &w->nodes[group->speaker], g))
		return; /* a new Sender ID is being fetched */
	w->tally[SPEECH_ROUNDS]++;
	deaf = find_deaf(w, g);
	if (deaf >= 0 && ++group->rounds < rounds_max(w))
		return;
	if (deaf >= 0)
		broken(w, RULE_READ, deaf, "%s: cannot read node%d", group->name, group->speaker);
	w->tally[SPEECHES]++;
	group->speaker = -1;
	let_departed_speak(w, g);
}

static void hold_speech(struct world *w, int g)
{
	struct group *group = &w->groups[g];

	if (group->speaker < 0 && group->quiet_minutes % SPEECH_EVERY == 0) {
		group->speaker = choose_speaker(w, g);
		group->rounds = 0;
	}
	if (group->speaker >= 0 && may_speak(w, group->speaker, g))
		speak(w, g);
	else
		group->speaker = -1;
}

/* the talk: one tells another something, until that one has answered */

static bool may_be_told(const struct world *w, int i, int g)
{
	const struct node *node = &w->nodes[i];

	return node->place[g].wanted && node->place[g].roles & RESPONDER && is_live(w, node) &&
	       is_settled(w, node, g);
}

static int choose_asked(struct world *w, int g)
{
	int first = (int)between(w, 0, w->opt.nodes - 1);

	for (int i = 0; i < w->opt.nodes; i++) {
		int asked = (first + i) % w->opt.nodes;

		if (asked != w->groups[g].teller && may_be_told(w, asked, g))
			return asked;
	}
	return -1;
}

/* Those who still have an old key tell too; check_reading() sees who listens. */
static void let_departed_tell(struct world *w, int g)
{
	int left = OLD_SPEAKERS;

	for (int i = 0; i < w->opt.nodes && left; i++) {
		struct node *node = &w->nodes[i];

		if (node->place[g].member || !(node->place[g].roles & REQUESTER) ||
		    node_info(node, &w->groups[g]).num < 0)
			continue;
		left--;
		if (node_tell(w, node, &w->nodes[w->groups[g].asked], g))
			broken(w, RULE_SECRET, w->groups[g].asked,
			       "%s: answers the departed node%d", w->groups[g].name, i);
	}
}

static void talk(struct world *w, int g)
{
	struct group *group = &w->groups[g];
	bool answered = node_tell(w, &w->nodes[group->teller], &w->nodes[group->asked], g);

	w->tally[TALK_ROUNDS]++;
	if (!answered && ++group->talk_rounds < rounds_max(w))
		return;
	if (!answered)
		broken(w, RULE_READ, group->asked, "%s: does not answer node%d", group->name,
		       group->teller);
	w->tally[TALKS]++;
	let_departed_tell(w, g);
	group->teller = -1;
}

static void hold_talk(struct world *w, int g)
{
	struct group *group = &w->groups[g];

	if (group->teller < 0 && group->quiet_minutes % SPEECH_EVERY == 0) {
		group->teller = choose_speaker(w, g);
		group->asked = choose_asked(w, g);
		group->talk_rounds = 0;
	}
	if (group->teller >= 0 && group->asked >= 0 && may_speak(w, group->teller, g) &&
	    may_be_told(w, group->asked, g))
		talk(w, g);
	else
		group->teller = -1;
}

static void check_group(struct world *w, int g)
{
	struct group *group = &w->groups[g];

	if (w->kdc)
		check_lists(w, g);
	check_places(w, g);
	if (!is_quiet(w, g)) {
		group->speaker = -1;
		group->teller = -1;
		return;
	}
	check_newest(w, g);
	check_ledger(w, g);
	if (group->config.mode != GK_MODE_PAIRWISE)
		hold_speech(w, g);
	if (group->config.mode != GK_MODE_GROUP)
		hold_talk(w, g);
	group->quiet_minutes++;
	w->tally[QUIET_MINUTES] += g == 0;
}

void check_minute(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	w->tally[MINUTES]++;
	for (int g = 0; g < SIM_GROUPS; g++)
		check_group(w, g);
	world_in(w, MINUTE_MS, check_minute, 0);
}
