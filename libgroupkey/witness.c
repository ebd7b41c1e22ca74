// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Is it them, or is it us? Before a member is removed for its silence, others have to be heard of
 * meanwhile; and if so many are lost at once that it is rather we who do not hear, nobody is: the
 * group is blind, until enough of them are heard of again, or the operator has looked.
 *
 * Those who are needed as witnesses, and had nothing to say by themselves, are asked, at random.
 * Of n members drawn at random all n answer with a probability of (1 - f)^n at most, if more than
 * the share f of all is lost. So many are needed that this is below one in ten million, and for
 * each lost one that is known so many more that the same holds; in a small group these are all
 * there are. So chance, too, removes nobody who only cannot be heard.
 *
 * Each question costs a member energy. For a removal that is near, those are asked who have not
 * been heard of since its round began. To see sooner that we are blind, as when several are lost,
 * and nobody is removed yet, or ever, a member is asked once in check_interval_s beside its turn:
 * of those who are asked some miss the question, and would be a reason to ask all others anew.
 *
 * Who sleeps, or cannot be asked, counts nowhere; neither does who was lost longer ago than
 * mass_loss_window_s. But before one that slept for too long is removed, others have to be heard of
 * as before any removal.
 *
 * All of a group is judged at once: whose time is over at the same time goes in the same rekeying,
 * as many as evict_rate allows.
 */
#include "group.h"
#include "presence.h"

#define GATHER_MS 300  /* whose time is over within, goes together */
#define LOOK_MS   50   /* after a loss; likewise, between looks that others cause */
#define AGAIN_MS  1000 /* while something is waited for */
#define MINUTE_S  60
#define FEW       2    /* lost ones that say nothing of us */
#define WAITS     4    /* so many times probe_wait before a removal witnesses are looked for */
#define WITNESSES 1500 /* percent, as is LOSS: see witnesses_needed() */
#define LOSS      200

struct tally {
	size_t lost, heard, unknown;
	size_t undecided;  /* of the lost: they are being asked yet */
	size_t unsendable; /* to these nothing leaves; they are in no other count */
	size_t free;       /* of the unknown: they could be asked ... */
	size_t spared;     /* ... if it cannot wait: they were, a short time ago */
};

static const struct gk_presence_config *policy(const struct gk_group *group)
{
	return &group->config.presence;
}

/* when to look */

static void look_at(struct gk_group *group, int64_t at_ms)
{
	if (!group->served || (group->judge.slot && group->judge.at_ms <= at_ms))
		return;
	gk_timer_set(&group->kdc->timers, &group->judge, at_ms);
}

void gk_witness_lost(struct gk_group *group, struct gk_now now)
{
	look_at(group, now.mono.ms + LOOK_MS);
}

void gk_witness_due(struct gk_group *group, struct gk_now now)
{
	look_at(group, now.mono.ms + GATHER_MS);
}

void gk_witness_heard(struct gk_group *group, struct gk_now now)
{
	if (group->judge.slot)
		look_at(group, now.mono.ms + LOOK_MS);
}

/* counting */

static bool counts(const struct gk_node *node)
{
	return gk_probe_can_ask(node) && !gk_node_sleeps(node);
}

/* In a blind group nothing is forgotten. */
static bool is_recent(const struct gk_node *node, struct gk_now now)
{
	return node->group->blind ||
	       now.mono.ms - node->lost_ms <=
		       1000 * (int64_t)policy(node->group)->mass_loss_window_s;
}

static bool is_lost(const struct gk_node *node)
{
	return node->presence == GK_ABSENT ||
	       (node->presence == GK_SUSPECT && (node->missed || node->group->blind));
}

static bool is_due(const struct gk_node *node)
{
	return node->presence == GK_ABSENT && node->vigil == GK_VIGIL_END;
}

static bool is_free(const struct gk_node *node)
{
	return node->presence == GK_PRESENT &&
	       (node->vigil == GK_VIGIL_SILENCE || node->vigil == GK_VIGIL_KERNEL);
}

static void count_lost(struct tally *tally, const struct gk_node *node, struct gk_now now)
{
	bool counted = is_recent(node, now) || is_due(node);

	tally->lost += counted;
	tally->undecided += counted && node->presence == GK_SUSPECT;
}

