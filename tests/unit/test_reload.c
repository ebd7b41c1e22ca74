// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A whole daemon that gets another configuration, and a member of its groups that lives in the same
 * process. The daemon hears it by the network, or is told what it says without one.
 */
#include "config.h"
#include "gatewayd/control.h"
#include "gatewayd/daemon.h"
#include "gatewayd/reload.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/kdc.h"
#include "tests/lib/errors.h"
#include "tests/lib/netns.h"

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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HANGS_S    100
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define STAYS      "; the old configuration stays in effect"
#define PORT       7001
#define OTHER_PORT 7002

static char top[] = "/tmp/test_reload.XXXXXX";
static char dir[64], conf_path[80];
static const char *const conf_paths[] = { conf_path, NULL };
static bool may_run;
static struct gw_daemon gw;
static char text[2 * GW_CONF_ERROR];

/*
 * The file: what is not given is as at the start. Each setting has the line that stands behind it.
 */

struct settings {
	const char *interface; /* 1 */
	const char *state_dir; /* 2 */
	const char *mark;      /* 3 */
	const char *control;   /* 4 */
	const char *listen;    /* 5 */
	const char *level;     /* 6 */
	const char *more;      /* 7 */
	const char *groups;    /* 8 and following */
};

#define LIGHTS   "{ name = \"lights\"; }"
#define METERS   "{ name = \"meters\"; rekey = { address = \"[ff02::b]:5687\"; }; }"
#define BLINDS   "{ name = \"blinds\"; rekey = { address = \"[ff02::c]:5688\"; }; }"
#define AT_START LIGHTS ",\n" METERS

static const char * or (const char *text_or_null, const char *otherwise)
{
	return text_or_null ? text_or_null : otherwise;
}

static void put_path(FILE *out, const char *option, const char *value, const char *in_dir)
{
	if (value)
		fprintf(out, "%s = \"%s\";\n", option, value);
	else
		fprintf(out, "%s = \"%s/%s\";\n", option, dir, in_dir);
}

static void write_conf(const struct settings *settings)
{
	FILE *out = fopen(conf_path, "w");

	assert_non_null(out);
	fprintf(out, "interface = \"%s\";\n", or (settings->interface, "near0"));
	put_path(out, "state_dir", settings->state_dir, "state");
	put_path(out, "mark", settings->mark, "marks/mark");
	put_path(out, "control", settings->control, "socket");
	fprintf(out, "listen = \"%s\";\n", or (settings->listen, "[::1]:7001"));
	fprintf(out, "log_level = \"%s\";\n", or (settings->level, "error"));
	fprintf(out, "%s\n", or (settings->more, ""));
	fprintf(out, "groups = ( %s );\n", or (settings->groups, AT_START));
	fclose(out);
}

static void write_text(const char *bytes)
{
	FILE *out = fopen(conf_path, "w");

	assert_non_null(out);
	fputs(bytes, out);
	fclose(out);
}

/*
 * Fixture
 */

static void start(bool debug)
{
	const struct gw_start how = { .conf_paths = conf_paths, .debug = debug };
	char error[GW_CONF_ERROR];
	struct gw_conf conf;

	if (!gw_conf_read(conf_paths, &conf, error, sizeof(error)))
		fail_msg("%s", error);
	gw_daemon_start(&gw, &conf, &how);
}

static int set_up(void **state)
{
	static int number;

	(void)state;
	if (!may_run)
		return 0;
	snprintf(dir, sizeof(dir), "%s/%d", top, number++);
	snprintf(conf_path, sizeof(conf_path), "%s/conf", dir);
	if (mkdir(dir, 0700))
		return -1;
	write_conf(&(struct settings){ 0 });
	start(false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (may_run)
		gw_daemon_stop(&gw);
	return 0;
}

static void need_network(void)
{
	if (!may_run)
		skip();
}

/* @return what is said of it, behind the file's path */
static const char *reload(bool want)
{
	bool ok = gw_reload(&gw, text, sizeof(text));

	if (strncmp(text, conf_path, strlen(conf_path)) != 0)
		fail_msg("no file in '%s'", text);
	if (ok != want)
		fail_msg("%s: %s", want ? "refused" : "taken", text);
	return text + strlen(conf_path);
}

static void takes(const struct settings *settings, const char *want)
{
	write_conf(settings);
	assert_string_equal(reload(true), want);
}

static void refuses(const struct settings *settings, const char *want)
{
	char whole[512];

	write_conf(settings);
	snprintf(whole, sizeof(whole), "%s" STAYS, want);
	assert_string_equal(reload(false), whole);
}

/*
 * What can be seen from outside
 */

static struct sockaddr_in6 loopback(uint16_t port)
{
	return (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback,
		.sin6_port = htons(port),
	};
}

static int udp_socket(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	return fd;
}

static void turn_until_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (poll(&poll_fd, 1, 0) == 0)
		gw_daemon_turn(&gw);
}

