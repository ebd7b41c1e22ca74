// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * reachmon: says what the kernel knows of links and neighbours, as JSON lines or as a trace. See
 * reachmon(1).
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "json.h"
#include "reach.h"

enum {
	EXIT_USAGE = 2,
	INTERFACES_MAX = 64,
	PROBES_MAX = 64,
	RETRY_MS = 250, // after a dump that did not succeed
	LOOK_MS = 1000  // between two looks at proxied entries, of which the kernel tells nothing
};

static const char usage[] =
	"usage: reachmon [-i INTERFACE]... [-p ADDRESS%INTERFACE]... [-n SECONDS] [-t]\n"
	"       reachmon --replay FILE\n"
	"       reachmon --version | --help\n";

struct probe {
	uint8_t ip[REACH_IP_LEN];
	const char *interface;
	const char *text; // as it was given
};

struct options {
	const char *interfaces[INTERFACES_MAX + PROBES_MAX];
	size_t interface_count;
	struct probe probes[PROBES_MAX];
	size_t probe_count;
	const char *replay;
	long seconds; // 0: until a signal comes
	bool trace, version, help;
};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("reachmon: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

// Everything that is said goes out at once, or it is an error.
static void end_line(void)
{
	putchar('\n');
	if (fflush(stdout) != 0)
		fail("standard output: %s", strerror(errno));
}

/*
 * Names of interfaces, as the links' own events say them
 */

struct name {
	int ifindex;
	bool gone;
	char text[REACH_NAME_LEN];
};

struct names {
	struct name *names;
	size_t count;
};

static struct name *find_name(const struct names *names, int ifindex)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->names[i].ifindex == ifindex)
			return &names->names[i];
	}
	return NULL;
}

static void learn_name(struct names *names, const struct reach_event *event)
{
	struct name *name = find_name(names, event->ifindex);

	if (!name) {
		name = realloc(names->names, (names->count + 1) * sizeof(*name));
		if (!name)
			fail("%s", strerror(ENOMEM));
		names->names = name;
		name = &names->names[names->count++];
		name->ifindex = event->ifindex;
	}
	name->gone = !event->present;
	memcpy(name->text, event->name, sizeof(name->text));
}

// Of a link that is gone the other events of the same batch tell as well, but no later ones.
static void forget_gone(struct names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (!names->names[i].gone)
			names->names[kept++] = names->names[i];
	}
	names->count = kept;
}

static void put_event(const struct reach_event *event, const struct names *names)
{
	const struct name *name = find_name(names, event->ifindex);

	reach_json_event(stdout, event, name ? name->text : "");
	putchar('}');
	end_line();
}

/*
 * Watching
 */

struct watch {
	struct reach_monitor *monitor;
	struct names names;
	struct reach_counts counts; // when they were last looked at
	bool trace;
	bool behind;  // said that what is reported may be out of date
	bool started; // what was there at first has been read: time begins
	int64_t start_ms, now_ms;
	struct timespec wall;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t ms_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

static void read_clocks(struct watch *watch)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_REALTIME, &watch->wall);
	if (!watch->started)
		watch->start_ms = ms_of(&now);
	watch->now_ms = ms_of(&now) - watch->start_ms;
}

// ISO 8601, to the millisecond.
static void format_time(const struct timespec *time, char *text, size_t len)
{
	struct tm utc;
	char seconds[32];

	gmtime_r(&time->tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, len, "%s.%03ldZ", seconds, time->tv_nsec / 1000000);
}

static void begin_object(const struct watch *watch)
{
	char time[64];

	format_time(&watch->wall, time, sizeof(time));
	printf("{\"time\":\"%s\",\"ms\":%" PRId64, time, watch->now_ms);
}

static void print_events(const struct reach_event *events, size_t count, void *ctx)
{
	struct watch *watch = ctx;

	read_clocks(watch);
	for (size_t i = 0; i < count; i++) {
		char text[REACH_TRACE_LEN];

		if (events[i].kind == REACH_LINK)
			learn_name(&watch->names, &events[i]);
		if (watch->trace) {
			reach_trace_format(watch->now_ms, &events[i], text);
			fputs(text, stdout);
			end_line();
		} else {
			begin_object(watch);
			put_event(&events[i], &watch->names);
		}
	}
	forget_gone(&watch->names);
}

// What is no event, and is not kept to ourselves either. In a trace it is a comment.
static void print_remark(struct watch *watch, const char *kind, const char *what, uint64_t count)
{
	read_clocks(watch);
	if (watch->trace) {
		printf("# +%" PRId64 " %s: %" PRIu64 " %s", watch->now_ms, kind, count, what);
	} else {
		begin_object(watch);
		reach_json_string(stdout, "kind", kind);
		printf(",\"%s\":%" PRIu64 "}", what, count);
	}
	end_line();
}

