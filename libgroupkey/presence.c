// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Who is still there. The kernel raises suspicion, and only unanswered authenticated probes lead to
 * a removal; witness.c has the last word about that.
 *
 *   PRESENT --silent for check_interval--> the kernel is asked
 *           --it failed--------------------------------------> SUSPECT, and a first probe
 *           --it reached the address, or cannot tell---------> a first probe, without a word
 *   SUSPECT --'probes' unanswered, 'probe_wait' each--> ABSENT --grace--> removed
 *
 * Where grace is long enough it is asked a few times more in it.
 *
 * What the kernel confirms proves nothing, since somebody else may have the address by now: from
 * the last sign of life to the removal it takes check_interval, the kernel's verdict, 'probes'
 * times 'probe_wait' and grace, whoever answers there. A round of probes takes that time whatever
 * else is under way with the member, and however early an error ends one of them, for that may be
 * forged.
 *
 * If a member without control_uri observes its group, a notification of what it has already takes
 * the place of a probe. Its acknowledgement is not authenticated, and counts as what it says
 * nevertheless: that somebody is there. Whoever forges it hides that an observer is gone, and wins
 * nothing else. What silence proves of a member that neither takes requests nor observes is
 * nothing: it stays.
 *
 * Any authenticated message leads back to PRESENT. While our link is blind nothing happens, and
 * nothing is forgotten; then who was doubted gets a new round, and the checks of all others are
 * spread evenly.
 */
#include "presence.h"

#include "client.h"

#define UNSENT_SHIFT_MAX 6    /* 64 s between tries to send, at most */
#define BUSY_MS          1000 /* too many requests of ours under way: a little later */
#define GRACE_PARTS      4
#define STALE(wait)      (5 * (wait)) /* longer than between two questions in a grace of parts */

/* the policy */

static const struct gk_presence_config *policy(const struct gk_node *node)
{
	return &node->group->config.presence;
}

static struct gk_presence_counts *counts(const struct gk_node *node)
{
	return &node->group->kdc->presence_counts;
}

static int64_t interval_ms(const struct gk_node *node)
{
	return 1000 * (int64_t)policy(node)->check_interval_s;
}

/* How long it may be silent. */
static int64_t patience_ms(const struct gk_node *node)
{
	return gk_node_sleeps(node) ? 1000 * (int64_t)policy(node)->sleep_max_s : interval_ms(node);
}

static uint32_t wait_ms(const struct gk_node *node)
{
	return 1000 * policy(node)->probe_wait_s;
}

/* A restored group that is not served has no policy yet; gk_presence_start() starts its clocks. */
static void wake_in(struct gk_node *node, struct gk_now now, int64_t ms)
{
	if (node->group->served)
		gk_timer_set(&node->group->kdc->timers, &node->check, now.mono.ms + ms);
}

static void keep(struct gk_node *node, enum gk_vigil vigil, int64_t ms, struct gk_now now)
{
	node->vigil = (uint8_t)vigil;
	wake_in(node, now, ms);
}

static void enter(struct gk_node *node, enum gk_presence presence, enum gk_fact reason,
		  struct gk_now now)
{
	if (node->presence != presence || node->reason == GK_FACT_NONE)
		node->since_ms = now.mono.ms;
	node->presence = presence;
	node->reason = (uint8_t)reason;
}

bool gk_presence_is_doubted(const struct gk_node *node)
{
	return node->presence == GK_SUSPECT || node->presence == GK_ABSENT;
}

/* signs of life */

static void forget_round(struct gk_node *node)
{
	node->probes_sent = node->missed = node->unsent = 0;
	node->asking = false;
}

/* A moment that nobody can foresee, unless there is no entropy. */
static int64_t moment_between(const struct gk_node *node, int64_t from_ms, int64_t to_ms)
{
	uint64_t number = 0;

	if (from_ms > to_ms ||
	    gk_random(&node->group->kdc->env, (uint8_t *)&number, sizeof(number)))
		return to_ms;
	return from_ms + (int64_t)(number % (uint64_t)(to_ms - from_ms + 1));
}

/* Many may be asked at once before their turn: as witnesses, or since the router before them does
 * not answer, or when we see again. So that they are not in step from then on, an answer to that
 * leaves the turn of each where it was, or gives it a new one if that has passed. */
