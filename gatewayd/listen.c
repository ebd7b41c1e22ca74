// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/listen.h"
#include "io/log.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define RETRY_MS 1000

static void read_coap(void *ctx, int fd, uint32_t events)
{
	struct gw_daemon *daemon = ctx;

	(void)fd, (void)events;
	io_coap_read(daemon->coap);
}

/* The zone of an address that was checked already is all that can be wrong. */
static int try_to_listen(struct gw_daemon *daemon)
{
	struct gk_addr addr;
	int err;

	if (!io_addr_parse(daemon->conf->listen, IO_ADDR_COAP_PORT, &addr))
		return -ENODEV;
	err = io_coap_open(&daemon->coap, &addr, gw_serve_request, gw_serve_answer, daemon);
	if (err)
		return err;
	err = io_loop_watch(daemon->loop, io_coap_fd(daemon->coap), EPOLLIN, read_coap, daemon);
	if (err)
		fatal("coap", "cannot be waited for: %s", strerror(-err));
	daemon->listen_scope = addr.scope;
	return 0;
}

/* libcoap binds by itself, and leaves no place for IPV6_FREEBIND. */
void gw_listen_open(struct gw_daemon *daemon)
{
	const char *listen = daemon->conf->listen;
	bool waiting = daemon->listen_ms != GK_NEVER;
	int err = try_to_listen(daemon);

	if (err == -ENOTSUP)
		fatal("coap", "this libcoap keeps OSCORE messages for itself, or has no epoll; "
			      "configure --install-deps builds one that fits");
	if (err && err != -ENODEV && err != -EADDRNOTAVAIL)
		fatal("coap", "%s: %s", listen, strerror(-err));
	if (err && !waiting)
		log_warnx("coap", "%s is not there yet; no node can reach us until it is", listen);
	if (!err && waiting)
		log_info("coap", "%s is there", listen);
	daemon->listen_ms = err ? io_loop_now(daemon->loop).mono.ms + RETRY_MS : GK_NEVER;
}

void gw_listen_check(struct gw_daemon *daemon)
{
	struct gk_addr addr;

	if (!daemon->coap || daemon->listen_scope == 0 ||
	    !io_addr_parse(daemon->conf->listen, IO_ADDR_COAP_PORT, &addr) ||
	    addr.scope == daemon->listen_scope)
		return;
	io_coap_give_up(daemon->coap);
	io_loop_forget(daemon->loop, io_coap_fd(daemon->coap));
	io_coap_close(daemon->coap);
	daemon->coap = NULL;
	gw_listen_open(daemon);
}

struct gk_mono gw_listen_next_expiry(const struct gw_daemon *daemon)
{
	return (struct gk_mono){ daemon->listen_ms };
}

void gw_listen_turn(struct gw_daemon *daemon, struct gk_mono now)
{
	if (daemon->listen_ms <= now.ms)
		gw_listen_open(daemon);
}
