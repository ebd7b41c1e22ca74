// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Is a text in the format of Prometheus, version 0.0.4? Stricter than its reader: each family has
 * HELP and TYPE before its samples, is in one piece and a gauge or a counter, counters alone end
 * with "_total", there are no times, and no sample comes twice.
 */
#ifndef TEST_PROMETHEUS_H
#define TEST_PROMETHEUS_H

/** @return NULL: it is; else what is wrong, with the line, static until the next call */
const char *prometheus_check(const char *text);

#endif
