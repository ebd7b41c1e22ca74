// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf.h"
#include "gatewayd/conf_check.h"
#include "gatewayd/conf_text.h"
#include "gatewayd/conf_values.h"
#include "gatewayd/issuers.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Also keeps line numbers below 65536, where libconfig loses count.
#define FILE_MAX 65535

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

static bool check_text(const struct gw_report *report, const char *text, size_t len)
{
	unsigned line;
	const char *why = gw_conf_check_text(text, len, &line);

	return why ? gw_refuse_line(report, line, why) : true;
}

static bool read_config(const struct gw_report *report, config_t *file, const char *text,
			struct gw_conf *conf)
{
	if (!config_read_string(file, text))
		return gw_refuse_line(report, (unsigned)config_error_line(file),
				      config_error_text(file));
	if (!gw_values_default(gw_conf_options, conf))
		return gw_refuse_file(report, "out of memory");
	return gw_values_read(report, gw_conf_options, config_root_setting(file), conf) &&
	       gw_conf_complete(report, file, conf);
}

bool gw_conf_parse(struct gk_span text, const char *file, struct gw_conf *conf, char *error,
		   size_t size)
{
	struct gw_report report = { file, error, size };
	struct gw_conf found = { 0 };
	config_t config;

	if (text.len > FILE_MAX)
		return gw_refuse_file(&report, "larger than 65535 bytes");
	char *copy = calloc(1, text.len + 1);
	if (!copy)
		return gw_refuse_file(&report, "out of memory");
	if (text.len > 0)
		memcpy(copy, text.data, text.len);

	config_init(&config);
	bool ok =
		check_text(&report, copy, text.len) && read_config(&report, &config, copy, &found);
	config_destroy(&config);
	free(copy);

	if (ok)
		*conf = found;
	else
		gw_conf_free(&found);
	return ok;
}

bool gw_conf_read(const char *path, struct gw_conf *conf, char *error, size_t size)
{
	struct gw_report report = { path, error, size };
	FILE *file = fopen(path, "rbe");
	uint8_t *text = malloc(FILE_MAX + 1);
	struct gw_conf found = { 0 };
	bool ok = false;

	if (!file)
		gw_refuse_file(&report, strerror(errno));
	else if (!text)
		gw_refuse_file(&report, "out of memory");
	else {
		size_t len = fread(text, 1, FILE_MAX + 1, file);
		if (ferror(file))
			gw_refuse_file(&report, strerror(errno));
		else
			ok = gw_conf_parse(gk_span(text, len), path, &found, error, size) &&
			     gw_issuers_load(path, &found, error, size);
	}
	free(text);
	if (file)
		fclose(file);
	if (ok)
		*conf = found;
	else
		gw_conf_free(&found);
	return ok;
}
