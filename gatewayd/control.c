// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/control.h"
#include "gatewayd/calls.h"
#include "gatewayd/daemon.h"
#include "gatewayd/text.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX   16
#define FOLLOWERS_MAX 8
#define STEP_MS       10000
#define PAUSE_MS      1000

struct client {
	struct gw_control *control;
	int fd; /* -1: this place is free */
	int64_t deadline_ms;
	uint8_t request[GW_REQUEST_MAX + 1]; /* one more, to see that it is too long */
	size_t request_len;
	char *reply; /* NULL: none yet, or all of it is sent */
	size_t reply_len, reply_sent;
	bool follows, json;
	uint64_t next_note;
};

struct gw_control {
	struct gw_daemon *daemon;
	int fd;
	int64_t pause_ms; /* when to take clients again; GK_NEVER: they are taken */
	struct sockaddr_un address;
	struct client clients[CLIENTS_MAX];
};

static struct gk_mono now_of(const struct gw_control *control)
{
	return gw_now(control->daemon).mono;
}

static void drop_reply(struct client *client)
{
	if (client->reply)
		explicit_bzero(client->reply, client->reply_len);
	free(client->reply);
	client->reply = NULL;
}

static void drop_client(struct client *client)
{
	io_loop_forget(client->control->daemon->loop, client->fd);
	close(client->fd);
	drop_reply(client);
	client->fd = -1;
}

/*
 * Replies
 */

/* @param events  0 too: EPOLLHUP, that a client has hung up, is reported always, epoll_ctl(2) */
static void wait_for(struct client *client, uint32_t events)
{
	if (io_loop_rewatch(client->control->daemon->loop, client->fd, events))
		drop_client(client);
}

static void end_reply(struct client *client)
{
	drop_reply(client);
	if (client->follows)
		wait_for(client, 0);
	else
		drop_client(client);
}

static void send_reply(struct client *client)
{
	while (client->reply_sent < client->reply_len) {
		ssize_t len =
			send(client->fd, client->reply + client->reply_sent,
			     client->reply_len - client->reply_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			wait_for(client, EPOLLOUT);
			return;
		}
		if (len < 0) {
			drop_client(client);
			return;
		}
		client->reply_sent += (size_t)len;
		client->deadline_ms = now_of(client->control).ms + STEP_MS;
	}
	end_reply(client);
}

static void begin_reply(struct client *client, char *text, size_t len)
{
	client->reply = text;
	client->reply_len = len;
	client->reply_sent = 0;
	client->deadline_ms = now_of(client->control).ms + STEP_MS;
}

/*
 * Calls
 */

static size_t count_followers(const struct gw_control *control)
{
	size_t count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		count += control->clients[i].fd >= 0 && control->clients[i].follows;
	return count;
}

static int run_call(struct client *client, struct gw_call *call, struct gw_text *text)
{
	struct gk_span request = gk_span(client->request, client->request_len);
	int status;

	gw_text_open(text);
	if (!text->out)
		fatal("daemon", "out of memory");
	fputs("0\n", text->out);
	call->daemon = client->control->daemon;
	call->out = text->out;
	status = gw_calls_run(call, request);
	if (call->follow && count_followers(client->control) >= FOLLOWERS_MAX)
		status = gw_call_fail(call, GW_REFUSED, "at most %d can follow at once",
				      FOLLOWERS_MAX);
	if (gw_text_close(text))
		fatal("daemon", "out of memory");
	return status;
}

/* The status is known last and goes first. What was written is sent as it is, without a copy: of
 * 10,000 members it is megabytes. */
static void answer(struct client *client)
{
	struct gw_call call;
	struct gw_text text;
	int status = run_call(client, &call, &text);

	text.bytes[0] = (char)('0' + status);
	client->follows = call.follow && status == GW_DONE;
	client->json = call.json;
	client->next_note = gw_notes_oldest(&client->control->daemon->notes);
	begin_reply(client, text.bytes, text.len);
	send_reply(client);
}

static void read_request(struct client *client)
{
	ssize_t len = recv(client->fd, client->request + client->request_len,
			   sizeof(client->request) - client->request_len, MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (len < 0) {
		drop_client(client);
		return;
	}
	client->request_len += (size_t)len;
	if (len == 0 || client->request_len == sizeof(client->request))
		answer(client);
}

static void client_ready(void *ctx, int fd, uint32_t events)
{
	struct client *client = ctx;

	(void)fd;
	if (client->reply && (events & EPOLLOUT))
		send_reply(client);
	else if (!client->reply && !client->follows && (events & EPOLLIN))
		read_request(client);
	else
		drop_client(client);
}

/*
 * Clients
 */

static struct client *find_place(struct gw_control *control)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd < 0)
			return &control->clients[i];
	}
	return NULL;
}

