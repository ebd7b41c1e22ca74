// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

enum {
	// A line has no reason to be longer, but spaces are nobody's business.
	LINE_MAX_LEN = 1023,
	// 30,000 years, and far from what an int64_t cannot hold.
	DIGITS_MAX = 15
};

void reach_trace_format(int64_t at_ms, const struct reach_event *event, char text[REACH_TRACE_LEN])
{
	int len = snprintf(text, REACH_TRACE_LEN, "+%" PRId64 " ", at_ms);

	reach_event_format(event, text + len);
}

struct reach_trace reach_trace_begin(const char *text, size_t len)
{
	return (struct reach_trace){ .at = text, .left = len };
}

// Copy the next line. Returns its length, or -EINVAL if it is too long or has a NUL in it, which
// would hide what is behind.
static int take_line(struct reach_trace *trace, char line[LINE_MAX_LEN + 1])
{
	const char *end = memchr(trace->at, '\n', trace->left);
	size_t len = end ? (size_t)(end - trace->at) : trace->left;
	const char *text = trace->at;

	trace->at += end ? len + 1 : len;
	trace->left -= end ? len + 1 : len;
	trace->line++;
	if (len > LINE_MAX_LEN || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(line, text, len);
	line[len] = '\0';
	return (int)len;
}

// Read "+MS" and the space behind it. Returns where the event begins, or NULL.
static const char *parse_time(const char *line, int64_t *at_ms)
{
	size_t digits = line[0] == '+' ? strspn(line + 1, "0123456789") : 0;

	if (digits == 0 || digits > DIGITS_MAX || !strchr(" \t", line[1 + digits]))
		return NULL;
	*at_ms = 0;
	for (size_t i = 1; i <= digits; i++)
		*at_ms = 10 * *at_ms + (line[i] - '0');
	return line + 1 + digits;
}

int reach_trace_next(struct reach_trace *trace, int64_t *at_ms, struct reach_event *event)
{
	char space[LINE_MAX_LEN + 1];

	while (trace->left > 0) {
		const char *line = space, *rest;
		int64_t when;

		if (take_line(trace, space) < 0)
			return -EINVAL;
		line += strspn(line, " \t\r");
		if (*line == '\0' || *line == '#')
			continue;
		rest = parse_time(line, &when);
		if (!rest || when < trace->at_ms || !reach_event_parse(rest, event))
			return -EINVAL;
		trace->at_ms = *at_ms = when;
		return 1;
	}
	return 0;
}
