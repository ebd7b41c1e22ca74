// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The records of libgroupkey on stable storage: the store, and beside it the mark, which tells
 * whether the store that we find is the one that we left (docs/state.md). Both are SQLite files
 * with one table. Nothing here knows what is in a record, but that it is secret, and which tables
 * are lasting ones.
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

/** The end of messages about a store that is damaged,
 * and about one that could be taken as it is. */
#define GW_STORE_WAY_OUT                                                                           \
	"; start once with --fresh to move it away and begin anew, or put back a backup of the "   \
	"store"
#define GW_STORE_WAYS_OUT                                                                          \
	"; start once with --adopt to take the store for an old one and go on with it, or with "   \
	"--fresh to move it away and begin anew"

/** Where it is. Absolute paths; their directories belong to us alone. */
struct gw_store_place {
	const char *store, *mark;
};

/** What the operator wants done with a store that is refused; but for the last, one that is not is
 *  left alone. */
enum gw_store_wish {
	GW_STORE_AS_IS = 0,
	GW_STORE_ADOPT = 1, /* take it nevertheless */
	GW_STORE_FRESH = 2, /* move it away, to a name that ends in ".old" */
	GW_STORE_ANEW = 3,  /* likewise, also if it is not refused; the mark stays in effect */
};

/** What was found. */
enum gw_store_found {
	GW_STORE_NEW = 0,     /* there was none; there is one now */
	GW_STORE_CURRENT = 1, /* the one that we left */
	GW_STORE_OLD = 2,     /* older than the mark, or gone. Lasting records come from the mark */
	GW_STORE_ADOPTED = 3, /* taken at the operator's word: nobody knows how old it is */
	GW_STORE_BEGUN = 4,   /* begun anew at the operator's word. Lasting records come from the
				 mark, if it was readable */
	GW_STORE_BEGUN_BLIND = 5, /* ... it was not */
};

/** What is known of time. */
struct gw_store_time {
	int64_t utc_s;     /* the highest that was believed; 0: none */
	bool synchronised; /* the kernel had said that it is right */
};

/**
 * Open store and mark, or make what is not there yet.
 *
 * A missing directory is made with mode 0700 (its parent must exist), a missing file with 0600. A
 * new file gets its name when it is complete, so what is under the name is whole or damaged.
 *
 * If GW_STORE_OLD, _ADOPTED, or _BEGUN..., the first gw_store_commit() with records settles it:
 * until then what is in the files stays as it is (of _BEGUN: moved away and empty), and the same is
 * found again at the next start. A store of an earlier version is brought to the form of this one;
 * a mark that is behind is moved up, so this may fail where there is no room for that.
 *
 * @param store  set on success
 * @param error  on failure one line that names the file and says what can be done
 * @return 0; -EBUSY: another process has it open; -EPERM: others may read or write it,
 *         or it is theirs; -ESTALE: refused, the mark is missing, damaged, or of another store;
 *         -EUCLEAN: damaged, or not ours; -EPROTO: from a later version; -EINVAL: no absolute path;
 *         other -errno of the file system
 */
GK_MUST_CHECK int gw_store_open(const struct gw_store_place *place, enum gw_store_wish wish,
				struct gw_store **store, enum gw_store_found *found, char *error,
				size_t size);
/** Close; what was committed stays. NULL is allowed. */
void gw_store_close(struct gw_store *store);

/** Takes a record, borrowed for the call. @return 0 to go on, else a number to stop with */
typedef int gw_store_record_fn(void *ctx, const struct gk_record *record);
/**
 * Hand out all records, in the order of table and key.
 * @return 0; what 'fn' stopped with; -EUCLEAN: damaged, as its checksum shows; other -errno
 */
GK_MUST_CHECK int gw_store_load(struct gw_store *store, gw_store_record_fn *fn, void *ctx);

/** @return the time that was last committed */
struct gw_store_time gw_store_time(const struct gw_store *store);
/** A time that goes along with the next commit. */
void gw_store_set_time(struct gw_store *store, struct gw_store_time time);
/** @return true: the mark is on a file system in memory, which no restart of the machine leaves */
bool gw_store_mark_in_memory(const struct gw_store *store);
/** @return bytes written to both files and their journals since gw_store_open() */
uint64_t gw_store_written(const struct gw_store *store);

/**
 * Write records in their order, all or none; on return they are on stable storage, and the mark is
 * moved. A record with an empty value deletes the one under its key, if any. No records: only the
 * time is written, if it is another, and only to the mark: that settles nothing.
 *
 * @return 0; -ENOSPC: the file system is full; -EROFS, -EIO, -ENOMEM and other -errno: the store is
 *         as before (but where the mark's part, or the very last sync, fails, the batch is there
 *         already). Nothing that depends on the batch may be sent, and the same call is to be tried
 *         again, which does no harm in either case.
 *         -ESTALE: someone else has changed one of the files. Nothing that depends on the batch may
 *         be sent, and nothing may be written any more: close, and open what is there now.
 */
GK_MUST_CHECK int gw_store_commit(struct gw_store *store, const struct gk_record *records,
				  size_t count);

#endif
