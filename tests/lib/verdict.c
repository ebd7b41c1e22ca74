// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/verdict.h"

#include <stdbool.h>
#include <stdlib.h>

#define WHOLE_LINES 12 /* of the past of the whole, after somebody's */

/* the past */

void past_add(struct past *past, int64_t at_ms, const char *what, int64_t number,
	      const char *detail)
{
	past->line[past->count++ % PAST_LEN] = (struct past_line){ at_ms, what, detail, number };
}

static void put_time(FILE *out, int64_t ms)
{
	fprintf(out, "day %lld %02lld:%02lld:%02lld.%03lld", (long long)(ms / 86400000),
		(long long)(ms / 3600000 % 24), (long long)(ms / 60000 % 60),
		(long long)(ms / 1000 % 60), (long long)(ms % 1000));
}

void past_put(FILE *out, const struct past *past, size_t lines)
{
	size_t kept = lines < PAST_LEN ? lines : PAST_LEN;
	size_t first = past->count > kept ? past->count - kept : 0;

	for (size_t i = first; i < past->count; i++) {
		const struct past_line *line = &past->line[i % PAST_LEN];

		fprintf(out, "#   ");
		put_time(out, line->at_ms);
		fprintf(out, "  %s %lld %s\n", line->what, (long long)line->number,
			line->detail ? line->detail : "");
	}
}

/* broken rules */

void verdict_broken(struct verdict *verdict, int64_t at_ms, const char *who,
		    const struct past *past, const struct past *whole, const char *format,
		    va_list args)
{
	size_t len;
	FILE *out;

	if (verdict->count++)
		return;
	out = open_memstream(&verdict->text, &len);
	if (!out)
		abort();
	fprintf(out, "# ");
	put_time(out, at_ms);
	fprintf(out, ", %s: ", who);
	vfprintf(out, format, args);
	fprintf(out, "\n");
	past_put(out, past, PAST_LEN);
	if (whole) {
		fprintf(out, "#  and the gateway:\n");
		past_put(out, whole, WHOLE_LINES);
	}
	fclose(out);
}

static void put(const struct verdict *verdict, const char *rule, uint64_t seed, unsigned *test)
{
	printf("%s %u - seed %llu: %s\n", verdict->count ? "not ok" : "ok", ++*test,
	       (unsigned long long)seed, rule);
	if (verdict->count)
		printf("# %u times, first:\n%s", verdict->count, verdict->text);
}

unsigned verdicts_put(const struct verdict *verdicts, const char *const *rules, size_t count,
		      uint64_t seed, unsigned *test)
{
	unsigned broken = 0;

	for (size_t i = 0; i < count; i++) {
		put(&verdicts[i], rules[i], seed, test);
		broken += verdicts[i].count != 0;
	}
	return broken;
}

void verdicts_free(struct verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(verdicts[i].text);
}

/* what is counted */

void tallies_put(const struct tallies *t, const uint64_t *numbers)
{
	for (size_t i = 0; i < t->count; i++) {
		bool last = i % t->columns == t->columns - 1 || i + 1 == t->count;

		printf("%s%-*s %*llu%s", i % t->columns ? "  " : "# ", t->name_width, t->names[i],
		       t->number_width, (unsigned long long)numbers[i], last ? "\n" : "");
	}
}
