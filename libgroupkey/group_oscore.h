// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Group OSCORE (RFC 10021). In group mode, messages are encrypted under the sender's key of the
 * group and countersigned by the sender; in pairwise mode, under a key that two members alone can
 * make. Who the peers are, their credentials and roles are the caller's affair (member.h); this
 * part protects and verifies. gk_oscore_peek() tells whose a message is, in which mode it is, and
 * the Partial IV of a response.
 *
 *   group_oscore.c          the contexts: what is the group's, ours, and a peer's
 *   group_oscore_message.c  messages
 *
 * What a countersignature covers is read in two ways. RFC 9338 section 3.3 leaves sign_protected
 * out of the Countersign_structure of an abbreviated countersignature; other implementations
 * (aiocoap, and the one whose bytes are in tests/vectors) put it in, as an empty byte string.
 * Nothing in a message or in the keying material tells, so it is a property of the Common Context.
 * KDC and member of this library follow the RFC.
 */
#ifndef GK_GROUP_OSCORE_H
#define GK_GROUP_OSCORE_H

#include "cred.h"
#include "oscore.h"

#define GK_GID_MAX               8
#define GK_GROUP_OSCORE_OVERHEAD (GK_OSCORE_OVERHEAD + GK_SIG_LEN)
/* Longest message to protect, and longest ciphertext to verify: a group request travels by
 * multicast in one IPv6 packet of 1,280 bytes. Bounds the copy that is signed. */
#define GK_GROUP_OSCORE_MESSAGE_MAX 1280

/** The Common Context (G 2.1). Set up by gk_group_common_init(); wiped when replaced. */
struct gk_group_common {
	const struct gk_aead *enc;  /* Group Encryption Algorithm; NULL: no group mode */
	const struct gk_aead *aead; /* AEAD Algorithm of the pairwise mode; NULL: not set */
	int64_t sign_alg;           /* ES256 or EdDSA; 0: no group mode */
	int64_t ecdh_alg;           /* 0: not set */
	int cred_fmt;               /* of the members' credentials */
	bool sign_protected;        /* what is countersigned has an empty sign_protected */
	struct gk_id gid;
	uint8_t master_secret[32];
	uint8_t master_secret_len; /* 0: not set up */
	uint8_t master_salt[16];
	uint8_t master_salt_len;
	uint8_t common_iv[GK_AEAD_NONCE_MAX];
	uint8_t sign_enc_key[GK_AEAD_KEY_MAX]; /* Signature Encryption Key (G 2.1.9) */
	uint16_t gm_cred_len;
	uint8_t gm_cred[GK_CRED_MAX]; /* in its binary form, as all that messages are bound to */
};

/** What a Common Context is made from. Numbers are COSE's; 0: not set. */
struct gk_group_input {
	int64_t gp_enc_alg, alg, sign_alg, ecdh_alg, hkdf;
	struct gk_span master_secret, master_salt, gid;
	struct gk_span gm_cred; /* the Group Manager's credential, as distributed */
	int cred_fmt;           /* of all credentials; 0: CCS */
	bool sign_protected;    /* false: as RFC 9338 says; true: as aiocoap and Californium do */
};

/**
 * Derive the Common Context.
 *
 * @param common  written on GK_OK only
 * @return GK_OK
 *         GK_ERR_UNSUPPORTED  an algorithm that this build has not; neither gp_enc_alg nor alg;
 *                             gp_enc_alg without sign_alg or the other way round
 *         GK_ERR_RANGE        a length: nothing where something must be, or too much
 *         GK_ERR_CRYPTO       the derivation failed
 */
GK_MUST_CHECK enum gk_err gk_group_common_init(struct gk_group_common *common,
					       const struct gk_group_input *input);
/**
 * The Group Manager has another credential: what is protected from now on is bound to that. Keys
 * and sequence numbers stay.
 * @return GK_OK; else as gk_group_common_init(), and nothing changed
 */
GK_MUST_CHECK enum gk_err gk_group_common_set_gm_cred(struct gk_group_common *common,
						      struct gk_span gm_cred);
/** Wipe a Common Context; it can be set up anew. */
void gk_group_common_wipe(struct gk_group_common *common);
/** @return the longest Sender ID that the group's algorithms allow (G 2.2) */
size_t gk_group_id_max(const struct gk_group_common *common);

/** Own side (G 2.2). 'sign_key' and 'cred' are borrowed. Wipe with gk_wipe(). */
struct gk_group_sender {
	struct gk_id id;
	uint8_t key[GK_AEAD_KEY_MAX];
	uint64_t seq;       /* next Partial IV to send */
	uint64_t seq_limit; /* reserved on stable storage up to here, exclusive; the caller's */
	const struct gk_key_pair *sign_key; /* in a pairwise-only group it agrees, and no more */
	struct gk_span cred;
};