static int64_t silent_from_ms(const struct gk_node *node, enum gk_fact sign, struct gk_now now)
{
	int64_t earliest_ms = now.mono.ms - interval_ms(node);

	if (sign != GK_FACT_ANSWER || node->vigil == GK_VIGIL_SILENCE || gk_node_sleeps(node))
		return now.mono.ms;
	if (node->quiet_ms > earliest_ms)
		return node->quiet_ms < now.mono.ms ? node->quiet_ms : now.mono.ms;
	return moment_between(node, node->turn_ms > earliest_ms ? node->turn_ms : earliest_ms,
			      now.mono.ms);
}

/* The kernel's word was wrong, so for a while it is good for a check only. */
static void clear(struct gk_node *node, enum gk_fact sign, const char *reason, struct gk_now now)
{
	if (node->accused)
		node->distrust_ms = now.mono.ms + interval_ms(node);
	node->accused = false;
	counts(node)->returned++;
	gk_kdc_note(node->group->kdc, GK_NOTE_PRESENT, node, reason);
	enter(node, GK_PRESENT, sign, now);
}

/* Cheap for a member that is present: its timer stays where it is and looks at quiet_ms when it
 * fires. */
static void come_back(struct gk_node *node, enum gk_fact sign, const char *reason,
		      struct gk_now now)
{
	bool busy = node->vigil != GK_VIGIL_SILENCE;

	node->quiet_ms = silent_from_ms(node, sign, now);
	node->heard_ms = now.mono.ms;
	if (gk_presence_is_doubted(node))
		clear(node, sign, reason, now);
	else if (node->presence == GK_ASLEEP || node->reason == GK_FACT_NONE)
		enter(node, GK_PRESENT, sign, now);
	forget_round(node);
	if (busy || !node->check.slot)
		keep(node, GK_VIGIL_SILENCE, node->quiet_ms + interval_ms(node) - now.mono.ms, now);
	gk_witness_heard(node->group, now);
}

void gk_presence_seen(struct gk_node *node, enum gk_fact sign, struct gk_now now)
{
	gk_evidence_add(node, sign, 0, now);
	node->last_seen_ms = now.mono.ms;
	node->last_sign = (uint8_t)sign;
	come_back(node, sign, NULL, now);
}

/* An acknowledgement is not authenticated, so that it does not count for a member that can be asked
 * by a request, whose answer is. */
void gk_presence_acknowledged(struct gk_node *node, struct gk_now now)
{
	if (node->has_control)
		return;
	gk_evidence_add(node, GK_FACT_ACKNOWLEDGED, 0, now);
	come_back(node, GK_FACT_ACKNOWLEDGED, "a notification was acknowledged", now);
}

/* It could be asked by its observation alone, which has ended: nothing speaks against it then. */
static bool is_out_of_reach(struct gk_node *node, struct gk_now now)
{
	if (gk_probe_can_ask(node))
		return false;
	node->accused = false;
	if (gk_presence_is_doubted(node))
		clear(node, GK_FACT_EXCUSED, "it cannot be asked any more", now);
	gk_evidence_add(node, GK_FACT_EXCUSED, 0, now);
	forget_round(node);
	node->quiet_ms = now.mono.ms;
	keep(node, GK_VIGIL_SILENCE, interval_ms(node), now);
	return true;
}

/* rounds */

static void ask_next(struct gk_node *node, struct gk_now now)
{
	if (!node->probes_sent)
		node->asked_ms = now.mono.ms;
	node->asking = gk_probe_send(node, wait_ms(node), now);
	wake_in(node, now, node->asking ? wait_ms(node) : BUSY_MS);
}

static void begin_round(struct gk_node *node, struct gk_now now)
{
	forget_round(node);
	node->vigil = GK_VIGIL_ROUND;
	ask_next(node, now);
}

static void miss(struct gk_node *node, struct gk_now now)
{
	node->asking = false;
	counts(node)->unanswered++;
	gk_evidence_add(node, GK_FACT_UNANSWERED,
			gk_presence_is_doubted(node) ? node->probes_sent : 0, now);
	if (!node->missed++)
		node->lost_ms = now.mono.ms;
	gk_witness_lost(node->group, now);
}

static void become_absent(struct gk_node *node, struct gk_now now)
{
	struct gk_kdc *kdc = node->group->kdc;

	gk_evidence_add(node, GK_FACT_ABSENT, 0, now);
	counts(node)->absent++;
	enter(node, GK_ABSENT, GK_FACT_UNANSWERED, now);
	gk_kdc_note(kdc, GK_NOTE_ABSENT, node, "authenticated probes unanswered");
	if (!policy(node)->evict)
		gk_kdc_note(kdc, GK_NOTE_ALARM, node, "absent, and not to be removed");
}