/* Does anybody answer a GET there? Where nobody listens the kernel says so at once. */
static bool answers(uint16_t port)
{
	static const uint8_t get[] = { 0x40, 0x01, 0x12, 0x34, 0xb1, 'x' };
	const struct sockaddr_in6 to = loopback(port);
	uint8_t answer[64];
	int fd = udp_socket();
	ssize_t len;

	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, get, sizeof(get), 0), sizeof(get));
	turn_until_readable(fd);
	len = recv(fd, answer, sizeof(answer), 0);
	assert_true(len > 0 || errno == ECONNREFUSED);
	close(fd);
	return len > 0;
}

static bool is_taken(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = udp_socket();
	bool taken = bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0;

	assert_true(!taken || errno == EADDRINUSE);
	close(fd);
	return taken;
}

static void path_in_dir(const char *name, char path[static 100])
{
	snprintf(path, 100, "%s/%s", dir, name);
}

static bool exists(const char *name)
{
	char path[100];

	path_in_dir(name, path);
	return access(path, F_OK) == 0;
}

static int call_up(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	path_in_dir(name, address.sun_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static const char *say(int fd, const char *word)
{
	static char reply[4096];
	size_t len = 0;
	ssize_t got;

	assert_int_equal(send(fd, word, strlen(word), MSG_NOSIGNAL), strlen(word));
	shutdown(fd, SHUT_WR);
	do {
		turn_until_readable(fd);
		got = recv(fd, reply + len, sizeof(reply) - 1 - len, 0);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	close(fd);
	reply[len] = '\0';
	return reply;
}

static bool is_operated_at(const char *name)
{
	int fd = call_up(name);

	return fd >= 0 && strncmp(say(fd, "status"), "0\n", 2) == 0;
}

static void assert_all_is_as_at_the_start(void)
{
	assert_true(answers(PORT));
	assert_true(is_operated_at("socket"));
	assert_true(is_taken(5686));
	assert_true(is_taken(5687));
	assert_false(is_taken(5688));
	assert_int_equal(gw.multicast.count, 2);
}

/*
 * What the KDC has
 */

static bool find_group(const char *name, struct gk_group_info *info)
{
	size_t at = 0;

	while (gk_kdc_group_next(gw.kdc, &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(name)))
			return true;
	}
	return false;
}

static struct gk_group_info must_find(const char *name)
{
	struct gk_group_info info;

	assert_true(find_group(name, &info));
	return info;
}

static bool is_unserved(const char *name)
{
	struct gk_span found;
	size_t at = 0;

	while (gk_kdc_unserved_next(gw.kdc, &at, &found)) {
		if (gk_span_equal(found, gk_span_str(name)))
			return true;
	}
	return false;
}

/* All that is shown of a group and its members, but for times. */
static void print_group(const char *name, char *out, size_t size)
{
	struct gk_group_info group = must_find(name);
	struct gk_member_info member;
	FILE *stream = fmemopen(out, size, "w");
	size_t at = 0;

	fprintf(stream, "%s num %lld members %zu gid ", name, (long long)group.num, group.members);
	for (size_t i = 0; i < group.gid.len; i++)
		fprintf(stream, "%02x", group.gid.data[i]);
	while (gk_kdc_member_next(gw.kdc, gk_span_str(name), &at, &member)) {
		fprintf(stream, "; %.*s sid ", (int)member.node.len,
			(const char *)member.node.data);
		for (size_t i = 0; i < member.sender_id.len; i++)
			fprintf(stream, "%02x", member.sender_id.data[i]);
		fprintf(stream, " num %lld", (long long)member.num);
	}
	fclose(stream);
}

/*
 * A member. What it asks goes to the daemon as if it had come by the network; requests of the KDC
 * reach its socket, and are not answered.
 */

static struct {
	struct gk_member *member;
	struct gk_env env;
	struct gk_addr addr;
	int fd;
	size_t requests, joined;
} node;

static void ask_daemon(const struct gk_event *event)
{
	static uint64_t exchanges = 1000;
	struct gk_exchange exchange = { .id = ++exchanges, .peer = node.addr, .token_len = 2 };
	uint8_t bytes[1300];
	struct gk_buf reply = gk_buf(bytes, sizeof(bytes));
	uint64_t id = event->id;

	exchange.message_id = (uint16_t)exchanges;
	memcpy(exchange.token, &exchange.message_id, 2);
	gw_serve_request(&gw, &exchange, event->bytes, &reply);
	node.requests++;
	assert_int_equal(gk_member_answer(node.member, id, gk_buf_span(&reply), io_now()), GK_OK);
}

static void run_node(void)
{
	struct gk_event event;

	while (gk_member_event(node.member, &event)) {
		if (event.kind == GK_EVENT_REQUEST)
			ask_daemon(&event);
		node.joined += event.kind == GK_EVENT_NOTE && event.note.kind == GK_NOTE_JOINED;
	}
}

static void issue_token(struct gk_client_bundle *bundle)
{
	static const struct gk_span groups[] = { { (const uint8_t *)"lights", 6 } };
	static const uint32_t roles[] = { 6 };
	const struct gk_client_spec spec = {
		.name = gk_span_str("lamp"),
		.groups = groups,
		.roles = roles,
		.group_count = 1,
		.lifetime_s = 86400,
	};

	assert_int_equal(gk_kdc_issue(gw.kdc, &spec, gw_now(&gw), bundle), GK_OK);
}

static void open_node_socket(void)
{
	struct sockaddr_in6 own = loopback(0);
	socklen_t len = sizeof(own);

	node.fd = udp_socket();
	assert_int_equal(bind(node.fd, (struct sockaddr *)&own, len), 0);
	assert_int_equal(getsockname(node.fd, (struct sockaddr *)&own, &len), 0);
	node.addr = io_addr_from_sockaddr(&own);
}

static void make_node(void)
{
	static const uint8_t seed[32] = { 7 };
	struct gk_client_bundle bundle;
	char base[40];

	open_node_socket();
	issue_token(&bundle);
	snprintf(base, sizeof(base), "coap://[::1]:%u", node.addr.port);
	const struct gk_member_config config = {
		.token = gk_span(bundle.token, bundle.token_len),
		.osc_id = gk_span(bundle.osc_id, sizeof(bundle.osc_id)),
		.ms = gk_span(bundle.ms, sizeof(bundle.ms)),
		.salt = gk_span(bundle.salt, sizeof(bundle.salt)),
		.key_seed = gk_span(seed, sizeof(seed)),
		.name = gk_span_str("lamp"),
		.control_base = gk_span_str(base),
		.point_to_point = true,
	};
	node.env = io_env();
	node.requests = node.joined = 0;
	assert_int_equal(gk_member_new(&node.env, &config, &node.member), GK_OK);
}

/* The message in which it gets what the others get too is still to come; forget it. */
static void join_lights(void)
{
	make_node();
	assert_int_equal(gk_member_join(node.member, gk_span_str("lights"), 6, io_now()), GK_OK);
	run_node();
	assert_int_equal(node.joined, 1);
	gw_serve_settle(&gw);
	assert_int_equal(must_find("lights").members, 1);
}

/* It gets a new Sender ID, under the association that it has. */
static void assert_association_works(void)
{
	struct gk_membership_info before, after;
	uint8_t sid[8];

	assert_int_equal(gk_member_info(node.member, gk_span_str("lights"), &before), GK_OK);
	memcpy(sid, before.sender_id.data, before.sender_id.len);
	node.requests = 0;
	assert_int_equal(gk_member_renew(node.member, gk_span_str("lights"), io_now()), GK_OK);
	run_node();
	assert_int_equal(node.requests, 1);
	assert_int_equal(gk_member_info(node.member, gk_span_str("lights"), &after), GK_OK);
	assert_false(gk_span_equal(gk_span(sid, before.sender_id.len), after.sender_id));
}

static void free_node(void)
{
	gk_member_free(node.member);
	close(node.fd);
}

/* @return the port that a request of the KDC came to the member from */
static uint16_t next_port(void)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	uint8_t bytes[1300];

	turn_until_readable(node.fd);
	assert_true(recvfrom(node.fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len) > 0);
	return ntohs(from.sin6_port);
}

/*
 * Refused
 */

static void a_file_that_is_wrong_changes_nothing(void **state)
{
	static const struct {
		const char *bytes, *want;
	} rows[] = {
		{ "interface = \"near0\";\ngroups = ( { name = \"a\" };\n",
		  ":2: syntax error" STAYS },
		{ "interface = \"near0\";\n\ngroups = ( { name = \"a\"; mood = 1; } );\n",
		  ":3: groups[0].mood: unknown option" },
		{ "interface = \"near0\";\ngroups = ( );\n", ":2: groups: must be a list" },
		{ "interface = \"near0\";\ngroups = ( { name = \"lights\"; presence = {\n"
		  "probes = 1; }; } );\n",
		  ":3: groups[0].presence.probes: must be at least 2: with 'evict'" },
		{ "", ":1: interface: is missing" },
	};

	(void)state;
	need_network();
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_text(rows[i].bytes);
		const char *got = reload(false);
		if (strncmp(got, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("got %s", got);
		assert_non_null(strstr(got, STAYS));
	}
	unlink(conf_path);
	assert_string_equal(reload(false), ": No such file or directory" STAYS);
	assert_all_is_as_at_the_start();
	must_find("lights");
	must_find("meters");
}

static void what_needs_a_restart_is_refused_by_name(void **state)
{
	static const struct {
		struct settings settings;
		const char *where;
	} rows[] = {
		{ { .interface = "far0" }, ":1: interface" },
		{ { .state_dir = "/tmp/x" }, ":2: state_dir" },
		{ { .mark = "/tmp/y" }, ":3: mark" },
		{ { .more = "audience = \"x\";" }, ":7: audience" },
		{ { .more = "as = { key_file = \"/k\"; };" }, ":7: as.key_file" },
		{ { .more = "as = { public_key_file = \"/k\"; };" }, ":7: as.public_key_file" },
		{ { .more = "as = { issuer = \"x\"; };" }, ":7: as.issuer" },
	};

	(void)state;
	need_network();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[128];
		struct settings settings = rows[i].settings;
		settings.groups = AT_START ",\n" BLINDS; // what can change does not either
		settings.listen = "[::1]:7002";
		snprintf(want, sizeof(want), "%s: cannot change without a restart", rows[i].where);
		refuses(&settings, want);
	}
	assert_all_is_as_at_the_start();
	assert_false(answers(OTHER_PORT));
}

static void members_hold_the_mode_of_their_group(void **state)
{
	(void)state;
	need_network();
	join_lights();
	refuses(&(struct settings){ .groups = BLINDS ",\n" METERS ",\n{ name = \"lights\";\n"
						     "mode = \"pairwise\"; }" },
		":11: groups[2].mode: cannot change while the group has members");
	assert_int_equal(must_find("lights").mode, GK_MODE_GROUP);
	if (GK_HAVE_ED25519)
		refuses(&(struct settings){ .groups = "{ name = \"lights\";\n"
						      "sign_alg = \"EdDSA\"; }" },
			":9: groups[0].sign_alg: cannot change while the group has members");
	assert_all_is_as_at_the_start();
	assert_false(gk_kdc_evict(gw.kdc, gk_span_str("lights"), gk_span_str("lamp"), gw_now(&gw)));
	takes(&(struct settings){ .groups =
					  METERS ", { name = \"lights\"; mode = \"pairwise\"; }" },
	      ": in effect: groups: 1 changed");
	assert_int_equal(must_find("lights").mode, GK_MODE_PAIRWISE);
	free_node();
}

static int take_port(uint16_t port)
{
	struct sockaddr_in6 own = loopback(port);
	int fd = udp_socket();

	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	return fd;
}

static void an_address_that_is_taken_is_refused(void **state)
{
	int fd;

	(void)state;
	need_network();
	fd = take_port(OTHER_PORT);
	refuses(&(struct settings){ .listen = "[::1]:7002", .groups = AT_START "," BLINDS },
		with_error(":5: listen: [::1]:7002: %s", EADDRINUSE));
	close(fd);
	assert_all_is_as_at_the_start();
	assert_false(find_group("blinds", &(struct gk_group_info){ 0 }));
	takes(&(struct settings){ .listen = "[::1]:7002" }, ": in effect: listen [::1]:7002");
	assert_true(answers(OTHER_PORT));
}

/* It is the last thing that can fail: what was opened for the rest is closed again. */
static void a_socket_that_cannot_be_made_is_refused(void **state)
{
	(void)state;
	need_network();
	refuses(&(struct settings){ .control = "/nonexistent/socket",
				    .listen = "[::1]:7002",
				    .groups = AT_START "," BLINDS },
		":4: control: /nonexistent/socket: No such file or directory");
	assert_all_is_as_at_the_start();
	assert_false(is_taken(OTHER_PORT));
	assert_false(find_group("blinds", &(struct gk_group_info){ 0 }));
}

static void a_path_where_another_listens_is_refused(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char want[256];

	(void)state;
	need_network();
	path_in_dir("theirs", address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	snprintf(want, sizeof(want), ":4: control: %s: in use by another program, or no socket",
		 address.sun_path);
	refuses(&(struct settings){ .control = address.sun_path }, want);
	close(fd);
	assert_true(is_operated_at("socket"));
}

/*
 * Groups
 */

static void a_file_as_before_changes_nothing(void **state)
{
	(void)state;
	need_network();
	takes(&(struct settings){ 0 }, ": nothing has changed");
	takes(&(struct settings){ .groups = METERS ", " LIGHTS }, ": nothing has changed");
	takes(&(struct settings){ .more = "link = { rate_kbps = 125; share_percent = 50; };" },
	      ": nothing has changed");
	assert_all_is_as_at_the_start();
}

static void every_file_is_read_again(void **state)
{
	static char over_path[80];
	static const char *const both[] = { conf_path, over_path, NULL };
	FILE *out;

	(void)state;
	need_network();
	snprintf(over_path, sizeof(over_path), "%s/over", dir);
	gw.conf_paths = both;
	out = fopen(over_path, "w");
	assert_non_null(out);
	fputs("\nlisten = \"[::1]:7002\";\n", out);
	fclose(out);
	assert_true(gw_reload(&gw, text, sizeof(text)));
	assert_non_null(strstr(text, "/conf, "));
	assert_non_null(strstr(text, "/over: in effect: listen [::1]:7002"));
	assert_true(answers(OTHER_PORT));

	out = fopen(over_path, "w");
	assert_non_null(out);
	fputs("\naudience = \"x\";\n", out);
	fclose(out);
	assert_false(gw_reload(&gw, text, sizeof(text)));
	assert_non_null(strstr(text, "/over:2: audience: cannot change without a restart" STAYS));
	gw.conf_paths = conf_paths;
}

static void groups_are_added_with_their_sockets(void **state)
{
	(void)state;
	need_network();
	takes(&(struct settings){ .groups = AT_START "," BLINDS }, ": in effect: groups: 1 added");
	assert_true(is_taken(5688));
	assert_true(must_find("blinds").active);
	assert_int_equal(gw.conf.group_count, 3);
	assert_int_equal(gw.outbox.store_count, 0); // it is stored before it is reported
	assert_int_equal(gw_outbox_error(&gw.outbox), 0);
}

static void a_group_that_was_added_is_there_after_a_restart(void **state)
{
	struct gk_id gid;

	(void)state;
	need_network();
	takes(&(struct settings){ .groups = AT_START "," BLINDS }, ": in effect: groups: 1 added");
	gid = must_find("blinds").gid;
	gw_daemon_stop(&gw);
	start(false);
	assert_true(gk_id_equal(&gid, &(struct gk_id){ 0 }) == false);
	struct gk_id again = must_find("blinds").gid;
	assert_true(gk_id_equal(&gid, &again));
}

static void groups_change_and_become_inactive(void **state)
{
	char before[256], after[256];

	(void)state;
	need_network();
	join_lights();
	print_group("lights", before, sizeof(before));
	takes(&(struct settings){ .groups = "{ name = \"lights\"; active = false; }, " METERS },
	      ": in effect: groups: 1 changed");
	assert_false(must_find("lights").active);
	assert_true(must_find("meters").active);
	takes(
		&(struct settings){
			.groups = "{ name = \"lights\"; rekey = { period_s = 99; }; }, " BLINDS },
		": in effect: groups: 1 added, 1 changed, 1 deleted");
	assert_true(must_find("lights").active);
	print_group("lights", after, sizeof(after));
	assert_string_equal(before, after);
	assert_association_works();
	free_node();
}

static bool is_node_sleepy(void)
{
	struct gk_member_info info;
	size_t at = 0;

	assert_true(gk_kdc_member_next(gw.kdc, gk_span_str("lights"), &at, &info));
	return info.sleepy;
}

static void who_is_sleepy_can_change(void **state)
{
#define SLEEPY(option) "{ name = \"lights\"; presence = { " option " }; }, " METERS
	static const struct {
		const char *groups;
		bool sleepy;
	} rows[] = {
		{ SLEEPY("sleepers = [ \"somebody\", \"lamp\" ];"), true },
		{ SLEEPY("sleepers = [ \"somebody\" ];"), false },
		{ SLEEPY("sleepy = true;"), true },
		{ AT_START, false },
	};

	(void)state;
	need_network();
	join_lights();
	assert_false(is_node_sleepy());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		takes(&(struct settings){ .groups = rows[i].groups },
		      ": in effect: groups: 1 changed");
		assert_int_equal(is_node_sleepy(), rows[i].sleepy);
	}
	assert_association_works();
	free_node();
}

static void groups_that_are_deleted_end_with_their_sockets(void **state)
{
	int64_t num;

	(void)state;
	need_network();
	join_lights();
	num = must_find("lights").num;
	takes(&(struct settings){ .groups = METERS }, ": in effect: groups: 1 deleted");
	assert_int_equal(next_port(), PORT); // its members are told
	assert_false(find_group("lights", &(struct gk_group_info){ 0 }));
	assert_false(is_unserved("lights"));
	assert_false(is_taken(5686));
	assert_true(is_taken(5687));
	takes(&(struct settings){ 0 }, ": in effect: groups: 1 added");
	assert_true(must_find("lights").num > num);
	assert_int_equal(must_find("lights").members, 0);
	assert_true(is_taken(5686));
	free_node();
}

/* Who is to be told so is told from the address that is to be. */
static void members_are_told_of_the_end_from_the_new_address(void **state)
{
	(void)state;
	need_network();
	join_lights();
	takes(&(struct settings){ .groups = METERS, .listen = "[::1]:7002" },
	      ": in effect: groups: 1 deleted; listen [::1]:7002");
	assert_int_equal(next_port(), OTHER_PORT);
	free_node();
}

/* The socket of a port stays as long as one group has it. */
static void groups_share_sockets(void **state)
{
	(void)state;
	need_network();
	takes(&(struct settings){ .groups = AT_START ", { name = \"attic\"; }" },
	      ": in effect: groups: 1 added");
	takes(&(struct settings){ .groups = METERS ", { name = \"attic\"; }" },
	      ": in effect: groups: 1 deleted");
	assert_true(is_taken(5686));
	takes(&(struct settings){ .groups = METERS ", { name = \"attic\"; "
						   "rekey = { scheme = \"point-to-point\"; }; }" },
	      ": in effect: groups: 1 changed");
	assert_false(is_taken(5686));
}

static void restart_without_lights(void)
{
	gw_daemon_stop(&gw);
	write_conf(&(struct settings){ .groups = METERS });
	start(false);
	assert_true(is_unserved("lights"));
	assert_false(find_group("lights", &(struct gk_group_info){ 0 }));
}

static void a_group_that_is_not_served_is_deleted_by_a_reload(void **state)
{
	(void)state;
	need_network();
	join_lights();
	restart_without_lights();
	takes(&(struct settings){ .groups = METERS }, ": in effect: groups: 1 deleted");
	assert_false(is_unserved("lights"));
	takes(&(struct settings){ .groups = METERS }, ": nothing has changed");
	free_node();
}

static void a_group_that_is_not_served_comes_back_with_its_members(void **state)
{
	char before[256], after[256];

	(void)state;
	need_network();
	join_lights();
	print_group("lights", before, sizeof(before));
	restart_without_lights();
	takes(&(struct settings){ 0 }, ": in effect: groups: 1 added");
	assert_false(is_unserved("lights"));
	print_group("lights", after, sizeof(after));
	assert_string_equal(before, after);
	free_node();
}

static void a_group_that_is_not_served_holds_its_mode(void **state)
{
	(void)state;
	need_network();
	join_lights();
	restart_without_lights();
	refuses(&(struct settings){ .groups = METERS ",\n{ name = \"lights\"; "
						     "mode = \"pairwise\"; }" },
		":9: groups[1]: mode, sign_alg or cred_fmt cannot change while it has members");
	free_node();
}

/*
 * Addresses, the log, the link
 */

static void requests_are_answered_at_the_new_address_alone(void **state)
{
	(void)state;
	need_network();
	assert_true(answers(PORT));
	takes(&(struct settings){ .listen = "[::1]:7002" }, ": in effect: listen [::1]:7002");
	assert_false(answers(PORT));
	assert_true(answers(OTHER_PORT));
	assert_string_equal(gw.conf.listen, "[::1]:7002");
}

/* Our own socket on that port is no obstacle. */
static void the_port_can_stay_when_the_address_changes(void **state)
{
	static const char *const addresses[] = { "[::]:7001", "[::0]:7001", "[::1]:7001",
						 "[::0001]:7001", "[::]:7001" };

	(void)state;
	need_network();
	for (size_t i = 0; i < COUNT(addresses); i++) {
		char want[64];
		snprintf(want, sizeof(want), ": in effect: listen %s", addresses[i]);
		takes(&(struct settings){ .listen = addresses[i] }, want);
		assert_true(answers(PORT));
	}
}

static void an_address_may_come_later(void **state)
{
	(void)state;
	need_network();
	takes(&(struct settings){ .listen = "[fd00::77]:7001" },
	      ": in effect: listen [fd00::77]:7001");
	assert_null(gw.coap);
	assert_true(gw.listen_ms != GK_NEVER);
	assert_false(answers(PORT));
	takes(&(struct settings){ 0 }, ": in effect: listen [::1]:7001");
	assert_int_equal(gw.listen_ms, GK_NEVER);
	assert_true(answers(PORT));
}

/* What came before the reload is answered by the old socket. */
static void what_has_arrived_is_answered(void **state)
{
	static const uint8_t get[] = { 0x40, 0x01, 0x12, 0x34, 0xb1, 'x' };
	const struct sockaddr_in6 to = loopback(PORT);
	uint8_t answer[64];
	int fd = udp_socket();

	(void)state;
	need_network();
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, get, sizeof(get), 0), sizeof(get));
	takes(&(struct settings){ .listen = "[::1]:7002" }, ": in effect: listen [::1]:7002");
	assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
	close(fd);
}

