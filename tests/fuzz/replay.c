// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Gives a fuzz target every file of a directory, whole and cut at every byte, without libFuzzer.
// Each input is in memory of exactly its size, so that a sanitizer sees the first byte too many.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// More than the largest message; a longer file would be cut too often to be quick.
#define FILE_MAX 8192

static void feed(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (!exact)
		abort();

	memcpy(exact, bytes, len);
	LLVMFuzzerTestOneInput(len > 0 ? exact : exact + 1, len);
	free(exact);
}

static int replay(const char *path)
{
	static uint8_t bytes[FILE_MAX + 1];

	FILE *file = fopen(path, "rb");
	if (!file)
		return -1;

	size_t len = fread(bytes, 1, sizeof(bytes), file);
	int failed = ferror(file) || len > FILE_MAX;
	fclose(file);
	if (failed)
		return -1;

	for (size_t cut = 0; cut <= len; cut++)
		feed(bytes, cut);
	return 0;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}

	struct dirent **entries;
	int n = scandir(argv[1], &entries, is_input, alphasort);
	if (n <= 0) {
		printf("not ok 1 - %s holds no input\n", argv[1]);
		return 1;
	}

	int failures = 0;
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);

		// Said first: after a crash the log must name the input.
		printf("# %s\n", path);
		fflush(stdout);

		int failed = replay(path);
		failures += failed != 0;
		printf("%s %d - %s\n", failed ? "not ok" : "ok", i + 1, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return failures > 0;
}
