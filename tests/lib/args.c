// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/args.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_in_bounds(const struct arg *arg, double value)
{
	return (arg->min == 0 && arg->max == 0) || (value >= arg->min && value <= arg->max);
}

static bool store(void *field, size_t size, uint64_t value)
{
	uint32_t word = (uint32_t)value;
	uint8_t byte = (uint8_t)value;

	if (size == sizeof(value))
		memcpy(field, &value, size);
	else if (size == sizeof(word) && word == value)
		memcpy(field, &word, size);
	else if (size == sizeof(byte) && byte == value)
		memcpy(field, &byte, size);
	else
		return false;
	return true;
}

static bool set_real(const struct arg *arg, const char *text, void *field)
{
	char *end;
	double value = strtod(text, &end);

	memcpy(field, &value, sizeof(value));
	return end != text && !*end && is_in_bounds(arg, value);
}

static bool set_whole(const struct arg *arg, const char *text, void *field)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && !errno &&
	       is_in_bounds(arg, (double)value) && store(field, arg->size, value);
}

static bool set_word(const struct arg *arg, const char *text, void *field)
{
	size_t i = 0;

	while (i < arg->word_count && strcmp(text, arg->words[i]) != 0)
		i++;
	return i < arg->word_count && store(field, arg->size, i);
}

static bool set_text(const struct arg *arg, const char *text, void *field)
{
	memcpy(field, &text, arg->size);
	return true;
}

static const struct arg *find(const struct arg *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

/* @return how many words that were, 0: it is not right */
static int set(const struct arg *arg, const char *text, uint8_t *options)
{
	static bool (*const setters[])(const struct arg *, const char *, void *) = {
		[ARG_REAL] = set_real,
		[ARG_WHOLE] = set_whole,
		[ARG_WORD] = set_word,
		[ARG_TEXT] = set_text,
	};

	if (!arg)
		return 0;
	if (arg->kind == ARG_FLAG)
		return store(options + arg->offset, arg->size, true);
	return text && setters[arg->kind](arg, text, options + arg->offset) ? 2 : 0;
}

bool args_read(char *const *args, const struct arg *table, size_t count, const char *usage,
	       void *options)
{
	bool described = false;

	while (*args) {
		int taken = set(find(table, count, args[0]), args[1], options);

		if (!taken) {
			fputs(usage, stderr);
			exit(2);
		}
		args += taken;
		described = described || taken > 1;
	}
	return described;
}
