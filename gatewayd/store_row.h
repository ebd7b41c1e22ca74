// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A record as a row of kind, key, value and checksum. SQLite has no checksums of its own: a bit
 * that turned over on the disk may be a Sender ID that is given to a second member, and would be
 * found by nobody. Only the files store_*.c use this.
 */
#ifndef GW_STORE_ROW_H
#define GW_STORE_ROW_H

#include "libgroupkey/groupkey.h"
#include <sqlite3.h>

#define GW_STORE_CHECKSUM_LEN 8

/** The table of the record that a file has of itself; no record of libgroupkey is there. */
#define GW_STORE_TABLE_META 0

/** Of all that a row says. @return 0, -ENOMEM, -E2BIG */
GK_MUST_CHECK int gw_store_row_checksum(const struct gk_record *record,
					uint8_t out[static GW_STORE_CHECKSUM_LEN]);
/**
 * Read the row that a statement is at.
 * @param record  borrows from it
 * @return 0; -EUCLEAN: it is not what was written; -ENOMEM, -E2BIG
 */
GK_MUST_CHECK int gw_store_row_read(sqlite3_stmt *row, struct gk_record *record);
/**
 * Bind a record to ?1 to ?4, or, where its value is empty, its kind and key alone.
 * @param checksum  room that stays until the bindings are cleared
 * @return 0 or -errno
 */
GK_MUST_CHECK int gw_store_row_bind(sqlite3_stmt *statement, const struct gk_record *record,
				    uint8_t checksum[static GW_STORE_CHECKSUM_LEN]);

#endif
