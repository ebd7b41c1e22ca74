// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What becomes of the files while the daemon is stopped: a backup put back, a mark that is lost, a
 * store that is damaged. And what the operator does about it: starts, and where that is refused,
 * starts with the option that helps; after a power cut in the middle of it, the same again.
 */
#include "tests/crash/crash.h"

#include <string.h>

#define STORE STATE_DIR "/gatewayd.db"
#define KEY   STATE_DIR "/as.key"

static const struct rule {
	enum gw_store_found found;
	enum gw_store_wish wish; /* GW_STORE_AS_IS: it is not refused */
} rules[ACCIDENTS] = {
	[ACCIDENT_NONE] = { GW_STORE_CURRENT, GW_STORE_AS_IS },
	[ACCIDENT_RESTORED] = { GW_STORE_OLD, GW_STORE_AS_IS },
	[ACCIDENT_MARK_LOST] = { GW_STORE_ADOPTED, GW_STORE_ADOPT },
	[ACCIDENT_DAMAGED] = { GW_STORE_BEGUN, GW_STORE_FRESH },
	[ACCIDENT_BLIND] = { GW_STORE_BEGUN_BLIND, GW_STORE_FRESH },
	[ACCIDENT_STATE_LOST] = { GW_STORE_OLD, GW_STORE_AS_IS },
};

/* What the log has to say of each. */
static const char *const loud[] = {
	[GW_STORE_NEW] = NULL,
	[GW_STORE_CURRENT] = NULL,
	[GW_STORE_OLD] = "STORE IS OLD",
	[GW_STORE_ADOPTED] = "STORE IS ADOPTED",
	[GW_STORE_BEGUN] = "STORE IS BEGUN ANEW: the one before",
	[GW_STORE_BEGUN_BLIND] = "STORE IS BEGUN ANEW, and what",
};

static struct {
	enum accident_kind kind; /* ACCIDENT_NONE: there was none, or it is over */
	bool wished;             /* the store was opened as the operator wished */
	bool commits;            /* the first commit has begun */
	bool refused;            /* the last start was, as it had to be */
	bool heard;              /* the log has said what was found */
	enum gw_store_found found;
} accident;

/* Where everybody stood when a backup was made. */
static struct {
	bool taken;
	bool exact; /* the operator knew of everything whether it had happened */
	bool banned[NODES][GROUPS], revoked[NODES];
	unsigned jumps;
} backups[BACKUPS];

/* How often num has jumped. From where it came from before a jump it is not made to jump again: it
 * is the calendar alone that lets it come further then, which may be wrong. */
static unsigned jumps;

enum accident_kind accident_now(void)
{
	return accident.kind;
}

/* starts */

/* What is expected; or the one that was left, where that was begun. One that was begun anew, and
 * has committed to the store alone, is old. */
static bool may_be_found(enum gw_store_found found)
{
	enum gw_store_found wanted = rules[accident.kind].found;

	if (found == GW_STORE_NEW)
		return !world.anything_said;
	if (found == GW_STORE_OLD && wanted == GW_STORE_BEGUN)
		return accident.commits;
	return found == wanted || (found == GW_STORE_CURRENT && accident.commits);
}

static void check_found(enum gw_store_found found)
{
	const struct rule *rule = &rules[accident.kind];

	if (!may_be_found(found))
		violated("the store is taken for what it is", "found %d, and not %d", (int)found,
			 (int)rule->found);
	if (rule->wish != GW_STORE_AS_IS && !accident.wished)
		violated("the operator is asked", "found %d", (int)found);
}

void accident_opens(enum gw_store_wish wish)
{
	accident.wished |= wish != GW_STORE_AS_IS;
}

void accident_opened(enum gw_store_wish wish, int err, enum gw_store_found found, const char *error)
{
	const struct rule *rule = &rules[accident.kind];

	tell("the store is opened, wish %d: %d, found %d %s", (int)wish, err, (int)found,
	     err ? error : "");
	accident.heard = accident.refused = false;
	accident.found = found;
	if (!err)
		check_found(found);
	if (!err || disk_fault_now() != FAULT_NONE)
		return;
	accident.refused = rule->wish != GW_STORE_AS_IS && wish == GW_STORE_AS_IS;
	if (!accident.refused)
		violated("the store is taken", "%s", error);
}

bool accident_refused(void)
{
	return accident.refused;
}

