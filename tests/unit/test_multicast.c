// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Which sockets there are, when, and what goes to which. The sockets themselves are made up here in
 * place of io/group.c, which has tests of its own.
 */
#include "gatewayd/multicast.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "tests/lib/errors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Sockets that write down what is done with them
 */

struct io_group {
	int fd;
	struct gk_addr address;
	io_group_message_fn *handler;
	void *ctx;
};

static char done[1024];
static int open_result, send_result;
static struct io_group *newest;

static void write_down(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void write_down(const char *format, ...)
{
	size_t len = strlen(done);
	va_list args;

	va_start(args, format);
	vsnprintf(done + len, sizeof(done) - len, format, args);
	va_end(args);
}

int io_group_open(struct io_group **out, enum io_group_role role, const struct gk_addr *group,
		  io_group_message_fn *handler, void *ctx)
{
	assert_int_equal(role, IO_GROUP_CONTROL_SENDER);
	write_down("open %u%%%u;", group->port, group->scope);
	if (open_result)
		return open_result;
	newest = *out = malloc(sizeof(*newest));
	*newest = (struct io_group){ eventfd(0, EFD_NONBLOCK), *group, handler, ctx };
	return 0;
}

void io_group_close(struct io_group *group)
{
	write_down("close %u%%%u;", group->address.port, group->address.scope);
	close(group->fd);
	free(group);
}

int io_group_fd(const struct io_group *group)
{
	return group->fd;
}

void io_group_read(struct io_group *group)
{
	static const uint8_t message[] = { 0x44 };
	struct gk_exchange exchange = { .id = 0 };
	eventfd_t value;

	assert_int_equal(eventfd_read(group->fd, &value), 0);
	group->handler(group->ctx, &exchange, gk_span(message, sizeof(message)));
}

int io_group_send_to(struct io_group *group, const struct gk_addr *to, struct gk_span message)
{
	write_down("%.*s to %x%02x:%u by %u%%%u;", (int)message.len, (const char *)message.data,
		   to->ip[0], to->ip[1], to->port, group->address.port, group->address.scope);
	return send_result;
}

int io_group_ask(struct io_group *group, const struct gk_addr *to, struct gk_span token,
		 struct gk_span message)
{
	write_down("%.*s to %x%02x:%u by %u%%%u with %.*s;", (int)message.len,
		   (const char *)message.data, to->ip[0], to->ip[1], to->port, group->address.port,
		   group->address.scope, (int)token.len, (const char *)token.data);
	return send_result;
}

/*
 * Fixture
 */

static struct io_loop *loop;
static struct gw_multicast multicast;

static const struct gk_addr near = { .ip = { 0xff, 0x02, [15] = 1 }, .port = 5686 };
static const struct gk_addr mesh = { .ip = { 0xff, 0x03, [15] = 1 }, .port = 5686 };
static const struct gk_addr site = { .ip = { 0xff, 0x05, [15] = 1 }, .port = 7 };

static void confirm(void *ctx, const struct gk_exchange *exchange, struct gk_span message)
{
	(void)exchange;
	assert_ptr_equal(ctx, &multicast);
	write_down("confirmed %02x;", message.data[0]);
}

static int set_up(void **state)
{
	(void)state;
	done[0] = '\0';
	open_result = send_result = 0;
	if (io_loop_new(&loop))
		return -1;
	gw_multicast_init(&multicast, loop, confirm, &multicast);
	return gw_multicast_add(&multicast, &near) || gw_multicast_add(&multicast, &site) ||
	       gw_multicast_add(&multicast, &mesh);
}

static int tear_down(void **state)
{
	(void)state;
	gw_multicast_free(&multicast);
	io_loop_free(loop);
	return 0;
}

static void send_to(const struct gk_addr *group, int ifindex)
{
	gw_multicast_send(&multicast, ifindex, group, gk_span_str("key"));
}

/* What was done since the last time. */
static void assert_done(const char *want)
{
	assert_string_equal(done, want);
	done[0] = '\0';
}

/* Run it with the log in a pipe. @return what was logged, behind the time; static */
static const char *log_of(void (*run)(void))
{
	static char text[2048];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_open("test", LOG_LEVEL_INFO, false);
	run();
	log_open("test", LOG_LEVEL_ERROR, false);
	dup2(saved, STDERR_FILENO);
	close(saved);
	len = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	text[len < 0 ? 0 : len] = '\0';
	char *line = strchr(text, ' ');
	return line ? line : text;
}

/*
 * Tests
 */

static void there_is_one_socket_to_a_port(void **state)
{
	(void)state;
	assert_done("");
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
}

static void each_group_is_sent_to_from_its_port(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	send_to(&near, 4);
	send_to(&mesh, 4);
	send_to(&site, 4);
	assert_done("key to ff02:5686 by 5686%4;key to ff03:5686 by 5686%4;"
		    "key to ff05:7 by 7%4;");
}

static void an_interface_that_comes_back_as_it_was_changes_nothing(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
}

static void sockets_follow_the_interface(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	gw_multicast_move(&multicast, 9);
	assert_done("close 5686%4;open 5686%9;close 7%4;open 7%9;");
}

/* Nobody told us, as when another interface got its name while it was up. */
static void a_message_leaves_by_the_interface_of_now(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	send_to(&mesh, 9);
	assert_done("close 5686%4;open 5686%9;key to ff03:5686 by 5686%9;");
}

static void without_an_interface_nothing_is_sent(void **state)
{
	(void)state;
	send_to(&mesh, 0);
	assert_done("");
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	send_to(&mesh, 0);
	assert_done("close 5686%4;");
	send_to(&mesh, 4);
	assert_done("open 5686%4;key to ff03:5686 by 5686%4;");
}

static void a_port_that_is_taken_is_tried_again_with_the_next_message(void **state)
{
	(void)state;
	open_result = -EADDRINUSE;
	gw_multicast_move(&multicast, 4);
	send_to(&mesh, 4);
	assert_done("open 5686%4;open 7%4;open 5686%4;");
	open_result = 0;
	send_to(&mesh, 4);
	assert_done("open 5686%4;key to ff03:5686 by 5686%4;");
}

static void a_message_that_is_lost_is_not_repeated_here(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	send_result = -ENETUNREACH;
	send_to(&mesh, 4);
	assert_done("key to ff03:5686 by 5686%4;");
	send_result = 0;
	send_to(&near, 4);
	assert_done("key to ff02:5686 by 5686%4;");
}

static void fail_three_times(void)
{
	gw_multicast_move(&multicast, 4);
	send_result = -ENETUNREACH;
	for (int i = 0; i < 3; i++)
		send_to(&mesh, 4);
}

static void work_three_times(void)
{
	send_result = 0;
	for (int i = 0; i < 3; i++)
		send_to(&mesh, 5);
}

static void come_back(void)
{
	gw_multicast_move(&multicast, 5);
}

static void move_without_a_port(void)
{
	open_result = -EADDRINUSE;
	gw_multicast_move(&multicast, 4);
	send_to(&mesh, 4);
}

static void what_fails_is_said_once_and_once_when_it_works_again(void **state)
{
	(void)state;
	assert_string_equal(
		log_of(fail_three_times),
		with_error(" warn rekey: [ff03::1]:5686: nothing can be sent there: %s; "
			   "those who confirm keys get them one by one, the others have "
			   "to ask\n",
			   ENETUNREACH));
	assert_string_equal(log_of(work_three_times),
			    " info rekey: [ff03::1]:5686: can be sent to again\n");
	assert_string_equal(log_of(work_three_times), "");
}

/* That it can be sent to is not known until it was. */
static void a_socket_that_opens_is_no_news(void **state)
{
	(void)state;
	log_of(fail_three_times);
	assert_string_equal(log_of(come_back), "");
	assert_string_equal(log_of(work_three_times),
			    " info rekey: [ff03::1]:5686: can be sent to again\n");
}

static void a_port_that_is_taken_is_said_at_once(void **state)
{
	(void)state;
	const char *text = log_of(move_without_a_port);
	assert_non_null(strstr(
		text, with_error("[ff02::1]:5686: nothing can be sent there: %s", EADDRINUSE)));
	assert_non_null(
		strstr(text, with_error("[ff05::1]:7: nothing can be sent there: %s", EADDRINUSE)));
	assert_null(strstr(text, "[ff03::1]:5686")); // the same socket again
}

static void confirmations_are_read_whenever_they_come(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	for (int ifindex = 4; ifindex < 6; ifindex++) {
		gw_multicast_move(&multicast, ifindex);
		done[0] = '\0';
		assert_int_equal(eventfd_write(newest->fd, 1), 0);
		assert_int_equal(io_loop_turn(loop, (struct gk_mono){ GK_NEVER }), 0);
		assert_done("confirmed 44;");
	}
}

/* Control groups that are left. */
static const struct gk_addr *find_site(const void *ctx, uint16_t port)
{
	assert_ptr_equal(ctx, &site);
	return port == site.port ? &site : NULL;
}

static const struct gk_addr *find_mesh(const void *ctx, uint16_t port)
{
	(void)ctx;
	return port == mesh.port ? &mesh : NULL;
}

static void sockets_without_a_group_are_closed(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	gw_multicast_retain(&multicast, find_site, &site);
	assert_done("close 5686%4;");
	send_to(&mesh, 4);
	assert_done(""); // what is still said to it is lost, as it can be on its way
	send_to(&site, 4);
	assert_done("key to ff05:7 by 7%4;");
	assert_int_equal(gw_multicast_add(&multicast, &mesh), 0);
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;");
	gw_multicast_retain(&multicast, find_mesh, NULL);
	assert_done("close 7%4;");
}

static void fail_to_move(void)
{
	open_result = -EADDRINUSE;
	gw_multicast_move(&multicast, 5);
}

static void a_socket_is_named_after_a_group_that_is_there(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	gw_multicast_retain(&multicast, find_mesh, NULL);
	assert_done("open 5686%4;open 7%4;close 7%4;");
	const char *text = log_of(fail_to_move);
	assert_non_null(strstr(text, "[ff03::1]:5686: nothing can be sent there"));
	assert_null(strstr(text, "[ff02::1]"));
}

static int ask(const struct gk_addr *to, int ifindex)
{
	return gw_multicast_ask(&multicast, ifindex, to, gk_span_str("T"), gk_span_str("who"));
}

/* Answers are to come to a port that is open anyway. */
static void a_question_leaves_from_the_port_of_a_control_group(void **state)
{
	const struct gk_addr all_nodes = { .ip = { 0xff, 0x02, [15] = 1 }, .port = 5683 };

	(void)state;
	gw_multicast_move(&multicast, 4);
	assert_done("open 5686%4;open 7%4;");
	assert_int_equal(ask(&mesh, 4), 0);
	assert_int_equal(ask(&site, 4), 0);
	assert_int_equal(ask(&all_nodes, 4), 0);
	assert_done("who to ff03:5686 by 5686%4 with T;who to ff05:7 by 7%4 with T;"
		    "who to ff02:5683 by 5686%4 with T;");
}

static void a_question_that_does_not_leave_is_known_to_who_asks(void **state)
{
	(void)state;
	assert_int_equal(ask(&mesh, 0), -ENODEV);
	open_result = -EADDRINUSE;
	assert_int_equal(ask(&mesh, 4), -EADDRINUSE);
	open_result = 0;
	send_result = -ENETUNREACH;
	assert_int_equal(ask(&mesh, 4), -ENETUNREACH);
	send_result = 0;
	assert_int_equal(ask(&mesh, 4), 0);
	assert_done("open 5686%4;open 5686%4;who to ff03:5686 by 5686%4 with T;"
		    "who to ff03:5686 by 5686%4 with T;");
}

static const struct gk_addr *find_none(const void *ctx, uint16_t port)
{
	(void)ctx, (void)port;
	return NULL;
}

static void without_control_groups_questions_have_a_port_of_their_own(void **state)
{
	const struct gk_addr all_nodes = { .ip = { 0xff, 0x02, [15] = 1 }, .port = 5683 };

	(void)state;
	gw_multicast_retain(&multicast, find_none, NULL);
	assert_done("");
	assert_int_equal(ask(&all_nodes, 4), 0);
	assert_int_equal(ask(&all_nodes, 4), 0);
	assert_done("open 5686%4;who to ff02:5683 by 5686%4 with T;"
		    "who to ff02:5683 by 5686%4 with T;");
	// A group that comes later shares it.
	assert_int_equal(gw_multicast_add(&multicast, &mesh), 0);
	send_to(&mesh, 4);
	assert_done("key to ff03:5686 by 5686%4;");
}

static void at_the_end_all_is_closed(void **state)
{
	(void)state;
	gw_multicast_move(&multicast, 4);
	const int fd = newest->fd;
	done[0] = '\0';
	gw_multicast_free(&multicast);
	assert_done("close 5686%4;close 7%4;");
	assert_int_equal(io_loop_rewatch(loop, fd, EPOLLIN), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_is_one_socket_to_a_port),
		TEST(each_group_is_sent_to_from_its_port),
		TEST(an_interface_that_comes_back_as_it_was_changes_nothing),
		TEST(sockets_follow_the_interface),
		TEST(a_message_leaves_by_the_interface_of_now),
		TEST(without_an_interface_nothing_is_sent),
		TEST(a_port_that_is_taken_is_tried_again_with_the_next_message),
		TEST(a_message_that_is_lost_is_not_repeated_here),
		TEST(what_fails_is_said_once_and_once_when_it_works_again),
		TEST(a_socket_that_opens_is_no_news),
		TEST(a_port_that_is_taken_is_said_at_once),
		TEST(confirmations_are_read_whenever_they_come),
		TEST(sockets_without_a_group_are_closed),
		TEST(a_socket_is_named_after_a_group_that_is_there),
		TEST(a_question_leaves_from_the_port_of_a_control_group),
		TEST(a_question_that_does_not_leave_is_known_to_who_asks),
		TEST(without_control_groups_questions_have_a_port_of_their_own),
		TEST(at_the_end_all_is_closed),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
