// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/std.h"

#include <fcntl.h>
#include <unistd.h>

bool io_std_open(void)
{
	int fd;

	// The lowest free number comes first; at last one that is not needed.
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);

	if (fd > STDERR_FILENO)
		close(fd);
	return fd >= 0;
}
