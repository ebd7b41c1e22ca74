// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What an operator says of clients, and what comes of it: a whole daemon on the loopback interface,
 * and members that speak to it without a network. How calls come in is test_control.c's matter.
 */
#include "gatewayd/calls.h"
#include "gatewayd/daemon.h"
#include "gatewayd/show.h"
#include "gatewayd/text.h"
#include "io/bundle.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/group.h"
#include "tests/lib/errors.h"
#include "tests/lib/prometheus.h"

#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
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
#include <unistd.h>

#include <cmocka.h>

#define HANGS_S 60
#define YEAR_S  INT64_C(31536000)

#define LIGHTS "{ name = \"lights\"; }"
#define METERS "{ name = \"meters\"; }"

static char dir[64], conf_path[96];
static const char *const conf_paths[] = { conf_path, NULL };
static unsigned port;
static struct gw_daemon gw;

/*
 * The daemon
 */

/* One that is free: other tests and daemons have theirs, and a file cannot say "any". */
static unsigned find_port(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin6_port);
}

static void write_conf(const char *groups)
{
	FILE *out = fopen(conf_path, "w");

	fprintf(out,
		"interface = \"lo\"; listen = \"[::1]:%u\"; state_dir = \"%s/state\";\n"
		"mark = \"%s/mark\"; control = \"%s/socket\"; log_level = \"error\";\n"
		"groups = ( %s );\n",
		port, dir, dir, dir, groups);
	assert_int_equal(fclose(out), 0);
}

static void start_daemon(void)
{
	const struct gw_start start = { .conf_paths = conf_paths };
	char error[GW_CONF_ERROR];
	struct gw_conf conf;

	if (!gw_conf_read(conf_paths, &conf, error, sizeof(error)))
		fail_msg("%s", error);
	gw_daemon_start(&gw, &conf, &start);
}

static int start(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_calls.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(conf_path, sizeof(conf_path), "%s/conf", dir);
	port = find_port();
	write_conf(LIGHTS ", " METERS);
	start_daemon();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int stop(void **state)
{
	(void)state;
	gw_daemon_stop(&gw);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* All that was ever answered, to be searched at the end. */
static char said[200000];

/* Words are separated by spaces here. @return the answer, static; 'status' is set */
static const char *call_as(const char *words, int *status)
{
	static char text[20000];
	char bytes[512];
	size_t len = strlen(words);
	struct gw_call call = { .daemon = &gw };
	struct gw_text out;

	strcpy(bytes, words);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == ' ')
			bytes[i] = '\0';
	}
	gw_text_open(&out);
	call.out = out.out;
	*status = gw_calls_run(&call, gk_span((const uint8_t *)bytes, len));
	assert_int_equal(gw_text_close(&out), 0);
	snprintf(text, sizeof(text), "%.*s", (int)out.len, out.bytes ? out.bytes : "");
	gw_text_free(&out);
	if (!strstr(text, "\"token\""))
		strncat(said, text, sizeof(said) - strlen(said) - 1);
	return text;
}

static void assert_answer(const char *words, int want, const char *answer)
{
	int status;
	const char *text = call_as(words, &status);

	if (status != want || strcmp(text, answer) != 0)
		fail_msg("%s: %d: '%s' is not %d: '%s'", words, status, text, want, answer);
}

static void assert_part(const char *words, const char *part)
{
	int status;
	const char *text = call_as(words, &status);

	if (status != GW_DONE || !strstr(text, part))
		fail_msg("%s: %d: '%s' is not in '%s'", words, status, part, text);
}

static void assert_without(const char *words, const char *part)
{
	int status;
	const char *text = call_as(words, &status);

	if (status != GW_DONE || strstr(text, part))
		fail_msg("%s: %d: '%s' is in '%s'", words, status, part, text);
}

/*
 * Members
 */

struct node {
	struct io_bundle bundle;
	struct gk_member *member;
	struct gk_addr addr;
	uint16_t message_id;
};

static struct io_bundle order(const char *name)
{
	char words[128], error[IO_BUNDLE_ERROR];
	struct io_bundle bundle;
	const char *text;
	int status;

	memset(&bundle, 0, sizeof(bundle));
	snprintf(words, sizeof(words),
		 "client add %s --group lights --roles requester --group meters --roles monitor",
		 name);
	text = call_as(words, &status);
	if (status || !io_bundle_parse(gk_span_str(text), &bundle, error, sizeof(error)))
		fail_msg("%s: %s", text, error);
	return bundle;
}

static void make_member(struct node *node)
{
	static const uint8_t seed[32] = { 7 };
	const struct io_bundle *bundle = &node->bundle;
	struct gk_env env = io_env();
	struct gk_member_config config = {
		.token = gk_span(bundle->token, bundle->token_len),
		.osc_id = gk_span(bundle->osc_id, bundle->osc_id_len),
		.ms = gk_span(bundle->ms, bundle->ms_len),
		.salt = gk_span(bundle->salt, bundle->salt_len),
		.key_seed = gk_span(seed, sizeof(seed)),
		.name = gk_span_str(bundle->name),
		.control_base = gk_span_str("coap://[fd00::9]:5683"),
		.kdc = { .port = 5683 },
	};

	node->addr = (struct gk_addr){ .ip = { 0xfd, [15] = 9 }, .port = 5683 };
	assert_int_equal(gk_member_new(&env, &config, &node->member), GK_OK);
}

