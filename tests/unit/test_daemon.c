// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A whole daemon at one end of a wire, and members of its control groups at the other.
 */
#include "gatewayd/daemon.h"
#include "io/group.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/netns.h"

#include <errno.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HANGS_S 60

static char dir[] = "/tmp/test_daemon.XXXXXX";
static bool has_wire;
static struct gw_daemon gw;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	static const char *const paths[] = { "", NULL };
	static const struct gw_start start = { .conf_paths = paths };
	char text[512], error[GW_CONF_ERROR];
	struct gw_conf conf;

	(void)state;
	if (!has_wire)
		return 0;
	snprintf(text, sizeof(text),
		 "interface = \"near0\"; state_dir = \"%s/state\"; mark = \"%s/mark\"; "
		 "control = \"%s/socket\"; "
		 "groups = ( { name = \"a\"; }, "
		 "{ name = \"b\"; rekey = { address = \"[ff02::b]:5687\"; }; }, "
		 "{ name = \"c\"; rekey = { scheme = \"point-to-point\"; "
		 "address = \"[ff02::c]:5688\"; }; } );",
		 dir, dir, dir);
	if (!gw_conf_parse(gk_span_str(text), "conf", &conf, error, sizeof(error)))
		return -1;
	gw_daemon_start(&gw, &conf, &start);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!has_wire)
		return 0;
	gw_daemon_stop(&gw);
	return 0;
}

static void need_wire(void)
{
	if (!has_wire)
		skip();
}

/* Whom a message came from, and what it said. */
struct heard {
	struct gk_exchange exchange;
	uint8_t code;
	int count;
};

static void take_message(void *ctx, const struct gk_exchange *exchange, struct gk_span message)
{
	struct heard *heard = ctx;

	heard->exchange = *exchange;
	heard->code = message.data[0];
	heard->count++;
}

static struct io_group *join(size_t group, struct heard *heard)
{
	struct gk_addr address = gw.conf.groups[group].core.rekey.control_group;
	struct io_group *member;

	*heard = (struct heard){ .count = 0 };
	address.scope = if_nametoindex("far0");
	assert_int_equal(
		io_group_open(&member, IO_GROUP_CONTROL_MEMBER, &address, take_message, heard), 0);
	return member;
}

static void say_to(size_t group)
{
	static const uint8_t post[] = { GK_COAP_POST, 0xff, 0x80 };
	const struct gk_event event = { .kind = GK_EVENT_MULTICAST,
					.peer = gw.conf.groups[group].core.rekey.control_group,
					.bytes = gk_span(post, sizeof(post)) };

	gw_serve_outlets.perform(&gw, &event);
}

static void hear(struct io_group *member)
{
	struct pollfd fd = { .fd = io_group_fd(member), .events = POLLIN };

	while (poll(&fd, 1, 0) == 0)
		gw_daemon_turn(&gw);
	io_group_read(member);
}

static void messages_to_groups_leave_by_our_interface_from_their_port(void **state)
{
	struct heard heard;

	(void)state;
	need_wire();
	for (size_t group = 0; group < 2; group++) {
		struct io_group *member = join(group, &heard);
		say_to(group);
		hear(member);
		assert_int_equal(heard.count, 1);
		assert_int_equal(heard.code, GK_COAP_POST);
		assert_int_equal(heard.exchange.token_len, 0);
		assert_int_equal(heard.exchange.peer.port,
				 gw.conf.groups[group].core.rekey.control_group.port);
		io_group_close(member);
	}
}

static void ask_in(size_t group, uint64_t id)
{
	static const uint8_t get[] = { GK_COAP_POST, 0xff, 0x80 };
	const struct gk_event event = { .kind = GK_EVENT_REQUEST,
					.multicast = true,
					.id = id,
					.timeout_ms = 200,
					.peer = gw.conf.groups[group].core.rekey.control_group,
					.bytes = gk_span(get, sizeof(get)) };

	gw_serve_outlets.perform(&gw, &event);
}

static bool is_asked(const struct gk_exchange *exchange)
{
	uint64_t id;

	return gw_questions_find(&gw.questions, gk_span(exchange->token, exchange->token_len),
				 &id) &&
	       id == 77;
}

static void a_question_has_a_token_until_its_time_is_over(void **state)
{
	struct io_group *member;
	struct heard heard;

	(void)state;
	need_wire();
	member = join(0, &heard);
	ask_in(0, 77);
	hear(member);
	assert_int_equal(heard.count, 1);
	assert_true(heard.exchange.multicast);
	assert_true(is_asked(&heard.exchange));
	while (is_asked(&heard.exchange))
		gw_daemon_turn(&gw);
	io_group_read(member);
	assert_int_equal(heard.count, 1); // it is not repeated
	io_group_close(member);
}