static void print_counts(struct watch *watch)
{
	const struct reach_counts counts = reach_monitor_counts(watch->monitor);

	if (counts.lost > watch->counts.lost)
		print_remark(watch, "lost", "times", counts.lost - watch->counts.lost);
	if (counts.malformed > watch->counts.malformed)
		print_remark(watch, "malformed", "messages",
			     counts.malformed - watch->counts.malformed);
	watch->counts = counts;
}

static bool is_passing(int error)
{
	return error == -ENOBUFS || error == -EAGAIN || error == -ENOMEM || error == -EBADMSG;
}

// Returns whether there is something to make up for.
static bool read_monitor(struct watch *watch)
{
	int rc = reach_monitor_read(watch->monitor, print_events, watch);
	bool behind = is_passing(rc);

	print_counts(watch);
	if (rc < 0 && rc != -EOVERFLOW && !behind)
		fail("netlink: %s", strerror(-rc));
	if (rc == -EOVERFLOW)
		print_remark(watch, "full", "untracked", watch->counts.untracked);
	if (behind != watch->behind)
		print_remark(watch, behind ? "behind" : "current", "comparisons",
			     watch->counts.comparisons);
	watch->behind = behind;
	return behind;
}

static void ask(struct watch *watch, const struct probe *probe)
{
	unsigned int ifindex = if_nametoindex(probe->interface);
	int rc = -ENODEV;

	if (ifindex > 0)
		rc = reach_monitor_probe(watch->monitor, (int)ifindex, probe->ip);
	if (rc == -EPERM)
		fprintf(stderr, "reachmon: no permission to probe; a datagram was sent instead, "
				"which takes some seconds longer\n");
	else if (rc < 0)
		fail("%s: %s", probe->text, strerror(-rc));
}

// Handlers run while we wait, and at no other time.
static void catch_signals(sigset_t *waiting)
{
	const struct sigaction action = { .sa_handler = end };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); // a write fails, and is said to
}

// Wait for notices until 'until_ms' at the latest. Returns whether there are some.
static bool wait_for_notices(struct watch *watch, int64_t until_ms, const sigset_t *waiting)
{
	struct pollfd fd = { .fd = reach_monitor_fd(watch->monitor), .events = POLLIN };
	int64_t left_ms;
	struct timespec left;

	read_clocks(watch);
	left_ms = until_ms > watch->now_ms ? until_ms - watch->now_ms : 0;
	left = (struct timespec){ .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
	return ppoll(&fd, 1, &left, waiting) > 0;
}

static void watch_until_the_end(struct watch *watch, int64_t end_ms, const sigset_t *waiting)
{
	int64_t look_ms = LOOK_MS;
	bool behind = watch->behind;

	while (!ended && watch->now_ms < end_ms) {
		int64_t until_ms = behind ? watch->now_ms + RETRY_MS : look_ms;

		wait_for_notices(watch, until_ms < end_ms ? until_ms : end_ms, waiting);
		read_clocks(watch);
		if (watch->now_ms >= look_ms) {
			reach_monitor_look(watch->monitor);
			look_ms = watch->now_ms + LOOK_MS;
		}
		behind = read_monitor(watch);
	}
}

static void open_monitor(struct watch *watch, const struct options *options)
{
	const struct reach_options what = {
		.interfaces = options->interfaces,
		.interface_count = options->interface_count,
	};
	int rc = reach_monitor_open(&watch->monitor, &what);

	if (rc == -EINVAL)
		fail("an interface has a name of 1 to %d characters", REACH_NAME_LEN - 1);
	if (rc < 0)
		fail("netlink: %s", strerror(-rc));
}

static void watch_kernel(const struct options *options)
{
	struct watch watch = { .trace = options->trace };
	sigset_t waiting;

	open_monitor(&watch, options);
	catch_signals(&waiting);
	read_clocks(&watch);
	if (watch.trace) {
		char time[64];

		format_time(&watch.wall, time, sizeof(time));
		printf("# reachmon %s, since %s", GK_VERSION, time);
		end_line();
	}
	(void)read_monitor(&watch);
	watch.started = true;
	for (size_t i = 0; i < options->probe_count; i++)
		ask(&watch, &options->probes[i]);
	watch_until_the_end(&watch, options->seconds ? options->seconds * 1000 : INT64_MAX,
			    &waiting);
	reach_monitor_close(watch.monitor);
	free(watch.names.names);
}

/*
 * Replaying
 */

static char *read_file(const char *path, size_t *len)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	size_t room = 65536;
	char *text = malloc(room);

	*len = 0;
	if (!file)
		fail("%s: %s", path, strerror(errno));
	while (text) {
		*len += fread(text + *len, 1, room - *len, file);
		if (*len < room)
			break;
		room *= 2;
		text = realloc(text, room);
	}
	if (!text)
		fail("%s: %s", path, strerror(ENOMEM));
	if (ferror(file))
		fail("%s: %s", path, strerror(errno));
	if (file != stdin)
		fclose(file);
	return text;
}