static void ask_daemon(struct node *node, const struct gk_event *event)
{
	static uint64_t exchanges = 1000;
	uint8_t bytes[IO_COAP_MESSAGE_MAX];
	struct gk_buf reply = gk_buf(bytes, sizeof(bytes));
	struct gk_exchange exchange = {
		.id = exchanges++,
		.peer = node->addr,
		.message_id = node->message_id++,
		.token_len = 2,
		.token = { (uint8_t)(node->message_id >> 8), (uint8_t)node->message_id },
	};

	gw_serve_request(&gw, &exchange, event->bytes, &reply);
	assert_int_equal(gk_member_answer(node->member, event->id, gk_buf_span(&reply), io_now()),
			 GK_OK);
}

/* Until it has nothing more to ask. */
static void talk(struct node *node)
{
	struct gk_event event;

	while (gk_member_event(node->member, &event)) {
		if (event.kind != GK_EVENT_REQUEST)
			continue;
		// Its bytes last until the next call.
		uint8_t *copy = malloc(event.bytes.len + 1);
		memcpy(copy, event.bytes.data, event.bytes.len);
		event.bytes.data = copy;
		ask_daemon(node, &event);
		free(copy);
	}
}

static bool join(struct node *node)
{
	struct gk_membership_info info;

	assert_int_equal(gk_member_join(node->member, gk_span_str("lights"), 2, io_now()), GK_OK);
	talk(node);
	assert_int_equal(gk_member_info(node->member, gk_span_str("lights"), &info), GK_OK);
	return info.joined;
}

static void provision(struct node *node, const char *name)
{
	*node = (struct node){ .bundle = order(name) };
	make_member(node);
}

/* One that comes back knows nothing but its bundle. */
static void begin_anew(struct node *node)
{
	gk_member_free(node->member);
	make_member(node);
}

/*
 * client list, client revoke
 */

static void a_client_is_issued_then_known_then_revoked(void **state)
{
	struct node lamp;

	(void)state;
	assert_answer("client list --json", GW_DONE, "[]\n");
	provision(&lamp, "lamp1");
	assert_part("client list --json", "[{\"name\":\"lamp1\",\"id\":\"");
	assert_part("client list --json",
		    "\"groups\":[{\"group\":\"lights\",\"roles\":[\"requester\"]},"
		    "{\"group\":\"meters\",\"roles\":[\"monitor\"]}],\"member_of\":0,");
	assert_part("client list --json", "\"state\":\"issued\"}]\n");
	assert_part("client list", "  issued  ");
	assert_true(join(&lamp));
	assert_part("client list --json", "\"state\":\"known\"}]\n");
	assert_part("client list --json", "\"member_of\":1,");
	assert_part("client list", " lights=requester meters=monitor\n");

	assert_answer("client revoke lamp1 --json", GW_DONE, "{\"name\":\"lamp1\"}\n");
	assert_part("client list --json", "\"state\":\"revoked\"}]\n");
	assert_part("client list --json", "\"member_of\":0,");
	assert_answer("members lights --json", GW_DONE, "[]\n");
	assert_part("events --json", "\"event\":\"revoked\",\"name\":\"lamp1\"}");
	begin_anew(&lamp);
	assert_false(join(&lamp));
	gk_member_free(lamp.member);
}

static void who_has_nothing_to_revoke_is_refused(void **state)
{
	(void)state;
	assert_answer("client revoke lamp1", GW_REFUSED,
		      "lamp1: no client with a token that is valid\n");
	order("lamp1");
	assert_answer("client revoke lamp1", GW_DONE,
		      "lamp1: its tokens are refused from now on\n");
	assert_answer("client revoke lamp1", GW_REFUSED,
		      "lamp1: no client with a token that is valid\n");
	assert_answer("client revoke", GW_USAGE, "usage: gatewayctl client revoke NAME\n");
}

/* A device is replaced: the list shows both, and a revocation is of both. */
static void two_of_one_name_are_shown_and_revoked_together(void **state)
{
	int status, count = 0;

	(void)state;
	order("lamp1");
	order("lamp1");
	for (const char *at = call_as("client list --json", &status);
	     (at = strstr(at, "\"name\":\"lamp1\"")); at++)
		count++;
	assert_int_equal(count, 2);
	assert_answer("client revoke lamp1", GW_DONE,
		      "lamp1: its tokens are refused from now on\n");
	assert_without("client list --json", "\"issued\"");
}

static void a_revocation_that_was_reported_outlives_a_restart(void **state)
{
	(void)state;
	order("lamp1");
	order("lamp2");
	assert_answer("client revoke lamp1", GW_DONE,
		      "lamp1: its tokens are refused from now on\n");
	gw_daemon_stop(&gw);
	start_daemon();
	assert_answer("client revoke lamp1", GW_REFUSED,
		      "lamp1: no client with a token that is valid\n");
	assert_part("client list --json", "\"state\":\"revoked\"");
	assert_part("client list --json", "\"state\":\"issued\"");
}

/*
 * evict, unban
 */