static void count(struct tally *tally, const struct gk_node *node, int64_t since_ms,
		  struct gk_now now)
{
	if (!counts(node))
		return;
	if (is_lost(node)) {
		count_lost(tally, node, now);
	} else if (node->heard_ms >= since_ms) {
		tally->heard++;
	} else if (node->unsent) {
		tally->unsendable++;
	} else {
		tally->unknown++;
		tally->free += is_free(node);
		tally->spared += is_free(node) && gk_probe_is_spared(node, now);
	}
}

static struct tally count_all(const struct gk_group *group, int64_t since_ms, struct gk_now now)
{
	struct tally tally = { 0 };

	for (size_t i = 0; i < group->count; i++)
		count(&tally, group->nodes[i], since_ms, now);
	return tally;
}

/* When the latest round of a lost member began: whoever was heard of since is a witness for all of
 * them. @param due  of those whose time is over @return INT64_MIN: there is none */
static int64_t youngest_ms(const struct gk_group *group, bool due, struct gk_now now)
{
	int64_t youngest = INT64_MIN;

	for (size_t i = 0; i < group->count; i++) {
		const struct gk_node *node = group->nodes[i];

		if (!is_lost(node) || node->asked_ms <= youngest)
			continue;
		if (due ? is_due(node) : is_recent(node, now))
			youngest = node->asked_ms;
	}
	return youngest;
}

/* what it says */

static bool is_off(const struct gk_group *group)
{
	return policy(group)->mass_loss_percent >= 100;
}

static bool is_in_proportion(const struct gk_group *group, const struct tally *tally)
{
	return tally->lost * 100 <= policy(group)->mass_loss_percent * (tally->lost + tally->heard);
}

/* If the share p of the group is lost, n members drawn at random all answer with a probability of
 * (1 - p)^n, below e^-17 for n = 17 / p: that is WITNESSES and LOSS for the first one that is lost.
 * Each further one takes 2 / p more, twice as many as there are for each lost one at that share. */
static size_t witnesses_needed(const struct gk_group *group, const struct tally *tally)
{
	size_t others = tally->heard + tally->unknown;
	size_t needed = (WITNESSES + LOSS * tally->lost) / policy(group)->mass_loss_percent;

	if (needed > others)
		needed = others;
	return needed ? needed : tally->unsendable > 0;
}

static bool may_remove(const struct gk_group *group, const struct tally *tally)
{
	if (is_off(group))
		return true;
	return tally->heard >= witnesses_needed(group, tally) &&
	       (tally->lost <= FEW || is_in_proportion(group, tally));
}

/* Everybody who can be asked has been, and too many are lost even if all others are there. So far
 * those who are only suspect count as there: their last probe goes by multicast too, so that nobody
 * makes a group blind by diverting what goes to its members by unicast. */
static bool is_mass_loss(const struct gk_group *group, const struct tally *tally)
{
	size_t gone = tally->lost - tally->undecided;

	return !is_off(group) && tally->unknown == tally->spared && gone > FEW &&
	       gone * 100 > policy(group)->mass_loss_percent *
				    (tally->lost + tally->heard + tally->unknown);
}

/* blindness of a group */

static void note_sight(struct gk_group *group, bool blind)
{
	gk_kdc_note_group(group->kdc, blind ? GK_NOTE_BLIND : GK_NOTE_SEES, group,
			  blind ? gk_blindness_str(GK_BLIND_MASS_LOSS) : NULL);
}

static void go_blind(struct gk_group *group, int64_t since_ms, struct gk_now now)
{
	group->blind = true;
	group->blind_since_ms = since_ms;
	group->kdc->presence_counts.mass_losses++;
	note_sight(group, true);
	for (size_t i = 0; i < group->count; i++) {
		struct gk_node *node = group->nodes[i];

		if (!gk_presence_is_doubted(node))
			continue;
		gk_evidence_add(node, GK_FACT_BLIND, GK_BLIND_MASS_LOSS, now);
		gk_presence_lose(node, now);
	}
}

static void see_again(struct gk_group *group, struct gk_now now)
{
	group->blind = false;
	note_sight(group, false);
	for (size_t i = 0; i < group->count; i++) {
		if (gk_presence_is_doubted(group->nodes[i]))
			gk_presence_resume(group->nodes[i], GK_FACT_SEES, now);
	}
}

