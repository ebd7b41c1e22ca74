// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The operator's socket, in front of a whole daemon on the loopback interface. Everything happens
 * in one thread: a client says all it has to say, then the daemon takes its turns.
 */
#include "gatewayd/calls.h"
#include "gatewayd/control.h"
#include "gatewayd/daemon.h"
#include "io/bundle.h"
#include "io/log.h"
#include "libgroupkey/group.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HANGS_S 60

static char dir[] = "/tmp/test_control.XXXXXX";
static char socket_path[64];
static struct gw_daemon gw;

static void begin(void)
{
	static const char *const paths[] = { "", NULL };
	static const struct gw_start as_is = { .conf_paths = paths };
	char text[512], error[GW_CONF_ERROR];
	struct gw_conf conf;

	snprintf(text, sizeof(text),
		 "interface = \"lo\"; state_dir = \"%s/state\"; mark = \"%s/mark\"; "
		 "control = \"%s\";"
		 "groups = ( { name = \"lights\"; }, { name = \"meters\"; } );",
		 dir, dir, socket_path);
	if (!gw_conf_parse(gk_span_str(text), "conf", &conf, error, sizeof(error)))
		fail_msg("%s", error);
	// Any port: other tests and daemons have theirs.
	free(conf.listen);
	conf.listen = strdup("[::1]:0");
	gw_daemon_start(&gw, &conf, &as_is);
}

static int start(void **state)
{
	(void)state;
	begin();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	gw_daemon_stop(&gw);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int set_up_all(void **state)
{
	(void)state;
	alarm(HANGS_S);
	if (!mkdtemp(dir))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	return 0;
}

static int tear_down_all(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/*
 * A client
 */

static int call_up(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static bool has_something(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

static void turn_until_readable(int fd)
{
	while (!has_something(fd))
		gw_daemon_turn(&gw);
}

/* Read to the end. @return the reply, static */
static const char *read_reply(int fd)
{
	static char text[8000000];
	size_t len = 0;

	for (;;) {
		turn_until_readable(fd);
		ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	text[len] = '\0';
	return text;
}

static const char *ask_bytes(const char *bytes, size_t len)
{
	int fd = call_up();

	send_all(fd, bytes, len);
	shutdown(fd, SHUT_WR);
	return read_reply(fd);
}

/* Words are separated by spaces here. */
static const char *ask(const char *words)
{
	char bytes[512];
	size_t len = strlen(words);

	strcpy(bytes, words);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == ' ')
			bytes[i] = '\0';
	}
	return ask_bytes(bytes, len);
}

static void assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, beginning);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static int64_t num_of(const char *group)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(gw.kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(group)))
			return info.num;
	}
	return -1;
}

/*
 * Calls
 */

static void each_call_answers(void **state)
{
	static const struct {
		const char *words, *beginning, *part;
	} rows[] = {
		{ "status", "0\nversion    ", "\ninterface  lo (up)\n" },
		{ "status --json", "0\n{\"version\":\"",
		  ",\"groups\":2,\"members\":0,\"blind\":\"\",\"alarms\":[],"
		  "\"store_ok\":true,\"storage\":\"good\"," },
		{ "--json status", "0\n{", "" },
		{ "groups", "0\nNAME    ACTIVE  NUM  GID ", "\nmeters  yes     0    " },
		{ "groups", "0\nNAME ", "\n\nREKEYING  NUM  " },
		{ "groups --json", "0\n[{\"name\":\"", "\"name\":\"lights\",\"scheme\":\"tree\"," },
		{ "groups --json", "0\n[{\"name\":\"", "\"name\":\"meters\",\"scheme\":\"tree\"," },
		{ "members lights", "0\nNAME  NODE  SID  ", "  IN-TREE  " },
		{ "members --json lights", "0\n[]\n", "" },
		{ "members nope", "1\nnope: no such group\n", "" },
		{ "members nope --json", "1\nnope: no such group\n", "" },
		{ "events", "0\n", "" },
		{ "rekey lights", "0\nlights: num 1\n", "" },
		{ "rekey lights --json", "0\n{\"group\":\"lights\",\"num\":2}\n", "" },
		{ "rekey nope", "1\nnope: no such group\n", "" },
		{ "evict lights n1", "1\nlights: no member n1\n", "" },
		{ "why lights n1", "1\nlights: n1 is no member", "" },
		{ "confirm lights", "1\nlights: no mass loss is to be confirmed", "" },
		{ "metrics", "0\n# HELP gatewayd_build_info ", "\ngatewayd_groups 2\n" },
		{ "metrics --json", "0\n{\"gatewayd_build_info\":[", "" },
		{ "evict nope n1", "1\nnope: no such group\n", "" },
		{ "client list", "0\nNAME  ID ", "" },
		{ "client list --json", "0\n[]\n", "" },
		{ "events --json", "0\n{\"time\":\"",
		  ",\"event\":\"rekeyed\",\"group\":\"lights\"," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reply = ask(rows[i].words);
		assert_begins(reply, rows[i].beginning);
		assert_contains(reply, rows[i].part);
	}
}

static void every_json_answer_is_one_line(void **state)
{
	static const char *const calls[] = { "status",
					     "groups",
					     "members lights",
					     "rekey lights",
					     "client add a --group lights --roles requester",
					     "client list",
					     "metrics",
					     "client revoke a" };

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		char words[128];
		snprintf(words, sizeof(words), "%s --json", calls[i]);
		const char *reply = ask(words);
		assert_begins(reply, "0\n");
		assert_ptr_equal(strchr(reply + 2, '\n'), reply + strlen(reply) - 1);
	}
}

