// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The answer to the newest request of an association, kept so that a retransmission of exactly
 * that request gets it again (RFC 7252 section 4.5; libcoap hands every copy to its handler).
 */
#ifndef GK_KEPT_H
#define GK_KEPT_H

#include "mem.h"

/* EXCHANGE_LIFETIME, RFC 7252 section 4.8.2: after it a message id means another message. */
#define GK_EXCHANGE_LIFETIME_MS 247000

struct gk_kept {
	struct gk_addr peer;
	uint16_t message_id;
	uint8_t token_len;
	uint8_t token[8];
	uint8_t digest[16]; /* of the request's bytes */
	int64_t until_ms;
	struct gk_blob answer;
};

/** @return true if this is the same request once more, answered or not */
bool gk_kept_is(const struct gk_kept *kept, const struct gk_exchange *exchange,
		struct gk_span request, struct gk_now now);
/** @return true if it is, and kept->answer is its answer */
bool gk_kept_matches(const struct gk_kept *kept, const struct gk_exchange *exchange,
		     struct gk_span request, struct gk_now now);
/** Keep a request in place of the former one, until its answer is there. @return GK_ERR_CRYPTO,
 *  GK_ERR_RANGE: nothing is kept */
GK_MUST_CHECK enum gk_err gk_kept_begin(const struct gk_env *env, struct gk_kept *kept,
					const struct gk_exchange *exchange, struct gk_span request,
					struct gk_now now);
/** Keep the answer to it. @return GK_ERR_NO_MEMORY: nothing changed */
GK_MUST_CHECK enum gk_err gk_kept_answer(const struct gk_env *env, struct gk_kept *kept,
					 struct gk_span answer);
/** Keep a request and its answer in place of the former ones. @return GK_ERR_NO_MEMORY: nothing is
 * kept */
GK_MUST_CHECK enum gk_err gk_kept_set(const struct gk_env *env, struct gk_kept *kept,
				      const struct gk_exchange *exchange, struct gk_span request,
				      struct gk_span answer, struct gk_now now);
void gk_kept_wipe(const struct gk_env *env, struct gk_kept *kept);

#endif