static void what_was_asked_is_asked_again_from_the_new_address(void **state)
{
	(void)state;
	need_network();
	join_lights();
	assert_int_equal(gk_kdc_rekey(gw.kdc, gk_span_str("lights"), gw_now(&gw)), GK_OK);
	assert_true(gw_serve_settle(&gw));
	assert_int_equal(next_port(), PORT);
	takes(&(struct settings){ .listen = "[::1]:7002" }, ": in effect: listen [::1]:7002");
	while (next_port() != OTHER_PORT)
		;
	free_node();
}

static void the_operator_is_answered_by_the_old_socket(void **state)
{
	char path[100], want[400];
	int fd;

	(void)state;
	need_network();
	path_in_dir("other", path);
	write_conf(&(struct settings){ .control = path });
	fd = call_up("socket");
	snprintf(want, sizeof(want), "0\n%s: in effect: control %s\n", conf_path, path);
	assert_string_equal(say(fd, "reload"), want);
	assert_false(exists("socket"));
	assert_true(is_operated_at("other"));
	takes(&(struct settings){ 0 },
	      (snprintf(want, sizeof(want), ": in effect: control %s/socket", dir), want));
	assert_false(exists("other"));
	assert_true(is_operated_at("socket"));
}

static void a_hangup_reloads(void **state)
{
	struct gk_group_info info;

	(void)state;
	need_network();
	write_conf(&(struct settings){ .groups = AT_START "," BLINDS });
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	while (!find_group("blinds", &info))
		gw_daemon_turn(&gw);
}

