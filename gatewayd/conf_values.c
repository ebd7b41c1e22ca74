// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_values.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include <stdlib.h>
#include <string.h>

static void *field(void *base, const struct gw_option *option)
{
	return (char *)base + option->offset;
}

static bool set_text(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free(*to);
	*to = copy;
	return true;
}

bool gw_values_default(const struct gw_option *table, void *base)
{
	for (const struct gw_option *option = table; option->name; option++) {
		switch (option->type) {
		case GW_TEXT:
			if (option->text && !set_text(field(base, option), option->text))
				return false;
			break;
		case GW_TEXTS:
			break;
		case GW_WORD:
			*(int *)field(base, option) = (int)option->number;
			break;
		case GW_INT:
			*(uint32_t *)field(base, option) = (uint32_t)option->number;
			break;
		case GW_BOOL:
			*(bool *)field(base, option) = option->number;
			break;
		case GW_GROUP:
			if (!gw_values_default(option->sub, base))
				return false;
			break;
		case GW_LIST:
			break;
		}
	}
	return true;
}

static bool is_allowed_text(const char *text, const struct gw_option *option)
{
	size_t len = strlen(text);

	return len >= (size_t)option->min && len <= (size_t)option->max &&
	       io_utf8_printable(gk_span_str(text)) && (!option->fits || option->fits(text));
}

static bool read_text(const struct gw_report *report, const struct gw_option *option,
		      const config_setting_t *setting, char **to)
{
	const char *text = config_setting_get_string(setting);

	if (!text || !is_allowed_text(text, option))
		return gw_refuse_value(report, setting, option);
	return set_text(to, text) || gw_refuse_file(report, "out of memory");
}

size_t gw_values_find(const struct gw_texts *texts, const char *text)
{
	size_t at = 0;

	while (at < texts->count && strcmp(texts->text[at], text) != 0)
		at++;
	return at;
}

// The array has room for it.
static bool add_text(const struct gw_report *report, const struct gw_option *option,
		     const config_setting_t *setting, struct gw_texts *to)
{
	const char *text = config_setting_get_string(setting);
	size_t same;

	if (!text || !is_allowed_text(text, option))
		return gw_refuse(report, setting, NULL, "must be %s", option->allowed);
	same = gw_values_find(to, text);
	if (same < to->count)
		return gw_refuse(report, setting, NULL, "must be unique; %s[%zu] is the same",
				 option->name, same);
	if (!set_text(&to->text[to->count], text))
		return gw_refuse_file(report, "out of memory");
	to->count++;
	return true;
}

static bool read_texts(const struct gw_report *report, const struct gw_option *option,
		       const config_setting_t *setting, struct gw_texts *to)
{
	int type = config_setting_type(setting);
	int count = config_setting_length(setting);

	if ((type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) || count > option->most)
		return gw_refuse_value(report, setting, option);
	if (count == 0)
		return true;
	to->text = calloc((size_t)count, sizeof(to->text[0]));
	if (!to->text)
		return gw_refuse_file(report, "out of memory");
	for (int i = 0; i < count; i++) {
		if (!add_text(report, option, config_setting_get_elem(setting, (unsigned)i), to))
			return false;
	}
	return true;
}

static bool read_word(const struct gw_report *report, const struct gw_option *option,
		      const config_setting_t *setting, int *to)
{
	const char *text = config_setting_get_string(setting);

	for (const struct gw_word *word = option->words; text && word->text; word++) {
		if (strcmp(word->text, text) != 0)
			continue;
		if (word->refusal)
			return gw_refuse_word(report, setting, option, word);
		*to = word->value;
		return true;
	}
	return gw_refuse_value(report, setting, option);
}

static bool read_int(const struct gw_report *report, const struct gw_option *option,
		     const config_setting_t *setting, uint32_t *to)
{
	int type = config_setting_type(setting);
	bool is_int = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	long long value = config_setting_get_int64(setting);

	if (!is_int || value < option->min || value > option->max)
		return gw_refuse_value(report, setting, option);
	*to = (uint32_t)value;
	return true;
}

static bool read_bool(const struct gw_report *report, const struct gw_option *option,
		      const config_setting_t *setting, bool *to)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return gw_refuse_value(report, setting, option);
	*to = config_setting_get_bool(setting);
	return true;
}

static bool read_groups(const struct gw_report *report, const struct gw_option *option,
			config_setting_t *setting, struct gw_conf *conf)
{
	int count = config_setting_length(setting);

	if (config_setting_type(setting) != CONFIG_TYPE_LIST || count < 1)
		return gw_refuse_value(report, setting, option);
	conf->groups = calloc((size_t)count, sizeof(conf->groups[0]));
	if (!conf->groups)
		return gw_refuse_file(report, "out of memory");

	for (int i = 0; i < count; i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		if (!config_setting_is_group(element))
			return gw_refuse(report, element, NULL,
					 "must be options in braces: { ... }");
		conf->group_count++;
		if (!gw_values_default(option->sub, &conf->groups[i]))
			return gw_refuse_file(report, "out of memory");
		if (!gw_values_read(report, option->sub, element, &conf->groups[i]))
			return false;
	}
	return true;
}

static bool read_value(const struct gw_report *report, const struct gw_option *option,
		       config_setting_t *setting, void *base)
{
	switch (option->type) {
	case GW_TEXT:
		return read_text(report, option, setting, field(base, option));
	case GW_TEXTS:
		return read_texts(report, option, setting, field(base, option));
	case GW_WORD:
		return read_word(report, option, setting, field(base, option));
	case GW_INT:
		return read_int(report, option, setting, field(base, option));
	case GW_BOOL:
		return read_bool(report, option, setting, field(base, option));
	case GW_GROUP:
		if (!config_setting_is_group(setting))
			return gw_refuse_value(report, setting, option);
		return gw_values_read(report, option->sub, setting, base);
	case GW_LIST:
		return read_groups(report, option, setting, base);
	}
	return false;
}

static const struct gw_option *find_option(const struct gw_option *table, const char *name)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (strcmp(option->name, name) == 0)
			return option;
	}
	return NULL;
}

bool gw_values_members(const struct gw_report *report, const struct gw_option *table,
		       config_setting_t *setting, void *base)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		const struct gw_option *option = find_option(table, config_setting_name(member));
		if (!option)
			return gw_refuse_unknown(report, member, table);
		if (!read_value(report, option, member, base))
			return false;
	}
	return true;
}

bool gw_values_read(const struct gw_report *report, const struct gw_option *table,
		    config_setting_t *setting, void *base)
{
	if (!gw_values_members(report, table, setting, base))
		return false;
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->required && !config_setting_get_member(setting, option->name))
			return gw_refuse_absence(report, setting, option);
	}
	return true;
}

static void free_texts(struct gw_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->text[i]);
	free(texts->text);
}

void gw_values_free(const struct gw_option *table, void *base)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->type == GW_TEXT)
			free(*(char **)field(base, option));
		else if (option->type == GW_TEXTS)
			free_texts(field(base, option));
		else if (option->type == GW_GROUP)
			gw_values_free(option->sub, base);
	}
}
