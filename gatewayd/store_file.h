// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The files of store and mark as the file system has them: directory, name, mode, length; and the
 * messages about them. What is in them is SQLite's and store_db.c's. Only store*.c use this.
 */
#ifndef GW_STORE_FILE_H
#define GW_STORE_FILE_H

#include "gatewayd/store.h"
#include <limits.h>
#include <sys/types.h>

/** The file that is meant, and where messages go. */
struct gw_store_report {
	const char *path;
	char *error;
	size_t size;
};

/** Write "path: ..." to the report. @return err */
int gw_store_fail(const struct gw_store_report *report, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** Add to what is there. */
void gw_store_say_more(const struct gw_store_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Room for a path of ours, its suffixes included. */
#define GW_STORE_PATH (PATH_MAX + 32)

/** @return 0; -EINVAL, -ENAMETOOLONG: not the absolute path of a file */
GK_MUST_CHECK int gw_store_file_check_path(const struct gw_store_report *report);

/**
 * Make the file's directory if need be, and lock it: what is done in it before SQLite has locks of
 * its own is done by one process at a time.
 * @param locked  another directory that is locked by us, which may be the same; -1: none
 * @param dir     set on success; to be given to gw_store_dir_leave()
 */
GK_MUST_CHECK int gw_store_dir_enter(const struct gw_store_report *report, int locked, int *dir);
/** -1 is allowed. */
void gw_store_dir_leave(int dir);

/**
 * Is it there, and can it alone have been made by us?
 * @return 0: see '*there'; -ENOENT: it was there once, as its empty journal says; -EUCLEAN: not
 *         ours, or cut; -EPERM: others may read or write it, or it is theirs; other -errno
 */
GK_MUST_CHECK int gw_store_file_look(const struct gw_store_report *report, bool *there);
/** Has it the length that its content says? SQLite reads zeros where its last page is cut. */
GK_MUST_CHECK int gw_store_file_check_size(const struct gw_store_report *report, int64_t size);

/**
 * Begin a new file under another name ("made"), empty and with mode 0600 from the first byte. What
 * was begun and not finished must not look like what has lost its content.
 */
GK_MUST_CHECK int gw_store_file_begin(const struct gw_store_report *report, char *made, int *fd);
/** Give it its name, in place of what has it; both are on stable storage then. */
GK_MUST_CHECK int gw_store_file_finish(const struct gw_store_report *report, const char *made,
				       int fd, const char *name);
/** Or give it up. */
void gw_store_file_drop(const char *made, int fd);

/** Move it and its journal to a name that ends in ".old", ".old.1" ..., one that is free. */
GK_MUST_CHECK int gw_store_file_move_away(const struct gw_store_report *report);
/**
 * Where one file is to take the place of another that is moved away: it waits beside it, complete,
 * under the name "path.fresh", so that at no moment there is nothing.
 */
void gw_store_file_fresh_name(const struct gw_store_report *report, char *name);
/** Let it take its place, if one waits and the place is free; if it is not, forget it. */
GK_MUST_CHECK int gw_store_file_take_fresh(const struct gw_store_report *report);

/** @return true: its directory is on a file system in memory, which does not outlive a restart */
bool gw_store_file_in_memory(const struct gw_store_report *report);

#endif
