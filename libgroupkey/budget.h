// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * How much air the KDC's own messages take: a model of 6LoWPAN frames, and an account that keeps
 * all of them together within a share of the link's rate.
 */
#ifndef GK_BUDGET_H
#define GK_BUDGET_H

#include "groupkey.h"

struct gk_air {
	size_t frames, bytes;
};
/**
 * Frames and bytes on the air of one CoAP message with its UDP datagram: IEEE 802.15.4 frames of
 * 127 bytes with 6 bytes of preamble, SFD and length before each; MAC header with short
 * destination, long source and one PAN ID (15), FCS (2); IPHC without NHC (RFC 6282): base 2, next
 * header 1, multicast destination 4, hop limit 1, UDP 8; FRAG1 4, FRAGN 5, fragments in units of 8
 * bytes of the uncompressed packet (RFC 4944 section 5.3). No link-layer security, no
 * acknowledgements.
 * @param coap_len  of the whole CoAP message, with its header of 4 bytes
 */
struct gk_air gk_air_of(size_t coap_len);

/** A token bucket; all zero: no limit. */
struct gk_budget {
	uint32_t bytes_per_s; /* 0: no limit */
	int64_t level;        /* thousandths of bytes that may be sent now; below 0: a debt */
	int64_t filled_ms;
};

#define GK_BUDGET_BURST_S 2  /* the bucket holds what comes in this time */
#define GK_BUDGET_DEBT_S  10 /* no debt is larger: nobody waits longer for what was urgent */

/** Begin full. @param bits_per_s  0: no limit; less than a byte counts as one byte */
void gk_budget_init(struct gk_budget *budget, uint32_t bits_per_s, int64_t now_ms);
/** Book what was sent, or what others have sent to us. May leave a debt. */
void gk_budget_charge(struct gk_budget *budget, size_t bytes, int64_t now_ms);
/**
 * When may something that can wait be sent? As soon as there is no debt: what is sent then may
 * make one, so that a message longer than the bucket is no special case. In any time t no more
 * goes out than burst + rate * t + one message; what
 * is charged without having waited comes on top.
 * @param now_ms  never before that of an earlier call
 * @return 'now_ms', or the first later millisecond without a debt if nothing else is charged
 */
int64_t gk_budget_ready_ms(struct gk_budget *budget, int64_t now_ms);

#endif