/**
 * Derive the Sender Key for 'id'; seq 0 (G 2.6.3.1), seq_limit GK_OSCORE_PIV_MAX + 1.
 *
 * @param sender  written on GK_OK only
 * @return GK_OK
 *         GK_ERR_RANGE       'id' is longer than gk_group_id_max()
 *         GK_ERR_CREDENTIAL  'cred' is too long, not fit for the group's sign_alg, or not of
 *                            'sign_key'
 *         GK_ERR_STATE       the Common Context is not set up
 *         GK_ERR_CRYPTO      the derivation failed
 */
GK_MUST_CHECK enum gk_err gk_group_sender_init(const struct gk_group_common *common,
					       struct gk_span id,
					       const struct gk_key_pair *sign_key,
					       struct gk_span cred, struct gk_group_sender *sender);

/** A peer (G 2.3). 'cred' is borrowed. Wipe with gk_wipe(). */
struct gk_group_recipient {
	struct gk_id id;
	uint8_t key[GK_AEAD_KEY_MAX];
	struct gk_window window;
	struct gk_public_key sign_key;
	struct gk_span cred;
};

/**
 * Derive the Recipient Key for a peer and read its credential; empty window.
 *
 * @param peer  written on GK_OK only
 * @return as gk_group_sender_init()
 */
GK_MUST_CHECK enum gk_err gk_group_recipient_init(const struct gk_group_common *common,
						  struct gk_span id, struct gk_span cred,
						  struct gk_group_recipient *peer);

/**
 * Protect a request in group mode (G 7.1): always with kid, Partial IV and kid context.
 *
 * @param message  at most GK_GROUP_OSCORE_MESSAGE_MAX bytes
 * @param out      the protected message is appended, at most GK_GROUP_OSCORE_OVERHEAD bytes longer
 * @param ref      kept to recognise responses
 *
 * One sequence number is used up on GK_OK and on GK_ERR_CRYPTO, none on any other result.
 *
 * @return GK_OK
 *         GK_ERR_SEQUENCE     seq has reached seq_limit: reserve more, or ask the KDC for a new
 *                             Sender ID
 *         GK_ERR_NO_SPACE     'out' is too small
 *         GK_ERR_RANGE        'message' is too long
 *         GK_ERR_MALFORMED, GK_ERR_UNSUPPORTED  as gk_oscore_protect_request()
 *         GK_ERR_UNSUPPORTED  also if the group does not use the group mode
 *         GK_ERR_STATE        the Common Context is not set up
 *         GK_ERR_CRYPTO       the encryption or the signature failed
 */
GK_MUST_CHECK enum gk_err gk_group_protect_request(const struct gk_group_common *common,
						   struct gk_group_sender *own,
						   struct gk_span message, struct gk_buf *out,
						   struct gk_oscore_ref *ref);
/**
 * Verify a request in group mode (G 7.2): replay, countersignature, decryption, in that order
 * (the signature before the window moves). The peer's window accepts it on GK_OK; nothing else
 * changes it, and 'out' and 'ref' are written on GK_OK only.
 *
 * @return GK_OK
 *         GK_ERR_MISSING      no OSCORE option
 *         GK_ERR_MALFORMED    no CoAP, a bad OSCORE option, one without kid, kid context or Partial
 *                             IV, a payload without room for a signature, no CoAP request in it
 *         GK_ERR_UNSUPPORTED  not group mode, or the group does not use it
 *         GK_ERR_UNKNOWN      kid or Gid of another
 *         GK_ERR_RANGE        longer than any peer of this library writes
 *         GK_ERR_REPLAY       accepted before, or too old to tell
 *         GK_ERR_CRYPTO       the countersignature or the decryption failed
 *         GK_ERR_NO_SPACE     'out' is too small
 *         GK_ERR_STATE        the Common Context is not set up
 */
GK_MUST_CHECK enum gk_err gk_group_unprotect_request(const struct gk_group_common *common,
						     struct gk_group_recipient *peer,
						     struct gk_span message, struct gk_buf *out,
						     struct gk_oscore_ref *ref);
/**
 * Protect a response in group mode (G 7.3); the kid is always there. After a rekeying since the
 * request ('common' has another Gid than 'ref') the response has a Partial IV of its own and the
 * new Gid as kid context.
 *
 * @param ref, own_piv  as in gk_oscore_protect_response()
 * @return as gk_group_protect_request(), with "response" for "request"; GK_ERR_STATE also if 'ref'
 *         is not of a request in a group
 */
GK_MUST_CHECK enum gk_err gk_group_protect_response(const struct gk_group_common *common,
						    struct gk_group_sender *own,
						    struct gk_oscore_ref *ref,
						    struct gk_span message, bool own_piv,
						    struct gk_buf *out);
/**
 * Verify a response in group mode (G 7.4). Each responder may answer once per request: the
 * caller sees to that, by the kid; in a long exchange by the Partial IV too (G 5.3.1).
 *
 * @return as gk_group_unprotect_request(), without GK_ERR_REPLAY. The kid context may be absent,
 *         the Partial IV too unless there was a rekeying since the request, and the kid if the
 *         request was in pairwise mode: then it is that peer's. GK_ERR_STATE also if 'ref' is not
 *         of a request in a group
 */
