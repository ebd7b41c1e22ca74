// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/multicast.h"
#include "io/addr.h"
#include "io/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct gw_sender {
	struct gk_addr group;    /* the first of those with its port; the scope is 'socket's */
	struct io_group *socket; /* NULL: none */
	bool failed;             /* said so */
};

void gw_multicast_init(struct gw_multicast *multicast, struct io_loop *loop,
		       io_group_message_fn *handler, void *ctx)
{
	*multicast = (struct gw_multicast){ .loop = loop, .handler = handler, .ctx = ctx };
}

static struct gw_sender *find_sender(const struct gw_multicast *multicast, uint16_t port)
{
	for (size_t i = 0; i < multicast->count; i++) {
		if (multicast->senders[i].group.port == port)
			return &multicast->senders[i];
	}
	return NULL;
}

int gw_multicast_add(struct gw_multicast *multicast, const struct gk_addr *group)
{
	struct gw_sender *senders;

	if (find_sender(multicast, group->port))
		return 0;
	senders = realloc(multicast->senders, (multicast->count + 1) * sizeof(*senders));
	if (!senders)
		return -ENOMEM;
	multicast->senders = senders;
	senders[multicast->count++] = (struct gw_sender){ .group = *group };
	return 0;
}

static void close_socket(struct gw_multicast *multicast, struct gw_sender *sender)
{
	if (!sender->socket)
		return;
	io_loop_forget(multicast->loop, io_group_fd(sender->socket));
	io_group_close(sender->socket);
	sender->socket = NULL;
}

void gw_multicast_retain(struct gw_multicast *multicast, gw_multicast_find_fn *find,
			 const void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < multicast->count; i++) {
		struct gw_sender sender = multicast->senders[i];
		const struct gk_addr *group = find(ctx, sender.group.port);
		if (!group) {
			close_socket(multicast, &sender);
			continue;
		}
		memcpy(sender.group.ip, group->ip, sizeof(sender.group.ip));
		multicast->senders[kept++] = sender;
	}
	multicast->count = kept;
}

void gw_multicast_free(struct gw_multicast *multicast)
{
	for (size_t i = 0; i < multicast->count; i++)
		close_socket(multicast, &multicast->senders[i]);
	free(multicast->senders);
	multicast->senders = NULL;
	multicast->count = 0;
}

static void read_socket(void *ctx, int fd, uint32_t events)
{
	(void)fd, (void)events;
	io_group_read(ctx);
}

static int open_socket(struct gw_multicast *multicast, struct gw_sender *sender, int ifindex)
{
	int err;

	close_socket(multicast, sender);
	if (ifindex == 0)
		return -ENODEV;
	sender->group.scope = (uint32_t)ifindex;
	err = io_group_open(&sender->socket, IO_GROUP_CONTROL_SENDER, &sender->group,
			    multicast->handler, multicast->ctx);
	if (err)
		return err;
	err = io_loop_watch(multicast->loop, io_group_fd(sender->socket), EPOLLIN, read_socket,
			    sender->socket);
	if (err)
		fatal("rekey", "confirmations cannot be waited for: %s", strerror(-err));
	return 0;
}

static int prepare(struct gw_multicast *multicast, struct gw_sender *sender, int ifindex)
{
	if (sender->socket && sender->group.scope == (uint32_t)ifindex)
		return 0;
	return open_socket(multicast, sender, ifindex);
}

/* One line when it begins, one when it is over. */
static void tell(struct gw_sender *sender, const struct gk_addr *group, int err)
{
	struct gk_addr shown = *group;
	char text[IO_ADDR_TEXT];

	shown.scope = 0;
	io_addr_format(&shown, text);
	if (err && !sender->failed)
		log_warnx("rekey",
			  "%s: nothing can be sent there: %s; those who confirm keys get "
			  "them one by one, the others have to ask",
			  text, strerror(-err));
	if (!err && sender->failed)
		log_info("rekey", "%s: can be sent to again", text);
	sender->failed = err != 0;
}

void gw_multicast_move(struct gw_multicast *multicast, int ifindex)
{
	for (size_t i = 0; i < multicast->count; i++) {
		struct gw_sender *sender = &multicast->senders[i];
		int err = prepare(multicast, sender, ifindex);
		// Whether it works is seen when something is sent.
		if (err)
			tell(sender, &sender->group, err);
	}
}

void gw_multicast_send(struct gw_multicast *multicast, int ifindex, const struct gk_addr *group,
		       struct gk_span message)
{
	struct gw_sender *sender = find_sender(multicast, group->port);
	int err;

	if (!sender)
		return;
	err = prepare(multicast, sender, ifindex);
	if (!err)
		err = io_group_send_to(sender->socket, group, message);
	tell(sender, group, err);
}

/* Control groups may come later that have the same port. */
static struct gw_sender *find_asker(struct gw_multicast *multicast, uint16_t port)
{
	static const struct gk_addr control = { .ip = { 0xff, 0x03, [15] = 0xfd }, .port = 5686 };
	struct gw_sender *sender = find_sender(multicast, port);

	if (!sender && multicast->count == 0 && gw_multicast_add(multicast, &control))
		return NULL;
	return sender ? sender : &multicast->senders[0];
}

int gw_multicast_ask(struct gw_multicast *multicast, int ifindex, const struct gk_addr *to,
		     struct gk_span token, struct gk_span message)
{
	struct gw_sender *sender = find_asker(multicast, to->port);
	int err = sender ? prepare(multicast, sender, ifindex) : -ENOMEM;

	return err ? err : io_group_ask(sender->socket, to, token, message);
}
