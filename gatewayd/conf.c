// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf.h"
#include "gatewayd/conf_presence.h"
#include "gatewayd/conf_table.h"
#include "gatewayd/conf_text.h"
#include "gatewayd/issuers.h"
#include "io/addr.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/roots.h"
#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MARK_DIR    "/var/lib/gatewayd"
#define MARK_SUFFIX ".mark"

// The store makes other files beside it, with up to 16 bytes more.
#define MARK_NAME_MAX (NAME_MAX - 16)

// Also keeps line numbers below 65536, where libconfig loses count.
#define FILE_MAX 65535

/*
 * Messages
 */

struct report {
	const char *file;
	char *error;
	size_t size;
};

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

// Of a setting, or of the option 'name' that it lacks.
__attribute__((format(printf, 4, 5))) static bool refuse(const struct report *report,
							 const config_setting_t *setting,
							 const char *name, const char *format, ...)
{
	char text[GW_CONF_ERROR] = "";
	va_list args;

	append(text, "%s:%u: ", report->file, line_of(setting));
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

static bool refuse_line(const struct report *report, unsigned line, const char *why)
{
	snprintf(report->error, report->size, "%s:%u: %s", report->file, line, why);
	return false;
}

static bool refuse_file(const struct report *report, const char *why)
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

static bool refuse_value(const struct report *report, const config_setting_t *setting,
			 const struct gw_option *option)
{
	char allowed[GW_CONF_ERROR] = "";

	append_allowed(allowed, option);
	return refuse(report, setting, NULL, "must be %s", allowed);
}

static bool refuse_absence(const struct report *report, const config_setting_t *setting,
			   const struct gw_option *option)
{
	char allowed[GW_CONF_ERROR] = "";

	append_allowed(allowed, option);
	return refuse(report, setting, option->name, "is missing; must be %s", allowed);
}

/*
 * Reading. Defaults are in place before; text that is replaced is freed.
 */

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

static bool set_defaults(const struct gw_option *table, void *base)
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
			if (!set_defaults(option->sub, base))
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

static bool read_text(const struct report *report, const struct gw_option *option,
		      const config_setting_t *setting, char **to)
{
	const char *text = config_setting_get_string(setting);

	if (!text || !is_allowed_text(text, option))
		return refuse_value(report, setting, option);
	return set_text(to, text) || refuse_file(report, "out of memory");
}

static size_t find_text(const struct gw_texts *texts, const char *text)
{
	size_t at = 0;

	while (at < texts->count && strcmp(texts->text[at], text) != 0)
		at++;
	return at;
}

// The array has room for it.
static bool add_text(const struct report *report, const struct gw_option *option,
		     const config_setting_t *setting, struct gw_texts *to)
{
	const char *text = config_setting_get_string(setting);
	size_t same;

	if (!text || !is_allowed_text(text, option))
		return refuse(report, setting, NULL, "must be %s", option->allowed);
	same = find_text(to, text);
	if (same < to->count)
		return refuse(report, setting, NULL, "must be unique; %s[%zu] is the same",
			      option->name, same);
	if (!set_text(&to->text[to->count], text))
		return refuse_file(report, "out of memory");
	to->count++;
	return true;
}

static bool read_texts(const struct report *report, const struct gw_option *option,
		       const config_setting_t *setting, struct gw_texts *to)
{
	int type = config_setting_type(setting);
	int count = config_setting_length(setting);

	if ((type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) || count > option->most)
		return refuse_value(report, setting, option);
	if (count == 0)
		return true;
	to->text = calloc((size_t)count, sizeof(to->text[0]));
	if (!to->text)
		return refuse_file(report, "out of memory");
	for (int i = 0; i < count; i++) {
		if (!add_text(report, option, config_setting_get_elem(setting, (unsigned)i), to))
			return false;
	}
	return true;
}

static bool read_word(const struct report *report, const struct gw_option *option,
		      const config_setting_t *setting, int *to)
{
	const char *text = config_setting_get_string(setting);
	char words[GW_CONF_ERROR] = "";

	for (const struct gw_word *word = option->words; text && word->text; word++) {
		if (strcmp(word->text, text) != 0)
			continue;
		if (word->refusal) {
			append_words(words, option->words);
			return refuse(report, setting, NULL, "must be %s: %s", words,
				      word->refusal);
		}
		*to = word->value;
		return true;
	}
	return refuse_value(report, setting, option);
}

static bool read_int(const struct report *report, const struct gw_option *option,
		     const config_setting_t *setting, uint32_t *to)
{
	int type = config_setting_type(setting);
	bool is_int = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	long long value = config_setting_get_int64(setting);

	if (!is_int || value < option->min || value > option->max)
		return refuse_value(report, setting, option);
	*to = (uint32_t)value;
	return true;
}

static bool read_bool(const struct report *report, const struct gw_option *option,
		      const config_setting_t *setting, bool *to)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return refuse_value(report, setting, option);
	*to = config_setting_get_bool(setting);
	return true;
}

