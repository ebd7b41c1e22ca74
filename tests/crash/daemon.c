// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * gatewayd, from gw_daemon_start() on, with played clocks, sockets and neighbours. These functions
 * stand in the place of those that its objects call.
 */
#include "gatewayd/calls.h"
#include "gatewayd/control.h"
#include "gatewayd/reload.h"
#include "io/log.h"
#include "libgroupkey/kdc.h"
#include "tests/crash/crash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#define TURNS_MAX 200  /* without the clock moving */
#define ROUTER_MS 1000 /* elapsed time at the router when the daemon starts */

/* One that the daemon calls, and what there was before. */
#define WRAP(type, name, ...)                                                                      \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

static struct io_coap *const a_coap = (struct io_coap *)&world;
static struct io_loop *const a_loop = (struct io_loop *)&world;
static struct gw_control *const a_control = (struct gw_control *)&world;

static io_wake_fn *wake_fn;
static void *wake_ctx;

/* clocks and chance */

static struct gk_now router_now(void)
{
	struct gk_now now = world_now();

	now.mono.ms = world.now_ms - world.boot_ms + ROUTER_MS;
	now.utc.s -= world.utc_wrong_s;
	return now;
}

WRAP(struct gk_now, io_now, void)
{
	return router_now();
}

WRAP(struct gk_now, io_loop_now, const struct io_loop *loop)
{
	(void)loop;
	return router_now();
}

WRAP(struct gk_env, io_env, void)
{
	return world.kdc_env;
}

WRAP(int, adjtimex, struct timex *timex)
{
	memset(timex, 0, sizeof(*timex));
	timex->status = world.utc_wrong_s ? STA_UNSYNC : 0;
	return world.utc_wrong_s ? TIME_ERROR : TIME_OK;
}

WRAP(int, ntp_adjtime, struct timex *timex)
{
	return __wrap_adjtimex(timex);
}

/* The core is initialised once a process, and this process is many daemons. */
enum gk_err __real_gk_global_init(const struct gk_env *env);
WRAP(enum gk_err, gk_global_init, const struct gk_env *env)
{
	static bool done;

	if (done)
		return GK_OK;
	done = true;
	return __real_gk_global_init(env);
}

WRAP(void, gk_global_cleanup, void)
{
}

/* the loop */

WRAP(int, io_loop_new, struct io_loop **loop)
{
	*loop = a_loop;
	return 0;
}

WRAP(void, io_loop_free, struct io_loop *loop)
{
	(void)loop;
}

WRAP(int, io_loop_watch, struct io_loop *loop, int fd, uint32_t events, io_ready_fn *ready,
     void *ctx)
{
	(void)loop, (void)fd, (void)events, (void)ready, (void)ctx;
	return 0;
}

WRAP(int, io_loop_rewatch, struct io_loop *loop, int fd, uint32_t events)
{
	(void)loop, (void)fd, (void)events;
	return 0;
}

WRAP(void, io_loop_forget, struct io_loop *loop, int fd)
{
	(void)loop, (void)fd;
}

WRAP(int, io_loop_signals, struct io_loop *loop, const int *signos, io_signal_fn *handler,
     void *ctx)
{
	(void)loop, (void)signos, (void)handler, (void)ctx;
	return 0;
}

WRAP(void, io_loop_on_wake, struct io_loop *loop, io_wake_fn *wake, void *ctx)
{
	(void)loop;
	wake_fn = wake;
	wake_ctx = ctx;
}

WRAP(int, io_loop_turn, struct io_loop *loop, struct gk_mono deadline)
{
	(void)loop;
	world.deadline_ms =
		deadline.ms == GK_NEVER ? INT64_MAX : deadline.ms - ROUTER_MS + world.boot_ms;
	if (wake_fn)
		wake_fn(wake_ctx);
	return 0;
}

/* the log */

static void say(const char *level, const char *subsystem, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	tell("%s %s: %s", level, subsystem, text);
	accident_heard(text);
}

#define LOG(name)                                                                                  \
	void __wrap_##name(const char *subsystem, const char *format, ...);                        \
	void __wrap_##name(const char *subsystem, const char *format, ...)                         \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		say(#name, subsystem, format, args);                                               \
		va_end(args);                                                                      \
	}
LOG(log_warn)
LOG(log_warnx)
LOG(log_info)
LOG(log_debug)

