// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Texts with an error of the system in them, which each C library calls by a name of its own. */
#ifndef TEST_ERRORS_H
#define TEST_ERRORS_H

/**
 * @param format  of printf, with one %s, for what the C library calls 'err'
 * @return good until the next call
 */
const char *with_error(const char *format, int err);

#endif
