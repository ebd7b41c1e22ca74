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
#include "io/log.h"
#include "io/secret.h"
#include "io/std.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* How long the kernel takes is that of today; the file does not say it. */
static void print(const struct gw_conf *conf)
{
	char source[REACH_NAME_LEN + 64];
	uint32_t verdict_ms;

	if (gw_segment_verdict(conf->interface, &verdict_ms) == 0) {
		snprintf(source, sizeof(source), "that of %s now", conf->interface);
	} else {
		verdict_ms = GW_PRESENCE_VERDICT_MS;
		snprintf(source, sizeof(source), "Linux's default, since there is no %s now",
			 conf->interface);
	}
	gw_conf_print(conf, stdout);
	gw_presence_print(conf, verdict_ms, source, stdout);
}

/* Whether a start or an end is waited for does not decide over either. */
static void tell(const char *state)
{
	int err = gw_notify(state);

	if (err)
		log_warnx("daemon", "NOTIFY_SOCKET: not told %s: %s", state, strerror(-err));
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
	io_secret_guard(); // before the first secret is read
	gw_daemon_start(&daemon, conf, &start);
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
