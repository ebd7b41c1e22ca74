// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf.h"
#include "gatewayd/conf_table.h"
#include "libgroupkey/buf.h"
#include <string.h>

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool gw_conf_same_texts(const struct gw_texts *a, const struct gw_texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->text[i], b->text[i]) != 0)
			return false;
	}
	return true;
}

static bool is_same_table(const struct gw_option *table, const void *a, const void *b);

/* Groups are compared by those who know what they list. */
static bool is_same(const struct gw_option *option, const void *a, const void *b)
{
	const void *of_a = gw_option_of(a, option), *of_b = gw_option_of(b, option);

	switch (option->type) {
	case GW_TEXT:
		return is_same_text(*(char *const *)of_a, *(char *const *)of_b);
	case GW_TEXTS:
		return gw_conf_same_texts(of_a, of_b);
	case GW_WORD:
		return *(const int *)of_a == *(const int *)of_b;
	case GW_INT:
		return *(const uint32_t *)of_a == *(const uint32_t *)of_b;
	case GW_BOOL:
		return *(const bool *)of_a == *(const bool *)of_b;
	case GW_GROUP:
		return is_same_table(option->sub, a, b);
	case GW_LIST:
		break;
	}
	return true;
}

static bool is_same_table(const struct gw_option *table, const void *a, const void *b)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (!is_same(option, a, b))
			return false;
	}
	return true;
}

bool gw_conf_same_group(const struct gw_group_conf *a, const struct gw_group_conf *b)
{
	return is_same_table(gw_group_options, a, b) &&
	       gk_span_equal(a->core.cred_issuers, b->core.cred_issuers);
}

const struct gw_group_conf *gw_conf_find_group(const struct gw_conf *conf, struct gk_span name)
{
	for (size_t i = 0; i < conf->group_count; i++) {
		if (gk_span_equal(conf->groups[i].core.name, name))
			return &conf->groups[i];
	}
	return NULL;
}

static const char *find_fixed(const struct gw_option *table, const void *now, const void *wanted)
{
	for (const struct gw_option *option = table; option->name; option++) {
		const char *found = option->fixed;
		if (option->type == GW_GROUP)
			found = find_fixed(option->sub, now, wanted);
		if (found && !is_same(option, now, wanted))
			return found;
	}
	return NULL;
}

const char *gw_conf_fixed(const struct gw_conf *now, const struct gw_conf *wanted)
{
	return find_fixed(gw_conf_options, now, wanted);
}

static void exchange_text(const struct gw_option *option, struct gw_conf *a, struct gw_conf *b)
{
	char **of_a = (char **)((char *)a + option->offset);
	char **of_b = (char **)((char *)b + option->offset);
	char *text = *of_a;

	*of_a = *of_b;
	*of_b = text;
}

static void exchange_texts(const struct gw_option *option, struct gw_conf *a, struct gw_conf *b)
{
	struct gw_texts *of_a = (struct gw_texts *)((char *)a + option->offset);
	struct gw_texts *of_b = (struct gw_texts *)((char *)b + option->offset);
	struct gw_texts texts = *of_a;

	*of_a = *of_b;
	*of_b = texts;
}

static void keep_fixed(const struct gw_option *table, struct gw_conf *now, struct gw_conf *wanted)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->type == GW_GROUP)
			keep_fixed(option->sub, now, wanted);
		if (option->type == GW_TEXT && option->fixed)
			exchange_text(option, now, wanted);
		if (option->type == GW_TEXTS && option->fixed)
			exchange_texts(option, now, wanted);
	}
}

void gw_conf_replace(struct gw_conf *now, struct gw_conf *wanted)
{
	keep_fixed(gw_conf_options, now, wanted);
	gw_conf_free(now);
	*now = *wanted;
	*wanted = (struct gw_conf){ 0 };
}
