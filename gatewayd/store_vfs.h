// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What SQLite does to files, on its way through: it is counted, and SQLite is offered nothing that
 * a router's flash cannot do. Only store_db.c and store.c use this.
 */
#ifndef GW_STORE_VFS_H
#define GW_STORE_VFS_H

#include <stdint.h>

/**
 * The name of our layer, for sqlite3_open_v2(). It lies over what is SQLite's default at the first
 * call.
 * @return NULL: out of memory, or there is no default
 */
const char *gw_store_vfs(void);
/** @return bytes written to files since the first call of gw_store_vfs() */
uint64_t gw_store_vfs_written(void);
/** What the system said about the last operation that failed, as a positive errno; then 0. */
int gw_store_vfs_take_errno(void);

#endif
