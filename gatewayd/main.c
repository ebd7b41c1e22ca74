// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * gatewayd: hands out the keys of CoAP groups on a segment, and replaces them when a node has
 * left. See gatewayd(8).
 */
#include "config.h"
#include "gatewayd/daemon.h"
#include "io/log.h"
#include "io/secret.h"
#include "io/std.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

struct options {
	const char *conf_path;
	bool check, print, debug, version;
};

static bool read_options(int argc, char **argv, struct options *options)
{
	const struct {
		char letter;
		bool *flag;
	} flags[] = {
		{ 'n', &options->check },
		{ 'v', &options->print },
		{ 'd', &options->debug },
	};
	int letter;

	*options = (struct options){ .conf_path = GK_SYSCONFDIR "/gatewayd/gatewayd.conf" };
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return options->version = true;
	while ((letter = getopt(argc, argv, "c:nvd")) != -1) {
		if (letter == '?')
			return false;
		if (letter == 'c')
			options->conf_path = optarg;
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			*flags[i].flag |= flags[i].letter == letter;
	}
	return optind == argc && (options->check || !options->print);
}

static void open_log(const struct options *options, const struct gw_conf *conf)
{
	if (options->debug)
		log_open("gatewayd", LOG_LEVEL_DEBUG, false);
	else
		log_open("gatewayd", (enum log_level)conf->log_level, conf->log_to_syslog);
}

int main(int argc, char **argv)
{
	char error[GW_CONF_ERROR];
	struct gw_daemon daemon;
	struct options options;
	struct gw_conf conf;

	if (!io_std_open())
		return EXIT_FAILURE;
	if (!read_options(argc, argv, &options)) {
		fputs("usage: gatewayd [-d] [-c FILE]\n"
		      "       gatewayd -n [-v] [-c FILE]\n"
		      "       gatewayd --version\n",
		      stderr);
		return EXIT_USAGE;
	}
	if (options.version) {
		puts("gatewayd " GK_VERSION " (" GK_COAP_NAME ")");
		return 0;
	}
	if (!gw_conf_read(options.conf_path, &conf, error, sizeof(error))) {
		fprintf(stderr, "gatewayd: %s\n", error);
		return EXIT_FAILURE;
	}
	if (options.print)
		gw_conf_print(&conf, stdout);
	if (!options.check) {
		open_log(&options, &conf);
		io_secret_guard();
		gw_daemon_start(&daemon, &conf, options.conf_path);
		gw_daemon_run(&daemon);
		gw_daemon_stop(&daemon);
	}
	gw_conf_free(&conf);
	return 0;
}
