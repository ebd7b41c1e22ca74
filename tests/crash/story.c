// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What happens: to nodes, by the operator, to the configuration. */
#include "gatewayd/usage.h"
#include "tests/crash/crash.h"

#include <stdlib.h>
#include <string.h>

#define LIGHTS    0
#define METERS    1
#define BLINDS    2
#define TWO       3 /* lights and meters: for tokens alone */
#define ROLES     "--roles requester,responder"
#define HOUR_MS   (3600 * 1000)
#define SETTLE_MS (HOUR_MS / 4)
#define LOSSY_MS  (3 * HOUR_MS) /* where datagrams get lost: members ask once an hour */
#define LOSS      20
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

#define RARE  4 /* one accident for so many steps */
#define OFTEN 100

#define PROVISION_TRIES 60 /* a minute each */

static void write_conf(bool blinds)
{
	snprintf(world.conf, sizeof(world.conf),
		 "interface = \"lowpan0\";\n"
		 "state_dir = \"/flash/state\"; mark = \"/flash/mark/gatewayd.mark\";\n"
		 "groups = ( { name = \"lights\"; rekey = { scheme = \"tree\"; }; },\n"
		 " { name = \"meters\"; rekey = { scheme = \"point-to-point\"; }; }%s );\n",
		 blinds ? ",\n { name = \"blinds\"; rekey = { scheme = \"tree\"; }; }" : "");
}

/* What the operator was not told of has happened or not, by now: the KDC says which. */
static void resolve_node(struct node *node)
{
	for (int g = 0; g < GROUPS; g++) {
		struct place *p = &node->place[g];
		if (!p->unsure && !node->revoke_unsure)
			continue;
		p->wanted = p->wanted && observer_lists(node, g, false);
		p->banned = observer_lists(node, g, true);
		p->free = !p->wanted && !p->banned;
		p->unsure = false;
	}
	node->revoked |= node->revoke_unsure && observer_revoked(node);
	node->revoke_unsure = false;
}

static void resolve(void)
{
	for (int i = 0; i < NODES && world.daemon; i++)
		resolve_node(&world.node[i]);
}

/* Who the KDC has forgotten finds out when it asks, which it does once an hour. */
static bool takes_long(void)
{
	return world.loss || observer_astray();
}

static void settle(void)
{
	if (!world_settle(takes_long() ? LOSSY_MS : SETTLE_MS)) {
		violated("everybody gets the newest keys", "%s", world_unsettled());
		return;
	}
	observer_quiet();
	resolve();
}

/* the operator */

static bool call(const char *format, const char *a, const char *b)
{
	char words[200];

	snprintf(words, sizeof(words), format, a, b);
	return daemon_call(words, NULL) == GW_DONE;
}

/* Steps: what happens to a node in a group, or to one of both. */

static void provision(int i, int g)
{
	static const char *const groups[] = {
		[LIGHTS] = "--group lights " ROLES,
		[METERS] = "--group meters " ROLES,
		[BLINDS] = "--group blinds " ROLES,
		[TWO] = ("--group lights " ROLES " --group meters " ROLES),
	};
	struct io_bundle bundle;
	char words[300], error[IO_BUNDLE_ERROR], *answer;

	snprintf(words, sizeof(words), "client add %s %s", world.node[i].name, groups[g]);
	if (world.node[i].member && !world.node[i].token_void)
		return;
	if (daemon_call(words, &answer) == GW_DONE) {
		if (!io_bundle_parse(gk_span_str(answer), &bundle, error, sizeof(error)))
			violated("the operator is answered", "%s", error);
		else
			world_node_new(i, &bundle);
	}
	free(answer);
	point(POINT_SEND);
}

static void rekey(int i, int g)
{
	(void)i;
	call("rekey %s%s", group_names[g], "");
}

static void rekey_often(int i, int g)
{
	for (int n = 0; n < OFTEN; n++)
		rekey(i, g);
}

