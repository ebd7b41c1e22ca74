// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * gatewayd: hands out the keys of CoAP groups on a segment, and replaces them when a node has
 * left. See gatewayd(8).
 */
#include "config.h"
#include "gatewayd/conf_presence.h"
#include "gatewayd/daemon.h"
#include "gatewayd/notify.h"
#include "gatewayd/privilege.h"
#include "gatewayd/seccomp.h"
#include "io/log.h"
#include "io/secret.h"
#include "io/std.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

#define FILES_MAX 8

struct options {
	const char *conf_paths[FILES_MAX + 1]; /* ends with NULL */
	size_t conf_count;
	bool check, print, debug, version, adopt, fresh;
};

/* The long ones have capitals, which nobody can give as short ones. */
static const struct option long_options[] = {
	{ "version", no_argument, NULL, 'V' },
	{ "adopt", no_argument, NULL, 'A' },
	{ "fresh", no_argument, NULL, 'F' },
	{ NULL, 0, NULL, 0 },
};

static bool are_together(const struct options *options)
{
	if (options->adopt && options->fresh)
		return false;
	if (options->check && (options->adopt || options->fresh))
		return false;
	return options->check || !options->print;
}

static bool add_file(struct options *options, const char *path)
{
	if (options->conf_count == FILES_MAX)
		return false;
	options->conf_paths[options->conf_count++] = path;
	return true;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	const struct {
		char letter;
		bool *flag;
	} flags[] = {
		{ 'n', &options->check },   { 'v', &options->print }, { 'd', &options->debug },
		{ 'V', &options->version }, { 'A', &options->adopt }, { 'F', &options->fresh },
	};
	int letter;

	*options = (struct options){ .conf_paths = { GK_SYSCONFDIR "/gatewayd/gatewayd.conf" } };
	while ((letter = getopt_long(argc, argv, "c:nvd", long_options, NULL)) != -1) {
		if (letter == '?' || (letter == 'c' && !add_file(options, optarg)))
			return false;
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			*flags[i].flag |= flags[i].letter == letter;
	}
	if (options->version)
		return argc == 2;
	return optind == argc && are_together(options);
}

static void open_log(const struct options *options, const struct gw_conf *conf)
{
	if (options->debug)
		log_open("gatewayd", LOG_LEVEL_DEBUG, false);
	else
		log_open("gatewayd", (enum log_level)conf->log_level, conf->log_to_syslog);
}

/* How long the kernel takes for a verdict is not in the file: printed is what holds now, here. */
static void print(const struct gw_conf *conf)
{
	const char *how = conf->net_admin ? ", if CAP_NET_ADMIN is kept" : " without net_admin";
	char source[REACH_NAME_LEN + 96];
	uint32_t verdict_ms;

	if (gw_segment_verdict(conf->interface, !conf->net_admin, &verdict_ms) == 0) {
		snprintf(source, sizeof(source), "that of %s now%s", conf->interface, how);
	} else {
		verdict_ms = GW_PRESENCE_VERDICT_MS;
		if (!conf->net_admin)
			verdict_ms += GW_PRESENCE_DELAY_MS;
		snprintf(source, sizeof(source), "Linux's default%s, since there is no %s now", how,
			 conf->interface);
	}
	gw_conf_print(conf, stdout);
	gw_presence_print(conf, verdict_ms, source, stdout);
}

/* Start and end do not fail because whoever waits for them could not be told. */
static void tell(const char *state)
{
	int err = gw_notify(state);

	if (err)
		log_warnx("daemon", "NOTIFY_SOCKET: not told %s: %s", state, strerror(-err));
}

/* The file was read as root; a reload reads it as the user that we have become. */
static void check_readable(const char *path)
{
	if (access(path, R_OK) != 0)
		log_warn("conf",
			 "%s: no reload can read it as the user that we have become, who has to be "
			 "let through to it, and to read it",
			 path);
}

static void take_user(const struct options *options, const struct gw_conf *conf)
{
	char error[GW_PRIVILEGE_ERROR];

	if (!gw_privilege_take_user(conf, error, sizeof(error)))
		fatal("daemon", "%s", error);
	for (size_t i = 0; options->conf_paths[i]; i++)
		check_readable(options->conf_paths[i]);
	for (size_t i = 0; i < conf->group_count; i++) {
		if (conf->groups[i].cred_issuers_file)
			check_readable(conf->groups[i].cred_issuers_file);
	}
}

/* @return what is in effect */
static enum gw_seccomp install_filter(enum gw_seccomp wanted)
{
	const char *why = gw_seccomp_install(wanted);

	if (why && wanted != GW_SECCOMP_OFF)
		log_warnx("daemon", "seccomp: no filter of system calls: %s", why);
	return why ? GW_SECCOMP_OFF : wanted;
}

/* The filter comes last: it does not allow the calls that only a start makes. */
static void seal(struct gw_daemon *daemon)
{
	struct gw_rights *rights = &daemon->rights;
	char error[GW_PRIVILEGE_ERROR];

	if (!gw_privilege_seal(daemon->conf.net_admin, rights, error, sizeof(error)))
		fatal("daemon", "%s", error);
	if (daemon->conf.net_admin && !rights->net_admin)
		log_warnx("daemon", "net_admin: there is no CAP_NET_ADMIN that could be kept");
	rights->filter = install_filter((enum gw_seccomp)daemon->conf.seccomp);
	log_info("daemon", "runs as %s, with %s, seccomp %s", rights->user,
		 rights->net_admin ? "CAP_NET_ADMIN" : "no capability",
		 gw_seccomp_name(rights->filter));
}

static void serve(const struct options *options, struct gw_conf *conf)
{
	const struct gw_start start = {
		.conf_paths = options->conf_paths,
		.debug = options->debug,
		.wish = options->adopt   ? GW_STORE_ADOPT
			: options->fresh ? GW_STORE_FRESH
					 : GW_STORE_AS_IS,
	};
	struct gw_daemon daemon;

	open_log(options, conf);
	// As the first process of a namespace we inherit what others leave behind there.
	signal(SIGCHLD, SIG_IGN);
	take_user(options, conf);
	io_secret_guard(); // after that, which would undo it, and before the first secret is read
	gw_daemon_start(&daemon, conf, &start);
	seal(&daemon);
	tell("READY=1");
	gw_daemon_run(&daemon);
	tell("STOPPING=1");
	gw_daemon_stop(&daemon);
}

int main(int argc, char **argv)
{
	char error[GW_CONF_ERROR];
	struct options options;
	struct gw_conf conf;

	if (!io_std_open())
		return EXIT_FAILURE;
	if (!read_options(argc, argv, &options)) {
		fputs("usage: gatewayd [-d] [--adopt | --fresh] [-c FILE]...\n"
		      "       gatewayd -n [-v] [-c FILE]...\n"
		      "       gatewayd --version\n",
		      stderr);
		return EXIT_USAGE;
	}
	if (options.version) {
		puts("gatewayd " GK_VERSION " (" GK_COAP_NAME ")");
		return 0;
	}
	if (!gw_conf_read(options.conf_paths, &conf, error, sizeof(error))) {
		fprintf(stderr, "gatewayd: %s\n", error);
		return EXIT_FAILURE;
	}
	if (options.print)
		print(&conf);
	if (!options.check)
		serve(&options, &conf);
	gw_conf_free(&conf);
	return 0;
}
