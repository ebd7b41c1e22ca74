// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/daemon.h"

#include "config.h"
#include "gatewayd/control.h"
#include "gatewayd/listen.h"
#include "gatewayd/reload.h"
#include "io/log.h"
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

/*
 * The groups
 */

/* One that cannot be written now is served once it can be. */
static void add_group(struct gw_daemon *daemon, const struct gw_group_conf *group)
{
	enum gk_err err = gk_kdc_add_group(daemon->kdc, &group->core, gw_now(daemon));

	if (err == GK_ERR_NO_SPACE)
		log_warnx("kdc", "group %s: new, and not served until it can be stored",
			  group->name);
	else if (err && err != GK_ERR_STATE) // served already
		fatal("kdc", "group %s: %s", group->name, gk_strerror(err));
}

void gw_daemon_add_groups(struct gw_daemon *daemon)
{
	for (size_t i = 0; i < daemon->conf.group_count; i++)
		add_group(daemon, &daemon->conf.groups[i]);
}

/* Who took a group out of the file did not tell us to end it. */
static void tell_unserved(const struct gw_daemon *daemon)
{
	char files[GW_CONF_ERROR];
	struct gk_span name;
	size_t at = 0;

	gw_conf_name(daemon->conf_paths, files, sizeof(files));
	while (gk_kdc_unserved_next(daemon->kdc, &at, &name))
		log_warnx("conf",
			  "group %.*s: in the store and not in %s; it is kept and not served until "
			  "the configuration is read again",
			  (int)name.len, (const char *)name.data, files);
}

/*
 * The network
 */

static void add_control_groups(struct gw_daemon *daemon)
{
	gw_multicast_init(&daemon->multicast, daemon->loop, gw_serve_group_answer, daemon);
	for (size_t i = 0; i < daemon->conf.group_count; i++) {
		const struct gk_rekey_config *rekey = &daemon->conf.groups[i].core.rekey;
		if (rekey->scheme == GK_TREE &&
		    gw_multicast_add(&daemon->multicast, &rekey->control_group))
			fatal("daemon", "out of memory");
	}
}

static void open_segment(struct gw_daemon *daemon)
{
	const struct gw_conf *conf = &daemon->conf;
	const struct gw_segment_options options = { .interface = conf->interface,
						    .watch = conf->watch.text,
						    .watch_count = conf->watch.count,
						    .datagrams = !gw_privilege_may_probe(conf) };
	int err = gw_segment_open(&daemon->segment, &options, &gw_serve_segment, daemon,
				  gw_now(daemon).mono);

	if (err)
		fatal("link", "no netlink socket: %s", strerror(-err));
}

/*
 * Signals
 */

static void take_signal(void *ctx, int signo)
{
	struct gw_daemon *daemon = ctx;
	char text[GW_RELOAD_TEXT];

	if (signo == SIGHUP) {
		(void)gw_reload(daemon, text, sizeof(text));
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

	if (gw_control_open(&daemon->control, daemon, daemon->conf.control, error, sizeof(error)))
		fatal("control", "%s", error);
}

static void tell_served(const struct gw_daemon *daemon)
{
	log_info("daemon", "serves %zu group%s at %s on %s", daemon->conf.group_count,
		 daemon->conf.group_count == 1 ? "" : "s", daemon->conf.listen,
		 daemon->conf.interface);
	if (daemon->conf.listen_dtls)
		log_info("daemon", "DTLS at %s, with %s (%s)", daemon->conf.listen_dtls,
			 io_coap_has_raw_keys() ? "pre-shared keys and raw public keys"
						: "pre-shared keys",
			 GK_COAP_NAME);
	if (!io_coap_can_observe())
		log_warnx("coap",
			  "this libcoap answers FETCH under OSCORE by itself, with 4.15: no "
			  "member can observe");
}

/* Messages that a restart resumes are sent when nothing can fail any more. */
void gw_daemon_start(struct gw_daemon *daemon, struct gw_conf *conf, const struct gw_start *start)
{
	*daemon = (struct gw_daemon){
		.conf = *conf,
		.conf_paths = start->conf_paths,
		.debug = start->debug,
		.listen_ms = GK_NEVER,
	};
	*conf = (struct gw_conf){ .interface = NULL };
	daemon->answers_end = &daemon->answers;
	gw_notes_init(&daemon->notes);
	gw_outbox_init(&daemon->outbox, &gw_serve_outlets, daemon);
	open_loop(daemon);
	daemon->started = io_loop_now(daemon->loop).mono;
	gw_storage_open(daemon, start->wish);
	gw_daemon_add_groups(daemon);
	tell_unserved(daemon);
	gk_kdc_set_dtls(daemon->kdc, daemon->conf.listen_dtls != NULL);
	gw_listen_open(daemon);
	add_control_groups(daemon);
	open_segment(daemon);
	open_control(daemon);
	gw_serve_settle(daemon);
	tell_served(daemon);
}

static struct gk_mono next_deadline(struct gw_daemon *daemon, struct gk_mono coap)
{
	const struct gk_mono deadlines[] = {
		coap,
		gw_serve_ready(daemon) ? gk_kdc_next_expiry(daemon->kdc)
				       : (struct gk_mono){ GK_NEVER },
		gw_outbox_next_expiry(&daemon->outbox),
		gw_storage_next_expiry(daemon),
		gw_segment_next_expiry(&daemon->segment),
		gw_control_next_expiry(daemon->control),
		gw_questions_next_expiry(&daemon->questions),
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
	struct gk_mono now = gw_now(daemon).mono;

	if (coap.ms <= now.ms && daemon->coap)
		io_coap_read(daemon->coap);
	gw_listen_turn(daemon, now);
	if (gw_segment_next_expiry(&daemon->segment).ms <= now.ms)
		gw_segment_read(&daemon->segment, now);
	gw_serve_settle(daemon); /* what has come, before what did not come in time */
	gw_serve_end_questions(daemon);
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

/* The outbox first: it writes the records that were waiting, or the next start would miss them. */
void gw_daemon_stop(struct gw_daemon *daemon)
{
	gw_outbox_finish(&daemon->outbox, gw_now(daemon).mono);
	gw_control_close(daemon->control);
	gw_segment_close(&daemon->segment);
	gw_multicast_free(&daemon->multicast);
	gw_questions_free(&daemon->questions);
	io_coap_close(daemon->coap);
	gw_storage_close(daemon);
	gw_outbox_free(&daemon->outbox);
	gw_serve_drop(daemon);
	gk_kdc_free(daemon->kdc);
	gk_global_cleanup();
	gw_notes_free(&daemon->notes);
	io_loop_free(daemon->loop);
	gw_conf_free(&daemon->conf);
}
