// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/reload.h"
#include "gatewayd/control.h"
#include "gatewayd/listen.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GROUP_NAME_MAX 64

/* One that is under way: validate, prepare, swap. Until the last nothing of the old is given up. */
struct reload {
	struct gw_daemon *daemon;
	struct gw_conf wanted;
	struct gw_listener listener;
	size_t added, changed, deleted; /* groups */
	char *text;
	size_t size;
};

/*
 * What is said of it
 */

__attribute__((format(printf, 2, 3))) static void say(struct reload *reload, const char *format,
						      ...)
{
	size_t len = strlen(reload->text);
	va_list args;

	va_start(args, format);
	vsnprintf(reload->text + len, reload->size - len, format, args);
	va_end(args);
}

static void say_files(struct reload *reload)
{
	char names[GW_CONF_ERROR];

	gw_conf_name(reload->daemon->conf_paths, names, sizeof(names));
	say(reload, "%s", names);
}

static bool refuse(struct reload *reload, const char *why)
{
	say(reload, "%s; the old configuration stays in effect", why);
	return false;
}

static bool refuse_option(struct reload *reload, const char *option, const char *why)
{
	char error[GW_CONF_ERROR];

	gw_conf_refuse(reload->daemon->conf_paths, option, why, error, sizeof(error));
	return refuse(reload, error);
}

static bool refuse_all(struct reload *reload, const char *why)
{
	say_files(reload);
	say(reload, ": ");
	return refuse(reload, why);
}

static bool refuse_unstored(struct reload *reload, const char *option)
{
	return refuse_option(reload, option, "cannot change while nothing can be stored");
}

/*
 * What is new
 */

static bool is_new_text(const char *now, const char *wanted)
{
	return strcmp(now, wanted) != 0;
}

static bool is_new_listen(const struct reload *reload)
{
	return is_new_text(reload->daemon->conf.listen, reload->wanted.listen);
}

static bool is_new_control(const struct reload *reload)
{
	return is_new_text(reload->daemon->conf.control, reload->wanted.control);
}

static bool is_new_watch(const struct reload *reload)
{
	return !gw_conf_same_texts(&reload->daemon->conf.watch, &reload->wanted.watch);
}

static bool is_new_link(const struct reload *reload)
{
	return reload->daemon->conf.rekeying_bps != reload->wanted.rekeying_bps;
}

/* With -d the log is the terminal's. */
static bool is_new_level(const struct reload *reload)
{
	return !reload->daemon->debug && reload->daemon->conf.log_level != reload->wanted.log_level;
}

static bool is_new_sink(const struct reload *reload)
{
	return !reload->daemon->debug &&
	       reload->daemon->conf.log_to_syslog != reload->wanted.log_to_syslog;
}

static bool has_new_groups(const struct reload *reload)
{
	return reload->added || reload->changed || reload->deleted;
}

/* @return false: none is left */
static bool next_unserved(const struct reload *reload, size_t *at, struct gk_span *name)
{
	while (gk_kdc_unserved_next(reload->daemon->kdc, at, name)) {
		if (!gw_conf_find_group(&reload->wanted, *name))
			return true;
	}
	return false;
}

static void count_deleted(struct reload *reload)
{
	const struct gw_conf *now = &reload->daemon->conf;
	struct gk_span name;
	size_t at = 0;

	for (size_t i = 0; i < now->group_count; i++)
		reload->deleted += !gw_conf_find_group(&reload->wanted, now->groups[i].core.name);
	while (next_unserved(reload, &at, &name))
		reload->deleted++;
}

/*
 * Validate
 */

static bool read_file(struct reload *reload)
{
	char error[GW_CONF_ERROR];

	if (!gw_conf_read(reload->daemon->conf_paths, &reload->wanted, error, sizeof(error)))
		return refuse(reload, error);
	return true;
}

static bool check_fixed(struct reload *reload)
{
	const char *option = gw_conf_fixed(&reload->daemon->conf, &reload->wanted);

	return option ? refuse_option(reload, option, "cannot change without a restart") : true;
}

/* Names the option that cannot change while the group has members. Of a group that is not served
 * there is nothing to compare with, so that it is one of three.
 * @param now  NULL: it is not served */
static bool refuse_group(struct reload *reload, size_t i, const struct gw_group_conf *now,
			 enum gk_err err)
{
	const struct gw_group_conf *wanted = &reload->wanted.groups[i];
	const char *option = "";
	const char *why = "mode, sign_alg or cred_fmt cannot change while it has members";
	char name[64];

	if (err == GK_ERR_NO_SPACE)
		return refuse_unstored(reload, "groups");
	if (err == GK_ERR_FORBIDDEN && now) {
		option = now->mode != wanted->mode                     ? ".mode"
			 : now->core.sign_alg != wanted->core.sign_alg ? ".sign_alg"
								       : ".cred_fmt";
		why = "cannot change while the group has members";
	}
	snprintf(name, sizeof(name), "groups[%zu]%s", i, option);
	return refuse_option(reload, name, err == GK_ERR_FORBIDDEN ? why : gk_strerror(err));
}

