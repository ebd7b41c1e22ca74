// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Directories, as far as files in them have to outlive a power cut. */
#ifndef IO_DIR_H
#define IO_DIR_H

#include "libgroupkey/groupkey.h"

/**
 * Put the directory that the file 'path' is in: what stands in front of the last slash, of "/file"
 * "/", of "file" ".".
 * @param size  of 'dir', at least 2
 * @return false: 'path' is longer than fits
 */
bool io_dir_of(const char *path, char *dir, size_t size);
/**
 * Bring to stable storage which names are in the directory 'dir': what was made, renamed or removed
 * there. What the files say has to be synced by itself.
 * @return 0, or -1 and errno
 */
GK_MUST_CHECK int io_dir_sync(const char *dir);
/** The same for the directory that the file 'path' is in, be the file there or not. */
GK_MUST_CHECK int io_dir_sync_of(const char *path);

#endif