static void why_not_is_told_to_the_operator(void **state)
{
	char want[400];

	(void)state;
	need_network();
	write_conf(&(struct settings){ .more = "audience = \"x\";" });
	snprintf(want, sizeof(want),
		 "1\n%s:7: audience: cannot change without a restart" STAYS "\n", conf_path);
	assert_string_equal(say(call_up("socket"), "reload"), want);
}

/* Both ways, first the operator's, then the signal's, while the log goes to a pipe.
 * @return how often it has the line */
static int count_logged_reloads(const struct settings *settings, const char *line)
{
	static const char *const ways[] = { "reload", NULL };
	int fds[2], saved = dup(STDERR_FILENO), count = 0;
	char logged[2000];

	for (size_t i = 0; i < COUNT(ways); i++) {
		write_conf(settings);
		assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
		dup2(fds[1], STDERR_FILENO);
		if (ways[i])
			say(call_up("socket"), ways[i]);
		else if (raise(SIGHUP) == 0)
			gw_daemon_turn(&gw);
		dup2(saved, STDERR_FILENO);
		ssize_t len = read(fds[0], logged, sizeof(logged) - 1);
		logged[len > 0 ? len : 0] = '\0';
		for (const char *at = logged; (at = strstr(at, line)); at++)
			count++;
		close(fds[0]);
		close(fds[1]);
	}
	close(saved);
	return count;
}

