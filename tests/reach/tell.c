// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/reach/reach.h"

static const char *const rules[RULES] = {
	[RULE_ALIVE] = "who is connected is not removed, but by much bad luck",
	[RULE_RESTART] = "who was doubted before a restart is judged anew",
	[RULE_GONE] = "who is cut off is removed within the bound",
	[RULE_BLIND] = "nobody is judged while we are blind",
	[RULE_MASS] = "many at once are noticed, and not removed before that is confirmed",
	[RULE_SIGHT] = "a group whose members are back is not blind any more",
	[RULE_ONCE] = "a confirmed loss is one rekeying",
	[RULE_KEPT] = "where nobody is to be removed nobody is, and absence is alarmed, and ends",
	[RULE_ASLEEP] = "sleepers are not removed before sleep_max",
	[RULE_CHECKS] = "a quiet member is checked once in check_interval",
	[RULE_ASKED] = "everybody is asked no more often than there is reason to",
	[RULE_SPREAD] = "checks are spread",
	[RULE_AIR] = "checks keep within the share of the link",
	[RULE_HOP] = "the kernel is asked for who is next on the way to a node",
	[RULE_TRUST] = "nobody is suspected by a kernel that was wrong about it just now",
	[RULE_INCIDENT] = "what happens to a node costs a bounded number of notes",
	[RULE_STATE] = "what is known is what is so, lost notices or not",
	[RULE_EXPECTED] = "what a trace says came of it",
	[RULE_CALLS] = "no call fails",
	[RULE_MEMORY] = "no memory is left behind",
	[RULE_HAPPENED] = "everything that can happen did",
};

static const char *const tallies[TALLIES] = {
	[JOINS] = "joins",
	[TALKS] = "talks",
	[PROBES_KERNEL] = "kernel_probes",
	[REQUESTS] = "requests",
	[MULTICASTS] = "by_multicast",
	[UNANSWERED] = "unanswered",
	[REKEYINGS] = "rekeyings",
	[NOTICES] = "notices",
	[OVERRUNS] = "overruns",
	[SUSPICIONS] = "suspicions",
	[ABSENCES] = "absences",
	[RETURNS] = "returns",
	[ALARMS] = "alarms",
	[REMOVALS] = "removals",
	[UNLUCKY] = "unlucky",
	[DOUBTED] = "doubted",
	[BEYOND] = "beyond",
	[OUTAGES] = "outages",
	[FLAPS] = "flaps",
	[MOVES] = "moves",
	[ROUTER_DEATHS] = "router_deaths",
	[ATTACKS] = "attacks",
	[TAKEOVERS] = "takeovers",
	[NAPS] = "naps",
	[OVERSLEPT] = "overslept",
	[RESTARTS] = "restarts",
	[LINK_DOWNS] = "link_downs",
	[RADIO_DOWNS] = "radio_downs",
	[RECREATIONS] = "recreations",
	[ADDRESS_LOSSES] = "address_losses",
	[PARTIAL_LOSSES] = "partial_losses",
	[MASS_LOSSES] = "mass_losses",
	[MASS_BLIND] = "mass_blind",
	[CONFIRMED_LOSSES] = "confirmed",
	[RECOVERED_LOSSES] = "recovered",
};

const char *tally_name(enum tally tally)
{
	return tallies[tally];
}

unsigned tell(struct world *w, unsigned *test)
{
	static const struct tallies table = { tallies, TALLIES, 5, 14, 9 };
	unsigned count = verdicts_put(w->broken, rules, RULES, w->opt.seed, test);

	if (w->opt.terse)
		return count;
	tallies_put(&table, w->tally);
	printf("# at most %u checks in one second\n", w->in_second_max);
	return count;
}
