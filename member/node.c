// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/node.h"
#include "io/log.h"
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"
#include "member/credential.h"
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REJOIN_DELAY_MS 10000 /* after an eviction notice; with as much jitter again */
/*
 * A KDC that is restarted hears nothing for a moment. Two transmissions fit into this time, and
 * begin anew a second or so later with a number of their own: the fourth within 8.1 s, so that who
 * asks every second waits for less than 10 s when three in a row are lost.
 */
#define ANSWER_TIMEOUT_MS 5000

/* Short of memory a member may be halfway through a change: only a new one is sound. */
static void check(enum gk_err err)
{
	if (err)
		fatal("member", "%s", gk_strerror(err));
}

static struct gk_now now_of(const struct gkm_node *node)
{
	return io_loop_now(node->loop);
}

/*
 * What the member wants done. It keeps nothing in a store, and so has no STORE events: a restarted
 * one makes a new association and joins again, with no number of old.
 */

static void send_reply(struct gkm_node *node, const struct gk_event *event)
{
	if (node->reply && event->id == node->exchange)
		gk_buf_add(node->reply, event->bytes);
}

static void send_request(struct gkm_node *node, const struct gk_event *event)
{
	uint64_t id = event->id;
	int err = (event->observe ? io_coap_observe : io_coap_request)(
		node->coap, id, &event->peer, event->bytes, event->timeout_ms, now_of(node));

	if (!err)
		return;
	log_warnx("coap", "a request cannot be sent: %s", strerror(-err));
	check(gk_member_answer(node->member, id, gk_span(NULL, 0), now_of(node)));
}

static void cancel(struct gkm_node *node, const struct gk_event *event)
{
	io_coap_cancel(node->coap, event->id);
}

static void send_to_group(struct gkm_node *node, const struct gk_event *event)
{
	int err = io_group_send(node->group, event->bytes);

	if (err)
		gkm_report_error(gk_span(NULL, 0), strerror(-err));
}

/* Whoever diverts what the KDC sends to us can divert what we send to it as well: so what it asked
 * by multicast is answered to all nodes of the link too. */
static int answer_question(struct io_group *socket, const struct gk_event *event)
{
	struct gk_span token = gk_span(event->token, event->token_len);
	int err = io_group_answer(socket, &event->peer, token, event->bytes);
	int err_all = io_group_answer_all(socket, event->peer.port, token, event->bytes);

	return err ? err : err_all;
}

/* What came to all nodes of the link, because we are in no control group, came to our unicast port.
 * libcoap would keep an answer back for up to 5 s; from which port it comes does not matter. */
static int answer_kdc(struct gkm_node *node, const struct gk_event *event)
{
	struct io_group *socket = gkm_control_find(&node->control, event->peer.port);

	if (event->token_len > 0)
		return answer_question(socket ? socket : node->group, event);
	return socket ? io_group_answer(socket, &event->peer, gk_span(NULL, 0), event->bytes)
		      : -ENOTCONN;
}

/* Unheard, the KDC sends us the same by unicast, or asks again. */
static void send_confirmation(struct gkm_node *node, const struct gk_event *event)
{
	int err = answer_kdc(node, event);

	if (err)
		log_warnx("control", "a confirmation cannot be sent: %s", strerror(-err));
}

/* Who told us something waits for an answer, since libcoap wants one on return: whether it was a
 * text that we could report. */
static void answer(struct gkm_node *node, uint64_t id, struct gk_span message)
{
	uint8_t bytes[4];
	struct gk_buf reply = gk_buf(bytes, sizeof(bytes));
	struct gk_span text;
	enum gk_err err;

	(void)gk_coap_begin(&reply,
			    gkm_text_read(message, &text) ? GK_COAP_CHANGED : GK_COAP_NOT_FOUND);
	err = gk_member_respond(node->member, id, gk_buf_span(&reply), now_of(node));
	if (err == GK_ERR_NO_MEMORY)
		check(err);
	if (err)
		log_warnx("member", "what we were told is not answered: %s", gk_strerror(err));
}

/* Notes after which control groups may be others than before. */
#define MOVING                                                                                     \
	(1u << GK_NOTE_JOINED | 1u << GK_NOTE_LEFT | 1u << GK_NOTE_EVICTED |                       \
	 1u << GK_NOTE_REKEYED | 1u << GK_NOTE_RECOVERED)