#define MANY 10000

/* All of them are the same one. */
static struct gk_node **fill_group(struct gk_group *group, struct gk_node *node)
{
	static struct gk_client client = { .name_len = 32 };
	struct gk_node **nodes = malloc(MANY * sizeof(*nodes));

	memset(client.name, 'x', sizeof(client.name));
	*node = (struct gk_node){ .group = group, .client = &client, .name_len = 5 };
	memcpy(node->name, "n9999", 5);
	for (size_t i = 0; i < MANY; i++)
		nodes[i] = node;
	return nodes;
}

static size_t count_of(const char *text, char end)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == end;
	return count;
}

static void ten_thousand_members_are_told(void **state)
{
	struct gk_group *group = gk_group_find(gw.kdc, gk_span_str("lights"));
	struct gk_node **before = group->nodes, node;
	const char *reply;

	(void)state;
	group->nodes = fill_group(group, &node);
	group->count = MANY;
	reply = ask("members lights --json");
	assert_begins(reply, "0\n[{\"name\":\"xxxx");
	assert_int_equal(count_of(reply, '{'), MANY);
	assert_null(strstr(reply, "}{"));
	assert_string_equal(reply + strlen(reply) - 4, "]}]\n");
	reply = ask("members lights");
	assert_begins(reply, "0\nNAME  ");
	assert_int_equal(count_of(reply, '\n'), 1 + 1 + MANY);
	reply = ask("why lights n9999");
	assert_begins(reply, "0\ngroup lights: n9999 (xxxx");
	assert_true(strlen(reply) < 4096);
	free(group->nodes);
	group->nodes = before;
	group->count = 0;
}

static void what_is_no_call_is_refused_and_changes_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *part;
	} rows[] = {
#define ROW(text, part) { text, sizeof(text) - 1, part }
		ROW("", "none empty"),
		ROW("\0", "none empty"),
		ROW("\0rekey\0lights", "none empty"),
		ROW("rekey\0\0lights", "none empty"),
		ROW("rekey\0lights\0", "none empty"),
		ROW("rekey\0lig\xffhts", "printable UTF-8"),
		ROW("rekey\0lights\n", "printable UTF-8"),
		ROW("rekey\0lights\xc2", "printable UTF-8"), // cut off in a character
		ROW("rekey lights", "usage:"),
		ROW("rekey", "usage: gatewayctl rekey GROUP"),
		ROW("rekey\0lights\0meters", "usage: gatewayctl rekey GROUP"),
		ROW("rekey\0--jsonx", "no such group"),
		ROW("Rekey\0lights", "usage:"),
		ROW("rekeyx\0lights", "usage:"),
		ROW("status\0now", "usage: gatewayctl status"),
		ROW("events\0lights", "--follow"),
		ROW("client", "usage:"),
		ROW("client\0lost", "usage:"),
		ROW("client\0list\0lamp1", "usage: gatewayctl client list"),
		ROW("client\0revoke", "usage: gatewayctl client revoke NAME"),
		ROW("client\0revoke\0a\0b", "usage: gatewayctl client revoke NAME"),
		ROW("evict\0lights", "usage: gatewayctl evict GROUP NODE [--ban]"),
		ROW("evict\0lights\0--ban", "usage: gatewayctl evict GROUP NODE [--ban]"),
		ROW("evict\0lights\0n1\0n2", "usage: gatewayctl evict GROUP NODE [--ban]"),
		ROW("evict\0lights\0n1\0--bann", "usage: gatewayctl evict GROUP NODE [--ban]"),
		ROW("unban\0lights", "usage: gatewayctl unban GROUP NODE"),
		ROW("unban\0lights\0n1\0n2", "usage: gatewayctl unban GROUP NODE"),
		ROW("reload\0now", "usage: gatewayctl reload"),
		ROW("--json", "usage:"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reply = ask_bytes(rows[i].bytes, rows[i].len);
		if (reply[0] != '2' && reply[0] != '1')
			fail_msg("row %zu: %s", i, reply);
		assert_contains(reply, rows[i].part);
	}
	assert_int_equal(num_of("lights"), 0);
	assert_int_equal(gw_notes_count(&gw.notes), 0);
}