static bool read_table(const struct report *report, const struct gw_option *table,
		       config_setting_t *setting, void *base);

static bool read_groups(const struct report *report, const struct gw_option *option,
			config_setting_t *setting, struct gw_conf *conf)
{
	int count = config_setting_length(setting);

	if (config_setting_type(setting) != CONFIG_TYPE_LIST || count < 1)
		return refuse_value(report, setting, option);
	conf->groups = calloc((size_t)count, sizeof(conf->groups[0]));
	if (!conf->groups)
		return refuse_file(report, "out of memory");

	for (int i = 0; i < count; i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		if (!config_setting_is_group(element))
			return refuse(report, element, NULL, "must be options in braces: { ... }");
		conf->group_count++;
		if (!set_defaults(option->sub, &conf->groups[i]))
			return refuse_file(report, "out of memory");
		if (!read_table(report, option->sub, element, &conf->groups[i]))
			return false;
	}
	return true;
}

static bool read_value(const struct report *report, const struct gw_option *option,
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
			return refuse_value(report, setting, option);
		return read_table(report, option->sub, setting, base);
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

static bool read_table(const struct report *report, const struct gw_option *table,
		       config_setting_t *setting, void *base)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		const struct gw_option *option = find_option(table, config_setting_name(member));
		if (!option) {
			char names[GW_CONF_ERROR] = "";
			append_names(names, table);
			return refuse(report, member, NULL, "unknown option; allowed here: %s",
				      names);
		}
		if (!read_value(report, option, member, base))
			return false;
	}

	for (const struct gw_option *option = table; option->name; option++) {
		if (option->required && !config_setting_get_member(setting, option->name))
			return refuse_absence(report, setting, option);
	}
	return true;
}

/*
 * What the table cannot say
 */

static bool is_name_unique(const struct report *report, const config_setting_t *setting,
			   const struct gw_conf *conf, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(conf->groups[i].name, conf->groups[j].name) == 0)
			return refuse(report, config_setting_get_member(setting, "name"), NULL,
				      "must be unique; groups[%zu] has the same", j);
	}
	return true;
}

// Of an option of the group's 'sub', at the place that is nearest to it in the file.
static bool refuse_in(const struct report *report, const config_setting_t *group, const char *sub,
		      const char *name, const char *why)
{
	const config_setting_t *around = config_setting_get_member(group, sub);
	const config_setting_t *option = around ? config_setting_get_member(around, name) : NULL;
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", sub, name);
	if (option)
		return refuse(report, option, NULL, "%s", why);
	return refuse(report, around ? around : group, around ? name : key, "%s", why);
}

static bool refuse_rekey(const struct report *report, const config_setting_t *group,
			 const char *name, const char *why)
{
	return refuse_in(report, group, "rekey", name, why);
}

static bool is_presence_possible(const struct report *report, const config_setting_t *setting,
				 const struct gw_conf *conf,
				 const struct gk_presence_config *presence)
{
	char why[GW_PRESENCE_WHY];
	const char *option;

	return gw_presence_fits(presence, conf->rate_kbps, &option, why) ||
	       refuse_in(report, setting, "presence", option, why);
}

static bool is_beacon_possible(const struct report *report, const config_setting_t *setting,
			       const struct gk_rekey_config *rekey)
{
	if (rekey->beacon_max_s >= rekey->beacon_min_s)
		return true;
	return refuse_rekey(report, setting, "beacon_max_s", "must be at least beacon_min_s");
}

static uint16_t port_of(const char *endpoint)
{
	struct gk_addr addr = { 0 };

	// The table has found that it can be parsed.
	if (endpoint)
		(void)gw_conf_endpoint(endpoint, &addr);
	return addr.port;
}

// Confirmations come to the port of the control group by unicast, as requests to ours do.
static bool is_port_free(const struct report *report, const config_setting_t *setting,
			 const struct gw_conf *conf, const struct gk_rekey_config *rekey)
{
	uint16_t port = rekey->control_group.port;

	if (rekey->scheme == GK_TREE && port == port_of(conf->listen))
		return refuse_rekey(report, setting, "address",
				    "must have another port than 'listen'");
	if (rekey->scheme == GK_TREE && port == port_of(conf->listen_dtls))
		return refuse_rekey(report, setting, "address",
				    "must have another port than 'listen_dtls'");
	return true;
}

