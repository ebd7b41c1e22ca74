// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Which rules of a simulated world were broken, and what had gone before. */
#ifndef TEST_VERDICT_H
#define TEST_VERDICT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define PAST_LEN 30

/** The past of somebody: the newest lines of it. Zero-initialise. */
struct past {
	struct past_line {
		int64_t at_ms;
		const char *what;   /* static */
		const char *detail; /* static or NULL */
		int64_t number;
	} line[PAST_LEN];
	size_t count;
};
void past_add(struct past *past, int64_t at_ms, const char *what, int64_t number,
	      const char *detail);
/** @param lines  at most so many, the newest */
void past_put(FILE *out, const struct past *past, size_t lines);

/** How often a rule was broken. Zero-initialise; free 'text'. */
struct verdict {
	unsigned count;
	char *text; /* about the first time */
};
/**
 * A rule is broken.
 * @param who   whose past 'past' is
 * @param whole the past of the whole, NULL: 'past' is that
 */
void verdict_broken(struct verdict *verdict, int64_t at_ms, const char *who,
		    const struct past *past, const struct past *whole, const char *format,
		    va_list args);
/** Print those of all rules as TAP. @param test  counts the lines
 * @return number of broken rules */
unsigned verdicts_put(const struct verdict *verdicts, const char *const *rules, size_t count,
		      uint64_t seed, unsigned *test);
void verdicts_free(struct verdict *verdicts, size_t count);

/** What is counted, and how it is laid out. */
struct tallies {
	const char *const *names;
	size_t count, columns;
	int name_width, number_width;
};
void tallies_put(const struct tallies *tallies, const uint64_t *numbers);

#endif
