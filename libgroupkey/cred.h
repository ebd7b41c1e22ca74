// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Authentication credentials: CCS, a CBOR map of claims with the public key in cnf (RFC 9528
 * section 3.5.2, P 4). Opaque bytes once checked: never re-encoded, since they enter every
 * external_aad as they are. And the proof-of-possession inputs made with them (R 4.3.1).
 */
#ifndef GK_CRED_H
#define GK_CRED_H

#include "cose.h"

/**
 * Read a CCS and check its key: point on the curve, no private part, nothing after the map.
 * @return GK_OK; GK_ERR_CREDENTIAL with anything that makes it unfit (answer: error-id 2)
 */
GK_MUST_CHECK enum gk_err gk_ccs_read(struct gk_span ccs, struct gk_public_key *key);
/**
 * The same for a CCS of our own, where the point needs no check: that one multiplication costs
 * more than all else that a new epoch asks of a member.
 */
GK_MUST_CHECK enum gk_err gk_ccs_read_own(struct gk_span ccs, struct gk_public_key *key);
/** Append a CCS {2: name, 8: {1: COSE_Key}}. */
void gk_ccs_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key);

/** Append the client's input bstr(scope) | bstr(N_S) | bstr(N_C) (R 4.3.1). 'scope': as received.
 */
void gk_pop_put_client(struct gk_buf *buf, struct gk_span scope, struct gk_span n_s,
		       struct gk_span n_c);
/** Append the KDC's input bstr(N_C) | bstr(N_KDC) (R 4.3.1). */
void gk_pop_put_kdc(struct gk_buf *buf, struct gk_span n_c, struct gk_span n_kdc);

#endif
