// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "start.h"

#include "env.h"

int core_start(void **state)
{
	static struct test_env t;
	struct gk_env env = test_env(&t, 1);

	(void)state;
	return gk_global_init(&env) == GK_OK ? 0 : -1;
}

int core_stop(void **state)
{
	(void)state;
	gk_global_cleanup();
	return 0;
}