/* All probes of the round may have got lost, so it is asked again after each part of grace, if a
 * part is long enough for an answer. The last question leaves time for its answer. */
static void await_part(struct gk_node *node, struct gk_now now)
{
	int64_t left_ms = node->end_ms - now.mono.ms;
	int64_t part_ms = 1000 * (int64_t)policy(node)->grace_s / GRACE_PARTS;
	int64_t last_ms = left_ms - wait_ms(node);
	int64_t next_ms = part_ms < last_ms ? part_ms : last_ms;

	keep(node, GK_VIGIL_GRACE,
	     part_ms >= wait_ms(node) && next_ms >= wait_ms(node) ? next_ms : left_ms, now);
}

static void await_end(struct gk_node *node, struct gk_now now)
{
	node->end_ms = now.mono.ms + 1000 * (int64_t)policy(node)->grace_s;
	if (policy(node)->evict)
		await_part(node, now);
	else
		keep(node, GK_VIGIL_RETURN, interval_ms(node), now);
}

static void go_on(struct gk_node *node, struct gk_now now)
{
	if (node->probes_sent < policy(node)->probes) {
		ask_next(node, now);
		return;
	}
	if (node->presence != GK_ABSENT)
		become_absent(node, now);
	await_end(node, now);
}

/* suspicion */

static const char *const suspicions[] = {
	[GK_FACT_KERNEL_FAILED] = "the kernel cannot reach its neighbour",
	[GK_FACT_ROUTER_FAILED] = "the router before it does not answer",
	[GK_FACT_ROUTE_GONE] = "the route to it was withdrawn",
	[GK_FACT_UNANSWERED] = "silent, and a question unanswered",
	[GK_FACT_PARKED] = "no answer to rekeying messages",
};

static void suspect(struct gk_node *node, enum gk_fact reason, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_SUSPECT, 0, now);
	counts(node)->suspected++;
	enter(node, GK_SUSPECT, reason, now);
	gk_kdc_note(node->group->kdc, GK_NOTE_SUSPECT, node, suspicions[reason]);
}

static void suspect_anew(struct gk_node *node, enum gk_fact reason, struct gk_now now)
{
	suspect(node, reason, now);
	begin_round(node, now);
}

/* checks in silence */

void gk_presence_ask(struct gk_node *node, struct gk_now now)
{
	forget_round(node);
	node->vigil = GK_VIGIL_CHECK;
	ask_next(node, now);
}

bool gk_presence_check(struct gk_node *node, struct gk_now now)
{
	if (!gk_probe_may_check(node->group->kdc, now))
		return false;
	gk_presence_ask(node, now);
	return true;
}

static void ask_kernel(struct gk_node *node, struct gk_now now)
{
	node->turn_ms = now.mono.ms;
	gk_kernel_ask(node, now);
	keep(node, GK_VIGIL_KERNEL, node->group->kdc->verdict_ms, now);
}

static void fall_asleep(struct gk_node *node, int64_t silent_ms, struct gk_now now)
{
	if (!gk_node_sleeps(node) || node->presence != GK_PRESENT || silent_ms < interval_ms(node))
		return;
	gk_evidence_add(node, GK_FACT_ASLEEP, 0, now);
	enter(node, GK_ASLEEP, GK_FACT_SILENT, now);
}

static void look_at_silence(struct gk_node *node, struct gk_now now)
{
	int64_t silent_ms = now.mono.ms - node->quiet_ms, left_ms = patience_ms(node) - silent_ms;
	int64_t put_off_ms;

	fall_asleep(node, silent_ms, now);
	if (!gk_probe_can_ask(node))
		left_ms = interval_ms(node);
	else if (gk_node_sleeps(node) && node->presence == GK_PRESENT)
		left_ms = interval_ms(node) - silent_ms;
	if (left_ms > 0) {
		wake_in(node, now, left_ms);
		return;
	}
	put_off_ms = gk_probe_put_off_ms(node->group->kdc, now);
	if (put_off_ms > 0)
		wake_in(node, now, put_off_ms);
	else
		ask_kernel(node, now);
}

static void hear_nothing_of_kernel(struct gk_node *node, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_KERNEL_MUTE, 0, now);
	gk_presence_ask(node, now);
}

/* In a group that is blind by itself nobody else is suspected. */
static void end_check(struct gk_node *node, struct gk_now now)
{
	if (is_out_of_reach(node, now))
		return;
	if (!node->asking) {
		ask_next(node, now);
		return;
	}
	miss(node, now);
	if (node->group->blind) {
		forget_round(node);
		node->quiet_ms = now.mono.ms;
		keep(node, GK_VIGIL_SILENCE, interval_ms(node), now);
		return;
	}
	suspect(node, GK_FACT_UNANSWERED, now);
	node->vigil = GK_VIGIL_ROUND;
	go_on(node, now);
}

