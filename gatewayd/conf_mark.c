// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_check.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_DIR    "/var/lib/gatewayd"
#define MARK_SUFFIX ".mark"

// The store makes other files beside it, with up to 16 bytes more.
#define MARK_NAME_MAX (NAME_MAX - 16)

/* One component of a path, so that no two paths become one name. */
static void put_component(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '-' || text[i] == '%')
			fprintf(out, "%%%02x", (unsigned char)text[i]);
		else
			fputc(text[i], out);
	}
}

/* "/etc/gatewayd/state" is "etc-gatewayd-state", however many '/' there are. */
static void put_mark_name(FILE *out, const char *state_dir)
{
	const char *separator = "";

	for (const char *at = state_dir; *at; at += strcspn(at, "/")) {
		at += strspn(at, "/");
		if (!*at)
			break;
		fputs(separator, out);
		put_component(out, at, strcspn(at, "/"));
		separator = "-";
	}
	fputs(MARK_SUFFIX, out);
}

static char *default_mark(const char *state_dir)
{
	char *path = NULL;
	size_t len;
	FILE *out = open_memstream(&path, &len);

	if (!out)
		return NULL;
	fputs(MARK_DIR "/", out);
	put_mark_name(out, state_dir);
	if (fclose(out) == 0)
		return path;
	free(path);
	return NULL;
}

static bool is_name_possible(const char *path)
{
	return strlen(strrchr(path, '/') + 1) <= MARK_NAME_MAX;
}

static bool is_in_directory(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len > 0 && directory[len - 1] == '/')
		len--;
	return strncmp(path, directory, len) == 0 && path[len] == '/';
}

static bool complete_mark(const struct gw_report *report, const struct gw_files *files,
			  struct gw_conf *conf)
{
	const config_setting_t *start = gw_files_start(files);

	conf->mark = default_mark(conf->state_dir);
	if (!conf->mark)
		return gw_refuse_file(report, "out of memory");
	if (!is_name_possible(conf->mark))
		return gw_refuse(report, start, "mark",
				 "is missing; must be an absolute path: the name of 'state_dir' is "
				 "too long to make one of");
	if (is_in_directory(conf->mark, conf->state_dir))
		return gw_refuse(report, start, "mark",
				 "is missing; must be an absolute path outside 'state_dir'");
	return true;
}

// Who puts back a backup of the one must not put back the other with it.
bool gw_conf_check_mark(const struct gw_report *report, const struct gw_files *files,
			struct gw_conf *conf)
{
	if (!conf->mark)
		return complete_mark(report, files, conf);
	if (is_in_directory(conf->mark, conf->state_dir))
		return gw_refuse(report, gw_files_find(files, "mark"), NULL,
				 "must be outside 'state_dir': a backup would have both");
	return true;
}