/* X.509 takes a wolfSSL that has it, and there are no certificates of X25519 keys. */
static bool is_format_there(const struct report *report, const config_setting_t *setting,
			    const struct gw_group_conf *group)
{
	const config_setting_t *at = config_setting_get_member(setting, "cred_fmt");
	int alg = group->core.sign_alg;
	int crv = group->mode == GK_MODE_PAIRWISE ? gk_dh_curve(alg) : gk_sign_curve(alg);

	if (gk_cred_slot(group->core.cred_fmt) == GK_CRED_FORMATS)
		return refuse(report, at, NULL, "wolfSSL was built without X.509");
	if (crv && !gk_cred_has_curve(group->core.cred_fmt, crv))
		return refuse(
			report, at, NULL,
			"X25519 keys, which this mode takes beside EdDSA, have no certificates");
	return true;
}

static bool is_vouched_for(const struct report *report, const config_setting_t *setting,
			   const struct gw_group_conf *group)
{
	bool needed = gk_cred_has_issuer(group->core.cred_fmt);

	if (needed == (group->cred_issuers_file != NULL))
		return true;
	if (needed)
		return refuse(report, setting, "cred_issuers_file",
			      "is missing; must be an absolute path: of credentials of this "
			      "'cred_fmt' somebody has to be known who issues them");
	return refuse(report, config_setting_get_member(setting, "cred_issuers_file"), NULL,
		      "must not be there: nobody issues credentials of this 'cred_fmt'");
}

// The texts stay where they are.
static bool name_sleepers(const struct report *report, struct gw_group_conf *group)
{
	const struct gw_texts *texts = &group->sleepers;
	struct gk_presence_config *presence = &group->core.presence;

	if (texts->count == 0)
		return true;
	group->sleeper_names = calloc(texts->count, sizeof(group->sleeper_names[0]));
	if (!group->sleeper_names)
		return refuse_file(report, "out of memory");
	for (size_t i = 0; i < texts->count; i++)
		group->sleeper_names[i] = gk_span_str(texts->text[i]);
	presence->sleepers = group->sleeper_names;
	presence->sleeper_count = texts->count;
	return true;
}

static bool complete_group(const struct report *report, const config_setting_t *setting,
			   struct gw_conf *conf, size_t i)
{
	struct gw_group_conf *group = &conf->groups[i];
	struct gk_rekey_config *rekey = &group->core.rekey;

	group->core.name = gk_span_str(group->name);
	group->core.mode = (enum gk_mode)group->mode;
	rekey->scheme = (enum gk_scheme)group->scheme;
	rekey->confirm = (enum gk_confirm)group->confirm;
	// The table has found that both can be parsed.
	(void)io_addr_parse(group->address, 0, &rekey->control_group);
	return is_name_unique(report, setting, conf, i) &&
	       is_format_there(report, setting, group) && is_vouched_for(report, setting, group) &&
	       is_beacon_possible(report, setting, rekey) &&
	       is_presence_possible(report, setting, conf, &group->core.presence) &&
	       is_port_free(report, setting, conf, rekey) && name_sleepers(report, group);
}

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

static bool complete_mark(const struct report *report, const config_t *file, struct gw_conf *conf)
{
	const config_setting_t *root = config_root_setting(file);

	conf->mark = default_mark(conf->state_dir);
	if (!conf->mark)
		return refuse_file(report, "out of memory");
	if (!is_name_possible(conf->mark))
		return refuse(report, root, "mark",
			      "is missing; must be an absolute path: the name of 'state_dir' is "
			      "too long to make one of");
	if (is_in_directory(conf->mark, conf->state_dir))
		return refuse(report, root, "mark",
			      "is missing; must be an absolute path outside 'state_dir'");
	return true;
}

// Who puts back a backup of the one must not put back the other with it.
static bool check_mark(const struct report *report, const config_t *file, struct gw_conf *conf)
{
	if (!conf->mark)
		return complete_mark(report, file, conf);
	if (is_in_directory(conf->mark, conf->state_dir))
		return refuse(report, config_lookup(file, "mark"), NULL,
			      "must be outside 'state_dir': a backup would have both");
	return true;
}

// Each may be at its default, under the other.
static bool check_paths(const struct report *report, const config_t *file,
			const struct gw_conf *conf)
{
	if (gk_roots_fit(gk_span_str(conf->group_path), gk_span_str(conf->authz_path)))
		return true;
	return refuse(report, config_lookup(file, "paths"), NULL,
		      "'groups' and 'authz_info' must not be at or below each other, or "
		      "\".well-known\"");
}