static void report(struct gkm_node *node, const struct gk_event *event)
{
	if (MOVING & 1u << event->note.kind)
		node->moved = true;
	gkm_report_note(&node->report, node->member, &event->note, now_of(node));
	if (event->note.kind == GK_NOTE_MESSAGE && event->note.pairwise)
		answer(node, event->id, event->note.message);
}

static void settle(struct gkm_node *node)
{
	static void (*const perform[])(struct gkm_node *, const struct gk_event *) = {
		[GK_EVENT_REPLY] = send_reply,          [GK_EVENT_REQUEST] = send_request,
		[GK_EVENT_MULTICAST] = send_to_group,   [GK_EVENT_NOTE] = report,
		[GK_EVENT_CONFIRM] = send_confirmation, [GK_EVENT_CANCEL] = cancel,
	};
	struct gk_event event;

	while (gk_member_event(node->member, &event)) {
		if ((size_t)event.kind < sizeof(perform) / sizeof(perform[0]) &&
		    perform[event.kind])
			perform[event.kind](node, &event);
	}
}

/*
 * What goes to the member
 */

/* By unicast: the KDC's answer is wanted on return. */
static void take_request(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
			 struct gk_buf *reply)
{
	struct gkm_node *node = ctx;

	node->exchange = exchange->id;
	node->reply = reply;
	check(gk_member_receive(node->member, exchange, message, now_of(node)));
	settle(node);
	node->reply = NULL;
}

/* A KDC that cannot be reached is as good as a silent one. */
static void take_answer(void *ctx, uint64_t id, bool sent, struct gk_span message)
{
	struct gkm_node *node = ctx;

	(void)sent;
	check(gk_member_answer(node->member, id, message, now_of(node)));
	settle(node);
}

/* By multicast: nobody waits for an answer. */
static void take_group_message(void *ctx, const struct gk_exchange *exchange,
			       struct gk_span message)
{
	struct gkm_node *node = ctx;

	check(gk_member_receive(node->member, exchange, message, now_of(node)));
	settle(node);
}

static void expire(struct gkm_node *node)
{
	if (gk_member_next_expiry(node->member).ms > now_of(node).mono.ms)
		return;
	check(gk_member_expire(node->member, now_of(node)));
	settle(node);
}

/* Between the turns of the loop: a note may come while a control group is being read. */
static void keep_control(struct gkm_node *node)
{
	struct gk_addr wanted[IO_BUNDLE_GROUPS_MAX];
	size_t count = 0;

	if (!node->moved)
		return;
	for (size_t i = 0; i < node->group_count; i++) {
		struct gk_membership_info info;
		if (gk_member_info(node->member, node->groups[i], &info) == GK_OK && info.in_tree)
			wanted[count++] = info.control_group;
	}
	gkm_control_keep(&node->control, wanted, count);
	node->moved = false;
}

/*
 * Commands
 */

static void report_failure(struct gk_span group, enum gk_err err)
{
	if (err == GK_ERR_NO_MEMORY)
		check(err);
	if (err)
		gkm_report_error(group, gk_strerror(err));
}