static void look_for_recovery(struct gk_group *group, struct gk_now now)
{
	struct tally tally = count_all(group, group->blind_since_ms, now);

	if (is_off(group) || is_in_proportion(group, &tally))
		see_again(group, now);
	else
		look_at(group, now.mono.ms + 1000 * (int64_t)policy(group)->check_interval_s);
}

/* asking others */

/* A number in 0..bound-1 that nobody can foresee, unless there is no entropy. */
static size_t draw(struct gk_kdc *kdc, size_t bound)
{
	uint64_t number = 0;

	if (gk_random(&kdc->env, (uint8_t *)&number, sizeof(number)))
		number = kdc->next_id;
	return (size_t)(number % bound);
}

/* When it begins to be urgent, so that their answers are there when a member would be removed. */
static int64_t urgent_from_ms(const struct gk_node *node)
{
	const struct gk_presence_config *p = policy(node->group);
	int64_t removal_s = (int64_t)p->probes * p->probe_wait_s + p->grace_s;

	return node->asked_ms + 1000 * (removal_s - WAITS * (int64_t)p->probe_wait_s);
}

/* Who was heard of since then is a witness for all whose removal is near.
 * @param next_ms  set to when one more is, GK_NEVER: none will be
 * @return INT64_MIN: none is */
static int64_t urgent_since_ms(const struct gk_group *group, int64_t *next_ms, struct gk_now now)
{
	int64_t since_ms = INT64_MIN;

	*next_ms = GK_NEVER;
	for (size_t i = 0; policy(group)->evict && i < group->count; i++) {
		const struct gk_node *node = group->nodes[i];
		int64_t from_ms = urgent_from_ms(node);

		if (!is_lost(node) || !is_recent(node, now))
			continue;
		if (now.mono.ms < from_ms)
			*next_ms = from_ms < *next_ms ? from_ms : *next_ms;
		else if (node->asked_ms > since_ms)
			since_ms = node->asked_ms;
	}
	return since_ms;
}

/* Several are lost who missed more than one question: who misses one mostly answers the next. */
static bool is_serious(const struct gk_group *group, struct gk_now now)
{
	size_t serious = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct gk_node *node = group->nodes[i];

		serious += counts(node) && is_lost(node) && is_recent(node, now) &&
			   (node->missed > 1 || node->presence == GK_ABSENT);
	}
	return serious > FEW;
}

/* @param wanted  of 'free' ones that could be asked */
static void ask_some(struct gk_group *group, size_t wanted, size_t free, int64_t since_ms,
		     bool urgent, struct gk_now now)
{
	for (size_t i = 0; i < group->count && wanted > 0 && free > 0; i++) {
		struct gk_node *node = group->nodes[i];

		if (!counts(node) || !is_free(node) || node->heard_ms >= since_ms || node->unsent ||
		    (!urgent && gk_probe_is_spared(node, now)))
			continue;
		if (draw(group->kdc, free--) >= wanted)
			continue;
		if (!gk_presence_check(node, now))
			return;
		gk_probe_spare(node, now);
		wanted--;
	}
}

/* @return true: it is not known of all yet who can be asked */
static bool ask_witnesses(struct gk_group *group, int64_t since_ms, bool urgent, struct gk_now now)
{
	struct tally tally = count_all(group, since_ms, now);
	size_t wanted = witnesses_needed(group, &tally);
	size_t known = tally.heard + tally.unknown - tally.free; /* or are being asked */
	size_t free = tally.free - (urgent ? 0 : tally.spared);

	if (wanted > known)
		ask_some(group, wanted - known, free, since_ms, urgent, now);
	return tally.unknown > (urgent ? 0 : tally.spared);
}

static void look_for_witnesses(struct gk_group *group, int64_t lost_since_ms, struct gk_now now)
{
	int64_t next_ms, since_ms = urgent_since_ms(group, &next_ms, now);
	bool again = since_ms != INT64_MIN && ask_witnesses(group, since_ms, true, now);

	if (is_serious(group, now) && ask_witnesses(group, lost_since_ms, false, now))
		again = true;
	if (again)
		look_at(group, now.mono.ms + AGAIN_MS);
	if (next_ms != GK_NEVER)
		look_at(group, next_ms);
}

/* removing */