GK_MUST_CHECK enum gk_err gk_group_unprotect_response(const struct gk_group_common *common,
						      const struct gk_group_recipient *peer,
						      const struct gk_oscore_ref *ref,
						      struct gk_span message, struct gk_buf *out);

/* pairwise mode */

/**
 * Keys of two members, one for each direction (G 2.5). They hold for one Common Context, one Sender
 * ID of ours and one pair of credentials. Wipe with gk_wipe().
 */
struct gk_pairwise {
	uint8_t sender_key[GK_AEAD_KEY_MAX];    /* Pairwise Sender Key */
	uint8_t recipient_key[GK_AEAD_KEY_MAX]; /* Pairwise Recipient Key */
};

/** @return GK_OK: the group uses the pairwise mode; GK_ERR_UNSUPPORTED: it does not, for want of
 *          alg or of an ecdh_alg that this build has (P 6.4); GK_ERR_STATE: not set up */
GK_MUST_CHECK enum gk_err gk_pairwise_check(const struct gk_group_common *common);
/**
 * Derive the keys between us and a peer (G 2.5.1), at the price of one Diffie-Hellman.
 *
 * @param keys  written on GK_OK only
 * @return GK_OK
 *         GK_ERR_CREDENTIAL  the peer's key does not agree with ours: another curve, or a point
 *                            with which there is no secret
 *         GK_ERR_RANGE       a credential is too long
 *         GK_ERR_UNSUPPORTED, GK_ERR_STATE  as gk_pairwise_check(); also if this build cannot do it
 *         GK_ERR_CRYPTO      the derivation failed
 */
GK_MUST_CHECK enum gk_err gk_pairwise_init(const struct gk_group_common *common,
					   const struct gk_group_sender *own,
					   const struct gk_group_recipient *peer,
					   struct gk_pairwise *keys);

/*
 * What follows is to the pairwise mode (G 8) what the four calls above are to the group mode: with
 * the same sequence numbers, the same window of a peer, the same limits, order of effects and
 * results; GK_ERR_UNSUPPORTED as in gk_pairwise_check(), and of a message in group mode. 'keys' are
 * those with the peer that the message is for, or is from. A request in either mode may be answered
 * in either.
 */

/** Protect a request for one peer. @param out  gets at most GK_OSCORE_OVERHEAD bytes more than
 *  'message' has */
GK_MUST_CHECK enum gk_err gk_pairwise_protect_request(const struct gk_group_common *common,
						      struct gk_group_sender *own,
						      const struct gk_pairwise *keys,
						      struct gk_span message, struct gk_buf *out,
						      struct gk_oscore_ref *ref);
/** Verify a request for us: replay, then decryption, which nobody else's message passes. */
GK_MUST_CHECK enum gk_err gk_pairwise_unprotect_request(const struct gk_group_common *common,
							struct gk_group_recipient *peer,
							const struct gk_pairwise *keys,
							struct gk_span message, struct gk_buf *out,
							struct gk_oscore_ref *ref);
/** Protect a response. The kid is always there, since our Sender ID may be new to the peer. */
GK_MUST_CHECK enum gk_err
gk_pairwise_protect_response(const struct gk_group_common *common, struct gk_group_sender *own,
			     const struct gk_pairwise *keys, struct gk_oscore_ref *ref,
			     struct gk_span message, bool own_piv, struct gk_buf *out);
/** Verify a response. Without a kid, which only one to a request in pairwise mode may be, it is
 *  the peer's. */
GK_MUST_CHECK enum gk_err gk_pairwise_unprotect_response(const struct gk_group_common *common,
							 const struct gk_group_recipient *peer,
							 const struct gk_pairwise *keys,
							 const struct gk_oscore_ref *ref,
							 struct gk_span message,
							 struct gk_buf *out);

/* parts of both files */

/** @return length of Sender, Recipient and Signature Encryption Keys: of the Group Encryption
 *  Algorithm if it is set, otherwise of the AEAD Algorithm (G 2.3). 'common' is set up */
size_t gk_group_key_len(const struct gk_group_common *common);
/** Append aad_array (G 3.4). @param option, sender_cred  of the message, not of its request */
void gk_group_put_external_aad(struct gk_buf *buf, const struct gk_group_common *common,
			       const struct gk_oscore_ref *ref, struct gk_span option,
			       struct gk_span sender_cred);
/**
 * Derive the KEYSTREAM that hides a countersignature (G 4.2).
 * @param id_piv, piv  a Partial IV and who made it
 * @return GK_OK, GK_ERR_RANGE (identifier too long), GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_group_keystream(const struct gk_group_common *common,
					     struct gk_span id_piv, struct gk_span piv,
					     bool is_request, uint8_t keystream[static GK_SIG_LEN]);

#endif
