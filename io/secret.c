// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/secret.h"
#include "io/dir.h"
#include "io/hex.h"
#include "io/log.h"
#include "io/loop.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX 512
#define TEXT_MAX  (2 * BYTES_MAX + 2)

struct report {
	const char *path;
	char *error;
	size_t size;
};

static bool fail(const struct report *report, const char *why)
{
	snprintf(report->error, report->size, "%s: %s", report->path, why);
	return false;
}

static bool check_mode(const struct report *report, int fd, bool secret)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(report, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(report, "not a regular file");
	if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)))
		return fail(report, "others than its owner may read or write it; chmod 600");
	return true;
}

static ssize_t read_text(const struct report *report, char *text, bool secret)
{
	// O_NONBLOCK: a pipe in the place of the file is not waited for.
	int fd = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = -1;

	if (fd < 0) {
		fail(report, strerror(errno));
		return -1;
	}
	if (check_mode(report, fd, secret)) {
		len = read(fd, text, TEXT_MAX);
		if (len < 0)
			fail(report, strerror(errno));
	}
	close(fd);
	return len;
}

size_t io_secret_read(const char *path, uint8_t *key, size_t min, size_t max, bool secret,
		      char *error, size_t size)
{
	struct report report = { path, error, size };
	uint8_t bytes[BYTES_MAX];
	char text[TEXT_MAX];
	ssize_t got = read_text(&report, text, secret);
	size_t len = got < 0 ? 0 : (size_t)got;
	size_t count;

	if (got < 0)
		return 0;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	count = io_hex_read(gk_span((const uint8_t *)text, len), bytes,
			    max < BYTES_MAX ? max : BYTES_MAX);
	if (count < min || count == 0) {
		snprintf(error, size, "%s: must be one line of %zu to %zu bytes as hex digits",
			 path, min, max);
		count = 0;
	}
	if (count > 0)
		memcpy(key, bytes, count);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(bytes, sizeof(bytes));
	return count;
}

/*
 * Making
 */

static bool draw_text(char *text, size_t len)
{
	struct gk_env env = io_env();
	uint8_t bytes[BYTES_MAX];
	bool ok = len <= sizeof(bytes) && env.random(env.ctx, bytes, len);

	for (size_t i = 0; ok && i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	return ok;
}

static bool write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	errno = ENOSPC; // what a short write means
	bool ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	int err = errno;
	close(fd);
	if (!ok)
		unlink(path);
	errno = err;
	return ok;
}

bool io_secret_make(const char *path, size_t len, char *error, size_t size)
{
	struct report report = { path, error, size };
	char text[TEXT_MAX];
	struct stat st;
	char *draft;

	if (access(path, F_OK) == 0)
		return true;
	if (lstat(path, &st) == 0)
		return fail(&report, "a link to a file that is not there");
	if (!draw_text(text, len))
		return fail(&report, "no random bytes for a key");
	text[2 * len] = '\n';
	if (asprintf(&draft, "%s.new", path) < 0)
		return fail(&report, "out of memory");

	// What an interrupted start left behind; nobody has used it yet. link(), unlike rename(),
	// leaves alone what is there.
	unlink(draft);
	bool ok = write_file(draft, text, 2 * len + 1) && link(draft, path) == 0;
	if (!ok)
		fail(&report, strerror(errno));
	unlink(draft);
	free(draft);
	explicit_bzero(text, sizeof(text));
	if (ok && io_dir_sync_of(path) != 0)
		ok = fail(&report, strerror(errno));
	return ok;
}

void io_secret_guard(void)
{
	struct rlimit none = { 0, 0 };

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0))
		log_warn("secret", "core dumps cannot be turned off");
}
