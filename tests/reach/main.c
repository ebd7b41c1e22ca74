// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/reach/reach.h"

#include "io/log.h"
#include "tests/lib/args.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: reach [--seed N] [--nodes N] [--days N] [--loss P] [--quiet P] [--sleepy P]\n"
	"             [--interval SECONDS] [--probes N] [--grace SECONDS] [--scheme tree|none]\n"
	"             [--link BITS_PER_S] [--evict yes|no] [--record FILE] [--trace FILE] "
	"[--terse]\n"
	"  --loss is of frames, --quiet the share of nodes that say nothing by themselves, "
	"--sleepy\n"
	"  the share of those that sleep. --record writes what the kernel said as a trace, "
	"--trace\n"
	"  plays one. Without any option but --terse: some fixed runs.\n";

#define NARROW_BPS 50000

static const struct options defaults = {
	.seed = 1,
	.nodes = 100,
	.days = 2,
	.loss = 0.1,
	.link_bps = LINK_BPS,
	.presence = { .check_interval_s = 300,
		      .probes = 3,
		      .probe_wait_s = 5,
		      .grace_s = 60,
		      .sleep_max_s = 6 * 3600,
		      .evict = true,
		      .evict_rate = 60,
		      .mass_loss_percent = 50,
		      .mass_loss_window_s = 600 },
	.tree = true,
	.quiet = 0.7,
	.sleepy = 0.1,
};

static const char *const schemes[] = { [false] = "none", [true] = "tree" };

static const char *const answers[] = { [false] = "no", [true] = "yes" };

#define SETS(field) ARG_SETS(struct options, field)

static const struct arg args[] = {
	{ "--seed", ARG_WHOLE, SETS(seed) },
	{ "--nodes", ARG_WHOLE, SETS(nodes), 10, NODES_MAX },
	{ "--days", ARG_REAL, SETS(days), 0.01, 3650 },
	{ "--loss", ARG_REAL, SETS(loss), 0, 0.9 },
	{ "--link", ARG_WHOLE, SETS(link_bps), 1000, 1e9 },
	{ "--quiet", ARG_REAL, SETS(quiet), 0, 1 },
	{ "--sleepy", ARG_REAL, SETS(sleepy), 0, 1 },
	{ "--interval", ARG_WHOLE, SETS(presence.check_interval_s), 1, 86400 },
	{ "--probes", ARG_WHOLE, SETS(presence.probes), 2, 10 },
	{ "--grace", ARG_WHOLE, SETS(presence.grace_s), 1, 3600 },
	{ "--scheme", ARG_WORD, SETS(tree), .words = schemes, .word_count = COUNT(schemes) },
	{ "--evict", ARG_WORD, SETS(presence.evict), .words = answers,
	  .word_count = COUNT(answers) },
	{ "--record", ARG_TEXT, SETS(record) },
	{ "--trace", ARG_TEXT, SETS(trace) },
	{ "--terse", ARG_FLAG, SETS(terse) },
};

/* A run that put nothing to the test must not pass: but a short one need not see everything. */
static void check_happened(struct world *w)
{
	static const enum tally needed[] = {
		JOINS,          TALKS,       MULTICASTS,       REKEYINGS,
		OVERRUNS,       SUSPICIONS,  RETURNS,          REMOVALS,
		FLAPS,          MOVES,       ATTACKS,          TAKEOVERS,
		NAPS,           OVERSLEPT,   ROUTER_DEATHS,    RESTARTS,
		LINK_DOWNS,     RADIO_DOWNS, RECREATIONS,      ADDRESS_LOSSES,
		PARTIAL_LOSSES, MASS_BLIND,  CONFIRMED_LOSSES, RECOVERED_LOSSES,
	};

	for (size_t i = 0; w->opt.days >= 10 && !w->played && i < COUNT(needed); i++) {
		if (!w->tally[needed[i]])
			broken(w, RULE_HAPPENED, GATEWAY, "%s: 0", tally_name(needed[i]));
	}
}

static void put_options(const struct options *opt)
{
	const struct gk_presence_config *p = &opt->presence;

	printf("# reach --seed %llu ", (unsigned long long)opt->seed);
	if (opt->trace)
		printf("--trace %s", opt->trace);
	else
		printf("--nodes %d --days %g --loss %g --quiet %g --sleepy %g --interval %u "
		       "--probes %u --grace %u --scheme %s",
		       opt->nodes, opt->days, opt->loss, opt->quiet, opt->sleepy,
		       p->check_interval_s, p->probes, p->grace_s, schemes[opt->tree]);
	if (opt->link_bps != LINK_BPS)
		printf(" --link %u", opt->link_bps);
	if (!p->evict)
		printf(" --evict no");
	printf("\n");
	fflush(stdout);
}

static unsigned run(const struct options *opt, unsigned *test)
{
	struct world *w = must_alloc(NULL, sizeof(*w));
	clock_t start = clock();
	unsigned count;

	*w = (struct world){ .opt = *opt };
	put_options(opt);
	world_run(w);
	check_happened(w);
	count = tell(w, test);
	if (!opt->terse)
		printf("# %.1f s of CPU\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	world_free(w);
	free(w);
	return count;
}

/* The fifth is on a link so narrow that checks have to wait for their share of it; in the last
 * nobody is removed. */
static unsigned run_default(const struct options *base, unsigned *test)
{
	static const struct {
		uint64_t seed;
		int nodes;
		double days, loss;
		uint32_t interval_s;
		bool tree;
		uint32_t link_bps;
		bool evict;
	} runs[] = {
		{ 1, 100, 5, 0.1, 300, true, LINK_BPS, true },
		{ 2, 60, 5, 0.2, 60, true, LINK_BPS, true },
		{ 3, 60, 4, 0.3, 300, false, LINK_BPS, true },
		{ 4, 60, 4, 0.3, 300, true, LINK_BPS, true },
		{ 5, 60, 2, 0.2, 300, true, NARROW_BPS, true },
		{ 6, 60, 3, 0.2, 300, true, LINK_BPS, false },
	};
	unsigned count = 0;

	for (size_t i = 0; i < COUNT(runs); i++) {
		struct options opt = *base;

		opt.seed = runs[i].seed;
		opt.nodes = runs[i].nodes;
		opt.days = runs[i].days;
		opt.loss = runs[i].loss;
		opt.presence.check_interval_s = runs[i].interval_s;
		opt.tree = runs[i].tree;
		opt.link_bps = runs[i].link_bps;
		opt.presence.evict = runs[i].evict;
		count += run(&opt, test);
	}
	return count;
}

int main(int argc, char **argv)
{
	struct options opt = defaults;
	bool described = args_read(argv + (argc > 0), args, COUNT(args), usage, &opt);

	log_open("reach", LOG_LEVEL_ERROR, false);
	return world_main(described ? run : run_default, &opt);
}
