// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * CBOR Web Tokens (RFC 8392) as ACE access tokens for the OSCORE profile (RFC 9203) and the DTLS
 * profile (RFC 9202): opened with the key shared with the AS, or verified with the AS's public key,
 * or both (signed inside); then the claims, in the order of A 5.10.1.1. What a token holds of
 * secrets must be encrypted (O 3.2, D 3.3.1): one that is signed alone has a public key in its
 * cnf, or just the name of a key.
 */
#ifndef GK_CWT_H
#define GK_CWT_H

#include "cose.h"

#define GK_TOKEN_MAX    1024
#define GK_OSC_ID_MAX   8
#define GK_OSC_MS_MIN   16 /* no shorter than the keys that come from it */
#define GK_OSC_MS_MAX   64 /* our limits: what an AS sends is 16 to 32 bytes, salts 0 to 16 */
#define GK_OSC_SALT_MAX 64
#define GK_KID_MAX      32 /* of a COSE_Key; libcoap's clients send a psk_identity of up to 64 bytes */
#define GK_PSK_MIN      16 /* of a pre-shared key */
#define GK_PSK_MAX      64
#define GK_EXI_MAX      UINT32_MAX /* a longer 'exi' is read as this, 136 years, so that sums fit */

/** How tokens are recognised. Spans must outlive the use. */
struct gk_cwt_issuer {
	struct gk_span key;              /* 16 bytes shared with the AS; empty: none */
	struct gk_public_key public_key; /* of the AS; crv 0: none */
	struct gk_span issuer;           /* expected iss; empty: any, or none */
	struct gk_span audience;         /* expected aud */
};

/** The claims of a valid token. Spans borrow from the buffer that gk_cwt_read() was given. */
struct gk_cwt {
	struct gk_span subject; /* sub, the client's name; may be empty */
	struct gk_span scope;   /* content of the scope byte string, checked */
	struct gk_utc exp;      /* GK_NEVER: no exp, then 'exi_s' is there */
	int64_t exi_s;      /* lifetime from first sight (A 5.10.3), 1..GK_EXI_MAX; -1: absent */
	struct gk_utc iat;  /* 0: absent */
	struct gk_span cti; /* may be empty, but not with 'exi' */
	bool has_osc;       /* cnf with an osc object */
	bool has_key;       /* ... with a COSE_Key; with neither there is 'kid' */
	/* cnf {3: kid}: the key is known already (O 4.1, D 4), or is derived; or the kid of the
	 * COSE_Key, which a symmetric one must have */
	struct gk_span kid;
	struct gk_span psk;              /* empty: derived (D 3.3.1) */
	struct gk_public_key public_key; /* crv 0: the key is symmetric */
	struct gk_span osc_id;           /* O 9.4: id, ms, salt, contextId */
	struct gk_span ms;
	struct gk_span salt; /* empty: absent */
	struct gk_span context_id;
	bool has_context_id;
	int alg;     /* default 10 */
	int hkdf;    /* default 5 */
	bool sleepy; /* it is asleep most of the time */
};

/** Why a token was refused. */
enum gk_cwt_fault {
	GK_CWT_FINE = 0,
	GK_CWT_UNPARSABLE = 1, /* no token, or no claims as they are to be */
	GK_CWT_KEY = 2,        /* neither encrypted nor signed by our AS */
	GK_CWT_ISSUER = 3,
	GK_CWT_ENDED = 4,
	GK_CWT_ENDLESS = 5, /* neither exp nor exi */
	GK_CWT_EARLY = 6,   /* nbf */
	GK_CWT_AUDIENCE = 7,
	GK_CWT_SCOPE = 8,
	GK_CWT_CNF = 9, /* its key material cannot be used, or was not encrypted */
	GK_CWT_FAULTS
};

/** What it means for who posted it, and for the operator, who alone is told why. */
struct gk_cwt_refusal {
	uint8_t code; /* of the answer (A 5.10.1.1) */
	const char *reason;
};
extern const struct gk_cwt_refusal gk_cwt_refusals[GK_CWT_FAULTS];

/** @return true if a token is encrypted: to see that it is not under our key takes no signature */
bool gk_cwt_is_encrypted(struct gk_span token);
/**
 * Open, verify and read a token.
 *
 * @param token    as posted
 * @param now      for exp and nbf
 * @param scratch  receives the decrypted claims, to be wiped by the caller; cwt borrows from it
 *                 (and from 'token' when that is only signed); GK_TOKEN_MAX bytes are enough
 * @param cwt      written only on GK_CWT_FINE
 * @return GK_CWT_FINE, or the fault of the first step that found one
 */
GK_MUST_CHECK enum gk_cwt_fault gk_cwt_read(const struct gk_cwt_issuer *issuer,
					    struct gk_span token, struct gk_utc now,
					    struct gk_buf *scratch, struct gk_cwt *cwt);

/** What goes into a token that this library issues (the gateway as its own AS). */
struct gk_cwt_spec {
	struct gk_span issuer, audience, subject; /* issuer and subject may be empty */
	struct gk_span scope;                     /* content of the scope byte string */
	struct gk_utc iat, exp;
	struct gk_span cti; /* may be empty */
	bool sleepy;
	struct gk_span osc_id, ms, salt;        /* OSCORE profile; or one of these two: */
	struct gk_span kid, psk;                /* DTLS profile with a pre-shared key */
	const struct gk_public_key *public_key; /* ... with a raw public key; else NULL */
};
/**
 * Append a tagged COSE_Encrypt0 CWT.
 * @param nonce  13 fresh random bytes
 * @return GK_OK; GK_ERR_RANGE: gk_cwt_read() would refuse it, or it is above GK_TOKEN_MAX;
 *         GK_ERR_NO_SPACE, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_cwt_issue(const struct gk_cwt_spec *spec, struct gk_span key,
				       struct gk_span nonce, struct gk_buf *out);

#endif
