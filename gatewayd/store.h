// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The records of libgroupkey on stable storage: one SQLite file, one table. The store knows nothing
 * of what is in a record but that it is secret.
 *
 * Rollback journal, no WAL, no mmap: routers with NOR flash run JFFS2, which has no shared writable
 * mappings. journal_mode is TRUNCATE, so that a commit leaves no old page, which may hold an old
 * key, in the journal, and for which synchronous FULL is enough: the journal is synced after it was
 * truncated. (EXTRA adds a sync of the directory after a journal was deleted, for DELETE alone.)
 */
#ifndef GW_STORE_H
#define GW_STORE_H

#include "libgroupkey/groupkey.h"

struct gw_store;

/** Room that holds any message of gw_store_open(). */
#define GW_STORE_ERROR 512

/**
 * Open the store, or make an empty one where there is none.
 *
 * A missing directory is made with mode 0700 (its parent must exist), a missing file with 0600. A
 * new file gets its name when it is complete, so what is under the name is whole or damaged.
 *
 * @param path   of the file; its directory belongs to us alone
 * @param store  set on success
 * @param error  on failure one line that names the file and says what can be done
 * @return 0; -EBUSY: another process has it open; -EPERM: others may read or write it,
 *         or it is theirs;
 *         -EUCLEAN: damaged, or not ours; -EPROTO: from another version; -EINVAL: no absolute path;
 *         other -errno of the file system
 */
GK_MUST_CHECK int gw_store_open(const char *path, struct gw_store **store, char *error,
				size_t size);
/** Close; what was committed stays. NULL is allowed. */
void gw_store_close(struct gw_store *store);

/** @return true if there is no record at all: the store is new, or was never used */
bool gw_store_is_empty(struct gw_store *store);
/** Takes a record, borrowed for the call. @return 0 to go on, else a number to stop with */
typedef int gw_store_record_fn(void *ctx, const struct gk_record *record);
/**
 * Hand out all records, in the order of table and key.
 * @return 0; what 'fn' stopped with; -EUCLEAN: damaged, as its checksum shows; other -errno
 */
GK_MUST_CHECK int gw_store_load(struct gw_store *store, gw_store_record_fn *fn, void *ctx);

/**
 * Write records in their order, all or none; on return they are on stable storage. A record with
 * an empty value deletes the one under its key, if any.
 *
 * @return 0; -ENOSPC: the file system is full; -EROFS, -EIO, -ENOMEM and other -errno.
 *         On failure the store is as before (where the very last sync fails, nobody can know: then
 *         the batch may be there already). Nothing that depends on the batch may be sent, and the
 *         same call is to be tried again, which does no harm in either case.
 */
GK_MUST_CHECK int gw_store_commit(struct gw_store *store, const struct gk_record *records,
				  size_t count);

#endif
