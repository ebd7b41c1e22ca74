// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf.h"
#include "gatewayd/conf_table.h"

static void print_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void print_texts(const struct gw_texts *texts, FILE *out)
{
	fputs("[ ", out);
	for (size_t i = 0; i < texts->count; i++) {
		print_text(texts->text[i], out);
		fputs(i + 1 < texts->count ? ", " : " ", out);
	}
	fputc(']', out);
}

static const char *word_of(const struct gw_word *words, int value)
{
	for (const struct gw_word *word = words; word->text; word++) {
		if (word->value == value)
			return word->text;
	}
	return "";
}

static void indent(unsigned depth, FILE *out)
{
	for (unsigned i = 0; i < depth; i++)
		fputc('\t', out);
}

static void print_table(const struct gw_option *table, const void *base, unsigned depth, FILE *out);

static void print_groups(const struct gw_option *option, const struct gw_conf *conf, FILE *out)
{
	fputs("(\n", out);
	for (size_t i = 0; i < conf->group_count; i++) {
		fputs("\t{\n", out);
		print_table(option->sub, &conf->groups[i], 2, out);
		fputs(i + 1 < conf->group_count ? "\t},\n" : "\t}\n", out);
	}
	fputc(')', out);
}

static void print_value(const struct gw_option *option, const void *base, unsigned depth, FILE *out)
{
	const void *from = gw_option_of(base, option);

	switch (option->type) {
	case GW_TEXT:
		print_text(*(char *const *)from, out);
		break;
	case GW_TEXTS:
		print_texts(from, out);
		break;
	case GW_WORD:
		print_text(word_of(option->words, *(const int *)from), out);
		break;
	case GW_INT:
		fprintf(out, "%lu", (unsigned long)*(const uint32_t *)from);
		break;
	case GW_BOOL:
		fputs(*(const bool *)from ? "true" : "false", out);
		break;
	case GW_GROUP:
		fputs("{\n", out);
		print_table(option->sub, base, depth + 1, out);
		indent(depth, out);
		fputc('}', out);
		break;
	case GW_LIST:
		print_groups(option, base, out);
		break;
	}
}

static void print_table(const struct gw_option *table, const void *base, unsigned depth, FILE *out)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->type == GW_TEXT && !*(char *const *)gw_option_of(base, option))
			continue;
		indent(depth, out);
		fprintf(out, "%s = ", option->name);
		print_value(option, base, depth, out);
		fputs(";\n", out);
	}
}

void gw_conf_print(const struct gw_conf *conf, FILE *out)
{
	print_table(gw_conf_options, conf, 0, out);
}