static void put_out(int i, int g, bool ban)
{
	struct place *p = &world.node[i].place[g];

	if (!p->wanted)
		return;
	p->unsure = true;
	if (call(ban ? "evict %s %s --ban" : "evict %s %s", group_names[g], world.node[i].name)) {
		p->unsure = p->wanted = false;
		p->banned = ban;
		p->free = !ban;
	}
	point(POINT_SEND);
}

static void evict(int i, int g)
{
	put_out(i, g, false);
}

static void ban(int i, int g)
{
	put_out(i, g, true);
}

static void unban(int i, int g)
{
	if (!world.node[i].place[g].banned)
		return;
	world.node[i].place[g].banned = false;
	world.node[i].place[g].unsure = true;
	if (call("unban %s %s", group_names[g], world.node[i].name)) {
		world.node[i].place[g].unsure = false;
		world.node[i].place[g].free = true;
	}
}

static void revoke(int i, int g)
{
	struct node *node = &world.node[i];

	(void)g;
	if (!node->member || node->revoked)
		return;
	node->revoke_unsure = true;
	if (call("client revoke %s%s", node->name, "")) {
		node->revoke_unsure = false;
		node->revoked = true;
		for (int k = 0; k < GROUPS; k++)
			node->place[k].wanted = false;
	}
	point(POINT_SEND);
}

static void use_sequence(int i, int g)
{
	(void)i;
	daemon_use_sequence((unsigned)chance_between(1, 3));
	rekey(i, g);
}

static void reload(bool blinds)
{
	for (int i = 0; i < NODES && !blinds; i++)
		world.node[i].place[BLINDS].unsure |= world.node[i].place[BLINDS].wanted;
	write_conf(blinds);
	if (daemon_reload() && !blinds) {
		for (int i = 0; i < NODES; i++)
			world.node[i].place[BLINDS].wanted = world.node[i].place[BLINDS].unsure =
				false;
	}
}

static void add_group(int i, int g)
{
	(void)i, (void)g;
	reload(true);
}

static void remove_group(int i, int g)
{
	(void)i, (void)g;
	reload(false);
}

/* nodes */

static void join(int i, int g)
{
	struct place *p = &world.node[i].place[g];

	if (!world.node[i].member || world.node[i].revoked || world.node[i].token_void || p->banned)
		return;
	// Who is about to leave does that first, though its join is still under way.
	if (!world_join(i, g) && !(p->free && world_info(&world.node[i], g).joined))
		return;
	p->wanted = true;
	p->free = false;
}

static void leave(int i, int g)
{
	struct node *node = &world.node[i];

	if (!node->member || !node->place[g].wanted)
		return;
	tell("%s leaves %s", node->name, group_names[g]);
	node->place[g].wanted = node->place[g].free = false;
	(void)!gk_member_leave(node->member, gk_span_str(group_names[g]), world_now());
	world_drain(node);
}

static void renew(int i, int g)
{
	struct node *node = &world.node[i];

	if (!node->member || !world_info(node, g).joined)
		return;
	tell("%s renews in %s", node->name, group_names[g]);
	(void)!gk_member_renew(node->member, gk_span_str(group_names[g]), world_now());
	world_drain(node);
}

static void ask(int i, int g)
{
	struct node *node = &world.node[i];

	if (!node->member || !world_info(node, g).joined)
		return;
	(void)!gk_member_check(node->member, gk_span_str(group_names[g]), world_now());
	world_drain(node);
}

/* Who is kept out tries. */
static void try_join(int i, int g)
{
	const struct node *node = &world.node[i];

	if (!node->member || (!node->revoked && !node->place[g].banned && !node->token_void))
		return;
	world_join(i, g);
	world_run(30000);
	(void)!gk_member_leave(node->member, gk_span_str(group_names[g]), world_now());
	world_drain(&world.node[i]);
}

static void wait_a_day(int i, int g)
{
	(void)i, (void)g;
	world_run(24 * HOUR_MS);
}

