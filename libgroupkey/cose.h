// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * COSE (RFC 9052): COSE_Encrypt0, COSE_Sign1, COSE_Key; the Enc_structure and the abbreviated
 * countersignature (RFC 9338) that OSCORE and Group OSCORE are built on.
 */
#ifndef GK_COSE_H
#define GK_COSE_H

#include "cbor.h"
#include "crypto.h"

#define GK_CRED_MAX 1024 /* one credential: a CCS has about 200 bytes, a certificate 300 to 900 */
/* Largest external_aad with which a structure is built: two credentials and change. */
#define GK_AAD_MAX                (2 * GK_CRED_MAX + 256)
#define GK_COSE_PAYLOAD_MAX       1024 /* of a COSE_Sign1: an access token is the largest */
#define GK_COSE_ENCRYPT0_OVERHEAD 40   /* gk_cose_encrypt0() adds at most this much */

/** Append Enc_structure ["Encrypt0", protected, external_aad] (RFC 9052 section 5.3). */
void gk_cose_put_enc_structure(struct gk_buf *buf, struct gk_span protected_header,
			       struct gk_span external_aad);
/** Append Countersign_structure ["CounterSignature0", protected, external_aad, ciphertext]
 *  (RFC 9338 section 3.3; the abbreviated form has no sign_protected). */
void gk_cose_put_countersign_structure(struct gk_buf *buf, struct gk_span protected_header,
				       struct gk_span external_aad, struct gk_span ciphertext);

/**
 * Read a COSE_Key map (RFC 9052 section 7): OKP or EC2, public part only.
 * @return GK_OK; GK_ERR_FORBIDDEN: a private part (-4) is in it; GK_ERR_UNSUPPORTED: other kty or
 *         curve, or a compressed point; GK_ERR_CREDENTIAL: 'alg' is not one for which the
 *         curve is used here (ES256 or ECDH-SS+HKDF-256 on P-256, EdDSA on Ed25519,
 *         ECDH-SS+HKDF-256 on X25519); GK_ERR_RANGE: a coordinate is not of 32 bytes;
 *         else what the map is wrong in. The point itself: gk_public_key_check().
 */
GK_MUST_CHECK enum gk_err gk_cose_key_read(struct gk_span encoded, struct gk_public_key *key);
/** Append a COSE_Key map with the public part, alg included for signature curves; or, for a key
 *  without one of our curves, set the buffer's overflow. */
void gk_cose_key_put(struct gk_buf *buf, const struct gk_public_key *key);

/**
 * Open a COSE_Encrypt0, tagged (16) or not, under a symmetric key.
 * @param key  16 bytes; the header's alg must be of the AES-CCM-128 family
 * @param out  the plaintext is appended
 * @return GK_OK; GK_ERR_CRYPTO; GK_ERR_UNSUPPORTED: an alg or a length of the key that do not go
 *         together here, a 'crit' header, a Partial IV; GK_ERR_RANGE: the IV's length, or a
 *         protected header above 128 bytes; GK_ERR_NO_SPACE; or what is malformed
 */
GK_MUST_CHECK enum gk_err gk_cose_decrypt0(struct gk_span message, struct gk_span key,
					   struct gk_buf *out);
/** Append a tagged COSE_Encrypt0 of 'plaintext' with AES-CCM-16-64-128 and the given 13-byte nonce,
 *  which must never be used twice with this key. */
GK_MUST_CHECK enum gk_err gk_cose_encrypt0(struct gk_span plaintext, struct gk_span key,
					   struct gk_span nonce, struct gk_buf *out);

/**
 * Verify a COSE_Sign1, tagged (18) or not.
 * @param payload  set to the payload, borrowed from 'message', only on GK_OK
 * @return GK_OK; GK_ERR_CRYPTO; GK_ERR_UNSUPPORTED: alg unlike the key's, 'crit', a detached
 *         payload; GK_ERR_RANGE: a payload above GK_COSE_PAYLOAD_MAX, or a protected header above
 *         128 bytes; or what is malformed
 */
GK_MUST_CHECK enum gk_err gk_cose_verify1(struct gk_span message, const struct gk_public_key *key,
					  struct gk_span *payload);
/** Append a tagged COSE_Sign1 of 'payload'. @return GK_ERR_RANGE: above GK_COSE_PAYLOAD_MAX */
GK_MUST_CHECK enum gk_err gk_cose_sign1(struct gk_span payload, const struct gk_key_pair *key,
					struct gk_buf *out);

#endif