static void say(struct gkm_node *node, struct gk_span group, const struct gkm_command *command)
{
	uint8_t bytes[GKM_TEXT_MESSAGE_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	gkm_text_put(&message, command->text);
	report_failure(group,
		       gk_member_say(node->member, group, gk_buf_span(&message), now_of(node)));
}

/* As with the KDC, a link-local address without a zone is on our interface. */
static void tell(struct gkm_node *node, struct gk_span group, const struct gkm_command *command)
{
	uint8_t bytes[GKM_TEXT_MESSAGE_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct gk_addr peer = command->peer;

	if (io_addr_is_link_local(&peer) && peer.scope == 0)
		peer.scope = node->route.interface;
	gkm_text_put_told(&message, command->text);
	report_failure(group, gk_member_tell(node->member, group, gk_id_span(&command->sid), &peer,
					     gk_buf_span(&message), now_of(node)));
}

static void tell_status(struct gkm_node *node, struct gk_span group,
			const struct gkm_command *command)
{
	(void)command;
	gkm_report_status(node->member, group);
}

static void check_num(struct gkm_node *node, struct gk_span group,
		      const struct gkm_command *command)
{
	(void)command;
	report_failure(group, gk_member_check(node->member, group, now_of(node)));
}

static void new_cred(struct gkm_node *node, struct gk_span group, const struct gkm_command *command)
{
	(void)command;
	report_failure(group, gk_member_new_cred(node->member, group, now_of(node)));
}

static void leave(struct gkm_node *node, struct gk_span group, const struct gkm_command *command)
{
	(void)command;
	report_failure(group, gk_member_leave(node->member, group, now_of(node)));
}

static void quit(struct gkm_node *node, struct gk_span group, const struct gkm_command *command)
{
	(void)group, (void)command;
	node->stopping = true;
}

/* In the group that was named, or in each of ours. */
static void take_command(void *ctx, const struct gkm_command *command, const char *wrong)
{
	static void (*const perform[])(struct gkm_node *, struct gk_span,
				       const struct gkm_command *) = {
		[GKM_COMMAND_SAY] = say,
		[GKM_COMMAND_TELL] = tell,
		[GKM_COMMAND_STATUS] = tell_status,
		[GKM_COMMAND_LEAVE] = leave,
		[GKM_COMMAND_CHECK] = check_num,
		[GKM_COMMAND_NEWCRED] = new_cred,
		[GKM_COMMAND_QUIT] = quit,
	};
	struct gkm_node *node = ctx;

	if (!wrong && command->text.len > 0 && command->group.len == 0 && node->group_count > 1)
		wrong = "we are in several groups: -g GROUP is needed";
	if (wrong) {
		gkm_report_error(gk_span(NULL, 0), wrong);
	} else if (command->group.len > 0) {
		perform[command->kind](node, command->group, command);
	} else {
		for (size_t i = 0; i < node->group_count; i++)
			perform[command->kind](node, node->groups[i], command);
	}
	settle(node);
}

/* The end of input is the end of commands, not of membership: a service has /dev/null there. For a
 * person at a terminal, Ctrl-D says 'quit'. */
static void end_commands(struct gkm_node *node)
{
	io_loop_forget(node->loop, STDIN_FILENO);
	if (isatty(STDIN_FILENO))
		node->stopping = true;
}

static void read_commands(void *ctx, int fd, uint32_t events)
{
	struct gkm_node *node = ctx;
	char piece[512];
	ssize_t len = read(fd, piece, sizeof(piece));

	(void)events;
	if (len > 0)
		gkm_lines_feed(&node->lines, gk_span(piece, (size_t)len), take_command, node);
	else if (len == 0 || (errno != EINTR && errno != EAGAIN))
		end_commands(node);
}

/*
 * Opening
 */

static void take_signal(void *ctx, int signo)
{
	struct gkm_node *node = ctx;

	if (signo == SIGCONT)
		node->sleep.continued = true;
	else
		node->stopping = true;
}

static void open_loop(struct gkm_node *node)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGCONT, 0 };
	int err = io_loop_new(&node->loop);

	if (!err)
		err = io_loop_signals(node->loop, signals, take_signal, node);
	if (err)
		fatal("member", "no event loop: %s", strerror(-err));
	// Whether anybody reads is seen when we write.
	signal(SIGPIPE, SIG_IGN);
	// A file or /dev/null cannot be waited for, and a closed stdin is none.
	err = io_loop_watch(node->loop, STDIN_FILENO, EPOLLIN, read_commands, node);
	if (err && err != -EPERM && err != -EBADF)
		fatal("member", "stdin: %s", strerror(-err));
}

static unsigned index_of(const char *interface)
{
	unsigned index = if_nametoindex(interface);

	if (!index)
		fatal("member", "-i: %s: there is no such interface", interface);
	return index;
}

/* A bundle cannot know by which name this machine calls its interface; -i tells. */
static struct gk_addr find_kdc(const struct gkm_options *options, const struct io_bundle *bundle)
{
	const char *text = options->kdc ? options->kdc : bundle->kdc;
	struct gk_addr kdc;

	if (!io_addr_parse(text, IO_ADDR_COAP_PORT, &kdc) || kdc.port == 0)
		fatal("member", "%s: the KDC's address must read [fd00::1]:5683", text);
	if (io_addr_is_link_local(&kdc) && kdc.scope == 0 && options->interface)
		kdc.scope = index_of(options->interface);
	return kdc;
}

