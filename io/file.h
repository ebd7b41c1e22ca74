// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Whole files, into memory. */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "libgroupkey/mem.h"

/**
 * Read a regular file of 1 to 'max' bytes.
 * @param content  gets memory of its own, to be freed with free(); untouched on failure
 * @return NULL, or why it failed; valid until the next call of strerror()
 */
GK_MUST_CHECK const char *io_file_read(const char *path, size_t max, struct gk_blob *content);

#endif