static void wait_a_while(int i, int g)
{
	(void)i, (void)g;
	world_run(chance_between(0, 2 * HOUR_MS));
}

static void come_to_rest(int i, int g)
{
	(void)i, (void)g;
	settle();
}

/* the files */

static void wait_for_disk(void)
{
	while (disk_fault_now() != FAULT_NONE)
		world_run(1000);
}

/* What the operator does not know to have been done is not asked for again. */
static void give_up_place(struct place *p)
{
	p->free |= p->unsure;
	p->wanted &= !p->unsure;
	p->unsure = false;
}

static bool wants_any(const struct node *node)
{
	bool wants = false;

	for (int g = 0; g < GROUPS; g++)
		wants |= node->place[g].wanted;
	return wants;
}

/* Its first life is over, and with it what it was told. */
static void join_anew(int i)
{
	for (int g = 0; g < GROUPS; g++) {
		if (world.node[i].place[g].wanted)
			world_join(i, g);
	}
}

/* A ban is of who holds the old token; the operator has given this one to another, as it were. */
static void lift_bans(struct node *node)
{
	for (int g = 0; g < GROUPS; g++) {
		node->place[g].free |= node->place[g].banned;
		node->place[g].banned = false;
	}
}

/* There are no tokens while the clock is wrong. */
static void provision_anew(int i)
{
	struct node *node = &world.node[i];

	for (int g = 0; g < GROUPS; g++)
		give_up_place(&node->place[g]);
	if (node->revoked || node->revoke_unsure || !wants_any(node))
		return;
	for (int tries = 0; tries < PROVISION_TRIES && node->token_void; tries++) {
		provision(i, node->place[BLINDS].wanted ? BLINDS : TWO);
		if (node->token_void)
			world_run(60000);
	}
	if (!node->token_void)
		lift_bans(node);
}

/* The operator, once the daemon runs again. */
static void provision_all_anew(void)
{
	for (int i = 0; i < NODES; i++) {
		if (world.node[i].token_void)
			provision_anew(i);
		if (world.node[i].bundles > 1 && !world.node[i].token_void)
			join_anew(i);
	}
}

static void back_up(int slot, int g)
{
	(void)g;
	accident_back_up(slot);
}

/* Told to, or killed. The disk has everything then. */
static void stop(void)
{
	wait_for_disk();
	settle();
	if (chance() % 2)
		daemon_stop();
	else
		daemon_dies();
	disk_settle();
	world_run(chance_between(500, 8000));
}

static void start(void)
{
	daemon_start();
	provision_all_anew();
}

static void restore(int slot, int g)
{
	(void)g;
	stop();
	accident_restore(slot);
	start();
}

static void restore_unmarked(int slot, int g)
{
	(void)g;
	stop();
	accident_restore_unmarked(slot);
	start();
}

static void lose_mark(int i, int g)
{
	(void)i, (void)g;
	stop();
	accident_lose_mark();
	start();
}

static void damage(int i, int g)
{
	(void)i, (void)g;
	stop();
	accident_damage();
	start();
}

static void blind(int i, int g)
{
	(void)i, (void)g;
	stop();
	accident_blind();
	start();
}

/* The key for tokens is put back, or it is not. */
static void lose_state(int keep_key, int g)
{
	(void)g;
	stop();
	accident_lose_state(keep_key);
	start();
}

typedef void step_fn(int node, int group);

/* the story in which everything happens */

#define REST                                                                                       \
	{                                                                                          \
		come_to_rest, 0, 0                                                                 \
	}

