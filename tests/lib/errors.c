// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/errors.h"
#include <stdio.h>
#include <string.h>

const char *with_error(const char *format, int err)
{
	static char text[512];

	snprintf(text, sizeof(text), format, strerror(err));
	return text;
}
