// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* What the daemon does to files beside SQLite: the store's and the mark's names, the reserve, keys.
 * Paths that are not on the played disk are the machine's. */
#include "tests/crash/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FD_BASE 10000
#define FDS     32

/* The declarations of what the linker calls so. */
#define REAL(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

static struct descriptor {
	bool open;
	int file;
	int64_t at;
	char path[96];
} descriptors[FDS];

void libc_restart(void)
{
	memset(descriptors, 0, sizeof(descriptors));
}

static bool is_ours(const char *path)
{
	return strncmp(path, "/flash", 6) == 0 && (path[6] == '/' || path[6] == '\0');
}

static struct descriptor *descriptor_of(int fd)
{
	if (fd < FD_BASE || fd >= FD_BASE + FDS || !descriptors[fd - FD_BASE].open)
		return NULL;
	return &descriptors[fd - FD_BASE];
}

static int result(int err)
{
	if (err >= 0)
		return err;
	errno = -err;
	return -1;
}

static int open_ours(const char *path, int flags, unsigned mode)
{
	int file = disk_find(path), i = 0;

	if (file >= 0 && (flags & O_EXCL))
		return -EEXIST;
	if (file < 0 && (flags & O_CREAT))
		file = disk_create(path, false, mode);
	if (file < 0)
		return file;
	if ((flags & O_DIRECTORY) && !disk_is_dir(file))
		return -ENOTDIR;
	if ((flags & O_ACCMODE) != O_RDONLY && disk_fault_now() == FAULT_READ_ONLY)
		return -EROFS;
	if (flags & O_TRUNC) {
		int err = disk_truncate(file, 0);
		if (err)
			return err;
	}
	while (descriptors[i].open)
		if (++i == FDS)
			return -EMFILE;
	descriptors[i] = (struct descriptor){ .open = true, .file = file };
	snprintf(descriptors[i].path, sizeof(descriptors[i].path), "%s", path);
	return FD_BASE + i;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	unsigned mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, unsigned);
		va_end(args);
	}
	return is_ours(path) ? result(open_ours(path, flags, mode))
			     : __real_open(path, flags, mode);
}

REAL(int, close, int fd)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_close(fd);
	d->open = false;
	return 0;
}

REAL(ssize_t, read, int fd, void *bytes, size_t len)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_read(fd, bytes, len);
	int got = disk_read(d->file, d->at, bytes, len);
	d->at += got;
	return got;
}

REAL(ssize_t, write, int fd, const void *bytes, size_t len)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_write(fd, bytes, len);
	int err = disk_write(d->file, d->at, bytes, len);
	if (err)
		return result(err);
	d->at += (int64_t)len;
	return (ssize_t)len;
}

REAL(ssize_t, pwrite, int fd, const void *bytes, size_t len, off_t at)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_pwrite(fd, bytes, len, at);
	int err = disk_write(d->file, at, bytes, len);
	return err ? result(err) : (ssize_t)len;
}

REAL(int, ftruncate, int fd, off_t len)
{
	struct descriptor *d = descriptor_of(fd);

	return d ? result(disk_truncate(d->file, len)) : __real_ftruncate(fd, len);
}

REAL(int, posix_fallocate, int fd, off_t at, off_t len)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_posix_fallocate(fd, at, len);
	if (at + len <= disk_len(d->file))
		return 0;
	return -disk_truncate(d->file, at + len);
}

REAL(int, fallocate, int fd, int mode, off_t at, off_t len)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_fallocate(fd, mode, at, len);
	if (mode || at + len <= disk_len(d->file))
		return mode ? result(-EOPNOTSUPP) : 0;
	return result(disk_truncate(d->file, at + len));
}

REAL(int, fsync, int fd)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_fsync(fd);
	return result(disk_is_dir(d->file) ? disk_sync_dir(d->path) : disk_sync(d->file));
}

REAL(int, fdatasync, int fd)
{
	return descriptor_of(fd) ? __wrap_fsync(fd) : __real_fdatasync(fd);
}

REAL(int, flock, int fd, int operation)
{
	return descriptor_of(fd) ? 0 : __real_flock(fd, operation);
}

static void fill(struct stat *st, int file)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 1;
	st->st_ino = (ino_t)file + 1;
	st->st_mode = disk_mode(file) | (disk_is_dir(file) ? S_IFDIR : S_IFREG);
	st->st_nlink = 1;
	st->st_uid = geteuid();
	st->st_size = disk_len(file);
	st->st_blksize = 4096;
	st->st_blocks = (disk_len(file) + 511) / 512;
}

static int stat_ours(const char *path, struct stat *st)
{
	int file = disk_find(path);

	if (file >= 0)
		fill(st, file);
	return result(file < 0 ? file : 0);
}

REAL(int, stat, const char *path, struct stat *st)
{
	return is_ours(path) ? stat_ours(path, st) : __real_stat(path, st);
}

REAL(int, lstat, const char *path, struct stat *st)
{
	return is_ours(path) ? stat_ours(path, st) : __real_lstat(path, st);
}

REAL(int, fstat, int fd, struct stat *st)
{
	struct descriptor *d = descriptor_of(fd);

	if (!d)
		return __real_fstat(fd, st);
	fill(st, d->file);
	return 0;
}

static void fill_room(struct statvfs *st)
{
	memset(st, 0, sizeof(*st));
	st->f_bsize = st->f_frsize = 4096;
	st->f_blocks = 1024;
	st->f_bfree = st->f_bavail = disk_free_bytes() / 4096;
	st->f_files = st->f_ffree = st->f_favail = 1024;
	st->f_flag = disk_fault_now() == FAULT_READ_ONLY ? ST_RDONLY : 0;
}

REAL(int, statvfs, const char *path, struct statvfs *st)
{
	if (!is_ours(path))
		return __real_statvfs(path, st);
	int file = disk_find(path);
	if (file >= 0)
		fill_room(st);
	return result(file < 0 ? file : 0);
}

REAL(int, fstatvfs, int fd, struct statvfs *st)
{
	if (!descriptor_of(fd))
		return __real_fstatvfs(fd, st);
	fill_room(st);
	return 0;
}

REAL(int, access, const char *path, int mode)
{
	if (!is_ours(path))
		return __real_access(path, mode);
	int file = disk_find(path);
	if (file >= 0 && (mode & W_OK) && disk_fault_now() == FAULT_READ_ONLY)
		file = -EROFS;
	return result(file < 0 ? file : 0);
}

REAL(int, mkdir, const char *path, mode_t mode)
{
	if (!is_ours(path))
		return __real_mkdir(path, mode);
	int file = disk_create(path, true, mode);
	return result(file < 0 ? file : 0);
}

REAL(int, unlink, const char *path)
{
	return is_ours(path) ? result(disk_unlink(path)) : __real_unlink(path);
}

REAL(int, rename, const char *from, const char *to)
{
	return is_ours(from) ? result(disk_rename(from, to)) : __real_rename(from, to);
}

REAL(int, link, const char *from, const char *to)
{
	if (!is_ours(from))
		return __real_link(from, to);
	int file = disk_find(from);
	return result(file < 0 ? file : disk_link(file, to));
}