static void the_log_tells_of_it_whoever_asked(void **state)
{
	(void)state;
	need_network();
	takes(&(struct settings){ .level = "info" }, ": in effect: log_level");
	assert_int_equal(count_logged_reloads(&(struct settings){ .level = "info" },
					      "/conf: nothing has changed\n"),
			 2);
	assert_int_equal(count_logged_reloads(
				 &(struct settings){ .level = "info", .more = "audience = \"x\";" },
				 "/conf:7: audience: cannot change without a restart" STAYS "\n"),
			 2);
	gw.outbox.error = -EIO;
	gw.outbox.retry_ms = GK_NEVER;
	assert_int_equal(
		count_logged_reloads(&(struct settings){ .level = "info", .groups = LIGHTS },
				     ":8: groups: cannot change while nothing can be "
				     "stored" STAYS "\n"),
		2);
	gw.outbox.error = 0;
	log_open("test", LOG_LEVEL_ERROR, false);
}

/* @return whether a line of this level is logged now */
static bool is_logged(void (*line)(const char *, const char *, ...))
{
	int fds[2], saved = dup(STDERR_FILENO);
	struct pollfd poll_fd;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	line("test", "a line");
	dup2(saved, STDERR_FILENO);
	close(saved);
	poll_fd = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	bool logged = poll(&poll_fd, 1, 0) > 0;
	close(fds[0]);
	close(fds[1]);
	return logged;
}

