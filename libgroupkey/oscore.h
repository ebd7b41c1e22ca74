// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * OSCORE (RFC 8613): one security context, used in both directions. Finding a context by its kid,
 * storing what must be stored and Echo (B.1.2) are the callers' affair; this part turns messages
 * into protected messages and back.
 *
 * Options (RFC 8613 section 4.1): Uri-Host, Uri-Port and Proxy-Scheme stay outside, Observe goes
 * both ways, everything else is encrypted, options that this library has never heard of too. What
 * comes out of a protected message is what was encrypted; no outer option, which anyone on the
 * way could have changed, reaches the caller.
 */
#ifndef GK_OSCORE_H
#define GK_OSCORE_H

#include "coap.h"
#include "crypto.h"

#define GK_OSCORE_ID_MAX         7  /* nonce 13 - 6 (RFC 8613 section 3.3) */
#define GK_OSCORE_ID_CONTEXT_MAX 16 /* our limit: Gids and contextIds have 8 bytes or fewer */
#define GK_OSCORE_OVERHEAD       64 /* a protected message is at most this much longer */
#define GK_OSCORE_OPTION_MAX     31 /* flags, PIV, length and ID Context, kid: 1 + 5 + 1 + 16 + 8 */

/* replay window */

/**
 * Replay window for Partial IVs: the newest one and which of the 64 up to it were accepted. Any
 * order of arrival; what falls out on the left counts as replayed. All zero: nothing accepted.
 */
struct gk_window {
	uint64_t next;   /* one above the highest accepted */
	uint64_t bitmap; /* bit i: next - 1 - i was accepted */
};

/** @return true if 'piv' may still be accepted */
bool gk_window_check(const struct gk_window *w, uint64_t piv);
/** Record 'piv' as accepted; after verification only. One too old to tell changes nothing. */
void gk_window_accept(struct gk_window *w, uint64_t piv);

/* the OSCORE option */

/** The OSCORE option's value, taken apart (RFC 8613 section 6.1, RFC 10021 section 4.1). */
struct gk_oscore_option {
	bool has_kid, has_kid_context;
	bool group;         /* Group Flag */
	struct gk_span piv; /* 0..5 bytes; empty: none */
	struct gk_span kid_context;
	struct gk_span kid;
};

/** Read an option value; 'opt' borrows from it. @return GK_OK; GK_ERR_MALFORMED: answer 4.02 */
GK_MUST_CHECK enum gk_err gk_oscore_option_read(struct gk_span value, struct gk_oscore_option *opt);
/** Append an option value; nothing for one that has no field (RFC 8613 section 6.1). */
void gk_oscore_option_put(struct gk_buf *buf, const struct gk_oscore_option *opt);

/**
 * Look at a protected message without verifying it: whose is it, of which ID Context?
 *
 * @param opt      borrows from 'message'
 * @param payload  set to the payload, borrowed from 'message'; may be NULL
 * @return GK_OK; GK_ERR_MISSING: a CoAP message without OSCORE option, hence not protected;
 *         GK_ERR_MALFORMED: no CoAP message, a bad OSCORE option or two of them, or no payload:
 *         answer 4.02 (RFC 8613 sections 2 and 8.2)
 */
GK_MUST_CHECK enum gk_err gk_oscore_peek(struct gk_span message, struct gk_oscore_option *opt,
					 struct gk_span *payload);

/* the security context */

/** What binds a response to its request: whose Partial IV, and which. All zero: none. */
struct gk_oscore_ref {
	struct gk_id kid;
	struct gk_id piv; /* as it was on the wire */
	struct gk_id gid; /* Group OSCORE: kid context of the request */
	bool pairwise;    /* ... which was in pairwise mode */
	/* A response has used the request's nonce, or no response may: the next one takes a
	 * Partial IV of its own whatever the caller says. */
	bool nonce_used;
};

/** A security context. Only this file's functions change it, 'seq_limit' and 'window' apart. */
struct gk_oscore {
	const struct gk_aead *aead; /* NULL: not set up */
	struct gk_id sender_id, recipient_id;
	bool has_id_context;
	uint8_t id_context_len;
	uint8_t id_context[GK_OSCORE_ID_CONTEXT_MAX];
	uint8_t sender_key[GK_AEAD_KEY_MAX];
	uint8_t recipient_key[GK_AEAD_KEY_MAX];
	uint8_t common_iv[GK_AEAD_NONCE_MAX];
	uint64_t seq;       /* next Partial IV to send */
	uint64_t seq_limit; /* reserved on stable storage up to here, exclusive (B.1.1) */
	struct gk_window window;
};

