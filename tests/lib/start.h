// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * For tests of what computes with keys: the core is started before them all, and ended behind them.
 */
#ifndef TESTS_LIB_START_H
#define TESTS_LIB_START_H

/** As the set-up of a group of tests: gk_global_init() with randomness
 * that is the same each time. */
int core_start(void **state);
/** ... and its tear-down. */
int core_stop(void **state);

#endif