WRAP(void, log_open, const char *program, enum log_level level, bool to_syslog)
{
	(void)program, (void)level, (void)to_syslog;
}

static jmp_buf refused_start;

_Noreturn void __wrap_fatal(const char *subsystem, const char *format, ...);
_Noreturn void __wrap_fatal(const char *subsystem, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell("fatal %s: %s", subsystem, text);
	if (disk_fault_now() != FAULT_NONE)
		daemon_gave_up();
	if (accident_refused())
		longjmp(refused_start, 1);
	violated("the daemon runs", "%s: %s", subsystem, text);
	exit(1);
}

/* unicast */

WRAP(int, io_coap_open_beside, struct io_coap **coap, const struct io_coap *old,
     const struct gk_addr *listen, io_coap_request_fn *handler, io_coap_answer_fn *answer,
     void *ctx)
{
	(void)old, (void)listen, (void)handler, (void)answer, (void)ctx;
	*coap = a_coap;
	return 0;
}

WRAP(void, io_coap_close, struct io_coap *coap)
{
	(void)coap;
}

WRAP(void, io_coap_give_up, struct io_coap *coap)
{
	(void)coap;
}

WRAP(int, io_coap_fd, const struct io_coap *coap)
{
	(void)coap;
	return 100;
}

WRAP(uint16_t, io_coap_port, const struct io_coap *coap)
{
	(void)coap;
	return 5683;
}

WRAP(void, io_coap_read, struct io_coap *coap)
{
	(void)coap;
}

WRAP(struct gk_mono, io_coap_next_expiry, struct io_coap *coap, struct gk_now now)
{
	(void)coap, (void)now;
	return (struct gk_mono){ GK_NEVER };
}

WRAP(int, io_coap_request, struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
     struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	const struct node *node = world_node(peer);

	(void)coap, (void)now;
	if (!node)
		return -EHOSTUNREACH;
	point(POINT_SEND);
	observer_sent(message);
	world_open_call(KDC, node->index, id, message, timeout_ms);
	point(POINT_SEND);
	return 0;
}

/* No member of these stories observes. */
WRAP(int, io_coap_notify, struct io_coap *coap, uint64_t id, const struct gk_addr *peer,
     struct gk_span token, struct gk_span message, uint32_t timeout_ms, struct gk_now now)
{
	(void)coap, (void)id, (void)peer, (void)token, (void)message, (void)timeout_ms, (void)now;
	violated("nobody observes", "a notification");
	return -EHOSTUNREACH;
}

WRAP(void, io_coap_on_notified, struct io_coap *coap, io_coap_notified_fn *notified)
{
	(void)coap, (void)notified;
}

/* multicast */

WRAP(int, gw_multicast_add, struct gw_multicast *multicast, const struct gk_addr *group)
{
	(void)multicast, (void)group;
	return 0;
}

WRAP(void, gw_multicast_move, struct gw_multicast *multicast, int ifindex)
{
	(void)multicast, (void)ifindex;
}

WRAP(void, gw_multicast_retain, struct gw_multicast *multicast, gw_multicast_find_fn *find,
     const void *ctx)
{
	(void)multicast, (void)find, (void)ctx;
}

WRAP(void, gw_multicast_send, struct gw_multicast *multicast, int ifindex,
     const struct gk_addr *group, struct gk_span message)
{
	(void)multicast, (void)ifindex, (void)group;
	point(POINT_SEND);
	observer_sent(message);
	for (int i = 0; i < NODES; i++) {
		if (world.node[i].member)
			world_send(PACKET_GROUP, KDC, i, 0, message);
	}
	point(POINT_SEND);
}

WRAP(int, gw_multicast_ask, struct gw_multicast *multicast, int ifindex, const struct gk_addr *to,
     struct gk_span token, struct gk_span message)
{
	(void)multicast, (void)ifindex, (void)to;
	point(POINT_SEND);
	observer_sent(message);
	for (int i = 0; i < NODES; i++) {
		if (world.node[i].member)
			world_send(PACKET_QUESTION, KDC, i, gk_span_uint(token), message);
	}
	point(POINT_SEND);
	return 0;
}

/* the segment */

