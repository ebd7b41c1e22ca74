// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/args.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: sim [--seed N] [--nodes N] [--days N] [--loss P] [--drop P] [--quiet]\n"
	"           [--scheme tree|mixed|point-to-point] [--confirm auto|all|implicit|none]\n"
	"           [--beacon SECONDS] [--cell group|pairwise|both] [--observers P]\n"
	"  --loss is of frames, --drop of whole datagrams beside that; --observers is the share\n"
	"  of members that take no requests and observe instead.\n"
	"  Without any option but --quiet: some fixed runs.\n";

static const char *const schemes[] = {
	[SIM_POINT_TO_POINT] = "point-to-point", [SIM_TREE] = "tree", [SIM_MIXED] = "mixed"
};
static const char *const modes[] = {
	[GK_MODE_GROUP] = "group", [GK_MODE_PAIRWISE] = "pairwise", [GK_MODE_BOTH] = "both"
};
static const char *const confirms[] = { [GK_CONFIRM_AUTO] = "auto",
					[GK_CONFIRM_ALL] = "all",
					[GK_CONFIRM_IMPLICIT] = "implicit",
					[GK_CONFIRM_NONE] = "none" };

#define OBSERVERS 0.2 /* where nothing else is said */

#define SETS(field)  ARG_SETS(struct options, field)
#define WORDS(array) .words = (array), .word_count = COUNT(array)

static const struct arg args[] = {
	{ "--seed", ARG_WHOLE, SETS(seed) },
	{ "--nodes", ARG_WHOLE, SETS(nodes), 12, NODES_MAX },
	{ "--days", ARG_REAL, SETS(days), 0.125, 3650 },
	{ "--loss", ARG_REAL, SETS(loss), 0, 0.9 },
	{ "--drop", ARG_REAL, SETS(drop), 0, 0.9 },
	{ "--scheme", ARG_WORD, SETS(scheme), WORDS(schemes) },
	{ "--confirm", ARG_WORD, SETS(confirm), WORDS(confirms) },
	{ "--beacon", ARG_WHOLE, SETS(beacon_s), 1, 3600 },
	{ "--observers", ARG_REAL, SETS(observers), 0, 1 },
	{ "--cell", ARG_WORD, SETS(cell), WORDS(modes) },
	{ "--quiet", ARG_FLAG, SETS(quiet) },
};

static void need(struct world *w, const enum tally *needed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!w->tally[needed[i]])
			broken(w, RULE_HAPPENED, KDC, "%s: 0", tally_name(needed[i]));
	}
}

/* A run that put nothing to the test must not pass: but a short one need not see everything. */
static void check_run(struct world *w)
{
	static const enum tally needed[] = {
		JOINS,   JOINS_AGAIN, LEAVES,   ABSENCES, RETURNS,   REBOOTS, RENEWALS,
		THEFTS,  EVICTIONS,   CRASHES,  RESTARTS, EXPIRIES,  BLIND,   FORGED,
		SAYINGS, READINGS,    SPEECHES, REFUSALS, RESPONSES, PURGES,
	};
	static const enum tally needed_of_pairs[] = { TALKS };
	static const enum tally needed_of_observers[] = { NOTIFICATIONS, NOTIFIED, UNNOTIFIED,
							  CANCELS, BY_OBSERVE };
	static const enum tally needed_of_tree[] = { CASTS, BY_MULTICAST, TAMPERED };

	if (w->opt.days >= 1 && 2 * w->tally[QUIET_MINUTES] < w->tally[MINUTES])
		broken(w, RULE_QUIET, KDC, "%llu of %llu",
		       (unsigned long long)w->tally[QUIET_MINUTES],
		       (unsigned long long)w->tally[MINUTES]);
	if (w->opt.days < 3)
		return;
	need(w, needed, COUNT(needed));
	if (w->opt.scheme != SIM_POINT_TO_POINT && w->opt.observers < 1)
		need(w, needed_of_tree, COUNT(needed_of_tree));
	if (w->opt.cell != GK_MODE_GROUP)
		need(w, needed_of_pairs, COUNT(needed_of_pairs));
	if (w->opt.observers > 0)
		need(w, needed_of_observers, COUNT(needed_of_observers));
}

static void put_options(const struct options *opt)
{
	printf("# sim --seed %llu --scheme %s --nodes %d --days %g --loss %g",
	       (unsigned long long)opt->seed, schemes[opt->scheme], opt->nodes, opt->days,
	       opt->loss);
	printf(" --observers %g", opt->observers);
	if (opt->drop > 0)
		printf(" --drop %g", opt->drop);
	if (opt->scheme != SIM_POINT_TO_POINT)
		printf(" --confirm %s", confirms[opt->confirm]);
	if (opt->beacon_s)
		printf(" --beacon %u", (unsigned)opt->beacon_s);
	if (opt->cell != GK_MODE_GROUP)
		printf(" --cell %s", modes[opt->cell]);
	printf("\n");
}

static unsigned run(const struct options *opt, unsigned *test)
{
	struct world w = { .opt = *opt };
	clock_t start = clock();
	unsigned count;

	put_options(opt);
	fflush(stdout);
	world_run(&w);
	check_run(&w);
	count = report(&w, test);
	printf("# %.1f s of CPU\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	world_free(&w);
	return count;
}

/* A large world of each scheme; and smaller ones, in which more happens to each node, and whoever
 * is told tells or does not. */
static unsigned run_default(const struct options *base, unsigned *test)
{
	const struct options runs[] = {
		{ 1, 160, 1, .loss = 0.2, .scheme = SIM_TREE },
		{ 2, 120, 2, .loss = 0.2, .drop = 0.2 },
		{ 3, 40, 3, .loss = 0.2, .drop = 0.2 },
		{ 4, 40, 3, .loss = 0.4, .scheme = SIM_TREE, .confirm = GK_CONFIRM_ALL },
		{ 5, 40, 3, .loss = 0.2, .scheme = SIM_TREE, .confirm = GK_CONFIRM_IMPLICIT },
		{ 6, 40, 3, .loss = 0.2, .scheme = SIM_TREE, .confirm = GK_CONFIRM_NONE,
		  .beacon_s = 4 },
		{ 7, 40, 3, .loss = 0.2, .drop = 0.1, .scheme = SIM_MIXED,
		  .cell = GK_MODE_PAIRWISE },
		{ 8, 40, 3, .loss = 0.3, .scheme = SIM_MIXED, .confirm = GK_CONFIRM_NONE,
		  .cell = GK_MODE_BOTH },
	};
	unsigned count = 0;

	for (size_t i = 0; i < COUNT(runs); i++) {
		struct options opt = runs[i];

		opt.quiet = base->quiet;
		opt.observers = OBSERVERS;
		count += run(&opt, test);
	}
	return count;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.seed = 1,
		.nodes = 200,
		.days = 7,
		.loss = 0.2,
		.observers = OBSERVERS,
		.scheme = SIM_TREE,
	};
	bool described = args_read(argv + (argc > 0), args, COUNT(args), usage, &opt);

	return world_main(described ? run : run_default, &opt);
}
