// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What every simulated world has: a clock that jumps from event to event, chance, and an account of
 * what happened. 'struct world' and 'struct options' are each simulator's own.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "libgroupkey/groupkey.h"
#include "tests/lib/agenda.h"
#include "tests/lib/chance.h"
#include "tests/lib/verdict.h"

#define GATEWAY   (-1) /* as a node; those count from 0 */
#define SECOND_MS 1000
#define MINUTE_MS 60000
#define HOUR_MS   3600000
#define DAY_MS    86400000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A simulator has these two. */

/** Where a world keeps what is ours. */
struct stage {
	struct gk_now *now;
	struct chance *chance;
	struct agenda *agenda;
	struct verdict *broken; /* one for each rule */
	struct past *past;      /* the gateway's */
};
struct stage world_stage(struct world *w);

struct person {
	const char *name;
	struct past *past;
};
struct person world_person(struct world *w, int node);

/* time */

/** It is the beginning, and all chance comes from 'seed'. */
void world_begin(struct world *w, uint64_t seed);
/** Carry out what is due, until 'end_ms'. @return false: time stands still */
bool world_go(struct world *w, int64_t end_ms);
void world_at(struct world *w, int64_t at_ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg);
void world_in(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
	      uint64_t arg);
/** ... with something from malloc(), which is freed then. */
void world_hand(struct world *w, int64_t ms, void (*run)(struct world *, uint64_t, void *),
		uint64_t arg, void *ptr);

/* chance */

/** @return from..to, both included */
int64_t between(struct world *w, int64_t from, int64_t to);
bool happens(struct world *w, double probability);
/** @return a time until the next of something that happens every 'mean_ms' on average */
int64_t gap(struct world *w, int64_t mean_ms);

/* account */

/** Remember something about a node, or the gateway. Texts are static. */
void trace(struct world *w, int node, const char *what, int64_t number, const char *detail);
/** A rule is broken. @param node  whom it is about, or GATEWAY */
__attribute__((format(printf, 4, 5))) void broken(struct world *w, int rule, int node,
						  const char *format, ...);

struct options;
/** Run worlds, and end with TAP's plan. @param run  returns how many rules were broken
 * @return the program's status */
int world_main(unsigned (*run)(const struct options *opt, unsigned *test),
	       const struct options *opt);

#endif