static void what_cannot_be_asked_was_not_sent(void **state)
{
	(void)state;
	need_wire();
	gw.segment.ifindex = 0;
	ask_in(0, 77);
	assert_null(gw.questions.list);
	assert_non_null(gw.answers);
}

static bool is_open(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool taken;

	assert_true(fd >= 0);
	taken = bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0;
	assert_true(!taken || errno == EADDRINUSE);
	close(fd);
	return taken;
}

/* Confirmations may come of what was said before a restart. Groups without a tree need none. */
static void ports_of_trees_are_open_from_the_start(void **state)
{
	(void)state;
	need_wire();
	assert_true(is_open(5686));
	assert_true(is_open(5687));
	assert_false(is_open(5688));
}

/*
 * The program
 */

/* Run gatewayd with these words, separated by spaces. @return its process */
static pid_t run(const char *words)
{
	const char *emulator = getenv("EMULATOR");
	char copy[1024], *argv[24] = { NULL };
	size_t count = 0;
	pid_t child;

	snprintf(copy, sizeof(copy), "%s %s/gatewayd %s", emulator ? emulator : "",
		 getenv("GK_BUILD"), words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[count++] = word;
	child = fork();
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	return child;
}

static int status_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* No filter: what a sanitizer calls at the end is not ours. */
static const char *conf_file(void)
{
	static char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/conf", dir);
	out = fopen(path, "w");
	fprintf(out,
		"interface = \"lo\"; state_dir = \"%s/state\"; mark = \"%s/mark\"; "
		"control = \"%s/program\"; listen = \"[::1]:5999\"; "
		"user = \"root\"; seccomp = \"off\"; "
		"groups = ( { name = \"a\"; } );",
		dir, dir, dir);
	fclose(out);
	return path;
}

static void need_program(void)
{
	if (!has_wire || !getenv("GK_BUILD"))
		skip();
}

static void options_that_do_not_go_together_are_refused(void **state)
{
	static const struct {
		const char *words;
		int status;
	} rows[] = {
		{ "--version", 0 },        { "--version -n", 2 },
		{ "-n -c %s", 0 },         { "-n --adopt -c %s", 2 },
		{ "--fresh -n -c %s", 2 }, { "--adopt --fresh -c %s", 2 },
		{ "-v -c %s", 2 },         { "-A -c %s", 2 },
		{ "-c %s more", 2 },       { "--bogus", 2 },
	};

	(void)state;
	need_program();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[128];
		snprintf(words, sizeof(words), rows[i].words, conf_file());
		int status = status_of(run(words));
		if (status != rows[i].status)
			fail_msg("%s: %d", words, status);
	}
}

static void wait_for(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	while (access(path, F_OK) != 0)
		nanosleep(&pause, NULL);
}

/* It is up, so it has read its keys. */
static void a_daemon_makes_no_core_dumps(void **state)
{
	static const char *const wishes[] = { "", "--adopt ", "--fresh " };

	(void)state;
	need_program();
	for (size_t i = 0; i < 3; i++) {
		char words[128], path[64], text[4096];
		snprintf(words, sizeof(words), "%s-c %s", wishes[i], conf_file());
		pid_t child = run(words);
		snprintf(path, sizeof(path), "%s/program", dir);
		wait_for(path);
		snprintf(path, sizeof(path), "/proc/%d/limits", (int)child);
		FILE *in = fopen(path, "r");
		text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
		fclose(in);
		kill(child, SIGTERM);
		assert_int_equal(status_of(child), 0);
		const char *core = strstr(text, "Max core file size");
		assert_non_null(core);
		assert_memory_equal(core + 18, "        0                    0 ", 31);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			messages_to_groups_leave_by_our_interface_from_their_port, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_question_has_a_token_until_its_time_is_over,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_asked_was_not_sent, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ports_of_trees_are_open_from_the_start, set_up,
						tear_down),
		cmocka_unit_test(options_that_do_not_go_together_are_refused),
		cmocka_unit_test(a_daemon_makes_no_core_dumps),
	};
	int failures;

	alarm(HANGS_S);
	log_open("test", LOG_LEVEL_ERROR, false);
	has_wire = netns_enter() && netns_veth("near0", "far0") && mkdtemp(dir);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failures;
}
