// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What must hold of the KDC, by what the world knows. */
#include "tests/reach/reach.h"

#include <stdlib.h>
#include <string.h>

#define PARKED           "no answer to rekeying messages"
#define OURS_MS          1000 /* of the bound, for the rest of us */
#define UNLUCKY_MIN      4    /* questions by multicast, all of them lost */
#define SETTLED_MS       10000
#define LOOK_MS          (10 * SECOND_MS)
#define NOTES_FREE       12 /* of a node to which nothing happens */
#define NOTES_PER        3  /* ... and for each thing that does */
#define RETURN_INTERVALS 4  /* in which somebody who is back is asked, and answers */

static const struct gk_presence_config *policy(const struct world *w)
{
	return &w->opt.presence;
}

int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* the bound: (b) */

static int64_t intervals_ms(const struct world *w, int64_t count)
{
	return count * SECOND_MS * (int64_t)policy(w)->check_interval_s;
}

static int64_t sleep_max_ms(const struct world *w)
{
	return SECOND_MS * (int64_t)policy(w)->sleep_max_s;
}

static int64_t grace_ms(const struct world *w)
{
	return policy(w)->evict ? SECOND_MS * (int64_t)policy(w)->grace_s : 0;
}

/* From suspicion to removal; less is no judgement. */
static int64_t judgement_ms(const struct world *w)
{
	return SECOND_MS * (int64_t)policy(w)->probes * policy(w)->probe_wait_s + grace_ms(w);
}

static int64_t round_ms(const struct world *w)
{
	return judgement_ms(w) + w->config.coalesce_ms + OURS_MS;
}

/* So many at once take their time. */
static int64_t queue_ms(const struct world *w)
{
	return MINUTE_MS * (int64_t)(w->apart_peak / policy(w)->evict_rate);
}

/* Since when nobody kept the KDC from finding out. */
static int64_t begun_ms(const struct world *w, const struct node *node)
{
	int64_t begun = later(node->apart_ms, later(w->seeing_ms, w->mass_ms));

	return !w->kdc || w->blind || w->mass_blind || w->blind_ms != GK_NEVER ? w->now.mono.ms
									       : begun;
}

static int64_t due_ms(const struct world *w, const struct node *node)
{
	int64_t found = begun_ms(w, node) + intervals_ms(w, 1);

	if (node->sleepy) /* it may have been awake while we were blind */
		found = later(found, node->heard_ms) + sleep_max_ms(w);
	return found + w->verdict_ms + round_ms(w) + queue_ms(w);
}

static bool is_found_out(const struct world *w, const struct node *node)
{
	return !node->member || (!policy(w)->evict && node->presence == GK_ABSENT);
}

static void check_due(struct world *w, uint64_t arg, void *ptr)
{
	const struct node *node = &w->nodes[arg >> 32];
	int64_t due;

	(void)ptr;
	if ((uint32_t)arg != (uint32_t)node->turns || node->joined_ms != GK_NEVER ||
	    is_found_out(w, node))
		return;
	due = due_ms(w, node);
	if (due > w->now.mono.ms)
		world_at(w, due, check_due, arg);
	else
		broken(w, RULE_GONE, node->index, "cut off for %lld s, and not found out",
		       (long long)(w->now.mono.ms - node->apart_ms) / SECOND_MS);
}

void check_turn(struct world *w, struct node *node)
{
	bool apart = node->joined_ms == GK_NEVER;

	trace(w, node->index, apart ? "is cut off" : "is connected", 0, NULL);
	node->turns++;
	if (apart)
		w->apart++;
	else
		w->apart--;
	if (w->apart <= 2)
		w->apart_peak = 0;
	if (w->apart > w->apart_peak)
		w->apart_peak = w->apart;
	if (apart && node->member)
		world_at(w, due_ms(w, node), check_due,
			 (uint64_t)node->index << 32 | (uint32_t)node->turns);
}

/* removals */

/* How long it is connected without anybody noticing: if it sleeps, until it is awake; else until it
 * was asked twice in its grace. */
static int64_t found_out_ms(const struct world *w, const struct node *node)
{
	if (node->sleepy)
		return sleep_max_ms(w) + OURS_MS;
	return SECOND_MS * (2 * (int64_t)policy(w)->probe_wait_s + policy(w)->grace_s / 4) +
	       OURS_MS;
}

/* Who is several hops away and not in the tree hears no question by multicast, so who forges the
 * address of its router can have it removed. That is a limit of ours, and told as one. */
