// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf.h"
#include "gatewayd/conf_check.h"
#include "gatewayd/conf_values.h"
#include "gatewayd/issuers.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_group(struct gw_group_conf *group)
{
	gw_values_free(gw_group_options, group);
	free(group->issuers.data);
	free(group->sleeper_names);
}

void gw_conf_free(struct gw_conf *conf)
{
	for (size_t i = 0; i < conf->group_count; i++)
		free_group(&conf->groups[i]);
	free(conf->groups);
	gw_values_free(gw_conf_options, conf);
	*conf = (struct gw_conf){ 0 };
}

/*
 * Reading
 */

struct source {
	const char *file;
	struct gk_span text;
};

/* Each has what no other has. */
static bool read_values(const struct gw_report *report, const struct gw_files *files,
			struct gw_conf *conf)
{
	for (size_t i = 0; i < files->count; i++) {
		if (!gw_values_members(report, gw_conf_options,
				       config_root_setting(&files->parsed[i]), conf))
			return false;
	}
	for (const struct gw_option *option = gw_conf_options; option->name; option++) {
		if (option->required && !gw_files_find(files, option->name))
			return gw_refuse_absence(report, gw_files_start(files), option);
	}
	return true;
}

static bool read_all(const struct gw_report *report, struct gw_files *files,
		     const struct source *sources, size_t count, struct gw_conf *conf)
{
	for (size_t i = 0; i < count; i++) {
		const struct gw_report of_file = { sources[i].file, report->error, report->size };
		if (!gw_files_add(files, &of_file, sources[i].text))
			return false;
	}
	if (!gw_values_default(gw_conf_options, conf))
		return gw_refuse_file(report, "out of memory");
	return read_values(report, files, conf) && gw_conf_complete(report, files, conf);
}

static bool parse(const struct source *sources, size_t count, struct gw_conf *conf, char *error,
		  size_t size)
{
	const struct gw_report report = { sources[0].file, error, size };
	struct gw_conf found = { 0 };
	struct gw_files files;
	bool ok;

	if (!gw_files_init(&files, count))
		return gw_refuse_file(&report, "out of memory");
	ok = read_all(&report, &files, sources, count, &found);
	gw_files_free(&files);
	if (ok)
		*conf = found;
	else
		gw_conf_free(&found);
	return ok;
}

bool gw_conf_parse(struct gk_span text, const char *file, struct gw_conf *conf, char *error,
		   size_t size)
{
	const struct source source = { file, text };

	return parse(&source, 1, conf, error, size);
}

/* One byte more than allowed tells that there is too much. */
static const char *take(FILE *file, struct source *source)
{
	uint8_t *text = malloc(GW_FILE_MAX + 1);

	if (!text)
		return "out of memory";
	source->text = gk_span(text, fread(text, 1, GW_FILE_MAX + 1, file));
	return ferror(file) ? strerror(errno) : NULL;
}

static bool load(const char *path, struct source *source, char *error, size_t size)
{
	const struct gw_report report = { path, error, size };
	FILE *file = fopen(path, "rbe");
	const char *why = file ? take(file, source) : strerror(errno);

	source->file = path;
	if (why)
		gw_refuse_file(&report, why);
	if (file)
		fclose(file);
	return !why;
}

static bool read_sources(const char *const *paths, size_t count, struct source *sources,
			 struct gw_conf *conf, char *error, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (!load(paths[i], &sources[i], error, size))
			return false;
	}
	return parse(sources, count, conf, error, size);
}

bool gw_conf_read(const char *const *paths, struct gw_conf *conf, char *error, size_t size)
{
	const struct gw_report report = { paths[0], error, size };
	struct gw_conf found = { 0 };
	struct source *sources;
	size_t count = 0;
	bool ok;

	while (paths[count])
		count++;
	sources = calloc(count, sizeof(sources[0]));
	if (!sources)
		return gw_refuse_file(&report, "out of memory");
	ok = read_sources(paths, count, sources, &found, error, size) &&
	     gw_issuers_load(paths, &found, error, size);
	for (size_t i = 0; i < count; i++)
		free((void *)sources[i].text.data);
	free(sources);
	if (ok)
		*conf = found;
	else
		gw_conf_free(&found);
	return ok;
}

void gw_conf_name(const char *const *paths, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; paths[i] && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "", paths[i]);
}
