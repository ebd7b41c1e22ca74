// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What an operator can say to the daemon, for the daemon and for gatewayctl.
 */
#ifndef GW_USAGE_H
#define GW_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Status of a call, and of gatewayctl. */
enum {
	GW_DONE = 0,
	GW_REFUSED = 1,
	GW_USAGE = 2,
	GW_NO_DAEMON = 3,
};

/** The largest request: the words of a call with a NUL between each two. */
#define GW_REQUEST_MAX 4096
#define GW_WORDS_MAX   64

enum gw_call_id {
	GW_CALL_STATUS,
	GW_CALL_GROUPS,
	GW_CALL_MEMBERS,
	GW_CALL_WHY,
	GW_CALL_EVENTS,
	GW_CALL_METRICS,
	GW_CALL_REKEY,
	GW_CALL_EVICT,
	GW_CALL_UNBAN,
	GW_CALL_CONFIRM,
	GW_CALL_CLIENT_ADD,
	GW_CALL_CLIENT_LIST,
	GW_CALL_CLIENT_REVOKE,
	GW_CALL_RELOAD,
	GW_CALLS,
};

struct gw_usage {
	const char *name; /* one word or two */
	const char *arguments;
	const char *what;
	size_t min, max; /* words after the name */
};

extern const struct gw_usage gw_usages[GW_CALLS];

/**
 * Find the call that words begin with.
 * @param used  set to the number of words of its name
 * @return its id; GW_CALLS: there is none
 */
enum gw_call_id gw_usage_find(const char *const *words, size_t count, size_t *used);
/** @return true if the word is an option that takes the next word */
bool gw_usage_takes_value(const char *word);
/** Print what can be said. */
void gw_usage_print(FILE *out);

#endif
