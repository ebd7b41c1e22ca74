// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A trace of any bytes. What is read is written, and must read back as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "netlink/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int64_t at_ms, const struct reach_event *event)
{
	char text[REACH_TRACE_LEN], again[REACH_TRACE_LEN];
	struct reach_trace trace;
	struct reach_event same;
	int64_t when;

	if (at_ms < 0 || event->ifindex <= 0 || event->name[REACH_NAME_LEN - 1] != '\0')
		abort();
	reach_trace_format(at_ms, event, text);
	trace = reach_trace_begin(text, strlen(text));
	if (reach_trace_next(&trace, &when, &same) != 1 || when != at_ms)
		abort();
	reach_trace_format(when, &same, again);
	if (strcmp(text, again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); // no byte longer
	struct reach_trace trace;
	struct reach_event event;
	int64_t at_ms;
	int rc;

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	trace = reach_trace_begin(copy, size);
	while ((rc = reach_trace_next(&trace, &at_ms, &event)) != 0) {
		if (rc > 0)
			check(at_ms, &event);
	}
	free(copy);
	return 0;
}
