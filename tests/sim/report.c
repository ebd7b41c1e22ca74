// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/sim/sim.h"

static const char *const rules[RULES] = {
	[RULE_NEWEST] = "each quiet minute every live member has the newest key",
	[RULE_DEPARTED] = "nobody departed has a key made since",
	[RULE_READ] =
		"what a live member says is read by every live responder, and answered by one",
	[RULE_SECRET] = "nobody departed reads, or is listened to",
	[RULE_FORWARD] = "num and Gid never go back, restarts included",
	[RULE_NONCE] = "no nonce goes with two messages",
	[RULE_STORED] = "nothing is said to a group that is not stored",
	[RULE_SHARE] = "rekeying keeps within its share of the link",
	[RULE_LEDGER] = "the ledger of deliveries is right, and they end",
	[RULE_REPLAY] = "no group message is read twice",
	[RULE_CAUSE] = "nobody is removed without cause",
	[RULE_REMOVED] = "everybody unreachable is removed within the bound",
	[RULE_LASTING] = "what was told is still so after a crash",
	[RULE_NOTES] = "notes, members and answers agree",
	[RULE_CATCH_UP] = "everybody in reach catches up within the bound",
	[RULE_OBSERVED] = "who observes is registered, once the KDC has answered it",
	[RULE_CALLS] = "no call fails",
	[RULE_MEMORY] = "no memory is left behind",
	[RULE_QUIET] = "most minutes are quiet",
	[RULE_HAPPENED] = "everything that can happen did",
};

static const char *const tallies[TALLIES] = {
	[DATAGRAMS] = "datagrams",
	[FRAMES] = "frames",
	[LOST] = "lost",
	[DUPLICATES] = "duplicates",
	[REPLAYS] = "replays",
	[REQUESTS] = "requests",
	[QUESTIONS] = "questions to many",
	[RETRANSMISSIONS] = "retransmissions",
	[NO_ANSWERS] = "no_answers",
	[STORES] = "stores",
	[REKEYINGS] = "rekeyings",
	[CASTS] = "multicasts",
	[CAST_PARTS] = "in_parts",
	[BEACONS] = "beacons",
	[CONFIRMS] = "confirmations",
	[CONFIRMED] = "confirmed",
	[DELIVERIES] = "deliveries",
	[PARKED] = "parked",
	[BY_MULTICAST] = "by_multicast",
	[BY_UNICAST] = "by_unicast",
	[BY_OBSERVE] = "by_observe",
	[BY_PULL] = "by_pull",
	[AIR] = "air_bytes",
	[AIR_REKEYING] = "rekeying_bytes",
	[RECOVERIES] = "recoveries",
	[JOINS] = "joins",
	[JOINS_AGAIN] = "joins_again",
	[LEAVES] = "leaves",
	[LOSSES] = "losses",
	[RETURNS] = "returns",
	[REBOOTS] = "reboots",
	[RENEWALS] = "renewals",
	[EVICTIONS] = "evictions",
	[THEFTS] = "thefts",
	[EXPIRIES] = "expiries",
	[ABSENCES] = "absences",
	[UNLUCKY] = "unlucky",
	[RESTARTS] = "restarts",
	[CRASHES] = "crashes",
	[SCHEMES] = "schemes",
	[BLIND] = "blind",
	[FORGED] = "forged",
	[TAMPERED] = "tampered",
	[PURGES] = "purges",
	[SAYINGS] = "sayings",
	[READINGS] = "readings",
	[REFUSALS] = "refusals",
	[RESPONSES] = "responses",
	[QUIET_MINUTES] = "quiet_minutes",
	[MINUTES] = "minutes",
	[SPEECHES] = "speeches",
	[SPEECH_ROUNDS] = "speech_rounds",
	[TALKS] = "talks",
	[TALK_ROUNDS] = "talk_rounds",
	[NOTIFICATIONS] = "notifications",
	[NOTIFIED] = "acknowledged",
	[RESETS] = "resets",
	[UNNOTIFIED] = "unacknowledged",
	[CANCELS] = "cancels",
};

const char *tally_name(enum tally tally)
{
	return tallies[tally];
}

static void put_lags(const struct world *w)
{
	static const struct {
		enum gk_via via;
		const char *name;
	} ways[] = { { GK_VIA_MULTICAST, "multicast" },
		     { GK_VIA_UNICAST, "unicast" },
		     { GK_VIA_OBSERVE, "notification" },
		     { GK_VIA_PULL, "pull" } };

	for (size_t i = 0; i < COUNT(ways); i++) {
		const struct lag *lag = &w->lags[ways[i].via];

		if (lag->count)
			printf("# the newest material by %s: %llu times, after %.1f s on average, "
			       "%.0f s at most\n",
			       ways[i].name, (unsigned long long)lag->count,
			       (double)lag->sum_ms / 1000 / (double)lag->count,
			       (double)lag->max_ms / 1000);
	}
}

unsigned report(struct world *w, unsigned *test)
{
	static const struct tallies table = { tallies, TALLIES, 4, 15, 10 };
	unsigned count = verdicts_put(w->broken, rules, RULES, w->opt.seed, test);

	if (w->opt.quiet)
		return count;
	tallies_put(&table, w->tally);
	put_lags(w);
	return count;
}
