// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Secrets on a machine: in files, one line of hex digits that nobody but its owner can read; and in
 * memory, which is kept out of core dumps.
 */
#ifndef IO_SECRET_H
#define IO_SECRET_H

#include "libgroupkey/groupkey.h"

/** Room that holds any message of this file. */
#define IO_SECRET_ERROR 512

/**
 * Read a key.
 *
 * @param key     gets min..max bytes, at most 512
 * @param secret  refuse a file that others than its owner may read or write
 * @param error   on failure gets one line that begins with 'path'
 * @return the number of bytes; 0: it failed
 */
GK_MUST_CHECK size_t io_secret_read(const char *path, uint8_t *key, size_t min, size_t max,
				    bool secret, char *error, size_t size);
/**
 * Make a file with a fresh random key, if there is none: mode 0600, on stable storage on return,
 * whole or not there at all.
 * @param error  on failure gets one line that begins with 'path'
 */
GK_MUST_CHECK bool io_secret_make(const char *path, size_t len, char *error, size_t size);
/**
 * Have this process leave no secrets behind: no core dumps, no debugger of the same user, and no
 * file that it makes open to others. What cannot be had is logged.
 */
void io_secret_guard(void);

#endif