static void too_many_words_are_refused(void **state)
{
	char bytes[2 * (GW_WORDS_MAX + 1)];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i += 2)
		bytes[i] = 'a';
	assert_begins(ask_bytes(bytes, 2 * GW_WORDS_MAX - 1), "2\nusage:");
	assert_begins(ask_bytes(bytes, 2 * GW_WORDS_MAX + 1), "2\na request is 1 to 64 words");
}

static void a_request_that_is_too_long_is_refused_unread(void **state)
{
	static char bytes[100000];

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	assert_begins(ask_bytes(bytes, GW_REQUEST_MAX), "2\nusage:");
	assert_begins(ask_bytes(bytes, GW_REQUEST_MAX + 1), "2\na request has at most 4096 bytes");
	assert_begins(ask_bytes(bytes, sizeof(bytes)), "2\na request has at most 4096 bytes");
}

static void a_request_may_come_in_pieces(void **state)
{
	int fd = call_up();

	(void)state;
	for (const char *c = "status"; *c; c++) {
		send_all(fd, c, 1);
		gw_daemon_turn(&gw);
	}
	shutdown(fd, SHUT_WR);
	assert_begins(read_reply(fd), "0\nversion");
}

/*
 * client add
 */

static void a_bundle_has_what_was_ordered(void **state)
{
	const char *reply = ask("client add lamp1 --group lights --roles requester,responder "
				"--group meters --roles monitor --expires 2h --kdc [fd00::1]:5");
	char error[IO_BUNDLE_ERROR];
	struct io_bundle bundle;

	(void)state;
	assert_begins(reply, "0\n{");
	if (!io_bundle_parse(gk_span_str(reply + 2), &bundle, error, sizeof(error)))
		fail_msg("%s", error);
	assert_string_equal(bundle.name, "lamp1");
	assert_string_equal(bundle.kdc, "[fd00::1]:5");
	assert_int_equal(bundle.group_count, 2);
	assert_string_equal(bundle.groups[0], "lights");
	assert_int_equal(bundle.roles[0], 6);
	assert_string_equal(bundle.groups[1], "meters");
	assert_int_equal(bundle.roles[1], 8);
	assert_true(bundle.exp - io_now().utc.s > 7190 && bundle.exp - io_now().utc.s <= 7200);
	assert_true(bundle.token_len > 0);
}

static void the_address_is_the_one_that_is_listened_at(void **state)
{
	char want[64];

	(void)state;
	snprintf(want, sizeof(want), "\"kdc\":\"[::1]:%u\"", io_coap_port(gw.coap));
	assert_contains(ask("client add lamp1 --group lights --roles responder"), want);
}

