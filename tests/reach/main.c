// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/reach/reach.h"

#include "io/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: reach [--seed N] [--nodes N] [--days N] [--loss P] [--quiet P] [--sleepy P]\n"
	"             [--interval SECONDS] [--probes N] [--grace SECONDS] [--scheme tree|none]\n"
	"             [--record FILE] [--trace FILE] [--terse]\n"
	"  --loss is of frames, --quiet the share of nodes that say nothing by themselves, "
	"--sleepy\n"
	"  the share of those that sleep. --record writes what the kernel said as a trace, "
	"--trace\n"
	"  plays one. Without any option but --terse: some fixed runs.\n";

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct options defaults = {
	.seed = 1,
	.nodes = 100,
	.days = 2,
	.loss = 0.1,
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

static bool read_presence(const char *name, const char *value, struct gk_presence_config *p)
{
	if (strcmp(name, "--interval") == 0)
		p->check_interval_s = (uint32_t)number(value, 1, 86400);
	else if (strcmp(name, "--probes") == 0)
		p->probes = (uint32_t)number(value, 2, 10);
	else if (strcmp(name, "--grace") == 0)
		p->grace_s = (uint32_t)number(value, 1, 3600);
	else
		return false;
	return true;
}

static void read_option(const char *name, const char *value, struct options *opt)
{
	if (strcmp(name, "--seed") == 0)
		opt->seed = (uint64_t)number(value, 0, 1e15);
	else if (strcmp(name, "--nodes") == 0)
		opt->nodes = (int)number(value, 10, NODES_MAX);
	else if (strcmp(name, "--days") == 0)
		opt->days = number(value, 0.01, 3650);
	else if (strcmp(name, "--loss") == 0)
		opt->loss = number(value, 0, 0.9);
	else if (strcmp(name, "--quiet") == 0)
		opt->quiet = number(value, 0, 1);
	else if (strcmp(name, "--sleepy") == 0)
		opt->sleepy = number(value, 0, 1);
	else if (strcmp(name, "--scheme") == 0)
		opt->tree = value && strcmp(value, "tree") == 0;
	else if (strcmp(name, "--record") == 0)
		opt->record = value;
	else if (strcmp(name, "--trace") == 0)
		opt->trace = value;
	else if (!read_presence(name, value, &opt->presence))
		fail_usage();
}

/* @return true if a run is described */
static bool read_options(char **arg, struct options *opt)
{
	bool described = false;

	while (*arg) {
		if (strcmp(*arg, "--terse") == 0) {
			opt->terse = true;
			arg++;
			continue;
		}
		if (!arg[1])
			fail_usage();
		read_option(arg[0], arg[1], opt);
		arg += 2;
		described = true;
	}
	return described;
}

/* A run that put nothing to the test must not pass: but a short one need not see everything. */
static void check_happened(struct world *w)
{
	static const enum tally needed[] = {
		JOINS,
		TALKS,
		MULTICASTS,
		REKEYINGS,
		OVERRUNS,
		SUSPICIONS,
		RETURNS,
		REMOVALS,
		FLAPS,
		MOVES,
		ATTACKS,
		TAKEOVERS,
		NAPS,
		OVERSLEPT,
		ROUTER_DEATHS,
		LINK_DOWNS,
		RADIO_DOWNS,
		RECREATIONS,
		ADDRESS_LOSSES,
		PARTIAL_LOSSES,
		MASS_BLIND,
		CONFIRMED_LOSSES,
		RECOVERED_LOSSES,
	};

	for (size_t i = 0; w->opt.days >= 10 && !w->played && i < COUNT(needed); i++) {
		if (!w->tally[needed[i]])
			broken(w, RULE_HAPPENED, GATEWAY, "%s: 0", tally_name(needed[i]));
	}
}

static void put_options(const struct options *opt)
{
	const struct gk_presence_config *p = &opt->presence;

	if (opt->trace)
		printf("# reach --seed %llu --trace %s\n", (unsigned long long)opt->seed,
		       opt->trace);
	else
		printf("# reach --seed %llu --nodes %d --days %g --loss %g --quiet %g --sleepy %g "
		       "--interval %u --probes %u --grace %u --scheme %s\n",
		       (unsigned long long)opt->seed, opt->nodes, opt->days, opt->loss, opt->quiet,
		       opt->sleepy, p->check_interval_s, p->probes, p->grace_s,
		       opt->tree ? "tree" : "none");
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

static unsigned run_default(const struct options *base, unsigned *test)
{
	static const struct {
		uint64_t seed;
		int nodes;
		double days, loss;
		uint32_t interval_s;
		bool tree;
	} runs[] = {
		{ 1, 100, 5, 0.1, 300, true },
		{ 2, 60, 5, 0.2, 60, true },
		{ 3, 60, 4, 0.3, 300, false },
		{ 4, 60, 4, 0.3, 300, true },
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
		count += run(&opt, test);
	}
	return count;
}

int main(int argc, char **argv)
{
	struct options opt = defaults;
	bool described = read_options(argv + (argc > 0), &opt);
	struct test_env memory;
	struct gk_env env = test_env(&memory, 1);
	unsigned test = 0, count;

	log_open("reach", LOG_LEVEL_ERROR, false);
	if (gk_global_init(&env)) {
		printf("not ok 1 - gk_global_init\n1..1\n");
		return 1;
	}
	count = described ? run(&opt, &test) : run_default(&opt, &test);
	gk_global_cleanup();
	printf("1..%u\n", test);
	return count != 0;
}