/* what is due */

static void end_slot(struct gk_node *node, struct gk_now now)
{
	if (is_out_of_reach(node, now))
		return;
	if (node->asking)
		miss(node, now);
	go_on(node, now);
}

static void end_grace(struct gk_node *node, struct gk_now now)
{
	if (is_out_of_reach(node, now))
		return;
	if (now.mono.ms < node->end_ms) {
		(void)gk_probe_send(node, wait_ms(node), now);
		await_part(node, now);
		return;
	}
	node->vigil = GK_VIGIL_END;
	gk_witness_due(node->group, now);
}

bool gk_presence_ask_last(struct gk_node *node, struct gk_now now)
{
	if (is_out_of_reach(node, now))
		return true;
	if (now.mono.ms - gk_probe_asked_until_ms(node) <= STALE(wait_ms(node)))
		return false;
	if (gk_probe_send(node, wait_ms(node), now)) {
		node->end_ms = now.mono.ms + wait_ms(node);
		keep(node, GK_VIGIL_GRACE, wait_ms(node), now);
	}
	return true;
}

/* An absent member that stays may be back, and have nothing to say by itself. */
static void ask_again(struct gk_node *node, struct gk_now now)
{
	int64_t put_off_ms;

	if (is_out_of_reach(node, now))
		return;
	put_off_ms = gk_probe_put_off_ms(node->group->kdc, now);
	if (put_off_ms <= 0 && gk_probe_send(node, wait_ms(node), now))
		put_off_ms = interval_ms(node);
	wake_in(node, now, put_off_ms > 0 ? put_off_ms : BUSY_MS);
}

void gk_presence_due(struct gk_node *node, struct gk_now now)
{
	static void (*const act[])(struct gk_node *, struct gk_now) = {
		[GK_VIGIL_SILENCE] = look_at_silence, [GK_VIGIL_KERNEL] = hear_nothing_of_kernel,
		[GK_VIGIL_CHECK] = end_check,         [GK_VIGIL_ROUND] = end_slot,
		[GK_VIGIL_GRACE] = end_grace,         [GK_VIGIL_RETURN] = ask_again,
		[GK_VIGIL_END] = end_grace,
	};

	if (!node->group->kdc->blind)
		act[node->vigil](node, now);
}

/* what speaks against a member */

/* What the kernel notices by itself says nothing of a node that sleeps, only what it answers when
 * we ask it. A member that cannot be asked is never doubted. */
bool gk_presence_may_doubt(const struct gk_node *node)
{
	const struct gk_group *group = node->group;

	return group->served && !group->kdc->blind && !gk_presence_is_doubted(node) &&
	       (!gk_node_sleeps(node) || node->vigil == GK_VIGIL_KERNEL) && gk_probe_can_ask(node);
}

/* A check that is under way counts as the first probe of the round. Not if a router has failed:
 * then all behind it begin their rounds at the same time, to go in one rekeying. */
void gk_presence_accuse(struct gk_node *node, enum gk_fact fact, struct gk_now now)
{
	bool trusted = now.mono.ms >= node->distrust_ms;

	if (trusted) {
		node->accused = true;
		suspect(node, fact, now);
	}
	if (trusted && node->vigil == GK_VIGIL_CHECK && fact != GK_FACT_ROUTER_FAILED)
		node->vigil = GK_VIGIL_ROUND;
	else if (trusted)
		begin_round(node, now);
	else if (node->vigil != GK_VIGIL_CHECK)
		(void)gk_presence_check(node, now);
}

/* what became of messages */

/* What does not leave by unicast, as for want of a route, may by multicast. */
static void retry(struct gk_node *node, struct gk_now now)
{
	int64_t shift = node->unsent < UNSENT_SHIFT_MAX ? node->unsent : UNSENT_SHIFT_MAX;

	if (node->unsent == 1 && gk_client_can_multicast(node))
		ask_next(node, now);
	else
		wake_in(node, now, (int64_t)BUSY_MS << shift);
}

/* With growing pauses: each try costs a Partial IV. If it was the last probe, the time for it may
 * be over already. */