static void replay(const char *path)
{
	size_t len;
	char *text = read_file(path, &len);
	struct reach_trace trace = reach_trace_begin(text, len);
	struct names names = { 0 };
	struct reach_event event;
	int64_t at_ms, before_ms = 0;
	int rc;

	while ((rc = reach_trace_next(&trace, &at_ms, &event)) > 0) {
		if (at_ms != before_ms)
			forget_gone(&names);
		before_ms = at_ms;
		if (event.kind == REACH_LINK)
			learn_name(&names, &event);
		printf("{\"ms\":%" PRId64, at_ms);
		put_event(&event, &names);
	}
	if (rc < 0)
		fail("%s:%zu: no event, or one that goes back in time", path, trace.line);
	free(names.names);
	free(text);
}

/*
 * Options
 */

static bool take_interface(struct options *options, const char *value)
{
	if (options->interface_count == INTERFACES_MAX || *value == '\0' ||
	    strlen(value) >= REACH_NAME_LEN)
		return false;
	options->interfaces[options->interface_count++] = value;
	return true;
}

static bool take_probe(struct options *options, const char *value)
{
	struct probe *probe = &options->probes[options->probe_count];
	const char *percent = strchr(value, '%');
	char address[INET6_ADDRSTRLEN];

	if (options->probe_count == PROBES_MAX || !percent || percent[1] == '\0' ||
	    strlen(percent + 1) >= REACH_NAME_LEN || (size_t)(percent - value) >= sizeof(address))
		return false;
	memcpy(address, value, (size_t)(percent - value));
	address[percent - value] = '\0';
	if (inet_pton(AF_INET6, address, probe->ip) != 1)
		return false;
	probe->interface = percent + 1;
	probe->text = value;
	options->probe_count++;
	return true;
}

static bool take_seconds(struct options *options, const char *value)
{
	char *rest;

	errno = 0;
	options->seconds = strtol(value, &rest, 10);
	return errno == 0 && *rest == '\0' && options->seconds > 0 &&
	       options->seconds <= 1000000000;
}

static bool take_trace(struct options *options, const char *value)
{
	(void)value;
	options->trace = true;
	return true;
}

static bool take_replay(struct options *options, const char *value)
{
	options->replay = value;
	return *value != '\0';
}

static bool take_version(struct options *options, const char *value)
{
	(void)value;
	options->version = true;
	return true;
}

static bool take_help(struct options *options, const char *value)
{
	(void)value;
	options->help = true;
	return true;
}

static const struct option names_of_options[] = {
	{ "interface", required_argument, NULL, 'i' },
	{ "probe", required_argument, NULL, 'p' },
	{ "seconds", required_argument, NULL, 'n' },
	{ "trace", no_argument, NULL, 't' },
	{ "replay", required_argument, NULL, 'r' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool (*const takers[])(struct options *options, const char *value) = {
	['i'] = take_interface, ['p'] = take_probe,   ['n'] = take_seconds, ['t'] = take_trace,
	['r'] = take_replay,    ['V'] = take_version, ['h'] = take_help,
};

static void refuse(const char *why, const char *what)
{
	fprintf(stderr, "reachmon: %s%s\n%s", why, what, usage);
	exit(EXIT_USAGE);
}

static void read_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "i:p:n:th", names_of_options, NULL)) != -1) {
		if (c == '?') {
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
		if (!takers[c](options, optarg))
			refuse("not possible here: ", optarg);
	}
	if (optind < argc)
		refuse("an argument too many: ", argv[optind]);
	if (options->replay && (options->trace || options->seconds || options->probe_count ||
				options->interface_count))
		refuse("--replay goes with no other option", "");
	// The answer to a probe is an event, so its interface is watched.
	for (size_t i = 0; options->interface_count > 0 && i < options->probe_count; i++)
		options->interfaces[options->interface_count++] = options->probes[i].interface;
}

int main(int argc, char **argv)
{
	static struct options options;

	read_options(argc, argv, &options);
	if (options.version)
		puts("reachmon " GK_VERSION);
	else if (options.help)
		fputs(usage, stdout);
	else if (options.replay)
		replay(options.replay);
	else
		watch_kernel(&options);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