static bool check_dtls(const struct report *report, const config_t *file,
		       const struct gw_conf *conf)
{
	if (!conf->listen_dtls || port_of(conf->listen) != port_of(conf->listen_dtls))
		return true;
	return refuse(report, config_lookup(file, "listen_dtls"), NULL,
		      "must have another port than 'listen'");
}

static bool check_watch(const struct report *report, const config_t *file,
			const struct gw_conf *conf)
{
	size_t at = find_text(&conf->watch, conf->interface);

	if (at == conf->watch.count)
		return true;
	return refuse(report, config_setting_get_elem(config_lookup(file, "watch"), (unsigned)at),
		      NULL, "must be another than 'interface', which is watched anyway");
}

static bool complete(const struct report *report, const config_t *file, struct gw_conf *conf)
{
	const config_setting_t *groups = config_lookup(file, "groups");

	conf->rekeying_bps = conf->rate_kbps * 1000 / 100 * conf->share_percent;
	if (!conf->as_key_file && asprintf(&conf->as_key_file, "%s/as.key", conf->state_dir) < 0) {
		conf->as_key_file = NULL;
		return refuse_file(report, "out of memory");
	}
	if (!check_mark(report, file, conf) || !check_paths(report, file, conf) ||
	    !check_dtls(report, file, conf) || !check_watch(report, file, conf))
		return false;
	for (size_t i = 0; i < conf->group_count; i++) {
		if (!complete_group(report, config_setting_get_elem(groups, (unsigned)i), conf, i))
			return false;
	}
	return true;
}

/*
 * The calls
 */

static void free_texts(struct gw_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->text[i]);
	free(texts->text);
}

static void free_table(const struct gw_option *table, void *base)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->type == GW_TEXT)
			free(*(char **)field(base, option));
		else if (option->type == GW_TEXTS)
			free_texts(field(base, option));
		else if (option->type == GW_GROUP)
			free_table(option->sub, base);
	}
}

static void free_group(struct gw_group_conf *group)
{
	free_table(gw_group_options, group);
	free(group->issuers.data);
	free(group->sleeper_names);
}

void gw_conf_free(struct gw_conf *conf)
{
	for (size_t i = 0; i < conf->group_count; i++)
		free_group(&conf->groups[i]);
	free(conf->groups);
	free_table(gw_conf_options, conf);
	*conf = (struct gw_conf){ 0 };
}

static bool check_text(const struct report *report, const char *text, size_t len)
{
	unsigned line;
	const char *why = gw_conf_check_text(text, len, &line);

	return why ? refuse_line(report, line, why) : true;
}

static bool read_config(const struct report *report, config_t *file, const char *text,
			struct gw_conf *conf)
{
	if (!config_read_string(file, text))
		return refuse_line(report, (unsigned)config_error_line(file),
				   config_error_text(file));
	if (!set_defaults(gw_conf_options, conf))
		return refuse_file(report, "out of memory");
	return read_table(report, gw_conf_options, config_root_setting(file), conf) &&
	       complete(report, file, conf);
}

bool gw_conf_parse(struct gk_span text, const char *file, struct gw_conf *conf, char *error,
		   size_t size)
{
	struct report report = { file, error, size };
	struct gw_conf found = { 0 };
	config_t config;

	if (text.len > FILE_MAX)
		return refuse_file(&report, "larger than 65535 bytes");
	char *copy = calloc(1, text.len + 1);
	if (!copy)
		return refuse_file(&report, "out of memory");
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
	struct report report = { path, error, size };
	FILE *file = fopen(path, "rbe");
	uint8_t *text = malloc(FILE_MAX + 1);
	struct gw_conf found = { 0 };
	bool ok = false;

	if (!file)
		refuse_file(&report, strerror(errno));
	else if (!text)
		refuse_file(&report, "out of memory");
	else {
		size_t len = fread(text, 1, FILE_MAX + 1, file);
		if (ferror(file))
			refuse_file(&report, strerror(errno));
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

void gw_conf_refuse(const char *path, const char *option, const char *why, char *error, size_t size)
{
	unsigned line = 0;
	config_t file;

	config_init(&file);
	if (config_read_file(&file, path))
		line = find_line(&file, option);
	config_destroy(&file);
	if (line)
		snprintf(error, size, "%s:%u: %s: %s", path, line, option, why);
	else
		snprintf(error, size, "%s: %s: %s", path, option, why);
}