void gk_presence_unsent(struct gk_node *node, struct gk_now now)
{
	bool over = (node->vigil == GK_VIGIL_GRACE || node->vigil == GK_VIGIL_END) &&
		    node->probes_sent <= policy(node)->probes;

	node->unsent++;
	if (node->vigil != GK_VIGIL_CHECK && node->vigil != GK_VIGIL_ROUND && !over)
		return;
	gk_evidence_add(node, GK_FACT_UNSENT, 0, now);
	node->probes_sent -= node->probes_sent > 0;
	node->missed -= over && node->missed > 0;
	node->asking = false;
	if (over) {
		node->vigil = GK_VIGIL_ROUND;
		enter(node, GK_SUSPECT, GK_FACT_UNSENT, now);
	}
	if (!node->group->kdc->blind)
		retry(node, now);
}

/* In a round a message counts as the probe of its time: gk_probe_send(). */
void gk_presence_unanswered(struct gk_node *node, bool last, struct gk_now now)
{
	if (!last || !gk_presence_may_doubt(node) || node->group->blind ||
	    node->vigil == GK_VIGIL_CHECK)
		return;
	gk_evidence_add(node, GK_FACT_PARKED, 0, now);
	suspect_anew(node, GK_FACT_PARKED, now);
}

/* beginning, and beginning anew */

/* Where in the interval its turn is: not all are asked at once. */
static int64_t place_ms(const struct gk_node *node, int64_t interval)
{
	size_t count = node->group->count ? node->group->count : 1;

	return interval * (int64_t)(node->number % count + 1) / (int64_t)count;
}

/* A check that would be due before goes to the member's place in the interval to come. A node that
 * sleeps may have been awake while nobody could hear it: all of its time begins anew. */
static void spread(struct gk_node *node, struct gk_now now)
{
	int64_t patience = patience_ms(node), due_ms = node->quiet_ms + patience;
	int64_t from_ms = now.mono.ms + (gk_node_sleeps(node) ? patience : 0);
	int64_t placed_ms = from_ms + place_ms(node, interval_ms(node));

	if (due_ms < placed_ms)
		node->quiet_ms = placed_ms - patience;
	forget_round(node);
	keep(node, GK_VIGIL_SILENCE,
	     gk_node_sleeps(node) ? interval_ms(node) : node->quiet_ms + patience - now.mono.ms,
	     now);
}

void gk_presence_start(struct gk_node *node, struct gk_now now)
{
	gk_evidence_add(node, GK_FACT_RESTORED, 0, now);
	enter(node, GK_PRESENT, GK_FACT_RESTORED, now);
	node->last_seen_ms = now.mono.ms;
	node->quiet_ms = now.mono.ms - patience_ms(node);
	node->heard_ms = INT64_MIN;
	spread(node, now);
}

void gk_presence_lose(struct gk_node *node, struct gk_now now)
{
	forget_round(node);
	keep(node, GK_VIGIL_RETURN, place_ms(node, interval_ms(node)), now);
}

void gk_presence_resume(struct gk_node *node, enum gk_fact why, struct gk_now now)
{
	if (!gk_presence_is_doubted(node)) {
		spread(node, now);
		return;
	}
	gk_evidence_add(node, why, 0, now);
	node->lost_ms = now.mono.ms;
	if (node->group->blind)
		gk_presence_lose(node, now);
	else
		begin_round(node, now);
}

/* It has become one that sleeps, or is none any more. @return true: no time of it is over */
static bool fits_sleep(struct gk_node *node, struct gk_now now)
{
	bool sleeps = gk_node_sleeps(node);

	if (!sleeps && node->presence == GK_ASLEEP)
		enter(node, GK_PRESENT, node->last_sign, now);
	if (!sleeps || node->vigil == GK_VIGIL_SILENCE ||
	    now.mono.ms - node->quiet_ms >= patience_ms(node))
		return false;
	if (gk_presence_is_doubted(node))
		clear(node, GK_FACT_EXCUSED, "it sleeps", now);
	forget_round(node);
	keep(node, GK_VIGIL_SILENCE, 0, now);
	return true;
}

/* What is being asked just now goes on to be waited for as before. */
void gk_presence_retime(struct gk_node *node, struct gk_now now)
{
	bool ends = node->vigil == GK_VIGIL_GRACE || node->vigil == GK_VIGIL_END ||
		    node->vigil == GK_VIGIL_RETURN;

	if (node->group->kdc->blind || fits_sleep(node, now))
		return;
	if (node->vigil == GK_VIGIL_SILENCE && node->quiet_ms + patience_ms(node) < now.mono.ms)
		spread(node, now);
	else if (node->vigil == GK_VIGIL_SILENCE)
		look_at_silence(node, now);
	else if (ends && !node->group->blind)
		await_end(node, now);
}