enum gw_store_wish accident_wish(void)
{
	return rules[accident.kind].wish;
}

void accident_heard(const char *text)
{
	const char *wanted = loud[accident.found];

	accident.heard |= wanted && strstr(text, wanted);
}

void accident_started(void)
{
	if (loud[accident.found] && !accident.heard)
		violated("the log says so", "found %d", (int)accident.found);
}

void accident_commit(bool done)
{
	accident.commits = true;
	if (done)
		accident.kind = ACCIDENT_NONE;
}

/* the files */

void accident_back_up(int slot)
{
	backups[slot].taken = backups[slot].exact = true;
	backups[slot].jumps = jumps;
	disk_back_up(slot, STATE_DIR);
	for (int i = 0; i < NODES; i++) {
		const struct node *node = &world.node[i];
		backups[slot].revoked[i] = node->revoked;
		backups[slot].exact &= !node->revoke_unsure;
		for (int g = 0; g < GROUPS; g++) {
			backups[slot].banned[i][g] = node->place[g].banned;
			backups[slot].exact &= !node->place[g].unsure;
		}
	}
}

static void happens(enum accident_kind kind)
{
	accident.kind = kind;
	accident.wished = accident.commits = accident.refused = false;
	observer_accident();
}

/* Who has been put out since the backup may come back, and who was let in may not. */
static void place_as_in(int slot, int i, int g)
{
	struct place *p = &world.node[i].place[g];
	bool banned = backups[slot].banned[i][g];

	if (p->banned != banned)
		p->free = !banned;
	p->banned = banned;
	p->wanted &= !banned && !backups[slot].revoked[i];
}

static void stand_as_in(int slot)
{
	for (int i = 0; i < NODES; i++) {
		struct node *node = &world.node[i];
		for (int g = 0; g < GROUPS; g++) {
			place_as_in(slot, i, g);
			node->place[g].free |= node->revoked && !backups[slot].revoked[i];
		}
		node->revoked = backups[slot].revoked[i];
	}
}

bool accident_restore(int slot)
{
	if (!backups[slot].taken || !disk_put_back(slot, STATE_DIR, STORE))
		return false;
	happens(ACCIDENT_RESTORED);
	return true;
}

/* Its journal stays sometimes. */
static void lose_mark(void)
{
	disk_lose(MARK);
	if (chance() % 2)
		disk_lose(MARK "-journal");
}

void accident_lose_mark(void)
{
	lose_mark();
	jumps++;
	happens(ACCIDENT_MARK_LOST);
}

/* A whole disk that was put back, of which nobody can tell how old it is. */
bool accident_restore_unmarked(int slot)
{
	if (!backups[slot].taken || !backups[slot].exact || backups[slot].jumps != jumps ||
	    !disk_put_back(slot, STATE_DIR, STORE))
		return false;
	lose_mark();
	jumps++;
	stand_as_in(slot);
	happens(ACCIDENT_MARK_LOST);
	return true;
}

/* And no journal that would heal it. */
static void damage_store(void)
{
	disk_damage(STORE, (unsigned)chance());
	disk_lose(STORE "-journal");
}

void accident_damage(void)
{
	damage_store();
	happens(ACCIDENT_DAMAGED);
}

/* With the key for tokens all that were handed out are void. */
static void void_tokens(void)
{
	for (int slot = 0; slot < BACKUPS; slot++)
		backups[slot].taken = false; // the key in it is the old one
	for (int i = 0; i < NODES; i++)
		world.node[i].token_void = world.node[i].member != NULL;
}

static void forget_bans(void)
{
	for (int i = 0; i < NODES; i++) {
		world.node[i].revoked = false;
		for (int g = 0; g < GROUPS; g++)
			world.node[i].place[g].banned = false;
	}
}

void accident_blind(void)
{
	if (jumps++ > 0)
		return;
	damage_store();
	lose_mark();
	happens(ACCIDENT_BLIND);
	void_tokens();
	forget_bans();
}

void accident_lose_state(bool keep_key)
{
	uint8_t key[64];
	int file = disk_find(KEY);
	int len = file < 0 ? 0 : disk_read(file, 0, key, sizeof(key));

	disk_lose(STATE_DIR);
	if (keep_key)
		disk_put(KEY, key, (size_t)len);
	happens(ACCIDENT_STATE_LOST);
	if (!keep_key)
		void_tokens();
}