static bool check_group(struct reload *reload, size_t i)
{
	const struct gw_group_conf *wanted = &reload->wanted.groups[i];
	const struct gw_group_conf *now =
		gw_conf_find_group(&reload->daemon->conf, wanted->core.name);
	enum gk_err err = gk_kdc_check_group(reload->daemon->kdc, &wanted->core);

	reload->added += !now;
	reload->changed += now && !gw_conf_same_group(now, wanted);
	return err ? refuse_group(reload, i, now, err) : true;
}

static bool check_groups(struct reload *reload)
{
	for (size_t i = 0; i < reload->wanted.group_count; i++) {
		if (!check_group(reload, i))
			return false;
	}
	count_deleted(reload);
	return true;
}

/* A full disk refuses only what the KDC stores: another level of the log, say, can be had. */
static bool check_store(struct reload *reload)
{
	bool ready = gw_serve_ready(reload->daemon);

	if (has_new_groups(reload) && (!ready || reload->daemon->storage == GK_STORAGE_NONE))
		return refuse_unstored(reload, "groups");
	if (is_new_link(reload) && !ready)
		return refuse_unstored(reload, "link");
	return true;
}

static bool validate(struct reload *reload)
{
	return read_file(reload) && check_fixed(reload) && check_groups(reload) &&
	       check_store(reload);
}

/*
 * Prepare
 */

static const struct gk_addr *find_control_group(const void *ctx, uint16_t port)
{
	const struct gw_conf *conf = ctx;

	for (size_t i = 0; i < conf->group_count; i++) {
		const struct gk_rekey_config *rekey = &conf->groups[i].core.rekey;
		if (rekey->scheme == GK_TREE && rekey->control_group.port == port)
			return &rekey->control_group;
	}
	return NULL;
}

static bool prepare_ports(struct reload *reload)
{
	for (size_t i = 0; i < reload->wanted.group_count; i++) {
		const struct gk_rekey_config *rekey = &reload->wanted.groups[i].core.rekey;
		if (rekey->scheme == GK_TREE &&
		    gw_multicast_add(&reload->daemon->multicast, &rekey->control_group))
			return refuse_all(reload, "out of memory");
	}
	return true;
}

static bool prepare_listener(struct reload *reload)
{
	const char *listen = reload->wanted.listen;
	char why[IO_ADDR_TEXT + 128];
	int err;

	if (!is_new_listen(reload))
		return true;
	err = gw_listen_prepare(reload->daemon, listen, &reload->listener);
	if (!err)
		return true;
	snprintf(why, sizeof(why), "%s: %s", listen, gw_listen_why(err));
	return refuse_option(reload, "listen", why);
}

/* It comes last, and there is nothing to take back then. */
static bool move_control(struct reload *reload)
{
	char error[GW_CONTROL_ERROR];

	if (!is_new_control(reload) ||
	    gw_control_move(reload->daemon->control, reload->wanted.control, error,
			    sizeof(error)) == 0)
		return true;
	return refuse_option(reload, "control", error);
}

static bool prepare(struct reload *reload)
{
	struct gw_daemon *daemon = reload->daemon;

	if (prepare_ports(reload) && prepare_listener(reload) && move_control(reload))
		return true;
	gw_listen_cancel(daemon, &reload->listener);
	gw_multicast_retain(&daemon->multicast, find_control_group, &daemon->conf);
	return false;
}

/*
 * Swap
 */

/* All that can be wrong was asked for before, but for memory and entropy. */
static void must_do(struct gk_span group, enum gk_err err)
{
	if (err)
		fatal("kdc", "group %.*s: %s; a restart takes up from the store", (int)group.len,
		      (const char *)group.data, gk_strerror(err));
}

static void remove_group(struct reload *reload, struct gk_span name)
{
	must_do(name, gk_kdc_remove_group(reload->daemon->kdc, name, gw_now(reload->daemon)));
}

static void remove_unserved(struct reload *reload)
{
	uint8_t bytes[GROUP_NAME_MAX];
	struct gk_buf name = gk_buf(bytes, sizeof(bytes));
	struct gk_span found;

	// Each time from the start: the walk is over when the KDC changes.
	for (size_t at = 0; next_unserved(reload, &at, &found); at = 0) {
		gk_buf_truncate(&name, 0);
		gk_buf_add(&name, found);
		remove_group(reload, gk_buf_span(&name));
	}
}

static void remove_groups(struct reload *reload)
{
	const struct gw_conf *now = &reload->daemon->conf;

	for (size_t i = 0; i < now->group_count; i++) {
		struct gk_span name = now->groups[i].core.name;
		if (!gw_conf_find_group(&reload->wanted, name))
			remove_group(reload, name);
	}
	remove_unserved(reload);
}

