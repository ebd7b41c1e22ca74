// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * X.509 certificates as credentials: x5chain and x5bag (RFC 9360 section 2), and who vouches for
 * them. One certificate travels as its DER, several as a CBOR array of byte strings; in a chain the
 * first one is the end entity's, and each other one certifies the one before it, while a bag has no
 * order. Which one is meant in a bag: the one that is no CA's.
 */
#ifndef GK_X509_H
#define GK_X509_H

#include "cbor.h"
#include "crypto_x509.h"

#define GK_X509_CERTS_MAX 8

/** @return GK_OK and the end entity's certificate; GK_ERR_CREDENTIAL: it is not such a container */
GK_MUST_CHECK enum gk_err gk_x509_find(struct gk_span bytes, bool is_bag,
				       struct gk_x509_cert *end_entity);
/**
 * Check that a path leads from the end entity to one of the trust anchors, at a time (RFC 5280
 * section 6, without policies, name constraints and revocation).
 * @param anchors  certificates of CAs in DER, one after another
 * @param usage    that its key has to have: GK_X509_SIGNS or GK_X509_AGREES
 * @return GK_OK; GK_ERR_CREDENTIAL
 */
GK_MUST_CHECK enum gk_err gk_x509_check(struct gk_span bytes, bool is_bag, struct gk_span anchors,
					unsigned usage, struct gk_utc now);
/** @return the length of the first of certificates in DER, one after another; 0: there is none */
size_t gk_x509_len(struct gk_span ders);
/** Check trust anchors: 1 to 'max' certificates of CAs. @return GK_OK; GK_ERR_CREDENTIAL */
GK_MUST_CHECK enum gk_err gk_x509_check_anchors(struct gk_span anchors, size_t max);
/**
 * Append a certificate, in DER, that says who has 'key'. The same input gives the same bytes: it
 * begins on 2026-01-01 and has no end (RFC 5280 section 4.1.2.5).
 * @param name   its subject, and its issuer too; 1 to 64 bytes
 * @param usage  GK_X509_SIGNS or GK_X509_AGREES
 * @return GK_OK; GK_ERR_RANGE (name), GK_ERR_UNSUPPORTED (curve), GK_ERR_NO_SPACE, and as gk_sign()
 */
GK_MUST_CHECK enum gk_err gk_x509_put(struct gk_buf *buf, struct gk_span name,
				      const struct gk_public_key *key, unsigned usage,
				      const struct gk_key_pair *signer);

#endif
