// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_files.h"
#include "gatewayd/conf_text.h"
#include <stdlib.h>
#include <string.h>

// All at once: libconfig's settings point at the config_t they are in, which so never moves.
bool gw_files_init(struct gw_files *files, size_t room)
{
	*files = (struct gw_files){ .parsed = calloc(room, sizeof(files->parsed[0])) };
	return files->parsed != NULL;
}

static bool parse(config_t *file, const struct gw_report *report, const char *text, size_t len)
{
	unsigned line;
	const char *why = gw_conf_check_text(text, len, &line);

	if (why)
		return gw_refuse_line(report, line, why);
	if (!config_read_string(file, text))
		return gw_refuse_line(report, (unsigned)config_error_line(file),
				      config_error_text(file));
	config_setting_set_hook(config_root_setting(file), (void *)report->file);
	return true;
}

/* Names without a path: no name has a '.' in it. */
static void drop_replaced(struct gw_files *files)
{
	const config_setting_t *last = config_root_setting(&files->parsed[files->count - 1]);

	for (size_t i = 0; i + 1 < files->count; i++) {
		for (int j = 0; j < config_setting_length(last); j++)
			(void)config_setting_remove(
				config_root_setting(&files->parsed[i]),
				config_setting_name(config_setting_get_elem(last, (unsigned)j)));
	}
}

bool gw_files_add(struct gw_files *files, const struct gw_report *report, struct gk_span text)
{
	config_t *file = &files->parsed[files->count];
	char *copy;
	bool ok;

	if (text.len > GW_FILE_MAX)
		return gw_refuse_file(report, "larger than 65535 bytes");
	copy = calloc(1, text.len + 1);
	if (!copy)
		return gw_refuse_file(report, "out of memory");
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	config_init(file);
	files->count++;
	ok = parse(file, report, copy, text.len);
	free(copy);
	if (ok)
		drop_replaced(files);
	return ok;
}

config_setting_t *gw_files_find(const struct gw_files *files, const char *name)
{
	config_setting_t *found = NULL;

	for (size_t i = 0; i < files->count && !found; i++)
		found = config_setting_get_member(config_root_setting(&files->parsed[i]), name);
	return found;
}

const config_setting_t *gw_files_start(const struct gw_files *files)
{
	return config_root_setting(&files->parsed[0]);
}

void gw_files_free(struct gw_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		config_destroy(&files->parsed[i]);
	free(files->parsed);
	*files = (struct gw_files){ 0 };
}
