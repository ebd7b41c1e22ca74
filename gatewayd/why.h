// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What is known of a member and by what, and what comes next, in words: `gatewayctl why`.
 */
#ifndef GW_WHY_H
#define GW_WHY_H

#include "libgroupkey/groupkey.h"

#define GW_WHY_TEXT 512

/** A fact in words, as "was asked: probe 2 (3 times)". @return text */
const char *gw_why_fact(const struct gk_evidence *evidence, char text[static GW_WHY_TEXT]);

/** Of whom. */
struct gw_why_next {
	struct gk_outlook outlook;
	struct gk_span group;
	bool banned;
	enum gk_blindness blind; /* of GK_NEXT_SIGHT */
};
/** What comes next in words. @return text */
const char *gw_why_next(const struct gw_why_next *next, struct gk_now now,
			char text[static GW_WHY_TEXT]);

#endif