static void orders_that_make_no_client_are_refused(void **state)
{
#define ADD  "client add lamp1 "
#define GOOD ADD "--group lights --roles requester "
	static const struct {
		const char *words, *beginning;
	} rows[] = {
		{ "client add", "2\nusage: gatewayctl client add NAME" },
		{ "client add lamp1", "2\nclient add: --group and --roles are needed" },
		{ "client add --group lights --roles requester x", "2\nclient add: a name of" },
		{ "client add 123456789012345678901234567890123 --group lights --roles monitor",
		  "2\nclient add: a name of 1 to 32 bytes" },
		{ ADD "--group lights", "2\nclient add: --group and --roles are needed" },
		{ ADD "--group lights --group meters --roles monitor", "2\n--roles: once behind" },
		{ ADD "--roles requester", "2\n--roles: once behind each --group" },
		{ ADD "--group", "2\n--group: a value must follow" },
		{ GOOD "--roles responder", "2\n--roles: once behind each --group" },
		{ GOOD "--group lights --roles responder", "2\n--group lights: given twice" },
		{ GOOD "--group nope --roles responder", "1\nclient add: no such group" },
		{ GOOD "--expires", "2\n--expires: a value must follow" },
		{ GOOD "--expires 30", "2\n--expires 30:" },
		{ GOOD "--expires d", "2\n--expires d:" },
		{ GOOD "--expires 0d", "2\n--expires 0d:" },
		{ GOOD "--expires -1d", "2\n--expires -1d:" },
		{ GOOD "--expires 1y", "2\n--expires 1y:" },
		{ GOOD "--expires 1dd", "2\n--expires 1dd:" },
		{ GOOD "--expires 36501d", "2\n--expires 36501d:" },
		{ GOOD "--expires 99999999999999999999999999d", "2\n--expires 9" },
		{ GOOD "--kdc fd00::1", "2\n--kdc fd00::1:" },
		{ GOOD "--kdc [fd00::1]:0", "2\n--kdc [fd00::1]:0:" },
		{ GOOD "-o file", "2\n-o: no such option" },
		{ GOOD "extra", "2\nextra: no such option" },
		{ ADD "--group lights --roles verifier,verifier", "2\n--roles verifier,verifier:" },
		{ ADD "--group lights --roles requester,king", "2\n--roles requester,king:" },
		{ ADD "--group lights --roles requester,requester", "2\n--roles" },
		{ ADD "--group lights --roles requester,", "2\n--roles requester,:" },
		{ ADD "--group lights --roles ,requester", "2\n--roles ,requester:" },
		{ ADD "--group lights --roles boss", "2\n--roles boss:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reply = ask(rows[i].words);
		assert_begins(reply, rows[i].beginning);
		assert_null(strstr(reply, "token"));
	}
	assert_begins(ask(GOOD "--expires 36500d"), "0\n");
}

static void nine_groups_are_too_many(void **state)
{
	char words[512] = "client add lamp1";

	(void)state;
	for (int i = 0; i < 9; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words),
			 " --group g%d --roles monitor", i);
	assert_begins(ask(words), "2\n--group: at most 8");
}

/*
 * Those who follow
 */

/* Read what is there after the daemon's next turns. @return static text */
static const char *read_some(int fd)
{
	static char text[100000];
	ssize_t len;

	turn_until_readable(fd);
	len = recv(fd, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}

/* Read on until 'part' has come. */
static void read_until(int fd, const char *part)
{
	static char text[1000000];
	size_t len = 0;

	do {
		turn_until_readable(fd);
		ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		assert_true(got > 0);
		len += (size_t)got;
		text[len] = '\0';
	} while (!strstr(text, part));
}

static int follow(const char *words)
{
	char bytes[64];
	int fd = call_up();
	size_t len = strlen(words);

	strcpy(bytes, words);
	*strchr(bytes, ' ') = '\0';
	send_all(fd, bytes, len);
	return fd;
}

static void who_follows_hears_what_was_and_what_comes(void **state)
{
	int fd = call_up();
	static const char request[] = "events\0--follow\0--json";
	char now[32];

	(void)state;
	ask("rekey lights");
	send_all(fd, request, sizeof(request) - 1);
	shutdown(fd, SHUT_WR);
	snprintf(now, sizeof(now), "\"num\":%d,", (int)num_of("lights"));
	read_until(fd, now);
	ask("rekey lights");
	snprintf(now, sizeof(now), "\"num\":%d,", (int)num_of("lights"));
	read_until(fd, now);
	close(fd);
}

static void who_hangs_up_is_forgotten(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		int fd = follow("events --follow");
		shutdown(fd, SHUT_WR);
		assert_string_equal(read_some(fd), "0\n");
		close(fd);
	}
	assert_begins(ask("status"), "0\n");
}

static void only_eight_can_follow(void **state)
{
	int fds[9];

	(void)state;
	for (int i = 0; i < 9; i++) {
		fds[i] = follow("events --follow");
		shutdown(fds[i], SHUT_WR);
		assert_begins(read_some(fds[i]), i < 8 ? "0\n" : "1\nat most 8 can follow");
	}
	assert_begins(ask("status"), "0\n");
	for (int i = 0; i < 9; i++)
		close(fds[i]);
}

static void who_reads_too_slowly_is_told_what_it_missed(void **state)
{
	int fd = follow("events --follow");
	static char text[2000000];
	size_t len = 0;

	(void)state;
	shutdown(fd, SHUT_WR);
	assert_string_equal(read_some(fd), "0\n");
	for (int i = 0; i < 10000; i++) {
		struct gk_note note = { .kind = GK_NOTE_ERROR,
					.num = i,
					.reason = "x",
					.group = gk_span_str("lights") };
		gw_notes_take(&gw.notes, &note, io_now());
		gw_control_turn(gw.control, io_now().mono);
	}
	while (!strstr(text, " num 9999:")) {
		turn_until_readable(fd);
		ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		assert_true(got > 0);
		len += (size_t)got;
	}
	assert_contains(text, "\nmissed ");
	assert_contains(text, " num 0:");
	close(fd);
}

