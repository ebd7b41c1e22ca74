// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * SQLite's file system. As the one for Unix does, it syncs the directory when a new journal is
 * synced for the first time, and when a deletion is to last.
 */
#include "tests/crash/crash.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 4096 /* as in unixSectorSize() */

struct open_file {
	sqlite3_file base;
	int file;
	bool delete_on_close, sync_dir;
	char path[96];
};

static int last_errno;

/* As unixWrite() and the like. */
static int code_of(int err, int otherwise)
{
	if (err >= 0)
		return SQLITE_OK;
	last_errno = -err;
	return err == -ENOSPC && otherwise == SQLITE_IOERR_WRITE ? SQLITE_FULL : otherwise;
}

static int close_file(sqlite3_file *base)
{
	struct open_file *f = (struct open_file *)base;

	if (f->delete_on_close)
		disk_unlink(f->path);
	return SQLITE_OK;
}

static int read_file(sqlite3_file *base, void *bytes, int len, sqlite3_int64 at)
{
	struct open_file *f = (struct open_file *)base;
	int got = disk_read(f->file, at, bytes, (size_t)len);

	if (got == len)
		return SQLITE_OK;
	memset((uint8_t *)bytes + got, 0, (size_t)(len - got));
	return SQLITE_IOERR_SHORT_READ;
}

static int write_file(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
	struct open_file *f = (struct open_file *)base;

	return code_of(disk_write(f->file, at, bytes, (size_t)len), SQLITE_IOERR_WRITE);
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 len)
{
	struct open_file *f = (struct open_file *)base;

	return code_of(disk_truncate(f->file, len), SQLITE_IOERR_TRUNCATE);
}

static int sync_parent(const char *path)
{
	char parent[96];

	disk_parent(path, parent, sizeof(parent));
	return disk_sync_dir(parent);
}

static int sync_file(sqlite3_file *base, int flags)
{
	struct open_file *f = (struct open_file *)base;
	int err = disk_sync(f->file);

	(void)flags;
	if (!err && f->sync_dir) {
		(void)sync_parent(f->path);
		f->sync_dir = false;
	}
	return code_of(err, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *len)
{
	*len = disk_len(((struct open_file *)base)->file);
	return SQLITE_OK;
}

static int lock(sqlite3_file *base, int level)
{
	(void)base, (void)level;
	return SQLITE_OK;
}

static int check_reserved(sqlite3_file *base, int *out)
{
	(void)base;
	*out = 0;
	return SQLITE_OK;
}

static int control(sqlite3_file *base, int op, void *arg)
{
	(void)base, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *base)
{
	(void)base;
	return SECTOR;
}

static int characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = file_size,
	.xLock = lock,
	.xUnlock = lock,
	.xCheckReservedLock = check_reserved,
	.xFileControl = control,
	.xSectorSize = sector_size,
	.xDeviceCharacteristics = characteristics,
};

#define JOURNALS (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out)
{
	struct open_file *f = (struct open_file *)base;
	char temporary[32];

	(void)vfs;
	memset(f, 0, sizeof(*f));
	if (!path) {
		snprintf(temporary, sizeof(temporary), FLASH "temporary");
		path = temporary;
	}
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->file = disk_find(path);
	if (f->file < 0 && (flags & SQLITE_OPEN_CREATE)) {
		f->file = disk_create(path, false, 0600);
		f->sync_dir = flags & JOURNALS;
	}
	if (f->file < 0)
		return code_of(f->file, SQLITE_CANTOPEN);
	if (disk_fault_now() == FAULT_READ_ONLY)
		flags = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
	f->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	f->base.pMethods = &methods;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	int err = disk_unlink(path);

	(void)vfs;
	if (err == -ENOENT)
		return SQLITE_IOERR_DELETE_NOENT;
	if (!err && (sync_dir & 1))
		err = sync_parent(path);
	return code_of(err, SQLITE_IOERR_DELETE);
}

static int access_file(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	int file = disk_find(path);

	(void)vfs;
	*out = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || disk_len(file) > 0);
	return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	(void)vfs;
	sqlite3_snprintf(size, out, "%s", path);
	return SQLITE_OK;
}

static int randomness(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	for (int i = 0; i < len; i++)
		out[i] = (char)chance();
	return len;
}

static int sleep_us(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int current_time(sqlite3_vfs *vfs, double *out)
{
	(void)vfs;
	*out = 2461000.5;
	return SQLITE_OK;
}

static int last_error(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs, (void)len, (void)out;
	return last_errno;
}

void vfs_register(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.szOsFile = sizeof(struct open_file),
		.mxPathname = 90,
		.zName = "crash",
		.xOpen = open_file,
		.xDelete = delete_file,
		.xAccess = access_file,
		.xFullPathname = full_path,
		.xRandomness = randomness,
		.xSleep = sleep_us,
		.xCurrentTime = current_time,
		.xGetLastError = last_error,
	};

	// One thread: a power cut leaves SQLite's calls in the middle, and there must be no locks.
	if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) || sqlite3_vfs_register(&vfs, 1)) {
		fputs("crash: no SQLite\n", stderr);
		_Exit(1);
	}
}
