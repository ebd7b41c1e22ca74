// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Who is still there, and by what we know.
 */
#ifndef GK_PRESENCE_H
#define GK_PRESENCE_H

#include "kdc.h"

/* presence.c */
/** A sign of life that is authenticated. */
void gk_presence_seen(struct gk_node *node, enum gk_fact sign, struct gk_now now);
/** A notification was acknowledged: somebody is there. */
void gk_presence_acknowledged(struct gk_node *node, struct gk_now now);
/** @return true if it is suspect or absent */
bool gk_presence_is_doubted(const struct gk_node *node);
/** A probe never left: it does not count. */
void gk_presence_unsent(struct gk_node *node, struct gk_now now);
/** A rekeying message was not answered; 'last': and it is not tried again. */
void gk_presence_unanswered(struct gk_node *node, bool last, struct gk_now now);
/** Ask one that nobody doubts, without a word. */
void gk_presence_ask(struct gk_node *node, struct gk_now now);
/** ... if the link has air for that. @return false: not now */
bool gk_presence_check(struct gk_node *node, struct gk_now now);
/** Its grace is over. If it waited since it was last asked, ask it once more. @return true: it is
 *  asked, or cannot be just now, or can no more, and is not to be removed yet */
bool gk_presence_ask_last(struct gk_node *node, struct gk_now now);
/** A restored member: nothing is known of it. */
void gk_presence_start(struct gk_node *node, struct gk_now now);
/** We see, or hear, again: if it is doubted it gets a new round, else a place in the interval. */
void gk_presence_resume(struct gk_node *node, enum gk_fact why, struct gk_now now);
/** It is doubted, and its group is blind: it is asked now and then. */
void gk_presence_lose(struct gk_node *node, struct gk_now now);
/** The policy has changed: its clocks run by the new one. */
void gk_presence_retime(struct gk_node *node, struct gk_now now);
void gk_presence_due(struct gk_node *node, struct gk_now now);
/** @return true if what speaks against it would be looked into */
bool gk_presence_may_doubt(const struct gk_node *node);
/** The kernel says that it is gone: gk_presence_may_doubt(). */
void gk_presence_accuse(struct gk_node *node, enum gk_fact fact, struct gk_now now);

/* kernel.c */
/** Have it look whether it reaches a member's address. */
void gk_kernel_ask(struct gk_node *node, struct gk_now now);
/** A batch of what it says. Of several words about a member the last one counts. */
void gk_kernel_reports(struct gk_kdc *kdc, const struct gk_reach_report *reports, size_t count,
		       struct gk_now now);

/* probe.c */
/** @return true if there is a way to ask it: its silence means something */
bool gk_probe_can_ask(const struct gk_node *node);
/** @return true if a member that nobody doubts may be asked now */
bool gk_probe_may_check(struct gk_kdc *kdc, struct gk_now now);
/** Take a turn, if it may not. @return in how many ms that is, 0: it may be asked now */
int64_t gk_probe_put_off_ms(struct gk_kdc *kdc, struct gk_now now);
/** @return true if it was asked beside its turn less than an interval ago: not again for what can
 *  wait */
bool gk_probe_is_spared(const struct gk_node *node, struct gk_now now);
/** It is asked beside its turn. */
void gk_probe_spare(struct gk_node *node, struct gk_now now);
/** Ask it, for the time of a probe, by multicast if this is the last one of its round. A request
 *  that is under way for long enough yet asks as well. @return false: not now */
bool gk_probe_send(struct gk_node *node, uint32_t wait_ms, struct gk_now now);
/** A request to it has left that waits so long for its answer. */
void gk_probe_note_asked(struct gk_node *node, bool multicast, uint32_t wait_ms, struct gk_now now);
/** @return when the latest request to it ends, or ended */
int64_t gk_probe_asked_until_ms(const struct gk_node *node);

/* witness.c */
/** A member is lost: a probe was in vain. */
void gk_witness_lost(struct gk_group *group, struct gk_now now);
/** A member's grace is over. */
void gk_witness_due(struct gk_group *group, struct gk_now now);
/** Somebody was heard of. */
void gk_witness_heard(struct gk_group *group, struct gk_now now);
/** Who is lost, who was heard of; and what follows. */
void gk_witness_judge(struct gk_group *group, struct gk_now now);

/* address.c */
/** A protected request of the client came from there. */
void gk_address_heard(struct gk_kdc *kdc, struct gk_client *client, const struct gk_addr *addr,
		      struct gk_now now);
/** The table knows nothing of it any more. */
void gk_address_forget(struct gk_kdc *kdc, struct gk_client *client);
/** All that is known of where it was heard from, newest first. @return how many */
size_t gk_address_list(const struct gk_client *client, struct gk_addr list[GK_ADDRESSES_MAX]);
/** @return where a member was heard of last */
const struct gk_addr *gk_address_of(const struct gk_node *node);
/** Walk the clients that were heard from an address last, or from its interface. */
struct gk_client *gk_address_next(const struct gk_kdc *kdc, const struct gk_addr *addr,
				  const struct gk_client *after);

/* evidence.c */
/** Remember a fact; at once again, it is counted. */
void gk_evidence_add(struct gk_node *node, enum gk_fact fact, uint32_t detail, struct gk_now now);
/** The last one, of a membership that ends: kept beyond that, if there is memory. */
void gk_evidence_end(struct gk_node *node, enum gk_fact fact, const char *why, struct gk_now now);
/** The latest membership that ended, by node name or client name. @return NULL: none is known */
const struct gk_departed *gk_departed_named(const struct gk_kdc *kdc, struct gk_span group,
					    struct gk_span name);
void gk_evidence_wipe(struct gk_kdc *kdc);

/* sleep.c */
/** @return GK_ERR_RANGE: too many sleepers, or a name that nobody can have */
GK_MUST_CHECK enum gk_err gk_sleepers_check(const struct gk_presence_config *config);
/** A copy of the sleepers, with their names: as many spans. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_sleepers_copy(const struct gk_env *env,
					   const struct gk_presence_config *config,
					   struct gk_blob *copy);
/** @return true if the member is asleep most of the time: only sleep_max_s counts for it, and no
 *          rekeying waits for it */
bool gk_node_sleeps(const struct gk_node *node);
/** What is said of a member, a client's memberships, or all members of a group may have changed. */
void gk_sleep_judge(struct gk_node *node, struct gk_now now);
void gk_sleep_judge_client(struct gk_client *client, struct gk_now now);
void gk_sleep_judge_group(struct gk_group *group, struct gk_now now);

#endif
