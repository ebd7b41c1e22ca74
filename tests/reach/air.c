// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * One hop of IEEE 802.15.4: a message goes in as many frames as gk_air_of() says, and arrives if
 * all of them do. One to a single node is acknowledged, and sent up to 3 times more
 * (macMaxFrameRetries); one to many is sent once.
 */
#include "tests/reach/reach.h"

#include "libgroupkey/budget.h"

#define HEADER_LEN  4 /* of CoAP, the code in it */
#define TOKEN_LEN   8
#define MAC_RETRIES 3

size_t air_coap_len(struct gk_span bytes)
{
	return HEADER_LEN + TOKEN_LEN + (bytes.len ? bytes.len - 1 : 0);
}

static bool frame_arrives(struct world *w, unsigned tries)
{
	while (tries--) {
		if (!happens(w, w->opt.loss))
			return true;
	}
	return false;
}

bool air_carries(struct world *w, size_t coap_len, bool multicast)
{
	for (size_t left = gk_air_of(coap_len).frames; left; left--) {
		if (!frame_arrives(w, multicast ? 1 : 1 + MAC_RETRIES))
			return false;
	}
	return true;
}
