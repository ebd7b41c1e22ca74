// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** The options of a program that tests: a table of them, and what each sets. */
#ifndef TEST_ARGS_H
#define TEST_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct arg {
	const char *name;
	enum arg_kind {
		ARG_FLAG,  /* without a value; sets a bool */
		ARG_REAL,  /* a double */
		ARG_WHOLE, /* a number from 0 on, of any size */
		ARG_WORD,  /* the place of one of 'words': an enum, or a bool */
		ARG_TEXT,  /* a const char * */
	} kind;
	size_t offset, size; /* of what it sets */
	double min, max;     /* of a number; both 0: any */
	const char *const *words;
	size_t word_count;
};

/** Of a row: which field of the options' struct. */
#define ARG_SETS(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

/**
 * Read what follows a program's name; with 'usage' on stderr and status 2 for what is not right.
 * @param args     ends with NULL
 * @param options  what 'offset' is in
 * @return whether there was any but flags
 */
bool args_read(char *const *args, const struct arg *table, size_t count, const char *usage,
	       void *options);

#endif
