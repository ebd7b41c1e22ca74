// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The operator's calls. They go to the KDC by the same functions as what comes from the network;
 * there is no second path to its state.
 */
#ifndef GW_CALLS_H
#define GW_CALLS_H

#include "gatewayd/daemon.h"
#include "gatewayd/usage.h"
#include "io/json.h"

/** A call being answered. */
struct gw_call {
	struct gw_daemon *daemon;
	const char *words[GW_WORDS_MAX]; /* after the name, without --json */
	size_t count;
	bool json;
	bool follow; /* set by the call: events are to follow until the operator has enough */
	FILE *out;   /* for the answer, or for why there is none */
};

/**
 * Carry out a request.
 *
 * @param request  words with a NUL between each two; every byte may be hostile
 * @param call     its daemon and 'out' are set; 'json' and 'follow' are, on return
 * @return GW_DONE, GW_REFUSED, GW_USAGE: after the last two, nothing has changed, or the text says
 *         what has
 */
int gw_calls_run(struct gw_call *call, struct gk_span request);

/** Say why not. @return status */
int gw_call_fail(struct gw_call *call, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Say how a call is to be used. @return GW_USAGE */
int gw_call_misused(struct gw_call *call, enum gw_call_id id);
/** Find the group that the first word names. @return GW_DONE; else that there is none was said */
GK_MUST_CHECK int gw_call_find_group(struct gw_call *call, struct gk_group_info *info);
/** Print a JSON answer as one line, and free it. */
void gw_call_print(struct gw_call *call, struct io_json *json);
/**
 * Before the KDC is told to change something: is the store fit for it?
 * @return GW_DONE: yes; else why not was said
 */
GK_MUST_CHECK int gw_call_ready(struct gw_call *call);
/**
 * What became of a change, which is reported only when it is on stable storage.
 * @param err  what the KDC made of it
 * @return GW_DONE: report it; else why not was said
 */
GK_MUST_CHECK int gw_call_conclude(struct gw_call *call, enum gk_err err);

/** Why the store can take less than everything; "" if it can. */
const char *gw_call_store_reason(const struct gw_call *call);

/* status.c */

int gw_call_status(struct gw_call *call);

/* why.c */

int gw_call_why(struct gw_call *call);

/* client_add.c */

int gw_call_client_add(struct gw_call *call);

/* clients.c */

int gw_call_evict(struct gw_call *call);
int gw_call_unban(struct gw_call *call);
int gw_call_confirm(struct gw_call *call);
int gw_call_client_list(struct gw_call *call);
int gw_call_client_revoke(struct gw_call *call);

#endif