/*
 * Bounds
 */

static void sixteen_are_served_and_the_next_is_turned_away(void **state)
{
	int fds[17];

	(void)state;
	for (int i = 0; i < 17; i++) {
		fds[i] = call_up();
		gw_daemon_turn(&gw);
	}
	assert_begins(read_reply(fds[16]), "1\ntoo many are asking");
	close(fds[0]);
	gw_daemon_turn(&gw);
	assert_begins(ask("status"), "0\n");
	for (int i = 1; i < 16; i++)
		close(fds[i]);
}

/* Level-triggered, a client that cannot be taken would wake us at once, again and again. */
static void who_cannot_be_taken_for_want_of_descriptors_waits_a_second(void **state)
{
	struct rlimit limit;
	int fd = call_up(), turns = 0;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	const rlim_t old = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)fd; // none above the ones that are open
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	gw_daemon_turn(&gw);
	limit.rlim_cur = old;
	setrlimit(RLIMIT_NOFILE, &limit);

	struct gk_mono retry = gw_control_next_expiry(gw.control);
	assert_int_equal(retry.ms, io_loop_now(gw.loop).mono.ms + 1000);
	send_all(fd, "status", 6);
	shutdown(fd, SHUT_WR);
	while (!has_something(fd)) {
		gw_daemon_turn(&gw);
		turns++;
	}
	assert_true(io_loop_now(gw.loop).mono.ms >= retry.ms);
	assert_true(turns < 20);
	assert_begins(read_reply(fd), "0\n");
	assert_int_equal(gw_control_next_expiry(gw.control).ms, GK_NEVER);
}

static void who_says_nothing_for_ten_seconds_is_dropped(void **state)
{
	int fd = call_up();
	struct gk_mono now;
	char byte;

	(void)state;
	gw_daemon_turn(&gw);
	send_all(fd, "sta", 3);
	gw_daemon_turn(&gw);
	now = gw_control_next_expiry(gw.control);
	assert_true(now.ms != GK_NEVER);
	assert_true(now.ms - io_now().mono.ms > 9000 && now.ms - io_now().mono.ms <= 10000);
	gw_control_turn(gw.control, (struct gk_mono){ now.ms - 1 });
	assert_false(has_something(fd));
	gw_control_turn(gw.control, now);
	assert_true(has_something(fd));
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(gw_control_next_expiry(gw.control).ms, GK_NEVER);
	close(fd);
}

/*
 * The socket
 */