static void the_log_changes_level_and_place(void **state)
{
	(void)state;
	need_network();
	assert_false(is_logged(log_warnx));
	takes(&(struct settings){ .level = "warn" }, ": in effect: log_level");
	assert_true(is_logged(log_warnx));
	assert_false(is_logged(log_info));
	takes(&(struct settings){ .level = "error", .more = "log = \"syslog\";" },
	      ": in effect: log_level; log");
	takes(&(struct settings){ .level = "warn", .more = "log = \"syslog\";" },
	      ": in effect: log_level");
	assert_false(is_logged(log_warnx)); // not on stderr
	takes(&(struct settings){ .level = "warn" }, ": in effect: log");
	assert_true(is_logged(log_warnx));
	takes(&(struct settings){ 0 }, ": in effect: log_level");
	assert_false(is_logged(log_warnx));
}

static void the_log_of_a_debugger_is_left_alone(void **state)
{
	(void)state;
	need_network();
	gw_daemon_stop(&gw);
	start(true);
	takes(&(struct settings){ .level = "warn", .more = "log = \"syslog\";" },
	      ": nothing has changed");
	takes(&(struct settings){ .level = "warn", .groups = AT_START "," BLINDS },
	      ": in effect: groups: 1 added");
	assert_false(is_logged(log_warnx)); // as this program has it
}

