// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void heard_add(const struct reach_event *events, size_t count, void *ctx)
{
	struct heard *heard = ctx;

	heard->calls++;
	for (size_t i = 0; i < count; i++) {
		char line[REACH_TEXT_LEN];

		reach_event_format(&events[i], line);
		assert_true(strlen(heard->text) + strlen(line) + 2 < sizeof(heard->text));
		strcat(strcat(heard->text, line), "\n");
	}
}