static void find_route(struct gkm_node *node, const struct gkm_options *options,
		       const struct gk_addr *kdc)
{
	char text[IO_ADDR_TEXT];
	int err = gkm_route_find(kdc, &node->route);

	if (err)
		fatal("member", "no route to the KDC, %s: %s", io_addr_format(kdc, text),
		      strerror(-err));
	if (options->interface)
		node->route.interface = index_of(options->interface);
}

static void read_coap(void *ctx, int fd, uint32_t events)
{
	struct gkm_node *node = ctx;

	(void)fd, (void)events;
	io_coap_read(node->coap);
}

static void read_group(void *ctx, int fd, uint32_t events)
{
	struct gkm_node *node = ctx;

	(void)fd, (void)events;
	io_group_read(node->group);
}

static void watch(struct gkm_node *node, int fd, io_ready_fn *ready)
{
	int err = io_loop_watch(node->loop, fd, EPOLLIN, ready, node);

	if (err)
		fatal("member", "epoll: %s", strerror(-err));
}

static void open_sockets(struct gkm_node *node, const struct gkm_options *options)
{
	struct gk_addr any = { .port = options->port }, group = options->address;
	char text[IO_ADDR_TEXT];
	int err = io_coap_open(&node->coap, &any, take_request, take_answer, node);

	if (err)
		fatal("coap", "%s: %s", io_addr_format(&any, text), strerror(-err));
	group.scope = node->route.interface;
	err = io_group_open(&node->group, IO_GROUP_MEMBER, &group, take_group_message, node);
	if (err)
		fatal("group", "%s: %s", io_addr_format(&group, text), strerror(-err));
	watch(node, io_coap_fd(node->coap), read_coap);
	watch(node, io_group_fd(node->group), read_group);
	node->control = (struct gkm_control){
		.loop = node->loop,
		.handler = take_group_message,
		.ctx = node,
		.interface = node->route.interface,
	};
}

/*
 * Joining
 */

/* "coap://[fd00::3]:5683". A zone would be a name of ours that means nothing to the KDC, which sees
 * by which of its own a link-local address came (RFC 6874 section 4). */
static const char *make_control_base(const struct gkm_node *node, char text[static IO_ADDR_TEXT])
{
	struct gk_addr own = node->route.own;
	char address[IO_ADDR_TEXT];

	own.port = io_coap_port(node->coap);
	own.scope = 0;
	snprintf(text, IO_ADDR_TEXT, "coap://%.64s", io_addr_format(&own, address));
	return text;
}

static void load_credential(const struct gkm_options *options, struct gkm_credential *credential)
{
	char error[IO_SECRET_ERROR];

	if (!gkm_credential_load(options, credential, error, sizeof(error)))
		fatal("member", "%s", error);
}

// Borrows from all that it is made of.
static struct gk_member_config member_config(const struct gkm_node *node,
					     const struct gkm_options *options,
					     const struct io_bundle *bundle)
{
	return (struct gk_member_config){
		.token = gk_span(bundle->token, bundle->token_len),
		.osc_id = gk_span(bundle->osc_id, bundle->osc_id_len),
		.ms = gk_span(bundle->ms, bundle->ms_len),
		.salt = gk_span(bundle->salt, bundle->salt_len),
		.name = gk_span_str(bundle->name),
		.rejoin_delay_ms = REJOIN_DELAY_MS,
		.answer_timeout_ms = ANSWER_TIMEOUT_MS,
		.point_to_point = options->point_to_point,
		.sign_protected = options->sign_protected,
		.group_path = gk_span_str(bundle->group_path),
		.authz_path = gk_span_str(bundle->authz_path),
		.observe = options->observe,
		.sleepy = node->sleep.sleepy,
	};
}

static void make_member(struct gkm_node *node, const struct gkm_options *options,
			const struct io_bundle *bundle, const struct gk_addr *kdc,
			struct gk_span key_seed)
{
	struct gk_env env = io_env();
	char control_base[IO_ADDR_TEXT];
	struct gkm_credential credential = { .bytes = { NULL, 0 } };
	struct gk_member_config config = member_config(node, options, bundle);
	enum gk_err err = gk_global_init(&env);

