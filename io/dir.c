// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

bool io_dir_of(const char *path, char *dir, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (strlen(path) >= size)
		return false;
	memcpy(dir, path, len);
	strcpy(dir + len, len > 0 ? "" : slash ? "/" : ".");
	return true;
}

int io_dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc, err;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	err = errno;
	close(fd);
	errno = err;
	return rc;
}

int io_dir_sync_of(const char *path)
{
	char dir[PATH_MAX + NAME_MAX];

	if (io_dir_of(path, dir, sizeof(dir)))
		return io_dir_sync(dir);
	errno = ENAMETOOLONG;
	return -1;
}