static bool is_beyond_multicast(const struct world *w, const struct node *node)
{
	int router = w->kernel.routes[node->index];

	return !w->opt.tree && router != GATEWAY && w->nodes[router].diverted;
}

static void check_alive(struct world *w, const struct node *node)
{
	int64_t since = later(node->joined_ms, w->seeing_ms);

	if (node->joined_ms == GK_NEVER || w->now.mono.ms - since < found_out_ms(w, node))
		return;
	if (is_beyond_multicast(w, node))
		w->tally[BEYOND]++;
	else if (node->unlucky >= UNLUCKY_MIN)
		w->tally[UNLUCKY]++;
	else
		broken(w, RULE_ALIVE, node->index, "removed, and connected for %lld s",
		       (long long)(w->now.mono.ms - since) / SECOND_MS);
}

static unsigned count_members(const struct world *w, bool lost)
{
	unsigned count = 0;

	for (int i = 0; i < w->opt.nodes; i++)
		count += w->nodes[i].member && (w->nodes[i].lost || !lost);
	return count;
}

/* Whose round had begun before that is no part of the loss: its time may be over before it is
 * noticed. Once it is, nobody's is. */
static void check_mass(struct world *w, const struct node *node)
{
	if (w->mass_blind || (node->lost && !node->doubted))
		broken(w, RULE_MASS, node->index, "one of %u lost of %u members, and removed",
		       count_members(w, true), count_members(w, false));
	w->tally[DOUBTED] += node->lost && node->doubted;
}

static void check_removal(struct world *w, struct node *node)
{
	bool confirmed = w->now.mono.ms == w->confirmed_ms;

	if (w->blind)
		broken(w, RULE_BLIND, node->index, "removed while we are blind");
	if (!confirmed)
		check_mass(w, node);
	if (!confirmed && w->now.mono.ms - w->started_ms < judgement_ms(w))
		broken(w, RULE_RESTART, node->index, "removed %lld s after a start",
		       (long long)(w->now.mono.ms - w->started_ms) / SECOND_MS);
	if (!confirmed && !policy(w)->evict)
		broken(w, RULE_KEPT, node->index, "removed, where nobody is to be");
	if (node->sleepy && w->now.mono.ms < node->heard_ms + sleep_max_ms(w))
		broken(w, RULE_ASLEEP, node->index, "removed %lld s after it was awake",
		       (long long)(w->now.mono.ms - node->heard_ms) / SECOND_MS);
	if (!confirmed)
		check_alive(w, node);
	w->removed_after += !confirmed;
}

/* notes */

static struct node *named(struct world *w, struct gk_span name)
{
	int index = 0;

	for (size_t i = 1; i < name.len; i++)
		index = 10 * index + (name.data[i] - '0');
	return name.len > 1 && index < w->opt.nodes ? &w->nodes[index] : NULL;
}

/* What we find out by ourselves; all else the kernel has said. */
static bool is_of_kernel(const char *reason)
{
	return strcmp(reason, "silent, and a question unanswered") != 0 &&
	       strcmp(reason, PARKED) != 0;
}

/* Who forges what makes the kernel accuse somebody is believed once, and then not for a while. */
static void check_trust(struct world *w, struct node *node, const char *reason)
{
	int64_t until_ms = node->cleared_ms + intervals_ms(w, 1);

	node->accused = is_of_kernel(reason);
	if (node->accused && node->cleared_ms >= 0 && w->now.mono.ms < until_ms)
		broken(w, RULE_TRUST, node->index, "%s, and was wrong %lld s ago", reason,
		       (long long)(w->now.mono.ms - node->cleared_ms) / SECOND_MS);
}

static void take_suspect(struct world *w, struct node *node, const struct gk_note *note)
{
	check_trust(w, node, note->reason);
	w->tally[SUSPICIONS]++;
	node->presence = GK_SUSPECT;
	node->unlucky = 0;
	check_suspect(w, node, strcmp(note->reason, PARKED) == 0);
	if (w->blind || w->mass_blind)
		broken(w, RULE_BLIND, node->index, "suspected while we are blind");
}

static void take_absent(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)note;
	w->tally[ABSENCES]++;
	node->presence = GK_ABSENT;
	node->absent_ms = w->now.mono.ms;
	check_absent(w, node);
}

static void take_alarm(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)note;
	w->tally[ALARMS]++;
	node->alarmed = true;
}

static void take_present(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)note;
	w->tally[RETURNS]++;
	node->presence = GK_PRESENT;
	check_return(w, node);
	node->doubted = node->alarmed = false;
	if (node->accused)
		node->cleared_ms = w->now.mono.ms;
	node->accused = false;
}