static void who_is_evicted_may_join_again_and_who_is_banned_may_not(void **state)
{
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	assert_answer("evict lights lamp1", GW_DONE,
		      "lights: lamp1 is removed, the others get a new key\n");
	assert_answer("members lights --json", GW_DONE, "[]\n");
	begin_anew(&lamp);
	assert_true(join(&lamp));

	assert_answer("evict lights lamp1 --ban --json", GW_DONE,
		      "{\"group\":\"lights\",\"node\":\"lamp1\",\"banned\":true}\n");
	assert_part("members lights --json", "[{\"name\":\"lamp1\",\"node\":\"");
	assert_part("members lights --json",
		    "\"sender_id\":\"\",\"roles\":[],\"state\":\"banned\",\"delivery\":null,"
		    "\"in_tree\":false,\"observes\":false,\"num\":null,\"address\":null,\"last_"
		    "seen_s\":null,");
	assert_part("members lights", "  banned  -  ");
	assert_part("groups --json", "\"members\":0,");
	assert_part("events --json", "\"event\":\"banned\",\"group\":\"lights\",");
	begin_anew(&lamp);
	assert_false(join(&lamp));

	assert_answer("unban lights lamp1 --json", GW_DONE,
		      "{\"group\":\"lights\",\"node\":\"lamp1\",\"banned\":false}\n");
	assert_answer("members lights --json", GW_DONE, "[]\n");
	assert_part("events --json", "\"event\":\"unbanned\",\"group\":\"lights\",");
	begin_anew(&lamp);
	assert_true(join(&lamp));
	gk_member_free(lamp.member);
}

static void who_is_no_member_can_be_banned_by_name(void **state)
{
	(void)state;
	order("lamp1");
	assert_answer("evict lights lamp1", GW_REFUSED, "lights: no member lamp1\n");
	assert_answer("evict --ban lights lamp1", GW_DONE,
		      "lights: lamp1 is banned; if it was a member, the others get a new key\n");
	assert_answer("evict lights --ban lamp1", GW_REFUSED, "lights: lamp1 is banned already\n");
	assert_part("members lights --json", "{\"name\":\"lamp1\",\"node\":\"\",");
	assert_answer("members meters --json", GW_DONE, "[]\n");
	assert_answer("unban lights lamp1", GW_DONE, "lights: lamp1 may join again\n");
	assert_answer("unban lights lamp1", GW_REFUSED, "lights: lamp1 is not banned\n");
}

