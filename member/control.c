// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/control.h"
#include "io/log.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static void read_socket(void *ctx, int fd, uint32_t events)
{
	(void)fd, (void)events;
	io_group_read(ctx);
}

static struct gk_addr on_interface(const struct gkm_control *control, const struct gk_addr *addr)
{
	struct gk_addr there = *addr;

	there.scope = control->interface;
	return there;
}

static bool is_wanted(const struct gkm_control *control, const struct gk_addr *addr,
		      const struct gk_addr *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct gk_addr there = on_interface(control, &wanted[i]);
		if (io_addr_equal(&there, addr))
			return true;
	}
	return false;
}

static void close_at(struct gkm_control *control, size_t at)
{
	io_loop_forget(control->loop, io_group_fd(control->sockets[at].group));
	io_group_close(control->sockets[at].group);
	control->sockets[at] = control->sockets[--control->count];
}

static bool is_open(const struct gkm_control *control, const struct gk_addr *addr)
{
	for (size_t i = 0; i < control->count; i++) {
		if (io_addr_equal(&control->sockets[i].addr, addr))
			return true;
	}
	return false;
}

static int open_at(struct gkm_control *control, const struct gk_addr *addr)
{
	struct gkm_control_socket *socket = &control->sockets[control->count];
	int err = io_group_open(&socket->group, IO_GROUP_CONTROL_MEMBER, addr, control->handler,
				control->ctx);

	if (err)
		return err;
	err = io_loop_watch(control->loop, io_group_fd(socket->group), EPOLLIN, read_socket,
			    socket->group);
	if (err) {
		io_group_close(socket->group);
		return err;
	}
	socket->addr = *addr;
	control->count++;
	return 0;
}

static void open_missing(struct gkm_control *control, const struct gk_addr *addr)
{
	char text[IO_ADDR_TEXT];
	int err;

	if (is_open(control, addr))
		return;
	err = open_at(control, addr);
	if (err)
		log_warnx("control", "%s: %s; new keys will not come by multicast",
			  io_addr_format(addr, text), strerror(-err));
	else
		log_debug("control", "%s: joined", io_addr_format(addr, text));
}

void gkm_control_keep(struct gkm_control *control, const struct gk_addr *wanted, size_t count)
{
	// From the end, since the last takes the place of one that is closed.
	for (size_t i = control->count; i-- > 0;) {
		if (!is_wanted(control, &control->sockets[i].addr, wanted, count))
			close_at(control, i);
	}
	for (size_t i = 0; i < count; i++) {
		struct gk_addr addr = on_interface(control, &wanted[i]);
		open_missing(control, &addr);
	}
}

struct io_group *gkm_control_find(const struct gkm_control *control, uint16_t port)
{
	for (size_t i = 0; i < control->count; i++) {
		if (control->sockets[i].addr.port == port)
			return control->sockets[i].group;
	}
	return NULL;
}