static const struct step {
	step_fn *run;
	int node, group;
} everything[] = {
	{ provision, 0, LIGHTS },
	{ join, 0, LIGHTS },
	REST,
	/* several at once, one of them in two groups */
	{ provision, 1, LIGHTS },
	{ provision, 2, LIGHTS },
	{ provision, 3, TWO },
	{ provision, 4, METERS },
	{ join, 1, LIGHTS },
	{ join, 2, LIGHTS },
	{ join, 3, LIGHTS },
	{ join, 3, METERS },
	REST,
	{ join, 4, METERS },
	REST,
	{ rekey, 0, LIGHTS },
	REST,
	/* departures of each kind, and returns */
	{ leave, 1, LIGHTS },
	REST,
	{ ban, 2, LIGHTS },
	REST,
	{ try_join, 2, LIGHTS },
	{ unban, 2, LIGHTS },
	{ join, 2, LIGHTS },
	REST,
	/* the end of a block of sequence numbers */
	{ use_sequence, 0, METERS },
	REST,
	{ rekey, 0, METERS },
	{ rekey, 0, METERS },
	REST,
	{ renew, 3, METERS },
	REST,
	{ revoke, 0, LIGHTS },
	REST,
	{ join, 1, LIGHTS },
	REST,
	/* a group comes and goes */
	{ add_group, 0, 0 },
	{ provision, 5, BLINDS },
	{ join, 5, BLINDS },
	REST,
	{ evict, 1, LIGHTS },
	{ leave, 3, LIGHTS },
	REST,
	{ remove_group, 0, 0 },
	REST,
	{ join, 3, LIGHTS },
	{ wait_a_day, 0, 0 },
	REST,
};

/* ... and the one of accidents */

static const struct step accidents[] = {
	{ provision, 0, TWO },
	{ provision, 1, TWO },
	{ provision, 2, TWO },
	{ provision, 3, TWO },
	{ join, 0, LIGHTS },
	{ join, 1, LIGHTS },
	{ join, 1, METERS },
	{ join, 2, LIGHTS },
	{ join, 3, LIGHTS },
	REST,
	{ ban, 3, LIGHTS },
	REST,
	{ back_up, 0, 0 },
	/* what the backup does not know */
	{ unban, 3, LIGHTS },
	{ provision, 4, TWO },
	{ provision, 5, TWO },
	{ join, 4, LIGHTS },
	{ join, 5, METERS },
	REST,
	{ ban, 2, LIGHTS },
	{ revoke, 4, LIGHTS },
	{ evict, 5, METERS },
	{ rekey, 0, LIGHTS },
	REST,
	{ back_up, 1, 0 },
	{ restore, 0, 0 },
	REST,
	{ rekey, 0, METERS },
	{ restore, 0, 0 },
	REST,
	{ try_join, 2, LIGHTS },
	{ try_join, 4, LIGHTS },
	{ join, 5, METERS },
	{ restore, 1, 0 },
	REST,
	{ ban, 0, METERS },
	{ damage, 0, 0 },
	REST,
	{ try_join, 4, LIGHTS },
	{ lose_state, 1, 0 },
	REST,
	{ try_join, 2, LIGHTS },
	{ revoke, 1, LIGHTS },
	{ lose_state, 0, 0 },
	REST,
	{ try_join, 1, LIGHTS },
	{ back_up, 0, 0 },
	{ ban, 0, LIGHTS },
	{ rekey, 0, LIGHTS },
	REST,
	/* nobody knows how old it is: who was put out since may come back */
	{ restore_unmarked, 0, 0 },
	REST,
	{ try_join, 2, LIGHTS },
	{ join, 0, LIGHTS },
	REST,
	{ restore, 0, 0 },
	REST,
};

#define SOME_MEMBERS                                                                               \
	{ provision, 0, TWO }, { provision, 1, TWO }, { provision, 2, TWO },                       \
		{ provision, 3, TWO }, { join, 0, LIGHTS }, { join, 1, METERS },                   \
		{ join, 2, LIGHTS }, { join, 3, LIGHTS }, REST, { ban, 2, LIGHTS },                \
		{ revoke, 3, LIGHTS }, REST