static void take_evicted(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)note;
	w->tally[REMOVALS]++;
	node->member = false;
	w->departed = true;
	check_removal(w, node);
	record_outcome(w, "removed", node);
}

static void take_joined(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)note;
	w->joined_after++;
	node->member = true;
	node->presence = GK_PRESENT;
	node->checked_ms = node->cleared_ms = -1;
	node->accused = node->alarmed = false;
	check_reason(w, node, 1);
}

/* What is told of those that are confirmed to be gone follows at once, and once. */
static void take_rekeyed(struct world *w, struct node *node, const struct gk_note *note)
{
	int64_t since = w->now.mono.ms - w->confirmed_ms;

	(void)node;
	w->tally[REKEYINGS]++;
	w->rekeyed_after++;
	if (w->departed)
		record_outcome(w, "rekeyed", NULL);
	w->rekeyed_lost += w->departed;
	w->departed = false;
	trace(w, GATEWAY, "rekeys", note->num, note->reason);
	if (w->confirmed_ms >= 0 && since < 2 * SECOND_MS &&
	    w->rekeyed_after > 1 + w->joined_after + w->removed_after)
		broken(w, RULE_ONCE, GATEWAY, "%u rekeyings after a confirmed loss",
		       w->rekeyed_after);
}

static void take_mass(struct world *w, bool blind)
{
	trace(w, GATEWAY, blind ? "the group is blind" : "the group is not blind any more", 0,
	      NULL);
	w->mass_blind = blind;
	w->mass_ms = w->now.mono.ms;
	w->tally[MASS_BLIND] += blind;
	w->episodes++;
	check_reason_for_all(w);
}

/* Nothing is known of what was before. */
void check_start(struct world *w)
{
	trace(w, GATEWAY, "starts", (int64_t)w->life, NULL);
	w->started_ms = w->now.mono.ms;
	w->confirmed_ms = -1;
	w->mass_blind = w->departed = false;
	memset(w->in_part, 0, sizeof(w->in_part));
	for (int i = 0; i < w->opt.nodes; i++) {
		struct node *node = &w->nodes[i];

		node->presence = GK_PRESENT;
		node->doubted = node->accused = node->alarmed = false;
		node->checked_ms = node->cleared_ms = -1;
	}
	check_reason_for_all(w);
}

/* Who is absent is known to be lost; who is suspected may be. Sleepers are no part of it. */
void check_confirm(struct world *w)
{
	uint8_t *absent = must_alloc(NULL, (size_t)w->opt.nodes);

	for (int i = 0; i < w->opt.nodes; i++)
		absent[i] = w->nodes[i].member && !w->nodes[i].sleepy &&
			    w->nodes[i].presence == GK_ABSENT;
	w->confirmed_ms = w->now.mono.ms;
	w->rekeyed_after = w->joined_after = w->removed_after = 0;
	gateway_confirm(w);
	for (int i = 0; i < w->opt.nodes; i++) {
		w->nodes[i].lost = false;
		if (absent[i] && w->nodes[i].member)
			broken(w, RULE_ONCE, i, "absent, its loss confirmed, and a member still");
	}
	free(absent);
}

static void take_blind(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)node;
	if (note->group.len)
		take_mass(w, true);
}

static void take_sees(struct world *w, struct node *node, const struct gk_note *note)
{
	(void)node;
	if (note->group.len)
		take_mass(w, false);
}

void check_note(struct world *w, const struct gk_note *note)
{
	static const struct {
		enum gk_note_kind kind;
		const char *what;
		bool of_node;
		void (*take)(struct world *, struct node *, const struct gk_note *);
	} kinds[] = {
		{ GK_NOTE_JOINED, "has joined", true, take_joined },
		{ GK_NOTE_REJOINED, "has joined again", true, take_joined },
		{ GK_NOTE_SUSPECT, "SUSPECT", true, take_suspect },
		{ GK_NOTE_ABSENT, "ABSENT", true, take_absent },
		{ GK_NOTE_ALARM, "ALARM", true, take_alarm },
		{ GK_NOTE_PRESENT, "PRESENT", true, take_present },
		{ GK_NOTE_EVICTED, "REMOVED", true, take_evicted },
		{ GK_NOTE_REKEYED, NULL, false, take_rekeyed },
		{ GK_NOTE_BLIND, NULL, false, take_blind },
		{ GK_NOTE_SEES, NULL, false, take_sees },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct node *node = kinds[i].of_node ? named(w, note->name) : NULL;

		if (kinds[i].kind != note->kind || (kinds[i].of_node && !node))
			continue;
		if (node) {
			node->notes++;
			trace(w, node->index, kinds[i].what, 0, note->reason);
		}
		kinds[i].take(w, node, note);
	}
}

