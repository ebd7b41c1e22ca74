// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What this application says to a group, or tells one member: a line of text, as POST /say with a
 * text/plain payload. libgroupkey protects the whole of it.
 */
#ifndef GKM_TEXT_H
#define GKM_TEXT_H

#include "libgroupkey/groupkey.h"

/** With everything around it, it still is one frame of IPv6's smallest packet, 1,280 bytes. */
#define GKM_TEXT_MAX 1024
/** Room for any message of gkm_text_put(). */
#define GKM_TEXT_MESSAGE_MAX (GKM_TEXT_MAX + 32)

/** @return true if 'text' can be said: UTF-8 without control characters, 1..GKM_TEXT_MAX bytes */
bool gkm_text_fits(struct gk_span text);
/** Append the message that says 'text', which fits, to all: no answer is wanted. */
void gkm_text_put(struct gk_buf *message, struct gk_span text);
/** ... that tells one member, who is to answer. */
void gkm_text_put_told(struct gk_buf *message, struct gk_span text);
/**
 * Read what someone said.
 * @param text  borrows from 'message'; any bytes, of any length
 * @return false: it is something else
 */
GK_MUST_CHECK bool gkm_text_read(struct gk_span message, struct gk_span *text);

#endif
