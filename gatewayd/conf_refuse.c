// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_refuse.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Appends to text of at most GW_CONF_ERROR bytes; what does not fit is cut off.
__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, GW_CONF_ERROR - len, format, args);
	va_end(args);
}

static void append_key(char *text, const config_setting_t *setting)
{
	const config_setting_t *parent = config_setting_parent(setting);

	if (!parent)
		return;
	append_key(text, parent);
	if (!config_setting_name(setting))
		append(text, "[%d]", config_setting_index(setting));
	else
		append(text, "%s%s", config_setting_is_root(parent) ? "" : ".",
		       config_setting_name(setting));
}

static unsigned line_of(const config_setting_t *setting)
{
	return config_setting_is_root(setting) ? 1 : config_setting_source_line(setting);
}

/* conf_files.c has left it at the root. */
static const char *file_of(const config_setting_t *setting)
{
	while (!config_setting_is_root(setting))
		setting = config_setting_parent(setting);
	return config_setting_get_hook(setting);
}

bool gw_refuse(const struct gw_report *report, const config_setting_t *setting, const char *name,
	       const char *format, ...)
{
	char text[GW_CONF_ERROR] = "";
	va_list args;

	append(text, "%s:%u: ", file_of(setting), line_of(setting));
	append_key(text, setting);
	if (name)
		append(text, "%s%s", config_setting_is_root(setting) ? "" : ".", name);
	append(text, ": ");

	size_t len = strlen(text);
	va_start(args, format);
	vsnprintf(text + len, sizeof(text) - len, format, args);
	va_end(args);
	snprintf(report->error, report->size, "%s", text);
	return false;
}

bool gw_refuse_line(const struct gw_report *report, unsigned line, const char *why)
{
	snprintf(report->error, report->size, "%s:%u: %s", report->file, line, why);
	return false;
}

bool gw_refuse_file(const struct gw_report *report, const char *why)
{
	snprintf(report->error, report->size, "%s: %s", report->file, why);
	return false;
}

static void append_words(char *text, const struct gw_word *words)
{
	const struct gw_word *last = NULL;
	bool first = true;

	for (const struct gw_word *word = words; word->text; word++)
		last = word->refusal ? last : word;
	for (const struct gw_word *word = words; word->text; word++) {
		if (word->refusal)
			continue;
		append(text, "%s\"%s\"", first ? "" : word == last ? " or " : ", ", word->text);
		first = false;
	}
}

static void append_names(char *text, const struct gw_option *table)
{
	for (const struct gw_option *option = table; option->name; option++)
		append(text, "%s%s", text[0] ? ", " : "", option->name);
}

static void append_allowed(char *text, const struct gw_option *option)
{
	switch (option->type) {
	case GW_TEXT:
		append(text, "%s", option->allowed);
		break;
	case GW_TEXTS:
		append(text, "a list of at most %ld texts: [ \"...\" ], each %s", option->most,
		       option->allowed);
		break;
	case GW_WORD:
		append_words(text, option->words);
		break;
	case GW_INT:
		append(text, "%ld to %ld %s: %s", option->min, option->max, option->allowed,
		       option->reason);
		break;
	case GW_BOOL:
		append(text, "true or false");
		break;
	case GW_GROUP:
		append(text, "options in braces: { ... }");
		break;
	case GW_LIST:
		append(text, "a list of at least one: ( { ... } )");
		break;
	}
}

bool gw_refuse_value(const struct gw_report *report, const config_setting_t *setting,
		     const struct gw_option *option)
{
	char allowed[GW_CONF_ERROR] = "";

	append_allowed(allowed, option);
	return gw_refuse(report, setting, NULL, "must be %s", allowed);
}

bool gw_refuse_absence(const struct gw_report *report, const config_setting_t *setting,
		       const struct gw_option *option)
{
	char allowed[GW_CONF_ERROR] = "";

	append_allowed(allowed, option);
	return gw_refuse(report, setting, option->name, "is missing; must be %s", allowed);
}

bool gw_refuse_word(const struct gw_report *report, const config_setting_t *setting,
		    const struct gw_option *option, const struct gw_word *word)
{
	char words[GW_CONF_ERROR] = "";

	append_words(words, option->words);
	return gw_refuse(report, setting, NULL, "must be %s: %s", words, word->refusal);
}

bool gw_refuse_unknown(const struct gw_report *report, const config_setting_t *setting,
		       const struct gw_option *table)
{
	char names[GW_CONF_ERROR] = "";

	append_names(names, table);
	return gw_refuse(report, setting, NULL, "unknown option; allowed here: %s", names);
}

/*
 * Refusing what is valid in itself
 */

/* libconfig calls "groups[1].mode" by "groups.[1].mode". */
static void name_for_lookup(const char *option, char *name, size_t size)
{
	size_t len = 0;

	for (const char *c = option; *c && len + 2 < size; c++) {
		if (*c == '[')
			name[len++] = '.';
		name[len++] = *c;
	}
	name[len] = '\0';
}

/* @return 0: neither it nor what is around it is in the file */
static unsigned find_line(const config_t *file, const char *option)
{
	char name[GW_CONF_ERROR];

	name_for_lookup(option, name, sizeof(name));
	for (;;) {
		const config_setting_t *setting = config_lookup(file, name);
		char *last = strrchr(name, '.');
		if (setting)
			return config_setting_source_line(setting);
		if (!last)
			return 0;
		*last = '\0';
	}
}

static unsigned find_line_in(const char *path, const char *option)
{
	unsigned line = 0;
	config_t file;

	config_init(&file);
	if (config_read_file(&file, path))
		line = find_line(&file, option);
	config_destroy(&file);
	return line;
}

void gw_conf_refuse(const char *const *paths, const char *option, const char *why, char *error,
		    size_t size)
{
	const char *path = paths[0];
	unsigned line = 0;

	// The last one that has it counts.
	for (size_t i = 0; paths[i]; i++) {
		unsigned found = find_line_in(paths[i], option);
		if (!found)
			continue;
		path = paths[i];
		line = found;
	}
	if (line)
		snprintf(error, size, "%s:%u: %s: %s", path, line, option, why);
	else
		snprintf(error, size, "%s: %s: %s", path, option, why);
}