static const struct step mark_lost[] = {
	SOME_MEMBERS,
	{ back_up, 0, 0 },
	{ rekey_often, 0, METERS },
	REST,
	{ back_up, 1, 0 },
	{ restore_unmarked, 0, 0 },
	REST,
	/* it has counted further than the one that was adopted since */
	{ restore, 1, 0 },
	REST,
	{ lose_mark, 0, 0 },
	REST,
	{ try_join, 2, LIGHTS },
	{ try_join, 3, LIGHTS },
	REST,
	{ unban, 2, LIGHTS },
	{ join, 2, LIGHTS },
	REST,
};

static const struct step all_lost[] = {
	SOME_MEMBERS, { blind, 0, 0 }, REST, { try_join, 2, LIGHTS }, { try_join, 3, LIGHTS }, REST,
};

static const struct story {
	const struct step *steps;
	size_t count;
} stories[STORIES] = {
	{ everything, COUNT(everything) },
	{ accidents, COUNT(accidents) },
	{ mark_lost, COUNT(mark_lost) },
	{ all_lost, COUNT(all_lost) },
};

static void play_steps(const struct story *story)
{
	for (size_t i = 0; i < story->count; i++)
		story->steps[i].run(story->steps[i].node, story->steps[i].group);
}

/* random stories */

static void play_random(void)
{
	static step_fn *const steps[] = {
		join,   join,         join,      join,         leave,        leave,
		evict,  ban,          unban,     ask,          rekey,        renew,
		revoke, use_sequence, add_group, remove_group, wait_a_while,
	};
	static step_fn *const rare[] = {
		back_up,          back_up,   restore, restore,    restore,
		restore_unmarked, lose_mark, damage,  lose_state, blind,
	};

	for (int i = 0; i < NODES; i++)
		provision(i, TWO);
	for (int i = 0; i < NODES; i++)
		join(i, (int)chance_between(LIGHTS, METERS));
	settle();
	world.loss = chance_between(0, 2) ? 0 : LOSS;
	for (int64_t n = chance_between(8, 20); n > 0; n--) {
		step_fn *step = steps[chance() % COUNT(steps)];
		if (chance() % RARE == 0)
			rare[chance() % COUNT(rare)]((int)chance_between(0, BACKUPS - 1), 0);
		step((int)chance_between(0, NODES - 1), (int)chance_between(LIGHTS, METERS));
		if (chance_between(0, 1))
			world_run(chance_between(0, 3000));
		else
			settle();
	}
	settle();
}

void story_play(uint64_t number)
{
	write_conf(false);
	daemon_start();
	if (number < STORIES)
		play_steps(&stories[number]);
	else
		play_random();
}

/* afterwards */

static void speak(void)
{
	size_t others = 0;
	int speaker = -1;

	for (int i = 0; i < NODES; i++) {
		if (!observer_lists(&world.node[i], LIGHTS, false) ||
		    !world_info(&world.node[i], LIGHTS).joined)
			continue;
		others += speaker >= 0;
		if (speaker < 0)
			speaker = i;
	}
	if (others == 0)
		return;
	/* Who does not know the speaker yet asks for its credential, and hears the next. */
	for (int tries = 0; tries < 4; tries++) {
		world_speak(speaker, LIGHTS);
		world_run(5000);
		if (world.heard >= others)
			return;
		world_run(60000);
	}
	violated("members read each other", "%zu of %zu", world.heard, others);
}

void story_end(void)
{
	wait_for_disk();
	int64_t start_ms = world.now_ms;
	provision_all_anew();
	bool long_way = takes_long();
	settle();
	if (!long_way)
		verdict_settled(world.now_ms - start_ms);
	world.loss = 0;
	if (world_unsettled())
		return;
	if (!call("rekey %s%s", group_names[LIGHTS], "") && disk_fault_now() == FAULT_NONE)
		violated("the operator is answered", "rekey");
	settle();
	for (int i = 0; i < NODES; i++)
		try_join(i, LIGHTS);
	settle();
	speak();
}
