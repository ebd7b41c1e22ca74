// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * X.509 certificates (RFC 5280) over wolfSSL: what one says, and whether another signed it. Which
 * are to be trusted is x509.h's affair. wolfSSL's clock, certificate store and path validation are
 * not used: the core has no clock.
 */
#ifndef GK_CRYPTO_X509_H
#define GK_CRYPTO_X509_H

#include "crypto.h"

/** What a certificate says. Spans are borrowed from its bytes. */
struct gk_x509_cert {
	struct gk_span der;             /* all of it */
	struct gk_span subject, issuer; /* names, as they are encoded, without the outermost head */
	struct gk_public_key key;       /* crv 0: one of a kind that is of no use here */
	struct gk_utc not_before, not_after;
	bool is_ca;     /* basicConstraints */
	int path_len;   /* of a CA: how many more CAs there may be below it; -1: any */
	unsigned usage; /* GK_X509_..., all of them if it does not say (RFC 5280 section 4.2.1.3) */
};

#define GK_X509_SIGNS  1u /* digitalSignature */
#define GK_X509_AGREES 2u /* keyAgreement */
#define GK_X509_ISSUES 4u /* keyCertSign */

/** @return true if this build can read certificates */
bool gk_x509_supported(void);
/**
 * Read one in DER. Nothing of it is verified.
 * @param cert  written on GK_OK only
 * @return GK_OK; GK_ERR_MALFORMED (something after it, too), GK_ERR_UNSUPPORTED: a critical
 *         extension that nobody knows, one that binds it to names, policies or other purposes, or
 *         not in this build
 */
GK_MUST_CHECK enum gk_err gk_x509_read(struct gk_span der, struct gk_x509_cert *cert);
/**
 * Check that the holder of 'issuer' signed 'cert': ECDSA on P-256 with SHA-256, or Ed25519.
 * @return GK_OK; GK_ERR_CRYPTO: wrong; GK_ERR_UNSUPPORTED: by another algorithm
 */
GK_MUST_CHECK enum gk_err gk_x509_verify(const struct gk_x509_cert *cert,
					 const struct gk_x509_cert *issuer);
/** Append an ECDSA signature, raw r|s, as certificates have it (RFC 3279 section 2.2.3). */
void gk_x509_put_ecdsa(struct gk_buf *buf, const uint8_t sig[static GK_SIG_LEN]);

#endif
