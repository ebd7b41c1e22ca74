// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_regular(FILE *file)
{
	struct stat st;

	return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode);
}

/* One byte more than allowed tells that there is too much. */
static const char *take(FILE *file, size_t max, struct gk_blob *content)
{
	uint8_t *bytes = malloc(max + 1);
	size_t len;

	if (!bytes)
		return "out of memory";
	len = fread(bytes, 1, max + 1, file);
	if (ferror(file) || len == 0 || len > max) {
		free(bytes);
		return ferror(file) ? "cannot be read" : len ? "is too large" : "is empty";
	}
	*content = (struct gk_blob){ bytes, len };
	return NULL;
}

const char *io_file_read(const char *path, size_t max, struct gk_blob *content)
{
	FILE *file = fopen(path, "rbe");
	const char *why;

	if (!file)
		return strerror(errno);
	why = is_regular(file) ? take(file, max, content) : "is not a regular file";
	fclose(file);
	return why;
}