WRAP(int, gw_segment_open, struct gw_segment *segment, const struct gw_segment_options *options,
     const struct gw_segment_sink *sink, void *ctx, struct gk_mono now)
{
	(void)now;
	*segment = (struct gw_segment){ .interface = options->interface,
					.sink = sink,
					.ctx = ctx,
					.ifindex = 7,
					.retry_ms = GK_NEVER };
	sink->blind(ctx, GK_BLIND_NOT);
	return 0;
}

WRAP(void, gw_segment_close, struct gw_segment *segment)
{
	(void)segment;
}

WRAP(void, gw_segment_read, struct gw_segment *segment, struct gk_mono now)
{
	(void)segment, (void)now;
}

WRAP(struct gk_mono, gw_segment_next_expiry, const struct gw_segment *segment)
{
	(void)segment;
	return (struct gk_mono){ GK_NEVER };
}

WRAP(bool, gw_segment_route, const struct gw_segment *segment, struct gk_addr *addr)
{
	(void)segment, (void)addr;
	return true;
}

WRAP(bool, gw_segment_address, const struct gw_segment *segment, struct gk_addr *addr)
{
	(void)segment;
	memcpy(addr->ip, (uint8_t[16]){ 0xfd, [15] = 1 }, 16);
	return true;
}

WRAP(void, gw_segment_probe, struct gw_segment *segment, const struct gk_addr *addr,
     struct gk_mono now)
{
	const struct node *node = world_node(addr);

	(void)segment, (void)now;
	if (node)
		world_send(PACKET_VERDICT, node->index, KDC, 0, gk_span(NULL, 0));
}

/* the operator */

WRAP(int, gw_control_open, struct gw_control **control, struct gw_daemon *daemon, const char *path,
     char *error, size_t size)
{
	(void)daemon, (void)path, (void)error, (void)size;
	*control = a_control;
	return 0;
}

WRAP(int, gw_control_move, struct gw_control *control, const char *path, char *error, size_t size)
{
	(void)control, (void)path, (void)error, (void)size;
	return 0;
}

WRAP(void, gw_control_close, struct gw_control *control)
{
	(void)control;
}

WRAP(struct gk_mono, gw_control_next_expiry, const struct gw_control *control)
{
	(void)control;
	return (struct gk_mono){ GK_NEVER };
}

WRAP(void, gw_control_turn, struct gw_control *control, struct gk_mono now)
{
	(void)control, (void)now;
}

WRAP(void, gw_notes_take, struct gw_notes *notes, const struct gk_note *note, struct gk_now now)
{
	(void)notes, (void)now;
	observer_note(note);
}

WRAP(bool, gw_conf_read, const char *const *paths, struct gw_conf *conf, char *error, size_t size)
{
	return gw_conf_parse(gk_span_str(world.conf), paths[0], conf, error, size);
}

/* The store: after a power cut it is the one that we left, or what an accident has left of it. */

int __real_gw_store_open(const struct gw_store_place *place, enum gw_store_wish wish,
			 struct gw_store **store, enum gw_store_found *found, char *error,
			 size_t size);
WRAP(int, gw_store_open, const struct gw_store_place *place, enum gw_store_wish wish,
     struct gw_store **store, enum gw_store_found *found, char *error, size_t size)
{
	int err;

	accident_opens(wish);
	err = __real_gw_store_open(place, wish, store, found, error, size);

	accident_opened(wish, err, err ? GW_STORE_CURRENT : *found, error);
	return err;
}

int __real_gw_store_commit(struct gw_store *store, const struct gk_record *records, size_t count);
WRAP(int, gw_store_commit, struct gw_store *store, const struct gk_record *records, size_t count)
{
	if (count)
		accident_commit(false);
	int err = __real_gw_store_commit(store, records, count);
	if (count && !err)
		accident_commit(true);
	return err;
}

/* from outside */

void daemon_turn(void)
{
	int turns = 0;

	do {
		gw_daemon_turn(world.daemon);
		if (++turns == TURNS_MAX) {
			violated("the daemon comes to rest", "%d turns", turns);
			world.deadline_ms = world.now_ms + 1000;
		}
	} while (world.deadline_ms <= world.now_ms);
}

