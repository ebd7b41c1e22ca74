// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

// A line is written in one piece and cut at this length, with dots to show it.
#define LINE_MAX_LEN 1024

static const struct level {
	const char *name; // in the configuration and on stderr
	int priority;     // for syslog
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static enum log_level threshold = LOG_LEVEL_INFO;
static bool use_syslog;

void log_open(const char *program, enum log_level level, bool to_syslog)
{
	// Also after an earlier call with 'true', since openlog() keeps the pointer it was given.
	closelog();
	if (to_syslog)
		openlog(program, LOG_NDELAY | LOG_PID, LOG_DAEMON);

	threshold = level;
	use_syslog = to_syslog;
}

struct line {
	char text[LINE_MAX_LEN + sizeof("...\n")];
	size_t len; // at most LINE_MAX_LEN
	bool cut;
};

static void append_list(struct line *line, const char *format, va_list args)
{
	size_t room = LINE_MAX_LEN - line->len;
	int len = vsnprintf(line->text + line->len, room + 1, format, args);

	if (len < 0)
		return;
	if ((size_t)len > room) {
		line->cut = true;
		len = (int)room;
	}
	line->len += (size_t)len;
}

static void append(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append_list(line, format, args);
	va_end(args);
}

// A peer's name in a line must not start a line of its own, nor steer a terminal.
static void blank_controls(struct line *line)
{
	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->text[i] < ' ' || line->text[i] == 0x7f)
			line->text[i] = '?';
}

static void finish(struct line *line)
{
	blank_controls(line);
	strcpy(line->text + line->len, line->cut ? "...\n" : "\n");
	line->len += strlen(line->text + line->len);
}

static void append_time(struct line *line)
{
	struct timespec now;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	append(line, "%s.%03ldZ ", date, now.tv_nsec / 1000000);
}

static void write_stderr(const struct line *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t len = write(STDERR_FILENO, line->text + done, line->len - done);
		if (len < 0 && errno != EINTR)
			return;
		if (len > 0)
			done += (size_t)len;
	}
}

static void write_line(enum log_level level, const char *subsystem, const char *error,
		       const char *format, va_list args)
{
	struct line line = { .len = 0 };

	if (level > threshold)
		return;

	if (!use_syslog) {
		append_time(&line);
		append(&line, "%s ", levels[level].name);
	}
	append(&line, "%s: ", subsystem);
	append_list(&line, format, args);
	if (error)
		append(&line, ": %s", error);
	finish(&line);

	if (use_syslog)
		syslog(levels[level].priority, "%s", line.text);
	else
		write_stderr(&line);
}

// What a caller does after the line may depend on errno.
#define WRITE(level, error)                                                                        \
	do {                                                                                       \
		int saved = errno;                                                                 \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		write_line((level), subsystem, (error), format, args);                             \
		va_end(args);                                                                      \
		errno = saved;                                                                     \
	} while (0)

void log_warn(const char *subsystem, const char *format, ...)
{
	WRITE(LOG_LEVEL_WARN, strerror(errno));
}

void log_warnx(const char *subsystem, const char *format, ...)
{
	WRITE(LOG_LEVEL_WARN, NULL);
}

void log_info(const char *subsystem, const char *format, ...)
{
	WRITE(LOG_LEVEL_INFO, NULL);
}

void log_debug(const char *subsystem, const char *format, ...)
{
	WRITE(LOG_LEVEL_DEBUG, NULL);
}

void fatal(const char *subsystem, const char *format, ...)
{
	WRITE(LOG_LEVEL_ERROR, NULL);
	exit(1);
}

bool log_allowed(struct log_limit *limit, int64_t now_ms, unsigned *dropped)
{
	// Each second gives one place of the bucket back; 'next_ms' is when the next comes.
	if (limit->used > 0 && now_ms >= limit->next_ms) {
		int64_t seconds = (now_ms - limit->next_ms) / 1000 + 1;

		limit->used = seconds < limit->used ? limit->used - (unsigned)seconds : 0;
		limit->next_ms += seconds * 1000;
	}

	if (limit->used >= limit->burst) {
		limit->dropped++;
		return false;
	}

	if (limit->used == 0)
		limit->next_ms = now_ms + 1000;
	limit->used++;
	*dropped = limit->dropped;
	limit->dropped = 0;
	return true;
}
