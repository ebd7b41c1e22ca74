// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_vfs.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define OUR_NAME "gatewayd"

/* sqlite3_vfs_register() is for the process, not for one database: so this is for all stores. */
static struct {
	sqlite3_vfs ours;
	sqlite3_vfs *below;
	uint64_t written;
	int error;
} layer;

/* SQLite allocates szOsFile bytes: this, then the file of the VFS below, aligned as it aligns its
 * own. */
struct file {
	sqlite3_file base;
	_Alignas(sqlite3_int64) char below[];
};

static sqlite3_file *below(sqlite3_file *file)
{
	return (sqlite3_file *)((struct file *)file)->below;
}

/*
 * SQLite says "I/O error" or "cannot open", and asks for the reason when others may have come
 * between. So it is kept at once.
 */
static int note(int code)
{
	if (code != SQLITE_OK && layer.below->xGetLastError)
		layer.error = layer.below->xGetLastError(layer.below, 0, NULL);
	return code;
}

/*
 * Files
 */

static int file_close(sqlite3_file *file)
{
	return note(below(file)->pMethods->xClose(below(file)));
}

// That a file ends here is no failure.
static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	int code = below(file)->pMethods->xRead(below(file), out, len, at);

	return code == SQLITE_IOERR_SHORT_READ ? code : note(code);
}

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	int code = below(file)->pMethods->xWrite(below(file), bytes, len, at);

	if (code == SQLITE_OK)
		layer.written += (uint64_t)len;
	return note(code);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return note(below(file)->pMethods->xTruncate(below(file), size));
}

static int file_sync(sqlite3_file *file, int flags)
{
	return note(below(file)->pMethods->xSync(below(file), flags));
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return note(below(file)->pMethods->xFileSize(below(file), size));
}

static int file_lock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xLock(below(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xUnlock(below(file), level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
	return below(file)->pMethods->xCheckReservedLock(below(file), out);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return below(file)->pMethods->xFileControl(below(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
	return below(file)->pMethods->xSectorSize(below(file));
}

// F2FS can commit without a journal: one way is enough, on every file system the same.
static int file_traits(sqlite3_file *file)
{
	return below(file)->pMethods->xDeviceCharacteristics(below(file)) &
	       ~SQLITE_IOCAP_BATCH_ATOMIC;
}

/* Version 1 has neither the shared memory of WAL nor mmap: they cannot even be asked for. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/*
 * The system
 */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
	(void)vfs;
	below(file)->pMethods = NULL;
	int code = layer.below->xOpen(layer.below, name, below(file), flags, got);
	// It wants to be closed where it has methods, also after a failure.
	file->pMethods = below(file)->pMethods ? &file_methods : NULL;
	return note(code);
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	int code = layer.below->xDelete(layer.below, name, sync);
	return code == SQLITE_IOERR_DELETE_NOENT ? code : note(code);
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
	(void)vfs;
	return layer.below->xAccess(layer.below, name, flags, result);
}

static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return layer.below->xFullPathname(layer.below, name, size, out);
}

static int randomness(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	return layer.below->xRandomness(layer.below, len, out);
}

static int sleep_us(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return layer.below->xSleep(layer.below, us);
}

static int julian_day(sqlite3_vfs *vfs, double *now)
{
	(void)vfs;
	return layer.below->xCurrentTime(layer.below, now);
}

static int last_error(sqlite3_vfs *vfs, int size, char *text)
{
	(void)vfs;
	(void)size;
	(void)text;
	return layer.error;
}

const char *gw_store_vfs(void)
{
	if (layer.below)
		return OUR_NAME;

	sqlite3_vfs *found = sqlite3_vfs_find(NULL);
	if (!found)
		return NULL;
	layer.ours = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = (int)sizeof(struct file) + found->szOsFile,
		.mxPathname = found->mxPathname,
		.zName = OUR_NAME,
		.xOpen = open_file,
		.xDelete = delete_file,
		.xAccess = access_file,
		.xFullPathname = full_path,
		.xRandomness = randomness,
		.xSleep = sleep_us,
		.xCurrentTime = julian_day,
		.xGetLastError = last_error,
	};
	if (sqlite3_vfs_register(&layer.ours, 0) != SQLITE_OK)
		return NULL;
	layer.below = found;
	return OUR_NAME;
}

uint64_t gw_store_vfs_written(void)
{
	return layer.written;
}

int gw_store_vfs_take_errno(void)
{
	int taken = layer.error;

	layer.error = 0;
	return taken;
}
