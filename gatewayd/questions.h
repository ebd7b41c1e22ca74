// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What was asked by multicast: the answer is known by its token alone, since it may come from
 * anywhere; and there may be several, of which only the KDC can tell the true one.
 */
#ifndef GW_QUESTIONS_H
#define GW_QUESTIONS_H

#include "libgroupkey/groupkey.h"

/** RFC 7252 section 5.3.1 asks for 32 random bits. */
#define GW_QUESTION_TOKEN 4

struct gw_question;

/** All zero: none. Fields are its own. */
struct gw_questions {
	struct gw_question *list;
};

/**
 * Begin to wait.
 * @param id     what the KDC calls it; unique
 * @param token  gets a token that no other question has
 * @return 0; -ENOMEM; -EIO: no entropy
 */
GK_MUST_CHECK int gw_questions_add(struct gw_questions *questions, uint64_t id, uint32_t timeout_ms,
				   struct gk_mono now, uint8_t token[static GW_QUESTION_TOKEN]);
/** Which question has this token? @return false: none that is waited for */
GK_MUST_CHECK bool gw_questions_find(const struct gw_questions *questions, struct gk_span token,
				     uint64_t *id);
/** Forget one, if it is there. */
void gw_questions_drop(struct gw_questions *questions, uint64_t id);
/** Forget one whose time is over. @return false: there is none */
GK_MUST_CHECK bool gw_questions_expire(struct gw_questions *questions, struct gk_mono now,
				       uint64_t *id);
/** When gw_questions_expire() has something to do; ms GK_NEVER: not by itself. */
struct gk_mono gw_questions_next_expiry(const struct gw_questions *questions);
/** Forget all. */
void gw_questions_free(struct gw_questions *questions);

#endif
