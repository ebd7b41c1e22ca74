// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/daemon.h"

#include "gatewayd/control.h"
#include "gatewayd/listen.h"
#include "gatewayd/store_file.h"
#include "io/log.h"
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define AS_KEY_LEN     16
#define PUBLIC_KEY_MAX 512

static char *path_in_state_dir(const struct gw_conf *conf, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", conf->state_dir, name) < 0)
		fatal("daemon", "out of memory");
	return path;
}

/*
 * The KDC: from configuration, keys and store
 */

static void open_store(struct gw_daemon *daemon)
{
	char *path = path_in_state_dir(daemon->conf, "gatewayd.db");
	char error[GW_STORE_ERROR];

	if (gw_store_open(path, &daemon->store, error, sizeof(error)))
		fatal("store", "%s", error);
	free(path);
}

/* With another key no token that is out there would be taken any more, for no visible reason. */
static void check_as_key(struct gw_daemon *daemon, const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0 && errno == ENOENT && !gw_store_is_empty(daemon->store))
		fatal("conf",
		      "%s: missing, though the store knows tokens under it; put it back, or "
		      "move %s/gatewayd.db away too, to begin anew with no member remembered, "
		      "and provision the clients again",
		      path, daemon->conf->state_dir);
}

/* Only the default one is made: a file that someone named is one that an AS shares. */
static void read_as_key(struct gw_daemon *daemon, uint8_t key[static AS_KEY_LEN])
{
	const struct gw_conf *conf = daemon->conf;
	char *ours = path_in_state_dir(conf, "as.key");
	char error[IO_SECRET_ERROR];

	if (strcmp(conf->as_key_file, ours) == 0) {
		check_as_key(daemon, ours);
		if (!io_secret_make(ours, AS_KEY_LEN, error, sizeof(error)))
			fatal("conf", "%s", error);
	}
	if (!io_secret_read(conf->as_key_file, key, AS_KEY_LEN, AS_KEY_LEN, true, error,
			    sizeof(error)))
		fatal("conf", "as.key_file: %s", error);
	free(ours);
}

static size_t read_public_key(const struct gw_conf *conf, uint8_t key[static PUBLIC_KEY_MAX])
{
	char error[IO_SECRET_ERROR];
	size_t len;

	if (!conf->as_public_key_file)
		return 0;
	len = io_secret_read(conf->as_public_key_file, key, 1, PUBLIC_KEY_MAX, false, error,
			     sizeof(error));
	if (len == 0)
		fatal("conf", "as.public_key_file: %s", error);
	return len;
}

static void make_kdc(struct gw_daemon *daemon)
{
	const struct gw_conf *conf = daemon->conf;
	uint8_t key[AS_KEY_LEN], public_key[PUBLIC_KEY_MAX];
	struct gk_env env = io_env();
	struct gk_kdc_config config = {
		.audience = gk_span_str(conf->audience),
		.as_key = gk_span(key, sizeof(key)),
		.issuer = conf->as_issuer ? gk_span_str(conf->as_issuer) : gk_span(NULL, 0),
		.rekeying_bps = conf->rekeying_bps,
	};
	enum gk_err err = gk_global_init(&env);

	if (err)
		fatal("kdc", "wolfSSL does not start: %s", gk_strerror(err));
	read_as_key(daemon, key);
	config.as_public_key = gk_span(public_key, read_public_key(conf, public_key));
	err = gk_kdc_new(&env, &config, &daemon->kdc);
	if (err)
		fatal("kdc", "the AS's key cannot be used: %s", gk_strerror(err));
	explicit_bzero(key, sizeof(key));
}

static int restore_record(void *ctx, const struct gk_record *record)
{
	struct gw_daemon *daemon = ctx;
	enum gk_err err = gk_kdc_restore(daemon->kdc, record, io_loop_now(daemon->loop));

	if (err)
		log_warnx("store", "a record of table %d: %s", (int)record->table,
			  gk_strerror(err));
	return err == GK_ERR_NO_MEMORY ? -ENOMEM : err ? -EUCLEAN : 0;
}

static void restore(struct gw_daemon *daemon)
{
	int err = gw_store_load(daemon->store, restore_record, daemon);

	if (err == -EUCLEAN)
		fatal("store", "%s/gatewayd.db: damaged" GW_STORE_WAY_OUT, daemon->conf->state_dir);
	if (err)
		fatal("store", "%s/gatewayd.db: %s", daemon->conf->state_dir, strerror(-err));
}

static void add_groups(struct gw_daemon *daemon)
{
	for (size_t i = 0; i < daemon->conf->group_count; i++) {
		const struct gw_group_conf *group = &daemon->conf->groups[i];
		enum gk_err err =
			gk_kdc_add_group(daemon->kdc, &group->core, io_loop_now(daemon->loop));
		if (err)
			fatal("kdc", "group %s: %s", group->name, gk_strerror(err));
	}
}

/*
 * The network
 */

static void add_control_groups(struct gw_daemon *daemon)
{
	gw_multicast_init(&daemon->multicast, daemon->loop, gw_serve_confirmation, daemon);
	for (size_t i = 0; i < daemon->conf->group_count; i++) {
		const struct gk_rekey_config *rekey = &daemon->conf->groups[i].core.rekey;
		if (rekey->scheme == GK_TREE &&
		    gw_multicast_add(&daemon->multicast, &rekey->control_group))
			fatal("daemon", "out of memory");
	}
}