static void swap_group(struct reload *reload, const struct gw_group_conf *wanted)
{
	struct gw_daemon *daemon = reload->daemon;
	const struct gk_group_config *core = &wanted->core;
	const struct gw_group_conf *now = gw_conf_find_group(&daemon->conf, core->name);

	if (!now)
		must_do(core->name, gk_kdc_add_group(daemon->kdc, core, gw_now(daemon)));
	else if (!gw_conf_same_group(now, wanted))
		must_do(core->name, gk_kdc_change_group(daemon->kdc, core, gw_now(daemon)));
}

static void swap_groups(struct reload *reload)
{
	struct gw_daemon *daemon = reload->daemon;

	gk_kdc_set_discovery(daemon->kdc, (enum gk_discovery)reload->wanted.discovery);
	if (is_new_link(reload))
		gk_kdc_set_rekeying_bps(daemon->kdc, reload->wanted.rekeying_bps, gw_now(daemon));
	if (!has_new_groups(reload))
		return;
	remove_groups(reload);
	for (size_t i = 0; i < reload->wanted.group_count; i++)
		swap_group(reload, &reload->wanted.groups[i]);
}

static void swap_log(const struct gw_daemon *daemon)
{
	if (!daemon->debug)
		log_open("gatewayd", (enum log_level)daemon->conf.log_level,
			 daemon->conf.log_to_syslog);
}

static void say_groups(struct reload *reload)
{
	const struct {
		size_t count;
		const char *what;
	} rows[] = {
		{ reload->added, "added" },
		{ reload->changed, "changed" },
		{ reload->deleted, "deleted" },
	};
	const char *separator = " groups: ";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].count == 0)
			continue;
		say(reload, "%s%zu %s", separator, rows[i].count, rows[i].what);
		separator = ", ";
	}
}

/* While the old one can still be looked at. @return false: nothing is new */
static bool say_what_is_new(struct reload *reload)
{
	const struct {
		bool is_new;
		const char *option, *value;
	} rows[] = {
		{ is_new_listen(reload), "listen ", reload->wanted.listen },
		{ is_new_control(reload), "control ", reload->wanted.control },
		{ is_new_watch(reload), "watch", "" },
		{ is_new_link(reload), "link", "" },
		{ is_new_level(reload), "log_level", "" },
		{ is_new_sink(reload), "log", "" },
	};
	const char *separator = has_new_groups(reload) ? ";" : "";
	bool any = has_new_groups(reload);

	say_files(reload);
	say(reload, ": in effect:");
	say_groups(reload);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].is_new)
			continue;
		say(reload, "%s %s%s", separator, rows[i].option, rows[i].value);
		separator = ";";
		any = true;
	}
	return any;
}

/* Messages to groups that are gone leave, if at all, before their sockets do. */
static void settle(struct reload *reload)
{
	struct gw_daemon *daemon = reload->daemon;

	if (!daemon->segment.blind)
		gw_multicast_move(&daemon->multicast, daemon->segment.ifindex);
	if (!gw_serve_settle(daemon))
		say(reload, "; not stored yet: %s", strerror(-gw_outbox_error(&daemon->outbox)));
	gw_multicast_retain(&daemon->multicast, find_control_group, &daemon->conf);
}

static void swap_watch(struct gw_daemon *daemon)
{
	const struct gw_texts *watch = &daemon->conf.watch;

	gw_segment_watch(&daemon->segment, watch->text, watch->count, gw_now(daemon).mono);
}

static void swap(struct reload *reload)
{
	struct gw_daemon *daemon = reload->daemon;
	bool new_watch = is_new_watch(reload);

	if (is_new_listen(reload))
		gw_listen_replace(daemon, &reload->listener);
	swap_groups(reload);
	gw_conf_replace(&daemon->conf, &reload->wanted);
	swap_log(daemon);
	if (new_watch)
		swap_watch(daemon);
	settle(reload);
}

static bool put_into_effect(struct reload *reload)
{
	if (!prepare(reload))
		return false;
	if (say_what_is_new(reload)) {
		swap(reload);
		return true;
	}
	reload->text[0] = '\0';
	say_files(reload);
	say(reload, ": nothing has changed");
	return true;
}

bool gw_reload(struct gw_daemon *daemon, char *text, size_t size)
{
	struct reload reload = { .daemon = daemon, .text = text, .size = size };
	bool ok;

	text[0] = '\0';
	if (gw_serve_ready(daemon))
		gw_storage_look(daemon);
	ok = validate(&reload) && put_into_effect(&reload);
	gw_conf_free(&reload.wanted);
	if (ok)
		log_info("conf", "%s", text);
	else
		log_warnx("conf", "%s", text);
	return ok;
}