static void rekeying_gets_its_new_share_of_the_link(void **state)
{
	(void)state;
	need_network();
	assert_int_equal(gw.kdc->budget.bytes_per_s, 62500 / 8);
	takes(&(struct settings){ .more = "link = { rate_kbps = 100; };" }, ": in effect: link");
	assert_int_equal(gw.kdc->budget.bytes_per_s, 25000 / 8);
}

static void other_interfaces_are_watched(void **state)
{
	(void)state;
	need_network();
	assert_int_equal(gw.segment.link_count, 1);
	takes(&(struct settings){ .more = "watch = [ \"eth0\", \"wlan0\" ];" },
	      ": in effect: watch");
	assert_int_equal(gw.segment.link_count, 3);
	assert_string_equal(gw.segment.links[2].name, "wlan0");
	takes(&(struct settings){ .more = "watch = [ \"wlan0\" ];" }, ": in effect: watch");
	assert_int_equal(gw.segment.link_count, 2);
	assert_string_equal(gw.segment.links[1].name, "wlan0");
	takes(&(struct settings){ .more = "watch = [ \"wlan0\" ];" }, ": nothing has changed");
}

static void members_notice_nothing(void **state)
{
	char before[256], after[256], path[100], want[400];

	(void)state;
	need_network();
	join_lights();
	print_group("lights", before, sizeof(before));
	path_in_dir("other", path);
	snprintf(want, sizeof(want),
		 ": in effect: groups: 1 added, 1 changed, 1 deleted; listen [::1]:7002; "
		 "control %s; link; log_level",
		 path);
	takes(&(struct settings){ .control = path,
				  .listen = "[::1]:7002",
				  .level = "warn",
				  .more = "link = { rate_kbps = 20; };",
				  .groups = BLINDS ", { name = \"lights\"; "
						   "presence = { grace_s = 1; }; }" },
	      want);
	print_group("lights", after, sizeof(after));
	assert_string_equal(before, after);
	assert_ptr_equal(gw.segment.interface, gw.conf.interface); // which it borrows
	assert_association_works();
	log_open("test", LOG_LEVEL_ERROR, false);
	free_node();
}