static void open_segment(struct gw_daemon *daemon)
{
	int err = gw_segment_open(&daemon->segment, daemon->conf->interface, &gw_serve_segment,
				  daemon, io_loop_now(daemon->loop).mono);

	if (err)
		fatal("link", "no netlink socket: %s", strerror(-err));
}

/*
 * Signals
 */

static char *print_conf(const struct gw_conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	gw_conf_print(conf, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool is_same(const struct gw_conf *a, const struct gw_conf *b)
{
	char *text_a = print_conf(a), *text_b = print_conf(b);
	bool same = text_a && text_b && strcmp(text_a, text_b) == 0;

	free(text_a);
	free(text_b);
	return same;
}

/* This version changes nothing while it runs; it says what a restart would do. */
static void check_conf(const struct gw_daemon *daemon)
{
	char error[GW_CONF_ERROR];
	struct gw_conf conf;

	if (!gw_conf_read(daemon->conf_path, &conf, error, sizeof(error))) {
		log_warnx("conf", "%s; the old configuration stays in effect", error);
		return;
	}
	if (is_same(&conf, daemon->conf))
		log_info("conf", "%s: valid, and in effect already", daemon->conf_path);
	else
		log_warnx("conf", "%s: valid; its changes need a restart", daemon->conf_path);
	gw_conf_free(&conf);
}

static void take_signal(void *ctx, int signo)
{
	struct gw_daemon *daemon = ctx;

	if (signo == SIGHUP) {
		check_conf(daemon);
	} else {
		log_info("daemon", "ends: %s", strsignal(signo));
		daemon->stopping = true;
	}
}

static void open_loop(struct gw_daemon *daemon)
{
	static const int signos[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	int err = io_loop_new(&daemon->loop);

	if (!err)
		err = io_loop_signals(daemon->loop, signos, take_signal, daemon);
	if (err)
		fatal("daemon", "no event loop: %s", strerror(-err));
	signal(SIGPIPE, SIG_IGN);
}

/*
 * Start, run, stop
 */

static void open_control(struct gw_daemon *daemon)
{
	char error[GW_CONTROL_ERROR];

	if (gw_control_open(&daemon->control, daemon, daemon->conf->control, error, sizeof(error)))
		fatal("control", "%s", error);
}

/* What is resumed is sent only when all else has succeeded. */
void gw_daemon_start(struct gw_daemon *daemon, const struct gw_conf *conf, const char *conf_path)
{
	*daemon = (struct gw_daemon){
		.conf = conf,
		.conf_path = conf_path,
		.listen_ms = GK_NEVER,
	};
	daemon->answers_end = &daemon->answers;
	gw_notes_init(&daemon->notes);
	gw_outbox_init(&daemon->outbox, &gw_serve_outlets, daemon);
	open_loop(daemon);
	daemon->started = io_loop_now(daemon->loop).mono;
	open_store(daemon);
	make_kdc(daemon);
	restore(daemon);
	add_groups(daemon);
	gw_listen_open(daemon);
	add_control_groups(daemon);
	open_segment(daemon);
	open_control(daemon);
	gw_serve_settle(daemon);
	log_info("daemon", "serves %zu group%s at %s on %s", conf->group_count,
		 conf->group_count == 1 ? "" : "s", conf->listen, conf->interface);
}

static struct gk_mono next_deadline(struct gw_daemon *daemon, struct gk_mono coap)
{
	const struct gk_mono deadlines[] = {
		coap,
		gw_serve_ready(daemon) ? gk_kdc_next_expiry(daemon->kdc)
				       : gw_outbox_next_expiry(&daemon->outbox),
		gw_segment_next_expiry(&daemon->segment),
		gw_control_next_expiry(daemon->control),
		gw_listen_next_expiry(daemon),
	};
	struct gk_mono next = { GK_NEVER };

	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		if (deadlines[i].ms < next.ms)
			next = deadlines[i];
	}
	return next;
}

static void do_what_is_due(struct gw_daemon *daemon, struct gk_mono coap)
{
	struct gk_mono now = io_loop_now(daemon->loop).mono;

	if (coap.ms <= now.ms && daemon->coap)
		io_coap_read(daemon->coap);
	gw_listen_turn(daemon, now);
	if (gw_segment_next_expiry(&daemon->segment).ms <= now.ms)
		gw_segment_read(&daemon->segment, now);
	gw_serve_settle(daemon); /* what has come, before what did not come in time */
	gw_serve_expire(daemon);
	gw_serve_settle(daemon);
	gw_control_turn(daemon->control, now);
}

void gw_daemon_turn(struct gw_daemon *daemon)
{
	struct gk_mono coap = { GK_NEVER };
	int err;

	if (daemon->coap)
		coap = io_coap_next_expiry(daemon->coap, io_now());
	err = io_loop_turn(daemon->loop, next_deadline(daemon, coap));
	if (err)
		fatal("daemon", "epoll: %s", strerror(-err));
	do_what_is_due(daemon, coap);
}

void gw_daemon_run(struct gw_daemon *daemon)
{
	while (!daemon->stopping)
		gw_daemon_turn(daemon);
}

void gw_daemon_stop(struct gw_daemon *daemon)
{
	gw_control_close(daemon->control);
	gw_segment_close(&daemon->segment);
	gw_multicast_free(&daemon->multicast);
	io_coap_close(daemon->coap);
	gw_outbox_free(&daemon->outbox);
	gw_serve_drop(daemon);
	gk_kdc_free(daemon->kdc);
	gk_global_cleanup();
	gw_store_close(daemon->store);
	gw_notes_free(&daemon->notes);
	io_loop_free(daemon->loop);
}