static void the_socket_is_private_whatever_the_umask(void **state)
{
	struct stat st;

	(void)state;
	gw_daemon_stop(&gw);
	mode_t old = umask(0);
	begin();
	umask(old);
	assert_int_equal(stat(socket_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
}

static void a_socket_is_removed_at_the_end_and_replaced_after_a_crash(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	gw_daemon_stop(&gw);
	assert_int_equal(access(socket_path, F_OK), -1);
	strcpy(address.sun_path, socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(access(socket_path, F_OK), 0);
	begin();
	assert_begins(ask("status"), "0\n");
}

static void what_belongs_to_someone_else_is_left_alone(void **state)
{
	char error[GW_CONTROL_ERROR], file[64], want[160];
	struct gw_control *second;
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "%s/file", dir);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(gw_control_open(&second, &gw, file, error, sizeof(error)), -EADDRINUSE);
	snprintf(want, sizeof(want), "%s: in use by another program, or no socket", file);
	assert_string_equal(error, want);
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
	assert_int_equal(gw_control_open(&second, &gw, socket_path, error, sizeof(error)),
			 -EADDRINUSE);
	assert_begins(ask("status"), "0\n");
}

static void a_socket_that_cannot_be_made_is_said(void **state)
{
	char error[GW_CONTROL_ERROR], path[200];
	struct gw_control *second;

	(void)state;
	assert_int_equal(gw_control_open(&second, &gw, "/nonexistent/s", error, sizeof(error)),
			 -ENOENT);
	assert_string_equal(error, "/nonexistent/s: No such file or directory");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(gw_control_open(&second, &gw, path, error, sizeof(error)), -ENAMETOOLONG);
}

/*
 * What survives, and a store that refuses
 */

static void what_was_reported_is_there_after_a_restart(void **state)
{
	int64_t num;

	(void)state;
	ask("rekey lights");
	num = num_of("lights");
	gw_daemon_stop(&gw);
	begin();
	assert_int_equal(num_of("lights"), num);
}

/* Start in a process of its own. @return its status at the end; what it said is in 'text' */
static int start_apart(char *text, size_t size)
{
	int status, out[2];
	ssize_t len;

	assert_int_equal(pipe(out), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(out[1], STDERR_FILENO);
		begin();
		_exit(0);
	}
	close(out[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	len = read(out[0], text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	close(out[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_key_that_went_missing_is_not_made_anew(void **state)
{
	char key[64], kept[64], text[1024];

	(void)state;
	snprintf(key, sizeof(key), "%s/state/as.key", dir);
	snprintf(kept, sizeof(kept), "%s/state/kept", dir);
	gw_daemon_stop(&gw);
	assert_int_equal(rename(key, kept), 0);
	assert_int_equal(start_apart(text, sizeof(text)), 1);
	assert_contains(text, "as.key: missing, though the store knows tokens under it;");
	assert_int_equal(access(key, F_OK), -1);

	// A link to nothing is something else.
	assert_int_equal(symlink("/nonexistent", key), 0);
	assert_int_equal(start_apart(text, sizeof(text)), 1);
	assert_contains(text, "as.key: a link to a file that is not there");
	unlink(key);
	assert_int_equal(rename(kept, key), 0);
	begin();
}

/* Files may not grow: what a full disk is to SQLite. */
static void let_files_grow(bool may)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = may ? limit.rlim_max : 0;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static const char *request_from(struct gk_addr peer)
{
	// POST /authz-info with a token that is none: 4.00, and a note.
	static const uint8_t post[] = { 0x02, 0xba, 'a', 'u', 't', 'h',  'z',
					'-',  'i',  'n', 'f', 'o', 0xff, 0x00 };
	struct gk_exchange exchange = { .id = 77, .peer = peer };
	static char text[16];
	uint8_t bytes[IO_COAP_MESSAGE_MAX];
	struct gk_buf reply = gk_buf(bytes, sizeof(bytes));

	gw_serve_request(&gw, &exchange, gk_span(post, sizeof(post)), &reply);
	snprintf(text, sizeof(text), "%u.%02u", bytes[0] >> 5, bytes[0] & 31);
	return reply.len > 0 ? text : "none";
}

static const char *request_text(void)
{
	return request_from((struct gk_addr){ .ip = { 0xfd }, .port = 5683 });
}

static void link_local_nodes_of_other_interfaces_are_met_with_silence(void **state)
{
	const uint32_t ours = (uint32_t)gw.segment.ifindex;
	struct gk_addr peer = { .ip = { 0xfe, 0x80, [15] = 9 }, .port = 5683, .scope = ours };

	(void)state;
	assert_true(ours > 0);
	assert_string_equal(request_from(peer), "4.00");
	peer.scope = ours + 1;
	assert_string_equal(request_from(peer), "none");
	// All others may come by any, as the routes are.
	peer.ip[0] = 0xfd;
	assert_string_equal(request_from(peer), "4.00");
}

static void without_an_address_to_listen_at_no_client_is_added(void **state)
{
	struct io_coap *coap = gw.coap;

	(void)state;
	gw.coap = NULL;
	assert_contains(ask("status --json"), "\"listening\":false");
	assert_contains(ask("status"), "[::1]:0 (not there yet)\n");
	assert_begins(ask("client add x --group lights --roles requester"),
		      "1\nclient add: [::1]:0 is not there yet\n");
	gw.coap = coap;
	assert_contains(ask("status --json"), "\"listening\":true");
}

static void while_the_store_refuses_nothing_is_done_or_told(void **state)
{
	int64_t num = num_of("lights");
	uint64_t notes;

	(void)state;
	assert_string_equal(request_text(), "4.00");
	notes = gw_notes_count(&gw.notes);
	signal(SIGXFSZ, SIG_IGN);
	let_files_grow(false);
	assert_begins(ask("rekey lights"), "1\nthe store cannot be written (");
	assert_int_equal(gw_notes_count(&gw.notes), notes);
	// Nothing more goes to the KDC, or it would have something to tell at the end.
	assert_string_equal(request_text(), "5.03");
	assert_begins(ask("rekey meters"), "1\nthe store cannot be written: ");
	assert_begins(ask("evict lights n1"), "1\nthe store cannot be written: ");
	assert_begins(ask("evict lights n1 --ban"), "1\nthe store cannot be written: ");
	assert_begins(ask("unban lights n1"), "1\nthe store cannot be written: ");
	assert_begins(ask("client revoke n1"), "1\nthe store cannot be written: ");
	assert_begins(ask("client add n1 --group lights --roles monitor"),
		      "1\nthe store cannot be written: ");
	assert_contains(ask("status --json"), "\"store_ok\":false");
	assert_int_equal(num_of("meters"), 0);

	let_files_grow(true);
	gw.outbox.retry_ms = 0;
	gw_serve_settle(&gw);
	assert_int_equal(gw_notes_count(&gw.notes), notes + 1);
	assert_false(gw.kdc->blind); // everybody was excused, and can be missed again
	assert_string_equal(request_text(), "4.00");
	assert_contains(ask("status --json"), "\"store_ok\":true");
	gw_daemon_stop(&gw);
	begin();
	assert_int_equal(num_of("lights"), num + 1);
}

/*
 * gatewayctl
 */

struct outcome {
	int status;
	char out[8192], err[8192];
};

static void read_file(const char *path, char *text, size_t size)
{
	FILE *in = fopen(path, "r");
	size_t len = in ? fread(text, 1, size - 1, in) : 0;

	text[len] = '\0';
	if (in)
		fclose(in);
	unlink(path);
}

/* Run it by a shell that says something before, with the daemon at work beside. */
static struct outcome run_under(const char *before, const char *arguments)
{
	const char *emulator = getenv("EMULATOR");
	char command[1024], out[64], err[64];
	struct outcome outcome;
	int status = 0;
	pid_t pid;

	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(err, sizeof(err), "%s/err", dir);
	snprintf(command, sizeof(command), "cd %s && %s exec %s %s/gatewayctl %s >%s 2>%s", dir,
		 before, emulator ? emulator : "", getenv("GK_BUILD"), arguments, out, err);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct gk_mono soon = { io_now().mono.ms + 5 };
		io_loop_turn(gw.loop, soon);
		gw_serve_settle(&gw);
	}
	outcome.status = WEXITSTATUS(status);
	read_file(out, outcome.out, sizeof(outcome.out));
	read_file(err, outcome.err, sizeof(outcome.err));
	return outcome;
}

static struct outcome run(const char *arguments)
{
	return run_under("", arguments);
}

static void gatewayctl_ends_with_the_status_of_its_call(void **state)
{
	static const struct {
		const char *arguments;
		int status;
		const char *out, *err; /* beginnings; "": nothing */
	} rows[] = {
		{ "-s socket status", 0, "version    ", "" },
		{ "status -s socket --json", 0, "{\"version\"", "" },
		{ "-s socket members nope", 1, "", "nope: no such group\n" },
		{ "-s socket members", 2, "", "usage: gatewayctl members GROUP" },
		{ "-s socket client list", 0, "NAME ", "" },
		{ "-s socket evict --ban lights n1", 1, "", "lights: no member or client n1\n" },
		{ "-s socket unban lights n1", 1, "", "lights: n1 is not banned\n" },
		{ "-s socket client revoke n1", 1, "", "n1: no client with a token" },
		{ "-s socket bogus", 2, "", "usage: gatewayctl [-s SOCKET]" },
		{ "-s socket client", 2, "", "usage: gatewayctl [-s SOCKET]" },
		{ "-s socket -o file client list", 2, "", "usage: gatewayctl [-s SOCKET]" },
		{ "-s socket", 2, "", "usage: gatewayctl [-s SOCKET]" },
		{ "-s socket -o file status", 2, "", "usage: gatewayctl [-s SOCKET]" },
		{ "-s socket events ''", 2, "", "a request is 1 to 64 words" },
		{ "-s nowhere status", 3, "", "gatewayctl: nowhere: No such file" },
		{ "-s nowhere bogus", 2, "", "usage: gatewayctl [-s SOCKET]" }, // needs no daemon
		{ "--help", 0, "usage: gatewayctl [-s SOCKET]", "" },
		{ "--version", 0, "gatewayctl ", "" },
	};

	(void)state;
	if (!getenv("GK_BUILD"))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome outcome = run(rows[i].arguments);
		if (outcome.status != rows[i].status)
			fail_msg("%s: %d: %s", rows[i].arguments, outcome.status, outcome.err);
		assert_begins(outcome.out, rows[i].out);
		assert_begins(outcome.err, rows[i].err);
		assert_true(rows[i].out[0] || !outcome.out[0]);
		assert_true(rows[i].err[0] || !outcome.err[0]);
		assert_null(strstr(outcome.out, " \n"));
	}
}

static void gatewayctl_writes_a_private_bundle_once(void **state)
{
#define ORDER "-s socket client add lamp1 --group lights --roles requester --kdc [fd00::1] "
	char path[64], text[4096], error[IO_BUNDLE_ERROR];
	struct io_bundle bundle;
	struct outcome outcome;
	struct stat st;

	(void)state;
	if (!getenv("GK_BUILD"))
		skip();
	mode_t old = umask(0);
	snprintf(path, sizeof(path), "%s/lamp1.json", dir);
	outcome = run(ORDER "-o lamp1.json");
	umask(old);
	assert_int_equal(outcome.status, 0);
	assert_string_equal(outcome.out, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	if (!io_bundle_read(path, &bundle, error, sizeof(error)))
		fail_msg("%s", error);

	outcome = run(ORDER "-o lamp1.json");
	assert_int_equal(outcome.status, 1);
	assert_contains(outcome.err, "File exists");
	outcome = run(ORDER "--expires 1x -o other.json");
	assert_int_equal(outcome.status, 2);
	snprintf(text, sizeof(text), "%s/other.json", dir);
	assert_int_equal(access(text, F_OK), -1);
}

static size_t count_issued(void)
{
	struct outcome outcome = run("-s socket client list --json");
	size_t count = 0;

	assert_int_equal(outcome.status, 0);
	for (const char *at = outcome.out; (at = strstr(at, "\"issued\"")); at++)
		count++;
	return count;
}

static void assert_no_file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(access(path, F_OK), -1);
}

/* ... and none that is issued is without a file but in one case, of which the operator is told. */
static void gatewayctl_has_a_token_issued_only_for_a_file_that_is_there(void **state)
{
	struct outcome outcome;
	size_t before;

	(void)state;
	if (!getenv("GK_BUILD"))
		skip();
	before = count_issued();
	assert_int_equal(run(ORDER "-o taken.json").status, 0);
	assert_int_equal(run(ORDER "-o taken.json").status, 1);
	assert_int_equal(run(ORDER "-o nowhere/lamp1.json").status, 1);
	assert_int_equal(count_issued(), before + 1);

	outcome = run("-s nowhere client add lamp1 --group lights --roles requester -o other.json");
	assert_int_equal(outcome.status, 3);
	assert_no_file("other.json");

	outcome = run_under("trap '' XFSZ; ulimit -f 1;", ORDER "-o other.json");
	assert_int_equal(outcome.status, 1);
	assert_contains(outcome.err, "the token was issued");
	assert_contains(outcome.err, "client revoke");
	assert_no_file("other.json");
	assert_int_equal(count_issued(), before + 2);
}

/* A group may be called like an option. */
static void gatewayctl_takes_no_value_for_an_option(void **state)
{
	struct outcome outcome;

	(void)state;
	if (!getenv("GK_BUILD"))
		skip();
	outcome = run("-s socket client add lamp1 --group -o --roles monitor");
	assert_int_equal(outcome.status, 1);
	assert_string_equal(outcome.err, "client add: no such group\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ten_thousand_members_are_told),
		TEST(what_is_no_call_is_refused_and_changes_nothing),
		TEST(each_call_answers),
		TEST(every_json_answer_is_one_line),
		TEST(too_many_words_are_refused),
		TEST(a_request_that_is_too_long_is_refused_unread),
		TEST(a_request_may_come_in_pieces),
		TEST(a_bundle_has_what_was_ordered),
		TEST(the_address_is_the_one_that_is_listened_at),
		TEST(orders_that_make_no_client_are_refused),
		TEST(nine_groups_are_too_many),
		TEST(who_follows_hears_what_was_and_what_comes),
		TEST(who_hangs_up_is_forgotten),
		TEST(only_eight_can_follow),
		TEST(who_reads_too_slowly_is_told_what_it_missed),
		TEST(sixteen_are_served_and_the_next_is_turned_away),
		TEST(who_cannot_be_taken_for_want_of_descriptors_waits_a_second),
		TEST(who_says_nothing_for_ten_seconds_is_dropped),
		TEST(the_socket_is_private_whatever_the_umask),
		TEST(a_socket_is_removed_at_the_end_and_replaced_after_a_crash),
		TEST(what_belongs_to_someone_else_is_left_alone),
		TEST(a_socket_that_cannot_be_made_is_said),
		TEST(what_was_reported_is_there_after_a_restart),
		TEST(a_key_that_went_missing_is_not_made_anew),
		TEST(link_local_nodes_of_other_interfaces_are_met_with_silence),
		TEST(without_an_address_to_listen_at_no_client_is_added),
		TEST(while_the_store_refuses_nothing_is_done_or_told),
		TEST(gatewayctl_ends_with_the_status_of_its_call),
		TEST(gatewayctl_writes_a_private_bundle_once),
		TEST(gatewayctl_has_a_token_issued_only_for_a_file_that_is_there),
		TEST(gatewayctl_takes_no_value_for_an_option),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
