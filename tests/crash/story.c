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

static void settle(void)
{
	if (!world_settle(world.loss ? LOSSY_MS : SETTLE_MS)) {
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
	if (world.node[i].member)
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
	if (call("unban %s %s", group_names[g], world.node[i].name))
		world.node[i].place[g].unsure = false;
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

	if (!world.node[i].member || world.node[i].revoked || p->banned)
		return;
	// Who is about to leave does that first.
	if (!world_join(i, g) && !p->free)
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

	if (!node->member || (!node->revoked && !node->place[g].banned))
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

static void play_everything(void)
{
	for (size_t i = 0; i < sizeof(everything) / sizeof(everything[0]); i++)
		everything[i].run(everything[i].node, everything[i].group);
}

/* random stories */

static void play_random(void)
{
	static step_fn *const steps[] = {
		join,   join,         join,      join,         leave,        leave,
		evict,  ban,          unban,     ask,          rekey,        renew,
		revoke, use_sequence, add_group, remove_group, wait_a_while,
	};

	for (int i = 0; i < NODES; i++)
		provision(i, TWO);
	for (int i = 0; i < NODES; i++)
		join(i, (int)chance_between(LIGHTS, METERS));
	settle();
	world.loss = chance_between(0, 2) ? 0 : LOSS;
	for (int64_t n = chance_between(8, 20); n > 0; n--) {
		step_fn *step = steps[chance() % (sizeof(steps) / sizeof(steps[0]))];
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
	if (number == 0)
		play_everything();
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
	while (disk_fault_now() != FAULT_NONE)
		world_run(1000);
	int64_t start_ms = world.now_ms;
	settle();
	if (!world.loss)
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