void check_blind(struct world *w, enum gk_blindness why)
{
	w->blind = why != GK_BLIND_NOT;
	w->seeing_ms = w->now.mono.ms;
	w->episodes++;
	check_reason_for_all(w);
	gk_kdc_presence_counts(w->kdc, &w->counts);
}

/* what is known: (h) */

static bool is_settled(const struct world *w)
{
	const struct kernel *k = &w->kernel;
	int64_t quiet_ms = w->now.mono.ms - k->changed_ms;

	return !k->reading && !k->overrun && quiet_ms > SETTLED_MS;
}

static void check_segment(struct world *w)
{
	if (w->segment.ifindex != w->kernel.ifindex)
		broken(w, RULE_STATE, GATEWAY, "interface %d is %d for us", w->kernel.ifindex,
		       w->segment.ifindex);
	if (!w->segment.blind != world_sees(w))
		broken(w, RULE_STATE, GATEWAY, "we believe that we are %sblind",
		       w->segment.blind ? "" : "not ");
	if (w->blind != (w->segment.blind != GK_BLIND_NOT))
		broken(w, RULE_STATE, GATEWAY, "the KDC was not told of blindness");
}

/* Nobody is missed any more, so it is a matter of hearing of most of them. */
static void check_sight(struct world *w)
{
	int64_t since = later(w->recovered_ms, w->seeing_ms);

	if (w->mass_blind && !w->blind && w->mass_ms <= w->recovered_ms &&
	    w->now.mono.ms - since > intervals_ms(w, RETURN_INTERVALS))
		broken(w, RULE_SIGHT, GATEWAY, "blind, and all are back for %lld s",
		       (long long)(w->now.mono.ms - since) / SECOND_MS);
}

static void check_counts(struct world *w)
{
	struct gk_presence_counts now;

	gk_kdc_presence_counts(w->kdc, &now);
	if (w->blind && (now.checks != w->counts.checks || now.probes != w->counts.probes))
		broken(w, RULE_BLIND, GATEWAY, "members are asked while we are blind");
}

/* Who is absent and stays a member is asked once in check_interval; who sleeps, when it wakes. */
static int64_t return_ms(const struct world *w, const struct node *node)
{
	return node->sleepy ? sleep_max_ms(w) : intervals_ms(w, RETURN_INTERVALS);
}

static void check_kept(struct world *w, const struct node *node)
{
	int64_t since = later(later(node->joined_ms, node->absent_ms), w->seeing_ms);
	bool is_there = node->joined_ms != GK_NEVER && !w->blind && !node->engaged;

	if (policy(w)->evict || node->presence != GK_ABSENT)
		return;
	if (!node->alarmed)
		broken(w, RULE_KEPT, node->index, "absent, and not alarmed");
	if (is_there && w->now.mono.ms - since > return_ms(w, node))
		broken(w, RULE_KEPT, node->index, "absent, and connected for %lld s",
		       (long long)(w->now.mono.ms - since) / SECOND_MS);
}

static void check_members(struct world *w)
{
	struct gk_member_info info;
	size_t at = 0;

	while (gk_kdc_member_next(w->kdc, gk_span_str(GROUP), &at, &info)) {
		const struct node *node = named(w, info.name);

		if (node && info.presence != node->presence && info.presence != GK_ASLEEP)
			broken(w, RULE_STATE, node->index, "its state is %d, its notes say %d",
			       info.presence, node->presence);
		if (node)
			check_kept(w, node);
	}
}

static void look(struct world *w, bool at_members)
{
	if (is_settled(w))
		check_segment(w);
	check_counts(w);
	check_sight(w);
	if (at_members)
		check_members(w);
}

void check_second(struct world *w, uint64_t arg, void *ptr)
{
	(void)ptr;
	if (w->kdc)
		look(w, arg % 360 == 0);
	world_in(w, LOOK_MS, check_second, arg + 1);
}

void check_end(struct world *w)
{
	for (int i = 0; i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		if (node->notes > NOTES_FREE + NOTES_PER * (node->turns + w->episodes))
			broken(w, RULE_INCIDENT, i, "%llu notes, and %llu things that happened",
			       (unsigned long long)node->notes, (unsigned long long)node->turns);
	}
}
