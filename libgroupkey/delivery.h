// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * How new material reaches members: by messages to single ones, to the group, and to who observes
 * it.
 */
#ifndef GK_DELIVERY_H
#define GK_DELIVERY_H

#include "kdc.h"

struct gk_call;

/* observe.c */
/** A request for a resource that can be observed was served: registers the client or ends its
 *  registration, if it asks for that, and then says so in call->reply. */
void gk_observe_serve(struct gk_call *call, enum gk_observed what);
/** @return true if new material can reach the member by a notification */
bool gk_observe_delivers(const struct gk_node *node);
/** Send the newest material as a notification. @return its id, 0: not now */
uint64_t gk_observe_material(struct gk_node *node, enum gk_request_kind kind, size_t *len,
			     uint32_t timeout_ms, struct gk_now now);
/** The group was rekeyed: news to those who observe nodes/N beside the way in which material
 *  reaches them. */
void gk_observe_rekeyed(struct gk_group *group, struct gk_now now);
/** The group became active, or is not any more. */
void gk_observe_activity(struct gk_group *group, struct gk_now now);
/** Send the news that had to wait. */
void gk_observe_update(struct gk_kdc *kdc, struct gk_now now);
/** A notification went this way. 'request' is of the client's present association. */
void gk_observe_notified(struct gk_node *node, const struct gk_request *request,
			 enum gk_notified outcome, struct gk_now now);
/** ... or it never left. */
void gk_observe_unsent(struct gk_node *node, const struct gk_request *request, struct gk_now now);
/**
 * End an observation with a last answer, an error without Observe (R 5, 6.1).
 * @param error  an ACE error-id that goes along, -1: none
 * @return false: there was none
 */
bool gk_observe_finish(struct gk_node *node, enum gk_observed what, uint8_t code, int error,
		       struct gk_now now);
/** End all that is left of a member's with 4.01: its token is over (A 5.10.3). */
void gk_observe_finish_all(struct gk_node *node, struct gk_now now);
/** Forget them, without a word. */
void gk_observe_forget(struct gk_node *node);

/* delivery.c */
/** All members but 'group->joiner' need the present material. 'cast': a message to the group goes
 *  to those in the tree. */
void gk_delivery_begin(struct gk_group *group, bool cast, struct gk_now now);
/** Send what may be sent now. */
void gk_delivery_pump(struct gk_group *group, struct gk_now now);
void gk_delivery_retry(struct gk_node *node, struct gk_now now);
/** The time for confirmations is over: a message to each who did not confirm. */
void gk_delivery_fall_back(struct gk_group *group, struct gk_now now);
/** The message 'id' with version 'num' was answered with 'code', or (0) was not in time. */
void gk_delivery_answered(struct gk_node *node, uint64_t id, int64_t num, uint8_t code,
			  struct gk_now now);
/** The notification 'id' with version 'num' was acknowledged, or not. */
void gk_delivery_notified(struct gk_node *node, uint64_t id, int64_t num, enum gk_notified outcome,
			  struct gk_now now);
/** The message never left: the same again a little later. */
void gk_delivery_unsent(struct gk_node *node, uint64_t id, struct gk_now now);
/** The node has the present material by another way. The caller stores that. */
void gk_delivery_settle(struct gk_node *node, struct gk_now now);
/** It said that it has the present material, which it got this way. */
void gk_delivery_confirmed(struct gk_node *node, enum gk_via via, struct gk_now now);
/** It showed, in a way that is authenticated, which version it has. @param told  it knows by now
 *  that there is a newer one, and asks */
void gk_delivery_shown(struct gk_node *node, int64_t num, bool told, struct gk_now now);
/** The node is heard of: a parked delivery starts again. */
void gk_delivery_wake(struct gk_node *node, struct gk_now now);
/** It has become sleepy, or is not any more. */
void gk_delivery_recount(struct gk_node *node, struct gk_now now);
/** Forget a node that is being removed. */
void gk_delivery_forget(struct gk_node *node, struct gk_now now);

/* multicast.c, multicast_make.c, multicast_confirm.c, multicast_beacon.c */
/**
 * New keys for the tree, and the message that tells of them; the first copy goes out at once.
 * @return true if there is somebody to read it
 */
bool gk_cast_rekey(struct gk_group *group, struct gk_now now);
/** After a restart: send the stored message again. @return false: there is none of this num */
bool gk_cast_resume(struct gk_group *group, struct gk_now now);
/** Send what is due and what the budget allows. */
void gk_cast_pump(struct gk_group *group, struct gk_now now);
/** How long confirmations of a message to the group are waited for, all its copies included. */
int64_t gk_cast_patience_ms(const struct gk_group *group);
/** Our link was down: copies of the newest message again, unless confirmations have shown who did
 *  not get it. */
void gk_cast_again(struct gk_group *group, struct gk_now now);
/** No further copies, if all in the tree are known to have what they say. */
void gk_cast_settle(struct gk_group *group);
/** No further copies. */
void gk_cast_drop(struct gk_group *group);
/** There will be no more messages to the group: they end, in the store too. */
void gk_cast_forget(struct gk_group *group);
void gk_cast_receive(struct gk_kdc *kdc, struct gk_span message, struct gk_now now);
void gk_cast_beacon(struct gk_group *group, struct gk_now now);
/** Trickle begins anew. */
void gk_cast_reset_beacon(struct gk_group *group, struct gk_now now);
/** Take a part of the newest message from the store, in any order. @return GK_ERR_RANGE: of
 *  another message than the parts before; GK_ERR_NO_MEMORY; of gk_rekeying_read() */
GK_MUST_CHECK enum gk_err gk_cast_restore(struct gk_group *group, size_t part, int64_t num,
					  struct gk_span message);
/** @return GK_ERR_MISSING: not all of its parts were in the store */
GK_MUST_CHECK enum gk_err gk_cast_restored(const struct gk_group *group);

#endif