static void bans_of_nobody_are_refused(void **state)
{
	static const struct {
		const char *words;
		int status;
		const char *answer;
	} rows[] = {
		{ "evict lights n1 --ban", GW_REFUSED, "lights: no member or client n1\n" },
		{ "evict nope n1 --ban", GW_REFUSED, "nope: no such group\n" },
		{ "unban lights n1", GW_REFUSED, "lights: n1 is not banned\n" },
		{ "unban nope n1 --json", GW_REFUSED, "nope: n1 is not banned\n" },
		{ "evict lights --ban", GW_USAGE, "usage: gatewayctl evict GROUP NODE [--ban]\n" },
		{ "evict lights n1 --baned", GW_USAGE,
		  "usage: gatewayctl evict GROUP NODE [--ban]\n" },
		{ "evict lights n1 n2", GW_USAGE, "usage: gatewayctl evict GROUP NODE [--ban]\n" },
		{ "unban lights n1 --ban", GW_USAGE, "usage: gatewayctl unban GROUP NODE\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_answer(rows[i].words, rows[i].status, rows[i].answer);
}

static void a_ban_that_was_reported_outlives_a_restart(void **state)
{
	(void)state;
	order("lamp1");
	assert_answer("evict lights lamp1 --ban", GW_DONE,
		      "lights: lamp1 is banned; if it was a member, the others get a new key\n");
	gw_daemon_stop(&gw);
	start_daemon();
	assert_part("members lights --json", "\"state\":\"banned\"");
}

/*
 * why, confirm, metrics
 */

static void who_is_a_member_is_explained(void **state)
{
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	for (int i = 0; i < 2; i++) {
		const char *words = i ? "why lights lamp1" : "why lights n1";
		assert_part(words, "group lights: n1 (lamp1) present since 20");
		assert_part(words, " s ago: joined\nheard of at 20");
		assert_part(words, " s ago: joined\nheard from [fd00::9]:5683\n20");
		assert_part(words, " 0 s ago  joined\nnext: it is asked at 20");
		assert_part(words, "Z, in 300 s, if it stays silent\n");
	}
	assert_part("why lights n1 --json",
		    "{\"group\":\"lights\",\"name\":\"lamp1\",\"node\":\"n1\",\"state\":"
		    "\"present\",\"sleepy\":false,\"since_s\":0,\"reason\":\"joined\","
		    "\"last_sign\":\"joined\",\"last_seen_s\":0,\"addresses\":["
		    "\"[fd00::9]:5683\"],\"facts\":[{\"fact\":\"joined\",\"at\":\"20");
	assert_part("why lights n1 --json", "Z\",\"ago_s\":0,\"times\":1,\"detail\":0,\"text\":"
					    "\"joined\"}],\"next\":{\"text\":\"it is asked at 20");
	assert_part("why lights n1 --json", "Z\",\"in_s\":300}}\n");
	gk_member_free(lamp.member);
}

static void who_was_a_member_is_remembered(void **state)
{
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	assert_part("evict lights lamp1", "is removed");
	assert_part("why lights lamp1", "group lights: n1 (lamp1) removed since 20");
	assert_part("why lights lamp1", " s ago: operator\n20");
	assert_part("why lights n1", " 0 s ago  joined\n20");
	assert_part("why lights n1", " 0 s ago  was removed\n"
				     "next: it may join again with its token\n");
	assert_part("why lights n1 --json",
		    "\"state\":\"removed\",\"sleepy\":false,\"since_s\":0,\"reason\":"
		    "\"put-out\",\"last_sign\":\"\",\"last_seen_s\":null,\"addresses\":[],");
	assert_part("why lights n1 --json", "\"next\":{\"text\":\"it may join again with its "
					    "token\",\"at\":null,\"in_s\":null}}\n");

	begin_anew(&lamp);
	assert_true(join(&lamp));
	assert_part("why lights lamp1", "n2 (lamp1) present since");
	assert_part("why lights n1", "n1 (lamp1) removed since");
	assert_int_equal(gk_member_leave(lamp.member, gk_span_str("lights"), io_now()), GK_OK);
	talk(&lamp);
	assert_part("why lights lamp1", "n2 (lamp1) left since");
	assert_part("why lights lamp1 --json", "\"state\":\"left\",");
	gk_member_free(lamp.member);
}

static void who_is_banned_is_told_apart(void **state)
{
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	order("lamp2");
	assert_part("evict lights lamp1 --ban", "is banned");
	assert_part("evict lights lamp2 --ban", "is banned");
	assert_part("why lights lamp1", "group lights: n1 (lamp1) banned since 20");
	assert_part("why lights lamp1", " s ago: banned\n20");
	assert_part("why lights n1",
		    "\nnext: it is banned: it cannot join before gatewayctl unban\n");
	assert_answer("why lights lamp2", GW_DONE,
		      "group lights: lamp2 banned\n"
		      "next: it is banned: it cannot join before gatewayctl unban\n");
	assert_part("why lights lamp2 --json",
		    "\"node\":\"\",\"state\":\"banned\",\"sleepy\":false,\"since_s\":null,"
		    "\"reason\":\"\",\"last_sign\":\"\",\"last_seen_s\":null,"
		    "\"addresses\":[],\"facts\":[],\"next\":{");
	assert_part("unban lights lamp1", "may join again");
	assert_part("why lights lamp1", "\nnext: it may join again with its token\n");
	assert_part("evict lights lamp1 --ban", "is banned");
	gk_member_free(lamp.member);

	// another device of that name
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	assert_part("why lights lamp1", "n2 (lamp1) present since");
	assert_without("why lights lamp1", "banned");
	gk_member_free(lamp.member);
}

static void who_is_unknown_is_not_explained(void **state)
{
	(void)state;
	order("lamp1");
	assert_answer("why lights lamp1", GW_REFUSED,
		      "lights: lamp1 is no member, and none that left since the start and is "
		      "remembered\n");
	assert_answer("why nope lamp1", GW_REFUSED, "nope: no such group\n");
	assert_answer("why lights", GW_USAGE, "usage: gatewayctl why GROUP NODE\n");
}

static void nothing_is_confirmed_of_a_group_that_sees(void **state)
{
	(void)state;
	assert_answer("confirm lights", GW_REFUSED,
		      "lights: no mass loss is to be confirmed; to remove a member, evict it\n");
	assert_answer("confirm nope", GW_REFUSED, "nope: no such group\n");
	assert_answer("confirm", GW_USAGE, "usage: gatewayctl confirm GROUP\n");
}

/* As the segment does when the kernel says so. */
static void set_blind(enum gk_blindness why)
{
	gw.segment.blind = why;
	gw_serve_segment.blind(&gw, why);
}

static void what_is_wrong_is_an_alarm_while_it_lasts(void **state)
{
	(void)state;
	assert_without("status", "alarm");
	assert_part("status --json", "\"blind\":\"\",\"alarms\":[],");
	set_blind(GK_BLIND_RADIO_DOWN);
	assert_part("status", "\ninterface  lo (the radio is down)\n");
	assert_part("status", "\nalarm      the radio is down: no member is judged\n");
	assert_part("status --json", "\"blind\":\"radio-down\",\"alarms\":[{\"alarm\":\"blind\","
				     "\"reason\":\"radio-down\"}],");
	assert_part("groups --json", "\"blind\":\"radio-down\",\"alarm\":\"\"}");
	assert_part("groups", "  radio-down  -\n");
	assert_part("metrics", "\ngatewayd_link_blind{reason=\"radio-down\"} 1\n");
	assert_part("metrics", "\ngatewayd_alarms{alarm=\"blind\"} 1\n");
	set_blind(GK_BLIND_NOT);
	assert_without("status", "alarm");
	assert_part("metrics", "\ngatewayd_link_blind{reason=\"radio-down\"} 0\n");
	assert_part("metrics", "\ngatewayd_alarms{alarm=\"blind\"} 0\n");
}

static void who_stays_absent_is_an_alarm(void **state)
{
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	struct gk_group *group = gk_group_find(gw.kdc, gk_span_str("lights"));
	group->nodes[0]->presence = GK_ABSENT;
	assert_without("status", "alarm");
	group->config.presence.evict = false;
	assert_part("status", "\nalarm      group lights: 1 of 1 members absent, and not "
			      "removed (evict = false)\n");
	assert_part("status --json", "\"alarms\":[{\"alarm\":\"absent\",\"group\":\"lights\","
				     "\"members\":1,\"of\":1}],");
	assert_part("groups", "  -      absent\n");
	assert_part("metrics", "\ngatewayd_alarms{alarm=\"absent\"} 1\n");
	assert_part("metrics", "\ngatewayd_members{group=\"lights\",state=\"absent\"} 1\n");
	gk_member_free(lamp.member);
}

/* A group that is blind by itself, until the operator has looked. */
static void a_mass_loss_is_an_alarm_until_it_is_confirmed(void **state)
{
	struct gk_group *group = gk_group_find(gw.kdc, gk_span_str("lights"));
	struct node lamps[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		provision(&lamps[i], i == 0 ? "lamp1" : i == 1 ? "lamp2" : "lamp3");
		assert_true(join(&lamps[i]));
	}
	group->blind = true;
	group->nodes[0]->presence = GK_SUSPECT;
	group->nodes[2]->presence = GK_ABSENT;
	assert_part("status", "\nalarm      group lights: 2 of 3 members lost at once: none is "
			      "removed until enough are heard of again, or 'gatewayctl confirm "
			      "lights' says that they are gone\n");
	assert_part("status", "\ninterface  lo (up)\n");
	assert_part("status --json",
		    "\"blind\":\"\",\"alarms\":[{\"alarm\":\"mass-loss\",\"group\":"
		    "\"lights\",\"members\":2,\"of\":3}],");
	assert_part("groups", "  mass-loss  mass-loss\n");
	assert_part("metrics", "\ngatewayd_alarms{alarm=\"mass-loss\"} 1\n");
	assert_part("metrics", "\ngatewayd_group_blind{group=\"lights\",reason=\"mass-loss\"} 1\n");
	assert_part("why lights n1",
		    "\nnext: nobody is removed until enough are heard of again, or "
		    "'gatewayctl confirm lights' says");
	assert_answer("confirm meters", GW_REFUSED,
		      "meters: no mass loss is to be confirmed; to remove a member, evict it\n");
	assert_answer("confirm lights --json", GW_DONE, "{\"group\":\"lights\",\"removed\":2}\n");
	assert_without("status", "alarm");
	assert_part("members lights", "lamp2 ");
	assert_without("members lights", "lamp1 ");
	assert_without("members lights", "lamp3 ");
	assert_part("why lights lamp3", "the operator confirmed its loss\n");
	for (int i = 0; i < 3; i++)
		gk_member_free(lamps[i].member);
}

static void metrics_are_what_prometheus_reads(void **state)
{
	static const char *const parts[] = {
		"# TYPE gatewayd_build_info gauge\ngatewayd_build_info{version=\"",
		"\ngatewayd_uptime_seconds ",
		"\ngatewayd_listening 1\n",
		"\ngatewayd_store_ok 1\n",
		"\ngatewayd_storage{level=\"good\"} 1\ngatewayd_storage{level=\"scarce\"} 0\n",
		"# TYPE gatewayd_store_written_bytes_total counter\n",
		("\ngatewayd_clients{state=\"issued\"} 2\ngatewayd_clients{state=\"known\"} 1\n"
		 "gatewayd_clients{state=\"revoked\"} 0\n"),
		"\ngatewayd_events_total{event=\"joined\"} 1\n",
		"\ngatewayd_events_total{event=\"alarm\"} 0\n",
		"\ngatewayd_groups 2\n",
		"\ngatewayd_group_active{group=\"lights\"} 1\n",
		"\ngatewayd_group_num{group=\"lights\"} 1\n",
		"\ngatewayd_group_blind{group=\"lights\",reason=\"mass-loss\"} 0\n",
		"\ngatewayd_members{group=\"lights\",state=\"present\"} 1\n",
		"\ngatewayd_members{group=\"meters\",state=\"present\"} 0\n",
		"\ngatewayd_member_deliveries{group=\"lights\",delivery=\"confirmed\"} 1\n",
		"\ngatewayd_members_in_tree{group=\"lights\"} 1\n",
		"\ngatewayd_rekeying_under_way{group=\"lights\"} 0\n",
		"\ngatewayd_rekeying_duration_seconds{group=\"lights\"} 0.000\n",
		"\ngatewayd_rekeyings_total{group=\"lights\"} 1\n",
		"\ngatewayd_rekeying_bytes_total{group=\"lights\"} ",
		"\ngatewayd_rekeying_datagrams_total{group=\"lights\"} ",
		"\ngatewayd_confirmations_refused_total{group=\"lights\"} 0\n",
		"\ngatewayd_kernel_probes_total 21\n",
		"\ngatewayd_checks_total 22\n",
		"\ngatewayd_probes_total 23\n",
		"\ngatewayd_multicast_probes_total 24\n",
		"\ngatewayd_probes_unanswered_total 25\n",
		"\ngatewayd_members_suspected_total 26\n",
		"\ngatewayd_members_absent_total 27\n",
		"\ngatewayd_members_evicted_total 28\n",
		"\ngatewayd_members_returned_total 29\n",
		"\ngatewayd_mass_losses_total 30\n",
		"# TYPE gatewayd_netlink_notices_total counter\n",
		"\ngatewayd_netlink_lost_total 0\n",
		"\ngatewayd_netlink_malformed_total 0\n",
		"\ngatewayd_netlink_comparisons_total 1\n",
		"# TYPE gatewayd_netlink_untracked gauge\n",
	};
	struct node lamp;
	int status;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	order("lamp2");
	order("lamp3");
	gw.kdc->presence_counts = (struct gk_presence_counts){
		.kernel_probes = 21,
		.checks = 22,
		.probes = 23,
		.multicast_probes = 24,
		.unanswered = 25,
		.suspected = 26,
		.absent = 27,
		.evicted = 28,
		.returned = 29,
		.mass_losses = 30,
	};
	const char *wrong = prometheus_check(call_as("metrics", &status));
	if (wrong)
		fail_msg("%s", wrong);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_part("metrics", parts[i]);
	gk_member_free(lamp.member);
}

static void metrics_are_an_object_too(void **state)
{
	(void)state;
	assert_part("metrics --json", "{\"gatewayd_build_info\":[{\"version\":\"");
	assert_part("metrics --json", ",\"gatewayd_groups\":2,");
	assert_part("metrics --json", ",{\"group\":\"lights\",\"state\":\"absent\",\"value\":0},");
	assert_part("metrics --json", ",\"gatewayd_netlink_lost_total\":0,");
	assert_answer("metrics now", GW_USAGE, "usage: gatewayctl metrics\n");
}

/*
 * What the store can take
 */

static void set_storage(enum gk_storage storage)
{
	// Whoever looks at the disk would find it good.
	gw.reserve.level = storage;
	gw.reserve.look_ms = GK_NEVER;
	gw.storage = storage;
	assert_int_equal(gk_kdc_storage(gw.kdc, storage, gw_now(&gw)), GK_OK);
}

#define NONE "the store can take nothing now: no room is left, or the file system is read-only\n"
#define SCARCE                                                                                     \
	"the store can take nothing now: no room is left but what is reserved for departures\n"
#define ADD "client add lamp2 --group lights --roles requester"

static void a_token_grants_whatever_roles_there_are(void **state)
{
	(void)state;
	assert_part("client add all --group lights --roles requester,responder,monitor,verifier",
		    "\"roles\":[30]");
	assert_part("client add eye --group lights --roles verifier", "\"roles\":[16]");
	assert_answer("client add x --group lights --roles verifier,admin", GW_USAGE,
		      "--roles verifier,admin: one or several, with commas, of requester, "
		      "responder, monitor, verifier\n");
	assert_answer("client add x --group lights --roles monitor,monitor", GW_USAGE,
		      "--roles monitor,monitor: one or several, with commas, of requester, "
		      "responder, monitor, verifier\n");
}

static void a_node_that_sleeps_has_that_in_token_and_bundle(void **state)
{
	struct gk_member_info info;
	struct node node;
	size_t at = 0;

	(void)state;
	assert_part(ADD " --sleepy", "\"sleepy\":true}");
	assert_part("client add lamp2 --sleepy --group lights --roles requester",
		    "\"sleepy\":true}");
	assert_without(ADD, "sleepy");
	assert_answer(ADD " --sleepy yes", GW_USAGE, "yes: no such option of client add\n");
	provision(&node, "door --sleepy");
	assert_true(join(&node));
	assert_true(gk_kdc_member_next(gw.kdc, gk_span_str("lights"), &at, &info));
	assert_true(info.sleepy); // the member did not say so
	gk_member_free(node.member);
}

static void without_room_nothing_changes_and_why_is_said(void **state)
{
	static const char *const calls[] = {
		"rekey lights",        "evict lights lamp1", "evict lights lamp1 --ban",
		"client revoke lamp1", "unban lights lamp1", ADD
	};
	struct node lamp;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	set_storage(GK_STORAGE_NONE);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_answer(calls[i], GW_REFUSED, NONE);
	assert_part("members lights --json", "\"state\":\"present\"");
	assert_part("status --json", "\"storage\":\"none\"");
	assert_part("status",
		    "\nstore      none: no room is left, or the file system is read-only\n");
	assert_without("status", "\nstorage");

	set_storage(GK_STORAGE_SCARCE);
	assert_answer(ADD, GW_REFUSED, SCARCE);
	assert_part("status --json", "\"storage\":\"scarce\"");
	assert_part("status", "\nstore      scarce: no room is left but what is reserved for");
	assert_answer("evict lights lamp1 --ban", GW_DONE,
		      "lights: lamp1 is banned; if it was a member, the others get a new key\n");
	set_storage(GK_STORAGE_GOOD);
	assert_part("status --json", "\"storage\":\"good\"");
	assert_part("status", "\nstore      good\n");
	gw.outbox.error = -EIO;
	assert_part("status", with_error("\nstore      refuses: %s\n", EIO));
	gw.outbox.error = 0;
	assert_part(ADD, "\"token\"");
	gk_member_free(lamp.member);
}

/* Files may not grow: what a full disk is to SQLite. */
static void let_files_grow(bool may)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = may ? limit.rlim_max : 0;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void what_could_not_be_stored_is_not_reported(void **state)
{
	static const char *const calls[] = { "client revoke lamp1", "evict lights lamp1 --ban",
					     ADD };

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status;
		order("lamp1");
		let_files_grow(false);
		const char *text = call_as(calls[i], &status);
		let_files_grow(true);
		assert_int_equal(status, GW_REFUSED);
		assert_non_null(strstr(text, "the store cannot be written ("));
		assert_null(strstr(text, "token"));
		gw.outbox.retry_ms = 0;
		assert_true(gw_serve_settle(&gw));
	}
}

/*
 * What time it is
 */

static void set_highest(int64_t ahead_s)
{
	const struct gk_now now = io_loop_now(gw.loop);
	const struct gw_clock_reading reading = { .mono = now.mono, .utc = now.utc };

	gw_clock_init(&gw.clock, &reading, now.utc.s + ahead_s, false);
}

static void while_the_clock_is_plainly_wrong_no_token_is_issued(void **state)
{
	int status;

	(void)state;
	assert_part("status --json", "\"clock\":\"machine\",");
	assert_part("status", "\nclock      machine for ");
	assert_without("status", "the machine's says");
	gw.clock.synchronised = true;
	assert_part("status", " s (synchronised)\n");
	set_highest(YEAR_S);
	assert_part("status --json", "\"clock\":\"estimated\",");
	assert_part("status", "\nclock      estimated for ");
	gw.clock.synchronised = true; // so it was when it was last believed
	assert_without("status", "(synchronised)");
	assert_part("status", "; the machine's says 20");
	const char *text = call_as(ADD, &status);
	assert_int_equal(status, GW_REFUSED);
	assert_non_null(strstr(text, "client add: the clock of this machine is plainly wrong (20"));
	assert_answer("client list --json", GW_DONE, "[]\n");
	set_highest(0);
	assert_part(ADD, "\"token\"");
}

/* One that was never used: who uses one has an association until its end. */
static void who_let_a_token_end_is_no_client(void **state)
{
	(void)state;
	order("lamp1");
	order("lamp2");
	assert_answer("client revoke lamp2", GW_DONE,
		      "lamp2: its tokens are refused from now on\n");
	set_highest(2 * YEAR_S);
	assert_without("client list", "lamp1 ");
	assert_without("client list --json", "\"lamp1\"");
	assert_part("client list", "  revoked  ");
	assert_part("client list --json", "\"state\":\"revoked\"");
	set_highest(0);
	assert_part("client list", "  issued  ");
	assert_part("client list --json", "\"lamp1\"");
}

static void a_clock_that_is_held_is_good_enough(void **state)
{
	(void)state;
	gw.clock.source = GW_CLOCK_HELD;
	assert_part(ADD, "\"token\"");
}

static void the_time_that_is_told_is_the_one_that_is_believed(void **state)
{
	char believed[GW_TIME_TEXT], machine[GW_TIME_TEXT], part[64];

	(void)state;
	set_highest(YEAR_S);
	gw_show_time(gw_now(&gw).utc, believed);
	gw_show_time(io_loop_now(gw.loop).utc, machine);
	assert_string_not_equal(believed, machine);
	snprintf(part, sizeof(part), ",\"time\":\"%s\",", believed);
	assert_part("status --json", part);
	snprintf(part, sizeof(part), "\ntime       %s\n", believed);
	assert_part("status", part);
	snprintf(part, sizeof(part), ",\"machine_time\":\"%s\"}", machine);
	assert_part("status --json", part);
	snprintf(part, sizeof(part), "; the machine's says %s\n", machine);
	assert_part("status", part);
	gw.clock.highest_s = 2000000000;
	assert_part("status --json", ",\"highest_time\":\"2033-05-18T03:33:20Z\",");
	assert_part("status", "\nhighest    2033-05-18T03:33:20Z\n");
}

static int64_t number_in(const char *words, const char *key)
{
	int status;
	const char *text = call_as(words, &status), *at = strstr(text, key);

	assert_non_null(at);
	return strtoll(at + strlen(key), NULL, 10);
}

static void what_is_written_is_counted(void **state)
{
	const char *key = "\"written\":";
	int64_t before = number_in("status --json", key);

	(void)state;
	assert_int_equal(number_in("status --json", key), before);
	order("lamp1");
	assert_true(number_in("status --json", key) > before);
	assert_int_equal(number_in("status", "\nwritten    "), number_in("status --json", key));
}

/*
 * reload
 */

static void a_reload_puts_the_file_into_effect(void **state)
{
	(void)state;
	write_conf("{ name = \"lights\"; active = false; }, " METERS);
	assert_part("reload --json", "{\"message\":\"");
	assert_part("groups --json", "\"name\":\"lights\",\"scheme\":\"tree\",\"mode\":\"group\","
				     "\"sign_alg\":\"ES256\",\"active\":false,");
	assert_part("groups", "\nlights  no  ");
	write_conf(LIGHTS ", { name = \"doors\"; }");
	assert_part("reload", "\n");
	assert_part("groups", "\nlights  yes ");
	assert_part("groups", "\ndoors   yes ");
	assert_without("groups", "meters");
	assert_part("events --json", "\"event\":\"ended\",\"group\":\"meters\",");
}

static void a_reload_that_is_refused_names_the_line_and_changes_nothing(void **state)
{
	char where[128];
	int status;

	(void)state;
	write_conf(LIGHTS ", { name = \"doors\"; bogus = 1; }");
	snprintf(where, sizeof(where), "%s:3: ", conf_path);
	const char *text = call_as("reload --json", &status);
	assert_int_equal(status, GW_REFUSED);
	assert_int_equal(strncmp(text, where, strlen(where)), 0);
	assert_without("groups", "doors");
	assert_part("groups", "\nmeters  yes ");
	assert_answer("reload now", GW_USAGE, "usage: gatewayctl reload\n");
}

static void a_reload_that_is_not_stored_yet_is_not_done(void **state)
{
	const char *added = LIGHTS ", " METERS ", { name = \"doors\"; }";
	int status;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	write_conf(added);
	let_files_grow(false);
	const char *text = call_as("reload", &status);
	assert_int_equal(status, GW_REFUSED);
	assert_non_null(strstr(text, "not stored yet: "));
	// What needs no store is not held up by it.
	let_files_grow(true);
	write_conf(added);
	let_files_grow(false);
	text = call_as("reload", &status);
	let_files_grow(true);
	assert_int_equal(status, GW_DONE);
	assert_non_null(strstr(text, "nothing has changed"));
	gw.outbox.retry_ms = 0;
	assert_true(gw_serve_settle(&gw));
	assert_part("groups", "\ndoors   yes ");
}

/* @return what is connected; -1: nobody is there */
static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void a_reload_that_moves_the_socket_is_answered_at_the_old_one(void **state)
{
	char text[256] = "", command[160];
	int fd = connect_to("socket");

	(void)state;
	snprintf(command, sizeof(command), "sed -i 's,/socket,/moved,' %s", conf_path);
	assert_int_equal(system(command), 0);
	assert_int_equal(send(fd, "reload", 6, MSG_NOSIGNAL), 6);
	shutdown(fd, SHUT_WR);
	while (recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) < 0)
		gw_daemon_turn(&gw);
	close(fd);
	assert_int_equal(strncmp(text, "0\n", 2), 0);
	assert_non_null(strstr(text, "/moved"));
	assert_int_equal(connect_to("socket"), -1);
	fd = connect_to("moved");
	assert_true(fd >= 0);
	close(fd);
}

