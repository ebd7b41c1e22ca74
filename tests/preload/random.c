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

#define KEY_MIN 16
#define KEY_MAX 64

static void note(const uint8_t *key, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const char *path = getenv("GK_KEYS");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	char line[2 * KEY_MAX + 1];

	if (!path)
		return;
	for (size_t i = 0; i < len; i++) {
		line[2 * i] = digits[key[i] >> 4];
		line[2 * i + 1] = digits[key[i] & 15];
	}
	line[2 * len] = '\n';
	// A key that nobody looks for would make the test worthless.
	if (fd < 0 || write(fd, line, 2 * len + 1) != (ssize_t)(2 * len + 1))
		abort();
	close(fd);
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
