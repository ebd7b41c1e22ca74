// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Requests of ours from inside: what exchange.c, exchange_multicast.c and exchange_notice.c share.
 */
#ifndef GK_EXCHANGE_H
#define GK_EXCHANGE_H

#include "kdc.h"

#define GK_REPLY_ROOM 2048 /* an answer beside its credentials; and whatever we ask */

/** @return true if one more of this kind may be under way */
bool gk_exchange_has_room(const struct gk_kdc *kdc, enum gk_request_kind kind);
/**
 * Make a request to a node, or a notification.
 * @param what  GK_OBSERVED_NOTHING: a request; else a response to the registration for that
 * @param buf   gets what is to be sent, protected
 * @return for gk_exchange_emit(), or gk_exchange_free(); NULL: not now
 */
struct gk_request *gk_exchange_protect(struct gk_kdc *kdc, struct gk_node *node,
				       enum gk_observed what, enum gk_request_kind kind,
				       struct gk_span message, struct gk_buf *buf);
/** Have it sent; there is room for it in the table. */
void gk_exchange_emit(struct gk_kdc *kdc, struct gk_request *request, struct gk_span bytes,
		      uint32_t timeout_ms);
/** @return the one under way with this id, or NULL */
struct gk_request *gk_exchange_find(const struct gk_kdc *kdc, uint64_t id);
/** It is in no table any more. */
void gk_exchange_free(struct gk_kdc *kdc, struct gk_request *request);

/** An eviction notice could not be sent: again, later. */
void gk_notice_defer(struct gk_kdc *kdc, struct gk_request *request, struct gk_now now);

#endif
