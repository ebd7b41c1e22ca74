// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/listen.h"
#include "config.h"
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
static int open_dtls(struct gw_daemon *daemon, struct io_coap *coap)
{
	struct io_coap_keys keys = { .psk = gw_serve_psk, .raw_key = gw_serve_raw_key };
	struct gk_addr addr;
	int err;

	if (!daemon->conf.listen_dtls)
		return 0;
	if (!io_addr_parse(daemon->conf.listen_dtls, IO_ADDR_COAPS_PORT, &addr))
		return -ENODEV;
	gw_serve_check(gk_kdc_own_raw_key(daemon->kdc, keys.d, keys.xy));
	err = io_coap_open_dtls(coap, daemon->coap, &addr, &keys, daemon);
	explicit_bzero(&keys, sizeof(keys));
	return err;
}

static int open_endpoint(struct gw_daemon *daemon, const struct gk_addr *addr,
			 struct gw_listener *next)
{
	int err = io_coap_open_beside(&next->coap, daemon->coap, addr, gw_serve_request,
				      gw_serve_answer, daemon);

	if (err)
		return err;
	io_coap_on_notified(next->coap, gw_serve_notified);
	err = open_dtls(daemon, next->coap);
	if (!err)
		err = io_loop_watch(daemon->loop, io_coap_fd(next->coap), EPOLLIN, read_coap,
				    daemon);
	if (err) {
		io_coap_close(next->coap);
		next->coap = NULL;
	}
	next->scope = addr->scope;
	return err;
}

static bool is_to_come(int err)
{
	return err == -ENODEV || err == -EADDRNOTAVAIL;
}

/* The zone of an address that was checked already is all that can be wrong. */
static int try_to_listen(struct gw_daemon *daemon, const char *listen, struct gw_listener *next)
{
	struct gk_addr addr;

	if (!io_addr_parse(listen, IO_ADDR_COAP_PORT, &addr))
		return -ENODEV;
	return open_endpoint(daemon, &addr, next);
}

static void close_endpoint(struct gw_daemon *daemon, struct io_coap *coap)
{
	if (!coap)
		return;
	io_loop_forget(daemon->loop, io_coap_fd(coap));
	io_coap_close(coap);
}

/* io_coap_give_up() tells the KDC that its requests were not sent, so that it sends them again. */
static void give_up_ours(struct gw_daemon *daemon)
{
	if (daemon->coap)
		io_coap_give_up(daemon->coap);
	close_endpoint(daemon, daemon->coap);
	daemon->coap = NULL;
}

/* Discovery is sent to the port of CoAP (RFC 7252 section 8). A membership ends with its interface,
 * even if one of the same name comes back. */
static void hear_discovery(struct gw_daemon *daemon)
{
	int ifindex = daemon->segment.ifindex;

	if (!daemon->coap || daemon->heard_ifindex == ifindex)
		return;
	daemon->heard_ifindex = ifindex;
	if (ifindex && io_coap_port(daemon->coap) == IO_ADDR_COAP_PORT &&
	    !io_coap_join(daemon->coap, daemon->conf.interface))
		log_warnx("coap", "%s: discovery by multicast is not heard",
			  daemon->conf.interface);
}

static void take_up(struct gw_daemon *daemon, const struct gw_listener *next)
{
	daemon->coap = next->coap;
	daemon->listen_scope = next->scope;
	daemon->heard_ifindex = 0;
	hear_discovery(daemon);
	daemon->listen_ms = next->coap ? GK_NEVER : gw_now(daemon).mono.ms + RETRY_MS;
}

const char *gw_listen_why(int err)
{
	return err == -EACCES ? "Permission denied; a port below 1024 can be opened as root, and "
				"by that at the start alone"
			      : strerror(-err);
}

static void tell_waiting(const char *listen)
{
	log_warnx("coap", "%s is not there yet; no node can reach us until it is", listen);
}

/* libcoap binds by itself, and leaves no place for IPV6_FREEBIND. */
void gw_listen_open(struct gw_daemon *daemon)
{
	const char *listen = daemon->conf.listen;
	bool waiting = daemon->listen_ms != GK_NEVER;
	struct gw_listener next = { 0 };
	int err = try_to_listen(daemon, listen, &next);

	if (daemon->conf.listen_dtls && !io_coap_has_dtls())
		fatal("coap",
		      "listen_dtls: built without DTLS (%s); take the option away, or build with "
		      "a libcoap that has it",
		      GK_COAP_NAME);
	if (err == -ENOTSUP)
		fatal("coap", "this libcoap keeps OSCORE messages for itself, or has no epoll; "
			      "configure --install-deps builds one that fits");
	if (err && !is_to_come(err))
		fatal("coap", "%s: %s", listen, gw_listen_why(err));
	if (err && !waiting)
		tell_waiting(listen);
	if (!err && waiting)
		log_info("coap", "%s is there", listen);
	take_up(daemon, &next);
}

void gw_listen_check(struct gw_daemon *daemon)
{
	struct gk_addr addr;

	hear_discovery(daemon);
	if (!daemon->coap || daemon->listen_scope == 0 ||
	    !io_addr_parse(daemon->conf.listen, IO_ADDR_COAP_PORT, &addr) ||
	    addr.scope == daemon->listen_scope)
		return;
	give_up_ours(daemon);
	gw_listen_open(daemon);
}

int gw_listen_prepare(struct gw_daemon *daemon, const char *listen, struct gw_listener *next)
{
	int err;

	*next = (struct gw_listener){ .listen = listen };
	err = try_to_listen(daemon, listen, next);
	return is_to_come(err) ? 0 : err;
}

void gw_listen_cancel(struct gw_daemon *daemon, struct gw_listener *next)
{
	close_endpoint(daemon, next->coap);
	next->coap = NULL;
}

void gw_listen_replace(struct gw_daemon *daemon, const struct gw_listener *next)
{
	if (daemon->coap)
		io_coap_read(daemon->coap);
	give_up_ours(daemon);
	if (!next->coap)
		tell_waiting(next->listen);
	take_up(daemon, next);
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
