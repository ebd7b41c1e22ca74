// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Authentication credentials (P 4). Opaque bytes once checked: never re-encoded, since they enter
 * every external_aad as they are. And the proof-of-possession inputs made with them (R 4.3.1).
 *
 * A CCS is a CBOR map of claims with the public key in cnf (RFC 9528 section 3.5.2); a CWT is such
 * a map signed by an issuer (RFC 8392), as a COSE_Sign1. Nobody but the token vouches for a CCS;
 * for a CWT its issuer does. Certificates travel as chains or bags (x509.h), and CAs vouch for
 * them.
 */
#ifndef GK_CRED_H
#define GK_CRED_H

#include "cose.h"

/** Find the COSE_Key in a map of claims: not read yet. */
GK_MUST_CHECK enum gk_err gk_ccs_find_key(struct gk_span ccs, struct gk_cbor_item *cose_key);
/**
 * Read a CCS and check its key: point on the curve, no private part, nothing after the map.
 * @return GK_OK; GK_ERR_CREDENTIAL with anything that makes it unfit (answer: error-id 2)
 */
GK_MUST_CHECK enum gk_err gk_ccs_read(struct gk_span ccs, struct gk_public_key *key);

/* any format */

#define GK_CRED_WIRE_MAX 2048 /* as it travels: a chain or a bag of certificates has several */
#define GK_CRED_FORMATS  4

/** A credential that was read. */
struct gk_cred {
	struct gk_public_key key;
	int64_t alg;           /* for which it says it is; 0: it does not say */
	struct gk_span binary; /* what enters external_aad and pairwise keys (G 2.4): the CCS, the
				  untagged CWT, the end entity's certificate; borrowed */
};

/** What a credential has to be, to fit a group (R 4.3.1). */
struct gk_cred_rules {
	int fmt;                /* GK_HEADER_KCCS, ... */
	int crv, alg;           /* of its key, and the COSE algorithm that it is used with */
	struct gk_span issuers; /* who may vouch for it: see gk_cred_check_issuers() */
	struct gk_utc now;
};

/** @return a number below GK_CRED_FORMATS for a format that this build has; else that */
size_t gk_cred_slot(int64_t fmt);
/** @return true if this build has keys of that curve in that format: no X25519 in certificates */
bool gk_cred_has_curve(int64_t fmt, int crv);
/** @return true if credentials of that format are vouched for, so that issuers are needed */
bool gk_cred_has_issuer(int64_t fmt);
/**
 * Check who may vouch for credentials of a format: for CWTs public keys, COSE_Keys one after
 * another; for certificates CAs, certificates in DER one after another.
 * @return GK_OK; GK_ERR_UNSUPPORTED: not a format of this build; GK_ERR_MISSING: none;
 *         GK_ERR_CREDENTIAL: one cannot be used, or there are more than 16
 */
GK_MUST_CHECK enum gk_err gk_cred_check_issuers(int64_t fmt, struct gk_span issuers);
/**
 * Read a credential without asking who vouches for it: one of our own, or one that the KDC has
 * checked and distributes.
 * @param cred  written on GK_OK only
 * @return GK_OK; GK_ERR_CREDENTIAL with anything that it is wrong in
 */
GK_MUST_CHECK enum gk_err gk_cred_read(int64_t fmt, struct gk_span bytes, struct gk_cred *cred);
/** The same of our own, where the point needs no check: that one multiplication costs more than all
 *  else that a new epoch asks of a member. */
GK_MUST_CHECK enum gk_err gk_cred_read_own(int64_t fmt, struct gk_span bytes, struct gk_cred *cred);
/**
 * Read a credential and check that it fits: of the format and nothing else, vouched for and within
 * its time where the format has that, with a key of that curve for that algorithm.
 * @return as gk_cred_read(); answer: error-id 2
 */
GK_MUST_CHECK enum gk_err gk_cred_check(const struct gk_cred_rules *rules, struct gk_span bytes,
					struct gk_cred *cred);
/**
 * Append a credential of our own, for which we vouch ourselves.
 * @param dh      the key is for key agreement: it names no algorithm of signatures
 * @param signer  a key for signatures that is ours; may be that of 'key'
 * @return GK_OK, GK_ERR_UNSUPPORTED, GK_ERR_NO_SPACE, and as gk_sign()
 */
GK_MUST_CHECK enum gk_err gk_cred_put(struct gk_buf *buf, int64_t fmt, struct gk_span name,
				      const struct gk_public_key *key, bool dh,
				      const struct gk_key_pair *signer);

/** Append a CCS {2: name, 8: {1: COSE_Key}}. */
void gk_ccs_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key);
/** The same of a key for key agreement, P-256 or X25519: its COSE_Key names no algorithm. */
void gk_ccs_put_dh(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key);

/**
 * @return the curve of credentials in pairwise-only groups whose sign_alg is 'sign_alg': X25519
 *         beside EdDSA, P-256 beside ES256 (P 14); 0: not in this build
 */
int gk_dh_curve(int64_t sign_alg);

/** Append the client's input bstr(scope) | bstr(N_S) | bstr(N_C) (R 4.3.1).
 * 'scope': as received. */
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
