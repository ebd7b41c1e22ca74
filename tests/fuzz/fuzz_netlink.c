// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * One netlink datagram of any bytes, in the byte order of this machine. The corpus is
 * little-endian.
 */
#include <stdlib.h>
#include <string.h>

#include "netlink/parse.h"
#include "netlink/timing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct reach_record *record)
{
	const struct reach_event *event = &record->event;
	char text[REACH_TEXT_LEN];

	if (record->error > 0 || record->lower < 0 || record->parms.ifindex < 0)
		abort();
	(void)reach_timing_of(&record->parms, true);
	if (record->type != REACH_RECORD_EVENT)
		return;
	if (event->ifindex <= 0 || event->name[REACH_NAME_LEN - 1] != '\0' || event->ip[0] == 0xff)
		abort();
	reach_event_format(event, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy =
		malloc(size ? size : 1); // aligned as the parser wants it, and no byte longer
	struct reach_cursor cursor;
	struct reach_record record;
	int rc;

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	cursor = reach_parse_begin(copy, size);
	while ((rc = reach_parse_next(&cursor, &record)) != 0) {
		if (rc > 0)
			check(&record);
	}
	free(copy);
	return 0;
}