/*
 * Secrets
 */

static void assert_unsaid(const uint8_t *secret, size_t len)
{
	char hex[2 * 64 + 1];

	assert_true(len >= 8 && len <= 64);
	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", secret[i]);
	if (strcasestr(said, hex) || memmem(said, strlen(said), secret, len))
		fail_msg("%s was said", hex);
}

static void no_answer_has_a_secret(void **state)
{
	static const char *const calls[] = { "status",      "groups",           "members lights",
					     "client list", "why lights lamp1", "metrics",
					     "events",      "rekey lights" };
	uint8_t as_key[64];
	char path[96], words[64];
	struct node lamp;
	FILE *in;

	(void)state;
	provision(&lamp, "lamp1");
	assert_true(join(&lamp));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status;
		call_as(calls[i], &status);
		snprintf(words, sizeof(words), "%s --json", calls[i]);
		call_as(words, &status);
	}
	assert_part("evict lights lamp1 --ban", "is banned");
	assert_part("client revoke lamp1", "refused");
	assert_part("client list --json", "revoked");
	assert_part("events --json", "revoked");
	assert_unsaid(lamp.bundle.ms, lamp.bundle.ms_len);
	assert_unsaid(lamp.bundle.salt, lamp.bundle.salt_len);
	assert_unsaid(lamp.bundle.token, 64);
	assert_non_null(strcasestr(said, "lamp1"));
	snprintf(path, sizeof(path), "%s/state/as.key", dir);
	in = fopen(path, "r");
	assert_non_null(in);
	size_t len = fread(as_key, 1, sizeof(as_key), in);
	fclose(in);
	assert_unsaid(as_key, len);
	assert_unsaid(gw.kdc->groups->ms, sizeof(gw.kdc->groups->ms));
	gk_member_free(lamp.member);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_is_issued_then_known_then_revoked),
		TEST(who_has_nothing_to_revoke_is_refused),
		TEST(two_of_one_name_are_shown_and_revoked_together),
		TEST(a_revocation_that_was_reported_outlives_a_restart),
		TEST(who_is_evicted_may_join_again_and_who_is_banned_may_not),
		TEST(who_is_no_member_can_be_banned_by_name),
		TEST(bans_of_nobody_are_refused),
		TEST(a_ban_that_was_reported_outlives_a_restart),
		TEST(who_is_a_member_is_explained),
		TEST(who_was_a_member_is_remembered),
		TEST(who_is_banned_is_told_apart),
		TEST(who_is_unknown_is_not_explained),
		TEST(nothing_is_confirmed_of_a_group_that_sees),
		TEST(what_is_wrong_is_an_alarm_while_it_lasts),
		TEST(who_stays_absent_is_an_alarm),
		TEST(a_mass_loss_is_an_alarm_until_it_is_confirmed),
		TEST(metrics_are_what_prometheus_reads),
		TEST(metrics_are_an_object_too),
		TEST(a_token_grants_whatever_roles_there_are),
		TEST(a_node_that_sleeps_has_that_in_token_and_bundle),
		TEST(without_room_nothing_changes_and_why_is_said),
		TEST(what_could_not_be_stored_is_not_reported),
		TEST(while_the_clock_is_plainly_wrong_no_token_is_issued),
		TEST(who_let_a_token_end_is_no_client),
		TEST(a_clock_that_is_held_is_good_enough),
		TEST(the_time_that_is_told_is_the_one_that_is_believed),
		TEST(what_is_written_is_counted),
		TEST(a_reload_puts_the_file_into_effect),
		TEST(a_reload_that_is_refused_names_the_line_and_changes_nothing),
		TEST(a_reload_that_is_not_stored_yet_is_not_done),
		TEST(a_reload_that_moves_the_socket_is_answered_at_the_old_one),
		TEST(no_answer_has_a_secret),
	};

	alarm(HANGS_S);
	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