/** From what a context is derived (RFC 8613 section 3.2). */
struct gk_oscore_input {
	int64_t alg, hkdf; /* COSE numbers */
	struct gk_span master_secret, master_salt;
	bool has_id_context;
	struct gk_span id_context;
	struct gk_span sender_id, recipient_id;
};

/**
 * Derive a context: keys, Common IV; seq 0, seq_limit GK_OSCORE_PIV_MAX + 1, empty window.
 *
 * @param ctx  written on GK_OK only
 * @return GK_OK
 *         GK_ERR_UNSUPPORTED  alg, hkdf
 *         GK_ERR_RANGE        an identifier too long, equal identifiers (both sides would use
 *                             the same key and nonces), no Master Secret
 *         GK_ERR_CRYPTO       the derivation failed
 */
GK_MUST_CHECK enum gk_err gk_oscore_init(struct gk_oscore *ctx,
					 const struct gk_oscore_input *input);
/** Wipe a context; it can be set up anew. */
void gk_oscore_wipe(struct gk_oscore *ctx);

/**
 * Protect a request (RFC 8613 section 8.1). With the kid context if there is an ID Context.
 *
 * @param message  as in coap.h, all its options; those of class U go outside
 * @param out      the protected message is appended: outer code, options with OSCORE, payload;
 *                 at most message.len + GK_OSCORE_OVERHEAD bytes. Must not overlap 'message'
 * @param ref      kept by the caller to recognise the response
 *
 * One sequence number is used up on GK_OK and on GK_ERR_CRYPTO, none on any other result.
 *
 * @return GK_OK
 *         GK_ERR_SEQUENCE     seq has reached seq_limit: reserve more, or renew the context
 *         GK_ERR_NO_SPACE     'out' is too small
 *         GK_ERR_RANGE        'message' has more than 65,535 bytes
 *         GK_ERR_MALFORMED    no CoAP request, an OSCORE option in it (no nesting, 4.1.3.7), or an
 *                             Observe option twice or longer than 3 bytes
 *         GK_ERR_UNSUPPORTED  Proxy-Uri, whose path would stay readable: use Proxy-Scheme and
 *                             Uri-* (4.1.3.3)
 *         GK_ERR_STATE        the context is not set up
 *         GK_ERR_CRYPTO       the encryption failed
 */
GK_MUST_CHECK enum gk_err gk_oscore_protect_request(struct gk_oscore *ctx, struct gk_span message,
						    struct gk_buf *out, struct gk_oscore_ref *ref);
/**
 * Verify a request (RFC 8613 section 8.2). The window is *not* changed: the caller accepts with
 * gk_window_accept() once it is content with freshness too.
 *
 * @param out    the inner message is appended: code, class E options, payload
 * @param ref    to protect the response with
 * @param fresh  set to false if the Partial IV was accepted before; then decryption still happens
 *               and GK_OK is returned, so that the caller can tell a replay from a forgery. The
 *               'ref' of such a request makes every response take a Partial IV of its own
 *
 * 'out', 'ref' and 'fresh' are written on GK_OK only.
 *
 * @return GK_OK
 *         GK_ERR_MISSING      no OSCORE option
 *         GK_ERR_MALFORMED    4.02; also if kid or Partial IV are absent, or the inner message is
 *                             no CoAP request
 *         GK_ERR_UNSUPPORTED  the Group Flag is set: drop it (RFC 10021 section 6)
 *         GK_ERR_UNKNOWN      kid or kid context of another context: 4.01
 *         GK_ERR_CRYPTO       4.00
 *         GK_ERR_RANGE        longer than any datagram
 *         GK_ERR_NO_SPACE     'out' is too small
 *         GK_ERR_STATE        the context is not set up
 */
GK_MUST_CHECK enum gk_err gk_oscore_unprotect_request(const struct gk_oscore *ctx,
						      struct gk_span message, struct gk_buf *out,
						      struct gk_oscore_ref *ref, bool *fresh);
/**
 * Protect a response (RFC 8613 section 8.3).
 *
 * @param ref      of the request; 'nonce_used' in it is set by the first response that takes the
 *                 request's nonce, and later ones take a Partial IV of their own
 * @param own_piv  use a Partial IV of its own already: for notifications, and when the request's
 *                 freshness is unknown (B.1.2)
 *
 * A response with its own Partial IV uses up a sequence number as a request does.
 *
 * @return as gk_oscore_protect_request(), with "response" for "request";
 *         GK_ERR_STATE also if 'ref' is not of a request of this context's peer
 */
