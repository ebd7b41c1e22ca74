// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_NODES 200
#define DEFAULT_DAYS  7
#define DEFAULT_LOSS  0.2

static const char usage[] = "usage: sim [--seed N] [--nodes N] [--days N] [--loss P] [--quiet]\n"
			    "  Without --seed: some fixed seeds and one from the clock.\n";

static _Noreturn void fail_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text ? text : "", &end);

	if (!text || end == text || *end || !(value >= min && value <= max))
		fail_usage();
	return value;
}

static uint64_t seed_of(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text ? text : "", &end, 0);

	if (!text || end == text || *end)
		fail_usage();
	return value;
}

/* @return true if a seed is given */
static bool read_options(char **arg, struct options *opt)
{
	bool has_seed = false;

	for (; *arg; arg++) {
		if (strcmp(*arg, "--quiet") == 0) {
			opt->quiet = true;
		} else if (strcmp(*arg, "--seed") == 0) {
			opt->seed = seed_of(*++arg);
			has_seed = true;
		} else if (strcmp(*arg, "--nodes") == 0) {
			opt->nodes = (int)number(*++arg, 12, NODES_MAX);
		} else if (strcmp(*arg, "--days") == 0) {
			opt->days = number(*++arg, 0.125, 3650);
		} else if (strcmp(*arg, "--loss") == 0) {
			opt->loss = number(*++arg, 0, 0.9);
		} else {
			fail_usage();
		}
	}
	return has_seed;
}

/* A run that put nothing to the test must not pass: but a short one need not see everything. */
static void check_run(struct world *w)
{
	static const enum tally needed[] = {
		JOINS,   JOINS_AGAIN, LEAVES,   ABSENCES, RETURNS,   REBOOTS, RENEWALS,
		THEFTS,  EVICTIONS,   CRASHES,  RESTARTS, EXPIRIES,  BLIND,   FORGED,
		SAYINGS, READINGS,    SPEECHES, REFUSALS, RESPONSES,
	};

	if (w->opt.days >= 1 && 2 * w->tally[QUIET_MINUTES] < w->tally[MINUTES])
		broken(w, RULE_QUIET, KDC, "%llu of %llu",
		       (unsigned long long)w->tally[QUIET_MINUTES],
		       (unsigned long long)w->tally[MINUTES]);
	for (size_t i = 0; w->opt.days >= 3 && i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!w->tally[needed[i]])
			broken(w, RULE_HAPPENED, KDC, "%s: 0", tally_name(needed[i]));
	}
}

static unsigned run(const struct options *opt, unsigned *test)
{
	struct world w = { .opt = *opt };
	clock_t start = clock();
	unsigned count;

	printf("# sim --seed %llu --nodes %d --days %g --loss %g\n", (unsigned long long)opt->seed,
	       opt->nodes, opt->days, opt->loss);
	fflush(stdout);
	world_run(&w);
	check_run(&w);
	count = report(&w, test);
	printf("# %.1f s of CPU\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	world_free(&w);
	return count;
}

/* The whole size once; and smaller worlds, in which more happens to each node. */
static unsigned run_default(const struct options *given, unsigned *test)
{
	struct options small = *given;
	unsigned count;

	if (given->nodes == DEFAULT_NODES && given->days == DEFAULT_DAYS) {
		small.nodes = 40;
		small.days = 3;
	}
	count = run(given, test);
	for (small.seed = 2; small.seed <= 3; small.seed++)
		count += run(&small, test);
	small.seed = (uint64_t)time(NULL);
	return count + run(&small, test);
}

int main(int argc, char **argv)
{
	struct options opt = {
		.seed = 1, .nodes = DEFAULT_NODES, .days = DEFAULT_DAYS, .loss = DEFAULT_LOSS
	};
	bool has_seed = read_options(argv + (argc > 0), &opt);
	struct test_env memory;
	struct gk_env env = test_env(&memory, 1);
	unsigned test = 0, count;

	if (gk_global_init(&env)) {
		printf("not ok 1 - gk_global_init\n1..1\n");
		return 1;
	}
	count = has_seed ? run(&opt, &test) : run_default(&opt, &test);
	gk_global_cleanup();
	printf("1..%u\n", test);
	return count != 0;
}
