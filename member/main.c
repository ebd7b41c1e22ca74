// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * gkmember: joins groups, stays in them, says and hears what is said there. See gkmember(1).
 */
#include "config.h"
#include "io/log.h"
#include "io/secret.h"
#include "io/std.h"
#include "libgroupkey/buf.h"
#include "member/node.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
#define SEED_LEN   32
#define ERROR_MAX  512

static void read_bundle(const struct gkm_options *options, struct io_bundle *bundle)
{
	char error[IO_BUNDLE_ERROR];

	if (!io_bundle_read(options->bundle, bundle, error, sizeof(error)))
		fatal("bundle", "%s", error);
	if (bundle->dtls[0])
		fatal("bundle", "%s: for DTLS, which gkmember does not speak", options->bundle);
	if (bundle->exp <= io_now().utc.s)
		log_warnx("bundle", "%s: the token has expired, the KDC will not take it",
			  options->bundle);
}

/* The seed of our signature keys: kept, so that we are who we were after a restart. */
static void read_seed(const char *dir, uint8_t seed[static SEED_LEN])
{
	char path[4096], error[ERROR_MAX];

	if (snprintf(path, sizeof(path), "%s/seed", dir) >= (int)sizeof(path))
		fatal("state", "%s: the name is too long", dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		fatal("state", "%s: %s", dir, strerror(errno));
	if (!io_secret_make(path, SEED_LEN, error, sizeof(error)) ||
	    !io_secret_read(path, seed, SEED_LEN, SEED_LEN, true, error, sizeof(error)))
		fatal("state", "%s", error);
}

static void draw_seed(uint8_t seed[static SEED_LEN])
{
	struct gk_env env = io_env();

	if (!env.random(env.ctx, seed, SEED_LEN))
		fatal("state", "the kernel has no random bytes");
}

static void run(const struct gkm_options *options)
{
	struct io_bundle bundle;
	uint8_t seed[SEED_LEN];
	struct gkm_node node;

	read_bundle(options, &bundle);
	if (options->state)
		read_seed(options->state, seed);
	else
		draw_seed(seed);
	gkm_node_open(&node, options, &bundle, gk_span(seed, sizeof(seed)));
	gkm_node_run(&node);
	gkm_node_close(&node);
	explicit_bzero(seed, sizeof(seed));
	explicit_bzero(&bundle, sizeof(bundle));
}

int main(int argc, char **argv)
{
	struct gkm_options options;
	char error[ERROR_MAX];

	if (!io_std_open())
		return EXIT_FAILURE;
	if (!gkm_options_read(argc, argv, &options, error, sizeof(error))) {
		fprintf(stderr, "gkmember: %s\n%s", error, gkm_options_usage);
		return EXIT_USAGE;
	}
	if (options.version) {
		puts("gkmember " GK_VERSION);
	} else if (options.help) {
		fputs(gkm_options_usage, stdout);
	} else {
		log_open("gkmember", options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, false);
		io_secret_guard();
		run(&options);
	}
	return 0;
}