	if (err)
		fatal("member", "wolfSSL does not start: %s", gk_strerror(err));
	config.kdc = *kdc;
	config.key_seed = key_seed;
	config.control_base = gk_span_str(make_control_base(node, control_base));
	if (options->cred) {
		load_credential(options, &credential);
		config.creds = &credential.cred;
		config.cred_count = 1;
	}
	err = gk_member_new(&env, &config, &node->member);
	gkm_credential_wipe(&credential);
	if (err == GK_ERR_CREDENTIAL)
		fatal("member",
		      "--cred: not of its format and key, or --cred-issuers are no issuers");
	if (err)
		fatal("member", "the bundle cannot be used: %s", gk_strerror(err));
}

static size_t find_in_bundle(const struct io_bundle *bundle, const char *group)
{
	for (size_t i = 0; i < bundle->group_count; i++) {
		if (strcmp(bundle->groups[i], group) == 0)
			return i;
	}
	fatal("member", "-g: %s: not a group of this bundle", group);
}

// Who may talk does; who only may listen is a monitor.
static uint32_t choose_roles(const struct gkm_options *options, uint32_t granted)
{
	uint32_t talks = granted & (GK_ROLE_REQUESTER | GK_ROLE_RESPONDER);

	if (options->roles)
		return options->roles;
	return talks ? talks : granted & GK_ROLE_MONITOR;
}

static void join(struct gkm_node *node, const char *group, uint32_t roles)
{
	enum gk_err err = gk_member_join(node->member, gk_span_str(group), roles, now_of(node));

	if (!roles)
		fatal("member", "group %s: the token makes a verifier, which is no member", group);
	if (err)
		fatal("member", "group %s: %s", group, gk_strerror(err));
	node->groups[node->group_count++] = gk_span_str(group);
}

static void join_all(struct gkm_node *node, const struct gkm_options *options,
		     const struct io_bundle *bundle)
{
	size_t count = options->group_count ? options->group_count : bundle->group_count;

	for (size_t i = 0; i < count; i++) {
		size_t at = options->group_count ? find_in_bundle(bundle, options->groups[i]) : i;
		join(node, bundle->groups[at], choose_roles(options, bundle->roles[at]));
	}
	settle(node);
}

void gkm_node_open(struct gkm_node *node, const struct gkm_options *options,
		   const struct io_bundle *bundle, struct gk_span key_seed)
{
	struct gk_addr kdc = find_kdc(options, bundle);

	*node = (struct gkm_node){
		.sleep = { .sleepy = options->sleepy || bundle->sleepy,
			   .awake_ms = io_now().mono.ms },
	};
	find_route(node, options, &kdc);
	open_loop(node);
	open_sockets(node, options);
	make_member(node, options, bundle, &kdc, key_seed);
	join_all(node, options, bundle);
}

/* What was missed meanwhile the KDC knows. */
static void wake_up(struct gkm_node *node)
{
	if (!gkm_sleep_over(&node->sleep, now_of(node)))
		return;
	for (size_t i = 0; i < node->group_count; i++) {
		enum gk_err err = gk_member_check(node->member, node->groups[i], now_of(node));
		if (err != GK_ERR_UNKNOWN) // not in it: it goes on joining
			check(err);
	}
	settle(node);
}

static struct gk_mono earlier(struct gk_mono a, struct gk_mono b)
{
	return a.ms < b.ms ? a : b;
}

void gkm_node_run(struct gkm_node *node)
{
	while (!node->stopping) {
		struct gk_mono coap = io_coap_next_expiry(node->coap, io_now());
		struct gk_mono member = gk_member_next_expiry(node->member);
		struct gk_mono look = gkm_sleep_next(&node->sleep);
		int err = io_loop_turn(node->loop, earlier(look, earlier(coap, member)));

		if (err)
			fatal("member", "epoll: %s", strerror(-err));
		if (coap.ms <= now_of(node).mono.ms)
			io_coap_read(node->coap);
		expire(node);
		wake_up(node);
		keep_control(node);
	}
}

void gkm_node_close(struct gkm_node *node)
{
	gkm_control_keep(&node->control, NULL, 0);
	io_group_close(node->group);
	io_coap_close(node->coap);
	io_loop_free(node->loop);
	gk_member_free(node->member);
	gk_global_cleanup();
}
