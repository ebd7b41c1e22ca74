// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Log lines: "subsystem: object words". To stderr, or to syslog (facility daemon). A line is one
 * write; control characters in it become '?', and at 1,024 bytes it ends with "...".
 *
 *   fatal  we cannot go on; the process ends with status 1
 *   warn   something is wrong that an operator can mend, or that costs someone a service
 *   info   what an operator wants to find later: joins, departures, rekeyings, probes that failed
 *   debug  for developers; one line per message, never a secret either
 */
#ifndef IO_LOG_H
#define IO_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 0,
	LOG_LEVEL_WARN = 1,
	LOG_LEVEL_INFO = 2,
	LOG_LEVEL_DEBUG = 3,
};

/**
 * Choose where lines go and which. Before the first call: stderr, from info on.
 * @param program    tag for syslog; must stay valid
 * @param to_syslog  false: stderr, with time and level in front
 */
void log_open(const char *program, enum log_level level, bool to_syslog);

/** Log with ": strerror(errno)" behind. All of these leave errno as it was. */
void log_warn(const char *subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warnx(const char *subsystem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_info(const char *subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *subsystem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** Log and exit(1). */
_Noreturn void fatal(const char *subsystem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * A bucket for lines that a peer can cause: at most 'burst' at once, then one a second. Set
 * 'burst', leave the rest 0.
 */
struct log_limit {
	int64_t next_ms;
	unsigned burst, used, dropped;
};
/** @return true if a line may be logged; then *dropped tells how many before it were not */
bool log_allowed(struct log_limit *limit, int64_t now_ms, unsigned *dropped);

#endif
