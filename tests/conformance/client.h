// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A client of a KDC, written from the RFCs: its tokens, CBOR and CoAP are put together here by hand
 * and what it gets is taken apart here by hand, so that a mistake of the library's builders and
 * readers cannot hide itself. It shares with the library what is proven by vectors of others, the
 * cryptographic primitives and OSCORE (tests/vectors); and tests/lib/pair.h is the network.
 *
 * A failure here fails the running cmocka test.
 */
#ifndef TEST_CONFORMANCE_CLIENT_H
#define TEST_CONFORMANCE_CLIENT_H

#include "bytes.h"

#include "tests/lib/pair.h"

#define CF_ACE     19
#define CF_CBOR    60
#define CF_CWT     61
#define CF_PROBLEM 257
#define CF_ACE_GC  261

#define GET    0x01
#define POST   0x02
#define PUT    0x03
#define DELETE 0x04
#define FETCH  0x05

#define CREATED      0x41
#define DELETED      0x42
#define CHANGED      0x44
#define CONTENT      0x45
#define BAD_REQUEST  0x80
#define UNAUTHORIZED 0x81
#define FORBIDDEN    0x83
#define NOT_FOUND    0x84
#define NOT_ALLOWED  0x85
#define TOO_MANY     0x9d
#define UNAVAILABLE  0xa3

#define REQUESTER 2u
#define RESPONDER 4u
#define MONITOR   8u
#define VERIFIER  16u

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* tokens */

/** What is in a token; zero: as it should be. */
struct token {
	const char *iss;      /* NULL: none */
	const char *aud;      /* NULL: ours */
	int64_t lifetime_s;   /* 0: a day */
	int64_t nbf_s;        /* from now; 0: none */
	int64_t iat_s;        /* from now; 0: none */
	const char *exi;      /* in hex, with a cti: in place of exp */
	struct gk_span scope; /* the encoded claim, in place of the client's own */
	struct gk_span cnf;   /* the encoded claim */
	bool no_exp, no_scope, no_cnf, no_aud;
	bool foreign_key;   /* of another AS */
	const char *claims; /* in hex, in place of all */
};

/* the client */

struct client {
	struct pair_raw raw;
	struct pair *p;
	char name[16];
	uint8_t id[8], ms[16], salt[8]; /* input material of its association */
	struct gk_key_pair key;
	struct bytes cred;
	struct bytes scope; /* of its token: encoded array */
	struct bytes n_s;   /* the latest kdcchallenge */
	uint8_t n_c[8];     /* cnonce of its latest join, or of what has one */
	struct bytes entry; /* scope of its latest join */
	char group[65], node[33];
	/* the latest answer, all its blocks together */
	uint8_t code;
	int format; /* CF_NONE: it has none */
	struct gk_span options, payload;
	uint8_t body[65536];
};

/** A client that has done nothing yet: at fd00::1:NUMBER, with an ES256 key, whose tokens grant
 *  'roles' in PAIR_LIGHTS. */
void client_open(struct client *c, struct pair *p, unsigned number, uint32_t roles);
/** Its tokens grant something in one more group. */
void client_grant(struct client *c, const char *group, uint32_t roles);
/** Another key, and the credential that goes with it. @param alg  -8 or -7; or -27, for keys that
 *  are not for signatures */
void client_use_key(struct client *c, int crv, int alg);
/** Append a token, encrypted for the KDC. */
void put_token(struct bytes *b, const struct client *c, const struct token *token);
/** Append the claim cnf with the client's OSCORE input material. */
void put_osc(struct bytes *b, const struct client *c);
/** Append a Token Transfer Request of the OSCORE profile. @param asks  more pairs in hex, each a
 *  label of two bytes and null: "182df6182ff6" */
void put_post(struct bytes *b, struct client *c, struct gk_span token, const char *asks);
/** Post a token and make the association. @return the answer's code */
uint8_t client_post(struct client *c);
uint8_t client_post_with(struct client *c, const struct token *token, const char *asks);
/** The association, from the answer to put_post(). */
void client_derive(struct client *c);

/** A request without protection, or in the association. @param payload  data NULL: none */
uint8_t ask_plain(struct client *c, uint8_t method, const char *path, int format,
		  struct gk_span payload);
uint8_t ask(struct client *c, uint8_t method, const char *path, int format, struct gk_span payload);
/** The same, with the payload in hex. @return the answer's code */
uint8_t ask_hex(struct client *c, uint8_t method, const char *path, int format,
		const char *payload);
/** GET with Observe 0, as ask_group(). */
uint8_t ask_to_observe(struct client *c, const char *path);
/** A request without payload, under ace-group/GROUP of the latest join; "*" is nodes/NODENAME. */
uint8_t ask_group(struct client *c, uint8_t method, const char *path);
/** ... with a payload in hex, in application/ace-groupcomm+cbor. */
uint8_t ask_group_hex(struct client *c, uint8_t method, const char *path, const char *payload);
/** The place-th option of a number in the latest answer. @return false: none */
bool find_option(const struct client *c, unsigned number, size_t place, struct gk_span *value);

/** A Join Request; zero: as it should be. */
struct join {
	const char *group; /* NULL: PAIR_LIGHTS */
	uint32_t roles;
	const char *scope;     /* the bytes in parameter 3 in hex; "": none */
	const char *get_creds; /* in hex; NULL: none */
	const char *cred;      /* what is in parameter 5, in hex; "": none */
	const char *verify;    /* ... 24 */
	const char *control;   /* control_uri */
	const char *cnonce;    /* encoded, in hex; "": none */
	size_t more_pairs;
	const char *more; /* in hex */
};
void put_join(struct bytes *b, struct client *c, const struct join *join);
/** Post its token if it has not yet, and join. @return the answer's code */
uint8_t join(struct client *c, const struct join *join);
/** ... PAIR_LIGHTS, with these roles and all that belongs to it, or fail. */
void must_join(struct client *c, uint32_t roles);
/** Append the evidence of the client for a scope, N_S and N_C: a signature, or in a pairwise-only
 *  group a MAC for the KDC's credential. */
void put_evidence(struct bytes *b, const struct client *c, struct gk_span pop);
void put_mac(struct bytes *b, const struct client *c, struct gk_span pop, struct gk_span kdc_cred);

/** A request of the KDC to a client, opened with the client's end of the association. */
struct told {
	const struct pair_message *message;
	uint8_t code;
	char path[128];
	int format;
	struct gk_span payload;
	uint8_t bytes[4096];
};
/** How many it got so far. */
size_t count_told(const struct client *c);
/** Open one; the first is 0. What its association does not open fails. */
void read_told(const struct client *c, size_t place, struct told *told);
/** Answer it. @param code  0: never */
void answer_told(struct client *c, const struct told *told, uint8_t code);

/** Check what the latest answer is: code and Content-Format. */
void assert_answer(const struct client *c, uint8_t code, int format);
/** ... with concise problem details of this ACE error and nothing else. */
void assert_error(const struct client *c, uint8_t code, unsigned error);
void assert_no_payload(const struct client *c, uint8_t code);
/** Check kdc_cred_verify in the map of an answer: a signature of kdc_cred's key. */
void assert_evidence(struct gk_span map, struct gk_span n_c);
/** Another KDC in place of the pair's, with nothing in its store, and the same first group. */
void replace_kdc(struct pair *p, const struct gk_kdc_config *config);

/** Fixtures: a pair with PAIR_LIGHTS, point-to-point with the defaults. */
int open_lights(void **state);
int close_pair(void **state);

#endif
