// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_text.h"
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Ours are four deep: groups, a group in them, its rekey or presence.
#define DEPTH_MAX 8

/* What of libconfig's syntax matters here: strings, comments, names, numbers, brackets. */
struct scan {
	const char *at;
	unsigned line;
	unsigned depth;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || (c && strchr("_*.+-", c));
}

static void skip_char(struct scan *scan)
{
	scan->line += *scan->at == '\n';
	scan->at++;
}

// Up to and with 'end', or to the end of the text: libconfig will complain about that.
static void skip_past(struct scan *scan, const char *end)
{
	while (*scan->at && strncmp(scan->at, end, strlen(end)) != 0)
		skip_char(scan);
	for (size_t i = 0; *scan->at && i < strlen(end); i++)
		skip_char(scan);
}

static const char *check_string(struct scan *scan)
{
	skip_char(scan);
	while (*scan->at && *scan->at != '"') {
		if (strncmp(scan->at, "\\x00", 4) == 0)
			return "must be text without zero bytes";
		if (*scan->at == '\\' && scan->at[1])
			skip_char(scan);
		skip_char(scan);
	}
	if (*scan->at)
		skip_char(scan);
	return NULL;
}

static const char *check_word(struct scan *scan)
{
	const char *word = scan->at;
	size_t len = 0;

	while (is_word(word[len]))
		len++;
	scan->at += len;
	if (is_letter(word[0]) || word[0] == '*')
		return NULL; // a name

	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	// What is too large even for this is the largest there is.
	long long value = strtoll(word, NULL, hex ? 16 : 10);
	if (value < INT_MIN || value > INT_MAX)
		return "must be a number from -2147483648 to 2147483647";
	return NULL;
}

static const char *check_mark(struct scan *scan)
{
	if (*scan->at == '@')
		return "must be one file: @include is not allowed";
	if (strchr("([{", *scan->at) && ++scan->depth > DEPTH_MAX)
		return "nested too deep";
	if (strchr(")]}", *scan->at) && scan->depth > 0)
		scan->depth--;
	skip_char(scan);
	return NULL;
}

static const char *check_next(struct scan *scan)
{
	const char *at = scan->at;

	if (*at == '#' || strncmp(at, "//", 2) == 0)
		skip_past(scan, "\n");
	else if (strncmp(at, "/*", 2) == 0)
		skip_past(scan, "*/");
	else if (*at == '"')
		return check_string(scan);
	else if (is_word(*at))
		return check_word(scan);
	else
		return check_mark(scan);
	return NULL;
}

const char *gw_conf_check_text(const char *text, size_t len, unsigned *line)
{
	struct scan scan = { .at = text, .line = 1 };
	const char *why = NULL;

	while (!why && *scan.at)
		why = check_next(&scan);
	if (!why && scan.at != text + len)
		why = "must be text without zero bytes";
	if (why)
		*line = scan.line;
	return why;
}