static void start_with(enum gw_store_wish wish)
{
	static const char *const paths[] = { "gatewayd.conf", NULL };
	struct gw_start start = { .conf_paths = paths, .wish = wish };
	struct gw_conf conf;
	char error[GW_CONF_ERROR];

	libc_restart();
	world.boot_ms = world.now_ms;
	world.life++;
	// Other random bytes in each life: what repeats then does so for another reason.
	world.kdc_env = test_env(&world.kdc_test_env, world.seed * 1000 + world.life);
	if (!gw_conf_parse(gk_span_str(world.conf), "conf", &conf, error, sizeof(error))) {
		fprintf(stderr, "crash: %s\n", error);
		abort();
	}
	world.daemon = must_alloc(NULL, sizeof(*world.daemon));
	tell("the daemon starts");
	gw_daemon_start(world.daemon, &conf, &start);
	accident_started();
	observer_start();
	daemon_turn();
}

void daemon_start(void)
{
	if (setjmp(refused_start) == 0) {
		start_with(GW_STORE_AS_IS);
		return;
	}
	daemon_dies();
	world_run(chance_between(500, 8000));
	start_with(accident_wish());
}

void daemon_stop(void)
{
	tell("the daemon ends");
	gw_daemon_stop(world.daemon);
	daemon_dies();
}

void daemon_dies(void)
{
	world.daemon = NULL;
	world.deadline_ms = INT64_MAX;
}

void daemon_request(int from, uint16_t message_id, uint64_t call, struct gk_span bytes)
{
	struct gk_exchange exchange = { .id = call + 1,
					.peer = world.node[from].addr,
					.message_id = message_id,
					.token_len = 1 };
	static uint8_t room[65536];
	struct gk_buf reply = gk_buf(room, sizeof(room));

	exchange.token[0] = (uint8_t)message_id;
	gw_serve_request(world.daemon, &exchange, bytes, &reply);
	if (reply.len > 0 && !reply.overflow) {
		point(POINT_SEND);
		observer_sent(gk_buf_span(&reply));
		world_send(PACKET_REPLY, KDC, from, call, gk_buf_span(&reply));
		point(POINT_SEND);
	}
	daemon_turn();
}

void daemon_answer(uint64_t id, struct gk_span bytes)
{
	gw_serve_answer(world.daemon, id, true, bytes);
	daemon_turn();
}

void daemon_group_answer(uint64_t token, struct gk_span bytes)
{
	struct gk_exchange exchange = { .token_len = token ? GW_QUESTION_TOKEN : 0 };

	world_put_token(&exchange, token);
	gw_serve_group_answer(world.daemon, &exchange, bytes);
	daemon_turn();
}

void daemon_verdict(int node)
{
	const struct gk_reach_report report = { world.node[node].addr, GK_REACH_CONFIRMED };

	gw_serve_segment.reach(world.daemon, &report, 1);
	daemon_turn();
}

int daemon_call(const char *words, char **answer)
{
	struct gw_call call = { .daemon = world.daemon };
	char *text = NULL, request[512];
	size_t size, len = strlen(words);

	if (answer)
		*answer = NULL;
	if (!world.daemon)
		return -1;
	for (size_t i = 0; i < len; i++)
		request[i] = (char)(words[i] == ' ' ? '\0' : words[i]);
	call.out = open_memstream(&text, &size);
	int status = gw_calls_run(&call, gk_span((const uint8_t *)request, len));
	fclose(call.out);
	tell("operator: %s: %d %s", words, status, text);
	point(POINT_SEND);
	daemon_turn();
	if (answer)
		*answer = text;
	else
		free(text);
	return status;
}

bool daemon_reload(void)
{
	char text[1024];

	if (!world.daemon)
		return false;
	bool done = gw_reload(world.daemon, text, sizeof(text));
	tell("reload: %s", text);
	point(POINT_SEND);
	daemon_turn();
	return done;
}

/* As if so many requests had been sent by now. */
void daemon_use_sequence(unsigned left)
{
	struct gk_kdc *kdc = world.daemon ? world.daemon->kdc : NULL;

	for (size_t i = 0; kdc && i < kdc->clients_by_id.size; i++) {
		struct gk_link *link = kdc->clients_by_id.buckets[i];
		for (; link; link = link->next) {
			struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);
			struct gk_oscore *ctx = &client->assoc.ctx;
			if (!client->candidate && ctx->aead && ctx->seq + left < kdc->seq_limit)
				ctx->seq = kdc->seq_limit - left;
		}
	}
}
