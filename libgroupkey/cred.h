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
/**
 * The same for a key of curve 'crv' that is used with the COSE algorithm 'alg': if its COSE_Key
 * names an algorithm, then that one.
 */
GK_MUST_CHECK enum gk_err gk_ccs_read_for(struct gk_span ccs, int crv, int alg,
					  struct gk_public_key *key);
/** Append a CCS {2: name, 8: {1: COSE_Key}}. */
void gk_ccs_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key);
/** The same of a key for key agreement, P-256 or X25519: its COSE_Key names no algorithm. */
void gk_ccs_put_dh(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key);

/**
 * @return the curve of credentials in pairwise-only groups whose sign_alg is 'sign_alg': X25519
 *         beside EdDSA, P-256 beside ES256 (P 14); 0: not in this build
 */
int gk_dh_curve(int64_t sign_alg);

/** Append the client's input bstr(scope) | bstr(N_S) | bstr(N_C) (R 4.3.1). 'scope': as received.
 */
void gk_pop_put_client(struct gk_buf *buf, struct gk_span scope, struct gk_span n_s,
		       struct gk_span n_c);
/** Append the KDC's input bstr(N_C) | bstr(N_KDC) (R 4.3.1). */
void gk_pop_put_kdc(struct gk_buf *buf, struct gk_span n_c, struct gk_span n_kdc);

#define GK_POP_MAC_LEN 8
/**
 * Evidence in pairwise-only groups: a MAC over either input, with the secret that both keys have
 * (P 6.1, 6.3).
 * @return GK_OK; GK_ERR_CRYPTO (bad point, another curve, no secret), GK_ERR_UNSUPPORTED,
 *         GK_ERR_STATE
 */
GK_MUST_CHECK enum gk_err gk_pop_mac(const struct gk_key_pair *own,
				     const struct gk_public_key *peer, struct gk_span input,
				     uint8_t mac[static GK_POP_MAC_LEN]);
/** Check one. @return as gk_pop_mac(); GK_ERR_CRYPTO also: it is wrong */
GK_MUST_CHECK enum gk_err gk_pop_check_mac(const struct gk_key_pair *own,
					   const struct gk_public_key *peer, struct gk_span input,
					   struct gk_span mac);

#endif