/*
 * The store
 */

/* What it needs is asked for each time anew. */
static void look_at_the_disk(void)
{
	gw.reserve.look_ms = 0;
}

static void without_a_store_groups_do_not_change(void **state)
{
	static const struct {
		const char *groups, *more;
	} rows[] = {
		{ AT_START "," BLINDS, NULL },
		{ LIGHTS ", { name = \"meters\"; active = false; }", NULL },
		{ LIGHTS, NULL },
	};
	char marks[100], gone[100];

	(void)state;
	need_network();
	path_in_dir("marks", marks);
	path_in_dir("gone", gone);
	assert_int_equal(rename(marks, gone), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		look_at_the_disk();
		refuses(&(struct settings){ .groups = rows[i].groups },
			":8: groups: cannot change while nothing can be stored");
	}
	takes(&(struct settings){ .level = "warn" }, ": in effect: log_level");
	takes(&(struct settings){ 0 }, ": in effect: log_level");
	assert_int_equal(rename(gone, marks), 0);
	look_at_the_disk();
	assert_all_is_as_at_the_start();
	takes(&(struct settings){ .groups = rows[0].groups }, ": in effect: groups: 1 added");
}

static void while_the_store_refuses_the_kdc_is_left_alone(void **state)
{
	(void)state;
	need_network();
	gw.outbox.error = -EIO;
	gw.outbox.retry_ms = GK_NEVER;
	refuses(&(struct settings){ .groups = LIGHTS },
		":8: groups: cannot change while nothing can be stored");
	refuses(&(struct settings){ .more = "link = { rate_kbps = 20; };" },
		":7: link: cannot change while nothing can be stored");
	takes(&(struct settings){ .level = "warn" },
	      with_error(": in effect: log_level; not stored yet: %s", EIO));
	log_open("test", LOG_LEVEL_ERROR, false);
	gw.outbox.error = 0;
	assert_all_is_as_at_the_start();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_wrong_changes_nothing),
		TEST(what_needs_a_restart_is_refused_by_name),
		TEST(members_hold_the_mode_of_their_group),
		TEST(an_address_that_is_taken_is_refused),
		TEST(a_socket_that_cannot_be_made_is_refused),
		TEST(a_path_where_another_listens_is_refused),
		TEST(a_file_as_before_changes_nothing),
		TEST(every_file_is_read_again),
		TEST(groups_are_added_with_their_sockets),
		TEST(a_group_that_was_added_is_there_after_a_restart),
		TEST(groups_change_and_become_inactive),
		TEST(who_is_sleepy_can_change),
		TEST(groups_that_are_deleted_end_with_their_sockets),
		TEST(members_are_told_of_the_end_from_the_new_address),
		TEST(groups_share_sockets),
		TEST(a_group_that_is_not_served_is_deleted_by_a_reload),
		TEST(a_group_that_is_not_served_comes_back_with_its_members),
		TEST(a_group_that_is_not_served_holds_its_mode),
		TEST(requests_are_answered_at_the_new_address_alone),
		TEST(the_port_can_stay_when_the_address_changes),
		TEST(an_address_may_come_later),
		TEST(what_has_arrived_is_answered),
		TEST(what_was_asked_is_asked_again_from_the_new_address),
		TEST(the_operator_is_answered_by_the_old_socket),
		TEST(a_hangup_reloads),
		TEST(why_not_is_told_to_the_operator),
		TEST(the_log_tells_of_it_whoever_asked),
		TEST(the_log_changes_level_and_place),
		TEST(the_log_of_a_debugger_is_left_alone),
		TEST(rekeying_gets_its_new_share_of_the_link),
		TEST(other_interfaces_are_watched),
		TEST(members_notice_nothing),
		TEST(without_a_store_groups_do_not_change),
		TEST(while_the_store_refuses_the_kdc_is_left_alone),
	};
	int failures;

	alarm(HANGS_S);
	log_open("test", LOG_LEVEL_ERROR, false);
	may_run = netns_enter() && netns_veth("near0", "far0") && mkdtemp(top);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failures;
}