GK_MUST_CHECK enum gk_err gk_oscore_protect_response(struct gk_oscore *ctx,
						     struct gk_oscore_ref *ref,
						     struct gk_span message, bool own_piv,
						     struct gk_buf *out);
/**
 * Verify a response (RFC 8613 section 8.4). That only one is accepted per request, or each
 * notification once (7.4.1), is the caller's affair.
 *
 * @param out               the inner message is appended
 * @param notification_piv  if not NULL: set to the response's own Partial IV, or -1 without one
 * @return as gk_oscore_unprotect_request(); kid and Partial IV may be absent here.
 *         GK_ERR_STATE also if 'ref' is not of a request of this context
 */
GK_MUST_CHECK enum gk_err gk_oscore_unprotect_response(const struct gk_oscore *ctx,
						       const struct gk_oscore_ref *ref,
						       struct gk_span message, struct gk_buf *out,
						       int64_t *notification_piv);

/* parts, shared with Group OSCORE */

/** Append 'info' = [id, id_context / nil, alg, type, L] (RFC 8613 section 3.2.1). */
void gk_oscore_put_info(struct gk_buf *buf, struct gk_span id, bool has_id_context,
			struct gk_span id_context, int64_t alg, const char *type, size_t len);
/**
 * Derive 'len' bytes for 'id' and 'type' from the Master Secret, Master Salt, ID Context and alg of
 * 'input' (RFC 8613 section 3.2.1).
 * @return GK_OK, GK_ERR_RANGE (a length), GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_oscore_derive(const struct gk_oscore_input *input, struct gk_span id,
					   const char *type, uint8_t *out, size_t len);
/** @return sequence number 'seq' as a Partial IV: big-endian, in as few bytes as it needs, at
 *  least one (RFC 8613 section 5) */
struct gk_id gk_oscore_piv(uint64_t seq);
/** Write the AEAD nonce (RFC 8613 section 5.2) of nonce_len bytes; the Common IV's first
 *  nonce_len bytes count (RFC 10021 section 3.3). id_piv: at most nonce_len - 6 bytes, piv: 5. */
void gk_oscore_nonce(const uint8_t *common_iv, size_t nonce_len, struct gk_span id_piv,
		     struct gk_span piv, uint8_t *nonce);

/** How one message is encrypted. */
struct gk_oscore_cipher {
	const struct gk_aead *aead;
	const uint8_t *key; /* aead->key_len bytes; borrowed */
	uint8_t nonce[GK_AEAD_NONCE_MAX];
	struct gk_span external_aad; /* aad_array; borrowed */
};

/**
 * Lay a message out for encryption (RFC 8613 section 4): outer code, class U options with the
 * OSCORE option in its place, ff; then the plaintext, where its ciphertext will be.
 *
 * @param option     the OSCORE option's value
 * @param room       bytes that must be left in 'out' after the plaintext: tag, countersignature
 * @param plaintext  set to the plaintext in 'out': code, class E options, payload
 * @return GK_OK; GK_ERR_NO_SPACE, GK_ERR_RANGE, GK_ERR_MALFORMED, GK_ERR_UNSUPPORTED with nothing
 *         written: see gk_oscore_protect_request()
 */
GK_MUST_CHECK enum gk_err gk_oscore_lay_out(struct gk_span message, bool is_request,
					    struct gk_span option, size_t room, struct gk_buf *out,
					    struct gk_span *plaintext);
/**
 * Encrypt in place what gk_oscore_lay_out() has put at the end of 'out'; the tag follows.
 * @return GK_OK; on an error the plaintext is wiped and 'out' ends before it
 */
GK_MUST_CHECK enum gk_err gk_oscore_encrypt(const struct gk_oscore_cipher *cipher,
					    struct gk_span plaintext, struct gk_buf *out);
/**
 * Decrypt, and check that a CoAP request or response without OSCORE option is in it.
 * @param out  the inner message is appended on GK_OK only
 * @return GK_OK, GK_ERR_CRYPTO, GK_ERR_MALFORMED, GK_ERR_NO_SPACE, GK_ERR_RANGE
 */
GK_MUST_CHECK enum gk_err gk_oscore_decrypt(const struct gk_oscore_cipher *cipher,
					    struct gk_span ciphertext, bool is_request,
					    struct gk_buf *out);

#endif
