// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Descriptors 0, 1 and 2.
 */
#ifndef IO_STD_H
#define IO_STD_H

#include "libgroupkey/groupkey.h"

/**
 * Open those that whoever started us has closed, on /dev/null: or the first file that we open, a
 * store perhaps, is stderr, and gets our log lines. Before anything else.
 * @return false: that failed; the program must not go on
 */
GK_MUST_CHECK bool io_std_open(void);

#endif
