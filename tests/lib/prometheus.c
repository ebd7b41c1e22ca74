// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/prometheus.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 100
#define LINE_MAX_LEN 1000

struct checker {
	const char *text;          /* whole */
	char family[NAME_MAX_LEN]; /* that HELP named */
	char type[NAME_MAX_LEN];   /* "": TYPE has not come */
	const char *line;          /* of which it is */
};

static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalpha((unsigned char)name[i]) && name[i] != '_' &&
		    (i == 0 || !isdigit((unsigned char)name[i])))
			return false;
	}
	return len > 0 && len < NAME_MAX_LEN;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Has a line before this one the same beginning? HELP's of the first line has no newline before. */
static bool came_before(const struct checker *checker, const char *beginning)
{
	const char *at = strstr(checker->text, beginning);

	return at && at + (*beginning == '\n') < checker->line;
}

static const char *check_help(struct checker *checker, const char *rest)
{
	char beginning[NAME_MAX_LEN + 16];
	size_t len = strcspn(rest, " ");

	if (!is_name(rest, len) || rest[len] != ' ' || !rest[len + 1])
		return "HELP has no name, or no text";
	snprintf(checker->family, sizeof(checker->family), "%.*s", (int)len, rest);
	checker->type[0] = '\0';
	snprintf(beginning, sizeof(beginning), "# HELP %s ", checker->family);
	return came_before(checker, beginning) ? "the family comes twice" : NULL;
}

static const char *check_type(struct checker *checker, const char *rest)
{
	size_t len = strlen(checker->family);

	if (!len || strncmp(rest, checker->family, len) != 0 || rest[len] != ' ')
		return "TYPE is not of the family of HELP";
	snprintf(checker->type, sizeof(checker->type), "%s", rest + len + 1);
	if (strcmp(checker->type, "gauge") != 0 && strcmp(checker->type, "counter") != 0)
		return "neither a gauge nor a counter";
	if (ends_with(checker->family, "_total") != (strcmp(checker->type, "counter") == 0))
		return "counters, and no others, end with _total";
	return NULL;
}

/* @return behind the closing quote; NULL: it is no value */
static const char *skip_value(const char *at)
{
	if (*at++ != '"')
		return NULL;
	while (*at && *at != '"') {
		if (*at == '\\' && !strchr("\\\"n", at[1] ? at[1] : 'x'))
			return NULL;
		at += *at == '\\' ? 2 : 1;
	}
	return *at ? at + 1 : NULL;
}

/* @return behind the closing brace */
static const char *skip_labels(const char *at)
{
	do {
		size_t len = strcspn(++at, "=");
		if (!is_name(at, len) || at[len] != '=')
			return NULL;
		at = skip_value(at + len + 1);
	} while (at && *at == ',');
	return at && *at == '}' ? at + 1 : NULL;
}

static const char *check_sample(struct checker *checker, const char *line)
{
	size_t len = strlen(checker->family);
	const char *at = line + len;
	char beginning[LINE_MAX_LEN], *end;

	if (!checker->type[0] || strncmp(line, checker->family, len) != 0)
		return "a sample of no family, or of another";
	if (*at == '{')
		at = skip_labels(at);
	if (!at || *at != ' ')
		return "labels that are none, or no value";
	snprintf(beginning, sizeof(beginning), "\n%.*s", (int)(at + 1 - line), line);
	if (came_before(checker, beginning))
		return "the sample comes twice";
	strtod(at + 1, &end);
	return end == at + 1 || *end || isspace((unsigned char)at[1]) ? "no number" : NULL;
}

static const char *check_line(struct checker *checker, const char *line)
{
	if (!io_utf8_printable(gk_span_str(line)))
		return "not printable UTF-8";
	if (strncmp(line, "# HELP ", 7) == 0)
		return check_help(checker, line + 7);
	if (strncmp(line, "# TYPE ", 7) == 0)
		return check_type(checker, line + 7);
	return check_sample(checker, line);
}

const char *prometheus_check(const char *text)
{
	static char error[LINE_MAX_LEN + 100];
	struct checker checker = { .text = text, .line = text };
	char line[LINE_MAX_LEN];

	while (*checker.line) {
		size_t len = strcspn(checker.line, "\n");
		const char *wrong = "too long, or without an end";

		if (checker.line[len] == '\n' && len < LINE_MAX_LEN - 1) {
			snprintf(line, sizeof(line), "%.*s", (int)len, checker.line);
			wrong = check_line(&checker, line);
		}
		if (wrong) {
			snprintf(error, sizeof(error), "%s: %.*s", wrong, (int)len, checker.line);
			return error;
		}
		checker.line += len + 1;
	}
	return NULL;
}