static void turn_away(int fd)
{
	static const char text[] = "1\ntoo many are asking at once, try again\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/*
 * Short of descriptors or memory a client stays in the queue, and would wake us at once. (One that
 * has hung up meanwhile is gone from it.)
 */
static void pause_listening(struct gw_control *control, int err)
{
	if (err != EMFILE && err != ENFILE && err != ENOMEM && err != ENOBUFS)
		return;
	log_warnx("control", "nobody can ask for a second: %s", strerror(err));
	control->pause_ms = now_of(control).ms + PAUSE_MS;
	if (io_loop_rewatch(control->daemon->loop, control->fd, 0))
		fatal("control", "the socket cannot be waited for");
}

static void resume_listening(struct gw_control *control)
{
	control->pause_ms = GK_NEVER;
	if (io_loop_rewatch(control->daemon->loop, control->fd, EPOLLIN))
		fatal("control", "the socket cannot be waited for");
}

static void take_client(void *ctx, int listener, uint32_t events)
{
	struct gw_control *control = ctx;
	struct client *client = find_place(control);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		pause_listening(control, errno);
		return;
	}
	if (!client || io_loop_watch(control->daemon->loop, fd, EPOLLIN, client_ready, client)) {
		turn_away(fd);
		return;
	}
	*client = (struct client){
		.control = control,
		.fd = fd,
		.deadline_ms = now_of(control).ms + STEP_MS,
	};
}

/*
 * Those who follow
 */

static void put_note(FILE *out, struct client *client)
{
	const struct gw_told *told =
		gw_notes_get(&client->control->daemon->notes, client->next_note++);

	fprintf(out, "%s\n", client->json ? told->json : told->text);
}

/* Who reads too slowly misses what is no longer kept, and is told so. */
static void put_gap(FILE *out, struct client *client, uint64_t oldest)
{
	if (client->json)
		fprintf(out, "{\"event\":\"missed\",\"count\":%" PRIu64 "}\n",
			oldest - client->next_note);
	else
		fprintf(out, "missed %" PRIu64 " events\n", oldest - client->next_note);
	client->next_note = oldest;
}

static void follow(struct client *client)
{
	const struct gw_notes *notes = &client->control->daemon->notes;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		fatal("daemon", "out of memory");
	if (client->next_note < gw_notes_oldest(notes))
		put_gap(out, client, gw_notes_oldest(notes));
	while (client->next_note < gw_notes_count(notes))
		put_note(out, client);
	if (fclose(out) != 0)
		fatal("daemon", "out of memory");
	begin_reply(client, text, len);
	send_reply(client);
}

static bool has_news(const struct client *client)
{
	return client->fd >= 0 && client->follows && !client->reply &&
	       client->next_note < gw_notes_count(&client->control->daemon->notes);
}

/* One who follows may take its time: it holds nothing but its place. */
static bool is_timed(const struct client *client)
{
	return client->fd >= 0 && !client->follows;
}

struct gk_mono gw_control_next_expiry(const struct gw_control *control)
{
	struct gk_mono next = { control->pause_ms };

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *client = &control->clients[i];
		if (is_timed(client) && client->deadline_ms < next.ms)
			next.ms = client->deadline_ms;
	}
	return next;
}

void gw_control_turn(struct gw_control *control, struct gk_mono now)
{
	if (control->pause_ms <= now.ms)
		resume_listening(control);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];
		if (has_news(client))
			follow(client);
		else if (is_timed(client) && client->deadline_ms <= now.ms)
			drop_client(client);
	}
}

/*
 * The socket
 */

static int try_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : 0;

	if (!err && connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* A daemon that was killed leaves its socket behind, and nobody answers there. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || try_connect(address) != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) ? -errno : 0;
}

static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t old = umask(0177);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(old);
	return err;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	int err = bind_private(fd, address);

	if (!err && listen(fd, CLIENTS_MAX)) {
		err = -errno;
		unlink(address->sun_path);
	}
	return err;
}

static int open_socket(const struct sockaddr_un *address, int *out)
{
	int fd, err = remove_stale(address);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, address);
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

static void close_socket(struct gw_control *control)
{
	if (control->fd < 0)
		return;
	io_loop_forget(control->daemon->loop, control->fd);
	close(control->fd);
	unlink(control->address.sun_path);
}

/* The old socket goes when the new one is there. */
static int move_to(struct gw_control *control, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	err = open_socket(&address, &fd);
	if (err)
		return err;
	err = io_loop_watch(control->daemon->loop, fd, EPOLLIN, take_client, control);
	if (err) {
		close(fd);
		unlink(path);
		return err;
	}
	close_socket(control);
	control->fd = fd;
	control->address = address;
	control->pause_ms = GK_NEVER;
	return 0;
}

int gw_control_move(struct gw_control *control, const char *path, char *error, size_t size)
{
	int err = move_to(control, path);

	if (err == -EADDRINUSE)
		snprintf(error, size, "%s: in use by another program, or no socket", path);
	else if (err)
		snprintf(error, size, "%s: %s", path, strerror(-err));
	return err;
}

static struct gw_control *make_control(struct gw_daemon *daemon)
{
	struct gw_control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->daemon = daemon;
	control->fd = -1;
	control->pause_ms = GK_NEVER;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	return control;
}

int gw_control_open(struct gw_control **out, struct gw_daemon *daemon, const char *path,
		    char *error, size_t size)
{
	struct gw_control *control = make_control(daemon);
	int err;

	if (!control) {
		snprintf(error, size, "%s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	err = gw_control_move(control, path, error, size);
	if (err)
		free(control);
	else
		*out = control;
	return err;
}

void gw_control_close(struct gw_control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			drop_client(&control->clients[i]);
	}
	close_socket(control);
	free(control);
}
