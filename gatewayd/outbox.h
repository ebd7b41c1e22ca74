// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the KDC wants done, on its way: first one commit of all that is to be stored, and only then,
 * in their order, the messages, probes and notes (a number that enters a key or a nonce is on
 * stable storage before the first byte made with it leaves).
 *
 * Records that may wait do so until another one is committed, or for GW_OUTBOX_WAIT_MS; nothing
 * waits for them. When their commit fails, they wait for as long again.
 *
 * When another commit fails, everything stays here as it is until one succeeds. The KDC's owner
 * then leaves the KDC alone, since what it would say next could only wait too.
 */
#ifndef GW_OUTBOX_H
#define GW_OUTBOX_H

#include "libgroupkey/groupkey.h"

#define GW_OUTBOX_WAIT_MS 60000

/** Where events come from and go to. */
struct gw_outlets {
	/** Take the KDC's next event, whose spans last until the next call. @return false: none */
	bool (*take)(void *ctx, struct gk_event *event);
	/** Put records on stable storage, all or none. @return 0 or -errno */
	int (*commit)(void *ctx, const struct gk_record *records, size_t count);
	/** Carry out an event other than STORE. It must not call the KDC. */
	void (*perform)(void *ctx, const struct gk_event *event);
};

struct gw_waiting;

/** Fields are the outbox's own. */
struct gw_outbox {
	const struct gw_outlets *outlets;
	void *ctx;
	struct gw_waiting *events, **events_end;
	struct gw_waiting *stores, **stores_end;
	size_t store_count;
	bool urgent;      /* one of them may not wait */
	bool held;        /* those that may wait do */
	int64_t since_ms; /* since when the oldest waits */
	int error;        /* of the last commit: 0 or -errno */
	int64_t retry_ms;
};

/** @param outlets  borrowed, with 'ctx', for as long as the outbox lives */
void gw_outbox_init(struct gw_outbox *outbox, const struct gw_outlets *outlets, void *ctx);
/** Wipe and drop what is left. */
void gw_outbox_free(struct gw_outbox *outbox);

/**
 * Take all events of the KDC and carry them out. While commits fail, one is tried a second.
 * @return true: all done; false: the store does not take it, everything waits. Out of memory is
 *         fatal: what was taken must not be lost, and a restart goes on from the store.
 */
bool gw_outbox_flush(struct gw_outbox *outbox, struct gk_mono now);
/** At the end: as gw_outbox_flush(), and commit what may wait too. */
void gw_outbox_finish(struct gw_outbox *outbox, struct gk_mono now);
/** While nothing can be written, have what may wait do so for longer. */
void gw_outbox_hold(struct gw_outbox *outbox, bool hold);
/** @return 0, or -errno while the store refuses */
int gw_outbox_error(const struct gw_outbox *outbox);
/** @return when gw_outbox_flush() has something to do again; ms GK_NEVER: nothing waits */
struct gk_mono gw_outbox_next_expiry(const struct gw_outbox *outbox);

#endif