static size_t removed_lately(struct gk_group *group, int64_t now_s)
{
	struct gk_evictions *e = &group->evictions;
	int64_t passed = now_s - e->last_s;
	size_t sum = 0;

	for (int64_t i = 1; i <= passed && i <= MINUTE_S + 1; i++)
		e->count[(e->last_s + i) % (MINUTE_S + 1)] = 0;
	e->last_s = now_s;
	for (size_t i = 0; i <= MINUTE_S; i++)
		sum += e->count[i];
	return sum;
}

static size_t allowance(struct gk_group *group, struct gk_now now)
{
	size_t lately = removed_lately(group, now.mono.ms / 1000);
	size_t rate = policy(group)->evict_rate;

	return lately < rate ? rate - lately : 0;
}

static void evict(struct gk_node *node, size_t witnesses, const char *reason, struct gk_now now)
{
	if (witnesses)
		gk_evidence_add(node, GK_FACT_WITNESSED, (uint32_t)witnesses, now);
	node->group->kdc->presence_counts.evicted++;
	node->evicting = true;
	gk_group_remove(node, GK_NOTE_EVICTED, reason, now);
}

/* Each removal changes the group's record, which grows with them. All that one call stores is
 * stored in one transaction, so that it is enough to write it once, at the end. */
static void begin_removals(struct gk_group *group)
{
	group->gathering = true;
}

static void end_removals(struct gk_group *group, size_t count)
{
	group->gathering = false;
	if (count)
		gk_record_group(group);
}

/* @return how many have to wait */
static size_t evict_due(struct gk_group *group, const struct tally *tally, struct gk_now now)
{
	size_t left = may_remove(group, tally) ? allowance(group, now) : 0;
	size_t waiting = 0, i = 0, before = group->count;

	begin_removals(group);
	while (i < group->count) {
		struct gk_node *node = group->nodes[i];

		if (!is_due(node)) {
			i++;
		} else if (left && gk_presence_ask_last(node, now)) {
			left--;
			waiting++;
			i++;
		} else if (left) {
			left--;
			group->evictions.count[group->evictions.last_s % (MINUTE_S + 1)]++;
			evict(node, tally->heard, "absent", now); /* the next one takes its place */
		} else {
			gk_evidence_add(node, GK_FACT_WAITS, 0, now);
			waiting++;
			i++;
		}
	}
	end_removals(group, before - group->count);
	return waiting;
}

/* @return true if somebody has to wait */
static bool remove_due(struct gk_group *group, struct gk_now now)
{
	int64_t since_ms = youngest_ms(group, true, now);
	struct tally tally;

	if (since_ms == INT64_MIN)
		return false;
	if (group->kdc->storage == GK_STORAGE_NONE)
		return true;
	tally = count_all(group, since_ms, now);
	return evict_due(group, &tally, now) > 0;
}

/* judgement */

static void judge(struct gk_group *group, struct gk_now now)
{
	int64_t since_ms = youngest_ms(group, false, now);
	struct tally tally = count_all(group, since_ms, now);
	bool waits;

	if (since_ms != INT64_MIN && is_mass_loss(group, &tally)) {
		go_blind(group, since_ms, now);
		look_for_recovery(group, now);
		return;
	}
	waits = remove_due(group, now);
	if (since_ms != INT64_MIN && !is_off(group))
		look_for_witnesses(group, since_ms, now);
	if (waits)
		look_at(group, now.mono.ms + AGAIN_MS);
}

void gk_witness_judge(struct gk_group *group, struct gk_now now)
{
	if (!group->served || group->kdc->blind)
		return;
	if (group->blind)
		look_for_recovery(group, now);
	else
		judge(group, now);
}

static void evict_lost(struct gk_group *group, struct gk_now now)
{
	size_t before = group->count;

	begin_removals(group);
	for (size_t i = before; i-- > 0;) {
		struct gk_node *node = group->nodes[i];

		if (!counts(node) || !is_lost(node))
			continue;
		gk_evidence_add(node, GK_FACT_CONFIRMED_LOSS, 0, now);
		evict(node, 0, "the operator confirmed its loss", now);
	}
	end_removals(group, before - group->count);
}

enum gk_err gk_kdc_confirm_loss(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct gk_group *group = gk_group_find_served(kdc, name);

	if (!group)
		return GK_ERR_UNKNOWN;
	if (!group->blind)
		return GK_ERR_STATE;
	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	evict_lost(group, now);
	see_again(group, now);
	return gk_queue_err(&kdc->queue);
}
