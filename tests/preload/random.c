// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Notes every key that a program draws: with LD_PRELOAD, and GK_KEYS the name of a file to which
 * each is appended as a line of hex digits. What is drawn in a length that a key may have is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define KEY_MIN  16
#define KEY_MAX  64
#define FILE_MIN 100

/* Opened at the start, since the program may give up the right to open it;
 * above what it counts on. */
static int file = -1;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("GK_KEYS");
	int fd;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	file = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FILE_MIN);
	// A key that nobody looks for would make the test worthless.
	if (file < 0)
		abort();
	close(fd);
}

static void note(const uint8_t *key, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char line[2 * KEY_MAX + 1];

	if (file < 0)
		return;
	for (size_t i = 0; i < len; i++) {
		line[2 * i] = digits[key[i] >> 4];
		line[2 * i + 1] = digits[key[i] & 15];
	}
	line[2 * len] = '\n';
	if (write(file, line, 2 * len + 1) != (ssize_t)(2 * len + 1))
		abort();
}

/* The C library's own name, so that whoever calls it comes here. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	int err = errno;
	ssize_t got = syscall(SYS_getrandom, out, len, flags);

	if (got == (ssize_t)len && len >= KEY_MIN && len <= KEY_MAX) {
		note(out, len);
		errno = err;
	}
	return got;
}
